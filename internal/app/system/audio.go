package system

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"rhea/internal/audio"
	"rhea/internal/audio/pulse"
	"rhea/internal/audio/wav"
	"rhea/internal/board/pc"
	"rhea/internal/dev"
	"rhea/internal/monitor/hmp"
)

// sounds is where the machine's sound goes. The machine's lock keeps captures.
type sounds struct {
	mixers   map[string]*audio.Mixer // by the ID of the -audiodev
	captures []*capture              // of wavcapture, nil = stopped
}

// capture is a wavcapture.
type capture struct {
	path   string
	w      *wav.Writer
	detach func()
}

// sound opens the audio devices and adds the sound cards.
func (m *machine) sound(b *pc.Config) error {
	m.sounds.mixers = map[string]*audio.Mixer{}
	for i := range m.cfg.Audiodevs {
		a := &m.cfg.Audiodevs[i]
		mixer := audio.NewMixer(audio.Config{Clock: m.vm.Env().Clock, Rate: a.Rate})
		m.sounds.mixers[a.ID] = mixer
		sink, err := openSink(a, m.title())
		if err != nil {
			option := a.Option
			if option == "" {
				option = "-audiodev " + a.Driver
			}
			return &optError{option, err}
		}
		if sink == nil {
			continue
		}
		mixer.Attach(sink)
		m.closeLater(closeFunc(func() error {
			m.vm.Do(mixer.Flush)
			err := sink.Close()
			if err != nil {
				fmt.Fprintf(m.env.Stderr, "%s: %s: %v\n", m.env.Program, a.Option, reason(err))
			}
			return err
		}))
	}
	b.SpeakerAudio = m.sounds.mixers[m.cfg.Machine.SpeakerAudio]
	// A Sound Blaster leaves the AdLib's ports to an AdLib.
	cards := slices.Clone(m.cfg.Sounds)
	slices.SortStableFunc(cards, func(x, y Sound) int {
		first := func(s Sound) int {
			if s.Driver == "adlib" {
				return 0
			}
			return 1
		}
		return first(x) - first(y)
	})
	for _, c := range cards {
		b.Slots = append(b.Slots, m.soundCard(c))
	}
	return nil
}

// sinkCloser is what an audio device plays to.
type sinkCloser interface {
	audio.Sink
	io.Closer
}

// openSink opens what a driver plays to; nil = nothing.
func openSink(a *Audiodev, title string) (sinkCloser, error) {
	switch a.Driver {
	case "wav":
		w, err := wav.Create(a.Path, wav.Config{Rate: a.Rate, Channels: a.Channels, Bits: a.Bits})
		if err != nil {
			return nil, fmt.Errorf("could not create '%s': %w", a.Path, reason(err))
		}
		return w, nil
	case "pa":
		p, err := pulse.New(pulse.Config{Server: a.Server, Name: title, Rate: a.Rate})
		if err != nil {
			return nil, fmt.Errorf("no PulseAudio server answers (%w); -audiodev none and wav need none", err)
		}
		return p, nil
	}
	return nil, nil
}

// soundCard plugs a card in.
func (m *machine) soundCard(c Sound) pc.Slot {
	mixer := m.sounds.mixers[c.Audiodev]
	var slot pc.Slot
	switch c.Driver {
	case "sb16":
		slot = pc.SB16Slot(pc.SB16{Audio: mixer, IOBase: c.IOBase, IRQ: int(c.IRQ), DMA: int(c.DMA), HDMA: int(c.HDMA), Version: uint16(c.Version)})
	case "adlib":
		slot = pc.AdLibSlot(mixer)
	case "AC97":
		slot = pc.PCISlot(c.Driver, c.Slot, pc.AC97(mixer))
	case "ES1370":
		slot = pc.PCISlot(c.Driver, c.Slot, pc.ES1370(mixer))
	default:
		panic("BUG: no sound card " + c.Driver)
	}
	return func(b *pc.Machine) (path string, d dev.Device, err error) {
		if path, d, err = slot(b); err != nil {
			err = &optError{c.Option, err}
		}
		return path, d, err
	}
}

// wavCapture is the monitor's "wavcapture".
func (m *machine) wavCapture(_ io.Writer, a hmp.Args) error {
	mixer := m.sounds.mixers[a.Text("audiodev")]
	if mixer == nil {
		return noAudiodev(a.Text("audiodev"))
	}
	c := wav.Config{Rate: mixer.Rate(), FileRate: soundRate, Channels: 2, Bits: 16}
	for _, f := range []struct {
		name   string
		to     *int
		lo, hi int
	}{{"freq", &c.FileRate, audio.MinRate, audio.MaxRate}, {"bits", &c.Bits, 8, 16}, {"nchannels", &c.Channels, 1, 2}} {
		if !a.Has(f.name) {
			continue
		}
		n := a.Number(f.name)
		if n < int64(f.lo) || n > int64(f.hi) || f.name == "bits" && n != 8 && n != 16 {
			return fmt.Errorf("%s: %d is not possible (%d to %d)", f.name, n, f.lo, f.hi)
		}
		*f.to = int(n)
	}
	path := a.Text("path")
	w, err := wav.Create(path, c)
	if err != nil {
		return fmt.Errorf("could not create '%s': %w", path, reason(err))
	}
	m.vm.Do(func() {
		k := &capture{path: path, w: w, detach: mixer.Attach(w)}
		if i := slices.Index(m.sounds.captures, nil); i >= 0 {
			m.sounds.captures[i] = k
		} else {
			m.sounds.captures = append(m.sounds.captures, k)
		}
	})
	return nil
}

// stopCapture is the monitor's "stopcapture".
func (m *machine) stopCapture(_ io.Writer, a hmp.Args) error {
	n := a.Number("n")
	var k *capture
	m.vm.Do(func() {
		if n >= 0 && n < int64(len(m.sounds.captures)) {
			if k = m.sounds.captures[n]; k != nil {
				k.detach()
				m.sounds.captures[n] = nil
			}
		}
	})
	if k == nil {
		return errors.New("there is no such capture; info capture lists them")
	}
	return k.w.Close()
}

// endCaptures closes what wavcapture has begun.
func (m *machine) endCaptures() {
	for _, k := range m.sounds.captures {
		if k != nil {
			k.w.Close()
		}
	}
}

// captureInfo is "info capture".
func (m *machine) captureInfo(w io.Writer) {
	for i, k := range m.sounds.captures {
		if k != nil {
			c := k.w.Config()
			fmt.Fprintf(w, "[%d]: Capturing audio(%d,%d,%d) to %s: %d bytes\n", i, c.FileRate, c.Bits, c.Channels, k.path, k.w.Bytes())
		}
	}
}
