package sb16

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/dev/dma/i8237"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

// bench is a card alone.
func bench(b *devtest.Bench) dev.Device {
	c := Config{Env: b.Env()}
	for i := range c.IRQ {
		c.IRQ[i] = b.Out(fmt.Sprint("irq", IRQs[i]))
	}
	for i, n := range DMAs {
		if n >= 0 {
			c.DREQ[i] = b.Out(fmt.Sprint("dreq", n))
		}
	}
	s := New(c)
	maps(b, s)
	dack := func(a []uint64, write bool) uint64 {
		if len(a) < 2 {
			a = []uint64{1, 1}
		}
		p := make([]byte, a[1]%4097)
		peer := s.Peer(int(a[0] % 8))
		if write {
			return uint64(peer.DMAWrite(p, false))
		}
		return uint64(peer.DMARead(p, false))
	}
	b.Verb("dmaread", func(a []uint64) uint64 { return dack(a, false) })
	b.Verb("dmawrite", func(a []uint64) uint64 { return dack(a, true) })
	b.Verb("dmapoll", func(a []uint64) uint64 { s.Peer(1).DMAPoll(); return 0 })
	// dsp sends a command with parameters.
	b.Verb("dsp", func(a []uint64) uint64 {
		for i, v := range a {
			s.write(portWrite, uint8(v))
			if i == 0 && len(a) == 4 { // the fuzzer's
				for range commands[uint8(v)].params {
					s.write(portWrite, uint8(a[1]>>8))
				}
			}
		}
		return 0
	})
	return s
}

func maps(b *devtest.Bench, s *Card) {
	card, mpu, fm := s.Regions()
	b.Map(0x220, card)
	b.Map(0x330, mpu)
	b.Map(0x388, fm)
}

func TestConform(t *testing.T) { devtest.Conform(t, bench) }
func FuzzSB16(f *testing.F)    { devtest.Fuzz(f, bench) }

// FuzzSB16DMA is the same with a DMA controller and somebody who listens.
func FuzzSB16DMA(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		r := build(b, 0x0405, 44100)
		low, word, pages, high := r.dma.Regions()
		b.Map(0x00, low)
		b.Map(0xc0, word)
		b.Map(0x80, pages)
		b.Map(0x480, high)
		b.Verb("play", func(a []uint64) uint64 {
			if len(a) == 4 {
				r.channel(int(a[0]%8)|1, uint8(0x48|a[0]>>8&0x10), 0x1000, int(a[1])&^1+2)
				r.dsp(uint8(a[2]), uint8(a[3]), uint8(a[3]>>8), uint8(a[2]>>8))
			}
			return 0
		})
		return r.card
	})
}

// rig is a card with its surroundings.
type rig struct {
	*testing.T
	clock *vclock.Manual
	card  *Card
	dma   *i8237.DMA
	ram   []byte
	out   []audio.Frame
	irqs  []int64 // when the interrupt line rose
	level bool
	mixer *audio.Mixer
	ack   bool // acknowledge at once
}

func (r *rig) Play(p []audio.Frame) { r.out = append(r.out, p...) }

func build(b *devtest.Bench, version uint16, rate int) *rig {
	r := &rig{clock: b.Clock}
	r.mixer = audio.NewMixer(audio.Config{Clock: b.Clock, Rate: rate})
	r.mixer.Attach(r)
	root := mem.NewContainer("memory", 0)
	ram := mem.NewRAM("ram", 1<<20)
	root.Add(0, ram)
	r.ram = ram.RAM().Bytes
	r.dma = i8237.New(i8237.Config{Env: b.Env(), Memory: mem.NewSpace("memory", root, nil)})
	c := Config{Env: b.Env(), Audio: r.mixer, Version: version}
	c.IRQ[1] = func(l bool) {
		if l && !r.level {
			r.irqs = append(r.irqs, b.Clock.Now())
		}
		r.level = l
	}
	for i, n := range DMAs {
		if n >= 0 {
			c.DREQ[i] = r.dma.Channel(n).Request
		}
	}
	r.card = New(c)
	for _, n := range DMAs {
		if n >= 0 {
			r.dma.Channel(n).Attach(r.card.Peer(n))
		}
	}
	maps(b, r.card)
	return r
}

