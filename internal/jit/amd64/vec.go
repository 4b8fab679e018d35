package amd64

import (
	"math/bits"

	"rhea/internal/ir"
)

// This file has the operations on vectors. The slots of Slots.Vectors are kept
// in the host's XMM registers within a run, each in one of its own. What was
// written is in the register alone ("dirty") until another unit or run is gone
// to. Where generated code is left for Go, the exit stub saves the registers,
// and the site's record says which are dirty (Compiler.Settle); a stub that comes
// back loads what was lost. A loop back to the unit's beginning leads behind
// a prologue that loads what the loop has in registers (vecHead).
//
// Floating point runs under the guest's MXCSR ("live"), which the first such
// operation behind an exit loads. Exits store it and restore Go's; the word
// offLive says whether there is anything to store. So rounding, DAZ, FZ and
// the sticky flags are the guest's own.

// XMM registers that hold no slot.
const (
	vecRegs = 12 // of Slots.Vectors
	vtemp   = reg(12)
	vtemp2  = reg(13)
	vtemp3  = reg(14)
	vcopy   = reg(15)
)

// Words below R15.
const (
	offLive    = -32 // not 0: MXCSR is the guest's; and above it, Go's
	offGoMXCSR = -28
)

const (
	opMOVAPS = map0F<<8 | 0x28
	opMOVDl  = map0F<<8 | 0x6e | pfx66 // xmm, r/m32; wide: MOVQ
	opMOVDs  = map0F<<8 | 0x7e | pfx66 // r/m32, xmm
	opPXOR   = map0F<<8 | 0xef | pfx66
	opPUNPCK = map0F<<8 | 0x6c | pfx66 // PUNPCKLQDQ
	opPSHUFD = map0F<<8 | 0x70 | pfx66
	opLAHF   = 0x9f
	opMXCSR  = map0F<<8 | 0xae // /2 LDMXCSR, /3 STMXCSR
)

// vecState is what the compiler knows of vectors at some place.
type vecState struct {
	cached uint16 // registers that hold their slot
	dirty  uint16 // those of them whose slot's words are not up to date
	live   bool   // the guest's MXCSR is in force
}

// vecHead is where a loop back to the unit's beginning leads: the state there,
// and the offset.
type vecHead struct {
	vecState
	at int
	ok bool
}

// vecCompiler is the Compiler's part for vectors.
type vecCompiler struct {
	table    []vecEnc
	regOf    [ir.TempBase]int8 // of Slots.Vectors; -1 = none
	now      vecState
	head     vecHead
	scratch  uint16 // registers of Slots.Scratch
	list     []ir.Slot
	goLive   int // stubs
	endLive  int
	fpStatus ir.Slot
}

func (c *Compiler) initVectors() {
	v := &c.vec
	v.fpStatus = c.cfg.Slots.FPStatus
	for i := range v.regOf {
		v.regOf[i] = -1
	}
	for i, s := range c.cfg.Slots.Vectors {
		if i < vecRegs {
			v.regOf[s] = int8(i)
			if c.scratch(s) {
				v.scratch |= 1 << i
			}
		}
	}
}

// vecEnc is how a kind is encoded. Many programs need none.
func (c *Compiler) vecEnc(k ir.VecKind) *vecEnc {
	if c.vec.table == nil {
		c.vec.table = vecTable(&c.cfg.Features)
	}
	return &c.vec.table[k]
}

// vectorStubs writes what changes between Go's MXCSR and the guest's.
func (c *Compiler) vectorStubs() {
	v := &c.vec
	v.goLive = c.n
	c.rm(opMXCSR, 3, at(r15, offGoMXCSR))
	c.rm(opMXCSR, 2, slotMem(uint16(v.fpStatus)))
	c.movmi8(at(r15, offLive), 1)
	c.byte(0xc3)
	v.endLive = c.n
	c.leaveLive()
	c.byte(0xc3)
}

// leaveLive makes Go's MXCSR the current one.
func (c *Compiler) leaveLive() {
	c.rm(opMXCSR, 3, slotMem(uint16(c.vec.fpStatus)))
	c.rm(opMXCSR, 2, at(r15, offGoMXCSR))
	c.movmi8(at(r15, offLive), 0)
}

