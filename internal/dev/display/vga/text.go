package vga

import (
	"image"
	"strings"

	"rhea/internal/display"
)

// band is lines of the screen that show one row of characters.
type band struct {
	y0, y1    int
	row, scan uint32 // address of the row, row scan of y0
	split     bool
}

// bands cuts the screen into rows of characters.
func (v *VGA) bands(h int) []band {
	var all []band
	b := v.newBeam()
	for y := range h {
		n := len(all)
		if n == 0 || all[n-1].row != b.row || all[n-1].split != b.split {
			all = append(all, band{y0: y, y1: y + 1, row: b.row, scan: b.scan, split: b.split})
		} else {
			all[n-1].y1 = y + 1
		}
		b.next(y)
	}
	return all
}

// Flags of a cell beside its character (7:0) and attribute (15:8).
const (
	cellHidden = 1 << 16 // blinks and is off
	cellCursor = 1 << 17 // first line in 22:18, last in 27:23
	cellFont   = 28      // number of the font
)

// blink returns the phases of cursor and characters: 8 and 16 frames.
func (v *VGA) blink() (cursor, chars bool) {
	frames := v.c.Env.Clock.Now() / v.crtc().frame
	return frames&8 == 0, frames&16 == 0
}

// blinking is what a text mode's picture depends on besides memory and the
// registers that have it drawn anew.
type blinking struct {
	cursor, chars bool
	at, shape     uint16 // of the cursor
}

// textCell returns what is at counter c, with all that its look depends on.
func (v *VGA) textCell(c uint32, cursorOn, charsOn bool) uint64 {
	x := v.load(v.cell(v.address(c, 0)))
	ch, attr := x&0xff, x>>8&0xff
	cell := uint64(ch | attr<<8)
	if v.ar[arMode]&8 != 0 && attr&0x80 != 0 && !charsOn {
		cell |= cellHidden
	}
	at := uint32(v.cr[0x0e])<<8 | uint32(v.cr[0x0f])
	first, last := uint64(v.cr[0x0a]&0x1f), uint64(v.cr[0x0b]&0x1f)
	if c&0xffff == at && v.cr[0x0a]&0x20 == 0 && cursorOn && first <= last {
		cell |= cellCursor | first<<18 | last<<23
	}
	font := v.sr[srCharMap]
	n := font&3 | font>>2&4 // map B
	if attr&8 != 0 {
		n = font>>2&3 | font>>3&4 // map A
	}
	return cell | uint64(n)<<cellFont
}

// fontOffset is where in plane 2 font n begins: 0, 16K, 32K, 48K, and 8K
// above each.
func fontOffset(n uint64) uint32 { return uint32(n&3)<<14 | uint32(n>>2)<<13 }

// drawText draws the cells that look different from last time.
func (v *VGA) drawText(s *display.Surface, full bool) image.Rectangle {
	cols, cw := v.columns(), v.charWidth()
	zoom := 1
	if v.sr[srClock]&8 != 0 {
		zoom = 2
	}
	cursorOn, charsOn := v.blink()
	// Nothing was written and nothing has begun or ended to blink: the picture is
	// the one before. The cursor's registers are compared as well.
	now := blinking{cursorOn, charsOn, uint16(v.cr[0x0e])<<8 | uint16(v.cr[0x0f]), uint16(v.cr[0x0a])<<8 | uint16(v.cr[0x0b])}
	if !full && !v.draw.any && now == v.draw.blinking {
		return image.Rectangle{}
	}
	v.draw.blinking = now
	bands := v.bands(s.Height)
	if n := len(bands) * (cols + 1); len(v.draw.cells) != n {
		v.draw.cells = make([]uint64, n)
		full = true
	}
	pal := v.palette()
	var r image.Rectangle
	for i, b := range bands {
		pan := v.textPan(cw)
		if b.split && v.ar[arMode]&0x20 != 0 {
			pan = 0
		}
		for c := range cols + 1 {
			if c == cols && pan == 0 {
				break
			}
			cell := v.textCell(b.row+uint32(c), cursorOn, charsOn)
			old := &v.draw.cells[i*(cols+1)+c]
			if cell == *old && !full {
				continue
			}
			*old = cell
			x := (c*cw - pan) * zoom
			v.drawCell(s, cell, x, cw, zoom, b, &pal)
			r = r.Union(image.Rect(max(x, 0), b.y0, min(x+cw*zoom, s.Width), b.y1))
		}
	}
	return r
}

