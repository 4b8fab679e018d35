package x86

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file has the AVX operations that a helper does: what moves lanes between
// the halves, and what has more sources than an ir.Vec.

// ymm is a YMM register, the lowest quarter first.
type ymm = [4]uint64

// avxArgs are the operands of an operation: what becomes of the destination
// (first what it holds), the sources, and the immediate. Wide says that they
// have 256 bits; what is beyond 128 of the result does not count else.
type avxArgs struct {
	d, a, b  ymm
	imm      uint64
	wide     bool
	constant bool // the last operand is an immediate
}

// avxOp is an operation: of a the operand H, of b the last one. The result goes
// to the destination, or, if flags is set, is returned: EFLAGS or a mask.
type avxOp struct {
	name  string
	f     func(c *CPU, x *avxArgs) uint64
	value valueKind
	fp    bool
}

// valueKind says what becomes of an operation's value.
type valueKind uint8

const (
	noValue valueKind = iota
	flagValue
	regValue
)

// Bits of the helper's argument.
const (
	avxDst   = 8
	avxA     = 12
	avxB     = 16
	avxMem   = 1 << 20 // b is in scratch
	avxImm   = 24
	avxWide  = 1 << 32
	avxConst = 1 << 33
)

func (c *CPU) ymm(n uint64) ymm {
	s := c.s
	n &= 15
	return ymm{s.XMM[n][0], s.XMM[n][1], s.YMMH[n][0], s.YMMH[n][1]}
}

func (c *CPU) setYMM(n uint64, v ymm, wide bool) {
	s := c.s
	n &= 15
	s.XMM[n] = lanes{v[0], v[1]}
	if s.YMMH[n] = (lanes{}); wide {
		s.YMMH[n] = lanes{v[2], v[3]}
	}
}

func (c *CPU) avxHelpers(h []guest.Helper) {
	ops := avxOps()
	h[hAVX] = func(arg, _, _ uint64) (uint64, bool) {
		op := &ops[arg&0xff]
		dst := arg >> avxDst & 15
		x := avxArgs{d: c.ymm(dst), a: c.ymm(arg >> avxA), b: c.ymm(arg >> avxB), imm: arg >> avxImm & 0xff, wide: arg&avxWide != 0, constant: arg&avxConst != 0}
		if arg&avxMem != 0 {
			t := &c.s.Tmp
			x.b = ymm{t[0], t[1], t[4], t[5]}
		}
		if op.fp {
			if bad := c.avxFloat(op, &x); bad {
				return faulted, false
			}
		} else if r := op.f(c, &x); op.value != noValue {
			return r, false
		}
		c.setYMM(dst, x.d, x.wide)
		return 0, false
	}
	h[hGather] = c.fallible(c.avxMemory)
	h[hHalf] = c.toHalf
	h[hSHA] = c.shaHelper()
	h[hExtract], h[hDeposit] = extractBits, depositBits
	h[hXsetbv] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.xsetbv() })
	h[hXsave], h[hXrstor] = c.instruction(c.xsave), c.instruction(c.xrstor)
}

// avxHelper translates an operation of avxOps.
func avxHelper(op int, o *avxOp) emitter {
	value, fp := o.value, o.fp
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		e := t.in.enc
		last := len(e.operands) - 1
		if k := e.operands[last].kind; k == kindI || k == kindL {
			last--
		}
		arg := uint64(op) | (t.in.imm&0xff)<<avxImm | b2u(e.operands[len(e.operands)-1].kind == kindI)*avxConst
		dst, toReg := t.simdReg(0)
		arg |= uint64(dst) << avxDst
		if n, ok := t.simdReg(1); ok {
			arg |= uint64(n) << avxA
		}
		if n, ok := t.simdReg(last); ok {
			arg |= uint64(n) << avxB
		} else {
			if src := t.operandSlots(last); src[0] == slotTmp64 {
				t.Set(slotTmp128, t.vmake(t.Get(ir.I64, slotTmp64), t.zero64()))
			}
			arg |= avxMem
		}
		if t.halves() == 2 {
			arg |= avxWide
		}
		switch value {
		case flagValue:
			t.setFlags(t.Call(ir.I64, hAVX, ir.NoStop, t.Const(ir.I64, arg)))
			return
		case regValue:
			v := t.Call(ir.I64, hAVX, ir.NoStop, t.Const(ir.I64, arg))
			t.setReg(t.in.reg, 4, t.Conv(ir.I32, v, false))
			return
		}
		if !toReg {
			panic("BUG: x86: AVX operation without a destination")
		}
		r := t.Call(ir.I64, hAVX, ir.NoStop, t.Const(ir.I64, arg))
		t.Forget(xmmSlot(dst))
		t.Forget(ymmhSlot(dst))
		if fp {
			t.Forget(slotMXCSR)
			t.Guard(r, faultCode(vecXM, 0, false))
		}
	}
}