// exitLive is the part of the exit stub that does so if need be.
func (c *Compiler) exitLive() {
	if c.vec.fpStatus == 0 {
		return
	}
	c.cmpLive()
	j := c.jcc8(ccE)
	c.leaveLive()
	c.here8(j)
}

func (c *Compiler) cmpLive() {
	c.rm(0x80, aluCMP, at(r15, offLive))
	c.byte(0)
}

// movmi8 stores a byte.
func (a *asm) movmi8(m mem, v byte) {
	a.rm(0xc6, 0, m)
	a.byte(v)
}

// dropVectors forgets what registers hold, and MXCSR: Go ran, or we come from
// wherever.
func (c *Compiler) dropVectors() { c.vec.now = vecState{} }

// restoreVectors is the end of a stub that comes back.
func (c *Compiler) restoreVectors(site uint32) {
	s := c.sites[site].vectors
	c.loadVectors(s.cached)
	if s.live {
		c.patch(c.callRel(), c.vec.goLive)
	}
}

// --- slots in registers

// vload returns a register with the two words at w.
func (c *Compiler) vload(w uint16) reg {
	if w < ir.TempBase {
		if k := c.vec.regOf[w]; k >= 0 {
			if c.vec.now.cached>>k&1 == 0 {
				c.rm(opMOVUPSl, reg(k), slotMem(w))
				c.vec.now.cached |= 1 << k
			}
			return reg(k)
		}
	}
	c.rm(opMOVUPSl, vcopy, slotMem(w))
	return vcopy
}

// vreg returns the register in which to compute what goes to the words at w,
// and does not load it.
func (c *Compiler) vreg(w uint16) reg {
	if w < ir.TempBase && c.vec.regOf[w] >= 0 {
		return reg(c.vec.regOf[w])
	}
	return vcopy
}

// vstore makes r the words at w.
func (c *Compiler) vstore(w uint16, r reg) {
	k := c.vreg(w)
	if k == vcopy {
		c.rm(opMOVUPSs, r, slotMem(w))
		return
	}
	if k != r {
		c.rr(opMOVAPS, k, r)
	}
	c.vec.now.cached |= 1 << k
	c.vec.now.dirty |= 1 << k
}

// inVector returns the register that holds the two words at w, if one does.
func (c *Compiler) inVector(w uint16) (r reg, ok bool) {
	if w >= ir.TempBase || c.vec.regOf[w] < 0 {
		return noReg, false
	}
	r = reg(c.vec.regOf[w])
	return r, c.vec.now.cached>>r&1 != 0
}

// loadVectors loads registers.
func (c *Compiler) loadVectors(set uint16) {
	for m := set; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		c.rm(opMOVUPSl, reg(i), slotMem(uint16(c.cfg.Slots.Vectors[i])))
	}
}

// storeVectors stores registers, as far as they are dirty.
func (c *Compiler) storeVectors(set uint16) {
	set &= c.vec.now.dirty
	for m := set; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		c.rm(opMOVUPSs, reg(i), slotMem(uint16(c.cfg.Slots.Vectors[i])))
	}
	c.vec.now.dirty &^= set
}

// forgetVector makes the frame the place of a slot.
func (c *Compiler) forgetVector(s ir.Slot) {
	if k := c.vec.regOf[s]; k >= 0 {
		c.storeVectors(1 << k)
		c.vec.now.cached &^= 1 << k
	}
}

// leaveVectors precedes a jump to another unit. What was handed over within an
// instruction is nobody's any more.
func (c *Compiler) leaveVectors() {
	n := &c.vec.now
	n.cached, n.dirty = n.cached&^c.vec.scratch, n.dirty&^c.vec.scratch
	c.storeVectors(n.dirty)
}

// --- loops

