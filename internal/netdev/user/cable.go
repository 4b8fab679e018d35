package user

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"rhea/internal/netdev"
)

// patience is how long a frame waits for a guest that takes none.
const patience = time.Second

// cable is the stack's end of the network: its link endpoint. The stack's TCP
// hands over segments of up to 64 KiB, which are cut here.
type cable struct {
	peer netdev.Peer
	mac  tcpip.LinkAddress

	mu         sync.RWMutex
	dispatcher stack.NetworkDispatcher

	room   chan struct{} // the guest has room again
	done   chan struct{}
	once   sync.Once
	frames sync.Pool // of *[2 * netdev.MaxBig]byte: a packet, and a segment of it
}

func newCable(mac netdev.MAC) *cable {
	c := &cable{mac: tcpip.LinkAddress(mac[:]), room: make(chan struct{}, 1), done: make(chan struct{})}
	c.frames.New = func() any { return new(scratch) }
	return c
}

// scratch is room for a packet and for a segment of it.
type scratch struct {
	packet [netdev.MaxBig]byte
	frame  [netdev.MaxFrame]byte
}

func (c *cable) inbound(pkt *stack.PacketBuffer) {
	c.mu.RLock()
	d := c.dispatcher
	c.mu.RUnlock()
	if d != nil {
		d.DeliverNetworkPacket(0, pkt)
	}
}

func (c *cable) wake() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

func (c *cable) close() { c.once.Do(func() { close(c.done) }) }

// send gives the guest a frame, and waits while it has no room.
func (c *cable) send(frame []byte) bool {
	if c.peer == nil {
		return false
	}
	if c.peer.Deliver(frame) {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !c.peer.Deliver(frame) {
		select {
		case <-c.room:
		case <-timer.C:
			return false
		case <-c.done:
			return false
		}
	}
	c.wake() // others may wait as well
	return true
}

// WritePackets implements stack.LinkWriter.
func (c *cable) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	s := c.frames.Get().(*scratch)
	defer c.frames.Put(s)
	n := 0
	for _, pkt := range pkts.AsSlice() {
		if !c.write(s, pkt) {
			return n, &tcpip.ErrNoBufferSpace{}
		}
		n++
	}
	return n, nil
}

func (c *cable) write(s *scratch, pkt *stack.PacketBuffer) bool {
	if pkt.Size() > len(s.packet) {
		return true // no such packet is made
	}
	n := 0
	views, offset := pkt.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		b := v.AsSlice()
		if offset > 0 {
			k := min(offset, len(b))
			b, offset = b[k:], offset-k
		}
		n += copy(s.packet[n:], b)
	}
	frame := s.packet[:n]
	g := &pkt.GSOOptions
	if g.Type == stack.GSONone || !g.NeedsCsum {
		return c.send(frame)
	}
	ip := netdev.HeaderLen
	tcp := ip + int(g.L3HdrLen)
	if tcp+header.TCPMinimumSize > n {
		return true
	}
	payload := tcp + int(frame[tcp+12]>>4)*4
	mss := int(g.MSS)
	if mss == 0 {
		mss = max(1, n-payload)
	}
	_, all := netdev.Segment(frame, ip, tcp, payload, min(mss, len(s.frame)-payload), s.frame[:], 0, c.send)
	return all
}

// MTU implements stack.LinkEndpoint. The Ethernet header is taken off by the
// endpoint above.
func (c *cable) MTU() uint32 { return netdev.MTU + netdev.HeaderLen }

// SetMTU implements stack.LinkEndpoint.
func (c *cable) SetMTU(uint32) {}

// MaxHeaderLength implements stack.LinkEndpoint.
func (c *cable) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements stack.LinkEndpoint.
func (c *cable) LinkAddress() tcpip.LinkAddress { return c.mac }

// SetLinkAddress implements stack.LinkEndpoint.
func (c *cable) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities implements stack.LinkEndpoint.
func (c *cable) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// GSOMaxSize implements stack.GSOEndpoint: of payload and headers.
func (c *cable) GSOMaxSize() uint32 { return 60 << 10 }

// SupportedGSO implements stack.GSOEndpoint.
func (c *cable) SupportedGSO() stack.SupportedGSO { return stack.HostGSOSupported }

// Attach implements stack.LinkEndpoint.
func (c *cable) Attach(d stack.NetworkDispatcher) {
	c.mu.Lock()
	c.dispatcher = d
	c.mu.Unlock()
}

// IsAttached implements stack.LinkEndpoint.
func (c *cable) IsAttached() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.dispatcher != nil
}

// Wait implements stack.LinkEndpoint.
func (c *cable) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (c *cable) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader implements stack.LinkEndpoint: the endpoint above does it.
func (c *cable) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements stack.LinkEndpoint.
func (c *cable) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements stack.LinkEndpoint.
func (c *cable) Close() {}

// SetOnCloseAction implements stack.LinkEndpoint.
func (c *cable) SetOnCloseAction(func()) {}
