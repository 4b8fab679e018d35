// Package ac97 models the audio function of Intel's 82801AA (ICH, datasheet
// 290655, chapter 13): three bus masters with lists of 32 buffers, and behind
// them an AC '97 codec (Intel, "Audio Codec '97", revision 2.1) with variable
// rates. What is recorded is silence.
package ac97

import (
	"encoding/binary"

	"rhea/internal/audio"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Config wires a function.
type Config struct {
	Env    dev.Env
	Audio  *audio.Mixer // nil = nobody listens
	Bus    *pci.Bus
	Device int // PCI device number
}

// The bus masters.
const (
	pcmIn = iota
	pcmOut
	micIn
	nMasters
)

// Registers of a bus master, from 00h, 10h and 20h (§13.2).
const (
	rgBDBAR = 0x0
	rgCIV   = 0x4
	rgLVI   = 0x5
	rgSR    = 0x6
	rgPICB  = 0x8
	rgPIV   = 0xa
	rgCR    = 0xb

	rgGlobCnt = 0x2c
	rgGlobSta = 0x30
	rgCAS     = 0x34
)

// Status register.
const (
	srDCH   = 1 << 0 // halted
	srCELV  = 1 << 1 // the current buffer is the last valid
	srLVBCI = 1 << 2
	srBCIS  = 1 << 3
	srFIFOE = 1 << 4
	srClear = srLVBCI | srBCIS | srFIFOE
)

// Control register.
const (
	crRun   = 1 << 0
	crReset = 1 << 1
	crLVBIE = 1 << 2
	crFEIE  = 1 << 3
	crIOCE  = 1 << 4
	crMask  = crRun | crLVBIE | crFEIE | crIOCE
)

const (
	staReady = 1 << 8 // primary codec
	entries  = 32
	bdIOC    = 1 << 31
)

// staBits are the interrupts of the masters in the global status.
var staBits = [nMasters]uint32{1 << 5, 1 << 6, 1 << 7}

// master is a bus master.
type master struct {
	bdbar    uint32
	civ, lvi uint8
	piv      uint8
	sr       uint16
	picb     uint16 // samples that are left
	cr       uint8

	addr  uint32 // of the next sample
	ctl   uint16 // the buffer's upper half: IOC, BUP
	epoch int64  // the time at which done was 0
	done  int64  // samples since then
}

// Card is the function.
type Card struct {
	c     Config
	fn    *pci.Function
	m     [nMasters]master
	codec [64]uint16
	cnt   uint32
	cas   bool
	voice *audio.Voice
	timer *vclock.Timer
	// looked is when the card was brought up to date.
	looked int64
	buf    [512]audio.Frame
	raw    [2048]byte
}

// New returns a function, plugged into c.Bus.
func New(c Config) *Card {
	a := &Card{c: c}
	f := pci.NewFunction(pci.Header{Name: "AC97", Vendor: 0x8086, Device: 0x2415, Class: 0x040100, Revision: 1,
		SubVendor: 0x1af4, SubDevice: 0x1100, Pin: 1})
	a.fn = f
	f.SetInit(pci.Status, 0x80, 0x02)
	f.IOBAR(0, mem.NewIO("ac97-nam", 256, mem.Handlers{R: a.readCodec, W: a.writeCodec}).Sizes(1, 2))
	f.IOBAR(1, mem.NewIO("ac97-nabm", 64, mem.Handlers{R: a.read, W: a.write}))
	a.voice = c.Audio.Voice("ac97.po", a.expire)
	a.timer = c.Env.Clock.NewTimer(a.expire)
	a.Reset()
	c.Bus.Plug(c.Device, 0, f)
	return a
}

// Function returns the PCI function.
func (a *Card) Function() *pci.Function { return a.fn }

// Reset implements dev.Device.
func (a *Card) Reset() {
	a.fn.Reset()
	for i := range a.m {
		a.m[i] = master{sr: srDCH}
	}
	a.cnt, a.cas = 0, false
	a.resetCodec()
	a.follow()
}

func (a *Card) now() int64 { return a.c.Env.Clock.Now() }

// expire is the timer's, and the mixer's while something plays.
func (a *Card) expire() {
	a.bring()
	a.Settle()
}

// bring transfers what is due.
func (a *Card) bring() {
	now := a.now()
	a.looked = now
	for i := range a.m {
		a.run(i, now)
	}
	a.follow()
}

// minGap is how close the card looks after itself: buffers of a few samples
// end together.
const minGap = 250_000

// maxLag is how much is made up for when the host was late.
const maxLag = 200_000_000

// Settle implements dev.Settler.
func (a *Card) Settle() {
	a.fn.SetIRQ(a.interrupts() != 0)
	next := int64(0)
	for i := range a.m {
		if m := &a.m[i]; m.runs() {
			at := m.epoch + audio.Time(m.done+int64(m.picb), 2*a.rate(i))
			if next == 0 || at < next {
				next = at
			}
		}
	}
	if next == 0 {
		a.timer.Stop()
		return
	}
	a.timer.Set(max(next, a.looked+minGap))
}

func (m *master) runs() bool { return m.cr&crRun != 0 && m.sr&srDCH == 0 }

func (m *master) interrupt() bool {
	return m.sr&srLVBCI != 0 && m.cr&crLVBIE != 0 || m.sr&srBCIS != 0 && m.cr&crIOCE != 0 || m.sr&srFIFOE != 0 && m.cr&crFEIE != 0
}

// interrupts are the bits of the global status.
func (a *Card) interrupts() (v uint32) {
	for i := range a.m {
		if a.m[i].interrupt() {
			v |= staBits[i]
		}
	}
	return v
}

// follow has the voice play while the bus master runs.
func (a *Card) follow() { a.voice.SetActive(a.m[pcmOut].runs()) }

// run moves the samples of a bus master that are due.
func (a *Card) run(i int, now int64) {
	m := &a.m[i]
	rate := 2 * a.rate(i)
	if lag := now - m.epoch - audio.Time(m.done, rate); m.runs() && lag > maxLag {
		m.epoch += lag - maxLag
	}
	// The list has 32 entries, of which the last valid halts; what a guest
	// adds meanwhile waits for the next time.
	for range 2 * entries {
		if !m.runs() {
			return
		}
		due := audio.Frames(now-m.epoch, rate) - m.done
		n := int64(m.picb)
		if due < n {
			n = due &^ 1 // whole frames
		}
		if n > 0 {
			a.move(i, m, int(n))
			m.done += n
			m.picb -= uint16(n)
		}
		if m.picb > 0 {
			return
		}
		m.epoch, m.done = m.epoch+audio.Time(m.done, rate), 0
		a.bufferEnds(m)
	}
}

// bufferEnds goes on to the next buffer.
func (a *Card) bufferEnds(m *master) {
	if m.ctl&(bdIOC>>16) != 0 {
		m.sr |= srBCIS
	}
	if m.civ == m.lvi {
		m.sr |= srLVBCI | srCELV | srDCH
		return
	}
	a.fetch(m)
}

// fetch takes the prefetched index as the current one and reads its descriptor
// (§13.2.1: address, then length in samples and flags).
func (a *Card) fetch(m *master) {
	m.civ = m.piv
	m.piv = (m.piv + 1) % entries
	var b [8]byte
	a.fn.DMARead(uint64(m.bdbar)+8*uint64(m.civ), b[:])
	m.addr = binary.LittleEndian.Uint32(b[:]) &^ 1
	m.picb = binary.LittleEndian.Uint16(b[4:])
	m.ctl = binary.LittleEndian.Uint16(b[6:]) & (bdIOC>>16 | 1<<14)
}

// move transfers n samples.
func (a *Card) move(i int, m *master, n int) {
	for n > 0 {
		k := min(n, len(a.raw)/2)
		p := a.raw[:2*k]
		if i == pcmOut {
			a.fn.DMARead(uint64(m.addr), p)
			a.play(p)
		} else {
			clear(p)
			a.fn.DMAWrite(uint64(m.addr), p)
		}
		m.addr += uint32(2 * k)
		n -= k
	}
}

// play takes pairs of samples. Drivers give whole frames; half of one is left
// out.
func (a *Card) play(p []byte) {
	for len(p) >= 4 {
		n := min(len(p)/4, len(a.buf))
		for i := range a.buf[:n] {
			a.buf[i] = audio.Frame{L: int16(binary.LittleEndian.Uint16(p[4*i:])), R: int16(binary.LittleEndian.Uint16(p[4*i+2:]))}
		}
		a.voice.Play(a.buf[:n])
		p = p[4*n:]
	}
}

// read implements the bus masters' registers.
func (a *Card) read(off uint64, size int) uint64 {
	a.bring()
	a.Settle()
	if off == rgCAS {
		v := a.cas
		a.cas = true
		if v {
			return 1
		}
		return 0
	}
	var v uint64
	for i := range size {
		v |= uint64(a.reg(int(off)+i)) << (8 * i)
	}
	return v
}

// reg is one byte of a register.
func (a *Card) reg(off int) uint8 {
	sub := func(v uint32, base int) uint8 { return uint8(v >> (8 * (off - base))) }
	switch {
	case off >= rgGlobCnt && off < rgGlobCnt+4:
		return sub(a.cnt, rgGlobCnt)
	case off >= rgGlobSta && off < rgGlobSta+4:
		return sub(staReady|a.interrupts(), rgGlobSta)
	case off >= rgGlobCnt:
		return 0
	}
	m := &a.m[off>>4]
	switch r := off & 15; r {
	case rgCIV:
		return m.civ
	case rgLVI:
		return m.lvi
	case rgSR, rgSR + 1:
		return uint8(m.sr >> (8 * (r - rgSR)))
	case rgPICB, rgPICB + 1:
		return uint8(m.picb >> (8 * (r - rgPICB)))
	case rgPIV:
		return m.piv
	case rgCR:
		return m.cr
	default:
		if r < 4 {
			return uint8(m.bdbar >> (8 * r))
		}
	}
	return 0
}

func (a *Card) write(off uint64, size int, v uint64) {
	a.bring()
	for i := range size {
		a.setReg(int(off)+i, uint8(v>>(8*i)))
	}
	a.follow()
	a.Settle()
}

func (a *Card) setReg(off int, v uint8) {
	switch {
	case off >= rgGlobCnt && off < rgGlobCnt+4:
		sh := 8 * (off - rgGlobCnt)
		a.cnt = a.cnt&^(0xff<<sh) | uint32(v)<<sh
		a.cnt &^= 1 << 2 // a warm reset is over at once
		return
	case off >= rgGlobCnt:
		return
	}
	m := &a.m[off>>4]
	switch r := off & 15; r {
	case rgLVI:
		m.lvi = v % entries
		if m.cr&crRun != 0 && m.sr&srCELV != 0 {
			m.sr &^= srDCH | srCELV
			a.begin(m)
		}
	case rgSR:
		m.sr &^= uint16(v) & srClear
	case rgCR:
		if v&crReset != 0 {
			*m = master{sr: srDCH}
			return
		}
		was := m.cr
		m.cr = v & crMask
		switch {
		case v&crRun == 0:
			m.sr |= srDCH
		case was&crRun == 0:
			m.sr &^= srDCH | srCELV
			a.begin(m)
		}
	default:
		if r < 4 {
			m.bdbar = (m.bdbar&^(0xff<<(8*r)) | uint32(v)<<(8*r)) &^ 7
		}
	}
}

// begin starts, or goes on after a halt: a buffer that was interrupted goes on.
func (a *Card) begin(m *master) {
	m.epoch, m.done = a.now(), 0
	if m.picb == 0 {
		a.fetch(m)
	}
}

// State implements dev.Device.
func (a *Card) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", a.fn.State)
	for i, name := range [nMasters]string{"pi", "po", "mc"} {
		s.Sub(name, a.m[i].state)
	}
	for i := range a.codec {
		s.U16(codecNames[i], &a.codec[i])
	}
	s.U32("glob_cnt", &a.cnt)
	s.Bool("cas", &a.cas)
	if s.Loading() {
		a.setRates()
		a.follow()
	}
}

func (m *master) state(s *snap.Section) {
	s.Version(1)
	s.U32("bdbar", &m.bdbar)
	s.U8("civ", &m.civ)
	s.U8("lvi", &m.lvi)
	s.U8("piv", &m.piv)
	s.U16("sr", &m.sr)
	s.U16("picb", &m.picb)
	s.U8("cr", &m.cr)
	s.U32("addr", &m.addr)
	s.U16("flags", &m.ctl)
	s.I64("epoch", &m.epoch)
	s.I64("done", &m.done)
	s.Check(m.civ < entries && m.lvi < entries && m.piv < entries, "an index is out of range")
	s.Check(m.epoch >= 0 && m.epoch <= 1<<60 && m.done >= 0 && m.done <= 1<<17, "a time is out of range")
}
