package x86

import (
	"testing"

	"rhea/internal/guest"
)

const nextIP = 0x107

func TestReset(t *testing.T) {
	m := newMachine(t, "pentium3")
	m.wantPlace("f000:fff0 ss:sp 0000:0 cpl 0")
	if m.s.Seg[CS].Base != 0xffff0000 || m.s.GPR[rDX] != 0x673 || m.s.CR0 != 0x60000010 || m.EFLAGS() != 2 {
		t.Errorf("after RESET: %+v", m.s)
	}
	k := m.Key()
	if k.PC != 0xfff0 || k.Base != 0xffff0000 || k.Limit != 0x10000 {
		t.Errorf("key %+v", k)
	}
	// INIT keeps the caches' bits, the x87 and MSRs.
	m.ok(m.setCR0(cr0PE | cr0CD))
	m.s.XMM[1][0], m.s.FCW, m.s.SysenterEIP, m.s.GPR[rAX] = 1, 0x37f, 5, 9
	m.INIT()
	if !m.Pending() {
		t.Error("INIT is not pending")
	}
	m.Service()
	if m.s.CR0 != cr0CD|cr0ET || m.s.XMM[1][0] != 1 || m.s.FCW != 0x37f || m.s.SysenterEIP != 5 || m.s.GPR[rAX] != 0 {
		t.Errorf("after INIT: %+v", m.s)
	}
	if m.Pending() {
		t.Error("INIT is still pending")
	}
}

func TestFarTransferReal(t *testing.T) {
	m := newMachine(t, "486")
	m.ok(m.farJump(0x1000, 0x234, 2, 0))
	m.wantPlace("1000:234 ss:sp 0000:0 cpl 0")
	if m.s.Seg[CS].Base != 0x10000 {
		t.Errorf("CS base %#x", m.s.Seg[CS].Base)
	}
	m.ok(m.loadSeg(SS, 0x2000))
	m.s.GPR[rSP] = 0xabcd0100
	m.ok(m.farCall(0x3000, 0x10, 2, 0x239))
	m.wantPlace("3000:10 ss:sp 2000:abcd00fc cpl 0")
	m.wantStack(2, 0x239, 0x1000)
	m.ok(m.farRet(2, 4))
	m.wantPlace("1000:239 ss:sp 2000:abcd0104 cpl 0")
	m.ok(m.farCall(0x3000, 0x10, 4, 0x239))
	m.wantStack(4, 0x239, 0x1000)
	m.wantFault(func() *guest.Fault { return m.farJump(0, 0x10000, 4, 0) }, vecGP, 0)
	m.s.GPR[rSP] = 1 // a word push would wrap within the word
	m.wantFault(func() *guest.Fault { return m.farCall(0, 0, 2, 0) }, vecSS, 0)
	m.s.GPR[rSP] = 0 // this one wraps between words
	m.ok(m.farCall(0x3000, 0x10, 2, 0x99))
	m.wantPlace("3000:10 ss:sp 2000:fffc cpl 0")
	m.s.GPR[rSP] = 0xffff
	m.wantFault(func() *guest.Fault { return m.farRet(2, 0) }, vecSS, 0)
	// INT and IRET in real-address mode.
	m.s.GPR[rSP] = 0x100
	m.w32(0x21*4, 0x40000123)
	m.setEFLAGS(flagCF|flagIF|flagTF|flagDF, ^uint64(0))
	m.ok(m.softInt(0x21, softINT, 0x55))
	m.wantPlace("4000:123 ss:sp 2000:fa cpl 0")
	m.wantStack(2, 0x55, 0x3000, flagCF|flagIF|flagTF|flagDF|2)
	if m.EFLAGS() != flagCF|flagDF|2 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	m.ok(m.iret(2, 0))
	m.wantPlace("3000:55 ss:sp 2000:100 cpl 0")
	if m.EFLAGS() != flagCF|flagIF|flagTF|flagDF|2 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	m.ok(m.lidt(0x20*4+3, 0, 2))
	m.wantFault(func() *guest.Fault { return m.softInt(0x21, softINT, 0x55) }, vecGP, 0x21<<3|2)
}

