package x86

import (
	"math"
	"strings"

	"rhea/internal/softfloat"
)

// The conversions of SSE and SSE2 (SDM vol. 2, CVT*).

// toI32 converts in direction r; what does not fit gives the integer
// indefinite and Invalid.
func (u *sseUnit) f32ToI32(a uint32, r softfloat.Rounding) uint64 {
	if x := f32(a); u.masked && x > -0x7fffff80 && x < 0x7fffff80 && plain32(a) {
		return u.toI32(float64(x), r)
	}
	return uint64(uint32(softfloat.F32(a).ToI32(&u.env, r)))
}

func (u *sseUnit) f64ToI32(a uint64, r softfloat.Rounding) uint64 {
	if x := f64(a); u.masked && x > -0x7fffffff && x < 0x7fffffff && plain64(a) {
		return u.toI32(x, r)
	}
	return uint64(uint32(softfloat.F64(a).ToI32(&u.env, r)))
}

// toI32 converts what fits.
func (u *sseUnit) toI32(x float64, r softfloat.Rounding) uint64 {
	n := int64(x)
	if float64(n) != x {
		switch r {
		case softfloat.NearestEven:
			n = int64(math.RoundToEven(x))
		case softfloat.Down:
			n = int64(math.Floor(x))
		case softfloat.Up:
			n = int64(math.Ceil(x))
		}
		u.env.Flags |= softfloat.Inexact
	}
	return uint64(uint32(n))
}

func (u *sseUnit) i32ToF32(v uint32) uint64 {
	n := int32(v)
	if u.host {
		x := float32(n)
		u.rounded(float64(x) == float64(n))
		return uint64(math.Float32bits(x))
	}
	return uint64(softfloat.F32FromI64(&u.env, int64(n)))
}

func (u *sseUnit) i64ToF32(v uint64) uint64 { return uint64(softfloat.F32FromI64(&u.env, int64(v))) }
func (u *sseUnit) i64ToF64(v uint64) uint64 { return uint64(softfloat.F64FromI64(&u.env, int64(v))) }

func i32ToF64(v uint32) uint64 { return math.Float64bits(float64(int32(v))) }

func (u *sseUnit) f32ToF64(a uint32) uint64 {
	if plain32(a) {
		return math.Float64bits(float64(f32(a)))
	}
	return uint64(softfloat.F32(a).ToF64(&u.env))
}

func (u *sseUnit) f64ToF32(a uint64) uint64 {
	if u.host && plain64(a) {
		if x := float32(f64(a)); safe32(math.Float32bits(x)) {
			u.rounded(float64(x) == f64(a))
			return uint64(math.Float32bits(x))
		}
	}
	return uint64(softfloat.F64(a).ToF32(&u.env))
}

func setLow32(d *lanes, v uint64) { d[0] = d[0]&^0xffffffff | v&0xffffffff }

// wideOps finds the conversions of general registers of 64 bits, which end in
// Q, by the names of the others.
func wideOps(ops []floatOp) map[string]int {
	m := map[string]int{}
	for i, op := range ops {
		if name, ok := strings.CutSuffix(op.name, "Q"); ok {
			m[name] = i
		}
	}
	return m
}

// conversions lists them for floatOps.
func conversions() []floatOp {
	type op = func(u *sseUnit, d, s *lanes, _ uint64) uint64
	// Those to integers come with the current rounding and truncating.
	current := func(u *sseUnit) softfloat.Rounding { return u.env.Round }
	truncate := func(*sseUnit) softfloat.Rounding { return softfloat.ToZero }
	var ops []floatOp
	for _, way := range []struct {
		prefix string
		round  func(*sseUnit) softfloat.Rounding
	}{{"CVT", current}, {"CVTT", truncate}} {
		round := way.round
		pair32 := func(u *sseUnit, x uint64) uint64 {
			r := round(u)
			return u.f32ToI32(uint32(x), r) | u.f32ToI32(uint32(x>>32), r)<<32
		}
		pair64 := func(u *sseUnit, s *lanes) uint64 {
			r := round(u)
			return u.f64ToI32(s[0], r) | u.f64ToI32(s[1], r)<<32
		}
		// A slice, for the numbers of operations to be the same each time.
		for _, o := range []struct {
			name string
			f    op
		}{
			{"PS2DQ", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
				d[0], d[1] = pair32(u, s[0]), pair32(u, s[1])
				return 0
			}},
			{"PD2DQ", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
				d[0], d[1] = pair64(u, s), 0
				return 0
			}},
			{"PS2PI", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
				d[0] = pair32(u, s[0])
				return 0
			}},
			{"PD2PI", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
				d[0] = pair64(u, s)
				return 0
			}},
		} {
			ops = append(ops, floatOp{way.prefix + o.name, toVector, o.f})
		}
		ops = append(ops,
			floatOp{way.prefix + "SS2SI", toReg, func(u *sseUnit, _, s *lanes, _ uint64) uint64 {
				return u.f32ToI32(uint32(s[0]), round(u))
			}},
			floatOp{way.prefix + "SD2SI", toReg, func(u *sseUnit, _, s *lanes, _ uint64) uint64 {
				return u.f64ToI32(s[0], round(u))
			}},
			floatOp{way.prefix + "SS2SIQ", toReg64, func(u *sseUnit, _, s *lanes, _ uint64) uint64 {
				return uint64(softfloat.F32(s[0]).ToI64(&u.env, round(u)))
			}},
			floatOp{way.prefix + "SD2SIQ", toReg64, func(u *sseUnit, _, s *lanes, _ uint64) uint64 {
				return uint64(softfloat.F64(s[0]).ToI64(&u.env, round(u)))
			}})
	}
	return append(ops, []floatOp{
		{"CVTDQ2PS", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			for i, x := range s {
				d[i] = u.i32ToF32(uint32(x)) | u.i32ToF32(uint32(x>>32))<<32
			}
			return 0
		}},
		{"CVTPI2PS", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0] = u.i32ToF32(uint32(s[0])) | u.i32ToF32(uint32(s[0]>>32))<<32
			return 0
		}},
		{"CVTSI2SS", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			setLow32(d, u.i32ToF32(uint32(s[0])))
			return 0
		}},
		{"CVTSI2SSQ", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			setLow32(d, u.i64ToF32(s[0]))
			return 0
		}},
		{"CVTSI2SDQ", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0] = u.i64ToF64(s[0])
			return 0
		}},
		{"CVTDQ2PD", silent, func(_ *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0], d[1] = i32ToF64(uint32(s[0])), i32ToF64(uint32(s[0]>>32))
			return 0
		}},
		{"CVTPI2PD", silent, func(_ *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0], d[1] = i32ToF64(uint32(s[0])), i32ToF64(uint32(s[0]>>32))
			return 0
		}},
		{"CVTSI2SD", silent, func(_ *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0] = i32ToF64(uint32(s[0]))
			return 0
		}},
		{"CVTPS2PD", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0], d[1] = u.f32ToF64(uint32(s[0])), u.f32ToF64(uint32(s[0]>>32))
			return 0
		}},
		{"CVTSS2SD", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0] = u.f32ToF64(uint32(s[0]))
			return 0
		}},
		{"CVTPD2PS", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0], d[1] = u.f64ToF32(s[0])|u.f64ToF32(s[1])<<32, 0
			return 0
		}},
		{"CVTSD2SS", toVector, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			setLow32(d, u.f64ToF32(s[0]))
			return 0
		}},
	}...)
}
