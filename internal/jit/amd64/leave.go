package amd64

import (
	"encoding/binary"
	"math/bits"

	"rhea/internal/ir"
)

// This file has what leaves a unit, or may: accesses to memory, guards, calls
// and ends.

// wordOf returns the word in which Go finds v after an exit.
func (c *Compiler) wordOf(v ir.Val) uint16 {
	p := c.val(v)
	switch p.kind {
	case inReg:
		return c.regWord[p.r]
	case inHome:
		return uint16(p.slot)
	case inWord:
		return p.word
	}
	panic("BUG: amd64: pending value is nowhere")
}

func (c *Compiler) emitStub(s *stub) {
	if s.call != 0 {
		c.emitCallStub(s)
		return
	}
	c.here(int(s.jump))
	if s.alone != 0 {
		c.emitAlone(s)
	}
	if s.once {
		c.leaveTo(s.site, noReg, 0, 0)
		return
	}
	if v := &c.sites[s.site].vectors; v.cached == 0 && !v.live && !s.points {
		c.leaveTo(s.site, s.d, s.lost, int(s.back))
		return
	}
	c.leaveTo(s.site, s.d, s.lost, 0)
	c.restoreVectors(s.site)
	c.stubPoints(s)
	c.patch(c.jmp(), int(s.back))
}

// linear returns a register with the address v. It is locked, and not changed
// by the access.
func (c *Compiler) linear(v ir.Val) reg {
	base, index, scale, disp, ok := c.address(v)
	if !ok || !c.val(v).fused {
		c.fixed, c.isFixed = c.constOf(v)
		return c.use(v)
	}
	c.isFixed = false
	m := c.memOf(base, index, scale, disp)
	if m.index == noReg && m.disp == 0 && m.base != noReg {
		return m.base
	}
	r := c.temp()
	switch {
	case m.base == noReg && m.index == noReg:
		c.fixed, c.isFixed = uint64(int64(m.disp))&c.u.Inst(v).Type.Mask(), true
		c.constant(r, c.fixed)
	default:
		c.rm(opLEA|w(c.bits(v)), r, m)
	}
	return r
}

// lookup finds out where the host has the n bytes at the address in a: d gets
// what to add to a. Its jump, a rel32, leads to the stub if they cannot be
// accessed directly.
func (c *Compiler) lookup(d, a reg, n int, table int32) (jump int32) {
	if c.cfg.Wide {
		return c.lookupWide(d, a, n, table)
	}
	if c.isFixed && c.fixed&0xfff+uint64(n) <= 0x1000 && c.fixed < 1<<32 {
		c.rm(opMOVload|wide, d, at(r15, table+int32(c.fixed>>12)*8))
		c.rr(opTEST|wide, d, d)
		return int32(c.jcc(ccE))
	}
	// This is half of all code: it is put together by the word.
	hi, lo := uint64(d>>3), uint64(d&7)
	if n > 1 {
		// The page of the last byte must be that of the first. If it is not, it
		// is above: CF is set (the sum has 33 bits).
		t := c.temp()
		c.rm(opLEA|wide, t, at(a, int32(n-1)))
		c.locked &^= 1 << t
		c.put2(opMOVload, d, a, 0, 0)
		c.put(0x0c_e8_c1_48|uint64(t>>3)|uint64(t&7)<<16, 4)    // SHR t, 12
		c.put2(0xc1, shSHR, d, 12, 1)                           // SHR d, 12
		c.put2(opALU|aluCMP<<3, d, t, 0x75|(tableLoad+3)<<8, 2) // CMP d, t; JNE to the JBE
	} else {
		c.put2(opMOVload, d, a, 0, 0)
		c.put2(0xc1, shSHR, d, 12, 1)
	}
	c.put(0xc784_8b49|hi*6|lo<<19|lo<<27|uint64(uint32(table))<<32, tableLoad) // MOV d, [R15 + 8*d + table]
	c.put(0x860f_c0_85_48|hi*5|lo<<19|lo<<16, 3+2+4)                           // TEST d, d; JBE
	return int32(c.n - 4)
}

