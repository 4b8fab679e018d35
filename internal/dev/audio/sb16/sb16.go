// Package sb16 models Creative's Sound Blaster 16 (CT1740, DSP 4.05, mixer
// CT1745) after the "Sound Blaster Series Hardware Programming Guide" (2nd
// edition, 1996), whose chapters are named below, with the FM synthesizer of
// an AdLib and an MPU-401 in UART mode.
//
// A transfer runs by the machine's clock: whatever brings the card up to date
// (its timer at the end of a block, the mixer, a look at the DMA controller's
// counters) moves the samples that are due by then. An interrupt of a block's
// end comes exactly when the block's last sample is due, unless the host is
// late: then the next does not come before the guest has had time for it.
package sb16

import (
	"rhea/internal/audio"
	"rhea/internal/dev"
	"rhea/internal/dev/audio/opl2"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// IRQs and DMAs are what mixer registers 80h and 81h select, by their bits
// (chapter 3, "Interrupt Setup Register", "DMA Setup Register").
var (
	IRQs = [4]int{9, 5, 7, 10}
	DMAs = [8]int{0, 1, -1, 3, -1, 5, 6, 7}
)

// Config wires a card.
type Config struct {
	Env   dev.Env
	Audio *audio.Mixer // nil = nobody listens
	// IRQ are the interrupts that IRQs names, DREQ the request lines of the
	// DMA channels of their numbers.
	IRQ  [4]irq.Line
	DREQ [8]irq.Line
	// IRQSelect and DMASelect are what registers 80h and 81h hold after power-on,
	// 0 = IRQ 5, DMA 1 and 5.
	IRQSelect, DMASelect uint8
	// Version is the DSP's, 0 = 4.05 (0405h).
	Version uint16
}

// Card is a Sound Blaster 16.
type Card struct {
	c Config
	// FM is the synthesizer.
	FM    *opl2.Chip
	dsp   dsp
	ch    [2]channel // of 8 and of 16 bits
	mixer mixer
	mpu   mpu
	irq   uint8 // pending, as register 82h shows them
	timer *vclock.Timer
	// running: the card itself has asked for the data that come.
	running bool
	dac     held
	buf     [512]audio.Frame
}

// Bits of register 82h (chapter 3, "Interrupt Status Register").
const (
	irq8   = 1 << 0
	irq16  = 1 << 1
	irqMPU = 1 << 2
)

// New returns a card.
func New(c Config) *Card {
	if c.Version == 0 {
		c.Version = 0x0405
	}
	if c.IRQSelect == 0 {
		c.IRQSelect = 1 << 1
	}
	if c.DMASelect == 0 {
		c.DMASelect = 1<<1 | 1<<5
	}
	s := &Card{c: c}
	s.FM = opl2.New(opl2.Config{Env: c.Env, Audio: c.Audio, Name: "sb16.fm"})
	s.timer = c.Env.Clock.NewTimer(s.expire)
	s.ch[0] = channel{bit: irq8, voice: c.Audio.Voice("sb16.dsp8", s.expire)}
	s.ch[1] = channel{bit: irq16, voice: c.Audio.Voice("sb16.dsp16", s.expire)}
	s.dac.voice = c.Audio.Voice("sb16.dac", s.expire)
	s.Reset()
	return s
}

func (s *Card) now() int64 { return s.c.Env.Clock.Now() }

// Reset implements dev.Device.
func (s *Card) Reset() {
	s.dsp = dsp{}
	s.resetDSP()
	s.dsp.readyAt = 0
	s.mixer = mixer{}
	s.mixer.setup = [2]uint8{s.c.IRQSelect, s.c.DMASelect}
	s.mixer.reset()
	s.setGains()
	s.mpu = mpu{}
	s.irq = 0
	s.FM.Reset()
}

// Regions returns the ports: of the card (16, from 220h), of the MPU-401 (2,
// from 330h) and of the synthesizer (4, from 388h).
func (s *Card) Regions() (card, mpu, fm *mem.Region) {
	card = mem.NewIO("sb16", 16, mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(s.read(off & 15)) },
		W: func(off uint64, _ int, v uint64) { s.write(off&15, uint8(v)) },
	}).Sizes(1, 1)
	mpu = mem.NewIO("mpu401", 2, mem.Handlers{
		R: func(off uint64, _ int) uint64 { return uint64(s.readMPU(off & 1)) },
		W: func(off uint64, _ int, v uint64) { s.writeMPU(off&1, uint8(v)) },
	}).Sizes(1, 1)
	return card, mpu, s.FM.Region(4)
}

