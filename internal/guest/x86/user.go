package x86

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file is the processor without a system around it: it runs a program in
// user mode, and what would go through the IDT stops it instead.

// Pages says what a program may do with its memory.
type Pages interface {
	// Page is asked of the page at a linear address.
	Page(lin uint64) (read, write, exec bool)
}

// Trap is an exception or a software interrupt that has stopped a processor in
// user mode.
type Trap struct {
	guest.Fault
	// Soft: it was INT n, INT3 or INTO, and IP is behind the instruction.
	Soft bool
}

// Selectors that StartUser loads, of a flat code and a flat data segment in a
// GDT that the caller provides (SDM vol. 3, 3.4.2).
const (
	UserCode = 4<<3 | 3
	UserData = 5<<3 | 3
)

// UserIndex is the MMU index of a program's accesses.
const UserIndex = mmuUser

// SystemMemory is the physical address at which a processor in user mode finds
// its descriptor tables: linear address n of them is SystemMemory+n. The GDT
// is at its beginning and has 32 entries, the LDT follows at SystemLDT.
const (
	SystemMemory = 1 << 48
	SystemLDT    = 0x10000
	SystemSize   = 0x20000
	gdtEntries   = 32
)

// StartUser puts a processor that has Config.Pages into 32-bit user mode, with
// flat segments, exceptions of the x87 and SSE enabled as Linux does, and all
// general registers zero but ESP.
func (c *CPU) StartUser(ip, sp uint32) {
	s := c.s
	*s = State{
		IP: uint64(ip), DF: 1, Flags: flag1 | flagIF, CCOp: ccFlags,
		CR0: cr0PE | cr0MP | cr0ET | cr0NE, FCW: 0x37f, MXCSR: 0x1f80,
	}
	if c.model.has(featSSE) {
		s.CR4 |= cr4OSFXSR | cr4OSXMMEXCPT
	}
	s.GPR[rSP] = uint64(sp)
	s.GDTR.Limit = gdtEntries*8 - 1
	const flat = attrP | attrS | attrDPL | attrDB | attrG | attrA | attrRW | 0xf<<16
	for i := range s.Seg {
		g := Segment{Sel: UserData, Limit: 0xffffffff, Attr: flat}
		switch i {
		case CS:
			g.Sel, g.Attr = UserCode, flat|attrCode
		case FS, GS:
			g = Segment{}
		}
		cacheBounds(&g)
		s.Seg[i] = g
	}
	s.LDTR = Segment{Attr: typeLDT << 8}
	s.TR = Segment{Limit: 0, Attr: attrP | typeTSS32Busy<<8}
	c.halted, c.event, c.debugHits = false, guest.NoEvent, 0
	c.refreshMode()
}

// SetLDT makes the first n entries of the LDT valid.
func (c *CPU) SetLDT(n int) {
	c.s.LDTR = Segment{Attr: typeLDT << 8}
	if n > 0 {
		c.s.LDTR = Segment{Sel: 8, Base: SystemLDT, Limit: uint64(8*n - 1), Attr: attrP | typeLDT<<8}
	}
}

// LoadSegment loads a segment register as MOV does.
func (c *CPU) LoadSegment(seg int, sel uint16) *guest.Fault {
	if seg == CS {
		if isNull(sel) || rpl(sel) != 3 {
			return gpSel(sel)
		}
		d, ok, f := c.readDescriptor(sel)
		if f != nil {
			return f
		}
		if !ok || !d.isCode() || !d.present() || d.dpl() != 3 {
			return gpSel(sel)
		}
		c.s.Seg[CS] = d.segment(sel)
		c.refreshMode()
		return nil
	}
	return c.loadSeg(seg, sel)
}

// TimeStamps reports whether a program may read the time stamp counter.
func (c *CPU) TimeStamps() bool { return c.s.CR4&cr4TSD == 0 }

// SetTimeStamps has it be that, or not (CR4.TSD).
func (c *CPU) SetTimeStamps(may bool) {
	c.s.CR4 &^= cr4TSD
	if !may {
		c.s.CR4 |= cr4TSD
	}
}

