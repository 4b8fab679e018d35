package amd64

import (
	"math/bits"

	"rhea/internal/ir"
)

// This file has what leaves a unit, or may: accesses to memory, guards, calls
// and ends.

// site adds a Site for the current instruction; wb says that pending Sets are
// to be written if the unit is not resumed.
func (c *Compiler) site(s Site, wb bool) uint32 {
	s.PC, s.Owner = c.pc, c.owner
	s.First = uint32(len(c.Writes))
	if wb {
		live := c.slots[:0]
		for _, slot := range c.slots {
			v := c.pend[slot]
			if v == 0 {
				continue
			}
			live = append(live, slot)
			c.pendingWrite(uint16(slot), v)
		}
		c.slots = live
	}
	s.NWrites = uint8(len(c.Writes) - int(s.First))
	c.vec.atSite = append(c.vec.atSite, c.vec.now)
	c.Sites = append(c.Sites, s)
	return uint32(len(c.Sites) - 1)
}

func (c *Compiler) pendingWrite(slot uint16, v ir.Val) {
	in := c.u.Inst(v)
	switch {
	case in.Op == ir.Const:
		c.Writes = append(c.Writes, Write{slot, NoWord, in.Imm})
	case in.Op == ir.VConst:
		c.Writes = append(c.Writes, Write{slot, NoWord, in.Imm}, Write{slot + 1, NoWord, in.Imm})
	case in.Type == ir.V128:
		w := c.vword(v)
		c.Writes = append(c.Writes, Write{slot, w, 0}, Write{slot + 1, w + 1, 0})
	default:
		c.Writes = append(c.Writes, Write{Slot: slot, Src: c.wordOf(v)})
	}
}

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

// leaveTo is the call of the exit stub: the number of the site follows, and
// then where to resume.
func (c *Compiler) leaveTo(site uint32) {
	c.patch(c.callRel(), c.exitStub)
	c.int32(int32(site))
}

