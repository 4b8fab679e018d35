package user

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"rhea/internal/netdev"
)

// echoServer sends back what it gets, then ends.
func echoServer(t *testing.T, network, at string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, at)
	if err != nil {
		t.Skipf("this host has no %s: %v", at, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	return l.Addr()
}

func portOf(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8*7 + i)
	}
	return b
}

// roundTrip sends and gets the same back, with both ends closed in order.
func roundTrip(t *testing.T, c Stream, n int) {
	t.Helper()
	b := pattern(n)
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(b)
		if err == nil {
			err = c.CloseWrite()
		}
		done <- err
	}()
	got, err := io.ReadAll(c)
	if werr := <-done; werr != nil {
		t.Errorf("write: %v", werr)
	}
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("%d of %d bytes came back, %v", len(got), n, err)
	}
	c.Close()
}

func TestTCPOut(t *testing.T) {
	g := newGuest(t, Config{})
	for _, tc := range []struct{ listen, host string }{{"127.0.0.1:0", "10.0.2.2"}, {"[::1]:0", "[fec0::2]"}} {
		t.Run(tc.host, func(t *testing.T) {
			a := echoServer(t, "tcp", tc.listen)
			c, err := g.dial(fmt.Sprintf("%s:%d", tc.host, portOf(a)))
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, 3<<20)
		})
	}
	// What the host refuses is refused, at once.
	if _, err := g.dial("10.0.2.2:1"); err == nil {
		t.Error("a closed port took a connection")
	}
	// Nobody else is on the network, and its neighbours are not the host.
	for _, to := range []string{"10.0.2.3:1", "10.0.2.99:80", "127.0.0.1:80"} {
		if _, err := g.dial(to); err == nil {
			t.Errorf("%s took a connection", to)
		}
	}
}

func TestHostForward(t *testing.T) {
	g := newGuest(t, Config{})
	// The guest's server is gVisor's stack; the host's side is a real socket.
	l, err := listenGuest(g, 80)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.(Stream).CloseWrite()
			}()
		}
	}()
	f, err := ParseForward("tcp:127.0.0.1:0-:80")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.n.AddForward(f); err != nil {
		t.Fatal(err)
	}
	var at string
	g.n.mu.Lock()
	for w := range g.n.forwards {
		at = w.listener.Addr().String()
	}
	g.n.mu.Unlock()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c.(*net.TCPConn), 2<<20)
	var info strings.Builder
	g.n.Info(&info)
	if !strings.Contains(info.String(), "TCP[HOST_FORWARD]") {
		t.Errorf("info usernet:\n%s", info.String())
	}
	if !g.n.RemoveForward(f) || g.n.RemoveForward(f) {
		t.Error("the rule is not removed once")
	}
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("a removed port listens")
	}
	// A port in use is the user's mistake.
	busy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	f.Host = netip.MustParseAddrPort(busy.Addr().String())
	if err := g.n.AddForward(f); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a port in use: %v", err)
	}
}

func TestUDP(t *testing.T) {
	g := newGuest(t, Config{})
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			p.WriteTo(append([]byte("re: "), b[:n]...), from)
		}
	}()
	c := g.udp(fmt.Sprintf("10.0.2.2:%d", portOf(p.LocalAddr())))
	b := make([]byte, 4096)
	for i := range 5 {
		c.Write(fmt.Appendf(nil, "hello %d", i))
		n, err := c.Read(b)
		if want := fmt.Sprintf("re: hello %d", i); err != nil || string(b[:n]) != want {
			t.Fatalf("%q, %v; want %q", b[:n], err, want)
		}
	}
}

func TestRestrict(t *testing.T) {
	a := echoServer(t, "tcp", "127.0.0.1:0")
	back := echoServer(t, "tcp", "127.0.0.1:0")
	g := newGuest(t, Config{Restrict: true, Guest: []Service{{At: netip.MustParseAddrPort("10.0.2.100:7"), Open: func() (Stream, error) {
		c, err := net.Dial("tcp", back.String())
		if err != nil {
			return nil, err
		}
		return c.(*net.TCPConn), nil
	}}}})
	if _, err := g.dial(fmt.Sprintf("10.0.2.2:%d", portOf(a))); err == nil {
		t.Error("the guest reaches the host")
	}
	c := g.udp("10.0.2.3:53")
	c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	c.Write(question(t, "localhost.", dnsmessage.TypeA))
	if n, err := c.Read(make([]byte, 512)); err == nil {
		t.Errorf("a name server answers with %d bytes", n)
	}
	// guestfwd is what it may reach.
	s, err := g.dial("10.0.2.100:7")
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, s, 10000)
}

