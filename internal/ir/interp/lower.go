package interp

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// Lowerer turns units into Code. It is kept and used again, so that its
// tables are not allocated anew.
type Lowerer struct {
	helpers []guest.Helper
	forms   map[binKey]form
	u       *ir.Unit
	c       *Code

	vals   []value
	exitAt []int // index of the last instruction at or before that may exit

	// For analyse: the next Set of each slot, valid where the stamp fits.
	nextSet  [ir.TempBase]int
	setStamp [ir.TempBase]int
	stamp    int
	cands    []int // instructions that have a cand

	// Sets of the current block that are not yet written, and in which order
	// they came.
	pend  [ir.TempBase]ir.Val
	slots []ir.Slot
	pc    uint64 // of the current guest instruction

	// What lives in a slot's own word, and which slots have an entry.
	home  [ir.TempBase][]ir.Val
	homed []ir.Slot

	end     int   // of the current block
	temp    int   // next free word
	blockAt []int // op index of each block
	patches []int // ops whose targets are blocks
	wbSpan  uint32
	wbGood  bool // wbSpan fits pend and pc
	moves   []move
}

// value is what is known of an ir.Val.
type value struct {
	uses  int  // by counting all
	need  int  // index of the last instruction that needs it; -1 = none
	word  int  // where it lies: word of the frame, -1 = nowhere yet
	fused bool // computed by its user
	dead  bool // a Set that another overtakes
	cand  int  // slot in whose word it may be computed, -1 = none
}

// NewLowerer returns a Lowerer for a guest's helpers.
func NewLowerer(helpers []guest.Helper) *Lowerer {
	return &Lowerer{helpers: helpers, forms: binForms()}
}

// Lower makes Code of u, which must be well-formed.
func (l *Lowerer) Lower(u *ir.Unit) *Code {
	u.CallVectors(nil)
	u.CallStackOps(nil)
	l.u, l.c = u, &Code{Guest: u.Guest, Valid: true, index: -1}
	l.temp = ir.TempBase
	l.patches, l.blockAt = l.patches[:0], l.blockAt[:0]
	if cap(l.vals) < len(u.Insts) {
		l.vals = make([]value, len(u.Insts)*2)
		l.exitAt = make([]int, len(u.Insts)*2)
	}
	l.vals = l.vals[:len(u.Insts)]
	l.exitAt = l.exitAt[:len(u.Insts)]
	for i := range l.vals {
		l.vals[i] = value{need: -1, word: -1, cand: -1}
	}
	for i := range u.Insts {
		in := &u.Insts[i]
		for j := range in.NArgs() {
			l.vals[in.Args[j]-1].uses++
		}
	}
	for i := len(u.Blocks) - 1; i >= 0; i-- {
		l.analyse(u.Blocks[i])
	}
	l.keepAcrossLoops()
	for _, s := range l.homed {
		l.home[s] = l.home[s][:0]
	}
	l.homed = l.homed[:0]
	for _, b := range u.Blocks {
		l.blockAt = append(l.blockAt, len(l.c.ops))
		l.emitBlock(b)
	}
	for _, i := range l.patches {
		l.patch(&l.c.ops[i])
	}
	if l.c.index < 0 {
		l.c.index = 0
	}
	// Copies of exact size: the lowerer's own buffers grow by doubling.
	l.c.ops = append([]op(nil), l.c.ops...)
	l.c.wb = append([]writeback(nil), l.c.wb...)
	return l.c
}

func (l *Lowerer) val(v ir.Val) *value { return &l.vals[v-1] }

// need notes that the instruction at i needs v, directly or through fusion.
func (l *Lowerer) need(v ir.Val, i int) {
	p := l.val(v)
	in := l.u.Inst(v)
	if in.Op == ir.Zext { // the same word
		l.need(in.Args[0], i)
	}
	if p.need < i {
		p.need = i
	}
}

