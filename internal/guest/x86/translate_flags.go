package x86

import (
	"math/bits"

	"rhea/internal/ir"
)

// setCC sets the lazy flags after an operation of size bytes. Values that the
// kind does not need are 0.
func (t *tx) setCC(kind uint64, size int, dst, src, aux ir.Val) {
	op := kind + uint64(bits.TrailingZeros(uint(size)))
	t.Set(slotCCOp, t.imm32(op))
	t.Set(slotCCDst, dst)
	if src != 0 {
		t.Set(slotCCSrc, src)
	}
	if aux != 0 && (kind == ccAdc || kind == ccSbb) {
		t.Set(slotCCAux, aux)
	}
	t.cc = cc{known: true, op: op, dst: dst, src: src, aux: aux}
}

// setShift is setCC after a shift of a by a constant.
func (t *tx) setShift(kind uint64, size int, dst, a ir.Val, count uint64) {
	t.setCC(kind, size, dst, a, 0)
	t.cc.op |= count << ccCountPos
	t.Set(slotCCOp, t.imm32(t.cc.op))
}

// setInc sets the lazy flags after INC and DEC (kind) with result v.
func (t *tx) setInc(kind uint64, size int, v ir.Val) {
	t.overlay(ccByte<<ccIncPos, (kind+log2(size)|ccNewer)<<ccIncPos)
	t.Set(slotCCInc, v)
	t.cc.inc = v
}

// setRot sets CF and OF after a rotation with result v.
func (t *tx) setRot(kind uint64, size int, v ir.Val) {
	t.overlay(ccByte<<ccRotPos|ccNewer<<ccIncPos|ccCarry, (kind+log2(size))<<ccRotPos)
	t.Set(slotCCRot, v)
	t.cc.rot = v
}

// setCarry sets CF to bit 0 of v.
func (t *tx) setCarry(v ir.Val) {
	t.overlay(ccCarry, ccCarry)
	t.Set(slotCCCarry, v)
	t.cc.carry = v
}

// overlay replaces the bits of mask of CCOp.
func (t *tx) overlay(mask, op uint64) {
	c := &t.cc
	c.op = c.op&^mask | op
	c.all = 0
	if c.known {
		t.Set(slotCCOp, t.imm32(c.op))
		return
	}
	old := t.BinImm(ir.And, t.Get(ir.I32, slotCCOp), ^mask&0xffffffff)
	t.Set(slotCCOp, t.BinImm(ir.Or, old, op))
}

// incOp and rotOp are what lies over the flags.
func (c *cc) incOp() uint64 { return c.op >> ccIncPos & ccByte }
func (c *cc) rotOp() uint64 { return c.op >> ccRotPos & ccByte }

// flags returns the arithmetic flags as an I64.
func (t *tx) flags() ir.Val {
	if t.cc.all == 0 {
		t.cc.all = t.computeFlags()
	}
	return t.cc.all
}

func (t *tx) computeFlags() ir.Val {
	c := &t.cc
	kind := c.op & ccByte &^ 3
	if !c.known || kind == ccAdc || kind == ccSbb {
		return t.Call(ir.I64, hFlagsState, ir.NoStop|ir.KeepsStack)
	}
	f := c.src
	if kind != ccFlags {
		if f == 0 {
			f = t.Const(ir.I64, 0)
		}
		f = t.Call(ir.I64, hFlags, ir.Pure, t.imm32(c.op&^(ccByte<<ccIncPos|ccByte<<ccRotPos|ccCarry)), c.dst, f)
	}
	if c.rotOp() != 0 {
		cf, of := t.rotated()
		cf = t.Bin(ir.Or, t.Conv(ir.I64, cf, false), t.BinImm(ir.Shl, t.Conv(ir.I64, of, false), 11))
		f = t.Bin(ir.Or, t.BinImm(ir.And, f, flagsArith&^(flagCF|flagOF)), cf)
	}
	if op := c.incOp(); op&^ccNewer != 0 {
		g := t.Call(ir.I64, hFlags, ir.Pure, t.imm32(op&^ccNewer), c.inc, t.BinImm(ir.And, f, flagCF))
		if op&ccNewer == 0 {
			g = t.Bin(ir.Or, t.BinImm(ir.And, g, flagsArith&^flagOF), t.BinImm(ir.And, f, flagOF))
		}
		f = g
	}
	if c.op&ccCarry != 0 {
		f = t.Bin(ir.Or, t.BinImm(ir.And, f, flagsArith&^flagCF), t.BinImm(ir.And, t.Conv(ir.I64, c.carry, false), 1))
	}
	return f
}

// rotated returns CF and OF of what setRot was given, as I8.
func (t *tx) rotated() (cf, of ir.Val) {
	op, v := t.cc.rotOp(), t.cc.rot
	top := 8<<(op&3) - 1
	if op&^3 == ccRol {
		cf = t.Extract(ir.I8, v, 0, 1)
		return cf, t.Bin(ir.Xor, cf, t.Extract(ir.I8, v, top, 1))
	}
	cf = t.Extract(ir.I8, v, top, 1)
	return cf, t.Bin(ir.Xor, cf, t.Extract(ir.I8, v, top-1, 1))
}

