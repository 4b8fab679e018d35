package amd64

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/interp"
	"rhea/internal/ir/irtest"
)

// This file runs every operation of the IR at every width, in the forms in
// which operands come, in machine code and in the interpreter. What is wanted
// is ir.Eval1 and ir.Eval2, or for what these do not define a line here; the
// programs of testdata have numbers, so that a wrong definition is found, too.

// opSlots are slots of 64 bits: a, b and c in registers or not, z and the
// others in memory.
func opSlots(hot ...ir.Slot) *ir.Slots {
	s := &ir.Slots{PC: 0, Hot: hot}
	for i, n := range []string{"pc", "a", "b", "c", "z", "x", "y", "k"} {
		s.Info[i] = ir.SlotInfo{Name: n, Type: ir.I64}
	}
	return s
}

const (
	slotA = 1
	slotB = 2
	slotC = 3
	slotZ = 4
	slotX = 5
	slotY = 6
	slotK = 7
)

// bench runs a unit in several machines and in the interpreter.
type bench struct {
	t        *testing.T
	machines []*machine
	u        []*ir.Unit
	at       []int
	code     *interp.Code
	m        *interp.Machine
	f        ir.Frame
	text     string
	runs     int
}

func newBench(t *testing.T) *bench {
	none := func(*ir.Frame) []guest.Helper { return nil }
	b := &bench{t: t}
	for _, hot := range [][]ir.Slot{nil, {slotA, slotB, slotC, slotZ, slotX, slotY, slotK}, {slotK, slotZ, slotY, slotX, slotC, slotA}} {
		b.machines = append(b.machines, newMachine(t, opSlots(hot...), len(hot) == 6, none))
	}
	b.at = make([]int, len(b.machines))
	b.m = interp.NewMachine(&b.f, opSlots(), noMemory{})
	return b
}

// noMemory is for units without accesses.
type noMemory struct{}

func (noMemory) MissLoad(va uint64, _, _ int, _ bool) (uint64, *guest.Fault) {
	return 0, &guest.Fault{Addr: va}
}

func (noMemory) MissStore(va uint64, _, _ int, _ uint64, _ *interp.Code) (*guest.Fault, bool) {
	return &guest.Fault{Addr: va}, false
}

// unit takes a unit without its first and last line.
func (b *bench) unit(lines ...string) {
	b.t.Helper()
	b.text = "block0:\n\t" + strings.Join(lines, "\n\t") + "\n"
	if !strings.Contains(b.text, "link") {
		b.text += "\tlink 0x20\n"
	}
	for i, m := range b.machines {
		u, err := ir.Parse(b.text, m.c.cfg.Slots)
		if err != nil {
			b.t.Fatalf("%v\n%s", err, b.text)
		}
		b.at[i] = m.compile(u, 0x10, false)
	}
	u, err := ir.Parse(b.text, opSlots())
	if err != nil {
		b.t.Fatal(err)
	}
	b.code = interp.NewLowerer(nil).Lower(u)
}

// check runs it with values of a, b and k, and compares slots with what is
// wanted of them.
func (b *bench) check(x, y, k uint64, exit string, want ...wanted) {
	b.t.Helper()
	for i, m := range b.machines {
		f := m.frame
		clear(f[:16])
		f[slotA], f[slotB], f[slotK] = x, y, k
		b.runs++
		got := m.run(b.at[i])
		b.compare(fmt.Sprintf("machine code (hot %v)", m.c.cfg.Slots.Hot), got, f, x, y, exit, want)
	}
	clear(b.f[:16])
	b.f[slotA], b.f[slotB], b.f[slotK] = x, y, k
	got := "link"
	switch b.m.Run(b.code) {
	case interp.Guarded:
		got = fmt.Sprintf("guard %d", b.m.Arg)
	case interp.Linked:
	default:
		got = "?"
	}
	b.compare("interpreter", got, &b.f, x, y, exit, want)
}

type wanted struct {
	slot ir.Slot
	v    uint64
}

func (b *bench) compare(who, got string, f *ir.Frame, x, y uint64, exit string, want []wanted) {
	b.t.Helper()
	if got != exit {
		b.t.Fatalf("%s: a = %#x, b = %#x: left by %s, want %s\n%s", who, x, y, got, exit, b.text)
	}
	for _, w := range want {
		if f[w.slot] != w.v {
			b.t.Fatalf("%s: a = %#x, b = %#x: %s = %#x, want %#x\n%s", who, x, y, opSlots().Name(w.slot), f[w.slot], w.v, b.text)
		}
	}
}

