package x86

import "rhea/internal/ir"

func addMoveEmitters(m map[string]emitter) {
	for name, f := range map[string]emitter{
		"MOV": emitMov, "MOVZX": extend(false), "MOVSX": extend(true), "LEA": emitLea,
		"XCHG": emitXchg, "XLAT": emitXlat, "MOVNTI": emitMov, "MOVSXD": extend(true), "NOP": emitNop, "PAUSE": func(*tx) {},
		"LFENCE": func(*tx) {}, "MFENCE": emitMfence, "SFENCE": func(*tx) {}, "CLFLUSH": emitTouch,
		"CBW": emitCBW, "CWD": emitCWD, "LAHF": emitLahf, "SAHF": emitSahf,
		"CLD": direction(1), "STD": direction(0xffffffff),
		"PUSH": emitPush, "POP": emitPop, "PUSHA": emitPusha, "POPA": emitPopa,
		"ENTER": emitEnter, "LEAVE": emitLeave,
		"MOVS": stringOp(sMovs), "STOS": stringOp(sStos), "LODS": stringOp(sLods),
		"CMPS": stringOp(sCmps), "SCAS": stringOp(sScas), "INS": stringOp(sIns), "OUTS": stringOp(sOuts),
		"LES": loadFar(ES), "LDS": loadFar(DS), "LSS": loadFar(SS), "LFS": loadFar(FS), "LGS": loadFar(GS),
		"BOUND": emitBound, "ARPL": emitArpl,
	} {
		m[name] = f
	}
}

func emitMov(t *tx) {
	o := t.in.enc.operands
	switch {
	case o[1].kind == kindS: // MOV Ev,Sw: a word to memory, zero-extended to a register
		if t.in.reg > GS {
			t.raise(vecUD, 0, false)
			return
		}
		sel := t.Get(ir.I32, slotSeg+ir.Slot(t.in.reg)*segWords+segSel)
		if t.in.mem {
			t.store(t.segment(), t.ea(), t.Conv(ir.I16, sel, false), 2)
			return
		}
		t.setReg(t.in.rm, t.in.opsize, t.Conv(ir.IntType(t.in.opsize), sel, false))
	case o[0].kind == kindS:
		if t.in.reg > GS || t.in.reg == CS {
			t.raise(vecUD, 0, false)
			return
		}
		t.loadSegment(t.in.reg, t.read(1))
	case o[0].kind == kindC || o[0].kind == kindD || o[1].kind == kindC || o[1].kind == kindD:
		emitMovControl(t)
	default:
		t.write(0, t.read(1))
	}
}

// loadSegment loads a segment register and ends the unit: the mode changes.
func (t *tx) loadSegment(seg int, sel ir.Val) {
	t.loadsSS = seg == SS
	t.callExit(hLoadSeg, t.imm32(uint64(seg)), t.Conv(ir.I32, sel, false))
}

func extend(signed bool) emitter {
	return func(t *tx) { t.write(0, t.Conv(ir.IntType(t.size(0)), t.read(1), signed)) }
}

func emitLea(t *tx) { t.write(0, t.Conv(ir.IntType(t.size(0)), t.ea(), false)) }

// emitTouch accesses the operand as CLFLUSH does.
func emitTouch(t *tx) { t.load(t.segment(), t.ea(), 1) }

func emitXchg(t *tx) {
	a := t.place(0)
	if t.in.enc.operands[0].kind == kindZ {
		b := t.place(1)
		x, y := t.get(a), t.get(b)
		t.put(a, y)
		t.put(b, x)
		return
	}
	x, y := t.get(a), t.read(1)
	t.put(a, y)
	t.write(1, x)
}

// emitNop is NOP; of the opcode of XCHG it is that of RAX with itself only.
func emitNop(t *tx) {
	if t.in.opcode == 0x90 && t.in.inOpcode != rAX && len(t.in.enc.operands) == 0 {
		x, y := t.reg(rAX, t.in.opsize), t.reg(t.in.inOpcode, t.in.opsize)
		t.setReg(rAX, t.in.opsize, y)
		t.setReg(t.in.inOpcode, t.in.opsize, x)
	}
}

func emitMfence(t *tx) {
	if t.c.cfg.Pages != nil {
		t.Call(ir.Void, hFence, ir.NoStop|ir.KeepsStack)
	}
}

