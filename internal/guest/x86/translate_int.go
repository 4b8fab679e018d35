package x86

import (
	"sync"

	"rhea/internal/ir"
)

// emitterGroups are the emitters by the names of instructions, each group made
// when a name of it is first looked for; and which group has most of the names of
// each of mapTexts.
var (
	emitterGroups = [...]func() map[string]emitter{
		emitterGroup(addIntegerEmitters, addMoveEmitters, addControlEmitters, addSystemEmitters),
		emitterGroup(addX87Emitters),
		emitterGroup(addMMXEmitters, addSSEEmitters, addLaterEmitters),
		emitterGroup(addBMIEmitters),
		emitterGroup(addMMXEmitters, addSSEEmitters, addLaterEmitters, addAVXEmitters), // which are made of the others
	}
	groupOfText = [len(mapTexts)]int{0, 1, 2, 2, 2, 2, 3, 4}
)

func emitterGroup(add ...func(map[string]emitter)) func() map[string]emitter {
	return sync.OnceValue(func() map[string]emitter {
		m := map[string]emitter{}
		for _, f := range add {
			f(m)
		}
		return m
	})
}

// emitterOf returns the emitter of a name in one of mapTexts, nil = there is none.
func emitterOf(name string, text int) emitter {
	if e := emitterGroups[groupOfText[text]]()[name]; e != nil {
		return e
	}
	for _, g := range emitterGroups {
		if e := g()[name]; e != nil {
			return e
		}
	}
	return nil
}

func addIntegerEmitters(m map[string]emitter) {
	for name, e := range map[string]emitter{
		"ADD": emitAdd, "OR": logic(ir.Or), "ADC": emitAdc, "SBB": emitSbb,
		"AND": logic(ir.And), "SUB": emitSub, "XOR": logic(ir.Xor), "CMP": emitCmp,
		"TEST": emitTest, "INC": incDec(ir.Add, ccInc), "DEC": incDec(ir.Sub, ccDec),
		"NOT": emitNot, "NEG": emitNeg, "MUL": emitMul, "IMUL1": emitIMul1, "IMUL": emitIMul,
		"DIV": emitDiv, "IDIV": emitIDiv,
		"ROL": rotate(ir.Rotl), "ROR": rotate(ir.Rotr), "RCL": rotateCarry(hRCL), "RCR": rotateCarry(hRCR),
		"SHL": shift(ir.Shl), "SHR": shift(ir.Shr), "SAR": shift(ir.Sar),
		"SHLD": doubleShift(true), "SHRD": doubleShift(false),
		"BT": bitTest(0), "BTS": bitTest('s'), "BTR": bitTest('r'), "BTC": bitTest('c'),
		"BSF": bitScan(ir.Ctz), "BSR": bitScan(ir.Clz), "BSWAP": emitBswap,
		"POPCNT": emitPopcnt, "TZCNT": countZeros(ir.Ctz), "LZCNT": countZeros(ir.Clz),
		"MOVBE": emitMovbe, "CRC32": emitCrc32,
		"DAA": decimal(hDAA), "DAS": decimal(hDAS), "AAA": decimal(hAAA), "AAS": decimal(hAAS),
		"AAM": emitAAM, "AAD": decimal(hAAD),
		"XADD": emitXadd, "CMPXCHG": emitCmpxchg, "CMPXCHG8B": emitCmpxchg8b,
		"CLC": carryFlag(0), "STC": carryFlag(1), "CMC": emitCmc,
		"SETcc": emitSetcc, "CMOVcc": emitCmov, "SALC": emitSalc,
	} {
		m[name] = e
	}
}

func emitAdd(t *tx) {
	l := t.place(0)
	x := t.get(l)
	y := t.read(1)
	r := t.Bin(ir.Add, x, y)
	t.put(l, r)
	t.setCC(ccAdd, l.size, r, y, x)
}

