package x86

import (
	"encoding/binary"
	"fmt"
)

// inst is a decoded instruction.
type inst struct {
	enc    *encoding
	bytes  []byte // all of them
	opcode byte

	opsize int  // operand size in bytes: 2, 4 or 8
	adsize int  // address size in bytes: the same
	native int  // both without prefixes
	rex    byte // the REX prefix, 0 = none
	length int  // of vectors in bytes, 0 = the instruction has no VEX prefix
	vvvv   int  // register that VEX names
	seg    int  // segment override, -1 = none
	rep    byte
	pfx66  bool
	lock   bool

	modrm          byte
	mod, reg, rm   int
	mem            bool // rm is memory
	base, index    int  // registers, -1 = none
	vindex         int  // vector register that is the index, -1 = there is no SIB byte
	scale          uint
	disp           uint64 // sign-extended
	relative       bool   // disp is relative to the next instruction
	defaultSegment int
	inOpcode       int // register that the opcode names

	imm, imm2 uint64 // sign-extended where the instruction does so
}

// errShort says that more bytes are needed.
var errShort = fmt.Errorf("x86: instruction is cut short")

// maxLength is the longest an instruction may be (SDM vol. 2, 2.3.11).
const maxLength = 15

type decoder struct {
	code []byte
	n    int
	bad  bool
}

func (d *decoder) byte() byte {
	if d.n >= len(d.code) {
		d.bad = true
		return 0
	}
	d.n++
	return d.code[d.n-1]
}

func (d *decoder) imm(size int) uint64 {
	if size == 4 && d.n+4 <= len(d.code) {
		d.n += 4
		return uint64(binary.LittleEndian.Uint32(d.code[d.n-4:]))
	}
	var v uint64
	for i := range size {
		v |= uint64(d.byte()) << (8 * i)
	}
	return v
}

// vex reads a VEX prefix, of which b is the first byte, and the opcode (SDM vol.
// 2, 2.3.5).
func (d *decoder) vex(in *inst, m *maps, b byte) (op *opcode, pp byte) {
	legacy := in.pfx66 || in.rep != 0 || in.lock || in.rex != 0
	p := d.byte()
	in.rex = 0x40 | ^p>>7<<2
	which := byte(1)
	if b == 0xc4 {
		in.rex, which = 0x40|^p>>5&7, p&31
		p = d.byte()
		in.rex |= p >> 7 << 3
	}
	in.vvvv, in.length, pp = int(^p>>3&15), 16<<(p>>2&1), p&3
	in.opsize = 4
	if m.long {
		if in.rex&rexW != 0 {
			in.opsize = 8
		}
	} else {
		in.rex &= 0x40 | rexW
		in.vvvv &= 7
	}
	in.opcode = d.byte()
	if legacy || which == 0 || which > 3 {
		return new(opcode), pp
	}
	return m.at(tableVEX+int(which), in.opcode), pp
}

// byVEX returns the encoding of an instruction with a VEX prefix.
func (o *opcode) byVEX(in *inst, pfx int) *encoding {
	for _, e := range o.vex {
		if e.fits(pfx, int(in.modrm)) && (e.length == 0 || e.length == in.length) && (e.w < 0 || e.w == int(in.rex>>3&1)) && e.usesVVVV(in) {
			return e
		}
	}
	return nil
}

// usesVVVV reports whether an operand is by VEX.vvvv, or that is 1111, as it
// must be else.
func (e *encoding) usesVVVV(in *inst) bool {
	for i := range e.operands {
		if k := e.operands[i].kind; k == kindH || k == kindB {
			return true
		}
	}
	return in.vvvv == 0
}

// disp32 reads a displacement of 32 bits.
func (d *decoder) disp32() uint64 { return uint64(int64(int32(d.imm(4)))) }

// decode decodes the instruction at the start of code in a segment of 2-, 4-
// or 8-byte code. A nil enc means that there is no such instruction (#UD); its
// bytes are those looked at.
func decode(code []byte, size int) (in inst, err error) {
	err = in.decode(mapsOf(size), code, size)
	return in, err
}

