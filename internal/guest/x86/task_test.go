package x86

import (
	"testing"

	"rhea/internal/guest"
)

// task32 fills TSS 4000H with a runnable 32-bit task of level 0.
func (m *machine) task32() {
	for i := range uint32(8) {
		m.w32(tss2Base+tss32GPR+4*i, 0x100*(i+1))
	}
	m.w32(tss2Base+tss32CR3, 0x123000)
	m.w32(tss2Base+tss32EIP, 0x5555)
	m.w32(tss2Base+tss32Flags, 2|flagCF)
	for i, sel := range [...]uint16{ES: data0, CS: code0, SS: data0, DS: data0, FS: 0, GS: data3} {
		m.w32(tss2Base+tss32Seg+4*uint32(i), uint32(sel))
	}
	m.w32(tss2Base+tss32LDT, ldtSel)
}

func (m *machine) task16() {
	for i := range uint32(8) {
		m.w16(tss3Base+tss16GPR+2*i, 0x100*(i+1))
	}
	m.w16(tss3Base+tss16IP, 0x5555)
	m.w16(tss3Base+tss16Flags, 2|flagZF)
	for i, sel := range [...]uint16{ES: data16, CS: code16, SS: data16, DS: data0} {
		m.w16(tss3Base+tss16Seg+2*uint32(i), uint32(sel))
	}
}

func (m *machine) busy(sel uint16) bool { return m.m.ram[gdtBase+int(sel)+5]&2 != 0 }

func TestTaskSwitch32(t *testing.T) {
	for _, x := range []struct {
		name   string
		cpl    int
		do     func(m *machine) *guest.Fault
		nested bool
	}{
		{"jmp", 0, func(m *machine) *guest.Fault { return m.farJump(tss32, 1, 4, nextIP) }, false},
		{"call", 0, func(m *machine) *guest.Fault { return m.farCall(tss32, 1, 4, nextIP) }, true},
		{"jmp gate", 3, func(m *machine) *guest.Fault { return m.farJump(taskSel, 1, 4, nextIP) }, false},
		{"call gate", 3, func(m *machine) *guest.Fault { return m.farCall(taskSel, 1, 4, nextIP) }, true},
		{"int", 3, func(m *machine) *guest.Fault {
			m.setIDT(0x80, gateDsc(tss32, 0, 0xe5, 0))
			return m.softInt(0x80, softINT, nextIP)
		}, true},
	} {
		m := protectedMachine(t, x.cpl)
		m.task32()
		m.s.DR[7] |= 3
		for i := range 8 {
			if i != rSP {
				m.s.GPR[i] = uint64(0x1000 * (i + 1))
			}
		}
		old := *m.s
		m.ok(x.do(m))
		m.wantPlace("0008:5555 ss:sp 0010:500 cpl 0")
		flags := uint64(2 | flagCF)
		if x.nested {
			flags |= flagNT
		}
		if m.EFLAGS() != flags || m.s.GPR[rDI] != 0x800 || m.s.CR0&cr0TS == 0 || m.mode&modeTS == 0 ||
			m.s.TR.Sel != tss32 || m.s.TR.Base != tss2Base || m.s.LDTR.Base != ldtBase ||
			m.s.Seg[GS].Sel != data3 || m.s.Seg[FS].RHi != 0 || m.s.DR[7]&3 != 2 {
			t.Errorf("%s: EFLAGS %#x state %+v", x.name, m.EFLAGS(), m.s)
		}
		if m.busy(tssCur) != x.nested || !m.busy(tss32) {
			t.Errorf("%s: busy bits: old %v new %v", x.name, m.busy(tssCur), m.busy(tss32))
		}
		if m.r32(tssBase+tss32EIP) != nextIP || m.r32(tssBase+tss32GPR) != 0x1000 ||
			m.r32(tssBase+tss32GPR+16) != uint32(old.GPR[rSP]) || m.r16(tssBase+tss32Seg+4) != uint32(old.Seg[CS].Sel) ||
			m.r32(tssBase+tss32Flags) != 2 {
			t.Errorf("%s: the old task was not saved", x.name)
		}
		if x.nested {
			if m.r16(tss2Base) != tssCur {
				t.Errorf("%s: back link %#x", x.name, m.r16(tss2Base))
			}
			// And back.
			m.ok(m.iret(4, 0x5556))
			m.wantPlace(map[int]string{0: "0008:107 ss:sp 0010:8f00 cpl 0", 3: "001b:107 ss:sp 0023:af00 cpl 3"}[x.cpl])
			if m.busy(tss32) || !m.busy(tssCur) || m.r32(tss2Base+tss32EIP) != 0x5556 ||
				m.r32(tss2Base+tss32Flags) != 2|flagCF || m.s.GPR[rBX] != 0x4000 {
				t.Errorf("%s: after the return: %+v", x.name, m.s)
			}
		}
		if t.Failed() {
			t.Fatal(x.name)
		}
	}
}

