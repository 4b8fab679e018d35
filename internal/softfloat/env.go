package softfloat

// Flags are IEEE exception flags in the bit positions of the x87 status word
// and of MXCSR (Intel SDM vol. 1, 8.1.3 and 10.2.3), so that an x86 guest can
// OR them in as they are. Other guests map them.
type Flags uint16

const (
	Invalid   Flags = 1 << 0 // invalid operation (IE)
	Denormal  Flags = 1 << 1 // an operand was denormal (DE; ARM: IDC)
	DivByZero Flags = 1 << 2 // exact infinity from finite operands (ZE)
	Overflow  Flags = 1 << 3 // (OE)
	Underflow Flags = 1 << 4 // (UE)
	Inexact   Flags = 1 << 5 // (PE)

	// RoundedUp says that the last inexact rounding increased the magnitude.
	// It sits where x87 keeps C1. Like the others it is only ever set here;
	// who wants C1 clears it before the operation.
	RoundedUp Flags = 1 << 9

	// Exceptions is the set of the six real exception flags.
	Exceptions = Invalid | Denormal | DivByZero | Overflow | Underflow | Inexact
)

// Rounding is a rounding direction. The first four values are the encoding of
// RC in the x87 control word and MXCSR.
type Rounding uint8

const (
	NearestEven Rounding = iota // to nearest, ties to even
	Down                        // toward minus infinity
	Up                          // toward plus infinity
	ToZero                      // truncate
	NearestAway                 // to nearest, ties away from zero
)

// Precision is the x87 precision control: how many significand bits add, sub,
// mul, div and sqrt of F80 deliver. The exponent range stays that of F80.
type Precision uint8

const (
	Prec64 Precision = iota // double extended, PC = 11
	Prec53                  // double, PC = 10
	Prec24                  // single, PC = 00
)

// bits gives the significand width, integer bit included.
func (p Precision) bits() uint {
	switch p {
	case Prec24:
		return 24
	case Prec53:
		return 53
	}
	return 64
}

// PrecisionFromPC decodes the two-bit PC field of the x87 control word. The
// reserved encoding 01 acts as 64 bits.
func PrecisionFromPC(pc uint8) Precision {
	switch pc & 3 {
	case 0:
		return Prec24
	case 2:
		return Prec53
	}
	return Prec64
}

// NaNRule says which NaN an operation with NaN operands delivers, and what
// the default NaN looks like. In each case the delivered NaN is quiet.
type NaNRule uint8

const (
	// NaNSSE: the first operand that is a NaN (Intel SDM vol. 1, table 4-7,
	// SSE column). Default NaN: sign 1, quiet bit only.
	NaNSSE NaNRule = iota
	// NaNX87: a quiet one before a signaling one, then the larger
	// significand, then the positive one (SDM table 4-7, x87 column).
	// Default NaN: sign 1, quiet bit only ("real indefinite").
	NaNX87
	// NaNARM: the first signaling one, else the first quiet one; in a fused
	// multiply-add the addend counts as first (ARM ARM, FPProcessNaNs and
	// FPProcessNaNs3). Default NaN: sign 0, quiet bit only.
	NaNARM
	// NaNPPC: the first operand that is a NaN; in a fused multiply-add
	// multiplicand, addend, multiplier (Power ISA book I, 4.3.2, FRA FRB
	// FRC). Default NaN: sign 0, quiet bit only.
	NaNPPC
	// NaNSPARC: the last signaling one, else the last quiet one (SPARC V8
	// manual, appendix N.3: rs2 before rs1). Default NaN: sign 0, all
	// fraction bits ones.
	NaNSPARC
)

// InfZeroRule says what infinity * 0 + NaN does in a fused multiply-add.
type InfZeroRule uint8

const (
	// InfZeroDefault: invalid, the default NaN (ARM; Berkeley's 8086-SSE).
	InfZeroDefault InfZeroRule = iota
	// InfZeroInvalid: invalid, the addend's NaN (PowerPC VXIMZ).
	InfZeroInvalid
	// InfZeroQuiet: the addend's NaN, invalid only if it signals (x86 FMA3,
	// SDM vol. 1, 14.5.3).
	InfZeroQuiet
)

// IntRule says what a conversion to integer delivers when the value does not
// fit; Invalid is raised under each.
type IntRule uint8

const (
	// IntX86: the integer indefinite: signed 100...0, unsigned 111...1.
	IntX86 IntRule = iota
	// IntARM: saturates; NaN gives 0.
	IntARM
	// IntPPC: saturates; NaN gives the least value (signed: minimum,
	// unsigned: 0).
	IntPPC
	// IntSPARC: saturates; NaN counts as infinity of its own sign.
	IntSPARC
)

