package tcg_test

import (
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"rhea/internal/guest/x86"
)

// tape is a source of random numbers that go's fuzzer can steer: what its
// bytes say first, then whatever follows from them.
type tape struct {
	data []byte
	more *rand.PCG
}

func newTape(data []byte) *rand.Rand {
	return rand.New(&tape{data, rand.NewPCG(uint64(crc32.ChecksumIEEE(data)), uint64(len(data)))})
}

func (t *tape) Uint64() uint64 {
	if len(t.data) < 2 {
		return t.more.Uint64()
	}
	v := uint64(t.data[0]) | uint64(t.data[1])<<8
	t.data = t.data[2:]
	return v * 0x0001000100010001
}

// form is an encoding that the decoder knows: prefix and opcode, and what its
// ModRM byte may be.
type form struct {
	code  []byte
	modrm bool
	reg   byte // of ModRM, where that is part of the opcode or picks an operand
	mem   bool // memory or register
	whole byte // the whole ModRM byte of an x87 instruction, 0 = not one
}

// pool are all forms, by kind and then by mnemonic: each mnemonic is as likely
// as any other of its kind.
type pool struct {
	kinds [fuzzKinds][][]form
}

const (
	fuzzInteger = iota
	fuzzX87
	fuzzSIMD
	fuzzSystem
	fuzzString
	fuzzKinds
)

// Mnemonics that are not drawn: the generator makes jumps itself, and a HLT
// ends the program.
var fuzzNot = strings.Fields("hlt jmp call ret retf iret iretd iretw loop loope loopne jecxz jcxz jrcxz iretq retfq wrmsr rsm db")

var fuzzSystemNames = strings.Fields(`lgdt lidt lldt ltr sgdt sidt sldt str lmsw smsw clts invd wbinvd invlpg rdmsr rdtsc rdpmc cpuid in out insb insd outsb outsd
	cli sti popf popfd popfw into int int1 int3 ud2 sysenter sysexit bound verr verw lar lsl arpl enter les lds lss lfs lgs
	syscall sysret sysretq sysexitq swapgs rdtscp clac stac invpcid rdfsbase rdgsbase wrfsbase wrgsbase iretq`)

// theForms asks the disassembler, which reads the decode tables, about every
// prefix, opcode and ModRM extension.
var (
	theForms   = sync.OnceValue(func() *pool { return newPool(4) })
	theForms64 = sync.OnceValue(func() *pool { return newPool(8) })
)

func newPool(size int) *pool {
	p := &pool{}
	at := [fuzzKinds]map[string]int{}
	for i := range at {
		at[i] = map[string]int{}
	}
	for _, m := range []string{"", "\x0f", "\x0f\x38", "\x0f\x3a"} {
		for op := range 256 {
			if m == "" && slices.Contains([]int{0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3}, op) || m == "\x0f" && (op == 0x38 || op == 0x3a) {
				continue
			}
			if m == "" && size == 8 && op&0xf0 == 0x40 { // REX
				continue
			}
			for _, prefix := range []string{"", "\x66", "\xf3", "\xf2"} {
				code := []byte(prefix + m + string([]byte{byte(op)}))
				forms := formsOf(code, size)
				for _, name := range slices.Sorted(maps.Keys(forms)) { // the same order always, or a seed means nothing
					k := kindOf(m, byte(op), name)
					if slices.Contains(fuzzNot, name) || k < 0 || name[0] == 'j' {
						continue
					}
					i, ok := at[k][name]
					if !ok {
						i = len(p.kinds[k])
						at[k][name] = i
						p.kinds[k] = append(p.kinds[k], nil)
					}
					p.kinds[k][i] = append(p.kinds[k][i], forms[name]...)
				}
			}
		}
	}
	if size == 8 {
		p.addVEX(at[fuzzSIMD])
	}
	return p
}

// addVEX adds the forms with a VEX prefix; at has the indexes of mnemonics.
func (p *pool) addVEX(at map[string]int) {
	for m := byte(1); m <= 3; m++ {
		for op := range 256 {
			for b := range 16 { // W, L and the prefix
				for _, v := range []byte{0x78, 0x70} { // without a second source, and with one
					forms := formsOf([]byte{0xc4, 0xe0 | m, byte(b>>3<<7|b>>2&1<<2|b&3) | v, byte(op)}, 8)
					for _, name := range slices.Sorted(maps.Keys(forms)) {
						i, ok := at[name]
						if !ok {
							i = len(p.kinds[fuzzSIMD])
							at[name] = i
							p.kinds[fuzzSIMD] = append(p.kinds[fuzzSIMD], nil)
						}
						p.kinds[fuzzSIMD][i] = append(p.kinds[fuzzSIMD][i], forms[name]...)
					}
				}
			}
		}
	}
}

