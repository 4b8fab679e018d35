package tcg_test

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// eeLine is a line of 386/ee.txt: an instruction on EAX and EDX (or what
// stands for them) with the flags before and after it.
type eeLine struct {
	op, name, size string
	eax, edx, ps   [2]uint32
	trap           bool // #DE
	part           int  // how often the form has begun anew before
}

func parseEE(s string) (l eeLine, err error) {
	n := [3]int{}
	for _, f := range strings.Fields(s) {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			switch {
			case f == "#DE":
				l.trap = true
			case l.op == "":
				l.op = f
			case l.name == "":
				l.name = f
			default:
				l.size = f
			}
			continue
		}
		v, err := strconv.ParseUint(value, 16, 32)
		if err != nil {
			return l, err
		}
		for i, p := range []*[2]uint32{&l.eax, &l.edx, &l.ps} {
			if name == [...]string{"EAX", "EDX", "PS"}[i] && n[i] < 2 {
				p[n[i]] = uint32(v)
				n[i]++
			}
		}
	}
	return l, nil
}

// The flags.
const (
	eeCF, eePF, eeAF, eeZF, eeSF, eeOF = 1, 4, 0x10, 0x40, 0x80, 0x800

	eeArith = eeCF | eePF | eeAF | eeZF | eeSF | eeOF
	eeLogic = eeArith &^ eeAF
)

// defined is the flags that the instruction defines or leaves alone (SDM
// vol. 1, appendix A), of those that the reference shows.
func (l *eeLine) defined() uint32 {
	switch l.name {
	case "AND", "OR", "XOR", "TEST", "CMP": // it hides CMP's AF too
		return eeLogic
	case "MUL", "IMUL":
		return eeCF | eeOF
	case "DIV", "IDIV":
		return 0
	case "SAL", "SHR", "SAR", "ROL", "ROR", "RCL", "RCR":
		if l.op == "D0" || l.op == "D1" {
			return eeLogic
		}
		return eeLogic &^ eeOF
	case "SHLD", "SHRD":
		return eeLogic &^ eeOF
	}
	switch l.op {
	case "daa", "das":
		return eeArith &^ eeOF
	case "aaa", "aas":
		return eeCF | eeAF
	case "aam", "aad":
		return eePF | eeZF | eeSF
	}
	return eeArith
}

// immediate is the operand that the lines do not show; what it is follows
// from their results.
func (l *eeLine) immediate() uint32 {
	switch l.name {
	case "OR", "AND", "XOR", "CMP", "TEST":
		return 0xaaaaaaaa
	case "IMUL":
		if l.op == "6B" {
			return [...]uint32{0x77, 0x89}[l.part]
		}
		return map[string]uint32{"W": 0x777, "D": 0x777777}[l.size]
	}
	if l.op == "83" || l.size == "B" {
		return 0xff
	}
	v := map[string]uint32{"W": 0x8000, "D": 0x80000000}[l.size]
	if l.name == "ADD" || l.name == "ADC" {
		v |= 2
	}
	return v
}

