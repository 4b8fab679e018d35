// Package eeprom93c46 models the serial EEPROM 93C46 (Microchip DS21749) of 64
// words of 16 bits, which network cards keep their address in: wires for chip
// select, clock and data, instructions of a start bit, an opcode and an address.
package eeprom93c46

import (
	"encoding/binary"

	"rhea/internal/snap"
)

// Words is its size.
const Words = 64

// Opcodes (table 2-1), the two bits behind the start bit.
const (
	opExtended = 0 // EWEN, ERAL, WRAL, EWDS by the address's upper bits
	opWrite    = 1
	opRead     = 2
	opErase    = 3
)

// EEPROM is the part.
type EEPROM struct {
	word [Words]uint16

	cs, sk, do bool
	bits       uint8  // of the instruction, with its start bit; 0 = waiting for that
	in         uint32 // what was shifted in
	out        uint16 // what is shifted out
	left       uint8  // bits of out
	addr       uint8
	reading    bool
	enabled    bool // writes are
}

// New returns a part that holds the words.
func New(words [Words]uint16) *EEPROM { return &EEPROM{word: words} }

// Word returns a word.
func (e *EEPROM) Word(n int) uint16 { return e.word[n%Words] }

// Reset takes its power away for a moment; it keeps its words.
func (e *EEPROM) Reset() { *e = EEPROM{word: e.word, do: true} }

// DO is the data output.
func (e *EEPROM) DO() bool { return e.do }

// Pins drives chip select, clock and data input.
func (e *EEPROM) Pins(cs, sk, di bool) {
	if cs && !e.cs { // a new instruction; what was written is done at once: ready
		e.bits, e.in, e.left, e.reading, e.do = 0, 0, 0, false, true
	}
	rise := sk && !e.sk
	e.cs, e.sk = cs, sk
	if !cs || !rise {
		return
	}
	if e.reading {
		e.shiftOut()
		return
	}
	if e.bits == 0 && !di {
		return // zeroes before the start bit
	}
	e.in = e.in<<1 | b2u(di)
	if e.bits++; e.bits == 9 {
		e.instruction()
	} else if e.bits == 25 {
		e.store()
	}
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// instruction acts on start bit, opcode and address.
func (e *EEPROM) instruction() {
	e.addr = uint8(e.in) % Words
	switch e.in >> 6 & 3 {
	case opRead: // a zero precedes the data
		e.reading, e.do = true, false
		e.out, e.left = e.word[e.addr], 16
	case opErase:
		if e.enabled {
			e.word[e.addr] = 0xffff
		}
	case opExtended:
		switch e.addr >> 4 {
		case 3:
			e.enabled = true
		case 0:
			e.enabled = false
		case 2:
			if e.enabled {
				for i := range e.word {
					e.word[i] = 0xffff
				}
			}
		}
	}
}

// store acts on the data of WRITE and WRAL.
func (e *EEPROM) store() {
	if !e.enabled {
		return
	}
	switch v := uint16(e.in); e.in >> 22 & 3 {
	case opWrite:
		e.word[e.addr] = v
	case opExtended:
		if e.addr>>4 == 1 {
			for i := range e.word {
				e.word[i] = v
			}
		}
	}
}

// shiftOut brings the next bit; behind a word comes the next one.
func (e *EEPROM) shiftOut() {
	if e.left == 0 {
		e.addr = (e.addr + 1) % Words
		e.out, e.left = e.word[e.addr], 16
	}
	e.left--
	e.do = e.out>>e.left&1 != 0
}

// State walks the part's state.
func (e *EEPROM) State(s *snap.Section) {
	s.Version(1)
	var b [2 * Words]byte
	for i, w := range e.word {
		binary.LittleEndian.PutUint16(b[2*i:], w)
	}
	s.Bytes("words", b[:])
	for i := range e.word {
		e.word[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	s.Bool("cs", &e.cs)
	s.Bool("sk", &e.sk)
	s.Bool("do", &e.do)
	s.U8("bits", &e.bits)
	s.U32("in", &e.in)
	s.U16("out", &e.out)
	s.U8("left", &e.left)
	s.U8("addr", &e.addr)
	s.Bool("reading", &e.reading)
	s.Bool("enabled", &e.enabled)
	s.Check(e.left <= 16 && e.addr < Words, "EEPROM counter is out of range")
	if s.Loading() && s.Err() != nil {
		e.Reset()
	}
}
