// Package ir is the language between guests and engines. Front ends build
// Units of it and nothing else; ir/interp executes them, a machine-code
// backend compiles them.
//
// A Unit is a list of blocks in SSA form with block parameters. Guest
// registers are slots of a Frame; Get and Set name them. An operation that
// may leave the unit (a load, store, guard or call) leaves the slots as the
// Sets before it say: engines write values back only where a unit is left.
//
// Integers are modulo 2^width. Shift counts are taken modulo the width.
// Comparisons give an I8 that is 0 or 1; conditions are true if not 0.
package ir

import "strconv"

// Type is the type of a value.
type Type uint8

// The types.
const (
	Void Type = iota
	I8
	I16
	I32
	I64
	V128
)

var typeNames = [...]string{"void", "i8", "i16", "i32", "i64", "v128"}

func (t Type) String() string { return typeNames[t] }

// typeBits are the widths of the types.
var typeBits = [...]uint8{Void: 0, I8: 8, I16: 16, I32: 32, I64: 64, V128: 128}

// Bits returns the width of t.
func (t Type) Bits() int { return int(typeBits[t]) }

// Mask returns the bits of an integer type.
func (t Type) Mask() uint64 { return ^uint64(0) >> (64 - t.Bits()) }

// IntType returns the integer type of n bytes.
func IntType(n int) Type {
	switch n {
	case 1:
		return I8
	case 2:
		return I16
	case 4:
		return I32
	case 8:
		return I64
	case 16:
		return V128
	}
	panic("BUG: ir: no type of " + itoa(n) + " bytes")
}

func itoa(n int) string { return strconv.Itoa(n) }

// Op is an operation.
type Op uint8

// The operations; ops describes them.
const (
	Nop Op = iota
	Param
	Const
	Get
	Set
	Insn

	Add
	Sub
	Mul
	And
	Or
	Xor
	Shl
	Shr
	Sar
	Rotl
	Rotr
	UDiv
	URem
	SDiv
	SRem
	MulHU
	MulHS
	Neg
	Not
	Bswap
	Clz
	Ctz
	Popcnt

	Zext
	Sext
	Trunc
	Extract
	Deposit

	Eq
	Ne
	Ltu
	Leu
	Lts
	Les
	Select

	Load
	Store
	Guard
	Call

	Vec
	FPU

	VConst
	VMake
	VLow
	VHigh

	Jump
	Branch
	Link
	Indirect
	Exit
	numOps
)

// shape says how an operation's types follow from each other.
type shape uint8

const (
	shNone    shape = iota // no result; operands of any type
	shConst                // result of any integer type
	shBin                  // t = op(t, t)
	shShift                // t = op(t, any int)
	shUn                   // t = op(t)
	shWiden                // t = op(narrower)
	shNarrow               // t = op(wider)
	shExtract              // t = op(any int)
	shDeposit              // t = op(t, any int)
	shCmp                  // i8 = op(t, t)
	shSelect               // t = op(any int, t, t)
	shLoad                 // t = op(address)
	shStore                // op(address, any)
	shGuard                // op(any int)
	shCall                 // t or none = op(any...)
	shVec2                 // v128 = op(i64, i64)
	shFromVec              // i64 = op(v128)
)

// effect says what an operation does besides giving a value.
type effect uint8

const (
	effNone effect = 0
	effExit effect = 1 << iota // may leave the unit
	effKeep                    // must not be removed though unused
	effEnd                     // ends a block
)

// Info describes an operation.
type Info struct {
	Name  string
	args  int // operands, -1 = up to 4
	shape shape
	eff   effect
	imm   string // what Imm is, "" = unused
}

