package cirrus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/display"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

type bench struct {
	k       *Cirrus
	io, mem *mem.Space
}

const (
	lfb, regs = 0xe0000000, 0xf0000000
	vram      = 4 << 20
	mask      = vram - 1
)

func newBench() *bench {
	io, sys := mem.NewContainer("io", 0x10000), mem.NewContainer("pci", 1<<32)
	b := &bench{io: mem.NewSpace("io", io, nil), mem: mem.NewSpace("memory", sys, nil)}
	bus := pci.New(pci.Config{Memory: sys, IO: io})
	b.k = New(Config{Env: dev.Env{Clock: vclock.NewManual()}, Bus: bus, Device: 2})
	sys.Add(0xa0000, b.k.VGA().Window(), 1)
	b.k.VGA().MapPorts(io)
	conf := b.k.fn.Space()
	conf.Write(pci.BaseAddress, 4, lfb)
	conf.Write(pci.BaseAddress+4, 4, regs)
	conf.Write(pci.Command, 2, pci.CmdMemory|pci.CmdIO)
	b.io.Write(0x3c2, 1, 0x67)
	return b
}

func (b *bench) sr(i, v uint64)       { b.io.Write(0x3c4, 2, v<<8|i) }
func (b *bench) gr(i, v uint64)       { b.io.Write(0x3ce, 2, v<<8|i) }
func (b *bench) cr(i, v uint64)       { b.io.Write(0x3d4, 2, v<<8|i) }
func (b *bench) in(port uint64) uint8 { return uint8(b.io.Read(port, 1)) }

// regs of a blit, by its registers' places in memory.
type regset struct {
	fg, bg             uint32
	width, height      int // bytes, lines
	dst, src           uint32
	dstPitch, srcPitch int
	mask, mode, rop    uint8
	ext                uint8
	key                uint16
}

func (b *bench) blit(r regset) {
	w := func(off, size, v uint64) { b.mem.Write(regs+0x100+off, int(size), v) }
	w(0x00, 4, uint64(r.bg))
	w(0x04, 4, uint64(r.fg))
	w(0x08, 2, uint64(r.width-1))
	w(0x0a, 2, uint64(r.height-1))
	w(0x0c, 2, uint64(r.dstPitch))
	w(0x0e, 2, uint64(r.srcPitch))
	w(0x10, 4, uint64(r.dst))
	w(0x14, 2, uint64(r.src&0xffff))
	w(0x16, 1, uint64(r.src>>16))
	w(0x17, 1, uint64(r.mask))
	w(0x18, 1, uint64(r.mode))
	w(0x1a, 1, uint64(r.rop))
	w(0x1b, 1, uint64(r.ext))
	w(0x1c, 2, uint64(r.key))
	w(0x40, 1, 0)
	w(0x40, 1, bltStart)
}

func (b *bench) fill(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	for i := range b.k.b[:256<<10] {
		b.k.b[i] = uint8(rnd.Uint32())
	}
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzCirrus(f *testing.F)  { devtest.Fuzz(f, build) }

func build(b *devtest.Bench) dev.Device {
	io := mem.NewContainer("io", 0x10000)
	k := New(Config{Env: b.Env(), VRAM: 1 << 20, Bus: pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io}), Device: 2})
	k.VGA().MapPorts(io)
	s := mem.NewSpace("io", io, nil)
	var surface display.Surface
	// Large blits take as long as they are large, and a fuzzer makes thousands:
	// here they have 512 bytes by 256 lines at most.
	small := func() { k.gr[0x21] &= 1; k.gr[0x23] = 0 }
	b.MMIO(0x30, mem.Handlers{
		R: func(off uint64, _ int) uint64 { return s.Read(0x3b0+off, 1) },
		W: func(off uint64, _ int, x uint64) { small(); s.Write(0x3b0+off, 1, x); small() },
	})
	b.MMIO(0x1000, mem.Handlers{
		R: (*mmio)(k).Read,
		W: func(off uint64, size int, x uint64) { small(); (*mmio)(k).Write(off, size, x); small() },
	})
	b.MMIO(0x20000, mem.Handlers{
		R: func(off uint64, _ int) uint64 { x, _ := k.Load(uint32(off) & 0x1ffff); return uint64(x) },
		W: func(off uint64, _ int, x uint64) { k.Store(uint32(off)&0x1ffff, uint8(x)) },
	})
	b.MMIO(4, mem.Handlers{
		R: func(off uint64, size int) uint64 {
			if off == 3 && size == 1 {
				k.Draw(&surface, false)
			}
			return k.hostRead(size)
		},
		W: func(_ uint64, size int, x uint64) { k.hostWrite(size, x) },
	})
	b.MMIO(256, k.fn.Space())
	return k
}

