package x86

import "rhea/internal/guest"

// Types of system descriptors (SDM vol. 3, table 3-2).
const (
	typeTSS16      = 1
	typeLDT        = 2
	typeTSS16Busy  = 3
	typeCallGate16 = 4
	typeTaskGate   = 5
	typeIntGate16  = 6
	typeTrapGate16 = 7
	typeTSS32      = 9
	typeTSS32Busy  = 11
	typeCallGate32 = 12
	typeIntGate32  = 14
	typeTrapGate32 = 15

	typeBusy = 2 // the bit that tells busy TSSs
	type32   = 8 // the bit that tells 32-bit TSSs and gates
)

// attrBits are the bits of a descriptor's second dword that Segment.Attr keeps.
const attrBits = 0x00ffff00

// descriptor is an entry of the GDT, LDT or IDT (SDM vol. 3, 3.4.5 and 5.8.3).
type descriptor struct {
	lo, hi uint32
	upper  uint32 // of the base of a system descriptor in IA-32e mode
	at     uint64 // linear address
}

func (d *descriptor) attr() uint64  { return uint64(d.hi) }
func (d *descriptor) dpl() int      { return int(d.hi >> 13 & 3) }
func (d *descriptor) present() bool { return d.hi&attrP != 0 }
func (d *descriptor) base() uint32  { return d.lo>>16 | d.hi&0xff<<16 | d.hi&0xff000000 }

func (d *descriptor) limit() uint64 {
	l := uint64(d.lo&0xffff | d.hi&0xf0000)
	if d.hi&attrG != 0 {
		l = l<<12 | 0xfff
	}
	return l
}

// system returns the type of a system descriptor, or -1 for code and data.
func (d *descriptor) system() int {
	if d.hi&attrS != 0 {
		return -1
	}
	return int(d.hi >> 8 & 15)
}

func (d *descriptor) isCode() bool       { return d.hi&(attrS|attrCode) == attrS|attrCode }
func (d *descriptor) isLong() bool       { return d.hi&attrL != 0 }
func (d *descriptor) isConforming() bool { return d.hi&attrCE != 0 }
func (d *descriptor) isWritable() bool   { return d.hi&(attrS|attrCode|attrRW) == attrS|attrRW }

// isReadable: data, or code that can be read.
func (d *descriptor) isReadable() bool {
	return d.hi&attrS != 0 && d.hi&(attrCode|attrRW) != attrCode
}

func (d *descriptor) isAvailableTSS() bool {
	t := d.system()
	return t == typeTSS16 || t == typeTSS32
}

func (d *descriptor) isBusyTSS() bool {
	t := d.system()
	return t == typeTSS16Busy || t == typeTSS32Busy
}

// gateSelector, gateOffset and gateParams are the fields of gates.
func (d *descriptor) gateSelector() uint16 { return uint16(d.lo >> 16) }
func (d *descriptor) gateParams() int      { return int(d.hi & 31) }
func (d *descriptor) gateOffset() uint64 {
	if d.hi>>8&type32 != 0 {
		return uint64(d.upper)<<32 | uint64(d.lo&0xffff|d.hi&0xffff0000)
	}
	return uint64(d.lo & 0xffff)
}

// segment is what a segment register loaded with d holds.
func (d *descriptor) segment(sel uint16) Segment {
	g := Segment{Sel: uint64(sel), Base: uint64(d.upper)<<32 | uint64(d.base()), Limit: d.limit(), Attr: d.attr() & attrBits}
	cacheBounds(&g)
	return g
}

func isNull(sel uint16) bool { return sel&^3 == 0 }
func rpl(sel uint16) int     { return int(sel & 3) }

// readDescriptor fetches the descriptor that sel selects. It reports false if
// sel lies outside of its table; sel is not null.
func (c *CPU) readDescriptor(sel uint16) (d descriptor, ok bool, f *guest.Fault) {
	base, limit := c.s.GDTR.Base, c.s.GDTR.Limit
	if sel&4 != 0 {
		base, limit = c.s.LDTR.Base, c.s.LDTR.Limit
		if c.s.LDTR.Attr&attrP == 0 {
			return d, false, nil
		}
	}
	if uint64(sel|7) > limit {
		return d, false, nil
	}
	if d.at = base + uint64(sel&^7); !c.ia32e() {
		d.at &= 0xffffffff
	}
	d.lo, f = c.load32(d.at)
	if f == nil {
		d.hi, f = c.load32(d.at + 4)
	}
	return d, f == nil, f
}

// readUpper reads the second half of a system descriptor of IA-32e mode (SDM
// vol. 3, 7.2.3), which has the upper half of its address.
func (c *CPU) readUpper(d *descriptor) *guest.Fault {
	if !c.ia32e() {
		return nil
	}
	v, f := c.load64(d.at + 8)
	if f != nil {
		return f
	}
	if v>>40&0x1f != 0 || !canonical(v<<32) { // the type must be 0
		return gpSel(uint16(d.at))
	}
	d.upper = uint32(v)
	return nil
}

