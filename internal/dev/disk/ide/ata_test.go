package ide

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"rhea/internal/block"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

func TestIdentify(t *testing.T) {
	h := newHost(t, false)
	h.cmd28(0xec, 0, 0, 0)
	h.want("identify", 0x58, 0, true)
	b := h.words(256)
	w := func(n int) uint16 { return binary.LittleEndian.Uint16(b[2*n:]) }
	if w(0)&0x8000 != 0 || w(49)&0x300 != 0x300 || w(60) != diskSectors || w(100) != diskSectors || w(83)&0xc400 != 0x4400 {
		t.Errorf("words %#x %#x %d %d %#x", w(0), w(49), w(60), w(100), w(83))
	}
	if w(1)*w(3)*w(6) > diskSectors || w(3) != 16 || w(6) != 63 {
		t.Errorf("geometry %d/%d/%d", w(1), w(3), w(6))
	}
	model := bytes.Clone(b[54:94])
	for i := 0; i < 40; i += 2 {
		model[i], model[i+1] = model[i+1], model[i]
	}
	if !bytes.HasPrefix(model, []byte("QEMU HARDDISK ")) {
		t.Errorf("model %q", model)
	}
	sum := byte(0)
	for _, v := range b {
		sum += v
	}
	if sum != 0 || b[510] != 0xa5 {
		t.Errorf("integrity word: %#x %#x", b[510], sum)
	}
	if h.alt() != 0x50 {
		t.Errorf("status after the data %#x", h.alt())
	}
}

func TestReadPIO(t *testing.T) {
	h := newHost(t, false)
	h.cmd28(0x20, 0, 100, 3)
	for i := range 3 {
		h.want("read", 0x58, 0, true)
		if b := h.words(256); sectorOf(b) != uint32(100+i) {
			t.Errorf("sector %d has %d", 100+i, sectorOf(b))
		}
	}
	if h.irq || h.alt() != 0x50 {
		t.Errorf("interrupt %v or status %#x after the last sector", h.irq, h.alt())
	}
	// 0 sectors are 256; by CHS
	h.out(rgDevice, 0xa1) // head 1
	h.out(rgSectorCount, 0)
	h.out(rgLBALow, 2)
	h.out(rgLBAMid, 1)
	h.out(rgLBAHigh, 0)
	h.out(rgStatus, 0x20)
	first := uint32((1*16+1)*63 + 1)
	for i := range uint32(256) {
		if h.in(rgStatus)&stDRQ == 0 {
			t.Fatalf("only %d sectors", i)
		}
		if b := h.words(256); sectorOf(b) != first+i {
			t.Fatalf("sector %d has %d", first+i, sectorOf(b))
		}
	}
	if h.alt()&stDRQ != 0 {
		t.Error("more than 256 sectors")
	}
	// 48-bit, 0 = 65536: more than the disk has
	h.cmd48(0x24, 0, 0)
	h.want("65536 sectors", 0x51, erIDNF, true)
	h.cmd48(0x24, diskSectors-2, 2)
	h.want("48-bit", 0x58, 0, true)
	if b := h.words(512); sectorOf(b) != diskSectors-2 || sectorOf(b[512:]) != diskSectors-1 {
		t.Error("48-bit read")
	}
}

func TestWritePIO(t *testing.T) {
	h := newHost(t, false)
	h.cmd28(0x30, 0, 7, 2)
	if h.irq {
		t.Error("interrupt before the first sector is written")
	}
	h.want("write", 0x58, 0, false)
	h.send(bytes.Repeat([]byte{0xab}, 512))
	h.want("after one", 0x58, 0, true)
	h.send(bytes.Repeat([]byte{0xcd}, 512))
	h.want("after two", 0x50, 0, true)
	if h.disk[7*512] != 0xab || h.disk[8*512+511] != 0xcd || h.disk[9*512] != 9 {
		t.Error("disk has something else")
	}
}