// beginLoop writes the prologue of a unit that jumps to its own beginning.
func (c *Compiler) beginLoop() {
	h := &c.vec.head
	last := -1
	for _, b := range c.u.Blocks {
		switch in := &c.insts[b.End-1]; in.Op {
		case ir.Link:
			if in.Imm == c.unitPC {
				last = b.End - 1
			}
		case ir.Jump, ir.Branch:
			if x, y := in.Targets(); x == 0 || in.Op == ir.Branch && y == 0 {
				return
			}
		}
	}
	if last < 0 || c.isFar(c.unitPC) {
		return
	}
	*h = vecHead{}
	touch := func(s ir.Slot, writes bool) {
		if k := c.vec.regOf[s]; k >= 0 && c.vec.scratch>>k&1 == 0 {
			h.cached |= 1 << k
			if writes {
				h.dirty |= 1 << k
			}
		}
	}
	for i := range last {
		switch in := &c.insts[i]; in.Op {
		case ir.Vec:
			v := ir.VectorOf(in.Imm)
			touch(v.Src, false)
			touch(v.Dst, v.Kind.Flags()&ir.VecResult == 0)
			h.live = h.live || v.Kind.Flags()&ir.VecFP != 0
		case ir.Get:
			if c.vals[i].need != 0 {
				touch(ir.Slot(in.Imm), false)
			}
		case ir.Set:
			touch(ir.Slot(in.Imm), true)
		case ir.Call:
			if in.Leaves() { // everything is lost there
				return
			}
		}
	}
	if h.cached == 0 && !h.live {
		return
	}
	c.loadVectors(h.cached)
	if h.live {
		c.makeLive()
	}
	h.at, h.ok = c.n, true
}

// toHead makes the state that of the loop's head.
func (c *Compiler) toHead() {
	n, h := &c.vec.now, &c.vec.head.vecState
	n.cached, n.dirty = n.cached&^c.vec.scratch, n.dirty&^c.vec.scratch
	c.storeVectors(^h.dirty)
	c.loadVectors(h.cached &^ n.cached)
	if h.live && !n.live {
		c.makeLive()
	}
	*n = *h
}

// vmake puts two halves together.
func (c *Compiler) vmake(in *ir.Inst) {
	zero := func(v ir.Val) bool {
		k, ok := c.constOf(v)
		return ok && k == 0
	}
	lo, hi := in.Args[0], in.Args[1]
	if m, ok := c.fusedOperand(); ok {
		w := c.vdest()
		r := c.vreg(w)
		if c.fused.size == 4 {
			c.rm(opMOVDl, r, m)
		} else {
			c.rm(opMOVQl, r, m)
		}
		c.vstore(w, r)
		return
	}
	var rlo, rhi reg
	if !zero(lo) {
		rlo = c.use(lo)
	}
	if !zero(hi) {
		rhi = c.use(hi)
	}
	w := c.vdest()
	r := c.vreg(w)
	if zero(lo) {
		c.rr(opPXOR, r, r)
	} else {
		c.rr(opMOVDl|wide, r, rlo)
	}
	if !zero(hi) {
		c.rr(opMOVDl|wide, vtemp3, rhi)
		c.rr(opPUNPCK, r, vtemp3)
	}
	c.vstore(w, r)
}

// vconst stores a constant.
func (c *Compiler) vconst(w uint16, k uint64) {
	if r := c.vreg(w); k == 0 {
		c.rr(opPXOR, r, r)
		c.vstore(w, r)
		return
	}
	c.writeConst(w, k)
	c.writeConst(w+1, k)
	if w < ir.TempBase && c.vec.regOf[w] >= 0 {
		c.vec.now.cached &^= 1 << c.vec.regOf[w]
		c.vec.now.dirty &^= 1 << c.vec.regOf[w]
	}
}

// --- analysis

// doesVector reports whether v is done in machine code. The predicates of CMPPS
// beyond the first eight are AVX's.
func (c *Compiler) doesVector(v ir.Vector) bool {
	e := c.vecEnc(v.Kind)
	return e.how&known != 0 && !(v.Narrow && e.how&wideOnly != 0) && !(e.how&imm3 != 0 && v.Imm > 7)
}

// isRead marks a slot's next use as a reading one, for nextSet.
func isRead(i int32) int32 { return ^i }

