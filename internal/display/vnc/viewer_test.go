package vnc

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"rhea/internal/display"
	"rhea/internal/keys"
)

// picture is a Source that a test draws on.
type picture struct {
	mu   sync.Mutex
	s    display.Surface
	dirt image.Rectangle
}

func (p *picture) Draw(s *display.Surface, full bool) image.Rectangle {
	if s.Width != p.s.Width || s.Height != p.s.Height {
		s.Resize(p.s.Width, p.s.Height)
		full = true
	}
	r := p.dirt
	if full {
		r = image.Rect(0, 0, s.Width, s.Height)
	}
	copy(s.Pix, p.s.Pix)
	p.dirt = image.Rectangle{}
	return r
}

func (p *picture) Text() []string { return nil }

// paint changes the picture.
func (p *picture) paint(f func(s *display.Surface) image.Rectangle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirt = p.dirt.Union(f(&p.s))
}

func (p *picture) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// fakeInput notes what it gets.
type fakeInput struct {
	mu   sync.Mutex
	got  []string
	leds uint8
}

func (f *fakeInput) note(s string, a ...any) {
	f.mu.Lock()
	f.got = append(f.got, fmt.Sprintf(s, a...))
	f.mu.Unlock()
}
func (f *fakeInput) Key(k keys.Code, down bool) { f.note("%s %v", k.Name(), down) }
func (f *fakeInput) LEDs() uint8                { return f.leds }
func (f *fakeInput) Move(dx, dy, dz int)        { f.note("move %d %d %d", dx, dy, dz) }
func (f *fakeInput) SetButtons(b uint8)         { f.note("buttons %d", b) }

// wait returns what has come since the last time, once there is n of it.
func (f *fakeInput) wait(t *testing.T, n int) []string {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		if len(f.got) >= n {
			got := f.got
			f.got = nil
			f.mu.Unlock()
			return got
		}
		f.mu.Unlock()
	}
	t.Fatalf("nothing came: %q", f.got)
	return nil
}

// rig is a server with its picture.
type rig struct {
	pic *picture
	in  *fakeInput
	s   *Server
}

func newRig(w, h int, change func(*Config)) *rig {
	r := &rig{pic: &picture{}, in: &fakeInput{}}
	r.pic.s.Resize(w, h)
	c := Config{
		Screen: display.NewScreen(display.ScreenConfig{Do: r.pic.do, Source: r.pic}),
		Input:  display.NewInput(func(f func()) { f() }, r.in, display.Mouse{Name: "mouse", Pointer: r.in}),
		Do:     r.pic.do, Name: "test",
	}
	if change != nil {
		change(&c)
	}
	r.s = New(c)
	return r
}

// viewer is a client of RFC 6143.
type viewer struct {
	net.Conn
	r    *bufio.Reader
	t    testing.TB
	w, h int
	fb   []uint32 // 0x00RRGGBB
	f    format
	px   *pixels
	z    map[int]io.Reader // zlib streams
	zin  map[int]*bytes.Buffer

	kinds map[int32]int // rectangles by encoding
	leds  int
	abs   int
}

func (v *viewer) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *viewer) read(n int) []byte {
	v.t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(v.r, b)
	v.must(err)
	return b
}

func (v *viewer) u8() int  { v.t.Helper(); return int(v.read(1)[0]) }
func (v *viewer) u16() int { v.t.Helper(); return int(binary.BigEndian.Uint16(v.read(2))) }
func (v *viewer) u32() int { v.t.Helper(); return int(binary.BigEndian.Uint32(v.read(4))) }

func (v *viewer) send(b ...any) {
	v.t.Helper()
	var out bytes.Buffer
	for _, x := range b {
		binary.Write(&out, binary.BigEndian, x)
	}
	_, err := v.Write(out.Bytes())
	v.must(err)
}

// dial comes in as a 3.8 client without authentication.
func (r *rig) dial(t testing.TB, shared byte) *viewer {
	t.Helper()
	v := r.raw(t)
	v.read(12)
	v.send([]byte("RFB 003.008\n"))
	if b := v.read(2); b[0] != 1 || b[1] != secNone {
		t.Fatalf("security types %v", b)
	}
	v.send(byte(secNone))
	if v.u32() != 0 {
		t.Fatal("refused")
	}
	v.send(shared)
	v.init()
	return v
}

// raw is a connection before the handshake.
func (r *rig) raw(t testing.TB) *viewer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		l.Close()
		if err == nil {
			r.s.ServeConn(c)
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	return &viewer{Conn: c, r: bufio.NewReader(c), t: t, z: map[int]io.Reader{}, zin: map[int]*bytes.Buffer{}, kinds: map[int32]int{}, leds: -1, abs: -1}
}

func (v *viewer) init() {
	v.w, v.h = v.u16(), v.u16()
	v.f, _ = parseFormat(v.read(16))
	v.px = newPixels(v.f)
	v.fb = make([]uint32, v.w*v.h)
	v.read(v.u32())
}

func (v *viewer) setFormat(f format) {
	v.f, v.px = f, newPixels(f)
	v.send([4]byte{msgSetFormat}, f.append(nil))
}

