package opl2

import (
	"math"

	"rhea/internal/audio"
	"rhea/internal/snap"
)

// The chip's two tables: of a quarter of a sine -256*log2, and 1024*(2^x - 1).
var (
	logSine = func() (t [256]uint16) {
		for i := range t {
			t[i] = uint16(math.Round(-256 * math.Log2(math.Sin((float64(i)+0.5)*math.Pi/512))))
		}
		return t
	}()
	exponent = func() (t [256]uint16) {
		for i := range t {
			t[i] = uint16(math.Round(1024 * (math.Exp2(float64(i)/256) - 1)))
		}
		return t
	}()
)

// multiples are twice the frequency factors of MULT.
var multiples = [16]uint32{1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 20, 24, 24, 30, 30}

// keyLevels is the attenuation of KSL by the four highest bits of F-NUMBER, in
// octave 8, in units of 4 steps.
var keyLevels = [16]int{0, 32, 40, 45, 48, 51, 53, 55, 56, 58, 59, 60, 61, 62, 63, 64}

// keyShifts are what KSL's values make of it: nothing, 3, 1.5, 6 dB an octave.
var keyShifts = [4]uint{8, 1, 2, 0}

// slots are the operators' offsets in the register map, by channel: modulator,
// carrier.
var slots = [2 * nChannels]uint8{0x00, 0x03, 0x01, 0x04, 0x02, 0x05, 0x08, 0x0b, 0x09, 0x0c, 0x0a, 0x0d, 0x10, 0x13, 0x11, 0x14, 0x12, 0x15}

// stage is where an envelope is.
type stage uint8

const (
	attack stage = iota
	decay
	sustain
	release
)

// silent is the most attenuation, in steps of 0.1875 dB.
const silent = 511

// What may hold an operator's key.
const (
	keyNote   = 1 << 0
	keyRhythm = 1 << 1
)

// operator is one of 18.
type operator struct {
	phase uint32 // 10 bits of a period and 9 below
	env   int32
	stage stage
	keys  uint8
	out   [2]int32 // the last two, for the feedback
}

// key presses or releases an operator's key.
func (o *Chip) key(n int, by uint8, on bool) {
	p := &o.ops[n]
	was := p.keys != 0
	if on {
		p.keys |= by
	} else {
		p.keys &^= by
	}
	switch {
	case !was && p.keys != 0:
		p.phase = 0
		p.stage = attack
		if ar := o.regs[0x60+slots[n]] >> 4; o.rate(n, ar) >= 60 {
			p.env, p.stage = 0, decay
		}
		o.wake()
	case was && p.keys == 0:
		p.stage = release
	}
}

// Rhythm's operators: of the bass drum channel 6's two; of the others one each.
const (
	opBass  = 12
	opHat   = 14
	opSnare = 15
	opTom   = 16
	opTop   = 17
)

// rhythmKeys are the keys' bits, from opBass on.
var rhythmKeys = [6]uint8{0x10, 0x10, 0x01, 0x08, 0x04, 0x02}

// writeRhythm presses and releases what register BDh says.
func (o *Chip) writeRhythm(v uint8) {
	on := v&0x20 != 0
	for n, bit := range rhythmKeys {
		o.key(opBass+n, keyRhythm, on && v&bit != 0)
	}
}

// number returns a channel's F-NUMBER and block.
func (o *Chip) number(ch int) (fnum, block uint32) {
	hi := uint32(o.regs[0xb0+ch])
	return uint32(o.regs[0xa0+ch]) | hi&3<<8, hi >> 2 & 7
}

// rate is a four-bit rate with the key scaling: 0 to 63.
func (o *Chip) rate(n int, r uint8) int {
	if r == 0 {
		return 0
	}
	fnum, block := o.number(n / 2)
	split := fnum >> 9
	if o.regs[regSplit]&0x40 != 0 {
		split = fnum >> 8 & 1
	}
	scale := int(block<<1 | split)
	if o.regs[0x20+slots[n]]&0x10 == 0 {
		scale >>= 2
	}
	return min(4*int(r)+scale, 63)
}

