//go:build linux

package softfloat

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"reflect"
	"syscall"
	"testing"

	"rhea/internal/softfloat/hostfpu"
)

// chip assembles and runs one instruction between loads and a state save.
type chip struct {
	page []byte
	arg  [256]byte
}

func newChip(t testing.TB) *chip {
	page, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip("no executable page: ", err)
	}
	t.Cleanup(func() { syscall.Munmap(page) })
	return &chip{page: page}
}

func (c *chip) run() { hostfpu.Call(reflect.ValueOf(c.page).Pointer(), &c.arg) }

func put80(b []byte, v F80) {
	binary.LittleEndian.PutUint64(b, v.Man)
	binary.LittleEndian.PutUint16(b[8:], v.SE)
}

func get80(b []byte) F80 {
	return F80{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint16(b[8:])}
}

// load87 assembles: st1 from arg+16, st0 from arg, op, FNSAVE to arg+48. Memory
// operands of op are at arg+160 (opcode with ModRM 87 + disp32).
func (c *chip) load87(op ...byte) {
	code := []byte{0xdb, 0xe3, // fninit
		0xd9, 0x6f, 32, // fldcw [rdi+32]
		0xdb, 0x6f, 16, // fld tbyte [rdi+16]
		0xdb, 0x2f} // fld tbyte [rdi]
	code = append(code, op...)
	code = append(code, 0xdd, 0x77, 48, 0xc3) // fnsave [rdi+48]; ret
	copy(c.page, code)
}

// x87 runs the loaded instruction.
func (c *chip) x87(cw uint16, st0, st1 F80) (r0, r1 F80, sw uint16) {
	put80(c.arg[0:], st0)
	put80(c.arg[16:], st1)
	binary.LittleEndian.PutUint16(c.arg[32:], cw)
	c.run()
	sw = binary.LittleEndian.Uint16(c.arg[52:])
	return get80(c.arg[76:]), get80(c.arg[86:]), sw
}

// controlWord and env give the same settings to chip and to us.
func controlWord(e *Env) uint16 {
	pc := []uint16{Prec64: 3, Prec53: 2, Prec24: 0}[e.Prec]
	return 0x3f&^uint16(e.Unmasked) | pc<<8 | uint16(e.Round)<<10
}

// near80 reports whether a and b are within one unit in the last place.
func near80(a, b F80) bool {
	ma, mb := num80(a), num80(b)
	d := int64(ma.Man - mb.Man)
	return a.SE>>15 == b.SE>>15 && (ma.SE == mb.SE && -1 <= d && d <= 1 ||
		ma.SE == mb.SE+1 && ma.Man == top && mb.Man == ^uint64(0) ||
		mb.SE == ma.SE+1 && mb.Man == top && ma.Man == ^uint64(0))
}

// num80 gives denormals the exponent they act with.
func num80(a F80) F80 {
	a.SE = max(a.SE&0x7fff, 1)
	return a
}

const swC0, swC1, swC2, swC3 = 1 << 8, 1 << 9, 1 << 10, 1 << 14

func conditions(q uint8, complete bool) (f Flags) {
	if !complete {
		return swC2
	}
	return Flags(q)>>2<<8 | Flags(q)&1<<9 | Flags(q)>>1&1<<14
}

// needIntel skips what is only known to hold on Intel's x87: other makers may
// differ in what the manual leaves open (FPREM's steps, flags of FYL2X ...).
func needIntel(t *testing.T) {
	if info, _ := os.ReadFile("/proc/cpuinfo"); !bytes.Contains(info, []byte("GenuineIntel")) {
		t.Skip("compared with Intel processors only")
	}
}

