package x86

import "rhea/internal/softfloat"

// x87Kind says how an operation is translated.
type x87Kind uint8

const (
	opPlain x87Kind = iota
	opFlags         // sets EFLAGS
	opMove          // FCMOVcc
	opStore         // to memory by x87Store; the next line completes it
	opInner         // completes a store
)

// x87Op is an operation of the helper hX87.
type x87Op struct {
	name     string
	kind     x87Kind
	pops     int
	integer  bool // memory operands are integers or BCD
	truncate bool
	f        func(u *x87Unit) uint64
}

type f80 = softfloat.F80

// indefinite is the real indefinite (SDM vol. 1, table 4-3).
func indefinite() f80 { return f80{Man: 0xc000000000000000, SE: 0xffff} }

// --- the register stack (SDM vol. 1, 8.1.2)

func (u *x87Unit) empty(i uint64) bool { return u.s.FTW>>((u.s.FTop+i)&7)&1 == 0 }

// st returns ST(i), whatever its tag says.
func (u *x87Unit) st(i uint64) f80 {
	r := &u.s.FPR[(u.s.FTop+i)&7]
	return f80{Man: r[0], SE: uint16(r[1])}
}

func (u *x87Unit) setST(i uint64, v f80) {
	n := (u.s.FTop + i) & 7
	u.s.FPR[n] = [2]uint64{v.Man, uint64(v.SE)}
	u.s.FTW |= 1 << n
}

func (u *x87Unit) push(v f80) {
	u.s.FTop = (u.s.FTop - 1) & 7
	u.setST(0, v)
}

func (u *x87Unit) pop(n int) {
	for range n {
		u.s.FTW &^= 1 << u.s.FTop
		u.s.FTop = (u.s.FTop + 1) & 7
	}
}

// --- exceptions (SDM vol. 1, 8.4 to 8.6)

// stackFault raises a stack overflow or underflow. It returns true if that is
// masked: the instruction then goes on with indefinites.
func (u *x87Unit) stackFault(overflow bool) bool {
	s := u.s
	s.FSW = s.FSW&^fswC1 | fswIE | fswSF | b2u(overflow)*fswC1
	if s.FCW&fswIE == 0 {
		s.FSW |= fswES | fswB
		return false
	}
	return true
}

// raise records the exceptions of an operation; C1 is set if it was rounded
// up. It returns false if nothing may be written: a pre-computation exception
// is unmasked.
func (u *x87Unit) raise() bool {
	s, flags := u.s, u.env.Flags
	unmasked := flags & ^softfloat.Flags(s.FCW) & softfloat.Exceptions
	ok := unmasked&preComputation == 0
	if !ok {
		flags &= preComputation
	}
	s.FSW = s.FSW&^fswC1 | uint64(flags&(softfloat.Exceptions|softfloat.RoundedUp))
	if unmasked != 0 {
		s.FSW |= fswES | fswB
	}
	return ok
}

func (u *x87Unit) clearC1() { u.s.FSW &^= fswC1 }

// --- operands

// operand returns the source, which is the memory operand or ST(i), for
// arithmetic and comparisons. Denormal says that a denormal was normalized on
// its way.
func (u *x87Unit) operand() (v f80, denormal bool) {
	switch u.arg.format() {
	case fmtReg:
		return u.st(u.arg.i()), false
	case fmtF32:
		if normal32(u.mem) {
			return fromNormal32(u.mem), false
		}
		return softfloat.F32(u.mem).Operand80()
	case fmtF64:
		if normal64(u.mem) {
			return fromNormal64(u.mem), false
		}
		return softfloat.F64(u.mem).Operand80()
	}
	return u.integer(), false
}

// Normal numbers change their format by moving fields.

func normal32(v uint64) bool { return v>>23&0xff-1 < 0xfe }
func normal64(v uint64) bool { return v>>52&0x7ff-1 < 0x7fe }

const bias80 = 0x3fff

func fromNormal32(v uint64) f80 {
	return f80{Man: 1<<63 | v<<41>>1, SE: uint16(v>>31<<15 | v>>23&0xff + (bias80 - 0x7f))}
}

func fromNormal64(v uint64) f80 {
	return f80{Man: 1<<63 | v<<12>>1, SE: uint16(v>>63<<15 | v>>52&0x7ff + (bias80 - 0x3ff))}
}

// toNormal32 and toNormal64 convert what needs no rounding and stays normal.
func toNormal32(v f80) (r uint64, ok bool) {
	e := uint64(v.SE&0x7fff) - (bias80 - 0x7f)
	return uint64(v.SE>>15)<<31 | e<<23 | v.Man<<1>>41, v.Man>>63 != 0 && v.Man<<24 == 0 && e-1 < 0xfe
}

