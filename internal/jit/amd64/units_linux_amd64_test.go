package amd64

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
)

// This file has what is between units: polls, budgets, direct jumps and the
// table of indirect ones; and the flags that are computed lazily.

func parse(t *testing.T, s *ir.Slots, text string) *ir.Unit {
	t.Helper()
	u, err := ir.Parse(text, s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newProgramMachine(t *testing.T, hot ...ir.Slot) *machine {
	s := irtest.ProgramSlots()
	s.Hot = hot
	return newMachine(t, s, false, irtest.ProgramHelpers)
}

// adds is a unit at pc that adds k to r1 and goes on somewhere.
func adds(t *testing.T, m *machine, pc, k int, end string) int {
	return m.compile(parse(t, m.c.cfg.Slots, fmt.Sprintf(`
block0:
	insn %#x
	a = get i32 r1
	k = const i32 %#x
	b = add i32 a, k
	set r1, b
	c = get i32 r2
	%s
`, pc, k, end)), uint64(pc), false)
}

// Units that may loop leave before they jump to another, if the poll word is set.
func TestPoll(t *testing.T) {
	for _, c := range []struct {
		end    string
		polls  bool
		exit   string
		target uint64
	}{
		{"link 0x100", true, "link", 0x100},     // to itself
		{"link 0x80", true, "link", 0x80},       // back
		{"link 0x5080", false, "link", 0x5080},  // on, far
		{"link 0x200", false, "link", 0x200},    // on: what does not loop need not poll
		{"indirect c", true, "indirect", 0x300}, // may loop
	} {
		m := newProgramMachine(t, 1)
		at := adds(t, m, 0x100, 5, c.end)
		jumps := slices.Clone(m.c.Jumps)
		b := adds(t, m, 0x1000, 100, "exit c")
		for _, j := range jumps {
			m.code.Store32(j.At, uint32(b-(j.At+4)))
		}
		e := m.tables[jumpsAt+2*JumpIndex(c.target):]
		e[0], e[1] = 1<<32|c.target, uint64(m.code.RX)+uint64(b)
		for _, attention := range []bool{false, true, false} {
			if attention {
				m.ctx.SetAttention()
			} else {
				m.ctx.ClearAttention()
			}
			left := false // before the jump
			for try := range 5 {
				m.frame[1], m.frame[2] = 7, 0x300
				exit := m.run(at)
				if left = m.frame[1] == 12; left && (exit != c.exit || m.frame[0] != c.target) || !left && m.frame[1] != 112 {
					t.Errorf("%s, attention %v: left by %s at %#x, r1 = %d", c.end, attention, exit, m.frame[0], m.frame[1])
				}
				if attention || !left || try == 4 { // else it was the Go runtime's request
					break
				}
			}
			if left != (c.polls && attention) {
				t.Errorf("%s, attention %v: left before the jump: %v", c.end, attention, left)
			}
		}
	}
}

// A counted unit is not begun if its instructions exceed the budget.
func TestBudget(t *testing.T) {
	m := newProgramMachine(t, 1)
	u := parse(t, m.c.cfg.Slots, `
block0:
	insn 0x100
	a = get i32 r1
	k = const i32 0x1
	b = add i32 a, k
	set r1, b
	insn 0x101
	insn 0x102
	link 0x200
`)
	at := m.compile(u, 0x100, true)
	budget := m.ctx.Word(OffBudget)
	*budget = 7
	for i, left := range []uint64{4, 1, 1} {
		exit := m.run(at)
		if *budget != left || exit != []string{"link", "link", "poll"}[i] {
			t.Fatalf("run %d: left by %s, %d left, want %d", i, exit, *budget, left)
		}
		if want := []uint64{0x200, 0x200, 0x100}[i]; m.frame[0] != want || m.frame[1] != uint64(min(i+1, 2)) {
			t.Fatalf("run %d: pc %#x, r1 %d", i, m.frame[0], m.frame[1])
		}
	}
}

// Patched jumps lead to other units, and back to us when they are reset.
func TestJumps(t *testing.T) {
	for _, hot := range [][]ir.Slot{nil, {1, 2}} {
		m := newProgramMachine(t, hot...)
		a := adds(t, m, 0x100, 5, "link 0x200")
		if len(m.c.Jumps) != 1 || m.c.Jumps[0].PC != 0x200 || m.c.Jumps[0].At&3 != 0 {
			t.Fatalf("jumps %+v", m.c.Jumps)
		}
		j := m.c.Jumps[0]
		b := adds(t, m, 0x200, 100, "link 0x300")
		run := func(want, pc uint64) {
			t.Helper()
			m.frame[1] = 0
			if exit := m.run(a); exit != "link" || m.frame[1] != want || m.frame[0] != pc {
				t.Errorf("hot %v: left by %s at %#x, r1 = %d, want %d", hot, exit, m.frame[0], m.frame[1], want)
			}
		}
		run(5, 0x200)
		m.code.Store32(j.At, uint32(b-(j.At+4)))
		run(105, 0x300)
		m.code.Store32(j.At, 0)
		run(5, 0x200)
	}
}

// Indirect jumps, and direct ones to other pages, go by the table, if mode and
// program counter fit.
func TestJumpTable(t *testing.T) {
	for _, end := range []string{"indirect c", "link 0x5200"} {
		m := newProgramMachine(t, 1, 2)
		a := adds(t, m, 0x100, 5, end)
		b := adds(t, m, 0x5200, 100, "link 0x5300")
		e := m.tables[jumpsAt+2*JumpIndex(0x5200):]
		for _, c := range []struct {
			tag  uint64
			want uint64
		}{{0, 5}, {1<<32 | 0x5200, 105}, {2<<32 | 0x5200, 5}, {1<<32 | 0x6200, 5}} {
			e[0], e[1] = c.tag, uint64(m.code.RX)+uint64(b)
			m.frame[1], m.frame[2] = 0, 0x5200
			exit := m.run(a)
			if m.polled {
				continue // the Go runtime's request
			}
			if m.frame[1] != c.want || exit == "exit" {
				t.Errorf("%s, tag %#x: left by %s, r1 = %d, want %d", end, c.tag, exit, m.frame[1], c.want)
			}
		}
	}
}

// lazyFlags is what the flags are, computed by the definition.
func lazyFlags(kind, size int, a, b, carry uint64) uint64 {
	w := uint(8 << size)
	mask := uint64(1)<<w - 1
	var r uint64
	var cf, of, af bool
	sign := func(x uint64) bool { return x>>(w-1)&1 != 0 }
	switch kind {
	case ir.LazyAdd, ir.LazyAdc:
		full, over := bits.Add64(a, b, carry)
		r, cf = full&mask, full > mask || over != 0
		af = a&15+b&15+carry > 15
		of = sign(a) == sign(b) && sign(r) != sign(a)
	case ir.LazySub, ir.LazyCmp, ir.LazySbb:
		r, cf = (a-b-carry)&mask, a < b || a == b && carry != 0
		af = a&15 < b&15+carry
		of = sign(a) != sign(b) && sign(r) != sign(a)
	case ir.LazyLogic:
		r = a
	}
	var f uint64
	for i, set := range map[uint]bool{0: cf, 2: bits.OnesCount8(uint8(r))%2 == 0, 4: af, 6: r == 0, 7: sign(r), 11: of} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

func TestLazyFlags(t *testing.T) {
	s := irtest.ProgramSlots()
	s.Lazy = &ir.Lazy{Helper: 0, Op: 1, Dst: 2, Src: 3, Aux: 4}
	calls := 0
	m := newMachine(t, s, false, func(*ir.Frame) []guest.Helper {
		return []guest.Helper{func(_, _, _ uint64) (uint64, bool) { calls++; return 0x1234, false }}
	})
	// A value that is needed behind survives, wherever it is.
	u := parse(t, s, `
block0:
	insn 0x100
	a = get i64 q2
	b = not i64 a
	c = not i64 b
	d = neg i64 a
	f = call i64 h0.pure
	set q1, f
	set q3, c
	set q4, d
	link 0x200
`)
	at := m.compile(u, 0x100, false)
	run := func(op int, dst, src, aux uint64) uint64 {
		m.frame[1], m.frame[2], m.frame[3], m.frame[4], m.frame[9] = uint64(op), dst, src, aux, 0x123456789abcdef1
		if exit := m.run(at); exit != "link" || m.frame[10] != 0x123456789abcdef1 || m.frame[11] != -m.frame[10] {
			t.Fatalf("op %d: left by %s, q3 = %#x, q4 = %#x", op, exit, m.frame[10], m.frame[11])
		}
		return m.frame[8]
	}
	n := 0
	for size := range 4 {
		typ := ir.IntType(1 << size)
		for _, a := range edges(typ) {
			for _, b := range edges(typ) {
				for carry := range uint64(2) {
					for _, kind := range []int{ir.LazyAdd, ir.LazySub, ir.LazyLogic, ir.LazyAdc, ir.LazySbb, ir.LazyCmp} {
						if carry == 1 && kind != ir.LazyAdc && kind != ir.LazySbb {
							continue
						}
						dst := map[int]uint64{ir.LazyAdd: a + b, ir.LazySub: a - b, ir.LazyLogic: a, ir.LazyAdc: a + b + carry, ir.LazySbb: a - b - carry, ir.LazyCmp: a}[kind] & typ.Mask()
						n++
						if got, want := run(kind+size, dst, b, a), lazyFlags(kind, size, a, b, carry); got != want {
							t.Fatalf("kind %d of %d bytes, %#x, %#x, carry %d: flags %#x, want %#x", kind, 1<<size, a, b, carry, got, want)
						}
					}
				}
			}
		}
	}
	if got := run(ir.LazyFlags, 0, 0xfff, 0); got != 0x8d5 {
		t.Errorf("flags themselves: %#x", got)
	}
	if calls != 0 || n < 1000 {
		t.Errorf("%d calls of the helper, %d flags", calls, n)
	}
	for _, op := range []int{16, 20, 24, 28, 32, 48, 1000} { // the guest's own affair
		if got := run(op, 1, 2, 3); got != 0x1234 {
			t.Errorf("kind %d: %#x, want the helper's answer", op, got)
		}
	}
	if calls != 7 {
		t.Errorf("%d calls of the helper, want 7", calls)
	}
}
