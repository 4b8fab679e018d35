package host

import (
	"math/rand/v2"
	"testing"
)

func TestSpans(t *testing.T) {
	const size = 1000
	s := spans{{0, size}}
	r := rand.New(rand.NewPCG(1, 2))
	var held []span
	for range 10000 {
		if r.IntN(2) == 0 {
			if got, ok := s.take(1 + r.IntN(100)); ok {
				held = append(held, got)
			}
		} else if len(held) > 0 {
			i := r.IntN(len(held))
			s.give(held[i])
			held = append(held[:i], held[i+1:]...)
		}
		var owned [size]bool
		for _, h := range append(append([]span{}, held...), s...) {
			for i := h.off; i < h.off+h.size; i++ {
				if owned[i] {
					t.Fatalf("byte %d belongs to two ranges: held %v, free %v", i, held, s)
				}
				owned[i] = true
			}
		}
		for i, o := range owned {
			if !o {
				t.Fatalf("byte %d is lost: held %v, free %v", i, held, s)
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i-1].off+s[i-1].size >= s[i].off {
				t.Fatalf("free ranges not in order or not joined: %v", s)
			}
		}
	}
	for _, h := range held {
		s.give(h)
	}
	if len(s) != 1 || s[0] != (span{0, size}) {
		t.Errorf("after all was given back: %v", s)
	}
}
