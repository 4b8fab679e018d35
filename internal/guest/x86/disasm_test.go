package x86

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

func TestDisassemble(t *testing.T) {
	for _, c := range []struct {
		mode int
		code string
		want string // "" = cut short
	}{
		{32, "8b44b310", "mov eax, dword [ebx+esi*4+0x10]"},
		{32, "668b44b3f0", "mov ax, word [ebx+esi*4-0x10]"},
		{16, "8b4010", "mov ax, word [bx+si+0x10]"},
		{16, "678b44b310", "mov ax, word [ebx+esi*4+0x10]"},
		{32, "678b4010", "mov eax, dword [bx+si+0x10]"},
		{32, "a178563412", "mov eax, dword [0x12345678]"},
		{16, "a13412", "mov ax, word [0x1234]"},
		{16, "67a178563412", "mov ax, word [dword 0x12345678]"},
		{32, "67a13412", "mov eax, dword [word 0x1234]"},
		{32, "8b0578563412", "mov eax, dword [0x12345678]"},
		{32, "8b04b578563412", "mov eax, dword [esi*4+0x12345678]"},
		{32, "8b043578563412", "mov eax, dword [esi*1+0x12345678]"},
		{32, "8b0424", "mov eax, dword [esp]"},
		{32, "8b8500000080", "mov eax, dword [ebp+0x80000000]"},
		{32, "8b45fc", "mov eax, dword [ebp-0x4]"},
		{32, "268b03", "mov eax, dword [es:ebx]"},
		{16, "2ea10000", "mov ax, word [cs:0x0]"},
		{16, "753c", "jne 0x7c3e"},
		{16, "75fe", "jne 0x7c00"},
		{32, "e9fbffffff", "jmp 0x7c00"},
		{16, "e9fdff", "jmp 0x7c00"},
		{16, "e90090", "jmp 0xc03"},
		{32, "66e9fcff", "o16 jmp 0x7c00"},
		{16, "e3fe", "jcxz 0x7c00"},
		{16, "67e3fd", "jecxz 0x7c00"},
		{16, "67e2fd", "a32 loop 0x7c00"},
		{16, "ea5be000f0", "jmp 0xf000:0xe05b"},
		{16, "66ea5be00000f000", "jmp dword 0xf0:0xe05b"},
		{32, "669a34127856", "call word 0x5678:0x1234"},
		{32, "ff2b", "jmp far [ebx]"},
		{32, "66ff1b", "call word far [ebx]"},
		{32, "ffe0", "jmp eax"},
		{32, "ff13", "call dword [ebx]"},
		{32, "f3a4", "rep movsb"},
		{32, "66f3a5", "rep movsw"},
		{32, "f3a6", "repe cmpsb"},
		{32, "f2af", "repne scasd"},
		{16, "67f366ab", "rep a32 stosd"},
		{32, "2ea4", "cs movsb"},
		{16, "6e", "outsb"},
		{32, "6d", "insd"},
		{32, "d7", "xlatb"},
		{32, "64d7", "fs xlatb"},
		{32, "f00fb10b", "lock cmpxchg dword [ebx], ecx"},
		{32, "0fc703", "db 0x0f"},
		{32, "f00fc7c8", "db 0xf0"},
		{32, "0fc74b08", "cmpxchg8b qword [ebx+0x8]"},
		{32, "83c4f0", "add esp, -0x10"},
		{32, "83c410", "add esp, 0x10"},
		{32, "81c4f0ffffff", "add esp, 0xfffffff0"},
		{32, "6afe", "push dword -0x2"},
		{16, "6a02", "push word 0x2"},
		{32, "666834 12", "push word 0x1234"},
		{32, "06", "push es"},
		{32, "6606", "o16 push es"},
		{32, "60", "pushad"},
		{32, "6660", "pushaw"},
		{16, "60", "pusha"},
		{16, "6660", "pushad"},
		{16, "cf", "iret"},
		{32, "66cf", "iretw"},
		{32, "98", "cwde"},
		{32, "6698", "cbw"},
		{16, "6699", "cdq"},
		{32, "c3", "ret"},
		{32, "66c20800", "o16 ret 0x8"},
		{32, "cb", "retf"},
		{32, "c8100002", "enter 0x10, 0x2"},
		{32, "cd80", "int 0x80"},
		{32, "cc", "int3"},
		{32, "d40a", "aam"},
		{32, "d408", "aam 0x8"},
		{32, "d0e0", "shl al, 1"},
		{32, "d3e0", "shl eax, cl"},
		{32, "c1e005", "shl eax, 0x5"},
		{32, "0fa4c805", "shld eax, ecx, 0x5"},
		{32, "f7e9", "imul ecx"},
		{32, "6bc9fd", "imul ecx, ecx, -0x3"},
		{32, "0fb60b", "movzx ecx, byte [ebx]"},
		{32, "8ec0", "mov es, ax"},
		{32, "8cd8", "mov eax, ds"},
		{32, "8c1b", "mov word [ebx], ds"},
		{32, "8ef0", "db 0x8e"},
		{32, "0f20c0", "mov eax, cr0"},
		{32, "0f2040", "mov eax, cr0"}, // mod does not matter
		{32, "0f23f8", "mov dr7, eax"},
		{32, "0f0113", "lgdt [ebx]"},
		{32, "0f01e0", "smsw eax"},
		{32, "c4 03", "les eax, [ebx]"},
		{32, "8d04b500000000", "lea eax, [esi*4]"},
		{32, "0f9403", "sete byte [ebx]"},
		{32, "0f44c1", "cmove eax, ecx"},
		{32, "e460", "in al, 0x60"},
		{32, "66ef", "out dx, ax"},
		{32, "90", "nop"},
		{32, "f390", "pause"},
		{32, "0f0b", "ud2"},
		{32, "d8c1", "fadd st0, st1"},
		{32, "d803", "fadd dword [ebx]"},
		{32, "dc03", "fadd qword [ebx]"},
		{32, "db2b", "fld tword [ebx]"},
		{32, "dec1", "faddp st1, st0"},
		{32, "dfe0", "fnstsw ax"},
		{32, "d923", "fldenv [ebx]"},
		{32, "0f6fc1", "movq mm0, mm1"},
		{32, "660f6f03", "movdqa xmm0, oword [ebx]"},
		{32, "f30f1003", "movss xmm0, dword [ebx]"},
		{32, "0f0f", "db 0x0f"},
		{32, "", ""},
		{32, "66", ""},
		{32, "8b44b3", ""},
		{32, "e8000000", ""},
		{32, "666666666666666666666666666666", "db 0x66"},
		{32, "66666666666666666666666666666690", "db 0x66"},
		{32, "6666666666666666666666666690", "o16 nop"},
		{32, "ffff", "db 0xff"},
	} {
		code, err := hex.DecodeString(strings.ReplaceAll(c.code, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		text, n := Disassemble(code, 0x7c00, c.mode/8)
		want := len(code)
		switch {
		case c.want == "":
			want = 0
		case strings.HasPrefix(c.want, "db"):
			want = 1
		}
		if text != c.want || n != want {
			t.Errorf("%d bits, %s: %q (%d bytes), want %q (%d)", c.mode, c.code, text, n, c.want, want)
		}
	}
}

// The oracle is golang.org/x/arch's decoder, which writes Intel syntax in
// Microsoft's way. like brings its text to ours.
func like(theirs string) string {
	s := strings.ReplaceAll(theirs, "ptr ", "")
	for _, x := range rewrites {
		s = x.from.ReplaceAllString(s, x.to)
	}

	words := strings.Split(s, " ")
	for i, w := range words {
		if n, ok := synonyms[w]; ok {
			words[i] = n
			continue
		}
		for _, p := range []string{"j", "set", "cmov"} {
			if rest, ok := strings.CutPrefix(w, p); ok && oracleConditions[rest] != "" {
				words[i] = p + oracleConditions[rest]
			}
		}
	}
	return strings.Join(words, " ")
}

var rewrites = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`\b(es|cs|ss|ds|fs|gs):\[`), "[$1:"},
	{regexp.MustCompile(`\b([248])\*(e..)\b`), "$2*$1"},
	{regexp.MustCompile(`\b([bsd][xpi])\*1\b`), "$1"},
	{regexp.MustCompile(`\bst\((\d)\)`), "st$1"},
	{regexp.MustCompile(`\bmmx(\d)`), "mm$1"},
	{regexp.MustCompile(`\bret far`), "retf"},
	{regexp.MustCompile(`_xmm\b`), ""},
	{regexp.MustCompile(`\b(call|jmp) far (0x\w+), (0x\w+)`), "$1 $3:$2"},
	{regexp.MustCompile(`\bxlat \w+$`), "xlat"},
	{regexp.MustCompile(`\b(maskmovq mm., mm.|maskmovdqu xmm., xmm.), ..`), "$1"},
	// the operands of string instructions are implied
	{regexp.MustCompile(`\b((?:movs|cmps|stos|lods|scas|ins|outs)[bwdq])\b [^x]*$`), "$1"},
}

