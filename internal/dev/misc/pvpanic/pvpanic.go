// Package pvpanic is the port by which a guest's kernel says that it has
// failed, after QEMU's docs/specs/pvpanic.
package pvpanic

import (
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Bits of the port: reads tell which the machine knows, a write says what has
// happened.
const (
	Panicked    = 1 << 0
	CrashLoaded = 1 << 1 // the guest handles it itself (kdump)
)

// Config connects the port.
type Config struct {
	Env dev.Env
	// Events are the bits that the guest may use.
	Events uint8
	// Panic is called when the guest has failed.
	Panic func()
}

// Port is the device.
type Port struct{ c Config }

// New returns the port.
func New(c Config) *Port { return &Port{c} }

// Reset implements dev.Device.
func (p *Port) Reset() {}

// Region returns the register (port 505h by default).
func (p *Port) Region() *mem.Region { return mem.NewIO("pvpanic", 1, p).Sizes(1, 1) }

// Read implements mem.MMIO.
func (p *Port) Read(uint64, int) uint64 { return uint64(p.c.Events) }

// Write implements mem.MMIO.
func (p *Port) Write(_ uint64, _ int, v uint64) {
	if v&uint64(p.c.Events)&Panicked != 0 && p.c.Panic != nil {
		p.c.Panic()
	}
}

// State implements dev.Device: there is none.
func (p *Port) State(s *snap.Section) { s.Version(1) }
