package x86

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// emitter translates one kind of instruction.
type emitter func(*tx)

// tx is the translation of one unit. An instruction's emitter does all its
// loads, stores and checks before its first Set, so that a fault finds the
// state as it was before the instruction.
type tx struct {
	*ir.Builder
	c    *CPU
	maps *maps
	key  guest.Key
	in   inst
	pc   uint32 // of in
	next uint32 // of the instruction after in
	// alone: the unit is left for the vCPU loop after this instruction
	// (single step, interrupt shadow, RF).
	alone    bool
	loadsSS  bool
	branches int // that the unit has gone beyond
	left     int // instructions that the unit may still have, with this one
	cc       cc
}

// cc is what is known at translation time of the lazy flags.
type cc struct {
	// known: op is all of CCOp, and the values are the other slots', as far as
	// op needs them. Else only the bytes that are not 0 are known of what lies
	// over the flags.
	known           bool
	op              uint64
	dst, src, aux   ir.Val
	inc, rot, carry ir.Val
	all             ir.Val // the flags, if they were computed
}

// A unit goes on behind branches that are not taken, so that what is known of
// the flags serves several of them. But what lies there is often entered
// elsewhere too, and then translated once more: it ends after maxBranches, or
// once it has maxBeyond instructions.
const (
	maxBranches = 3
	maxBeyond   = 20
)

// fetchStep is how much code is fetched at a time: most units are shorter.
const fetchStep = 64

// translator is the part of a CPU that translation reuses.
type translator struct {
	tx   tx
	code [64 + 4096]byte
}

// FetchIndex implements guest.MMU.
func (c *CPU) FetchIndex() int { return c.mmuIndex() }

// Moves implements guest.Translator.
func (c *CPU) Moves(k guest.Key) bool {
	return k.Mode&modeCode32 != 0 && k.Base == 0 && k.Limit > 0xffffffff
}

// Guarded implements guest.CPU.
func (c *CPU) Guarded(code uint64) {
	f := faultOf(code)
	switch f.Vector {
	case vecMF:
		if c.s.CR0&cr0NE == 0 {
			c.externalError()
			return
		}
	case vecXM:
		if c.s.CR4&cr4OSXMMEXCPT == 0 { // SDM vol. 1, 11.5.1
			f.Vector = vecUD
		}
	case guardUnmasks:
		c.unmasks = true
		return
	case guardNoStore:
		c.finish(uint32(c.s.IP) + f.Code)
		return
	}
	c.Raise(f)
}

// guardNoStore is the vector of guards that leave an instruction completed,
// without its store; the code is the instruction's length.
const guardNoStore = 0x80

// guardUnmasks is the vector of guards before an instruction that unmasks an
// exception: it is translated again, for the mode in which that is possible.
const guardUnmasks = 0x81

// finish ends the current instruction outside of translated code.
func (c *CPU) finish(next uint32) {
	if c.mode&modeCode32 == 0 && c.s.Seg[CS].RHi <= 0x10000 {
		next &= 0xffff
	}
	c.s.IP = uint64(next)
	c.s.Flags &^= flagRF
	c.debugTrap(c.mode&modeTF != 0)
	c.refreshMode()
}

// faultCode packs an exception into a guard's code.
func faultCode(vec int, code uint32, hasCode bool) uint64 {
	v := uint64(vec) | uint64(code)<<8
	if hasCode {
		v |= 1 << 40
	}
	return v
}

func faultOf(v uint64) *guest.Fault {
	return &guest.Fault{Vector: int(v & 0xff), Code: uint32(v >> 8), HasCode: v>>40&1 != 0}
}