func newRig(t *testing.T, rate int) *rig {
	var r *rig
	devtest.New(func(b *devtest.Bench) dev.Device {
		r = build(b, 0x0405, rate)
		return r.card
	}, 1_000_000)
	r.T = t
	dma := mem.NewContainer("io", 0)
	low, word, pages, _ := r.dma.Regions()
	dma.Add(0, low)
	dma.Add(0xc0, word)
	dma.Add(0x80, pages)
	return r
}

// channel programs a channel of the DMA controller for n bytes at addr.
func (r *rig) channel(ch int, mode uint8, addr, n int) {
	low, word, pages, _ := r.dma.Regions()
	io := mem.NewContainer("io", 0)
	io.Add(0, low)
	io.Add(0xc0, word)
	io.Add(0x80, pages)
	s := mem.NewSpace("io", io, nil)
	out := func(p uint64, v int) { s.Write(p, 1, uint64(v&0xff)) }
	page := []uint64{0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a}[ch&7]
	if ch < 4 {
		out(0x0a, 4|ch)
		out(0x0c, 0)
		out(0x0b, int(mode)|ch)
		out(uint64(2*ch), addr)
		out(uint64(2*ch), addr>>8)
		out(page, addr>>16)
		out(uint64(2*ch+1), n-1)
		out(uint64(2*ch+1), (n-1)>>8)
	} else {
		c := ch - 4
		out(0xd4, 4|c)
		out(0xd8, 0)
		out(0xd6, int(mode)|c)
		out(uint64(0xc0+4*c), addr>>1)
		out(uint64(0xc0+4*c), addr>>9)
		out(page, addr>>16)
		out(uint64(0xc2+4*c), n/2-1)
		out(uint64(0xc2+4*c), (n/2-1)>>8)
	}
	out(0xd6, 0xc0) // cascade
	out(0xd4, 0)
	if ch < 4 {
		out(0x0a, ch)
	} else {
		out(0xd4, ch-4)
	}
}

// count reads the 8-bit channel's count.
func (r *rig) count(ch int) int {
	low, _, _, _ := r.dma.Regions()
	s := mem.NewSpace("io", low, nil)
	s.Write(0x0c, 1, 0)
	v := s.Read(uint64(2*ch+1), 1)
	return int(v | s.Read(uint64(2*ch+1), 1)<<8)
}

func (r *rig) dsp(b ...uint8) {
	for _, v := range b {
		r.card.write(portWrite, v)
	}
}

func (r *rig) get() uint8 { return r.card.read(portRead) }

func (r *rig) mix(reg, v uint8) {
	r.card.write(portMixer, reg)
	r.card.write(portMixerD, v)
}

func (r *rig) mixed(reg uint8) uint8 {
	r.card.write(portMixer, reg)
	return r.card.read(portMixerD)
}

// played is what was heard, without the silence before and after.
func (r *rig) played() []audio.Frame {
	i := slices.IndexFunc(r.out, func(f audio.Frame) bool { return f != audio.Frame{} })
	if i < 0 {
		return nil
	}
	j := len(r.out)
	for r.out[j-1] == (audio.Frame{}) {
		j--
	}
	return r.out[i:j]
}

const (
	single = 0x48 // DMA mode: single, memory to device
	auto   = 0x58
	record = 0x44 // device to memory
)

// samples are 400 values that begin and end with something.
func samples() []int16 {
	s := make([]int16, 400)
	for i := range s {
		s[i] = int16(20000*math.Sin(float64(i)/7)) &^ 0xff
	}
	s[0], s[1], s[398], s[399] = 0x100, 0x7f00, -0x8000, 0x200
	return s
}

