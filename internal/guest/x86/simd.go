package x86

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file has what MMX and SSE instructions share: the checks before them,
// their operands, and the helpers that do all but moves and bitwise
// operations. A helper gets a descriptor (simdArg) that names two operands by
// their words of the frame; memory operands are loaded to State.Tmp first.

// lanes is an XMM register, the low half first. Of an MMX register, which is
// the significand of an x87 register, and of scalars only the low half counts.
type lanes = [2]uint64

// Where memory operands are loaded to.
const (
	slotTmp128 = slotTmp
	slotTmp64  = slotTmp + 2
	// Of AVX: the upper half of a memory operand, a source that its destination
	// would overwrite, and results that wait.
	slotTmpHigh   = slotTmp + 4
	slotTmpSource = slotTmp + 6
	slotTmpResult = slotTmp + 8
)

// simdArg packs a descriptor: number of the operation, frame words of
// destination and source, immediate.
func simdArg(op int, dst, src ir.Slot, imm uint64) uint64 {
	return uint64(op) | uint64(dst)<<16 | uint64(src)<<32 | imm&0xff<<48
}

func argOp(a uint64) uint64  { return a & 0xffff }
func argImm(a uint64) uint64 { return a >> 48 & 0xff }

// operandsOf returns the operands that descriptor a names.
func (c *CPU) operandsOf(a uint64) (d, s *lanes) {
	i, j := a>>16&(ir.TempBase-1), a>>32&(ir.TempBase-1)
	return (*lanes)(c.frame[i : i+2]), (*lanes)(c.frame[j : j+2])
}

// files returns whether the instruction works on XMM and on MMX registers.
func (t *tx) files() (xmm, mmx bool) {
	for _, o := range t.in.enc.operands {
		switch o.kind {
		case kindV, kindW, kindU:
			xmm = true
		case kindP, kindN:
			mmx = true
		case kindQ:
			// CVTPI2PS is an MMX instruction even with a memory operand
			// (SDM vol. 2, CVTPI2PS); CVTPI2PD is not.
			mmx = mmx || !t.in.mem || t.in.enc.name == "CVTPI2PS"
		}
	}
	return xmm, mmx
}

// simd does the checks before an MMX or SSE instruction (SDM vol. 2, 2.4 and
// tables 2-18ff.; vol. 3, tables 12-1 and 13-1). It returns false if the unit
// has ended.
func (t *tx) simd() bool {
	xmm, mmx := t.files()
	return t.simdAllowed(xmm, mmx)
}

func (t *tx) simdAllowed(xmm, mmx bool) bool {
	if t.in.length != 0 {
		return t.avxAllowed()
	}
	switch {
	case t.is(modeEM) || xmm && !t.is(modeFXSR):
		t.raise(vecUD, 0, false)
		return false
	case t.is(modeTS):
		t.raise(vecNM, 0, false)
		return false
	}
	if mmx {
		t.waitX87()
	}
	return true
}

// forgetX87 says that a helper has changed x87 or MMX registers.
func (t *tx) forgetX87() {
	for s := slotFPR; s < slotXMM; s++ {
		t.Forget(s)
	}
}

// setSlot sets a slot to a constant unless it is known to hold it.
func (t *tx) setSlot(s ir.Slot, v uint64) {
	if k := t.Known(s); k != 0 {
		if old, ok := t.IsConst(k); ok && old == v && t.TypeOf(k) == ir.I64 {
			return
		}
	}
	t.Set(s, t.Const(ir.I64, v))
}

// enterMMX is what every MMX instruction but EMMS does to the x87 (SDM vol. 1,
// 9.5.1): TOP is 0 and all registers are valid.
func (t *tx) enterMMX() {
	t.setSlot(slotFTop, 0)
	t.setSlot(slotFTW, 0xff)
}

func mmxSlot(i int) ir.Slot { return slotFPR + ir.Slot(2*i) }
func xmmSlot(i int) ir.Slot { return slotXMM + ir.Slot(2*i) }