// Translate implements guest.Translator.
func (c *CPU) Translate(b *ir.Builder, code guest.Fetcher, k guest.Key, limit int) *guest.Fault {
	t := &c.tr.tx
	*t = tx{Builder: b, c: c, maps: theMaps(), key: k, pc: uint32(k.PC)}
	t.alone = k.Mode&(modeTF|modeShadow|modeRF|modeDbgData|modeFIgnore) != 0
	if t.alone {
		limit = 1
	}
	u := b.Unit()
	first := uint32(k.PC + k.Base)
	code32 := k.Mode&modeCode32 != 0
	buf := c.tr.code[:]
	// What is left of the page, as far as it is needed, and a longest
	// instruction beyond it if that begins near its end.
	left, have := int(0x1000-first&0xfff), 0
	for n := 0; n < limit && b.Open() && (t.branches == 0 || t.branches < maxBranches && n < maxBeyond); n++ {
		t.left = limit - n
		if t.branches != 0 {
			t.left = min(t.left, maxBeyond-n)
		}
		off := int(t.pc - uint32(k.PC))
		if off >= left {
			break
		}
		if off+maxLength > have && have < left {
			more, fault := code.FetchCode(uint64(first)+uint64(have), buf[have:min(have+fetchStep, left)])
			if have += more; have == 0 {
				return fault
			}
		}
		in := &t.in
		err := in.decode(t.maps, buf[off:min(have, off+maxLength)], code32)
		if err != nil && have-off < maxLength {
			if n > 0 { // let a unit of its own begin here
				break
			}
			more, f := code.FetchCode(uint64(first)+uint64(have), buf[have:have+maxLength])
			have += more
			err = in.decode(t.maps, buf[off:min(have, off+maxLength)], code32)
			if err != nil && f != nil {
				return f
			}
		}
		if err != nil { // longer than any instruction
			in.enc = nil
			t.begin()
			t.raise(vecGP, 0, true)
			break
		}
		if uint64(t.pc)+uint64(len(in.bytes)) > k.Limit {
			t.begin()
			t.raise(vecGP, 0, true)
			break
		}
		t.begin()
		t.one()
		u.Bytes = int(t.next - uint32(k.PC))
		t.pc = t.next
	}
	if u.Bytes == 0 {
		u.Bytes = 1
	}
	if b.Open() {
		t.link(t.pc)
	}
	return nil
}

// begin begins the instruction that was decoded.
func (t *tx) begin() {
	n := len(t.in.bytes)
	t.next = t.pc + uint32(n)
	if t.key.Mode&modeCode32 == 0 && t.key.Limit <= 0x10000 {
		t.next &= 0xffff
	}
	t.Insn(uint64(t.pc))
	if u := t.Unit(); u.Bytes == 0 {
		u.Bytes = max(n, 1)
	}
}

// one translates the current instruction.
func (t *tx) one() {
	in := &t.in
	e := in.enc
	if e == nil || e.emit == nil || !t.c.has(e) {
		if e != nil && e.emit == nil {
			t.c.log.Unimp("x86: %s is not built", e.line)
		}
		t.raise(vecUD, 0, false)
		return
	}
	if in.lock && !in.lockable() {
		t.raise(vecUD, 0, false)
		return
	}
	if e.memory && !in.mem || e.register && in.mem {
		t.raise(vecUD, 0, false)
		return
	}
	if t.is(modeDbgExec | modeShadow | modeFIgnore) {
		t.before()
	}
	e.emit(t)
	if t.alone && t.Open() {
		t.exit(t.next)
	}
}

// before does what comes before an instruction that runs alone.
func (t *tx) before() {
	if t.key.Mode&modeDbgExec != 0 && t.key.Mode&modeRF == 0 {
		t.call(hCodeBreak, t.BinImm(ir.Add, t.at(t.pc), t.key.Base))
	}
	if t.key.Mode&modeShadow != 0 {
		t.Set(slotShadow, t.Const(ir.I64, 0))
	}
	if t.key.Mode&modeFIgnore != 0 {
		t.Set(slotFIgnore, t.Const(ir.I64, 0))
	}
}

// lockable reports whether LOCK is allowed (SDM vol. 2, LOCK).
func (in *inst) lockable() bool {
	if !in.mem {
		return false
	}
	switch in.enc.name {
	case "ADD", "ADC", "AND", "BTC", "BTR", "BTS", "CMPXCHG", "CMPXCHG8B", "DEC", "INC", "NEG", "NOT", "OR", "SBB", "SUB", "XOR", "XADD", "XCHG":
		return in.enc.operands[0].kind != kindG || in.enc.name == "XCHG"
	}
	return false
}

// Lockable reports whether the 16-bit instruction in code may have a LOCK prefix.
func Lockable(code []byte) bool {
	in, err := decode(code, false)
	return err == nil && in.enc != nil && in.lockable()
}

// --- values

func (t *tx) imm32(v uint64) ir.Val { return t.Const(ir.I32, v) }

// at is a program counter.
func (t *tx) at(pc uint32) ir.Val { return t.PC(uint64(pc)) }

func (t *tx) is(mode uint64) bool { return t.key.Mode&mode != 0 }

