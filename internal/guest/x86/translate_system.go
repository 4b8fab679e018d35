package x86

import "rhea/internal/ir"

func addSystemEmitters(m map[string]emitter) {
	for name, f := range map[string]emitter{
		"PUSHF": emitPushf, "POPF": emitPopf, "CLI": emitCli, "STI": emitSti,
		"HLT": system(hHlt), "IN": emitIn, "OUT": emitOut,
		"CLTS": system(hClts), "INVD": system(hCacheOp), "WBINVD": system(hCacheOp),
		"RDTSC": emitRdtsc, "RDMSR": system(hRdmsr), "WRMSR": system(hWrmsr), "RDPMC": system(hRdpmc),
		"CPUID": system(hCpuid), "SYSENTER": emitSysenter, "SYSEXIT": returnFast(hSysexit), "RSM": emitRsm,
		"SYSCALL": emitSyscall, "SYSRET": returnFast(hSysret), "SWAPGS": system(hSwapGS), "RDTSCP": emitRdtscp,
		"CLAC": alignFlag(0), "STAC": alignFlag(1), "INVPCID": emitInvpcid, "RDRAND": emitRandom, "RDSEED": emitRandom,
		"RDFSBASE": readBase(FS), "RDGSBASE": readBase(GS), "WRFSBASE": writeBase(FS), "WRGSBASE": writeBase(GS),
		"SGDT": storeTable(0), "SIDT": storeTable(1), "LGDT": loadTable(0), "LIDT": loadTable(1),
		"SLDT": storeSelector(slotLDTR), "STR": storeSelector(slotTR),
		"LLDT": selectorOp(hLldt), "LTR": selectorOp(hLtr),
		"VERR": verify(hVerr), "VERW": verify(hVerw), "LAR": inspect(hLar), "LSL": inspect(hLsl),
		"SMSW": emitSmsw, "LMSW": emitLmsw, "INVLPG": emitInvlpg,
	} {
		m[name] = f
	}
}

// system calls a helper that takes nothing from the code and ends the unit.
func system(h int) emitter {
	return func(t *tx) { t.callExit(h, t.at(t.next)) }
}

func emitRdtsc(t *tx) { t.call(hRdtsc) }

// emitCli needs no helper where CLI is allowed and means IF.
func emitCli(t *tx) {
	if t.cpl() != 0 || t.is(modeVM) {
		t.callExit(hCli, t.at(t.next))
		return
	}
	t.Set(slotFlags, t.BinImm(ir.And, t.Get(ir.I64, slotFlags), ^uint64(flagIF)))
}

// emitSti goes on if the next instruction is sure to be in this unit: it must
// be executed before any interrupt is taken (SDM vol. 2, STI). One that comes
// meanwhile waits for the unit's end; one that waits already is the helper's
// affair.
func emitSti(t *tx) {
	if t.alone || t.cpl() != 0 || t.is(modeVM) || t.left < 2 || (t.next+t.key.Base)&0xfff > 0x1000-maxLength {
		t.callExit(hSti, t.at(t.next))
		return
	}
	t.call(hStiInUnit, t.at(t.next))
}

func emitPushf(t *tx) {
	size := t.in.opsize
	if t.is(modeVM) {
		v := t.call(hPushf, t.imm32(uint64(size)))
		t.push(t.Conv(ir.IntType(size), v, false), size)
		return
	}
	v := t.BinImm(ir.And, t.Get(ir.I64, slotFlags), ^uint64(flagVM|flagRF))
	v = t.Bin(ir.Or, v, t.flags())
	df := t.BinImm(ir.And, t.Conv(ir.I64, t.BinImm(ir.Shr, t.Get(ir.I32, slotDF), 21), false), flagDF)
	v = t.Bin(ir.Or, t.Bin(ir.Or, v, df), t.Const(ir.I64, flag1))
	t.push(t.Conv(ir.IntType(size), v, false), size)
}

// emitPopf goes on in translated code if the mode stays: else the helper stops.
func emitPopf(t *tx) {
	size := t.in.opsize
	v := t.peek(0, size)
	if t.alone || t.is(modeVM) {
		t.call(hPopf, t.Conv(ir.I32, v, false), t.imm32(uint64(size)))
		t.drop(size)
		t.alonePopf()
		return
	}
	t.call(hPopfInMode, t.Conv(ir.I32, v, false), t.imm32(uint64(size)), t.at(t.next))
	t.drop(size)
	t.link(t.next)
}

