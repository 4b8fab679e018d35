package softfloat

import "math/bits"

// The x87 transcendental instructions. All work with 128-bit significands
// (wide) and 128-bit fixed-point series, whose total relative error is some
// 2^-120, and round once: the result is the correctly rounded one but for about
// one argument in 2^55, and then off by one unit in the last place.
//
// Except in the exact cases the results are irrational, so their last bit is
// made sticky: directed roundings, Inexact and C1 come out right.

// fixed is the fraction (hi:lo) / 2^128, in [0, 1).
type fixed struct{ hi, lo uint64 }

// fixMul is a * b, truncated.
func fixMul(a, b fixed) fixed {
	hi, lo, _, _ := mul256(a.hi, a.lo, b.hi, b.lo)
	return fixed{hi, lo}
}

// fix truncates |a|, less than 1, to fixed point.
func fix(a wide) fixed {
	if a.cls == zero {
		return fixed{}
	}
	n := uint32(-1 - a.exp)
	switch {
	case n == 0:
		return fixed{a.hi, a.lo}
	case n < 64:
		return fixed{a.hi >> n, a.lo>>n | a.hi<<(64-n)}
	case n < 128:
		return fixed{0, a.hi >> (n - 64)}
	}
	return fixed{}
}

// series is z*(c[0] + z*(c[1] + ...)), with alternating signs if alt. The
// coefficients fall, so every partial sum is positive; the sum is below 1.
func series(z fixed, c []fixed, alt bool) fixed {
	// Terms beyond z^(128/zeros) have no bit left.
	zeros := bits.LeadingZeros64(z.hi)
	if z.hi == 0 {
		zeros += bits.LeadingZeros64(z.lo)
	}
	if zeros > 0 {
		c = c[:min(len(c), 128/zeros+1)]
	}
	var s fixed
	for i := len(c) - 1; i >= 0; i-- {
		var b uint64
		if alt {
			s.lo, b = bits.Sub64(c[i].lo, s.lo, 0)
			s.hi, _ = bits.Sub64(c[i].hi, s.hi, b)
		} else {
			s.lo, b = bits.Add64(c[i].lo, s.lo, 0)
			s.hi, _ = bits.Add64(c[i].hi, s.hi, b)
		}
		s = fixMul(z, s)
	}
	return s
}

// grow is x * (1 + t), or x * (1 - t) with neg. A t too small for fixed point
// still counts as more than nothing.
func grow(e *Env, x wide, t fixed, neg uint8) wide {
	if t.hi|t.lo == 0 {
		t.lo = 1
	}
	w := wide{t.hi, t.lo, -1, neg, norm}
	w.normalize()
	return e.addWide(x, wideMul(x, w))
}

// wideMul is a * b for finite nonzero numbers, with a sticky last bit.
func wideMul(a, b wide) wide {
	p3, p2, p1, p0 := mul256(a.hi, a.lo, b.hi, b.lo)
	w := wide{p3, p2, a.exp + b.exp + 1, a.sign ^ b.sign, norm}
	if p3&top == 0 {
		w.hi, w.lo, p1, w.exp = p3<<1|p2>>63, p2<<1|p1>>63, p1<<1, w.exp-1
	}
	w.lo |= b2u(p1|p0 != 0)
	return w
}

// irrational marks a as rounded from something that is not representable.
func irrational(a wide) wide {
	a.lo |= 1
	return a
}

// one is the number 1.
func one() wide { return wide{hi: top, cls: norm} }

// halfPi66 is pi/2 as the x87 has it for reducing arguments, 66 bits, in
// units of 2^-65 (Intel SDM vol. 1, 8.3.8: pi = 0.C90FDAA22168C234C * 2^2).
const (
	halfPi66Hi = 0x3
	halfPi66Lo = 0x243f6a8885a308d3
)

