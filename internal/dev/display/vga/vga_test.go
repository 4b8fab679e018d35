package vga

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/display"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

type bench struct {
	v       *VGA
	io, mem *mem.Space
	clk     *vclock.Manual
	bus     *pci.Bus
	cleaned int
}

func newBench(onPCI bool) *bench {
	b := &bench{clk: vclock.NewManual()}
	io, sys := mem.NewContainer("io", 0x10000), mem.NewContainer("pci", 1<<32)
	b.io, b.mem = mem.NewSpace("io", io, nil), mem.NewSpace("memory", sys, nil)
	c := Config{Env: dev.Env{Clock: b.clk}, VRAM: 1 << 20, OnClean: func() { b.cleaned++ }}
	if onPCI {
		b.bus = pci.New(pci.Config{Memory: sys, IO: io})
		c.Bus, c.Device, c.ROM = b.bus, 2, []byte{0x55, 0xaa, 4}
	}
	b.v = New(c)
	sys.Add(0xa0000, b.v.Window(), 1)
	if !onPCI {
		sys.Add(0xe0000000, b.v.VRAM, 1)
	}
	b.v.MapPorts(io)
	return b
}

func (b *bench) out(port, v uint64)    { b.io.Write(port, 1, v) }
func (b *bench) in(port uint64) uint64 { return b.io.Read(port, 1) }
func (b *bench) seq(i, v uint64)       { b.io.Write(0x3c4, 2, v<<8|i) }
func (b *bench) gr(i, v uint64)        { b.io.Write(0x3ce, 2, v<<8|i) }
func (b *bench) crtc(i, v uint64)      { b.io.Write(0x3d4, 2, v<<8|i) }
func (b *bench) attr(i, v uint64) {
	b.in(0x3da)
	b.out(0x3c0, i)
	b.out(0x3c0, v)
	b.in(0x3da)
	b.out(0x3c0, 0x20)
}
func (b *bench) dispi(i, v uint64)         { b.io.Write(0x1ce, 2, i); b.io.Write(0x1cf, 2, v) }
func (b *bench) dispiRead(i uint64) uint64 { b.io.Write(0x1ce, 2, i); return b.io.Read(0x1cf, 2) }
func (b *bench) w(a, v uint64)             { b.mem.Write(0xa0000+a, 1, v) }
func (b *bench) r(a uint64) uint64         { return b.mem.Read(0xa0000+a, 1) }

// setup programs a picture of cols characters by lines, with an identity
// palette in the usual 16 colours.
func (b *bench) setup(cols, lines int, text bool) {
	b.out(0x3c2, 0x67)
	b.seq(0, 3)
	b.seq(1, 1)
	b.seq(2, 15)
	b.seq(3, 0)
	b.seq(4, 6)
	b.crtc(0x11, 0)
	n := lines - 1
	for i, v := range map[int]int{0: 0x5f, 1: cols - 1, 6: 0xbf, 7: n >> 8 & 1 << 1, 8: 0, 9: 0, 0x0c: 0, 0x0d: 0, 0x0e: 0xff, 0x0f: 0xff,
		0x10: n + 4, 0x12: n, 0x13: cols / 2, 0x14: 0, 0x17: 0xe3, 0x18: 0xff, 0x0a: 0x20} {
		b.crtc(uint64(i), uint64(v))
	}
	b.crtc(7, 0x10)
	b.crtc(9, 0x40)
	for i, v := range []uint64{0, 0, 0, 0, 0, 0, 5, 15, 255} {
		b.gr(uint64(i), v)
	}
	b.attr(0x10, 1)
	if text {
		b.attr(0x10, 0x0c)
		b.gr(5, 0x10)
		b.gr(6, 0x0e)
		b.seq(4, 2)
		b.crtc(0x17, 0xa3)
	}
	b.attr(0x12, 15)
	b.attr(0x13, 0)
	b.attr(0x14, 0)
	for i := range uint64(16) {
		b.attr(i, i)
	}
	b.out(0x3c8, 0)
	for i := range uint64(256) {
		for _, bit := range []uint64{4, 2, 1} {
			v := uint64(0)
			if i&bit != 0 {
				v = 42
			}
			if i&8 != 0 {
				v += 21
			}
			if i > 15 {
				v = i / bit & 63
			}
			b.out(0x3c9, v)
		}
	}
	b.in(0x3da)
	b.out(0x3c0, 0x20)
}

