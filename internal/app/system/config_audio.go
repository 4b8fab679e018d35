package system

// Audiodev is -audiodev: where sound goes.
type Audiodev struct {
	ID     string
	Driver string // a name of catalog.Audiodevs
	// Rate, Channels and Bits are of what is played: frames a second.
	Rate, Channels, Bits int
	// Path is wav's file, Server pa's.
	Path, Server string
	// Option is how the user wrote it, "" = it is the default.
	Option string
}

// Sound is a sound card.
type Sound struct {
	Driver   string // of catalog.Devices' group "Sound"
	ID       string
	Audiodev string // "" = the default
	// Zero is what the card usually has.
	IOBase, IRQ, DMA, HDMA, Version uint64
	Slot                            int // on the PCI bus, -1 = the first that is free
	Option                          string
}

// Audiodev returns the audio device called id.
func (c *Config) Audiodev(id string) *Audiodev {
	for i := range c.Audiodevs {
		if c.Audiodevs[i].ID == id {
			return &c.Audiodevs[i]
		}
	}
	return nil
}
