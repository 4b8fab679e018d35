package system

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"rhea/internal/audio"
	"rhea/internal/audio/pulse"
	"rhea/internal/catalog"
	"rhea/internal/prop"
)

// soundRate is the frames a second unless out.frequency= says otherwise.
const soundRate = 44100

func newAudiodev(driver, id, option string) Audiodev {
	return Audiodev{Driver: driver, ID: id, Rate: soundRate, Channels: 2, Bits: 16, Path: "qemu.wav", Option: option}
}

func audiodevHelp(w io.Writer) { listHelp(w, "Available audio drivers:", catalog.Audiodevs()) }

// findAudiodev returns a driver.
func findAudiodev(name string) (catalog.Entry, error) {
	e, ok := catalog.Find(catalog.Audiodevs(), name)
	switch {
	case name == "":
		return e, errors.New("the driver's name is missing; -audiodev help lists them")
	case !ok:
		return e, fmt.Errorf("'%s' is not an audio driver%s; -audiodev help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Audiodevs())))
	case !e.Built:
		return e, fmt.Errorf("the audio driver '%s' is not supported yet; use pa (PulseAudio, PipeWire), wav or none", name)
	}
	return e, nil
}

// audiodevProps declares the properties of a driver.
func audiodevProps(s *prop.Set, a *Audiodev) {
	s.String("id", &a.ID)
	s.Int("out.frequency", &a.Rate, audio.MinRate, audio.MaxRate)
	s.Int("out.channels", &a.Channels, 1, 2)
	s.Func("out.format", "u8|s16", func(v string) error {
		bits, ok := map[string]int{"u8": 8, "s16": 16}[v]
		if !ok {
			return fmt.Errorf("'%s' is not supported yet, u8 and s16 are", v)
		}
		a.Bits = bits
		return nil
	})
	// There is one mixer, which knows how long its buffers are.
	s.Ignore("timer-period", "out.voices", "out.buffer-length", "out.buffer-count", "out.fixed-settings", "out.mixing-engine")
	s.Ignore("in.voices", "in.buffer-length", "in.buffer-count", "in.fixed-settings", "in.mixing-engine", "in.frequency", "in.channels", "in.format")
	switch a.Driver {
	case "wav":
		s.String("path", &a.Path)
	case "pa":
		s.String("server", &a.Server)
		s.Ignore("out.latency", "in.latency", "out.stream-name", "in.stream-name")
		s.NotYet("out.name", "in.name")
	}
}

func setAudiodev(p *parser, arg string) error {
	l, err := prop.Parse(arg, "driver")
	if err != nil {
		return err
	}
	if l.WantsHelp("driver") {
		return helpAsked{audiodevHelp}
	}
	a, err := bindAudiodev(l, "", p.option)
	if err != nil {
		return err
	}
	if !validID(a.ID) {
		return fmt.Errorf("parameter 'id': '%s' is not an identifier (a letter, then letters, digits, '-', '.', '_')", a.ID)
	}
	return p.addAudiodev(a)
}

// bindAudiodev reads a driver and its properties.
func bindAudiodev(l prop.List, id, option string) (Audiodev, error) {
	name, rest := l.Take("driver")
	e, err := findAudiodev(name)
	if err != nil {
		return Audiodev{}, err
	}
	a := newAudiodev(e.Name, id, option)
	var s prop.Set
	audiodevProps(&s, &a)
	if err := s.Bind(rest); err != nil {
		return a, err
	}
	if a.ID == "" {
		return a, errors.New("parameter 'id' is missing")
	}
	return a, nil
}

func (p *parser) addAudiodev(a Audiodev) error {
	if p.cfg.Audiodev(a.ID) != nil {
		return fmt.Errorf("the id '%s' was given twice", a.ID)
	}
	p.cfg.Audiodevs = append(p.cfg.Audiodevs, a)
	return nil
}

// setAudio is -audio: a driver that all cards have, and perhaps a card.
func setAudio(p *parser, arg string) error {
	l, err := prop.Parse(arg, "driver")
	if err != nil {
		return err
	}
	if l.WantsHelp("driver") {
		return helpAsked{audiodevHelp}
	}
	model, l := l.Take("model")
	if prop.IsHelp(model) {
		return helpAsked{soundHelp}
	}
	a, err := bindAudiodev(l, "audiodev0", p.option)
	if err != nil {
		return err
	}
	if err := p.addAudiodev(a); err != nil {
		return err
	}
	p.audioDefault = a.ID
	if model == "" {
		return nil
	}
	return p.addSoundCard(model)
}

// soundCards are the names of -soundhw, which are of another case sometimes
// than those of -device.
func soundCards() []catalog.Entry {
	var l []catalog.Entry
	for _, e := range catalog.Devices() {
		if e.Group == "Sound" {
			e.Alias = strings.ToLower(e.Name)
			l = append(l, e)
		}
	}
	return append(l, catalog.Entry{Name: "pcspk", Group: "Sound", Desc: "PC speaker", Built: true})
}

func soundHelp(w io.Writer) {
	fmt.Fprintln(w, "Valid sound card names (comma separated):")
	for _, e := range soundCards() {
		if e.Built {
			fmt.Fprintf(w, "%-11s %s\n", strings.ToLower(e.Name), e.Desc)
		}
	}
	fmt.Fprintln(w, "\n-soundhw all will enable all of the above")
}

func setSoundHW(p *parser, arg string) error {
	if prop.IsHelp(arg) {
		return helpAsked{soundHelp}
	}
	if arg == "all" {
		for _, e := range soundCards() {
			if e.Built {
				if err := p.addSoundCard(e.Name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, name := range strings.Split(arg, ",") {
		if err := p.addSoundCard(name); err != nil {
			return err
		}
	}
	return nil
}

// addSoundCard adds a card by one of soundCards' names.
func (p *parser) addSoundCard(name string) error {
	e, ok := catalog.Find(soundCards(), name)
	switch {
	case !ok:
		return fmt.Errorf("unknown sound card '%s'%s; -soundhw help lists them", name, prop.DidYouMean(name, catalog.Names(soundCards())))
	case !e.Built:
		return fmt.Errorf("the sound card '%s' is not supported yet; -soundhw help lists those that are", name)
	case e.Name == "pcspk":
		p.speaker = true
		return nil
	}
	p.devices = append(p.devices, Device{Driver: e.Name, Option: p.option})
	return nil
}

// soundProps declares the properties of sound cards.
func soundProps(driver string, s *prop.Set, d *Sound) {
	s.String("audiodev", &d.Audiodev)
	switch driver {
	case "sb16":
		s.Uint("iobase", &d.IOBase, 16)
		s.Uint("irq", &d.IRQ, 4)
		s.Uint("dma", &d.DMA, 3)
		s.Uint("hdma", &d.HDMA, 3)
		s.Uint("version", &d.Version, 16)
	case "adlib":
		s.Func("iobase", "0x388", func(v string) error {
			n, err := prop.Uint(v, 16)
			if err == nil && n != 0x388 && n != 0x220 {
				err = fmt.Errorf("'%s' is not supported yet: the card is at 0x388", v)
			}
			return err
		})
		s.Ignore("freq")
	case "AC97", "ES1370":
		bus := ""
		s.Enum("bus", &bus, "pci.0")
		slotProp(s, &d.Slot)
		s.IgnoreOff("multifunction")
		s.Ignore("rombar") // they have no ROM
		s.NotYet("romfile")
	}
}

// addSound takes a -device of a sound card.
func (p *parser) addSound(d Device) error {
	c := Sound{Driver: d.Driver, Slot: -1, ID: d.ID, Option: d.Option}
	var s prop.Set
	soundProps(d.Driver, &s, &c)
	if err := s.Bind(d.Props); err != nil {
		return err
	}
	if c.Audiodev != "" && p.cfg.Audiodev(c.Audiodev) == nil {
		return noAudiodev(c.Audiodev)
	}
	if e, _ := catalog.Find(catalog.Devices(), d.Driver); e.Bus == "PCI" && p.cfg.Machine.Type == "isapc" {
		return fmt.Errorf("an isapc has no PCI bus for %s", d.Driver)
	}
	if e, _ := catalog.Find(catalog.Devices(), d.Driver); e.Bus == "ISA" && slices.ContainsFunc(p.cfg.Sounds, func(o Sound) bool { return o.Driver == d.Driver }) {
		return fmt.Errorf("there is one %s already", d.Driver)
	}
	p.cfg.Sounds = append(p.cfg.Sounds, c)
	return nil
}

func noAudiodev(id string) error { return fmt.Errorf("no -audiodev has the id '%s'", id) }

// finishAudio gives an audio device to all that was given none.
func (p *parser) finishAudio() error {
	c := p.cfg
	if c.Machine.SpeakerAudio != "" && c.Audiodev(c.Machine.SpeakerAudio) == nil {
		return &optError{p.machineOption, noAudiodev(c.Machine.SpeakerAudio)}
	}
	id := p.audioDefault
	if id == "" && len(c.Audiodevs) > 0 {
		id = c.Audiodevs[0].ID
	}
	// The speaker is heard where -soundhw pcspk, -machine pcspk-audiodev= or
	// anything else about sound was given.
	heard := p.speaker || len(c.Audiodevs) > 0 || len(c.Sounds) > 0
	if id == "" && c.Web != nil && os.Getenv("QEMU_AUDIO_DRV") == "" {
		a := newAudiodev("none", "audiodev0", "") // the page plays it
		c.Audiodevs = append(c.Audiodevs, a)
		id, heard = a.ID, true
	}
	if id == "" && (heard || os.Getenv("QEMU_AUDIO_DRV") != "") {
		a, err := p.defaultAudio()
		if err != nil {
			return err
		}
		c.Audiodevs = append(c.Audiodevs, a)
		id, heard = a.ID, true
	}
	for i := range c.Sounds {
		if c.Sounds[i].Audiodev == "" {
			c.Sounds[i].Audiodev = id
		}
	}
	if heard && c.Machine.SpeakerAudio == "" {
		c.Machine.SpeakerAudio = id
	}
	return p.finishListeners(id)
}

// finishListeners gives an audio device to the displays that play sound as
// well.
func (p *parser) finishListeners(id string) error {
	c := p.cfg
	give := func(option string, to *string) error {
		if *to == "" {
			*to = id
		} else if c.Audiodev(*to) == nil {
			return &optError{option, noAudiodev(*to)}
		}
		return nil
	}
	for i := range c.VNC {
		if err := give(c.VNC[i].Option, &c.VNC[i].Audiodev); err != nil {
			return err
		}
	}
	if c.Web != nil {
		return give(c.Web.Option, &c.Web.Audiodev)
	}
	return nil
}

// defaultAudio is what is used without -audiodev: what QEMU_AUDIO_DRV and
// QEMU_WAV_PATH say, as QEMU had it until 4.2, else a sound server if there is
// one.
func (p *parser) defaultAudio() (Audiodev, error) {
	name := os.Getenv("QEMU_AUDIO_DRV")
	if name == "" {
		if !pulse.Available() {
			p.note("sound is not heard: there is no PulseAudio server; -audiodev wav,id=a,path=FILE writes it to a file")
			return newAudiodev("none", "audiodev0", ""), nil
		}
		name = "pa"
	}
	fail := func(err error) (Audiodev, error) { return Audiodev{}, &optError{"QEMU_AUDIO_DRV=" + name, err} }
	e, err := findAudiodev(name)
	if err != nil {
		return fail(err)
	}
	a := newAudiodev(e.Name, "audiodev0", "")
	if path := os.Getenv("QEMU_WAV_PATH"); path != "" {
		a.Path = path
	}
	if f := os.Getenv("QEMU_WAV_FREQUENCY"); f != "" && e.Name == "wav" {
		if a.Rate, err = strconv.Atoi(f); err != nil || a.Rate < audio.MinRate || a.Rate > audio.MaxRate {
			return fail(fmt.Errorf("QEMU_WAV_FREQUENCY=%s is not in %d..%d", f, audio.MinRate, audio.MaxRate))
		}
	}
	return a, nil
}
