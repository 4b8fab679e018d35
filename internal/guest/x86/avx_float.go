package x86

import (
	"math/bits"
	"strings"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/softfloat"
)

// This file has the floating point of AVX, FMA and F16C that a helper does, and
// the accesses to memory by masks and by indexes.

// avxFloat does operation op; the destination is to be written unless it reports
// an unmasked exception (see sseFloat).
func (c *CPU) avxFloat(op *avxOp, x *avxArgs) (bad bool) {
	u := &c.sse
	mxcsr := c.s.MXCSR
	if mxcsr&mxControl != u.control || !u.ready {
		u.load(mxcsr)
	}
	u.inexact = mxcsr&mxPE != 0
	u.env.Flags = 0
	op.f(c, x)
	flags := u.env.Flags & softfloat.Exceptions
	if flags&preComputation&u.unmasked != 0 {
		flags &= preComputation // nothing was computed
	}
	c.s.MXCSR = mxcsr | uint64(flags)
	return flags&u.unmasked != 0
}

func avxFloatOps() []avxOp {
	var ops []avxOp
	add := func(name string, f func(u *sseUnit, x *avxArgs)) {
		ops = append(ops, avxOp{name: name, fp: true, f: func(c *CPU, x *avxArgs) uint64 { f(&c.sse, x); return 0 }})
	}
	// of gives the lanes that there are: exceptions are of those only.
	of := func(x *avxArgs, n int, f func(i int)) {
		if !x.wide {
			n /= 2
		}
		for i := range n {
			f(i)
		}
	}
	add("VCVTPS2PD", func(u *sseUnit, x *avxArgs) {
		of(x, 4, func(i int) { x.d[i] = u.f32ToF64(uint32(lane32(&x.b, i))) })
	})
	add("VCVTDQ2PD", func(_ *sseUnit, x *avxArgs) {
		of(x, 4, func(i int) { x.d[i] = i32ToF64(uint32(lane32(&x.b, i))) })
	})
	narrow := func(name string, f func(u *sseUnit, v uint64) uint64) {
		add(name, func(u *sseUnit, x *avxArgs) {
			x.d = ymm{}
			of(x, 4, func(i int) { setLane32(&x.d, i, f(u, x.b[i])) })
			x.wide = false
		})
	}
	narrow("VCVTPD2PS", (*sseUnit).f64ToF32)
	narrow("VCVTPD2DQ", func(u *sseUnit, v uint64) uint64 { return u.f64ToI32(v, u.env.Round) })
	narrow("VCVTTPD2DQ", func(u *sseUnit, v uint64) uint64 { return u.f64ToI32(v, softfloat.ToZero) })
	add("VCVTPH2PS", func(u *sseUnit, x *avxArgs) {
		b := x.b
		of(x, 8, func(i int) { setLane32(&x.d, i, uint64(u.f16ToF32(uint16(lane(&b, 16, i))))) })
	})
	for _, form := range []string{"132", "213", "231"} {
		for _, kind := range []string{"VFMADD", "VFMSUB", "VFNMADD", "VFNMSUB", "VFMADDSUB", "VFMSUBADD"} {
			scalars := !strings.HasSuffix(kind, "SUB") || len(kind) < 9
			if kind == "VFMSUBADD" {
				scalars = false
			}
			add(kind+form+"PS", func(u *sseUnit, x *avxArgs) {
				r := x.d
				of(x, 8, func(i int) { setLane32(&r, i, u.fused32(kind, form, x, i)) })
				x.d = r
			})
			add(kind+form+"PD", func(u *sseUnit, x *avxArgs) {
				r := x.d
				of(x, 4, func(i int) { r[i] = u.fused64(kind, form, x, i) })
				x.d = r
			})
			if !scalars {
				continue
			}
			add(kind+form+"SS", func(u *sseUnit, x *avxArgs) {
				setLane32(&x.d, 0, u.fused32(kind, form, x, 0))
				x.wide = false
			})
			add(kind+form+"SD", func(u *sseUnit, x *avxArgs) {
				x.d[0] = u.fused64(kind, form, x, 0)
				x.wide = false
			})
		}
	}
	return ops
}

// fusedOrder picks multiplicands and addend: 132 is first by third plus second.
func fusedOrder(form string, first, second, third uint64) (a, b, c uint64) {
	switch form {
	case "132":
		return first, third, second
	case "213":
		return second, first, third
	}
	return second, third, first
}

