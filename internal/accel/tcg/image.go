package tcg

import (
	"bytes"
	"errors"
	"hash/crc32"
	"slices"
	"sort"

	"rhea/internal/guest"
	"rhea/internal/jit/amd64"
	"rhea/internal/mem"
)

// This file keeps what was translated for other processes that execute the same
// program. An image has the code memory as it is, for machine code depends on
// where it is in that only, and of each unit its key, its place and the guest's
// code that it was made of. A unit of an image is good once that code is found to
// be the same, which is looked at when the unit is first met: so an image may be
// of anything, and cannot make translations wrong as long as it was written by
// the same rhea on the same kind of processor. That is what its name is for.

// imageMagic begins an image and names its layout.
const imageMagic = "rheaTC\x00\x01"

// An image is a header, the name, and for each segment of the code memory that is
// used a segmentHeader; behind them the segments' jumps and accesses, then the
// units, by place, the guest's code and, page by page, the code memory. Numbers
// are little-endian.
const (
	headerSize        = 48 // magic, checksum of the rest, size, length of the name, segments, units, offsets of units and of guest code
	segmentHeaderSize = 40 // offset of its code, of jumps and of accesses; bounds in the code memory; numbers of units, jumps, accesses
	unitSize          = 72 // place, second place, key, where the code is, its size, number, length, flags, offset of its guest code
)

// Flags of a unit of an image.
const (
	unitMoves = 1 << iota
	unitCross
	unitStale // the guest's code is another
)

// maxImage bounds an image, in bytes.
const maxImage = 24 << 20

// maxQuick bounds how many units are compiled only to be kept.
const maxQuick = 4096

// checksum is that of an image from offset 12 on (CRC-32C).
func checksum(data []byte) uint32 {
	return crc32.Checksum(data[12:], crc32.MakeTable(crc32.Castagnoli))
}

// ErrImage is the error of an image which is of no use.
var ErrImage = errors.New("the image of translated code is damaged, or of something else")

// image is one that is used.
type image struct {
	data  []byte
	ram   *mem.RAM
	units []byte // records
	code  []byte // the guest's
	known int    // units
	stale int
	made  uint64 // coder.made when it came
}

func (m *image) unit(i int) []byte { return m.units[i*unitSize:][:unitSize] }

func imageUnits(m *image) int { return len(m.units) / unitSize }

// UseImage has the vCPU, which has not run yet, use an image of that name for code
// in ram. Data is kept and written to; it is the caller's own. Load fills the code
// memory from at on with size bytes of the image from off on, all whole pages, and
// may be nil. The error is ErrImage, or there is no translator.
func (v *VCPU) UseImage(data []byte, name string, ram *mem.RAM, load func(off int64, at, size int) error) error {
	n := v.n
	if n == nil {
		return errors.New("there is no translator to machine code")
	}
	if n.made != 0 {
		panic("BUG: tcg: an image is used too late")
	}
	r := imageReader{data: data, ok: len(data) >= headerSize && string(data[:8]) == imageMagic}
	if !r.ok || checksum(data) != le.Uint32(data[8:]) || r.u64(16) != uint64(len(data)) {
		return ErrImage
	}
	count, units := r.u32(28), r.u32(32)
	unitsAt, codeAt := r.u32(36), r.u32(40)
	if string(r.part(headerSize, int(r.u32(24)))) != name || int(count) > len(n.segments) {
		return ErrImage
	}
	m := &image{data: data, ram: ram, units: r.part(int(unitsAt), int(units)*unitSize), known: int(units)}
	if r.ok && int(codeAt) <= len(data) {
		m.code = data[codeAt:]
	}
	headers := r.part(align(headerSize+len(name), 8), int(count)*segmentHeaderSize)
	if !r.ok || count == 0 {
		return ErrImage
	}
	var parts []imagePart
	for i := range int(count) {
		p := n.imagePart(i, &r, &imageReader{headers[i*segmentHeaderSize:][:segmentHeaderSize], true})
		if !r.ok {
			return ErrImage
		}
		parts = append(parts, p)
	}
	for i, p := range parts {
		s := &n.segments[i]
		at := n.imageStart(i)
		if load == nil || load(int64(p.off), at, len(p.code)) != nil {
			copy(n.code.RW[at:], p.code)
		}
		s.units, s.partial = make([]*unit, p.units), true
		s.jumps, s.accesses, s.next = p.jumps, p.accesses, p.next
		n.current = i
	}
	n.c.Accesses = n.segments[n.current].accesses
	n.made++
	m.made = n.made
	v.image = m
	return nil
}

