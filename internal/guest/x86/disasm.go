package x86

import (
	"fmt"
	"strings"
)

// Disassemble names the instruction at the start of code, in the syntax of
// the SDM as nasm writes it, out of the opcode maps. PC is the address of the
// instruction, which is 2-, 4- or 8-byte code (CodeSize). A byte that begins no
// instruction is "db", with n = 1; n is 0 if code is cut short.
func Disassemble(code []byte, pc uint64, size int) (text string, n int) {
	if len(code) == 0 {
		return "", 0
	}
	in, err := decode(code[:min(len(code), maxLength)], size)
	if err != nil && len(code) < maxLength {
		return "", 0
	}
	if err != nil || in.enc == nil {
		return fmt.Sprintf("db 0x%02x", code[0]), 1
	}
	d := disassembly{in: &in, pc: pc, native: size}
	text, ok := d.text()
	if !ok {
		return fmt.Sprintf("db 0x%02x", code[0]), 1
	}
	return text, len(in.bytes)
}

// disassembly is an instruction being written. What its prefixes do has to be
// seen from the text: what no operand shows is written before the mnemonic.
type disassembly struct {
	in     *inst
	pc     uint64
	native int // operand and address size without prefixes

	opShown, adShown, segShown bool
}

// disasmName is what assemblers call an instruction: the maps have other names
// for some.
func disasmName(name string) string {
	switch name {
	case "IMUL1":
		return "imul"
	case "CALLF":
		return "call"
	case "JMPF":
		return "jmp"
	case "FSTPNCE": // which tags empty without a check
		return "fstp"
	case "XLAT":
		return "xlatb"
	}
	return strings.ToLower(name)
}

// stringName reports whether name is a string instruction: its operands are
// implied, its size is part of the mnemonic.
func stringName(name string) bool {
	switch name {
	case "MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS":
		return true
	}
	return false
}

// sizedName names an instruction without operands whose mnemonic depends on
// the operand size: 16 bits, 16 bits in other code, 32 bits, 64 bits.
func sizedName(name string) (names [4]string, ok bool) {
	switch name {
	case "CBW":
		return [4]string{"cbw", "cbw", "cwde", "cdqe"}, true
	case "CWD":
		return [4]string{"cwd", "cwd", "cdq", "cqo"}, true
	case "PUSHA", "POPA", "PUSHF", "POPF", "IRET":
		n := strings.ToLower(name)
		return [4]string{n, n + "w", n + "d", n + "q"}, true
	}
	return names, false
}

func (d *disassembly) text() (string, bool) {
	in := d.in
	name := disasmName(in.enc.name)
	var operands []string
	sized, isSized := sizedName(in.enc.name)
	switch {
	case isSized:
		d.opShown = true
		switch {
		case in.opsize == 8:
			name = sized[3]
		case in.opsize == 4:
			name = sized[2]
		case d.native == 2:
			name = sized[0]
		default:
			name = sized[1]
		}
	case stringName(in.enc.name):
		size := in.sizeOf(&in.enc.operands[0])
		if in.enc.name == "OUTS" {
			size = in.sizeOf(&in.enc.operands[1])
		}
		d.opShown = size != 1
		name += map[int]string{1: "b", 2: "w", 4: "d", 8: "q"}[size]
	default:
		switch {
		case in.enc.name == "JCXZ":
			d.adShown = true
			name = map[int]string{2: "jcxz", 4: "jecxz", 8: "jrcxz"}[in.adsize]
		case in.enc.name == "NOP" && in.opcode == 0x90 && in.inOpcode != rAX:
			return fmt.Sprintf("xchg %s, %s", d.register(in.inOpcode, in.opsize), d.register(rAX, in.opsize)), true
		case in.length != 0 && in.opsize == 8 && (name == "vmovd" || name == "vpinsrd" || name == "vpextrd"):
			name = map[string]string{"vmovd": "vmovq", "vpinsrd": "vpinsrq", "vpextrd": "vpextrq"}[name]
		case in.opsize == 8 && (name == "cmpxchg8b" || name == "movd" || name == "pinsrd" || name == "pextrd" ||
			name == "retf" || name == "sysret" || name == "sysexit" || name == "fxsave" || name == "fxrstor" ||
			name == "xsave" || name == "xrstor" || name == "xsaveopt"):
			name = map[string]string{
				"cmpxchg8b": "cmpxchg16b", "movd": "movq", "pinsrd": "pinsrq", "pextrd": "pextrq", "retf": "retfq",
				"sysret": "sysretq", "sysexit": "sysexitq", "fxsave": "fxsave64", "fxrstor": "fxrstor64",
				"xsave": "xsave64", "xrstor": "xrstor64", "xsaveopt": "xsaveopt64",
			}[name]
		case in.enc.name == "NOP" && in.opcode == 0x18 && in.reg < 4:
			name = [...]string{"prefetchnta", "prefetcht0", "prefetcht1", "prefetcht2"}[in.reg]
		}
		for i := range in.enc.operands {
			text, ok := d.operand(i)
			if !ok {
				return "", false
			}
			if text != "" {
				operands = append(operands, text)
			}
		}
	}
	out := d.prefixes() + name
	if len(operands) > 0 {
		out += " " + strings.Join(operands, ", ")
	}
	return out, true
}

