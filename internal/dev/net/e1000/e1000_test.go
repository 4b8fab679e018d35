package e1000

import (
	"bytes"
	"encoding/binary"
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
	"rhea/internal/netdev"
)

// Where the tests have rings and buffers.
const (
	txRing = 0x1000
	rxRing = 0x2000
	txBuf  = 0x10000
	rxBuf  = 0x80000
)

type card struct {
	t   *testing.T
	b   *devtest.Bench
	n   *devtest.Net
	k   *Card
	ram []byte
	sys *mem.Region
	bus *pci.Bus
}

// newCard is a card that drivers have started: rings of 8 descriptors, the
// receiver's full of buffers.
func newCard(t *testing.T) *card {
	c := &card{t: t, sys: mem.NewContainer("system", 0)}
	ram := mem.NewRAM("ram", 1<<20)
	c.sys.Add(0, ram)
	c.ram = ram.RAM().Bytes
	c.b = devtest.New(func(b *devtest.Bench) dev.Device {
		c.n = b.Net(testMAC)
		c.n.Refuse = nil
		c.bus = pci.New(pci.Config{Memory: c.sys, IO: mem.NewContainer("io", 0x10000), DMA: mem.NewSpace("memory", c.sys, nil)})
		c.bus.SetIRQ(2, b.Out("irq"))
		c.k = New(Config{Env: b.Env(), Net: c.n, MAC: testMAC, Bus: c.bus, Device: 3})
		return c.k
	}, 1000)
	c.conf(4, 2, 7)
	c.w(0x2800, rxRing)
	c.w(0x2808, 8*16)
	for i := range 8 {
		binary.LittleEndian.PutUint64(c.ram[rxRing+16*i:], uint64(rxBuf+2048*i))
	}
	c.w(0x2818, 7)
	c.w(0x3800, txRing)
	c.w(0x3808, 8*16)
	c.w(0x0100, rctlEN|rctlBAM|rctlSECRC)
	c.w(0x0400, tctlEN|tctlPSP)
	c.w(0x00d0, icrTXDW|icrRXT0|icrLSC)
	c.r(0x00c0)
	return c
}

func (c *card) conf(off, size int, v uint32) { c.bus.WriteConfig(0, 3<<3, off, size, v) }
func (c *card) w(off, v uint32)              { (*registers)(c.k).Write(uint64(off), 4, uint64(v)) }
func (c *card) r(off uint32) uint32          { return uint32((*registers)(c.k).Read(uint64(off), 4)) }

// desc writes a transmit descriptor.
func (c *card) desc(i int, addr uint64, lower, upper uint32) {
	d := c.ram[txRing+16*i:]
	binary.LittleEndian.PutUint64(d, addr)
	binary.LittleEndian.PutUint32(d[8:], lower)
	binary.LittleEndian.PutUint32(d[12:], upper)
}

// The address comes from the EEPROM, by EERD and by its pins, and its words
// have the checksum that drivers want.
func TestEEPROM(t *testing.T) {
	c := newCard(t)
	sum := uint16(0)
	var w [64]uint16
	for i := range w {
		c.w(0x14, uint32(i)<<8|1)
		v := c.r(0x14)
		if v&eerdDone == 0 {
			t.Fatal("EERD is not done")
		}
		w[i] = uint16(v >> 16)
		sum += w[i]
	}
	if sum != 0xbaba || w[0] != 0x5452 || w[2] != 0x5634 || w[0xd] != 0x100e {
		t.Errorf("sum %#x, words % x", sum, w)
	}
	pins := func(v uint32) uint32 { c.w(0x10, v|eeREQ); return c.r(0x10) }
	if pins(0)&eeGNT == 0 {
		t.Fatal("access is not granted")
	}
	for i := 8; i >= 0; i-- { // start, READ, word 1
		d := uint32(6<<6|1) >> i & 1 * eeDI
		pins(eeCS | d)
		pins(eeCS | d | eeSK)
	}
	v := uint16(0)
	for range 16 {
		pins(eeCS)
		v <<= 1
		if pins(eeCS|eeSK)&eeDO != 0 {
			v |= 1
		}
	}
	if v != w[1] {
		t.Errorf("by its pins word 1 is %#x, want %#x", v, w[1])
	}
}

