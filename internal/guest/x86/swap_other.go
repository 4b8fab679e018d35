//go:build !amd64

package x86

// swapPair compares and swaps 16 bytes as one operation of the host's, which has
// none.
func swapPair(b []byte, old, to [2]uint64) (now [2]uint64, ok bool) { return now, false }
