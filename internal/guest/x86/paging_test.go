package x86

import (
	"slices"
	"testing"

	"rhea/internal/guest"
)

const (
	dirBase   = 0x50000
	tableBase = 0x51000
	pdptBase  = 0x52000
)

// pagingMachine maps linear 400000H+ by the table at tableBase, and the first
// 4 MiB one to one. It is at level 0.
func pagingMachine(t *testing.T, model string, cr4 uint32) *machine {
	t.Helper()
	m := newMachine(t, model)
	m.ok(m.setCR0(cr0PE))
	if cr4 != 0 {
		m.ok(m.setCR(4, uint64(cr4)))
	}
	if cr4&cr4PAE != 0 {
		m.w64(pdptBase, dirBase|pteP)
		for i := range uint32(2) {
			m.w64(dirBase+8*i, uint64(i)<<21|pteP|pteRW|pteUS|ptePS)
		}
		m.w64(dirBase+16, tableBase|pteP|pteRW|pteUS)
		m.ok(m.setCR(3, pdptBase))
	} else {
		for i := range uint32(1024) {
			m.w32(0x60000+4*i, i<<12|pteP|pteRW|pteUS)
		}
		m.w32(dirBase, 0x60000|pteP|pteRW|pteUS)
		m.w32(dirBase+4, tableBase|pteP|pteRW|pteUS)
		m.ok(m.setCR(3, dirBase))
	}
	m.ok(m.setCR0(cr0PE | cr0PG))
	m.m.flushes = nil
	return m
}

func TestWalk(t *testing.T) {
	const (
		all = pteP | pteRW | pteUS
		r   = guest.Read
		w   = guest.Write
		x   = guest.Fetch
	)
	for _, c := range []struct {
		name     string
		cr4      uint32
		wp       bool
		dir, pte uint64
		idx      int
		a        guest.Access
		code     int // of the fault; -1 = none
		writable bool
		used     uint64 // A and D in the PTE afterwards
	}{
		{"read", 0, false, all, all, 1, r, -1, false, pteA},
		{"write", 0, false, all, all, 1, w, -1, true, pteA | pteD},
		{"read of a dirty page", 0, false, all, all | pteD, 1, r, -1, true, pteA | pteD},
		{"no directory entry", 0, false, 0, all, 0, r, 0, false, 0},
		{"no entry", 0, false, all, 0, 0, r, 0, false, 0},
		{"no entry, user write", 0, false, all, pteRW, 1, w, pfW | pfU, false, 0},
		{"no entry, user fetch without NX", 0, false, all, 0, 1, x, pfU, false, 0},
		{"supervisor page", 0, false, all, pteP | pteRW, 1, r, pfP | pfU, false, 0},
		{"supervisor directory", 0, false, pteP | pteRW, all, 1, w, pfP | pfU | pfW, false, 0},
		{"supervisor page at 0", 0, false, pteP | pteRW, pteP | pteRW, 0, w, -1, true, pteA | pteD},
		{"read-only", 0, false, all, pteP | pteUS, 1, w, pfP | pfW | pfU, false, 0},
		{"read-only directory", 0, false, pteP | pteUS, all, 1, w, pfP | pfW | pfU, false, 0},
		{"read-only at 0", 0, false, all, pteP | pteUS, 0, w, -1, true, pteA | pteD},
		{"read-only at 0 with WP", 0, true, all, pteP | pteUS, 0, w, pfP | pfW, false, 0},
		{"read-only at 0 with WP, read", 0, true, all, pteP | pteUS | pteD, 0, r, -1, false, pteA | pteD},
		{"read-only dirty at 0", 0, false, all, pteP | pteUS | pteD, 0, r, -1, true, pteA | pteD},
		{"PS without PSE", 0, false, all | ptePS, all, 1, r, -1, false, pteA},
		{"PAE", cr4PAE, false, all, all, 1, w, -1, true, pteA | pteD},
		{"PAE reserved", cr4PAE, false, all, all | 1<<36, 1, r, pfP | pfU | pfRSVD, false, 0},
		{"PAE reserved directory", cr4PAE, false, all | 1<<62, all, 1, r, pfP | pfU | pfRSVD, false, 0},
		{"PAE reserved but absent", cr4PAE, false, all, pteRW | 1<<36, 1, r, pfU, false, 0},
		{"PAE NX", cr4PAE | 1<<31, false, all, all | pteNX, 1, x, pfP | pfU | pfI, false, 0},
		{"PAE NX read", cr4PAE | 1<<31, false, all, all | pteNX, 1, r, -1, false, pteA},
		{"PAE NX directory", cr4PAE | 1<<31, false, all | pteNX, all, 0, x, pfP | pfI, false, 0},
		{"PAE fetch", cr4PAE | 1<<31, false, all, all, 0, x, -1, false, pteA},
		{"PAE NX is reserved", cr4PAE, false, all, all | pteNX, 1, x, pfP | pfU | pfRSVD, false, 0},
	} {
		m := pagingMachine(t, "max", c.cr4&^(1<<31))
		if c.cr4>>31 != 0 {
			m.ok(m.wrmsr(msrEFER, eferNXE))
		}
		if c.wp {
			m.ok(m.setCR0(cr0PE | cr0PG | cr0WP))
		}
		var page uint64 = 0x345000
		entryAt := uint32(tableBase + 4*5)
		if c.cr4&cr4PAE != 0 {
			entryAt = tableBase + 8*5
			dir := c.dir
			if dir&pteP != 0 {
				dir |= tableBase
			}
			m.w64(dirBase+16, dir)
			m.w64(entryAt, page|c.pte)
		} else {
			dir := uint32(c.dir)
			if dir&pteP != 0 {
				dir |= tableBase
			}
			m.w32(dirBase+4, dir)
			m.w32(entryAt, uint32(page|c.pte))
		}
		p, f := m.Walk(0x405678, c.a, c.idx)
		switch {
		case f == nil && c.code >= 0:
			t.Errorf("%s: no fault", c.name)
		case f != nil && (int(f.Code) != c.code || f.Vector != vecPF || f.Addr != 0x405678 || !f.HasCode):
			t.Errorf("%s: fault %+v, want code %#x", c.name, *f, c.code)
		case f == nil && (p.PA != page || p.Writable != c.writable || !p.Readable || p.Large || p.Global):
			t.Errorf("%s: page %+v", c.name, p)
		}
		if got := uint64(m.r32(entryAt)) & (pteA | pteD); c.code < 0 && got != c.used {
			t.Errorf("%s: A and D: %#x, want %#x", c.name, got, c.used)
		}
		if c.code < 0 && c.cr4&cr4PAE == 0 && m.r32(dirBase+4)&(pteA|pteD) != pteA {
			t.Errorf("%s: directory entry %#x", c.name, m.r32(dirBase+4))
		}
	}
}