// lookupWide is lookup in a table with tags. That of a's page is not that of
// the last byte's if these are different pages.
func (c *Compiler) lookupWide(d, a reg, n int, table int32) int32 {
	t := c.temp()
	c.mov(32, d, a)
	c.shifti(shSHR, 32, d, 12-4)
	c.alui(aluAND, 32, d, (TLBSize-1)<<4)
	if n > 1 {
		c.rm(opLEA|wide, t, at(a, int32(n-1)))
	} else {
		c.mov(64, t, a)
	}
	c.alui(aluAND, 64, t, -0x1000)
	c.rm(opALU|aluCMP<<3|wide, t, mem{base: r15, index: d, disp: table})
	c.locked &^= 1 << t
	j := int32(c.jcc(ccNE))
	c.rm(opMOVload|wide, d, mem{base: r15, index: d, disp: table + 8})
	return j
}

// tableLoad is the length of the instruction that loads from a table of pages.
const tableLoad = 8

// pageFor returns a register that says where address v's page is: one that
// an earlier access has left, or a new one.
func (c *Compiler) pageFor(v ir.Val, m ir.Mem, a reg, write bool) (r reg, jump int32) {
	for set := c.paged; set != 0; set &= set - 1 {
		r := reg(bits.TrailingZeros16(set)) & 15
		if p := &c.pages[r]; p.addr == v && !p.group && int(p.index) == m.Index && int(p.size) >= m.Size {
			c.lock(r)
			c.rr(opTEST|wide, r, r)
			return r, int32(c.jcc(ccE))
		}
	}
	table := c.cfg.Read
	if write {
		table = c.cfg.Write
	}
	r = c.temp()
	return r, c.lookup(r, a, m.Size, table[m.Index])
}

// Moves between memory and registers, by log2 of the size.
var (
	loadOps  = [...]opcode{opMOVZX8, opMOVZX16, opMOVload, opMOVload | wide}
	storeOps = [...]opcode{opMOVst8, opMOVst | pfx66, opMOVst, opMOVst | wide}

	storeImmOps = [...]opcode{0xc6, 0xc7 | pfx66, 0xc7, 0xc7 | wide}
)

func log2(n int) int { return bits.TrailingZeros8(uint8(n)) }

func (c *Compiler) load(in *ir.Inst) {
	m := ir.MemOf(in.Imm)
	if c.cfg.Flat {
		c.loadFlat(in, m)
		return
	}
	if c.fuseLoad(m, in.Args[0]) {
		return
	}
	st := stub{d: noReg}
	if s, ok := c.share(in.Args[0], m); ok {
		d := c.dest(noReg)
		to, a := c.place(&s, m.RMW, &st)
		a.op, a.x = loadOps[log2(m.Size)], d
		c.moveAlone(a, to)
		st.site, st.d, st.lost = c.loadSite(m, s.r, NoWord), d, c.paged
		st.back = int32(c.n)
		c.cold = append(c.cold, st)
		c.done()
		return
	}
	a := c.linear(in.Args[0])
	if m.Size == 16 {
		w := c.vdest()
		r := c.temp()
		st.jump = c.lookup(r, a, 16, c.cfg.Read[m.Index])
		st.site, st.lost = c.loadSite(m, a, w), c.paged
		k := c.vreg(w)
		c.rm(opMOVUPSl, k, mem{base: r, index: a})
		c.vstore(w, k)
		c.sites[st.site].vectors.cached |= c.vec.now.cached // Go has written the words
		c.after128(&st, w)
		return
	}
	if m.RMW {
		// The store that follows finds the page's place in r.
		r := c.temp()
		d := c.dest(noReg)
		lost := c.paged
		st.jump = c.lookup(r, a, m.Size, c.cfg.Write[m.Index])
		st.site, st.d, st.lost = c.loadSite(m, a, NoWord), d, lost
		if !m.Probe {
			c.rm(loadOps[log2(m.Size)], d, mem{base: r, index: a})
		}
		st.back = int32(c.n)
		if d != r && c.regVal[r] == 0 {
			c.pages[r] = page{addr: in.Args[0], index: uint8(m.Index), size: uint8(m.Size)}
			c.paged |= 1 << r
			st.lost |= 1 << r
		}
		c.cold = append(c.cold, st)
		c.done()
		return
	}
	r := c.temp()
	d := c.dest(r)
	st.jump = c.lookup(r, a, m.Size, c.cfg.Read[m.Index])
	st.site, st.d, st.lost = c.loadSite(m, a, NoWord), d, c.paged
	c.rm(loadOps[log2(m.Size)], d, mem{base: r, index: a})
	st.back = int32(c.n)
	c.cold = append(c.cold, st)
	c.done()
}

