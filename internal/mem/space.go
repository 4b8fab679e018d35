package mem

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sort"
	"sync/atomic"

	"rhea/internal/trace"
)

// PageSize is the granularity of RAM look-ups, watches and dirty bits.
const PageSize = 4096

// span is a piece of a flattened view.
type span struct {
	first, last uint64 // both inclusive
	reg         *Region
	off         uint64 // of first in reg
}

type view struct{ read, write []span }

// Space is what a CPU or bus master sees.
type Space struct {
	name      string
	root      *Region
	log       *trace.Log
	view      atomic.Pointer[view]
	listeners []func()
}

// NewSpace returns the space over root. Accesses to nothing are logged.
func NewSpace(name string, root *Region, log *trace.Log) *Space {
	s := &Space{name: name, root: root, log: log}
	root.spaces = append(root.spaces, s)
	s.render()
	return s
}

// Root returns the region the space shows.
func (s *Space) Root() *Region { return s.root }

// OnChange has f called after each change of the view (TLBs are flushed).
func (s *Space) OnChange(f func()) { s.listeners = append(s.listeners, f) }

func (s *Space) render() {
	v := &view{}
	v.read = flatten(nil, s.root, 0, 0, math.MaxInt64, R)
	v.write = flatten(nil, s.root, 0, 0, math.MaxInt64, W)
	s.view.Store(v)
	for _, f := range s.listeners {
		f()
	}
}

// flatten adds what of r, placed at base, is seen within lo..hi and not yet
// covered by out. Addresses are signed here: an alias places the start of its
// target at a base that may be negative. A space ends at 2^63.
func flatten(out []span, r *Region, base, lo, hi int64, a Access) []span {
	if r.hidden || r.access&a == 0 {
		return out
	}
	lo = max(lo, base)
	if r.size != 0 {
		hi = min(hi, base+int64(r.size)-1)
	}
	if lo > hi {
		return out
	}
	if r.target != nil {
		return flatten(out, r.target, base-int64(r.offset), lo, hi, a)
	}
	subs := slices.Clone(r.subs)
	slices.Reverse(subs) // last added first
	sort.SliceStable(subs, func(i, j int) bool { return subs[i].priority > subs[j].priority })
	for _, sub := range subs {
		out = flatten(out, sub, base+int64(sub.addr), lo, hi, a)
	}
	if r.ram != nil || r.io != nil {
		out = fill(out, span{uint64(lo), uint64(hi), r, uint64(lo - base)})
	}
	return out
}

// fill adds those parts of n that out leaves open and keeps out sorted.
func fill(out []span, n span) []span {
	var add []span
	lo, open := n.first, true
	for _, s := range out {
		if s.last < lo {
			continue
		}
		if s.first > n.last {
			break
		}
		if s.first > lo {
			add = append(add, span{lo, s.first - 1, n.reg, n.off + lo - n.first})
		}
		if s.last >= n.last {
			open = false
			break
		}
		lo = s.last + 1
	}
	if open {
		add = append(add, span{lo, n.last, n.reg, n.off + lo - n.first})
	}
	out = append(out, add...)
	sort.Slice(out, func(i, j int) bool { return out[i].first < out[j].first })
	return out
}

