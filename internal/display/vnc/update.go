package vnc

import (
	"bufio"
	"encoding/binary"
	"image"
	"math"

	"rhea/internal/display"
)

// Encodings (RFC 6143, 7.7; rfbproto).
const (
	encRaw          = 0
	encCopyRect     = 1
	encHextile      = 5
	encZlib         = 6
	encTight        = 7
	encZRLE         = 16
	encSize         = -223 // DesktopSize
	encLastRect     = -224
	encPointer      = -257 // QEMU pointer motion change
	encKey          = -258 // QEMU extended key event
	encAudio        = -259 // QEMU audio
	encLEDs         = -261 // QEMU LED state
	encExtendedSize = -308
	encPower        = -309 // xvp
	encQuality0     = -32  // JPEG quality 0 to 9
	encQuality9     = -23
	encCompress0    = -256 // compression level 0 to 9
	encCompress9    = -247
)

// encodings is what a client can do, and what it is to be told besides
// pixels. It is under client.mu.
type encodings struct {
	kind     int32 // of pixels
	copyRect bool
	size     bool
	quality  int // of JPEG, 0 = none
	level    int // of compression

	extendedSize, pointerChange, extendedKeys, leds, audio, power bool

	w, h     int // as the client knows them
	absolute bool
	ledState uint8
	tellSize, refuseSize,
	tellPointer, tellKeys, tellLEDs, tellAudio bool
	tellPower bool // that power may be controlled: a message, no rectangle
}

// set takes a client's list, in which the better ones come first.
func (e *encodings) set(list []int32) {
	was := *e
	*e = encodings{kind: encRaw, level: 1, w: was.w, h: was.h, absolute: was.absolute, ledState: was.ledState}
	found := false
	for _, x := range list {
		switch {
		case x == encCopyRect:
			e.copyRect = true
		case x == encRaw || x == encHextile || x == encZlib || x == encTight || x == encZRLE:
			if !found {
				e.kind, found = x, true
			}
		case x == encSize:
			e.size = true
		case x == encExtendedSize:
			e.extendedSize = true
		case x == encPointer:
			e.pointerChange = true
		case x == encKey:
			e.extendedKeys = true
		case x == encAudio:
			e.audio = true
		case x == encLEDs:
			e.leds = true
		case x == encPower:
			e.power = true
		case x >= encQuality0 && x <= encQuality9:
			e.quality = 10 * (int(x-encQuality0) + 1)
		case x >= encCompress0 && x <= encCompress9:
			e.level = int(x - encCompress0)
		}
	}
	e.tellKeys = e.extendedKeys && !was.extendedKeys
	e.tellPointer = e.pointerChange
	e.tellLEDs = e.leds
	e.tellAudio = e.audio && !was.audio
	e.tellPower = e.power && !was.power
	e.tellSize = e.extendedSize && !was.extendedSize
}

// telling reports whether there is something to tell but pixels.
func (e *encodings) telling() bool {
	return e.tellSize || e.refuseSize || e.tellPointer || e.tellKeys || e.tellLEDs || e.tellAudio
}

// maxRects bounds the rectangles of an update; what is left comes with the
// next one.
const maxRects = 4096

// writer makes updates.
type writer struct {
	c     *client
	out   *bufio.Writer
	copy  display.Surface // what the client sees
	rects []rect
	px    *pixels
	encoders
}

// rect is a part of an update. Of a copy, from is where its pixels are.
type rect struct {
	image.Rectangle
	from   image.Point
	isCopy bool
}

func newWriter(c *client) *writer {
	return &writer{c: c, out: bufio.NewWriterSize(c.conn, 64<<10), px: newPixels(native())}
}

// write sends messages and updates until the client is gone.
func (c *client) write() {
	w := c.w
	for {
		c.mu.Lock()
		for !c.closed && len(c.out) == 0 && c.sound == nil && !c.due() {
			c.cond.Wait()
		}
		out, sound, due, closed := c.out, c.sound, c.due(), c.closed
		c.out, c.sound = nil, nil
		if sound != nil {
			c.cond.Broadcast()
		}
		c.mu.Unlock()
		if closed {
			return
		}
		w.out.Write(out)
		w.out.Write(sound)
		if due {
			w.update()
		}
		if w.out.Flush() != nil {
			return
		}
	}
}

// due reports whether an update is to be sent; c.mu is held.
func (c *client) due() bool {
	return c.want && (!c.region.Empty() || c.resized || c.encs.telling())
}

// update sends a FramebufferUpdate (7.6.1).
func (w *writer) update() {
	c := w.c
	absolute := false
	var leds uint8
	c.s.c.Do(func() { absolute, leds = c.s.c.Input.Absolute(), c.s.c.Input.LEDs() })
	var e encodings
	var pseudo []pseudoRect
	c.s.c.Screen.View(func(s *display.Surface) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.encs.absolute != absolute {
			c.encs.absolute, c.encs.tellPointer = absolute, c.encs.pointerChange
		}
		if c.encs.leds && c.encs.ledState != leds {
			c.encs.ledState, c.encs.tellLEDs = leds, true
		}
		if w.px.format != c.format {
			w.px = newPixels(c.format)
			if c.format.mapped {
				w.sendMap()
			}
		}
		pseudo = c.take(s)
		w.collect(s)
		c.want = false
		e = c.encs
	})
	if len(pseudo) == 0 && len(w.rects) == 0 { // a resize that the client cannot be told of
		c.mu.Lock()
		c.want = true
		c.mu.Unlock()
		return
	}
	w.header(0, 0)
	binary.Write(w.out, binary.BigEndian, uint16(len(pseudo)+len(w.rects)))
	for _, p := range pseudo {
		w.rectHeader(p.x, p.y, p.w, p.h, p.enc)
		w.out.Write(p.data)
	}
	for _, r := range w.rects {
		if r.isCopy {
			w.rectHeader(r.Min.X, r.Min.Y, r.Dx(), r.Dy(), encCopyRect)
			w.u16(r.from.X)
			w.u16(r.from.Y)
			continue
		}
		w.encode(r.Rectangle, &e)
	}
}

