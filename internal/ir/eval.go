package ir

import "math/bits"

// Eval1 is what a one-operand operation gives: the definition that folding and
// engines agree on.
func Eval1(op Op, t Type, x uint64) uint64 {
	w := t.Bits()
	switch op {
	case Neg:
		x = -x
	case Not:
		x = ^x
	case Bswap:
		x = bits.ReverseBytes64(x) >> (64 - w)
	case Clz:
		x = uint64(bits.LeadingZeros64(x) - (64 - w))
	case Ctz:
		x = uint64(min(bits.TrailingZeros64(x), w))
	case Popcnt:
		x = uint64(bits.OnesCount64(x))
	default:
		panic("BUG: ir: Eval1 of " + op.String())
	}
	return x & t.Mask()
}

// Eval2 is what a two-operand operation gives; t is the type of the operands.
func Eval2(op Op, t Type, x, y uint64) uint64 {
	w := uint64(t.Bits())
	sx, sy := int64(SignExtend(x, t)), int64(SignExtend(y, t))
	var r uint64
	switch op {
	case Add:
		r = x + y
	case Sub:
		r = x - y
	case Mul:
		r = x * y
	case And:
		r = x & y
	case Or:
		r = x | y
	case Xor:
		r = x ^ y
	case Shl:
		r = x << (y & (w - 1))
	case Shr:
		r = x >> (y & (w - 1))
	case Sar:
		r = uint64(sx >> (y & (w - 1)))
	case Rotl:
		n := y & (w - 1)
		r = x<<n | x>>(w-n)
	case Rotr:
		n := y & (w - 1)
		r = x>>n | x<<(w-n)
	case UDiv:
		if y != 0 {
			r = x / y
		}
	case URem:
		r = x
		if y != 0 {
			r = x % y
		}
	case SDiv:
		if y != 0 {
			r = uint64(sx / sy)
		}
	case SRem:
		r = x
		if y != 0 {
			r = uint64(sx % sy)
		}
	case MulHU:
		if w == 64 {
			r, _ = bits.Mul64(x, y)
		} else {
			r = x * y >> w
		}
	case MulHS:
		if w == 64 {
			r, _ = bits.Mul64(x, y)
			if sx < 0 {
				r -= y
			}
			if sy < 0 {
				r -= x
			}
		} else {
			r = uint64(sx * sy >> w)
		}
	case Eq:
		r = b2u(x == y)
	case Ne:
		r = b2u(x != y)
	case Ltu:
		r = b2u(x < y)
	case Leu:
		r = b2u(x <= y)
	case Lts:
		r = b2u(sx < sy)
	case Les:
		r = b2u(sx <= sy)
	default:
		panic("BUG: ir: Eval2 of " + op.String())
	}
	return r & t.Mask()
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
