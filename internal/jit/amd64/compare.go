package amd64

import "rhea/internal/ir"

// This file lowers comparisons and what depends on them.

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
