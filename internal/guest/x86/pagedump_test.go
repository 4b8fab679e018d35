package x86

import (
	"errors"
	"strings"
	"testing"
)

// The tables of these tests, and what is shown of them, were taken from a
// guest under QEMU.

const (
	dumpTable = 0x10000
	qemuMem32 = `0000000000000000-0000000000100000 0000000000100000 -rw
0000000000101000-000000000012c000 000000000002b000 -rw
000000000012c000-000000000012d000 0000000000001000 ur-
000000000012d000-000000000012e000 0000000000001000 urw
000000000012e000-0000000000400000 00000000002d2000 -rw
0000000000400000-0000000000800000 0000000000400000 urw
0000000000800000-0000000000c00000 0000000000400000 ur-
0000000000c00000-0000000000d00000 0000000000100000 -r-
0000000000d01000-0000000000d2c000 000000000002b000 -r-
0000000000d2c000-0000000000d2e000 0000000000002000 ur-
0000000000d2e000-0000000001000000 00000000002d2000 -r-
00000000c0000000-00000000c0400000 0000000000400000 -rw
00000000ffc00000-00000000ffd00000 0000000000100000 -rw
00000000ffd01000-00000000ffd2c000 000000000002b000 -rw
00000000ffd2c000-00000000ffd2d000 0000000000001000 -r-
00000000ffd2d000-0000000100000000 00000000002d3000 -rw
`
	qemuMemPAE = `0000000000000000-0000000000100000 0000000000100000 -rw
0000000000101000-000000000012c000 000000000002b000 -rw
000000000012c000-000000000012d000 0000000000001000 ur-
000000000012d000-000000000012e000 0000000000001000 urw
000000000012e000-0000000000200000 00000000000d2000 -rw
0000000000200000-0000000000400000 0000000000200000 urw
0000000000400000-0000000000600000 0000000000200000 ur-
000000003fe00000-0000000040000000 0000000000200000 -rw
00000000c0000000-00000000c0200000 0000000000200000 -rw
00000000ffe00000-00000000fff00000 0000000000100000 -rw
00000000fff01000-00000000fff2c000 000000000002b000 -rw
00000000fff2c000-00000000fff2d000 0000000000001000 ur-
00000000fff2d000-00000000fff2e000 0000000000001000 urw
00000000fff2e000-0000000100000000 00000000000d2000 -rw
`
)

// dumpMachine has tables with pages of all kinds.
func dumpMachine(t *testing.T, pae bool) *machine {
	m := newMachine(t, "max")
	m.ok(m.setCR0(cr0PE))
	fill := func(at, step, count uint32) {
		for i := range count {
			m.w32(at+i*step, i<<12|pteP|pteRW)
		}
		m.w32(at+256*step, 0)
		m.w32(at+300*step, 0x12c065)
		m.w32(at+301*step, 0x12d01f)
		m.w32(at+7*step, 0x7023)
	}
	if !pae {
		m.w32(0x10000, 0x11027)
		m.w32(0x10004, 0x4000e7)
		m.w32(0x10008, 0x8001e5)
		m.w32(0x1000c, 0x11065)
		m.w32(0x10c00, 0xe3)
		m.w32(0x10ffc, 0x11063)
		fill(0x11000, 4, 1024)
		m.ok(m.setCR(4, cr4PSE|cr4PGE))
	} else {
		m.w64(0x10000, 0x11001)
		m.w64(0x10018, 0x12001)
		m.w64(0x11000, 0x13027)
		m.w64(0x11008, 0x2000e7)
		m.w64(0x11010, 0x4001e5)
		m.w64(0x11ff8, 0x6000e3)
		m.w64(0x12000, 0x80000000000000e3)
		m.w64(0x12ff8, 0x13067)
		fill(0x13000, 8, 512)
		m.w32(0x13000+8*511+4, 1<<31)
		m.w32(0x13000+8*510+4, 1<<31)
		m.ok(m.setCR(4, cr4PAE|cr4PGE))
		m.s.EFER |= eferNXE
	}
	m.ok(m.setCR(3, dumpTable))
	m.ok(m.setCR0(cr0PE | cr0PG))
	return m
}

func TestDumpMem(t *testing.T) {
	for _, c := range []struct {
		pae  bool
		want string
	}{{false, qemuMem32}, {true, qemuMemPAE}} {
		m := dumpMachine(t, c.pae)
		var b strings.Builder
		if err := m.DumpMem(&b); err != nil || b.String() != c.want {
			t.Errorf("PAE %v: error %v\n%s", c.pae, err, b.String())
		}
	}
}

