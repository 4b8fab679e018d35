package tcg

import (
	"sort"
	"sync/atomic"

	"rhea/internal/guest"
	"rhea/internal/jit/amd64"
	"rhea/internal/jit/host"
	"rhea/internal/mem"
)

// Flat is the memory of programs in user mode: it is the host's, with all that
// may not be accessed protected by the host. The vCPU is that of one thread;
// others have theirs. Pages with code in them are write-protected.
type Flat struct {
	// Base is where guest address 0 is.
	Base uintptr
	// RAM is the same memory. What addresses there are besides must fault, too, as
	// far as they are the guest's: of processors with 32-bit addresses those that
	// an access at the end of 4 GiB may reach.
	RAM *mem.RAM
	// Protect has stores to the page at va fault from now on. Watched is then
	// true of it in RAM.
	Protect func(va uint64)
	// Written ends Protect, and has all vCPUs forget what was translated of
	// the page (ForgetCode).
	Written func(va uint64)
	// UserFault is the exception of an access that the host has refused, by which
	// signal; nil = none: it would not refuse it now.
	UserFault func(va uint64, write bool, signal int) *guest.Fault
	// Shared: there is more than one thread. Remapped must follow when it changes.
	Shared atomic.Bool
	// UserIndex is the MMU index of the accesses that are flat.
	UserIndex int
}

// ForgetCode has the vCPU forget what was translated of n bytes at va, soon: at
// once, if its own thread calls it between two Runs. It may be called from any
// goroutine.
func (v *VCPU) ForgetCode(va, n uint64) {
	for end := va + n; va < end; va = va&^pageMask + mem.PageSize {
		v.cache.foreignWrite(v.cfg.Flat.RAM, va&^pageMask, mem.PageSize)
	}
}

// Remapped has the vCPU forget, soon, what it knows of the addresses of data,
// and if code is true of code. It may be called from any goroutine.
func (v *VCPU) Remapped(code bool) {
	if code {
		v.remap.Store(true)
	} else {
		v.reread.Store(true)
	}
	v.Wake()
}

// flushData forgets what is known of the addresses of data.
func (v *VCPU) flushData() {
	v.flushList(&v.local, false)
	v.flushList(&v.global, false)
}

// AttentionWords are what a signal handler stores 1 to, to have Run look at
// Interrupted: a byte that machine code polls, and the word that the
// interpreter does.
func (v *VCPU) AttentionWords() (poll, attention uintptr) {
	attention = wordAddress(&v.m.Attention)
	if v.n == nil {
		return attention, attention
	}
	return v.n.ctx.Base() - uintptr(-host.OffPoll), attention
}

// SetInterrupted gives Run a word that makes it return Kicked while it is not 0.
func (v *VCPU) SetInterrupted(w *uint32) { v.interrupted = w }

// written is told of a store by Go to a watched page.
func (f *Flat) written(v *VCPU, va uint64) {
	f.Written(va &^ pageMask)
	v.cache.catchUp()
}

// accessesAt returns the accesses of the segment with an offset.
func (n *coder) accessesAt(off uint32) []amd64.Access {
	for i := range n.segments {
		if s := &n.segments[i]; i != n.current && int(off) >= s.first && int(off) < s.end {
			return s.accesses
		}
	}
	return n.c.Accesses
}

// faulted handles a fault of flat code. It reports whether to go on with the
// access.
func (n *coder) faulted(v *VCPU) bool {
	f := v.cfg.Flat
	addr, rip, ok := host.Fault(n.ctx)
	off := uint32(rip - n.code.RX)
	list := n.accessesAt(off)
	i := sort.Search(len(list), func(i int) bool { return list[i].At >= off })
	if !ok || i == len(list) || list[i].At != off {
		n.broken(host.ExitFault)
	}
	s := n.c.Site(n.code.RW, int(list[i].Site))
	n.c.Settle(n.frame, s)
	va := uint64(addr-f.Base) & v.vaMask
	store := s.Kind == amd64.Store
	if store && va < uint64(len(f.RAM.Bytes)) && f.RAM.Watched(va) {
		u := n.unitOf(s.Owner)
		f.written(v, va)
		if u.valid || s.Probe {
			*n.ctx.Word(amd64.OffResume) = uint64(rip)
			return true
		}
		n.leave(s)
		v.oneShot = true
		return false
	}
	fault := f.UserFault(va, store || s.RMW, n.ctx.FaultSignal())
	if fault == nil {
		*n.ctx.Word(amd64.OffResume) = uint64(rip)
		return true
	}
	n.leave(s)
	v.cpu.Raise(fault)
	return false
}