var ops = [numOps]Info{
	Nop:   {"nop", 0, shNone, effNone, ""},
	Param: {"param", 0, shConst, effKeep, ""},
	Const: {"const", 0, shConst, effNone, "value"},
	Get:   {"get", 0, shConst, effNone, "slot"},
	Set:   {"set", 1, shNone, effKeep, "slot"},
	Insn:  {"insn", 0, shNone, effKeep, "pc"},

	Add:    {"add", 2, shBin, effNone, ""},
	Sub:    {"sub", 2, shBin, effNone, ""},
	Mul:    {"mul", 2, shBin, effNone, ""},
	And:    {"and", 2, shBin, effNone, ""},
	Or:     {"or", 2, shBin, effNone, ""},
	Xor:    {"xor", 2, shBin, effNone, ""},
	Shl:    {"shl", 2, shShift, effNone, ""},
	Shr:    {"shr", 2, shShift, effNone, ""},
	Sar:    {"sar", 2, shShift, effNone, ""},
	Rotl:   {"rotl", 2, shShift, effNone, ""},
	Rotr:   {"rotr", 2, shShift, effNone, ""},
	UDiv:   {"udiv", 2, shBin, effNone, ""}, // x/0 = 0
	URem:   {"urem", 2, shBin, effNone, ""}, // x%0 = x
	SDiv:   {"sdiv", 2, shBin, effNone, ""}, // x/0 = 0; min/-1 = min
	SRem:   {"srem", 2, shBin, effNone, ""}, // x%0 = x; min%-1 = 0
	MulHU:  {"mulhu", 2, shBin, effNone, ""},
	MulHS:  {"mulhs", 2, shBin, effNone, ""},
	Neg:    {"neg", 1, shUn, effNone, ""},
	Not:    {"not", 1, shUn, effNone, ""},
	Bswap:  {"bswap", 1, shUn, effNone, ""},
	Clz:    {"clz", 1, shUn, effNone, ""}, // of 0: the width
	Ctz:    {"ctz", 1, shUn, effNone, ""}, // of 0: the width
	Popcnt: {"popcnt", 1, shUn, effNone, ""},

	Zext:    {"zext", 1, shWiden, effNone, ""},
	Sext:    {"sext", 1, shWiden, effNone, ""},
	Trunc:   {"trunc", 1, shNarrow, effNone, ""},
	Extract: {"extract", 1, shExtract, effNone, "field"}, // see Field
	Deposit: {"deposit", 2, shDeposit, effNone, "field"}, // B's low bits into A

	Eq:     {"eq", 2, shCmp, effNone, ""},
	Ne:     {"ne", 2, shCmp, effNone, ""},
	Ltu:    {"ltu", 2, shCmp, effNone, ""},
	Leu:    {"leu", 2, shCmp, effNone, ""},
	Lts:    {"lts", 2, shCmp, effNone, ""},
	Les:    {"les", 2, shCmp, effNone, ""},
	Select: {"select", 3, shSelect, effNone, ""}, // A ? B : C

	Load:  {"load", 1, shLoad, effExit | effKeep, "mem"},
	Store: {"store", 2, shStore, effExit | effKeep, "mem"},
	Guard: {"guard", 1, shGuard, effExit | effKeep, "code"}, // leaves if A is true
	Call:  {"call", -1, shCall, effExit | effKeep, "helper"},

	Vec: {"vec", -1, shCall, effKeep, "vec"}, // see Vector
	FPU: {"fpu", -1, shCall, effKeep, "fpu"}, // see StackOp

	VConst: {"vconst", 0, shConst, effNone, "value"}, // both halves alike
	VMake:  {"vmake", 2, shVec2, effNone, ""},        // A low, B high
	VLow:   {"vlow", 1, shFromVec, effNone, ""},
	VHigh:  {"vhigh", 1, shFromVec, effNone, ""},

	Jump:     {"jump", -1, shNone, effKeep | effEnd, "block"},
	Branch:   {"branch", 1, shNone, effKeep | effEnd, "blocks"}, // A ? first : second
	Link:     {"link", 0, shNone, effKeep | effEnd, "pc"},
	Indirect: {"indirect", 1, shNone, effKeep | effEnd, ""}, // to PC A
	Exit:     {"exit", 1, shNone, effKeep | effEnd, ""},     // to PC A; the mode may differ
}

// opTrait is what every pass asks of every instruction, apart from the rest of
// ops and with an entry for each byte, so that asking is one load.
type opTrait struct {
	eff  effect
	args int8
}

var opTraits = func() (t [256]opTrait) {
	for i := range ops {
		t[i] = opTrait{ops[i].eff, int8(ops[i].args)}
	}
	return t
}()

func (o Op) String() string { return ops[o].Name }

// MayExit reports whether o can leave the unit before its end.
func (o Op) MayExit() bool { return opTraits[o].eff&effExit != 0 }

// Ends reports whether o ends a block.
func (o Op) Ends() bool { return opTraits[o].eff&effEnd != 0 }

// Keep reports whether o has an effect besides its value.
func (o Op) Keep() bool { return opTraits[o].eff&effKeep != 0 }

// Val is a value: 1 + the index of the instruction that makes it. 0 is none.
type Val uint32

