package piixide

import (
	"testing"

	"rhea/internal/block"
	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/dev/disk/ide"
	"rhea/internal/irq"
	"rhea/internal/mem"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		sys, io := mem.NewContainer("system", 0), mem.NewContainer("io", 0x10000)
		sys.Add(0, mem.NewRAM("ram", 1<<20))
		bus := pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io, DMA: mem.NewSpace("memory", sys, nil)})
		k := New(Config{Env: b.Env(), Bus: bus, Device: 1, Sync: true, IRQ: [2]irq.Line{b.Out("irq14"), b.Out("irq15")},
			Drives: [4]*ide.DriveConfig{{Backend: block.NewMemory(make([]byte, 51200), false)}, nil, {CDROM: true}}})
		for _, ch := range k.ch {
			b.Map(map[bool]uint64{true: 0x1f0, false: 0x170}[ch == k.ch[0]], ch.CommandRegion())
			b.MMIO(8, ch)
		}
		b.MMIO(256, k.fn.Space())
		return k
	})
}