// steps are the increments of eight counts in a row, for the four fractions of
// a rate: slow rates wait between the counts, fast ones add more.
var (
	steps = [4][8]int32{
		{0, 1, 0, 1, 0, 1, 0, 1},
		{0, 1, 0, 1, 1, 1, 0, 1},
		{0, 1, 1, 1, 0, 1, 1, 1},
		{0, 1, 1, 1, 1, 1, 1, 1},
	}
	fastSteps = [4][8]int32{
		{1, 1, 1, 1, 1, 1, 1, 1},
		{1, 1, 1, 2, 1, 1, 1, 2},
		{1, 2, 1, 2, 1, 2, 1, 2},
		{1, 2, 2, 2, 1, 2, 2, 2},
	}
)

// increment is by how much an envelope of a rate moves in this frame.
func (o *Chip) increment(rate int) int32 {
	hi, lo := rate>>2, rate&3
	switch {
	case rate < 4:
		return 0
	case hi < 13:
		shift := uint(12 - hi)
		if o.count&(1<<shift-1) != 0 {
			return 0
		}
		return steps[lo][o.count>>shift&7]
	case hi == 15:
		return 4
	}
	return fastSteps[lo][o.count&7] << (hi - 13)
}

// envelope moves an operator's envelope by a frame.
func (o *Chip) envelope(n int) {
	p, slot := &o.ops[n], slots[n]
	switch p.stage {
	case attack:
		p.env += ^p.env * o.increment(o.rate(n, o.regs[0x60+slot]>>4)) >> 3
		if p.env <= 0 {
			p.env, p.stage = 0, decay
		}
	case decay:
		level := int32(o.regs[0x80+slot] >> 4)
		if level == 15 {
			level = 31
		}
		if p.env >= level<<4 {
			p.stage = sustain
			return
		}
		p.env += o.increment(o.rate(n, o.regs[0x60+slot]&15))
	case sustain:
		if o.regs[0x20+slot]&0x20 != 0 {
			return // it stays while the key is down
		}
		p.env += o.increment(o.rate(n, o.regs[0x80+slot]&15))
	case release:
		p.env += o.increment(o.rate(n, o.regs[0x80+slot]&15))
	}
	p.env = min(p.env, silent)
}

// lfo are the low-frequency oscillators' values of a frame.
type lfo struct {
	tremolo int32
	vibrato uint32 // 0 to 7: where it is in its period
}

func (o *Chip) oscillators() lfo {
	// A triangle of 210 steps of 64 frames (3.7 Hz): 1 or 4.8 dB.
	t := int32(o.count >> 6 % 210)
	if t >= 105 {
		t = 209 - t
	}
	if o.regs[regRhythm]&0x80 != 0 {
		t >>= 2
	} else {
		t >>= 4
	}
	return lfo{t, o.count >> 10 & 7} // 6.1 Hz
}

// advance moves an operator's phase by a frame.
func (o *Chip) advance(n int, l lfo) {
	fnum, block := o.number(n / 2)
	flags := o.regs[0x20+slots[n]]
	if flags&0x40 != 0 {
		// By the three highest bits of F-NUMBER: 7 or 14 cents.
		d := fnum >> 7
		if l.vibrato&3 == 0 {
			d = 0
		} else if l.vibrato&1 != 0 {
			d >>= 1
		}
		if o.regs[regRhythm]&0x40 == 0 {
			d >>= 1
		}
		if l.vibrato&4 != 0 {
			fnum -= d
		} else {
			fnum += d
		}
	}
	o.ops[n].phase += fnum << block >> 1 * multiples[flags&15] >> 1
}

// output is an operator's value at a phase of 10 bits.
func (o *Chip) output(n int, phase int32, l lfo) int32 {
	p, slot := &o.ops[n], slots[n]
	if p.env >= silent {
		return 0
	}
	level := o.regs[0x40+slot]
	a := p.env + int32(level&0x3f)<<2
	if ksl := level >> 6; ksl != 0 {
		fnum, block := o.number(n / 2)
		if k := keyLevels[fnum>>6]<<2 - (8-int(block))<<5; k > 0 {
			a += int32(k >> keyShifts[ksl])
		}
	}
	if o.regs[0x20+slot]&0x80 != 0 {
		a += l.tremolo
	}
	a = min(a, silent)
	wave := uint8(0)
	if o.regs[regTest]&0x20 != 0 {
		wave = o.regs[0xe0+slot] & 3
	}
	return waveform(wave, uint32(phase), a)
}

