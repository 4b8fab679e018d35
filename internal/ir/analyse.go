package ir

// This file has what engines ask of units.

// Leaves reports whether the Sets before in matter at it: it may leave the
// unit, or have a helper look at the state.
func (in *Inst) Leaves() bool {
	if in.Op == Call {
		return in.Imm>>32&uint64(Pure) == 0
	}
	return in.Op.MayExit()
}

// Sum splits an addition of 32 or 64 bits into base + index<<scale + disp; index
// is 0 if there is none.
func (u *Unit) Sum(in *Inst) (base, index Val, scale uint, disp uint64) {
	x, y := in.Args[0], in.Args[1]
	if k, ok := u.ConstOf(y); ok {
		in2 := u.Inst(x)
		if in2.Op != Add || in2.Type != in.Type {
			return x, 0, 0, k
		}
		if _, ok := u.ConstOf(in2.Args[1]); ok {
			return x, 0, 0, k
		}
		x, y, disp = in2.Args[0], in2.Args[1], k
	}
	for range 2 {
		if in := u.Inst(y); in.Op == Shl {
			if k, ok := u.ConstOf(in.Args[1]); ok && k <= 3 {
				return x, in.Args[0], uint(k), disp
			}
		}
		x, y = y, x
	}
	return x, y, 0, disp
}
