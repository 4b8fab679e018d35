package x86

import (
	"strings"

	"rhea/internal/ir"
)

func addMMXEmitters(m map[string]emitter) {
	for i, op := range vectorOps() {
		switch op.name {
		case "PMOVMSKB", "MOVMSKPS", "MOVMSKPD":
			m[op.name] = moveMask(i, op.name)
		case "PAND", "PANDN", "POR", "PXOR":
			m[op.name] = bitwise(i, op.name)
		case "ANDPS", "ANDNPS", "ORPS", "XORPS":
			m[op.name] = bitwise(i, op.name)
			m[strings.TrimSuffix(op.name, "S")+"D"] = m[op.name]
		case "MOVSS", "MOVSD", "MOVLPD", "MOVHPD":
		default:
			m[op.name] = vector(i, op.name)
		}
	}
	for name, f := range map[string]emitter{
		"MOVD": emitMovD, "MOVQ": emitMovQ, "MOVQ2DQ": emitMovQ2DQ, "MOVDQ2Q": emitMovDQ2Q, "MOVNTQ": emitMovQ,
		"PINSRW": emitPinsrw, "PEXTRW": emitPextrw,
		"MASKMOVQ": emitMaskMovQ, "EMMS": emitEmms,
	} {
		m[name] = f
	}
}

func addSSEEmitters(m map[string]emitter) {
	for i, op := range floatOps() {
		m[op.name] = vectorFloat(i, op.name, op.kind)
	}
	numbers := vecOpNumbers()
	low, high := moveHalf(false, numbers["MOVLPD"], "MOVLPD"), moveHalf(true, numbers["MOVHPD"], "MOVHPD")
	for name, f := range map[string]emitter{
		"MOVUPS": move128(false), "MOVUPD": move128(false), "MOVDQU": move128(false),
		"MOVAPS": move128(true), "MOVAPD": move128(true), "MOVDQA": move128(true),
		"MOVNTPS": move128(true), "MOVNTPD": move128(true), "MOVNTDQ": move128(true),
		"MOVSS": moveScalar(4, numbers["MOVSS"], "MOVSS"), "MOVSD": moveScalar(8, numbers["MOVSD"], "MOVSD"),
		"MOVLPS": low, "MOVLPD": low, "MOVHPS": high, "MOVHPD": high,
		"MASKMOVDQU": emitMaskMovDQU,
		"LDMXCSR":    emitLdmxcsr, "STMXCSR": emitStmxcsr,
		"FXSAVE": emitFxsave, "FXRSTOR": emitFxrstor,
	} {
		m[name] = f
	}
}

// move128 is the moves of 16 bytes between a register and anything.
func move128(aligned bool) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		src, fromReg := t.simdReg(1)
		dst, toReg := t.simdReg(0)
		switch {
		case !fromReg:
			t.setXMM(dst, t.load128(aligned))
		case toReg:
			t.setXMM(dst, t.xmm(src))
		default:
			t.store128(t.xmm(src), aligned)
		}
	}
}

// moveScalar is MOVSS and MOVSD: loads clear the rest of the register, moves
// between registers keep it.
func moveScalar(size, op int, name string) emitter {
	kind := vecKind(name)
	return func(t *tx) {
		if !t.simd() {
			return
		}
		src, fromReg := t.simdReg(1)
		dst, toReg := t.simdReg(0)
		switch {
		case !fromReg:
			v := t.load(t.segment(), t.ea(), size)
			t.setXMM(dst, t.vmake(t.Conv(ir.I64, v, false), t.zero64()))
		case toReg:
			t.vec(ir.Void, kind, hSSE, op, xmmSlot(dst), xmmSlot(src), 0)
		default:
			t.store(t.segment(), t.ea(), t.Conv(ir.IntType(size), t.vlow(t.xmm(src)), false), size)
		}
	}
}

// moveHalf is MOVLPS, MOVHPS and their PD forms, between a half and memory.
func moveHalf(high bool, op int, name string) emitter {
	kind := vecKind(name)
	return func(t *tx) {
		if !t.simd() {
			return
		}
		if t.in.enc.operands[0].kind == kindM {
			r := t.xmm(t.in.reg)
			v := t.vlow(r)
			if high {
				v = t.vhigh(r)
			}
			t.store(t.segment(), t.ea(), v, 8)
			return
		}
		t.Set(slotTmp64, t.load(t.segment(), t.ea(), 8))
		t.vec(ir.Void, kind, hSSE, op, xmmSlot(t.in.reg), slotTmp64, 0)
	}
}

// halves makes a register of halves of destination and source.
func halves(f func(t *tx, d, s ir.Val) (lo, hi ir.Val)) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		s := t.read128(1)
		lo, hi := f(t, t.xmm(t.in.reg), s)
		t.setXMM(t.in.reg, t.vmake(lo, hi))
	}
}

func emitMovD(t *tx) {
	if !t.simd() {
		return
	}
	mmx := t.isMMX(0) || t.isMMX(1)
	if t.in.enc.operands[1].kind == kindE { // of 64 bits it is called MOVQ
		v := t.Conv(ir.I64, t.read(1), false)
		if mmx {
			t.setMMX(t.in.reg, v)
			t.enterMMX()
		} else {
			t.setXMM(t.in.reg, t.vmake(v, t.zero64()))
		}
		return
	}
	t.write(0, t.Conv(ir.IntType(t.size(0)), t.read64(1), false))
	if mmx {
		t.enterMMX()
	}
}