// analyse walks a block backwards: which values are needed until where, which
// Sets are overtaken, which operations their users can do along.
func (l *Lowerer) analyse(b ir.Block) {
	u := l.u
	l.stamp++
	l.cands = l.cands[:0]
	last := -1
	for i := b.First; i < b.End; i++ {
		if u.Insts[i].Leaves() {
			last = i
		}
		l.exitAt[i] = last
	}
	flush := b.End // where pending Sets are written
	exit := b.End  // the next instruction that may exit
	for i := b.End - 1; i >= b.First; i-- {
		in := &u.Insts[i]
		v := &l.vals[i]
		switch {
		case in.Op == ir.Set:
			s := in.Imm
			next := flush
			if l.setStamp[s] == l.stamp {
				next = l.nextSet[s]
				if next <= exit && next < flush {
					v.dead = true
				}
			}
			if !v.dead {
				l.need(in.Args[0], next)
				// The first of several Sets of a value is the last to come by.
				if d := int(in.Args[0]) - 1; d >= b.First && l.exitAt[i] <= d {
					l.vals[d].cand = int(s)
					l.cands = append(l.cands, d)
				}
			}
			l.setStamp[s], l.nextSet[s] = l.stamp, i
			continue
		case v.need < 0 && !in.Op.Keep():
			continue // not needed
		case in.Op == ir.Get:
			l.setStamp[in.Imm] = 0 // an earlier Set is not overtaken
			l.keepHome(in.Imm, i)
			continue
		case in.Op == ir.Call && in.Imm>>32&uint64(ir.Pure) != 0 && v.need < 0:
			continue
		}
		if in.Leaves() {
			exit = i
			if in.Op == ir.Call {
				flush = i
				l.stamp++
			}
		}
		if v.fused {
			continue // its operands were noted by its user
		}
		l.noteArgs(in, i)
	}
}

// keepHome is told of a Get at i: no value that is made before may be computed
// in the slot's own word.
func (l *Lowerer) keepHome(slot uint64, i int) {
	for _, d := range l.cands {
		if d < i && l.vals[d].cand == int(slot) {
			l.vals[d].cand = -1
		}
	}
}

// noteArgs notes the operands of the instruction at i, looking through those
// operations that it can do along.
func (l *Lowerer) noteArgs(in *ir.Inst, i int) {
	switch in.Op {
	case ir.Load, ir.Store:
		base, index, _, _ := l.address(in.Args[0])
		l.need(base, i)
		if index != 0 {
			l.need(index, i)
		}
		if in.Op == ir.Store {
			l.need(in.Args[1], i)
		}
		return
	case ir.Branch, ir.Guard, ir.Select:
		c := l.u.Inst(in.Args[0])
		cv := l.val(in.Args[0])
		if c.Op >= ir.Eq && c.Op <= ir.Les && cv.uses == 1 && in.Op != ir.Select && fusable(c, l.u) {
			cv.fused, cv.need = true, i
			l.need(c.Args[0], i)
			l.need(c.Args[1], i)
			return
		}
	case ir.Add:
		if in.Type == ir.I32 {
			if base, index, _, _ := l.u.Sum(in); index != 0 {
				l.need(base, i)
				l.need(index, i)
				return
			}
		}
	}
	for j := range in.NArgs() {
		l.need(in.Args[j], i)
	}
}

// fusable reports whether a comparison has a branching form: all but signed
// ones of 8 and 16 bits.
func fusable(c *ir.Inst, u *ir.Unit) bool {
	t := u.Inst(c.Args[0]).Type
	return c.Op != ir.Lts && c.Op != ir.Les || t == ir.I32
}

// address splits a 32-bit address into base + index<<scale + disp, and one of
// 64 bits into base + disp, if that is a signed number of 32 bits.
func (l *Lowerer) address(a ir.Val) (base, index ir.Val, scale uint, disp uint64) {
	in := l.u.Inst(a)
	switch {
	case in.Op != ir.Add:
	case in.Type == ir.I32:
		return l.u.Sum(in)
	case in.Type == ir.I64:
		if k, ok := l.u.ConstOf(in.Args[1]); ok && isInt32(k) {
			return in.Args[0], 0, 0, k
		}
	}
	return a, 0, 0, 0
}

// isInt32 reports whether k is a sign-extended number of 32 bits.
func isInt32(k uint64) bool { return k == uint64(int64(int32(k))) }

// keepAcrossLoops makes what a loop needs live until its end.
func (l *Lowerer) keepAcrossLoops() {
	u := l.u
	for _, b := range u.Blocks {
		j := b.End - 1
		in := &u.Insts[j]
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
				if v := &l.vals[i]; v.need >= first && v.need < j {
					v.need = j
				}
			}
		}
	}
}
