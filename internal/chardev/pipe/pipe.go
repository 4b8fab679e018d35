// Package pipe is a character device on named pipes: PATH.in and PATH.out if
// they exist, else PATH itself for both directions.
package pipe

import (
	"errors"
	"io"
	"os"
	"runtime"

	"rhea/internal/chardev"
)

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	Path string
}

// Port is the device.
type Port struct {
	*chardev.Pump
	files []*os.File
}

type both struct {
	io.Reader
	io.Writer
}

// New opens the pipes. They are opened for reading and writing, so that this
// does not wait for the other side, and so that its coming and going is not
// seen as an end.
func New(c Config) (*Port, error) {
	if runtime.GOOS == "windows" {
		return nil, errors.New("pipes are not supported on Windows yet; use a socket")
	}
	in, err := os.OpenFile(c.Path+".in", os.O_RDWR, 0)
	var out *os.File
	if err == nil {
		if out, err = os.OpenFile(c.Path+".out", os.O_RDWR, 0); err != nil {
			in.Close()
			return nil, err
		}
	} else {
		if in, err = os.OpenFile(c.Path, os.O_RDWR, 0); err != nil {
			return nil, err
		}
		out = in
	}
	p := &Port{chardev.NewPump(c.PumpConfig), []*os.File{in, out}}
	p.Connect(both{in, out}, nil)
	return p, nil
}

// Close ends the device.
func (p *Port) Close() error {
	err := p.Pump.Close()
	for _, f := range p.files {
		f.Close()
	}
	return err
}
