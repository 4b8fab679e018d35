package x86

import "rhea/internal/guest"

// stringInsn is the operands of a string instruction (SDM vol. 2, REP).
type stringInsn struct {
	kind   int
	size   uint64
	adsize int
	seg    int
	rep    uint64 // 0, 1 = REP or REPE, 2 = REPNE
	once   bool   // stop after one iteration (single step)
}

// maxIterations bounds a run between looks at interrupts.
const maxIterations = 1 << 16

// stringHelper does string instructions with a repeat prefix, and all INS and
// OUTS: arg is tx.stringArg's. After a fault or a run the registers say how
// far it came; IP stays on an instruction that is not finished. CMPS and SCAS
// return the flags.
func (c *CPU) stringHelper(arg, next, _ uint64) (uint64, bool) {
	in := stringInsn{
		kind: int(arg & 15), size: arg >> 4 & 15, adsize: int(arg >> 8 & 15),
		seg: int(arg >> 12 & 15), rep: arg >> 16 & 3, once: arg>>20&1 != 0,
	}
	done, fault := c.runString(&in)
	if fault != nil {
		c.Raise(fault)
		return 0, true
	}
	if !done {
		c.debugTrap(c.mode&modeTF != 0)
		return 0, true
	}
	if in.kind == sCmps || in.kind == sScas {
		return c.arithFlags(), false
	}
	return 0, false
}

// wrapped reads an index register within the address size.
func (in *stringInsn) wrapped(v uint64) uint64 { return v & in.mask() }

// mask are the bits of an offset.
func (in *stringInsn) mask() uint64 { return ^uint64(0) >> (64 - 8*in.adsize) }

// advance adds to an index register within the address size.
func (in *stringInsn) advance(r *uint64, n uint64) {
	next := (*r + n) & in.mask()
	if in.adsize == 2 {
		next |= *r &^ 0xffff
	}
	*r = next
}

func (c *CPU) runString(in *stringInsn) (done bool, fault *guest.Fault) {
	s := c.s
	if in.kind >= sIns {
		if f := c.ioCheck(uint32(s.GPR[rDX]&0xffff), int(in.size)); f != nil && (in.rep == 0 || in.wrapped(s.GPR[rCX]) != 0) {
			return false, f
		}
	}
	if in.rep == 0 {
		return true, c.iterate(in)
	}
	for n := 0; in.wrapped(s.GPR[rCX]) != 0; {
		if n >= maxIterations {
			return false, nil
		}
		k := c.stringFast(in)
		if k == 0 {
			if f := c.iterate(in); f != nil {
				return false, f
			}
			k = 1
			in.advance(&s.GPR[rCX], ^uint64(0))
		}
		if in.kind == sCmps || in.kind == sScas {
			if zf := c.arithFlags()&flagZF != 0; zf != (in.rep == 1) {
				return true, nil
			}
		}
		n += int(k)
		if in.once && in.wrapped(s.GPR[rCX]) != 0 {
			return false, nil
		}
	}
	return true, nil
}

// at checks an access and returns its linear address.
func (c *CPU) at(seg int, off, size uint64, write bool) (uint64, *guest.Fault) {
	g := &c.s.Seg[seg]
	hi := g.RHi
	if write {
		hi = g.WHi
	}
	if c.mode&modeFull(seg) == 0 && (off < g.Lo || off+size > hi) {
		if seg == SS {
			return 0, fault(vecSS, 0)
		}
		return 0, gp(0)
	}
	lin := c.linearIn(seg, off)
	if c.mode&modeAlign != 0 && size <= 8 && lin&(size-1) != 0 {
		return 0, fault(vecAC, 0)
	}
	if c.mode&modeDbgData != 0 {
		c.dataBreak(lin, int(size), write)
	}
	return lin, nil
}

// linearLong is the linear address of off in a segment in 64-bit mode.
func (c *CPU) linearLong(seg int, off uint64) uint64 {
	if seg >= FS {
		return c.s.Seg[seg].Base + off
	}
	return off
}

// linearIn is the linear address of off in a segment, without checks.
func (c *CPU) linearIn(seg int, off uint64) uint64 {
	if c.long() {
		return c.linearLong(seg, off)
	}
	return (c.s.Seg[seg].Base + off) & 0xffffffff
}

// iterate does one iteration.
func (c *CPU) iterate(in *stringInsn) *guest.Fault {
	s, idx, size := c.s, c.mmuIndex(), int(in.size)
	step := uint64(int64(int32(s.DF))) * in.size
	var src, dst uint64
	var f *guest.Fault
	if in.kind == sMovs || in.kind == sLods || in.kind == sCmps || in.kind == sOuts {
		if src, f = c.at(in.seg, in.wrapped(s.GPR[rSI]), in.size, false); f != nil {
			return f
		}
	}
	if in.kind != sLods && in.kind != sOuts {
		if dst, f = c.at(ES, in.wrapped(s.GPR[rDI]), in.size, in.kind != sCmps && in.kind != sScas); f != nil {
			return f
		}
	}
	mask := ^uint64(0) >> (64 - 8*in.size)
	var v uint64
	switch in.kind {
	case sMovs, sLods, sCmps, sOuts:
		if v, f = c.mem.Load(src, size, idx); f != nil {
			return f
		}
	case sStos, sScas:
		v = s.GPR[rAX] & mask
	case sIns:
		if f = c.mem.Probe(dst, size, idx, guest.Write); f != nil {
			return f
		}
		v = c.mem.In(s.GPR[rDX]&0xffff, size)
	}
	switch in.kind {
	case sMovs, sStos, sIns:
		if f = c.mem.Store(dst, size, idx, v); f != nil {
			return f
		}
	case sLods:
		if in.size == 4 { // clears what is above
			s.GPR[rAX] = 0
		}
		s.GPR[rAX] = s.GPR[rAX]&^mask | v
	case sOuts:
		c.mem.Out(s.GPR[rDX]&0xffff, size, v)
	case sCmps, sScas:
		y, f := c.mem.Load(dst, size, idx)
		if f != nil {
			return f
		}
		s.CCOp, s.CCDst, s.CCSrc = ccCmp+log2(size), v, y
	}
	if in.kind != sStos && in.kind != sIns && in.kind != sScas {
		in.advance(&s.GPR[rSI], step)
	}
	if in.kind != sLods && in.kind != sOuts {
		in.advance(&s.GPR[rDI], step)
	}
	return nil
}
