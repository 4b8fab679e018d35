package interp

import "rhea/internal/ir"

// opcode is what a lowered op does. The order of those made by arithmetic on
// codes is fixed: sizes in turn, comparisons in ir's order with the constant
// form second.
type opcode uint16

const (
	opMov opcode = iota
	opMovI
	opMovV
	opAdd32
	opAdd32I
	opAdd64
	opAdd64I
	opAddM
	opSub32
	opSub32I
	opSub64
	opSub64I
	opSubM
	opLea32
	opMul32
	opMul32I
	opMul64
	opAnd
	opAndI
	opOr
	opOrI
	opXor
	opXorI
	opShl32
	opShl32I
	opShl64I
	opShr
	opShrI
	opSar32
	opSar32I
	opRotl32I
	opRotr32I
	opSext8
	opSext16
	opSext32
	opExtract
	opDeposit
	opDep8
	opDep8H
	opDep16
	opEq
	opEqI
	opNe
	opNeI
	opLtu
	opLtuI
	opLeu
	opLeuI
	opLts32
	opLts32I
	opLes32
	opLes32I
	opSelect
	opEval1
	opEval2
	opVMake

	opSure // ir.Mem.Probe; a is the size
	opLd8
	opLd16
	opLd32
	opLd64
	opLd128
	opLdX8
	opLdX16
	opLdX32
	opLdX64
	opLdX128
	opLdW8 // with an address of 64 bits
	opLdW16
	opLdW32
	opLdW64
	opLdW128
	opSureW
	opProbe // a load for writing whose value nobody wants; a is the size
	opProbeX
	opProbeW
	opSt8
	opSt16
	opSt32
	opSt64
	opSt128
	opStX8
	opStX16
	opStX32
	opStX64
	opStX128
	opStW8
	opStW16
	opStW32
	opStW64
	opStW128

	opGuard
	opGuardEq
	opGuardEqI
	opGuardNe
	opGuardNeI
	opGuardLtu
	opGuardLtuI
	opGuardLeu
	opGuardLeuI
	opGuardLts
	opGuardLtsI
	opGuardLes
	opGuardLesI

	opBr
	opBrEq
	opBrEqI
	opBrNe
	opBrNeI
	opBrLtu
	opBrLtuI
	opBrLeu
	opBrLeuI
	opBrLts
	opBrLtsI
	opBrLes
	opBrLesI

	opCall
	opCallPure
	opJump
	opLink
	opIndirect
	opExit
)

// form is how a two-operand operation of a type is done: with registers, and
// with a constant; 0 (opMov) = only the general way.
type form struct{ reg, imm opcode }

type binKey struct {
	op ir.Op
	t  ir.Type
}

// binForms lists the operations that have codes of their own. Values are
// zero-extended, so those that cannot leave their width serve all widths.
func binForms() map[binKey]form {
	m := map[binKey]form{
		{ir.Add, ir.I32}: {opAdd32, opAdd32I}, {ir.Add, ir.I64}: {opAdd64, opAdd64I},
		{ir.Add, ir.I8}: {opAddM, 0}, {ir.Add, ir.I16}: {opAddM, 0},
		{ir.Sub, ir.I32}: {opSub32, opSub32I}, {ir.Sub, ir.I64}: {opSub64, opSub64I},
		{ir.Sub, ir.I8}: {opSubM, 0}, {ir.Sub, ir.I16}: {opSubM, 0},
		{ir.Mul, ir.I32}: {opMul32, opMul32I}, {ir.Mul, ir.I64}: {opMul64, 0},
		{ir.Shl, ir.I32}: {opShl32, opShl32I}, {ir.Shl, ir.I64}: {0, opShl64I},
		{ir.Sar, ir.I32}:  {opSar32, opSar32I},
		{ir.Rotl, ir.I32}: {0, opRotl32I}, {ir.Rotr, ir.I32}: {0, opRotr32I},
		{ir.Lts, ir.I32}: {opLts32, opLts32I}, {ir.Les, ir.I32}: {opLes32, opLes32I},
	}
	for _, t := range []ir.Type{ir.I8, ir.I16, ir.I32, ir.I64} {
		m[binKey{ir.And, t}] = form{opAnd, opAndI}
		m[binKey{ir.Or, t}] = form{opOr, opOrI}
		m[binKey{ir.Xor, t}] = form{opXor, opXorI}
		m[binKey{ir.Shr, t}] = form{opShr, opShrI}
		m[binKey{ir.Eq, t}] = form{opEq, opEqI}
		m[binKey{ir.Ne, t}] = form{opNe, opNeI}
		m[binKey{ir.Ltu, t}] = form{opLtu, opLtuI}
		m[binKey{ir.Leu, t}] = form{opLeu, opLeuI}
	}
	return m
}