func TestMultiple(t *testing.T) {
	h := newHost(t, false)
	h.cmd28(0xc4, 0, 0, 4)
	h.want("not set", 0x51, erABRT, true)
	h.cmd28(0xc6, 0, 0, 5)
	h.want("5", 0x51, erABRT, true)
	h.cmd28(0xc6, 0, 0, 4)
	h.want("4", 0x50, 0, true)
	h.cmd28(0xc4, 0, 10, 6)
	h.want("first block", 0x58, 0, true)
	h.words(4 * 256)
	h.want("second block", 0x58, 0, true)
	if b := h.words(2 * 256); sectorOf(b) != 14 || h.alt() != 0x50 {
		t.Errorf("second block has %d, status %#x", sectorOf(b), h.alt())
	}
	h.cmd28(0xc5, 0, 20, 5)
	h.send(make([]byte, 4*512))
	h.want("written", 0x58, 0, true)
	h.send(make([]byte, 512))
	h.want("written", 0x50, 0, true)
	if h.disk[24*512] != 0 || h.disk[25*512] != 25 {
		t.Error("write multiple")
	}
}

func TestDMA(t *testing.T) {
	h := newHost(t, false)
	h.cmd28(0xc8, 0, 1000, 0) // 256 sectors
	if h.irq || h.alt() != 0x58 {
		t.Errorf("before the bus master runs: %v %#x", h.irq, h.alt())
	}
	h.dma.active, h.dma.toMem = true, true
	h.ch.DMAStart()
	h.want("dma read", 0x50, 0, true)
	if h.dma.pos != 256*512 || sectorOf(h.dma.mem[255*512:]) != 1255 || h.dma.done != 1 {
		t.Errorf("%d bytes", h.dma.pos)
	}
	h.dma.pos = 0
	h.cmd48(0x25, 0, 1500) // more than a chunk, master already running
	h.want("dma read ext", 0x50, 0, true)
	if sectorOf(h.dma.mem[1499*512:]) != 1499 {
		t.Error("data of a long read")
	}
	h.dma.pos, h.dma.toMem = 0, false
	h.cmd48(0x35, 2000, 600)
	h.want("dma write ext", 0x50, 0, true)
	if sectorOf(h.disk[2599*512:]) != 599 || sectorOf(h.disk[2600*512:]) != 2600 {
		t.Error("data of a long write")
	}
	// the bus master runs the wrong way: the drive waits
	h.cmd28(0xc8, 0, 0, 1)
	if h.irq || h.alt() != 0x58 {
		t.Error("wrong direction")
	}
}