func emitSub(t *tx) {
	l := t.place(0)
	x := t.get(l)
	y := t.read(1)
	r := t.Bin(ir.Sub, x, y)
	t.put(l, r)
	t.setCC(ccSub, l.size, r, y, x)
}

func emitCmp(t *tx) {
	x := t.read(0)
	y := t.read(1)
	t.setCC(ccCmp, t.size(0), x, y, 0)
}

func emitAdc(t *tx) {
	l := t.place(0)
	x := t.get(l)
	y := t.read(1)
	c := t.Conv(t.TypeOf(x), t.carry(), false)
	r := t.Bin(ir.Add, t.Bin(ir.Add, x, y), c)
	t.put(l, r)
	t.setCC(ccAdc, l.size, r, y, x)
}

func emitSbb(t *tx) {
	l := t.place(0)
	x := t.get(l)
	y := t.read(1)
	c := t.Conv(t.TypeOf(x), t.carry(), false)
	r := t.Bin(ir.Sub, t.Bin(ir.Sub, x, y), c)
	t.put(l, r)
	t.setCC(ccSbb, l.size, r, y, x)
}

func logic(op ir.Op) emitter {
	return func(t *tx) {
		l := t.place(0)
		e := t.in.enc
		if y := e.operands[1].kind; op == ir.Xor && !t.in.mem && (y == kindG || y == kindE) && t.in.reg == t.in.rm {
			z := t.Const(ir.IntType(l.size), 0) // XOR r,r
			t.put(l, z)
			t.setCC(ccLogic, l.size, z, 0, 0)
			return
		}
		x := t.get(l)
		y := t.read(1)
		r := t.Bin(op, x, y)
		t.put(l, r)
		t.setCC(ccLogic, l.size, r, 0, 0)
	}
}

func emitTest(t *tx) {
	x := t.read(0)
	y := t.read(1)
	r := x
	if x != y {
		r = t.Bin(ir.And, x, y)
	}
	t.setCC(ccLogic, t.size(0), r, 0, 0)
}

func incDec(op ir.Op, kind uint64) emitter {
	return func(t *tx) {
		l := t.place(0)
		r := t.BinImm(op, t.get(l), 1)
		t.put(l, r)
		t.setInc(kind, l.size, r)
	}
}

func emitNot(t *tx) {
	l := t.place(0)
	t.put(l, t.Un(ir.Not, t.get(l)))
}

func emitNeg(t *tx) {
	l := t.place(0)
	x := t.get(l)
	z := t.Const(t.TypeOf(x), 0)
	r := t.Un(ir.Neg, x)
	t.put(l, r)
	t.setCC(ccSub, l.size, r, x, z)
}

// wide gives both halves of a product: low, high.
func (t *tx) product(x, y ir.Val, size int, signed bool) (lo, hi ir.Val) {
	typ := ir.IntType(size)
	if size == 8 {
		high := ir.MulHU
		if signed {
			high = ir.MulHS
		}
		return t.Bin(ir.Mul, x, y), t.Bin(high, x, y)
	}
	big := ir.I32
	if size == 4 {
		big = ir.I64
	}
	p := t.Bin(ir.Mul, t.Conv(big, x, signed), t.Conv(big, y, signed))
	return t.Conv(typ, p, false), t.Extract(typ, p, size*8, size*8)
}

// setProduct writes AX, DX:AX or EDX:EAX.
func (t *tx) setProduct(lo, hi ir.Val, size int) {
	if size == 1 {
		t.setReg(rAX, 2, t.Bin(ir.Or, t.Conv(ir.I16, lo, false), t.BinImm(ir.Shl, t.Conv(ir.I16, hi, false), 8)))
		return
	}
	t.setReg(rAX, size, lo)
	t.setReg(rDX, size, hi)
}