// setFlags makes f, an I64, the arithmetic flags.
func (t *tx) setFlags(f ir.Val) {
	t.Set(slotCCOp, t.imm32(ccFlags))
	t.Set(slotCCSrc, f)
	t.cc = cc{known: true, op: ccFlags, src: f, all: f}
}

// flag returns one of the arithmetic flags as an I8.
func (t *tx) flag(bit uint64) ir.Val {
	return t.Extract(ir.I8, t.flags(), bits.TrailingZeros64(bit), 1)
}

// carry returns CF as an I8.
func (t *tx) carry() ir.Val { return t.condition(2) }

// condition returns whether condition code n (SDM vol. 1, appendix B) is true.
func (t *tx) condition(n int) ir.Val {
	v := t.positive(n >> 1)
	if n&1 == 0 {
		return v
	}
	return t.not(v)
}

// not negates a condition. The negation of a comparison is one, too.
func (t *tx) not(v ir.Val) ir.Val {
	if in := t.Unit().Inst(v); in.Op >= ir.Eq && in.Op <= ir.Les {
		x, y := in.Args[0], in.Args[1]
		switch in.Op {
		case ir.Eq:
			return t.Cmp(ir.Ne, x, y)
		case ir.Ne:
			return t.Cmp(ir.Eq, x, y)
		case ir.Ltu:
			return t.Cmp(ir.Leu, y, x)
		case ir.Leu:
			return t.Cmp(ir.Ltu, y, x)
		case ir.Lts:
			return t.Cmp(ir.Les, y, x)
		case ir.Les:
			return t.Cmp(ir.Lts, y, x)
		}
	}
	return t.CmpImm(ir.Eq, v, 0)
}

// Conditions without their negation: n>>1.
const (
	condO = iota
	condB
	condE
	condBE
	condS
	condP
	condL
	condLE
)

func (t *tx) positive(n int) ir.Val {
	c := &t.cc
	if c.all == 0 {
		if v := t.overlaid(n); v != 0 {
			return v
		}
		if c.known && c.op&(ccByte<<ccIncPos|ccByte<<ccRotPos|ccCarry) == 0 {
			if v := t.plain(n); v != 0 {
				return v
			}
		}
	}
	f := t.flags()
	bit := func(pos int) ir.Val { return t.Extract(ir.I8, f, pos, 1) }
	switch n {
	case condO:
		return bit(11)
	case condB:
		return bit(0)
	case condE:
		return bit(6)
	case condBE:
		return t.CmpImm(ir.Ne, t.BinImm(ir.And, f, flagCF|flagZF), 0)
	case condS:
		return bit(7)
	case condP:
		return bit(2)
	case condL:
		return t.Cmp(ir.Ne, bit(7), bit(11))
	default:
		return t.CmpImm(ir.Ne, t.Bin(ir.Or, t.Cmp(ir.Ne, bit(7), bit(11)), bit(6)), 0)
	}
}

// overlaid returns a condition, if what lies over the flags has to do with it
// and it can be had without computing all of them; else 0.
func (t *tx) overlaid(n int) ir.Val {
	c := &t.cc
	inc, rot := c.incOp(), c.rotOp()
	if inc|rot|c.op&ccCarry == 0 {
		return 0
	}
	switch n {
	case condB:
		switch {
		case c.op&ccCarry != 0:
			return t.Extract(ir.I8, c.carry, 0, 1)
		case rot != 0:
			cf, _ := t.rotated()
			return cf
		case c.known:
			return t.plain(n)
		}
	case condE, condS:
		switch {
		case inc == 0 && c.known:
			return t.plain(n)
		case inc == 0:
		case n == condE:
			return t.CmpImm(ir.Eq, c.inc, 0)
		default:
			return t.CmpImm(ir.Lts, c.inc, 0)
		}
	case condO:
		switch {
		case inc&ccNewer != 0:
			edge := uint64(1) << (8<<(inc&3) - 1)
			if inc&^(ccNewer|3) == ccDec {
				edge--
			}
			return t.CmpImm(ir.Eq, c.inc, edge)
		case rot != 0:
			_, of := t.rotated()
			return of
		}
	case condBE, condL, condLE:
		other, also := condS, condO
		if n == condBE {
			other, also = condB, condE
		}
		x := t.overlaid(other)
		if x == 0 {
			return 0
		}
		y := t.overlaid(also)
		switch {
		case y == 0:
		case n == condBE:
			return t.Bin(ir.Or, x, y)
		case n == condL:
			return t.Cmp(ir.Ne, x, y)
		default:
			if z := t.overlaid(condE); z != 0 {
				return t.Bin(ir.Or, z, t.Cmp(ir.Ne, x, y))
			}
		}
	}
	return 0
}