// Inst is one instruction.
type Inst struct {
	Op   Op
	Type Type
	// Uses is how many operands of others its value is, and Conds how many of
	// these are the condition of a Branch, Guard or Select.
	Uses  uint16
	Args  [4]Val
	Conds uint16
	Imm   uint64
}

// NArgs returns the number of operands.
func (in *Inst) NArgs() int {
	if n := opTraits[in.Op].args; n >= 0 {
		return int(n)
	}
	n := 0
	for n < 4 && in.Args[n] != 0 {
		n++
	}
	return n
}

// Mem is what a Load or Store does. Values are little-endian.
type Mem struct {
	Size  int // bytes: 1, 2, 4, 8, 16
	Index int // MMU index
	// RMW says that a Load will be followed by a Store to the same place:
	// faults are those of a write.
	RMW bool
	// Probe, with RMW, says that nothing is to be loaded: a Store to the same
	// place, which follows, must not fault, nor change the code of the unit.
	Probe bool
}

// Imm packs m.
func (m Mem) Imm() uint64 {
	v := uint64(m.Size) | uint64(m.Index)<<8
	if m.RMW {
		v |= 1 << 16
	}
	if m.Probe {
		v |= 1 << 17
	}
	return v
}

// MemOf unpacks a Load's or Store's Imm.
func MemOf(imm uint64) Mem {
	return Mem{int(imm & 0xff), int(imm >> 8 & 0xff), imm>>16&1 != 0, imm>>17&1 != 0}
}

// Field packs a bit position and a width for Extract and Deposit.
func Field(pos, width int) uint64 { return uint64(pos) | uint64(width)<<8 }

// FieldOf unpacks a Field.
func FieldOf(imm uint64) (pos, width uint) { return uint(imm & 0xff), uint(imm >> 8 & 0xff) }

// HelperFlags say what a Call may do; engines keep less around one that does less.
type HelperFlags uint8

// The flags. A call without any may read and change all of the state and stop.
const (
	// Pure: the result follows from the arguments; nothing is read or changed.
	Pure HelperFlags = 1 << iota
	// NoStop: the call never leaves the unit, and changes no slot that the
	// front end has not itself forgotten (Builder.Forget).
	NoStop
	// KeepsStack: the call neither reads nor changes the words of Slots.Stack.
	KeepsStack
)

// CallImm packs a helper's number and flags.
func CallImm(helper int, f HelperFlags) uint64 { return uint64(helper) | uint64(f)<<32 }

// CallOf unpacks a Call's Imm.
func CallOf(imm uint64) (helper int, f HelperFlags) {
	return int(imm & 0xffffffff), HelperFlags(imm >> 32)
}

// Block is a run of instructions that ends with one that Ends.
type Block struct {
	First, End int // instructions First..End-1; parameters first
}

// Unit is a piece of guest code as IR.
type Unit struct {
	Insts  []Inst
	Blocks []Block
	Slots  *Slots
	Guest  int // guest instructions
	Bytes  int // guest code bytes
	// Moves says that the unit is for any page that has its code: the program
	// counters in it, which are those of the page at Page, stand for the ones
	// in the page at the address in Slots.Page.
	Moves bool
	Page  uint64
	// Vectors says that there are values of 128 bits.
	Vectors bool
	// Unroll asks the front end to have a loop that leads to the unit's beginning
	// in it several times: what is the same each time around is then done once, and
	// what the next time overwrites not at all. Loops says that it would have.
	Unroll, Loops bool
}

// Inst returns the instruction that makes v.
func (u *Unit) Inst(v Val) *Inst { return &u.Insts[v-1] }

// Reset empties u, keeping its memory.
func (u *Unit) Reset() { *u = Unit{Insts: u.Insts[:0], Blocks: u.Blocks[:0], Slots: u.Slots} }

// ConstOf returns the value of v if it is a constant.
func (u *Unit) ConstOf(v Val) (uint64, bool) {
	if in := u.Inst(v); in.Op == Const {
		return in.Imm, true
	}
	return 0, false
}

// count notes the uses that the instruction in makes of values.
func (u *Unit) count(in *Inst) {
	for _, v := range in.Args {
		if v != 0 {
			u.Insts[v-1].Uses++
		}
	}
	switch in.Op {
	case Branch, Guard, Select:
		if c := in.Args[0]; c != 0 {
			u.Insts[c-1].Conds++
		}
	}
}

// Targets returns the blocks a Jump or Branch goes to.
func (in *Inst) Targets() (a, b int) { return int(uint32(in.Imm)), int(in.Imm >> 32) }
