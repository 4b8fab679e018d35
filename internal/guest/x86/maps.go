package x86

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// encoding is one line of the opcode maps. What translation looks at is in
// front, in one line of the host's cache.
type encoding struct {
	emit     emitter // nil: not translated
	operands []operand
	inCode   bool  // operands are in the code behind ModRM
	feature  uint8 // of maps.features
	memory   bool  // an operand must be in memory
	register bool  // an operand must not be in memory
	hasModRM bool
	prefix   byte // 0 = any, 'n' = none, 0x66, 0xf3, 0xf2
	form     byte // 'm', 'r', 0 = either
	reg      int  // of ModRM, -1 = any
	modrm    int  // the whole byte, -1 = any
	line     string
	name     string
	def64    bool // the operand size in 64-bit mode is 64 bits, or 16
	force64  bool // it is always 64 bits there
	vex      bool // it has a VEX prefix
	length   int  // of vectors, by VEX.L: 16 or 32, 0 = either
	w        int  // VEX.W, -1 = either
	only     int  // 1 = not in 64-bit mode, 2 = only there, 0 = in all
}

// operand is an operand's notation.
type operand struct {
	kind operandKind
	// bytes is its size, or if that is 0, more what is added to the
	// instruction's operand size.
	bytes, more uint8
	vector      bool  // its size is that of the instruction's vectors
	least, most uint8 // bounds of what the instruction's is taken to be; 0 = none
	*notation
}

// notation is how an operand is written.
type notation struct {
	size string // "b", "v", ...
	text string
}

// operandKind is the letter or name that the size follows.
type operandKind uint8

// The kinds, as table.go describes them.
const (
	kindE operandKind = iota
	kindG
	kindI
	kindSI
	kindJ
	kindO
	kindM
	kindR
	kindS
	kindC
	kindD
	kindA
	kindX
	kindY
	kindZ
	kindP
	kindQ
	kindN
	kindV
	kindW
	kindU
	kindH // these by VEX.vvvv: XMM register, and general register
	kindB
	kindL // XMM register by the top of an immediate
	kindST
	kindSTi
	kindAL
	kindCL
	kindAX
	kindEAX
	kindDX
	kindOne
	kindES // and the other segment registers, in the order of their numbers
	kindCS
	kindSS
	kindDS
	kindFS
	kindGS
	numKinds
)

var kindNames = [numKinds]string{
	"E", "G", "I", "sI", "J", "O", "M", "R", "S", "C", "D", "A", "X", "Y", "Z", "P", "Q", "N", "V", "W", "U",
	"H", "B", "L", "ST", "STi", "AL", "CL", "AX", "eAX", "DX", "1", "ES", "CS", "SS", "DS", "FS", "GS",
}

// segment returns the number of the segment register that an operand names.
func (k operandKind) segment() (n int, ok bool) { return int(k) - int(kindES), k >= kindES }

// hasModRM reports whether an operand of the kind comes from ModRM.
func (k operandKind) hasModRM() bool {
	switch k {
	case kindE, kindG, kindM, kindR, kindS, kindC, kindD, kindP, kindQ, kindN, kindV, kindW, kindU, kindSTi:
		return true
	}
	return false
}

// operandBytes are the sizes of operands by their notation; those that are not
// here have the instruction's operand size.
var operandBytes = map[string]uint8{
	"b": 1, "w": 2, "d": 4, "ss": 4, "q": 8, "sd": 8, "dq": 16, "ps": 16, "pd": 16, "t": 10,
}

// opcode is what one opcode byte of a map leads to.
type opcode struct {
	// split are the encodings, where the ModRM byte matters; byModRM is made of
	// them when the opcode is first met: few are in most programs.
	split   []*encoding
	byModRM atomic.Pointer[[4][256]*encoding]
	direct  [4]*encoding
	vex     []*encoding // those with a VEX prefix
	modrm   bool
	// regs: ModRM names registers whatever its mod field says (MOV to and
	// from control and debug registers; SDM vol. 2, MOV).
	regs bool
}

// prefix classes, the index of opcode.direct.
const (
	pfxNone = iota
	pfx66
	pfxF3
	pfxF2
)

// maps are the decoded opcode maps: one byte, 0F, 0F 38 and 0F 3A.
type maps struct {
	long                       bool // of 64-bit mode
	one, two, three38, three3A [256]opcode
	vex                        [4][256]opcode // by the map's number, from 1
	all                        []*encoding
	lists                      map[*opcode][]*encoding // while the maps are built
	features                   []string                // that encodings ask for
}

