package softfloat

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// The reference: plain series in math/big with 400 bits.
const refPrec = 400

func bf(x float64) *big.Float { return new(big.Float).SetPrec(refPrec).SetFloat64(x) }
func bnew() *big.Float        { return new(big.Float).SetPrec(refPrec) }

// sumSeries adds term(k) for k = 0, 1, ... until they no longer count.
func sumSeries(term func(k int) *big.Float) *big.Float {
	s := term(0)
	for k := 1; ; k++ {
		t := term(k)
		if t.Sign() == 0 || t.MantExp(nil) < s.MantExp(nil)-refPrec {
			return s
		}
		s.Add(s, t)
	}
}

// powers is x^(first + step*k) / divisor-style series: each term is the last
// times z over d(k).
func powers(first, z *big.Float, d func(k int) int64) *big.Float {
	t := bnew().Set(first)
	return sumSeries(func(k int) *big.Float {
		if k > 0 {
			t.Mul(t, z)
			t.Quo(t, bnew().SetInt64(d(k)))
		}
		return bnew().Set(t)
	})
}

func bigSin(x *big.Float) *big.Float {
	z := bnew().Mul(x, x)
	return powers(x, z.Neg(z), func(k int) int64 { return int64(2*k) * int64(2*k+1) })
}

func bigCos(x *big.Float) *big.Float {
	z := bnew().Mul(x, x)
	return powers(bf(1), z.Neg(z), func(k int) int64 { return int64(2*k-1) * int64(2*k) })
}

// bigExpM1 is e^x - 1.
func bigExpM1(x *big.Float) *big.Float {
	return powers(x, x, func(k int) int64 { return int64(k + 1) })
}

// bigAtanSeries is atan (sign -1) or atanh (sign 1) of a small x.
func bigAtanSeries(x *big.Float, sign float64) *big.Float {
	z := bnew().Mul(x, x)
	z.Mul(z, bf(sign))
	p := bnew().Set(x)
	return sumSeries(func(k int) *big.Float {
		if k > 0 {
			p.Mul(p, z)
		}
		return bnew().Quo(p, bnew().SetInt64(int64(2*k+1)))
	})
}

func bigAtan(x *big.Float) *big.Float {
	y := bnew().Set(x)
	for range 4 { // atan x = 2 atan(x / (1 + sqrt(1+x^2)))
		s := bnew().Mul(y, y)
		s.Sqrt(s.Add(s, bf(1)))
		y.Quo(y, s.Add(s, bf(1)))
	}
	a := bigAtanSeries(y, -1)
	return a.SetMantExp(a, 4)
}

// bigPi by Machin's formula.
func bigPi() *big.Float {
	a := bigAtanSeries(bnew().Quo(bf(1), bf(5)), -1)
	b := bigAtanSeries(bnew().Quo(bf(1), bf(239)), -1)
	a.SetMantExp(a, 4)
	return a.Sub(a, b.SetMantExp(b, 2))
}

// bigLog1p is ln((d+n)/(d-n)) with small n/d; bigLn any x > 0.
func bigLn(x *big.Float) *big.Float {
	m := bnew()
	k := x.MantExp(m) // m in [0.5, 1)
	n := bnew().Sub(m, bf(1))
	l := bigAtanSeries(n.Quo(n, bnew().Add(m, bf(1))), 1)
	l.SetMantExp(l, 1)
	return l.Add(l, bnew().Mul(bnew().SetInt64(int64(k)), bigLn2()))
}

func bigLn2() *big.Float { // 2 atanh(1/3)
	l := bigAtanSeries(bnew().Quo(bf(1), bf(3)), 1)
	return l.SetMantExp(l, 1)
}

// bigReduce is x less the nearest multiple of the 66-bit pi/2, and the low
// bits of the quotient. (Another multiple than the nearest gives another
// result, because pi/2 has 66 bits only; the processor takes the nearest.)
func bigReduce(x *big.Float) (*big.Float, int64) {
	h, _ := new(big.Int).SetString("3243f6a8885a308d3", 16) // * 2^-65
	half := bnew().SetInt(h)
	half.SetMantExp(half, -65)
	y := bnew().Quo(x, half)
	y.Add(y, bf(0.5))
	q, acc := y.Int(nil)
	if y.Sign() < 0 && acc == big.Above { // floor
		q.Sub(q, big.NewInt(1))
	}
	r := bnew().Sub(x, bnew().Mul(half, bnew().SetInt(q)))
	return r, new(big.Int).And(q, big.NewInt(3)).Int64()
}

