package tcg

import (
	"math"
	"slices"
	"sort"

	"rhea/internal/jit/amd64"
)

// This file shares the code memory out. It is a ring of segments: when one is
// full the next is used, and what has been in there longest of all is evicted.

// segment is a piece of the code memory.
type segment struct {
	first, end int // offsets
	next       int // of what is free
	// What sites and jumps refer to, by number; the first are none.
	units []*unit
	jumps []jumpRecord
	// partial: units that are only in an image yet are nil.
	partial bool
	// accesses are Compiler.Accesses, while another segment is the current one.
	accesses []amd64.Access
}

// Units and jumps have the number of their segment in the upper bits of theirs.
const (
	segmentShift = 20
	segmentMask  = 1<<segmentShift - 1
)

// maxSegments is how many there are at most, minSegment the bytes of the smallest.
const (
	maxSegments = 16
	minSegment  = 256 << 10
)

// divide makes the segments of a code memory of the given size whose beginning is
// used for something else.
func (n *coder) divide(first, size int) {
	count := max(1, min(maxSegments, size/minSegment))
	n.segments = make([]segment, count)
	for i := range n.segments {
		n.segments[i].first = amd64.Place(max(first, size/count*i))
		n.segments[i].end = size / count * (i + 1)
	}
}

// complete forgets the units that are only in an image; the numbers of the others
// are good no more.
func (s *segment) complete() {
	if s.partial {
		s.units = append(s.units[:1], slices.DeleteFunc(s.units[1:], func(u *unit) bool { return u == nil })...)
		s.partial = false
	}
}

func (s *segment) reset() {
	s.next = s.first
	s.units = append(s.units[:0], nil)
	s.jumps = append(s.jumps[:0], jumpRecord{})
	s.accesses = s.accesses[:0]
}

// unitOf returns the unit with a number.
func (n *coder) unitOf(number uint32) *unit {
	return n.segments[number>>segmentShift].units[number&segmentMask]
}

func (n *coder) jump(number int32) *jumpRecord {
	return &n.segments[number>>segmentShift].jumps[number&segmentMask]
}

// nextNumber is that of the unit that is made next.
func (n *coder) nextNumber() uint32 {
	return uint32(n.current<<segmentShift | len(n.segments[n.current].units))
}

// used is how much of the code memory is in use, in bytes and units.
func (n *coder) used() (bytes, units int) {
	for i := range n.segments {
		s := &n.segments[i]
		bytes += s.next - s.first
		units += len(s.units) - 1
	}
	return bytes, units
}

// nextSegment goes on to the next segment, and evicts what is in it.
func (n *coder) nextSegment(v *VCPU) {
	n.segments[n.current].accesses = n.c.Accesses
	n.current = (n.current + 1) % len(n.segments)
	s := &n.segments[n.current]
	n.evict(v, s)
	n.c.Accesses = s.accesses
}

// evict empties a segment.
func (n *coder) evict(v *VCPU, s *segment) {
	if len(s.units) == 1 {
		return
	}
	n.evictions++
	s.complete()
	for _, u := range s.units[1:] {
		n.closeTo(u)
	}
	v.cache.takeAll(s.units[1:])
	for i := range s.jumps {
		if j := &s.jumps[i]; j.next != 0 {
			n.unlink(j)
		}
	}
	n.far = slices.DeleteFunc(n.far, func(number int32) bool { return &n.segments[number>>segmentShift] == s })
	n.dropEntries(uint64(n.code.RX)+uint64(s.first), uint64(n.code.RX)+uint64(s.end))
	clear(v.jumps[:]) // units are used again
	n.free = append(n.free, s.units[1:]...)
	n.freeQuick(func(u *unit) bool { return !u.valid })
	s.reset()
}

// dropEntries empties the entries of the table of jumps that lead to code at
// addresses from first to before end.
func (n *coder) dropEntries(first, end uint64) {
	t := n.tables[n.layout.jumps():]
	for i := 0; i < len(t); i += n.layout.jump {
		if t[i+1]-first < end-first {
			clear(t[i : i+n.layout.jump])
		}
	}
}

// --- jumps between units

// jumpRecord is a direct jump between units.
type jumpRecord struct {
	at   int32 // offset of the rel32
	next int32 // of those that lead to the same unit, lastJump = none; 0: it leads to none
	prev int32 // the one before it on that list; -number of the unit if it is the first
}

// lastJump ends a list. deadJump is prev of those that lead nowhere any more.
const (
	lastJump = -1
	deadJump = math.MinInt32
)

// link makes the jump with a number lead to u, so far behind its beginning, if it
// does not lead anywhere.
func (n *coder) link(number int32, u *unit, into int) {
	j := n.jump(number)
	if j.next != 0 || j.prev == deadJump {
		return
	}
	j.next, j.prev = lastJump, -int32(u.native.number)
	if first := u.native.incoming; first != 0 {
		j.next = first
		n.jump(first).prev = number
	}
	u.native.incoming = number
	n.point(j, u.native.at+into)
}

// farInterval is how many jumps to other pages go by the table until one of them is
// made a direct one: those that are done often are soon.
const farInterval = 32

// maxFar is how many there are at most.
const maxFar = 1 << 16

// linkFar is link for a jump to another page.
func (n *coder) linkFar(number int32, u *unit) {
	if len(n.far) >= maxFar {
		n.closeFar()
	}
	n.far = append(n.far, number)
	n.link(number, u, 0)
}

// closeFar makes all direct jumps to other pages go by the table again: what lies
// there may be something else now.
func (n *coder) closeFar() {
	if n == nil {
		return
	}
	for _, number := range n.far {
		if j := n.jump(number); j.next != 0 {
			n.cut(j)
			n.unlink(j)
		}
	}
	n.far = n.far[:0]
}

// unlink takes a jump off the list of those that lead to the same unit.
func (n *coder) unlink(j *jumpRecord) {
	next := j.next
	if next == lastJump {
		next = 0
	} else {
		n.jump(next).prev = j.prev
	}
	if j.prev < 0 {
		n.unitOf(uint32(-j.prev)).native.incoming = next
	} else if next != 0 {
		n.jump(j.prev).next = next
	} else {
		n.jump(j.prev).next = lastJump
	}
	j.next, j.prev = 0, 0
}

// closeTo makes the jumps to u leave to us again.
func (n *coder) closeTo(u *unit) {
	for i := u.native.incoming; i > 0; {
		j := n.jump(i)
		n.cut(j)
		i, j.next, j.prev = j.next, 0, 0
	}
	u.native.incoming = 0
}

// closeFrom makes u's own jumps leave to us: nobody is to write where they were
// once Retire has.
func (n *coder) closeFrom(u *unit) {
	list := n.segments[u.native.number>>segmentShift].jumps
	first := sort.Search(len(list), func(i int) bool { return i > 0 && int(list[i].at) >= u.native.at })
	for i := first; i < len(list) && int(list[i].at) < u.native.at+u.native.size; i++ {
		j := &list[i]
		if j.next != 0 {
			n.cut(j)
			n.unlink(j)
		}
		j.prev = deadJump
	}
}

// cut makes a jump lead nowhere, to what is behind it.
func (n *coder) cut(j *jumpRecord) { n.point(j, int(j.at)+4) }

// point makes a jump lead to offset to.
func (n *coder) point(j *jumpRecord, to int) { n.code.Store32(int(j.at), uint32(int32(to)-(j.at+4))) }
