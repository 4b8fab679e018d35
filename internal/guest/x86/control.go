package x86

import "rhea/internal/guest"

// This file has far transfers: JMP, CALL and RET between segments and through
// gates (SDM vol. 2, the instructions; vol. 3, 5.8). opsize is the operand
// size in bytes, nextIP the address behind the instruction.

// farJump is JMP ptr16:16/32 and JMP m16:16/32.
func (c *CPU) farJump(sel uint16, off uint64, opsize int, nextIP uint64) *guest.Fault {
	if !c.protected() {
		if off > c.s.Seg[CS].Limit {
			return gp(0)
		}
		c.loadSegReal(CS, sel)
		c.jump(off)
		return nil
	}
	d, f := c.transferTarget(sel)
	if f != nil {
		return f
	}
	if c.ia32e() && !d.isCode() {
		return c.jumpByGate64(sel, &d)
	}
	if d.isCode() {
		if f := c.checkDirect(&d, sel, off); f != nil {
			return f
		}
		c.enterCode(&d, sel, c.cpl, off)
		return nil
	}
	if d.dpl() < c.cpl || d.dpl() < rpl(sel) {
		return gpSel(sel)
	}
	switch d.system() {
	case typeTSS16, typeTSS32:
		if !d.present() {
			return npSel(sel)
		}
		return c.switchByTransfer(sel, &d, switchJump, nextIP)
	case typeTaskGate:
		return c.taskGate(sel, &d, switchJump, nextIP)
	case typeCallGate16, typeCallGate32:
		code, cs, f := c.callGate(sel, &d)
		if f != nil {
			return f
		}
		if !code.isConforming() && code.dpl() != c.cpl {
			return gpSel(cs)
		}
		if !code.present() {
			return npSel(cs)
		}
		if off = d.gateOffset(); off > code.limit() {
			return gp(0)
		}
		if f := c.setAccessed(&code); f != nil {
			return f
		}
		c.enterCode(&code, cs, c.cpl, off)
		return nil
	}
	return gpSel(sel)
}

// farCall is CALL ptr16:16/32 and CALL m16:16/32.
func (c *CPU) farCall(sel uint16, off uint64, opsize int, nextIP uint64) *guest.Fault {
	p := c.stack(opsize)
	if !c.protected() {
		p.push(c.s.Seg[CS].Sel)
		p.push(nextIP)
		if !p.room() {
			return fault(vecSS, 0)
		}
		if off > c.s.Seg[CS].Limit {
			return gp(0)
		}
		if f := p.do(c); f != nil {
			return f
		}
		c.setSP(p.sp)
		c.loadSegReal(CS, sel)
		c.jump(off)
		return nil
	}
	d, f := c.transferTarget(sel)
	if f != nil {
		return f
	}
	if d.isCode() {
		if f := c.checkDirect(&d, sel, off); f != nil {
			return f
		}
		return c.callSameLevel(&d, sel, off, &p, nextIP)
	}
	if c.ia32e() {
		return c.callByGate64(sel, &d, nextIP)
	}
	if d.dpl() < c.cpl || d.dpl() < rpl(sel) {
		return gpSel(sel)
	}
	switch d.system() {
	case typeTSS16, typeTSS32:
		if !d.present() {
			return npSel(sel)
		}
		return c.switchByTransfer(sel, &d, switchCall, nextIP)
	case typeTaskGate:
		return c.taskGate(sel, &d, switchCall, nextIP)
	case typeCallGate16, typeCallGate32:
		return c.callByGate(sel, &d, nextIP)
	}
	return gpSel(sel)
}

// callByGate is CALL through call gate d (SDM vol. 3, 5.8.4 and 5.8.5).
func (c *CPU) callByGate(sel uint16, d *descriptor, nextIP uint64) *guest.Fault {
	code, cs, f := c.callGate(sel, d)
	if f != nil {
		return f
	}
	if !code.present() {
		return npSel(cs)
	}
	size := 2
	if d.system() == typeCallGate32 {
		size = 4
	}
	off := d.gateOffset()
	p := c.stack(size)
	if code.isConforming() || code.dpl() == c.cpl {
		if off > code.limit() {
			return gp(0)
		}
		if f := c.setAccessed(&code); f != nil {
			return f
		}
		return c.callSameLevel(&code, cs, off, &p, nextIP)
	}

	dpl := code.dpl()
	ss, sp, f := c.innerStack(dpl, 0)
	if f != nil {
		return f
	}
	old := pops{c: c, sp: c.s.GPR[rSP], size: uint64(size)}
	p.ss, p.sp, p.idx = &ss, sp, c.indexAt(dpl)
	p.push(c.s.Seg[SS].Sel)
	p.push(c.s.GPR[rSP])
	n := d.gateParams()
	p.n += n
	for i := range n { // the last parameter pushed is on top of the stack
		p.v[p.n-1-i] = old.pop()
	}
	if old.f != nil {
		return old.f
	}
	p.push(c.s.Seg[CS].Sel)
	p.push(nextIP)
	if !p.room() {
		return ssSel(uint16(ss.Sel))
	}
	if off > code.limit() {
		return gp(0)
	}
	if f := c.setAccessed(&code); f != nil {
		return f
	}
	if f := p.do(c); f != nil {
		return f
	}
	c.s.Seg[SS] = ss
	c.setSP(p.sp)
	c.enterCode(&code, cs, dpl, off)
	return nil
}

