package vga

import (
	"encoding/binary"
	"image"

	"rhea/internal/display"
	"rhea/internal/mem"
)

// kind is what makes the picture.
type kind uint8

const (
	kindBlank kind = iota
	kindText
	kindGraphics
	kindDispi
	kindChip
)

// drawn is what the last Draw left, to draw only what has changed since.
type drawn struct {
	redraw bool // a register changed
	fonts  bool // plane 2 was written
	kind   kind
	w, h   int
	cells  []uint64 // of a text mode
	pages  []bool   // that have been written
	any    bool     // any of them
	line   []uint32 // scratch
	blinking
}

// mode returns what is shown now and its size in dots and lines.
func (v *VGA) mode() (k kind, w, h int) {
	w, h = v.size2()
	switch {
	case v.arx&arPAS == 0 || v.sr[srClock]&0x20 != 0 || v.sr[srReset]&3 != 3:
		k = kindBlank
	case v.enable&dispiEnabled != 0:
		k = kindDispi
	case v.gr[grMisc]&1 != 0:
		k = kindGraphics
	default:
		k = kindText
	}
	if v.enable&dispiEnabled != 0 {
		w, h = int(v.xres), int(v.yres)
	}
	// SeaBIOS's video BIOS for the Cirrus chip leaves its modes with "screen
	// off" (SR1, bit 5) set.
	if v.c.Chip != nil && v.arx&arPAS != 0 && v.sr[srReset]&3 == 3 {
		if l, ok := v.c.Chip.Linear(); ok {
			k, w, h = kindChip, l.Width, l.Height
		}
	}
	return k, w, h
}

// charWidth is the dots of a character clock.
func (v *VGA) charWidth() int {
	if v.sr[srClock]&1 != 0 {
		return 8
	}
	return 9
}

// columns is the character clocks of a line that are displayed.
func (v *VGA) columns() int { return int(v.cr[1]) + 1 }

// size2 is the CRTC's picture: dots as the monitor gets them, so that halved
// clocks and doubled lines count.
func (v *VGA) size2() (w, h int) {
	w = v.columns() * v.charWidth()
	if v.sr[srClock]&8 != 0 {
		w *= 2
	}
	return w, int(v.crtc().lines)
}

// Draw implements display.Source.
func (v *VGA) Draw(s *display.Surface, full bool) image.Rectangle {
	d := &v.draw
	k, w, h := v.mode()
	if k != d.kind || w != d.w || h != d.h || s.Width != w || s.Height != h {
		d.kind, d.w, d.h = k, w, h
		s.Resize(w, h)
		full = true
	}
	full = full || d.redraw
	v.collect()
	var r image.Rectangle
	switch k {
	case kindBlank:
		if full {
			clear(s.Pix)
			r = image.Rect(0, 0, w, h)
		}
	case kindText:
		r = v.drawText(s, full || d.fonts)
	case kindGraphics:
		r = v.drawGraphics(s, full)
	case kindDispi:
		if v.bpp == 4 {
			r = v.drawPlanarDispi(s, full)
		} else {
			r = v.drawLinear(s, full, Linear{BPP: v.bpp, Start: v.start(), Stride: v.stride(), Repeat: 1})
		}
	case kindChip:
		if l, ok := v.c.Chip.Linear(); ok {
			r = v.drawLinear(s, full, l)
		}
	}
	d.redraw, d.fonts = false, false
	return r
}

// collect notes which pages have been written since the last time.
func (v *VGA) collect() {
	d := &v.draw
	if d.pages == nil {
		d.pages = make([]bool, v.size/mem.PageSize)
	} else if d.any {
		clear(d.pages)
	}
	d.any = false
	v.vram.TakeDirty(0, uint64(v.size), func(off uint64) {
		d.pages[off/mem.PageSize] = true
		d.any = true
	})
}

// dirty reports whether any of n bytes at off has been written.
func (v *VGA) dirty(off, n uint32) bool {
	for p := off / mem.PageSize; p <= (off+n-1)/mem.PageSize; p++ {
		if v.draw.pages[p&(v.size/mem.PageSize-1)] {
			return true
		}
	}
	return false
}

// colour returns a DAC register as a pixel.
func (v *VGA) colour(i uint8) uint32 {
	c := v.dac[3*int(i&v.dacMask):]
	if v.enable&dispi8BitDAC != 0 {
		return uint32(c[0])<<16 | uint32(c[1])<<8 | uint32(c[2])
	}
	up := func(x uint8) uint32 { return uint32(x&0x3f)<<2 | uint32(x&0x3f)>>4 }
	return up(c[0])<<16 | up(c[1])<<8 | up(c[2])
}