// Ports (chapter 1, "DSP I/O ports").
const (
	portFM2    = 0x8
	portMixer  = 0x4
	portMixerD = 0x5
	portReset  = 0x6
	portRead   = 0xa
	portWrite  = 0xc
	portStatus = 0xe // a read acknowledges the 8-bit interrupt
	portAck16  = 0xf
)

func (s *Card) read(off uint64) uint8 {
	s.bring()
	switch off {
	case 0, 1, 2, 3, portFM2, portFM2 + 1:
		return s.FM.Read(off)
	case portMixer:
		return s.mixer.at
	case portMixerD:
		return s.readMixer()
	case portRead:
		return s.dsp.get()
	case portWrite:
		if s.dsp.busy() {
			return 0xff
		}
		return 0x7f
	case portStatus:
		s.acknowledge(irq8)
		if s.dsp.n > 0 {
			return 0xff
		}
		return 0x7f
	case portAck16:
		s.acknowledge(irq16)
	}
	return 0xff
}

func (s *Card) write(off uint64, v uint8) {
	s.bring()
	switch off {
	case 0, 1, 2, 3, portFM2, portFM2 + 1:
		s.FM.Write(off, v)
	case portMixer:
		s.mixer.at = v
	case portMixerD:
		s.writeMixer(v)
	case portReset:
		s.writeReset(v)
	case portWrite:
		s.command(v)
	}
	s.Settle()
}

// raise makes an interrupt pending.
func (s *Card) raise(bit uint8) { s.irq |= bit }

func (s *Card) acknowledge(bit uint8) {
	if s.irq&bit != 0 {
		s.irq &^= bit
		s.Settle()
	}
}

// bring brings the card up to date.
func (s *Card) bring() {
	now := s.now()
	if s.dsp.readyAt != 0 && now >= s.dsp.readyAt {
		s.dsp.readyAt = 0
		s.dsp.put(0xaa)
	}
	for i := range s.ch {
		s.run(&s.ch[i], now)
	}
	s.hold(now)
}

// expire is the timer's, and the mixer's while a voice is active.
func (s *Card) expire() {
	s.bring()
	s.Settle()
}

// Settle implements dev.Settler.
func (s *Card) Settle() {
	for i, l := range s.c.IRQ {
		l.Set(s.irq != 0 && s.mixer.setup[0]>>i&1 != 0)
	}
	next := s.dsp.readyAt
	for i := range s.ch {
		if at := s.ch[i].next(s); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if next != 0 {
		s.timer.Set(next)
	} else {
		s.timer.Stop()
	}
	for n, l := range s.c.DREQ {
		l.Set(s.requests(n))
	}
}

// requests reports whether the card wants data of DMA channel n.
func (s *Card) requests(n int) bool {
	for i := range s.ch {
		if s.dma(i) == n && s.ch[i].want > 0 {
			return true
		}
	}
	return s.dsp.identify && s.dma(0) == n
}

// dma returns the DMA channel of s.ch[i], -1 = none. Without a channel of 16
// bits the 8-bit one has both (chapter 3, "DMA Setup Register").
func (s *Card) dma(i int) int {
	sel := s.mixer.setup[1]
	if i == 1 {
		for n := 5; n <= 7; n++ {
			if sel>>n&1 != 0 {
				return n
			}
		}
	}
	for n := 0; n <= 3; n++ {
		if sel>>n&1 != 0 && n != 2 {
			return n
		}
	}
	return -1
}

// State implements dev.Device.
func (s *Card) State(sec *snap.Section) {
	sec.Version(1)
	s.dsp.state(sec)
	sec.Sub("channel8", s.ch[0].state)
	sec.Sub("channel16", s.ch[1].state)
	sec.Sub("mixer", s.mixer.state)
	sec.Sub("mpu401", s.mpu.state)
	sec.Sub("fm", s.FM.State)
	sec.U8("irq", &s.irq)
	sec.Check(s.irq&^(irq8|irq16|irqMPU) == 0, "irq is out of range")
	if sec.Loading() {
		s.setGains()
		for i := range s.ch {
			s.ch[i].loaded()
		}
	}
}
