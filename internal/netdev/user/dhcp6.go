package user

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"rhea/internal/netdev"
)

// DHCPv6 (RFC 8415), as far as hosts need it that choose their addresses
// themselves: a router's advertisement tells them to ask.
const (
	dhcp6Server = 547
	dhcp6Client = 546

	dhcp6Reply       = 7
	dhcp6Information = 11

	opt6ClientID  = 1
	opt6ServerID  = 2
	opt6IANA      = 3
	opt6IATA      = 4
	opt6Request   = 6
	opt6DNS       = 23
	opt6Search    = 24
	opt6IAPD      = 25
	opt6Bootfile  = 59 // RFC 5970
	maxDUID       = 130
	duidLinkLayer = 3
)

var allDHCP6 = netip.MustParseAddr("ff02::1:2")

// duid is the server's identifier (§11.4).
func (n *Network) duid() []byte { return append([]byte{0, duidLinkLayer, 0, 1}, n.mac[:]...) }

// serveDHCP6 answers a message to the server's port.
func (n *Network) serveDHCP6(frame []byte, src netip.Addr, msg []byte) {
	if len(msg) < 4 || msg[0] != dhcp6Information {
		return // there are no addresses to give
	}
	var client []byte
	all := true
	wanted := map[uint16]bool{}
	for b := msg[4:]; len(b) > 0; {
		if len(b) < 4 || len(b)-4 < int(binary.BigEndian.Uint16(b[2:])) {
			return
		}
		v := b[4 : 4+int(binary.BigEndian.Uint16(b[2:]))]
		switch binary.BigEndian.Uint16(b) {
		case opt6ClientID:
			if len(v) == 0 || len(v) > maxDUID {
				return
			}
			client = v
		case opt6ServerID:
			if !bytes.Equal(v, n.duid()) {
				return // it asks another
			}
		case opt6IANA, opt6IATA, opt6IAPD:
			return // §16.12
		case opt6Request:
			all = false
			for ; len(v) >= 2; v = v[2:] {
				wanted[binary.BigEndian.Uint16(v)] = true
			}
		}
		b = b[4+int(binary.BigEndian.Uint16(b[2:])):]
	}
	const udp = 8
	p := append(make([]byte, udp), dhcp6Reply, msg[1], msg[2], msg[3])
	opt := func(code uint16, v []byte) {
		p = binary.BigEndian.AppendUint16(p, code)
		p = binary.BigEndian.AppendUint16(p, uint16(len(v)))
		p = append(p, v...)
	}
	give := func(code uint16, v []byte) {
		if len(v) > 0 && (all || wanted[code]) {
			opt(code, v)
		}
	}
	if client != nil {
		opt(opt6ClientID, client)
	}
	opt(opt6ServerID, n.duid())
	if !n.c.Restrict {
		give(opt6DNS, n.c.DNS6.AsSlice())
	}
	if s := searchList(n.c.Search); len(s) < 256 {
		give(opt6Search, s)
	}
	if n.c.BootFile != "" && n.c.TFTP != "" {
		give(opt6Bootfile, fmt.Appendf(nil, "tftp://[%v]/%s", n.c.Host6, n.c.BootFile))
	}
	binary.BigEndian.PutUint16(p, dhcp6Server)
	binary.BigEndian.PutUint16(p[2:], dhcp6Client)
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)))
	f := n.ipv6Frame(netdev.MAC(frame[6:12]), netdev.ProtoUDP, 64, n.linkLocal(), src, p)
	setTransportSum(f, netdev.ProtoUDP, 6)
	n.cable.send(f)
}
