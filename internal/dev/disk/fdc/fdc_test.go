package fdc

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/snap"
)

// Register scripts after the datasheet.
func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"hardware reset": `
			r1 0x3f2 = 0x00 / r1 0x3f4 = 0x00 / r1 0x3f3 = 0
			w1 0x3f5 0x10 / r1 0x3f4 = 0x00 / t 1s / out irq = 0`,
		"polling after a reset, four SENSE INTERRUPTs": `
			w1 0x3f2 0x0c / r1 0x3f4 = 0x80 / out irq = 0 / t 249us / out irq = 0 / t 1us / out irq = 1
			w1 0x3f5 0x08 / out irq = 0 / r1 0x3f4 = 0xd0 / r1 0x3f5 = 0xc0 / r1 0x3f4 = 0xd0 / r1 0x3f5 = 0 / r1 0x3f4 = 0x80
			w1 0x3f5 0x08 / r1 0x3f5 = 0xc1 / r1 0x3f5 = 0
			w1 0x3f5 0x08 / r1 0x3f5 = 0xc2 / r1 0x3f5 = 0
			w1 0x3f5 0x08 / r1 0x3f5 = 0xc3 / r1 0x3f5 = 0
			w1 0x3f5 0x08 / r1 0x3f5 = 0x80 / r1 0x3f4 = 0x80 / edges irq = 1`,
		"CONFIGURE in time disables polling": `
			w1 0x3f2 0x0c / t 100us
			w1 0x3f5 0x13 / w1 0x3f5 0 / w1 0x3f5 0x1a / w1 0x3f5 0 / t 1s / edges irq = 0
			w1 0x3f5 0x08 / r1 0x3f5 = 0x80`,
		"DSR's reset clears itself": `
			w1 0x3f2 0x0c / t 1ms / out irq = 1 / w1 0x3f4 0x80 / out irq = 0 / t 1ms / out irq = 1
			w1 0x3f5 8 / r1 0x3f5 = 0xc0`,
		"DMAGATE# holds INT": `
			w1 0x3f2 0x04 / t 1ms / out irq = 0 / w1 0x3f2 0x0c / out irq = 1`,
		"VERSION, PART ID, invalid": `
			w1 0x3f2 0x0c / t 1ms
			w1 0x3f5 0x10 / r1 0x3f4 = 0xd0 / r1 0x3f5 = 0x90 / r1 0x3f4 = 0x80
			w1 0x3f5 0x18 / r1 0x3f5 = 0x41
			w1 0x3f5 0x1f / r1 0x3f5 = 0x80 / r1 0x3f4 = 0x80`,
		"CONFIGURE, SPECIFY, PERPENDICULAR MODE, LOCK and DUMPREG": `
			w1 0x3f2 0x0c / t 1ms
			w1 0x3f5 0x13 / w1 0x3f5 0 / w1 0x3f5 0x57 / w1 0x3f5 0x21
			w1 0x3f5 0x03 / w1 0x3f5 0xaf / w1 0x3f5 0x1e
			w1 0x3f5 0x12 / w1 0x3f5 0x97   # OW D2 D0.. GAP WGATE
			w1 0x3f5 0x94 / r1 0x3f5 = 0x10
			w1 0x3f5 0x0e / r1 0x3f5 = 0 / r1 0x3f5 = 0 / r1 0x3f5 = 0 / r1 0x3f5 = 0
			r1 0x3f5 = 0xaf / r1 0x3f5 = 0x1e / r1 0x3f5 = 0 / r1 0x3f5 = 0x97 / r1 0x3f5 = 0x57 / r1 0x3f5 = 0x21 / r1 0x3f4 = 0x80
			w1 0x3f5 0x12 / w1 0x3f5 0x38   # without OW D0-D3 stay
			w1 0x3f2 0x08 / w1 0x3f2 0x0c   # what is locked stays
			w1 0x3f5 0x0e / r1 0x3f5 / r1 0x3f5 / r1 0x3f5 / r1 0x3f5
			r1 0x3f5 = 0xaf / r1 0x3f5 = 0x1e / r1 0x3f5 / r1 0x3f5 = 0x94 / r1 0x3f5 = 0x47 / r1 0x3f5 = 0x21
			w1 0x3f5 0x14 / r1 0x3f5 = 0x00
			w1 0x3f2 0x08 / w1 0x3f2 0x0c
			w1 0x3f5 0x0e / r1 0x3f5 / r1 0x3f5 / r1 0x3f5 / r1 0x3f5
			r1 0x3f5 = 0xaf / r1 0x3f5 = 0x1e / r1 0x3f5 / r1 0x3f5 = 0x14 / r1 0x3f5 = 0x60 / r1 0x3f5 = 0`,
		"SEEK, RECALIBRATE, RELATIVE SEEK": `
			w1 0x3f2 0x0c / t 1ms / w1 0x3f5 8 / r1 0x3f5 / r1 0x3f5
			w1 0x3f5 0x0f / w1 0x3f5 0 / w1 0x3f5 10 / r1 0x3f4 = 0x81 / t 20ms / out irq = 1 / r1 0x3f4 = 0x81
			w1 0x3f5 8 / out irq = 0 / r1 0x3f5 = 0x20 / r1 0x3f5 = 10 / r1 0x3f4 = 0x80
			w1 0x3f5 4 / w1 0x3f5 0 / r1 0x3f5 = 0x28
			w1 0x3f5 0xcf / w1 0x3f5 0 / w1 0x3f5 3 / t 20ms / w1 0x3f5 8 / r1 0x3f5 = 0x20 / r1 0x3f5 = 13
			w1 0x3f5 0x8f / w1 0x3f5 4 / w1 0x3f5 5 / t 20ms / w1 0x3f5 8 / r1 0x3f5 = 0x20 / r1 0x3f5 = 8
			w1 0x3f5 7 / w1 0x3f5 0 / t 20ms / w1 0x3f5 8 / r1 0x3f5 = 0x20 / r1 0x3f5 = 0
			w1 0x3f5 4 / w1 0x3f5 4 / r1 0x3f5 = 0x3c
			w1 0x3f5 4 / w1 0x3f5 1 / r1 0x3f5 = 0x79   # B: is write protected
			w1 0x3f5 7 / w1 0x3f5 3 / t 20ms / w1 0x3f5 8 / r1 0x3f5 = 0x73 / r1 0x3f5 = 0   # not there`,
		"seeks overlap": `
			w1 0x3f2 0x0c / t 1ms / w1 0x3f5 8 / r1 0x3f5 / r1 0x3f5 / edges irq
			w1 0x3f5 0x0f / w1 0x3f5 0 / w1 0x3f5 40 / w1 0x3f5 0x0f / w1 0x3f5 1 / w1 0x3f5 10 / r1 0x3f4 = 0x83
			t 20ms / edges irq = 1
			w1 0x3f5 8 / r1 0x3f5 = 0x20 / r1 0x3f5 = 40 / r1 0x3f4 = 0x82 / edges irq = 1   # the next says so anew
			w1 0x3f5 8 / r1 0x3f5 = 0x21 / r1 0x3f5 = 10 / r1 0x3f4 = 0x80 / out irq = 0`,
		"disk change": `
			w1 0x3f2 0x1c / r1 0x3f7 = 0x80 / t 1ms
			w1 0x3f5 7 / w1 0x3f5 0 / t 1ms / r1 0x3f7 = 0x80   # no step at track 0
			w1 0x3f5 8 / r1 0x3f5 / r1 0x3f5
			w1 0x3f5 0x0f / w1 0x3f5 0 / w1 0x3f5 1 / t 1ms / r1 0x3f7 = 0
			eject 0 / r1 0x3f7 = 0x80
			w1 0x3f5 0x0f / w1 0x3f5 0 / w1 0x3f5 2 / t 1ms / r1 0x3f7 = 0x80
			insert 0 0 / r1 0x3f7 = 0x80
			w1 0x3f5 0x0f / w1 0x3f5 0 / w1 0x3f5 1 / t 1ms / r1 0x3f7 = 0
			w1 0x3f2 0x1e / r1 0x3f7 = 0   # no drive, nobody pulls the line`,
		"READ ID rotates": `
			w1 0x3f2 0x1c / t 1ms / w1 0x3f7 0
			w1 0x3f5 0x4a / w1 0x3f5 4 / t 1ms / out irq = 1
			r1 0x3f5 = 0x04 / out irq = 0 / r1 0x3f5 = 0 / r1 0x3f5 = 0 / r1 0x3f5 = 0 / r1 0x3f5 = 1 / r1 0x3f5 = 1 / r1 0x3f5 = 2
			w1 0x3f5 0x4a / w1 0x3f5 0 / t 1ms / r1 0x3f5 = 0 / r1 0x3f5 / r1 0x3f5 / r1 0x3f5 / r1 0x3f5 = 0 / r1 0x3f5 = 2 / r1 0x3f5 = 2
			w1 0x3f7 2   # another data rate
			w1 0x3f5 0x4a / w1 0x3f5 0 / t 1ms / r1 0x3f5 = 0x40 / r1 0x3f5 = 1 / r1 0x3f5 = 0
			r1 0x3f5 / r1 0x3f5 / r1 0x3f5 / r1 0x3f5 / w1 0x3f7 0
			w1 0x3f5 0x0a / w1 0x3f5 0 / t 1ms / r1 0x3f5 = 0x40 / r1 0x3f5 = 1   # FM`,
		"DRIVE SPECIFICATION": `
			w1 0x3f2 0x0c / t 1ms
			w1 0x3f5 0x8e / w1 0x3f5 0x05 / w1 0x3f5 0x26 / w1 0x3f5 0x80
			r1 0x3f5 = 5 / r1 0x3f5 = 6 / r1 0x3f5 = 0 / r1 0x3f5 = 0 / r1 0x3f4 = 0x80
			w1 0x3f5 0x8e / w1 0x3f5 0xc0 / r1 0x3f4 = 0x80`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, bench, script) })
	}
}