// mnemonic is the word of an instruction that is no prefix; it is "" if the
// code is no instruction.
func mnemonic(code []byte, size int) (name string, n int) {
	text, n := x86.Disassemble(append(slices.Clone(code), make([]byte, 16)...), 0, size)
	for _, w := range strings.Fields(text) {
		switch w {
		case "o16", "o32", "o64", "a16", "a32", "a64", "lock", "cs", "ds", "es", "ss", "fs", "gs", "rep", "repe", "repne":
			continue
		}
		return w, n
	}
	return "", 0
}

// formsOf are the forms of an opcode, by mnemonic.
func formsOf(code []byte, size int) map[string][]form {
	forms := map[string][]form{}
	add := func(name string, f form) {
		if name != "" && name != "db" {
			f.code = code
			forms[name] = append(forms[name], f)
		}
	}
	ask := func(b ...byte) (string, int) { return mnemonic(append(slices.Clone(code), b...), size) }
	for reg := range byte(8) {
		m, short := ask(reg<<3 | 3)
		_, long := ask(0x80 | reg<<3 | 3)
		r, _ := ask(0xc0 | reg<<3 | 1)
		hasModRM := long == short+4 || m == "db" != (r == "db")
		if !hasModRM {
			if reg == 0 {
				add(m, form{})
			} else if again, _ := ask(3); m != again {
				add(m, form{})
			}
			continue
		}
		add(m, form{modrm: true, reg: reg, mem: true})
		if op := code[len(code)-1]; len(code) == 1 && op >= 0xd8 && op <= 0xdf {
			for rm := range byte(8) {
				b := 0xc0 | reg<<3 | rm
				name, _ := ask(b)
				add(name, form{modrm: true, whole: b})
			}
			continue
		}
		add(r, form{modrm: true, reg: reg})
	}
	return forms
}

func kindOf(m string, op byte, name string) int {
	stringOp := slices.ContainsFunc([]string{"movs", "stos", "lods", "cmps", "scas"}, func(s string) bool {
		rest, ok := strings.CutPrefix(name, s)
		return ok && len(rest) == 1 && strings.Contains("bwdq", rest)
	})
	switch {
	case name == "mov" && m == "\x0f", m == "" && op == 0x8e, slices.Contains(fuzzSystemNames, name):
		return fuzzSystem
	case stringOp && m == "":
		return fuzzString
	case m == "" && op >= 0xd8 && op <= 0xdf, m == "" && op == 0x9b:
		return fuzzX87
	case m == "\x0f" && (op >= 0x10 && op <= 0x17 || op >= 0x28 && op <= 0x2f || op >= 0x50 && op <= 0x7f || op == 0xae || op == 0xc2 || op >= 0xc4 && op <= 0xc6 || op >= 0xd0),
		m == "\x0f\x3a", m == "\x0f\x38" && op < 0xf0:
		return fuzzSIMD
	}
	return fuzzInteger
}

// TestFuzzForms: the pool has the instructions that a fuzzer must not miss.
func TestFuzzForms(t *testing.T) {
	have := map[string]int{}
	total := 0
	for k, names := range theForms().kinds {
		for _, forms := range names {
			name, _ := mnemonic(formBytes(forms[0]), 4)
			have[name] = k
			total += len(forms)
		}
		if len(names) < 10 {
			t.Errorf("kind %d has %d mnemonics only", k, len(names))
		}
	}
	for name, kind := range map[string]int{"add": fuzzInteger, "shld": fuzzInteger, "cmpxchg8b": fuzzInteger, "cmove": fuzzInteger, "pushad": fuzzInteger, "popcnt": fuzzInteger,
		"fadd": fuzzX87, "fsin": fuzzX87, "fnsave": fuzzX87, "paddb": fuzzSIMD, "addsd": fuzzSIMD, "pshufb": fuzzSIMD, "cvttss2si": fuzzSIMD,
		"lgdt": fuzzSystem, "sti": fuzzSystem, "in": fuzzSystem, "movsb": fuzzString, "scasd": fuzzString} {
		if k, ok := have[name]; !ok || k != kind {
			t.Errorf("%s: kind %d, known %v, want %d", name, k, ok, kind)
		}
	}
	if len(have) < 350 || total < 3000 {
		t.Errorf("%d mnemonics, %d forms", len(have), total)
	}
}

func formBytes(f form) []byte {
	b := slices.Clone(f.code)
	switch {
	case f.whole != 0:
		return append(b, f.whole)
	case f.modrm && f.mem:
		return append(b, f.reg<<3|3)
	case f.modrm:
		return append(b, 0xc0|f.reg<<3|1)
	}
	return b
}
