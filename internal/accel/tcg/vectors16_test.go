package tcg_test

import (
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
}

type state16 struct {
	R map[string]uint32 `json:"r"`
	M [][2]any          `json:"m"`
}

var registers16 = []string{"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"}
var segments16 = []string{"es", "cs", "ss", "ds"}

// realRig runs vectors in real mode.
func newRealRig(t testing.TB) *rig {
	return newRig(t, "max", 0x110000)
}

func poke(ram []byte, m [][2]any) {
	for _, e := range m {
		copy(ram[int(e[0].(float64)):], unhex(e[1].(string)))
	}
}

// undefined16 gives the flags that a file's instructions leave undefined.
func undefined16(op string, v *vector16) uint32 {
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
		return af | of | cf
	case "rol", "ror", "rcl", "rcr":
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
		if got := uint32(s.GPR[i]); got != want(n) {
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
			if len(v.X) == 2 && (at+i == v.X[1] || at+i == v.X[1]+1) { // pushed flags
				m := byte(mask)
				if at+i != v.X[1] {
					m = byte(mask >> 8)
				}
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
		m := uint32(0xfd5) &^ undefined16(op, &v)
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

func TestVectors286(t *testing.T) {
	runVectors16(t, newRealRig(t), "286/vectors.jsonl.gz", true, func(op string, v *vector16) string {
		b := unhex(v.B)
		faulted := len(v.X) != 0
		switch o := opByte(op); {
		case lockFaults(b):
			return "LOCK where a 386+ raises #UD (SDM vol. 2, LOCK)"
		case len(b)-1 > 10 && faulted:
			return "longer than the 286's limit of 10 bytes (iAPX 286 PRM, B-2; SDM vol. 2, 2.3.11: 15)"
		case faulted && (o >= 0x6c && o <= 0x6f || o >= 0xa4 && o <= 0xa7 || o >= 0xaa && o <= 0xaf):
			return "a 286 leaves the index registers moved when a string instruction faults; a 386+ restarts it (SDM vol. 3, 6.6)"
		case o == 0x8c && faulted && (b[1]>>3&7 == FS || b[1]>>3&7 == GS):
			return "FS and GS are not there on a 286"
		}
		return ""
	})
}

const (
	FS = x86.FS
	GS = x86.GS
)

func TestVectors8086(t *testing.T) {
	r := newRealRig(t)
	r.cpu.SetA20(false) // addresses wrap at 1 MiB
	runVectors16(t, r, "8086/vectors.jsonl.gz", false, func(op string, v *vector16) string {
		b := unhex(v.B)
		switch o := opByte(op); {
		case lockFaults(b):
			return "LOCK where a 386+ raises #UD (SDM vol. 2, LOCK)"
		case o >= 0x60 && o < 0x70 || o >= 0xc0 && o < 0xe0 || o >= 0xf0:
			return "opcodes that a 386+ defines otherwise, or whose counts and faults it treats otherwise (the vectors' README)"
		case o == 0x54:
			return "PUSH SP pushes the new SP on an 8086 (SDM vol. 3, 22.19)"
		}
		return ""
	})
}