func toNormal64(v f80) (r uint64, ok bool) {
	e := uint64(v.SE&0x7fff) - (bias80 - 0x3ff)
	return uint64(v.SE>>15)<<63 | e<<52 | v.Man<<1>>12, v.Man>>63 != 0 && v.Man<<53 == 0 && e-1 < 0x7fe
}

// integer returns the memory operand that is an integer.
func (u *x87Unit) integer() f80 {
	switch u.arg.format() {
	case fmtI16:
		return softfloat.F80FromI64(int64(int16(u.mem)))
	case fmtI32:
		return softfloat.F80FromI64(int64(int32(u.mem)))
	}
	return softfloat.F80FromI64(int64(u.mem))
}

// sourceEmpty reports whether ST(0) or ST(i), if that is an operand, is empty.
func (u *x87Unit) sourceEmpty() bool {
	return u.empty(0) || u.arg.format() == fmtReg && u.empty(u.arg.i())
}

// denormal raises Denormal for a memory operand, unless something graver was
// found (softfloat.F32.Operand80).
func (u *x87Unit) denormal(other f80) {
	if u.env.Flags&(softfloat.Invalid|softfloat.DivByZero) == 0 && !other.IsNaN() {
		u.env.Flags |= softfloat.Denormal
	}
}

// --- arithmetic

// arithmetic is FADD, FSUB and so on: destination = destination op source, or
// the reverse of that.
func arithmetic(f func(a f80, e *softfloat.Env, b f80) f80, reverse bool) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		dst := uint64(0)
		if u.arg.toI() {
			dst = u.arg.i()
		}
		var r f80
		if u.sourceEmpty() {
			if !u.stackFault(false) {
				return 0
			}
			r = indefinite()
		} else {
			x := u.st(0)
			y, denormal := u.operand()
			if u.arg.toI() != reverse {
				r = f(y, &u.env, x)
			} else {
				r = f(x, &u.env, y)
			}
			if denormal {
				u.denormal(x)
			}
			if !u.raise() {
				return 0
			}
		}
		u.setST(dst, r)
		u.pop(u.arg.pops())
		return 0
	}
}

// unary replaces ST(0).
func unary(f func(a f80, e *softfloat.Env) f80) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		var r f80
		if u.empty(0) {
			if !u.stackFault(false) {
				return 0
			}
			r = indefinite()
		} else {
			r = f(u.st(0), &u.env)
			if !u.raise() {
				return 0
			}
		}
		u.setST(0, r)
		return 0
	}
}

// ofTwo is an operation on ST(0) and ST(1) whose result replaces ST(dst).
func ofTwo(dst uint64, f func(a f80, e *softfloat.Env, b f80) f80) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		var r f80
		if u.empty(0) || u.empty(1) {
			if !u.stackFault(false) {
				return 0
			}
			r = indefinite()
		} else {
			r = f(u.st(0), &u.env, u.st(1))
			if !u.raise() {
				return 0
			}
		}
		u.setST(dst, r)
		u.pop(u.arg.pops())
		return 0
	}
}

// setC2 sets or clears C2.
func (u *x87Unit) setC2(on bool) { u.s.FSW = u.s.FSW&^fswC2 | b2u(on)*fswC2 }

// trigonometric is FSIN and FCOS: C2 says that the operand is out of range.
func trigonometric(f func(a f80, e *softfloat.Env) (f80, bool)) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		if u.empty(0) {
			if u.stackFault(false) {
				u.setST(0, indefinite())
			}
			return 0
		}
		r, ok := f(u.st(0), &u.env)
		u.setC2(!ok)
		if !ok {
			u.clearC1()
			return 0
		}
		if u.raise() {
			u.setST(0, r)
		}
		return 0
	}
}

// twoResults replaces ST(0) by one result and pushes the other. If ok is false
// C2 is set and nothing changes.
func twoResults(f func(a f80, e *softfloat.Env) (below, top f80, ok bool), c2 bool) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		under := u.empty(0)
		if under || !u.empty(7) {
			if u.stackFault(!under) {
				u.setST(0, indefinite())
				u.push(indefinite())
			}
			return 0
		}
		below, top, ok := f(u.st(0), &u.env)
		if c2 {
			u.setC2(!ok)
		}
		if !ok {
			u.clearC1()
			return 0
		}
		if u.raise() {
			u.setST(0, below)
			u.push(top)
		}
		return 0
	}
}