func TestReadData(t *testing.T) {
	h := newHost(t, size144)
	h.want("", 0xf, 0, 5)
	h.sense("20 05")
	track := func(cyl, head int) int { return (cyl*2 + head) * 18 }
	h.numbers(h.read(512, "00 00 00 05 00 04 02", 0x46, 0, 5, 0, 3, 2, 18, 0x1b, 0xff), track(5, 0)+2)
	// The result names what follows (table 5-5).
	h.numbers(h.read(512, "00 00 00 06 00 01 02", 0x46, 0, 5, 0, 18, 2, 18, 0x1b, 0xff), track(5, 0)+17)
	h.numbers(h.read(18*512, "04 00 00 06 01 01 02", 0x46, 4, 5, 1, 1, 2, 18, 0x1b, 0xff), seq(track(5, 1), 18)...)
	h.numbers(h.read(36*512, "04 00 00 06 00 01 02", 0xe6, 0, 5, 0, 1, 2, 18, 0x1b, 0xff), seq(track(5, 0), 36)...)
	h.numbers(h.read(18*512, "00 00 00 05 01 01 02", 0xe6, 0, 5, 0, 1, 2, 18, 0x1b, 0xff), seq(track(5, 0), 18)...)
	h.numbers(h.read(20*512, "04 00 00 05 01 03 02", 0xe6, 0, 5, 0, 1, 2, 18, 0x1b, 0xff), seq(track(5, 0), 20)...)
	// TC in the middle of a sector.
	if b := h.read(700, "00 00 00 05 00 03 02", 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff); len(b) != 700 {
		t.Errorf("%d bytes", len(b))
	}
	// EOT without TC: end of cylinder.
	h.numbers(h.read(5*512, "40 80 00 06 00 01 02", 0x46, 0, 5, 0, 16, 2, 18, 0x1b, 0xff), seq(track(5, 0)+15, 3)...)
	h.numbers(h.read(50*512, "44 80 00 06 00 01 02", 0xc6, 0, 5, 0, 1, 2, 18, 0x1b, 0xff), seq(track(5, 0), 36)...)
	h.numbers(h.read(5*512, "40 80 00 06 00 01 02", 0x46, 0, 5, 0, 2, 2, 3, 0x1b, 0xff), seq(track(5, 0)+1, 2)...)
	// More sectors than the track has, R beyond EOT, no such sector.
	h.numbers(h.read(5*512, "40 04 00 05 00 13 02", 0x46, 0, 5, 0, 17, 2, 21, 0x1b, 0xff), seq(track(5, 0)+16, 2)...)
	h.numbers(h.read(5*512, "40 04 00 05 00 13 02", 0x46, 0, 5, 0, 17, 2, 3, 0x1b, 0xff), seq(track(5, 0)+16, 2)...)
	h.read(512, "40 04 00 05 00 00 02", 0x46, 0, 5, 0, 0, 2, 18, 0x1b, 0xff)
	h.read(512, "40 04 00 05 00 ff 02", 0x46, 0, 5, 0, 0xff, 2, 0xff, 0x1b, 0xff)
	h.read(512, "40 04 00 05 01 01 02", 0x46, 0, 5, 1, 1, 2, 18, 0x1b, 0xff) // H
	h.read(512, "40 04 00 05 00 01 03", 0x46, 0, 5, 0, 1, 3, 18, 0x1b, 0xff) // N
	h.read(512, "40 01 00 05 00 01 02", 0x06, 0, 5, 0, 1, 2, 18, 0x1b, 0xff) // FM
	for rate := range uint8(3) {
		h.out(7, rate+1)
		h.read(512, "40 01 00 05 00 01 02", 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff)
	}
	h.out(4, 0) // the rate by DSR
	// Implied seek is on after a reset; then not.
	h.numbers(h.read(512, "00 00 00 4f 00 02 02", 0x46, 0, 79, 0, 1, 2, 18, 0x1b, 0xff), track(79, 0))
	h.want("4f 00 00 00 df 02 12 00 60 00", 0x0e)
	h.want("", 0x13, 0, 0x1a, 0)
	h.read(512, "40 04 10 05 00 01 02", 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff)
	h.want("", 0x13, 0, 0x4a, 0)
	h.numbers(h.read(512, "00 00 00 05 00 02 02", 0x46, 0, 5, 0, 1, 2, 18, 0x1b, 0xff), track(5, 0))
	h.read(512, "40 01 00 50 00 01 02", 0x46, 0, 80, 0, 1, 2, 18, 0x1b, 0xff)
}