// FTZRule says what becomes of results that are too small to be normal (F32
// and F64 results only).
type FTZRule uint8

const (
	// FTZOff: gradual underflow, as IEEE 754 has it.
	FTZOff FTZRule = iota
	// FTZSSE: a tiny result becomes zero of the same sign with Underflow and
	// Inexact (MXCSR.FZ), unless Underflow is unmasked.
	FTZSSE
	// FTZARM: a result tiny before rounding becomes zero of the same sign
	// with Underflow alone (FPSCR.FZ).
	FTZARM
	// FTZVFP11: as FTZARM, but a flushed result is always +0, and so is an
	// operand flushed by DAZ. That is what ../vectors/armvfp shows, believed
	// captured on an ARM11 (VFP11); the ARMv7 manual keeps the sign.
	FTZVFP11
)

// Env is the floating-point environment of one guest register file: control
// fields and the accumulated Flags. The zero value is IEEE 754 default with
// tininess detected after rounding and SSE's NaNs. An Env is not safe for
// concurrent use.
type Env struct {
	// Flags accumulates; operations only ever set bits.
	Flags Flags
	// Unmasked may hold Overflow and Underflow: then the result has its
	// exponent wrapped by 3*2^(w-2) (f80, f128: 24576, f64: 1536, f32: 192)
	// instead of becoming infinite, huge, denormal or zero, and Underflow is
	// raised for a tiny result even if it is exact (IEEE 754-1985, 7.3, 7.4;
	// SDM vol. 1, 8.5.4, 8.5.5). Other bits have no influence.
	Unmasked Flags
	// Round is the rounding direction.
	Round Rounding
	// Prec is the x87 precision control; only F80 heeds it.
	Prec Precision
	// NaN selects the NaN propagation.
	NaN NaNRule
	// InfZero refines it for infinity * 0 + NaN.
	InfZero InfZeroRule
	// Int selects the result of impossible conversions to integer.
	Int IntRule
	// FTZ selects flushing of tiny results.
	FTZ FTZRule
	// TinyBefore: tininess is detected before rounding (ARM, PowerPC, SPARC),
	// not after (x86).
	TinyBefore bool
	// DefaultNaN: any NaN result is the default NaN (ARM FPSCR.DN).
	DefaultNaN bool
	// DAZ: denormal F32 and F64 operands count as zero, of the same sign
	// but for FTZVFP11.
	DAZ bool
	// DAZFlag: an operand zeroed by DAZ raises Denormal (ARM IDC), where SSE
	// stays silent.
	DAZFlag bool
}

// SSE returns the environment of MXCSR after reset.
func SSE() Env { return Env{InfZero: InfZeroQuiet} }

// X87 returns the environment after FNINIT.
func X87() Env { return Env{NaN: NaNX87} }

// ARM returns the environment of VFP with FPSCR zero.
func ARM() Env { return Env{NaN: NaNARM, Int: IntARM, TinyBefore: true} }

// PPC returns the environment of the PowerPC FPU with FPSCR zero.
func PPC() Env {
	return Env{NaN: NaNPPC, Int: IntPPC, InfZero: InfZeroInvalid, TinyBefore: true}
}

// SPARC returns the environment of the SPARC FPU with FSR zero.
func SPARC() Env {
	return Env{NaN: NaNSPARC, Int: IntSPARC, InfZero: InfZeroInvalid, TinyBefore: true}
}

// Ordering is the outcome of a comparison of a with b.
type Ordering uint8

const (
	Less      Ordering = iota // a < b
	Equal                     // a = b
	Greater                   // a > b
	Unordered                 // a or b is a NaN
)

// carriesUp decides whether a magnitude with the discarded part frac (in
// units of 2^-64 of the last place kept, lowest bit sticky) is incremented.
// odd is the last bit kept.
func (r Rounding) carriesUp(sign uint8, odd bool, frac uint64) bool {
	const half = 1 << 63
	switch r {
	case NearestEven:
		return frac > half || frac == half && odd
	case NearestAway:
		return frac >= half
	case Down:
		return sign != 0 && frac != 0
	case Up:
		return sign == 0 && frac != 0
	}
	return false
}

// toInfinity decides whether an overflowing result of this sign becomes
// infinite or the largest finite number.
func (r Rounding) toInfinity(sign uint8) bool {
	switch r {
	case Down:
		return sign != 0
	case Up:
		return sign == 0
	case ToZero:
		return false
	}
	return true
}
