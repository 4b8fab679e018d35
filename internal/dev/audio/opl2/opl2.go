// Package opl2 models Yamaha's YM3812 (OPL2) FM synthesizer: the registers,
// timers and status of its datasheet and application manual, and the sound by
// the tables that have been read off the chip's die (M. Gambrell and O.
// Niemitalo, "OPLx decapsulated", 2008): a logarithmic quarter sine and an
// exponential of 256 entries each, with integer envelopes between them.
//
// The chip makes a frame every 72 clocks, 49716 a second. Frames are made when
// a register changes or the mixer wants them, up to the time of the machine's
// clock, and only while a note sounds.
package opl2

import (
	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Rate is the chip's frames a second: 3579545 Hz / 72.
const Rate = 49716

// Config wires a chip.
type Config struct {
	Env   dev.Env
	Audio *audio.Mixer // nil = nobody listens
	Name  string       // of the voice
}

// Registers (datasheet, "Register map").
const (
	regTest   = 0x01 // bit 5: waveforms can be selected
	regTimer1 = 0x02
	regTimer2 = 0x03
	regTimers = 0x04
	regSplit  = 0x08 // bit 6: where the keyboard splits (NTS)
	regRhythm = 0xbd
)

// Status.
const (
	statusIRQ = 1 << 7
	statusT1  = 1 << 6
	statusT2  = 1 << 5
	statusID  = 6 // bits of an OPL2 that are high
)

const nChannels = 9

// Chip is a YM3812.
type Chip struct {
	c     Config
	voice *audio.Voice

	at     uint8
	regs   [256]uint8
	timers [2]timer
	ops    [2 * nChannels]operator
	// Counters of the envelopes and low-frequency oscillators, in frames, and
	// the noise generator.
	count uint32
	noise uint32

	// Nothing that a guest could see: what is played.
	active bool
	epoch  int64
	done   int64
	buf    [512]audio.Frame
}

// timer counts up to 256, in steps of 80 or 320 us.
type timer struct {
	run  bool
	from int64 // when the count began
	flag bool
}

// New returns a chip.
func New(c Config) *Chip {
	o := &Chip{c: c}
	o.voice = c.Audio.Voice(c.Name, o.sync)
	o.voice.SetRate(Rate)
	o.Reset()
	return o
}

// SetGain gives the factors of both sides.
func (o *Chip) SetGain(l, r float64) { o.voice.SetGain(l, r) }

// Reset implements dev.Device.
func (o *Chip) Reset() {
	o.at, o.regs, o.timers = 0, [256]uint8{}, [2]timer{}
	o.count, o.noise = 0, 1
	for i := range o.ops {
		o.ops[i] = operator{env: silent, stage: release}
	}
	o.silence()
}

// Region returns the address and data ports, repeated over size bytes.
func (o *Chip) Region(size uint64) *mem.Region {
	return mem.NewIO("opl2", size, mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(o.Read(off)) },
		W: func(off uint64, _ int, v uint64) { o.Write(off, uint8(v)) },
	}).Sizes(1, 1)
}

// Read reads a port: even ones are the status.
func (o *Chip) Read(off uint64) uint8 {
	if off&1 != 0 {
		return 0xff
	}
	o.runTimers()
	v := uint8(statusID)
	for i, bit := range [2]uint8{statusT1, statusT2} {
		if o.timers[i].flag {
			v |= bit | statusIRQ
		}
	}
	return v
}

// Write writes a port: even ones are the register's number.
func (o *Chip) Write(off uint64, v uint8) {
	if off&1 == 0 {
		o.at = v
		return
	}
	o.sync()
	o.runTimers()
	if o.at == regTimers && v&0x80 != 0 {
		// The flags are cleared; the other bits have no effect.
		o.timers[0].flag, o.timers[1].flag = false, false
		return
	}
	o.regs[o.at] = v
	switch at := o.at; {
	case at == regTimers:
		o.writeTimers(v)
	case at >= 0xb0 && at < 0xb0+nChannels:
		ch := int(at - 0xb0)
		o.key(2*ch, keyNote, v&0x20 != 0)
		o.key(2*ch+1, keyNote, v&0x20 != 0)
	case at == regRhythm:
		o.writeRhythm(v)
	}
}

// tick is the length of a timer's step.
func tick(i int) int64 { return []int64{80_000, 320_000}[i] }

func (o *Chip) runTimers() {
	now := o.c.Env.Clock.Now()
	for i := range o.timers {
		t := &o.timers[i]
		if !t.run {
			continue
		}
		period := (256 - int64(o.regs[regTimer1+i])) * tick(i)
		if n := (now - t.from) / period; n > 0 {
			t.from += n * period
			if o.regs[regTimers]>>(6-i)&1 == 0 { // not masked
				t.flag = true
			}
		}
	}
}

func (o *Chip) writeTimers(v uint8) {
	now := o.c.Env.Clock.Now()
	for i := range o.timers {
		t := &o.timers[i]
		on := v>>i&1 != 0
		if on && !t.run {
			t.from = now
		}
		t.run = on
		if v>>(6-i)&1 != 0 {
			t.flag = false
		}
	}
}

// State implements dev.Device.
func (o *Chip) State(s *snap.Section) {
	s.Version(1)
	s.U8("index", &o.at)
	s.Bytes("registers", o.regs[:])
	for i, name := range [2]string{"timer1", "timer2"} {
		t := &o.timers[i]
		s.Bool(name+"_run", &t.run)
		s.I64(name+"_from", &t.from)
		s.Bool(name+"_flag", &t.flag)
		s.Check(t.from >= 0 && t.from <= 1<<60, name+" is out of range")
	}
	s.U32("count", &o.count)
	s.U32("noise", &o.noise)
	s.Check(o.noise != 0 && o.noise < 1<<23, "noise is out of range")
	for i := range o.ops {
		s.Sub(operatorNames[i], o.ops[i].state)
	}
	if s.Loading() {
		o.silence()
		o.wake()
	}
}

var operatorNames = [2 * nChannels]string{"op00", "op01", "op02", "op03", "op04", "op05", "op06", "op07", "op08",
	"op09", "op10", "op11", "op12", "op13", "op14", "op15", "op16", "op17"}

// wake begins to make frames if a note sounds.
func (o *Chip) wake() {
	if o.voice == nil || o.active || !o.sounds() {
		return
	}
	o.active, o.epoch, o.done = true, o.c.Env.Clock.Now(), 0
	o.voice.SetActive(true)
}

func (o *Chip) silence() {
	o.active = false
	o.voice.SetActive(false)
}

func (o *Chip) sounds() bool {
	for i := range o.ops {
		if o.ops[i].env < silent || o.ops[i].keys != 0 {
			return true
		}
	}
	return false
}

// maxLag is how much is made up for when the host was late.
const maxLag = vclock.Second / 2

// sync makes the frames up to now.
func (o *Chip) sync() {
	if !o.active {
		return
	}
	now := o.c.Env.Clock.Now()
	if lag := now - o.epoch - audio.Time(o.done, Rate); lag > maxLag {
		o.epoch += lag - maxLag
	}
	due := audio.Frames(now-o.epoch, Rate) - o.done
	o.done += due
	for due > 0 {
		p := o.buf[:min(due, int64(len(o.buf)))]
		o.play(p)
		o.voice.Play(p)
		due -= int64(len(p))
	}
	if o.done > 60*Rate {
		o.epoch, o.done = o.epoch+60*vclock.Second, o.done-60*Rate
	}
	if !o.sounds() {
		o.silence()
	}
}
