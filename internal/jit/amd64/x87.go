package amd64

import "rhea/internal/ir"

// This file does the guest's x87 on the host's. From the first instruction of
// the x87 on, the host's registers hold the guest's state ("resident": the
// word offResident says so), across units and across exits to Go, which does
// not use the x87. Whoever needs the state in the frame has it put there:
// generated code that gets or sets one of its words calls a stub, Go enters
// the stub SyncStub (see VCPU code in accel/tcg).
//
// The host's control word is then the guest's, and all exceptions are masked:
// front ends emit ir.FPU under no other condition. So the stack, TOP, the
// tags, C0 to C3 and the flags are the host's own; its instruction and operand
// pointers are not used.

// offResident is the byte that says that the host's x87 is the guest's.
const offResident = -24

// OffResident is the word whose low byte is not 0 while the guest's x87 state is in the
// host's x87, and not in the frame.
const OffResident = offResident

// fxWord is where FXSAVE's image lies.
const fxWord = saveWord + 16

// offHostCW is the control word that the host's x87 has while it is the
// guest's. The guest's is its slot, in any case: what sets that need not change
// the host's, which takes long, before something depends on it (staleCW).
const offHostCW = offResident + 2

// Places in the image (SDM vol. 1, table 10-2).
const (
	fxStatus = 2
	fxTags   = 4
	fxMXCSR  = 24
	fxST     = 32
)

const opFX = map0F<<8 | 0xae | wide // /0 FXSAVE64, /1 FXRSTOR64

// stackState is what the compiler knows of the x87 at some place.
type stackState uint8

const (
	stackUnknown stackState = iota
	stackResident
	stackInFrame
)

// stackCompiler is the Compiler's part for the x87.
type stackCompiler struct {
	now        stackState
	staleCW    bool // the control word may not be the host's
	goResident int  // stubs
	sync       int
	loadCW     int
	list       []ir.Slot
}

// stackStubs writes what moves the state. They keep all registers but those of
// vectors, which entering loses. It returns where Go enters to have the state
// put into the frame.
func (c *Compiler) stackStubs() (syncEntry int) {
	k := &c.cfg.Slots.Stack
	img := int32(fxWord * 8)
	push := func(r reg) { c.head(0x50+opcode(r&7), 0, 0, r, false) }
	pop := func(r reg) { c.head(0x58+opcode(r&7), 0, 0, r, false) }
	mem16 := func(off int32) mem { return at(r15, img+off) }

	c.fpu.goResident = c.n
	for _, r := range []reg{rax, rcx, rdx} {
		push(r)
	}
	c.rm(opMXCSR, 3, mem16(fxMXCSR)) // FXRSTOR loads it
	c.rm(opMOVload, rax, slotMem(uint16(k.Control)))
	c.rm(opMOVst|pfx66, rax, mem16(0))
	c.rm(opMOVst|pfx66, rax, at(r15, offHostCW))
	c.rm(opMOVload, rcx, slotMem(uint16(k.Top)))
	c.mov(32, rax, rcx)
	c.shifti(shSHL, 32, rax, 11)
	c.rm(opALU|aluOR<<3, rax, slotMem(uint16(k.Status)))
	c.rm(opMOVst|pfx66, rax, mem16(fxStatus))
	c.rm(opMOVload, rax, slotMem(uint16(k.Tags)))
	c.rm(opMOVst|pfx66, rax, mem16(fxTags))
	for i := range int32(8) { // ECX is the register's number
		c.mov(32, rdx, rcx)
		c.shifti(shSHL, 32, rdx, 4)
		c.rm(opMOVUPSl, 0, mem{base: r15, index: rdx, disp: int32(k.Regs) * 8})
		c.rm(opMOVUPSs, 0, mem16(fxST+16*i))
		c.alui(aluADD, 32, rcx, 1)
		c.alui(aluAND, 32, rcx, 7)
	}
	c.rm(opFX, 1, mem16(0))
	c.movmi8(at(r15, offResident), 1)
	for _, r := range []reg{rdx, rcx, rax} {
		pop(r)
	}
	c.byte(0xc3)

	c.fpu.sync = c.n
	for _, r := range []reg{rax, rcx, rdx} {
		push(r)
	}
	c.rm(opFX, 0, mem16(0))
	c.rm(opMOVZX16, rax, mem16(fxStatus))
	c.mov(32, rcx, rax)
	c.alui(aluAND, 32, rax, ^(7 << 11))
	c.rm(opMOVst|wide, rax, slotMem(uint16(k.Status)))
	c.shifti(shSHR, 32, rcx, 11)
	c.alui(aluAND, 32, rcx, 7)
	c.rm(opMOVst|wide, rcx, slotMem(uint16(k.Top)))
	c.rm(opMOVZX8, rax, mem16(fxTags))
	c.rm(opMOVst|wide, rax, slotMem(uint16(k.Tags)))
	for i := range int32(8) {
		c.mov(32, rdx, rcx)
		c.shifti(shSHL, 32, rdx, 4)
		c.rm(opMOVload|wide, rax, mem16(fxST+16*i))
		c.rm(opMOVst|wide, rax, mem{base: r15, index: rdx, disp: int32(k.Regs) * 8})
		c.rm(opMOVZX16, rax, mem16(fxST+16*i+8))
		c.rm(opMOVst|wide, rax, mem{base: r15, index: rdx, disp: int32(k.Regs)*8 + 8})
		c.alui(aluADD, 32, rcx, 1)
		c.alui(aluAND, 32, rcx, 7)
	}
	c.movmi8(at(r15, offResident), 0)
	for _, r := range []reg{rdx, rcx, rax} {
		pop(r)
	}
	c.byte(0xc3)

	c.fpu.loadCW = c.n
	push(rax)
	c.rm(0xd9, 5, slotMem(uint16(k.Control))) // FLDCW; right behind a store of 16 bits it may take 200 cycles
	c.rm(opMOVload, rax, slotMem(uint16(k.Control)))
	c.rm(opMOVst|pfx66, rax, at(r15, offHostCW))
	pop(rax)
	c.byte(0xc3)

	syncEntry = c.n
	c.patch(c.callRel(), c.fpu.sync)
	c.rm(0xff, 4, at(r15, offLeave))
	return syncEntry
}