func (t *tx) mmx(i int) ir.Val { return t.Get(ir.I64, mmxSlot(i)) }
func (t *tx) xmm(i int) ir.Val { return t.Get(ir.V128, xmmSlot(i)) }

// setMMX writes an MMX register; the exponent becomes all ones.
func (t *tx) setMMX(i int, v ir.Val) {
	t.Set(mmxSlot(i), v)
	t.setSlot(mmxSlot(i)+1, 0xffff)
}

func (t *tx) setXMM(i int, v ir.Val) { t.Set(xmmSlot(i), v) }

func (t *tx) vlow(v ir.Val) ir.Val {
	if in := t.Unit().Inst(v); in.Op == ir.VMake {
		return in.Args[0]
	}
	return t.Emit(ir.Inst{Op: ir.VLow, Type: ir.I64, Args: [4]ir.Val{v}})
}

func (t *tx) vhigh(v ir.Val) ir.Val {
	if in := t.Unit().Inst(v); in.Op == ir.VMake {
		return in.Args[1]
	}
	return t.Emit(ir.Inst{Op: ir.VHigh, Type: ir.I64, Args: [4]ir.Val{v}})
}

func (t *tx) vmake(lo, hi ir.Val) ir.Val {
	return t.Emit(ir.Inst{Op: ir.VMake, Type: ir.V128, Args: [4]ir.Val{lo, hi}})
}

func (t *tx) zero64() ir.Val { return t.Const(ir.I64, 0) }

// address is the linear address of the memory operand; if aligned is set it
// must be a multiple of 16, else #GP(0) (SDM vol. 1, 4.1.1.1).
func (t *tx) address(size int, write, aligned bool) ir.Val {
	lin := t.linear(t.segment(), t.ea(), size, write)
	if aligned {
		t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, lin, 15), 0), faultCode(vecGP, 0, true))
	}
	return lin
}

// load128 and store128 access 16 bytes of memory.
func (t *tx) load128(aligned bool) ir.Val {
	return t.Load(t.address(16, false, aligned), ir.Mem{Size: 16, Index: t.mmu()})
}

func (t *tx) store128(v ir.Val, aligned bool) {
	t.Store(t.address(16, true, aligned), v, ir.Mem{Size: 16, Index: t.mmu()})
}

// unaligned reports whether the instruction takes any address for its 16-byte
// memory operand.
func (t *tx) unaligned() bool {
	if t.in.length != 0 {
		return true
	}
	switch t.in.enc.name {
	case "PCMPESTRI", "PCMPESTRM", "PCMPISTRI", "PCMPISTRM":
		return true
	}
	return false
}

// simdReg returns the number of the register that operand i is, if it is one.
func (t *tx) simdReg(i int) (n int, ok bool) {
	switch t.in.enc.operands[i].kind {
	case kindV, kindP:
		return t.in.reg, true
	case kindU, kindN:
		return t.in.rm, true
	case kindH:
		return t.in.vvvv, true
	case kindL:
		return t.registerOfImmediate(), true
	case kindW, kindQ:
		return t.in.rm, !t.in.mem
	}
	return 0, false
}

// isMMX reports whether operand i is an MMX register, or memory in its place.
func (t *tx) isMMX(i int) bool {
	switch t.in.enc.operands[i].kind {
	case kindP, kindQ, kindN:
		return true
	}
	return false
}

// read128 reads operand i, an XMM register or 16 aligned bytes.
func (t *tx) read128(i int) ir.Val {
	if n, ok := t.simdReg(i); ok {
		return t.xmm(n)
	}
	return t.load128(!t.unaligned())
}

// read64 reads the low 64 bits of operand i, of either file, or memory.
func (t *tx) read64(i int) ir.Val {
	n, ok := t.simdReg(i)
	switch {
	case !ok:
		return t.load(t.segment(), t.ea(), 8)
	case t.isMMX(i):
		return t.mmx(n)
	}
	return t.vlow(t.xmm(n))
}

