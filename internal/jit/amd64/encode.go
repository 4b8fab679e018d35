package amd64

import "encoding/binary"

// This file is the assembler: encodings of the AMD64 Architecture
// Programmer's Manual (APM), volume 3, as far as the translator needs them.
// Nothing is allocated; an instruction is put together in a word and stored.

// reg is a general register in the order of the encodings.
type reg uint8

const (
	rax reg = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	r12
	r13
	r14
	r15
	noReg reg = 0xff
)

// xmm registers share the type: xmm0 is reg 0.

// mem is a memory operand: base + index<<scale + disp. Without a base the
// address is index<<scale + disp.
type mem struct {
	base, index reg
	scale       uint8
	disp        int32
	// guest, if it is not 0, makes it the guest's memory (Config.Flat): what the
	// instruction comes to if it faults is the site of this number, less 1.
	guest uint32
}

// at is base + disp.
func at(base reg, disp int32) mem { return mem{base: base, index: noReg, disp: disp} }

// Opcode maps: what precedes the opcode byte.
const (
	map1  = 0 // one byte
	map0F = 1
	map38 = 2
	map3A = 3
)

// opcode is an opcode with its map and mandatory prefix.
type opcode uint32

const (
	pfx66 opcode = 1 << 16
	pfxF3 opcode = 2 << 16
	pfxF2 opcode = 3 << 16
	wide  opcode = 1 << 20 // REX.W
	byte8 opcode = 1 << 21 // the operands are byte registers: SPL … DIL need a REX
	byteR opcode = 1 << 22 // only the reg operand, or the register rm, is a byte
)

func op0F(b byte) opcode { return map0F<<8 | opcode(b) }
func op38(b byte) opcode { return map38<<8 | opcode(b) }

// The opcodes by name, in the form reg, r/m unless said otherwise.
const (
	opALU     opcode = 0x03 // + alu<<3; reg op= r/m
	opALUmr   opcode = 0x01 // + alu<<3; r/m op= reg
	opMOVload opcode = 0x8b
	opMOVst   opcode = 0x89
	opMOVst8  opcode = 0x88 | byteR
	opLEA     opcode = 0x8d
	opTEST    opcode = 0x85
	opTEST8   opcode = 0x84 | byte8
	opMOVSXD  opcode = 0x63 | wide
	opXCHG    opcode = 0x87

	opMOVZX8  = map0F<<8 | 0xb6 | byteR
	opMOVZX16 = map0F<<8 | 0xb7
	opMOVSX8  = map0F<<8 | 0xbe | byteR
	opMOVSX16 = map0F<<8 | 0xbf
	opIMUL    = map0F<<8 | 0xaf
	opCMOV    = map0F<<8 | 0x40 // + condition
	opSETCC   = map0F<<8 | 0x90 | byte8
	opBSF     = map0F<<8 | 0xbc
	opBSR     = map0F<<8 | 0xbd
	opTZCNT   = map0F<<8 | 0xbc | pfxF3
	opLZCNT   = map0F<<8 | 0xbd | pfxF3
	opPOPCNT  = map0F<<8 | 0xb8 | pfxF3
	opMOVUPSl = map0F<<8 | 0x10
	opMOVUPSs = map0F<<8 | 0x11
	opMOVQl   = map0F<<8 | 0x7e | pfxF3 // xmm, xmm/m64
	opMOVQs   = map0F<<8 | 0xd6 | pfx66 // xmm/m64, xmm
)

// ALU operations, by their number in opcodes.
const (
	aluADD = iota
	aluOR
	aluADC
	aluSBB
	aluAND
	aluSUB
	aluXOR
	aluCMP
)

// Shifts of group 2.
const (
	shROL = 0
	shROR = 1
	shSHL = 4
	shSHR = 5
	shSAR = 7
)

// cond is a condition code.
type cond uint8

