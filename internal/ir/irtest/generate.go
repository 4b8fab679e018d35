// Package irtest is what tests of engines share: random units, a plain
// evaluator of the IR's definition to compare engines with, and units as text
// with what they must come to. Only tests import it.
package irtest

import (
	"fmt"
	"math/rand"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// Slots of the random units.
const (
	PC    = 0
	I32   = 1  // 4 of them
	I64   = 5  // 2
	I8    = 7  // 1
	Fuel  = 9  // bounds loops
	Vec   = 10 // 3
	Words = 16 // of the frame, that the units use
)

func Slots() *ir.Slots {
	s := &ir.Slots{PC: PC}
	name := func(x int, n string, t ir.Type) { s.Info[x] = ir.SlotInfo{Name: n, Type: t} }
	name(PC, "pc", ir.I32)
	for i := range 4 {
		name(I32+i, fmt.Sprintf("r%d", i), ir.I32)
	}
	name(I64, "q0", ir.I64)
	name(I64+1, "q1", ir.I64)
	name(I8, "b0", ir.I8)
	name(Fuel, "fuel", ir.I32)
	for i := range 3 {
		name(Vec+2*i, fmt.Sprintf("v%d", i), ir.V128)
	}
	return s
}

// Helpers work on f. The first two may be called with no flags, the third
// is Pure, the fourth NoStop.
func Helpers(f *ir.Frame) []guest.Helper {
	sum := func() (x uint64) {
		for i := range uint64(16) {
			x = x*31 + f[i]
		}
		return x
	}
	return []guest.Helper{
		func(a, b, c uint64) (uint64, bool) {
			x := sum() + a ^ b*3 ^ c*7
			f[I32+1] = uint64(uint32(x >> 8))
			f[Vec] ^= a
			return x, false
		},
		func(a, b, _ uint64) (uint64, bool) {
			f[I64] += sum()
			return a + b, (a^b)&3 == 0
		},
		func(a, b, c uint64) (uint64, bool) { return a*5 ^ b<<7 ^ c, false },
		func(a, b, c uint64) (uint64, bool) { return a - b*c, false },
	}
}

// Options say what random units are like.
type Options struct {
	// Pressure makes units in which many values are needed long after they
	// were made.
	Pressure bool
	// Loops has some jump to their beginning, as often as the slot Fuel says. It
	// is Self.
	Loops bool
}

// Self is the program counter of units that jump to their beginning.
const Self = 0x10080

// Generate makes a unit of Slots in u, which must have them.
func Generate(r *rand.Rand, u *ir.Unit, o Options) {
	g := &generator{Rand: r, pressure: o.Pressure, raw: r.Intn(2) == 0, loops: o.Loops}
	g.unit(u)
}

// State fills in the slots of f.
func State(r *rand.Rand, s *ir.Slots, f *ir.Frame) {
	for i := range f[:Words] {
		f[i] = r.Uint64() >> r.Intn(64)
		if t := s.Info[i].Type; t != ir.Void && t != ir.V128 {
			f[i] &= t.Mask()
		}
	}
	f[Fuel] = uint64(r.Intn(6))
}

// generator makes units.
type generator struct {
	*rand.Rand
	b        *ir.Builder
	pressure bool
	raw      bool // nothing is folded, and what slots hold is not remembered
	loops    bool
	entry    map[ir.Type][]ir.Val
	vals     map[ir.Type][]ir.Val // that may be used here
	inEntry  bool
	params   [][]ir.Type
	at       []int // physical numbers of the blocks
}

func (r *generator) have(v ir.Val) ir.Val {
	if t := r.b.TypeOf(v); t != ir.Void {
		r.vals[t] = append(r.vals[t], v)
		if r.inEntry {
			r.entry[t] = append(r.entry[t], v)
		}
	}
	return v
}

func (r *generator) emit(op ir.Op, t ir.Type, imm uint64, args ...ir.Val) ir.Val {
	in := ir.Inst{Op: op, Type: t, Imm: imm}
	copy(in.Args[:], args)
	return r.have(r.b.Emit(in))
}

func (r *generator) intType() ir.Type {
	return [...]ir.Type{ir.I8, ir.I16, ir.I32, ir.I32, ir.I32, ir.I64}[r.Intn(6)]
}

func (r *generator) number(t ir.Type) uint64 {
	x := r.Uint64() >> r.Intn(64)
	switch r.Intn(4) {
	case 0:
		x = uint64(r.Intn(5)) - 2
	case 1:
		x = 1 << r.Intn(64)
	}
	return x & t.Mask()
}

// val returns a value of type t, making one if there is none.
func (r *generator) val(t ir.Type) ir.Val {
	if l := r.vals[t]; len(l) != 0 && r.Intn(8) != 0 {
		if r.pressure && r.Intn(2) == 0 {
			return l[r.Intn(len(l))]
		}
		return l[len(l)-1-r.Intn(min(len(l), 10))]
	}
	if t == ir.V128 {
		if r.Intn(2) == 0 {
			return r.get(Vec + ir.Slot(2*r.Intn(3)))
		}
		return r.emit(ir.VMake, ir.V128, 0, r.val(ir.I64), r.val(ir.I64))
	}
	return r.have(r.b.Const(t, r.number(t)))
}

func (r *generator) any() ir.Val { return r.val(r.intType()) }

func (r *generator) slot() ir.Slot {
	return [...]ir.Slot{I32, I32 + 1, I32 + 2, I32 + 3, I64, I64 + 1, I8, Vec, Vec + 2, Vec + 4}[r.Intn(10)]
}

func (r *generator) get(s ir.Slot) ir.Val {
	t := r.b.Unit().Slots.Info[s].Type
	if r.raw {
		return r.emit(ir.Get, t, uint64(s))
	}
	return r.have(r.b.Get(t, s))
}

func (r *generator) set(s ir.Slot, v ir.Val) {
	if r.raw {
		r.emit(ir.Set, ir.Void, uint64(s), v)
		return
	}
	r.b.Set(s, v)
}

// address mostly lies in memory, often by a sum such as engines look for.
func (r *generator) address() ir.Val {
	a := r.val(ir.I32)
	if r.Intn(16) != 0 {
		a = r.b.BinImm(ir.And, a, []uint64{0x3fff, 0x7ff8, 0xffff}[r.Intn(3)])
	}
	if r.Intn(2) == 0 {
		i := r.b.BinImm(ir.And, r.val(ir.I32), 0xff)
		a = r.b.Bin(ir.Add, a, r.b.BinImm(ir.Shl, i, uint64(r.Intn(5))))
	}
	if r.Intn(2) == 0 {
		a = r.b.BinImm(ir.Add, a, uint64(r.Intn(300))-100)
	}
	return a
}

func (r *generator) mem() ir.Mem {
	return ir.Mem{Size: 1 << r.Intn(5), Index: r.Intn(2), RMW: r.Intn(4) == 0}
}

// inst adds one instruction, or a few.
func (r *generator) inst() {
	b, t := r.b, r.intType()
	switch k := r.Intn(40); {
	case k < 10:
		ops := [...]ir.Op{ir.Add, ir.Sub, ir.Mul, ir.And, ir.Or, ir.Xor, ir.Add, ir.Sub, ir.UDiv, ir.URem, ir.SDiv, ir.SRem, ir.MulHU, ir.MulHS}
		op, x, y := ops[r.Intn(len(ops))], r.val(t), r.val(t)
		if r.Intn(3) == 0 {
			y = b.Const(t, r.number(t))
		}
		if r.raw {
			r.emit(op, t, 0, x, y)
		} else {
			r.have(b.Bin(op, x, y))
		}
	case k < 14:
		op := [...]ir.Op{ir.Shl, ir.Shr, ir.Sar, ir.Rotl, ir.Rotr}[r.Intn(5)]
		n := r.any()
		if r.Intn(2) == 0 {
			n = b.Const(t, r.number(t))
		}
		r.emit(op, t, 0, r.val(t), n)
	case k < 16:
		op := [...]ir.Op{ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt}[r.Intn(6)]
		if op == ir.Bswap && t == ir.I8 {
			t = ir.I32
		}
		r.emit(op, t, 0, r.val(t))
	case k < 19:
		from := r.intType()
		if from != t {
			r.have(b.Conv(t, r.val(from), r.Intn(2) == 0))
		}
	case k < 20:
		from := r.intType()
		width := 1 + r.Intn(min(t.Bits(), from.Bits()))
		r.emit(ir.Extract, t, ir.Field(r.Intn(from.Bits()-width+1), width), r.val(from))
	case k < 22:
		y := r.any()
		width := 1 + r.Intn(min(t.Bits(), b.TypeOf(y).Bits()))
		r.emit(ir.Deposit, t, ir.Field(r.Intn(t.Bits()-width+1), width), r.val(t), y)
	case k < 24:
		r.emit(ir.Eq+ir.Op(r.Intn(6)), ir.I8, 0, r.val(t), r.val(t))
	case k < 25:
		r.emit(ir.Select, t, 0, r.any(), r.val(t), r.val(t))
	case k < 28:
		r.get(r.slot())
	case k < 32:
		s := r.slot()
		r.set(s, r.val(b.Unit().Slots.Info[s].Type))
	case k < 34:
		m, a := r.mem(), r.address()
		r.have(b.Load(a, m))
		if m.RMW && m.Size <= 8 && r.Intn(2) == 0 { // what engines look for: the store that follows
			for range r.Intn(3) {
				r.inst()
			}
			b.Store(a, r.val(ir.IntType(m.Size)), ir.Mem{Size: m.Size, Index: m.Index})
		}
	case k < 36:
		m := r.mem()
		v := r.val(ir.IntType(m.Size))
		if m.Size < 8 && r.Intn(2) == 0 {
			v = r.val(ir.I64) // its low bytes
		}
		b.Store(r.address(), v, m)
	case k < 37:
		c := b.Cmp(ir.Eq+ir.Op(r.Intn(6)), r.val(t), r.val(t))
		if r.Intn(4) == 0 {
			c = r.have(c)
		}
		if r.Intn(3) != 0 { // seldom true
			c = b.Bin(ir.And, c, b.Cmp(ir.Eq, b.BinImm(ir.And, r.val(ir.I32), 3), b.Const(ir.I32, 1)))
		}
		r.emit(ir.Guard, ir.Void, uint64(r.Intn(100)), c)
	case k < 38:
		h := r.Intn(4)
		if r.loops && r.Intn(8) != 0 { // the others lose all that is in registers
			h = 2
		}
		f := [...]ir.HelperFlags{0, 0, ir.Pure, ir.NoStop}[h]
		v := b.Call(ir.I64, h, f, r.val(ir.I64), r.val(ir.I64), r.val(ir.I64))
		if r.Intn(3) != 0 {
			r.have(v)
		}
	case k < 39:
		switch r.Intn(3) {
		case 0:
			r.emit(ir.VConst, ir.V128, r.Uint64())
		case 1:
			r.emit(ir.VLow, ir.I64, 0, r.val(ir.V128))
		default:
			r.emit(ir.VHigh, ir.I64, 0, r.val(ir.V128))
		}
	default:
		b.Insn(uint64(r.Intn(1 << 16)))
	}
}

// unit makes a unit of a few blocks. Values of the entry can be used in all.
// Some are in pieces: between them are branches to a block that leaves.
func (r *generator) unit(u *ir.Unit) {
	r.b = ir.NewBuilder(u)
	r.entry = map[ir.Type][]ir.Val{}
	blocks := 1 + r.Intn(5)
	r.params = make([][]ir.Type, blocks) // of the blocks that are jumped to
	r.at = make([]int, blocks)
	sides := make([]int, blocks)
	at := 0
	for n := range blocks {
		if n >= 2 && r.Intn(3) == 0 {
			for range 1 + r.Intn(3) {
				r.params[n] = append(r.params[n], r.intType())
			}
		}
		if r.loops || r.Intn(3) == 0 {
			sides[n] = 1 + r.Intn(3)
		}
		r.at[n] = at
		at += 1 + 2*sides[n]
	}
	for n := range blocks {
		r.inEntry = n == 0
		r.vals = map[ir.Type][]ir.Val{}
		if n > 0 {
			r.b.NewBlock()
			for t, l := range r.entry {
				r.vals[t] = append([]ir.Val(nil), l...)
			}
		}
		for _, t := range r.params[n] {
			r.emit(ir.Param, t, 0)
		}
		r.b.Insn(uint64(n*0x100 + 1))
		r.insts()
		for range sides[n] {
			here := len(u.Blocks) - 1
			cond, to := r.cond(), uint64(r.Intn(1<<16))
			if r.loops && r.Intn(3) != 0 {
				cond, to = r.fuel(), Self
				if r.Intn(2) == 0 { // the jump leads on
					r.b.Insn(Self - 0x80)
				} else {
					r.b.Insn(Self + 0x80)
				}
			}
			r.b.Branch(cond, here+1, here+2)
			r.b.ContinueBlock()
			r.b.Link(to)
			r.b.ContinueBlock()
			r.insts()
		}
		r.end(n, blocks)
	}
}

func (r *generator) insts() {
	n := 2 + r.Intn(25)
	if r.pressure && !r.loops {
		n *= 2
	}
	for range n {
		r.inst()
	}
}

// cond is what a branch depends on.
func (r *generator) cond() ir.Val {
	if r.Intn(2) == 0 {
		return r.any()
	}
	t := r.intType()
	return r.b.Cmp(ir.Eq+ir.Op(r.Intn(6)), r.val(t), r.val(t))
}

// fuel takes some, and is true if there was any.
func (r *generator) fuel() ir.Val {
	fuel := r.get(Fuel)
	more := r.b.CmpImm(ir.Ne, fuel, 0)
	r.set(Fuel, r.b.Bin(ir.Sub, fuel, r.b.Conv(ir.I32, more, false)))
	return more
}

// end ends block n: forwards, back while there is fuel, or out.
func (r *generator) end(n, blocks int) {
	b := r.b
	plain := func(from, to int) int { // a block without parameters, or -1
		for range 8 {
			if k := from + r.Intn(max(to-from, 1)); k < to && r.params[k] == nil {
				return k
			}
		}
		return -1
	}
	switch k := r.Intn(8); {
	case k < 3 && n+1 < blocks:
		to := n + 1 + r.Intn(blocks-n-1)
		var args []ir.Val
		for _, t := range r.params[to] {
			args = append(args, r.val(t))
		}
		b.Jump(r.at[to], args...)
		return
	case k < 5:
		if x, y := plain(n+1, blocks), plain(n+1, blocks); x >= 0 && y >= 0 {
			b.Branch(r.cond(), r.at[x], r.at[y])
			return
		}
	case k < 7 && n > 0:
		if back, on := plain(1, n+1), plain(n+1, blocks); back >= 0 && on >= 0 {
			b.Branch(r.fuel(), r.at[back], r.at[on])
			return
		}
	}
	switch r.Intn(3) {
	case 0:
		b.Link(uint64(r.Intn(1 << 16)))
	case 1:
		b.Indirect(r.val(ir.I32))
	default:
		b.Exit(r.val(ir.I32))
	}
}