// operations are the raster operations by the names that X has for them, with
// the results for source and destination 00, 01, 10, 11.
var operations = []struct {
	name  string
	rop   uint8
	table [4]uint8
}{
	{"clear", 0x00, [4]uint8{0, 0, 0, 0}}, {"and", 0x05, [4]uint8{0, 0, 0, 1}}, {"noop", 0x06, [4]uint8{0, 1, 0, 1}},
	{"andReverse", 0x09, [4]uint8{0, 0, 1, 0}}, {"invert", 0x0b, [4]uint8{1, 0, 1, 0}}, {"copy", 0x0d, [4]uint8{0, 0, 1, 1}},
	{"set", 0x0e, [4]uint8{1, 1, 1, 1}}, {"andInverted", 0x50, [4]uint8{0, 1, 0, 0}}, {"xor", 0x59, [4]uint8{0, 1, 1, 0}},
	{"or", 0x6d, [4]uint8{0, 1, 1, 1}}, {"nor", 0x90, [4]uint8{1, 0, 0, 0}}, {"equiv", 0x95, [4]uint8{1, 0, 0, 1}},
	{"orReverse", 0xad, [4]uint8{1, 0, 1, 1}}, {"copyInverted", 0xd0, [4]uint8{1, 1, 0, 0}}, {"orInverted", 0xd6, [4]uint8{1, 1, 0, 1}},
	{"nand", 0xda, [4]uint8{1, 1, 1, 0}},
}

// combine is an operation on pixels, bit by bit.
func combine(table [4]uint8, s, d uint32, depth int) uint32 {
	var r uint32
	for i := range 8 * depth {
		r |= uint32(table[s>>i&1<<1|d>>i&1]) << i
	}
	return r
}

// model is a picture of pixels.
type model struct {
	m     []uint8
	depth int
}

func (m model) get(at uint32) (p uint32) {
	for i := range m.depth {
		p |= uint32(m.m[(at+uint32(i))&mask]) << (8 * i)
	}
	return p
}

func (m model) set(at, p uint32) {
	for i := range m.depth {
		m.m[(at+uint32(i))&mask] = uint8(p >> (8 * i))
	}
}

func (b *bench) check(t *testing.T, m model) {
	t.Helper()
	if !bytes.Equal(m.m, b.k.b) {
		for i := range m.m {
			if m.m[i] != b.k.b[i] {
				t.Fatalf("byte %#x is %02x, want %02x", i, b.k.b[i], m.m[i])
			}
		}
	}
}

