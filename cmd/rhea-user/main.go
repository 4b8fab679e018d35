// Command rhea-user is `rhea user` alone: it runs single programs of other
// processors, starts faster than the whole, and is what binfmt_misc should
// name.
//
// A guest's process is not to begin with the limits of the host's control groups.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"os"
	"path/filepath"
	"runtime"

	"rhea/internal/app/user"
)

// Only an init keeps the main goroutine on the process' main thread, which a
// guest process needs: its number is the process' (package runtime, LockOSThread).
func init() { runtime.LockOSThread() }

func main() {
	os.Exit(user.Main(filepath.Base(os.Args[0]), "rhea-user", os.Args[1:], os.Stdout, os.Stderr))
}
