package system

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"rhea/internal/netdev/user"
)

// Both spellings of 2009 and today's give the same networks.
func TestNetworks(t *testing.T) {
	for line, want := range map[string]string{
		"":                                  "#net0:user/-1 e1000:#net0/-1/56",
		"-M isapc":                          "#net0:user/-1 ne2k_isa:#net0/-1/56",
		"-net none":                         "",
		"-nic none":                         "",
		"-nodefaults":                       "",
		"-net nic,model=ne2k_pci -net user": "#user0:user/0 ne2k_pci:/0/56",
		"-net nic,vlan=1 -net user,vlan=1,name=u":                                                   "u:user/1 e1000:/1/56",
		"-netdev user,id=n -device rtl8139,netdev=n,mac=52:54:00:12:34:56 -device e1000":            "n:user/-1 rtl8139:n/-1/56 e1000:/-1/57",
		"-netdev user,id=n -net nic,netdev=n,macaddr=52:54:00:00:00:01":                             "n:user/-1 e1000:n/-1/01",
		"-nic user,model=rtl8139,hostfwd=tcp::5555-:22":                                             "#nic0:user/-1 rtl8139:#nic0/-1/56",
		`-netdev {"type":"user","id":"n","hostfwd":[{"str":"tcp::1-:2"},{"str":"udp::3-:4"}]}`:      "n:user/-1",
		"-netdev socket,id=s,listen=:1234 -netdev hubport,id=h,hubid=2,netdev=s -nic tap,ifname=t0": "s:socket/-1 h:hubport/2 #nic0:tap/-1 e1000:#nic0/-1/56",
		"-netdev stream,id=s,addr.type=unix,addr.path=/x,server=on":                                 "s:stream/-1",
	} {
		c := parse(t, strings.Fields(line)...)
		var got []string
		for _, d := range c.Netdevs {
			got = append(got, fmt.Sprintf("%s:%s/%d", d.ID, d.Type, d.Hub))
		}
		for _, n := range c.NICs {
			got = append(got, fmt.Sprintf("%s:%s/%d/%02x", n.Model, n.Netdev, n.Hub, n.MAC[5]))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s:\n got  %s\n want %s", line, g, want)
		}
	}
}

func TestUserNetwork(t *testing.T) {
	c := parse(t, "-netdev", "user,id=n,net=192.168.7.0/24,host=192.168.7.1,restrict=on,ipv6=off,hostname=h,dnssearch=a.b,dnssearch=c,hostfwd=tcp:127.0.0.1:80-10.0.2.9:8080,hostfwd=udp::53-:53,tftp=/t,bootfile=b").Netdevs[0].User
	want := user.Config{NoIPv6: true, Net: netip.MustParsePrefix("192.168.7.0/24"), Host: netip.MustParseAddr("192.168.7.1"), Restrict: true, Hostname: "h",
		Search: []string{"a.b", "c"}, TFTP: "/t", BootFile: "b", Forwards: []user.Forward{
			{Host: netip.MustParseAddrPort("127.0.0.1:80"), Guest: netip.MustParseAddrPort("10.0.2.9:8080")},
			{UDP: true, Host: netip.AddrPortFrom(netip.Addr{}, 53), Guest: netip.AddrPortFrom(netip.Addr{}, 53)}}}
	if fmt.Sprint(c) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	for in, want := range map[string]string{"10.0.0.0": "10.0.0.0/8", "192.168.3.0/255.255.255.0": "192.168.3.0/24", "172.16.0.0/12": "172.16.0.0/12"} {
		if p, err := parseNet(in, 32); err != nil || p.String() != want {
			t.Errorf("%s: %v, %v", in, p, err)
		}
	}
	for _, in := range []string{"", "x", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "fec0::/64"} {
		if p, err := parseNet(in, 32); err == nil {
			t.Errorf("%s: %v", in, p)
		}
	}
}