func TestRasterOperations(t *testing.T) {
	for _, op := range operations {
		for depth := 1; depth <= 4; depth++ {
			t.Run(fmt.Sprintf("%s %d", op.name, depth*8), func(t *testing.T) {
				b := newBench()
				b.fill(uint64(depth))
				r := regset{width: 13 * depth, height: 7, dst: 0x4003, src: 0x12345, dstPitch: 640, srcPitch: 512, rop: op.rop,
					mode: uint8(depth-1) << 4, fg: 0x12f4a6c8, bg: 0x81c32d5e}
				m := model{append([]uint8(nil), b.k.b...), depth}
				// Screen to screen.
				for y := range r.height {
					for x := range 13 {
						d := r.dst + uint32(y*r.dstPitch+x*depth)
						m.set(d, combine(op.table, m.get(r.src+uint32(y*r.srcPitch+x*depth)), m.get(d), depth))
					}
				}
				b.blit(r)
				b.check(t, m)
				// The same backwards.
				back := r
				back.mode |= modeBackwards
				last := func(at uint32, pitch int) uint32 { return at + uint32((r.height-1)*pitch+r.width-1) }
				back.dst, back.src = last(r.dst, r.dstPitch), last(r.src, r.srcPitch)
				for y := range r.height {
					for x := range 13 {
						d := r.dst + uint32(y*r.dstPitch+x*depth)
						m.set(d, combine(op.table, m.get(r.src+uint32(y*r.srcPitch+x*depth)), m.get(d), depth))
					}
				}
				b.blit(back)
				b.check(t, m)
				// Pattern.
				pat := r
				pat.mode |= modePattern
				pat.src = 0x2000 + 3
				rowBytes := uint32(8 * depth)
				if depth == 3 {
					rowBytes = 32
				}
				for y := range r.height {
					for x := range 13 {
						d := r.dst + uint32(y*r.dstPitch+x*depth)
						s := uint32(0x2000) + uint32((3+y)&7)*rowBytes + uint32(x&7*depth)
						m.set(d, combine(op.table, m.get(s), m.get(d), depth))
					}
				}
				b.blit(pat)
				b.check(t, m)
				// Two colours, from memory, from a pattern, from the processor;
				// opaque, transparent and inverted; with pixels left out.
				for _, from := range []uint8{0, modePattern, modeFromHost} {
					for _, look := range [][2]uint8{{0, 0}, {modeTransparent, 0}, {modeTransparent, extInvert}} {
						e := r
						e.mode |= modeExpand | from | look[0]
						e.ext, e.mask = look[1], 2
						e.src = 0x3005
						row := func(y int) uint32 { return e.src + uint32(2*y) }
						if from == modePattern {
							row = func(y int) uint32 { return 0x3000 + uint32((5+y)&7) }
						}
						for y := range r.height {
							for x := 2; x < 13; x++ {
								col := x
								if from == modePattern {
									col &= 7
								}
								bit := m.m[row(y)+uint32(col/8)]>>(7-col%8)&1 != 0
								c := e.fg
								switch {
								case look[0] != 0 && bit == (look[1] != 0):
									continue
								case look[1] != 0 || !bit:
									c = e.bg
								}
								d := r.dst + uint32(y*r.dstPitch+x*depth)
								m.set(d, combine(op.table, c, m.get(d), depth))
							}
						}
						b.blit(e)
						if from == modeFromHost {
							if b.mem.Read(regs+0x140, 1)&bltBusy == 0 {
								t.Fatal("it does not wait for data")
							}
							for i := range 2 * r.height {
								b.mem.Write(lfb+window+uint64(4*i), 1, uint64(m.m[0x3005+i]))
							}
						}
						if b.mem.Read(regs+0x140, 1)&bltBusy != 0 {
							t.Fatal("it goes on")
						}
						b.check(t, m)
					}
				}
				// One colour.
				solid := r
				solid.mode |= modePattern | modeExpand
				solid.ext = extSolid
				for y := range r.height {
					for x := range 13 {
						d := r.dst + uint32(y*r.dstPitch+x*depth)
						m.set(d, combine(op.table, solid.fg, m.get(d), depth))
					}
				}
				b.blit(solid)
				b.check(t, m)
				// Pixels from the processor, lines rounded up to doublewords.
				host := r
				host.mode |= modeFromHost
				b.blit(host)
				pitch := (r.width + 3) &^ 3
				for i := 0; i < pitch*r.height; i += 4 {
					b.mem.Write(lfb, 4, 0x01020304*uint64(i/4+1))
				}
				for y := range r.height {
					for x := range 13 {
						var s uint32
						for j := range depth {
							i := y*pitch + x*depth + j
							s |= uint32(uint8((0x01020304*uint64(i/4+1))>>(8*(i%4)))) << (8 * j)
						}
						d := r.dst + uint32(y*r.dstPitch+x*depth)
						m.set(d, combine(op.table, s, m.get(d), depth))
					}
				}
				b.check(t, m)
			})
		}
	}
}

func TestTransparency(t *testing.T) {
	for depth := 1; depth <= 2; depth++ {
		b := newBench()
		for i := range b.k.b[:0x10000] {
			b.k.b[i] = uint8(i/2%3) + 1
		}
		m := model{append([]uint8(nil), b.k.b...), depth}
		r := regset{width: 20 * depth, height: 3, dst: 0x8000, src: 0x101, dstPitch: 128, srcPitch: 128, rop: 0x0d, key: uint16(m.get(0x101)),
			mode: uint8(depth-1)<<4 | modeTransparent}
		for y := range r.height {
			for x := range 20 {
				at := uint32(y*128 + x*depth)
				if s := m.get(r.src + at); s != uint32(r.key)&(1<<(8*depth)-1) {
					m.set(r.dst+at, s)
				}
			}
		}
		b.blit(r)
		b.check(t, m)
	}
}