func question(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDNS(t *testing.T) {
	g := newGuest(t, Config{})
	ask := func(name string, kind dnsmessage.Type) dnsmessage.Message {
		c := g.udp("10.0.2.3:53")
		c.Write(question(t, name, kind))
		b := make([]byte, 1500)
		n, err := c.Read(b)
		var m dnsmessage.Message
		if err == nil {
			err = m.Unpack(b[:n])
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return m
	}
	m := ask("localhost.", dnsmessage.TypeA)
	if len(m.Answers) == 0 || m.ID != 77 || !m.Response || m.Answers[0].Body.(*dnsmessage.AResource).A != [4]byte{127, 0, 0, 1} {
		t.Errorf("localhost: %+v", m)
	}
	if m := ask("localhost.", 65); m.RCode != dnsmessage.RCodeNotImplemented {
		t.Errorf("a strange question: %v", m.RCode)
	}
	// By TCP as well.
	c, err := g.dial("10.0.2.3:53")
	if err != nil {
		t.Fatal(err)
	}
	q := question(t, "localhost.", dnsmessage.TypeA)
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...))
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(c, b); err != nil || m.Unpack(b) != nil || len(m.Answers) == 0 {
		t.Errorf("by TCP: %v %+v", err, m)
	}
	c.Close()
}

func TestTFTP(t *testing.T) {
	dir := t.TempDir()
	for name, n := range map[string]int{"empty": 0, "short": 100, "even": 1024, "long": 70000} {
		if err := os.WriteFile(filepath.Join(dir, name), pattern(n), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	g := newGuest(t, Config{TFTP: dir})
	fetch := func(name, options string, block int) ([]byte, error) {
		c := g.udp("10.0.2.2:69")
		c.Write([]byte("\x00\x01" + name + "\x00octet\x00" + options))
		b := make([]byte, 2000)
		var got []byte
		for next := uint16(1); ; {
			n, err := c.Read(b)
			if err != nil {
				return nil, err
			}
			switch op := binary.BigEndian.Uint16(b); {
			case op == opError:
				return nil, errors.New(string(b[4 : n-1]))
			case op == opOACK:
				c.Write([]byte{0, opACK, 0, 0})
			case op == opData && binary.BigEndian.Uint16(b[2:]) == next:
				got = append(got, b[4:n]...)
				c.Write([]byte{0, opACK, byte(next >> 8), byte(next)})
				if next++; n-4 < block {
					return got, nil
				}
			}
		}
	}
	for name, n := range map[string]int{"empty": 0, "short": 100, "/even": 1024, "long": 70000} {
		if got, err := fetch(name, "", 512); err != nil || !bytes.Equal(got, pattern(n)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if got, err := fetch(name, "blksize\x001428\x00tsize\x000\x00", 1428); err != nil || !bytes.Equal(got, pattern(n)) {
			t.Errorf("%s, big blocks: %d bytes, %v", name, len(got), err)
		}
	}
	if _, err := fetch("none", "", 512); err == nil || err.Error() != "File not found" {
		t.Errorf("a file that is not there: %v", err)
	}
}

// No name leads out of the directory: not by dots, not by links.
func TestTFTPPaths(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "pub")
	os.Mkdir(dir, 0o777)
	os.WriteFile(filepath.Join(top, "secret"), []byte("secret"), 0o666)
	os.Mkdir(filepath.Join(dir, "sub"), 0o777)
	os.Symlink("../secret", filepath.Join(dir, "link"))
	os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "abs"))
	os.Symlink("..", filepath.Join(dir, "up"))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, name := range []string{"../secret", "/../secret", "sub/../../secret", "..\\secret", "link", "abs", "up/secret", filepath.Join(top, "secret"), "sub", "", ".", ".."} {
		tr := transfer{root: root}
		a := tr.handle([]byte("\x00\x01" + name + "\x00octet\x00"))
		if len(a) < 4 || a[1] != opError {
			t.Errorf("%q: %q", name, a)
		}
		tr.close()
	}
	tr := transfer{root: root}
	if a := tr.handle([]byte("\x00\x02secret\x00octet\x00")); a[1] != opError {
		t.Errorf("a write: %q", a)
	}
}

