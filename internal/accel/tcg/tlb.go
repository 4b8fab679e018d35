package tcg

// This file keeps what the TLBs hold in step: the interpreter's, and the
// tables of machine code. All that was filled since the last flush is on two
// lists, that of global pages and that of the others, so that a flush costs as
// much as was filled.

// fillList is what was filled: for each entry a page and an MMU index, and
// where the page's bytes are. Chains lead to all entries of the same bytes.
type fillList struct {
	entries []filled
	data    []*[4096]byte // nil = not RAM
	next    []int32       // on the chain, index+1
	chains  [fillChains]int32
}

// filled is a page's address and an MMU index.
type filled uint64

const fillChains = 1 << 12

func (f filled) va() uint64 { return uint64(f) &^ pageMask }
func (f filled) index() int { return int(f & pageMask) }

// maxFilled bounds a list: pages that are filled and flushed one by one
// leave entries behind.
const maxFilled = 1 << 17

func chainOf(data *[4096]byte) uint64 { return hostAddress(data) >> 12 % fillChains }

func (l *fillList) add(va uint64, index int, data *[4096]byte) {
	chain := &l.chains[chainOf(data)]
	l.entries = append(l.entries, filled(va&^pageMask)|filled(index))
	l.data, l.next = append(l.data, data), append(l.next, *chain)
	*chain = int32(len(l.entries))
}

func (l *fillList) clear() {
	for _, data := range l.data {
		l.chains[chainOf(data)] = 0
	}
	clear(l.data)
	l.entries, l.data, l.next = l.entries[:0], l.data[:0], l.next[:0]
}

// of yields the entries of the same bytes.
func (l *fillList) of(data *[4096]byte) func(func(filled) bool) {
	return func(yield func(filled) bool) {
		for i := l.chains[chainOf(data)]; i != 0; i = l.next[i-1] {
			if l.data[i-1] == data && !yield(l.entries[i-1]) {
				return
			}
		}
	}
}

// flushList takes what is on a list out of the TLBs, but for what has replaced it
// there and is to be kept.
func (v *VCPU) flushList(l *fillList, keepGlobal bool) {
	for _, f := range l.entries {
		e := v.m.TLB[f.index()].At(f.va())
		if !keepGlobal || !e.Slow.Global || e.Slow.Tag == f.va() {
			e.Clear()
		}
		v.n.clear(f.va(), f.index())
	}
	l.clear()
}

// FlushTLB implements guest.Memory.
func (v *VCPU) FlushTLB(keepGlobal bool) {
	v.flushList(&v.local, keepGlobal)
	if !keepGlobal {
		v.flushList(&v.global, false)
	}
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

// FlushPage implements guest.Memory. A large page lies in the TLB in pieces:
// where there may be one, all is flushed.
func (v *VCPU) FlushPage(va uint64) {
	va &= v.vaMask
	largePage := uint64(4 << 20) // the size of the largest
	if v.vaMask>>32 != 0 {
		largePage = 1 << 30
	}
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
	for _, l := range v.lists() {
		for _, f := range l.entries {
			v.protectEntry(f)
		}
	}
}

func (v *VCPU) lists() [2]*fillList { return [2]*fillList{&v.local, &v.global} }

func (v *VCPU) protectEntry(f filled) {
	if e := v.m.TLB[f.index()].At(f.va()); e.Slow.Tag == f.va() {
		e.Protect()
	}
	v.n.protect(f.va(), f.index())
}

// protectPage makes stores to a page that now holds code take the slow way.
func (v *VCPU) protectPage(p place) {
	for _, l := range v.lists() {
		for f := range l.of((*[4096]byte)(p.ram.Bytes[p.off:])) {
			v.protectEntry(f)
		}
	}
}
