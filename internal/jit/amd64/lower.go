package amd64

import (
	"fmt"

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
		if p.word == NoWord { // else a jump to here has given it one
			p.word = c.newWord(1)
		}
		p.kind = inWord
	case ir.Get:
		c.get(in)
	case ir.Set:
		c.set(in)
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
		c.linkTo(in.Imm)
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
	if s == c.vec.fpStatus {
		c.getStatus()
	}
	if c.cfg.Slots.Stack.Has(s) {
		c.toFrame()
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
			c.mov(64, r, pr)
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
	if s == c.vec.fpStatus {
		c.setStatus()
	}
	if s == c.cfg.Slots.Stack.Control && s != 0 {
		c.fpu.staleCW = true
	}
	if c.cfg.Slots.Stack.Has(s) {
		c.toFrame()
	}
	if p.kind == inHome && p.slot == s {
		c.unpend(s)
		return
	}
	pr := c.pin[s]
	if pr == noReg {
		if c.pend[s] == 0 {
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
				c.loadWord(pr, uint16(p.slot), c.u.Inst(v).Type)
			} else {
				c.rm(opMOVload|wide, pr, slotMem(p.word))
			}
			return
		}
	}
	r := c.use(v)
	c.mov(64, pr, r)
	if p.kind == inReg && p.need > c.i && p.need < c.end { // the home is as good, and the register is free
		c.free(r)
		c.live(int32(v)-1, s)
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
	c.slots = c.slots[:0]
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
		if c.u.Inst(v).Type == ir.V128 {
			p.word = c.newWord(2)
			c.copy128(p.word, uint16(p.slot))
			p.kind = inWord
			continue
		}
		locked := c.locked
		r := c.use(v)
		c.spill(v)
		c.free(r)
		p.kind = inWord
		c.locked = locked
	}
}