// Each way to play: the samples come out as they are, the interrupt when the
// last one is due.
func TestTransferModes(t *testing.T) {
	s := samples()
	put8 := func(signed bool) (b []byte) {
		for _, v := range s {
			x := byte(v >> 8)
			if !signed {
				x ^= 0x80
			}
			b = append(b, x)
		}
		return b
	}
	put16 := func(signed bool) (b []byte) {
		for _, v := range s {
			if !signed {
				v ^= -0x8000
			}
			b = append(b, byte(v), byte(v>>8))
		}
		return b
	}
	mono, stereo := []audio.Frame{}, []audio.Frame{}
	for i, v := range s {
		mono = append(mono, audio.Frame{L: v, R: v})
		if i%2 == 1 {
			stereo = append(stereo, audio.Frame{L: s[i-1], R: v})
		}
	}
	n := byte((400 - 1) & 0xff)
	const hi = (400 - 1) >> 8
	for _, c := range []struct {
		name string
		cmd  []uint8
		data []byte
		dma  int
		want []audio.Frame
	}{
		{"14h", []uint8{0x14, n, hi}, put8(false), 1, mono},
		{"91h", []uint8{0x48, n, hi, 0x91}, put8(false), 1, mono},
		{"C0h unsigned mono", []uint8{0xc0, 0x00, n, hi}, put8(false), 1, mono},
		{"C0h signed mono", []uint8{0xc0, 0x10, n, hi}, put8(true), 1, mono},
		{"C2h unsigned stereo", []uint8{0xc2, 0x20, n, hi}, put8(false), 1, stereo},
		{"C0h signed stereo", []uint8{0xc0, 0x30, n, hi}, put8(true), 1, stereo},
		{"B0h unsigned mono", []uint8{0xb0, 0x00, n, hi}, put16(false), 5, mono},
		{"B0h signed mono", []uint8{0xb0, 0x10, n, hi}, put16(true), 5, mono},
		{"B0h unsigned stereo", []uint8{0xb0, 0x20, n, hi}, put16(false), 5, stereo},
		{"B2h signed stereo", []uint8{0xb2, 0x30, n, hi}, put16(true), 5, stereo},
	} {
		r := newRig(t, 22050)
		copy(r.ram[0x2000:], c.data)
		r.channel(c.dma, single, 0x2000, len(c.data))
		r.dsp(0x41, 22050>>8, 22050&0xff)
		start := r.clock.Now()
		r.dsp(c.cmd...)
		r.clock.Advance(vclock.Second)
		if got := r.played(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d frames, want %d; first %v", c.name, len(got), len(c.want), got[:min(4, len(got))])
		}
		due := audio.Time(int64(len(c.want)), 22050)
		if len(r.irqs) != 1 || r.irqs[0]-start != due {
			t.Errorf("%s: interrupts at %v, want %d", c.name, r.irqs, start+due)
		}
		status, port := uint8(0x21), uint64(portStatus)
		if c.dma == 5 {
			status, port = 0x22, portAck16
		}
		if v := r.mixed(0x82); v != status {
			t.Errorf("%s: interrupt status %#x, want %#x", c.name, v, status)
		}
		r.card.read(port)
		if r.level || r.mixed(0x82) != 0x20 {
			t.Errorf("%s: the interrupt is not acknowledged", c.name)
		}
	}
}

// 16-bit transfers go by the 8-bit channel where that is the only one.
func Test16BitsBy8BitChannel(t *testing.T) {
	r := newRig(t, 22050)
	r.mix(0x81, 0x02)
	for i := range 100 {
		r.ram[0x2000+2*i], r.ram[0x2001+2*i] = byte(i), 0x10
	}
	r.channel(1, single, 0x2000, 200)
	r.dsp(0x41, 22050>>8, 22050&0xff, 0xb0, 0x10, 99, 0)
	r.clock.Advance(vclock.Second)
	got := r.played()
	if len(got) != 100 || got[0].L != 0x1000 || got[99].L != 0x1063 || r.mixed(0x82) != 0x22 {
		t.Errorf("%d frames, status %#x", len(got), r.mixed(0x82))
	}
}