const (
	ccO  cond = 0
	ccB  cond = 2
	ccAE cond = 3
	ccE  cond = 4
	ccNE cond = 5
	ccBE cond = 6
	ccA  cond = 7
	ccS  cond = 8
	ccNS cond = 9
	ccP  cond = 10
	ccNP cond = 11
	ccL  cond = 12
	ccGE cond = 13
	ccLE cond = 14
	ccG  cond = 15
)

// asm writes machine code. buf has room for whatever is written between two
// checks of full.
type asm struct {
	buf []byte
	n   int

	// wideGuest says that addresses of the guest's memory have 64 bits.
	wideGuest bool

	// Accesses are the instructions that access the guest's memory, in the order
	// of their places. Those of a unit are added to what is there.
	Accesses []Access
}

// slack is the most that is written between two checks of full.
const slack = 4096

func (a *asm) full() bool { return a.n+slack > len(a.buf) }

func (a *asm) put(v uint64, n int) {
	binary.LittleEndian.PutUint64(a.buf[a.n:], v)
	a.n += n
}

func (a *asm) byte(b byte)   { a.buf[a.n] = b; a.n++ }
func (a *asm) int32(v int32) { a.put(uint64(uint32(v)), 4) }

// Bytes by their number in opcodes: mandatory prefixes, and escapes to maps.
var (
	prefixBytes = [4]uint8{0, 0x66, 0xf3, 0xf2}
	escapes     = [4]struct {
		v    uint16
		size uint8
	}{map1: {}, map0F: {0x0f, 1}, map38: {0x380f, 2}, map3A: {0x3a0f, 2}}
)

// start puts prefixes and opcode together, n bytes. r, x and b are the
// registers whose high bits go to REX; force asks for a REX in any case. It is
// done from the opcode backwards: what is not there costs nothing.
func start(o opcode, r, x, b reg, force bool) (v uint64, n int) {
	v, n = uint64(o&0xff), 1
	if m := o >> 8 & 3; m != map1 {
		e := &escapes[m]
		v = v<<(8*e.size&63) | uint64(e.v)
		n += int(e.size)
	}
	// Whether there is a REX is anyone's guess: no branch.
	rex := uint64(o>>17&8 | opcode(r>>1&4|x>>2&2|b>>3&1)) // wide is bit 20
	has := (rex + 15) >> 4
	if force {
		has = 1
	}
	v = v<<(8*has&63) | (rex|0x40)&-has
	n += int(has)
	if p := o >> 16 & 3; p != 0 {
		v = v<<8 | uint64(prefixBytes[p])
		n++
	}
	return v, n
}

// head writes prefixes and opcode.
func (a *asm) head(o opcode, r, x, b reg, force bool) { a.put(start(o, r, x, b, force)) }

// plain says that an opcode is one byte, of 32 or 64 bits: most are.
func (o opcode) plain() bool { return o&^(wide|0xff) == 0 }

// plainREX returns the REX prefix of a plain opcode, and whether there is one,
// as a number.
func plainREX(o opcode, r, x, b reg) (rex, has uint64) {
	rex = uint64(o>>17&8 | opcode(r>>1&4|x>>2&2|b>>3&1))
	return rex | 0x40, (rex + 15) >> 4
}

// put2 writes a plain instruction with two registers, or an opcode's extension
// and a register, and n bytes more, up to 4.
func (a *asm) put2(o opcode, r, m reg, more uint64, n int) {
	rex, has := plainREX(o, r, 0, m)
	v := uint64(o&0xff) | uint64(0xc0|r&7<<3|m&7)<<8 | more<<16
	a.put(v<<(8*has&63)|rex&-has, int(has)+2+n)
}

// rr writes an instruction with two register operands: reg, r/m.
func (a *asm) rr(o opcode, r, m reg) {
	if o.plain() {
		a.put2(o, r, m, 0, 0)
		return
	}
	force := o&(byte8|byteR) != 0 && (m >= rsp || o&byte8 != 0 && r >= rsp)
	v, n := start(o, r, 0, m, force)
	a.put(v|uint64(0xc0|r&7<<3|m&7)<<(8*n&63), n+1)
}

