package x86

import (
	"testing"

	"rhea/internal/guest"
	"rhea/internal/snap"
)

// The long machine's memory: page tables, and a GDT with 64-bit segments.
const (
	pml4Base = 0x60000
	pdpBase  = 0x61000
	pdBase   = 0x62000
	ptBase   = 0x63000

	code64  = 0x40     // level 0
	user64  = 0x48 | 3 // level 3
	both64  = 0x50     // L and D set
	tss64   = 0x58     // and the next
	gate64  = 0x68 | 3 // and the next, to code64
	ldt64   = 0x78     // and the next
	stackI  = 0xc000   // interrupt stack 1
	high    = 0xffff800000000000
	farAway = 0xffffffff80000000 // of the machine's first 2 MiB once more
)

// longMachine is in 64-bit mode at level cpl, RIP 100H. The first 2 MiB are
// mapped one to one, and at farAway.
func longMachine(t *testing.T, cpl int) *machine {
	t.Helper()
	mod, err := ParseModel64("max")
	if err != nil {
		t.Fatal(err)
	}
	m := machineOf(t, mod)
	m.ok(m.lgdt(0xff, gdtBase, 4))
	for sel, d := range map[uint16]uint64{
		code0: dsc(0, 0xfffff, accCode0, 0xc), data0: dsc(0, 0xfffff, accData0, 0xc),
		code3: dsc(0, 0xfffff, accCode3, 0xc), data3: dsc(0, 0xfffff, accData3, 0xc),
		code64: dsc(0, 0, accCode0, 0xa), user64: dsc(0, 0, accCode3, 0xa), both64: dsc(0, 0, accCode0, 0xe),
		tss64: dsc(tssBase, 0x20ff, 0x89, 0), gate64: gateDsc(code64, 0x5000, 0xec, 0), ldt64: dsc(ldtBase, 0x1f, 0x82, 0),
	} {
		m.setGDT(sel, d)
	}
	m.w64(gdtBase+tss64+8, farAway>>32)
	m.w64(gdtBase+ldt64+8, 0xffff8000)
	m.w64(gdtBase+gate64&^3+8, 0x1234)
	m.w32(gdtBase+tss64+4, m.r32(gdtBase+tss64+4)|0x80000000)
	for v := range 256 {
		access, ist := uint32(0x8e), uint32(0)
		switch v {
		case 3, 0x80:
			access = 0xee
		case vecDF:
			ist = 1
		case 0x81:
			access = 0x8f
		}
		g := gateDsc(code64, handler+uint32(v)*16, access, ist)
		m.w64(idtBase+uint32(16*v), g)
		m.w64(idtBase+uint32(16*v)+8, high>>32)
	}
	m.w64(tssBase+tss64RSP, farAway|stack0)
	m.w64(tssBase+tss64IST, farAway|stackI)
	const all = pteP | pteRW | pteUS | pteA | pteD
	m.w64(pml4Base, pdpBase|all)
	m.w64(pml4Base+8*0x1ff, pdpBase|all)
	m.w64(pdpBase, pdBase|all)
	m.w64(pdpBase+8*0x1fe, pdBase|all)
	m.w64(pdBase, ptBase|all)
	for i := range uint32(512) {
		m.w64(ptBase+8*i, uint64(i)<<12|all)
	}
	m.ok(m.setCR(4, cr4PAE|cr4FSGSBASE))
	m.ok(m.setCR(3, pml4Base))
	m.ok(m.wrmsr(msrEFER, eferLME|eferSCE|eferNXE))
	m.ok(m.setCR0(cr0PE | cr0NE))
	m.ok(m.farJump(code0, 0x100, 4, 0))
	m.ok(m.setCR0(cr0PE | cr0NE | cr0WP | cr0PG))
	if m.s.EFER&eferLMA == 0 || m.mode&modeLong != 0 || m.mode&modeCode32 == 0 {
		t.Fatalf("EFER %#x, mode %#x: not in compatibility mode", m.s.EFER, m.mode)
	}
	for _, seg := range []int{SS, DS, ES, FS, GS} {
		m.ok(m.loadSeg(seg, data0))
	}
	m.ok(m.farJump(code64, 0x100, 4, 0))
	if !m.long() {
		t.Fatal("not in 64-bit mode")
	}
	m.ok(m.lidt(0xfff, farAway|idtBase, 8))
	m.ok(m.ltr(tss64))
	if m.s.TR.Base != farAway|tssBase {
		t.Fatalf("TR %+v", m.s.TR)
	}
	m.s.GPR[rSP] = farAway | stack0 - 0x100
	if cpl == 3 {
		for i, v := range []uint64{0x100, user64, flagIF, stack3, data3} {
			m.w64(uint32(stack0-0x100+8*i), v)
		}
		m.ok(m.iret(8, 0))
	}
	m.m.flushes = nil
	return m
}

