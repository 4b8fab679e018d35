package vga

import "rhea/internal/snap"

// Registers of DISPI (the Bochs project's vbe_display_api).
const (
	dispiID = iota
	dispiXRes
	dispiYRes
	dispiBPP
	dispiEnable
	dispiBank
	dispiVirtWidth
	dispiVirtHeight
	dispiXOffset
	dispiYOffset
	dispiMemory // video memory in units of 64 KiB
	dispiCount
)

// Bits of the enable register.
const (
	dispiEnabled = 0x01
	dispiCaps    = 0x02 // resolution registers read as maxima
	dispi8BitDAC = 0x20
	dispiLFB     = 0x40
	dispiNoClear = 0x80
)

const (
	dispiVersion = 0xb0c5
	dispiMaxX    = 2560
	dispiMaxY    = 1600
)

// dispi is the register file.
type dispi struct {
	index            uint16
	version          uint16
	xres, yres, bpp  uint16
	enable, bank     uint16
	virtWidth        uint16
	xOffset, yOffset uint16
}

// resetDispi is what Bochs has; a virtual width of 0 would make video BIOSes
// divide by it.
func resetDispi() dispi {
	return dispi{version: dispiVersion, xres: 640, yres: 480, bpp: 8, virtWidth: 640}
}

func (d *dispi) state(s *snap.Section) {
	s.Version(1)
	for _, r := range []struct {
		name string
		p    *uint16
	}{{"index", &d.index}, {"version", &d.version}, {"xres", &d.xres}, {"yres", &d.yres}, {"bpp", &d.bpp},
		{"enable", &d.enable}, {"bank", &d.bank}, {"virt-width", &d.virtWidth}, {"x-offset", &d.xOffset}, {"y-offset", &d.yOffset}} {
		s.U16(r.name, r.p)
	}
}

// depth is bytes of n pixels of a linear mode (halved bytes for 4 bpp).
func (d *dispi) bytes(n uint32) uint32 {
	switch d.bpp {
	case 4:
		return n / 2
	case 15:
		return n * 2
	}
	return n * uint32(d.bpp/8)
}

// stride is the bytes of a line, start those before the first pixel.
func (v *VGA) stride() uint32 { return v.bytes(uint32(v.virtWidth)) }

func (v *VGA) start() uint32 {
	return uint32(v.yOffset)*v.stride() + v.bytes(uint32(v.xOffset))
}

func (v *VGA) virtHeight() uint16 {
	if s := v.stride(); s > 0 {
		return uint16(min(v.size/s, 0xffff))
	}
	return 0
}

// fixDispi makes the registers describe a picture that is within video
// memory, whatever was written (CVE-2016-3712 was a picture beyond it).
func (v *VGA) fixDispi() {
	v.bank &= uint16(v.size>>16 - 1)
	v.virtWidth = max(v.virtWidth, 8)
	if v.enable&dispiEnabled == 0 {
		return // there is no picture yet
	}
	switch v.bpp {
	case 4, 8, 15, 16, 24, 32:
	default:
		v.bpp = 8
	}
	v.xres = min(max(v.xres&^7, 8), dispiMaxX)
	v.yres = min(max(v.yres, 1), dispiMaxY)
	v.virtWidth = max(v.virtWidth&^7, v.xres)
	if v.bytes(uint32(v.virtWidth))*uint32(v.yres) > v.size {
		v.virtWidth = v.xres
	}
	if s := v.stride(); s*uint32(v.yres) > v.size {
		v.yres = uint16(max(v.size/s, 1))
	}
	if v.xOffset > v.virtWidth-v.xres {
		v.xOffset = v.virtWidth - v.xres
	}
	if h := v.virtHeight(); v.yOffset > h-min(h, v.yres) {
		v.yOffset = h - min(h, v.yres)
	}
}

func (v *VGA) dispiRead(i uint16) uint16 {
	caps := v.enable&dispiCaps != 0
	switch i {
	case dispiID:
		return v.version
	case dispiXRes:
		if caps {
			return dispiMaxX
		}
		return v.xres
	case dispiYRes:
		if caps {
			return dispiMaxY
		}
		return v.yres
	case dispiBPP:
		if caps {
			return 32
		}
		return v.bpp
	case dispiEnable:
		return v.enable
	case dispiBank:
		return v.bank
	case dispiVirtWidth:
		return v.virtWidth
	case dispiVirtHeight:
		return v.virtHeight()
	case dispiXOffset:
		return v.xOffset
	case dispiYOffset:
		return v.yOffset
	case dispiMemory:
		return uint16(v.size >> 16)
	}
	return 0
}

