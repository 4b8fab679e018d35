package i440fx

import (
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		bus := mem.NewContainer("pci", 1<<32)
		h := New(Config{Env: b.Env(), RAM: mem.NewRAM("ram", 2<<20), PCI: bus,
			Bus: pci.New(pci.Config{Memory: bus, IO: mem.NewContainer("io", 0x10000)})})
		b.Map(0xcf8, h.Region())
		b.MMIO(256, h.Function().Space())
		return h
	})
}