var intTypes = []ir.Type{ir.I8, ir.I16, ir.I32, ir.I64}

// edges are operands of a type at which something happens.
func edges(t ir.Type) []uint64 {
	top := uint64(1) << (t.Bits() - 1)
	list := []uint64{0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 1 << 32, 0x123456789abcdef1, top - 1, top, top + 1, ^uint64(0) - 1, ^uint64(0), 0x5a5a5a5a5a5a5a5a}
	for i := range list {
		list[i] &= t.Mask()
	}
	slices.Sort(list)
	return slices.Compact(list)
}

var (
	binOps = []ir.Op{ir.Add, ir.Sub, ir.Mul, ir.And, ir.Or, ir.Xor, ir.UDiv, ir.URem, ir.SDiv, ir.SRem, ir.MulHU, ir.MulHS}
	shifts = []ir.Op{ir.Shl, ir.Shr, ir.Sar, ir.Rotl, ir.Rotr}
	cmpOps = []ir.Op{ir.Eq, ir.Ne, ir.Ltu, ir.Leu, ir.Lts, ir.Les}
	unOps  = []ir.Op{ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt}
)

// Operands of a unit: in the slots; in temporaries, which end here; in
// temporaries that are needed afterwards.
var operandForms = []struct {
	name          string
	before, after []string
}{
	{"slots", []string{"x = get %[1]s a", "y = get %[2]s b"}, nil},
	{"temporaries", []string{"p = get %[1]s a", "q = get %[2]s b", "x = not %[1]s p", "y = not %[2]s q"}, nil},
	{"kept", []string{"p = get %[1]s a", "q = get %[2]s b", "x = not %[1]s p", "y = not %[2]s q"}, []string{"set x, x", "set y, y"}},
	{"into b", []string{"x = get %[1]s a", "y = get %[2]s b"}, []string{"set b, z", "set x, x"}},
	{"into a", []string{"x = get %[1]s a", "y = get %[2]s b"}, []string{"set a, z", "set y, y"}},
}

func lines(types []any, groups ...[]string) (all []string) {
	for _, g := range groups {
		for _, l := range g {
			if strings.Contains(l, "%") {
				l = fmt.Sprintf(l, types...)
				if i := strings.Index(l, "%!(EXTRA"); i >= 0 {
					l = l[:i]
				}
			}
			all = append(all, l)
		}
	}
	return all
}

// operations calls one with each form of two operands; count is the type of
// the second.
func (b *bench) two(op ir.Op, t, count, result ir.Type, eval func(x, y uint64) uint64) {
	types := []any{t, count}
	body := []string{fmt.Sprintf("z = %s %s x, y", op, result), "set z, z"}
	for _, form := range operandForms {
		b.unit(lines(types, form.before, body, form.after)...)
		flip := strings.Contains(form.before[len(form.before)-1], "not")
		for _, x := range edges(t) {
			for _, y := range edges(count) {
				p, q := x, y
				if flip {
					p, q = ^x&t.Mask(), ^y&count.Mask()
				}
				want := []wanted{{slotZ, eval(x, y)}}
				switch form.name {
				case "kept":
					want = append(want, wanted{slotX, x}, wanted{slotY, y})
				case "into b":
					want = append(want, wanted{slotB, eval(x, y)}, wanted{slotX, x})
				case "into a":
					want = append(want, wanted{slotA, eval(x, y)}, wanted{slotY, y})
				}
				b.check(p, q, 0, "link", want...)
			}
		}
	}
	for _, k := range edges(t) { // the one a constant
		for form, after := range [][]string{nil, {"set y, y"}} {
			b.unit(lines(types, []string{"p = get %[2]s b", "y = not %[2]s p", fmt.Sprintf("x = const %s %#x", t, k)}, body, after)...)
			for _, y := range edges(count) {
				want := []wanted{{slotZ, eval(k, y)}}
				if form == 1 {
					want = append(want, wanted{slotY, y})
				}
				b.check(0, ^y&count.Mask(), 0, "link", want...)
			}
		}
	}
	for _, k := range edges(count) { // the other
		for form, after := range [][]string{nil, {"set x, x"}} {
			b.unit(lines(types, []string{"p = get %[1]s a", "x = not %[1]s p", fmt.Sprintf("y = const %s %#x", count, k)}, body, after)...)
			for _, x := range edges(t) {
				want := []wanted{{slotZ, eval(x, k)}}
				if form == 1 {
					want = append(want, wanted{slotX, x})
				}
				b.check(^x&t.Mask(), 0, 0, "link", want...)
			}
		}
	}
	if t == count { // both the same
		b.unit(lines(types, []string{"x = get %[1]s a", fmt.Sprintf("z = %s %s x, x", op, result), "set z, z"})...)
		for _, x := range edges(t) {
			b.check(x, 0, 0, "link", wanted{slotZ, eval(x, x)})
		}
	}
}