// after128 ends a load of 16 bytes: the stub's result is in memory already.
func (c *Compiler) after128(st *stub, w uint16) {
	st.back = int32(c.n)
	c.cold = append(c.cold, *st)
}

func (c *Compiler) store(in *ir.Inst) {
	m := ir.MemOf(in.Imm)
	if c.cfg.Flat {
		c.storeFlat(in, m)
		return
	}
	st := stub{d: noReg}
	if m.Size == 16 {
		v := c.origin(in.Args[1])
		w := c.vword(v)
		x := c.vload(w)
		a := c.linear(in.Args[0])
		r := c.temp()
		st.jump = c.lookup(r, a, 16, c.cfg.Write[m.Index])
		st.site, st.lost = c.storeSite(m, a, w), c.paged
		c.rm(opMOVUPSs, x, mem{base: r, index: a})
		c.after128(&st, w)
		return
	}
	if half, ok := c.fusedHalf(in); ok {
		c.storeHalf(in, half)
		return
	}
	v := c.stored(in)
	bits := m.Size * 8
	k, isConst := c.constOf(v)
	if isConst && bits == 64 && k != uint64(int64(int32(k))) {
		isConst = false
	}
	x := noReg
	if !isConst {
		x = c.use(v)
	}
	if s, ok := c.share(in.Args[0], m); ok {
		to, a := c.place(&s, true, &st)
		if isConst {
			a.op, a.isImm, a.imm = storeImmOps[log2(m.Size)], true, int32(uint32(k))
			st.site = c.storeConstSite(m, s.r, k&(^uint64(0)>>(64-bits)))
		} else {
			a.op, a.x = storeOps[log2(m.Size)], x
			st.site = c.storeSite(m, s.r, c.regWord[x])
		}
		c.moveAlone(a, to)
		st.lost, st.back = c.paged, int32(c.n)
		c.cold = append(c.cold, st)
		return
	}
	a := c.linear(in.Args[0])
	r, jump := c.pageFor(in.Args[0], m, a, true)
	st.jump = jump
	to := mem{base: r, index: a}
	if isConst {
		c.storeConst(to, m.Size, k)
		st.site = c.storeConstSite(m, a, k&(^uint64(0)>>(64-bits)))
	} else {
		c.rm(storeOps[log2(m.Size)], x, to)
		st.site = c.storeSite(m, a, c.regWord[x])
	}
	st.lost, st.back = c.paged, int32(c.n)
	c.cold = append(c.cold, st)
}

// storeConst stores a constant of size bytes.
func (c *Compiler) storeConst(to mem, size int, k uint64) {
	switch size {
	case 1:
		c.rm(0xc6, 0, to)
		c.byte(byte(k))
	case 2:
		c.rm(0xc7|pfx66, 0, to)
		c.put(k&0xffff, 2)
	case 4:
		c.movmi32(to, int32(uint32(k)))
	default:
		c.movmi(to, int32(k))
	}
}

func (c *Compiler) guard(in *ir.Inst) {
	cc := c.condition(in.Args[0])
	j := c.jcc(cc)
	c.begin(Guard, 0)
	c.number(in.Imm)
	c.pcNumber(c.pc())
	c.cold = append(c.cold, stub{site: c.finish(true), jump: int32(j), once: true})
}

func (c *Compiler) call(in *ir.Inst) {
	id, flags := ir.CallOf(in.Imm)
	if z := c.cfg.Slots.Lazy; z != nil && id == z.Helper {
		c.lazyFlags(in)
		return
	}
	if k := c.cfg.Slots.Cas; c.cfg.Flat && k != 0 && id >= k && id < k+4 {
		c.casFlat(in, 1<<(id-k))
		return
	}
	pure := flags&ir.Pure != 0
	var regs [3]reg
	n := in.NArgs()
	for j := range n {
		if _, ok := c.constOf(in.Args[j]); !ok {
			regs[j] = c.use(in.Args[j])
		}
	}
	if !pure {
		c.flush()
		for _, s := range c.homed { // the helper may change any slot
			c.vacate(s)
		}
		c.homed = c.homed[:0]
		vectors := c.vec.now // what the site has to settle
		c.dropPages()
		c.vec.now = vectors
		c.called = c.called || flags&ir.NoStop == 0
	}
	d := noReg
	if in.Type != ir.Void && c.vals[c.i].need != 0 {
		d = c.dest(noReg)
	}
	var how byte
	if flags&(ir.Pure|ir.NoStop) != 0 {
		how |= sitePure
	}
	if flags&(ir.Pure|ir.KeepsStack) != 0 {
		how |= siteKeeps
	}
	if n != 0 {
		how |= siteWrites
	}
	c.begin(Call, how)
	c.number(uint64(id))
	c.pcNumber(c.pc())
	if n != 0 {
		c.number(uint64(n))
	}
	for j := range n {
		if k, ok := c.constOf(in.Args[j]); ok {
			c.writeOf(0, k)
		} else {
			c.writeFrom(0, c.regWord[regs[j]])
		}
	}
	c.leaveTo(c.finish(false), d, 0, 0)
	c.dropVectors()
	if d != noReg {
		c.done()
	}
}

