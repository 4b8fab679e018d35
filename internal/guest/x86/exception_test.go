package x86

import (
	"testing"

	"rhea/internal/guest"
)

func TestDeliverSameLevel(t *testing.T) {
	m := protectedMachine(t, 0)
	m.s.Flags |= flagIF | flagTF | flagNT
	m.refreshMode()
	m.Raise(fault(vecGP, 0x1234))
	m.wantPlace("0008:70d0 ss:sp 0010:8ef0 cpl 0")
	m.wantStack(4, 0x1234, 0x100, code0, flagRF|flagNT|flagTF|flagIF|2)
	if m.EFLAGS() != 2 || m.mode&(modeTF|modeRF) != 0 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	// A trap gate leaves IF; no error code.
	m = protectedMachine(t, 0)
	m.s.Flags |= flagIF
	m.setIDT(vecUD, gateDsc(code0, 0x7060, 0x8f, 0))
	m.Raise(undefined())
	m.wantStack(4, 0x100, code0, flagRF|flagIF|2)
	if m.EFLAGS() != flagIF|2 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	// 16-bit gates push words.
	m = protectedMachine(t, 0)
	m.setIDT(vecNP, gateDsc(code0, 0xabcd7060, 0x86, 0))
	m.Raise(npSel(data0))
	m.wantPlace("0008:7060 ss:sp 0010:8ef8 cpl 0")
	m.wantStack(2, data0, 0x100, code0, 2)
}

func TestDeliverInnerLevel(t *testing.T) {
	m := protectedMachine(t, 3)
	m.s.Flags |= flagIF
	m.Raise(fault(vecGP, 8))
	m.wantPlace("0008:70d0 ss:sp 0010:8fe8 cpl 0")
	m.wantStack(4, 8, 0x100, code3, flagRF|flagIF|2, stack3-0x100, data3)
	m.s.GPR[rSP] += 4
	m.ok(m.iret(4, 0))
	m.wantPlace("001b:100 ss:sp 0023:af00 cpl 3")
	// Level 1, and a conforming handler which stays at 3.
	m.setIDT(vecGP, gateDsc(code1&^3, 0x123, 0x8e, 0))
	m.Raise(fault(vecGP, 8))
	m.wantPlace("0089:123 ss:sp 0091:9fe8 cpl 1")
	m = protectedMachine(t, 3)
	m.setIDT(vecGP, gateDsc(conf0, 0x123, 0x8e, 0))
	m.Raise(fault(vecGP, 8))
	m.wantPlace("0053:123 ss:sp 0023:aef0 cpl 3")
	// With a 16-bit TSS.
	m = protectedMachine(t, 3)
	m.s.TR = Segment{Sel: tss16, Base: tss3Base, Limit: 0x2b, Attr: attrP | typeTSS16Busy<<8}
	m.w16(tss3Base+2, 0x8800)
	m.w16(tss3Base+4, data0)
	m.Raise(undefined())
	m.wantPlace("0008:7060 ss:sp 0010:87ec cpl 0")
}

