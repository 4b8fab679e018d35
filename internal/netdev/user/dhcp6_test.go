package user

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"rhea/internal/netdev"
)

// dhcp6 is a frame with a message from the guest to all servers.
func dhcp6(msg []byte) []byte {
	n := &Network{mac: guestMAC}
	p := binary.BigEndian.AppendUint16(nil, dhcp6Client)
	p = binary.BigEndian.AppendUint16(p, dhcp6Server)
	p = binary.BigEndian.AppendUint16(p, uint16(8+len(msg)))
	p = append(append(p, 0, 0), msg...)
	f := n.ipv6Frame(netdev.MAC{0x33, 0x33, 0, 1, 0, 2}, netdev.ProtoUDP, 1, netip.MustParseAddr("fe80::15"), netip.MustParseAddr("ff02::1:2"), p)
	setTransportSum(f, netdev.ProtoUDP, 6)
	return f
}

// RFC 8415, section 18.3.6.
func TestDHCP6(t *testing.T) {
	hx := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const client = "0001 000a 0003 0001 525400123456 "
	g := newNetwork(t, Config{Search: []string{"a.b"}, TFTP: t.TempDir(), BootFile: "x"})
	server := "0002 000a 0003 0001 " + hex.EncodeToString(g.n.mac[:])
	const dns, search = "0017 0010 fec00000000000000000000000000003", "0018 0005 0161 0162 00"
	boot := "003b 0012" + hex.EncodeToString([]byte("tftp://[fec0::2]/x"))
	for _, tc := range []struct{ what, ask, want string }{
		{"all", "0b 010203" + client, "07 010203" + client + server + dns + search + boot},
		{"name servers and something unknown", "0b 010203 0006 0004 0017 0063" + client, "07 010203" + client + server + dns},
		{"without an identifier", "0b 040506 0006 0002 0018", "07 040506" + server + search},
		{"this server", "0b 040506 0006 0002 0018" + server, "07 040506" + server + search},
		{"another server", "0b 040506 0002 0003 000101", ""},
		{"for an address", "01 010203" + client, ""},
		{"with an association", "0b 010203" + client + "0003 000c 000000010000000000000000", ""},
		{"cut short", "0b 010203 0001 000b 00", ""},
		{"empty", "0b 01", ""},
	} {
		g.take(0)
		g.n.Deliver(dhcp6(hx(tc.ask)))
		frames := g.take(0)
		if tc.want == "" {
			if len(frames) != 0 {
				t.Errorf("%s: answered by % x", tc.what, frames)
			}
			continue
		}
		if len(frames) != 1 {
			t.Fatalf("%s: %d answers", tc.what, len(frames))
		}
		f := frames[0]
		if netdev.MAC(f) != guestMAC || !bytes.Equal(f[14+24:14+40], netip.MustParseAddr("fe80::15").AsSlice()) || binary.BigEndian.Uint16(f[54:]) != 547 || binary.BigEndian.Uint16(f[56:]) != 546 {
			t.Errorf("%s: to somebody else: % x", tc.what, f[:62])
		}
		if got := f[62:]; !bytes.Equal(got, hx(tc.want)) {
			t.Errorf("%s: % x, want % x", tc.what, got, hx(tc.want))
		}
		sum := append([]byte(nil), f...)
		setTransportSum(sum, netdev.ProtoUDP, 6)
		if !bytes.Equal(sum, f) {
			t.Errorf("%s: checksum", tc.what)
		}
	}
}

func FuzzDHCP6(f *testing.F) {
	f.Add([]byte("\x0b\x01\x02\x03\x00\x01\x00\x02ab\x00\x06\x00\x02\x00\x17"))
	g := newNetwork(f, Config{Search: []string{"a.b"}})
	f.Fuzz(func(t *testing.T, msg []byte) {
		g.n.serveDHCP6(dhcp6(nil), netip.MustParseAddr("fe80::15"), msg)
		g.take(0)
	})
}
