package tcg_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"rhea/internal/guest/x86"
)

// item is a piece of a program that is laid out, dropped and jumped to as one:
// an instruction, or a few that belong together.
type item struct {
	code []byte
	// A branch or an address in the code is written behind code.
	ref    refKind
	target int // item
}

type refKind byte

const (
	noRef    refKind = iota
	refNear          // relative, in operand size
	refShort         // relative, 8 bits; the item is left out if that does not reach
	refAddr          // address in operand size
)

// fuzzProgram is a program and how it is run.
type fuzzProgram struct {
	m     fuzzMachine
	items []item
}

// layout places the items; labels[i] is where item i is, from the start.
func (p *fuzzProgram) layout() (code []byte, labels []int) {
	word := p.m.word()
	skip := make([]bool, len(p.items))
	for again := true; again; {
		again = false
		labels = labels[:0]
		at := 0
		for i, it := range p.items {
			labels = append(labels, at)
			if !skip[i] {
				at += len(it.code) + [...]int{0, word, 1, word}[it.ref]
			}
		}
		code = make([]byte, 0, at)
		for i, it := range p.items {
			if skip[i] {
				continue
			}
			code = append(code, it.code...)
			to := at
			if it.target < len(labels) {
				to = labels[it.target]
			}
			switch rel := to - len(code); it.ref {
			case refNear:
				code = appendWord(code, uint32(rel-word), word)
			case refShort:
				if rel-1 != int(int8(rel-1)) {
					skip[i], again = true, true
				}
				code = append(code, byte(rel-1))
			case refAddr:
				code = appendWord(code, p.m.entry()+uint32(to), word)
			}
		}
	}
	return code, labels
}

func appendWord(b []byte, v uint32, size int) []byte {
	return append(b, binary.LittleEndian.AppendUint32(nil, v)[:size]...)
}

// without is the program with some items dropped; jumps to them lead to what
// follows.
func (p *fuzzProgram) without(from, n int) *fuzzProgram {
	q := &fuzzProgram{m: p.m}
	for i, it := range p.items {
		if i >= from && i < from+n {
			continue
		}
		if it.target >= from+n {
			it.target -= n
		} else if it.target > from {
			it.target = from
		}
		q.items = append(q.items, it)
	}
	return q
}

// listing disassembles the program.
func (p *fuzzProgram) listing() string {
	var w strings.Builder
	code, labels := p.layout()
	pc := uint64(p.m.entry())
	for at := 0; at < len(code); {
		text, n := x86.Disassemble(code[at:], pc+uint64(at), p.m.bits()/8)
		if n == 0 {
			text, n = "(cut short)", len(code)-at
		}
		mark := " "
		if slices.Contains(labels, at) {
			mark = ":"
		}
		fmt.Fprintf(&w, "\t%06x%s %-24x %s\n", pc+uint64(at), mark, code[at:at+n], text)
		at += n
	}
	return w.String()
}

// writer makes items.
type writer struct {
	*rand.Rand
	p    *fuzzProgram
	word int // bytes of an address, by default
}

func (w *writer) one(n int) bool { return w.IntN(n) == 0 }

func (w *writer) add(code ...byte) { w.p.items = append(w.p.items, item{code: code}) }

func (w *writer) branch(ref refKind, target int, code ...byte) {
	w.p.items = append(w.p.items, item{code, ref, target})
}

// newProgram makes a random one; wide says that the processor has 64 bits.
func newProgram(rnd *rand.Rand, wide bool) *fuzzProgram {
	p := &fuzzProgram{m: newFuzzMachine(rnd, wide)}
	w := &writer{rnd, p, p.m.word()}
	n := 3 + rnd.IntN(40)
	functions := rnd.IntN(3)
	end := n * 3 // more than there will be: resolved below
	var calls []int
	if p.m.hot {
		for _, r := range []int{3, 5, 6, 7} { // or it would soon do nothing but fault
			w.movImm(r, fuzzData+16*w.Uint32N(0x100)-p.m.base())
		}
	}
	for len(p.items) < n {
		if functions > 0 && w.one(12) {
			calls = append(calls, len(p.items))
			w.branch(refNear, end, 0xe8)
			continue
		}
		w.something(n)
	}
	if p.m.hot {
		at := w.Uint32N(8)
		w.counted(0, at, 0xe9)
		p.m.counters[at] = 200 + w.Uint32N(2000)
	}
	w.add(0xcc) // INT3: the end
	for range functions {
		at := len(p.items)
		for range 1 + rnd.IntN(6) {
			w.something(n)
		}
		w.add(0xc3)
		for _, c := range calls {
			if p.items[c].target >= end || w.one(2) {
				p.items[c].target = at
			}
		}
	}
	return p
}