// The faults of INT n name the IDT entry or the selector, without EXT; those
// of exceptions have EXT set and end in the handler of the second.
func TestDeliverFaults(t *testing.T) {
	for _, x := range []struct {
		name string
		prep func(m *machine)
		vec  int
		code uint32
	}{
		{"IDT limit", func(m *machine) { m.s.IDTR.Limit = 0x80*8 + 6 }, vecGP, 0x80<<3 | 2},
		{"not a gate", func(m *machine) { m.setIDT(0x80, gateDsc(code0, 0, 0xec, 0)) }, vecGP, 0x80<<3 | 2},
		{"gate DPL", func(m *machine) { m.setIDT(0x80, gateDsc(code0, 0, 0x8e, 0)) }, vecGP, 0x80<<3 | 2},
		{"gate absent", func(m *machine) { m.setIDT(0x80, gateDsc(code0, 0, 0x6e, 0)) }, vecNP, 0x80<<3 | 2},
		{"null", func(m *machine) { m.setIDT(0x80, gateDsc(0, 0, 0xee, 0)) }, vecGP, 0},
		{"beyond", func(m *machine) { m.setIDT(0x80, gateDsc(beyond, 0, 0xee, 0)) }, vecGP, beyond},
		{"data", func(m *machine) { m.setIDT(0x80, gateDsc(data0, 0, 0xee, 0)) }, vecGP, data0},
		{"code absent", func(m *machine) { m.setIDT(0x80, gateDsc(codeGone, 0, 0xee, 0)) }, vecNP, codeGone},
		{"offset", func(m *machine) { m.setIDT(0x80, gateDsc(small, 0x100, 0xee, 0)) }, vecGP, 0},
		{"TSS", func(m *machine) { m.s.TR.Limit = 8 }, vecTS, tssCur},
		{"SS null", func(m *machine) { m.w32(tssBase+8, 3) }, vecTS, 0},
		{"SS level", func(m *machine) { m.w32(tssBase+8, data3) }, vecTS, data3 &^ 3},
		{"SS absent", func(m *machine) { m.w32(tssBase+8, absent) }, vecSS, absent},
		{"no room", func(m *machine) { m.w32(tssBase+8, stackLow); m.w32(tssBase+4, 0x10) }, vecSS, stackLow},
		{"task gate to LDT", func(m *machine) { m.setIDT(0x80, gateDsc(0x34, 0, 0xe5, 0)) }, vecGP, 0x34},
		{"task gate to busy TSS", func(m *machine) { m.setIDT(0x80, gateDsc(tssCur, 0, 0xe5, 0)) }, vecGP, tssCur},
	} {
		m := protectedMachine(t, 3)
		x.prep(m)
		m.wantFault(func() *guest.Fault { return m.softInt(0x80, softINT, nextIP) }, x.vec, x.code)
		// The same as a hardware interrupt: DPL does not count, EXT is set.
		if x.name != "gate DPL" {
			m.wantFault(func() *guest.Fault { return m.deliver(&delivery{vec: 0x80, ext: 1, ip: 0x100}) }, x.vec, x.code|1)
		}
		if t.Failed() {
			t.Fatal(x.name)
		}
	}
}

func TestDoubleFault(t *testing.T) {
	for _, x := range []struct {
		name   string
		first  *guest.Fault
		gone   []int // vectors without a gate
		ip     uint64
		code   uint32
		triple bool
	}{
		{"GP, no GP handler", gp(0), []int{vecGP}, 0x7080, 0, false},
		{"NP, no NP handler: NP then", npSel(8), []int{vecNP}, 0x7080, 0, false},
		{"UD, no UD handler: GP is served", undefined(), []int{vecUD}, 0x70d0, vecUD<<3 | 3, false},
		{"UD and GP: GP's own fault doubles", undefined(), []int{vecUD, vecGP}, 0x7080, 0, false},
		{"PF, no PF handler", &guest.Fault{Vector: vecPF, HasCode: true}, []int{vecPF}, 0x7080, 0, false},
		{"no handlers", gp(0), []int{vecGP, vecDF}, 0x100, 0, true},
		{"DF without handler", fault(vecDF, 0), []int{vecDF}, 0x100, 0, true},
	} {
		m := protectedMachine(t, 0)
		for _, v := range x.gone {
			m.setIDT(v, 0)
		}
		m.Raise(x.first)
		if got := m.Event() == guest.TripleFault; got != x.triple || m.s.IP != x.ip {
			t.Errorf("%s: triple %v at %s", x.name, got, m.place())
		} else if !x.triple {
			m.wantStack(4, x.code)
		}
	}
}

