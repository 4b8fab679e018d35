package softfloat

import "math/bits"

// F128 is an IEEE 754 binary128: sign and exponent in the top 16 bits of Hi.
// DAZ and FTZ do not apply to it.
type F128 struct{ Hi, Lo uint64 }

// Add returns a + b.
func (a F128) Add(e *Env, b F128) F128 { return e.pack128(e.add128(a.unpack(), b.unpack(), 0)) }

// Sub returns a - b.
func (a F128) Sub(e *Env, b F128) F128 { return e.pack128(e.add128(a.unpack(), b.unpack(), 1)) }

func (e *Env) add128(a, b wide, neg uint8) wide {
	switch {
	case a.cls.isNaN() || b.cls.isNaN():
		return e.nan2(a, b)
	case a.cls == inf && b.cls == inf && a.sign != b.sign^neg:
		return e.invalid()
	}
	b.sign ^= neg
	a, b = e.convert(a, true), e.convert(b, true)
	switch {
	case a.cls == inf:
		return a
	case b.cls == inf:
		return b
	case a.cls == zero && b.cls == zero:
		if a.sign != b.sign {
			return e.exactZero()
		}
		return a
	case a.cls == zero:
		return b
	case b.cls == zero:
		return a
	}
	return e.addWide(a, b)
}

// Mul returns a * b.
func (a F128) Mul(e *Env, b F128) F128 { return e.pack128(e.mul128(a.unpack(), b.unpack())) }

func (e *Env) mul128(a, b wide) wide {
	if !bothFinite(a.cls, b.cls) {
		return e.mulRare(a, b)
	}
	if a.cls|b.cls != norm {
		e.Flags |= Denormal
	}
	p3, p2, p1, p0 := mul256(a.hi, a.lo, b.hi, b.lo)
	w := wide{p3, p2, a.exp + b.exp + 1, a.sign ^ b.sign, norm}
	if p3&top == 0 {
		w.hi, w.lo, p1, w.exp = p3<<1|p2>>63, p2<<1|p1>>63, p1<<1, w.exp-1
	}
	w.lo |= b2u(p1|p0 != 0)
	return w
}

// mul256 is the 256-bit product of ah:al and bh:bl, highest word first.
func mul256(ah, al, bh, bl uint64) (p3, p2, p1, p0 uint64) {
	h1, l1 := bits.Mul64(ah, bl)
	h2, l2 := bits.Mul64(al, bh)
	p3, p2 = bits.Mul64(ah, bh)
	p1, p0 = bits.Mul64(al, bl)
	var c uint64
	p1, c = bits.Add64(p1, l1, 0)
	p2, c = bits.Add64(p2, h1, c)
	p3 += c
	p1, c = bits.Add64(p1, l2, 0)
	p2, c = bits.Add64(p2, h2, c)
	p3 += c
	return
}

// Div returns a / b.
func (a F128) Div(e *Env, b F128) F128 { return e.pack128(e.div128(a.unpack(), b.unpack())) }

func (e *Env) div128(a, b wide) wide {
	if !bothFinite(a.cls, b.cls) {
		return e.divRare(a, b)
	}
	if a.cls|b.cls != norm {
		e.Flags |= Denormal
	}
	return quo(a, b)
}

// quo divides finite nonzero numbers; the lowest bit of the result is sticky.
func quo(a, b wide) wide {
	w := wide{exp: a.exp - b.exp, sign: a.sign ^ b.sign, cls: norm}
	// The dividend as three words, made less than the divisor.
	n2, n1, n0 := a.hi, a.lo, uint64(0)
	if a.hi > b.hi || a.hi == b.hi && a.lo >= b.lo {
		n2, n1, n0 = a.hi>>1, a.lo>>1|a.hi<<63, a.lo<<63
	} else {
		w.exp--
	}
	w.hi, n2, n1 = digit(n2, n1, n0, b.hi, b.lo)
	w.lo, n2, n1 = digit(n2, n1, 0, b.hi, b.lo)
	w.lo |= b2u(n2|n1 != 0)
	return w
}

// digit divides n2:n1:n0 by d1:d0, n2:n1 being the lesser and bit 63 of d1
// set. It returns the 64-bit quotient and the remainder.
func digit(n2, n1, n0, d1, d0 uint64) (q, r1, r0 uint64) {
	q = ^uint64(0)
	if n2 < d1 {
		q, _ = bits.Div64(n2, n1, d1)
	}
	// The estimate is at most 2 too large: n - q*d, then add back.
	h1, l1 := bits.Mul64(q, d1)
	h0, l0 := bits.Mul64(q, d0)
	var c uint64
	l1, c = bits.Add64(l1, h0, 0)
	h1 += c
	r0, c = bits.Sub64(n0, l0, 0)
	r1, c = bits.Sub64(n1, l1, c)
	r2, _ := bits.Sub64(n2, h1, c)
	for r2 != 0 {
		q--
		r0, c = bits.Add64(r0, d0, 0)
		r1, c = bits.Add64(r1, d1, c)
		r2 += c
	}
	return q, r1, r0
}

// Sqrt returns the square root of a.
func (a F128) Sqrt(e *Env) F128 {
	n := a.unpack()
	if w, done := e.sqrtRare(n); done {
		return e.pack128(w)
	}
	return e.pack128(root(n))
}

