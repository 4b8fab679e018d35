package softfloat

// F80 is an x87 double-extended number. Man holds the 64-bit significand with
// its explicit integer bit, SE sign (bit 15) and biased exponent. In memory it
// is Man followed by SE, little-endian, 10 bytes.
//
// Pseudo-denormals (exponent 0, integer bit set) count as the denormals they
// denote; unnormals, pseudo-NaNs and pseudo-infinities are invalid operands, as
// from the 387 on (Intel SDM vol. 1, 8.2.2).
type F80 struct {
	Man uint64
	SE  uint16
}

// Add returns a + b to e.Prec significand bits.
func (a F80) Add(e *Env, b F80) F80 {
	return e.pack80(e.add(a.unpack(), b.unpack(), 0), e.Prec.bits())
}

// Sub returns a - b to e.Prec significand bits.
func (a F80) Sub(e *Env, b F80) F80 {
	return e.pack80(e.add(a.unpack(), b.unpack(), 1), e.Prec.bits())
}

// Mul returns a * b to e.Prec significand bits.
func (a F80) Mul(e *Env, b F80) F80 {
	return e.pack80(e.mul(a.unpack(), b.unpack()), e.Prec.bits())
}

// Div returns a / b to e.Prec significand bits.
func (a F80) Div(e *Env, b F80) F80 {
	return e.pack80(e.div(a.unpack(), b.unpack()), e.Prec.bits())
}

// Sqrt returns the square root of a to e.Prec significand bits.
func (a F80) Sqrt(e *Env) F80 { return e.pack80(e.sqrt(a.unpack()), e.Prec.bits()) }

// Rem returns the IEEE 754 remainder a - n*b, n being a/b to nearest even,
// however long that takes; FPREM1 is PartialRem.
func (a F80) Rem(e *Env, b F80) F80 {
	return e.pack80(e.remNum(a.unpack(), b.unpack(), nearest), 64)
}

// RoundToInt rounds to an integral value in direction r: FRNDINT.
func (a F80) RoundToInt(e *Env, r Rounding) F80 {
	n := a.unpack()
	if n.cls == den {
		e.Flags |= Denormal
	}
	return e.pack80(e.integral(n.wide(), r), 64)
}

// ScaleB returns a * 2^n.
func (a F80) ScaleB(e *Env, n int) F80 { return e.pack80(e.scale(a.unpack().wide(), n), 64) }

// Compare orders a and b; only signaling NaNs and unsupported encodings raise
// Invalid: FUCOM.
func (a F80) Compare(e *Env, b F80) Ordering {
	return e.compare(a.unpack().wide(), b.unpack().wide(), false)
}

// CompareSignaling orders a and b; any NaN raises Invalid: FCOM.
func (a F80) CompareSignaling(e *Env, b F80) Ordering {
	return e.compare(a.unpack().wide(), b.unpack().wide(), true)
}

// IsNaN reports whether a is a NaN or an unsupported encoding.
func (a F80) IsNaN() bool { return a.unpack().cls.isNaN() }

// ToF32 converts to f32: FST m32. As there, Denormal is not raised.
func (a F80) ToF32(e *Env) F32 { return e.pack32(e.convert(a.unpack().wide(), false)) }

// ToF64 converts to f64: FST m64. As there, Denormal is not raised.
func (a F80) ToF64(e *Env) F64 { return e.pack64(e.convert(a.unpack().wide(), false)) }

// ToF128 converts to f128, exactly.
func (a F80) ToF128(e *Env) F128 { return e.pack128(e.convert(a.unpack().wide(), true)) }

// ToI16 converts to int16 in direction r (FIST m16).
func (a F80) ToI16(e *Env, r Rounding) int16 { return int16(e.toInt(a.unpack().wide(), r, 16)) }

// ToI32 converts to int32 in direction r (FIST m32).
func (a F80) ToI32(e *Env, r Rounding) int32 { return int32(e.toInt(a.unpack().wide(), r, 32)) }

// ToI64 converts to int64 in direction r (FISTP m64).
func (a F80) ToI64(e *Env, r Rounding) int64 { return e.toInt(a.unpack().wide(), r, 64) }

// ToU16 converts to uint16 in direction r.
func (a F80) ToU16(e *Env, r Rounding) uint16 { return uint16(e.toUint(a.unpack().wide(), r, 16)) }

// ToU32 converts to uint32 in direction r.
func (a F80) ToU32(e *Env, r Rounding) uint32 { return uint32(e.toUint(a.unpack().wide(), r, 32)) }

// ToU64 converts to uint64 in direction r.
func (a F80) ToU64(e *Env, r Rounding) uint64 { return e.toUint(a.unpack().wide(), r, 64) }

// F80FromI64 converts v exactly (FILD).
func F80FromI64(v int64) F80 {
	var e Env
	return e.pack80(fromInt(v), 64)
}

// F80FromU64 converts v exactly.
func F80FromU64(v uint64) F80 {
	var e Env
	return e.pack80(fromUint(v, 0), 64)
}