func (t *tx) cpl() int { return int(t.key.Mode & modeCPL >> modeCPLPos) }

// mmu is the MMU index of the program's accesses.
func (t *tx) mmu() int {
	if t.cpl() == 3 {
		return mmuUser
	}
	return mmuKernel
}

// reg reads a general register of size bytes; byte registers 4..7 are AH..BH.
func (t *tx) reg(r, size int) ir.Val {
	if size == 1 {
		return t.Extract(ir.I8, t.Get(ir.I32, slotGPR+ir.Slot(r&3)), r&4<<1, 8)
	}
	return t.Conv(ir.IntType(size), t.Get(ir.I32, slotGPR+ir.Slot(r)), false)
}

// setReg writes one.
func (t *tx) setReg(r, size int, v ir.Val) {
	switch size {
	case 1:
		s := slotGPR + ir.Slot(r&3)
		t.Set(s, t.Deposit(t.Get(ir.I32, s), v, r&4<<1, 8))
	case 2:
		s := slotGPR + ir.Slot(r)
		t.Set(s, t.Deposit(t.Get(ir.I32, s), v, 0, 16))
	default:
		t.Set(slotGPR+ir.Slot(r), v)
	}
}

// ea computes the offset of the memory operand, within the address size.
func (t *tx) ea() ir.Val {
	in := &t.in
	var v ir.Val
	switch base, index := ir.Slot(in.base), ir.Slot(in.index); {
	case in.base < 0 && in.index < 0:
		v = t.imm32(uint64(in.disp))
	case in.index < 0:
		v = t.BinImm(ir.Add, t.Get(ir.I32, slotGPR+base), uint64(in.disp))
	case in.base < 0:
		v = t.BinImm(ir.Add, t.BinImm(ir.Shl, t.Get(ir.I32, slotGPR+index), uint64(in.scale)), uint64(in.disp))
	default: // (base + index) + disp
		b := t.Get(ir.I32, slotGPR+base)
		x := t.BinImm(ir.Shl, t.Get(ir.I32, slotGPR+index), uint64(in.scale))
		v = t.BinImm(ir.Add, t.Bin(ir.Add, b, x), uint64(in.disp))
	}
	if in.adsize == 2 {
		v = t.BinImm(ir.And, v, 0xffff)
	}
	return v
}

// segment returns the segment register of the memory operand.
func (t *tx) segment() int {
	if t.in.seg >= 0 {
		return t.in.seg
	}
	return t.in.defaultSegment
}

// linear checks an access of size bytes at off in a segment and returns its
// linear address (SDM vol. 3, 5.3 and 5.5).
func (t *tx) linear(seg int, off ir.Val, size int, write bool) ir.Val {
	s := slotSeg + ir.Slot(seg)*segWords
	if !t.is(modeFull(seg)) {
		vec := vecGP
		if seg == SS {
			vec = vecSS
		}
		code := faultCode(vec, 0, true)
		hi := segRHi
		if write {
			hi = segWHi
		}
		end := t.BinImm(ir.Add, t.Conv(ir.I64, off, false), uint64(size))
		t.Guard(t.Cmp(ir.Ltu, t.Get(ir.I64, s+hi), end), code)
		if t.is(modeExpDown) {
			t.Guard(t.Cmp(ir.Ltu, t.Conv(ir.I64, off, false), t.Get(ir.I64, s+segLo)), code)
		}
	}
	lin := off
	if !t.is(modeZero(seg)) {
		lin = t.Bin(ir.Add, t.Get(ir.I32, s+segBase), off)
	}
	if t.is(modeAlign) && size > 1 && size <= 8 {
		t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, lin, uint64(size-1)), 0), faultCode(vecAC, 0, true))
	}
	if t.is(modeDbgData) {
		kind := uint64(size)
		if write {
			kind |= 1 << 8
		}
		t.Call(ir.Void, hDataBreak, ir.NoStop, lin, t.imm32(kind))
		t.alone = true
	}
	return lin
}

func (t *tx) load(seg int, off ir.Val, size int) ir.Val {
	return t.Load(t.linear(seg, off, size, false), ir.Mem{Size: size, Index: t.mmu()})
}

func (t *tx) store(seg int, off, v ir.Val, size int) {
	t.Store(t.linear(seg, off, size, true), v, ir.Mem{Size: size, Index: t.mmu()})
}

