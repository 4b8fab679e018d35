package opl2

import (
	"math"
	"testing"

	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/vclock"
)

func bench(b *devtest.Bench) dev.Device {
	o := New(Config{Env: b.Env()})
	maps(b, o)
	return o
}

func maps(b *devtest.Bench, o *Chip) {
	b.Map(0x388, o.Region(4))
	b.Verb("opl", func(a []uint64) uint64 {
		o.Write(0, uint8(a[0]))
		o.Write(1, uint8(a[1]))
		return 0
	})
}

func TestConform(t *testing.T) { devtest.Conform(t, bench) }
func FuzzOPL2(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		o := New(Config{Env: b.Env(), Audio: audio.NewMixer(audio.Config{Clock: b.Clock, Rate: 44100})})
		maps(b, o)
		return o
	})
}

func TestScripts(t *testing.T) {
	devtest.Run(t, bench, `
		# How an AdLib is found.
		opl 4 0x60 / opl 4 0x80 / r1 0x388 = 6 / opl 2 0xff / opl 4 0x21 / t 79us / r1 0x388 = 6 / t 2us / r1 0x388 = 0xc6 / opl 4 0x60 / opl 4 0x80 / r1 0x388 = 6
		# Timer 2, and flags that stay until they are cleared.
		opl 3 0xfe / opl 4 0x42 / t 630us / r1 0x388 = 6 / t 20us / r1 0x388 = 0xa6 / t 1s / r1 0x38a = 0xa6 / opl 4 0x80 / r1 0x388 = 6 / t 650us / r1 0x388 = 0xa6
		# A masked timer sets no flag; both.
		opl 4 0x80 / opl 4 0x63 / t 1s / r1 0x388 = 6 / opl 2 0 / opl 3 0 / opl 4 0 / opl 4 3 / t 20481us / r1 0x388 = 0xc6 / t 70ms / r1 0x388 = 0xe6
		reset / r1 0x388 = 6 / r1 0x389 = 0xff`)
}

// rig is a chip that somebody listens to.
type rig struct {
	clock *vclock.Manual
	o     *Chip
	out   []audio.Frame
}

func (r *rig) Play(p []audio.Frame) { r.out = append(r.out, p...) }

func newRig() *rig {
	r := &rig{clock: vclock.NewManual()}
	m := audio.NewMixer(audio.Config{Clock: r.clock, Rate: Rate})
	m.Attach(r)
	r.o = New(Config{Env: dev.Env{Clock: r.clock}, Audio: m})
	return r
}

func (r *rig) set(regs ...uint8) {
	for i := 0; i < len(regs); i += 2 {
		r.o.Write(0, regs[i])
		r.o.Write(1, regs[i+1])
	}
}

// note sets channel 0: a sine by the carrier alone.
func (r *rig) note(fnum, block int, more ...uint8) {
	r.set(0x01, 0x20, 0x20, 0x21, 0x40, 0x3f, 0x60, 0, 0x80, 0x0f, 0x23, 0x21, 0x43, 0, 0x63, 0xf0, 0x83, 0x0f, 0xc0, 0)
	r.set(more...)
	r.set(0xa0, uint8(fnum), 0xb0, uint8(0x20|block<<2|fnum>>8))
}

func (r *rig) run(d int64) []audio.Frame {
	r.out = nil
	r.clock.Advance(d)
	return r.out
}

// level is the amplitude of a frequency (Goertzel, with a Hann window).
func level(f []audio.Frame, hz float64) float64 {
	var re, im float64
	for i, x := range f {
		h := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(f)))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		re += h * float64(x.L) * c
		im += h * float64(x.L) * s
	}
	return 4 * math.Hypot(re, im) / float64(len(f))
}

// freq is the frequency by the zero crossings.
func freq(f []audio.Frame) float64 {
	first, last, n := -1, -1, -1
	for i := 1; i < len(f); i++ {
		if f[i-1].L < 0 && f[i].L >= 0 {
			if first < 0 {
				first = i
			}
			last = i
			n++
		}
	}
	return float64(n) / float64(last-first) * Rate
}