// setAccessed sets the accessed bit of a code or data descriptor.
func (c *CPU) setAccessed(d *descriptor) *guest.Fault {
	if d.hi&attrA != 0 {
		return nil
	}
	if f := c.storeSystem(d.at+5, 1, uint64(d.hi>>8&0xff|1)); f != nil {
		return f
	}
	d.hi |= attrA
	return nil
}

// setBusy sets or clears the busy bit of a TSS descriptor in the GDT.
func (c *CPU) setBusy(at uint64, busy bool) *guest.Fault {
	v, f := c.loadSystem(at+5, 1)
	if f != nil {
		return f
	}
	v &^= typeBusy
	if busy {
		v |= typeBusy
	}
	return c.storeSystem(at+5, 1, v)
}

// loadSeg loads ES, SS, DS, FS or GS as MOV, POP, LDS and their like do
// (SDM vol. 2, MOV).
func (c *CPU) loadSeg(seg int, sel uint16) *guest.Fault {
	if !c.protected() {
		c.loadSegReal(seg, sel)
		c.refreshMode()
		return nil
	}
	if isNull(sel) {
		if seg == SS && (!c.long() || c.cpl == 3 || rpl(sel) != c.cpl) {
			return gp(0)
		}
		if seg == SS {
			c.nullStack(c.cpl)
			c.refreshMode()
			return nil
		}
		c.nullSeg(seg, sel)
		c.refreshMode()
		return nil
	}
	d, ok, f := c.readDescriptor(sel)
	if f != nil {
		return f
	}
	if !ok {
		return gpSel(sel)
	}
	if seg == SS {
		f = c.checkStackSeg(&d, sel)
	} else {
		f = c.checkDataSeg(&d, sel)
	}
	if f == nil {
		f = c.setAccessed(&d)
	}
	if f != nil {
		return f
	}
	c.s.Seg[seg] = d.segment(sel)
	c.refreshMode()
	return nil
}

func (c *CPU) checkStackSeg(d *descriptor, sel uint16) *guest.Fault {
	if rpl(sel) != c.cpl || d.dpl() != c.cpl || !d.isWritable() {
		return gpSel(sel)
	}
	if !d.present() {
		return ssSel(sel)
	}
	return nil
}

func (c *CPU) checkDataSeg(d *descriptor, sel uint16) *guest.Fault {
	if !d.isReadable() {
		return gpSel(sel)
	}
	if !(d.isCode() && d.isConforming()) && (rpl(sel) > d.dpl() || c.cpl > d.dpl()) {
		return gpSel(sel)
	}
	if !d.present() {
		return npSel(sel)
	}
	return nil
}

// loadSegReal loads a segment register in real-address and virtual-8086 mode
// (SDM vol. 3, 20.1.1 and 20.2.2). In real-address mode the limit and the
// default size stay what they were ("unreal" mode).
func (c *CPU) loadSegReal(seg int, sel uint16) {
	g := &c.s.Seg[seg]
	g.Sel, g.Base = uint64(sel), uint64(sel)<<4
	if c.v86() {
		g.Limit, g.Attr = 0xffff, attrV86
	} else {
		g.Attr = g.Attr&(attrDB|attrG|0xf0000) | attrReal
	}
	cacheBounds(g)
}

// nullSeg makes a data segment register unusable. The limit stays in the
// cache, for real-address mode.
func (c *CPU) nullSeg(seg int, sel uint16) {
	g := &c.s.Seg[seg]
	*g = Segment{Sel: uint64(sel), Limit: g.Limit}
}

// nullStack loads SS with the null selector, which 64-bit mode has at level cpl.
func (c *CPU) nullStack(cpl int) {
	c.s.Seg[SS] = nullStack(cpl)
}

func nullStack(cpl int) Segment {
	g := Segment{Sel: uint64(cpl), Limit: 0xffffffff, Attr: attrReal | attrDB | attrG | uint64(cpl)<<13}
	cacheBounds(&g)
	return g
}

// dropSegments makes the data segment registers unusable that a return to
// outer level cpl must not leave (SDM vol. 2, RET).
func (c *CPU) dropSegments(cpl int) {
	for _, i := range [...]int{ES, FS, GS, DS} {
		g := &c.s.Seg[i]
		if isNull(uint16(g.Sel)) && c.ia32e() { // its base stays
			continue
		}
		conforming := g.Attr&(attrCode|attrCE) == attrCode|attrCE
		if int(g.Attr>>13&3) < cpl && !conforming {
			c.nullSeg(i, 0)
		}
	}
}

// needRing0 is the check of privileged instructions.
func (c *CPU) needRing0() *guest.Fault {
	if c.cpl != 0 {
		return gp(0)
	}
	return nil
}

// needProtected is the check of instructions that real-address and
// virtual-8086 mode do not have.
func (c *CPU) needProtected() *guest.Fault {
	if !c.protected() {
		return &guest.Fault{Vector: vecUD}
	}
	return nil
}