// analyseVec notes what a Vec at i reads.
func (c *Compiler) analyseVec(in *ir.Inst, i int32) {
	v := ir.VectorOf(in.Imm)
	c.readSlot(v.Dst, i)
	c.readSlot(v.Src, i)
	if v.Kind.Flags()&ir.VecFP != 0 {
		c.readSlot(c.vec.fpStatus, i)
	}
}

func (c *Compiler) readSlot(s ir.Slot, i int32) {
	c.setStamp[s], c.nextSet[s] = c.stamp, isRead(i)
	c.keepHome(uint64(s), i)
}

// --- lowering

// flushSlots writes the pending Sets of some slots.
func (c *Compiler) flushSlots(list ...ir.Slot) {
	for _, s := range list { // sources that are about to be overwritten
		v := c.pend[s]
		if v == 0 {
			continue
		}
		p := c.val(v)
		if p.kind != inHome || p.slot == s || c.pin[p.slot] != noReg {
			continue
		}
		for _, o := range list {
			if o == p.slot && c.pend[o] != 0 {
				c.moveOut(v)
				break
			}
		}
	}
	for _, s := range list {
		v := c.pend[s]
		if v == 0 {
			continue
		}
		c.pend[s] = 0
		c.vacate(s)
		c.write(uint16(s), v)
		for i, o := range c.slots {
			if o == s {
				c.slots = append(c.slots[:i], c.slots[i+1:]...)
				break
			}
		}
	}
}

// moveOut moves a value from a slot's place to a word of its own.
func (c *Compiler) moveOut(v ir.Val) {
	p := c.val(v)
	if c.inst(v).Type == ir.V128 {
		p.word = c.newWord(2)
		c.copy128(p.word, uint16(p.slot))
		p.kind = inWord
		return
	}
	locked := c.locked
	r := c.use(v)
	c.spill(v)
	c.free(r)
	p.kind = inWord
	c.locked = locked
}

// ensureLive makes the guest's MXCSR the current one.
func (c *Compiler) ensureLive() {
	s := c.vec.fpStatus
	if len(c.home[s]) > 0 {
		c.vacate(s)
	}
	if c.vec.now.live {
		return
	}
	c.flushSlots(s)
	c.makeLive()
}

func (c *Compiler) makeLive() {
	c.cmpLive()
	j := c.jcc(ccE)
	c.vec.now.live = true
	c.cold = append(c.cold, stub{jump: int32(j), back: int32(c.n), call: int32(c.vec.goLive), d: noReg})
}

// emitCallStub is a stub that calls another and comes back.
func (c *Compiler) emitCallStub(s *stub) {
	c.here(int(s.jump))
	c.vec.now = vecState{cached: s.vectors, dirty: s.vectors}
	c.storeVectors(s.vectors)
	c.patch(c.callRel(), int(s.call))
	c.loadVectors(s.vectors)
	c.patch(c.jmp(), int(s.back))
}

// getStatus makes the word of MXCSR current.
func (c *Compiler) getStatus() {
	c.cmpLive()
	j := c.jcc8(ccE)
	c.rm(opMXCSR, 3, slotMem(uint16(c.vec.fpStatus)))
	c.here8(j)
}

// setStatus precedes a change of MXCSR's word.
func (c *Compiler) setStatus() {
	c.cmpLive()
	j := c.jcc8(ccE)
	c.patch(c.callRel(), c.vec.endLive)
	c.here8(j)
	c.vec.now.live = false
}

// vsource returns the source operand of a Vec: a register, or memory.
func (c *Compiler) vsource(v *ir.Vector, e *vecEnc) (r reg, m mem) {
	w := uint16(v.Src)
	if m, ok := c.fusedOperand(); ok {
		switch {
		case e.how&(smallMem|compares) == smallMem:
			return noReg, m
		case c.fused.size == 4:
			c.rm(opMOVDl, vtemp2, m)
		default:
			c.rm(opMOVQl, vtemp2, m)
		}
		return vtemp2, mem{}
	}
	small := v.Narrow || v.Kind.Flags()&ir.VecSrc64 != 0
	if !small || c.vec.regOf[w] >= 0 {
		r := c.vload(w)
		if r == vcopy { // that is for copies
			c.rr(opMOVAPS, vtemp2, vcopy)
			r = vtemp2
		}
		if v.Kind.Flags()&(ir.VecSrc64|ir.VecDst64) == ir.VecSrc64|ir.VecDst64 { // the high half must raise nothing
			c.rr(opMOVQl, vtemp2, r)
			r = vtemp2
		}
		return r, mem{}
	}
	if e.how&smallMem != 0 {
		return noReg, slotMem(w)
	}
	c.rm(opMOVQl, vtemp2, slotMem(w))
	return vtemp2, mem{}
}

