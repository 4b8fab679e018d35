package x86

import (
	"rhea/internal/ir"
	"rhea/internal/softfloat"
)

// This file translates SSE3 to SSE4.2 where they need more than a line in a
// table of operations, and has their floating point.

func addLaterEmitters(m map[string]emitter) {
	for name, f := range map[string]emitter{
		"LDDQU": move128(false), "MOVNTDQA": move128(true),
		"PBLENDVB": blendVariable(0), "BLENDVPS": blendVariable(2), "BLENDVPD": blendVariable(3),
		"BLENDPD": halves(func(t *tx, d, s ir.Val) (lo, hi ir.Val) {
			pick := func(n uint64) ir.Val {
				if t.in.imm>>n&1 != 0 {
					return t.half(s, n)
				}
				return t.half(d, n)
			}
			return pick(0), pick(1)
		}),
		"PTEST": emitPtest, "PINSRB": insert(8), "PINSRD": func(t *tx) { insert(t.size(1) * 8)(t) },
		"PEXTRB": extract(8), "PEXTRD": func(t *tx) { extract(t.size(0) * 8)(t) }, "EXTRACTPS": extract(32),
		"PCMPESTRI": emitStrings(strExplicit), "PCMPESTRM": emitStrings(strExplicit | strMask),
		"PCMPISTRI": emitStrings(0), "PCMPISTRM": emitStrings(strMask),
	} {
		m[name] = f
	}
	insertps := m["INSERTPS"]
	m["INSERTPS"] = func(t *tx) {
		if t.in.mem { // the dword in memory is the only one to choose
			t.in.imm &= 0x3f
		}
		insertps(t)
	}
}

// blendVariable selects lanes of 8 << kind bits by their sign bits in XMM0.
func blendVariable(kind uint64) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		s := t.read128(1)
		d, m := t.xmm(t.in.reg), t.xmm(0)
		t.setXMM(t.in.reg, t.vmake(
			t.blend(t.vlow(d), t.vlow(s), t.vlow(m), kind), t.blend(t.vhigh(d), t.vhigh(s), t.vhigh(m), kind)))
	}
}

func emitPtest(t *tx) {
	if !t.simd() {
		return
	}
	s := t.read128(1)
	d := t.xmm(t.in.reg)
	none := func(invert bool) ir.Val {
		part := func(x, y ir.Val) ir.Val {
			if invert {
				x = t.Un(ir.Not, x)
			}
			return t.Bin(ir.And, x, y)
		}
		any := t.Bin(ir.Or, part(t.vlow(d), t.vlow(s)), part(t.vhigh(d), t.vhigh(s)))
		return t.Conv(ir.I64, t.CmpImm(ir.Eq, any, 0), false)
	}
	zf, cf := none(false), none(true)
	t.setFlags(t.Bin(ir.Or, t.BinImm(ir.Shl, zf, 6), cf))
}

// element returns the half and the position in it of the element of bits that
// the immediate selects.
func (t *tx) element(bits int) (half uint64, pos int) {
	at := int(t.in.imm) * bits & 127
	return uint64(at >> 6), at & 63
}

func insert(bits int) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		var v ir.Val
		if t.in.mem {
			v = t.Conv(ir.I64, t.read(1), false)
		} else {
			v = t.Conv(ir.I64, t.reg(t.in.rm, max(bits/8, 4)), false)
		}
		half, pos := t.element(bits)
		d := t.xmm(t.in.reg)
		t.setXMM(t.in.reg, t.setHalf(d, half, t.Deposit(t.half(d, half), v, pos, bits)))
	}
}

// extract stores an element, or zero-extends it into a general register.
func extract(bits int) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		half, pos := t.element(bits)
		h := t.half(t.xmm(t.in.reg), half)
		if t.in.mem {
			t.store(t.segment(), t.ea(), t.Extract(ir.IntType(bits/8), h, pos, bits), bits/8)
			return
		}
		size := max(bits/8, 4)
		t.setReg(t.in.rm, size, t.Extract(ir.IntType(size), h, pos, bits))
	}
}

