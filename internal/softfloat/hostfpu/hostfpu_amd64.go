// Package hostfpu runs single instructions on the FPU of an amd64 host, so
// that the tests of softfloat can compare with a real processor. No product
// code imports it.
package hostfpu

// Call runs the machine code at fn with arg in RDI. The code ends in RET, uses
// little stack, and leaves the general registers but RAX and RDI alone.
//
//go:noescape
func Call(fn uintptr, arg *[256]byte)
