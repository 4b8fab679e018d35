package softfloat

import "testing"

// TestNaNRules: the NaN each architecture delivers, by its manual's table.
// Signaling a1, b1, quiet a2, b2, number n.
func TestNaNRules(t *testing.T) {
	const (
		sa, sb = F64(0x7ff0000000000a00), F64(0xfff0000000000b00)
		qa, qb = F64(0x7ff8000000000a00), F64(0xfff8000000000b00)
		n      = F64(0x3ff0000000000000)
		SA, SB = sa | 1<<51, sb | 1<<51 // quieted
	)
	for _, c := range []struct {
		name string
		env  Env
		a, b F64
		want F64
		inv  bool
	}{
		{"sse s s", SSE(), sa, sb, SA, true}, {"sse s q", SSE(), sa, qb, SA, true}, {"sse q s", SSE(), qa, sb, qa, true},
		{"sse q q", SSE(), qa, qb, qa, false}, {"sse n s", SSE(), n, sb, SB, true}, {"sse q n", SSE(), qa, n, qa, false},
		{"x87 s s", X87(), sa, sb, SB, true}, {"x87 s q", X87(), sa, qb, qb, true}, {"x87 q s", X87(), qa, sb, qa, true},
		{"x87 q q", X87(), qa, qb, qb, false}, {"x87 equal", X87(), qa | top, qa, qa, false}, {"x87 n s", X87(), n, sb, SB, true},
		{"arm s s", ARM(), sa, sb, SA, true}, {"arm s q", ARM(), sa, qb, SA, true}, {"arm q s", ARM(), qa, sb, SB, true},
		{"arm q q", ARM(), qa, qb, qa, false}, {"arm n q", ARM(), n, qb, qb, false},
		{"arm dn", Env{NaN: NaNARM, DefaultNaN: true}, qa, sb, 0x7ff8000000000000, true},
		{"ppc s s", PPC(), sa, sb, SA, true}, {"ppc q s", PPC(), qa, sb, qa, true}, {"ppc q q", PPC(), qa, qb, qa, false},
		{"ppc n s", PPC(), n, sb, SB, true},
		{"sparc s s", SPARC(), sa, sb, SB, true}, {"sparc s q", SPARC(), sa, qb, SA, true}, {"sparc q s", SPARC(), qa, sb, SB, true},
		{"sparc q q", SPARC(), qa, qb, qb, false}, {"sparc q n", SPARC(), qa, n, qa, false},
		{"sse inf-inf", SSE(), 0x7ff0 << 48, 0xfff0 << 48, 0xfff8 << 48, true},
		{"arm inf-inf", ARM(), 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, true},
		{"sparc inf-inf", SPARC(), 0x7ff0 << 48, 0xfff0 << 48, 0x7fffffffffffffff, true},
	} {
		e := c.env
		got := c.a.Add(&e, c.b)
		if got != c.want || (e.Flags == Invalid) != c.inv || e.Flags&^Invalid != 0 {
			t.Errorf("%s: %v %x, want %v", c.name, got, e.Flags, c.want)
		}
		if !c.a.IsNaN() && !c.b.IsNaN() {
			continue
		}
		// The same NaNs through every operation of two operands, and f80, f128.
		for i, v := range []F64{c.a.Sub(&e, c.b), c.a.Mul(&e, c.b), c.a.Div(&e, c.b), c.a.Rem(&e, c.b)} {
			if v != c.want {
				t.Errorf("%s: operation %d: %v, want %v", c.name, i, v, c.want)
			}
		}
		x, _ := c.a.Operand80()
		y, _ := c.b.Operand80()
		if v := x.Add(&e, y).ToF64(&e); v != c.want {
			t.Errorf("%s: f80 %v, want %v", c.name, v, c.want)
		}
		if v := widen(c.a).Add(&e, widen(c.b)).ToF64(&e); v != c.want {
			t.Errorf("%s: f128 %v, want %v", c.name, v, c.want)
		}
	}
}

// widen keeps a signaling NaN signaling.
func widen(a F64) F128 {
	if !a.IsNaN() {
		return a.ToF128(&Env{})
	}
	return F128{uint64(a)&top | 0x7fff<<48 | uint64(a)<<12>>16, uint64(a) << 60}
}

