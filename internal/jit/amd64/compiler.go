package amd64

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"rhea/internal/ir"
)

// Compiler turns units into code. It is kept and used again: after some use
// it allocates nothing.
type Compiler struct {
	cfg Config
	asm
	u *ir.Unit

	// Jumps are those of the unit that was compiled last. They are numbered
	// from Options.Jump on.
	Jumps     []Jump
	firstJump int
	jumpHigh  int

	site     Site      // that was asked for last
	sites    []siteRef // of the unit
	records  []byte
	recorded int // bytes of records in use

	vec   vecCompiler
	fpu   stackCompiler
	fused fusedLoad
	// probed is the instruction that Probe was last seen in: a store that
	// follows must be done.
	probed   uint64
	accesses int // of Accesses, those before the unit's

	insts []ir.Inst // of u
	byVal []value   // by ir.Val
	vals  []value   // the same, by index of the instruction

	// For analyse: the next Set of each slot, valid where the stamp fits.
	nextSet  [ir.TempBase]int32
	setStamp [ir.TempBase]int32
	stamp    int32
	cands    []int32 // instructions that have a cand
	todo     []int32 // instructions of the run to be lowered, backwards

	// Sets of the current block to slots in memory that are not yet written,
	// and the order they came in.
	pend  [ir.TempBase]ir.Val
	slots []ir.Slot
	early bool // slots may have some that are written: see writeEarly

	// What lies in a slot's own place, and which slots have an entry.
	home  [ir.TempBase][]ir.Val
	homed []ir.Slot
	pin   [ir.TempBase]reg // register of a pinned slot, or noReg
	// special slots are those of the x87 and of MXCSR.
	special [ir.TempBase]bool

	regVal  [16]ir.Val // what a temporary register holds, 0 = free
	held    uint16     // registers that have a regVal
	paged   uint16     // registers that have a page
	pages   [16]page   // the page whose place a register holds
	locked  uint16     // registers in use by the current instruction
	word    int        // next free word of the frame
	regWord [16]uint16 // where the exit stub saves each register

	i       int32  // current instruction
	end     int32  // of the current block
	fixed   uint64 // address of the current access, if isFixed
	isFixed bool
	called  bool   // a helper that may do anything
	unitPC  uint64 // where the unit begins
	unitAt  int    // the same, in the code memory
	base    uint64 // of its segment
	runs    []run
	block   int // current block
	blockAt []int
	jumpsTo []fixup
	cold    []stub
	groups  []group // of all runs
	alone   []alone
	apart   bool // there are no groups
	// Those of the current run.
	groupsFrom, groupsEnd int
	placeStubs            []int // subroutines, by placeStub
	sides                 []side
	copies                []copyOp

	exitStub, entryStub int
	exitVectors         int // saves the registers of vectors first
	farStub             int // goes on at the program counter in EAX, by the table
	lazyAt              int // the subroutine for lazy flags

	// SyncStub is where to enter generated code to have the state of the x87
	// put into the frame (OffResident).
	SyncStub int
	// FaultStub is where a signal handler has flat code go on that has
	// faulted: it leaves with FaultExit. ResumeStub enters it again, to do the
	// access once more: the address is in the word OffResume.
	FaultStub, ResumeStub int
}

// fixup is a rel32 to be patched with a block's place.
type fixup struct{ at, block int }

// locKind says where a value is.
type locKind uint8

const (
	nowhere locKind = iota
	inReg           // a temporary register; perhaps in word, too
	inHome          // in the place of slot
	inWord          // in a word of the frame
)

// value is what is known of an ir.Val.
type value struct {
	need   int32  // index of the last instruction that needs it; 0 = none
	candAt int32  // of a candidate: the Set to the slot
	cand   uint16 // candidate for the slot in whose place it may be computed
	word   uint16 // 0 = none
	slot   ir.Slot
	kind   locKind
	r      reg
	fused  bool // computed by its users
	backed bool // in a register, and still in the place of slot
}

