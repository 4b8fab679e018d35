// Package system is `rhea system`, the whole-machine emulator, under its own
// name or as qemu-system-i386. The command line becomes a Config (one option
// table drives parsing and help), the Config a running machine (build.go).
package system

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Env is the process as the applet sees it.
type Env struct {
	// Program is the name that messages begin with.
	Program string
	Stdin   *os.File
	Stdout  io.Writer
	Stderr  io.Writer
}

// Target returns the processor family of a program's name: qemu-system-i386
// and rhea have i386.
func Target(program string) (string, error) {
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	target, ok := strings.CutPrefix(name, "qemu-system-")
	switch {
	case !ok || target == "i386":
		return "i386", nil
	case target == "x86_64":
		return "x86_64", nil
	}
	return "", fmt.Errorf("the target '%s' is not supported yet", target)
}

// Main runs the applet and returns the exit status. The user's mistakes are
// one line on standard error and status 1.
func Main(env Env, args []string) int {
	fail := func(err error) int {
		fmt.Fprintf(env.Stderr, "%s: %s\n", env.Program, err)
		return 1
	}
	target, err := Target(env.Program)
	if err != nil {
		return fail(err)
	}
	cfg, notes, err := Parse(target, args)
	var h helpAsked
	if errors.As(err, &h) {
		if h.print == nil {
			fmt.Fprintln(env.Stdout, VersionLine(env.Program))
		} else {
			h.print(env.Stdout)
		}
		return 0
	}
	for _, n := range notes {
		fmt.Fprintf(env.Stderr, "%s: note: %s\n", env.Program, n)
	}
	if err != nil {
		return fail(err)
	}
	code, err := run(env, cfg)
	if err != nil {
		return fail(err)
	}
	return code
}
