// Package ioapic models the Intel 82093AA I/O advanced programmable interrupt
// controller (290566-001), which turns 24 lines into messages to the local
// APICs.
package ioapic

import (
	"fmt"

	"rhea/internal/dev"
	"rhea/internal/dev/intc/lapic"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// DefaultBase is where a PC has its first I/O APIC.
const DefaultBase = 0xfec00000

// Pins is the number of interrupt inputs.
const Pins = 24

// The memory-mapped registers, §3.1.
const (
	offREGSEL = 0x00
	offWIN    = 0x10
)

// The registers behind them, §3.2.
const (
	regID     = 0x00
	regVER    = 0x01
	regARB    = 0x02
	regREDTBL = 0x10
)

const version = 0x11 | (Pins-1)<<16

// A redirection table entry, §3.2.4.
const (
	redLogical   = 1 << 11
	redStatus    = 1 << 12
	redLow       = 1 << 13
	redRemoteIRR = 1 << 14
	redLevel     = 1 << 15
	redMask      = 1 << 16

	redReadOnly = redStatus | redRemoteIRR
	redBits     = 0xff<<56 | 0x1ffff
)

// Config connects an I/O APIC.
type Config struct {
	Env dev.Env
	Bus *lapic.Bus
	// Electrical says that the lines carry voltages: an entry's polarity bit
	// then says which is active. Else they carry "asserted", and the bit is
	// only kept: a board of ours has no inverted wires, whatever its tables
	// tell the guest.
	Electrical bool
}

// IOAPIC is an 82093AA.
type IOAPIC struct {
	c     Config
	id    uint8
	sel   uint8
	red   [Pins]uint64
	lines uint32 // levels

	counts [Pins]uint64 // of Counts
}

// Counts returns how often each input has been raised (the monitor's "info
// irq"). It is no state of the chip's.
func (a *IOAPIC) Counts() []uint64 { return a.counts[:] }

// New returns an I/O APIC on c.Bus.
func New(c Config) *IOAPIC {
	a := &IOAPIC{c: c}
	a.Reset()
	c.Bus.OnEOI(a.eoi)
	c.Bus.OnReady(a.Settle)
	return a
}

// Reset implements dev.Device.
func (a *IOAPIC) Reset() {
	a.id, a.sel = 0, 0
	for i := range a.red {
		a.red[i] = redMask
	}
}

// Region returns the registers.
func (a *IOAPIC) Region() *mem.Region { return mem.NewIO("ioapic", 4096, a).Sizes(4, 4) }

// Line returns input n.
func (a *IOAPIC) Line(n int) irq.Line {
	if n < 0 || n >= Pins {
		panic(fmt.Sprintf("BUG: ioapic: no input %d", n))
	}
	bit := uint32(1) << n
	return func(level bool) {
		if a.lines&bit != 0 == level {
			return
		}
		was := a.active(n)
		a.lines ^= bit
		if level {
			a.counts[n]++
		}
		if a.active(n) && !was {
			a.edge(n)
		}
		a.level(n)
	}
}

// active reports whether input n is.
func (a *IOAPIC) active(n int) bool {
	high := a.lines>>n&1 != 0
	if a.c.Electrical && a.red[n]&redLow != 0 {
		return !high
	}
	return high
}

// levelled reports whether an entry works by level: SMI, NMI, INIT and ExtINT
// "must be edge" and are taken for it.
func levelled(e uint64) bool {
	mode := e >> 8 & 7
	return e&redLevel != 0 && (mode == lapic.Fixed || mode == lapic.Lowest)
}

// edge is an input becoming active. While the entry is masked it is lost
// (§3.2.4, bit 16).
func (a *IOAPIC) edge(n int) {
	if e := a.red[n]; e&redMask == 0 && !levelled(e) {
		a.send(e)
	}
}

// level sends a level-triggered interrupt that has not been sent. If nobody
// takes it, it is tried again when the bus says so.
func (a *IOAPIC) level(n int) {
	e := a.red[n]
	if levelled(e) && e&(redMask|redRemoteIRR) == 0 && a.active(n) {
		// Set before: a local APIC may come back with its EOI.
		a.red[n] |= redRemoteIRR
		if !a.send(e) {
			a.red[n] &^= redRemoteIRR
		}
	}
}

func (a *IOAPIC) send(e uint64) bool {
	return a.c.Bus.Deliver(lapic.Message{
		Dest:    uint32(e >> 56),
		Logical: e&redLogical != 0,
		Mode:    uint8(e >> 8 & 7),
		Vector:  uint8(e),
		Level:   levelled(e),
	})
}

// eoi is the EOI message of the local APICs.
func (a *IOAPIC) eoi(vector uint8) {
	for n := range a.red {
		if e := a.red[n]; uint8(e) == vector && e&redRemoteIRR != 0 {
			a.red[n] &^= redRemoteIRR
			a.level(n)
		}
	}
}

// Settle implements dev.Settler.
func (a *IOAPIC) Settle() {
	for n := range a.red {
		a.level(n)
	}
}

// Read implements mem.MMIO.
func (a *IOAPIC) Read(off uint64, _ int) uint64 {
	switch off & 0xff {
	case offREGSEL:
		return uint64(a.sel)
	case offWIN:
		return uint64(a.read())
	}
	a.c.Env.Log.Guest("ioapic: read of offset %#x", off)
	return 0xffffffff
}

func (a *IOAPIC) read() uint32 {
	switch {
	case a.sel == regID || a.sel == regARB:
		return uint32(a.id) << 24
	case a.sel == regVER:
		return version
	case a.sel >= regREDTBL && a.sel < regREDTBL+2*Pins:
		e := a.red[(a.sel-regREDTBL)/2]
		if a.sel&1 != 0 {
			return uint32(e >> 32)
		}
		return uint32(e)
	}
	a.c.Env.Log.Guest("ioapic: read of reserved register %#x", a.sel)
	return 0
}

// Write implements mem.MMIO.
func (a *IOAPIC) Write(off uint64, _ int, v uint64) {
	switch off & 0xff {
	case offREGSEL:
		a.sel = uint8(v)
	case offWIN:
		a.write(uint32(v))
	default:
		a.c.Env.Log.Guest("ioapic: write of %#x to offset %#x", v, off)
	}
}

func (a *IOAPIC) write(v uint32) {
	switch {
	case a.sel == regID:
		a.id = uint8(v>>24) & 15
	case a.sel >= regREDTBL && a.sel < regREDTBL+2*Pins:
		a.writeEntry(int(a.sel-regREDTBL)/2, a.sel&1 != 0, v)
	default:
		a.c.Env.Log.Guest("ioapic: write of %#x to register %#x, which is reserved or read-only", v, a.sel)
	}
}

func (a *IOAPIC) writeEntry(n int, high bool, v uint32) {
	was := a.active(n)
	old := a.red[n]
	e := old&0xffffffff | uint64(v)<<32
	if !high {
		e = old&^0xffffffff | uint64(v)&^redReadOnly | old&redReadOnly
	}
	e &= redBits
	if e&redLevel == 0 {
		// An edge-triggered entry has no remote IRR: systems clear a stuck
		// one by this.
		e &^= redRemoteIRR
	}
	a.red[n] = e
	if a.active(n) && !was { // by the polarity bit
		a.edge(n)
	}
	a.level(n)
}

// Entry returns a redirection table entry, for the monitor's "info pic".
func (a *IOAPIC) Entry(n int) uint64 { return a.red[n] }

// State implements dev.Device.
func (a *IOAPIC) State(s *snap.Section) {
	s.Version(1)
	s.U8("id", &a.id)
	s.U8("select", &a.sel)
	for i := range a.red {
		s.U64(fmt.Sprintf("redirect%02d", i), &a.red[i])
		s.Check(a.red[i]&^redBits == 0, "a redirection entry is out of range")
	}
	s.U32("lines", &a.lines)
	s.Check(a.id < 16 && a.lines < 1<<Pins, "a register is out of range")
}
