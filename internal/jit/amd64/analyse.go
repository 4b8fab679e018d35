package amd64

import "rhea/internal/ir"

// analyseAll finds out which values are needed until where, which Sets are
// overtaken by others, and which operations their users can do along. What is
// left to be lowered is in todo.
func (c *Compiler) analyseAll() {
	n := len(c.insts)
	if cap(c.byVal) <= n {
		c.byVal, c.todo = make([]value, n*2+1), make([]int32, 0, n*2)
	}
	c.vals, c.todo = c.byVal[1:n+1], c.todo[:0]
	clear(c.vals)
	c.findRuns()
	for i := len(c.runs) - 1; i >= 0; i-- {
		c.analyse(&c.runs[i])
	}
	if len(c.runs) > 1 {
		c.keepAcrossLoops()
	}
}

// run is a block, or several that are entered at the first only: between
// them are branches whose one side leaves the unit at once (the block between
// is nothing but a Link), and whose other goes on.
type run struct {
	first, last       int
	from, to          int // in todo
	groups, groupsEnd int // in groups
}

func (c *Compiler) findRuns() {
	c.runs = c.runs[:0]
	for n := 0; n < len(c.u.Blocks); n++ {
		r := run{first: n, last: n}
		for c.isSide(r.last) {
			r.last += 2
		}
		c.runs = append(c.runs, r)
		n = r.last
	}
}

// isSide reports whether block n ends in a branch that leaves the unit if it
// is taken, and else goes on behind.
func (c *Compiler) isSide(n int) bool {
	u := c.u
	in := &c.insts[u.Blocks[n].End-1]
	if in.Op != ir.Branch || n+2 >= len(u.Blocks) {
		return false
	}
	yes, no := in.Targets()
	b := u.Blocks[n+1]
	return yes == n+1 && no == n+2 && b.End-b.First == 1 && c.insts[b.First].Op == ir.Link
}

// need notes that the instruction at i needs v.
func (c *Compiler) need(v ir.Val, i int32) {
	v = c.origin(v)
	if p := c.val(v); p.need < i {
		p.need = i
	}
}

// analyse walks a run backwards.
func (c *Compiler) analyse(r *run) {
	first, end := int32(c.u.Blocks[r.first].First), int32(c.u.Blocks[r.last].End)
	insts, vals := c.insts, c.vals
	c.stamp++
	c.cands = c.cands[:0]
	r.from, r.groups = len(c.todo), len(c.groups)
	todo := c.todo
	flush := end // where pending Sets are written
	exit := end  // the next instruction that may exit
	for i := end - 1; i >= first; i-- {
		in := &insts[i]
		v := &vals[i]
		if v.cand != noCand && exit <= v.candAt { // it may be left before the Set
			v.cand = noCand
		}
		if in.Op-ir.Vec <= ir.FPU-ir.Vec {
			c.chooseHelper(in)
		}
		switch in.Op {
		case ir.Nop, ir.Const, ir.VConst, ir.Zext, ir.Insn: // marks, or looked through where they are used
			continue
		case ir.Set:
			s := in.Imm & (ir.TempBase - 1)
			next := flush
			if c.setStamp[s] == c.stamp {
				next = c.nextSet[s]
				if next < 0 { // see isRead
					next = ^next
				} else if next <= exit && next < flush {
					continue // as if it were not there
				}
			}
			c.setStamp[s], c.nextSet[s] = c.stamp, i
			until := min(next, end-1)
			if c.pin[s] != noReg || c.vec.regOf[s] >= 0 { // it is written at once
				until = i
			}
			c.need(in.Args[0], until)
			// The first of several Sets of a value is the last to come by.
			if d := int32(c.origin(in.Args[0])) - 1; d >= first && insts[d].Op != ir.Const {
				vals[d].cand, vals[d].candAt = candidate(ir.Slot(s)), i
				c.cands = append(c.cands, d)
			}
		case ir.Load, ir.Store:
			exit = i
			c.noteAccess(in, i)
			m := ir.MemOf(in.Imm)
			c.joinGroup(r, in.Args[0], m, in.Op == ir.Store || m.RMW)
		case ir.Get:
			if v.need == 0 {
				continue
			}
			c.setStamp[in.Imm] = 0 // an earlier Set is not overtaken
			c.keepHome(in.Imm, i)
		case ir.Param:
		case ir.Vec:
			c.analyseVec(in, i)
		case ir.FPU:
			c.analyseStackOp(in, i)
		case ir.Call:
			if in.Leaves() {
				exit, flush = i, i
				c.stamp++
			} else if v.need == 0 {
				continue
			}
			c.noteArgs(in, i)
		case ir.Guard:
			exit = i
			c.noteArgs(in, i)
		case ir.Branch:
			if i != end-1 {
				exit = i
			}
			c.noteArgs(in, i)
		default:
			if v.need == 0 && !in.Op.Keep() || v.fused { // the operands were noted by its user
				continue
			}
			c.noteArgs(in, i)
		}
		todo = append(todo, i)
	}
	c.todo = todo
	r.to, r.groupsEnd = len(todo), len(c.groups)
}

// chooseHelper makes a call of a Vec or FPU that there is no machine code for.
func (c *Compiler) chooseHelper(in *ir.Inst) {
	if in.Op == ir.Vec && !c.doesVector(ir.VectorOf(in.Imm)) || in.Op == ir.FPU && !c.doesStackOp(ir.StackOpOf(in.Imm)) {
		in.CallHelper()
	}
}