// A limit loaded in protected mode stays in force in real-address mode.
func TestUnrealMode(t *testing.T) {
	m := protectedMachine(t, 0)
	m.ok(m.farJump(code16, 0x100, 4, 0))
	m.ok(m.loadSeg(SS, data16))
	m.ok(m.loadSeg(FS, 0))
	m.ok(m.setCR0(cr0ET))
	m.ok(m.farJump(0x1000, 0x100, 2, 0))
	m.ok(m.loadSeg(DS, 0x2000))
	ds := m.s.Seg[DS]
	if ds.Base != 0x20000 || ds.RHi != all4G || ds.WHi != all4G {
		t.Errorf("DS %+v", ds)
	}
	m.ok(m.loadSeg(ES, 0))
	if m.mode&modeFull(ES) == 0 || m.mode&modeZero(ES) == 0 || m.mode&modeZero(DS) != 0 {
		t.Errorf("mode %#x", m.mode)
	}
	if m.s.Seg[FS].WHi != 0 {
		t.Errorf("null FS is usable: %+v", m.s.Seg[FS])
	}
	m.ok(m.loadSeg(FS, 0x10))
	if m.s.Seg[FS].WHi == 0 {
		t.Errorf("FS is not usable: %+v", m.s.Seg[FS])
	}
	if cs := m.s.Seg[CS]; cs.Limit != 0xffff || cs.WHi != 0x10000 || m.mode&modeCode32 != 0 {
		t.Errorf("CS %+v", cs)
	}
}

func TestLoadSeg(t *testing.T) {
	for _, x := range []struct {
		cpl  int
		seg  int
		sel  uint16
		vec  int // 0 = none
		code uint32
	}{
		{0, DS, 0, 0, 0}, {0, DS, 3, 0, 0}, {0, SS, 0, vecGP, 0}, {0, SS, 3, vecGP, 0},
		{0, DS, data0, 0, 0}, {0, DS, data3, 0, 0}, {0, DS, data0 | 3, vecGP, data0},
		{0, DS, code0, 0, 0}, {0, DS, execOnly, vecGP, execOnly}, {0, DS, absent, vecNP, absent},
		{0, DS, beyond, vecGP, beyond}, {0, DS, tssCur, vecGP, tssCur}, {0, DS, gate32, vecGP, gate32 &^ 3},
		{0, DS, 0xc, 0, 0}, {0, DS, 0x24, vecGP, 0x24}, {0, DS, readOnly, 0, 0}, {0, DS, expDown, 0, 0},
		{0, SS, data0, 0, 0}, {0, SS, readOnly, vecGP, readOnly}, {0, SS, code0, vecGP, code0},
		{0, SS, absent, vecSS, absent}, {0, SS, data3, vecGP, data3 &^ 3}, {0, SS, data0 | 1, vecGP, data0},
		{0, SS, expDown, 0, 0}, {0, SS, 0xc, vecGP, 0xc},
		{3, DS, data0, vecGP, data0}, {3, DS, data3, 0, 0}, {3, DS, data3 &^ 3, 0, 0}, {3, DS, code3, 0, 0},
		{3, DS, conf0 | 3, 0, 0}, {3, DS, code0, vecGP, code0}, {3, SS, data3, 0, 0}, {3, SS, 0, vecGP, 0},
		{3, SS, 0xf, 0, 0}, {3, DS, data1, vecGP, data1 &^ 3},
		{1, DS, data1, 0, 0}, {1, DS, data0, vecGP, data0}, {1, SS, data1, 0, 0},
	} {
		m := protectedMachine(t, x.cpl)
		load := func() *guest.Fault { return m.loadSeg(x.seg, x.sel) }
		if x.vec != 0 {
			m.wantFault(load, x.vec, x.code)
		} else if f := load(); f != nil {
			t.Errorf("CPL %d: load of %d with %#x: %+v", x.cpl, x.seg, x.sel, *f)
		} else if x.sel > 3 && x.sel&4 == 0 && m.m.ram[gdtBase+int(x.sel&^7)+5]&1 == 0 {
			t.Errorf("selector %#x was not marked accessed", x.sel)
		}
		if t.Failed() {
			t.Fatalf("%+v", x)
		}
	}
	m := protectedMachine(t, 0)
	m.ok(m.loadSeg(ES, expDown))
	if e := m.s.Seg[ES]; e.Lo != 0x1000 || e.WHi != all4G || m.mode&modeExpDown == 0 {
		t.Errorf("expand-down ES %+v", e)
	}
	m.ok(m.loadSeg(ES, readOnly))
	if e := m.s.Seg[ES]; e.WHi != 0 || e.RHi != all4G || m.mode&(modeExpDown|modeFull(ES)) != 0 {
		t.Errorf("read-only ES %+v", e)
	}
}

