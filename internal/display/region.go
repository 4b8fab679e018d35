package display

import (
	"image"
	"math/bits"
)

// tile is the width in pixels of what a Region counts.
const tile = 16

// Region is what of a picture has changed: a bit for each 16 pixels of each
// line. The zero Region is empty and has no size.
type Region struct {
	w, h, words int
	bits        []uint64
	top, bottom int // lines that may have bits
}

// Resize makes r empty and gives it the size of a picture.
func (r *Region) Resize(w, h int) {
	words := (w + tile*64 - 1) / (tile * 64)
	r.w, r.h, r.words = w, h, words
	if n := words * h; cap(r.bits) >= n {
		r.bits = r.bits[:n]
	} else {
		r.bits = make([]uint64, n)
	}
	clear(r.bits)
	r.top, r.bottom = h, 0
}

// Empty reports whether nothing has changed.
func (r *Region) Empty() bool { return r.top >= r.bottom }

// Clear makes r empty.
func (r *Region) Clear() {
	if !r.Empty() {
		clear(r.bits[r.top*r.words : r.bottom*r.words])
	}
	r.top, r.bottom = r.h, 0
}

// Bounds returns the lines that have changed, in their whole width.
func (r *Region) Bounds() image.Rectangle {
	if r.Empty() {
		return image.Rectangle{}
	}
	return image.Rect(0, r.top, r.w, r.bottom)
}

// Add adds a rectangle, of which what is outside of the picture is left out.
func (r *Region) Add(a image.Rectangle) {
	a = a.Intersect(image.Rect(0, 0, r.w, r.h))
	if a.Empty() {
		return
	}
	r.top, r.bottom = min(r.top, a.Min.Y), max(r.bottom, a.Max.Y)
	first, last := a.Min.X/tile, (a.Max.X-1)/tile
	for y := a.Min.Y; y < a.Max.Y; y++ {
		row := r.bits[y*r.words : (y+1)*r.words]
		for w := first / 64; w <= last/64; w++ {
			row[w] |= between(first-w*64, last-w*64)
		}
	}
}

// between has the bits from first to last, as far as they are in a word.
func between(first, last int) uint64 {
	m := ^uint64(0)
	if first > 0 {
		m <<= first
	}
	if last < 63 {
		m &= ^uint64(0) >> (63 - last)
	}
	return m
}

// set marks tile t of line y.
func (r *Region) set(y, t int) {
	r.bits[y*r.words+t/64] |= 1 << (t % 64)
	r.top, r.bottom = min(r.top, y), max(r.bottom, y+1)
}

// Union adds all of a, which has the same size.
func (r *Region) Union(a *Region) {
	if a.Empty() || a.w != r.w || a.h != r.h {
		return
	}
	r.top, r.bottom = min(r.top, a.top), max(r.bottom, a.bottom)
	for i := a.top * a.words; i < a.bottom*a.words; i++ {
		r.bits[i] |= a.bits[i]
	}
}

// Take calls f for rectangles that make up r, from top to bottom, and takes
// them out. It ends early, with the rest still in r, when f says false.
func (r *Region) Take(f func(image.Rectangle) bool) {
	for y := r.top; y < r.bottom; y++ {
		r.top = y
		row := r.bits[y*r.words : (y+1)*r.words]
		for {
			first := firstBit(row)
			if first < 0 {
				break
			}
			end := first
			for end < r.words*64 && row[end/64]>>(end%64)&1 != 0 {
				end++
			}
			// The same tiles of the lines below, as long as all are marked.
			n := 0
			for y+n < r.bottom && r.has(y+n, first, end-1) {
				n++
			}
			for i := range n {
				r.drop(y+i, first, end-1)
			}
			if !f(image.Rect(first*tile, y, min(end*tile, r.w), y+n)) {
				return
			}
		}
	}
	r.top, r.bottom = r.h, 0
}

func firstBit(row []uint64) int {
	for i, w := range row {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

func (r *Region) has(y, first, last int) bool {
	for w := first / 64; w <= last/64; w++ {
		if m := between(first-w*64, last-w*64); r.bits[y*r.words+w]&m != m {
			return false
		}
	}
	return true
}

func (r *Region) drop(y, first, last int) {
	for w := first / 64; w <= last/64; w++ {
		r.bits[y*r.words+w] &^= between(first-w*64, last-w*64)
	}
}

// RemoveLines takes whole lines out of r.
func (r *Region) RemoveLines(top, bottom int) {
	top, bottom = max(top, r.top), min(bottom, r.bottom)
	if top < bottom {
		clear(r.bits[top*r.words : bottom*r.words])
	}
}
