//go:build linux && amd64

package linux

import (
	"bytes"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// This file is the memory of a child that has its parent's until it executes a
// program or ends (clone(2), CLONE_VM with CLONE_VFORK). It is a copy, as any
// child's, whose private pages are write-protected. The first store to one
// replaces it by a page that is the parent's, too, which also gets what was there
// before. The parent, which waits, stores what differs once it goes on: nothing
// is to be done at the child's end, however that comes.
//
// It waits for a robust futex of the child's (set_robust_list(2)): the kernel
// marks it and wakes the waiter at execve(2), when that cannot fail any more, and
// when the thread ends.

// vfork is what parent and child share.
type vfork struct {
	at, size uintptr
	head     *vforkHead
	steps    []vforkStep
	slots    uintptr // of pages: what was there before in each, then what is
	most     int     // of them
	fd       int     // of the file that it is in, -1 = none

	done  int            // steps that the parent has made
	seen  map[int][]byte // pages of slots as it has stored them: what is shared is not its alone
	child bool           // this is the child's
	taken map[uint64]int // pages that are the parent's to see: their slots
	used  int
	next  uint64 // behind the last one
	run   int    // how many were taken together
	lost  bool   // there was no more room
	unimp func(format string, args ...any)
}

type vforkHead struct {
	// word is the futex: 0, then the child's thread, then futexOwnerDied.
	word   uint32
	steps  uint32     // how many there are
	robust [3]uintptr // struct robust_list_head: the first, what is from it to the futex, none
	node   uintptr    // the only struct robust_list
	step   [vforkSlots + 1<<12]vforkStep
}

// vforkStep is a change of the child's memory, lo to hi-1.
type vforkStep struct {
	lo, hi uint64
	what   uint32
	value  uint32
}

// What steps are.
const (
	vforkPage    = iota // value is the first page's slot
	vforkMap            // anonymous memory was mapped, with the protection value
	vforkUnmap          // addresses became free
	vforkProtect        // the protection is value
	vforkBreak          // the end of data is hi, and was lo
	vforkDrop           // what was there is gone (MADV_DONTNEED)
)

const (
	vforkSlots    = 1 << 15
	vforkHeadSize = (unsafe.Sizeof(vforkHead{}) + pageMask) &^ pageMask
	// vforkOver, with the protection that vforkMap has: something was mapped there.
	vforkOver = 1 << 8
	vforkRun  = 64
	// Larger mappings are not write-protected: a bit of each page would be too many.
	vforkLargest = 1 << 36

	futexWaiters   = 1 << 31
	futexOwnerDied = 1 << 30
)

// newVfork makes what a parent shares with its next child. Memory is whether the
// guest's is; fd is of the file that it is in, -1 = none.
func newVfork(memory bool, fd int) (*vfork, unix.Errno) {
	v := &vfork{size: page, fd: fd}
	if memory {
		v.most = vforkSlots
	}
	for {
		if memory {
			v.size = vforkHeadSize + uintptr(v.most)*2*page
		}
		flags := unix.MAP_SHARED | unix.MAP_NORESERVE
		if fd < 0 {
			flags |= unix.MAP_ANON
		}
		at, err := unix.MmapPtr(fd, 0, nil, v.size, unix.PROT_READ|unix.PROT_WRITE, flags)
		if err == nil {
			v.at = uintptr(at)
			break
		}
		if v.most /= 2; v.most < 16 {
			return nil, unix.ENOMEM
		}
	}
	v.head = (*vforkHead)(address(v.at))
	if memory {
		v.steps = v.head.step[:]
		v.slots = v.at + vforkHeadSize
	}
	return v, 0
}

func (v *vfork) free() {
	if v != nil && !v.child {
		v.close()
		unix.MunmapPtr(address(v.at), v.size)
	}
}

// close closes the file.
func (v *vfork) close() {
	if v.fd >= 0 {
		unix.Close(v.fd)
		v.fd = -1
	}
}

// begin has the parent wait for the calling thread, the child's first.
func (v *vfork) begin() {
	v.child = true
	h := v.head
	node, list := uintptr(unsafe.Pointer(&h.node)), uintptr(unsafe.Pointer(&h.robust))
	h.node = list
	h.robust = [3]uintptr{node, uintptr(unsafe.Pointer(&h.word)) - node}
	word := uint32(unix.Gettid()) | futexWaiters
	if _, errno := proc.Raw(unix.SYS_SET_ROBUST_LIST, list, unsafe.Sizeof(h.robust)); errno != 0 {
		word = futexOwnerDied
	}
	atomic.StoreUint32(&h.word, word)
}

// end has it wait no longer.
func (v *vfork) end() {
	const wake = 1
	atomic.StoreUint32(&v.head.word, futexOwnerDied)
	proc.Raw(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&v.head.word)), wake, 1)
}

