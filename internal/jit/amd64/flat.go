package amd64

import "rhea/internal/ir"

// This file has the accesses of guests whose memory is the host's, at the base
// of GS (Config.Flat). Addresses are computed by the accessing instruction; those
// of 32 bits modulo 2^32 by its address-size prefix. An instruction that faults
// goes on in FaultStub, as if it had left by a stub of its own.

// FaultExit is the exit of FaultStub; it is jit/host's ExitFault.
const FaultExit = 0xfffffffe

// faultLive is the word that tells ResumeStub whether the guest's MXCSR was in
// force; the vector registers precede it.
const faultLive = faultWord + 2*16

// flatStubs writes FaultStub and ResumeStub.
func (c *Compiler) flatStubs() {
	c.FaultStub = c.n
	for _, r := range temps {
		c.rm(opMOVst|wide, r, slotMem(c.regWord[r]))
	}
	for i := range c.cfg.Slots.Hot {
		if i < MaxPinned {
			c.rm(opMOVst|wide, pinRegs[i], slotMem(c.regWord[pinRegs[i]]))
		}
	}
	for i := range uint16(16) {
		c.rm(opMOVUPSs, reg(i), slotMem(faultWord+2*i))
	}
	if c.vec.fpStatus != 0 {
		c.rm(opMOVZX8, rax, at(r15, offLive))
		c.rm(opMOVst|wide, rax, slotMem(faultLive))
	}
	c.exitLive()
	c.rm(0xc7, 0, at(r15, offExit))
	c.put(FaultExit, 4)
	c.rm(0xff, 4, at(r15, offLeave))

	c.ResumeStub = c.n
	if c.vec.fpStatus != 0 {
		c.rm(0x80, aluCMP, slotMem(faultLive))
		c.byte(0)
		j := c.jcc8(ccE)
		c.patch(c.callRel(), c.vec.goLive)
		c.here8(j)
	}
	for i := range uint16(16) {
		c.rm(opMOVUPSl, reg(i), slotMem(faultWord+2*i))
	}
	c.patch(c.jmp(), c.entryStub)
}

// flatOperand is the guest's memory at address v. Its registers are locked. The
// site is to be set.
func (c *Compiler) flatOperand(v ir.Val) mem {
	if base, index, scale, disp, ok := c.address(v); ok && c.val(v).fused {
		return c.memOf(base, index, scale, disp)
	}
	if k, ok := c.constOf(v); ok && (!c.cfg.Wide || k == uint64(int64(int32(k)))) {
		return mem{base: noReg, index: noReg, disp: int32(uint32(k))}
	}
	return at(c.use(v), 0)
}

// flatSite makes o an operand that comes to a site of the current instruction
// if it faults. The address is the host's to tell.
func (c *Compiler) flatSite(o *mem, kind SiteKind, flags byte, m ir.Mem, writes bool) {
	c.begin(kind, flags)
	c.number(uint64(log2(m.Size) | m.Index<<3))
	c.wordNumber(saveWord)
	if kind == Store || m.Size == 16 {
		c.wordNumber(saveWord)
	}
	c.pcNumber(c.pc())
	o.guest = c.finish(writes) + 1
}

// recordAccesses writes the records of the unit's accesses, behind it: nothing
// leads there but Accesses.
func (c *Compiler) recordAccesses() bool {
	for i := c.accesses; i < len(c.Accesses); i++ {
		if c.full() {
			return false
		}
		a := &c.Accesses[i]
		at := c.n
		c.record(a.Site, noReg, 0, 0)
		a.Site = uint32(at)
	}
	return true
}

func (c *Compiler) loadFlat(in *ir.Inst, m ir.Mem) {
	var flags byte
	if m.RMW {
		flags |= siteRMW
	}
	if m.Probe {
		flags |= siteProbe
	}
	if !m.RMW && m.Size <= 8 {
		if at, set := c.consumer(m.Size); at != 0 {
			o := c.flatOperand(in.Args[0])
			c.flatSite(&o, Load, flags, m, true)
			c.fuse(at, set, m, o)
			return
		}
	}
	o := c.flatOperand(in.Args[0])
	if m.Size == 16 {
		w := c.vdest()
		c.flatSite(&o, Load, flags, m, true)
		k := c.vreg(w)
		c.rm(opMOVUPSl, k, o)
		c.vstore(w, k)
		return
	}
	d := c.dest(noReg)
	c.flatSite(&o, Load, flags, m, true)
	c.rm(loadOps[log2(m.Size)], d, o)
	c.done()
	if m.Probe {
		c.probed = c.pc()
	}
}

func (c *Compiler) storeFlat(in *ir.Inst, m ir.Mem) {
	var flags byte
	if c.probed == c.pc() {
		flags = siteProbed
	}
	if m.Size == 16 {
		x := c.vload(c.vword(c.origin(in.Args[1])))
		o := c.flatOperand(in.Args[0])
		c.flatSite(&o, Store, flags, m, true)
		c.rm(opMOVUPSs, x, o)
		return
	}
	if half, ok := c.fusedHalf(in); ok {
		x := c.vload(c.vword(c.origin(half)))
		o := c.flatOperand(in.Args[0])
		c.flatSite(&o, Store, flags, m, true)
		op := opcode(opMOVQs)
		if m.Size == 4 {
			op = opMOVDs
		}
		c.rm(op, x, o)
		return
	}
	v := c.stored(in)
	k, isConst := c.constOf(v)
	if isConst && m.Size == 8 && k != uint64(int64(int32(k))) {
		isConst = false
	}
	x := noReg
	if !isConst {
		x = c.use(v)
	}
	o := c.flatOperand(in.Args[0])
	c.flatSite(&o, Store, flags, m, true)
	if isConst {
		c.storeConst(o, m.Size, k)
		return
	}
	c.rm(storeOps[log2(m.Size)], x, o)
}

// casFlat is the helper Slots.Cas in machine code: LOCK CMPXCHG.
func (c *Compiler) casFlat(in *ir.Inst, size int) {
	c.flush()
	c.take(rax)
	a := c.use(in.Args[0])
	x := c.use(in.Args[2])
	old := c.use(in.Args[1])
	c.mov(64, rax, old)
	o := at(a, 0)
	c.flatSite(&o, Store, 0, ir.Mem{Size: size}, false)
	op := opcode(map0F<<8|0xb1) | w(size*8)
	switch size {
	case 1:
		op = map0F<<8 | 0xb0
		if x >= rsp && x <= rdi { // without a REX these would be AH to BH
			t := c.temp()
			c.mov(32, t, x)
			x = t
		}
	case 2:
		op |= pfx66
	}
	c.byte(0xf0) // the prefix is part of the instruction that faults
	c.rm(op, x, o)
	c.Accesses[len(c.Accesses)-1].At--
	c.zext(size*8, rax, rax)
	if in.Type != ir.Void && c.vals[c.i].need != 0 {
		c.own(rax)
		c.done()
	}
}