// --- ends

func (c *Compiler) jump(in *ir.Inst) {
	t, _ := in.Targets()
	first := c.u.Blocks[t].First
	n := in.NArgs()
	var regs [4]reg
	for j := range n {
		regs[j] = c.use(in.Args[j])
	}
	c.flush()
	for j := range n {
		p := &c.vals[first+j]
		if p.word == 0 {
			p.word = c.newWord(1)
		}
		c.rm(opMOVst|wide, regs[j], slotMem(p.word))
	}
	c.storeVectors(^uint16(0))
	c.goTo(t)
}

// goTo jumps to another block, unless that follows.
func (c *Compiler) goTo(block int) {
	if block == c.block+1 {
		return
	}
	c.jumpsTo = append(c.jumpsTo, fixup{c.jmp(), block})
}

func (c *Compiler) branch(in *ir.Inst) {
	yes, no := in.Targets()
	// What the condition needs must survive the flush.
	k := c.inst(in.Args[0])
	if c.val(in.Args[0]).fused {
		c.useCompared(k)
	} else {
		c.use(in.Args[0])
	}
	if c.isSide(c.block) && int32(c.u.Blocks[c.block].End) != c.end {
		c.sideBranch(in)
		return
	}
	c.flush()
	c.storeVectors(^uint16(0))
	cc := c.condition(in.Args[0])
	next := c.block + 1
	if yes == next {
		c.jumpsTo = append(c.jumpsTo, fixup{c.jcc(cc ^ 1), no})
		return
	}
	c.jumpsTo = append(c.jumpsTo, fixup{c.jcc(cc), yes})
	c.goTo(no)
}

// sideBranch goes to another unit if the branch is taken. Pending Sets are
// written on that side only.
func (c *Compiler) sideBranch(in *ir.Inst) {
	yes, _ := in.Targets()
	pc := c.insts[c.u.Blocks[yes].First].Imm
	c.flushVectors()
	c.untangle()
	cc := c.condition(in.Args[0])
	from := c.pc()
	s := side{first: len(c.copies), pc: pc, from: from, vectors: c.vec.now}
	c.copyPending()
	s.end = len(c.copies)
	if pc > from { // not often taken
		s.jump = c.jcc(cc)
		c.sides = append(c.sides, s)
		return
	}
	over := c.jcc(cc ^ 1)
	c.emitCopies(c.copies[s.first:])
	c.linkTo(pc, from)
	c.here(over)
	c.vec.now = s.vectors
}

// flushVectors writes the pending Sets of vectors but constants: values may lie in
// registers.
func (c *Compiler) flushVectors() {
	list := c.vec.list[:0]
	for _, s := range c.slots {
		if v := c.pend[s]; v != 0 && c.inst(v).Type == ir.V128 && c.inst(v).Op != ir.VConst {
			list = append(list, s)
		}
	}
	c.vec.list = list
	c.flushSlots(list...)
}

func (c *Compiler) emitSide(s *side) {
	c.here(s.jump)
	c.vec.now = s.vectors
	c.emitCopies(c.copies[s.first:s.end])
	c.linkTo(s.pc, s.from)
}

// poll jumps if something is to be looked at; it returns the place of the rel8.
func (c *Compiler) poll() int {
	c.alumi(aluCMP, 32, at(r15, offPoll), 0)
	return c.jcc8(ccNE)
}

// countDown counts the unit's instructions.
func (c *Compiler) countDown() {
	budget := at(r15, offBudget)
	c.alumi(aluSUB, 64, budget, int32(c.u.Guest))
	ok := c.jcc8(ccNS)
	c.alumi(aluADD, 64, budget, int32(c.u.Guest))
	c.leaveTo(c.pcSite(Poll, c.unitPC), noReg, 0, 0)
	c.here8(ok)
}

