package ir

import "fmt"

// Verify checks that u is well-formed: types fit, values are made before they
// are used, blocks end once, targets exist.
func (u *Unit) Verify() error {
	if len(u.Blocks) == 0 {
		return fmt.Errorf("no blocks")
	}
	at := 0
	for n, b := range u.Blocks {
		if b.First != at || b.End <= b.First {
			return fmt.Errorf("block%d spans %d..%d, want it to begin at %d", n, b.First, b.End, at)
		}
		at = b.End
		for i := b.First; i < b.End; i++ {
			in := &u.Insts[i]
			if err := u.check(in, i); err != nil {
				return fmt.Errorf("v%d = %s: %w", i+1, in.Op, err)
			}
			if last := i == b.End-1; in.Op.Ends() != last {
				return fmt.Errorf("v%d = %s: must be at the end of block%d, and only there", i+1, in.Op, n)
			}
			if in.Op == Param && i > b.First && u.Insts[i-1].Op != Param {
				return fmt.Errorf("v%d: a parameter after the start of block%d", i+1, n)
			}
		}
	}
	if at != len(u.Insts) {
		return fmt.Errorf("%d instructions belong to no block", len(u.Insts)-at)
	}
	return nil
}

// want is an error about a type.
func want(what string, t Type) error { return fmt.Errorf("%s is %s", what, t) }

func (u *Unit) check(in *Inst, i int) error {
	if in.Op >= numOps {
		return fmt.Errorf("no such operation")
	}
	for j := range in.NArgs() {
		if in.Args[j] == 0 || int(in.Args[j]) > i {
			return fmt.Errorf("operand v%d is not made before", in.Args[j])
		}
		if u.Inst(in.Args[j]).Type == Void {
			return fmt.Errorf("operand v%d has no value", in.Args[j])
		}
	}
	typ := func(j int) Type { return u.Inst(in.Args[j]).Type }
	isInt := func(t Type) bool { return t >= I8 && t <= I64 }
	switch ops[in.Op].shape {
	case shBin:
		if typ(0) != in.Type || typ(1) != in.Type || !isInt(in.Type) {
			return want("operand or result", in.Type)
		}
	case shShift:
		if typ(0) != in.Type || !isInt(typ(1)) {
			return want("operand", typ(0))
		}
	case shUn:
		if typ(0) != in.Type || !isInt(in.Type) {
			return want("operand", typ(0))
		}
	case shWiden:
		if typ(0) >= in.Type || !isInt(in.Type) {
			return want("operand", typ(0))
		}
	case shNarrow:
		if typ(0) <= in.Type || !isInt(typ(0)) {
			return want("operand", typ(0))
		}
	case shDeposit:
		if typ(0) != in.Type || !isInt(typ(1)) {
			return want("operand", typ(0))
		}
	case shCmp:
		if typ(0) != typ(1) || in.Type != I8 || !isInt(typ(0)) {
			return want("operand", typ(1))
		}
	case shSelect:
		if !isInt(typ(0)) || !isInt(in.Type) || typ(1) != in.Type || typ(2) != in.Type {
			return want("operand", typ(1))
		}
	case shLoad:
		if t := typ(0); t != I32 && t != I64 {
			return want("address", t)
		}
		if m := MemOf(in.Imm); IntType(m.Size) != in.Type {
			return want("result", in.Type)
		}
	case shStore:
		if t := typ(0); t != I32 && t != I64 {
			return want("address", t)
		}
		if m := MemOf(in.Imm); typ(1).Bits() < m.Size*8 {
			return want("stored value", typ(1))
		}
	case shCall:
		if in.Op == Vec {
			return checkVector(in)
		}
	case shVec2:
		if typ(0) != I64 || typ(1) != I64 || in.Type != V128 {
			return want("operand", typ(0))
		}
	case shFromVec:
		if typ(0) != V128 || in.Type != I64 {
			return want("operand", typ(0))
		}
	}
	return u.checkTargets(in)
}

func (u *Unit) checkTargets(in *Inst) error {
	a, b := in.Targets()
	switch in.Op {
	case Jump:
		if a >= len(u.Blocks) {
			return fmt.Errorf("no block%d", a)
		}
		to := u.Blocks[a]
		for j := range 4 {
			isParam := to.First+j < to.End && u.Insts[to.First+j].Op == Param
			if isParam != (in.Args[j] != 0) {
				return fmt.Errorf("arguments do not fit the parameters of block%d", a)
			}
		}
	case Branch:
		if a >= len(u.Blocks) || b >= len(u.Blocks) {
			return fmt.Errorf("no block%d", max(a, b))
		}
	case Get, Set:
		if in.Imm >= TempBase {
			return fmt.Errorf("no slot %d", in.Imm)
		}
	}
	return nil
}