// lldt is LLDT (SDM vol. 2).
func (c *CPU) lldt(sel uint16) *guest.Fault {
	if f := c.needProtected(); f != nil {
		return f
	}
	if f := c.needRing0(); f != nil {
		return f
	}
	if isNull(sel) {
		c.s.LDTR = Segment{Sel: uint64(sel)}
		return nil
	}
	if sel&4 != 0 {
		return gpSel(sel)
	}
	d, ok, f := c.readDescriptor(sel)
	switch {
	case f != nil:
		return f
	case !ok || d.system() != typeLDT:
		return gpSel(sel)
	case !d.present():
		return npSel(sel)
	}
	if f := c.readUpper(&d); f != nil {
		return f
	}
	c.s.LDTR = d.segment(sel)
	return nil
}

// ltr is LTR (SDM vol. 2).
func (c *CPU) ltr(sel uint16) *guest.Fault {
	if f := c.needProtected(); f != nil {
		return f
	}
	if f := c.needRing0(); f != nil {
		return f
	}
	if isNull(sel) {
		return gp(0)
	}
	if sel&4 != 0 {
		return gpSel(sel)
	}
	d, ok, f := c.readDescriptor(sel)
	switch {
	case f != nil:
		return f
	case !ok || !d.isAvailableTSS() || c.ia32e() && d.system() != typeTSS32:
		return gpSel(sel)
	case !d.present():
		return npSel(sel)
	}
	if f := c.readUpper(&d); f != nil {
		return f
	}
	if f := c.setBusy(d.at, true); f != nil {
		return f
	}
	d.hi |= typeBusy << 8
	c.s.TR = d.segment(sel)
	return nil
}

// inspect reads the descriptor for LAR, LSL, VERR and VERW: ok is false where
// these clear ZF because sel selects nothing that the program may know of.
func (c *CPU) inspect(sel uint16) (d descriptor, ok bool, f *guest.Fault) {
	if f := c.needProtected(); f != nil {
		return d, false, f
	}
	if isNull(sel) {
		return d, false, nil
	}
	d, ok, f = c.readDescriptor(sel)
	if ok && !(d.isCode() && d.isConforming()) && (c.cpl > d.dpl() || rpl(sel) > d.dpl()) {
		ok = false
	}
	return d, ok, f
}

// lar is LAR: the access rights; ok is ZF (SDM vol. 2).
func (c *CPU) lar(sel uint16) (rights uint32, ok bool, f *guest.Fault) {
	d, ok, f := c.inspect(sel)
	if !ok {
		return 0, false, f
	}
	switch d.system() {
	case -1, typeTSS16, typeLDT, typeTSS16Busy, typeCallGate16, typeTaskGate,
		typeTSS32, typeTSS32Busy, typeCallGate32:
		return d.hi & 0x00f0ff00, true, nil
	}
	return 0, false, nil
}

// lsl is LSL: the limit in bytes; ok is ZF (SDM vol. 2).
func (c *CPU) lsl(sel uint16) (limit uint32, ok bool, f *guest.Fault) {
	d, ok, f := c.inspect(sel)
	if !ok {
		return 0, false, f
	}
	switch d.system() {
	case -1, typeTSS16, typeLDT, typeTSS16Busy, typeTSS32, typeTSS32Busy:
		return uint32(d.limit()), true, nil
	}
	return 0, false, nil
}

// verr is VERR and verw is VERW: ok is ZF (SDM vol. 2).
func (c *CPU) verr(sel uint16) (ok bool, f *guest.Fault) {
	d, ok, f := c.inspect(sel)
	return ok && d.isReadable(), f
}

func (c *CPU) verw(sel uint16) (ok bool, f *guest.Fault) {
	d, ok, f := c.inspect(sel)
	return ok && d.isWritable(), f
}

// arpl is ARPL: what becomes of the destination; adjusted is ZF (SDM vol. 2).
func (c *CPU) arpl(dst, src uint16) (sel uint16, adjusted bool, f *guest.Fault) {
	if f := c.needProtected(); f != nil {
		return dst, false, f
	}
	if dst&3 < src&3 {
		return dst&^3 | src&3, true, nil
	}
	return dst, false, nil
}

// arplMemory is ARPL with the destination in memory, at off in segment seg:
// the result is ZF. The destination is written only if that changes it; a
// segment or page that is read-only matters not otherwise.
func (c *CPU) arplMemory(seg, off, src uint64) (uint64, *guest.Fault) {
	lin, f := c.at(int(seg), off, 2, false)
	if f != nil {
		return 0, f
	}
	dst, f := c.loadLinear(lin, 2, c.mmuIndex())
	if f != nil {
		return 0, f
	}
	sel, adjusted, f := c.arpl(uint16(dst), uint16(src))
	if f != nil || !adjusted {
		return 0, f
	}
	if _, f = c.at(int(seg), off, 2, true); f == nil {
		f = c.storeLinear(lin, 2, c.mmuIndex(), uint64(sel))
	}
	return 1, f
}