func bigSinCos(x *big.Float) (sin, cos *big.Float) {
	r, q := bigReduce(x)
	s, c := bigSin(r), bigCos(r)
	switch q {
	case 1:
		s, c = c, s.Neg(s)
	case 2:
		s, c = s.Neg(s), c.Neg(c)
	case 3:
		s, c = c.Neg(c), s
	}
	return s, c
}

// TestTables recomputes every constant.
func TestTables(t *testing.T) {
	check := func(name string, w wide, want *big.Float) {
		t.Helper()
		if r := new(big.Float).SetPrec(128).Set(want); w.value().Cmp(r) != 0 {
			t.Errorf("%s: %v, want %v", name, w.value(), r)
		}
	}
	p, l2 := bigPi(), bigLn2()
	check("pi", pi(), p)
	check("ln2", ln2(), l2)
	check("log2e", log2E(), bnew().Quo(bf(1), l2))
	check("log2ten", log2Ten(), bnew().Quo(bigLn(bf(10)), l2))
	check("log10two", log10Two(), bnew().Quo(l2, bigLn(bf(10))))
	for i, w := range atanEighths {
		check("atan", w, bigAtan(bf(float64(i+1)/8)))
	}
	fraction := func(name string, f fixed, d *big.Int) {
		t.Helper()
		w := wide{f.hi, f.lo, -1, 0, norm}
		n := new(big.Int).Lsh(big.NewInt(1), 129)
		n.Div(n, d).Add(n, big.NewInt(1)).Rsh(n, 1) // to nearest
		v := w.value()
		v.SetMantExp(v, 128)
		if got, _ := v.Int(nil); got.Cmp(n) != 0 {
			t.Errorf("%s: %v, want %v", name, got, n)
		}
	}
	for i, f := range invFactorial {
		fraction("invFactorial", f, new(big.Int).MulRange(1, int64(i+2)))
	}
	for i, f := range sinCoeff {
		fraction("sinCoeff", f, new(big.Int).MulRange(1, int64(2*i+3)))
	}
	for i, f := range cosCoeff {
		fraction("cosCoeff", f, new(big.Int).MulRange(1, int64(2*i+2)))
	}
	for i, f := range invOdd {
		fraction("invOdd", f, big.NewInt(int64(2*i+3)))
	}
}