// linkTo jumps from the instruction at from to the unit at pc. Whatever loops
// has a jump to a lower address, or an indirect one: these poll. So do units
// with helpers that may have done something that is to be looked at at once.
func (c *Compiler) linkTo(pc, from uint64) {
	loops := pc == c.unitPC && c.vec.head.ok
	if loops {
		c.toHead()
	} else {
		c.leaveVectors()
	}
	poll := 0
	if pc <= from || c.called {
		poll = c.poll()
	}
	// The temporaries are free now.
	switch far := c.isFar(pc); {
	case far && c.u.Moves && c.cfg.Flat:
		c.farLink(pc)
		if poll == 0 {
			return
		}
		c.begin(Link, 0)
		c.pcNumber(pc)
	case far && c.u.Moves:
		if page := slotMem(uint16(c.cfg.Slots.Page)); c.cfg.Wide {
			c.movi(rax, pc-c.u.Page)
			c.rm(opALU|aluADD<<3|wide, rax, page)
		} else {
			c.rm(opMOVload, rax, page)
			c.alui(aluADD, 32, rax, int32(uint32(pc-c.u.Page)))
		}
		c.patch(c.jmp(), c.farStub)
		if poll == 0 {
			return
		}
		c.begin(Link, 0)
		c.pcNumber(pc)
	case far: // what lies there may change without this unit's knowing
		c.here8(c.farJump(pc))
		c.begin(Link, 0)
		c.pcNumber(pc)
	default:
		c.align(1)
		j := Jump{PC: pc, At: c.jmp()} // to what follows
		var how byte = siteNear
		if loops {
			how |= siteLoop
		}
		c.begin(Link, how)
		c.pcNumber(pc)
		c.number(uint64(c.firstJump + len(c.Jumps)))
		if loops {
			c.number(uint64(c.vec.head.at - c.unitAt))
		}
		c.Jumps = append(c.Jumps, j)
	}
	if poll != 0 {
		c.here8(poll)
	}
	c.leaveTo(c.finish(false), noReg, 0, 0)
}

// farLink jumps from a unit that moves to the one at pc, in another page, in memory
// that is the host's: there a unit has one address only, and the jump may lead to
// it as long as nothing is mapped anew. Until it does it goes by the table.
func (c *Compiler) farLink(pc uint64) {
	bits := 32
	if c.cfg.Wide {
		bits = 64
	}
	page, number := slotMem(uint16(c.cfg.Slots.Page)), 0
	if d := int64(pc&^0xfff - c.u.Page); bits == 32 || d == int64(int32(d)) {
		if d != 0 {
			c.alumi(aluADD, bits, page, int32(d))
		}
		c.align(1)
		number = c.jumpHigh | c.firstJump + len(c.Jumps)
		c.Jumps = append(c.Jumps, Jump{PC: pc, At: c.jmp()}) // to what follows
		pc -= uint64(d)
	}
	c.movi(rdx, uint64(number))
	c.movi(rax, pc-c.u.Page)
	c.rm(opALU|aluADD<<3|w(bits), rax, page)
	c.patch(c.jmp(), c.farStub)
}

// farJump jumps to the unit at pc by way of the table; the jump returned is taken
// if that does not know it.
func (c *Compiler) farJump(pc uint64) (unknown int) {
	c.movi(rax, pc)
	if c.cfg.Wide {
		e := c.cfg.Jumps + int32(JumpIndex(pc))*32
		c.rm(opMOVload|wide, rdx, at(r15, offTag))
		c.rm(opALU|aluCMP<<3|wide, rax, at(r15, e))
		other := c.jcc8(ccNE)
		c.rm(opALU|aluCMP<<3|wide, rdx, at(r15, e+16))
		c.here8(other) // to the next jump
		unknown = c.jcc8(ccNE)
		c.rm(0xff, 4, at(r15, e+8))
		return unknown
	}
	e := c.cfg.Jumps + int32(JumpIndex(pc))*16
	c.rm(opALU|aluOR<<3|wide, rax, at(r15, offTag))
	c.rm(opALU|aluCMP<<3|wide, rax, at(r15, e))
	unknown = c.jcc8(ccNE)
	c.rm(0xff, 4, at(r15, e+8))
	return unknown
}

// isFar reports whether a jump to pc goes to another page than the unit's
// first, or to an instruction that may reach into the next.
func (c *Compiler) isFar(pc uint64) bool {
	from, to := c.unitPC+c.base, pc+c.base
	return (from^to)>>12 != 0 || to&0xfff > 0x1000-maxInsn
}

