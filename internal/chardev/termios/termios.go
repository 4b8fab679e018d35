// Package termios puts terminals and serial lines of the host into raw mode
// and back.
package termios

import "errors"

// State is a terminal's settings, to be restored.
type State struct{ state }

// ErrUnsupported says that this host has no such thing.
var ErrUnsupported = errors.New("is not supported on this host")

// Line is the format of a serial line.
type Line struct {
	Baud, DataBits, StopBits int
	Parity                   byte // 'N', 'E', 'O'
}