// something adds what a program may hold anywhere; n is the number of items
// of the main part.
func (w *writer) something(n int) {
	here := len(w.p.items)
	switch c := w.IntN(100); {
	case c < 44:
		w.instruction(fuzzInteger)
	case c < 53:
		w.instruction(fuzzX87)
	case c < 62:
		w.instruction(fuzzSIMD)
	case c < 64:
		w.instruction(fuzzSystem)
	case c < 67: // a string instruction, of a few rounds
		w.movImm(1, w.Uint32N(40))
		w.p.items[here].code = append(w.p.items[here].code, w.string()...)
	case c < 76: // a register gets a useful value
		w.movImm([]int{0, 1, 2, 3, 5, 6, 7}[w.IntN(7)], w.value())
	case c < 84: // forwards
		to := here + 1 + w.IntN(8)
		switch w.IntN(6) {
		case 0:
			w.branch(refNear, to, 0xe9)
		case 1:
			w.branch(refShort, to, 0xeb)
		case 2:
			w.branch(refShort, to, 0xe0|byte(w.IntN(4)))
		case 3:
			w.branch(refNear, to, 0x0f, 0x80|byte(w.IntN(16)))
		default:
			w.branch(refShort, to, 0x70|byte(w.IntN(16)))
		}
	case c < 87 && w.one(4):
		w.vectorLoop()
	case c < 88: // backwards, with a count in memory
		if here < 2 {
			return
		}
		w.counted(max(0, here-1-w.IntN(12)), w.Uint32N(8), [][]byte{{0xe9}, {0x0f, 0x80 | byte(w.IntN(16))}}[w.IntN(2)]...)
	case c < 90: // through a register
		r := byte([]int{0, 1, 2}[w.IntN(3)])
		w.branch(refAddr, here+2+w.IntN(4), 0xb8|r)
		w.add(0xff, 0xe0|r) // JMP r
	case c < 92: // by RET
		w.branch(refAddr, here+2+w.IntN(4), 0x68)
		w.add(0xc3)
	case c < 95: // into the code
		w.selfModify(n)
	case c < 97:
		w.p.m.special(w)
	case c < 99: // no instruction, as likely as not
		b := make([]byte, 1+w.IntN(6))
		for i := range b {
			b[i] = byte(w.Uint32())
		}
		if !slices.Contains(b, 0xf4) {
			w.add(b...)
		}
	default:
		w.add(0x9c) // PUSHF; flags and back, TF perhaps
		w.add([]byte{0x9d, 0x58, 0xcf}[w.IntN(3)])
	}
}

func (w *writer) movImm(r int, v uint32) {
	w.add(appendWord([]byte{0xb8 | byte(r)}, v, w.word)...)
}

// value is a number that something may come of.
func (w *writer) value() uint32 {
	switch w.IntN(8) {
	case 0:
		return w.Uint32()
	case 1:
		return w.Uint32N(256)
	case 2:
		return []uint32{0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff}[w.IntN(11)]
	}
	return w.pointer()
}

// pointer is an address, mostly of data.
func (w *writer) pointer() uint32 {
	a := fuzzData + w.Uint32N(0x1000)
	switch w.IntN(12) {
	case 0:
		a = fuzzData + 0x1000*w.Uint32N(6) - w.Uint32N(16) // at the end of a page
	case 1:
		a = fuzzData + w.Uint32N(0x6000)
	case 2:
		a = w.p.m.start + w.Uint32N(0x300) // code
	case 3:
		a += fuzzAlias
	case 4:
		a = w.Uint32N(fuzzRAM * 2)
	case 5, 6:
		a &^= 15 // for SSE
	}
	return a - w.p.m.base()
}