// alonePopf ends a unit after POPF, which decides itself about RF.
func (t *tx) alonePopf() {
	pc := t.at(t.next)
	t.stepTrap(pc)
	t.Exit(pc)
}

// port reads the port operand.
func (t *tx) port(i int) ir.Val {
	if t.in.enc.operands[i].kind == kindDX {
		return t.Conv(ir.I32, t.reg(rDX, 2), false)
	}
	return t.imm32(t.in.imm & 0xff)
}

// I/O ends the unit: what a device does may change anything, this code included.
func emitIn(t *tx) {
	size := min(t.size(0), 4)
	v := t.call(hIn, t.port(1), t.imm32(uint64(size)))
	t.setReg(rAX, size, t.Conv(ir.IntType(size), v, false))
	t.link(t.next)
}

func emitOut(t *tx) {
	size := min(t.size(1), 4)
	t.call(hOut, t.port(0), t.imm32(uint64(size)), t.Conv(ir.I32, t.reg(rAX, size), false))
	t.link(t.next)
}

func emitSysenter(t *tx) { t.control(hSysenter, t.imm32(0), t.imm32(0)) }
func emitSyscall(t *tx)  { t.control(hSyscall, t.imm32(0), t.imm32(0)) }
func emitRsm(t *tx)      { t.control(hRsm, t.imm32(0), t.imm32(0)) }

// returnFast is SYSEXIT and SYSRET; the operand size says where they return to.
func returnFast(h int) emitter {
	return func(t *tx) { t.control(h, t.imm32(b2u(t.in.opsize == 8)), t.imm32(0)) }
}

func emitRdtscp(t *tx) { t.call(hRdtscp) }

func alignFlag(on uint64) emitter {
	return func(t *tx) { t.callExit(hAlignFlag, t.imm32(on)) }
}

func emitInvpcid(t *tx) {
	lin := t.address(16, false, false)
	m := ir.Mem{Size: 8, Index: t.mmu()}
	pcid, at := t.Load(lin, m), t.Load(t.addImm(lin, 8), m)
	t.callExit(hInvpcid, t.gpr(t.in.reg), pcid, at)
}

// emitRandom is RDRAND and RDSEED, which always have a number.
func emitRandom(t *tx) {
	v := t.call(hRandom)
	size := t.size(0)
	t.setReg(t.in.rm, size, t.Conv(ir.IntType(size), v, false))
	t.setFlags(t.Const(ir.I64, flagCF))
}

// readBase and writeBase are RDFSBASE, WRFSBASE and so on.
func readBase(seg int) emitter {
	return func(t *tx) {
		if !t.is(modeFSGS) {
			t.raise(vecUD, 0, false)
			return
		}
		size := t.size(0)
		v := t.Get(ir.I64, slotSeg+ir.Slot(seg)*segWords+segBase)
		t.setReg(t.in.rm, size, t.Conv(ir.IntType(size), v, false))
	}
}

func writeBase(seg int) emitter {
	return func(t *tx) {
		if !t.is(modeFSGS) {
			t.raise(vecUD, 0, false)
			return
		}
		t.callExit(hFSGSBase, t.imm32(uint64(seg)), t.Conv(ir.I64, t.read(0), false))
	}
}

func emitMovControl(t *tx) {
	in := &t.in
	o := in.enc.operands
	n := t.imm32(uint64(in.reg))
	switch { // the mod field is ignored: the operand is always a register
	case o[1].kind == kindC || o[1].kind == kindD:
		h := hReadCR
		if o[1].kind == kindD {
			h = hReadDR
		}
		v := t.call(h, n)
		t.setGPR(in.rm, t.Conv(t.word(), v, false))
	default:
		h := hSetCR
		if o[0].kind == kindD {
			h = hSetDR
		}
		t.callExit(h, n, t.gpr(in.rm))
	}
}