// decode is the function decode, in place.
func (in *inst) decode(m *maps, code []byte, size int) error {
	*in = inst{opsize: size, adsize: size, native: size, seg: -1}
	if m.long {
		in.opsize = 4
	}
	d := decoder{code: code}
	b := d.byte()
	if prefixes[b] || m.long && b&0xf0 == 0x40 {
		b = d.prefixes(in, b)
	}
	var op *opcode
	isVEX := (b == 0xc4 || b == 0xc5) && (m.long || d.n < len(code) && code[d.n] >= 0xc0)
	var pp byte
	switch {
	case isVEX:
		op, pp = d.vex(in, m, b)
		b = in.opcode
	case b == 0x0f:
		table := tableTwo
		switch b = d.byte(); b {
		case 0x38:
			table, b = tableThree38, d.byte()
		case 0x3a:
			table, b = tableThree3A, d.byte()
		}
		op = m.at(table, b)
	default:
		op = m.at(tableOne, b)
	}
	in.opcode, in.inOpcode = b, int(b&7|in.rex&rexB<<3)
	pfx := pfxNone
	switch {
	case isVEX:
		pfx = [...]int{pfxNone, pfx66, pfxF3, pfxF2}[pp]
	case in.rep == 0xf3:
		pfx = pfxF3
	case in.rep == 0xf2:
		pfx = pfxF2
	case in.pfx66:
		pfx = pfx66
	}
	e := op.direct[pfx]
	if op.modrm {
		d.modRM(in, op.regs)
		if op.split != nil {
			e = op.table().at(pfx, in.modrm)
		}
	}
	if isVEX {
		e = op.byVEX(in, pfx)
	}
	in.enc = e
	if e != nil {
		if m.long {
			in.inLong(e)
		}
	}
	if e != nil && e.inCode {
		for i := range e.operands {
			if o := &e.operands[i]; inCode[o.kind] {
				d.operand(in, o)
			}
		}
	}
	in.bytes = code[:d.n]
	if d.bad {
		return errShort
	}
	return nil
}

// Bits of a REX prefix (SDM vol. 2, table 2-4).
const (
	rexB = 1 << iota
	rexX
	rexR
	rexW
)

// inLong does what 64-bit mode does with the instruction e (SDM vol. 2, 2.2.1).
func (in *inst) inLong(e *encoding) {
	if e.force64 || e.def64 && in.opsize == 4 {
		in.opsize = 8
	}
	for i := range e.operands {
		switch e.operands[i].kind { // registers that there are eight of
		case kindP, kindS:
			in.reg &= 7
		case kindQ, kindN:
			if !in.mem {
				in.rm &= 7
			}
		}
	}
}

// prefixes are the prefixes, inCode the kinds of operands that are in the code
// behind ModRM.
var (
	prefixes = [256]bool{
		0x66: true, 0x67: true, 0xf0: true, 0xf2: true, 0xf3: true,
		0x26: true, 0x2e: true, 0x36: true, 0x3e: true, 0x64: true, 0x65: true,
	}
	inCode = [numKinds]bool{kindI: true, kindL: true, kindSI: true, kindJ: true, kindO: true, kindA: true}
)

// prefixes reads the prefixes, of which b is the first, and returns the first
// opcode byte.
func (d *decoder) prefixes(in *inst, b byte) byte {
	long, seg := in.native == 8, -1
	for ; !d.bad; b = d.byte() {
		rex := in.rex
		in.rex = 0 // one that no opcode follows means nothing
		switch b {
		case 0x66:
			in.pfx66 = true
			if in.opsize = 6 - in.native; long {
				in.opsize = 2
			}
		case 0x67:
			if in.adsize = 6 - in.native; long {
				in.adsize = 4
			}
		case 0xf0:
			in.lock = true
		case 0xf2, 0xf3:
			in.rep = b
		case 0x26:
			in.seg = ES
		case 0x2e:
			in.seg = CS
		case 0x36:
			in.seg = SS
		case 0x3e:
			in.seg = DS
		case 0x64:
			in.seg = FS
		case 0x65:
			in.seg = GS
		default:
			if long && b&0xf0 == 0x40 {
				in.rex = b
				continue
			}
			if in.rex = rex; rex&rexW != 0 {
				in.opsize = 8
			}
			return b
		}
		if long && in.seg >= 0 && in.seg < FS { // no longer means anything
			in.seg = seg
		}
		seg = in.seg
	}
	return 0
}