// counted is a jump back that is taken as often as a counter in memory says.
func (w *writer) counted(to int, counter uint32, jump ...byte) {
	at := fuzzCounters + 4*counter - w.p.m.base()
	dec := w.absolute([]byte{0xff}, 1, at)
	here := len(w.p.items)
	w.add(dec...)
	w.branch(refShort, here+3, 0x78) // JS over it
	w.branch(refNear, to, jump...)
}

// vectorLoop adds a loop over operations on few XMM registers: what one time
// around leaves there the next finds. Between them may be anything.
func (w *writer) vectorLoop() {
	start := len(w.p.items)
	for range 2 + w.IntN(7) {
		switch w.IntN(12) {
		case 0:
			w.instruction(fuzzInteger)
		case 1:
			w.instruction([]int{fuzzX87, fuzzSIMD, fuzzString}[w.IntN(3)])
		case 2: // LDMXCSR, STMXCSR
			w.add(w.absolute([]byte{0x0f, 0xae}, 2+byte(w.IntN(2)), w.pointer()&^3)...)
		default:
			w.vector()
		}
	}
	jump := []byte{0x0f, 0x80 | byte(w.IntN(16))}
	if w.one(3) {
		jump = []byte{0xe9}
	}
	w.counted(start, w.Uint32N(8), jump...)
}

// vector adds an operation on XMM registers of which there is machine code, often
// with memory.
func (w *writer) vector() {
	op := [][]byte{
		{0xf2, 0x0f, 0x58}, {0xf3, 0x0f, 0x59}, {0x0f, 0x58}, {0x66, 0x0f, 0x59}, {0xf2, 0x0f, 0x5e}, {0x0f, 0x28}, {0x66, 0x0f, 0x6f}, {0x66, 0x0f, 0xfe},
		{0x66, 0x0f, 0xef}, {0x66, 0x0f, 0x61}, {0xf2, 0x0f, 0x10}, {0xf3, 0x0f, 0x11}, {0x0f, 0x10}, {0x0f, 0x11}, {0x66, 0x0f, 0x16}, {0x0f, 0x12},
		{0x66, 0x0f, 0x2f}, {0xf2, 0x0f, 0x2c}, {0xf2, 0x0f, 0x2a}, {0x66, 0x0f, 0x6e}, {0x66, 0x0f, 0x7e}, {0x66, 0x0f, 0xd7}, {0x66, 0x0f, 0x5b}, {0xf3, 0x0f, 0x7e},
	}[w.IntN(24)]
	reg := byte(w.IntN(4))
	if !w.one(3) {
		w.add(append(slices.Clone(op), 0xc0|reg<<3|byte(w.IntN(4)))...)
		return
	}
	at := w.pointer()
	if !w.one(8) {
		at &^= 15
	}
	w.add(w.absolute(slices.Clone(op), reg, at)...)
}

// absolute appends a ModRM byte with an address.
func (w *writer) absolute(code []byte, reg byte, at uint32) []byte {
	switch w.p.m.bits() {
	case 64:
		return appendWord(append(code, reg<<3|4, 0x25), at, 4)
	case 32:
		return appendWord(append(code, reg<<3|5), at, 4)
	}
	return appendWord(append(code, reg<<3|6), at, 2)
}

// selfModify stores into the program: a new immediate, a NOP, or anything.
func (w *writer) selfModify(n int) {
	at := w.p.m.start + w.Uint32N(uint32(n)*5) - w.p.m.base()
	if w.one(5) {
		at += fuzzAlias
	}
	op, size := byte(0xc6), 1
	if w.one(3) {
		op, size = 0xc7, w.word
	}
	code := w.absolute([]byte{op}, 0, at)
	v := w.Uint32()
	if w.one(2) {
		v = 0x90909090
	}
	if byte(v) == 0xf4 {
		v++
	}
	w.add(appendWord(code, v, size)...)
}

// string is a string instruction with a prefix or without.
func (w *writer) string() []byte {
	forms := w.forms().kinds[fuzzString]
	f := forms[w.IntN(len(forms))]
	code := slices.Clone(f[w.IntN(len(f))].code)
	if w.one(8) {
		code = append([]byte{0x67}, code...)
	}
	if w.one(2) {
		code = append([]byte{[]byte{0xf2, 0xf3}[w.IntN(2)]}, code...)
	}
	return code
}

