// Package cirrus models the Cirrus Logic CL-GD5446, a VGA with packed-pixel
// modes, a hardware cursor and a blitter (CL-GD5446 Technical Reference
// Manual, November 1996; register names as there), as a PCI function.
package cirrus

import (
	"image"
	"math/bits"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/display/vga"
	"rhea/internal/display"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Extended registers of the sequencer, the graphics controller and the CRTC
// that are used by name.
const (
	srUnlock = 0x06
	srMode   = 0x07
	srCurX   = 0x10
	srCurY   = 0x11
	srCursor = 0x12
	srCurPat = 0x13
	srConfig = 0x17
	srCount  = 0x20

	grBank0   = 0x09
	grBank1   = 0x0a
	grModeExt = 0x0b
	grCount   = 0x3a

	crMisc   = 0x1a
	crExt    = 0x1b
	crStart  = 0x1d
	crID     = 0x27
	crCount  = 0x28
	idGD5446 = 0xb8
)

// Bits of them.
const (
	modePacked = 1 << 0 // SR7

	configMMIO   = 1 << 2 // SR17
	configAtB800 = 1 << 6

	extDual     = 1 << 0 // GRB
	extBy8      = 1 << 1
	extWrites   = 1 << 2
	extBy16     = 1 << 4
	extUnit16K  = 1 << 5
	cursorOn    = 1 << 0 // SR12
	cursorPal   = 1 << 1
	cursorLarge = 1 << 2
)

// window is how far into the first base address the area is that the
// blitter's data goes through.
const (
	window  = 16 << 20
	lfbSize = 32 << 20
)

// Config describes an adapter.
type Config struct {
	Env     dev.Env
	VRAM    uint64 // bytes: 1, 2 or 4 MiB; 0 = 4 MiB
	Bus     *pci.Bus
	Device  int
	ROM     []byte
	OnClean func()
}

// Cirrus is a display adapter.
type Cirrus struct {
	env dev.Env
	vga *vga.VGA
	fn  *pci.Function
	b   []byte // video memory
	// Addresses wrap within it.
	vram, mask uint32
	// host takes the processor's accesses of linear memory while the blitter
	// wants data.
	host *mem.Region

	srx, crx, grx uint8 // indexes, with all their bits
	sr            [srCount]uint8
	gr            [grCount]uint8
	cr            [crCount]uint8
	curX, curY    uint16
	hiddenDAC     uint8
	dacReads      uint8 // of the pixel mask, one after the other
	palette       [48]uint8
	palIndex      uint8
	palSub        uint8

	blit  blit
	timer *vclock.Timer // of blits that are not done at once
	drawn cursor        // as last drawn
}

// New plugs an adapter into c.Bus.
func New(c Config) *Cirrus {
	if c.VRAM == 0 {
		c.VRAM = 4 << 20
	}
	k := &Cirrus{env: c.Env, vram: uint32(c.VRAM), mask: uint32(c.VRAM) - 1}
	k.timer = c.Env.Clock.NewTimer(k.proceed)
	k.vga = vga.New(vga.Config{Env: c.Env, VRAM: c.VRAM, Chip: k, OnClean: c.OnClean})
	k.b = k.vga.Memory()
	// Memory is all ones at first, which Windows 2000's driver takes for
	// granted.
	k.b[0] = 0xff
	for n := 1; n < len(k.b); n *= 2 {
		copy(k.b[n:], k.b[:n])
	}
	lfb := mem.NewContainer("cirrus-lfb", lfbSize)
	lfb.Add(0, k.vga.VRAM)
	data := mem.Handlers{
		R: func(_ uint64, size int) uint64 { return k.hostRead(size) },
		W: func(_ uint64, size int, x uint64) { k.hostWrite(size, x) },
	}
	k.host = mem.NewIO("cirrus-host-data", c.VRAM, data).Sizes(1, 8)
	k.host.Enable(false)
	lfb.Add(0, k.host, 1)
	lfb.Add(window, mem.NewIO("cirrus-blt", 4<<20, data).Sizes(1, 8))

	k.fn = pci.NewFunction(pci.Header{Name: "cirrus-vga", Vendor: 0x1013, Device: 0x00b8, Class: 0x030000, SubVendor: 0x1af4, SubDevice: 0x1100})
	k.fn.MemoryBAR(0, lfb, true)
	k.fn.MemoryBAR(1, mem.NewIO("cirrus-mmio", 0x1000, (*mmio)(k)).Sizes(1, 1), false)
	if len(c.ROM) > 0 {
		k.fn.ROM(c.ROM)
	}
	c.Bus.Plug(c.Device, 0, k.fn)
	k.Reset()
	return k
}

// VGA returns the core, for its window and its ports.
func (k *Cirrus) VGA() *vga.VGA { return k.vga }

// Function returns the PCI function.
func (k *Cirrus) Function() *pci.Function { return k.fn }

// Draw and Text implement display.Source.
func (k *Cirrus) Draw(s *display.Surface, full bool) image.Rectangle { return k.vga.Draw(s, full) }

// Text implements display.Source.
func (k *Cirrus) Text() []string { return k.vga.Text() }

// TextPage implements display.TextSource.
func (k *Cirrus) TextPage() (display.TextPage, bool) {
	if k.bpp() != 0 {
		return display.TextPage{}, false
	}
	return k.vga.TextPage()
}

// Reset implements dev.Device. Memory keeps its contents.
func (k *Cirrus) Reset() {
	k.srx, k.crx, k.grx = 0, 0, 0
	k.sr, k.gr, k.cr = [srCount]uint8{}, [grCount]uint8{}, [crCount]uint8{}
	k.sr[srUnlock] = 0x0f
	k.sr[0x0f] = 0x98                              // DRAM control: 64 bits wide, two banks
	k.sr[0x15] = uint8(bits.Len32(k.vram>>20)) + 1 // 2 = 1 MiB, 3 = 2 MiB, 4 = 4 MiB
	k.sr[srConfig] = 0x20                          // a PCI bus
	k.sr[0x1f] = 0x2d                              // memory clock
	k.gr[0x18] = 0x0f
	k.cr[crID] = idGD5446
	k.curX, k.curY, k.hiddenDAC, k.dacReads = 0, 0, 0, 0
	k.palette, k.palIndex, k.palSub = [48]uint8{}, 0, 0
	k.blit = blit{}
	k.timer.Stop()
	k.host.Enable(false)
	k.vga.Reset()
	k.fn.Reset()
}

// Settle implements dev.Settler.
func (k *Cirrus) Settle() {
	k.host.Enable(k.blit.active())
	k.vga.Settle()
}

// State implements dev.Device.
func (k *Cirrus) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", k.fn.State)
	s.Sub("vga", k.vga.State)
	s.U8("srx", &k.srx)
	s.U8("crx", &k.crx)
	s.U8("grx", &k.grx)
	s.Bytes("sr", k.sr[:])
	s.Bytes("gr", k.gr[:])
	s.Bytes("cr", k.cr[:])
	s.U16("cursor-x", &k.curX)
	s.U16("cursor-y", &k.curY)
	s.U8("hidden-dac", &k.hiddenDAC)
	s.U8("dac-reads", &k.dacReads)
	s.Bytes("palette", k.palette[:])
	s.U8("palette-index", &k.palIndex)
	s.U8("palette-sub", &k.palSub)
	s.Check(k.dacReads <= 4 && k.palIndex < 16 && k.palSub < 3, "index is out of range")
	s.Sub("blit", k.blit.state)
	if s.Loading() {
		if s.Err() != nil {
			k.dacReads, k.palIndex, k.palSub, k.blit = 0, 0, 0, blit{}
		}
		k.host.Enable(k.blit.active())
		k.vga.Changed()
		if k.timer.Stop(); k.blit.running {
			k.timer.Set(k.env.Clock.Now() + pause)
		}
	}
}

