//go:build amd64

package x86

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func cmpxchg16b(p unsafe.Pointer, old, to *[2]uint64)

// swapPair compares and swaps the 16 bytes of b as one operation of the host's;
// ok is false if it has none for that place.
func swapPair(b []byte, old, to [2]uint64) (now [2]uint64, ok bool) {
	at := unsafe.Pointer(&b[0])
	if uintptr(at)&15 != 0 || !cpu.X86.HasCX16 {
		return now, false
	}
	cmpxchg16b(at, &old, &to)
	return old, true
}
