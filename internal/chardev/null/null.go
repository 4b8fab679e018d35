// Package null is the character device that takes everything and gives nothing.
package null

import (
	"io"

	"rhea/internal/chardev"
)

// Port is the device. Log, if not nil, gets what is written.
type Port struct{ Log io.Writer }

// Write implements io.Writer.
func (p Port) Write(b []byte) (int, error) {
	if p.Log != nil {
		p.Log.Write(b)
	}
	return len(b), nil
}

// Attach implements chardev.Port.
func (Port) Attach(chardev.Receiver) {}
