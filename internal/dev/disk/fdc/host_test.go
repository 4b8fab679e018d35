package fdc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

// channel is a DMA channel over a flat buffer.
type channel struct {
	f      *Controller
	mem    []byte
	pos    int
	toMem  bool
	wantTC bool // the last byte comes with TC
	level  bool
	busy   bool
}

func (c *channel) request(level bool) {
	c.level = level
	if c.busy {
		return
	}
	c.busy = true
	for c.level && c.pos < len(c.mem) {
		p := c.mem[c.pos:min(c.pos+700, len(c.mem))]
		tc := c.wantTC && c.pos+len(p) == len(c.mem)
		n := 0
		if c.toMem {
			n = c.f.DMAWrite(p, tc)
		} else {
			n = c.f.DMARead(p, tc)
		}
		if n == 0 {
			break
		}
		c.pos += n
	}
	c.busy = false
}

// host is a driver's side of a controller.
type host struct {
	t     *testing.T
	f     *Controller
	clock *vclock.Manual
	io    *mem.Space
	dma   *channel
	disk  []byte
	irq   bool
	irqs  int
}

// newHost has a disk of size bytes in A:, whose sectors hold their numbers,
// and has reset the controller.
func newHost(t *testing.T, size int, change ...func(*Config)) *host {
	h := &host{t: t, clock: vclock.NewManual(), disk: make([]byte, size), dma: &channel{}}
	for i := range size / sectorSize {
		binary.LittleEndian.PutUint32(h.disk[i*sectorSize:], uint32(i))
		h.disk[i*sectorSize+511] = byte(i)
	}
	c := Config{Env: dev.Env{Clock: h.clock}, Sync: true, DREQ: h.dma.request, IRQ: func(l bool) {
		if l && !h.irq {
			h.irqs++
		}
		h.irq = l
	}}
	c.Drives[0] = &DriveConfig{}
	if size > 0 {
		c.Drives[0].Backend = block.NewMemory(h.disk, false)
	}
	for _, f := range change {
		f(&c)
	}
	h.f = New(c)
	h.dma.f = h.f
	regs, dir := h.f.Regions()
	root := mem.NewContainer("io", 0x10000)
	root.Add(0x3f0, regs)
	root.Add(0x3f7, dir)
	h.io = mem.NewSpace("io", root, nil)
	h.out(2, 0)
	h.out(2, 0x1c)
	h.wait()
	for i := range 4 {
		h.want(fmt.Sprintf("%02x 00", 0xc0+i), 8)
	}
	if d := h.f.drives[0]; d != nil && d.q != nil {
		h.out(7, d.fm.rate)
	}
	h.want("", 3, 0xdf, 2) // SPECIFY: DMA
	return h
}

func (h *host) out(reg int, v uint8) { h.io.Write(0x3f0+uint64(reg), 1, uint64(v)) }
func (h *host) in(reg int) uint8     { return uint8(h.io.Read(0x3f0+uint64(reg), 1)) }
func (h *host) wait()                { h.clock.Advance(int64(20 * vclock.Second / 1000)) }

// send writes a command's bytes.
func (h *host) send(b ...uint8) {
	h.t.Helper()
	for i, v := range b {
		if s := h.in(rgMSR); s&0xc0 != 0x80 || i > 0 && s&msrBusy == 0 {
			h.t.Errorf("byte %d of % x: MSR %02x", i, b, s)
			return
		}
		h.out(rgFIFO, v)
	}
}

// result reads all that there is.
func (h *host) result() string {
	var all []string
	for range 20 {
		if s := h.in(rgMSR); s&0xf0 != 0xd0 {
			break
		}
		all = append(all, fmt.Sprintf("%02x", h.in(rgFIFO)))
	}
	return strings.Join(all, " ")
}

// cmd sends a command and returns its result.
func (h *host) cmd(b ...uint8) string {
	h.t.Helper()
	h.send(b...)
	h.wait()
	return h.result()
}

func (h *host) want(result string, b ...uint8) {
	h.t.Helper()
	if got := h.cmd(b...); got != result {
		h.t.Errorf("% x answers %q, want %q", b, got, result)
	}
}

// sense wants an interrupt and what SENSE INTERRUPT STATUS says of it.
func (h *host) sense(want string) {
	h.t.Helper()
	h.wait()
	if !h.irq {
		h.t.Errorf("no interrupt")
	}
	h.want(want, 8)
}

// program sets the DMA channel up for n bytes.
func (h *host) program(n int, toMem bool) {
	*h.dma = channel{f: h.f, mem: make([]byte, n), toMem: toMem, wantTC: true}
}

// read has n bytes read by DMA.
func (h *host) read(n int, result string, b ...uint8) []byte {
	h.t.Helper()
	h.program(n, true)
	irqs := h.irqs
	h.want(result, b...)
	if h.irqs != irqs+1 || h.irq {
		h.t.Errorf("%d interrupts, INT %v", h.irqs-irqs, h.irq)
	}
	return h.dma.mem[:h.dma.pos]
}

// numbers wants sectors from first on.
func (h *host) numbers(b []byte, first ...int) {
	h.t.Helper()
	if len(b) != len(first)*sectorSize {
		h.t.Errorf("%d bytes, want %d sectors", len(b), len(first))
		return
	}
	for i, n := range first {
		if got := binary.LittleEndian.Uint32(b[i*sectorSize:]); got != uint32(n) || b[i*sectorSize+511] != byte(n) {
			h.t.Errorf("sector %d is number %d, want %d", i, got, n)
		}
	}
}

func seq(from, n int) []int {
	var s []int
	for i := range n {
		s = append(s, from+i)
	}
	return s
}

const size144 = 1440 << 10
