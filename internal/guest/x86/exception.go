package x86

import (
	"rhea/internal/guest"
	"rhea/internal/trace"
)

// This file delivers exceptions and interrupts (SDM vol. 3, chapter 6; vol. 2,
// INT n).

// delivery is one event on its way through the IDT.
type delivery struct {
	vec     int
	code    uint32
	hasCode bool
	soft    bool   // INT n, INT3 or INTO: the gate's DPL counts
	ext     uint32 // the EXT bit of faults met on the way
	rf      bool   // RF is set in the EFLAGS pushed
	trap    bool   // RF is clear in them: the instruction is completed
	ip      uint64 // pushed
}

// maxNested bounds the exceptions that follow from one. Four is the most for a
// sane guest; one whose TSSs overlap its GDT could go on forever, out of reach
// of everything but RESET, as on the chip.
const maxNested = 16

// Raise implements guest.CPU: it delivers an exception of the instruction at
// IP and, as far as need be, those that the delivery meets.
func (c *CPU) Raise(f *guest.Fault) {
	if c.cfg.Pages != nil {
		c.debugHits = 0
		c.trapped(f, false)
		return
	}
	c.debugHits = 0
	for n := 0; f != nil; n++ {
		if n == maxNested {
			c.shutdown()
			return
		}
		f = c.resolved(f, n == 0)
		c.note(f)
		next := c.deliver(&delivery{
			vec: f.Vector, code: f.Code, hasCode: f.HasCode, ext: 1, ip: c.s.IP,
			rf: f.Vector != vecDB && f.Vector != vecDF && f.Vector != vecMC,
		})
		if next != nil {
			next = c.resolved(next, false)
		}
		if next != nil && escalates(f.Vector, next.Vector) {
			c.note(next)
			if f.Vector == vecDF {
				c.shutdown()
				return
			}
			next = fault(vecDF, 0)
		}
		f = next
	}
}

// vecNonCanonical is the vector of an access to an address that is not
// canonical, before it is known whether that is #GP or #SS.
const vecNonCanonical = 0x82

// resolved makes one of these of it: #SS for what refers to the stack (SDM
// vol. 3, 6.15, interrupt 12). Own says that the instruction at IP has made
// the access, and not the delivery of another exception.
func (c *CPU) resolved(f *guest.Fault, own bool) *guest.Fault {
	switch {
	case f.Vector != vecNonCanonical:
		return f
	case own && c.usesStack():
		return fault(vecSS, 0)
	}
	return gp(0)
}

// usesStack reports whether the instruction at IP has a memory operand on the
// stack, implied or based on RSP or RBP.
func (c *CPU) usesStack() bool {
	var code [maxLength]byte
	n := 0
	for ; n < len(code); n++ {
		v, f := c.mem.Load(c.s.IP+uint64(n), 1, c.mmuIndex())
		if f != nil {
			break
		}
		code[n] = byte(v)
	}
	in, err := decode(code[:n], 8)
	switch {
	case err != nil || in.enc == nil:
		return false
	case in.mem:
		return in.defaultSegment == SS && in.seg < 0
	}
	switch in.enc.name {
	case "PUSH", "POP", "PUSHF", "POPF", "CALL", "RET", "RETF", "ENTER", "LEAVE", "IRET":
		return true
	}
	return false
}

// note records what an exception leaves in registers before it is delivered.
func (c *CPU) note(f *guest.Fault) {
	switch f.Vector {
	case vecPF:
		c.s.CR2 = f.Addr
	case vecDB: // SDM vol. 3, 17.2.3: the bits travel in Code
		c.s.DR[6] = c.s.DR[6]&^dr6Breaks | uint64(f.Code)
		if c.s.DR[7]&dr7GD != 0 {
			c.s.DR[7] &^= dr7GD
		}
	}
	if c.log.On(trace.Int) {
		c.log.Printf(trace.Int, "x86: exception v=%02x e=%04x cpl=%d IP=%04x:%08x SP=%04x:%08x CR2=%08x\n",
			f.Vector, f.Code, c.cpl, c.s.Seg[CS].Sel, c.s.IP, c.s.Seg[SS].Sel, c.s.GPR[rSP], c.s.CR2)
	}
}

// escalates reports whether exception second, met while first is delivered,
// makes a double fault of the two (SDM vol. 3, tables 6-4 and 6-5), or a
// shutdown if first is one.
func escalates(first, second int) bool {
	switch {
	case contributory(first):
		return contributory(second)
	case first == vecPF || first == vecDF:
		return second == vecPF || contributory(second)
	}
	return false
}

func contributory(vec int) bool {
	switch vec {
	case vecDE, vecTS, vecNP, vecSS, vecGP:
		return true
	}
	return false
}

