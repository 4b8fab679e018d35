package hub

import (
	"testing"

	"rhea/internal/netdev"
)

// end is who is plugged in.
type end struct {
	peer  netdev.Peer
	n     int
	full  bool
	wakes int
}

func (e *end) Attach(p netdev.Peer) { e.peer = p }
func (e *end) Close() error         { return nil }
func (e *end) Wake()                { e.wakes++ }
func (e *end) Deliver([]byte) bool {
	if !e.full {
		e.n++
	}
	return !e.full
}

func TestHub(t *testing.T) {
	h := New()
	var b [3]end
	h.Join(&b[0])
	h.Join(&b[1])
	card := h.Port()
	card.Attach(&b[2])
	f := make([]byte, 60)
	b[0].peer.Deliver(f)
	if b[0].n != 0 || b[1].n != 1 || b[2].n != 1 {
		t.Errorf("frames %d %d %d", b[0].n, b[1].n, b[2].n)
	}
	card.Deliver(f)
	if b[0].n != 1 || b[1].n != 2 || b[2].n != 1 {
		t.Errorf("frames %d %d %d", b[0].n, b[1].n, b[2].n)
	}
	// One that is full does not keep the others waiting.
	b[1].full = true
	if !card.Deliver(f) || b[0].n != 2 {
		t.Error("a full port holds the hub up")
	}
	card.Wake()
	if b[0].wakes != 1 || b[1].wakes != 1 {
		t.Error("the back ends were not woken")
	}
	// With just one peer there is nobody else to serve.
	h = New()
	one, two := h.Join(&b[0]), h.Port()
	two.Attach(&b[1])
	if one.Deliver(f) {
		t.Error("a full peer takes a frame")
	}
	two.Close()
	if !one.Deliver(f) {
		t.Error("who is unplugged is full")
	}
}