func TestPHY(t *testing.T) {
	c := newCard(t)
	read := func(n uint32) uint32 { c.w(0x20, 2<<26|1<<21|n<<16); return c.r(0x20) }
	if v := read(2); v&0xffff != 0x0141 || v&mdicReady == 0 {
		t.Errorf("PHY identifier %#x", v)
	}
	if read(1)&phyLink == 0 || c.r(8)&statusLU == 0 {
		t.Error("no link")
	}
	c.n.Card().SetLink(false)
	if read(1)&phyLink != 0 || c.r(8)&statusLU != 0 || c.r(0xc0)&icrLSC == 0 {
		t.Error("the cable was pulled and nobody knows")
	}
	if c.w(0x20, 2<<26|5<<21); c.r(0x20)&mdicError == 0 {
		t.Error("a PHY that is not there answers")
	}
}

func TestLegacyTransmit(t *testing.T) {
	c := newCard(t)
	f := devtest.Frame(netdev.Broadcast, 100)
	copy(c.ram[txBuf:], f[:40])
	copy(c.ram[txBuf+0x1000:], f[40:])
	c.desc(0, txBuf, 40|txdRS<<24, 0)
	c.desc(1, txBuf+0x1000, 60|(txdEOP|txdRS)<<24, 0)
	c.w(0x3818, 2)
	if len(c.n.Sent) != 1 || !bytes.Equal(c.n.Sent[0], f) {
		t.Fatalf("sent % x", c.n.Sent)
	}
	if c.ram[txRing+12]&txdDD == 0 || c.ram[txRing+28]&txdDD == 0 || c.r(0x3810) != 2 || !c.b.Probe("irq").Level {
		t.Error("the descriptors are not done")
	}
	if c.r(0xc0)&icrTXDW == 0 || c.b.Probe("irq").Level {
		t.Error("interrupt")
	}
	if c.r(0x4080) != 1 || c.r(0x4080) != 0 || c.r(0x4088+8) != 104 {
		t.Error("counters")
	}
	// A short one is padded.
	c.desc(2, txBuf, 20|(txdEOP|txdRS)<<24, 0)
	c.w(0x3818, 3)
	if len(c.n.Sent[1]) != 60 {
		t.Errorf("a frame of %d bytes", len(c.n.Sent[1]))
	}
	// A full network holds it up.
	c.n.Refuse = func([]byte) bool { return true }
	c.desc(3, txBuf, 60|txdEOP<<24, 0)
	c.desc(4, txBuf, 61|txdEOP<<24, 0)
	c.w(0x3818, 5)
	if len(c.n.Sent) != 2 || c.r(0x3810) != 4 {
		t.Errorf("%d frames, head %d", len(c.n.Sent), c.r(0x3810))
	}
	c.n.Refuse = nil
	c.n.Card().Wake()
	if len(c.n.Sent) != 4 || c.r(0x3810) != 5 {
		t.Errorf("%d frames, head %d", len(c.n.Sent), c.r(0x3810))
	}
}

// tcp is a TCP/IPv4 packet with n bytes.
func tcp(n int) []byte {
	f := devtest.Frame(netdev.MAC{0x52, 0x55, 10, 0, 2, 2}, 54+n)
	ip := f[14:]
	copy(ip, []byte{0x45, 0, 0, 0, 0, 9, 0, 0, 64, 6, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2})
	binary.BigEndian.PutUint16(ip[2:], uint16(40+n))
	copy(ip[20:], []byte{0, 1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0x50, 0x18, 1, 1, 0, 0, 0, 0})
	return f
}

func rightSums(t *testing.T, f []byte) {
	t.Helper()
	ip, at, end, proto, ok := netdev.IPHeader(f)
	if !ok || netdev.Fold(netdev.Sum(f[ip:at], 0)) != 0 || netdev.Fold(netdev.Sum(f[at:end], netdev.PseudoSum(f[ip:], proto, end-at))) != 0 {
		t.Errorf("a frame of %d bytes has wrong checksums (%v)", len(f), ok)
	}
}

// context is the descriptor of a context for tcp's packets.
func (c *card) context(i int, tucmd uint8, mss, payload int) {
	d := c.ram[txRing+16*i:]
	copy(d, []byte{14, 24, 33, 0, 34, 50, 0, 0})
	binary.LittleEndian.PutUint32(d[8:], uint32(payload)|uint32(tucmd|txdDEXT)<<24)
	d[12], d[13] = 0, 54
	binary.LittleEndian.PutUint16(d[14:], uint16(mss))
}