// shutdown is what a fault in the delivery of a double fault leads to (SDM
// vol. 3, 6.15, interrupt 8).
func (c *CPU) shutdown() {
	c.log.Printf(trace.Int|trace.Reset, "x86: triple fault at %04x:%08x\n", c.s.Seg[CS].Sel, c.s.IP)
	c.event = guest.TripleFault
}

// softKind tells the software interrupt instructions apart.
type softKind uint8

const (
	softINT  softKind = iota // INT n, CD ib
	softINT3                 // CC
	softINTO                 // CE, with OF set
	softINT1                 // F1
)

// softInt is INT n, INT3, INTO (if OF is set) or INT1 (SDM vol. 2). A fault is
// the instruction's own.
func (c *CPU) softInt(vec int, kind softKind, nextIP uint64) *guest.Fault {
	if c.cfg.Pages != nil && kind != softINT1 {
		return c.softUser(vec, kind, nextIP)
	}
	d := delivery{vec: vec, soft: true, trap: true, ip: nextIP}
	switch {
	case kind == softINT1:
		d.soft, d.ext = false, 1
		c.s.DR[6] |= uint64(c.debugHits)
		c.debugHits = 0
	case kind == softINT && c.v86():
		redirect, f := c.redirected(vec)
		if f != nil {
			return f
		}
		if redirect {
			return c.deliver8086(&d)
		}
		if c.iopl() != 3 {
			return gp(0)
		}
	}
	return c.deliver(&d)
}

// redirected reports whether INT n in virtual-8086 mode goes to the 8086
// program's own handler (SDM vol. 3, 20.3.3, table 20-2).
func (c *CPU) redirected(vec int) (bool, *guest.Fault) {
	if c.s.CR4&cr4VME == 0 {
		return false, nil
	}
	base, f := c.ioMapBase()
	if f != nil {
		return false, f
	}
	at := base - 32 + uint32(vec/8)
	if uint64(at) > c.s.TR.Limit {
		return false, gp(0)
	}
	v, f := c.loadSystem(c.s.TR.linear(at), 1)
	return v>>(vec&7)&1 == 0, f
}

// deliver8086 delivers INT n through the interrupt table at linear address 0
// (SDM vol. 3, 20.3.3.4 and 20.3.3.5).
func (c *CPU) deliver8086(d *delivery) *guest.Fault {
	to, f := c.load32(uint64(4 * d.vec))
	if f != nil {
		return f
	}
	flags, clear := c.EFLAGS(), uint64(flagTF|flagRF)
	if c.iopl() == 3 {
		clear |= flagIF
	} else {
		flags = flags&^flagIF | flagIOPL | pick(flags, flagVIF, flagIF)
		clear |= flagVIF
	}
	return c.enter8086(d, flags, clear, to)
}

// enter8086 pushes FLAGS, CS and IP and goes to a real-mode far pointer.
func (c *CPU) enter8086(d *delivery, flags, clear uint64, to uint32) *guest.Fault {
	p := c.stack(2)
	p.push(flags)
	p.push(c.s.Seg[CS].Sel)
	p.push(d.ip)
	if !p.room() {
		return fault(vecSS, d.ext)
	}
	if f := p.do(c); f != nil {
		return f
	}
	c.setSP(p.sp)
	c.s.Flags &^= clear
	c.loadSegReal(CS, uint16(to>>16))
	c.delivered(uint64(to & 0xffff))
	return nil
}

// delivered continues at a handler's first instruction.
func (c *CPU) delivered(ip uint64) {
	c.s.Shadow = 0
	c.halted = false
	c.jump(ip)
}

// deliver goes through the IDT. After a fault nothing has changed, unless the
// fault is of a new task.
func (c *CPU) deliver(d *delivery) *guest.Fault {
	s := c.s
	if s.CR0&cr0PE == 0 {
		// Real-address mode (SDM vol. 3, 20.1.4).
		if uint64(4*d.vec+3) > s.IDTR.Limit {
			return gp(d.idtCode())
		}
		to, f := c.load32(uint64(uint32(s.IDTR.Base) + uint32(4*d.vec)))
		if f != nil {
			return f
		}
		return c.enter8086(d, c.EFLAGS(), flagIF|flagTF|flagAC|flagRF, to)
	}
	if c.ia32e() {
		return c.deliverLong(d)
	}
	if uint64(8*d.vec+7) > s.IDTR.Limit {
		return gp(d.idtCode())
	}
	g := descriptor{at: uint64(uint32(s.IDTR.Base) + uint32(8*d.vec))}
	var f *guest.Fault
	if g.lo, f = c.load32(g.at); f == nil {
		g.hi, f = c.load32(g.at + 4)
	}
	if f != nil {
		return f
	}
	switch g.system() {
	case typeTaskGate, typeIntGate16, typeTrapGate16, typeIntGate32, typeTrapGate32:
	default:
		return gp(d.idtCode())
	}
	if d.soft && g.dpl() < c.cpl {
		return gp(d.idtCode())
	}
	if !g.present() {
		return fault(vecNP, d.idtCode())
	}
	if g.system() == typeTaskGate {
		return c.deliverTask(d, &g)
	}
	return c.deliverGate(d, &g)
}

