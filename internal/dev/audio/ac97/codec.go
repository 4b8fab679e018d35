package ac97

import (
	"fmt"
	"math"
)

// Registers of the codec (AC '97 2.1, table 18).
const (
	cdReset   = 0x00
	cdMaster  = 0x02
	cdPCM     = 0x18
	cdPower   = 0x26
	cdExtID   = 0x28
	cdExtCtl  = 0x2a
	cdRateOut = 0x2c
	cdRateIn  = 0x32
	cdRateMic = 0x34
	cdVendor1 = 0x7c
	cdVendor2 = 0x7e

	mute     = 1 << 15
	vra, vrm = 1 << 0, 1 << 3
)

// codecReg is a register: what it is after a reset and which bits can be
// written. Levels have five bits.
type codecReg struct{ reset, mask uint16 }

var codecRegs = map[int]codecReg{
	cdReset:   {0x6a90, 0}, // a SigmaTel STAC9700's
	cdMaster:  {0x8000, 0x9f1f},
	0x04:      {0x8000, 0x9f1f}, // headphones
	0x06:      {0x8000, 0x801f}, // mono
	0x0a:      {0x0000, 0x801e}, // PC beep
	0x0c:      {0x8008, 0x801f}, // phone
	0x0e:      {0x8008, 0x805f}, // microphone
	0x10:      {0x8808, 0x9f1f}, // line in
	0x12:      {0x8808, 0x9f1f}, // CD
	0x14:      {0x8808, 0x9f1f}, // video
	0x16:      {0x8808, 0x9f1f}, // aux
	cdPCM:     {0x8808, 0x9f1f},
	0x1a:      {0x0000, 0x0707}, // record select
	0x1c:      {0x8000, 0x8f0f}, // record gain
	0x1e:      {0x8000, 0x800f}, // microphone's record gain
	0x20:      {0x0000, 0xa380}, // general purpose
	cdPower:   {0x000f, 0xff00},
	cdExtID:   {vra | vrm, 0},
	cdExtCtl:  {0x0000, vra | vrm},
	cdRateOut: {48000, 0xffff},
	cdRateIn:  {48000, 0xffff},
	cdRateMic: {48000, 0xffff},
	cdVendor1: {0x8384, 0},
	cdVendor2: {0x7600, 0},
}

// codecNames are the registers' names in a snapshot.
var codecNames = func() (n [64]string) {
	for i := range n {
		n[i] = fmt.Sprintf("codec_%02x", 2*i)
	}
	return n
}()

func (a *Card) resetCodec() {
	a.codec = [64]uint16{}
	for at, r := range codecRegs {
		a.codec[at/2] = r.reset
	}
	a.setRates()
}

func (a *Card) readCodec(off uint64, size int) uint64 {
	a.cas = false
	if off >= 0x80 { // no secondary codec
		return 1<<(8*size) - 1
	}
	return uint64(a.codec[off/2]) >> (8 * (off & 1)) & (1<<(8*size) - 1)
}

// writeCodec takes words: the codec has no other registers.
func (a *Card) writeCodec(off uint64, size int, v uint64) {
	a.cas = false
	if off >= 0x80 || off&1 != 0 || size != 2 {
		a.c.Env.Log.Guest("ac97: write of %d bytes to codec register %#x", size, off)
		return
	}
	a.bring()
	var was [nMasters]int
	for i := range was {
		was[i] = a.rate(i)
	}
	a.setCodec(int(off), uint16(v))
	now := a.now()
	for i := range a.m {
		if m := &a.m[i]; m.runs() && a.rate(i) != was[i] {
			m.epoch, m.done = now, 0
		}
	}
	a.setRates()
	a.Settle()
}

func (a *Card) setCodec(at int, w uint16) {
	r := codecRegs[at]
	switch at {
	case cdReset:
		a.resetCodec()
		return
	case cdRateOut, cdRateIn, cdRateMic:
		enable := uint16(vra)
		if at == cdRateMic {
			enable = vrm
		}
		if a.codec[cdExtCtl/2]&enable == 0 {
			return // "writes have no effect": the rate is 48000
		}
		w = min(max(w, minRate), 48000)
	}
	a.codec[at/2] = a.codec[at/2]&^r.mask | w&r.mask
	if at == cdExtCtl {
		if w&vra == 0 {
			a.codec[cdRateOut/2], a.codec[cdRateIn/2] = 48000, 48000
		}
		if w&vrm == 0 {
			a.codec[cdRateMic/2] = 48000
		}
	}
}

const minRate = 4000

// rate is the frames a second of a bus master.
func (a *Card) rate(i int) int {
	r := a.codec[[nMasters]int{pcmIn: cdRateIn, pcmOut: cdRateOut, micIn: cdRateMic}[i]/2]
	return min(max(int(r), minRate), 48000)
}

// setRates has the voice follow the codec.
func (a *Card) setRates() {
	a.voice.SetRate(a.rate(pcmOut))
	pcm, master := a.codec[cdPCM/2], a.codec[cdMaster/2]
	side := func(shift uint) float64 {
		if pcm&mute != 0 || master&mute != 0 {
			return 0
		}
		// 1.5 dB a step; PCM's step 8 is 0 dB, and what is above as loud.
		db := -1.5 * (float64(master>>shift&0x1f) + float64(max(int(pcm>>shift&0x1f)-8, 0)))
		return math.Pow(10, db/20)
	}
	a.voice.SetGain(side(8), side(0))
}