func emitXlat(t *tx) {
	off := t.wrap(t.Bin(ir.Add, t.gpr(rBX), t.Conv(t.word(), t.Extract(ir.I8, t.gpr(rAX), 0, 8), false)))
	v := t.load(t.dataSegment(), off, 1)
	t.setGPR(rAX, t.Deposit(t.gpr(rAX), v, 0, 8))
}

// dataSegment is DS, or the override.
func (t *tx) dataSegment() int {
	if t.in.seg >= 0 {
		return t.in.seg
	}
	return DS
}

func emitCBW(t *tx) {
	size := t.in.opsize
	t.setReg(rAX, size, t.Conv(ir.IntType(size), t.reg(rAX, size/2), true))
}

func emitCWD(t *tx) {
	size := t.in.opsize
	t.setReg(rDX, size, t.BinImm(ir.Sar, t.reg(rAX, size), uint64(size*8-1)))
}

// noLahf raises #UD if 64-bit mode has no LAHF and SAHF.
func (t *tx) noLahf() bool {
	if t.long && !t.c.model.has(featLAHF) {
		t.raise(vecUD, 0, false)
		return true
	}
	return false
}

func emitLahf(t *tx) {
	if t.noLahf() {
		return
	}
	f := t.BinImm(ir.Or, t.BinImm(ir.And, t.flags(), 0xff), flag1)
	t.setGPR(rAX, t.Deposit(t.gpr(rAX), t.Conv(ir.I8, f, false), 8, 8))
}

func emitSahf(t *tx) {
	if t.noLahf() {
		return
	}
	ah := t.Conv(ir.I64, t.Extract(ir.I8, t.gpr(rAX), 8, 8), false)
	ah = t.BinImm(ir.And, ah, flagSF|flagZF|flagAF|flagPF|flagCF)
	of := t.BinImm(ir.And, t.flags(), flagOF)
	t.setFlags(t.Bin(ir.Or, ah, of))
}

func direction(step uint64) emitter {
	return func(t *tx) { t.Set(slotDF, t.imm32(step)) }
}

func emitPush(t *tx) {
	o := t.in.enc.operands[0]
	size := t.in.opsize
	if seg, ok := o.kind.segment(); ok {
		sel := t.Get(ir.I32, slotSeg+ir.Slot(seg)*segWords+segSel)
		if size == 4 {
			// Only the low word is written (SDM vol. 2, PUSH; so do all chips
			// since the 486), but the stack pointer moves by 4.
			sp := t.stackWrap(t.addImm(t.gpr(rSP), ^uint64(3)))
			t.store(SS, sp, t.Conv(ir.I16, sel, false), 2)
			t.setSP(sp)
			return
		}
		t.push(t.Conv(ir.IntType(size), sel, false), size)
		return
	}
	t.push(t.read(0), size)
}

func emitPop(t *tx) {
	o := t.in.enc.operands[0]
	size := t.in.opsize
	if seg, ok := o.kind.segment(); ok {
		sel := t.Conv(ir.I32, t.peek(0, 2), false)
		t.loadsSS = seg == SS
		// The helper moves the stack pointer once the selector is loaded.
		t.callExit(hPopSeg, t.imm32(uint64(seg)), sel, t.imm32(uint64(size)))
		return
	}
	v := t.peek(0, size)
	if t.in.mem { // the address is computed after ESP has moved
		sp := t.stackWrap(t.addImm(t.gpr(rSP), uint64(size)))
		off := t.popEA(size)
		t.store(t.segment(), off, v, size)
		t.setSP(sp)
		return
	}
	t.drop(size)
	if o.kind == kindZ {
		t.setReg(t.in.inOpcode, size, v)
	} else {
		t.setReg(t.in.rm, size, v)
	}
}

// popEA is ea with ESP as POP has left it.
func (t *tx) popEA(size int) ir.Val {
	if t.in.base == rSP && t.in.adsize != 2 {
		t.in.disp += uint64(size)
	}
	return t.ea()
}

func emitPusha(t *tx) {
	size := t.in.opsize
	sp := t.gpr(rSP)
	for i := range 8 {
		off := t.stackWrap(t.BinImm(ir.Add, sp, -uint64(size*(i+1))))
		t.store(SS, off, t.reg(i, size), size)
	}
	t.setSP(t.stackWrap(t.BinImm(ir.Add, sp, -uint64(size*8))))
}

