package rtl8139

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
	bus *pci.Bus
}

func newCard(t *testing.T) *card {
	c := &card{t: t}
	sys := mem.NewContainer("system", 0)
	ram := mem.NewRAM("ram", 1<<20)
	sys.Add(0, ram)
	c.ram = ram.RAM().Bytes
	c.b = devtest.New(func(b *devtest.Bench) dev.Device {
		c.n = b.Net(testMAC)
		c.n.Refuse = nil
		c.bus = pci.New(pci.Config{Memory: sys, IO: mem.NewContainer("io", 0x10000), DMA: mem.NewSpace("memory", sys, nil)})
		c.bus.SetIRQ(2, b.Out("irq"))
		c.k = New(Config{Env: b.Env(), Net: c.n, MAC: testMAC, Bus: c.bus, Device: 3})
		return c.k
	}, 1000)
	c.bus.WriteConfig(0, 3<<3, 4, 2, 7)
	return c
}

func (c *card) w(off, size int, v uint64) { (*registers)(c.k).Write(uint64(off), size, v) }
func (c *card) r(off, size int) uint64    { return (*registers)(c.k).Read(uint64(off), size) }

// classic starts the card in the mode of the RTL8139C.
func (c *card) classic() {
	c.w(0x37, 1, crRST)
	c.w(0x37, 1, crRE|crTE)
	c.w(0x30, 4, rxBuf)
	c.w(0x44, 4, rcrAPM|rcrAB|rcrAM)
	c.w(0x3c, 2, isrROK|isrTOK|isrTimeout)
	c.w(0x3e, 2, 0xffff)
}

func TestIdentity(t *testing.T) {
	c := newCard(t)
	for i, v := range testMAC {
		if got := c.r(i, 1); got != uint64(v) {
			t.Errorf("IDR%d is %#x", i, got)
		}
	}
	if c.r(0, 4) != 0x12005452 || c.r(0x40, 4)&0x7cc00000 != 0x74800000 {
		t.Errorf("IDR %#x, TCR %#x", c.r(0, 4), c.r(0x40, 4))
	}
	// The EEPROM by its pins: word 7.
	pins := func(v uint64) uint64 { c.w(0x50, 1, eeProg|v); return c.r(0x50, 1) }
	pins(0)
	for i := 8; i >= 0; i-- {
		d := uint64(6<<6|7) >> i & 1 * eeDI
		pins(eeCS | d)
		pins(eeCS | d | eeSK)
	}
	v := uint16(0)
	for range 16 {
		pins(eeCS)
		v = v<<1 | uint16(pins(eeCS|eeSK)&eeDO)
	}
	if v != 0x5452 {
		t.Errorf("word 7 is %#x", v)
	}
	// Configuration registers are locked.
	c.w(0x50, 1, 0)
	was := c.r(0x52, 1)
	c.w(0x52, 1, ^was)
	c.w(0, 1, 0)
	if c.r(0x52, 1) != was || c.r(0, 1) != 0x52 {
		t.Error("they can be written")
	}
}

func TestClassicTransmit(t *testing.T) {
	c := newCard(t)
	c.classic()
	f := devtest.Frame(netdev.Broadcast, 300)
	copy(c.ram[txBuf:], f)
	for i := range 9 {
		c.w(0x20+4*(i%4), 4, txBuf)
		c.w(0x10+4*(i%4), 4, 300)
		if len(c.n.Sent) != i+1 || !bytes.Equal(c.n.Sent[i], f) || c.r(0x10+4*(i%4), 4)&(tsdOwn|tsdTOK) != tsdOwn|tsdTOK {
			t.Fatalf("frame %d: %d sent, TSD %#x", i, len(c.n.Sent), c.r(0x10+4*(i%4), 4))
		}
		c.b.Script(t, "out irq = 1")
		c.w(0x3e, 2, isrTOK)
		c.b.Script(t, "out irq = 0")
	}
	c.n.Refuse = func([]byte) bool { return true }
	c.w(0x14, 4, 300)
	c.w(0x18, 4, 300)
	if c.r(0x14, 4)&tsdTOK != 0 || c.r(0x3e, 2)&isrTOK != 0 {
		t.Error("a frame for which there is no room is sent")
	}
	c.w(0x28, 4, txBuf)
	c.n.Refuse = nil
	c.n.Card().Wake()
	if len(c.n.Sent) != 11 {
		t.Errorf("%d frames", len(c.n.Sent))
	}
}

