package tcg

import (
	"sync/atomic"
	"unsafe"
)

// hostAddress is where the host has a page. Memory of guests does not move.
func hostAddress(page *[4096]byte) uint64 { return uint64(uintptr(unsafe.Pointer(page))) }

// wordAddress is where the host has a word of the heap, which does not move.
func wordAddress(w *atomic.Uint32) uintptr { return uintptr(unsafe.Pointer(w)) }
