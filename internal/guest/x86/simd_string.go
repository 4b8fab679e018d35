package x86

import (
	"math/bits"

	"rhea/internal/ir"
)

// The string instructions of SSE4.2: PCMPESTRI, PCMPESTRM, PCMPISTRI and
// PCMPISTRM (SDM vol. 2, 4.1).

// Modes of the immediate (SDM vol. 2, table 4-1 ff.).
const (
	strWords  = 1 << 0
	strSigned = 1 << 1
	strNegate = 1 << 4 // of the result, with
	strMasked = 1 << 5 // of valid elements only
	strTop    = 1 << 6 // the index is of the last element; the mask is expanded

	strAny   = 0 // aggregation, imm[3:2]: equal to any
	strRange = 1
	strEach  = 2
	strOrder = 3 // equal ordered: substring

	strExplicit = 1 << 8 // bits of the descriptor above the immediate
	strMask     = 1 << 9
)

func emitStrings(how uint64) emitter {
	return func(t *tx) {
		if !t.simd() {
			return
		}
		src := t.source(1)
		arg := simdArg(0, xmmSlot(t.in.reg), src, t.in.imm) | how<<48
		lengths := t.Bin(ir.Or, t.length32(rAX), t.BinImm(ir.Shl, t.length32(rDX), 32))
		v := t.Call(ir.I64, hStrings, ir.NoStop, t.Const(ir.I64, arg), lengths)
		if how&strMask != 0 {
			t.Forget(xmmSlot(0))
		} else {
			t.setReg(rCX, 4, t.Conv(ir.I32, v, false))
		}
		t.setFlags(t.BinImm(ir.Shr, v, 32))
	}
}

// length32 is a length in a register as a signed number of 32 bits: larger ones
// of 64 bits mean the same as its largest.
func (t *tx) length32(r int) ir.Val {
	if t.in.opsize < 8 {
		return t.Conv(ir.I64, t.reg(r, 4), false)
	}
	v := t.gpr(r)
	low := t.Conv(ir.I32, v, false)
	fits := t.Cmp(ir.Eq, t.Conv(ir.I64, low, true), v)
	most := t.Select(t.CmpImm(ir.Lts, v, 0), t.imm32(0x80000001), t.imm32(0x7fffffff))
	return t.Conv(ir.I64, t.Select(fits, low, most), false)
}

// stringOperand is one of the two, with its length.
type stringOperand struct {
	v     *lanes
	n     int // elements before its end
	width int
	imm   uint64
}

func (o *stringOperand) at(i int) int {
	if o.imm&strWords != 0 {
		if o.imm&strSigned != 0 {
			return i16(at16(o.v, i))
		}
		return at16(o.v, i)
	}
	if o.imm&strSigned != 0 {
		return i8(at8(o.v, i))
	}
	return at8(o.v, i)
}

// measure finds the length: that in a register, saturated, or up to a zero.
func (o *stringOperand) measure(explicit bool, length uint64) {
	if explicit {
		n := int(int32(length))
		o.n = min(magnitude(n), o.width)
		return
	}
	for o.n = 0; o.n < o.width && o.at(o.n) != 0; o.n++ {
	}
}

// comparison returns element i of a against element j of b in the mode's way,
// with invalid elements as table 4-7 has it.
func aggregate(a, b *stringOperand) uint64 {
	mode := a.imm >> 2 & 3
	var r uint64
	for j := range b.width {
		var hit bool
		switch mode {
		case strAny:
			for i := range a.n {
				hit = hit || j < b.n && a.at(i) == b.at(j)
			}
		case strRange:
			for i := 0; i+1 < a.n; i += 2 {
				hit = hit || j < b.n && a.at(i) <= b.at(j) && b.at(j) <= a.at(i+1)
			}
		case strEach:
			va, vb := j < a.n, j < b.n
			hit = va == vb && (!va || a.at(j) == b.at(j))
		case strOrder:
			hit = true
			for i := 0; i < a.n && j+i < b.width; i++ {
				hit = hit && j+i < b.n && a.at(i) == b.at(j+i)
			}
		}
		r |= b2u(hit) << j
	}
	return r
}

// strings is the helper: the index, or for the mask forms XMM0, and EFLAGS at
// bit 32.
func (c *CPU) strings(arg, lengths, _ uint64) (uint64, bool) {
	d, s := c.operandsOf(arg)
	imm := arg >> 48
	width := 16
	if imm&strWords != 0 {
		width = 8
	}
	a, b := stringOperand{v: d, width: width, imm: imm}, stringOperand{v: s, width: width, imm: imm}
	a.measure(imm&strExplicit != 0, lengths&0xffffffff)
	b.measure(imm&strExplicit != 0, lengths>>32)
	r := aggregate(&a, &b)
	all := uint64(1)<<width - 1
	if imm&strNegate != 0 {
		if imm&strMasked != 0 {
			r ^= uint64(1)<<b.n - 1
		} else {
			r ^= all
		}
	}
	flags := carry(r, flagCF) | carry(b2u(b.n < width), flagZF) | carry(b2u(a.n < width), flagSF) | carry(r&1, flagOF)
	index := uint64(width)
	switch {
	case imm&strMask != 0:
		c.s.XMM[0] = lanes{r, 0}
		if imm&strTop != 0 {
			c.s.XMM[0] = fill(width, func(i int) int { return -int(r >> i & 1) })
		}
	case r != 0 && imm&strTop != 0:
		index = uint64(bits.Len64(r) - 1)
	case r != 0:
		index = uint64(bits.TrailingZeros64(r))
	}
	return index | flags<<32, false
}