var oracleConditions = map[string]string{
	"z": "e", "nz": "ne", "nb": "ae", "nbe": "a", "nl": "ge", "nle": "g", "pe": "p", "po": "np",
}

var synonyms = map[string]string{
	"data16": "o16", "data32": "o32", "addr16": "a16", "addr32": "a32", "fwait": "wait", "xlat": "xlatb",
	"xmmword": "oword", "ymmword": "yword", "xword": "tword", "icebp": "int1", "repn": "repne",
}

// What the two write differently, and what is compared by value.
var (
	ignored  = regexp.MustCompile(`\b(byte|word|dword|qword|tword|oword|yword|zmmword|fword|far|o16|o32|o64|a16|a32|a64|st0|rep|repe|repne|lock|xrelease|xacquire|bnd|hint-not-taken|hint-taken)\b|\*1\b|\b[ds]s:`)
	numbers  = regexp.MustCompile(`[+-]?0x[0-9a-f]+`)
	pair     = regexp.MustCompile(`\[(e..)\+(e..)\]`)
	segment  = regexp.MustCompile(`^ *(es|cs|ss|ds|fs|gs) `)
	sized    = regexp.MustCompile(`^ *(pusha|popa|pushf|popf|iret)w`)
	override = regexp.MustCompile(`\[(es|cs|fs|gs):`)
	wide     = regexp.MustCompile(`\be([abcd]x|[sd]i|[sb]p)\b`)
)