// Checksums go where the context says, segments are made by it; a network that
// takes big packets gets them whole.
func TestOffload(t *testing.T) {
	for _, big := range []bool{false, true} {
		c := newCard(t)
		c.n.TakesBig = big
		f := tcp(1000)
		sum := netdev.PseudoSum(f[14:], netdev.ProtoTCP, 1020)
		binary.BigEndian.PutUint16(f[50:], ^netdev.Fold(sum))
		copy(c.ram[txBuf:], f)
		c.context(0, tucmdTCP|tucmdIP, 0, 0)
		c.desc(1, txBuf, uint32(len(f))|dtypData<<20|(txdEOP|txdRS|txdDEXT)<<24, (poptsIXSM|poptsTXSM)<<8)
		c.w(0x3818, 2)
		if len(c.n.Sent) != 1 || c.n.Bigs[0] != big {
			t.Fatalf("%d frames, big %v", len(c.n.Sent), c.n.Bigs)
		}
		if !big {
			rightSums(t, c.n.Sent[0])
		}
		// Segmentation: the length in the IP header is 0, the pseudo header has none.
		f = tcp(20000)
		copy(c.ram[txBuf:], f)
		c.ram[txBuf+16], c.ram[txBuf+17] = 0, 0
		binary.BigEndian.PutUint16(c.ram[txBuf+50:], ^netdev.Fold(netdev.PseudoSum(f[14:], netdev.ProtoTCP, 0)))
		c.context(2, tucmdTCP|tucmdIP|tucmdTSE, 1460, 20000)
		c.desc(3, txBuf, 5054|dtypData<<20|(txdDEXT|txdTSE)<<24, (poptsIXSM|poptsTXSM)<<8)
		c.desc(4, txBuf+5054, 15000|dtypData<<20|(txdEOP|txdRS|txdDEXT|txdTSE)<<24, 0)
		left := 5
		c.n.Refuse = func([]byte) bool { left--; return left < 0 }
		c.w(0x3818, 5)
		c.n.Refuse = nil
		c.n.Card().Wake()
		var got []byte
		for i, s := range c.n.Sent[1:] {
			if !big {
				rightSums(t, s)
				if len(s) > 1514 || binary.BigEndian.Uint32(s[38:]) != uint32(256+i*1460) || binary.BigEndian.Uint16(s[18:]) != uint16(9+i) {
					t.Errorf("segment %d of %d bytes: % x", i, len(s), s[:54])
				}
			}
			got = append(got, s[54:]...)
		}
		if !bytes.Equal(got, f[54:]) {
			t.Errorf("big %v: %d bytes of payload in %d frames", big, len(got), len(c.n.Sent)-1)
		}
	}
}

// A tag is inserted behind the addresses, checksums move with it; received
// ones go into the descriptor, and the filter looks at them.
func TestVLAN(t *testing.T) {
	c := newCard(t)
	c.w(0, ctrlVME)
	f := tcp(100)
	copy(c.ram[txBuf:], f)
	binary.BigEndian.PutUint16(c.ram[txBuf+50:], ^netdev.Fold(netdev.PseudoSum(f[14:], netdev.ProtoTCP, 120)))
	c.context(0, tucmdTCP|tucmdIP, 0, 0)
	c.desc(1, txBuf, uint32(len(f))|dtypData<<20|(txdEOP|txdRS|txdDEXT|txdVLE)<<24, (poptsIXSM|poptsTXSM)<<8|5<<16)
	c.w(0x3818, 2)
	s := c.n.Sent[0]
	if len(s) != len(f)+4 || !bytes.Equal(s[12:16], []byte{0x81, 0, 0, 5}) || !bytes.Equal(s[16:18], f[12:14]) {
		t.Fatalf("% x", s[:20])
	}
	rightSums(t, s)
	c.w(0x5600, 1<<5)
	c.w(0x0100, rctlEN|rctlBAM|rctlSECRC|rctlVFE)
	in := append(append(bytes.Clone(f[:12]), 0x81, 0, 0, 5), f[12:]...)
	copy(in, netdev.Broadcast[:])
	c.n.Card().Deliver(in)
	in[15] = 6 // not in the filter
	c.n.Card().Deliver(in)
	d := c.ram[rxRing:]
	if c.r(0x2810) != 1 || d[12]&rxdVP == 0 || binary.LittleEndian.Uint16(d[14:]) != 5 || !bytes.Equal(c.ram[rxBuf+12:rxBuf+len(f)], f[12:]) {
		t.Errorf("head %d, descriptor % x", c.r(0x2810), d[:16])
	}
}

