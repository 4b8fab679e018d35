package softfloat

import (
	"math"
	"math/bits"
)

// add is a + b, or a - b with neg 1.
func (e *Env) add(a, b num, neg uint8) wide {
	bs := b.sign ^ neg
	if !bothFinite(a.cls, b.cls) {
		return e.addRare(a, b, neg)
	}
	if a.cls|b.cls != norm {
		e.Flags |= Denormal
	}
	if a.exp < b.exp || a.exp == b.exp && a.sig < b.sig {
		a.sig, b.sig, a.exp, b.exp, a.sign, bs = b.sig, a.sig, b.exp, a.exp, bs, a.sign
	}
	hi, lo := shiftRightJam(b.sig, 0, uint32(a.exp-b.exp))
	if a.sign == bs {
		sum, c := bits.Add64(a.sig, hi, 0)
		if c == 0 {
			return wide{sum, lo, a.exp, a.sign, norm}
		}
		return wide{sum>>1 | top, lo>>1 | sum<<63 | lo&1, a.exp + 1, a.sign, norm}
	}
	lo, c := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(a.sig, hi, c)
	if hi|lo == 0 {
		return e.exactZero()
	}
	w := wide{hi, lo, a.exp, a.sign, norm}
	if hi&top == 0 {
		w.normalize()
	}
	return w
}

// exactZero is the sum of two opposite numbers: -0 when rounding down.
func (e *Env) exactZero() wide {
	if e.Round == Down {
		return wide{sign: 1}
	}
	return wide{}
}

// addRare is add with a zero, an infinity or a NaN among the operands.
func (e *Env) addRare(a, b num, neg uint8) wide {
	if a.cls.isNaN() || b.cls.isNaN() {
		return e.nan2(a.wide(), b.wide())
	}
	b.sign ^= neg
	if a.cls == inf && b.cls == inf && a.sign != b.sign {
		return e.invalid()
	}
	if a.cls == den || b.cls == den {
		e.Flags |= Denormal
	}
	var w wide
	switch {
	case a.cls == inf:
		return a.wide()
	case b.cls == inf:
		return b.wide()
	case a.cls == zero && b.cls == zero:
		if a.sign != b.sign {
			return e.exactZero()
		}
		return a.wide()
	case a.cls == zero:
		w = b.wide()
	default:
		w = a.wide()
	}
	w.cls = norm
	return w
}

// mul is a * b.
func (e *Env) mul(a, b num) wide {
	if !bothFinite(a.cls, b.cls) {
		return e.mulRare(a.wide(), b.wide())
	}
	if a.cls|b.cls != norm {
		e.Flags |= Denormal
	}
	return product(a, b)
}

// product multiplies finite nonzero numbers exactly.
func product(a, b num) wide {
	hi, lo := bits.Mul64(a.sig, b.sig)
	exp := a.exp + b.exp
	if hi&top != 0 {
		return wide{hi, lo, exp + 1, a.sign ^ b.sign, norm}
	}
	return wide{hi<<1 | lo>>63, lo << 1, exp, a.sign ^ b.sign, norm}
}

func (e *Env) mulRare(a, b wide) wide {
	if a.cls.isNaN() || b.cls.isNaN() {
		return e.nan2(a, b)
	}
	if a.cls == inf && b.cls == zero || a.cls == zero && b.cls == inf {
		return e.invalid()
	}
	if a.cls == den || b.cls == den {
		e.Flags |= Denormal
	}
	if a.cls == inf || b.cls == inf {
		return wide{hi: top, sign: a.sign ^ b.sign, cls: inf}
	}
	return wide{sign: a.sign ^ b.sign}
}

// div is a / b.
func (e *Env) div(a, b num) wide {
	sign := a.sign ^ b.sign
	if !bothFinite(a.cls, b.cls) {
		return e.divRare(a.wide(), b.wide())
	}
	if a.cls|b.cls != norm {
		e.Flags |= Denormal
	}
	exp := a.exp - b.exp
	var q, r uint64
	if a.sig >= b.sig {
		q, r = bits.Div64(a.sig>>1, a.sig<<63, b.sig)
	} else {
		exp--
		q, r = bits.Div64(a.sig, 0, b.sig)
	}
	// The next quotient bit, and whether anything follows it.
	var lo uint64
	if r != 0 {
		lo = 1
		if r >= b.sig-r {
			lo = top | b2u(r != b.sig-r)
		}
	}
	return wide{q, lo, exp, sign, norm}
}

func (e *Env) divRare(a, b wide) wide {
	sign := a.sign ^ b.sign
	if a.cls.isNaN() || b.cls.isNaN() {
		return e.nan2(a, b)
	}
	if a.cls == b.cls { // inf/inf or 0/0: the only equal pairs that come here
		return e.invalid()
	}
	if b.cls == zero && a.cls != inf {
		e.Flags |= DivByZero
		return wide{hi: top, sign: sign, cls: inf}
	}
	if a.cls == den || b.cls == den {
		e.Flags |= Denormal
	}
	if a.cls == inf {
		return wide{hi: top, sign: sign, cls: inf}
	}
	return wide{sign: sign}
}

// sqrt is the square root of a.
func (e *Env) sqrt(a num) wide {
	if w, done := e.sqrtRare(a.wide()); done {
		return w
	}
	// Square root of the integer n = sig * 2^63 or sig * 2^64, so chosen that
	// the exponent left over is even and the root has just 64 bits.
	nh, nl := a.sig>>1, a.sig<<63
	if a.exp&1 != 0 {
		nh, nl = a.sig, 0
	}
	r := isqrt(nh, nl)
	sh, sl := bits.Mul64(r, r)
	dl, c := bits.Sub64(nl, sl, 0)
	dh, _ := bits.Sub64(nh, sh, c)
	// n = r*r + d; the next bit of the root is 1 if d > r; never a tie.
	lo := b2u(dh|dl != 0)
	if dh != 0 || dl > r {
		lo |= top
	}
	return wide{r, lo, a.exp >> 1, 0, norm}
}

