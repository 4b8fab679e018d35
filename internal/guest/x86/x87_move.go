package x86

import "rhea/internal/softfloat"

// fld pushes the memory operand or ST(i).
func fld(u *x87Unit) uint64 {
	var v f80
	fromReg := u.arg.format() == fmtReg
	if under := fromReg && u.empty(u.arg.i()); under || !u.empty(7) {
		if u.stackFault(!under) {
			u.push(indefinite())
		}
		return 0
	}
	switch f := u.arg.format(); {
	case f == fmtReg:
		v = u.st(u.arg.i())
	case f == fmtF32 && normal32(u.mem):
		v = fromNormal32(u.mem)
	case f == fmtF32:
		v = softfloat.F32(u.mem).ToF80(&u.env)
	case f == fmtF64 && normal64(u.mem):
		v = fromNormal64(u.mem)
	case f == fmtF64:
		v = softfloat.F64(u.mem).ToF80(&u.env)
	case f == fmtF80:
		v = f80{Man: u.mem, SE: u.memHi}
	case f == fmtBCD:
		var d softfloat.BCD
		for i := range 8 {
			d[i] = byte(u.mem >> (8 * i))
		}
		d[8], d[9] = byte(u.memHi), byte(u.memHi>>8)
		v = d.ToF80()
	default:
		v = u.integer()
	}
	if u.raise() {
		u.push(v)
	}
	return 0
}

// constant is FLD1 and so on.
func constant(k softfloat.Constant) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		if !u.empty(7) {
			if u.stackFault(true) {
				u.push(indefinite())
			}
			return 0
		}
		u.clearC1()
		u.push(u.env.Const(k))
		return 0
	}
}

// fst copies ST(0) to ST(i) and pops.
func fst(u *x87Unit) uint64 {
	v := u.st(0)
	if u.empty(0) {
		if !u.stackFault(false) {
			return 0
		}
		v = indefinite()
	} else {
		u.clearC1()
	}
	u.setST(u.arg.i(), v)
	u.pop(u.arg.pops())
	return 0
}

// fstpnce is FSTP without the check for an empty ST(0), which is then not
// stored ("no check exception"; so do processors).
func fstpnce(u *x87Unit) uint64 {
	if u.empty(0) {
		u.clearC1()
		u.pop(1)
		return 0
	}
	return fst(u)
}

func fxch(u *x87Unit) uint64 {
	i := u.arg.i()
	x, y := u.st(0), u.st(i)
	if u.empty(0) || u.empty(i) {
		ex, ey := u.empty(0), u.empty(i)
		if !u.stackFault(false) {
			return 0
		}
		if ex {
			x = indefinite()
		}
		if ey {
			y = indefinite()
		}
	} else {
		u.clearC1()
	}
	u.setST(0, y)
	u.setST(i, x)
	return 0
}

// fcmov moves if the condition, which comes as memory operand, holds.
func fcmov(u *x87Unit) uint64 {
	if u.sourceEmpty() {
		if u.stackFault(false) {
			u.setST(0, indefinite())
		}
		return 0
	}
	if u.mem != 0 {
		u.setST(0, u.st(u.arg.i()))
	}
	return 0
}

// sign is FABS and FCHS: the sign becomes se&and ^ xor.
func sign(and, xor uint16) func(u *x87Unit) uint64 {
	return unary(func(a f80, _ *softfloat.Env) f80 {
		a.SE = a.SE&and ^ xor
		return a
	})
}

func ffree(u *x87Unit) uint64 {
	u.clearC1()
	u.s.FTW &^= 1 << ((u.s.FTop + u.arg.i()) & 7)
	return 0
}

// ffreep is FFREE, and then a pop without any check.
func ffreep(u *x87Unit) uint64 {
	ffree(u)
	u.pop(1)
	return 0
}

// rotate moves TOP; tags and registers stay.
func rotateStack(n uint64) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		u.clearC1()
		u.s.FTop = (u.s.FTop + n) & 7
		return 0
	}
}

// store computes what FST and so on write to memory. State.Tmp gets: [2], not
// 0 if an unmasked exception forbids the store; [3], what is beyond 64 bits.
// The instruction is completed by stored, or here if there is no store.
func (u *x87Unit) store(place uint64) uint64 {
	s, e := u.s, &u.env
	v := u.st(0)
	u.fault = u.empty(0)
	if u.fault {
		v = indefinite()
	}
	round := e.Round
	if u.arg.truncate() {
		round = softfloat.ToZero
	}
	var lo uint64
	var hi uint16
	switch u.arg.format() {
	case fmtF32:
		var exact bool
		if lo, exact = toNormal32(v); !exact {
			lo = uint64(v.ToF32(e))
		}
	case fmtF64:
		var exact bool
		if lo, exact = toNormal64(v); !exact {
			lo = uint64(v.ToF64(e))
		}
	case fmtF80:
		lo, hi = v.Man, v.SE
	case fmtI16:
		lo = uint64(uint16(v.ToI16(e, round)))
	case fmtI32:
		lo = uint64(uint32(v.ToI32(e, round)))
	case fmtI64:
		lo = uint64(v.ToI64(e, round))
	case fmtBCD:
		d := v.ToBCD(e, round)
		for i := range 8 {
			lo |= uint64(d[i]) << (8 * i)
		}
		hi = uint16(d[8]) | uint16(d[9])<<8
	}
	if u.fault {
		e.Flags = softfloat.Invalid
	}
	u.pending = e.Flags
	s.Tmp[2], s.Tmp[3] = 0, uint64(hi)
	// All but Inexact, unmasked, leave the memory alone (SDM vol. 1, 8.5).
	if e.Flags&^softfloat.Flags(s.FCW)&(softfloat.Exceptions&^softfloat.Inexact) != 0 {
		u.note(place)
		u.raise()
		if u.fault {
			s.FSW |= fswSF
		}
		s.Tmp[2] = 1
	}
	return lo
}