// palette returns what the attribute controller makes of 4-bit pixels.
func (v *VGA) palette() (p [16]uint32) {
	for i := range p {
		p[i] = v.colour(v.attribute(uint8(i)))
	}
	return p
}

// attribute returns the DAC register that a 4-bit pixel selects.
func (v *VGA) attribute(i uint8) uint8 {
	a := v.ar[i&v.ar[arPlanes]&15]
	if v.ar[arMode]&0x80 != 0 {
		return a&0x0f | v.ar[arSelect]&0x0f<<4
	}
	return a&0x3f | v.ar[arSelect]&0x0c<<4
}

func (v *VGA) palette256() (p [256]uint32) {
	for i := range p {
		p[i] = v.colour(uint8(i))
	}
	return p
}

// beam walks the address counter down the screen as the CRTC does.
type beam struct {
	row, scan uint32 // address of the row, row scan
	offset    uint32 // from row to row
	maxScan   uint32
	double    bool
	compare   int // split screen after this line
	split     bool
}

func (v *VGA) newBeam() beam {
	return beam{
		row:     uint32(v.cr[0x0c])<<8 | uint32(v.cr[0x0d]) + uint32(v.cr[8]>>5&3),
		scan:    uint32(v.cr[8] & 0x1f),
		offset:  uint32(v.cr[0x13]) * 2,
		maxScan: uint32(v.cr[9] & 0x1f),
		double:  v.cr[9]&0x80 != 0,
		compare: int(v.cr[0x18]) | int(v.cr[7])<<4&0x100 | int(v.cr[9])<<3&0x200,
	}
}

// next moves on from line y.
func (b *beam) next(y int) {
	switch {
	case y == b.compare:
		b.row, b.scan, b.split = 0, 0, true
	case b.double && y&1 == 0:
	case b.scan == b.maxScan:
		b.scan = 0
		b.row += b.offset
	default:
		b.scan = (b.scan + 1) & 0x1f
	}
}

// address turns the CRTC's counter into an offset in the planes.
func (v *VGA) address(c, scan uint32) uint32 {
	a := c & 0xffff
	switch {
	case v.cr[0x14]&0x40 != 0: // doubleword
		a = a<<2 | a>>14&3
	case v.cr[0x17]&0x40 == 0: // word
		wrap := uint32(13)
		if v.cr[0x17]&0x20 != 0 {
			wrap = 15
		}
		a = a<<1 | a>>wrap&1
	}
	if v.cr[0x17]&1 == 0 {
		a = a&^(1<<13) | scan&1<<13
	}
	if v.cr[0x17]&2 == 0 {
		a = a&^(1<<14) | scan>>1&1<<14
	}
	return a & 0xffff
}

// drawGraphics draws what the shift registers make of the planes.
func (v *VGA) drawGraphics(s *display.Surface, full bool) image.Rectangle {
	if !full && !v.draw.any {
		return image.Rectangle{}
	}
	cols := v.columns()
	if n := (cols + 1) * 8; len(v.draw.line) < n {
		v.draw.line = make([]uint32, n)
	}
	pal, pal256 := v.palette(), [256]uint32{}
	if v.gr[grMode]&0x40 != 0 {
		pal256 = v.palette256()
	}
	pan := int(v.ar[arPan] & 7)
	b := v.newBeam()
	top, bottom := s.Height, 0
	last, lastRow, lastScan := -1, uint32(0), uint32(0)
	for y := range s.Height {
		out := s.Pix[y*s.Stride : y*s.Stride+s.Width]
		if b.split && v.ar[arMode]&0x20 != 0 {
			pan = 0
		}
		switch {
		case last >= 0 && b.row == lastRow && b.scan == lastScan:
			copy(out, s.Pix[last*s.Stride:last*s.Stride+s.Width])
			top, bottom = min(top, y), y+1
		case full || v.lineDirty(b.row, b.scan, cols):
			v.shift(v.draw.line, b.row, b.scan, cols, &pal, &pal256)
			spreadDots(out, v.draw.line[pan:])
			top, bottom = min(top, y), y+1
			last, lastRow, lastScan = y, b.row, b.scan
		default:
			last = -1
		}
		b.next(y)
	}
	if bottom == 0 {
		return image.Rectangle{}
	}
	return image.Rect(0, top, s.Width, bottom)
}

// spreadDots copies dots to a line, each twice where the clock is halved.
func spreadDots(out, dots []uint32) {
	if len(dots) >= len(out) {
		copy(out, dots)
		return
	}
	for x := range out {
		out[x] = dots[min(x/2, len(dots)-1)]
	}
}