// The receive buffer: headers, the wrap with and without WRAP, and what happens
// when it is full.
func TestClassicReceive(t *testing.T) {
	for _, wrap := range []uint64{0, rcrWRAP} {
		c := newCard(t)
		c.classic()
		c.w(0x44, 4, rcrAPM|wrap)
		at := 0
		for i := range 100 {
			f := devtest.Frame(testMAC, 60+i*53%1455)
			if c.r(0x37, 1)&crBUFE == 0 || !c.n.Card().Deliver(f) || c.r(0x37, 1)&crBUFE != 0 {
				t.Fatalf("frame %d is not taken", i)
			}
			ring := c.ram[rxBuf : rxBuf+8192]
			if wrap != 0 {
				ring = c.ram[rxBuf : rxBuf+8192+2048]
			}
			byteAt := func(j int) byte {
				if wrap != 0 {
					return ring[at+j]
				}
				return ring[(at+j)%8192]
			}
			if byteAt(0)&rxsROK == 0 || int(byteAt(2))|int(byteAt(3))<<8 != len(f)+4 {
				t.Fatalf("frame %d: header %x %x %x %x", i, byteAt(0), byteAt(1), byteAt(2), byteAt(3))
			}
			for j := range f {
				if byteAt(4+j) != f[j] {
					t.Fatalf("frame %d is damaged at %d", i, j)
				}
			}
			at = (at + 4 + len(f) + 4 + 3) &^ 3 % 8192
			c.w(0x38, 2, uint64(at-16)&0xffff)
			if c.r(0x3a, 2) != uint64(at) {
				t.Fatalf("CBR is %#x, want %#x", c.r(0x3a, 2), at)
			}
		}
		n := 0
		for c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
			if n++; n > 10 {
				t.Fatal("the buffer is never full")
			}
		}
		was := c.n.Readies
		at = (at + 1008) % 8192
		c.w(0x38, 2, uint64(at-16)&0xffff)
		if c.n.Readies == was || !c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
			t.Error("room is not used")
		}
	}
}

func (c *card) plus() {
	c.w(0x37, 1, crRST)
	c.w(0xe0, 2, cpTx|cpRx|cpCheck|cpVLAN)
	c.w(0x37, 1, crRE|crTE)
	c.w(0x20, 4, txRing)
	c.w(0xe4, 4, rxRing)
	c.w(0x44, 4, rcrAPM|rcrAB)
	c.w(0x3c, 2, isrROK|isrTOK)
	for i := range 4 {
		c.rx(i, 1600)
	}
}

func (c *card) rx(i int, size uint32) {
	d := c.ram[rxRing+16*i:]
	if i == 3 {
		size |= rdEOR
	}
	binary.LittleEndian.PutUint32(d, size|rdOwn)
	binary.LittleEndian.PutUint32(d[4:], 0)
	binary.LittleEndian.PutUint64(d[8:], uint64(rxBuf+2048*i))
}

func (c *card) tx(i int, w0, w1 uint32, addr uint64) {
	d := c.ram[txRing+16*i:]
	binary.LittleEndian.PutUint32(d, w0)
	binary.LittleEndian.PutUint32(d[4:], w1)
	binary.LittleEndian.PutUint64(d[8:], addr)
}

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

func TestPlusTransmit(t *testing.T) {
	c := newCard(t)
	c.plus()
	f := tcp(500)
	copy(c.ram[txBuf:], f)
	c.tx(0, tdOwn|tdFS|100, 0, txBuf)
	c.tx(1, tdOwn|tdLS|tdEOR|tdIPCS|tdTCPCS|454, tdTAGC|0x0500, txBuf+100)
	c.w(0xd9, 1, pollNormal)
	if len(c.n.Sent) != 1 || !bytes.Equal(c.n.Sent[0][12:16], []byte{0x81, 0, 0, 5}) || !bytes.Equal(c.n.Sent[0][58:], f[54:]) {
		t.Fatalf("sent % x", c.n.Sent)
	}
	rightSums(t, c.n.Sent[0])
	if binary.LittleEndian.Uint32(c.ram[txRing:])&tdOwn != 0 || c.r(0x3e, 2)&isrTOK == 0 {
		t.Error("it is not done")
	}
	f = tcp(10000)
	copy(c.ram[txBuf:], f)
	c.tx(0, tdOwn|tdFS|tdLS|tdEOR|tdLGSEN|1460<<16|uint32(len(f)), 0, txBuf)
	c.n.Refuse = func(b []byte) bool { return len(c.n.Sent) > 3 }
	c.w(0xd9, 1, pollNormal)
	c.n.Refuse = nil
	c.n.Card().Wake()
	var got []byte
	for _, s := range c.n.Sent[1:] {
		rightSums(t, s)
		got = append(got, s[54:]...)
	}
	if !bytes.Equal(got, f[54:]) {
		t.Errorf("%d bytes of payload in %d frames", len(got), len(c.n.Sent)-1)
	}
}