// modRM reads the ModRM byte and what belongs to it (SDM vol. 2, 2.1.5).
func (d *decoder) modRM(in *inst, regs bool) {
	b := d.byte()
	in.modrm = b
	in.mod, in.reg, in.rm = int(b>>6), int(b>>3&7|in.rex&rexR<<1), int(b&7|in.rex&rexB<<3)
	in.base, in.index, in.vindex, in.defaultSegment = -1, -1, -1, DS
	if in.mod == 3 || regs {
		return
	}
	in.mem = true
	if in.adsize == 2 {
		d.modRM16(in)
		return
	}
	rm, sib := in.rm, b&7 == 4
	if sib {
		s := d.byte()
		in.scale = uint(s >> 6)
		in.vindex = int(s>>3&7 | in.rex&rexX<<2)
		if in.vindex != rSP {
			in.index = in.vindex
		}
		rm = int(s&7 | in.rex&rexB<<3)
	}
	if rm&7 == rBP && in.mod == 0 {
		in.disp = d.disp32()
		in.relative = in.native == 8 && !sib
		return
	}
	in.base = rm
	if rm == rSP || rm == rBP {
		in.defaultSegment = SS
	}
	switch in.mod {
	case 1:
		in.disp = uint64(int8(d.byte()))
	case 2:
		in.disp = d.disp32()
	}
}

// The registers of 16-bit addresses, by rm.
var (
	bases   = [8]int{rBX, rBX, rBP, rBP, rSI, rDI, rBP, rBX}
	indexes = [8]int{rSI, rDI, rSI, rDI, -1, -1, -1, -1}
)

func (d *decoder) modRM16(in *inst) {
	if in.mod == 0 && in.rm == 6 {
		in.disp = d.imm(2)
		return
	}
	in.base, in.index = bases[in.rm], indexes[in.rm]
	if in.base == rBP {
		in.defaultSegment = SS
	}
	switch in.mod {
	case 1:
		in.disp = uint64(int8(d.byte()))
	case 2:
		in.disp = d.imm(2)
	}
}

// operand reads what an operand has in the code after ModRM.
func (d *decoder) operand(in *inst, o *operand) {
	size := in.sizeOf(o)
	switch o.kind {
	case kindI:
		v := d.imm(size)
		if o.most == 4 && in.opsize == 8 {
			v = uint64(int64(int32(v)))
		}
		if in.enc.operands[0].kind == kindI && len(in.enc.operands) > 1 && o != &in.enc.operands[0] {
			in.imm2 = v // ENTER
		} else {
			in.imm = v
		}
	case kindL:
		in.imm = d.imm(1)
	case kindSI:
		in.imm = uint64(int8(d.byte()))
	case kindJ:
		v := d.imm(size)
		switch size {
		case 1:
			v = uint64(int8(v))
		case 4:
			v = uint64(int64(int32(v)))
		}
		in.imm = v
	case kindO:
		in.disp = d.imm(in.adsize)
		in.mem, in.base, in.index, in.defaultSegment = true, -1, -1, DS
	case kindA:
		in.imm = d.imm(in.opsize)
		in.imm2 = d.imm(2)
	}
}

// sizeOf returns an operand's size in bytes.
func (in *inst) sizeOf(o *operand) int {
	switch {
	case o.bytes != 0:
		return int(o.bytes)
	case o.vector:
		return in.length
	case o.least != 0:
		return in.atLeast(int(o.least))
	case o.most != 0:
		return min(in.opsize, int(o.most))
	}
	return in.opsize + int(o.more)
}

// atLeast is the size of an operand that is one of 32 bits, or in 64-bit mode
// of 64: with REX.W (n = 4), or always (n = 8).
func (in *inst) atLeast(n int) int {
	if in.native < 8 {
		return 4
	}
	return max(in.opsize, n)
}
