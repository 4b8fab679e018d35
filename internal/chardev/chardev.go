// Package chardev is the contract of character devices: the host's side of a
// serial port, a parallel port, a console or a monitor.
package chardev

import "io"

// Port is the host's side. Write takes what the guest sends; it never blocks
// for long: a slow peer's bytes are buffered up to a bound, then dropped (n <
// len(p) with io.ErrShortWrite says so, and Room of a Throttler tells before).
type Port interface {
	io.Writer
	// Attach names who takes the bytes that come from the host; nil detaches.
	Attach(Receiver)
}

// Receiver takes bytes from the host. Both methods are called from the
// machine's event loop, under its lock.
type Receiver interface {
	// Room is how many bytes Receive can take now.
	Room() int
	Receive(p []byte)
}

// Event is something that happens to a port besides bytes.
type Event uint8

// The events.
const (
	Opened Event = iota
	Closed
	Break
)

// EventReceiver is a Receiver that wants to know of events.
type EventReceiver interface{ Event(Event) }

// Waker is a Port that is told when its Receiver has room again.
type Waker interface{ Wake() }

// Modem is the state of a serial line's handshake wires.
type Modem uint8

// The wires, named from the guest's side.
const (
	DTR Modem = 1 << iota
	RTS
	CTS
	DSR
	DCD
	RI
)

// SerialPort is a Port on a real line: it has a speed and handshake wires.
type SerialPort interface {
	SetParams(baud, dataBits, stopBits int, parity byte)
	SetModem(Modem)
	Modem() Modem
	SetBreak(on bool)
}
