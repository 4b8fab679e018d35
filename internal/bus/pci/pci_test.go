package pci

import (
	"bytes"
	"strings"
	"testing"

	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

type machine struct {
	bus      *Bus
	io, mem  *mem.Space
	ram      *mem.Region
	wires    [4]bool
	confRegs *Mechanism1
}

func newMachine() *machine {
	m := &machine{}
	ioRoot, sys := mem.NewContainer("io", 0x10000), mem.NewContainer("system", 0)
	pciMem := mem.NewContainer("pci", 1<<32)
	m.ram = mem.NewRAM("ram", 1<<20)
	sys.Add(0, m.ram)
	sys.Add(0, pciMem, -1)
	pciMem.Add(0xffff0000, mem.NewROM("bios", 0x10000, []byte{0xea}), 1)
	m.io, m.mem = mem.NewSpace("io", ioRoot, nil), mem.NewSpace("memory", sys, nil)
	c := Config{Memory: pciMem, IO: ioRoot, DMA: m.mem}
	for i := range c.IRQ {
		c.IRQ[i] = func(l bool) { m.wires[i] = l }
	}
	m.bus = New(c)
	m.confRegs = NewMechanism1(m.bus, nil)
	ioRoot.Add(0xcf8, m.confRegs.Region())
	return m
}

func (m *machine) conf(devfn, reg int) { m.io.Write(0xcf8, 4, uint64(1<<31|devfn<<8|reg&^3)) }
func (m *machine) read(devfn, reg, size int) uint64 {
	m.conf(devfn, reg)
	return m.io.Read(0xcfc+uint64(reg&3), size)
}
func (m *machine) write(devfn, reg, size int, v uint64) {
	m.conf(devfn, reg)
	m.io.Write(0xcfc+uint64(reg&3), size, v)
}

type regs [64]byte

func (r *regs) Read(off uint64, size int) uint64 { return uint64(r[off&63]) }
func (r *regs) Write(off uint64, size int, v uint64) {
	r[off&63] = byte(v)
}

func testFunction() *Function {
	f := NewFunction(Header{Name: "test", Vendor: 0x1234, Device: 0x5678, Class: 0x020000, Pin: 1})
	f.IOBAR(0, mem.NewIO("io", 64, &regs{0xa5}))
	f.MemoryBAR(1, mem.NewRAM("vram", 0x10000), true)
	f.ROM(bytes.Repeat([]byte{0x55}, 3000))
	return f
}

func TestMechanism1(t *testing.T) {
	m := newMachine()
	m.bus.Plug(3, 0, testFunction())
	if v := m.read(3<<3, 0, 4); v != 0x56781234 {
		t.Errorf("id %#x", v)
	}
	if v := m.read(3<<3, 2, 2); v != 0x5678 {
		t.Errorf("word at 2 %#x", v)
	}
	if v := m.read(3<<3, 0xb, 1); v != 2 {
		t.Errorf("class byte %#x", v)
	}
	for _, devfn := range []int{4 << 3, 3<<3 | 1} {
		if v := m.read(devfn, 0, 4); v != 0xffffffff {
			t.Errorf("absent device %#x reads %#x", devfn, v)
		}
	}
	m.io.Write(0xcf8, 4, 1<<31|1<<16|3<<11) // bus 1
	if v := m.io.Read(0xcfc, 4); v != 0xffffffff {
		t.Errorf("absent bus reads %#x", v)
	}
	if v := m.io.Read(0xcf8, 4); v != 1<<31|1<<16|3<<11 {
		t.Errorf("CONFADD %#x", v)
	}
	m.io.Write(0xcf8, 1, 0) // not a dword: no effect
	if v := m.io.Read(0xcf8, 4); v != 1<<31|1<<16|3<<11 {
		t.Errorf("byte write changed CONFADD to %#x", v)
	}
	m.io.Write(0xcf8, 4, 3<<11) // enable bit clear
	if v := m.io.Read(0xcfc, 4); v != 0xffffffff {
		t.Errorf("disabled CONFDATA reads %#x", v)
	}
	m.confRegs.SetCF9(&regs{0x77})
	if v := m.io.Read(0xcf9, 1); v != 0x77 {
		t.Errorf("CF9 reads %#x", v)
	}
}

func TestBARs(t *testing.T) {
	m := newMachine()
	m.bus.Plug(3, 0, testFunction())
	d := 3 << 3
	m.write(d, 0x10, 4, 0xffffffff)
	m.write(d, 0x14, 4, 0xffffffff)
	m.write(d, 0x30, 4, 0xffffffff)
	for reg, want := range map[int]uint64{0x10: 0xffffffc1, 0x14: 0xffff0008, 0x30: 0xfffff001, 0x18: 0} {
		if v := m.read(d, reg, 4); v != want {
			t.Errorf("sizing of %#x: %#x, want %#x", reg, v, want)
		}
	}
	m.write(d, 4, 2, 3)
	if v := m.mem.Read(0xffff0000, 1); v != 0xea {
		t.Errorf("a BAR being sized hides the BIOS: %#x", v)
	}
	m.write(d, 0x10, 4, 0xc000)
	m.write(d, 0x14, 4, 0xe0000000)
	m.write(d, 0x30, 4, 0xe1000001)
	if v := m.io.Read(0xc000, 1); v != 0xa5 {
		t.Errorf("I/O BAR reads %#x", v)
	}
	m.mem.Write(0xe0001234, 4, 0xcafe)
	if v := m.mem.Read(0xe0001234, 4); v != 0xcafe {
		t.Errorf("memory BAR reads %#x", v)
	}
	if v := m.mem.Read(0xe1000000, 1); v != 0x55 {
		t.Errorf("ROM BAR reads %#x", v)
	}
	m.write(d, 0x30, 4, 0xe1000000)
	if v := m.mem.Read(0xe1000000, 1); v != 0xff {
		t.Errorf("disabled ROM reads %#x", v)
	}
	m.write(d, 4, 2, 0)
	if v := m.io.Read(0xc000, 1); v != 0xff {
		t.Errorf("disabled I/O BAR reads %#x", v)
	}
	if v := m.mem.Read(0xe0001234, 4); v != 0xffffffff {
		t.Errorf("disabled memory BAR reads %#x", v)
	}
}

// SECURITY.md: BARs over RAM or ROM are harmless.
func TestBAROverRAMAndROM(t *testing.T) {
	m := newMachine()
	m.bus.Plug(3, 0, testFunction())
	d := 3 << 3
	m.write(d, 4, 2, 3)
	m.mem.Write(0x80000, 4, 0x11223344)
	m.write(d, 0x14, 4, 0x80000)
	if v := m.mem.Read(0x80000, 4); v != 0x11223344 {
		t.Errorf("BAR hides RAM: %#x", v)
	}
	m.write(d, 0x14, 4, 0xfffe0000)
	m.write(d, 0x30, 4, 0xffff0001)
	if v := m.mem.Read(0xffff0000, 1); v != 0xea {
		t.Errorf("BAR hides ROM: %#x", v)
	}
	m.write(d, 0x10, 4, 0xcc1) // over CONFADD
	if v := m.read(d, 0, 4); v != 0x56781234 {
		t.Errorf("I/O BAR hides the configuration ports: %#x", v)
	}
}

func TestWriteMasks(t *testing.T) {
	m := newMachine()
	f := testFunction()
	f.ClearByOne(0x50, 0x0f)
	f.SetInit(0x50, 0xff)
	m.bus.Plug(3, 0, f)
	d := 3 << 3
	m.write(d, 0, 4, 0)
	m.write(d, 8, 4, 0)
	if v := m.read(d, 0, 4); v != 0x56781234 {
		t.Errorf("id was written: %#x", v)
	}
	m.write(d, 0x50, 1, 0x33)
	if v := m.read(d, 0x50, 1); v != 0xfc {
		t.Errorf("write-one-to-clear gives %#x", v)
	}
	m.write(d, 0x3c, 1, 11)
	f.Reset()
	if v := m.read(d, 0x3c, 1); v != 0 {
		t.Errorf("interrupt line after reset %#x", v)
	}
}

func TestInterrupts(t *testing.T) {
	m := newMachine()
	a, b := testFunction(), testFunction()
	m.bus.Plug(3, 0, a) // INTA# of 3 -> wire 2
	m.bus.Plug(7, 0, b) // INTA# of 7 -> wire 2
	a.SetIRQ(true)
	b.SetIRQ(true)
	a.SetIRQ(false)
	if m.wires != [4]bool{2: true} {
		t.Errorf("wires %v", m.wires)
	}
	m.write(7<<3, 4, 2, CmdINTxDisable)
	if m.wires[2] {
		t.Error("INTx disable does not release the wire")
	}
	if m.read(7<<3, 6, 2)&StatusINTx == 0 {
		t.Error("interrupt status bit is not set")
	}
	m.write(7<<3, 4, 2, 0)
	if !m.wires[2] {
		t.Error("wire is not driven again")
	}
	m.bus.Unplug(b)
	if m.wires[2] {
		t.Error("unplugged device drives its wire")
	}
	var l irq.Line
	l.Set(true)
}

func TestCapabilities(t *testing.T) {
	f := testFunction()
	f.CapabilitiesAt(0x80)
	first := f.AddCapability(1, []byte{2, 0, 0, 0, 0, 0}, nil)
	second := f.AddCapability(5, make([]byte, 8), nil)
	c := f.Config()
	if first != 0x80 || second != 0x88 || c[CapPointer] != 0x80 || c[0x81] != 0x88 || c[0x89] != 0 || c[Status]&StatusCapList == 0 {
		t.Errorf("list: %#x %#x %#x", first, second, c[0x80:0x90])
	}
}

func TestStateAndDMA(t *testing.T) {
	m := newMachine()
	f := testFunction()
	m.bus.Plug(3, 0, f)
	d := 3 << 3
	m.write(d, 0x14, 4, 0xe0000000)
	m.write(d, 4, 2, 7)
	tree, err := snap.SaveTree(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Reset()
	if f.DMAWrite(0x1000, []byte{1}) {
		t.Error("DMA works without bus master enable")
	}
	if err := snap.LoadTree(f, tree); err != nil {
		t.Fatal(err)
	}
	m.mem.Write(0xe0000000, 1, 0x42)
	if v := m.mem.Read(0xe0000000, 1); v != 0x42 {
		t.Errorf("BAR after load reads %#x", v)
	}
	if !f.DMAWrite(0x1000, []byte{7}) || m.ram.RAM().Bytes[0x1000] != 7 {
		t.Error("DMA does not reach memory")
	}
	tree.Fields[0].Data[0] ^= 1
	if err := snap.LoadTree(f, tree); err == nil {
		t.Error("state of another device is taken")
	}
}

func TestInfo(t *testing.T) {
	m := newMachine()
	m.bus.Plug(3, 0, testFunction())
	var b strings.Builder
	m.bus.Info(&b)
	if !strings.Contains(b.String(), "Ethernet controller: PCI device 1234:5678") {
		t.Error(b.String())
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte{0x18, 4, 3, 0x18, 0x10, 0xff})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := newMachine()
		m.bus.Plug(3, 0, testFunction())
		for i := 0; i+3 < len(ops); i += 4 {
			size := 1 << (ops[i] & 3 % 3)
			m.io.Write(0xcf8, 4, 1<<31|3<<11|uint64(ops[i+1]))
			off := uint64(0xcf8 + int(ops[i]>>2&7))
			m.io.Write(off, size, uint64(ops[i+2])<<24|uint64(ops[i+3])<<8|uint64(ops[i+1]))
			m.io.Read(off, size)
		}
		if v := m.mem.Read(0xffff0000, 1); v != 0xea {
			t.Fatalf("BIOS is hidden")
		}
	})
}