// doesStackOp reports whether o is done in machine code.
func (c *Compiler) doesStackOp(o ir.StackOp) bool {
	// FISTTP came with SSE3.
	fisttp := o.Mem != 0 && o.Code>>3&7 == 1 && o.Code&0x100 != 0 && o.Code>>8 != 1
	return c.cfg.Slots.Stack.Regs != 0 && (!fisttp || c.cfg.Features.SSE3)
}

// analyseStackOp notes what an FPU at i reads.
func (c *Compiler) analyseStackOp(in *ir.Inst, i int32) {
	o := ir.StackOpOf(in.Imm)
	k := &c.cfg.Slots.Stack
	for s := k.Regs; s <= k.Tags; s++ {
		c.setStamp[s], c.nextSet[s] = c.stamp, isRead(i)
	}
	c.readSlot(k.Control, i)
	for _, d := range c.cands {
		if v := &c.vals[d]; d < i && v.cand != noCand && k.Has(v.home()) {
			v.cand = noCand
		}
	}
	if o.Mem != 0 {
		c.readSlot(o.Slot, i)
		if o.Mem > 8 {
			c.readSlot(o.Slot+1, i)
		}
	}
	if o.Cond {
		c.need(in.Args[1], i)
	}
}

// toResident makes the host's x87 the guest's.
func (c *Compiler) toResident() {
	if c.fpu.now == stackResident {
		return
	}
	k := &c.cfg.Slots.Stack
	list := c.fpu.list[:0]
	for _, s := range c.slots {
		if k.Has(s) && c.pend[s] != 0 {
			list = append(list, s)
		}
	}
	list = append(list, k.Control)
	c.fpu.list = list
	c.flushSlots(list...)
	for i := 0; i < len(c.homed); i++ {
		if s := c.homed[i]; k.Has(s) {
			c.vacate(s)
		}
	}
	c.checkStack(ccE, c.fpu.goResident, c.vec.now.cached)
	c.fpu.now = stackResident
}

// toFrame puts the state into the frame.
func (c *Compiler) toFrame() {
	if c.fpu.now != stackInFrame {
		c.checkStack(ccNE, c.fpu.sync, 0)
		c.fpu.now = stackInFrame
	}
}

// checkStack calls a stub under a condition of the word offResident.
func (c *Compiler) checkStack(cc cond, stubAt int, vectors uint16) {
	c.rm(0x80, aluCMP, at(r15, offResident))
	c.byte(0)
	j := c.jcc(cc)
	c.cold = append(c.cold, stub{jump: int32(j), back: int32(c.n), call: int32(stubAt), vectors: vectors, d: noReg})
}

