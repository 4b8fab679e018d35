// Command rhea is a machine emulator: one binary that is the tool by whose
// name it is called (qemu-system-i386, qemu-img, …) or that its first
// argument names (rhea system, rhea img, …).
package main

import (
	"os"

	"rhea/internal/app"
)

func main() { os.Exit(app.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
