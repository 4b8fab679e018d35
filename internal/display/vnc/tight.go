package vnc

import (
	"image"
	"image/jpeg"
)

// Bounds of Tight's rectangles: decoders have lines of 2048 pixels; smaller
// parts have fewer colours.
const (
	maxTightWidth = 2048
	maxTightArea  = 64 << 10
)

// Compression control (rfbproto, "Tight Encoding").
const (
	tightFill    = 0x80
	tightJPEG    = 0x90
	tightFilter  = 0x40
	filterPal    = 1
	tightMinimum = 12 // bytes that are worth compressing
)

// encodeTight sends one colour, a palette, JPEG, or pixels.
func (w *writer) encodeTight(r image.Rectangle, e *encodings) {
	limit := 256
	switch {
	case w.px.size == 1:
		limit = 2
	case r.Dx()*r.Dy() < 1024:
		limit = max(2, r.Dx()*r.Dy()/4)
	}
	few := w.count(r, limit)
	n := w.colours.n
	switch {
	case few && n == 1:
		w.buf = w.px.appendTight(append(w.buf[:0], tightFill), w.colours.list[0])
		w.out.Write(w.buf)
	case few:
		stream := 2
		if n == 2 {
			stream = 1
		}
		w.buf = append(w.buf[:0], byte(stream<<4|tightFilter), filterPal, byte(n-1))
		for _, c := range w.colours.list[:n] {
			w.buf = w.px.appendTight(w.buf, c)
		}
		w.out.Write(w.buf)
		w.buf = w.buf[:0]
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if n == 2 {
				w.packed(w.line(r, y), r.Dx(), 1)
				continue
			}
			for _, c := range w.line(r, y) {
				w.buf = append(w.buf, byte(w.colours.add(c, 256)))
			}
		}
		w.tightData(stream, e.level)
	case w.c.s.c.Lossy && e.quality > 0 && w.px.size > 1 && r.Dx() >= 16 && r.Dy() >= 16:
		w.tightJPEG(r, e.quality)
	default:
		w.out.WriteByte(0)
		w.buf = w.buf[:0]
		for y := r.Min.Y; y < r.Max.Y; y++ {
			if !w.px.rgb {
				w.buf = w.px.appendAll(w.buf, w.line(r, y))
				continue
			}
			for _, c := range w.line(r, y) {
				w.buf = append(w.buf, byte(c>>16), byte(c>>8), byte(c))
			}
		}
		w.tightData(0, e.level)
	}
}

// tightData sends w.buf by one of the streams.
func (w *writer) tightData(stream, level int) {
	b := w.buf
	if len(b) >= tightMinimum {
		b = w.tight[stream].pack(level, b)
		w.tightLength(len(b))
	}
	w.out.Write(b)
}

// tightLength sends a length in one to three bytes.
func (w *writer) tightLength(n int) {
	switch {
	case n < 1<<7:
		w.out.WriteByte(byte(n))
	case n < 1<<14:
		w.header(byte(n)|0x80, byte(n>>7))
	default:
		w.header(byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14))
	}
}

func (w *writer) tightJPEG(r image.Rectangle, quality int) {
	m := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	for y := range r.Dy() {
		for x, c := range w.line(r, r.Min.Y+y) {
			i := y*m.Stride + 4*x
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = byte(c>>16), byte(c>>8), byte(c), 0xff
		}
	}
	out := &w.tight[3].out
	out.Reset()
	jpeg.Encode(out, m, &jpeg.Options{Quality: quality}) // into memory
	w.out.WriteByte(tightJPEG)
	w.tightLength(out.Len())
	w.out.Write(out.Bytes())
}
