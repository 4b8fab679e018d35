package x86

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/snap"
)

func TestSMM(t *testing.T) {
	m := protectedMachine(t, 3)
	m.m.smram = make([]byte, 0x10000)
	var calls []bool
	m.cfg.SMM = func(on bool) { calls = append(calls, on) }
	m.s.Flags |= flagIF | flagAC
	m.setArith(flagCF | flagOF)
	for i := range 8 {
		if i != rSP {
			m.s.GPR[i] = uint64(0x11111111 * (i + 1))
		}
	}
	m.ok(m.wrmsrLow(msrSysenterEIP, 7))
	m.refreshMode()
	old := *m.s
	m.wantFault(m.rsm, vecUD, 0)

	m.SetSMI(true)
	if !m.Pending() {
		t.Fatal("no SMI")
	}
	m.Service()
	m.wantPlace("3000:8000 ss:sp 0000:af00 cpl 0")
	if m.EFLAGS() != 2 || m.s.CR0 != old.CR0&^cr0PE || m.s.Seg[CS].Base != 0x30000 || m.s.Seg[DS].WHi != all4G ||
		m.mode&modeSMM == 0 || m.mode&modeCode32 != 0 || m.s.DR[7] != 0x400 {
		t.Errorf("in SMM: %+v", m.s)
	}
	at := func(off int) uint32 { return uint32(m.m.LoadPhys(uint64(0x38000+off), 4)) }
	if at(0x7ffc) != uint32(old.CR0) || at(0x7ff0) != 0x100 || at(0x7fd0) != 0x11111111 || at(0x7fac) != code3 ||
		at(0x7ff4) != 2|flagIF|flagAC|flagCF|flagOF || at(0x7efc) != smmRev || at(0x7ef8) != 0x30000 || at(0x7f02)&0xffff != 0 {
		t.Error("the state save map")
	}
	// SMI, NMI and INIT wait.
	m.SetSMI(true)
	m.SetNMI(true)
	m.INIT()
	if m.Pending() {
		t.Error("something is pending in SMM")
	}
	m.pins.And(^uint32(pinSMI | pinNMI | pinINIT))
	// Relocate, and come back.
	m.m.StorePhys(0x38000+0x7ef8, 4, 0xa0000)
	m.m.StorePhys(0x38000+0x7fd0, 4, 0xabcd)
	m.ok(m.rsm())
	old.GPR[rAX] = 0xabcd
	old.CCOp, old.CCSrc, old.CCAux, old.CCDst = m.s.CCOp, m.s.CCSrc, m.s.CCAux, m.s.CCDst
	old.CCInc, old.CCRot, old.CCCarry = m.s.CCInc, m.s.CCRot, m.s.CCCarry
	if *m.s != old || m.EFLAGS() != 2|flagIF|flagAC|flagCF|flagOF || m.cpl != 3 || m.mode&modeSMM != 0 || m.nmiMask {
		t.Errorf("after RSM:\n%+v\n%+v", *m.s, old)
	}
	if len(calls) != 2 || !calls[0] || calls[1] {
		t.Errorf("SMM callbacks %v", calls)
	}
	// Halted: the flag brings HLT back unless the handler clears it.
	for _, resume := range []bool{true, false} {
		m.halted = true
		m.SetSMI(true)
		m.Service()
		m.wantPlace("a000:8000 ss:sp 0000:af00 cpl 0")
		if v := m.m.LoadPhys(0xa8000+smmHalt, 2); v != 1 || m.halted {
			t.Errorf("auto HALT restart %d", v)
		}
		if !resume {
			m.m.StorePhys(0xa8000+smmHalt, 2, 0)
		}
		m.ok(m.rsm())
		if m.halted != resume || (m.Event() == guest.Halt) != resume {
			t.Errorf("halted %v, want %v", m.halted, resume)
		}
	}
	// An impossible state shuts down.
	m.SetSMI(true)
	m.Service()
	m.m.StorePhys(0xa8000+0x7ffc, 4, cr0PG)
	m.ok(m.rsm())
	if m.Event() != guest.TripleFault {
		t.Error("RSM to CR0 = PG")
	}
	m.Reset()
	if m.smm || m.smbase != 0x30000 {
		t.Error("RESET in SMM")
	}
}

