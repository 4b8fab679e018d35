package piix4pm

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
		p := New(Config{Env: b.Env(), Bus: pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: io}), Device: 1,
			SCI: b.Out("sci"), SMI: b.Out("smi"), HasSMM: true}, io)
		b.MMIO(pmSize, (*pmBlock)(p))
		b.MMIO(16, &p.sm)
		b.Map(0xb2, p.APMRegion())
		b.MMIO(256, p.fn.Space())
		return p
	})
}
