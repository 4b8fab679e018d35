package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// An FPU is an instruction of an x87: it works on the register stack and the
// words of Slots.Stack. It is what the helper it names does when that gets the
// operands: an engine that has no such instruction calls the helper. The front
// end emits it only while no exception of the x87 is unmasked, so it never
// stops; it may change any of the stack's words.
type StackOp struct {
	Code uint16 // as encoded, without a memory operand's mode: bits 8-10 are those of the opcode, 0-7 the ModRM byte
	// Mem is the size of the memory operand, 0 = none. It lies in the word
	// Slot, and beyond 64 bits in the next.
	Mem   uint8
	Store bool // the operand is written
	Slot  Slot
	// Cond: it is done if the second operand is not 0 (FCMOV; Code is FCMOVNE).
	Cond   bool
	Helper int
}

// Stack says where the guest's x87 is, if it has one. Regs are eight slots of
// two words, significand and exponent; the others follow it in this order, one
// word each. Control, the control word, is an ordinary slot, which no FPU
// changes.
type Stack struct{ Regs, Top, Control, Status, Tags Slot }

// Has reports whether s is one of the words that an FPU may change.
func (k *Stack) Has(s Slot) bool {
	return k.Regs != 0 && s >= k.Regs && s <= k.Tags && s != k.Control
}

// Packed packs o into an Inst's Imm.
func (o StackOp) Packed() uint64 {
	r := uint64(o.Code) | uint64(o.Mem)<<11 | uint64(o.Slot)<<16 | uint64(o.Helper)<<40
	if o.Store {
		r |= 1 << 15
	}
	if o.Cond {
		r |= 1 << 26
	}
	return r
}

// StackOpOf unpacks it.
func StackOpOf(imm uint64) StackOp {
	return StackOp{
		Code: uint16(imm & 0x7ff), Mem: uint8(imm >> 11 & 15), Store: imm>>15&1 != 0, Slot: Slot(imm >> 16 & 0x3ff),
		Cond: imm>>26&1 != 0, Helper: int(imm >> 40),
	}
}

// FPU emits an instruction of the x87; args are what the helper gets. The
// caller forgets what changes.
func (b *Builder) FPU(t Type, o StackOp, args ...Val) Val {
	in := Inst{Op: FPU, Type: t, Imm: o.Packed()}
	copy(in.Args[:], args)
	return b.Emit(in)
}

// CallStackOps makes calls of those FPUs that an engine does not do itself.
func (u *Unit) CallStackOps(does func(o StackOp) bool) {
	for i := range u.Insts {
		if in := &u.Insts[i]; in.Op == FPU {
			if does == nil || !does(StackOpOf(in.Imm)) {
				in.CallHelper()
			}
		}
	}
}

// text is the printed form: CODE:helper[:load|store|cond[:size:slot]].
func (o StackOp) text(s *Slots) string {
	t := fmt.Sprintf("%#x:h%d", o.Code, o.Helper)
	switch {
	case o.Cond:
		t += ":cond"
	case o.Mem != 0 && o.Store:
		t += fmt.Sprintf(":store:%d:%s", o.Mem, s.Name(o.Slot))
	case o.Mem != 0:
		t += fmt.Sprintf(":load:%d:%s", o.Mem, s.Name(o.Slot))
	}
	return t
}

func parseStackOp(text string, s *Slots) (o StackOp, ok bool) {
	f := strings.Split(text, ":")
	if len(f) < 2 {
		return o, false
	}
	code, err1 := strconv.ParseUint(f[0], 0, 11)
	helper, err2 := strconv.Atoi(strings.TrimPrefix(f[1], "h"))
	o.Code, o.Helper = uint16(code), helper
	ok = err1 == nil && err2 == nil
	switch {
	case len(f) == 3 && f[2] == "cond":
		o.Cond = true
	case len(f) == 5 && (f[2] == "store" || f[2] == "load"):
		size, err := strconv.ParseUint(f[3], 10, 4)
		slot, found := s.Find(f[4])
		o.Mem, o.Slot, o.Store = uint8(size), slot, f[2] == "store"
		ok = ok && err == nil && found
	case len(f) != 2:
		ok = false
	}
	return o, ok
}