func TestWriteData(t *testing.T) {
	h := newHost(t, size144)
	put := func(n int, v byte, result string, b ...uint8) {
		t.Helper()
		h.program(n, false)
		for i := range h.dma.mem {
			h.dma.mem[i] = v
		}
		h.want(result, b...)
	}
	put(512, 0xab, "00 00 00 00 00 03 02", 0x45, 0, 0, 0, 2, 2, 18, 0x1b, 0xff)
	put(512, 0xac, "00 00 00 00 00 04 02", 0x65, 0, 0, 0, 3, 2, 18, 0x1b, 0xff) // BeOS
	put(36*512, 0xcd, "04 00 00 02 00 01 02", 0xc5, 0, 1, 0, 1, 2, 18, 0x1b, 0xff)
	put(700, 0xef, "00 00 00 02 00 03 02", 0x45, 0, 2, 0, 1, 2, 18, 0x1b, 0xff)
	for _, c := range []struct{ sector, off, v int }{{0, 0, 0}, {1, 0, 0xab}, {1, 511, 0xab}, {2, 9, 0xac}, {3, 0, 3}, {35, 511, 35},
		{36, 0, 0xcd}, {71, 511, 0xcd}, {72, 0, 0xef}, {73, 187, 0xef}, {73, 188, 0}, {73, 511, 0}, {74, 0, 74}} {
		if v := h.disk[c.sector*512+c.off]; v != byte(c.v) {
			t.Errorf("sector %d byte %d is %#x, want %#x", c.sector, c.off, v, c.v)
		}
	}
}

