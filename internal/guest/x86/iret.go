package x86

import "rhea/internal/guest"

// EFLAGS bits that IRET and POPF change, by operand size.
const (
	flags16 = flagsArith | flagTF | flagDF | flagNT
	flags32 = flags16 | flagAC | flagID

	flagsAll = flags32 | flagIF | flagIOPL | flagRF | flagVM | flagVIF | flagVIP
)

// iret is IRET and IRETD (SDM vol. 2).
func (c *CPU) iret(opsize int, nextIP uint64) *guest.Fault {
	// NMIs are unblocked even if the IRET faults (SDM vol. 3, 6.7.1).
	c.setNMIMask(false)
	switch {
	case c.s.CR0&cr0PE == 0:
		return c.iretReal(opsize)
	case c.ia32e():
		return c.iretLong(opsize)
	case c.s.Flags&flagVM != 0:
		return c.iretV86(opsize)
	case c.s.Flags&flagNT != 0:
		return c.taskReturn(nextIP)
	}
	return c.iretProtected(opsize)
}

func (c *CPU) iretReal(opsize int) *guest.Fault {
	p := c.pops(opsize)
	ip, cs, flags := p.pop(), p.popSel(), p.pop()
	if p.f != nil {
		return p.f
	}
	if ip > c.s.Seg[CS].Limit {
		return gp(0)
	}
	c.setSP(p.sp)
	c.loadSegReal(CS, cs)
	mask := uint64(flags16 | flagIF | flagIOPL)
	if opsize == 4 {
		mask = flags32 | flagIF | flagIOPL | flagRF
	} else {
		c.s.Flags &^= flagRF
	}
	c.setEFLAGS(flags, mask)
	c.jump(ip)
	return nil
}

func (c *CPU) iretV86(opsize int) *guest.Fault {
	vme := false
	if c.iopl() != 3 {
		if c.s.CR4&cr4VME == 0 || opsize == 4 {
			return gp(0)
		}
		vme = true
	}
	p := c.pops(opsize)
	ip, cs, flags := p.pop(), p.popSel(), p.pop()
	if p.f != nil {
		return p.f
	}
	if ip > c.s.Seg[CS].Limit {
		return gp(0)
	}
	mask := uint64(flags16)
	if vme { // SDM vol. 3, 20.3.3.5
		if f := c.virtualIF(flags); f != nil {
			return f
		}
	} else {
		mask |= flagIF
	}
	if opsize == 4 {
		mask |= flags32 | flagRF
	} else {
		c.s.Flags &^= flagRF
	}
	c.setEFLAGS(flags, mask)
	c.setSP(p.sp)
	c.loadSegReal(CS, cs)
	c.jump(ip)
	return nil
}

// virtualIF sets VIF to the IF of flags, as 16-bit IRET and POPF do in
// virtual-8086 mode with CR4.VME set and IOPL below 3.
func (c *CPU) virtualIF(flags uint64) *guest.Fault {
	if flags&flagTF != 0 || flags&flagIF != 0 && c.s.Flags&flagVIP != 0 {
		return gp(0)
	}
	c.s.Flags = c.s.Flags&^flagVIF | pick(flags, flagIF, flagVIF)
	return nil
}

func (c *CPU) iretProtected(opsize int) *guest.Fault {
	p := c.pops(opsize)
	ip, cs, flags := p.pop(), p.popSel(), p.pop()
	if p.f != nil {
		return p.f
	}
	if opsize == 4 && flags&flagVM != 0 && c.cpl == 0 {
		return c.iretToV86(&p, ip, cs, flags)
	}
	d, f := c.returnTarget(cs)
	if f != nil {
		return f
	}
	mask := c.returnMask(opsize)
	if rpl(cs) == c.cpl {
		if ip > d.limit() {
			return gp(0)
		}
		if f := c.setAccessed(&d); f != nil {
			return f
		}
		c.returnFlags(flags, mask)
		c.setSP(p.sp)
		c.enterCode(&d, cs, c.cpl, ip)
		return nil
	}
	sp, sel := p.pop(), p.popSel()
	if p.f != nil {
		return p.f
	}
	ss, f := c.outerStack(sel, rpl(cs), &d)
	if f != nil {
		return f
	}
	if ip > d.limit() {
		return gp(0)
	}
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.returnFlags(flags, mask)
	c.leaveTo(&d, cs, ip, ss, sp)
	return nil
}

// returnMask are the bits of EFLAGS that IRET loads.
func (c *CPU) returnMask(opsize int) uint64 {
	mask := uint64(flags16)
	if opsize >= 4 {
		mask = flags32 | flagRF
	}
	if c.cpl <= c.iopl() {
		mask |= flagIF
	}
	if c.cpl == 0 {
		mask |= flagIOPL
		if opsize >= 4 {
			mask |= flagVIF | flagVIP
		}
	}
	return mask
}

// returnFlags is setEFLAGS for IRET, which clears RF unless it loads it.
func (c *CPU) returnFlags(flags, mask uint64) {
	c.s.Flags &^= flagRF
	c.setEFLAGS(flags, mask)
}

// iretToV86 is the return to virtual-8086 mode (SDM vol. 3, 20.2.5).
func (c *CPU) iretToV86(p *pops, ip uint64, cs uint16, flags uint64) *guest.Fault {
	sp := p.pop()
	var sel [6]uint16
	for _, i := range [...]int{SS, ES, DS, FS, GS} {
		sel[i] = p.popSel()
	}
	sel[CS] = cs
	if p.f != nil {
		return p.f
	}
	if ip > 0xffff {
		return gp(0)
	}
	c.setEFLAGS(flags, flags32|flagIF|flagIOPL|flagRF|flagVM|flagVIF|flagVIP)
	for i, v := range sel {
		c.loadSegReal(i, v)
	}
	c.s.GPR[rSP] = sp
	c.jump(ip)
	return nil
}

