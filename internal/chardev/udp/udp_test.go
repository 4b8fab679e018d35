package udp

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"rhea/internal/chardev"
)

// sink takes everything; mu stands for the machine's lock.
type sink struct {
	mu  sync.Mutex
	got bytes.Buffer
}

func (s *sink) post(f func()) {
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	}()
}
func (s *sink) Room() int           { return 100 } // less than a datagram
func (s *sink) Receive(b []byte)    { s.got.Write(b) }
func (s *sink) Event(chardev.Event) {}

func TestUDP(t *testing.T) {
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	_, port, _ := net.SplitHostPort(peer.LocalAddr().String())
	s := &sink{}
	p, err := New(Config{PumpConfig: chardev.PumpConfig{Post: s.post}, Host: "localhost", Port: port, LocalHost: "127.0.0.1", LocalPort: "0", IPv4: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Attach(s)
	if w := p.Where(); !strings.HasPrefix(w, "udp:127.0.0.1:") || !strings.HasSuffix(w, "<->127.0.0.1:"+port) {
		t.Errorf("it says it is %q", w)
	}
	long := bytes.Repeat([]byte("0123456789"), 1000)
	p.Write(long)
	peer.SetReadDeadline(time.Now().Add(5 * time.Minute))
	var got []byte
	var from *net.UDPAddr
	b := make([]byte, 1<<16)
	for len(got) < len(long) {
		n, addr, err := peer.ReadFromUDP(b)
		if err != nil || n > maxDatagram {
			t.Fatalf("%d bytes, %v", n, err)
		}
		got, from = append(got, b[:n]...), addr
	}
	if !bytes.Equal(got, long) {
		t.Error("something else was sent")
	}
	// What comes from somewhere else is not for the guest.
	other, err := net.DialUDP("udp4", nil, from)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Write([]byte("not this"))
	answer := bytes.Repeat([]byte("abc"), 1000) // does not fit the receiver's room
	peer.WriteToUDP(answer, from)
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := bytes.Clone(s.got.Bytes())
		s.mu.Unlock()
		if bytes.Equal(got, answer) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("received: %d bytes", len(got))
		}
	}
	// Nobody listens any more: nothing happens.
	peer.Close()
	for range 3 {
		p.Write([]byte("x"))
		p.Drain(time.Second)
	}
	if _, err := p.Write([]byte("y")); err != nil {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.LocalAddr().String())
	for want, c := range map[string]Config{
		"is in use by another program": {Host: "127.0.0.1", Port: "9", LocalHost: "127.0.0.1", LocalPort: port},
		"is no address":                {Host: "127.0.0.1", Port: "nothing"},
	} {
		c.Post = func(func()) {}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