func TestWriteProtect(t *testing.T) {
	h := newHost(t, size144, func(c *Config) { c.Drives[0].ReadOnly = true })
	h.program(512, false)
	h.want("40 02 00 00 00 01 02", 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.want("40 02 00 00 00 00 02", 0x4d, 0, 2, 18, 0x54, 0xf6)
	h.want("78", 4, 0)
	if h.disk[0] != 0 || h.disk[512] != 1 || h.dma.pos != 0 {
		t.Error("something was written")
	}
	h.numbers(h.read(512, "00 00 00 00 00 02 02", 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff), 0)
}

func TestDeletedData(t *testing.T) {
	h := newHost(t, size144)
	h.program(512, false)
	h.want("00 00 00 00 00 04 02", 0x49, 0, 0, 0, 3, 2, 18, 0x1b, 0xff)
	if h.disk[2*512] != 0 || h.disk[2*512+511] != 0 {
		t.Error("nothing was written")
	}
	// Table 5-3: without SK the sector is read, and the command ends.
	b := h.read(5*512, "00 00 40 00 00 04 02", 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	if len(b) != 3*512 {
		t.Errorf("%d bytes", len(b))
	}
	h.numbers(h.read(5*512, "00 00 40 00 00 07 02", 0x66, 0, 0, 0, 1, 2, 18, 0x1b, 0xff), 0, 1, 3, 4, 5)
	if b := h.read(512, "00 00 00 00 00 04 02", 0x4c, 0, 0, 0, 3, 2, 18, 0x1b, 0xff); len(b) != 512 {
		t.Error("deleted sector is not read")
	}
	h.numbers(h.read(5*512, "00 00 40 00 00 05 02", 0x4c, 0, 0, 0, 4, 2, 18, 0x1b, 0xff), 3)
	if b := h.read(512, "00 00 40 00 00 04 02", 0x6c, 0, 0, 0, 1, 2, 18, 0x1b, 0xff); len(b) != 512 {
		t.Error("SK does not skip to the deleted sector")
	}
	h.program(512, false)
	h.want("00 00 00 00 00 04 02", 0x45, 0, 0, 0, 3, 2, 18, 0x1b, 0xff)
	h.read(5*512, "00 00 00 00 00 06 02", 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
}

func TestReadTrackAndVerify(t *testing.T) {
	h := newHost(t, size144)
	h.numbers(h.read(18*512, "00 00 00 01 00 01 02", 0x42, 0, 0, 0, 1, 2, 18, 0x1b, 0xff), seq(0, 18)...)
	h.numbers(h.read(3*512, "00 04 00 00 00 04 02", 0x42, 0, 0, 0, 9, 2, 18, 0x1b, 0xff), 0, 1, 2) // not what was asked for
	h.program(512, true)
	for _, c := range []struct {
		result string
		cmd    []uint8
	}{
		{"00 00 00 01 00 01 02", []uint8{0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}},
		{"04 00 00 01 00 01 02", []uint8{0xd6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff}},
		{"40 04 00 00 00 13 02", []uint8{0x56, 0, 0, 0, 1, 2, 19, 0x1b, 0xff}},
		{"00 00 00 00 00 06 02", []uint8{0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 5}},
		{"04 00 00 00 01 03 02", []uint8{0xd6, 0x80, 0, 0, 1, 2, 18, 0x1b, 20}},
		{"40 80 00 01 00 01 02", []uint8{0x56, 0x80, 0, 0, 1, 2, 18, 0x1b, 19}},
		{"40 04 00 00 00 c8 02", []uint8{0x56, 0x80, 0, 0, 200, 2, 18, 0x1b, 19}},
		{"44 80 00 01 00 01 02", []uint8{0xd6, 0x80, 0, 0, 1, 2, 18, 0x1b, 0}},
	} {
		h.want(c.result, c.cmd...)
	}
	if h.dma.pos != 0 {
		t.Error("VERIFY moves data")
	}
}

func TestFormat(t *testing.T) {
	h := newHost(t, size144)
	ids := func(c, head, n int) {
		h.program(4*n, false)
		for i := range n {
			copy(h.dma.mem[4*i:], []byte{byte(c), byte(head), byte(i + 1), 2})
		}
	}
	h.want("", 0xf, 0, 3)
	h.sense("20 03")
	ids(3, 1, 18)
	h.want("04 00 00 03 01 12 02", 0x4d, 4, 2, 18, 0x54, 0xf6)
	from := (3*2 + 1) * 18 * 512
	if !bytes.Equal(h.disk[from:from+18*512], bytes.Repeat([]byte{0xf6}, 18*512)) || h.disk[from-1] != byte(from/512-1) || h.disk[from+18*512] != byte(from/512+18) {
		t.Error("the track is not filled, or more than the track")
	}
	// IDs that the image has no place for: of another track or size, too many.
	h.program(4*4, false)
	copy(h.dma.mem, []byte{9, 0, 1, 2, 3, 0, 2, 3, 3, 0, 30, 2, 3, 0, 4, 2})
	h.want("00 00 00 03 00 04 02", 0x4d, 0, 2, 4, 0x54, 0x11)
	from = 3 * 2 * 18 * 512
	if h.disk[from+1] != 0 || h.disk[from+3*512+1] != 0x11 || h.disk[from+4*512+1] != 0 {
		t.Error("wrong sectors")
	}
	h.out(7, 2) // another format altogether: the image stays
	ids(3, 0, 9)
	h.want("00 00 00 03 00 09 02", 0x4d, 0, 2, 9, 0x54, 0x22)
	if bytes.Contains(h.disk, []byte{0x22, 0x22, 0x22}) {
		t.Error("an image of another rate was written")
	}
	h.want("00 00 00 00 00 00 02", 0x4d, 0, 2, 0, 0x54, 0x22)
}

// Every track of every format is formatted, and nothing else changes; then sectors of
// its first and last tracks are written and read.
func TestEveryFormat(t *testing.T) {
	for _, m := range []struct{ kib, tracks, heads, sectors int }{
		{160, 40, 1, 8}, {180, 40, 1, 9}, {320, 40, 2, 8}, {360, 40, 2, 9}, {720, 80, 2, 9}, {1200, 80, 2, 15}, {1440, 80, 2, 18},
		{1680, 80, 2, 21}, {2880, 80, 2, 36},
	} {
		t.Run(fmt.Sprint(m.kib, "K"), func(t *testing.T) {
			h := newHost(t, m.kib<<10)
			want := bytes.Clone(h.disk)
			n := m.sectors * 512
			for c := range m.tracks {
				h.want("", 0xf, 0, uint8(c))
				h.sense(fmt.Sprintf("20 %02x", c))
				for head := range m.heads {
					h.program(4*m.sectors, false)
					for i := range m.sectors {
						copy(h.dma.mem[4*i:], []byte{byte(c), byte(head), byte(i + 1), 2})
					}
					fill := uint8(1 + c + 100*head)
					h.want(fmt.Sprintf("%02x 00 00 %02x %02x %02x 02", head<<2, c, head, m.sectors), 0x4d, uint8(head<<2), 2, uint8(m.sectors), 0x54, fill)
					from := (c*m.heads + head) * n
					copy(want[from:], bytes.Repeat([]byte{fill}, n))
					if !bytes.Equal(h.disk, want) {
						t.Fatalf("cylinder %d head %d is not what it is to be, or another one changed", c, head)
					}
				}
			}
			for _, c := range []int{m.tracks - 1, 0} {
				h.want("", 0xf, 0, uint8(c))
				h.sense(fmt.Sprintf("20 %02x", c))
				head := m.heads - 1
				h.program(512, false)
				h.dma.mem = bytes.Repeat([]byte{0xe5}, 512)
				result := fmt.Sprintf("%02x 00 00 %02x %02x 01 02", head<<2, c+1, head)
				h.want(result, 0x45, uint8(head<<2), uint8(c), uint8(head), uint8(m.sectors), 2, uint8(m.sectors), 0x1b, 0xff)
				if b := h.read(512, result, 0x46, uint8(head<<2), uint8(c), uint8(head), uint8(m.sectors), 2, uint8(m.sectors), 0x1b, 0xff); !bytes.Equal(b, bytes.Repeat([]byte{0xe5}, 512)) {
					t.Error("what was written is not what is read")
				}
			}
		})
	}
}

func TestScan(t *testing.T) {
	h := newHost(t, size144)
	scan := func(op uint8, v byte, stp uint8, result string) {
		t.Helper()
		h.program(4*512, false)
		h.dma.wantTC = true
		for i := range h.dma.mem {
			h.dma.mem[i] = 0xff
		}
		for i := range 4 {
			h.dma.mem[i*512] = v
		}
		h.want(result, op, 0, 0, 0, 1, 2, 18, 0x1b, stp)
	}
	scan(0x51, 2, 1, "00 00 08 00 00 04 02") // sector 3 is number 2
	scan(0x51, 9, 1, "00 00 04 00 00 05 02") // not in four sectors
	scan(0x51, 2, 2, "00 00 08 00 00 04 02") // every other
	scan(0x51, 1, 2, "00 00 04 00 00 08 02")
	scan(0x59, 5, 1, "00 00 00 00 00 02 02") // 0 is lower than 5
	scan(0x59, 0, 1, "00 00 08 00 00 02 02")
	scan(0x5d, 3, 1, "00 00 08 00 00 05 02") // the first that is not lower
	scan(0x5d, 9, 1, "00 00 04 00 00 05 02")
	h.program(40*512, false) // to the end of the track, nothing found
	for i := range h.dma.mem {
		h.dma.mem[i] = 0xee
	}
	h.want("00 00 04 01 00 01 02", 0x51, 0, 0, 0, 1, 2, 18, 0x1b, 1)
}

// Without DMA an interrupt wants each byte.
func TestPIO(t *testing.T) {
	h := newHost(t, size144)
	h.want("", 3, 0xdf, 3)
	irqs := h.irqs
	h.send(0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff)
	if h.in(rgMSR) != 0x70 {
		t.Errorf("MSR %02x before the first byte", h.in(rgMSR))
	}
	var got []byte
	for range 2 * 512 {
		h.clock.Advance(int64(time.Millisecond))
		if !h.irq || h.in(rgMSR) != 0xf0 {
			t.Fatalf("byte %d: INT %v, MSR %02x", len(got), h.irq, h.in(rgMSR))
		}
		got = append(got, h.in(rgFIFO))
	}
	h.numbers(got, 16, 17)
	if h.irqs-irqs != 2*512+1 {
		t.Errorf("%d interrupts", h.irqs-irqs)
	}
	// Nobody says TC.
	if r := h.result(); r != "40 80 00 01 00 01 02" || h.irq {
		t.Errorf("result %s", r)
	}
	// Bytes taken in one go need no interrupts.
	irqs = h.irqs
	h.send(0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff)
	h.wait()
	for range 512 {
		if h.in(rgMSR) != 0xb0 {
			t.Fatalf("MSR %02x", h.in(rgMSR))
		}
		h.out(rgFIFO, 0x77)
	}
	if r := h.result(); r != "40 80 00 01 00 01 02" || h.irqs-irqs != 2 || h.disk[17*512+511] != 0x77 || h.disk[18*512] != 18 {
		t.Errorf("result %s, %d interrupts", r, h.irqs-irqs)
	}
}

func TestNoMedium(t *testing.T) {
	h := newHost(t, 0)
	if h.f.Type(0) != drive288 || h.in(7) != 0x80 {
		t.Errorf("type %d, DIR %02x", h.f.Type(0), h.in(7))
	}
	h.want("78", 4, 0)
	h.program(512, true)
	for _, drive := range []uint8{0, 1, 2, 3} {
		h.want(fmt.Sprintf("%02x 01 00 00 00 01 02", 0x40|drive), 0x46, drive, 0, 0, 1, 2, 18, 0x1b, 0xff)
		h.want(fmt.Sprintf("%02x 01 00 00 00 00 00", 0x40|drive), 0x4a, drive)
	}
	h.want("", 7, 0)
	h.sense("20 00")
}

// Media of 40 tracks: firmware of emulated PCs steps once, Linux twice.
func TestStepTwice(t *testing.T) {
	h := newHost(t, 360<<10)
	h.want("", 0x13, 0, 0x1a, 0) // no implied seek
	for _, c := range []struct{ to, track int }{{7, 7}, {14, 7}, {39, 39}, {78, 39}, {79, 39}, {0, 0}} {
		h.want("", 0xf, 0, uint8(c.to))
		h.sense(fmt.Sprintf("20 %02x", c.to))
		h.numbers(h.read(512, fmt.Sprintf("04 00 00 %02x 01 02 02", c.track), 0x46, 4, uint8(c.track), 1, 1, 2, 9, 0x1b, 0xff), (c.track*2+1)*9)
	}
	h.want("", 0xf, 0, 20)
	h.sense("20 14")
	h.read(512, "40 04 10 05 00 01 02", 0x46, 0, 5, 0, 1, 2, 9, 0x1b, 0xff)
}

func TestOneSide(t *testing.T) {
	h := newHost(t, 180<<10)
	h.numbers(h.read(512, "00 00 00 03 00 02 02", 0x46, 0, 3, 0, 1, 2, 9, 0x1b, 0xff), 27)
	h.read(512, "44 01 00 03 01 01 02", 0x46, 4, 3, 1, 1, 2, 9, 0x1b, 0xff)
	h.read(20*512, "44 01 00 03 01 01 02", 0xc6, 0, 3, 0, 1, 2, 9, 0x1b, 0xff)
	h.want("44 01 00 00 00 00 00", 0x4a, 4)
}

func TestShortImage(t *testing.T) {
	h := newHost(t, 100*512+100, func(c *Config) { c.Drives[0].Type = drive144 })
	if h.f.drives[0].fm.sectors != 18 {
		t.Fatalf("%+v", h.f.drives[0].fm)
	}
	b := h.read(18*512, "00 00 00 03 00 01 02", 0x46, 0, 2, 0, 1, 2, 18, 0x1b, 0xff)
	h.numbers(b[:512], 72)
	b = h.read(18*512, "04 00 00 03 01 01 02", 0x46, 4, 2, 1, 1, 2, 18, 0x1b, 0xff)
	h.numbers(b[:512], 90)
	if !bytes.Equal(b[11*512:], make([]byte, 7*512)) {
		t.Error("beyond the end is something")
	}
	h.read(18*512, "00 00 00 50 00 01 02", 0x46, 0, 79, 0, 1, 2, 18, 0x1b, 0xff)
}

// The formats that QEMU knows, by size: drive type, sectors, data rate.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		kib, drive, tracks, heads, sectors, rate int
	}{
		{160, 2, 40, 1, 8, 2}, {180, 2, 40, 1, 9, 1}, {320, 2, 40, 2, 8, 2}, {360, 2, 40, 2, 9, 1},
		{720, 4, 80, 2, 9, 2}, {1200, 2, 80, 2, 15, 0}, {1440, 4, 80, 2, 18, 0}, {1680, 4, 80, 2, 21, 0},
		{1760, 4, 80, 2, 22, 0}, {2880, 5, 80, 2, 36, 3}, {100, 5, 80, 2, 36, 3},
	} {
		f := New(Config{Drives: [2]*DriveConfig{{Backend: block.NewMemory(make([]byte, c.kib<<10), false)}}})
		m := f.drives[0].fm
		if int(f.Type(0)) != c.drive || m.tracks != c.tracks || m.heads != c.heads || m.sectors != c.sectors || int(m.rate) != c.rate {
			t.Errorf("%d KiB: type %d, %+v", c.kib, f.Type(0), m)
		}
	}
	for _, m := range formats {
		if m.tracks > maxTracks || m.heads > maxHeads || m.sectors > maxSectors {
			t.Errorf("%+v is too large", m)
		}
	}
	// The drive decides between formats of one size.
	if m := layout(720<<10, drive120); m.drive != drive120 || m.rate != rate250 {
		t.Errorf("%+v", m)
	}
}

func TestMediumError(t *testing.T) {
	h := newHost(t, size144)
	m := h.f.drives[0].q.Backend().(*block.Memory)
	m.Fail = func(block.Op, int64, int) error { return errors.New("bad sector") }
	h.read(512, "40 20 20 00 00 01 02", 0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.program(512, false)
	h.want("40 20 20 00 00 01 02", 0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.program(4, false)
	copy(h.dma.mem, []byte{0, 0, 1, 2})
	h.want("40 20 20 00 00 01 02", 0x4d, 0, 2, 1, 0x54, 0xf6)
}

// Asynchronous images: the controller is busy until the result is posted; a
// reset or an ejection meanwhile drops it.
func TestAsynchronous(t *testing.T) {
	var mu sync.Mutex
	var posted []func()
	gate := make(chan bool)
	deliver := func() {
		t.Helper()
		for range 300_000 { // minutes
			mu.Lock()
			p := posted
			posted = nil
			mu.Unlock()
			for _, f := range p {
				f()
			}
			if len(p) > 0 {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatal("nothing was posted")
	}
	h := newHost(t, size144, func(c *Config) {
		c.Sync = false
		c.Env = dev.Env{Clock: c.Env.Clock, Post: func(f func()) { mu.Lock(); posted = append(posted, f); mu.Unlock() }}
		c.Drives[0].Backend.(*block.Memory).Fail = func(block.Op, int64, int) error { <-gate; return nil }
	})
	h.program(512, true)
	h.send(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.wait()
	if h.irq || h.in(rgMSR) != 0x10 || !h.f.Busy() {
		t.Fatalf("MSR %02x while the image is read", h.in(rgMSR))
	}
	gate <- true
	deliver()
	if r := h.result(); r != "00 00 00 00 00 02 02" || h.dma.pos != 512 || h.f.Busy() {
		t.Fatalf("result %s", r)
	}
	h.send(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.wait()
	h.out(2, 0)
	h.out(2, 0xc)
	gate <- true
	deliver()
	if h.in(rgMSR) != 0x80 || h.f.Busy() {
		t.Errorf("MSR %02x: result of a dropped command", h.in(rgMSR))
	}
	h.send(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)
	h.wait()
	if q, err := h.f.Eject(0); q == nil || err != nil {
		t.Error(err)
	}
	if r := h.result(); r != "40 01 00 00 00 01 02" {
		t.Errorf("result %s of a read whose disk was taken out", r)
	}
	gate <- true
	deliver()
	if _, err := h.f.Eject(1); !errors.Is(err, ErrNoDrive) {
		t.Error(err)
	}
}

func TestSnapshotInTransfer(t *testing.T) {
	h := newHost(t, size144)
	h.want("", 3, 0xdf, 3)
	h.send(0x46, 0, 0, 0, 3, 2, 18, 0x1b, 0xff)
	h.wait()
	for range 700 {
		h.in(rgFIFO)
	}
	tree, err := snap.SaveTree(h.f)
	if err != nil {
		t.Fatal(err)
	}
	g := newHost(t, size144)
	if err := snap.LoadTree(g.f, tree); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2*512)
	copy(b, h.disk[2*512:])
	for i := 700; i < 2*512; i++ {
		b[i] = g.in(rgFIFO)
	}
	g.numbers(b, 2, 3)
	for _, f := range []string{"pos", "end", "start", "op", "drive"} {
		bad, _ := snap.SaveTree(h.f)
		for i := range bad.Subs["transfer"].Fields {
			if p := &bad.Subs["transfer"].Fields[i]; p.Name == f {
				p.Num = 0xfffff
				if f == "op" || f == "drive" {
					p.Num = 3
				}
				if f == "op" {
					p.Num = 200
				}
			}
		}
		if err := snap.LoadTree(newHost(t, size144).f, bad); err == nil {
			t.Errorf("%s out of range is taken", f)
		}
	}
}

// VENOM (CVE-2015-3456): READ ID and DRIVE SPECIFICATION left the FIFO's
// index running.
func TestCVE20153456(t *testing.T) {
	h := newHost(t, size144)
	for _, first := range [][]uint8{{0x0a, 0}, {0x4a, 0}, {0x8e}, {0xcd}, {0xad}, {0x2e}, {0x4e}} {
		for _, v := range []uint8{0x00, 0x01, 0x7f, 0x80, 0xc0, 0xff} {
			for _, b := range first {
				h.out(rgFIFO, b)
			}
			for range 3000 {
				h.out(rgFIFO, v)
			}
			if h.f.ncmd > len(h.f.cmd) || h.f.need > len(h.f.cmd) || h.f.rend > len(h.f.res) {
				t.Fatalf("%x: %d, %d, %d", first, h.f.ncmd, h.f.need, h.f.rend)
			}
			h.wait()
			for range 3000 {
				h.in(rgFIFO)
			}
			h.out(2, 0)
			h.out(2, 0x1c)
		}
	}
	h.want("90", 0x10)
}

// CVE-2021-20196, CVE-2020-25741: commands to drives that are not there, and
// another drive selected in the middle. CVE-2021-3507: DMA longer than the
// transfer. All commands, all drives.
func TestAbsentDrives(t *testing.T) {
	for _, nodrives := range []bool{true, false} {
		h := newHost(t, size144, func(c *Config) {
			if nodrives {
				c.Drives = [2]*DriveConfig{}
			}
		})
		for op := range 256 {
			for drive := range uint8(8) {
				for _, nd := range []uint8{2, 3} {
					h.out(2, 0)
					h.out(2, 0x1c|drive&3)
					h.cmd(3, 0xdf, nd)
					h.program(70000, op&1 == 0)
					h.dma.wantTC = false
					h.out(rgFIFO, uint8(op))
					h.out(rgFIFO, drive)
					for _, v := range []uint8{0, drive >> 2, 1, 2, 255, 0x1b, 255} {
						h.out(rgFIFO, v)
					}
					h.out(2, 0x1c|^drive&3)
					h.dma.request(h.dma.level)
					h.wait()
					for range 30 {
						h.out(rgFIFO, 0xff)
						h.in(rgFIFO)
					}
					h.wait()
				}
			}
		}
		h.out(2, 0)
		h.out(2, 0x1c)
		h.want("90", 0x10)
	}
}

// Every first byte with every value of the parameter that rules lengths: the
// command ends, or waits for the host, and a reset brings the controller back.
func TestEveryLength(t *testing.T) {
	h := newHost(t, size144)
	for op := range 256 {
		for v := range 256 {
			h.out(7, 0)
			h.program(40000, op&1 == 0)
			h.dma.wantTC = v&1 == 0
			h.out(rgFIFO, uint8(op))
			for _, b := range []uint8{uint8(v) & 0x84, 0, uint8(v) >> 2 & 1, uint8(v), 2, uint8(v * 7), 0, uint8(v)} {
				h.out(rgFIFO, b)
			}
			h.wait()
			h.out(2, 0)
			h.out(2, 0x1c)
		}
	}
	h.want("90", 0x10)
}

func TestOddImage(t *testing.T) {
	h := newHost(t, 1000)
	h.numbers(h.read(512, "00 00 00 00 00 02 02", 0x46, 0, 0, 0, 1, 2, 36, 0x1b, 0xff), 0)
	h.read(512, "00 00 00 4f 00 02 02", 0x46, 0, 79, 0, 1, 2, 36, 0x1b, 0xff)
	h.program(512, false)
	h.want("40 20 20 4f 00 01 02", 0x45, 0, 79, 0, 1, 2, 36, 0x1b, 0xff)
}
