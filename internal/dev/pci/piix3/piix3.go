// Package piix3 models function 0 of the Intel 82371SB (PIIX3, datasheet
// 290550), the PCI to ISA bridge: routing of PCI interrupts to ISA ones and
// the reset control register. The 8259s with their ELCRs, the 8254 and the
// 8237s of the chip are packages of their own.
package piix3

import (
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/snap"
)

// Configuration registers (§2.2).
const (
	iort    = 0x4c // ISA I/O recovery timer
	xbcs    = 0x4e // X-bus chip select
	pirqrc  = 0x60 // PIRQ route control A-D, 60h-63h
	tom     = 0x69 // top of memory
	mstat   = 0x6a
	mbirq0  = 0x70
	dmaPolA = 0x76
	pcsc    = 0x78
	dlc     = 0x82 // deterministic latency control
	smicntl = 0xa0
)

// RCR bits (§2.5.5.1).
const (
	srst = 1 << 1 // what kind of reset: hard if set
	rcpu = 1 << 2 // 0 to 1: reset
)

const routeDisabled = 0x80

// Config wires the bridge.
type Config struct {
	Env dev.Env
	Bus *pci.Bus // the bridge plugs itself in as 01.0 and takes its interrupts
	// ISA are inputs of the interrupt controllers: the bridge drives those
	// that PIRQs are routed to (an input of its own, OR-ed with the ISA
	// device's).
	ISA [16]irq.Line
}

// Bridge is the PCI to ISA bridge.
type Bridge struct {
	c    Config
	fn   *pci.Function
	rcr  uint8
	pirq [4]bool // wires, driven by the bus
}

// New returns the bridge, plugged into c.Bus.
func New(c Config) *Bridge {
	b := &Bridge{c: c}
	f := pci.NewFunction(pci.Header{Name: "PIIX3", Vendor: 0x8086, Device: 0x7000, Class: 0x060100,
		SubVendor: 0x1af4, SubDevice: 0x1100, Multifunction: true, ReadOnlyCommand: true})
	b.fn = f
	f.SetInit(pci.Command, 7)
	f.SetInit(pci.Status, 0x00, 0x02)
	f.SetInit(iort, 0x4d, 0x00)
	f.SetInit(xbcs, 0x03, 0x00)
	f.SetInit(pirqrc, routeDisabled, routeDisabled, routeDisabled, routeDisabled)
	f.SetInit(tom, 0x02)
	f.SetInit(mbirq0, 0x80)
	f.SetInit(dmaPolA, 0x0c, 0x0c)
	f.SetInit(pcsc, 0x02)
	f.SetInit(smicntl, 0x08)
	for _, r := range []struct {
		off  int
		mask []byte
	}{
		{iort, []byte{0x7f}},
		{xbcs, []byte{0xff, 0x03}},
		{pirqrc, []byte{0x8f, 0x8f, 0x8f, 0x8f}},
		{tom, []byte{0xfe, 0x81}},
		{mbirq0, []byte{0xef}},
		{dmaPolA, []byte{0x8f, 0x8f}},
		{pcsc, []byte{0xff, 0xff}},
		{dlc, []byte{0x0f}},
		{smicntl, []byte{0x1f, 0, 0xff, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0, 0xff, 0, 0xff}},
	} {
		f.Writable(r.off, r.mask...)
	}
	f.OnConfig(func(off, size int) { b.Settle() })
	c.Bus.Plug(1, 0, f)
	for i := range b.pirq {
		c.Bus.SetIRQ(i, func(level bool) {
			b.pirq[i] = level
			b.Settle()
		})
	}
	return b
}

// Function returns the bridge's PCI function.
func (b *Bridge) Function() *pci.Function { return b.fn }

// Route returns the ISA interrupt that PIRQ n goes to, or -1.
func (b *Bridge) Route(n int) int {
	r := b.fn.Config()[pirqrc+n&3]
	switch irq := int(r & 15); irq {
	case 0, 1, 2, 8, 13: // reserved (§2.2.9): not driven
		return -1
	default:
		if r&routeDisabled != 0 {
			return -1
		}
		return irq
	}
}

// Settle implements dev.Settler.
func (b *Bridge) Settle() {
	var levels [16]bool
	for i, level := range b.pirq {
		if n := b.Route(i); n >= 0 && level {
			levels[n] = true
		}
	}
	for i, l := range levels {
		b.c.ISA[i].Set(l)
	}
}

// Read implements mem.MMIO for RCR, port 0CF9h.
func (b *Bridge) Read(off uint64, size int) uint64 { return uint64(b.rcr) }

// Write implements mem.MMIO for RCR, port 0CF9h.
func (b *Bridge) Write(off uint64, size int, v uint64) {
	rise := v&rcpu != 0 && b.rcr&rcpu == 0
	b.rcr = uint8(v) & (srst | rcpu)
	if rise && b.c.Env.Power != nil {
		b.c.Env.Power.RequestReset("guest-reset")
	}
}

// Reset implements dev.Device.
func (b *Bridge) Reset() {
	b.rcr = 0
	b.fn.Reset()
}

// State implements dev.Device. The levels of the PIRQs are the outputs of
// other devices, which drive them again after a load.
func (b *Bridge) State(s *snap.Section) {
	s.Version(1)
	s.U8("rcr", &b.rcr)
	s.Check(b.rcr&^(srst|rcpu) == 0, "RCR has reserved bits")
	s.Sub("pci", b.fn.State)
}