// Frequencies: F-NUMBER * 2^(block-20) * 49716 (application manual), times
// MULT.
func TestFrequency(t *testing.T) {
	for _, c := range []struct {
		fnum, block int
		mult        uint8
		want        float64
	}{
		{0x244, 4, 1, 440}, {0x244, 5, 1, 880}, {0x244, 1, 1, 55}, {0x244, 4, 0, 220}, {0x244, 4, 3, 1320}, {0x244, 4, 11, 4400}, {0x16b, 4, 1, 275.4},
	} {
		r := newRig()
		r.note(c.fnum, c.block, 0x23, 0x20|c.mult)
		f := r.run(vclock.Second)[5000:]
		if got := freq(f); math.Abs(got/c.want-1) > 0.003 {
			t.Errorf("F-NUMBER %#x, block %d, MULT %d: %.1f Hz, want %.1f", c.fnum, c.block, c.mult, got, c.want)
		}
	}
}

// A sine is one; its largest value is that of the tables.
func TestSine(t *testing.T) {
	r := newRig()
	r.note(0x244, 4)
	f := r.run(vclock.Second)[5000:45000]
	hz := 0x244 * 16.0 * Rate / (1 << 20)
	if a := level(f, hz); a < 4050 || a > 4100 {
		t.Errorf("the tone has %.0f, want 4084", a)
	}
	for k := 2; k < 10; k++ {
		if a := level(f, hz*float64(k)); a > 4 {
			t.Errorf("harmonic %d of a sine: %.1f", k, a)
		}
	}
}

// Waveforms: their harmonics are those of a half, a rectified and a pulsed
// sine (Fourier series).
func TestWaveforms(t *testing.T) {
	for wave, want := range [4][4]float64{
		{1, 0, 0, 0},
		{1. / 2, 2 / (3 * math.Pi), 0, 2 / (15 * math.Pi)},
		{0, 4 / (3 * math.Pi), 0, 4 / (15 * math.Pi)},
		// The first quarter of each half: a sine of 0..pi/2, then nothing.
		{0, 0.4745, 0, 0.175},
	} {
		r := newRig()
		r.note(0x244, 4, 0xe3, uint8(wave))
		f := r.run(vclock.Second)[5000:45000]
		hz := 0x244 * 16.0 * Rate / (1 << 20)
		for k, w := range want {
			if a := level(f, hz*float64(k+1)) / 4084; math.Abs(a-w) > 0.01 {
				t.Errorf("waveform %d: harmonic %d is %.3f, want %.3f", wave, k+1, a, w)
			}
		}
	}
	// Without bit 5 of register 1 there is only the sine.
	r := newRig()
	r.note(0x244, 4, 0xe3, 2, 0x01, 0)
	if a := level(r.run(vclock.Second)[5000:45000], 0x244*16.0*Rate/(1<<20)); a < 4000 {
		t.Errorf("the sine has %.0f", a)
	}
}

// Levels: 0.75 dB a step of TL; KSL by the manual's table (3 dB an octave).
func TestLevels(t *testing.T) {
	amp := func(fnum, block int, reg40 uint8) float64 {
		r := newRig()
		r.note(fnum, block, 0x43, reg40)
		return level(r.run(vclock.Second)[5000:45000], float64(fnum)*math.Exp2(float64(block)-20)*Rate)
	}
	full := amp(0x244, 4, 0)
	for tl := range 6 {
		n := uint8(tl * 8)
		db := 20 * math.Log10(amp(0x244, 4, n)/full)
		if want := -0.75 * float64(n); math.Abs(db-want) > 0.2 {
			t.Errorf("TL %d: %.2f dB, want %.2f", n, db, want)
		}
	}
	// F-NUMBER 240h in octave 6: the manual's table for 3 dB an octave has 15.75.
	for ksl, want := range map[uint8]float64{0x40: -15.75, 0x80: -15.75 / 2, 0xc0: -15.75 * 2} {
		db := 20 * math.Log10(amp(0x240, 6, ksl)/amp(0x240, 6, 0))
		if math.Abs(db-want) > 0.25 {
			t.Errorf("KSL %#x: %.2f dB, want %.2f", ksl, db, want)
		}
	}
}

