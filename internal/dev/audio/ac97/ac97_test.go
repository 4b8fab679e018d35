package ac97

import (
	"encoding/binary"
	"testing"

	"rhea/internal/audio"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

// build is a card with its bus; both BARs are mapped and it may master.
func build(b *devtest.Bench, mixer *audio.Mixer) (*Card, []byte) {
	root, io := mem.NewContainer("memory", 0), mem.NewContainer("io", 0x10000)
	ram := mem.NewRAM("ram", 1<<20)
	root.Add(0, ram)
	bus := pci.New(pci.Config{Memory: root, IO: io})
	bus.SetDMA(mem.NewSpace("memory", root, nil))
	line := b.Out("int")
	for n := range 4 {
		bus.SetIRQ(n, line)
	}
	a := New(Config{Env: b.Env(), Audio: mixer, Bus: bus, Device: 0})
	on := func() {
		bus.WriteConfig(0, 0, 0x10, 4, 0x1000)
		bus.WriteConfig(0, 0, 0x14, 4, 0x1400)
		bus.WriteConfig(0, 0, 4, 2, 5)
	}
	b.Map(0x1000, mem.NewAlias("nam", io, 0x1000, 256))
	b.Map(0x1400, mem.NewAlias("nabm", io, 0x1400, 64))
	b.Verb("on", func([]uint64) uint64 { on(); return 0 })
	return a, ram.RAM().Bytes
}

func bench(b *devtest.Bench) dev.Device {
	a, ram := build(b, nil)
	for i := range entries { // lists for the fuzzer
		binary.LittleEndian.PutUint32(ram[8*i:], uint32(0x1000*i))
		binary.LittleEndian.PutUint32(ram[8*i+4:], uint32(i%5*100)|bdIOC)
	}
	return a
}

func TestConform(t *testing.T) { devtest.Conform(t, bench) }
func FuzzAC97(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		a, _ := build(b, audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 44100}))
		return a
	})
}

func TestScripts(t *testing.T) {
	devtest.Run(t, bench, `
		on / r2 0x107c = 0x8384 / r2 0x107e = 0x7600 / r2 0x1002 = 0x8000 / w2 0x1002 0x3f3f / r2 0x1002 = 0x1f1f / r4 0x1430 = 0x100
		# Rates: 48000 until VRA is on, within bounds.
		r2 0x102c = 48000 / w2 0x102c 8000 / r2 0x102c = 48000 / w2 0x102a 1 / w2 0x102c 8000 / r2 0x102c = 8000 / w2 0x102c 1 / r2 0x102c = 4000 / w2 0x102a 0 / r2 0x102c = 48000
		# The semaphore.
		r1 0x1434 = 0 / r1 0x1434 = 1 / r2 0x1000 = 0x6a90 / r1 0x1434 = 0
		# A list: entry 0 has no samples, 1 has 100, 2 has 200 of 96000 a second.
		r2 0x1416 = 1 / w1 0x1415 2 / w1 0x141b 0x1d / r2 0x1416 = 8 / r1 0x1414 = 1 / r2 0x1418 = 100 / out int = 1 / w2 0x1416 8 / out int = 0
		t 500us / r2 0x1418 = 52 / out int = 0
		t 600us / r1 0x1414 = 2 / r2 0x1416 = 8 / out int = 1 / r4 0x1430 = 0x140 / w2 0x1416 8 / out int = 0
		t 2100us / r2 0x1416 = 0x0f / r1 0x1414 = 2 / r1 0x141a = 3 / out int = 1 / w2 0x1416 0x1c / r2 0x1416 = 3 / out int = 0
		# A new last valid index has it go on.
		w1 0x1415 3 / r2 0x1416 = 0 / r1 0x1414 = 3 / r2 0x1418 = 300
		# Pause and reset.
		w1 0x141b 0x1c / r2 0x1416 = 1 / t 1ms / r2 0x1418 = 300 / w1 0x141b 0x1d / t 1ms / r2 0x1418 = 204 / w1 0x141b 2 / r2 0x1416 = 1 / r1 0x1414 = 0 / r1 0x141b = 0`)
}

type collect struct{ f []audio.Frame }

func (c *collect) Play(p []audio.Frame) { c.f = append(c.f, p...) }

// What the list has is played, frame by frame.
func TestPlay(t *testing.T) {
	var a *Card
	var ram []byte
	sink := &collect{}
	b := devtest.New(func(b *devtest.Bench) dev.Device {
		m := audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 48000})
		m.Attach(sink)
		a, ram = build(b, m)
		return a
	}, 1_000_000)
	le := binary.LittleEndian
	for i := range 4 {
		le.PutUint32(ram[8*i:], uint32(0x1000+i*0x1000))
		le.PutUint32(ram[8*i+4:], 1000)
		for n := range 500 {
			le.PutUint16(ram[0x1000*(i+1)+4*n:], uint16(1000*i+n+1))
			le.PutUint16(ram[0x1000*(i+1)+4*n+2:], uint16(-(1000*i + n + 1)))
		}
	}
	b.Script(t, `on / w2 0x1002 0 / w2 0x1018 0x0808 / w1 0x1415 3 / w1 0x141b 1 / t 1s`)
	f := sink.f
	for len(f) > 0 && f[0] == (audio.Frame{}) {
		f = f[1:]
	}
	for i := range 2000 {
		v := int16(1000*(i/500) + i%500 + 1)
		if i >= len(f) || f[i] != (audio.Frame{L: v, R: -v}) {
			t.Fatalf("frame %d of %d is not %d", i, len(f), v)
		}
	}
}

// A list of empty buffers, whose last valid index runs ahead, is bounded.
func TestEmptyBuffers(t *testing.T) {
	b := devtest.New(func(b *devtest.Bench) dev.Device {
		a, _ := build(b, nil)
		return a
	}, 1_000_000)
	b.Script(t, `on / w1 0x1415 31 / w1 0x141b 0x1d / r2 0x1416 = 7 / w1 0x1415 5 / w1 0x1415 4 / t 1s / r2 0x1416 = 7`)
}
