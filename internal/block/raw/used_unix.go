//go:build unix

package raw

import (
	"io/fs"
	"syscall"
)

// used counts the blocks of a file that may have holes.
func used(st fs.FileInfo, size int64) int64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok && st.Mode().IsRegular() {
		return int64(s.Blocks) * 512
	}
	return size
}
