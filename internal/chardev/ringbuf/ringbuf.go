// Package ringbuf is a character device that keeps the last bytes the guest
// has sent, for the monitor to read.
package ringbuf

import (
	"sync"

	"rhea/internal/chardev"
)

// Port is the device.
type Port struct {
	mu   sync.Mutex
	buf  []byte
	head uint64 // bytes ever written
	tail uint64 // of the oldest byte that is kept
	recv chardev.Receiver
	post func(func())
	in   []byte
}

// New returns a device that keeps size bytes, a power of two.
func New(size int, post func(func())) *Port { return &Port{buf: make([]byte, size), post: post} }

// Write implements io.Writer.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range b {
		p.buf[p.head%uint64(len(p.buf))] = c
		p.head++
	}
	if n := uint64(len(p.buf)); p.head-p.tail > n {
		p.tail = p.head - n
	}
	return len(b), nil
}

// Read takes at most max bytes out, the oldest first.
func (p *Port) Read(max int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(uint64(max), p.head-p.tail)
	b := make([]byte, n)
	for i := range b {
		b[i] = p.buf[p.tail%uint64(len(p.buf))]
		p.tail++
	}
	return b
}

// Send gives the guest bytes (the monitor's ringbuf_write); at most 64 KiB
// wait for a guest that does not take them.
func (p *Port) Send(b []byte) {
	p.mu.Lock()
	p.in = append(p.in, b[:min(len(b), max(0, 1<<16-len(p.in)))]...)
	p.mu.Unlock()
	p.post(p.deliver)
}

// Attach implements chardev.Port.
func (p *Port) Attach(r chardev.Receiver) {
	p.mu.Lock()
	p.recv = r
	p.mu.Unlock()
	p.post(p.deliver)
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
	b := p.in[:n]
	p.in = p.in[n:]
	p.mu.Unlock()
	if n > 0 {
		r.Receive(b)
	}
}