func TestPlusReceive(t *testing.T) {
	c := newCard(t)
	c.plus()
	f := tcp(300)
	copy(f, testMAC[:])
	netdev.SetIPv4Checksum(f[14:34])
	binary.BigEndian.PutUint16(f[50:], netdev.Fold(netdev.Sum(f[34:], netdev.PseudoSum(f[14:], netdev.ProtoTCP, 320))))
	c.n.Card().Deliver(f)
	v := binary.LittleEndian.Uint32(c.ram[rxRing:])
	if v&(rdOwn|rdFS|rdLS|rdPAM|rdIP|rdIPF|rdTCPF) != rdFS|rdLS|rdPAM|rdTCP || int(v&0x3fff) != len(f)+4 || !bytes.Equal(c.ram[rxBuf:rxBuf+len(f)], f) {
		t.Errorf("descriptor %#x", v)
	}
	f[60] ^= 1
	c.n.Card().Deliver(f)
	if v := binary.LittleEndian.Uint32(c.ram[rxRing+16:]); v&rdTCPF == 0 {
		t.Errorf("a damaged packet: %#x", v)
	}
	c.n.Card().Deliver(f)
	c.n.Card().Deliver(f)
	if c.n.Card().Deliver(f) {
		t.Fatal("there are no descriptors left")
	}
	// No register tells of new ones: the card looks from time to time.
	c.rx(0, 1600)
	was := c.n.Readies
	c.b.Script(t, "t 1ms")
	if c.n.Readies == was || !c.n.Card().Deliver(f) {
		t.Error("new descriptors are not used")
	}
}

func TestTimer(t *testing.T) {
	c := newCard(t)
	c.classic()
	c.w(0x48, 4, 0)
	c.w(0x54, 4, 10000) // 300 µs
	c.b.Script(t, "t 299us / out irq = 0 / t 2us / out irq = 1")
	c.w(0x3e, 2, isrTimeout)
	if v := c.r(0x48, 4); v < 10000 || v > 10100 {
		t.Errorf("TCTR is %d", v)
	}
}

// CVE-2015-5165: what a packet says of its lengths is not believed: nothing
// behind the packet is sent with it.
func TestLargeSendLengths(t *testing.T) {
	for _, hurt := range []func(f []byte){
		func(f []byte) { f[14] = 0x4f }, func(f []byte) { f[14] = 0x41 }, func(f []byte) { binary.BigEndian.PutUint16(f[16:], 0xffff) },
		func(f []byte) { binary.BigEndian.PutUint16(f[16:], 1) }, func(f []byte) { f[46] = 0xf0 }, func(f []byte) { f[46] = 0 }, func(f []byte) { f[23] = 17 },
	} {
		for _, flags := range []uint32{tdLGSEN | 1460<<16, tdLGSEN, tdIPCS | tdTCPCS | tdUDPCS} {
			for _, n := range []int{0, 6, 30, 500} {
				c := newCard(t)
				c.plus()
				f := tcp(n)
				hurt(f)
				copy(c.ram[txBuf:], f)
				copy(c.ram[txBuf+len(f):], bytes.Repeat([]byte("secret"), 1000))
				c.tx(0, tdOwn|tdFS|tdLS|tdEOR|flags|uint32(len(f)), 0, txBuf)
				c.w(0xd9, 1, pollNormal)
				for _, s := range c.n.Sent {
					if bytes.Contains(s, []byte("secret")) {
						t.Fatalf("what was not to be sent was sent: % x", s)
					}
				}
			}
		}
	}
}

// Rings that loop: descriptors that are always the card's, of no length.
func TestRingLoops(t *testing.T) {
	c := newCard(t)
	c.plus()
	for i := range 4 {
		c.rx(i, 0)
		c.tx(i, tdOwn, 0, txRing)
	}
	for range 10 {
		c.n.Card().Deliver(devtest.Frame(testMAC, 1000))
		c.w(0xd9, 1, pollNormal|pollHigh)
	}
	// The receiver's buffer is its own ring.
	for i := range 4 {
		d := c.ram[rxRing+16*i:]
		binary.LittleEndian.PutUint32(d, rdOwn|16)
		binary.LittleEndian.PutUint64(d[8:], rxRing)
	}
	for range 10 {
		c.n.Card().Deliver(bytes.Repeat([]byte{0xff}, 1500))
	}
}

// The card's ring and buffers are its own registers: it does not answer itself.
func TestDMAToItself(t *testing.T) {
	c := newCard(t)
	c.plus()
	const bar = 0x800000
	c.bus.WriteConfig(0, 3<<3, 0x14, 4, bar)
	c.tx(0, tdOwn|tdFS|tdLS|tdEOR|256, 0, bar)
	c.w(0xd9, 1, pollNormal)
	c.w(0xe4, 4, bar)
	c.n.Card().Deliver(devtest.Frame(testMAC, 200))
	c.classic()
	c.w(0x30, 4, bar)
	c.n.Card().Deliver(devtest.Frame(testMAC, 1000))
	if c.r(0x30, 4) != bar {
		t.Error("the card wrote to itself")
	}
}
