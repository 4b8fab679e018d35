package sb16

import (
	"math"

	"rhea/internal/snap"
)

// mixer is the CT1745 (chapter 4).
type mixer struct {
	at     uint8
	regs   [0x48]uint8 // 30h to 47h are used
	setup  [2]uint8    // 80h, 81h: a reset leaves them
	stereo bool        // 0Eh of older mixers
}

// mixerReg is a register: the bits that it has, and what it is after a reset.
type mixerReg struct{ mask, reset uint8 }

var mixerRegs = [0x48]mixerReg{
	0x30: {0xf8, 0xc0}, 0x31: {0xf8, 0xc0}, // master
	0x32: {0xf8, 0xc0}, 0x33: {0xf8, 0xc0}, // voice
	0x34: {0xf8, 0xc0}, 0x35: {0xf8, 0xc0}, // MIDI: the synthesizer
	0x36: {0xf8, 0}, 0x37: {0xf8, 0}, // CD
	0x38: {0xf8, 0}, 0x39: {0xf8, 0}, // line
	0x3a: {0xf8, 0},                        // microphone
	0x3b: {0xc0, 0},                        // PC speaker
	0x3c: {0x1f, 0x1f},                     // output switches
	0x3d: {0x7f, 0x15}, 0x3e: {0x7f, 0x0b}, // input switches
	0x3f: {0xc0, 0}, 0x40: {0xc0, 0}, 0x41: {0xc0, 0}, 0x42: {0xc0, 0}, // gains
	0x43: {0x01, 0},                                                                // automatic gain
	0x44: {0xf0, 0x80}, 0x45: {0xf0, 0x80}, 0x46: {0xf0, 0x80}, 0x47: {0xf0, 0x80}, // treble, bass
}

// pairs are the registers of the Sound Blaster Pro: the four highest bits of
// two of the CT1745's.
var pairs = map[uint8]uint8{0x04: 0x32, 0x22: 0x30, 0x26: 0x34, 0x28: 0x36, 0x2e: 0x38}

func (m *mixer) reset() {
	for i, r := range mixerRegs {
		m.regs[i] = r.reset
	}
	m.stereo = false
}

func (s *Card) readMixer() uint8 {
	m := &s.mixer
	if r, ok := pairs[m.at]; ok {
		return m.regs[r]&0xf0 | m.regs[r+1]>>4
	}
	switch at := m.at; {
	case at == 0x0a:
		return m.regs[0x3a] >> 5
	case at == 0x0e && s.c.Version < 0x0400:
		if m.stereo {
			return 0x13
		}
		return 0x11
	case at == 0x80 || at == 0x81:
		return m.setup[at&1]
	case at == 0x82:
		return s.irq | 2<<4 // the DSP is a 4.05
	case int(at) < len(mixerRegs) && mixerRegs[at].mask != 0:
		return m.regs[at]
	}
	return 0xff
}

func (s *Card) writeMixer(v uint8) {
	m := &s.mixer
	if r, ok := pairs[m.at]; ok {
		m.regs[r], m.regs[r+1] = v&0xf0|8, v<<4|8
	}
	switch at := m.at; {
	case at == 0:
		m.reset()
	case at == 0x0a:
		m.regs[0x3a] = v<<5 | 0x18
	case at == 0x0e:
		m.stereo = v&2 != 0
	case at == 0x80:
		m.setup[0] = v & 0xf
	case at == 0x81:
		m.setup[1] = v & 0xeb
	case int(at) < len(mixerRegs):
		m.regs[at] = v & mixerRegs[at].mask
	}
	s.setGains()
}

// gain is the factor of a level: 2 dB a step. What is above the level after
// a reset (24 of 31) is as loud as that, which is full scale: there is no
// headroom in a stream of samples.
func gain(reg uint8) float64 {
	v := int(reg >> 3)
	if v == 0 {
		return 0 // -62 dB: nothing
	}
	return math.Pow(10, float64(min(v-24, 0))*2/20)
}

// setGains gives the voices their volumes.
func (s *Card) setGains() {
	r := &s.mixer.regs
	level := func(n int) (l, rr float64) {
		return gain(r[n]) * gain(r[0x30]), gain(r[n+1]) * gain(r[0x31])
	}
	l, rr := level(0x32)
	// D1h and D3h have no effect since DSP 4.xx (chapter 6, D1h).
	if s.c.Version < 0x0400 && !s.dsp.speaker {
		l, rr = 0, 0
	}
	s.ch[0].voice.SetGain(l, rr)
	s.ch[1].voice.SetGain(l, rr)
	s.dac.voice.SetGain(l, rr)
	s.FM.SetGain(level(0x34))
}

func (m *mixer) state(s *snap.Section) {
	s.Version(1)
	s.U8("index", &m.at)
	s.Bytes("registers", m.regs[:])
	s.Bytes("setup", m.setup[:])
	s.Bool("stereo", &m.stereo)
}
