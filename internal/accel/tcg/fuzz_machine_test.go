package tcg_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"rhea/internal/guest/x86"
)

// The fuzzer's machine. Memory is the same in all modes, and virtual addresses
// are physical ones but for an alias of the upper half and a window on the page
// table. Segments of 16-bit code begin at fuzzCode.
const (
	fuzzRAM      = 0x20000
	fuzzPD       = 0x1000
	fuzzPT       = 0x2000
	fuzzIDT      = 0x3000
	fuzzGDT      = 0x3800
	fuzzLDT      = 0x3c00
	fuzzTSS      = 0x4000
	fuzzHandlers = 0x5000 // 32-bit ones, 96 bytes each
	fuzzReal     = 0x7000 // 16-bit ones, 80 bytes each
	fuzzSkips    = 0x8a00 // of code bytes: where the next instruction is
	fuzzKStack   = 0xf000 // top
	fuzzCode     = 0x10000
	fuzzData     = 0x12000 // 6 pages
	fuzzCounters = 0x18000
	fuzzStack    = 0x1a000 // top
	fuzzAlias    = 0x10000 // data and code once more, at 20000
	fuzzVectors  = 0x30
	fuzzWindow   = 0x7ffff000 // of the page table, for who means it
	fuzzBase     = 0x89f0     // holds what the handlers reckon from

	portEnd   = 0xf0
	portIRQ   = 0x40 // and the seven behind it
	fuzzMagic = 0x57090000
)

type fuzzMode byte

const (
	modeReal fuzzMode = iota
	modeFlat0
	modeFlat3
	modePaged0
	mode16
	mode16User
	modeV86
	modeLong0 // these on a 64-bit processor only
	modeLong3
	modeCompat3
	fuzzModes
)

func (m fuzzMode) String() string {
	return [...]string{"real", "flat, level 0", "flat, level 3, paging", "flat, level 0, paging", "16-bit, level 0", "16-bit, level 3, paging", "V86, paging",
		"64-bit, level 0", "64-bit, level 3", "compatibility, level 3"}[m]
}

// fuzzMachine is the state a program starts in.
type fuzzMachine struct {
	mode   fuzzMode
	start  uint32 // linear address of the code
	limit  int    // of exceptions
	seed   uint64 // of memory and registers
	flags  uint64
	cr0    uint64
	cr4    uint64
	odd    bool // unmasked FPU exceptions and such
	breaks bool // debug registers
	hot    bool // a loop runs many times
	pages  []uint32
	// counters of loops; 0 = a few
	counters [8]uint32
}

// newFuzzMachine makes a random one; wide says that the processor has 64 bits.
func newFuzzMachine(rnd *rand.Rand, wide bool) (m fuzzMachine) {
	m.mode = fuzzMode(rnd.IntN(int(modeLong0)))
	if wide && rnd.IntN(4) != 0 {
		m.mode = modeLong0 + fuzzMode(rnd.IntN(3))
	}
	m.start = fuzzCode + []uint32{0, 0x80, 0xfc0, 0xf00, 0x1000}[rnd.IntN(5)] + rnd.Uint32N(64)
	m.limit = 12
	m.seed = rnd.Uint64()
	m.flags = uint64(rnd.Uint32())&0xcd5 | 2 | uint64(rnd.IntN(2))<<9
	if rnd.IntN(10) == 0 {
		m.flags |= 0x100 // TF
		m.limit = 60
	}
	if rnd.IntN(20) == 0 {
		m.flags |= 0x4000 // NT
	}
	if rnd.IntN(12) == 0 {
		m.flags |= 0x40000 // AC
	}
	if rnd.IntN(2) == 0 {
		m.flags |= 0x3000 // IOPL
	}
	m.cr0, m.cr4 = 0x11, 0x600
	if rnd.IntN(8) != 0 {
		m.cr0 |= 0x20 // NE
	}
	if rnd.IntN(2) == 0 {
		m.cr0 |= 0x10000 // WP
	}
	if rnd.IntN(3) == 0 {
		m.cr0 |= 0x40000 // AM
	}
	if rnd.IntN(30) == 0 {
		m.cr0 |= []uint64{2, 4, 8, 10}[rnd.IntN(4)] // MP, EM, TS
	}
	switch rnd.IntN(8) {
	case 0:
		m.cr4 |= 0x80 // PGE
	case 1:
		m.cr4 |= 1 // VME
	case 2:
		m.cr4 ^= 0x400 // OSXMMEXCPT
	}
	m.odd = rnd.IntN(3) == 0
	m.breaks = rnd.IntN(16) == 0
	if m.hot = rnd.IntN(128) == 0; m.hot {
		m.limit, m.flags, m.breaks = 300, m.flags&^0x100, false
	}
	if m.long() {
		m.cr4 |= 0x40020 | uint64(rnd.IntN(2))<<16 // OSXSAVE, PAE, FSGSBASE
		if rnd.IntN(8) == 0 {
			m.cr4 |= []uint64{0x800, 0x100000, 0x200000}[rnd.IntN(3)] // UMIP, SMEP, SMAP
		}
	}
	if m.paging() {
		m.cr0 |= 0x80000000
		for range rnd.IntN(6) { // a page that is missing, read-only, the supervisor's, or another
			page := 0x10 + rnd.Uint32N(0x20)
			m.pages = append(m.pages, page, []uint32{6, 5, 3, 7 | 0x1000*(0x10+rnd.Uint32N(8)), 0x107}[rnd.IntN(5)])
		}
	}
	if m.mode == modeReal {
		m.cr0 &^= 0x80000001
		m.flags &= 0x3fff
	}
	if m.mode == modeV86 {
		m.flags |= 0x20000
	}
	return m
}

