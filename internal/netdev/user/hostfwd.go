package user

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// forward is an open Forward.
type forward struct {
	Forward
	listener net.Listener   // of TCP
	packets  net.PacketConn // of UDP
	closed   chan struct{}
	once     sync.Once
}

func (f *forward) close() {
	f.once.Do(func() {
		close(f.closed)
		if f.listener != nil {
			f.listener.Close()
		}
		if f.packets != nil {
			f.packets.Close()
		}
	})
}

// AddForward opens a port of the host that leads to the guest.
func (n *Network) AddForward(f Forward) error {
	g := f.Guest
	if !g.Addr().IsValid() {
		g = netip.AddrPortFrom(n.c.DHCPStart, g.Port())
	}
	if g.Addr().Is4() && n.c.NoIPv4 || !g.Addr().Is4() && n.c.NoIPv6 {
		return fmt.Errorf("hostfwd=%v: the network has no addresses like %v", f, g.Addr())
	}
	f.Guest = g
	w := &forward{Forward: f, closed: make(chan struct{})}
	at := fmt.Sprintf(":%d", f.Host.Port())
	if f.Host.Addr().IsValid() {
		at = f.Host.String()
	}
	network := f.network()
	if !f.Host.Addr().IsValid() || f.Host.Addr().Is4() {
		network += "4"
	}
	var err error
	if f.UDP {
		w.packets, err = net.ListenPacket(network, at)
	} else {
		w.listener, err = net.Listen(network, at)
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("hostfwd=%v: the port is in use by another program; choose another", f)
	case err != nil:
		return fmt.Errorf("hostfwd=%v: could not listen: %w", f, bare(err))
	}
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.forwards[w] = struct{}{}
	}
	n.mu.Unlock()
	if closed {
		w.close()
		return net.ErrClosed
	}
	if f.UDP {
		go n.relayUDP(w)
	} else {
		go n.accept(w)
	}
	return nil
}

// bare is what went wrong, without what the message says already.
func bare(err error) error {
	var no syscall.Errno
	if errors.As(err, &no) {
		return no
	}
	return err
}

// RemoveForward closes a port of the host. Connections that are there stay.
func (n *Network) RemoveForward(f Forward) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for w := range n.forwards {
		if w.UDP == f.UDP && w.Host == f.Host {
			w.close()
			delete(n.forwards, w)
			return true
		}
	}
	return false
}

func (n *Network) accept(w *forward) {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			select {
			case <-w.closed:
				return
			case <-time.After(100 * time.Millisecond): // out of descriptors, perhaps
				continue
			}
		}
		if !n.tcpQ.take(maxTCP) {
			c.Close()
			continue
		}
		go func() {
			defer n.tcpQ.give()
			n.enter(w, c.(*net.TCPConn))
		}()
	}
}

// gateway is the address that the guest sees the host's connections come from.
func (n *Network) gateway(guest netip.Addr) netip.Addr {
	if guest.Is4() {
		return n.c.Host
	}
	return n.c.Host6
}

// enter connects a client of the host's with the guest's server.
func (n *Network) enter(w *forward, c *net.TCPConn) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	from := netip.AddrPortFrom(n.gateway(w.Guest.Addr()), 0)
	g, err := gonet.DialTCPWithBind(ctx, n.stack, full(from), full(w.Guest), protocol(w.Guest.Addr()))
	if err != nil {
		c.SetLinger(0)
		c.Close()
		return
	}
	src, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	abort := func() { g.SetDeadline(time.Now()); g.Close() }
	s := &session{what: "TCP[ESTABLISHED]", src: src, dst: w.Guest, close: abort}
	if !n.begin(s) {
		c.Close()
		abort()
		return
	}
	defer n.end(s)
	join(g, abort, c)
}

// relayUDP gives each client of the host's a port of the gateway's.
func (n *Network) relayUDP(w *forward) {
	var mu sync.Mutex
	clients := map[netip.AddrPort]*gonet.UDPConn{}
	b := make([]byte, 64<<10)
	for {
		k, from, err := w.packets.ReadFrom(b)
		if err != nil {
			select {
			case <-w.closed:
				return
			case <-time.After(10 * time.Millisecond):
				continue
			}
		}
		peer := from.(*net.UDPAddr).AddrPort()
		mu.Lock()
		c := clients[peer]
		mu.Unlock()
		if c == nil {
			if c = n.client(w, peer, func() {
				mu.Lock()
				delete(clients, peer)
				mu.Unlock()
			}); c == nil {
				continue
			}
			mu.Lock()
			clients[peer] = c
			mu.Unlock()
		}
		c.SetReadDeadline(time.Now().Add(udpIdle))
		c.Write(b[:k])
	}
}

func (n *Network) client(w *forward, peer netip.AddrPort, gone func()) *gonet.UDPConn {
	if !n.udpQ.take(maxUDP) {
		return nil
	}
	from, to := full(netip.AddrPortFrom(n.gateway(w.Guest.Addr()), 0)), full(w.Guest)
	c, err := gonet.DialUDP(n.stack, &from, &to, protocol(w.Guest.Addr()))
	if err != nil {
		n.udpQ.give()
		return nil
	}
	go func() {
		defer n.udpQ.give()
		defer c.Close()
		defer gone()
		s := &session{what: "UDP[SESSION]", src: peer, dst: w.Guest, close: func() { c.Close() }}
		if !n.begin(s) {
			return
		}
		defer n.end(s)
		b := make([]byte, 64<<10)
		for {
			k, err := c.Read(b)
			if err != nil {
				return
			}
			c.SetReadDeadline(time.Now().Add(udpIdle))
			w.packets.WriteTo(b[:k], net.UDPAddrFromAddrPort(peer))
		}
	}()
	return c
}

// Info writes the table of "info usernet".
func (n *Network) Info(w io.Writer) {
	fmt.Fprintf(w, "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n")
	row := func(what string, src, dst netip.AddrPort) {
		show := func(a netip.Addr) string {
			if !a.IsValid() || a.IsUnspecified() {
				return "*"
			}
			return a.Unmap().String()
		}
		fmt.Fprintf(w, "  %-19s %3s %15s %5d %15s %5d %5d %5d\n", what, "-", show(src.Addr()), src.Port(), show(dst.Addr()), dst.Port(), 0, 0)
	}
	n.mu.Lock()
	var fwd []*forward
	for f := range n.forwards {
		fwd = append(fwd, f)
	}
	var list []*session
	for s := range n.sessions {
		list = append(list, s)
	}
	n.mu.Unlock()
	slices.SortFunc(list, func(a, b *session) int { return a.began.Compare(b.began) })
	slices.SortFunc(fwd, func(a, b *forward) int { return strings.Compare(a.String(), b.String()) })
	for _, s := range list {
		row(s.what, s.src, s.dst)
	}
	for _, f := range fwd {
		row(strings.ToUpper(f.network())+"[HOST_FORWARD]", f.Host, f.Guest)
	}
}
