package ir

import (
	"fmt"
	"slices"
)

// Builder makes a Unit. It folds constants and remembers what each slot
// holds, so that front ends need not optimize.
type Builder struct {
	u     *Unit
	known [TempBase]Val // what a slot holds, 0 = not known here
	used  []Slot        // that have an entry in known
	open  bool          // a block is being built
}

// NewBuilder returns a Builder that builds into u, which it empties.
func NewBuilder(u *Unit) *Builder {
	b := &Builder{}
	b.Start(u)
	return b
}

// Start begins a new unit.
func (b *Builder) Start(u *Unit) {
	u.Reset()
	b.u = u
	b.ForgetAll()
	b.begin()
}

// Unit returns what is being built.
func (b *Builder) Unit() *Unit { return b.u }

func (b *Builder) begin() {
	b.u.Blocks = append(b.u.Blocks, Block{First: len(b.u.Insts), End: len(b.u.Insts)})
	b.open = true
}

// Open reports whether the current block still lacks its end.
func (b *Builder) Open() bool { return b.open }

// NewBlock begins another block; its number is returned. Slots are not known
// in it.
func (b *Builder) NewBlock() int {
	if b.open {
		panic("BUG: ir: block is not ended")
	}
	b.ForgetAll()
	b.begin()
	return len(b.u.Blocks) - 1
}

// ContinueBlock begins a block that only the last ended one leads to: what is
// known of the slots stays known.
func (b *Builder) ContinueBlock() int {
	if b.open {
		panic("BUG: ir: block is not ended")
	}
	b.begin()
	return len(b.u.Blocks) - 1
}

// Emit adds an instruction as it is.
func (b *Builder) Emit(in Inst) Val {
	v := b.emit(in.Op, in.Type, 0, 0, in.Imm)
	b.u.Inst(v).Args = in.Args
	b.u.count(&in)
	return v
}

// emit adds an instruction with up to two operands. It is written where it
// stays: a copy through the stack would be half of what building costs.
func (b *Builder) emit(op Op, t Type, x, y Val, imm uint64) Val {
	if !b.open {
		panic("BUG: ir: instruction after the block's end")
	}
	u := b.u
	n := len(u.Insts)
	if n == cap(u.Insts) {
		u.Insts = slices.Grow(u.Insts, 256)
	}
	u.Insts = u.Insts[:n+1]
	in := &u.Insts[n]
	in.Op, in.Type, in.Uses, in.Conds, in.Imm = op, t, 0, 0, imm
	in.Args = [4]Val{x, y}
	if x != 0 {
		u.Insts[x-1].Uses++
		if y != 0 {
			u.Insts[y-1].Uses++
		}
	}
	if op >= Jump {
		b.end()
	}
	if t == V128 {
		u.Vectors = true
	}
	return Val(n + 1)
}

// end ends the current block.
func (b *Builder) end() {
	b.u.Blocks[len(b.u.Blocks)-1].End = len(b.u.Insts)
	b.open = false
}

// TypeOf returns the type of v.
func (b *Builder) TypeOf(v Val) Type { return b.u.Inst(v).Type }

// IsConst returns the value of v if it is a constant.
func (b *Builder) IsConst(v Val) (uint64, bool) { return b.u.ConstOf(v) }

// Const makes a constant.
func (b *Builder) Const(t Type, v uint64) Val {
	return b.emit(Const, t, 0, 0, v&t.Mask())
}

// PC makes a program counter, of the type of Slots.PC.
func (b *Builder) PC(pc uint64) Val {
	s := b.u.Slots
	if t := s.Info[s.PC].Type; b.u.Moves {
		return b.BinImm(Add, b.Get(t, s.Page), (pc-b.u.Page)&t.Mask())
	} else {
		return b.Const(t, pc)
	}
}

// Get reads a slot.
func (b *Builder) Get(t Type, s Slot) Val {
	if v := b.known[s]; v != 0 && b.TypeOf(v) == t {
		return v
	}
	v := b.emit(Get, t, 0, 0, uint64(s))
	b.learn(s, v)
	return v
}