// compute lowers an operation that only makes a value.
func (l *Lowerer) compute(in *ir.Inst, i int) {
	t := in.Type
	switch in.Op {
	case ir.Select:
		x, y, z := l.word(in.Args[0]), l.word(in.Args[1]), l.word(in.Args[2])
		if t == ir.V128 {
			panic("BUG: interp: select of v128")
		}
		l.add(op{code: opSelect, b: y, c: z, imm: uint64(x), a: l.dest(i)})
	case ir.Trunc:
		b := l.word(in.Args[0])
		l.add(op{code: opAndI, b: b, imm: t.Mask(), a: l.dest(i)})
	case ir.Sext:
		code := map[ir.Type]opcode{ir.I8: opSext8, ir.I16: opSext16, ir.I32: opSext32}[l.u.Inst(in.Args[0]).Type]
		b := l.word(in.Args[0])
		l.add(op{code: code, b: b, imm: t.Mask(), a: l.dest(i)})
	case ir.Extract:
		pos, width := ir.FieldOf(in.Imm)
		b := l.word(in.Args[0])
		l.add(op{code: opExtract, b: b, c: uint16(pos), imm: 1<<width - 1, a: l.dest(i)})
	case ir.Deposit:
		l.deposit(in, i)
	case ir.VMake:
		b, c := l.word(in.Args[0]), l.word(in.Args[1])
		l.add(op{code: opVMake, b: b, c: c, a: l.dest(i)})
	case ir.VLow:
		b := l.word(in.Args[0])
		l.add(op{code: opMov, b: b, a: l.dest(i)})
	case ir.VHigh:
		b := l.word(in.Args[0]) + 1
		l.add(op{code: opMov, b: b, a: l.dest(i)})
	case ir.VConst:
	case ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt:
		b := l.word(in.Args[0])
		o := op{code: opEval1, b: b, imm: uint64(in.Op) | uint64(t)<<8}
		if in.Op == ir.Not {
			o.code, o.imm = opXorI, t.Mask()
		}
		o.a = l.dest(i)
		l.add(o)
	default:
		l.binary(in, i)
	}
}

func (l *Lowerer) deposit(in *ir.Inst, i int) {
	b, c := l.word(in.Args[0]), l.word(in.Args[1])
	o := op{code: opDeposit, b: b, c: c, imm: in.Imm}
	switch in.Imm {
	case ir.Field(0, 8):
		o.code = opDep8
	case ir.Field(8, 8):
		o.code = opDep8H
	case ir.Field(0, 16):
		o.code = opDep16
	}
	o.a = l.dest(i)
	l.add(o)
}

func (l *Lowerer) binary(in *ir.Inst, i int) {
	t := l.u.Inst(in.Args[0]).Type
	if in.Op == ir.Add && t == ir.I32 {
		if base, index, scale, disp := l.u.Sum(in); index != 0 {
			if _, ok := l.u.ConstOf(base); !ok {
				b, c := l.word(base), l.word(index)
				l.add(op{code: opLea32, b: b, c: c, imm: disp | uint64(scale)<<immScale, a: l.dest(i)})
				return
			}
		}
	}
	f := l.forms[binKey{in.Op, t}]
	b := l.word(in.Args[0])
	if k, ok := l.u.ConstOf(in.Args[1]); ok && f.imm != 0 {
		if in.Op == ir.Shl || in.Op == ir.Shr || in.Op == ir.Sar || in.Op == ir.Rotl || in.Op == ir.Rotr {
			k &= uint64(t.Bits() - 1)
		}
		l.add(op{code: f.imm, b: b, imm: k, a: l.dest(i)})
		return
	}
	c := l.word(in.Args[1])
	o := op{code: f.reg, b: b, c: c}
	switch f.reg {
	case opAddM, opSubM:
		o.imm = t.Mask()
	case opShr:
		o.imm = uint64(t.Bits() - 1)
	case 0:
		o.code, o.imm = opEval2, uint64(in.Op)|uint64(t)<<8
	}
	o.a = l.dest(i)
	l.add(o)
}