// theMaps builds the maps once, those of 64-bit mode and of the others; they
// are never changed afterwards.
var (
	theMaps  = sync.OnceValue(func() *maps { return newMaps(false) })
	longMaps = sync.OnceValue(func() *maps { return newMaps(true) })
)

// mapsOf are the maps for code of a size: 8 bytes, or less.
func mapsOf(size int) *maps {
	if size == 8 {
		return longMaps()
	}
	return theMaps()
}

func newMaps(long bool) *maps {
	m := &maps{long: long, features: []string{""}, lists: map[*opcode][]*encoding{}}
	emitters := emitters()
	for _, text := range []string{integerMap, x87Map, mmxMap, sseMap, sse3Map, sse4Map, bmiMap, avxMap} {
		for _, line := range strings.Split(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				m.addLine(line, emitters)
			}
		}
	}
	for i := range 256 {
		for _, o := range [...]*opcode{&m.one[i], &m.two[i], &m.three38[i], &m.three3A[i]} {
			o.finish(m.lists[o])
		}
		for n := range m.vex {
			o := &m.vex[n][i]
			o.attributes(m.lists[o])
			o.vex = m.lists[o]
		}
	}
	m.lists = nil
	return m
}

func (m *maps) addLine(line string, emitters map[string]emitter) {
	code, rest, ok := strings.Cut(line, ":")
	if !ok {
		panic("BUG: x86: opcode line " + line)
	}
	rest, feature, _ := strings.Cut(rest, ";")
	e := encoding{line: line, feature: m.feature(strings.TrimSpace(feature)), reg: -1, modrm: -1, w: -1}
	name, ops, _ := strings.Cut(strings.TrimSpace(rest), " ")
	e.name = name
	for _, o := range strings.Split(ops, ",") {
		if o = strings.TrimSpace(o); o != "" {
			e.operands = append(e.operands, parseOperand(o))
		}
	}
	table := &m.one
	var bytes []string
	fields := strings.Fields(code)
	for i, f := range fields {
		switch {
		case f == "v":
			e.vex = true
		case f == "l0" || f == "l1":
			e.length = 16 << (f[1] - '0')
		case f == "w0" || f == "w1":
			e.w = int(f[1] - '0')
		case f == "np":
			e.prefix = 'n'
		case f == "i64" || f == "o64":
			e.only = map[string]int{"i64": 1, "o64": 2}[f]
		case f == "d64" || f == "f64":
			e.def64, e.force64 = m.long, m.long && f == "f64"
		case (f == "66" || f == "F3" || f == "F2") && (i == 0 || e.vex && i == 1) && len(fields) > 1:
			e.prefix = hexByte(f)
		case f == "0F" && len(bytes) == 0 && table == &m.one && i+1 < len(fields):
			table = &m.two
		case f == "38" && len(bytes) == 0 && table == &m.two:
			table = &m.three38
		case f == "3A" && len(bytes) == 0 && table == &m.two:
			table = &m.three3A
		case f[0] == '/':
			e.reg = int(f[1] - '0')
		case f == "m" || f == "r":
			e.form = f[0]
		default:
			bytes = append(bytes, f)
		}
	}
	if e.vex {
		for n, t := range []*[256]opcode{1: &m.two, &m.three38, &m.three3A} {
			if t == table {
				table = &m.vex[n]
				break
			}
		}
	}
	if m.long && e.only == 1 || !m.long && e.only == 2 {
		return
	}
	if len(bytes) == 2 { // a whole ModRM byte, or a range of them
		lo, hi := hexRange(bytes[1])
		for b := lo; b <= hi; b++ {
			c := e
			c.modrm = b
			m.enter(table, c, hexRangeFirst(bytes[0]), emitters)
		}
		return
	}
	lo, hi := hexRange(bytes[0])
	for b := lo; b <= hi; b++ {
		m.enter(table, e, b, emitters)
	}
}

// feature returns the number of what an encoding asks for.
func (m *maps) feature(name string) uint8 {
	i := slices.Index(m.features, name)
	if i < 0 {
		i, m.features = len(m.features), append(m.features, name)
	}
	return uint8(i)
}

