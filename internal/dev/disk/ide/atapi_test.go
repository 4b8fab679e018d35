package ide

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"rhea/internal/block"
)

func TestIdentifyPacket(t *testing.T) {
	h := newHost(t, true)
	h.out(rgDevice, 0xb0)
	h.out(rgStatus, 0xa1)
	h.want("identify", 0x58, 0, true)
	if b := h.words(256); binary.LittleEndian.Uint16(b) != 0x85c0 {
		t.Errorf("word 0 %#x", b[:2])
	}
}

func TestPacketCommands(t *testing.T) {
	h := newHost(t, true)
	be := binary.BigEndian
	for _, tc := range []struct {
		what  string
		pkt   []byte
		n     int // bytes that come
		check func(b []byte) bool
	}{
		{"TEST UNIT READY", []byte{0}, 0, nil},
		{"REQUEST SENSE", []byte{3, 0, 0, 0, 18}, 18, func(b []byte) bool { return b[0] == 0x70 && b[2] == 0 }},
		{"INQUIRY", []byte{0x12, 0, 0, 0, 36}, 36, func(b []byte) bool { return b[0] == 5 && b[1] == 0x80 && string(b[8:12]) == "QEMU" }},
		{"INQUIRY short", []byte{0x12, 0, 0, 0, 5}, 5, func(b []byte) bool { return b[4] == 31 }},
		{"READ CAPACITY", []byte{0x25}, 8, func(b []byte) bool { return be.Uint32(b) == 999 && be.Uint32(b[4:]) == 2048 }},
		{"READ 10", []byte{0x28, 0, 0, 0, 0, 5, 0, 0, 3}, 3 * 2048, func(b []byte) bool { return sectorOf(b[2*2048:]) == 0xcd000007 }},
		{"READ 12", []byte{0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 40}, 40 * 2048, func(b []byte) bool { return sectorOf(b[39*2048:]) == 0xcd00002c }},
		{"READ 10 of nothing", []byte{0x28, 0, 0, 0, 0, 5}, 0, nil},
		{"READ CD data", []byte{0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0x10}, 2048, func(b []byte) bool { return sectorOf(b) == 0xcd000009 }},
		{"READ CD raw", []byte{0xbe, 0, 0, 0, 0, 9, 0, 0, 2, 0xf8}, 2 * 2352, func(b []byte) bool {
			r := b[2352:]
			return bytes.Equal(r[:16], []byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 2, 0x10, 1}) &&
				sectorOf(r[16:]) == 0xcd00000a
		}},
		{"READ CD nothing", []byte{0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0}, 0, nil},
		{"READ TOC", []byte{0x43, 0, 0, 0, 0, 0, 0, 0, 100}, 20, func(b []byte) bool {
			return be.Uint16(b) == 18 && b[2] == 1 && b[3] == 1 && b[6] == 1 && b[14] == 0xaa && be.Uint32(b[16:]) == 1000
		}},
		{"READ TOC MSF", []byte{0x43, 2, 0, 0, 0, 0, 0, 0, 100}, 20, func(b []byte) bool {
			return b[9] == 0 && b[10] == 2 && b[11] == 0 && b[17] == 0 && b[18] == 15 && b[19] == 25
		}},
		{"READ TOC sessions", []byte{0x43, 0, 0, 0, 0, 0, 0, 0, 100, 0x40}, 12, func(b []byte) bool { return be.Uint16(b) == 10 && b[6] == 1 }},
		{"READ TOC full", []byte{0x43, 2, 2, 0, 0, 0, 0, 0, 100}, 48, func(b []byte) bool { return be.Uint16(b) == 46 && b[7] == 0xa0 }},
		{"MODE SENSE 10", []byte{0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 100}, 28, func(b []byte) bool { return be.Uint16(b) == 26 && b[8] == 0x2a }},
		{"MODE SENSE 6", []byte{0x1a, 0, 0x3f, 0, 100}, 56, func(b []byte) bool { return b[0] == 55 }},
		{"GET CONFIGURATION", []byte{0x46, 0, 0, 0, 0, 0, 0, 0, 200}, 64, func(b []byte) bool { return be.Uint16(b[6:]) == 8 && be.Uint32(b) == uint32(len(b)-4) }},
		{"GET CONFIGURATION one", []byte{0x46, 2, 0, 0x1f, 0, 0, 0, 0, 200}, 12, func(b []byte) bool { return b[9] == 0x1f }},
		{"GET EVENT STATUS", []byte{0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}, 8, func(b []byte) bool { return b[5] == 2 && b[4] == 0 }},
		{"GET EVENT STATUS other", []byte{0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8}, 4, func(b []byte) bool { return b[2] == 0x80 }},
		{"MECHANISM STATUS", []byte{0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8}, 8, nil},
		{"START UNIT", []byte{0x1b, 0, 0, 0, 1}, 0, nil},
		{"PREVENT", []byte{0x1e, 0, 0, 0, 1}, 0, nil},
		{"ALLOW", []byte{0x1e, 0, 0, 0, 0}, 0, nil},
		{"READ DISC INFORMATION", []byte{0x51, 0, 0, 0, 0, 0, 0, 0, 34}, 34, func(b []byte) bool { return b[2] == 0x0e }},
		{"READ TRACK INFORMATION", []byte{0x52, 1, 0, 0, 0, 1, 0, 0, 36}, 36, func(b []byte) bool { return be.Uint32(b[24:]) == 1000 }},
		{"READ SUB-CHANNEL", []byte{0x42, 2, 0x40, 1, 0, 0, 0, 0, 16}, 16, func(b []byte) bool { return b[1] == 0x15 && b[4] == 1 }},
		{"GET PERFORMANCE", []byte{0xac, 0x10, 0, 0, 0, 0, 0, 0, 0, 1}, 24, func(b []byte) bool { return be.Uint32(b[16:]) == 999 }},
		{"SEEK", []byte{0x2b, 0, 0, 0, 0, 9}, 0, nil},
		{"SET CD SPEED", []byte{0xbb}, 0, nil},
	} {
		b := h.packet(0x800, tc.pkt...)
		if h.in(rgStatus) != 0x50 || h.in(rgError) != 0 {
			t.Errorf("%s: status %#x error %#x", tc.what, h.in(rgStatus), h.in(rgError))
			continue
		}
		if len(b) != tc.n || tc.check != nil && !tc.check(b) {
			t.Errorf("%s: %d bytes: % x", tc.what, len(b), b[:min(len(b), 64)])
		}
	}
}

