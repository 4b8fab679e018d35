// Package i8259 models the interrupt controllers of a PC: two Intel 8259A
// (order number 231468-003), the slave's INT on the master's IR2, with the
// edge/level control registers that EISA and the PIIX3 (290550-002, 4D0h and
// 4D1h) added.
//
// One liberty is taken: the 8259A wants a request to stay high until it is
// acknowledged, this model's edge latch remembers it (as the chip does not).
// Parts may thus pulse a line, and a tick of a timer that is served late is
// not lost. A request at IR2 does go with the slave's INT, which is a
// function of the slave's state.
package i8259

import (
	"fmt"

	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/trace"
)

// ICW1, §"Initialization Command Words".
const (
	icw1IC4  = 1 << 0
	icw1SNGL = 1 << 1
	icw1LTIM = 1 << 3
	icw1D4   = 1 << 4 // tells ICW1 from OCW2 and OCW3
)

// ICW4.
const (
	icw4UPM  = 1 << 0
	icw4AEOI = 1 << 1
	icw4SFNM = 1 << 4
)

// OCW3.
const (
	ocw3RIS  = 1 << 0
	ocw3RR   = 1 << 1
	ocw3P    = 1 << 2
	ocw3D3   = 1 << 3 // tells OCW3 from OCW2
	ocw3SMM  = 1 << 5
	ocw3ESMM = 1 << 6
)

// cascade is the master's input to which the slave's INT goes.
const cascade = 2

// IRQs 0, 1, 2 and 8, 13 are never level-triggered (PIIX3, 4D0h and 4D1h).
var elcrMask = [2]uint8{0xf8, 0xde}

// chip is one 8259A.
type chip struct {
	log    *trace.Log
	name   string
	master bool

	latch uint8 // the edges seen and not acknowledged
	lines uint8 // the levels of IR0..7
	isr   uint8
	imr   uint8
	elcr  uint8

	icw1, icw2, icw3, icw4 uint8

	expect     uint8 // the ICW that is written next, 0 = none
	lowest     uint8 // the level of lowest priority
	readISR    bool
	poll       bool
	smm        bool
	rotateAEOI bool
}

func (c *chip) reset() {
	lines := c.lines // pins are not state of ours
	*c = chip{log: c.log, name: c.name, master: c.master, lines: lines, lowest: 7}
}

// level returns which inputs are level-triggered.
func (c *chip) level() uint8 {
	if c.icw1&icw1LTIM != 0 {
		return 0xff
	}
	return c.elcr
}

func (c *chip) irr() uint8 {
	l := c.level()
	return c.latch&^l | c.lines&l
}

// set drives an input.
func (c *chip) set(n uint8, high bool) {
	bit := uint8(1) << n
	if !high {
		c.lines &^= bit
		if c.master && n == cascade {
			c.latch &^= bit
		}
		return
	}
	if c.lines&bit == 0 {
		c.latch |= bit
	}
	c.lines |= bit
}

// inService returns the ISR bits that hold back requests: in special mask
// mode those of masked levels do not.
func (c *chip) inService() uint8 {
	if c.smm {
		return c.isr &^ c.imr
	}
	return c.isr
}

// pending returns the request that is due, -1 if there is none.
func (c *chip) pending() int {
	requests := c.irr() &^ c.imr
	if requests == 0 {
		return -1
	}
	serving := c.inService()
	for i := uint8(1); i <= 8; i++ {
		n := (c.lowest + i) & 7
		bit := uint8(1) << n
		if serving&bit != 0 {
			// Special fully nested mode: the slave in service may ask again
			// (for a higher level of its own).
			if c.icw4&icw4SFNM == 0 || !c.master || n != cascade || requests&bit == 0 {
				return -1
			}
			return int(n)
		}
		if requests&bit != 0 {
			return int(n)
		}
	}
	return -1
}

// take acknowledges level n.
func (c *chip) take(n int) {
	bit := uint8(1) << n
	c.latch &^= bit
	if c.icw4&icw4AEOI == 0 {
		c.isr |= bit
	} else if c.rotateAEOI {
		c.lowest = uint8(n)
	}
}

// acknowledge is one chip's part of an INTA cycle. A request that has gone
// gives level 7 without setting ISR ("default IR7").
func (c *chip) acknowledge() (n int, spurious bool) {
	if n = c.pending(); n < 0 {
		return 7, true
	}
	c.take(n)
	return n, false
}

