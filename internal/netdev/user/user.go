// Package user is the network that needs no rights on the host ("-netdev
// user"): the guest sees a small network with a gateway that is this machine,
// a name server and a DHCP server; its connections become sockets of this
// process. The protocols are gVisor's network stack, which runs in this
// process and accepts whatever address the guest talks to.
package user

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"rhea/internal/netdev"
)

const nic = 1

// Limits: what a guest can make this process hold.
const (
	maxTCP     = 4096 // connections
	maxUDP     = 1024 // sessions
	maxPending = 512  // connections that are being made
)

// Network is a user network.
type Network struct {
	c     Config
	mac   netdev.MAC
	stack *stack.Stack
	cable *cable
	root  *os.Root // of TFTP, nil = none
	udpQ  limit
	tcpQ  limit
	dnsQ  limit
	dhcp  leases
	echo  echoes
	tftp  transfers

	mu       sync.Mutex
	sessions map[*session]struct{}
	forwards map[*forward]struct{}
	closed   bool
}

// limit is a counter with an upper bound.
type limit struct {
	mu sync.Mutex
	n  int
}

func (l *limit) take(most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= most {
		return false
	}
	l.n++
	return true
}

func (l *limit) give() {
	l.mu.Lock()
	l.n--
	l.mu.Unlock()
}

// New opens the network with its forwarded ports.
func New(c Config) (*Network, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	n := &Network{c: c, sessions: map[*session]struct{}{}, forwards: map[*forward]struct{}{}}
	host := c.Host.As4()
	n.mac = netdev.MAC{0x52, 0x55, host[0], host[1], host[2], host[3]}
	if c.TFTP != "" {
		root, err := os.OpenRoot(c.TFTP)
		if err != nil {
			return nil, fmt.Errorf("tftp=%s: %w", c.TFTP, errors.Unwrap(err))
		}
		n.root = root
	}
	n.cable = newCable(n.mac)
	if err := n.open(); err != nil {
		n.Close()
		return nil, err
	}
	for _, f := range c.Forwards {
		if err := n.AddForward(f); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

func (n *Network) open() error {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	n.stack = s
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	rcv := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: 1 << 20, Max: 4 << 20}
	snd := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: 1 << 20, Max: 4 << 20}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &rcv, &snd} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("network stack: %s", err)
		}
	}
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, 0, maxPending, n.connect).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, n.datagram).HandlePacket)
	if err := s.CreateNIC(nic, ethernet.New(n.cable)); err != nil {
		return fmt.Errorf("network stack: %s", err)
	}
	var routes []tcpip.Route
	add := func(a netip.Addr, bits int) {
		p := tcpip.ProtocolAddress{Protocol: protocol(a), AddressWithPrefix: tcpip.AddressWithPrefix{Address: address(a), PrefixLen: bits}}
		if err := s.AddProtocolAddress(nic, p, stack.AddressProperties{}); err != nil {
			panic(fmt.Sprintf("BUG: address %v: %s", a, err))
		}
	}
	if !n.c.NoIPv4 {
		add(n.c.Host, n.c.Net.Bits())
		add(n.c.DNS, n.c.Net.Bits())
		routes = append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: nic})
	}
	if !n.c.NoIPv6 {
		add(n.c.Host6, 64)
		add(n.c.DNS6, 64)
		add(n.linkLocal(), 64)
		routes = append(routes, tcpip.Route{Destination: header.IPv6EmptySubnet, NIC: nic})
	}
	s.SetRouteTable(routes)
	// The guest's peers are the whole Internet, and all of them are here.
	s.SetPromiscuousMode(nic, true)
	s.SetSpoofing(nic, true)
	return nil
}

// linkLocal is the gateway's link-local address (RFC 4291, appendix A).
func (n *Network) linkLocal() netip.Addr {
	m := n.mac
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

func protocol(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

func address(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

func addrPort(a tcpip.Address, port uint16) netip.AddrPort {
	ip, _ := netip.AddrFromSlice(a.AsSlice())
	return netip.AddrPortFrom(ip, port)
}

func full(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: address(a.Addr()), Port: a.Port()}
}

// Attach implements netdev.Backend.
func (n *Network) Attach(p netdev.Peer) { n.cable.peer = p }

// Deliver implements netdev.Backend: a frame from the guest.
func (n *Network) Deliver(frame []byte) bool {
	if n.filter(frame) {
		n.inject(frame)
	}
	return true
}

// DeliverBig implements netdev.BigBackend: the stack takes segments of any
// size, and believes their checksums.
func (n *Network) DeliverBig(frame []byte) bool { return n.Deliver(frame) }

func (n *Network) inject(frame []byte) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	n.cable.inbound(pkt)
	pkt.DecRef()
}

// Wake implements netdev.Waker.
func (n *Network) Wake() { n.cable.wake() }

// Describe implements netdev.Describer.
func (n *Network) Describe() string {
	restrict := "off"
	if n.c.Restrict {
		restrict = "on"
	}
	mask := net.IP(net.CIDRMask(n.c.Net.Bits(), 32))
	return fmt.Sprintf("net=%v,restrict=%s", n.c.Net.Addr().String()+"/"+mask.String(), restrict)
}

// Close implements netdev.Backend.
func (n *Network) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	var list []func()
	for s := range n.sessions {
		list = append(list, s.close)
	}
	for f := range n.forwards {
		list = append(list, f.close)
	}
	n.mu.Unlock()
	n.cable.close()
	for _, f := range list {
		f()
	}
	n.echo.close()
	if n.stack != nil {
		n.stack.Close()
	}
	if n.root != nil {
		n.root.Close()
	}
	return nil
}

// session is a connection through the network, for "info usernet".
type session struct {
	what     string // "TCP[ESTABLISHED]"
	src, dst netip.AddrPort
	began    time.Time
	close    func()
}

// begin notes a session; it reports false if the network is closed.
func (n *Network) begin(s *session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	s.began = time.Now()
	n.sessions[s] = struct{}{}
	return true
}

func (n *Network) end(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.sessions, s)
}
