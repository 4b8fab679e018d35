package tcg

import (
	"rhea/internal/guest"
	"rhea/internal/ir"
)

// This file is the quick tier. Much code runs once or a few times: what a system
// does when it starts, or a process between its start and its end. Making
// machine code of it would take longer than running it. So a new unit is
// executed as IR, as it is, and compiled if it is met again.

// quickRuns is how often a unit is executed as IR.
const quickRuns = 2

// The IR of the last units that were not compiled is kept for when they are; of
// others it is made again. It is a ring.
const (
	quickInsts  = 1 << 13
	quickUnits  = 1 << 8
	quickBlocks = 8 // of a unit
)

// quickShare is how many bytes of code memory there are for each unit that was not
// compiled, at least: if they become more all of them are dropped.
const quickShare = 1024

// Of units that were dropped so a bit is left, by their places: one that comes again
// is in a loop over more units than there may be. quickBits is how many bits there
// are for each unit on the list, quickDrops how often it is dropped until all bits
// are cleared, quickRest how often it is dropped without bits after code was evicted.
const (
	quickBits  = 64
	quickDrops = 8
	quickRest  = 256
)

// quick is what the tier needs.
type quick struct {
	vals    []uint64 // by ir.Val
	insts   []ir.Inst
	total   uint64 // of insts that were used, going around
	waiting []waiting
	next    int // of waiting to be used
	runs    uint64
	dropped []uint64 // bits, nil before the first drop
	drops   int

	evictions int // what they were at the last drop
	until     int // no bits are left before so many drops
}

// waiting is the IR of a unit.
type waiting struct {
	ir     ir.Unit
	blocks [quickBlocks]ir.Block
	owner  *unit
	at     uint64 // of quick.total
}

// isQuick reports whether the unit in v.ir, of a place, is to be executed as it is.
func (v *VCPU) isQuick(at place) bool {
	return v.n != nil && !v.eager && !v.traced && !v.counted && !v.ir.Vectors &&
		len(v.ir.Insts) <= quickInsts/4 && len(v.ir.Blocks) <= quickBlocks && !v.quick.wasDropped(at)
}

// droppedBit is the word and the bit of a place.
func (q *quick) droppedBit(at place) (*uint64, uint64) {
	h := at.off * 0x9e3779b97f4a7c15 >> 32 % uint64(64*len(q.dropped))
	return &q.dropped[h/64], 1 << (h % 64)
}

// wasDropped reports whether a unit of the place was dropped lately, and perhaps says
// so of another.
func (q *quick) wasDropped(at place) bool {
	if q.dropped == nil {
		return false
	}
	w, bit := q.droppedBit(at)
	return *w&bit != 0
}

// wait keeps the unit in v.ir to be executed as it is.
func (v *VCPU) wait(u *unit) {
	q := &v.quick
	if len(v.n.quick) >= len(v.n.code.RW)/quickShare {
		v.dropQuick()
	}
	u.quick, u.index = true, int32(len(v.n.quick))
	v.n.quick = append(v.n.quick, u)
	n := uint64(len(v.ir.Insts))
	if q.insts == nil {
		q.insts, q.waiting = make([]ir.Inst, quickInsts), make([]waiting, quickUnits)
	}
	at := q.total % quickInsts
	if at+n > quickInsts {
		q.total += quickInsts - at
		at = 0
	}
	u.waits = uint16(q.next)
	w := &q.waiting[q.next]
	q.next = (q.next + 1) % quickUnits
	w.owner, w.at = u, q.total
	w.ir = v.ir
	w.ir.Insts, w.ir.Blocks = q.insts[at:at+n], w.blocks[:len(v.ir.Blocks)]
	copy(w.ir.Insts, v.ir.Insts)
	copy(w.ir.Blocks, v.ir.Blocks)
	q.total += n
}

// waitingIR returns the IR of a unit that was not compiled, nil if it is not
// there any more.
func (v *VCPU) waitingIR(u *unit) *ir.Unit {
	w := &v.quick.waiting[u.waits]
	if w.owner != u || v.quick.total-w.at > quickInsts {
		return nil
	}
	return &w.ir
}

