package host

import (
	"sync/atomic"
	"unsafe"
)

// Code is memory for machine code. RW and RX are two mappings of the same
// memory, so that no mapping is both writable and executable; Dual is false
// where the host refused that, and RW is then the executable memory itself.
//
// All Code of a process lies within 1 GiB, so that a rel32 reaches from any to
// any other. The memory is zero at first and is committed as it is written.
//
// Processors of this architecture notice by the physical address that code was
// written, so code may be run by this thread as soon as it is written, and by
// other threads once they learn of it by an atomic operation.
type Code struct {
	RW   []byte
	RX   uintptr
	Dual bool

	place span // in the window
}

// Store32 writes the four bytes at off, which must be a multiple of 4, at once.
// It is how jumps are patched that other threads may be running: they see the
// old displacement or the new one. Whoever emits such a jump pads it so that
// its rel32 is aligned.
func (c *Code) Store32(off int, v uint32) {
	if off&3 != 0 {
		panic("BUG: host: patching an unaligned word")
	}
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&c.RW[off : off+4 : off+4][0])), v)
}