func TestInterrupts(t *testing.T) {
	m := protectedMachine(t, 3)
	acks := 0
	m.SetIntAck(func() int { acks++; return 0x30 })
	m.SetINTR(true)
	if m.Pending() {
		t.Error("INTR is pending with IF clear")
	}
	m.s.Flags |= flagIF
	m.s.Shadow = 1
	if m.Pending() {
		t.Error("INTR is pending in the shadow")
	}
	m.Service()
	m.wantPlace("001b:100 ss:sp 0023:af00 cpl 3")
	m.s.Shadow = 0
	if !m.Pending() || m.m.wakes != 1 {
		t.Error("INTR is not pending")
	}
	m.Service()
	m.wantPlace("0008:7300 ss:sp 0010:8fec cpl 0")
	m.wantStack(4, 0x100, code3, flagIF|2, stack3-0x100, data3)
	m.SetINTR(false)
	if acks != 1 || m.Pending() {
		t.Errorf("%d acks", acks)
	}

	// NMI wakes from HLT, masks itself until IRET; a second one is latched.
	m.ok(m.halt(0x7301))
	if m.Event() != guest.Halt || !m.halted {
		t.Error("not halted")
	}
	m.SetNMI(true)
	m.Service()
	m.wantPlace("0008:7020 ss:sp 0010:8fe0 cpl 0")
	if m.halted || m.Event() != guest.NoEvent {
		t.Error("still halted")
	}
	m.SetNMI(true)
	if m.Pending() {
		t.Error("NMI within NMI")
	}
	m.ok(m.iret(4, 0))
	m.wantPlace("0008:7301 ss:sp 0010:8fec cpl 0")
	if !m.Pending() {
		t.Error("the second NMI is lost")
	}

	// A spurious acknowledge delivers nothing.
	m = protectedMachine(t, 0)
	m.SetIntAck(func() int { return -1 })
	m.s.Flags |= flagIF
	m.SetINTR(true)
	m.Service()
	m.wantPlace("0008:100 ss:sp 0010:8f00 cpl 0")

	// A20 while halted: the processor stays so.
	m.s.Flags &^= flagIF
	m.ok(m.halt(0x101))
	m.Event()
	m.m.flushes = nil
	m.SetA20(false)
	if !m.Pending() {
		t.Error("A20 is not pending")
	}
	m.Service()
	if m.a20 || m.Event() != guest.Halt || len(m.m.flushes) != 1 || m.Pending() {
		t.Errorf("A20 %v flushes %v", m.a20, m.m.flushes)
	}
	if p, _ := m.Walk(0x1ff123, guest.Read, 0); p.PA != 0x0ff000 {
		t.Errorf("PA %#x", p.PA)
	}
}

// A fault in the delivery of an interrupt is served after it, at the same IP.
func TestInterruptFaults(t *testing.T) {
	m := protectedMachine(t, 0)
	m.setIDT(0x30, 0)
	m.SetIntAck(func() int { return 0x30 })
	m.s.Flags |= flagIF
	m.SetINTR(true)
	m.Service()
	m.wantPlace("0008:70d0 ss:sp 0010:8ef0 cpl 0")
	m.wantStack(4, 0x30<<3|3, 0x100, code0)
}

func TestRealModeExceptions(t *testing.T) {
	m := newMachine(t, "486")
	m.w32(vecGP*4, 0x12340056)
	m.ok(m.farJump(0x100, 0x20, 2, 0))
	m.ok(m.loadSeg(SS, 0x2000))
	m.s.GPR[rSP] = 0x100
	m.s.Flags |= flagIF | flagAC
	m.Raise(gp(0))
	m.wantPlace("1234:56 ss:sp 2000:fa cpl 0")
	m.wantStack(2, 0x20, 0x100, flagIF|2) // no error code
	if m.EFLAGS() != 2 {
		t.Errorf("EFLAGS %#x", m.EFLAGS())
	}
	m.ok(m.lidt(0, 0, 2))
	m.Raise(gp(0))
	if m.Event() != guest.TripleFault {
		t.Error("no shutdown without an interrupt table")
	}
}

func TestPageFaultRegisters(t *testing.T) {
	m := protectedMachine(t, 3)
	m.Raise(&guest.Fault{Vector: vecPF, Code: 6, Addr: 0xdeadb000, HasCode: true})
	if m.s.CR2 != 0xdeadb000 {
		t.Errorf("CR2 %#x", m.s.CR2)
	}
	m.wantStack(4, 6, 0x100, code3, flagRF|2)
}