// textPan is the dots by which the picture is shifted left (attribute
// register 13h: with 9 dots, 8 means none and 0 means one).
func (v *VGA) textPan(cw int) int {
	pan := int(v.ar[arPan])
	if cw == 9 {
		if pan >= 8 {
			return 0
		}
		return pan + 1
	}
	return pan & 7
}

func (v *VGA) drawCell(s *display.Surface, cell uint64, x, cw, zoom int, b band, pal *[16]uint32) {
	ch, attr := uint32(cell&0xff), uint8(cell>>8)
	fg, bg := attr&15, attr>>4
	if v.ar[arMode]&8 != 0 {
		bg &= 7 // bit 7 means blinking
	}
	// Where both fonts are the same, bit 3 is intensity; otherwise it is
	// that too: software masks it in the palette.
	font := fontOffset(cell>>cellFont) + ch*32
	height := int(v.cr[9]&0x1f) + 1
	underline := -1
	if v.ar[arMode]&2 != 0 && attr&7 == 1 {
		underline = int(v.cr[0x14] & 0x1f)
	}
	for y := b.y0; y < b.y1; y++ {
		line := int(b.scan) + y - b.y0
		if v.cr[9]&0x80 != 0 {
			line = int(b.scan) + (y-b.y0)/2
		}
		line %= max(height, 1)
		var dots uint32
		if cell&cellHidden == 0 {
			dots = v.load(v.cell(font+uint32(line&0x1f))) >> 16 & 0xff
			if line == underline {
				dots = 0x1ff
			}
		}
		if cell&cellCursor != 0 && line >= int(cell>>18&0x1f) && line <= int(cell>>23&0x1f) {
			dots = 0x1ff
		}
		v.drawDots(s, x, y, cw, zoom, dots, ch, pal[fg], pal[bg])
	}
}

// drawDots draws one line of a character; the ninth dot of line graphics is
// the eighth again (attribute mode, bit 2).
func (v *VGA) drawDots(s *display.Surface, x, y, cw, zoom int, dots, ch, fg, bg uint32) {
	for i := range cw {
		on := dots>>(7-i&7)&1 != 0
		if i == 8 {
			on = dots&0x100 != 0 || v.ar[arMode]&4 != 0 && ch >= 0xc0 && ch <= 0xdf && dots&1 != 0
		}
		p := bg
		if on {
			p = fg
		}
		for z := range zoom {
			if at := x + i*zoom + z; at >= 0 && at < s.Width {
				s.Pix[y*s.Stride+at] = p
			}
		}
	}
}

// Text implements display.Source.
func (v *VGA) Text() []string {
	k, _, h := v.mode()
	if k != kindText {
		return nil
	}
	var lines []string
	for _, b := range v.bands(h) {
		var t strings.Builder
		for c := range uint32(v.columns()) {
			t.WriteRune(cp437[v.load(v.cell(v.address(b.row+c, 0)))&0xff])
		}
		lines = append(lines, strings.TrimRight(t.String(), " "))
	}
	return lines
}

// TextPage implements display.TextSource.
func (v *VGA) TextPage() (p display.TextPage, ok bool) {
	k, _, h := v.mode()
	if k != kindText {
		return p, false
	}
	bands := v.bands(h)
	p.Columns, p.Rows = v.columns(), len(bands)
	cursor := uint32(v.cr[0x0e])<<8 | uint32(v.cr[0x0f])
	for y, b := range bands {
		for x := range uint32(p.Columns) {
			cell := v.load(v.cell(v.address(b.row+x, 0)))
			attr := uint8(cell >> 8)
			bg := attr >> 4
			if v.ar[arMode]&8 != 0 {
				bg &= 7
			}
			p.Cells = append(p.Cells, display.TextCell{Char: cp437[cell&0xff], Fg: attr & 15, Bg: bg})
			if b.row+x == cursor && v.cr[0x0a]&0x20 == 0 {
				p.Cursor, p.X, p.Y = true, int(x), y
			}
		}
	}
	return p, true
}

// cp437 is the PC's characters; 0 and 255 show as blanks.
var cp437 = [256]rune([]rune(" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼" +
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂" +
	"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
	"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ "))
