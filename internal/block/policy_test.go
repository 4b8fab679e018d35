package block

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
)

func TestPolicy(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	broken := errors.New("input/output error")
	for _, c := range []struct {
		action string
		fail   error
		stops  int  // how often the machine stops
		ok     bool // whether the guest hears of no error
	}{
		{"report", broken, 0, false},
		{"report", full, 0, false},
		{"ignore", broken, 0, true},
		{"stop", broken, 2, true},
		{"enospc", broken, 0, false},
		{"enospc", full, 2, true},
	} {
		action, ok := ParseAction(c.action)
		if !ok {
			t.Fatal(c.action)
		}
		for _, op := range []Op{Read, Write, Flush} {
			disk := NewMemory([]byte("0123456789abcdef"), false)
			fails := 2 // the third try would do
			disk.Fail = func(o Op, _ int64, _ int) error {
				if o == op && fails > 0 {
					fails--
					return c.fail
				}
				return nil
			}
			stops, said := 0, 0
			p := NewPolicy(PolicyConfig{Backend: disk, OnRead: action, OnWrite: action,
				Failed: func(o Op, err error) bool {
					if o != op || !errors.Is(err, c.fail) {
						t.Errorf("%v %v", o, err)
					}
					stops++
					return true
				},
				Say: func(Op, error) { said++ },
			})
			b := []byte{1, 2}
			var err error
			switch op {
			case Read:
				_, err = p.ReadAt(b, 3)
				want := map[bool]string{true: "34", false: "\x00\x00"}[c.action != "ignore"]
				if err == nil && string(b) != want {
					t.Errorf("%s %v: read %q, want %q", c.action, c.fail, b, want)
				}
			case Write:
				_, err = p.WriteAt(b, 3)
				if done := disk.Bytes()[3] == 1; done != (c.ok && c.action != "ignore") {
					t.Errorf("%s %v: written %v", c.action, c.fail, done)
				}
			case Flush:
				err = p.Sync()
			}
			if stops != c.stops || (err == nil) != c.ok || (said == 1) != (c.action == "ignore") {
				t.Errorf("%s, %v fails with %v: %d stops, error %v, said %d", c.action, op, c.fail, stops, err, said)
			}
		}
	}
	// The machine ends while it is stopped.
	disk := NewMemory(make([]byte, 16), false)
	disk.Fail = func(Op, int64, int) error { return broken }
	p := NewPolicy(PolicyConfig{Backend: disk, OnWrite: Stop, Failed: func(Op, error) bool { return false }})
	if _, err := p.WriteAt([]byte{1}, 0); !errors.Is(err, broken) {
		t.Error(err)
	}
	p = NewPolicy(PolicyConfig{Backend: disk, NoFlush: true})
	if err := p.Sync(); err != nil {
		t.Errorf("a flush that is not wanted: %v", err)
	}
	flushes := 0
	disk.Fail = func(o Op, _ int64, _ int) error {
		if o == Flush {
			flushes++
		}
		return nil
	}
	p = NewPolicy(PolicyConfig{Backend: disk, Through: true})
	if _, err := p.WriteAt([]byte{1}, 0); err != nil || flushes != 1 {
		t.Errorf("a write through: %v, %d flushes", err, flushes)
	}
	if !NewPolicy(PolicyConfig{Backend: NewMemory(nil, true)}).ReadOnly() {
		t.Error("read-only is lost")
	}
}

// sparse is an image that notes what is discarded and zeroed.
type sparse struct {
	*Memory
	discarded, zeroed int64
}

func (s *sparse) Discard(_, n int64) error { s.discarded += n; return nil }
func (s *sparse) WriteZeroes(off, n int64) error {
	s.zeroed += n
	clear(s.Bytes()[off : off+n])
	return nil
}

// Discards and zeroes reach an image as its owner wills.
func TestPolicyDiscard(t *testing.T) {
	for _, unmap := range []bool{false, true} {
		for _, zeroes := range []bool{false, true} {
			s := &sparse{Memory: NewMemory([]byte("0123456789abcdef"), false)}
			p := NewPolicy(PolicyConfig{Backend: s, Unmap: unmap, DetectZeroes: zeroes})
			if err := p.Discard(0, 4); err != nil || (s.discarded == 4) != unmap {
				t.Errorf("unmap %v: %d bytes discarded, %v", unmap, s.discarded, err)
			}
			for _, b := range [][]byte{make([]byte, 11), {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}} {
				if n, err := p.WriteAt(b, 3); n != len(b) || err != nil || string(s.Bytes()[3:14]) != string(b) {
					t.Errorf("zeroes %v: %q, %v", zeroes, s.Bytes(), err)
				}
			}
			if (s.zeroed == 11) != zeroes {
				t.Errorf("zeroes %v: %d bytes zeroed", zeroes, s.zeroed)
			}
		}
	}
}