// Auto-initialized transfers go on, block by block, until they are told to
// end; a pause stands still.
func TestAutoInit(t *testing.T) {
	for _, c := range []struct {
		name              string
		start             []uint8
		exit, halt, go_on uint8
		dma               int
		ack               uint64
	}{
		{"1Ch", []uint8{0x48, 99, 0, 0x1c}, 0xda, 0xd0, 0xd4, 1, portStatus},
		{"90h", []uint8{0x48, 99, 0, 0x90}, 0xda, 0xd0, 0xd4, 1, portStatus},
		{"C6h", []uint8{0xc6, 0, 99, 0}, 0xda, 0xd0, 0xd4, 1, portStatus},
		{"B6h", []uint8{0xb6, 0x10, 99, 0}, 0xd9, 0xd5, 0xd6, 5, portAck16},
	} {
		r := newRig(t, 10000)
		for i := range 400 {
			r.ram[0x2000+i] = 0x55
		}
		r.channel(c.dma, auto, 0x2000, 400)
		r.dsp(0x41, 10000>>8, 10000&0xff)
		start := r.clock.Now()
		r.dsp(c.start...)
		blocks := func(n int, each int64) {
			t.Helper()
			for range n {
				r.clock.Advance(each)
				r.card.read(c.ack)
			}
		}
		blocks(5, 10_000_000)
		if len(r.irqs) != 5 {
			t.Fatalf("%s: interrupts at %v, want 5", c.name, r.irqs)
		}
		for i, at := range r.irqs {
			if want := start + int64(i+1)*10_000_000; at != want {
				t.Errorf("%s: interrupt %d at %d, want %d", c.name, i, at, want)
			}
		}
		r.clock.Advance(5_000_000)
		r.dsp(c.halt)
		blocks(5, 10_000_000)
		if len(r.irqs) != 5 {
			t.Errorf("%s: it does not pause", c.name)
		}
		r.dsp(c.go_on)
		r.clock.Advance(4_900_000)
		if len(r.irqs) != 5 {
			t.Errorf("%s: the block ends early after a pause", c.name)
		}
		r.clock.Advance(300_000)
		if len(r.irqs) != 6 {
			t.Errorf("%s: the block does not end after a pause", c.name)
		}
		r.card.read(c.ack)
		r.dsp(c.exit)
		blocks(5, 10_000_000)
		if len(r.irqs) != 7 {
			t.Errorf("%s: %d interrupts, want that of the block in which it was told to end", c.name, len(r.irqs))
		}
		if r.card.ch[0].f.form != none || r.card.ch[1].f.form != none {
			t.Errorf("%s: it goes on", c.name)
		}
	}
}

// 47h and 45h have an ending transfer go on.
func TestContinueAuto(t *testing.T) {
	r := newRig(t, 10000)
	r.channel(1, auto, 0x2000, 400)
	r.dsp(0x41, 10000>>8, 10000&0xff, 0xc6, 0, 99, 0, 0xda, 0x45)
	for range 5 {
		r.clock.Advance(10_000_000)
		r.card.read(portStatus)
	}
	if len(r.irqs) != 5 {
		t.Errorf("%d interrupts", len(r.irqs))
	}
}

// A guest that does not acknowledge does not lose blocks when the host is late.
func TestLateHost(t *testing.T) {
	r := newRig(t, 10000)
	r.channel(1, auto, 0x2000, 4000)
	r.dsp(0x41, 10000>>8, 10000&0xff, 0xc6, 0, 49, 0) // 5 ms
	r.clock.Advance(5_000_000)
	if len(r.irqs) != 1 {
		t.Fatal("no interrupt")
	}
	// 40 ms pass before the guest looks: what ends meanwhile keeps its distance.
	at := r.count(1)
	r.clock.Advance(40_000_000)
	if gone := (at - r.count(1) + 4000) % 4000; gone < 350 || gone > 400 {
		t.Errorf("%d bytes in 40 ms, want about 400", gone)
	}
}

// The DMA controller's counter shows where the sound is.
func TestPosition(t *testing.T) {
	r := newRig(t, 10000)
	r.channel(1, auto, 0x2000, 1000)
	r.dsp(0x41, 10000>>8, 10000&0xff, 0xc6, 0, 0xe7, 3)
	for ms := 1; ms < 90; ms++ {
		r.clock.Advance(1_000_000)
		if got, want := 999-r.count(1), 10*ms; got != want {
			t.Fatalf("after %d ms %d bytes are gone, want %d", ms, got, want)
		}
	}
}

// A transfer whose DMA channel is programmed later begins then.
func TestLateDMA(t *testing.T) {
	r := newRig(t, 10000)
	r.dsp(0x41, 10000>>8, 10000&0xff, 0xc0, 0, 99, 0)
	r.clock.Advance(50_000_000)
	if len(r.irqs) != 0 {
		t.Fatal("an interrupt without data")
	}
	for i := range 100 {
		r.ram[0x2000+i] = 0xc0
	}
	r.channel(1, single, 0x2000, 100)
	r.clock.Advance(8_000_000)
	if len(r.irqs) != 0 {
		t.Error("the block ends too early")
	}
	r.clock.Advance(3_000_000)
	if len(r.irqs) != 1 {
		t.Error("the block does not end")
	}
	r.clock.Advance(50_000_000)
	if len(r.irqs) != 1 || len(r.played()) != 100 {
		t.Errorf("%d interrupts, %d frames", len(r.irqs), len(r.played()))
	}
}

