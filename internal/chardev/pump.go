package chardev

import (
	"io"
	"sync"
	"time"
)

// Throttler is a Port that tells how much Write takes without dropping. A
// sender that can wait has WhenRoom call it, once, on the event loop.
type Throttler interface {
	Room() int
	WhenRoom(f func())
}

// Limit is how many bytes to a slow peer are kept.
const Limit = 1 << 20

// Pump makes a Port of streams of the host that come and go (a socket's
// connections, a terminal). Goroutines read and write them; bytes and events
// reach the receiver by post. What is read and not yet taken is bounded: the
// peer is not read from until there is room.
type Pump struct {
	post func(func())
	log  io.WriteCloser // -chardev logfile=

	mu       sync.Mutex
	changed  *sync.Cond
	conn     io.ReadWriter // nil = no peer
	gen      int           // counts peers
	out      []byte
	writing  bool
	closed   bool
	in       []byte // read and not yet taken
	whenRoom []func()
	recv     Receiver // used on the event loop
	told     bool     // recv knows that there is a peer
}

// PumpConfig is what a Pump needs.
type PumpConfig struct {
	// Post is dev.Env.Post.
	Post func(func())
	// Log, if not nil, gets all that the guest sends.
	Log io.WriteCloser
}

// NewPump returns a Pump without a peer: what is written is only logged.
func NewPump(c PumpConfig) *Pump {
	p := &Pump{post: c.Post, log: c.Log}
	p.changed = sync.NewCond(&p.mu)
	go p.writer()
	return p
}

// Connect gives the pump a peer and reads from it; done, if not nil, is
// called with the error that ended it (io.EOF is the peer's hanging up).
func (p *Pump) Connect(conn io.ReadWriter, done func(error)) {
	p.mu.Lock()
	p.conn = conn
	p.gen++
	gen := p.gen
	p.mu.Unlock()
	p.event(Opened)
	go p.reader(conn, gen, done)
}

// Disconnect takes the peer away without closing it.
func (p *Pump) Disconnect() {
	p.mu.Lock()
	was := p.conn != nil
	p.conn = nil
	p.gen++
	p.changed.Broadcast()
	p.mu.Unlock()
	if was {
		p.event(Closed)
	}
}

// Connected reports whether there is a peer.
func (p *Pump) Connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn != nil
}

// Event tells the receiver of e.
func (p *Pump) Event(e Event) { p.event(e) }

func (p *Pump) event(e Event) { p.post(func() { p.tell(e) }) }

// tell passes an event on; that there is a peer, or none, is told once.
func (p *Pump) tell(e Event) {
	p.mu.Lock()
	r := p.recv
	known := e != Break && p.told == (e == Opened)
	if e != Break {
		p.told = e == Opened
	}
	p.mu.Unlock()
	if er, ok := r.(EventReceiver); ok && !known {
		er.Event(e)
	}
}

// Attach implements Port.
func (p *Pump) Attach(r Receiver) {
	p.mu.Lock()
	p.recv = r
	p.told = false
	open := p.conn != nil
	p.mu.Unlock()
	if open {
		p.tell(Opened)
	}
	p.Wake()
}

// Wake implements Waker.
func (p *Pump) Wake() {
	p.mu.Lock()
	waiting := len(p.in) > 0
	p.mu.Unlock()
	if waiting {
		p.post(p.deliver)
	}
}

// deliver hands over as much as the receiver takes.
func (p *Pump) deliver() {
	p.mu.Lock()
	r := p.recv
	if r == nil || len(p.in) == 0 {
		p.mu.Unlock()
		return
	}
	n := min(r.Room(), len(p.in))
	if n <= 0 {
		p.mu.Unlock()
		return
	}
	b := append([]byte(nil), p.in[:n]...)
	p.in = p.in[:copy(p.in, p.in[n:])]
	p.changed.Broadcast()
	p.mu.Unlock()
	r.Receive(b)
	p.mu.Lock()
	more := len(p.in) > 0
	p.mu.Unlock()
	if more && r.Room() > 0 {
		p.post(p.deliver)
	}
}

func (p *Pump) reader(conn io.Reader, gen int, done func(error)) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			p.mu.Lock()
			if p.gen != gen || p.closed {
				p.mu.Unlock()
				break
			}
			p.in = append(p.in, buf[:n]...)
			p.mu.Unlock()
			p.post(p.deliver)
			p.mu.Lock()
			for len(p.in) > 0 && p.gen == gen && !p.closed {
				p.changed.Wait()
			}
			p.mu.Unlock()
		}
		if err != nil {
			p.mu.Lock()
			mine := p.gen == gen
			p.mu.Unlock()
			if mine && done != nil {
				done(err)
			}
			return
		}
	}
}

// Write implements io.Writer: bytes are queued for the peer.
func (p *Pump) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	n := min(len(b), Limit-len(p.out))
	p.out = append(p.out, b[:n]...)
	p.changed.Broadcast()
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Room implements Throttler.
func (p *Pump) Room() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Limit - len(p.out)
}

// WhenRoom implements Throttler.
func (p *Pump) WhenRoom(f func()) {
	p.mu.Lock()
	p.whenRoom = append(p.whenRoom, f)
	p.changed.Broadcast()
	p.mu.Unlock()
}

func (p *Pump) writer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var buf []byte
	for {
		for len(p.out) == 0 && !p.closed && len(p.whenRoom) == 0 {
			p.changed.Wait()
		}
		if len(p.whenRoom) > 0 && len(p.out) <= Limit/2 {
			for _, f := range p.whenRoom {
				p.post(f)
			}
			p.whenRoom = nil
		}
		if len(p.out) == 0 {
			if p.closed {
				return
			}
			continue
		}
		// The rest stays in out, so that Room counts it until it is written.
		buf = append(buf[:0], p.out[:min(len(p.out), 32<<10)]...)
		conn, log, gen := p.conn, p.log, p.gen
		p.writing = true
		p.mu.Unlock()
		if log != nil {
			log.Write(buf)
		}
		var err error
		if conn != nil {
			_, err = conn.Write(buf)
		}
		p.mu.Lock()
		p.writing = false
		p.out = p.out[:copy(p.out, p.out[len(buf):])]
		if err != nil && p.gen == gen {
			p.conn = nil // the reader will say so
		}
		p.changed.Broadcast()
	}
}

// Drain waits until all that was written has gone out, at most for d.
func (p *Pump) Drain(d time.Duration) {
	expired := false
	t := time.AfterFunc(d, func() {
		p.mu.Lock()
		expired = true
		p.changed.Broadcast()
		p.mu.Unlock()
	})
	defer t.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for (len(p.out) > 0 || p.writing) && !expired {
		p.changed.Wait()
	}
}

// Close drains the pump for a moment and ends it. The streams are the
// owner's to close.
func (p *Pump) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	p.Drain(time.Second)
	p.mu.Lock()
	p.closed = true
	p.gen++
	p.changed.Broadcast()
	log := p.log
	p.mu.Unlock()
	if log != nil {
		return log.Close()
	}
	return nil
}