func TestDebug(t *testing.T) {
	m := protectedMachine(t, 0)
	m.ok(m.setDR(0, 0x5000))
	m.ok(m.setDR(1, 0x6002))
	m.ok(m.setDR(2, 0x7000))
	m.ok(m.setDR(3, 0x3f8))
	// L0 execute; G1 write of 2 bytes; L2 access of 4 bytes; G3 I/O.
	m.ok(m.setDR(7, 1|8|16|128|5<<20|15<<24|2<<28))
	if m.mode&(modeDbgExec|modeDbgData) != modeDbgExec|modeDbgData {
		t.Errorf("mode %#x", m.mode)
	}
	if v, _ := m.readDR(7); v != 1|8|16|128|5<<20|15<<24|2<<28|0x400 {
		t.Errorf("DR7 %#x", v)
	}
	if f := m.codeBreak(0x5000); f == nil || f.Code != 1 || m.codeBreak(0x5001) != nil || m.codeBreak(0x6002) != nil {
		t.Error("instruction breakpoint", f)
	}
	m.s.Flags |= flagRF
	if m.codeBreak(0x5000) != nil {
		t.Error("RF does not hold off the breakpoint")
	}
	m.s.Flags &^= flagRF
	for _, x := range []struct {
		lin   uint32
		size  int
		write bool
		hits  uint32
	}{
		{0x6002, 1, true, 2}, {0x6002, 1, false, 0}, {0x6003, 1, true, 2}, {0x6004, 1, true, 0}, {0x6000, 2, true, 0},
		{0x6000, 4, true, 2}, {0x5fff, 4, true, 2}, {0x7003, 1, false, 4}, {0x7004, 4, false, 0}, {0x6ffd, 4, false, 4},
	} {
		m.debugHits = 0
		if got := m.dataBreak(uint64(x.lin), x.size, x.write); got != (x.hits != 0) || m.debugHits != x.hits {
			t.Errorf("%+v: %v %#x", x, got, m.debugHits)
		}
	}
	m.debugHits = 0
	if m.ioBreak(0x3f8, 1) {
		t.Error("I/O breakpoint without CR4.DE")
	}
	m.ok(m.setCR(4, cr4DE))
	if !m.ioBreak(0x3f8, 1) || m.ioBreak(0x3f9, 1) {
		t.Error("I/O breakpoint")
	}
	m.s.Flags |= flagTF
	if !m.debugTrap(true) {
		t.Error("no debug trap")
	}
	m.wantPlace("0008:7010 ss:sp 0010:8ef4 cpl 0")
	m.wantStack(4, 0x100, code0, flagTF|2)
	if m.s.DR[6] != dr6Fixed|dr6BS|8 {
		t.Errorf("DR6 %#x", m.s.DR[6])
	}
	if m.debugTrap(false) {
		t.Error("a debug trap for nothing")
	}
	// DR4 and DR5 with and without CR4.DE; DR7.GD.
	m.wantFault(func() *guest.Fault { return m.setDR(4, 0) }, vecUD, 0)
	m.ok(m.setCR(4, 0))
	m.ok(m.setDR(4, 0))
	m.ok(m.setDR(5, dr7GD))
	m.wantFault(func() *guest.Fault { _, f := m.readDR(0); return f }, vecDB, dr6BD)
	m.Raise(debugFault(dr6BD))
	if m.s.DR[7]&dr7GD != 0 || m.s.DR[6] != dr6Fixed|dr6BD {
		t.Errorf("DR6 %#x DR7 %#x", m.s.DR[6], m.s.DR[7])
	}
	m = protectedMachine(t, 3)
	m.wantFault(func() *guest.Fault { return m.setDR(0, 0) }, vecGP, 0)
}

func TestSoftInterruptKinds(t *testing.T) {
	m := protectedMachine(t, 3)
	m.wantFault(func() *guest.Fault { return m.softInt(1, softINT, nextIP) }, vecGP, 1<<3|2)
	m.s.Flags |= flagRF
	m.ok(m.softInt(1, softINT1, nextIP)) // no DPL check
	m.wantPlace("0008:7010 ss:sp 0010:8fec cpl 0")
	m.wantStack(4, nextIP, code3, 2)
}
