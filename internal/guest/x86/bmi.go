package x86

import (
	"math/bits"

	"rhea/internal/ir"
)

// This file has BMI1, BMI2 and ADX (SDM vol. 2, under the names).

func addBMIEmitters(m map[string]emitter) {
	for name, f := range map[string]emitter{
		"ANDN": emitAndn, "BLSR": lowestBit(0), "BLSMSK": lowestBit(1), "BLSI": lowestBit(2),
		"BEXTR": emitBextr, "BZHI": emitBzhi, "PEXT": bitsBy(hExtract), "PDEP": bitsBy(hDeposit),
		"MULX": emitMulx, "RORX": shiftOnly(ir.Rotr), "SHLX": shiftOnly(ir.Shl), "SARX": shiftOnly(ir.Sar), "SHRX": shiftOnly(ir.Shr),
		"ADCX": emitAdcx, "ADOX": emitAdox,
	} {
		m[name] = protectedOnly(f)
	}
	m["ADCX"], m["ADOX"] = emitAdcx, emitAdox
	m["XGETBV"], m["XSETBV"] = emitXgetbv, emitXsetbv
	m["XSAVE"], m["XSAVEOPT"], m["XRSTOR"] = xsave(hXsave), xsave(hXsave), xsave(hXrstor)
}

// protectedOnly is for instructions with a VEX prefix that are not AVX's: they
// are undefined in real-address and virtual-8086 mode (SDM vol. 2, 2.5.1).
func protectedOnly(f emitter) emitter {
	return func(t *tx) {
		if !t.is(modePE) {
			t.raise(vecUD, 0, false)
			return
		}
		f(t)
	}
}

func emitAndn(t *tx) {
	r := t.Bin(ir.And, t.Un(ir.Not, t.read(1)), t.read(2))
	t.write(0, r)
	t.setCC(ccLogic, t.size(0), r, 0, 0)
}

// lowestBit is BLSR, BLSMSK and BLSI.
func lowestBit(kind int) emitter {
	return func(t *tx) {
		x := t.read(1)
		var r ir.Val
		zero := t.CmpImm(ir.Eq, x, 0)
		switch kind {
		case 0:
			r = t.Bin(ir.And, x, t.BinImm(ir.Sub, x, 1))
		case 1:
			r = t.Bin(ir.Xor, x, t.BinImm(ir.Sub, x, 1))
		default:
			r = t.Bin(ir.And, x, t.Un(ir.Neg, x))
			zero = t.CmpImm(ir.Ne, x, 0)
		}
		t.write(0, r)
		t.setCC(ccLogic, t.size(0), r, 0, 0)
		t.setCarry(zero)
	}
}

// lowBits is x with only its low n bits; n may be its width and more.
func (t *tx) lowBits(x, n ir.Val) ir.Val {
	typ := t.TypeOf(x)
	mask := t.BinImm(ir.Sub, t.Bin(ir.Shl, t.Const(typ, 1), n), 1)
	all := t.Cmp(ir.Leu, t.Const(t.TypeOf(n), uint64(typ.Bits())), n)
	return t.Select(all, x, t.Bin(ir.And, x, mask))
}

func emitBextr(t *tx) {
	x, control := t.read(1), t.read(2)
	typ := t.TypeOf(x)
	start, n := t.BinImm(ir.And, control, 0xff), t.Extract(typ, control, 8, 8)
	beyond := t.Cmp(ir.Leu, t.Const(typ, uint64(typ.Bits())), start)
	r := t.lowBits(t.Select(beyond, t.Const(typ, 0), t.Bin(ir.Shr, x, start)), n)
	t.write(0, r)
	t.setCC(ccLogic, t.size(0), r, 0, 0)
}

func emitBzhi(t *tx) {
	x := t.read(1)
	n := t.BinImm(ir.And, t.read(2), 0xff)
	r := t.lowBits(x, n)
	t.write(0, r)
	t.setCC(ccLogic, t.size(0), r, 0, 0)
	t.setCarry(t.Cmp(ir.Ltu, t.Const(t.TypeOf(n), uint64(t.TypeOf(x).Bits()-1)), n))
}

// bitsBy is PEXT and PDEP.
func bitsBy(h int) emitter {
	return func(t *tx) {
		x, mask := t.Conv(ir.I64, t.read(1), false), t.Conv(ir.I64, t.read(2), false)
		t.write(0, t.Conv(ir.IntType(t.size(0)), t.Call(ir.I64, h, ir.Pure, x, mask), false))
	}
}

// extractBits is PEXT, depositBits PDEP.
func extractBits(x, mask, _ uint64) (uint64, bool) {
	var r uint64
	for i := 0; mask != 0; i++ {
		r |= x >> bits.TrailingZeros64(mask) & 1 << i
		mask &= mask - 1
	}
	return r, false
}

func depositBits(x, mask, _ uint64) (uint64, bool) {
	var r uint64
	for ; mask != 0; x >>= 1 {
		r |= x & 1 << bits.TrailingZeros64(mask)
		mask &= mask - 1
	}
	return r, false
}

func emitMulx(t *tx) {
	size := t.size(0)
	lo, hi := t.product(t.reg(rDX, size), t.read(2), size, false)
	t.write(1, lo)
	t.write(0, hi) // the one that counts if both are the same register
}

// shiftOnly is a shift that leaves the flags alone.
func shiftOnly(op ir.Op) emitter {
	return func(t *tx) {
		x, n := t.read(1), t.read(2)
		n = t.BinImm(ir.And, t.Conv(ir.I32, n, false), uint64(t.size(0)*8-1))
		if op == ir.Rotr {
			n = t.Conv(t.TypeOf(x), n, false)
		}
		t.write(0, t.Bin(op, x, n))
	}
}

// addCarry returns x + y + c and the carry.
func (t *tx) addCarry(x, y, c ir.Val) (r, carry ir.Val) {
	r = t.Bin(ir.Add, t.Bin(ir.Add, x, y), t.Conv(t.TypeOf(x), c, false))
	out := t.Bin(ir.Or, t.Bin(ir.And, x, y), t.Bin(ir.And, t.Bin(ir.Or, x, y), t.Un(ir.Not, r)))
	return r, t.Extract(ir.I8, out, t.TypeOf(x).Bits()-1, 1)
}

func emitAdcx(t *tx) {
	r, carry := t.addCarry(t.read(0), t.read(1), t.carry())
	t.write(0, r)
	t.setCarry(carry)
}

func emitAdox(t *tx) {
	x, y := t.read(0), t.read(1)
	old := t.flags()
	r, carry := t.addCarry(x, y, t.Extract(ir.I8, old, 11, 1))
	t.write(0, r)
	of := t.BinImm(ir.Shl, t.Conv(ir.I64, carry, false), 11)
	t.setFlags(t.Bin(ir.Or, t.BinImm(ir.And, old, flagsArith&^flagOF), of))
}
