package sb16

import (
	"math/bits"

	"rhea/internal/audio"
	"rhea/internal/snap"
)

// dsp is the DSP's command interpreter.
type dsp struct {
	reset   bool  // bit 0 of the reset port is high
	readyAt int64 // when AAh comes after a reset, 0 = it has come

	cmd    uint8 // the command whose parameters are awaited
	need   uint8 // how many are missing
	have   uint8
	params [3]uint8

	out  [64]uint8 // what is to be read, from at on
	at   uint8
	n    uint8
	last uint8

	rate     uint32 // of 41h, 0 = the time constant is used
	rateIn   uint32 // of 42h
	constant uint8
	block    uint16 // of 48h
	speaker  bool
	midi     bool // UART mode: bytes are MIDI data until a reset
	fast     bool // high-speed: nothing is understood until a reset
	test     uint8

	// DMA identification: the sum, its key, and whether the answer waits for
	// the DMA controller.
	sum, key uint8
	identify bool
}

// resetTime is from the end of a reset to its answer: "about 100 microseconds"
// (chapter 2, "Resetting the DSP"), which is also what programs wait at most.
const resetTime = 40_000

func (d *dsp) busy() bool { return d.reset || d.readyAt != 0 || d.fast }

func (d *dsp) put(v uint8) {
	if int(d.n) == len(d.out) {
		return
	}
	d.out[(d.at+d.n)%uint8(len(d.out))] = v
	d.n++
}

func (d *dsp) get() uint8 {
	if d.n > 0 {
		d.last = d.out[d.at]
		d.at = (d.at + 1) % uint8(len(d.out))
		d.n--
	}
	return d.last
}

func (s *Card) writeReset(v uint8) {
	d := &s.dsp
	switch {
	case v&1 != 0 && !d.reset: // some write 3
		fast := d.fast
		s.resetDSP()
		d.reset = true
		d.fast = fast // the reset that ends high-speed mode has no answer
	case v&1 == 0 && d.reset:
		d.reset = false
		if d.fast {
			d.fast = false
			return
		}
		d.readyAt = s.now() + resetTime
	}
}

// resetDSP is what a reset does. The time constant stays.
func (s *Card) resetDSP() {
	for i := range s.ch {
		s.ch[i].stop()
	}
	s.irq &^= irq8 | irq16
	s.dsp = dsp{constant: s.dsp.constant, test: s.dsp.test, key: 0x96, sum: 0xaa, last: s.dsp.last, block: 0xffff, readyAt: s.dsp.readyAt}
}

// command takes a byte that is written to the DSP.
func (s *Card) command(v uint8) {
	d := &s.dsp
	switch {
	case d.busy():
		return
	case d.midi: // there is no MIDI device
		return
	case d.need > 0:
		d.params[d.have] = v
		d.have++
		if d.need--; d.need > 0 {
			return
		}
	default:
		d.cmd, d.have = v, 0
		c := &commands[v]
		if c.do == nil {
			s.c.Env.Log.Guest("sb16: unknown DSP command %#02x", v)
			return
		}
		if c.v4 && s.c.Version < 0x0400 {
			s.c.Env.Log.Guest("sb16: DSP command %#02x is not that of version %#x", v, s.c.Version)
			return
		}
		if d.need = c.params; d.need > 0 {
			return
		}
	}
	commands[d.cmd].do(s, d.cmd, d.params)
}

// word is a parameter of 16 bits, low byte first.
func word(lo, hi uint8) uint16 { return uint16(lo) | uint16(hi)<<8 }

// dspCommand is a line of the table: params bytes follow.
type dspCommand struct {
	params uint8
	v4     bool // of DSP 4.xx only
	do     func(s *Card, cmd uint8, p [3]uint8)
}

