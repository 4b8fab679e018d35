package user

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Config describes a user network. What is zero is filled in by New.
type Config struct {
	// NoIPv4 and NoIPv6 leave a protocol out.
	NoIPv4, NoIPv6 bool

	Net       netip.Prefix // 10.0.2.0/24
	Host      netip.Addr   // the gateway, which is this machine: 10.0.2.2
	DNS       netip.Addr   // 10.0.2.3
	DHCPStart netip.Addr   // the first of 16 addresses for guests: 10.0.2.15
	Net6      netip.Prefix // fec0::/64
	Host6     netip.Addr   // fec0::2
	DNS6      netip.Addr   // fec0::3

	// What the DHCP server says besides.
	Hostname, Domain string
	Search           []string // domains
	TFTPServerName   string
	BootFile         string

	// TFTP is the directory of the TFTP server, "" = there is none.
	TFTP string
	// Restrict keeps the guest from reaching anything but Guest.
	Restrict bool
	Forwards []Forward
	Guest    []Service
}

// Forward is a port of the host that leads to the guest (hostfwd).
type Forward struct {
	UDP  bool
	Host netip.AddrPort // its address may be invalid: all addresses
	// Guest is where it leads; an invalid address is DHCPStart.
	Guest netip.AddrPort
}

func (f Forward) network() string {
	if f.UDP {
		return "udp"
	}
	return "tcp"
}

func (f Forward) String() string {
	host := ""
	if f.Host.Addr().IsValid() {
		host = f.Host.Addr().String()
	}
	return fmt.Sprintf("%s:%s:%d", f.network(), host, f.Host.Port())
}

// Service is an address of the network behind which a program or a character
// device of the host is (guestfwd).
type Service struct {
	At netip.AddrPort
	// Open makes the host's end of a new connection.
	Open func() (Stream, error)
	// Text is how it was given.
	Text string
}

// maxGuests is how many addresses the DHCP server gives.
const maxGuests = 16

// fill puts the defaults in and checks the whole.
func (c *Config) fill() error {
	if c.NoIPv4 && c.NoIPv6 {
		return errors.New("ipv4=off and ipv6=off leave nothing")
	}
	if !c.Net.IsValid() {
		c.Net = netip.MustParsePrefix("10.0.2.0/24")
	}
	c.Net = c.Net.Masked()
	if !c.Net6.IsValid() {
		c.Net6 = netip.MustParsePrefix("fec0::/64")
	}
	c.Net6 = c.Net6.Masked()
	if bits := c.Net.Bits(); bits < 8 || bits > 28 {
		return fmt.Errorf("net=%v: the prefix has 8 to 28 bits", c.Net)
	}
	if c.Net6.Bits() != 64 {
		return fmt.Errorf("ipv6-net=%v: only a prefix of 64 bits is supported, hosts choose their addresses themselves", c.Net6)
	}
	for _, a := range []struct {
		name string
		p    *netip.Addr
		in   netip.Prefix
		n    uint32
	}{
		{"host", &c.Host, c.Net, 2}, {"dns", &c.DNS, c.Net, 3}, {"dhcpstart", &c.DHCPStart, c.Net, 15},
		{"ipv6-host", &c.Host6, c.Net6, 2}, {"ipv6-dns", &c.DNS6, c.Net6, 3},
	} {
		if !a.p.IsValid() {
			*a.p = nth(a.in, a.n)
			if a.name == "dhcpstart" && a.in.Bits() == 28 {
				*a.p = nth(a.in, 4)
			}
		}
		if !a.in.Contains(*a.p) || *a.p == a.in.Addr() {
			return fmt.Errorf("%s=%v is not an address of the network %v", a.name, *a.p, a.in)
		}
	}
	broadcast := lastOf(c.Net)
	for _, a := range []netip.Addr{c.Host, c.DNS, c.DHCPStart} {
		if a == broadcast {
			return fmt.Errorf("%v is the broadcast address of the network", a)
		}
	}
	switch {
	case c.Host == c.DNS || c.Host6 == c.DNS6:
		return errors.New("host and dns are the same address")
	case c.DHCPStart == c.Host || c.DHCPStart == c.DNS:
		return fmt.Errorf("dhcpstart=%v is the address of the host or of the name server", c.DHCPStart)
	case len(c.Hostname) > 32 || len(c.Domain) > 63 || len(c.BootFile) > 127 || len(c.TFTPServerName) > 63:
		return errors.New("hostname has at most 32 bytes, domainname and tftp-server-name 63, bootfile 127")
	}
	for _, s := range c.Search {
		if _, err := domainName(s); err != nil {
			return fmt.Errorf("dnssearch=%s: %w", s, err)
		}
	}
	for i := range c.Guest {
		if a := c.Guest[i].At.Addr(); !c.Net.Contains(a) && !c.Net6.Contains(a) {
			return fmt.Errorf("guestfwd=%s: %v is not an address of the network %v", c.Guest[i].Text, a, c.Net)
		}
	}
	return nil
}

// nth is the nth address of a prefix.
func nth(p netip.Prefix, n uint32) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := len(b) - 1; n > 0; i-- {
		n += uint32(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// lastOf is the last address of an IPv4 prefix: its broadcast address.
func lastOf(p netip.Prefix) netip.Addr {
	return nth(p, 1<<(32-p.Bits())-1)
}

// ParseForward reads "tcp:[addr]:port-[addr]:port" of hostfwd.
func ParseForward(s string) (f Forward, err error) {
	host, guest, found := strings.Cut(s, "-")
	if !found {
		return f, fmt.Errorf("'%s' has no '-' between host and guest: [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport", s)
	}
	if f, err = ParseForwardHost(host); err != nil {
		return f, err
	}
	f.Guest, err = parseAddrPort(guest)
	if err == nil && f.Guest.Port() == 0 {
		err = fmt.Errorf("'%s' has no port", guest)
	}
	return f, err
}

// ParseForwardHost reads the host's half of it.
func ParseForwardHost(s string) (f Forward, err error) {
	kind, at, found := strings.Cut(s, ":")
	if !found {
		kind, at = "", s
	}
	if !slices.Contains([]string{"tcp", "udp", ""}, kind) {
		return f, fmt.Errorf("'%s' is neither tcp nor udp", kind)
	}
	f.UDP = kind == "udp"
	f.Host, err = parseAddrPort(at)
	return f, err
}

// parseAddrPort reads "[addr]:port", with an IPv6 address in brackets.
func parseAddrPort(s string) (netip.AddrPort, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return netip.AddrPort{}, fmt.Errorf("'%s' is not [address]:port", s)
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("'%s' is not a port number", s[i+1:])
	}
	var addr netip.Addr
	if host := strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]"); host != "" {
		if host == "localhost" {
			host = "127.0.0.1"
		}
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("'%s' is not an address", host)
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// ParseService reads the address of guestfwd, "tcp:addr:port-dev", and returns
// it with the rest.
func ParseService(s string) (at netip.AddrPort, dev string, err error) {
	where, dev, found := strings.Cut(s, "-")
	if !found || dev == "" {
		return at, "", fmt.Errorf("'%s' is not [tcp]:server:port-dev", s)
	}
	kind, addr, found := strings.Cut(where, ":")
	if !found || kind != "" && kind != "tcp" {
		return at, "", fmt.Errorf("'%s' does not begin with tcp:", s)
	}
	if at, err = parseAddrPort(addr); err == nil && (!at.Addr().IsValid() || at.Port() == 0) {
		err = fmt.Errorf("'%s' is not an address with a port", addr)
	}
	return at, dev, err
}
