package amd64

import (
	"fmt"
	"slices"

	"rhea/internal/ir"
)

// emit lowers the current instruction.
func (c *Compiler) emit(in *ir.Inst) {
	if c.fpu.staleCW && in.Op.Ends() && in.Op != ir.Exit {
		c.settleCW()
	}
	switch in.Op {
	case ir.Param:
		p := &c.vals[c.i]
		if p.word == 0 { // else a jump to here has given it one
			p.word = c.newWord(1)
		}
		p.kind = inWord
	case ir.Get:
		c.get(in)
	case ir.Set:
		c.set(in)
	case ir.Add:
		if bits := in.Type.Bits(); bits < 32 || !c.lea(in, bits) {
			c.alu2(in, bits)
		}
	case ir.Sub, ir.And, ir.Or, ir.Xor:
		c.alu2(in, in.Type.Bits())
	case ir.Load:
		c.load(in)
	case ir.Store:
		c.store(in)
	case ir.Guard:
		c.guard(in)
	case ir.Call:
		c.call(in)
	case ir.Vec:
		c.vecOp(in)
	case ir.FPU:
		c.stackOp(in)
	case ir.Jump:
		c.jump(in)
	case ir.Branch:
		c.branch(in)
	case ir.Link:
		c.flush()
		c.linkTo(in.Imm, c.pc())
	case ir.Indirect:
		c.indirect(in)
	case ir.Exit:
		c.exit(in)
	case ir.VMake, ir.VLow, ir.VHigh:
		c.vector(in)
	default:
		c.compute(in)
	}
}

func (c *Compiler) get(in *ir.Inst) {
	s := ir.Slot(in.Imm)
	if c.special[s] {
		c.beforeGet(s)
	}
	if c.pend[s] != 0 { // only in units that no Builder made
		c.flush()
	}
	switch {
	case in.Type == ir.V128:
		if c.leaves(c.i) {
			w := c.newWord(2)
			c.copy128(w, uint16(s))
			c.vals[c.i].kind, c.vals[c.i].word = inWord, w
			return
		}
		c.live(c.i, s)
	case c.leaves(c.i):
		r := c.temp()
		c.own(r)
		if pr := c.pin[s]; pr != noReg {
			c.mov(in.Type.Bits(), r, pr)
		} else {
			c.loadWord(r, uint16(s), in.Type)
		}
		c.done()
	default:
		c.live(c.i, s)
	}
}

func (c *Compiler) set(in *ir.Inst) {
	if c.vals[c.i].fused { // done along with an earlier instruction
		return
	}
	s, v := ir.Slot(in.Imm), c.origin(in.Args[0])
	p := c.val(v)
	if c.special[s] {
		c.beforeSet(s)
	}
	if p.kind == inHome && p.slot == s {
		c.unpend(s)
		return
	}
	pr := c.pin[s]
	if pr == noReg && c.vec.regOf[s] >= 0 { // it has a register, too
		c.vacate(s)
		c.write(uint16(s), v)
		return
	}
	if pr == noReg {
		if c.pend[s] == 0 && !(c.early && slices.Contains(c.slots, s)) {
			c.slots = append(c.slots, s)
		}
		c.pend[s] = v
		return
	}
	c.vacate(s)
	if k, ok := c.constOf(v); ok {
		c.constant(pr, k)
		return
	}
	if p.kind == inHome && c.pin[p.slot] == noReg || p.kind == inWord {
		if p.need <= c.i { // straight to its place
			if p.kind == inHome {
				c.loadWord(pr, uint16(p.slot), c.inst(v).Type)
			} else {
				c.rm(opMOVload|wide, pr, slotMem(p.word))
			}
			return
		}
	}
	r := c.use(v)
	c.mov(c.bits(v), pr, r)
	if p.kind == inReg && p.need > c.i && p.need < c.end { // the home is as good, and the register is free
		c.free(r)
		c.live(int32(v)-1, s)
	}
}

// initSpecial finds the slots that beforeGet and beforeSet know.
func (c *Compiler) initSpecial() {
	k := &c.cfg.Slots.Stack
	for s := range c.special {
		slot := ir.Slot(s)
		c.special[s] = slot == c.vec.fpStatus || slot == k.Control || k.Has(slot)
	}
}

// beforeGet brings a word up to date that the host may have elsewhere.
func (c *Compiler) beforeGet(s ir.Slot) {
	if s == c.vec.fpStatus {
		c.getStatus()
	}
	if c.cfg.Slots.Stack.Has(s) {
		c.toFrame()
	}
}

// beforeSet makes the word the place that counts.
func (c *Compiler) beforeSet(s ir.Slot) {
	if s == c.vec.fpStatus {
		c.setStatus()
	}
	if s == c.cfg.Slots.Stack.Control && s != 0 {
		c.fpu.staleCW = true
	}
	if c.cfg.Slots.Stack.Has(s) {
		c.toFrame()
	}
}

// unpend forgets the pending Set of s, if there is one.
func (c *Compiler) unpend(s ir.Slot) {
	if c.pend[s] == 0 {
		return
	}
	c.pend[s] = 0
	for i, o := range c.slots {
		if o == s {
			c.slots = append(c.slots[:i], c.slots[i+1:]...)
			break
		}
	}
}

