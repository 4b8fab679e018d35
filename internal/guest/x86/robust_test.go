package x86

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"rhea/internal/guest"
)

// scramble makes a machine whose tables, stacks and registers are half sane
// and half noise.
func scramble(t *testing.T, r *rand.Rand) *machine {
	cpl := [...]int{0, 0, 1, 3, 3}[r.IntN(5)]
	var m *machine
	switch r.IntN(4) {
	case 0:
		m = v86Machine(t, r.IntN(4), uint32(r.IntN(4)))
	case 1:
		m = protectedMachine(t, 0)
		m.ok(m.farJump(code16, 0x100, 4, 0))
		m.ok(m.setCR0(cr0ET))
	default:
		m = protectedMachine(t, cpl)
	}
	m.task32()
	m.task16()
	for range r.IntN(6) { // descriptors
		sel := uint32(r.IntN(0x20)) * 8
		m.w64(gdtBase+sel, m.oddDescriptor(r))
		m.w64(idtBase+uint32(r.IntN(20))*8, gateDsc(uint16(r.IntN(0x100)), r.Uint32N(0x8000), uint32(r.IntN(256)), r.Uint32N(32)))
		m.w64(ldtBase+uint32(r.IntN(4))*8, m.oddDescriptor(r))
	}
	for range r.IntN(4) { // TSSs
		m.w16(tssBase+uint32(r.IntN(0x34))*2, uint32(r.IntN(0x100)))
		m.w16(tss2Base+uint32(r.IntN(0x34))*2, uint32(r.IntN(0x100)))
		m.w16(tss3Base+uint32(r.IntN(0x16))*2, uint32(r.IntN(0x100)))
	}
	sp := uint32(m.s.Seg[SS].Base) + uint32(m.s.GPR[rSP]&m.s.Seg[SS].stackMask())
	for i := range uint32(10) { // what returns find on the stack
		m.w32(sp+4*i, uint32(r.IntN(0x110)))
		if r.IntN(4) == 0 {
			m.w32(sp+4*i, r.Uint32()&^uint32(r.IntN(2)<<17))
		}
	}
	for range r.IntN(3) {
		switch r.IntN(6) {
		case 0:
			m.s.GPR[rSP] = uint64(r.Uint32())
		case 1:
			m.s.TR.Limit = uint64(r.IntN(0x200))
		case 2:
			m.s.IDTR.Limit = uint64(r.IntN(0x800))
		case 3:
			m.s.GDTR.Limit = uint64(r.IntN(0x100))
		case 4:
			m.s.Flags ^= []uint64{flagNT, flagTF, flagVIF, flagVIP, flagRF}[r.IntN(5)]
		case 5:
			m.s.LDTR = Segment{}
		}
	}
	if r.IntN(3) == 0 && m.s.CR0&cr0PE != 0 {
		m.pageSome(r)
	}
	m.refreshMode()
	return m
}

func (m *machine) oddDescriptor(r *rand.Rand) uint64 {
	if r.IntN(2) == 0 {
		return r.Uint64()
	}
	return dsc(r.Uint32N(4)<<12, r.Uint32N(0x8000), uint32(r.IntN(256)), uint32(r.IntN(16)))
}

// pageSome turns paging on with some pages missing or protected.
func (m *machine) pageSome(r *rand.Rand) {
	for i := range uint32(1024) {
		m.w32(0x60000+4*i, i<<12|pteP|pteRW|pteUS|pteA|pteD)
	}
	for range r.IntN(4) {
		m.w32(0x60000+4*r.Uint32N(16), r.Uint32N(16)<<12|r.Uint32N(8)|pteA|pteD)
	}
	m.w32(dirBase, 0x60000|pteP|pteRW|pteUS|pteA)
	m.s.CR3, m.s.CR0 = dirBase, m.s.CR0|cr0PG|uint64(r.IntN(2))*cr0WP
}

