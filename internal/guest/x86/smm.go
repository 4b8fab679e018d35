package x86

import (
	"rhea/internal/guest"
	"rhea/internal/trace"
)

// System management mode (SDM vol. 3, chapter 31). The state save map is the
// 32-bit one of the P6 family (table 31-1), or, on 64-bit processors, that of
// smm64.go. The manual leaves open where
// descriptor caches and tables go: they take places of our own in the reserved
// parts of the map.

const (
	smmEntry    = 0x8000 // of the handler, from SMBASE
	smmSave     = 0x8000 // what the map's offsets are relative to
	smmHalt     = 0x7f02 // auto HALT restart
	smmIO       = 0x7f00 // I/O restart: not supported by this revision
	smmRevision = 0x7efc
	smmBase     = 0x7ef8

	smmRev = 0x20000 // SMBASE can be relocated, 32-bit map
)

// smmField is a register of the map.
type smmField struct {
	off uint64
	p   *uint64
}

// smmMap lists the registers that are saved and restored as they are. Flags
// and the saved EFLAGS differ in form and are handled apart.
func (c *CPU) smmMap(eflags, dr6 *uint64) []smmField {
	s := c.s
	m := []smmField{
		{0x7ffc, &s.CR0}, {0x7ff8, &s.CR3}, {0x7ff4, eflags}, {0x7ff0, &s.IP},
		{0x7fec, &s.GPR[rDI]}, {0x7fe8, &s.GPR[rSI]}, {0x7fe4, &s.GPR[rBP]}, {0x7fe0, &s.GPR[rSP]},
		{0x7fdc, &s.GPR[rBX]}, {0x7fd8, &s.GPR[rDX]}, {0x7fd4, &s.GPR[rCX]}, {0x7fd0, &s.GPR[rAX]},
		{0x7fcc, dr6}, {0x7fc8, &s.DR[7]},
		{0x7fc4, &s.TR.Sel}, {0x7f64, &s.TR.Base}, {0x7f60, &s.TR.Limit}, {0x7f5c, &s.TR.Attr},
		{0x7fc0, &s.LDTR.Sel}, {0x7f80, &s.LDTR.Base}, {0x7f7c, &s.LDTR.Limit}, {0x7f78, &s.LDTR.Attr},
		{0x7f74, &s.GDTR.Base}, {0x7f70, &s.GDTR.Limit},
		{0x7f58, &s.IDTR.Base}, {0x7f54, &s.IDTR.Limit},
		{0x7f14, &s.CR4},
	}
	for i := range s.Seg {
		g := &s.Seg[i]
		cache := uint64(0x7e00 + 12*i)
		m = append(m, smmField{uint64(0x7fa8 + 4*i), &g.Sel},
			smmField{cache + 8, &g.Base}, smmField{cache + 4, &g.Limit}, smmField{cache, &g.Attr})
	}
	return m
}

func (c *CPU) smmLoad(off uint64, size int) uint64 {
	return c.mem.LoadPhys(c.bus((c.smbase+smmSave+off)&0xffffffff), size)
}

func (c *CPU) smmStore(off uint64, size int, v uint64) {
	c.mem.StorePhys(c.bus((c.smbase+smmSave+off)&0xffffffff), size, v)
}

// setSMM enters or leaves SMM: other memory is seen, and SMI and INIT wait.
func (c *CPU) setSMM(on bool) {
	c.smm = on
	c.setHeld(pinSMI|pinINIT, on)
	if c.cfg.SMM != nil {
		c.cfg.SMM(on)
	}
	if c.mem != nil {
		c.mem.FlushTLB(false)
	}
}

