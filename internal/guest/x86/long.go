package x86

import "rhea/internal/guest"

// This file has gates in IA-32e mode: of calls, interrupts and exceptions (SDM
// vol. 3, 5.8.3.1 and 6.14).

// Offsets in the 64-bit TSS (SDM vol. 3, figure 7-11).
const (
	tss64RSP = 0x04 // of levels 0 to 2
	tss64IST = 0x24 // 1 to 7
)

// tssStack reads a stack pointer at off in the TSS.
func (c *CPU) tssStack(off uint64, ext uint32) (uint64, *guest.Fault) {
	if off+7 > c.s.TR.Limit {
		return 0, fault(vecTS, selCode(uint16(c.s.TR.Sel), ext))
	}
	sp, f := c.load64(c.s.TR.Base + off)
	if f == nil && !canonical(sp) {
		f = fault(vecSS, ext)
	}
	return sp, f
}

// deliverLong is deliver in IA-32e mode.
func (c *CPU) deliverLong(d *delivery) *guest.Fault {
	s := c.s
	if uint64(16*d.vec+15) > s.IDTR.Limit {
		return gp(d.idtCode())
	}
	g := descriptor{at: s.IDTR.Base + uint64(16*d.vec)}
	lo, f := c.load64(g.at)
	if f != nil {
		return f
	}
	hi, f := c.load64(g.at + 8)
	if f != nil {
		return f
	}
	g.lo, g.hi, g.upper = uint32(lo), uint32(lo>>32), uint32(hi)
	switch {
	case g.system() != typeIntGate32 && g.system() != typeTrapGate32:
		return gp(d.idtCode())
	case d.soft && g.dpl() < c.cpl:
		return gp(d.idtCode())
	case !g.present():
		return fault(vecNP, d.idtCode())
	}
	sel := g.gateSelector()
	if isNull(sel) {
		return gp(d.ext)
	}
	code, ok, f := c.readDescriptor(sel)
	switch {
	case f != nil:
		return f
	case !ok || !code.isCode() || code.dpl() > c.cpl || !code.isLong() || code.attr()&attrDB != 0:
		return fault(vecGP, selCode(sel, d.ext))
	case !code.present():
		return fault(vecNP, selCode(sel, d.ext))
	}
	cpl := code.dpl()
	if code.isConforming() {
		cpl = c.cpl
	}
	p := pushes{sp: s.GPR[rSP], size: 8, idx: c.indexAt(cpl)}
	switch ist := uint64(g.hi & 7); {
	case ist != 0:
		p.sp, f = c.tssStack(tss64IST+8*(ist-1), d.ext)
	case cpl < c.cpl:
		p.sp, f = c.tssStack(tss64RSP+8*uint64(cpl), d.ext)
	}
	if f != nil {
		return f
	}
	if !canonical(g.gateOffset()) {
		return gp(d.ext)
	}
	p.sp &^= 15
	p.push(s.Seg[SS].Sel)
	p.push(s.GPR[rSP])
	p.push(c.savedFlags(d))
	p.push(s.Seg[CS].Sel)
	p.push(d.ip)
	if d.hasCode {
		p.push(uint64(d.code))
	}
	if f := c.setAccessed(&code); f != nil {
		return f
	}
	if f := p.do(c); f != nil {
		return f
	}
	clear := uint64(flagTF | flagNT | flagVM | flagRF)
	if g.system() == typeIntGate32 {
		clear |= flagIF
	}
	s.Flags &^= clear
	if cpl < c.cpl {
		s.Seg[SS] = nullStack(cpl)
	}
	s.GPR[rSP] = p.sp
	s.Seg[CS] = code.segment(sel&^3 | uint16(cpl))
	c.delivered(g.gateOffset())
	return nil
}

// gate64 checks call gate d and reads its second half and the code segment it
// leads to.
func (c *CPU) gate64(sel uint16, d *descriptor) (code descriptor, cs uint16, f *guest.Fault) {
	if d.system() != typeCallGate32 || d.dpl() < c.cpl || d.dpl() < rpl(sel) {
		return code, 0, gpSel(sel)
	}
	upper, f := c.load64(d.at + 8)
	if f != nil {
		return code, 0, f
	}
	if upper>>40&0x1f != 0 {
		return code, 0, gpSel(sel)
	}
	d.upper = uint32(upper)
	if code, cs, f = c.callGate(sel, d); f != nil {
		return code, cs, f
	}
	switch {
	case !code.isLong() || code.attr()&attrDB != 0:
		return code, cs, gpSel(cs)
	case !code.present():
		return code, cs, npSel(cs)
	case !canonical(d.gateOffset()):
		return code, cs, gp(0)
	}
	return code, cs, nil
}

// jumpByGate64 is JMP to what is no code segment.
func (c *CPU) jumpByGate64(sel uint16, d *descriptor) *guest.Fault {
	code, cs, f := c.gate64(sel, d)
	if f != nil {
		return f
	}
	if !code.isConforming() && code.dpl() != c.cpl {
		return gpSel(cs)
	}
	if f := c.setAccessed(&code); f != nil {
		return f
	}
	c.enterCode(&code, cs, c.cpl, d.gateOffset())
	return nil
}

// callByGate64 is CALL to what is no code segment.
func (c *CPU) callByGate64(sel uint16, d *descriptor, nextIP uint64) *guest.Fault {
	code, cs, f := c.gate64(sel, d)
	if f != nil {
		return f
	}
	s := c.s
	cpl := c.cpl
	p := pushes{sp: s.GPR[rSP], size: 8, idx: c.mmuIndex()}
	if !code.isConforming() && code.dpl() < c.cpl {
		cpl = code.dpl()
		if p.sp, f = c.tssStack(tss64RSP+8*uint64(cpl), 0); f != nil {
			return f
		}
		p.idx = c.indexAt(cpl)
		p.push(s.Seg[SS].Sel)
		p.push(s.GPR[rSP])
	}
	p.push(s.Seg[CS].Sel)
	p.push(nextIP)
	if f := c.setAccessed(&code); f != nil {
		return f
	}
	if f := p.do(c); f != nil {
		return f
	}
	if cpl < c.cpl {
		s.Seg[SS] = nullStack(cpl)
	}
	s.GPR[rSP] = p.sp
	c.enterCode(&code, cs, cpl, d.gateOffset())
	return nil
}

// iretLong is IRET in IA-32e mode.
func (c *CPU) iretLong(opsize int) *guest.Fault {
	if c.s.Flags&flagNT != 0 {
		return gp(0)
	}
	p := c.pops(opsize)
	ip, cs, flags := p.pop(), p.popSel(), p.pop()
	if p.f != nil {
		return p.f
	}
	d, f := c.returnTarget(cs)
	if f != nil {
		return f
	}
	if f := c.checkEntry(&d, cs, ip); f != nil {
		return f
	}
	mask := c.returnMask(opsize)
	if rpl(cs) == c.cpl && !c.long() {
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
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.returnFlags(flags, mask)
	if rpl(cs) != c.cpl {
		c.leaveTo(&d, cs, ip, ss, sp)
		return nil
	}
	c.s.Seg[SS] = ss
	c.enterCode(&d, cs, c.cpl, ip)
	c.setStack(sp)
	return nil
}