// MapCode is a load for UseImage from a file.
func (v *VCPU) MapCode(fd int, off int64, at, size int) error { return v.n.code.Map(fd, off, at, size) }

// imagePart is what an image has of a segment.
type imagePart struct {
	off      int // of code
	code     []byte
	next     int
	units    int
	jumps    []jumpRecord
	accesses []amd64.Access
}

// imagePart reads the part of segment i, whose header is h. The beginning of the
// code memory has to be as it is here.
func (n *coder) imagePart(i int, r, h *imageReader) (p imagePart) {
	s := &n.segments[i]
	first := int(h.u32(12))
	p.off, p.next, p.units = int(h.u32(0)), int(h.u32(16)), int(h.u32(20))
	nj, na := int(h.u32(24)), int(h.u32(28))
	if first != s.first || p.next < first || p.next > s.end || p.off%mem.PageSize != 0 || p.units == 0 || p.units > segmentMask || nj == 0 {
		r.ok = false
		return p
	}
	p.code = r.part(p.off, align(p.next, mem.PageSize)-n.imageStart(i))
	j, a := r.part(int(h.u32(4)), nj*jumpRecordSize), r.part(int(h.u32(8)), na*accessSize)
	if !r.ok || i == 0 && !bytes.Equal(p.code[:n.first], n.code.RW[:n.first]) {
		r.ok = false
		return p
	}
	p.jumps, p.accesses = jumpRecords(j), accessList(a)
	for i, j := range p.jumps {
		if i != 0 && (int(j.at) < first || int(j.at) > p.next-4 || j.at%4 != 0) || j.next|j.prev != 0 {
			r.ok = false
		}
	}
	return p
}

// imageStart is where the code memory of segment i begins in an image: with whole
// pages, and the first with what is before it.
func (n *coder) imageStart(i int) int {
	if i == 0 {
		return 0
	}
	return n.segments[i].first &^ (mem.PageSize - 1)
}

// imageSlot is where a unit of an image is to be entered; nil = its number or its
// code is none of ours.
func (n *coder) imageSlot(u *unit) **unit {
	i, k := int(u.native.number>>segmentShift), int(u.native.number&segmentMask)
	if i >= len(n.segments) || k == 0 || k >= len(n.segments[i].units) || u.native.at < n.segments[i].first || u.native.at+u.native.size > n.segments[i].next {
		return nil
	}
	return &n.segments[i].units[k]
}

// imageReader reads what may be damaged.
type imageReader struct {
	data []byte
	ok   bool
}

func (r *imageReader) u32(at int) uint32 { return le.Uint32(r.data[at:]) }
func (r *imageReader) u64(at int) uint64 { return le.Uint64(r.data[at:]) }

func (r *imageReader) part(at, n int) []byte {
	if at < 0 || n < 0 || at > len(r.data) || n > len(r.data)-at {
		r.ok = false
		return nil
	}
	return r.data[at : at+n : at+n]
}

func align(n, to int) int { return (n + to - 1) / to * to }

// fromImage returns the unit of the image for a key, at its place; nil = there is
// none.
func (v *VCPU) fromImage(k *guest.Key, at place) *unit {
	m, n := v.image, v.n
	if at.ram != m.ram || v.traced || v.counted || n.evictions != 0 {
		return nil
	}
	for i := sort.Search(imageUnits(m), func(i int) bool { return le.Uint64(m.unit(i)) >= at.off }); i < imageUnits(m); i++ {
		r := m.unit(i)
		if le.Uint64(r) != at.off {
			return nil
		}
		u, source := decodeUnit(m, r)
		if source == nil {
			continue
		}
		slot := n.imageSlot(&u)
		pc := u.key.PC
		if u.moves {
			pc |= k.PC &^ pageMask
		}
		if slot == nil || *slot != nil || pc != k.PC || u.key.Base != k.Base || u.key.Limit != k.Limit || u.key.Mode != k.Mode || u.moves != v.moves(k) {
			continue
		}
		if !v.sameCode(&u, at, (k.PC+k.Base)&v.vaMask, source) {
			le.PutUint16(r[66:], le.Uint16(r[66:])|unitStale)
			m.stale++
			continue
		}
		next := n.newUnit()
		*next = u
		*slot = next
		v.cache.add(next)
		return next
	}
	return nil
}

