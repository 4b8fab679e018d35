//go:build !linux

package raw

import "os"

// openDirect opens f's file a second time so that writes are on stable
// storage when they return, as QEMU does where there is no O_DIRECT.
func openDirect(f *os.File, mode int) (*os.File, error) {
	return os.OpenFile(f.Name(), mode|os.O_SYNC, 0)
}
