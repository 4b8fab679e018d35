package amd64

import "rhea/internal/ir"

// This file lets accesses near each other share what they look up. Those of a
// run whose addresses are a common value plus constants (a stack frame, the
// fields of a structure) make a group. The first finds out where the host has
// the place from the lowest to the highest of them, if that is in one page; the
// others find it in a register. A stub does each access by itself if the group
// crosses pages, or a page of it cannot be accessed directly.

// group is what is known of one. The analysis counts it, backwards; what is
// left is counted down when its accesses are lowered.
type group struct {
	base   ir.Val
	lo, hi int32 // of the bytes, from base
	left   int32 // accesses
	index  uint8 // MMU index
	write  bool  // there are stores
}

// Bounds of groups: a wide one often crosses pages, and each costs time to
// find.
const (
	maxGroupSpan = 1024
	maxGroups    = 8 // of a run
)

// splitAddress returns an address of 32 bits as a value and a constant.
func (c *Compiler) splitAddress(v ir.Val) (base ir.Val, disp int32) {
	if in := c.inst(v); in.Op == ir.Add && in.Type == ir.I32 {
		if k, ok := c.u.ConstOf(in.Args[1]); ok {
			return in.Args[0], int32(uint32(k))
		}
	}
	return v, 0
}

// shares reports whether an access may be in a group.
func (c *Compiler) shares(m ir.Mem) bool { return m.Size <= 8 && !m.Probe }

// joinGroup is told of an access by the analysis of the run r.
func (c *Compiler) joinGroup(r *run, v ir.Val, m ir.Mem, write bool) {
	if c.apart || c.cfg.Wide || !c.shares(m) || c.bits(v) != 32 {
		return
	}
	base, disp := c.splitAddress(v)
	end := disp + int32(m.Size)
	if end < disp || c.inst(base).Op == ir.Const {
		return
	}
	for i := r.groups; i < len(c.groups); i++ {
		g := &c.groups[i]
		if g.base != base || int(g.index) != m.Index {
			continue
		}
		if lo, hi := min(g.lo, disp), max(g.hi, end); int64(hi)-int64(lo) <= maxGroupSpan {
			g.lo, g.hi, g.write = lo, hi, g.write || write
			g.left++
		}
		return
	}
	if len(c.groups) < r.groups+maxGroups {
		c.groups = append(c.groups, group{base: base, lo: disp, hi: end, left: 1, index: uint8(m.Index), write: write})
	}
}

// groupOf returns the group of an access of the current run, nil if it is in
// none, and how far it is from the group's beginning.
func (c *Compiler) groupOf(v ir.Val, m ir.Mem) (g *group, off int32) {
	if !c.shares(m) || c.groupsEnd == c.groupsFrom || c.bits(v) != 32 {
		return nil, 0
	}
	base, disp := c.splitAddress(v)
	for i := c.groupsFrom; i < c.groupsEnd; i++ {
		if g := &c.groups[i]; g.base == base && int(g.index) == m.Index {
			if disp < g.lo || disp+int32(m.Size) > g.hi {
				return nil, 0
			}
			return g, disp - g.lo
		}
	}
	return nil, 0
}

// alone is an access that a stub does by itself: the instruction op of x (or an
// immediate) at the address addr.
type alone struct {
	addr  mem
	op    opcode
	x     reg
	size  uint8
	index uint8
	write bool
	isImm bool
	imm   int32
	jump2 int32 // another rel32 that leads to the stub
}

// shared is an access by way of its group: the address, which is off bytes from
// the group's beginning, and the register that holds the group's place, or, if
// it does not yet, will, with another for that.
type shared struct {
	g      *group
	addr   mem
	off    int32
	r, t   reg
	holds  bool
	access ir.Mem
}

// share prepares an access that shares what it looks up. Ok is false if it is to
// be made by itself. Register t may become the access's result.
func (c *Compiler) share(v ir.Val, m ir.Mem) (s shared, ok bool) {
	g, off := c.groupOf(v, m)
	if g == nil {
		return s, false
	}
	g.left--
	s = shared{g: g, off: off, r: c.groupReg(g), t: noReg, access: m}
	if s.holds = s.r != noReg; s.holds {
		c.lock(s.r)
	} else if g.left < 1 {
		return s, false
	}
	if base, index, scale, disp, fused := c.address(v); fused && c.val(v).fused {
		s.addr = c.memOf(base, index, scale, disp)
	} else {
		s.addr = at(c.use(v), 0)
	}
	if !s.holds {
		s.r, s.t = c.temp(), c.temp()
		c.locked &^= 1 << s.t
	}
	return s, true
}

