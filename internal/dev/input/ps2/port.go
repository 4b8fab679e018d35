// Package ps2 models the devices on PS/2 ports: the keyboard and the mouse of
// the IBM PS/2 Hardware Interface Technical Reference, the mouse with the
// wheel and five-button protocols of Microsoft's IntelliMouse.
package ps2

import "rhea/internal/snap"

// Bytes that both kinds of device send.
const (
	rspBAT    = 0xaa // self-test passed
	rspACK    = 0xfa
	rspResend = 0xfe
)

// queueSize is the bound of what a device holds for the system.
const queueSize = 16

// fifo is a bounded queue of bytes.
type fifo struct {
	buf [queueSize]byte
	n   int
}

func (f *fifo) room() int { return queueSize - f.n }

// push adds all of p, or nothing where there is no room.
func (f *fifo) push(p ...byte) bool {
	if len(p) > f.room() {
		return false
	}
	copy(f.buf[f.n:], p)
	f.n += len(p)
	return true
}

func (f *fifo) pop() byte {
	b := f.buf[0]
	copy(f.buf[:], f.buf[1:f.n])
	f.n--
	f.buf[f.n] = 0
	return b
}

func (f *fifo) state(s *snap.Section) {
	s.Version(1)
	s.Bytes("data", f.buf[:])
	s.Int("n", &f.n, 0, queueSize)
	if s.Err() != nil {
		f.n = 0
	}
}

// port is a device's end of the cable: answers go before data.
type port struct {
	replies fifo
	data    fifo
	last    byte
	ready   func()
}

// Connect names who is told that Pending may have become true.
func (p *port) Connect(ready func()) { p.ready = ready }

func (p *port) notify() {
	if p.ready != nil {
		p.ready()
	}
}

// Pending reports whether the device has a byte to send.
func (p *port) pending() bool { return p.replies.n+p.data.n > 0 }

func (p *port) next() byte {
	switch {
	case p.replies.n > 0:
		p.last = p.replies.pop()
	case p.data.n > 0:
		p.last = p.data.pop()
	}
	return p.last
}

func (p *port) reset() { p.replies, p.data, p.last = fifo{}, fifo{}, 0 }

func (p *port) state(s *snap.Section) {
	s.Sub("replies", p.replies.state)
	s.Sub("data", p.data.state)
	s.U8("last", &p.last)
}