// sameCode reports whether u, at a place and an address, was made of the code that
// is there.
func (v *VCPU) sameCode(u *unit, at place, va uint64, source []byte) bool {
	u.place = at
	first := min(u.len, mem.PageSize-at.off%mem.PageSize)
	if !bytes.Equal(at.ram.Bytes[at.off:][:first], source[:first]) {
		return false
	}
	if !u.cross {
		return first == u.len
	}
	second, ok, fault := v.fetchPlace((u.place.off&^pageMask + mem.PageSize) & v.vaMask)
	if !ok || fault != nil || second.ram != at.ram || second.off != u.second.off {
		return false
	}
	u.second = second
	return bytes.Equal(second.ram.Bytes[second.off:][:u.len-first], source[first:])
}

// decodeUnit returns what a record of m says, and the guest's code that the unit
// was made of; nil if it is of no use.
func decodeUnit(m *image, r []byte) (u unit, source []byte) {
	flags := le.Uint16(r[66:])
	size, at := uint64(le.Uint16(r[64:])), uint64(le.Uint32(r[68:]))
	if flags&unitStale != 0 || size == 0 || at+size > uint64(len(m.code)) {
		return u, nil
	}
	return unit{
		place: place{off: le.Uint64(r)}, second: place{off: le.Uint64(r[8:])}, len: size,
		key:    guest.Key{PC: le.Uint64(r[16:]), Base: le.Uint64(r[24:]), Limit: le.Uint64(r[32:]), Mode: le.Uint64(r[40:])},
		native: native{at: int(le.Uint32(r[48:])), size: int(le.Uint32(r[52:])), number: le.Uint32(r[56:])},
		moves:  flags&unitMoves != 0, cross: flags&unitCross != 0,
	}, m.code[at:][:size]
}

// ImageNews is how many units an image would have that the one in use has not,
// roughly, and how many that has.
func (v *VCPU) ImageNews() (news, known int) {
	if v.n == nil {
		return 0, 0
	}
	news = int(v.n.made) + len(v.n.quick)
	if m := v.image; m != nil {
		news -= int(m.made)
		known = m.known - m.stale
	}
	return news, known
}

// Image returns an image of that name of what was translated so far of the code in
// ram for which keep, of an offset there, is true; nil if there can be none. Units
// that were not compiled yet are. The vCPU does not run.
func (v *VCPU) Image(name string, ram *mem.RAM, keep func(off uint64) bool) []byte {
	n := v.n
	if n == nil || v.traced || v.counted {
		return nil
	}
	v.attend()
	wanted := func(u *unit) bool {
		return u.valid && !u.counted && u.place.ram == ram && keep(u.place.off) && (!u.cross || u.second.ram == ram && keep(u.second.off))
	}
	v.compileQuick(wanted)
	if n.evictions != 0 || v.cache.flushes != 1 {
		return nil
	}
	n.segments[n.current].accesses = n.c.Accesses
	w := imageWriter{v: v}
	for i := range n.segments[:n.current+1] {
		for _, u := range n.segments[i].units[1:] {
			if u != nil && wanted(u) {
				w.unit(u, w.source(u))
			}
		}
	}
	if m := v.image; m != nil && m.ram == ram { // what was not met this time
		for i := range imageUnits(m) {
			if u, source := decodeUnit(m, m.unit(i)); source != nil {
				if slot := n.imageSlot(&u); slot != nil && *slot == nil {
					w.unit(&u, source)
				}
			}
		}
	}
	return w.finish(name)
}

