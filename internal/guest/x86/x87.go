package x86

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/softfloat"
)

// This file translates the x87: every instruction is a call of a helper, with
// a descriptor (x87Arg), a memory operand that IR has loaded, and the
// operand's offset. What stores to memory asks one helper for the value,
// stores it, and has another complete the instruction.

// Status word bits (SDM vol. 1, 8.1.3). TOP is State.FTop.
const (
	fswIE = 1 << 0
	fswSF = 1 << 6
	fswES = 1 << 7
	fswC0 = 1 << 8
	fswC1 = 1 << 9
	fswC2 = 1 << 10
	fswC3 = 1 << 14
	fswB  = 1 << 15

	fswExceptions = 0x3f
)

// Control word (SDM vol. 1, 8.1.5): masks in bits 0-5. Bit 6 is always set.
const (
	fcwInit  = 0x037f
	fcwFixed = 0x0040
	fcwBits  = 0x1f7f
)

// Formats of operands.
const (
	fmtReg = iota
	fmtF32
	fmtF64
	fmtF80
	fmtI16
	fmtI32
	fmtI64
	fmtBCD
)

// x87Arg describes an instruction to its helper.
type x87Arg uint64

func (a x87Arg) op() int        { return int(a & 0xff) }
func (a x87Arg) i() uint64      { return uint64(a >> 8 & 7) }
func (a x87Arg) pops() int      { return int(a >> 12 & 3) }
func (a x87Arg) toI() bool      { return a>>14&1 != 0 } // the destination is ST(i)
func (a x87Arg) truncate() bool { return a>>15&1 != 0 } // FISTTP
func (a x87Arg) format() int    { return int(a >> 16 & 15) }
func (a x87Arg) opcode() uint64 { return uint64(a >> 20 & 0x7ff) }
func (a x87Arg) seg() int       { return int(a >> 32 & 7) }
func (a x87Arg) mem() bool      { return a>>35&1 != 0 }

// x87Begin does the checks before an x87 instruction (SDM vol. 1, 8.6 to 8.7;
// vol. 3, tables 2-2). It returns false if the unit has ended, or if there is
// no x87: then nothing answers. Wait says that pending exceptions are raised.
func (t *tx) x87Begin(wait bool) bool {
	if t.is(modeEM | modeTS) {
		t.raise(vecNM, 0, false)
		return false
	}
	if !t.c.model.has(featFPU) {
		return false
	}
	if wait {
		t.waitX87()
	}
	return true
}

// waitX87 raises a pending x87 exception.
func (t *tx) waitX87() {
	if t.is(modeFIgnore) || !t.is(modeFM) {
		return
	}
	t.Guard(t.CmpImm(ir.Ne, t.BinImm(ir.And, t.Get(ir.I64, slotFSW), fswES), 0), faultCode(vecMF, 0, false))
}

func emitWait(t *tx) {
	if t.is(modeMP) && t.is(modeTS) {
		t.raise(vecNM, 0, false)
		return
	}
	if t.c.model.has(featFPU) {
		t.waitX87()
	}
}

// x87Descriptor describes the current instruction; pops and format follow
// from its line.
func (t *tx) x87Descriptor(op, pops int, integer bool) x87Arg {
	in := &t.in
	a := x87Arg(op) | x87Arg(in.rm)<<8 | x87Arg(pops)<<12
	a |= x87Arg(in.opcode&7)<<28 | x87Arg(in.modrm)<<20
	for i, o := range in.enc.operands {
		switch {
		case o.kind == kindSTi && i == 0 && len(in.enc.operands) == 2:
			a |= 1 << 14
		case o.kind == kindM:
			a |= 1<<35 | x87Arg(t.segment())<<32 | x87Arg(memoryFormat(o.size, integer))<<16
		}
	}
	return a
}

func memoryFormat(size string, integer bool) int {
	switch {
	case size == "w":
		return fmtI16
	case size == "d" && integer:
		return fmtI32
	case size == "q" && integer:
		return fmtI64
	case size == "t" && integer:
		return fmtBCD
	case size == "d":
		return fmtF32
	case size == "q":
		return fmtF64
	}
	return fmtF80
}