func (c *chip) read(off uint64) uint64 {
	if c.poll {
		c.poll = false
		if n := c.pending(); n >= 0 {
			c.take(n)
			return 0x80 | uint64(n)
		}
		return 7
	}
	switch {
	case off&1 != 0:
		return uint64(c.imr)
	case c.readISR:
		return uint64(c.isr)
	}
	return uint64(c.irr())
}

func (c *chip) write(off uint64, v uint8) {
	switch {
	case off&1 != 0:
		c.writeHigh(v)
	case v&icw1D4 != 0:
		c.writeICW1(v)
	case v&ocw3D3 != 0:
		c.writeOCW3(v)
	default:
		c.writeOCW2(v)
	}
}

func (c *chip) writeICW1(v uint8) {
	// "The following happens automatically" on ICW1: edge sense circuit
	// reset, IMR cleared, IR7 lowest, slave mode address 7, special mask off,
	// status read = IRR, and without IC4 all functions of ICW4 off.
	c.icw1 = v
	c.latch, c.imr, c.isr = 0, 0, 0
	c.lowest = 7
	c.smm, c.readISR, c.poll, c.rotateAEOI = false, false, false, false
	if v&icw1IC4 == 0 {
		c.icw4 = 0
		c.log.Guest("%s: ICW1 %#x selects MCS-80 mode", c.name, v)
	}
	if v&icw1SNGL != 0 {
		c.log.Guest("%s: ICW1 %#x says there is no other chip", c.name, v)
	}
	c.expect = 2
}

// writeHigh writes ICW2..4 in a sequence that ICW1 began, OCW1 otherwise.
func (c *chip) writeHigh(v uint8) {
	switch c.expect {
	case 2:
		c.icw2 = v
		switch {
		case c.icw1&icw1SNGL == 0:
			c.expect = 3
		case c.icw1&icw1IC4 != 0:
			c.expect = 4
		default:
			c.expect = 0
		}
	case 3:
		c.icw3 = v
		want := uint8(cascade) // the slave's identity
		if c.master {
			want = 1 << cascade // the inputs that have slaves
		}
		if v != want {
			c.log.Guest("%s: ICW3 is %#x, the wiring is %#x", c.name, v, want)
		}
		c.expect = 0
		if c.icw1&icw1IC4 != 0 {
			c.expect = 4
		}
	case 4:
		c.icw4 = v
		if v&icw4UPM == 0 {
			c.log.Guest("%s: ICW4 %#x selects MCS-80 mode", c.name, v)
		}
		c.expect = 0
	default:
		c.imr = v
	}
}

// writeOCW2 does the EOI and rotation commands; bits 7..5 are R, SL, EOI.
func (c *chip) writeOCW2(v uint8) {
	n := v & 7
	switch v >> 5 {
	case 0, 4: // rotate in automatic EOI mode, clear or set
		c.rotateAEOI = v>>5 == 4
	case 1, 5: // non-specific EOI, and rotate
		if n, ok := c.highestInService(); ok {
			c.isr &^= 1 << n
			if v>>5 == 5 {
				c.lowest = n
			}
		}
	case 3, 7: // specific EOI, and rotate
		c.isr &^= 1 << n
		if v>>5 == 7 {
			c.lowest = n
		}
	case 6: // set priority
		c.lowest = n
	}
}

// highestInService is what a non-specific EOI ends. In special mask mode it
// does not see masked levels (§"End of Interrupt").
func (c *chip) highestInService() (uint8, bool) {
	serving := c.inService()
	for i := uint8(1); i <= 8; i++ {
		n := (c.lowest + i) & 7
		if serving>>n&1 != 0 {
			return n, true
		}
	}
	return 0, false
}

func (c *chip) writeOCW3(v uint8) {
	if v&ocw3RR != 0 {
		c.readISR = v&ocw3RIS != 0
	}
	c.poll = v&ocw3P != 0
	if v&ocw3ESMM != 0 {
		c.smm = v&ocw3SMM != 0
	}
}

func (c *chip) state(s *snap.Section) {
	s.Version(1)
	s.U8("latch", &c.latch)
	s.U8("lines", &c.lines)
	s.U8("isr", &c.isr)
	s.U8("imr", &c.imr)
	s.U8("elcr", &c.elcr)
	s.U8("icw1", &c.icw1)
	s.U8("icw2", &c.icw2)
	s.U8("icw3", &c.icw3)
	s.U8("icw4", &c.icw4)
	s.U8("expect", &c.expect)
	s.U8("lowest", &c.lowest)
	s.Bool("read_isr", &c.readISR)
	s.Bool("poll", &c.poll)
	s.Bool("smm", &c.smm)
	s.Bool("rotate_aeoi", &c.rotateAEOI)
	s.Check(c.expect == 0 || c.expect >= 2 && c.expect <= 4, "expect is out of range")
	s.Check(c.lowest < 8, "lowest is out of range")
}

