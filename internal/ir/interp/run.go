package interp

import (
	"encoding/binary"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

var le = binary.LittleEndian

// Run executes c and the units it is linked to until one is left for good.
func (m *Machine) Run(c *Code) Exit {
	f := m.Frame
enter:
	if m.Attention.Load() != 0 {
		f[m.pc] = c.PC
		return Poll
	}
	m.Count += uint64(c.Guest)
	tlb := &m.TLB[c.index]
	ops := c.ops
	for pc := 0; ; {
		o := &ops[pc]
		pc++
		switch o.code {
		case opMov:
			f[o.a] = f[o.b]
		case opMovI:
			f[o.a] = o.imm
		case opMovV:
			f[o.a], f[o.a+1] = f[o.b], f[o.b+1]
		case opAdd32:
			f[o.a] = uint64(uint32(f[o.b]) + uint32(f[o.c]))
		case opAdd32I:
			f[o.a] = uint64(uint32(f[o.b]) + uint32(o.imm))
		case opAdd64:
			f[o.a] = f[o.b] + f[o.c]
		case opAdd64I:
			f[o.a] = f[o.b] + o.imm
		case opAddM:
			f[o.a] = (f[o.b] + f[o.c]) & o.imm
		case opSub32:
			f[o.a] = uint64(uint32(f[o.b]) - uint32(f[o.c]))
		case opSub32I:
			f[o.a] = uint64(uint32(f[o.b]) - uint32(o.imm))
		case opSub64:
			f[o.a] = f[o.b] - f[o.c]
		case opSub64I:
			f[o.a] = f[o.b] - o.imm
		case opSubM:
			f[o.a] = (f[o.b] - f[o.c]) & o.imm
		case opLea32:
			f[o.a] = uint64(uint32(f[o.b]) + uint32(f[o.c])<<(o.imm>>immScale&3) + uint32(o.imm))
		case opMul32:
			f[o.a] = uint64(uint32(f[o.b]) * uint32(f[o.c]))
		case opMul32I:
			f[o.a] = uint64(uint32(f[o.b]) * uint32(o.imm))
		case opMul64:
			f[o.a] = f[o.b] * f[o.c]
		case opAnd:
			f[o.a] = f[o.b] & f[o.c]
		case opAndI:
			f[o.a] = f[o.b] & o.imm
		case opOr:
			f[o.a] = f[o.b] | f[o.c]
		case opOrI:
			f[o.a] = f[o.b] | o.imm
		case opXor:
			f[o.a] = f[o.b] ^ f[o.c]
		case opXorI:
			f[o.a] = f[o.b] ^ o.imm
		case opShl32:
			f[o.a] = uint64(uint32(f[o.b]) << (f[o.c] & 31))
		case opShl32I:
			f[o.a] = uint64(uint32(f[o.b]) << (o.imm & 31))
		case opShl64I:
			f[o.a] = f[o.b] << (o.imm & 63)
		case opShr:
			f[o.a] = f[o.b] >> (f[o.c] & o.imm & 63)
		case opShrI:
			f[o.a] = f[o.b] >> (o.imm & 63)
		case opSar32:
			f[o.a] = uint64(uint32(int32(f[o.b]) >> (f[o.c] & 31)))
		case opSar32I:
			f[o.a] = uint64(uint32(int32(f[o.b]) >> (o.imm & 31)))
		case opRotl32I:
			f[o.a] = uint64(uint32(f[o.b])<<(o.imm&31) | uint32(f[o.b])>>(-o.imm&31))
		case opRotr32I:
			f[o.a] = uint64(uint32(f[o.b])>>(o.imm&31) | uint32(f[o.b])<<(-o.imm&31))
		case opSext8:
			f[o.a] = uint64(int8(f[o.b])) & o.imm
		case opSext16:
			f[o.a] = uint64(int16(f[o.b])) & o.imm
		case opSext32:
			f[o.a] = uint64(int32(f[o.b])) & o.imm
		case opExtract:
			f[o.a] = f[o.b] >> (o.c & 63) & o.imm
		case opDeposit:
			pos, width := ir.FieldOf(o.imm)
			mask := ^uint64(0) >> (-width & 63) << (pos & 63)
			f[o.a] = f[o.b]&^mask | f[o.c]<<(pos&63)&mask
		case opDep8:
			f[o.a] = f[o.b]&^0xff | f[o.c]&0xff
		case opDep8H:
			f[o.a] = f[o.b]&^0xff00 | f[o.c]<<8&0xff00
		case opDep16:
			f[o.a] = f[o.b]&^0xffff | f[o.c]&0xffff
		case opEq:
			f[o.a] = b2u(f[o.b] == f[o.c])
		case opEqI:
			f[o.a] = b2u(f[o.b] == o.imm)
		case opNe:
			f[o.a] = b2u(f[o.b] != f[o.c])
		case opNeI:
			f[o.a] = b2u(f[o.b] != o.imm)
		case opLtu:
			f[o.a] = b2u(f[o.b] < f[o.c])
		case opLtuI:
			f[o.a] = b2u(f[o.b] < o.imm)
		case opLeu:
			f[o.a] = b2u(f[o.b] <= f[o.c])
		case opLeuI:
			f[o.a] = b2u(f[o.b] <= o.imm)
		case opLts32:
			f[o.a] = b2u(int32(f[o.b]) < int32(f[o.c]))
		case opLts32I:
			f[o.a] = b2u(int32(f[o.b]) < int32(o.imm))
		case opLes32:
			f[o.a] = b2u(int32(f[o.b]) <= int32(f[o.c]))
		case opLes32I:
			f[o.a] = b2u(int32(f[o.b]) <= int32(o.imm))
		case opSelect:
			v := f[o.c]
			if f[uint16(o.imm)] != 0 {
				v = f[o.b]
			}
			f[o.a] = v
		case opEval1:
			f[o.a] = ir.Eval1(ir.Op(o.imm), ir.Type(o.imm>>8), f[o.b])
		case opEval2:
			f[o.a] = ir.Eval2(ir.Op(o.imm), ir.Type(o.imm>>8), f[o.b], f[o.c])
		case opVMake:
			f[o.a], f[o.a+1] = f[o.b], f[o.c]

		case opSure:
			if fault := m.probe(indexed(f, o), int(o.a), int(o.imm>>immIndex&31)); fault != nil {
				m.leave(c, uint32(o.imm>>immWB))
				m.Fault = fault
				return Faulted
			}
		case opLd8:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if e := &tlb.entries[va>>12%TLBSize]; e.read == va&^pageMask {
				f[o.a] = uint64(e.page[va&pageMask])
				continue
			}
			if !m.loadSlow(c, o, va, 1) {
				return Faulted
			}
		case opLd16:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+1)&^pageMask {
				f[o.a] = uint64(le.Uint16(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 2) {
				return Faulted
			}
		case opLd32:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+3)&^pageMask {
				f[o.a] = uint64(le.Uint32(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 4) {
				return Faulted
			}
		case opLd64:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if !m.loadWide(c, o, tlb, va, 8) {
				return Faulted
			}
		case opLd128:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if !m.loadWide(c, o, tlb, va, 16) {
				return Faulted
			}
		case opLdX8:
			va := indexed(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == va&^pageMask {
				f[o.a] = uint64(e.page[va&pageMask])
				continue
			}
			if !m.loadSlow(c, o, va, 1) {
				return Faulted
			}
		case opLdX16:
			va := indexed(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+1)&^pageMask {
				f[o.a] = uint64(le.Uint16(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 2) {
				return Faulted
			}
		case opLdX32:
			va := indexed(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+3)&^pageMask {
				f[o.a] = uint64(le.Uint32(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 4) {
				return Faulted
			}
		case opLdX64:
			if !m.loadWide(c, o, tlb, indexed(f, o), 8) {
				return Faulted
			}
		case opLdX128:
			if !m.loadWide(c, o, tlb, indexed(f, o), 16) {
				return Faulted
			}
		case opLdW8:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == va&^pageMask {
				f[o.a] = uint64(e.page[va&pageMask])
				continue
			}
			if !m.loadSlow(c, o, va, 1) {
				return Faulted
			}
		case opLdW16:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+1)&^pageMask {
				f[o.a] = uint64(le.Uint16(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 2) {
				return Faulted
			}
		case opLdW32:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+3)&^pageMask {
				f[o.a] = uint64(le.Uint32(e.page[va&pageMask:]))
				continue
			}
			if !m.loadSlow(c, o, va, 4) {
				return Faulted
			}
		case opLdW64:
			if !m.loadWide(c, o, tlb, displaced(f, o), 8) {
				return Faulted
			}
		case opLdW128:
			if !m.loadWide(c, o, tlb, displaced(f, o), 16) {
				return Faulted
			}
		case opSureW:
			if fault := m.probe(displaced(f, o), int(o.a), int(o.imm>>immIndex&31)); fault != nil {
				m.leave(c, uint32(o.imm>>immWB))
				m.Fault = fault
				return Faulted
			}
		case opProbe, opProbeX, opProbeW:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			switch o.code {
			case opProbeX:
				va = indexed(f, o)
			case opProbeW:
				va = displaced(f, o)
			}
			probe := *o
			probe.a = zeroWord - 1
			if !m.loadSlow(c, &probe, va, int(o.a)) {
				return Faulted
			}
		case opSt8, opStX8:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if o.code == opStX8 {
				va = indexed(f, o)
			}
			if e := &tlb.entries[va>>12%TLBSize]; e.write == va&^pageMask {
				e.page[va&pageMask] = byte(f[o.a])
				continue
			}
			if x := m.storeSlow(c, o, va, 1); x != done {
				return x
			}
		case opSt16, opStX16:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if o.code == opStX16 {
				va = indexed(f, o)
			}
			if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+1)&^pageMask {
				le.PutUint16(e.page[va&pageMask:], uint16(f[o.a]))
				continue
			}
			if x := m.storeSlow(c, o, va, 2); x != done {
				return x
			}
		case opSt32:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+3)&^pageMask {
				le.PutUint32(e.page[va&pageMask:], uint32(f[o.a]))
				continue
			}
			if x := m.storeSlow(c, o, va, 4); x != done {
				return x
			}
		case opStX32:
			va := indexed(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+3)&^pageMask {
				le.PutUint32(e.page[va&pageMask:], uint32(f[o.a]))
				continue
			}
			if x := m.storeSlow(c, o, va, 4); x != done {
				return x
			}
		case opSt64, opStX64, opSt128, opStX128:
			va := uint64(uint32(f[o.b]) + uint32(o.imm))
			size := 8
			switch o.code {
			case opStX64:
				va = indexed(f, o)
			case opSt128:
				size = 16
			case opStX128:
				va, size = indexed(f, o), 16
			}
			if x := m.storeWide(c, o, tlb, va, size); x != done {
				return x
			}

		case opStW8:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.write == va&^pageMask {
				e.page[va&pageMask] = byte(f[o.a])
				continue
			}
			if x := m.storeSlow(c, o, va, 1); x != done {
				return x
			}
		case opStW16:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+1)&^pageMask {
				le.PutUint16(e.page[va&pageMask:], uint16(f[o.a]))
				continue
			}
			if x := m.storeSlow(c, o, va, 2); x != done {
				return x
			}
		case opStW32:
			va := displaced(f, o)
			if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+3)&^pageMask {
				le.PutUint32(e.page[va&pageMask:], uint32(f[o.a]))
				continue
			}
			if x := m.storeSlow(c, o, va, 4); x != done {
				return x
			}
		case opStW64:
			if x := m.storeWide(c, o, tlb, displaced(f, o), 8); x != done {
				return x
			}
		case opStW128:
			if x := m.storeWide(c, o, tlb, displaced(f, o), 16); x != done {
				return x
			}

		case opGuard:
			if f[o.b] != 0 {
				return m.guarded(c, o)
			}
		case opGuardEq:
			if f[o.b] == f[o.c] {
				return m.guarded(c, o)
			}
		case opGuardEqI:
			if f[o.b] == o.imm {
				return m.guarded(c, o)
			}
		case opGuardNe:
			if f[o.b] != f[o.c] {
				return m.guarded(c, o)
			}
		case opGuardNeI:
			if f[o.b] != o.imm {
				return m.guarded(c, o)
			}
		case opGuardLtu:
			if f[o.b] < f[o.c] {
				return m.guarded(c, o)
			}
		case opGuardLtuI:
			if f[o.b] < o.imm {
				return m.guarded(c, o)
			}
		case opGuardLeu:
			if f[o.b] <= f[o.c] {
				return m.guarded(c, o)
			}
		case opGuardLeuI:
			if f[o.b] <= o.imm {
				return m.guarded(c, o)
			}
		case opGuardLts:
			if int32(f[o.b]) < int32(f[o.c]) {
				return m.guarded(c, o)
			}
		case opGuardLtsI:
			if int32(f[o.b]) < int32(o.imm) {
				return m.guarded(c, o)
			}
		case opGuardLes:
			if int32(f[o.b]) <= int32(f[o.c]) {
				return m.guarded(c, o)
			}
		case opGuardLesI:
			if int32(f[o.b]) <= int32(o.imm) {
				return m.guarded(c, o)
			}

		case opBr:
			pc = pick(f[o.b] != 0, o)
		case opBrEq:
			pc = pick(f[o.b] == f[o.c], o)
		case opBrEqI:
			pc = pick(f[o.b] == o.imm&0xffffffff, o)
		case opBrNe:
			pc = pick(f[o.b] != f[o.c], o)
		case opBrNeI:
			pc = pick(f[o.b] != o.imm&0xffffffff, o)
		case opBrLtu:
			pc = pick(f[o.b] < f[o.c], o)
		case opBrLtuI:
			pc = pick(f[o.b] < o.imm&0xffffffff, o)
		case opBrLeu:
			pc = pick(f[o.b] <= f[o.c], o)
		case opBrLeuI:
			pc = pick(f[o.b] <= o.imm&0xffffffff, o)
		case opBrLts:
			pc = pick(int32(f[o.b]) < int32(f[o.c]), o)
		case opBrLtsI:
			pc = pick(int32(f[o.b]) < int32(o.imm), o)
		case opBrLes:
			pc = pick(int32(f[o.b]) <= int32(f[o.c]), o)
		case opBrLesI:
			pc = pick(int32(f[o.b]) <= int32(o.imm), o)

		case opCall:
			k := &c.calls[o.imm]
			v, stop := k.fn(f[k.args[0]], f[k.args[1]], f[k.args[2]])
			f[o.a] = v
			if stop {
				return Stopped
			}
		case opCallPure:
			k := &c.calls[o.imm]
			f[o.a], _ = k.fn(f[k.args[0]], f[k.args[1]], f[k.args[2]])
		case opJump:
			pc = int(o.imm)
		case opLink:
			k := &c.links[o.imm]
			if k.To != nil && k.To.Valid {
				c = k.To
				goto enter
			}
			f[m.pc] = k.PC
			m.Out, m.Arg = c, o.imm
			return Linked
		case opIndirect:
			f[m.pc] = f[o.b]
			return Indirect
		case opExit:
			f[m.pc] = f[o.b]
			return Loop
		default:
			panic("BUG: interp: unknown code")
		}
	}
}

// done is no Exit: storeSlow has done the store.
const done Exit = 0xff

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func pick(c bool, o *op) int {
	if c {
		return int(o.a)
	}
	return int(o.imm >> 32)
}

func indexed(f *ir.Frame, o *op) uint64 {
	return uint64(uint32(f[o.b]) + uint32(f[o.c])<<(o.imm>>immScale&3) + uint32(o.imm))
}

// displaced is an address of 64 bits.
func displaced(f *ir.Frame, o *op) uint64 { return f[o.b] + uint64(int64(int32(o.imm))) }

// behind is the address 8 bytes behind va.
func behind(o *op, va uint64) uint64 {
	if o.code == opLdW128 || o.code == opStW128 {
		return va + 8
	}
	return uint64(uint32(va + 8))
}

// leave writes what is pending at an exit. The copies are parallel.
func (m *Machine) leave(c *Code, wb uint32) {
	s := c.wbs[wb]
	list := c.wb[s.first:s.end]
	var buf [128]uint64
	for i := range list {
		if list[i].src == noWord {
			buf[i&127] = list[i].value
		} else {
			buf[i&127] = m.Frame[list[i].src]
		}
	}
	for i := range list {
		m.Frame[list[i].slot] = buf[i&127]
	}
}

func (m *Machine) guarded(c *Code, o *op) Exit {
	g := &c.guards[o.a]
	m.leave(c, g.wb)
	m.Arg = g.code
	return Guarded
}

// probe is ir.Mem.Probe.
func (m *Machine) probe(va uint64, size, index int) *guest.Fault {
	if p, ok := m.Mem.(Prober); ok {
		return p.MissProbe(va, size, index)
	}
	_, fault := m.Mem.MissLoad(va, size, index, true)
	return fault
}

func (m *Machine) loadSlow(c *Code, o *op, va uint64, size int) bool {
	v, fault := m.Mem.MissLoad(va, size, int(o.imm>>immIndex&31), o.imm>>immRMW&1 != 0)
	if fault != nil {
		m.leave(c, uint32(o.imm>>immWB))
		m.Fault = fault
		return false
	}
	m.Frame[o.a] = v
	return true
}

func (m *Machine) loadWide(c *Code, o *op, tlb *TLB, va uint64, size int) bool {
	if e := &tlb.entries[va>>12%TLBSize]; e.read == (va+uint64(size)-1)&^pageMask {
		m.Frame[o.a] = le.Uint64(e.page[va&pageMask:])
		if size == 16 {
			m.Frame[o.a+1] = le.Uint64(e.page[va&pageMask+8:])
		}
		return true
	}
	if size == 8 {
		return m.loadSlow(c, o, va, 8)
	}
	lo, hi := *o, *o
	lo.a, hi.a = zeroWord-2, zeroWord-1
	if !m.loadSlow(c, &lo, va, 8) || !m.loadSlow(c, &hi, behind(o, va), 8) {
		return false
	}
	m.Frame[o.a], m.Frame[o.a+1] = m.Frame[zeroWord-2], m.Frame[zeroWord-1]
	return true
}

func (m *Machine) storeSlow(c *Code, o *op, va uint64, size int) Exit {
	return m.store(c, o, va, size, m.Frame[o.a])
}

func (m *Machine) store(c *Code, o *op, va uint64, size int, v uint64) Exit {
	fault, self := m.Mem.MissStore(va, size, int(o.imm>>immIndex&31), v, c)
	if fault == nil && !self {
		return done
	}
	m.leave(c, uint32(o.imm>>immWB))
	if self {
		return SelfModified
	}
	m.Fault = fault
	return Faulted
}

func (m *Machine) storeWide(c *Code, o *op, tlb *TLB, va uint64, size int) Exit {
	f := m.Frame
	if e := &tlb.entries[va>>12%TLBSize]; e.write == (va+uint64(size)-1)&^pageMask {
		le.PutUint64(e.page[va&pageMask:], f[o.a])
		if size == 16 {
			le.PutUint64(e.page[va&pageMask+8:], f[o.a+1])
		}
		return done
	}
	if size == 8 {
		return m.storeSlow(c, o, va, 8)
	}
	// The second half may fault: nothing may be stored then. A load for
	// writing finds that out.
	last := behind(o, va)
	_, fault := m.Mem.MissLoad(last, 8, int(o.imm>>immIndex&31), true)
	if fault != nil {
		m.leave(c, uint32(o.imm>>immWB))
		m.Fault = fault
		return Faulted
	}
	if x := m.store(c, o, va, 8, f[o.a]); x != done {
		return x
	}
	return m.store(c, o, last, 8, f[o.a+1])
}