// prefixes writes the prefixes that the operands do not show.
func (d *disassembly) prefixes() string {
	in := d.in
	var p strings.Builder
	if in.lock {
		p.WriteString("lock ")
	}
	if in.rep != 0 && in.enc.prefix != in.rep {
		compares := in.enc.name == "CMPS" || in.enc.name == "SCAS"
		switch {
		case in.rep == 0xf2:
			p.WriteString("repne ")
		case compares:
			p.WriteString("repe ")
		default:
			p.WriteString("rep ")
		}
	}
	if in.pfx66 && in.enc.prefix != 0x66 && !d.opShown && !in.enc.vex && !in.enc.force64 {
		fmt.Fprintf(&p, "o%d ", 8*in.opsize)
	}
	if in.adsize != d.native && !d.adShown {
		fmt.Fprintf(&p, "a%d ", 8*in.adsize)
	}
	if in.seg >= 0 && !d.segShown {
		p.WriteString(segNames()[in.seg] + " ")
	}
	return p.String()
}

// width is an operand's size in bytes, 0 = none to be written.
func (d *disassembly) width(o *operand) int {
	switch o.size {
	case "s", "a", "":
		return 0
	case "p":
		return 0
	case "ss":
		return 4
	case "sd", "pi":
		return 8
	case "ps", "pd":
		return 16
	}
	return d.in.sizeOf(o)
}

// follows notes that the text shows the operand size if o has it.
func (d *disassembly) follows(o *operand) {
	switch o.size {
	case "v", "z":
		d.opShown = true
	}
}

