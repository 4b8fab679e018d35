package hmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rhea/internal/chardev"
)

// maxInput is how many bytes of input wait for a command to end.
const maxInput = 4096

// Session is a monitor on a port. It is the port's Receiver; its goroutine
// runs the commands.
type Session struct {
	m    *Monitor
	port chardev.Port
	// remote: whoever shows the display sits there. It reaches the machine,
	// not its host.
	remote bool
	edit   editor
	out    bytes.Buffer // what the editor wrote, to go out
	// quitting: the user has said quit, and gets no prompt any more.
	quitting bool

	interrupt atomic.Bool // ^C while a command runs

	mu     sync.Mutex
	queue  []byte
	opened int  // how often the port was opened
	turned bool // the user has come back to the port, which others use too
	left   bool // and has left it
	open   bool // somebody is there
	closed bool // Close was called
	wake   chan struct{}
	room   chan struct{}
}

// Attach makes m the receiver of port's bytes. The banner and the prompt are
// written when a peer is there: at once, unless the port says that it is not
// connected.
func (m *Monitor) Attach(port chardev.Port) *Session { return m.attach(port, false) }

// AttachRemote is Attach for peers that must not reach the host's files and
// network.
func (m *Monitor) AttachRemote(port chardev.Port) *Session { return m.attach(port, true) }

func (m *Monitor) attach(port chardev.Port, remote bool) *Session {
	s := &Session{m: m, port: port, remote: remote, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	s.edit = editor{prompt: "(qemu) ", out: &s.out, complete: m.Complete}
	if remote {
		s.edit.complete = m.completeRemote
	}
	go s.loop()
	m.c.Machine.Do(func() {
		port.Attach(s)
		if p, ok := port.(interface{ Connected() bool }); !ok || p.Connected() {
			s.Event(chardev.Opened)
		}
	})
	return s
}

// Close ends the session.
func (s *Session) Close() error {
	s.interrupt.Store(true)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.signal()
	s.m.c.Machine.Do(func() { s.port.Attach(nil) })
	return nil
}

func (s *Session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Room implements chardev.Receiver.
func (s *Session) Room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maxInput - len(s.queue)
}

// Receive implements chardev.Receiver. A ^C stops the command that runs.
func (s *Session) Receive(p []byte) {
	s.mu.Lock()
	if i := slices.Index(p, 0x03); i >= 0 {
		s.interrupt.Store(true)
		s.hasRoom()
	}
	s.queue = append(s.queue, p[:min(len(p), maxInput-len(s.queue))]...)
	s.mu.Unlock()
	s.signal()
}

// Event implements chardev.EventReceiver.
func (s *Session) Event(e chardev.Event) {
	s.mu.Lock()
	switch e {
	case chardev.Opened:
		if !s.open {
			s.open = true
			s.opened++
			s.queue = nil
		}
	case chardev.Closed:
		s.open = false
		s.interrupt.Store(true)
		s.hasRoom()
	}
	s.mu.Unlock()
	s.signal()
}

// Focus implements mux.Focuser: whoever comes back sees the prompt, and what
// was typed; whoever leaves leaves the line.
func (s *Session) Focus(on bool) {
	s.mu.Lock()
	if s.open {
		s.turned, s.left = on, s.left || !on
	}
	s.mu.Unlock()
	s.signal()
}

// history is the lines typed, for "info history".
func (s *Session) history() []string { return s.edit.history }

// loop is the session's goroutine.
func (s *Session) loop() {
	greeted := 0
	for {
		s.mu.Lock()
		input, opened, closed := s.queue, s.opened, s.closed
		turned, left := s.turned, s.left
		s.queue, s.turned, s.left = nil, false, false
		s.mu.Unlock()
		if closed {
			return
		}
		if left && opened == greeted {
			s.out.WriteString("\r\n")
		}
		if opened != greeted {
			greeted, s.quitting = opened, false
			s.interrupt.Store(false)
			fmt.Fprintf(&s.out, "QEMU %s monitor - type 'help' for more information\r\n", s.m.c.Version)
			s.edit.start()
		} else if turned && !s.quitting {
			s.edit.again()
		}
		if len(input) == 0 {
			s.flush()
			<-s.wake
			continue
		}
		if w, ok := s.port.(chardev.Waker); ok {
			s.m.c.Machine.Post(w.Wake)
		}
		for _, b := range input {
			if b == 0x03 {
				s.interrupt.Store(false)
			}
			line, done := s.edit.feed(b)
			if !done {
				continue
			}
			s.flush()
			s.m.run(s, line, terminal{s})
			if !s.quitting {
				s.edit.start()
			}
		}
		s.flush()
	}
}

// terminal is a command's output to the session: a terminal's line ends.
type terminal struct{ s *Session }

func (t terminal) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			t.s.out.WriteByte('\r')
		}
		t.s.out.WriteByte(b)
	}
	return len(p), nil
}

// throttler is a port that tells when Write takes more again.
type throttler interface{ WhenRoom(f func()) }

// flush writes what has gathered to the port, as fast as its peer takes it.
// A ^C drops it.
func (s *Session) flush() {
	for s.out.Len() > 0 {
		if s.interrupt.Load() {
			s.out.Reset()
			return
		}
		chunk := s.out.Bytes()
		chunk = chunk[:min(len(chunk), 4096)]
		var n int
		var err error
		s.m.c.Machine.Do(func() { n, err = s.port.Write(chunk) })
		s.out.Next(n)
		switch {
		case n == len(chunk):
		case err != nil && !errors.Is(err, io.ErrShortWrite):
			s.out.Reset()
		case s.gone():
			s.out.Reset()
		default:
			s.await()
		}
	}
}

// hasRoom ends await.
func (s *Session) hasRoom() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

func (s *Session) gone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || !s.open
}

// await waits until the port takes more, or something has happened.
func (s *Session) await() {
	retry := time.Second
	if t, ok := s.port.(throttler); ok {
		s.m.c.Machine.Do(func() { t.WhenRoom(s.hasRoom) })
	} else {
		retry = 10 * time.Millisecond
	}
	select {
	case <-s.room:
	case <-time.After(retry):
	}
}
