package host

import "slices"

// span is a range of the window, in bytes from its start.
type span struct{ off, size int }

// spans hands out ranges of address space and takes them back: first fit, free
// ranges in order of address, neighbours joined.
type spans []span

func (s *spans) take(size int) (span, bool) {
	for i := range *s {
		f := &(*s)[i]
		if f.size < size {
			continue
		}
		got := span{f.off, size}
		f.off += size
		f.size -= size
		if f.size == 0 {
			*s = slices.Delete(*s, i, i+1)
		}
		return got, true
	}
	return span{}, false
}

func (s *spans) give(r span) {
	i, _ := slices.BinarySearchFunc(*s, r.off, func(f span, off int) int { return f.off - off })
	*s = slices.Insert(*s, i, r)
	if i+1 < len(*s) && r.off+r.size == (*s)[i+1].off {
		(*s)[i].size += (*s)[i+1].size
		*s = slices.Delete(*s, i+1, i+2)
	}
	if i > 0 && (*s)[i-1].off+(*s)[i-1].size == (*s)[i].off {
		(*s)[i-1].size += (*s)[i].size
		*s = slices.Delete(*s, i, i+1)
	}
}