// stored completes an instruction whose store is done.
func stored(u *x87Unit) uint64 {
	u.env.Flags = u.pending
	u.raise()
	if u.fault {
		u.s.FSW |= fswSF
	}
	u.pop(u.arg.pops())
	return 0
}

// x87Ops lists the operations of the helper hX87.
func x87Ops() []x87Op {
	var ops []x87Op
	plain := func(name string, pops int, f func(u *x87Unit) uint64) {
		ops = append(ops, x87Op{name: name, pops: pops, f: f})
	}
	integer := func(name string, pops int, f func(u *x87Unit) uint64) {
		ops = append(ops, x87Op{name: name, pops: pops, integer: true, f: f})
	}
	store := func(name string, pops int, integer, truncate bool) {
		ops = append(ops,
			x87Op{name: name, kind: opStore, pops: pops, integer: integer, truncate: truncate, f: fst},
			x87Op{kind: opInner, f: stored})
	}
	for _, o := range []struct {
		name string
		f    func(a f80, e *softfloat.Env, b f80) f80
		rev  bool
	}{
		{"ADD", f80.Add, false}, {"MUL", f80.Mul, false}, {"SUB", f80.Sub, false}, {"SUBR", f80.Sub, true},
		{"DIV", f80.Div, false}, {"DIVR", f80.Div, true},
	} {
		f := arithmetic(o.f, o.rev)
		plain("F"+o.name, 0, f)
		plain("F"+o.name+"P", 1, f)
		integer("FI"+o.name, 0, f)
	}
	plain("FCOM", 0, compare(false))
	plain("FCOMP", 1, compare(false))
	plain("FCOMPP", 2, comparePP(false))
	plain("FUCOM", 0, compare(true))
	plain("FUCOMP", 1, compare(true))
	plain("FUCOMPP", 2, comparePP(true))
	integer("FICOM", 0, compare(false))
	integer("FICOMP", 1, compare(false))
	for _, o := range []x87Op{
		{name: "FCOMI", f: compareFlags(false)}, {name: "FCOMIP", pops: 1, f: compareFlags(false)},
		{name: "FUCOMI", f: compareFlags(true)}, {name: "FUCOMIP", pops: 1, f: compareFlags(true)},
	} {
		o.kind = opFlags
		ops = append(ops, o)
	}
	ops = append(ops, x87Op{name: "FCMOV", kind: opMove, f: fcmov})
	plain("FTST", 0, ftst)
	plain("FXAM", 0, fxam)
	plain("FLD", 0, fld)
	integer("FILD", 0, fld)
	integer("FBLD", 0, fld)
	store("FST", 0, false, false)
	store("FSTP", 1, false, false)
	store("FIST", 0, true, false)
	store("FISTP", 1, true, false)
	store("FISTTP", 1, true, true)
	store("FBSTP", 1, true, false)
	plain("FSTPNCE", 1, fstpnce)
	plain("FXCH", 0, fxch)
	plain("FABS", 0, sign(0x7fff, 0))
	plain("FCHS", 0, sign(0xffff, 0x8000))
	for i, name := range [...]string{"FLD1", "FLDL2T", "FLDL2E", "FLDPI", "FLDLG2", "FLDLN2", "FLDZ"} {
		plain(name, 0, constant(softfloat.Constant(i)))
	}
	plain("FFREE", 0, ffree)
	plain("FFREEP", 0, ffreep)
	plain("FDECSTP", 0, rotateStack(7))
	plain("FINCSTP", 0, rotateStack(1))

	plain("FSQRT", 0, unary(f80.Sqrt))
	plain("FRNDINT", 0, unary(func(a f80, e *softfloat.Env) f80 { return a.RoundToInt(e, e.Round) }))
	plain("F2XM1", 0, unary(f80.F2XM1))
	plain("FSCALE", 0, ofTwo(0, f80.FSCALE))
	plain("FPATAN", 1, ofTwo(1, f80.FPATAN))
	plain("FYL2X", 1, ofTwo(1, f80.FYL2X))
	plain("FYL2XP1", 1, ofTwo(1, f80.FYL2XP1))
	plain("FPREM", 0, remainder(f80.FPREM))
	plain("FPREM1", 0, remainder(f80.FPREM1))
	plain("FSIN", 0, trigonometric(f80.FSIN))
	plain("FCOS", 0, trigonometric(f80.FCOS))
	plain("FSINCOS", 0, twoResults(f80.FSINCOS, true))
	plain("FPTAN", 0, twoResults(func(a f80, e *softfloat.Env) (f80, f80, bool) {
		tan, ok := a.FPTAN(e)
		one := e.Const(softfloat.One)
		if tan.IsNaN() { // both are the NaN
			one = tan
		}
		return tan, one, ok
	}, true))
	plain("FXTRACT", 0, twoResults(func(a f80, e *softfloat.Env) (f80, f80, bool) {
		significand, exponent := a.FXTRACT(e)
		return exponent, significand, true
	}, false))
	return ops
}