// source returns the frame word of operand i, which is loaded to scratch if it
// is in memory or a general register.
func (t *tx) source(i int) ir.Slot {
	o := &t.in.enc.operands[i]
	if n, ok := t.simdReg(i); ok {
		if t.isMMX(i) {
			return mmxSlot(n)
		}
		return xmmSlot(n)
	}
	var v ir.Val
	switch size := t.in.sizeOf(o); {
	case o.kind == kindE:
		v = t.Conv(ir.I64, t.read(i), false)
	case size == 16:
		t.Set(slotTmp128, t.load128(!t.unaligned()))
		return slotTmp128
	default:
		v = t.Conv(ir.I64, t.load(t.segment(), t.ea(), size), false)
	}
	t.Set(slotTmp64, v)
	return slotTmp64
}

// vectorOp is an operation on integers in vectors. It has one of: lane, where
// 64-bit halves do not touch each other; shift, where both halves are shifted
// by the same count; wide (XMM) and narrow (MMX); mask, whose result is a value.
type vectorOp struct {
	name   string
	lane   func(d, s uint64) uint64
	shift  func(d, n uint64) uint64
	wide   func(d, s *lanes, imm uint64)
	narrow func(d, s, imm uint64) uint64
	mask   func(s *lanes) uint64
}

// count is what to shift by.
func (*vectorOp) count(a uint64, s *lanes) uint64 {
	if a&immCount != 0 {
		return argImm(a)
	}
	return s[0]
}

func (c *CPU) simdHelpers(h []guest.Helper) {
	ops := vectorOps()
	c.floatOps = floatOps()
	c.wideOps = wideOps(c.floatOps)
	s := c.s
	h[hSSE] = func(a, _, _ uint64) (uint64, bool) {
		op := &ops[argOp(a)]
		d, s := c.operandsOf(a)
		switch {
		case op.lane != nil:
			d[0], d[1] = op.lane(d[0], s[0]), op.lane(d[1], s[1])
		case op.shift != nil:
			n := op.count(a, s)
			d[0], d[1] = op.shift(d[0], n), op.shift(d[1], n)
		case op.mask != nil:
			v := *s
			if a&narrowMask != 0 {
				v[1] = 0
			}
			return op.mask(&v), false
		default:
			op.wide(d, s, argImm(a))
		}
		return 0, false
	}
	h[hMMX] = func(a, _, _ uint64) (uint64, bool) {
		op := &ops[argOp(a)]
		d, src := c.operandsOf(a)
		switch {
		case op.lane != nil:
			d[0] = op.lane(d[0], src[0])
		case op.shift != nil:
			d[0] = op.shift(d[0], op.count(a, src))
		case op.narrow != nil:
			d[0] = op.narrow(d[0], src[0], argImm(a))
		}
		d[1], s.FTop, s.FTW = 0xffff, 0, 0xff
		return 0, false
	}
	h[hByteMask] = byteMask
	h[hStrings] = c.strings
	h[hSSEFloat] = c.sseFloat
	h[hSSEStop] = c.sseFloatStop
}

// signMask collects the sign bits of a's and b's lanes of 8 << kind bits.
func signMask(a, b, kind uint64) uint64 {
	w := uint(8) << kind
	var r uint64
	n := 64 / w
	for i := range n {
		r |= a >> (i*w + w - 1) & 1 << i
		r |= b >> (i*w + w - 1) & 1 << (i + n)
	}
	return r
}

// byteMask makes lanes of 8 << kind bits all ones where a's have their sign
// bit set.
func byteMask(a, kind, _ uint64) (uint64, bool) {
	switch kind {
	case 0:
		return a >> 7 & ones8 * 0xff, false
	case 2:
		return a >> 31 & ones32 * 0xffffffff, false
	}
	return uint64(int64(a) >> 63), false
}
