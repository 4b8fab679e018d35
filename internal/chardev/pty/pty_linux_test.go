package pty

import (
	"bytes"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/chardev"
)

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
func (s *sink) Room() int        { return 100 }
func (s *sink) Receive(b []byte) { s.got.Write(b) }

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

func TestPTY(t *testing.T) {
	s := &sink{}
	p, err := New(Config{chardev.PumpConfig{Post: s.post}})
	if err != nil {
		t.Skip(err)
	}
	defer p.Close()
	p.Attach(s)
	want := ""
	for _, word := range []string{"a\x03\rb\n", "again"} {
		io.WriteString(p, "nobody is there, it is dropped")
		p.Drain(5 * time.Minute)
		f, err := os.OpenFile(p.Name(), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for !p.Connected() {
			time.Sleep(time.Millisecond)
		}
		f.WriteString(word) // control characters pass
		want += word
		s.expect(t, want)
		io.WriteString(p, "x\ny")
		b := make([]byte, 3)
		if _, err := io.ReadFull(f, b); err != nil || string(b) != "x\ny" {
			t.Errorf("%q %v", b, err)
		}
		f.Close()
		for p.Connected() {
			time.Sleep(time.Millisecond)
		}
	}
}
