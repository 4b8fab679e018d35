package x86

import "rhea/internal/guest"

// SetRegisters lets f change the state from outside (debuggers, tests,
// loaders) while the processor does not run. Segments are given with Sel,
// Base, Limit and Attr.
func (c *CPU) SetRegisters(f func(*State)) {
	f(c.s)
	for i := range c.s.Seg {
		cacheBounds(&c.s.Seg[i])
	}
	if c.mem != nil {
		c.mem.FlushTLB(false)
	}
	c.refreshMode()
}

// Registers returns the state, to be read.
func (c *CPU) Registers() *State {
	c.s.FIP, c.s.FIPPage = c.s.fip(), 0
	return c.s
}

// SetEFLAGS sets the whole of EFLAGS from outside.
func (c *CPU) SetEFLAGS(f uint64) {
	c.setEFLAGS(f, ^uint64(0)>>32)
	c.refreshMode()
}

// Halted implements guest.CPU.
func (c *CPU) Halted() bool { return c.halted }

// CodeSize is the default size of addresses of the code at k: 2, 4 or 8 bytes.
func CodeSize(k guest.Key) int {
	switch {
	case k.Mode&modeLong != 0:
		return 8
	case k.Mode&modeCode32 != 0:
		return 4
	}
	return 2
}

// InstructionLength returns the length of the 32-bit instruction in code, at
// least 1.
func InstructionLength(code []byte) int {
	in, _ := decode(code, 4)
	return max(len(in.bytes), 1)
}
