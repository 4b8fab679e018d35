// Package user is `rhea user`, which runs single programs of other processors,
// under its own name or as qemu-i386 and qemu-x86_64.
package user

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"rhea/internal/user/linux"
)

// statusError is an error with an exit status of its own.
type statusError interface {
	error
	ExitStatus() int
}

// Main runs the applet. It returns only if no program could be started.
func Main(program, version string, args []string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		var s statusError
		if errors.As(err, &s) {
			return s.ExitStatus()
		}
		return 1
	}
	c := config{program: program, version: version, again: []string{program}}
	rest, err := c.parse(args, os.Environ())
	if err != nil {
		return fail(err)
	}
	switch {
	case c.print != nil:
		if err := c.print(stdout); err != nil {
			return fail(err)
		}
		return 0
	case len(rest) == 0:
		return fail(errors.New("no program to run; -help lists the options"))
	}
	name, given := strings.CutPrefix(c.again[0], "qemu-")
	abi := linux.ABIOf(name)
	switch {
	case !given:
		abi = abiOf(c.sysroot, rest[0])
		c.again[0] = "qemu-" + abi.Name
	case abi == nil:
		return fail(fmt.Errorf("programs of %s are not supported yet; those of %s are", name, strings.Join(names(), ", ")))
	}
	return fail(c.run(abi, rest))
}

func names() (list []string) {
	for _, a := range linux.ABIs() {
		list = append(list, a.Name)
	}
	return list
}