// CopyUser makes the processor's state a copy of another's.
func (c *CPU) CopyUser(from *CPU) { c.SetUser(from.s) }

// SetUser sets the processor's state to one that Registers has returned.
func (c *CPU) SetUser(s *State) {
	*c.s = *s
	c.refreshMode()
}

// TakeTrap returns what has stopped the processor.
func (c *CPU) TakeTrap() Trap { return c.trap }

// trapped stops the processor.
func (c *CPU) trapped(f *guest.Fault, soft bool) {
	c.trap = Trap{*f, soft}
	if f.Vector == vecPF {
		c.s.CR2 = f.Addr
	}
	c.event = guest.Trapped
}

// softUser is INT n in user mode: the gates of 3, 4 and 80H are for programs,
// as on Linux; the others are not.
func (c *CPU) softUser(vec int, kind softKind, nextIP uint64) *guest.Fault {
	if kind == softINT && vec != 3 && vec != 4 && vec != 0x80 {
		return gp(uint32(vec)<<3 | 2)
	}
	c.s.IP = nextIP
	c.trapped(&guest.Fault{Vector: vec}, true)
	return nil
}

// walkUser is Walk in user mode.
func (c *CPU) walkUser(va uint64, a guest.Access, idx int) (guest.Page, *guest.Fault) {
	lin := va
	if !c.long() {
		lin &= 0xffffffff
	}
	if idx != mmuUser {
		return guest.Page{PA: SystemMemory + lin&(SystemSize-1)&^0xfff, Readable: true, Writable: true}, nil
	}
	if c.long() && !canonical(lin) {
		return guest.Page{}, gp(0)
	}
	r, w, x := c.cfg.Pages.Page(lin)
	if ok := [...]bool{guest.Read: r, guest.Write: w, guest.Fetch: x}[a]; !ok {
		code := uint32(pfU)
		if r || w || x {
			code |= pfP
		}
		switch a {
		case guest.Write:
			code |= pfW
		case guest.Fetch:
			code |= pfI
		}
		return guest.Page{}, &guest.Fault{Vector: vecPF, Code: code, HasCode: true, Addr: lin}
	}
	return guest.Page{PA: lin &^ 0xfff, Readable: r, Writable: w, Exec: x}, nil
}

// UserFault is the page fault of an access of a program's own code.
func UserFault(lin uint64, write, mapped bool) *guest.Fault {
	f := &guest.Fault{Vector: vecPF, Code: pfU, HasCode: true, Addr: lin}
	if write {
		f.Code |= pfW
	}
	if mapped {
		f.Code |= pfP
	}
	return f
}

// UserBus is the vector of the fault of an access to a page with no memory behind
// it, which only the host knows of.
const UserBus = 0x101

// UserBusFault is that fault.
func UserBusFault(lin uint64, write bool) *guest.Fault {
	f := UserFault(lin, write, true)
	f.Vector = UserBus
	return f
}

// --- LOCK between threads

// guardAgain is the vector of guards that have an instruction begin anew:
// another thread came between its load and its store.
const guardAgain = 0x83

// locked reports whether the current instruction must be atomic for other
// threads of the program: XCHG is without a prefix (SDM vol. 3, 8.1.2.1).
func (t *tx) locked() bool {
	return t.c.cfg.Pages != nil && (t.in.lock || t.in.enc.name == "XCHG")
}

// swap stores v where old was loaded from, or has the instruction begin anew if
// old is there no more.
func (t *tx) swap(addr, old, v ir.Val, size int) {
	typ := t.TypeOf(old)
	now := t.Call(typ, hCas+bits.TrailingZeros(uint(size)), ir.KeepsStack, addr, old, v)
	t.Guard(t.Cmp(ir.Ne, now, old), guardAgain)
}

// splitLock is what atomic operations take that the host's cannot do: across
// pages, and on memory that is not RAM to be accessed directly.
var splitLock sync.Mutex