// fusedSigns says whether the product and the addend of lane i are negated.
func fusedSigns(kind string, i int) (product, addend bool) {
	switch kind {
	case "VFMSUB":
		return false, true
	case "VFNMADD":
		return true, false
	case "VFNMSUB":
		return true, true
	case "VFMADDSUB":
		return false, i&1 == 0
	case "VFMSUBADD":
		return false, i&1 != 0
	}
	return false, false
}

func (u *sseUnit) fused32(kind, form string, x *avxArgs, i int) uint64 {
	v, w, z := fusedOrder(form, lane32(&x.d, i), lane32(&x.a, i), lane32(&x.b, i))
	a, b, c := softfloat.F32(v), softfloat.F32(w), softfloat.F32(z)
	product, addend := fusedSigns(kind, i)
	if nan32(v) || nan32(w) || nan32(z) { // the sign of a NaN stays
		product, addend = false, false
	}
	if product {
		a ^= 1 << 31
	}
	if addend {
		c ^= 1 << 31
	}
	return uint64(a.MulAdd(&u.env, b, c))
}

func (u *sseUnit) fused64(kind, form string, x *avxArgs, i int) uint64 {
	v, w, z := fusedOrder(form, x.d[i], x.a[i], x.b[i])
	a, b, c := softfloat.F64(v), softfloat.F64(w), softfloat.F64(z)
	product, addend := fusedSigns(kind, i)
	if nan64(v) || nan64(w) || nan64(z) {
		product, addend = false, false
	}
	if product {
		a ^= 1 << 63
	}
	if addend {
		c ^= 1 << 63
	}
	return uint64(a.MulAdd(&u.env, b, c))
}

func nan32(v uint64) bool { return v&0x7fffffff > 0x7f800000 }
func nan64(v uint64) bool { return v&(1<<63-1) > 0x7ff<<52 }

// f16ToF32 widens a number of half precision; that is exact (SDM vol. 2,
// VCVTPH2PS).
func (u *sseUnit) f16ToF32(h uint16) uint32 {
	sign, exp, man := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&0x3ff)
	switch {
	case exp == 31 && man != 0:
		if man&0x200 == 0 {
			u.env.Flags |= softfloat.Invalid
		}
		return sign | 0x7fc00000 | man<<13
	case exp == 31:
		return sign | 0x7f800000
	case exp != 0:
		return sign | (exp+112)<<23 | man<<13
	case man == 0:
		return sign
	}
	n := uint32(bits.Len32(man)) // subnormal: 2^(n-25) and below
	return sign | (n+102)<<23 | man<<(24-n)&0x7fffff
}

// f32ToF16 rounds to half precision in direction r (SDM vol. 2, VCVTPS2PH).
func (u *sseUnit) f32ToF16(v uint32, r softfloat.Rounding) uint16 {
	sign, exp, man := uint16(v>>16&0x8000), int(v>>23&0xff), v&0x7fffff
	switch {
	case exp == 0xff && man != 0:
		if man&0x400000 == 0 {
			u.env.Flags |= softfloat.Invalid
		}
		return sign | 0x7e00 | uint16(man>>13)
	case exp == 0xff:
		return sign | 0x7c00
	case exp == 0 && man != 0:
		if u.env.DAZ {
			return sign
		}
		u.env.Flags |= softfloat.Denormal
	}
	if exp == 0 && man == 0 {
		return sign
	}
	if exp != 0 {
		man |= 0x800000
	} else {
		exp = 1
	}
	// The exponent of the result's last place, and what is below it.
	e := exp - 127
	drop := 13
	if e < -14 {
		drop = min(13-14-e, 31)
	}
	kept, rest := uint64(man)>>drop, uint64(man)&(1<<drop-1)
	half := uint64(1) << (drop - 1)
	up := false
	switch r {
	case softfloat.NearestEven:
		up = rest > half || rest == half && kept&1 != 0
	case softfloat.Up:
		up = sign == 0 && rest != 0
	case softfloat.Down:
		up = sign != 0 && rest != 0
	}
	tiny := e < -14
	if up {
		kept++
	}
	if rest != 0 {
		u.env.Flags |= softfloat.Inexact
	}
	if tiny {
		if kept >= 0x400 && !u.tinyAfter(man, drop, r, sign != 0) {
			tiny = false
		}
		if tiny && (rest != 0 || u.unmasked&softfloat.Underflow != 0) {
			u.env.Flags |= softfloat.Underflow
		}
		return sign | uint16(kept)
	}
	if kept >= 0x800 {
		kept >>= 1
		e++
	}
	if e > 15 {
		u.env.Flags |= softfloat.Overflow | softfloat.Inexact
		if r == softfloat.ToZero || r == softfloat.Up && sign != 0 || r == softfloat.Down && sign == 0 {
			return sign | 0x7bff
		}
		return sign | 0x7c00
	}
	return sign | uint16(e+15)<<10 | uint16(kept&0x3ff)
}

