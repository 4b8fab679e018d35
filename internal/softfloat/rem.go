package softfloat

import "math/bits"

// divisor of a remainder: how the quotient is rounded.
type quotient uint8

const (
	truncated quotient = iota // C fmod, FPREM
	nearest                   // IEEE 754 remainder, FPREM1
)

// rem is a - n*b for finite nonzero a and b, exactly, where n is a/b made an
// integer as q says. It returns the low 64 bits of n.
func rem(a, b num, q quotient) (wide, uint64) {
	d := a.exp - b.exp
	w := wide{exp: b.exp, sign: a.sign, cls: norm}
	var n uint64
	switch {
	case d < -1 || d == -1 && (q == truncated || a.sig <= b.sig):
		w.hi, w.exp = a.sig, a.exp
		return w, 0
	case d == -1:
		// |b|/2 < |a| < |b|: a - b, in units of a's last place.
		w.hi, w.exp, w.sign = 2*b.sig-a.sig, a.exp, w.sign^1
		n = 1
	default:
		var r uint64
		r, n = longDivide(a.sig, b.sig, d)
		if up := b.sig - r; q == nearest && (r > up || r == up && n&1 != 0) {
			r, n, w.sign = up, n+1, w.sign^1
		}
		if r == 0 {
			return wide{sign: a.sign}, n
		}
		w.hi = r
	}
	w.normalize()
	return w, n
}

// longDivide gives a * 2^d modulo b, and the low 64 bits of the quotient. Bit
// 63 of a and of b is set, d >= 0.
func longDivide(a, b uint64, d int32) (r, n uint64) {
	r = a
	if r >= b {
		r, n = r-b, 1
	}
	for d > 0 {
		k := min(d, 64)
		var q uint64
		q, r = bits.Div64(r>>(64-k), r<<k, b)
		n = n<<k + q
		d -= k
	}
	return r, n
}

// remNum is the IEEE or truncating remainder of any a and b.
func (e *Env) remNum(a, b num, q quotient) wide {
	if w, done := e.remRare(a.wide(), b.wide()); done {
		return w
	}
	w, _ := rem(a, b, q)
	return w
}

// remRare does all but finite nonzero operands.
func (e *Env) remRare(a, b wide) (wide, bool) {
	if a.cls.isNaN() || b.cls.isNaN() {
		return e.nan2(a, b), true
	}
	if a.cls == inf || b.cls == zero {
		return e.invalid(), true
	}
	if a.cls == den || b.cls == den {
		e.Flags |= Denormal
	}
	if a.cls == zero || b.cls == inf {
		if a.cls == den {
			a.cls = norm
		}
		return a, true
	}
	return wide{}, false
}

// roundInt makes a finite nonzero a an integer in the given direction.
func (e *Env) roundInt(a wide, r Rounding) wide {
	if a.exp >= 127 {
		return a
	}
	hi, lo, frac := fraction(a)
	if frac == 0 {
		return a
	}
	e.Flags |= Inexact
	if r.carriesUp(a.sign, lo&1 != 0, frac) {
		e.Flags |= RoundedUp
		var c uint64
		lo, c = bits.Add64(lo, 1, 0)
		hi += c
	}
	if hi|lo == 0 {
		return wide{sign: a.sign}
	}
	w := wide{hi, lo, 127, a.sign, norm}
	w.normalize()
	return w
}

// fraction cuts a finite nonzero number of exponent below 128 into its
// integer part and the rest in units of 2^-64 (lowest bit sticky).
func fraction(a wide) (hi, lo, frac uint64) {
	n := uint32(127 - a.exp)
	switch {
	case n == 0:
		return a.hi, a.lo, 0
	case n < 64:
		return a.hi >> n, a.lo>>n | a.hi<<(64-n), a.lo << (64 - n)
	case n < 128:
		n -= 64
		return 0, a.hi >> n, a.hi<<(64-n) | a.lo>>n | b2u(a.lo<<(64-n) != 0)
	}
	_, frac = shiftRightJam(a.hi, a.lo, n-64)
	return 0, 0, frac
}

