package raw

import (
	"errors"
	"os"
	"syscall"
)

// openDirect opens f's file a second time, past the host's cache.
func openDirect(f *os.File, mode int) (*os.File, error) {
	d, err := os.OpenFile(f.Name(), mode|syscall.O_DIRECT, 0)
	if errors.Is(err, syscall.EINVAL) {
		return nil, errNoDirect
	}
	return d, err
}