func storeTable(n int) emitter {
	return func(t *tx) {
		if t.umip() {
			return
		}
		off := t.ea()
		hi := t.wrap(t.addImm(off, 2))
		s := slotGDTR + ir.Slot(n*2)
		base := t.Get(t.word(), s)
		limit := t.Get(ir.I32, s+1)
		size := t.TypeOf(base).Bits() / 8
		m := ir.Mem{Size: 2, Index: t.mmu()}
		lo := t.linear(t.segment(), off, 2, true)
		up := t.linear(t.segment(), hi, size, true)
		t.Load(up, ir.Mem{Size: size, Index: t.mmu(), RMW: true}) // its fault comes before the first store
		t.Store(lo, t.Conv(ir.I16, limit, false), m)
		m.Size = size
		t.Store(up, base, m)
	}
}

func loadTable(n int) emitter {
	return func(t *tx) {
		off := t.ea()
		hi := t.wrap(t.addImm(off, 2))
		limit := t.load(t.segment(), off, 2)
		base := t.load(t.segment(), hi, t.word().Bits()/8)
		h := hLgdt
		if n == 1 {
			h = hLidt
		}
		t.callExit(h, t.Conv(ir.I32, limit, false), base, t.imm32(uint64(t.in.opsize)))
	}
}

func storeSelector(s ir.Slot) emitter {
	return func(t *tx) {
		if !t.is(modePE) {
			t.raise(vecUD, 0, false)
			return
		}
		if t.umip() {
			return
		}
		v := t.Get(ir.I32, s)
		if t.in.mem {
			t.store(t.segment(), t.ea(), t.Conv(ir.I16, v, false), 2)
			return
		}
		t.setReg(t.in.rm, t.in.opsize, t.Conv(ir.IntType(t.in.opsize), v, false))
	}
}

func selectorOp(h int) emitter {
	return func(t *tx) { // the checks of mode and privilege come before the load
		t.call(hNeedProtected)
		t.callExit(h, t.Conv(ir.I32, t.read(0), false))
	}
}

// setZF sets ZF alone.
func (t *tx) setZF(v, old ir.Val) {
	zf := t.BinImm(ir.Shl, t.BinImm(ir.And, v, 1), 6)
	t.setFlags(t.Bin(ir.Or, t.BinImm(ir.And, old, flagsArith&^flagZF), zf))
}

func verify(h int) emitter {
	return func(t *tx) {
		t.call(hNeedProtected)
		sel := t.Conv(ir.I32, t.read(0), false)
		ok := t.call(h, sel)
		t.setZF(ok, t.flags())
	}
}

// inspect does LAR and LSL: the helper returns ZF at bit 32 above the value.
func inspect(h int) emitter {
	return func(t *tx) {
		t.call(hNeedProtected)
		sel := t.BinImm(ir.And, t.Conv(ir.I32, t.read(1), false), 0xffff)
		v := t.call(h, sel)
		ok := t.Extract(ir.I64, v, 32, 1)
		size := t.size(0)
		typ := ir.IntType(size)
		old := t.flags()
		t.write(0, t.Select(ok, t.Conv(typ, v, false), t.read(0)))
		t.setZF(ok, old)
	}
}

// umip raises #GP(0) if user mode may not see the system's registers (SDM
// vol. 3, 2.5, CR4.UMIP).
func (t *tx) umip() bool {
	if !t.is(modeUMIP) {
		return false
	}
	t.raise(vecGP, 0, true)
	return true
}

func emitSmsw(t *tx) {
	if t.umip() {
		return
	}
	v := t.Get(ir.I32, slotCR0)
	if t.in.mem {
		t.store(t.segment(), t.ea(), t.Conv(ir.I16, v, false), 2)
		return
	}
	t.setReg(t.in.rm, t.in.opsize, t.Conv(ir.IntType(t.in.opsize), v, false))
}

func emitLmsw(t *tx) { t.callExit(hLmsw, t.Conv(ir.I32, t.read(0), false)) }

func emitInvlpg(t *tx) {
	if !t.in.mem {
		t.raise(vecUD, 0, false)
		return
	}
	lin := t.ea()
	if !t.is(modeZero(t.segment())) {
		lin = t.Bin(ir.Add, lin, t.Get(t.word(), slotSeg+ir.Slot(t.segment())*segWords+segBase))
	}
	t.callExit(hInvlpg, lin)
}
