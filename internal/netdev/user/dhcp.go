package user

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"sync"

	"rhea/internal/netdev"
)

// leases are the addresses that were given. There are no more than maxGuests;
// who comes then gets no answer.
type leases struct {
	mu    sync.Mutex
	guest []netdev.MAC // the nth has the nth address
}

// address returns the address of a guest, a new one if it has none.
func (l *leases) address(start netip.Addr, in netip.Prefix, taken func(netip.Addr) bool, mac netdev.MAC) (netip.Addr, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := start
	for i := 0; i < maxGuests && in.Contains(a) && a != lastOf(in); a = a.Next() {
		if taken(a) {
			continue
		}
		if i < len(l.guest) && l.guest[i] == mac {
			return a, true
		}
		if i == len(l.guest) {
			l.guest = append(l.guest, mac)
			return a, true
		}
		i++
	}
	return netip.Addr{}, false
}

// DHCP messages (RFC 2131, RFC 2132) and the BOOTP fields they are in (RFC 951).
const (
	bootRequest = 1
	bootReply   = 2

	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpDecline  = 4
	dhcpACK      = 5
	dhcpNAK      = 6
	dhcpRelease  = 7
	dhcpInform   = 8

	optPad        = 0
	optMask       = 1
	optRouter     = 3
	optDNS        = 6
	optHostname   = 12
	optDomain     = 15
	optRequested  = 50
	optLease      = 51
	optMessage    = 53
	optServer     = 54
	optTFTPServer = 66
	optSearch     = 119
	optEnd        = 255

	bootpLen  = 236 // without options
	leaseTime = 86400
)

var magic = [4]byte{99, 130, 83, 99}

// options reads DHCP options; what is cut short ends them.
func options(b []byte) (kind uint8, requested, server netip.Addr) {
	for len(b) >= 2 {
		code, n := b[0], int(b[1])
		if code == optPad {
			b = b[1:]
			continue
		}
		if code == optEnd || 2+n > len(b) {
			return
		}
		v := b[2 : 2+n]
		switch {
		case code == optMessage && n == 1:
			kind = v[0]
		case code == optRequested && n == 4:
			requested = netip.AddrFrom4([4]byte(v))
		case code == optServer && n == 4:
			server = netip.AddrFrom4([4]byte(v))
		}
		b = b[2+n:]
	}
	return
}

// serveDHCP answers a message to the server's port.
func (n *Network) serveDHCP(frame, msg []byte) {
	if len(msg) < bootpLen || msg[0] != bootRequest || msg[1] != 1 || msg[2] != 6 {
		return
	}
	mac := netdev.MAC(msg[28:34])
	var kind uint8
	var requested, server netip.Addr
	dhcp := len(msg) >= bootpLen+4 && [4]byte(msg[bootpLen:]) == magic
	if dhcp {
		kind, requested, server = options(msg[bootpLen+4:])
	}
	ciaddr := netip.AddrFrom4([4]byte(msg[12:16]))
	if kind == dhcpRelease || kind == dhcpDecline || kind == dhcpRequest && server.IsValid() && server != n.c.Host {
		return // nothing to say, or another server's
	}
	var yours netip.Addr
	reply := uint8(dhcpACK)
	if kind != dhcpInform {
		var ok bool
		if yours, ok = n.dhcp.address(n.c.DHCPStart, n.c.Net, n.ours, mac); !ok {
			return
		}
	}
	switch kind {
	case dhcpDiscover:
		reply = dhcpOffer
	case dhcpRequest:
		want := requested
		if !want.IsValid() {
			want = ciaddr
		}
		if want != yours {
			reply, yours = dhcpNAK, netip.Addr{}
		}
	case 0: // BOOTP
		reply = 0
	}
	n.answerDHCP(frame, msg, reply, yours, ciaddr)
}

func (n *Network) answerDHCP(frame, msg []byte, kind uint8, yours, ciaddr netip.Addr) {
	const udp = 8
	p := make([]byte, udp+bootpLen, udp+576)
	m := p[udp:]
	m[0], m[1], m[2] = bootReply, 1, 6
	copy(m[4:8], msg[4:8])     // xid
	copy(m[10:12], msg[10:12]) // flags
	copy(m[28:44], msg[28:44]) // chaddr
	if kind != dhcpNAK {
		copy(m[12:16], msg[12:16]) // ciaddr
		if yours.IsValid() {
			copy(m[16:20], yours.AsSlice())
		}
		copy(m[20:24], n.c.Host.AsSlice()) // next server
		copy(m[108:235], n.c.BootFile)
	}
	p = append(p, magic[:]...)
	opt := func(code uint8, v []byte) {
		if len(v) > 0 && len(v) < 256 {
			p = append(append(p, code, uint8(len(v))), v...)
		}
	}
	if kind != 0 {
		opt(optMessage, []byte{kind})
		opt(optServer, n.c.Host.AsSlice())
	}
	if kind != dhcpNAK {
		opt(optMask, binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-n.c.Net.Bits())))
		if !n.c.Restrict {
			opt(optRouter, n.c.Host.AsSlice())
			opt(optDNS, n.c.DNS.AsSlice())
		}
		if yours.IsValid() && kind != 0 {
			opt(optLease, binary.BigEndian.AppendUint32(nil, leaseTime))
		}
		opt(optHostname, []byte(n.c.Hostname))
		opt(optDomain, []byte(n.c.Domain))
		opt(optTFTPServer, []byte(n.c.TFTPServerName))
		if s := searchList(n.c.Search); len(s) < 256 {
			opt(optSearch, s)
		}
	}
	p = append(p, optEnd)
	for len(p) < udp+300 { // RFC 1542: the least that old clients take
		p = append(p, optPad)
	}
	binary.BigEndian.PutUint16(p, dhcpServer)
	binary.BigEndian.PutUint16(p[2:], dhcpClient)
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)))
	// RFC 2131, section 4.1: to the client's address if it has one, else to
	// its card, or to all if it cannot take that yet.
	to, dst := netdev.MAC(frame[6:12]), netip.AddrFrom4([4]byte{255, 255, 255, 255})
	switch {
	case kind == dhcpNAK || msg[10]&0x80 != 0 && ciaddr.IsUnspecified():
		to = netdev.Broadcast
	case !ciaddr.IsUnspecified():
		dst = ciaddr
	}
	f := n.ipv4Frame(to, netdev.ProtoUDP, n.c.Host, dst, p)
	setTransportSum(f, netdev.ProtoUDP, 6)
	n.cable.send(f)
}

// domainName encodes a name as DNS does (RFC 1035, section 3.1).
func domainName(s string) ([]byte, error) {
	var b []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil, errors.New("not a domain name")
		}
		b = append(append(b, uint8(len(label))), label...)
	}
	if len(b) > 254 {
		return nil, errors.New("the name is too long")
	}
	return append(b, 0), nil
}

// searchList is option 119 (RFC 3397), without compression.
func searchList(names []string) []byte {
	var b []byte
	for _, s := range names {
		name, _ := domainName(s) // fill has looked at it
		b = append(b, name...)
	}
	return b
}