// vecOp lowers a Vec.
func (c *Compiler) vecOp(in *ir.Inst) {
	v := ir.VectorOf(in.Imm)
	e := c.vecEnc(v.Kind)
	flags := v.Kind.Flags()
	c.fusedOperand() // locks its registers
	if flags&ir.VecFP != 0 {
		c.ensureLive()
	}
	if c.cfg.Slots.Stack.Has(v.Src) || c.cfg.Slots.Stack.Has(v.Dst) {
		c.toFrame()
	}
	c.flushSlots(v.Src, v.Dst)
	if e.how&(toInt|compares) != 0 {
		c.vecResult(&v, e)
		return
	}
	c.vacate(v.Dst)
	narrow := v.Narrow || flags&ir.VecDst64 != 0
	if narrow {
		c.forgetVector(v.Dst)
	}
	d := vtemp
	if e.how&(over|shiftImm) != over {
		if k := c.vec.regOf[v.Dst]; k >= 0 && !narrow {
			d = c.vload(uint16(v.Dst))
		} else if narrow {
			c.rm(opMOVQl, d, slotMem(uint16(v.Dst)))
		} else {
			c.rm(opMOVUPSl, d, slotMem(uint16(v.Dst)))
		}
	} else if k := c.vec.regOf[v.Dst]; k >= 0 && !narrow {
		d = reg(k)
	}
	if e.how&shiftImm != 0 {
		c.ext(e.op, e.group, d)
		c.byte(v.Imm)
	} else {
		r, m := c.vsource(&v, e)
		c.vecInsn(&v, e, d, r, m)
	}
	if narrow {
		c.rm(opMOVQs, d, slotMem(uint16(v.Dst)))
	} else {
		c.vstore(uint16(v.Dst), d)
	}
}

func (c *Compiler) vecInsn(v *ir.Vector, e *vecEnc, d, r reg, m mem) {
	op := e.op
	switch {
	case v.Narrow && e.how&packs != 0:
		c.rr(opPUNPCK, d, r)
		r = d
	case v.Narrow && e.how&high != 0:
		c.rr(op-8, d, r) // the low form interleaves all of 64 bits
		c.ext(map0F<<8|0x73|pfx66, 3, d)
		c.byte(8)
		return
	case e.how&partial != 0:
		c.rr(op, vtemp2, r)
		c.rr(map0F<<8|0x10|pfxF2, d, vtemp2)
		return
	}
	if r != noReg {
		c.rr(op, d, r)
	} else {
		c.rm(op, d, m)
	}
	if e.how&hasImm != 0 {
		k := v.Imm
		if e.how&imm3 != 0 {
			k &= 7
		}
		c.byte(k)
	}
}

// vecResult lowers what gives an integer.
func (c *Compiler) vecResult(v *ir.Vector, e *vecEnc) {
	if e.how&compares != 0 {
		x := c.vload(uint16(v.Dst))
		if x == vcopy {
			c.rr(opMOVAPS, vtemp, x)
			x = vtemp
		}
		r, m := c.vsource(v, e)
		c.take(rax)
		c.alu(aluXOR, 32, rax, rax) // or LAHF would wait for what is there
		if r != noReg {
			c.rr(e.op, x, r)
		} else {
			c.rm(e.op, x, m)
		}
		c.byte(opLAHF)
		c.put(0xc4b60f, 3) // MOVZX EAX, AH
		c.alui(aluAND, 32, rax, 0x45)
		c.own(rax)
		c.done()
		return
	}
	r, m := c.vsource(v, e)
	d := c.dest(noReg)
	if r != noReg {
		c.rr(e.op, d, r)
	} else {
		c.rm(e.op, d, m)
	}
	c.done()
}
