//go:build !(linux && amd64)

package user

import (
	"errors"
	"io"

	"rhea/internal/user/linux"
)

// run says that this host runs no programs.
func (c *config) run(*linux.ABI, []string) error { return errHost }

func debugOption(string) error { return errHost }

func cpuHelp(io.Writer) error { return errHost }

var errHost = errors.New("programs run on Linux hosts of the amd64 architecture only")

// abiOf is what a program is of.
func abiOf(sysroot, path string) *linux.ABI { return linux.ABIs()[0] }
