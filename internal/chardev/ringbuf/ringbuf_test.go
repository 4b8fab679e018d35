package ringbuf

import "testing"

type sink struct{ got []byte }

func (s *sink) Room() int        { return 2 }
func (s *sink) Receive(b []byte) { s.got = append(s.got, b...) }

func TestRing(t *testing.T) {
	p := New(4, func(f func()) { f() })
	p.Write([]byte("abcdef"))
	if b := p.Read(3); string(b) != "cde" {
		t.Errorf("%q", b)
	}
	if b := p.Read(9); string(b) != "f" {
		t.Errorf("%q", b)
	}
	s := &sink{}
	p.Attach(s)
	p.Send([]byte("xyz"))
	if string(s.got) != "xy" {
		t.Errorf("%q", s.got)
	}
	p.Wake()
	if string(s.got) != "xyz" {
		t.Errorf("%q", s.got)
	}
}
