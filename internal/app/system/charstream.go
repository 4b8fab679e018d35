package system

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"rhea/internal/chardev"
	"rhea/internal/chardev/ringbuf"
	"rhea/internal/monitor/hmp"
	"rhea/internal/netdev/user"
)

// charService makes connections to a character device, one at a time
// (guestfwd).
func (m *machine) charService(id string) func() (user.Stream, error) {
	port := m.port(id)
	var mu sync.Mutex
	taken := false
	return func() (user.Stream, error) {
		mu.Lock()
		defer mu.Unlock()
		if taken {
			return nil, fmt.Errorf("the character device '%s' is in use", id)
		}
		taken = true
		s := &charStream{port: port, done: make(chan struct{})}
		s.changed.L = &s.mu
		s.release = func() {
			m.vm.Do(func() { port.Attach(nil) })
			mu.Lock()
			taken = false
			mu.Unlock()
		}
		m.vm.Do(func() { port.Attach(s) })
		return s, nil
	}
}

// charStream is a character device as a connection.
type charStream struct {
	port    chardev.Port
	release func()

	mu      sync.Mutex
	changed sync.Cond
	in      []byte
	closed  bool
	done    chan struct{}
}

// charStreamLimit is how many bytes wait to be read.
const charStreamLimit = 64 << 10

// Room implements chardev.Receiver.
func (s *charStream) Room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return charStreamLimit - len(s.in)
}

// Receive implements chardev.Receiver.
func (s *charStream) Receive(p []byte) {
	s.mu.Lock()
	s.in = append(s.in, p...)
	s.mu.Unlock()
	s.changed.Signal()
}

// Read implements io.Reader.
func (s *charStream) Read(p []byte) (int, error) {
	s.mu.Lock()
	for len(s.in) == 0 && !s.closed {
		s.changed.Wait()
	}
	n := copy(p, s.in)
	s.in = s.in[:copy(s.in, s.in[n:])]
	closed := s.closed
	s.mu.Unlock()
	if n == 0 && closed {
		return 0, io.EOF
	}
	if w, ok := s.port.(chardev.Waker); ok {
		w.Wake()
	}
	return n, nil
}

// Write implements io.Writer. It waits for a device that says when it has room.
func (s *charStream) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		part := p[done:]
		if t, ok := s.port.(chardev.Throttler); ok {
			room := t.Room()
			if room <= 0 {
				free := make(chan struct{})
				t.WhenRoom(func() { close(free) })
				select {
				case <-free:
					continue
				case <-s.done:
					return done, io.ErrClosedPipe
				}
			}
			part = part[:min(len(part), room)]
		}
		n, err := s.port.Write(part)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// CloseWrite has nothing to tell a character device.
func (s *charStream) CloseWrite() error { return nil }

// Close gives the device back.
func (s *charStream) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	if !was {
		s.changed.Broadcast()
		close(s.done)
		s.release()
	}
	return nil
}

// charNamed finds an open character device.
func (m *machine) charNamed(id string) (*char, error) {
	if ch := m.chars[id]; ch != nil {
		return ch, nil
	}
	return nil, fmt.Errorf("Chardev '%s' not found", id)
}

// sendBreak is "chardev-send-break": the guest's serial port sees a break.
func (m *machine) sendBreak(_ io.Writer, a hmp.Args) error {
	ch, err := m.charNamed(a.Text("id"))
	if err != nil {
		return err
	}
	e, ok := ch.port.(interface{ Event(chardev.Event) })
	if !ok {
		return fmt.Errorf("the character device '%s' knows no break", a.Text("id"))
	}
	e.Event(chardev.Break)
	return nil
}

func (m *machine) ring(id string) (*ringbuf.Port, error) {
	ch, err := m.charNamed(id)
	if err != nil {
		return nil, err
	}
	r, ok := ch.port.(*ringbuf.Port)
	if !ok {
		return nil, fmt.Errorf("%s is not a ringbuf device", id)
	}
	return r, nil
}

// ringbufRead is "ringbuf_read".
func (m *machine) ringbufRead(w io.Writer, a hmp.Args) error {
	r, err := m.ring(a.Text("device"))
	if err != nil {
		return err
	}
	n := a.Number("size")
	if n <= 0 {
		return errors.New("size must be greater than zero")
	}
	for _, c := range r.Read(int(min(n, 1<<20))) {
		switch {
		case c == '\\':
			io.WriteString(w, `\\`)
		case c < ' ' && c != '\n' && c != '\t' || c >= 0x7f:
			fmt.Fprintf(w, `\u%04X`, c)
		default:
			w.Write([]byte{c})
		}
	}
	fmt.Fprintln(w)
	return nil
}

// ringbufWrite is "ringbuf_write".
func (m *machine) ringbufWrite(_ io.Writer, a hmp.Args) error {
	r, err := m.ring(a.Text("device"))
	if err == nil {
		r.Send([]byte(a.Text("data")))
	}
	return err
}
