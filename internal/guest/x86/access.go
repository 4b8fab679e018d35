package x86

import "rhea/internal/guest"

// This file has the memory accesses of the processor itself: descriptor
// tables and task state segments, always with the rights of level 0
// (SDM vol. 3, 4.6.1), and sequences of pushes and pops.

func fault(vec int, code uint32) *guest.Fault {
	return &guest.Fault{Vector: vec, Code: code, HasCode: true}
}

// Faults with an error code: of zero, or that names a selector.
func gp(code uint32) *guest.Fault           { return fault(vecGP, code) }
func gpSel(sel uint16) *guest.Fault         { return fault(vecGP, uint32(sel&^3)) }
func npSel(sel uint16) *guest.Fault         { return fault(vecNP, uint32(sel&^3)) }
func ssSel(sel uint16) *guest.Fault         { return fault(vecSS, uint32(sel&^3)) }
func undefined() *guest.Fault               { return &guest.Fault{Vector: vecUD} }
func selCode(sel uint16, ext uint32) uint32 { return uint32(sel&^3) | ext }

// loadSystem reads size bytes at a linear address with the rights of level 0.
func (c *CPU) loadSystem(lin uint32, size int) (uint32, *guest.Fault) {
	return c.loadLinear(lin, size, mmuKernel)
}

func (c *CPU) storeSystem(lin uint32, size int, v uint32) *guest.Fault {
	return c.storeLinear(lin, size, mmuKernel, v)
}

func (c *CPU) load16(lin uint32) (uint16, *guest.Fault) {
	v, f := c.loadSystem(lin, 2)
	return uint16(v), f
}

func (c *CPU) load32(lin uint32) (uint32, *guest.Fault) { return c.loadSystem(lin, 4) }

// loadLinear reads up to four bytes; linear addresses wrap at 4 GiB.
func (c *CPU) loadLinear(lin uint32, size, idx int) (uint32, *guest.Fault) {
	if lin <= -uint32(size) {
		v, f := c.mem.Load(uint64(lin), size, idx)
		return uint32(v), f
	}
	var v uint32
	for i := range uint32(size) {
		b, f := c.mem.Load(uint64(lin+i), 1, idx)
		if f != nil {
			return 0, f
		}
		v |= uint32(b&0xff) << (8 * i)
	}
	return v, nil
}

func (c *CPU) storeLinear(lin uint32, size, idx int, v uint32) *guest.Fault {
	if lin <= -uint32(size) {
		return c.mem.Store(uint64(lin), size, idx, uint64(v)&(1<<(8*size)-1))
	}
	if f := c.probe(lin, size, idx, guest.Write); f != nil {
		return f
	}
	for i := range uint32(size) {
		if f := c.mem.Store(uint64(lin+i), 1, idx, uint64(v>>(8*i)&0xff)); f != nil {
			return f
		}
	}
	return nil
}

// probe checks that size bytes at lin can be accessed.
func (c *CPU) probe(lin uint32, size, idx int, a guest.Access) *guest.Fault {
	if lin <= -uint32(size) {
		return c.mem.Probe(uint64(lin), size, idx, a)
	}
	first := int(-lin)
	if f := c.mem.Probe(uint64(lin), first, idx, a); f != nil {
		return f
	}
	return c.mem.Probe(0, size-first, idx, a)
}

// pushes is a sequence of pushes, checked before any is done so that the
// instruction can be restarted after a fault.
type pushes struct {
	ss   *Segment
	sp   uint32
	size uint32 // bytes of each push
	idx  int
	n    int
	v    [36]uint32 // 31 parameters of a call gate, and what goes with them
}

// stack begins a sequence of pushes to the current stack.
func (c *CPU) stack(size int) pushes {
	return pushes{ss: &c.s.Seg[SS], sp: uint32(c.s.GPR[rSP]), size: uint32(size), idx: c.mmuIndex()}
}

// indexAt is the MMU index of accesses at level cpl.
func indexAt(cpl int) int {
	if cpl == 3 {
		return mmuUser
	}
	return mmuKernel
}

func (p *pushes) push(v uint32) {
	p.v[p.n] = v
	p.n++
}

// room reports whether the stack segment has room for the pushes.
func (p *pushes) room() bool {
	mask := p.ss.stackMask()
	sp := p.sp
	for range p.n {
		sp = (sp - p.size) & mask
		if !p.ss.fits(sp, p.size) {
			return false
		}
	}
	return true
}

// do stores what was pushed and leaves the new stack pointer in p.sp. Nothing
// is stored if there is a fault.
func (p *pushes) do(c *CPU) *guest.Fault {
	mask := p.ss.stackMask()
	sp, seen := p.sp, uint32(1) // no page
	for range p.n {
		sp = (sp - p.size) & mask
		lin := p.ss.linear(sp)
		if lin&^0xfff == seen && lin&0xfff+p.size <= 0x1000 {
			continue
		}
		if f := c.probe(lin, int(p.size), p.idx, guest.Write); f != nil {
			return f
		}
		seen = lin &^ 0xfff
	}
	sp = p.sp
	for _, v := range p.v[:p.n] {
		sp = (sp - p.size) & mask
		if f := c.storeLinear(p.ss.linear(sp), int(p.size), p.idx, v); f != nil {
			return f
		}
	}
	p.sp = sp
	return nil
}

// pops reads the current stack from its top down without changing anything.
type pops struct {
	c    *CPU
	sp   uint32
	size uint32
	f    *guest.Fault // the first
}

func (c *CPU) pops(size int) pops {
	return pops{c: c, sp: uint32(c.s.GPR[rSP]), size: uint32(size)}
}

// pop returns the next value, or zero after a fault.
func (p *pops) pop() uint32 {
	if p.f != nil {
		return 0
	}
	ss := &p.c.s.Seg[SS]
	sp := p.sp & ss.stackMask()
	if !ss.readable(sp, p.size) {
		p.f = fault(vecSS, 0)
		return 0
	}
	v, f := p.c.loadLinear(ss.linear(sp), int(p.size), p.c.mmuIndex())
	p.f = f
	p.sp += p.size
	return v
}

// popSel is pop of a selector: the upper half of a dword is not read
// architecturally, but takes its place.
func (p *pops) popSel() uint16 { return uint16(p.pop()) }