// enterSMM takes an SMI (SDM vol. 3, 31.4 and 31.5).
func (c *CPU) enterSMM() {
	s := c.s
	c.log.Printf(trace.Int, "x86: SMI at %04x:%08x\n", s.Seg[CS].Sel, s.IP)
	c.setSMM(true)
	eflags, dr6 := c.EFLAGS(), s.DR[6]
	if c.wide {
		c.saveSMM64(eflags)
	} else {
		c.saveSMM32(eflags, dr6)
	}

	c.halted = false
	c.smmNMI = c.nmiMask
	c.setNMIMask(true)
	s.Shadow = 0
	s.CR0 &^= cr0PE | cr0EM | cr0TS | cr0PG
	s.CR4, s.EFER = 0, s.EFER&^(eferLMA|eferLME)
	c.setEFLAGS(flag1, ^uint64(0))
	s.DR[7] = dr7Fixed
	s.IP = smmEntry
	for i := range s.Seg {
		s.Seg[i] = Segment{Limit: 0xffffffff, Attr: attrReal | attrG | 0xf0000}
		if i == CS {
			s.Seg[i].Sel, s.Seg[i].Base = c.smbase>>4&0xffff, c.smbase
		}
		cacheBounds(&s.Seg[i])
	}
	c.refreshMode()
}

// saveSMM32 writes the 32-bit map.
func (c *CPU) saveSMM32(eflags, dr6 uint64) {
	for _, f := range c.smmMap(&eflags, &dr6) {
		c.smmStore(f.off, 4, *f.p&0xffffffff)
	}
	c.smmStore(smmHalt, 2, b2u(c.halted))
	c.smmStore(smmIO, 2, 0)
	c.smmStore(0x7fa4, 4, 0) // I/O state and memory address: no I/O instruction
	c.smmStore(0x7fa0, 4, 0)
	c.smmStore(smmRevision, 4, smmRev)
	c.smmStore(smmBase, 4, c.smbase)
}

// rsm is RSM (SDM vol. 2; vol. 3, 31.3.2 on what makes it shut down).
func (c *CPU) rsm() *guest.Fault {
	if !c.smm {
		return undefined()
	}
	if c.wide {
		return c.rsm64()
	}
	s := c.s
	cr0, cr4 := c.smmLoad(0x7ffc, 4), c.smmLoad(0x7f14, 4)
	if cr0&cr0PG != 0 && cr0&cr0PE == 0 || cr0&cr0NW != 0 && cr0&cr0CD == 0 || cr4&^c.model.cr4Bits() != 0 {
		c.shutdown()
		return nil
	}
	var eflags, dr6 uint64
	for _, f := range c.smmMap(&eflags, &dr6) {
		*f.p = c.smmLoad(f.off, 4) & 0xffffffff
	}
	s.CR0 = s.CR0&cr0Write | cr0ET
	s.DR[6], s.DR[7] = dr6&dr6Write|dr6Fixed, s.DR[7]&dr7Write|dr7Fixed
	c.setEFLAGS(eflags, flags32|flagIF|flagIOPL|flagRF|flagVM|flagVIF|flagVIP)
	for _, g := range []*Segment{&s.LDTR, &s.TR} {
		g.Sel &= 0xffff
		g.Attr &= attrBits
	}
	for i := range s.Seg {
		g := &s.Seg[i]
		g.Sel &= 0xffff
		g.Attr &= attrBits
		cacheBounds(g)
	}
	s.GDTR.Limit &= 0xffff
	s.IDTR.Limit &= 0xffff
	halted := c.smmLoad(smmHalt, 2)&1 != 0
	c.smbase = c.smmLoad(smmBase, 4) & 0xffffffff
	c.leaveSMM(halted)
	return nil
}

// leaveSMM goes on with what was restored.
func (c *CPU) leaveSMM(halted bool) {
	c.setSMM(false)
	c.setNMIMask(c.smmNMI)
	c.refreshMode()
	if c.pae() {
		if f := c.loadPDPTEs(uint32(c.s.CR3)); f != nil {
			c.shutdown()
			return
		}
	}
	if halted {
		c.halted = true
		c.event = guest.Halt
	}
}