func TestReceive(t *testing.T) {
	c := newCard(t)
	c.w(0x5000, rxcsumTUOFL|rxcsumIPOFL)
	f := tcp(200)
	copy(f, testMAC[:])
	netdev.SetIPv4Checksum(f[14:34])
	binary.BigEndian.PutUint16(f[50:], netdev.Fold(netdev.Sum(f[34:], netdev.PseudoSum(f[14:], netdev.ProtoTCP, 220))))
	c.n.Card().Deliver(f)
	d := c.ram[rxRing:]
	if d[12] != rxdDD|rxdEOP|rxdTCPCS|rxdIPCS || d[13] != 0 || int(binary.LittleEndian.Uint16(d[8:])) != len(f) || !bytes.Equal(c.ram[rxBuf:rxBuf+len(f)], f) {
		t.Errorf("descriptor % x", d[:16])
	}
	if !c.b.Probe("irq").Level || c.r(0xc0)&icrRXT0 == 0 {
		t.Error("no interrupt")
	}
	f[60] ^= 1
	c.n.Card().Deliver(f)
	if d := c.ram[rxRing+16:]; d[13] != rxdTCPE {
		t.Errorf("a damaged packet: % x", d[:16])
	}
	// Frames over several buffers, until there are none.
	c.w(0x0100, rctlEN|rctlBAM|rctlSECRC|3<<16) // of 256 bytes
	if !c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) || c.r(0x2810) != 6 {
		t.Errorf("head %d", c.r(0x2810))
	}
	if c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
		t.Error("there are no descriptors left")
	}
	was := c.n.Readies
	c.w(0x2818, 5)
	if c.n.Readies == was || !c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
		t.Error("new descriptors are not used")
	}
}

func TestFilter(t *testing.T) {
	group := netdev.MAC{0x01, 0x00, 0x5e, 0x11, 0x22, 0x33}
	for name, tc := range map[string]struct {
		rctl uint32
		to   netdev.MAC
		mta  bool
		want bool
	}{
		"own": {0, testMAC, false, true}, "other": {0, netdev.MAC{2, 3}, false, false}, "promiscuous": {rctlUPE, netdev.MAC{2, 3}, false, true},
		"broadcast": {rctlBAM, netdev.Broadcast, false, true}, "no broadcast": {0, netdev.Broadcast, false, false},
		"group": {0, group, true, true}, "no group": {0, group, false, false}, "all groups": {rctlMPE, group, false, true},
	} {
		c := newCard(t)
		c.w(0x100, rctlEN|tc.rctl)
		if tc.mta { // MO 0: bits 47:36 of the address
			n := uint32(0x33)<<4 | 0x22>>4
			c.w(0x5200+4*(n>>5), 1<<(n&31))
		}
		c.n.Card().Deliver(devtest.Frame(tc.to, 100))
		if got := c.r(0x2810) == 1; got != tc.want {
			t.Errorf("%s: taken is %v", name, got)
		}
	}
}

// ITR: the next interrupt comes no sooner than it says. RDTR: nor does the first.
func TestThrottling(t *testing.T) {
	c := newCard(t)
	c.w(0xc4, 1000) // 256 µs
	rx := func() { c.n.Card().Deliver(devtest.Frame(testMAC, 60)) }
	rx()
	c.b.Script(t, "edges irq = 1")
	c.r(0xc0)
	rx()
	c.b.Script(t, "out irq = 0 / t 200us / out irq = 0 / t 100us / out irq = 1 / edges irq = 1")
	c.r(0xc0)
	c.w(0xc4, 0)
	c.b.Script(t, "t 1ms")
	c.w(0x2820, 100) // 102.4 µs
	c.w(0x282c, 150) // 153.6 µs at most
	rx()
	c.b.Script(t, "out irq = 0 / t 90us")
	rx() // begins anew
	c.b.Script(t, "t 60us / out irq = 0 / t 10us / out irq = 1")
}

// CVE-2015-6815: a ring whose tail the head never meets; and lengths of zero.
func TestTransmitLoop(t *testing.T) {
	c := newCard(t)
	c.w(0x3818, 5000)
	for i := range 8 {
		c.desc(i, 0, 0, 0)
	}
	c.w(0x3818, 6000)
	c.w(0x3808, 0)
	c.w(0x3818, 3)
	c.w(0x3808, 0xfff80)
	c.w(0x3818, 0xffff)
	c.w(0x2808, 0)
	if c.n.Card().Deliver(devtest.Frame(testMAC, 60)) {
		t.Error("a ring without descriptors takes a frame")
	}
	if c.r(8)&statusFD == 0 {
		t.Error("the card is gone")
	}
}

