package x86

import (
	"math/bits"

	"rhea/internal/ir"
)

// CCOp says what the lazy arithmetic flags follow from. Its lowest byte is
// the kind of the last operation that set all of them, plus the size: 0, 1, 2
// (and 3) for 8, 16, 32 (and 64) bits.
//
//	ccFlags  CCSrc holds the flags themselves
//	ccAdd    dst = a + b; CCSrc = b
//	ccSub    dst = a - b; CCSrc = b
//	ccCmp    a - b; CCDst = a, CCSrc = b
//	ccAdc    dst = a + b + carry; CCSrc = b, CCAux = a
//	ccSbb    dst = a - b - borrow; CCSrc = b, CCAux = a
//	ccLogic  dst; CF = OF = AF = 0
//	ccShl    dst; CCSrc = a shifted by count-1
//	ccShr    dst; CCSrc = a shifted (logically or not) by count-1; OF for
//	         SHR by 1 is the sign of a: CCSrc's sign xor dst's sign
//	ccShlN, ccShrN, ccSarN  the same; CCSrc = a, and the count is in CCOp
//	ccMul    dst = low half; CCSrc != 0: CF = OF = 1
//
// Operations that set some of the flags lie over that, so that nobody has to
// compute the others meanwhile. The second byte is ccInc or ccDec (and the
// size) of a later INC or DEC with the result CCInc: all but CF are its. The
// third is ccRol or ccRor of a later rotation with the result CCRot: CF is
// its, and OF unless the second byte has ccNewer. If ccCarry is set CF is
// bit 0 of CCCarry instead. The top byte is a count.
const (
	ccFlags uint64 = ir.LazyFlags
	ccAdd   uint64 = ir.LazyAdd
	ccSub   uint64 = ir.LazySub
	ccLogic uint64 = ir.LazyLogic
	ccInc   uint64 = 16 // as a kind: CCDst is the result, CCSrc the old CF
	ccDec   uint64 = 20
	ccShl   uint64 = 24
	ccShr   uint64 = 28
	ccMul   uint64 = 32
	ccAdc   uint64 = ir.LazyAdc
	ccSbb   uint64 = ir.LazySbb
	ccCmp   uint64 = ir.LazyCmp
	ccShlN  uint64 = 48
	ccShrN  uint64 = 52
	ccSarN  uint64 = 56

	ccRol   uint64 = 60 // CCRot is the result of ROL
	ccRor   uint64 = 64 // CCRot is the result of ROR
	ccCarry uint64 = 1 << 31

	ccIncPos   = 8
	ccRotPos   = 16
	ccCountPos = 24
	ccByte     = 0xff
	ccCount    = 0x3f
	ccNewer    = 0x80
)

// arith computes the arithmetic flags from their lazy form.
func (s *State) arith() uint64 {
	op := s.CCOp
	f := arithBase(op, s.CCDst, s.CCSrc, s.CCAux)
	if r := op >> ccRotPos & ccByte; r != 0 {
		f = f&^(flagCF|flagOF) | rotated(r, s.CCRot)
	}
	if i := op >> ccIncPos & ccByte; i&^ccNewer != 0 {
		of := f & flagOF
		f = arithBase(i&^ccNewer, s.CCInc, f, 0)
		if i&ccNewer == 0 { // OF is of the later rotation
			f = f&^flagOF | of
		}
	}
	if op&ccCarry != 0 {
		f = f&^flagCF | s.CCCarry&1
	}
	return f
}

// rotated returns CF and OF after a rotation with result v. OF, defined for a
// count of 1, is CF xor the sign (ROL), or the two top bits' xor (ROR).
func rotated(op, v uint64) uint64 {
	top := uint(8)<<(op&3) - 1
	if op&^3 == ccRol {
		return v&1 | (v^v>>top)&1<<11
	}
	return v>>top&1 | (v>>top^v>>(top-1))&1<<11
}

// shiftedOut returns a shifted by count-1.
func shiftedOut(op, a uint64) uint64 {
	n := op>>ccCountPos&ccCount - 1
	size := uint(8) << (op & 3)
	switch op & ccByte &^ 3 {
	case ccShlN:
		return a << n & (1<<size - 1)
	case ccSarN:
		return uint64(int64(a<<(64-size))>>(64-size)>>n) & (1<<size - 1)
	}
	return a >> n
}

// arithBase is arith without what lies over it.
func arithBase(op, dst, src, aux uint64) uint64 {
	kind := op & ccByte &^ 3
	size := uint(8) << (op & 3)
	sign := uint64(1) << (size - 1)
	switch kind {
	case ccFlags:
		return src & flagsArith
	case ccCmp:
		dst, kind = dst-src, ccSub
	case ccShlN:
		src, kind = shiftedOut(op, src), ccShl
	case ccShrN, ccSarN:
		src, kind = shiftedOut(op, src), ccShr
	}
	var f uint64
	if dst&(sign<<1-1) == 0 {
		f |= flagZF
	}
	if dst&sign != 0 {
		f |= flagSF
	}
	if bits.OnesCount8(uint8(dst))&1 == 0 {
		f |= flagPF
	}
	switch kind {
	case ccAdd, ccAdc:
		a, b := dst-src, src
		if kind == ccAdc {
			a = aux
		}
		f |= (a ^ b ^ dst) & flagAF
		f |= carry((a&b|(a|b)&^dst)&sign, flagCF)
		f |= carry((a^dst)&(b^dst)&sign, flagOF)
	case ccSub, ccSbb:
		a, b := dst+src, src
		if kind == ccSbb {
			a = aux
		}
		f |= (a ^ b ^ dst) & flagAF
		f |= carry((^a&b|(^a|b)&dst)&sign, flagCF)
		f |= carry((a^b)&(a^dst)&sign, flagOF)
	case ccInc:
		f |= src & flagCF
		f |= carry(b2u(dst&15 == 0), flagAF)
		f |= carry(b2u(dst&(sign<<1-1) == sign), flagOF)
	case ccDec:
		f |= src & flagCF
		f |= carry(b2u(dst&15 == 15), flagAF)
		f |= carry(b2u(dst&(sign<<1-1) == sign-1), flagOF)
	case ccShl:
		f |= carry(src&sign, flagCF)
		f |= carry((src^dst)&sign, flagOF)
	case ccShr:
		f |= src & flagCF
		f |= carry((src^dst)&sign, flagOF)
	case ccMul:
		f |= carry(src, flagCF|flagOF)
	}
	return f
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func carry(v, flag uint64) uint64 {
	if v != 0 {
		return flag
	}
	return 0
}

// arithFlags returns the arithmetic flags.
func (c *CPU) arithFlags() uint64 {
	return c.s.arith()
}

// setArith sets the arithmetic flags to those in f.
func (c *CPU) setArith(f uint64) {
	c.s.CCOp, c.s.CCSrc = ccFlags, f&flagsArith
}

// EFLAGS returns the whole register.
func (c *CPU) EFLAGS() uint64 {
	f := c.s.Flags | flag1 | c.arithFlags()
	if c.s.DF != 1 {
		f |= flagDF
	}
	return f
}

// setEFLAGS changes the bits of mask to those of f. The caller has applied the
// rules of privilege, and calls refreshMode.
func (c *CPU) setEFLAGS(f, mask uint64) {
	f = c.EFLAGS()&^mask | f&mask
	c.setArith(f)
	c.s.DF = 1
	if f&flagDF != 0 {
		c.s.DF = 0xffffffff
	}
	c.s.Flags = f&^(flagsArith|flagDF) | flag1
}