// Whatever the tables hold, there is no panic, and what faults before a task
// switch's commit has changed nothing.
func TestRobust(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	outcomes := map[string]int{}
	for seed := range n {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		m := scramble(t, r)
		sel, off, size := uint16(r.IntN(0x110)), r.Uint32N(0x9000), 2+2*r.IntN(2)
		ops := []struct {
			name string
			do   func() *guest.Fault
		}{
			{"jmp", func() *guest.Fault { return m.farJump(sel, uint64(off), size, nextIP) }},
			{"call", func() *guest.Fault { return m.farCall(sel, uint64(off), size, nextIP) }},
			{"ret", func() *guest.Fault { return m.farRet(size, uint64(off&0xff)) }},
			{"iret", func() *guest.Fault { return m.iret(size, nextIP) }},
			{"int", func() *guest.Fault { return m.softInt(int(off&0xff), softKind(r.IntN(4)), nextIP) }},
			{"seg", func() *guest.Fault { return m.loadSeg([...]int{ES, SS, DS, FS, GS}[r.IntN(5)], sel) }},
			{"lldt", func() *guest.Fault { return m.lldt(sel) }},
			{"ltr", func() *guest.Fault { return m.ltr(sel) }},
			{"popf", func() *guest.Fault { return m.popf(r.Uint32(), size) }},
			{"cr", func() *guest.Fault { return m.setCR(r.IntN(8), uint64(r.Uint32()&r.Uint32())) }},
			{"io", func() *guest.Fault { return m.ioCheck(off, 1<<r.IntN(3)) }},
			{"lar", func() *guest.Fault { _, _, f := m.lar(sel); return f }},
		}
		op := ops[r.IntN(len(ops))]
		old, ram := *m.s, bytes.Clone(m.m.ram)
		f := op.do()
		if f == nil {
			outcomes[op.name]++
			m.consistent(seed, op.name)
			continue
		}
		outcomes[fmt.Sprintf("%s #%d", op.name, f.Vector)]++
		if m.s.TR == old.TR {
			if *m.s != old {
				t.Errorf("seed %d: %s changed the state before fault %+v\n%+v\n%+v", seed, op.name, *f, old, *m.s)
			}
			if bytes.Equal(ram, m.m.ram) {
				ram = nil
			}
			for i := range ram { // all but A, D and accessed bits
				if d := ram[i] ^ m.m.ram[i]; d&^1 != 0 && !(i >= dirBase && d&^0x60 == 0) {
					t.Errorf("seed %d: %s changed memory at %#x before fault %+v", seed, op.name, i, *f)
					break
				}
			}
		}
		m.Raise(f)
		m.consistent(seed, op.name)
	}
	t.Log(outcomes)
	if len(outcomes) < 30 && !testing.Short() {
		t.Errorf("too few kinds of outcomes: %v", outcomes)
	}
}

// consistent checks what must hold between instructions.
func (m *machine) consistent(seed int, what string) {
	m.Helper()
	s := m.s
	bad := ""
	for i := range s.Seg {
		g := s.Seg[i]
		cacheBounds(&g)
		if g != s.Seg[i] || g.Base>>32 != 0 || g.Limit>>32 != 0 || g.Sel>>16 != 0 || g.Attr&^attrBits != 0 {
			bad = fmt.Sprintf("segment %d: %+v", i, s.Seg[i])
		}
	}
	for i, v := range s.GPR {
		if v>>32 != 0 {
			bad = fmt.Sprintf("GPR %d = %#x", i, v)
		}
	}
	mode := m.mode
	if m.refreshMode(); m.mode != mode {
		bad = fmt.Sprintf("mode %#x is stale: %#x", mode, m.mode)
	}
	if m.protected() && s.Seg[CS].Attr&attrP != 0 && int(s.Seg[CS].Sel&3) != m.cpl && s.CR0 != 0 && s.Seg[CS].Attr&attrCode != 0 && s.Seg[SS].Attr&attrP != 0 {
		bad = "CS.RPL is not the CPL"
	}
	if s.IP>>32 != 0 || s.Flags&(flagsArith|flagDF) != 0 || s.CR0&cr0ET == 0 {
		bad = fmt.Sprintf("IP %#x flags %#x CR0 %#x", s.IP, s.Flags, s.CR0)
	}
	if bad != "" {
		m.Errorf("seed %d: after %s: %s", seed, what, bad)
	}
}