func emitMul(t *tx) {
	size := t.size(0)
	lo, hi := t.product(t.reg(rAX, size), t.read(0), size, false)
	t.setProduct(lo, hi, size)
	t.setCC(ccMul, size, lo, t.Conv(ir.I64, t.CmpImm(ir.Ne, hi, 0), false), 0)
}

func emitIMul1(t *tx) {
	size := t.size(0)
	lo, hi := t.product(t.reg(rAX, size), t.read(0), size, true)
	t.setProduct(lo, hi, size)
	t.setCC(ccMul, size, lo, t.signOverflow(lo, hi, size), 0)
}

// signOverflow is 1 if hi is not lo's sign.
func (t *tx) signOverflow(lo, hi ir.Val, size int) ir.Val {
	sign := t.BinImm(ir.Sar, lo, uint64(size*8-1))
	return t.Conv(ir.I64, t.Cmp(ir.Ne, hi, sign), false)
}

func emitIMul(t *tx) {
	size := t.size(0)
	var x, y ir.Val
	if len(t.in.enc.operands) == 3 {
		x, y = t.read(1), t.read(2)
	} else {
		x, y = t.read(0), t.read(1)
	}
	// Who looks at the flags is rare: what they need has no part in the result.
	lo := t.Bin(ir.Mul, x, y)
	t.write(0, lo)
	same, hi := t.product(x, y, size, true)
	t.setCC(ccMul, size, lo, t.signOverflow(same, hi, size), 0)
}

// dividend returns AX, DX:AX or EDX:EAX as an I64.
func (t *tx) dividend(size int, signed bool) ir.Val {
	if size == 1 {
		return t.Conv(ir.I64, t.reg(rAX, 2), signed)
	}
	n := uint64(size * 8)
	v := t.Bin(ir.Or, t.Conv(ir.I64, t.reg(rAX, size), false), t.BinImm(ir.Shl, t.Conv(ir.I64, t.reg(rDX, size), false), n))
	if signed && size == 2 {
		v = t.Conv(ir.I64, t.Conv(ir.I32, v, false), true)
	}
	return v
}

func (t *tx) setQuotient(q, r ir.Val, size int) {
	if size == 1 {
		lo := t.Conv(ir.I16, t.Conv(ir.I8, q, false), false)
		t.setReg(rAX, 2, t.Bin(ir.Or, lo, t.BinImm(ir.Shl, t.Conv(ir.I16, r, false), 8)))
		return
	}
	typ := ir.IntType(size)
	t.setReg(rAX, size, t.Conv(typ, q, false))
	t.setReg(rDX, size, t.Conv(typ, r, false))
}

func emitDiv(t *tx) {
	size := t.size(0)
	if size == 8 {
		t.divide64(false)
		return
	}
	d := t.Conv(ir.I64, t.read(0), false)
	n := t.dividend(size, false)
	de := faultCode(vecDE, 0, false)
	t.Guard(t.CmpImm(ir.Eq, d, 0), de)
	q := t.Bin(ir.UDiv, n, d)
	t.Guard(t.Cmp(ir.Ltu, t.Const(ir.I64, 1<<(size*8)-1), q), de)
	t.setQuotient(q, t.Bin(ir.URem, n, d), size)
}

func emitIDiv(t *tx) {
	size := t.size(0)
	if size == 8 {
		t.divide64(true)
		return
	}
	d := t.Conv(ir.I64, t.read(0), true)
	n := t.dividend(size, true)
	de := faultCode(vecDE, 0, false)
	t.Guard(t.CmpImm(ir.Eq, d, 0), de)
	q := t.Bin(ir.SDiv, n, d)
	narrow := t.Conv(ir.I64, t.Conv(ir.IntType(size), q, false), true)
	t.Guard(t.Cmp(ir.Ne, q, narrow), de)
	if size == 4 { // -2^63 / -1 does not fit an I64 either
		bad := t.Bin(ir.And, t.CmpImm(ir.Eq, n, 1<<63), t.CmpImm(ir.Eq, d, ^uint64(0)))
		t.Guard(bad, de)
	}
	t.setQuotient(q, t.Bin(ir.SRem, n, d), size)
}

