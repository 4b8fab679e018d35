package mux

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rhea/internal/chardev"
)

type port struct {
	bytes.Buffer
	r chardev.Receiver
}

func (p *port) Attach(r chardev.Receiver) { p.r = r }

type receiver struct {
	got    []byte
	room   int
	focus  []bool
	breaks int
	opened int
}

func (r *receiver) Room() int { return r.room }
func (r *receiver) Receive(b []byte) {
	if len(b) > r.room {
		panic("more than there is room for")
	}
	r.room -= len(b)
	r.got = append(r.got, b...)
}
func (r *receiver) Focus(on bool) { r.focus = append(r.focus, on) }
func (r *receiver) Event(e chardev.Event) {
	switch e {
	case chardev.Break:
		r.breaks++
	case chardev.Opened:
		r.opened++
	case chardev.Closed:
		r.opened = -r.opened
	}
}

func TestMux(t *testing.T) {
	p := &port{}
	quit := 0
	now := time.Hour + 2*time.Minute + 3*time.Second + 4*time.Millisecond
	m := New(Config{Port: p, Post: func(f func()) { f() }, Escape: 1, Quit: func() { quit++ }, Now: func() time.Duration { return now }})
	serial, mon := &receiver{room: 3}, &receiver{room: 100}
	fs, fm := m.Front(), m.Front()
	fs.Attach(serial)
	fm.Attach(mon)
	if len(serial.focus) != 1 || !serial.focus[0] || mon.focus[0] {
		t.Error("the first front has not the focus")
	}
	p.r.Receive([]byte("abcde\x01\x01\x01bf"))
	if string(serial.got) != "abc" || serial.breaks != 1 {
		t.Errorf("%q %d", serial.got, serial.breaks)
	}
	if serial.opened != 1 || mon.opened != 0 || fm.Connected() {
		t.Error("opened without the focus")
	}
	// The focus moves although the guest does not take input.
	p.r.Receive([]byte("\x01cquit\n\x01"))
	p.r.Receive([]byte("cg"))
	if string(mon.got) != "quit\n" {
		t.Errorf("%q", mon.got)
	}
	if mon.opened != 1 || !fm.Connected() {
		t.Error("not opened with the focus")
	}
	serial.room = 100
	fs.Wake()
	if string(serial.got) != "abcde\x01fg" {
		t.Errorf("%q", serial.got)
	}
	fs.Write([]byte("x\n"))
	p.r.Receive([]byte("\x01t"))
	fs.Write([]byte("y\nz"))
	fs.Write([]byte("z\n"))
	if s := p.String(); s != "x\ny\n[01:02:03.004] zz\n" {
		t.Errorf("%q", s)
	}
	p.Reset()
	p.r.Receive([]byte("\x01h\x01x"))
	if s := p.String(); !strings.Contains(s, "C-a c    switch between console and monitor") || !strings.HasSuffix(s, "QEMU: Terminated\n\r") || quit != 1 {
		t.Errorf("%q %d", s, quit)
	}
	p.r.(chardev.EventReceiver).Event(chardev.Closed)
	if mon.opened != -1 || serial.opened != -1 {
		t.Error("not closed")
	}
	serial.room = 0
	p.r.Receive(bytes.Repeat([]byte("k"), m.Room()))
	if m.Room() != 0 {
		t.Error("no flow control")
	}
}
