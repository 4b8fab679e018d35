// Package pci models a PCI bus after the PCI Local Bus Specification 2.1:
// configuration mechanism #1 (§3.7.4.1), configuration headers, base
// addresses that are decoded when enabled, and interrupt pins.
package pci

import (
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/trace"
)

// Config wires a bus.
type Config struct {
	Name   string
	Memory *mem.Region // container in which memory BARs appear
	IO     *mem.Region // container in which I/O BARs appear
	DMA    *mem.Space  // what bus masters see; it may be set later with SetDMA
	// IRQ are the bus's four interrupt wires (PIRQ#), active high here.
	IRQ [4]irq.Line
	// Route says which wire pin (0..3 for INTA#..D#) of a device reaches;
	// nil is the usual (device-1+pin)%4 of boards with a PIIX.
	Route func(device, pin int) int
	Log   *trace.Log
}

// Bus is a PCI bus.
type Bus struct {
	c    Config
	mem  *mem.Region
	io   *mem.Region
	dma  *mem.Space
	fns  [256]*Function
	pins [256]uint8 // asserted pins, a bit each
	high [4]int     // pins that assert each wire
}

// New returns an empty bus.
func New(c Config) *Bus {
	if c.Route == nil {
		c.Route = func(device, pin int) int { return (device - 1 + pin) & 3 }
	}
	if c.Name == "" {
		c.Name = "pci.0"
	}
	return &Bus{c: c, mem: c.Memory, io: c.IO, dma: c.DMA}
}

// Name returns the bus's name.
func (b *Bus) Name() string { return b.c.Name }

// SetDMA gives bus masters their view of memory.
func (b *Bus) SetDMA(s *mem.Space) { b.dma = s }

// SetIRQ connects interrupt wire n, for boards whose interrupt router is
// itself a device on the bus.
func (b *Bus) SetIRQ(n int, l irq.Line) { b.c.IRQ[n] = l }

// Plug puts f at a device and function number.
func (b *Bus) Plug(device, function int, f *Function) {
	devfn := uint8(device<<3 | function&7)
	if b.fns[devfn] != nil || device > 31 {
		panic("BUG: PCI slot of " + f.Name + " is taken")
	}
	f.bus, f.devfn = b, devfn
	b.fns[devfn] = f
	f.changed(0, 256)
}

// Unplug removes f: its BARs vanish and its interrupt is released.
func (b *Bus) Unplug(f *Function) {
	if f.bus != b {
		return
	}
	for i := range f.bars {
		if r := &f.bars[i]; r.mapped {
			if r.io {
				b.io.Remove(r.region)
			} else {
				b.mem.Remove(r.region)
			}
			r.mapped = false
		}
	}
	for pin := range 4 {
		b.setPin(f.devfn, pin, false)
	}
	b.fns[f.devfn] = nil
	f.bus = nil
}

// Free returns the lowest free device number from first on, -1 if there is none.
func (b *Bus) Free(first int) int {
	for d := first; d < 32; d++ {
		used := false
		for fn := range 8 {
			used = used || b.fns[d<<3|fn] != nil
		}
		if !used {
			return d
		}
	}
	return -1
}

// Function returns what is at a device and function number, or nil.
func (b *Bus) Function(device, function int) *Function { return b.fns[(device&31)<<3|function&7] }

// Functions returns all functions in the order of their numbers.
func (b *Bus) Functions() []*Function {
	var all []*Function
	for _, f := range b.fns {
		if f != nil {
			all = append(all, f)
		}
	}
	return all
}

func (b *Bus) setPin(devfn uint8, pin int, level bool) {
	bit := uint8(1) << pin
	if (b.pins[devfn]&bit != 0) == level {
		return
	}
	b.pins[devfn] ^= bit
	wire := b.c.Route(int(devfn>>3), pin) & 3
	if level {
		b.high[wire]++
	} else {
		b.high[wire]--
	}
	b.c.IRQ[wire].Set(b.high[wire] > 0)
}

// ReadConfig reads 1, 2 or 4 bytes of configuration space. What is not there
// reads as ones (§3.7.4.2: the bridge ends the cycle with a master abort).
func (b *Bus) ReadConfig(bus, devfn uint8, off, size int) uint32 {
	if f := b.fns[devfn]; f != nil && bus == 0 {
		return f.readConfig(off, size)
	}
	return ^uint32(0) >> (32 - 8*size)
}

// WriteConfig writes 1, 2 or 4 bytes of configuration space.
func (b *Bus) WriteConfig(bus, devfn uint8, off, size int, v uint32) {
	if f := b.fns[devfn]; f != nil && bus == 0 {
		f.writeConfig(off, size, v)
	}
}
