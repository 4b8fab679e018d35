package x86

import (
	"sync/atomic"
	"unsafe"
)

// swapBytes compares and swaps the first size bytes of b as one operation of
// the host's; ok is false if it has none for that place.
func swapBytes(b []byte, size int, old, v uint64) (now uint64, ok bool) {
	at := unsafe.Pointer(&b[0])
	off := uintptr(at) & 3
	switch {
	case size == 8 && uintptr(at)&7 == 0:
		p := (*uint64)(at)
		for {
			if now = atomic.LoadUint64(p); now != old || atomic.CompareAndSwapUint64(p, old, v) {
				return now, true
			}
		}
	case int(off)+size <= 4 && size <= 4:
		p := (*uint32)(unsafe.Add(at, -int(off)))
		shift, mask := 8*off, uint32(1<<(8*size)-1)
		for {
			word := atomic.LoadUint32(p)
			if now = uint64(word >> shift & mask); now != old {
				return now, true
			}
			if atomic.CompareAndSwapUint32(p, word, word&^(mask<<shift)|uint32(v)&mask<<shift) {
				return now, true
			}
		}
	}
	return 0, false
}
