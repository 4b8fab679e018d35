package vnc

import (
	"slices"
	"testing"
	"time"
)

// TestPower: a client that knows of xvp is told that it may, and does so;
// without leave nothing happens to the machine.
func TestPower(t *testing.T) {
	const sync = -1 // any encoding that is not known
	did := make(chan string, 8)
	r := newRig(8, 8, func(c *Config) {
		c.PowerDown = func() { did <- "down" }
		c.Reset = func() { did <- "reset" }
	})
	v := r.dial(t, 1)
	v.encodings(encRaw, encPower)
	if got := v.read(4); !slices.Equal(got, []byte{250, 0, 1, 1}) {
		t.Fatalf("%v is not the message that power may be controlled", got)
	}
	v.send([]byte{250, 0, 1, 2})
	v.send([]byte{250, 0, 1, 4})
	v.encodings(encRaw, encPower, sync) // it has been told
	for _, refused := range [][]byte{{250, 0, 1, 3}, {250, 0, 2, 4}, {250, 0, 1, 99}} {
		v.send(refused)
		if got := v.read(4); !slices.Equal(got, []byte{250, 0, 1, 0}) {
			t.Errorf("%v was answered with %v", refused, got)
		}
	}
	if a, b := <-did, <-did; a != "down" || b != "reset" || len(did) != 0 {
		t.Errorf("done: %s, %s and %d more", a, b, len(did))
	}

	v = newRig(8, 8, nil).dial(t, 1)
	v.encodings(encRaw, encPower)
	v.send([]byte{250, 0, 1, 4})
	if got := v.read(4); !slices.Equal(got, []byte{250, 0, 1, 0}) {
		t.Errorf("without leave a reset was answered with %v", got)
	}
}

// TestConnecting: of clients that are not in yet the oldest gives way; those
// that are in stay.
func TestConnecting(t *testing.T) {
	for _, share := range []Share{AllowExclusive, IgnoreShared} {
		r := newRig(8, 8, func(c *Config) { c.Connecting, c.Share = 2, share })
		in := r.dial(t, 1)
		var waiting []*viewer
		for range 3 {
			v := r.raw(t)
			v.read(12)
			waiting = append(waiting, v)
		}
		if _, err := waiting[0].r.ReadByte(); err == nil {
			t.Error("the oldest stayed")
		}
		for _, v := range append(waiting[1:], in) {
			v.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := v.r.ReadByte(); err == nil || !isTimeout(err) {
				t.Errorf("another one had to go: %v", err)
			}
		}
		in.SetReadDeadline(time.Now().Add(5 * time.Minute))
		in.update(false)
		if n := len(r.s.Clients()); n != 1 {
			t.Errorf("%d clients are in", n)
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(interface{ Timeout() bool })
	return ok && e.Timeout()
}
