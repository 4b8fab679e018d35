package dgram

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"
	"time"
)

type sink chan []byte

func (s sink) Deliver(f []byte) bool {
	s <- bytes.Clone(f)
	return true
}

func open(t *testing.T, c Config) (*Network, sink) {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { n.Close() })
	s := make(sink, 100)
	n.Attach(s)
	return n, s
}

func want(t *testing.T, s sink, f []byte) {
	t.Helper()
	select {
	case got := <-s:
		if !bytes.Equal(got, f) {
			t.Fatalf("got %d bytes, want %d", len(got), len(f))
		}
	case <-time.After(5 * time.Minute):
		t.Fatal("no frame came")
	}
}

func free(t *testing.T) string {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().String()
}

func TestUDP(t *testing.T) {
	x, y := free(t), free(t)
	a, sa := open(t, Config{Network: "udp", Local: x, Remote: y})
	b, sb := open(t, Config{Network: "udp", Local: y, Remote: x})
	f := bytes.Repeat([]byte{3}, 1514)
	a.Deliver(f)
	want(t, sb, f)
	b.Deliver(f[:60])
	want(t, sa, f[:60])
}

func TestUnix(t *testing.T) {
	x, y := filepath.Join(t.TempDir(), "x"), filepath.Join(t.TempDir(), "y")
	a, sa := open(t, Config{Network: "unixgram", Local: x, Remote: y})
	b, sb := open(t, Config{Network: "unixgram", Local: y, Remote: x})
	f := bytes.Repeat([]byte{3}, 1514)
	a.Deliver(f)
	want(t, sb, f)
	b.Deliver(f[:60])
	want(t, sa, f[:60])
}

// All members of a group but the sender get a frame.
func TestMulticast(t *testing.T) {
	group := "239.192.168.77:" + free(t)[len("127.0.0.1:"):]
	c := Config{Network: "udp", Remote: group, Interface: "127.0.0.1"}
	a, sa := open(t, c)
	_, sb := open(t, c)
	_, sc := open(t, c)
	f := bytes.Repeat([]byte{9}, 200)
	if !a.Deliver(f) {
		t.Skip("this host sends no multicast on its loopback interface")
	}
	want(t, sb, f)
	want(t, sc, f)
	select {
	case <-sa:
		t.Error("the sender got its own frame")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []Config{{Network: "udp", Remote: "x"}, {Network: "udp", Remote: "239.1.1.1:5", Interface: "192.0.2.1"}, {FD: 9999}} {
		if n, err := New(c); err == nil {
			n.Close()
			t.Errorf("%+v is taken", c)
		}
	}
}