// commands is chapter 6, "DSP Commands".
var commands = func() [256]dspCommand {
	t := [256]dspCommand{
		0x04: {params: 1, do: (*Card).nothing}, // ASP
		0x05: {params: 2, do: (*Card).nothing},
		0x08: {params: 1, do: (*Card).aspVersion},
		0x0e: {params: 2, do: (*Card).nothing},
		0x0f: {params: 1, do: (*Card).aspRegister},
		0x10: {params: 1, do: (*Card).directDAC},
		0x20: {do: (*Card).directADC},
		0x30: {do: (*Card).nothing}, // MIDI input: nothing comes
		0x31: {do: (*Card).nothing},
		0x34: {do: (*Card).midiUART},
		0x35: {do: (*Card).midiUART},
		0x36: {do: (*Card).midiUART},
		0x37: {do: (*Card).midiUART},
		0x38: {params: 1, do: (*Card).nothing}, // MIDI output
		0x40: {params: 1, do: (*Card).timeConstant},
		0x41: {params: 2, v4: true, do: (*Card).outputRate},
		0x42: {params: 2, v4: true, do: (*Card).inputRate},
		0x45: {v4: true, do: (*Card).continueAuto},
		0x47: {v4: true, do: (*Card).continueAuto},
		0x48: {params: 2, do: (*Card).blockSize},
		0x80: {params: 2, do: (*Card).silence},
		0xa0: {do: (*Card).nothing}, // input mono, stereo
		0xa8: {do: (*Card).nothing},
		0xd0: {do: (*Card).pause},
		0xd1: {do: (*Card).speakerOn},
		0xd3: {do: (*Card).speakerOff},
		0xd4: {do: (*Card).resume},
		0xd5: {v4: true, do: (*Card).pause},
		0xd6: {v4: true, do: (*Card).resume},
		0xd8: {do: (*Card).speakerStatus},
		0xd9: {v4: true, do: (*Card).exitAuto},
		0xda: {do: (*Card).exitAuto},
		0xe0: {params: 1, do: (*Card).echo},
		0xe1: {do: (*Card).version},
		0xe2: {params: 1, do: (*Card).identifyDMA},
		0xe3: {do: (*Card).copyright},
		0xe4: {params: 1, do: (*Card).writeTest},
		0xe8: {do: (*Card).readTest},
		0xf2: {do: (*Card).interrupt},
		0xf3: {v4: true, do: (*Card).interrupt},
		0xf8: {do: (*Card).zero}, // undocumented: Windows asks
	}
	for cmd := range modes {
		m := &modes[cmd]
		switch {
		case m.form == none:
		case m.auto:
			t[cmd] = dspCommand{do: (*Card).transfer}
		default:
			t[cmd] = dspCommand{params: 2, do: (*Card).transfer}
		}
	}
	for cmd := 0xb0; cmd <= 0xcf; cmd++ {
		if cmd&1 == 0 {
			t[cmd] = dspCommand{params: 3, v4: true, do: (*Card).transfer4}
		}
	}
	return t
}()

// modes are the transfers of 8 bits that older DSPs have, too.
var modes = [256]struct {
	form        form
	auto, input bool
	ref, fast   bool
}{
	0x14: {form: pcm8},
	0x15: {form: pcm8},
	0x16: {form: adpcm2},
	0x17: {form: adpcm2, ref: true},
	0x1c: {form: pcm8, auto: true},
	0x1f: {form: adpcm2, ref: true, auto: true},
	0x24: {form: pcm8, input: true},
	0x2c: {form: pcm8, input: true, auto: true},
	0x74: {form: adpcm4},
	0x75: {form: adpcm4, ref: true},
	0x76: {form: adpcm26},
	0x77: {form: adpcm26, ref: true},
	0x7d: {form: adpcm4, ref: true, auto: true},
	0x7f: {form: adpcm26, ref: true, auto: true},
	0x90: {form: pcm8, auto: true, fast: true},
	0x91: {form: pcm8, auto: true, fast: true}, // single: see transfer
	0x98: {form: pcm8, auto: true, input: true, fast: true},
	0x99: {form: pcm8, auto: true, input: true, fast: true},
}

// transfer begins one of modes. Those without parameters have their length
// from command 48h.
func (s *Card) transfer(cmd uint8, p [3]uint8) {
	m := &modes[cmd]
	f := format{form: m.form, input: m.input, auto: m.auto && cmd&^8 != 0x91}
	n := uint32(s.dsp.block)
	if !m.auto {
		n = uint32(word(p[0], p[1]))
	}
	if s.c.Version < 0x0400 {
		f.stereo = s.mixer.stereo && m.form == pcm8
		s.dsp.fast = m.fast // DSP 4.xx has no need for it
	}
	s.begin(&s.ch[0], f, n+1)
	s.ch[0].wantRef = m.ref
}

