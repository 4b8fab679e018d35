package linux

import "slices"

// vma is a range of mapped guest addresses, lo to hi-1.
type vma struct{ lo, hi uint64 }

// vmas are ranges in order that do not touch each other.
type vmas []vma

// add makes lo..hi-1 mapped.
func (v *vmas) add(lo, hi uint64) {
	i, _ := slices.BinarySearchFunc(*v, lo, func(m vma, at uint64) int {
		if m.hi < at {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*v) && (*v)[j].lo <= hi {
		lo, hi = min(lo, (*v)[j].lo), max(hi, (*v)[j].hi)
		j++
	}
	*v = slices.Replace(*v, i, j, vma{lo, hi})
}

// remove makes lo..hi-1 free.
func (v *vmas) remove(lo, hi uint64) {
	var keep []vma
	i, _ := slices.BinarySearchFunc(*v, lo, func(m vma, at uint64) int {
		if m.hi <= at {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*v) && (*v)[j].lo < hi {
		if m := (*v)[j]; m.lo < lo {
			keep = append(keep, vma{m.lo, lo})
		}
		if m := (*v)[j]; m.hi > hi {
			keep = append(keep, vma{hi, m.hi})
		}
		j++
	}
	*v = slices.Replace(*v, i, j, keep...)
}

// overlaps reports whether anything of lo..hi-1 is mapped.
func (v vmas) overlaps(lo, hi uint64) bool {
	i, _ := slices.BinarySearchFunc(v, lo, func(m vma, at uint64) int {
		if m.hi <= at {
			return -1
		}
		return 1
	})
	return i < len(v) && v[i].lo < hi
}

// covers reports whether all of lo..hi-1 is mapped.
func (v vmas) covers(lo, hi uint64) bool {
	i, _ := slices.BinarySearchFunc(v, lo, func(m vma, at uint64) int {
		if m.hi <= at {
			return -1
		}
		return 1
	})
	return i < len(v) && v[i].lo <= lo && hi <= v[i].hi
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
