package vga

import "rhea/internal/mem"

// Bits of registers that are used by name.
const (
	miscColour = 1 << 0 // CRTC at 3D4h instead of 3B4h
	miscRAM    = 1 << 1 // the processor sees video memory

	srReset, srClock, srMapMask, srCharMap, srMemMode = 0, 1, 2, 3, 4

	grSetReset, grEnableSR, grCompare, grRotate, grReadMap, grMode, grMisc, grDontCare, grBitMask = 0, 1, 2, 3, 4, 5, 6, 7, 8

	arMode, arOverscan, arPlanes, arPan, arSelect = 0x10, 0x11, 0x12, 0x13, 0x14
	arPAS                                         = 0x20 // of the index: the palette is the CRTC's
)

// Ports are the register ports from 3C0h on, for a chip that has them in
// memory as well.
func (v *VGA) Ports() mem.MMIO {
	p := (*ports)(v)
	return mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(p.in(0x3c0 + off)) },
		W: func(off uint64, _ int, x uint64) { p.out(0x3c0+off, uint8(x)) },
	}
}

// ports is the register ports.
type ports VGA

func (p *ports) in(port uint64) uint8 {
	v := (*VGA)(p)
	if !v.answers(port) {
		return 0xff
	}
	if v.c.Chip != nil {
		if x, ok := v.c.Chip.In(port); ok {
			return x
		}
	}
	switch port {
	case 0x3b4, 0x3d4:
		return v.crx
	case 0x3b5, 0x3d5:
		return v.cr[v.crx]
	case 0x3ba, 0x3da:
		v.arData = false
		return v.status1()
	case 0x3c0:
		return v.arx
	case 0x3c1:
		return v.ar[v.arx&0x1f]
	case 0x3c2: // input status 0: a colour display is connected
		return 0x10
	case 0x3c3:
		return 1
	case 0x3c4:
		return v.srx
	case 0x3c5:
		return v.sr[v.srx]
	case 0x3c6:
		return v.dacMask
	case 0x3c7:
		if v.dacReading {
			return 3
		}
		return 0
	case 0x3c8:
		return v.dacNext
	case 0x3c9:
		x := v.dac[int(v.dacRead)*3+int(v.dacSub)]
		if v.dacSub++; v.dacSub == 3 {
			v.dacSub = 0
			v.dacRead++
		}
		return x
	case 0x3ca:
		return v.feature
	case 0x3cc:
		return v.misc
	case 0x3ce:
		return v.grx
	case 0x3cf:
		return v.gr[v.grx]
	}
	return 0xff
}

// answers reports whether the port is one that the adapter decodes now: the
// CRTC has two places.
func (v *VGA) answers(port uint64) bool {
	if port >= 0x3c0 && port < 0x3d0 {
		return true
	}
	return (port >= 0x3d0) == (v.misc&miscColour != 0)
}

// Bits of the sequencer, graphics and attribute registers that exist.
var (
	srMask = [8]uint8{0x03, 0x3d, 0x0f, 0x3f, 0x0e}
	grMask = [16]uint8{0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff}
	arMask = [32]uint8{0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
		0xef, 0xff, 0x3f, 0x0f, 0x0f}
)

func (p *ports) out(port uint64, x uint8) {
	v := (*VGA)(p)
	if !v.answers(port) || v.c.Chip != nil && v.c.Chip.Out(port, x) {
		return
	}
	switch port {
	case 0x3b4, 0x3d4:
		v.crx = x & 0x1f
	case 0x3b5, 0x3d5:
		v.setCRTC(v.crx, x)
	case 0x3ba, 0x3da:
		v.feature = x & 0x10
	case 0x3c0:
		v.setAttribute(x)
	case 0x3c2:
		v.set(&v.misc, x&0xef)
	case 0x3c4:
		v.srx = x & 7
	case 0x3c5:
		v.set(&v.sr[v.srx], x&srMask[v.srx])
	case 0x3c6:
		v.set(&v.dacMask, x)
	case 0x3c7:
		v.dacRead, v.dacSub, v.dacReading = x, 0, true
	case 0x3c8:
		v.dacNext, v.dacSub, v.dacReading = x, 0, false
	case 0x3c9:
		if v.enable&dispi8BitDAC == 0 {
			x &= 0x3f
		}
		v.set(&v.dac[int(v.dacNext)*3+int(v.dacSub)], x)
		if v.dacSub++; v.dacSub == 3 {
			v.dacSub = 0
			v.dacNext++
		}
	case 0x3ce:
		v.grx = x & 15
	case 0x3cf:
		if v.gr[v.grx] == x&grMask[v.grx] {
			return
		}
		v.gr[v.grx] = x & grMask[v.grx]
		if v.grx == grMode || v.grx == grMisc {
			v.draw.redraw = true // the others only concern writes
		}
		v.mapWindow()
	}
}

