package audio

import (
	"math"
	"testing"

	"rhea/internal/vclock"
)

// collect is a sink that keeps all.
type collect struct{ f []Frame }

func (c *collect) Play(p []Frame) { c.f = append(c.f, p...) }

// level is the amplitude of a frequency in the left channel (Goertzel).
func level(f []Frame, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	var re, im float64
	for i, x := range f {
		// Hann, so that other frequencies do not leak.
		h := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(f)))
		re += h * float64(x.L) * math.Cos(w*float64(i))
		im += h * float64(x.L) * math.Sin(w*float64(i))
	}
	return 4 * math.Hypot(re, im) / float64(len(f))
}

// tone is a part that plays a sine as its clock says.
type tone struct {
	v     *Voice
	clock vclock.Clock
	hz    float64
	rate  int
	start int64
	n     int64
	buf   [512]Frame
}

func (s *tone) sync() {
	for due := Frames(s.clock.Now()-s.start, s.rate) - s.n; due > 0; {
		p := s.buf[:min(due, int64(len(s.buf)))]
		for i := range p {
			y := int16(10000 * math.Sin(2*math.Pi*s.hz*float64(s.n)/float64(s.rate)))
			p[i] = Frame{y, -y}
			s.n++
		}
		s.v.Play(p)
		due -= int64(len(p))
	}
}

func play(hz float64, rate, out int, seconds int64) []Frame {
	clock := vclock.NewManual()
	m := NewMixer(Config{Clock: clock, Rate: out})
	sink := &collect{}
	m.Attach(sink)
	s := &tone{clock: clock, hz: hz, rate: rate}
	s.v = m.Voice("tone", s.sync)
	s.v.SetRate(rate)
	clock.Advance(12345678)
	s.start = clock.Now()
	s.v.SetActive(true)
	clock.Advance(seconds * vclock.Second)
	s.sync()
	s.v.SetActive(false)
	clock.Advance(vclock.Second)
	return sink.f
}

// What is played at any rate comes out once, without gaps, at its frequency.
func TestRates(t *testing.T) {
	for _, rate := range []int{4000, 8000, 11025, 22050, 22222, 44100, 48000, 96000} {
		for _, out := range []int{44100, 48000, 11025} {
			hz := 440.0
			f := play(hz, rate, out, 2)
			// 2 s, the silence at the start, the rest of the filter.
			if n := len(f); n < 2*out || n > 2*out+out/10 {
				t.Errorf("%d -> %d: %d frames, want %d", rate, out, n, 2*out)
				continue
			}
			mid := f[out/4 : out/4+out]
			if l := level(mid, out, hz); l < 9800 || l > 10200 {
				t.Errorf("%d -> %d: the tone has %.0f, want 10000", rate, out, l)
			}
			// All the rest: what is left when the tone is taken out.
			noise := residue(mid, out, hz)
			if noise > 40 {
				t.Errorf("%d -> %d: noise of %.1f beside a tone of 10000", rate, out, noise)
			}
			for i, x := range mid {
				if d := int(x.L) + int(x.R); d < -1 || d > 1 {
					t.Fatalf("%d -> %d: frame %d is %v: the sides are not opposite", rate, out, i, x)
				}
			}
		}
	}
}

// residue is the effective value of what is not the tone.
func residue(f []Frame, rate int, hz float64) float64 {
	w := 2 * math.Pi * hz / float64(rate)
	var re, im, sum float64
	for i, x := range f { // a whole number of periods
		re += float64(x.L) * math.Cos(w*float64(i))
		im += float64(x.L) * math.Sin(w*float64(i))
	}
	n := float64(len(f))
	re, im = 2*re/n, 2*im/n
	for i, x := range f {
		d := float64(x.L) - re*math.Cos(w*float64(i)) - im*math.Sin(w*float64(i))
		sum += d * d
	}
	return math.Sqrt(sum / n)
}

// Equal rates pass unchanged.
func TestSame(t *testing.T) {
	f := play(1000, 44100, 44100, 1)
	i := 0
	for f[i] == (Frame{}) {
		i++
	}
	i-- // the sine's first is 0
	for n := range 44100 {
		y := int16(10000 * math.Sin(2*math.Pi*1000*float64(n)/44100))
		if f[i+n] != (Frame{y, -y}) {
			t.Fatalf("frame %d is %v, want %d", n, f[i+n], y)
		}
	}
}

// Voices are added, and the sum is limited.
func TestSum(t *testing.T) {
	clock := vclock.NewManual()
	m := NewMixer(Config{Clock: clock, Rate: 48000})
	sink := &collect{}
	detach := m.Attach(sink)
	a, b := m.Voice("a", func() {}), m.Voice("b", func() {})
	b.SetGain(1, 0.5)
	for _, v := range []*Voice{a, b} {
		v.SetActive(true)
		v.Play([]Frame{{20000, -20000}, {100, 200}})
	}
	clock.Advance(20_000_000)
	at := 48000/500 + 1
	if got := sink.f[at : at+2]; got[0] != (Frame{32767, -30000}) || got[1] != (Frame{200, 300}) {
		t.Errorf("%v", got)
	}
	detach()
	n := len(sink.f)
	clock.Advance(20_000_000)
	if len(sink.f) != n {
		t.Error("a sink that was taken away is played to")
	}
}

