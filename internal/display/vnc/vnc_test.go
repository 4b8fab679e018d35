package vnc

import (
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"rhea/internal/audio"
	"rhea/internal/display"
	"rhea/internal/vclock"
)

// paintings are changes of the picture that bring out the ways of encodings.
func paintings(p *picture, rnd *rand.Rand, step int) {
	p.paint(func(s *display.Surface) image.Rectangle {
		fill := func(r image.Rectangle, f func(x, y int) uint32) image.Rectangle {
			r = r.Intersect(image.Rect(0, 0, s.Width, s.Height))
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					s.Pix[y*s.Width+x] = f(x, y)
				}
			}
			return r
		}
		all := image.Rect(0, 0, s.Width, s.Height)
		some := image.Rect(rnd.IntN(s.Width), rnd.IntN(s.Height), rnd.IntN(s.Width), rnd.IntN(s.Height))
		switch step % 7 {
		case 0:
			return fill(all, func(x, y int) uint32 { return 0x102030 })
		case 1: // text
			return fill(all, func(x, y int) uint32 { return uint32(rnd.IntN(8)/7) * 0xaaaaaa })
		case 2: // few colours, in runs
			c := uint32(0)
			return fill(all, func(x, y int) uint32 {
				if rnd.IntN(9) == 0 {
					c = uint32(rnd.IntN(12)) * 0x110507
				}
				return c
			})
		case 3: // noise
			return fill(some, func(x, y int) uint32 { return rnd.Uint32() & 0xffffff })
		case 4: // a gradient
			return fill(all, func(x, y int) uint32 { return uint32(x)&255<<16 | uint32(y)&255<<8 | uint32(x*y)&255 })
		case 5: // scrolled
			copy(s.Pix, append([]uint32(nil), s.Pix[16*s.Width:]...))
			fill(image.Rect(0, s.Height-16, s.Width, s.Height), func(x, y int) uint32 { return rnd.Uint32() & 0xffffff })
			return all
		}
		return fill(some.Add(image.Pt(3, 5)), func(x, y int) uint32 { return 0xff0000 })
	})
}

func TestEncodings(t *testing.T) {
	f565 := format{bpp: 16, depth: 16, max: [3]uint16{31, 63, 31}, shift: [3]uint8{11, 5, 0}}
	big565 := f565
	big565.big = true
	bgr := native()
	bgr.shift = [3]uint8{0, 8, 16}
	big := native()
	big.big = true
	high := big
	high.shift = [3]uint8{24, 16, 8}
	f332 := format{bpp: 8, depth: 8, max: [3]uint16{7, 7, 3}, shift: [3]uint8{5, 2, 0}}
	for name, enc := range map[string]int32{"raw": encRaw, "hextile": encHextile, "zlib": encZlib, "tight": encTight, "zrle": encZRLE} {
		for i, f := range []format{native(), bgr, big, high, f565, big565, f332, colourMap()} {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				t.Parallel()
				r := newRig(200, 131, nil)
				v := r.dial(t, 1)
				v.setFormat(f)
				v.encodings(enc, encCopyRect)
				rnd := rand.New(rand.NewPCG(1, uint64(i)))
				for step := range 15 {
					paintings(r.pic, rnd, step)
					r.s.c.Screen.Refresh()
					v.update(false)
					v.shows(t, r.pic)
				}
				if enc != encRaw && v.kinds[encRaw] > 0 || v.kinds[enc] == 0 {
					t.Errorf("rectangles: %v", v.kinds)
				}
			})
		}
	}
}

func TestCopyRect(t *testing.T) {
	r := newRig(320, 200, nil)
	v := r.dial(t, 1)
	v.encodings(encRaw, encCopyRect)
	rnd := rand.New(rand.NewPCG(1, 2))
	for step := range 6 {
		paintings(r.pic, rnd, step)
		r.s.c.Screen.Refresh()
		v.update(false)
	}
	v.update(false)
	v.shows(t, r.pic)
	if v.kinds[encCopyRect] == 0 {
		t.Error("the picture was scrolled and nothing was copied")
	}
}