// isDue reports whether u is to be compiled now.
func (v *VCPU) isDue(u *unit) bool {
	return u.quick && !v.traced && (u.runs >= quickRuns || v.waitingIR(u) == nil)
}

// compileNow makes machine code of u, which is at k. A loop is translated once
// more, to be unrolled.
func (v *VCPU) compileNow(u *unit, k guest.Key) (*unit, *guest.Fault) {
	v.tell(u, k.PC)
	code := v.waitingIR(u)
	if code == nil || code.Loops {
		v.start(k, u.moves, true)
		if fault := v.cpu.Translate(v.builder, v, k, maxInsns); fault != nil {
			return nil, fault
		}
		if code = &v.ir; uint64(code.Bytes) > u.len {
			code = nil
		}
	}
	if code != nil && v.n.compile(v, u, code) {
		v.n.notQuick(u)
		return u, nil
	}
	v.cache.drop(u)
	v.eager = true
	u, fault := v.lookup(k)
	v.eager = v.cfg.Eager
	return u, fault
}

// notQuick takes a unit off the list of those that were not compiled.
func (n *coder) notQuick(u *unit) {
	last := n.quick[len(n.quick)-1]
	n.quick[u.index], last.index = last, u.index
	n.quick = n.quick[:len(n.quick)-1]
	u.quick = false
}

// dropQuick drops all units that were not compiled.
func (v *VCPU) dropQuick() {
	v.quick.noteDrop(v.n)
	v.cache.takeAll(v.n.quick)
	clear(v.jumps[:])
	v.n.freeQuick(func(*unit) bool { return true })
}

// noteDrop leaves the bits of what is about to be dropped, but not while the code
// memory has no room for it all: to make the same code again and again costs more than
// to execute it as it is.
func (q *quick) noteDrop(n *coder) {
	if q.dropped == nil {
		q.dropped = make([]uint64, len(n.code.RW)/quickShare*quickBits/64)
	}
	if q.drops++; q.drops%quickDrops == 0 {
		clear(q.dropped)
	}
	if q.evictions != n.evictions {
		q.evictions, q.until = n.evictions, q.drops+quickRest
		clear(q.dropped)
	}
	if q.drops < q.until {
		return
	}
	for _, u := range n.quick {
		w, bit := q.droppedBit(u.place)
		*w |= bit
	}
}

// freeQuick has those units used again that were not compiled and are over.
func (n *coder) freeQuick(over func(*unit) bool) {
	list := n.quick
	n.quick = n.quick[:0]
	for _, u := range list {
		if over(u) {
			n.free = append(n.free, u)
			continue
		}
		u.index = int32(len(n.quick))
		n.quick = append(n.quick, u)
	}
}

