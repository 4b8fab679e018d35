package tcg_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// assemble is a small assembler for tests, in Intel's notation: what system
// programs need of the instruction set. Labels end in a colon; numbers are
// decimal, or hexadecimal with 0x; dword sizes are the default. Prefixes
// (rep, repne, lock, o16, o32, a16, a32) precede the instruction. Branches
// are near, but for loop and jcxz. bits is 16 or 32, org the address of the first
// byte. labels receives the labels' addresses, and may define others.
func assemble(t testing.TB, bits int, org uint32, labels map[string]uint32, text string) []byte {
	t.Helper()
	a := &assembler{bits: bits, labels: labels}
	for range 2 { // forward references need a second pass
		a.code, a.org = a.code[:0], org
		for n, line := range strings.Split(text, "\n") {
			if err := a.line(line); err != nil {
				t.Fatalf("assembler: line %d: %q: %v", n+1, strings.TrimSpace(line), err)
			}
		}
		a.last = true
	}
	return a.code
}

type assembler struct {
	bits   int
	org    uint32
	labels map[string]uint32
	code   []byte
	last   bool
}

type asmOperand struct {
	kind    byte // r register, s segment, c control, d debug, i immediate, m memory, f far pointer
	n       int  // of the register
	size    int  // bytes, 0 = unknown
	v       uint32
	label   bool // v may change between the passes
	sel     uint32
	seg     int // override, -1 = none
	base    int // -1 = none
	addr    int // size of the address, 0 = default
	indexed int // 16-bit: the whole rm field
}

var asmRegs = map[string]asmOperand{}

var (
	asmALU   = []string{"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"}
	asmShift = []string{"rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"}
	asmUnary = []string{"", "", "not", "neg", "mul", "imul", "div", "idiv"}
	asmCC    = []string{"o", "no", "c", "nc", "z", "nz", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"}
	asmSeg   = []string{"es", "cs", "ss", "ds", "fs", "gs"}
	asmPlain = map[string]string{
		"nop": "90", "hlt": "f4", "cli": "fa", "sti": "fb", "cld": "fc", "std": "fd", "clc": "f8", "stc": "f9", "cmc": "f5",
		"int3": "cc", "int1": "f1", "into": "ce", "leave": "c9", "sahf": "9e", "lahf": "9f", "ud2": "0f0b", "wait": "9b",
		"cpuid": "0fa2", "rdtsc": "0f31", "rdmsr": "0f32", "wrmsr": "0f30", "clts": "0f06", "wbinvd": "0f09", "invd": "0f08",
		"sysenter": "0f34", "sysexit": "0f35", "rsm": "0faa", "pushf": "9c", "popf": "9d", "pusha": "60", "popa": "61",
		"iret": "cf", "fninit": "dbe3", "fnop": "d9d0", "daa": "27", "cwd": "99", "cbw": "98", "xlat": "d7",
		"movsb": "a4", "movsd": "a5", "stosb": "aa", "stosd": "ab", "lodsb": "ac", "lodsd": "ad", "cmpsb": "a6", "cmpsd": "a7",
		"scasb": "ae", "scasd": "af", "insb": "6c", "insd": "6d", "outsb": "6e", "outsd": "6f",
	}
	asmPrefix = map[string]byte{"rep": 0xf3, "repe": 0xf3, "repne": 0xf2, "lock": 0xf0, "es:": 0x26, "cs:": 0x2e, "ss:": 0x36, "ds:": 0x3e, "fs:": 0x64, "gs:": 0x65}
	asmGroup  = map[string][2]int{ // 0F xx /n
		"sldt": {0, 0}, "str": {0, 1}, "lldt": {0, 2}, "ltr": {0, 3}, "verr": {0, 4}, "verw": {0, 5},
		"sgdt": {1, 0}, "sidt": {1, 1}, "lgdt": {1, 2}, "lidt": {1, 3}, "smsw": {1, 4}, "lmsw": {1, 6}, "invlpg": {1, 7},
	}
	asmLabel = regexp.MustCompile(`^[a-z_]\w*$`)
	asmMem   = regexp.MustCompile(`^(?:(byte|word|dword) )?\[(?:([c-gs]s):)?([^\]]+)\]$`)
)

func init() {
	for i, n := range strings.Fields("ax cx dx bx sp bp si di") {
		asmRegs[n] = asmOperand{kind: 'r', n: i, size: 2}
		asmRegs["e"+n] = asmOperand{kind: 'r', n: i, size: 4}
	}
	for i, n := range strings.Fields("al cl dl bl ah ch dh bh") {
		asmRegs[n] = asmOperand{kind: 'r', n: i, size: 1}
	}
	for i, n := range asmSeg {
		asmRegs[n] = asmOperand{kind: 's', n: i, size: 2}
	}
	for i := range 8 {
		asmRegs[fmt.Sprintf("cr%d", i)] = asmOperand{kind: 'c', n: i, size: 4}
		asmRegs[fmt.Sprintf("dr%d", i)] = asmOperand{kind: 'd', n: i, size: 4}
	}
}

func (a *assembler) emit(b ...byte) { a.code = append(a.code, b...) }

func (a *assembler) imm(v uint32, size int) {
	for i := range size {
		a.emit(byte(v >> (8 * i)))
	}
}

// value is a sum of numbers and labels.
func (a *assembler) value(s string) (v uint32, label bool, err error) {
	for _, part := range strings.Split(strings.ReplaceAll(s, "-", "+-"), "+") {
		part = strings.TrimSpace(part)
		neg := strings.HasPrefix(part, "-")
		part = strings.TrimPrefix(part, "-")
		if part == "" {
			continue
		}
		x, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			l, ok := a.labels[part]
			if !ok && a.last {
				return 0, false, fmt.Errorf("no label %q", part)
			}
			x, label = uint64(l), true
		}
		if neg {
			x = -x
		}
		v += uint32(x)
	}
	return v, label, nil
}

