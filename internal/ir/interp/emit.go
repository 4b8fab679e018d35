package interp

import (
	"fmt"

	"rhea/internal/ir"
)

// emitBlock lowers a block forwards.
func (l *Lowerer) emitBlock(b ir.Block) {
	l.wbGood, l.end = false, b.End
	for i := b.First; i < b.End; i++ {
		in, v := &l.u.Insts[i], &l.vals[i]
		if v.need < 0 && (!in.Op.Keep() || in.Op == ir.Call && !in.Leaves()) || v.fused {
			continue
		}
		l.emit(in, i)
	}
}

func (l *Lowerer) emit(in *ir.Inst, i int) {
	switch in.Op {
	case ir.Nop, ir.Const, ir.Zext: // made, or looked through, where they are used
	case ir.Param:
		if l.vals[i].word < 0 { // else a jump to here has given it one
			l.vals[i].word = l.newTemp()
		}
	case ir.Get:
		s := ir.Slot(in.Imm)
		if l.pend[s] != 0 { // only in units that no Builder made
			l.flush(i)
		}
		if l.leaves(i) {
			t := l.own(i)
			l.copy(t, uint16(s), in.Type)
			return
		}
		l.live(i, s)
	case ir.Set:
		l.set(in, i)
	case ir.Insn:
		l.pc, l.wbGood = in.Imm, false
	case ir.Load:
		l.load(in, i)
	case ir.Store:
		l.store(in)
	case ir.Guard:
		l.guard(in)
	case ir.Call:
		l.call(in, i)
	case ir.Jump, ir.Branch:
		l.jump(in, i)
	case ir.Link:
		l.flush(i)
		l.c.links = append(l.c.links, Link{PC: in.Imm})
		l.add(op{code: opLink, imm: uint64(len(l.c.links) - 1)})
	case ir.Indirect, ir.Exit:
		w := l.stable(in.Args[0])
		l.flush(i)
		l.add(op{code: map[ir.Op]opcode{ir.Indirect: opIndirect, ir.Exit: opExit}[in.Op], b: w})
	default:
		l.compute(in, i)
	}
}

func (l *Lowerer) add(o op) { l.c.ops = append(l.c.ops, o) }

func (l *Lowerer) newTemp() int {
	l.temp++
	if l.temp >= noWord-2 {
		panic("BUG: interp: unit too large")
	}
	return l.temp - 1
}

// live notes that the value of instruction i lies in s's own word.
func (l *Lowerer) live(i int, s ir.Slot) {
	l.vals[i].word = int(s)
	if len(l.home[s]) == 0 {
		l.homed = append(l.homed, s)
	}
	l.home[s] = append(l.home[s], ir.Val(i+1))
}

// homeFree reports whether nothing that lies in s's word is needed after i.
func (l *Lowerer) homeFree(s ir.Slot, i int) bool {
	for _, v := range l.home[s] {
		if p := l.val(v); p.word == int(s) && p.need > i {
			return false
		}
	}
	return true
}

// vacate moves what lies in s's word and is needed after i elsewhere.
func (l *Lowerer) vacate(s ir.Slot, i int) {
	t := -1
	for _, v := range l.home[s] {
		if p := l.val(v); p.word == int(s) && p.need > i {
			if t < 0 {
				t = l.newTemp()
				if l.u.Inst(v).Type == ir.V128 {
					l.newTemp()
				}
				l.copy(uint16(t), uint16(s), l.u.Inst(v).Type)
			}
			p.word = t
		}
	}
	l.home[s] = l.home[s][:0]
}

// dest returns the word in which to compute the value of instruction i.
func (l *Lowerer) dest(i int) uint16 {
	v := &l.vals[i]
	if v.cand >= 0 && !l.leaves(i) && l.homeFree(ir.Slot(v.cand), i) && !l.reads(&l.u.Insts[i], ir.Slot(v.cand)) {
		s := ir.Slot(v.cand)
		l.home[s] = l.home[s][:0]
		l.live(i, s)
		return uint16(s)
	}
	return l.own(i)
}

// own gives the value of instruction i words of its own.
func (l *Lowerer) own(i int) uint16 {
	v := &l.vals[i]
	v.word = l.newTemp()
	if l.u.Insts[i].Type == ir.V128 {
		l.newTemp()
	}
	return uint16(v.word)
}

// leaves reports whether another block needs the value of instruction i. Such
// a value does not lie in a slot's word: where it moves to when the slot
// changes would depend on the way to that block.
func (l *Lowerer) leaves(i int) bool { return l.vals[i].need >= l.end }

