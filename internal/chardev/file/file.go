// Package file is a character device that writes a file of the host's.
package file

import (
	"io"
	"os"

	"rhea/internal/chardev"
)

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	Path   string
	Append bool
}

// Port is the device.
type Port struct {
	*chardev.Pump
	f *os.File
}

// New opens the file.
func New(c Config) (*Port, error) {
	f, err := Create(c.Path, c.Append)
	if err != nil {
		return nil, err
	}
	p := &Port{chardev.NewPump(c.PumpConfig), f}
	p.Connect(out{f}, nil)
	return p, nil
}

// Create opens a file for writing, for the device or for logfile=.
func Create(path string, add bool) (*os.File, error) {
	mode := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if add {
		mode = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	return os.OpenFile(path, mode, 0o666)
}

// out is a file that is only written.
type out struct{ io.Writer }

func (out) Read([]byte) (int, error) { return 0, io.EOF }

// Close writes what is left and closes the file.
func (p *Port) Close() error {
	err := p.Pump.Close()
	if cerr := p.f.Close(); err == nil {
		err = cerr
	}
	return err
}