// idtCode is the error code that names the event's own IDT entry.
func (d *delivery) idtCode() uint32 { return uint32(d.vec)<<3 | 2 | d.ext }

// savedFlags are the EFLAGS that a handler finds on its stack or in the TSS
// (SDM vol. 3, 17.3.1.1 on RF).
func (c *CPU) savedFlags(d *delivery) uint64 {
	flags := c.EFLAGS()
	if d.trap {
		flags &^= flagRF
	}
	if d.rf {
		flags |= flagRF
	}
	return flags
}

// deliverTask goes through a task gate (SDM vol. 3, 6.12.2).
func (c *CPU) deliverTask(d *delivery, g *descriptor) *guest.Fault {
	sel := g.gateSelector()
	t, f := c.taskOfGate(sel, d.ext)
	if f != nil {
		return f
	}
	w := taskSwitch{sel: sel, to: t, kind: switchCall, ip: d.ip, flags: c.savedFlags(d), ext: d.ext}
	if f := c.switchTask(&w); f != nil {
		return f
	}
	c.s.Shadow = 0
	c.halted = false
	if d.hasCode {
		size := 2
		if c.s.TR.Attr>>8&type32 != 0 {
			size = 4
		}
		p := c.stack(size)
		p.push(uint64(d.code))
		if !p.room() {
			return fault(vecSS, d.ext)
		}
		if f := p.do(c); f != nil {
			return f
		}
		c.setSP(p.sp)
	}
	return c.endSwitch(d.ext)
}

// deliverGate goes through an interrupt or trap gate (SDM vol. 3, 6.12.1).
func (c *CPU) deliverGate(d *delivery, g *descriptor) *guest.Fault {
	s := c.s
	sel := g.gateSelector()
	if isNull(sel) {
		return gp(d.ext)
	}
	code, ok, f := c.readDescriptor(sel)
	switch {
	case f != nil:
		return f
	case !ok || !code.isCode() || code.dpl() > c.cpl:
		return fault(vecGP, selCode(sel, d.ext))
	case !code.present():
		return fault(vecNP, selCode(sel, d.ext))
	}
	dpl := code.dpl()
	if code.isConforming() {
		dpl = c.cpl
	}
	v86 := c.v86()
	if v86 && dpl != 0 {
		return fault(vecGP, selCode(sel, d.ext))
	}

	size := 2
	if g.hi>>8&type32 != 0 {
		size = 4
	}
	p := c.stack(size)
	var ss Segment
	full := d.ext
	if dpl < c.cpl {
		var sp uint64
		if ss, sp, f = c.innerStack(dpl, d.ext); f != nil {
			return f
		}
		full = selCode(uint16(ss.Sel), d.ext)
		p.ss, p.sp, p.idx = &ss, sp, c.indexAt(dpl)
		if v86 {
			for _, i := range [...]int{GS, FS, DS, ES} {
				p.push(s.Seg[i].Sel)
			}
		}
		p.push(s.Seg[SS].Sel)
		p.push(s.GPR[rSP])
	}
	p.push(c.savedFlags(d))
	p.push(s.Seg[CS].Sel)
	p.push(d.ip)
	if d.hasCode {
		p.push(uint64(d.code))
	}
	if !p.room() {
		return fault(vecSS, full)
	}
	off := g.gateOffset()
	if off > code.limit() {
		return gp(d.ext)
	}
	if f := c.setAccessed(&code); f != nil {
		return f
	}
	if f := p.do(c); f != nil {
		return f
	}

	clear := uint64(flagTF | flagNT | flagVM | flagRF)
	if t := g.system(); t == typeIntGate16 || t == typeIntGate32 {
		clear |= flagIF
	}
	s.Flags &^= clear
	if v86 {
		for _, i := range [...]int{GS, FS, DS, ES} {
			c.nullSeg(i, 0)
		}
	}
	if dpl < c.cpl {
		s.Seg[SS] = ss
	}
	c.setSP(p.sp)
	s.Seg[CS] = code.segment(sel&^3 | uint16(dpl))
	c.delivered(off)
	return nil
}