func (a *assembler) operand(s string) (o asmOperand, err error) {
	if r, ok := asmRegs[s]; ok {
		return r, nil
	}
	if m := asmMem.FindStringSubmatch(s); m != nil {
		o = asmOperand{kind: 'm', size: map[string]int{"byte": 1, "word": 2, "dword": 4}[m[1]], seg: slices.Index(asmSeg, m[2]), base: -1}
		if m[2] == "" {
			o.seg = -1
		}
		rest := m[3]
		base, disp, more := strings.Cut(rest, "+")
		if i := strings.Index(rest, "-"); i > 0 && !more {
			base, disp = rest[:i], rest[i:]
		}
		if r, ok := asmRegs[strings.TrimSpace(base)]; ok {
			o.base, o.addr = r.n, r.size
			rest = disp
		}
		o.v, o.label, err = a.value(rest)
		return o, err
	}
	if sel, off, ok := strings.Cut(s, ":"); ok {
		o.kind = 'f'
		if o.sel, _, err = a.value(sel); err == nil {
			o.v, _, err = a.value(off)
		}
		return o, err
	}
	o.kind = 'i'
	o.v, o.label, err = a.value(s)
	return o, err
}

// modrm emits prefixes, opcode and ModRM for register or memory operand o.
func (a *assembler) modrm(size int, o *asmOperand, reg int, opcode ...byte) error {
	def := a.bits / 8
	if size != def && size != 1 && size != 0 {
		a.emit(0x66)
	}
	if o.kind != 'm' {
		a.emit(opcode...)
		a.emit(byte(0xc0 | reg<<3 | o.n))
		return nil
	}
	if o.seg >= 0 {
		a.emit(asmPrefix[asmSeg[o.seg]+":"])
	}
	addr := o.addr
	if addr == 0 {
		addr = def
	}
	if addr != def {
		a.emit(0x67)
	}
	a.emit(opcode...)
	r := byte(reg << 3)
	switch {
	case addr == 4 && o.base < 0:
		a.emit(r | 5)
		a.imm(o.v, 4)
	case addr == 4:
		a.emit(0x80 | r | byte(o.base))
		if o.base == 4 {
			a.emit(0x24)
		}
		a.imm(o.v, 4)
	case o.base < 0:
		a.emit(r | 6)
		a.imm(o.v, 2)
	default:
		rm, ok := map[int]byte{6: 4, 7: 5, 5: 6, 3: 7}[o.base]
		if !ok {
			return fmt.Errorf("no such base")
		}
		a.emit(0x80 | r | rm)
		a.imm(o.v, 2)
	}
	return nil
}