// sqrtRare does everything but positive finite numbers.
func (e *Env) sqrtRare(a wide) (wide, bool) {
	switch {
	case a.cls.isNaN():
		return e.quiet(a), true
	case a.cls == zero:
		return a, true
	case a.sign != 0:
		return e.invalid(), true
	case a.cls == inf:
		return a, true
	case a.cls == den:
		e.Flags |= Denormal
	}
	return wide{}, false
}

// isqrt is the integer square root of nh:nl, which is at least 2^126.
func isqrt(nh, nl uint64) uint64 {
	// A correctly rounded host square root gives some 52 bits, one Newton
	// step the rest but for a unit or two.
	f := math.Sqrt(float64(nh)) * (1 << 32)
	r := ^uint64(0)
	if f < 1<<64 {
		r = uint64(f)
	}
	if nh < r {
		q, _ := bits.Div64(nh, nl, r)
		s, c := bits.Add64(q, r, 0)
		r = s>>1 | c<<63
	}
	for {
		h, l := bits.Mul64(r, r)
		if h < nh || h == nh && l <= nl {
			break
		}
		r--
	}
	for r != ^uint64(0) {
		h, l := bits.Mul64(r+1, r+1)
		if h > nh || h == nh && l > nl {
			break
		}
		r++
	}
	return r
}

// mulAdd is a*b + c rounded once. The significands must have no more than 53
// bits, so that the product leaves room and nothing that matters is jammed
// when it meets c.
func (e *Env) mulAdd(a, b, c num) wide {
	infZero := a.cls == inf && b.cls == zero || a.cls == zero && b.cls == inf
	if a.cls.isNaN() || b.cls.isNaN() || c.cls.isNaN() {
		return e.nan3(a.wide(), b.wide(), c.wide(), infZero)
	}
	sign := a.sign ^ b.sign
	prodInf := a.cls == inf || b.cls == inf
	if infZero || prodInf && c.cls == inf && c.sign != sign {
		return e.invalid()
	}
	if a.cls == den || b.cls == den || c.cls == den {
		e.Flags |= Denormal
	}
	switch {
	case prodInf:
		return wide{hi: top, sign: sign, cls: inf}
	case c.cls == inf:
		return c.wide()
	case a.cls == zero || b.cls == zero:
		w := c.wide()
		if c.cls != zero {
			w.cls = norm
		} else if c.sign != sign {
			return e.exactZero()
		}
		return w
	case c.cls == zero:
		return product(a, b)
	}
	w := c.wide()
	w.cls = norm
	return e.addWide(product(a, b), w)
}

// addWide adds finite nonzero numbers with 128-bit significands. If they have
// fewer than 126 significant bits the (jammed) result rounds correctly.
func (e *Env) addWide(x, y wide) wide {
	if x.exp < y.exp || x.exp == y.exp && (x.hi < y.hi || x.hi == y.hi && x.lo < y.lo) {
		x, y = y, x
	}
	y.hi, y.lo = shiftRightJam(y.hi, y.lo, uint32(x.exp-y.exp))
	var c uint64
	if x.sign == y.sign {
		x.lo, c = bits.Add64(x.lo, y.lo, 0)
		x.hi, c = bits.Add64(x.hi, y.hi, c)
		if c != 0 {
			x.hi, x.lo, x.exp = x.hi>>1|top, x.lo>>1|x.hi<<63|x.lo&1, x.exp+1
		}
		return x
	}
	x.lo, c = bits.Sub64(x.lo, y.lo, 0)
	x.hi, _ = bits.Sub64(x.hi, y.hi, c)
	if x.hi|x.lo == 0 {
		return e.exactZero()
	}
	x.normalize()
	return x
}

// compare orders a and b; signaling says that quiet NaNs raise Invalid too.
func (e *Env) compare(a, b wide, signaling bool) Ordering {
	if a.cls.isNaN() || b.cls.isNaN() {
		if signaling || a.cls > qnan || b.cls > qnan {
			e.Flags |= Invalid
		}
		return Unordered
	}
	if a.cls == den || b.cls == den {
		e.Flags |= Denormal
	}
	if a.cls == zero && b.cls == zero {
		return Equal
	}
	m := magnitude(a, b)
	switch {
	case a.cls == zero:
		m, a.sign = 1, b.sign // |a| < |b|
	case b.cls == zero:
		m = -1
	case a.sign != b.sign:
		m = -1
	}
	switch {
	case m == 0:
		return Equal
	case (m > 0) != (a.sign != 0):
		return Less
	}
	return Greater
}

// magnitude compares |a| with |b|, both nonzero: 1 if |a| < |b|, 0 if equal,
// else -1.
func magnitude(a, b wide) int {
	ax, bx := a.exp, b.exp
	if a.cls == inf {
		ax = math.MaxInt32
	}
	if b.cls == inf {
		bx = math.MaxInt32
	}
	switch {
	case ax != bx:
		if ax < bx {
			return 1
		}
		return -1
	case a.hi != b.hi:
		if a.hi < b.hi {
			return 1
		}
		return -1
	case a.lo != b.lo:
		if a.lo < b.lo {
			return 1
		}
		return -1
	}
	return 0
}