// remainder is FPREM and FPREM1: the quotient's low bits go to C0, C3, C1.
func remainder(f func(a f80, e *softfloat.Env, b f80) (f80, uint8, bool)) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		if u.empty(0) || u.empty(1) {
			if u.stackFault(false) {
				u.setC2(false)
				u.setST(0, indefinite())
			}
			return 0
		}
		r, quo, complete := f(u.st(0), &u.env, u.st(1))
		if !u.raise() {
			return 0
		}
		if u.setST(0, r); r.IsNaN() { // there is no quotient: C0, C1 and C3 stay
			u.setC2(false)
			return 0
		}
		q := uint64(quo)
		u.s.FSW = u.s.FSW&^(fswC0|fswC1|fswC2|fswC3) |
			q>>2&1*fswC0 | q>>1&1*fswC3 | q&1*fswC1 | b2u(!complete)*fswC2
		return 0
	}
}

// --- comparisons

// conditions are the condition code bits of an Ordering.
func conditions(o softfloat.Ordering) uint64 {
	return [...]uint64{
		softfloat.Less: fswC0, softfloat.Equal: fswC3, softfloat.Greater: 0, softfloat.Unordered: fswC3 | fswC2 | fswC0,
	}[o&3]
}

// compareTo compares ST(0) with the source. It returns ok = false if an
// unmasked exception is in the way.
func (u *x87Unit) compareTo(quiet bool) (o softfloat.Ordering, ok bool) {
	if u.sourceEmpty() {
		return softfloat.Unordered, u.stackFault(false)
	}
	x := u.st(0)
	y, denormal := u.operand()
	if quiet {
		o = x.Compare(&u.env, y)
	} else {
		o = x.CompareSignaling(&u.env, y)
	}
	if denormal {
		u.denormal(x)
	}
	return o, u.raise()
}

func compare(quiet bool) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		if o, ok := u.compareTo(quiet); ok {
			u.s.FSW = u.s.FSW&^(fswC0|fswC2|fswC3) | conditions(o)
			u.pop(u.arg.pops())
		}
		return 0
	}
}

// comparePP is FCOMPP and FUCOMPP, with ST(1).
func comparePP(quiet bool) func(u *x87Unit) uint64 {
	f := compare(quiet)
	return func(u *x87Unit) uint64 {
		u.arg = u.arg&^(7<<8) | 1<<8
		return f(u)
	}
}

// compareFlags is FCOMI and so on: the EFLAGS before come as memory operand.
func compareFlags(quiet bool) func(u *x87Unit) uint64 {
	return func(u *x87Unit) uint64 {
		old, c1 := u.mem, u.s.FSW&fswC1
		if u.sourceEmpty() {
			c1 = 0
		}
		o, ok := u.compareTo(quiet)
		if !ok {
			return old
		}
		u.s.FSW |= c1 // as processors do; the manual clears it
		u.pop(u.arg.pops())
		return orderFlags(o)
	}
}

func ftst(u *x87Unit) uint64 {
	o := softfloat.Unordered
	if u.empty(0) {
		if !u.stackFault(false) {
			return 0
		}
	} else {
		o = u.st(0).CompareSignaling(&u.env, f80{})
		if !u.raise() {
			return 0
		}
	}
	u.s.FSW = u.s.FSW&^(fswC0|fswC2|fswC3) | conditions(o)
	return 0
}

// fxam classifies ST(0) (SDM vol. 2, FXAM).
func fxam(u *x87Unit) uint64 {
	v := u.st(0)
	var c uint64
	switch {
	case u.empty(0):
		c = fswC3 | fswC0
	default:
		c = [...]uint64{
			tagZero: fswC3, tagNormal: fswC2, tagDenormal: fswC3 | fswC2,
			tagInfinity: fswC2 | fswC0, tagNaN: fswC0, tagUnsupported: 0,
		}[classify(v)]
	}
	u.s.FSW = u.s.FSW&^(fswC0|fswC1|fswC2|fswC3) | c | uint64(v.SE>>15)*fswC1
	return 0
}

// Classes of numbers.
const (
	tagZero = iota
	tagNormal
	tagDenormal
	tagInfinity
	tagNaN
	tagUnsupported
)

func classify(v f80) int {
	e, j := v.SE&0x7fff, v.Man>>63 != 0
	switch {
	case e == 0 && v.Man == 0:
		return tagZero
	case e == 0:
		return tagDenormal
	case !j:
		return tagUnsupported
	case e < 0x7fff:
		return tagNormal
	case v.Man<<1 == 0:
		return tagInfinity
	}
	return tagNaN
}
