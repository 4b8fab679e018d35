// Package port92 is system control port A of the IBM PS/2: the fast ways to
// gate A20 and to reset the CPU.
package port92

import (
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

const (
	fastReset = 1 << 0
	fastA20   = 1 << 1
)

// Config connects the port.
type Config struct {
	Env   dev.Env
	A20   irq.Line // high lets A20 through; a board ors it with the 8042's
	Reset irq.Line // a pulse resets the CPU
}

// Port is port 92h.
type Port struct {
	c Config
	v uint8
}

// New returns the port.
func New(c Config) *Port { return &Port{c: c} }

// Reset implements dev.Device.
func (p *Port) Reset() { p.v = 0 }

// Region returns the register (port 92h).
func (p *Port) Region() *mem.Region { return mem.NewIO("port92", 1, p).Sizes(1, 1) }

// Settle implements dev.Settler.
func (p *Port) Settle() { p.c.A20.Set(p.v&fastA20 != 0) }

// Read implements mem.MMIO.
func (p *Port) Read(uint64, int) uint64 { return uint64(p.v) }

// Write implements mem.MMIO. The reset comes when its bit goes from 0 to 1;
// the CPU comes back with the bit set, by which a BIOS knows it.
func (p *Port) Write(_ uint64, _ int, v uint64) {
	reset := uint8(v)&^p.v&fastReset != 0
	p.v = uint8(v)
	p.Settle()
	if reset {
		p.c.Reset.Pulse()
	}
}

// State implements dev.Device.
func (p *Port) State(s *snap.Section) {
	s.Version(1)
	s.U8("value", &p.v)
}
