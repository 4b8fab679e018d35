package amd64

import (
	"encoding/binary"
	"reflect"
	"testing"

	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
)

// What is read of a record is what was written, whatever the numbers.
func TestSiteRecords(t *testing.T) {
	c := New(Config{Slots: irtest.ProgramSlots()})
	buf := make([]byte, 64<<10)
	exit := func(kind SiteKind, pc uint64) Site {
		return Site{Kind: kind, Args: [2]uint16{NoWord, NoWord}, PC: pc}
	}
	for _, unitPC := range []uint64{0, 0x100, 0xfffffff0, 0xffffffff_80001234} {
		for _, far := range []int{0, 100, 3000, 40000} { // from the unit's beginning
			c.start(&ir.Unit{Slots: c.cfg.Slots, Insts: []ir.Inst{{Op: ir.Insn, Imm: unitPC}}}, unitPC, 0)
			c.i = 0
			c.buf, c.unitAt = buf, Place(200)
			binary.LittleEndian.PutUint64(buf[c.unitAt-pcBefore:], unitPC)
			binary.LittleEndian.PutUint32(buf[c.unitAt-ownerBefore:], 0xfedcba98)
			c.n = c.unitAt + far
			check := func(name string, site uint32, d reg, lost uint16, back int, want Site) {
				t.Helper()
				at := c.n + 5
				c.leaveTo(site, d, lost, back)
				got := *c.Site(buf, at)
				want.Owner, want.Writes = 0xfedcba98, append([]Write{}, want.Writes...)
				got.Writes = append([]Write{}, got.Writes...)
				want.result, want.lost, want.back, want.end = NoWord, lost, back, c.n
				if d != noReg {
					want.result = c.regWord[d]
				}
				// Kinds leave what is none of theirs as it was.
				switch want.Kind {
				case Load, Store:
				default:
					got.Size, got.Index = 0, 0
				}
				if want.Kind != Load {
					got.RMW, got.Probe = false, false
				}
				if want.Kind != Call {
					got.Pure, got.KeepsStack = false, false
				}
				if want.Kind == Indirect || want.Args[0] != NoWord && want.Kind >= Exit {
					got.PC = 0
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("unit at %#x, %d bytes on, %s:\n got %+v\nwant %+v", unitPC, far, name, got, want)
				}
			}
			pcs := []uint64{unitPC, unitPC + 5, unitPC - 1, unitPC + 0x12345678, 0, 1 << 63, ^uint64(0)}
			for _, pc := range pcs {
				check("exit", c.pcSite(Exit, pc), noReg, 0, 0, exit(Exit, pc))
				check("poll", c.pcSite(Poll, pc), noReg, 0, 0, exit(Poll, pc))
			}
			for _, w := range []uint16{0, 5, 111, 112, ir.TempBase - 1, saveWord, saveWord + 15, saveWord + 16, spillWord + 9000, NoWord - 1} {
				want := exit(Indirect, 0)
				want.Args[0] = w
				check("indirect", c.wordSite(Indirect, w), noReg, 0, 0, want)
				c.begin(Call, sitePure|siteWrites)
				c.number(1 << 20)
				c.pcNumber(unitPC)
				c.number(3)
				c.writeOf(0, ^uint64(0))
				c.writeFrom(ir.TempBase-1, w)
				c.writeOf(7, 0x7f)
				check("call", c.finish(false), r14, 0, 0, Site{
					Kind: Call, Pure: true, Args: [2]uint16{NoWord, NoWord}, Imm: 1 << 20, PC: unitPC,
					Writes: []Write{{0, NoWord, ^uint64(0)}, {ir.TempBase - 1, w, 0}, {7, NoWord, 0x7f}},
				})
			}
			for _, m := range []ir.Mem{{Size: 1}, {Size: 8, Index: 3, RMW: true}, {Size: 4, Index: 2, RMW: true, Probe: true}} {
				want := Site{Kind: Load, Size: uint8(m.Size), Index: uint8(m.Index), RMW: m.RMW, Probe: m.Probe, PC: unitPC, Args: [2]uint16{c.regWord[rcx], NoWord}}
				check("load", c.loadSite(m, rcx, NoWord), rdx, 1<<rax|1<<r14, c.unitAt, want)
				want = Site{Kind: Store, Size: uint8(m.Size), Index: uint8(m.Index), PC: unitPC, Args: [2]uint16{c.regWord[r12], NoWord}, Imm: 1<<63 | 5}
				check("store of a constant", c.storeConstSite(m, r12, 1<<63|5), noReg, 1, 0, want)
			}
			check("load of 16 bytes", c.loadSite(ir.Mem{Size: 16}, rax, 300), noReg, 0, 0, Site{Kind: Load, Size: 16, PC: unitPC, Args: [2]uint16{c.regWord[rax], 300}})
		}
	}
}

// A result and lost registers are handed over in the frame.
func TestResume(t *testing.T) {
	c := New(Config{Slots: irtest.ProgramSlots()})
	var f ir.Frame
	for i := range f {
		f[i] = 7
	}
	s := Site{result: c.regWord[rdx], lost: 1<<rax | 1<<r13, end: 99}
	if at := c.Resume(&f, &s, 1234); at != 99 {
		t.Errorf("resumed at %d", at)
	}
	s.back = 55
	if at := c.Resume(&f, &s, 1234); at != 55 {
		t.Errorf("resumed at %d", at)
	}
	for i := range f {
		want := uint64(7)
		switch uint16(i) {
		case c.regWord[rdx]:
			want = 1234
		case c.regWord[rax], c.regWord[r13]:
			want = 0
		}
		if f[i] != want {
			t.Errorf("word %d is %d, want %d", i, f[i], want)
		}
	}
}
