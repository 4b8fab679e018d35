//go:build !(linux && amd64)

package linux

// handler does a system call. There are none on this host.
type handler func() uint64
