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
	t.cc = cc{true, op, dst, src, aux}
}

// flags returns the arithmetic flags as an I64.
func (t *tx) flags() ir.Val {
	if t.cc.known {
		switch t.cc.op &^ 3 {
		case ccFlags:
			return t.cc.src
		case ccAdc, ccSbb:
		default:
			src := t.cc.src
			if src == 0 {
				src = t.Const(ir.I64, 0)
			}
			return t.Call(ir.I64, hFlags, ir.Pure, t.imm32(t.cc.op), t.cc.dst, src)
		}
	}
	// The helper leaves the state in its plain form.
	f := t.Call(ir.I64, hFlagsState, ir.NoStop)
	t.Forget(slotCCOp)
	t.Forget(slotCCSrc)
	t.cc = cc{known: true, op: ccFlags, src: f}
	return f
}

// setFlags makes f, an I64, the arithmetic flags.
func (t *tx) setFlags(f ir.Val) {
	t.Set(slotCCOp, t.imm32(ccFlags))
	t.Set(slotCCSrc, f)
	t.cc = cc{known: true, op: ccFlags, src: f}
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
	// The negation of a comparison is one, too.
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
	if c := &t.cc; c.known {
		switch c.op &^ 3 {
		case ccSub:
			a, b := c.aux, c.src
			switch n {
			case condB:
				return t.Cmp(ir.Ltu, a, b)
			case condE:
				return t.Cmp(ir.Eq, a, b)
			case condBE:
				return t.Cmp(ir.Leu, a, b)
			case condL:
				return t.Cmp(ir.Lts, a, b)
			case condLE:
				return t.Cmp(ir.Les, a, b)
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
			if n == condB {
				return t.Cmp(ir.Ltu, c.dst, c.src)
			}
		case ccAdc:
			if n == condB { // dst = a + b + c < a, or = a with a carry in
				v := t.flags()
				return t.Extract(ir.I8, v, 0, 1)
			}
		case ccInc, ccDec:
			if n == condB {
				return t.Conv(ir.I8, c.src, false)
			}
		case ccShl:
			if n == condB {
				return t.Extract(ir.I8, c.src, t.TypeOf(c.src).Bits()-1, 1)
			}
		case ccShr:
			if n == condB {
				return t.Extract(ir.I8, c.src, 0, 1)
			}
		case ccMul:
			if n == condB || n == condO {
				return t.Conv(ir.I8, c.src, false)
			}
		}
		if c.op&^3 != ccFlags {
			switch n {
			case condE:
				return t.CmpImm(ir.Eq, c.dst, 0)
			case condS:
				return t.CmpImm(ir.Lts, c.dst, 0)
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