// TestHostX87 compares with the x87 of the machine the test runs on: results,
// flags and C1, over random operands and settings.
func TestHostX87(t *testing.T) {
	needIntel(t)
	n := 200000
	if testing.Short() {
		n = 20000
	}
	type outcome struct {
		r0, r1 F80
		flags  Flags
	}
	one := F80{top, 0x3fff}
	always := func(a, b F80) bool { return true }
	ops := []struct {
		name string
		code []byte
		mask Flags // of the status word, what to compare
		wrap bool  // try unmasked overflow and underflow
		f    func(e *Env, a, b F80) (F80, F80)
		ok   func(a, b F80) bool // operands with a defined result
	}{
		{"fadd", []byte{0xd8, 0xc1}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.Add(e, b), b }, nil},
		{"fsub", []byte{0xd8, 0xe1}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.Sub(e, b), b }, nil},
		{"fmul", []byte{0xd8, 0xc9}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.Mul(e, b), b }, nil},
		{"fdiv", []byte{0xd8, 0xf1}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.Div(e, b), b }, nil},
		{"fsqrt", []byte{0xd9, 0xfa}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.Sqrt(e), b }, nil},
		{"frndint", []byte{0xd9, 0xfc}, 0x23f, false, func(e *Env, a, b F80) (F80, F80) { return a.RoundToInt(e, e.Round), b }, nil},
		{"fscale", []byte{0xd9, 0xfd}, 0x23f, true, func(e *Env, a, b F80) (F80, F80) { return a.FSCALE(e, b), b }, nil},
		{"fxtract", []byte{0xd9, 0xf4}, 0x03f, false, func(e *Env, a, b F80) (F80, F80) { return a.FXTRACT(e) }, nil},
		{"fprem", []byte{0xd9, 0xf8}, 0x473f, false, func(e *Env, a, b F80) (F80, F80) {
			r, q, c := a.FPREM(e, b)
			e.Flags |= conditions(q, c)
			return r, b
		}, nil},
		{"fprem1", []byte{0xd9, 0xf5}, 0x473f, false, func(e *Env, a, b F80) (F80, F80) {
			r, q, c := a.FPREM1(e, b)
			e.Flags |= conditions(q, c)
			return r, b
		}, nil},
		{"fcom", []byte{0xd8, 0xd1}, 0x453f, false, func(e *Env, a, b F80) (F80, F80) {
			e.Flags |= []Flags{swC0, swC3, 0, swC0 | swC2 | swC3}[a.CompareSignaling(e, b)]
			return a, b
		}, nil},
		{"fucom", []byte{0xdd, 0xe1}, 0x453f, false, func(e *Env, a, b F80) (F80, F80) {
			e.Flags |= []Flags{swC0, swC3, 0, swC0 | swC2 | swC3}[a.Compare(e, b)]
			return a, b
		}, nil},
		{"fsin", []byte{0xd9, 0xfe}, 0x43f, false, func(e *Env, a, b F80) (F80, F80) {
			r, ok := a.FSIN(e)
			e.Flags |= Flags(b2u(!ok)) << 10
			return r, b
		}, always},
		{"fcos", []byte{0xd9, 0xff}, 0x43f, false, func(e *Env, a, b F80) (F80, F80) {
			r, ok := a.FCOS(e)
			e.Flags |= Flags(b2u(!ok)) << 10
			return r, b
		}, always},
		{"fsincos", []byte{0xd9, 0xfb}, 0x43f, false, func(e *Env, a, b F80) (F80, F80) {
			s, c, ok := a.FSINCOS(e)
			e.Flags |= Flags(b2u(!ok)) << 10
			if !ok {
				return a, b
			}
			return c, s
		}, always},
		{"fptan", []byte{0xd9, 0xf2}, 0x43f, false, func(e *Env, a, b F80) (F80, F80) {
			r, ok := a.FPTAN(e)
			e.Flags |= Flags(b2u(!ok)) << 10
			switch {
			case !ok:
				return a, b
			case r.IsNaN():
				return r, r
			}
			return one, r
		}, always},
		{"fpatan", []byte{0xd9, 0xf3}, 0x03f, false, func(e *Env, a, b F80) (F80, F80) { return a.FPATAN(e, b), F80{} }, always},
		{"f2xm1", []byte{0xd9, 0xf0}, 0x03f, false, func(e *Env, a, b F80) (F80, F80) { return a.F2XM1(e), b }, always},
		{"fyl2x", []byte{0xd9, 0xf1}, 0x03f, false, func(e *Env, a, b F80) (F80, F80) { return a.FYL2X(e, b), F80{} }, always},
		{"fyl2xp1", []byte{0xd9, 0xf9}, 0x03f, false, func(e *Env, a, b F80) (F80, F80) { return a.FYL2XP1(e, b), F80{} }, func(a, b F80) bool { return a.SE>>15 == 0 || a.SE&0x7fff < 0x3ffd || a.SE == 0xffff }},
	}
	for _, op := range ops {
		t.Run(op.name, func(t *testing.T) {
			c := newChip(t)
			c.load87(op.code...)
			r := rand.New(rand.NewPCG(1, 2))
			bad, total, equal := 0, 0, 0
			for range n {
				a, b := random80(r), random80(r)
				if r.IntN(4) == 0 {
					b.SE = b.SE&0x8000 | a.SE&0x7fff
				}
				e := Env{NaN: NaNX87, Round: Rounding(r.IntN(4)), Prec: Precision(r.IntN(3))}
				if op.wrap && r.IntN(4) == 0 {
					e.Unmasked = Overflow | Underflow
				}
				var want, got outcome
				var sw uint16
				want.r0, want.r1, sw = c.x87(controlWord(&e), a, b)
				want.flags = Flags(sw) & op.mask
				got.r0, got.r1 = op.f(&e, a, b)
				if got.r1 == (F80{}) {
					got.r1 = want.r1
				}
				got.flags = e.Flags & op.mask
				if op.ok != nil {
					if !op.ok(a, b) {
						continue
					}
					total++
					if e.Round != NearestEven {
						want.flags &^= Underflow
						got.flags &^= Underflow
					}
					if got == want {
						equal++
					} else if near80(got.r0, want.r0) && near80(got.r1, want.r1) {
						got.r0, got.r1 = want.r0, want.r1
					}
				}
				if got != want {
					if bad++; bad <= 12 {
						t.Errorf("%v %v rc=%d prec=%d unmasked=%x: chip %v %v %03x, we %v %v %03x", a, b, e.Round, e.Prec.bits(), e.Unmasked,
							want.r0, want.r1, want.flags, got.r0, got.r1, got.flags)
					}
				}
			}
			if total > 0 {
				t.Logf("the chip's own bits in %d of %d, else within 1 ulp", equal, total)
			}
			if bad > 0 {
				t.Errorf("%d of %d differ", bad, n)
			}
		})
	}
}