// x87Memory computes the memory operand's offset and linear address.
func (t *tx) x87Memory(write bool) (off, lin ir.Val) {
	off = t.ea()
	return off, t.linear(t.segment(), off, t.size(0), write)
}

// loadX87 loads the memory operand: its low 64 bits, and a value with its
// offset, and what is beyond 64 bits above that.
func (t *tx) loadX87() (v, place ir.Val) {
	off, lin := t.x87Memory(false)
	size := t.size(0)
	place = t.noted(off)
	if size == 10 {
		v = t.Load(lin, ir.Mem{Size: 8, Index: t.mmu()})
		hi := t.Load(t.BinImm(ir.Add, lin, 8), ir.Mem{Size: 2, Index: t.mmu()})
		return v, t.Bin(ir.Or, place, t.BinImm(ir.Shl, t.Conv(ir.I64, hi, false), 48))
	}
	return t.Conv(ir.I64, t.Load(lin, ir.Mem{Size: size, Index: t.mmu()}), false), place
}

// noted is an operand's offset as helpers get it, to note: 48 bits of it.
func (t *tx) noted(off ir.Val) ir.Val {
	if t.long {
		return t.BinImm(ir.And, off, 1<<48-1)
	}
	return t.Conv(ir.I64, off, false)
}

// x87Insn translates an instruction that does not store to memory.
func x87Insn(op, pops int, integer, native bool) emitter {
	return func(t *tx) {
		if !t.x87Begin(true) {
			return
		}
		a := t.x87Descriptor(op, pops, integer)
		if o, ok := t.stackOp(native); ok {
			t.fpuInsn(ir.Void, o, a, t.zero64())
			return
		}
		if a.mem() {
			v, place := t.loadX87()
			t.Call(ir.Void, hX87, ir.NoStop, t.Const(ir.I64, uint64(a)), v, place)
		} else {
			t.Call(ir.Void, hX87, ir.NoStop, t.Const(ir.I64, uint64(a)))
		}
		t.forgetX87()
	}
}

// x87Compare translates FCOMI and so on, which set EFLAGS.
func x87Compare(op, pops int) emitter {
	return func(t *tx) {
		if !t.x87Begin(true) {
			return
		}
		a := t.x87Descriptor(op, pops, false)
		if o, ok := t.stackOp(true); ok {
			t.setFlags(t.fpuInsn(ir.I64, o, a, t.zero64()))
			return
		}
		f := t.Call(ir.I64, hX87, ir.NoStop, t.Const(ir.I64, uint64(a)), t.flags())
		t.forgetX87()
		t.setFlags(f)
	}
}

// x87Move translates FCMOVcc; cond is the condition code.
func x87Move(op, cond int) emitter {
	return func(t *tx) {
		if !t.x87Begin(true) {
			return
		}
		a := t.x87Descriptor(op, 0, false)
		if o, ok := t.stackOp(true); ok {
			o.Code, o.Cond = 3<<8|0xc8|uint16(t.in.rm), true // FCMOVNE
			t.fpuInsn(ir.Void, o, a, t.Conv(ir.I64, t.condition(cond), false))
			return
		}
		t.Call(ir.Void, hX87, ir.NoStop, t.Const(ir.I64, uint64(a)), t.Conv(ir.I64, t.condition(cond), false))
		t.forgetX87()
	}
}

