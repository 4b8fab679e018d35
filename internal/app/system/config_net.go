package system

import (
	"time"

	"rhea/internal/netdev"
	"rhea/internal/netdev/tap"
	"rhea/internal/netdev/user"
)

// Netdev is a network of the host's, as -netdev, -net and -nic give it.
type Netdev struct {
	ID   string
	Type string // a name of catalog.Netdevs
	// Hub is the hub that -net (or hubport) plugs it into, -1 = none.
	Hub int

	User user.Config
	// Guest are user's guestfwd, of which User.Guest has the addresses only.
	Guest []GuestForward
	Tap   tap.Config
	Sock  Socket
	// Netdev is what a hubport has plugged in, "" = nothing.
	Netdev string
	// Option is how the user wrote it, for messages.
	Option string
}

// GuestForward is what is behind a guestfwd address.
type GuestForward struct {
	Text          string
	Network, Addr string // dialled for each connection,
	Command       string // or run for each
	Chardev       string // or joined to one at a time
}

// Socket is what joins networks of several machines.
type Socket struct {
	Network, Addr string // as package net has them; "" = FD
	FD            int
	Server        bool
	Reconnect     time.Duration
	// Datagram: Addr is the local address, Remote the peer's or a group's.
	Datagram  bool
	Remote    string
	Interface string
}

// NIC is a network card.
type NIC struct {
	Model  string // a name of catalog.Devices
	ID     string // of -device
	Netdev string // "" = none
	Hub    int    // -1 = none
	MAC    netdev.MAC
	HasMAC bool
	Slot   int // on the PCI bus, -1 = the first that is free
	// ROM is the file of the option ROM, "" = none; OwnROM says that the user
	// has named it.
	ROM       string
	OwnROM    bool
	BootIndex int    // -1 = not given
	IOBase    uint16 // of an ISA card
	IRQ       int
	Option    string
}

// NetDump is -object filter-dump.
type NetDump struct {
	Netdev, File string
	MaxLen       int // 0 = 65536
	Option       string
}