// TestHostX87Memory compares stores, loads and constants.
func TestHostX87Memory(t *testing.T) {
	needIntel(t)
	n := 100000
	if testing.Short() {
		n = 10000
	}
	le := binary.LittleEndian
	const c1 = 0x23f
	stores := []struct {
		name string
		op   []byte // of the form op [rdi+160]
		mask Flags
		f    func(e *Env, a F80, out []byte)
	}{
		{"fst m32", []byte{0xd9, 0x97}, c1, func(e *Env, a F80, o []byte) { le.PutUint32(o, uint32(a.ToF32(e))) }},
		{"fst m64", []byte{0xdd, 0x97}, c1, func(e *Env, a F80, o []byte) { le.PutUint64(o, uint64(a.ToF64(e))) }},
		{"fist m16", []byte{0xdf, 0x97}, c1, func(e *Env, a F80, o []byte) { le.PutUint16(o, uint16(a.ToI16(e, e.Round))) }},
		{"fist m32", []byte{0xdb, 0x97}, c1, func(e *Env, a F80, o []byte) { le.PutUint32(o, uint32(a.ToI32(e, e.Round))) }},
		{"fistp m64", []byte{0xdf, 0xbf}, c1, func(e *Env, a F80, o []byte) { le.PutUint64(o, uint64(a.ToI64(e, e.Round))) }},
		{"fisttp m64", []byte{0xdd, 0x8f}, 0x3f, func(e *Env, a F80, o []byte) { le.PutUint64(o, uint64(a.ToI64(e, ToZero))) }},
		{"fbstp", []byte{0xdf, 0xb7}, c1, func(e *Env, a F80, o []byte) { d := a.ToBCD(e, e.Round); copy(o, d[:]) }},
	}
	for _, op := range stores {
		t.Run(op.name, func(t *testing.T) {
			c := newChip(t)
			c.load87(op.op[0], op.op[1], 160, 0, 0, 0)
			r := rand.New(rand.NewPCG(3, 4))
			for range n {
				a := random80(r)
				if r.IntN(2) == 0 { // the range of the integers
					a.SE = a.SE&0x8000 | uint16(bias80-2+r.IntN(68))
				}
				e := Env{NaN: NaNX87, Round: Rounding(r.IntN(4)), Prec: Precision(r.IntN(3))}
				clear(c.arg[160:])
				_, _, sw := c.x87(controlWord(&e), a, F80{})
				var out [10]byte
				op.f(&e, a, out[:])
				if out != [10]byte(c.arg[160:170]) || (uint16(e.Flags)^sw)&uint16(op.mask) != 0 {
					t.Fatalf("%v rc=%d: chip % x %03x, we % x %03x", a, e.Round, c.arg[160:170], sw&uint16(op.mask), out, e.Flags)
				}
			}
		})
	}
	loads := []struct {
		name string
		op   []byte
		f    func(e *Env, m []byte, st0 F80) F80
	}{
		{"fld m32", []byte{0xd9, 0x87}, func(e *Env, m []byte, _ F80) F80 { return F32(le.Uint32(m)).ToF80(e) }},
		{"fld m64", []byte{0xdd, 0x87}, func(e *Env, m []byte, _ F80) F80 { return F64(le.Uint64(m)).ToF80(e) }},
		{"fild m64", []byte{0xdf, 0xaf}, func(e *Env, m []byte, _ F80) F80 { return F80FromI64(int64(le.Uint64(m))) }},
		{"fbld", []byte{0xdf, 0xa7}, func(e *Env, m []byte, _ F80) F80 { return BCD(m[:10]).ToF80() }},
		{"fadd m32", []byte{0xd8, 0x87}, func(e *Env, m []byte, a F80) F80 {
			v, den := F32(le.Uint32(m)).Operand80()
			nan := a.IsNaN()
			r := a.Add(e, v)
			if den && !nan && e.Flags&Invalid == 0 {
				e.Flags |= Denormal
			}
			return r
		}},
	}
	for _, op := range loads {
		t.Run(op.name, func(t *testing.T) {
			c := newChip(t)
			c.load87(op.op[0], op.op[1], 160, 0, 0, 0)
			r := rand.New(rand.NewPCG(5, 6))
			for range n {
				st0 := random80(r)
				m := c.arg[160:170]
				for i := range m {
					m[i] = byte(r.Uint32())
					if op.name == "fbld" {
						m[i] = byte(r.IntN(10) | r.IntN(10)<<4)
					}
				}
				if r.IntN(4) == 0 && op.name != "fbld" {
					le.PutUint64(m, []uint64{0, 0xff800001 << 32, 0x7f800001, 0x7fc00000, 0x7ff00000 << 32, 1, 0x80000001, 0x007fffff,
						0x7f800000, 0x7ff8 << 48, 1<<63 | 5, 0x7ff0000000000001}[r.IntN(12)])
				}
				e := Env{NaN: NaNX87, Round: Rounding(r.IntN(4))}
				got, _, sw := c.x87(controlWord(&e), st0, F80{top, 0x3fff})
				want := op.f(&e, m, st0)
				if got != want || (uint16(e.Flags)^sw)&0x3f != 0 {
					t.Fatalf("% x, st0 %v rc=%d: chip %v %03x, we %v %03x", m, st0, e.Round, got, sw&0x3f, want, e.Flags)
				}
			}
		})
	}
	t.Run("constants", func(t *testing.T) {
		c := newChip(t)
		for k := One; k <= Zero; k++ {
			c.load87(0xd9, 0xe8+byte(k))
			for rc := NearestEven; rc <= ToZero; rc++ {
				e := Env{Round: rc}
				got, _, sw := c.x87(controlWord(&e), F80{}, F80{})
				if want := e.Const(k); got != want || sw&0x23f != 0 || e.Flags != 0 {
					t.Errorf("D9 %02X rc=%d: chip %v %03x, we %v", 0xe8+byte(k), rc, got, sw, want)
				}
			}
		}
	})
}