func (v *VGA) dispiWrite(i, x uint16) {
	off := v.enable&dispiEnabled == 0
	switch i {
	case dispiID:
		if x >= 0xb0c0 && x <= dispiVersion {
			v.version = x
		}
		return
	case dispiXRes:
		if off { // the mode cannot change under a picture
			v.xres = x
		}
		return
	case dispiYRes:
		if off {
			v.yres = x
		}
		return
	case dispiBPP:
		if off {
			v.bpp = x
		}
		return
	case dispiEnable:
		v.dispiSwitch(x)
	case dispiBank:
		v.bank = x & uint16(v.size>>16-1)
		v.mapWindow()
		return
	case dispiVirtWidth:
		v.virtWidth = x
		v.fixDispi()
	case dispiXOffset:
		v.xOffset = x
		v.fixDispi()
	case dispiYOffset:
		v.yOffset = x
		v.fixDispi()
	default:
		return
	}
	v.changed()
}

// dispiSwitch turns a mode on or off.
func (v *VGA) dispiSwitch(x uint16) {
	was := v.enable
	v.enable = x & (dispiEnabled | dispiCaps | dispi8BitDAC | dispiLFB | dispiNoClear)
	if (was^v.enable)&dispi8BitDAC != 0 {
		for i := range v.dac {
			if v.enable&dispi8BitDAC != 0 {
				v.dac[i] <<= 2
			} else {
				v.dac[i] >>= 2
			}
		}
	}
	if v.enable&dispiEnabled == 0 {
		v.bank = 0
		return
	}
	if was&dispiEnabled == 0 {
		v.virtWidth, v.xOffset, v.yOffset, v.bank = v.xres, 0, 0, 0
		v.fixDispi()
		if x&dispiNoClear == 0 {
			n := v.stride() * uint32(v.yres)
			if v.bpp == 4 {
				n = min(n*4, v.size)
			}
			clear(v.b[:min(n, v.size)])
			v.vram.Wrote(0, uint64(min(n, v.size)))
		}
	}
}

// dispiPorts is 1CEh (index), 1CFh (data) and 1D0h (data, where words must
// be aligned).
type dispiPorts VGA

func (p *dispiPorts) Read(off uint64, size int) uint64 {
	v := (*VGA)(p)
	if off == 0 {
		return uint64(v.index)
	}
	return uint64(v.dispiRead(v.index))
}

func (p *dispiPorts) Write(off uint64, size int, x uint64) {
	v := (*VGA)(p)
	if off == 0 {
		v.index = uint16(x)
		return
	}
	v.dispiWrite(v.index, uint16(x))
}

// mmio is BAR 2: VGA ports from 3C0h on at 400h, DISPI at 500h, and at 600h
// the size of that block and the byte order of pixels.
type mmio VGA

const littleEndianPixels = 0x1e1e1e1e

func (m *mmio) Read(off uint64, size int) uint64 {
	v := (*VGA)(m)
	switch {
	case off >= 0x400 && off < 0x420:
		var x uint64
		for i := range uint64(size) {
			x |= uint64((*ports)(v).in(off-0x400+0x3c0+i)) << (8 * i)
		}
		return x
	case off >= 0x500 && off < 0x500+2*dispiCount:
		x := uint64(v.dispiRead(uint16(off-0x500) / 2))
		return x >> (8 * (off & 1))
	case off == 0x600:
		return 8
	case off == 0x604:
		return littleEndianPixels
	}
	return 0
}

func (m *mmio) Write(off uint64, size int, x uint64) {
	v := (*VGA)(m)
	switch {
	case off >= 0x400 && off < 0x420:
		for i := range uint64(size) {
			(*ports)(v).out(off-0x400+0x3c0+i, uint8(x>>(8*i)))
		}
	case off >= 0x500 && off < 0x500+2*dispiCount && size >= 2:
		v.dispiWrite(uint16(off-0x500)/2, uint16(x))
	case off == 0x604 && x != littleEndianPixels:
		v.c.Env.Log.Unimp("vga: big-endian pixels")
	}
}