// bpp is the bits of a pixel of the packed modes; 0 = a mode of the VGA.
func (k *Cirrus) bpp() uint16 {
	if k.sr[srMode]&modePacked == 0 {
		return 0
	}
	switch k.sr[srMode] & 0x0e {
	case 0x00:
		return 8
	case 0x02, 0x06:
		if k.hiddenDAC&0x0f == 1 { // XGA, 5:6:5
			return 16
		}
		return 15
	case 0x04:
		return 24
	case 0x08:
		return 32
	}
	return 8
}

// Linear implements vga.Chip.
func (k *Cirrus) Linear() (vga.Linear, bool) {
	l := vga.Linear{BPP: k.bpp()}
	if l.BPP == 0 {
		return l, false
	}
	v := k.vga
	l.Width, l.Height = v.Columns()*8, v.Lines()
	if k.cr[crMisc]&1 != 0 { // interlaced
		l.Height *= 2
	}
	l.Stride = (uint32(v.CRTC(0x13)) | uint32(k.cr[crExt])<<4&0x100) * 8
	l.Start = (uint32(v.CRTC(0x0c))<<8 | uint32(v.CRTC(0x0d)) | uint32(k.cr[crExt])<<16&0x10000 | uint32(k.cr[crExt])<<15&0x60000 |
		uint32(k.cr[crStart])<<12&0x80000) * 4
	l.Repeat = int(v.CRTC(9)&0x1f) + 1
	if v.CRTC(9)&0x80 != 0 {
		l.Repeat *= 2
	}
	return l, true
}

