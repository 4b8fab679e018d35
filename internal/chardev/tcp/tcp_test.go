package tcp

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rhea/internal/chardev"
)

// sink takes everything; mu stands for the machine's lock.
type sink struct {
	mu     sync.Mutex
	got    bytes.Buffer
	events []chardev.Event
}

func (s *sink) post(f func()) {
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	}()
}
func (s *sink) Room() int             { return 4096 }
func (s *sink) Receive(b []byte)      { s.got.Write(b) }
func (s *sink) Event(e chardev.Event) { s.events = append(s.events, e) }

func (s *sink) expect(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := s.got.String()
		s.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if c, ok := r.(net.Conn); ok {
		c.SetReadDeadline(time.Now().Add(5 * time.Minute))
	}
	if n, err := io.ReadFull(r, b); err != nil || string(b) != want {
		t.Fatalf("got %q, %v; want %q", b[:n], err, want)
	}
}

func (s *sink) config() Config {
	return Config{PumpConfig: chardev.PumpConfig{Post: s.post}, FD: -1, Host: "127.0.0.1", NoDelay: true}
}

func TestServer(t *testing.T) {
	s := &sink{}
	c := s.config()
	c.Port, c.Server = "0", true
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p.Attach(s)
	for _, word := range []string{"one", "two"} { // one client after the other
		conn, err := net.Dial("tcp", p.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, word)
		s.expect(t, strings.TrimSuffix("onetwo", map[string]string{"one": "two"}[word]))
		io.WriteString(p, "reply "+word)
		expect(t, conn, "reply "+word)
		conn.Close()
	}
	// The port is taken now.
	_, port, _ := net.SplitHostPort(p.Addr().String())
	c.Port = port
	if _, err := New(c); err == nil || err.Error() != "'127.0.0.1:"+port+"' is in use by another program; choose another port" {
		t.Error(err)
	}
	p.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) < 3 || s.events[0] != chardev.Opened || s.events[1] != chardev.Closed {
		t.Error(s.events)
	}
}

func TestWaitAndClient(t *testing.T) {
	s := &sink{}
	dir := t.TempDir()
	c := s.config()
	c.Path, c.Server, c.Wait = filepath.Join(dir, "s"), true, true
	waiting := make(chan string, 1)
	c.Waiting = func(where string) { waiting <- where }
	made := make(chan *Port)
	go func() {
		p, err := New(c)
		if err != nil {
			t.Error(err)
		}
		made <- p
	}()
	if w := <-waiting; w != "disconnected:unix:"+c.Path+",server=on" {
		t.Error(w)
	}
	s2 := &sink{}
	c2 := s2.config()
	c2.Path = c.Path
	client, err := New(c2)
	if err != nil {
		t.Fatal(err)
	}
	client.Attach(s2)
	server := <-made
	server.Attach(s)
	io.WriteString(client, "hello")
	s.expect(t, "hello")
	io.WriteString(server, "there")
	s2.expect(t, "there")
	// A living server's socket is not taken away.
	c.Wait = false
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "is in use by another program") {
		t.Error(err)
	}
	client.Close()
	server.Close()
	if _, err := os.Stat(c.Path); err == nil {
		t.Error("the socket stays")
	}
	// A stale one is.
	l, _ := net.Listen("unix", c.Path)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	// A file is not.
	os.WriteFile(c.Path, []byte("x"), 0o644)
	if _, err := New(c); err == nil || !strings.HasSuffix(err.Error(), "exists and is not a socket") {
		t.Error(err)
	}
}

func TestNobodyThere(t *testing.T) {
	s := &sink{}
	c := s.config()
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	_, c.Port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	if _, err := New(c); err == nil || err.Error() != "failed to connect to '127.0.0.1:"+c.Port+"': connection refused" {
		t.Error(err)
	}
	// With reconnect= it waits for a server to come up.
	c.Reconnect = 10 * time.Millisecond
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Attach(s)
	l, err = net.Listen("tcp", "127.0.0.1:"+c.Port)
	if err != nil {
		t.Skip(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "up")
	s.expect(t, "up")
	conn.Close() // and again
	conn, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "again")
	s.expect(t, "upagain")
}

func TestTelnet(t *testing.T) {
	s := &sink{}
	c := s.config()
	c.Port, c.Server, c.Telnet = "0", true, true
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Attach(s)
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	expect(t, conn, "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00")
	// Answers, a break, a sub-negotiation split over packets, CR NUL, IAC IAC.
	for _, part := range []string{"\xff\xfd\x01a\xff", "\xf3b\xff\xfa\x18\x00xt", "er\xff\xf0c\r", "\x00d\r\ne\xff\xff"} {
		io.WriteString(conn, part)
		time.Sleep(2 * time.Millisecond)
	}
	s.expect(t, "abc\rd\re\xff")
	io.WriteString(conn, "\xff\xfb\x00\r\x00\r\n")
	s.expect(t, "abc\rd\re\xff\r\x00\r\n")
	io.WriteString(p, "x\xffy")
	expect(t, conn, "x\xff\xffy")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) != 2 || s.events[1] != chardev.Break {
		t.Error(s.events)
	}
}

func FuzzTelnet(f *testing.F) {
	f.Add([]byte("\xff\xfa\x18\xff\xf0a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tn := &telnet{rw: struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(b), io.Discard}, onBreak: func() {}}
		out, err := io.ReadAll(tn)
		if err != nil || len(out) > len(b) {
			t.Error(err, len(out))
		}
	})
}