// maxInsn is the length of the longest instruction of any guest.
const maxInsn = 16

// indirect jumps to the unit at an address, if the table knows it.
func (c *Compiler) indirect(in *ir.Inst) {
	pc := c.use(in.Args[0])
	c.flush()
	c.leaveVectors()
	word := c.regWord[pc]
	poll := c.poll()
	t, x := c.temp(), c.temp()
	miss := c.tableJump(pc, t, x, c.u.Moves)
	c.here8(poll)
	c.here8(miss)
	c.leaveTo(c.wordSite(Indirect, word), noReg, 0, 0)
}

// Retire has the unit at offset at leave as soon as it is entered, with a Link to
// itself.
func (c *Compiler) Retire(buf []byte, at int) {
	c.start(&ir.Unit{}, 0, 0)
	c.buf, c.n, c.unitAt = buf, at, at
	c.begin(Link, 0)
	c.pcNumber(0)
	c.leaveTo(c.finish(false), noReg, 0, 0)
}

// tableJump jumps to the unit at the address in pc, with t and x for its own use;
// the jump returned is taken if the table does not know it. Moves says that the
// page of such units is to be set.
func (c *Compiler) tableJump(pc, t, x reg, moves bool) (unknown int) {
	c.mov(32, x, pc)
	c.alui(aluAND, 32, x, (JumpSize-1)<<jumpGrain)
	if c.cfg.Wide {
		return c.tableJumpWide(pc, t, x, moves)
	}
	entry := mem{base: r15, index: x, scale: 4 - jumpGrain, disp: c.cfg.Jumps}
	c.rm(opMOVload|wide, t, at(r15, offTag))
	c.alu(aluOR, 64, t, pc)
	c.rm(opALU|aluCMP<<3|wide, t, entry)
	unknown = c.jcc8(ccNE)
	if moves {
		c.alui(aluAND, 32, t, ^0xfff)
		c.rm(opMOVst, t, slotMem(uint16(c.cfg.Slots.Page)))
	}
	entry.disp += 8
	c.rm(0xff, 4, entry)
	return unknown
}

// tableJumpWide is the end of tableJump, in a table with tags.
func (c *Compiler) tableJumpWide(pc, t, x reg, moves bool) (unknown int) {
	entry := mem{base: r15, index: x, scale: 5 - jumpGrain, disp: c.cfg.Jumps}
	c.rm(opMOVload|wide, t, at(r15, offTag))
	c.rm(opALU|aluCMP<<3|wide, pc, entry)
	other := c.jcc8(ccNE)
	entry.disp += 16
	c.rm(opALU|aluCMP<<3|wide, t, entry)
	c.here8(other) // to the next jump
	unknown = c.jcc8(ccNE)
	if moves {
		c.mov(64, t, pc)
		c.alui(aluAND, 64, t, ^0xfff)
		c.rm(opMOVst|wide, t, slotMem(uint16(c.cfg.Slots.Page)))
	}
	entry.disp -= 8
	c.rm(0xff, 4, entry)
	return unknown
}

// farStubs writes what jumps to other pages end in.
func (c *Compiler) farStubs() {
	c.n = Place(c.n) // a unit that no one owns
	c.start(&ir.Unit{Moves: true}, 0, 0)
	binary.LittleEndian.PutUint32(c.buf[c.n-ownerBefore:], 0)
	c.unitAt, c.farStub = c.n, c.n
	if c.cfg.Flat {
		c.alumi(aluSUB, 32, at(r15, offFar), 1)
		j := c.jcc8(ccNS)
		c.begin(Indirect, siteJump)
		c.wordNumber(c.regWord[rax])
		c.wordNumber(c.regWord[rdx])
		c.leaveTo(c.finish(false), noReg, 0, 0)
		c.here8(j)
	}
	c.here8(c.tableJump(rax, rdx, r12, true))
	c.leaveTo(c.wordSite(Indirect, c.regWord[rax]), noReg, 0, 0)
}

func (c *Compiler) exit(in *ir.Inst) {
	if k, ok := c.constOf(in.Args[0]); ok {
		c.flush()
		c.leaveTo(c.pcSite(Exit, k), noReg, 0, 0)
		return
	}
	pc := c.use(in.Args[0])
	c.flush()
	c.leaveTo(c.wordSite(Exit, c.regWord[pc]), noReg, 0, 0)
}