// dhcp makes a message of a client's, as a frame.
func dhcp(kind uint8, xid uint32, opts ...byte) []byte {
	m := make([]byte, bootpLen)
	m[0], m[1], m[2] = bootRequest, 1, 6
	binary.BigEndian.PutUint32(m[4:], xid)
	copy(m[28:], guestMAC[:])
	if kind != 0 {
		m = append(m, magic[:]...)
		m = append(m, optMessage, 1, kind)
		m = append(append(m, opts...), optEnd)
	}
	n := &Network{mac: guestMAC}
	p := append([]byte{0, dhcpClient, 0, dhcpServer, 0, 0, 0, 0}, m...)
	binary.BigEndian.PutUint16(p[4:], uint16(len(p)))
	return n.ipv4Frame(netdev.Broadcast, netdev.ProtoUDP, netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{255, 255, 255, 255}), p)
}

// reply takes a server's message apart.
func reply(t *testing.T, g *guest) (m []byte, o map[uint8][]byte) {
	t.Helper()
	fs := g.take(time.Second)
	if len(fs) != 1 {
		t.Fatalf("%d answers", len(fs))
	}
	ip, at, end, _, ok := netdev.IPHeader(fs[0])
	if !ok || netdev.Fold(netdev.Sum(fs[0][at:end], netdev.PseudoSum(fs[0][ip:], netdev.ProtoUDP, end-at))) != 0 {
		t.Fatal("the answer's checksum is wrong")
	}
	m = fs[0][at+8 : end]
	o = map[uint8][]byte{}
	for b := m[bootpLen+4:]; len(b) > 1 && b[0] != optEnd; b = b[2+int(b[1]):] {
		o[b[0]] = b[2 : 2+int(b[1])]
	}
	return m, o
}

func TestDHCP(t *testing.T) {
	g := newNetwork(t, Config{Hostname: "box", Domain: "example.org", Search: []string{"a.example", "b"}, BootFile: "pxe.bin", TFTPServerName: "tftp"})
	g.n.Deliver(dhcp(dhcpDiscover, 1))
	m, o := reply(t, g)
	yours := m[16:20]
	if o[optMessage][0] != dhcpOffer || !bytes.Equal(yours, []byte{10, 0, 2, 15}) || !bytes.HasPrefix(m[108:], []byte("pxe.bin\x00")) ||
		!bytes.Equal(m[20:24], []byte{10, 0, 2, 2}) || binary.BigEndian.Uint32(m[4:]) != 1 {
		t.Errorf("offer %v of %v", o, yours)
	}
	for code, want := range map[uint8]string{optMask: "\xff\xff\xff\x00", optRouter: "\x0a\x00\x02\x02", optDNS: "\x0a\x00\x02\x03", optServer: "\x0a\x00\x02\x02",
		optHostname: "box", optDomain: "example.org", optSearch: "\x01a\x07example\x00\x01b\x00", optTFTPServer: "tftp"} {
		if string(o[code]) != want {
			t.Errorf("option %d is %q, want %q", code, o[code], want)
		}
	}
	g.n.Deliver(dhcp(dhcpRequest, 2, optRequested, 4, 10, 0, 2, 15, optServer, 4, 10, 0, 2, 2))
	if m, o := reply(t, g); o[optMessage][0] != dhcpACK || !bytes.Equal(m[16:20], yours) {
		t.Errorf("answer to the request: %v", o)
	}
	g.n.Deliver(dhcp(dhcpRequest, 3, optRequested, 4, 10, 0, 2, 99))
	if _, o := reply(t, g); o[optMessage][0] != dhcpNAK {
		t.Errorf("answer to a request for another's address: %v", o)
	}
	g.n.Deliver(dhcp(0, 4)) // BOOTP
	if m, o := reply(t, g); len(o[optMessage]) != 0 || !bytes.Equal(m[16:20], yours) {
		t.Errorf("BOOTP: %v %v", m[16:20], o)
	}
	// Sixteen guests get addresses, no more.
	seen := map[string]bool{}
	for i := range 40 {
		f := dhcp(dhcpDiscover, 5)
		f[netdev.HeaderLen+20+8+28+5] = byte(i)
		g.n.Deliver(f)
		for _, a := range g.take(20 * time.Millisecond) {
			seen[string(a[netdev.HeaderLen+28+16:][:4])] = true
		}
	}
	if len(seen) != maxGuests-1 && len(seen) != maxGuests {
		t.Errorf("%d addresses were given", len(seen))
	}
	for a := range seen {
		if b := []byte(a); b[3] < 15 || b[3] > 15+maxGuests {
			t.Errorf("address %v", b)
		}
	}
}