// wrmsrLow is WRMSR from any level.
func (m *machine) wrmsrLow(n uint32, v uint64) *guest.Fault {
	cpl := m.cpl
	m.cpl = 0
	defer func() { m.cpl = cpl }()
	return m.wrmsr(n, v)
}

type fakeAPIC struct{ base uint64 }

func (a *fakeAPIC) BaseMSR() uint64 { return a.base }
func (a *fakeAPIC) SetBaseMSR(v uint64) bool {
	if v&0xff != 0 {
		return false
	}
	a.base = v
	return true
}

func TestMSRs(t *testing.T) {
	m := newMachine(t, "max")
	m.SetAPIC(&fakeAPIC{0xfee00900})
	for _, x := range []struct {
		n     uint32
		write uint64
		ok    bool
		want  uint64 // read back, if ok
	}{
		{msrSysenterCS, 0x123456789, true, 0x23456789}, {msrAPICBase, 0xfee00900, true, 0xfee00900},
		{msrAPICBase, 1, false, 0}, {msrMTRRPhysBase, 0x80000006, true, 0x80000006}, {msrMTRRPhysBase, 2, false, 0},
		{msrMTRRPhysBase + 1, 0xf80000800, true, 0xf80000800}, {msrMTRRPhysBase + 1, 1 << 40, false, 0},
		{msrMTRRPhysBase + 16, 0, false, 0}, {msrMTRRFix64K, 0x0606060606060606, true, 0x0606060606060606},
		{msrMTRRFix4K + 7, 0x0700000000000000, false, 0}, {msrMTRRDefType, 0xc06, true, 0xc06}, {msrMTRRDefType, 0x1000, false, 0},
		{msrMTRRCap, 0, false, 0}, {msrPAT, 0x0007040600070406, true, 0x0007040600070406}, {msrPAT, 2, false, 0},
		{msrEFER, eferNXE, true, eferNXE}, {msrEFER, 1, false, 0}, {msrMC0Control + 1, 1, false, 0},
		{msrMC0Control + 1, 0, true, 0}, {msrMC0Control + 4*mcBanks, 0, false, 0}, {msrMCGCap, 0, false, 0},
		{0x12345, 0, false, 0}, {msrDebugControl, 1, true, 1}, {msrTSC, 1 << 40, true, 1 << 40},
		{msrPerfCtr0 + 1, 5, true, 5}, {msrPlatformID, 1, false, 0}, {msrTR12, 0, false, 0},
	} {
		f := m.wrmsr(x.n, x.write)
		if (f == nil) != x.ok || f != nil && (f.Vector != vecGP || f.Code != 0) {
			t.Errorf("WRMSR %#x = %#x: %v", x.n, x.write, f)
			continue
		}
		if v, f := m.rdmsr(x.n); x.ok && (f != nil || v != x.want) {
			t.Errorf("RDMSR %#x = %#x %v, want %#x", x.n, v, f, x.want)
		}
	}
	for n, want := range map[uint32]uint64{msrMTRRCap: 0x508, msrMCGCap: 0x105, msrPlatformID: 0, msrP5MCAddr: 0} {
		if v, f := m.rdmsr(n); v != want || f != nil {
			t.Errorf("RDMSR %#x = %#x %v", n, v, f)
		}
	}
	m.clock.Advance(1000)
	if v, _ := m.rdtsc(); v != 1<<40+1000 {
		t.Errorf("TSC %#x", v)
	}
	if v, f := m.rdpmc(1); v != 5 || f != nil {
		t.Errorf("RDPMC %d %v", v, f)
	}
	m.wantFault(func() *guest.Fault { _, f := m.rdpmc(2); return f }, vecGP, 0)
	m = protectedMachine(t, 3)
	m.s.CR4 = cr4TSD
	m.wantFault(func() *guest.Fault { _, f := m.rdtsc(); return f }, vecGP, 0)
	m.wantFault(func() *guest.Fault { _, f := m.rdmsr(msrTSC); return f }, vecGP, 0)
	m.wantFault(func() *guest.Fault { _, f := m.rdpmc(0); return f }, vecGP, 0)
	m = newMachine(t, "486")
	m.wantFault(func() *guest.Fault { _, f := m.rdmsr(msrTSC); return f }, vecUD, 0)
	m.wantFault(func() *guest.Fault { _, f := m.rdtsc(); return f }, vecUD, 0)
}