// Envelopes: the datasheet's times. Rate 60 decays 96 dB in 2.4 ms, and
// twice as long for each 4 less; the attack of rate 4 takes 2.83 s.
func TestEnvelopeTimes(t *testing.T) {
	// A decay to nothing: when does it fall below -90 dB?
	decayTime := func(dr uint8) float64 {
		r := newRig()
		r.note(0x244, 0, 0x63, 0xf0|dr, 0x83, 0xff)
		for ms := 0; ms < 60_000; ms++ {
			r.run(1_000_000)
			r.o.sync()
			if r.o.ops[1].env > 480 { // 90 dB
				return float64(ms)
			}
		}
		return math.Inf(1)
	}
	// Datasheet, "EG rates" (0 to 96 dB): rate 4*DR, block 0.
	for dr, want := range map[uint8]float64{4: 4910, 6: 1227, 8: 307, 10: 76.7, 12: 19.2} {
		if got := decayTime(dr); got < want*0.85 || got > want*1.15 {
			t.Errorf("DR %d: %.0f ms to -90 dB, the datasheet has %.0f for 96 dB", dr, got, want)
		}
	}
	attackTime := func(ar uint8) float64 {
		r := newRig()
		r.note(0x244, 0, 0x63, ar<<4)
		for ms := 0; ms < 10_000; ms++ {
			r.run(1_000_000)
			r.o.sync()
			if r.o.ops[1].stage != attack {
				return float64(ms)
			}
		}
		return math.Inf(1)
	}
	for ar, want := range map[uint8]float64{1: 2826, 4: 353, 8: 22.1} {
		if got := attackTime(ar); got < want*0.8 || got > want*1.25 {
			t.Errorf("AR %d: %.0f ms, the datasheet has %.1f", ar, got, want)
		}
	}
	// A key that is released: RR; a percussive envelope ends by itself; a
	// chip that is silent makes no frames.
	r := newRig()
	r.note(0x244, 4, 0x83, 0x0a)
	r.run(100_000_000)
	r.set(0xb0, 4<<2|2)
	r.run(3 * vclock.Second)
	if r.o.sounds() || len(r.run(vclock.Second)) != 0 {
		t.Error("a released note sounds on")
	}
	r.note(0x244, 4, 0x23, 0x01, 0x83, 0x0a)
	r.run(3 * vclock.Second)
	if r.o.ops[1].env < silent {
		t.Error("a percussive note sounds on")
	}
}

// Tremolo: 3.7 Hz and 4.8 or 1 dB; vibrato: 6.1 Hz and 14 or 7 cents, of which
// three bits of F-NUMBER make 3 or 7 of 1023.
func TestOscillators(t *testing.T) {
	for bd, want := range map[uint8]float64{0x00: 1.0, 0x80: 4.8} {
		r := newRig()
		r.note(0x244, 4, 0x23, 0xa1, 0xbd, bd)
		f := r.run(vclock.Second)[1000:]
		hi, lo := 0, 1<<20
		for i := 0; i+512 < len(f); i += 256 {
			peak := 0
			for _, x := range f[i : i+512] {
				peak = max(peak, int(x.L))
			}
			hi, lo = max(hi, peak), min(lo, peak)
		}
		if db := 20 * math.Log10(float64(hi)/float64(lo)); math.Abs(db-want) > 0.35 {
			t.Errorf("tremolo %#x: %.2f dB, want %.1f", bd, db, want)
		}
	}
	for bd, want := range map[uint8]float64{0x00: 5.1, 0x40: 11.8} {
		r := newRig()
		r.note(0x3ff, 4, 0x23, 0x61, 0xbd, bd)
		f := r.run(vclock.Second)[2000:]
		hi, lo := 0.0, 1e9
		for i := 0; i+512 < len(f); i += 64 {
			hz := freq(f[i : i+512])
			hi, lo = max(hi, hz), min(lo, hz)
		}
		if cents := 1200 * math.Log2(hi/lo) / 2; math.Abs(cents-want) > 2.5 {
			t.Errorf("vibrato %#x: %.1f cents, want %.0f", bd, cents, want)
		}
	}
}

