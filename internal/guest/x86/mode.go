package x86

// This file derives what translations depend on (guest.Key.Mode), the current
// privilege level and the bounds of segments from the architectural state.

// refreshMode recomputes the mode and the CPL. Whoever changes CR0, CR4,
// EFLAGS, a segment register, DR7 or SMM calls it before the next instruction.
func (c *CPU) refreshMode() {
	s := c.s
	var m uint64
	switch {
	case s.CR0&cr0PE == 0:
		c.cpl = 0
	case s.Flags&flagVM != 0:
		m, c.cpl = modeVM, 3
	default:
		// SS.DPL is the CPL in protected mode: loads of SS demand it, and
		// transfers between levels set both (SDM vol. 3, 5.5).
		m, c.cpl = modePE, int(s.Seg[SS].Attr>>13&3)
	}
	m |= uint64(c.cpl) << modeCPLPos
	m |= pick(s.Seg[CS].Attr, attrDB, modeCode32)
	m |= pick(s.Seg[SS].Attr, attrDB, modeStack32)
	m |= pick(s.Flags, flagTF, modeTF)
	m |= pick(s.Flags, flagRF, modeRF)
	m |= pick(s.CR0, cr0EM, modeEM)
	m |= pick(s.CR0, cr0TS, modeTS)
	m |= pick(s.CR0, cr0MP, modeMP)
	m |= pick(s.CR4, cr4OSFXSR, modeFXSR)
	if c.smm {
		m |= modeSMM
	}
	if c.cpl == 3 && s.CR0&cr0AM != 0 && s.Flags&flagAC != 0 {
		m |= modeAlign
	}
	if s.DR[7]&dr7Enables != 0 {
		m |= c.breakModes()
	}
	for i := range s.Seg {
		seg := &s.Seg[i]
		if seg.Base == 0 {
			m |= modeZero(i)
		}
		if seg.Lo != 0 {
			m |= modeExpDown
		} else if seg.RHi == all4G && seg.WHi == all4G {
			m |= modeFull(i)
		}
	}
	m |= pick(s.CR4, cr4FSGSBASE, modeFSGS)
	m |= pick(s.CR4, cr4OSXSAVE, modeOSXSAVE)
	if s.CR4&cr4OSXSAVE != 0 && s.XCR0&xcrAVX == xcrAVX && m&modePE != 0 {
		m |= modeAVX
	}
	if c.cpl == 3 {
		m |= pick(s.CR4, cr4UMIP, modeUMIP)
	} else if s.Flags&flagAC == 0 {
		m |= pick(s.CR4, cr4SMAP, modeSMAP)
	}
	if s.EFER&eferLMA != 0 && s.Seg[CS].Attr&attrL != 0 {
		m = c.longMode(m)
	} else if c.mode&modeLong != 0 { // the upper halves are not preserved (SDM vol. 1, 3.4.1.1)
		for i := range 8 {
			s.GPR[i] &= 0xffffffff
		}
	}
	c.mode = m
}

// longMode is mode m in 64-bit mode, where only FS and GS have bases, and no
// segment a limit (SDM vol. 3, 3.2.4).
func (c *CPU) longMode(m uint64) uint64 {
	m = m&^(modeCode32|modeStack32|modeExpDown) | modeLong
	for i := range c.s.Seg {
		m |= modeFull(i)
		if i < FS {
			m |= modeZero(i)
		}
	}
	return m
}

// long reports whether the processor is in 64-bit mode, ia32e whether it is in
// that or compatibility mode.
func (c *CPU) long() bool  { return c.mode&modeLong != 0 }
func (c *CPU) ia32e() bool { return c.s.EFER&eferLMA != 0 }

// canonical reports whether the bits of v above 47 are copies of bit 47.
func canonical(v uint64) bool { return uint64(int64(v<<16)>>16) == v }

// indexOf is the MMU index of the program's accesses in a mode.
func indexOf(mode uint64) int {
	switch {
	case mode&modeCPL == modeCPL:
		return mmuUser
	case mode&modeSMAP != 0:
		return mmuSMAP
	}
	return mmuKernel
}

// all4G is the bound of a segment that reaches over all 4 GiB.
const all4G = 1 << 32

// pick returns bit if v has the bit mask.
func pick(v, mask, bit uint64) uint64 {
	if v&mask != 0 {
		return bit
	}
	return 0
}

// protected reports whether the processor is in protected mode and not in
// virtual-8086 mode.
func (c *CPU) protected() bool { return c.s.CR0&cr0PE != 0 && c.s.Flags&flagVM == 0 }

// v86 reports whether the processor is in virtual-8086 mode.
func (c *CPU) v86() bool { return c.s.CR0&cr0PE != 0 && c.s.Flags&flagVM != 0 }

// iopl is EFLAGS.IOPL.
func (c *CPU) iopl() int { return int(c.s.Flags >> 12 & 3) }

// cacheBounds derives a segment's Lo, RHi and WHi from Limit and Attr
// (SDM vol. 3, 5.3 and 5.5). The type counts in real-address mode too: what
// is left of protected mode's descriptors there stays in force until the
// register is loaded.
func cacheBounds(g *Segment) {
	g.Lo, g.RHi, g.WHi = 0, 0, 0
	if g.Attr&attrP == 0 || g.Attr&attrS == 0 {
		return
	}
	if g.Attr&attrCode != 0 {
		if g.Attr&attrRW != 0 {
			g.RHi = g.Limit + 1
		}
		return
	}
	g.RHi = g.Limit + 1
	if g.Attr&attrCE != 0 { // expand-down
		g.Lo, g.RHi = g.Limit+1, 1<<16
		if g.Attr&attrDB != 0 {
			g.RHi = all4G
		}
	}
	if g.Attr&attrRW != 0 {
		g.WHi = g.RHi
	}
}

// fits reports whether size bytes at off may be written to segment g.
func (g *Segment) fits(off, size uint64) bool { return off >= g.Lo && off+size <= g.WHi }

// readable reports whether size bytes at off may be read from segment g.
func (g *Segment) readable(off, size uint64) bool { return off >= g.Lo && off+size <= g.RHi }

// linear is the linear address of off in segment g. Only system segments of
// IA-32e mode have bases beyond 32 bits.
func (g *Segment) linear(off uint32) uint64 {
	if g.Base>>32 != 0 {
		return g.Base + uint64(off)
	}
	return uint64(uint32(g.Base) + off)
}

// stackMask is what the stack pointer of stack segment g is taken modulo, less 1.
func (g *Segment) stackMask() uint64 {
	if g.Attr&attrDB != 0 {
		return 0xffffffff
	}
	return 0xffff
}

// setSP sets the stack pointer as wide as the stack segment, which is loaded,
// makes it: with a 16-bit stack the upper half of ESP stays.
func (c *CPU) setSP(v uint64) {
	mask := c.s.Seg[SS].stackMask()
	c.s.GPR[rSP] = c.s.GPR[rSP]&^mask&0xffffffff | v&mask
}
