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
	byModRM atomic.Pointer[modRMTable]
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

// maps are the opcode maps of 64-bit mode, or of the others. An opcode is made of
// its lines when it is first met: most programs use few, and short ones would
// spend much of their time on the rest.
type maps struct {
	long    bool
	opcodes [numTables][256]atomic.Pointer[opcode]
}

// The tables of opcodes: one byte, 0F, 0F 38 and 0F 3A, then the three that VEX
// prefixes name.
const (
	tableOne = iota
	tableTwo
	tableThree38
	tableThree3A
	tableVEX // and by the number of the map, from 1

	numTables = tableVEX + 4
)

var (
	theMaps  = new(maps)
	longMaps = &maps{long: true}
)

// mapsOf are the maps for code of a size: 8 bytes, or less.
func mapsOf(size int) *maps {
	if size == 8 {
		return longMaps
	}
	return theMaps
}

// at returns what opcode b of a table leads to.
func (m *maps) at(table int, b byte) *opcode {
	if o := m.opcodes[table][b].Load(); o != nil {
		return o
	}
	o := &opcode{}
	list := m.encodings(table, b)
	if table >= tableVEX {
		o.attributes(list)
		o.vex = list
	} else {
		o.finish(list)
	}
	m.opcodes[table][b].Store(o) // others may have made the same
	return o
}

// encodings makes the encodings of an opcode of its lines.
func (m *maps) encodings(table int, b byte) (list []*encoding) {
	x := theLines()
	for i := x.first[table][b]; i != 0; i = x.nodes[i].next {
		n := &x.nodes[i]
		l := &x.lines[n.line]
		e := m.parseLine(l)
		if m.long && e.only == 1 || !m.long && e.only == 2 {
			continue
		}
		e.emit = emitterOf(e.name, l.text)
		if strings.HasSuffix(e.name, "cc") {
			e.name = strings.TrimSuffix(e.name, "cc") + conditionNames[b&15]
		}
		if !l.hasModRM {
			list = append(list, e)
			continue
		}
		for v := int(l.modrm[0]); v <= int(l.modrm[1]); v++ {
			c := *e
			c.modrm, c.hasModRM = v, true
			list = append(list, &c)
		}
	}
	return list
}

// mapTexts are the texts of the maps.
var mapTexts = [...]string{integerMap, x87Map, mmxMap, sseMap, sse3Map, sse4Map, bmiMap, avxMap}

// mapLine is a line of the maps, as far as it is needed to find it.
type mapLine struct {
	line     string
	text     int   // of mapTexts
	feature  uint8 // of lines.features
	hasModRM bool  // a whole ModRM byte follows the opcode, or a range of them
	modrm    [2]byte
}

// lineNode is a line on the list of an opcode.
type lineNode struct{ line, next uint16 }

// lines finds the lines of an opcode.
type lines struct {
	lines    []mapLine
	first    [numTables][256]uint16 // of nodes, 0 = none
	nodes    []lineNode
	features []string // that encodings ask for
}

var theLines = sync.OnceValue(newLines)

func newLines() *lines {
	x := &lines{lines: make([]mapLine, 0, 1600), nodes: make([]lineNode, 1, 2600), features: []string{""}}
	last := ""
	for t := len(mapTexts) - 1; t >= 0; t-- { // lists begin with what was added last
		for text := mapTexts[t]; text != ""; {
			line := text
			if i := strings.LastIndexByte(text, '\n'); i >= 0 {
				text, line = text[:i], text[i+1:]
			} else {
				text = ""
			}
			if line == "" {
				continue
			}
			l := mapLine{line: line, text: t}
			if i := strings.LastIndexByte(line, ';'); i >= 0 {
				name := line[i+1:]
				if n := len(x.features); name != last || n == 1 {
					last = name
					l.feature = x.feature(strings.TrimSpace(name))
				} else {
					l.feature = x.lines[len(x.lines)-1].feature
				}
			} else {
				last = ""
			}
			x.add(l)
		}
	}
	return x
}

// feature returns the number of what an encoding asks for.
func (x *lines) feature(name string) uint8 {
	i := slices.Index(x.features, name)
	if i < 0 {
		i, x.features = len(x.features), append(x.features, name)
	}
	return uint8(i)
}

