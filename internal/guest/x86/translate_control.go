package x86

import "rhea/internal/ir"

func addControlEmitters(m map[string]emitter) {
	for name, f := range map[string]emitter{
		"Jcc": emitJcc, "JMP": emitJmp, "CALL": emitCall, "RET": emitRet,
		"LOOP": loop(0), "LOOPE": loop(1), "LOOPNE": loop(2), "JCXZ": emitJcxz,
		"JMPF": far(hFarJump), "CALLF": far(hFarCall), "RETF": emitRetf, "IRET": emitIret,
		"INT": softInterrupt(softINT), "INT3": softInterrupt(softINT3), "INT1": softInterrupt(softINT1), "INTO": emitInto,
		"UD0": emitUD, "UD1": emitUD, "UD2": emitUD,
	} {
		m[name] = f
	}
}

func emitUD(t *tx) { t.raise(vecUD, 0, false) }

func emitJcc(t *tx) { t.branch(t.condition(int(t.in.opcode & 15))) }

func emitJmp(t *tx) {
	if t.in.enc.operands[0].kind == kindJ {
		if t.wraps() {
			t.jumpTo(t.wrapped())
			return
		}
		t.jumpNear(t.target())
		return
	}
	t.jumpTo(t.read(0))
}

// jumpNear goes to a known address.
func (t *tx) jumpNear(pc uint64) {
	if pc >= t.key.Limit {
		t.raise(vecGP, 0, true)
		return
	}
	if !t.alone && t.again(pc) {
		t.next = pc
		return
	}
	t.link(pc)
}

func emitCall(t *tx) {
	size := t.in.opsize
	ret := t.Conv(ir.IntType(size), t.at(t.next), false)
	if t.in.enc.operands[0].kind == kindJ {
		to := t.target()
		if to >= t.key.Limit {
			t.raise(vecGP, 0, true)
			return
		}
		t.push(ret, size)
		if t.wraps() {
			t.jumpTo(t.wrapped())
			return
		}
		t.link(to)
		return
	}
	to := t.Conv(t.word(), t.read(0), false)
	t.checkTarget(to)
	t.push(ret, size)
	t.jumpTo(to)
}

func emitRet(t *tx) {
	size := t.in.opsize
	to := t.Conv(t.word(), t.peek(0, size), false)
	t.checkTarget(to)
	t.drop(size + int(t.in.imm))
	t.jumpTo(to)
}

// counter reads CX or ECX by the address size.
func (t *tx) counter() ir.Val { return t.reg(rCX, t.in.adsize) }

func loop(kind int) emitter {
	return func(t *tx) {
		n := t.BinImm(ir.Sub, t.counter(), 1)
		cond := t.CmpImm(ir.Ne, n, 0)
		switch kind {
		case 1:
			cond = t.Bin(ir.And, cond, t.condition(4))
		case 2:
			cond = t.Bin(ir.And, cond, t.condition(5))
		}
		if t.target() >= t.key.Limit {
			t.Guard(cond, faultCode(vecGP, 0, true))
		}
		t.setReg(rCX, t.in.adsize, n)
		t.branch(cond)
	}
}

func emitJcxz(t *tx) { t.branch(t.CmpImm(ir.Eq, t.counter(), 0)) }

// far is JMP or CALL to a far pointer, in the code or in memory.
func far(h int) emitter {
	return func(t *tx) {
		in := &t.in
		size := in.opsize
		off, sel := t.imm(in.imm), t.imm32(in.imm2)
		if in.enc.operands[0].kind == kindM {
			ea := t.ea()
			off = t.Conv(t.word(), t.load(t.segment(), ea, size), false)
			hi := t.wrap(t.addImm(ea, uint64(size)))
			sel = t.Conv(ir.I32, t.load(t.segment(), hi, 2), false)
		}
		t.control(h, t.Bin(ir.Or, sel, t.imm32(uint64(size)<<16)), off)
	}
}

// control calls a helper that transfers control: (arg, arg, next IP).
func (t *tx) control(h int, a, b ir.Val) {
	t.call(h, a, b, t.at(t.next))
	t.Exit(t.at(t.next)) // not reached
}

func emitRetf(t *tx) {
	t.control(hFarRet, t.imm32(uint64(t.in.opsize)), t.imm32(t.in.imm))
}

func emitIret(t *tx) { t.control(hIret, t.imm32(uint64(t.in.opsize)), t.imm32(0)) }

func softInterrupt(kind softKind) emitter {
	return func(t *tx) {
		vec := t.in.imm
		switch kind {
		case softINT3:
			vec = vecBP
		case softINT1:
			vec = vecDB
		}
		t.control(hSoftInt, t.imm32(vec), t.imm32(uint64(kind)))
	}
}

func emitInto(t *tx) {
	of := t.condition(0)
	n := len(t.Unit().Blocks)
	t.Branch(of, n, n+1)
	t.ContinueBlock()
	t.Insn(t.pc)
	t.Unit().Guest--
	t.control(hSoftInt, t.imm32(vecOF), t.imm32(uint64(softINTO)))
	t.NewBlock() // what the other knows is not known here
	t.link(t.next)
}