func TestModels(t *testing.T) {
	for _, mod := range Models() {
		p, err := ParseModel(mod.Name)
		if err != nil || p.Features != mod.Features {
			t.Errorf("%s: %v: features without what they need", mod.Name, err)
		}
		if mod.Features&^featMax != 0 {
			t.Errorf("%s has features that max has not: %v", mod.Name, mod.Features&^featMax)
		}
	}
	for arg, want := range map[string]string{
		"pentium3,-sse":      "",
		"486,+tsc":           "",
		"max,nx=off,sse2=on": "",
		"max,-avx":           "",
		"pentium":            "",
		"PENTIUM2":           "",
		"pentum3":            `no CPU model "pentum3" (did you mean "pentium3"?)`,
		"max,+sse9":          `CPU model "max,+sse9": no feature "sse9" (did you mean "sse"?)`,
		"max,+monitor":       `CPU model "max,+monitor": feature "monitor" is not built`,
		"max,nx=maybe":       `CPU model "max,nx=maybe": "nx=maybe": a feature is on or off`,
		"486,+sse2":          `CPU model "486,+sse2": feature sse2 cannot be without sse`,
	} {
		_, err := ParseModel(arg)
		if got := errText(err); got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
	}
	if p, _ := ParseModel("max,-fxsr"); p.Features&(featSSE|featSSE2) != 0 {
		t.Errorf("max,-fxsr: %v", p.Features)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCPUID(t *testing.T) {
	for _, x := range []struct {
		model string
		leaf  uint32
		sub   uint32
		want  [4]uint32
	}{
		{"486", 0, 0, [4]uint32{1, 0x756e6547, 0x6c65746e, 0x49656e69}},
		{"486", 1, 0, [4]uint32{0x480, 0, 0, 0xb}},
		{"486", 0x80000000, 0, [4]uint32{0x480, 0, 0, 0xb}}, // as leaf 1, the highest
		{"pentium", 1, 0, [4]uint32{0x543, 0, 0, 0x8001bf}},
		{"pentium3", 1, 0, [4]uint32{0x673, 0, 0, 0x383f9ff}}, // APIC is not attached
		{"pentium3", 2, 0, [4]uint32{0x03020101, 0, 0, 0x0c040843}},
		{"n270", 1, 0, [4]uint32{0x106c2, 0x800, 0x400201, 0x789f9ff}},
		{"n270", 0x80000001, 0, [4]uint32{0, 0, 0, 1 << 20}},
		{"n270", 4, 2, [4]uint32{0x43, 0x01c0003f, 1023, 1}},
		{"n270", 4, 3, [4]uint32{}},
		{"n270", 0x80000006, 0, [4]uint32{0, 0, 512<<16 | 0x6040, 0}},
		{"coreduo", 0x80000008, 0, [4]uint32{0x2024}},
		{"athlon", 0, 0, [4]uint32{1, 0x68747541, 0x444d4163, 0x69746e65}},
		{"max", 1, 0, [4]uint32{0x6d8, 0x800, 0x76d81203, 0x78bf9ff}},
		{"max", 0x80000001, 0, [4]uint32{0, 0, 1 << 5, 1 << 20}},
		{"max", 0x80000002, 0, [4]uint32{0x61656872, 0x72697620, 0x6c617574, 0x55504320}},
	} {
		m := newMachine(t, x.model)
		m.s.GPR[rAX], m.s.GPR[rCX] = uint64(x.leaf), uint64(x.sub)
		m.cpuid()
		g := m.s.GPR
		got := [4]uint32{uint32(g[rAX]), uint32(g[rBX]), uint32(g[rCX]), uint32(g[rDX])}
		if got != x.want {
			t.Errorf("%s leaf %#x.%d: %#x, want %#x", x.model, x.leaf, x.sub, got, x.want)
		}
	}
	m := newMachine(t, "pentium3")
	a := &fakeAPIC{0xfee00900}
	m.SetAPIC(a)
	if m.cpuidLeaf(1, 0)[3]&uint32(featAPIC) == 0 {
		t.Error("no APIC although there is one")
	}
	a.base = 0
	if m.cpuidLeaf(1, 0)[3]&uint32(featAPIC) != 0 {
		t.Error("APIC although it is switched off")
	}
}

func TestSnapshot(t *testing.T) {
	a := v86Machine(t, 3, cr4VME)
	a.s.XMM[7] = [2]uint64{1, 2}
	a.s.FPR[3] = [2]uint64{3, 0x4000}
	a.s.FTop = 5
	a.setArith(flagCF | flagZF)
	a.setNMIMask(true)
	a.SetNMI(true)
	a.clock.Advance(5000)
	tree, err := snap.SaveTree(a)
	if err != nil {
		t.Fatal(err)
	}
	b := newMachine(t, "max")
	if err := snap.LoadTree(b, tree); err != nil {
		t.Fatal(err)
	}
	a.s.CCDst, a.s.CCAux = b.s.CCDst, b.s.CCAux
	if *a.s != *b.s || a.mode != b.mode || a.cpl != b.cpl || b.tsc() != 5000 || !b.nmiMask || b.Pending() {
		t.Errorf("after the load:\n%+v\n%+v", a.s, b.s)
	}
	b.setNMIMask(false)
	if !b.Pending() {
		t.Error("the latched NMI is lost")
	}
	if err := snap.LoadTree(newMachine(t, "486"), tree); err == nil || !strings.Contains(err.Error(), "another CPU model") {
		t.Errorf("load into another model: %v", err)
	}
	// Hostile values.
	for i, f := range tree.Fields {
		if f.Name == "eax" || f.Name == "cr0" {
			tree.Fields[i].Num = 1 << 40
			if err := snap.LoadTree(newMachine(t, "max"), tree); err == nil {
				t.Errorf("%s of 41 bits was loaded", f.Name)
			}
			tree.Fields[i].Num = f.Num
		}
	}
	want, err := os.ReadFile("testdata/schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	if s := snap.Schema(a); s != string(want) {
		t.Errorf("the saved state has changed: testdata/schema.txt should be\n%s", s)
	}
}

// The layout is that of QEMU 7.2's "info registers" for i386.
func TestDumpRegisters(t *testing.T) {
	m := newMachine(t, "max")
	m.s.FCW, m.s.FTW = 0x37f, 0
	var b bytes.Buffer
	if err := m.DumpRegisters(&b); err != nil {
		t.Fatal(err)
	}
	want := `EAX=00000000 EBX=00000000 ECX=00000000 EDX=000006d8
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 00000000 0000ffff 00009300
CS =f000 ffff0000 0000ffff 00009300
SS =0000 00000000 0000ffff 00009300
DS =0000 00000000 0000ffff 00009300
FS =0000 00000000 0000ffff 00009300
GS =0000 00000000 0000ffff 00009300
LDT=0000 00000000 0000ffff 00008200
TR =0000 00000000 0000ffff 00008b00
GDT=     00000000 0000ffff
IDT=     00000000 0000ffff
CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000
DR0=00000000 DR1=00000000 DR2=00000000 DR3=00000000 
DR6=ffff0ff0 DR7=00000400
EFER=0000000000000000
FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
FPR0=0000000000000000 0000 FPR1=0000000000000000 0000
FPR2=0000000000000000 0000 FPR3=0000000000000000 0000
FPR4=0000000000000000 0000 FPR5=0000000000000000 0000
FPR6=0000000000000000 0000 FPR7=0000000000000000 0000
XMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000
XMM02=0000000000000000 0000000000000000 XMM03=0000000000000000 0000000000000000
XMM04=0000000000000000 0000000000000000 XMM05=0000000000000000 0000000000000000
XMM06=0000000000000000 0000000000000000 XMM07=0000000000000000 0000000000000000
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	m = protectedMachine(t, 0)
	m.setArith(flagZF | flagCF)
	b.Reset()
	if err := m.DumpRegisters(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"EIP=00000100 EFL=00000043 [---Z--C] CPL=0 II=0 A20=1 SMM=0 HLT=0",
		"CS =0008 00000000 ffffffff 00cf9b00 DPL=0 CS32 [-RA]",
		"DS =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]",
		"LDT=0038 00006000 0000001f 00008200 DPL=0 LDT",
		"TR =0028 00003000 000020ff 00008b00 DPL=0 TSS32-busy",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, b.String())
		}
	}
	regs := regList{}
	m.Regs(regs)
	if regs["eip"] != 0x100 || regs["cs"] != code0 || regs["eflags"] != 0x43 {
		t.Errorf("registers %v", regs)
	}
}

type regList map[string]uint64

func (r regList) Reg(name string, bits int, v uint64) { r[name] = v }
