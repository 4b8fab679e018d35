package x86

import (
	"strings"

	"rhea/internal/ir"
	"rhea/internal/softfloat"
)

// MXCSR (SDM vol. 1, 10.2.3): flags in bits 0-5, masks in 7-12.
const (
	mxPE      = 1 << 5
	mxDAZ     = 1 << 6
	mxMasks   = 0x3f << 7
	mxRC      = 3 << 13
	mxFZ      = 1 << 15
	mxControl = 0xffc0

	mxDefault = mxMasks // all masked, to nearest
)

// sseUnit is what SSE floating point derives from MXCSR.
type sseUnit struct {
	env      softfloat.Env // env.Flags collects an instruction's exceptions
	control  uint64        // the control bits of MXCSR that the rest is for
	masked   bool          // all exceptions are masked
	host     bool          // host arithmetic gives the result: see sse_host.go
	inexact  bool          // MXCSR.PE is set already
	unmasked softfloat.Flags
	ready    bool
}

// load derives the unit from MXCSR.
func (u *sseUnit) load(mxcsr uint64) {
	u.ready = true
	u.control = mxcsr & mxControl
	u.unmasked = softfloat.Flags(^mxcsr>>7) & softfloat.Exceptions
	u.masked = u.unmasked == 0
	u.host = mxcsr&(mxMasks|mxRC) == mxDefault
	u.env = softfloat.SSE()
	u.env.Round = softfloat.Rounding(mxcsr >> 13 & 3)
	u.env.Unmasked = u.unmasked
	u.env.DAZ = mxcsr&mxDAZ != 0
	if mxcsr&mxFZ != 0 {
		u.env.FTZ = softfloat.FTZSSE
	}
}

// faulted is the bit of hSSEFloat's result that says that an unmasked
// exception stands in the way.
const faulted = 1 << 63

// preComputation are the exceptions found before an operation is done
// (SDM vol. 1, 11.5.2).
const preComputation = softfloat.Invalid | softfloat.Denormal | softfloat.DivByZero

// sseFloat is the helper of floatOps. The destination is not changed, and the
// result has the bit faulted, if there is an unmasked exception (SDM vol. 1,
// 11.5.3); MXCSR's flags are set in any case.
func (c *CPU) sseFloat(a, _, _ uint64) (uint64, bool) {
	r, bad := c.sseOp(a)
	if bad {
		return faulted, false
	}
	return r, false
}

// sseFloatStop is sseFloat for results of 64 bits: the exception is raised.
func (c *CPU) sseFloatStop(a, _, _ uint64) (uint64, bool) {
	r, bad := c.sseOp(a)
	if bad {
		c.Guarded(faultCode(vecXM, 0, false))
	}
	return r, bad
}

func (c *CPU) sseOp(a uint64) (r uint64, bad bool) {
	u := &c.sse
	mxcsr := c.s.MXCSR
	if mxcsr&mxControl != u.control || !u.ready {
		u.load(mxcsr)
	}
	u.inexact = mxcsr&mxPE != 0
	u.env.Flags = 0
	d, s := c.operandsOf(a)
	op := c.floatOps[argOp(a)].f
	if u.masked {
		r := op(u, d, s, argImm(a))
		c.s.MXCSR = mxcsr | uint64(u.env.Flags&softfloat.Exceptions)
		return r, false
	}
	out := *d
	if s == d { // the source must not change meanwhile
		s = &lanes{d[0], d[1]}
	}
	r = op(u, &out, s, argImm(a))
	flags := u.env.Flags & softfloat.Exceptions
	if flags&preComputation&u.unmasked != 0 {
		flags &= preComputation // nothing was computed
	}
	c.s.MXCSR = mxcsr | uint64(flags)
	if flags&u.unmasked != 0 {
		return 0, true
	}
	*d = out
	return r, false
}

// floatKind says what becomes of an operation's result.
type floatKind uint8

const (
	toVector floatKind = iota // it is in the destination
	toReg                     // returned: a general register's value
	toFlags                   // returned: EFLAGS
	toReg64                   // returned: a general register's value, of 64 bits
	silent                    // as toVector; there are no exceptions
)