func TestErrorsAndCommands(t *testing.T) {
	h := newHost(t, false)
	for _, tc := range []struct {
		what        string
		cmd         uint8
		lba         uint32
		n           int
		feature     uint8
		status, err uint8
	}{
		{"NOP", 0x00, 0, 0, 0, 0x51, erABRT},
		{"DEVICE RESET on a disk", 0x08, 0, 0, 0, 0x51, erABRT},
		{"unknown", 0xff, 0, 0, 0, 0x51, erABRT},
		{"read beyond the end", 0x20, diskSectors, 1, 0, 0x51, erIDNF},
		{"read across the end", 0x20, diskSectors - 1, 2, 0, 0x51, erIDNF},
		{"recalibrate", 0x10, 0, 0, 0, 0x50, 0},
		{"recalibrate 1f", 0x1f, 0, 0, 0, 0x50, 0},
		{"seek", 0x70, 5, 0, 0, 0x50, 0},
		{"seek too far", 0x7f, diskSectors, 0, 0, 0x51, erIDNF},
		{"verify", 0x40, 5, 9, 0, 0x50, 0},
		{"flush", 0xe7, 0, 0, 0, 0x50, 0},
		{"flush ext", 0xea, 0, 0, 0, 0x50, 0},
		{"idle immediate", 0xe1, 0, 0, 0, 0x50, 0},
		{"write cache off", 0xef, 0, 0, 0x82, 0x50, 0},
		{"write cache on", 0xef, 0, 0, 0x02, 0x50, 0},
		{"mode UDMA 5", 0xef, 0, 0x45, 0x03, 0x50, 0},
		{"mode UDMA 7", 0xef, 0, 0x47, 0x03, 0x51, erABRT},
		{"feature 99", 0xef, 0, 0, 0x99, 0x51, erABRT},
		{"security unlock", 0xf2, 0, 0, 0, 0x51, erABRT},
		{"packet on a disk", 0xa0, 0, 0, 0, 0x51, erABRT},
		{"SMART without key", 0xb0, 0, 0, 0xda, 0x51, erABRT},
		{"SMART status", 0xb0, 0xc24f00, 0, 0xda, 0x50, 0},
		{"SMART data", 0xb0, 0xc24f00, 0, 0xd0, 0x58, 0},
	} {
		h.out(rgError, tc.feature)
		h.cmd28(tc.cmd, 0, tc.lba, tc.n)
		h.want(tc.what, tc.status, tc.err, true)
	}
	h.cmd28(0xf8, 0, 0, 0)
	if lba := uint32(h.in(rgLBALow)) | uint32(h.in(rgLBAMid))<<8; lba != diskSectors-1 {
		t.Errorf("native max %d", lba)
	}
	h.out(rgError, 0)
	h.cmd28(0xf9, 0, 999, 0)
	h.cmd28(0x20, 0, 1000, 1)
	h.want("read beyond SET MAX", 0x51, erIDNF, true)
	h.cmd28(0xe0, 0, 0, 0)
	h.cmd28(0xe5, 0, 0, 0)
	if v := h.in(rgSectorCount); v != 0 {
		t.Errorf("power mode in standby %#x", v)
	}
	h.cmd28(0x40, 0, 0, 1)
	h.cmd28(0xe5, 0, 0, 0)
	if v := h.in(rgSectorCount); v != 0xff {
		t.Errorf("power mode when used %#x", v)
	}
	h.cmd28(0xe8, 0, 0, 0)
	h.send(bytes.Repeat([]byte{0x3c}, 512))
	h.want("write buffer", 0x50, 0, true)
	h.cmd28(0xe4, 0, 0, 0)
	if b := h.words(256); b[0] != 0x3c || b[511] != 0x3c {
		t.Error("read buffer")
	}
	h.out(rgDevice, 0xa7)
	h.out(rgSectorCount, 17)
	h.out(rgStatus, 0x91) // 8 heads, 17 sectors
	h.out(rgDevice, 0xa3)
	h.out(rgSectorCount, 1)
	h.out(rgLBALow, 4)
	h.out(rgLBAMid, 2)
	h.out(rgLBAHigh, 0)
	h.out(rgStatus, 0x20)
	if b := h.words(256); sectorOf(b) != (2*8+3)*17+3 {
		t.Errorf("other translation reads %d", sectorOf(b))
	}
	h.out(rgLBALow, 18)
	h.out(rgStatus, 0x20)
	h.want("sector 18 of 17", 0x51, erIDNF, true)
}

func TestSignatureAndAbsent(t *testing.T) {
	h := newHost(t, true)
	h.io.Write(0x3f6, 1, ctSRST)
	if h.alt()&stBSY == 0 {
		t.Error("not busy in reset")
	}
	h.io.Write(0x3f6, 1, 0)
	sig := func(dev uint8, want [4]uint8) {
		t.Helper()
		h.out(rgDevice, dev)
		if got := [4]uint8{h.in(rgSectorCount), h.in(rgLBALow), h.in(rgLBAMid), h.in(rgLBAHigh)}; got != want {
			t.Errorf("signature of %#x: %x", dev, got)
		}
		if h.in(rgError) != 1 {
			t.Errorf("diagnostic code %#x", h.in(rgError))
		}
	}
	sig(0xa0, [4]uint8{1, 1, 0, 0})
	if h.in(rgStatus) != 0x50 {
		t.Errorf("disk's status after reset %#x", h.in(rgStatus))
	}
	sig(0xb0, [4]uint8{1, 1, 0x14, 0xeb})
	if h.in(rgStatus) != 0 {
		t.Errorf("CD-ROM's status after reset %#x", h.in(rgStatus))
	}
	h.out(rgStatus, 0xec)
	h.want("IDENTIFY DEVICE on a CD-ROM", 0x51, erABRT, true)
	if h.in(rgLBAMid) != 0x14 || h.in(rgLBAHigh) != 0xeb {
		t.Error("no signature after IDENTIFY DEVICE")
	}
	h.out(rgStatus, 0x90)
	if h.in(rgDevice)&dvDEV != 0 || h.in(rgError) != 1 {
		t.Error("diagnostic does not select drive 0")
	}

	// HARDWARE.md: an absent slave answers register reads (Minix 2) but must
	// not look present (OpenBSD 2.3).
	h = newHost(t, false)
	h.out(rgDevice, 0xb0)
	if v := h.in(rgSectorCount) | h.in(rgLBALow) | h.in(rgStatus); v != 0 {
		t.Errorf("absent slave shows the master's signature")
	}
	h.out(rgSectorCount, 0x55)
	h.out(rgLBALow, 0xaa)
	if h.in(rgSectorCount) != 0x55 || h.in(rgLBALow) != 0xaa {
		t.Error("task file of an absent slave does not answer")
	}
	if h.in(rgStatus) != 0 || h.alt() != 0 {
		t.Errorf("status of an absent slave %#x", h.in(rgStatus))
	}
	h.out(rgStatus, 0xec)
	if h.irq || h.in(rgStatus) != 0 {
		t.Error("absent slave takes a command")
	}
	h.out(rgDevice, 0xa0)
	if h.in(rgStatus) != 0x50 {
		t.Errorf("master after that %#x", h.in(rgStatus))
	}
	e := New(Config{Sync: true})
	root := mem.NewContainer("io", 0x10000)
	root.Add(0x1f0, e.CommandRegion())
	io := mem.NewSpace("io", root, nil)
	io.Write(0x1f2, 1, 0x55)
	io.Write(0x1f7, 1, 0xec)
	if v := io.Read(0x1f2, 1) | io.Read(0x1f7, 1); v != 0 {
		t.Errorf("channel without drives reads %#x", v)
	}
}

