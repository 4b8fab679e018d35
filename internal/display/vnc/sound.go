package vnc

import (
	"encoding/binary"
	"errors"

	"rhea/internal/audio"
)

// Operations of QEMU's audio messages, of the client and of the server
// (rfbproto, "QEMU Audio Client Message", "QEMU Audio Server Message").
const (
	audioEnable  = 0
	audioDisable = 1
	audioFormat  = 2

	audioEnd   = 0
	audioBegin = 1
	audioData  = 2
)

// soundForm is a form of samples, which are little-endian.
type soundForm struct {
	bits     int
	unsigned bool
	channels int
	rate     int
}

// defaultSound is what a client hears that has not said what it wants.
var defaultSound = soundForm{bits: 16, channels: 2, rate: 44100}

// parseSound reads the form of a set-format message.
func parseSound(b []byte) (soundForm, error) {
	f := soundForm{channels: int(b[1])}
	rate := binary.BigEndian.Uint32(b[2:])
	switch {
	case b[0] > 5:
		return f, errors.New("vnc: unknown format of samples")
	case f.channels != 1 && f.channels != 2:
		return f, errors.New("vnc: sound has one channel or two")
	case rate < audio.MinRate || rate > audio.MaxRate:
		return f, errors.New("vnc: impossible rate of sound")
	}
	f.bits, f.unsigned, f.rate = 8<<(b[0]/2), b[0]%2 == 0, int(rate)
	return f, nil
}

// append appends frames.
func (f *soundForm) append(b []byte, frames []audio.Frame) []byte {
	put := func(v int16) {
		x := uint32(int32(v)) << 16
		if f.unsigned {
			x ^= 1 << 31
		}
		for i := 32 - f.bits; i < 32; i += 8 {
			b = append(b, byte(x>>i))
		}
	}
	for _, s := range frames {
		if f.channels == 1 {
			put(int16((int32(s.L) + int32(s.R)) / 2))
			continue
		}
		put(s.L)
		put(s.R)
	}
	return b
}

// ear is a client's listening.
type ear struct {
	as     soundForm
	q      *audio.Queue // nil = it does not listen
	detach func()
}

// audioMessage takes a QEMU audio message behind its sub-type.
func (c *client) audioMessage() error {
	b, err := c.bytes(2)
	if err != nil {
		return err
	}
	if c.s.c.Sound == nil {
		return errors.New("vnc: there is no sound")
	}
	switch binary.BigEndian.Uint16(b) {
	case audioEnable:
		c.listen()
		return nil
	case audioDisable:
		c.deafen()
		return nil
	case audioFormat:
		if b, err = c.bytes(6); err != nil {
			return err
		}
		c.ear.as, err = parseSound(b) // from the next enable on
		return err
	}
	return errors.New("vnc: unknown message")
}

// audioHead begins a message of the server.
func audioHead(op byte) []byte { return []byte{msgQEMU, qemuAudio, 0, op} }

// listen has the client get sound. What it is too slow for is left out.
func (c *client) listen() {
	if c.ear.q != nil {
		return
	}
	mixer := c.s.c.Sound
	q := audio.NewQueue(c.ear.as.rate / 4)
	sink := audio.Sink(q)
	if mixer.Rate() != c.ear.as.rate {
		sink = audio.NewConverter(q, mixer.Rate(), c.ear.as.rate)
	}
	c.ear.q = q
	c.hear(q)
	c.send(audioHead(audioBegin))
	c.s.c.Do(func() { c.ear.detach = mixer.Attach(sink) })
	go c.play(q, c.ear.as)
}

// hear says what the client listens to; nil = nothing.
func (c *client) hear(q *audio.Queue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hears, c.sound = q, nil
	c.cond.Broadcast()
}

// play gives frames to the writer, one message after the other.
func (c *client) play(q *audio.Queue, form soundForm) {
	var frames [1024]audio.Frame
	for n := q.Wait(frames[:]); n > 0; n = q.Wait(frames[:]) {
		m := append(audioHead(audioData), 0, 0, 0, 0)
		m = form.append(m, frames[:n])
		binary.BigEndian.PutUint32(m[4:], uint32(len(m)-8))
		c.mu.Lock()
		for c.sound != nil && c.hears == q {
			c.cond.Wait()
		}
		mine := c.hears == q
		if mine {
			c.sound = m
			c.cond.Broadcast()
		}
		c.mu.Unlock()
		if !mine {
			return
		}
	}
}

// deafen ends listen.
func (c *client) deafen() {
	if c.ear.q == nil {
		return
	}
	c.s.c.Do(c.ear.detach)
	c.hear(nil)
	c.ear.q.Close()
	c.ear.q = nil
	c.send(audioHead(audioEnd))
}
