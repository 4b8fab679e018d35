package ide

import (
	"encoding/binary"
	"errors"
	"testing"

	"rhea/internal/block"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// smartCmd issues a subcommand with what it has in LBA low and the count.
func (h *host) smartCmd(sub, low uint8, n int) {
	h.out(rgError, sub)
	h.cmd28(0xb0, 0, 0xc24f00|uint32(low), n)
}

// smartSector is smartCmd for one that answers with a sector.
func (h *host) smartSector(sub, low uint8) []byte {
	h.t.Helper()
	h.smartCmd(sub, low, 1)
	h.want("SMART data", 0x58, 0, true)
	return h.words(256)
}

func summed(b []byte) bool {
	sum := byte(0)
	for _, v := range b {
		sum += v
	}
	return sum == 0
}

// bad makes sectors unreadable.
func (h *host) bad(sectors ...int64) {
	h.ch.drives[0].q.Backend().(*block.Memory).Fail = func(op block.Op, off int64, n int) error {
		for _, s := range sectors {
			if op == block.Read && off <= s*512 && off+int64(n) > s*512 {
				return errors.New("bad sector")
			}
		}
		return nil
	}
}

func attributeOf(b []byte, id byte) []byte {
	for i := range 30 {
		if a := b[2+12*i:][:12]; a[0] == id {
			return a
		}
	}
	return nil
}

func TestSMARTData(t *testing.T) {
	h := newHost(t, false)
	h.clock.Advance(5*3600*vclock.Second + 1)
	b := h.smartSector(0xd0, 0)
	if !summed(b) {
		t.Error("READ DATA: checksum")
	}
	if a := attributeOf(b, 9); a == nil || a[3] != 100 || binary.LittleEndian.Uint16(a[5:]) != 5 {
		t.Errorf("power-on hours: % x", a)
	}
	limits := h.smartSector(0xd1, 0)
	if !summed(limits) {
		t.Error("READ THRESHOLDS: checksum")
	}
	for i := range 30 {
		if b[2+12*i] != limits[2+12*i] {
			t.Errorf("attribute %d is %d in the data and %d among the thresholds", i, b[2+12*i], limits[2+12*i])
		}
	}
	if b[362] != 0 || b[363] != 0 || b[370]&1 == 0 || b[367]&0x11 != 0x11 {
		t.Errorf("capabilities % x", b[362:374])
	}
	h.cmd28(0xe0, 0, 0, 0) // standby, and up again
	h.cmd28(0x40, 0, 0, 1)
	if a := attributeOf(h.smartSector(0xd0, 0), 4); a[5] != 2 {
		t.Errorf("starts: % x", a)
	}
	for _, tc := range []struct {
		what         string
		sub, low     uint8
		count        int
		status, code uint8
	}{
		{"autosave off", 0xd2, 0, 0, 0x50, 0},
		{"autosave on", 0xd2, 0, 0xf1, 0x50, 0},
		{"autosave of another kind", 0xd2, 0, 1, 0x51, erABRT},
		{"automatic off-line", 0xdb, 0, 0xf8, 0x50, 0},
		{"save", 0xd3, 0, 0, 0x50, 0},
		{"a log that is not there", 0xd5, 2, 1, 0x51, erABRT},
		{"two sectors of a log", 0xd5, 1, 2, 0x51, erABRT},
		{"write of the error log", 0xd6, 1, 1, 0x51, erABRT},
		{"a test that is not there", 0xd4, 3, 0, 0x51, erABRT},
		{"a subcommand that is not there", 0xdf, 0, 0, 0x51, erABRT},
		{"disable", 0xd9, 0, 0, 0x50, 0},
		{"status when disabled", 0xda, 0, 0, 0x51, erABRT},
		{"enable", 0xd8, 0, 0, 0x50, 0},
		{"status", 0xda, 0, 0, 0x50, 0},
	} {
		h.smartCmd(tc.sub, tc.low, tc.count)
		h.want(tc.what, tc.status, tc.code, true)
	}
	if h.in(rgLBAMid) != 0x4f || h.in(rgLBAHigh) != 0xc2 {
		t.Error("a good drive is said to fail")
	}
	if b := h.smartSector(0xd0, 0); b[362] != 0x80 {
		t.Errorf("automatic off-line does not show: %#x", b[362])
	}
	h.smartCmd(0xd6, 0x85, 1)
	h.want("write log", 0x58, 0, false)
	page := make([]byte, 512)
	page[0], page[511] = 1, 2
	h.send(page)
	h.want("written", 0x50, 0, true)
	if b := h.smartSector(0xd5, 0x85); b[0] != 1 || b[511] != 2 {
		t.Error("host's log")
	}
	if b := h.smartSector(0xd5, 0); b[0] != 1 || b[2*1] != 1 || b[2*6] != 1 || b[2*0x9f] != 1 || b[2*0xa0] != 0 {
		t.Errorf("directory % x", b)
	}
}

// Errors are found to the sector, logged, and make the drive say that it fails.
func TestSMARTErrorLog(t *testing.T) {
	h := newHost(t, false)
	h.bad(103)
	h.clock.Advance(3 * 3600 * vclock.Second)
	h.cmd28(0x20, 0, 100, 8)
	for i := range 3 {
		h.want("sectors before the bad one", 0x58, 0, true)
		if b := h.words(256); sectorOf(b) != uint32(100+i) {
			t.Errorf("sector %d has %d", 100+i, sectorOf(b))
		}
	}
	h.want("bad sector", 0x51, erUNC, true)
	if h.in(rgLBALow) != 103 {
		t.Errorf("address of the error %d", h.in(rgLBALow))
	}
	h.cmd28(0x40, 0, 90, 100)
	h.want("verify", 0x51, erUNC, true)
	h.cmd28(0xff, 0, 0, 0) // not an error of the drive
	h.want("unknown command", 0x51, erABRT, true)
	b := h.smartSector(0xd5, 1)
	if !summed(b) || b[0] != 1 || b[1] != 2 || binary.LittleEndian.Uint16(b[452:]) != 2 {
		t.Errorf("error log: index %d, count %d", b[1], binary.LittleEndian.Uint16(b[452:]))
	}
	e := b[2+90:][:90]
	if cmd := e[48:60]; cmd[7] != 0x40 || cmd[2] != 100 || cmd[3] != 90 || binary.LittleEndian.Uint32(cmd[8:]) != 3*3600*1000 {
		t.Errorf("command % x", cmd)
	}
	if e[36+7] != 0x20 {
		t.Errorf("command before that % x", e[36:48])
	}
	if x := e[60:]; x[1] != erUNC || x[3] != 103 || x[7] != 0x51 || binary.LittleEndian.Uint16(x[28:]) != 3 {
		t.Errorf("error % x", x)
	}
	for range 48 {
		h.cmd28(0x40, 0, 103, 1)
	}
	h.smartCmd(0xda, 0, 0)
	h.want("status", 0x50, 0, true)
	if h.in(rgLBAMid) != 0xf4 || h.in(rgLBAHigh) != 0x2c {
		t.Error("a drive with 50 errors is said to be well")
	}
	if b := h.smartSector(0xd5, 1); b[1] != 5 || binary.LittleEndian.Uint16(b[452:]) != 50 {
		t.Errorf("error log after 50: index %d, count %d", b[1], binary.LittleEndian.Uint16(b[452:]))
	}
}

func TestSMARTSelfTest(t *testing.T) {
	h := newHost(t, false)
	status := func() byte { return h.smartSector(0xd0, 0)[363] }
	entry := func(n int) []byte { return h.smartSector(0xd5, 6)[2+24*n:][:24] }
	h.smartCmd(0xd4, 2, 0)
	h.want("extended", 0x50, 0, true)
	if s := status(); s != 0xf9 {
		t.Errorf("status at the beginning %#x", s)
	}
	h.clock.Advance(10 * testPause)
	if s := status(); s != 0xf4 {
		t.Errorf("status half way %#x", s)
	}
	h.cmd28(0x20, 0, 1, 1) // a command does not end it
	h.words(256)
	h.clock.Advance(20 * testPause)
	if s := status(); s != 0 {
		t.Errorf("status at the end %#x", s)
	}
	if e := entry(0); e[0] != 2 || e[1] != 0 {
		t.Errorf("entry % x", e)
	}
	h.smartCmd(0xd4, 1, 0)
	h.clock.Advance(2 * testPause)
	h.smartCmd(0xd4, 0x7f, 0)
	h.want("abort", 0x50, 0, true)
	if e := entry(1); e[0] != 1 || e[1]>>4 != 1 || e[1]&15 == 0 {
		t.Errorf("entry of an aborted test % x", e)
	}
	h.bad(3000)
	h.smartCmd(0xd4, 0x82, 0)
	if h.alt() != stBSY || h.irq {
		t.Errorf("captive test: status %#x", h.alt())
	}
	h.clock.Advance(300 * testPause)
	h.want("captive test that fails", 0x51, erABRT, true)
	if h.in(rgLBAMid) != 0xf4 || h.in(rgLBAHigh) != 0x2c {
		t.Error("captive test that fails does not say so")
	}
	if e := entry(2); e[0] != 0x82 || e[1]>>4 != 7 || binary.LittleEndian.Uint32(e[5:]) != 3000 {
		t.Errorf("entry of a failed test % x", e)
	}
	h.bad()
	h.smartCmd(0xd4, 0x81, 0)
	h.clock.Advance(100 * testPause)
	h.want("captive test", 0x50, 0, true)
	h.smartCmd(0xd4, 0x82, 0)
	h.io.Write(0x3f6, 1, ctSRST)
	h.io.Write(0x3f6, 1, 0)
	if h.alt() != 0x50 {
		t.Errorf("status after a reset %#x", h.alt())
	}
	h.out(rgDevice, 0xe0)
	if e := entry(4); e[1]>>4 != 2 {
		t.Errorf("entry of a test that a reset ended % x", e)
	}
	h.smartCmd(0xd4, 0, 0)
	if b := h.smartSector(0xd0, 0); b[362] != 3 {
		t.Errorf("collecting: %#x", b[362])
	}
	h.clock.Advance(100 * testPause)
	if b := h.smartSector(0xd0, 0); b[362] != 2 {
		t.Errorf("collected: %#x", b[362])
	}
	// A test goes on where a snapshot has it.
	h.smartCmd(0xd4, 2, 0)
	h.clock.Advance(5 * testPause)
	tree, err := snap.SaveTree(h.ch)
	if err != nil {
		t.Fatal(err)
	}
	g := newHost(t, false)
	g.clock.Advance(h.clock.Now())
	if err := snap.LoadTree(g.ch, tree); err != nil {
		t.Fatal(err)
	}
	if s := g.smartSector(0xd0, 0)[363]; s>>4 != 15 {
		t.Errorf("status after loading %#x", s)
	}
	g.clock.Advance(20 * testPause)
	if b := g.smartSector(0xd5, 6); b[508] != 6 || b[2+24*5+1] != 0 {
		t.Errorf("test that was loaded: index %d, % x", b[508], b[2+24*5:][:24])
	}
}