// divide64 is DIV and IDIV of RDX:RAX. Where RDX is nothing but RAX's
// extension, and the quotient fits, it is a division of 64 bits; else a helper
// does it.
func (t *tx) divide64(signed bool) {
	d, lo, hi := t.read(0), t.gpr(rAX), t.gpr(rDX)
	t.Guard(t.CmpImm(ir.Eq, d, 0), faultCode(vecDE, 0, false))
	quotient, remainder, hard, helper := ir.UDiv, ir.URem, t.CmpImm(ir.Ne, hi, 0), hDiv64
	if signed {
		quotient, remainder, helper = ir.SDiv, ir.SRem, hIDiv64
		least := t.Bin(ir.And, t.CmpImm(ir.Eq, lo, 1<<63), t.CmpImm(ir.Eq, d, ^uint64(0)))
		hard = t.Bin(ir.Or, t.Cmp(ir.Ne, hi, t.BinImm(ir.Sar, lo, 63)), least)
	}
	n := len(t.Unit().Blocks)
	t.Branch(hard, n, n+1)
	t.ContinueBlock()
	t.call(helper, d)
	t.link(t.next)
	t.NewBlock()
	t.cc = cc{}
	lo = t.gpr(rAX)
	q, r := t.Bin(quotient, lo, d), t.Bin(remainder, lo, d)
	t.setGPR(rAX, q)
	t.setGPR(rDX, r)
}

// count reads a shift count, modulo 32, or 64 if the operand has 64 bits, as
// an I32.
func (t *tx) count(i int) ir.Val {
	mask := uint64(31)
	if t.size(0) == 8 {
		mask = 63
	}
	return t.BinImm(ir.And, t.Conv(ir.I32, t.read(i), false), mask)
}

func shift(op ir.Op) emitter {
	kind, constant := ccShr, ccShrN // after a shift by CL, and by a constant
	switch op {
	case ir.Shl:
		kind, constant = ccShl, ccShlN
	case ir.Sar:
		constant = ccSarN
	}
	return func(t *tx) {
		l := t.place(0)
		n := t.count(1)
		x := t.get(l)
		typ := ir.IntType(l.size)
		wide := t.Conv(max(typ, ir.I32), x, op == ir.Sar)
		r := t.Conv(typ, t.Bin(op, wide, n), false)
		if k, ok := t.IsConst(n); ok {
			t.put(l, r)
			if k != 0 {
				t.setShift(constant, l.size, r, x, k)
			}
			return
		}
		last := t.Conv(typ, t.Bin(op, wide, t.BinImm(ir.Sub, n, 1)), false)
		t.put(l, r)
		t.setCountedShift(kind, l.size, n, r, last)
	}
}

// setCountedShift sets the lazy flags after a shift by n: a count of 0 leaves
// them alone, in whatever form they are.
func (t *tx) setCountedShift(kind uint64, size int, n, r, last ir.Val) {
	nz := t.CmpImm(ir.Ne, n, 0)
	t.Set(slotCCOp, t.Select(nz, t.imm32(kind+log2(size)), t.Get(ir.I32, slotCCOp)))
	t.selectSlot(slotCCDst, nz, r)
	t.selectSlot(slotCCSrc, nz, last)
	t.cc = cc{}
}

// selectSlot sets a slot of the flags to v if cond is true.
func (t *tx) selectSlot(slot ir.Slot, cond, v ir.Val) {
	old := t.Known(slot)
	if old == 0 {
		old = t.Get(ir.I64, slot)
	}
	t.Set(slot, t.Select(cond, t.Conv(ir.I64, v, false), t.Conv(ir.I64, old, false)))
}

func log2(size int) uint64 {
	switch size {
	case 1:
		return 0
	case 2:
		return 1
	case 4:
		return 2
	}
	return 3
}

