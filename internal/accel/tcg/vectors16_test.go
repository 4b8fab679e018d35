package tcg_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"rhea/internal/guest/x86"
)

// vector16 is a vector of ../shared/vectors/8086 and 286, or a file's header.
type vector16 struct {
	Op   string            `json:"op"`
	Mnem string            `json:"mnem"`
	Mask map[string]uint32 `json:"mask"`

	N    string  `json:"n"`
	B    string  `json:"b"`
	Init state16 `json:"init"`
	Fin  state16 `json:"fin"`
	X    []int   `json:"x"`

	free []string // registers in which the chips differ
}

type state16 struct {
	R map[string]uint32 `json:"r"`
	M [][2]any          `json:"m"`
}

var registers16 = []string{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"}
var segments16 = []string{"es", "cs", "ss", "ds"}

// newRealRig runs vectors in real mode, without an x87 as their machines were.
func newRealRig(t testing.TB) *rig {
	return newRig(t, "max,-fpu", 0x110000)
}

func poke(ram []byte, m [][2]any) {
	for _, e := range m {
		copy(ram[int(e[0].(float64)):], unhex(e[1].(string)))
	}
}

// undefined16 gives the flags that an instruction leaves undefined.
func undefined16(v *vector16) uint32 {
	const cf, pf, af, zf, sf, of = 1, 4, 0x10, 0x40, 0x80, 0x800
	name, _, _ := strings.Cut(v.N, " ")
	switch name {
	case "rep", "repe", "repne", "lock":
		name = strings.Fields(v.N)[1]
	}
	switch name {
	case "and", "or", "xor", "test":
		return af
	case "mul", "imul":
		return sf | zf | af | pf
	case "div", "idiv":
		return cf | pf | af | zf | sf | of
	case "shl", "sal", "shr", "sar", "setmo", "setmoc":
		n, size := v.shift()
		switch {
		case n == 0:
			return 0
		case n == 1:
			return af
		case n < size || name == "sar":
			return af | of
		}
		return af | of | cf
	case "rol", "ror", "rcl", "rcr":
		if n, _ := v.shift(); n <= 1 {
			return 0
		}
		return of
	case "aaa", "aas":
		return of | sf | zf | pf
	case "daa", "das":
		return of
	case "aam", "aad", "aamb", "amx", "adx":
		return of | af | cf
	}
	return 0
}

// opcode returns the code of a vector from the opcode byte on.
func (v *vector16) opcode() []byte {
	b := unhex(v.B)
	for bytes.IndexByte([]byte{0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xf2, 0xf3}, b[0]) >= 0 {
		b = b[1:]
	}
	return b
}

// shift returns the count, as a 286 and later take it, and the operand's
// width of a shift or rotate.
func (v *vector16) shift() (count, size int) {
	b := v.opcode()
	size = 8 + 8*int(b[0]&1)
	switch b[0] &^ 1 {
	case 0xc0:
		b = bytes.TrimSuffix(b, []byte{0xf4}) // the HLT
		return int(b[len(b)-1] & 31), size
	case 0xd0:
		return 1, size
	}
	return int(v.Init.R["cx"] & 31), size
}

// usesStack reports whether a vector accesses the stack segment: by a memory
// operand, or because SP is at its end.
func (v *vector16) usesStack() bool {
	operand := v.N[strings.Index(v.N, "[")+1:]
	if b := unhex(v.B)[0]; b == 0x26 || b == 0x2e || b == 0x3e {
		return false
	}
	return strings.HasPrefix(operand, "bp") || unhex(v.B)[0] == 0x36 || v.Init.R["sp"] == 0xffff
}

// run16 runs one vector and returns what differs.
func (r *rig) run16(v *vector16, until286 bool, mask uint32) string {
	poke(r.ram, v.Init.M)
	r.vcpu.FlushCode()
	in := v.Init.R
	r.cpu.Reset()
	r.cpu.SetRegisters(func(s *x86.State) {
		for i, n := range registers16 {
			s.GPR[i] = uint64(in[n])
		}
		for i, n := range segments16 {
			s.Seg[i] = x86.Segment{Sel: uint64(in[n]), Base: uint64(in[n]) << 4, Limit: 0xffff, Attr: 0x9300}
		}
		s.IP = uint64(in["ip"])
		s.IDTR = x86.Table{Limit: 0x3ff}
	})
	r.cpu.SetEFLAGS(uint64(in["flags"]&0xfd5 | 2))
	steps := 1
	if until286 {
		steps = 1000 // to the HLT: a repeated instruction may take several
	}
	for range steps {
		if r.cpu.Halted() {
			break
		}
		if _, err := r.vcpu.Run(1); err != nil {
			return err.Error()
		}
	}
	s := r.cpu.Registers()
	want := func(n string) uint32 {
		if x, ok := v.Fin.R[n]; ok {
			return x
		}
		return in[n]
	}
	for i, n := range registers16 {
		if got := uint32(s.GPR[i]); got != want(n) && !slices.Contains(v.free, n) {
			return fmt.Sprintf("%s is %#x, want %#x", n, got, want(n))
		}
	}
	for i, n := range segments16 {
		if got := uint32(s.Seg[i].Sel); got != want(n) {
			return fmt.Sprintf("%s is %#x, want %#x", n, got, want(n))
		}
	}
	if got := uint32(s.IP); got != want("ip") {
		return fmt.Sprintf("ip is %#x, want %#x", got, want("ip"))
	}
	if got := uint32(r.cpu.EFLAGS()); (got^want("flags"))&mask != 0 {
		return fmt.Sprintf("flags are %#x, want %#x under %#x", got&mask, want("flags")&mask, mask)
	}
	for _, e := range v.Fin.M {
		at, b := int(e[0].(float64)), unhex(e[1].(string))
		got := slices.Clone(r.ram[at : at+len(b)])
		for i := range b {
			// Upstream's own address of the pushed flags is one too low
			// where SP is odd.
			if pushed := v.pushedFlags(); pushed >= 0 && (at+i == pushed || at+i == pushed+1) {
				m := byte(mask >> (8 * (at + i - pushed)))
				got[i] &= m
				b[i] &= m
			}
			if got[i] != b[i] {
				return fmt.Sprintf("memory at %#x is %#x, want %#x", at+i, got[i], b[i])
			}
		}
	}
	return ""
}

// pushedFlags is where the vector has pushed FLAGS, by a fault or PUSHF, or -1.
func (v *vector16) pushedFlags() int {
	sp, ss := v.Init.R["sp"], v.Init.R["ss"]
	if x, ok := v.Fin.R["sp"]; ok {
		sp = x
	}
	switch op := v.opcode()[0]; {
	case len(v.X) != 0 || op >= 0xcc && op <= 0xce:
		sp += 4 // below are IP and CS
	case op != 0x9c:
		return -1
	}
	return int(ss<<4 + sp&0xffff)
}

// unlike says why a vector of an older chip does not hold for a 386+.
type unlike func(op string, v *vector16) string

func runVectors16(t *testing.T, r *rig, file string, is286 bool, skip unlike) {
	s := vectorFile(t, file)
	var op string
	var mask map[string]uint32
	total, passed := 0, 0
	skipped := map[string]int{}
	bad, first := map[string]int{}, map[string]string{}
	for s.Scan() {
		var v vector16
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Op != "" {
			op, mask = v.Op, v.Mask
			continue
		}
		if why := skip(op, &v); why != "" {
			skipped[why]++
			continue
		}
		m := uint32(0xfd5) &^ undefined16(&v) // bits 12-15 differ: the vectors' README
		if f, ok := mask["flags"]; ok {
			m &= f
		}
		total++
		if diff := r.run16(&v, is286, m); diff != "" {
			bad[op]++
			if first[op] == "" {
				first[op] = v.N + " (" + v.B + "): " + diff
			}
		} else {
			passed++
		}
		for _, e := range v.Init.M {
			clear(r.ram[int(e[0].(float64)):][:len(e[1].(string))/2])
		}
		for _, e := range v.Fin.M {
			clear(r.ram[int(e[0].(float64)):][:len(e[1].(string))/2])
		}
	}
	t.Logf("%s: %d/%d", file, passed, total)
	for why, n := range skipped {
		t.Logf("left out: %d, %s", n, why)
	}
	var ops []string
	for o := range bad {
		ops = append(ops, o)
	}
	sort.Strings(ops)
	for _, o := range ops {
		t.Errorf("%s: %d failed; %s", o, bad[o], first[o])
	}
}

// lockFaults reports whether b has a LOCK prefix where a 386+ raises #UD.
func lockFaults(b []byte) bool {
	for i, c := range b {
		switch c {
		case 0x26, 0x2e, 0x36, 0x3e, 0xf2, 0xf3:
			continue
		case 0xf0:
			return !x86.Lockable(b[i+1:])
		}
		return false
	}
	return false
}

// opByte is the first byte of an opcode as the vectors' files name them.
func opByte(op string) int {
	n, _ := strconv.ParseUint(op[:2], 16, 8)
	return int(n)
}

func TestVectors286(t *testing.T) { eachEngine(t, testVectors286) }

func testVectors286(t *testing.T) {
	r := newRealRig(t)
	x87 := r.hasX87()
	runVectors16(t, r, "286/vectors.jsonl.gz", true, func(op string, v *vector16) string {
		b := unhex(v.B)
		faulted := len(v.X) != 0
		if faulted && v.X[0] == 13 && v.usesStack() {
			// Beyond the limit of the stack segment a 286 in real mode raises
			// #13, a 386+ #SS (the vectors' README; SDM vol. 3, 6.15): let the
			// handler of the one be that of the other.
			v.Init.M = append(v.Init.M, [2]any{float64(4 * 12), v.word32(4 * 13)})
		}
		switch o := opByte(op); {
		case lockFaults(b):
			return "LOCK where a 386+ raises #UD (SDM vol. 2, LOCK)"
		case len(b)-1 > 10 && faulted:
			return "longer than the 286's limit of 10 bytes (iAPX 286 PRM, B-2; SDM vol. 2, 2.3.11: 15)"
		case faulted && (o >= 0x6c && o <= 0x6f || o >= 0xa4 && o <= 0xa7 || o >= 0xaa && o <= 0xaf):
			// A 286 leaves the index registers moved when a string instruction
			// faults; a 386+ restarts it (SDM vol. 3, 6.6).
			v.free = []string{"cx", "si", "di"}
		case o == 0x8c && faulted && (b[1]>>3&7 == x86.FS || b[1]>>3&7 == x86.GS):
			return "FS and GS are not there on a 286"
		case !x87 && (o == 0x9b || o >= 0xd8 && o <= 0xdf):
			return "x87, which is not built yet"
		}
		return ""
	})
}

// hasX87 reports whether WAIT is built.
func (r *rig) hasX87() bool {
	r.cpu.Reset()
	r.ram[0x10000] = 0x9b
	r.cpu.SetRegisters(func(s *x86.State) {
		s.Seg[x86.CS] = x86.Segment{Sel: 0x1000, Base: 0x10000, Limit: 0xffff, Attr: 0x9300}
		s.IP = 0
	})
	r.vcpu.Run(1)
	return r.cpu.Registers().IP == 1
}

// word32 finds four bytes of the vector's memory.
func (v *vector16) word32(at int) string {
	for _, e := range v.Init.M {
		if int(e[0].(float64)) == at {
			return e[1].(string)[:8]
		}
	}
	return "00000000"
}

func TestVectors8086(t *testing.T) { eachEngine(t, testVectors8086) }

func testVectors8086(t *testing.T) {
	r := newRealRig(t)
	r.cpu.SetA20(false) // addresses wrap at 1 MiB
	runVectors16(t, r, "8086/vectors.jsonl.gz", false, func(op string, v *vector16) string {
		b := v.opcode()
		al := v.Init.R["ax"] & 0xff
		_, faulted := v.Fin.R["cs"]
		adjust := al&15 > 9 || v.Init.R["flags"]&0x10 != 0
		switch o := opByte(op); {
		case lockFaults(unhex(v.B)):
			return "LOCK where a 386+ raises #UD (SDM vol. 2, LOCK)"
		case o >= 0x60 && o < 0x70 || o == 0xc0 || o == 0xc1 || o == 0xc8 || o == 0xc9 || o == 0xd6 || o == 0xf1:
			return "opcodes that a 386+ defines otherwise (the vectors' README)"
		case o == 0x54:
			return "PUSH SP pushes the new SP on an 8086 (SDM vol. 2, PUSH)"
		case o == 0x37 && adjust && al > 0xff-6 || o == 0x3f && adjust && al < 6:
			return "AAA and AAS carry from AL to AH on a 286 and later (SDM vol. 2: AX + 106H, AX - 6)"
		case (o == 0x8c || o == 0x8e) && b[1]>>3&7 > x86.DS:
			return "a 386+ has FS and GS, and no segment registers beyond (SDM vol. 2, MOV)"
		case o == 0x8e && b[1]>>3&7 == x86.CS:
			return "MOV to CS is undefined on a 386+ (SDM vol. 2, MOV)"
		case (o == 0x8f || o == 0xc6 || o == 0xc7) && b[1]>>3&7 != 0:
			return "8F, C6 and C7 have no other form than /0 on a 386+ (SDM vol. 2, A.4.2)"
		case o >= 0xd0 && o <= 0xd3 && b[1]>>3&7 == 6:
			return "D0 /6 to D3 /6 are SETMO on an 8086, another SHL on all others"
		case o >= 0xd2 && o <= 0xd3 && v.Init.R["cx"]&0xff > 31:
			return "an 8086 does not take shift counts modulo 32 (SDM vol. 2, SHL)"
		case o >= 0xd8 && o <= 0xdf:
			return "an 8086 without 8087 does nothing at ESC"
		case o == 0xf6 && faulted || o == 0xf7 && faulted:
			return "#DE pushes the next instruction's address on an 8086, its own on a 386+ (SDM vol. 3, 6.15)"
		case o&^1 == 0xf6 && b[1]>>3&5 == 5 && unhex(v.B)[0]&^1 == 0xf2:
			return "a repeat prefix negates the result of IMUL and IDIV on an 8086"
		case o == 0xff && b[1]>>3&7 == 7:
			return "FF /7 is another PUSH on an 8086 only"
		}
		return ""
	})
}
