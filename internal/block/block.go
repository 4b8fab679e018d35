// Package block is the contract of disk images: what a controller needs from
// whatever holds the bytes.
package block

import "io"

// Backend holds a disk's bytes. Calls may block and come from any goroutine,
// several at a time; controllers make them outside the machine's lock.
type Backend interface {
	io.ReaderAt
	io.WriterAt
	// Size is in bytes.
	Size() int64
	// Sync returns when all writes are on stable storage.
	Sync() error
}

// Discarder can forget a range: it may read back as anything.
type Discarder interface {
	Discard(off, n int64) error
}

// Zeroer can zero a range without being sent the zeroes.
type Zeroer interface {
	WriteZeroes(off, n int64) error
}

// ReadOnlyer says whether writes are refused.
type ReadOnlyer interface{ ReadOnly() bool }

// IsReadOnly reports whether b refuses writes.
func IsReadOnly(b Backend) bool {
	r, ok := b.(ReadOnlyer)
	return ok && r.ReadOnly()
}
