package piix4pm

import (
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

type bench struct {
	p    *PM
	io   *mem.Space
	clk  *vclock.Manual
	sci  bool
	smis int
	off  int
	bus  *pci.Bus
}

func (b *bench) RequestReset(string)    {}
func (b *bench) RequestPowerOff(string) { b.off++ }
func (b *bench) RequestExit(int)        {}

func newBench(smm bool) *bench {
	b := &bench{clk: vclock.NewManual()}
	io := mem.NewContainer("io", 0x10000)
	b.io = mem.NewSpace("io", io, nil)
	b.bus = pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io})
	b.p = New(Config{Env: dev.Env{Clock: b.clk, Power: b}, Bus: b.bus, Device: 1, HasSMM: smm,
		SCI: func(l bool) { b.sci = l }, SMI: func(l bool) {
			if l {
				b.smis++
			}
		}}, io)
	io.Add(0xb2, b.p.APMRegion())
	b.setup()
	return b
}

func (b *bench) setup() {
	b.bus.WriteConfig(0, 11, pmbase, 4, 0x601)
	b.bus.WriteConfig(0, 11, pmregmisc, 1, 1)
	b.bus.WriteConfig(0, 11, smbba, 4, 0x701)
	b.bus.WriteConfig(0, 11, smbhstcfg, 1, 9)
}

func (b *bench) w(port, v uint64)     { b.io.Write(port, 2, v) }
func (b *bench) r(port uint64) uint64 { return b.io.Read(port, 2) }

func TestTimer(t *testing.T) {
	b := newBench(true)
	b.clk.Advance(1e9)
	if v := b.io.Read(0x608, 4); v != 3579545 {
		t.Errorf("timer after a second: %d", v)
	}
	b.w(0x602, tmrof)
	b.w(0x600, 0xffff)
	b.io.Write(0xb2, 1, ACPIEnable)
	b.clk.Advance(1343 * 1e6) // 2.343 s: 2^23 ticks at 2.34346
	if b.sci {
		t.Error("overflow too early")
	}
	b.clk.Advance(1e6)
	if !b.sci || b.r(0x600)&tmrof == 0 {
		t.Error("no overflow")
	}
	b.w(0x600, tmrof)
	if b.sci {
		t.Error("status is not cleared")
	}
	b.clk.Advance(2344 * 1e6)
	if !b.sci {
		t.Error("no second overflow")
	}
	b.clk.Advance(100 * 365 * 86400 * 1e9)
	b.io.Read(0x608, 4)
}

// hasty is a clock that goes on whenever it is read.
type hasty struct{ *vclock.Manual }

func (h hasty) Now() int64 {
	h.Advance(1000)
	return h.Manual.Now()
}

// A read of the timer is of one time: firmware takes a step back for a whole
// turn of the 24 bits.
func TestTimerNeverRunsBackwards(t *testing.T) {
	io := mem.NewContainer("io", 0x10000)
	b := &bench{io: mem.NewSpace("io", io, nil), bus: pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io})}
	b.p = New(Config{Env: dev.Env{Clock: hasty{vclock.NewManual()}, Power: b}, Bus: b.bus, Device: 1}, io)
	b.setup()
	last := uint64(0)
	for range 5000 {
		v := b.io.Read(0x608, 4)
		if v < last || v > last+100 {
			t.Fatalf("%#x after %#x", v, last)
		}
		last = v
	}
}

func TestPowerButtonAndSleep(t *testing.T) {
	b := newBench(true)
	b.w(0x602, pwrbtn)
	b.p.PowerButton()
	if b.sci || b.p.ACPIEnabled() {
		t.Error("SCI without SCI_EN")
	}
	b.io.Write(0xb2, 1, ACPIEnable)
	if !b.sci || b.r(0x604)&sciEn == 0 {
		t.Error("no SCI")
	}
	b.w(0x600, pwrbtn)
	b.w(0x604, sciEn|SleepS3<<10|slpEn)
	if b.off != 0 {
		t.Error("S3 switches off")
	}
	b.w(0x604, sciEn|SleepS5<<10)
	b.io.Write(0x605, 1, slpEn>>8)
	if b.off != 1 {
		t.Error("S5 does not switch off")
	}
	b.io.Write(0xb2, 1, ACPIDisable)
	if b.p.ACPIEnabled() {
		t.Error("still enabled")
	}
}

func TestSMI(t *testing.T) {
	b := newBench(true)
	b.io.Write(0xb2, 1, 0x55)
	if b.smis != 0 {
		t.Error("SMI without APMC_EN")
	}
	if b.bus.ReadConfig(0, 11, devactb, 4) != 0 {
		t.Error("SMM looks set up")
	}
	b.bus.WriteConfig(0, 11, devactb, 4, 1<<25)
	b.io.Write(0xb3, 1, 7)
	b.io.Write(0xb2, 1, 0x55)
	if b.smis != 1 || b.io.Read(0xb3, 1) != 7 || b.io.Read(0xb2, 1) != 0x55 {
		t.Errorf("%d SMIs", b.smis)
	}
	b = newBench(false)
	if b.bus.ReadConfig(0, 11, devactb, 4) != 1<<25 {
		t.Error("SMM does not look set up")
	}
}

func TestSMBus(t *testing.T) {
	b := newBench(true)
	b.io.Write(0x704, 1, 0xa1)
	b.io.Write(0x702, 1, smbStart|8)
	if v := b.io.Read(0x700, 1); v != smbDevErr {
		t.Errorf("status %#x", v)
	}
	for range 100 {
		b.io.Write(0x707, 1, 1)
		b.io.Read(0x707, 1)
	}
}

func TestState(t *testing.T) {
	b := newBench(true)
	b.w(0x602, pwrbtn)
	b.io.Write(0xb2, 1, ACPIEnable)
	b.p.PowerButton()
	tree, err := snap.SaveTree(b.p)
	if err != nil {
		t.Fatal(err)
	}
	b.p.Reset()
	b.p.Settle()
	if b.sci || b.io.Read(0x600, 2) != 0xffff {
		t.Error("reset")
	}
	if err := snap.LoadTree(b.p, tree); err != nil {
		t.Fatal(err)
	}
	b.p.Settle()
	if !b.sci || b.r(0x602) != pwrbtn {
		t.Error("load")
	}
}

func FuzzPM(f *testing.F) {
	f.Fuzz(func(t *testing.T, ops []byte) {
		b := newBench(true)
		for i := 0; i+3 < len(ops); i += 4 {
			port := []uint64{0x600, 0x620, 0x700, 0xb0}[ops[i]&3] + uint64(ops[i+1]&31)
			b.io.Write(port, 1<<(ops[i]>>6), uint64(ops[i+2])|uint64(ops[i+3])<<8)
			b.io.Read(port, 1<<(ops[i]>>4&3))
			b.clk.Advance(int64(ops[i+3]) << 20)
		}
	})
}
