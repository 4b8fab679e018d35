package linux

import (
	"math/rand/v2"
	"testing"
)

// TestVMAs compares the ranges with a map of pages.
func TestVMAs(t *testing.T) {
	const pages = 200
	var v, o vmas
	for i := uint64(3); i < pages; i += 17 {
		o.set(i, i+4, 1)
	}
	var want [pages]byte // 0 = not mapped
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		lo := r.Uint64N(pages)
		hi := lo + 1 + r.Uint64N(min(pages-lo, 20))
		bits := byte(r.IntN(4))
		if bits != 0 {
			v.set(lo, hi, bits)
		} else {
			v.remove(lo, hi)
		}
		for i := lo; i < hi; i++ {
			want[i] = bits
		}
		for i, m := range v {
			if m.lo >= m.hi || i > 0 && (v[i-1].hi > m.lo || v[i-1].hi == m.lo && v[i-1].bits == m.bits) {
				t.Fatalf("not in order, or not joined: %v", v)
			}
		}
		lo = r.Uint64N(pages)
		hi = lo + 1 + r.Uint64N(pages-lo)
		any, all := false, true
		for i := lo; i < hi; i++ {
			any, all = any || want[i] != 0, all && want[i] != 0 && want[i]&bits == bits
		}
		if v.overlaps(lo, hi) != any || v.covers(lo, hi, bits) != all || v.bits(lo) != want[lo] {
			t.Fatalf("%d..%d of %v: overlaps %v, covers %v, bits %d", lo, hi, v, v.overlaps(lo, hi), v.covers(lo, hi, bits), v.bits(lo))
		}
		var got [pages]int
		v.without(o, lo, hi, bits, func(lo, hi uint64) {
			for i := lo; i < hi; i++ {
				got[i]++
			}
		})
		for i := range got {
			is := uint64(i) >= lo && uint64(i) < hi && want[i] != 0 && want[i]&bits == bits && o.bits(uint64(i)) == 0
			if (got[i] == 1) != is || got[i] > 1 {
				t.Fatalf("without(%d, %d, %d) of %v: page %d %d times", lo, hi, bits, v, i, got[i])
			}
		}
		n := 1 + r.Uint64N(10)
		at, ok := v.below(hi, lo, n)
		best, found := uint64(0), false
		for s := int64(hi) - int64(n); s >= int64(lo); s-- {
			free := true
			for i := uint64(s); i < uint64(s)+n; i++ {
				free = free && want[i] == 0
			}
			if free {
				best, found = uint64(s), true
				break
			}
		}
		if ok != found || ok && at != best {
			t.Fatalf("below(%d, %d, %d) of %v = %d %v, want %d %v", hi, lo, n, v, at, ok, best, found)
		}
	}
}
