// Package pulse plays through a PulseAudio server, or what speaks its protocol
// (PipeWire).
package pulse

// Config is how a stream is played.
type Config struct {
	Server string // "" = that of the environment
	Name   string // of the stream
	Rate   int
}

// latency is how far ahead of what is heard frames are kept, in seconds.
const latency = 0.06