// tinyAfter reports whether a number that rounds up to the least normal one is
// tiny after rounding to the full precision with an unbounded exponent.
func (u *sseUnit) tinyAfter(man uint32, drop int, r softfloat.Rounding, negative bool) bool {
	drop-- // one place more
	kept, rest := uint64(man)>>drop, uint64(man)&(1<<drop-1)
	half := uint64(1) << (drop - 1)
	switch {
	case r == softfloat.NearestEven && (rest > half || rest == half && kept&1 != 0),
		r == softfloat.Up && !negative && rest != 0, r == softfloat.Down && negative && rest != 0:
		kept++
	}
	return kept < 0x800
}

// emitCvtps2ph is VCVTPS2PH, whose destination may be memory.
func emitCvtps2ph(t *tx) {
	if !t.avxAllowed() {
		return
	}
	size := t.in.length / 2
	var lin ir.Val
	if t.in.mem {
		lin = t.linear(t.segment(), t.ea(), size, true)
		t.Load(t.addImm(lin, uint64(size-8)), ir.Mem{Size: 8, Index: t.mmu(), RMW: true})
		t.Load(lin, ir.Mem{Size: 8, Index: t.mmu(), RMW: true})
	}
	r := t.Call(ir.I64, hHalf, ir.NoStop, t.Const(ir.I64, uint64(t.in.reg)|uint64(t.in.length)<<8|t.in.imm<<16))
	t.Forget(slotMXCSR)
	t.Forget(slotTmpResult)
	t.Guard(r, faultCode(vecXM, 0, false))
	v := t.Get(ir.V128, slotTmpResult)
	switch {
	case !t.in.mem:
		t.setXMM(t.in.rm, v)
		t.clearUpper(t.in.rm)
	case size == 8:
		t.Store(lin, t.vlow(v), ir.Mem{Size: 8, Index: t.mmu()})
	default:
		t.Store(lin, v, ir.Mem{Size: 16, Index: t.mmu()})
	}
}

// toHalf is the helper of VCVTPS2PH; the result goes to scratch.
func (c *CPU) toHalf(arg, _, _ uint64) (uint64, bool) {
	op := avxOp{f: func(c *CPU, x *avxArgs) uint64 {
		r := softfloat.Rounding(x.imm & 3)
		if x.imm&4 != 0 {
			r = c.sse.env.Round
		}
		for i := range int(arg >> 8 & 0xff / 4) {
			x.d[i>>2] |= uint64(c.sse.f32ToF16(uint32(lane32(&x.b, i)), r)) << (i & 3 * 16)
		}
		return 0
	}}
	x := avxArgs{b: c.ymm(arg & 15), imm: arg >> 16}
	if c.avxFloat(&op, &x) {
		return faulted, false
	}
	c.s.Tmp[8], c.s.Tmp[9] = x.d[0], x.d[1]
	return 0, false
}

// An access by the helper hGather: its argument has the size of elements, their
// number, and registers.
const (
	gatherSize  = 0  // 4 or 8
	gatherIndex = 4  // 4 or 8: size of the indexes; 0 = VMASKMOVPS and its like
	gatherDst   = 8  // register
	gatherMask  = 12 // register
	gatherVec   = 16 // register of the indexes
	gatherCount = 20
	gatherScale = 24
	gatherSeg   = 28
	gatherStore = 1 << 32
	gatherAddr  = 36 // address size
)

