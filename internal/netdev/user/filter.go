package user

import (
	"encoding/binary"
	"net/netip"

	"rhea/internal/netdev"
)

// ICMPv6 types (RFC 4443, RFC 4861).
const (
	icmp6EchoRequest  = 128
	icmp6EchoReply    = 129
	icmp6RouterSolict = 133
	icmp6RouterAdvert = 134
	icmp6Neighbour    = 135 // solicitation

	icmpEchoReply   = 0
	icmpEchoRequest = 8
)

const (
	dhcpServer = 67
	dhcpClient = 68
)

// filter looks at a frame from the guest before the stack does, which has
// every address of the world: it must not answer for the guest's own or its
// neighbours'. It reports whether the stack shall see the frame.
func (n *Network) filter(frame []byte) bool {
	if len(frame) < netdev.HeaderLen {
		return false
	}
	b := frame[netdev.HeaderLen:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case netdev.EtherARP:
		return !n.c.NoIPv4 && n.filterARP(b)
	case netdev.EtherIPv4:
		return !n.c.NoIPv4 && n.filterIPv4(frame, b)
	case netdev.EtherIPv6:
		return !n.c.NoIPv6 && n.filterIPv6(frame, b)
	}
	return false
}

// ours reports whether the network itself has an address.
func (n *Network) ours(a netip.Addr) bool {
	if a == n.c.Host || a == n.c.DNS || a == n.c.Host6 || a == n.c.DNS6 || a == n.linkLocal() {
		return true
	}
	for i := range n.c.Guest {
		if n.c.Guest[i].At.Addr() == a {
			return true
		}
	}
	return false
}

// filterARP: RFC 826, for Ethernet and IPv4. Requests are answered for our own
// addresses only.
func (n *Network) filterARP(b []byte) bool {
	if len(b) < 28 {
		return false
	}
	target := netip.AddrFrom4([4]byte(b[24:28]))
	return binary.BigEndian.Uint16(b[6:]) != 1 || n.ours(target)
}

func (n *Network) filterIPv4(frame, b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	if src.IsLoopback() || dst.IsLoopback() || n.ours(src) {
		return false // nothing like that comes by a cable
	}
	head := int(b[0]&15) * 4
	end := int(binary.BigEndian.Uint16(b[2:]))
	if head < 20 || end < head || end > len(b) {
		return false
	}
	if binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return !dst.IsMulticast() // a fragment
	}
	p := b[head:end]
	switch b[9] {
	case netdev.ProtoUDP:
		if len(p) >= 8 && binary.BigEndian.Uint16(p[2:]) == dhcpServer {
			if len(p) > 8 && (dst == n.c.Host || !n.c.Net.Contains(dst) || dst == lastOf(n.c.Net)) {
				n.serveDHCP(frame, p[8:])
			}
			return false
		}
		return n.unicast(dst)
	case netdev.ProtoICMP:
		if len(p) >= 8 && p[0] == icmpEchoRequest && !n.ours(dst) {
			if !n.c.Net.Contains(dst) && !n.c.Restrict && n.unicast(dst) {
				n.echo.ask(n, frame, p, src, dst)
			}
			return false
		}
	}
	return n.unicast(dst)
}

// unicast reports whether a is one address outside the guest's own network or
// of ours: there is nobody else.
func (n *Network) unicast(a netip.Addr) bool {
	return !a.IsMulticast() && a != lastOf(n.c.Net) && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) && !a.IsUnspecified()
}