func TestRecording(t *testing.T) {
	for _, c := range []struct {
		cmd  []uint8
		dma  int
		want [2]byte
	}{
		{[]uint8{0x24, 99, 0}, 1, [2]byte{0x80, 0x80}},
		{[]uint8{0xc8, 0x00, 99, 0}, 1, [2]byte{0x80, 0x80}},
		{[]uint8{0xc8, 0x10, 99, 0}, 1, [2]byte{0, 0}},
		{[]uint8{0xb8, 0x00, 99, 0}, 5, [2]byte{0, 0x80}},
		{[]uint8{0xb8, 0x10, 99, 0}, 5, [2]byte{0, 0}},
	} {
		r := newRig(t, 10000)
		for i := range 400 {
			r.ram[0x2000+i] = 0x55
		}
		n := 100
		if c.dma == 5 {
			n = 200
		}
		r.channel(c.dma, record, 0x2000, n)
		r.dsp(0x42, 10000>>8, 10000&0xff)
		r.dsp(c.cmd...)
		r.clock.Advance(vclock.Second)
		if len(r.irqs) != 1 || r.irqs[0] != 1_000_000+10_000_000 {
			t.Errorf("%x: interrupts at %v", c.cmd, r.irqs)
		}
		for i := range n {
			if r.ram[0x2000+i] != c.want[i%2] {
				t.Fatalf("%x: byte %d is %#x", c.cmd, i, r.ram[0x2000+i])
			}
		}
		if r.ram[0x2000+n] != 0x55 {
			t.Errorf("%x: more was written than the block has", c.cmd)
		}
	}
}

// ADPCM: values from the tables of the formats, written out.
func TestADPCM(t *testing.T) {
	for _, c := range []struct {
		name string
		cmd  uint8
		ref  bool
		data []byte
		want []int // of 8 bits, unsigned
	}{
		// 4 bits. Step 0: differences 0..7; from 5 on the step grows: (2m+1)
		// times 1, 2, 4.
		{"75h", 0x75, true, []byte{0x80, 0x12, 0x5f, 0x70, 0x80}, []int{
			0x81, 0x83, // +1 +2
			0x88, 0x88 - 15, // +5, then step 1: -15
			0x79 + 30, 0x97 + 4, // step 2: +7 is 15*2; step 3: +0 is 1*4, back to 2
			0x9b - 2, 0x99 + 1, // -0 is -1*2, to 1; +0 is 1, to 0
		}},
		{"74h", 0x74, false, []byte{0x77, 0x77}, []int{0x80, 0x80, 0x80, 0x80}},
		// 2.6 bits: magnitudes of 2 bits; 3 makes the step larger.
		{"77h", 0x77, true, []byte{0x80, 0b011_111_01, 0b000_010_11}, []int{
			0x83, 0x83 - 7, 0x7c + 10, // +3; step 1: -7; step 2: 01 is +2: 5*2
			0x86 + 2, 0x88 + 5, 0x8d - 5, // +0: 1*2, to 1; +2: 5; 11 is -2: 5
		}},
		// 2 bits: 0 or 1 and a sign; 1 makes the step larger.
		{"17h", 0x17, true, []byte{0x80, 0b01_01_11_00, 0b10_00_01_01}, []int{
			0x81, 0x84, 0x84 - 6, 0x7e + 4, // +1; +3; -3*2; +1*4
			0x82 - 2, 0x80 + 1, 0x82, 0x85, // -1*2; +1*1; step 0: +1; +3
		}},
	} {
		r := newRig(t, 8000)
		copy(r.ram[0x2000:], c.data)
		r.channel(1, single, 0x2000, len(c.data))
		r.dsp(0x41, 8000>>8, 8000&0xff&0xff, c.cmd, uint8(len(c.data)-1), 0)
		r.clock.Advance(vclock.Second)
		if c.name == "74h" {
			// Without a reference it begins at 0.
			c.want = []int{7, 7 + 15, 22 + 30, 52 + 60}
		}
		var got []int
		for _, f := range r.out {
			got = append(got, int(uint16(f.L)>>8^0x80))
		}
		lead := 8000/500 + 1
		if len(got) < lead+len(c.want) || !slices.Equal(got[lead:lead+len(c.want)], c.want) {
			t.Errorf("%s: %x, want %x", c.name, got[:min(len(got), 40)], c.want)
		}
		if len(r.irqs) != 1 {
			t.Errorf("%s: %d interrupts", c.name, len(r.irqs))
		}
	}
}

