//go:build !linux

package tap

import (
	"errors"

	"rhea/internal/netdev"
)

// Network is not to be had on this system.
type Network struct{ netdev.Backend }

// New refuses.
func New(Config) (*Network, error) {
	return nil, errors.New("there are TAP networks on Linux hosts only; use -netdev user")
}
