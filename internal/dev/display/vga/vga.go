// Package vga models the IBM VGA (PS/2 Hardware Interface Technical
// Reference, Video Subsystem; register names as there) with the display
// interface of the Bochs emulator (DISPI, "VBE DISPI"), by which it has
// linear modes: as an ISA card or as PCI function 1234:1111.
package vga

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// Config describes an adapter.
type Config struct {
	Env  dev.Env
	VRAM uint64 // bytes: a power of two, at least 256 KiB; 0 = 16 MiB
	// Bus, if not nil, makes it a PCI function at Device. ROM is its video
	// BIOS.
	Bus    *pci.Bus
	Device int
	ROM    []byte
	// Chip, if not nil, is one that adds to the VGA, in place of DISPI. It makes
	// the PCI function.
	Chip Chip
	// OnClean is called when writes to video memory must be noticed again:
	// the engine drops its write-enabled mappings of it.
	OnClean func()
}

// VGA is a display adapter.
type VGA struct {
	c    Config
	fn   *pci.Function // nil if ISA
	vram *mem.RAM
	b    []byte // of vram
	size uint32

	VRAM   *mem.Region // linear video memory
	window *mem.Region // A0000h-BFFFFh
	banked *mem.Region // the part of VRAM seen directly at A0000h
	direct bool

	regs
	dispi
	latch uint32

	draw drawn
}

// Chip is what a chip made after the VGA adds to it.
type Chip interface {
	// In and Out take accesses of the ports 3C0h to 3DFh; false leaves them to
	// the VGA.
	In(port uint64) (uint8, bool)
	Out(port uint64, x uint8) bool
	// Load and Store do the same for bytes of the window at A0000h.
	Load(a uint32) (uint8, bool)
	Store(a uint32, x uint8) bool
	// Window is where in video memory the processor may see the first 64 KiB
	// of the window directly; vga leaves that to the VGA.
	Window() (off uint32, direct, vga bool)
	// Linear describes a picture that is not one of the VGA's.
	Linear() (Linear, bool)
	// Line draws over line y of such a picture.
	Line(y int, pix []uint32)
	// Stale returns the lines that have to be drawn again although video
	// memory has not changed; dirty says what has.
	Stale(dirty func(off, n uint32) bool) (top, bottom int)
}

// Linear is a picture of pixels that follow one another in video memory.
type Linear struct {
	Width, Height int
	BPP           uint16 // 8, 15, 16, 24, 32
	Start, Stride uint32 // bytes
	Repeat        int    // how often a line is shown
}

// regs is the register file.
type regs struct {
	misc, feature    uint8
	sr               [8]uint8  // sequencer
	cr               [32]uint8 // CRTC
	gr               [16]uint8 // graphics controller
	ar               [32]uint8 // attribute controller
	srx, crx, grx    uint8     // indexes
	arx              uint8     // index and PAS (bit 5)
	arData           bool      // the flip-flop: data comes next
	dac              [768]uint8
	dacMask          uint8
	dacRead, dacNext uint8 // index being read or written
	dacSub           uint8 // 0..2: which component
	dacReading       bool
}

// New returns an adapter. A PCI one is plugged into c.Bus.
func New(c Config) *VGA {
	if c.VRAM == 0 {
		c.VRAM = 16 << 20
	}
	if bits.OnesCount64(c.VRAM) != 1 || c.VRAM < 256<<10 || c.VRAM > 512<<20 {
		panic(fmt.Sprintf("BUG: vga: %d bytes of memory", c.VRAM))
	}
	v := &VGA{c: c, size: uint32(c.VRAM)}
	v.VRAM = mem.NewRAM("vga.vram", c.VRAM)
	v.vram = v.VRAM.RAM()
	v.b = v.vram.Bytes
	v.vram.Log(c.OnClean)

	v.window = mem.NewContainer("vga-window", 0x20000)
	v.window.Add(0, mem.NewIO("vga-planar", 0x20000, (*planar)(v)).Sizes(1, 8))
	v.banked = mem.NewAlias("vga-banked", v.VRAM, 0, 0x10000)
	v.banked.Enable(false)
	v.window.Add(0, v.banked, 1)

	if c.Bus != nil {
		v.fn = pci.NewFunction(pci.Header{Name: "VGA", Vendor: 0x1234, Device: 0x1111, Class: 0x030000, Revision: 2,
			SubVendor: 0x1af4, SubDevice: 0x1100})
		v.fn.MemoryBAR(0, v.VRAM, true)
		v.fn.MemoryBAR(2, mem.NewIO("vga.mmio", 0x1000, (*mmio)(v)).Sizes(1, 4), false)
		if len(c.ROM) > 0 {
			v.fn.ROM(c.ROM)
		}
		c.Bus.Plug(c.Device, 0, v.fn)
	}
	v.Reset()
	return v
}

