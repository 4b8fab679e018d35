package x86

import "rhea/internal/ir"

// This file translates what is an ir.Vec: one operation on two registers, or
// one and memory that is loaded to scratch first.

// immCount and narrowMask are bits of a descriptor: a shift's count is the
// immediate; only 64 bits of the source count.
const (
	immCount   = 1 << 56
	narrowMask = 1 << 57
)

func vecKind(name string) ir.VecKind {
	k, ok := ir.VecByName(name)
	if !ok {
		panic("BUG: x86: no vector operation " + name)
	}
	return k
}

// vec emits operation op of a helper. Extra are bits for the descriptor.
func (t *tx) vec(typ ir.Type, kind ir.VecKind, helper, op int, dst, src ir.Slot, extra uint64) ir.Val {
	v := ir.Vector{Kind: kind, Dst: dst, Src: src, Imm: uint8(t.in.imm), Helper: helper}
	v.Narrow = helper == hMMX || extra&narrowMask != 0
	r := t.Vec(typ, v, simdArg(op, dst, src, t.in.imm)|extra)
	if kind.Flags()&ir.VecResult == 0 {
		t.Forget(dst)
	}
	return r
}

// vector translates an operation of vectorOps.
func vector(op int, name string) emitter {
	kind := vecKind(name)
	immediate, shifts := ir.VecByName(name + "I")
	return func(t *tx) {
		if !t.simd() {
			return
		}
		kind := kind
		var src ir.Slot
		var extra uint64
		n, _ := t.simdReg(0)
		helper, dst := hSSE, xmmSlot(n)
		if t.isMMX(0) {
			helper, dst = hMMX, mmxSlot(n)
		}
		if t.in.enc.operands[1].kind == kindI {
			if shifts {
				kind = immediate
			}
			src, extra = dst, immCount
		} else {
			src = t.source(1)
		}
		t.vec(ir.Void, kind, helper, op, dst, src, extra)
		if helper == hMMX {
			t.setSlot(dst+1, 0xffff)
			t.enterMMX()
		}
	}
}

// bitwise is a vector operation; PXOR of a register with itself clears it.
func bitwise(op int, name string) emitter {
	f := vector(op, name)
	if name != "PXOR" && name != "XORPS" {
		return f
	}
	return func(t *tx) {
		n, isReg := t.simdReg(1)
		if !isReg || n != t.in.reg {
			f(t)
			return
		}
		if !t.simd() {
			return
		}
		if t.isMMX(0) {
			t.setMMX(t.in.reg, t.zero64())
			t.enterMMX()
			return
		}
		t.setXMM(t.in.reg, t.Emit(ir.Inst{Op: ir.VConst, Type: ir.V128}))
	}
}

// moveMask is PMOVMSKB, MOVMSKPS and MOVMSKPD.
func moveMask(op int, name string) emitter {
	kind := vecKind(name)
	return func(t *tx) {
		if !t.simd() {
			return
		}
		src, extra := xmmSlot(t.in.rm), uint64(0)
		if t.isMMX(1) {
			src, extra = mmxSlot(t.in.rm), narrowMask
		}
		mask := t.vec(ir.I64, kind, hSSE, op, src, src, extra)
		t.setReg(t.in.reg, 4, t.Conv(ir.I32, mask, false))
		if t.isMMX(1) {
			t.enterMMX()
		}
	}
}

// vecOpNumbers finds the operations of vectorOps by name.
func vecOpNumbers() map[string]int {
	m := map[string]int{}
	for i, op := range vectorOps() {
		m[op.name] = i
	}
	return m
}

// bitOps lists the operations that have emitters of their own.
func bitOps() []vectorOp {
	lane := func(name string, f func(d, s uint64) uint64) vectorOp { return vectorOp{name: name, lane: f} }
	wide := func(name string, f func(d, s *lanes, imm uint64)) vectorOp { return vectorOp{name: name, wide: f} }
	mask := func(name string, kind uint64) vectorOp {
		return vectorOp{name: name, mask: func(s *lanes) uint64 { return signMask(s[0], s[1], kind) }}
	}
	and := func(d, s uint64) uint64 { return d & s }
	andn := func(d, s uint64) uint64 { return ^d & s }
	or := func(d, s uint64) uint64 { return d | s }
	xor := func(d, s uint64) uint64 { return d ^ s }
	low := func(d, s *lanes, _ uint64) { d[1] = s[0] }
	high := func(d, s *lanes, _ uint64) { d[0], d[1] = d[1], s[1] }
	half := func(v *lanes, n uint64) uint64 { return v[n&1] }
	return []vectorOp{
		lane("PAND", and), lane("PANDN", andn), lane("POR", or), lane("PXOR", xor),
		lane("ANDPS", and), lane("ANDNPS", andn), lane("ORPS", or), lane("XORPS", xor),
		mask("PMOVMSKB", 0), mask("MOVMSKPS", 2), mask("MOVMSKPD", 3),
		wide("MOVLHPS", low), wide("MOVHLPS", func(d, s *lanes, _ uint64) { d[0] = s[1] }),
		wide("UNPCKLPD", low), wide("UNPCKHPD", high), wide("PUNPCKLQDQ", low), wide("PUNPCKHQDQ", high),
		wide("SHUFPD", func(d, s *lanes, imm uint64) { d[0], d[1] = half(d, imm), half(s, imm>>1) }),
		wide("MOVDDUP", func(d, s *lanes, _ uint64) { d[1] = s[0]; d[0] = s[0] }),
		wide("MOVLPD", func(d, s *lanes, _ uint64) { d[0] = s[0] }), wide("MOVHPD", low),
		wide("MOVSD", func(d, s *lanes, _ uint64) { d[0] = s[0] }), wide("MOVSS", func(d, s *lanes, _ uint64) { setLow32(d, s[0]) }),
	}
}
