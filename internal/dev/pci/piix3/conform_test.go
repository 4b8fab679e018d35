package piix3

import (
	"fmt"
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		c := Config{Env: b.Env(), Bus: pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: mem.NewContainer("io", 0x10000)})}
		for i := range c.ISA {
			c.ISA[i] = b.Out(fmt.Sprintf("irq%d", i))
		}
		p := New(c)
		b.MMIO(256, p.Function().Space())
		b.MMIO(1, p)
		return p
	})
}