// x87Store translates FST, FIST, FBSTP and so on to memory, and x87Insn's FST
// to a register.
func x87Store(op, pops, done int, integer, truncate, native bool) emitter {
	reg := x87Insn(op, pops, false, native)
	return func(t *tx) {
		if !t.in.mem {
			reg(t)
			return
		}
		if !t.x87Begin(true) {
			return
		}
		a := t.x87Descriptor(done, pops, integer)
		if truncate {
			a |= 1 << 15
		}
		if o, ok := t.stackOp(native); ok {
			t.fpuStore(o, a)
			return
		}
		off, lin := t.x87Memory(true)
		place := t.noted(off)
		arg := t.Const(ir.I64, uint64(a))
		v := t.Call(ir.I64, hX87Store, ir.NoStop, arg, t.zero64(), place)
		t.forgetX87()
		t.Forget(slotTmp64)
		t.Forget(slotTmp64 + 1)
		t.Guard(t.Get(ir.I64, slotTmp64), faultCode(guardNoStore, uint32(len(t.in.bytes)), false))
		size := t.size(0)
		if size == 10 {
			hi := t.Conv(ir.I16, t.Get(ir.I64, slotTmp64+1), false)
			// The second store's fault must come before the first is done.
			end := t.BinImm(ir.Add, lin, 8)
			t.Load(lin, ir.Mem{Size: 8, Index: t.mmu(), RMW: true})
			t.Load(end, ir.Mem{Size: 2, Index: t.mmu(), RMW: true})
			t.Store(lin, v, ir.Mem{Size: 8, Index: t.mmu()})
			t.Store(end, hi, ir.Mem{Size: 2, Index: t.mmu()})
		} else {
			t.Store(lin, t.Conv(ir.IntType(size), v, false), ir.Mem{Size: size, Index: t.mmu()})
		}
		t.Call(ir.Void, hX87, ir.NoStop, arg, t.zero64(), place)
		t.forgetX87()
	}
}

// x87Control translates what does not touch numbers and has no memory operand.
func x87Control(op int, wait bool) emitter {
	return func(t *tx) {
		if !t.x87Begin(wait) {
			return
		}
		switch {
		case op == ctlNOP:
		case op == ctlFNCLEX && !t.is(modeFM):
			t.fpu(ir.Void, ir.StackOp{Code: codeFNCLEX, Helper: hX87Control}, 0, t.Const(ir.I64, uint64(op)))
		default:
			t.x87Done(uint64(op))
		}
	}
}

func emitFldcw(t *tx) {
	if !t.x87Begin(true) {
		return
	}
	v := t.Conv(ir.I64, t.read(0), false)
	if !t.is(modeFM) {
		t.fldcw(v)
		return
	}
	t.Call(ir.Void, hX87Control, ir.NoStop, t.Const(ir.I64, ctlFLDCW), v)
	t.forgetX87()
	t.modeFMChanged()
}

func emitFnstcw(t *tx) {
	if !t.x87Begin(false) {
		return
	}
	t.write(0, t.Conv(ir.I16, t.Get(ir.I64, slotFCW), false))
}

func emitFnstsw(t *tx) {
	if !t.x87Begin(false) {
		return
	}
	var sw ir.Val
	if t.is(modeFM) {
		sw = t.Conv(ir.I16, t.Bin(ir.Or, t.Get(ir.I64, slotFSW), t.BinImm(ir.Shl, t.Get(ir.I64, slotFTop), 11)), false)
	} else {
		sw = t.statusWord()
	}
	if t.in.mem {
		t.write(0, sw)
	} else {
		t.setReg(rAX, 2, sw)
	}
}

// x87Insns names the helper's operations; those of x87Store come with what
// completes them.
func addX87Emitters(m map[string]emitter) {
	native := nativeX87()
	for i, op := range x87Ops() {
		native := native[op.name]
		switch op.kind {
		case opPlain:
			m[op.name] = x87Insn(i, op.pops, op.integer, native)
		case opFlags:
			m[op.name] = x87Compare(i, op.pops)
		case opMove:
			for cond, suffix := range conditionNames {
				switch suffix {
				case "B", "E", "BE", "NE":
					m[op.name+suffix] = x87Move(i, cond)
				case "AE":
					m[op.name+"NB"] = x87Move(i, cond)
				case "A":
					m[op.name+"NBE"] = x87Move(i, cond)
				case "P":
					m[op.name+"U"] = x87Move(i, cond)
				case "NP":
					m[op.name+"NU"] = x87Move(i, cond)
				}
			}
		case opStore:
			m[op.name] = x87Store(i, op.pops, i+1, op.integer, op.truncate, native)
		}
	}
	for name, f := range map[string]emitter{
		"WAIT": emitWait, "FNOP": x87Control(ctlNOP, true),
		"FNCLEX": x87Control(ctlFNCLEX, false), "FNINIT": x87Control(ctlFNINIT, false),
		// Of the 8087 and 287; they do nothing since the 387 (SDM vol. 3, 22.18.9).
		"FNENI": x87Control(ctlNOP, false), "FNDISI": x87Control(ctlNOP, false), "FNSETPM": x87Control(ctlNOP, false),
		"FLDCW": emitFldcw, "FNSTCW": emitFnstcw, "FNSTSW": emitFnstsw,
		"FNSTENV": emitFnstenv, "FLDENV": emitFldenv, "FNSAVE": emitFnsave, "FRSTOR": emitFrstor,
	} {
		m[name] = f
	}
}