func (n *Network) filterIPv6(frame, b []byte) bool {
	if len(b) < 40 || b[0]>>4 != 6 || 40+int(binary.BigEndian.Uint16(b[4:])) > len(b) {
		return false
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if src.IsLoopback() || dst.IsLoopback() || dst.Is4In6() || src.Is4In6() || n.ours(src) {
		return false
	}
	p := b[40 : 40+int(binary.BigEndian.Uint16(b[4:]))]
	if b[6] == netdev.ProtoICMPv6 && len(p) >= 8 {
		switch p[0] {
		case icmp6RouterSolict:
			n.advertise(frame)
			return false
		case icmp6Neighbour:
			return len(p) >= 24 && n.ours(netip.AddrFrom16([16]byte(p[8:24])))
		case icmp6EchoRequest:
			if !dst.IsMulticast() && !n.ours(dst) {
				if !n.c.Net6.Contains(dst) && !dst.IsLinkLocalUnicast() && !n.c.Restrict {
					n.echo.ask(n, frame, p, src, dst)
				}
				return false
			}
			return !dst.IsMulticast()
		}
	}
	if b[6] == netdev.ProtoUDP && len(p) >= 8 && binary.BigEndian.Uint16(p[2:]) == dhcp6Server && (dst == allDHCP6 || n.ours(dst)) {
		n.serveDHCP6(frame, src, p[8:])
		return false
	}
	return !dst.IsMulticast()
}

// ipv4Frame makes a frame from the gateway: the Ethernet and IPv4 headers for
// a payload of n bytes, which follows.
func (n *Network) ipv4Frame(to netdev.MAC, proto uint8, src, dst netip.Addr, payload []byte) []byte {
	const head = netdev.HeaderLen + 20
	f := make([]byte, head+len(payload))
	copy(f, to[:])
	copy(f[6:], n.mac[:])
	binary.BigEndian.PutUint16(f[12:], netdev.EtherIPv4)
	ip := f[netdev.HeaderLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	copy(ip[12:], src.AsSlice())
	copy(ip[16:], dst.AsSlice())
	netdev.SetIPv4Checksum(ip[:20])
	copy(f[head:], payload)
	return f
}

// ipv6Frame is ipv4Frame for IPv6 (RFC 8200).
func (n *Network) ipv6Frame(to netdev.MAC, proto, hops uint8, src, dst netip.Addr, payload []byte) []byte {
	const head = netdev.HeaderLen + 40
	f := make([]byte, head+len(payload))
	copy(f, to[:])
	copy(f[6:], n.mac[:])
	binary.BigEndian.PutUint16(f[12:], netdev.EtherIPv6)
	ip := f[netdev.HeaderLen:]
	ip[0], ip[6], ip[7] = 0x60, proto, hops
	binary.BigEndian.PutUint16(ip[4:], uint16(len(payload)))
	copy(ip[8:], src.AsSlice())
	copy(ip[24:], dst.AsSlice())
	copy(f[head:], payload)
	return f
}

// advertise answers a router solicitation (RFC 4861, section 4.2) with the
// prefix, the MTU and the name server (RFC 8106).
func (n *Network) advertise(frame []byte) {
	const other = 1 << 6 // DHCPv6 knows more
	m := []byte{icmp6RouterAdvert, 0, 0, 0, 64, other, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0}
	if n.c.Restrict {
		m[6], m[7] = 0, 0 // no way out
	}
	m = append(m, 1, 1) // source link-layer address
	m = append(m, n.mac[:]...)
	m = append(m, 5, 1, 0, 0)
	m = binary.BigEndian.AppendUint32(m, netdev.MTU)
	m = append(m, 3, 4, 64, 0xc0) // prefix, on link, for autonomous configuration
	m = binary.BigEndian.AppendUint32(m, 86400)
	m = binary.BigEndian.AppendUint32(m, 14400)
	m = append(m, 0, 0, 0, 0)
	m = append(m, n.c.Net6.Addr().AsSlice()...)
	if !n.c.Restrict {
		m = append(m, 25, 3, 0, 0)
		m = binary.BigEndian.AppendUint32(m, 1800)
		m = append(m, n.c.DNS6.AsSlice()...)
	}
	dst := netip.MustParseAddr("ff02::1")
	f := n.ipv6Frame(netdev.MAC{0x33, 0x33, 0, 0, 0, 1}, netdev.ProtoICMPv6, 255, n.linkLocal(), dst, m)
	setTransportSum(f, netdev.ProtoICMPv6, 2)
	n.cable.send(f)
}

// setTransportSum fills in the checksum at off behind the IP header of a frame
// that was made here.
func setTransportSum(f []byte, proto uint8, off int) {
	ip, at, end, _, ok := netdev.IPHeader(f)
	if !ok {
		panic("BUG: user network made a bad frame")
	}
	p := f[at:end]
	p[off], p[off+1] = 0, 0
	sum := uint32(0)
	if proto != netdev.ProtoICMP { // RFC 792: no pseudo header
		sum = netdev.PseudoSum(f[ip:], proto, len(p))
	}
	v := netdev.Fold(netdev.Sum(p, sum))
	if v == 0 && proto == netdev.ProtoUDP {
		v = 0xffff
	}
	binary.BigEndian.PutUint16(p[off:], v)
}
