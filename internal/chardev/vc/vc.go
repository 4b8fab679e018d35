// Package vc is a character device that people see in a console of a display
// (-serial vc, the monitor of a machine with a display): it keeps the last
// that was written for those who come later.
package vc

import (
	"io"
	"sync"

	"rhea/internal/chardev"
)

// Bounds of what is kept: of what was written, and of what was typed and not
// taken.
const (
	history   = 64 << 10
	typeAhead = 4096
)

// Port is the device.
type Port struct {
	post func(func())
	log  io.WriteCloser

	mu    sync.Mutex
	cond  *sync.Cond
	text  []byte // the last that was written
	total uint64 // bytes ever written
	in    []byte
	recv  chardev.Receiver
	done  bool
}

// New returns a console without anybody in front of it.
func New(c chardev.PumpConfig) *Port {
	p := &Port{post: c.Post, log: c.Log}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// Write implements io.Writer.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, b...)
	if n := len(p.text); n > 2*history {
		p.text = p.text[:copy(p.text, p.text[n-history:])]
	}
	p.total += uint64(len(b))
	if p.log != nil {
		p.log.Write(b)
	}
	p.cond.Broadcast()
	return len(b), nil
}

// Attach implements chardev.Port. To the receiver there is always a peer.
func (p *Port) Attach(r chardev.Receiver) {
	p.mu.Lock()
	p.recv = r
	p.mu.Unlock()
	if e, ok := r.(chardev.EventReceiver); ok {
		e.Event(chardev.Opened)
	}
	p.Wake()
}

// Wake implements chardev.Waker.
func (p *Port) Wake() { p.post(p.deliver) }

func (p *Port) deliver() {
	p.mu.Lock()
	r := p.recv
	if r == nil || len(p.in) == 0 {
		p.mu.Unlock()
		return
	}
	n := max(0, min(r.Room(), len(p.in)))
	b := append([]byte(nil), p.in[:n]...)
	p.in = p.in[:copy(p.in, p.in[n:])]
	p.mu.Unlock()
	if n > 0 {
		r.Receive(b)
	}
}

// Close ends all views.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.cond.Broadcast()
	if p.log != nil {
		return p.log.Close()
	}
	return nil
}

// View is somebody in front of the console: Read waits for what is written,
// beginning with what is kept, Write types.
type View struct {
	p      *Port
	at     uint64 // of the next byte
	closed bool
}

// Open returns a view.
func (p *Port) Open() *View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &View{p: p, at: p.total - uint64(min(len(p.text), history))}
}

// Read implements io.Reader. A reader that is slow misses what is no longer
// kept.
func (v *View) Read(b []byte) (int, error) {
	p := v.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for v.at == p.total && !v.closed && !p.done {
		p.cond.Wait()
	}
	if v.closed || v.at == p.total {
		return 0, io.EOF
	}
	v.at = max(v.at, p.total-uint64(len(p.text)))
	n := copy(b, p.text[uint64(len(p.text))-(p.total-v.at):])
	v.at += uint64(n)
	return n, nil
}

// Write implements io.Writer. What is typed too far ahead is lost.
func (v *View) Write(b []byte) (int, error) {
	p := v.p
	p.mu.Lock()
	p.in = append(p.in, b[:min(len(b), typeAhead-len(p.in))]...)
	p.mu.Unlock()
	p.Wake()
	return len(b), nil
}

// Close ends the view.
func (v *View) Close() error {
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.closed = true
	v.p.cond.Broadcast()
	return nil
}