// evaluate executes the IR of u. It returns the unit to go on with, or nil if
// something has to be looked at. The program counter in the frame is always that
// of the instruction: what Go accesses in user mode may fault.
func (v *VCPU) evaluate(u *unit) *unit {
	code := v.waitingIR(u)
	f := v.cpu.Frame()
	pcSlot, pcMask := code.Slots.PC, v.n.pcMask
	v.n.setPage(u, f[pcSlot])
	shift := f[code.Slots.Page] - code.Page // of program counters
	if !code.Moves {
		shift = 0
	}
	u.runs++
	v.quick.runs++
	v.m.Count += uint64(code.Guest)
	insts := code.Insts
	if len(v.quick.vals) <= len(insts) {
		v.quick.vals = make([]uint64, 2*len(insts)+256)
	}
	vals := v.quick.vals[:len(insts)+1]
	k := u.key
	for i := 0; ; {
		in := &insts[i]
		x, y := vals[in.Args[0]], vals[in.Args[1]]
		i++
		switch in.Op {
		case ir.Nop, ir.Param:
		case ir.Insn:
			f[pcSlot] = (in.Imm + shift) & pcMask
		case ir.Const:
			vals[i] = in.Imm
		case ir.Get:
			vals[i] = f[in.Imm]
		case ir.Set:
			f[in.Imm] = x
		case ir.Add:
			vals[i] = (x + y) & in.Type.Mask()
		case ir.Sub:
			vals[i] = (x - y) & in.Type.Mask()
		case ir.And:
			vals[i] = x & y
		case ir.Or:
			vals[i] = x | y
		case ir.Xor:
			vals[i] = x ^ y
		case ir.Zext:
			vals[i] = x
		case ir.Trunc:
			vals[i] = x & in.Type.Mask()
		case ir.Sext:
			vals[i] = ir.SignExtend(x, code.Inst(in.Args[0]).Type) & in.Type.Mask()
		case ir.Extract:
			pos, width := ir.FieldOf(in.Imm)
			vals[i] = x >> pos & (^uint64(0) >> (64 - width))
		case ir.Deposit:
			pos, width := ir.FieldOf(in.Imm)
			mask := ^uint64(0) >> (64 - width) << pos
			vals[i] = x&^mask | y<<pos&mask
		case ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt:
			vals[i] = ir.Eval1(in.Op, in.Type, x)
		case ir.Select:
			if x == 0 {
				y = vals[in.Args[2]]
			}
			vals[i] = y
		case ir.Load:
			r, fault := v.evaluateLoad(x, ir.MemOf(in.Imm))
			if fault != nil {
				v.refused(fault, fault == errSelf)
				return nil
			}
			vals[i] = r
		case ir.Store:
			m := ir.MemOf(in.Imm)
			if p := v.m.TLB[m.Index].At(x).Page(x+uint64(m.Size)-1, true); p != nil {
				storePage(p, x, m.Size, y)
				break
			}
			if fault, self := v.missStore(x, m.Size, m.Index, y, u); fault != nil || self {
				v.refused(fault, self)
				return nil
			}
		case ir.Guard:
			if x != 0 {
				v.cpu.Guarded(in.Imm)
				return nil
			}
		case ir.Call, ir.Vec, ir.FPU:
			h, flags := int(in.Imm>>40), ir.NoStop
			if in.Op == ir.Call {
				h, flags = ir.CallOf(in.Imm)
			}
			r, stop := v.n.helpers[h](x, y, vals[in.Args[2]])
			if stop && flags&(ir.Pure|ir.NoStop) == 0 {
				return nil
			}
			vals[i] = r
		case ir.Jump, ir.Branch:
			to, no := in.Targets()
			if in.Op == ir.Branch && x == 0 {
				to = no
			}
			first := code.Blocks[to].First
			if in.Op == ir.Jump { // the parameters of the block
				args := [4]uint64{x, y, vals[in.Args[2]], vals[in.Args[3]]}
				for j := range in.NArgs() {
					vals[first+j+1] = args[j]
				}
			}
			i = first
		case ir.Link:
			k.PC = (in.Imm + shift) & pcMask
			return v.goOn(k)
		case ir.Indirect:
			k.PC = x
			return v.goOn(k)
		case ir.Exit:
			f[pcSlot] = x
			return nil
		default:
			vals[i] = ir.Eval2(in.Op, code.Inst(in.Args[0]).Type, x, y)
		}
	}
}

// goOn finds the unit at k to go on with, nil if something has to be looked at.
func (v *VCPU) goOn(k guest.Key) *unit {
	v.cpu.Frame()[v.ir.Slots.PC] = k.PC
	if v.m.Attention.Load() != 0 || v.n.pending() {
		return nil
	}
	next, fault := v.find(k)
	if fault != nil {
		v.cpu.Raise(fault)
		return nil
	}
	return next
}

// evaluateLoad does a Load.
func (v *VCPU) evaluateLoad(va uint64, m ir.Mem) (uint64, *guest.Fault) {
	if m.Probe {
		return 0, v.MissProbe(va, m.Size, m.Index)
	}
	if p := v.m.TLB[m.Index].At(va).Page(va+uint64(m.Size)-1, m.RMW); p != nil {
		return loadPage(p, va, m.Size), nil
	}
	return v.MissLoad(va, m.Size, m.Index, m.RMW)
}

// refused is told of an access that was not done, with the program counter in
// the frame: it has a fault, or would change the code of its own unit.
func (v *VCPU) refused(fault *guest.Fault, self bool) {
	if self {
		v.oneShot = true
		return
	}
	v.cpu.Raise(fault)
}