func (a *assembler) line(s string) error {
	s, _, _ = strings.Cut(s, ";")
	s = strings.TrimSpace(s)
	for {
		l, rest, ok := strings.Cut(s, ":")
		if !ok || !asmLabel.MatchString(l) || slices.Contains(asmSeg, l) {
			break
		}
		a.labels[l] = a.org + uint32(len(a.code))
		s = strings.TrimSpace(rest)
	}
	var o32 int
	for s != "" {
		word, rest, _ := strings.Cut(s, " ")
		switch p, ok := asmPrefix[word]; {
		case ok:
			a.emit(p)
		case word == "o32" || word == "o16":
			o32 = map[string]int{"o32": 4, "o16": 2}[word]
			if o32 != a.bits/8 {
				a.emit(0x66)
			}
		case word == "a32" && a.bits == 16, word == "a16" && a.bits == 32:
			a.emit(0x67)
		case word == "bits":
			a.bits, _ = strconv.Atoi(strings.TrimSpace(rest))
			return nil
		default:
			size := o32
			if size == 0 {
				size = a.bits / 8
			}
			return a.instruction(word, strings.TrimSpace(rest), size)
		}
		s = strings.TrimSpace(rest)
	}
	return nil
}

func (a *assembler) instruction(name, rest string, opsize int) error {
	var o []asmOperand
	if rest != "" {
		for _, f := range strings.Split(rest, ",") {
			x, err := a.operand(strings.TrimSpace(f))
			if err != nil {
				return err
			}
			o = append(o, x)
		}
	}
	if b, ok := asmPlain[name]; ok && len(o) == 0 {
		a.emit(unhex(b)...)
		return nil
	}
	kinds := ""
	for i := range o {
		kinds += string(o[i].kind)
	}
	def := a.bits / 8
	size := def
	for i := range o {
		if o[i].kind == 'r' {
			size = o[i].size
			break
		} else if o[i].size != 0 && o[i].kind == 'm' {
			size = o[i].size
		}
	}
	wide := byte(1)
	if size == 1 {
		wide = 0
	}
	rel := func(n int) uint32 { return o[0].v - (a.org + uint32(len(a.code)+n)) }
	if g, ok := asmGroup[name]; ok {
		sz := def
		if name == "str" || name == "sldt" || name == "smsw" {
			sz = size
		}
		return a.modrm(sz, &o[0], g[1], 0x0f, byte(g[0]))
	}
	if i := slices.Index(asmALU, name); i >= 0 {
		switch kinds {
		case "rr", "mr":
			return a.modrm(size, &o[0], o[1].n, byte(i*8)|wide)
		case "rm":
			return a.modrm(size, &o[1], o[0].n, byte(i*8)|2|wide)
		case "ri", "mi":
			if wide == 0 {
				err := a.modrm(size, &o[0], i, 0x80)
				a.imm(o[1].v, 1)
				return err
			}
			err := a.modrm(size, &o[0], i, 0x81)
			a.imm(o[1].v, size)
			return err
		}
	}
	if i := slices.Index(asmShift, name); i >= 0 && kinds == "ri" {
		err := a.modrm(size, &o[0], i, 0xc0|wide)
		a.imm(o[1].v, 1)
		return err
	}
	if i := slices.Index(asmUnary, name); i >= 0 && len(o) == 1 {
		return a.modrm(size, &o[0], i, 0xf6|wide)
	}
	if cc := slices.Index(asmCC, strings.TrimPrefix(name, "j")); cc >= 0 && name[0] == 'j' {
		a.emit(0x0f, 0x80|byte(cc))
		a.imm(rel(def), def)
		return nil
	}
	push66 := func() {
		if size != def && size != 1 {
			a.emit(0x66)
		}
	}
	switch name + " " + kinds {
	case "mov ri":
		push66()
		if size == 1 {
			a.emit(0xb0 | byte(o[0].n))
		} else {
			a.emit(0xb8 | byte(o[0].n))
		}
		a.imm(o[1].v, size)
	case "mov mi":
		err := a.modrm(size, &o[0], 0, 0xc6|wide)
		a.imm(o[1].v, size)
		return err
	case "mov rr", "mov mr":
		return a.modrm(size, &o[0], o[1].n, 0x88|wide)
	case "mov rm":
		return a.modrm(size, &o[1], o[0].n, 0x8a|wide)
	case "mov sr", "mov sm":
		return a.modrm(0, &o[1], o[0].n, 0x8e)
	case "mov rs":
		return a.modrm(size, &o[0], o[1].n, 0x8c)
	case "mov ms":
		return a.modrm(0, &o[0], o[1].n, 0x8c)
	case "mov cr", "mov dr":
		return a.modrm(0, &o[1], o[0].n, 0x0f, map[byte]byte{'c': 0x22, 'd': 0x23}[o[0].kind])
	case "mov rc", "mov rd":
		return a.modrm(0, &o[0], o[1].n, 0x0f, map[byte]byte{'c': 0x20, 'd': 0x21}[o[1].kind])
	case "test rr", "test mr":
		return a.modrm(size, &o[0], o[1].n, 0x84|wide)
	case "xchg rr", "xchg mr":
		return a.modrm(size, &o[0], o[1].n, 0x86|wide)
	case "cmpxchg mr":
		return a.modrm(size, &o[0], o[1].n, 0x0f, 0xb0|wide)
	case "xadd mr":
		return a.modrm(size, &o[0], o[1].n, 0x0f, 0xc0|wide)
	case "bts mr":
		return a.modrm(size, &o[0], o[1].n, 0x0f, 0xab)
	case "arpl rr", "arpl mr":
		return a.modrm(0, &o[0], o[1].n, 0x63)
	case "lar rr", "lsl rr":
		return a.modrm(size, &o[1], o[0].n, 0x0f, map[string]byte{"lar": 2, "lsl": 3}[name])
	case "lea rm":
		return a.modrm(size, &o[1], o[0].n, 0x8d)
	case "bound rm":
		return a.modrm(size, &o[1], o[0].n, 0x62)
	case "lss rm":
		return a.modrm(size, &o[1], o[0].n, 0x0f, 0xb2)
	case "lds rm":
		return a.modrm(size, &o[1], o[0].n, 0xc5)
	case "cmpxchg8b m":
		return a.modrm(0, &o[0], 1, 0x0f, 0xc7)
	case "fld m":
		return a.modrm(0, &o[0], 0, 0xdd) // 64 bits
	case "fstp m":
		return a.modrm(0, &o[0], 3, 0xdd)
	case "inc r", "inc m", "dec r", "dec m":
		return a.modrm(size, &o[0], map[string]int{"inc": 0, "dec": 1}[name], 0xfe|wide)
	case "push r", "pop r":
		push66()
		a.emit(map[string]byte{"push": 0x50, "pop": 0x58}[name] | byte(o[0].n))
	case "push m":
		return a.modrm(size, &o[0], 6, 0xff)
	case "pop m":
		return a.modrm(size, &o[0], 0, 0x8f)
	case "push i":
		a.emit(0x68)
		a.imm(o[0].v, opsize)
	case "push s":
		a.emit([...][]byte{{0x06}, {0x0e}, {0x16}, {0x1e}, {0x0f, 0xa0}, {0x0f, 0xa8}}[o[0].n]...)
	case "pop s":
		a.emit([...][]byte{{0x07}, nil, {0x17}, {0x1f}, {0x0f, 0xa1}, {0x0f, 0xa9}}[o[0].n]...)
	case "jmp i", "call i":
		a.emit(map[string]byte{"jmp": 0xe9, "call": 0xe8}[name])
		a.imm(rel(def), def)
	case "loop i", "jcxz i":
		a.emit(map[string]byte{"loop": 0xe2, "jcxz": 0xe3}[name])
		a.imm(rel(1), 1)
	case "jmp f", "call f":
		a.emit(map[string]byte{"jmp": 0xea, "call": 0x9a}[name])
		a.imm(o[0].v, opsize)
		a.imm(o[0].sel, 2)
	case "jmp r", "jmp m", "call r", "call m":
		return a.modrm(def, &o[0], map[string]int{"jmp": 4, "call": 2}[name], 0xff)
	case "jmpf m", "callf m":
		return a.modrm(def, &o[0], map[string]int{"jmpf": 5, "callf": 3}[name], 0xff)
	case "ret ", "ret i", "retf ", "retf i":
		op := map[string]byte{"ret": 0xc3, "retf": 0xcb}[name]
		if len(o) != 0 {
			op--
		}
		a.emit(op)
		if len(o) != 0 {
			a.imm(o[0].v, 2)
		}
	case "int i":
		a.emit(0xcd, byte(o[0].v))
	case "enter ii":
		a.emit(0xc8)
		a.imm(o[0].v, 2)
		a.imm(o[1].v, 1)
	case "out ir":
		push66()
		a.emit(0xe6|wide, byte(o[0].v))
	case "in ri":
		push66()
		a.emit(0xe4|wide, byte(o[1].v))
	case "out rr":
		size = o[1].size
		push66()
		a.emit(0xee | b2(size != 1))
	case "in rr":
		push66()
		a.emit(0xec | wide)
	default:
		for i := range o {
			switch name {
			case "db":
				a.imm(o[i].v, 1)
			case "dw":
				a.imm(o[i].v, 2)
			case "dd":
				a.imm(o[i].v, 4)
			case "org":
				for a.org+uint32(len(a.code)) < o[i].v {
					a.emit(0x90)
				}
			default:
				return fmt.Errorf("no such instruction (%s)", kinds)
			}
		}
		if len(o) == 0 {
			return fmt.Errorf("no such instruction")
		}
	}
	return nil
}

