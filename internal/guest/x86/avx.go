package x86

import (
	"strings"

	"rhea/internal/ir"
)

// This file translates AVX and AVX2. What works on the two halves of a YMM
// register alike is an ir.Vec for each, the SSE operation of that name; the rest
// (avx_ops.go, avx_fma.go) is a helper's.

func ymmhSlot(i int) ir.Slot { return slotYMMH + ir.Slot(2*i) }

// avxAllowed does the checks before an AVX instruction (SDM vol. 2, 2.4.3). It
// returns false if the unit has ended.
func (t *tx) avxAllowed() bool {
	switch {
	case !t.is(modeAVX):
		t.raise(vecUD, 0, false)
		return false
	case t.is(modeTS):
		t.raise(vecNM, 0, false)
		return false
	}
	return true
}

// registerOfImmediate is the register that a fourth operand is.
func (t *tx) registerOfImmediate() int {
	n := int(t.in.imm >> 4 & 15)
	if !t.long {
		n &= 7
	}
	return n
}

// halfSlot is the slot of half h of vector register n.
func halfSlot(n, h int) ir.Slot {
	if h == 0 {
		return xmmSlot(n)
	}
	return ymmhSlot(n)
}

// halves is how many halves of registers the instruction works on: one, if it is
// one on scalars, whatever VEX.L says.
func (t *tx) halves() int {
	for i := range t.in.enc.operands {
		if t.in.enc.operands[i].vector {
			return t.in.length / 16
		}
	}
	return 1
}

// clearUpper clears the upper half of vector register n.
func (t *tx) clearUpper(n int) {
	s := ymmhSlot(n)
	if k := t.Known(s); k != 0 {
		if in := t.Unit().Inst(k); in.Op == ir.VConst && in.Imm == 0 {
			return
		}
	}
	t.Set(s, t.Emit(ir.Inst{Op: ir.VConst, Type: ir.V128}))
}

// operandSlots returns the slots of the halves of operand i, which is loaded to
// scratch if it is in memory or a general register.
func (t *tx) operandSlots(i int) [2]ir.Slot {
	if n, ok := t.simdReg(i); ok {
		return [2]ir.Slot{xmmSlot(n), ymmhSlot(n)}
	}
	if o := &t.in.enc.operands[i]; o.kind == kindE || t.in.sizeOf(o) < 32 {
		return [2]ir.Slot{t.source(i), 0}
	}
	lo := t.address(32, false, false)
	m := ir.Mem{Size: 16, Index: t.mmu()}
	x, y := t.Load(lo, m), t.Load(t.addImm(lo, 16), m)
	t.Set(slotTmp128, x)
	t.Set(slotTmpHigh, y)
	return [2]ir.Slot{slotTmp128, slotTmpHigh}
}

// avxKind is an operation that is an ir.Vec.
type avxKind struct {
	kind   ir.VecKind
	shiftI ir.VecKind // of a shift by a constant
	shifts bool
	helper int
	op     int
	fp     bool
}

// apply makes slot d op(s1, s2); s1 = 0 means that the operation does not read
// its destination. h is the half.
func (t *tx) apply(k *avxKind, d, s1, s2 ir.Slot) {
	if s1 != 0 && d != s1 {
		if d == s2 {
			t.Set(slotTmpSource, t.Get(ir.V128, s2))
			s2 = slotTmpSource
		}
		t.Set(d, t.Get(ir.V128, s1))
	}
	if k.fp && t.is(modeXM) {
		r := t.Call(ir.I64, hSSEFloat, ir.NoStop, t.Const(ir.I64, simdArg(k.op, d, s2, t.in.imm)))
		t.Forget(slotMXCSR)
		t.Forget(d)
		t.Guard(r, faultCode(vecXM, 0, false))
		return
	}
	kind, extra := k.kind, uint64(0)
	if k.shifts && t.in.enc.operands[len(t.in.enc.operands)-1].kind == kindI {
		kind, extra = k.shiftI, immCount
	}
	t.vec(ir.Void, kind, k.helper, k.op, d, s2, extra)
	if k.fp {
		t.Forget(slotMXCSR)
	}
}

// laneImmediate is the immediate for the upper half, of those that have bits of
// their own for it.
func laneImmediate(name string, imm uint64) uint64 {
	switch name {
	case "VBLENDPS":
		return imm >> 4
	case "VBLENDPD", "VSHUFPD":
		return imm >> 2
	case "VMPSADBW":
		return imm >> 3
	}
	return imm
}

