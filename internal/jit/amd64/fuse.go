package amd64

import "rhea/internal/ir"

// This file joins accesses to memory with the operation on vectors or of the
// x87 that takes the loaded value, or gives the stored one.

// fusedLoad is a load that its only user, the instruction at, does along: the
// host has the operand at m.
type fusedLoad struct {
	at   int32
	size uint8
	m    mem
}

// consumer returns the Vec or FPU that alone wants the value of the current
// instruction, a load, and the Set that hands it over by way of a scratch slot;
// or the VMake that makes it a vector with nothing above, and -1.
func (c *Compiler) consumer(size int) (at, set int32) {
	set = -1
	for j := c.i + 1; j < min(c.i+16, c.end); j++ {
		x := &c.insts[j]
		switch x.Op {
		case ir.Set:
			if set >= 0 || !c.scratch(ir.Slot(x.Imm)) || c.origin(x.Args[0]) != ir.Val(c.i+1) {
				return 0, 0
			}
			set = j
		case ir.VMake:
			if k, ok := c.constOf(x.Args[1]); set >= 0 || size < 4 || !ok || k != 0 || c.origin(x.Args[0]) != ir.Val(c.i+1) || c.vals[c.i].need != j {
				return 0, 0
			}
			return j, -1
		case ir.Vec:
			v := ir.VectorOf(x.Imm)
			small := v.Narrow || v.Kind.Flags()&ir.VecSrc64 != 0
			fits := c.vecEnc(v.Kind).how&smallMem != 0 || size >= 4
			if set < 0 || uint64(v.Src) != c.insts[set].Imm || v.Dst == v.Src || c.vals[c.i].need != j || !small || !fits {
				return 0, 0
			}
			return j, set
		case ir.FPU:
			o := ir.StackOpOf(x.Imm)
			if set < 0 || int(o.Mem) != size || o.Store || uint64(o.Slot) != c.insts[set].Imm || c.vals[c.i].need != j {
				return 0, 0
			}
			return j, set
		default:
			if x.Op.Keep() || c.vals[j].need != 0 && x.Op != ir.Const && x.Op != ir.Zext {
				return 0, 0
			}
		}
	}
	return 0, 0
}

func (c *Compiler) scratch(s ir.Slot) bool {
	for _, x := range c.cfg.Slots.Scratch {
		if s == x {
			return true
		}
	}
	return false
}

// fuseLoad does so, if there is such an instruction. Only the place is looked
// up here. A stub that has Go load the value leaves it in the word offResult,
// and makes base + index lead there.
func (c *Compiler) fuseLoad(m ir.Mem, v ir.Val) bool {
	if m.RMW || m.Size > 8 {
		return false
	}
	at, set := c.consumer(m.Size)
	if at == 0 {
		return false
	}
	if g, _ := c.groupOf(v, m); g != nil {
		g.left--
	}
	a, r := c.linear(v), c.temp()
	st := stub{d: noReg, points: true, base: r, index: a}
	st.jump = c.lookup(r, a, m.Size, c.cfg.Read[m.Index])
	st.site, st.lost = c.loadSite(m, a, NoWord), c.paged
	st.back = int32(c.n)
	c.cold = append(c.cold, st)
	c.fuse(at, set, m, mem{base: r, index: a})
	return true
}

// fuse notes what consumer has found.
func (c *Compiler) fuse(at, set int32, m ir.Mem, operand mem) {
	if set >= 0 {
		c.vals[set].fused = true
	}
	c.fused = fusedLoad{at, uint8(m.Size), operand}
}

// stubPoints is the part of a stub that makes base + index the place of the
// result.
func (c *Compiler) stubPoints(s *stub) {
	if s.points {
		c.rm(opLEA|wide, s.base, at(r15, offResult))
		c.alu(aluSUB, 64, s.base, s.index)
	}
}

// fusedOperand returns the operand of the current instruction if it is a
// fused load. The registers stay locked.
func (c *Compiler) fusedOperand() (m mem, ok bool) {
	if c.fused.at != c.i {
		return mem{}, false
	}
	m = c.fused.m
	for _, r := range [2]reg{m.base, m.index} {
		if r != noReg {
			c.lock(r)
		}
	}
	return m, true
}

// fusedHalf returns the vector whose low half is what the store in wants and
// nobody else.
func (c *Compiler) fusedHalf(in *ir.Inst) (v ir.Val, ok bool) {
	h := c.stored(in)
	x := c.inst(h)
	if n := ir.MemOf(in.Imm).Size; x.Op != ir.VLow || x.Uses > 1 || n != 4 && n != 8 {
		return 0, false
	}
	for v := in.Args[1]; v != h; v = c.inst(v).Args[0] {
		if c.inst(v).Uses > 1 {
			return 0, false
		}
	}
	return x.Args[0], true
}

// storeHalf lowers such a store.
func (c *Compiler) storeHalf(in *ir.Inst, v ir.Val) {
	m := ir.MemOf(in.Imm)
	w := c.vword(c.origin(v))
	x := c.vload(w)
	a := c.linear(in.Args[0])
	r, jump := c.pageFor(in.Args[0], m, a, true)
	st := stub{d: noReg, jump: jump}
	op := opMOVQs
	if m.Size == 4 {
		op = opMOVDs
	}
	c.rm(opcode(op), x, mem{base: r, index: a})
	st.site, st.lost = c.storeSite(m, a, w), c.paged
	st.back = int32(c.n)
	c.cold = append(c.cold, st)
}
