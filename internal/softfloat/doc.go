// Package softfloat is binary floating-point arithmetic in software, as the
// processors rhea emulates do it: IEEE 754 f32, f64 and f128, the x87's f80,
// and the x87 instructions beyond IEEE 754.
//
// # Numbers
//
// F32 and F64 are their bit patterns; F80 is {Man, SE}, significand and
// sign/exponent; F128 is {Hi, Lo}. Conversion from and to a guest register is
// a Go conversion: F64(reg), uint64(v).
//
// # Environment
//
// An Env holds the control fields (rounding direction, x87 precision, NaN
// rule, flushing, tininess, unmasked exceptions, what impossible integers
// become) and accumulates Flags. SSE, X87, ARM, PPC and SPARC return one set
// for that architecture; the guest keeps it beside its control register and
// updates Round, Prec, DAZ, FTZ ... when that is written:
//
//	e := softfloat.X87()
//	e.Round = softfloat.Rounding(cw >> 10 & 3)
//	e.Prec = softfloat.PrecisionFromPC(uint8(cw >> 8 & 3))
//	e.Unmasked = ^softfloat.Flags(cw) & (softfloat.Overflow | softfloat.Underflow)
//	e.Flags = 0
//	st0 = st0.Add(&e, st1)
//	sw |= uint16(e.Flags) // exceptions in bits 0-5, RoundedUp where C1 is
//
// Operations only set flags. Who needs those of one operation (x87's C1 and
// unmasked exceptions, MXCSR traps, ARM's VRINTR that drops Inexact) clears
// Flags before it.
//
// Masked and unmasked: every operation delivers the masked response. Only
// Overflow and Underflow have another, register, result when unmasked (the
// wrapped exponent), which Env.Unmasked asks for; the operation also then
// raises Underflow for exact tiny results. Whether to write the result after
// an unmasked Invalid, DivByZero or Denormal, or to store to memory after any
// unmasked exception but Inexact, is the caller's affair: look at Flags.
//
// # Operations
//
// All are methods of the first operand, none allocates. For T of F32, F64,
// F80, F128:
//
//	a.Add(e, b)  a.Sub(e, b)  a.Mul(e, b)  a.Div(e, b)  a.Sqrt(e)
//	a.Rem(e, b)                     IEEE remainder
//	a.RoundToInt(e, r)              to an integral value
//	a.ScaleB(e, n)                  a * 2^n
//	a.Compare(e, b)                 Less, Equal, Greater, Unordered; quiet
//	a.CompareSignaling(e, b)        any NaN is Invalid
//	a.ToI32(e, r) ToI64 ToU32 ToU64 to integers (but for F128: ToI16, ToU16)
//	a.ToF32(e) ToF64 ToF80 ToF128   to the other formats
//	a.IsNaN()
//
// F32 and F64: MulAdd(e, b, c), Mod(e, b) (C's fmod), LogB(e), and
// Operand80(), an f80 operand from memory for x87 arithmetic. F64: AddTo32,
// SubTo32, MulTo32, DivTo32, SqrtTo32, MulAddTo32 round once to f32.
// From integers: F32FromI64(e, v), F32FromU64, F64FromI64, F64FromU64, and
// without Env, being exact, F80FromI64, F80FromU64, F128FromI64, F128FromU64.
//
// Directions of rounding are explicit where instructions have their own
// (CVTTSD2SI, FISTTP: ToZero); pass e.Round for the current one.
//
// Minimum and maximum differ too much between guests and are left to them, as
// are sign operations, which are plain bit operations without flags.
//
// # x87
//
// Under their Intel names, st0 being the receiver: FPREM, FPREM1, FSCALE,
// FXTRACT, FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1;
// Env.Const for FLD1 to FLDZ; BCD.ToF80 for FBLD and F80.ToBCD for FBSTP;
// F80.ToF32 and F64.ToF80 and the like for FST and FLD; RoundToInt for
// FRNDINT; Compare for FUCOM, CompareSignaling for FCOM (and FTST, which is
// FCOM with zero).
//
// The arithmetic instructions heed Env.Prec; the others deliver 64 bits, as
// on the processor. Two things only the caller can do: keep st0 and set C2
// when FSIN, FCOS, FSINCOS or FPTAN return ok = false, and raise Denormal for
// a denormal f32 or f64 memory operand (see Operand80).
//
// The transcendentals are correctly rounded in all four directions for all
// arguments tried, trigonometric ones after reduction by Intel's 66-bit pi. A
// real Intel processor is within one unit in the last place of that, and
// mostly equal; where it departs it is in the directed roundings.
//
// # Proof
//
// Berkeley TestFloat vectors (all 272 blocks), ARM VFP vectors,
// math/big, and, on amd64 hosts, the host's own x87, SSE and FMA instructions
// over random operands and control words: see the tests.
package softfloat