// x87Unit is what the x87's helpers derive from the control word, and the
// instruction at work.
type x87Unit struct {
	s     *State
	env   softfloat.Env
	cw    uint64 // that env is for
	ready bool

	arg   x87Arg
	mem   uint64 // memory operand, low 64 bits
	memHi uint16 // and beyond

	pending softfloat.Flags // of a store that is not completed
	fault   bool            // it is a stack fault
}

func (u *x87Unit) load(cw uint64) {
	u.ready, u.cw = true, cw
	u.env = softfloat.X87()
	u.env.Round = softfloat.Rounding(cw >> 10 & 3)
	u.env.Prec = softfloat.PrecisionFromPC(uint8(cw >> 8 & 3))
	u.env.Unmasked = ^softfloat.Flags(cw) & (softfloat.Overflow | softfloat.Underflow)
}

// begin takes an instruction's arguments.
func (u *x87Unit) begin(a, v, place uint64) {
	if cw := u.s.FCW; cw != u.cw || !u.ready {
		u.load(cw)
	}
	u.arg, u.mem, u.memHi = x87Arg(a), v, uint16(place>>48)
	u.env.Flags = 0
}

// note keeps the pointers to the instruction and its operand (SDM vol. 1, 8.1.8).
func (u *x87Unit) note(place uint64) {
	s := u.s
	s.setFIP(s.IP)
	s.FCS, s.FOP = s.Seg[CS].Sel, u.arg.opcode()
	if u.arg.mem() {
		s.FDP, s.FDS = uint64(int64(place<<16)>>16), s.Seg[u.arg.seg()].Sel
	}
}

func (c *CPU) x87Helpers(h []guest.Helper) {
	u := &c.x87
	u.s = c.s
	ops := x87Ops()
	h[hX87] = func(a, v, place uint64) (uint64, bool) {
		u.begin(a, v, place)
		u.note(place)
		return ops[u.arg.op()].f(u), false
	}
	h[hX87Store] = func(a, _, place uint64) (uint64, bool) {
		u.begin(a, 0, place)
		return u.store(place), false
	}
	h[hX87StoreAll] = func(a, _, place uint64) (uint64, bool) {
		u.begin(a, 0, place)
		lo := u.store(place)
		u.s.Tmp[2] = lo
		u.note(place)
		return stored(u), false
	}
	h[hX87Control] = func(op, v, _ uint64) (uint64, bool) {
		c.x87Control(int(op), v)
		return 0, false
	}
	h[hX87Image] = func(format, k, _ uint64) (uint64, bool) { return c.imageWord(format, k), false }
	h[hX87Put] = func(a, lo, hi uint64) (uint64, bool) {
		c.putImage(a&0xff, a>>8, lo, hi)
		return 0, false
	}
}

// externalError is a pending x87 exception met by a waiting instruction while
// CR0.NE is 0 (SDM vol. 1, 8.7.2): FERR# asks for an interrupt. The processor
// would wait for it; if none comes at once the exception is ignored for this
// instruction, as IGNNE# has it.
func (c *CPU) externalError() {
	c.setFERR(true)
	if !c.Pending() {
		c.s.FIgnore = 1
	}
}

// setFERR drives the FERR# pin; every error that asserts it is told.
func (c *CPU) setFERR(level bool) {
	if !level && !c.ferr {
		return
	}
	c.ferr = level
	if c.cfg.FERR != nil {
		c.cfg.FERR(level)
	}
}
