package softfloat

import "math/bits"

// class sorts operands. The order matters: norm and den are neighbours, and
// everything from qnan on is a NaN of some kind.
type class uint8

const (
	zero class = iota
	norm
	den  // nonzero, below the normal range of its format (or pseudo-denormal)
	inf  //
	qnan // quiet NaN
	snan // signaling NaN
	bad  // F80 only: unnormal, pseudo-NaN, pseudo-infinity
)

func (c class) isNaN() bool    { return c >= qnan }
func (c class) isFinite() bool { return c <= den }

// bothFinite reports whether both are finite and nonzero.
func bothFinite(a, b class) bool { return (a-1)|(b-1) <= 1 }

// num is an unpacked f32, f64 or f80. A finite nonzero one has the value
// sig * 2^(exp-63) with bit 63 of sig set, whatever its format. A NaN has the
// quiet bit at bit 62 and its payload below.
type num struct {
	sig  uint64
	exp  int32
	sign uint8 // 0 or 1
	cls  class
}

// wide is a result before rounding, or an unpacked f128: as num, with the
// significand hi:lo and bit 63 of hi set. As a result the lowest bit of lo may
// be sticky (the OR of everything beyond it).
type wide struct {
	hi, lo uint64
	exp    int32
	sign   uint8
	cls    class
}

func (a num) wide() wide { return wide{a.sig, 0, a.exp, a.sign, a.cls} }

// Exponent biases; a format's exponents run from 1-bias to bias.
const (
	bias32 = 127
	bias64 = 1023
	bias80 = 16383
)

const (
	top      = 1 << 63 // integer bit of a significand
	quietBit = 1 << 62
)

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (a F32) unpack(e *Env) num {
	sign, exp, frac := uint8(a>>31), int32(a>>23)&0xff, uint64(a&(1<<23-1))
	if exp != 0 && exp != 0xff {
		return num{top | frac<<40, exp - bias32, sign, norm}
	}
	return e.unpackRare(sign, exp != 0, frac<<40, 1-bias32)
}

func (a F64) unpack(e *Env) num {
	sign, exp, frac := uint8(a>>63), int32(a>>52)&0x7ff, uint64(a&(1<<52-1))
	if exp != 0 && exp != 0x7ff {
		return num{top | frac<<11, exp - bias64, sign, norm}
	}
	return e.unpackRare(sign, exp != 0, frac<<11, 1-bias64)
}

// unpackRare does zeros and denormals (special false), infinities and NaNs
// (special true) of f32 and f64.
func (e *Env) unpackRare(sign uint8, special bool, frac uint64, emin int32) num {
	switch {
	case special && frac == 0:
		return num{top, 0, sign, inf}
	case special && frac&quietBit != 0:
		return num{top | frac, 0, sign, qnan}
	case special:
		return num{top | frac, 0, sign, snan}
	case frac == 0:
		return num{0, 0, sign, zero}
	case e.DAZ:
		if e.DAZFlag {
			e.Flags |= Denormal
		}
		if e.FTZ == FTZVFP11 {
			sign = 0
		}
		return num{0, 0, sign, zero}
	}
	n := bits.LeadingZeros64(frac)
	return num{frac << n, emin - int32(n), sign, den}
}

func (a F80) unpack() num {
	sign, exp := uint8(a.SE>>15), int32(a.SE&0x7fff)
	if exp != 0 && exp != 0x7fff && a.Man&top != 0 {
		return num{a.Man, exp - bias80, sign, norm}
	}
	switch {
	case exp == 0 && a.Man == 0:
		return num{0, 0, sign, zero}
	case exp == 0: // denormal, or with the integer bit a pseudo-denormal
		n := bits.LeadingZeros64(a.Man)
		return num{a.Man << n, 1 - bias80 - int32(n), sign, den}
	case a.Man&top == 0:
		return num{a.Man, 0, sign, bad}
	case a.Man == top:
		return num{a.Man, 0, sign, inf}
	case a.Man&quietBit != 0:
		return num{a.Man, 0, sign, qnan}
	}
	return num{a.Man, 0, sign, snan}
}

func (a F128) unpack() wide {
	sign, exp := uint8(a.Hi>>63), int32(a.Hi>>48)&0x7fff
	hi, lo := a.Hi<<15&(top-1)|a.Lo>>49, a.Lo<<15
	switch {
	case exp == 0x7fff && hi|lo == 0:
		return wide{top, 0, 0, sign, inf}
	case exp == 0x7fff && hi&quietBit != 0:
		return wide{top | hi, lo, 0, sign, qnan}
	case exp == 0x7fff:
		return wide{top | hi, lo, 0, sign, snan}
	case exp != 0:
		return wide{top | hi, lo, exp - bias80, sign, norm}
	case hi|lo == 0:
		return wide{0, 0, 0, sign, zero}
	}
	w := wide{hi, lo, 1 - bias80, sign, den}
	w.normalize()
	return w
}

// normalize shifts the (nonzero) significand up until bit 63 of hi is set.
func (w *wide) normalize() {
	if w.hi == 0 {
		w.hi, w.lo, w.exp = w.lo, 0, w.exp-64
	}
	n := bits.LeadingZeros64(w.hi)
	w.hi, w.lo, w.exp = w.hi<<n|w.lo>>(64-n), w.lo<<n, w.exp-int32(n)
}

// pack32 rounds a result to f32.
func (e *Env) pack32(w wide) F32 {
	switch w.cls {
	case norm:
		sig, be := e.round(w.sign, w.exp, w.hi, w.lo, 24, bias32)
		if be == 0 && e.FTZ == FTZVFP11 {
			return 0
		}
		if be > 0 { // the integer bit adds the 1 taken off here
			be--
		}
		return F32(uint32(w.sign)<<31 | uint32(be)<<23 + uint32(sig>>40))
	case zero:
		return F32(w.sign) << 31
	}
	return F32(w.sign)<<31 | 0xff<<23 | F32(w.hi<<1>>41)
}

// pack64 rounds a result to f64.
func (e *Env) pack64(w wide) F64 {
	switch w.cls {
	case norm:
		sig, be := e.round(w.sign, w.exp, w.hi, w.lo, 53, bias64)
		if be == 0 && e.FTZ == FTZVFP11 {
			return 0
		}
		if be > 0 {
			be--
		}
		return F64(uint64(w.sign)<<63 | uint64(be)<<52 + sig>>11)
	case zero:
		return F64(w.sign) << 63
	}
	return F64(w.sign)<<63 | 0x7ff<<52 | F64(w.hi<<1>>12)
}

// pack80 rounds a result to f80 with prec significand bits.
func (e *Env) pack80(w wide, prec uint) F80 {
	se := uint16(w.sign) << 15
	switch w.cls {
	case norm:
		sig, be := e.round(w.sign, w.exp, w.hi, w.lo, prec, bias80)
		return F80{sig, se | uint16(be)}
	case zero:
		return F80{0, se}
	}
	return F80{w.hi | top, se | 0x7fff}
}

// pack128 rounds a result to f128.
func (e *Env) pack128(w wide) F128 {
	s := uint64(w.sign) << 63
	switch w.cls {
	case norm:
		hi, lo, be := e.round113(w)
		if be > 0 {
			be--
		}
		return F128{s | uint64(be)<<48 + hi>>15, hi<<49 | lo>>15}
	case zero:
		return F128{s, 0}
	}
	return F128{s | 0x7fff<<48 | hi48(w.hi), w.hi<<49 | w.lo>>15}
}

func hi48(hi uint64) uint64 { return hi << 1 >> 16 }