// Frequency modulation makes sidebands, feedback a saw's harmonics, and two
// operators that are added are both heard.
func TestAlgorithms(t *testing.T) {
	hz := 0x244 * 16.0 * Rate / (1 << 20)
	hear := func(more ...uint8) [4]float64 {
		r := newRig()
		r.note(0x244, 4, more...)
		f := r.run(vclock.Second)[5000:45000]
		return [4]float64{level(f, hz), level(f, 2*hz), level(f, 3*hz), level(f, 4*hz)}
	}
	// Modulation by an index b: the components are Bessel functions. TL 21h is
	// -24.75 dB: 4084*0.0579/1024*2pi = 1.45.
	b := 4084 * math.Pow(10, -24.75/20) / 1024 * 2 * math.Pi
	h := hear(0x60, 0xf0, 0x20, 0x22, 0x40, 0x21) // modulator at twice the frequency
	for k, want := range map[int]float64{0: math.Abs(math.J0(b) - math.J1(b)), 2: math.Abs(math.J1(b) - math.Jn(2, b))} {
		// cos/sin phases: lower sidebands fold onto the same lines.
		alt := math.Abs(math.J0(b) + math.J1(b))
		if k == 2 {
			alt = math.Abs(math.J1(b) + math.Jn(2, b))
		}
		if got := h[k] / 4084; math.Abs(got-want) > 0.03 && math.Abs(got-alt) > 0.03 {
			t.Errorf("FM: harmonic %d is %.3f, want %.3f or %.3f", k+1, got, want, alt)
		}
	}
	if h := hear(0x60, 0xf0, 0x20, 0x22, 0x40, 0, 0xc0, 1); h[0] < 4000 || h[1] < 4000 {
		t.Errorf("two operators added: %.0f", h)
	}
	if h := hear(0x60, 0xf0, 0x40, 0, 0x43, 0x3f, 0xc0, 1|6<<1); h[1] < 300 || h[2] < 100 || h[0] < 1500 {
		t.Errorf("feedback: %.0f", h)
	}
}

// Percussion: each of the five is heard alone.
func TestRhythm(t *testing.T) {
	for key, name := range map[uint8]string{0x10: "bass drum", 0x08: "snare drum", 0x04: "tom-tom", 0x02: "cymbal", 0x01: "hi-hat"} {
		r := newRig()
		for _, s := range slots[12:] {
			r.set(0x20+s, 0x01, 0x40+s, 0, 0x60+s, 0xf5, 0x80+s, 0xfa)
		}
		for ch := uint8(6); ch < 9; ch++ {
			r.set(0xa0+ch, 0x44, 0xb0+ch, 2<<2|2)
		}
		r.set(0xbd, 0x20|key)
		f := r.run(vclock.Second / 10)
		peak := 0
		for _, x := range f {
			peak = max(peak, int(x.L), -int(x.L))
		}
		if peak < 4000 || peak > 8200 {
			t.Errorf("%s: peak %d", name, peak)
		}
		r.set(0xbd, 0x20)
		r.run(2 * vclock.Second)
		if r.o.sounds() {
			t.Errorf("%s: it does not end", name)
		}
	}
}

func BenchmarkNineChannels(b *testing.B) {
	r := newRig()
	for ch := range uint8(9) {
		for _, s := range slots[2*ch : 2*ch+2] {
			r.set(0x20+s, 0xe1, 0x40+s, 0x10, 0x60+s, 0xf0, 0x80+s, 0x0f)
		}
		r.set(0xa0+ch, 0x44, 0xb0+ch, 0x32)
	}
	buf := make([]audio.Frame, 512)
	b.ReportAllocs()
	for b.Loop() {
		r.o.play(buf)
	}
}
