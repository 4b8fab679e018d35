package vc

import (
	"bytes"
	"io"
	"testing"

	"rhea/internal/chardev"
)

// taker takes at most room bytes.
type taker struct {
	room   int
	got    []byte
	opened int
}

func (r *taker) Room() int             { return r.room }
func (r *taker) Receive(b []byte)      { r.got = append(r.got, b...); r.room -= len(b) }
func (r *taker) Event(e chardev.Event) { r.opened++ }

func TestConsole(t *testing.T) {
	p := New(chardev.PumpConfig{Post: func(f func()) { f() }})
	r := &taker{room: 3}
	p.Attach(r)
	io.WriteString(p, "before ")
	a := p.Open()
	io.WriteString(p, "after")
	b := make([]byte, 100)
	if n, _ := a.Read(b); string(b[:n]) != "before after" {
		t.Errorf("%q", b[:n])
	}
	io.WriteString(a, "typed")
	if string(r.got) != "typ" || r.opened != 1 {
		t.Errorf("got %q, opened %d times", r.got, r.opened)
	}
	r.room = 10
	p.Wake()
	if string(r.got) != "typed" {
		t.Errorf("got %q", r.got)
	}
	r.room = 0
	a.Write(make([]byte, 1<<20))
	a.Write(make([]byte, 1<<20))
	if len(p.in) > typeAhead {
		t.Errorf("%d bytes wait", len(p.in))
	}
	// A view that does not read misses the middle, and nothing grows.
	for range 1000 {
		p.Write(bytes.Repeat([]byte("x"), 1000))
	}
	io.WriteString(p, "end")
	if len(p.text) > 2*history+1000 {
		t.Errorf("%d bytes are kept", len(p.text))
	}
	var all []byte
	for !bytes.HasSuffix(all, []byte("end")) {
		n, err := a.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b[:n]...)
	}
	if len(all) < history || len(all) > 3*history {
		t.Errorf("read %d bytes", len(all))
	}
	a.Close()
	if _, err := a.Read(b); err != io.EOF {
		t.Error(err)
	}
}
