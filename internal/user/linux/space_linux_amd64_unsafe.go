//go:build linux && amd64

package linux

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"rhea/internal/mem"
	"rhea/internal/user/linux/proc"
)

const (
	page     = mem.PageSize
	pageMask = page - 1

	space32 = 1 << 32
	// guard is what is reserved before the addresses of 64-bit programs, for those
	// that are little below 0.
	guard = 1 << 32
)

// What may be done with a page: bits of a range.
const (
	pageR = 1 << iota
	pageW
	pageX
	pageMapped
	// What may be done with a guard page if it is none any more is guardShift higher.
	guardShift = iota
	// pageNoRead: it may be read, which was not asked for.
	pageNoRead = 1 << 7
)

// isGuard reports whether the bits are a guard page's.
func isGuard(bits byte) bool { return bits>>guardShift&(pageR|pageW|pageX) != 0 }

// shown are the bits as /proc tells them: guards are not seen there.
func shown(bits byte) byte {
	if bits&pageNoRead != 0 {
		bits &^= pageR | pageR<<guardShift
	}
	return bits | bits>>guardShift&(pageR|pageW|pageX)
}

// space is the memory of a guest process: the guest's addresses are the host's
// behind base. All of them are reserved, so that what the guest has not mapped
// cannot be accessed.
type space struct {
	base uintptr
	size uint64 // of the addresses
	abi  *ABI
	ram  *mem.RAM
	all  []byte

	mu     sync.RWMutex
	maps   vmas
	shared vmas   // those that are MAP_SHARED
	vfork  *vfork // of a child that has its parent's memory, nil = it has its own
	limit  uint64 // of addresses, -R
	top    uint64 // where mmap begins to look, downwards
	brk    uint64
	brk0   uint64
	// forget is told of pages whose code is not what it was.
	forget func(lo, n uint64)
	// remapped is told that accesses may be forbidden that were not, of code or
	// only of data.
	remapped func(code bool)
	// guarded is told that a page is write-protected for the code in it.
	guarded func()
	shm     map[uint64]uint64 // segments of shared memory: their sizes
	files   []fileRange
	aliases aliases
	lockNew bool // new mappings are locked, MCL_FUTURE
	// Where code has been executed: a mapping may be much larger.
	codeLo, codeHi uint64
	execAll        bool // whatever may be read may be executed
}

// newSpace reserves the addresses. Base is where they are to be, 0 = anywhere.
func newSpace(a *ABI, base uintptr) (*space, *mem.Region, error) {
	size := uintptr(a.Space)
	before, behind := uintptr(0), uintptr(page)
	if size > space32 {
		before = guard
	}
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	var at unsafe.Pointer
	var err error
	if base != 0 {
		at, err = unix.MmapPtr(-1, 0, address(base-before), before+size+behind, unix.PROT_NONE, flags|unix.MAP_FIXED_NOREPLACE)
		if err != nil || uintptr(at) != base-before {
			return nil, nil, fmt.Errorf("-B %#x: the host's addresses there are in use; leave -B out", base)
		}
	} else {
		const align = 1 << 32
		at, err = unix.MmapPtr(-1, 0, nil, before+size+align+behind, unix.PROT_NONE, flags)
		if err != nil {
			return nil, nil, fmt.Errorf("reserving %d GiB of addresses for the program: %w (see ulimit -v)", size>>30, err)
		}
		base = (uintptr(at) + before + align - 1) &^ (align - 1)
		if d := base - before - uintptr(at); d > 0 {
			unix.MunmapPtr(at, d)
		}
		if end, have := base+size+behind, uintptr(at)+before+size+align+behind; have > end {
			unix.MunmapPtr(address(end), have-end)
		}
	}
	s := &space{
		base: base, size: uint64(size), abi: a, all: unsafe.Slice((*byte)(address(base)), size), limit: a.Top, codeLo: uint64(size),
		forget: func(lo, n uint64) {}, remapped: func(bool) {}, guarded: func() {},
	}
	// Of the bits most pages will never be touched.
	words := uintptr(mem.WatchWords(uint64(size)))
	at, err = unix.MmapPtr(-1, 0, nil, words*4, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, nil, fmt.Errorf("memory for the program: %w", err)
	}
	r := mem.NewRAMOf("user", s.all, unsafe.Slice((*atomic.Uint32)(at), words))
	s.ram = r.RAM()
	return s, r, nil
}