// pseudoRect carries something else than pixels.
type pseudoRect struct {
	x, y, w, h int
	enc        int32
	data       []byte
}

// take returns what there is to tell and keeps no more of it; c.mu is held.
func (c *client) take(s *display.Surface) []pseudoRect {
	e := &c.encs
	var l []pseudoRect
	if e.refuseSize {
		l = append(l, pseudoRect{1, 1, s.Width, s.Height, encExtendedSize, layout(s)})
	}
	if c.resized && (s.Width != e.w || s.Height != e.h) && (e.size || e.extendedSize) {
		e.w, e.h = s.Width, s.Height
		if e.extendedSize {
			e.tellSize = true
		} else {
			l = append(l, pseudoRect{0, 0, s.Width, s.Height, encSize, nil})
		}
	}
	if e.tellSize {
		e.w, e.h = s.Width, s.Height
		l = append(l, pseudoRect{0, 0, s.Width, s.Height, encExtendedSize, layout(s)})
	}
	if e.tellPointer {
		x := 0
		if e.absolute {
			x = 1
		}
		l = append(l, pseudoRect{x, 0, s.Width, s.Height, encPointer, nil})
	}
	if e.tellKeys {
		l = append(l, pseudoRect{0, 0, s.Width, s.Height, encKey, nil})
	}
	if e.tellAudio && c.s.c.Sound != nil {
		l = append(l, pseudoRect{0, 0, s.Width, s.Height, encAudio, nil})
	}
	if e.tellLEDs {
		l = append(l, pseudoRect{0, 0, 1, 1, encLEDs, []byte{e.ledState}})
	}
	c.resized, e.tellSize, e.refuseSize, e.tellPointer, e.tellKeys, e.tellLEDs, e.tellAudio = false, false, false, false, false, false, false
	return l
}

// layout is the one screen of ExtendedDesktopSize.
func layout(s *display.Surface) []byte {
	b := []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(s.Width))
	b = binary.BigEndian.AppendUint16(b, uint16(s.Height))
	return append(b, 0, 0, 0, 0)
}

// collect copies what has changed and lists where it is; both locks are held.
func (w *writer) collect(s *display.Surface) {
	c := w.c
	w.rects = w.rects[:0]
	if w.copy.Width != s.Width || w.copy.Height != s.Height {
		w.copy.Resize(s.Width, s.Height)
		clear(w.copy.Pix)
	}
	known := image.Rect(0, 0, min(c.encs.w, s.Width), min(c.encs.h, s.Height))
	if c.encs.copyRect {
		w.scroll(s, known)
	}
	maxW, maxArea := math.MaxInt, math.MaxInt
	if c.encs.kind == encTight {
		maxW, maxArea = maxTightWidth, maxTightArea
	}
	c.region.Take(func(r image.Rectangle) bool {
		r = r.Intersect(known)
		if r.Empty() {
			return true
		}
		for y := r.Min.Y; y < r.Max.Y; y++ {
			copy(w.copy.Pix[y*s.Width+r.Min.X:y*s.Width+r.Max.X], s.Pix[y*s.Stride+r.Min.X:y*s.Stride+r.Max.X])
		}
		for x := r.Min.X; x < r.Max.X; {
			dx := min(r.Max.X-x, maxW)
			for y := r.Min.Y; y < r.Max.Y; {
				dy := min(r.Max.Y-y, max(maxArea/dx, 1))
				w.rects = append(w.rects, rect{Rectangle: image.Rect(x, y, x+dx, y+dy)})
				y += dy
			}
			x += dx
		}
		return len(w.rects) < maxRects
	})
}

// sendMap is SetColourMapEntries (7.6.2).
func (w *writer) sendMap() {
	w.header(1, 0)
	w.u16(0)
	w.u16(256)
	f := colourMap()
	for v := range 256 {
		for i := range f.max {
			w.u16((v >> f.shift[i] & int(f.max[i])) * 65535 / int(f.max[i]))
		}
	}
}

func (w *writer) header(b ...byte) { w.out.Write(b) }

func (w *writer) u16(v int) { w.out.WriteByte(byte(v >> 8)); w.out.WriteByte(byte(v)) }
func (w *writer) u32(v uint32) {
	w.u16(int(v >> 16))
	w.u16(int(v & 0xffff))
}

func (w *writer) rectHeader(x, y, dx, dy int, enc int32) {
	w.u16(x)
	w.u16(y)
	w.u16(dx)
	w.u16(dy)
	w.u32(uint32(enc))
}

// line returns the pixels of one line of a rectangle.
func (w *writer) line(r image.Rectangle, y int) []uint32 {
	return w.copy.Pix[y*w.copy.Width+r.Min.X : y*w.copy.Width+r.Max.X]
}