// callSameLevel pushes the return address and enters code segment d.
func (c *CPU) callSameLevel(d *descriptor, sel uint16, off uint64, p *pushes, nextIP uint64) *guest.Fault {
	p.push(c.s.Seg[CS].Sel)
	p.push(nextIP)
	if !p.room() {
		return fault(vecSS, 0)
	}
	if f := p.do(c); f != nil {
		return f
	}
	c.setStack(p.sp)
	c.enterCode(d, sel, c.cpl, off)
	return nil
}

// transferTarget reads what the selector of a far transfer in protected mode
// selects.
func (c *CPU) transferTarget(sel uint16) (descriptor, *guest.Fault) {
	if isNull(sel) {
		return descriptor{}, gp(0)
	}
	d, ok, f := c.readDescriptor(sel)
	if f == nil && !ok {
		f = gpSel(sel)
	}
	return d, f
}

// checkDirect checks code segment d as the target of a JMP or CALL without a
// gate (SDM vol. 3, 5.8.1).
func (c *CPU) checkDirect(d *descriptor, sel uint16, off uint64) *guest.Fault {
	if d.isConforming() {
		if d.dpl() > c.cpl {
			return gpSel(sel)
		}
	} else if rpl(sel) > c.cpl || d.dpl() != c.cpl {
		return gpSel(sel)
	}
	if !d.present() {
		return npSel(sel)
	}
	if f := c.checkEntry(d, sel, off); f != nil {
		return f
	}
	return c.setAccessed(d)
}

// checkEntry checks off as a place to go to in code segment d.
func (c *CPU) checkEntry(d *descriptor, sel uint16, off uint64) *guest.Fault {
	if c.ia32e() && d.isLong() {
		switch {
		case d.attr()&attrDB != 0:
			return gpSel(sel)
		case !canonical(off):
			return gp(0)
		}
		return nil
	}
	if off > d.limit() {
		return gp(0)
	}
	return nil
}

// callGate checks call gate d and reads the code segment it leads to.
func (c *CPU) callGate(sel uint16, d *descriptor) (code descriptor, cs uint16, f *guest.Fault) {
	if !d.present() {
		return code, 0, npSel(sel)
	}
	cs = d.gateSelector()
	if code, f = c.transferTarget(cs); f != nil {
		return code, cs, f
	}
	if !code.isCode() || code.dpl() > c.cpl {
		return code, cs, gpSel(cs)
	}
	return code, cs, nil
}

// taskGate is a JMP or CALL to a task gate.
func (c *CPU) taskGate(sel uint16, d *descriptor, kind switchKind, nextIP uint64) *guest.Fault {
	if !d.present() {
		return npSel(sel)
	}
	tss := d.gateSelector()
	t, f := c.taskOfGate(tss, 0)
	if f != nil {
		return f
	}
	return c.switchByTransfer(tss, &t, kind, nextIP)
}

// taskOfGate reads the TSS descriptor that a task gate names.
func (c *CPU) taskOfGate(tss uint16, ext uint32) (descriptor, *guest.Fault) {
	if tss&4 != 0 || isNull(tss) {
		return descriptor{}, fault(vecGP, selCode(tss, ext))
	}
	t, ok, f := c.readDescriptor(tss)
	switch {
	case f != nil:
		return t, f
	case !ok || !t.isAvailableTSS():
		return t, fault(vecGP, selCode(tss, ext))
	case !t.present():
		return t, fault(vecNP, selCode(tss, ext))
	}
	return t, nil
}

// switchByTransfer is a JMP or CALL to a TSS, which must be in the GDT.
func (c *CPU) switchByTransfer(sel uint16, d *descriptor, kind switchKind, nextIP uint64) *guest.Fault {
	if sel&4 != 0 {
		return gpSel(sel)
	}
	w := taskSwitch{sel: sel, to: *d, kind: kind, ip: nextIP, flags: c.EFLAGS()}
	if f := c.switchTask(&w); f != nil {
		return f
	}
	return c.endSwitch(0)
}

