package sb16

import (
	"rhea/internal/audio"
	"rhea/internal/snap"
)

// form is how samples are stored.
type form uint8

const (
	none form = iota
	quiet
	pcm8
	pcm16
	adpcm2
	adpcm26
	adpcm4
	nForms
)

// format is what is transferred. A unit is a byte, or a word of pcm16.
type format struct {
	form   form
	input  bool
	auto   bool
	stereo bool
	signed bool
}

// pace is how many units there are for how many frames.
func (f format) pace() (units, frames int64) {
	switch f.form {
	case adpcm2:
		return 1, 4
	case adpcm26:
		return 1, 3
	case adpcm4:
		return 1, 2
	}
	if f.stereo {
		return 2, 1
	}
	return 1, 1
}

func (f format) size() int {
	if f.form == pcm16 {
		return 2
	}
	return 1
}

// channel is a transfer with the digital-analogue converter.
type channel struct {
	// The wires.
	bit   uint8 // of the interrupt
	voice *audio.Voice

	f      format
	paused bool
	rate   int
	block  uint32 // units of a block
	left   uint32 // of the current one
	epoch  int64  // the time at which done was 0
	done   int64  // units since then
	raised int64  // when the last block's interrupt was raised
	want   int    // bytes that are due, and the DMA controller has not yet brought

	partial uint8 // the first byte of a word
	half    bool  // there is one
	sample  int16 // left, while right is awaited
	right   bool

	adpcm   adpcm
	wantRef bool // the next byte is the reference
}

// minGap is how close interrupts may follow each other while the guest does
// not acknowledge them: the rest is as hardware has it, so a block of one
// sample is a guest's own harm.
const minGap = 250_000

// fifo is how many units the DSP keeps.
const fifo = 16

// maxLag is how much is made up for when the host was late.
const maxLag = 200_000_000

// begin starts a transfer of blocks of n units.
func (s *Card) begin(ch *channel, f format, n uint32) {
	ch.stop()
	now := s.now()
	ch.f, ch.block, ch.left = f, n, n
	ch.epoch, ch.raised = now, now
	ch.rate = s.dsp.frameRate(f)
	if !f.input {
		ch.voice.SetRate(ch.rate)
		ch.voice.SetActive(true)
	}
}

// stop ends what is transferred.
func (ch *channel) stop() {
	ch.voice.SetActive(false)
	*ch = channel{bit: ch.bit, voice: ch.voice, rate: 8000, block: 1, left: 1}
}

// setRates gives new rates to what runs.
func (s *Card) setRates() {
	now := s.now()
	for i := range s.ch {
		ch := &s.ch[i]
		if r := s.dsp.frameRate(ch.f); ch.f.form != none && r != ch.rate {
			ch.rebase(now)
			ch.rate = r
			ch.voice.SetRate(r)
		}
	}
}

// rebase counts time from now on.
func (ch *channel) rebase(now int64) { ch.epoch, ch.done = now, 0 }

func (ch *channel) pause(on bool, now int64) {
	if ch.f.form == none || ch.paused == on {
		return
	}
	ch.paused = on
	ch.want = 0
	ch.rebase(now)
	ch.voice.SetActive(!on && !ch.f.input)
}

// loaded has the voice follow a state that was loaded.
func (ch *channel) loaded() {
	ch.voice.SetRate(ch.rate)
	ch.voice.SetActive(ch.f.form != none && !ch.paused && !ch.f.input)
}

// at is when unit n, from 1, after epoch is due.
func (ch *channel) at(n int64) int64 {
	u, f := ch.f.pace()
	return ch.epoch + audio.Time(n*f, ch.rate*int(u))
}

// end is when the block may end.
func (ch *channel) end(s *Card) int64 {
	at := ch.at(ch.done + int64(ch.left))
	if s.irq&ch.bit != 0 {
		// The guest has not yet seen the last one.
		u, f := ch.f.pace()
		gap := audio.Time(int64(ch.block)*f, ch.rate*int(u)) / 2
		at = max(at, ch.raised+max(gap, minGap))
	}
	return at
}