func addAVXHelperEmitters(m map[string]emitter) {
	for i, op := range avxOps() {
		f := avxHelper(i, &op)
		if half, ok := m[op.name]; ok && op.value == noValue { // of 128 bits there is an ir.Vec
			whole := f
			f = func(t *tx) {
				if t.in.length == 16 {
					half(t)
				} else {
					whole(t)
				}
			}
		}
		m[op.name] = f
	}
	for name, f := range map[string]emitter{
		"VEXTRACTF128": emitExtract128, "VEXTRACTI128": emitExtract128, "VCVTPS2PH": emitCvtps2ph,
		"VMASKMOVPS": maskedMove(4), "VMASKMOVPD": maskedMove(8), "VPMASKMOVD": maskedMove(4), "VPMASKMOVQ": maskedMove(8),
		"VGATHERDPS": gather(4, 4), "VGATHERQPS": gather(8, 4), "VGATHERDPD": gather(4, 8), "VGATHERQPD": gather(8, 8),
		"VPGATHERDD": gather(4, 4), "VPGATHERQD": gather(8, 4), "VPGATHERDQ": gather(4, 8), "VPGATHERQQ": gather(8, 8),
	} {
		m[name] = f
	}
	for _, n := range []string{"VPMOVMSKB", "VMOVMSKPS", "VMOVMSKPD"} { // of 128 bits as SSE's
		wide, narrow := m[n], m[n[1:]]
		m[n] = func(t *tx) {
			if t.in.length == 16 {
				narrow(t)
			} else {
				wide(t)
			}
		}
	}
}

func emitExtract128(t *tx) {
	if !t.avxAllowed() {
		return
	}
	v := t.Get(ir.V128, halfSlot(t.in.reg, int(t.in.imm&1)))
	if t.in.mem {
		t.store128(v, false)
		return
	}
	t.setXMM(t.in.rm, v)
	t.clearUpper(t.in.rm)
}

// lane32 and setLane32 are the doublewords of a register.
func lane32(v *ymm, i int) uint64 { return v[i>>1&3] >> (i & 1 * 32) & 0xffffffff }
func setLane32(v *ymm, i int, x uint64) {
	at := i & 1 * 32
	v[i>>1&3] = v[i>>1&3]&^(0xffffffff<<at) | x&0xffffffff<<at
}

// lanesOf makes a result of n lanes of bits.
func lanesOf(bits int, f func(i int) uint64) (v ymm) {
	for i := range 256 / bits {
		at := i * bits
		v[at>>6&3] |= f(i) & (^uint64(0) >> (64 - bits)) << (at & 63)
	}
	return v
}

// lane is lane i of bits.
func lane(v *ymm, bits, i int) uint64 {
	at := i * bits
	return v[at>>6&3] >> (at & 63) & (^uint64(0) >> (64 - bits))
}