// noCand is no candidate.
const noCand = 0

func candidate(s ir.Slot) uint16 { return uint16(s) + 1 }

// home is the slot of a candidate.
func (v *value) home() ir.Slot { return ir.Slot(v.cand - 1) }

// page is a register that holds what to add to addr's page to get the host's,
// or 0.
// Of a group, it holds the host's place of its beginning.
type page struct {
	addr  ir.Val
	index uint8
	size  uint8
	group bool
}

// stub is a cold piece of code to be written behind the unit.
type stub struct {
	site        uint32
	jump        int32  // the rel32 that leads here
	back        int32  // where to go on
	alone       int32  // 1 + the entry of Compiler.alone, of an access in the group in base
	call        int32  // of one that only calls another; 0 = it leaves
	vectors     uint16 // registers of vectors that it loses
	lost        uint16 // registers with pages that are not known any more
	d           reg    // gets the result, noReg = none
	base, index reg
	points      bool // base + index becomes the place of the result
	once        bool // does not come back
}

// side is what the taken side of a branch does out of line: it writes the
// pending Sets, copies first..end-1, and goes to another unit.
type side struct {
	jump       int
	first, end int
	pc, from   uint64
	vectors    vecState
}

// copyOp is a Set to be written: a register (if r is not noReg), a word (if
// that is not NoWord) or a constant.
type copyOp struct {
	slot, word uint16
	r          reg
	k          uint64
}

// New returns a Compiler.
func New(cfg Config) *Compiler {
	c := &Compiler{cfg: cfg}
	for i := range c.pin {
		c.pin[i] = noReg
	}
	for _, r := range temps {
		c.regWord[r] = saveWord + uint16(r)
	}
	for i, s := range cfg.Slots.Hot {
		if i == MaxPinned {
			break
		}
		c.pin[s] = pinRegs[i]
		c.regWord[pinRegs[i]] = uint16(s)
	}
	c.initVectors()
	c.initSpecial()
	return c
}

// slotMem is the memory of a word of the frame.
func slotMem(w uint16) mem { return at(r15, int32(w)*8) }

// Stubs writes the code that all units share to the beginning of buf. Entry
// is the offset at which generated code is to be entered, to go on at the
// address in the word OffResume.
func (c *Compiler) Stubs(buf []byte) (n, entry int) {
	c.asm = asm{buf: buf, Accesses: c.Accesses, wideGuest: c.cfg.Wide}
	c.exitStub = c.n // called: the return address is that of the site's record
	for _, r := range temps {
		c.rm(opMOVst|wide, r, slotMem(c.regWord[r]))
	}
	for i := range c.cfg.Slots.Hot {
		if i < MaxPinned {
			c.rm(opMOVst|wide, pinRegs[i], slotMem(c.regWord[pinRegs[i]]))
		}
	}
	c.exitLive()
	c.head(0x58+opcode(rax), 0, 0, 0, false) // POP RAX
	c.rm(opMOVst|wide, rax, at(r15, offResume))
	c.movmi(at(r15, offExit), 0)
	c.rm(0xff, 4, at(r15, offLeave)) // JMP
	c.exitVectors = c.n
	for i := range uint16(vecRegs) {
		c.rm(opMOVUPSs, reg(i), slotMem(faultWord+2*i))
	}
	c.patch(c.jmp(), c.exitStub)
	c.vectorStubs()
	c.lazyStub()
	c.SyncStub = c.stackStubs()
	c.farStubs()
	if !c.cfg.Wide {
		c.writePlaceStubs()
	}
	c.entryStub = c.n
	for i := range c.cfg.Slots.Hot {
		if i < MaxPinned {
			c.rm(opMOVload|wide, pinRegs[i], slotMem(c.regWord[pinRegs[i]]))
		}
	}
	for _, r := range temps {
		c.rm(opMOVload|wide, r, slotMem(c.regWord[r]))
	}
	c.rm(0xff, 4, at(r15, offResume))
	if c.cfg.Flat {
		c.flatStubs()
	}
	return c.n, c.entryStub
}