// TestHostSSE compares f32 and f64 with the host's SSE unit, FTZ and DAZ
// included.
func TestHostSSE(t *testing.T) {
	n := 200000
	if testing.Short() {
		n = 20000
	}
	ops := []struct {
		name string
		op   byte // of F2/F3 0F op
		f64  func(e *Env, a, b F64) F64
		f32  func(e *Env, a, b F32) F32
	}{
		{"add", 0x58, func(e *Env, a, b F64) F64 { return a.Add(e, b) }, func(e *Env, a, b F32) F32 { return a.Add(e, b) }},
		{"sub", 0x5c, func(e *Env, a, b F64) F64 { return a.Sub(e, b) }, func(e *Env, a, b F32) F32 { return a.Sub(e, b) }},
		{"mul", 0x59, func(e *Env, a, b F64) F64 { return a.Mul(e, b) }, func(e *Env, a, b F32) F32 { return a.Mul(e, b) }},
		{"div", 0x5e, func(e *Env, a, b F64) F64 { return a.Div(e, b) }, func(e *Env, a, b F32) F32 { return a.Div(e, b) }},
		{"sqrt", 0x51, func(e *Env, a, b F64) F64 { return b.Sqrt(e) }, func(e *Env, a, b F32) F32 { return b.Sqrt(e) }},
		{"cvt", 0x5a, func(e *Env, a, b F64) F64 { return a&^0xffffffff | F64(b.ToF32(e)) }, nil},
	}
	for _, op := range ops {
		for _, wide := range []bool{true, false} {
			if !wide && op.f32 == nil {
				continue
			}
			t.Run(op.name+map[bool]string{true: "sd", false: "ss"}[wide], func(t *testing.T) {
				c := newChip(t)
				prefix := byte(0xf3)
				if wide {
					prefix = 0xf2
				}
				copy(c.page, []byte{0x0f, 0xae, 0x57, 32, // ldmxcsr [rdi+32]
					0xf3, 0x0f, 0x7e, 0x07, // movq xmm0, [rdi]
					0xf3, 0x0f, 0x7e, 0x4f, 16, // movq xmm1, [rdi+16]
					prefix, 0x0f, op.op, 0xc1, // op xmm0, xmm1
					0x66, 0x0f, 0xd6, 0x07, // movq [rdi], xmm0
					0x0f, 0xae, 0x5f, 36, // stmxcsr [rdi+36]
					0x0f, 0xae, 0x57, 40, // ldmxcsr [rdi+40]
					0xc3})
				r := rand.New(rand.NewPCG(7, 8))
				le := binary.LittleEndian
				for range n {
					a, b := random64(r), random64(r)
					if !wide {
						a, b = uint64(random32(r)), uint64(random32(r))
					}
					e := SSE()
					e.Round = Rounding(r.IntN(4))
					mxcsr := uint32(0x1f80) | uint32(e.Round)<<13
					if r.IntN(3) == 0 {
						e.DAZ, mxcsr = true, mxcsr|1<<6
					}
					if r.IntN(3) == 0 {
						e.FTZ, mxcsr = FTZSSE, mxcsr|1<<15
					}
					le.PutUint64(c.arg[0:], a)
					le.PutUint64(c.arg[16:], b)
					le.PutUint32(c.arg[32:], mxcsr)
					le.PutUint32(c.arg[40:], 0x1f80)
					c.run()
					got, flags := le.Uint64(c.arg[0:]), Flags(le.Uint32(c.arg[36:])&0x3f)
					var want uint64
					if wide {
						want = uint64(op.f64(&e, F64(a), F64(b)))
					} else {
						want = uint64(op.f32(&e, F32(a), F32(b)))
					}
					if got != want || flags != e.Flags&Exceptions {
						t.Fatalf("%016x %016x mxcsr %04x: chip %016x %02x, we %016x %02x", a, b, mxcsr, got, flags, want, e.Flags)
					}
				}
			})
		}
	}
}