func (l *Lowerer) copy(dst, src uint16, t ir.Type) {
	code := opMov
	if t == ir.V128 {
		code = opMovV
	}
	l.add(op{code: code, a: dst, b: src})
}

// reads reports whether a 128-bit operation reads s while it writes its result.
func (l *Lowerer) reads(in *ir.Inst, s ir.Slot) bool {
	if in.Op != ir.VMake {
		return false
	}
	w := l.val(l.origin(in.Args[1])).word
	return w == int(s) || w == int(s)+1
}

// origin looks through Zext: its value lies where its operand does, which may
// move.
func (l *Lowerer) origin(v ir.Val) ir.Val {
	for l.u.Inst(v).Op == ir.Zext {
		v = l.u.Inst(v).Args[0]
	}
	return v
}

// word returns where v lies; constants get a word here.
func (l *Lowerer) word(v ir.Val) uint16 {
	v = l.origin(v)
	p := l.val(v)
	in := l.u.Inst(v)
	if in.Op == ir.Const {
		// Not kept for later uses: this place may not dominate them.
		t := l.newTemp()
		l.add(op{code: opMovI, a: uint16(t), imm: in.Imm})
		return uint16(t)
	}
	if in.Op == ir.VConst {
		t := l.newTemp()
		l.newTemp()
		l.add(op{code: opMovI, a: uint16(t), imm: in.Imm})
		l.add(op{code: opMovI, a: uint16(t) + 1, imm: in.Imm})
		return uint16(t)
	}
	if p.word < 0 {
		panic(fmt.Sprintf("BUG: interp: v%d (%s) has no word", v, in.Op))
	}
	return uint16(p.word)
}

// stable is word, but of a place that a flush leaves alone.
func (l *Lowerer) stable(v ir.Val) uint16 {
	w := l.word(v)
	if int(w) < ir.TempBase && l.pend[w] != 0 {
		t := uint16(l.newTemp())
		l.add(op{code: opMov, a: t, b: w})
		return t
	}
	return w
}

func (l *Lowerer) set(in *ir.Inst, i int) {
	s, v := ir.Slot(in.Imm), in.Args[0]
	if l.vals[i].dead {
		return
	}
	l.wbGood = false
	if l.val(v).word == int(s) && !l.isConst(v) {
		l.pend[s] = 0
		return
	}
	if l.pend[s] == 0 {
		l.slots = append(l.slots, s)
	}
	l.pend[s] = v
}

func (l *Lowerer) isConst(v ir.Val) bool { return l.u.Inst(v).Op == ir.Const }

// move is a pending copy between words.
type move struct {
	dst, src uint16
	wide     bool
}

// flush writes all pending Sets at instruction i. The copies are parallel:
// one's source may be another's destination.
func (l *Lowerer) flush(i int) {
	l.moves = l.moves[:0]
	consts := l.slots[:0:0]
	for _, s := range l.slots {
		v := l.pend[s]
		if v == 0 {
			continue
		}
		l.pend[s] = 0
		switch in := l.u.Inst(v); {
		case in.Op == ir.Const || in.Op == ir.VConst:
			l.pend[s] = v
			consts = append(consts, s)
		default:
			l.moves = append(l.moves, move{uint16(s), l.word(v), in.Type == ir.V128})
		}
		l.vacateFor(s, i)
	}
	l.slots = l.slots[:0]
	l.parallel()
	for _, s := range consts {
		in := l.u.Inst(l.pend[s])
		l.pend[s] = 0
		l.add(op{code: opMovI, a: uint16(s), imm: in.Imm})
		if in.Op == ir.VConst {
			l.add(op{code: opMovI, a: uint16(s) + 1, imm: in.Imm})
		}
	}
	l.wbGood = false
}

// vacateFor is vacate for a flush at i: pending copies read the old place.
func (l *Lowerer) vacateFor(s ir.Slot, i int) { l.vacate(s, i) }

func (l *Lowerer) parallel() {
	ms := l.moves
	for len(ms) > 0 {
		progress := false
		for k := 0; k < len(ms); k++ {
			m := ms[k]
			if m.dst != m.src && l.isSource(ms, m, k) {
				continue
			}
			if m.dst != m.src {
				code := opMov
				if m.wide {
					code = opMovV
				}
				l.add(op{code: code, a: m.dst, b: m.src})
			}
			ms[k] = ms[len(ms)-1]
			ms = ms[:len(ms)-1]
			k--
			progress = true
		}
		if !progress { // a cycle: free one destination
			m := &ms[0]
			t := uint16(l.newTemp())
			code := opMov
			if m.wide {
				l.newTemp()
				code = opMovV
			}
			l.add(op{code: code, a: t, b: m.src})
			m.src = t
		}
	}
}