// selectFlags makes the flags new if cond is true, else old.
func (t *tx) selectFlags(cond, flags, old ir.Val) { t.setFlags(t.Select(cond, flags, old)) }

func rotate(op ir.Op) emitter {
	return func(t *tx) {
		l := t.place(0)
		n := t.count(1)
		x := t.get(l)
		typ := ir.IntType(l.size)
		k, isConst := t.IsConst(n)
		if isConst && k == 0 {
			t.put(l, x)
			return
		}
		r := t.Bin(op, x, t.Conv(typ, n, false))
		if isConst {
			t.put(l, r)
			kind := ccRol
			if op == ir.Rotr {
				kind = ccRor
			}
			t.setRot(kind, l.size, r)
			return
		}
		old := t.flags()
		t.put(l, r)
		top := l.size*8 - 1
		// CF is the bit that went round last; OF, defined for a count of 1, is
		// CF xor the sign (ROL), or the two top bits' xor (ROR).
		var cf, other ir.Val
		if op == ir.Rotl {
			cf, other = t.Extract(ir.I64, r, 0, 1), t.Extract(ir.I64, r, top, 1)
		} else {
			cf, other = t.Extract(ir.I64, r, top, 1), t.Extract(ir.I64, r, top-1, 1)
		}
		f := t.BinImm(ir.And, old, ^uint64(flagCF|flagOF)&flagsArith)
		f = t.Bin(ir.Or, f, cf)
		f = t.Bin(ir.Or, f, t.BinImm(ir.Shl, t.Bin(ir.Xor, cf, other), 11))
		t.selectFlags(t.CmpImm(ir.Ne, n, 0), f, old)
	}
}

// rotateCarry does RCL and RCR in a helper: it returns the result, and above
// it, at bit 32, the flags CF and OF at their places.
func rotateCarry(h int) emitter {
	return func(t *tx) {
		l := t.place(0)
		n := t.count(1)
		x := t.get(l)
		old := t.flags()
		arg := t.Bin(ir.Or, n, t.imm32(uint64(l.size)<<8))
		if l.size == 8 { // what is above the value comes from a call of its own
			v := t.Call(ir.I64, h, ir.Pure, x, arg, old)
			f := t.Call(ir.I64, h, ir.Pure, x, t.BinImm(ir.Or, arg, onlyFlags), old)
			t.put(l, v)
			t.setFlags(f)
			return
		}
		v := t.Call(ir.I64, h, ir.Pure, t.Conv(ir.I64, x, false), arg, old)
		t.put(l, t.Conv(ir.IntType(l.size), v, false))
		t.setFlags(t.BinImm(ir.And, t.BinImm(ir.Shr, v, 32), flagsArith))
	}
}

func doubleShift(left bool) emitter {
	return func(t *tx) {
		l := t.place(0)
		n := t.count(2)
		x := t.get(l)
		y := t.read(1)
		switch l.size {
		case 4:
			t.doubleShift32(l, x, y, n, left)
			return
		case 8:
			t.doubleShift64(l, x, y, n, left)
			return
		}
		old := t.flags()
		arg := t.Bin(ir.Or, n, t.imm32(uint64(l.size)<<8))
		if !left {
			arg = t.Bin(ir.Or, arg, t.imm32(1<<16))
		}
		xy := t.Bin(ir.Or, t.Conv(ir.I64, x, false), t.BinImm(ir.Shl, t.Conv(ir.I64, y, false), 32))
		v := t.Call(ir.I64, hDoubleShift, ir.Pure, xy, arg, old)
		t.put(l, t.Conv(ir.IntType(l.size), v, false))
		t.setFlags(t.BinImm(ir.And, t.BinImm(ir.Shr, v, 32), flagsArith))
	}
}

