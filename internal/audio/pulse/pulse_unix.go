//go:build linux || freebsd || netbsd || openbsd

package pulse

import (
	"net"
	"os"
	"path/filepath"

	"github.com/jfreymuth/pulse"

	"rhea/internal/audio"
)

// Player is a sink that plays.
type Player struct {
	*audio.Queue
	client *pulse.Client
	stream *pulse.PlaybackStream
	buf    [1024]audio.Frame
	lead   int // frames there are to be before playing goes on
	filled bool
}

// Available reports whether there seems to be a server.
func Available() bool {
	if os.Getenv("PULSE_SERVER") != "" {
		return true
	}
	dir := os.Getenv("PULSE_RUNTIME_PATH")
	if dir == "" {
		if dir = os.Getenv("XDG_RUNTIME_DIR"); dir == "" {
			return false
		}
		dir = filepath.Join(dir, "pulse")
	}
	c, err := net.Dial("unix", filepath.Join(dir, "native"))
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// New connects to the server and begins to play.
func New(c Config) (*Player, error) {
	opts := []pulse.ClientOption{pulse.ClientApplicationName("rhea")}
	if c.Server != "" {
		opts = append(opts, pulse.ClientServerString(c.Server))
	}
	client, err := pulse.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	p := &Player{Queue: audio.NewQueue(c.Rate / 2), client: client, lead: int(float64(c.Rate) * latency / 2)}
	p.stream, err = client.NewPlayback(pulse.Int16Reader(p.read), pulse.PlaybackStereo, pulse.PlaybackSampleRate(c.Rate),
		pulse.PlaybackLatency(latency), pulse.PlaybackMediaName(c.Name))
	if err != nil {
		client.Close()
		return nil, err
	}
	// The answer to Start may take long: the machine need not wait for it.
	go p.stream.Start()
	return p, nil
}

// read gives the server what it asks for: the frames there are, else silence.
// The server's clock is not the machine's, so frames are left out when too
// many wait.
func (p *Player) read(out []int16) (int, error) {
	n := p.Len()
	if !p.filled && n < p.lead {
		clear(out)
		return len(out), nil
	}
	p.filled = true
	if most := 4 * p.lead; n > most+len(out)/2 {
		p.Skip(n - 2*p.lead - len(out)/2)
	}
	at := 0
	for at+1 < len(out) {
		k := p.Take(p.buf[:min((len(out)-at)/2, len(p.buf))])
		if k == 0 {
			p.filled = false
			break
		}
		for _, f := range p.buf[:k] {
			out[at], out[at+1] = f.L, f.R
			at += 2
		}
	}
	clear(out[at:])
	return len(out), nil
}

// Close ends the stream.
func (p *Player) Close() error {
	p.Queue.Close()
	p.client.Close()
	return nil
}
