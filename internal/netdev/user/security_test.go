package user

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"rhea/internal/netdev"
)

// CVE-2019-14378: fragments whose first one is longer than the packet that
// they make. CVE-2020-8608 and their kin: fragments that overlap, that are
// beyond 64 KiB, that never end. The network lives and holds a bounded amount.
func TestIPReassembly(t *testing.T) {
	g := newNetwork(t, Config{})
	src, dst := netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("10.0.2.2")
	frag := func(id, off, n int, more bool) {
		f := g.n.ipv4Frame(g.n.mac, netdev.ProtoUDP, src, dst, make([]byte, n))
		ip := f[netdev.HeaderLen:]
		binary.BigEndian.PutUint16(ip[4:], uint16(id))
		v := uint16(off / 8)
		if more {
			v |= 0x2000
		}
		binary.BigEndian.PutUint16(ip[6:], v)
		netdev.SetIPv4Checksum(ip[:20])
		g.n.Deliver(f)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	frag(1, 0, 1480, true)
	frag(1, 8, 16, false)
	frag(2, 65528, 1000, false)
	frag(3, 0, 1480, true)
	frag(3, 0, 1400, true)
	frag(3, 1480, 0, false)
	for id := range 20000 { // which never end
		frag(id, 0, 1480, true)
		frag(id, 2960, 1480, true)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	alive(t, g)
}

// alive: the network still answers.
func alive(t testing.TB, g *guest) {
	t.Helper()
	g.take(0)
	g.n.Deliver(dhcp(dhcpDiscover, 9))
	for range 100 {
		for _, f := range g.take(time.Second) {
			if len(f) > 300 && f[23] == netdev.ProtoUDP {
				return
			}
		}
	}
	t.Error("the network does not answer any more")
}

// CVE-2019-6778 (identd) and CVE-2020-7039 (IRC, FTP): the old network looked
// into what went to these ports and rewrote it. Here it passes as it is.
func TestNoEmulatedProtocols(t *testing.T) {
	for _, port := range []int{113, 21, 6667, 6668, 544, 7070} {
		l, err := netListen(port)
		if err != nil {
			t.Logf("port %d cannot be had here: %v", port, err)
			continue
		}
		g := newGuest(t, Config{})
		go func() {
			c, err := l.Accept()
			if err == nil {
				c.Write([]byte(fmt.Sprint(copyAll(c))))
				c.Close()
			}
		}()
		c, err := g.dial(fmt.Sprintf("10.0.2.2:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		text := []byte("PRIVMSG x :\x01DCC SEND " + string(make([]byte, 3000)) + "\x01\r\n12345,6789\r\nPORT 127,0,0,1,1,1\r\n")
		c.Write(text)
		c.CloseWrite()
		b := make([]byte, 100)
		c.SetDeadline(time.Now().Add(5 * time.Minute))
		n, _ := c.Read(b)
		if got := string(b[:n]); got != fmt.Sprint(len(text)) {
			t.Errorf("port %d: the server got %s of %d bytes", port, got, len(text))
		}
		c.Close()
		l.Close()
	}
}

// A guest that opens sessions without end makes the process hold a bounded
// number.
func TestSessionLimit(t *testing.T) {
	g := newNetwork(t, Config{})
	src := netip.MustParseAddr("10.0.2.15")
	for i := range 3000 {
		p := []byte{byte(i >> 8), byte(i), 0x27, 0x0f, 0, 12, 0, 0, 1, 2, 3, 4}
		f := g.n.ipv4Frame(g.n.mac, netdev.ProtoUDP, src, netip.MustParseAddr("10.0.2.2"), p)
		g.n.Deliver(f)
	}
	g.n.mu.Lock()
	n := len(g.n.sessions)
	g.n.mu.Unlock()
	if n > maxUDP {
		t.Errorf("%d sessions", n)
	}
	alive(t, g)
}

// FuzzFrames: whatever a guest sends, the network lives.
func FuzzFrames(f *testing.F) {
	n := &Network{mac: guestMAC}
	src, dst := netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("10.0.2.2")
	f.Add(dhcp(dhcpDiscover, 1), uint8(0))
	f.Add(n.ipv4Frame(guestMAC, netdev.ProtoICMP, src, dst, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}), uint8(1))
	f.Add(n.ipv4Frame(guestMAC, netdev.ProtoTCP, src, dst, []byte{1, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0}), uint8(2))
	f.Add(n.ipv6Frame(guestMAC, netdev.ProtoICMPv6, 255, netip.MustParseAddr("fec0::15"), netip.MustParseAddr("fec0::2"), []byte{128, 0, 0, 0, 0, 0, 0, 0}), uint8(3))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		// Nothing here may open connections to the outside.
		w, err := New(Config{Restrict: true})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		g := &guest{t: t, n: w, raw: true}
		w.Attach(g)
		for len(data) > 0 { // several frames
			k := min(len(data), 14+int(cut)*6)
			w.Deliver(data[:k])
			w.DeliverBig(data[:k])
			data = data[k:]
		}
	})
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcp(dhcpRequest, 1, optRequested, 4, 10, 0, 2, 15)[42:])
	f.Add([]byte{1, 1, 6})
	g := newNetwork(f, Config{Search: []string{"a.b"}})
	f.Fuzz(func(t *testing.T, msg []byte) {
		g.n.serveDHCP(dhcp(0, 0), msg)
		g.take(0)
		options(msg)
	})
}

func FuzzDNS(f *testing.F) {
	f.Add(question(f, "localhost.", dnsmessage.TypeA), uint16(512))
	f.Add(question(f, "1.0.0.127.in-addr.arpa.", dnsmessage.TypePTR), uint16(30))
	f.Fuzz(func(t *testing.T, msg []byte, limit uint16) {
		var p dnsmessage.Parser
		h, err := p.Start(msg)
		if err != nil {
			return
		}
		q, err := p.Question()
		if err != nil {
			return
		}
		extended(&p)
		reverse(q.Name.String())
		// What the host's resolver says does not matter.
		a := build(dnsmessage.Header{ID: h.ID}, &q, []dnsmessage.ResourceBody{&dnsmessage.TXTResource{TXT: pieces(string(msg))}}, int(limit))
		if len(a) > int(limit) {
			t.Errorf("an answer of %d bytes, at most %d can be", len(a), limit)
		}
	})
}

func FuzzTFTP(f *testing.F) {
	dir := f.TempDir()
	os.WriteFile(filepath.Join(dir, "x"), make([]byte, 3000), 0o666)
	root, err := os.OpenRoot(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x00\x01x\x00octet\x00blksize\x008\x00"), []byte{0, 4, 0, 0})
	f.Add([]byte("\x00\x01../x\x00octet\x00"), []byte{0, 4, 255, 255})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		tr := transfer{root: root}
		defer tr.close()
		for range 3 {
			tr.handle(a)
			if out := tr.handle(b); len(out) > 4+maxBlock+64 {
				t.Errorf("a packet of %d bytes", len(out))
			}
		}
	})
}
