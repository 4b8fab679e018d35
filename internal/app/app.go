// Package app chooses the applet: by the name the binary is called by, or by
// its first argument.
package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"rhea/internal/app/img"
	"rhea/internal/app/nbd"
	"rhea/internal/app/system"
	"rhea/internal/app/user"
	"rhea/internal/prop"
)

// applet is a tool of the box.
type applet struct {
	name string
	help string
	main func(e system.Env, args []string) int
	// onMain: it stays on the process' main thread, to which cmd/rhea has
	// locked its goroutine.
	onMain bool
}

func applets() []applet {
	return []applet{
		{name: "system", help: "emulate a whole machine (qemu-system-i386, qemu-system-x86_64)", main: system.Main},
		{name: "user", help: "run a program of another processor (qemu-i386, qemu-x86_64)", onMain: true, main: func(e system.Env, args []string) int {
			return user.Main(e.Program, system.VersionLine(e.Program), args, e.Stdout, e.Stderr)
		}},
		{name: "img", help: "create, convert and check disk images (not yet)", main: func(e system.Env, _ []string) int { return img.Main(e.Program, e.Stderr) }},
		{name: "nbd", help: "serve disk images (not yet)", main: func(e system.Env, _ []string) int { return nbd.Main(e.Program, e.Stderr) }},
	}
}

// byName returns the applet for a name the binary is called by, "" for its own.
func byName(name string) string {
	switch {
	case strings.HasPrefix(name, "qemu-system-"):
		return "system"
	case name == "qemu-img":
		return "img"
	case name == "qemu-nbd":
		return "nbd"
	case strings.HasPrefix(name, "qemu-"):
		return "user"
	}
	return ""
}

// Main runs the program and returns its exit status.
func Main(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	name := "rhea"
	if len(args) > 0 {
		name = strings.TrimSuffix(filepath.Base(args[0]), ".exe")
		args = args[1:]
	}
	env := system.Env{Program: name, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	want := byName(name)
	if want == "" {
		if len(args) == 0 {
			usage(stderr)
			return 1
		}
		env.Program = "rhea"
		want, args = args[0], args[1:]
	}
	switch strings.TrimLeft(want, "-") {
	case "version":
		fmt.Fprintln(stdout, system.VersionLine(env.Program))
		return 0
	case "help", "h":
		usage(stdout)
		return 0
	}
	var names []string
	for _, a := range applets() {
		if a.name == want {
			if !a.onMain {
				runtime.UnlockOSThread()
			}
			return a.main(env, args)
		}
		names = append(names, a.name)
	}
	near := prop.DidYouMean(want, names)
	if near == "" && strings.HasPrefix(want, "-") {
		near = fmt.Sprintf(" (options of the machine emulator go behind 'system': rhea system %s)", want)
	}
	fmt.Fprintf(stderr, "rhea: no applet '%s'%s; they are %s\n", want, near, strings.Join(names, ", "))
	return 1
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: rhea <applet> [arguments]")
	for _, a := range applets() {
		fmt.Fprintf(w, "  %-8s %s\n", a.name, a.help)
	}
	fmt.Fprintln(w, "'rhea <applet> -help' says more. Under the names qemu-system-i386, qemu-system-x86_64, qemu-i386 and qemu-x86_64 rhea is those tools.")
}