// transfer4 is Bxh and Cxh: mode, length.
func (s *Card) transfer4(cmd uint8, p [3]uint8) {
	f := format{form: pcm8, input: cmd&8 != 0, auto: cmd&4 != 0, stereo: p[0]&0x20 != 0, signed: p[0]&0x10 != 0}
	ch := &s.ch[0]
	if cmd < 0xc0 {
		f.form = pcm16
		ch = &s.ch[1]
	}
	s.begin(ch, f, uint32(word(p[1], p[2]))+1)
}

func (s *Card) nothing(uint8, [3]uint8) {}
func (s *Card) zero(uint8, [3]uint8)    { s.dsp.put(0) }

// There is no ASP: its registers read as nothing.
func (s *Card) aspRegister(uint8, [3]uint8) { s.dsp.put(0xff) }
func (s *Card) aspVersion(uint8, [3]uint8)  { s.dsp.put(0xff) }

func (s *Card) midiUART(uint8, [3]uint8) { s.dsp.midi = true }

func (s *Card) directDAC(_ uint8, p [3]uint8) { s.dac.set(s, p[0]) }
func (s *Card) directADC(uint8, [3]uint8)     { s.dsp.put(0x80) }

func (s *Card) timeConstant(_ uint8, p [3]uint8) {
	s.dsp.constant, s.dsp.rate, s.dsp.rateIn = p[0], 0, 0
	s.setRates()
}

// outputRate and inputRate have the high byte first.
func (s *Card) outputRate(_ uint8, p [3]uint8) {
	s.dsp.rate = clampRate(word(p[1], p[0]))
	s.setRates()
}

func (s *Card) inputRate(_ uint8, p [3]uint8) {
	s.dsp.rateIn = clampRate(word(p[1], p[0]))
	s.setRates()
}

// clampRate: "5000 to 45000 Hz" (chapter 6, 41h); programs of the time ask for
// 4000.
func clampRate(v uint16) uint32 { return uint32(min(max(v, 4000), 45000)) }

// rate is the frames a second of a format.
func (d *dsp) frameRate(f format) int {
	r := d.rate
	if f.input && d.rateIn != 0 {
		r = d.rateIn
	}
	if r != 0 {
		return int(r)
	}
	// 65536 - 256000000/(channels * rate), of which the high byte is sent; the
	// DSP's fastest is 45454 Hz.
	n := 256 - int(d.constant)
	if f.stereo {
		n *= 2
	}
	return min((1_000_000+n/2)/n, 45454)
}

func (s *Card) blockSize(_ uint8, p [3]uint8) { s.dsp.block = word(p[0], p[1]) }

func (s *Card) silence(_ uint8, p [3]uint8) {
	s.begin(&s.ch[0], format{form: quiet}, uint32(word(p[0], p[1]))+1)
}

// of returns the channel that a command is about: D5h, D6h, D9h, 47h are of 16 bits.
func (s *Card) of(cmd uint8) *channel {
	switch cmd {
	case 0xd5, 0xd6, 0xd9, 0x47, 0xf3:
		return &s.ch[1]
	}
	return &s.ch[0]
}

func (s *Card) pause(cmd uint8, _ [3]uint8)    { s.of(cmd).pause(true, s.now()) }
func (s *Card) resume(cmd uint8, _ [3]uint8)   { s.of(cmd).pause(false, s.now()) }
func (s *Card) exitAuto(cmd uint8, _ [3]uint8) { s.of(cmd).f.auto = false }

func (s *Card) continueAuto(cmd uint8, _ [3]uint8) {
	if ch := s.of(cmd); ch.f.form != none {
		ch.f.auto = true
	}
}

func (s *Card) speakerOn(uint8, [3]uint8) {
	s.dsp.speaker = true
	s.setGains()
}

func (s *Card) speakerOff(uint8, [3]uint8) {
	s.dsp.speaker = false
	s.setGains()
}

func (s *Card) speakerStatus(uint8, [3]uint8) {
	if s.dsp.speaker {
		s.dsp.put(0xff)
	} else {
		s.dsp.put(0)
	}
}