// await waits until the child has executed a program, or has ended. Threads that wait
// for what it stores see that soon.
func (t *Thread) await(v *vfork, pid int) {
	const soonest, latest = 20e6, 320e6 // nanoseconds
	limit := t.alloc(16)
	for soon := uint64(soonest); !t.over(); {
		le.PutUint64(limit[8:], soon)
		w := atomic.LoadUint32(&v.head.word)
		if w&futexOwnerDied != 0 || w == 0 && isGone(pid) {
			return
		}
		if t.rec.Await(&v.head.word, w, ref(limit)) == unix.ETIMEDOUT && !t.over() {
			t.takeBack(v, false)
			soon = min(2*soon, latest)
		}
	}
}

// isGone reports whether a child has ended.
func isGone(pid int) bool {
	info := make([]byte, 128)
	const pPid = 1
	_, errno := proc.Raw(unix.SYS_WAITID, pPid, uintptr(pid), ref(info), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT|unix.WALL, 0)
	if errno == unix.ECHILD { // nobody is to wait for it, or another does
		_, errno = proc.Raw(unix.SYS_KILL, uintptr(pid), 0)
		return errno == unix.ESRCH
	}
	return errno == 0 && le.Uint32(info) != 0
}

// pages returns what was in the pages of slots, and what is now.
func (v *vfork) pages(slot, n int) (before, after []byte) {
	at := v.slots + uintptr(slot)*page
	return hostBytes(at, n*page), hostBytes(at+uintptr(v.most)*page, n*page)
}

// note adds a step. It returns false if there is no room.
func (v *vfork) note(s *space, what uint32, lo, hi uint64, value int) bool {
	proc.EndOver() // what it changes is not the child's
	n := v.head.steps
	if v.lost || int(n) >= len(v.steps) {
		v.giveUp(s, unix.ENOMEM)
		return false
	}
	v.steps[n] = vforkStep{lo, hi, what, uint32(value)}
	atomic.StoreUint32(&v.head.steps, n+1)
	return true
}

// giveUp has the child's memory be its own from now on, but for what is not.
func (v *vfork) giveUp(s *space, why unix.Errno) {
	if !v.lost {
		v.lost = true
		v.unimp("vfork: what the child changes of its parent's memory after %d KiB (of %d) is its own: %v", v.used*page>>10, v.most*page>>10, why)
		s.unguard()
	}
}

// take has stores to a page of the child's be the parent's to see. It returns
// false if they are already, or are not to be. Of pages that are stored to in their
// order it takes more at once.
func (v *vfork) take(s *space, va uint64) bool {
	proc.EndOver()
	if _, ok := v.taken[va]; ok || v.lost || s.shared.bits(va) != 0 {
		return false
	}
	if v.used == v.most || int(v.head.steps) == len(v.steps) {
		v.giveUp(s, unix.ENOMEM)
		return true
	}
	if v.run *= 2; va != v.next {
		v.run = 1
	}
	n := 1
	for ; n < min(v.run, vforkRun, v.most-v.used) && v.follows(s, va+uint64(n)*page); n++ {
	}
	before, after := v.pages(v.used, n)
	if !copied(before, s.all[va:va+uint64(n)*page]) { // the file is shorter
		if n, before, after = 1, before[:page], after[:page]; !copied(before, s.all[va:va+page]) {
			return false
		}
	}
	copy(after, before)
	size := uintptr(n) * page
	if _, errno := proc.Raw(unix.SYS_MREMAP, ref(after), size, size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, s.host(va)); errno != 0 {
		s.replace(va, before) // the kernel may have unmapped what was there
		v.giveUp(s, errno)
		return true
	}
	slot := v.used
	v.used += n
	v.next = va + uint64(n)*page
	for i := range n {
		at := va + uint64(i)*page
		v.taken[at] = slot + i
		if s.ram.Watched(at) {
			s.ram.Unwatch(at)
			s.forget(at, page)
		}
	}
	return v.note(s, vforkPage, va, v.next, slot)
}