func TestWalkLarge(t *testing.T) {
	m := pagingMachine(t, "pentium3", cr4PSE|cr4PGE)
	m.w32(dirBase+8, 0x00c00000|0xf<<13|pteP|pteRW|pteUS|ptePS|pteG)
	p, f := m.Walk(0x00a34567, guest.Write, mmuUser)
	if f != nil || p.PA != 0xf00e34000 || !p.Large || !p.Global || !p.Writable {
		t.Errorf("4 MiB page: %+v %v", p, f)
	}
	if v := m.r32(dirBase + 8); v&(pteA|pteD) != pteA|pteD {
		t.Errorf("directory entry %#x", v)
	}
	if pa, ok := m.Probe(0x00a34567); pa != 0xf00e34567 || !ok {
		t.Errorf("Probe %#x %v", pa, ok)
	}
	for _, bad := range []uint32{1 << 21, 1 << 17} { // reserved; above 36 bits
		m.w32(dirBase+8, 0x00c00000|bad|pteP|pteRW|pteUS|ptePS)
		if _, f := m.Walk(0x00a34567, guest.Write, mmuUser); f == nil || f.Code != pfP|pfW|pfU|pfRSVD {
			t.Errorf("reserved bit %#x: %v", bad, f)
		}
	}
	m = pagingMachine(t, "pentium", cr4PSE)
	m.w32(dirBase+8, 0x00c00000|1<<13|pteP|pteRW|pteUS|ptePS) // no PSE-36
	if _, f := m.Walk(0x00a34567, guest.Read, mmuKernel); f == nil || f.Code != pfP|pfRSVD {
		t.Errorf("bit 13 without PSE-36: %v", f)
	}

	m = pagingMachine(t, "max", cr4PAE)
	m.w64(dirBase+24, 0xf00600000|pteP|pteRW|ptePS|pteG)
	p, f = m.Walk(0x00634567, guest.Read, mmuKernel)
	if f != nil || p.PA != 0xf00634000 || !p.Large || p.Writable || p.Global { // CR4.PGE is clear
		t.Errorf("2 MiB page: %+v %v", p, f)
	}
	m.w64(dirBase+24, 0xf00602000|pteP|pteRW|ptePS)
	if _, f := m.Walk(0x00634567, guest.Read, mmuKernel); f == nil || f.Code != pfP|pfRSVD {
		t.Errorf("bit 13 of a 2 MiB page: %v", f)
	}
	if _, f := m.Walk(0x40000000, guest.Read, mmuKernel); f == nil || f.Code != 0 {
		t.Errorf("absent PDPTE: %v", f)
	}
}

