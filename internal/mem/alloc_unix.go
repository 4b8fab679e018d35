//go:build unix

package mem

import "syscall"

// small is what the collector may count. It gives back the memory of parts that
// are made by the thousand (fuzzers do); mapped memory is never given back, for
// slices of it may live longer than its region.
const small = 1 << 20

// alloc returns zeroed memory, outside the Go heap if it is large: there the
// collector neither counts nor scans it, and pages the guest never touches cost
// nothing.
func alloc(n uint64) []byte {
	if n <= small {
		return make([]byte, n)
	}
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}