// cas makes a helper that compares and swaps size bytes; it returns what was
// there.
func (c *CPU) cas(size int) guest.Helper {
	return c.fallible(func(va, old, v uint64) (uint64, *guest.Fault) {
		if b := c.mem.Bytes(va, size, mmuUser, guest.Write); len(b) >= size {
			if now, ok := swapBytes(b, size, old, v); ok {
				return now, nil
			}
		}
		splitLock.Lock()
		defer splitLock.Unlock()
		if f := c.mem.Probe(va, size, mmuUser, guest.Write); f != nil {
			return 0, f
		}
		now, f := c.mem.Load(va, size, mmuUser)
		if f == nil && now == old {
			f = c.mem.Store(va, size, mmuUser, v)
		}
		return now, f
	})
}

// fence makes a helper that orders all memory accesses before it before all
// behind it.
func fence() guest.Helper {
	var x atomic.Uint32
	return func(_, _, _ uint64) (uint64, bool) {
		x.Add(1)
		return 0, false
	}
}

// FeatureWord is EDX of CPUID leaf 1, less what only systems use.
func (m *Model) FeatureWord() uint32 { return m.Features.word(leaf1EDX) &^ uint32(featAPIC) }

// Sizes of the images of SaveFX and SaveX87.
const (
	FXSize  = fxSize
	X87Size = 108
)

// userFormat is the form of FXSAVE's image in a signal's frame: in 64-bit mode
// that of FXSAVE64.
func (c *CPU) userFormat() uint64 {
	if c.long() {
		return imageFX | imageLong
	}
	return imageFX
}

// SaveFX makes FXSAVE's image.
func (c *CPU) SaveFX(b []byte) {
	clear(b[:fxSize])
	le, format := binary.LittleEndian, c.userFormat()
	for k := range uint64(4) {
		le.PutUint64(b[8*k:], c.imageWord(format, k))
	}
	for i := range uint64(8) {
		le.PutUint64(b[fxST+16*i:], c.imageWord(format, partST+2*i))
		le.PutUint64(b[fxST+16*i+8:], c.imageWord(format, partST+2*i+1))
	}
	putVectors(b[fxXMM:], c.s.XMM[:c.modeVectors()])
}

// LoadFX loads FXSAVE's image. Reserved bits are ignored.
func (c *CPU) LoadFX(b []byte) {
	le, format := binary.LittleEndian, c.userFormat()
	for k := range uint64(3) {
		c.putImage(format, k, le.Uint64(b[8*k:]), 0)
	}
	c.s.MXCSR = uint64(le.Uint32(b[24:])) & c.model.mxcsrMask()
	for i := range uint64(8) {
		c.putImage(format, partST+2*i, le.Uint64(b[fxST+16*i:]), le.Uint64(b[fxST+16*i+8:]))
	}
	vectorsOf(c.s.XMM[:c.modeVectors()], b[fxXMM:])
	c.x87Summary()
}

func putVectors(b []byte, list [][2]uint64) {
	for i, v := range list {
		binary.LittleEndian.PutUint64(b[16*i:], v[0])
		binary.LittleEndian.PutUint64(b[16*i+8:], v[1])
	}
}

func vectorsOf(list [][2]uint64, b []byte) {
	for i := range list {
		list[i] = [2]uint64{binary.LittleEndian.Uint64(b[16*i:]), binary.LittleEndian.Uint64(b[16*i+8:])}
	}
}

// SaveX87 makes the image of FSAVE in 32-bit protected mode.
func (c *CPU) SaveX87(b []byte) {
	const format = image32 | imageProtected
	le := binary.LittleEndian
	for k := range uint64(7) {
		le.PutUint32(b[4*k:], uint32(c.imageWord(format, k)))
	}
	for i := range uint64(8) {
		le.PutUint64(b[28+10*i:], c.imageWord(format, partST+2*i))
		le.PutUint16(b[36+10*i:], uint16(c.imageWord(format, partST+2*i+1)))
	}
}

// ResetFPU puts x87 and SSE into the state in which programs begin.
func (c *CPU) ResetFPU() {
	s := c.s
	s.FCW, s.FSW, s.FTW, s.FTop, s.FOP, s.FIP, s.FDP, s.FCS, s.FDS = 0x37f, 0, 0, 0, 0, 0, 0, 0, 0
	s.MXCSR = 0x1f80
}