// floatOp is a floating-point operation: on whole registers, the low half of
// s being the operand of scalars.
type floatOp struct {
	name string
	kind floatKind
	f    func(u *sseUnit, d, s *lanes, imm uint64) uint64
}

// vectorFloat translates an operation of floatOps.
func vectorFloat(op int, name string, kind floatKind) emitter {
	vec := vecKind(name)
	return func(t *tx) {
		if !t.simd() {
			return
		}
		op, vec, kind := op, vec, kind
		if w, ok := t.c.wideOps[name]; ok && t.in.opsize == 8 { // with a general register of 64 bits
			op, vec, kind = w, vecKind(name+"Q"), t.c.floatOps[w].kind
		}
		in := &t.in
		if strings.HasPrefix(name, "CMP") {
			in.imm &= 7
		}
		src := t.source(1)
		dst := slotTmp128
		n, isVector := t.simdReg(0)
		switch {
		case isVector && t.isMMX(0):
			dst = mmxSlot(n)
		case isVector:
			dst = xmmSlot(n)
		}
		var r ir.Val
		if typ := ir.Void; !t.is(modeXM) {
			if kind >= toReg && kind <= toReg64 {
				typ = ir.I64
			}
			r = t.vec(typ, vec, hSSEFloat, op, dst, src, 0)
			t.Forget(slotMXCSR)
		} else if kind == toReg64 {
			r = t.call(hSSEStop, t.Const(ir.I64, simdArg(op, dst, src, in.imm)))
		} else {
			r = t.Call(ir.I64, hSSEFloat, ir.NoStop, t.Const(ir.I64, simdArg(op, dst, src, in.imm)))
			t.Forget(slotMXCSR)
			t.Forget(dst)
			switch kind {
			case toVector:
				t.Guard(r, faultCode(vecXM, 0, false))
			case toReg, toFlags:
				t.Guard(t.BinImm(ir.Shr, r, 63), faultCode(vecXM, 0, false))
			}
		}
		switch kind {
		case toReg:
			t.setReg(in.reg, 4, t.Conv(ir.I32, r, false))
		case toReg64:
			t.setReg(in.reg, 8, r)
		case toFlags:
			t.setFlags(r)
		}
		if t.isMMX(0) {
			t.Forget(dst + 1)
			t.setSlot(dst+1, 0xffff)
		}
		if _, mmx := t.files(); mmx {
			t.enterMMX()
		}
	}
}

// floatOps lists the operations of hSSEFloat.
func floatOps() []floatOp {
	var ops []floatOp
	add := func(name string, kind floatKind, f func(u *sseUnit, d, s *lanes, imm uint64) uint64) {
		ops = append(ops, floatOp{name, kind, f})
	}
	arith := func(name string, f32 func(u *sseUnit, a, b uint32) uint32, f64 func(u *sseUnit, a, b uint64) uint64) {
		add(name+"PS", toVector, packed32(f32))
		add(name+"PD", toVector, packed64(f64))
		add(name+"SS", toVector, scalar32(f32))
		add(name+"SD", toVector, scalar64(f64))
	}
	arith("ADD", (*sseUnit).add32, (*sseUnit).add64)
	arith("SUB", (*sseUnit).sub32, (*sseUnit).sub64)
	arith("MUL", (*sseUnit).mul32, (*sseUnit).mul64)
	arith("DIV", (*sseUnit).div32, (*sseUnit).div64)
	arith("SQRT", (*sseUnit).sqrt32, (*sseUnit).sqrt64)
	arith("MIN", (*sseUnit).min32, (*sseUnit).min64)
	arith("MAX", (*sseUnit).max32, (*sseUnit).max64)
	for _, o := range []struct {
		name string
		f    func(u *sseUnit, a, b uint32) uint32
	}{{"RCP", (*sseUnit).rcp32}, {"RSQRT", (*sseUnit).rsqrt32}} {
		add(o.name+"PS", silent, packed32(o.f))
		add(o.name+"SS", silent, scalar32(o.f))
	}
	add("CMPPS", toVector, cmpps)
	add("CMPPD", toVector, cmppd)
	add("CMPSS", toVector, cmpss)
	add("CMPSD", toVector, cmpsd)
	for _, signaling := range []bool{false, true} {
		name := "UCOMIS"
		if signaling {
			name = "COMIS"
		}
		add(name+"S", toFlags, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			return orderFlags(u.order32(uint32(d[0]), uint32(s[0]), signaling))
		})
		add(name+"D", toFlags, func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
			return orderFlags(u.order64(d[0], s[0], signaling))
		})
	}
	ops = append(ops, conversions()...)
	return append(ops, laterFloatOps()...)
}