func (v *viewer) encodings(list ...int32) {
	v.send([2]byte{msgSetEncodings}, uint16(len(list)), list)
}

// update asks for what has changed, or for all, and takes one update.
func (v *viewer) update(incremental bool) {
	v.t.Helper()
	v.send([]byte{msgUpdate, bit(incremental)}, [4]uint16{0, 0, uint16(v.w), uint16(v.h)})
	v.take()
}

// take takes messages up to an update.
func (v *viewer) take() {
	v.t.Helper()
	for {
		switch k := v.u8(); k {
		case 0:
			v.u8()
			for range v.u16() {
				v.rect()
			}
			return
		case 1:
			v.u8()
			v.u16()
			v.read(6 * v.u16())
		default:
			v.t.Fatalf("message %d", k)
		}
	}
}

// pixel reads one as RGB.
func (v *viewer) decode(b []byte) uint32 {
	var x uint32
	for i := range b {
		if v.f.big {
			x = x<<8 | uint32(b[i])
		} else {
			x |= uint32(b[i]) << (8 * i)
		}
	}
	return x
}

// rgb is what a pixel's number means, with as many bits as it has.
func (v *viewer) rgb(x uint32) uint32 {
	var c [3]uint32
	for i := range c {
		c[i] = x >> v.f.shift[i] & uint32(v.f.max[i])
	}
	return c[0]<<16 | c[1]<<8 | c[2]
}

func (v *viewer) pixel() uint32 { return v.rgb(v.decode(v.read(v.px.size))) }

func (v *viewer) cpixel(r io.Reader) uint32 {
	b := make([]byte, v.px.compact)
	_, err := io.ReadFull(r, b)
	v.must(err)
	if v.px.compact < 4 && v.px.size == 4 {
		if v.px.high != v.f.big { // the missing byte is the first one
			b = append([]byte{0}, b...)
		} else {
			b = append(b, 0)
		}
	}
	return v.rgb(v.decode(b))
}

func (v *viewer) tpixel(r io.Reader) uint32 {
	if !v.px.rgb {
		b := make([]byte, v.px.size)
		_, err := io.ReadFull(r, b)
		v.must(err)
		return v.rgb(v.decode(b))
	}
	b := make([]byte, 3)
	_, err := io.ReadFull(r, b)
	v.must(err)
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}

// inflate gives the next n bytes of the wire to a zlib stream.
func (v *viewer) inflate(stream, n int) io.Reader {
	v.t.Helper()
	if v.zin[stream] == nil {
		v.zin[stream] = &bytes.Buffer{}
	}
	v.zin[stream].Write(v.read(n))
	if v.z[stream] == nil {
		z, err := zlib.NewReader(v.zin[stream])
		v.must(err)
		v.z[stream] = z
	}
	return v.z[stream]
}

func (v *viewer) set(x, y int, c uint32) {
	if x >= v.w || y >= v.h {
		v.t.Fatalf("pixel %d,%d of %dx%d", x, y, v.w, v.h)
	}
	v.fb[y*v.w+x] = c
}

func (v *viewer) rect() {
	v.t.Helper()
	x, y, w, h := v.u16(), v.u16(), v.u16(), v.u16()
	enc := int32(v.u32())
	v.kinds[enc]++
	if enc >= 0 && (x+w > v.w || y+h > v.h) {
		v.t.Fatalf("rectangle %d,%d %dx%d", x, y, w, h)
	}
	switch enc {
	case encRaw:
		for i := range w * h {
			v.set(x+i%w, y+i/w, v.pixel())
		}
	case encCopyRect:
		sx, sy := v.u16(), v.u16()
		old := append([]uint32(nil), v.fb...)
		for i := range w * h {
			v.set(x+i%w, y+i/w, old[(sy+i/w)*v.w+sx+i%w])
		}
	case encZlib:
		z := v.inflate(0, v.u32())
		b := make([]byte, w*h*v.px.size)
		_, err := io.ReadFull(z, b)
		v.must(err)
		for i := range w * h {
			v.set(x+i%w, y+i/w, v.rgb(v.decode(b[i*v.px.size:(i+1)*v.px.size])))
		}
	case encHextile:
		v.hextile(x, y, w, h)
	case encZRLE:
		v.zrle(v.inflate(1, v.u32()), x, y, w, h)
	case encTight:
		v.tight(x, y, w, h)
	case encSize, encExtendedSize:
		if enc == encExtendedSize {
			v.read(16 * int(v.read(4)[0]))
		}
		v.w, v.h = w, h
		v.fb = make([]uint32, w*h)
	case encPointer:
		v.abs = x
	case encKey, encAudio:
	case encLEDs:
		v.leds = v.u8()
	default:
		v.t.Fatalf("encoding %d", enc)
	}
}

