package es1370

import (
	"encoding/binary"
	"fmt"
	"testing"

	"rhea/internal/audio"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

// build is a card with its bus; its ports are at 1000h and it may master.
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
		bus.WriteConfig(0, 0, 4, 2, 5)
	}
	b.Map(0x1000, mem.NewAlias("es1370", io, 0x1000, regsN))
	b.Verb("on", func([]uint64) uint64 { on(); return 0 })
	return a, ram.RAM().Bytes
}

func bench(b *devtest.Bench) dev.Device {
	a, _ := build(b, nil)
	return a
}

func TestConform(t *testing.T) { devtest.Conform(t, bench) }

func FuzzES1370(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		a, _ := build(b, audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 44100}))
		return a
	})
}

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"registers": `
			on / r4 0x1000 = 1 / w4 0x1000 0x12345600 / r4 0x1000 = 0x12345600 / w1 0x1001 0x78 / r4 0x1000 = 0x12347800 / r2 0x1002 = 0x1234
			w4 0x100c 0xfc / r4 0x100c = 0xc / w4 0x1030 0x5003 / r4 0x1030 = 0x5000 / w4 0x1034 0x3ff / r4 0x1034 = 0x3ff / w4 0x103c 7
			w4 0x100c 0xd / r4 0x1034 = 0 / w4 0x1034 9 / w4 0x100c 0xc / r4 0x1034 = 0x3ff / r4 0x103c = 7
			w4 0x1024 99 / r4 0x1024 = 0x00630063 / w4 0x1020 0xffffffff / r4 0x1020 = 0x3fff7f / r4 0x1010 = 0`,
		// DAC2, 16 bits stereo at 1411200/32 = 44100: a buffer of 100 frames, an
		// interrupt every 50.
		"play": `
			on / w4 0x100c 0xc / w4 0x1038 0x5000 / w4 0x103c 99 / w4 0x1028 49 / w4 0x1020 0x020c / w4 0x1000 0x001e0020
			r4 0x1004 = 0 / t 1133us / r4 0x1004 = 0 / out int = 0 / t 1us / r4 0x1004 = 0x80000002 / out int = 1 / r4 0x103c = 0x00320063 / r4 0x1028 = 0x00310031
			# Taken by turning the enable off and on.
			w4 0x1020 0x000c / out int = 0 / w4 0x1020 0x020c / out int = 0
			t 1134us / out int = 1 / r4 0x103c = 0x00000063
			# Pause; off and on again begin the count anew, not the buffer.
			w4 0x1020 0x120c / t 10ms / r4 0x103c = 0x00000063 / w4 0x1020 0x020c / t 500us / r4 0x103c = 0x00160063 / r4 0x1028 = 0x001b0031
			w4 0x1000 0x001e0000 / t 1ms / r4 0x103c = 0x00160063 / w4 0x1000 0x001e0020 / r4 0x1028 = 0x00310031`,
		// DAC1 with 8 bits mono at 5512.5: four frames a longword.
		"slow": `
			on / w4 0x100c 0xc / w4 0x1034 9 / w4 0x1024 79 / w4 0x1020 0x0100 / w4 0x1000 0x0040 / t 5ms / r4 0x1034 = 0x00060009 / r4 0x1024 = 0x0034004f
			t 9ms / out int = 0 / t 513us / out int = 1 / r4 0x1004 = 0x80000004 / w4 0x1020 0 / r4 0x1004 = 0
			# At 44100.
			w4 0x1000 0x3040 / t 1ms / r4 0x1024 = 0x0023004f`,
		// The recorder brings silence; in stop mode it ends with its count.
		"record": `
			on / w4 0x100c 0xd / w4 0x1030 0x100 / w4 0x1034 0xff / w4 0x102c 9 / w4 0x1020 0x8420 / w4 0x1000 0x001e0010
			t 300us / out int = 1 / r4 0x1004 = 0x80000001 / r4 0x1034 = 0x000500ff / t 10ms / r4 0x1034 = 0x000500ff
			w4 0x1020 0x8020 / out int = 0 / w4 0x1000 0x801e0000 / w4 0x1000 0x801e0010 / t 1ms / r4 0x1034 = 0x000500ff / w4 0x1000 0x001e0010 / t 100us / r4 0x1034 = 0x000700ff`,
		"uart": `on / r1 0x1009 = 0 / w4 0x1000 8 / r1 0x1009 = 2 / w1 0x1009 0x20 / r1 0x1009 = 6 / out int = 1 / r4 0x1004 = 0x80000008
			w1 0x1008 0x90 / w1 0x1009 0 / out int = 0`,
		"tiny buffers": `on / w4 0x100c 0xc / w4 0x1020 0x0700 / w4 0x1000 0x0070 / t 1s / r4 0x1004 = 0x80000007 / out int = 1`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, bench, script) })
	}
}

type collect struct{ f []audio.Frame }

func (c *collect) Play(p []audio.Frame) { c.f = append(c.f, p...) }