func (m *fuzzMachine) paging() bool {
	return m.mode == modeFlat3 || m.mode == modePaged0 || m.mode == mode16User || m.mode == modeV86 || m.long()
}

func (m *fuzzMachine) user() bool {
	return m.mode == modeFlat3 || m.mode == mode16User || m.mode == modeV86 || m.mode == modeLong3 || m.mode == modeCompat3
}

// long reports whether it is IA-32e mode.
func (m *fuzzMachine) long() bool { return m.mode >= modeLong0 }

// word is the size of addresses in instructions.
func (m *fuzzMachine) word() int { return min(m.bits()/8, 4) }

func (m *fuzzMachine) bits() int {
	switch m.mode {
	case modeFlat0, modeFlat3, modePaged0, modeCompat3:
		return 32
	case modeLong0, modeLong3:
		return 64
	}
	return 16
}

// base is that of the code's segment, and of most others.
func (m *fuzzMachine) base() uint32 {
	if m.bits() >= 32 {
		return 0
	}
	return fuzzCode
}

func (m *fuzzMachine) entry() uint32 { return m.start - m.base() }

func (m *fuzzMachine) String() string {
	return fmt.Sprintf("%v, hot %v, flags %x, cr0 %x, cr4 %x, odd %v, breakpoints %v, pages %x, seed %x", m.mode, m.hot, m.flags, m.cr0, m.cr4, m.odd, m.breaks, m.pages, m.seed)
}

// Selectors.
const (
	fzK32, fzKData, fzU32, fzUData, fzTSS = 0x08, 0x10, 0x1b, 0x23, 0x28
	fzP32, fzPData, fzK16, fzK16Data      = 0x30, 0x38, 0x40, 0x48
	fzU16, fzU16Data, fzDown, fzRO, fzNP  = 0x53, 0x5b, 0x63, 0x6b, 0x73
	fzK64, fzU64                          = 0x78, 0x83
)

// special adds what only some modes have: system registers and page tables.
func (m *fuzzMachine) special(w *writer) {
	switch w.IntN(6) {
	case 0: // a segment register gets a selector
		sel := []uint32{fzUData, fzPData, fzK16Data, fzU16Data, fzDown, fzRO, fzNP, fzKData, 0, w.Uint32N(0x100)}[w.IntN(10)]
		if m.mode == modeReal || m.mode == modeV86 {
			sel = fuzzCode>>4 + w.Uint32N(0x200)
		}
		w.movImm(0, sel)
		w.add(0x8e, 0xc0|byte([]int{0, 2, 3, 4, 5}[w.IntN(5)])<<3)
	case 1: // a port: an interrupt
		w.add(0xe6|byte(w.IntN(2)), portIRQ|byte(w.IntN(8)))
	case 2:
		w.add([]byte{0xfa, 0xfb}[w.IntN(2)])
	case 3: // MOV CR0: flags that change how floating point traps, or nothing
		w.add(0x0f, 0x20, 0xc0)
		w.add(0x0f, 0x22, 0xc0)
	default:
		if m.mode != modePaged0 {
			return
		}
		page := 0x10 + w.Uint32N(0x20)
		// AND or OR of the entry, and INVLPG: one item, or a stale entry may be used.
		code := appendWord([]byte{0x83, 0x25}, fuzzWindow+4*page, 4)
		code = append(code, []byte{0xfe, 0xfd, 0xfb}[w.IntN(3)])
		if w.one(2) {
			code[1], code[6] = 0x0d, 7
		}
		code = append(code, 0x0f, 0x01, 0x3d)
		w.add(appendWord(code, page<<12, 4)...)
	}
}