func (m *machine) r64(at uint32) uint64 { return uint64(m.r32(at)) | uint64(m.r32(at+4))<<32 }

// wantStack64 compares the words from RSP, which is mapped at farAway or one to
// one, up.
func (m *machine) wantStack64(want ...uint64) {
	m.Helper()
	for i, w := range want {
		if got := m.r64(uint32(m.s.GPR[rSP]&0x1fffff) + uint32(8*i)); got != w {
			m.Errorf("stack[%d] = %#x, want %#x", i, got, w)
		}
	}
}

func TestLongGates(t *testing.T) {
	m := longMachine(t, 3)
	m.wantPlace("004b:100 ss:sp 0023:b000 cpl 3")
	m.s.GPR[rSP] = 0xb008 // aligned by the delivery to another level too
	m.ok(m.softInt(0x80, softINT, 0x102))
	m.wantPlace("0040:ffff800000007800 ss:sp 0000:ffffffff80008fd8 cpl 0")
	m.wantStack64(0x102, user64, flagIF|2, 0xb008, data3)
	if m.s.Flags&flagIF != 0 {
		t.Error("IF is set behind an interrupt gate")
	}
	m.ok(m.iret(8, 0))
	m.wantPlace("004b:102 ss:sp 0023:b008 cpl 3")

	m.Raise(fault(vecGP, 0x1234))
	m.wantPlace("0040:ffff8000000070d0 ss:sp 0000:ffffffff80008fd0 cpl 0")
	m.wantStack64(0x1234, 0x102, user64, flagIF|flagRF|2, 0xb008, data3)
	// At the same level the stack stays, aligned; SS and RSP are pushed too.
	m.s.GPR[rSP] = farAway | 0x8ff5
	m.ok(m.softInt(0x81, softINT, 0x55))
	m.wantPlace("0040:ffff800000007810 ss:sp 0000:ffffffff80008fc8 cpl 0")
	m.wantStack64(0x55, code64, 2, farAway|0x8ff5, 0)
	m.ok(m.iret(8, 0))
	m.wantPlace("0040:55 ss:sp 0000:ffffffff80008ff5 cpl 0")
	// A double fault has a stack of its own.
	m.Raise(fault(vecDF, 0))
	m.wantPlace("0040:ffff800000007080 ss:sp 0000:ffffffff8000bfd0 cpl 0")

	m = longMachine(t, 3)
	m.wantFault(func() *guest.Fault { return m.softInt(0x82, softINT, 0) }, vecGP, 0x82<<3|2)
	for name, x := range map[string]struct {
		prep func()
		vec  int
		code uint32
	}{
		"IDT limit":        {func() { m.s.IDTR.Limit = 0x80*16 + 14 }, vecGP, 0x80<<3 | 2},
		"a 32-bit segment": {func() { m.w64(idtBase+0x800, gateDsc(code0, 0, 0xee, 0)) }, vecGP, code0},
		"L and D":          {func() { m.w64(idtBase+0x800, gateDsc(both64, 0, 0xee, 0)) }, vecGP, both64},
		"a task gate":      {func() { m.w64(idtBase+0x800, gateDsc(tss64, 0, 0xe5, 0)) }, vecGP, 0x80<<3 | 2},
		"a 16-bit gate":    {func() { m.w64(idtBase+0x800, gateDsc(code64, 0, 0xe6, 0)) }, vecGP, 0x80<<3 | 2},
		"not present":      {func() { m.w64(idtBase+0x800, gateDsc(code64, 0, 0x6e, 0)) }, vecNP, 0x80<<3 | 2},
		"entry":            {func() { m.w64(idtBase+0x808, 0x8000) }, vecGP, 0},
		"RSP0":             {func() { m.w64(tssBase+tss64RSP, 0x800000000000) }, vecSS, 0},
		"TSS":              {func() { m.s.TR.Limit = 8 }, vecTS, tss64},
	} {
		m = longMachine(t, 3)
		x.prep()
		m.wantFault(func() *guest.Fault { return m.softInt(0x80, softINT, 0) }, x.vec, x.code)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestLongReturns(t *testing.T) {
	frame := func(m *machine, v ...uint64) {
		for i, w := range v {
			m.w64(uint32(m.s.GPR[rSP]&0x1fffff)+uint32(8*i), w)
		}
	}
	m := longMachine(t, 0)
	frame(m, 0x800000000000, code64, 2, 0, 0)
	m.wantFault(func() *guest.Fault { return m.iret(8, 0) }, vecGP, 0)
	frame(m, 0, both64, 2, 0, 0)
	m.wantFault(func() *guest.Fault { return m.iret(8, 0) }, vecGP, both64)
	frame(m, 0, user64, 2, 0, 0)
	m.wantFault(func() *guest.Fault { return m.iret(8, 0) }, vecGP, 0) // no null stack at level 3
	m.s.Flags |= flagNT
	m.wantFault(func() *guest.Fault { return m.iret(8, 0) }, vecGP, 0)
	m.s.Flags &^= flagNT
	frame(m, 0x123456789, code64, 2, 0x7fff00000000, 0)
	m.ok(m.iret(8, 0))
	m.wantPlace("0040:123456789 ss:sp 0000:7fff00000000 cpl 0")

	// To compatibility mode and back by an interrupt: what is above 32 bits is lost.
	m = longMachine(t, 0)
	m.s.GPR[rBX], m.s.GPR[r8] = 0x1122334455667788, 0x1122334455667788
	m.s.Seg[FS].Base = 0x123456789000
	frame(m, 0x200, code3, flagIF, 0xb000, data3)
	m.ok(m.iret(8, 0))
	m.wantPlace("001b:200 ss:sp 0023:b000 cpl 3")
	if m.long() || m.mode&modeCode32 == 0 || m.s.GPR[rBX] != 0x55667788 || m.s.GPR[r8] != 0x1122334455667788 {
		t.Errorf("compatibility mode: %#x, RBX %#x", m.mode, m.s.GPR[rBX])
	}
	m.ok(m.softInt(0x80, softINT, 0x202))
	m.wantPlace("0040:ffff800000007800 ss:sp 0000:ffffffff80008fd8 cpl 0")
	m.wantStack64(0x202, code3, flagIF|2, 0xb000, data3)

	// Far returns, with 64-bit operands and 32-bit ones.
	m = longMachine(t, 0)
	frame(m, 0x7ffffffff000, user64, 0x7fffffff0000, data3)
	m.ok(m.farRet(8, 0))
	m.wantPlace("004b:7ffffffff000 ss:sp 0023:7fffffff0000 cpl 3")
	m = longMachine(t, 0)
	m.w32(stack0-0x100, 0x300)
	m.w32(stack0-0x100+4, code0)
	m.ok(m.farRet(4, 8))
	m.wantPlace("0008:300 ss:sp 0010:80008f10 cpl 0")
}

func TestLongFarCalls(t *testing.T) {
	m := longMachine(t, 3)
	m.ok(m.farCall(gate64, 0, 4, 0x777))
	m.wantPlace("0040:123400005000 ss:sp 0000:ffffffff80008fe0 cpl 0")
	m.wantStack64(0x777, user64, 0xb000, data3)

	m = longMachine(t, 0)
	m.w64(gdtBase+gate64&^3+8, 0x7fff)
	m.ok(m.farCall(gate64, 0, 4, 0x777))
	m.wantPlace("0040:7fff00005000 ss:sp 0010:ffffffff80008ef0 cpl 0")
	m.ok(m.farRet(8, 0))
	m.wantPlace("0040:777 ss:sp 0010:ffffffff80008f00 cpl 0")
	m.ok(m.farJump(gate64, 0, 4, 0))
	m.wantPlace("0040:7fff00005000 ss:sp 0010:ffffffff80008f00 cpl 0")
	m.w64(gdtBase+gate64&^3+8, 0x8000)
	m.wantFault(func() *guest.Fault { return m.farJump(gate64, 0, 4, 0) }, vecGP, 0)
	m.w64(gdtBase+gate64&^3+8, 0x1f00_0000_0000)
	m.wantFault(func() *guest.Fault { return m.farJump(gate64, 0, 4, 0) }, vecGP, gate64&^3)
	m.wantFault(func() *guest.Fault { return m.farJump(tss64, 0, 4, 0) }, vecGP, tss64)
	m.wantFault(func() *guest.Fault { return m.farJump(both64, 0, 4, 0) }, vecGP, both64)
	m.wantFault(func() *guest.Fault { return m.farJump(code64, high>>1, 8, 0) }, vecGP, 0)
	m.ok(m.farJump(code64, high, 8, 0))
	m.ok(m.lldt(ldt64))
	if m.s.LDTR.Base != high|ldtBase {
		t.Errorf("LDTR %+v", m.s.LDTR)
	}
	// SS may be null, but not at level 3.
	m.ok(m.loadSeg(SS, 0))
	m = longMachine(t, 3)
	m.wantFault(func() *guest.Fault { return m.loadSeg(SS, 3) }, vecGP, 0)
}

func TestFastCalls(t *testing.T) {
	m := longMachine(t, 3)
	const entry = high | 0x1000
	m.s.STAR, m.s.LSTAR, m.s.SFMASK = uint64(user64-0x10)<<48|code64<<32, entry, flagIF|flagDF
	m.setEFLAGS(flagIF|flagDF|flagCF, flagIF|flagDF|flagCF)
	m.ok(m.syscall(0x102))
	m.wantPlace("0040:ffff800000001000 ss:sp 0048:b000 cpl 0")
	if m.s.GPR[rCX] != 0x102 || m.s.GPR[r11] != flagIF|flagDF|flagCF|2 || m.EFLAGS() != flagCF|2 {
		t.Errorf("RCX %#x, R11 %#x, RFLAGS %#x", m.s.GPR[rCX], m.s.GPR[r11], m.EFLAGS())
	}
	m.s.Seg[GS].Base, m.s.KernelGSBase = 1, high
	m.ok(m.swapGS())
	if m.s.Seg[GS].Base != high || m.s.KernelGSBase != 1 || m.mode&modeZero(GS) != 0 {
		t.Errorf("GS %+v", m.s.Seg[GS])
	}
	m.s.GPR[rCX] = high >> 1
	m.wantFault(func() *guest.Fault { return m.sysret(true) }, vecGP, 0)
	m.s.GPR[rCX] = 0x7fff12345678
	m.ok(m.sysret(true))
	m.wantPlace("004b:7fff12345678 ss:sp 0043:b000 cpl 3")
	if m.EFLAGS() != flagIF|flagDF|flagCF|2 {
		t.Errorf("RFLAGS %#x", m.EFLAGS())
	}
	m.wantFault(func() *guest.Fault { return m.sysret(true) }, vecGP, 0)
	m.wantFault(m.swapGS, vecGP, 0)
	m.ok(m.syscall(0x102))
	m.ok(m.sysret(false))
	m.wantPlace("003b:102 ss:sp 0043:b000 cpl 3")
	if m.long() || m.mode&modeCode32 == 0 {
		t.Error("SYSRET to 32 bits is in 64-bit mode")
	}
	m = longMachine(t, 0)
	m.ok(m.wrmsr(msrEFER, eferLME|eferNXE))
	m.wantFault(func() *guest.Fault { return m.syscall(0) }, vecUD, 0)
	m.ok(m.wrmsr(msrSysenterCS, code64))
	m.ok(m.wrmsr(msrSysenterEIP, entry))
	m.wantFault(func() *guest.Fault { return m.wrmsr(msrSysenterESP, high>>1) }, vecGP, 0)
	m.ok(m.wrmsr(msrSysenterESP, farAway))
	m.ok(m.sysenter())
	m.wantPlace("0040:ffff800000001000 ss:sp 0048:ffffffff80000000 cpl 0")
	m.s.GPR[rCX], m.s.GPR[rDX] = 0x7fff00000000, 0x7fff00000010
	m.ok(m.sysexit(true))
	m.wantPlace("0063:7fff00000010 ss:sp 006b:7fff00000000 cpl 3")
}

func TestLongPaging(t *testing.T) {
	const all = pteP | pteRW | pteUS
	for _, x := range []struct {
		name string
		cr4  uint64
		prep func(m *machine)
		va   uint64
		a    guest.Access
		idx  int
		pa   uint64
		code int // of the fault, -1 = none
	}{
		{"small", 0, nil, farAway | 0x12345, guest.Write, mmuUser, 0x12000, -1},
		{"absent", 0, nil, 0x200000, guest.Read, mmuUser, 0, pfU},
		{"absent root", 0, nil, 0x8000000000, guest.Write, mmuKernel, 0, pfW},
		{"2 MiB", 0, func(m *machine) { m.w64(pdBase+8, 0x40000000|ptePS|all) }, 0x3ff123, guest.Read, mmuUser, 0x401ff000, -1},
		{"2 MiB, reserved", 0, func(m *machine) { m.w64(pdBase+8, 0x40002000|ptePS|all) }, 0x3ff123, guest.Read, mmuUser, 0, pfP | pfU | pfRSVD},
		{"1 GiB", 0, func(m *machine) { m.w64(pdpBase+8, 0xc0000000|ptePS|all) }, 0x7fffffff, guest.Read, mmuUser, 0xfffff000, -1},
		{"1 GiB, reserved", 0, func(m *machine) { m.w64(pdpBase+8, 0xc0200000|ptePS|all) }, 0x7fffffff, guest.Read, mmuKernel, 0, pfP | pfRSVD},
		{"512 GiB", 0, func(m *machine) { m.w64(pml4Base+8, ptePS|all) }, 0x8000000000, guest.Read, mmuKernel, 0, pfP | pfRSVD},
		{"beyond 40 bits", 0, func(m *machine) { m.w64(ptBase+8, 1<<40|all) }, 0x1000, guest.Read, mmuKernel, 0, pfP | pfRSVD},
		{"supervisor", 0, func(m *machine) { m.w64(pml4Base, pdpBase|pteP|pteRW) }, 0x1000, guest.Read, mmuUser, 0, pfP | pfU},
		{"read-only above", 0, func(m *machine) { m.w64(pdpBase, pdBase|pteP|pteUS) }, 0x1000, guest.Write, mmuUser, 0, pfP | pfU | pfW},
		{"NX above", 0, func(m *machine) { m.w64(pdpBase, pdBase|all|pteNX) }, 0x1000, guest.Fetch, mmuUser, 0, pfP | pfU | pfI},
		{"NX off", 0, func(m *machine) {
			m.w64(pdpBase, pdBase|all|pteNX)
			m.s.EFER &^= eferNXE
		}, 0x1000, guest.Read, mmuUser, 0, pfP | pfU | pfRSVD},
		{"SMEP", cr4SMEP, nil, 0x1000, guest.Fetch, mmuKernel, 0, pfP | pfI},
		{"SMEP, a user's fetch", cr4SMEP, nil, 0x1000, guest.Fetch, mmuUser, 0x1000, -1},
		{"SMAP", cr4SMAP, nil, 0x1000, guest.Read, mmuSMAP, 0, pfP},
		{"SMAP, a kernel's page", cr4SMAP, func(m *machine) { m.w64(ptBase+8, 0x1000|pteP|pteRW) }, 0x1000, guest.Write, mmuSMAP, 0x1000, -1},
		{"SMAP, AC set", cr4SMAP, nil, 0x1000, guest.Read, mmuKernel, 0x1000, -1},
	} {
		m := longMachine(t, 0)
		m.s.CR4 |= x.cr4
		if x.prep != nil {
			x.prep(m)
		}
		p, f := m.Walk(x.va, x.a, x.idx)
		switch {
		case x.code < 0 && f != nil:
			t.Errorf("%s: fault %+v", x.name, *f)
		case x.code < 0 && p.PA != x.pa:
			t.Errorf("%s: %#x, want %#x", x.name, p.PA, x.pa)
		case x.code >= 0 && (f == nil || f.Vector != vecPF || f.Code != uint32(x.code) || f.Addr != x.va):
			t.Errorf("%s: %+v, fault %+v, want code %#x", x.name, p, f, x.code)
		}
	}
	m := longMachine(t, 0)
	for _, at := range []uint32{pml4Base + 8*0x1ff, pdpBase + 8*0x1fe, pdBase, ptBase + 24} {
		m.w64(at, m.r64(at)&^(pteA|pteD))
	}
	if _, f := m.Walk(farAway|0x3000, guest.Write, mmuUser); f != nil {
		t.Fatal(*f)
	}
	for at, want := range map[uint32]uint64{pml4Base + 8*0x1ff: pteA, pdpBase + 8*0x1fe: pteA, pdBase: pteA, ptBase + 24: pteA | pteD} {
		if got := m.r64(at) & (pteA | pteD); got != want {
			t.Errorf("entry at %#x: flags %#x, want %#x", at, got, want)
		}
	}
}

// What is not canonical is #SS for the stack, else #GP.
func TestNonCanonical(t *testing.T) {
	for text, want := range map[string]int{
		"\x48\x8b\x03":     vecGP, // MOV RAX, [RBX]
		"\x48\x8b\x45\x00": vecSS, // MOV RAX, [RBP]
		"\x65\x48\x8b\x45": vecGP, // MOV RAX, GS:[RBP]
		"\x50":             vecSS, // PUSH RAX
		"\xc3":             vecSS,
	} {
		m := longMachine(t, 0)
		copy(m.m.ram[0x100:], text)
		m.s.IP = 0x100
		_, f := m.Walk(high>>1, guest.Read, mmuKernel)
		if f = m.resolved(f, true); f.Vector != want || !f.HasCode || f.Code != 0 {
			t.Errorf("% x: %+v, want vector %d", text, *f, want)
		}
	}
	m := longMachine(t, 0)
	if _, f := m.Walk(high>>1, guest.Fetch, mmuKernel); f == nil || f.Vector != vecGP {
		t.Errorf("fetch: %+v", f)
	}
}

func TestLongRegisters(t *testing.T) {
	m := longMachine(t, 0)
	gpf := func(do func() *guest.Fault) { m.Helper(); m.wantFault(do, vecGP, 0) }
	gpf(func() *guest.Fault { return m.setCR0(cr0PE) })             // paging off in 64-bit mode
	gpf(func() *guest.Fault { return m.setCR0(1<<32 | cr0PE) })     // reserved
	gpf(func() *guest.Fault { return m.setCR(4, cr4FSGSBASE) })     // no PAE
	gpf(func() *guest.Fault { return m.setCR(3, 1<<40) })           // beyond the address width
	gpf(func() *guest.Fault { return m.setCR(8, 16) })              // reserved
	gpf(func() *guest.Fault { return m.wrmsr(msrEFER, 0) })         // LME while paging
	gpf(func() *guest.Fault { return m.wrmsr(msrLSTAR, high>>1) })  // not canonical
	gpf(func() *guest.Fault { return m.wrmsr(msrFSBase, high>>1) }) //
	gpf(func() *guest.Fault { return m.setDR(7, 1<<32) })           // reserved
	gpf(func() *guest.Fault { return m.lgdt(0, high>>1, 8) })       //
	gpf(func() *guest.Fault { return m.setBase(FS, high>>1) })      //
	gpf(func() *guest.Fault { return m.invpcid(4, 0, 0) })          //
	gpf(func() *guest.Fault { return m.invpcid(1, 1, 0) })          // no PCIDs
	m.s.CR3 |= 1
	gpf(func() *guest.Fault { return m.setCR(4, m.s.CR4|cr4PCIDE) }) // a PCID that is not 0
	m.s.CR3 &^= 1
	m.ok(m.setCR(4, m.s.CR4|cr4PCIDE))
	m.m.flushes = nil
	m.ok(m.setCR(3, cr3NoFlush|pml4Base|5))
	if m.s.CR3 != pml4Base|5 || len(m.m.flushes) != 1 {
		t.Errorf("CR3 %#x, flushes %v", m.s.CR3, m.m.flushes)
	}
	m.ok(m.invpcid(1, 1, 0))
	m.ok(m.wrmsr(msrKernelGSBase, high))
	if v, f := m.rdmsr(msrKernelGSBase); v != high || f != nil {
		t.Errorf("KernelGSBase %#x", v)
	}
	if v, f := m.rdmsr(msrEFER); v != eferLME|eferLMA|eferSCE|eferNXE || f != nil {
		t.Errorf("EFER %#x", v)
	}
	m.ok(m.setAC(true))
	if m.s.Flags&flagAC == 0 {
		t.Error("STAC")
	}
}

func TestLongSnapshot(t *testing.T) {
	a := longMachine(t, 3)
	a.s.GPR[r9], a.s.GPR[rAX], a.s.IP = 0x1122334455667788, high, 0x7fff12345678
	a.s.XMM[15], a.s.YMMH[12] = lanes{1, 2}, lanes{3, 4}
	a.s.XCR0, a.s.KernelGSBase, a.s.LSTAR, a.s.TSCAux = 7, high, farAway, 5
	tree, err := snap.SaveTree(a)
	if err != nil {
		t.Fatal(err)
	}
	b := machineOf(t, a.model)
	if err := snap.LoadTree(b, tree); err != nil {
		t.Fatal(err)
	}
	a.s.CCDst, a.s.CCAux = b.s.CCDst, b.s.CCAux
	if *a.s != *b.s || a.mode != b.mode || a.cpl != b.cpl {
		t.Errorf("after the load:\n%+v\n%+v", a.s, b.s)
	}
}

// SMM in between changes nothing.
func TestLongSMM(t *testing.T) {
	m := longMachine(t, 3)
	m.m.smram = make([]byte, 0x10000)
	for i := range m.s.GPR {
		m.s.GPR[i] = uint64(i+1) * 0x1111111111111
	}
	m.s.Seg[FS].Base = high
	m.refreshMode()
	old := *m.s
	m.SetSMI(true)
	m.Service()
	m.wantPlace("3000:8000 ss:sp 0000:55555555 cpl 0")
	if m.s.EFER&(eferLMA|eferLME) != 0 || m.s.CR4 != 0 || m.m.LoadPhys(0x38000+0x7efc, 4) != smm64Rev || m.m.LoadPhys(0x38000+0x7f00, 4) != 0x30000 {
		t.Errorf("in SMM: %+v", m.s)
	}
	m.ok(m.rsm())
	for i := range old.Seg { // the map has no room for these bits
		old.Seg[i].Attr &^= 0xf0000
	}
	old.TR.Attr &^= 0xf0000
	old.CCOp, old.CCSrc, old.CCAux, old.CCDst = m.s.CCOp, m.s.CCSrc, m.s.CCAux, m.s.CCDst
	if *m.s != old || !m.long() || m.cpl != 3 {
		t.Errorf("after RSM:\n%+v\n%+v", *m.s, old)
	}
}