func TestDescriptorInspection(t *testing.T) {
	for _, x := range []struct {
		cpl              int
		sel              uint16
		lar              uint32 // 0 = ZF clear
		limit            int64  // -1 = ZF clear
		readable, writes bool
	}{
		{0, 0, 0, -1, false, false},
		{0, code0, 0xc09b00, 0xffffffff, true, false},
		{0, data0, 0xc09300, 0xffffffff, true, true},
		{0, readOnly, 0xc09000, 0xffffffff, true, false},
		{0, execOnly, 0xc09800, 0xffffffff, false, false},
		{0, small, 0x409a00, 0xff, true, false},
		{0, tssCur, 0x8b00, 0x20ff, false, false},
		{0, ldtSel, 0x8200, 0x1f, false, false},
		{0, gate32 &^ 3, 0xec00, -1, false, false},
		{0, taskSel &^ 3, 0xe500, -1, false, false},
		{0, data0 | 3, 0, -1, false, false},
		{3, data0, 0, -1, false, false},
		{3, code3, 0xc0fb00, 0xffffffff, true, false},
		{3, conf0, 0xc09e00, 0xffffffff, true, false},
		{3, beyond, 0, -1, false, false},
	} {
		m := protectedMachine(t, x.cpl)
		lar, zl, f := m.lar(x.sel)
		m.ok(f)
		limit, zs, f := m.lsl(x.sel)
		m.ok(f)
		r, f := m.verr(x.sel)
		m.ok(f)
		w, f := m.verw(x.sel)
		m.ok(f)
		if lar != x.lar || zl != (x.lar != 0) || zs != (x.limit >= 0) || zs && int64(limit) != x.limit ||
			r != x.readable || w != x.writes {
			t.Errorf("%+v: LAR %#x %v LSL %#x %v VERR %v VERW %v", x, lar, zl, limit, zs, r, w)
		}
	}
	m := newMachine(t, "486")
	if _, _, f := m.lar(8); f == nil || f.Vector != vecUD {
		t.Error("LAR in real-address mode is defined")
	}
	m = protectedMachine(t, 3)
	if sel, z, f := m.arpl(0x10, 3); sel != 0x13 || !z || f != nil {
		t.Error("ARPL", sel, z, f)
	}
	if sel, z, _ := m.arpl(0x13, 2); sel != 0x13 || z {
		t.Error("ARPL", sel, z)
	}
	m.wantFault(func() *guest.Fault { return m.ltr(tss32) }, vecGP, 0)
	m = protectedMachine(t, 0)
	m.wantFault(func() *guest.Fault { return m.ltr(tssCur) }, vecGP, tssCur) // busy
	m.wantFault(func() *guest.Fault { return m.lldt(data0) }, vecGP, data0)
	m.wantFault(func() *guest.Fault { return m.lldt(0xc) }, vecGP, 0xc)
	m.ok(m.lldt(0))
	m.wantFault(func() *guest.Fault { return m.loadSeg(DS, 0xc) }, vecGP, 0xc)
}

