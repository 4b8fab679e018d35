package stream

import (
	"bytes"
	"encoding/binary"
	"net"
	"path/filepath"
	"testing"
	"time"

	"rhea/internal/netdev"
)

// sink takes frames, and refuses each one once.
type sink struct {
	frames chan []byte
	waker  netdev.Waker
	n      int
}

func (s *sink) Deliver(f []byte) bool {
	if s.n++; s.n&1 != 0 {
		s.waker.Wake()
		return false
	}
	s.frames <- bytes.Clone(f)
	return true
}

func newSink(w netdev.Waker) *sink { return &sink{frames: make(chan []byte, 100), waker: w} }

func (s *sink) want(t *testing.T, f []byte) {
	t.Helper()
	select {
	case got := <-s.frames:
		if !bytes.Equal(got, f) {
			t.Fatalf("got %d bytes, want %d", len(got), len(f))
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("no frame came")
	}
}

func pair(t *testing.T, server, client Config) (a, b *Network, sa, sb *sink) {
	t.Helper()
	a, err := New(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if client.Network == "tcp" {
		client.Addr = a.Addr().String()
	}
	if b, err = New(client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	sa, sb = newSink(a), newSink(b)
	a.Attach(sa)
	b.Attach(sb)
	return
}

func TestFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for name, c := range map[string][2]Config{
		"tcp":  {{Network: "tcp", Addr: "127.0.0.1:0", Server: true}, {Network: "tcp"}},
		"unix": {{Network: "unix", Addr: path, Server: true}, {Network: "unix", Addr: path}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, sa, sb := pair(t, c[0], c[1])
			for i := 60; i < 1500; i += 97 {
				f := bytes.Repeat([]byte{byte(i)}, i)
				if !b.Deliver(f) {
					t.Fatal("a frame is lost")
				}
				sa.want(t, f)
				a.Deliver(f)
				sb.want(t, f)
			}
		})
	}
}

// The length comes before the frame, most significant byte first; a peer that
// sends nonsense is put off, and the next one is served.
func TestFraming(t *testing.T) {
	n, err := New(Config{Network: "tcp", Addr: "127.0.0.1:0", Server: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s := newSink(n)
	n.Attach(s)
	for _, length := range []uint32{0, 1 << 31, netdev.MaxBig + 1, 0xffffffff} {
		c, err := net.Dial("tcp", n.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.Write(binary.BigEndian.AppendUint32(nil, length))
		c.SetReadDeadline(time.Now().Add(5 * time.Minute))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("length %d is answered", length)
		} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("length %d: the connection stays", length)
		}
		c.Close()
	}
	c, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := bytes.Repeat([]byte{5}, 100)
	c.Write([]byte{0, 0})
	c.Write([]byte{0, 100})
	c.Write(f)
	s.want(t, f)
	n.Deliver(f)
	b := make([]byte, 104)
	c.SetReadDeadline(time.Now().Add(5 * time.Minute))
	if k, err := readFull(c, b); err != nil || !bytes.Equal(b, append([]byte{0, 0, 0, 100}, f...)) {
		t.Errorf("%x, %v", b[:k], err)
	}
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = c.Read(b[n:])
		n += k
	}
	return n, err
}

// A client comes again when its server does.
func TestReconnect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	if _, err := New(Config{Network: "tcp", Addr: at}); err == nil {
		t.Error("a server that is not there was reached")
	}
	n, err := New(Config{Network: "tcp", Addr: at, Reconnect: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.Attach(newSink(n))
	if n.Deliver(make([]byte, 60)) {
		t.Error("a frame went nowhere, and nobody says so")
	}
	for range 2 {
		if l, err = net.Listen("tcp", at); err != nil {
			t.Skip(err)
		}
		l.(*net.TCPListener).SetDeadline(time.Now().Add(5 * time.Minute))
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c.Close()
	}
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 0, 0, 60, 1, 2, 3})
	f.Add(append([]byte{0, 0, 0, 2, 1, 2}, 255, 255, 255, 255))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := net.Pipe()
		n := &Network{room: make(chan struct{}, 1), done: make(chan struct{})}
		n.peer = deaf{}
		go func() {
			b.Write(data)
			b.Close()
		}()
		n.receive(a)
		a.Close()
	})
}

type deaf struct{}

func (deaf) Deliver(f []byte) bool {
	if len(f) == 0 || len(f) > netdev.MaxBig {
		panic("BUG: a frame of that length")
	}
	return true
}