func address(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

// Page implements x86.Pages.
func (s *space) Page(lin uint64) (read, write, exec bool) {
	p := s.bitsAt(lin)
	return p&pageR != 0, p&pageW != 0, p&pageX != 0
}

// bitsAt is what may be done at an address.
func (s *space) bitsAt(va uint64) byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.maps.bits(va)
}

// backed reports whether there is memory behind a page that may be read, or
// written: the file of a mapping may be shorter. Hosts before Linux 5.14 do not
// tell.
func (s *space) backed(va uint64, write bool) bool {
	advice := uintptr(unix.MADV_POPULATE_READ)
	if write {
		advice = unix.MADV_POPULATE_WRITE
	}
	_, errno := proc.Raw(unix.SYS_MADVISE, s.host(va&^pageMask), page, advice)
	return errno != unix.EFAULT // others are that it is write-protected again, or no such advice
}

// host is the host's address of a guest's.
func (s *space) host(va uint64) uintptr { return s.base + uintptr(va) }

// allowed reports whether n bytes at va may be accessed.
func (s *space) allowed(va, n uint64, bits byte) bool {
	if va+n > s.size || va+n < va {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return n == 0 || s.maps.covers(va, va+n, bits)
}

// readable returns n bytes at va, nil if they may not be read.
func (s *space) readable(va, n uint64) []byte {
	if !s.allowed(va, n, pageR) {
		return nil
	}
	return s.all[va : va+n : va+n]
}

// writable returns n bytes at va to be written, nil if they may not be.
func (s *space) writable(va, n uint64) []byte {
	if !s.allowed(va, n, pageW) {
		return nil
	}
	s.unprotect(va, n)
	return s.all[va : va+n : va+n]
}

// text returns the string at va.
func (s *space) text(va uint64) (string, unix.Errno) {
	for at := va; at-va < 1<<20; {
		n := page - at&pageMask
		b := s.readable(at, n)
		if b == nil {
			return "", unix.EFAULT
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(s.all[va : at+uint64(i)]), 0
		}
		at += n
	}
	return "", unix.ENAMETOOLONG
}

// unprotect makes pages writable that are write-protected for the code in
// them: the host is going to write there.
func (s *space) unprotect(va, n uint64) {
	proc.EndOver() // a page may be its parent's to see, and written without a fault
	if va >= s.size || n == 0 {
		return
	}
	end := va + min(n, s.size-va)
	for _, at := range s.watched(va, end) {
		s.codeWritten(at)
	}
}

// watched lists the pages of lo..hi-1 that are write-protected for the code in
// them, or for the parent to see what is stored.
func (s *space) watched(lo, hi uint64) (list []uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list = s.aliasesOf(lo, hi)
	for i := s.maps.search(lo); i < len(s.maps) && s.maps[i].lo < hi; i++ {
		m := s.maps[i]
		at, end := max(lo&^pageMask, m.lo), min(hi, m.hi)
		if s.vfork == nil {
			if m.bits&pageX == 0 {
				continue
			}
			at, end = max(at, s.codeLo), min(end, s.codeHi)
		}
		for ; at < end; at += page {
			if s.ram.Watched(at) {
				list = append(list, at)
			}
		}
	}
	return list
}

// protectCode is tcg.Flat's Protect.
func (s *space) protectCode(va uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codeLo, s.codeHi = min(s.codeLo, va), max(s.codeHi, va+page)
	if s.ram.Watched(va) {
		return
	}
	s.watch(va)
	s.sharesFile(va, va+page, func(at, other, _ uint64) { s.protectAlias(other, at) })
}

func (s *space) watch(va uint64) {
	if s.ram.Watched(va) {
		return
	}
	s.ram.Watch(va)
	if s.maps.bits(va)&pageW != 0 {
		s.protect(va, page, unix.PROT_READ)
		s.guarded()
	}
}

// codeWritten is tcg.Flat's Written.
func (s *space) codeWritten(va uint64) {
	proc.EndOver()
	va &^= pageMask
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwatch(va)
	s.forget(va, page)
	s.aliasWritten(va)
}

func (s *space) unwatch(va uint64) {
	if !s.ram.Watched(va) {
		return
	}
	s.ram.Unwatch(va)
	if s.maps.bits(va)&pageW != 0 && (s.vfork == nil || !s.vfork.take(s, va)) {
		s.protect(va, page, unix.PROT_READ|unix.PROT_WRITE)
	}
}

func (s *space) protect(va, n uint64, prot int) unix.Errno {
	_, errno := proc.Raw(unix.SYS_MPROTECT, s.host(va), uintptr(n), uintptr(prot))
	return errno
}

// hostProt is the host's protection for a guest's: what it executes, the host
// only reads.
func hostProt(prot int) int {
	p := prot & (unix.PROT_READ | unix.PROT_WRITE)
	if prot&(unix.PROT_EXEC|unix.PROT_WRITE) != 0 {
		p |= unix.PROT_READ
	}
	return p
}

func (s *space) bits(prot int) byte {
	b := byte(pageMapped)
	if prot&(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC) != 0 {
		b |= pageR
	}
	if prot&unix.PROT_WRITE != 0 {
		b |= pageW
	}
	if prot&unix.PROT_EXEC != 0 || s.execAll && prot&unix.PROT_READ != 0 {
		b |= pageX
	}
	if b&pageR != 0 && prot&unix.PROT_READ == 0 {
		b |= pageNoRead
	}
	return b
}

// changed is told that lo..hi-1 is something else now: code of it is
// forgotten. The protection of the host's is set anew by the caller.
func (s *space) changed(lo, hi uint64) {
	mapped, code := false, false
	for _, va := range s.aliasesOf(lo, hi) {
		s.ram.Unwatch(va)
		s.aliasWritten(va)
	}
	for i := s.maps.search(lo); i < len(s.maps) && s.maps[i].lo < hi; i++ {
		m := s.maps[i]
		mapped = true
		if m.bits&pageX == 0 {
			continue
		}
		code = true
		for va, end := max(lo, m.lo, s.codeLo), min(hi, m.hi, s.codeHi); va < end; va += page {
			if s.ram.Watched(va) {
				s.ram.Unwatch(va)
				s.forget(va, page)
			}
		}
	}
	if mapped {
		s.remapped(code)
	}
}

const mapFixedNoReplace = unix.MAP_FIXED_NOREPLACE

// mmap maps n bytes, wherever flags say.
func (s *space) mmap(va, n uint64, prot, flags, fd int, off uint64) (uint64, unix.Errno) {
	if n == 0 {
		_, errno := proc.Raw(unix.SYS_MMAP, 0, 0, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off)) // EINVAL, or what is wrong with the file
		return 0, errno
	}
	if n > s.limit {
		return 0, unix.ENOMEM
	}
	n = (n + pageMask) &^ pageMask
	s.mu.Lock()
	defer s.mu.Unlock()
	fixed := flags&(unix.MAP_FIXED|mapFixedNoReplace) != 0
	if fixed && va&pageMask != 0 {
		return 0, unix.EINVAL
	}
	if !fixed {
		at, ok := s.place(va, n, flags)
		if !ok {
			return 0, unix.ENOMEM
		}
		va = at
	}
	if va+n > s.limit || va+n < va {
		return 0, unix.ENOMEM
	}
	if fixed && va < 0x1000 {
		return 0, unix.EPERM
	}
	if flags&mapFixedNoReplace == mapFixedNoReplace && s.maps.overlaps(va, va+n) {
		return 0, unix.EEXIST
	}
	hf := flags&^(mapFixedNoReplace|unix.MAP_GROWSDOWN|unix.MAP_32BIT) | unix.MAP_FIXED | s.lockFlag()
	if _, errno := proc.Raw(unix.SYS_MMAP, s.host(va), uintptr(n), uintptr(hostProt(prot)), uintptr(hf), uintptr(fd), uintptr(off)); errno != 0 {
		return 0, errno
	}
	value := prot & 7
	if s.maps.overlaps(va, va+n) {
		value |= vforkOver
	}
	s.changed(va, va+n)
	s.maps.set(va, va+n, s.bits(prot))
	s.leavesFile(va, va+n)
	s.mapsFile(va, va+n, flags, fd, off)
	s.becomesWritable(va, va+n)
	s.setShared(va, va+n, flags&unix.MAP_SHARED != 0)
	s.fresh(va, va+n, value, flags)
	return va, 0
}