// image is memory as it is before the program runs.
func (p *fuzzProgram) image(t testing.TB) []byte {
	m := &p.m
	b := make([]byte, fuzzRAM)
	rnd := rand.New(rand.NewPCG(m.seed, 1))
	for i := fuzzData; i < fuzzRAM; i += 8 {
		v := rnd.Uint64()
		switch rnd.IntN(4) {
		case 0:
			v = 0
		case 1:
			v &= 0xff
		}
		binary.LittleEndian.PutUint64(b[i:], v)
	}
	for i := range 8 {
		put32(b, fuzzCounters+4*i, max(1+rnd.Uint32N(12), m.counters[i]))
	}
	copy(b, fuzzTables(t)) // up to fuzzSkips
	if m.long() {
		m.longTables(b)
	} else {
		m.pageTables(b)
	}
	for i := fuzzCode; i < fuzzData; i++ {
		b[i] = 0xcc
	}
	code, labels := p.layout()
	copy(b[m.start:fuzzData], code)
	next := 0
	for at := range fuzzSkipSize {
		for next < len(labels) && labels[next] <= at {
			next++
		}
		to := at + 1
		if at < len(code) {
			to = len(code)
			if next < len(labels) {
				to = labels[next]
			}
		}
		binary.LittleEndian.PutUint16(b[fuzzSkips+2*at:], uint16(to))
	}
	put32(b, fuzzBase, m.entry())
	return b
}

const fuzzSkipSize = 0x600

func (m *fuzzMachine) pageTables(b []byte) {
	put32(b, fuzzPD, fuzzPT|7)
	put32(b, fuzzPD+(fuzzWindow>>22)*4, fuzzPT|3) // the same table: its last entry is the window
	for page := range uint32(0x30) {
		v := page << 12
		switch {
		case page == fuzzPD>>12 || page == fuzzPT>>12:
			v = 0 // a stray store must not change them: entries may be stale by right
		case page < fuzzCode>>12:
			v |= 3
		case page >= fuzzRAM>>12:
			v = v - fuzzAlias | 7
		default:
			v |= 7
		}
		put32(b, int(fuzzPT+4*page), v)
	}
	for i := 0; i < len(m.pages); i += 2 {
		page, bits := m.pages[i], m.pages[i+1]
		v := get32(b, int(fuzzPT+4*page))&^0xfff | bits&0xfff
		if bits>>12 != 0 {
			v = bits
		}
		put32(b, int(fuzzPT+4*page), v)
	}
	put32(b, fuzzPT+0xffc, fuzzPT|3)
}

