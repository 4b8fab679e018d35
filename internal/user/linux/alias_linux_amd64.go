package linux

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Just-in-time compilers write code by one mapping of a file and execute it by
// another, so that none is writable and executable: Erlang's, .NET's. A page
// of a file that has code at one address is write-protected at all of them.

// fileRange is a shared mapping of a file, from its offset Off.
type fileRange struct {
	Lo, Hi, Off, Dev, Ino uint64
}

// aliases are pages that are write-protected for code that their file has been
// executed of at other addresses: which.
type aliases map[uint64][]uint64

// mapsFile notes a mapping if it is a shared one of a file. The space is locked.
func (s *space) mapsFile(lo, hi uint64, flags, fd int, off uint64) {
	if flags&(unix.MAP_SHARED|unix.MAP_ANON) != unix.MAP_SHARED { // that of MAP_SHARED_VALIDATE, too
		return
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		s.files = append(s.files, fileRange{lo, hi, off, st.Dev, st.Ino})
	}
}

// leavesFile is told that lo..hi-1 is no mapping of a file any more.
func (s *space) leavesFile(lo, hi uint64) {
	for i := 0; i < len(s.files); {
		f := s.files[i]
		if f.Hi <= lo || hi <= f.Lo {
			i++
			continue
		}
		var rest []fileRange
		if f.Lo < lo {
			rest = append(rest, fileRange{f.Lo, lo, f.Off, f.Dev, f.Ino})
		}
		if hi < f.Hi {
			rest = append(rest, fileRange{hi, f.Hi, f.Off + hi - f.Lo, f.Dev, f.Ino})
		}
		s.files = slices.Replace(s.files, i, i+1, rest...)
		i += len(rest)
	}
}

// growsFile is told that the mapping that ends at end has become n bytes longer.
func (s *space) growsFile(end, n uint64) {
	for i := range s.files {
		if f := &s.files[i]; f.Hi == end {
			f.Hi += n
		}
	}
}

// movesFile is told that n bytes of mappings at va are going to be at to.
func (s *space) movesFile(va, n, to uint64) {
	for _, f := range slices.Clone(s.files) {
		if lo, hi := max(va, f.Lo), min(va+n, f.Hi); lo < hi {
			s.files = append(s.files, fileRange{to + lo - va, to + hi - va, f.Off + lo - f.Lo, f.Dev, f.Ino})
		}
	}
	s.leavesFile(va, va+n)
}

// sharesFile calls do with each pair of ranges, one of lo..hi-1 and one of other addresses, n
// bytes that are the same ones of a file.
func (s *space) sharesFile(lo, hi uint64, do func(at, other, n uint64)) {
	for _, f := range s.files {
		a, b := max(lo, f.Lo), min(hi, f.Hi)
		if a >= b {
			continue
		}
		from, to := f.Off+a-f.Lo, f.Off+b-f.Lo
		for _, g := range s.files {
			first, end := max(from, g.Off), min(to, g.Off+g.Hi-g.Lo)
			if g.Lo == f.Lo || g.Dev != f.Dev || g.Ino != f.Ino || first >= end {
				continue
			}
			do(f.Lo+first-f.Off, g.Lo+first-g.Off, end-first)
		}
	}
}

// protectAlias write-protects the page at va for the code that its file has at code.
func (s *space) protectAlias(va, code uint64) {
	if s.maps.bits(va)&pageW == 0 || slices.Contains(s.aliases[va], code) {
		return
	}
	if s.aliases == nil {
		s.aliases = aliases{}
	}
	s.aliases[va] = append(s.aliases[va], code)
	s.watch(va)
}

// becomesWritable is told that lo..hi-1 may be written now, where it was not
// or where other memory was.
func (s *space) becomesWritable(lo, hi uint64) {
	s.sharesFile(lo, hi, func(at, other, n uint64) {
		for i := s.maps.search(other); i < len(s.maps) && s.maps[i].lo < other+n; i++ {
			m := s.maps[i]
			if m.bits&pageX == 0 {
				continue
			}
			for p, end := max(other, m.lo, s.codeLo), min(other+n, m.hi, s.codeHi); p < end; p += page {
				if s.ram.Watched(p) {
					s.protectAlias(at+p-other, p)
				}
			}
		}
	})
}

// aliasWritten is told that the page at va is written, or may be from now on: what
// was executed of it elsewhere is forgotten.
func (s *space) aliasWritten(va uint64) {
	for _, code := range s.aliases[va] {
		s.unwatch(code)
		s.forget(code, page)
	}
	delete(s.aliases, va)
}

// aliasesOf lists the pages of lo..hi-1 that are aliases.
func (s *space) aliasesOf(lo, hi uint64) (list []uint64) {
	if len(s.aliases) == 0 {
		return nil
	}
	lo &^= pageMask
	if (hi-lo)/page <= uint64(len(s.aliases)) {
		for va := lo; va < hi; va += page {
			if _, ok := s.aliases[va]; ok {
				list = append(list, va)
			}
		}
		return list
	}
	for va := range s.aliases {
		if lo <= va && va < hi {
			list = append(list, va)
		}
	}
	return list
}