// Options are what a unit is compiled for.
type Options struct {
	// PC is where it begins in a segment with the given base.
	PC, Base uint64
	// Owner is what its sites say of it.
	Owner uint32
	// Jump is the number of its first jump. JumpHigh are upper bits of the numbers,
	// which Link sites do not have: who knows Owner knows them.
	Jump, JumpHigh int
	// Counted units leave, as a poll does, before they exceed the budget.
	Counted bool
	// Apart says that its accesses look up their places each by itself. It is
	// for units whose groups often fail (OffAlone).
	Apart bool
}

// Compile writes the code of u at buf[off:], where buf is the code memory whose
// beginning Stubs has written, and off a Place. It returns how many bytes were
// written; 0 means that there was no room, or that the unit is too large.
func (c *Compiler) Compile(u *ir.Unit, buf []byte, off int, o Options) int {
	c.start(u, o.PC, o.Base)
	c.firstJump, c.jumpHigh = o.Jump, o.JumpHigh
	c.apart = o.Apart || c.cfg.Flat
	c.buf, c.n, c.unitAt = buf, off, off
	if c.full() || !c.compile(o.Counted) { // nothing refers to what it has left
		c.Jumps = c.Jumps[:0]
		c.Accesses = c.Accesses[:c.accesses]
		return 0
	}
	binary.LittleEndian.PutUint64(buf[off-pcBefore:], o.PC-u.Page)
	binary.LittleEndian.PutUint32(buf[off-ownerBefore:], o.Owner)
	return c.n - off
}

// start forgets the unit before.
func (c *Compiler) start(u *ir.Unit, pc, base uint64) {
	c.Jumps = c.Jumps[:0]
	c.sites, c.recorded = c.sites[:0], 0
	c.fused.at, c.probed = -1, ^uint64(0)
	c.accesses = len(c.Accesses)
	c.u, c.insts, c.unitPC, c.base = u, u.Insts, pc, base
	c.blockAt, c.jumpsTo, c.cold = c.blockAt[:0], c.jumpsTo[:0], c.cold[:0]
	c.groups, c.alone = c.groups[:0], c.alone[:0]
	c.sides, c.copies = c.sides[:0], c.copies[:0]
	c.word, c.called = spillWord, false
	c.paged = 0
	c.vec.now, c.vec.head.ok = vecState{}, false
	c.regVal, c.held = [16]ir.Val{}, 0
	for _, s := range c.homed {
		c.home[s] = c.home[s][:0]
	}
	for _, s := range c.slots { // of a unit that was given up
		c.pend[s] = 0
	}
	c.homed, c.slots, c.early = c.homed[:0], c.slots[:0], false
}

// compile writes the unit; false means that it has no room.
func (c *Compiler) compile(counted bool) bool {
	c.analyseAll()
	if counted { // each time around, so that a loop comes here
		c.countDown()
	} else {
		c.beginLoop()
	}
	for len(c.blockAt) < len(c.u.Blocks) {
		c.blockAt = append(c.blockAt, 0)
	}
	for i := range c.runs {
		if !c.run(&c.runs[i]) {
			return false
		}
	}
	for _, f := range c.jumpsTo {
		c.patch(f.at, c.blockAt[f.block])
	}
	for i := range c.sides {
		if c.full() {
			return false
		}
		c.emitSide(&c.sides[i])
	}
	for i := range c.cold {
		if c.full() {
			return false
		}
		c.emitStub(&c.cold[i])
	}
	return c.recordAccesses()
}