// loc is a place that is read and then written.
type loc struct {
	size int
	reg  int
	mem  bool
	addr ir.Val // linear
}

// place finds where operand i is, for a read that a write follows.
func (t *tx) place(i int) loc {
	o := &t.in.enc.operands[i]
	l := loc{size: t.in.sizeOf(o)}
	switch o.kind {
	case kindE, kindM, kindR:
		if t.in.mem {
			l.mem, l.addr = true, t.linear(t.segment(), t.ea(), l.size, true)
			return l
		}
		l.reg = t.in.rm
	case kindG:
		l.reg = t.in.reg
	case kindZ:
		l.reg = int(t.in.opcode & 7)
	case kindAL, kindEAX:
		l.reg = rAX
	case kindCL:
		l.reg = rCX
	default:
		panic("BUG: x86: place of " + o.text)
	}
	return l
}

// get reads the place; a write will follow.
func (t *tx) get(l loc) ir.Val {
	if l.mem {
		return t.Load(l.addr, ir.Mem{Size: l.size, Index: t.mmu(), RMW: true})
	}
	return t.reg(l.reg, l.size)
}

func (t *tx) put(l loc, v ir.Val) {
	if l.mem {
		t.Store(l.addr, v, ir.Mem{Size: l.size, Index: t.mmu()})
		return
	}
	t.setReg(l.reg, l.size, v)
}

// read reads operand i.
func (t *tx) read(i int) ir.Val {
	in := &t.in
	o := &in.enc.operands[i]
	size := in.sizeOf(o)
	switch o.kind {
	case kindE, kindM, kindO, kindR:
		if in.mem {
			return t.load(t.segment(), t.ea(), size)
		}
		return t.reg(in.rm, size)
	case kindG:
		return t.reg(in.reg, size)
	case kindZ:
		return t.reg(int(in.opcode&7), size)
	case kindI, kindSI:
		if o.kind == kindSI {
			size = in.opsize
		}
		return t.Const(ir.IntType(size), uint64(in.imm))
	case kindAL, kindEAX:
		return t.reg(rAX, size)
	case kindCL:
		return t.reg(rCX, 1)
	case kindDX:
		return t.reg(rDX, 2)
	case kindOne:
		return t.Const(ir.I8, 1)
	}
	panic("BUG: x86: read of " + o.text)
}

// write writes operand i, which is not read.
func (t *tx) write(i int, v ir.Val) {
	in := &t.in
	o := &in.enc.operands[i]
	size := in.sizeOf(o)
	switch o.kind {
	case kindE, kindM, kindO, kindR:
		if in.mem {
			t.store(t.segment(), t.ea(), v, size)
			return
		}
		t.setReg(in.rm, size, v)
	case kindG:
		t.setReg(in.reg, size, v)
	case kindZ:
		t.setReg(int(in.opcode&7), size, v)
	case kindAL, kindEAX:
		t.setReg(rAX, size, v)
	default:
		panic("BUG: x86: write of " + o.text)
	}
}

// size of operand i in bytes.
func (t *tx) size(i int) int { return t.in.sizeOf(&t.in.enc.operands[i]) }

// --- the ends of units

// raise ends the unit with an exception.
func (t *tx) raise(vec int, code uint32, hasCode bool) {
	t.call(hRaise, t.Const(ir.I64, faultCode(vec, code, hasCode)))
	t.Exit(t.at(t.pc))
}

// call calls a helper that may do anything, and forgets what it may change.
func (t *tx) call(h int, args ...ir.Val) ir.Val {
	v := t.Call(ir.I64, h, 0, args...)
	t.cc = cc{}
	return v
}

// callExit calls a helper after which the mode may be another.
func (t *tx) callExit(h int, args ...ir.Val) {
	t.call(h, args...)
	t.exit(t.next)
}

// exit leaves for the vCPU loop, to go on at pc.
func (t *tx) exit(pc uint32) { t.exitTo(t.at(pc)) }

func (t *tx) exitTo(pc ir.Val) {
	t.endOfInstruction(pc)
	t.Exit(pc)
}

// endOfInstruction does what comes after an instruction that has run alone.
func (t *tx) endOfInstruction(pc ir.Val) {
	if t.is(modeRF) {
		// RF is cleared after every instruction (SDM vol. 3, 17.3.1.1) but
		// those that load EFLAGS, which end in a call of their own.
		t.Set(slotFlags, t.BinImm(ir.And, t.Get(ir.I64, slotFlags), ^uint64(flagRF)))
	}
	t.stepTrap(pc)
}

