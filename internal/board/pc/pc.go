// Package pc is the PC as a board: an ISA PC/AT (isapc) or one with an Intel
// 440FX and PIIX3 (pc), wired as the chips' datasheets and the firmware of
// emulated PCs (SeaBIOS, the Bochs BIOS) expect it.
package pc

import (
	"errors"
	"fmt"
	"io"
	"time"

	"rhea/internal/audio"
	"rhea/internal/block"
	"rhea/internal/bus/pci"
	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/dev/audio/pcspk"
	"rhea/internal/dev/char/uart16550"
	"rhea/internal/dev/disk/fdc"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/dev/display/vga"
	"rhea/internal/dev/dma/i8237"
	"rhea/internal/dev/input/i8042"
	"rhea/internal/dev/input/ps2"
	"rhea/internal/dev/input/vmmouse"
	"rhea/internal/dev/intc/i8259"
	"rhea/internal/dev/intc/ioapic"
	"rhea/internal/dev/intc/lapic"
	"rhea/internal/dev/misc/fwcfg"
	"rhea/internal/dev/misc/piix4pm"
	"rhea/internal/dev/pci/i440fx"
	"rhea/internal/dev/timer/i8254"
	"rhea/internal/dev/timer/mc146818"
	"rhea/internal/display"
	"rhea/internal/firmware/smbios"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// CPU is the processor's pins.
type CPU interface {
	SetINTR(level bool)
	SetNMI(level bool)
	SetSMI(level bool)
	SetA20(level bool)
	INIT()
	// SetIntAck names who answers the INTA cycle with a vector.
	SetIntAck(func() int)
}

// Kind is a machine type.
type Kind uint8

// The machine types.
const (
	I440FX Kind = iota // "pc"
	ISA                // "isapc"
)

// VGAKind is a display adapter.
type VGAKind uint8

// The display adapters.
const (
	VGAStd VGAKind = iota
	VGANone
	VGACirrus
)

// Drive is one of the four IDE drives.
type Drive struct {
	Backend block.Backend // nil for a CD-ROM drive without a medium
	CDROM   bool
	Model   string
	Serial  string
	WWN     uint64
	// Firmware is the revision that IDENTIFY tells, "" = the usual one.
	Firmware string
	// NoWriteCache has the drive start with its write cache off.
	NoWriteCache bool
	// Cylinders, Heads, Sectors override the geometry, Translation ("none",
	// "lba", "large", "rechs") how the firmware makes it fit INT 13h.
	Cylinders, Heads, Sectors int
	Translation               string
	// BootIndex is the drive's place in the firmware's boot order, from 1;
	// 0 = none.
	BootIndex int
}

// Floppy is a floppy drive.
type Floppy struct {
	Type     uint8         // as CMOS has it: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M; 0 = what the medium wants
	Backend  block.Backend // nil for a drive without a medium
	ReadOnly bool
	// BootIndex is as a Drive's.
	BootIndex int
}

// Boot is what -boot says.
type Boot struct {
	Order  string // of a, b (floppy), c (disk), d (CD-ROM), n (network)
	Once   string // for the first boot only
	Menu   bool
	Strict bool
	// Wait is how many milliseconds the menu is offered; 0 = the firmware's
	// default.
	Wait int
	// RebootAfter is after how many milliseconds, plus one, the firmware
	// reboots when nothing can be booted; 0 = never.
	RebootAfter int
	// NoSignature lets the BIOS boot a floppy without a boot signature.
	NoSignature bool
}

// Kernel is what is started directly.
type Kernel struct {
	Image   *io.SectionReader // bzImage
	Initrd  *io.SectionReader // nil = none
	Cmdline string
}

// KernelError says that the Kernel cannot be started.
type KernelError struct{ Err error }

func (e *KernelError) Error() string { return e.Err.Error() }
func (e *KernelError) Unwrap() error { return e.Err }

// Config describes a machine.
type Config struct {
	Kind Kind
	CPU  CPU
	RAM  uint64 // bytes

	BIOS []byte // the last 128 KiB are also below 1 MiB
	// BIOSName and VGABIOSName are for ROMs to list.
	BIOSName, VGABIOSName string
	VGABIOS               []byte

	// NoVMPort leaves VMware's port out.
	NoVMPort bool
	// LEDs, if not nil, is told of the keyboard's lamps, as
	// ps2.KeyboardConfig says.
	LEDs func(uint8)

	VGA      VGAKind
	VRAM     uint64 // bytes, 0 = 16 MiB
	Drives   [4]*Drive
	Floppies [2]*Floppy      // A: and B:
	Serial   [4]chardev.Port // nil = no such port
	Parallel [3]chardev.Port

	Debugcon     chardev.Port // nil = none
	DebugconPort uint64       // 0 = E9h
	DebugconRead uint8        // what it reads as, 0 = E9h
	// Panic, if not nil, is called when the guest says by a pvpanic port
	// (PanicAt) that it has failed.
	Panic         func()
	PanicAt       uint64
	PanicEvents   uint8
	DebugExit     bool
	DebugExitAt   uint64 // port, 0 = 501h
	DebugExitSize uint64 // 0 = 2

	Kernel *Kernel
	Boot   Boot
	// Now is the RTC's time of day when the machine is made (nil = the
	// host's, UTC); Slew makes up for lost periodic interrupts.
	Now  func() time.Time
	Slew bool
	// Drift is how many nanoseconds the RTC's source of time is ahead of the
	// machine's clock; nil = it is that clock.
	Drift func() int64

	NoACPI    bool
	NoGraphic bool // -nographic: firmware uses the serial port
	// HasSMM says that the CPU has system management mode, HasAPIC that it
	// has a local APIC, which the board then adds with an I/O APIC (not to
	// an isapc).
	HasSMM, HasAPIC bool
	// HasX2APIC says that the APIC has the x2APIC mode; PhysBits is the width of
	// the CPU's physical addresses, 0 = 36.
	HasX2APIC bool
	PhysBits  int
	UUID      [16]byte
	// SMBIOS is what -smbios says; UUID, processors and memory are filled in.
	SMBIOS smbios.Info
	// Files are further fw_cfg files (-fw_cfg).
	Files map[string][]byte
	// OptionROMs are further option ROMs (-option-rom), by name.
	OptionROMs []OptionROM
	// Sync makes image accesses happen at once (tests, deterministic mode).
	Sync bool
	// SpeakerAudio plays what the speaker does; nil = nobody listens.
	SpeakerAudio *audio.Mixer
	// Slots are further parts that are plugged in last.
	Slots []Slot
}

// OptionROM is a ROM for the firmware to start.
type OptionROM struct {
	Name string
	Data []byte
	// BootIndex is as a Drive's.
	BootIndex int
}

// Slot plugs a part in: it returns the part and its name.
type Slot func(*Machine) (path string, d dev.Device, err error)

// Part is a device on the board.
type Part struct {
	Path string // "/pci0/01.1/piix3-ide"
	Dev  dev.Device
}

// Machine is a PC.
type Machine struct {
	c   Config
	env dev.Env

	// Memory is what bus masters see, SMM what the CPU sees in system
	// management mode, CPUMemory the one of the two that the CPU sees now.
	Memory, SMM, CPUMemory *mem.Space
	IO                     *mem.Space

	RAM   *mem.Region
	ISA   *mem.Region // memory that ISA (and PCI) devices appear in
	Ports *mem.Region

	PCI      *pci.Bus // nil in an isapc
	Host     *i440fx.Bridge
	PIC      *i8259.Pair
	PIT      *i8254.Timer
	DMA      *i8237.DMA
	RTC      *mc146818.RTC
	KBC      *i8042.Controller
	Keyboard *ps2.Keyboard
	Mouse    *ps2.Mouse
	VMMouse  *vmmouse.Mouse // nil without VMware's port
	FwCfg    *fwcfg.Device
	PM       *piix4pm.PM // nil in an isapc
	APIC     *lapic.APIC // nil if the CPU has none
	IOAPIC   *ioapic.IOAPIC
	IDE      [2]*ide.Channel
	FDC      *fdc.Controller
	Serial   [4]*uart16550.UART
	Speaker  *pcspk.Speaker
	VGA      *vga.VGA       // nil without one
	Display  display.Source // of VGA

	parts   []Part
	boot    []bootPlace // of what is in slots
	lines   [16]wired
	resets  int
	onClean func()
	fpu     *fpuPort
	picINT  irq.Line // the 8259s' output
	// edgeINIT resets the CPU for the APIC bus.
	edgeINIT  *edge
	lapicRegs *mem.Region
	roms      *mem.Region // isapc: C0000h-DFFFFh
	images    []ROM
	low       []shadow // isapc: what is loaded into RAM at reset
}

// shadow is an image that is copied into writable memory at reset.
type shadow struct {
	r     *mem.Region
	off   uint64
	image []byte
}

const (
	minRAM = 1 << 20
	maxRAM = 1 << 40
)

// New builds a machine. It is in its power-on state; the CPU is to be reset
// by its owner.
func New(env dev.Env, c Config) (*Machine, error) {
	switch {
	case c.CPU == nil || env.Clock == nil:
		panic("BUG: pc: no CPU or no clock")
	case c.RAM < minRAM || c.RAM > maxRAM:
		return nil, fmt.Errorf("%d bytes of RAM: a PC has 1 MiB to 1 TiB", c.RAM)
	case c.RAM%mem.PageSize != 0:
		return nil, fmt.Errorf("%d bytes of RAM are no multiple of %d", c.RAM, mem.PageSize)
	case len(c.BIOS) == 0:
		return nil, errors.New("no BIOS")
	case len(c.BIOS) > 16<<20 || len(c.BIOS)%1024 != 0:
		return nil, fmt.Errorf("a BIOS of %d bytes: it must be a multiple of 1 KiB, at most 16 MiB", len(c.BIOS))
	case c.Kind == ISA && c.RAM > 1<<32-32<<20:
		return nil, errors.New("an isapc has less than 4 GiB of RAM")
	}
	if c.VRAM == 0 {
		c.VRAM = 16 << 20
	}
	m := &Machine{c: c, env: env}
	m.Ports = mem.NewContainer("io", 0x10000)
	m.IO = mem.NewSpace("I/O", m.Ports, env.Log)
	m.RAM = mem.NewRAM("pc.ram", c.RAM)
	if c.Kind == ISA {
		m.isaMemory()
	} else {
		m.pciMemory()
	}
	m.legacy()
	if c.Kind == ISA {
		m.isaParts()
	} else {
		m.pciParts()
		if c.HasAPIC {
			m.apics()
		}
	}
	if err := m.video(); err != nil {
		return nil, err
	}
	for _, slot := range c.Slots {
		path, d, err := slot(m)
		if err != nil {
			return nil, err
		}
		m.add(path, d)
	}
	if err := m.firmware(); err != nil {
		return nil, err
	}
	m.Reset()
	return m, nil
}

func (m *Machine) add(path string, d dev.Device) { m.parts = append(m.parts, Part{path, d}) }

// Parts returns all devices, in the order of their wiring.
func (m *Machine) Parts() []Part { return m.parts }

// ROM is an image that the firmware is, or starts. Either it is mapped at an
// address, or the firmware gets it as a file.
type ROM struct {
	Name string
	Addr uint64
	File string // in fw_cfg, "" = mapped
	Size uint64
}

// ROMs lists the images.
func (m *Machine) ROMs() []ROM { return m.images }

// Reset puts the whole board, but for the CPU, in its power-on state. RAM
// keeps its contents.
func (m *Machine) Reset() {
	for _, s := range m.low {
		m.load(s)
	}
	for _, p := range m.parts {
		p.Dev.Reset()
	}
	m.bootOrder()
	m.resets++
	m.Settle()
}

func (m *Machine) load(s shadow) {
	r := s.r.RAM()
	copy(r.Bytes[s.off:], s.image)
	r.Wrote(s.off, uint64(len(s.image)))
}

// Settle drives all lines from the state of all parts (after a load).
func (m *Machine) Settle() {
	for _, p := range m.parts {
		if s, ok := p.Dev.(dev.Settler); ok {
			s.Settle()
		}
	}
}

// State walks the state of all parts but the CPU and RAM. After a load call
// Settle.
func (m *Machine) State(s *snap.Section) {
	s.Version(1)
	s.Int("resets", &m.resets, 0, 1<<30)
	for _, p := range m.parts {
		s.Sub(p.Path, p.Dev.State)
	}
}

// Busy reports whether a device waits for the host: wait until it is not
// before a snapshot.
func (m *Machine) Busy() bool {
	for _, ch := range m.IDE {
		if ch != nil && ch.Busy() {
			return true
		}
	}
	return m.FDC.Busy()
}

// PowerButton presses the power button. It reports false if nobody listens:
// the operating system has not enabled ACPI.
func (m *Machine) PowerButton() bool {
	if m.PM == nil {
		return false
	}
	m.PM.PowerButton()
	return m.PM.ACPIEnabled()
}

// SMIACT is the CPU's pin: high while it is in system management mode.
func (m *Machine) SMIACT(level bool) {
	if m.Host != nil {
		m.Host.SMIACT(level)
	}
}

// OnClean has f called when RAM pages were marked clean in a dirty log (the
// display's): writes to them must be noticed again.
func (m *Machine) OnClean(f func()) { m.onClean = f }

func (m *Machine) clean() {
	if m.onClean != nil {
		m.onClean()
	}
}

// FERR is the CPU's pin: an x87 exception is to be reported the AT's way.
func (m *Machine) FERR(level bool) { m.fpu.ferr(level) }

// NMI gives the CPU an NMI (the monitor's "nmi"), whatever masks it.
func (m *Machine) NMI() {
	m.c.CPU.SetNMI(true)
	m.c.CPU.SetNMI(false)
}