// The forms of an operation on scalars.

func packed32(f func(u *sseUnit, a, b uint32) uint32) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
	return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		for i, x := range d {
			y := s[i]
			d[i] = uint64(f(u, uint32(x), uint32(y))) | uint64(f(u, uint32(x>>32), uint32(y>>32)))<<32
		}
		return 0
	}
}

func packed64(f func(u *sseUnit, a, b uint64) uint64) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
	return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		d[0] = f(u, d[0], s[0])
		d[1] = f(u, d[1], s[1])
		return 0
	}
}

func scalar32(f func(u *sseUnit, a, b uint32) uint32) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
	return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		d[0] = d[0]&^0xffffffff | uint64(f(u, uint32(d[0]), uint32(s[0])))
		return 0
	}
}

func scalar64(f func(u *sseUnit, a, b uint64) uint64) func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
	return func(u *sseUnit, d, s *lanes, _ uint64) uint64 {
		d[0] = f(u, d[0], s[0])
		return 0
	}
}

// orderFlags is what UCOMISS and its like make of a comparison.
func orderFlags(o softfloat.Ordering) uint64 {
	return [...]uint64{
		softfloat.Less: flagCF, softfloat.Equal: flagZF, softfloat.Greater: 0, softfloat.Unordered: flagZF | flagPF | flagCF,
	}[o&3]
}

// predicates are the outcomes of a comparison that hold for a predicate of CMPPS,
// and, from 8 on, VCMPPS (SDM vol. 2, tables 3-1 and 3-2): those above 15 are the
// same again.
var predicates = func() (t [16]uint8) {
	lt, eq, gt, un := uint8(1)<<softfloat.Less, uint8(1)<<softfloat.Equal, uint8(1)<<softfloat.Greater, uint8(1)<<softfloat.Unordered
	copy(t[:], []uint8{eq, lt, lt | eq, un, lt | gt | un, eq | gt | un, gt | un, lt | eq | gt,
		eq | un, lt | un, lt | eq | un, 0, lt | gt, eq | gt, gt, lt | eq | gt | un})
	return t
}()

func holds(o softfloat.Ordering, p uint64) bool { return predicates[p&15]>>o&1 != 0 }

// signals reports whether predicate p raises Invalid for quiet NaNs: the others
// above 15 do.
func signals(p uint64) bool { return (p&3 == 1 || p&3 == 2) != (p&16 != 0) }

func (u *sseUnit) cmp32(a, b uint32, p uint64) uint64 {
	return -b2u(holds(u.order32(a, b, signals(p)), p)) & 0xffffffff
}

func (u *sseUnit) cmp64(a, b, p uint64) uint64 {
	return -b2u(holds(u.order64(a, b, signals(p)), p))
}

func cmpps(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	for i, x := range d {
		y := s[i]
		d[i] = u.cmp32(uint32(x), uint32(y), imm) | u.cmp32(uint32(x>>32), uint32(y>>32), imm)<<32
	}
	return 0
}

func cmppd(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	d[0] = u.cmp64(d[0], s[0], imm)
	d[1] = u.cmp64(d[1], s[1], imm)
	return 0
}

func cmpss(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	d[0] = d[0]&^0xffffffff | u.cmp32(uint32(d[0]), uint32(s[0]), imm)
	return 0
}

func cmpsd(u *sseUnit, d, s *lanes, imm uint64) uint64 {
	d[0] = u.cmp64(d[0], s[0], imm)
	return 0
}

// guardMasks precedes LDMXCSR of v, which must not unmask anything here.
func (t *tx) guardMasks(v ir.Val) {
	if !t.is(modeXM) {
		t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, v, mxMasks), mxMasks), faultCode(guardUnmasks, 0, false))
	}
}