// reduce writes |a| < 2^63 as n*pi/2 + r with |r| <= pi/4 and returns r and
// the low bits of n. For the x87's own pi it is exact. That n is the nearest
// matters: pi/2 being cut to 66 bits, another n would give other results.
func reduce(a num) (wide, uint64) {
	if a.exp < -1 {
		w := a.wide()
		w.sign, w.cls = 0, norm
		return w, 0
	}
	// In units of 2^-65, N = sig << (exp+2); N and pi/2 both another 62 bits
	// up, to have the divisor's top bit set.
	n := uint(a.exp + 2)
	hi, lo := a.sig>>(64-n), a.sig<<n
	const dh, dl = halfPi66Hi<<62 | halfPi66Lo>>2, halfPi66Lo << 62 & (1<<64 - 1)
	q, rh, rl := digit(hi>>2, hi<<62|lo>>2, lo<<62, dh, dl)
	w := wide{rh, rl, 0, 0, norm}
	// More than pi/4? Then count from the next multiple.
	ul, c := bits.Sub64(dl, rl, 0)
	uh, _ := bits.Sub64(dh, rh, c)
	if rh > uh || rh == uh && rl > ul {
		w.hi, w.lo, w.sign = uh, ul, 1
		q++
	}
	w.normalize()
	return w, q
}

// sinCos gives sine and cosine of finite nonzero a.
func (e *Env) sinCos(a num) (sin, cos wide) {
	r, n := reduce(a)
	z := fix(wideMul(r, r))
	s := grow(e, r, series(z, sinCoeff[:], true), 1)
	c := grow(e, one(), series(z, cosCoeff[:], true), 1)
	switch n & 3 {
	case 0:
		sin, cos = s, c
	case 1:
		sin, cos = c, s
		cos.sign ^= 1
	case 2:
		sin, cos = s, c
		sin.sign ^= 1
		cos.sign ^= 1
	case 3:
		sin, cos = c, s
		sin.sign ^= 1
	}
	sin.sign ^= a.sign
	return irrational(sin), irrational(cos)
}

// trigRare does what has no series: NaN and infinity (sin, cos and tan are all
// the same NaN), zero, and arguments of 2^63 and more (done, but not ok).
func (e *Env) trigRare(a num) (sin, cos wide, done, ok bool) {
	switch {
	case a.cls.isNaN():
		w := e.quiet(a.wide())
		return w, w, true, true
	case a.cls == inf:
		w := e.invalid()
		return w, w, true, true
	case a.cls == zero:
		return a.wide(), one(), true, true
	case a.exp >= 63:
		return wide{}, wide{}, true, false
	case a.cls == den:
		e.Flags |= Denormal
	}
	return wide{}, wide{}, false, true
}

// FSIN returns the sine of st0. When |st0| >= 2^63 ok is false (C2 = 1) and
// the register keeps its value. Arguments are reduced with a 66-bit pi.
func (st0 F80) FSIN(e *Env) (sin F80, ok bool) {
	a := st0.unpack()
	s, _, done, ok := e.trigRare(a)
	if !ok {
		return st0, false
	}
	if !done {
		s, _ = e.sinCos(a)
	}
	return e.pack80(s, 64), true
}

// FCOS returns the cosine of st0; else as FSIN.
func (st0 F80) FCOS(e *Env) (cos F80, ok bool) {
	a := st0.unpack()
	_, c, done, ok := e.trigRare(a)
	if !ok {
		return st0, false
	}
	if !done {
		_, c = e.sinCos(a)
	}
	return e.pack80(c, 64), true
}

// FSINCOS returns both: sin replaces st0, then cos is pushed. Else as FSIN.
func (st0 F80) FSINCOS(e *Env) (sin, cos F80, ok bool) {
	a := st0.unpack()
	s, c, done, ok := e.trigRare(a)
	if !ok {
		return st0, st0, false
	}
	if !done {
		s, c = e.sinCos(a)
	}
	return e.pack80(s, 64), e.pack80(c, 64), true
}

// FPTAN returns the tangent of st0, which replaces it; the instruction then
// pushes 1.0 (or, if st0 is an infinity or a NaN, the resulting NaN again).
// Else as FSIN.
func (st0 F80) FPTAN(e *Env) (tan F80, ok bool) {
	a := st0.unpack()
	t, _, done, ok := e.trigRare(a)
	if !ok {
		return st0, false
	}
	if !done {
		s, c := e.sinCos(a)
		t = irrational(quo(s, c))
	}
	return e.pack80(t, 64), true
}