func TestBinaryOperations(t *testing.T) {
	b := newBench(t)
	for _, op := range binOps {
		for _, typ := range intTypes {
			b.two(op, typ, typ, typ, func(x, y uint64) uint64 { return ir.Eval2(op, typ, x, y) })
		}
	}
	t.Logf("%d runs", b.runs)
}

func TestShifts(t *testing.T) {
	b := newBench(t)
	for _, op := range shifts {
		for _, typ := range intTypes {
			for _, count := range intTypes {
				b.two(op, typ, count, typ, func(x, y uint64) uint64 { return ir.Eval2(op, typ, x, y) })
			}
		}
	}
	t.Logf("%d runs", b.runs)
}

// A quotient and the remainder of the same operands are one division.
func TestDivisionPairs(t *testing.T) {
	b := newBench(t)
	for _, pair := range [][2]ir.Op{{ir.UDiv, ir.URem}, {ir.URem, ir.UDiv}, {ir.SDiv, ir.SRem}, {ir.SRem, ir.SDiv}} {
		for _, typ := range intTypes {
			b.unit(lines([]any{typ, typ}, []string{"x = get %[1]s a", "y = get %[1]s b", fmt.Sprintf("z = %s %s x, y", pair[0], typ),
				"set z, z", fmt.Sprintf("r = %s %s x, y", pair[1], typ), "set c, r"})...)
			for _, x := range edges(typ) {
				for _, y := range edges(typ) {
					b.check(x, y, 0, "link", wanted{slotZ, ir.Eval2(pair[0], typ, x, y)}, wanted{slotC, ir.Eval2(pair[1], typ, x, y)})
				}
			}
		}
	}
}

// one runs an operation of one operand in its forms.
func (b *bench) one(line string, from ir.Type, eval func(x uint64) uint64) {
	for _, form := range []struct {
		before, after []string
	}{
		{[]string{"x = get %[1]s a"}, nil},
		{[]string{"p = get %[1]s a", "x = not %[1]s p"}, nil},
		{[]string{"p = get %[1]s a", "x = not %[1]s p"}, []string{"set x, x"}},
		{[]string{"x = get %[1]s a"}, []string{"set a, z", "set x, x"}},
	} {
		b.unit(lines([]any{from}, form.before, []string{line, "set z, z"}, form.after)...)
		for _, x := range edges(from) {
			in, want := x, []wanted{{slotZ, eval(x)}}
			if len(form.before) == 2 {
				in = ^x & from.Mask()
			}
			if len(form.after) != 0 {
				want = append(want, wanted{slotX, x})
			}
			b.check(in, 0, 0, "link", want...)
		}
	}
}

func TestUnaryOperations(t *testing.T) {
	b := newBench(t)
	for _, op := range unOps {
		for _, typ := range intTypes {
			b.one(fmt.Sprintf("z = %s %s x", op, typ), typ, func(x uint64) uint64 { return ir.Eval1(op, typ, x) })
		}
	}
}

func TestConversions(t *testing.T) {
	b := newBench(t)
	for _, from := range intTypes {
		for _, to := range intTypes {
			switch {
			case from < to:
				b.one(fmt.Sprintf("z = zext %s x", to), from, func(x uint64) uint64 { return x })
				b.one(fmt.Sprintf("z = sext %s x", to), from, func(x uint64) uint64 { return ir.SignExtend(x, from) & to.Mask() })
			case from > to:
				b.one(fmt.Sprintf("z = trunc %s x", to), from, func(x uint64) uint64 { return x & to.Mask() })
			}
		}
	}
}

// fields are positions and widths that fit from bits, and widths to to bits.
func fields(from, to int) (list [][2]int) {
	for _, pos := range []int{0, 1, 4, 7, 8, 9, 15, 16, 24, 31, 32, 33, 48, 63} {
		for _, width := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 56, 63, 64} {
			if pos+width <= from && width <= to {
				list = append(list, [2]int{pos, width})
			}
		}
	}
	return list
}

