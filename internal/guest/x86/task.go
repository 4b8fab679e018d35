package x86

import "rhea/internal/guest"

// This file has task switches by hardware (SDM vol. 3, chapter 7) and the I/O
// permission bitmap of the TSS (vol. 1, 18.5.2).

// Offsets in the 32-bit TSS (SDM vol. 3, figure 7-2).
const (
	tss32CR3   = 0x1c
	tss32EIP   = 0x20
	tss32Flags = 0x24
	tss32GPR   = 0x28
	tss32Seg   = 0x48
	tss32LDT   = 0x60
	tss32Trap  = 0x64
	tss32IOMap = 0x66
	tss32Limit = 0x67
)

// Offsets in the 16-bit TSS (SDM vol. 3, figure 7-10).
const (
	tss16IP    = 0x0e
	tss16Flags = 0x10
	tss16GPR   = 0x12
	tss16Seg   = 0x22 // ES, CS, SS, DS
	tss16LDT   = 0x2a
	tss16Limit = 0x2b
)

type switchKind uint8

const (
	switchJump   switchKind = iota
	switchCall              // CALL, and events through task gates: nested
	switchReturn            // IRET
)

// taskSwitch is one switch to the task whose TSS sel selects.
type taskSwitch struct {
	sel   uint16
	to    descriptor // its descriptor
	kind  switchKind
	ip    uint64 // to be saved in the old task
	flags uint64 // likewise
	ext   uint32
}

// taskState is what a TSS gives of a task.
type taskState struct {
	cr3, ip, flags uint32
	gpr            [8]uint32
	seg            [6]uint16
	ldt            uint16
	trap           bool
	wide           bool // a 32-bit TSS
}

// switchTask does SDM vol. 3, 7.3. Its caller has checked the right to do so,
// that the TSS is present and that it is busy or not as it must be. Faults up
// to the commit leave the old task as it was; later ones are the new task's.
// The caller goes on with endSwitch.
func (c *CPU) switchTask(w *taskSwitch) *guest.Fault {
	wide := w.to.hi>>8&type32 != 0
	least := uint64(tss16Limit)
	if wide {
		least = tss32Limit
	}
	if w.to.limit() < least {
		return fault(vecTS, selCode(w.sel, w.ext))
	}
	// All that the switch touches must be there (step 5).
	st, f := c.readTask(w.to.base(), wide)
	if f != nil {
		return f
	}
	if f := c.probeSwitch(w); f != nil {
		return f
	}

	if w.kind != switchCall && !isNull(uint16(c.s.TR.Sel)) {
		if f := c.setBusy(uint64(uint32(c.s.GDTR.Base)+uint32(c.s.TR.Sel&^7)), false); f != nil {
			return f
		}
	}
	if w.kind == switchReturn {
		w.flags &^= flagNT
	}
	if f := c.saveTask(w); f != nil {
		return f
	}
	if w.kind == switchCall {
		if f := c.storeSystem(uint64(w.to.base()), 2, c.s.TR.Sel); f != nil {
			return f
		}
		st.flags |= flagNT
	}
	if w.kind != switchReturn {
		if f := c.setBusy(w.to.at, true); f != nil {
			return f
		}
		w.to.hi |= typeBusy << 8
	}

	// The commit point: from here on the new task runs.
	c.s.TR = w.to.segment(w.sel)
	c.s.CR0 |= cr0TS
	c.s.DR[7] &^= dr7Locals
	if st.trap {
		c.debugHits |= dr6BT
	}
	f = c.loadTask(&st, w.ext)
	c.refreshMode()
	return f
}

// readTask reads the dynamic part of a TSS, and what is only read of it.
func (c *CPU) readTask(base uint32, wide bool) (st taskState, f *guest.Fault) {
	read := func(off uint32, size int) uint32 {
		if f != nil {
			return 0
		}
		var v uint64
		v, f = c.loadSystem(uint64(base+off), size)
		return uint32(v)
	}
	st.wide = wide
	if wide {
		st.cr3 = read(tss32CR3, 4)
		st.ip = read(tss32EIP, 4)
		st.flags = read(tss32Flags, 4)
		for i := range st.gpr {
			st.gpr[i] = read(tss32GPR+4*uint32(i), 4)
		}
		for i := range st.seg {
			st.seg[i] = uint16(read(tss32Seg+4*uint32(i), 2))
		}
		st.ldt = uint16(read(tss32LDT, 2))
		st.trap = read(tss32Trap, 2)&1 != 0
		return st, f
	}
	st.ip = read(tss16IP, 2)
	st.flags = read(tss16Flags, 2)
	for i := range st.gpr { // the manual does not say what becomes of the upper halves
		st.gpr[i] = 0xffff0000 | read(tss16GPR+2*uint32(i), 2)
	}
	for i := range 4 {
		st.seg[i] = uint16(read(tss16Seg+2*uint32(i), 2))
	}
	st.ldt = uint16(read(tss16LDT, 2))
	return st, f
}