// stepTrap raises the debug traps of the instruction, after which the program
// goes on at pc. Those of a load of SS wait for the next instruction (SDM
// vol. 3, 6.8.3).
func (t *tx) stepTrap(pc ir.Val) {
	if t.is(modeTF|modeDbgData) && !t.loadsSS {
		t.call(hStepTrap, pc, t.imm32(b2u(t.is(modeTF))))
	}
}

// link goes on at pc, in the same mode.
func (t *tx) link(pc uint32) {
	if t.alone {
		t.exit(pc)
		return
	}
	t.Link(uint64(pc))
}

// jumpTo goes on at an address that is a value of the operand size.
func (t *tx) jumpTo(pc ir.Val) {
	pc = t.Conv(ir.I32, pc, false)
	t.checkTarget(pc)
	if t.alone {
		t.exitTo(pc)
		return
	}
	t.Indirect(pc)
}

// checkTarget raises #GP if pc is not within CS.
func (t *tx) checkTarget(pc ir.Val) {
	if t.key.Limit <= 0xffffffff {
		if v, ok := t.IsConst(pc); ok && v < t.key.Limit {
			return
		}
		t.Guard(t.Cmp(ir.Leu, t.Const(ir.I64, t.key.Limit), t.Conv(ir.I64, pc, false)), faultCode(vecGP, 0, true))
	}
}

// target returns where a relative jump goes.
func (t *tx) target() uint32 {
	pc := t.next + t.in.imm
	if t.in.opsize == 2 {
		pc &= 0xffff
	}
	return pc
}

// wraps reports whether a relative jump leads to different places in the pages
// of a unit that moves: wrapped is where.
func (t *tx) wraps() bool { return t.in.opsize == 2 && t.Unit().Moves }

func (t *tx) wrapped() ir.Val { return t.BinImm(ir.And, t.at(t.next+t.in.imm), 0xffff) }

// branch goes to the jump's target if cond is true, else on, in the same unit:
// what is known of the flags stays known.
func (t *tx) branch(cond ir.Val) {
	to := t.target()
	if uint64(to) >= t.key.Limit { // only a taken jump faults
		t.Guard(cond, faultCode(vecGP, 0, true))
		t.link(t.next)
		return
	}
	if t.alone {
		t.exitTo(t.Select(cond, t.at(to), t.at(t.next)))
		return
	}
	if t.wraps() {
		t.jumpTo(t.Select(cond, t.wrapped(), t.at(t.next)))
		return
	}
	n := len(t.Unit().Blocks)
	t.Branch(cond, n, n+1)
	t.ContinueBlock()
	t.Link(uint64(to))
	t.ContinueBlock() // the unit goes on
	t.branches++
}

// --- the stack

// stackMask wraps an offset to the stack's address size.
func (t *tx) stackWrap(v ir.Val) ir.Val {
	if t.is(modeStack32) {
		return v
	}
	return t.BinImm(ir.And, v, 0xffff)
}

func (t *tx) sp() ir.Val { return t.stackWrap(t.Get(ir.I32, slotGPR+rSP)) }

// setSP writes SP or ESP.
func (t *tx) setSP(v ir.Val) {
	if t.is(modeStack32) {
		t.Set(slotGPR+rSP, v)
		return
	}
	t.setReg(rSP, 2, v)
}

// push stores v, of size bytes, and moves the stack pointer.
func (t *tx) push(v ir.Val, size int) {
	sp := t.stackWrap(t.BinImm(ir.Add, t.Get(ir.I32, slotGPR+rSP), -uint64(size)))
	t.store(SS, sp, v, size)
	t.setSP(sp)
}

// peek reads size bytes at depth bytes above the top of the stack.
func (t *tx) peek(depth, size int) ir.Val {
	return t.load(SS, t.stackWrap(t.BinImm(ir.Add, t.sp(), uint64(depth))), size)
}

// drop moves the stack pointer up.
func (t *tx) drop(n int) {
	t.setSP(t.stackWrap(t.BinImm(ir.Add, t.Get(ir.I32, slotGPR+rSP), uint64(n))))
}

// pop is peek and drop.
func (t *tx) pop(size int) ir.Val {
	v := t.peek(0, size)
	t.drop(size)
	return v
}