func TestFields(t *testing.T) {
	b := newBench(t)
	for _, from := range intTypes {
		for _, to := range intTypes {
			for _, f := range fields(from.Bits(), to.Bits()) {
				pos, width := f[0], f[1]
				mask := ^uint64(0) >> (64 - width)
				b.one(fmt.Sprintf("z = extract %s %d:%d, x", to, pos, width), from, func(x uint64) uint64 { return x >> pos & mask })
			}
			for _, f := range fields(to.Bits(), from.Bits()) {
				pos, width := f[0], f[1]
				mask := ^uint64(0) >> (64 - width)
				for _, form := range operandForms {
					b.unit(lines([]any{to, from}, form.before, []string{fmt.Sprintf("z = deposit %s %d:%d, x, y", to, pos, width), "set z, z"}, form.after)...)
					for _, x := range []uint64{0, 0x123456789abcdef1 & to.Mask(), to.Mask()} {
						for _, y := range []uint64{0, 0xfedcba9876543210 & from.Mask(), from.Mask()} {
							p, q := x, y
							if strings.Contains(form.before[len(form.before)-1], "not") {
								p, q = ^x&to.Mask(), ^y&from.Mask()
							}
							want := []wanted{{slotZ, x&^(mask<<pos) | y&mask<<pos}}
							if form.name == "kept" {
								want = append(want, wanted{slotX, x}, wanted{slotY, y})
							}
							b.check(p, q, 0, "link", want...)
						}
					}
				}
				b.unit(lines([]any{to}, []string{"x = get %[1]s a", fmt.Sprintf("z = deposit %s %d:%d, x, x", to, pos, width), "set z, z"})...)
				x := 0x123456789abcdef1 & to.Mask()
				b.check(x, 0, 0, "link", wanted{slotZ, x&^(mask<<pos) | x&mask<<pos})
			}
		}
	}
	t.Logf("%d runs", b.runs)
}

// A comparison may be a value, or part of the Select, Branch or Guard that
// asks for it.
func TestComparisons(t *testing.T) {
	b := newBench(t)
	for _, op := range cmpOps {
		for _, typ := range intTypes {
			truth := func(x, y uint64) uint64 { return ir.Eval2(op, typ, x, y) }
			b.two(op, typ, typ, ir.I8, truth)
			cmp := fmt.Sprintf("c = %s i8 x, y", op)
			for _, operands := range [][2]string{{"get %[1]s a", "get %[1]s b"}, {"get %[1]s a", "const"}, {"const", "get %[1]s b"}} {
				ks := edges(typ)
				if operands[0] != "const" && operands[1] != "const" {
					ks = ks[:1]
				}
				for _, k := range ks {
					var before []string
					for i, o := range operands {
						if o == "const" {
							o = fmt.Sprintf("const %%[1]s %#x", k)
						}
						before = append(before, string("xy"[i])+" = "+o)
					}
					run := func(exit func(c uint64) string, want func(c, x, y uint64) []wanted, body ...string) {
						b.unit(lines([]any{typ}, before, []string{cmp}, body)...)
						for _, x := range edges(typ) {
							for _, y := range edges(typ) {
								p, q := x, y
								if operands[0] == "const" {
									p = k
								}
								if operands[1] == "const" {
									q = k
								}
								c := truth(p, q)
								b.check(x, y, 77, exit(c), want(c, x, y)...)
								if operands[1] == "const" {
									break
								}
							}
							if operands[0] == "const" {
								break
							}
						}
					}
					link := func(uint64) string { return "link" }
					run(link, func(c, x, y uint64) []wanted {
						if c != 0 {
							return []wanted{{slotZ, 77}, {slotA, x}}
						}
						return []wanted{{slotZ, 1000}, {slotA, x}}
					}, "k = get i32 k", "n = const i32 1000", "z = select i32 c, k, n", "set z, z")
					run(func(c uint64) string {
						if c != 0 {
							return "guard 5"
						}
						return "link"
					}, func(c, _, _ uint64) []wanted {
						if c != 0 {
							return []wanted{{slotZ, 77}, {slotC, 3}, {0, 0x44}}
						}
						return []wanted{{slotZ, 77}, {slotC, 9}, {0, 0x20}}
					}, "k = get i32 k", "set z, k", "n = const i32 3", "set c, n", "insn 0x44", "guard 5, c", "m = const i32 9", "set c, m")
					run(link, func(c, _, _ uint64) []wanted { // one side leaves, as units of guests do
						if c != 0 {
							return []wanted{{slotZ, 77}, {slotC, 3}, {0, 0x30}}
						}
						return []wanted{{slotZ, 77}, {slotC, 9}, {0, 0x20}}
					}, "k = get i32 k", "set z, k", "n = const i32 3", "set c, n", "branch c, side, on", "side:", "link 0x30", "on:", "m = const i32 9", "set c, m", "link 0x20")
					run(link, func(c, _, _ uint64) []wanted { // blocks
						if c != 0 {
							return []wanted{{slotZ, 77}, {slotC, 3}}
						}
						return []wanted{{slotZ, 77}, {slotC, 9}}
					}, "k = get i32 k", "set z, k", "n = const i32 3", "branch c, yes, no", "yes:", "jump end, n", "no:", "m = const i32 9", "jump end, m",
						"end:", "p = param i32", "set c, p", "link 0x20")
				}
			}
		}
	}
	t.Logf("%d runs", b.runs)
}

