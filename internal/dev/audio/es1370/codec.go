package es1370

import "math"

// Registers of the AK4531.
const (
	akMaster = 0x00 // left, right
	akVoice  = 0x02 // DAC2
	akFM     = 0x04 // DAC1
	akMono   = 0x0f
	akOut1   = 0x10 // what goes to the output
	akOut2   = 0x11
	akReset  = 0x16
	akClock  = 0x17
	akMic    = 0x19
	codecN   = 0x1a

	akMute = 1 << 7
)

func (a *Card) resetCodec() {
	a.codec = [codecN]uint8{akReset: 3}
	for i := range akMono {
		a.codec[i] = akMute | 6 // 0 dB
	}
	a.codec[akMaster], a.codec[akMaster+1], a.codec[akMono] = akMute, akMute, akMute
	a.setGains()
}

// setCodec is a write to the mixer, which cannot be read.
func (a *Card) setCodec(reg, v uint8) {
	switch {
	case reg >= codecN:
		a.c.Env.Log.Guest("es1370: write of %#x to mixer register %#x", v, reg)
	case reg == akReset && v&1 == 0:
		a.resetCodec()
		a.codec[akReset] = v
	default:
		a.codec[reg] = v
		a.setGains()
	}
}

// setGains has the voices as loud as the mixer says: an input goes from 12 dB
// down by 2 dB a step, the master from 0 dB. What is louder than 0 dB in all
// is 0 dB here.
func (a *Card) setGains() {
	up := a.codec[akReset]&3 == 3 // neither reset nor powered down
	gain := func(side, input int, on bool) float64 {
		m, in := a.codec[akMaster+side], a.codec[input+side]
		if !up || !on || (m|in)&akMute != 0 {
			return 0
		}
		return math.Pow(10, float64(12-2*int(in&31)-2*int(m&31))/20)
	}
	out1, out2 := a.codec[akOut1], a.codec[akOut2]
	a.voices[dac1].SetGain(gain(0, akFM, out1&(1<<6) != 0), gain(1, akFM, out1&(1<<5) != 0))
	a.voices[dac2].SetGain(gain(0, akVoice, out2&(1<<3) != 0), gain(1, akVoice, out2&(1<<2) != 0))
}
