package tcg

import (
	"sync"

	"rhea/internal/guest"
	"rhea/internal/ir/interp"
	"rhea/internal/mem"
)

// unit is translated code and where it came from.
type unit struct {
	key   guest.Key // of one that moves: PC is the offset in its page
	place place
	len   uint64
	// second is where the unit goes on, if it crosses a page.
	second place
	cross  bool
	valid  bool // until the guest code changes
	moves  bool // see ir.Unit
	// counted: its machine code keeps the budget.
	counted bool
	// quick: it was not compiled yet; see quick.go.
	quick bool
	runs  uint8  // as IR
	told  bool   // see lesson.go
	waits uint16 // entry of quick.waiting
	index int32  // of coder.quick
	// code is the interpreter's form, native the machine's; either may be
	// missing.
	code   *interp.Code
	native native
	next   *unit    // in its page's bucket
	more   [2]*unit // next on the lists of its first page and its second
}

// after returns the next unit on the list of a page.
func (u *unit) after(page place) **unit {
	if u.place.page() == page {
		return &u.more[0]
	}
	return &u.more[1]
}

// bytes is roughly the memory that a unit takes.
func (u *unit) bytes() int {
	if u.code == nil {
		return 0 // the code memory has a bound of its own
	}
	return u.code.Size()
}

// invalidate says that the guest code has changed.
func (u *unit) invalidate() {
	u.valid = false
	if u.code != nil {
		u.code.Valid = false
	}
}

// place is a byte of RAM or ROM.
type place struct {
	ram *mem.RAM
	off uint64
}

func (p place) page() place { return place{p.ram, p.off &^ (mem.PageSize - 1)} }

// codePage is a page from which code was translated. Grains has a bit for
// each 64 bytes in which a unit has code: stores to the others cost little.
type codePage struct {
	page   place // the zero place: not in the cache any more
	units  *unit // that have code here, a list; see unit.after
	grains uint64
	swept  int // cache.sweeps when it was swept last
	// buckets has those that begin here, by place.
	buckets [256]*unit
}

// bucket is the list on which the unit at off is.
func (p *codePage) bucket(off uint64) **unit { return &p.buckets[off%256] }

// find returns the unit at off for a key; nil = none. It moves to the front of
// its bucket: code that does not move is there once for each address that it is
// mapped to, and what was run last is run again.
func (p *codePage) find(off uint64, k *guest.Key, moves, counted bool) *unit {
	if moves {
		moved := *k
		moved.PC &= pageMask
		k = &moved
	}
	b := p.bucket(off)
	for at := b; *at != nil; at = &(*at).next {
		if u := *at; u.place.off == off && u.key == *k && u.moves == moves && u.counted == counted {
			if at != b { // a page that a fork shares stays shared
				*at = u.next
				u.next, *b = *b, u
			}
			return u
		}
	}
	return nil
}

// cache holds the units of a vCPU by physical place, so that changes of the
// page tables lose nothing.
type cache struct {
	pages map[place]*codePage
	last  *codePage   // that was looked up: units come page by page
	spare []*codePage // to be used again
	size  int         // bytes, roughly
	limit int

	// Writes by others than the vCPU (DMA) are kept until it looks.
	mu      sync.Mutex
	written []written
	notify  func()
	watched map[*mem.RAM]bool

	flushes int
	sweeps  int
	drops   int         // units that were dropped one by one
	dropped func(*unit) // is told of units that are dropped one by one,
	cleared func()      // and that all are
	protect func(place) // is told of pages that are watched from now on
	flat    *Flat
}

type written struct {
	place
	n uint64
}

func newCache(limit int, notify func()) *cache {
	c := &cache{
		limit: limit, notify: notify, watched: make(map[*mem.RAM]bool), pages: make(map[place]*codePage),
		last: &codePage{}, protect: func(place) {},
	}
	c.clear()
	return c
}

// page returns what was translated of a page, nil if nothing was.
func (c *cache) page(p place) *codePage {
	if c.last.page != p || p.ram == nil {
		cp := c.pages[p]
		if cp == nil {
			return nil
		}
		c.last = cp
	}
	return c.last
}

// newPage enters a page.
func (c *cache) newPage(p place) *codePage {
	var cp *codePage
	if n := len(c.spare); n > 0 {
		cp, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		cp = &codePage{}
	}
	cp.page = p
	c.pages[p], c.last = cp, cp
	return cp
}

// retire keeps a page that has left the cache for newPage.
func (c *cache) retire(cp *codePage) {
	*cp = codePage{}
	c.spare = append(c.spare, cp)
}

func (c *cache) clear() {
	for p, cp := range c.pages {
		c.unwatch(p)
		for u := cp.units; u != nil; u = *u.after(p) {
			u.invalidate()
		}
		c.retire(cp)
	}
	clear(c.pages)
	c.size = 0
	c.flushes++
	if c.cleared != nil {
		c.cleared()
	}
}

// add enters u.
func (c *cache) add(u *unit) {
	c.size += u.bytes()
	u.valid = true
	n := min(u.len, mem.PageSize-u.place.off%mem.PageSize)
	b := c.enter(u, u.place, n).bucket(u.place.off)
	u.next, *b = *b, u
	if u.cross {
		c.enter(u, u.second, u.len-n)
	}
}

