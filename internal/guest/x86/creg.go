package x86

import "rhea/internal/guest"

// cr0Write are the bits of CR0 that can be written; ET is always set.
const cr0Write = cr0PE | cr0MP | cr0EM | cr0TS | cr0NE | cr0WP | cr0AM | cr0NW | cr0CD | cr0PG

// readCR is MOV r32, CRn (SDM vol. 2).
func (c *CPU) readCR(n int) (uint32, *guest.Fault) {
	if !c.model.hasCR(n) {
		return 0, undefined()
	}
	if f := c.needRing0(); f != nil {
		return 0, f
	}
	switch n {
	case 0:
		return uint32(c.s.CR0), nil
	case 2:
		return uint32(c.s.CR2), nil
	case 3:
		return uint32(c.s.CR3), nil
	}
	return uint32(c.s.CR4), nil
}

// setCR is MOV CRn, r32 (SDM vol. 2).
func (c *CPU) setCR(n int, v uint32) *guest.Fault {
	if !c.model.hasCR(n) {
		return undefined()
	}
	if f := c.needRing0(); f != nil {
		return f
	}
	switch n {
	case 0:
		return c.setCR0(v)
	case 2:
		c.s.CR2 = uint64(v)
		return nil
	case 3:
		return c.setCR3(v)
	}
	return c.setCR4(v)
}

// setCR0 checks and sets CR0 (SDM vol. 3, 2.5). Changes of what the TLB has
// cached drop it (4.10.4.1).
func (c *CPU) setCR0(v uint32) *guest.Fault {
	s := c.s
	if v&cr0PG != 0 && v&cr0PE == 0 || v&cr0NW != 0 && v&cr0CD == 0 {
		return gp(0)
	}
	old := s.CR0
	next := uint64(v)&cr0Write | cr0ET
	if next&cr0PG != 0 && s.CR4&cr4PAE != 0 && (old^next)&(cr0PG|cr0CD|cr0NW) != 0 {
		if f := c.loadPDPTEs(uint32(s.CR3)); f != nil {
			return f
		}
	}
	s.CR0 = next
	if (old^next)&(cr0PG|cr0PE|cr0WP) != 0 {
		c.mem.FlushTLB(false)
	}
	c.refreshMode()
	return nil
}

// setCR3 loads CR3 (SDM vol. 3, 4.10.4.1).
func (c *CPU) setCR3(v uint32) *guest.Fault {
	if c.pae() {
		if f := c.loadPDPTEs(v); f != nil {
			return f
		}
	}
	c.s.CR3 = uint64(v)
	c.mem.FlushTLB(c.s.CR4&cr4PGE != 0)
	return nil
}

// setCR4 checks and sets CR4.
func (c *CPU) setCR4(v uint32) *guest.Fault {
	s := c.s
	next := uint64(v)
	if next&^c.model.cr4Bits() != 0 {
		return gp(0)
	}
	changed := s.CR4 ^ next
	if next&cr4PAE != 0 && s.CR0&cr0PG != 0 && changed&(cr4PAE|cr4PGE|cr4PSE) != 0 {
		if f := c.loadPDPTEs(uint32(s.CR3)); f != nil {
			return f
		}
	}
	s.CR4 = next
	if changed&(cr4PAE|cr4PGE|cr4PSE) != 0 {
		c.mem.FlushTLB(false)
	}
	c.refreshMode()
	return nil
}

// lmsw is LMSW: it changes PE, MP, EM and TS, and cannot clear PE.
func (c *CPU) lmsw(v uint16) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	const mask = cr0PE | cr0MP | cr0EM | cr0TS
	return c.setCR0(uint32(c.s.CR0)&^(mask&^cr0PE) | uint32(v)&mask)
}

// smsw is SMSW.
func (c *CPU) smsw() uint32 { return uint32(c.s.CR0) }

// clts is CLTS.
func (c *CPU) clts() *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	c.s.CR0 &^= cr0TS
	c.refreshMode()
	return nil
}

// invlpg is INVLPG.
func (c *CPU) invlpg(lin uint32) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	c.mem.FlushPage(uint64(lin))
	return nil
}

// lgdt and lidt are LGDT and LIDT with what they loaded; a 16-bit operand
// size takes 24 bits of the base.
func (c *CPU) lgdt(limit uint16, base uint32, opsize int) *guest.Fault {
	return c.loadTable(&c.s.GDTR, limit, base, opsize)
}

func (c *CPU) lidt(limit uint16, base uint32, opsize int) *guest.Fault {
	return c.loadTable(&c.s.IDTR, limit, base, opsize)
}

func (c *CPU) loadTable(t *Table, limit uint16, base uint32, opsize int) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	if opsize == 2 {
		base &= 0xffffff
	}
	*t = Table{Base: uint64(base), Limit: uint64(limit)}
	return nil
}
