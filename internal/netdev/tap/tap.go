// Package tap is the network of a TAP interface of the host ("-netdev tap"):
// the guest is one more machine on the host's Ethernet. Linux has them; other
// systems are refused.
package tap

// Config describes a network.
type Config struct {
	// Name is the interface's name, "" = the kernel chooses one.
	Name string
	// FD is an inherited descriptor of an interface, -1 = none.
	FD int
	// Script is run with the interface's name when it is there, DownScript
	// when it goes; "" = none.
	Script, DownScript string
}