// run lowers a run forwards.
func (c *Compiler) run(r *run) bool {
	c.block, c.blockAt[r.first] = r.first, c.n
	c.end = int32(c.u.Blocks[r.last].End)
	for m := c.held; m != 0; m &= m - 1 { // what other blocks need is in words
		c.release(reg(bits.TrailingZeros16(m)))
	}
	c.dropPages()
	if r.first == 0 && c.vec.head.ok {
		c.vec.now = c.vec.head.vecState
	}
	c.groupsFrom, c.groupsEnd = r.groups, r.groupsEnd
	c.fpu.staleCW = false
	list, next := c.todo[r.from:r.to], c.u.Blocks[r.first].End
	for n := len(list) - 1; n >= 0; n-- {
		i := int(list[n])
		if i == next { // a branch's other side, which it has done
			c.block += 2
			next = c.u.Blocks[c.block].End
			continue
		}
		if c.full() || c.word > ir.FrameWords-64 {
			return false
		}
		c.i, c.locked = int32(i), 0
		c.emit(&c.insts[i])
		c.expire()
	}
	return true
}

// expire frees the registers of operands that nobody needs any more.
func (c *Compiler) expire() {
	for m := c.held; m != 0; m &= m - 1 {
		r := reg(bits.TrailingZeros16(m)) & 15
		if p := c.val(c.regVal[r]); p.need <= c.i {
			c.free(r)
			p.kind = nowhere
		}
	}
}

// free says that temporary register r holds no value.
func (c *Compiler) free(r reg) {
	c.regVal[r] = 0
	c.held &^= 1 << r
}

// hold says that v is in temporary register r.
func (c *Compiler) hold(r reg, v ir.Val) {
	c.regVal[r] = v
	c.held |= 1 << r
}

func (c *Compiler) val(v ir.Val) *value { return &c.byVal[v] }

func (c *Compiler) inst(v ir.Val) *ir.Inst { return &c.insts[v-1] }

// pc is where the guest instruction begins that the current one belongs to.
func (c *Compiler) pc() uint64 {
	for i := c.i; i >= 0; i-- {
		if in := &c.insts[i]; in.Op == ir.Insn {
			return in.Imm
		}
	}
	return c.unitPC
}

// bits is the width of a value.
func (c *Compiler) bits(v ir.Val) int { return c.inst(v).Type.Bits() }

// origin looks through what does not change the value's representation.
func (c *Compiler) origin(v ir.Val) ir.Val {
	for c.inst(v).Op == ir.Zext {
		v = c.inst(v).Args[0]
	}
	return v
}

func (c *Compiler) constOf(v ir.Val) (uint64, bool) {
	in := c.inst(c.origin(v))
	return in.Imm, in.Op == ir.Const
}

// imm32 returns the constant that v is, if an instruction of the given width
// can have it as an immediate.
func (c *Compiler) imm32(v ir.Val, bits int) (int32, bool) {
	k, ok := c.constOf(v)
	if !ok {
		return 0, false
	}
	if bits <= 32 {
		return int32(uint32(k)), true
	}
	return int32(k), k == uint64(int64(int32(k)))
}

// --- words and registers

func (c *Compiler) newWord(n int) uint16 {
	c.word += n
	return uint16(c.word - n)
}

// lock keeps r from being taken until the instruction is done.
func (c *Compiler) lock(r reg) reg {
	c.locked |= 1 << r
	return r
}

// temp returns a free temporary register, locked.
func (c *Compiler) temp() reg {
	if free := tempSet &^ (c.locked | c.held | c.paged); free != 0 {
		// The last of temps is the second by number, else the order is the same.
		if first := free &^ (1 << rcx); first != 0 {
			free = first
		}
		return c.lock(reg(bits.TrailingZeros16(free)))
	}
	best, bestNeed := noReg, int32(-1)
	for _, r := range temps {
		if c.locked>>r&1 != 0 {
			continue
		}
		need := int32(1 << 30) // pages go first
		if v := c.regVal[r]; v != 0 {
			need = c.val(v).need
		}
		if need > bestNeed {
			best, bestNeed = r, need
		}
	}
	if best == noReg {
		panic("BUG: amd64: no register is free")
	}
	c.evict(best)
	return c.lock(best)
}