// next is when the card must look after ch, 0 = never.
func (ch *channel) next(s *Card) int64 {
	if ch.f.form == none || ch.paused || ch.want > 0 {
		return 0
	}
	return ch.end(s)
}

// run transfers what is due.
func (s *Card) run(ch *channel, now int64) {
	if ch.f.form == none || ch.paused {
		return
	}
	if ch.want > 0 {
		// The DMA controller has not brought what was due: time stands.
		ch.rebase(now)
		return
	}
	if lag := now - ch.at(ch.done+1); lag > maxLag {
		ch.epoch += lag - maxLag
	}
	for {
		u, f := ch.f.pace()
		due := audio.Frames(now-ch.epoch, ch.rate*int(u))/f - ch.done
		if due >= int64(ch.left) {
			due = int64(ch.left)
			if now < ch.end(s) {
				due--
			}
		}
		if due <= 0 {
			return
		}
		if ch.f.form == quiet {
			ch.rest(s, due)
		} else {
			ch.want = int(due) * ch.f.size()
			if ch.half && ch.f.size() > 1 { // a unit of one byte has no half: it is left of another form
				ch.want--
			}
			if n := s.dma(ch.index()); n >= 0 {
				s.running = true
				s.c.DREQ[n].Set(true)
				s.running = false
			}
			// What does not come waits: the DSP asks for as much as its FIFO
			// holds.
			ch.want = min(ch.want, fifo*ch.f.size())
		}
		if ch.want > 0 || ch.f.form == none {
			return
		}
	}
}

func (ch *channel) index() int { return int(ch.bit >> 1) }

// rest plays silence.
func (ch *channel) rest(s *Card, units int64) {
	for n := units; n > 0; {
		p := s.buf[:min(n, int64(len(s.buf)))]
		clear(p)
		ch.voice.Play(p)
		n -= int64(len(p))
	}
	ch.moved(s, units)
}

// moved counts units, and ends the block.
func (ch *channel) moved(s *Card, units int64) {
	ch.done += units
	ch.left -= uint32(units)
	if ch.left > 0 {
		return
	}
	ch.epoch, ch.done = ch.at(ch.done), 0
	ch.raised = s.now()
	s.raise(ch.bit)
	if ch.f.auto {
		ch.left = ch.block
		return
	}
	ch.stop()
}

// Peer is the card's end of DMA channel n (i8237.Peer).
func (s *Card) Peer(n int) Peer { return Peer{s, n} }

// Peer is one of the card's DMA channels.
type Peer struct {
	s *Card
	n int
}

// serves returns the transfer that DMA channel p is about.
func (p Peer) serves(input bool) *channel {
	for i := range p.s.ch {
		if ch := &p.s.ch[i]; p.s.dma(i) == p.n && ch.want > 0 && ch.f.input == input {
			return ch
		}
	}
	return nil
}

// DMAPoll has the controller's counters say what they should now.
func (p Peer) DMAPoll() {
	p.s.bring()
	p.s.Settle()
}

// DMARead implements i8237.Peer.
func (p Peer) DMARead(b []byte, _ bool) int {
	ch := p.serves(false)
	if ch == nil {
		return 0
	}
	n := min(len(b), ch.want)
	ch.want -= n
	p.account(ch, ch.decode(p.s, b[:n]))
	return n
}

// account counts units that the DMA controller has moved.
func (p Peer) account(ch *channel, units int64) {
	if !p.s.running {
		// They come late: the guest has only now set up the controller.
		ch.rebase(p.s.now())
	}
	if units > 0 {
		ch.moved(p.s, units)
	}
	p.s.Settle()
}