// setShared says whether lo..hi-1, which was mapped, is shared.
func (s *space) setShared(lo, hi uint64, is bool) {
	if s.shared.overlaps(lo, hi) {
		s.shared.remove(lo, hi)
	}
	if is {
		s.shared.set(lo, hi, pageMapped)
	}
}

func (s *space) isShared(va uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.shared.bits(va) != 0
}

// lockFlag is what new mappings are locked with.
func (s *space) lockFlag() int {
	if s.lockNew {
		return unix.MAP_LOCKED
	}
	return 0
}

// place finds n free bytes, at va if they are free there.
func (s *space) place(va, n uint64, flags int) (uint64, bool) {
	va &^= pageMask
	limit := s.limit
	low := flags&unix.MAP_32BIT != 0 && s.size > space32
	if low {
		limit = min(limit, 1<<31)
	}
	if va >= 0x10000 && va+n <= limit && !s.maps.overlaps(va, va+n) {
		return va, true
	}
	if low {
		return s.maps.below(limit, 0x10000, n)
	}
	if at, ok := s.maps.below(min(s.top, s.limit), 0x10000, n); ok {
		return at, true
	}
	return s.maps.below(s.limit, 0x10000, n)
}

func (s *space) munmap(va, n uint64) unix.Errno {
	if va&pageMask != 0 || n == 0 || va+n > s.size {
		return unix.EINVAL
	}
	n = (n + pageMask) &^ pageMask
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.release(va, va+n)
}

