package amd64

import "rhea/internal/ir"

// This file lowers arithmetic.

// aluOps are the operations that have an ALU instruction.
var aluOps = [...]int8{ir.Add: aluADD, ir.Sub: aluSUB, ir.And: aluAND, ir.Or: aluOR, ir.Xor: aluXOR}

// compute lowers what gives a value and is not in emit's list.
func (c *Compiler) compute(in *ir.Inst) {
	bits := in.Type.Bits()
	switch in.Op {
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
			c.mov(bits, d, x)
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
		if m, ok := c.inFrame(in.Args[0]); ok {
			d := c.dest(noReg)
			c.rm([...]opcode{ir.I8: opMOVZX8, ir.I16: opMOVZX16, ir.I32: opMOVload}[in.Type], d, m)
			c.done()
			return
		}
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
func (c *Compiler) lea(in *ir.Inst, bits int) bool {
	base, index, part, ok := c.sum(in)
	if !ok || index == 0 {
		return false
	}
	m := c.memOf(c.low(in.Type, base), c.low(in.Type, index), uint(part.scale), uint64(int64(part.disp)))
	d := c.dest(noReg)
	if m.disp == 0 && m.scale == 0 && (d == m.base || d == m.index) {
		if d == m.base {
			c.alu(aluADD, bits, d, m.index)
		} else {
			c.alu(aluADD, bits, d, m.base)
		}
	} else {
		c.rm(opLEA|w(bits), d, m)
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
	x := c.use(c.lowArg(in, 0))
	if k, ok := c.imm32(c.lowArg(in, 1), bits); ok {
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
	y, m, inMem := c.operand(c.lowArg(in, 1))
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
	if m, inMem := c.inFrame(v); inMem {
		return noReg, m, true
	}
	return c.use(v), mem{}, false
}

// inFrame returns where v is in memory, under that condition.
func (c *Compiler) inFrame(v ir.Val) (m mem, ok bool) {
	v = c.origin(v)
	p := c.val(v)
	if p.need <= c.i && c.inst(v).Op != ir.Const && c.inst(v).Type >= ir.I32 {
		switch {
		case p.kind == inWord:
			return slotMem(p.word), true
		case p.kind == inHome && c.pin[p.slot] == noReg:
			return slotMem(uint16(p.slot)), true
		}
	}
	return mem{}, false
}

func (c *Compiler) mul(in *ir.Inst, bits int) {
	size := max(bits, 32)
	x := c.use(c.lowArg(in, 0))
	if k, ok := c.imm32(c.lowArg(in, 1), bits); ok {
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
	y := c.use(c.lowArg(in, 1))
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
		c.vals[other].cand = noCand
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
		if o := &c.insts[i]; o.Op == want && o.Type == in.Type && o.Args == in.Args && c.vals[i].need != 0 {
			return i
		}
	}
	return -1
}