// forms are those of the program's code.
func (w *writer) forms() *pool {
	if w.p.m.bits() == 64 {
		return theForms64()
	}
	return theForms()
}

// rex puts a REX prefix before the opcode.
func (w *writer) rex(code []byte) []byte {
	at := 0
	for at < len(code)-1 && slices.Contains([]byte{0x66, 0xf2, 0xf3}, code[at]) {
		at++
	}
	return slices.Insert(slices.Clone(code), at, 0x40|byte(w.IntN(16)))
}

// instruction adds a random one of a kind.
func (w *writer) instruction(kind int) {
	names := w.forms().kinds[kind]
	forms := names[w.IntN(len(names))]
	f := forms[w.IntN(len(forms))]
	code := slices.Clone(f.code)
	switch {
	case code[0] == 0xc4 && len(code) == 4: // registers, the second source too
		code[1] ^= byte(w.IntN(8)) << 5
		if code[2]&0x78 != 0x78 {
			code[2] = code[2]&^0x78 | byte(w.IntN(16))<<3
		}
	case w.p.m.bits() == 64 && !w.one(3):
		code = w.rex(code)
	}
	prefix := func(b byte) { code = append([]byte{b}, code...) }
	asize := w.word
	if w.one(40) {
		prefix(0x67)
		asize = 6 - asize
	}
	if w.one(12) && code[0] != 0x66 && kind != fuzzSIMD {
		prefix(0x66)
	}
	if w.one(25) {
		prefix([]byte{0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}[w.IntN(6)])
	}
	if w.one(60) {
		prefix(0xf0)
	}
	switch {
	case f.whole != 0:
		code = append(code, f.whole)
	case f.modrm && f.mem:
		code = w.memory(code, f.reg, asize)
	case f.modrm:
		code = append(code, 0xc0|f.reg<<3|byte(w.IntN(8)))
	}
	at := len(code)
	for range 16 {
		code = append(code, byte(w.Uint32()))
	}
	if w.one(3) { // small immediates
		for i := at + 1; i < at+4; i++ {
			code[i] = 0
		}
	}
	text, n := x86.Disassemble(code, 0, w.p.m.bits()/8)
	if strings.HasPrefix(text, "db") {
		n = max(at, 1) // it has become invalid by its prefixes: #UD is fine
	}
	w.add(code[:max(n, 1)]...)
}

// memory appends a ModRM byte with a memory operand that is mostly good.
func (w *writer) memory(code []byte, reg byte, asize int) []byte {
	r := reg << 3
	if asize == 2 && w.p.m.bits() < 64 {
		switch w.IntN(6) {
		case 0:
			return appendWord(append(code, r|6), w.pointer(), 2)
		case 1:
			return append(code, r|byte(w.IntN(6)))
		case 2:
			return appendWord(append(code, 0x80|r|byte(w.IntN(8))), w.Uint32N(64), 2)
		default:
			return append(code, 0x40|r|byte([]int{4, 5, 6, 7}[w.IntN(4)]), byte(w.IntN(256)-128))
		}
	}
	base := byte([]int{3, 5, 6, 7, 4}[w.IntN(5)])
	if w.one(10) {
		base = byte(w.IntN(8))
	}
	sib := func(mod byte) {
		code = append(code, mod|r|4, byte(w.IntN(4))<<6|byte(w.IntN(8))<<3|base)
	}
	switch w.IntN(8) {
	case 0:
		if w.p.m.bits() == 64 && !w.one(6) { // and not relative to RIP
			return appendWord(append(code, r|4, 0x25), w.pointer(), 4)
		}
		return appendWord(append(code, r|5), w.pointer(), 4)
	case 1: // an index, which is seldom small
		sib(0x40)
		return append(code, byte(w.Uint32()))
	case 2:
		if base == 4 {
			code = append(code, 0x80|r|4, 0x24)
		} else {
			code = append(code, 0x80|r|base)
		}
		return appendWord(code, w.Uint32N(256)-128, 4)
	case 3:
		if base != 4 && base != 5 {
			return append(code, r|base)
		}
	}
	if base == 4 {
		return append(code, 0x40|r|4, 0x24, byte(w.IntN(64)))
	}
	return append(code, 0x40|r|base, byte(w.IntN(256)-128))
}
