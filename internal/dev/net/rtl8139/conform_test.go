package rtl8139

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/netdev"
)

var testMAC = netdev.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}

func onBench(b *devtest.Bench) dev.Device {
	k := New(Config{Env: b.Env(), Net: b.Net(testMAC), MAC: testMAC, Bus: devtest.NetBus(), Device: 3})
	b.MMIO(256, (*registers)(k))
	b.MMIO(256, k.fn.Space())
	b.Verb("go", func(a []uint64) uint64 {
		k.fn.Space().Write(4, 2, 7)
		r := (*registers)(k)
		for _, v := range [][2]uint64{{0xe0, a[0] & 0x7b}, {0x37, 0xc}, {0x44, a[1]&0x1880 | 0xf}, {0x20, a[2] << 8}, {0xd9, 0xc0}} {
			r.Write(v[0], 4, v[1])
		}
		return 0
	})
	return k
}

func TestConform(t *testing.T) { devtest.Conform(t, onBench) }

func FuzzCard(f *testing.F) { devtest.Fuzz(f, onBench) }