// TestTranscendental measures the error of the x87 transcendentals in units
// in the last place and in every direction of rounding: they are correctly
// rounded on all arguments tried.
func TestTranscendental(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	small := func(r *rand.Rand, lo, hi int) F80 { // exponents lo..hi
		return F80{r.Uint64() | top, uint16(bias80+lo+r.IntN(hi-lo+1)) | uint16(r.IntN(2))<<15}
	}
	ln2 := bigLn2()
	log2 := func(x *big.Float) *big.Float { l := bigLn(x); return l.Quo(l, ln2) }
	for _, f := range []struct {
		name string
		arg  func(r *rand.Rand) (a, b F80)
		ours func(e *Env, a, b F80) F80
		ref  func(a, b *big.Float) *big.Float
	}{
		{"fsin", func(r *rand.Rand) (F80, F80) { return small(r, -40, 62), F80{} },
			func(e *Env, a, b F80) F80 { v, _ := a.FSIN(e); return v },
			func(a, b *big.Float) *big.Float { s, _ := bigSinCos(a); return s }},
		{"fcos", func(r *rand.Rand) (F80, F80) { return small(r, -30, 62), F80{} },
			func(e *Env, a, b F80) F80 { v, _ := a.FCOS(e); return v },
			func(a, b *big.Float) *big.Float { _, c := bigSinCos(a); return c }},
		{"fptan", func(r *rand.Rand) (F80, F80) { return small(r, -30, 62), F80{} },
			func(e *Env, a, b F80) F80 { v, _ := a.FPTAN(e); return v },
			func(a, b *big.Float) *big.Float { s, c := bigSinCos(a); return s.Quo(s, c) }},
		{"near pi/2", func(r *rand.Rand) (F80, F80) { // multiples of pi/2, rounded to f80
			var e Env
			return F80FromI64(r.Int64N(1<<r.IntN(61)+1)+1).Mul(&e, pi80Half()), F80{}
		},
			func(e *Env, a, b F80) F80 { v, _ := a.FSIN(e); return v },
			func(a, b *big.Float) *big.Float { s, _ := bigSinCos(a); return s }},
		{"fpatan", func(r *rand.Rand) (F80, F80) { a := small(r, -30, 30); return a, small(r, -30, 30) },
			func(e *Env, a, b F80) F80 { return b.FPATAN(e, a) },
			func(a, b *big.Float) *big.Float {
				v := bigAtan(bnew().Quo(a, b))
				if b.Sign() < 0 {
					if a.Sign() < 0 {
						return v.Sub(v, bigPi())
					}
					v.Add(v, bigPi())
				}
				return v
			}},
		{"f2xm1", func(r *rand.Rand) (F80, F80) { return small(r, -80, -1), F80{} },
			func(e *Env, a, b F80) F80 { return a.F2XM1(e) },
			func(a, b *big.Float) *big.Float { return bigExpM1(bnew().Mul(a, ln2)) }},
		{"fyl2x", func(r *rand.Rand) (F80, F80) { a := small(r, -3, 3); a.SE &= 0x7fff; return a, small(r, -10, 10) },
			func(e *Env, a, b F80) F80 { return a.FYL2X(e, b) },
			func(a, b *big.Float) *big.Float { return bnew().Mul(log2(a), b) }},
		{"fyl2x near 1", func(r *rand.Rand) (F80, F80) {
			a := F80{top | r.Uint64()>>(1+r.IntN(63)), bias80}
			if r.IntN(2) == 0 {
				a = F80{^(r.Uint64() >> (1 + r.IntN(62))), bias80 - 1}
			}
			a.Man |= 1
			return a, small(r, -10, 10)
		},
			func(e *Env, a, b F80) F80 { return a.FYL2X(e, b) },
			func(a, b *big.Float) *big.Float { return bnew().Mul(log2(a), b) }},
		{"fyl2xp1", func(r *rand.Rand) (F80, F80) { return small(r, -120, -3), small(r, -10, 10) },
			func(e *Env, a, b F80) F80 { return a.FYL2XP1(e, b) },
			func(a, b *big.Float) *big.Float {
				l := bigAtanSeries(bnew().Quo(a, bnew().Add(a, bf(2))), 1)
				l.SetMantExp(l, 1)
				return l.Mul(l.Quo(l, ln2), b)
			}},
		{"fyl2xp1 large", func(r *rand.Rand) (F80, F80) {
			a := small(r, -3, 5)
			if a.SE>>15 != 0 && a.SE&0x7fff >= bias80 {
				a.SE &= 0x7fff
			}
			return a, small(r, -10, 10)
		},
			func(e *Env, a, b F80) F80 { return a.FYL2XP1(e, b) },
			func(a, b *big.Float) *big.Float { return bnew().Mul(log2(bnew().Add(a, bf(1))), b) }},
	} {
		t.Run(f.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(51, 52))
			worst, wrong := 0.0, 0
			for range n {
				a, b := f.arg(r)
				e := X87()
				e.Round = Rounding(r.IntN(4))
				if r.IntN(2) == 0 {
					e.Round = NearestEven
				}
				got := f.ours(&e, a, b)
				x, y := bnew(), bnew()
				x.Set(a.unpack().wide().value())
				if b != (F80{}) {
					y.Set(b.unpack().wide().value())
				}
				z := f.ref(x, y)
				want, flags := format80.reference(z, e.Round)
				if !same(got.unpack().wide(), want) || e.Flags != flags {
					wrong++
					t.Logf("%v %v round %d: %v %x, want %v %x", a, b, e.Round, got, e.Flags, want.Text('p', 0), flags)
				}
				if e.Round == NearestEven {
					d := bnew().Sub(z, got.unpack().wide().value())
					d.SetMantExp(d, 63-int(got.unpack().exp))
					u, _ := d.Abs(d).Float64()
					worst = max(worst, u)
				}
			}
			t.Logf("%d arguments, worst error to nearest %.6f ulp, %d not correctly rounded", n, worst, wrong)
			if worst > 0.500001 || wrong > 0 {
				t.Errorf("worst %v ulp, %d not correctly rounded", worst, wrong)
			}
		})
	}
}

func pi80Half() F80 {
	var e Env
	return e.Const(Pi).ScaleB(&e, -1)
}
