package console

import (
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/font/inconsolata"
)

// palette are the sixteen colours in the order of ECMA-48, as a VGA has them.
var palette = [16]uint32{
	0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
	0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
}

// glyph is how much of each pixel has the foreground's colour, of 255.
type glyph [CellWidth * CellHeight]uint8

// glyphs are those that were drawn once.
type glyphs struct {
	known [2]map[rune]*glyph // plain and bold
}

// maxGlyphs bounds them: there are not many more in the font.
const maxGlyphs = 1024

// draw paints a character.
func (g *glyphs) draw(pix []uint32, stride int, r rune, fg, bg uint32, bold bool) {
	m := g.find(r, bold)
	for y := range CellHeight {
		row := pix[y*stride : y*stride+CellWidth]
		for x := range row {
			switch a := uint32(m[y*CellWidth+x]); a {
			case 0:
				row[x] = bg
			case 255:
				row[x] = fg
			default:
				row[x] = mix(fg, bg, a)
			}
		}
	}
}

// mix has a of 255 of fg, the rest of bg.
func mix(fg, bg, a uint32) (c uint32) {
	for s := 0; s < 24; s += 8 {
		c |= ((fg>>s&255)*a + (bg>>s&255)*(255-a)) / 255 << s
	}
	return c
}

func (g *glyphs) find(r rune, bold bool) *glyph {
	i := 0
	if bold {
		i = 1
	}
	if m := g.known[i][r]; m != nil {
		return m
	}
	if len(g.known[i]) >= maxGlyphs {
		g.known[i] = nil
	}
	if g.known[i] == nil {
		g.known[i] = map[rune]*glyph{}
	}
	m := newGlyph(r, bold)
	g.known[i][r] = m
	return m
}

// newGlyph makes a glyph. What the font has not is drawn of lines and blocks, or
// is a box.
func newGlyph(r rune, bold bool) *glyph {
	m := &glyph{}
	switch {
	case r == ' ' || r == 0 || r == 0xa0:
	case m.lines(r), m.block(r):
	default:
		face := inconsolata.Regular8x16
		if bold {
			face = inconsolata.Bold8x16
		}
		if !m.letter(face, r) {
			m.rect(1, 3, 7, 13)
			for y := 4; y < 12; y++ {
				for x := 2; x < 6; x++ {
					m[y*CellWidth+x] = 0
				}
			}
		}
	}
	return m
}

// letter takes a glyph from the font, whose glyphs are a pixel higher and wider
// than a cell: the first line and the last column are left out.
func (m *glyph) letter(f *basicfont.Face, r rune) bool {
	high := f.Ascent + f.Descent
	for _, g := range f.Ranges {
		if r < g.Low || r >= g.High {
			continue
		}
		top := (int(r-g.Low) + g.Offset) * high
		for y := range CellHeight {
			for x := range CellWidth {
				_, _, _, a := f.Mask.At(x, top+y+high-CellHeight).RGBA()
				m[y*CellWidth+x] = uint8(a >> 8)
			}
		}
		return true
	}
	return false
}

// rect fills a rectangle.
func (m *glyph) rect(x0, y0, x1, y1 int) {
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			m[y*CellWidth+x] = 255
		}
	}
}

// arms says to which sides a line goes: left, right, up, down.
type arms uint8

const (
	left arms = 1 << iota
	right
	up
	down
)

// boxes are the characters of lines (Unicode, "Box Drawing"); double and heavy
// ones look like single ones.
var boxes = []struct {
	chars string
	arms  arms
}{
	{"─━═╌╍┄┅┈┉", left | right}, {"│┃║╎╏┆┇┊┋", up | down},
	{"┌┍┎┏╒╓╔╭", right | down}, {"┐┑┒┓╕╖╗╮", left | down}, {"└┕┖┗╘╙╚╰", right | up}, {"┘┙┚┛╛╜╝╯", left | up},
	{"├┝┞┟┠┡┢┣╞╟╠", up | down | right}, {"┤┥┦┧┨┩┪┫╡╢╣", up | down | left},
	{"┬┭┮┯┰┱┲┳╤╥╦", left | right | down}, {"┴┵┶┷┸┹┺┻╧╨╩", left | right | up}, {"┼╂╋╪╫╬┽┾┿╀╁", left | right | up | down},
	{"╴╸", left}, {"╵╹", up}, {"╶╺", right}, {"╷╻", down},
}

func (m *glyph) lines(r rune) bool {
	for _, b := range boxes {
		for _, c := range b.chars {
			if c != r {
				continue
			}
			const x, y = CellWidth/2 - 1, CellHeight/2 - 1
			if b.arms&left != 0 {
				m.rect(0, y, x+1, y+1)
			}
			if b.arms&right != 0 {
				m.rect(x, y, CellWidth, y+1)
			}
			if b.arms&up != 0 {
				m.rect(x, 0, x+1, y+1)
			}
			if b.arms&down != 0 {
				m.rect(x, y, x+1, CellHeight)
			}
			return true
		}
	}
	return false
}

// block is one of Unicode's "Block Elements", scan lines of a VT102, and a
// diamond.
func (m *glyph) block(r rune) bool {
	shade := func(a uint8) {
		for i := range m {
			m[i] = a
		}
	}
	switch {
	case r == '▀':
		m.rect(0, 0, CellWidth, CellHeight/2)
	case r >= '▁' && r <= '█':
		m.rect(0, CellHeight-(int(r-'▁')+1)*CellHeight/8, CellWidth, CellHeight)
	case r >= '▉' && r <= '▏':
		m.rect(0, 0, CellWidth-1-int(r-'▉'), CellHeight)
	case r == '▐':
		m.rect(CellWidth/2, 0, CellWidth, CellHeight)
	case r == '░':
		shade(64)
	case r == '▒':
		shade(128)
	case r == '▓':
		shade(192)
	case r >= '⎺' && r <= '⎽':
		y := []int{1, 4, 10, 13}[r-'⎺']
		m.rect(0, y, CellWidth, y+1)
	case r == '◆':
		for y := range 7 {
			d := min(y, 6-y)
			m.rect(3-d, 4+y, 5+d, 5+y)
		}
	case r == '■':
		m.rect(1, 4, 7, 12)
	default:
		return false
	}
	return true
}