// plain returns a condition where the last operation's kind is known and
// nothing lies over it as far as n is concerned; 0 = not so easily.
func (t *tx) plain(n int) ir.Val {
	c := &t.cc
	switch c.op & ccByte &^ 3 {
	case ccSub, ccCmp:
		a, b := c.aux, c.src
		if c.op&ccByte&^3 == ccCmp {
			a = c.dst
		}
		switch n {
		case condB:
			return t.Cmp(ir.Ltu, a, b)
		case condE:
			return t.Cmp(ir.Eq, a, b)
		case condBE:
			return t.Cmp(ir.Leu, a, b)
		case condS:
			return t.CmpImm(ir.Lts, t.Bin(ir.Sub, a, b), 0)
		case condL:
			return t.Cmp(ir.Lts, a, b)
		case condLE:
			return t.Cmp(ir.Les, a, b)
		case condO:
			return t.overflow(n)
		}
		return 0
	case ccFlags:
		return 0
	case ccAdc, ccSbb:
		if n == condB { // the carry out of the top bit
			a := c.aux
			if c.op&ccByte&^3 == ccSbb {
				a = t.Un(ir.Not, a)
			}
			result := c.dst
			if c.op&ccByte&^3 == ccAdc {
				result = t.Un(ir.Not, result)
			}
			some := t.Bin(ir.And, t.Bin(ir.Or, a, c.src), result)
			return t.Extract(ir.I8, t.Bin(ir.Or, t.Bin(ir.And, a, c.src), some), t.TypeOf(a).Bits()-1, 1)
		}
		if n == condO || n == condL || n == condLE {
			return t.overflow(n)
		}
	case ccLogic:
		switch n {
		case condO, condB:
			return t.Const(ir.I8, 0)
		case condBE:
			return t.CmpImm(ir.Eq, c.dst, 0)
		case condL:
			return t.CmpImm(ir.Lts, c.dst, 0)
		case condLE:
			return t.CmpImm(ir.Les, c.dst, 0)
		}
	case ccAdd:
		switch n {
		case condB:
			return t.Cmp(ir.Ltu, c.dst, c.src)
		case condBE:
			return t.Bin(ir.Or, t.Cmp(ir.Ltu, c.dst, c.src), t.CmpImm(ir.Eq, c.dst, 0))
		case condO, condL, condLE:
			return t.overflow(n)
		}
	case ccShl:
		if n == condB {
			return t.Extract(ir.I8, c.src, t.TypeOf(c.src).Bits()-1, 1)
		}
	case ccShr:
		if n == condB {
			return t.Extract(ir.I8, c.src, 0, 1)
		}
	case ccShlN, ccShrN, ccSarN:
		if n == condB {
			return t.shiftedBit()
		}
	case ccMul:
		if n == condB || n == condO {
			return t.Conv(ir.I8, c.src, false)
		}
	}
	switch n {
	case condE:
		return t.CmpImm(ir.Eq, c.dst, 0)
	case condS:
		return t.CmpImm(ir.Lts, c.dst, 0)
	}
	return 0
}

// overflow returns the conditions that OF is part of, after an addition or a
// subtraction: its sign is in the top bit of two differences (arithBase).
func (t *tx) overflow(n int) ir.Val {
	c := &t.cc
	kind, a, b, result := c.op&ccByte&^3, c.aux, c.src, c.dst
	switch kind {
	case ccAdd:
		a = t.Bin(ir.Sub, result, b)
	case ccCmp:
		a = c.dst
		result = t.Bin(ir.Sub, a, b)
	}
	other := result
	if kind == ccSub || kind == ccCmp || kind == ccSbb {
		other = a
	}
	of := t.Bin(ir.And, t.Bin(ir.Xor, a, result), t.Bin(ir.Xor, b, other))
	switch n {
	case condO:
		return t.CmpImm(ir.Lts, of, 0)
	case condL:
		return t.CmpImm(ir.Lts, t.Bin(ir.Xor, of, result), 0)
	}
	return t.Bin(ir.Or, t.CmpImm(ir.Lts, t.Bin(ir.Xor, of, result), 0), t.CmpImm(ir.Eq, result, 0))
}

// shiftedBit returns the bit that a shift by a constant has shifted out last.
func (t *tx) shiftedBit() ir.Val {
	c := &t.cc
	size, n := t.TypeOf(c.src).Bits(), int(c.op>>ccCountPos&ccCount)
	pos := n - 1
	if c.op&ccByte&^3 == ccShlN {
		pos = size - n
	}
	switch {
	case pos >= 0 && pos < size:
		return t.Extract(ir.I8, c.src, pos, 1)
	case c.op&ccByte&^3 == ccSarN:
		return t.Extract(ir.I8, c.src, size-1, 1)
	}
	return t.Const(ir.I8, 0)
}