// Direct output: a tone by a guest that writes samples at 8 kHz.
func TestDirect(t *testing.T) {
	r := newRig(t, 44100)
	for i := range 8000 {
		r.dsp(0x10, uint8(128+100*math.Sin(2*math.Pi*500*float64(i)/8000)))
		r.clock.Advance(125_000)
	}
	r.clock.Advance(vclock.Second)
	f := r.played()
	if n := len(f); n < 44000 || n > 44100+44100/10 {
		t.Errorf("%d frames of a second", n)
	}
	if a := tone(f[1000:40000], 44100, 500); a < 24500 || a > 26500 {
		t.Errorf("the tone has %.0f, want 25600", a)
	}
}

// tone is the amplitude of a frequency (Goertzel, with a Hann window).
func tone(f []audio.Frame, rate int, hz float64) float64 {
	var re, im float64
	for i, x := range f {
		h := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(f)))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += h * float64(x.L) * c
		im += h * float64(x.L) * s
	}
	return 4 * math.Hypot(re, im) / float64(len(f))
}

// Rates: the time constant, for one and two sides, and commands 41h and 42h
// with values that no card can do.
func TestRates(t *testing.T) {
	for _, c := range []struct {
		cmd   []uint8
		f     format
		hz    int
		input bool
	}{
		{[]uint8{0x40, 131}, format{}, 8000, false},
		{[]uint8{0x40, 211}, format{}, 22222, false},
		{[]uint8{0x40, 211}, format{stereo: true}, 11111, false},
		{[]uint8{0x40, 0}, format{}, 3906, false},
		{[]uint8{0x40, 255}, format{}, 45454, false},
		{[]uint8{0x41, 0xac, 0x44}, format{stereo: true}, 44100, false},
		{[]uint8{0x41, 0xff, 0xff}, format{}, 45000, false},
		{[]uint8{0x41, 0, 0}, format{}, 4000, false},
		{[]uint8{0x41, 0x2b, 0x11, 0x42, 0x1f, 0x40}, format{}, 11025, false},
		{[]uint8{0x41, 0x2b, 0x11, 0x42, 0x1f, 0x40}, format{input: true}, 8000, true},
	} {
		r := newRig(t, 44100)
		r.dsp(c.cmd...)
		if got := r.card.dsp.frameRate(c.f); got != c.hz {
			t.Errorf("%x: %d Hz, want %d", c.cmd, got, c.hz)
		}
	}
}

// The named holes of SECURITY.md: rates and lengths that are absurd. The card
// does what it can, the host's work is bounded.
func TestAbsurd1C(t *testing.T) { absurd(t, 0x48, 0, 0, 0x40, 0xff, 0x1c) }
func TestAbsurd91(t *testing.T) { absurd(t, 0x48, 0xff, 0xff, 0x40, 0xff, 0x91) }
func TestAbsurdD4(t *testing.T) { absurd(t, 0xd0, 0x40, 0xff, 0xd4, 0x1c, 0xd0, 0x40, 0, 0xd4, 0xd4) }

func absurd(t *testing.T, cmd ...uint8) {
	r := newRig(t, 44100)
	r.channel(1, auto, 0x2000, 1)
	r.dsp(cmd...)
	events := 0
	for range 1000 {
		end := r.clock.Now() + 1_000_000
		for {
			at, any := r.clock.Next()
			if !any || at > end {
				break
			}
			r.clock.Advance(max(at-r.clock.Now(), 0))
			events++
		}
		r.clock.Advance(end - r.clock.Now())
	}
	if events > 10_000 {
		t.Errorf("%d timer events in a second", events)
	}
	if len(r.out) > 45000 {
		t.Errorf("%d frames of a second", len(r.out))
	}
	// It lives.
	r.card.write(portReset, 1)
	r.card.write(portReset, 0)
	r.clock.Advance(100_000)
	if v := r.get(); v != 0xaa {
		t.Errorf("%#x after a reset", v)
	}
}