// avxVector translates an operation of vectorOps or floatOps whose destination is
// the first operand. If that comes twice (an operand H is the second) the
// operation reads it.
func avxVector(k avxKind) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		k := k
		e := t.in.enc
		if w, ok := t.c.wideOps[e.name[1:]]; ok && k.fp && t.in.opsize == 8 && e.operands[len(e.operands)-1].kind == kindE {
			k.op, k.kind = w, vecKind(e.name[1:]+"Q")
		}
		if e.name == "VINSERTPS" && t.in.mem {
			t.in.imm &= 0x3f
		}
		last := len(e.operands) - 1
		if e.operands[last].kind == kindI {
			last--
		}
		dst, _ := t.simdReg(0)
		src := t.operandSlots(last)
		imm := t.in.imm
		count := strings.HasPrefix(e.name, "VPS") && last == 2 && e.operands[last].size == "dq"
		if count && src[0] == xmmSlot(dst) && t.halves() > 1 { // it is needed twice
			t.Set(slotTmpHigh, t.Get(ir.V128, src[0]))
			src[0] = slotTmpHigh
		}
		// An unmasked exception of the upper half must find the lower one as it was.
		wait := k.fp && t.is(modeXM) && t.halves() > 1
		for h := range t.halves() {
			d, s1 := halfSlot(dst, h), ir.Slot(0)
			if last == 2 {
				n, _ := t.simdReg(1)
				s1 = halfSlot(n, h)
			}
			if wait {
				d = slotTmpResult + 2*ir.Slot(h)
			}
			s2 := src[h]
			if count {
				s2 = src[0]
			}
			if h == 1 {
				t.in.imm = laneImmediate(e.name, imm)
			}
			if s1 == 0 && (k.shifts || e.name == "VPSLLDQ" || e.name == "VPSRLDQ") { // by a constant, in place
				t.Set(d, t.Get(ir.V128, src[h]))
				s2 = d
			}
			t.apply(&k, d, s1, s2)
		}
		if wait {
			for h := range 2 {
				t.Set(halfSlot(dst, h), t.Get(ir.V128, slotTmpResult+2*ir.Slot(h)))
			}
		}
		if t.halves() == 1 {
			t.clearUpper(dst)
		}
	}
}

// withClear is an SSE emitter for an instruction with a VEX prefix that does the
// same, and clears the upper half of its destination.
func withClear(f emitter) emitter {
	return func(t *tx) {
		f(t)
		if n, ok := t.simdReg(0); ok && t.Open() {
			t.clearUpper(n)
		}
	}
}

func addAVXEmitters(m map[string]emitter) {
	for i, op := range vectorOps() {
		k := avxKind{kind: vecKind(op.name), helper: hSSE, op: i}
		k.shiftI, k.shifts = ir.VecByName(op.name + "I")
		f := avxVector(k)
		m["V"+op.name] = f
		switch op.name {
		case "ANDPS", "ANDNPS", "ORPS", "XORPS":
			m["V"+strings.TrimSuffix(op.name, "S")+"D"] = f
		}
	}
	for i, op := range floatOps() {
		m["V"+op.name] = avxVector(avxKind{kind: vecKind(op.name), helper: hSSEFloat, op: i, fp: true})
		if op.kind == toReg || op.kind == toFlags {
			m["V"+op.name] = m[op.name]
		}
	}
	for i, op := range shaOps() {
		m[op.name] = sha(i)
	}
	for _, n := range strings.Fields(`MOVD MOVQ PHMINPOSUW AESIMC AESKEYGENASSIST PEXTRB PEXTRW PEXTRD EXTRACTPS`) {
		m["V"+n] = withClear(m[n])
	}
	for _, n := range strings.Fields("MASKMOVDQU PCMPESTRI PCMPISTRI LDMXCSR STMXCSR") {
		m["V"+n] = m[n]
	}
	for _, n := range []string{"PCMPESTRM", "PCMPISTRM"} {
		f := m[n]
		m["V"+n] = func(t *tx) {
			f(t)
			if t.Open() {
				t.clearUpper(0)
			}
		}
	}
	for _, n := range strings.Fields("MOVUPS MOVUPD MOVDQU LDDQU") {
		m["V"+n] = avxMove(false)
	}
	for _, n := range strings.Fields("MOVAPS MOVAPD MOVDQA MOVNTPS MOVNTPD MOVNTDQ MOVNTDQA") {
		m["V"+n] = avxMove(true)
	}
	for name, f := range map[string]emitter{
		"VMOVSS": avxMoveScalar(4), "VMOVSD": avxMoveScalar(8),
		"VMOVLPS": avxMoveHalf(false), "VMOVLPD": avxMoveHalf(false), "VMOVHPS": avxMoveHalf(true), "VMOVHPD": avxMoveHalf(true),
		"VPINSRB": avxInsert(8), "VPINSRW": avxInsert(16), "VPINSRD": func(t *tx) { avxInsert(t.size(2) * 8)(t) },
		"VZEROUPPER": emitVzero(false), "VZEROALL": emitVzero(true),
	} {
		m[name] = f
	}
	addAVXHelperEmitters(m)
}