func TestOnlyWhatChanged(t *testing.T) {
	r := newRig(640, 480, nil)
	v := r.dial(t, 1)
	v.update(false)
	v.kinds = map[int32]int{}
	r.pic.paint(func(s *display.Surface) image.Rectangle {
		s.Pix[100*640+33] = 0x00ff00
		return image.Rect(0, 0, 640, 480) // as an adapter does that knows pages only
	})
	v.send([]byte{msgUpdate, 1}, [4]uint16{0, 0, 640, 480})
	if b := v.read(4); b[0] != 0 || b[3] != 1 {
		t.Fatalf("update %v", b)
	}
	if x, y, w, h := v.u16(), v.u16(), v.u16(), v.u16(); x != 32 || y != 100 || w != 16 || h != 1 {
		t.Errorf("the change of pixel 33,100 came as %d,%d %dx%d", x, y, w, h)
	}
}

func TestJPEG(t *testing.T) {
	r := newRig(64, 64, func(c *Config) { c.Lossy = true })
	v := r.dial(t, 1)
	v.encodings(encTight, encQuality9)
	paintings(r.pic, rand.New(rand.NewPCG(1, 1)), 4)
	r.pic.paint(func(s *display.Surface) image.Rectangle { // more than 256 colours
		for i := range s.Pix {
			s.Pix[i] = uint32(i%64*4)<<16 | uint32(i/64*4)<<8
		}
		return image.Rect(0, 0, 64, 64)
	})
	r.s.c.Screen.Refresh()
	v.update(false)
	for i, c := range r.pic.s.Pix {
		for sh := 0; sh < 24; sh += 8 {
			if d := int(c>>sh&255) - int(v.fb[i]>>sh&255); d < -24 || d > 24 {
				t.Fatalf("pixel %d is %06x, want about %06x", i, v.fb[i], c)
			}
		}
	}
}

func TestResize(t *testing.T) {
	for _, enc := range []int32{encSize, encExtendedSize} {
		r := newRig(64, 48, nil)
		v := r.dial(t, 1)
		v.encodings(encRaw, enc)
		v.update(false)
		r.pic.do(func() { r.pic.s.Resize(100, 30); r.pic.dirt = image.Rect(0, 0, 100, 30) })
		paintings(r.pic, rand.New(rand.NewPCG(1, 1)), 2)
		r.s.c.Screen.Refresh()
		v.update(true)
		if v.w != 100 || v.h != 30 {
			t.Fatalf("%d: the viewer has %dx%d", enc, v.w, v.h)
		}
		v.update(false)
		v.shows(t, r.pic)
	}
	// Who cannot resize sees the corner.
	r := newRig(64, 48, nil)
	v := r.dial(t, 1)
	v.update(false)
	r.pic.do(func() { r.pic.s.Resize(100, 100); r.pic.dirt = image.Rect(0, 0, 100, 100) })
	r.s.c.Screen.Refresh()
	v.update(false)
}

func TestVersionsAndPasswords(t *testing.T) {
	r := newRig(8, 8, func(c *Config) { c.Auth = true })
	in := func(version, password string) (ok bool) {
		v := r.raw(t)
		v.read(12)
		v.send([]byte(version))
		if version == "RFB 003.003\n" {
			if v.u32() != secVNC {
				t.Fatal("no VNC authentication")
			}
		} else {
			if b := v.read(2); b[0] != 1 || b[1] != secVNC {
				t.Fatalf("%v", b)
			}
			v.send(byte(secVNC))
		}
		var ask [16]byte
		copy(ask[:], v.read(16))
		v.send(encrypt(password, ask))
		if v.u32() != 0 {
			if version == "RFB 003.008\n" && len(v.read(v.u32())) == 0 {
				t.Error("no reason")
			}
			return false
		}
		v.send(byte(1))
		v.init()
		return v.w == 8
	}
	for _, version := range []string{"RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n"} {
		r.s.SetPassword("")
		if in(version, "") {
			t.Errorf("%q: came in without a password", version)
		}
		r.s.SetPassword("secret")
		if in(version, "Secret") || in(version, "") {
			t.Errorf("%q: came in with a wrong password", version)
		}
		if !in(version, "secret") {
			t.Errorf("%q: the password was refused", version)
		}
	}
}

