// Package stream joins networks over connections ("-netdev stream", and
// "-netdev socket" with listen, connect or fd): each frame has its length
// before it, 32 bits with the most significant byte first, as QEMU has it.
package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"rhea/internal/netdev"
)

// Config describes a network.
type Config struct {
	// Network and Addr are package net's: "tcp", "tcp4", "tcp6" or "unix".
	Network, Addr string
	// FD is an inherited descriptor, used if Network is "": a connection, or
	// a listening socket if Server.
	FD     int
	Server bool
	// Reconnect makes a client try again after so long; 0 = it does not.
	Reconnect time.Duration
}

// Network is the host's end. It has one peer at a time.
type Network struct {
	c        Config
	peer     netdev.Peer
	listener net.Listener
	room     chan struct{}
	done     chan struct{}
	once     sync.Once

	mu   sync.Mutex
	conn net.Conn
	out  []byte // of Deliver, one at a time
	send sync.Mutex
}

// New opens the socket. A client is connected when it returns, unless it
// retries; a server waits for its client in the background.
func New(c Config) (*Network, error) {
	n := &Network{c: c, room: make(chan struct{}, 1), done: make(chan struct{})}
	var err error
	switch {
	case c.Network == "":
		err = n.inherit()
	case c.Server:
		if c.Network == "unix" {
			clearStale(c.Addr)
		}
		n.listener, err = net.Listen(c.Network, c.Addr)
	default:
		n.conn, err = net.DialTimeout(c.Network, c.Addr, 30*time.Second)
		if err != nil && c.Reconnect > 0 {
			err = nil
		}
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("'%s' is in use by another program; choose another port", c.Addr)
	case c.Network == "":
		return nil, fmt.Errorf("fd %d is not a socket that can be used: %w", c.FD, bare(err))
	case c.Server:
		return nil, fmt.Errorf("could not listen on '%s': %w", c.Addr, bare(err))
	}
	return nil, fmt.Errorf("could not connect to '%s': %w", c.Addr, bare(err))
}

func bare(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}

// clearStale removes a socket on which nobody listens any more.
func clearStale(path string) {
	st, err := os.Stat(path)
	if err != nil || st.Mode()&os.ModeSocket == 0 {
		return
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return
	}
	os.Remove(path)
}

func (n *Network) inherit() (err error) {
	f := os.NewFile(uintptr(n.c.FD), "fd")
	if f == nil {
		return os.ErrInvalid
	}
	defer f.Close()
	if n.c.Server {
		n.listener, err = net.FileListener(f)
	} else {
		n.conn, err = net.FileConn(f)
	}
	return err
}

// Addr is where a server listens.
func (n *Network) Addr() net.Addr {
	if n.listener == nil {
		return nil
	}
	return n.listener.Addr()
}

// Attach implements netdev.Backend.
func (n *Network) Attach(p netdev.Peer) {
	n.peer = p
	go n.run()
}

// run serves one connection after the other.
func (n *Network) run() {
	for {
		n.mu.Lock()
		c := n.conn
		n.mu.Unlock()
		if c == nil {
			if c = n.next(); c == nil {
				return
			}
		}
		n.receive(c)
		c.Close()
		n.mu.Lock()
		n.conn = nil
		n.mu.Unlock()
	}
}

// next waits for a connection; nil = there comes none.
func (n *Network) next() net.Conn {
	for {
		var c net.Conn
		var err error
		switch {
		case n.listener != nil:
			c, err = n.listener.Accept()
		case n.c.Reconnect > 0:
			select {
			case <-time.After(n.c.Reconnect):
			case <-n.done:
				return nil
			}
			c, err = net.DialTimeout(n.c.Network, n.c.Addr, 30*time.Second)
		default:
			return nil
		}
		select {
		case <-n.done:
			if c != nil {
				c.Close()
			}
			return nil
		default:
		}
		if err == nil {
			n.mu.Lock()
			n.conn = c
			n.mu.Unlock()
			return c
		}
		if n.listener != nil {
			time.Sleep(100 * time.Millisecond) // out of descriptors, perhaps
		}
	}
}

// receive reads frames until the connection ends or sends what no frame is.
func (n *Network) receive(c net.Conn) {
	r := bufio.NewReaderSize(c, 256<<10)
	buf := make([]byte, netdev.MaxBig)
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		k := binary.BigEndian.Uint32(head[:])
		if k == 0 || k > uint32(len(buf)) {
			return
		}
		if _, err := io.ReadFull(r, buf[:k]); err != nil {
			return
		}
		for !n.peer.Deliver(buf[:k]) {
			select {
			case <-n.room:
			case <-n.done:
				return
			}
		}
	}
}

// Wake implements netdev.Waker.
func (n *Network) Wake() {
	select {
	case n.room <- struct{}{}:
	default:
	}
}

// Deliver implements netdev.Backend. A peer that does not read holds it up.
func (n *Network) Deliver(frame []byte) bool {
	n.mu.Lock()
	c := n.conn
	n.mu.Unlock()
	if c == nil {
		return false
	}
	n.send.Lock()
	defer n.send.Unlock()
	n.out = append(binary.BigEndian.AppendUint32(n.out[:0], uint32(len(frame))), frame...)
	_, err := c.Write(n.out)
	return err == nil
}

// Describe implements netdev.Describer.
func (n *Network) Describe() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.conn != nil && n.c.Server:
		return "connection from " + where(n.conn.RemoteAddr(), n.c.Addr)
	case n.conn != nil:
		return "connect to " + where(n.conn.RemoteAddr(), n.c.Addr)
	case n.listener != nil:
		return "listening on " + where(n.listener.Addr(), n.c.Addr)
	}
	return "not connected"
}

func where(a net.Addr, otherwise string) string {
	if a == nil || a.String() == "" || a.String() == "@" {
		return otherwise
	}
	return a.String()
}

// Close implements netdev.Backend.
func (n *Network) Close() error {
	n.once.Do(func() {
		close(n.done)
		if n.listener != nil {
			n.listener.Close()
		}
		n.mu.Lock()
		if n.conn != nil {
			n.conn.Close()
		}
		n.mu.Unlock()
	})
	return nil
}