// maskedMove is VMASKMOVPS and so on.
func maskedMove(size int) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		arg := uint64(size)<<gatherSize | uint64(t.in.reg)<<gatherDst | uint64(t.in.vvvv)<<gatherMask | uint64(t.in.length/size)<<gatherCount
		if t.in.enc.operands[0].kind == kindM {
			arg |= gatherStore
		}
		t.elements(arg)
	}
}

// gather is VGATHERDPS and so on.
func gather(index, size int) emitter {
	return func(t *tx) {
		if !t.avxAllowed() {
			return
		}
		in := &t.in
		if in.vindex < 0 || in.vindex == in.reg || in.vindex == in.vvvv || in.reg == in.vvvv {
			t.raise(vecUD, 0, false)
			return
		}
		in.index = -1 // the rest of the address
		n := in.length / max(index, size)
		t.elements(uint64(size)<<gatherSize | uint64(index)<<gatherIndex | uint64(in.reg)<<gatherDst | uint64(in.vvvv)<<gatherMask |
			uint64(in.vindex)<<gatherVec | uint64(n)<<gatherCount | uint64(in.scale)<<gatherScale)
	}
}

// elements calls the helper, which may store: the unit ends.
func (t *tx) elements(arg uint64) {
	arg |= uint64(t.segment())<<gatherSeg | uint64(t.in.adsize)<<gatherAddr
	off := t.ea()
	t.callExit(hGather, t.Const(ir.I64, arg), t.Conv(ir.I64, off, false), t.Const(ir.I64, uint64(t.in.length)))
}

// avxMemory does it: what of a gather is done before a fault stays done (SDM vol.
// 2, VPGATHERDD).
func (c *CPU) avxMemory(arg, off, length uint64) (uint64, *guest.Fault) {
	size, index := arg>>gatherSize&15, arg>>gatherIndex&15
	dst, mask := arg>>gatherDst&15, arg>>gatherMask&15
	n, wide := int(arg>>gatherCount&15), length == 32
	d, m := c.ymm(dst), c.ymm(mask)
	w := int(size) * 8
	address := func(i int) (uint64, *guest.Fault) {
		at := off + uint64(i)*size
		if index != 0 {
			v := c.ymm(arg >> gatherVec)
			x := lane(&v, int(index)*8, i)
			if index == 4 {
				x = uint64(int64(int32(x)))
			}
			at = off + x<<(arg>>gatherScale&3)
		}
		at &= ^uint64(0) >> (64 - arg>>gatherAddr&15*8)
		return c.at(int(arg>>gatherSeg&7), at, size, arg&gatherStore != 0)
	}
	chosen := func(i int) bool { return lane(&m, w, i)>>(w-1) != 0 }
	if arg&gatherStore != 0 {
		for i := range n {
			if !chosen(i) {
				continue
			}
			lin, f := address(i)
			if f == nil {
				f = c.probe(lin, int(size), c.mmuIndex(), guest.Write)
			}
			if f != nil {
				return 0, f
			}
		}
		for i := range n {
			if chosen(i) {
				lin, _ := address(i)
				if f := c.storeLinear(lin, int(size), c.mmuIndex(), lane(&d, w, i)); f != nil {
					return 0, f
				}
			}
		}
		return 0, nil
	}
	put := func(i int, v uint64) {
		at := i * w
		all := ^uint64(0) >> (64 - w)
		d[at>>6] = d[at>>6]&^(all<<(at&63)) | v<<(at&63)
	}
	var fault *guest.Fault
	for i := range n {
		if !chosen(i) {
			if index == 0 {
				put(i, 0)
			}
			continue
		}
		lin, f := address(i)
		var v uint64
		if f == nil {
			v, f = c.loadLinear(lin, int(size), c.mmuIndex())
		}
		if f != nil {
			fault = f
			break
		}
		put(i, v)
		if index != 0 {
			at := i * w
			m[at>>6] &^= ^uint64(0) >> (64 - w) << (at & 63)
		}
	}
	if fault != nil && index == 0 {
		return 0, fault
	}
	if index == 8 && size == 4 { // half as many as there is room for
		for i := n; i < 8; i++ {
			put(i, 0)
		}
		wide = false
	}
	c.setYMM(dst, d, wide)
	if index != 0 {
		if fault == nil {
			m = ymm{}
		}
		c.setYMM(mask, m, wide)
	}
	return 0, fault
}