func TestTaskSwitch16(t *testing.T) {
	m := protectedMachine(t, 0)
	m.task16()
	m.ok(m.farCall(tss16, 0, 4, nextIP))
	m.wantPlace("0040:5555 ss:sp 0048:ffff0500 cpl 0")
	if m.EFLAGS() != 2|flagZF|flagNT || m.s.Seg[FS].Sel != 0 || m.mode&modeCode32 != 0 || m.r16(tss3Base) != tssCur {
		t.Errorf("%+v", m.s)
	}
	m.s.GPR[rAX] = 0x12345678
	m.ok(m.iret(2, 0x5556))
	m.wantPlace("0008:107 ss:sp 0010:8f00 cpl 0")
	if m.r16(tss3Base+tss16GPR) != 0x5678 || m.r16(tss3Base+tss16IP) != 0x5556 || m.r16(tss3Base+tss16Seg+2) != code16 {
		t.Error("the 16-bit task was not saved")
	}
}

func TestTaskSwitchFaults(t *testing.T) {
	// Before the commit: in the old task, which has not changed.
	for _, x := range []struct {
		name string
		prep func(m *machine)
		vec  int
		code uint32
	}{
		{"limit", func(m *machine) { m.setGDT(tss32, dsc(tss2Base, 0x66, 0x89, 0)) }, vecTS, tss32},
		{"absent", func(m *machine) { m.setGDT(tss32, dsc(tss2Base, 0x67, 0x09, 0)) }, vecNP, tss32},
		{"busy", func(m *machine) { m.setGDT(tss32, dsc(tss2Base, 0x67, 0x8b, 0)) }, vecGP, tss32},
		{"old TSS", func(m *machine) { m.s.TR.Limit = 0x50 }, vecTS, tssCur},
	} {
		m := protectedMachine(t, 0)
		m.task32()
		x.prep(m)
		m.wantFault(func() *guest.Fault { return m.farJump(tss32, 0, 4, nextIP) }, x.vec, x.code)
		if t.Failed() {
			t.Fatal(x.name)
		}
	}
	// After it: in the new one.
	seg := func(i, v uint32) func(m *machine) {
		return func(m *machine) { m.w32(tss2Base+tss32Seg+4*i, v) }
	}
	for _, x := range []struct {
		name string
		prep func(m *machine)
		vec  int
		code uint32
	}{
		{"LDT type", func(m *machine) { m.w32(tss2Base+tss32LDT, data0) }, vecTS, data0},
		{"LDT local", func(m *machine) { m.w32(tss2Base+tss32LDT, 0xc) }, vecTS, 0xc},
		{"CS null", seg(CS, 0), vecTS, 0}, {"CS data", seg(CS, data0), vecTS, data0},
		{"CS level", seg(CS, code0|3), vecTS, code0}, {"CS absent", seg(CS, codeGone), vecNP, codeGone},
		{"CS beyond", seg(CS, beyond), vecTS, beyond},
		{"SS null", seg(SS, 0), vecTS, 0}, {"SS level", seg(SS, data3), vecTS, data3 &^ 3},
		{"SS absent", seg(SS, absent), vecSS, absent}, {"SS code", seg(SS, code0), vecTS, code0},
		{"DS", seg(DS, execOnly), vecTS, execOnly}, {"ES absent", seg(ES, absent), vecNP, absent},
		{"DS level", seg(DS, data0|3), vecTS, data0},
		{"EIP", seg(CS, small), vecGP, 0},
		{"T", func(m *machine) { m.w16(tss2Base+tss32Trap, 1) }, vecDB, dr6BT},
	} {
		m := protectedMachine(t, 0)
		m.task32()
		x.prep(m)
		f := m.farJump(tss32, 0, 4, nextIP)
		if f == nil || f.Vector != x.vec || f.Code != x.code {
			t.Errorf("%s: fault %+v", x.name, f)
			continue
		}
		if m.s.TR.Sel != tss32 || m.s.IP != 0x5555 || m.s.GPR[rSP] != 0x500 || m.busy(tssCur) || !m.busy(tss32) {
			t.Errorf("%s: not in the new task: %s", x.name, m.place())
		}
	}
}

