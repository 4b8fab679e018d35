package fwcfg

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		sys := mem.NewContainer("system", 0)
		sys.Add(0, mem.NewRAM("ram", 64<<10))
		d := New(Config{Env: b.Env(), DMA: mem.NewSpace("memory", sys, nil)})
		_ = d.AddWritableFile("etc/w", make([]byte, 16), nil)
		b.Map(0x510, d.Region())
		b.Map(0x514, d.DMARegion())
		return d
	})
}