func TestPDPTE(t *testing.T) {
	m := pagingMachine(t, "max", cr4PAE)
	m.w64(pdptBase+8, 0x180000|pteP)
	if _, ok := m.Probe(0x40000000); ok || m.pdpte[1] != 0 {
		t.Error("a PDPTE was read without a load of CR3")
	}
	m.ok(m.setCR(3, pdptBase))
	if m.pdpte[1] != 0x180000|pteP {
		t.Errorf("PDPTE %#x", m.pdpte[1])
	}
	m.w64(pdptBase+16, 1<<36|pteP)
	m.wantFault(func() *guest.Fault { return m.setCR(3, pdptBase) }, vecGP, 0)
	m.w64(pdptBase+16, pteRW|pteP)
	m.wantFault(func() *guest.Fault { return m.setCR(3, pdptBase) }, vecGP, 0)
	m.w64(pdptBase+16, pteRW) // reserved bits of absent ones do not count
	m.ok(m.setCR(3, pdptBase))
}

func TestWalkPagingOff(t *testing.T) {
	m := newMachine(t, "486")
	p, f := m.Walk(0x123456, guest.Write, mmuKernel)
	if f != nil || p.PA != 0x123000 || !p.Writable || !p.Exec {
		t.Errorf("%+v %v", p, f)
	}
	m.SetA20(false)
	m.Service()
	if p, _ := m.Walk(0x123456, guest.Write, mmuKernel); p.PA != 0x23000 {
		t.Errorf("with A20 off: %+v", p)
	}
	if pa, _ := m.Probe(0xfffffff0); pa != 0xffeffff0 {
		t.Errorf("Probe with A20 off: %#x", pa)
	}
}

func TestFlushes(t *testing.T) {
	for _, x := range []struct {
		name string
		do   func(m *machine) *guest.Fault
		want []string
	}{
		{"CR3", func(m *machine) *guest.Fault { return m.setCR(3, dirBase) }, []string{"local"}},
		{"CR0.WP", func(m *machine) *guest.Fault { return m.setCR(0, cr0PE|cr0PG|cr0WP) }, []string{"all"}},
		{"CR0.TS", func(m *machine) *guest.Fault { return m.setCR(0, cr0PE|cr0PG|cr0TS) }, nil},
		{"CR4.PGE", func(m *machine) *guest.Fault { return m.setCR(4, 0) }, []string{"all"}},
		{"CR4.DE", func(m *machine) *guest.Fault { return m.setCR(4, cr4PGE|cr4DE) }, nil},
		{"INVLPG", func(m *machine) *guest.Fault { return m.invlpg(0x1234) }, []string{"page 0x1234"}},
	} {
		m := pagingMachine(t, "max", cr4PGE)
		m.ok(x.do(m))
		if !slices.Equal(m.m.flushes, x.want) {
			t.Errorf("%s: flushes %v, want %v", x.name, m.m.flushes, x.want)
		}
	}
	m := pagingMachine(t, "486", 0)
	m.ok(m.setCR(3, dirBase))
	if !slices.Equal(m.m.flushes, []string{"all"}) {
		t.Errorf("CR3 without PGE: %v", m.m.flushes)
	}
}

