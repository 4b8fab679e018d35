package raw

import (
	"errors"
	"os"
	"syscall"
)

// Flags of fallocate(2).
const (
	keepSize  = 1
	punchHole = 2
)

// punch frees a part of a file, which reads as zeroes from then on.
func punch(f *os.File, off, n int64) error {
	if n == 0 {
		return nil
	}
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := c.Control(func(fd uintptr) { ferr = syscall.Fallocate(int(fd), keepSize|punchHole, off, n) }); err != nil {
		return err
	}
	// File systems and devices without holes.
	if ferr == syscall.EOPNOTSUPP || ferr == syscall.ENODEV || ferr == syscall.ENOSYS || ferr == syscall.EINVAL {
		return errors.ErrUnsupported
	}
	return ferr
}