// vector makes the line a vector for the protected-mode rig.
func (l *eeLine) vector() (vector386, error) {
	m := make([]byte, 128)
	v := vector386{
		R:    map[string]string{"0": hex32(l.eax[0]), "2": hex32(l.edx[0]), "1": "0"},
		Rout: map[string]string{"0": hex32(l.eax[1]), "2": hex32(l.edx[1])},
		FL:   hex32(l.ps[0]), FLo: hex32(l.ps[1]), K: hex32(l.defined()),
	}
	if l.trap {
		v.Sig = 8
	}
	op, err := hex.DecodeString(l.op)
	if err != nil { // the decimal adjustments have only a name
		op = map[string][]byte{"daa": {0x27}, "das": {0x2f}, "aaa": {0x37}, "aas": {0x3f}, "aam": {0xd4, 10}, "aad": {0xd5, 10}}[l.op]
		if op == nil {
			return v, fmt.Errorf("no instruction %q", l.op)
		}
		v.B, v.IP, v.M = hex.EncodeToString(op), uint32(len(op)), hex.EncodeToString(m)
		return v, nil
	}
	size := map[string]int{"B": 1, "W": 2, "D": 4}[l.size]
	var code []byte
	if size == 2 && l.name != "CWDE" || l.size == "B" && l.name == "CBW" {
		code = append(code, 0x66)
	}
	imm := func(n int) {
		for i := range n {
			code = append(code, byte(l.immediate()>>(8*i)))
		}
	}
	group := func(names ...string) byte {
		for i, n := range names {
			if n == l.name {
				return byte(i << 3)
			}
		}
		return 0
	}
	memory := func(reg byte, value uint32) { // [20000000]
		code = append(code, reg|5, 0, 0, 0, 0x20)
		put32(m, 0, value)
	}
	const rmEAX, rmEDX, regEDX = 0xc0, 0xc2, 0x10
	low := op[len(op)-1] & 7
	switch o := op[0]; {
	case o == 0x0f:
		code = append(code, 0xf9, 0x0f, op[1]) // STC first, as for all shifts
		if size == 2 {
			code = []byte{0xf9, 0x66, 0x0f, op[1]}
		}
		switch op[1] {
		case 0xaf:
			code = append(code[:0], 0x0f, 0xaf, rmEDX)
			if size == 2 {
				code = append([]byte{0x66}, code...)
			}
		case 0xa4, 0xac:
			code = append(code, rmEAX|regEDX, byte(4*size))
		default:
			code = append(code, rmEAX|regEDX)
			v.R["1"] = hex32(l.edx[0])
		}
	case o < 0x40 && low < 2, o == 0x84, o == 0x85:
		code = append(code, o, rmEAX|regEDX)
	case o < 0x40 && low < 4:
		code = append(code, o)
		memory(0, l.edx[0])
	case o < 0x40, o == 0xa8, o == 0xa9:
		code = append(code, o)
		imm(size)
	case o < 0x50: // INC and DEC of each register
		code = append(code, o)
		n := strconv.Itoa(int(low))
		delete(v.R, "0")
		delete(v.Rout, "0")
		if low != 2 {
			v.R[n], v.Rout[n] = hex32(l.eax[0]), hex32(l.eax[1])
		} else {
			v.R["2"], v.Rout["2"] = hex32(l.eax[0]), hex32(l.eax[1])
		}
	case o == 0x69 || o == 0x6b:
		rm := byte(rmEAX)
		if o == 0x6b {
			rm, size = rmEDX, 1
		}
		code = append(code, o, rm)
		imm(size)
	case o == 0x83:
		code = append(code, o, rmEAX|group("ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"))
		imm(1)
	case o == 0x80 || o == 0x81:
		code = append(code, o, rmEDX|group("ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"))
		imm(size)
	case o == 0x98 || o == 0x99:
		code = append(code, o)
	case o == 0xfe || o == 0xff:
		code = append(code, o)
		memory(group("INC", "DEC"), l.eax[0])
		after := make([]byte, 4)
		put32(after, 0, l.eax[1])
		v.Mout = [][2]any{{0.0, hex.EncodeToString(after)}}
		delete(v.R, "0")
	case o == 0xf6 || o == 0xf7:
		rm := byte(rmEDX)
		if l.name == "NOT" || l.name == "NEG" || l.part == 1 { // the second divisor
			rm = rmEAX
		}
		code = append(code, o, rm|group("TEST", "", "NOT", "NEG", "MUL", "IMUL", "DIV", "IDIV"))
		if l.name == "TEST" {
			imm(size)
		}
	case o&^1 == 0xc0 || o&^3 == 0xd0:
		code = append([]byte{0xf9}, code...)
		code = append(code, o, rmEAX|group("ROL", "ROR", "RCL", "RCR", "SAL", "SHR", "", "SAR"))
		if o&^1 == 0xc0 {
			code = append(code, 7)
		}
		v.R["1"] = hex32(l.edx[0])
	default:
		return v, fmt.Errorf("no instruction %s %s", l.op, l.name)
	}
	v.B, v.IP, v.M = hex.EncodeToString(code), uint32(len(code)), hex.EncodeToString(m)
	return v, nil
}

func hex32(v uint32) string { return strconv.FormatUint(uint64(v), 16) }

// TestEE runs the arithmetic of test386.asm's stage EE, as far as the vectors
// have its reference output.
func TestEE(t *testing.T) { eachEngine(t, testEE) }

func testEE(t *testing.T) {
	s := vectorFile(t, "386/ee.txt.gz")
	r := newProtectedRig(t, "max")
	total, passed := 0, 0
	bad, first := map[string]int{}, map[string]string{}
	parts := map[string]int{} // of each form
	var last string
	var eax uint32
	for s.Scan() {
		l, err := parseEE(s.Text())
		if err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		key := l.op + " " + l.name + " " + l.size
		if n, seen := parts[key]; seen && (key != last || eax == l.largest() && l.eax[0] != eax) {
			parts[key] = n + 1
		} else if !seen {
			parts[key] = 0
		}
		last, eax, l.part = key, l.eax[0], parts[key]
		v, err := l.vector()
		if err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		total++
		diff := r.check(t, &v)
		if diff == "" {
			passed++
			continue
		}
		bad[key]++
		if first[key] == "" {
			first[key] = fmt.Sprintf("%s (%s): %s", strings.TrimSpace(s.Text()), v.B, diff)
		}
	}
	t.Logf("%d/%d", passed, total)
	var keys []string
	for k := range bad {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		t.Errorf("%s: %d failed; %s", k, bad[k], first[k])
	}
}

// largest is the last EAX that a form comes with.
func (l *eeLine) largest() uint32 {
	return map[string]uint32{"B": 0xff, "W": 0xffff, "D": 0xffffffff}[l.size]
}
