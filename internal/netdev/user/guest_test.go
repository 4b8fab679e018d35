package user

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
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

var guestMAC = netdev.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}

// guest is a machine on the network: a second stack.
type guest struct {
	t     testing.TB
	n     *Network
	stack *stack.Stack
	link  *channel.Endpoint

	mu     sync.Mutex
	frames [][]byte
	raw    bool // frames are kept, not given to the stack
}

// Deliver implements netdev.Peer.
func (g *guest) Deliver(f []byte) bool {
	g.mu.Lock()
	raw := g.raw
	if raw && len(g.frames) < 1000 {
		g.frames = append(g.frames, append([]byte(nil), f...))
	}
	g.mu.Unlock()
	if !raw {
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(f)})
		g.link.InjectInbound(0, pkt)
		pkt.DecRef()
	}
	return true
}

// newNetwork is a network with a guest whose stack is not used.
func newNetwork(t testing.TB, c Config) *guest {
	t.Helper()
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, n: n, raw: true}
	n.Attach(g)
	t.Cleanup(func() { n.Close() })
	return g
}

// newGuest is a guest with the addresses 10.0.2.15 and fec0::15.
func newGuest(t testing.TB, c Config) *guest {
	t.Helper()
	g := newNetwork(t, c)
	g.raw = false
	g.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	g.link = channel.New(1024, netdev.MTU+netdev.HeaderLen, tcpip.LinkAddress(guestMAC[:]))
	if err := g.stack.CreateNIC(nic, ethernet.New(g.link)); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"10.0.2.15/24", "fec0::15/64"} {
		p := netip.MustParsePrefix(a)
		addr := tcpip.ProtocolAddress{Protocol: protocol(p.Addr()), AddressWithPrefix: tcpip.AddressWithPrefix{Address: address(p.Addr()), PrefixLen: p.Bits()}}
		if err := g.stack.AddProtocolAddress(nic, addr, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
	}
	g.stack.SetRouteTable([]tcpip.Route{
		{Destination: subnet("10.0.2.0/24"), NIC: nic}, {Destination: subnet("fec0::/64"), NIC: nic},
		{Destination: header.IPv4EmptySubnet, Gateway: address(netip.MustParseAddr("10.0.2.2")), NIC: nic},
		{Destination: header.IPv6EmptySubnet, Gateway: address(netip.MustParseAddr("fec0::2")), NIC: nic},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			pkt := g.link.ReadContext(ctx)
			if pkt == nil {
				return
			}
			v := pkt.ToView()
			g.n.Deliver(v.AsSlice())
			v.Release()
			pkt.DecRef()
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait(); g.stack.Close() })
	return g
}

func subnet(s string) tcpip.Subnet {
	p := netip.MustParsePrefix(s)
	return tcpip.AddressWithPrefix{Address: address(p.Addr()), PrefixLen: p.Bits()}.Subnet()
}

func (g *guest) dial(to string) (*gonet.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	a := netip.MustParseAddrPort(to)
	return gonet.DialContextTCP(ctx, g.stack, full(a), protocol(a.Addr()))
}

func (g *guest) udp(to string) *gonet.UDPConn {
	g.t.Helper()
	a := netip.MustParseAddrPort(to)
	f := full(a)
	c, err := gonet.DialUDP(g.stack, nil, &f, protocol(a.Addr()))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	return c
}

// take returns the frames that have come, after a while if there are none yet.
func (g *guest) take(wait time.Duration) [][]byte {
	for end := time.Now().Add(wait); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		f := g.frames
		g.frames = nil
		g.mu.Unlock()
		if len(f) > 0 || time.Now().After(end) {
			return f
		}
	}
}

// listenGuest makes a server in the guest.
func listenGuest(g *guest, port uint16) (*gonet.TCPListener, error) {
	return gonet.ListenTCP(g.stack, tcpip.FullAddress{NIC: nic, Port: port}, ipv4.ProtocolNumber)
}

func netListen(port int) (net.Listener, error) {
	return net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
}

func copyAll(r io.Reader) int64 {
	n, _ := io.Copy(io.Discard, r)
	return n
}