// follows reports whether a page may be taken with the one before.
func (v *vfork) follows(s *space, va uint64) bool {
	_, ok := v.taken[va]
	return !ok && s.maps.bits(va)&pageW != 0 && s.shared.bits(va) == 0 && s.ram.Watched(va)
}

// copied copies memory that may not be there. It reports whether it was.
func copied(to, from []byte) (ok bool) {
	defer func() { ok = recover() == nil }()
	copy(to, from)
	return
}

// --- the child's map

// shareBack has what is stored from now on be the parent's to see.
func (s *space) shareBack(v *vfork) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.taken = make(map[uint64]int)
	s.vfork = v
	s.guard(0, s.size)
	s.remapped(false)
}

// guard write-protects what is private of lo..hi-1, but the pages that are taken.
func (s *space) guard(lo, hi uint64) {
	s.private(lo, hi, func(lo, hi uint64) {
		if hi-lo > vforkLargest {
			s.vfork.unimp("vfork: a mapping of %d GiB, of which the parent does not see the child's stores", (hi-lo)>>30)
			return
		}
		s.protect(lo, hi-lo, unix.PROT_READ)
		s.ram.WatchRange(lo, hi-lo)
	})
	for va := range s.vfork.taken {
		if va >= lo && va < hi && s.maps.bits(va)&pageW != 0 {
			s.protect(va, page, unix.PROT_READ|unix.PROT_WRITE)
			s.ram.Unwatch(va)
		}
	}
}

// unguard undoes guard of all, and forgets the code there.
func (s *space) unguard() {
	s.private(0, s.size, func(lo, hi uint64) {
		for va, end := max(lo, s.codeLo), min(hi, s.codeHi); va < end; va += page {
			if s.ram.Watched(va) {
				s.forget(va, page)
			}
		}
		s.ram.UnwatchRange(lo, hi-lo)
		s.protect(lo, hi-lo, unix.PROT_READ|unix.PROT_WRITE)
	})
}

// openAt has the pages that a system call's arguments may be addresses in be stored to by
// the host: few calls say of all that is written where that is. It reports whether
// there was one that was write-protected for the parent to see.
func (s *space) openAt(args *[6]uint64) (any bool) {
	if s.vfork == nil {
		return false
	}
	for _, va := range args {
		if s.abi.Long == 4 {
			va = uint64(uint32(va))
		}
		if va >= s.size {
			continue
		}
		for _, at := range s.watched(va, va+page) {
			if s.bitsAt(at)&pageW != 0 {
				s.codeWritten(at)
				any = true
			}
		}
	}
	return any
}

// private calls f of the ranges of lo..hi-1 that may be written and are not shared.
func (s *space) private(lo, hi uint64, f func(lo, hi uint64)) {
	s.maps.without(s.shared, lo, hi, pageW, f)
}

// fresh says that lo..hi-1 is anonymous memory now, with a vforkMap's value, or a file
// or shared, which the parent does not get.
func (s *space) fresh(lo, hi uint64, value, flags int) {
	v := s.vfork
	if v == nil {
		return
	}
	s.gone(lo, hi)
	if flags&unix.MAP_ANON == 0 || flags&unix.MAP_SHARED != 0 {
		v.unimp("vfork: what the child maps at %#x is not mapped in its parent", lo)
	} else if v.note(s, vforkMap, lo, hi, value) {
		s.guard(lo, hi)
	}
}

// gone says that the child has not the pages of lo..hi-1 any more.
func (s *space) gone(lo, hi uint64) {
	if v := s.vfork; v != nil {
		for va := range v.taken {
			if va >= lo && va < hi {
				delete(v.taken, va)
			}
		}
		s.ram.UnwatchRange(lo, hi-lo)
	}
}

