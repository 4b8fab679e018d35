package ide

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"rhea/internal/block"
)

// forgetful is an image that notes what is discarded.
type forgetful struct {
	block.Backend
	got  [][2]int64
	fail error
}

func (f *forgetful) Discard(off, n int64) error {
	if f.fail != nil {
		return f.fail
	}
	f.got = append(f.got, [2]int64{off / sectorSize, n / sectorSize})
	return nil
}

func TestTrim(t *testing.T) {
	h := newHost(t, false)
	f := &forgetful{Backend: block.NewMemory(h.disk, false)}
	h.ch.drives[0].connect(f)
	h.cmd28(0xec, 0, 0, 0)
	id := h.words(256)
	if word := func(n int) uint16 { return binary.LittleEndian.Uint16(id[2*n:]) }; word(169) != 1 || word(105) != maxTrim || word(80)&(1<<7) == 0 {
		t.Fatalf("IDENTIFY: words 169, 105, 80 are %#x, %#x, %#x", word(169), word(105), word(80))
	}
	ranges := func(r ...uint64) {
		clear(h.dma.mem[:maxTrim*sectorSize])
		for i, v := range r {
			binary.LittleEndian.PutUint64(h.dma.mem[8*i:], v)
		}
		f.got, h.dma.pos, h.dma.done = nil, 0, 0
		h.dma.active, h.dma.toMem = true, false
	}
	trim := func(feature uint8, n int) {
		h.out(rgError, 0)
		h.out(rgError, feature)
		h.cmd48(0x06, 0, n)
	}
	ranges(10|5<<48, 0, 4999|1<<48)
	binary.LittleEndian.PutUint64(h.dma.mem[sectorSize:], 100|4900<<48) // the second block
	trim(1, 2)
	h.want("two blocks", 0x50, 0, true)
	if want := [][2]int64{{10, 5}, {4999, 1}, {100, 4900}}; !slices.Equal(f.got, want) || h.dma.pos != 2*sectorSize || h.dma.done != 1 {
		t.Errorf("%v, %d bytes, done %d", f.got, h.dma.pos, h.dma.done)
	}
	ranges(1|1<<48, 5000|1<<48, 3|1<<48)
	trim(1, 1)
	h.want("beyond the end", 0x51, erIDNF, true)
	if len(f.got) != 1 || h.dma.done != 1 {
		t.Errorf("%v, done %d", f.got, h.dma.done)
	}
	ranges(4999 | 2<<48)
	trim(1, 1)
	h.want("across the end", 0x51, erIDNF, true)
	for _, c := range []struct {
		feature uint8
		n       int
	}{{0, 1}, {2, 1}, {1, 0}, {1, maxTrim + 1}} {
		ranges(1 | 1<<48)
		trim(c.feature, c.n)
		h.want("refused", 0x51, erABRT, true)
	}
	ranges(1 | 1<<48)
	f.fail = errors.New("no")
	trim(1, 1)
	h.want("the host's error", 0x51, erABRT, true)
	if h.dma.done != 1 {
		t.Error("the bus master was not told")
	}
}

// TestDVD: what is larger than a CD is a DVD, and describes itself.
func TestDVD(t *testing.T) {
	h := newHost(t, true)
	h.packet(2048, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4)
	if k, asc, q := h.sense(); k != illegalRequest || asc != 0x30 || q != 2 {
		t.Errorf("a CD: %#x %#x %#x", k, asc, q)
	}
	const sectors = 2_000_000
	h.ch.drives[1].connect(large{sectors * cdSector})
	be := binary.BigEndian
	if b := h.packet(64, 0x46, 1, 0, 0, 0, 0, 0, 0, 64); be.Uint16(b[6:]) != profileDVD || b[8+6] != 1 || b[8+10] != 0 {
		t.Errorf("GET CONFIGURATION: % x", b)
	}
	b := h.packet(4096, 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4)
	if len(b) != 2052 || be.Uint16(b) != 2050 || be.Uint32(b[8:]) != 0x30000 || be.Uint32(b[12:]) != 0x30000+sectors-1 || b[4] != 1 {
		t.Errorf("%d bytes: % x", len(b), b[:min(32, len(b))])
	}
	if b := h.packet(4096, 0xad, 0, 0, 0, 0, 0, 0, 1, 8, 4); len(b) != 8 || be.Uint16(b) != 6 || b[4] != 0 {
		t.Errorf("copyright: % x", b)
	}
	if b := h.packet(4096, 0xad, 0, 0, 0, 0, 0, 0, 4, 8, 4); len(b) != 2052 {
		t.Errorf("manufacturer: %d bytes", len(b))
	}
	if b := h.packet(4096, 0xad, 0, 0, 0, 0, 0, 9, 0xff, 8, 4); len(b) != 16 || b[4] != 0 || b[8] != 1 || b[12] != 4 || b[5]&0x40 == 0 {
		t.Errorf("list: % x", b)
	}
	for _, bad := range [][]byte{{0xad, 1}, {0xad, 0, 0, 0, 0, 0, 1}, {0xad, 0, 0, 0, 0, 0, 0, 3}} {
		h.packet(4096, append(bad, make([]byte, 12-len(bad))...)...)
		if k, asc, _ := h.sense(); k != illegalRequest || asc != 0x24 {
			t.Errorf("% x: %#x %#x", bad, k, asc)
		}
	}
}

// large is an empty image of any size.
type large struct{ size int64 }

func (l large) Size() int64                          { return l.size }
func (large) Sync() error                            { return nil }
func (large) ReadAt(b []byte, _ int64) (int, error)  { clear(b); return len(b), nil }
func (large) WriteAt(b []byte, _ int64) (int, error) { return 0, block.ErrReadOnly }