// Set writes a slot.
func (b *Builder) Set(s Slot, v Val) {
	if b.known[s] == v {
		return
	}
	b.emit(Set, Void, v, 0, uint64(s))
	b.learn(s, v)
}

func (b *Builder) learn(s Slot, v Val) {
	if b.known[s] == 0 {
		b.used = append(b.used, s)
	}
	b.known[s] = v
}

// Known returns what slot s is known to hold, 0 if that is not known.
func (b *Builder) Known(s Slot) Val { return b.known[s] }

// Forget says that s was changed behind the builder's back.
func (b *Builder) Forget(s Slot) { b.known[s] = 0 }

// ForgetAll says that any slot may have changed.
func (b *Builder) ForgetAll() {
	for _, s := range b.used {
		b.known[s] = 0
	}
	b.used = b.used[:0]
}

// Insn begins a guest instruction at pc.
func (b *Builder) Insn(pc uint64) {
	b.emit(Insn, Void, 0, 0, pc)
	b.u.Guest++
}

// zeroIsNeutral has the operations that a second operand of 0 makes nothing.
var zeroIsNeutral = [numOps]bool{
	Add: true, Sub: true, Or: true, Xor: true, Shl: true, Shr: true, Sar: true, Rotl: true, Rotr: true,
}

// Bin makes a two-operand operation.
func (b *Builder) Bin(op Op, x, y Val) Val {
	t := b.TypeOf(x)
	cx, okx := b.IsConst(x)
	cy, oky := b.IsConst(y)
	if okx && oky {
		return b.Const(t, Eval2(op, t, cx, cy))
	}
	if oky {
		switch {
		case cy == 0 && zeroIsNeutral[op]:
			return x
		case cy == 0 && (op == And || op == Mul):
			return b.Const(t, 0)
		case cy == t.Mask() && op == And:
			return x
		case cy == 1 && op == Mul:
			return x
		}
	}
	if okx && (op == Add || op == Mul || op == And || op == Or || op == Xor) {
		return b.Bin(op, y, x) // constants second
	}
	if oky && op == Add { // (a + c1) + c2
		if in := b.u.Inst(x); in.Op == Add {
			if c1, ok := b.IsConst(in.Args[1]); ok {
				return b.Bin(Add, in.Args[0], b.Const(t, c1+cy))
			}
		}
	}
	return b.emit(op, t, x, y, 0)
}

// BinImm is Bin with a constant.
func (b *Builder) BinImm(op Op, x Val, c uint64) Val {
	if c == 0 && zeroIsNeutral[op] {
		return x
	}
	return b.Bin(op, x, b.Const(b.TypeOf(x), c))
}

// Un makes a one-operand operation.
func (b *Builder) Un(op Op, x Val) Val {
	t := b.TypeOf(x)
	if c, ok := b.IsConst(x); ok {
		return b.Const(t, Eval1(op, t, c))
	}
	return b.emit(op, t, x, 0, 0)
}

// Cmp makes a comparison.
func (b *Builder) Cmp(op Op, x, y Val) Val {
	cx, okx := b.IsConst(x)
	cy, oky := b.IsConst(y)
	if okx && oky {
		return b.Const(I8, Eval2(op, b.TypeOf(x), cx, cy))
	}
	return b.emit(op, I8, x, y, 0)
}

// CmpImm is Cmp with a constant.
func (b *Builder) CmpImm(op Op, x Val, c uint64) Val {
	return b.Cmp(op, x, b.Const(b.TypeOf(x), c))
}

// Select is c ? x : y.
func (b *Builder) Select(c, x, y Val) Val {
	if v, ok := b.IsConst(c); ok {
		if v != 0 {
			return x
		}
		return y
	}
	if x == y {
		return x
	}
	return b.Emit(Inst{Op: Select, Type: b.TypeOf(x), Args: [4]Val{c, x, y}})
}