// settleCW makes the host's control word the guest's, if it may not be.
func (c *Compiler) settleCW() {
	if !c.fpu.staleCW {
		return
	}
	c.fpu.staleCW = false
	k := c.cfg.Slots.Stack.Control
	c.flushSlots(k)
	locked := c.locked
	r := c.temp()
	c.rm(opMOVZX16, r, slotMem(uint16(k)))
	c.locked = locked
	c.checkCW(r)
}

// checkCW changes the host's control word if that is not the one in r.
func (c *Compiler) checkCW(r reg) {
	c.rm(opALU|aluCMP<<3|pfx66, r, at(r15, offHostCW))
	j := c.jcc(ccNE)
	c.cold = append(c.cold, stub{jump: int32(j), back: int32(c.n), call: int32(c.fpu.loadCW), d: noReg})
}

// truncating lowers a FISTP that comes behind a change of the control word:
// most often that is to truncate, and undone behind it. FISTTP does that.
func (c *Compiler) truncating(o ir.StackOp) bool {
	esc, row := o.Code>>8, o.Code>>3&7
	var op opcode
	switch {
	case !c.fpu.staleCW || !c.cfg.Features.SSE3 || o.Mem == 0:
		return false
	case esc == 3 && row == 3, esc == 7 && row == 3: // FISTP of 32 and 16 bits
		op = 0xd8 | opcode(esc)
	case esc == 7 && row == 7: // of 64: DD /1
		op = 0xdd
	default:
		return false
	}
	k := c.cfg.Slots.Stack.Control
	c.flushSlots(k)
	locked := c.locked
	r, t := c.temp(), c.temp()
	c.locked = locked
	m := slotMem(uint16(o.Slot))
	c.rm(opMOVZX16, r, slotMem(uint16(k)))
	c.rm(opMOVZX16, t, at(r15, offHostCW))
	c.alui(aluOR, 32, t, 3<<10)
	c.alu(aluCMP, 32, r, t)
	plain := c.jcc8(ccNE)
	c.rm(op, 1, m) // right, too, if the host truncates already
	end := c.jmp8()
	c.here8(plain)
	c.checkCW(r) // takes no register, on this side only
	c.rm(opcode(0xd8|esc), reg(row), m)
	c.here8(end)
	return true
}

// usesCW reports whether an instruction depends on the control word. Constants
// are rounded; what moves numbers or compares them is not.
func usesCW(o ir.StackOp) bool {
	esc, modrm := o.Code>>8, o.Code&0xff
	switch {
	case o.Cond:
		return false
	case o.Mem != 0 && (esc == 5 || esc == 1) && modrm>>3 == 0: // FLD
		return false
	case o.Mem == 0 && esc == 1 && (modrm < 0xd0 || modrm == 0xe0 || modrm == 0xe1): // FLD, FXCH, FCHS, FABS
		return false
	case o.Mem == 2 && o.Store && o.Code == 5<<8|7<<3: // FNSTSW
		return false
	}
	return true
}

// stackOp lowers an FPU.
func (c *Compiler) stackOp(in *ir.Inst) {
	o := ir.StackOpOf(in.Imm)
	operand, fused := c.fusedOperand()
	if !fused {
		operand = slotMem(uint16(o.Slot))
	}
	c.toResident()
	c.flushSlots(c.cfg.Slots.Stack.Control)
	esc, modrm := byte(0xd8|o.Code>>8), byte(o.Code)
	if o.Mem != 0 {
		if !fused {
			c.flushSlots(o.Slot, o.Slot+1)
		}
		if o.Store {
			c.vacate(o.Slot)
			c.vacate(o.Slot + 1)
		}
		if c.truncating(o) {
			return
		}
		if usesCW(o) {
			c.settleCW()
		}
		c.rm(opcode(esc), reg(modrm>>3&7), operand)
		return
	}
	if usesCW(o) {
		c.settleCW()
	}
	if o.Cond {
		r := c.use(in.Args[1])
		c.rr(opTEST|wide, r, r)
	}
	if in.Type == ir.Void {
		c.put(uint64(esc)|uint64(modrm)<<8, 2)
		return
	}
	c.take(rax)
	c.alu(aluXOR, 32, rax, rax)
	c.put(uint64(esc)|uint64(modrm)<<8, 2)
	c.byte(opLAHF)
	c.put(0xc4b60f, 3) // MOVZX EAX, AH
	c.alui(aluAND, 32, rax, 0x45)
	c.own(rax)
	c.done()
}