// TestFusedNaNs: the order of operands in a*b + c, and infinity*0 + NaN.
func TestFusedNaNs(t *testing.T) {
	const (
		a, b, c = F32(0x7fc00a00), F32(0x7fc00b00), F32(0x7fc00c00)
		s       = F32(0x7f800d00)
		S       = s | 1<<22
		i, z    = F32(0x7f800000), F32(0)
		n       = F32(0x3f800000)
	)
	for _, k := range []struct {
		name    string
		env     Env
		a, b, c F32
		want    F32
		flags   Flags
	}{
		{"sse", SSE(), a, b, c, a, 0}, {"sse", SSE(), n, b, c, b, 0}, {"sse", SSE(), n, n, c, c, 0}, {"sse", SSE(), a, b, s, a, Invalid},
		{"arm", ARM(), a, b, c, c, 0}, {"arm", ARM(), a, b, n, a, 0}, {"arm", ARM(), a, s, c, S, Invalid},
		{"ppc", PPC(), a, b, c, a, 0}, {"ppc", PPC(), n, b, c, c, 0}, {"ppc", PPC(), n, b, n, b, 0},
		{"sparc", SPARC(), a, b, c, c, 0}, {"sparc", SPARC(), s, b, c, S, Invalid},
		{"sse inf*0", SSE(), i, z, c, c, 0}, {"sse inf*0", SSE(), i, z, s, S, Invalid},
		{"arm inf*0", ARM(), i, z, c, 0x7fc00000, Invalid}, {"ppc inf*0", PPC(), z, i, c, c, Invalid},
		{"sse inf*0", SSE(), z, i, n, 0xffc00000, Invalid},
	} {
		if got := k.a.MulAdd(&k.env, k.b, k.c); got != k.want || k.env.Flags != k.flags {
			t.Errorf("%s %v %v %v: %v %x, want %v %x", k.name, k.a, k.b, k.c, got, k.env.Flags, k.want, k.flags)
		}
	}
}

// TestIntRules: conversions that do not fit.
func TestIntRules(t *testing.T) {
	const nan, mnan, big, mbig = F64(0x7ff8 << 48), F64(0xfff8 << 48), F64(0x43f0 << 48), F64(0xc3f0 << 48)
	const lo, hi = -1 << 31, 1<<31 - 1
	for _, c := range []struct {
		rule IntRule
		a    F64
		i    int32
		u    uint32
	}{
		{IntX86, nan, lo, 0xffffffff}, {IntX86, big, lo, 0xffffffff}, {IntX86, mbig, lo, 0xffffffff},
		{IntARM, nan, 0, 0}, {IntARM, mnan, 0, 0}, {IntARM, big, hi, 0xffffffff}, {IntARM, mbig, lo, 0},
		{IntPPC, nan, lo, 0}, {IntPPC, mnan, lo, 0}, {IntPPC, big, hi, 0xffffffff}, {IntPPC, mbig, lo, 0},
		{IntSPARC, nan, hi, 0xffffffff}, {IntSPARC, mnan, lo, 0}, {IntSPARC, big, hi, 0xffffffff}, {IntSPARC, mbig, lo, 0},
	} {
		e := Env{Int: c.rule}
		if v := c.a.ToI32(&e, ToZero); v != c.i || e.Flags != Invalid {
			t.Errorf("rule %d %v: i32 %x %x, want %x", c.rule, c.a, v, e.Flags, c.i)
		}
		e.Flags = 0
		if v := c.a.ToU32(&e, ToZero); v != c.u || e.Flags != Invalid {
			t.Errorf("rule %d %v: u32 %x %x, want %x", c.rule, c.a, v, e.Flags, c.u)
		}
	}
	e := Env{}
	if v := F64(0x40dfffe000000000).ToI16(&e, NearestEven); v != -32768 || e.Flags != Invalid { // rounds to what does not fit
		t.Errorf("32767.5: %d %x", v, e.Flags)
	}
	e.Flags = 0
	if v := F64(0xbfe0000000000000).ToU32(&e, NearestEven); v != 0 || e.Flags != Inexact {
		t.Errorf("-0.5 to u32: %d %x", v, e.Flags)
	}
}