// shape is a text without what the two write differently, and its numbers.
func shape(s string) (words string, values []int64) {
	if one, ok := strings.CutSuffix(s, ", 1"); ok { // of shifts
		s = one + ", 0x1"
	}
	s = scaled.ReplaceAllString(s, "$2*$1")
	s = ignored.ReplaceAllString(s, "")
	for _, n := range numbers.FindAllString(s, -1) {
		v, _ := strconv.ParseUint(strings.TrimLeft(n, "+-")[2:], 16, 64)
		if n[0] == '-' {
			v = -v
		}
		if v != 0 {
			values = append(values, int64(v))
		}
	}
	s = numbers.ReplaceAllString(s, "")
	s = segment.ReplaceAllString(s, "") // that have no effect
	s = sized.ReplaceAllString(s, "$1")
	if f := strings.Fields(s); len(f) > 0 && slices.Contains([]string{"lar", "lsl"}, f[0]) {
		s = wide.ReplaceAllString(s, "$1")
	}
	s = strings.NewReplacer(" ", "", ",", "", ":", "").Replace(s)
	return pair.ReplaceAllStringFunc(s, func(m string) string {
		regs := []string{m[1:4], m[5:8]}
		slices.Sort(regs)
		return "[" + regs[0] + "+" + regs[1] + "]"
	}), values
}

// sameNumbers compares numbers that may be extended with zeros or with their
// sign, to 16 or 32 bits.
func sameNumbers(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	in := func(v int64, size int) bool {
		half := int64(1) << (size - 1)
		return v >= -half && v < 2*half || v >= 1<<16-half && v < 1<<16 || v >= 1<<32-half && v < 1<<32
	}
	for i := range a {
		same := (a[i]^b[i])&(1<<32-1) == 0
		for _, size := range []int{8, 16} {
			same = same || in(a[i], size) && in(b[i], size) && (a[i]^b[i])&(1<<size-1) == 0
		}
		if !same {
			return false
		}
	}
	return true
}

// notInMaps are instructions that the oracle knows and the opcode maps do not.
var notInMaps = regexp.MustCompile(`\b(fisttp|xabort|xbegin|prefetchw?|[td]r\d+|cr8|cr1\d)\b`)

var prefixAlone = regexp.MustCompile(`^(o16|o32|a16|a32|lock|rep|repne|es|cs|ss|ds|fs|gs)$`)

