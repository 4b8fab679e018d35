package fdc

import (
	"testing"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func bench(b *devtest.Bench) dev.Device {
	f := New(Config{Env: b.Env(), IRQ: b.Out("irq"), DREQ: b.Out("dreq"), Sync: true, Drives: [2]*DriveConfig{
		{Backend: block.NewMemory(make([]byte, 1440<<10), false)},
		{Backend: block.NewMemory(make([]byte, 100<<10), true), Type: drive288}, // ends early
	}})
	regs, dir := f.Regions()
	b.Map(0x3f0, regs)
	b.Map(0x3f7, dir)
	arg := func(a []uint64, i int) uint64 {
		if i < len(a) {
			return a[i]
		}
		return 0
	}
	// dack moves up to 4096 bytes: dack to-memory n tc.
	b.Verb("dack", func(a []uint64) uint64 {
		p := make([]byte, arg(a, 1)%4097)
		if arg(a, 0)&1 != 0 {
			return uint64(f.DMAWrite(p, arg(a, 2)&1 != 0))
		}
		return uint64(f.DMARead(p, arg(a, 2)&1 != 0))
	})
	// cmd sends a command that lies in its arguments' bytes.
	b.Verb("cmd", func(a []uint64) uint64 {
		f.writeDOR(0x1c)
		f.due(1 << 62)
		for range 20 {
			f.readFIFO()
		}
		f.writeFIFO(commands[int(arg(a, 0))%len(commands)].code | uint8(arg(a, 0)>>8)&0xe0)
		f.writeFIFO(uint8(arg(a, 1)) & 0x87)
		for i := range 8 {
			f.writeFIFO(uint8(arg(a, 2+i/4) >> (4 * (i % 4))))
		}
		f.Settle()
		return 0
	})
	b.Verb("eject", func(a []uint64) uint64 {
		f.Eject(int(arg(a, 0) & 1))
		return 0
	})
	b.Verb("insert", func(a []uint64) uint64 {
		f.Insert(int(arg(a, 0)&1), block.NewMemory(make([]byte, formats[int(arg(a, 1))%len(formats)].size()), arg(a, 2)&1 != 0), false)
		return 0
	})
	return f
}

func TestConform(t *testing.T) {
	// Media do not belong to the state: they stay in.
	devtest.Conform(t, func(b *devtest.Bench) dev.Device {
		d := bench(b)
		b.Verb("eject", func([]uint64) uint64 { return 0 })
		b.Verb("insert", func([]uint64) uint64 { return 0 })
		return d
	})
}

// FuzzRegisters is a hostile guest, and somebody who changes disks.
func FuzzRegisters(f *testing.F) {
	devtest.Fuzz(f, func(b *devtest.Bench) dev.Device {
		d := bench(b)
		b.Verb("eject", func([]uint64) uint64 { return 0 })
		b.Verb("insert", func([]uint64) uint64 { return 0 })
		return d
	})
}

// hole is an image of zeroes, which stay.
type hole int64

func (h hole) Size() int64                              { return int64(h) }
func (hole) Sync() error                                { return nil }
func (hole) ReadAt(p []byte, _ int64) (int, error)      { clear(p); return len(p), nil }
func (hole) WriteAt(p []byte, _ int64) (n int, _ error) { return len(p), nil }

// FuzzMedia is the same with somebody who changes disks; there is no state to
// compare, for media are none.
func FuzzMedia(f *testing.F) {
	f.Add([]byte{0, 0x46, 0, 4, 1, 0, 5, 0, 6, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		h := newHost(t, 180<<10)
		for range 1000 {
			if len(data) < 2 {
				break
			}
			v := data[1]
			switch data[0] % 12 {
			case 0, 1, 2, 3:
				h.out(rgFIFO, v)
			case 4:
				h.out(int(v&7), data[0])
			case 5:
				h.clock.Advance(int64(v) * 10 * us)
			case 6:
				h.f.Eject(int(v & 1))
			case 7:
				m := formats[int(v)%len(formats)]
				h.f.Insert(int(data[0]>>7), hole(m.size()), v&0x80 != 0)
			case 8:
				h.program(int(v)*300, v&1 != 0)
				h.dma.wantTC = data[0]&0x80 != 0
			case 9:
				h.dma.request(h.dma.level)
			case 10:
				for range v {
					h.in(rgFIFO)
				}
			case 11:
				for _, b := range []uint8{commands[int(v)%len(commands)].code | 0x40, data[0] >> 4, 1, 0, 1, 2, v, 0x1b, v} {
					h.out(rgFIFO, b)
				}
				h.wait()
			}
			data = data[2:]
		}
	})
}
