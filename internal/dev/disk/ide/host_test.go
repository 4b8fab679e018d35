package ide

import (
	"encoding/binary"
	"testing"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/vclock"
)

// host is a driver's side of a channel: what a test types reads like one.
type host struct {
	t    *testing.T
	ch   *Channel
	io   *mem.Space
	disk []byte
	cd   []byte
	irq  bool
	irqs int
	dma  *fakeDMA

	clock *vclock.Manual
}

// fakeDMA is a bus master over a flat buffer.
type fakeDMA struct {
	active, toMem bool
	mem           []byte
	pos           int
	done          int
}

func (f *fakeDMA) Ready(toMemory bool) bool { return f.active && f.toMem == toMemory }
func (f *fakeDMA) Done()                    { f.done++ }
func (f *fakeDMA) Move(p []byte, toMemory bool) int {
	n := 0
	if toMemory {
		n = copy(f.mem[f.pos:], p)
	} else {
		n = copy(p, f.mem[f.pos:])
	}
	f.pos += n
	return n
}

const diskSectors = 5000

// newHost has a disk as drive 0 and a CD-ROM as drive 1 if cd.
func newHost(t *testing.T, withCD bool) *host {
	h := &host{t: t, disk: make([]byte, diskSectors*sectorSize), dma: &fakeDMA{mem: make([]byte, 1<<20)}}
	for i := range diskSectors {
		binary.LittleEndian.PutUint32(h.disk[i*sectorSize:], uint32(i))
		h.disk[i*sectorSize+511] = byte(i)
	}
	h.clock = vclock.NewManual()
	c := Config{Env: dev.Env{Clock: h.clock}, Sync: true, DMA: h.dma, IRQ: func(l bool) {
		if l && !h.irq {
			h.irqs++
		}
		h.irq = l
	}}
	c.Drives[0] = &DriveConfig{Backend: block.NewMemory(h.disk, false)}
	if withCD {
		h.cd = make([]byte, 1000*cdSector)
		for i := range 1000 {
			binary.LittleEndian.PutUint32(h.cd[i*cdSector:], uint32(i)|0xcd000000)
		}
		c.Drives[1] = &DriveConfig{Backend: block.NewMemory(h.cd, true), CDROM: true}
	}
	h.ch = New(c)
	root := mem.NewContainer("io", 0x10000)
	root.Add(0x1f0, h.ch.CommandRegion())
	root.Add(0x3f6, h.ch.ControlRegion())
	h.io = mem.NewSpace("io", root, nil)
	return h
}

func (h *host) out(reg int, v uint8) { h.io.Write(0x1f0+uint64(reg), 1, uint64(v)) }
func (h *host) in(reg int) uint8     { return uint8(h.io.Read(0x1f0+uint64(reg), 1)) }
func (h *host) alt() uint8           { return uint8(h.io.Read(0x3f6, 1)) }

// cmd28 issues a command with a 28-bit address.
func (h *host) cmd28(cmd uint8, drive int, lba uint32, n int) {
	h.out(rgDevice, 0xe0|uint8(drive)<<4|uint8(lba>>24)&15)
	h.out(rgSectorCount, uint8(n))
	h.out(rgLBALow, uint8(lba))
	h.out(rgLBAMid, uint8(lba>>8))
	h.out(rgLBAHigh, uint8(lba>>16))
	h.out(rgStatus, cmd)
}

// cmd48 issues a command with a 48-bit address.
func (h *host) cmd48(cmd uint8, lba uint64, n int) {
	h.out(rgDevice, 0x40)
	for _, s := range []uint{8, 0} {
		h.out(rgSectorCount, uint8(n>>s))
	}
	for _, s := range []uint{24, 0} {
		h.out(rgLBALow, uint8(lba>>s))
		h.out(rgLBAMid, uint8(lba>>(s+8)))
		h.out(rgLBAHigh, uint8(lba>>(s+16)))
	}
	h.out(rgStatus, cmd)
}

// words reads n words of data.
func (h *host) words(n int) []byte {
	b := make([]byte, 2*n)
	for i := range n {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(h.io.Read(0x1f0, 2)))
	}
	return b
}

func (h *host) send(b []byte) {
	for i := 0; i+1 < len(b); i += 2 {
		h.io.Write(0x1f0, 2, uint64(binary.LittleEndian.Uint16(b[i:])))
	}
}

// want checks status, error and the interrupt, reading the status register.
func (h *host) want(what string, status, err uint8, irq bool) {
	h.t.Helper()
	if h.irq != irq {
		h.t.Errorf("%s: INTRQ %v", what, h.irq)
	}
	if s := h.in(rgStatus); s != status {
		h.t.Errorf("%s: status %#02x, want %#02x", what, s, status)
	}
	if e := h.in(rgError); e != err {
		h.t.Errorf("%s: error %#02x, want %#02x", what, e, err)
	}
	if h.irq {
		h.t.Errorf("%s: reading status does not end INTRQ", what)
	}
}

func sectorOf(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// packet sends a packet command in PIO mode and returns the data that comes.
func (h *host) packet(limit int, pkt ...byte) []byte {
	h.t.Helper()
	h.out(rgDevice, 0x10)
	h.out(rgError, 0)
	h.out(rgLBAMid, uint8(limit))
	h.out(rgLBAHigh, uint8(limit>>8))
	h.out(rgStatus, 0xa0)
	if h.in(rgSectorCount) != irCoD || h.in(rgStatus) != 0x58 {
		h.t.Fatalf("packet is not asked for: %#x", h.alt())
	}
	full := make([]byte, packetSize)
	copy(full, pkt)
	h.send(full)
	var all []byte
	for range 100000 {
		if h.in(rgStatus)&stDRQ == 0 {
			break
		}
		if h.in(rgSectorCount) != irIO {
			h.t.Fatalf("interrupt reason %#x with data", h.in(rgSectorCount))
		}
		n := int(h.in(rgLBAMid)) | int(h.in(rgLBAHigh))<<8
		if n > limit && limit > 1 {
			h.t.Fatalf("block of %d bytes, limit %d", n, limit)
		}
		all = append(all, h.words((n + 1) / 2)[:n]...)
	}
	if h.in(rgSectorCount) != irCoD|irIO {
		h.t.Errorf("interrupt reason %#x at the end", h.in(rgSectorCount))
	}
	return all
}

// sense returns the error register's key and the codes of REQUEST SENSE.
func (h *host) sense() (key, asc, ascq uint8) {
	b := h.packet(0x200, 0x03, 0, 0, 0, 18)
	return b[2], b[12], b[13]
}