// newer reports whether code is of the maps that have grown with the years: 0F
// and what VEX prefixes select.
func newer(code []byte) bool {
	for _, b := range code {
		switch b {
		case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3:
		default:
			return b == 0x0f || b == 0xc4 || b == 0xc5 || b == 0x62
		}
	}
	return false
}

// check compares one instruction. It reports whether the oracle had a say: it
// does not know all instructions.
func check(t *testing.T, code []byte, mode int) bool {
	t.Helper()
	mine, n := Disassemble(code, 0x1000, mode/8)
	if n == 0 || n > 1 && strings.HasPrefix(mine, "db") {
		t.Fatalf("% x: %q, %d", code, mine, n)
	}
	inst, err := x86asm.Decode(code, mode)
	if err != nil {
		return false
	}
	theirs := like(x86asm.IntelSyntax(inst, 0x1000, nil))
	if notInMaps.MatchString(theirs) || inst.Len == 1 && prefixAlone.MatchString(theirs) {
		return false
	}
	if strings.Contains(mine, "retfq") || strings.Contains(theirs, ":rip") || strings.Contains(theirs, ":eip") {
		return false // it does not tell retfq
	}
	if strings.HasPrefix(mine, "db") && newer(code) {
		return false // it has newer ones, and lets SIMD have prefixes
	}
	if strings.Contains(mine, "lea ") {
		mine = override.ReplaceAllString(mine, "[")
	}
	if strings.Contains(mine, "mov ") && strings.Contains(mine, "cr") && code[n-1] < 0xc0 {
		return false // it lets these have a displacement, which processors do not
	}
	if i := strings.Index(theirs, "[rip"); i >= 0 { // that is written as the sum
		mine, theirs = relative.ReplaceAllString(mine, "["), relative.ReplaceAllString(theirs, "[")
	}
	switch { // operands that cannot be others
	case mine[0] == 'f' && !strings.Contains(mine, " "), mine == "aad", mine == "aam":
		theirs, _, _ = strings.Cut(theirs, " ")
	case strings.Contains(mine, "nop ") && strings.Count(theirs, ",") == 1:
		theirs, _, _ = strings.Cut(theirs, ",")
	}
	a, x := shape(theirs)
	b, y := shape(mine)
	if a != b || !sameNumbers(x, y) || n != inst.Len {
		t.Errorf("%d bits, % x: %q (%d bytes), the oracle says %q (%d)\n%s %v | %s %v", mode, code[:max(n, inst.Len)], mine, n, theirs, inst.Len, b, y, a, x)
	}
	return true
}

func TestDisassembleRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	asked := 0
	for range 100000 {
		if check(t, randomCode(r), []int{16, 32, 64}[r.IntN(3)]) {
			asked++
		}
		if t.Failed() && os.Getenv("ALL") == "" {
			break
		}
	}
	if asked < 50000 {
		t.Errorf("the oracle was asked %d times only", asked)
	}
}

func randomCode(r *rand.Rand) []byte {
	code := make([]byte, 16)
	for i := range code {
		code[i] = byte(r.Uint32())
	}
	if r.IntN(3) == 0 {
		code[0] = 0x0f
	}
	if r.IntN(6) == 0 {
		copy(code[1:], code)
		code[0] = []byte{0x66, 0x67, 0xf2, 0xf3, 0x2e, 0xf0}[r.IntN(6)]
	}
	return code
}

// POPCNT, MOVBE and CRC32 are not in the maps.
var newInts = regexp.MustCompile(`^(66)?(f30fb8|f20f38|0f38f)`)