// laterFloatOps is what floatOps has of SSE3 and SSE4.1.
func laterFloatOps() []floatOp {
	vector := func(name string, f func(u *sseUnit, d, s *lanes, imm uint64) uint64) floatOp {
		return floatOp{name, toVector, f}
	}
	horizontal := func(f func(u *sseUnit, a, b uint32) uint32) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			pair := func(x uint64) uint64 { return uint64(f(u, uint32(x), uint32(x>>32))) }
			a, b := *d, *s
			d[0] = pair(a[0]) | pair(a[1])<<32
			d[1] = pair(b[0]) | pair(b[1])<<32
			return 0
		}
	}
	horizontal64 := func(f func(u *sseUnit, a, b uint64) uint64) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			a, b := *d, *s
			d[0], d[1] = f(u, a[0], a[1]), f(u, b[0], b[1])
			return 0
		}
	}
	ops := []floatOp{
		vector("HADDPS", horizontal((*sseUnit).add32)), vector("HSUBPS", horizontal((*sseUnit).sub32)),
		vector("HADDPD", horizontal64((*sseUnit).add64)), vector("HSUBPD", horizontal64((*sseUnit).sub64)),
		vector("ADDSUBPS", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			for i, x := range d {
				y := s[i]
				d[i] = uint64(u.sub32(uint32(x), uint32(y))) | uint64(u.add32(uint32(x>>32), uint32(y>>32)))<<32
			}
			return 0
		}),
		vector("ADDSUBPD", func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			d[0], d[1] = u.sub64(d[0], s[0]), u.add64(d[1], s[1])
			return 0
		}),
		vector("DPPS", dpps), vector("DPPD", dppd),
	}
	for _, r := range []struct {
		name string
		n    int
		wide bool
	}{{"ROUNDPS", 4, false}, {"ROUNDSS", 1, false}, {"ROUNDPD", 2, true}, {"ROUNDSD", 1, true}} {
		ops = append(ops, vector(r.name, func(u *sseUnit, d, s *lanes, imm uint64) uint64 {
			for i := range r.n {
				if r.wide {
					d[i] = u.roundTo64(s[i], imm)
				} else {
					at := i & 1 * 32
					v := uint64(u.roundTo32(uint32(s[i>>1]>>at), imm))
					d[i>>1] = d[i>>1]&^(0xffffffff<<at) | v<<at
				}
			}
			return 0
		}))
	}
	return ops
}

// direction is the rounding that ROUNDPS's immediate selects; bit 3 keeps it
// from raising Inexact (SDM vol. 2, ROUNDPD).
func (u *sseUnit) direction(imm uint64) softfloat.Rounding {
	if imm&4 != 0 {
		return u.env.Round
	}
	return softfloat.Rounding(imm & 3)
}

func (u *sseUnit) quietly(imm uint64, before softfloat.Flags) {
	if imm&8 != 0 {
		u.env.Flags = u.env.Flags&^softfloat.Inexact | before&softfloat.Inexact
	}
}

func (u *sseUnit) roundTo32(a uint32, imm uint64) uint32 {
	before := u.env.Flags
	r := softfloat.F32(a).RoundToInt(&u.env, u.direction(imm))
	u.quietly(imm, before)
	return uint32(r)
}

func (u *sseUnit) roundTo64(a uint64, imm uint64) uint64 {
	before := u.env.Flags
	r := softfloat.F64(a).RoundToInt(&u.env, u.direction(imm))
	u.quietly(imm, before)
	return uint64(r)
}

// dpps is DPPS (SDM vol. 2): sums of the products that imm[7:4] selects, where
// imm[3:0] wants them.
func dpps(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	var p [4]uint32
	for i := range p {
		if imm>>(4+i)&1 != 0 {
			p[i] = u.mul32(uint32(at32(d, i)), uint32(at32(s, i)))
		}
	}
	sum := u.add32(u.add32(p[0], p[1]), u.add32(p[2], p[3]))
	*d = fill(4, func(i int) int { return int(sum) * int(imm>>i&1) })
	return 0
}

func dppd(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	var p [2]uint64
	for i := range p {
		if imm>>(4+i)&1 != 0 {
			p[i] = u.mul64(d[i], s[i])
		}
	}
	sum := u.add64(p[0], p[1])
	*d = lanes{sum * (imm & 1), sum * (imm >> 1 & 1)}
	return 0
}
