package chardev

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// loop is an event loop of its own.
type loop struct {
	mu sync.Mutex
	c  chan func()
}

func newLoop(t *testing.T) *loop {
	l := &loop{c: make(chan func(), 10000)}
	done := make(chan bool)
	go func() {
		for {
			select {
			case f := <-l.c:
				l.mu.Lock()
				f()
				l.mu.Unlock()
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { close(done) })
	return l
}

func (l *loop) post(f func()) { l.c <- f }

type sink struct {
	room   int
	got    bytes.Buffer
	events []Event
}

func (s *sink) Room() int { return s.room }
func (s *sink) Receive(b []byte) {
	if len(b) > s.room {
		panic("more than there is room for")
	}
	s.room -= len(b)
	s.got.Write(b)
}
func (s *sink) Event(e Event) { s.events = append(s.events, e) }

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// Input stops at the receiver's room and goes on with Wake; nothing is lost.
func TestPumpFlow(t *testing.T) {
	l := newLoop(t)
	p := NewPump(PumpConfig{Post: l.post})
	defer p.Close()
	host, guest := net.Pipe()
	p.Connect(guest, nil)
	s := &sink{room: 1}
	l.post(func() { p.Attach(s) })
	data := strings.Repeat("0123456789", 1000)
	go func() {
		io.WriteString(host, data)
		host.Close()
	}()
	eventually(t, "all came", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if s.room == 0 {
			s.room = 7
			p.Wake()
		}
		return s.got.Len() == len(data)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.got.String() != data || len(s.events) == 0 || s.events[0] != Opened {
		t.Error("wrong bytes or events", s.events)
	}
}

// A peer that does not read costs Limit bytes and no wait.
func TestPumpSlowPeer(t *testing.T) {
	l := newLoop(t)
	p := NewPump(PumpConfig{Post: l.post})
	host, guest := net.Pipe()
	p.Connect(guest, nil)
	b := make([]byte, 3*Limit)
	n, err := p.Write(b) // for ever, if it waits for the peer
	if !errors.Is(err, io.ErrShortWrite) || n > Limit || n < Limit-64<<10 {
		t.Error(n, err)
	}
	if p.Room() != Limit-n {
		t.Error(p.Room())
	}
	roomy := make(chan bool, 1)
	p.WhenRoom(func() { roomy <- true })
	select {
	case <-roomy:
		t.Error("there is no room")
	case <-time.After(10 * time.Millisecond):
	}
	got := make(chan int)
	go func() {
		n, _ := io.Copy(io.Discard, host)
		got <- int(n)
	}()
	<-roomy
	p.Close()
	guest.Close()
	if g := <-got; g != n {
		t.Error("came", g, "of", n)
	}
}

type logFile struct{ bytes.Buffer }

func (*logFile) Close() error { return nil }

// What is written without a peer is dropped but logged.
func TestPumpLog(t *testing.T) {
	l := newLoop(t)
	log := &logFile{}
	p := NewPump(PumpConfig{Post: l.post, Log: log})
	io.WriteString(p, "early ")
	p.Drain(5 * time.Second)
	host, guest := net.Pipe()
	p.Connect(guest, nil)
	got := make(chan string)
	go func() {
		b := make([]byte, 4)
		io.ReadFull(host, b)
		got <- string(b)
	}()
	io.WriteString(p, "late")
	if s := <-got; s != "late" {
		t.Error(s)
	}
	p.Close()
	if log.String() != "early late" {
		t.Errorf("%q", log.String())
	}
	if _, err := p.Write([]byte("x")); err == nil {
		t.Error("written after Close")
	}
}
