package piixide

import (
	"encoding/binary"
	"testing"

	"rhea/internal/block"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

type bench struct {
	k       *Controller
	bus     *pci.Bus
	io, mem *mem.Space
	ram     []byte
	disk    []byte
	irq     [2]bool
}

func newBench() *bench {
	b := &bench{disk: make([]byte, 1000*512)}
	for i := range 1000 {
		binary.LittleEndian.PutUint32(b.disk[i*512:], uint32(i))
	}
	sys, io := mem.NewContainer("system", 0), mem.NewContainer("io", 0x10000)
	ram := mem.NewRAM("ram", 1<<20)
	sys.Add(0, ram)
	b.ram = ram.RAM().Bytes
	b.mem, b.io = mem.NewSpace("memory", sys, nil), mem.NewSpace("io", io, nil)
	b.bus = pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io, DMA: b.mem})
	b.k = New(Config{Env: dev.Env{Clock: vclock.NewManual()}, Bus: b.bus, Device: 1, Sync: true,
		Drives: [4]*ide.DriveConfig{{Backend: block.NewMemory(b.disk, false)}},
		IRQ:    [2]irq.Line{func(l bool) { b.irq[0] = l }, func(l bool) { b.irq[1] = l }}})
	b.k.MapLegacy(io)
	b.conf(0x20, 4, 0xc000)
	b.conf(4, 2, 5)
	b.conf(0x40, 4, 0x80008000)
	return b
}

func (b *bench) conf(off, size int, v uint32) { b.bus.WriteConfig(0, 9, off, size, v) }
func (b *bench) out(port uint64, v uint64)    { b.io.Write(port, 1, v) }

func (b *bench) prd(at uint32, entries ...uint64) {
	for i, e := range entries {
		binary.LittleEndian.PutUint64(b.ram[at+uint32(8*i):], e)
	}
}

func (b *bench) read(lba, n uint64) {
	for i, v := range []uint64{0, n, lba, lba >> 8, 0, 0xe0, 0xc8} {
		b.out(0x1f1+uint64(i), v)
	}
}

const eot = 1 << 63

func TestBusMaster(t *testing.T) {
	b := newBench()
	b.prd(0x1000, 0x2000|512<<32, 0x8000|512<<32|eot)
	b.io.Write(0xc004, 4, 0x1000)
	b.out(0xc000, 8)
	b.read(17, 2)
	if b.irq[0] {
		t.Error("interrupt before the start")
	}
	b.out(0xc000, 9)
	if v := binary.LittleEndian.Uint32(b.ram[0x8000:]); v != 18 || b.ram[0x2000] != 17 {
		t.Errorf("memory has %d", v)
	}
	if s := b.io.Read(0xc002, 1); s != staINTR || !b.irq[0] {
		t.Errorf("status %#x, interrupt %v", s, b.irq[0])
	}
	b.out(0xc000, 8)
	b.out(0xc002, staINTR)
	if s := b.io.Read(0xc002, 1); s != 0 {
		t.Errorf("status %#x after clearing", s)
	}
	if s := b.io.Read(0x1f7, 1); s != 0x50 || b.irq[0] {
		t.Errorf("drive's status %#x", s)
	}
}

// PRD lengths against the drive's (§3.2): longer leaves the master active,
// shorter stops it and there is no interrupt.
func TestTableLength(t *testing.T) {
	b := newBench()
	b.prd(0x1000, 0x2000|1024<<32|eot)
	b.io.Write(0xc004, 4, 0x1000)
	b.read(1, 1)
	b.out(0xc000, 9)
	if s := b.io.Read(0xc002, 1); s != staINTR|staActive {
		t.Errorf("long table: status %#x", s)
	}
	b.out(0xc000, 0)
	b.out(0xc002, staINTR)
	b.io.Read(0x1f7, 1)
	b.read(1, 4)
	b.out(0xc000, 9)
	if s := b.io.Read(0xc002, 1); s != 0 || b.irq[0] {
		t.Errorf("short table: status %#x", s)
	}
	b.out(0xc000, 0)
	b.out(0xc000, 9) // the rest
	if s := b.io.Read(0xc002, 1); s != staINTR {
		t.Errorf("rest: status %#x", s)
	}
}

// A table without end, of descriptors that all point to themselves.
func TestPRDLoop(t *testing.T) {
	b := newBench()
	for i := range 0x10000 / 8 {
		binary.LittleEndian.PutUint64(b.ram[0x10000+8*i:], 0x20000|2<<32)
	}
	b.io.Write(0xc004, 4, 0x1fff8)
	b.read(0, 0)
	b.out(0xc000, 9)
	if s := b.io.Read(0xc002, 1); s&staINTR == 0 {
		t.Errorf("status %#x", s)
	}
	// The table lies where the data goes: the drive's data bounds it all the same.
	b.out(0xc000, 0)
	b.prd(0x3000, 0x3000|0<<32)
	b.io.Write(0xc004, 4, 0x3000)
	b.read(0, 0)
	b.out(0xc000, 9)
}

func TestNoBusMaster(t *testing.T) {
	b := newBench()
	b.conf(4, 2, 1)
	b.prd(0x1000, 0x2000|512<<32|eot)
	b.io.Write(0xc004, 4, 0x1000)
	b.read(1, 1)
	b.out(0xc000, 9)
	if s := b.io.Read(0xc002, 1); s != staError || b.irq[0] {
		t.Errorf("status %#x", s)
	}
}

func TestDecodeAndState(t *testing.T) {
	b := newBench()
	b.out(0x1f6, 0xe0)
	if v := b.io.Read(0x1f6, 1); v != 0xe0 {
		t.Fatalf("device register %#x", v)
	}
	tree, err := snap.SaveTree(b.k)
	if err != nil {
		t.Fatal(err)
	}
	b.k.Reset()
	if v := b.io.Read(0x1f6, 1); v != 0xff {
		t.Errorf("ports answer after reset: %#x", v)
	}
	if err := snap.LoadTree(b.k, tree); err != nil {
		t.Fatal(err)
	}
	if v := b.io.Read(0x1f6, 1); v != 0xe0 {
		t.Errorf("device register after load %#x", v)
	}
	b.conf(4, 2, 0)
	if v := b.io.Read(0x1f6, 1); v != 0xff {
		t.Errorf("ports answer without I/O enable: %#x", v)
	}
}