// The instructions of the vectors from a real processor.
func TestDisassembleVectors(t *testing.T) {
	file, err := os.Open(filepath.Join(os.Getenv("RHEA_VECTORS"), "386/int32.jsonl.gz"))
	if err != nil {
		t.Skip(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	asked := 0
	for lines.Scan() && !t.Failed() {
		var v struct{ B string }
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		code, err := hex.DecodeString(v.B)
		if err != nil {
			t.Fatal(err)
		}
		if text, n := Disassemble(code, 0x10000000, 4); n == 0 || strings.HasPrefix(text, "db") && !newInts.MatchString(v.B) {
			t.Errorf("%s: %q", v.B, text)
		}
		if check(t, append(code, make([]byte, 16)...), 32) {
			asked++
		}
	}
	if asked < 10000 {
		t.Errorf("the oracle was asked %d times only", asked)
	}
}

var (
	relative   = regexp.MustCompile(`\[(rip|rel |eip)([+-]?0x[0-9a-f]+)?`)
	scaled     = regexp.MustCompile(`\b([1248])\*(r\w+)`)
	memorySize = regexp.MustCompile(`\b(dword|qword|oword) \[`)
	noBase     = regexp.MustCompile(`\[(..:)?(...\*[1248]\+)`)
	// what nasm does not assemble, or not with this operand size, or moves
	// prefixes of
	nasmDiffers = regexp.MustCompile(`\bo(16|32) (.. )?(j|call|loop)|\bwait$|fnsetpm|mov[sz]x .., (word|..$)|repne (\w\w\w? )*(j|ret|call)|bswap ..$|\bnop \[|ud0|ud1`)
)

// What Disassemble writes, nasm assembles to the same instruction. It runs
// where RHEA_NASM is set.
func TestDisassembleNASM(t *testing.T) {
	if os.Getenv("RHEA_NASM") == "" {
		t.Skip("RHEA_NASM is not set")
	}
	const slot, count = 32, 2000
	dir := t.TempDir()
	failed := map[string]string{}
	tried := 0
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		mode := 16 + 16*r.IntN(2)
		var texts []string
		for i := range count {
			text, _ := Disassemble(randomCode(r), uint64(i*slot), mode/8)
			if strings.HasPrefix(text, "db") || nasmDiffers.MatchString(text) {
				text = "nop"
			}
			texts = append(texts, text)
		}
		src, obj := filepath.Join(dir, "a.asm"), filepath.Join(dir, "a.bin")
		for {
			var b strings.Builder
			fmt.Fprintf(&b, "bits %d\n", mode)
			for i, text := range texts {
				if strings.Contains(text, "mm") { // it wants no sizes there
					text = memorySize.ReplaceAllString(text, "[")
				}
				text = noBase.ReplaceAllString(text, "[${1}nosplit $2") // as it is written
				fmt.Fprintf(&b, "%s\ntimes %d-($-$$) db 0x90\n", text, (i+1)*slot)
			}
			if err := os.WriteFile(src, []byte(b.String()), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("nasm", "-w-all", "-f", "bin", "-o", obj, src).CombinedOutput()
			if err == nil {
				break
			}
			bad := false
			for _, m := range regexp.MustCompile(`a\.asm:(\d+): error: (.*)`).FindAllStringSubmatch(string(out), -1) {
				line, _ := strconv.Atoi(m[1])
				if i := (line - 2) / 2; texts[i] != "nop" {
					failed[strings.Fields(texts[i])[0]] = fmt.Sprintf("%d bits: %s: %s", mode, texts[i], m[2])
					texts[i] = "nop"
					bad = true
				}
			}
			if !bad {
				t.Fatalf("%s", out)
			}
		}
		bin, err := os.ReadFile(obj)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			again, _ := Disassemble(bin[i*slot:(i+1)*slot], uint64(i*slot), mode/8)
			tried++
			a, x := shape(text)
			b, y := shape(again)
			if (a != b || !sameNumbers(x, y)) && !strings.Contains(text, "xchg") {
				failed[strings.Fields(text)[0]] = fmt.Sprintf("%d bits: %s: comes back as %s (% x)", mode, text, again, bin[i*slot:i*slot+12])
			}
		}
	}
	for _, f := range failed {
		t.Error(f)
	}
	t.Logf("%d instructions, %d mnemonics with differences", tried, len(failed))
}

func FuzzDisassemble(f *testing.F) {
	f.Add([]byte{0x8b, 0x44, 0xb3, 0x10}, uint64(0x7c00), uint8(1))
	f.Fuzz(func(t *testing.T, code []byte, pc uint64, log uint8) {
		size := 2 << (log % 3)
		text, n := Disassemble(code, pc, size)
		if n < 0 || n > len(code) || n > maxLength || (n == 0) != (text == "") {
			t.Fatalf("% x: %q, %d", code, text, n)
		}
		if n > 0 { // what lies behind does not matter
			if again, m := Disassemble(code[:n], pc, size); m != 0 && (again != text || m != n) {
				t.Fatalf("% x: %q, and alone %q", code, text, again)
			}
		}
	})
}