// avxMove moves 16 or 32 bytes between a register and anything.
func avxMove(aligned bool) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		src, fromReg := t.simdReg(1)
		dst, toReg := t.simdReg(0)
		n := t.halves()
		if fromReg && toReg {
			for h := range n {
				t.Set(halfSlot(dst, h), t.Get(ir.V128, halfSlot(src, h)))
			}
		} else {
			lin := t.linear(t.segment(), t.ea(), 16*n, !toReg)
			if aligned {
				t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, lin, uint64(16*n-1)), 0), faultCode(vecGP, 0, true))
			}
			m := ir.Mem{Size: 16, Index: t.mmu()}
			at := func(h int) ir.Val { return t.addImm(lin, uint64(16*h)) }
			if toReg {
				v := [2]ir.Val{}
				for h := range n {
					v[h] = t.Load(at(h), m)
				}
				for h := range n {
					t.Set(halfSlot(dst, h), v[h])
				}
			} else {
				if n > 1 { // its fault comes before the first store
					t.Load(t.addImm(lin, 24), ir.Mem{Size: 8, Index: t.mmu(), RMW: true})
				}
				for h := range n {
					t.Store(at(h), t.Get(ir.V128, halfSlot(src, h)), m)
				}
			}
		}
		if toReg && n == 1 {
			t.clearUpper(dst)
		}
	}
}

// avxMoveScalar is VMOVSS and VMOVSD.
func avxMoveScalar(size int) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		dst, toReg := t.simdReg(0)
		switch {
		case !toReg:
			t.store(t.segment(), t.ea(), t.Conv(ir.IntType(size), t.vlow(t.xmm(t.in.reg)), false), size)
			return
		case len(t.in.enc.operands) == 2:
			v := t.load(t.segment(), t.ea(), size)
			t.setXMM(dst, t.vmake(t.Conv(ir.I64, v, false), t.zero64()))
		default:
			n, _ := t.simdReg(2)
			low := t.vlow(t.xmm(n))
			other := t.xmm(t.in.vvvv)
			if size == 4 {
				low = t.Deposit(t.vlow(other), low, 0, 32)
			}
			t.setXMM(dst, t.vmake(low, t.vhigh(other)))
		}
		t.clearUpper(dst)
	}
}

// avxMoveHalf is VMOVLPS, VMOVHPS and their PD forms.
func avxMoveHalf(high bool) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		if len(t.in.enc.operands) == 2 {
			t.store(t.segment(), t.ea(), t.half(t.xmm(t.in.reg), b2u(high)), 8)
			return
		}
		v := t.load(t.segment(), t.ea(), 8)
		t.setXMM(t.in.reg, t.setHalf(t.xmm(t.in.vvvv), b2u(high), v))
		t.clearUpper(t.in.reg)
	}
}

// avxInsert is VPINSRB and so on.
func avxInsert(bits int) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		var v ir.Val
		if t.in.mem {
			v = t.Conv(ir.I64, t.read(2), false)
		} else {
			v = t.Conv(ir.I64, t.reg(t.in.rm, max(bits/8, 4)), false)
		}
		half, pos := t.element(bits)
		d := t.xmm(t.in.vvvv)
		t.setXMM(t.in.reg, t.setHalf(d, half, t.Deposit(t.half(d, half), v, pos, bits)))
		t.clearUpper(t.in.reg)
	}
}

func emitVzero(all bool) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		for i := range t.vectors() {
			t.clearUpper(i)
			if all {
				t.setXMM(i, t.Emit(ir.Inst{Op: ir.VConst, Type: ir.V128}))
			}
		}
	}
}