// integral is round-to-integer of any a.
func (e *Env) integral(a wide, r Rounding) wide {
	switch {
	case a.cls.isNaN():
		return e.quiet(a)
	case a.cls == zero || a.cls == inf:
		return a
	}
	a.cls = norm
	return e.roundInt(a, r)
}

// toInt converts to a signed integer of n <= 64 bits.
func (e *Env) toInt(a wide, r Rounding, n uint) int64 {
	limit := uint64(1) << (n - 1) // magnitude of the minimum
	if a.cls.isFinite() {
		m, ok, raised := e.intMagnitude(a, r)
		if ok && (m < limit || m == limit && a.sign != 0) {
			e.Flags |= raised
			if a.sign != 0 {
				return -int64(m)
			}
			return int64(m)
		}
	}
	e.Flags |= Invalid
	if e.Int != IntX86 {
		if a.cls.isNaN() && e.Int == IntARM {
			return 0
		}
		if a.sign == 0 && !(a.cls.isNaN() && e.Int == IntPPC) {
			return int64(limit - 1)
		}
	}
	return -int64(limit-1) - 1
}

// toUint converts to an unsigned integer of n <= 64 bits.
func (e *Env) toUint(a wide, r Rounding, n uint) uint64 {
	limit := ^uint64(0) >> (64 - n) // the maximum
	if a.cls.isFinite() {
		m, ok, raised := e.intMagnitude(a, r)
		if ok && m <= limit && (m == 0 || a.sign == 0) {
			e.Flags |= raised
			return m
		}
	}
	e.Flags |= Invalid
	switch {
	case e.Int == IntX86:
		return limit
	case a.cls.isNaN() && e.Int != IntSPARC || a.sign != 0:
		return 0
	}
	return limit
}

// intMagnitude rounds |a|, finite, to an integer; ok says that it fits 64
// bits. The flags are for the caller to raise, if the sign fits too.
func (e *Env) intMagnitude(a wide, r Rounding) (m uint64, ok bool, raised Flags) {
	if a.cls == zero {
		return 0, true, 0
	}
	if a.exp > 63 {
		return 0, false, 0
	}
	_, m, frac := fraction(a)
	if frac == 0 {
		return m, true, 0
	}
	raised = Inexact
	if r.carriesUp(a.sign, m&1 != 0, frac) {
		m++
		if m == 0 {
			return 0, false, 0
		}
		raised |= RoundedUp
	}
	return m, true, raised
}

// fromUint unpacks an integer of the given sign.
func fromUint(m uint64, sign uint8) wide {
	if m == 0 {
		return wide{}
	}
	n := bits.LeadingZeros64(m)
	return wide{m << n, 0, int32(63 - n), sign, norm}
}

func fromInt(v int64) wide {
	if v < 0 {
		return fromUint(-uint64(v), 1)
	}
	return fromUint(uint64(v), 0)
}

// convert prepares an operand to be packed in another format; raise says
// whether a denormal one raises Denormal.
func (e *Env) convert(a wide, raise bool) wide {
	switch {
	case a.cls.isNaN():
		return e.quiet(a)
	case a.cls == den:
		if raise {
			e.Flags |= Denormal
		}
		a.cls = norm
	}
	return a
}

// scale is a * 2^n.
func (e *Env) scale(a wide, n int) wide {
	a = e.convert(a, true)
	if a.cls == norm {
		// Beyond this the outcome no longer depends on n.
		a.exp += int32(max(-1<<20, min(n, 1<<20)))
	}
	return a
}

// logB is the exponent of a as an integer-valued number: DivByZero and -inf
// for zero, +inf for infinities (IEEE 754-2008 logB; FXTRACT).
func (e *Env) logB(a wide) wide {
	switch a.cls {
	case zero:
		e.Flags |= DivByZero
		return wide{hi: top, sign: 1, cls: inf}
	case inf:
		a.sign = 0
		return a
	case den:
		e.Flags |= Denormal
	case norm:
	default:
		return e.quiet(a)
	}
	return fromInt(int64(a.exp))
}
