// Package debugcon is the debug console of Bochs and its kin: what is written
// to a port (E9h) appears on the host.
package debugcon

import (
	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Config connects a console.
type Config struct {
	Env      dev.Env
	Port     chardev.Port // nil = nothing connected
	Readback uint8        // what reads return, by which programs find it: 0 is E9h
}

// Console is a debug console.
type Console struct {
	c   Config
	out [1]byte
}

// New returns a console.
func New(c Config) *Console {
	if c.Readback == 0 {
		c.Readback = 0xe9
	}
	return &Console{c: c}
}

// Reset implements dev.Device.
func (c *Console) Reset() {}

// Region returns the register (one port).
func (c *Console) Region() *mem.Region { return mem.NewIO("debugcon", 1, c).Sizes(1, 1) }

// Read implements mem.MMIO.
func (c *Console) Read(uint64, int) uint64 { return uint64(c.c.Readback) }

// Write implements mem.MMIO.
func (c *Console) Write(_ uint64, _ int, v uint64) {
	if c.c.Port == nil {
		return
	}
	c.out[0] = byte(v)
	_, _ = c.c.Port.Write(c.out[:]) // a full port drops it
}

// State implements dev.Device: there is none.
func (c *Console) State(s *snap.Section) { s.Version(1) }
