// Package pcspk is the PC's speaker: counter 2 of the timer through a gate,
// bit 1 of port 61h (PIIX3, 290550-002, "NMI Status and Control"). What is
// played is the mean of the wire's level over each frame, so that programs
// that play samples by the width of pulses, or by the bit alone, are heard.
package pcspk

import (
	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/snap"
)

// Config connects the speaker.
type Config struct {
	Env   dev.Env
	Audio *audio.Mixer // nil = nobody listens
	// Hz is the frequency of the timer's clock, Now the number of its current
	// one, up to which Level knows OUT2 (it may call Changes).
	Hz  int
	Now func() int64
	// Level is OUT2 at a clock number, and the number up to which it stays.
	Level func(at int64) (level bool, until int64)
}

// rate is the frames a second.
const rate = 44100

// quiet is after how many frames of the same level the speaker is silent.
const quiet = rate / 10

// loud is the amplitude of a full swing.
const loud = 16000

// Speaker is the gate and what is behind it. Nothing of it but the gate can be
// seen by a guest.
type Speaker struct {
	c     Config
	voice *audio.Voice
	gate  bool

	active bool
	at     int64   // the clock number up to which the level is known
	phase  int64   // clocks times rate since the last frame's end
	high   int64   // of these, how many were high
	level  bool    // of the wire
	same   int     // frames since it has changed
	mean   float64 // of a long time: the speaker plays changes only
	buf    [512]audio.Frame
	n      int
}

// New returns a speaker.
func New(c Config) *Speaker {
	p := &Speaker{c: c}
	p.voice = c.Audio.Voice("pcspk", p.sync)
	p.voice.SetRate(rate)
	return p
}

// Reset implements dev.Device.
func (p *Speaker) Reset() {
	p.gate = false
	p.stop()
}

// Settle implements dev.Settler.
func (p *Speaker) Settle() {}

// State implements dev.Device.
func (p *Speaker) State(s *snap.Section) {
	s.Version(1)
	s.Bool("gate", &p.gate)
	if s.Loading() {
		p.stop()
	}
}

// Gate is the input from port 61h.
func (p *Speaker) Gate(level bool) {
	if p.gate == level {
		return
	}
	p.sync()
	p.gate = level
	if p.voice != nil && level {
		p.wake(p.c.Now())
	}
}

// Changes is told when OUT2 goes on differently at a clock number.
func (p *Speaker) Changes(to int64) {
	p.play(to)
	p.wake(to)
}

// wake begins to play.
func (p *Speaker) wake(at int64) {
	if p.voice == nil || p.active || !p.gate {
		return
	}
	p.active, p.same, p.at = true, 0, at
	p.voice.SetActive(true)
}

func (p *Speaker) stop() {
	p.active = false
	p.phase, p.high, p.mean, p.n = 0, 0, 0, 0
	p.voice.SetActive(false)
}

// sync plays up to now.
func (p *Speaker) sync() {
	if !p.active {
		return
	}
	p.play(p.c.Now())
	if p.same > quiet {
		p.stop()
	}
}

// play follows the wire to a clock number.
func (p *Speaker) play(to int64) {
	if !p.active {
		return
	}
	if lag := to - p.at - int64(p.c.Hz); lag > 0 {
		p.at += lag // the host was late
	}
	for p.at < to {
		out, until := p.c.Level(p.at)
		until = min(until, to)
		level := out && p.gate
		if level != p.level {
			p.level, p.same = level, 0
		}
		p.wire((until-p.at)*rate, level)
		p.at = until
	}
	p.voice.Play(p.buf[:p.n])
	p.n = 0
}

// wire has the wire at a level for a time, in clocks times rate: a frame takes
// Hz of them.
func (p *Speaker) wire(d int64, level bool) {
	hz := int64(p.c.Hz)
	for d > 0 {
		k := min(d, hz-p.phase)
		p.phase += k
		d -= k
		if level {
			p.high += k
		}
		if p.phase < hz {
			return
		}
		p.frame(float64(p.high) / float64(hz))
		p.phase, p.high = 0, 0
	}
}

// frame plays one. The mean of the last few hundredths of a second is no
// sound.
func (p *Speaker) frame(x float64) {
	p.mean += (x - p.mean) / 2000
	v := int16((x - p.mean) * loud)
	p.same++
	if p.n == len(p.buf) {
		p.voice.Play(p.buf[:])
		p.n = 0
	}
	p.buf[p.n] = audio.Frame{L: v, R: v}
	p.n++
}