// prepare brings a machine to the program's start.
func (r *fuzzRig) prepare(p *fuzzProgram, image []byte) {
	m := &p.m
	copy(r.ram, image)
	r.cpu.SetINTR(false)
	r.cpu.Reset()
	rnd := rand.New(rand.NewPCG(m.seed, 2))
	r.cpu.SetRegisters(func(s *x86.State) {
		randomFPU(rnd, s)
		if m.odd {
			s.FCW &^= rnd.Uint64() & 0x3f
			s.MXCSR &^= rnd.Uint64() & 0x1f80
			s.FSW &^= 0x3f
		}
		s.CR0, s.CR4 = m.cr0, m.cr4
		if m.paging() {
			s.CR3 = fuzzPD
		}
		if m.long() {
			s.EFER = 0xd01
			s.XCR0 = 7
			for i := range s.YMMH {
				s.YMMH[i] = [2]uint64{rnd.Uint64(), rnd.Uint64()}
			}
			s.STAR, s.LSTAR, s.SFMASK = 0x73<<48|fzK64<<32, fuzzHandlers64, 0x700
			for i := 8; i < 16; i++ {
				s.GPR[i] = []uint64{rnd.Uint64(), uint64(rnd.IntN(256)), fuzzData + rnd.Uint64N(0x1000)}[rnd.IntN(3)]
				s.XMM[i] = [2]uint64{rnd.Uint64(), rnd.Uint64()}
			}
		}
		for i := range 8 {
			switch rnd.IntN(4) {
			case 0:
				s.GPR[i] = uint64(rnd.Uint32())
				if m.bits() == 64 {
					s.GPR[i] = rnd.Uint64()
				}
			case 1:
				s.GPR[i] = uint64(rnd.IntN(256))
			default:
				s.GPR[i] = uint64(fuzzData - m.base() + rnd.Uint32N(0x1000)&^15)
			}
		}
		for _, i := range []int{3, 5, 6, 7} {
			s.GPR[i] = uint64(fuzzData - m.base() + rnd.Uint32N(0x1000)&^uint32(rnd.IntN(16)))
		}
		s.GPR[4] = uint64(fuzzStack - m.base() - 0x800)
		s.IP = uint64(m.entry())
		s.GDTR, s.IDTR = x86.Table{Base: fuzzGDT, Limit: 0x87}, x86.Table{Base: fuzzIDT, Limit: fuzzVectors*8 - 1}
		s.TR = x86.Segment{Sel: fzTSS, Base: fuzzTSS, Limit: 0x67, Attr: 0x8b00}
		if m.long() {
			s.IDTR = x86.Table{Base: fuzzIDT64, Limit: fuzzVectors*16 - 1}
			s.TR.Base = fuzzTSS64
		}
		s.LDTR = x86.Segment{}
		m.segments(s)
		if m.breaks {
			s.DR[0], s.DR[1], s.DR[2] = uint64(m.start+rnd.Uint32N(32)), uint64(fuzzData+rnd.Uint32N(0x800)), uint64(fuzzStack-0x800-rnd.Uint32N(16))
			s.DR[7] = 0x400 | rnd.Uint64()&0x3f | 0xd<<20&rnd.Uint64() | 0x7<<24&rnd.Uint64()
		}
	})
	r.cpu.SetEFLAGS(m.flags)
	r.vcpu.FlushCode()
	r.events, r.ended = r.events[:0], false
	r.limit = m.limit
}

// segments loads the segment registers of the mode.
func (m *fuzzMachine) segments(s *x86.State) {
	set := func(cs, ds x86.Segment) {
		for i := range s.Seg {
			s.Seg[i] = ds
		}
		s.Seg[x86.CS] = cs
	}
	seg := func(sel, base, limit, attr uint64) x86.Segment {
		return x86.Segment{Sel: sel, Base: base, Limit: limit, Attr: attr}
	}
	const flat = 0xffffffff
	switch m.mode {
	case modeReal:
		s.IDTR = x86.Table{Limit: 0x3ff}
		set(seg(fuzzCode>>4, fuzzCode, 0xffff, 0x9300), seg(fuzzCode>>4, fuzzCode, 0xffff, 0x9300))
	case modeV86:
		set(seg(fuzzCode>>4, fuzzCode, 0xffff, 0xf300), seg(fuzzCode>>4, fuzzCode, 0xffff, 0xf300))
	case modeFlat0:
		set(seg(fzP32, 0, fuzzRAM-1, 0x419b00), seg(fzPData, 0, fuzzRAM-1, 0x419300))
	case modePaged0:
		set(seg(fzK32, 0, flat, 0xcf9b00), seg(fzKData, 0, flat, 0xcf9300))
	case modeLong0:
		set(seg(fzK64, 0, flat, 0xaf9b00), seg(fzKData, 0, flat, 0xcf9300))
	case modeLong3:
		set(seg(fzU64, 0, flat, 0xaffb00), seg(fzUData, 0, flat, 0xcff300))
	case modeFlat3, modeCompat3:
		set(seg(fzU32, 0, flat, 0xcffb00), seg(fzUData, 0, flat, 0xcff300))
	case mode16:
		set(seg(fzK16, fuzzCode, 0xffff, 0x9b00), seg(fzK16Data, fuzzCode, 0xffff, 0x9300))
	case mode16User:
		set(seg(fzU16, fuzzCode, 0xffff, 0xfb00), seg(fzU16Data, fuzzCode, 0xffff, 0xf300))
	}
}

