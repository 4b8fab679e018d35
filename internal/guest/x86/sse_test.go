package x86

import (
	"math"
	"math/rand/v2"
	"testing"

	"rhea/internal/softfloat"
)

// TestHostArithmetic compares the host's arithmetic, where sseUnit takes it,
// with softfloat: results, and flags with and without PE set before.
func TestHostArithmetic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	// Operands near the borders of what is taken, and near each other.
	operand := func(exp, mant uint) uint64 {
		bias := uint64(1)<<(exp-1) - 1
		var e uint64
		switch rnd.IntN(8) {
		case 0:
			e = rnd.Uint64N(4)
		case 1:
			e = 2*bias - 2 + rnd.Uint64N(4)
		case 2:
			e = rnd.Uint64N(2*bias + 2)
		case 3:
			e = bias/2 + rnd.Uint64N(4)
		case 4: // where mid64 begins and ends
			e = []uint64{0xfe, 0x6fe}[rnd.IntN(2)]&(2*bias+1) + rnd.Uint64N(4)
		default:
			e = bias + rnd.Uint64N(2*uint64(mant)) - uint64(mant)
		}
		m := rnd.Uint64() & (1<<mant - 1)
		switch rnd.IntN(4) {
		case 0:
			m = 0
		case 1:
			m &= ^uint64(0) << (mant / 2)
		case 2:
			m = []uint64{0, 1, 1<<mant - 1, 1 << (mant - 1)}[rnd.IntN(4)]
		}
		return rnd.Uint64()&1<<(exp+mant) | e<<mant | m
	}
	var host, soft sseUnit
	for name, f := range map[string]func(u *sseUnit, a, b uint32) uint32{
		"ADDSS": (*sseUnit).add32, "SUBSS": (*sseUnit).sub32, "MULSS": (*sseUnit).mul32, "DIVSS": (*sseUnit).div32, "SQRTSS": (*sseUnit).sqrt32,
		"CVTSI2SS": func(u *sseUnit, a, _ uint32) uint32 { return uint32(u.i32ToF32(a)) },
		"CVTSS2SI": func(u *sseUnit, a, _ uint32) uint32 { return uint32(u.f32ToI32(a, u.env.Round)) },
		"MINSS":    (*sseUnit).min32, "MAXSS": (*sseUnit).max32,
		"CMPSS": func(u *sseUnit, a, b uint32) uint32 { return uint32(u.cmp32(a, b, uint64(b&7))) },
	} {
		for range 50000 {
			a, b := uint32(operand(8, 23)), uint32(operand(8, 23))
			if rnd.IntN(4) == 0 {
				b = a + uint32(rnd.IntN(3)) - 1
			}
			mxcsr := uint64(mxDefault) | rnd.Uint64()&mxFZ | rnd.Uint64()&mxDAZ
			host.load(mxcsr)
			soft.load(mxcsr)
			soft.host, soft.masked = false, false
			host.inexact = rnd.IntN(2) == 0
			x, y := f(&host, a, b), f(&soft, a, b)
			fx, fy := host.env.Flags, soft.env.Flags
			if host.inexact {
				fx, fy = fx|mxPE, fy|mxPE
			}
			if x != y || (fx^fy)&0x3f != 0 {
				t.Fatalf("%s %08x %08x (mxcsr %x): %08x flags %x, want %08x flags %x", name, a, b, mxcsr, x, fx, y, fy)
			}
		}
	}
	for name, f := range map[string]func(u *sseUnit, a, b uint64) uint64{
		"ADDSD": (*sseUnit).add64, "SUBSD": (*sseUnit).sub64, "MULSD": (*sseUnit).mul64, "DIVSD": (*sseUnit).div64, "SQRTSD": (*sseUnit).sqrt64,
		"CVTSD2SI": func(u *sseUnit, a, _ uint64) uint64 { return u.f64ToI32(a, u.env.Round) },
		"CVTSD2SS": func(u *sseUnit, a, _ uint64) uint64 { return u.f64ToF32(a) },
		"MINSD":    (*sseUnit).min64, "MAXSD": (*sseUnit).max64,
		"CMPSD": func(u *sseUnit, a, b uint64) uint64 { return u.cmp64(a, b, b&7) },
	} {
		for range 50000 {
			a, b := operand(11, 52), operand(11, 52)
			if rnd.IntN(4) == 0 {
				b = a + rnd.Uint64N(3) - 1
			}
			if name == "CVTSD2SI" && rnd.IntN(2) == 0 { // near the limits, and halves
				a = math.Float64bits(float64(int32(rnd.Uint32()))*[]float64{1, 0.5, 1.0 / 65536}[rnd.IntN(3)] + []float64{0, 0.5, -0.25}[rnd.IntN(3)])
			}
			mxcsr := uint64(mxDefault) | rnd.Uint64()&mxFZ | rnd.Uint64()&mxDAZ
			if name == "CVTSD2SI" {
				mxcsr |= rnd.Uint64() & mxRC
			}
			host.load(mxcsr)
			soft.load(mxcsr)
			soft.host, soft.masked = false, false
			host.inexact = rnd.IntN(2) == 0
			x, y := f(&host, a, b), f(&soft, a, b)
			fx, fy := host.env.Flags, soft.env.Flags
			if host.inexact {
				fx, fy = fx|mxPE, fy|mxPE
			}
			if x != y || (fx^fy)&0x3f != 0 {
				t.Fatalf("%s %016x %016x (mxcsr %x): %016x flags %x, want %016x flags %x", name, a, b, mxcsr, x, fx, y, fy)
			}
		}
	}
}