// innerStack reads the stack of level dpl from the TSS and checks it
// (SDM vol. 3, 5.8.5; vol. 2, CALL and INT n).
func (c *CPU) innerStack(dpl int, ext uint32) (ss Segment, sp uint64, f *guest.Fault) {
	tr := &c.s.TR
	var sel uint16
	if tr.Attr>>8&type32 != 0 {
		at := uint32(4 + 8*dpl)
		if uint64(at)+5 > tr.Limit {
			return ss, 0, fault(vecTS, selCode(uint16(tr.Sel), ext))
		}
		if sp, f = c.loadSystem(tr.linear(at), 4); f == nil {
			sel, f = c.load16(tr.linear(at + 4))
		}
	} else {
		at := uint32(2 + 4*dpl)
		if uint64(at)+3 > tr.Limit {
			return ss, 0, fault(vecTS, selCode(uint16(tr.Sel), ext))
		}
		var sp16 uint16
		if sp16, f = c.load16(tr.linear(at)); f == nil {
			sel, f = c.load16(tr.linear(at + 2))
		}
		sp = uint64(sp16)
	}
	if f != nil {
		return ss, 0, f
	}
	if isNull(sel) {
		return ss, 0, fault(vecTS, ext)
	}
	d, ok, f := c.readDescriptor(sel)
	switch {
	case f != nil:
		return ss, 0, f
	case !ok || rpl(sel) != dpl || d.dpl() != dpl || !d.isWritable():
		return ss, 0, fault(vecTS, selCode(sel, ext))
	case !d.present():
		return ss, 0, fault(vecSS, selCode(sel, ext))
	}
	if f := c.setAccessed(&d); f != nil {
		return ss, 0, f
	}
	return d.segment(sel), sp, nil
}

// enterCode loads CS from d with RPL cpl and continues at off.
func (c *CPU) enterCode(d *descriptor, sel uint16, cpl int, off uint64) {
	c.s.Seg[CS] = d.segment(sel&^3 | uint16(cpl))
	c.jump(off)
}

// jump continues at off, after changes to the mode.
func (c *CPU) jump(off uint64) {
	c.s.IP = off
	c.refreshMode()
}

// farRet is RETF; imm is what its operand adds to the stack pointer.
func (c *CPU) farRet(opsize int, imm uint64) *guest.Fault {
	p := c.pops(opsize)
	ip := p.pop()
	cs := p.popSel()
	if p.f != nil {
		return p.f
	}
	if !c.protected() {
		if ip > c.s.Seg[CS].Limit {
			return gp(0)
		}
		c.setSP(p.sp + imm)
		c.loadSegReal(CS, cs)
		c.jump(ip)
		return nil
	}
	d, f := c.returnTarget(cs)
	if f != nil {
		return f
	}
	if f := c.checkEntry(&d, cs, ip); f != nil {
		return f
	}
	if rpl(cs) == c.cpl {
		if f := c.setAccessed(&d); f != nil {
			return f
		}
		c.setStack(p.sp + imm)
		c.enterCode(&d, cs, c.cpl, ip)
		return nil
	}
	p.sp += imm
	sp := p.pop()
	sel := p.popSel()
	if p.f != nil {
		return p.f
	}
	ss, f := c.outerStack(sel, rpl(cs), &d)
	if f != nil {
		return f
	}
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.leaveTo(&d, cs, ip, ss, sp+imm)
	return nil
}

// returnTarget reads and checks the code segment of a return (SDM vol. 2, RET
// and IRET).
func (c *CPU) returnTarget(cs uint16) (descriptor, *guest.Fault) {
	d, f := c.transferTarget(cs)
	if f != nil {
		return d, f
	}
	if !d.isCode() || rpl(cs) < c.cpl {
		return d, gpSel(cs)
	}
	if d.isConforming() && d.dpl() > rpl(cs) || !d.isConforming() && d.dpl() != rpl(cs) {
		return d, gpSel(cs)
	}
	if !d.present() {
		return d, npSel(cs)
	}
	return d, nil
}

// outerStack checks the stack segment of a return to outer level cpl, in code
// segment code.
func (c *CPU) outerStack(sel uint16, cpl int, code *descriptor) (ss Segment, f *guest.Fault) {
	if isNull(sel) && c.ia32e() && code.isLong() && cpl != 3 && rpl(sel) == cpl {
		return nullStack(cpl), nil
	}
	d, f := c.transferTarget(sel)
	if f != nil {
		return ss, f
	}
	if rpl(sel) != cpl || d.dpl() != cpl || !d.isWritable() {
		return ss, gpSel(sel)
	}
	if !d.present() {
		return ss, ssSel(sel)
	}
	if f := c.setAccessed(&d); f != nil {
		return ss, f
	}
	return d.segment(sel), nil
}

// leaveTo returns to code segment d at the outer level rpl(cs).
func (c *CPU) leaveTo(d *descriptor, cs uint16, ip uint64, ss Segment, sp uint64) {
	c.s.Seg[SS] = ss
	c.dropSegments(rpl(cs))
	c.enterCode(d, cs, rpl(cs), ip)
	c.setStack(sp)
}

// setStack sets the stack pointer: as setSP does, but in 64-bit mode all of it.
func (c *CPU) setStack(sp uint64) {
	if c.long() {
		c.s.GPR[rSP] = sp
		return
	}
	c.setSP(sp)
}
