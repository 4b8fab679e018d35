// Package img is `rhea img`, the disk image tool.
package img

import (
	"fmt"
	"io"
)

// Main says that the applet does not exist yet.
func Main(program string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: the disk image tool (qemu-img) does not exist yet\n", program)
	return 1
}
