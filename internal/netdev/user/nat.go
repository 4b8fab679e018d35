package user

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	dialTimeout = 60 * time.Second
	udpIdle     = 2 * time.Minute
	copyBuffer  = 256 << 10
)

// Stream is a connection whose halves end apart.
type Stream interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// outside is where the host reaches what the guest calls dst: the gateway is
// the host itself. ok is false for what is nowhere.
func (n *Network) outside(dst netip.AddrPort) (netip.AddrPort, bool) {
	a := dst.Addr()
	switch {
	case a == n.c.Host:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dst.Port()), true
	case a == n.c.Host6 || a == n.linkLocal():
		return netip.AddrPortFrom(netip.IPv6Loopback(), dst.Port()), true
	case n.c.Net.Contains(a) || n.c.Net6.Contains(a) || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsLoopback() || a.IsUnspecified():
		return dst, false
	}
	return dst, true
}

// service returns the guestfwd at an address.
func (n *Network) service(at netip.AddrPort) *Service {
	for i := range n.c.Guest {
		if n.c.Guest[i].At == at {
			return &n.c.Guest[i]
		}
	}
	return nil
}

// connect makes a connection that the guest has asked for. It runs on a
// goroutine of its own; the guest hears nothing until the host is through.
func (n *Network) connect(r *tcp.ForwarderRequest) {
	id := r.ID()
	src, dst := addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)
	if !n.tcpQ.take(maxTCP) {
		r.Complete(true)
		return
	}
	defer n.tcpQ.give()
	var host Stream
	var err error
	dns := (dst.Addr() == n.c.DNS || dst.Addr() == n.c.DNS6) && dst.Port() == 53 && !n.c.Restrict
	if s := n.service(dst); s != nil {
		host, err = s.Open()
	} else if !dns {
		to, ok := n.outside(dst)
		if !ok || n.c.Restrict {
			r.Complete(true)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		var c net.Conn
		var d net.Dialer
		if c, err = d.DialContext(ctx, "tcp", to.String()); err == nil {
			host = c.(*net.TCPConn)
		}
		cancel()
	}
	if err != nil {
		r.Complete(true)
		return
	}
	var wq waiter.Queue
	ep, terr := r.CreateEndpoint(&wq)
	r.Complete(false)
	if terr != nil {
		if host != nil {
			host.Close()
		}
		return
	}
	guest := gonet.NewTCPConn(&wq, ep)
	s := &session{what: "TCP[ESTABLISHED]", src: src, dst: dst, close: ep.Abort}
	if !n.begin(s) {
		ep.Abort()
		if host != nil {
			host.Close()
		}
		return
	}
	defer n.end(s)
	if dns {
		n.serveDNSStream(guest)
		return
	}
	join(guest, ep.Abort, host)
}

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// plain hides what io.Copy would rather use than our buffer.
type (
	plainReader struct{ io.Reader }
	plainWriter struct{ io.Writer }
)

// pump copies until from ends; it reports whether it ended well.
func pump(to io.Writer, from io.Reader) bool {
	b := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(b)
	_, err := io.CopyBuffer(plainWriter{to}, plainReader{from}, *b)
	return err == nil
}

// join passes bytes between a guest's connection and the host's until both
// directions have ended. A reset on one side is one on the other.
func join(guest Stream, abort func(), host Stream) {
	reset := func() {
		if t, ok := host.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		host.Close()
		abort()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if pump(host, guest) {
			host.CloseWrite()
		} else {
			reset()
		}
	})
	if pump(guest, host) {
		guest.CloseWrite()
	} else {
		reset()
	}
	wg.Wait()
	host.Close()
	guest.Close()
}

// datagram makes a session for the first datagram between two addresses. It
// is called by the stack and does not wait. False has the guest told that the
// port is unreachable.
func (n *Network) datagram(r *udp.ForwarderRequest) bool {
	id := r.ID()
	src, dst := addrPort(id.RemoteAddress, id.RemotePort), addrPort(id.LocalAddress, id.LocalPort)
	var serve func(net.Conn, func([]byte) (int, error))
	switch a := dst.Addr(); {
	case (a == n.c.DNS || a == n.c.DNS6) && dst.Port() == 53 && !n.c.Restrict:
		serve = n.serveDNS
	case (a == n.c.Host || a == n.c.Host6) && dst.Port() == tftpPort && n.root != nil:
		serve = func(c net.Conn, _ func([]byte) (int, error)) { n.serveTFTP(c) }
	case n.c.Restrict:
		return false
	}
	to, ok := n.outside(dst)
	if serve == nil && !ok {
		return false
	}
	if !n.udpQ.take(maxUDP) {
		return true // lost
	}
	var host *net.UDPConn
	if serve == nil {
		var err error
		if host, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)); err != nil {
			n.udpQ.give()
			return false
		}
	}
	var wq waiter.Queue
	ep, terr := r.CreateEndpoint(&wq)
	if terr != nil {
		n.udpQ.give()
		if host != nil {
			host.Close()
		}
		return false
	}
	guest := gonet.NewUDPConn(&wq, ep)
	go func() {
		defer n.udpQ.give()
		defer guest.Close()
		s := &session{what: "UDP[SESSION]", src: src, dst: dst, close: func() { guest.Close() }}
		if !n.begin(s) {
			return
		}
		defer n.end(s)
		if serve != nil {
			serve(guest, guest.Read)
			return
		}
		exchange(guest, host)
	}()
	return true
}

// exchange passes datagrams both ways until there have been none for a while.
func exchange(guest, host net.Conn) {
	var wg sync.WaitGroup
	defer host.Close()
	relay := func(to, from net.Conn) {
		defer to.SetReadDeadline(time.Now()) // ends the other direction
		b := make([]byte, 64<<10)
		for {
			k, err := from.Read(b)
			if err != nil {
				// The host's socket reports that an earlier datagram was
				// refused; others may not be.
				var op *net.OpError
				if from == host && errors.As(err, &op) && !op.Timeout() && !errors.Is(err, net.ErrClosed) {
					if from.SetReadDeadline(time.Now().Add(udpIdle)) == nil {
						continue
					}
				}
				return
			}
			d := time.Now().Add(udpIdle)
			to.SetReadDeadline(d)
			from.SetReadDeadline(d)
			to.Write(b[:k])
		}
	}
	d := time.Now().Add(udpIdle)
	guest.SetReadDeadline(d)
	host.SetReadDeadline(d)
	wg.Go(func() { relay(guest, host) })
	relay(host, guest)
	wg.Wait()
}