// The double fault handler is a task: the usual way out of a broken stack.
func TestDoubleFaultTask(t *testing.T) {
	m := protectedMachine(t, 3)
	m.task32()
	m.setIDT(vecDF, gateDsc(tss32, 0, 0x85, 0))
	m.w32(tssBase+8, 0) // no stack for level 0
	m.Raise(gp(0))
	m.wantPlace("0008:5555 ss:sp 0010:4fc cpl 0")
	m.wantStack(4, 0)
	if m.r32(tssBase+tss32EIP) != 0x100 || m.r16(tssBase+tss32Seg+4) != code3 || m.EFLAGS()&flagNT == 0 {
		t.Error("the faulting task was not saved")
	}
	// A fault saves RF in the TSS.
	m = protectedMachine(t, 3)
	m.task32()
	m.setIDT(vecGP, gateDsc(tss32, 0, 0x85, 0))
	m.Raise(gp(0x50))
	m.wantStack(4, 0x50)
	if m.r32(tssBase+tss32Flags) != flagRF|2 {
		t.Errorf("saved EFLAGS %#x", m.r32(tssBase+tss32Flags))
	}
}

func TestTaskV86(t *testing.T) {
	m := protectedMachine(t, 0)
	m.task32()
	m.w32(tss2Base+tss32Flags, 2|flagVM|flagIOPL)
	for i := range uint32(6) {
		m.w32(tss2Base+tss32Seg+4*i, 0x1000+i)
	}
	m.ok(m.farJump(tss32, 0, 4, nextIP))
	m.wantPlace("1001:5555 ss:sp 1002:500 cpl 3")
	if m.s.Seg[GS].Base != 0x10050 || !m.v86() {
		t.Errorf("%+v", m.s.Seg)
	}
}

func TestTaskReturnFaults(t *testing.T) {
	for _, x := range []struct {
		link uint16
		vec  int
		code uint32
	}{{0, vecTS, 0}, {tss32, vecTS, tss32}, {data0, vecTS, data0}, {beyond, vecTS, beyond}, {0xc, vecTS, 0xc}} {
		m := protectedMachine(t, 0)
		m.s.Flags |= flagNT
		m.w16(tssBase, uint32(x.link))
		m.wantFault(func() *guest.Fault { return m.iret(4, nextIP) }, x.vec, x.code)
	}
}

func TestIOPermission(t *testing.T) {
	m := protectedMachine(t, 3)
	m.s.TR.Limit = 0x2100                   // with the byte behind the bitmap
	m.m.ram[tssBase+0x100+0x3f8/8] = 1 << 3 // 3fbH
	m.m.ram[tssBase+0x100+0x378/8] = 0x80   // 37fH
	for _, x := range []struct {
		port uint32
		size int
		ok   bool
	}{
		{0x3f8, 1, true}, {0x3f8, 2, true}, {0x3f8, 4, false}, {0x3fb, 1, false}, {0x3fa, 2, false}, {0x3fc, 4, true},
		{0x37f, 1, false}, {0x37e, 2, false}, {0x37d, 4, false}, {0x380, 1, true}, {0xffff, 1, true},
	} {
		if f := m.ioCheck(x.port, x.size); (f == nil) != x.ok {
			t.Errorf("port %#x size %d: %v", x.port, x.size, f)
		}
	}
	m.s.TR.Limit = 0x100 + 0x3f8/8 // the byte behind is not there
	m.wantFault(func() *guest.Fault { return m.ioCheck(0x3f8, 1) }, vecGP, 0)
	m.s.Flags |= flagIOPL
	m.ok(m.ioCheck(0x3f8, 1))
	m = v86Machine(t, 3, 0) // IOPL does not help here
	m.m.ram[tssBase+0x100] = 1
	m.wantFault(func() *guest.Fault { return m.ioCheck(0, 1) }, vecGP, 0)
	m.ok(m.ioCheck(1, 1))
	m.ok(protectedMachine(t, 0).ioCheck(0, 4))
	m.ok(newMachine(t, "486").ioCheck(0, 4))
	m = protectedMachine(t, 3)
	m.s.TR.Attr = attrP | typeTSS16Busy<<8
	m.wantFault(func() *guest.Fault { return m.ioCheck(0, 1) }, vecGP, 0)
}
