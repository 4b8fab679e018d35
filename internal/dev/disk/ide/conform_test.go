package ide

import (
	"testing"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func TestConform(t *testing.T) {
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		ch := New(Config{Env: b.Env(), IRQ: b.Out("irq"), Sync: true, DMA: &fakeDMA{mem: make([]byte, 4096)}, Drives: [2]*DriveConfig{
			{Backend: block.NewMemory(make([]byte, 100*sectorSize), false)},
			{Backend: block.NewMemory(make([]byte, 100*cdSector), true), CDROM: true},
		}})
		b.Map(0x1f0, ch.CommandRegion())
		b.Map(0x3f6, ch.ControlRegion())
		return ch
	})
}
