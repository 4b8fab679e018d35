package proc

import (
	"sync/atomic"
	"unsafe"
)

var inChild atomic.Bool

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
