// Package dev is what every device has in common: it is state and pins.
package dev

import (
	"rhea/internal/snap"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// Device is a part on a board. All calls come under the machine's lock.
type Device interface {
	// Reset puts the part in its power-on state. It touches only its own
	// state; the board calls Settle on all parts afterwards.
	Reset()
	// State walks the part's state: save, load, describe.
	State(*snap.Section)
}

// Settler is a Device with outputs. Settle drives every output from the
// state; to call it twice changes nothing.
type Settler interface{ Settle() }

// Env is what a part may know of the machine it is in.
type Env struct {
	Clock vclock.Clock
	Log   *trace.Log
	Power Power
	// Post runs f soon, on the machine's event loop, under its lock. Host
	// goroutines hand in their results with it. It never blocks.
	Post func(f func())
}

// Power is how a part asks for what concerns the whole machine. Requests are
// carried out soon, by the machine's event loop.
type Power interface {
	RequestReset(reason string)
	// RequestPowerOff is the guest switching itself off.
	RequestPowerOff(reason string)
	// RequestExit ends the process with a code (isa-debug-exit).
	RequestExit(code int)
}
