package x86

import "rhea/internal/guest"

// Paging-structure entries (SDM vol. 3, 4.3 and 4.4).
const (
	pteP    = 1 << 0
	pteRW   = 1 << 1
	pteUS   = 1 << 2
	pteA    = 1 << 5
	pteD    = 1 << 6
	ptePS   = 1 << 7
	pteG    = 1 << 8
	pteNX   = 1 << 63
	pteAddr = 0x000ffffffffff000

	pdpteReserved = 0x1e6 // bits 1-2 and 5-8
)

// Page-fault error code (SDM vol. 3, figure 4-12).
const (
	pfP    = 1 << 0
	pfW    = 1 << 1
	pfU    = 1 << 2
	pfRSVD = 1 << 3
	pfI    = 1 << 4
)

// entry is a paging-structure entry with the place it came from.
type entry struct {
	v    uint64
	pa   uint64
	size int
}

// translation is the outcome of a look into the paging structures.
type translation struct {
	dirs   [3]entry // above the leaf, in any order; size 0 = none
	leaf   entry
	pa     uint64
	rights uint64 // pteRW and pteUS where all levels have them
	nx     bool
	large  bool
	bad    uint32 // why it failed: pfP and pfRSVD bits, if !ok
	ok     bool
}

// pae reports whether PAE paging is on, with its four entries in the processor.
func (c *CPU) pae() bool { return c.s.CR0&cr0PG != 0 && c.s.CR4&cr4PAE != 0 && !c.ia32e() }

// nxe reports whether execute-disable is on.
func (c *CPU) nxe() bool { return c.s.EFER&eferNXE != 0 && c.s.CR4&cr4PAE != 0 }

// bus is the address that goes out on the pins: A20M# holds bit 20 low.
func (c *CPU) bus(pa uint64) uint64 {
	if !c.a20 {
		pa &^= 1 << 20
	}
	return pa
}

// loadPDPTEs loads the page-directory-pointer-table entries (SDM vol. 3,
// 4.4.1). On a fault the old ones stay.
func (c *CPU) loadPDPTEs(cr3 uint32) *guest.Fault {
	var t [4]uint64
	for i := range t {
		t[i] = c.mem.LoadPhys(c.bus(uint64(cr3&^31)+8*uint64(i)), 8)
		if t[i]&pteP != 0 && t[i]&(pdpteReserved|^c.model.physMask()) != 0 {
			return gp(0)
		}
	}
	c.pdpte = t
	return nil
}

func (c *CPU) entryAt(pa uint64, size int) entry {
	pa = c.bus(pa)
	return entry{c.mem.LoadPhys(pa, size), pa, size}
}

// lookup translates a linear address, which is canonical, without side effects.
// Paging is on.
func (c *CPU) lookup(lin uint64) translation {
	if c.ia32e() {
		return c.lookupLong(lin)
	}
	return c.lookup32(uint32(lin))
}

func (c *CPU) lookup32(lin uint32) translation {
	if c.s.CR4&cr4PAE != 0 {
		return c.lookupPAE(lin)
	}
	pde := c.entryAt(c.s.CR3&0xfffff000+uint64(lin>>22*4), 4)
	if pde.v&pteP == 0 {
		return translation{}
	}
	if pde.v&ptePS != 0 && c.s.CR4&cr4PSE != 0 {
		// A 4 MiB page: bits 13-20 are bits 32-39 of the address with
		// PSE-36, as far as there are so many, and reserved if not.
		high := pde.v >> 13 & 0xff << 32
		reserved := pde.v&(1<<21) != 0 || high&^c.model.physMask() != 0
		if reserved {
			return translation{bad: pfP | pfRSVD}
		}
		return translation{
			leaf: pde, rights: pde.v, large: true, ok: true,
			pa: pde.v&0xffc00000 | high | uint64(lin&0x3ff000),
		}
	}
	pte := c.entryAt(pde.v&0xfffff000+uint64(lin>>12&0x3ff*4), 4)
	if pte.v&pteP == 0 {
		return translation{}
	}
	return translation{dirs: [3]entry{pde}, leaf: pte, rights: pde.v & pte.v, pa: pte.v & 0xfffff000, ok: true}
}

func (c *CPU) lookupPAE(lin uint32) translation {
	reserved := pteAddr &^ c.model.physMask() // and bits 52-62
	reserved |= 0x7ff << 52
	if !c.nxe() {
		reserved |= pteNX
	}
	pdpte := c.pdpte[lin>>30]
	if pdpte&pteP == 0 {
		return translation{}
	}
	pde := c.entryAt(pdpte&pteAddr+uint64(lin>>21&0x1ff*8), 8)
	if pde.v&pteP == 0 {
		return translation{}
	}
	if pde.v&ptePS != 0 {
		if pde.v&(reserved|0x1fe000) != 0 {
			return translation{bad: pfP | pfRSVD}
		}
		return translation{
			leaf: pde, rights: pde.v, nx: pde.v&pteNX != 0, large: true, ok: true,
			pa: pde.v&pteAddr&^0x1fffff | uint64(lin&0x1ff000),
		}
	}
	if pde.v&reserved != 0 {
		return translation{bad: pfP | pfRSVD}
	}
	pte := c.entryAt(pde.v&pteAddr+uint64(lin>>12&0x1ff*8), 8)
	if pte.v&pteP == 0 {
		return translation{}
	}
	if pte.v&reserved != 0 {
		return translation{bad: pfP | pfRSVD}
	}
	return translation{
		dirs: [3]entry{pde}, leaf: pte, rights: pde.v & pte.v, nx: (pde.v|pte.v)&pteNX != 0,
		pa: pte.v & pteAddr, ok: true,
	}
}

