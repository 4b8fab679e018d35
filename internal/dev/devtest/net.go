package devtest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"

	"rhea/internal/bus/pci"
	"rhea/internal/mem"
	"rhea/internal/netdev"
)

// Net is a network for a card on the bench: what the card sends is kept, what
// the test sends is delivered.
type Net struct {
	Sent [][]byte
	// Bigs says of each whether it came by DeliverBig.
	Bigs []bool
	// Refuse, if not nil, says which frames find no room.
	Refuse func(frame []byte) bool
	// TakesBig is what Big says.
	TakesBig bool
	// Readies counts how often the card told that it has room.
	Readies int

	card netdev.Card
}

// Attach implements netdev.Port: the cable is plugged in.
func (n *Net) Attach(c netdev.Card) {
	n.card = c
	c.SetLink(true)
}

// Ready implements netdev.Port.
func (n *Net) Ready() { n.Readies++ }

// Big implements netdev.Port.
func (n *Net) Big() bool { return n.TakesBig }

// Deliver implements netdev.Port.
func (n *Net) Deliver(frame []byte) bool { return n.take(frame, false) }

// DeliverBig implements netdev.Port.
func (n *Net) DeliverBig(frame []byte) bool { return n.take(frame, true) }

func (n *Net) take(frame []byte, big bool) bool {
	if n.Refuse != nil && n.Refuse(frame) {
		return false
	}
	if len(n.Sent) < 1000 {
		n.Sent, n.Bigs = append(n.Sent, slices.Clone(frame)), append(n.Bigs, big)
	}
	return true
}

// Card returns the card that is attached.
func (n *Net) Card() netdev.Card { return n.card }

// Frame is a frame of n bytes to an address with a recognisable payload.
func Frame(to netdev.MAC, n int) []byte {
	f := make([]byte, n)
	for i := range f {
		f[i] = byte(i * 7)
	}
	copy(f, to[:])
	copy(f[6:], []byte{0x52, 0x55, 10, 0, 2, 2, 0x08, 0x00})
	return f
}

// Net gives the bench a network, with words for scripts and the fuzzer: frames
// of all kinds that come, a cable that is pulled, a network that has room
// again. Some of what is sent finds no room, always the same.
func (b *Bench) Net(mac netdev.MAC) *Net {
	n := &Net{Refuse: func(f []byte) bool { return len(f)%11 == 5 }}
	b.Verb("rx", func(a []uint64) uint64 {
		to := []netdev.MAC{mac, netdev.Broadcast, {1, 0, 0x5e, byte(a[1])}, {0x52, 0x54, byte(a[1]), 1, 2, 3}}[a[0]%4]
		f := Frame(to, netdev.HeaderLen+int(a[2])%1505)
		if a[3]%3 == 0 {
			binary.BigEndian.PutUint16(f[12:], uint16(a[3]))
		}
		if n.card.Deliver(f) {
			return 1
		}
		return 0
	})
	b.Verb("wake", func([]uint64) uint64 { n.card.Wake(); return 0 })
	b.In("cable", func(up bool) { n.card.SetLink(up) })
	return n
}

// pattern is 64 KiB of which some looks like descriptors.
var pattern = sync.OnceValue(func() []byte {
	b := make([]byte, 64<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
		switch i & 15 {
		case 1, 5, 9: // lengths
			b[i] &= 3
		case 6, 7, 10, 11, 12, 13, 14, 15: // and addresses are small
			b[i] &= b[i] >> 4 & 1
		}
	}
	return b
})

// Patterned is memory for bus masters that holds the same whatever is written
// to it: a saved part finds what it would have found. Above 1 MiB is nothing.
func Patterned() *mem.Space {
	root := mem.NewContainer("patterned", 0)
	rom := mem.NewROM("patterned", 64<<10, pattern())
	root.Add(0, rom)
	for i := uint64(1); i < 16; i++ {
		root.Add(i<<16, mem.NewAlias("patterned", rom, 0, 64<<10))
	}
	return mem.NewSpace("patterned", root, nil)
}

// NetBus is a PCI bus for a card on the bench whose functions are bus masters
// of Patterned memory.
func NetBus() *pci.Bus {
	return pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: mem.NewContainer("io", 0x10000), DMA: Patterned()})
}