// bank returns where in memory the half of the window that a is in begins,
// and how many bytes there are.
func (k *Cirrus) bank(a uint32) (off, limit uint32) {
	half := a >> 15
	off = uint32(k.gr[grBank0])
	if k.gr[grModeExt]&extDual != 0 && half == 1 {
		off = uint32(k.gr[grBank1])
	}
	if k.gr[grModeExt]&extUnit16K != 0 {
		off <<= 14
	} else {
		off <<= 12
	}
	if k.gr[grModeExt]&extDual == 0 && half == 1 {
		off += 0x8000
	}
	if off >= k.vram {
		return 0, 0
	}
	return off, k.vram - off
}

// Window implements vga.Chip.
func (k *Cirrus) Window() (off uint32, direct, vga bool) {
	if k.sr[srMode]&modePacked == 0 {
		return 0, false, true
	}
	off, n := k.bank(0)
	second, m := k.bank(0x8000)
	plain := k.gr[grModeExt]&(extBy8|extBy16|extWrites) == 0 && !k.blit.active()
	return off, plain && second == off+0x8000 && n >= 0x8000 && m >= 0x8000, false
}

// at turns an address of the window into one of memory.
func (k *Cirrus) at(a uint32) (uint32, bool) {
	off, n := k.bank(a)
	a &= 0x7fff
	if a >= n {
		return 0, false
	}
	at := off + a
	switch m := k.gr[grModeExt]; {
	case m&(extBy16|extWrites) == extBy16|extWrites:
		at <<= 4
	case m&extBy8 != 0:
		at <<= 3
	}
	return at & k.mask, true
}

// registersAt reports whether the blitter's registers are seen at a, and
// where.
func (k *Cirrus) registersAt(a uint32) (uint32, bool) {
	return a - 0x18000, k.sr[srConfig]&(configMMIO|configAtB800) == configMMIO && a >= 0x18000 && a < 0x18100
}

// Load implements vga.Chip.
func (k *Cirrus) Load(a uint32) (uint8, bool) {
	if r, ok := k.registersAt(a); ok {
		return k.readBlitter(r), true
	}
	if k.sr[srMode]&modePacked == 0 {
		return 0, false
	}
	if a >= 0x10000 {
		return 0xff, true
	}
	if k.blit.toHost {
		return k.hostByte(), true
	}
	if at, ok := k.at(a); ok {
		return k.b[at], true
	}
	return 0xff, true
}

// Store implements vga.Chip.
func (k *Cirrus) Store(a uint32, x uint8) bool {
	if r, ok := k.registersAt(a); ok {
		k.writeBlitter(r, x)
		return true
	}
	if k.sr[srMode]&modePacked == 0 {
		return false
	}
	switch {
	case a >= 0x10000:
	case k.blit.fromHost:
		k.takeByte(x)
	default:
		if at, ok := k.at(a); ok {
			k.put(at, x)
		}
	}
	return true
}

// put writes by the extended write modes 4 and 5, in which each bit is a
// pixel, or a byte.
func (k *Cirrus) put(at uint32, x uint8) {
	mode := k.gr[5] & 7
	if k.gr[grModeExt]&extWrites == 0 || mode < 4 || mode > 5 {
		k.b[at] = x
		k.vga.Wrote(uint64(at), 1)
		return
	}
	wide := uint32(1)
	if k.gr[grModeExt]&extBy16 != 0 {
		wide = 2
	}
	fg, bg := [2]uint8{k.gr[1], k.gr[0x11]}, [2]uint8{k.gr[0], k.gr[0x10]}
	at &^= 8*wide - 1
	for i := range uint32(8) {
		c := fg
		if x>>(7-i)&1 == 0 {
			if mode == 4 {
				continue
			}
			c = bg
		}
		copy(k.b[at+i*wide:at+(i+1)*wide], c[:wide])
	}
	k.vga.Wrote(uint64(at), uint64(8*wide))
}

// mmio is base address 1: the VGA's ports, and at 100h the blitter.
type mmio Cirrus

func (m *mmio) Read(off uint64, size int) uint64 {
	k := (*Cirrus)(m)
	switch {
	case off < 0x20:
		return k.vga.Ports().Read(off, size)
	case off >= 0x100 && off < 0x200:
		return uint64(k.readBlitter(uint32(off - 0x100)))
	}
	return 0xff
}

func (m *mmio) Write(off uint64, size int, x uint64) {
	k := (*Cirrus)(m)
	switch {
	case off < 0x20:
		k.vga.Ports().Write(off, size, x)
	case off >= 0x100 && off < 0x200:
		k.writeBlitter(uint32(off-0x100), uint8(x))
	}
}
