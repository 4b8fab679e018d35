package vnc

import (
	"bytes"
	"compress/zlib"
	"image"
)

// encoders is what encodings keep between rectangles.
type encoders struct {
	zlib, zrle stream
	tight      [4]stream
	buf        []byte
	colours    palette
	hex        tileBuffer
}

// stream is a zlib stream, which goes on over all rectangles of a client.
type stream struct {
	z   *zlib.Writer
	out bytes.Buffer
}

// pack compresses b, up to a place where the stream can be read to. What it
// returns is valid until the next call.
func (s *stream) pack(level int, b []byte) []byte {
	if s.z == nil {
		z, err := zlib.NewWriterLevel(&s.out, min(max(level, 1), 6))
		if err != nil {
			panic("BUG: vnc: " + err.Error())
		}
		s.z = z
	}
	s.out.Reset()
	s.z.Write(b) // into memory: it cannot fail
	s.z.Flush()
	return s.out.Bytes()
}

// encode sends the pixels of a rectangle.
func (w *writer) encode(r image.Rectangle, e *encodings) {
	w.rectHeader(r.Min.X, r.Min.Y, r.Dx(), r.Dy(), e.kind)
	switch e.kind {
	case encHextile:
		w.encodeHextile(r)
	case encZlib:
		w.encodeZlib(r, e.level)
	case encTight:
		w.encodeTight(r, e)
	case encZRLE:
		w.encodeZRLE(r, e.level)
	default:
		for y := r.Min.Y; y < r.Max.Y; y++ {
			w.buf = w.px.appendAll(w.buf[:0], w.line(r, y))
			w.out.Write(w.buf)
		}
	}
}

// raw appends all pixels of r.
func (w *writer) raw(b []byte, r image.Rectangle) []byte {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		b = w.px.appendAll(b, w.line(r, y))
	}
	return b
}

// encodeZlib is rfbproto's "Zlib Encoding".
func (w *writer) encodeZlib(r image.Rectangle, level int) {
	w.buf = w.raw(w.buf[:0], r)
	b := w.zlib.pack(level, w.buf)
	w.u32(uint32(len(b)))
	w.out.Write(b)
}

// palette counts colours and numbers them in the order of their coming.
type palette struct {
	list  [256]uint32
	count [256]int
	n     int
	slots [1024]uint16 // of a hash table; 1 + index
}

func (p *palette) reset() {
	if p.n > 0 {
		clear(p.slots[:])
	}
	p.n = 0
}

// add counts a colour and returns its number, -1 if there are more than
// limit.
func (p *palette) add(c uint32, limit int) int {
	h := c * 0x9e3779b1 >> 22
	for {
		switch at := p.slots[h]; {
		case at == 0:
			if p.n == limit {
				return -1
			}
			p.list[p.n], p.count[p.n] = c, 1
			p.n++
			p.slots[h] = uint16(p.n)
			return p.n - 1
		case p.list[at-1] == c:
			p.count[at-1]++
			return int(at - 1)
		}
		h = (h + 1) & 1023
	}
}

// count fills the palette with the colours of r; false if there are more than
// limit.
func (w *writer) count(r image.Rectangle, limit int) bool {
	p := &w.colours
	p.reset()
	last, any := uint32(0), false
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, c := range w.line(r, y) {
			if any && c == last {
				continue
			}
			if p.add(c, limit) < 0 {
				return false
			}
			last, any = c, true
		}
	}
	return true
}

// tileBuffer is scratch for a tile.
type tileBuffer struct {
	pix  [64 * 64]uint32
	done [16 * 16]bool
}

// tiles calls f for the tiles of r, left to right and top to bottom, with
// their pixels.
func (w *writer) tiles(r image.Rectangle, size int, f func(pix []uint32, dx, dy int)) {
	for y := r.Min.Y; y < r.Max.Y; y += size {
		for x := r.Min.X; x < r.Max.X; x += size {
			t := image.Rect(x, y, min(x+size, r.Max.X), min(y+size, r.Max.Y))
			pix := w.hex.pix[:0]
			for y := t.Min.Y; y < t.Max.Y; y++ {
				pix = append(pix, w.line(t, y)...)
			}
			f(pix, t.Dx(), t.Dy())
		}
	}
}

// Flags of a hextile (RFC 6143, 7.7.4).
const (
	hexRaw      = 1
	hexBack     = 2
	hexFore     = 4
	hexSubrects = 8
	hexColoured = 16
)

func (w *writer) encodeHextile(r image.Rectangle) {
	var back, fore uint32
	known := false // back and fore are those of the tile before
	w.buf = w.buf[:0]
	w.tiles(r, 16, func(pix []uint32, dx, dy int) {
		start := len(w.buf)
		p := &w.colours
		p.reset()
		best := 0
		for _, c := range pix {
			if i := p.add(c, 256); p.count[i] > p.count[best] {
				best = i
			}
		}
		bg := p.list[best]
		flags := byte(0)
		w.buf = append(w.buf, 0)
		if !known || bg != back {
			flags |= hexBack
			w.buf = w.px.append(w.buf, bg)
		}
		if p.n == 2 {
			if fg := p.list[1-best]; !known || fg != fore {
				flags |= hexFore
				w.buf = w.px.append(w.buf, fg)
				fore = fg
			}
		}
		if p.n > 1 {
			flags |= hexSubrects
			if p.n > 2 {
				flags |= hexColoured
			}
			w.subrects(pix, dx, dy, bg, p.n > 2)
		}
		w.buf[start] = flags
		back, known = bg, true
		if p.n > 2 {
			known = false // the last subrectangle's colour is not the foreground
		}
		if len(w.buf)-start > 1+len(pix)*w.px.size {
			w.buf = append(w.buf[:start], hexRaw)
			w.buf = w.px.appendAll(w.buf, pix)
			known = false
		}
		if len(w.buf) > 32<<10 {
			w.out.Write(w.buf)
			w.buf = w.buf[:0]
		}
	})
	w.out.Write(w.buf)
}