func emitMovQ(t *tx) {
	if !t.simd() {
		return
	}
	v := t.read64(1)
	dst, toReg := t.simdReg(0)
	mmx := t.isMMX(1)
	switch {
	case !toReg:
		t.store(t.segment(), t.ea(), v, 8)
	case mmx:
		t.setMMX(dst, v)
	default:
		t.setXMM(dst, t.vmake(v, t.zero64()))
	}
	if mmx {
		t.enterMMX()
	}
}

func emitMovQ2DQ(t *tx) {
	if !t.simd() {
		return
	}
	t.setXMM(t.in.reg, t.vmake(t.mmx(t.in.rm), t.zero64()))
	t.enterMMX()
}

func emitMovDQ2Q(t *tx) {
	if !t.simd() {
		return
	}
	t.setMMX(t.in.reg, t.vlow(t.xmm(t.in.rm)))
	t.enterMMX()
}

// half reads half n of an XMM register.
func (t *tx) half(v ir.Val, n uint64) ir.Val {
	if n != 0 {
		return t.vhigh(v)
	}
	return t.vlow(v)
}

// setHalf replaces half n.
func (t *tx) setHalf(v ir.Val, n uint64, half ir.Val) ir.Val {
	if n != 0 {
		return t.vmake(t.vlow(v), half)
	}
	return t.vmake(half, t.vhigh(v))
}

func emitPinsrw(t *tx) {
	if !t.simd() {
		return
	}
	v := t.Conv(ir.I64, t.read(1), false)
	n := t.in.imm
	pos := int(n & 3 * 16)
	if t.isMMX(0) {
		t.setMMX(t.in.reg, t.Deposit(t.mmx(t.in.reg), v, pos, 16))
		t.enterMMX()
		return
	}
	d := t.xmm(t.in.reg)
	t.setXMM(t.in.reg, t.setHalf(d, n>>2&1, t.Deposit(t.half(d, n>>2&1), v, pos, 16)))
}

func emitPextrw(t *tx) {
	if !t.simd() {
		return
	}
	if t.in.enc.operands[0].kind == kindE { // SSE4.1's
		extract(16)(t)
		return
	}
	n := t.in.imm
	pos := int(n & 3 * 16)
	if t.isMMX(1) {
		t.setReg(t.in.reg, 4, t.Extract(ir.I32, t.mmx(t.in.rm), pos, 16))
		t.enterMMX()
		return
	}
	t.setReg(t.in.reg, 4, t.Extract(ir.I32, t.half(t.xmm(t.in.rm), n>>2&1), pos, 16))
}

// MASKMOVQ and MASKMOVDQU store bytes at DS:[EDI]. Bytes that are not
// selected are written as they were.
func emitMaskMovQ(t *tx) {
	if !t.simd() {
		return
	}
	addr := t.maskAddress(8)
	old := t.Load(addr, ir.Mem{Size: 8, Index: t.mmu(), RMW: true})
	v := t.blend(old, t.mmx(t.in.reg), t.mmx(t.in.rm), 0)
	t.Store(addr, v, ir.Mem{Size: 8, Index: t.mmu()})
	t.enterMMX()
}

func emitMaskMovDQU(t *tx) {
	if !t.simd() {
		return
	}
	addr := t.maskAddress(16)
	old := t.Load(addr, ir.Mem{Size: 16, Index: t.mmu(), RMW: true})
	d, m := t.xmm(t.in.reg), t.xmm(t.in.rm)
	v := t.vmake(t.blend(t.vlow(old), t.vlow(d), t.vlow(m), 0), t.blend(t.vhigh(old), t.vhigh(d), t.vhigh(m), 0))
	t.Store(addr, v, ir.Mem{Size: 16, Index: t.mmu()})
}

func (t *tx) maskAddress(size int) ir.Val {
	return t.linear(t.dataSegment(), t.wrap(t.gpr(rDI)), size, true)
}

// blend takes the lanes of v where m has its sign bit set, else of old.
func (t *tx) blend(old, v, m ir.Val, kind uint64) ir.Val {
	m = t.Call(ir.I64, hByteMask, ir.Pure, m, t.Const(ir.I64, kind))
	return t.Bin(ir.Xor, old, t.Bin(ir.And, t.Bin(ir.Xor, old, v), m))
}

func emitEmms(t *tx) {
	if t.simdAllowed(false, true) {
		t.setSlot(slotFTW, 0)
	}
}

func emitLdmxcsr(t *tx) {
	if !t.simdAllowed(true, false) {
		return
	}
	v := t.Conv(ir.I64, t.read(0), false)
	t.checkMXCSR(v)
	t.guardMasks(v)
	t.Set(slotMXCSR, v)
	if t.is(modeXM) {
		t.exit(t.next) // the mode may have changed
	}
}

// checkMXCSR raises #GP(0) for reserved bits (SDM vol. 1, 10.2.3).
func (t *tx) checkMXCSR(v ir.Val) {
	t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, v, ^t.c.model.mxcsrMask()&0xffffffff), 0), faultCode(vecGP, 0, true))
}

// mxcsrMask are the bits of MXCSR that can be set; the first SSE processors
// have no DAZ (SDM vol. 1, 11.6.6).
func (m *Model) mxcsrMask() uint64 {
	if m.has(featSSE2) {
		return 0xffff
	}
	return 0xffbf
}

func emitStmxcsr(t *tx) {
	if t.simdAllowed(true, false) {
		t.write(0, t.Conv(ir.I32, t.Get(ir.I64, slotMXCSR), false))
	}
}
