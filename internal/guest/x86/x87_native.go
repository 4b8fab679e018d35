package x86

import (
	"strings"

	"rhea/internal/ir"
)

// This file translates x87 instructions to ir.FPU, for engines with an x87 of
// their own. It does so in modes without modeFM only: then nothing is pending
// and no instruction raises #MF.

// nativeX87 are the instructions whose results are the same on every
// processor. Transcendental functions, remainders and BCD are not among them,
// nor are those that few know (FFREEP, FSTPNCE).
func nativeX87() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`
		FADD FADDP FMUL FMULP FSUB FSUBP FSUBR FSUBRP FDIV FDIVP FDIVR FDIVRP FIADD FIMUL FISUB FISUBR FIDIV FIDIVR
		FCOM FCOMP FCOMPP FUCOM FUCOMP FUCOMPP FICOM FICOMP FCOMI FCOMIP FUCOMI FUCOMIP FTST FXAM
		FLD FILD FST FSTP FIST FISTP FISTTP FXCH FABS FCHS FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ
		FFREE FDECSTP FINCSTP FSQRT FRNDINT FSCALE FXTRACT`) {
		m[n] = true
	}
	return m
}

// stackOp returns the current instruction as an operation of the x87. It
// returns false if a helper must do it.
func (t *tx) stackOp(native bool) (o ir.StackOp, ok bool) {
	in := &t.in
	if !native || t.is(modeFM) {
		return o, false
	}
	esc, row := uint16(in.opcode&7), in.modrm>>3&7
	o.Code = esc<<8 | uint16(in.modrm)
	if in.mem {
		o.Code = esc<<8 | uint16(row)<<3
		o.Mem, o.Slot = uint8(t.size(0)), slotTmp64
		return o, true
	}
	switch esc { // other encodings of FCOM, FCOMP, FXCH, FSTP
	case 4:
		ok = row != 2 && row != 3
	case 5:
		ok = row != 1
	case 6:
		ok = row != 2
	case 7:
		ok = row > 3
	default:
		ok = true
	}
	return o, ok
}

// fpu emits o. Its pointers are kept, if a describes an instruction that does
// so; off is the operand's offset.
func (t *tx) fpu(typ ir.Type, o ir.StackOp, a x87Arg, args ...ir.Val) ir.Val {
	r := t.FPU(typ, o, args...)
	for s := slotFPR; s <= slotFTW; s++ {
		if s != slotFCW {
			t.Forget(s)
		}
	}
	if o.Store {
		t.Forget(slotTmp64)
		t.Forget(slotTmp64 + 1)
	}
	return r
}

// noteX87 is what x87Unit.note does.
func (t *tx) noteX87(a x87Arg, off ir.Val) {
	selector := func(slot ir.Slot, seg int) {
		sel := t.Get(ir.I32, slotSeg+ir.Slot(seg)*segWords+segSel)
		if old := t.Known(slot); old != 0 {
			if in := t.Unit().Inst(old); in.Op == ir.Zext && in.Args[0] == sel {
				return
			}
		}
		t.Set(slot, t.Conv(ir.I64, sel, false))
	}
	if u := t.Unit(); u.Moves {
		t.Set(slotFIPPage, t.Get(t.word(), slotPage))
		t.setSlot(slotFIP, t.pc-u.Page)
	} else {
		t.setSlot(slotFIPPage, 0)
		t.setSlot(slotFIP, t.pc)
	}
	selector(slotFCS, CS)
	t.setSlot(slotFOP, a.opcode())
	if a.mem() {
		t.Set(slotFDP, t.Conv(ir.I64, off, false))
		selector(slotFDS, a.seg())
	}
}

// fpuInsn translates an instruction that does not store to memory. Arg is the
// helper's second argument, if there is no memory operand.
func (t *tx) fpuInsn(typ ir.Type, o ir.StackOp, a x87Arg, arg ir.Val) ir.Val {
	o.Helper = hX87
	desc := t.Const(ir.I64, uint64(a))
	if !a.mem() {
		r := t.fpu(typ, o, a, desc, arg)
		t.noteX87(a, 0)
		return r
	}
	off, lin := t.x87Memory(false)
	size := t.size(0)
	place := t.noted(off)
	var v ir.Val
	if size == 10 {
		v = t.Load(lin, ir.Mem{Size: 8, Index: t.mmu()})
		hi := t.Conv(ir.I64, t.Load(t.BinImm(ir.Add, lin, 8), ir.Mem{Size: 2, Index: t.mmu()}), false)
		t.Set(slotTmp64, v)
		t.Set(slotTmp64+1, hi)
		place = t.Bin(ir.Or, place, t.BinImm(ir.Shl, hi, 48))
	} else {
		v = t.Conv(ir.I64, t.Load(lin, ir.Mem{Size: size, Index: t.mmu()}), false)
		t.Set(slotTmp64, v)
	}
	r := t.fpu(typ, o, a, desc, v, place)
	t.noteX87(a, off)
	return r
}

// fpuStore translates FST and so on to memory. The state changes before the
// store is done, so whatever could keep it from being done is found out first.
func (t *tx) fpuStore(o ir.StackOp, a x87Arg) {
	off, lin := t.x87Memory(true)
	size := t.size(0)
	var end ir.Val
	if size == 10 {
		end = t.BinImm(ir.Add, lin, 8)
		t.Load(lin, ir.Mem{Size: 8, Index: t.mmu(), RMW: true, Probe: true})
		t.Load(end, ir.Mem{Size: 2, Index: t.mmu(), RMW: true, Probe: true})
	} else {
		t.Load(lin, ir.Mem{Size: size, Index: t.mmu(), RMW: true, Probe: true})
	}
	o.Helper, o.Store = hX87StoreAll, true
	t.fpu(ir.Void, o, a, t.Const(ir.I64, uint64(a)), t.zero64(), t.noted(off))
	v := t.Get(ir.I64, slotTmp64)
	if size == 10 {
		hi := t.Conv(ir.I16, t.Get(ir.I64, slotTmp64+1), false)
		t.Store(lin, v, ir.Mem{Size: 8, Index: t.mmu()})
		t.Store(end, hi, ir.Mem{Size: 2, Index: t.mmu()})
	} else {
		t.Store(lin, t.Conv(ir.IntType(size), v, false), ir.Mem{Size: size, Index: t.mmu()})
	}
	t.noteX87(a, off)
}

// Codes of control instructions, as ir.StackOp has them.
const (
	codeFNSTSW = 5<<8 | 7<<3
	codeFNCLEX = 3<<8 | 0xe2
)

// statusWord is what FNSTSW stores.
func (t *tx) statusWord() ir.Val {
	o := ir.StackOp{Code: codeFNSTSW, Mem: 2, Slot: slotTmp64, Store: true, Helper: hX87Control}
	t.fpu(ir.Void, o, 0, t.Const(ir.I64, ctlFNSTSW))
	return t.Conv(ir.I16, t.Get(ir.I64, slotTmp64), false)
}

// fldcw loads a control word that masks all exceptions.
func (t *tx) fldcw(v ir.Val) {
	t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, v, fswExceptions), fswExceptions), faultCode(guardUnmasks, 0, false))
	t.Set(slotFCW, t.BinImm(ir.Or, t.BinImm(ir.And, v, fcwBits), fcwFixed))
}
