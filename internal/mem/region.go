// Package mem is the memory of a machine: regions (RAM, ROM, MMIO, aliases,
// containers with priorities) make a graph, and a Space is a flattened view
// of one, as a CPU or a bus master sees it. I/O ports are a Space as well.
//
// The graph is changed under the machine's lock; views are immutable and are
// swapped whole, so a vCPU may look RAM up without the lock. MMIO handlers are
// called under the lock.
package mem

import (
	"fmt"
	"slices"
	"sync/atomic"
)

// MMIO is a device's registers. Offsets are from the region's start, sizes
// 1, 2, 4 or 8 bytes, values in the region's byte order.
type MMIO interface {
	Read(off uint64, size int) uint64
	Write(off uint64, size int, v uint64)
}

// Access says which accesses see a region; the others pass through it to what
// lies below (the PAM registers of PC chipsets need that).
type Access uint8

// The accesses.
const (
	R  Access = 1
	W  Access = 2
	RW        = R | W
)

// Region is a node of the graph.
type Region struct {
	name   string
	size   uint64 // 0 = 2^64
	ram    *RAM   // RAM and ROM
	rom    bool   // writes are ignored
	io     MMIO
	min    int // sizes that io takes
	max    int
	big    bool
	target *Region // of an alias
	offset uint64  // in target

	parent   *Region
	addr     uint64
	priority int
	hidden   bool
	access   Access
	subs     []*Region
	aliases  []*Region // that show this region
	spaces   []*Space  // of which this is the root
}

// NewContainer returns a region that only holds others. Size 0 means 2^64.
func NewContainer(name string, size uint64) *Region {
	return &Region{name: name, size: size, access: RW}
}

// NewRAM returns zeroed memory.
func NewRAM(name string, size uint64) *Region {
	return &Region{name: name, size: size, access: RW, ram: newRAM(size)}
}

// NewRAMOf returns memory whose bytes are b, whole pages that are not Go's heap.
// Watched has WatchWords of them, all zero.
func NewRAMOf(name string, b []byte, watched []atomic.Uint32) *Region {
	return &Region{name: name, size: uint64(len(b)), access: RW, ram: &RAM{Bytes: b, watched: watched}}
}

// NewROM returns memory that ignores writes, holding image (padded with
// zeroes to size).
func NewROM(name string, size uint64, image []byte) *Region {
	r := NewRAM(name, size)
	copy(r.ram.Bytes, image)
	r.rom = true
	return r
}

// NewIO returns the registers of io.
func NewIO(name string, size uint64, io MMIO) *Region {
	return &Region{name: name, size: size, access: RW, io: io, min: 1, max: 8}
}

// NewAlias returns a window of size bytes onto target at offset.
func NewAlias(name string, target *Region, offset, size uint64) *Region {
	r := &Region{name: name, size: size, access: RW, target: target, offset: offset}
	target.aliases = append(target.aliases, r)
	return r
}

// Sizes states the access sizes that r's MMIO takes; others are split or
// widened before they reach it. It returns r.
func (r *Region) Sizes(lo, hi int) *Region {
	r.min, r.max = lo, hi
	return r
}

// BigEndian states that r's registers have their most significant byte at
// the lowest address. It returns r.
func (r *Region) BigEndian() *Region {
	r.big = true
	return r
}

// Name returns the name that "info mtree" shows.
func (r *Region) Name() string { return r.name }

// Size returns the size in bytes (0 = 2^64).
func (r *Region) Size() uint64 { return r.size }

// RAM returns the memory of a RAM or ROM region, nil for others.
func (r *Region) RAM() *RAM { return r.ram }

// Addr returns where r lies in its parent.
func (r *Region) Addr() uint64 { return r.addr }

// Add maps sub at addr. Where regions overlap the higher priority is seen,
// and among equals the one added last.
func (r *Region) Add(addr uint64, sub *Region, priority ...int) {
	if sub.parent != nil {
		panic(fmt.Sprintf("BUG: region %s is mapped twice", sub.name))
	}
	sub.parent, sub.addr, sub.priority = r, addr, 0
	if len(priority) > 0 {
		sub.priority = priority[0]
	}
	r.subs = append(r.subs, sub)
	r.changed()
}

// Remove unmaps sub.
func (r *Region) Remove(sub *Region) {
	i := slices.Index(r.subs, sub)
	if i < 0 {
		return
	}
	r.subs = slices.Delete(r.subs, i, i+1)
	sub.parent = nil
	r.changed()
}

// Move puts r at another address of its parent.
func (r *Region) Move(addr uint64) {
	if r.addr != addr {
		r.addr = addr
		r.changed()
	}
}

// Enable shows or hides r.
func (r *Region) Enable(on bool) {
	if r.hidden == on {
		r.hidden = !on
		r.changed()
	}
}

// Enabled reports whether r is shown.
func (r *Region) Enabled() bool { return !r.hidden }

// SetAccess states which accesses see r; the others pass through.
func (r *Region) SetAccess(a Access) {
	if r.access != a {
		r.access = a
		r.changed()
	}
}

// SetReadOnly makes writes to RAM be ignored, or not.
func (r *Region) SetReadOnly(on bool) {
	if r.rom != on {
		r.rom = on
		r.changed()
	}
}

// SetOffset moves the window of an alias.
func (r *Region) SetOffset(off uint64) {
	if r.offset != off {
		r.offset = off
		r.changed()
	}
}

// changed re-renders every space in which r is seen.
func (r *Region) changed() {
	for p := r; p != nil; p = p.parent {
		for _, s := range p.spaces {
			s.render()
		}
		for _, a := range p.aliases {
			a.changed()
		}
	}
}
