package x86

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file has XSAVE and its like (SDM vol. 1, chapter 13).

// XCR0: the states that are enabled.
const (
	xcrX87 = 1 << 0
	xcrSSE = 1 << 1
	xcrYMM = 1 << 2
	xcrAVX = xcrSSE | xcrYMM
)

// The area, in the standard form: FXSAVE's image, a header, the upper halves of
// the YMM registers.
const (
	xsaveHeader = 512
	xsaveYMM    = 576
	xsaveEnd    = xsaveYMM + 256
)

// xcrBits are the bits of XCR0 that can be set.
func (m *Model) xcrBits() uint64 {
	bits := uint64(xcrX87)
	if m.has(featSSE) {
		bits |= xcrSSE
	}
	if m.has(featAVX) {
		bits |= xcrYMM
	}
	return bits
}

// areaSize is how large the area is for a set of states.
func areaSize(xcr0 uint64) uint32 {
	if xcr0&xcrYMM != 0 {
		return xsaveEnd
	}
	return xsaveYMM
}

// xsaveLeaf is leaf 0DH of CPUID.
func (c *CPU) xsaveLeaf(sub uint32) [4]uint32 {
	all := c.model.xcrBits()
	switch {
	case sub == 0:
		return [4]uint32{uint32(all), areaSize(c.s.XCR0), areaSize(all), 0}
	case sub == 1:
		return [4]uint32{c.model.Features.word(leafD1EAX)}
	case sub == 2 && all&xcrYMM != 0:
		return [4]uint32{256, xsaveYMM}
	}
	return [4]uint32{}
}

// osxsave raises #UD unless CR4.OSXSAVE is set.
func (t *tx) osxsave() bool {
	if !t.is(modeOSXSAVE) {
		t.raise(vecUD, 0, false)
		return false
	}
	return true
}

func emitXgetbv(t *tx) {
	if !t.osxsave() {
		return
	}
	t.Guard(t.CmpImm(ir.Ne, t.reg(rCX, 4), 0), faultCode(vecGP, 0, true))
	v := t.Get(ir.I64, slotXCR0)
	t.setReg(rAX, 4, t.Conv(ir.I32, v, false))
	t.setReg(rDX, 4, t.Extract(ir.I32, v, 32, 32))
}

func emitXsetbv(t *tx) {
	if t.osxsave() {
		t.callExit(hXsetbv)
	}
}

// xsetbv is XSETBV.
func (c *CPU) xsetbv() *guest.Fault {
	s := c.s
	v := s.GPR[rDX]<<32 | s.GPR[rAX]&0xffffffff
	switch {
	case c.cpl != 0 || uint32(s.GPR[rCX]) != 0:
		return gp(0)
	case v&xcrX87 == 0 || v&^c.model.xcrBits() != 0 || v&xcrYMM != 0 && v&xcrSSE == 0:
		return gp(0)
	}
	s.XCR0 = v
	c.refreshMode()
	return nil
}

// xsave is XSAVE, XSAVEOPT and XRSTOR, by helpers.
func xsave(h int) emitter {
	return func(t *tx) {
		if !t.osxsave() {
			return
		}
		if t.is(modeTS) {
			t.raise(vecNM, 0, false)
			return
		}
		off := t.ea()
		t.callExit(h, t.Conv(ir.I64, off, false), t.Const(ir.I64, uint64(t.segment())), t.Const(ir.I64, t.fxFormat()))
	}
}

// xarea is the area of the current instruction.
type xarea struct {
	c    *CPU
	at   uint64
	rfbm uint64 // the states asked for
	f    *guest.Fault
}

// area checks the memory operand at off in a segment.
func (c *CPU) area(off, seg uint64, a guest.Access) (x xarea, f *guest.Fault) {
	rfbm := c.s.XCR0 & (c.s.GPR[rDX]<<32 | c.s.GPR[rAX]&0xffffffff)
	size := areaSize(rfbm)
	at, f := c.at(int(seg), off, uint64(size), a == guest.Write)
	if f != nil {
		return x, f
	}
	if at&63 != 0 {
		return x, gp(0)
	}
	return xarea{c: c, at: at, rfbm: rfbm}, c.probe(at, int(size), c.mmuIndex(), a)
}

