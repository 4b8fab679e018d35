// Package i440fx models the Intel 440FX host bridge and memory controller
// (82441FX PMC, datasheet 290549): what memory the processor sees below 1 MiB
// (PAM, SMRAM), the holes, and configuration mechanism #1.
package i440fx

import (
	"fmt"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Configuration registers (§3.2).
const (
	dramc  = 0x57 // DRAM control
	dramt  = 0x58 // DRAM timing
	pam0   = 0x59 // programmable attribute map, 59h-5Fh
	drb0   = 0x60 // DRAM row boundaries, 60h-67h
	fdhc   = 0x68 // fixed DRAM hole control
	mtt    = 0x70 // multi-transaction timer
	smram  = 0x72 // system management RAM control
	errcmd = 0x90
	errsts = 0x91
	trc    = 0x93 // turbo reset control
)

// Bits of SMRAM (§3.2.27).
const (
	dOpen   = 1 << 6 // SMRAM is visible without SMM
	dCls    = 1 << 5 // data accesses of SMM do not go to SMRAM
	dLck    = 1 << 4
	gSMRAME = 1 << 3
)

const (
	smramBase = 0xa0000
	smramSize = 0x20000

	// Where more RAM than below4GMax is fitted, only split stays below
	// 4 GiB; the rest is seen from 4 GiB on. The 82441FX itself ends at
	// 1 GiB; this is what SeaBIOS expects of its successors in emulators.
	below4GMax = 0xe0000000
	split      = 0xc0000000
)

// Config wires the bridge.
type Config struct {
	Env dev.Env
	RAM *mem.Region // all of it, one region
	PCI *mem.Region // memory of the PCI bus: what is not RAM goes there
	Bus *pci.Bus    // the bridge plugs itself in as 00.0
}

// Bridge is the host bridge.
type Bridge struct {
	c  Config
	fn *pci.Function
	*pci.Mechanism1

	// System is memory as bus masters, and the processor outside of SMM, see
	// it; SMM as the processor sees it in system management mode; CPU is one
	// of the two, as SMIACT says.
	System, SMM, CPU *mem.Region

	pam      [13]*mem.Region // windows onto PCI over RAM; 0 is F0000h
	vga      *mem.Region     // PCI over RAM at A0000h
	smmRAM   [2]*mem.Region  // SMRAM in SMM and in CPU
	smiact   bool            // the processor's pin
	holes    [2]*mem.Region
	below    uint64
	saidDCls bool
}

// void is where no PCI device answers.
type void struct{}

func (void) Read(uint64, int) uint64   { return ^uint64(0) }
func (void) Write(uint64, int, uint64) {}

// BelowFourGiB returns how much of size bytes of RAM is seen below 4 GiB.
func BelowFourGiB(size uint64) uint64 {
	if size > below4GMax {
		return split
	}
	return size
}

// New returns the bridge, plugged into c.Bus.
func New(c Config) *Bridge {
	b := &Bridge{c: c, System: mem.NewContainer("system", 0), SMM: mem.NewContainer("smm", 0), CPU: mem.NewContainer("cpu", 0)}
	f := pci.NewFunction(pci.Header{Name: "i440FX", Vendor: 0x8086, Device: 0x1237, Class: 0x060000, Revision: 2,
		SubVendor: 0x1af4, SubDevice: 0x1100, ReadOnlyCommand: true})
	b.fn = f
	f.SetInit(pci.Command, 6) // memory and bus master: always on (§3.2.3)
	f.SetInit(pci.Status, 0x80, 0x02)
	f.Writable(pci.Command+1, 1)  // SERR# enable
	f.Writable(0x50, 0xff, 0xff)  // PMC configuration
	f.Writable(dramc, 0xff, 0xff) // and dramt
	f.Writable(pam0, 0x70, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77)
	f.Writable(drb0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	f.Writable(fdhc, 0xc0)
	f.Writable(mtt, 0xf8)
	f.Writable(errcmd, 0xff)
	f.ClearByOne(errsts, 0x11)
	f.Writable(trc, 0x07)
	f.SetInit(dramc, 0x01)
	f.SetInit(dramt, 0x00)
	f.SetInit(smram, 0x02) // C_BASE_SEG is fixed: A0000h
	b.rows()
	b.memory()
	f.OnConfig(b.config)
	c.Bus.Plug(0, 0, f)
	b.Mechanism1 = pci.NewMechanism1(c.Bus, nil)
	return b
}

// rows fills the DRAM row boundaries, in units of 8 MiB.
func (b *Bridge) rows() {
	top := min(b.c.RAM.Size()>>23, 0xff)
	for i := range 8 {
		b.fn.SetInit(drb0+i, byte(top))
	}
}

func (b *Bridge) memory() {
	ram, bus := b.c.RAM, b.c.PCI
	b.below = BelowFourGiB(ram.Size())
	b.System.Add(0, bus, -1)
	b.System.Add(0, mem.NewAlias("ram-below-4g", ram, 0, b.below))
	if ram.Size() > b.below {
		b.System.Add(1<<32, mem.NewAlias("ram-above-4g", ram, b.below, ram.Size()-b.below))
	}
	window := func(name string, base, size uint64) *mem.Region {
		w := mem.NewContainer(name, size)
		w.Add(0, mem.NewAlias(name+"-pci", bus, base, size))
		w.Add(0, mem.NewIO(name+"-void", size, void{}), -1) // the RAM below must not shine through
		b.System.Add(base, w, 1)
		return w
	}
	b.vga = window("vga-window", smramBase, smramSize)
	b.pam[0] = window("pam-f0000", 0xf0000, 0x10000)
	for i := 1; i < 13; i++ {
		base := uint64(0xc0000 + (i-1)*0x4000)
		b.pam[i] = window(fmt.Sprintf("pam-%05x", base), base, 0x4000)
	}
	b.holes[0] = window("hole-512k", 0x80000, 0x20000)
	b.holes[1] = window("hole-15m", 0xf00000, 0x100000)

	for i, root := range []*mem.Region{b.SMM, b.CPU} {
		root.Add(0, mem.NewAlias("not-smram", b.System, 0, 0))
		b.smmRAM[i] = mem.NewAlias("smram", ram, smramBase, smramSize)
		root.Add(smramBase, b.smmRAM[i], 1)
	}
}

// SMIACT is the processor's pin: high while it is in system management mode.
func (b *Bridge) SMIACT(level bool) {
	b.smiact = level
	b.apply()
}

// config follows a write to configuration space.
func (b *Bridge) config(off, size int) {
	if off <= smram && off+size > smram && size <= 4 {
		b.lock()
	}
	b.apply()
}

// lock applies the rules of the SMRAM register: once D_LCK is set only D_CLS
// changes until reset (§3.2.27).
func (b *Bridge) lock() {
	c := b.fn.Config()
	if c[smram]&dLck != 0 {
		c[smram] &^= dOpen
	}
}

// apply makes the memory map what the registers say.
func (b *Bridge) apply() {
	c := b.fn.Config()
	// A locked SMRAM register has no writable bit but D_CLS.
	if c[smram]&dLck != 0 {
		b.fn.Writable(smram, dCls)
	} else {
		b.fn.Writable(smram, dOpen|dCls|dLck|gSMRAME)
	}
	// Attribute bits: 0 = reads, 1 = writes go to RAM (§3.2.20). What does
	// not goes to PCI.
	b.pam[0].SetAccess(mem.RW &^ mem.Access(c[pam0]>>4&3))
	for i := 1; i < 13; i++ {
		attr := c[pam0+(i+1)/2]
		if i%2 == 0 {
			attr >>= 4
		}
		b.pam[i].SetAccess(mem.RW &^ mem.Access(attr&3))
	}
	b.holes[0].Enable(c[fdhc]>>6 == 1)
	b.holes[1].Enable(c[fdhc]>>6 == 2)

	on := c[smram]&gSMRAME != 0
	b.vga.Enable(!(on && c[smram]&dOpen != 0))
	b.smmRAM[0].Enable(on)
	b.smmRAM[1].Enable(on && b.smiact)
	if on && c[smram]&dCls != 0 && !b.saidDCls {
		b.saidDCls = true // one note is enough
		b.c.Env.Log.Unimp("i440fx: SMRAM D_CLS: data accesses of SMM still go to SMRAM")
	}
}

// Function returns the bridge's PCI function.
func (b *Bridge) Function() *pci.Function { return b.fn }

// Reset implements dev.Device.
func (b *Bridge) Reset() {
	b.Mechanism1.Reset()
	b.fn.Reset()
}

// State implements dev.Device.
func (b *Bridge) State(s *snap.Section) {
	s.Version(1)
	s.Sub("conf", b.Mechanism1.State)
	if s.Loading() { // a locked register must not keep a load from unlocking it
		b.fn.Writable(smram, dOpen|dCls|dLck|gSMRAME)
	}
	s.Sub("pci", b.fn.State)
}
