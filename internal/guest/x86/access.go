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
func (c *CPU) loadSystem(lin uint64, size int) (uint64, *guest.Fault) {
	return c.loadLinear(lin, size, c.systemIndex())
}

func (c *CPU) storeSystem(lin uint64, size int, v uint64) *guest.Fault {
	return c.storeLinear(lin, size, c.systemIndex(), v)
}

func (c *CPU) load16(lin uint64) (uint16, *guest.Fault) {
	v, f := c.loadSystem(lin, 2)
	return uint16(v), f
}

func (c *CPU) load32(lin uint64) (uint32, *guest.Fault) {
	v, f := c.loadSystem(lin, 4)
	return uint32(v), f
}

func (c *CPU) load64(lin uint64) (uint64, *guest.Fault) { return c.loadSystem(lin, 8) }

// whole reports whether size bytes at lin do not wrap: outside of IA-32e mode
// linear addresses do at 4 GiB.
func (c *CPU) whole(lin uint64, size int) bool { return c.ia32e() || lin+uint64(size) <= all4G }

// loadLinear reads up to eight bytes.
func (c *CPU) loadLinear(lin uint64, size, idx int) (uint64, *guest.Fault) {
	if c.whole(lin, size) {
		return c.mem.Load(lin, size, idx)
	}
	var v uint64
	for i := range size {
		b, f := c.mem.Load((lin+uint64(i))&0xffffffff, 1, idx)
		if f != nil {
			return 0, f
		}
		v |= b & 0xff << (8 * i)
	}
	return v, nil
}

func (c *CPU) storeLinear(lin uint64, size, idx int, v uint64) *guest.Fault {
	if c.whole(lin, size) {
		return c.mem.Store(lin, size, idx, v&(^uint64(0)>>(64-8*size)))
	}
	if f := c.probe(lin, size, idx, guest.Write); f != nil {
		return f
	}
	for i := range size {
		if f := c.mem.Store((lin+uint64(i))&0xffffffff, 1, idx, v>>(8*i)&0xff); f != nil {
			return f
		}
	}
	return nil
}

// probe checks that size bytes at lin can be accessed.
func (c *CPU) probe(lin uint64, size, idx int, a guest.Access) *guest.Fault {
	if c.whole(lin, size) {
		return c.mem.Probe(lin, size, idx, a)
	}
	first := int(all4G - lin)
	if f := c.mem.Probe(lin, first, idx, a); f != nil {
		return f
	}
	return c.mem.Probe(0, size-first, idx, a)
}

// pushes is a sequence of pushes, checked before any is done so that the
// instruction can be restarted after a fault.
type pushes struct {
	ss   *Segment // nil: there is none, as in 64-bit mode
	sp   uint64
	size uint64 // bytes of each push
	idx  int
	n    int
	v    [36]uint64 // 31 parameters of a call gate, and what goes with them
}

// stack begins a sequence of pushes to the current stack.
func (c *CPU) stack(size int) pushes {
	p := pushes{sp: c.s.GPR[rSP], size: uint64(size), idx: c.mmuIndex()}
	if !c.long() {
		p.ss = &c.s.Seg[SS]
	}
	return p
}

func (p *pushes) push(v uint64) {
	p.v[p.n] = v
	p.n++
}

// at returns where a push with stack pointer sp goes.
func (p *pushes) at(sp uint64) (next, lin uint64) {
	next = sp - p.size
	if p.ss == nil {
		return next, next
	}
	next &= p.ss.stackMask()
	return next, p.ss.linear(uint32(next))
}

// room reports whether the stack segment has room for the pushes.
func (p *pushes) room() bool {
	sp := p.sp
	for range p.n {
		if sp, _ = p.at(sp); p.ss != nil && !p.ss.fits(sp, p.size) {
			return false
		}
	}
	return true
}

// do stores what was pushed and leaves the new stack pointer in p.sp. Nothing
// is stored if there is a fault.
func (p *pushes) do(c *CPU) *guest.Fault {
	sp, seen := p.sp, uint64(1) // no page
	var lin uint64
	for range p.n {
		sp, lin = p.at(sp)
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
		sp, lin = p.at(sp)
		if f := c.storeLinear(lin, int(p.size), p.idx, v); f != nil {
			return f
		}
	}
	p.sp = sp
	return nil
}

// pops reads the current stack from its top down without changing anything.
type pops struct {
	c    *CPU
	sp   uint64
	size uint64
	f    *guest.Fault // the first
}

func (c *CPU) pops(size int) pops {
	return pops{c: c, sp: c.s.GPR[rSP], size: uint64(size)}
}

// pop returns the next value, or zero after a fault.
func (p *pops) pop() uint64 {
	if p.f != nil {
		return 0
	}
	lin := p.sp
	if !p.c.long() {
		ss := &p.c.s.Seg[SS]
		sp := p.sp & ss.stackMask()
		if !ss.readable(sp, p.size) {
			p.f = fault(vecSS, 0)
			return 0
		}
		lin = ss.linear(uint32(sp))
	}
	v, f := p.c.loadLinear(lin, int(p.size), p.c.mmuIndex())
	p.f = f
	p.sp += p.size
	return v
}

// popSel is pop of a selector: the upper half of a dword is not read
// architecturally, but takes its place.
func (p *pops) popSel() uint16 { return uint16(p.pop()) }