// ARP and neighbour discovery answer for the gateway and the name server, and
// for nobody else: least of all for the guest itself.
func TestAddresses(t *testing.T) {
	g := newNetwork(t, Config{})
	who := func(a byte) bool {
		f := make([]byte, 60)
		copy(f, netdev.Broadcast[:])
		copy(f[6:], guestMAC[:])
		copy(f[12:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1})
		copy(f[22:], guestMAC[:])
		copy(f[28:], []byte{10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, a})
		g.n.Deliver(f)
		return len(g.take(100*time.Millisecond)) > 0
	}
	for a, want := range map[byte]bool{2: true, 3: true, 15: false, 16: false, 4: false} {
		if who(a) != want {
			t.Errorf("10.0.2.%d answers: %v", a, !want)
		}
	}
	n := g.n
	neighbour := func(target string) bool {
		a := netip.MustParseAddr(target).As16()
		m := append([]byte{icmp6Neighbour, 0, 0, 0, 0, 0, 0, 0}, a[:]...)
		m = append(append(m, 1, 1), guestMAC[:]...)
		dst := netip.MustParseAddr("ff02::1:ff00:0").As16()
		copy(dst[13:], a[13:])
		f := n.ipv6Frame(netdev.MAC{0x33, 0x33, dst[12], dst[13], dst[14], dst[15]}, netdev.ProtoICMPv6, 255, netip.MustParseAddr("fec0::15"), netip.AddrFrom16(dst), m)
		setTransportSum(f, netdev.ProtoICMPv6, 2)
		g.n.Deliver(f)
		return len(g.take(100*time.Millisecond)) > 0
	}
	for a, want := range map[string]bool{"fec0::2": true, "fec0::3": true, "fec0::15": false, "fec0::99": false} {
		if neighbour(a) != want {
			t.Errorf("%s answers: %v", a, !want)
		}
	}
	// A router solicitation is answered with the prefix.
	f := n.ipv6Frame(netdev.MAC{0x33, 0x33, 0, 0, 0, 2}, netdev.ProtoICMPv6, 255, netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::2"), []byte{icmp6RouterSolict, 0, 0, 0, 0, 0, 0, 0})
	g.n.Deliver(f)
	ra := g.take(time.Second)
	if len(ra) != 1 || !bytes.Contains(ra[0], []byte{3, 4, 64, 0xc0}) || !bytes.Contains(ra[0], []byte{0xfe, 0xc0, 0, 0}) {
		t.Errorf("router advertisement %x", ra)
	}
}

func TestConfigErrors(t *testing.T) {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	for what, c := range map[string]Config{
		"nothing":       {NoIPv4: true, NoIPv6: true},
		"host outside":  {Host: addr("10.0.3.2")},
		"host is dns":   {Host: addr("10.0.2.3")},
		"broadcast":     {DHCPStart: addr("10.0.2.255")},
		"network's own": {DNS: addr("10.0.2.0")},
		"tiny":          {Net: net("10.0.2.0/30")},
		"ipv6 bits":     {Net6: net("fec0::/48")},
		"no directory":  {TFTP: "/nonexistent"},
		"search":        {Search: []string{strings.Repeat("x", 70)}},
		"boot file":     {BootFile: strings.Repeat("x", 200)},
		"guestfwd":      {Guest: []Service{{At: netip.MustParseAddrPort("10.9.9.9:1")}}},
	} {
		if n, err := New(c); err == nil {
			n.Close()
			t.Errorf("%s is taken", what)
		}
	}
}
