package pc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rhea/internal/audio"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/audio/ac97"
	"rhea/internal/dev/audio/es1370"
	"rhea/internal/dev/audio/opl2"
	"rhea/internal/dev/audio/sb16"
)

// SB16 is a Sound Blaster 16. Zero values are the usual ones.
type SB16 struct {
	Audio   *audio.Mixer
	IOBase  uint64 // 220h
	IRQ     int    // 5
	DMA     int    // 1
	HDMA    int    // 5
	Version uint16
}

// FMBase is where the synthesizers of an AdLib, and of a Sound Blaster beside
// its own ports, are.
const FMBase = 0x388

// mpuBase is where a Sound Blaster's MPU-401 is.
const mpuBase = 0x330

// SB16Slot plugs in a Sound Blaster 16. Its synthesizer is at FMBase, too,
// unless an AdLib is there.
func SB16Slot(c SB16) Slot {
	return func(m *Machine) (string, dev.Device, error) {
		if c.IOBase == 0 {
			c.IOBase = 0x220
		}
		irqBit, dma, hdma := uint8(1<<1), uint8(1<<1), uint8(1<<5)
		if c.IRQ != 0 {
			i := slices.Index(sb16.IRQs[:], c.IRQ)
			if c.IRQ == 2 {
				i = 0
			}
			if i < 0 {
				return "", nil, fmt.Errorf("sb16: irq=%d: it has %d", c.IRQ, sb16.IRQs)
			}
			irqBit = 1 << i
		}
		// Channel 0 is the usual one's zero value, and no PC's card has it.
		if c.DMA != 0 {
			if c.DMA != 1 && c.DMA != 3 {
				return "", nil, fmt.Errorf("sb16: dma=%d: it is 1 or 3", c.DMA)
			}
			dma = 1 << c.DMA
		}
		if c.HDMA != 0 {
			if c.HDMA < 5 || c.HDMA > 7 {
				return "", nil, fmt.Errorf("sb16: hdma=%d: it is 5, 6 or 7", c.HDMA)
			}
			hdma = 1 << c.HDMA
		}
		conf := sb16.Config{Env: m.env, Audio: c.Audio, IRQSelect: irqBit, DMASelect: dma | hdma, Version: c.Version}
		for i, n := range sb16.IRQs {
			conf.IRQ[i] = m.IRQ(n)
		}
		for i, n := range sb16.DMAs {
			if n >= 0 {
				conf.DREQ[i] = m.DMA.Channel(n).Request
			}
		}
		s := sb16.New(conf)
		for _, n := range sb16.DMAs {
			if n >= 0 {
				m.DMA.Channel(n).Attach(s.Peer(n))
			}
		}
		card, mpu, fm := s.Regions()
		m.Ports.Add(c.IOBase, card)
		m.Ports.Add(mpuBase, mpu)
		if !m.hasPart("isa/adlib") {
			m.Ports.Add(FMBase, fm)
		}
		if m.hasPart("isa/sb16") {
			return "", nil, errors.New("a second sb16 has no place")
		}
		return "isa/sb16", s, nil
	}
}

// AdLibSlot plugs in an AdLib.
func AdLibSlot(a *audio.Mixer) Slot {
	return func(m *Machine) (string, dev.Device, error) {
		if m.hasPart("isa/adlib") {
			return "", nil, errors.New("a second adlib has no place")
		}
		o := opl2.New(opl2.Config{Env: m.env, Audio: a, Name: "adlib"})
		m.Ports.Add(FMBase, o.Region(4), 1)
		return "isa/adlib", o, nil
	}
}

// PCICard is a card on the PCI bus.
type PCICard interface {
	dev.Device
	Function() *pci.Function
}

// AC97 makes an AC97 audio function, for PCISlot.
func AC97(a *audio.Mixer) func(m *Machine, n int) PCICard {
	return func(m *Machine, n int) PCICard {
		return ac97.New(ac97.Config{Env: m.env, Audio: a, Bus: m.PCI, Device: n})
	}
}

// ES1370 makes an AudioPCI, for PCISlot.
func ES1370(a *audio.Mixer) func(m *Machine, n int) PCICard {
	return func(m *Machine, n int) PCICard {
		return es1370.New(es1370.Config{Env: m.env, Audio: a, Bus: m.PCI, Device: n})
	}
}

// PCISlot plugs a card in as device number n, -1 = the first that is free.
func PCISlot(name string, n int, card func(m *Machine, n int) PCICard) Slot {
	return func(m *Machine) (string, dev.Device, error) {
		switch {
		case m.PCI == nil:
			return "", nil, fmt.Errorf("%s: this machine has no PCI bus", name)
		case n < 0:
			if n = m.PCI.Free(3); n < 0 {
				return "", nil, fmt.Errorf("%s: the PCI bus is full", name)
			}
		case m.PCI.Function(n, 0) != nil:
			return "", nil, fmt.Errorf("%s: slot %#x of the PCI bus is taken", name, n)
		}
		d := card(m, n)
		return fmt.Sprintf("pci/%s/%s", d.Function().Path(), strings.ToLower(name)), d, nil
	}
}

func (m *Machine) hasPart(path string) bool {
	return slices.ContainsFunc(m.parts, func(p Part) bool { return p.Path == path })
}
