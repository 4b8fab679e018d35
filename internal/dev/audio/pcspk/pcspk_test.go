package pcspk

import (
	"math"
	"testing"

	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/dev/misc/port61"
	"rhea/internal/dev/timer/i8254"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

func bench(b *devtest.Bench) dev.Device {
	p := New(Config{Env: b.Env(), Hz: i8254.Hz, Now: func() int64 { return 0 }, Level: func(at int64) (bool, int64) { return false, at + 1 }})
	b.In("gate", p.Gate)
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, bench) }

// FuzzSpeaker plays with timer, port and speaker.
func FuzzSpeaker(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		r := build(b.Clock, b.Env())
		b.Map(0x40, r.pit.Region())
		b.Map(0x61, r.p61.Region())
		return r.spk
	})
}

type rig struct {
	clock *vclock.Manual
	pit   *i8254.Timer
	p61   *port61.Port
	spk   *Speaker
	io    *mem.Space
	out   []audio.Frame
}

func (r *rig) Play(p []audio.Frame) { r.out = append(r.out, p...) }

func build(clock *vclock.Manual, env dev.Env) *rig {
	r := &rig{clock: clock}
	m := audio.NewMixer(audio.Config{Clock: clock, Rate: rate})
	m.Attach(r)
	r.pit = i8254.New(i8254.Config{Env: env, Watch2: func(to int64) { r.spk.Changes(to) }})
	r.spk = New(Config{Env: env, Audio: m, Hz: i8254.Hz, Now: r.pit.Now2, Level: r.pit.Level2})
	r.p61 = port61.New(port61.Config{Env: env, Gate2: r.pit.Gate(2), Speaker: r.spk.Gate, Out2: func() bool { return r.pit.Out(2) }})
	root := mem.NewContainer("io", 0)
	root.Add(0x40, r.pit.Region())
	root.Add(0x61, r.p61.Region())
	r.io = mem.NewSpace("io", root, nil)
	r.p61.Reset()
	r.p61.Settle()
	return r
}

func newRig() *rig {
	clock := vclock.NewManual()
	clock.Advance(1_000_000)
	return build(clock, dev.Env{Clock: clock})
}

func (r *rig) w(port uint64, v ...int) {
	for _, x := range v {
		r.io.Write(port, 1, uint64(x&0xff))
	}
}

func level(f []audio.Frame, hz float64) float64 {
	var re, im float64
	for i, x := range f {
		h := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(f)))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re += h * float64(x.L) * c
		im += h * float64(x.L) * s
	}
	return 4 * math.Hypot(re, im) / float64(len(f))
}

// A beep: a square wave of the counter's frequency, heard while both bits are
// set, and nothing afterwards.
func TestBeep(t *testing.T) {
	for _, hz := range []float64{100, 440, 1000, 5000} {
		r := newRig()
		n := int(math.Round(i8254.Hz / hz))
		r.w(0x43, 0xb6)
		r.w(0x42, n, n>>8)
		r.clock.Advance(100_000_000)
		if len(r.out) != 0 {
			t.Fatal("it is heard before it is switched on")
		}
		r.w(0x61, 3)
		r.clock.Advance(vclock.Second)
		f := r.out[4000:40000]
		got := i8254.Hz / float64(n)
		// Of a square wave of amplitude 1/2: 2/pi and 2/3pi; a frame's mean takes
		// some of the high ones.
		sinc := func(x float64) float64 { return math.Sin(math.Pi*x/rate) / (math.Pi * x / rate) }
		for k, want := range map[float64]float64{1: 2 / math.Pi, 2: 0, 3: 2 / (3 * math.Pi)} {
			want *= loud * sinc(k*got)
			if a := level(f, k*got); math.Abs(a-want) > loud/100 {
				t.Errorf("%v Hz: harmonic %v is %.0f, want %.0f", hz, k, a, want)
			}
		}
		r.w(0x61, 0)
		r.clock.Advance(vclock.Second)
		at := len(r.out)
		r.clock.Advance(vclock.Second)
		if len(r.out) != at {
			t.Error("it does not end")
		}
	}
}

// A new count while it sounds changes the pitch at the end of a half period.
func TestChange(t *testing.T) {
	r := newRig()
	r.w(0x43, 0xb6)
	r.w(0x61, 3)
	for _, hz := range []int{500, 1000, 2000} {
		n := i8254.Hz / hz
		r.w(0x42, n, n>>8)
		at := len(r.out)
		r.clock.Advance(vclock.Second / 2)
		if a := level(r.out[at+2000:at+20000], i8254.Hz/float64(n)); a < loud/2 {
			t.Errorf("%d Hz: %.0f", hz, a)
		}
	}
}

// Samples by the width of pulses: mode 0 with a new count 8000 times a second;
// a sine of 400 Hz is heard.
func TestPulseWidth(t *testing.T) {
	r := newRig()
	r.w(0x43, 0x90) // low byte, mode 0
	r.w(0x61, 3)
	for i := range 8000 {
		r.w(0x42, int(75+60*math.Sin(2*math.Pi*400*float64(i)/8000)))
		r.clock.Advance(125_000)
	}
	// OUT is low for count+1 of 149 clocks: an amplitude of 60/149.
	want := loud * 60.0 / 149.15
	if a := level(r.out[4000:40000], 400); math.Abs(a-want) > want/20 {
		t.Errorf("%.0f, want %.0f", a, want)
	}
}

// Bit 1 alone, with the counter standing at its level.
func TestBit(t *testing.T) {
	r := newRig()
	r.w(0x61, 0)
	for i := range 1000 {
		r.w(0x61, i%2*2)
		r.clock.Advance(1_000_000)
	}
	if a := level(r.out[4000:40000], 500); a < loud/2 {
		t.Errorf("%.0f", a)
	}
}

// A speaker that is on and stands still is silent, and costs nothing.
func TestStill(t *testing.T) {
	r := newRig()
	r.w(0x61, 2)
	r.clock.Advance(vclock.Second)
	if n := len(r.out); n > rate/4 {
		t.Errorf("%d frames of nothing", n)
	}
	if _, any := r.clock.Next(); any {
		t.Error("a timer is set")
	}
	r.w(0x43, 0x54) // mode 2 with the fastest count there is
	r.w(0x42, 2)
	r.w(0x61, 3)
	r.clock.Advance(vclock.Second)
}
