package e1000

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/netdev"
)

var testMAC = netdev.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}

func onBench(b *devtest.Bench) dev.Device {
	k := New(Config{Env: b.Env(), Net: b.Net(testMAC), MAC: testMAC, Bus: devtest.NetBus(), Device: 3})
	// Where registers are, and receiver and transmitter on, rings small.
	for _, w := range [][2]uint32{{0x0000, 0x100}, {0x0100, 4}, {0x0400, 4}, {0x2160, 16}, {0x2800, 0x40}, {0x3800, 0x40}, {0x4000, 0x100}, {0x5000, 4}, {0x5200, 0x300}} {
		b.MMIO(uint64(w[1]), shifted{(*registers)(k), uint64(w[0])})
	}
	b.MMIO(8, (*ports)(k))
	b.MMIO(256, k.fn.Space())
	b.Verb("go", func(a []uint64) uint64 {
		k.fn.Space().Write(4, 2, 7)
		r := (*registers)(k)
		for _, v := range [][2]uint64{{0x2808, a[0] & 0x380}, {0x3808, a[1] & 0x380}, {0x100, 0x8002 | a[2]&0x60c0000}, {0x400, 0xa}, {0x2818, a[3] & 63}, {0x3818, a[3] >> 8 & 63}} {
			r.Write(v[0], 4, v[1])
		}
		return 0
	})
	return k
}

// shifted is registers from an offset on.
type shifted struct {
	r  *registers
	at uint64
}

func (s shifted) Read(off uint64, size int) uint64     { return s.r.Read(s.at+off, 4) }
func (s shifted) Write(off uint64, size int, v uint64) { s.r.Write(s.at+off, 4, v) }

func TestConform(t *testing.T) { devtest.Conform(t, onBench) }

func FuzzCard(f *testing.F) { devtest.Fuzz(f, onBench) }
