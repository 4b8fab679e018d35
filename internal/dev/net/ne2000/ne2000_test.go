package ne2000

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/netdev"
)

// card is an ISA card on a bench, started as drivers do.
type card struct {
	t *testing.T
	b *devtest.Bench
	n *devtest.Net
}

func newCard(t *testing.T) *card {
	c := &card{t: t}
	c.b = devtest.New(func(b *devtest.Bench) dev.Device {
		c.n = b.Net(testMAC)
		c.n.Refuse = nil
		k := New(Config{Env: b.Env(), Net: c.n, MAC: testMAC, IRQ: b.Out("irq")})
		b.Map(0x300, k.Region())
		return k
	}, 0)
	c.run(`w1 0x300 0x21 / w1 0x30e 0x49 / w1 0x30a 0 / w1 0x30b 0 / w1 0x30c 4 / w1 0x30d 0
		w1 0x301 0x46 / w1 0x302 0x80 / w1 0x303 0x7f / w1 0x304 0x40 / w1 0x307 0xff / w1 0x30f 0x3f
		w1 0x300 0x61`)
	for i, v := range testMAC {
		c.run(fmt.Sprintf("w1 %#x %#x", 0x301+i, v))
	}
	c.run("w1 0x307 0x46 / w1 0x300 0x22")
	return c
}

func (c *card) run(script string) { c.t.Helper(); c.b.Script(c.t, script) }

// read is remote DMA from local memory.
func (c *card) read(addr, n int) []byte {
	c.run(fmt.Sprintf("w1 0x30a %#x / w1 0x30b %#x / w1 0x308 %#x / w1 0x309 %#x / w1 0x300 0x0a", n&0xff, n>>8, addr&0xff, addr>>8))
	out := make([]byte, 0, n+1)
	for len(out) < n {
		v := c.b.Space.Read(0x310, 2)
		out = append(out, byte(v), byte(v>>8))
	}
	c.run("r1 0x307 & 0x40 = 0x40 / w1 0x307 0x40")
	return out[:n]
}

func (c *card) write(addr int, p []byte) {
	c.run(fmt.Sprintf("w1 0x30a %#x / w1 0x30b %#x / w1 0x308 %#x / w1 0x309 %#x / w1 0x300 0x12", len(p)&0xff, len(p)>>8, addr&0xff, addr>>8))
	for i := 0; i < len(p); i += 2 {
		v := uint64(p[i])
		if i+1 < len(p) {
			v |= uint64(p[i+1]) << 8
		}
		c.b.Space.Write(0x310, 2, v)
	}
	c.run("r1 0x307 & 0x40 = 0x40 / w1 0x307 0x40")
}

// The PROM has each byte twice, and two Ws where a card has 16 bits; read by
// bytes in word mode each access moves a word.
func TestPROM(t *testing.T) {
	c := newCard(t)
	p := c.read(0, 32)
	for i, v := range testMAC {
		if p[2*i] != v || p[2*i+1] != v {
			t.Fatalf("PROM %x", p)
		}
	}
	if string(p[28:]) != "WWWW" {
		t.Errorf("PROM ends in %q", p[28:])
	}
	c.run("w1 0x30a 32 / w1 0x30b 0 / w1 0x308 0 / w1 0x309 0 / w1 0x300 0x0a")
	for i, v := range testMAC {
		if got := c.b.Space.Read(0x310, 1); got != uint64(v) {
			t.Errorf("byte %d of the PROM is %#x", i, got)
		}
	}
}

// A remote DMA of nothing is complete at once: Linux's probe waits for it.
func TestZeroDMA(t *testing.T) {
	newCard(t).run("w1 0x307 0xff / w1 0x30a 0 / w1 0x30b 0 / w1 0x300 0x0a / r1 0x307 & 0x40 = 0x40")
}

func TestTransmit(t *testing.T) {
	c := newCard(t)
	f := devtest.Frame(netdev.Broadcast, 200)
	c.write(0x4000, f)
	c.run("w1 0x305 200 / w1 0x306 0 / w1 0x300 0x26 / r1 0x304 = 1 / r1 0x307 & 2 = 2 / out irq = 1 / w1 0x307 0xff / out irq = 0 / r1 0x300 & 4 = 0")
	if len(c.n.Sent) != 1 || !bytes.Equal(c.n.Sent[0], f) {
		t.Errorf("sent %d frames, %x", len(c.n.Sent), c.n.Sent)
	}
	// A network without room holds TXP up.
	c.n.Refuse = func([]byte) bool { return true }
	c.run("w1 0x300 0x26 / r1 0x307 & 2 = 0 / r1 0x300 & 4 = 4")
	c.n.Refuse = nil
	c.run("wake / r1 0x307 & 2 = 2 / r1 0x300 & 4 = 0")
	if len(c.n.Sent) != 2 {
		t.Errorf("%d frames after the network was full", len(c.n.Sent))
	}
	// In reset, with nothing to send (Solaris 9), TXP does not stick.
	c.run("w1 0x300 0x21 / w1 0x305 0 / w1 0x306 0 / w1 0x300 0x26 / r1 0x300 & 4 = 0")
	if len(c.n.Sent) != 2 {
		t.Error("an empty frame was sent")
	}
}