// isSource reports whether another of ms reads what m would overwrite.
func (l *Lowerer) isSource(ms []move, m move, self int) bool {
	lo, hi := m.dst, m.dst
	if m.wide {
		hi++
	}
	for k, o := range ms {
		if k == self {
			continue
		}
		oh := o.src
		if o.wide {
			oh++
		}
		if o.src <= hi && oh >= lo {
			return true
		}
	}
	return false
}

// writebacks returns the span of what is to be written if the unit is left here.
func (l *Lowerer) writebacks() uint32 {
	if l.wbGood {
		return l.wbSpan
	}
	c := l.c
	first := len(c.wb)
	c.wb = append(c.wb, writeback{slot: uint16(l.u.Slots.PC), src: noWord, value: l.pc})
	live := l.slots[:0]
	for _, s := range l.slots {
		v := l.pend[s]
		if v == 0 {
			continue
		}
		live = append(live, s)
		switch in := l.u.Inst(v); in.Op {
		case ir.Const:
			c.wb = append(c.wb, writeback{uint16(s), noWord, in.Imm})
		case ir.VConst:
			c.wb = append(c.wb, writeback{uint16(s), noWord, in.Imm}, writeback{uint16(s) + 1, noWord, in.Imm})
		default:
			w := l.word(v)
			c.wb = append(c.wb, writeback{slot: uint16(s), src: w})
			if in.Type == ir.V128 {
				c.wb = append(c.wb, writeback{slot: uint16(s) + 1, src: w + 1})
			}
		}
	}
	l.slots = live
	c.wbs = append(c.wbs, span{uint32(first), uint32(len(c.wb))})
	l.wbSpan, l.wbGood = uint32(len(c.wbs)-1), true
	return l.wbSpan
}

// Layout of a memory operation's imm: displacement, scale, write-back.
const (
	immScale = 32
	immRMW   = 34
	immIndex = 35
	immWB    = 40
)

func (l *Lowerer) memImm(m ir.Mem, scale uint, disp uint64) uint64 {
	imm := disp&0xffffffff | uint64(scale)<<immScale | uint64(m.Index)<<immIndex | uint64(l.writebacks())<<immWB
	if m.RMW {
		imm |= 1 << immRMW
	}
	if l.c.index < 0 {
		l.c.index = m.Index
	}
	return imm
}

// log2 of an access size.
func log2(size int) opcode {
	return map[int]opcode{1: 0, 2: 1, 4: 2, 8: 3, 16: 4}[size]
}

// memOp returns the operation for an address, without a and code.
func (l *Lowerer) memOp(in *ir.Inst) (o op, indexed bool) {
	m := ir.MemOf(in.Imm)
	base, index, scale, disp := l.address(in.Args[0])
	wide := l.isWide(in)
	if c, ok := l.u.ConstOf(base); ok && index == 0 && (!wide || isInt32(disp+c)) {
		disp += c
		o.b = zeroWord
	} else {
		o.b = l.word(base)
	}
	if index != 0 {
		o.c = l.word(index)
		indexed = true
	}
	o.imm = l.memImm(m, scale, disp)
	return o, indexed
}

// isWide reports whether an access has an address of 64 bits.
func (l *Lowerer) isWide(in *ir.Inst) bool { return l.u.Inst(in.Args[0]).Type == ir.I64 }

// zeroWord is a word that always holds 0.
const zeroWord = ir.FrameWords - 1

func (l *Lowerer) load(in *ir.Inst, i int) {
	o, indexed := l.memOp(in)
	if m := ir.MemOf(in.Imm); m.Probe {
		if !indexed {
			o.c = zeroWord
		}
		o.code, o.a = opSure, uint16(m.Size)
		if l.isWide(in) {
			o.code = opSureW
		}
		l.add(o)
		return
	}
	if m := ir.MemOf(in.Imm); m.RMW && l.vals[i].need < 0 {
		o.code, o.a = opProbe, uint16(m.Size)
		switch {
		case indexed:
			o.code = opProbeX
		case l.isWide(in):
			o.code = opProbeW
		}
		l.add(o)
		return
	}
	o.code = opLd8 + log2(ir.MemOf(in.Imm).Size)
	switch {
	case indexed:
		o.code += opLdX8 - opLd8
	case l.isWide(in):
		o.code += opLdW8 - opLd8
	}
	o.a = l.dest(i)
	l.add(o)
}

func (l *Lowerer) store(in *ir.Inst) {
	v := l.word(in.Args[1])
	o, indexed := l.memOp(in)
	o.code = opSt8 + log2(ir.MemOf(in.Imm).Size)
	switch {
	case indexed:
		o.code += opStX8 - opSt8
	case l.isWide(in):
		o.code += opStW8 - opSt8
	}
	o.a = v
	l.add(o)
}

