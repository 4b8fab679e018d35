// Package user is `rhea user`, which runs single programs of other processors.
package user

import (
	"fmt"
	"io"
)

// Main says that the applet does not exist yet.
func Main(program string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: the user-mode emulator (qemu-i386, qemu-arm, …) does not exist yet\n", program)
	return 1
}
