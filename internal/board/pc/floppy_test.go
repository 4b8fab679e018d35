package pc

import (
	"bytes"
	"testing"

	"rhea/internal/block"
	"rhea/internal/vclock"
)

// What qemu-system-i386 7.2 has in CMOS.
func TestFloppyCMOS(t *testing.T) {
	drive := func(kib int) *Floppy { return &Floppy{Backend: block.NewMemory(make([]byte, kib<<10), false)} }
	for _, c := range []struct {
		drives           [2]*Floppy
		types, equipment uint8
	}{
		{[2]*Floppy{}, 0, 0x06},
		{[2]*Floppy{{}}, 0x50, 0x07},
		{[2]*Floppy{drive(360)}, 0x20, 0x07},
		{[2]*Floppy{drive(720)}, 0x40, 0x07},
		{[2]*Floppy{{}, drive(1440)}, 0x54, 0x47},
		{[2]*Floppy{{Type: 2}, {Type: 4}}, 0x24, 0x47},
	} {
		for _, kind := range []Kind{I440FX, ISA} {
			m, _ := newMachine(t, Config{Kind: kind, Floppies: c.drives, Boot: Boot{NoSignature: true}})
			if a, b, k := m.RTC.Get(0x10), m.RTC.Get(0x14), m.RTC.Get(0x38); a != c.types || b != c.equipment || k&1 != 1 {
				t.Errorf("%+v: types %#x, equipment %#x, check %#x", c.drives, a, b, k)
			}
		}
	}
}

// A track goes to memory by DMA channel 2, and IRQ 6 says so; a write comes
// back; the controller's ports leave the IDE's alone.
func TestFloppyDMA(t *testing.T) {
	disk := make([]byte, 1440<<10)
	for i := range disk {
		disk[i] = byte(i / 512)
	}
	m, p := newMachine(t, Config{Floppies: [2]*Floppy{{Backend: block.NewMemory(disk, false)}}, Drives: [4]*Drive{{Backend: block.NewMemory(make([]byte, 1<<20), false)}}})
	out := func(at, v uint64) { m.IO.Write(at, 1, v) }
	wait := func() { m.env.Clock.(*vclock.Manual).Advance(1e9 / 100) }
	for _, w := range [][2]uint64{{0x20, 0x11}, {0x21, 8}, {0x21, 4}, {0x21, 1}, {0x21, 0xbf}} {
		out(w[0], w[1])
	}
	irq := func() {
		t.Helper()
		wait()
		if !p.intr || p.ack() != 8+6 {
			t.Fatal("no IRQ 6")
		}
		out(0x20, 0x20)
	}
	dma := func(mode, addr, n uint64) {
		out(0xd6, 0xc0)
		out(0xd4, 0)
		out(0x0a, 6)
		out(0x0c, 0)
		out(0x0b, mode|2)
		for _, w := range [][2]uint64{{4, addr & 255}, {4, addr >> 8 & 255}, {0x81, addr >> 16}, {5, (n - 1) & 255}, {5, (n - 1) >> 8}, {0x0a, 2}} {
			out(w[0], w[1])
		}
	}
	command := func(want uint64, b ...uint64) {
		t.Helper()
		for _, v := range b {
			if s := m.IO.Read(0x3f4, 1); s&0xc0 != 0x80 {
				t.Fatalf("MSR %#x", s)
			}
			out(0x3f5, v)
		}
		irq()
		for i := range 7 {
			if v := m.IO.Read(0x3f5, 1); i == 0 && v != want {
				t.Errorf("% x: ST0 %#x, want %#x", b, v, want)
			}
		}
	}
	out(0x3f2, 0x1c)
	irq()
	for range 4 {
		out(0x3f5, 8)
		m.IO.Read(0x3f5, 1)
		m.IO.Read(0x3f5, 1)
	}
	out(0x3f7, 0)
	for _, v := range []uint64{3, 0xdf, 2} {
		out(0x3f5, v)
	}
	dma(0x44, 0x12345, 36*512)
	command(4, 0xc6, 0, 1, 0, 1, 2, 18, 0x1b, 0xff)
	got := make([]byte, 36*512)
	m.Memory.ReadBytes(0x12345, got)
	if !bytes.Equal(got, disk[36*512:72*512]) {
		t.Error("cylinder 1 is not what is in memory")
	}
	dma(0x48, 0x12345, 512)
	command(0, 0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff)
	if !bytes.Equal(disk[4*512:5*512], disk[36*512:37*512]) {
		t.Error("the sector was not written")
	}
	dma(0x40, 0, 18*512) // a verifying DMA: nothing goes to memory
	m.Memory.Write(0, 4, 0x11223344)
	command(0, 0x46, 0, 2, 0, 1, 2, 18, 0x1b, 0xff)
	if v := m.Memory.Read(0, 4); v != 0x11223344 {
		t.Errorf("verify wrote %#x", v)
	}
	if v := m.IO.Read(0x3f6, 1); v != 0x50 {
		t.Errorf("IDE's alternate status %#x", v)
	}
}