// loud opens the mixer for both players.
const loud = ` w2 0x1010 0x1603 / w2 0x1010 0x0000 / w2 0x1010 0x0100 / w2 0x1010 0x0206 / w2 0x1010 0x0306 / w2 0x1010 0x0406 / w2 0x1010 0x0506 / w2 0x1010 0x1060 / w2 0x1010 0x110c / `

// What is in the buffer is played, frame by frame, round and round, in each
// format.
func TestPlay(t *testing.T) {
	le := binary.LittleEndian
	for _, tc := range []struct {
		name, serial string
		frame        func(b []byte, n int)
		size         int
		want         func(n int) audio.Frame
	}{
		{"16 bits stereo", "0x0c", func(b []byte, n int) { le.PutUint16(b, uint16(n+1)); le.PutUint16(b[2:], uint16(-n-1)) }, 4,
			func(n int) audio.Frame { return audio.Frame{L: int16(n + 1), R: int16(-n - 1)} }},
		{"16 bits mono", "0x08", func(b []byte, n int) { le.PutUint16(b, uint16(n+1)) }, 2,
			func(n int) audio.Frame { return audio.Frame{L: int16(n + 1), R: int16(n + 1)} }},
		{"8 bits stereo", "0x04", func(b []byte, n int) { b[0], b[1] = byte(129+n%100), byte(127-n%100) }, 2,
			func(n int) audio.Frame { return audio.Frame{L: int16(n%100+1) << 8, R: -int16(n%100+1) << 8} }},
		{"8 bits mono", "0x00", func(b []byte, n int) { b[0] = byte(129 + n%100) }, 1,
			func(n int) audio.Frame { return audio.Frame{L: int16(n%100+1) << 8, R: int16(n%100+1) << 8} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var ram []byte
			sink := &collect{}
			b := devtest.New(func(b *devtest.Bench) dev.Device {
				m := audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 44100})
				m.Attach(sink)
				var a *Card
				a, ram = build(b, m)
				return a
			}, 1_000_000)
			const longwords = 100
			for n := range longwords * 4 / tc.size {
				tc.frame(ram[0x5000+n*tc.size:], n)
			}
			b.Script(t, `on / `+loud+` w4 0x100c 0xc / w4 0x1038 0x5000 / w4 0x103c 99 / w4 0x1028 0xffff / w4 0x1020 `+tc.serial+` / w4 0x1000 0x001e0020 / t 1s`)
			f := sink.f
			for len(f) > 0 && f[0] == (audio.Frame{}) {
				f = f[1:]
			}
			if len(f) < 40000 {
				t.Fatalf("%d frames", len(f))
			}
			for i := range 40000 {
				if w := tc.want(i % (longwords * 4 / tc.size)); f[i] != w {
					t.Fatalf("frame %d is %v, want %v", i, f[i], w)
				}
			}
		})
	}
}

// The mixer's registers make the two players loud, silent, half as loud.
func TestMixer(t *testing.T) {
	for _, tc := range []struct {
		script      string
		dac1, dac2  bool
		left, right int
		about       int
	}{
		{loud, true, false, 10000, 10000, 2},
		{loud, false, true, 10000, 10000, 2},
		{loud + ` w2 0x1010 0x0680 / w2 0x1010 0x1040 / `, true, false, 10000, 0, 2},
		{loud + ` w2 0x1010 0x1104 / `, false, true, 0, 10000, 2},
		{loud + ` w2 0x1010 0x0209 / w2 0x1010 0x0380 / `, false, true, 5011, 0, 3},
		{loud + ` w2 0x1010 0x0003 / w2 0x1010 0x0181 / `, false, true, 5011, 0, 3},
		{loud + ` w2 0x1010 0x1601 / `, false, true, 0, 0, 0},
		{loud + ` w2 0x1010 0x1600 / `, true, true, 0, 0, 0},
	} {
		var ram []byte
		sink := &collect{}
		b := devtest.New(func(b *devtest.Bench) dev.Device {
			m := audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 44100})
			m.Attach(sink)
			var a *Card
			a, ram = build(b, m)
			return a
		}, 1_000_000)
		for i := range 400 {
			binary.LittleEndian.PutUint16(ram[0x5000+2*i:], 10000)
		}
		enable := 0x001e3000
		if tc.dac1 {
			enable |= 1 << 6
		}
		if tc.dac2 {
			enable |= 1 << 5
		}
		b.Script(t, `on / `+tc.script+` w4 0x100c 0xc / w4 0x1030 0x5000 / w4 0x1034 99 / w4 0x1038 0x5000 / w4 0x103c 99 / w4 0x1020 0x0a / w4 0x1000 `+fmt.Sprintf("%#x", enable)+` / t 500ms`)
		f := sink.f[len(sink.f)/2]
		near := func(v int16, want int) bool { return int(v) >= want-tc.about && int(v) <= want+tc.about }
		if !near(f.L, tc.left) || !near(f.R, tc.right) {
			t.Errorf("%q: %v, want %d and %d", tc.script[len(loud):], f, tc.left, tc.right)
		}
	}
}