// A mixer whose voices are silent stands still; one whose host was away does
// not make up for it; a voice that plays far too much is cut short.
func TestBounds(t *testing.T) {
	now := int64(0)
	q := vclock.NewQueue(func() int64 { return now }, nil)
	m := NewMixer(Config{Clock: q, Rate: 48000})
	sink := &collect{}
	m.Attach(sink)
	v := m.Voice("v", func() {})
	v.SetActive(true)
	now += 3600 * vclock.Second
	q.Run()
	if len(sink.f) != 24000 {
		t.Errorf("%d frames after an hour, want half a second", len(sink.f))
	}
	for range 100 {
		v.Play(make([]Frame, 48000))
	}
	v.SetActive(false)
	for range 500 {
		now += 10_000_000
		q.Run()
	}
	if n := len(sink.f); n > 24000+48000+1000 {
		t.Errorf("%d frames were kept", n)
	}
	if _, any := q.Next(); any {
		t.Error("a silent mixer has a timer")
	}
}

func TestNoAllocations(t *testing.T) {
	clock := vclock.NewManual()
	m := NewMixer(Config{Clock: clock, Rate: 44100})
	s := &tone{clock: clock, hz: 440, rate: 22050}
	s.v = m.Voice("tone", s.sync)
	s.v.SetRate(22050)
	q := NewQueue(44100)
	m.Attach(q)
	var out [4096]Frame
	s.v.SetActive(true)
	clock.Advance(vclock.Second)
	if n := testing.AllocsPerRun(100, func() {
		clock.Advance(10_000_000)
		q.Take(out[:])
	}); n != 0 {
		t.Errorf("%v allocations a period", n)
	}
}

func TestTime(t *testing.T) {
	for _, rate := range []int{4000, 11025, 44100} {
		for n := int64(1); n < 100000; n += 997 {
			if at := Time(n, rate); Frames(at, rate) != n || Frames(at-1, rate) != n-1 {
				t.Fatalf("frame %d at %d Hz: %d ns have %d frames", n, rate, at, Frames(at, rate))
			}
		}
	}
}

func TestQueue(t *testing.T) {
	q := NewQueue(10)
	q.Play(make([]Frame, 7))
	var b [8]Frame
	if n := q.Take(b[:]); n != 7 {
		t.Errorf("took %d", n)
	}
	q.Play([]Frame{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 6}, {7, 7}, {8, 8}, {9, 9}, {10, 10}, {11, 11}})
	if q.Dropped() != 1 {
		t.Errorf("%d dropped", q.Dropped())
	}
	q.Skip(1)
	for want := int16(2); want <= 10; want++ {
		if n := q.Wait(b[:1]); n != 1 || b[0].L != want {
			t.Fatalf("%d %v, want %d", n, b[0], want)
		}
	}
	q.Close()
	if q.Wait(b[:]) != 0 {
		t.Error("a closed queue has frames")
	}
}

func BenchmarkResample(b *testing.B) {
	clock := vclock.NewManual()
	m := NewMixer(Config{Clock: clock, Rate: 44100})
	v := m.Voice("v", func() {})
	v.SetRate(22050)
	v.SetActive(true)
	p := make([]Frame, 221)
	var sum [442][2]int32
	b.ReportAllocs()
	for b.Loop() {
		v.Play(p)
		v.add(sum[:])
	}
}

// patient is a sink that need not be given frames often.
type patient struct{ times int }

func (p *patient) Play([]Frame)  { p.times++ }
func (p *patient) Period() int64 { return IdlePeriod }

// impatient is one that has not said so.
type impatient struct{ times int }

func (p *impatient) Play([]Frame) { p.times++ }

// TestPatience: files get frames ten times a second, who listens a hundred times, also if
// he comes later.
func TestPatience(t *testing.T) {
	clock := vclock.NewManual()
	m := NewMixer(Config{Clock: clock, Rate: 8000})
	file, ear := &patient{}, &impatient{}
	m.Attach(file)
	m.Voice("a", func() {}).SetActive(true)
	clock.Advance(vclock.Second)
	if file.times != 10 {
		t.Errorf("a file was given frames %d times in a second", file.times)
	}
	clock.Advance(IdlePeriod / 4)
	detach := m.Attach(ear)
	file.times = 0
	clock.Advance(vclock.Second)
	if file.times != 100 || ear.times != 100 {
		t.Errorf("with a listener a file was given frames %d times in a second, he %d times", file.times, ear.times)
	}
	detach()
	clock.Advance(period)
	file.times = 0
	clock.Advance(vclock.Second)
	if file.times != 10 {
		t.Errorf("afterwards a file was given frames %d times in a second", file.times)
	}
}