func (c *cache) enter(u *unit, p place, n uint64) *codePage {
	page := p.page()
	cp := c.page(page)
	if cp == nil {
		cp = c.newPage(page)
		c.watch(p)
		c.protect(page)
	}
	if cp.units != u { // its first half may be here, too
		*u.after(page), cp.units = cp.units, u
	}
	cp.grains |= grains(p.off, n)
	return cp
}

// watch has stores to a page reported.
func (c *cache) watch(p place) {
	if c.flat != nil {
		if p.ram == c.flat.RAM {
			c.flat.Protect(p.off &^ (mem.PageSize - 1))
		}
		return
	}
	if !c.watched[p.ram] {
		c.watched[p.ram] = true
		p.ram.OnWrite(c.foreignWrite)
	}
	p.ram.Watch(p.off)
}

// unwatch ends watch. A flat page stays protected until it is written to:
// other threads may have code of it.
func (c *cache) unwatch(p place) {
	if c.flat == nil {
		p.ram.Unwatch(p.off)
	}
}

// grains is the set of a page's 64-byte pieces that off..off+n-1 touches.
func grains(off, n uint64) uint64 {
	first, last := off%mem.PageSize/64, (off%mem.PageSize+n-1)/64
	return ^uint64(0) >> (63 - min(last, 63)) &^ (1<<first - 1)
}

// foreignWrite is called by whoever writes watched RAM, on any goroutine.
func (c *cache) foreignWrite(r *mem.RAM, off, n uint64) {
	c.mu.Lock()
	c.written = append(c.written, written{place{r, off}, n})
	c.mu.Unlock()
	c.notify()
}

// catchUp drops what foreign writes have changed.
func (c *cache) catchUp() {
	c.mu.Lock()
	list := c.written
	c.written = nil
	c.mu.Unlock()
	for _, w := range list {
		c.invalidate(w.place, w.n)
	}
}

// hits reports whether a write of n bytes at p changes any code, and whether
// it changes that of running.
func (c *cache) hits(p place, n uint64, running *unit) (any, self bool) {
	cp := c.pages[p.page()]
	if cp == nil || cp.grains&grains(p.off, n) == 0 {
		return false, false
	}
	for u := cp.units; u != nil; u = *u.after(cp.page) {
		if u.touches(p, n) {
			any = true
			if u == running {
				return true, true
			}
		}
	}
	return any, false
}

func (u *unit) touches(p place, n uint64) bool {
	first := min(u.len, mem.PageSize-u.place.off%mem.PageSize)
	return u.place.ram == p.ram && p.off < u.place.off+first && u.place.off < p.off+n ||
		u.cross && u.second.ram == p.ram && p.off < u.second.off+u.len-first && u.second.off < p.off+n
}

// invalidate drops the units with code at p..p+n-1, which lies in one page.
func (c *cache) invalidate(p place, n uint64) {
	cp := c.pages[p.page()]
	if cp == nil || cp.grains&grains(p.off, n) == 0 {
		return
	}
	page := p.page()
	for u := cp.units; u != nil; {
		next := *u.after(page)
		if u.touches(p, n) {
			c.drop(u)
		}
		u = next
	}
}

// drop takes out a unit whose code has changed.
func (c *cache) drop(u *unit) {
	c.drops++
	c.take(u)
}

// take takes a unit out.
func (c *cache) take(u *unit) {
	u.invalidate()
	c.size -= u.bytes()
	if c.dropped != nil {
		c.dropped(u)
	}
	for b := c.pages[u.place.page()].bucket(u.place.off); *b != nil; b = &(*b).next {
		if *b == u {
			*b = u.next
			break
		}
	}
	c.remove(u, u.place.page())
	if u.cross {
		c.remove(u, u.second.page())
	}
}

// takeAll takes many units out.
func (c *cache) takeAll(list []*unit) {
	c.sweeps++
	for _, u := range list {
		if u.valid {
			u.invalidate()
			c.size -= u.bytes()
		}
	}
	for _, u := range list {
		c.sweep(u.place.page())
		if u.cross {
			c.sweep(u.second.page())
		}
	}
}

// sweep takes units that are not valid off a page, unless that was done.
func (c *cache) sweep(page place) {
	cp := c.page(page)
	if cp == nil || cp.swept == c.sweeps {
		return
	}
	cp.swept = c.sweeps
	for i := range cp.buckets {
		for at := &cp.buckets[i]; *at != nil; {
			if u := *at; u.valid {
				at = &u.next
			} else {
				*at = u.next
			}
		}
	}
	c.filter(cp, func(u *unit) bool { return u.valid })
}

func (c *cache) remove(u *unit, page place) {
	cp := c.pages[page]
	if cp == nil { // both halves were here
		return
	}
	c.filter(cp, func(o *unit) bool { return o != u })
}

// filter keeps some of the units of a page.
func (c *cache) filter(cp *codePage, keep func(*unit) bool) {
	page := cp.page
	cp.grains = 0
	for at := &cp.units; *at != nil; {
		o := *at
		if !keep(o) {
			*at = *o.after(page)
			continue
		}
		n := min(o.len, mem.PageSize-o.place.off%mem.PageSize)
		if o.place.page() == page {
			cp.grains |= grains(o.place.off, n)
		}
		if o.cross && o.second.page() == page {
			cp.grains |= grains(o.second.off, o.len-n)
		}
		at = o.after(page)
	}
	if cp.units == nil {
		delete(c.pages, page)
		c.unwatch(page)
		c.retire(cp)
	}
}
