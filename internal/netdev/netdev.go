// Package netdev is the contract of networks: cards in the machine, back ends
// on the host, and the cable between them.
//
// A card lives under the machine's lock, a back end on goroutines of its own.
// A Link joins the two by bounded queues, so that neither waits for the other
// while it holds anything.
package netdev

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Sizes of Ethernet frames in bytes (IEEE 802.3, without preamble and FCS).
const (
	HeaderLen = 14
	MinFrame  = 60
	MTU       = 1500
	MaxFrame  = HeaderLen + 4 + MTU // with a VLAN tag
	// MaxBig is the longest frame that is not cut into segments yet.
	MaxBig = 64<<10 + HeaderLen + 4
)

// Peer takes frames, without their FCS. The caller keeps the slice.
type Peer interface {
	// Deliver reports false if there is no room: the sender keeps the frame
	// and is woken when there is.
	Deliver(frame []byte) bool
}

// Waker is a sender that is told that its peer has room again. Wake never
// blocks.
type Waker interface{ Wake() }

// Card is what a Port knows of the card in the machine. All calls come under
// the machine's lock.
type Card interface {
	Peer
	Waker
	// SetLink tells of the cable: whether there is a carrier.
	SetLink(up bool)
}

// Port is the network as a card sees it. All calls are made under the
// machine's lock; none blocks.
type Port interface {
	Peer
	// DeliverBig takes a TCP/IP frame of up to MaxBig bytes that is one
	// segment too long for the cable, or whose TCP or UDP checksum is yet to
	// be filled in. Only a Port with Big takes such frames.
	DeliverBig(frame []byte) bool
	Big() bool
	// Ready tells that the card, which had refused a frame, has room again.
	Ready()
	// Attach names the card; nil detaches. The card is told of the link.
	Attach(Card)
}

// Backend is the host's end of a network. Deliver is called on goroutines
// without the machine's lock and may take its time; false means that the
// frame is lost.
type Backend interface {
	Peer
	// Attach names who takes the frames that come from the host. It is called
	// once, before anything else.
	Attach(Peer)
	io.Closer
}

// BigBackend is a Backend that takes what Port.DeliverBig describes.
type BigBackend interface{ DeliverBig(frame []byte) bool }

// Describer is a Backend that says what it is in a line of "info network".
type Describer interface{ Describe() string }

// MAC is an Ethernet address.
type MAC [6]byte

// Broadcast is the address of all.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// DefaultMAC is the address of the nth card that is given none.
func DefaultMAC(n int) MAC { return MAC{0x52, 0x54, 0x00, 0x12, 0x34, byte(0x56 + n)} }

// ParseMAC reads "52:54:00:12:34:56", or with dashes.
func ParseMAC(s string) (m MAC, err error) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' })
	if len(parts) == len(m) {
		for i, p := range parts {
			v, perr := strconv.ParseUint(p, 16, 8)
			if perr != nil {
				err = perr
			}
			m[i] = byte(v)
		}
	}
	if len(parts) != len(m) || err != nil {
		return m, fmt.Errorf("'%s' is not an Ethernet address such as 52:54:00:12:34:56", s)
	}
	if m[0]&1 != 0 {
		return m, fmt.Errorf("'%s' is an address of a group of cards (its first byte is odd)", s)
	}
	return m, nil
}
