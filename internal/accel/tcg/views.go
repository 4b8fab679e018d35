package tcg

import "rhea/internal/guest"

// This file remembers where code was found, so that its virtual addresses
// need not be looked up at every jump.

// codeView is what is known of the addresses of code, for an MMU index: the
// generation stamps the entries of the tables of jumps.
//
// A switch of address spaces makes it stale. When code is to be found again
// it is put away under its page tables' root; and if the new root has one put
// away whose pages are all where they were, that is taken up again, with all
// that was found under its generation.
type codeView struct {
	generation uint64
	pages      []codeAt // that were fetched from
	fetched    pageSet  // the same
	local      bool     // pages that are not global are among them
	stale      bool
	root       uint64
	away       map[uint64]*putAway
	last       uint64 // the last generation that was made
}

// codeAt is a page of code: where it is mapped to.
type codeAt struct{ va, pa uint64 }

// putAway is a codeView that waits for its address space to come back.
type putAway struct {
	generation uint64
	pages      []codeAt
	contexts   map[guest.Key]uint32
	epoch      int // of contexts
}

// A view that has too many pages is not worth putting away, nor are too many.
const (
	maxViewPages = 256
	maxViews     = 64
)

// addressSpace is the root of the page tables, if the guest tells; 0 = no views
// are put away.
func (v *VCPU) addressSpace() uint64 {
	if c, ok := v.cpu.(interface{ AddressSpace() uint64 }); ok {
		return c.AddressSpace()
	}
	return 0
}

// fetchedFrom notes that code was fetched from a page.
func (c *codeView) fetchedFrom(va, pa uint64, global bool) {
	if va &^= pageMask; !c.fetched.has(va) {
		c.fetched.add(va)
		c.pages = append(c.pages, codeAt{va, pa})
	}
	c.local = c.local || !global
}

// newGeneration says that any virtual address of code may lead elsewhere now.
func (v *VCPU) newGeneration(index int) {
	c := &v.code[index]
	c.last++
	v.startView(index, &putAway{generation: c.last})
}

// startView makes what is given the current view.
func (v *VCPU) startView(index int, p *putAway) {
	v.n.closeFar()
	c := &v.code[index]
	c.generation, c.stale, c.root = p.generation, false, v.addressSpace()
	c.fetched.clear()
	c.pages, c.local = append(c.pages[:0], p.pages...), len(p.pages) > 0
	for _, p := range p.pages {
		c.fetched.add(p.va)
	}
	for i := range v.fetch { // what is fetched again is noted again
		if e := &v.fetch[i]; e.tag&pageMask == uint64(index)+1 {
			e.tag = 0
		}
	}
	v.n.setContexts(index, p.contexts, p.epoch)
}

// renew replaces a stale view.
func (v *VCPU) renew(index int) {
	c := &v.code[index]
	if c.root != 0 && len(c.pages) <= maxViewPages {
		if c.away == nil || len(c.away) >= maxViews {
			c.away = make(map[uint64]*putAway)
		}
		p := c.away[c.root]
		if p == nil {
			p = &putAway{}
			c.away[c.root] = p
		}
		p.generation, p.pages = c.generation, append(p.pages[:0], c.pages...)
		p.contexts, p.epoch = v.n.takeContexts(index)
	}
	p := c.away[v.addressSpace()]
	if p == nil || p.generation == 0 || !v.allThere(p.pages, index) {
		v.newGeneration(index)
		return
	}
	v.startView(index, p)
	p.generation, p.contexts = 0, nil // it may change from now on
}

// allThere reports whether code is still fetched from the same places.
func (v *VCPU) allThere(pages []codeAt, index int) bool {
	for _, p := range pages {
		if now, fault := v.cpu.Walk(p.va, guest.Fetch, index); fault != nil || now.PA&^pageMask != p.pa {
			return false
		}
	}
	return true
}

// pageSet is a set of pages, which may hold more than were added: of those
// that differ in high bits only. It is emptied in as many steps as it has
// pages.
type pageSet struct {
	bits [1 << 14]uint64 // for 32-bit addresses exact
	list []uint32
}

func (s *pageSet) at(va uint64) (word uint32, bit uint64) {
	page := uint32(va>>12) & (1<<20 - 1)
	return page / 64, 1 << (page % 64)
}

func (s *pageSet) add(va uint64) {
	w, bit := s.at(va)
	if s.bits[w] == 0 {
		s.list = append(s.list, w)
	}
	s.bits[w] |= bit
}

func (s *pageSet) has(va uint64) bool {
	w, bit := s.at(va)
	return s.bits[w]&bit != 0
}

func (s *pageSet) clear() {
	for _, w := range s.list {
		s.bits[w] = 0
	}
	s.list = s.list[:0]
}
