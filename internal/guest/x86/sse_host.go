package x86

import (
	"math"

	"rhea/internal/softfloat"
)

// Arithmetic on scalars. Where MXCSR asks for rounding to nearest with all
// exceptions masked (sseUnit.host), the host's own arithmetic is used if the
// operands are normal or zero and the result is surely neither tiny nor
// overflown: then Inexact is the only exception there can be, and DAZ and FZ
// do not matter. Whether the result is exact follows from a residual, which
// is not needed once MXCSR.PE is set. All else is left to softfloat.

// plain32 reports whether a is normal or zero.
func plain32(a uint32) bool { return a<<1>>24-1 < 0xfe || a<<1 == 0 }
func plain64(a uint64) bool { return a<<1>>53-1 < 0x7fe || a<<1 == 0 }

// safe32 reports whether a result is finite and far enough from tiny: a value
// that would be tiny but for rounding is at most the least normal number.
func safe32(a uint32) bool { return a<<1>>24-2 < 0xfd }
func safe64(a uint64) bool { return a<<1>>53-2 < 0x7fd }

// mid64 reports whether a's exponent leaves room for residuals.
func mid64(a uint64) bool { return a<<1>>53-0x100 < 0x600 }

func f32(a uint32) float32 { return math.Float32frombits(a) }
func f64(a uint64) float64 { return math.Float64frombits(a) }

// rounded notes whether an operation was inexact.
func (u *sseUnit) rounded(exact bool) {
	if !exact {
		u.env.Flags |= softfloat.Inexact
	}
}

// sumIsExact reports whether s = a + b without rounding (Knuth's two-sum).
func sumIsExact(a, b, s float64) bool {
	v := s - a
	return (a-(s-v))+(b-v) == 0
}

func (u *sseUnit) add32(a, b uint32) uint32 {
	if u.host && plain32(a) && plain32(b) {
		x, y := f32(a), f32(b)
		r := math.Float32bits(x + y)
		if safe32(r) {
			if !u.inexact {
				w := float64(x) + float64(y)
				u.rounded(sumIsExact(float64(x), float64(y), w) && float64(f32(r)) == w)
			}
			return r
		}
	}
	return uint32(softfloat.F32(a).Add(&u.env, softfloat.F32(b)))
}

func (u *sseUnit) sub32(a, b uint32) uint32 {
	if u.host && plain32(a) && plain32(b) {
		x, y := f32(a), f32(b)
		r := math.Float32bits(x - y)
		if safe32(r) {
			if !u.inexact {
				w := float64(x) - float64(y)
				u.rounded(sumIsExact(float64(x), -float64(y), w) && float64(f32(r)) == w)
			}
			return r
		}
	}
	return uint32(softfloat.F32(a).Sub(&u.env, softfloat.F32(b)))
}

func (u *sseUnit) mul32(a, b uint32) uint32 {
	if u.host && plain32(a) && plain32(b) {
		x, y := f32(a), f32(b)
		r := math.Float32bits(x * y)
		if safe32(r) {
			if !u.inexact {
				u.rounded(float64(f32(r)) == float64(x)*float64(y))
			}
			return r
		}
	}
	return uint32(softfloat.F32(a).Mul(&u.env, softfloat.F32(b)))
}

func (u *sseUnit) div32(a, b uint32) uint32 {
	if u.host && plain32(a) && plain32(b) {
		x, y := f32(a), f32(b)
		r := math.Float32bits(x / y)
		if safe32(r) {
			if !u.inexact {
				u.rounded(float64(f32(r))*float64(y) == float64(x))
			}
			return r
		}
	}
	return uint32(softfloat.F32(a).Div(&u.env, softfloat.F32(b)))
}

func (u *sseUnit) sqrt32(_, b uint32) uint32 {
	if u.host && plain32(b) && b>>31 == 0 {
		x := f32(b)
		r := math.Float32bits(float32(math.Sqrt(float64(x)))) // innocuous double rounding
		if safe32(r) {
			if !u.inexact {
				u.rounded(float64(f32(r))*float64(f32(r)) == float64(x))
			}
			return r
		}
	}
	return uint32(softfloat.F32(b).Sqrt(&u.env))
}

func (u *sseUnit) add64(a, b uint64) uint64 {
	if u.host && plain64(a) && plain64(b) {
		x, y := f64(a), f64(b)
		s := x + y
		r := math.Float64bits(s)
		switch {
		case !safe64(r):
		case u.inexact:
			return r
		case mid64(r) && (mid64(a) || a<<1 == 0) && (mid64(b) || b<<1 == 0):
			u.rounded(sumIsExact(x, y, s))
			return r
		}
	}
	return uint64(softfloat.F64(a).Add(&u.env, softfloat.F64(b)))
}

func (u *sseUnit) sub64(a, b uint64) uint64 {
	if u.host && plain64(a) && plain64(b) {
		x, y := f64(a), f64(b)
		s := x - y
		r := math.Float64bits(s)
		switch {
		case !safe64(r):
		case u.inexact:
			return r
		case mid64(r) && (mid64(a) || a<<1 == 0) && (mid64(b) || b<<1 == 0):
			u.rounded(sumIsExact(x, -y, s))
			return r
		}
	}
	return uint64(softfloat.F64(a).Sub(&u.env, softfloat.F64(b)))
}

