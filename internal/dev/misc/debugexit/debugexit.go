// Package debugexit is isa-debug-exit: a write of v ends the emulator with
// the exit code 2v+1, so that a guest's test can report.
package debugexit

import (
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Config connects the port.
type Config struct {
	Env  dev.Env
	Size uint64 // ports it takes (iosize); 0 is 2
}

// Exit is an isa-debug-exit.
type Exit struct{ c Config }

// New returns the port.
func New(c Config) *Exit {
	if c.Size == 0 {
		c.Size = 2
	}
	return &Exit{c}
}

// Reset implements dev.Device.
func (e *Exit) Reset() {}

// Region returns the register (port 501h by default).
func (e *Exit) Region() *mem.Region { return mem.NewIO("debugexit", e.c.Size, e).Sizes(1, 4) }

// Read implements mem.MMIO.
func (e *Exit) Read(uint64, int) uint64 { return 0 }

// Write implements mem.MMIO. A process's exit code has eight bits.
func (e *Exit) Write(_ uint64, _ int, v uint64) {
	if e.c.Env.Power != nil {
		e.c.Env.Power.RequestExit(int(v<<1|1) & 0xff)
	}
}

// State implements dev.Device: there is none.
func (e *Exit) State(s *snap.Section) { s.Version(1) }
