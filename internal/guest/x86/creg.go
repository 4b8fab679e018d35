package x86

import "rhea/internal/guest"

// cr0Write are the bits of CR0 that can be written; ET is always set.
const cr0Write = cr0PE | cr0MP | cr0EM | cr0TS | cr0NE | cr0WP | cr0AM | cr0NW | cr0CD | cr0PG

// readCR is MOV r, CRn (SDM vol. 2).
func (c *CPU) readCR(n int) (uint64, *guest.Fault) {
	if !c.model.hasCR(n) {
		return 0, undefined()
	}
	if f := c.needRing0(); f != nil {
		return 0, f
	}
	switch n {
	case 0:
		return c.s.CR0, nil
	case 2:
		return c.s.CR2, nil
	case 3:
		return c.s.CR3, nil
	case 8:
		if a, ok := c.apic.(taskPriority); ok {
			return uint64(a.TPR() >> 4), nil
		}
		return 0, nil
	}
	return c.s.CR4, nil
}

// taskPriority is an APIC whose task priority the processor has in CR8.
type taskPriority interface {
	TPR() uint8
	SetTPR(v uint8)
}

// setCR is MOV CRn, r (SDM vol. 2).
func (c *CPU) setCR(n int, v uint64) *guest.Fault {
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
		c.s.CR2 = v
		return nil
	case 3:
		return c.setCR3(v)
	case 8:
		if v > 15 {
			return gp(0)
		}
		if a, ok := c.apic.(taskPriority); ok {
			a.SetTPR(uint8(v << 4))
		}
		return nil
	}
	return c.setCR4(v)
}

// setCR0 checks and sets CR0 (SDM vol. 3, 2.5). Changes of what the TLB has
// cached drop it (4.10.4.1).
func (c *CPU) setCR0(v uint64) *guest.Fault {
	s := c.s
	if v&cr0PG != 0 && v&cr0PE == 0 || v&cr0NW != 0 && v&cr0CD == 0 || v>>32 != 0 {
		return gp(0)
	}
	old := s.CR0
	next := v&cr0Write | cr0ET
	efer := s.EFER
	if (old^next)&cr0PG != 0 && s.EFER&eferLME != 0 { // SDM vol. 3, 9.8.5
		switch efer ^= eferLMA; {
		case next&cr0PG == 0 && (c.long() || s.CR4&cr4PCIDE != 0):
			return gp(0)
		case next&cr0PG != 0 && (s.CR4&cr4PAE == 0 || s.Seg[CS].Attr&attrL != 0 || s.TR.Attr>>8&15 == typeTSS16Busy):
			return gp(0)
		}
	}
	if efer&eferLMA == 0 && next&cr0PG != 0 && s.CR4&cr4PAE != 0 && (old^next)&(cr0PG|cr0CD|cr0NW) != 0 {
		if f := c.loadPDPTEs(uint32(s.CR3)); f != nil {
			return f
		}
	}
	s.CR0, s.EFER = next, efer
	if (old^next)&(cr0PG|cr0PE|cr0WP) != 0 {
		c.mem.FlushTLB(false)
	}
	c.refreshMode()
	return nil
}

// setCR3 loads CR3 (SDM vol. 3, 4.10.4.1).
func (c *CPU) setCR3(v uint64) *guest.Fault {
	if c.wide && c.ia32e() {
		if c.s.CR4&cr4PCIDE != 0 { // the TLB has the current PCID's only, and is flushed in any case
			v &^= cr3NoFlush
		}
		if v&^c.model.physMask() != 0 {
			return gp(0)
		}
	} else {
		v &= 0xffffffff
	}
	if c.pae() {
		if f := c.loadPDPTEs(uint32(v)); f != nil {
			return f
		}
	}
	c.s.CR3 = v
	c.mem.FlushTLB(c.s.CR4&cr4PGE != 0)
	return nil
}

// setCR4 checks and sets CR4.
func (c *CPU) setCR4(next uint64) *guest.Fault {
	s := c.s
	if next&^c.model.cr4Bits() != 0 {
		return gp(0)
	}
	changed := s.CR4 ^ next
	switch {
	case c.ia32e() && next&cr4PAE == 0:
		return gp(0)
	case changed&next&cr4PCIDE != 0 && (!c.ia32e() || s.CR3&0xfff != 0):
		return gp(0)
	}
	if !c.ia32e() && next&cr4PAE != 0 && s.CR0&cr0PG != 0 && changed&(cr4PAE|cr4PGE|cr4PSE) != 0 {
		if f := c.loadPDPTEs(uint32(s.CR3)); f != nil {
			return f
		}
	}
	s.CR4 = next
	if changed&(cr4PAE|cr4PGE|cr4PSE|cr4SMEP|cr4SMAP|cr4PCIDE) != 0 {
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
	return c.setCR0(c.s.CR0&^(mask&^cr0PE) | uint64(v)&mask)
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
func (c *CPU) invlpg(lin uint64) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	c.mem.FlushPage(lin)
	return nil
}

// invpcid is INVPCID (SDM vol. 2): the TLB has the current PCID's translations
// only, and global ones.
func (c *CPU) invpcid(kind, pcid, lin uint64) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	if kind > 3 || pcid>>12 != 0 || kind < 2 && pcid != 0 && c.s.CR4&cr4PCIDE == 0 || kind == 0 && !canonical(lin) {
		return gp(0)
	}
	switch kind {
	case 0:
		c.mem.FlushPage(lin)
	case 2:
		c.mem.FlushTLB(false)
	default:
		c.mem.FlushTLB(true)
	}
	return nil
}

// lgdt and lidt are LGDT and LIDT with what they loaded; a 16-bit operand
// size takes 24 bits of the base.
func (c *CPU) lgdt(limit uint16, base uint64, opsize int) *guest.Fault {
	return c.loadTable(&c.s.GDTR, limit, base, opsize)
}

func (c *CPU) lidt(limit uint16, base uint64, opsize int) *guest.Fault {
	return c.loadTable(&c.s.IDTR, limit, base, opsize)
}

func (c *CPU) loadTable(t *Table, limit uint16, base uint64, opsize int) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	switch {
	case c.long():
		if !canonical(base) {
			return gp(0)
		}
	case opsize == 2:
		base &= 0xffffff
	}
	*t = Table{Base: base, Limit: uint64(limit)}
	return nil
}