// TestF80Encodings: the odd encodings, precision control and wrapped results,
// each worked out by hand (and confirmed by TestHostX87 where there is a
// chip).
func TestF80Encodings(t *testing.T) {
	one := F80{top, 0x3fff}
	indefinite := F80{3 << 62, 0xffff}
	add := func(e *Env, a, b F80) F80 { return a.Add(e, b) }
	mul := func(e *Env, a, b F80) F80 { return a.Mul(e, b) }
	div := func(e *Env, a, b F80) F80 { return a.Div(e, b) }
	for _, c := range []struct {
		name  string
		op    func(e *Env, a, b F80) F80
		a, b  F80
		prec  Precision
		un    Flags
		want  F80
		flags Flags
	}{
		{"pseudo-denormal", add, F80{top, 0}, F80{}, Prec64, 0, F80{top, 1}, Denormal},
		{"denormal", add, F80{1, 0}, F80{1, 0}, Prec64, 0, F80{2, 0}, Denormal},
		{"unnormal", mul, F80{1 << 62, 0x3fff}, one, Prec64, 0, indefinite, Invalid},
		{"pseudo-infinity", mul, F80{0, 0x7fff}, one, Prec64, 0, indefinite, Invalid},
		{"pseudo-NaN with NaN", add, F80{1, 0x7fff}, F80{^uint64(0), 0x7fff}, Prec64, 0, indefinite, Invalid},
		{"1/3 to 24 bits", div, one, F80{3 << 62, 0x4000}, Prec24, 0, F80{0xaaaaab0000000000, 0x3ffd}, Inexact | RoundedUp},
		{"1/3 to 53 bits", div, one, F80{3 << 62, 0x4000}, Prec53, 0, F80{0xaaaaaaaaaaaaa800, 0x3ffd}, Inexact},
		{"1/3 to 64 bits", div, one, F80{3 << 62, 0x4000}, Prec64, 0, F80{0xaaaaaaaaaaaaaaab, 0x3ffd}, Inexact | RoundedUp},
		{"overflow", mul, F80{top, 0x7ffe}, F80{top, 0x4001}, Prec64, 0, F80{top, 0x7fff}, Overflow | Inexact | RoundedUp},
		{"wrapped overflow", mul, F80{top, 0x7ffe}, F80{top, 0x4001}, Prec64, Overflow, F80{top, 0x8000 - 24576}, Overflow},
		{"exact denormal", mul, F80{top, 1}, F80{top, 0x3ffe}, Prec64, 0, F80{1 << 62, 0}, 0},
		{"wrapped underflow", mul, F80{top, 1}, F80{top, 0x3ffe}, Prec64, Underflow, F80{top, 24576}, Underflow},
		{"1/0", div, one, F80{}, Prec64, 0, F80{top, 0x7fff}, DivByZero},
		{"denormal/0", div, F80{1, 0}, F80{}, Prec64, 0, F80{top, 0x7fff}, DivByZero},
		{"0/0", div, F80{}, F80{}, Prec64, 0, indefinite, Invalid},
	} {
		e := X87()
		e.Prec, e.Unmasked = c.prec, c.un
		if got := c.op(&e, c.a, c.b); got != c.want || e.Flags != c.flags {
			t.Errorf("%s: %v %x, want %v %x", c.name, got, e.Flags, c.want, c.flags)
		}
	}
}

// TestFlush: FTZ and DAZ of SSE, ARM and VFP11.
func TestFlush(t *testing.T) {
	const least, half = F64(1 << 52), F64(0x3fe << 52)
	for _, c := range []struct {
		name  string
		env   Env
		a, b  F64
		want  F64
		flags Flags
	}{
		{"gradual", Env{}, least, half, 1 << 51, 0},
		{"sse ftz", Env{FTZ: FTZSSE}, least | top, half, top, Underflow | Inexact},
		{"sse ftz unmasked", Env{FTZ: FTZSSE, Unmasked: Underflow}, least, half, 0x6000 << 48, Underflow},
		{"arm fz", Env{FTZ: FTZARM}, least | top, half, top, Underflow},
		{"vfp11 fz", Env{FTZ: FTZVFP11}, least | top, half, 0, Underflow},
		{"daz", Env{DAZ: true}, 5 | top, half, top, 0},
		{"arm input", Env{DAZ: true, DAZFlag: true, FTZ: FTZARM}, 5 | top, half, top, Denormal},
		{"vfp11 input", Env{DAZ: true, DAZFlag: true, FTZ: FTZVFP11}, 5 | top, half, 0, Denormal},
		{"denormal", Env{}, 5 | top, 0x4000 << 48, 10 | top, Denormal},
	} {
		if got := c.a.Mul(&c.env, c.b); got != c.want || c.env.Flags != c.flags {
			t.Errorf("%s: %v %x, want %v %x", c.name, got, c.env.Flags, c.want, c.flags)
		}
	}
}

// TestTo32: f64 operations rounded once to f32, where twice would be wrong.
func TestTo32(t *testing.T) {
	e := PPC()
	a, b := F64(0x3ff0000010000000), F64(0x3c90000000000000) // 1 + 2^-24, and 2^-54
	if once, twice := a.AddTo32(&e, b), a.Add(&e, b).ToF32(&e); once != 0x3f800001 || twice != 0x3f800000 {
		t.Errorf("once %v, twice %v", once, twice)
	}
}