// Frames fill the ring and wrap in it; the header, the FCS and CURR are right.
func TestReceive(t *testing.T) {
	c := newCard(t)
	page, bnry := 0x46, 0x7f
	for i := range 200 {
		f := devtest.Frame(testMAC, 60+i*37%1455)
		if !c.n.Card().Deliver(f) {
			t.Fatalf("frame %d was refused", i)
		}
		c.run("r1 0x307 & 1 = 1 / out irq = 1 / w1 0x307 1 / out irq = 0")
		h := c.read(page<<8, 4)
		want := page + (4+len(f)+4+255)/256
		if want >= 0x80 {
			want -= 0x80 - 0x46
		}
		if h[0] != 1 || int(h[1]) != want || int(h[2])|int(h[3])<<8 != len(f)+4 {
			t.Fatalf("frame %d: header %x, next page is %#x", i, h, want)
		}
		got := c.read(page<<8+4, len(f)+4) // remote DMA wraps as well
		fcs := crc32.ChecksumIEEE(f)
		if !bytes.Equal(got[:len(f)], f) || uint32(got[len(f)])|uint32(got[len(f)+1])<<8|uint32(got[len(f)+2])<<16|uint32(got[len(f)+3])<<24 != fcs {
			t.Fatalf("frame %d is damaged", i)
		}
		page, bnry = want, want-1
		c.run(fmt.Sprintf("w1 0x303 %#x / w1 0x300 0x62 / r1 0x307 = %#x / w1 0x300 0x22", bnry, page))
	}
}

// A full ring holds the network up, and the driver is told again what it may
// have forgotten in it.
func TestBackpressure(t *testing.T) {
	c := newCard(t)
	n := 0
	for c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
		if n++; n > 100 {
			t.Fatal("the ring is never full")
		}
	}
	if n != 14 { // 57 pages, four for each, one stays free
		t.Errorf("%d frames fit", n)
	}
	c.run("w1 0x307 1 / r1 0x307 & 1 = 1")
	was := c.n.Readies
	c.run("w1 0x303 0x49")
	if c.n.Readies == was {
		t.Error("nobody was told of the room")
	}
	c.run("w1 0x307 1 / r1 0x307 & 1 = 0")
	if !c.n.Card().Deliver(devtest.Frame(testMAC, 1000)) {
		t.Error("there is no room")
	}
}

func TestFilter(t *testing.T) {
	group := netdev.MAC{0x01, 0x00, 0x5e, 0, 0, 1}
	for _, tc := range []struct {
		name string
		rcr  uint8
		to   netdev.MAC
		want bool
	}{
		{"own", 0, testMAC, true}, {"other", 0, netdev.MAC{2}, false}, {"promiscuous", 0x10, netdev.MAC{2}, true},
		{"broadcast", 4, netdev.Broadcast, true}, {"no broadcast", 0, netdev.Broadcast, false},
		{"group", 8, group, false}, {"no groups", 0, group, false},
	} {
		c := newCard(t)
		c.run(fmt.Sprintf("w1 0x30c %#x", tc.rcr))
		c.n.Card().Deliver(devtest.Frame(tc.to, 100))
		if got := c.b.Space.Read(0x307, 1)&1 != 0; got != tc.want {
			t.Errorf("%s: taken is %v", tc.name, got)
		}
	}
	// The all-hosts group is bit 31 of the filter (RFC 1112 maps it to
	// 01:00:5e:00:00:01; its CRC's six upper bits are those of Linux's driver).
	c := newCard(t)
	c.run("w1 0x300 0x62")
	for i := range 8 {
		c.run(fmt.Sprintf("w1 %#x 0xff", 0x308+i))
	}
	c.run("w1 0x300 0x22 / w1 0x30c 8")
	c.n.Card().Deliver(devtest.Frame(group, 100))
	c.run("r1 0x307 & 1 = 1")
}

// CVE-2015-5279: a receive ring whose bounds are outside the buffer. CVE-2016-2841:
// bounds among which the writing of a frame never comes to an end.
func TestRingBounds(t *testing.T) {
	for _, r := range [][4]uint8{ // PSTART, PSTOP, BNRY, CURR
		{0x46, 0x46, 0x46, 0x46}, {0, 0, 0, 0}, {0xff, 0, 0, 0xff}, {0x80, 0x40, 0x60, 0x70}, {0x46, 0x47, 0, 0x46},
		{0x00, 0xff, 0xff, 0x30}, {0x7f, 0x81, 0, 0x7f}, {0xc0, 0xff, 0, 0xc0}, {0x46, 0x80, 0, 0x90}, {0x40, 0x41, 0x45, 0x50},
	} {
		c := newCard(t)
		c.run(fmt.Sprintf("w1 0x301 %#x / w1 0x302 %#x / w1 0x303 %#x / w1 0x300 0x62 / w1 0x307 %#x / w1 0x300 0x22", r[0], r[1], r[2], r[3]))
		for range 300 {
			c.n.Card().Deliver(devtest.Frame(testMAC, 1514))
		}
		c.read(0, 32) // the card lives
	}
}

