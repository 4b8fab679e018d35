package tcg

import "unsafe"

// hostAddress is where the host has a page. Memory of guests does not move.
func hostAddress(page *[4096]byte) uint64 { return uint64(uintptr(unsafe.Pointer(page))) }
