// Command rhea is a machine emulator: one binary that is the tool by whose
// name it is called (qemu-system-i386, qemu-img, …) or that its first
// argument names (rhea system, rhea img, …).
//
// A guest's process is not to begin with the limits of the host's control groups.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"os"
	"runtime"

	"rhea/internal/app"
)

// Only an init keeps the main goroutine on the process' main thread, which a
// guest process needs: its number is the process' (package runtime, LockOSThread).
func init() { runtime.LockOSThread() }

func main() { os.Exit(app.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
