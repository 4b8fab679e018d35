package tcg

// This file keeps what the TLBs hold in step: the interpreter's, and the
// tables of machine code. All that was filled since the last flush is on a
// list, so that a flush costs as much as was filled.

// filled is an entry of the list: a page, an MMU index, and whether the page
// is global.
type filled uint64

const filledGlobal filled = 1 << 2

func (f filled) va() uint64 { return uint64(f) &^ pageMask }
func (f filled) index() int { return int(f & 3) }

// maxFilled bounds the list: pages that are filled and flushed one by one
// leave entries behind.
const maxFilled = 1 << 17

// note enters a page in the list.
func (v *VCPU) note(va uint64, index int, global bool) {
	f := filled(va&^pageMask) | filled(index)
	if global {
		f |= filledGlobal
	}
	if n := len(v.filled); n > 0 && v.filled[n-1] == f {
		return
	}
	if len(v.filled) >= maxFilled {
		v.FlushTLB(false)
	}
	v.filled = append(v.filled, f)
}

// FlushTLB implements guest.Memory.
func (v *VCPU) FlushTLB(keepGlobal bool) {
	keep := v.filled[:0]
	for _, f := range v.filled {
		e := v.m.TLB[f.index()].At(f.va())
		if keepGlobal && f&filledGlobal != 0 {
			keep = append(keep, f)
			continue
		}
		if !keepGlobal || !e.Slow.Global || e.Slow.Tag == f.va() {
			e.Clear()
		}
		v.n.clear(f.va(), f.index())
	}
	v.filled = keep
	for i := range v.fetch {
		if e := &v.fetch[i]; !keepGlobal || !e.global {
			e.tag = 0
		}
	}
	for i := range v.code {
		switch c := &v.code[i]; {
		case !keepGlobal:
			c.away = nil
			v.newGeneration(i)
		case c.local: // else only global pages were executed: nothing has changed
			c.stale = true
		}
	}
	if !keepGlobal {
		v.largeFirst, v.largeLast = ^uint64(0), 0
	}
}

// largePage is the size of the largest page that FlushPage must know of.
const largePage = 4 << 20

// FlushPage implements guest.Memory. A large page lies in the TLB in pieces:
// where there may be one, all is flushed.
func (v *VCPU) FlushPage(va uint64) {
	va &= v.vaMask
	if va|(largePage-1) >= v.largeFirst && va&^(largePage-1) <= v.largeLast {
		v.FlushTLB(false)
		return
	}
	for i := range v.m.TLB {
		v.m.TLB[i].At(va).Clear()
		v.n.clear(va, i)
	}
	for i := range v.code {
		if v.code[i].fetched.has(va) {
			v.newGeneration(i)
		}
	}
}

// protectAll makes the next store to each page take the slow way.
func (v *VCPU) protectAll() {
	for _, f := range v.filled {
		v.m.TLB[f.index()].At(f.va()).Protect()
		v.n.protect(f.va(), f.index())
	}
}

// protectPage makes stores to a page that now holds code take the slow way.
func (v *VCPU) protectPage(p place) {
	data := (*[4096]byte)(p.ram.Bytes[p.off:])
	for i := range v.m.TLB {
		v.m.TLB[i].ProtectData(&data[0])
	}
	v.n.protectData(v.filled, data)
}