func TestFarJump(t *testing.T) {
	for _, x := range []struct {
		cpl  int
		sel  uint16
		off  uint32
		vec  int
		code uint32
		want string
	}{
		{0, code0, 0x5555, 0, 0, "0008:5555 ss:sp 0010:8f00 cpl 0"},
		{0, 0, 0, vecGP, 0, ""}, {0, 3, 0, vecGP, 0, ""}, {0, beyond, 0, vecGP, beyond, ""},
		{0, data0, 0, vecGP, data0, ""}, {0, codeGone, 0, vecNP, codeGone, ""},
		{0, small, 0x100, vecGP, 0, ""}, {0, small, 0xff, 0, 0, "00b0:ff ss:sp 0010:8f00 cpl 0"},
		{0, code3, 0, vecGP, code3 &^ 3, ""}, {0, code0 | 3, 0, vecGP, code0, ""},
		{0, conf0, 1, 0, 0, "0050:1 ss:sp 0010:8f00 cpl 0"},
		{3, conf0, 1, 0, 0, "0053:1 ss:sp 0023:af00 cpl 3"},
		{3, code0, 0, vecGP, code0, ""}, {3, code3 &^ 3, 7, 0, 0, "001b:7 ss:sp 0023:af00 cpl 3"},
		{3, gate32, 0, vecGP, code0, ""}, // a JMP cannot change the level
		{3, gateSame, 0xdead, 0, 0, "001b:5000 ss:sp 0023:af00 cpl 3"},
		{0, gate32 &^ 3, 0, 0, 0, "0008:5000 ss:sp 0010:8f00 cpl 0"},
		{0, tssCur, 0, vecGP, tssCur, ""}, // busy
		{3, tss32, 0, vecGP, tss32, ""},
		{0, ldtSel, 0, vecGP, ldtSel, ""},
	} {
		m := protectedMachine(t, x.cpl)
		jump := func() *guest.Fault { return m.farJump(x.sel, uint64(x.off), 4, nextIP) }
		if x.vec != 0 {
			m.wantFault(jump, x.vec, x.code)
		} else {
			m.ok(jump())
			m.wantPlace(x.want)
		}
		if t.Failed() {
			t.Fatalf("%+v", x)
		}
	}
}

func TestCallGate(t *testing.T) {
	m := protectedMachine(t, 3)
	esp := uint32(m.s.GPR[rSP])
	m.w32(esp, 0x11111111)
	m.w32(esp+4, 0x22222222)
	m.ok(m.farCall(gate32, 0xdead, 4, nextIP))
	m.wantPlace("0008:5000 ss:sp 0010:8fe8 cpl 0")
	m.wantStack(4, nextIP, code3, 0x11111111, 0x22222222, esp, data3)
	m.ok(m.farRet(4, 8))
	m.wantPlace("001b:107 ss:sp 0023:af08 cpl 3")

	m = protectedMachine(t, 3)
	m.w16(esp, 0x1111)
	m.w16(esp+2, 0x2222)
	m.ok(m.farCall(gate16, 0xdead, 4, nextIP))
	m.wantPlace("0008:5000 ss:sp 0010:8ff4 cpl 0")
	m.wantStack(2, nextIP, code3, 0x1111, 0x2222, esp&0xffff, data3)
	m.ok(m.farRet(2, 4))
	m.wantPlace("001b:107 ss:sp 0023:af04 cpl 3")

	m = protectedMachine(t, 0)
	m.ok(m.farCall(gate32&^3, 0, 2, nextIP))
	m.wantPlace("0008:5000 ss:sp 0010:8ef8 cpl 0")
	m.wantStack(4, nextIP, code0)

	for _, x := range []struct {
		name string
		prep func(m *machine)
		vec  int
		code uint32
	}{
		{"gate DPL", func(m *machine) { m.setGDT(gate32, gateDsc(code0, 0, 0x8c, 0)) }, vecGP, gate32 &^ 3},
		{"gate absent", func(m *machine) { m.setGDT(gate32, gateDsc(code0, 0, 0x6c, 0)) }, vecNP, gate32 &^ 3},
		{"null code", func(m *machine) { m.setGDT(gate32, gateDsc(0, 0, 0xec, 0)) }, vecGP, 0},
		{"code beyond the GDT", func(m *machine) { m.setGDT(gate32, gateDsc(beyond, 0, 0xec, 0)) }, vecGP, beyond},
		{"data", func(m *machine) { m.setGDT(gate32, gateDsc(data0, 0, 0xec, 0)) }, vecGP, data0},
		{"code absent", func(m *machine) { m.setGDT(gate32, gateDsc(codeGone, 0, 0xec, 0)) }, vecNP, codeGone},
		{"offset", func(m *machine) { m.setGDT(gate32, gateDsc(small, 0x100, 0xec, 0)) }, vecGP, 0},
		{"TSS too small", func(m *machine) { m.s.TR.Limit = 8 }, vecTS, tssCur},
		{"null stack", func(m *machine) { m.w32(tssBase+8, 0) }, vecTS, 0},
		{"stack's level", func(m *machine) { m.w32(tssBase+8, data3) }, vecTS, data3 &^ 3},
		{"stack's RPL", func(m *machine) { m.w32(tssBase+8, data0|1) }, vecTS, data0},
		{"stack read-only", func(m *machine) { m.w32(tssBase+8, readOnly) }, vecTS, readOnly},
		{"stack beyond the GDT", func(m *machine) { m.w32(tssBase+8, beyond) }, vecTS, beyond},
		{"stack absent", func(m *machine) { m.w32(tssBase+8, absent) }, vecSS, absent},
		{"no room", func(m *machine) { m.w32(tssBase+8, stackLow); m.w32(tssBase+4, 0x10) }, vecSS, stackLow},
	} {
		m := protectedMachine(t, 3)
		x.prep(m)
		m.wantFault(func() *guest.Fault { return m.farCall(gate32, 0, 4, nextIP) }, x.vec, x.code)
		if t.Failed() {
			t.Fatal(x.name)
		}
	}
}