func (b *bench) golden(t *testing.T, name string) {
	t.Helper()
	var s display.Surface
	if r := b.v.Draw(&s, true); r != image.Rect(0, 0, s.Width, s.Height) {
		t.Errorf("%s: drew %v of %dx%d", name, r, s.Width, s.Height)
	}
	got := s.Image()
	path := filepath.Join("testdata", name+".png")
	if os.Getenv("RHEA_UPDATE") != "" {
		var out bytes.Buffer
		if err := png.Encode(&out, got); err != nil {
			t.Fatal(err)
		}
		_ = os.MkdirAll("testdata", 0o777)
		if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != got.Bounds() {
		t.Fatalf("%s: %v, want %v", name, got.Bounds(), want.Bounds())
	}
	for y := range s.Height {
		for x := range s.Width {
			r, g, bl, _ := want.At(x, y).RGBA()
			if p := s.Pix[y*s.Stride+x]; p != r>>8<<16|g>>8<<8|bl>>8 {
				t.Fatalf("%s: pixel %d,%d is %06x, want %02x%02x%02x", name, x, y, p, r>>8, g>>8, bl>>8)
			}
		}
	}
	if r := b.v.Draw(&s, false); !r.Empty() {
		t.Errorf("%s: drew %v though nothing has changed", name, r)
	}
}

// text shows letters in a font of its own: an L, a bar of line graphics.
func (b *bench) text() {
	b.setup(4, 16, true)
	b.seq(1, 0) // 9 dots
	b.attr(0x13, 8)
	b.crtc(9, 0x47)
	// The font, as a BIOS loads it: planar, plane 2.
	b.seq(2, 4)
	b.seq(4, 7)
	b.gr(5, 0)
	b.gr(6, 4)
	for i, rows := range map[uint64][]uint64{'L': {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xfe, 0}, 0xc4: {0, 0, 0, 0xff, 0, 0, 0, 0}} {
		for y, v := range rows {
			b.w(i*32+uint64(y), v)
		}
	}
	b.seq(2, 3)
	b.seq(4, 2)
	b.gr(5, 0x10)
	b.gr(6, 0x0e)
	for i, v := range []uint64{'L', 0x07, 0xc4, 0x1e, 'L', 0x8f, ' ', 0x20, 'L', 0x4f, 'L', 0x70, ' ', 0, 'L', 0x02} {
		b.mem.Write(0xb8000+uint64(i), 1, v)
	}
	b.crtc(0x0a, 6)
	b.crtc(0x0b, 7)
	b.crtc(0x0e, 0)
	b.crtc(0x0f, 6)
}

func TestTextMode(t *testing.T) {
	b := newBench(false)
	b.text()
	b.golden(t, "text")
	if got := b.v.Text(); len(got) != 2 || got[0] != "L─L" || got[1] != "LL L" {
		t.Errorf("text %q", got)
	}
	var s display.Surface
	b.v.Draw(&s, true)
	b.mem.Write(0xb8002, 1, 'L')
	if r := b.v.Draw(&s, false); r != image.Rect(9, 0, 18, 8) {
		t.Errorf("one character changed: drew %v", r)
	}
	b.clk.Advance(300 * 1e6) // the cursor goes off, then the blinking character
	if r := b.v.Draw(&s, false); r.Empty() {
		t.Error("nothing blinks")
	}
}

func TestColumns40AndSplit(t *testing.T) {
	b := newBench(false)
	b.text()
	b.seq(1, 9) // 8 dots, half the clock
	b.attr(0x13, 0)
	b.crtc(0x18, 9)
	b.crtc(7, 0)
	b.crtc(9, 7) // line compare 9: the second row is cut short
	b.crtc(0x0c, 0)
	b.crtc(0x0d, 4)
	b.golden(t, "split40")
}

// fill writes planes at an offset.
func (b *bench) fill(off uint64, planes ...uint64) {
	for p, v := range planes {
		b.seq(2, 1<<p)
		b.w(off, v)
	}
	b.seq(2, 15)
}

func TestPlanar16(t *testing.T) {
	b := newBench(false)
	b.setup(4, 4, false)
	for y := range uint64(4) {
		for x := range uint64(4) {
			b.fill(y*4+x, 0x55, 0x33, 0x0f, 0xff*(y&1))
		}
	}
	b.golden(t, "planar16")
	var s display.Surface
	b.v.Draw(&s, true)
	b.fill(5, 0xff, 0, 0, 0)
	if r := b.v.Draw(&s, false); r.Empty() || b.cleaned == 0 {
		t.Errorf("drew %v, cleaned %d", r, b.cleaned)
	}
	b.attr(0x13, 3) // panning
	b.golden(t, "planar16-pan")
}

func TestCGA(t *testing.T) {
	b := newBench(false)
	b.setup(4, 4, false)
	b.gr(5, 0x30)
	b.gr(6, 0x0f)
	b.seq(4, 2)
	b.seq(2, 3)
	b.crtc(0x17, 0xa2) // word mode, odd lines 2000h on
	b.crtc(9, 0x41)
	for i := range uint64(8) {
		b.mem.Write(0xb8000+i, 1, 0x1b)
		b.mem.Write(0xba000+i, 1, 0xe4)
	}
	b.golden(t, "cga4")
	b.gr(5, 0)
	b.seq(4, 6)
	b.crtc(0x17, 0xc2)
	b.attr(0x12, 1)
	b.golden(t, "cga2")
}

func TestMode13AndX(t *testing.T) {
	b := newBench(false)
	b.setup(4, 4, false)
	b.gr(5, 0x40)
	b.seq(4, 0x0e)
	b.crtc(0x14, 0x40)
	b.crtc(0x17, 0xa3)
	b.crtc(9, 0x41) // doubled lines
	if !b.v.direct {
		t.Fatal("mode 13h is not memory")
	}
	for i := range uint64(64) {
		b.w(i, i)
	}
	b.golden(t, "mode13h")
	if p, ok := b.mem.WritePage(0xa0000); !ok || p.Off != 0 {
		t.Error("no page of memory at A0000h")
	}
	// Unchained, the same bytes are where the real machine has them.
	b.seq(4, 6)
	if b.v.direct {
		t.Fatal("unchained memory is given out")
	}
	for i := range uint64(16) {
		b.gr(4, i&3)
		if v := b.r(i &^ 3); v != i {
			t.Errorf("byte %d is seen as %d in plane %d", i, v, i&3)
		}
	}
	b.crtc(0x14, 0)
	b.crtc(0x17, 0xe3)
	for i := range uint64(64) {
		b.seq(2, 1<<(i&3))
		b.w(i>>2, 63-i)
	}
	b.golden(t, "modex")
}

func TestWriteModes(t *testing.T) {
	b := newBench(false)
	b.setup(4, 4, false)
	planes := func(off uint64) (p [4]uint64) {
		for i := range p {
			b.gr(4, uint64(i))
			p[i] = b.r(off)
		}
		return p
	}
	for _, tc := range []struct {
		what string
		regs [][2]uint64 // graphics registers
		v    uint64
		want [4]uint64 // over 0f 33 55 f0
		mask uint64
	}{
		{"mode 0", nil, 0xa5, [4]uint64{0xa5, 0xa5, 0xa5, 0xa5}, 15},
		{"map mask", nil, 0xa5, [4]uint64{0xa5, 0x33, 0xa5, 0xf0}, 5},
		{"rotate", [][2]uint64{{3, 4}}, 0xa5, [4]uint64{0x5a, 0x5a, 0x5a, 0x5a}, 15},
		{"set/reset", [][2]uint64{{0, 2}, {1, 3}}, 0xa5, [4]uint64{0, 0xff, 0xa5, 0xa5}, 15},
		{"and", [][2]uint64{{3, 8}}, 0x3c, [4]uint64{0x0c, 0x30, 0x14, 0x30}, 15},
		{"or", [][2]uint64{{3, 16}}, 0x3c, [4]uint64{0x3f, 0x3f, 0x7d, 0xfc}, 15},
		{"xor", [][2]uint64{{3, 24}}, 0x3c, [4]uint64{0x33, 0x0f, 0x69, 0xcc}, 15},
		{"bit mask", [][2]uint64{{8, 0xf0}}, 0xa5, [4]uint64{0xaf, 0xa3, 0xa5, 0xa0}, 15},
		{"mode 1", [][2]uint64{{5, 1}}, 0xa5, [4]uint64{0x0f, 0x33, 0x55, 0xf0}, 15},
		{"mode 2", [][2]uint64{{5, 2}, {8, 0x0f}}, 9, [4]uint64{0x0f, 0x30, 0x50, 0xff}, 15},
		{"mode 3", [][2]uint64{{5, 3}, {0, 6}, {8, 0x3f}}, 0xfc, [4]uint64{0x03, 0x3f, 0x7d, 0xc0}, 15},
	} {
		b.fill(9, 0x0f, 0x33, 0x55, 0xf0)
		b.r(9) // the latches
		for _, r := range tc.regs {
			b.gr(r[0], r[1])
		}
		b.seq(2, tc.mask)
		b.w(9, tc.v)
		b.seq(2, 15)
		for i, v := range []uint64{0, 0, 0, 0, 0, 0, 5, 15, 255} {
			b.gr(uint64(i), v)
		}
		if got := planes(9); got != tc.want {
			t.Errorf("%s: %02x, want %02x", tc.what, got, tc.want)
		}
	}
	b.fill(9, 0x0f, 0x33, 0x55, 0xf0)
	b.gr(5, 8) // read mode 1
	b.gr(2, 5)
	b.gr(7, 15)
	if v := b.r(9); v != 0x0f&^0x33&0x55&^0xf0 {
		t.Errorf("colour compare %#x", v)
	}
	b.gr(7, 1)
	if v := b.r(9); v != 0x0f {
		t.Errorf("colour compare of plane 0 %#x", v)
	}
}

func TestRegisters(t *testing.T) {
	b := newBench(false)
	b.setup(4, 4, false)
	b.crtc(0x11, 0x80)
	b.crtc(0, 0x12)
	b.crtc(7, 0xff)
	b.out(0x3d4, 0)
	if v := b.in(0x3d5); v != 0x5f {
		t.Errorf("protected register was written: %#x", v)
	}
	b.out(0x3d4, 7)
	if v := b.in(0x3d5); v != 0x10 {
		t.Errorf("register 7 %#x", v)
	}
	if v := b.in(0x3b5); v != 0xff {
		t.Errorf("monochrome port answers in colour mode: %#x", v)
	}
	b.out(0x3c7, 1)
	if r, g := b.in(0x3c9), b.in(0x3c9); r != 0 || g != 0 || b.in(0x3c9) != 42 || b.in(0x3c9) != 0 {
		t.Error("DAC read")
	}
	// The beam: a vertical retrace comes once a frame.
	edges, last := 0, false
	for range 2000 {
		b.clk.Advance(10_000)
		now := b.in(0x3da)&8 != 0
		if now && !last {
			edges++
		}
		last = now
	}
	if edges < 1 || edges > 4 {
		t.Errorf("%d retraces in 20 ms", edges)
	}
}

func TestDISPI(t *testing.T) {
	for _, bpp := range []uint64{8, 15, 16, 24, 32} {
		b := newBench(false)
		b.setup(4, 4, false)
		b.dispi(dispiEnable, 0)
		b.dispi(dispiXRes, 16)
		b.dispi(dispiYRes, 4)
		b.dispi(dispiBPP, bpp)
		b.dispi(dispiEnable, dispiEnabled|dispiLFB)
		n := uint64(16*4) * ((bpp + 1) / 8)
		for i := range n {
			b.mem.Write(0xe0000000+i, 1, i*7)
		}
		b.golden(t, "linear"+string(rune('0'+bpp/10))+string(rune('0'+bpp%10)))
		if v := b.r(5); v != 35 {
			t.Errorf("window in a linear mode reads %#x", v)
		}
		var s display.Surface
		b.v.Draw(&s, true)
		b.mem.Write(0xe0000000, 1, 0x99)
		if r := b.v.Draw(&s, false); r.Empty() {
			t.Error("change is not drawn")
		}
		b.dispi(dispiBank, 3)
		b.w(1, 0x42)
		if b.v.b[0x30001] != 0x42 {
			t.Error("bank")
		}
	}
}

// HARDWARE.md: a virtual width of 0 makes BIOSes divide by zero. SECURITY.md:
// CVE-2016-3712 (a picture beyond memory), CVE-2016-3710 (bank window).
func TestDISPIBounds(t *testing.T) {
	b := newBench(true)
	if b.dispiRead(dispiID) != 0xb0c5 || b.dispiRead(dispiVirtWidth) == 0 || b.dispiRead(dispiMemory) != 16 {
		t.Error("registers after reset")
	}
	for _, regs := range [][4]uint64{{0, 0, 32, 0}, {65535, 65535, 32, 65535}, {1024, 768, 32, 0xffff}, {8, 65535, 8, 8}, {640, 480, 99, 0}} {
		b.dispi(dispiEnable, 0)
		b.dispi(dispiXRes, regs[0])
		b.dispi(dispiYRes, regs[1])
		b.dispi(dispiBPP, regs[2])
		b.dispi(dispiEnable, dispiEnabled)
		b.dispi(dispiVirtWidth, regs[3])
		b.dispi(dispiXOffset, 65535)
		b.dispi(dispiYOffset, 65535)
		b.dispi(dispiBank, 65535)
		b.in(0x3da)
		b.out(0x3c0, 0x20)
		b.seq(0, 3)
		b.w(0xffff, 1)
		b.r(0xffff)
		if b.dispiRead(dispiVirtWidth) == 0 {
			t.Error("virtual width 0")
		}
		if end := b.v.start() + b.v.stride()*(uint32(b.v.yres)-1) + b.v.bytes(uint32(b.v.xres)); end > b.v.size {
			t.Errorf("%v: the picture ends at %#x", regs, end)
		}
		var s display.Surface
		b.v.Draw(&s, true)
	}
}

// CVE-2017-13673: which lines are dirty with a split screen.
func TestSplitScreenDirtyRange(t *testing.T) {
	b := newBench(true)
	b.setup(80, 400, false)
	for _, start := range []uint64{0, 0x8000, 0xffff} {
		b.crtc(0x0c, start>>8)
		b.crtc(0x0d, start&0xff)
		for _, at := range []uint64{0, 1, 100, 0xff} {
			b.crtc(0x18, at)
			var s display.Surface
			b.v.Draw(&s, true)
			for _, off := range []uint64{0, 0x1fff, 0xffff} {
				b.w(off, 0xff)
				if r := b.v.Draw(&s, false); !r.In(image.Rect(0, 0, s.Width, s.Height)) {
					t.Errorf("start %#x, split at %d: drew %v", start, at, r)
				}
			}
		}
	}
}

func TestPCI(t *testing.T) {
	b := newBench(true)
	b.bus.WriteConfig(0, 16, 0x10, 4, 0xe0000000)
	b.bus.WriteConfig(0, 16, 0x18, 4, 0xe1000000)
	b.bus.WriteConfig(0, 16, 4, 2, 2)
	if v := b.bus.ReadConfig(0, 16, 0, 4); v != 0x11111234 {
		t.Errorf("id %#x", v)
	}
	b.mem.Write(0xe1000508, 2, dispiEnabled)
	if v := b.mem.Read(0xe1000500, 2); v != 0xb0c5 {
		t.Errorf("DISPI in memory %#x", v)
	}
	b.mem.Write(0xe1000402, 1, 0x67)
	if v := b.in(0x3cc); v != 0x67 {
		t.Errorf("VGA port in memory: misc %#x", v)
	}
	if v := b.mem.Read(0xe1000604, 4); v != littleEndianPixels {
		t.Errorf("byte order %#x", v)
	}
	b.mem.Write(0xe0000010, 4, 0x1234)
	if b.v.b[0x10] != 0x34 {
		t.Error("linear memory")
	}
}

func FuzzVGA(f *testing.F) {
	f.Add([]byte{0x42, 0, 0, 0, 0xc0, 0x20, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		b := newBench(true)
		b.setup(80, 200, len(ops)&1 != 0)
		var s display.Surface
		draws := 0 // a picture takes milliseconds
		for i := 0; i+3 < len(ops); i += 4 {
			v := uint64(ops[i+2])<<8 | uint64(ops[i+3])
			switch ops[i] & 7 {
			case 0:
				b.io.Write(0x3b0+uint64(ops[i+1]&63), 1<<(ops[i]>>7), v)
				b.io.Read(0x3b0+uint64(ops[i+1]&63), 1)
			case 1:
				b.dispi(uint64(ops[i+1]&15), v)
			case 2:
				b.mem.Write(0xa0000+uint64(ops[i+1])<<9+v, 1<<(ops[i]>>6), v*0x10001)
				b.mem.Read(0xa0000+uint64(ops[i+1])<<9+v, 1<<(ops[i]>>6))
			case 3:
				b.seq(uint64(ops[i+1]), v&255)
			case 4:
				b.gr(uint64(ops[i+1]), v&255)
			case 5:
				b.crtc(uint64(ops[i+1]), v&255)
			case 6:
				b.attr(uint64(ops[i+1]), v&255)
			case 7:
				b.clk.Advance(int64(v) << 16)
				if draws++; draws > 20 {
					break
				}
				b.v.Draw(&s, ops[i+1]&1 != 0)
				b.v.Text()
			}
		}
		b.v.Draw(&s, true)
	})
}
