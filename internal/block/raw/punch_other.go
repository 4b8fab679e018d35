//go:build !linux

package raw

import (
	"errors"
	"os"
)

// punch frees a part of a file.
func punch(*os.File, int64, int64) error { return errors.ErrUnsupported }
