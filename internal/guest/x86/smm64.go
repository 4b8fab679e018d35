package x86

import "rhea/internal/guest"

// The state save map of 64-bit processors: that of AMD64 (AMD64 Architecture
// Programmer's Manual, volume 2, table 10-1), which firmware knows by its
// revision. KernelGSBase and its like are not in it.
const (
	smm64Seg      = 0x7e00 // ES to GS, 16 bytes each
	smm64GDTR     = 0x7e60
	smm64LDTR     = 0x7e70
	smm64IDTR     = 0x7e80
	smm64TR       = 0x7e90
	smm64IO       = 0x7ec8
	smm64Halt     = 0x7ec9
	smm64EFER     = 0x7ed0
	smm64Revision = 0x7efc
	smm64Base     = 0x7f00

	smm64Rev = 0x20064 // SMBASE can be relocated, 64-bit map
)

// smmMap64 lists the registers of 64 bits that are saved and restored as they are.
func (c *CPU) smmMap64(rflags *uint64) []smmField {
	s := c.s
	m := []smmField{
		{smm64EFER, &s.EFER}, {0x7f48, &s.CR4}, {0x7f50, &s.CR3}, {0x7f58, &s.CR0}, {0x7f60, &s.DR[7]}, {0x7f68, &s.DR[6]},
		{0x7f70, rflags}, {0x7f78, &s.IP},
		{0x7fc0, &s.GPR[rDI]}, {0x7fc8, &s.GPR[rSI]}, {0x7fd0, &s.GPR[rBP]}, {0x7fd8, &s.GPR[rSP]},
		{0x7fe0, &s.GPR[rBX]}, {0x7fe8, &s.GPR[rDX]}, {0x7ff0, &s.GPR[rCX]}, {0x7ff8, &s.GPR[rAX]},
	}
	for i := r8; i <= r15; i++ {
		m = append(m, smmField{uint64(0x7fb8 - 8*(i-r8)), &s.GPR[i]})
	}
	return m
}

// smmSegments are the segment registers with their places.
func (c *CPU) smmSegments() map[uint64]*Segment {
	s := c.s
	m := map[uint64]*Segment{smm64LDTR: &s.LDTR, smm64TR: &s.TR}
	for i := range s.Seg {
		m[smm64Seg+16*uint64(i)] = &s.Seg[i]
	}
	return m
}

func (c *CPU) saveSMM64(rflags uint64) {
	for _, f := range c.smmMap64(&rflags) {
		c.smmStore(f.off, 8, *f.p)
	}
	for off, g := range c.smmSegments() {
		c.smmStore(off, 2, g.Sel)
		c.smmStore(off+2, 2, g.Attr>>8&0xf0ff)
		c.smmStore(off+4, 4, g.Limit&0xffffffff)
		c.smmStore(off+8, 8, g.Base)
	}
	for off, t := range map[uint64]*Table{smm64GDTR: &c.s.GDTR, smm64IDTR: &c.s.IDTR} {
		c.smmStore(off+4, 4, t.Limit)
		c.smmStore(off+8, 8, t.Base)
	}
	c.smmStore(smm64IO, 1, 0)
	c.smmStore(smm64Halt, 1, b2u(c.halted))
	c.smmStore(smm64Revision, 4, smm64Rev)
	c.smmStore(smm64Base, 4, c.smbase)
}

// rsm64 is RSM with the 64-bit map.
func (c *CPU) rsm64() *guest.Fault {
	s := c.s
	cr0, cr4, efer := c.smmLoad(0x7f58, 8), c.smmLoad(0x7f48, 8), c.smmLoad(smm64EFER, 8)
	long := cr0&cr0PG != 0 && efer&eferLME != 0
	if cr0&cr0PG != 0 && cr0&cr0PE == 0 || cr0&cr0NW != 0 && cr0&cr0CD == 0 || cr4&^c.model.cr4Bits() != 0 ||
		efer&^(c.model.eferBits()|eferLMA) != 0 || long && cr4&cr4PAE == 0 || cr4&cr4PCIDE != 0 && !long {
		c.shutdown()
		return nil
	}
	var rflags uint64
	for _, f := range c.smmMap64(&rflags) {
		*f.p = c.smmLoad(f.off, 8)
	}
	s.CR0 = s.CR0&cr0Write | cr0ET
	s.EFER &^= eferLMA
	if long {
		s.EFER |= eferLMA
	}
	s.CR3 &= c.model.physMask()
	s.DR[6], s.DR[7] = s.DR[6]&dr6Write|dr6Fixed, s.DR[7]&dr7Write|dr7Fixed
	if long {
		rflags &^= flagVM
	}
	c.setEFLAGS(rflags, flagsAll)
	for off, g := range c.smmSegments() {
		g.Sel = c.smmLoad(off, 2) & 0xffff
		g.Attr = c.smmLoad(off+2, 2) & 0xf0ff << 8
		g.Limit = c.smmLoad(off+4, 4) & 0xffffffff
		g.Base = c.smmLoad(off+8, 8)
		if !long {
			g.Base &= 0xffffffff
		}
		if g != &s.LDTR && g != &s.TR {
			cacheBounds(g)
		}
	}
	for off, t := range map[uint64]*Table{smm64GDTR: &s.GDTR, smm64IDTR: &s.IDTR} {
		t.Limit = c.smmLoad(off+4, 4) & 0xffff
		t.Base = c.smmLoad(off+8, 8)
		if !long {
			t.Base &= 0xffffffff
		}
	}
	if !long {
		s.IP &= 0xffffffff
		for i := range 8 {
			s.GPR[i] &= 0xffffffff
		}
	}
	halted := c.smmLoad(smm64Halt, 1)&1 != 0
	c.smbase = c.smmLoad(smm64Base, 4) & 0xffffffff
	c.leaveSMM(halted)
	return nil
}