// doubleShift32 is SHLD and SHRD of 32 bits: a shift of both operands as one
// of 64 bits. A count of 0 changes nothing.
func (t *tx) doubleShift32(l loc, x, y, n ir.Val, left bool) {
	hi, lo, op, kind := y, x, ir.Shr, ccShr
	if left {
		hi, lo, op, kind = x, y, ir.Shl, ccShl
	}
	both := t.Bin(ir.Or, t.Conv(ir.I64, lo, false), t.BinImm(ir.Shl, t.Conv(ir.I64, hi, false), 32))
	shifted := func(n ir.Val) ir.Val {
		v := t.Bin(op, both, t.Conv(ir.I64, n, false))
		if left {
			return t.Extract(ir.I32, v, 32, 32)
		}
		return t.Conv(ir.I32, v, false)
	}
	k, isConst := t.IsConst(n)
	if isConst && k == 0 {
		t.put(l, x)
		return
	}
	r, last := shifted(n), shifted(t.BinImm(ir.Sub, n, 1))
	t.put(l, r)
	if isConst {
		t.setCC(kind, 4, r, last, 0)
		return
	}
	t.setCountedShift(kind, 4, n, r, last)
}

// doubleShift64 is SHLD and SHRD of 64 bits.
func (t *tx) doubleShift64(l loc, x, y, n ir.Val, left bool) {
	to, from, kind := ir.Shr, ir.Shl, ccShr
	if left {
		to, from, kind = ir.Shl, ir.Shr, ccShl
	}
	k, isConst := t.IsConst(n)
	if isConst && k == 0 {
		t.put(l, x)
		return
	}
	// y shifted by 64-n the other way, which may be all of 64.
	rest := t.Bin(from, t.BinImm(from, y, 1), t.BinImm(ir.Xor, n, 63))
	r, last := t.Bin(ir.Or, t.Bin(to, x, n), rest), t.Bin(to, x, t.BinImm(ir.Sub, n, 1))
	t.put(l, r)
	if isConst {
		t.setCC(kind, 8, r, last, 0)
		return
	}
	t.setCountedShift(kind, 8, n, r, last)
}

// bitTest does BT and its kin; how is what becomes of the bit.
func bitTest(how byte) emitter {
	return func(t *tx) {
		in := &t.in
		size := t.size(0)
		typ := ir.IntType(size)
		bit := t.read(1)
		fromReg := in.enc.operands[1].kind == kindG
		if !fromReg {
			bit = t.Conv(typ, bit, false)
		}
		l := loc{size: size, reg: in.rm}
		if in.mem {
			off := t.ea()
			if fromReg { // the offset reaches beyond the operand
				words := t.BinImm(ir.Sar, t.Conv(t.word(), bit, true), uint64(3+log2(size)))
				off = t.wrap(t.Bin(ir.Add, off, t.BinImm(ir.Shl, words, log2(size))))
			}
			l.mem, l.addr = true, t.linear(t.segment(), off, size, how != 0)
		}
		var x ir.Val
		if l.mem {
			x = t.Load(l.addr, ir.Mem{Size: size, Index: t.mmu(), RMW: how != 0})
		} else {
			x = t.reg(l.reg, size)
		}
		n := t.BinImm(ir.And, bit, uint64(size*8-1))
		mask := t.Bin(ir.Shl, t.Const(typ, 1), n)
		cf := t.Bin(ir.Shr, x, n)
		switch how {
		case 's':
			t.put(l, t.Bin(ir.Or, x, mask))
		case 'r':
			t.put(l, t.Bin(ir.And, x, t.Un(ir.Not, mask)))
		case 'c':
			t.put(l, t.Bin(ir.Xor, x, mask))
		}
		t.setCarry(cf)
	}
}