// find returns the span that holds addr, or nil and the last address of the hole.
func find(spans []span, addr uint64) (*span, uint64) {
	lo, hi := 0, len(spans)
	for lo < hi {
		m := int(uint(lo+hi) / 2)
		if spans[m].last < addr {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == len(spans) {
		return nil, ^uint64(0)
	}
	if spans[lo].first > addr {
		return nil, spans[lo].first - 1
	}
	return &spans[lo], spans[lo].last
}

// Page is RAM or ROM that fills a whole page of a space.
type Page struct {
	RAM *RAM
	Off uint64 // of the page in RAM, a multiple of PageSize
}

// Data returns the page's bytes.
func (p Page) Data() *[PageSize]byte { return (*[PageSize]byte)(p.RAM.Bytes[p.Off:]) }

// ReadPage returns the memory that reads of the page at addr see. It is
// false where the page is not one piece of RAM or ROM.
func (s *Space) ReadPage(addr uint64) (Page, bool) {
	return page(s.view.Load().read, addr)
}

// WritePage returns the memory that writes to the page at addr change. It is
// false where the page is not one piece of RAM.
func (s *Space) WritePage(addr uint64) (Page, bool) {
	sp, _ := find(s.view.Load().write, addr)
	if sp == nil || sp.reg.rom {
		return Page{}, false
	}
	return page(s.view.Load().write, addr)
}

func page(spans []span, addr uint64) (Page, bool) {
	addr &^= PageSize - 1
	sp, _ := find(spans, addr)
	if sp == nil || sp.reg.ram == nil || sp.last-addr < PageSize-1 {
		return Page{}, false
	}
	off := sp.off + addr - sp.first
	if off%PageSize != 0 || off+PageSize > uint64(len(sp.reg.ram.Bytes)) {
		return Page{}, false
	}
	return Page{sp.reg.ram, off}, true
}

// Read returns size (1, 2, 4 or 8) bytes at addr, the lowest in the least
// significant byte. Nothing reads as ones.
func (s *Space) Read(addr uint64, size int) uint64 {
	sp, last := find(s.view.Load().read, addr)
	if last-addr < uint64(size-1) {
		return s.readParts(addr, size)
	}
	if sp == nil {
		s.log.Guest("%s: read of %d bytes at unmapped %#x", s.name, size, addr)
		return ^uint64(0) >> (64 - 8*size)
	}
	off := sp.off + addr - sp.first
	if sp.reg.ram != nil {
		return load(sp.reg.ram.Bytes[off:], size)
	}
	return sp.reg.readIO(off, size)
}

func (s *Space) readParts(addr uint64, size int) uint64 {
	var v uint64
	for i := range size {
		v |= s.Read(addr+uint64(i), 1) << (8 * i)
	}
	return v
}

// Write stores the size low bytes of v at addr, the least significant lowest.
func (s *Space) Write(addr uint64, size int, v uint64) {
	sp, last := find(s.view.Load().write, addr)
	if last-addr < uint64(size-1) {
		for i := range size {
			s.Write(addr+uint64(i), 1, v>>(8*i)&0xff)
		}
		return
	}
	if sp == nil {
		s.log.Guest("%s: write of %d bytes (%#x) at unmapped %#x", s.name, size, v, addr)
		return
	}
	off := sp.off + addr - sp.first
	switch {
	case sp.reg.rom:
		s.log.Guest("%s: write of %d bytes (%#x) to ROM %s at %#x", s.name, size, v, sp.reg.name, addr)
	case sp.reg.ram != nil:
		store(sp.reg.ram.Bytes[off:], size, v)
		sp.reg.ram.Wrote(off, uint64(size))
	default:
		sp.reg.writeIO(off, size, v)
	}
}

// ReadBytes fills p from addr (DMA, loaders, the monitor).
func (s *Space) ReadBytes(addr uint64, p []byte) {
	for len(p) > 0 {
		sp, last := find(s.view.Load().read, addr)
		n := int(min(uint64(len(p))-1, last-addr)) + 1
		switch {
		case sp == nil:
			for i := range p[:n] {
				p[i] = 0xff
			}
		case sp.reg.ram != nil:
			copy(p[:n], sp.reg.ram.Bytes[sp.off+addr-sp.first:])
		default:
			for i := range p[:n] {
				p[i] = byte(sp.reg.readIO(sp.off+addr+uint64(i)-sp.first, 1))
			}
		}
		p, addr = p[n:], addr+uint64(n)
	}
}

// WriteBytes stores p at addr.
func (s *Space) WriteBytes(addr uint64, p []byte) {
	for len(p) > 0 {
		sp, last := find(s.view.Load().write, addr)
		n := int(min(uint64(len(p))-1, last-addr)) + 1
		switch {
		case sp == nil || sp.reg.rom:
		case sp.reg.ram != nil:
			off := sp.off + addr - sp.first
			copy(sp.reg.ram.Bytes[off:], p[:n])
			sp.reg.ram.Wrote(off, uint64(n))
		default:
			for i, b := range p[:n] {
				sp.reg.writeIO(sp.off+addr+uint64(i)-sp.first, 1, uint64(b))
			}
		}
		p, addr = p[n:], addr+uint64(n)
	}
}

func (r *Region) readIO(off uint64, size int) uint64 {
	switch {
	case size > r.max:
		var v uint64
		for i := 0; i < size; i += r.max {
			shift := i
			if r.big {
				shift = size - r.max - i
			}
			v |= r.io.Read(off+uint64(i), r.max) << (8 * shift)
		}
		return r.order(v, size)
	case size < r.min:
		in := off & uint64(r.min-1)
		if r.big {
			in = uint64(r.min-size) - in
		}
		v := r.io.Read(off&^uint64(r.min-1), r.min) >> (8 * in)
		return r.order(v&(1<<(8*size)-1), size)
	}
	return r.order(r.io.Read(off, size), size) & (^uint64(0) >> (64 - 8*size))
}

func (r *Region) writeIO(off uint64, size int, v uint64) {
	v = r.order(v&(^uint64(0)>>(64-8*size)), size)
	switch {
	case size > r.max:
		for i := 0; i < size; i += r.max {
			shift := i
			if r.big {
				shift = size - r.max - i
			}
			r.io.Write(off+uint64(i), r.max, v>>(8*shift)&(1<<(8*r.max)-1))
		}
	case size < r.min:
		in := off & uint64(r.min-1)
		if r.big {
			in = uint64(r.min-size) - in
		}
		r.io.Write(off&^uint64(r.min-1), r.min, v<<(8*in))
	default:
		r.io.Write(off, size, v)
	}
}

// order turns a value of the region's byte order into the bus's, or back.
func (r *Region) order(v uint64, size int) uint64 {
	if !r.big {
		return v
	}
	return bits.ReverseBytes64(v) >> (64 - 8*size)
}

func load(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func store(b []byte, size int, v uint64) {
	switch size {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}

// Dump writes the flattened view ("info mtree -f").
func (s *Space) Dump(w io.Writer) {
	v := s.view.Load()
	for _, side := range []struct {
		name  string
		spans []span
	}{{"reads", v.read}, {"writes", v.write}} {
		fmt.Fprintf(w, "address-space: %s (%s)\n", s.name, side.name)
		for _, sp := range side.spans {
			kind := "i/o"
			if sp.reg.rom {
				kind = "rom"
			} else if sp.reg.ram != nil {
				kind = "ram"
			}
			fmt.Fprintf(w, "  %016x-%016x (%s): %s", sp.first, sp.last, kind, sp.reg.name)
			if sp.off != 0 {
				fmt.Fprintf(w, " @%016x", sp.off)
			}
			fmt.Fprintln(w)
		}
	}
}
