package mem

import (
	"bytes"
	"strings"
	"testing"
)

type regs [16]byte

func (r *regs) Read(off uint64, size int) uint64     { return load(r[off:], size) }
func (r *regs) Write(off uint64, size int, v uint64) { store(r[off:], size, v) }

func TestOverlapAndAlias(t *testing.T) {
	root := NewContainer("system", 0)
	ram := NewRAM("ram", 0x10000)
	root.Add(0, ram)
	io := NewIO("regs", 16, &regs{1, 2, 3, 4})
	root.Add(0x8000, io, 1)
	root.Add(0x20000, NewAlias("high", ram, 0x4000, 0x1000))
	s := NewSpace("memory", root, nil)

	s.Write(0x4000, 4, 0x12345678)
	if v := s.Read(0x20000, 4); v != 0x12345678 {
		t.Errorf("alias reads %#x", v)
	}
	if v := s.Read(0x8000, 4); v != 0x04030201 {
		t.Errorf("registers over RAM read %#x", v)
	}
	s.Write(0x7ffe, 4, 0xaabbccdd) // half RAM, half registers
	if v := s.Read(0x7ffe, 4); v != 0xaabbccdd {
		t.Errorf("access across a border reads %#x", v)
	}
	if _, ok := s.ReadPage(0x8000); ok {
		t.Error("a page with registers in it is given out as RAM")
	}
	if p, ok := s.ReadPage(0x20000); !ok || p.Off != 0x4000 {
		t.Errorf("page of alias: %v %v", p.Off, ok)
	}
	if v := s.Read(0x30000, 2); v != 0xffff {
		t.Errorf("nothing reads as %#x", v)
	}
	io.Enable(false)
	if v := s.Read(0x8000, 1); v != 0 {
		t.Errorf("hidden registers are still seen: %#x", v)
	}
}

// PAM: reads and writes of one segment are routed separately (82441FX §3.2.20).
func TestSplitAccess(t *testing.T) {
	root := NewContainer("system", 0)
	ram := NewRAM("ram", 0x100000)
	rom := NewROM("bios", 0x10000, bytes.Repeat([]byte{0xea}, 0x10000))
	root.Add(0, ram)
	pci := NewAlias("rom-window", rom, 0, 0x10000)
	root.Add(0xf0000, pci, 1)
	shadow := NewAlias("shadow", ram, 0xf0000, 0x10000)
	root.Add(0xf0000, shadow, 2)
	s := NewSpace("memory", root, nil)
	for _, tc := range []struct {
		access Access
		reads  uint64 // after writing 0x55
		ram    byte
	}{{0, 0xea, 0}, {R, 0, 0}, {W, 0xea, 0x55}, {RW, 0x55, 0x55}} {
		ram.RAM().Bytes[0xf1234] = 0
		shadow.SetAccess(tc.access)
		s.Write(0xf1234, 1, 0x55)
		if v := s.Read(0xf1234, 1); v != tc.reads || ram.RAM().Bytes[0xf1234] != tc.ram {
			t.Errorf("access %d: reads %#x, RAM holds %#x", tc.access, v, ram.RAM().Bytes[0xf1234])
		}
	}
}

type byteOnly struct{ log []uint64 }

func (b *byteOnly) Read(off uint64, size int) uint64     { return off + uint64(size)<<4 }
func (b *byteOnly) Write(off uint64, size int, v uint64) { b.log = append(b.log, off, uint64(size), v) }

func TestSizesAndOrder(t *testing.T) {
	root := NewContainer("io", 0x10000)
	b := &byteOnly{}
	root.Add(0x60, NewIO("byte", 8, b).Sizes(1, 1))
	root.Add(0x100, NewIO("be", 4, &regs{0x11, 0x22, 0x33, 0x44}).BigEndian())
	s := NewSpace("io", root, nil)
	if v := s.Read(0x60, 4); v != 0x13121110 {
		t.Errorf("split read %#x", v)
	}
	s.Write(0x62, 2, 0xbeef)
	if len(b.log) != 6 || b.log[2] != 0xef || b.log[5] != 0xbe {
		t.Errorf("split write %x", b.log)
	}
	if v := s.Read(0x100, 4); v != 0x11223344 {
		t.Errorf("big-endian register %#x", v)
	}
}

func TestWatchAndDirty(t *testing.T) {
	root := NewContainer("system", 0)
	r := NewRAM("ram", 4*PageSize)
	root.Add(0, r)
	s := NewSpace("memory", root, nil)
	var seen []uint64
	r.RAM().OnWrite(func(_ *RAM, off, n uint64) { seen = append(seen, off, n) })
	r.RAM().Watch(PageSize)
	cleaned := 0
	r.RAM().Log(func() { cleaned++ })
	s.WriteBytes(PageSize-2, make([]byte, 4))
	s.Write(3*PageSize, 1, 1)
	if len(seen) != 2 || seen[0] != PageSize || seen[1] != 2 {
		t.Errorf("watch saw %v", seen)
	}
	var dirty []uint64
	r.RAM().TakeDirty(0, 4*PageSize, func(off uint64) { dirty = append(dirty, off/PageSize) })
	if len(dirty) != 3 || dirty[2] != 3 || cleaned != 1 {
		t.Errorf("dirty %v, cleaned %d", dirty, cleaned)
	}
	if !r.RAM().Clean(0) {
		t.Error("page is not clean after TakeDirty")
	}
}

// TestWatchRange compares ranges with pages.
func TestWatchRange(t *testing.T) {
	const pages = 100
	r := NewRAM("ram", pages*PageSize).RAM()
	var want [pages]bool
	for i, g := range [][2]uint64{{3, 5}, {31, 33}, {30, 70}, {0, 32}, {64, 96}, {5, 6}, {0, 100}, {1, 99}, {32, 64}, {10, 10}, {99, 100}} {
		on := i%3 != 2
		if on {
			r.WatchRange(g[0]*PageSize, (g[1]-g[0])*PageSize)
		} else {
			r.UnwatchRange(g[0]*PageSize, (g[1]-g[0])*PageSize)
		}
		for p := g[0]; p < g[1]; p++ {
			want[p] = on
		}
		for p := range uint64(pages) {
			if r.Watched(p*PageSize) != want[p] {
				t.Fatalf("after %v: page %d", g, p)
			}
		}
	}
}

func TestDump(t *testing.T) {
	root := NewContainer("system", 0)
	root.Add(0x1000, NewRAM("ram", 0x1000))
	var b strings.Builder
	NewSpace("memory", root, nil).Dump(&b)
	if !strings.Contains(b.String(), "0000000000001000-0000000000001fff (ram): ram") {
		t.Error(b.String())
	}
}