// TestBCD: digits, sign and limits.
func TestBCD(t *testing.T) {
	e := X87()
	d := BCD{0x90, 0x78, 0x56, 0x34, 0x12, 0x90, 0x78, 0x56, 0x34, 0x80}
	v := d.ToF80()
	if v.ToI64(&e, NearestEven) != -345678901234567890 || v.ToBCD(&e, NearestEven) != d || e.Flags != 0 {
		t.Errorf("%v %x", v, e.Flags)
	}
	if got := F80FromI64(1e18).ToBCD(&e, NearestEven); got != (BCD{7: 0xc0, 8: 0xff, 9: 0xff}) || e.Flags != Invalid {
		t.Errorf("1e18: % x %x", got, e.Flags)
	}
	if got := (F80{0, 0x8000}).ToBCD(&e, NearestEven); got != (BCD{9: 0x80}) {
		t.Errorf("-0: % x", got)
	}
}

// TestNoAllocation: none of the operations touches the heap.
func TestNoAllocation(t *testing.T) {
	e := X87()
	a, b := F80{0xc90fdaa22168c235, 0x4000}, F80{0xd49a784bcd1b8afe, 0x3fff}
	x, y := F64(0x400921fb54442d18), F64(0x3ff8123456789abc)
	q, p := x.ToF128(&e), y.ToF128(&e)
	if n := testing.AllocsPerRun(100, func() {
		a = a.Add(&e, b).Mul(&e, b).Div(&e, b).Sub(&e, b)
		a, _ = a.Sqrt(&e).FSIN(&e)
		b.FPATAN(&e, a)
		b.FYL2X(&e, a)
		b.FYL2XP1(&e, a)
		a.F2XM1(&e)
		b.FPREM(&e, a)
		a.ToBCD(&e, NearestEven)
		x = x.MulAdd(&e, y, y).Rem(&e, y).RoundToInt(&e, Up)
		q = q.Add(&e, p).Mul(&e, p).Div(&e, p).Sqrt(&e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchmark[T any](b *testing.B, x, y T, op func(T, *Env, T) T) {
	e := X87()
	var z T
	for b.Loop() {
		z = op(x, &e, y)
	}
	_ = z
}

func BenchmarkF64Add(b *testing.B) {
	benchmark(b, F64(0x400921fb54442d18), 0x3ff8123456789abc, F64.Add)
}
func BenchmarkF64Mul(b *testing.B) {
	benchmark(b, F64(0x400921fb54442d18), 0x3ff8123456789abc, F64.Mul)
}
func BenchmarkF64Div(b *testing.B) {
	benchmark(b, F64(0x400921fb54442d18), 0x3ff8123456789abc, F64.Div)
}

func benchmark80(b *testing.B, op func(F80, *Env, F80) F80) {
	benchmark(b, F80{0xc90fdaa22168c235, 0x4000}, F80{0xd49a784bcd1b8afe, 0x3fff}, op)
}

func BenchmarkF80Add(b *testing.B) { benchmark80(b, F80.Add) }
func BenchmarkF80Mul(b *testing.B) { benchmark80(b, F80.Mul) }
func BenchmarkF80Div(b *testing.B) { benchmark80(b, F80.Div) }
func BenchmarkF80Sqrt(b *testing.B) {
	benchmark80(b, func(a F80, e *Env, _ F80) F80 { return a.Sqrt(e) })
}
func BenchmarkFSIN(b *testing.B) {
	benchmark80(b, func(a F80, e *Env, _ F80) F80 { s, _ := a.FSIN(e); return s })
}
func BenchmarkFPATAN(b *testing.B) { benchmark80(b, F80.FPATAN) }
func BenchmarkFYL2X(b *testing.B)  { benchmark80(b, F80.FYL2X) }
func BenchmarkF2XM1(b *testing.B) {
	benchmark(b, F80{0xc90fdaa22168c235, 0x3ffe}, F80{}, func(a F80, e *Env, _ F80) F80 { return a.F2XM1(e) })
}
func BenchmarkF128Mul(b *testing.B) {
	benchmark(b, F128{0x4000921fb54442d1, 5 << 60}, F128{0x3fff921fb54442d1, 3 << 60}, F128.Mul)
}
func BenchmarkF128Div(b *testing.B) {
	benchmark(b, F128{0x4000921fb54442d1, 5 << 60}, F128{0x3fff921fb54442d1, 3 << 60}, F128.Div)
}
