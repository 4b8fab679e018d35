package x86

import "math/bits"

// CCOp says what the lazy arithmetic flags follow from. Each kind but
// ccFlags comes in the sizes 8, 16, 32 (and 64): kind + size index.
//
//	ccFlags  CCSrc holds the flags themselves
//	ccAdd    dst = a + b; CCSrc = b
//	ccSub    dst = a - b; CCSrc = b
//	ccAdc    dst = a + b + carry; CCSrc = b, CCAux = a
//	ccSbb    dst = a - b - borrow; CCSrc = b, CCAux = a
//	ccLogic  dst; CF = OF = AF = 0
//	ccInc    dst = a + 1; CCSrc = the old CF
//	ccDec    dst = a - 1; CCSrc = the old CF
//	ccShl    dst; CCSrc = a shifted by count-1
//	ccShr    dst; CCSrc = a shifted (logically or not) by count-1; OF for
//	         SHR by 1 is the sign of a: CCSrc's sign xor dst's sign
//	ccMul    dst = low half; CCSrc != 0: CF = OF = 1
const (
	ccFlags uint64 = 0
	ccAdd   uint64 = 4
	ccSub   uint64 = 8
	ccLogic uint64 = 12
	ccInc   uint64 = 16
	ccDec   uint64 = 20
	ccShl   uint64 = 24
	ccShr   uint64 = 28
	ccMul   uint64 = 32
	ccAdc   uint64 = 36
	ccSbb   uint64 = 40
)

// arith computes the arithmetic flags from their lazy form.
func arith(op, dst, src, aux uint64) uint64 {
	if op == ccFlags {
		return src & flagsArith
	}
	size := uint(8) << (op & 3)
	sign := uint64(1) << (size - 1)
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
	switch op &^ 3 {
	case ccAdd, ccAdc:
		a, b := dst-src, src
		if op&^3 == ccAdc {
			a = aux
		}
		f |= (a ^ b ^ dst) & flagAF
		f |= carry((a&b|(a|b)&^dst)&sign, flagCF)
		f |= carry((a^dst)&(b^dst)&sign, flagOF)
	case ccSub, ccSbb:
		a, b := dst+src, src
		if op&^3 == ccSbb {
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
	return arith(c.s.CCOp, c.s.CCDst, c.s.CCSrc, c.s.CCAux)
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