func TestKeys(t *testing.T) {
	r := newRig(8, 8, nil)
	v := r.dial(t, 1)
	key := func(down byte, sym uint32) { v.send([]byte{msgKey, down, 0, 0}, sym) }
	key(1, 'a')
	key(0, 'a')
	key(1, 0xffe1)
	key(1, 'A')
	key(0, 'A')
	key(1, '!')
	key(0, '!')
	key(0, 0xffe1)
	want := []string{"a true", "a false", "shift true", "a true", "a false", "1 true", "1 false", "shift false"}
	if got := r.in.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("keys %q", got)
	}
	// Caps Lock of the client's side.
	key(1, 'Q')
	key(0, 'Q')
	want = []string{"caps_lock true", "caps_lock false", "q true", "q false"}
	if got := r.in.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("keys with Caps Lock %q", got)
	}
	// Keys by their place.
	v.send([]byte{msgQEMU, qemuKey, 0, 1}, uint32(0), uint32(0xcb))
	v.send([]byte{msgQEMU, qemuKey, 0, 0}, uint32(0), uint32(0xcb))
	v.send([]byte{msgQEMU, qemuKey, 0, 1}, uint32(0), uint32(0xc6))
	want = []string{"left true", "left false", "pause true"}
	if got := r.in.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("extended keys %q", got)
	}
	// What a client holds down is released when it is gone.
	key(1, 'x')
	r.in.wait(t, 1)
	v.Close()
	want = []string{"pause false", "x false"}
	if got := r.in.wait(t, len(want)); !slices.Equal(got, want) {
		t.Errorf("after the end %q", got)
	}
}

func TestPointer(t *testing.T) {
	r := newRig(640, 480, nil)
	v := r.dial(t, 1)
	at := func(mask byte, x, y uint16) { v.send([]byte{msgPointer, mask}, x, y) }
	at(0, 100, 100)
	at(1, 103, 98)
	at(9, 103, 98)
	at(0, 103, 98)
	got := strings.Join(r.in.wait(t, 4), ", ")
	if want := "move 3 -2 0, buttons 1, move 0 0 -1, buttons 0"; got != want {
		t.Errorf("pointer: %s", got)
	}
	v.encodings(encRaw, encPointer)
	v.update(false)
	if v.abs != 0 {
		t.Fatalf("pointer type %d", v.abs)
	}
	r.in.mu.Lock()
	r.in.got = nil
	r.in.mu.Unlock()
	at(0, 0x7fff+5, 0x7fff-7)
	if got := r.in.wait(t, 1); got[0] != "move 5 -7 0" {
		t.Errorf("relative: %q", got)
	}
}

func TestShare(t *testing.T) {
	gone := func(v *viewer) bool {
		_, err := v.r.ReadByte()
		return err != nil && !isTimeout(err)
	}
	r := newRig(8, 8, nil)
	a := r.dial(t, 1)
	b := r.dial(t, 1)
	b.update(false)
	r.dial(t, 0)
	if !gone(a) || !gone(b) {
		t.Error("others stayed when a client wanted to be alone")
	}
}

func TestLEDs(t *testing.T) {
	r := newRig(8, 8, nil)
	v := r.dial(t, 1)
	v.encodings(encRaw, encLEDs)
	v.update(false)
	if v.leds != 0 {
		t.Fatalf("lamps %d", v.leds)
	}
	r.in.leds = 4
	v.send([]byte{msgUpdate, 1}, [4]uint16{0, 0, 8, 8})
	time.Sleep(20 * time.Millisecond)
	r.s.LEDs(4)
	v.take()
	if v.leds != 4 {
		t.Errorf("lamps %d", v.leds)
	}
}

func TestCVE201715124SlowReader(t *testing.T) {
	r := newRig(640, 480, nil)
	v := r.dial(t, 1)
	v.encodings(encRaw)
	// Nothing is read while updates, keys and lamps go on.
	for i := range 200 {
		v.send([]byte{msgUpdate, 0}, [4]uint16{0, 0, 640, 480})
		r.pic.paint(func(s *display.Surface) image.Rectangle {
			s.Pix[i] = 1
			return image.Rect(0, 0, 640, 480)
		})
		r.s.c.Screen.Refresh()
		r.s.LEDs(uint8(i & 7))
	}
	r.s.mu.Lock()
	c := r.s.clients[0]
	r.s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.out); n > maxOut {
		t.Errorf("%d bytes wait for a client that does not read", n)
	}
}