// CVE-2016-1981: a packet put together from descriptors without end, and
// headers longer than the packet that is to be cut up.
func TestEndlessPacket(t *testing.T) {
	c := newCard(t)
	for range 100 {
		for i := range 8 {
			c.desc(i, txBuf, 0xfffff|dtypData<<20|(txdDEXT|txdTSE)<<24, 0)
		}
		c.w(0x3818, (c.r(0x3810)+7)%8)
	}
	if n := cap(c.k.tx.buf); n > maxPacket+64 {
		t.Errorf("%d bytes are held", n)
	}
	for _, h := range [][3]byte{{0, 0, 0}, {14, 34, 255}, {255, 255, 255}, {34, 14, 54}, {14, 34, 40}} {
		c := newCard(t)
		c.context(0, tucmdTCP|tucmdIP|tucmdTSE, 1, 0xfffff)
		c.ram[txRing], c.ram[txRing+4], c.ram[txRing+13] = h[0], h[1], h[2]
		c.desc(1, txBuf, 200|dtypData<<20|(txdEOP|txdDEXT|txdTSE)<<24, 0)
		c.w(0x3818, 2)
	}
}

// A ring as long as can be, full of long pieces that are never sent, does not
// keep the machine for long: it is done in turns.
func TestLongRing(t *testing.T) {
	c := newCard(t)
	c.w(0x3800, 0)
	c.w(0x3808, 0xfff80)
	binary.LittleEndian.PutUint32(c.ram[txRing+8:], 0)
	for at := 0; at < 0xf0000; at += 16 {
		binary.LittleEndian.PutUint64(c.ram[at:], 0)
		binary.LittleEndian.PutUint32(c.ram[at+8:], 60000)
	}
	c.w(0x3818, 0xe000)
	first := c.r(0x3810)
	if first > 1000 {
		t.Errorf("one turn did %d descriptors", first)
	}
	c.b.Script(t, "t 100us")
	if c.r(0x3810) <= first {
		t.Error("it does not go on")
	}
}

// A card whose descriptors, buffers or rings are its own registers does not
// answer itself (CVE-2021-3750 and its kin, re-entrancy by DMA).
func TestDMAToItself(t *testing.T) {
	c := newCard(t)
	const bar = 0x800000
	c.conf(0x10, 4, bar)
	binary.LittleEndian.PutUint64(c.ram[rxRing:], bar+0x3800)
	c.n.Card().Deliver(devtest.Frame(testMAC, 200))
	c.desc(0, bar, 4000|(txdEOP|txdRS)<<24, 0)
	c.w(0x3818, 1)
	c.w(0x3800, bar+0x3800)
	c.w(0x3818, 5)
	c.w(0x2800, bar+0x2800)
	c.n.Card().Deliver(devtest.Frame(testMAC, 200))
	if c.r(0x3818) != 5 {
		t.Errorf("TDT is %#x: the card wrote to itself", c.r(0x3818))
	}
}

func BenchmarkTransmit(b *testing.B) { benchmark(b, false) }
func BenchmarkReceive(b *testing.B)  { benchmark(b, true) }

func benchmark(b *testing.B, receive bool) {
	c := newCard(&testing.T{})
	f := devtest.Frame(testMAC, 1514)
	copy(c.ram[txBuf:], f)
	for i := range 8 {
		c.desc(i, txBuf, 1514|(txdEOP|txdRS)<<24, 0)
	}
	c.n.Refuse = nil
	c.k.c.Net = nowhere{}
	b.ReportAllocs()
	i := uint32(0)
	for b.Loop() {
		i = (i + 1) & 7
		if receive {
			c.k.Deliver(f)
			c.w(0x2818, (c.r(0x2810)+7)&7)
		} else {
			c.w(0x3818, i)
		}
		c.r(0xc0)
	}
}

// nowhere is a network that loses all.
type nowhere struct{}

func (nowhere) Deliver([]byte) bool    { return true }
func (nowhere) DeliverBig([]byte) bool { return true }
func (nowhere) Big() bool              { return false }
func (nowhere) Ready()                 {}
func (nowhere) Attach(netdev.Card)     {}
