package x86

import (
	"bytes"
	"encoding/binary"

	"rhea/internal/guest"
)

var le = binary.LittleEndian

// stringFast does as many iterations of MOVS, STOS, CMPS and SCAS with a
// repeat prefix as lie within a page of RAM, or until the comparison ends it,
// and returns how many; 0 = take them one by one. The flags are those of the
// last comparison.
func (c *CPU) stringFast(in *stringInsn) uint64 {
	s := c.s
	if in.kind == sLods || in.once || c.mode&(modeDbgData|modeAlign) != 0 {
		return 0
	}
	down := s.DF != 1
	if in.kind >= sIns {
		return c.portFast(in, down)
	}
	n := in.wrapped(s.GPR[rCX])
	di := in.wrapped(s.GPR[rDI])
	writes := in.kind == sMovs || in.kind == sStos
	// One beyond what the address size, segment and page hold is left to iterate.
	n = min(n, c.span(in, ES, di, down, writes))
	if n == 0 {
		return 0
	}
	var src []byte
	si := in.wrapped(s.GPR[rSI])
	reads := in.kind == sMovs || in.kind == sCmps
	if reads {
		if n = min(n, c.span(in, in.seg, si, down, false)); n == 0 {
			return 0
		}
		if src = c.bytesAt(in, in.seg, si, n, down, guest.Read); src == nil {
			return 0
		}
	}
	access := guest.Read
	if writes {
		access = guest.Write
	}
	dst := c.bytesAt(in, ES, di, n, down, access)
	if dst == nil {
		return 0
	}
	switch in.kind {
	case sStos:
		fillPattern(dst, s.GPR[rAX], int(in.size))
	case sMovs:
		if !c.moveFast(in, dst, src, si, di, down) {
			return 0
		}
	default:
		n = c.compareFast(in, dst, src, down)
	}
	step := n * in.size
	if down {
		step = -step
	}
	if reads {
		in.advance(&s.GPR[rSI], step)
	}
	in.advance(&s.GPR[rDI], step)
	in.advance(&s.GPR[rCX], -n)
	return n
}

// portFast does as many iterations of INS and OUTS as lie within a page of RAM,
// if the port takes them at one go.
func (c *CPU) portFast(in *stringInsn, down bool) uint64 {
	s := c.s
	ports, ok := c.mem.(guest.Streams)
	if !ok || down {
		return 0
	}
	seg, index, access := ES, &s.GPR[rDI], guest.Write
	if in.kind == sOuts {
		seg, index, access = in.seg, &s.GPR[rSI], guest.Read
	}
	off := in.wrapped(*index)
	n := min(in.wrapped(s.GPR[rCX]), c.span(in, seg, off, down, access == guest.Write))
	if n < 2 {
		return 0
	}
	b := c.bytesAt(in, seg, off, n, down, access)
	move := ports.InStream
	if in.kind == sOuts {
		move = ports.OutStream
	}
	if b == nil || !move(s.GPR[rDX]&0xffff, int(in.size), b) {
		return 0
	}
	in.advance(index, n*in.size)
	in.advance(&s.GPR[rCX], -n)
	return n
}

// bytesAt returns the memory of n elements, of which the first is at off.
func (c *CPU) bytesAt(in *stringInsn, seg int, off, n uint64, down bool, a guest.Access) []byte {
	if down {
		off -= (n - 1) * in.size
	}
	b := c.mem.Bytes(c.linearIn(seg, off), int(n*in.size), c.mmuIndex(), a)
	if len(b) < int(n*in.size) {
		return nil
	}
	return b
}

// moveFast does MOVS where it is a copy, or a repeated pattern.
func (c *CPU) moveFast(in *stringInsn, dst, src []byte, si, di uint64, down bool) bool {
	d := c.linearIn(ES, di) - c.linearIn(in.seg, si)
	if !c.long() {
		d &= 0xffffffff
		d = uint64(int64(int32(d)))
	}
	if down {
		d = -d
	}
	switch n := uint64(len(dst)); {
	case d == 0 || d >= n && d <= -n: // the ranges are apart
		if samePage(dst, src) && d > 0x1000 && -d > 0x1000 {
			return false // one page at two addresses
		}
		copy(dst, src)
	case d > n: // what is read was not written before
		copy(dst, src)
	case d < in.size || down:
		return false // each element reads what the one before has written in part
	default:
		copyUp(dst, src, int(d)) // the pattern repeats itself
	}
	return true
}

// compareFast does CMPS and SCAS until the comparison ends them; it returns
// the number of elements compared.
func (c *CPU) compareFast(in *stringInsn, dst, src []byte, down bool) uint64 {
	s := c.s
	size := int(in.size)
	total := len(dst) / size
	acc := s.GPR[rAX] & (^uint64(0) >> (64 - 8*size))
	equal := in.rep == 1 // goes on while equal
	k := 0
	if size == 1 && !down {
		switch {
		case in.kind == sScas && !equal:
			if k = bytes.IndexByte(dst, byte(acc)); k < 0 {
				k = total - 1
			}
		case in.kind == sCmps && equal:
			for k+8 < total && le.Uint64(dst[k:]) == le.Uint64(src[k:]) {
				k += 8
			}
		}
	}
	for ; ; k++ {
		i := k * size
		if down {
			i = (total - 1 - k) * size
		}
		y := element(dst[i:], size)
		x := acc
		if in.kind == sCmps {
			x = element(src[i:], size)
		}
		if (x == y) != equal || k == total-1 {
			s.CCOp, s.CCDst, s.CCSrc = ccCmp+log2(size), x, y
			return uint64(k + 1)
		}
	}
}

// element reads a little-endian number.
func element(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(le.Uint16(b))
	case 8:
		return le.Uint64(b)
	}
	return uint64(le.Uint32(b))
}

// span returns how many elements from off, up or down, lie in the segment,
// the address size and the page.
func (c *CPU) span(in *stringInsn, seg int, off uint64, down, write bool) uint64 {
	g := &c.s.Seg[seg]
	hi := g.RHi
	if write {
		hi = g.WHi
	}
	lin, lo := c.linearIn(seg, off), g.Lo
	if c.long() {
		lo, hi = 0, ^uint64(0)
	}
	if off < lo || off > hi || hi-off < in.size || lin&0xfff+in.size > 0x1000 {
		return 0
	}
	if down {
		return min(off-lo, lin&0xfff)/in.size + 1
	}
	room := hi - off
	if in.adsize < 8 {
		room = min(room, in.mask()-off+1)
	}
	return min(room, 0x1000-lin&0xfff) / in.size
}

func fillPattern(dst []byte, v uint64, size int) {
	for i := range min(size, len(dst)) {
		dst[i] = byte(v >> (8 * i))
	}
	for n := size; n < len(dst); n *= 2 {
		copy(dst[n:], dst[:n])
	}
}

// copyUp copies in order of rising addresses where dst lies d bytes above src.
func copyUp(dst, src []byte, d int) {
	for i := range dst {
		if i < d {
			dst[i] = src[i]
		} else {
			dst[i] = dst[i-d]
		}
	}
}

// samePage reports whether two slices of pages are of the same one: their
// capacities end at the page's end.
func samePage(a, b []byte) bool {
	a, b = a[:cap(a)], b[:cap(b)]
	return &a[len(a)-1] == &b[len(b)-1]
}