// subrects appends the parts of a tile that are not bg.
func (w *writer) subrects(pix []uint32, dx, dy int, bg uint32, coloured bool) {
	done := &w.hex.done
	clear(done[:])
	at := len(w.buf)
	w.buf = append(w.buf, 0)
	n := 0
	for y := range dy {
		for x := 0; x < dx; x++ {
			c := pix[y*dx+x]
			if c == bg || done[y*16+x] {
				continue
			}
			x1 := x + 1
			for x1 < dx && pix[y*dx+x1] == c && !done[y*16+x1] {
				x1++
			}
			y1 := y + 1
		down:
			for ; y1 < dy; y1++ {
				for i := x; i < x1; i++ {
					if pix[y1*dx+i] != c || done[y1*16+i] {
						break down
					}
				}
			}
			for j := y; j < y1; j++ {
				for i := x; i < x1; i++ {
					done[j*16+i] = true
				}
			}
			if coloured {
				w.buf = w.px.append(w.buf, c)
			}
			w.buf = append(w.buf, byte(x<<4|y), byte((x1-x-1)<<4|(y1-y-1)))
			n++
			x = x1 - 1
		}
	}
	// 255 is enough: with more the tile is longer than its pixels and is sent raw.
	w.buf[at] = byte(min(n, 255))
}

// encodeZRLE is RFC 6143, 7.7.6.
func (w *writer) encodeZRLE(r image.Rectangle, level int) {
	w.buf = w.buf[:0]
	w.tiles(r, 64, w.zrleTile)
	b := w.zrle.pack(level, w.buf)
	w.u32(uint32(len(b)))
	w.out.Write(b)
}

func (w *writer) zrleTile(pix []uint32, dx, dy int) {
	p := &w.colours
	p.reset()
	runs, single, many := 0, 0, false
	for i := 0; i < len(pix); {
		j := i + 1
		for j < len(pix) && pix[j] == pix[i] {
			j++
		}
		if !many && p.add(pix[i], 127) < 0 {
			many = true
		}
		if j-i == 1 {
			single++
		} else {
			runs++
		}
		i = j
	}
	cp := w.px.compact
	n := p.n
	if !many && n == 1 {
		w.buf = w.px.appendCompact(append(w.buf, 1), pix[0])
		return
	}
	size, kind := len(pix)*cp, 0
	if s := (cp+1)*(runs+single) + len(pix)/255; s < size {
		size, kind = s, 128
	}
	if !many {
		if s := cp*n + 2*runs + single + len(pix)/255; s < size {
			size, kind = s, 128+n
		}
		if n <= 16 {
			if s := cp*n + (dx*depth(n)+7)/8*dy; s < size {
				kind = n
			}
		}
	}
	w.buf = append(w.buf, byte(kind))
	if kind > 0 && kind != 128 {
		for _, c := range p.list[:n] {
			w.buf = w.px.appendCompact(w.buf, c)
		}
	}
	switch {
	case kind == 0:
		for _, c := range pix {
			w.buf = w.px.appendCompact(w.buf, c)
		}
	case kind <= 16:
		w.packed(pix, dx, depth(n))
	default:
		w.runs(pix, kind != 128)
	}
}

// depth is the bits of an index into a packed palette of n colours.
func depth(n int) int {
	switch {
	case n <= 2:
		return 1
	case n <= 4:
		return 2
	}
	return 4
}

// packed appends indexes, lines beginning with a byte.
func (w *writer) packed(pix []uint32, dx, bits int) {
	for len(pix) > 0 {
		var b byte
		used := 0
		for _, c := range pix[:dx] {
			b = b<<bits | byte(w.colours.add(c, 127))
			if used += bits; used == 8 {
				w.buf = append(w.buf, b)
				b, used = 0, 0
			}
		}
		if used > 0 {
			w.buf = append(w.buf, b<<(8-used))
		}
		pix = pix[dx:]
	}
}

// runs appends run lengths, of colours or of indexes.
func (w *writer) runs(pix []uint32, indexed bool) {
	for i := 0; i < len(pix); {
		j := i + 1
		for j < len(pix) && pix[j] == pix[i] {
			j++
		}
		n := j - i
		if indexed {
			ix := byte(w.colours.add(pix[i], 127))
			if n == 1 {
				w.buf = append(w.buf, ix)
				i = j
				continue
			}
			w.buf = append(w.buf, ix|0x80)
		} else {
			w.buf = w.px.appendCompact(w.buf, pix[i])
		}
		for n--; n >= 255; n -= 255 {
			w.buf = append(w.buf, 255)
		}
		w.buf = append(w.buf, byte(n))
		i = j
	}
}
