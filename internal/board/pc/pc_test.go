package pc

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"rhea/internal/block"
	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

type cpu struct {
	resets              int
	intr, nmi, smi, a20 bool
	inits               int
	ack                 func() int
}

func (c *cpu) SetINTR(l bool)         { c.intr = l }
func (c *cpu) SetNMI(l bool)          { c.nmi = l }
func (c *cpu) SetSMI(l bool)          { c.smi = l }
func (c *cpu) SetA20(l bool)          { c.a20 = l }
func (c *cpu) INIT()                  { c.inits++ }
func (c *cpu) SetIntAck(f func() int) { c.ack = f }

type port struct{ bytes.Buffer }

func (*port) Attach(chardev.Receiver) {}

func bios() []byte {
	b := bytes.Repeat([]byte{0xf4}, 256<<10)
	for i := range 256 {
		b[i<<10] = byte(i)
	}
	return b
}

// cpu is also the machine's switches.
func (c *cpu) RequestReset(string)    { c.resets++ }
func (c *cpu) RequestPowerOff(string) {}
func (c *cpu) RequestExit(int)        {}

func newMachine(t *testing.T, c Config) (*Machine, *cpu) {
	t.Helper()
	p := &cpu{}
	c.CPU = p
	if c.RAM == 0 {
		c.RAM = 32 << 20
	}
	if c.BIOS == nil {
		c.BIOS = bios()
	}
	c.Sync = true
	m, err := New(dev.Env{Clock: vclock.NewManual(), Power: p}, c)
	if err != nil {
		t.Fatal(err)
	}
	return m, p
}

func TestFirmwareMap(t *testing.T) {
	for _, kind := range []Kind{I440FX, ISA} {
		m, _ := newMachine(t, Config{Kind: kind})
		for addr, want := range map[uint64]uint64{0xfffc0000: 0, 0xfffe0000: 128, 0xe0000: 128, 0xf0000: 192, 0xffff0: 0xf4} {
			if v := m.CPUMemory.Read(addr, 1); v != want {
				t.Errorf("kind %d: %#x reads %#x, want %#x", kind, addr, v, want)
			}
		}
	}
}

func TestCMOS(t *testing.T) {
	disk := func(mib int) *Drive { return &Drive{Backend: block.NewMemory(make([]byte, mib<<20), false)} }
	m, _ := newMachine(t, Config{RAM: 64 << 20, Drives: [4]*Drive{disk(20), nil, {CDROM: true}, disk(1)}, Boot: Boot{Order: "dc", Once: "c"}})
	cmos := func(i int) uint64 {
		m.IO.Write(0x70, 1, uint64(i))
		return m.IO.Read(0x71, 1)
	}
	for i, want := range map[int]uint64{0x15: 0x80, 0x16: 2, 0x17: 0, 0x18: 0xfc, 0x34: 0, 0x35: 3, 0x12: 0xf0, 0x19: 47, 0x1b: 40, 0x1d: 16, 0x23: 63, 0x3d: 2, 0x38: 0, 0x5f: 0} {
		if v := cmos(i); v != want {
			t.Errorf("CMOS %#x is %#x, want %#x", i, v, want)
		}
	}
	m.Reset()
	if v := cmos(0x3d); v != 0x23 {
		t.Errorf("boot order after the first boot %#x", v)
	}
}

func TestInterrupts(t *testing.T) {
	m, p := newMachine(t, Config{})
	for _, w := range [][2]uint64{{0x20, 0x11}, {0x21, 8}, {0x21, 4}, {0x21, 1}, {0x21, 0}, {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 2}, {0xa1, 1}, {0xa1, 0}} {
		m.IO.Write(w[0], 1, w[1])
	}
	m.FERR(true)
	if !p.intr || p.ack() != 0x75 {
		t.Error("no IRQ 13")
	}
	m.IO.Write(0xa0, 1, 0x20)
	m.IO.Write(0x20, 1, 0x20)
	m.IO.Write(0xf0, 1, 0)
	if p.intr {
		t.Error("interrupt stays")
	}
}

// The 8042 and port 92h reset the machine.
func TestResetPin(t *testing.T) {
	m, p := newMachine(t, Config{})
	m.IO.Write(0x64, 1, 0xfe)
	m.IO.Write(0x92, 1, 0)
	m.IO.Write(0x92, 1, 1)
	if p.inits != 0 || p.resets != 2 {
		t.Errorf("%d INITs, %d resets", p.inits, p.resets)
	}
}

func TestState(t *testing.T) {
	for _, kind := range []Kind{I440FX, ISA} {
		m, _ := newMachine(t, Config{Kind: kind, Serial: [4]chardev.Port{&port{}}})
		tree, err := snap.SaveTree(m)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := newMachine(t, Config{Kind: kind, Serial: [4]chardev.Port{&port{}}})
		if err := snap.LoadTree(n, tree); err != nil {
			t.Error(err)
		}
		n.Settle()
	}
}

func TestConfigErrors(t *testing.T) {
	env := dev.Env{Clock: vclock.NewManual()}
	for what, c := range map[string]Config{
		"no RAM":     {BIOS: bios()},
		"no BIOS":    {RAM: 1 << 20},
		"odd BIOS":   {RAM: 1 << 20, BIOS: []byte{1}},
		"boot order": {RAM: 1 << 20, BIOS: bios(), Boot: Boot{Order: "x"}},
		"kernel":     {RAM: 1 << 20, BIOS: bios(), Kernel: &Kernel{Image: io.NewSectionReader(strings.NewReader("x"), 0, 1)}},
		"option ROM": {RAM: 1 << 20, BIOS: bios(), OptionROMs: []OptionROM{{Name: "x", Data: []byte("x")}}},
	} {
		c.CPU = &cpu{}
		if _, err := New(env, c); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