// set changes a register that shows in the picture or the memory map.
func (v *VGA) set(r *uint8, x uint8) {
	if *r != x {
		*r = x
		v.changed()
	}
}

// setCRTC writes a CRTC register. Bit 7 of register 11h protects 0 to 7 but
// for the line compare bit.
func (v *VGA) setCRTC(i, x uint8) {
	if i > 0x18 {
		return
	}
	if v.cr[0x11]&0x80 != 0 && i <= 7 {
		if i == 7 {
			v.set(&v.cr[7], v.cr[7]&^0x10|x&0x10)
		}
		return
	}
	switch i {
	case 0x0a, 0x0b, 0x0e, 0x0f: // the cursor is compared when drawn
		v.cr[i] = x
	default:
		v.set(&v.cr[i], x)
	}
}

func (v *VGA) setAttribute(x uint8) {
	v.arData = !v.arData
	if v.arData {
		if (v.arx^x)&arPAS != 0 {
			v.changed()
		}
		v.arx = x & 0x3f
		return
	}
	i := v.arx & 0x1f
	if i < 16 && v.arx&arPAS != 0 {
		return // the palette can be written only while PAS is 0
	}
	v.set(&v.ar[i], x&arMask[i])
}

// timing of the CRTC in nanoseconds.
type timing struct {
	line, frame     int64
	shown           int64 // of a line
	lines           int64 // displayed
	retrace, endRet int64 // lines of vertical retrace
}

// crtc computes how long lines and frames take.
func (v *VGA) crtc() timing {
	clock := int64(25175)
	if v.misc>>2&3 == 1 {
		clock = 28322
	}
	width := int64(9)
	if v.sr[srClock]&1 != 0 {
		width = 8
	}
	if v.sr[srClock]&8 != 0 {
		width *= 2
	}
	over := int64(v.cr[7])
	total := (int64(v.cr[6]) | over&1<<8 | over>>5&1<<9) + 2
	shown := (int64(v.cr[0x12]) | over>>1&1<<8 | over>>6&1<<9) + 1
	retrace := int64(v.cr[0x10]) | over>>2&1<<8 | over>>7&1<<9
	n := (int64(v.cr[0x11]&15) - retrace) & 15
	t := timing{
		line:    (int64(v.cr[0]) + 5) * width * 1_000_000 / clock,
		shown:   (int64(v.cr[1]) + 1) * width * 1_000_000 / clock,
		lines:   shown,
		retrace: retrace, endRet: retrace + n,
	}
	t.frame = t.line * total
	if total < 100 || t.line < 10_000 || retrace >= total { // not set up: the BIOS's 70 Hz text mode
		t = timing{line: 31778, shown: 25422, lines: 400, retrace: 412, endRet: 414, frame: 31778 * 449}
	}
	return t
}

// status1 is input status 1: bit 0 = not displaying, bit 3 = vertical
// retrace, from where the beam is.
func (v *VGA) status1() uint8 {
	t := v.crtc()
	at := v.c.Env.Clock.Now() % t.frame
	line, pos := at/t.line, at%t.line
	var s uint8
	if line >= t.lines || pos >= t.shown {
		s |= 1
	}
	if line >= t.retrace && line < t.endRet {
		s |= 9
	}
	return s
}
