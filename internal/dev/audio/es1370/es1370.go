// Package es1370 models Ensoniq's AudioPCI (ES1370, specification of February
// 1997): two players and a recorder that go round buffers in memory, and behind
// them an AK4531 mixer (AKM, MS0017). What is recorded is silence; the UART's
// MIDI bytes go nowhere, and there is no joystick.
package es1370

import (
	"encoding/binary"

	"rhea/internal/audio"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Config wires a card.
type Config struct {
	Env    dev.Env
	Audio  *audio.Mixer // nil = nobody listens
	Bus    *pci.Bus
	Device int // PCI device number
}

// The channels, in the order of their bits from high to low.
const (
	dac1 = iota
	dac2
	adc
	nChannels
)

// Registers.
const (
	rgControl = 0x00
	rgStatus  = 0x04
	rgUART    = 0x08 // data, status or control, test
	rgPage    = 0x0c
	rgCodec   = 0x10
	rgSerial  = 0x20
	rgCounts  = 0x24 // of the channels
	rgPaged   = 0x30 // 16 bytes of the memory page
	regsN     = 0x40
)

// Interrupt and chip select control.
const (
	ctlUART    = 1 << 3
	ctlRates   = 12 // of DAC1: two bits
	ctlDivisor = 16 // of DAC2 and ADC: 13 bits
	ctlADCStop = 1 << 31
)

// enables are the channels' bits of the control register.
var enables = [nChannels]uint32{1 << 6, 1 << 5, 1 << 4}

// Status.
const (
	stINTR = 1 << 31
	stUART = 1 << 3
)

// pendings are the channels' bits of the status register.
var pendings = [nChannels]uint32{1 << 2, 1 << 1, 1 << 0}

// serial are a channel's bits of the serial interface control register.
type serial struct {
	stereo, wide, intr, stop, pause uint32
}

var serials = [nChannels]serial{
	{1 << 0, 1 << 1, 1 << 8, 1 << 13, 1 << 11},
	{1 << 2, 1 << 3, 1 << 9, 1 << 14, 1 << 12},
	{1 << 4, 1 << 5, 1 << 10, 1 << 15, 0},
}

const serialReload = 1 << 7 // of DAC1's sample counter

// paged are where the channels' buffers are described: page and offset.
var paged = [nChannels][2]int{{0xc, 0}, {0xc, 8}, {0xd, 0}}

// UART (page 14 of the specification).
const (
	uartTXReady = 1 << 1
	uartTXInt   = 1 << 2
	uartTXIntEn = 3 << 5 // control: 01 = interrupt when ready
)

const (
	// clockRate is what all rates are divided from: 22.5792 MHz / 16.
	clockRate = 1411200
	// minGap is how close the card looks after itself, maxLag how much is made
	// up for when the host was late.
	minGap = 250_000
	maxLag = 200_000_000
)

// channel is a player or the recorder.
type channel struct {
	addr  uint32
	size  uint16 // of the buffer, in longwords, minus 1
	pos   uint32 // in the buffer, in bytes
	count uint16 // frames between interrupts, minus 1
	left  int    // frames until the next one
	ended bool   // stop mode: the count has run out
	epoch int64  // the time at which done was 0
	done  int64  // frames since then
}

// Card is the PCI function.
type Card struct {
	c   Config
	fn  *pci.Function
	ch  [nChannels]channel
	ctl uint32
	sts uint32 // pending interrupts
	ser uint32

	page  uint8
	uart  uint8 // control
	codec [codecN]uint8

	voices [2]*audio.Voice
	timer  *vclock.Timer
	looked int64
	buf    [512]audio.Frame
	raw    [2048]byte
}

// New returns a card, plugged into c.Bus.
func New(c Config) *Card {
	a := &Card{c: c}
	f := pci.NewFunction(pci.Header{Name: "ES1370", Vendor: 0x1274, Device: 0x5000, Class: 0x040100,
		SubVendor: 0x4942, SubDevice: 0x4c4c, Pin: 1})
	a.fn = f
	f.SetInit(pci.Status, 0x00, 0x04) // slow DEVSEL
	f.IOBAR(0, mem.NewIO("es1370", regsN, mem.Handlers{R: a.read, W: a.write}).Sizes(1, 4))
	for i, name := range []string{"es1370.dac1", "es1370.dac2"} {
		a.voices[i] = c.Audio.Voice(name, a.expire)
	}
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
	a.ch = [nChannels]channel{}
	a.ctl, a.sts, a.ser = 1, 0, 0 // SERR is off
	a.page, a.uart = 0, 0
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
	for i := range a.ch {
		a.run(i, now)
	}
	a.follow()
}

// Settle implements dev.Settler.
func (a *Card) Settle() {
	a.fn.SetIRQ(a.status()&stINTR != 0)
	next := int64(0)
	for i := range a.ch {
		if c := &a.ch[i]; a.runs(i) && a.ser&serials[i].intr != 0 {
			at := c.epoch + audio.Time((c.done+int64(c.left))*a.divisor(i), clockRate)
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

// runs reports whether a channel transfers.
func (a *Card) runs(i int) bool {
	return a.ctl&enables[i] != 0 && a.ser&serials[i].pause == 0 && !a.ch[i].ended && (i != adc || a.ctl&ctlADCStop == 0)
}

// divisor is what clockRate is divided by for a channel's frames: DAC1 has
// 5512, 11025, 22050 and 44100 Hz.
func (a *Card) divisor(i int) int64 {
	if i == dac1 {
		return 32 << (3 - a.ctl>>ctlRates&3)
	}
	return int64(a.ctl>>ctlDivisor&0x1fff) + 2
}

// frameSize is a channel's bytes of a frame.
func (a *Card) frameSize(i int) int {
	n := 1
	for _, bit := range []uint32{serials[i].stereo, serials[i].wide} {
		if a.ser&bit != 0 {
			n *= 2
		}
	}
	return n
}

// follow has the voices play while their channels run.
func (a *Card) follow() {
	for i, v := range a.voices {
		v.SetRate(int((clockRate + a.divisor(i)/2) / a.divisor(i)))
		v.SetActive(a.runs(i))
	}
}

// run moves a channel's frames that are due.
func (a *Card) run(i int, now int64) {
	c := &a.ch[i]
	if !a.runs(i) {
		return
	}
	div := a.divisor(i)
	if lag := now - c.epoch - audio.Time(c.done*div, clockRate); lag > maxLag {
		c.epoch += lag - maxLag
	}
	due := audio.Frames(now-c.epoch, clockRate)/div - c.done
	size := a.frameSize(i)
	c.pos &^= uint32(size - 1)
	for due > 0 && !c.ended {
		// To the end of the buffer, of the count, of what is due.
		end := (uint32(c.size) + 1) * 4
		if c.pos >= end { // the guest has made it smaller
			c.pos = 0
		}
		n := min(due, int64(c.left), int64(int(end-c.pos)/size), int64(len(a.raw)/size))
		p := a.raw[:int(n)*size]
		if i == adc {
			a.record(p)
			a.fn.DMAWrite(uint64(c.addr)+uint64(c.pos), p)
		} else {
			a.fn.DMARead(uint64(c.addr)+uint64(c.pos), p)
			a.play(i, p)
		}
		if c.pos += uint32(len(p)); c.pos == end {
			c.pos = 0
		}
		c.done += n
		due -= n
		if c.left -= int(n); c.left == 0 {
			a.counted(i)
		}
	}
	if c.done >= clockRate { // as many seconds as the divisor is
		c.epoch += div * vclock.Second
		c.done -= clockRate
	}
}

// counted follows the last frame of a count.
func (a *Card) counted(i int) {
	c := &a.ch[i]
	c.left = int(c.count) + 1
	if a.ser&serials[i].intr != 0 {
		a.sts |= pendings[i]
	}
	c.ended = a.ser&serials[i].stop != 0
}

// play gives frames to a voice. Eight bits are unsigned.
func (a *Card) play(i int, p []byte) {
	s := &serials[i]
	stereo, wide := a.ser&s.stereo != 0, a.ser&s.wide != 0
	size := a.frameSize(i)
	sample := func(p []byte) int16 {
		if wide {
			return int16(binary.LittleEndian.Uint16(p))
		}
		return int16(p[0])<<8 ^ -0x8000
	}
	for len(p) > 0 {
		n := min(len(p)/size, len(a.buf))
		for k := range a.buf[:n] {
			f := p[k*size:]
			l := sample(f)
			r := l
			if stereo {
				r = sample(f[size/2:])
			}
			a.buf[k] = audio.Frame{L: l, R: r}
		}
		a.voices[i].Play(a.buf[:n])
		p = p[n*size:]
	}
}

// record fills p with silence.
func (a *Card) record(p []byte) {
	clear(p)
	if a.ser&serials[adc].wide == 0 {
		for i := range p {
			p[i] = 0x80
		}
	}
}

func (a *Card) uartStatus() uint8 {
	if a.ctl&ctlUART == 0 {
		return 0
	}
	v := uint8(uartTXReady)
	if a.uart&uartTXIntEn == 1<<5 {
		v |= uartTXInt
	}
	return v
}

func (a *Card) status() uint32 {
	v := a.sts
	if a.uartStatus()&uartTXInt != 0 {
		v |= stUART
	}
	if v != 0 {
		v |= stINTR
	}
	return v
}

func (a *Card) read(off uint64, size int) uint64 {
	a.bring()
	a.Settle()
	var v uint64
	for i := range size {
		at := int(off) + i
		v |= uint64(uint8(a.reg(at&^3)>>(8*(at&3)))) << (8 * i)
	}
	return v
}

// reg returns a register of 32 bits.
func (a *Card) reg(off int) uint32 {
	switch {
	case off == rgControl:
		return a.ctl
	case off == rgStatus:
		return a.status()
	case off == rgUART:
		return uint32(a.uartStatus()) << 8
	case off == rgPage:
		return uint32(a.page)
	case off == rgSerial:
		return a.ser
	case off >= rgCounts && off < rgPaged:
		c := &a.ch[(off-rgCounts)/4]
		return uint32(c.count) | uint32(max(c.left-1, 0))<<16
	}
	for i, at := range paged {
		if int(a.page) != at[0] {
			continue
		}
		c := &a.ch[i]
		switch off - rgPaged - at[1] {
		case 0:
			return c.addr
		case 4:
			return uint32(c.size) | c.pos>>2<<16
		}
	}
	return 0
}

func (a *Card) write(off uint64, size int, v uint64) {
	a.bring()
	switch at := int(off); {
	case at >= rgUART && at < rgPage:
		for i := range size {
			if at+i == rgUART+1 {
				a.uart = uint8(v >> (8 * i))
			}
		}
	case at >= rgCodec && at < rgCodec+4:
		if at == rgCodec && size >= 2 { // address and data go together
			a.setCodec(uint8(v>>8), uint8(v))
		}
	default:
		// Parts of a register leave the rest of it as it is.
		for i := 0; i < size; {
			reg := (at + i) &^ 3
			w := a.reg(reg)
			for ; i < size && (at+i)&^3 == reg; i++ {
				sh := 8 * ((at + i) & 3)
				w = w&^(0xff<<sh) | uint32(uint8(v>>(8*i)))<<sh
			}
			a.setReg(reg, w)
		}
	}
	a.follow()
	a.Settle()
}

func (a *Card) setReg(off int, v uint32) {
	switch {
	case off == rgControl:
		was, running := a.ctl, a.running()
		a.ctl = v
		for i := range a.ch {
			if v&enables[i] != 0 && was&enables[i] == 0 {
				a.ch[i].ended, a.ch[i].left = false, int(a.ch[i].count)+1
			}
		}
		a.restart(running, was>>ctlDivisor != v>>ctlDivisor || (was^v)>>ctlRates&3 != 0)
	case off == rgPage:
		a.page = uint8(v & 15)
	case off == rgSerial:
		running := a.running()
		a.ser = v &^ serialReload & 0x3fffff
		for i := range a.ch {
			if v&serials[i].intr == 0 {
				a.sts &^= pendings[i]
			}
		}
		if v&serialReload != 0 {
			a.ch[dac1].left = int(a.ch[dac1].count) + 1
		}
		a.restart(running, false)
	case off >= rgCounts && off < rgPaged:
		i := (off - rgCounts) / 4
		c := &a.ch[i]
		c.count = uint16(v)
		if a.ctl&enables[i] == 0 {
			c.left = int(c.count) + 1
		}
	}
	for i, at := range paged {
		if int(a.page) != at[0] || off < rgPaged {
			continue
		}
		c := &a.ch[i]
		switch off - rgPaged - at[1] {
		case 0:
			c.addr = v &^ 3
		case 4:
			c.size, c.pos = uint16(v), v>>16*4
		}
	}
}

// running says which channels run.
func (a *Card) running() (r [nChannels]bool) {
	for i := range r {
		r[i] = a.runs(i)
	}
	return r
}

// restart begins to count the time of channels that did not run, or whose rate
// is another.
func (a *Card) restart(ran [nChannels]bool, rates bool) {
	for i := range a.ch {
		if c := &a.ch[i]; a.runs(i) && (!ran[i] || rates) {
			c.epoch, c.done = a.now(), 0
			if c.left == 0 {
				c.left = int(c.count) + 1
			}
		}
	}
}

// State implements dev.Device.
func (a *Card) State(s *snap.Section) {
	s.Version(1)
	s.Sub("pci", a.fn.State)
	for i, name := range [nChannels]string{"dac1", "dac2", "adc"} {
		s.Sub(name, a.ch[i].state)
	}
	s.U32("control", &a.ctl)
	s.U32("status", &a.sts)
	s.U32("serial", &a.ser)
	s.U8("page", &a.page)
	s.U8("uart", &a.uart)
	s.Bytes("codec", a.codec[:])
	s.Check(a.page < 16 && a.sts&^7 == 0 && a.ser&^0x3fffff == 0, "a register is out of range")
	if s.Loading() {
		a.setGains()
		a.follow()
	}
}

func (c *channel) state(s *snap.Section) {
	s.Version(1)
	s.U32("address", &c.addr)
	s.U16("size", &c.size)
	s.U32("position", &c.pos)
	s.U16("count", &c.count)
	s.Int("left", &c.left, 0, 1<<16)
	s.Bool("ended", &c.ended)
	s.I64("epoch", &c.epoch)
	s.I64("done", &c.done)
	s.Check(c.pos < 1<<18+4, "a position is out of range")
	s.Check(c.epoch >= 0 && c.epoch <= 1<<60 && c.done >= 0 && c.done <= 1<<32, "a time is out of range")
}