func emitPopa(t *tx) {
	size := t.in.opsize
	var v [8]ir.Val
	for i := range 8 {
		v[i] = t.peek(i*size, size)
	}
	t.drop(8 * size)
	for i := range 8 {
		if r := 7 - i; r != rSP {
			t.setReg(r, size, v[i])
		}
	}
}

// emitEnter follows the SDM's pseudocode of ENTER.
func emitEnter(t *tx) {
	size := t.in.opsize
	level := int(t.in.imm2 & 31)
	sp := t.gpr(rSP)
	bp := t.gpr(rBP)
	n := 0
	push := func(v ir.Val) {
		n += size
		t.store(SS, t.stackWrap(t.BinImm(ir.Add, sp, -uint64(n))), v, size)
	}
	push(t.reg(rBP, size))
	frame := t.BinImm(ir.Add, sp, -uint64(size)) // all of ESP as the push leaves it
	if !t.is(modeStack32 | modeLong) {
		frame = t.Deposit(sp, frame, 0, 16)
	}
	if level > 0 {
		for i := 1; i < level; i++ {
			push(t.load(SS, t.stackWrap(t.BinImm(ir.Add, bp, -uint64(i*size))), size))
		}
		push(t.Conv(ir.IntType(size), frame, false))
	}
	final := t.stackWrap(t.BinImm(ir.Add, sp, -uint64(n)-t.in.imm))
	// A write to the new top must be possible (SDM: ENTER's #SS and #PF).
	t.Load(t.linear(SS, final, size, true), ir.Mem{Size: size, Index: t.mmu(), RMW: true})
	t.setReg(rBP, size, t.Conv(ir.IntType(size), frame, false))
	t.setSP(final)
}

func emitLeave(t *tx) {
	size := t.in.opsize
	bp := t.stackWrap(t.gpr(rBP))
	v := t.load(SS, bp, size)
	t.setSP(t.stackWrap(t.BinImm(ir.Add, bp, uint64(size))))
	t.setReg(rBP, size, v)
}

func loadFar(seg int) emitter {
	return func(t *tx) {
		size := t.in.opsize
		off := t.ea()
		v := t.load(t.segment(), off, size)
		hi := t.wrap(t.addImm(off, uint64(size)))
		sel := t.load(t.segment(), hi, 2)
		// LSS has no shadow: it loads ESP as well.
		t.call(hLoadSeg, t.imm32(uint64(seg)|noShadow), t.Conv(ir.I32, sel, false))
		t.setReg(t.in.reg, size, v)
		t.exit(t.next)
	}
}

func emitBound(t *tx) {
	size := t.in.opsize
	off := t.ea()
	lo := t.load(t.segment(), off, size)
	hiOff := t.BinImm(ir.Add, off, uint64(size))
	if t.in.adsize == 2 {
		hiOff = t.BinImm(ir.And, hiOff, 0xffff)
	}
	hi := t.load(t.segment(), hiOff, size)
	x := t.reg(t.in.reg, size)
	br := faultCode(vecBR, 0, false)
	t.Guard(t.Cmp(ir.Lts, x, lo), br)
	t.Guard(t.Cmp(ir.Lts, hi, x), br)
}

func emitArpl(t *tx) {
	if !t.is(modePE) {
		t.raise(vecUD, 0, false)
		return
	}
	if t.in.mem { // written, and checked for that, only if it changes
		zf := t.call(hArpl, t.imm32(uint64(t.segment())), t.ea(), t.Conv(ir.I32, t.read(1), false))
		t.setZF(zf, t.flags())
		t.exit(t.next)
		return
	}
	x, y := t.read(0), t.read(1)
	rx, ry := t.BinImm(ir.And, x, 3), t.BinImm(ir.And, y, 3)
	less := t.Cmp(ir.Ltu, rx, ry)
	old := t.flags()
	t.write(0, t.Select(less, t.Bin(ir.Or, t.BinImm(ir.And, x, 0xfffc), ry), x))
	t.setZF(t.Conv(ir.I64, less, false), old)
}