// flush writes all pending Sets. Values that are needed afterwards and lie in
// a place that is written move elsewhere.
func (c *Compiler) flush() {
	c.untangle()
	for _, s := range c.slots {
		v := c.pend[s]
		if v == 0 {
			continue
		}
		c.pend[s] = 0
		c.vacate(s)
		c.write(uint16(s), v)
	}
	c.slots, c.early = c.slots[:0], false
}

// untangle moves pending values away that lie where other Sets will write.
func (c *Compiler) untangle() {
	for _, s := range c.slots {
		v := c.pend[s]
		if v == 0 {
			continue
		}
		p := c.val(v)
		if p.kind != inHome || c.pin[p.slot] != noReg || c.pend[p.slot] == 0 && !c.overlaps(p.slot, v) || p.slot == s {
			continue
		}
		c.moveOut(v)
	}
}

// copyPending lists the pending Sets, which stay pending, as copies that need
// no register. Of vectors there are constants only.
func (c *Compiler) copyPending() {
	for _, s := range c.slots {
		v := c.pend[s]
		if v == 0 {
			continue
		}
		o := copyOp{slot: uint16(s), word: NoWord, r: noReg}
		in, p := c.inst(v), c.val(v)
		switch {
		case in.Op == ir.Const:
			o.k = in.Imm
		case in.Op == ir.VConst:
			o.k = in.Imm
			c.copies = append(c.copies, o)
			o.slot++
		case p.kind == inReg:
			o.r = p.r
		case p.kind == inHome && c.pin[p.slot] != noReg:
			o.r = c.pin[p.slot]
		default:
			o.word = c.wordOf(v)
		}
		c.copies = append(c.copies, o)
	}
}

func (c *Compiler) emitCopies(list []copyOp) {
	for _, o := range list {
		m := slotMem(o.slot)
		switch {
		case o.r != noReg:
			c.rm(opMOVst|wide, o.r, m)
		case o.word != NoWord:
			c.rm(opMOVQl, vcopy, slotMem(o.word))
			c.rm(opMOVQs, vcopy, m)
		case o.k == uint64(int64(int32(o.k))):
			c.movmi(m, int32(o.k))
		default:
			c.movmi32(m, int32(uint32(o.k)))
			m.disp += 4
			c.movmi32(m, int32(uint32(o.k>>32)))
		}
	}
}

// overlaps reports whether a pending Set overwrites the second word of the
// slot of v, a vector.
func (c *Compiler) overlaps(s ir.Slot, v ir.Val) bool {
	return c.inst(v).Type == ir.V128 && c.pend[s+1] != 0
}

// write stores v to a word of the frame.
func (c *Compiler) write(w uint16, v ir.Val) {
	in := c.inst(v)
	switch {
	case in.Op == ir.Const:
		c.writeConst(w, in.Imm)
	case in.Op == ir.VConst:
		c.vconst(w, in.Imm)
	case in.Type == ir.V128:
		if s := c.vword(v); s != w {
			c.copy128(w, s)
		}
	default:
		locked := c.locked
		c.rm(opMOVst|wide, c.use(v), slotMem(w))
		c.locked = locked
	}
}

func (c *Compiler) writeConst(w uint16, k uint64) {
	if k == uint64(int64(int32(k))) {
		c.movmi(slotMem(w), int32(k))
		return
	}
	locked := c.locked
	r := c.temp()
	c.movi(r, k)
	c.rm(opMOVst|wide, r, slotMem(w))
	c.locked = locked
}

// --- vectors: they live in words of the frame

// vword returns the first of the two words in which v lies.
func (c *Compiler) vword(v ir.Val) uint16 {
	p := c.val(v)
	if in := c.inst(v); in.Op == ir.VConst {
		w := c.newWord(2)
		c.writeConst(w, in.Imm)
		c.writeConst(w+1, in.Imm)
		return w
	}
	switch p.kind {
	case inHome:
		return uint16(p.slot)
	case inWord:
		return p.word
	}
	panic(fmt.Sprintf("BUG: amd64: vector v%d is nowhere", v))
}

// vdest returns the words in which to compute the current instruction's
// vector; avoid are words that must be read after the first is written.
func (c *Compiler) vdest(avoid ...uint16) uint16 {
	v := &c.vals[c.i]
	if v.cand != noCand && !c.leaves(c.i) && c.homeFree(v.home()) && c.homeFree(v.home()+1) {
		s := uint16(v.home())
		clear := true
		for _, w := range avoid {
			clear = clear && w != s && w != s+1
		}
		if clear {
			c.home[s] = c.home[s][:0]
			c.live(c.i, ir.Slot(s))
			return s
		}
	}
	v.word = c.newWord(2)
	v.kind = inWord
	return v.word
}

func (c *Compiler) vector(in *ir.Inst) {
	switch in.Op {
	case ir.VMake:
		c.vmake(in)
	case ir.VLow, ir.VHigh:
		w := c.vword(in.Args[0])
		x, cached := c.inVector(w)
		d := c.dest(noReg)
		switch high := in.Op == ir.VHigh; {
		case cached && high:
			c.rr(opPSHUFD, vtemp, x)
			c.byte(0xee)
			c.rr(opMOVDs|wide, vtemp, d)
		case cached:
			c.rr(opMOVDs|wide, x, d)
		case high:
			c.rm(opMOVload|wide, d, slotMem(w+1))
		default:
			c.rm(opMOVload|wide, d, slotMem(w))
		}
		c.done()
	}
}