func (v *VGA) lineDirty(row, scan uint32, cols int) bool {
	for c := range uint32(cols + 1) {
		if v.draw.pages[v.cell(v.address(row+c, scan))/mem.PageSize] {
			return true
		}
	}
	return false
}

// shift makes 8 dots of each character clock of a line (graphics mode
// register, bits 6:5).
func (v *VGA) shift(out []uint32, row, scan uint32, cols int, pal *[16]uint32, pal256 *[256]uint32) {
	for c := range uint32(cols + 1) {
		x := v.load(v.cell(v.address(row+c, scan)))
		o := out[8*c : 8*c+8]
		switch {
		case v.gr[grMode]&0x40 != 0: // 256 colours: each dot twice
			for i := range 4 {
				p := pal256[x>>(8*i)&0xff]
				o[2*i], o[2*i+1] = p, p
			}
		case v.gr[grMode]&0x20 != 0: // CGA: planes 0 and 1 one after the other, 2 bits a dot
			for i := range 4 {
				sh := 6 - 2*i
				o[i] = pal[x>>sh&3|x>>(16+sh)&3<<2]
				o[i+4] = pal[x>>(8+sh)&3|x>>(24+sh)&3<<2]
			}
		default:
			for i := range 8 {
				t := x >> (7 - i)
				o[i] = pal[t&1|t>>7&2|t>>14&4|t>>21&8]
			}
		}
	}
}

// drawPlanarDispi draws a 16-colour mode of DISPI.
func (v *VGA) drawPlanarDispi(s *display.Surface, full bool) image.Rectangle {
	if !full && !v.draw.any {
		return image.Rectangle{}
	}
	pal := v.palette()
	stride := uint32(v.virtWidth) / 8
	for y := range s.Height {
		off := (uint32(v.yOffset)+uint32(y))*stride + uint32(v.xOffset)/8
		out := s.Pix[y*s.Stride : y*s.Stride+s.Width]
		for x := 0; x+8 <= len(out); x += 8 {
			w := v.load(v.cell(off + uint32(x/8)))
			for i := range 8 {
				t := w >> (7 - i)
				out[x+i] = pal[t&1|t>>7&2|t>>14&4|t>>21&8]
			}
		}
	}
	return image.Rect(0, 0, s.Width, s.Height)
}

// drawLinear draws a linear picture, the lines that have been written.
func (v *VGA) drawLinear(s *display.Surface, full bool, l Linear) image.Rectangle {
	stale, end := 0, 0
	if v.c.Chip != nil {
		stale, end = v.c.Chip.Stale(v.dirty)
	}
	if !full && !v.draw.any && stale == end {
		return image.Rectangle{}
	}
	var pal [256]uint32
	if l.BPP == 8 {
		pal = v.palette256()
	}
	n := (uint32(l.BPP) + 7) / 8 * uint32(s.Width)
	top, bottom := s.Height, 0
	for y := range s.Height {
		at := l.Start + uint32(y/l.Repeat)*l.Stride
		if v.c.Chip != nil {
			at &= v.size - 1
		}
		if uint64(at)+uint64(n) > uint64(v.size) {
			break
		}
		if !full && !v.dirty(at, n) && (y < stale || y >= end) {
			continue
		}
		out := s.Pix[y*s.Stride : y*s.Stride+s.Width]
		convert(out, v.b[at:at+n], l.BPP, &pal)
		if v.c.Chip != nil {
			v.c.Chip.Line(y, out)
		}
		top, bottom = min(top, y), y+1
	}
	if bottom == 0 {
		return image.Rectangle{}
	}
	return image.Rect(0, top, s.Width, bottom)
}

// convert turns a line of little-endian pixels into 0x00RRGGBB.
func convert(out []uint32, in []byte, bpp uint16, pal *[256]uint32) {
	le := binary.LittleEndian
	switch bpp {
	case 8:
		for i := range out {
			out[i] = pal[in[i]]
		}
	case 15:
		for i := range out {
			p := uint32(le.Uint16(in[2*i:]))
			r, g, b := p>>10&31, p>>5&31, p&31
			out[i] = (r<<3|r>>2)<<16 | (g<<3|g>>2)<<8 | b<<3 | b>>2
		}
	case 16:
		for i := range out {
			p := uint32(le.Uint16(in[2*i:]))
			r, g, b := p>>11&31, p>>5&63, p&31
			out[i] = (r<<3|r>>2)<<16 | (g<<2|g>>4)<<8 | b<<3 | b>>2
		}
	case 24:
		for i := range out {
			out[i] = uint32(in[3*i]) | uint32(in[3*i+1])<<8 | uint32(in[3*i+2])<<16
		}
	case 32:
		for i := range out {
			out[i] = le.Uint32(in[4*i:]) & 0xffffff
		}
	}
}
