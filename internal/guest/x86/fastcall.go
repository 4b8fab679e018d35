package x86

import "rhea/internal/guest"

// This file has the calls of the system without a gate: SYSENTER and SYSCALL,
// the returns from them, and SWAPGS (SDM vol. 2; vol. 3, 5.8.7 and 5.8.8).

// sysenter is SYSENTER.
func (c *CPU) sysenter() *guest.Fault {
	s := c.s
	if !c.model.has(featSEP) {
		return undefined()
	}
	if s.CR0&cr0PE == 0 || isNull(uint16(s.SysenterCS)) {
		return gp(0)
	}
	s.Flags &^= flagVM | flagIF | flagRF
	cs := uint16(s.SysenterCS) &^ 3
	if c.ia32e() {
		c.flatSegments(cs, cs+8, 0, true)
		s.GPR[rSP] = s.SysenterESP
		c.jump(s.SysenterEIP)
		return nil
	}
	c.flatSegments(cs, cs+8, 0, false)
	s.GPR[rSP] = s.SysenterESP & 0xffffffff
	c.jump(s.SysenterEIP & 0xffffffff)
	return nil
}

// sysexit is SYSEXIT; wide says that it returns to 64-bit mode.
func (c *CPU) sysexit(wide bool) *guest.Fault {
	s := c.s
	if !c.model.has(featSEP) {
		return undefined()
	}
	if s.CR0&cr0PE == 0 || isNull(uint16(s.SysenterCS)) || c.cpl != 0 {
		return gp(0)
	}
	cs, ip, sp := uint16(s.SysenterCS)&^3+16, s.GPR[rDX], s.GPR[rCX]
	switch {
	case !wide:
		ip, sp = ip&0xffffffff, sp&0xffffffff
	case !canonical(ip) || !canonical(sp):
		return gp(0)
	default:
		cs += 16
	}
	c.flatSegments(cs, cs+8, 3, wide)
	s.GPR[rSP] = sp
	c.jump(ip)
	return nil
}

// flatSegments sets CS and SS to what SYSENTER and its like make of them.
func (c *CPU) flatSegments(cs, ss uint16, cpl int, wide bool) {
	attr := attrP | attrS | attrG | attrRW | attrA | 0xf0000 | uint64(cpl)<<13
	code := Segment{Sel: uint64(cs) | uint64(cpl), Limit: 0xffffffff, Attr: attr | attrCode | attrDB}
	stack := Segment{Sel: uint64(ss) | uint64(cpl), Limit: 0xffffffff, Attr: attr | attrDB}
	if wide {
		code.Attr ^= attrDB | attrL
	}
	cacheBounds(&code)
	cacheBounds(&stack)
	c.s.Seg[CS], c.s.Seg[SS] = code, stack
}

// syscall is SYSCALL; the program goes on at next.
func (c *CPU) syscall(next uint64) *guest.Fault {
	s := c.s
	if s.EFER&eferSCE == 0 {
		return undefined()
	}
	if c.cfg.Pages != nil {
		c.userSyscall(next)
		return nil
	}
	flags := c.EFLAGS()
	s.GPR[rCX], s.GPR[r11] = next, flags&^flagRF
	cs := uint16(s.STAR>>32) &^ 3
	c.flatSegments(cs, cs+8, 0, true)
	c.setEFLAGS(flags&^(s.SFMASK|flagRF), flagsAll)
	c.jump(s.LSTAR)
	return nil
}

// sysret is SYSRET; wide says that it returns to 64-bit mode.
func (c *CPU) sysret(wide bool) *guest.Fault {
	s := c.s
	if s.EFER&eferSCE == 0 {
		return undefined()
	}
	if c.cpl != 0 {
		return gp(0)
	}
	cs, ip := uint16(s.STAR>>48), s.GPR[rCX]
	ss := cs + 8
	switch {
	case !wide:
		ip &= 0xffffffff
	case !canonical(ip):
		return gp(0)
	default:
		cs += 16
	}
	c.flatSegments(cs&^3, ss&^3, 3, wide)
	c.setEFLAGS(s.GPR[r11], flagsAll&^(flagRF|flagVM))
	c.jump(ip)
	return nil
}

// swapGS is SWAPGS.
func (c *CPU) swapGS() *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	g := &c.s.Seg[GS]
	g.Base, c.s.KernelGSBase = c.s.KernelGSBase, g.Base
	c.refreshMode()
	return nil
}