func (m *maps) enter(table *[256]opcode, e encoding, b int, emitters map[string]emitter) {
	for _, o := range e.operands {
		e.inCode = e.inCode || inCode[o.kind]
		e.hasModRM = e.hasModRM || o.kind.hasModRM()
		e.memory = e.memory || o.kind == kindM
		e.register = e.register || o.kind == kindN || o.kind == kindU
	}
	if e.reg >= 0 || e.form != 0 || e.modrm >= 0 {
		e.hasModRM = true
	}
	switch {
	case strings.HasSuffix(e.name, "cc"):
		e.emit = emitters[e.name]
		e.name = strings.TrimSuffix(e.name, "cc") + conditionNames[b&15]
	default:
		e.emit = emitters[e.name]
	}
	p := &e
	m.lists[&table[b]] = append(m.lists[&table[b]], p)
	m.all = append(m.all, p)
}

// finish makes the look-up table of an opcode, but for that by ModRM.
func (o *opcode) finish(list []*encoding) {
	o.attributes(list)
	for _, e := range list {
		if e.reg >= 0 || e.form != 0 || e.modrm >= 0 {
			o.split = list
			return
		}
	}
	for p := range 4 {
		for _, e := range list {
			if e.fits(p, 0) && (o.direct[p] == nil || e.prefix != 0) {
				o.direct[p] = e
			}
		}
	}
}

// table is byModRM. A later line with more conditions wins over an earlier one
// with fewer.
func (o *opcode) table() *[4][256]*encoding {
	if t := o.byModRM.Load(); t != nil {
		return t
	}
	t := new([4][256]*encoding)
	for p := range 4 {
		for b := range 256 {
			for _, e := range o.split {
				if old := t[p][b]; e.fits(p, b) && (old == nil || e.weight() >= old.weight()) {
					t[p][b] = e
				}
			}
		}
	}
	o.byModRM.Store(t) // others may have made the same
	return t
}

// attributes derives what does not depend on more than the opcode.
func (o *opcode) attributes(list []*encoding) {
	for _, e := range list {
		o.modrm = o.modrm || e.hasModRM
		for _, x := range e.operands {
			o.regs = o.regs || x.kind == kindR
		}
	}
}

func (e *encoding) weight() int {
	w := 0
	if e.prefix != 0 {
		w++
	}
	if e.modrm >= 0 {
		w += 4
	}
	return w
}

func (e *encoding) fits(pfx, modrm int) bool {
	switch e.prefix {
	case 'n':
		if pfx != pfxNone {
			return false
		}
	case 0x66:
		if pfx != pfx66 {
			return false
		}
	case 0xf3:
		if pfx != pfxF3 {
			return false
		}
	case 0xf2:
		if pfx != pfxF2 {
			return false
		}
	}
	return (e.reg < 0 || modrm>>3&7 == e.reg) &&
		(e.form != 'm' || modrm < 0xc0) && (e.form != 'r' || modrm >= 0xc0) &&
		(e.modrm < 0 || modrm == e.modrm)
}

func parseOperand(s string) operand {
	name, size := s, ""
	switch {
	case s == "sIb":
		name, size = "sI", "b"
	case s == "ST" || s == "STi":
		size = "t"
	case strings.Contains("EGIJOMRSCDAXYZPQNVWUHBL", s[:1]) && len(s) > 1 && strings.ToLower(s[1:]) == s[1:]:
		name, size = s[:1], s[1:]
	}
	kind := slices.Index(kindNames[:], name)
	if kind < 0 {
		panic("BUG: x86: opcode map: operand " + s)
	}
	o := operand{kind: operandKind(kind), bytes: operandBytes[size], notation: &notation{size, s}}
	switch {
	case size == "p":
		o.more = 2
	case size == "x":
		o.vector = true
	case size == "y":
		o.least = 4
	case size == "z":
		o.most = 4
	case size == "r":
		o.least = 8
	case size != "":
	case name == "AL" || name == "CL" || name == "1":
		o.bytes = 1
	case name == "DX" || o.kind >= kindES:
		o.bytes = 2
	}
	return o
}

func hexByte(s string) byte { return byte(hexRangeFirst(s)) }

func hexRangeFirst(s string) int {
	n, err := strconv.ParseUint(s, 16, 8)
	if err != nil {
		panic("BUG: x86: opcode map: " + err.Error())
	}
	return int(n)
}

func hexRange(s string) (lo, hi int) {
	a, b, ok := strings.Cut(s, "-")
	lo = hexRangeFirst(a)
	if !ok {
		return lo, lo
	}
	return lo, hexRangeFirst(b)
}

var conditionNames = [16]string{"O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"}
