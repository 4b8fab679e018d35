package amd64

import (
	"encoding/binary"
	"math/bits"

	"rhea/internal/ir"
)

// This file has what stands behind each call of the exit stub: a record that
// says why generated code was left, and where it goes on. It takes some ten
// bytes; Go decodes it when the code is left there.
//
// A record is a byte with the kind and flags, how many units of unitAlign
// bytes the beginning of the unit lies before it, which registers of vectors are
// dirty, the fields of the kind, and how the code is resumed. Numbers are varints of 7 bits a byte, the low ones
// first.

// A unit begins at a multiple of unitAlign. Before it are its program counter,
// 8 bytes, and its owner, 4: whatever else is known of the unit is far from any
// cache when its code is left.
const (
	unitAlign   = 8
	pcBefore    = 12
	ownerBefore = 4
)

// Place returns where a unit may begin, at offset off of the code memory or
// behind it.
func Place(off int) int { return (off + pcBefore + unitAlign - 1) &^ (unitAlign - 1) }

// Flags of a record, by kind.
const (
	siteRMW     = 1 << 3 // Load
	siteProbe   = 1 << 4
	siteConst   = 1 << 3 // Store: of Imm
	siteProbed  = 1 << 4 // Store: a Probe precedes it
	sitePure    = 1 << 3 // Call
	siteKeeps   = 1 << 4
	siteNear    = 1 << 3 // Link: has a jump
	siteLoop    = 1 << 4 // Link: that leads into the unit
	siteVectors = 1 << 5 // registers of vectors are dirty
	siteWord    = 1 << 3 // Poll, Exit: PC is in a word
	siteJump    = 1 << 4 // Indirect: a second word has the number of a jump
	siteWrites  = 1 << 6
	siteResumes = 1 << 7
)

// How a site is resumed: a byte with the register that gets the result, and
// what else there is.
const (
	resumeResult = 1 << 4 // there is a result
	resumeLost   = 1 << 5 // a mask of registers that are to be 0
	resumeBack   = 1 << 6 // how far before the record the code goes on; else behind it
)

// siteRef is a site of the current unit: its record without what is known only
// where it is written.
type siteRef struct {
	flags   byte
	first   uint32 // of records
	end     uint32
	vectors vecState
}

// number adds a varint to the current record.
func (c *Compiler) number(v uint64) {
	if v < 0x80 {
		c.records[c.recorded] = byte(v)
		c.recorded++
		return
	}
	c.recorded += binary.PutUvarint(c.records[c.recorded:], v)
}

// wordNumber adds a word of the frame. Registers come first, then slots.
func (c *Compiler) wordNumber(w uint16) {
	switch {
	case w < ir.TempBase:
		w += 16
	case w < saveWord+16:
		w -= saveWord
	}
	c.number(uint64(w))
}

// pcNumber adds a program counter, relative to the unit's.
func (c *Compiler) pcNumber(pc uint64) {
	d := int64(pc - c.unitPC)
	c.number(uint64(d<<1 ^ d>>63))
}

// maxRecord bounds a record: a unit has some hundred slots at most.
const maxRecord = 4096

// begin begins the record of a site.
func (c *Compiler) begin(kind SiteKind, flags byte) {
	if len(c.records)-c.recorded < maxRecord {
		c.records = append(c.records, make([]byte, len(c.records)+4*maxRecord)...)
	}
	c.sites = append(c.sites, siteRef{flags: byte(kind) | flags, first: uint32(c.recorded), vectors: c.vec.now})
}

// finish ends it and returns the site's number. Writes says that the pending
// Sets are to be written if the unit is not resumed.
func (c *Compiler) finish(writes bool) uint32 {
	n := uint32(len(c.sites) - 1)
	s := &c.sites[n]
	if writes && len(c.slots) != 0 {
		c.writes(s)
	}
	s.end = uint32(c.recorded)
	return n
}

// writes adds the pending Sets: their number, and for each its slot and where
// the value is.
func (c *Compiler) writes(s *siteRef) {
	at := c.recorded
	c.number(0)
	n := 0
	live := c.slots[:0]
	for _, slot := range c.slots {
		v := c.pend[slot]
		if v == 0 {
			continue
		}
		live = append(live, slot)
		in := c.inst(v)
		switch {
		case in.Op == ir.Const:
			c.writeOf(slot, in.Imm)
		case in.Op == ir.VConst:
			c.writeOf(slot, in.Imm)
			c.writeOf(slot+1, in.Imm)
			n++
		case in.Type == ir.V128:
			w := c.vword(v)
			c.writeFrom(slot, w)
			c.writeFrom(slot+1, w+1)
			n++
		default:
			c.writeFrom(slot, c.wordOf(v))
		}
		n++
	}
	c.slots = live
	if n == 0 {
		c.recorded = at
		return
	}
	s.flags |= siteWrites
	c.records[at] = byte(n)
}

