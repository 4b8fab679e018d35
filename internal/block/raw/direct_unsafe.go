package raw

import "unsafe"

// address is where b's bytes are: the collector does not move them.
func address(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