func (s *Card) echo(_ uint8, p [3]uint8) { s.dsp.put(^p[0]) }

func (s *Card) version(uint8, [3]uint8) {
	s.dsp.at, s.dsp.n = 0, 0
	s.dsp.put(uint8(s.c.Version >> 8))
	s.dsp.put(uint8(s.c.Version))
}

// identifyDMA answers by DMA (undocumented; drivers look by which channel the
// answer comes): the sum of the parameters so far, each scrambled with a key
// that is 96h at first and turns by two bits.
func (s *Card) identifyDMA(_ uint8, p [3]uint8) {
	d := &s.dsp
	d.sum += p[0] ^ d.key
	d.key = bits.RotateLeft8(d.key, -2)
	d.identify = true
}

// copyrightText is the answer to E3h: drivers compare it.
const copyrightText = "COPYRIGHT (C) CREATIVE TECHNOLOGY LTD, 1992.\x00"

func (s *Card) copyright(uint8, [3]uint8) {
	s.dsp.at, s.dsp.n = 0, 0
	for i := range len(copyrightText) {
		s.dsp.put(copyrightText[i])
	}
}

func (s *Card) writeTest(_ uint8, p [3]uint8) { s.dsp.test = p[0] }
func (s *Card) readTest(uint8, [3]uint8)      { s.dsp.put(s.dsp.test) }

func (s *Card) interrupt(cmd uint8, _ [3]uint8) { s.raise(s.of(cmd).bit) }

func (d *dsp) state(s *snap.Section) {
	s.Bool("reset", &d.reset)
	s.I64("ready_at", &d.readyAt)
	s.U8("command", &d.cmd)
	s.U8("need", &d.need)
	s.U8("have", &d.have)
	s.Bytes("params", d.params[:])
	s.Bytes("out", d.out[:])
	s.U8("out_at", &d.at)
	s.U8("out_n", &d.n)
	s.U8("out_last", &d.last)
	s.U32("rate", &d.rate)
	s.U32("rate_in", &d.rateIn)
	s.U8("constant", &d.constant)
	s.U16("block", &d.block)
	s.Bool("speaker", &d.speaker)
	s.Bool("midi", &d.midi)
	s.Bool("fast", &d.fast)
	s.U8("test", &d.test)
	s.U8("sum", &d.sum)
	s.U8("key", &d.key)
	s.Bool("identify", &d.identify)
	s.Check(d.need == 0 || int(d.have)+int(d.need) == int(commands[d.cmd].params) && commands[d.cmd].do != nil, "have is out of range")
	s.Check(int(d.at) < len(d.out) && int(d.n) <= len(d.out), "out is out of range")
	ok := func(r uint32) bool { return r == 0 || r >= 4000 && r <= 45000 }
	s.Check(ok(d.rate) && ok(d.rateIn), "rate is out of range")
	s.Check(d.readyAt >= 0, "ready_at is out of range")
}

// held is the output of command 10h: each sample stands until the next. It is
// nothing that a guest could see.
type held struct {
	voice *audio.Voice
	value int16
	on    bool
	epoch int64
	done  int64
	until int64
}

// heldRate is at what rate it is looked at, heldTime how long the last sample
// stands.
const (
	heldRate = 44100
	heldTime = 50_000_000
)

func (h *held) set(s *Card, v uint8) {
	if h.voice == nil {
		return
	}
	now := s.now()
	if !h.on {
		h.on, h.epoch, h.done = true, now, 0
		h.voice.SetRate(heldRate)
		h.voice.SetActive(true)
	}
	s.hold(now)
	h.value = int16(uint16(v^0x80) << 8)
	h.until = now + heldTime
}

// hold plays the sample that stands until now.
func (s *Card) hold(now int64) {
	h := &s.dac
	if !h.on {
		return
	}
	due := audio.Frames(now-h.epoch, heldRate) - h.done
	h.done += due
	for due = min(due, heldRate); due > 0; {
		p := s.buf[:min(due, int64(len(s.buf)))]
		for i := range p {
			p[i] = audio.Frame{L: h.value, R: h.value}
		}
		h.voice.Play(p)
		due -= int64(len(p))
	}
	if now >= h.until {
		h.on = false
		h.voice.SetActive(false)
	}
}
