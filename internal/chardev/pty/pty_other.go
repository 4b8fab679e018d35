//go:build !linux

package pty

import (
	"errors"

	"rhea/internal/chardev"
)

// Port is the device.
type Port struct{ *chardev.Pump }

// New says that there are none.
func New(Config) (*Port, error) {
	return nil, errors.New("pseudo-terminals are supported on Linux only yet; use a socket (unix:path,server=on,wait=off)")
}

// Name is the slave side's name.
func (p *Port) Name() string { return "" }

// IsTerminal reports whether a person's terminal is at the other end.
func (p *Port) IsTerminal() bool { return true }
