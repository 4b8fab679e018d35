package mem

import (
	"math/bits"
	"sync/atomic"
)

// RAM is the bytes of a RAM or ROM region, with what has to be known of
// writes to them: which pages have been written (the dirty log) and which
// pages must report writes because code was translated from them (watches).
type RAM struct {
	Bytes []byte

	watched []atomic.Uint32 // a bit a page
	onWrite []func(r *RAM, off, n uint64)

	dirty   []atomic.Uint32 // a bit a page, nil = not logged
	onClean func()          // write-enabled mappings must go
}

func newRAM(size uint64) *RAM {
	// Whole pages, so that a Page always has its PageSize bytes.
	return ramOf(alloc((size + PageSize - 1) &^ (PageSize - 1)))
}

func ramOf(b []byte) *RAM {
	return &RAM{Bytes: b, watched: make([]atomic.Uint32, WatchWords(uint64(len(b))))}
}

// WatchWords is how many words say which pages of size bytes of RAM are watched.
func WatchWords(size uint64) uint64 { return (size/PageSize + 31) / 32 }

// OnWrite has f called for writes, from whoever writes, that touch watched pages.
func (r *RAM) OnWrite(f func(r *RAM, off, n uint64)) { r.onWrite = append(r.onWrite, f) }

// Watch has writes to the page at off reported.
func (r *RAM) Watch(off uint64) { p := off / PageSize; r.watched[p/32].Or(1 << (p % 32)) }

// Unwatch ends Watch.
func (r *RAM) Unwatch(off uint64) { p := off / PageSize; r.watched[p/32].And(^uint32(1 << (p % 32))) }

// Watched reports whether the page at off is watched.
func (r *RAM) Watched(off uint64) bool {
	p := off / PageSize
	return r.watched[p/32].Load()&(1<<(p%32)) != 0
}

// WatchRange is Watch of all pages of n bytes at off.
func (r *RAM) WatchRange(off, n uint64) {
	r.words(off, n, func(w *atomic.Uint32, pages uint32) { w.Or(pages) })
}

// UnwatchRange ends Watch of them.
func (r *RAM) UnwatchRange(off, n uint64) {
	r.words(off, n, func(w *atomic.Uint32, pages uint32) {
		if w.Load()&pages != 0 {
			w.And(^pages)
		}
	})
}

// words calls f of the words of watched that have the pages of n bytes at off.
func (r *RAM) words(off, n uint64, f func(w *atomic.Uint32, pages uint32)) {
	for p, end := off/PageSize, (off+n+PageSize-1)/PageSize; p < end; p = p&^31 + 32 {
		pages := ^uint32(0) << (p % 32)
		if k := end - p&^31; k < 32 {
			pages &= 1<<k - 1
		}
		f(&r.watched[p/32], pages)
	}
}

// Log starts the dirty log. OnClean is called when pages were marked clean:
// mappings through which writes go unnoticed must be dropped.
func (r *RAM) Log(onClean func()) {
	if r.dirty == nil {
		r.dirty = make([]atomic.Uint32, len(r.watched))
	}
	r.onClean = onClean
}

// Clean reports whether the page at off is logged and has not been written.
func (r *RAM) Clean(off uint64) bool {
	if r.dirty == nil {
		return false
	}
	p := off / PageSize
	return r.dirty[p/32].Load()&(1<<(p%32)) == 0
}

// MarkDirty notes a write of n bytes at off in the dirty log only.
func (r *RAM) MarkDirty(off, n uint64) {
	if r.dirty == nil || n == 0 {
		return
	}
	for p := off / PageSize; p <= (off+n-1)/PageSize; p++ {
		r.dirty[p/32].Or(1 << (p % 32))
	}
}

// Wrote notes a write of n bytes at off: dirty bits are set and watchers called.
func (r *RAM) Wrote(off, n uint64) {
	if n == 0 {
		return
	}
	for p := off / PageSize; p <= (off+n-1)/PageSize; p++ {
		bit := uint32(1) << (p % 32)
		if r.dirty != nil && r.dirty[p/32].Load()&bit == 0 {
			r.dirty[p/32].Or(bit)
		}
		if r.watched[p/32].Load()&bit != 0 {
			lo, hi := max(off, p*PageSize), min(off+n, (p+1)*PageSize)
			for _, f := range r.onWrite {
				f(r, lo, hi-lo)
			}
		}
	}
}

// TakeDirty calls f for each page of off..off+n-1 that was written since the
// last call and marks it clean.
func (r *RAM) TakeDirty(off, n uint64, f func(off uint64)) {
	if r.dirty == nil || n == 0 {
		return
	}
	found := false
	first, last := off/PageSize, (off+n-1)/PageSize
	for w := first / 32; w <= last/32; w++ {
		mask := ^uint32(0)
		if w == first/32 {
			mask &= ^uint32(0) << (first % 32)
		}
		if w == last/32 {
			mask &= ^uint32(0) >> (31 - last%32)
		}
		if r.dirty[w].Load()&mask == 0 {
			continue
		}
		set := r.dirty[w].And(^mask) & mask
		found = true
		for set != 0 {
			b := uint64(bits.TrailingZeros32(set))
			set &= set - 1
			f((w*32 + b) * PageSize)
		}
	}
	if found && r.onClean != nil {
		r.onClean()
	}
}