// released says that lo..hi-1 is free now.
func (s *space) released(lo, hi uint64) {
	if s.vfork != nil {
		s.gone(lo, hi)
		s.vfork.note(s, vforkUnmap, lo, hi, 0)
	}
}

// protected says that the protection of lo..hi-1 is prot now.
func (s *space) protected(lo, hi uint64, prot int) {
	if v := s.vfork; v != nil && v.note(s, vforkProtect, lo, hi, prot) {
		s.guard(lo, hi)
	}
}

// broke says that the end of data was lo, and is hi.
func (s *space) broke(lo, hi uint64) {
	if v := s.vfork; v != nil && v.note(s, vforkBreak, lo, hi, 0) && hi > lo {
		s.guard((lo+pageMask)&^pageMask, (hi+pageMask)&^pageMask)
	}
}

// dropped says that what was in lo..hi-1 is gone: anonymous memory is empty.
func (s *space) dropped(lo, hi uint64) {
	v := s.vfork
	if v == nil {
		return
	}
	for at := lo; at < hi; at += page {
		if _, ok := v.taken[at]; ok {
			if lo < at {
				v.note(s, vforkDrop, lo, at, 0)
			}
			clear(s.all[at : at+page])
			lo = at + page
		}
	}
	if lo < hi {
		v.note(s, vforkDrop, lo, hi, 0)
	}
}

// vforkCopy is a page that a child of the process is to have for itself.
type vforkCopy struct {
	va   uint64
	data []byte
}

// copies are the pages that a child of the process shares with its parent.
func (s *space) copies() (list []vforkCopy) {
	if s.vfork == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for va := range s.vfork.taken {
		list = append(list, vforkCopy{va, bytes.Clone(s.all[va : va+page])})
	}
	return list
}

// ownMemory has the child of a process with a vfork have its memory for itself.
func (s *space) ownMemory(list []vforkCopy) {
	if s.vfork == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vfork = nil
	for _, c := range list {
		s.replace(c.va, c.data)
		s.protect(c.va, page, protOf(s.maps.bits(c.va)))
	}
	s.unguard()
}

// replace has pages be new ones with these contents.
func (s *space) replace(va uint64, data []byte) {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_FIXED
	if _, errno := proc.Raw(unix.SYS_MMAP, s.host(va), uintptr(len(data)), unix.PROT_READ|unix.PROT_WRITE, flags, ^uintptr(0), 0); errno == 0 {
		copy(s.all[va:], data)
	}
}

// --- the parent

// vfork makes what is shared with a child that the thread waits for, nil = it does not.
func (t *Thread) vfork(c cloneArgs, byExec bool) (v *vfork, errno unix.Errno) {
	log := t.p.cfg.Log
	memory := c.flags&unix.CLONE_VM != 0
	waits := c.flags&unix.CLONE_VFORK != 0
	switch {
	case memory && !waits:
		log.Unimp("clone of a process that shares its parent's memory (flags %#x): it has a copy", c.flags)
	case memory && byExec:
		log.Unimp("vfork where fork is by execve: the child has a copy of its parent's memory")
	}
	if c.flags&unix.CLONE_SIGHAND != 0 {
		log.Unimp("clone of a process that shares its parent's handlers of signals (flags %#x): it has a copy", c.flags)
	}
	switch fd := -1; {
	case !waits:
	case byExec:
		var err error
		if fd, err = unix.MemfdCreate("rhea", unix.MFD_CLOEXEC); err != nil {
			return nil, unix.ENOMEM
		}
		unix.Ftruncate(fd, page)
		if v, errno = newVfork(false, fd); errno != 0 {
			unix.Close(fd)
		}
	default:
		if v, errno = newVfork(memory, -1); errno == 0 {
			v.unimp = log.Unimp
		}
	}
	return v, errno
}