func TestPacketErrors(t *testing.T) {
	h := newHost(t, true)
	for _, tc := range []struct {
		what     string
		pkt      []byte
		key, asc uint8
	}{
		{"unknown", []byte{0xff}, 5, 0x20},
		{"READ beyond", []byte{0x28, 0, 0, 0, 3, 0xe8, 0, 0, 1}, 5, 0x21},
		{"READ across", []byte{0x28, 0, 0, 0, 3, 0xe7, 0, 0, 2}, 5, 0x21},
		{"READ 12 absurd", []byte{0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 5, 0x21},
		{"READ CD sub-channel", []byte{0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 1}, 5, 0x24},
		{"MODE SENSE saved", []byte{0x5a, 0, 0xea, 0, 0, 0, 0, 0, 100}, 5, 0x39},
		{"MODE SENSE page", []byte{0x5a, 0, 0x11, 0, 0, 0, 0, 0, 100}, 5, 0x24},
		{"READ TOC format", []byte{0x43, 0, 5, 0, 0, 0, 0, 0, 100}, 5, 0x24},
		{"PLAY AUDIO", []byte{0x45}, 5, 0x64},
		{"GET EVENT asynchronous", []byte{0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8}, 5, 0x24},
	} {
		h.packet(0x800, tc.pkt...)
		if s, e := h.in(rgStatus), h.in(rgError); s != 0x51 || e != tc.key<<4|erABRT {
			t.Errorf("%s: status %#x error %#x", tc.what, s, e)
		}
		if k, a, _ := h.sense(); k != tc.key || a != tc.asc {
			t.Errorf("%s: sense %x %x", tc.what, k, a)
		}
		if k, _, _ := h.sense(); k != 0 {
			t.Errorf("%s: sense stays %x", tc.what, k)
		}
	}
}

// The byte count limit rules block sizes; 0 and FFFFh mean the most.
func TestByteCount(t *testing.T) {
	h := newHost(t, true)
	for _, limit := range []int{2, 0x7fe, 0x800, 0x801, 0xffff} {
		b := h.packet(limit, 0x28, 0, 0, 0, 0, 1, 0, 0, 2)
		if len(b) != 4096 || sectorOf(b[2048:]) != 0xcd000002 {
			t.Errorf("limit %#x: %d bytes", limit, len(b))
		}
	}
	if b := h.packet(0, 0x28, 0, 0, 0, 0, 1, 0, 0, 2); len(b) != 4096 {
		t.Errorf("limit 0: %d bytes", len(b))
	}
}

func TestPacketDMA(t *testing.T) {
	h := newHost(t, true)
	h.dma.active, h.dma.toMem = true, true
	h.out(rgDevice, 0x10)
	h.out(rgError, 1)
	h.out(rgStatus, 0xa0)
	h.send([]byte{0x28, 0, 0, 0, 0, 3, 0, 0, 100, 0, 0, 0})
	h.want("read by DMA", 0x50, 0, true)
	if h.dma.pos != 100*2048 || sectorOf(h.dma.mem[99*2048:]) != 0xcd000066 || h.dma.done != 1 {
		t.Errorf("%d bytes", h.dma.pos)
	}
	h.out(rgError, 1)
	h.out(rgStatus, 0xa0)
	h.send([]byte{0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0})
	h.want("inquiry by DMA", 0x50, 0, true)
}

func TestModeSelect(t *testing.T) {
	h := newHost(t, true)
	h.out(rgDevice, 0x10)
	h.out(rgError, 0)
	h.out(rgLBAMid, 0xfe)
	h.out(rgLBAHigh, 0xff)
	h.out(rgStatus, 0xa0)
	h.send([]byte{0x55, 0x10, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0})
	h.want("data wanted", 0x58, 0, true)
	h.send(make([]byte, 16))
	h.want("done", 0x50, 0, true)
}

func TestMediaChange(t *testing.T) {
	h := newHost(t, true)
	h.packet(0x800, 0x1e, 0, 0, 0, 1)
	if _, err := h.ch.Eject(1, false); !errors.Is(err, ErrLocked) {
		t.Errorf("eject of a locked tray: %v", err)
	}
	if b := h.packet(0x800, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8); b[4] != eventEject {
		t.Errorf("no eject request: % x", b)
	}
	h.packet(0x800, 0x1b, 0, 0, 0, 2)
	if k, a, q := h.sense(); k != 5 || a != 0x53 || q != 2 {
		t.Errorf("eject by the guest of a locked tray: %x %x", k, a)
	}
	if q, err := h.ch.Eject(1, true); err != nil || q == nil {
		t.Fatalf("forced eject: %v", err)
	}
	h.packet(0x800, 0)
	if k, a, _ := h.sense(); k != 2 || a != 0x3a {
		t.Errorf("no medium: %x %x", k, a)
	}
	if _, err := h.ch.Insert(1, block.NewMemory(make([]byte, 40*cdSector), true), false); err != nil {
		t.Fatal(err)
	}
	if b := h.packet(0x800, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8); b[4] != eventNew || b[5] != 2 {
		t.Errorf("event of a new medium: % x", b)
	}
	for _, want := range []sense{senseNoMedium, senseChanged} {
		h.packet(0x800, 0)
		if k, a, _ := h.sense(); k != want.key || a != want.asc {
			t.Errorf("after the change: %x %x, want %x", k, a, want)
		}
	}
	h.packet(0x800, 0)
	if h.in(rgStatus) != 0x50 {
		t.Error("never ready again")
	}
	if b := h.packet(0x800, 0x25); binary.BigEndian.Uint32(b) != 39 {
		t.Errorf("capacity % x", b)
	}
	if _, err := h.ch.Eject(0, true); !errors.Is(err, ErrNoCDROM) {
		t.Errorf("eject of a disk: %v", err)
	}
}

// CVE-2015-5154: DRQ and buffer were not cleared at the end of a command, and
// START STOP UNIT let the data register run past the buffer.
func TestCVE20155154(t *testing.T) {
	h := newHost(t, true)
	h.packet(0x800, 0x28, 0, 0, 0, 0, 1, 0, 0, 1)
	h.packet(0x800, 0x1b, 0, 0, 0, 1)
	d := h.ch.drives[1]
	if d.status&stDRQ != 0 || d.pos|d.stop|d.end|d.left != 0 || d.op != opNone {
		t.Errorf("left over: status %#x, %d/%d/%d, op %d", d.status, d.pos, d.stop, d.end, d.op)
	}
	h.words(100000)
	h.send(make([]byte, 200000))
	if d.pos != 0 {
		t.Errorf("position %d", d.pos)
	}
}

func TestDeviceReset(t *testing.T) {
	h := newHost(t, true)
	h.out(rgDevice, 0x10)
	h.out(rgStatus, 0xa0)
	h.out(rgStatus, 0x08) // while DRQ
	if h.in(rgStatus) != 0 || h.in(rgLBAMid) != 0x14 || h.in(rgError) != 1 || h.irq {
		t.Errorf("status %#x", h.in(rgStatus))
	}
}

func FuzzATAPI(f *testing.F) {
	f.Add([]byte{0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0x10})
	f.Fuzz(func(t *testing.T, data []byte) {
		var ops []byte
		for i := 0; i+packetSize < len(data); i += packetSize + 1 {
			ops = append(ops, 6, 0xb0, 1, data[i+packetSize]&1, 4, data[i+packetSize], 5, 0, 7, 0xa0)
			for _, b := range data[i : i+packetSize] {
				ops = append(ops, 0, b) // each byte twice
			}
			ops = append(ops, 9, 255, 11, 3, 10, 1, 9, 255)
		}
		fuzz(t, ops)
		// And the packet as it is.
		h := newHost(t, true)
		for i := 0; i+packetSize <= len(data); i += packetSize {
			h.out(rgDevice, 0xb0)
			h.out(rgStatus, 0xa0)
			h.send(data[i : i+packetSize])
			h.words(5000)
			h.send(make([]byte, 100))
		}
	})
}
