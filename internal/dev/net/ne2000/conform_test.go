package ne2000

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/netdev"
)

var testMAC = netdev.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}

func onBench(b *devtest.Bench) dev.Device {
	k := New(Config{Env: b.Env(), Net: b.Net(testMAC), MAC: testMAC, Bus: devtest.NetBus(), Device: 3})
	b.MMIO(32, k)
	b.MMIO(256, k.fn.Space())
	return k
}

func onISA(b *devtest.Bench) dev.Device {
	k := New(Config{Env: b.Env(), Net: b.Net(testMAC), MAC: testMAC, IRQ: b.Out("irq")})
	b.Map(0x300, k.Region())
	b.MMIO(32, k)
	return k
}

func TestConform(t *testing.T) { devtest.Conform(t, onBench) }

func FuzzCard(f *testing.F) { devtest.Fuzz(f, onBench) }