// copyPending lists the pending Sets, which stay pending, as copies that need
// no register.
func (c *Compiler) copyPending() {
	for _, s := range c.slots {
		v := c.pend[s]
		if v == 0 {
			continue
		}
		o := copyOp{slot: uint16(s), word: NoWord, r: noReg}
		in, p := c.u.Inst(v), c.val(v)
		switch {
		case in.Op == ir.Const:
			o.k = in.Imm
		case in.Op == ir.VConst:
			o.k = in.Imm
			c.copies = append(c.copies, o)
			o.slot++
		case in.Type == ir.V128:
			o.word = c.vword(v)
			c.copies = append(c.copies, o)
			o.slot, o.word = o.slot+1, o.word+1
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
	return c.u.Inst(v).Type == ir.V128 && c.pend[s+1] != 0
}

// write stores v to a word of the frame.
func (c *Compiler) write(w uint16, v ir.Val) {
	in := c.u.Inst(v)
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

// --- computing

// aluOps are the operations that have an ALU instruction.
var aluOps = [...]int8{ir.Add: aluADD, ir.Sub: aluSUB, ir.And: aluAND, ir.Or: aluOR, ir.Xor: aluXOR}

func (c *Compiler) compute(in *ir.Inst) {
	bits := in.Type.Bits()
	switch in.Op {
	case ir.Add:
		if bits == 32 && c.lea(in) {
			return
		}
		c.alu2(in, bits)
	case ir.Sub, ir.And, ir.Or, ir.Xor:
		c.alu2(in, bits)
	case ir.Mul:
		c.mul(in, bits)
	case ir.MulHU, ir.MulHS:
		c.mulHigh(in, bits)
	case ir.Shl, ir.Shr, ir.Sar, ir.Rotl, ir.Rotr:
		c.shift(in, bits)
	case ir.UDiv, ir.URem, ir.SDiv, ir.SRem:
		c.divide(in, bits)
	case ir.Neg, ir.Not:
		x := c.use(in.Args[0])
		d := c.dest(x)
		if d != x {
			c.mov(64, d, x)
		}
		n := uint8(3)
		if in.Op == ir.Not {
			n = 2
		}
		c.group3(n, max(bits, 32), d)
		c.narrow(bits, d)
		c.done()
	case ir.Bswap:
		c.bswap(in, bits)
	case ir.Clz, ir.Ctz, ir.Popcnt:
		c.count(in, bits)
	case ir.Sext:
		from := c.bits(in.Args[0])
		x := c.use(in.Args[0])
		d := c.dest(x)
		c.sext(from, max(bits, 32), d, x)
		c.narrow(bits, d)
		c.done()
	case ir.Trunc:
		x := c.use(in.Args[0])
		d := c.dest(x)
		c.zext(bits, d, x)
		c.done()
	case ir.Extract:
		c.extract(in)
	case ir.Deposit:
		c.deposit(in, bits)
	case ir.Eq, ir.Ne, ir.Ltu, ir.Leu, ir.Lts, ir.Les:
		cc := c.compare(in)
		d := c.dest(noReg)
		c.rr(opSETCC+opcode(cc), 0, d)
		c.zext(8, d, d)
		c.done()
	case ir.Select:
		c.sel(in, bits)
	default:
		panic("BUG: amd64: no lowering of " + in.Op.String())
	}
}

// narrow makes a result of 8 or 16 bits zero-extended.
func (c *Compiler) narrow(bits int, d reg) {
	if bits < 32 {
		c.zext(bits, d, d)
	}
}

// lea computes a sum of three, or one whose operands stay.
func (c *Compiler) lea(in *ir.Inst) bool {
	base, index, scale, disp := c.u.Sum(in)
	if index == 0 {
		return false
	}
	m := c.memOf(base, index, scale, disp)
	d := c.dest(noReg)
	if m.disp == 0 && m.scale == 0 && (d == m.base || d == m.index) {
		if d == m.base {
			c.alu(aluADD, 32, d, m.index)
		} else {
			c.alu(aluADD, 32, d, m.base)
		}
	} else {
		c.rm(opLEA, d, m)
	}
	c.done()
	return true
}

// memOf is a memory operand for LEA.
func (c *Compiler) memOf(base, index ir.Val, scale uint, disp uint64) mem {
	m := mem{base: noReg, index: noReg, scale: uint8(scale), disp: int32(uint32(disp))}
	if k, ok := c.constOf(base); ok {
		m.disp += int32(uint32(k))
	} else {
		m.base = c.use(base)
	}
	if index != 0 {
		m.index = c.use(index)
	}
	return m
}

func commutes(op ir.Op) bool { return op != ir.Sub }

func (c *Compiler) alu2(in *ir.Inst, bits int) {
	op := int(aluOps[in.Op])
	size := max(bits, 32)
	x := c.use(in.Args[0])
	if k, ok := c.imm32(in.Args[1], bits); ok {
		d := c.dest(x)
		switch {
		case d == x:
			c.alui(op, size, d, k)
		case in.Op == ir.Add:
			c.rm(opLEA|w(size), d, at(x, k))
		case in.Op == ir.Sub && k != -1<<31:
			c.rm(opLEA|w(size), d, at(x, -k))
		case in.Op == ir.And && uint32(k) == 0xff && bits <= 32:
			c.zext(8, d, x)
		case in.Op == ir.And && uint32(k) == 0xffff && bits <= 32:
			c.zext(16, d, x)
		default:
			c.mov(size, d, x)
			c.alui(op, size, d, k)
		}
		if in.Op == ir.Add || in.Op == ir.Sub || bits < 32 && k < 0 {
			c.narrow(bits, d)
		}
		c.done()
		return
	}
	y, m, inMem := c.operand(in.Args[1])
	d := c.dest(x)
	emit := func(d reg) {
		if inMem {
			c.rm(opALU|opcode(op)<<3|w(size), d, m)
		} else {
			c.alu(op, size, d, y)
		}
	}
	switch {
	case d == x:
		emit(d)
	case !inMem && d == y && commutes(in.Op):
		c.alu(op, size, d, x)
	case !inMem && d == y: // x - y into y
		c.group3(3, size, d)
		c.alu(aluADD, size, d, x)
	default:
		c.mov(size, d, x)
		emit(d)
	}
	if in.Op == ir.Add || in.Op == ir.Sub {
		c.narrow(bits, d)
	}
	c.done()
}

// operand returns v as a register, or in memory if this is its only use and
// it is a whole word there.
func (c *Compiler) operand(v ir.Val) (r reg, m mem, inMem bool) {
	v = c.origin(v)
	p := c.val(v)
	if p.need <= c.i && c.u.Inst(v).Op != ir.Const && c.u.Inst(v).Type >= ir.I32 {
		switch {
		case p.kind == inWord:
			return noReg, slotMem(p.word), true
		case p.kind == inHome && c.pin[p.slot] == noReg:
			return noReg, slotMem(uint16(p.slot)), true
		}
	}
	return c.use(v), mem{}, false
}

func (c *Compiler) mul(in *ir.Inst, bits int) {
	size := max(bits, 32)
	x := c.use(in.Args[0])
	if k, ok := c.imm32(in.Args[1], bits); ok {
		d := c.dest(x)
		if k == int32(int8(k)) {
			c.rr(0x6b|w(size), d, x)
			c.byte(byte(k))
		} else {
			c.rr(0x69|w(size), d, x)
			c.int32(k)
		}
		c.narrow(bits, d)
		c.done()
		return
	}
	y := c.use(in.Args[1])
	d := c.dest(x)
	switch {
	case d == x:
		c.rr(opIMUL|w(size), d, y)
	case d == y:
		c.rr(opIMUL|w(size), d, x)
	default:
		c.mov(size, d, x)
		c.rr(opIMUL|w(size), d, y)
	}
	c.narrow(bits, d)
	c.done()
}

func (c *Compiler) mulHigh(in *ir.Inst, bits int) {
	signed := in.Op == ir.MulHS
	if bits == 64 {
		x, y := c.use(in.Args[0]), c.use(in.Args[1])
		if y == rax { // the one operand that is fixed
			x, y = y, x
		}
		t := c.copyTo(rax, x, y)
		if t != noReg {
			y = t
		}
		c.take2(rdx, &y)
		n := uint8(4)
		if signed {
			n = 5
		}
		c.group3(n, 64, y)
		d := c.dest(rdx)
		if d != rdx {
			c.mov(64, d, rdx)
		}
		c.done()
		return
	}
	x, y := c.use(in.Args[0]), c.use(in.Args[1])
	t := c.temp()
	d := c.dest(noReg)
	if signed {
		c.sext(bits, 64, t, x)
		u := c.temp()
		c.sext(bits, 64, u, y)
		c.rr(opIMUL|wide, t, u)
	} else {
		c.mov(64, t, x)
		c.rr(opIMUL|wide, t, y)
	}
	c.shifti(shSHR, 64, t, uint8(bits))
	c.zext(bits, d, t)
	c.done()
}

// copyTo puts the value in register x into the fixed register f for the
// current instruction to destroy. Other, a register that is used as well, is
// moved if it is f: its new place is returned, else noReg.
func (c *Compiler) copyTo(f, x, other reg) reg {
	moved := noReg
	if other == f {
		moved = c.temp()
		c.mov(64, moved, f)
	}
	if v := c.regVal[f]; v != 0 && c.val(v).need > c.i {
		c.keepElsewhere(f)
	} else {
		c.paged &^= 1 << f
	}
	if x != f {
		c.mov(64, f, x)
	}
	c.lock(f)
	return moved
}

// keepElsewhere moves the value in temporary register r, which is needed
// later, to another place; r still has its copy.
func (c *Compiler) keepElsewhere(r reg) {
	v := c.regVal[r]
	c.spill(v)
	c.val(v).kind = inWord
	c.free(r)
}

// take2 makes the fixed register f free to be destroyed; *y, a register that
// is used as well, is moved if it is f.
func (c *Compiler) take2(f reg, y *reg) {
	if *y == f {
		t := c.temp()
		c.mov(64, t, f)
		*y = t
	}
	if v := c.regVal[f]; v != 0 && c.val(v).need > c.i {
		c.keepElsewhere(f)
	} else if v != 0 {
		c.val(v).kind = nowhere
		c.free(f)
	}
	c.paged &^= 1 << f
	c.lock(f)
}

var shiftOps = [...]uint8{ir.Shl: shSHL, ir.Shr: shSHR, ir.Sar: shSAR, ir.Rotl: shROL, ir.Rotr: shROR}

func (c *Compiler) shift(in *ir.Inst, bits int) {
	op := shiftOps[in.Op]
	rotate := in.Op == ir.Rotl || in.Op == ir.Rotr
	size := bits // of the host's operation
	if !rotate {
		size = max(bits, 32)
	}
	x := c.use(in.Args[0])
	if k, ok := c.constOf(in.Args[1]); ok {
		k &= uint64(bits - 1)
		d := c.dest(x)
		switch {
		case in.Op == ir.Sar && bits < 32:
			c.sext(bits, 32, d, x)
		case in.Op == ir.Shl && k == 1 && size == 32 && d != x:
			c.rm(opLEA, d, mem{base: x, index: x})
			c.narrow(bits, d)
			c.done()
			return
		case d != x:
			c.mov(64, d, x)
		}
		if k != 0 {
			c.shifti(op, size, d, uint8(k))
		}
		if in.Op == ir.Shl || in.Op == ir.Sar {
			c.narrow(bits, d)
		}
		c.done()
		return
	}
	y := c.use(in.Args[1])
	mask := bits < 32 && !rotate
	if c.cfg.BMI2 && !rotate && !mask {
		d := c.dest(x)
		c.shiftx(in.Op, size, d, x, y)
		c.done()
		return
	}
	// The count goes to CL.
	if t := c.copyTo(rcx, y, x); t != noReg {
		x = t
	}
	if mask {
		c.alui(aluAND, 32, rcx, int32(bits-1))
	}
	var d reg
	if x == rcx {
		x = c.temp()
		c.mov(64, x, rcx)
	}
	if d = c.dest(x); d == rcx {
		panic("BUG: amd64: shift in the count's register")
	}
	if in.Op == ir.Sar && bits < 32 {
		c.sext(bits, 32, d, x)
	} else if d != x {
		c.mov(64, d, x)
	}
	c.shiftcl(op, size, d)
	if in.Op == ir.Shl || in.Op == ir.Sar {
		c.narrow(bits, d)
	}
	c.done()
}

// shiftPrefix is what tells SHLX, SARX and SHRX apart.
var shiftPrefix = [...]byte{ir.Shl: 1, ir.Sar: 2, ir.Shr: 3}

// shiftx is SHLX, SHRX and SARX (APM vol. 3): d = x shifted by y.
func (c *Compiler) shiftx(op ir.Op, bits int, d, x, y reg) {
	pp := shiftPrefix[op]
	c.vex(pp, 2, bits == 64, 0xf7, d, y, x)
}

// vex writes an instruction with a three-byte VEX prefix: reg, vvvv, r/m.
func (c *Compiler) vex(pp, m byte, w64 bool, o byte, r, v, b reg) {
	b1 := m | 0x40 // no index
	if r < 8 {
		b1 |= 0x80
	}
	if b < 8 {
		b1 |= 0x20
	}
	b2 := ^byte(v)&15<<3 | pp
	if w64 {
		b2 |= 0x80
	}
	c.put(0xc4|uint64(b1)<<8|uint64(b2)<<16|uint64(o)<<24|uint64(0xc0|byte(r&7)<<3|byte(b&7))<<32, 5)
}

// divide computes a quotient or remainder, and along with it the other one if
// that follows.
func (c *Compiler) divide(in *ir.Inst, bits int) {
	if c.vals[c.i].kind != nowhere { // done by the one before
		return
	}
	signed := in.Op == ir.SDiv || in.Op == ir.SRem
	quotient := in.Op == ir.UDiv || in.Op == ir.SDiv
	x, y := c.use(in.Args[0]), c.use(in.Args[1])
	size := max(bits, 32)
	// RDX:RAX / t. The divisor is not where it is destroyed.
	locked := c.locked
	c.locked |= 1<<rax | 1<<rdx
	t := c.temp()
	c.locked = locked | 1<<t
	if signed {
		c.sextTo(bits, t, y)
	} else {
		c.mov(64, t, y)
	}
	c.take2(rdx, &x)
	if n := c.copyTo(rax, x, noReg); n != noReg {
		panic("BUG: amd64: division's operands")
	}
	if v := c.regVal[rax]; v != 0 {
		c.val(v).kind = nowhere
		c.free(rax)
	}
	if signed {
		c.sextTo(bits, rax, rax)
	}
	// x/0 = 0, x%0 = x; min/-1 = min, min%-1 = 0.
	c.rr(opTEST|w(size), t, t)
	nonzero := c.jcc8(ccNE)
	c.mov(64, rdx, rax)
	c.alu(aluXOR, 32, rax, rax)
	end1 := c.jmp8()
	c.here8(nonzero)
	end2 := 0
	if signed {
		c.alui(aluCMP, size, t, -1)
		normal := c.jcc8(ccNE)
		c.group3(3, size, rax)
		c.alu(aluXOR, 32, rdx, rdx)
		end2 = c.jmp8()
		c.here8(normal)
		c.head(0x99|w(size), 0, 0, 0, false) // CDQ, CQO
		c.group3(7, size, t)
	} else {
		c.alu(aluXOR, 32, rdx, rdx)
		c.group3(6, size, t)
	}
	c.here8(end1)
	if end2 != 0 {
		c.here8(end2)
	}
	other := c.otherOf(in)
	first, second := rax, rdx
	if !quotient {
		first, second = rdx, rax
	}
	c.narrow(bits, first)
	if other >= 0 {
		c.narrow(bits, second)
		i := c.i
		c.i = other
		c.own(second)
		c.vals[other].cand = -1
		c.i = i
	}
	d := c.dest(first)
	if d != first {
		c.mov(64, d, first)
	}
	c.done()
	if other >= 0 {
		c.afterDef(ir.Val(other + 1))
	}
}

func (c *Compiler) sextTo(bits int, d, s reg) {
	switch {
	case bits < 32:
		c.sext(bits, 32, d, s)
	case d != s:
		c.mov(64, d, s)
	}
}

// otherOf finds the remainder that goes with a quotient, or the reverse, later
// in the block; -1 = none.
func (c *Compiler) otherOf(in *ir.Inst) int32 {
	want := map[ir.Op]ir.Op{ir.UDiv: ir.URem, ir.URem: ir.UDiv, ir.SDiv: ir.SRem, ir.SRem: ir.SDiv}[in.Op]
	for i := c.i + 1; i < min(c.end, c.i+32); i++ {
		if o := &c.u.Insts[i]; o.Op == want && o.Type == in.Type && o.Args == in.Args && c.vals[i].need >= 0 {
			return i
		}
	}
	return -1
}

func (c *Compiler) bswap(in *ir.Inst, bits int) {
	x := c.use(in.Args[0])
	d := c.dest(x)
	if d != x {
		c.mov(64, d, x)
	}
	switch bits {
	case 8:
	case 16:
		c.shifti(shROL, 16, d, 8)
	default:
		c.head(map0F<<8|0xc8|opcode(d&7)|w(bits), 0, 0, d, false)
	}
	c.done()
}

// count is Clz, Ctz and Popcnt. Without LZCNT and TZCNT, BSR and BSF serve:
// a bit beyond the operand stands in for zero.
func (c *Compiler) count(in *ir.Inst, bits int) {
	x := c.use(in.Args[0])
	switch in.Op {
	case ir.Popcnt:
		d := c.dest(noReg)
		c.popcount(d, x, bits)
	case ir.Ctz:
		t := c.temp()
		d := c.dest(noReg)
		if bits == 64 {
			c.movi(t, 64)
			c.rr(opBSF|wide, d, x)
			c.rr(opCMOV+opcode(ccE)|wide, d, t)
		} else {
			c.movi(t, 1<<bits)
			c.alu(aluOR, 64, t, x)
			c.rr(opBSF|wide, d, t)
		}
	default:
		// clz(x) = 63 - bsr(2x+1) of one bit more.
		t := c.temp()
		d := c.dest(noReg)
		if bits == 64 {
			c.movi(t, 127)
			c.rr(opBSR|wide, d, x)
			c.rr(opCMOV+opcode(ccE)|wide, d, t)
			c.alui(aluXOR, 64, d, 63)
		} else {
			c.rm(opLEA|wide, t, mem{base: x, index: x, disp: 1})
			c.rr(opBSR|wide, d, t)
			c.group3(3, 32, d)
			c.alui(aluADD, 32, d, int32(bits))
		}
	}
	c.done()
}

// popcount uses POPCNT, which every AMD64 processor since 2008 has; others
// are not translated for.
func (c *Compiler) popcount(d, x reg, bits int) { c.rr(opPOPCNT|w(bits), d, x) }

func (c *Compiler) extract(in *ir.Inst) {
	pos, width := ir.FieldOf(in.Imm)
	x := c.use(in.Args[0])
	from := c.bits(in.Args[0])
	d := c.dest(x)
	if pos == 0 && (width == 8 || width == 16 || width == 32) {
		c.zext(int(width), d, x)
		c.done()
		return
	}
	if d != x {
		c.mov(64, d, x)
	}
	if pos != 0 {
		c.shifti(shSHR, max(from, 32), d, uint8(pos))
	}
	c.mask(d, width, uint(from)-pos)
	c.done()
}

// mask clears all but the low width bits of d, of which have may be set.
func (c *Compiler) mask(d reg, width, have uint) {
	switch {
	case width >= have:
	case width == 8 || width == 16 || width == 32:
		c.zext(int(width), d, d)
	case width < 32:
		c.alui(aluAND, 32, d, int32(1<<width-1))
	default:
		c.shifti(shSHL, 64, d, uint8(64-width))
		c.shifti(shSHR, 64, d, uint8(64-width))
	}
}

func (c *Compiler) deposit(in *ir.Inst, bits int) {
	pos, width := ir.FieldOf(in.Imm)
	x, y := c.use(in.Args[0]), c.use(in.Args[1])
	d := c.dest(x)
	if d == y && d != x { // y's home is overwritten
		t := c.temp()
		c.mov(64, t, y)
		y = t
	}
	if d != x {
		c.mov(64, d, x)
	}
	if d == y { // x and y are the same
		t := c.temp()
		c.mov(64, t, y)
		y = t
	}
	switch {
	case width == 8 && pos == 0:
		c.rr(0x8a|byte8, d, y)
	case width == 16 && pos == 0:
		c.byte(0x66)
		c.mov(32, d, y)
	case width == 8 && pos == 8 && bits == 32:
		c.shifti(shROR, 32, d, 8)
		c.rr(0x8a|byte8, d, y)
		c.shifti(shROL, 32, d, 8)
	default:
		t := c.temp()
		c.mov(64, t, y)
		c.mask(t, width, 64)
		if pos != 0 {
			c.shifti(shSHL, 64, t, uint8(pos))
		}
		u := c.temp()
		c.movi(u, ^(^uint64(0) >> (64 - width) << pos))
		c.alu(aluAND, 64, d, u)
		c.alu(aluOR, 64, d, t)
		c.narrow(bits, d)
	}
	c.done()
}

// --- comparisons

// conds are the conditions of comparisons, and with the operands exchanged.
var (
	conds   = [...]cond{ir.Eq: ccE, ir.Ne: ccNE, ir.Ltu: ccB, ir.Leu: ccBE, ir.Lts: ccL, ir.Les: ccLE}
	flipped = [...]cond{ir.Eq: ccE, ir.Ne: ccNE, ir.Ltu: ccA, ir.Leu: ccAE, ir.Lts: ccG, ir.Les: ccGE}
)

// compare sets the host's flags for a comparison and returns the condition
// under which it is true.
func (c *Compiler) compare(in *ir.Inst) cond {
	bits := c.bits(in.Args[0])
	x, y := in.Args[0], in.Args[1]
	cc := conds[in.Op]
	if _, ok := c.imm32(x, bits); ok {
		if _, ok := c.constOf(y); !ok {
			x, y, cc = y, x, flipped[in.Op]
		}
	}
	signed := in.Op == ir.Lts || in.Op == ir.Les
	rx := c.use(x)
	if k, ok := c.imm32(y, bits); ok {
		if k == 0 && (in.Op == ir.Eq || in.Op == ir.Ne || signed) {
			switch {
			case bits == 8:
				c.rr(opTEST8, rx, rx)
			case bits == 16 && signed:
				c.byte(0x66)
				c.rr(opTEST, rx, rx)
			default:
				c.rr(opTEST|w(bits), rx, rx)
			}
			return cc
		}
		switch {
		case bits == 8:
			c.ext(0x80|byte8, aluCMP, rx)
			c.byte(byte(k))
		case bits == 16 && signed:
			t := c.temp()
			c.sext(16, 32, t, rx)
			c.alui(aluCMP, 32, t, int32(int16(k)))
		default:
			c.alui(aluCMP, max(bits, 32), rx, k)
		}
		return cc
	}
	if bits >= 32 {
		if r, m, inMem := c.operand(y); inMem {
			c.rm(opALU|aluCMP<<3|w(bits), rx, m)
		} else {
			c.alu(aluCMP, bits, rx, r)
		}
		return cc
	}
	ry := c.use(y)
	switch {
	case bits == 8 && signed:
		c.rr(0x3a|byte8, rx, ry)
	case bits == 16 && signed:
		c.byte(0x66)
		c.alu(aluCMP, 32, rx, ry)
	default: // both are zero-extended
		c.alu(aluCMP, 32, rx, ry)
	}
	return cc
}

// condition sets the host's flags for v, a fused comparison or a value that
// is true if it is not 0.
func (c *Compiler) condition(v ir.Val) cond {
	if c.val(v).fused {
		return c.compare(c.u.Inst(v))
	}
	r := c.use(v)
	c.rr(opTEST|wide, r, r)
	return ccNE
}

func (c *Compiler) sel(in *ir.Inst, bits int) {
	size := max(bits, 32)
	if w := c.val(in.Args[0]); !w.fused {
		c.use(in.Args[0])
	}
	x, y := c.use(in.Args[1]), c.use(in.Args[2])
	// The destination must not be an operand of the comparison.
	d := c.temp()
	cc := c.condition(in.Args[0])
	c.mov(size, d, y)
	c.rr(opCMOV+opcode(cc)|w(size), d, x)
	r := c.dest(d)
	if r != d {
		c.mov(64, r, d)
	}
	c.done()
}

// --- vectors: they live in words of the frame

// vword returns the first of the two words in which v lies.
func (c *Compiler) vword(v ir.Val) uint16 {
	p := c.val(v)
	if in := c.u.Inst(v); in.Op == ir.VConst {
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
	if v.cand >= 0 && !c.leaves(c.i) && c.homeFree(ir.Slot(v.cand)) && c.homeFree(ir.Slot(v.cand+1)) {
		s := uint16(v.cand)
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
		if in.Op == ir.VHigh {
			w++
		}
		d := c.dest(noReg)
		c.rm(opMOVload|wide, d, slotMem(w))
		c.done()
	}
}
