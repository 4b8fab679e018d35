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
	pc   uint64 // of in
	next uint64 // of the instruction after in
	long bool   // 64-bit mode
	// alone: the unit is left for the vCPU loop after this instruction
	// (single step, interrupt shadow, RF).
	alone    bool
	loadsSS  bool
	branches int // that the unit has gone beyond
	copies   int // of the loop that the unit is, with this one; 0 = it is none
	left     int // instructions that the unit may still have, with this one
	// old is what an instruction that is atomic for other threads has read and
	// is to write; 0 = none.
	old ir.Val
	cc  cc
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

// A loop is in a unit at most maxCopies times, as long as it has not more than
// maxUnrolled instructions then.
const (
	maxCopies   = 8
	maxUnrolled = 32
)

// fetchStep is how much code is fetched at a time: most units are shorter.
const fetchStep = 64

// translator is the part of a CPU that translation reuses.
type translator struct {
	tx   tx
	code [64 + 4096]byte
}

// FetchIndex implements guest.MMU.
func (c *CPU) FetchIndex() int {
	if c.cpl == 3 {
		return mmuUser
	}
	return mmuKernel
}

// Moves implements guest.Translator.
func (c *CPU) Moves(k guest.Key) bool {
	if c.wide { // slots are those of 64-bit mode
		return k.Mode&modeLong != 0
	}
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
		c.finish(c.s.IP + uint64(f.Code))
		return
	case guardAgain:
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
func (c *CPU) finish(next uint64) {
	if c.mode&(modeCode32|modeLong) == 0 && c.s.Seg[CS].Limit <= 0xffff {
		next &= 0xffff
	}
	c.s.IP = next
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
	size := CodeSize(k)
	*t = tx{Builder: b, c: c, maps: mapsOf(size), key: k, pc: k.PC, long: size == 8}
	t.alone = k.Mode&(modeTF|modeShadow|modeRF|modeDbgData|modeFIgnore) != 0
	if t.alone {
		limit = 1
	}
	u := b.Unit()
	first := k.PC + k.Base
	if !t.long {
		first &= 0xffffffff
	}
	buf := c.tr.code[:]
	// What is left of the page, as far as it is needed, and a longest
	// instruction beyond it if that begins near its end.
	left, have := int(0x1000-first&0xfff), 0
	for n := 0; n < limit && b.Open() && (t.copies != 0 || t.branches == 0 || t.branches < maxBranches && n < maxBeyond); n++ {
		t.left = limit - n
		if t.branches != 0 && t.copies == 0 {
			t.left = min(t.left, maxBeyond-n)
		}
		if t.pc-k.PC >= uint64(left) { // or it has wrapped
			break
		}
		off := int(t.pc - k.PC)
		if off+maxLength > have && have < left {
			more, fault := code.FetchCode(first+uint64(have), buf[have:min(have+fetchStep, left)])
			if have += more; have == 0 {
				return fault
			}
		}
		in := &t.in
		err := in.decode(t.maps, buf[off:min(have, off+maxLength)], size)
		if err != nil && have-off < maxLength {
			if n > 0 { // let a unit of its own begin here
				break
			}
			more, f := code.FetchCode(first+uint64(have), buf[have:have+maxLength])
			have += more
			err = in.decode(t.maps, buf[off:min(have, off+maxLength)], size)
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
		if !t.long && t.pc+uint64(len(in.bytes)) > k.Limit {
			t.begin()
			t.raise(vecGP, 0, true)
			break
		}
		t.begin()
		t.one()
		if n := int(t.next - k.PC); t.copies == 0 || n > u.Bytes {
			u.Bytes = n
		}
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
	t.next = t.pc + uint64(n)
	switch {
	case t.long:
	case t.key.Mode&modeCode32 == 0 && t.key.Limit <= 0x10000:
		t.next &= 0xffff
	default:
		t.next &= 0xffffffff
	}
	t.Insn(t.pc)
	t.old = 0
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
	in, err := decode(code, 2)
	return err == nil && in.enc != nil && in.lockable()
}

// --- values

func (t *tx) imm32(v uint64) ir.Val { return t.Const(ir.I32, v) }

// word is the type of addresses and of whole general registers: of 64 bits in
// 64-bit mode, else of 32.
func (t *tx) word() ir.Type {
	if t.long {
		return ir.I64
	}
	return ir.I32
}

// imm makes a constant of that type.
func (t *tx) imm(v uint64) ir.Val { return t.Const(t.word(), v) }

// gpr reads a whole general register, setGPR writes one.
func (t *tx) gpr(r int) ir.Val                 { return t.Get(t.word(), slotGPR+ir.Slot(r)) }
func (t *tx) setGPR(r int, v ir.Val)           { t.Set(slotGPR+ir.Slot(r), v) }
func (t *tx) addImm(v ir.Val, n uint64) ir.Val { return t.BinImm(ir.Add, v, n) }

// at is a program counter.
func (t *tx) at(pc uint64) ir.Val {
	if t.Unit().Moves {
		return t.PC(pc)
	}
	return t.imm(pc)
}

func (t *tx) is(mode uint64) bool { return t.key.Mode&mode != 0 }

func (t *tx) cpl() int { return int(t.key.Mode & modeCPL >> modeCPLPos) }

// mmu is the MMU index of the program's accesses.
func (t *tx) mmu() int { return indexOf(t.key.Mode) }

// byteReg returns the register that byte register r is in, and whether it is
// its second byte: without a REX prefix 4..7 are AH..BH.
func (t *tx) byteReg(r int) (reg, pos int) {
	if t.in.rex == 0 && r >= 4 {
		return r & 3, 8
	}
	return r, 0
}

// reg reads a general register of size bytes.
func (t *tx) reg(r, size int) ir.Val {
	if size == 1 {
		r, pos := t.byteReg(r)
		return t.Extract(ir.I8, t.gpr(r), pos, 8)
	}
	return t.Conv(ir.IntType(size), t.gpr(r), false)
}

// setReg writes one. In 64-bit mode 32 bits clear those above.
func (t *tx) setReg(r, size int, v ir.Val) {
	switch size {
	case 1:
		r, pos := t.byteReg(r)
		t.setGPR(r, t.Deposit(t.gpr(r), v, pos, 8))
	case 2:
		t.setGPR(r, t.Deposit(t.gpr(r), v, 0, 16))
	default:
		t.setGPR(r, t.Conv(t.word(), v, false))
	}
}

// ea computes the offset of the memory operand, within the address size.
func (t *tx) ea() ir.Val {
	in := &t.in
	var v ir.Val
	switch {
	case in.base < 0 && in.index < 0:
		v = t.imm(in.disp)
		if in.relative {
			v = t.at(t.next + in.disp)
		}
	case in.index < 0:
		v = t.addImm(t.gpr(in.base), in.disp)
	case in.base < 0:
		v = t.addImm(t.BinImm(ir.Shl, t.gpr(in.index), uint64(in.scale)), in.disp)
	default: // (base + index) + disp
		b := t.gpr(in.base)
		x := t.BinImm(ir.Shl, t.gpr(in.index), uint64(in.scale))
		v = t.addImm(t.Bin(ir.Add, b, x), in.disp)
	}
	return t.wrap(v)
}

// wrap takes an offset modulo the address size.
func (t *tx) wrap(v ir.Val) ir.Val {
	switch {
	case t.in.adsize == 2:
		return t.BinImm(ir.And, v, 0xffff)
	case t.long && t.in.adsize == 4:
		return t.Conv(ir.I64, t.Conv(ir.I32, v, false), false)
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
		lin = t.Bin(ir.Add, t.Get(t.word(), s+segBase), off)
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
		l.reg = t.in.inOpcode
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
		v := t.Load(l.addr, ir.Mem{Size: l.size, Index: t.mmu(), RMW: true})
		if t.locked() {
			t.old = v
		}
		return v
	}
	return t.reg(l.reg, l.size)
}

func (t *tx) put(l loc, v ir.Val) {
	if l.mem {
		if t.old != 0 {
			t.swap(l.addr, t.old, v, l.size)
			return
		}
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
	case kindB:
		return t.reg(in.vvvv, size)
	case kindZ:
		return t.reg(in.inOpcode, size)
	case kindI, kindSI:
		if o.kind == kindSI || o.most != 0 {
			size = in.opsize
		}
		return t.Const(ir.IntType(size), in.imm)
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
	case kindB:
		t.setReg(in.vvvv, size, v)
	case kindZ:
		t.setReg(in.inOpcode, size, v)
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
func (t *tx) exit(pc uint64) { t.exitTo(t.at(pc)) }

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
func (t *tx) link(pc uint64) {
	if t.alone {
		t.exit(pc)
		return
	}
	t.Link(pc)
}

// jumpTo goes on at an address that is a value of the operand size.
func (t *tx) jumpTo(pc ir.Val) {
	pc = t.Conv(t.word(), pc, false)
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
func (t *tx) target() uint64 {
	pc := t.next + t.in.imm
	switch {
	case t.long:
	case t.in.opsize == 2:
		pc &= 0xffff
	default:
		pc &= 0xffffffff
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
	if to >= t.key.Limit { // only a taken jump faults
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
	if t.again(to) {
		t.side(t.not(cond), t.next)
		t.next = to
		return
	}
	t.side(cond, to)
	t.branches++
	if to == t.key.PC && t.copies != 0 { // enough of it
		t.link(t.next)
	}
}

// side leaves the unit for pc if cond is true. Else it goes on.
func (t *tx) side(cond ir.Val, pc uint64) {
	n := len(t.Unit().Blocks)
	t.Branch(cond, n, n+1)
	t.ContinueBlock()
	t.Link(pc)
	t.ContinueBlock()
}

// again reports whether a jump to an address is one back to the unit's beginning
// that the unit is to go on with.
func (t *tx) again(to uint64) bool {
	u := t.Unit()
	if to != t.key.PC || 2*u.Guest > maxUnrolled*max(t.copies, 1) {
		return false
	}
	if u.Loops = true; !u.Unroll {
		return false
	}
	if t.copies == 0 {
		t.copies = 1
	}
	u.Bytes = max(u.Bytes, int(t.next-t.key.PC))
	size := u.Guest / t.copies
	t.copies++
	return t.copies <= min(maxCopies, maxUnrolled/size)
}

// --- the stack

// stackMask wraps an offset to the stack's address size.
func (t *tx) stackWrap(v ir.Val) ir.Val {
	if t.is(modeStack32 | modeLong) {
		return v
	}
	return t.BinImm(ir.And, v, 0xffff)
}

func (t *tx) sp() ir.Val { return t.stackWrap(t.gpr(rSP)) }

// setSP writes SP, ESP or RSP.
func (t *tx) setSP(v ir.Val) {
	if t.is(modeStack32 | modeLong) {
		t.setGPR(rSP, v)
		return
	}
	t.setReg(rSP, 2, v)
}

// push stores v, of size bytes, and moves the stack pointer.
func (t *tx) push(v ir.Val, size int) {
	sp := t.stackWrap(t.addImm(t.gpr(rSP), -uint64(size)))
	t.store(SS, sp, v, size)
	t.setSP(sp)
}

// peek reads size bytes at depth bytes above the top of the stack.
func (t *tx) peek(depth, size int) ir.Val {
	return t.load(SS, t.stackWrap(t.BinImm(ir.Add, t.sp(), uint64(depth))), size)
}

// drop moves the stack pointer up.
func (t *tx) drop(n int) {
	t.setSP(t.stackWrap(t.addImm(t.gpr(rSP), uint64(n))))
}

// pop is peek and drop.
func (t *tx) pop(size int) ir.Val {
	v := t.peek(0, size)
	t.drop(size)
	return v
}
