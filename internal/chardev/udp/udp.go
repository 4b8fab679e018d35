// Package udp is the character device on datagrams: what the guest sends goes to one
// address, and what comes from there it receives. Nobody knows whether anybody listens.
package udp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"rhea/internal/chardev"
)

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	Host, Port           string // where to
	LocalHost, LocalPort string // where from; "" = any
	IPv4, IPv6           bool   // only these, if exactly one is set
}

// Port is the device.
type Port struct {
	*chardev.Pump
	conn *net.UDPConn
}

// maxDatagram is the most bytes that are sent at once: what an Ethernet frame holds.
const maxDatagram = 1400

// New opens the socket.
func New(c Config) (*Port, error) {
	network := "udp"
	switch {
	case c.IPv4 && !c.IPv6:
		network = "udp4"
	case c.IPv6 && !c.IPv4:
		network = "udp6"
	}
	to, err := net.ResolveUDPAddr(network, net.JoinHostPort(c.Host, c.Port))
	if err != nil {
		return nil, fmt.Errorf("'%s' is no address: %w", net.JoinHostPort(c.Host, c.Port), err)
	}
	local := net.JoinHostPort(c.LocalHost, c.LocalPort)
	if c.LocalHost == "" && network == "udp" && to.IP.To4() != nil {
		network = "udp4"
	}
	from, err := net.ResolveUDPAddr(network, local)
	if err != nil {
		return nil, fmt.Errorf("'%s' is no address: %w", local, err)
	}
	conn, err := net.DialUDP(network, from, to)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("'%s' is in use by another program; choose another port", local)
	case err != nil:
		return nil, fmt.Errorf("failed to open a socket from '%s' to '%s': %w", local, to, reason(err))
	}
	p := &Port{Pump: chardev.NewPump(c.PumpConfig), conn: conn}
	p.Connect(&stream{conn: conn}, nil)
	return p, nil
}

// stream is a socket as a stream. Errors but its end pass: nobody listened to what was
// sent before.
type stream struct {
	conn *net.UDPConn
	buf  [1 << 16]byte
	rest []byte
}

func (s *stream) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		n, err := s.conn.Read(s.buf[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return 0, err
		case err != nil:
			time.Sleep(10 * time.Millisecond)
		default:
			s.rest = s.buf[:n]
		}
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *stream) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), maxDatagram)
		if _, err := s.conn.Write(rest[:n]); errors.Is(err, net.ErrClosed) {
			return len(b) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// Where is the addresses as "info chardev" shows them.
func (p *Port) Where() string {
	return fmt.Sprintf("udp:%v<->%v", p.conn.LocalAddr(), p.conn.RemoteAddr())
}

// Close sends what is left and closes the socket.
func (p *Port) Close() error {
	return errors.Join(p.Pump.Close(), p.conn.Close())
}

// reason is an error without the address, which the message has already.
func reason(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}
