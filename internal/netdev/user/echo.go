package user

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"rhea/internal/netdev"
)

const (
	maxEchoes = 16
	echoIdle  = 20 * time.Second
)

// echoes pass the guest's pings to hosts outside: by the host's unprivileged
// ICMP sockets, where it lets us have them (Linux: net.ipv4.ping_group_range).
type echoes struct {
	mu     sync.Mutex
	open   map[echoKey]*icmp.PacketConn
	closed bool
}

// echoKey is one pinging program: its address, whom it pings, and its number.
type echoKey struct {
	src, dst netip.Addr
	id       uint16
}

func (e *echoes) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for _, c := range e.open {
		c.Close()
	}
}

// ask sends a request on. p is the ICMP message of frame.
func (e *echoes) ask(n *Network, frame, p []byte, src, dst netip.Addr) {
	key := echoKey{src, dst, uint16(p[4])<<8 | uint16(p[5])}
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.open[key]
	if c == nil {
		if e.closed || len(e.open) >= maxEchoes {
			return
		}
		network, at := "udp4", "0.0.0.0"
		if dst.Is6() {
			network, at = "udp6", "::"
		}
		var err error
		if c, err = icmp.ListenPacket(network, at); err != nil {
			return // the host does not let us: the ping is lost
		}
		if e.open == nil {
			e.open = map[echoKey]*icmp.PacketConn{}
		}
		e.open[key] = c
		go e.answer(n, c, key, netdev.MAC(frame[6:12]))
	}
	var kind icmp.Type = ipv4.ICMPTypeEcho
	if dst.Is6() {
		kind = ipv6.ICMPTypeEchoRequest
	}
	m := icmp.Message{Type: kind, Body: &icmp.Echo{ID: int(key.id), Seq: int(p[6])<<8 | int(p[7]), Data: p[8:]}}
	if b, err := m.Marshal(nil); err == nil {
		c.SetReadDeadline(time.Now().Add(echoIdle))
		c.WriteTo(b, &net.UDPAddr{IP: dst.AsSlice()})
	}
}

// answer brings the replies back until there have been none for a while.
func (e *echoes) answer(n *Network, c *icmp.PacketConn, key echoKey, mac netdev.MAC) {
	defer func() {
		e.mu.Lock()
		delete(e.open, key)
		e.mu.Unlock()
		c.Close()
	}()
	b := make([]byte, netdev.MTU)
	for {
		k, _, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		want := byte(icmpEchoReply)
		if key.dst.Is6() {
			want = icmp6EchoReply
		}
		if k < 8 || b[0] != want || k > netdev.MTU-40 {
			continue
		}
		b[4], b[5] = byte(key.id>>8), byte(key.id) // the host has put its own there
		var f []byte
		proto := uint8(netdev.ProtoICMP)
		if key.dst.Is4() {
			f = n.ipv4Frame(mac, proto, key.dst, key.src, b[:k])
		} else {
			proto = netdev.ProtoICMPv6
			f = n.ipv6Frame(mac, proto, 64, key.dst, key.src, b[:k])
		}
		setTransportSum(f, proto, 2)
		n.cable.send(f)
	}
}
