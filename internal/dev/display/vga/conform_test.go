package vga

import (
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		io := mem.NewContainer("io", 0x10000)
		v := New(Config{Env: b.Env(), VRAM: 256 << 10,
			Bus: pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io}), Device: 2})
		v.MapPorts(io)
		s := mem.NewSpace("io", io, nil)
		b.MMIO(0x30, mem.Handlers{
			R: func(off uint64, _ int) uint64 { return s.Read(0x3b0+off, 1) },
			W: func(off uint64, _ int, x uint64) { s.Write(0x3b0+off, 1, x) },
		})
		b.MMIO(4, (*dispiPorts)(v))
		b.MMIO(256, v.fn.Space())
		return v
	})
}