// FPATAN returns atan2(st1, st0), the angle of the point x = st0, y = st1, in
// (-pi, pi].
func (st0 F80) FPATAN(e *Env, st1 F80) F80 {
	return e.pack80(e.atan2(st1.unpack(), st0.unpack()), 64)
}

func (e *Env) atan2(y, x num) wide {
	if x.cls.isNaN() || y.cls.isNaN() {
		return e.nan2(x.wide(), y.wide())
	}
	if x.cls == den || y.cls == den {
		e.Flags |= Denormal
	}
	var w wide
	switch {
	case y.cls == inf && x.cls == inf:
		w = atanEighths[7] // pi/4
	case y.cls == inf || x.cls == zero && y.cls != zero:
		w = pi() // pi/2, whatever x's sign
		w.exp--
		x.sign = 0
	case y.cls == zero || x.cls == inf: // 0 or pi
		if x.sign == 0 {
			return wide{sign: y.sign}
		}
		w = pi()
		x.sign = 0
	default:
		w = e.atanRatio(y, x)
	}
	if x.sign != 0 {
		w.sign = 1
		w = e.addWide(pi(), w)
	}
	w.sign = y.sign
	return irrational(w)
}

// atanRatio is atan |y/x| for finite nonzero x and y.
func (e *Env) atanRatio(y, x num) wide {
	p, q := y.wide(), x.wide()
	p.sign, q.sign, p.cls, q.cls = 0, 0, norm, norm
	swap := magnitude(q, p) == 1
	if swap {
		p, q = q, p
	}
	// atan(p/q) = atan(c) + atan((p - c*q) / (q + c*p)) with c = i/8 nearest
	// to p/q, which leaves at most 1/16 for the series.
	i := 0
	if d := q.exp - p.exp; d < 5 {
		// p/q*16 from the leading 32 bits, rounded to eighths.
		i = int((p.hi>>32<<4/(q.hi>>32)>>d + 1) / 2)
	}
	n, d := p, q
	if i > 0 {
		c := fromUint(uint64(i), 0)
		c.exp -= 3
		d = e.addWide(q, wideMul(c, p))
		c.sign = 1
		n = e.addWide(p, wideMul(c, q))
	}
	var w wide
	if n.cls != zero {
		t := quo(n, d)
		w = grow(e, t, series(fix(wideMul(t, t)), invOdd[:], true), 1)
	}
	switch {
	case i > 0 && w.cls == zero:
		w = atanEighths[i-1]
	case i > 0:
		w = e.addWide(atanEighths[i-1], w)
	}
	if swap {
		h := pi()
		h.exp--
		w.sign = 1
		w = e.addWide(h, w)
	}
	return w
}

// F2XM1 returns 2^st0 - 1 for |st0| <= 1. Beyond, where Intel leaves it
// undefined, it returns st0 with Inexact, as a Xeon does.
func (st0 F80) F2XM1(e *Env) F80 {
	a := st0.unpack()
	switch {
	case a.cls.isNaN():
		return e.pack80(e.quiet(a.wide()), 64)
	case a.cls == zero:
		return st0
	case a.cls == inf && a.sign != 0: // 0 - 1
		w := one()
		w.sign = 1
		return e.pack80(w, 64)
	case a.cls == inf:
		return st0
	case a.exp > 0 || a.exp == 0 && a.sig != top:
		e.Flags |= Inexact
		return st0
	case a.exp == 0: // 2-1 or 1/2-1
		w := one()
		w.exp, w.sign = -int32(a.sign), a.sign
		e.Flags |= Inexact // raised by the processor even so
		return e.pack80(w, 64)
	case a.cls == den:
		e.Flags |= Denormal
	}
	x := a.wide()
	x.cls = norm
	x = wideMul(x, ln2())
	// e^x - 1 = x * (1 + x/2! + x^2/3! + ...)
	s := series(fix(x), invFactorial[:], x.sign != 0)
	return e.pack80(irrational(grow(e, x, s, x.sign)), 64)
}