// waitFor waits for a child that has the memory, or is to be waited for. All signals are
// blocked but those that end the process whatever its threads wait for: the others wait,
// too.
func (t *Thread) waitFor(v *vfork, c cloneArgs, pid int) {
	if v == nil {
		return
	}
	proc.SetMask(^t.p.fatalSignals(t.mask))
	t.await(v, pid)
	proc.BlockAll()
	if t.over() {
		return
	}
	t.takeBack(v, true)
	if c.flags&unix.CLONE_CHILD_CLEARTID != 0 && v.most > 0 {
		const wake = 1
		t.touches(func() { t.put32(c.childTID, 0) })
		t.raw(unix.SYS_FUTEX, t.pointer(c.childTID), wake, 1)
	}
}

// fatalSignals are those that end the process at once, without a dump of its memory
// (complete_signal in the kernel's kernel/signal.c), and are not in mask.
func (p *Process) fatalSignals(mask uint64) (m uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for sig := 1; sig < len(p.acts); sig++ {
		if p.acts[sig].handler == sigDfl && kills(sig) && !stops(sig) && !dumps(sig) {
			m |= sigbit(sig)
		}
	}
	return m &^ mask &^ sigbits(sigURG, proc.Carrier)
}

// dumps reports whether a signal's default is to dump the memory, too.
func dumps(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGQUIT, unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGSYS:
		return true
	}
	return false
}

// takeBack makes the changes of the child's since it was called before; last says that
// there will be no more.
func (t *Thread) takeBack(v *vfork, last bool) {
	s := t.p.sp
	n := min(int(atomic.LoadUint32(&v.head.steps)), len(v.steps))
	done := v.done
	v.done = n
	for i := range v.steps[:n] {
		e, errno := v.steps[i], unix.Errno(0)
		if i < done && e.what != vforkPage {
			continue
		}
		switch e.what {
		case vforkPage:
			if !t.touches(func() { errno = v.store(s, e, last) }) {
				errno = unix.EFAULT
			}
		case vforkMap:
			fixed := unix.MAP_FIXED
			if e.value&vforkOver == 0 { // another thread may have mapped something since
				fixed = mapFixedNoReplace
			}
			_, errno = s.mmap(e.lo, e.hi-e.lo, int(e.value&^vforkOver), unix.MAP_PRIVATE|unix.MAP_ANON|fixed, -1, 0)
		case vforkUnmap:
			errno = s.munmap(e.lo, e.hi-e.lo)
		case vforkProtect:
			errno = s.mprotect(e.lo, e.hi-e.lo, int(e.value))
		case vforkBreak:
			if s.setBrk(e.hi) != e.hi {
				errno = unix.ENOMEM
			}
		case vforkDrop:
			if x := t.madvise(e.lo, e.hi-e.lo, unix.MADV_DONTNEED); failed(x) {
				errno = errnoOf(x)
			}
		}
		if errno != 0 && !t.over() {
			t.p.cfg.Log.Unimp("vfork: the child's change %d of memory at %#x in its parent: %v", e.what, e.lo, errno)
		}
	}
}

// store stores what the child has stored in the pages of a step: other bytes may be
// another thread's.
func (v *vfork) store(s *space, e vforkStep, last bool) (failure unix.Errno) {
	n := int(e.hi-e.lo) / page
	if int(e.value)+n > v.most {
		return unix.EFAULT
	}
	all, now := v.pages(int(e.value), n)
	for i := 0; i < len(all); i += page {
		before, after := all[i:i+page], now[i:i+page]
		slot := int(e.value) + i/page
		if b, ok := v.seen[slot]; ok {
			before = b
		}
		if !last {
			after = bytes.Clone(after)
		}
		if bytes.Equal(before, after) {
			continue
		}
		to := s.writable(e.lo+uint64(i), page)
		if to == nil {
			failure = unix.EFAULT
			continue
		}
		for i := 0; i < page; i += 8 {
			if le.Uint64(before[i:]) == le.Uint64(after[i:]) {
				continue
			}
			for k := i; k < i+8; k++ {
				if before[k] != after[k] {
					to[k] = after[k]
				}
			}
		}
		if !last {
			if v.seen == nil {
				v.seen = map[int][]byte{}
			}
			v.seen[slot] = after
		}
	}
	return failure
}