func TestControlRegisters(t *testing.T) {
	m := newMachine(t, "max")
	m.wantFault(func() *guest.Fault { return m.setCR(0, cr0PG) }, vecGP, 0)
	m.wantFault(func() *guest.Fault { return m.setCR(0, cr0NW) }, vecGP, 0)
	m.wantFault(func() *guest.Fault { return m.setCR(1, 0) }, vecUD, 0)
	m.wantFault(func() *guest.Fault { return m.setCR(4, 1<<13) }, vecGP, 0)
	m.ok(m.setCR(0, 0xe005002b&^(cr0PG)|cr0PE))
	if m.s.CR0 != 0x6005003b {
		t.Errorf("CR0 %#x", m.s.CR0)
	}
	m.ok(m.lmsw(0))
	if m.s.CR0&0xf != 1 || m.smsw()&0xffff != 0x31 {
		t.Errorf("CR0 after LMSW %#x", m.s.CR0)
	}
	m.ok(m.lmsw(0xffff))
	if m.s.CR0&0xffff != 0x3f || m.mode&(modeTS|modeEM|modeMP) != modeTS|modeEM|modeMP {
		t.Errorf("CR0 after LMSW %#x", m.s.CR0)
	}
	m.ok(m.clts())
	if m.s.CR0&cr0TS != 0 || m.mode&modeTS != 0 {
		t.Error("CLTS")
	}
	m = protectedMachine(t, 3)
	for _, f := range []func() *guest.Fault{
		func() *guest.Fault { return m.setCR(0, 0) }, func() *guest.Fault { return m.lmsw(0) },
		func() *guest.Fault { _, f := m.readCR(3); return f }, func() *guest.Fault { return m.lgdt(0, 0, 4) },
		func() *guest.Fault { return m.lidt(0, 0, 4) }, func() *guest.Fault { return m.invlpg(0) },
		m.clts,
	} {
		m.wantFault(f, vecGP, 0)
	}
	n := newMachine(t, "486,-vme,-pse")
	n.wantFault(func() *guest.Fault { _, f := n.readCR(4); return f }, vecUD, 0)
}

// Page faults in the middle of pushes leave everything as it was, and name the
// address of the first push that could not be done.
func TestPushFaults(t *testing.T) {
	m := protectedMachine(t, 3)
	for i := range uint32(1024) {
		m.w32(0x60000+4*i, i<<12|pteP|pteRW|pteUS|pteA|pteD)
	}
	m.w32(dirBase, 0x60000|pteP|pteRW|pteUS|pteA)
	m.s.CR3, m.s.CR0 = dirBase, m.s.CR0|cr0PG
	m.refreshMode()
	// Level 0's stack crosses from page 9000H into 8000H, which is absent.
	m.w32(tssBase+4, 0x9008)
	m.w32(0x60000+4*8, 0)
	old := *m.s
	m.wantFault(func() *guest.Fault { return m.softInt(0x80, softINT, nextIP) }, vecPF, pfW)
	f := m.softInt(0x80, softINT, nextIP)
	if f.Addr != 0x8ffc {
		t.Errorf("address %#x", f.Addr)
	}
	if *m.s != old {
		t.Error("the state has changed")
	}
	// The page fault is then served on the same stack: a double fault, and as
	// that has no stack either, a shutdown.
	m.Raise(gp(0))
	if m.Event() != guest.TripleFault || m.s.CR2 != 0x8ffc {
		t.Errorf("CR2 %#x", m.s.CR2)
	}
	// The old stack of a call gate is read with the caller's rights.
	m.w32(0x60000+4*8, 0x8000|pteP|pteRW|pteA|pteD)
	m.w32(0x60000+4*0xa, 0xa000|pteP|pteRW|pteA|pteD) // its page is for level 0 only
	m.wantFault(func() *guest.Fault { return m.farCall(gate32, 0, 4, nextIP) }, vecPF, pfP|pfU)
	// System structures are read with those of level 0.
	m.w32(0x60000+4*1, 0x1000|pteP|pteRW|pteA|pteD)
	m.w32(0x60000+4*2, 0x2000|pteP|pteRW|pteA|pteD)
	m.w32(0x60000+4*3, 0x3000|pteP|pteRW|pteA|pteD)
	m.ok(m.softInt(0x80, softINT, nextIP))
	m.wantPlace("0008:7800 ss:sp 0010:8ff4 cpl 0")
}

// Linear addresses wrap at 4 GiB.
func TestLinearWrap(t *testing.T) {
	m := pagingMachine(t, "486", 0)
	m.w32(dirBase+4*1023, tableBase|pteP|pteRW)
	m.w32(tableBase+4*1023, 0x7000|pteP|pteRW)
	m.ok(m.storeSystem(0xfffffffe, 4, 0x11223344))
	if m.r16(0x7ffe) != 0x3344 || m.r16(0) != 0x1122 {
		t.Errorf("stored %#x %#x", m.r16(0x7ffe), m.r16(0))
	}
	if v, f := m.load32(0xfffffffe); v != 0x11223344 || f != nil {
		t.Errorf("loaded %#x %v", v, f)
	}
	m.w32(0x60000, 0) // page 0 is gone
	m.wantFault(func() *guest.Fault { return m.storeSystem(0xfffffffe, 4, 0x55555555) }, vecPF, pfW)
	m.wantFault(func() *guest.Fault { _, f := m.load32(0xffffffff); return f }, vecPF, 0)
}
