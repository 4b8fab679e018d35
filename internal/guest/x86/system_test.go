package x86

import (
	"encoding/binary"
	"fmt"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// fakeMemory is a guest.Memory without a TLB: every access walks the page
// tables of its CPU.
type fakeMemory struct {
	c       *CPU
	ram     []byte
	smram   []byte // seen at 30000H and a0000H in SMM
	flushes []string
	wakes   int
}

func (m *fakeMemory) at(pa uint64) *byte {
	if m.smram != nil && m.c.smm {
		for _, base := range []uint64{0x30000, 0xa0000} {
			if pa-base < uint64(len(m.smram)) {
				return &m.smram[pa-base]
			}
		}
	}
	if pa < uint64(len(m.ram)) {
		return &m.ram[pa]
	}
	return new(byte) // open bus
}

func (m *fakeMemory) LoadPhys(pa uint64, size int) (v uint64) {
	for i := range size {
		v |= uint64(*m.at(pa + uint64(i))) << (8 * i)
	}
	return v
}

func (m *fakeMemory) StorePhys(pa uint64, size int, v uint64) {
	for i := range size {
		*m.at(pa + uint64(i)) = byte(v >> (8 * i))
	}
}

func (m *fakeMemory) access(va uint64, size, idx int, a guest.Access, do func(i int, p *byte)) *guest.Fault {
	for i := range size {
		page, f := m.c.Walk(va+uint64(i), a, idx)
		if f != nil {
			return f
		}
		if a == guest.Write && !page.Writable {
			panic("a write's walk gave a page that is not writable")
		}
		if do != nil {
			do(i, m.at(page.PA|(va+uint64(i))&0xfff))
		}
	}
	return nil
}

func (m *fakeMemory) Load(va uint64, size, idx int) (v uint64, f *guest.Fault) {
	if va+uint64(size) > 1<<32 && !m.c.wide {
		panic("load beyond 4 GiB")
	}
	f = m.access(va, size, idx, guest.Read, func(i int, p *byte) { v |= uint64(*p) << (8 * i) })
	return v, f
}

func (m *fakeMemory) Store(va uint64, size, idx int, v uint64) *guest.Fault {
	if va+uint64(size) > 1<<32 && !m.c.wide || size < 8 && v>>(8*size) != 0 {
		panic("bad store")
	}
	if f := m.access(va, size, idx, guest.Write, nil); f != nil {
		return f
	}
	return m.access(va, size, idx, guest.Write, func(i int, p *byte) { *p = byte(v >> (8 * i)) })
}

func (m *fakeMemory) Probe(va uint64, size, idx int, a guest.Access) *guest.Fault {
	return m.access(va, size, idx, a, nil)
}

func (m *fakeMemory) Bytes(uint64, int, int, guest.Access) []byte { return nil }
func (m *fakeMemory) Wrote(uint64, int, int)                      {}
func (m *fakeMemory) FlushTLB(keep bool) {
	m.flushes = append(m.flushes, map[bool]string{true: "local", false: "all"}[keep])
}
func (m *fakeMemory) FlushPage(va uint64) {
	m.flushes = append(m.flushes, fmt.Sprintf("page %#x", va))
}
func (m *fakeMemory) Wake()                   { m.wakes++ }
func (m *fakeMemory) In(uint64, int) uint64   { return 0 }
func (m *fakeMemory) Out(uint64, int, uint64) {}

// Where things lie in the test machine's memory.
const (
	gdtBase  = 0x1000
	idtBase  = 0x2000
	tssBase  = 0x3000
	tss2Base = 0x4000 // another 32-bit task
	tss3Base = 0x5000 // a 16-bit task
	ldtBase  = 0x6000
	handler  = 0x7000 // entry of the handler of vector n: + n * 0x10

	stack0 = 0x9000
	stack1 = 0xa000
	stack3 = 0xb000
)

// The selectors of the test machine's GDT.
const (
	code0    = 0x08
	data0    = 0x10
	code3    = 0x18 | 3
	data3    = 0x20 | 3
	tssCur   = 0x28
	tss32    = 0x30
	ldtSel   = 0x38
	code16   = 0x40
	data16   = 0x48
	conf0    = 0x50 // conforming, DPL 0
	gate32   = 0x58 | 3
	tss16    = 0x60
	taskSel  = 0x68 | 3
	absent   = 0x70 // data, not present
	expDown  = 0x78
	execOnly = 0x80
	code1    = 0x88 | 1
	data1    = 0x90 | 1
	gate16   = 0x98 | 3
	readOnly = 0xa0
	codeGone = 0xa8 // code, not present
	small    = 0xb0 // code of 256 bytes
	gateSame = 0xb8 | 3
	data16r3 = 0xc0 | 3
	stackLow = 0xc8 // data of 16 bytes
	beyond   = 0x100
)

// Access bytes of descriptors.
const (
	accCode0 = 0x9a
	accData0 = 0x92
	accCode3 = 0xfa
	accData3 = 0xf2
)

func dsc(base, limit uint32, access, flags uint32) uint64 {
	return uint64(limit&0xffff|base<<16) |
		uint64(base>>16&0xff|access<<8|limit&0xf0000|flags<<20|base&0xff000000)<<32
}

func gateDsc(sel uint16, off uint32, access, params uint32) uint64 {
	return uint64(off&0xffff|uint32(sel)<<16) | uint64(off&0xffff0000|access<<8|params)<<32
}

type machine struct {
	*CPU
	*testing.T
	m     *fakeMemory
	clock *vclock.Manual
}

func newMachine(t *testing.T, model string) *machine {
	t.Helper()
	mod, err := ParseModel(model)
	if err != nil {
		t.Fatal(err)
	}
	return machineOf(t, mod)
}

func machineOf(t *testing.T, mod *Model) *machine {
	clock := vclock.NewManual()
	c := New(Config{Model: mod, Clock: clock, Log: trace.New(t.Output(), trace.GuestErrors)})
	m := &fakeMemory{c: c, ram: make([]byte, 0x80000)}
	c.Attach(m)
	return &machine{CPU: c, T: t, m: m, clock: clock}
}

func (m *machine) w16(at, v uint32) { binary.LittleEndian.PutUint16(m.m.ram[at:], uint16(v)) }
func (m *machine) w32(at, v uint32) { binary.LittleEndian.PutUint32(m.m.ram[at:], v) }
func (m *machine) w64(at uint32, v uint64) {
	binary.LittleEndian.PutUint64(m.m.ram[at:], v)
}
func (m *machine) r16(at uint32) uint32 { return uint32(binary.LittleEndian.Uint16(m.m.ram[at:])) }
func (m *machine) r32(at uint32) uint32 { return binary.LittleEndian.Uint32(m.m.ram[at:]) }

func (m *machine) setGDT(sel uint16, d uint64) { m.w64(gdtBase+uint32(sel&^7), d) }
func (m *machine) setIDT(vec int, d uint64)    { m.w64(idtBase+uint32(8*vec), d) }

// protectedMachine is in flat 32-bit protected mode at level cpl, with a GDT,
// an LDT, a TSS, and interrupt gates for all vectors.
func protectedMachine(t *testing.T, cpl int) *machine {
	t.Helper()
	m := newMachine(t, "max")
	for sel, d := range map[uint16]uint64{
		code0: dsc(0, 0xfffff, accCode0, 0xc), data0: dsc(0, 0xfffff, accData0, 0xc),
		code3: dsc(0, 0xfffff, accCode3, 0xc), data3: dsc(0, 0xfffff, accData3, 0xc),
		tssCur: dsc(tssBase, 0x20ff, 0x89, 0), tss32: dsc(tss2Base, 0x67, 0x89, 0),
		ldtSel: dsc(ldtBase, 0x1f, 0x82, 0),
		code16: dsc(0, 0xffff, accCode0, 0), data16: dsc(0, 0xffff, accData0, 0),
		conf0:  dsc(0, 0xfffff, 0x9e, 0xc),
		gate32: gateDsc(code0, 0x5000, 0xec, 2), tss16: dsc(tss3Base, 0x2b, 0x81, 0),
		taskSel: gateDsc(tss32, 0, 0xe5, 0), absent: dsc(0, 0xfffff, 0x12, 0xc),
		expDown: dsc(0, 0xfff, 0x96, 4), execOnly: dsc(0, 0xfffff, 0x98, 0xc),
		code1: dsc(0, 0xfffff, 0xba, 0xc), data1: dsc(0, 0xfffff, 0xb2, 0xc),
		gate16: gateDsc(code0, 0x5000, 0xe4, 2), readOnly: dsc(0, 0xfffff, 0x90, 0xc),
		codeGone: dsc(0, 0xfffff, 0x1a, 0xc), small: dsc(0, 0xff, accCode0, 4),
		gateSame: gateDsc(code3, 0x5000, 0xec, 2), data16r3: dsc(0, 0xffff, accData3, 0),
		stackLow: dsc(0, 0xf, accData0, 4),
	} {
		m.setGDT(sel, d)
	}
	m.w64(ldtBase+8, dsc(0x10000, 0xffff, accData3, 4))
	for v := range 256 {
		access := uint32(0x8e)
		if v == 3 || v == 4 || v == 0x80 {
			access = 0xee
		}
		m.setIDT(v, gateDsc(code0, handler+uint32(v)*16, access, 0))
	}
	m.w32(tssBase+4, stack0)
	m.w32(tssBase+8, data0)
	m.w32(tssBase+12, stack1)
	m.w32(tssBase+16, data1)
	m.w16(tssBase+tss32IOMap, 0x100)

	must := func(f *guest.Fault) {
		t.Helper()
		if f != nil {
			t.Fatalf("fault in the setup: %+v", *f)
		}
	}
	s := m.s
	must(m.lgdt(0xff, gdtBase, 4))
	must(m.lidt(0x7ff, idtBase, 4))
	must(m.setCR0(cr0PE | cr0ET | cr0NE))
	must(m.farJump(code0, 0x100, 4, 0))
	for _, seg := range []int{SS, DS, ES, FS, GS} {
		must(m.loadSeg(seg, data0))
	}
	must(m.ltr(tssCur))
	must(m.lldt(ldtSel))
	s.GPR[rSP] = stack0 - 0x100
	switch cpl {
	case 1:
		m.toLevel(code1, data1, stack1-0x100)
	case 3:
		m.toLevel(code3, data3, stack3-0x100)
	}
	if m.cpl != cpl {
		t.Fatalf("CPL = %d, want %d", m.cpl, cpl)
	}
	m.m.flushes = nil
	return m
}

func (m *machine) toLevel(cs, ss uint16, sp uint32) {
	m.Helper()
	esp := uint32(m.s.GPR[rSP])
	for i, v := range []uint32{0x100, uint32(cs), sp, uint32(ss)} {
		m.w32(esp+uint32(4*i), v)
	}
	if f := m.farRet(4, 0); f != nil {
		m.Fatalf("cannot go to CS %#x: %+v", cs, *f)
	}
	for _, seg := range []int{DS, ES, FS, GS} {
		if f := m.loadSeg(seg, ss); f != nil {
			m.Fatal(*f)
		}
	}
	m.s.IP = 0x100
}

// v86Machine is in virtual-8086 mode at 1000:0100 with stack 2000:0800.
func v86Machine(t *testing.T, iopl int, cr4 uint32) *machine {
	t.Helper()
	m := protectedMachine(t, 0)
	if f := m.setCR(4, uint64(cr4)); f != nil {
		t.Fatal(*f)
	}
	esp := uint32(m.s.GPR[rSP]) - 36
	for i, v := range []uint32{0x100, 0x1000, flagVM | 2 | uint32(iopl)<<12, 0x800, 0x2000, 0x3000, 0x3100, 0x3200, 0x3300} {
		m.w32(esp+uint32(4*i), v)
	}
	m.s.GPR[rSP] = uint64(esp)
	if f := m.iret(4, 0); f != nil {
		t.Fatal(*f)
	}
	if !m.v86() || m.cpl != 3 || m.s.IP != 0x100 || m.s.Seg[SS].Base != 0x20000 {
		t.Fatalf("not in virtual-8086 mode: %s", m.place())
	}
	return m
}

// place is where the processor is, for comparisons.
func (m *machine) place() string {
	s := m.s
	return fmt.Sprintf("%04x:%x ss:sp %04x:%x cpl %d", s.Seg[CS].Sel, s.IP, s.Seg[SS].Sel, s.GPR[rSP], m.cpl)
}

func (m *machine) wantPlace(want string) {
	m.Helper()
	if got := m.place(); got != want {
		m.Errorf("at %s, want %s", got, want)
	}
}

// wantStack compares the dwords or words from SS:ESP up.
func (m *machine) wantStack(size int, want ...uint32) {
	m.Helper()
	at := uint32(m.s.Seg[SS].Base) + uint32(m.s.GPR[rSP]&m.s.Seg[SS].stackMask())
	for i, w := range want {
		got := m.r16(at + uint32(size*i))
		if size == 4 {
			got = m.r32(at + uint32(size*i))
		}
		if got != w {
			m.Errorf("stack[%d] = %#x, want %#x", i, got, w)
		}
	}
}

// wantFault runs do, which must fault so and change nothing.
func (m *machine) wantFault(do func() *guest.Fault, vec int, code uint32) {
	m.Helper()
	old, ram := *m.s, append([]byte(nil), m.m.ram...)
	f := do()
	if f == nil {
		m.Errorf("no fault, want vector %d code %#x; at %s", vec, code, m.place())
		return
	}
	if f.Vector != vec || f.Code != code {
		m.Errorf("fault %d code %#x, want %d code %#x", f.Vector, f.Code, vec, code)
	}
	if *m.s != old {
		m.Errorf("the state has changed although there was fault %d", f.Vector)
	}
	for i := range ram {
		accessed := i >= gdtBase && i < gdtBase+0x100 && i&7 == 5
		if ram[i] != m.m.ram[i] && !accessed {
			m.Errorf("memory at %#x has changed although there was fault %d", i, f.Vector)
			return
		}
	}
}

func (m *machine) ok(f *guest.Fault) {
	m.Helper()
	if f != nil {
		m.Fatalf("fault %d code %#x addr %#x", f.Vector, f.Code, f.Addr)
	}
}