// A frame to send that is not in the buffer, or longer than it, is not sent.
func TestTransmitBounds(t *testing.T) {
	c := newCard(t)
	for _, x := range [][3]int{{0, 0, 1}, {0x7f, 0xff, 0xff}, {0xff, 0xff, 0xff}, {0x40, 0xff, 0x3f}, {0x20, 60, 0}} {
		c.run(fmt.Sprintf("w1 0x304 %#x / w1 0x305 %#x / w1 0x306 %#x / w1 0x300 0x26 / r1 0x300 & 4 = 0", x[0], x[1], x[2]))
	}
	for _, f := range c.n.Sent {
		if len(f) > netdev.MaxFrame {
			t.Errorf("a frame of %d bytes was sent", len(f))
		}
	}
	// NetWare 3.11 sends from above the buffer, where it is seen again.
	c.write(0x4000, devtest.Frame(netdev.Broadcast, 64))
	was := len(c.n.Sent)
	c.run("w1 0x304 0x80 / w1 0x305 64 / w1 0x306 0 / w1 0x300 0x26")
	if len(c.n.Sent) != was+1 {
		t.Error("nothing was sent from page 80h")
	}
}

// Loopback gives a frame to the receiver and not to the network.
func TestLoopback(t *testing.T) {
	c := newCard(t)
	c.write(0x4000, devtest.Frame(testMAC, 64))
	c.run("w1 0x30d 2 / w1 0x307 0xff / w1 0x305 64 / w1 0x306 0 / w1 0x300 0x26 / r1 0x307 & 3 = 3")
	if len(c.n.Sent) != 0 {
		t.Error("it reached the network")
	}
}

// What passes the data port at one go is what passes it word by word.
func TestStream(t *testing.T) {
	f := devtest.Frame(testMAC, 1200)
	run := func(stream bool) (*card, []byte) {
		c := newCard(t)
		k := c.b.Dev().(*Card)
		c.write(0x4100, f)
		var out []byte
		for _, x := range [][2]int{{0x4100, 100}, {0x4100, 400}, {0x7f80, 128}, {0x7f80, 200}, {0, 32}, {0x7fff, 4}, {0x4200, 7}} {
			c.run(fmt.Sprintf("w1 0x30a %#x / w1 0x30b %#x / w1 0x308 %#x / w1 0x309 %#x / w1 0x300 0x0a", x[1]&0xff, x[1]>>8, x[0]&0xff, x[0]>>8))
			p := make([]byte, x[1]&^1)
			if !stream || !c.b.Space.ReadStream(0x310, 2, p) {
				for i := 0; i < len(p); i += 2 {
					v := c.b.Space.Read(0x310, 2)
					p[i], p[i+1] = byte(v), byte(v>>8)
				}
			}
			out = append(append(out, p...), byte(k.rsar), byte(k.rsar>>8), byte(k.rbcr), k.isr)
			c.run("w1 0x307 0x40")
		}
		c.run("w1 0x30a 0xb0 / w1 0x30b 4 / w1 0x308 0 / w1 0x309 0x50 / w1 0x300 0x12")
		if !stream || !c.b.Space.WriteStream(0x310, 2, f) {
			for i := 0; i < len(f); i += 2 {
				c.b.Space.Write(0x310, 2, uint64(f[i])|uint64(f[i+1])<<8)
			}
		}
		return c, append(append(out, k.ram[:]...), k.isr)
	}
	_, want := run(false)
	if _, got := run(true); !bytes.Equal(got, want) {
		t.Error("they differ")
	}
}

func TestISAConforms(t *testing.T) {
	b := devtest.New(onISA, 0)
	b.Script(t, "r1 0x30a = 0xff / w1 0x300 0x21 / w1 0x300 0xe1 / r1 0x301 = 0xff / r1 0x31f / r1 0x300 = 0x21")
}

func BenchmarkReceive(b *testing.B) {
	n := &devtest.Net{}
	k := New(Config{Net: n, MAC: testMAC})
	k.pstart, k.pstop, k.bnry, k.curr, k.cr, k.par = 0x46, 0x80, 0x7f, 0x46, crSTA, testMAC
	f := devtest.Frame(testMAC, 1514)
	b.ReportAllocs()
	for b.Loop() {
		k.Deliver(f)
		k.bnry = k.curr - 1
	}
}