// DMAWrite implements i8237.Peer: what is recorded is silence.
func (p Peer) DMAWrite(b []byte, _ bool) int {
	s := p.s
	if s.dsp.identify && s.dma(0) == p.n && len(b) > 0 {
		b[0] = s.dsp.sum
		s.dsp.identify = false
		s.Settle()
		return 1
	}
	ch := p.serves(true)
	if ch == nil {
		return 0
	}
	n := min(len(b), ch.want)
	ch.want -= n
	units := int64(0)
	for i := range b[:n] {
		b[i] = 0
		if ch.f.form == pcm16 {
			// The middle of unsigned words is 8000h.
			if ch.half = !ch.half; ch.half {
				continue
			}
		}
		if !ch.f.signed {
			b[i] = 0x80
		}
		units++
	}
	p.account(ch, units)
	return n
}

// decode plays bytes, and returns the units that they complete.
func (ch *channel) decode(s *Card, b []byte) (units int64) {
	out := s.buf[:0]
	for _, x := range b {
		if len(out)+4 > cap(out) {
			ch.voice.Play(out)
			out = out[:0]
		}
		switch ch.f.form {
		case pcm8:
			if !ch.f.signed {
				x ^= 0x80
			}
			out = ch.put(out, int16(uint16(x)<<8))
			units++
		case pcm16:
			if !ch.half {
				ch.partial, ch.half = x, true
				continue
			}
			ch.half = false
			v := word(ch.partial, x)
			if !ch.f.signed {
				v ^= 0x8000
			}
			out = ch.put(out, int16(v))
			units++
		default:
			units++
			if ch.wantRef {
				ch.wantRef = false
				ch.adpcm = adpcm{ref: x}
				continue
			}
			out = ch.adpcm.decode(out, ch.f.form, x)
		}
	}
	ch.voice.Play(out)
	return units
}

// put adds a sample to the frames.
func (ch *channel) put(out []audio.Frame, v int16) []audio.Frame {
	switch {
	case !ch.f.stereo:
		return append(out, audio.Frame{L: v, R: v})
	case !ch.right:
		ch.sample, ch.right = v, true
		return out
	}
	ch.right = false
	return append(out, audio.Frame{L: ch.sample, R: v})
}

func (ch *channel) state(s *snap.Section) {
	s.Version(1)
	s.U8("form", (*uint8)(&ch.f.form))
	s.Bool("input", &ch.f.input)
	s.Bool("auto", &ch.f.auto)
	s.Bool("stereo", &ch.f.stereo)
	s.Bool("signed", &ch.f.signed)
	s.Bool("paused", &ch.paused)
	s.Int("rate", &ch.rate, 1900, 45454)
	s.U32("block", &ch.block)
	s.U32("left", &ch.left)
	s.I64("epoch", &ch.epoch)
	s.I64("done", &ch.done)
	s.I64("raised", &ch.raised)
	s.Int("want", &ch.want, 0, 1<<17)
	s.U8("partial", &ch.partial)
	s.Bool("half", &ch.half)
	s.Bool("right", &ch.right)
	sample := uint16(ch.sample)
	s.U16("sample", &sample)
	ch.sample = int16(sample)
	s.U8("reference", &ch.adpcm.ref)
	s.U8("step", &ch.adpcm.step)
	s.Bool("want_reference", &ch.wantRef)
	s.Check(ch.f.form < nForms, "form is out of range")
	s.Check(ch.block >= 1 && ch.block <= 1<<16 && ch.left >= 1 && ch.left <= ch.block, "left is out of range")
	s.Check(ch.want == 0 || ch.f.form > quiet && ch.want <= int(ch.left)*ch.f.size(), "want is out of range")
	ok := func(t int64) bool { return t >= 0 && t <= 1<<60 }
	s.Check(ok(ch.epoch) && ok(ch.raised) && ch.done >= 0 && ch.done <= 1<<17, "a time is out of range")
	s.Check(ch.adpcm.step < maxSteps, "step is out of range")
}
