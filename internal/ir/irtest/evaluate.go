package irtest

import (
	"fmt"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// Memory is 64 KiB without an MMU; accesses beyond fault.
type Memory [1 << 16]byte

// Load reads a little-endian number.
func (m *Memory) Load(va uint64, size int) (uint64, *guest.Fault) {
	if va+uint64(size) > uint64(len(m)) {
		return 0, &guest.Fault{Vector: 14, Addr: va}
	}
	var v uint64
	for i := range size {
		v |= uint64(m[va+uint64(i)]) << (8 * i)
	}
	return v, nil
}

// Store writes one.
func (m *Memory) Store(va uint64, size int, v uint64) *guest.Fault {
	if va+uint64(size) > uint64(len(m)) {
		return &guest.Fault{Vector: 14, Addr: va}
	}
	for i := range size {
		m[va+uint64(i)] = byte(v >> (8 * i))
	}
	return nil
}

// wide is a value of the plain evaluator; hi is used by V128 only.
type wide struct{ lo, hi uint64 }

// Evaluate is the definition: it runs u on f and mem, and says how it was left.
func Evaluate(u *ir.Unit, f *ir.Frame, mem *Memory, helpers []guest.Helper) string {
	vals := make([]wide, len(u.Insts)+1)
	var pc uint64
	leave := func(at uint64, format string, args ...any) string {
		f[u.Slots.PC] = at
		return fmt.Sprintf(format, args...)
	}
	for block, args := 0, []wide(nil); ; {
		b := u.Blocks[block]
		next := -1
		for i := b.First; i < b.End; i++ {
			in := &u.Insts[i]
			var a [4]wide
			for j := range in.NArgs() {
				a[j] = vals[in.Args[j]]
			}
			typ := func(j int) ir.Type { return u.Inst(in.Args[j]).Type }
			var r wide
			switch in.Op {
			case ir.Nop:
			case ir.Param:
				r = args[i-b.First]
			case ir.Const:
				r.lo = in.Imm
			case ir.Get:
				r.lo = f[in.Imm]
				if in.Type == ir.V128 {
					r.hi = f[in.Imm+1]
				}
			case ir.Set:
				f[in.Imm] = a[0].lo
				if typ(0) == ir.V128 {
					f[in.Imm+1] = a[0].hi
				}
			case ir.Insn:
				pc = in.Imm
			case ir.Neg, ir.Not, ir.Bswap, ir.Clz, ir.Ctz, ir.Popcnt:
				r.lo = ir.Eval1(in.Op, in.Type, a[0].lo)
			case ir.Zext:
				r.lo = a[0].lo
			case ir.Trunc:
				r.lo = a[0].lo & in.Type.Mask()
			case ir.Sext:
				r.lo = ir.SignExtend(a[0].lo, typ(0)) & in.Type.Mask()
			case ir.Extract:
				pos, width := ir.FieldOf(in.Imm)
				r.lo = a[0].lo >> pos & (^uint64(0) >> (64 - width))
			case ir.Deposit:
				pos, width := ir.FieldOf(in.Imm)
				mask := ^uint64(0) >> (64 - width) << pos
				r.lo = a[0].lo&^mask | a[1].lo<<pos&mask
			case ir.Select:
				r = a[2]
				if a[0].lo != 0 {
					r = a[1]
				}
			case ir.VConst:
				r = wide{in.Imm, in.Imm}
			case ir.VMake:
				r = wide{a[0].lo, a[1].lo}
			case ir.VLow:
				r.lo = a[0].lo
			case ir.VHigh:
				r.lo = a[0].hi
			case ir.Load, ir.Store:
				m := ir.MemOf(in.Imm)
				va, n := uint64(uint32(a[0].lo)), min(m.Size, 8)
				last := uint64(uint32(va + 8))
				if m.Size == 16 && in.Op == ir.Store { // nothing is stored if half of it faults
					if _, fault := mem.Load(last, 8); fault != nil {
						return leave(pc, "fault %x", fault.Addr)
					}
				}
				var fault *guest.Fault
				if in.Op == ir.Load {
					r.lo, fault = mem.Load(va, n)
				} else {
					fault = mem.Store(va, n, a[1].lo)
				}
				if fault == nil && m.Size == 16 {
					if in.Op == ir.Load {
						r.hi, fault = mem.Load(last, 8)
					} else {
						fault = mem.Store(last, 8, a[1].hi)
					}
				}
				if fault != nil {
					return leave(pc, "fault %x", fault.Addr)
				}
			case ir.Guard:
				if a[0].lo != 0 {
					return leave(pc, "guard %d", in.Imm)
				}
			case ir.Call:
				h, flags := ir.CallOf(in.Imm)
				if flags&ir.Pure == 0 {
					f[u.Slots.PC] = pc
				}
				v, stop := helpers[h](a[0].lo, a[1].lo, a[2].lo)
				if stop && flags == 0 {
					return "stop"
				}
				r.lo = v
			case ir.Jump:
				next, _ = in.Targets()
				args = append([]wide(nil), a[:]...)
			case ir.Branch:
				yes, no := in.Targets()
				if next = no; a[0].lo != 0 {
					next = yes
				}
			case ir.Link:
				return leave(in.Imm, "link")
			case ir.Indirect:
				return leave(a[0].lo, "indirect")
			case ir.Exit:
				return leave(a[0].lo, "exit")
			default:
				r.lo = ir.Eval2(in.Op, typ(0), a[0].lo, a[1].lo)
			}
			vals[i+1] = r
		}
		block = next
	}
}