// take makes the register r free, and locks it. Its value moves elsewhere.
func (c *Compiler) take(r reg) {
	if (c.held|c.paged)>>r&1 != 0 {
		c.lock(r)
		c.evict(r)
	}
	c.lock(r)
}

// evict empties a temporary register.
func (c *Compiler) evict(r reg) {
	c.paged &^= 1 << r
	v := c.regVal[r]
	if v == 0 {
		return
	}
	p := c.val(v)
	for _, o := range temps { // another register is cheaper than memory
		if (c.locked|c.held|c.paged)>>o&1 == 0 && o != r {
			c.mov(c.bits(v), o, r)
			c.hold(o, v)
			c.free(r)
			p.r = o
			return
		}
	}
	if p.word == 0 && (p.backed || c.writeEarly(v, r)) {
		p.kind = inHome
		c.free(r)
		return
	}
	c.spill(v)
	c.free(r)
	p.kind = inWord
}

// writeEarly writes a pending Set of v, which is in register r, and leaves v in the
// slot's place: to go to a word of its own would cost as much, and the Set as well.
// It may be one of those that flush is going through: the list stays as it is.
func (c *Compiler) writeEarly(v ir.Val, r reg) bool {
	for _, s := range c.slots {
		if c.pend[s] != v || c.special[s] || !c.homeFreeAt(s, c.i-1) {
			continue
		}
		c.rm(opMOVst|wide, r, slotMem(uint16(s)))
		c.pend[s], c.early = 0, true
		c.vacate(s)
		c.live(int32(v)-1, s)
		return true
	}
	return false
}

// spill makes sure that v, which is in a register, is in a word, too.
func (c *Compiler) spill(v ir.Val) {
	p := c.val(v)
	if p.word == 0 {
		p.word = c.newWord(1)
		c.rm(opMOVst|wide, p.r, slotMem(p.word))
	}
}

// release forgets what is in a register at the beginning of a block.
func (c *Compiler) release(r reg) {
	p := c.val(c.regVal[r])
	c.free(r)
	if p.kind = nowhere; p.word != 0 {
		p.kind = inWord
	}
}

// use returns a register that holds v, locked.
func (c *Compiler) use(v ir.Val) reg {
	v = c.origin(v)
	p := c.val(v)
	in := c.inst(v)
	switch {
	case in.Op == ir.Const:
		r := c.temp()
		c.constant(r, in.Imm)
		return r
	case p.kind == inReg:
		return c.lock(p.r)
	case p.kind == inHome:
		if r := c.pin[p.slot]; r != noReg {
			return c.lock(r)
		}
		r := c.temp()
		c.loadWord(r, uint16(p.slot), in.Type)
		c.settle(v, r)
		p.backed = true
		return r
	case p.kind == inWord:
		r := c.temp()
		c.rm(opMOVload|wide, r, slotMem(p.word))
		p.kind, p.r = inReg, r
		c.hold(r, v)
		return r
	}
	panic(fmt.Sprintf("BUG: amd64: v%d (%s) is nowhere", v, in.Op))
}

// constant loads a constant; the flags are not kept.
func (c *Compiler) constant(r reg, k uint64) {
	if k == 0 {
		c.alu(aluXOR, 32, r, r)
		return
	}
	c.movi(r, k)
}

// loadWord reads an integer of type t from a word of the frame.
func (c *Compiler) loadWord(r reg, w uint16, t ir.Type) {
	switch t {
	case ir.I8:
		c.rm(opMOVZX8, r, slotMem(w))
	case ir.I16:
		c.rm(opMOVZX16, r, slotMem(w))
	case ir.I32:
		c.rm(opMOVload, r, slotMem(w))
	default:
		c.rm(opMOVload|wide, r, slotMem(w))
	}
}

