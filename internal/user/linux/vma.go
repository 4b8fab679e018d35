package linux

import "slices"

// vma is a range of mapped guest addresses, lo to hi-1, and what may be done
// there.
type vma struct {
	lo, hi uint64
	bits   byte
}

// vmas are ranges in order; those that touch each other differ in their bits.
type vmas []vma

// search returns the number of the first range that ends behind at.
func (v vmas) search(at uint64) int {
	i, _ := slices.BinarySearchFunc(v, at, func(m vma, at uint64) int {
		if m.hi <= at {
			return -1
		}
		return 1
	})
	return i
}

// set makes lo..hi-1 mapped, with bits.
func (v *vmas) set(lo, hi uint64, bits byte) {
	v.remove(lo, hi)
	m := vma{lo, hi, bits}
	i := v.search(lo)
	j := i
	if i > 0 && (*v)[i-1].hi == lo && (*v)[i-1].bits == bits {
		i--
		m.lo = (*v)[i].lo
	}
	if j < len(*v) && (*v)[j].lo == hi && (*v)[j].bits == bits {
		m.hi = (*v)[j].hi
		j++
	}
	*v = slices.Replace(*v, i, j, m)
}

// remove makes lo..hi-1 free.
func (v *vmas) remove(lo, hi uint64) {
	var keep [2]vma
	n := 0
	i := v.search(lo)
	j := i
	for j < len(*v) && (*v)[j].lo < hi {
		m := (*v)[j]
		if m.lo < lo {
			keep[n] = vma{m.lo, lo, m.bits}
			n++
		}
		if m.hi > hi {
			keep[n] = vma{hi, m.hi, m.bits}
			n++
		}
		j++
	}
	*v = slices.Replace(*v, i, j, keep[:n]...)
}

// bits returns what may be done at an address, 0 if nothing is mapped there.
func (v vmas) bits(at uint64) byte {
	if i := v.search(at); i < len(v) && v[i].lo <= at {
		return v[i].bits
	}
	return 0
}

// overlaps reports whether anything of lo..hi-1 is mapped.
func (v vmas) overlaps(lo, hi uint64) bool {
	i := v.search(lo)
	return i < len(v) && v[i].lo < hi
}

// covers reports whether all of lo..hi-1 is mapped, with all of bits.
func (v vmas) covers(lo, hi uint64, bits byte) bool {
	for i := v.search(lo); i < len(v) && v[i].lo <= lo && v[i].bits&bits == bits; i++ {
		if lo = v[i].hi; hi <= lo {
			return true
		}
	}
	return false
}

// without calls f of what is mapped of lo..hi-1, with all of bits, and is not in o.
func (v vmas) without(o vmas, lo, hi uint64, bits byte, f func(lo, hi uint64)) {
	for i := v.search(lo); i < len(v) && v[i].lo < hi; i++ {
		if v[i].bits&bits != bits {
			continue
		}
		at, end := max(lo, v[i].lo), min(hi, v[i].hi)
		for j := o.search(at); at < end; j++ {
			next, behind := end, end
			if j < len(o) && o[j].lo < end {
				next, behind = max(at, o[j].lo), o[j].hi
			}
			if at < next {
				f(at, next)
			}
			at = behind
		}
	}
}

// below returns the highest free range of n bytes that ends at or below top
// and begins at or above bottom.
func (v vmas) below(top, bottom, n uint64) (uint64, bool) {
	end := top
	for i := len(v) - 1; i >= 0; i-- {
		if v[i].lo >= end {
			continue
		}
		if v[i].hi < end && end-v[i].hi >= n {
			break
		}
		end = min(end, v[i].lo)
	}
	if end < bottom+n {
		return 0, false
	}
	return end - n, true
}