// ext is rr with an opcode extension in the reg field.
func (a *asm) ext(o opcode, x uint8, m reg) {
	v, n := start(o, 0, 0, m, o&(byte8|byteR) != 0 && m >= rsp)
	a.put(v|uint64(0xc0|x<<3|uint8(m&7))<<(8*n&63), n+1)
}

// rm writes an instruction with a register and a memory operand.
func (a *asm) rm(o opcode, r reg, m mem) {
	const sib = 4 // in the place of a base: SIB follows; of an index: none
	if m.guest != 0 {
		a.Accesses = append(a.Accesses, Access{uint32(a.n), m.guest - 1})
		if a.byte(0x65); !a.wideGuest { // GS
			a.byte(0x67) // and an address of 32 bits
		}
	}
	x, b, index := m.index, m.base, uint64(m.index&7)
	if x == noReg {
		x, index = 0, sib
	}
	force := o&(byte8|byteR) != 0 && r >= rsp && r <= rdi && o>>8&3 == map1
	if b == noReg { // index or nothing: SIB without a base, disp32
		v, n := start(o, r, x, 0, force)
		a.put(v, n)
		a.put(uint64(r&7<<3|sib)|(uint64(m.scale)<<6|index<<3|5)<<8|uint64(uint32(m.disp))<<16, 6)
		return
	}
	// ModRM, SIB and displacement, n bytes. How long that is is anyone's guess.
	class := 0 // of the displacement: 4, 1 and 0 bytes
	if m.disp == int32(int8(m.disp)) {
		class = 8
	}
	if m.disp == 0 && b&7 != 5 {
		class = 16
	}
	v, n := uint64(0x004080>>class&0xff)|uint64(r&7<<3), 1
	if base := uint64(b & 7); index == sib && x == 0 && base != sib {
		v |= base
	} else {
		v |= sib | (uint64(m.scale)<<6|index<<3|base)<<8
		n = 2
	}
	v |= uint64(uint32(m.disp)) << (8 * n & 63)
	n += 0x000104 >> class & 0xff
	if o.plain() { // 8 bytes at most
		rex, has := plainREX(o, r, x, b)
		v = v<<8 | uint64(o&0xff)
		a.put(v<<(8*has&63)|rex&-has, int(has)+1+n)
		return
	}
	head, k := start(o, r, x, b, force)
	a.put(head, k)
	a.put(v, n)
}

// w is the REX.W flag for an operand of more than 32 bits.
func w(bits int) opcode {
	if bits == 64 {
		return wide
	}
	return 0
}

// mov copies a register: all 64 bits, or the low 32 if bits is less.
func (a *asm) mov(bits int, d, s reg) { a.rr(opMOVload|w(bits), d, s) }

// alu is d op= s.
func (a *asm) alu(op int, bits int, d, s reg) { a.rr(opALU|opcode(op)<<3|w(bits), d, s) }

// alui is d op= imm, sign-extended to the operand's size.
func (a *asm) alui(op int, bits int, d reg, imm int32) {
	if imm == int32(int8(imm)) {
		a.put2(0x83|w(bits), reg(op), d, uint64(uint8(imm)), 1)
		return
	}
	a.put2(0x81|w(bits), reg(op), d, uint64(uint32(imm)), 4)
}

// alumi is [m] op= imm of 32 or 64 bits.
func (a *asm) alumi(op int, bits int, m mem, imm int32) {
	if imm == int32(int8(imm)) {
		a.rm(0x83|w(bits), reg(op), m)
		a.byte(byte(imm))
		return
	}
	a.rm(0x81|w(bits), reg(op), m)
	a.int32(imm)
}

// movi loads a constant; the flags stay.
func (a *asm) movi(d reg, v uint64) {
	switch {
	case v == uint64(uint32(v)):
		h, n := start(0xb8|opcode(d&7), 0, 0, d, false)
		a.put(h|v<<(8*n&63), n+4)
	case v == uint64(int64(int32(v))):
		a.ext(0xc7|wide, 0, d)
		a.int32(int32(v))
	default:
		a.head(0xb8|opcode(d&7)|wide, 0, 0, d, false)
		a.put(v, 8)
	}
}