// release makes addresses free that are mapped.
func (s *space) release(lo, hi uint64) unix.Errno {
	if !s.maps.overlaps(lo, hi) {
		return 0
	}
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE | unix.MAP_FIXED
	if _, errno := proc.Raw(unix.SYS_MMAP, s.host(lo), uintptr(hi-lo), unix.PROT_NONE, flags, ^uintptr(0), 0); errno != 0 {
		return errno
	}
	s.changed(lo, hi)
	s.maps.remove(lo, hi)
	s.leavesFile(lo, hi)
	s.setShared(lo, hi, false)
	s.released(lo, hi)
	return 0
}

func (s *space) mprotect(va, n uint64, prot int) unix.Errno {
	n = (n + pageMask) &^ pageMask
	if va&pageMask != 0 || va+n > s.size {
		return unix.EINVAL
	}
	if n == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.maps.covers(va, va+n, 0) {
		return unix.ENOMEM
	}
	s.changed(va, va+n)
	if errno := s.protect(va, n, hostProt(prot&7)); errno != 0 {
		return errno
	}
	s.maps.set(va, va+n, s.bits(prot&7))
	s.becomesWritable(va, va+n)
	s.protected(va, va+n, prot&7)
	return 0
}

// mremap moves, grows or shrinks a mapping.
func (s *space) mremap(va, old, n uint64, flags int, to uint64) (uint64, unix.Errno) {
	if va&pageMask != 0 || n == 0 || va+old > s.size || n > s.limit {
		return 0, unix.EINVAL
	}
	old, n = (old+pageMask)&^pageMask, (n+pageMask)&^pageMask
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vfork != nil && (flags&unix.MREMAP_FIXED != 0 || n > old) {
		s.vfork.unimp("vfork: mremap of the child's")
		return 0, unix.ENOMEM
	}
	if flags&unix.MREMAP_FIXED != 0 {
		if flags&unix.MREMAP_MAYMOVE == 0 || to&pageMask != 0 || to+n > s.limit || to < va+old && va < to+n {
			return 0, unix.EINVAL
		}
		return s.moveMap(va, old, n, to)
	}
	switch {
	case old == 0 || !s.maps.covers(va, va+old, 0):
		return 0, unix.EFAULT
	case n == old:
		return va, 0
	case n < old:
		return va, s.release(va+n, va+old)
	}
	if end := va + old; va+n <= s.limit && !s.maps.overlaps(end, va+n) {
		// The host's reservation behind it has to go first.
		unix.MunmapPtr(address(s.host(end)), uintptr(n-old))
		_, errno := proc.Raw(unix.SYS_MREMAP, s.host(va), uintptr(old), uintptr(n), 0)
		if errno != 0 {
			const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE | mapFixedNoReplace
			proc.Raw(unix.SYS_MMAP, s.host(end), uintptr(n-old), unix.PROT_NONE, flags, ^uintptr(0), 0)
		} else {
			s.maps.set(end, va+n, s.maps.bits(end-1))
			s.growsFile(end, n-old)
			s.becomesWritable(end, va+n)
			s.setShared(end, va+n, s.shared.bits(end-1) != 0)
			return va, 0
		}
	}
	if flags&unix.MREMAP_MAYMOVE == 0 {
		return 0, unix.ENOMEM
	}
	at, ok := s.place(0, n, 0)
	if !ok {
		return 0, unix.ENOMEM
	}
	return s.moveMap(va, old, n, at)
}