// avxOps lists the operations of the helper hAVX.
func avxOps() []avxOp {
	var ops []avxOp
	add := func(name string, f func(x *avxArgs)) {
		ops = append(ops, avxOp{name: name, f: func(_ *CPU, x *avxArgs) uint64 { f(x); return 0 }})
	}
	value := func(name string, kind valueKind, f func(x *avxArgs) uint64) {
		ops = append(ops, avxOp{name: name, value: kind, f: func(_ *CPU, x *avxArgs) uint64 {
			if !x.wide { // what is beyond 128 bits does not count
				x.d[2], x.d[3], x.b[2], x.b[3] = 0, 0, 0, 0
			}
			return f(x)
		}})
	}
	add("VPERMILPS", func(x *avxArgs) {
		if x.constant {
			x.d = lanesOf(32, func(i int) uint64 { return lane32(&x.b, i&4|int(x.imm>>(i&3*2)&3)) })
			return
		}
		x.d = lanesOf(32, func(i int) uint64 { return lane32(&x.a, i&4|int(lane32(&x.b, i)&3)) })
	})
	add("VPERMILPD", func(x *avxArgs) {
		if x.constant {
			x.d = lanesOf(64, func(i int) uint64 { return x.b[i&2|int(x.imm>>i&1)] })
			return
		}
		x.d = lanesOf(64, func(i int) uint64 { return x.a[i&2|int(x.b[i]>>1&1)] })
	})
	add("VPERMPS", func(x *avxArgs) {
		x.d = lanesOf(32, func(i int) uint64 { return lane32(&x.b, int(lane32(&x.a, i)&7)) })
	})
	add("VPERMD", func(x *avxArgs) {
		x.d = lanesOf(32, func(i int) uint64 { return lane32(&x.b, int(lane32(&x.a, i)&7)) })
	})
	quad := func(x *avxArgs) { x.d = lanesOf(64, func(i int) uint64 { return x.b[x.imm>>(2*i)&3] }) }
	add("VPERMQ", quad)
	add("VPERMPD", quad)
	two := func(x *avxArgs) {
		pick := func(n uint64) lanes {
			switch {
			case n&8 != 0:
				return lanes{}
			case n&2 != 0:
				return lanes{x.b[n&1*2], x.b[n&1*2+1]}
			}
			return lanes{x.a[n&1*2], x.a[n&1*2+1]}
		}
		lo, hi := pick(x.imm), pick(x.imm>>4)
		x.d = ymm{lo[0], lo[1], hi[0], hi[1]}
	}
	add("VPERM2F128", two)
	add("VPERM2I128", two)
	insert := func(x *avxArgs) {
		x.d = x.a
		copy(x.d[x.imm&1*2:], x.b[:2])
	}
	add("VINSERTF128", insert)
	add("VINSERTI128", insert)
	both := func(x *avxArgs) { x.d = ymm{x.b[0], x.b[1], x.b[0], x.b[1]} }
	add("VBROADCASTF128", both)
	add("VBROADCASTI128", both)
	for _, b := range []struct {
		name string
		bits int
	}{{"VBROADCASTSS", 32}, {"VBROADCASTSD", 64}, {"VPBROADCASTB", 8}, {"VPBROADCASTW", 16}, {"VPBROADCASTD", 32}, {"VPBROADCASTQ", 64}} {
		add(b.name, func(x *avxArgs) { x.d = lanesOf(b.bits, func(int) uint64 { return x.b[0] }) })
	}
	for _, b := range []struct {
		name string
		bits int
	}{{"VPBLENDD", 32}, {"VBLENDPD", 64}} {
		add(b.name, func(x *avxArgs) {
			x.d = lanesOf(b.bits, func(i int) uint64 {
				if x.imm>>i&1 != 0 {
					return lane(&x.b, b.bits, i)
				}
				return lane(&x.a, b.bits, i)
			})
		})
	}
	for _, b := range []struct {
		name string
		bits int
	}{{"VPBLENDVB", 8}, {"VBLENDVPS", 32}, {"VBLENDVPD", 64}} {
		ops = append(ops, avxOp{name: b.name, f: func(c *CPU, x *avxArgs) uint64 {
			n := x.imm >> 4
			if !c.long() {
				n &= 7
			}
			mask := c.ymm(n)
			x.d = lanesOf(b.bits, func(i int) uint64 {
				if lane(&mask, b.bits, i)>>(b.bits-1) != 0 {
					return lane(&x.b, b.bits, i)
				}
				return lane(&x.a, b.bits, i)
			})
			return 0
		}})
	}
	for _, s := range []struct {
		name string
		bits int
		f    func(v, n uint64) uint64
	}{
		{"VPSLLVD", 32, func(v, n uint64) uint64 { return v << n }}, {"VPSLLVQ", 64, func(v, n uint64) uint64 { return v << n }},
		{"VPSRLVD", 32, func(v, n uint64) uint64 { return v >> n }}, {"VPSRLVQ", 64, func(v, n uint64) uint64 { return v >> n }},
		{"VPSRAVD", 32, func(v, n uint64) uint64 { return uint64(int64(int32(v)) >> min(n, 31)) }},
	} {
		add(s.name, func(x *avxArgs) {
			x.d = lanesOf(s.bits, func(i int) uint64 { return s.f(lane(&x.a, s.bits, i), lane(&x.b, s.bits, i)) })
		})
	}
	test := func(x *avxArgs, signs uint64) uint64 {
		var zf, cf uint64
		for i := range x.d {
			zf |= x.d[i] & x.b[i] & signs
			cf |= ^x.d[i] & x.b[i] & signs
		}
		return b2u(zf == 0)<<6 | b2u(cf == 0)
	}
	value("VPTEST", flagValue, func(x *avxArgs) uint64 { return test(x, ^uint64(0)) })
	value("VTESTPS", flagValue, func(x *avxArgs) uint64 { return test(x, signs32) })
	value("VTESTPD", flagValue, func(x *avxArgs) uint64 { return test(x, 1<<63) })
	for _, s := range []struct {
		name string
		kind uint64
	}{{"VPMOVMSKB", 0}, {"VMOVMSKPS", 2}, {"VMOVMSKPD", 3}} {
		value(s.name, regValue, func(x *avxArgs) uint64 {
			return signMask(x.b[0], x.b[1], s.kind) | signMask(x.b[2], x.b[3], s.kind)<<(16>>s.kind)
		})
	}
	for _, w := range []struct {
		name     string
		from, to int
	}{{"BW", 8, 16}, {"BD", 8, 32}, {"BQ", 8, 64}, {"WD", 16, 32}, {"WQ", 16, 64}, {"DQ", 32, 64}} {
		add("VPMOVZX"+w.name, func(x *avxArgs) {
			x.d = lanesOf(w.to, func(i int) uint64 { return lane(&x.b, w.from, i) })
		})
		add("VPMOVSX"+w.name, func(x *avxArgs) {
			s := 64 - w.from
			x.d = lanesOf(w.to, func(i int) uint64 { return uint64(int64(lane(&x.b, w.from, i)<<s) >> s) })
		})
	}
	return append(ops, avxFloatOps()...)
}