func TestInterruptEnableAndHOB(t *testing.T) {
	h := newHost(t, false)
	h.io.Write(0x3f6, 1, ctNIEN)
	h.cmd28(0xec, 0, 0, 0)
	if h.irq {
		t.Error("nIEN does not hold INTRQ")
	}
	h.io.Write(0x3f6, 1, 0)
	if !h.irq {
		t.Error("pending interrupt is lost")
	}
	h.alt()
	if !h.irq {
		t.Error("alternate status ends INTRQ")
	}
	h.words(256)
	h.cmd48(0x27, 0, 0)
	h.out(rgLBAMid, 0x12)
	h.out(rgLBAMid, 0x34)
	h.io.Write(0x3f6, 1, ctHOB)
	if v := h.in(rgLBAMid); v != 0x12 {
		t.Errorf("previous content %#x", v)
	}
	h.out(rgLBAMid, 0x56)
	if v := h.in(rgLBAMid); v != 0x56 {
		t.Errorf("HOB is not cleared by a write: %#x", v)
	}
}

func TestMediumError(t *testing.T) {
	h := newHost(t, false)
	m := h.ch.drives[0].q.Backend().(*block.Memory)
	m.Fail = func(op block.Op, off int64, n int) error {
		if off <= 50*512 && off+int64(n) > 50*512 {
			return errors.New("bad sector")
		}
		return nil
	}
	h.cmd28(0x20, 0, 50, 1)
	h.want("read", 0x51, erUNC, true)
	if h.in(rgLBALow) != 50 {
		t.Errorf("address of the error %d", h.in(rgLBALow))
	}
	h.cmd28(0x30, 0, 49, 2)
	h.send(make([]byte, 512))
	h.want("write 49", 0x58, 0, true)
	h.send(make([]byte, 512))
	h.want("write 50", 0x51, erABRT, true)
	h.dma.active, h.dma.toMem = true, true
	h.cmd28(0xc8, 0, 50, 1)
	h.want("dma", 0x51, erUNC, true)
}