// String instructions.
const (
	sMovs = iota
	sStos
	sLods
	sCmps
	sScas
	sIns
	sOuts
)

// stringArg describes a string instruction to its helper.
func (t *tx) stringArg(kind int) uint64 {
	in := &t.in
	size := t.size(0)
	if kind == sOuts {
		size = t.size(1)
	}
	rep := uint64(0)
	switch in.rep {
	case 0xf3:
		rep = 1
	case 0xf2:
		rep = 2
	}
	return uint64(kind) | uint64(size)<<4 | uint64(in.adsize)<<8 | uint64(t.dataSegment())<<12 | rep<<16 | b2u(t.alone)<<20
}

func stringOp(kind int) emitter {
	return func(t *tx) {
		switch {
		case kind >= sIns || t.is(modeDbgData):
			t.callExit(hString, t.imm32(t.stringArg(kind)), t.at(t.next))
			return
		case t.in.rep != 0 && (kind == sMovs || kind == sStos) && !t.alone && t.left > 1: // else all of it is one step
			t.repeat(kind)
			return
		case t.in.rep != 0:
			f := t.call(hString, t.imm32(t.stringArg(kind)), t.at(t.next))
			switch kind {
			case sMovs, sStos: // the unit may have changed itself
				t.link(t.next)
			case sCmps, sScas:
				t.setFlags(f)
			}
			return
		}
		t.stringOnce(kind, t.size(0))
	}
}

// fewTimes is up to how often a string instruction is repeated in translated
// code: beyond it calling the helper, which copies and fills by pages, costs
// less.
const fewTimes = 12

// repeat is MOVS and STOS with a repeat prefix.
func (t *tx) repeat(kind int) {
	count := func() ir.Val { return t.Conv(t.word(), t.counter(), false) }
	n := len(t.Unit().Blocks)
	t.Branch(t.Cmp(ir.Ltu, t.imm(fewTimes), count()), n, n+1)

	t.NewBlock()
	t.call(hString, t.imm32(t.stringArg(kind)), t.at(t.next))
	t.link(t.next)

	t.NewBlock()
	t.cc = cc{}
	left := count()
	t.Branch(t.CmpImm(ir.Eq, left, 0), n+2, n+3)
	t.ContinueBlock()
	t.Link(t.next)
	t.ContinueBlock()
	t.stringOnce(kind, t.size(0))
	t.setReg(rCX, t.in.adsize, t.Conv(ir.IntType(t.in.adsize), t.BinImm(ir.Sub, left, 1), false))
	t.link(t.pc) // once more, until nothing is left
}

func (t *tx) stringOnce(kind, size int) {
	wrap := t.wrap
	si, di := t.gpr(rSI), t.gpr(rDI)
	step := t.BinImm(ir.Shl, t.Conv(t.word(), t.Get(ir.I32, slotDF), true), log2(size))
	advance := func(r int, old ir.Val) {
		n := t.in.adsize
		t.setReg(r, n, t.Conv(ir.IntType(n), t.Bin(ir.Add, old, step), false))
	}
	switch kind {
	case sMovs:
		from, to := t.linear(t.dataSegment(), wrap(si), size, false), t.linear(ES, wrap(di), size, true)
		m := ir.Mem{Size: size, Index: t.mmu()}
		t.Store(to, t.Load(from, m), m)
		advance(rSI, si)
		advance(rDI, di)
	case sStos:
		t.store(ES, wrap(di), t.reg(rAX, size), size)
		advance(rDI, di)
	case sLods:
		v := t.load(t.dataSegment(), wrap(si), size)
		t.setReg(rAX, size, v)
		advance(rSI, si)
	case sCmps:
		at, with := t.linear(t.dataSegment(), wrap(si), size, false), t.linear(ES, wrap(di), size, false)
		m := ir.Mem{Size: size, Index: t.mmu()}
		x, y := t.Load(at, m), t.Load(with, m)
		advance(rSI, si)
		advance(rDI, di)
		t.setCC(ccSub, size, t.Bin(ir.Sub, x, y), y, x)
	case sScas:
		x := t.reg(rAX, size)
		y := t.load(ES, wrap(di), size)
		advance(rDI, di)
		t.setCC(ccSub, size, t.Bin(ir.Sub, x, y), y, x)
	}
}
