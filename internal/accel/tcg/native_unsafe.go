package tcg

import (
	"sync/atomic"
	"unsafe"

	"rhea/internal/jit/amd64"
)

// hostAddress is where the host has a page. Memory of guests does not move.
func hostAddress(page *[4096]byte) uint64 { return uint64(uintptr(unsafe.Pointer(page))) }

// wordAddress is where the host has a word of the heap, which does not move.
func wordAddress(w *atomic.Uint32) uintptr { return uintptr(unsafe.Pointer(w)) }

// Bytes of a jumpRecord and of an amd64.Access.
const (
	jumpRecordSize = int(unsafe.Sizeof(jumpRecord{}))
	accessSize     = int(unsafe.Sizeof(amd64.Access{}))
)

// jumpRecords is b as what it has; the host is little-endian, as b is.
func jumpRecords(b []byte) []jumpRecord {
	return unsafe.Slice((*jumpRecord)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/jumpRecordSize)
}

func accessList(b []byte) []amd64.Access {
	return unsafe.Slice((*amd64.Access)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/accessSize)
}
