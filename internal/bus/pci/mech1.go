package pci

import (
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Mechanism1 is configuration mechanism #1: the registers CONFADD (0CF8h) and
// CONFDATA (0CFCh) of a host bridge (82441FX §3.1).
type Mechanism1 struct {
	bus     *Bus
	confadd uint32
	// CF9 is what a byte access to 0CF9h reaches (the PIIX's reset control
	// register lies within CONFADD, which only takes dwords).
	cf9 mem.MMIO
}

const confEnable = 1 << 31

// NewMechanism1 returns the registers for bus. Cf9 may be nil.
func NewMechanism1(bus *Bus, cf9 mem.MMIO) *Mechanism1 { return &Mechanism1{bus: bus, cf9: cf9} }

// SetCF9 connects what is at port 0CF9h.
func (m *Mechanism1) SetCF9(io mem.MMIO) { m.cf9 = io }

// Region returns the eight ports to map at 0CF8h.
func (m *Mechanism1) Region() *mem.Region { return mem.NewIO("pci-conf", 8, m).Sizes(1, 4) }

// Reset clears CONFADD.
func (m *Mechanism1) Reset() { m.confadd = 0 }

// State walks CONFADD.
func (m *Mechanism1) State(s *snap.Section) {
	s.Version(1)
	s.U32("confadd", &m.confadd)
}

// Read implements mem.MMIO; off is from 0CF8h.
func (m *Mechanism1) Read(off uint64, size int) uint64 {
	switch {
	case off == 0 && size == 4:
		return uint64(m.confadd)
	case off == 1 && size == 1 && m.cf9 != nil:
		return m.cf9.Read(0, 1)
	case off < 4 || off+uint64(size) > 8:
		return ^uint64(0) // goes to the bus as a plain I/O cycle: nobody there
	}
	if m.confadd&confEnable == 0 {
		return ^uint64(0)
	}
	bus, devfn, reg := m.target(off)
	return uint64(m.bus.ReadConfig(bus, devfn, reg, size))
}

// Write implements mem.MMIO.
func (m *Mechanism1) Write(off uint64, size int, v uint64) {
	switch {
	case off == 0 && size == 4:
		m.confadd = uint32(v) & 0x80fffffc
		return
	case off == 1 && size == 1 && m.cf9 != nil:
		m.cf9.Write(0, 1, v)
		return
	case off < 4 || off+uint64(size) > 8:
		m.bus.c.Log.Guest("pci: write of %d bytes to CONFADD+%d", size, off)
		return
	}
	if m.confadd&confEnable != 0 {
		bus, devfn, reg := m.target(off)
		m.bus.WriteConfig(bus, devfn, reg, size, uint32(v))
	}
}

// target splits CONFADD: bus 23:16, device 15:11, function 10:8, register 7:2.
func (m *Mechanism1) target(off uint64) (bus, devfn uint8, reg int) {
	return uint8(m.confadd >> 16), uint8(m.confadd >> 8), int(m.confadd&0xfc) | int(off&3)
}