// compileQuick makes machine code of units that were not compiled.
func (v *VCPU) compileQuick(wanted func(u *unit) bool) {
	list := slices.Clone(v.n.quick)
	for _, u := range list[max(0, len(list)-maxQuick):] {
		if !u.valid || !u.quick || !wanted(u) {
			continue
		}
		k := u.key
		if u.moves {
			k.PC |= (u.place.off - k.Base) &^ pageMask
		}
		at, ok, fault := v.fetchPlace((k.PC + k.Base) & v.vaMask)
		if !ok || fault != nil || at != u.place { // of one that moves the address need not be known
			continue
		}
		if v.compileNow(u, k); v.n.evictions != 0 {
			return
		}
	}
}

// imageWriter makes an image.
type imageWriter struct {
	v     *VCPU
	units [][unitSize]byte
	code  []byte
}

// source is the guest's code that u was made of.
func (w *imageWriter) source(u *unit) []byte {
	first := min(u.len, mem.PageSize-u.place.off%mem.PageSize)
	b := append([]byte(nil), u.place.ram.Bytes[u.place.off:][:first]...)
	if u.cross {
		b = append(b, u.second.ram.Bytes[u.second.off:][:u.len-first]...)
	}
	return b
}

func (w *imageWriter) unit(u *unit, source []byte) {
	var r [unitSize]byte
	for i, x := range [...]uint64{u.place.off, u.second.off, u.key.PC, u.key.Base, u.key.Limit, u.key.Mode} {
		le.PutUint64(r[8*i:], x)
	}
	for i, x := range [...]uint32{uint32(u.native.at), uint32(u.native.size), u.native.number} {
		le.PutUint32(r[48+4*i:], x)
	}
	var flags uint16
	if u.moves {
		flags |= unitMoves
	}
	if u.cross {
		flags |= unitCross
	}
	le.PutUint16(r[64:], uint16(u.len))
	le.PutUint16(r[66:], flags)
	le.PutUint32(r[68:], uint32(len(w.code)))
	w.units = append(w.units, r)
	w.code = append(w.code, source...)
}

func (w *imageWriter) finish(name string) []byte {
	n := w.v.n
	used := n.segments[:n.current+1]
	slices.SortFunc(w.units, func(a, b [unitSize]byte) int {
		x, y := le.Uint64(a[:]), le.Uint64(b[:])
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	headers := align(headerSize+len(name), 8)
	out := make([]byte, headers+len(used)*segmentHeaderSize)
	copy(out[headerSize:], name)
	for i := range used {
		s := &used[i]
		h := out[headers+i*segmentHeaderSize:]
		le.PutUint32(h[4:], uint32(len(out)))
		for _, j := range s.jumps {
			out = le.AppendUint32(out, uint32(j.at))
			out = append(out, make([]byte, jumpRecordSize-4)...)
		}
		h = out[headers+i*segmentHeaderSize:]
		le.PutUint32(h[8:], uint32(len(out)))
		for _, a := range s.accesses {
			out = le.AppendUint32(le.AppendUint32(out, a.At), a.Site)
		}
		h = out[headers+i*segmentHeaderSize:]
		for k, x := range [...]int{s.first, s.next, len(s.units), len(s.jumps), len(s.accesses)} {
			le.PutUint32(h[12+4*k:], uint32(x))
		}
	}
	out = append(out, make([]byte, align(len(out), 8)-len(out))...)
	unitsAt := len(out)
	for i := range w.units {
		out = append(out, w.units[i][:]...)
	}
	codeAt := len(out)
	out = append(out, w.code...)
	for i := range used {
		s := &used[i]
		out = append(out, make([]byte, align(len(out), mem.PageSize)-len(out))...)
		le.PutUint32(out[headers+i*segmentHeaderSize:], uint32(len(out)))
		at := n.imageStart(i)
		from := len(out)
		out = append(out, n.code.RW[at:s.next]...)
		for _, j := range s.jumps[1:] {
			le.PutUint32(out[from+int(j.at)-at:], 0) // leads to us
		}
		out = append(out, make([]byte, align(len(out), mem.PageSize)-len(out))...)
	}
	if len(out) > maxImage {
		return nil
	}
	copy(out, imageMagic)
	le.PutUint64(out[16:], uint64(len(out)))
	for i, x := range [...]int{len(name), len(used), len(w.units), unitsAt, codeAt} {
		le.PutUint32(out[24+4*i:], uint32(x))
	}
	le.PutUint32(out[8:], checksum(out))
	return out
}