func (x *xarea) load(off uint64) uint64 {
	v, f := x.c.mem.Load(x.at+off, 8, x.c.mmuIndex())
	if x.f == nil {
		x.f = f
	}
	return v
}

func (x *xarea) store(off, v uint64) {
	if f := x.c.mem.Store(x.at+off, 8, x.c.mmuIndex(), v); x.f == nil {
		x.f = f
	}
}

// xsave is XSAVE and XSAVEOPT.
func (c *CPU) xsave(off, seg, format uint64) *guest.Fault {
	x, f := c.area(off, seg, guest.Write)
	if f != nil {
		return f
	}
	s := c.s
	old := x.load(xsaveHeader)
	if x.rfbm&xcrX87 != 0 {
		for k := range uint64(3) {
			x.store(8*k, c.imageWord(format, k))
		}
		for k := range uint64(16) {
			x.store(fxST+8*k, c.imageWord(format, partST+k))
		}
	}
	if x.rfbm&xcrAVX != 0 {
		x.store(24, c.imageWord(format, 3))
	}
	if x.rfbm&xcrSSE != 0 {
		for i := range c.modeVectors() {
			x.store(fxXMM+16*uint64(i), s.XMM[i][0])
			x.store(fxXMM+16*uint64(i)+8, s.XMM[i][1])
		}
	}
	if x.rfbm&xcrYMM != 0 {
		for i := range c.modeVectors() {
			x.store(xsaveYMM+16*uint64(i), s.YMMH[i][0])
			x.store(xsaveYMM+16*uint64(i)+8, s.YMMH[i][1])
		}
	}
	x.store(xsaveHeader, old&^x.rfbm|x.rfbm)
	return x.f
}

// modeVectors is how many vector registers the mode has.
func (c *CPU) modeVectors() int {
	if c.long() {
		return 16
	}
	return 8
}

// xrstor is XRSTOR, of the standard form.
func (c *CPU) xrstor(off, seg, format uint64) *guest.Fault {
	x, f := c.area(off, seg, guest.Read)
	if f != nil {
		return f
	}
	s := c.s
	has := x.load(xsaveHeader)
	if has&^s.XCR0 != 0 || x.load(xsaveHeader+8) != 0 || x.load(xsaveHeader+16) != 0 {
		return gp(0)
	}
	var mxcsr uint64
	if x.rfbm&xcrAVX != 0 {
		if mxcsr = x.load(24) & 0xffffffff; mxcsr&^c.model.mxcsrMask() != 0 {
			return gp(0)
		}
	}
	if x.f != nil {
		return x.f
	}
	if x.rfbm&xcrX87 != 0 {
		if has&xcrX87 == 0 {
			c.x87Control(ctlFNINIT, 0)
			s.FPR = [8][2]uint64{}
		} else {
			for k := range uint64(3) {
				c.putImage(format, k, x.load(8*k), 0)
			}
			for k := uint64(0); k < 16; k += 2 {
				c.putImage(imageFX, partST+k, x.load(fxST+8*k), x.load(fxST+8*k+8))
			}
		}
	}
	if x.rfbm&xcrAVX != 0 {
		s.MXCSR = mxcsr
	}
	registers := func(state uint64, r *[16][2]uint64, at uint64) {
		if x.rfbm&state == 0 {
			return
		}
		for i := range c.modeVectors() {
			r[i] = lanes{}
			if has&state != 0 {
				r[i] = lanes{x.load(at + 16*uint64(i)), x.load(at + 16*uint64(i) + 8)}
			}
		}
	}
	registers(xcrSSE, &s.XMM, fxXMM)
	registers(xcrYMM, &s.YMMH, xsaveYMM)
	return x.f
}
