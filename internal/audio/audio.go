// Package audio is what sound cards and the host's sound have in common. A
// device has a Voice, to which it gives frames as they fall due by the
// machine's clock; a Mixer brings the voices of one -audiodev to one rate and
// hands the sum to sinks (a file, a sound server, a page).
//
// Mixer and voices are used under the machine's lock; they allocate nothing
// while they play and keep a bounded number of frames. Who waits for the host
// takes frames from a Queue on a goroutine of its own.
package audio

import (
	"math"

	"rhea/internal/vclock"
)

// Frame is one moment's samples.
type Frame struct{ L, R int16 }

// Sink takes what a mixer plays.
type Sink interface {
	// Play takes frames of the mixer's rate. It is called under the machine's
	// lock: it must not wait, and must not keep p.
	Play(p []Frame)
}

// Patient is a Sink that nobody hears at once: it says how seldom it may be given
// frames, in nanoseconds.
type Patient interface{ Period() int64 }

// Bounds of a mixer's rate.
const (
	MinRate = 4000
	MaxRate = 192000
)

// How often a mixer hands out frames: to somebody who listens, and if nobody does.
// Each time wakes the process.
const (
	period     = vclock.Second / 100
	IdlePeriod = vclock.Second / 10
)

// chunk is the most frames that a sink gets at once.
const chunk = 1024

// Config describes a mixer.
type Config struct {
	Clock vclock.Clock
	Rate  int // frames a second, MinRate to MaxRate
}

// Mixer adds the voices of an -audiodev. It runs, and its sinks get frames,
// while a voice is active or has frames left.
type Mixer struct {
	c      Config
	voices []*Voice
	sinks  []*attached
	timer  *vclock.Timer

	running bool
	start   int64 // of the clock
	done    int64 // frames handed out since then
	sum     [chunk][2]int32
	out     [chunk]Frame
}

type attached struct{ Sink }

// NewMixer returns a mixer without voices and sinks.
func NewMixer(c Config) *Mixer {
	if c.Rate < MinRate || c.Rate > MaxRate {
		panic("BUG: audio: rate")
	}
	m := &Mixer{c: c}
	m.timer = c.Clock.NewTimer(m.tick)
	return m
}

// Rate is the mixer's frames a second.
func (m *Mixer) Rate() int { return m.c.Rate }

// Attach adds a sink, until detach is called.
func (m *Mixer) Attach(s Sink) (detach func()) {
	a := &attached{s}
	m.Flush()
	m.sinks = append(m.sinks, a)
	if m.running {
		m.timer.Set(m.c.Clock.Now() + m.period())
	}
	return func() {
		m.Flush()
		for i := range m.sinks {
			if m.sinks[i] == a {
				m.sinks = append(m.sinks[:i:i], m.sinks[i+1:]...)
				return
			}
		}
	}
}

// period is that of the least patient sink.
func (m *Mixer) period() int64 {
	least := int64(IdlePeriod)
	for _, s := range m.sinks {
		if p, ok := s.Sink.(Patient); ok {
			least = min(least, p.Period())
		} else {
			least = min(least, period)
		}
	}
	return least
}

// Flush hands out all that has fallen due.
func (m *Mixer) Flush() {
	if m.running {
		m.tick()
	}
}

// wake starts the mixer.
func (m *Mixer) wake() {
	if m.running {
		return
	}
	m.running, m.start, m.done = true, m.c.Clock.Now(), 0
	m.timer.Set(m.start + m.period())
}

// tick hands out the frames up to now.
func (m *Mixer) tick() {
	for _, v := range m.voices {
		if v.active {
			v.sync()
		}
	}
	now := m.c.Clock.Now()
	due := Frames(now-m.start, m.c.Rate) - m.done
	if most := int64(m.c.Rate / 2); due > most {
		// The host was away for long: what has passed is not made up for.
		m.done += due - most
		due = most
	}
	m.done += due
	if now-m.start > 1000*vclock.Second {
		m.start += 1000 * vclock.Second
		m.done -= int64(m.c.Rate) * 1000
	}
	for due > 0 {
		n := int(min(due, chunk))
		m.mix(n)
		due -= int64(n)
	}
	for _, v := range m.voices {
		if v.active || v.n > 0 {
			m.timer.Set(now + m.period())
			return
		}
	}
	m.running = false
}

