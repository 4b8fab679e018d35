// Package parallel models a PC's parallel port in its standard mode (IEEE
// 1284 compatibility mode; registers as in the IBM AT Technical Reference),
// with the printer on it: a byte goes to the host on each strobe.
package parallel

import (
	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Status port.
const (
	stERROR = 1 << 3 // 0 = error
	stSLCT  = 1 << 4
	stPE    = 1 << 5
	stACK   = 1 << 6
	stBUSY  = 1 << 7 // 0 = busy
	stOnes  = 7      // not driven
)

// Control port.
const (
	ctSTROBE = 1 << 0
	ctAUTOFD = 1 << 1
	ctINIT   = 1 << 2 // 0 resets the printer
	ctSLCTIN = 1 << 3
	ctIRQEN  = 1 << 4
	ctDIR    = 1 << 5 // PS/2: the data port is an input
	ctOnes   = 0xc0
)

// Config connects a port.
type Config struct {
	Env  dev.Env
	Port chardev.Port // the printer; nil = none
	IRQ  irq.Line
}

// Parallel is a parallel port.
type Parallel struct {
	c       Config
	data    uint8
	control uint8
	acked   bool // the printer's ACK interrupts until the next access that follows it
	held    bool // ACK comes when the printer has room
	out     [1]byte
}

// New returns a port.
func New(c Config) *Parallel {
	p := &Parallel{c: c}
	p.Reset()
	return p
}

// Reset implements dev.Device.
func (p *Parallel) Reset() { p.data, p.control, p.acked = 0, ctINIT|ctSLCTIN, false }

// Region returns the registers (three ports).
func (p *Parallel) Region() *mem.Region { return mem.NewIO("parallel", 3, p).Sizes(1, 1) }

// Settle implements dev.Settler.
func (p *Parallel) Settle() { p.c.IRQ.Set(p.acked && p.control&ctIRQEN != 0) }

func (p *Parallel) status() uint8 {
	if p.c.Port == nil {
		// Pulled up, and BUSY is inverted.
		return stERROR | stSLCT | stPE | stACK | stOnes
	}
	v := uint8(stERROR | stSLCT | stACK | stBUSY | stOnes)
	if p.control&ctINIT == 0 || p.control&ctSTROBE != 0 || p.full() {
		v &^= stBUSY
	}
	return v
}

// full reports whether the printer is busy with what it has.
func (p *Parallel) full() bool {
	t, ok := p.c.Port.(chardev.Throttler)
	return ok && t.Room() <= 0
}

// Read implements mem.MMIO.
func (p *Parallel) Read(off uint64, _ int) uint64 {
	switch off % 3 {
	case 0:
		if p.control&ctDIR != 0 {
			return 0xff
		}
		return uint64(p.data)
	case 1:
		p.acked = false
		p.Settle()
		return uint64(p.status())
	}
	return uint64(p.control | ctOnes)
}

// Write implements mem.MMIO.
func (p *Parallel) Write(off uint64, _ int, v uint64) {
	switch off % 3 {
	case 0:
		p.data = uint8(v)
	case 1:
		p.c.Env.Log.Guest("parallel: write of %#x to the status port", v)
	default:
		p.writeControl(uint8(v) &^ ctOnes)
	}
}

func (p *Parallel) writeControl(v uint8) {
	strobe := v&ctSTROBE != 0 && p.control&ctSTROBE == 0
	p.control = v
	if strobe && p.c.Port != nil && v&ctINIT != 0 {
		p.acked = false
		p.Settle() // each ACK is an edge
		p.out[0] = p.data
		// A guest that does not look at BUSY loses the byte.
		_, _ = p.c.Port.Write(p.out[:])
		if !p.full() {
			p.acked = true
		} else if !p.held {
			p.held = true
			p.c.Port.(chardev.Throttler).WhenRoom(func() {
				p.held, p.acked = false, true
				p.Settle()
			})
		}
	}
	p.Settle()
}

// State implements dev.Device.
func (p *Parallel) State(s *snap.Section) {
	s.Version(1)
	s.U8("data", &p.data)
	s.U8("control", &p.control)
	s.Bool("acked", &p.acked)
	s.Check(p.control&ctOnes == 0, "control is out of range")
}
