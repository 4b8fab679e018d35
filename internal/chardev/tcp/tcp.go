// Package tcp is the character device on sockets: TCP, with or without the
// telnet protocol, and unix sockets, as server or as client.
package tcp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"rhea/internal/chardev"
)

// Config describes the device.
type Config struct {
	chardev.PumpConfig
	// Path is that of a unix socket ("@name" is abstract on Linux); else Host
	// and Port, or an inherited descriptor if FD >= 0.
	Path       string
	Host, Port string
	FD         int
	IPv4, IPv6 bool // only these, if exactly one is set

	Server  bool
	Wait    bool // New returns when the first client is there
	Telnet  bool
	NoDelay bool
	// Reconnect makes a client try again after so long, for ever.
	Reconnect time.Duration
	// Waiting is told that New waits, and where.
	Waiting func(where string)
	// Interrupt, if not nil, ends the waiting of New.
	Interrupt <-chan struct{}
}

// Port is the device.
type Port struct {
	*chardev.Pump
	c        Config
	listener net.Listener

	mu     sync.Mutex
	conn   net.Conn
	closed bool
	stop   chan struct{}
}

func (c *Config) network() (network, addr string) {
	if c.Path != "" {
		return "unix", c.Path
	}
	network = "tcp"
	if c.IPv4 && !c.IPv6 {
		network = "tcp4"
	}
	if c.IPv6 && !c.IPv4 {
		network = "tcp6"
	}
	return network, net.JoinHostPort(c.Host, c.Port)
}

// New opens the socket.
func New(c Config) (*Port, error) {
	p := &Port{Pump: chardev.NewPump(c.PumpConfig), c: c, stop: make(chan struct{})}
	var err error
	if c.Server {
		err = p.serve()
	} else {
		err = p.call()
	}
	if err != nil {
		p.Pump.Close()
		return nil, err
	}
	return p, nil
}

func (p *Port) call() error {
	c := &p.c
	network, addr := c.network()
	if c.FD >= 0 {
		f := os.NewFile(uintptr(c.FD), "fd")
		conn, err := net.FileConn(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("fd %d is not a connected socket: %w", c.FD, err)
		}
		p.connected(conn)
		return nil
	}
	conn, err := net.DialTimeout(network, addr, 30*time.Second)
	switch {
	case err == nil:
		p.connected(conn)
	case c.Reconnect > 0:
		go p.redial()
	default:
		return fmt.Errorf("failed to connect to '%s': %w", show(addr), reason(err))
	}
	return nil
}

func (p *Port) redial() {
	network, addr := p.c.network()
	for {
		select {
		case <-p.stop:
			return
		case <-time.After(p.c.Reconnect):
		}
		if conn, err := net.DialTimeout(network, addr, 30*time.Second); err == nil {
			p.connected(conn)
			return
		}
	}
}

func (p *Port) serve() error {
	c := &p.c
	network, addr := c.network()
	var err error
	switch {
	case c.FD >= 0:
		f := os.NewFile(uintptr(c.FD), "fd")
		p.listener, err = net.FileListener(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("fd %d is not a listening socket: %w", c.FD, err)
		}
	case network == "unix":
		if err := clearStale(addr); err != nil {
			return err
		}
		fallthrough
	default:
		p.listener, err = net.Listen(network, addr)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("'%s' is in use by another program; choose another port", show(addr))
	case err != nil:
		return fmt.Errorf("failed to listen on '%s': %w", show(addr), reason(err))
	}
	if !c.Wait {
		go p.accept()
		return nil
	}
	if c.Waiting != nil {
		c.Waiting(p.Where())
	}
	done := make(chan error, 1)
	go func() { done <- p.acceptOne() }()
	select {
	case err = <-done:
	case <-c.Interrupt:
		err = errors.New("interrupted while waiting for a client")
	}
	if err != nil {
		p.listener.Close()
		return err
	}
	return nil
}

// clearStale removes a unix socket that nobody listens on any more.
func clearStale(path string) error {
	st, err := os.Lstat(path)
	if path[0] == '@' || err != nil {
		return nil
	}
	if st.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("'%s' exists and is not a socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("'%s' is in use by another program; choose another path", path)
	}
	return os.Remove(path)
}

// Where is the address as "info chardev" shows it.
func (p *Port) Where() string {
	network, addr := p.c.network()
	if p.listener != nil {
		addr = p.listener.Addr().String()
	}
	kind := network[:min(4, len(network))]
	if network != "unix" {
		kind = "tcp"
	}
	if p.c.Telnet {
		kind = "telnet"
	}
	s := kind + ":" + addr
	if p.c.Server {
		s += ",server=on"
	}
	if p.Connected() {
		return s
	}
	return "disconnected:" + s
}

// Addr is the address that a server listens on.
func (p *Port) Addr() net.Addr { return p.listener.Addr() }

// IsTerminal reports whether a person's terminal, echoing nothing by itself,
// is likely to be at the other end.
func (p *Port) IsTerminal() bool { return p.c.Telnet }

// acceptOne takes the next client; there is one at a time.
func (p *Port) acceptOne() error {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			p.mu.Lock()
			closed := p.closed
			p.mu.Unlock()
			if closed || errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors, perhaps: it passes.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		p.connected(conn)
		return nil
	}
}

func (p *Port) accept() { p.acceptOne() }

func (p *Port) connected(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		t.SetNoDelay(p.c.NoDelay)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		conn.Close()
		return
	}
	p.conn = conn
	p.mu.Unlock()
	var stream io.ReadWriter = conn
	if p.c.Telnet {
		stream = newTelnet(conn, func() { p.Event(chardev.Break) })
	}
	p.Connect(stream, func(error) { p.lost(conn) })
}

// lost is called when the peer is gone: the next may come.
func (p *Port) lost(conn net.Conn) {
	conn.Close()
	p.Disconnect()
	p.mu.Lock()
	p.conn = nil
	closed := p.closed
	p.mu.Unlock()
	switch {
	case closed:
	case p.c.Server:
		p.accept()
	case p.c.Reconnect > 0:
		p.redial()
	}
}

// Close sends what is left and closes the socket.
func (p *Port) Close() error {
	err := p.Pump.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return err
	}
	p.closed = true
	close(p.stop)
	if p.listener != nil {
		p.listener.Close() // removes a unix socket's file
	}
	if p.conn != nil {
		p.conn.Close()
	}
	return err
}

func show(addr string) string {
	if len(addr) > 0 && addr[0] == ':' {
		return "port " + addr[1:]
	}
	return addr
}

// reason is an error without the address, which the message has already.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}