func bitScan(op ir.Op) emitter {
	return func(t *tx) {
		size := t.size(0)
		x := t.read(1)
		old := t.read(0)
		pos := t.Un(op, x)
		if op == ir.Clz {
			pos = t.BinImm(ir.Xor, pos, uint64(size*8-1))
		}
		nz := t.CmpImm(ir.Ne, x, 0)
		// A source of 0 leaves the destination alone, on all chips.
		if t.long && size == 4 {
			t.setGPR(t.in.reg, t.Select(nz, t.Conv(ir.I64, pos, false), t.gpr(t.in.reg)))
		} else {
			t.write(0, t.Select(nz, pos, old))
		}
		t.setCC(ccLogic, size, x, 0, 0)
	}
}

func emitPopcnt(t *tx) {
	x := t.read(1)
	t.write(0, t.Un(ir.Popcnt, x))
	zf := t.BinImm(ir.Shl, t.Conv(ir.I64, t.CmpImm(ir.Eq, x, 0), false), 6)
	t.setFlags(zf)
}

// countZeros is TZCNT and LZCNT; processors without them do BSF and BSR.
func countZeros(op ir.Op) emitter {
	feature, old := featTZCNT, bitScan(op)
	if op == ir.Clz {
		feature = featLZCNT
	}
	return func(t *tx) {
		if !t.c.model.has(feature) {
			old(t)
			return
		}
		x := t.read(1)
		n := t.Un(op, x)
		t.write(0, n)
		cf := t.Conv(ir.I64, t.CmpImm(ir.Eq, x, 0), false)
		zf := t.BinImm(ir.Shl, t.Conv(ir.I64, t.CmpImm(ir.Eq, n, 0), false), 6)
		t.setFlags(t.Bin(ir.Or, cf, zf))
	}
}

func emitMovbe(t *tx) { t.write(0, t.Un(ir.Bswap, t.read(1))) }

func emitCrc32(t *tx) {
	v := t.Conv(ir.I64, t.read(1), false)
	crc := t.Call(ir.I64, hCRC32, ir.Pure, t.Conv(ir.I64, t.reg(t.in.reg, 4), false), v, t.imm32(uint64(t.size(1))))
	t.setReg(t.in.reg, 4, t.Conv(ir.I32, crc, false))
}

func emitBswap(t *tx) { t.write(0, t.Un(ir.Bswap, t.read(0))) }

// decimal adjusts AX in a helper: AX and the flags at bit 32 come back.
func decimal(h int) emitter {
	return func(t *tx) {
		v := t.Call(ir.I64, h, ir.Pure, t.reg(rAX, 2), t.flags(), t.imm32(t.in.imm))
		t.setReg(rAX, 2, t.Conv(ir.I16, v, false))
		t.setFlags(t.BinImm(ir.And, t.BinImm(ir.Shr, v, 32), flagsArith))
	}
}

func emitAAM(t *tx) {
	if t.in.imm == 0 {
		t.Guard(t.Const(ir.I8, 1), faultCode(vecDE, 0, false))
		return
	}
	decimal(hAAM)(t)
}

func emitXadd(t *tx) {
	l := t.place(0)
	x := t.get(l)
	y := t.read(1)
	r := t.Bin(ir.Add, x, y)
	if l.mem {
		t.put(l, r)
		t.write(1, x)
	} else {
		t.write(1, x)
		t.put(l, r)
	}
	t.setCC(ccAdd, l.size, r, y, x)
}

func emitCmpxchg(t *tx) {
	l := t.place(0)
	x := t.get(l)
	acc := t.reg(rAX, l.size)
	y := t.read(1)
	same := t.Cmp(ir.Eq, acc, x)
	r := t.Select(same, y, x)
	if l.mem {
		t.put(l, r) // always stored (SDM: the destination receives a write cycle)
		t.setAccumulator(same, acc, x, l.size)
	} else {
		a := t.Select(same, acc, x)
		t.setAccumulator(same, acc, x, l.size)
		if l.reg != rAX {
			t.put(l, r)
		} else { // the accumulator is the destination: equal, so it is loaded
			t.put(l, t.Select(same, y, a))
		}
	}
	t.setCC(ccSub, l.size, t.Bin(ir.Sub, acc, x), x, acc)
}

