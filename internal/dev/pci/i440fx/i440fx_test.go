package i440fx

import (
	"bytes"
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

type board struct {
	b        *Bridge
	ram, rom *mem.Region
	mem, smm *mem.Space
}

func newBoard(size uint64) *board {
	t := &board{ram: mem.NewRAM("ram", size)}
	bus := mem.NewContainer("pci", 1<<32)
	io := mem.NewContainer("io", 0x10000)
	t.rom = mem.NewROM("bios", 0x40000, bytes.Repeat([]byte{0xea}, 0x40000))
	bus.Add(0xc0000, mem.NewAlias("low-bios", t.rom, 0, 0x40000), 1)
	bus.Add(0xa0000, mem.NewROM("vga", 0x20000, bytes.Repeat([]byte{0xaa}, 0x20000)), 1)
	bus.Add(0xf00000, mem.NewROM("isa-card", 0x1000, []byte{0x15}), 1)
	t.b = New(Config{RAM: t.ram, PCI: bus, Bus: pci.New(pci.Config{Memory: bus, IO: io})})
	io.Add(0xcf8, t.b.Region())
	t.mem, t.smm = mem.NewSpace("memory", t.b.System, nil), mem.NewSpace("smm", t.b.SMM, nil)
	t.b.Reset()
	return t
}

func (t *board) write(reg int, v byte) {
	t.b.c.Bus.WriteConfig(0, 0, reg, 1, uint32(v))
}

// HARDWARE.md: PAM must split reads and writes for each segment.
func TestPAM(t *testing.T) {
	type seg struct {
		reg   int
		shift uint
		base  uint64
	}
	segs := []seg{{0x59, 4, 0xf0000}}
	for i := range 12 {
		segs = append(segs, seg{0x5a + i/2, uint(i % 2 * 4), uint64(0xc0000 + i*0x4000)})
	}
	b := newBoard(32 << 20)
	for _, s := range segs {
		for attr := range byte(4) {
			b.write(s.reg, attr<<s.shift)
			b.ram.RAM().Bytes[s.base+5] = 0x11
			b.mem.Write(s.base+5, 1, 0x55)
			wantRAM, wantRead := byte(0x11), uint64(0xea)
			if attr&2 != 0 {
				wantRAM = 0x55
			}
			if attr&1 != 0 {
				wantRead = uint64(wantRAM)
			}
			if v := b.mem.Read(s.base+5, 1); v != wantRead || b.ram.RAM().Bytes[s.base+5] != wantRAM {
				t.Errorf("%#x attribute %d: reads %#x, RAM has %#x", s.base, attr, v, b.ram.RAM().Bytes[s.base+5])
			}
		}
		b.write(s.reg, 0)
	}
}

func TestSMRAM(t *testing.T) {
	b := newBoard(32 << 20)
	b.ram.RAM().Bytes[0xa0000] = 0x5a
	see := func(what string, wantMem, wantSMM uint64) {
		t.Helper()
		if m, s := b.mem.Read(0xa0000, 1), b.smm.Read(0xa0000, 1); m != wantMem || s != wantSMM {
			t.Errorf("%s: memory %#x, SMM %#x", what, m, s)
		}
	}
	see("reset", 0xaa, 0xaa)
	b.write(smram, gSMRAME|2)
	see("G_SMRAME", 0xaa, 0x5a)
	cpu := mem.NewSpace("cpu", b.b.CPU, nil)
	for _, active := range []bool{false, true, false} {
		b.b.SMIACT(active)
		if v := cpu.Read(0xa0000, 1); (v == 0x5a) != active {
			t.Errorf("SMIACT %v: the processor sees %#x", active, v)
		}
	}
	b.write(smram, gSMRAME|dOpen|2)
	see("D_OPEN", 0x5a, 0x5a)
	b.write(smram, gSMRAME|dOpen|dLck)
	see("D_LCK", 0xaa, 0x5a)
	b.write(smram, dOpen)
	see("locked", 0xaa, 0x5a)
	tree, err := snap.SaveTree(b.b)
	if err != nil {
		t.Fatal(err)
	}
	b.b.Reset()
	see("reset", 0xaa, 0xaa)
	b.write(smram, gSMRAME|dOpen|2)
	see("D_OPEN again", 0x5a, 0x5a)
	if err := snap.LoadTree(b.b, tree); err != nil {
		t.Fatal(err)
	}
	see("loaded", 0xaa, 0x5a)
	b.write(smram, gSMRAME|dOpen|2)
	see("loaded and locked", 0xaa, 0x5a)
}

func TestHolesAndSplit(t *testing.T) {
	b := newBoard(32 << 20)
	if v := b.mem.Read(0xf00000, 1); v != 0 {
		t.Errorf("15 MiB without hole %#x", v)
	}
	b.write(fdhc, 0x80)
	if v := b.mem.Read(0xf00000, 1); v != 0x15 {
		t.Errorf("15 MiB with hole %#x", v)
	}
	b.write(fdhc, 0x40)
	if v := b.mem.Read(0x80000, 1); v != 0xff {
		t.Errorf("512 KiB with hole %#x", v)
	}
	if v := BelowFourGiB(0xe0000000); v != 0xe0000000 {
		t.Errorf("%#x", v)
	}
	if v := BelowFourGiB(5 << 30); v != 3<<30 {
		t.Errorf("%#x", v)
	}
}

func TestHigh(t *testing.T) {
	b := newBoard(4 << 30)
	b.mem.Write(1<<32, 4, 0xfeed)
	if v := b.ram.RAM().Bytes[3<<30]; v != 0xed {
		t.Errorf("RAM above 4 GiB: %#x", v)
	}
	if v := b.mem.Read(0xd0000000, 1); v != 0xff {
		t.Errorf("PCI hole reads %#x", v)
	}
}