// keepHome is told of a Get at i: no value that is made before may be computed
// in the slot's own place.
func (c *Compiler) keepHome(slot uint64, i int32) {
	for _, d := range c.cands {
		if d < i && c.vals[d].cand == candidate(ir.Slot(slot)) {
			c.vals[d].cand = noCand
		}
	}
}

// noteArgs notes the operands of the instruction at i, looking through those
// operations that it can do along.
func (c *Compiler) noteArgs(in *ir.Inst, i int32) {
	switch in.Op {
	case ir.Add:
		if base, index, _, ok := c.sum(in); ok && index != 0 {
			c.need(c.low(in.Type, base), i)
			c.need(c.low(in.Type, index), i)
			return
		}
	case ir.Branch, ir.Guard, ir.Select:
		k := c.inst(in.Args[0])
		if k.Op >= ir.Eq && k.Op <= ir.Les && k.Uses == k.Conds {
			c.val(in.Args[0]).fused = true
			x, y := c.compared(k)
			if x != k.Args[0] {
				c.val(k.Args[0]).fused = true
			}
			c.need(x, i)
			c.need(y, i)
			for j := 1; j < in.NArgs(); j++ {
				c.need(in.Args[j], i)
			}
			return
		}
	}
	if in.Type == ir.I32 {
		for j := range in.NArgs() {
			c.need(c.lowArg(in, j), i)
		}
		return
	}
	for j := range in.NArgs() {
		c.need(in.Args[j], i)
	}
}

// low returns what v is the low half of, for operations of type t that look at no
// more than that of their operands, or v.
func (c *Compiler) low(t ir.Type, v ir.Val) ir.Val {
	if x := c.inst(v); t == ir.I32 && x.Op == ir.Trunc && x.Type == t {
		return x.Args[0]
	}
	return v
}

// lowArg is low of operand j of an instruction.
func (c *Compiler) lowArg(in *ir.Inst, j int) ir.Val {
	switch v := in.Args[j]; in.Op {
	case ir.Add, ir.Sub, ir.And, ir.Or, ir.Xor, ir.Mul:
		return c.low(in.Type, v)
	case ir.Shl, ir.Shr, ir.Sar, ir.Rotl, ir.Rotr:
		if k, ok := c.constOf(in.Args[1]); ok && k%32 != 0 && j == 0 { // else the upper half might stay
			return c.low(in.Type, v)
		}
		return v
	default:
		return v
	}
}

// noteAccess does so for a Load or Store.
func (c *Compiler) noteAccess(in *ir.Inst, i int32) {
	if base, index, _, _, ok := c.address(in.Args[0]); ok {
		c.val(in.Args[0]).fused = true
		if base != 0 {
			c.need(base, i)
		}
		if index != 0 {
			c.need(index, i)
		}
	} else {
		c.need(in.Args[0], i)
	}
	if in.Op == ir.Store {
		if half, ok := c.fusedHalf(in); ok {
			c.val(c.stored(in)).fused = true
			c.need(half, i)
		} else {
			c.need(c.stored(in), i)
		}
	}
}

// stored returns the value whose low bits a Store takes.
func (c *Compiler) stored(in *ir.Inst) ir.Val {
	v := in.Args[1]
	bits := ir.MemOf(in.Imm).Size * 8
	for {
		x := c.inst(v)
		if x.Op == ir.Trunc || x.Op == ir.Zext && c.bits(x.Args[0]) >= bits {
			v = x.Args[0]
			continue
		}
		if x.Op == ir.Extract {
			if pos, width := ir.FieldOf(x.Imm); pos == 0 && int(width) >= bits {
				v = x.Args[0]
				continue
			}
		}
		return v
	}
}

// sum is Unit.Sum of an addition that LEA can do.
func (c *Compiler) sum(in *ir.Inst) (base, index ir.Val, m mem, ok bool) {
	if in.Type < ir.I32 {
		return 0, 0, mem{}, false
	}
	base, index, scale, disp := c.u.Sum(in)
	if in.Type == ir.I64 {
		all := disp
		if k, ok := c.constOf(base); ok {
			all += k
		}
		if all != uint64(int64(int32(all))) {
			return 0, 0, mem{}, false
		}
	}
	return base, index, mem{scale: uint8(scale), disp: int32(uint32(disp))}, true
}

// address splits an address that only one instruction uses into
// base + index<<scale + disp, for that to compute along.
func (c *Compiler) address(a ir.Val) (base, index ir.Val, scale uint, disp uint64, ok bool) {
	in := c.inst(a)
	if in.Op != ir.Add || in.Uses > 1 {
		return 0, 0, 0, 0, false
	}
	base, index, m, ok := c.sum(in)
	return base, index, uint(m.scale), uint64(int64(m.disp)), ok
}

// keepAcrossLoops makes what a loop needs live until its end.
func (c *Compiler) keepAcrossLoops() {
	u := c.u
	for _, b := range u.Blocks {
		j := b.End - 1
		in := &c.insts[j]
		if in.Op != ir.Jump && in.Op != ir.Branch {
			continue
		}
		t1, t2 := in.Targets()
		if in.Op == ir.Jump {
			t2 = t1
		}
		for _, t := range [2]int{t1, t2} {
			first := u.Blocks[t].First
			for i := range min(first, j+1) {
				if v := &c.vals[i]; v.need != 0 && v.need >= int32(first) && v.need < int32(j) {
					v.need = int32(j)
				}
			}
		}
	}
}
