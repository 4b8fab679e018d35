package amd64

import "rhea/internal/ir"

// This file computes lazy flags (ir.Lazy) by doing the operation that they
// follow from once more, and asking the host for its flags.

const (
	flagsMask  = 0x8d5 // CF PF AF ZF SF OF
	caseSize   = 32    // of a case of lazyStub, a power of 2
	caseShift  = 5
	logicFlags = flagsMask &^ 0x10
)

// lazyStub writes the subroutine that returns the flags in RAX, or -1 if it
// cannot. It destroys RCX and RDX.
func (c *Compiler) lazyStub() {
	z := c.cfg.Slots.Lazy
	if z == nil {
		return
	}
	c.lazyAt = c.n
	c.rm(opMOVload, rax, slotMem(uint16(z.Op)))
	c.alui(aluCMP, 32, rax, ir.LazyEnd)
	unknown := c.jcc(ccAE)
	c.shifti(shSHL, 32, rax, caseShift)
	c.rm(opLEA|wide, rcx, mem{base: noReg, index: noReg}) // to be made relative to RIP
	c.buf[c.n-6] = 0x05 | byte(rcx)<<3
	c.n--
	table := c.n - 4
	c.alu(aluADD, 64, rcx, rax)
	c.rr(0xff, 4, rcx) // JMP RCX
	c.here(unknown)
	c.fail()
	c.n = (c.n + caseSize - 1) &^ (caseSize - 1)
	c.patch(table, c.n)
	for op := range ir.LazyEnd {
		end := c.n + caseSize
		c.lazyCase(z, op&^3, op&3)
		if c.n > end {
			panic("BUG: amd64: case of lazy flags too long")
		}
		c.n = end
	}
}

func (c *Compiler) fail() {
	c.movi(rax, ^uint64(0))
	c.byte(0xc3)
}

// lazyCase writes the case of one kind and size.
func (c *Compiler) lazyCase(z *ir.Lazy, kind, size int) {
	full := 32 // width of what is loaded
	if size == 3 {
		full = 64
	}
	load := func(r reg, s ir.Slot) { c.rm(opMOVload|w(full), r, slotMem(uint16(s))) }
	// op is an operation of the operands' size.
	op := func(alu int, d, s reg) {
		switch size {
		case 0:
			c.rr(0x02|opcode(alu)<<3|byte8, d, s)
		case 1:
			c.byte(0x66)
			c.alu(alu, 32, d, s)
		default:
			c.alu(alu, full, d, s)
		}
	}
	mask := int32(flagsMask)
	switch kind {
	case ir.LazyFlags:
		load(rax, z.Src)
		c.alui(aluAND, 32, rax, mask)
		c.byte(0xc3)
		return
	case ir.LazyAdd:
		load(rax, z.Dst)
		load(rcx, z.Src)
		c.alu(aluSUB, full, rax, rcx)
		op(aluADD, rax, rcx)
	case ir.LazySub:
		load(rax, z.Dst)
		load(rcx, z.Src)
		c.alu(aluADD, full, rax, rcx)
		op(aluCMP, rax, rcx)
	case ir.LazyCmp:
		load(rax, z.Dst)
		load(rcx, z.Src)
		op(aluCMP, rax, rcx)
	case ir.LazyLogic:
		load(rax, z.Dst)
		op(aluOR, rax, rax)
		mask = logicFlags
	case ir.LazyAdc: // the carry that went in is Dst - a - b
		load(rcx, z.Aux)
		load(rdx, z.Src)
		load(rax, z.Dst)
		c.alu(aluSUB, 32, rax, rcx)
		c.alu(aluSUB, 32, rax, rdx)
		c.ext(0xd1, shSHR, rax) // to CF
		op(aluADC, rcx, rdx)
	case ir.LazySbb: // a - b - Dst
		load(rcx, z.Aux)
		load(rdx, z.Src)
		c.mov(32, rax, rcx)
		c.alu(aluSUB, 32, rax, rdx)
		c.rm(opALU|aluSUB<<3, rax, slotMem(uint16(z.Dst)))
		c.ext(0xd1, shSHR, rax)
		op(aluSBB, rcx, rdx)
	default:
		c.fail()
		return
	}
	c.byte(0x9c) // PUSHF
	c.head(0x58+opcode(rax), 0, 0, 0, false)
	c.ext(0x81, aluAND, rax)
	c.int32(mask)
	c.byte(0xc3)
}

// lazyFlags is a call of Lazy.Helper, which happens only if the subroutine
// has no answer.
func (c *Compiler) lazyFlags(in *ir.Inst) {
	c.flush()
	for _, r := range [...]reg{rax, rcx, rdx} {
		c.take(r)
	}
	c.patch(c.callRel(), c.lazyAt)
	c.rr(opTEST, rax, rax)
	j := c.jcc(ccS)
	c.begin(Call, sitePure|siteKeeps)
	c.number(uint64(c.cfg.Slots.Lazy.Helper))
	c.pcNumber(c.pc())
	c.cold = append(c.cold, stub{site: c.finish(false), jump: int32(j), d: rax, back: int32(c.n)})
	d := c.dest(rax)
	if d != rax {
		c.mov(64, d, rax)
	}
	c.done()
}