func TestFarRet(t *testing.T) {
	for _, x := range []struct {
		name   string
		cs, ss uint16
		vec    int
		code   uint32
		want   string
	}{
		{"same level", code0, 0, 0, 0, "0008:1234 ss:sp 0010:8f18 cpl 0"},
		{"outer", code3, data3, 0, 0, "001b:1234 ss:sp 0023:7780 cpl 3"},
		{"outer conforming", conf0 | 3, data3, 0, 0, "0053:1234 ss:sp 0023:7780 cpl 3"},
		{"16-bit outer stack", code3, data16r3, 0, 0, "001b:1234 ss:sp 00c3:7780 cpl 3"},
		{"level 1", code1, data1, 0, 0, "0089:1234 ss:sp 0091:7780 cpl 1"},
		{"null", 3, 0, vecGP, 0, ""}, {"data", data0, 0, vecGP, data0, ""},
		{"RPL above DPL", code0 | 3, data3, vecGP, code0, ""}, {"DPL above RPL", code3 &^ 3, 0, vecGP, code3 &^ 3, ""},
		{"absent", codeGone, 0, vecNP, codeGone, ""}, {"beyond", beyond, 0, vecGP, beyond, ""},
		{"limit", small, 0, vecGP, 0, ""},
		{"null SS", code3, 0, vecGP, 0, ""}, {"SS level", code3, data0, vecGP, data0, ""},
		{"SS RPL", code3, data3 &^ 3, vecGP, data3 &^ 3, ""}, {"SS is code", code3, code3, vecGP, code3 &^ 3, ""},
		{"SS beyond", code3, beyond | 3, vecGP, beyond, ""},
	} {
		m := protectedMachine(t, 0)
		m.ok(m.loadSeg(ES, data3))
		m.ok(m.loadSeg(GS, conf0))
		esp := uint32(m.s.GPR[rSP])
		m.w32(esp, 0x1234)
		m.w32(esp+4, uint32(x.cs))
		m.w32(esp+8+0x10, 0x7770)
		m.w32(esp+12+0x10, uint32(x.ss))
		ret := func() *guest.Fault { return m.farRet(4, 0x10) }
		if x.vec != 0 {
			m.wantFault(ret, x.vec, x.code)
		} else {
			m.ok(ret())
			m.wantPlace(x.want)
			if m.cpl == 3 && (m.s.Seg[DS].Sel != 0 || m.s.Seg[DS].RHi != 0 || m.s.Seg[ES].Sel != data3 || m.s.Seg[GS].Sel != conf0) {
				t.Error("data segments at the outer level", m.s.Seg)
			}
		}
		if t.Failed() {
			t.Fatal(x.name)
		}
	}
}

