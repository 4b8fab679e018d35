package proc

import (
	"sync/atomic"
	"unsafe"
)

var inChild atomic.Bool

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }

func wordsAddress(w *[2]uint64) uintptr { return uintptr(unsafe.Pointer(w)) }