func (v *viewer) hextile(x0, y0, w, h int) {
	var bg, fg uint32
	for y := y0; y < y0+h; y += 16 {
		for x := x0; x < x0+w; x += 16 {
			dx, dy := min(16, x0+w-x), min(16, y0+h-y)
			flags := v.u8()
			if flags&hexRaw != 0 {
				for i := range dx * dy {
					v.set(x+i%dx, y+i/dx, v.pixel())
				}
				continue
			}
			if flags&hexBack != 0 {
				bg = v.pixel()
			}
			if flags&hexFore != 0 {
				fg = v.pixel()
			}
			for i := range dx * dy {
				v.set(x+i%dx, y+i/dx, bg)
			}
			if flags&hexSubrects == 0 {
				continue
			}
			for range v.u8() {
				c := fg
				if flags&hexColoured != 0 {
					c = v.pixel()
				}
				at, size := v.u8(), v.u8()
				for j := range size&15 + 1 {
					for i := range size>>4 + 1 {
						v.set(x+at>>4+i, y+at&15+j, c)
					}
				}
			}
		}
	}
}

func (v *viewer) zrle(z io.Reader, x0, y0, w, h int) {
	octet := func() int {
		var b [1]byte
		_, err := io.ReadFull(z, b[:])
		v.must(err)
		return int(b[0])
	}
	length := func() int {
		n := 1
		for {
			b := octet()
			n += b
			if b != 255 {
				return n
			}
		}
	}
	for y := y0; y < y0+h; y += 64 {
		for x := x0; x < x0+w; x += 64 {
			dx, dy := min(64, x0+w-x), min(64, y0+h-y)
			kind := octet()
			n := kind & 127
			var pal []uint32
			if kind != 128 {
				for range n {
					pal = append(pal, v.cpixel(z))
				}
			}
			switch {
			case kind == 0:
				for i := range dx * dy {
					v.set(x+i%dx, y+i/dx, v.cpixel(z))
				}
			case kind == 1:
				for i := range dx * dy {
					v.set(x+i%dx, y+i/dx, pal[0])
				}
			case kind <= 16:
				bits := 4
				if n <= 2 {
					bits = 1
				} else if n <= 4 {
					bits = 2
				}
				for j := range dy {
					b, left := 0, 0
					for i := range dx {
						if left == 0 {
							b, left = octet(), 8
						}
						left -= bits
						v.set(x+i, y+j, pal[b>>left&(1<<bits-1)])
					}
				}
			default:
				for i := 0; i < dx*dy; {
					var c uint32
					n := 1
					if kind == 128 {
						c, n = v.cpixel(z), 0
						n = length()
					} else {
						ix := octet()
						c = pal[ix&127]
						if ix&128 != 0 {
							n = length()
						}
					}
					for range n {
						v.set(x+i%dx, y+i/dx, c)
						i++
					}
				}
			}
		}
	}
}

func (v *viewer) tight(x, y, w, h int) {
	control := v.u8()
	length := func() int {
		n := v.u8()
		if n&0x80 != 0 {
			n = n&0x7f | v.u8()<<7
			if n&(0x80<<7) != 0 {
				n = n&0x3fff | v.u8()<<14
			}
		}
		return n
	}
	switch control & 0xf0 {
	case tightFill:
		c := v.tpixel(v.r)
		for i := range w * h {
			v.set(x+i%w, y+i/w, c)
		}
		return
	case tightJPEG:
		m, err := jpeg.Decode(bytes.NewReader(v.read(length())))
		v.must(err)
		for i := range w * h {
			c := color.RGBAModel.Convert(m.At(i%w, i/w)).(color.RGBA)
			v.set(x+i%w, y+i/w, uint32(c.R)<<16|uint32(c.G)<<8|uint32(c.B))
		}
		return
	}
	var pal []uint32
	if control&tightFilter != 0 {
		if f := v.u8(); f != filterPal {
			v.t.Fatalf("filter %d", f)
		}
		for range v.u8() + 1 {
			pal = append(pal, v.tpixel(v.r))
		}
	}
	size := w * h
	switch {
	case len(pal) == 2:
		size = (w + 7) / 8 * h
	case len(pal) > 0:
	case v.px.rgb:
		size *= 3
	default:
		size *= v.px.size
	}
	var in io.Reader = v.r
	if size >= tightMinimum {
		in = v.inflate(2+control>>4&3, length())
	}
	b := make([]byte, size)
	_, err := io.ReadFull(in, b)
	v.must(err)
	data := bytes.NewReader(b)
	for j := range h {
		for i := range w {
			switch {
			case len(pal) == 2:
				v.set(x+i, y+j, pal[b[j*((w+7)/8)+i/8]>>(7-i%8)&1])
			case len(pal) > 0:
				v.set(x+i, y+j, pal[b[j*w+i]])
			default:
				v.set(x+i, y+j, v.tpixel(data))
			}
		}
	}
}

// shows checks that the viewer has the picture, as exactly as its format can.
func (v *viewer) shows(t *testing.T, p *picture) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.s.Pix {
		want := v.rgb(v.px.value(c))
		if got := v.fb[i]; got != want {
			t.Fatalf("pixel %d,%d is %06x, want %06x", i%v.w, i/v.w, got, want)
		}
	}
}
