//go:build !(linux || freebsd || netbsd || openbsd)

package pulse

import (
	"errors"

	"rhea/internal/audio"
)

// Player is a sink that plays.
type Player struct{ *audio.Queue }

// Available reports whether there seems to be a server.
func Available() bool { return false }

// New fails: there is no client for this system yet.
func New(Config) (*Player, error) {
	return nil, errors.New("PulseAudio is not supported on this system yet")
}