func TestSetPixelFormatIsChecked(t *testing.T) {
	for _, f := range []format{
		{bpp: 0, depth: 24, max: native().max}, {bpp: 24, depth: 24, max: native().max}, {bpp: 255, depth: 24, max: native().max},
		{bpp: 32, depth: 24, max: [3]uint16{0, 255, 255}}, {bpp: 32, depth: 24, max: native().max, shift: [3]uint8{255, 8, 0}},
		{bpp: 8, depth: 8, max: [3]uint16{65535, 65535, 65535}}, {bpp: 16, depth: 16, mapped: true},
	} {
		r := newRig(8, 8, nil)
		v := r.dial(t, 1)
		v.send([4]byte{msgSetFormat}, f.append(nil))
		v.send([]byte{msgUpdate, 0}, [4]uint16{0, 0, 8, 8})
		if _, err := v.r.ReadByte(); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestCutTextIsBounded(t *testing.T) {
	r := newRig(8, 8, nil)
	v := r.dial(t, 1)
	v.send([4]byte{msgCutText}, uint32(5), []byte("hello"))
	v.update(false)
	for _, n := range []uint32{maxCutText + 1, 0x7fffffff, 0xffffffff, 0x80000000} {
		v := r.dial(t, 1)
		v.send([4]byte{msgCutText}, n)
		if _, err := v.r.ReadByte(); err == nil {
			t.Errorf("a cut text of %#x bytes was taken", n)
		}
	}
}

// FuzzRFB is a hostile client, behind the handshake and before it.
func FuzzRFB(f *testing.F) {
	hello := "RFB 003.008\n\x01\x01"
	f.Add([]byte(hello + "\x00\x00\x00\x00\x20\x18\x00\x01\x00\xff\x00\xff\x00\xff\x10\x08\x00\x00\x00\x00" +
		"\x02\x00\x00\x03\x00\x00\x00\x07\x00\x00\x00\x01\xff\xff\xff\x21\x03\x00\x00\x00\x00\x00\x00\x40\x00\x30"))
	f.Add([]byte(hello + "\x04\x01\x00\x00\x00\x00\x00a\x05\x01\x00\x10\x00\x10\xff\x00\x00\x01\x00\x00\x00a\x00\x00\x00\x1e\xfb\x00\x00\x10\x00\x10\x01\x00"))
	f.Add([]byte(hello + "\xff\x01\x00\x02\x03\x02\x00\x00\xac\x44\xff\x01\x00\x00\xff\x01\x00\x01\xff\x01\x00\x00\x02\x00\x00\x01\xff\xff\xfe\xfd"))
	f.Add([]byte("RFB 003.003\n\x00\x06\x00\x00\x00\x00\x00\x00\x02hi"))
	f.Fuzz(func(t *testing.T, b []byte) {
		clock := vclock.NewManual()
		mixer := audio.NewMixer(audio.Config{Clock: clock, Rate: 44100})
		voice := mixer.Voice("sound", func() {})
		r := newRig(70, 40, func(c *Config) {
			c.Input = display.NewInput(func(f func()) { f() }, nil) // keys take their time
			c.Sound = mixer
		})
		a, z := net.Pipe()
		done := make(chan struct{})
		go func() { r.s.ServeConn(a); close(done) }()
		go io.Copy(io.Discard, z)
		z.SetDeadline(time.Now().Add(2 * time.Second))
		z.Write(b)
		r.pic.do(func() {
			voice.SetActive(true)
			voice.Play(make([]audio.Frame, 500))
			clock.Advance(vclock.Second / 100)
		})
		r.pic.paint(func(s *display.Surface) image.Rectangle {
			s.Pix[len(b)%len(s.Pix)] = 1
			return image.Rect(0, 0, 70, 40)
		})
		r.s.c.Screen.Refresh()
		z.Close()
		select {
		case <-done:
		case <-time.After(5 * time.Minute):
			t.Fatal("the server does not end")
		}
	})
}