// mix hands out n frames.
func (m *Mixer) mix(n int) {
	sum := m.sum[:n]
	clear(sum)
	for _, v := range m.voices {
		v.add(sum)
	}
	out := m.out[:n]
	for i, s := range sum {
		out[i] = Frame{clip(s[0]), clip(s[1])}
	}
	for _, s := range m.sinks {
		s.Play(out)
	}
}

func clip(v int32) int16 { return int16(min(max(v, math.MinInt16), math.MaxInt16)) }

// Frames returns how many frames of a rate fall due in ns nanoseconds.
func Frames(ns int64, rate int) int64 {
	ns = max(ns, 0)
	s := ns / vclock.Second
	return s*int64(rate) + (ns-s*vclock.Second)*int64(rate)/vclock.Second
}

// Time returns the nanoseconds after which frame n (from 1) of a rate has
// fallen due.
func Time(n int64, rate int) int64 {
	r := int64(rate)
	s := n / r
	return s*vclock.Second + ((n-s*r)*vclock.Second+r-1)/r
}

// unity is a gain of 1.
const unity = 1 << 14

// Voice is one source of frames. The methods of a nil Voice do nothing: it is
// what devices without an -audiodev have.
type Voice struct {
	m      *Mixer
	name   string
	sync   func()
	active bool
	primed bool
	gain   [2]int32
	res    resampler

	// ring has n frames of the mixer's rate, from head on.
	ring    []Frame
	head, n int
}

// Voice adds a voice. The mixer calls sync, while the voice is active, to have
// all frames that are due by now. A nil mixer has no voices.
func (m *Mixer) Voice(name string, sync func()) *Voice {
	if m == nil {
		return nil
	}
	v := &Voice{m: m, name: name, sync: sync, gain: [2]int32{unity, unity}, ring: make([]Frame, m.c.Rate)}
	v.res.set(m.c.Rate, m.c.Rate)
	m.voices = append(m.voices, v)
	return v
}

// SetRate gives the frames a second of what is played from now on.
func (v *Voice) SetRate(hz int) {
	if v != nil {
		v.res.set(max(hz, 1), v.m.c.Rate)
	}
}

// SetGain gives the factors of both sides, 0 to 1.
func (v *Voice) SetGain(l, r float64) {
	if v != nil {
		g := func(x float64) int32 { return int32(min(max(x, 0), 1) * unity) }
		v.gain = [2]int32{g(l), g(r)}
	}
}

// SetActive says whether frames are coming.
func (v *Voice) SetActive(on bool) {
	if v == nil || v.active == on {
		return
	}
	v.active = on
	if on {
		v.m.wake()
	} else {
		// The rest of what the filter holds back.
		v.res.drain(v)
		v.primed = false
	}
}

// Play takes the next frames. What there is no room for (half a second and
// more too early) is dropped.
func (v *Voice) Play(p []Frame) {
	if v == nil || len(p) == 0 {
		return
	}
	if !v.primed {
		// Frames come as they fall due, the filter keeps some back, and both
		// clocks round: start with some silence, or there are gaps.
		v.primed = true
		v.res.clear()
		for range v.m.c.Rate/500 + v.res.latency() {
			v.push(Frame{})
		}
	}
	v.res.play(v, p)
}

// push puts a frame of the mixer's rate into the ring.
func (v *Voice) push(f Frame) {
	if v.n == len(v.ring) {
		return
	}
	i := v.head + v.n
	if i >= len(v.ring) {
		i -= len(v.ring)
	}
	v.ring[i] = f
	v.n++
}

// add takes frames from the ring and adds them.
func (v *Voice) add(sum [][2]int32) {
	n := min(v.n, len(sum))
	if n < len(sum) {
		v.primed = false
	}
	gl, gr := v.gain[0], v.gain[1]
	for i := range sum[:n] {
		f := v.ring[v.head]
		sum[i][0] += int32(f.L) * gl / unity
		sum[i][1] += int32(f.R) * gr / unity
		if v.head++; v.head == len(v.ring) {
			v.head = 0
		}
	}
	v.n -= n
}
