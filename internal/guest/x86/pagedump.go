package x86

import (
	"bufio"
	"fmt"
	"io"

	"rhea/internal/guest"
)

// This file lists what the page tables map, as the monitor's "info mem" and
// "info tlb" do: in QEMU's layout, without side effects.

// inspected is the processor's memory with page tables read another way.
type inspected struct {
	guest.Memory
	load func(pa uint64, size int) uint64
}

func (m inspected) LoadPhys(pa uint64, size int) uint64 { return m.load(pa, size) }

// Inspect runs f with page tables read by load instead of by the engine, whose
// way takes the machine's lock. It is for debuggers that hold the lock while
// the processor is parked.
func (c *CPU) Inspect(load func(pa uint64, size int) uint64, f func()) {
	engine := c.mem
	c.mem = inspected{engine, load}
	defer func() { c.mem = engine }()
	f()
}

// mapping is an entry that maps a page, with the rights of all levels.
type mapping struct {
	lin    uint64 // in IA-32e mode the low 48 bits
	size   uint64
	pa     uint64
	entry  uint64
	rights uint64 // pteUS and pteRW
}

// eachMapping calls f for all pages that the tables map, until it is false.
func (c *CPU) eachMapping(f func(mapping) bool) {
	if c.ia32e() {
		c.mapsLong(c.s.CR3&pteAddr, 0, 3, pteUS|pteRW, f)
		return
	}
	if c.s.CR4&cr4PAE != 0 {
		for i, pdpte := range c.pdpte {
			if pdpte&pteP != 0 && !c.mapsPAE(pdpte&pteAddr, uint64(i)<<30, f) {
				return
			}
		}
		return
	}
	for i := range uint64(1024) {
		lin := i << 22
		pde := c.entryAt(c.s.CR3&0xfffff000+4*i, 4).v
		if pde&pteP == 0 {
			continue
		}
		if pde&ptePS != 0 && c.s.CR4&cr4PSE != 0 {
			pa := pde&0xffc00000 | pde>>13&0xff<<32&c.model.physMask()
			if !f(mapping{lin, 1 << 22, pa, pde, pde}) {
				return
			}
			continue
		}
		for j := range uint64(1024) {
			pte := c.entryAt(pde&0xfffff000+4*j, 4).v
			if pte&pteP != 0 && !f(mapping{lin | j<<12, 1 << 12, pte & 0xfffff000, pte, pde & pte}) {
				return
			}
		}
	}
}

// mapsPAE is eachMapping for a page directory of PAE paging.
func (c *CPU) mapsPAE(dir, lin uint64, f func(mapping) bool) bool {
	for i := range uint64(512) {
		lin := lin | i<<21
		pde := c.entryAt(dir+8*i, 8).v
		if pde&pteP == 0 {
			continue
		}
		if pde&ptePS != 0 {
			if !f(mapping{lin, 1 << 21, pde & pteAddr &^ (1<<21 - 1), pde, pde}) {
				return false
			}
			continue
		}
		for j := range uint64(512) {
			pte := c.entryAt(pde&pteAddr+8*j, 8).v
			if pte&pteP != 0 && !f(mapping{lin | j<<12, 1 << 12, pte & pteAddr, pte, pde & pte}) {
				return false
			}
		}
	}
	return true
}

// mapsLong is eachMapping for a table of 4-level paging, the last level being 0.
func (c *CPU) mapsLong(table, lin uint64, level int, rights uint64, f func(mapping) bool) bool {
	shift := 12 + 9*level
	for i := range uint64(512) {
		e, lin := c.entryAt(table+8*i, 8).v, lin|i<<shift
		switch {
		case e&pteP == 0:
		case level == 0 || level < 3 && e&ptePS != 0:
			size := uint64(1) << shift
			if !f(mapping{lin, size, e & pteAddr &^ (size - 1), e, rights & e}) {
				return false
			}
		case !c.mapsLong(e&pteAddr, lin, level-1, rights&e, f):
			return false
		}
	}
	return true
}

// shown is how a linear address is written: its bit 47 goes on in those above.
func shown(lin uint64) uint64 {
	if lin>>47&1 != 0 {
		lin |= 0xffff << 48
	}
	return lin
}

// DumpTLB writes every page that is mapped: its address, where it is, and the
// bits of its entry.
func (c *CPU) DumpTLB(w io.Writer) error {
	if c.s.CR0&cr0PG == 0 {
		_, err := io.WriteString(w, "PG disabled\n")
		return err
	}
	b := bufio.NewWriter(w)
	var err error
	c.eachMapping(func(m mapping) bool {
		var bits [9]byte
		for i, x := range [...]struct {
			bit    uint64
			letter byte
		}{
			{pteNX, 'X'}, {pteG, 'G'}, {ptePS, 'P'}, {pteD, 'D'}, {pteA, 'A'},
			{ptePCD, 'C'}, {ptePWT, 'T'}, {pteUS, 'U'}, {pteRW, 'W'},
		} {
			bits[i] = '-'
			if m.entry&x.bit != 0 {
				bits[i] = x.letter
			}
		}
		_, err = fmt.Fprintf(b, "%016x: %016x %s\n", shown(m.lin), m.pa, bits[:])
		return err == nil
	})
	if err != nil {
		return err
	}
	return b.Flush()
}

// Bits of entries that only the dump looks at.
const (
	ptePWT = 1 << 3
	ptePCD = 1 << 4
)

// DumpMem writes the ranges of addresses that are mapped with the same rights.
func (c *CPU) DumpMem(w io.Writer) error {
	if c.s.CR0&cr0PG == 0 {
		_, err := io.WriteString(w, "PG disabled\n")
		return err
	}
	b := bufio.NewWriter(w)
	var start, end, rights uint64 // the range so far
	var err error
	flush := func() bool {
		if end > start {
			u, rw := byte('-'), byte('-')
			if rights&pteUS != 0 {
				u = 'u'
			}
			if rights&pteRW != 0 {
				rw = 'w'
			}
			_, err = fmt.Fprintf(b, "%016x-%016x %016x %cr%c\n", shown(start), shown(end), shown(end-start), u, rw)
		}
		return err == nil
	}
	c.eachMapping(func(m mapping) bool {
		has := m.rights & (pteUS | pteRW)
		if m.lin == end && has == rights && end > start {
			end += m.size
			return true
		}
		if !flush() {
			return false
		}
		start, end, rights = m.lin, m.lin+m.size, has
		return true
	})
	if err == nil && flush() {
		err = b.Flush()
	}
	return err
}
