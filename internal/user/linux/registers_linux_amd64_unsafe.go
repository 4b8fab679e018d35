//go:build linux && amd64

package linux

import (
	"unsafe"

	"rhea/internal/guest/x86"
)

// stateBytes is a processor's state as bytes, for another process of the same
// program: it is words only.
func stateBytes(s *x86.State) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
}