// savedPart is where the current TSS keeps what a switch saves.
func (c *CPU) savedPart() (off, size uint32) {
	if c.s.TR.Attr>>8&type32 != 0 {
		return tss32EIP, tss32LDT - tss32EIP
	}
	return tss16IP, tss16LDT - tss16IP
}

// probeSwitch checks that everything a switch writes can be written.
func (c *CPU) probeSwitch(w *taskSwitch) *guest.Fault {
	tr := &c.s.TR
	off, size := c.savedPart()
	if uint64(off+size-1) > tr.Limit {
		return fault(vecTS, selCode(uint16(tr.Sel), w.ext))
	}
	if f := c.probeRange(tr.linear(off), size); f != nil {
		return f
	}
	if w.kind == switchCall {
		if f := c.probeRange(uint64(w.to.base()), 2); f != nil {
			return f
		}
	} else if !isNull(uint16(tr.Sel)) {
		if f := c.probeRange(uint64(uint32(c.s.GDTR.Base)+uint32(tr.Sel&^7)+5), 1); f != nil {
			return f
		}
	}
	if w.kind == switchReturn {
		return nil
	}
	return c.probeRange(w.to.at+5, 1)
}

// probeRange checks that the processor can write a range of less than a page.
func (c *CPU) probeRange(lin uint64, size uint32) *guest.Fault {
	if f := c.probe(lin, 1, c.systemIndex(), guest.Write); f != nil {
		return f
	}
	return c.probe((lin+uint64(size)-1)&0xffffffff, 1, c.systemIndex(), guest.Write)
}

// saveTask writes the state of the current task to its TSS.
func (c *CPU) saveTask(w *taskSwitch) *guest.Fault {
	tr := &c.s.TR
	at, _ := c.savedPart()
	var f *guest.Fault
	write := func(size int, v uint64) {
		if f == nil {
			f = c.storeSystem(tr.linear(at), size, v)
		}
		at += uint32(size)
	}
	if tr.Attr>>8&type32 != 0 {
		write(4, w.ip)
		write(4, w.flags)
		for _, v := range c.s.GPR[:8] {
			write(4, v)
		}
		for i := range c.s.Seg {
			write(2, c.s.Seg[i].Sel)
			at += 2
		}
		return f
	}
	write(2, w.ip)
	write(2, w.flags)
	for _, v := range c.s.GPR[:8] {
		write(2, v)
	}
	for i := range 4 {
		write(2, c.s.Seg[i].Sel)
	}
	return f
}

// loadTask loads a task's state and then checks its segments, in that task.
func (c *CPU) loadTask(st *taskState, ext uint32) *guest.Fault {
	s := c.s
	var bad *guest.Fault
	if st.wide && s.CR0&cr0PG != 0 {
		s.CR3 = uint64(st.cr3)
		if c.pae() {
			if f := c.loadPDPTEs(st.cr3); f != nil {
				bad = fault(vecTS, selCode(uint16(s.TR.Sel), ext))
			}
		}
		c.mem.FlushTLB(s.CR4&cr4PGE != 0)
	}
	s.IP = uint64(st.ip)
	flags := uint64(st.flags)
	if !st.wide {
		flags &^= flagVM
	}
	c.setEFLAGS(flags, flagsAll)
	for i, v := range st.gpr {
		s.GPR[i] = uint64(v)
	}
	// The selectors come first, all unusable; SS carries the level.
	for i, v := range st.seg {
		c.nullSeg(i, v)
	}
	cpl := rpl(st.seg[CS])
	s.Seg[SS].Attr = uint64(cpl) << 13
	s.LDTR = Segment{Sel: uint64(st.ldt)}
	c.refreshMode()
	if bad != nil {
		return bad
	}
	if f := c.loadTaskLDT(st.ldt, ext); f != nil {
		return f
	}
	if c.v86() {
		for i, v := range st.seg {
			c.loadSegReal(i, v)
		}
		return nil
	}
	if f := c.loadTaskCS(st.seg[CS], ext); f != nil {
		return f
	}
	if f := c.loadTaskSS(st.seg[SS], cpl, ext); f != nil {
		return f
	}
	for _, i := range [...]int{ES, DS, FS, GS} {
		if f := c.loadTaskData(i, st.seg[i], cpl, ext); f != nil {
			return f
		}
	}
	return nil
}