// place emits what finds the host's place of s. Nothing may be emitted for the
// access from here on but itself.
func (c *Compiler) place(s *shared, write bool, st *stub) (to mem, a *alone) {
	g := s.g
	c.alone = append(c.alone, alone{addr: s.addr, size: uint8(s.access.Size), index: g.index, write: write})
	st.alone, st.base = int32(len(c.alone)), s.r
	a = &c.alone[st.alone-1]
	if s.holds {
		c.rr(opTEST|wide, s.r, s.r)
		st.jump = int32(c.jcc(ccE))
		return at(s.r, s.off), a
	}
	first := s.addr
	first.disp -= s.off
	c.rm(opLEA, s.r, first)
	c.rm(opLEA, s.t, at(s.r, g.hi-g.lo-1))
	c.crosses(s.t, s.r)
	a.jump2 = int32(c.jcc(ccNE))
	c.pageOf(s.t, s.r, c.tableOf(int(g.index), g.write))
	st.jump = int32(c.jcc(ccE))
	c.alu(aluADD, 64, s.r, s.t)
	c.pages[s.r] = page{addr: g.base, index: g.index, group: true}
	c.paged |= 1 << s.r
	return at(s.r, s.off), a
}

// crosses compares the pages of the addresses in t and r; t is lost.
func (c *Compiler) crosses(t, r reg) {
	c.alu(aluXOR, 32, t, r)
	c.ext(0xf7, 0, t) // TEST t, imm32
	c.int32(-0x1000)
}

// pageOf puts into t what a table says of the page of the address in r.
func (c *Compiler) pageOf(t, r reg, table int32) {
	c.mov(32, t, r)
	c.shifti(shSHR, 32, t, 12)
	c.rm(opMOVload|wide, t, mem{base: r15, index: t, scale: 3, disp: table})
	c.rr(opTEST|wide, t, t)
}

// groupReg returns the register that holds a group's place, noReg if none does.
func (c *Compiler) groupReg(g *group) reg {
	for _, r := range temps {
		if p := &c.pages[r]; c.paged>>r&1 != 0 && p.group && p.addr == g.base && p.index == g.index {
			return r
		}
	}
	return noReg
}

func (c *Compiler) tableOf(index int, write bool) int32 {
	if write {
		return c.cfg.Write[index]
	}
	return c.cfg.Read[index]
}

// emitAlone is the stub of an access of a group, up to where it leaves.
func (c *Compiler) emitAlone(s *stub) {
	a := &c.alone[s.alone-1]
	if a.jump2 != 0 {
		c.here(int(a.jump2))
	}
	r := s.base
	c.rm(opLEA, r, a.addr)
	c.patch(c.callRel(), c.placeStubs[c.placeStub(r, int(a.size), int(a.index), a.write)])
	leave := c.jcc8(ccE)
	c.moveAlone(a, at(r, 0))
	c.alu(aluXOR, 32, r, r)
	c.patch(c.jmp(), int(s.back))
	c.here8(leave)
}

// moveAlone emits the access itself.
func (c *Compiler) moveAlone(a *alone, to mem) {
	if !a.isImm {
		c.rm(a.op, a.x, to)
		return
	}
	c.rm(a.op, 0, to)
	c.put(uint64(uint32(a.imm)), min(int(a.size), 4))
}

// placeStub numbers the subroutines that find the place of one access.
func (c *Compiler) placeStub(r reg, size, index int, write bool) int {
	n := (index*4+log2(size))*16 + int(r)
	if write {
		n += len(c.cfg.Read) * 4 * 16
	}
	return n
}

// writePlaceStubs writes them: each has the address in r and puts the host's
// there. ZF says that it has not, since Go must do the access.
func (c *Compiler) writePlaceStubs() {
	push := func(r reg) { c.head(0x50+opcode(r&7), 0, 0, r, false) }
	pop := func(r reg) { c.head(0x58+opcode(r&7), 0, 0, r, false) }
	c.placeStubs = make([]int, 2*len(c.cfg.Read)*4*16)
	for index := range c.cfg.Read {
		for _, write := range [2]bool{false, true} {
			for _, size := range [4]int{1, 2, 4, 8} {
				for _, r := range temps {
					t := rax
					if r == rax {
						t = rdx
					}
					c.placeStubs[c.placeStub(r, size, index, write)] = c.n
					push(t)
					c.alumi(aluSUB, 32, at(r15, offAlone), 1)
					asked := c.jcc8(ccS)
					c.rm(opLEA, t, at(r, int32(size-1)))
					c.crosses(t, r)
					crosses := c.jcc8(ccNE)
					c.pageOf(t, r, c.tableOf(index, write))
					unknown := c.jcc8(ccE)
					c.alu(aluADD, 64, r, t)
					pop(t)
					c.byte(0xc3)
					c.here8(asked)
					c.here8(crosses)
					c.alu(aluXOR, 32, t, t)
					c.here8(unknown)
					pop(t)
					c.byte(0xc3)
				}
			}
		}
	}
}