// movmi stores a constant of 64 bits that is sign-extended from 32.
func (a *asm) movmi(m mem, v int32) {
	a.rm(0xc7|wide, 0, m)
	a.int32(v)
}

// movmi32 stores 32 bits.
func (a *asm) movmi32(m mem, v int32) {
	a.rm(0xc7, 0, m)
	a.int32(v)
}

// shifti shifts by a constant; bits may be 8, 16, 32 and 64.
func (a *asm) shifti(op uint8, bits int, d reg, n uint8) {
	switch bits {
	case 8:
		a.ext(0xc0|byte8, op, d)
	case 16:
		a.byte(0x66)
		a.ext(0xc1, op, d)
	default:
		a.put2(0xc1|w(bits), reg(op), d, uint64(n), 1)
		return
	}
	a.byte(n)
}

// shiftcl shifts by CL.
func (a *asm) shiftcl(op uint8, bits int, d reg) {
	switch bits {
	case 8:
		a.ext(0xd2|byte8, op, d)
	case 16:
		a.byte(0x66)
		a.ext(0xd3, op, d)
	default:
		a.ext(0xd3|w(bits), op, d)
	}
}

// zext makes the low bits of s, a value of 8 to 64 bits, the whole of d.
func (a *asm) zext(bits int, d, s reg) {
	switch bits {
	case 8:
		a.rr(opMOVZX8, d, s)
	case 16:
		a.rr(opMOVZX16, d, s)
	default:
		a.mov(bits, d, s)
	}
}

// sext sign-extends from bits to 32 or 64.
func (a *asm) sext(from, to int, d, s reg) {
	switch from {
	case 8:
		a.rr(opMOVSX8|w(to), d, s)
	case 16:
		a.rr(opMOVSX16|w(to), d, s)
	case 32:
		a.rr(opMOVSXD, d, s)
	}
}

// group3 is NOT (2), NEG (3), MUL (4), IMUL (5), DIV (6), IDIV (7) of d.
func (a *asm) group3(n uint8, bits int, d reg) { a.ext(0xf7|w(bits), n, d) }

// jcc writes a conditional jump with a rel32 to be patched; it returns its place.
func (a *asm) jcc(c cond) int {
	a.put(0x0f|(0x80|uint64(c))<<8, 6)
	return a.n - 4
}

// jcc8 is jcc with a rel8.
func (a *asm) jcc8(c cond) int {
	a.put(0x70|uint64(c), 2)
	return a.n - 1
}

// jmp8 is a jump with a rel8 to be patched.
func (a *asm) jmp8() int {
	a.put(0xeb, 2)
	return a.n - 1
}

// here8 makes the rel8 at p lead here.
func (a *asm) here8(p int) {
	d := a.n - (p + 1)
	if d > 127 {
		panic("BUG: amd64: short jump too far")
	}
	a.buf[p] = byte(d)
}

// jmp writes a jump with a rel32; it returns the place of that.
func (a *asm) jmp() int {
	a.put(0xe9, 5)
	return a.n - 4
}

// callRel is jmp for a call.
func (a *asm) callRel() int {
	a.put(0xe8, 5)
	return a.n - 4
}

// patch makes the rel32 at p lead to offset to.
func (a *asm) patch(p, to int) {
	binary.LittleEndian.PutUint32(a.buf[p:], uint32(int32(to-(p+4))))
}

func (a *asm) here(p int) { a.patch(p, a.n) }

// align pads with NOPs so that offset n+lead is a multiple of 4.
func (a *asm) align(lead int) {
	switch pad := -(a.n + lead) & 3; pad {
	case 1:
		a.put(0x90, 1)
	case 2:
		a.put(0x9066, 2)
	case 3:
		a.put(0x001f0f, 3)
	}
}