// operand writes operand i; "" if it is implied.
func (d *disassembly) operand(i int) (text string, ok bool) {
	in, o := d.in, &d.in.enc.operands[i]
	reg := func(n, size int) (string, bool) {
		d.follows(o)
		return d.register(n, size), true
	}
	switch o.kind {
	case kindE, kindR:
		if in.mem {
			return d.memory(i), true
		}
		if in.enc.name == "PINSRW" {
			return d.register(in.rm, 4), true // its low word
		}
		return reg(in.rm, d.width(o))
	case kindM:
		return d.memory(i), in.mem
	case kindG:
		return reg(in.reg, d.width(o))
	case kindZ:
		if in.enc.name == "BSWAP" { // of 16 bits: undefined
			d.opShown = true
			return d.register(in.inOpcode, in.opsize), true
		}
		return reg(in.inOpcode, d.width(o))
	case kindS:
		if in.reg > GS {
			return "", false
		}
		return segNames()[in.reg], true
	case kindC:
		return fmt.Sprintf("cr%d", in.reg), true
	case kindD:
		return fmt.Sprintf("dr%d", in.reg), true
	case kindP:
		return fmt.Sprintf("mm%d", in.reg), true
	case kindV:
		return d.vectorName(in.reg, o), true
	case kindH:
		return d.vectorName(in.vvvv, o), true
	case kindB:
		return reg(in.vvvv, d.width(o))
	case kindL:
		n := int(in.imm >> 4 & 15)
		if d.native < 8 {
			n &= 7
		}
		return d.vectorName(n, o), true
	case kindN:
		return fmt.Sprintf("mm%d", in.rm), !in.mem
	case kindU:
		return d.vectorName(in.rm, o), !in.mem
	case kindQ:
		if in.mem {
			return d.memory(i), true
		}
		return fmt.Sprintf("mm%d", in.rm), true
	case kindW:
		if in.mem {
			return d.memory(i), true
		}
		return d.vectorName(in.rm, o), true
	case kindST:
		return "st0", true
	case kindSTi:
		return fmt.Sprintf("st%d", in.modrm&7), true
	case kindO:
		return d.memory(i), true
	case kindX, kindY:
		return "", true
	case kindI, kindSI:
		return d.immediate(i), true
	case kindJ:
		return d.target(), true
	case kindA:
		size := ""
		if in.opsize != d.native {
			size = sizeWord(in.opsize) + " "
		}
		d.opShown = true
		return fmt.Sprintf("%s0x%x:0x%x", size, in.imm2, in.imm), true
	case kindEAX:
		d.opShown = true
		if in.enc.name == "IN" || in.enc.name == "OUT" {
			return d.register(rAX, min(in.opsize, 4)), true
		}
		return d.register(rAX, in.opsize), true
	}
	return strings.ToLower(o.text), true // a register's name, or 1
}

// immediate writes an immediate operand.
func (d *disassembly) immediate(i int) string {
	in, o := d.in, &d.in.enc.operands[i]
	v := in.imm
	if i > 0 && in.enc.operands[0].kind == kindI && len(in.enc.operands) > 1 {
		v = in.imm2
	}
	size := ""
	switch in.enc.name {
	case "PUSH":
		size = sizeWord(in.opsize) + " "
		d.opShown = true
	case "AAM", "AAD":
		if v == 10 {
			return ""
		}
	}
	if o.kind == kindSI {
		if s := int64(v); s < 0 {
			return fmt.Sprintf("%s-0x%x", size, -s)
		}
	}
	if o.most != 0 && in.opsize < 8 {
		v &= 0xffffffff
	}
	return fmt.Sprintf("%s0x%x", size, v)
}

// target writes where a relative jump goes.
func (d *disassembly) target() string {
	to := d.pc + uint64(len(d.in.bytes)) + d.in.imm
	if d.native == 8 {
		return fmt.Sprintf("0x%x", to)
	}
	to &= 0xffffffff
	// Beyond 64 KiB PC is no offset, and the segment's base is not known.
	if d.in.opsize == 2 {
		if d.in.enc.operands[0].size != "b" {
			to = uint64(uint32(d.pc) + uint32(len(d.in.bytes)) + uint32(int16(d.in.imm)))
		}
		if d.native == 4 || d.pc <= 0xffff {
			to &= 0xffff
		}
	}
	return fmt.Sprintf("0x%x", to)
}

// vectorName names a vector register.
func (d *disassembly) vectorName(n int, o *operand) string {
	if o.vector && d.in.length == 32 {
		return fmt.Sprintf("ymm%d", n)
	}
	return fmt.Sprintf("xmm%d", n)
}

func sizeWord(size int) string {
	return map[int]string{1: "byte", 2: "word", 4: "dword", 8: "qword", 10: "tword", 16: "oword", 32: "yword"}[size]
}

// register names a general register of size bytes.
func (d *disassembly) register(n, size int) string {
	if size == 1 && n >= 4 && n < 8 && d.in.rex == 0 {
		return [...]string{"ah", "ch", "dh", "bh"}[n-4]
	}
	return registerName(n, size)
}