// What IA-32e mode has besides. Its page tables are at fuzzPD and fuzzPT, and
// behind fuzzPD64.
const (
	fuzzPD64       = 0xa000
	fuzzPT64       = 0xb000
	fuzzHandlers64 = 0xc000 // 96 bytes each
	fuzzTSS64      = 0xd400
	fuzzIDT64      = 0xd800
	fuzzIST        = 0xe800 // top
)

// longTables fills them in.
func (m *fuzzMachine) longTables(b []byte) {
	put64(b, fuzzPD, fuzzPT|7)
	put64(b, fuzzPT, fuzzPD64|7)
	put64(b, fuzzPD64, fuzzPT64|7)
	for page := range uint64(0x30) {
		v := page << 12
		switch {
		case page == fuzzPD>>12 || page == fuzzPT>>12 || page == fuzzPD64>>12 || page == fuzzPT64>>12:
			v = 0
		case page < fuzzCode>>12:
			v |= 3
		case page >= fuzzRAM>>12:
			v = v - fuzzAlias | 7
		default:
			v |= 7
		}
		put64(b, int(fuzzPT64+8*page), v)
	}
	for i := 0; i < len(m.pages); i += 2 {
		at, bits := int(fuzzPT64+8*m.pages[i]), uint64(m.pages[i+1])
		v := le64(b[at:])&^0xfff | bits&0xfff
		if bits>>12 != 0 {
			v = bits
		}
		put64(b, at, v)
	}
	put64(b, fuzzTSS64+4, fuzzKStack)
	put64(b, fuzzTSS64+0x24, fuzzIST)
	put32(b, fuzzTSS64+0x64, 0x68<<16)
	for v := range fuzzVectors {
		at := uint32(fuzzHandlers64 + v*96)
		copy(b[at:at+96], handler64(v, v < 32 && v != 1 && v != 2 && v != 3 && v != 4))
		ist := uint32(0)
		if v == 8 || v >= 10 && v <= 14 {
			ist = 1
		}
		put32(b, fuzzIDT64+v*16, fzK64<<16|at)
		put32(b, fuzzIDT64+v*16+4, map[bool]uint32{true: 0xee00, false: 0xef00}[v%2 == 0]|ist)
	}
}

// handler64 is handler32 for 64-bit mode.
func handler64(v int, skip bool) []byte {
	abs := func(v int) []byte { return appendWord(nil, uint32(v), 4) }
	code := byte(0)
	if hasCode(v) {
		code = 8
	}
	var c []byte
	var stops []int // rel32s that lead to stop
	add := func(parts ...[]byte) {
		for _, p := range parts {
			c = append(c, p...)
		}
	}
	stop := func(op ...byte) {
		add(op, abs(0))
		stops = append(stops, len(c))
	}
	add([]byte{0x50, 0xe4, byte(v), 0x84, 0xc0}) // PUSH RAX; IN AL, v; TEST AL, AL
	if v == 3 {
		stop(0xe9)
	} else {
		stop(0x0f, 0x85)
	}
	if skip {
		add([]byte{0x48, 0x8b, 0x44, 0x24, 8 + code}, []byte{0x2b, 0x04, 0x25}, abs(fuzzBase), []byte{0x3d}, abs(fuzzSkipSize))
		stop(0x0f, 0x83)
		add([]byte{0x0f, 0xb7, 0x04, 0x45}, abs(fuzzSkips), []byte{0x03, 0x04, 0x25}, abs(fuzzBase), []byte{0x48, 0x89, 0x44, 0x24, 8 + code})
	}
	add([]byte{0x58}) // POP RAX
	if code != 0 {
		add([]byte{0x48, 0x83, 0xc4, code})
	}
	add([]byte{0x48, 0xcf})
	for _, at := range stops {
		copy(c[at-4:], abs(len(c)-at))
	}
	add([]byte{0xb8}, abs(fuzzMagic), []byte{0xe7, portEnd, 0xf4, 0xeb, 0xfd})
	return c
}
