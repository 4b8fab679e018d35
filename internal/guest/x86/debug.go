package x86

import "rhea/internal/guest"

// DR6 and DR7 bits (SDM vol. 3, 17.2).
const (
	dr6Breaks = 15      // B0-B3
	dr6BD     = 1 << 13 // debug register access with DR7.GD set
	dr6BS     = 1 << 14 // single step
	dr6BT     = 1 << 15 // task switch with the TSS's T bit set
	dr6Fixed  = 0xffff0ff0
	dr6Write  = dr6Breaks | dr6BD | dr6BS | dr6BT

	dr7Enables = 0xff
	dr7Locals  = 0x155 // L0-L3 and LE
	dr7GD      = 1 << 13
	dr7Fixed   = 0x400
	dr7Write   = 0xffff23ff
)

// DR7.R/W of a breakpoint.
const (
	breakExec = iota
	breakWrite
	breakIO // if CR4.DE is set
	breakAccess
)

// Values of State.Shadow. After MOV and POP to SS debug exceptions wait for
// the next instruction as well, and breakpoints on it have no effect (SDM
// vol. 3, 6.8.3; vol. 2, MOV).
const (
	shadowSTI = 1
	shadowSS  = 3

	noShadow = 8 // with the segment register's number: there is none
)

// breakpoint returns the kind and length of an enabled breakpoint.
func (c *CPU) breakpoint(i int) (kind int, size uint64, enabled bool) {
	dr7 := c.s.DR[7]
	size = [...]uint64{1, 2, 8, 4}[dr7>>(18+4*i)&3]
	return int(dr7 >> (16 + 4*i) & 3), size, dr7>>(2*i)&3 != 0
}

// breakModes returns the mode bits that DR7 asks for.
func (c *CPU) breakModes() uint64 {
	var m uint64
	for i := range 4 {
		kind, _, on := c.breakpoint(i)
		switch {
		case !on || kind == breakIO && c.s.CR4&cr4DE == 0:
		case kind == breakExec:
			m |= modeDbgExec
		default:
			m |= modeDbgData
		}
	}
	return m
}

// debugFault is a #DB for the reasons hits, bits of DR6; note puts them there.
func debugFault(hits uint32) *guest.Fault {
	return &guest.Fault{Vector: vecDB, Code: hits}
}

// codeBreak is the fault of an instruction breakpoint at a linear address, or
// nil (SDM vol. 3, 17.3.1.1).
func (c *CPU) codeBreak(lin uint64) *guest.Fault {
	if c.s.Flags&flagRF != 0 {
		return nil
	}
	var hits uint32
	for i := range 4 {
		if kind, _, on := c.breakpoint(i); on && kind == breakExec && c.s.DR[i] == lin {
			hits |= 1 << i
		}
	}
	if hits == 0 {
		return nil
	}
	return debugFault(hits)
}

// dataBreak notes the data breakpoints that an access hits, for debugTrap. It
// reports whether there are any (SDM vol. 3, 17.3.1.2).
func (c *CPU) dataBreak(lin uint64, size int, write bool) bool {
	return c.breakOn(lin, size, func(kind int) bool { return kind == breakAccess || kind == breakWrite && write })
}

// ioBreak is dataBreak for an I/O port.
func (c *CPU) ioBreak(port uint64, size int) bool {
	if c.s.CR4&cr4DE == 0 {
		return false
	}
	return c.breakOn(port, size, func(kind int) bool { return kind == breakIO })
}

func (c *CPU) breakOn(at uint64, size int, wanted func(kind int) bool) bool {
	var hits uint32
	for i := range 4 {
		kind, n, on := c.breakpoint(i)
		if !on || !wanted(kind) {
			continue
		}
		first := c.s.DR[i] &^ (n - 1)
		if at-first < n || first-at < uint64(size) {
			hits |= 1 << i
		}
	}
	c.debugHits |= hits
	return hits != 0
}

// debugTrap raises the #DB of an instruction that is completed, IP being
// behind it: for a single step if tf is set, EFLAGS.TF as the instruction
// began, and for data and I/O breakpoints. It reports whether there was one.
func (c *CPU) debugTrap(tf bool) bool {
	hits := c.debugHits
	if tf {
		hits |= dr6BS
	}
	if hits == 0 {
		return false
	}
	c.s.Flags &^= flagRF
	c.Raise(debugFault(hits))
	return true
}

// debugReg resolves DR4 and DR5 and makes the checks of MOV to and from debug
// registers (SDM vol. 2, MOV).
func (c *CPU) debugReg(n int) (int, *guest.Fault) {
	if f := c.needRing0(); f != nil {
		return 0, f
	}
	if n == 4 || n == 5 {
		if c.s.CR4&cr4DE != 0 {
			return 0, undefined()
		}
		n += 2
	}
	if c.s.DR[7]&dr7GD != 0 {
		return 0, debugFault(dr6BD)
	}
	return n & 7, nil
}

// readDR is MOV r, DRn.
func (c *CPU) readDR(n int) (uint64, *guest.Fault) {
	n, f := c.debugReg(n)
	if f != nil {
		return 0, f
	}
	return c.s.DR[n], nil
}

// setDR is MOV DRn, r.
func (c *CPU) setDR(n int, v uint64) *guest.Fault {
	n, f := c.debugReg(n)
	if f != nil {
		return f
	}
	if n >= 6 && v>>32 != 0 {
		return gp(0)
	}
	switch n {
	case 6:
		v = v&dr6Write | dr6Fixed
	case 7:
		v = v&dr7Write | dr7Fixed
	}
	c.s.DR[n] = v
	c.refreshMode()
	return nil
}