// waveform is a sample of one of four forms, attenuated.
func waveform(wave uint8, phase uint32, attenuation int32) int32 {
	i := phase & 0xff
	if phase&0x100 != 0 {
		i ^= 0xff
	}
	negative := phase&0x200 != 0
	switch {
	case wave == 1 && negative, wave == 3 && phase&0x100 != 0:
		return 0
	case wave >= 2:
		negative = false
	}
	l := min(uint32(logSine[i])+uint32(attenuation)<<3, 0x1fff)
	v := int32(exponent[l&0xff^0xff]|0x400) << 1 >> (l >> 8)
	if negative {
		return ^v
	}
	return v
}

// play makes frames.
func (o *Chip) play(out []audio.Frame) {
	for i := range out {
		l := o.oscillators()
		for n := range o.ops {
			if p := &o.ops[n]; p.env < silent || p.keys != 0 {
				o.envelope(n)
			}
		}
		rhythm := o.regs[regRhythm]&0x20 != 0
		melodic := nChannels
		sum := int32(0)
		if rhythm {
			melodic = 6
			sum = 2 * o.rhythm(l)
		}
		for ch := range melodic {
			sum += o.channel(ch, l)
		}
		for n := range o.ops {
			o.advance(n, l)
		}
		o.count++
		o.noise = o.noise>>1 | (o.noise^o.noise>>14)&1<<22
		v := int16(min(max(sum, math.MinInt16), math.MaxInt16))
		out[i] = audio.Frame{L: v, R: v}
	}
}

// modulator is the output of a channel's first operator, with its feedback.
func (o *Chip) modulator(ch int, l lfo) int32 {
	n := 2 * ch
	p := &o.ops[n]
	phase := int32(p.phase >> 9)
	if fb := o.regs[0xc0+ch] >> 1 & 7; fb != 0 {
		phase += (p.out[0] + p.out[1]) >> (9 - fb)
	}
	v := o.output(n, phase, l)
	p.out[0], p.out[1] = p.out[1], v
	return v
}

func (o *Chip) carrier(n int, mod int32, l lfo) int32 {
	return o.output(n, int32(o.ops[n].phase>>9)+mod, l)
}

// channel is the output of a channel of two operators.
func (o *Chip) channel(ch int, l lfo) int32 {
	m, c := &o.ops[2*ch], &o.ops[2*ch+1]
	add := o.regs[0xc0+ch]&1 != 0
	if c.env >= silent && (!add || m.env >= silent) {
		return 0
	}
	mod := o.modulator(ch, l)
	if add {
		return mod + o.carrier(2*ch+1, 0, l)
	}
	return o.carrier(2*ch+1, mod, l)
}

// rhythm is the sum of the five percussion instruments. Hi-hat, snare drum and
// cymbal have phases made of bits of two operators' and of the noise.
func (o *Chip) rhythm(l lfo) int32 {
	sum := int32(0)
	mod := o.modulator(6, l)
	if o.regs[0xc6]&1 != 0 {
		mod = 0 // the carrier alone
	}
	sum += o.carrier(opBass+1, mod, l)
	sum += o.carrier(opTom, 0, l)

	hat, top := o.ops[opHat].phase>>9, o.ops[opTop].phase>>9
	noise := o.noise & 1
	x := ((hat>>2 ^ hat>>7) | (hat>>3 ^ top>>5) | (top>>3 ^ top>>5)) & 1
	ph := x << 9
	if x^noise != 0 {
		ph |= 0xd0
	} else {
		ph |= 0x34
	}
	sum += o.output(opHat, int32(ph), l)
	h8 := hat >> 8 & 1
	sum += o.output(opSnare, int32(h8<<9|(h8^noise)<<8), l)
	sum += o.output(opTop, int32(x<<9|0x80), l)
	return sum
}

func (p *operator) state(s *snap.Section) {
	s.Version(1)
	s.U32("phase", &p.phase)
	env := int(p.env)
	s.Int("envelope", &env, 0, silent)
	p.env = int32(env)
	s.U8("stage", (*uint8)(&p.stage))
	s.U8("keys", &p.keys)
	s.Check(p.stage <= release && p.keys <= keyNote|keyRhythm, "stage is out of range")
	for i, name := range [2]string{"out0", "out1"} {
		v := int(p.out[i]) + 8192
		s.Int(name, &v, 0, 16384)
		p.out[i] = int32(v - 8192)
	}
}