// Window returns the 128 KiB to map at A0000h.
func (v *VGA) Window() *mem.Region { return v.window }

// MapPorts adds the adapter's I/O ports to the I/O space.
func (v *VGA) MapPorts(io *mem.Region) {
	p := (*ports)(v)
	at := func(name string, base, n uint64) {
		io.Add(base, mem.NewIO(name, n, mem.Handlers{
			R: func(off uint64, _ int) uint64 { return uint64(p.in(base + off)) },
			W: func(off uint64, _ int, x uint64) { p.out(base+off, uint8(x)) },
		}).Sizes(1, 1))
	}
	at("vga-mono", 0x3b4, 2)
	at("vga-mono", 0x3ba, 1)
	at("vga", 0x3c0, 16)
	at("vga-colour", 0x3d4, 2)
	at("vga-colour", 0x3da, 1)
	if v.c.Chip != nil {
		return
	}
	io.Add(0x1ce, mem.NewIO("dispi", 4, (*dispiPorts)(v)).Sizes(1, 2))
}

// Function returns the PCI function, nil of an ISA card.
func (v *VGA) Function() *pci.Function { return v.fn }

// Reset implements dev.Device. Memory keeps its contents.
func (v *VGA) Reset() {
	v.regs = regs{dacMask: 0xff}
	v.dispi = resetDispi()
	v.latch = 0
	if v.fn != nil {
		v.fn.Reset()
	}
	v.changed()
}

// Settle implements dev.Settler: what is seen at A0000h.
func (v *VGA) Settle() { v.mapWindow() }

// State implements dev.Device. Video memory is RAM and saved as that.
func (v *VGA) State(s *snap.Section) {
	s.Version(1)
	if v.fn != nil {
		s.Sub("pci", v.fn.State)
	}
	s.U8("misc", &v.misc)
	s.U8("feature", &v.feature)
	s.Bytes("sr", v.sr[:])
	s.Bytes("cr", v.cr[:])
	s.Bytes("gr", v.gr[:])
	s.Bytes("ar", v.ar[:])
	s.U8("srx", &v.srx)
	s.U8("crx", &v.crx)
	s.U8("grx", &v.grx)
	s.U8("arx", &v.arx)
	s.Bool("ar-data", &v.arData)
	s.Bytes("dac", v.dac[:])
	s.U8("dac-mask", &v.dacMask)
	s.U8("dac-read", &v.dacRead)
	s.U8("dac-next", &v.dacNext)
	s.U8("dac-sub", &v.dacSub)
	s.Bool("dac-reading", &v.dacReading)
	s.U32("latch", &v.latch)
	s.Check(v.srx < 8 && v.crx < 32 && v.grx < 16 && v.arx < 64 && v.dacSub < 3, "index is out of range")
	s.Sub("dispi", v.dispi.state)
	if s.Loading() {
		if s.Err() != nil {
			v.regs, v.dispi = regs{}, resetDispi()
		}
		v.fixDispi()
		v.changed()
	}
}

// Memory returns video memory, Wrote says that it was written, and Changed that
// the picture looks different or the window shows something else.
func (v *VGA) Memory() []byte      { return v.b }
func (v *VGA) Wrote(off, n uint64) { v.vram.Wrote(off, n) }
func (v *VGA) Changed()            { v.changed() }
func (v *VGA) CRTC(i int) uint8    { return v.cr[i] }

// Lines returns how many the CRTC displays, Columns how many characters.
func (v *VGA) Lines() int   { return int(v.crtc().lines) }
func (v *VGA) Columns() int { return v.columns() }

// changed follows a change of a register: the picture is drawn anew.
func (v *VGA) changed() {
	v.draw.redraw = true
	v.mapWindow()
}

// cell returns where in video memory the four planes' bytes at offset off
// lie. The planes are interleaved; an offset's two low bits go to the top of
// its 16 so that chain 4 addressing, which uses every fourth offset, is
// linear, and mode 13h's memory can be given out as RAM.
func (v *VGA) cell(off uint32) uint32 {
	return ((off&^0xffff | off&0xffff>>2 | off&3<<14) << 2) & (v.size - 1)
}

func (v *VGA) load(cell uint32) uint32 { return binary.LittleEndian.Uint32(v.b[cell:]) }
func (v *VGA) store(cell, x uint32) {
	binary.LittleEndian.PutUint32(v.b[cell:], x)
	v.vram.Wrote(uint64(cell), 4)
}