// TestHostFMA compares the fused multiply-add, NaNs and infinity*0 included.
func TestHostFMA(t *testing.T) {
	if info, _ := os.ReadFile("/proc/cpuinfo"); !bytes.Contains(info, []byte(" fma ")) {
		t.Skip("this processor has no FMA")
	}
	c := newChip(t)
	copy(c.page, []byte{0x0f, 0xae, 0x57, 32, // ldmxcsr [rdi+32]
		0xf3, 0x0f, 0x7e, 0x07, // movq xmm0, [rdi]
		0xf3, 0x0f, 0x7e, 0x4f, 8, // movq xmm1, [rdi+8]
		0xf3, 0x0f, 0x7e, 0x57, 16, // movq xmm2, [rdi+16]
		0xc4, 0xe2, 0xf1, 0xa9, 0xc2, // vfmadd213sd xmm0, xmm1, xmm2
		0x66, 0x0f, 0xd6, 0x07, // movq [rdi], xmm0
		0x0f, 0xae, 0x5f, 36, // stmxcsr [rdi+36]
		0x0f, 0xae, 0x57, 40, // ldmxcsr [rdi+40]
		0xc3})
	r := rand.New(rand.NewPCG(9, 10))
	le := binary.LittleEndian
	for range 200000 {
		a, b, d := random64(r), random64(r), random64(r)
		e := SSE()
		e.Round = Rounding(r.IntN(4))
		le.PutUint64(c.arg[0:], a)
		le.PutUint64(c.arg[8:], b)
		le.PutUint64(c.arg[16:], d)
		le.PutUint32(c.arg[32:], 0x1f80|uint32(e.Round)<<13)
		le.PutUint32(c.arg[40:], 0x1f80)
		c.run()
		got, flags := le.Uint64(c.arg[0:]), Flags(le.Uint32(c.arg[36:])&0x3f)
		want := uint64(F64(b).MulAdd(&e, F64(a), F64(d))) // xmm1*xmm0 + xmm2, in that order for NaNs
		if got != want || flags != e.Flags&Exceptions {
			t.Fatalf("%016x %016x %016x: chip %016x %02x, we %016x %02x", a, b, d, got, flags, want, e.Flags)
		}
	}
}
