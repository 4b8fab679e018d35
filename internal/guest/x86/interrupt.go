package x86

import (
	"sync/atomic"

	"rhea/internal/guest"
	"rhea/internal/trace"
)

// setNMIMask holds NMIs off, until IRET, or stops that.
func (c *CPU) setNMIMask(on bool) {
	c.nmiMask = on
	c.setHeld(pinNMI, on)
}

// setHeld says which pins have no effect at present.
func (c *CPU) setHeld(pins uint32, on bool) {
	if on {
		c.held.Or(pins)
	} else {
		c.held.And(^pins)
	}
}

// Pending implements guest.CPU. On the processor's own goroutine the answer is
// exact; another one may see flags that are about to change, which does no
// harm: the processor looks again when it leaves the unit that changes them.
func (c *CPU) Pending() bool {
	p := c.pins.Load() &^ c.held.Load()
	if p&(pinA20|pinINIT|pinSMI|pinRESET) != 0 {
		return true
	}
	if p&(pinINTR|pinNMI) == 0 || atomic.LoadUint64(&c.s.Shadow) != 0 {
		return false
	}
	return p&pinNMI != 0 || atomic.LoadUint64(&c.s.Flags)&flagIF != 0
}

// Service implements guest.CPU: what comes between instructions, in the order
// of SDM vol. 3, table 6-2.
func (c *CPU) Service() {
	p := c.pins.Load() &^ c.held.Load()
	if p&pinRESET != 0 {
		c.Reset() // clears all latched edges, this one too
		c.event = guest.NoEvent
		return
	}
	if p&pinA20 != 0 {
		c.changeA20()
	}
	shadow := c.s.Shadow != 0
	switch {
	case p&pinINIT != 0:
		c.pins.And(^uint32(pinINIT))
		c.initialize()
	case p&pinSMI != 0:
		c.pins.And(^uint32(pinSMI))
		c.enterSMM()
	case p&pinNMI != 0 && !shadow:
		c.pins.And(^uint32(pinNMI))
		c.log.Printf(trace.Int, "x86: NMI at %04x:%08x\n", c.s.Seg[CS].Sel, c.s.IP)
		c.interrupt(vecNMI)
		c.setNMIMask(true)
	case p&pinINTR != 0 && !shadow && c.s.Flags&flagIF != 0 && c.ack != nil:
		if v := c.ack(); v >= 0 {
			if c.log.On(trace.Int) {
				c.log.Printf(trace.Int, "x86: interrupt v=%02x at %04x:%08x\n", v&0xff, c.s.Seg[CS].Sel, c.s.IP)
			}
			c.interrupt(v & 0xff)
		}
	}
	if c.halted {
		c.event = guest.Halt
	}
}

// interrupt delivers a hardware interrupt.
func (c *CPU) interrupt(vec int) {
	c.halted = false
	if f := c.deliver(&delivery{vec: vec, ext: 1, ip: c.s.IP}); f != nil {
		c.Raise(f)
	}
}

// changeA20 gives the A20M# pin's level effect.
func (c *CPU) changeA20() {
	c.pins.And(^uint32(pinA20))
	level := c.pins.Load()&pinA20Level != 0
	if level == c.a20 {
		return
	}
	c.a20 = level
	c.mem.FlushTLB(false)
}
