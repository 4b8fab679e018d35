package proc

import "unsafe"

// Address is where the host has the beginning of b, 0 if b is empty. It is for
// system calls that end before the collector may take b: whoever calls keeps b.
func Address(b []byte) uintptr {
	if len(b) == 0 {
		return 0
	}
	return uintptr(unsafe.Pointer(&b[0]))
}