func (c *Compiler) emitStub(s *stub) {
	if s.call != 0 {
		c.emitCallStub(s)
		return
	}
	for _, j := range s.jumps {
		if j != 0 {
			c.here(j)
		}
	}
	if k := &c.Sites[s.site]; k.Kind == Link && k.Imm != NoJump {
		c.Jumps[k.Imm].Stub = c.n
	}
	c.leaveTo(s.site)
	if s.once {
		return
	}
	c.restoreVectors(s.site)
	for m := s.lost; m != 0; m &= m - 1 {
		r := reg(bits.TrailingZeros16(m))
		c.alu(aluXOR, 32, r, r)
	}
	c.stubPoints(s)
	if s.d != noReg {
		c.rm(opMOVload|wide, s.d, at(r15, offResult))
	}
	c.patch(c.jmp(), s.back)
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
// what to add to a. It jumps to the stub if they cannot be accessed directly.
func (c *Compiler) lookup(d, a reg, n int, table int32) (jumps [2]int) {
	if c.cfg.Wide {
		return [2]int{c.lookupWide(d, a, n, table)}
	}
	if c.isFixed && c.fixed&0xfff+uint64(n) <= 0x1000 && c.fixed < 1<<32 {
		c.rm(opMOVload|wide, d, at(r15, table+int32(c.fixed>>12)*8))
		c.rr(opTEST|wide, d, d)
		jumps[0] = c.jcc(ccE)
		return jumps
	}
	if n > 1 {
		t := c.temp()
		c.rm(opLEA, t, at(a, int32(n-1)))
		c.locked &^= 1 << t
		c.mov(32, d, a)
		c.shifti(shSHR, 32, t, 12)
		c.shifti(shSHR, 32, d, 12)
		c.alu(aluCMP, 32, d, t)
		jumps[1] = c.jcc(ccNE)
	} else {
		c.mov(32, d, a)
		c.shifti(shSHR, 32, d, 12)
	}
	c.rm(opMOVload|wide, d, mem{base: r15, index: d, scale: 3, disp: table})
	c.rr(opTEST|wide, d, d)
	jumps[0] = c.jcc(ccE)
	return jumps
}

// lookupWide is lookup in a table with tags. That of a's page is not that of
// the last byte's if these are different pages.
func (c *Compiler) lookupWide(d, a reg, n int, table int32) int {
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
	j := c.jcc(ccNE)
	c.rm(opMOVload|wide, d, mem{base: r15, index: d, disp: table + 8})
	return j
}

// pageFor returns a register that says where address v's page is: one that
// an earlier access has left, or a new one.
func (c *Compiler) pageFor(v ir.Val, m ir.Mem, a reg, write bool) (r reg, jumps [2]int) {
	for set := c.paged; set != 0; set &= set - 1 {
		r := reg(bits.TrailingZeros16(set)) & 15
		if p := &c.pages[r]; p.addr == v && int(p.index) == m.Index && int(p.size) >= m.Size {
			c.lock(r)
			c.rr(opTEST|wide, r, r)
			jumps[0] = c.jcc(ccE)
			return r, jumps
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
)

func log2(n int) int {
	k := 0
	for n > 1<<k {
		k++
	}
	return k
}

func (c *Compiler) load(in *ir.Inst) {
	m := ir.MemOf(in.Imm)
	a := c.linear(in.Args[0])
	s := Site{Kind: Load, Size: uint8(m.Size), Index: uint8(m.Index), RMW: m.RMW, Probe: m.Probe, Args: [2]uint16{c.regWord[a], NoWord}}
	st := stub{d: noReg}
	if c.fuseLoad(m, s, a) {
		return
	}
	if m.Size == 16 {
		w := c.vdest()
		r := c.temp()
		st.jumps = c.lookup(r, a, 16, c.cfg.Read[m.Index])
		s.Args[1] = w
		st.site, st.lost = c.site(s, true), c.paged
		k := c.vreg(w)
		c.rm(opMOVUPSl, k, mem{base: r, index: a})
		c.vstore(w, k)
		c.vec.atSite[st.site-c.firstSite].cached |= c.vec.now.cached // Go has written the words
		c.after128(&st, w)
		return
	}
	if m.RMW {
		// The store that follows finds the page's place in r.
		r := c.temp()
		d := c.dest(noReg)
		lost := c.paged
		st.jumps = c.lookup(r, a, m.Size, c.cfg.Write[m.Index])
		st.site, st.d, st.lost = c.site(s, true), d, lost
		if !m.Probe {
			c.rm(loadOps[log2(m.Size)], d, mem{base: r, index: a})
		}
		st.back = c.n
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
	st.jumps = c.lookup(r, a, m.Size, c.cfg.Read[m.Index])
	st.site, st.d, st.lost = c.site(s, true), d, c.paged
	c.rm(loadOps[log2(m.Size)], d, mem{base: r, index: a})
	st.back = c.n
	c.cold = append(c.cold, st)
	c.done()
}

// after128 ends a load of 16 bytes: the stub's result is in memory already.
func (c *Compiler) after128(st *stub, w uint16) {
	st.back = c.n
	c.cold = append(c.cold, *st)
}

func (c *Compiler) store(in *ir.Inst) {
	m := ir.MemOf(in.Imm)
	s := Site{Kind: Store, Size: uint8(m.Size), Index: uint8(m.Index)}
	st := stub{d: noReg}
	if m.Size == 16 {
		v := c.origin(in.Args[1])
		w := c.vword(v)
		x := c.vload(w)
		a := c.linear(in.Args[0])
		r := c.temp()
		st.jumps = c.lookup(r, a, 16, c.cfg.Write[m.Index])
		s.Args = [2]uint16{c.regWord[a], w}
		st.site, st.lost = c.site(s, true), c.paged
		c.rm(opMOVUPSs, x, mem{base: r, index: a})
		c.after128(&st, w)
		return
	}
	if half, ok := c.fusedHalf(in); ok {
		c.storeHalf(in, half, s, st)
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
	a := c.linear(in.Args[0])
	r, jumps := c.pageFor(in.Args[0], m, a, true)
	st.jumps = jumps
	s.Args[0] = c.regWord[a]
	to := mem{base: r, index: a}
	if isConst {
		s.Args[1], s.Imm = NoWord, k&(^uint64(0)>>(64-bits))
		switch m.Size {
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
	} else {
		s.Args[1] = c.regWord[x]
		c.rm(storeOps[log2(m.Size)], x, to)
	}
	st.site, st.lost = c.site(s, true), c.paged
	st.back = c.n
	c.cold = append(c.cold, st)
}

func (c *Compiler) guard(in *ir.Inst) {
	cc := c.condition(in.Args[0])
	j := c.jcc(cc)
	c.cold = append(c.cold, stub{site: c.site(Site{Kind: Guard, Imm: in.Imm, Args: [2]uint16{NoWord, NoWord}}, true), jumps: [2]int{j}, once: true})
}

func (c *Compiler) call(in *ir.Inst) {
	id, flags := ir.CallOf(in.Imm)
	if z := c.cfg.Slots.Lazy; z != nil && id == z.Helper {
		c.lazyFlags(in)
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
		c.dropPages()
		c.called = c.called || flags&ir.NoStop == 0
	}
	d := noReg
	if in.Type != ir.Void && c.vals[c.i].need >= 0 {
		d = c.dest(noReg)
	}
	s := c.site(Site{Kind: Call, Imm: uint64(id), Pure: flags&(ir.Pure|ir.NoStop) != 0, KeepsStack: flags&(ir.Pure|ir.KeepsStack) != 0, NWrites: uint8(n)}, false)
	for j := range n {
		if k, ok := c.constOf(in.Args[j]); ok {
			c.Writes = append(c.Writes, Write{Src: NoWord, Val: k})
		} else {
			c.Writes = append(c.Writes, Write{Src: c.regWord[regs[j]]})
		}
	}
	c.Sites[s].NWrites = uint8(n)
	c.leaveTo(s)
	c.dropVectors()
	if d != noReg {
		c.rm(opMOVload|wide, d, at(r15, offResult))
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
		if p.word == NoWord {
			p.word = c.newWord(1)
		}
		c.rm(opMOVst|wide, regs[j], slotMem(p.word))
	}
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
	k := c.u.Inst(in.Args[0])
	if c.val(in.Args[0]).fused {
		for j := range 2 {
			if _, ok := c.constOf(k.Args[j]); !ok {
				c.use(k.Args[j])
			}
		}
	} else {
		c.use(in.Args[0])
	}
	if c.isSide(c.block) && int32(c.u.Blocks[c.block].End) != c.end {
		c.sideBranch(in)
		return
	}
	c.flush()
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
	pc := c.u.Insts[c.u.Blocks[yes].First].Imm
	c.untangle()
	cc := c.condition(in.Args[0])
	s := side{first: len(c.copies), pc: pc, from: c.pc}
	c.copyPending()
	s.end = len(c.copies)
	if pc > c.pc { // not often taken
		s.jump = c.jcc(cc)
		c.sides = append(c.sides, s)
		return
	}
	over := c.jcc(cc ^ 1)
	c.emitCopies(c.copies[s.first:])
	c.linkTo(pc)
	c.here(over)
}

func (c *Compiler) emitSide(s *side) {
	c.here(s.jump)
	c.emitCopies(c.copies[s.first:s.end])
	c.pc = s.from
	c.linkTo(s.pc)
}

// poll leaves if something is to be looked at; the program counter is then
// pc, or in word.
func (c *Compiler) poll(pc uint64, word uint16) {
	c.alumi(aluCMP, 32, at(r15, offPoll), 0)
	j := c.jcc(ccNE)
	s := c.site(Site{Kind: Poll, Args: [2]uint16{word, NoWord}}, false)
	c.Sites[s].PC = pc
	c.cold = append(c.cold, stub{site: s, jumps: [2]int{j}, once: true})
}

// countDown counts the unit's instructions.
func (c *Compiler) countDown() {
	budget := at(r15, offBudget)
	c.alumi(aluSUB, 64, budget, int32(c.u.Guest))
	ok := c.jcc8(ccNS)
	c.alumi(aluADD, 64, budget, int32(c.u.Guest))
	s := c.site(Site{Kind: Poll, Args: [2]uint16{NoWord, NoWord}}, false)
	c.Sites[s].PC = c.unitPC
	c.leaveTo(s)
	c.here8(ok)
}

// linkTo jumps to the unit at pc. Whatever loops has a jump to a lower
// address, or an indirect one: these poll. So do units with helpers that may
// have done something that is to be looked at at once.
func (c *Compiler) linkTo(pc uint64) {
	if pc <= c.pc || c.called {
		c.poll(pc, NoWord)
	}
	s := c.site(Site{Kind: Link}, false)
	c.Sites[s].PC = pc
	if c.isFar(pc) {
		// What lies there may change without this unit's knowing.
		if c.cfg.Wide {
			c.farJump(pc, s)
			return
		}
		e := c.cfg.Jumps + int32(JumpIndex(pc))*16
		c.movi(rax, pc) // the temporaries are free now
		c.rm(opALU|aluOR<<3|wide, rax, at(r15, offTag))
		c.rm(opALU|aluCMP<<3|wide, rax, at(r15, e))
		c.cold = append(c.cold, stub{site: s, jumps: [2]int{c.jcc(ccNE)}, once: true})
		c.rm(0xff, 4, at(r15, e+8))
		c.Sites[s].Imm = NoJump
		return
	}
	c.Sites[s].Imm = uint64(len(c.Jumps))
	c.align(1)
	at := c.jmp()
	c.cold = append(c.cold, stub{site: s, jumps: [2]int{at}, once: true})
	c.Jumps = append(c.Jumps, Jump{PC: pc, At: at})
}

// farJump is the jump of linkTo to pc by way of the table, if that has tags.
func (c *Compiler) farJump(pc uint64, site uint32) {
	e := c.cfg.Jumps + int32(JumpIndex(pc))*32
	c.movi(rax, pc) // the temporaries are free now
	c.rm(opMOVload|wide, rdx, at(r15, offTag))
	c.rm(opALU|aluCMP<<3|wide, rax, at(r15, e))
	other := c.jcc(ccNE)
	c.rm(opALU|aluCMP<<3|wide, rdx, at(r15, e+16))
	c.cold = append(c.cold, stub{site: site, jumps: [2]int{c.jcc(ccNE), other}, once: true})
	c.rm(0xff, 4, at(r15, e+8))
	c.Sites[site].Imm = NoJump
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
	word := c.regWord[pc]
	c.poll(0, word)
	t, x := c.temp(), c.temp()
	if c.cfg.Wide {
		c.indirectWide(pc, t, x)
		return
	}
	c.mov(32, x, pc)
	c.shifti(shSHR, 32, x, jumpBits)
	c.alu(aluXOR, 32, x, pc)
	c.alui(aluAND, 32, x, JumpSize-1)
	c.alu(aluADD, 32, x, x)
	c.rm(opMOVload|wide, t, at(r15, offTag))
	c.alu(aluOR, 64, t, pc)
	c.rm(opALU|aluCMP<<3|wide, t, mem{base: r15, index: x, scale: 3, disp: c.cfg.Jumps})
	j := c.jcc(ccNE)
	c.rm(0xff, 4, mem{base: r15, index: x, scale: 3, disp: c.cfg.Jumps + 8})
	s := c.site(Site{Kind: Indirect, Args: [2]uint16{word, NoWord}}, false)
	c.cold = append(c.cold, stub{site: s, jumps: [2]int{j}, once: true})
}

// indirectWide is the jump of indirect if the table has tags; t and x are free.
func (c *Compiler) indirectWide(pc, t, x reg) {
	c.mov(32, x, pc)
	c.shifti(shSHR, 32, x, jumpBits)
	c.alu(aluXOR, 32, x, pc)
	c.alui(aluAND, 32, x, JumpSize-1)
	c.shifti(shSHL, 32, x, 5)
	entry := mem{base: r15, index: x, disp: c.cfg.Jumps}
	c.rm(opMOVload|wide, t, at(r15, offTag))
	c.rm(opALU|aluCMP<<3|wide, pc, entry)
	other := c.jcc(ccNE)
	entry.disp += 16
	c.rm(opALU|aluCMP<<3|wide, t, entry)
	j := c.jcc(ccNE)
	entry.disp -= 8
	c.rm(0xff, 4, entry)
	s := c.site(Site{Kind: Indirect, Args: [2]uint16{c.regWord[pc], NoWord}}, false)
	c.cold = append(c.cold, stub{site: s, jumps: [2]int{j, other}, once: true})
}

func (c *Compiler) exit(in *ir.Inst) {
	s := Site{Kind: Exit, Args: [2]uint16{NoWord, NoWord}}
	k, isConst := c.constOf(in.Args[0])
	if !isConst {
		s.Args[0] = c.regWord[c.use(in.Args[0])]
	}
	c.flush()
	n := c.site(s, false)
	if isConst {
		c.Sites[n].PC = k
	}
	c.leaveTo(n)
}