// FYL2X returns st1 * log2(st0).
func (st0 F80) FYL2X(e *Env, st1 F80) F80 {
	x, y := st0.unpack(), st1.unpack()
	l, exact := wide{hi: top, sign: 1, cls: inf}, true // log2(0)
	switch {
	case x.cls.isNaN() || y.cls.isNaN():
		return e.pack80(e.nan2(x.wide(), y.wide()), 64)
	case x.cls == zero:
	case x.sign != 0:
		return e.pack80(e.invalid(), 64)
	case x.cls == inf:
		l.sign = 0
	default:
		l, exact = e.log2(x.wide())
	}
	return e.pack80(e.timesLog(y, x.cls, l, exact), 64)
}

// FYL2XP1 returns st1 * log2(1 + st0), without loss for small st0. Intel
// defines it for -(1-sqrt(1/2)) <= st0 <= sqrt(2)-1; beyond, this is what the
// formula says: invalid below -1, and -1 acts as FYL2X does on 0.
func (st0 F80) FYL2XP1(e *Env, st1 F80) F80 {
	x, y := st0.unpack(), st1.unpack()
	l, exact := x.wide(), true
	switch {
	case x.cls.isNaN() || y.cls.isNaN():
		return e.pack80(e.nan2(x.wide(), y.wide()), 64)
	case x.cls == zero || x.cls == inf && x.sign == 0:
	case x.cls == inf || x.sign != 0 && x.exp >= 0:
		if x.cls == inf || x.exp > 0 || x.sig != top {
			return e.pack80(e.invalid(), 64)
		}
		l.cls, x.cls = inf, zero // log2(0)
	default:
		l.cls = norm
		if x.exp < -2 {
			two := one()
			two.exp = 1
			l, exact = e.log2Ratio(l, e.addWide(two, l)), false
		} else {
			l, exact = e.log2(e.addWide(one(), l))
		}
	}
	return e.pack80(e.timesLog(y, x.cls, l, exact), 64)
}

// timesLog is y * l, l being the logarithm of an x of class xc.
func (e *Env) timesLog(y num, xc class, l wide, exact bool) wide {
	if y.cls == inf && l.cls == zero || y.cls == zero && l.cls == inf {
		return e.invalid()
	}
	sign := y.sign ^ l.sign
	if xc == zero && l.cls == inf && y.cls != inf {
		e.Flags |= DivByZero
		return wide{hi: top, sign: sign, cls: inf}
	}
	if xc == den || y.cls == den {
		e.Flags |= Denormal
	}
	switch {
	case y.cls == inf || l.cls == inf:
		return wide{hi: top, sign: sign, cls: inf}
	case y.cls == zero || l.cls == zero:
		return wide{sign: sign}
	}
	w := wideMul(y.wide(), l)
	if exact {
		e.Flags |= Inexact // raised by the processor even so
		if w.exp > -bias80 {
			return w
		} // and Underflow too
	}
	return irrational(w)
}

// log2 is the base-2 logarithm of a finite x > 0, and whether it is exact.
func (e *Env) log2(x wide) (wide, bool) {
	const sqrt2 = 0xb504f333f9de6484 // * 2^-63
	if x.hi == top && x.lo == 0 {
		return fromInt(int64(x.exp)), true
	}
	k := int64(x.exp)
	m, minus := wide{x.hi, x.lo, 0, 0, norm}, one()
	if m.hi > sqrt2 {
		m.exp, k = -1, k+1
	}
	minus.sign = 1
	l := e.log2Ratio(e.addWide(m, minus), e.addWide(m, one()))
	if k != 0 {
		l = e.addWide(fromInt(k), l)
	}
	return l, false
}

// log2Ratio is log2((d+n) / (d-n)) = 2/ln 2 * atanh(n/d), |n/d| < 0.172.
func (e *Env) log2Ratio(n, d wide) wide {
	s := quo(n, d)
	s = grow(e, s, series(fix(wideMul(s, s)), invOdd[:], false), 0)
	return wideMul(s, twoLog2E())
}