// compare returns the operation of a fused comparison: the base of a pair of
// codes (registers; constant) and its operands.
func (l *Lowerer) compare(c *ir.Inst, base opcode) (o op, k uint64, isConst bool) {
	o.code = base + opcode(c.Op-ir.Eq)*2
	o.b = l.word(c.Args[0])
	if k, ok := l.u.ConstOf(c.Args[1]); ok && k < 1<<32 {
		o.code++
		return o, k, true
	}
	o.c = l.word(c.Args[1])
	return o, 0, false
}

func (l *Lowerer) guard(in *ir.Inst) {
	g := guard{in.Imm, 0}
	var o op
	var k uint64
	if cv := l.val(in.Args[0]); cv.fused {
		o, k, _ = l.compare(l.u.Inst(in.Args[0]), opGuardEq)
	} else {
		o = op{code: opGuard, b: l.word(in.Args[0])}
	}
	g.wb = l.writebacks()
	l.c.guards = append(l.c.guards, g)
	o.a = uint16(len(l.c.guards) - 1)
	o.imm = k
	l.add(o)
}

func (l *Lowerer) jump(in *ir.Inst, i int) {
	if in.Op == ir.Jump {
		t, _ := in.Targets()
		l.moves = l.moves[:0]
		first := l.u.Blocks[t].First
		for j := range in.NArgs() {
			if w := l.vals[first+j].word; w < 0 {
				l.vals[first+j].word = l.newTemp()
			}
			l.moves = append(l.moves, move{uint16(l.vals[first+j].word), l.keep(l.word(in.Args[j])), false})
		}
		params := append([]move(nil), l.moves...)
		l.flush(i)
		l.moves = params
		l.parallel()
		l.patches = append(l.patches, len(l.c.ops))
		l.add(op{code: opJump, imm: uint64(t)})
		return
	}
	var o op
	var k uint64
	if cv := l.val(in.Args[0]); cv.fused {
		c := l.u.Inst(in.Args[0])
		var isConst bool
		o, k, isConst = l.compare(c, opBrEq)
		o.b = l.keep(o.b)
		if !isConst {
			o.c = l.keep(o.c)
		}
	} else {
		o = op{code: opBr, b: l.keep(l.word(in.Args[0]))}
	}
	l.flush(i)
	yes, no := in.Targets()
	l.patches = append(l.patches, len(l.c.ops))
	// Targets: a and the word's second half; a constant takes the first.
	o.a = uint16(yes)
	o.imm = k&0xffffffff | uint64(no)<<32
	l.add(o)
}

// keep copies a word that the coming flush would overwrite.
func (l *Lowerer) keep(w uint16) uint16 {
	if int(w) < ir.TempBase && l.pend[w] != 0 {
		t := uint16(l.newTemp())
		l.add(op{code: opMov, a: t, b: w})
		return t
	}
	return w
}

// patch turns block numbers into places.
func (l *Lowerer) patch(o *op) {
	if o.code == opJump {
		o.imm = uint64(l.blockAt[o.imm])
		return
	}
	o.a = uint16(l.blockAt[o.a])
	o.imm = o.imm&0xffffffff | uint64(l.blockAt[o.imm>>32])<<32
}

func (l *Lowerer) call(in *ir.Inst, i int) {
	id, flags := ir.CallOf(in.Imm)
	k := call{fn: l.helpers[id], stop: flags&(ir.Pure|ir.NoStop) == 0}
	for j := range k.args {
		k.args[j] = zeroWord
		if in.Args[j] != 0 {
			k.args[j] = l.word(in.Args[j])
		}
	}
	if in.Leaves() {
		for j := range k.args {
			k.args[j] = l.keep(k.args[j])
		}
		l.flush(i)
		for _, s := range l.homed { // the helper may change any slot
			l.vacate(s, i)
		}
		l.homed = l.homed[:0]
		l.add(op{code: opMovI, a: uint16(l.u.Slots.PC), imm: l.pc})
	}
	code := opCall
	if !k.stop {
		code = opCallPure
	}
	k.dst = uint16(l.temp)
	if in.Type != ir.Void && l.vals[i].need >= 0 {
		if in.Leaves() { // not into a slot: it would be taken for the old value
			l.vals[i].word = l.newTemp()
			k.dst = uint16(l.vals[i].word)
		} else {
			k.dst = l.dest(i)
		}
	} else {
		k.dst = uint16(l.newTemp())
	}
	l.c.calls = append(l.c.calls, k)
	l.add(op{code: code, a: k.dst, imm: uint64(len(l.c.calls) - 1)})
}