func TestSilence(t *testing.T) {
	r := newRig(t, 8000)
	r.dsp(0x41, 8000>>8, 8000&0xff, 0x80, 0x1f, 3) // 800
	r.clock.Advance(99_000_000)
	if len(r.irqs) != 0 {
		t.Error("too early")
	}
	r.clock.Advance(2_000_000)
	if len(r.irqs) != 1 {
		t.Error("no interrupt")
	}
}

func TestVolume(t *testing.T) {
	for _, c := range []struct {
		reg, v uint8
		l, r   float64
	}{
		{0x30, 0xf8, 1, 1}, // above the level after a reset
		{0x30, 0, 0, 1}, {0x31, 0, 1, 0},
		{0x32, 0xc0 - 10<<3, 0.1, 1}, // -20 dB
		{0x04, 0x55, 0.05, 0.05},     // 11 of 31: -26 dB
	} {
		r := newRig(t, 10000)
		for i := range 1000 {
			r.ram[0x2000+i] = 0xe0 // 0x6000
		}
		r.channel(1, single, 0x2000, 1000)
		r.mix(c.reg, c.v)
		r.dsp(0x41, 10000>>8, 10000&0xff, 0xc0, 0, 0xe7, 3)
		r.clock.Advance(50_000_000)
		f := r.out[300]
		if l, rr := float64(f.L)/0x6000, float64(f.R)/0x6000; math.Abs(l-c.l) > 0.002 || math.Abs(rr-c.r) > 0.002 {
			t.Errorf("register %#x = %#x: %.3f %.3f, want %.3f %.3f", c.reg, c.v, l, rr, c.l, c.r)
		}
	}
}

// Of a Sound Blaster Pro: sides by the mixer, the speaker switch, high-speed
// modes that end with a reset.
func TestPro(t *testing.T) {
	var r *rig
	devtest.New(func(b *devtest.Bench) dev.Device {
		r = build(b, 0x0302, 10000)
		return r.card
	}, 1_000_000)
	for i := range 400 {
		r.ram[0x2000+i] = uint8(0xc0 + i%2)
	}
	r.channel(1, single, 0x2000, 400)
	r.mix(0x0e, 2)
	r.dsp(0xd1, 0x40, 206, 0x48, 0x8f, 1, 0x91) // 20000 samples a second
	r.dsp(0xe1)
	r.clock.Advance(19_000_000)
	if r.level {
		t.Error("the block ends too early")
	}
	r.clock.Advance(2_000_000)
	if !r.level {
		t.Error("the block does not end")
	}
	if r.card.read(portStatus) != 0x7f {
		t.Error("a command was understood in high-speed mode")
	}
	r.clock.Advance(100_000_000)
	if f := r.played(); len(f) != 200 || f[0] != (audio.Frame{L: 0x4000, R: 0x4100}) {
		t.Errorf("%d frames, %v", len(f), f[:min(1, len(f))])
	}
	r.card.write(portReset, 1)
	r.card.write(portReset, 0)
	r.clock.Advance(1_000_000)
	if r.card.read(portStatus) != 0x7f {
		t.Error("the reset that ends high-speed mode is answered")
	}
	r.dsp(0xe1)
	if a, b := r.get(), r.get(); a != 3 || b != 2 {
		t.Errorf("version %d.%d", a, b)
	}
}

// The identification by DMA: what four parameters in a row give, of two cards
// that were asked alike (the sums follow from the key 96h, turned).
func TestIdentify(t *testing.T) {
	r := newRig(t, 44100)
	sum, key := byte(0xaa), byte(0x96)
	for i, v := range []uint8{0, 0x55, 0xff, 0x12, 0x34, 0x96} {
		r.channel(1, record, 0x3000, 1)
		r.dsp(0xe2, v)
		sum += v ^ key
		key = key>>2 | key<<6
		if r.ram[0x3000] != sum {
			t.Errorf("%d: %#x, want %#x", i, r.ram[0x3000], sum)
		}
	}
	if sum == 0 {
		t.Error("nothing was asked")
	}
}