func TestToHost(t *testing.T) {
	b := newBench()
	b.fill(1)
	b.blit(regset{width: 6, height: 2, src: 0x1001, srcPitch: 100, rop: 0x0d, mode: modeToHost})
	var got []uint8
	for range 4 {
		x := b.mem.Read(lfb+window, 4)
		got = append(got, uint8(x), uint8(x>>8), uint8(x>>16), uint8(x>>24))
	}
	want := append(append([]uint8(nil), b.k.b[0x1001:0x1007]...), 0, 0)
	want = append(append(want, b.k.b[0x1065:0x106b]...), 0, 0)
	if !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if b.mem.Read(regs+0x140, 1)&bltBusy != 0 || b.mem.Read(lfb, 1) != uint64(b.k.b[0]) {
		t.Error("it goes on")
	}
}

// The holes of others: negative pitches and widths, backwards copies and
// sources outside of video memory (CVE-2008-1952, 2017-2615, 2017-2620), a
// width of zero (2016-9921). All addresses wrap.
func TestCVE20081952And2017BlitsOutsideOfMemory(t *testing.T) {
	for _, mode := range []uint8{0, modeBackwards, modePattern, modeExpand, modePattern | modeExpand, modeFromHost, modeToHost,
		modeTransparent, modeBackwards | modeTransparent, modeBackwards | modeTransparent | 0x10, modeFromHost | modePattern, modeFromHost | modePattern | modeExpand} {
		for _, at := range []uint32{0, 1, mask - 1, mask} {
			b := newBench()
			b.blit(regset{width: 0x2000, height: 0x800, dst: at, src: mask - at, dstPitch: 0x1fff, srcPitch: 0x1fff, rop: 0x59, mode: mode, mask: 7})
			b.mem.Write(lfb, 4, 0)
			b.mem.Read(lfb, 4)
			b.mem.Write(regs+0x140, 1, bltReset)
			b.mem.Write(regs+0x140, 1, 0)
			if b.mem.Read(regs+0x140, 1)&bltBusy != 0 {
				t.Errorf("mode %#x: a reset does not end it", mode)
			}
		}
	}
}

func TestCVE20169921ZeroWidth(t *testing.T) {
	b := newBench()
	b.gr(0x20, 0)
	b.gr(0x21, 0)
	for _, i := range []uint64{0x22, 0x23, 0x24, 0x25, 0x26, 0x27} {
		b.gr(i, 0)
	}
	b.gr(bltROP, 0x0d)
	for _, mode := range []uint64{0, modeFromHost, modeToHost, modeExpand | modeFromHost} {
		b.gr(bltMode, mode)
		b.gr(bltStatus, 0)
		b.gr(bltStatus, bltStart)
		for range 8 {
			b.mem.Write(lfb+window, 4, 0)
			b.mem.Read(lfb+window, 4)
		}
	}
}

// A blit of 16 MiB is done in parts, between which the machine goes on; until the
// end the registers say that the blitter is busy, and the picture is that of one go.
func TestLargeBlitsAreDoneInParts(t *testing.T) {
	for name, r := range map[string]regset{
		"xor":               {rop: 0x59, srcPitch: 8191, src: 77},
		"backwards":         {rop: 0x0d, srcPitch: 8191, src: 77, mode: modeBackwards},
		"pattern":           {rop: 0x0d, mode: modePattern | 0x10, src: 0x1003},
		"expansion":         {rop: 0x6d, mode: modeExpand | 0x10, fg: 0x1234, bg: 0x4321},
		"pattern expansion": {rop: 0x0d, mode: modePattern | modeExpand, fg: 0x55, bg: 0xaa},
	} {
		t.Run(name, func(t *testing.T) {
			r.width, r.height, r.dstPitch = 8192, 2048, 8191
			b, one := newBench(), newBench()
			clock := b.k.env.Clock.(*vclock.Manual)
			b.fill(3)
			one.fill(3)
			b.blit(r)
			parts := 1
			for ; b.mem.Read(regs+0x140, 1)&bltBusy != 0; parts++ {
				if v := b.mem.Read(regs+0x140, 1); v&(bltProgress|bltBuffered) != bltProgress|bltBuffered || parts > 100 {
					t.Fatalf("status %#x after %d parts", v, parts)
				}
				if done := b.k.blit.done * r.width; done > parts*(work+r.width) {
					t.Fatalf("%d bytes in %d parts", done, parts)
				}
				clock.Advance(pause)
			}
			if parts != r.width*r.height/work {
				t.Errorf("%d parts", parts)
			}
			r.height = 64 // the same by blits that are done at once
			for y := 0; y < 2048; y += 64 {
				q := r
				q.dst, q.src = r.dst+uint32(y*r.dstPitch), r.src+uint32(y*r.srcPitch)
				if r.mode&modeBackwards != 0 {
					q.dst, q.src = (r.dst-uint32(y*r.dstPitch))&mask, (r.src-uint32(y*r.srcPitch))&mask
				}
				if r.mode&modeExpand != 0 && r.mode&modePattern == 0 {
					q.src = r.src + uint32(y*8192/2/8)
				} else if r.mode&modePattern != 0 {
					q.src = r.src
				}
				one.blit(q)
				if one.k.gr[bltStatus]&bltBusy != 0 {
					t.Fatal("a small blit is not done at once")
				}
			}
			if !bytes.Equal(b.k.b, one.k.b) {
				t.Error("the picture is another one")
			}
		})
	}
	// Moves and fills do not look at bytes: they are done at once.
	b := newBench()
	b.blit(regset{rop: 0x0d, width: 8192, height: 2048, dstPitch: 0, srcPitch: 0, dst: 1 << 20})
	if b.k.blit.running {
		t.Error("a move is done in parts")
	}
	// A reset, and another blit, end what is going on.
	for _, stop := range []func(){func() { b.mem.Write(regs+0x140, 1, bltReset); b.mem.Write(regs+0x140, 1, 0) },
		func() { b.blit(regset{rop: 0x0d, width: 1, height: 1}) }, b.k.Reset} {
		b.blit(regset{rop: 0x59, width: 8192, height: 2048})
		if !b.k.blit.running {
			t.Fatal("a large blit is done at once")
		}
		stop()
		if _, set := b.k.timer.Deadline(); set || b.k.blit.running || b.k.gr[bltStatus]&bltBusy != 0 {
			t.Error("it goes on")
		}
	}
}