func TestIretProtected(t *testing.T) {
	const every = 0xffffffff &^ (flagVM | flagNT)
	for _, x := range []struct {
		name       string
		cpl, iopl  int
		opsize     int
		cs         uint16
		flags, out uint64
		want       string
	}{
		{"same level", 0, 0, 4, code0, every, 0x3f7fd7 &^ (flagNT | flagVM), "0008:1234 ss:sp 0010:8f0c cpl 0"},
		{"16-bit", 0, 0, 2, code0, 0xffff &^ flagNT, 0x7fd7 &^ flagNT, "0008:1234 ss:sp 0010:8f06 cpl 0"},
		{"to 3", 0, 0, 4, code3, every, 0x3f7fd7 &^ (flagNT | flagVM), "001b:1234 ss:sp 0023:7770 cpl 3"},
		{"at 3", 3, 0, 4, code3, every, 0x250dd7 | flagAC, "001b:1234 ss:sp 0023:af0c cpl 3"},
		{"at 3, IOPL 3", 3, 3, 4, code3, every, 0x250dd7 | flagAC | flagIF | flagIOPL, "001b:1234 ss:sp 0023:af0c cpl 3"},
	} {
		m := protectedMachine(t, x.cpl)
		m.s.Flags |= uint64(x.iopl) << 12
		esp := uint32(m.s.GPR[rSP])
		for i, v := range []uint32{0x1234, uint32(x.cs), uint32(x.flags), 0x7770, data3} {
			if x.opsize == 4 {
				m.w32(esp+uint32(4*i), v)
			} else {
				m.w16(esp+uint32(2*i), v)
			}
		}
		m.setNMIMask(true)
		m.ok(m.iret(x.opsize, nextIP))
		m.wantPlace(x.want)
		if m.EFLAGS() != x.out {
			t.Errorf("%s: EFLAGS %#x, want %#x", x.name, m.EFLAGS(), x.out)
		}
		if m.nmiMask {
			t.Error("NMIs are still masked")
		}
	}
	m := protectedMachine(t, 3)
	m.w32(uint32(m.s.GPR[rSP])+4, code0)
	m.wantFault(func() *guest.Fault { return m.iret(4, nextIP) }, vecGP, code0)
}

// IRET to a 16-bit stack changes only SP.
func TestIretStack16(t *testing.T) {
	m := protectedMachine(t, 0)
	m.s.GPR[rSP] = 0x18f00
	for i, v := range []uint32{0x1234, code3, 2, 0xabcd7770, data16r3} {
		m.w32(0x18f00+uint32(4*i), v)
	}
	m.ok(m.iret(4, nextIP))
	m.wantPlace("001b:1234 ss:sp 00c3:17770 cpl 3")
}

func TestSysenter(t *testing.T) {
	m := protectedMachine(t, 3)
	m.wantFault(m.sysenter, vecGP, 0)
	m.s.SysenterCS, m.s.SysenterESP, m.s.SysenterEIP = code0, 0x8800, 0x4444
	m.s.Flags |= flagIF
	m.wantFault(func() *guest.Fault { return m.sysexit(false) }, vecGP, 0)
	m.ok(m.sysenter())
	m.wantPlace("0008:4444 ss:sp 0010:8800 cpl 0")
	if m.EFLAGS()&flagIF != 0 || m.mode&modeCode32 == 0 || m.mode&modeStack32 == 0 {
		t.Error("SYSENTER's mode", m.mode)
	}
	m.s.GPR[rDX], m.s.GPR[rCX] = 0x777, 0xb000
	m.ok(m.sysexit(false))
	m.wantPlace("001b:777 ss:sp 0023:b000 cpl 3")
	if m.s.Seg[CS].Attr != 0xcffb00 || m.s.Seg[SS].Attr != 0xcff300 {
		t.Errorf("%+v", m.s.Seg)
	}
	n := newMachine(t, "pentium")
	n.wantFault(n.sysenter, vecUD, 0)
}