func TestDumpTLB(t *testing.T) {
	for _, c := range []struct {
		pae   bool
		lines int
		some  []string
	}{
		{false, 3072, []string{
			"0000000000000000: 0000000000000000 --------W", "0000000000007000: 0000000000007000 ----A---W",
			"000000000012c000: 000000000012c000 ---DA--U-", "000000000012d000: 000000000012d000 -----CTUW",
			"0000000000400000: 0000000000400000 --PDA--UW", "0000000000800000: 0000000000800000 -GPDA--U-",
			"0000000000c07000: 0000000000007000 ----A---W", "00000000c0000000: 0000000000000000 --PDA---W",
			"00000000fffff000: 00000000003ff000 --------W",
		}},
		{true, 1026, []string{
			"0000000000000000: 0000000000000000 --------W", "000000000012d000: 000000000012d000 -----CTUW",
			"00000000001fe000: 00000000001fe000 X-------W", "0000000000200000: 0000000000200000 --PDA--UW",
			"0000000000400000: 0000000000400000 -GPDA--U-", "000000003fe00000: 0000000000600000 --PDA---W",
			"00000000c0000000: 0000000000000000 X-PDA---W", "00000000fff2c000: 000000000012c000 ---DA--U-",
		}},
	} {
		m := dumpMachine(t, c.pae)
		var b strings.Builder
		if err := m.DumpTLB(&b); err != nil {
			t.Error(err)
		}
		if n := strings.Count(b.String(), "\n"); n != c.lines {
			t.Errorf("PAE %v: %d lines", c.pae, n)
		}
		for _, line := range c.some {
			if !strings.Contains("\n"+b.String(), "\n"+line+"\n") {
				t.Errorf("PAE %v: no line %q", c.pae, line)
			}
		}
	}
}

func TestDumpPagesLong(t *testing.T) {
	m := longMachine(t, 0)
	m.w64(ptBase+8, 0)
	m.w64(ptBase+16, 0x8000000000002001)
	m.w64(pdBase+8, 0x400000|ptePS|pteP|pteRW)
	m.w64(pml4Base+8, pdpBase|pteP|pteUS)
	var mem, tlb strings.Builder
	m.DumpMem(&mem)
	m.DumpTLB(&tlb)
	const want = `0000000000000000-0000000000001000 0000000000001000 urw
0000000000002000-0000000000003000 0000000000001000 -r-
0000000000003000-0000000000200000 00000000001fd000 urw
0000000000200000-0000000000400000 0000000000200000 -rw
`
	if !strings.HasPrefix(mem.String(), want) || !strings.Contains(mem.String(), "\nffffffff80200000-ffffffff80400000 0000000000200000 -rw\n") ||
		!strings.Contains(mem.String(), "\n0000008000003000-0000008000200000 00000000001fd000 ur-\n") {
		t.Errorf("info mem:\n%s", mem.String())
	}
	for _, line := range []string{
		"0000000000200000: 0000000000400000 --P-----W", "ffffffff80002000: 0000000000002000 X--------", "0000008000003000: 0000000000003000 ---DA--UW",
	} {
		if !strings.Contains(tlb.String(), line+"\n") {
			t.Errorf("info tlb: no line %q", line)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestDumpPagesOdd(t *testing.T) {
	m := newMachine(t, "max")
	var b strings.Builder
	if m.DumpMem(&b); b.String() != "PG disabled\n" {
		t.Errorf("%q", b.String())
	}
	m = dumpMachine(t, false)
	if m.DumpTLB(fullDisk{}) == nil || m.DumpMem(fullDisk{}) == nil {
		t.Error("an error of the writer's is lost")
	}
	// A directory that is its own table, entries that point to nothing.
	m.s.CR3 = 0xfffff000
	b.Reset()
	if m.DumpMem(&b); b.String() != "" {
		t.Errorf("%q", b.String())
	}
	// Page tables are read as Inspect says, and again as before after it.
	m.s.CR3 = dumpTable
	m.Inspect(func(pa uint64, size int) uint64 { return 0 }, func() {
		b.Reset()
		if m.DumpMem(&b); b.String() != "" {
			t.Errorf("%q", b.String())
		}
		if _, ok := m.Probe(0x7000); ok {
			t.Error("Probe does not look where Inspect says")
		}
	})
	if _, ok := m.Probe(0x7000); !ok {
		t.Error("Inspect has not ended")
	}
}
