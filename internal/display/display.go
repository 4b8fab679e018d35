// Package display is the contract between a display adapter and whoever
// shows its picture.
package display

import "image"

// Surface is a picture as 32-bit pixels 0x00RRGGBB, Stride pixels a line.
type Surface struct {
	Width, Height, Stride int
	Pix                   []uint32
}

// Resize makes s w x h pixels and keeps the memory if it is large enough.
func (s *Surface) Resize(w, h int) {
	s.Width, s.Height, s.Stride = w, h, w
	if n := w * h; cap(s.Pix) >= n {
		s.Pix = s.Pix[:n]
	} else {
		s.Pix = make([]uint32, n)
	}
}

// Image returns a copy of s.
func (s *Surface) Image() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, s.Width, s.Height))
	for y := range s.Height {
		for x, p := range s.Pix[y*s.Stride : y*s.Stride+s.Width] {
			i := m.PixOffset(x, y)
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = uint8(p>>16), uint8(p>>8), uint8(p), 0xff
		}
	}
	return m
}

// Sink is told of changes to a picture.
type Sink interface {
	Resize(*Surface)
	Damage(image.Rectangle)
}

// Source is an adapter's picture, drawn when asked for. Text returns the
// characters of a text mode, a line each, or nil in a graphics mode.
type Source interface {
	// Draw brings s up to date; full draws all of it, otherwise only what
	// changed since the last call. It returns what it drew.
	Draw(s *Surface, full bool) image.Rectangle
	Text() []string
}

// TextPage is what a text mode shows, line by line.
type TextPage struct {
	Columns, Rows int
	Cells         []TextCell
	// Cursor says that there is one, at X and Y.
	Cursor bool
	X, Y   int
}

// TextCell is a character in two of the PC's sixteen colours.
type TextCell struct {
	Char   rune
	Fg, Bg uint8
}

// TextSource is a Source that tells of its text modes' colours; false = the
// mode is no text mode.
type TextSource interface{ TextPage() (TextPage, bool) }