// taskReturn is IRET with NT set: back to the task of the back link.
func (c *CPU) taskReturn(nextIP uint64) *guest.Fault {
	link, f := c.load16(c.s.TR.linear(0))
	if f != nil {
		return f
	}
	if link&4 != 0 || isNull(link) {
		return fault(vecTS, selCode(link, 0))
	}
	d, ok, f := c.readDescriptor(link)
	switch {
	case f != nil:
		return f
	case !ok || !d.isBusyTSS():
		return fault(vecTS, selCode(link, 0))
	case !d.present():
		return npSel(link)
	}
	w := taskSwitch{sel: link, to: d, kind: switchReturn, ip: nextIP, flags: c.EFLAGS()}
	if f := c.switchTask(&w); f != nil {
		return f
	}
	return c.endSwitch(0)
}

// popf is POPF and POPFD with what they popped (SDM vol. 2).
func (c *CPU) popf(v uint32, opsize int) *guest.Fault {
	flags := uint64(v)
	mask := uint64(flags16)
	if opsize >= 4 {
		mask = flags32
	}
	switch {
	case c.v86():
		if c.iopl() == 3 {
			mask |= flagIF
			break
		}
		if c.s.CR4&cr4VME == 0 || opsize == 4 {
			return gp(0)
		}
		if f := c.virtualIF(flags); f != nil {
			return f
		}
	case c.cpl == 0:
		mask |= flagIF | flagIOPL
	case c.cpl <= c.iopl():
		mask |= flagIF
	}
	if opsize >= 4 {
		c.s.Flags &^= flagRF
	}
	c.setEFLAGS(flags, mask)
	c.refreshMode()
	return nil
}

// stiInUnit is sti for code that goes on by itself, unless there is something
// to be done after the next instruction: then it stops.
func (c *CPU) stiInUnit(next, _, _ uint64) (uint64, bool) {
	if f := c.sti(); f != nil {
		c.Raise(f)
		return 0, true
	}
	if c.pins.Load()&^c.held.Load()&(pinINTR|pinNMI) == 0 {
		c.s.Shadow = 0
		return 0, false
	}
	c.s.IP = next
	return 0, true
}

// popfInMode is popf for code that goes on by itself unless it is to stop: if
// the mode has changed the instruction is completed here.
func (c *CPU) popfInMode(v, opsize, next uint64) (uint64, bool) {
	old := c.mode
	if f := c.popf(uint32(v), int(opsize)); f != nil {
		c.Raise(f)
		return 0, true
	}
	if c.Pending() {
		c.mem.Wake() // an interrupt that IF held off
	}
	if c.mode == old {
		return 0, false
	}
	c.popped(old, opsize)
	c.s.IP = next
	return 0, true
}

// popped moves the stack pointer behind n bytes, in a mode.
func (c *CPU) popped(mode, n uint64) {
	sp := c.s.GPR[rSP]
	switch {
	case mode&modeLong != 0:
		sp += n
	case mode&modeStack32 != 0:
		sp = (sp + n) & 0xffffffff
	default:
		sp = sp&0xffff0000 | (sp+n)&0xffff
	}
	c.s.GPR[rSP] = sp
}

// pushf returns what PUSHF and PUSHFD push (SDM vol. 2).
func (c *CPU) pushf(opsize int) (uint32, *guest.Fault) {
	flags := c.EFLAGS()
	if c.v86() && c.iopl() != 3 {
		if c.s.CR4&cr4VME == 0 || opsize == 4 {
			return 0, gp(0)
		}
		flags = flags&^flagIF | flagIOPL | pick(flags, flagVIF, flagIF)
	}
	return uint32(flags &^ (flagVM | flagRF)), nil
}

// cli is CLI (SDM vol. 2).
func (c *CPU) cli() *guest.Fault {
	f, virtual := c.mayChangeIF()
	switch {
	case f != nil:
		return f
	case virtual:
		c.s.Flags &^= flagVIF
	default:
		c.s.Flags &^= flagIF
	}
	return nil
}

// sti is STI (SDM vol. 2); it sets the shadow if interrupts were off.
func (c *CPU) sti() *guest.Fault {
	f, virtual := c.mayChangeIF()
	switch {
	case f != nil:
		return f
	case virtual:
		if c.s.Flags&flagVIP != 0 {
			return gp(0)
		}
		c.s.Flags |= flagVIF
	case c.s.Flags&flagIF == 0:
		c.s.Flags |= flagIF
		c.s.Shadow = shadowSTI
	}
	return nil
}

// mayChangeIF is the check of CLI and STI; virtual means that VIF takes the
// place of IF (VME, SDM vol. 3, 20.3; PVI, 20.4).
func (c *CPU) mayChangeIF() (f *guest.Fault, virtual bool) {
	if c.cpl <= c.iopl() {
		return nil, false
	}
	enable := uint64(cr4PVI)
	if c.v86() {
		enable = cr4VME
	}
	if c.cpl == 3 && c.s.CR4&enable != 0 {
		return nil, true
	}
	return gp(0), false
}

// halt is HLT; the processor waits from nextIP on.
func (c *CPU) halt(nextIP uint64) *guest.Fault {
	if f := c.needRing0(); f != nil {
		return f
	}
	c.s.IP = nextIP
	c.s.Shadow = 0 // an STI before this instruction holds off no longer
	c.halted = true
	c.event = guest.Halt
	return nil
}
