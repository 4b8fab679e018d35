package softfloat

// F32 is an IEEE 754 binary32, as its bit pattern.
type F32 uint32

// Add returns a + b.
func (a F32) Add(e *Env, b F32) F32 { return e.pack32(e.add(a.unpack(e), b.unpack(e), 0)) }

// Sub returns a - b.
func (a F32) Sub(e *Env, b F32) F32 { return e.pack32(e.add(a.unpack(e), b.unpack(e), 1)) }

// Mul returns a * b.
func (a F32) Mul(e *Env, b F32) F32 { return e.pack32(e.mul(a.unpack(e), b.unpack(e))) }

// Div returns a / b.
func (a F32) Div(e *Env, b F32) F32 { return e.pack32(e.div(a.unpack(e), b.unpack(e))) }

// Sqrt returns the square root of a.
func (a F32) Sqrt(e *Env) F32 { return e.pack32(e.sqrt(a.unpack(e))) }

// MulAdd returns a*b + c, rounded once.
func (a F32) MulAdd(e *Env, b, c F32) F32 {
	return e.pack32(e.mulAdd(a.unpack(e), b.unpack(e), c.unpack(e)))
}

// Rem returns the IEEE 754 remainder a - n*b, n being a/b to nearest even.
func (a F32) Rem(e *Env, b F32) F32 {
	return e.pack32(e.remNum(a.unpack(e), b.unpack(e), nearest))
}

// Mod returns a - n*b, n being a/b truncated (C's fmod).
func (a F32) Mod(e *Env, b F32) F32 {
	return e.pack32(e.remNum(a.unpack(e), b.unpack(e), truncated))
}

// RoundToInt rounds to an integral value in direction r and raises Inexact if
// that changes it. Denormal is not raised (as ROUNDSS and ROUNDSD).
func (a F32) RoundToInt(e *Env, r Rounding) F32 {
	return e.pack32(e.integral(a.unpack(e).wide(), r))
}

// ScaleB returns a * 2^n.
func (a F32) ScaleB(e *Env, n int) F32 { return e.pack32(e.scale(a.unpack(e).wide(), n)) }

// LogB returns the exponent of a, as if a were normal: LogB(1) is 0. Zero
// gives -infinity and DivByZero.
func (a F32) LogB(e *Env) F32 { return e.pack32(e.logB(a.unpack(e).wide())) }

// Compare orders a and b; only signaling NaNs raise Invalid.
func (a F32) Compare(e *Env, b F32) Ordering {
	return e.compare(a.unpack(e).wide(), b.unpack(e).wide(), false)
}

// CompareSignaling orders a and b; any NaN raises Invalid.
func (a F32) CompareSignaling(e *Env, b F32) Ordering {
	return e.compare(a.unpack(e).wide(), b.unpack(e).wide(), true)
}

// IsNaN reports whether a is a NaN.
func (a F32) IsNaN() bool { return a<<1 > 0x7f800000<<1 }

// IsSignalingNaN reports whether a is a signaling NaN.
func (a F32) IsSignalingNaN() bool { return a.IsNaN() && a&(1<<22) == 0 }

// ToF64 converts to f64, exactly. A denormal a raises Denormal.
func (a F32) ToF64(e *Env) F64 { return e.pack64(e.convert(a.unpack(e).wide(), true)) }

// ToF80 converts to f80, exactly. A denormal a raises Denormal and a signaling
// NaN is quieted with Invalid: FLD m32.
func (a F32) ToF80(e *Env) F80 { return e.pack80(e.convert(a.unpack(e).wide(), true), 64) }

// Operand80 widens a to f80 as an operand of x87 arithmetic (FADD m32): no
// flag is raised and a signaling NaN stays one, for the operation to judge.
// denormal says that the operation has a denormal operand, which the f80 no
// longer shows: the caller raises Denormal unless the operation raises Invalid
// or DivByZero or another operand is a NaN.
func (a F32) Operand80() (v F80, denormal bool) {
	var e Env
	n := a.unpack(&e)
	if n.cls.isNaN() {
		return F80{n.sig, uint16(n.sign)<<15 | 0x7fff}, false
	}
	w := n.wide()
	if n.cls == den {
		w.cls = norm
	}
	return e.pack80(w, 64), n.cls == den
}

// ToF128 converts to f128, exactly.
func (a F32) ToF128(e *Env) F128 { return e.pack128(e.convert(a.unpack(e).wide(), true)) }

// ToI16 converts to int16 in direction r; what does not fit follows e.Int.
func (a F32) ToI16(e *Env, r Rounding) int16 { return int16(e.toInt(a.unpack(e).wide(), r, 16)) }

// ToI32 converts to int32 in direction r; what does not fit follows e.Int.
func (a F32) ToI32(e *Env, r Rounding) int32 { return int32(e.toInt(a.unpack(e).wide(), r, 32)) }

// ToI64 converts to int64 in direction r; what does not fit follows e.Int.
func (a F32) ToI64(e *Env, r Rounding) int64 { return e.toInt(a.unpack(e).wide(), r, 64) }

// ToU16 converts to uint16 in direction r; what does not fit follows e.Int.
func (a F32) ToU16(e *Env, r Rounding) uint16 { return uint16(e.toUint(a.unpack(e).wide(), r, 16)) }

// ToU32 converts to uint32 in direction r; what does not fit follows e.Int.
func (a F32) ToU32(e *Env, r Rounding) uint32 { return uint32(e.toUint(a.unpack(e).wide(), r, 32)) }

// ToU64 converts to uint64 in direction r; what does not fit follows e.Int.
func (a F32) ToU64(e *Env, r Rounding) uint64 { return e.toUint(a.unpack(e).wide(), r, 64) }

// F32FromI64 converts v; smaller signed integers convert through it.
func F32FromI64(e *Env, v int64) F32 { return e.pack32(fromInt(v)) }

// F32FromU64 converts v; smaller unsigned integers convert through it.
func F32FromU64(e *Env, v uint64) F32 { return e.pack32(fromUint(v, 0)) }
