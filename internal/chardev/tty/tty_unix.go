//go:build linux || darwin || freebsd || netbsd || openbsd

package tty

import (
	"os"

	"golang.org/x/sys/unix"

	"rhea/internal/chardev"
	"rhea/internal/chardev/termios"
)

// Port is the device. It is a chardev.SerialPort.
type Port struct {
	*chardev.Pump
	f  *os.File
	fd int
}

// New opens the line.
func New(c Config) (*Port, error) {
	// Not to wait for a carrier, and not to become the controlling terminal.
	fd, err := unix.Open(c.Path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: c.Path, Err: err}
	}
	if err := termios.Transparent(fd); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "set up", Path: c.Path, Err: err}
	}
	p := &Port{Pump: chardev.NewPump(c.PumpConfig), f: os.NewFile(uintptr(fd), c.Path), fd: fd}
	p.Connect(p.f, nil)
	return p, nil
}

// SetParams implements chardev.SerialPort.
func (p *Port) SetParams(baud, dataBits, stopBits int, parity byte) {
	termios.SetLine(p.fd, termios.Line{Baud: baud, DataBits: dataBits, StopBits: stopBits, Parity: parity})
}

// SetModem implements chardev.SerialPort.
func (p *Port) SetModem(m chardev.Modem) {
	termios.SetModem(p.fd, m&chardev.DTR != 0, m&chardev.RTS != 0)
}

// Modem implements chardev.SerialPort.
func (p *Port) Modem() chardev.Modem {
	v, err := termios.Modem(p.fd)
	if err != nil {
		return 0
	}
	var m chardev.Modem
	for _, w := range []struct {
		bit int
		m   chardev.Modem
	}{{termios.CTS, chardev.CTS}, {termios.DSR, chardev.DSR}, {termios.CD, chardev.DCD}, {termios.RI, chardev.RI},
		{termios.DTR, chardev.DTR}, {termios.RTS, chardev.RTS}} {
		if v&w.bit != 0 {
			m |= w.m
		}
	}
	return m
}

// SetBreak implements chardev.SerialPort.
func (p *Port) SetBreak(on bool) { termios.SetBreak(p.fd, on) }

// Close sends what is left and closes the line.
func (p *Port) Close() error {
	err := p.Pump.Close()
	p.f.Close()
	return err
}
