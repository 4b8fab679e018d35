package interp

import (
	"fmt"
	"math/rand"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file compares the engine with a plain evaluator of the IR's definition
// on random units.

// paged is 64 KiB of memory; some of its pages get into the TLB.
type paged struct {
	flat
	m      *Machine
	direct uint16 // of the 16 pages: may be accessed directly
	write  uint16 // and written
}

func (p *paged) fill(va uint64, index int) {
	if n := va >> 12; n < 16 && p.direct>>n&1 != 0 {
		page := (*[4096]byte)(p.b[n<<12:])
		p.m.TLB[index].At(va).Fill(page, true, p.write>>n&1 != 0, Slow{Tag: n << 12})
	}
}

func (p *paged) MissLoad(va uint64, size, index int, rmw bool) (uint64, *guest.Fault) {
	p.fill(va, index)
	return p.flat.MissLoad(va, size, index, rmw)
}

func (p *paged) MissStore(va uint64, size, index int, v uint64, c *Code) (*guest.Fault, bool) {
	p.fill(va, index)
	return p.flat.MissStore(va, size, index, v, c)
}

// Slots of the random units.
const (
	randPC   = 0
	randI32  = 1  // 4 of them
	randI64  = 5  // 2
	randI8   = 7  // 1
	randFuel = 9  // bounds loops
	randV    = 10 // 3
)

func randSlots() *ir.Slots {
	s := &ir.Slots{PC: randPC}
	name := func(x int, n string, t ir.Type) { s.Info[x] = ir.SlotInfo{Name: n, Type: t} }
	name(randPC, "pc", ir.I32)
	for i := range 4 {
		name(randI32+i, fmt.Sprintf("r%d", i), ir.I32)
	}
	name(randI64, "q0", ir.I64)
	name(randI64+1, "q1", ir.I64)
	name(randI8, "b0", ir.I8)
	name(randFuel, "fuel", ir.I32)
	for i := range 3 {
		name(randV+2*i, fmt.Sprintf("v%d", i), ir.V128)
	}
	return s
}

// randHelpers work on f. The first two may be called with no flags, the third
// is Pure, the fourth NoStop.
func randHelpers(f *ir.Frame) []guest.Helper {
	sum := func() (x uint64) {
		for i := range uint64(16) {
			x = x*31 + f[i]
		}
		return x
	}
	return []guest.Helper{
		func(a, b, c uint64) (uint64, bool) {
			x := sum() + a ^ b*3 ^ c*7
			f[randI32+1] = uint64(uint32(x >> 8))
			f[randV] ^= a
			return x, false
		},
		func(a, b, _ uint64) (uint64, bool) {
			f[randI64] += sum()
			return a + b, (a^b)&3 == 0
		},
		func(a, b, c uint64) (uint64, bool) { return a*5 ^ b<<7 ^ c, false },
		func(a, b, c uint64) (uint64, bool) { return a - b*c, false },
	}
}

// randUnit makes units.
type randUnit struct {
	*rand.Rand
	b       *ir.Builder
	raw     bool // nothing is folded, and what slots hold is not remembered
	entry   map[ir.Type][]ir.Val
	vals    map[ir.Type][]ir.Val // that may be used here
	inEntry bool
}

func (r *randUnit) have(v ir.Val) ir.Val {
	if t := r.b.TypeOf(v); t != ir.Void {
		r.vals[t] = append(r.vals[t], v)
		if r.inEntry {
			r.entry[t] = append(r.entry[t], v)
		}
	}
	return v
}

func (r *randUnit) emit(op ir.Op, t ir.Type, imm uint64, args ...ir.Val) ir.Val {
	in := ir.Inst{Op: op, Type: t, Imm: imm}
	copy(in.Args[:], args)
	return r.have(r.b.Emit(in))
}

func (r *randUnit) intType() ir.Type {
	return [...]ir.Type{ir.I8, ir.I16, ir.I32, ir.I32, ir.I32, ir.I64}[r.Intn(6)]
}

func (r *randUnit) number(t ir.Type) uint64 {
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
func (r *randUnit) val(t ir.Type) ir.Val {
	if l := r.vals[t]; len(l) != 0 && r.Intn(8) != 0 {
		return l[len(l)-1-r.Intn(min(len(l), 10))]
	}
	if t == ir.V128 {
		if r.Intn(2) == 0 {
			return r.get(randV + ir.Slot(2*r.Intn(3)))
		}
		return r.emit(ir.VMake, ir.V128, 0, r.val(ir.I64), r.val(ir.I64))
	}
	return r.have(r.b.Const(t, r.number(t)))
}

func (r *randUnit) any() ir.Val { return r.val(r.intType()) }

func (r *randUnit) slot() ir.Slot {
	return [...]ir.Slot{randI32, randI32 + 1, randI32 + 2, randI32 + 3, randI64, randI64 + 1, randI8, randV, randV + 2, randV + 4}[r.Intn(10)]
}

func (r *randUnit) get(s ir.Slot) ir.Val {
	t := r.b.Unit().Slots.Info[s].Type
	if r.raw {
		return r.emit(ir.Get, t, uint64(s))
	}
	return r.have(r.b.Get(t, s))
}

func (r *randUnit) set(s ir.Slot, v ir.Val) {
	if r.raw {
		r.emit(ir.Set, ir.Void, uint64(s), v)
		return
	}
	r.b.Set(s, v)
}

// address mostly lies in memory, often by a sum such as engines look for.
func (r *randUnit) address() ir.Val {
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

func (r *randUnit) mem() ir.Mem {
	return ir.Mem{Size: 1 << r.Intn(5), Index: r.Intn(2), RMW: r.Intn(4) == 0}
}

// inst adds one instruction, or a few.
func (r *randUnit) inst() {
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
		r.have(b.Load(r.address(), r.mem()))
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
func (r *randUnit) unit(u *ir.Unit) {
	r.b = ir.NewBuilder(u)
	r.entry = map[ir.Type][]ir.Val{}
	blocks := 1 + r.Intn(5)
	params := make([][]ir.Type, blocks) // of the blocks that are jumped to
	for n := range blocks {
		if n >= 2 && r.Intn(3) == 0 {
			for range 1 + r.Intn(3) {
				params[n] = append(params[n], r.intType())
			}
		}
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
		for _, t := range params[n] {
			r.emit(ir.Param, t, 0)
		}
		r.b.Insn(uint64(n*0x100 + 1))
		for range 2 + r.Intn(25) {
			r.inst()
		}
		r.end(n, blocks, params)
	}
}

// end ends block n: forwards, back while there is fuel, or out.
func (r *randUnit) end(n, blocks int, params [][]ir.Type) {
	b := r.b
	plain := func(from, to int) int { // a block without parameters, or -1
		for range 8 {
			if k := from + r.Intn(max(to-from, 1)); k < to && params[k] == nil {
				return k
			}
		}
		return -1
	}
	switch k := r.Intn(8); {
	case k < 3 && n+1 < blocks:
		to := n + 1 + r.Intn(blocks-n-1)
		var args []ir.Val
		for _, t := range params[to] {
			args = append(args, r.val(t))
		}
		b.Jump(to, args...)
		return
	case k < 5:
		if x, y := plain(n+1, blocks), plain(n+1, blocks); x >= 0 && y >= 0 {
			c := r.any()
			if r.Intn(2) == 0 {
				t := r.intType()
				c = b.Cmp(ir.Eq+ir.Op(r.Intn(6)), r.val(t), r.val(t))
			}
			b.Branch(c, x, y)
			return
		}
	case k < 7 && n > 0:
		if back, on := plain(1, n+1), plain(n+1, blocks); back >= 0 && on >= 0 {
			fuel := r.get(randFuel)
			more := b.CmpImm(ir.Ne, fuel, 0)
			r.set(randFuel, b.Bin(ir.Sub, fuel, b.Conv(ir.I32, more, false)))
			b.Branch(more, back, on)
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

// wide is a value of the plain evaluator; hi is used by V128 only.
type wide struct{ lo, hi uint64 }

// evaluate is the definition: it runs u on f and mem, and returns how it was left.
func evaluate(u *ir.Unit, f *ir.Frame, mem *flat, helpers []guest.Helper) string {
	vals := make([]wide, len(u.Insts)+1)
	var pc uint64
	leave := func(at uint64, format string, args ...any) string {
		f[u.Slots.PC] = at
		return fmt.Sprintf(format, args...)
	}
	for block, args := 0, []wide(nil); ; {
		b := u.Blocks[block]
		next := -1
		for i := b.First; i < b.End; i++ {
			in := &u.Insts[i]
			var a [4]wide
			for j := range in.NArgs() {
				a[j] = vals[in.Args[j]]
			}
			typ := func(j int) ir.Type { return u.Inst(in.Args[j]).Type }
			var r wide
			switch in.Op {
			case ir.Nop:
			case ir.Param:
				r = args[i-b.First]
			case ir.Const:
				r.lo = in.Imm
			case ir.Get:
				r.lo = f[in.Imm]
				if in.Type == ir.V128 {
					r.hi = f[in.Imm+1]
				}
			case ir.Set:
				f[in.Imm] = a[0].lo
				if typ(0) == ir.V128 {
					f[in.Imm+1] = a[0].hi
				}
			case ir.Insn:
				pc = in.Imm
			case ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt:
				r.lo = ir.Eval1(in.Op, in.Type, a[0].lo)
			case ir.Zext:
				r.lo = a[0].lo
			case ir.Trunc:
				r.lo = a[0].lo & in.Type.Mask()
			case ir.Sext:
				r.lo = ir.SignExtend(a[0].lo, typ(0)) & in.Type.Mask()
			case ir.Extract:
				pos, width := ir.FieldOf(in.Imm)
				r.lo = a[0].lo >> pos & (^uint64(0) >> (64 - width))
			case ir.Deposit:
				pos, width := ir.FieldOf(in.Imm)
				mask := ^uint64(0) >> (64 - width) << pos
				r.lo = a[0].lo&^mask | a[1].lo<<pos&mask
			case ir.Select:
				r = a[2]
				if a[0].lo != 0 {
					r = a[1]
				}
			case ir.VConst:
				r = wide{in.Imm, in.Imm}
			case ir.VMake:
				r = wide{a[0].lo, a[1].lo}
			case ir.VLow:
				r.lo = a[0].lo
			case ir.VHigh:
				r.lo = a[0].hi
			case ir.Load, ir.Store:
				m := ir.MemOf(in.Imm)
				va, n := uint64(uint32(a[0].lo)), min(m.Size, 8)
				last := uint64(uint32(va + 8))
				if m.Size == 16 && in.Op == ir.Store { // nothing is stored if half of it faults
					if _, fault := mem.MissLoad(last, 8, 0, true); fault != nil {
						return leave(pc, "fault %x", fault.Addr)
					}
				}
				var fault *guest.Fault
				if in.Op == ir.Load {
					r.lo, fault = mem.MissLoad(va, n, 0, false)
				} else {
					fault, _ = mem.MissStore(va, n, 0, a[1].lo, nil)
				}
				if fault == nil && m.Size == 16 {
					if in.Op == ir.Load {
						r.hi, fault = mem.MissLoad(last, 8, 0, false)
					} else {
						fault, _ = mem.MissStore(last, 8, 0, a[1].hi, nil)
					}
				}
				if fault != nil {
					return leave(pc, "fault %x", fault.Addr)
				}
			case ir.Guard:
				if a[0].lo != 0 {
					return leave(pc, "guard %d", in.Imm)
				}
			case ir.Call:
				h, flags := ir.CallOf(in.Imm)
				if flags&ir.Pure == 0 {
					f[u.Slots.PC] = pc
				}
				v, stop := helpers[h](a[0].lo, a[1].lo, a[2].lo)
				if stop && flags == 0 {
					return "stop"
				}
				r.lo = v
			case ir.Jump:
				next, _ = in.Targets()
				args = append([]wide(nil), a[:]...)
			case ir.Branch:
				yes, no := in.Targets()
				if next = no; a[0].lo != 0 {
					next = yes
				}
			case ir.Link:
				return leave(in.Imm, "link")
			case ir.Indirect:
				return leave(a[0].lo, "indirect")
			case ir.Exit:
				return leave(a[0].lo, "exit")
			default:
				r.lo = ir.Eval2(in.Op, typ(0), a[0].lo, a[1].lo)
			}
			vals[i+1] = r
		}
		block = next
	}
}

// compareUnit makes a unit of seed and runs it both ways, twice from
// different states.
func compareUnit(t *testing.T, seed int64) {
	r := &randUnit{Rand: rand.New(rand.NewSource(seed))}
	r.raw = r.Intn(2) == 0
	u := ir.Unit{Slots: randSlots()}
	r.unit(&u)
	if err := u.Verify(); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, &u)
	}
	for range 2 {
		var want, got ir.Frame
		var plain flat
		p := &paged{direct: uint16(r.Uint32()), write: uint16(r.Uint32())}
		for i := range want[:16] {
			want[i] = r.Uint64() >> r.Intn(64)
		}
		for i := range want[:16] {
			if typ := u.Slots.Info[i].Type; typ != ir.Void && typ != ir.V128 {
				want[i] &= typ.Mask()
			}
		}
		want[randFuel] = uint64(r.Intn(6))
		r.Read(plain.b[:])
		copy(got[:16], want[:16])
		p.flat = plain

		result := evaluate(&u, &want, &plain, randHelpers(&want))
		p.m = NewMachine(&got, u.Slots, p)
		code := NewLowerer(randHelpers(&got)).Lower(&u)
		var exit string
		switch p.m.Run(code) {
		case Linked:
			exit = "link"
		case Indirect:
			exit = "indirect"
		case Loop:
			exit = "exit"
		case Stopped:
			exit = "stop"
		case Faulted:
			exit = fmt.Sprintf("fault %x", p.m.Fault.Addr)
		case Guarded:
			exit = fmt.Sprintf("guard %d", p.m.Arg)
		}
		if exit != result {
			t.Fatalf("seed %d: left by %s, want %s\n%s", seed, exit, result, &u)
		}
		for i := range want[:16] {
			if got[i] != want[i] {
				t.Fatalf("seed %d: after %s, slot %s (word %d) is %#x, want %#x\n%s", seed, exit, u.Slots.Name(ir.Slot(i)), i, got[i], want[i], &u)
			}
		}
		if p.b != plain.b {
			t.Fatalf("seed %d: memory differs\n%s", seed, &u)
		}
	}
}

func TestRandomUnits(t *testing.T) {
	n := int64(3000)
	if testing.Short() {
		n = 1000
	}
	for seed := range n {
		compareUnit(t, seed)
	}
}

func FuzzUnits(f *testing.F) {
	f.Add(int64(1))
	f.Fuzz(func(t *testing.T, seed int64) { compareUnit(t, seed) })
}