// add enters a line in the lists of its opcodes.
func (x *lines) add(l mapLine) {
	table, vex, rest := tableOne, false, l.line
	var bytes [2]string
	n := 0
	for first := true; ; first = false {
		var f string
		if f, rest = cutField(rest); f == ":" || f == "" {
			break
		}
		switch {
		case f == "v":
			vex = true
		case isCondition(f), f[0] == '/':
		case (f == "66" || f == "F3" || f == "F2") && n == 0 && table == tableOne && (first || vex) && rest[1] != ':':
			// a prefix that selects
		case f == "0F" && n == 0 && table == tableOne && rest[1] != ':':
			table = tableTwo
		case f == "38" && n == 0 && table == tableTwo:
			table = tableThree38
		case f == "3A" && n == 0 && table == tableTwo:
			table = tableThree3A
		default:
			if n == len(bytes) {
				panic("BUG: x86: opcode line " + l.line)
			}
			bytes[n] = f
			n++
		}
	}
	if n == 0 {
		panic("BUG: x86: opcode line " + l.line)
	}
	if vex {
		table += tableVEX
	}
	if n == 2 {
		lo, hi := hexRange(bytes[1])
		l.hasModRM, l.modrm = true, [2]byte{byte(lo), byte(hi)}
	}
	x.lines = append(x.lines, l)
	lo, hi := hexRange(bytes[0])
	for b := lo; b <= hi; b++ {
		x.nodes = append(x.nodes, lineNode{uint16(len(x.lines) - 1), x.first[table][b]})
		x.first[table][b] = uint16(len(x.nodes) - 1)
	}
}

// cutField returns the first word of s, and what follows.
func cutField(s string) (f, rest string) {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// isCondition reports whether a word before the colon says when an encoding is
// meant, and is no byte.
func isCondition(f string) bool {
	switch f {
	case "l0", "l1", "w0", "w1", "np", "i64", "o64", "d64", "f64", "m", "r":
		return true
	}
	return false
}

// parseLine makes the encoding of a line, but for its emitter.
func (m *maps) parseLine(l *mapLine) *encoding {
	code, rest, ok := strings.Cut(l.line, ":")
	if !ok {
		panic("BUG: x86: opcode line " + l.line)
	}
	rest, _, _ = strings.Cut(rest, ";")
	e := &encoding{line: l.line, feature: l.feature, reg: -1, modrm: -1, w: -1}
	name, ops, _ := strings.Cut(strings.TrimSpace(rest), " ")
	e.name = name
	for ops != "" {
		var o string
		if o, ops, _ = strings.Cut(ops, ","); strings.TrimSpace(o) != "" {
			e.operands = append(e.operands, parseOperand(strings.TrimSpace(o)))
		}
	}
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
		case f == "i64":
			e.only = 1
		case f == "o64":
			e.only = 2
		case f == "d64" || f == "f64":
			e.def64, e.force64 = m.long, m.long && f == "f64"
		case (f == "66" || f == "F3" || f == "F2") && (i == 0 || e.vex && i == 1) && len(fields) > 1:
			e.prefix = hexByte(f)
		case f[0] == '/':
			e.reg = int(f[1] - '0')
		case f == "m" || f == "r":
			e.form = f[0]
		}
	}
	for _, o := range e.operands {
		e.inCode = e.inCode || inCode[o.kind]
		e.hasModRM = e.hasModRM || o.kind.hasModRM()
		e.memory = e.memory || o.kind == kindM
		e.register = e.register || o.kind == kindN || o.kind == kindU
	}
	if e.reg >= 0 || e.form != 0 {
		e.hasModRM = true
	}
	return e
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

// modRMTable are encodings by prefix and ModRM byte: of memory forms only reg
// matters.
type modRMTable [4][8 + 64]*encoding

// at returns the encoding for a ModRM byte.
func (t *modRMTable) at(pfx int, modrm byte) *encoding {
	if modrm < 0xc0 {
		return t[pfx][modrm>>3&7]
	}
	return t[pfx][8+modrm&0x3f]
}

// table is byModRM. A later line with more conditions wins over an earlier one
// with fewer.
func (o *opcode) table() *modRMTable {
	if t := o.byModRM.Load(); t != nil {
		return t
	}
	t := new(modRMTable)
	for p := range t {
		for i := range t[p] {
			modrm := i << 3
			if i >= 8 {
				modrm = 0xc0 + i - 8
			}
			for _, e := range o.split {
				if old := t[p][i]; e.fits(p, modrm) && (old == nil || e.weight() >= old.weight()) {
					t[p][i] = e
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