func (u *sseUnit) mul64(a, b uint64) uint64 {
	if u.host && plain64(a) && plain64(b) {
		x, y := f64(a), f64(b)
		p := x * y
		r := math.Float64bits(p)
		switch {
		case !safe64(r):
		case u.inexact:
			return r
		case mid64(r):
			u.rounded(math.FMA(x, y, -p) == 0)
			return r
		}
	}
	return uint64(softfloat.F64(a).Mul(&u.env, softfloat.F64(b)))
}

func (u *sseUnit) div64(a, b uint64) uint64 {
	if u.host && plain64(a) && plain64(b) {
		x, y := f64(a), f64(b)
		q := x / y
		r := math.Float64bits(q)
		switch {
		case !safe64(r):
		case u.inexact:
			return r
		case mid64(a) && mid64(b) && mid64(r):
			u.rounded(math.FMA(q, y, -x) == 0)
			return r
		}
	}
	return uint64(softfloat.F64(a).Div(&u.env, softfloat.F64(b)))
}

func (u *sseUnit) sqrt64(_, b uint64) uint64 {
	if u.host && plain64(b) && b>>63 == 0 {
		x := f64(b)
		q := math.Sqrt(x)
		r := math.Float64bits(q)
		switch {
		case !safe64(r):
		case u.inexact:
			return r
		case mid64(b):
			u.rounded(math.FMA(q, q, -x) == 0)
			return r
		}
	}
	return uint64(softfloat.F64(b).Sqrt(&u.env))
}

// order32 compares; signaling means that quiet NaNs raise Invalid, too.
func (u *sseUnit) order32(a, b uint32, signaling bool) softfloat.Ordering {
	if plain32(a) && plain32(b) {
		return order(float64(f32(a)), float64(f32(b)))
	}
	if signaling {
		return softfloat.F32(a).CompareSignaling(&u.env, softfloat.F32(b))
	}
	return softfloat.F32(a).Compare(&u.env, softfloat.F32(b))
}

func (u *sseUnit) order64(a, b uint64, signaling bool) softfloat.Ordering {
	if plain64(a) && plain64(b) {
		return order(f64(a), f64(b))
	}
	if signaling {
		return softfloat.F64(a).CompareSignaling(&u.env, softfloat.F64(b))
	}
	return softfloat.F64(a).Compare(&u.env, softfloat.F64(b))
}

func order(x, y float64) softfloat.Ordering {
	switch {
	case x < y:
		return softfloat.Less
	case x > y:
		return softfloat.Greater
	}
	return softfloat.Equal
}

// MIN and MAX deliver the second operand if either is a NaN or both are zeros
// (SDM vol. 2, MINPS).

func (u *sseUnit) min32(a, b uint32) uint32 {
	if u.order32(a, b, true) == softfloat.Less {
		return u.flush32(a)
	}
	return u.flush32(b)
}

func (u *sseUnit) max32(a, b uint32) uint32 {
	if u.order32(a, b, true) == softfloat.Greater {
		return u.flush32(a)
	}
	return u.flush32(b)
}

func (u *sseUnit) min64(a, b uint64) uint64 {
	if u.order64(a, b, true) == softfloat.Less {
		return u.flush64(a)
	}
	return u.flush64(b)
}

func (u *sseUnit) max64(a, b uint64) uint64 {
	if u.order64(a, b, true) == softfloat.Greater {
		return u.flush64(a)
	}
	return u.flush64(b)
}

// flush32 makes a denormal operand zero if MXCSR.DAZ is set.
func (u *sseUnit) flush32(a uint32) uint32 {
	if u.env.DAZ && a<<1>>24 == 0 {
		return a & (1 << 31)
	}
	return a
}

func (u *sseUnit) flush64(a uint64) uint64 {
	if u.env.DAZ && a<<1>>53 == 0 {
		return a & (1 << 63)
	}
	return a
}

// rcp32 and rsqrt32 are RCPPS and RSQRTPS. Intel permits a relative error of
// 1.5*2^-12; here the result is the nearest number, on all hosts. Denormal
// operands count as zero, tiny results become zero; there are no exceptions.

func (u *sseUnit) rcp32(_, b uint32) uint32 {
	sign := b & (1 << 31)
	switch e := b << 1 >> 24; {
	case e == 0:
		return sign | 0x7f800000
	case b<<1 > 0xff000000: // NaN
		return b | 1<<22
	}
	r := math.Float32bits(float32(1 / float64(f32(b))))
	if r<<1>>24 == 0 {
		return sign
	}
	return r
}

func (u *sseUnit) rsqrt32(_, b uint32) uint32 {
	sign := b & (1 << 31)
	switch e := b << 1 >> 24; {
	case e == 0:
		return sign | 0x7f800000
	case b<<1 > 0xff000000: // NaN
		return b | 1<<22
	case sign != 0:
		return 0xffc00000
	}
	return math.Float32bits(float32(1 / math.Sqrt(float64(f32(b)))))
}