func TestV86Transfers(t *testing.T) {
	m := v86Machine(t, 3, 0)
	for i, want := range []uint64{ES: 0x3000, DS: 0x3100, FS: 0x3200, GS: 0x3300} {
		if i != CS && i != SS && (m.s.Seg[i].Sel != want || m.s.Seg[i].WHi != 0x10000) {
			t.Errorf("segment %d: %+v", i, m.s.Seg[i])
		}
	}
	m.ok(m.farCall(0x1100, 0x20, 2, 0x105))
	m.wantPlace("1100:20 ss:sp 2000:7fc cpl 3")
	m.wantStack(2, 0x105, 0x1000)
	m.ok(m.farRet(2, 0))
	m.wantPlace("1000:105 ss:sp 2000:800 cpl 3")
	// To the protected-mode handler, and back.
	m.s.Flags |= flagIF | flagNT | flagTF
	m.ok(m.softInt(0x80, softINT, 0x107))
	m.wantPlace("0008:7800 ss:sp 0010:8fdc cpl 0")
	m.wantStack(4, 0x107, 0x1000, flagVM|flagIF|flagNT|flagTF|flagIOPL|2, 0x800, 0x2000, 0x3000, 0x3100, 0x3200, 0x3300)
	if m.EFLAGS() != flagIOPL|2 || m.s.Seg[GS].Sel != 0 || m.s.Seg[DS].RHi != 0 {
		t.Errorf("in the handler: EFLAGS %#x, segments %+v", m.EFLAGS(), m.s.Seg)
	}
	m.ok(m.iret(4, 0))
	m.wantPlace("1000:107 ss:sp 2000:800 cpl 3")
	if m.EFLAGS() != flagVM|flagIF|flagNT|flagTF|flagIOPL|2 || m.s.Seg[GS].Base != 0x33000 {
		t.Errorf("back: EFLAGS %#x", m.EFLAGS())
	}
	// A conforming handler, or one that is not of level 0, cannot be.
	m.setIDT(0x80, gateDsc(conf0, 0, 0xee, 0))
	m.wantFault(func() *guest.Fault { return m.softInt(0x80, softINT, 0) }, vecGP, conf0)
	m.setIDT(0x80, gateDsc(code3, 0, 0xee, 0))
	m.wantFault(func() *guest.Fault { return m.softInt(0x80, softINT, 0) }, vecGP, code3&^3)
	m.wantFault(func() *guest.Fault { return m.softInt(0x21, softINT, 0) }, vecGP, 0x21<<3|2) // the gate's DPL
	m.wantFault(func() *guest.Fault { return m.halt(0) }, vecGP, 0)

	m = v86Machine(t, 0, 0)
	for _, f := range []func() *guest.Fault{
		func() *guest.Fault { return m.softInt(0x80, softINT, 0) },
		func() *guest.Fault { return m.iret(2, 0) },
		func() *guest.Fault { return m.popf(2, 2) },
		func() *guest.Fault { _, f := m.pushf(2); return f },
		m.cli, m.sti,
	} {
		m.wantFault(f, vecGP, 0)
	}
	m.ok(m.softInt(3, softINT3, 0x101)) // is not sensitive to IOPL
	m.wantPlace("0008:7030 ss:sp 0010:8fdc cpl 0")
}