// Conv makes x an integer of type t, by Zext, Sext (if signed) or Trunc.
func (b *Builder) Conv(t Type, x Val, signed bool) Val {
	from := b.TypeOf(x)
	op := Zext
	switch {
	case from == t:
		return x
	case t < from:
		op = Trunc
	case signed:
		op = Sext
	}
	if c, ok := b.IsConst(x); ok {
		if op == Sext {
			return b.Const(t, SignExtend(c, from))
		}
		return b.Const(t, c)
	}
	if in := b.u.Inst(x); op == Trunc && (in.Op == Zext || in.Op == Sext) {
		if y := in.Args[0]; b.TypeOf(y) >= t { // what was widened
			return b.Conv(t, y, false)
		}
	}
	return b.emit(op, t, x, 0, 0)
}

// Extract takes the bits pos..pos+width-1 of x as a t.
func (b *Builder) Extract(t Type, x Val, pos, width int) Val {
	if pos == 0 && width == t.Bits() {
		return b.Conv(t, x, false)
	}
	if c, ok := b.IsConst(x); ok {
		return b.Const(t, c>>pos&(1<<width-1))
	}
	return b.emit(Extract, t, x, 0, Field(pos, width))
}

// Deposit puts the low width bits of y into x at pos.
func (b *Builder) Deposit(x, y Val, pos, width int) Val {
	return b.emit(Deposit, b.TypeOf(x), x, y, Field(pos, width))
}

// Load reads memory at addr.
func (b *Builder) Load(addr Val, m Mem) Val {
	return b.emit(Load, IntType(m.Size), addr, 0, m.Imm())
}

// Store writes the low m.Size bytes of v.
func (b *Builder) Store(addr, v Val, m Mem) {
	b.emit(Store, Void, addr, v, m.Imm())
}

// Guard leaves the unit with code if cond is true.
func (b *Builder) Guard(cond Val, code uint64) {
	if c, ok := b.IsConst(cond); ok && c == 0 {
		return
	}
	b.emit(Guard, Void, cond, 0, code)
	b.u.Inst(cond).Conds++
}

// Call calls a helper with up to three arguments. Unless it is Pure, the
// caller says what is no longer known of the slots: all is forgotten unless
// NoStop is given.
func (b *Builder) Call(t Type, helper int, f HelperFlags, args ...Val) Val {
	in := Inst{Op: Call, Type: t, Imm: CallImm(helper, f)}
	copy(in.Args[:], args)
	v := b.Emit(in)
	if f&(Pure|NoStop) == 0 {
		b.ForgetAll()
	}
	return v
}

// Jump ends the block with a jump to another.
func (b *Builder) Jump(block int, args ...Val) {
	in := Inst{Op: Jump, Imm: uint64(block)}
	copy(in.Args[:], args)
	b.Emit(in)
}

// Branch ends the block: to yes if c is true, else to no.
func (b *Builder) Branch(c Val, yes, no int) {
	b.emit(Branch, Void, c, 0, uint64(yes)|uint64(no)<<32)
	b.u.Inst(c).Conds++
}

// Link ends the unit: on to the code at pc, in the same mode.
func (b *Builder) Link(pc uint64) { b.emit(Link, Void, 0, 0, pc) }

// Indirect ends the unit: on to pc, in the same mode.
func (b *Builder) Indirect(pc Val) { b.emit(Indirect, Void, pc, 0, 0) }

// Exit ends the unit: back to the vCPU loop, with the program counter at pc.
func (b *Builder) Exit(pc Val) { b.emit(Exit, Void, pc, 0, 0) }

// SignExtend makes an integer of type t a 64-bit one.
func SignExtend(v uint64, t Type) uint64 {
	s := 64 - t.Bits()
	return uint64(int64(v<<s) >> s)
}

func (s shape) String() string { return fmt.Sprint(uint8(s)) }