// TestReciprocals: within Intel's 1.5 * 2^-12 (SDM vol. 2, RCPPS), and the
// special values of its tables.
func TestReciprocals(t *testing.T) {
	var u sseUnit
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 100000 {
		b := 0x00800000 + rnd.Uint32N(0x7e000000-0x00800000)
		x := float64(f32(b))
		if r := float64(f32(u.rcp32(0, b))); math.Abs(r*x-1) > 1.5/4096 {
			t.Fatalf("RCP %g = %g", x, r)
		}
		if r := float64(f32(u.rsqrt32(0, b))); math.Abs(r*math.Sqrt(x)-1) > 1.5/4096 {
			t.Fatalf("RSQRT %g = %g", x, r)
		}
	}
	for _, x := range [][3]uint32{ // operand, RCP, RSQRT
		{0, 0x7f800000, 0x7f800000}, {0x80000000, 0xff800000, 0xff800000},
		{1, 0x7f800000, 0x7f800000}, {0x807fffff, 0xff800000, 0xff800000}, // denormals
		{0x7f800000, 0, 0}, {0xff800000, 0x80000000, 0xffc00000},
		{0x7fa00001, 0x7fe00001, 0x7fe00001}, {0xffc00002, 0xffc00002, 0xffc00002},
		{0xbf800000, 0xbf800000, 0xffc00000}, {0x7f7fffff, 0, 0x1f800000}, {0xff000000, 0x80000000, 0xffc00000},
	} {
		if r, q := u.rcp32(0, x[0]), u.rsqrt32(0, x[0]); r != x[1] || q != x[2] {
			t.Errorf("%08x: RCP %08x, RSQRT %08x; want %08x, %08x", x[0], r, q, x[1], x[2])
		}
	}
}

// TestNormalFormats compares the short cuts between formats with softfloat.
func TestNormalFormats(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	e := softfloat.X87()
	for range 200000 {
		v := rnd.Uint64()
		if rnd.IntN(3) == 0 {
			v &^= 1<<rnd.IntN(53) - 1
		}
		if w := v & 0xffffffff; normal32(w) {
			x := softfloat.F32(w).ToF80(&e)
			if y := fromNormal32(w); x != y {
				t.Fatalf("%08x: %x, want %x", w, y, x)
			}
			if r, ok := toNormal32(x); !ok || r != w {
				t.Fatalf("%08x and back: %x %v", w, r, ok)
			}
		}
		if normal64(v) {
			x := softfloat.F64(v).ToF80(&e)
			if y := fromNormal64(v); x != y {
				t.Fatalf("%016x: %x, want %x", v, y, x)
			}
			if r, ok := toNormal64(x); !ok || r != v {
				t.Fatalf("%016x and back: %x %v", v, r, ok)
			}
		}
		w := f80{Man: v | rnd.Uint64()&1<<63, SE: uint16(bias80-0x82+rnd.IntN(0x104)) | uint16(rnd.IntN(2))<<15}
		if rnd.IntN(2) == 0 {
			w.Man &^= 1<<40 - 1
			w.SE = uint16(bias80-0x402+rnd.IntN(0x804)) | uint16(rnd.IntN(2))<<15
		}
		e.Flags = 0
		if r, ok := toNormal64(w); ok && (uint64(w.ToF64(&e)) != r || e.Flags != 0) {
			t.Fatalf("%x to f64: %x", w, r)
		}
		if r, ok := toNormal32(w); ok && (uint64(w.ToF32(&e)) != r || e.Flags != 0) {
			t.Fatalf("%x to f32: %x", w, r)
		}
	}
}