func registerName(n, size int) string {
	if n >= 8 {
		return fmt.Sprintf("r%d%s", n, map[int]string{1: "b", 2: "w", 4: "d"}[size])
	}
	name := gprNames(false)[n][1:]
	switch size {
	case 1:
		return [...]string{"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"}[n]
	case 2:
		return name
	case 8:
		return "r" + name
	}
	return "e" + name
}

// memory writes operand i, which is in memory.
func (d *disassembly) memory(i int) string {
	in, o := d.in, &d.in.enc.operands[i]
	var b strings.Builder
	switch name := in.enc.name; {
	case name == "CALLF" || name == "JMPF":
		if in.opsize != d.native {
			b.WriteString(sizeWord(in.opsize) + " ")
		}
		b.WriteString("far ")
		d.opShown = true
	case o.kind == kindE && o.size == "v" && (name == "SLDT" || name == "STR" || name == "SMSW" || isSegmentMove(in.enc)):
		b.WriteString("word ") // whatever the operand size
	default:
		if w := sizeWord(d.width(o)); w != "" {
			b.WriteString(w + " ")
		}
		d.follows(o)
	}
	b.WriteByte('[')
	none := in.base < 0 && in.index < 0
	if in.relative {
		d.adShown = d.native == in.adsize
		seg := ""
		if in.seg >= 0 {
			seg, d.segShown = segNames()[in.seg]+":", true
		}
		fmt.Fprintf(&b, "rel %s0x%x]", seg, d.pc+uint64(len(in.bytes))+in.disp)
		return b.String()
	}
	d.adShown = true
	if none && in.adsize != d.native {
		b.WriteString(sizeWord(in.adsize) + " ")
	}
	if in.seg >= 0 {
		b.WriteString(segNames()[in.seg] + ":")
		d.segShown = true
	}
	if in.base >= 0 {
		b.WriteString(registerName(in.base, in.adsize))
	}
	index := ""
	switch {
	case strings.Contains(in.enc.name, "GATHER"):
		index = d.gatherIndex()
	case in.index >= 0:
		index = registerName(in.index, in.adsize)
	}
	if index != "" {
		if in.base >= 0 {
			b.WriteByte('+')
		}
		b.WriteString(index)
		if in.scale > 0 || in.base < 0 {
			fmt.Fprintf(&b, "*%d", 1<<in.scale)
		}
	}
	b.WriteString(displacement(in.disp, in.adsize, none))
	b.WriteByte(']')
	return b.String()
}

// gatherIndex names the vector register with the indexes of a gather: it has as
// many as the result has elements.
func (d *disassembly) gatherIndex() string {
	in := d.in
	if in.vindex < 0 {
		return ""
	}
	length := in.length
	switch name := in.enc.name; {
	case strings.HasSuffix(name, "DQ") || strings.HasSuffix(name, "DPD"):
		length = 16
	}
	if length == 32 {
		return fmt.Sprintf("ymm%d", in.vindex)
	}
	return fmt.Sprintf("xmm%d", in.vindex)
}

// isSegmentMove reports whether e is MOV from a segment register, which
// stores a word whatever the operand size is.
func isSegmentMove(e *encoding) bool {
	return e.name == "MOV" && len(e.operands) == 2 && e.operands[1].kind == kindS
}

// displacement writes a displacement; alone it is an address, behind
// registers a small negative one is subtracted.
func displacement(disp uint64, size int, alone bool) string {
	s := int64(disp)
	switch size {
	case 2:
		s = int64(int16(disp))
		disp &= 0xffff
	case 4:
		s = int64(int32(disp))
		disp &= 0xffffffff
	}
	switch {
	case alone:
		return fmt.Sprintf("0x%x", disp)
	case disp == 0:
		return ""
	case s < 0 && s >= -0x100000:
		return fmt.Sprintf("-0x%x", -s)
	}
	return fmt.Sprintf("+0x%x", disp)
}

// Disassemble names the instruction at the start of code for the monitor:
// size is that of the code (CodeSize), 0 for what the processor executes.
func (c *CPU) Disassemble(code []byte, pc uint64, size int) (text string, n int) {
	if size == 0 {
		size = CodeSize(c.Key())
	}
	return Disassemble(code, pc, size)
}