func TestRegisters(t *testing.T) {
	b := newBench()
	if got := b.k.b[vram-1]; got != 0xff {
		t.Errorf("memory begins as %02x", got)
	}
	b.sr(6, 0)
	if b.in(0x3c5) != 0x0f {
		t.Error("SR6 is not locked")
	}
	b.sr(6, 0x12)
	if b.in(0x3c5) != 0x12 {
		t.Error("SR6 is not unlocked")
	}
	b.io.Write(0x3d4, 1, 0x27)
	if b.in(0x3d5) != idGD5446 {
		t.Error("that is no GD5446")
	}
	// The hidden register comes after four reads of the mask.
	for range 4 {
		b.in(0x3c6)
	}
	b.io.Write(0x3c6, 1, 0xe1)
	if got := b.in(0x3c6); got != 0xff {
		t.Errorf("the mask was written: %02x", got)
	}
	b.in(0x3c8) // starts anew
	for range 4 {
		b.in(0x3c6)
	}
	if got := b.in(0x3c6); got != 0xe1 {
		t.Errorf("hidden register %02x", got)
	}
	// Colours have eight bits here.
	b.gr(0, 0xa5)
	if got := b.in(0x3cf); got != 0xa5 {
		t.Errorf("GR0 is %02x", got)
	}
}

func TestBanks(t *testing.T) {
	b := newBench()
	b.fill(3)
	b.sr(7, 1)
	b.gr(0x0b, 0)
	b.gr(9, 3) // 4 KiB units
	if got, want := b.mem.Read(0xa0010, 4), b.mem.Read(lfb+0x3010, 4); got != want {
		t.Errorf("%x, want %x", got, want)
	}
	b.gr(0x0b, extDual|extUnit16K)
	b.gr(0x0a, 7)
	b.mem.Write(0xa8004, 2, 0x1234)
	if got := b.mem.Read(lfb+7<<14+4, 2); got != 0x1234 {
		t.Errorf("second bank %x", got)
	}
	// Beyond memory there is nothing.
	b.gr(9, 0xff)
	b.gr(0x0a, 0xff)
	if got := b.mem.Read(0xaffff, 1); got != uint64(b.k.b[(0xff<<14+0x7fff)&mask]) && got != 0xff {
		t.Errorf("beyond: %x", got)
	}
	// Extended write mode 5: bits become pixels.
	b.gr(9, 0)
	b.gr(0x0b, extWrites|extBy8)
	b.gr(0, 0x11)
	b.gr(1, 0x22)
	b.gr(5, 5)
	b.mem.Write(0xa0002, 1, 0xa0)
	if got := b.mem.Read(lfb+16, 8); got != 0x1111111111221122 {
		t.Errorf("write mode 5: %x", got)
	}
	b.gr(5, 4)
	b.mem.Write(0xa0002, 1, 0x40)
	if got := b.mem.Read(lfb+16, 8); got != 0x1111111111222222 {
		t.Errorf("write mode 4: %x", got)
	}
}

