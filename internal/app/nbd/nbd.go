// Package nbd is `rhea nbd`, the network block device server.
package nbd

import (
	"fmt"
	"io"
)

// Main says that the applet does not exist yet.
func Main(program string, stderr io.Writer) int {
	fmt.Fprintf(stderr, "%s: the network block device server (qemu-nbd) does not exist yet\n", program)
	return 1
}