func TestVME(t *testing.T) {
	// The redirection bitmap is the 32 bytes below the I/O map at 100H.
	bitmap := uint32(tssBase + 0x100 - 32)
	m := v86Machine(t, 0, cr4VME)
	m.w32(0x21*4, 0x50000077)
	m.s.Flags |= flagVIF
	m.ok(m.softInt(0x21, softINT, 0x102))
	m.wantPlace("5000:77 ss:sp 2000:7fa cpl 3")
	m.wantStack(2, 0x102, 0x1000, flagIF|flagIOPL|2)
	if m.EFLAGS()&(flagVIF|flagTF) != 0 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	m.ok(m.iret(2, 0))
	m.wantPlace("1000:102 ss:sp 2000:800 cpl 3")
	if m.EFLAGS()&(flagVIF|flagIF|flagIOPL) != flagVIF {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	m.wantFault(func() *guest.Fault { return m.iret(4, 0) }, vecGP, 0)
	m.wantFault(func() *guest.Fault { return m.popf(flagTF, 2) }, vecGP, 0)
	m.ok(m.cli())
	if v, _ := m.pushf(2); uint64(v)&(flagIF|flagIOPL) != flagIOPL {
		t.Errorf("PUSHF %#x", v)
	}
	m.ok(m.sti())
	if v, _ := m.pushf(2); uint64(v)&(flagIF|flagIOPL) != flagIF|flagIOPL || m.s.Shadow != 0 {
		t.Errorf("PUSHF %#x", v)
	}
	m.s.Flags |= flagVIP
	m.wantFault(m.sti, vecGP, 0)
	m.wantFault(func() *guest.Fault { return m.popf(flagIF, 2) }, vecGP, 0)
	m.ok(m.popf(0, 2))
	if m.EFLAGS()&flagVIF != 0 {
		t.Error("POPF left VIF")
	}
	// A set bit asks for the protected-mode way, which IOPL forbids here.
	m.m.ram[bitmap+4] = 1 << 1
	m.wantFault(func() *guest.Fault { return m.softInt(0x21, softINT, 0x102) }, vecGP, 0)
	m.s.TR.Limit = 0x80
	m.wantFault(func() *guest.Fault { return m.softInt(0x22, softINT, 0x102) }, vecGP, 0)

	m = v86Machine(t, 3, cr4VME)
	m.w32(0x21*4, 0x50000077)
	m.s.Flags |= flagIF
	m.ok(m.softInt(0x21, softINT, 0x102))
	m.wantPlace("5000:77 ss:sp 2000:7fa cpl 3")
	m.wantStack(2, 0x102, 0x1000, flagIF|flagIOPL|2)
	if m.EFLAGS()&flagIF != 0 {
		t.Error("IF is still set")
	}
	m.m.ram[bitmap+16] = 1
	m.ok(m.softInt(0x80, softINT, 0x102))
	m.wantPlace("0008:7800 ss:sp 0010:8fdc cpl 0")
}

func TestFlagInstructions(t *testing.T) {
	for _, x := range []struct {
		name      string
		cpl, iopl int
		cr4       uint32
		do        func(m *machine) *guest.Fault
		vec       int
		set       uint64 // of IF, VIF, IOPL
	}{
		{"sti 0", 0, 0, 0, (*machine).doSTI, 0, flagIF},
		{"sti 3", 3, 0, 0, (*machine).doSTI, vecGP, 0},
		{"sti 3 iopl", 3, 3, 0, (*machine).doSTI, 0, flagIF | flagIOPL},
		{"sti 3 pvi", 3, 0, cr4PVI, (*machine).doSTI, 0, flagVIF},
		{"sti 1 pvi", 1, 0, cr4PVI, (*machine).doSTI, vecGP, 0},
		{"popf 0", 0, 0, 0, func(m *machine) *guest.Fault { return m.popf(0xffffffff, 4) }, 0, flagIF | flagIOPL},
		{"popf 1", 1, 1, 0, func(m *machine) *guest.Fault { return m.popf(0xffffffff, 4) }, 0, flagIF | 1<<12},
		{"popf 3", 3, 0, cr4PVI, func(m *machine) *guest.Fault { return m.popf(0xffffffff, 4) }, 0, 0},
	} {
		m := protectedMachine(t, 0)
		m.ok(m.setCR(4, uint64(x.cr4)))
		switch x.cpl {
		case 1:
			m.toLevel(code1, data1, stack1)
		case 3:
			m.toLevel(code3, data3, stack3)
		}
		m.s.Flags |= uint64(x.iopl) << 12
		if x.vec != 0 {
			m.wantFault(func() *guest.Fault { return x.do(m) }, x.vec, 0)
			continue
		}
		m.ok(x.do(m))
		if got := m.EFLAGS() & (flagIF | flagVIF | flagVIP | flagIOPL | flagVM | flagRF); got != x.set {
			t.Errorf("%s: EFLAGS %#x, want %#x", x.name, got, x.set)
		}
	}
	m := protectedMachine(t, 0)
	m.ok(m.sti())
	if m.s.Shadow != 1 {
		t.Error("STI has no shadow")
	}
	m.s.Shadow = 0
	m.ok(m.sti())
	if m.s.Shadow != 0 {
		t.Error("STI with IF set has a shadow")
	}
}

func (m *machine) doSTI() *guest.Fault { return m.sti() }