// settle says that v, until now in a home, is in temporary register r.
func (c *Compiler) settle(v ir.Val, r reg) {
	p := c.val(v)
	p.kind, p.r = inReg, r
	c.hold(r, v)
	c.afterDef(v)
}

// afterDef puts a value that other blocks need into a word.
func (c *Compiler) afterDef(v ir.Val) {
	if c.val(v).need >= c.end && c.inst(v).Type != ir.V128 {
		c.spill(v)
	}
}

// leaves reports whether another block needs the value of instruction i.
func (c *Compiler) leaves(i int32) bool { return c.vals[i].need >= c.end }

// live notes that the value of instruction i is in s's own place.
func (c *Compiler) live(i int32, s ir.Slot) {
	c.vals[i].kind, c.vals[i].slot, c.vals[i].backed = inHome, s, false
	if len(c.home[s]) == 0 {
		c.homed = append(c.homed, s)
	}
	c.home[s] = append(c.home[s], ir.Val(i+1))
}

// homeFree reports whether nothing that is in s's place is needed after the
// current instruction.
func (c *Compiler) homeFree(s ir.Slot) bool { return c.homeFreeAt(s, c.i) }

// homeFreeAt is homeFree after the instruction at i.
func (c *Compiler) homeFreeAt(s ir.Slot, i int32) bool {
	for _, v := range c.home[s] {
		if p := c.val(v); p.kind == inHome && p.slot == s && p.need > i {
			return false
		}
	}
	return true
}

// vacate moves what is in s's place and needed after the current instruction
// elsewhere.
func (c *Compiler) vacate(s ir.Slot) {
	for _, v := range c.home[s] {
		p := c.val(v)
		if p.slot != s {
			continue
		}
		p.backed = false
		if p.kind != inHome || p.need <= c.i {
			continue
		}
		t := c.inst(v).Type
		if t == ir.V128 {
			p.word = c.newWord(2)
			c.copy128(p.word, uint16(s))
			p.kind = inWord
			continue
		}
		r := c.temp()
		if pr := c.pin[s]; pr != noReg {
			c.mov(t.Bits(), r, pr)
		} else {
			c.loadWord(r, uint16(s), t)
		}
		c.settle(v, r)
		c.locked &^= 1 << r
	}
	c.home[s] = c.home[s][:0]
}

// copy128 copies two words of the frame.
func (c *Compiler) copy128(d, s uint16) {
	c.vstore(d, c.vload(s))
}

// dest returns the register in which to compute the value of the current
// instruction. Like is a register that would save a copy, if the value in it
// is not needed any more; noReg = none.
func (c *Compiler) dest(like reg) reg {
	v := &c.vals[c.i]
	if v.cand != noCand && c.pin[v.home()] != noReg && !c.leaves(c.i) && c.homeFree(v.home()) {
		s := v.home()
		c.home[s] = c.home[s][:0]
		c.live(c.i, s)
		return c.lock(c.pin[s])
	}
	if like != noReg && c.isTemp(like) && c.paged>>like&1 == 0 {
		o := c.regVal[like]
		if o == 0 || c.val(o).need <= c.i {
			if o != 0 {
				c.val(o).kind = nowhere
			}
			c.own(like)
			return like
		}
	}
	r := c.temp()
	c.own(r)
	return r
}

func (c *Compiler) isTemp(r reg) bool { return c.regWord[r] >= ir.TempBase && r != r15 && r != rsp }

// own says that the current instruction's value is in temporary register r.
func (c *Compiler) own(r reg) {
	v := &c.vals[c.i]
	v.kind, v.r, v.word = inReg, r, 0
	c.hold(r, ir.Val(c.i+1))
}

// done is called when the current instruction's value is in its register.
func (c *Compiler) done() { c.afterDef(ir.Val(c.i + 1)) }

// dropPages forgets all places of pages, and vectors.
func (c *Compiler) dropPages() {
	c.dropVectors()
	c.fpu.now = stackUnknown
	c.paged = 0
}