// setAccumulator loads RAX with x unless it has stayed the same as acc; then
// not even what is above 32 bits changes.
func (t *tx) setAccumulator(same, acc, x ir.Val, size int) {
	if t.long && size == 4 {
		t.setGPR(rAX, t.Select(same, t.gpr(rAX), t.Conv(ir.I64, x, false)))
		return
	}
	t.setReg(rAX, size, t.Select(same, acc, x))
}

// emitCmpxchg16b is CMPXCHG16B (SDM vol. 2, CMPXCHG8B).
func emitCmpxchg16b(t *tx) {
	if !t.c.model.has(featCX16) {
		t.raise(vecUD, 0, false)
		return
	}
	addr := t.address(16, true, true)
	if t.locked() {
		t.callExit(hCasPair, addr)
		return
	}
	m := ir.Mem{Size: 8, Index: t.mmu(), RMW: true}
	end := t.addImm(addr, 8)
	lo, hi := t.Load(addr, m), t.Load(end, m)
	same := t.Bin(ir.And, t.Cmp(ir.Eq, lo, t.gpr(rAX)), t.Cmp(ir.Eq, hi, t.gpr(rDX)))
	t.Store(addr, t.Select(same, t.gpr(rBX), lo), m)
	t.Store(end, t.Select(same, t.gpr(rCX), hi), m)
	old := t.flags()
	t.setGPR(rAX, lo) // unchanged if equal
	t.setGPR(rDX, hi)
	t.setZF(t.Conv(ir.I64, same, false), old)
}

func emitCmpxchg8b(t *tx) {
	if t.in.opsize == 8 {
		emitCmpxchg16b(t)
		return
	}
	addr := t.linear(t.segment(), t.ea(), 8, true)
	m := ir.Mem{Size: 8, Index: t.mmu(), RMW: true}
	x := t.Load(addr, m)
	pair := func(hi, lo int) ir.Val {
		return t.Bin(ir.Or, t.Conv(ir.I64, t.reg(lo, 4), false), t.BinImm(ir.Shl, t.Conv(ir.I64, t.reg(hi, 4), false), 32))
	}
	same := t.Cmp(ir.Eq, x, pair(rDX, rAX))
	if r := t.Select(same, pair(rCX, rBX), x); t.locked() {
		t.swap(addr, x, r, 8)
	} else {
		t.Store(addr, r, m)
	}
	old := t.flags()
	lo, hi := t.Conv(ir.I32, x, false), t.Extract(ir.I32, x, 32, 32) // unchanged if equal
	if t.long {                                                      // then with all of the registers
		wide := func(r int, v ir.Val) { t.setGPR(r, t.Select(same, t.gpr(r), t.Conv(ir.I64, v, false))) }
		wide(rAX, lo)
		wide(rDX, hi)
	} else {
		t.setReg(rAX, 4, lo)
		t.setReg(rDX, 4, hi)
	}
	zf := t.BinImm(ir.Shl, t.Conv(ir.I64, same, false), 6)
	t.setFlags(t.Bin(ir.Or, t.BinImm(ir.And, old, flagsArith&^flagZF), zf))
}

func carryFlag(v uint64) emitter {
	return func(t *tx) { t.setCarry(t.Const(ir.I8, v)) }
}

func emitCmc(t *tx) { t.setFlags(t.BinImm(ir.Xor, t.flags(), flagCF)) }

func emitSetcc(t *tx) { t.write(0, t.condition(int(t.in.opcode&15))) }

func emitCmov(t *tx) {
	x := t.read(1)
	old := t.read(0)
	t.write(0, t.Select(t.condition(int(t.in.opcode&15)), x, old))
}

func emitSalc(t *tx) { t.setReg(rAX, 1, t.Un(ir.Neg, t.carry())) }