func b2(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// TestAssembler checks encodings of the tests' own assembler against the manual.
func TestAssembler(t *testing.T) {
	for _, x := range []struct {
		bits       int
		text, want string
	}{
		{32, "mov eax, 0x12345678", "b878563412"},
		{16, "mov eax, 1", "66b801000000"},
		{32, "mov ax, ds", "668cd8"},
		{32, "mov ss, ax", "8ed0"},
		{32, "mov cr0, eax", "0f22c0"},
		{32, "mov ecx, dr6", "0f21f1"},
		{32, "mov dword [ebx+4], 5", "c7830400000005000000"},
		{32, "mov al, [fs:0x10]", "648a0510000000"},
		{16, "mov [bx+2], cx", "898f0200"},
		{32, "add esp, 4", "81c404000000"},
		{32, "mov eax, [esp+8]", "8b842408000000"},
		{32, "rep movsb", "f3a4"},
		{32, "call 0x68:0", "9a000000006800"},
		{32, "x: jmp x", "e9fbffffff"},
		{32, "loop y\ny: nop", "e20090"},
		{16, "jz z\nz:", "0f840000"},
		{32, "ltr ax", "0f00d8"},
		{32, "lgdt [0x100]", "0f011500010000"},
		{32, "o16 iret", "66cf"},
		{16, "o32 retf", "66cb"},
		{32, "push fs\npop ss", "0fa017"},
		{32, "lss esp, [ecx]", "0fb2a100000000"},
		{32, "out 0x40, al\nin al, 3", "e640e403"},
		{32, "lock inc byte [edi]", "f0fe8700000000"},
		{32, "db 1, 2\ndw 3", "01020300"},
		{32, "enter 8, 2", "c8080002"},
		{32, "shl eax, 3\nneg ecx", "c1e003f7d9"},
	} {
		if got := assemble(t, x.bits, 0x1000, map[string]uint32{}, x.text); fmt.Sprintf("%x", got) != x.want {
			t.Errorf("%s: %x, want %s", x.text, got, x.want)
		}
	}
}