// picture programs 640x480 with 8 bits a pixel.
func (b *bench) picture() {
	b.sr(0, 3)
	b.sr(1, 1)
	b.sr(7, 1)
	b.cr(0x11, 0)
	for i, v := range map[uint64]uint64{0: 0x5f, 1: 79, 6: 0x0b, 7: 0x3e, 9: 0x40, 0x0c: 0, 0x0d: 0, 0x10: 0xea, 0x12: 0xdf, 0x13: 80, 0x18: 0xff} {
		b.cr(i, v)
	}
	b.gr(6, 5)
	b.in(0x3da)
	b.io.Write(0x3c0, 1, 0x20)
	b.io.Write(0x3c6, 1, 0xff)
	b.io.Write(0x3c8, 1, 1)
	for _, v := range []uint64{63, 0, 0} {
		b.io.Write(0x3c9, 1, v)
	}
}

func TestCursor(t *testing.T) {
	b := newBench()
	b.picture()
	for i := range b.k.b {
		b.k.b[i] = 0
	}
	b.k.b[100*640+200] = 1
	// 32 x 32: the first line is transparent, inverted, background, foreground.
	at := vram - 16<<10 + 2*256
	b.k.b[at], b.k.b[at+128] = 0x50, 0x30
	b.sr(srCursor, cursorPal)
	for i, rgb := range map[uint64][3]uint64{0: {0, 63, 0}, 15: {0, 0, 63}} {
		b.io.Write(0x3c8, 1, i)
		for _, v := range rgb {
			b.io.Write(0x3c9, 1, v)
		}
	}
	b.sr(srCurPat, 2)
	b.sr(srCursor, cursorOn)
	b.sr(srCurX|200&7<<5, 200>>3)
	b.sr(srCurY|100&7<<5, 100>>3)
	b.k.vga.Wrote(0, vram)
	var s display.Surface
	b.k.Draw(&s, false)
	if s.Width != 640 || s.Height != 480 {
		t.Fatalf("%dx%d", s.Width, s.Height)
	}
	if got, want := s.Pix[100*640+200:100*640+204], []uint32{0xff0000, 0xffffff, 0x00ff00, 0x0000ff}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("cursor %x, want %x", got, want)
	}
	// It moves: where it was is drawn again, and only that.
	b.sr(srCurY|101&7<<5, 101>>3)
	if r := b.k.Draw(&s, false); r.Min.Y != 100 || r.Max.Y != 133 {
		t.Errorf("drew %v", r)
	}
	if s.Pix[100*640+201] != 0 || s.Pix[101*640+201] != 0xffffff {
		t.Error("the cursor did not move")
	}
	if r := b.k.Draw(&s, false); !r.Empty() {
		t.Errorf("nothing has changed and %v was drawn", r)
	}
	// Beyond the edges.
	b.sr(srCurX|7<<5, 0xff)
	b.sr(srCurY|7<<5, 0xff)
	b.sr(srCursor, cursorOn|cursorLarge)
	b.sr(srCurPat, 0x3f)
	b.k.Draw(&s, true)
}

// BenchmarkLargestBlits are 16 MiB, each way that takes another path.
func BenchmarkLargestBlits(b *testing.B) {
	big := regset{width: 8192, height: 2048, dst: 1, src: 1000, dstPitch: 8191, srcPitch: 8190, rop: 0x59, fg: 0x12345678}
	for name, change := range map[string]func(*regset){
		"copy":               func(r *regset) { r.rop = ropCopy },
		"xor":                func(r *regset) {},
		"xor backwards":      func(r *regset) { r.mode = modeBackwards },
		"transparent":        func(r *regset) { r.mode, r.key = modeTransparent|1<<4, 0x1234 },
		"pattern":            func(r *regset) { r.mode = modePattern },
		"expand":             func(r *regset) { r.mode = modeExpand },
		"expand pattern":     func(r *regset) { r.mode = modeExpand | modePattern },
		"expand transparent": func(r *regset) { r.mode = modeExpand | modeTransparent },
		"solid xor":          func(r *regset) { r.mode, r.ext = modeExpand|modePattern, extSolid },
	} {
		b.Run(name, func(b *testing.B) {
			t := newBench()
			r := big
			change(&r)
			for b.Loop() {
				t.blit(r)
			}
		})
	}
}
