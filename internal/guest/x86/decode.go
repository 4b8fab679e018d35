package x86

import (
	"encoding/binary"
	"fmt"
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
	return &m.vex[which][in.opcode], pp
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
	op := &m.one[b]
	isVEX := (b == 0xc4 || b == 0xc5) && (m.long || d.n < len(code) && code[d.n] >= 0xc0)
	var pp byte
	switch {
	case isVEX:
		op, pp = d.vex(in, m, b)
		b = in.opcode
	case b == 0x0f:
		b = d.byte()
		op = &m.two[b]
		switch b {
		case 0x38:
			b = d.byte()
			op = &m.three38[b]
		case 0x3a:
			b = d.byte()
			op = &m.three3A[b]
		}
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
			e = op.table()[pfx][in.modrm]
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