func (c *CPU) loadTaskLDT(sel uint16, ext uint32) *guest.Fault {
	if isNull(sel) {
		return nil
	}
	bad := fault(vecTS, selCode(sel, ext))
	if sel&4 != 0 {
		return bad
	}
	d, ok, f := c.readDescriptor(sel)
	if f != nil {
		return f
	}
	if !ok || d.system() != typeLDT || !d.present() {
		return bad
	}
	c.s.LDTR = d.segment(sel)
	return nil
}

// taskSegment reads a descriptor for a segment register of a new task.
func (c *CPU) taskSegment(sel uint16, ext uint32) (descriptor, *guest.Fault) {
	d, ok, f := c.readDescriptor(sel)
	if f == nil && !ok {
		f = fault(vecTS, selCode(sel, ext))
	}
	return d, f
}

func (c *CPU) loadTaskCS(sel uint16, ext uint32) *guest.Fault {
	if isNull(sel) {
		return fault(vecTS, selCode(sel, ext))
	}
	d, f := c.taskSegment(sel, ext)
	if f != nil {
		return f
	}
	conforming := d.isConforming()
	if !d.isCode() || conforming && d.dpl() > rpl(sel) || !conforming && d.dpl() != rpl(sel) {
		return fault(vecTS, selCode(sel, ext))
	}
	if !d.present() {
		return fault(vecNP, selCode(sel, ext))
	}
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.s.Seg[CS] = d.segment(sel)
	return nil
}

func (c *CPU) loadTaskSS(sel uint16, cpl int, ext uint32) *guest.Fault {
	if isNull(sel) {
		return fault(vecTS, selCode(sel, ext))
	}
	d, f := c.taskSegment(sel, ext)
	if f != nil {
		return f
	}
	if !d.isWritable() || d.dpl() != cpl || rpl(sel) != cpl {
		return fault(vecTS, selCode(sel, ext))
	}
	if !d.present() {
		return fault(vecSS, selCode(sel, ext))
	}
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.s.Seg[SS] = d.segment(sel)
	return nil
}

func (c *CPU) loadTaskData(seg int, sel uint16, cpl int, ext uint32) *guest.Fault {
	if isNull(sel) {
		return nil
	}
	d, f := c.taskSegment(sel, ext)
	if f != nil {
		return f
	}
	conforming := d.isCode() && d.isConforming()
	if !d.isReadable() || !conforming && (cpl > d.dpl() || rpl(sel) > d.dpl()) {
		return fault(vecTS, selCode(sel, ext))
	}
	if !d.present() {
		return fault(vecNP, selCode(sel, ext))
	}
	if f := c.setAccessed(&d); f != nil {
		return f
	}
	c.s.Seg[seg] = d.segment(sel)
	return nil
}

// endSwitch makes the last checks of a task switch, in the new task.
func (c *CPU) endSwitch(ext uint32) *guest.Fault {
	if c.s.IP > c.s.Seg[CS].Limit {
		return gp(ext)
	}
	if hits := c.debugHits & dr6BT; hits != 0 {
		c.debugHits = 0
		return debugFault(hits)
	}
	return nil
}

// ioMapBase is the I/O map base address of the TSS.
func (c *CPU) ioMapBase() (uint32, *guest.Fault) {
	tr := &c.s.TR
	if tr.Attr&attrP == 0 || tr.Attr>>8&type32 == 0 || tr.Limit < tss32Limit {
		return 0, gp(0)
	}
	v, f := c.load16(tr.linear(tss32IOMap))
	return uint32(v), f
}

// ioCheck is the check of IN, OUT, INS and OUTS on size bytes at port (SDM
// vol. 1, 18.5; vol. 3, 20.2.8.1).
func (c *CPU) ioCheck(port uint32, size int) *guest.Fault {
	if c.cpl <= c.iopl() && !c.v86() || c.s.CR0&cr0PE == 0 {
		return nil
	}
	base, f := c.ioMapBase()
	if f != nil {
		return f
	}
	// Two bytes are read always: a port's bits may lie in both.
	at := base + port>>3
	if uint64(at)+1 > c.s.TR.Limit {
		return gp(0)
	}
	v, f := c.load16(c.s.TR.linear(at))
	if f != nil {
		return f
	}
	if v>>(port&7)&(1<<size-1) != 0 {
		return gp(0)
	}
	return nil
}