// Asynchronous images: BSY until the result is posted; a reset meanwhile
// drops it.
func TestAsynchronous(t *testing.T) {
	var mu sync.Mutex
	var posted []func()
	gate := make(chan bool)
	disk := block.NewMemory(make([]byte, 1<<20), false)
	disk.Fail = func(block.Op, int64, int) error { <-gate; return nil }
	irqs := 0
	ch := New(Config{Env: dev.Env{Clock: vclock.NewManual(), Post: func(f func()) { mu.Lock(); posted = append(posted, f); mu.Unlock() }},
		IRQ: func(l bool) {
			if l {
				irqs++
			}
		}, Drives: [2]*DriveConfig{{Backend: disk}}})
	deliver := func() {
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
	cb, ctl := commandBlock{ch}, controlBlock{ch}
	cb.Write(rgSectorCount, 1, 1)
	cb.Write(rgDevice, 1, 0x40)
	cb.Write(rgStatus, 1, 0x20)
	if ctl.Read(0, 1) != stBSY || !ch.Busy() {
		t.Fatalf("status %#x while reading", ctl.Read(0, 1))
	}
	cb.Write(rgStatus, 1, 0xec) // ignored
	gate <- true
	deliver()
	if ctl.Read(0, 1) != 0x58 || irqs != 1 || ch.Busy() {
		t.Fatalf("status %#x, %d interrupts", ctl.Read(0, 1), irqs)
	}
	cb.Write(rgStatus, 1, 0x20) // a new command, then a reset
	ctl.Write(0, 1, ctSRST)
	ctl.Write(0, 1, 0)
	gate <- true
	deliver()
	if ctl.Read(0, 1) != 0x50 {
		t.Errorf("result of a dropped command: %#x", ctl.Read(0, 1))
	}
}

func TestSnapshotInTransfer(t *testing.T) {
	h := newHost(t, true)
	h.cmd28(0x20, 0, 100, 3)
	h.words(256 + 10)
	tree, err := snap.SaveTree(h.ch)
	if err != nil {
		t.Fatal(err)
	}
	g := newHost(t, true)
	if err := snap.LoadTree(g.ch, tree); err != nil {
		t.Fatal(err)
	}
	b := append(make([]byte, 20), g.words(246)...)
	if b[511] != 101 {
		t.Errorf("rest of sector 101: %d", b[511])
	}
	if b := g.words(256); sectorOf(b) != 102 || g.alt() != 0x50 {
		t.Errorf("sector 102 has %d", sectorOf(b))
	}
	for _, f := range []string{"pos", "stop", "end", "op", "left", "next"} {
		bad, _ := snap.SaveTree(h.ch)
		for i := range bad.Subs["drive0"].Fields {
			if p := &bad.Subs["drive0"].Fields[i]; p.Name == f {
				p.Num = 0xfffff
				if f == "op" {
					p.Num = 200
				}
			}
		}
		if err := snap.LoadTree(newHost(t, true).ch, bad); err == nil {
			t.Errorf("%s out of range is taken", f)
		}
	}
}

// Old holes: sector counts past the buffer, data register without DRQ.
func TestDataRegisterBounds(t *testing.T) {
	h := newHost(t, false)
	h.words(1000)
	h.send(make([]byte, 10000))
	h.cmd28(0xec, 0, 0, 0)
	h.words(1000)
	h.cmd28(0x30, 0, 0, 0)
	h.words(100) // reads during a write
	h.send(make([]byte, 300*512))
	if h.disk[256*512] != 0 || h.disk[257*512] != 1 {
		t.Error("more than 256 sectors were written")
	}
}

func FuzzATA(f *testing.F) {
	f.Add([]byte{6, 0xe0, 2, 1, 7, 0x20})
	f.Fuzz(func(t *testing.T, ops []byte) { fuzz(t, ops) })
}

func fuzz(t *testing.T, ops []byte) {
	h := newHost(t, true)
	for i := 0; i+1 < len(ops); i += 2 {
		reg, v := ops[i], ops[i+1]
		switch {
		case reg < 8 && reg != 0:
			h.out(int(reg), v)
		case reg == 8:
			h.io.Write(0x3f6, 1, uint64(v))
		case reg == 9:
			h.words(int(v))
		case reg == 10:
			h.send(bytes.Repeat([]byte{v}, 512))
		case reg == 11:
			h.dma.active, h.dma.toMem = v&1 != 0, v&2 != 0
			h.dma.pos = 0
			h.ch.DMAStart()
		case reg == 12:
			h.io.Write(0x1f0, 4, uint64(v)*0x01010101)
		case reg == 13:
			_, _ = h.ch.Eject(1, v&1 != 0)
		case reg == 14:
			_, _ = h.ch.Insert(1, block.NewMemory(h.cd, true), v&1 != 0)
		case reg == 15 && v == 0:
			h.ch.Reset()
		case reg == 0:
			h.io.Write(0x1f0, 2, uint64(v)<<8|uint64(v))
		default:
			h.in(int(reg & 7))
		}
	}
	if tree, err := snap.SaveTree(h.ch); err != nil {
		t.Fatal(err)
	} else if err := snap.LoadTree(newHost(t, true).ch, tree); err != nil && h.ch.drives[1].q != nil {
		t.Fatalf("own state is refused: %v", err)
	}
}