// Conditions that are no comparisons are true if not 0, at their whole width.
func TestSelect(t *testing.T) {
	b := newBench(t)
	for _, cond := range intTypes {
		for _, typ := range intTypes {
			for _, form := range operandForms {
				b.unit(lines([]any{typ, typ}, form.before, []string{fmt.Sprintf("k = get %s k", cond), fmt.Sprintf("z = select %s k, x, y", typ), "set z, z"}, form.after)...)
				x, y := 0x123456789abcdef1&typ.Mask(), 0xfedcba9876543210&typ.Mask()
				for _, k := range edges(cond) {
					p, q, want := x, y, y
					if strings.Contains(form.before[len(form.before)-1], "not") {
						p, q = ^x&typ.Mask(), ^y&typ.Mask()
					}
					if k != 0 {
						want = x
					}
					b.check(p, q, k, "link", wanted{slotZ, want}, wanted{slotK, k})
				}
			}
		}
	}
}

// TestPrograms runs the interpreter's programs, and ours in both.
func TestPrograms(t *testing.T) {
	for _, file := range []string{"../../ir/interp/testdata/units.txt", "testdata/units.txt"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		list := irtest.Programs(string(text))
		if len(list) < 10 {
			t.Errorf("%s: only %d programs", file, len(list))
		}
		for _, hot := range [][]ir.Slot{nil, {1, 2, 3, 4, 8, 9, 10, 11}, {3, 9, 1}} {
			slots := irtest.ProgramSlots()
			slots.Hot = hot
			m := newMachine(t, slots, false, irtest.ProgramHelpers)
			for _, p := range list {
				t.Run(fmt.Sprintf("%s/%d", p.Name, len(hot)), func(t *testing.T) {
					m.t = t
					clear(m.frame[:64])
					m.direct, m.write = 0xbfff, 0x7fff // one page is not there at once, another not to be written
					m.setMemory(&irtest.Memory{}, true)
					wrong := p.Check(slots, m.frame, func(u *ir.Unit) string {
						exit, _, _ := strings.Cut(m.run(m.compile(u, 0x10, false)), " ")
						return map[string]string{"link": "link", "indirect": "indirect", "exit": "loop", "stop": "stopped", "fault": "faulted", "guard": "guarded"}[exit]
					})
					if wrong != "" {
						t.Error(wrong)
					}
				})
			}
		}
		for _, p := range list {
			t.Run(p.Name+"/interpreter", func(t *testing.T) {
				f, slots := new(ir.Frame), irtest.ProgramSlots()
				names := [...]string{"poll", "link", "indirect", "loop", "stopped", "faulted", "guarded"}
				wrong := p.Check(slots, f, func(u *ir.Unit) string {
					return names[interp.NewMachine(f, slots, new(memory)).Run(interp.NewLowerer(irtest.ProgramHelpers(f)).Lower(u))]
				})
				if wrong != "" {
					t.Error(wrong)
				}
			})
		}
	}
}

// memory is the interpreter's.
type memory struct{ irtest.Memory }

func (m *memory) MissLoad(va uint64, size, _ int, _ bool) (uint64, *guest.Fault) {
	return m.Load(va, size)
}

func (m *memory) MissStore(va uint64, size, _ int, v uint64, _ *interp.Code) (*guest.Fault, bool) {
	return m.Store(va, size, v), false
}