// moveMap moves a mapping to addresses that are reserved or mapped.
func (s *space) moveMap(va, old, n, to uint64) (uint64, unix.Errno) {
	if old == 0 || !s.maps.covers(va, va+min(old, n), 0) {
		return 0, unix.EFAULT
	}
	s.changed(to, to+n)
	s.changed(va, va+old)
	bits := s.maps.bits(va)
	if bits&pageW != 0 { // code in it may have taken that away
		s.protect(va, min(old, n), unix.PROT_READ|unix.PROT_WRITE)
	}
	if old > n {
		if errno := s.release(va+n, va+old); errno != 0 {
			return 0, errno
		}
		old = n
	}
	_, errno := proc.Raw(unix.SYS_MREMAP, s.host(va), uintptr(old), uintptr(n), unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, s.host(to))
	if errno != 0 {
		return 0, errno
	}
	const reserve = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE | mapFixedNoReplace
	proc.Raw(unix.SYS_MMAP, s.host(va), uintptr(old), unix.PROT_NONE, reserve, ^uintptr(0), 0)
	shared := s.shared.bits(va) != 0
	s.maps.remove(va, va+old)
	s.setShared(va, va+old, false)
	s.maps.set(to, to+n, bits)
	s.leavesFile(to, to+n)
	s.movesFile(va, old, to)
	s.growsFile(to+old, n-old)
	s.becomesWritable(to, to+n)
	s.setShared(to, to+n, shared)
	return to, 0
}

// setBrk is brk(2): it returns the end that there is then.
func (s *space) setBrk(end uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end < s.brk0 || end > s.limit {
		return s.brk
	}
	was, have, want := s.brk, (s.brk+pageMask)&^pageMask, (end+pageMask)&^pageMask
	switch {
	case want > have:
		if s.maps.overlaps(have, want) {
			return s.brk
		}
		const prot = unix.PROT_READ | unix.PROT_WRITE
		flags := unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_FIXED | s.lockFlag()
		if _, errno := proc.Raw(unix.SYS_MMAP, s.host(have), uintptr(want-have), prot, uintptr(flags), ^uintptr(0), 0); errno != 0 {
			return s.brk
		}
		s.changed(have, want)
		s.maps.set(have, want, s.bits(prot))
	case want < have:
		if s.release(want, have) != 0 {
			return s.brk
		}
	}
	s.brk = end
	s.broke(was, end)
	return end
}

// hostBytes are n bytes of the host's memory that the collector does not move.
func hostBytes(a uintptr, n int) []byte { return unsafe.Slice((*byte)(address(a)), n) }
