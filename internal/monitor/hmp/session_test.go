package hmp

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"rhea/internal/chardev"
)

// fakePort takes at most room bytes until it is given more.
type fakePort struct {
	f *fake

	mu   sync.Mutex
	out  strings.Builder
	recv chardev.Receiver
	room int
	more func()
	wait chan struct{}
}

func newPort(f *fake) *fakePort {
	return &fakePort{f: f, room: 1 << 30, wait: make(chan struct{}, 1000)}
}

func (p *fakePort) Write(b []byte) (int, error) {
	p.f.underLock()
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(b), p.room)
	p.room -= n
	p.out.Write(b[:n])
	select {
	case p.wait <- struct{}{}:
	default:
	}
	if n < len(b) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func (p *fakePort) Attach(r chardev.Receiver) { p.f.underLock(); p.recv = r }

func (p *fakePort) WhenRoom(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.more = f
}

// until waits for the output to be as cond wants it.
func (p *fakePort) until(t *testing.T, cond func(out string) bool) string {
	t.Helper()
	limit := time.After(5 * time.Minute)
	for {
		p.mu.Lock()
		out := p.out.String()
		ok := cond(out)
		p.mu.Unlock()
		if ok {
			return out
		}
		select {
		case <-p.wait:
		case <-limit:
			t.Fatalf("waited in vain; the output is %q", out)
		}
	}
}

func (p *fakePort) typed(s string) { p.f.Do(func() { p.recv.Receive([]byte(s)) }) }

func ends(s string) func(string) bool {
	return func(out string) bool { return strings.HasSuffix(out, s) }
}

func TestSession(t *testing.T) {
	f := newFake(t)
	p := newPort(f)
	s := f.m.Attach(p)
	defer s.Close()
	p.until(t, ends("QEMU 9.0.0 monitor - type 'help' for more information\r\n(qemu) "))
	p.typed("info na\tx\x08\r")
	p.until(t, ends("(qemu) info name x\x1b[1D\x1b[K\r\nfake\r\n(qemu) "))
	p.typed("p 5\np 6\r\n")
	p.until(t, ends("(qemu) p 5\r\n0x5\r\n(qemu) p 6\r\n0x6\r\n(qemu) "))
	p.typed("info history\n")
	p.until(t, ends("info history\r\n0: 'info name '\r\n1: 'p 5'\r\n2: 'p 6'\r\n3: 'info history'\r\n(qemu) "))
	p.typed("stop\r")
	p.until(t, ends("stop\r\n(qemu) "))
	if got := f.took(); got != "stop" {
		t.Errorf("done: %s", got)
	}
	p.typed("q\r")
	p.until(t, ends("(qemu) q\r\n"))
	// The peer goes and another comes: it is greeted, and what the first one
	// had typed is forgotten.
	p.typed("rubbi")
	f.Do(func() { s.Event(chardev.Closed); s.Event(chardev.Opened); s.Event(chardev.Opened) })
	p.until(t, ends("information\r\n(qemu) "))
	p.typed("info name\r")
	p.until(t, ends("information\r\n(qemu) info name\r\nfake\r\n(qemu) "))
}

// A slow peer gets all of a long output, and keeps the machine from nothing.
func TestSlowPeer(t *testing.T) {
	f := newFake(t)
	p := newPort(f)
	s := f.m.Attach(p)
	defer s.Close()
	p.until(t, ends("(qemu) "))
	p.mu.Lock()
	p.room = 1000
	p.out.Reset()
	p.mu.Unlock()
	p.typed("xp /65536xb 0\r")
	for {
		full := p.until(t, func(out string) bool { return p.room == 0 || strings.HasSuffix(out, "(qemu) ") })
		if strings.HasSuffix(full, "(qemu) ") {
			break
		}
		f.Do(func() {}) // the machine goes on
		p.mu.Lock()
		p.room = 50000
		more := p.more
		p.more = nil
		p.mu.Unlock()
		if more != nil {
			f.Do(more)
		}
	}
	out := p.until(t, ends("(qemu) "))
	if n := strings.Count(out, "\r\n"); n != 1+65536/8 {
		t.Errorf("%d lines", n)
	}
	if !strings.Contains(out, "000000000000fff8: 0xf8 0xf9") {
		t.Error("the end is missing")
	}
}

// ^C drops the rest of a long output.
func TestInterrupt(t *testing.T) {
	f := newFake(t)
	p := newPort(f)
	s := f.m.Attach(p)
	defer s.Close()
	p.until(t, ends("(qemu) "))
	p.mu.Lock()
	p.room = 1000
	p.mu.Unlock()
	p.typed("xp /65536xb 0\r")
	p.until(t, func(string) bool { return p.room == 0 })
	p.typed("\x03")
	p.mu.Lock()
	p.room = 1 << 20
	p.mu.Unlock()
	p.until(t, ends("^C\r\n(qemu) "))
	p.typed("info name\r")
	out := p.until(t, ends("info name\r\nfake\r\n(qemu) "))
	if n := len(out); n > 20000 {
		t.Errorf("%d bytes of output", n)
	}
}

// What does not fit is left with the port, and is asked for again.
func TestRoom(t *testing.T) {
	f := newFake(t)
	s := &Session{m: f.m, wake: make(chan struct{}, 1)}
	if s.Room() != maxInput {
		t.Error("Room of an idle session is", s.Room())
	}
	s.Receive(make([]byte, maxInput+10))
	if s.Room() != 0 || len(s.queue) != maxInput {
		t.Error("Room of a full one is", s.Room())
	}
	s.Receive([]byte{1})
}

// Who comes back to the monitor (Ctrl-A c) sees the prompt and what was typed.
func TestFocus(t *testing.T) {
	f := newFake(t)
	p := newPort(f)
	s := f.m.Attach(p)
	defer s.Close()
	focus := func(on bool) { f.Do(func() { s.Focus(on) }) }
	p.until(t, ends("(qemu) "))
	p.typed("info st")
	p.until(t, ends("info st"))
	focus(false)
	p.until(t, ends("info st\r\n"))
	focus(true)
	p.until(t, ends("\r\n(qemu) info st"))
	p.typed("atus\r")
	p.until(t, ends("VM status: paused (prelaunch)\r\n(qemu) "))
}

// Who sits at the display does not reach the host.
func TestRemote(t *testing.T) {
	f := newFake(t)
	p := newPort(f)
	s := f.m.AttachRemote(p)
	defer s.Close()
	says := func(line, want string) {
		t.Helper()
		p.typed(line + "\r")
		p.until(t, func(out string) bool {
			i := strings.LastIndex(out, line+"\r\n")
			return i >= 0 && strings.HasSuffix(out[i:], "(qemu) ") && strings.Contains(out[i:], want)
		})
	}
	p.until(t, func(out string) bool { return strings.HasSuffix(out, "(qemu) ") })
	for _, line := range []string{"screendump a.png", "pmemsave 0 1 a", "memsave 0 1 a", "logfile a", "wavcapture a b", "dump-guest-memory a", "change ide1-cd0 /etc/passwd",
		"gdbserver", "hostfwd_add tcp::1-:1", "chardev-add file,id=a,path=a", "drive_add 0 file=a", "migrate exec:a", "commit all"} {
		says(line, "is not allowed here")
	}
	says("info name", "")
	if _, words := f.m.completeRemote("screendump /"); len(words) > 0 {
		t.Errorf("completion tells of the host's files: %q", words)
	}
}
