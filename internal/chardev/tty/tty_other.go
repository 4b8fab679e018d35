//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package tty

import (
	"errors"

	"rhea/internal/chardev"
)

// Port is the device.
type Port struct{ *chardev.Pump }

// New says that there are none.
func New(Config) (*Port, error) {
	return nil, errors.New("serial lines of this host are not supported yet; use a socket")
}
