// Package port61 is a PC's port B (PIIX3, 290550-002, "NMI Status and
// Control"): the gate of the timer's counter 2, the speaker, the refresh
// toggle by which programs measure time, and the causes of NMIs.
package port61

import (
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

const (
	tim2Gate = 1 << 0
	spkrData = 1 << 1
	serrDis  = 1 << 2 // PCI SERR#, an AT's RAM parity
	iochkDis = 1 << 3
	refresh  = 1 << 4
	tim2Out  = 1 << 5
	iochkSts = 1 << 6
	serrSts  = 1 << 7
	writable = 0x0f
)

// refreshTime is the time between refreshes: counter 1's 18 clocks.
const refreshTime = 18 * 1_000_000_000 / 1193182

// Config connects the port.
type Config struct {
	Env     dev.Env
	Gate2   irq.Line    // GATE of counter 2
	Out2    func() bool // OUT of counter 2
	Speaker irq.Line    // high lets OUT2 through to the speaker
	NMI     irq.Line    // before the mask of port 70h
}

// Port is port 61h.
type Port struct {
	c Config
	v uint8 // bits 3..0 as written, 7 and 6 as latched
	// Levels of the inputs.
	serr, iochk bool
}

// New returns the port.
func New(c Config) *Port { return &Port{c: c} }

// Reset implements dev.Device.
func (p *Port) Reset() { p.v = 0 }

// Region returns the register (port 61h).
func (p *Port) Region() *mem.Region { return mem.NewIO("port61", 1, p).Sizes(1, 1) }

// SERR is the input for PCI's SERR# (high = asserted).
func (p *Port) SERR(level bool) { p.input(&p.serr, level) }

// IOCHK is the input for ISA's IOCHK# (high = asserted).
func (p *Port) IOCHK(level bool) { p.input(&p.iochk, level) }

func (p *Port) input(in *bool, level bool) {
	*in = level
	p.Settle()
}

// Settle implements dev.Settler.
func (p *Port) Settle() {
	if p.serr && p.v&serrDis == 0 {
		p.v |= serrSts
	}
	if p.iochk && p.v&iochkDis == 0 {
		p.v |= iochkSts
	}
	p.c.Gate2.Set(p.v&tim2Gate != 0)
	p.c.Speaker.Set(p.v&spkrData != 0)
	p.c.NMI.Set(p.v&(serrSts|iochkSts) != 0)
}

// Read implements mem.MMIO.
func (p *Port) Read(uint64, int) uint64 {
	v := p.v
	if p.c.Env.Clock.Now()/refreshTime&1 != 0 {
		v |= refresh
	}
	if p.c.Out2 != nil && p.c.Out2() {
		v |= tim2Out
	}
	return uint64(v)
}

// Write implements mem.MMIO. A disable bit also clears the cause's latch.
func (p *Port) Write(_ uint64, _ int, v uint64) {
	p.v = p.v&^writable | uint8(v)&writable
	if p.v&serrDis != 0 {
		p.v &^= serrSts
	}
	if p.v&iochkDis != 0 {
		p.v &^= iochkSts
	}
	p.Settle()
}

// State implements dev.Device.
func (p *Port) State(s *snap.Section) {
	s.Version(1)
	s.U8("value", &p.v)
	s.Bool("serr", &p.serr)
	s.Bool("iochk", &p.iochk)
	s.Check(p.v&(refresh|tim2Out) == 0, "value is out of range")
}
