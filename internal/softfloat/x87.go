package softfloat

// The x87 operations that are not IEEE 754 arithmetic: Intel SDM vol. 2 under
// the mnemonic each is named after. st0 and st1 are the registers before the
// instruction. The transcendental ones are in transcend.go.

// FPREM returns the partial remainder of st0 by st1 with a truncated
// quotient. When complete is false (C2 = 1) the result is only a step towards
// it: st0 with its exponent lowered by 32 to 63. quo holds the low bits of the
// quotient's magnitude: bit 2 goes to C0, bit 1 to C3, bit 0 to C1; it is 0
// when incomplete.
func (st0 F80) FPREM(e *Env, st1 F80) (r F80, quo uint8, complete bool) {
	return e.partialRem(st0, st1, truncated)
}

// FPREM1 is FPREM with the last quotient rounded to nearest even.
func (st0 F80) FPREM1(e *Env, st1 F80) (r F80, quo uint8, complete bool) {
	return e.partialRem(st0, st1, nearest)
}

func (e *Env) partialRem(st0, st1 F80, q quotient) (F80, uint8, bool) {
	a, b := st0.unpack(), st1.unpack()
	if w, done := e.remRare(a.wide(), b.wide()); done {
		return e.pack80(w, 64), 0, true
	}
	d := a.exp - b.exp
	if d < 64 {
		w, n := rem(a, b, q)
		return e.pack80(w, 64), uint8(n & 7), true
	}
	// 32 <= n <= 63 quotient bits, congruent to d so that the steps after
	// this take 32 each.
	n := 32 + d%32
	r, _ := longDivide(a.sig, b.sig, n)
	w := wide{hi: r, exp: b.exp + d - n, sign: a.sign, cls: norm}
	if r == 0 {
		w.cls = zero
	} else {
		w.normalize()
	}
	return e.pack80(w, 64), 0, false
}

// FSCALE returns st0 * 2^n, n being st1 truncated.
func (st0 F80) FSCALE(e *Env, st1 F80) F80 {
	a, b := st0.unpack(), st1.unpack()
	if a.cls.isNaN() || b.cls.isNaN() {
		return e.pack80(e.nan2(a.wide(), b.wide()), 64)
	}
	if b.cls == inf {
		if b.sign == 0 && a.cls == zero || b.sign != 0 && a.cls == inf {
			return e.pack80(e.invalid(), 64)
		}
		if a.cls == den {
			e.Flags |= Denormal
		}
		if b.sign == 0 {
			return e.pack80(wide{hi: top, sign: a.sign, cls: inf}, 64)
		}
		return e.pack80(wide{sign: a.sign}, 64)
	}
	if b.cls == den {
		e.Flags |= Denormal
	}
	if b.cls == zero { // no scaling, so no underflow either, unmasked or not
		var still Env
		return still.pack80(e.convert(a.wide(), true), 64)
	}
	n := 0
	if b.cls == norm && b.exp >= 0 {
		n = 1 << 20 // anything this large over- or underflows
		if b.exp < 20 {
			n = int(b.sig >> (63 - b.exp))
		}
		if b.sign != 0 {
			n = -n
		}
	}
	return e.pack80(e.scale(a.wide(), n), 64)
}

// FXTRACT splits st0 into its significand (as a number of exponent 0, with
// st0's sign: the new st0) and its exponent (the new st1). Zero gives the
// exponent -infinity and DivByZero, an infinity +infinity.
func (st0 F80) FXTRACT(e *Env) (significand, exponent F80) {
	a := st0.unpack()
	exponent = e.pack80(e.logB(a.wide()), 64)
	if a.cls.isNaN() {
		return exponent, exponent
	}
	if a.cls.isFinite() && a.cls != zero {
		a.exp, a.cls = 0, norm
	}
	return e.pack80(a.wide(), 64), exponent
}

// Constant names a number the x87 can load.
type Constant uint8

const (
	One     Constant = iota // FLD1
	Log2Ten                 // FLDL2T
	Log2E                   // FLDL2E
	Pi                      // FLDPI
	Log10_2                 // FLDLG2
	Ln2                     // FLDLN2
	Zero                    // FLDZ
)

// Const loads a constant, rounded in direction e.Round from its true value as
// on the 387 and later. No flag is raised. The order of the constants is that
// of their opcodes, D9 E8 to D9 EE.
func (e *Env) Const(c Constant) F80 {
	var w wide
	switch c {
	case One:
		w = wide{hi: top, cls: norm}
	case Log2Ten:
		w = log2Ten()
	case Log2E:
		w = log2E()
	case Pi:
		w = pi()
	case Log10_2:
		w = log10Two()
	case Ln2:
		w = ln2()
	}
	quiet := Env{Round: e.Round}
	return quiet.pack80(w, 64)
}

// BCD is the packed decimal of FBLD and FBSTP: 18 digits, two to a byte, the
// least significant first; bit 7 of the last byte is the sign.
type BCD [10]byte

// ToF80 is FBLD. Digits above 9, undefined by Intel, count as their value.
func (d BCD) ToF80() F80 {
	var m uint64
	for i := 8; i >= 0; i-- {
		m = m*100 + uint64(d[i]>>4)*10 + uint64(d[i]&15)
	}
	v := F80FromU64(m)
	v.SE |= uint16(d[9]>>7) << 15
	return v
}

// ToBCD is FBSTP: a rounded to an integer in direction r. What has more than
// 18 digits raises Invalid and gives the packed BCD indefinite.
func (a F80) ToBCD(e *Env, r Rounding) BCD {
	const limit = 1e18
	n := a.unpack()
	if n.cls.isFinite() {
		m, ok, raised := e.intMagnitude(n.wide(), r)
		if ok && m < limit {
			e.Flags |= raised
			var d BCD
			for i := range 9 {
				d[i] = byte(m%10 | m/10%10<<4)
				m /= 100
			}
			d[9] = n.sign << 7
			return d
		}
	}
	e.Flags |= Invalid
	return BCD{7: 0xc0, 8: 0xff, 9: 0xff}
}