// root is the square root of a positive finite number, bit by bit: the
// remainder r stays below twice the root s, so both fit 128 bits (and one).
func root(a wide) wide {
	// Radicand in [1,4) with two integer bits, fed from the top two by two.
	h, l, extra := a.hi>>1, a.lo>>1|a.hi<<63, a.lo<<63
	if a.exp&1 != 0 {
		h, l, extra = a.hi, a.lo, 0
	}
	var sh, sl, rh, rl uint64
	for range 116 {
		rh, rl = rh<<2|rl>>62, rl<<2|h>>62
		h, l, extra = h<<2|l>>62, l<<2|extra>>62, extra<<2
		th, tl := sh<<2|sl>>62, sl<<2|1 // 4s+1
		sh, sl = sh<<1|sl>>63, sl<<1
		dl, c := bits.Sub64(rl, tl, 0)
		dh, c := bits.Sub64(rh, th, c)
		if c == 0 {
			rh, rl = dh, dl
			sl |= 1
		}
	}
	// 116 bits found; align, with what remains as the sticky bit.
	w := wide{sh<<12 | sl>>52, sl<<12 | b2u(rh|rl != 0), a.exp >> 1, 0, norm}
	return w
}

// Rem returns the IEEE 754 remainder a - n*b, n being a/b to nearest even.
func (a F128) Rem(e *Env, b F128) F128 {
	x, y := a.unpack(), b.unpack()
	w, done := e.remRare(x, y)
	if !done {
		w = rem128(x, y)
	}
	return e.pack128(w)
}

// rem128 is rem for f128, one quotient bit at a time.
func rem128(a, b wide) wide {
	a.cls = norm
	d := a.exp - b.exp
	if d < -1 {
		return a
	}
	// Significands have 113 bits, so there is room to double below.
	ah, al := a.hi>>2, a.lo>>2|a.hi<<62
	bh, bl := b.hi>>2, b.lo>>2|b.hi<<62
	exp, odd := b.exp, false
	if d < 0 { // both in units of a
		bh, bl, exp = bh<<1|bl>>63, bl<<1, a.exp
	}
	for ; ; d-- {
		l, c := bits.Sub64(al, bl, 0)
		h, c := bits.Sub64(ah, bh, c)
		odd = c == 0
		if odd {
			ah, al = h, l
		}
		if d <= 0 {
			break
		}
		ah, al = ah<<1|al>>63, al<<1
	}
	ul, c := bits.Sub64(bl, al, 0)
	uh, _ := bits.Sub64(bh, ah, c)
	if ah > uh || ah == uh && (al > ul || al == ul && odd) {
		ah, al, a.sign = uh, ul, a.sign^1
	}
	if ah|al == 0 {
		return wide{sign: a.sign}
	}
	w := wide{ah, al, exp + 2, a.sign, norm}
	w.normalize()
	return w
}

// RoundToInt rounds to an integral value in direction r.
func (a F128) RoundToInt(e *Env, r Rounding) F128 { return e.pack128(e.integral(a.unpack(), r)) }

// ScaleB returns a * 2^n.
func (a F128) ScaleB(e *Env, n int) F128 { return e.pack128(e.scale(a.unpack(), n)) }

// LogB returns the exponent of a, as if a were normal.
func (a F128) LogB(e *Env) F128 { return e.pack128(e.logB(a.unpack())) }

// Compare orders a and b; only signaling NaNs raise Invalid.
func (a F128) Compare(e *Env, b F128) Ordering { return e.compare(a.unpack(), b.unpack(), false) }

// CompareSignaling orders a and b; any NaN raises Invalid.
func (a F128) CompareSignaling(e *Env, b F128) Ordering {
	return e.compare(a.unpack(), b.unpack(), true)
}

// IsNaN reports whether a is a NaN.
func (a F128) IsNaN() bool { return a.unpack().cls.isNaN() }

// IsSignalingNaN reports whether a is a signaling NaN.
func (a F128) IsSignalingNaN() bool { return a.unpack().cls == snan }

// ToF32 converts to f32.
func (a F128) ToF32(e *Env) F32 { return e.pack32(e.convert(a.unpack(), true)) }

// ToF64 converts to f64.
func (a F128) ToF64(e *Env) F64 { return e.pack64(e.convert(a.unpack(), true)) }

// ToF80 converts to f80.
func (a F128) ToF80(e *Env) F80 { return e.pack80(e.convert(a.unpack(), true), 64) }

// ToI32 converts to int32 in direction r; what does not fit follows e.Int.
func (a F128) ToI32(e *Env, r Rounding) int32 { return int32(e.toInt(a.unpack(), r, 32)) }

// ToI64 converts to int64 in direction r; what does not fit follows e.Int.
func (a F128) ToI64(e *Env, r Rounding) int64 { return e.toInt(a.unpack(), r, 64) }

// ToU32 converts to uint32 in direction r; what does not fit follows e.Int.
func (a F128) ToU32(e *Env, r Rounding) uint32 { return uint32(e.toUint(a.unpack(), r, 32)) }

// ToU64 converts to uint64 in direction r; what does not fit follows e.Int.
func (a F128) ToU64(e *Env, r Rounding) uint64 { return e.toUint(a.unpack(), r, 64) }

// F128FromI64 converts v exactly.
func F128FromI64(v int64) F128 {
	var e Env
	return e.pack128(fromInt(v))
}

// F128FromU64 converts v exactly.
func F128FromU64(v uint64) F128 {
	var e Env
	return e.pack128(fromUint(v, 0))
}
