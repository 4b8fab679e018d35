package amd64

import "rhea/internal/ir"

// This file lowers comparisons and what depends on them.

// conds are the conditions of comparisons, and with the operands exchanged.
var (
	conds   = [...]cond{ir.Eq: ccE, ir.Ne: ccNE, ir.Ltu: ccB, ir.Leu: ccBE, ir.Lts: ccL, ir.Les: ccLE}
	flipped = [...]cond{ir.Eq: ccE, ir.Ne: ccNE, ir.Ltu: ccA, ir.Leu: ccAE, ir.Lts: ccG, ir.Les: ccGE}
)

// compared returns the operands of a comparison, or, if it asks whether the AND of
// two values is 0 that nobody else wants, those.
func (c *Compiler) compared(in *ir.Inst) (x, y ir.Val) {
	x, y = in.Args[0], in.Args[1]
	if a := c.inst(x); a.Op == ir.And && a.Uses == 1 && (in.Op == ir.Eq || in.Op == ir.Ne) {
		if k, ok := c.constOf(y); ok && k == 0 {
			return a.Args[0], a.Args[1]
		}
	}
	return x, y
}

// useCompared puts the operands of a fused comparison into registers.
func (c *Compiler) useCompared(in *ir.Inst) {
	x, y := c.compared(in)
	for _, v := range [2]ir.Val{x, y} {
		if _, ok := c.constOf(v); !ok {
			c.use(v)
		}
	}
}

// test is compare of the AND of two values with 0.
func (c *Compiler) test(x, y ir.Val, bits int) {
	if _, ok := c.constOf(x); ok {
		x, y = y, x
	}
	r := c.use(x)
	if k, ok := c.constOf(y); ok && k < 1<<31 {
		c.ext(0xf7, 0, r)
		c.int32(int32(k))
		return
	}
	c.rr(opTEST|w(bits), r, c.use(y))
}

// compare sets the host's flags for a comparison and returns the condition
// under which it is true.
func (c *Compiler) compare(in *ir.Inst) cond {
	bits := c.bits(in.Args[0])
	x, y := in.Args[0], in.Args[1]
	cc := conds[in.Op]
	if p, q := c.compared(in); p != x && c.val(x).fused {
		c.test(p, q, bits)
		return cc
	}
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
		return c.compare(c.inst(v))
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