// Config connects a pair.
type Config struct {
	Env dev.Env
	INT irq.Line // the master's INT, to the CPU (or LINT0 and the I/O APIC)
}

// Pair is the two chips.
type Pair struct {
	c      Config
	chip   [2]chip    // master, slave
	counts [16]uint64 // of Counts
}

// New returns a pair.
func New(c Config) *Pair {
	p := &Pair{c: c}
	p.chip[0] = chip{log: c.Env.Log, name: "i8259 master", master: true}
	p.chip[1] = chip{log: c.Env.Log, name: "i8259 slave"}
	p.Reset()
	return p
}

// Reset implements dev.Device. ICW1 does the rest.
func (p *Pair) Reset() {
	p.chip[0].reset()
	p.chip[1].reset()
}

// Regions returns the register windows: of the master (ports 20h-21h), of the
// slave (A0h-A1h) and of the ELCRs (4D0h-4D1h).
func (p *Pair) Regions() (master, slave, elcr *mem.Region) {
	ports := func(name string, c *chip) *mem.Region {
		return mem.NewIO(name, 2, mem.Handlers{
			R: func(off uint64, _ int) uint64 {
				v := c.read(off)
				p.Settle() // a poll acknowledges
				return v
			},
			W: func(off uint64, _ int, v uint64) {
				c.write(off, uint8(v))
				p.Settle()
			},
		}).Sizes(1, 1)
	}
	e := mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(p.chip[off&1].elcr) },
		W: func(off uint64, _ int, v uint64) {
			c := &p.chip[off&1]
			if uint8(v)&^elcrMask[off&1] != 0 {
				p.c.Env.Log.Guest("%s: ELCR %#x has lines that must be edge-triggered", c.name, v)
			}
			c.elcr = uint8(v) & elcrMask[off&1]
			p.Settle()
		},
	}
	return ports("pic master", &p.chip[0]), ports("pic slave", &p.chip[1]),
		mem.NewIO("elcr", 2, e).Sizes(1, 1)
}

// Line returns the input of interrupt request n, 0..15. Request 2 is the
// slave's; what is connected to it goes nowhere.
func (p *Pair) Line(n int) irq.Line {
	if n < 0 || n > 15 {
		panic(fmt.Sprintf("BUG: i8259: no request %d", n))
	}
	if n == cascade {
		return nil
	}
	c, bit := &p.chip[n/8], uint8(n%8)
	return func(level bool) {
		if c.lines>>bit&1 != 0 == level {
			return
		}
		if level {
			p.counts[n]++
		}
		c.set(bit, level)
		p.Settle()
	}
}

// Counts returns how often each request has been raised (the monitor's "info
// irq"). It is no state of the chips'.
func (p *Pair) Counts() []uint64 { return p.counts[:] }

// Settle implements dev.Settler: the slave's INT drives the master's IR2, the
// master's the CPU.
func (p *Pair) Settle() {
	p.chip[0].set(cascade, p.chip[1].pending() >= 0)
	p.c.INT.Set(p.chip[0].pending() >= 0)
}

// Pending reports whether INT is high.
func (p *Pair) Pending() bool { return p.chip[0].pending() >= 0 }

// Acknowledge is an INTA cycle: it returns the vector.
func (p *Pair) Acknowledge() int {
	master, slave := &p.chip[0], &p.chip[1]
	vector := 0
	n, spurious := master.acknowledge()
	if n == cascade && !spurious {
		n, _ = slave.acknowledge()
		vector = int(slave.icw2&0xf8) | n
		// The slave's INT goes low in the cycle; if it has more to ask, the
		// master sees a new edge.
		master.set(cascade, false)
	} else {
		vector = int(master.icw2&0xf8) | n
	}
	p.Settle()
	return vector
}

// Registers returns the chips' IRR, IMR and ISR, for the monitor's "info pic".
func (p *Pair) Registers(chip int) (irr, imr, isr, elcr uint8) {
	c := &p.chip[chip&1]
	return c.irr(), c.imr, c.isr, c.elcr
}

// State implements dev.Device.
func (p *Pair) State(s *snap.Section) {
	s.Version(1)
	s.Sub("master", p.chip[0].state)
	s.Sub("slave", p.chip[1].state)
}