// writeOf is a Write of a constant, writeFrom of a word.
func (c *Compiler) writeOf(slot ir.Slot, k uint64) {
	c.number(uint64(slot) << 1)
	c.number(k)
}

func (c *Compiler) writeFrom(slot ir.Slot, w uint16) {
	c.number(uint64(slot)<<1 | 1)
	c.wordNumber(w)
}

// accessSite is the site of a Load or Store of the current instruction, of
// the address in a register.
func (c *Compiler) accessSite(kind SiteKind, flags byte, m ir.Mem, a reg) {
	c.begin(kind, flags)
	c.number(uint64(log2(m.Size) | m.Index<<3))
	c.wordNumber(c.regWord[a])
}

// loadSite is the site of a load; that of 16 bytes is to words.
func (c *Compiler) loadSite(m ir.Mem, a reg, words uint16) uint32 {
	var flags byte
	if m.RMW {
		flags |= siteRMW
	}
	if m.Probe {
		flags |= siteProbe
	}
	c.accessSite(Load, flags, m, a)
	if m.Size == 16 {
		c.wordNumber(words)
	}
	c.pcNumber(c.pc())
	return c.finish(true)
}

// storeSite is the site of a store of a word, storeConstSite of a constant.
func (c *Compiler) storeSite(m ir.Mem, a reg, word uint16) uint32 {
	c.accessSite(Store, 0, m, a)
	c.wordNumber(word)
	c.pcNumber(c.pc())
	return c.finish(true)
}

func (c *Compiler) storeConstSite(m ir.Mem, a reg, k uint64) uint32 {
	c.accessSite(Store, siteConst, m, a)
	c.number(k)
	c.pcNumber(c.pc())
	return c.finish(true)
}

// pcSite is a Poll or Exit to a program counter, wordSite to the one in a word.
func (c *Compiler) pcSite(kind SiteKind, pc uint64) uint32 {
	c.begin(kind, 0)
	c.pcNumber(pc)
	return c.finish(false)
}

func (c *Compiler) wordSite(kind SiteKind, word uint16) uint32 {
	c.begin(kind, siteWord)
	c.wordNumber(word)
	return c.finish(false)
}

// leaveTo is the call of the exit stub with the site's record. D is the
// register that gets the result (noReg = none), lost are those that are to be
// 0 afterwards. The code goes on at back, or if that is 0, behind the record.
func (c *Compiler) leaveTo(site uint32, d reg, lost uint16, back int) {
	exit := c.exitStub
	if c.sites[site].vectors.dirty != 0 {
		exit = c.exitVectors
	}
	c.patch(c.callRel(), exit)
	c.record(site, d, lost, back)
}

// record writes the record of a site.
func (c *Compiler) record(site uint32, d reg, lost uint16, back int) {
	s, at := &c.sites[site], c.n
	var how byte
	flags := s.flags
	if d != noReg {
		how = byte(d) | resumeResult
	}
	if lost != 0 {
		how |= resumeLost
	}
	if back != 0 {
		how |= resumeBack
	}
	if how != 0 {
		flags |= siteResumes
	}
	if s.vectors.dirty != 0 {
		flags |= siteVectors
	}
	c.byte(flags)
	c.numberHere(uint64(at/unitAlign - c.unitAt/unitAlign))
	if s.vectors.dirty != 0 {
		c.numberHere(uint64(s.vectors.dirty))
	}
	n := c.n
	for i := s.first; i < s.end; i += 8 { // most are no longer than that
		binary.LittleEndian.PutUint64(c.buf[n:], binary.LittleEndian.Uint64(c.records[i:]))
		n += 8
	}
	c.n += int(s.end - s.first)
	if how == 0 {
		return
	}
	c.byte(how)
	if lost != 0 {
		c.numberHere(uint64(lost))
	}
	if back != 0 {
		c.numberHere(uint64(at - back))
	}
}

// numberHere writes a varint.
func (a *asm) numberHere(v uint64) {
	for v >= 0x80 {
		a.byte(byte(v) | 0x80)
		v >>= 7
	}
	a.byte(byte(v))
}

// recordReader reads numbers.
type recordReader struct {
	p []byte
	n int
}

func (r *recordReader) byte() byte {
	r.n++
	return r.p[r.n-1]
}

func (r *recordReader) number() uint64 {
	b := r.p[r.n]
	r.n++
	if b >= 0x80 {
		return r.more(b)
	}
	return uint64(b)
}

