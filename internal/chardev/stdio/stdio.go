// Package stdio is the character device on the emulator's own standard input
// and output. A terminal is put into raw mode, and back when the device is
// closed, when the process is stopped by a signal, and when it crashes.
package stdio

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"rhea/internal/chardev"
	"rhea/internal/chardev/termios"
)

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	In  *os.File
	Out io.Writer
	// Signal lets Ctrl-C and its like signal the emulator.
	Signal bool
}

// Port is the device.
type Port struct {
	*chardev.Pump
	c    Config
	tty  bool
	stop func()

	mu  sync.Mutex
	old *termios.State // nil = not in raw mode
}

type both struct {
	io.Reader
	io.Writer
}

// New takes the terminal.
func New(c Config) (*Port, error) {
	p := &Port{c: c, tty: term.IsTerminal(int(c.In.Fd()))}
	if p.tty {
		if err := p.raw(); err != nil {
			return nil, err
		}
		p.stop = onContinue(func() { p.again() })
	}
	p.Pump = chardev.NewPump(c.PumpConfig)
	p.Connect(both{c.In, c.Out}, nil)
	return p, nil
}

// IsTerminal reports whether a person's terminal is at the other end.
func (p *Port) IsTerminal() bool { return p.tty }

func (p *Port) raw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	old, err := termios.Raw(int(p.c.In.Fd()), p.c.Signal)
	if err == nil {
		p.old = old
	}
	return err
}

// again goes back to raw mode after the shell's fg.
func (p *Port) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.old != nil {
		termios.Raw(int(p.c.In.Fd()), p.c.Signal)
	}
}

// Restore puts the terminal in order. It may be called from anywhere, often.
func (p *Port) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.old != nil {
		p.old.Restore(int(p.c.In.Fd()))
		p.old = nil
	}
}

// Close writes what is left and restores the terminal.
func (p *Port) Close() error {
	if p.stop != nil {
		p.stop()
	}
	err := p.Pump.Close()
	p.Restore()
	return err
}