// lookupLong is lookup by 4-level paging (SDM vol. 3, 4.5).
func (c *CPU) lookupLong(lin uint64) translation {
	reserved := pteAddr &^ c.model.physMask()
	if !c.nxe() {
		reserved |= pteNX
	}
	t := translation{rights: pteRW | pteUS}
	table := c.s.CR3 & pteAddr
	for level := 3; ; level-- {
		shift := 12 + 9*level
		e := c.entryAt(table+lin>>shift&0x1ff*8, 8)
		if e.v&pteP == 0 {
			return translation{}
		}
		bad := reserved
		leaf := level == 0
		if e.v&ptePS != 0 && level > 0 {
			if level == 3 || level == 2 && !c.model.has(featPDPE1GB) {
				bad |= ptePS
			}
			bad |= 1<<shift - 1<<13
			leaf, t.large = true, true
		}
		if e.v&bad != 0 {
			return translation{bad: pfP | pfRSVD}
		}
		t.rights &= e.v
		t.nx = t.nx || e.v&pteNX != 0
		if leaf {
			t.leaf, t.ok = e, true
			page := uint64(1)<<shift - 1
			t.pa = e.v&pteAddr&^page | lin&page&^0xfff
			return t
		}
		t.dirs[level-1] = e
		table = e.v & pteAddr
	}
}

// AddressSpace is the root of the page tables: two that have the same one are
// the same, if no entry has changed.
func (c *CPU) AddressSpace() uint64 { return c.s.CR3 }

// Walk implements guest.MMU (SDM vol. 3, 4.6 to 4.8).
func (c *CPU) Walk(va uint64, a guest.Access, idx int) (guest.Page, *guest.Fault) {
	if c.cfg.Pages != nil {
		return c.walkUser(va, a, idx)
	}
	lin := va
	if c.s.CR0&cr0PG == 0 {
		pa := c.bus(lin & 0xfffff000)
		return guest.Page{PA: pa, Readable: true, Writable: true, Exec: true}, nil
	}
	if c.ia32e() && !canonical(lin) {
		if a == guest.Fetch {
			return guest.Page{}, gp(0)
		}
		return guest.Page{}, &guest.Fault{Vector: vecNonCanonical}
	}
	t := c.lookup(lin)
	if !t.ok {
		return guest.Page{}, c.pageFault(lin, a, idx, t.bad)
	}
	user := idx == mmuUser
	writable := t.rights&pteRW != 0 || !user && c.s.CR0&cr0WP == 0
	exec := !t.nx
	if !user && t.rights&pteUS != 0 { // SMEP and SMAP
		if a == guest.Fetch {
			exec = exec && c.s.CR4&cr4SMEP == 0
		} else if idx == mmuSMAP {
			return guest.Page{}, c.pageFault(lin, a, idx, pfP)
		}
	}
	if user && t.rights&pteUS == 0 || a == guest.Write && !writable || a == guest.Fetch && !exec {
		return guest.Page{}, c.pageFault(lin, a, idx, pfP)
	}
	for i := range t.dirs {
		c.mark(&t.dirs[i], pteA)
	}
	used := uint64(pteA)
	if a == guest.Write {
		used |= pteD
	}
	c.mark(&t.leaf, used)
	return guest.Page{
		PA:       c.bus(t.pa),
		Readable: true,
		Writable: writable && t.leaf.v&pteD != 0,
		Exec:     exec,
		Global:   t.leaf.v&pteG != 0 && c.s.CR4&cr4PGE != 0,
		Large:    t.large,
	}, nil
}

// mark sets accessed and dirty bits.
func (c *CPU) mark(e *entry, bits uint64) {
	if e.size == 0 || e.v&bits == bits {
		return
	}
	e.v |= bits
	// The flags are in the low byte; the rest of the entry is not written,
	// so that another processor's change of it is not undone.
	c.mem.StorePhys(e.pa, 1, e.v&0xff)
}

// pageFault is a #PF; why has the P and RSVD bits of its code.
func (c *CPU) pageFault(lin uint64, a guest.Access, idx int, why uint32) *guest.Fault {
	f := fault(vecPF, why)
	f.Addr = lin
	if a == guest.Write {
		f.Code |= pfW
	}
	if idx == mmuUser {
		f.Code |= pfU
	}
	if a == guest.Fetch && (c.nxe() || c.s.CR4&cr4SMEP != 0) {
		f.Code |= pfI
	}
	return f
}

// Probe implements guest.MMU.
func (c *CPU) Probe(va uint64) (pa uint64, ok bool) {
	switch {
	case c.s.CR0&cr0PG == 0:
		return c.bus(va & 0xffffffff), true
	case c.ia32e() && !canonical(va):
		return 0, false
	}
	t := c.lookup(va)
	return c.bus(t.pa | va&0xfff), t.ok
}