// more is a number that begins with b and has more bytes.
func (r *recordReader) more(b byte) uint64 {
	v := uint64(b & 0x7f)
	for shift := 7; b >= 0x80; shift += 7 {
		b = r.p[r.n]
		r.n++
		v |= uint64(b&0x7f) << shift
	}
	return v
}

func (r *recordReader) word() uint16 {
	switch w := uint16(r.number()); {
	case w < 16:
		return saveWord + w
	case w < ir.TempBase+16:
		return w - 16
	default:
		return w
	}
}

// pc is what a program counter is beyond the unit's.
func (r *recordReader) pc() uint64 {
	v := r.number()
	return v>>1 ^ -(v & 1)
}

// Site returns the site whose record is at offset off of the code memory. It
// is good until the next call. A register's word holds the register's value
// when code has been left.
func (c *Compiler) Site(buf []byte, off int) *Site {
	s := &c.site
	r := recordReader{buf, off}
	head := r.byte()
	s.Kind = SiteKind(head & 7)
	start := off&^(unitAlign-1) - int(r.number())*unitAlign
	s.Owner = binary.LittleEndian.Uint32(buf[start-ownerBefore:])
	unitPC := binary.LittleEndian.Uint64(buf[start-pcBefore:])
	s.Args = [2]uint16{NoWord, NoWord}
	s.Imm, s.Loop, s.dirty = 0, 0, 0
	if head&siteVectors != 0 {
		s.dirty = uint16(r.number())
	}
	s.Writes = s.Writes[:0]
	switch s.Kind {
	case Load, Store:
		b := r.byte()
		s.Size, s.Index = 1<<(b&7), b>>3
		s.Args[0] = r.word()
		if s.Kind == Load {
			s.RMW, s.Probe = head&siteRMW != 0, head&siteProbe != 0
			if s.Size == 16 {
				s.Args[1] = r.word()
			}
		} else {
			s.RMW, s.Probe = false, head&siteProbed != 0
			if head&siteConst != 0 {
				s.Imm = r.number()
			} else {
				s.Args[1] = r.word()
			}
		}
		s.PC = unitPC + r.pc()
	case Guard:
		s.Imm = r.number()
		s.PC = unitPC + r.pc()
	case Call:
		s.Pure, s.KeepsStack = head&sitePure != 0, head&siteKeeps != 0
		s.Imm = r.number()
		s.PC = unitPC + r.pc()
	case Link:
		s.PC = unitPC + r.pc()
		s.Imm = NoJump
		if head&siteNear != 0 {
			s.Imm = r.number()
		}
		if head&siteLoop != 0 {
			s.Loop = int(r.number())
		}
	case Indirect:
		s.Args[0] = r.word()
		if head&siteJump != 0 {
			s.Args[1] = r.word()
		}
	default:
		if head&siteWord != 0 {
			s.Args[0] = r.word()
		} else {
			s.PC = unitPC + r.pc()
		}
	}
	if head&siteWrites != 0 {
		for n := r.byte(); n != 0; n-- {
			slot := r.number()
			w := Write{Slot: uint16(slot >> 1), Src: NoWord}
			if slot&1 != 0 {
				w.Src = r.word()
			} else {
				w.Val = r.number()
			}
			s.Writes = append(s.Writes, w)
		}
	}
	s.result, s.lost, s.back = NoWord, 0, 0
	if head&siteResumes != 0 {
		how := r.byte()
		if how&resumeResult != 0 {
			s.result = c.regWord[how&15]
		}
		if how&resumeLost != 0 {
			s.lost = uint16(r.number())
		}
		if how&resumeBack != 0 {
			s.back = off - int(r.number())
		}
	}
	s.end = r.n
	return s
}

// Settle writes to the frame what s has left in registers of vectors. It comes
// before whatever reads or writes slots.
func (c *Compiler) Settle(f *ir.Frame, s *Site) {
	for m := s.dirty; m != 0; m &= m - 1 {
		i := bits.TrailingZeros16(m)
		d := c.cfg.Slots.Vectors[i]
		f[d], f[d+1] = f[faultWord+2*i], f[faultWord+2*i+1]
	}
}

// Resume gives the code at a Load, Store or Call that was done its result, and
// returns the offset at which it is to be entered.
func (c *Compiler) Resume(f *ir.Frame, s *Site, result uint64) int {
	if s.result != NoWord {
		f[s.result] = result
	}
	for m := s.lost; m != 0; m &= m - 1 {
		f[c.regWord[bits.TrailingZeros16(m)]] = 0
	}
	if s.back != 0 {
		return s.back
	}
	return s.end
}