func TestScripts(t *testing.T) {
	devtest.Run(t, bench, `
		# Reset: 1, then 0, then AAh; 3 does as well.
		r1 0x22e = 0x7f / w1 0x226 1 / r1 0x22c = 0xff / w1 0x226 0 / r1 0x22e = 0x7f / t 100us / r1 0x22e = 0xff / r1 0x22a = 0xaa / r1 0x22e = 0x7f / r1 0x22c = 0x7f
		w1 0x226 3 / w1 0x226 0 / t 100us / r1 0x22a = 0xaa
		dsp 0xe1 / r1 0x22a = 4 / r1 0x22a = 5 / r1 0x22a = 5
		dsp 0xe0 0x55 / r1 0x22a = 0xaa / dsp 0xe4 0x37 / dsp 0xe8 / r1 0x22a = 0x37
		dsp 0xd8 / r1 0x22a = 0 / dsp 0xd1 / dsp 0xd8 / r1 0x22a = 0xff / dsp 0xd3 / dsp 0xd8 / r1 0x22a = 0
		dsp 0x20 / r1 0x22a = 0x80 / dsp 0xf8 / r1 0x22a = 0
		dsp 0xe3 / r1 0x22a = 0x43 / r1 0x22a = 0x4f / r1 0x22a = 0x50 / r1 0x22a = 0x59
		# Interrupts by command, and their acknowledgement.
		w1 0x226 1 / w1 0x226 0 / t 1ms / r1 0x22a = 0xaa
		dsp 0xf2 / out irq5 = 1 / w1 0x224 0x82 / r1 0x225 = 0x21 / r1 0x22f / out irq5 = 1 / r1 0x22e / out irq5 = 0
		dsp 0xf3 / out irq5 = 1 / r1 0x225 = 0x22 / r1 0x22e / out irq5 = 1 / r1 0x22f / out irq5 = 0
		# They can be had elsewhere.
		w1 0x224 0x80 / r1 0x225 = 2 / w1 0x225 8 / r1 0x225 = 8 / dsp 0xf2 / out irq10 = 1 / out irq5 = 0 / w1 0x225 4 / out irq7 = 1 / out irq10 = 0 / r1 0x22e / out irq7 = 0
		w1 0x224 0x81 / r1 0x225 = 0x22 / w1 0x225 0xff / r1 0x225 = 0xeb / w1 0x225 0x22
		# The mixer: what is not there reads as ones, pairs of the Pro's registers.
		w1 0x224 0x30 / r1 0x225 = 0xc0 / w1 0x225 0xff / r1 0x225 = 0xf8 / w1 0x224 0x22 / r1 0x225 = 0xfc / w1 0x225 0x5a
		w1 0x224 0x30 / r1 0x225 = 0x58 / w1 0x224 0x31 / r1 0x225 = 0xa8 / w1 0x224 0x3c / r1 0x225 = 0x1f / w1 0x224 0x99 / r1 0x225 = 0xff / r1 0x224 = 0x99
		w1 0x224 0 / w1 0x225 0 / w1 0x224 0x31 / r1 0x225 = 0xc0 / w1 0x224 0x80 / r1 0x225 = 4
		# DREQ by what is played.
		dsp 0x40 0x83 / dsp 0x14 9 0 / out dreq1 = 0 / t 1ms / dmapoll / out dreq1 = 1 / dmaread 1 100 = 8 / out dreq1 = 0
		# MPU-401.
		r1 0x331 = 0xbf / w1 0x331 0xff / r1 0x331 = 0x3f / r1 0x330 = 0xfe / r1 0x331 = 0xbf / w1 0x331 0x3f / r1 0x330 = 0xfe / w1 0x330 0x90 / r1 0x331 = 0xbf
		# FM at three places.
		r1 0x388 = 6 / r1 0x220 = 6 / r1 0x228 = 6
		log = "" / dsp 0x03 / log = "unknown DSP command 0x03"`)
}

func TestCopyright(t *testing.T) {
	r := newRig(t, 44100)
	r.dsp(0xe3)
	var b []byte
	for r.card.read(portStatus)&0x80 != 0 {
		b = append(b, r.get())
	}
	if string(b) != "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.\x00" {
		t.Errorf("%q", b)
	}
}
