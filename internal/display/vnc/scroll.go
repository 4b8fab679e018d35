package vnc

import (
	"image"
	"slices"

	"rhea/internal/display"
)

// Scrolling is looked for when at least so many lines have changed, and worth
// telling for as many.
const minScroll = 32

// scroll looks for lines that have moved up or down as they are, the way that
// consoles scroll, and tells the client to move them (CopyRect). Both locks
// are held.
func (w *writer) scroll(s *display.Surface, known image.Rectangle) {
	c := w.c
	b := c.region.Bounds().Intersect(known)
	if b.Dy() < minScroll || known.Dx() != s.Width || w.copy.Width != s.Width {
		return
	}
	line := func(p []uint32, y int) []uint32 { return p[y*s.Width : (y+1)*s.Width] }
	was := make(map[uint64]int, b.Dy()) // lines that are there once, by their sums
	for y := b.Min.Y; y < b.Max.Y; y++ {
		h := sumLine(line(w.copy.Pix, y))
		if _, twice := was[h]; twice {
			was[h] = -1
		} else {
			was[h] = y
		}
	}
	votes := map[int]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		if from, ok := was[sumLine(line(s.Pix, y))]; ok && from >= 0 && from != y {
			votes[from-y]++
		}
	}
	dy, most := 0, minScroll/4
	for d, n := range votes {
		if n > most {
			dy, most = d, n
		}
	}
	if dy == 0 {
		return
	}
	// The longest run of lines that have moved by that much.
	from, n := 0, 0
	for y := max(b.Min.Y, b.Min.Y-dy); y < min(b.Max.Y, b.Max.Y-dy); y++ {
		start := y
		for y < min(b.Max.Y, b.Max.Y-dy) && slices.Equal(line(s.Pix, y), line(w.copy.Pix, y+dy)) {
			y++
		}
		if y-start > n {
			from, n = start, y-start
		}
	}
	if n < minScroll {
		return
	}
	copy(w.copy.Pix[from*s.Width:(from+n)*s.Width], w.copy.Pix[(from+dy)*s.Width:(from+dy+n)*s.Width])
	c.region.RemoveLines(from, from+n)
	w.rects = append(w.rects, rect{Rectangle: image.Rect(0, from, s.Width, from+n), from: image.Pt(0, from+dy), isCopy: true})
}

// sumLine tells lines apart, mostly.
func sumLine(p []uint32) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range p {
		h = (h ^ uint64(v)) * 1099511628211
	}
	return h
}
