// Package dgram joins networks over datagrams, a frame each ("-netdev dgram",
// and "-netdev socket" with mcast or udp): by UDP to one peer or to a multicast
// group, by unix sockets, or by an inherited descriptor.
package dgram

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/net/ipv4"

	"rhea/internal/netdev"
)

// Config describes a network.
type Config struct {
	// Network is "udp" or "unixgram"; "" means the descriptor FD.
	Network       string
	Local, Remote string // addresses; Remote may be a multicast group
	// Interface is the address of the host's interface for a multicast
	// group, "" = the system's choice.
	Interface string
	FD        int
}

// Network is the host's end.
type Network struct {
	c    Config
	conn net.PacketConn
	to   net.Addr // nil = conn is connected
	mine net.Addr // what comes from there is our own
	peer netdev.Peer
	room chan struct{}
	done chan struct{}
	once sync.Once
}

// New opens the socket.
func New(c Config) (*Network, error) {
	n := &Network{c: c, room: make(chan struct{}, 1), done: make(chan struct{})}
	var err error
	switch c.Network {
	case "":
		f := os.NewFile(uintptr(c.FD), "fd")
		if f == nil {
			return nil, fmt.Errorf("fd %d is not a socket", c.FD)
		}
		n.conn, err = net.FilePacketConn(f)
		f.Close()
	case "unixgram":
		n.to = &net.UnixAddr{Name: c.Remote, Net: "unixgram"}
		os.Remove(c.Local)
		n.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: c.Local, Net: "unixgram"})
	default:
		var to *net.UDPAddr
		if to, err = net.ResolveUDPAddr("udp", c.Remote); err != nil {
			return nil, fmt.Errorf("'%s' is not an address with a port", c.Remote)
		}
		n.to = to
		if to.IP.IsMulticast() {
			err = n.join(to)
		} else {
			n.conn, err = net.ListenPacket("udp", c.Local)
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("'%s' is in use by another program; choose another", c.Local)
	case err != nil:
		var no syscall.Errno
		if errors.As(err, &no) {
			err = no
		}
		return nil, fmt.Errorf("could not open the socket: %w", err)
	}
	return n, nil
}

// join becomes a member of a multicast group. Several machines of one host may
// be, so the port is shared and what is sent comes back.
func (n *Network) join(group *net.UDPAddr) error {
	var ifi *net.Interface
	if n.c.Interface != "" {
		var err error
		if ifi, err = interfaceOf(n.c.Interface); err != nil {
			return err
		}
	}
	c, err := net.ListenMulticastUDP("udp4", ifi, group)
	if err != nil {
		return err
	}
	p := ipv4.NewPacketConn(c)
	if ifi != nil {
		p.SetMulticastInterface(ifi)
	}
	p.SetMulticastLoopback(true)
	// Sent from a socket of its own, what comes back is known by its address.
	local := &net.UDPAddr{}
	if n.c.Interface != "" {
		local.IP = net.ParseIP(n.c.Interface)
	}
	out, err := net.ListenUDP("udp4", local)
	if err != nil {
		c.Close()
		return err
	}
	o := ipv4.NewPacketConn(out)
	if ifi != nil {
		o.SetMulticastInterface(ifi)
	}
	o.SetMulticastLoopback(true)
	n.mine = out.LocalAddr()
	n.conn = &split{PacketConn: c, out: out}
	return nil
}

// split receives on one socket and sends on another.
type split struct {
	net.PacketConn
	out net.PacketConn
}

func (s *split) WriteTo(b []byte, to net.Addr) (int, error) { return s.out.WriteTo(b, to) }

func (s *split) Close() error { return errors.Join(s.out.Close(), s.PacketConn.Close()) }

func interfaceOf(addr string) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(addr)
	for i := range all {
		addrs, _ := all[i].Addrs()
		for _, a := range addrs {
			if p, ok := a.(*net.IPNet); ok && p.IP.Equal(ip) {
				return &all[i], nil
			}
		}
	}
	return nil, fmt.Errorf("no interface of this host has the address '%s'", addr)
}

// Attach implements netdev.Backend.
func (n *Network) Attach(p netdev.Peer) {
	n.peer = p
	go n.receive()
}

func (n *Network) receive() {
	buf := make([]byte, netdev.MaxBig)
	for {
		k, from, err := n.conn.ReadFrom(buf)
		select {
		case <-n.done:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || k == 0 || n.own(from) {
			continue // what was sent before was refused by nobody there
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

// own reports whether a datagram is one of ours that came back.
func (n *Network) own(from net.Addr) bool {
	m, ok := n.mine.(*net.UDPAddr)
	f, ok2 := from.(*net.UDPAddr)
	return ok && ok2 && m.Port == f.Port && (m.IP.IsUnspecified() && local(f.IP) || m.IP.Equal(f.IP))
}

// local reports whether an address is this host's.
func local(ip net.IP) bool {
	if ip.IsLoopback() {
		return true
	}
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, ok := a.(*net.IPNet); ok && p.IP.Equal(ip) {
			return true
		}
	}
	return false
}

// Wake implements netdev.Waker.
func (n *Network) Wake() {
	select {
	case n.room <- struct{}{}:
	default:
	}
}

// Deliver implements netdev.Backend.
func (n *Network) Deliver(frame []byte) bool {
	var err error
	if n.to == nil {
		if w, ok := n.conn.(net.Conn); ok {
			_, err = w.Write(frame)
		} else {
			err = net.ErrClosed
		}
	} else {
		_, err = n.conn.WriteTo(frame, n.to)
	}
	return err == nil
}

// Describe implements netdev.Describer.
func (n *Network) Describe() string {
	if n.to == nil {
		return fmt.Sprintf("fd=%d", n.c.FD)
	}
	return fmt.Sprintf("local=%s,remote=%s", n.c.Local, n.c.Remote)
}

// Close implements netdev.Backend.
func (n *Network) Close() error {
	n.once.Do(func() {
		close(n.done)
		n.conn.Close()
		if n.c.Network == "unixgram" && n.c.Local != "" {
			os.Remove(n.c.Local)
		}
	})
	return nil
}
