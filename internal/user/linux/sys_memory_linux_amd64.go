package linux

import (
	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// memoryCalls are those that concern the map of memory.
func memoryCalls() map[string]handler {
	return map[string]handler{
		"brk": func(t *Thread, a *[6]uint64) uint64 { return t.p.sp.setBrk(a[0]) },
		"mmap2": func(t *Thread, a *[6]uint64) uint64 {
			return t.mmap(a[0], a[1], a[2], a[3], a[4], a[5]<<12)
		},
		"mmap": sysOldMmap,
		"mmap_offset": func(t *Thread, a *[6]uint64) uint64 {
			if a[5]&pageMask != 0 {
				return negative(unix.EINVAL)
			}
			return t.mmap(a[0], a[1], a[2], a[3], a[4], a[5])
		},
		"munmap": func(t *Thread, a *[6]uint64) uint64 {
			return negative(t.p.sp.munmap(a[0], a[1]))
		},
		"mprotect": func(t *Thread, a *[6]uint64) uint64 {
			return negative(t.p.sp.mprotect(a[0], a[1], int(a[2])))
		},
		"mremap": func(t *Thread, a *[6]uint64) uint64 {
			va, errno := t.p.sp.mremap(a[0], a[1], a[2], int(a[3]), a[4])
			if errno != 0 {
				return negative(errno)
			}
			return va
		},
		"madvise":    func(t *Thread, a *[6]uint64) uint64 { return t.madvise(a[0], a[1], int(a[2])) },
		"mincore":    sysMincore,
		"msync":      sysMsync,
		"mlock":      func(t *Thread, a *[6]uint64) uint64 { return t.mlock(unix.SYS_MLOCK, a[0], a[1], 0) },
		"mlock2":     func(t *Thread, a *[6]uint64) uint64 { return t.mlock(unix.SYS_MLOCK2, a[0], a[1], a[2]) },
		"munlock":    func(t *Thread, a *[6]uint64) uint64 { return t.mlock(unix.SYS_MUNLOCK, a[0], a[1], 0) },
		"mlockall":   sysMlockall,
		"munlockall": sysMunlockall,
		"shmat":      func(t *Thread, a *[6]uint64) uint64 { return t.shmat(a[0], a[1], a[2]) },
		"shmdt":      func(t *Thread, a *[6]uint64) uint64 { return t.shmdt(a[0]) },
	}
}

func (t *Thread) mmap(va, n, prot, flags, f, off uint64) uint64 {
	at, errno := t.p.sp.mmap(va, n, int(prot), int(flags), int(int32(f)), off)
	if errno != 0 {
		return negative(errno)
	}
	return at
}

// sysOldMmap has its arguments in memory: struct mmap_arg_struct.
func sysOldMmap(t *Thread, a *[6]uint64) uint64 {
	var w [6]uint64
	for i := range w {
		v, errno := t.getWord(a[0] + uint64(i*t.p.abi.Long))
		if errno != 0 {
			return negative(errno)
		}
		w[i] = v
	}
	if w[5]&pageMask != 0 {
		return negative(unix.EINVAL)
	}
	return t.mmap(w[0], w[1], w[2], w[3], w[4], w[5])
}

// Pages whose accesses raise SIGSEGV though their mapping would allow them
// (madvise(2), Linux 6.13).
const madvGuardInstall, madvGuardRemove = 102, 103

func (t *Thread) madvise(va, n uint64, advice int) uint64 {
	s := t.p.sp
	n = (n + pageMask) &^ pageMask
	if va&pageMask != 0 || va+n > s.size || va+n < va {
		return negative(unix.EINVAL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && !s.maps.covers(va, va+n, 0) {
		return negative(unix.ENOMEM)
	}
	switch advice {
	case unix.MADV_DONTNEED, unix.MADV_REMOVE, unix.MADV_FREE:
		if s.vfork != nil && advice == unix.MADV_FREE { // some time
			return 0
		}
		for i := s.maps.search(va); i < len(s.maps) && s.maps[i].lo < va+n; i++ {
			m := s.maps[i]
			if m.bits&pageX == 0 {
				continue
			}
			for at, end := max(va, m.lo, s.codeLo), min(va+n, m.hi, s.codeHi); at < end; at += page { // the code there is gone
				if s.ram.Watched(at) {
					s.unwatch(at)
					s.forget(at, page)
				}
			}
		}
	case unix.MADV_DONTFORK:
		return 0
	case madvGuardInstall, madvGuardRemove:
		if s.vfork != nil { // as kernels before Linux 6.13
			return negative(unix.EINVAL)
		}
		return s.guardPages(va, n, advice)
	}
	r := t.raw(unix.SYS_MADVISE, s.host(va), uintptr(n), uintptr(advice))
	if advice == unix.MADV_DONTNEED && !failed(r) {
		s.dropped(va, va+n)
	}
	return r
}

// guardPages has pages become guards, or be what they were. The lock is held.
func (s *space) guardPages(va, n uint64, advice int) uint64 {
	if n == 0 {
		return 0
	}
	var list []vma
	for i := s.maps.search(va); i < len(s.maps) && s.maps[i].lo < va+n; i++ {
		m := s.maps[i]
		list = append(list, vma{max(va, m.lo), min(va+n, m.hi), m.bits})
	}
	s.changed(va, va+n)
	for _, m := range list { // code may have taken the right to write away
		if m.bits&pageW != 0 {
			s.protect(m.lo, m.hi-m.lo, unix.PROT_READ|unix.PROT_WRITE)
		}
	}
	if _, errno := proc.Raw(unix.SYS_MADVISE, s.host(va), uintptr(n), uintptr(advice)); errno != 0 {
		return negative(errno)
	}
	const rights = pageR | pageW | pageX
	for _, m := range list {
		switch guarded := m.bits >> guardShift & rights; {
		case advice == madvGuardInstall:
			m.bits = m.bits&^rights | m.bits&rights<<guardShift
		case guarded != 0:
			m.bits = m.bits&^(rights<<guardShift) | guarded
		}
		s.maps.set(m.lo, m.hi, m.bits)
	}
	return 0
}

// covered rounds a range of addresses to pages. It reports whether all of it are
// mapped: the host would say so of what it only reserves.
func (t *Thread) covered(va, n uint64) (lo, hi uint64, ok bool) {
	lo, hi = va&^pageMask, (va+n+pageMask)&^pageMask
	if hi == lo {
		return lo, hi, true
	}
	return lo, hi, hi > lo && t.p.sp.allowed(lo, hi-lo, 0)
}

func sysMincore(t *Thread, a *[6]uint64) uint64 {
	if a[0]&pageMask != 0 {
		return negative(unix.EINVAL)
	}
	lo, hi, ok := t.covered(a[0], a[1])
	if !ok {
		return negative(unix.ENOMEM)
	}
	pages := (hi - lo) / page
	if t.p.sp.writable(a[2], pages) == nil {
		return negative(unix.EFAULT)
	}
	return t.raw(unix.SYS_MINCORE, t.p.sp.host(lo), uintptr(hi-lo), t.pointer(a[2]))
}

func sysMsync(t *Thread, a *[6]uint64) uint64 {
	flags := uint32(a[2])
	const both = unix.MS_ASYNC | unix.MS_SYNC
	if flags&^(both|unix.MS_INVALIDATE) != 0 || flags&both == both || a[0]&pageMask != 0 {
		return negative(unix.EINVAL)
	}
	lo, hi, ok := t.covered(a[0], a[1])
	if !ok {
		return negative(unix.ENOMEM)
	}
	return t.wait(unix.SYS_MSYNC, t.p.sp.host(lo), uintptr(hi-lo), uintptr(flags))
}

// mlock is mlock, mlock2 and munlock.
func (t *Thread) mlock(nr uintptr, va, n, flags uint64) uint64 {
	if va+n < va {
		return negative(unix.EINVAL)
	}
	lo, hi, ok := t.covered(va, n)
	if !ok {
		return negative(unix.ENOMEM)
	}
	return t.wait(nr, t.p.sp.host(lo), uintptr(hi-lo), uintptr(flags))
}

// sysMlockall locks the guest's memory alone: the translator's is large, and more is
// reserved than the host has. With MCL_FUTURE each new mapping is locked.
func sysMlockall(t *Thread, a *[6]uint64) uint64 {
	flags := uint32(a[0])
	const now, future, onFault = unix.MCL_CURRENT, unix.MCL_FUTURE, unix.MCL_ONFAULT
	if flags&^(now|future|onFault) != 0 || flags&(now|future) == 0 {
		return negative(unix.EINVAL)
	}
	s := t.p.sp
	s.mu.Lock()
	defer s.mu.Unlock()
	var total uint64
	for _, m := range s.maps {
		total += m.hi - m.lo
	}
	if errno := t.mayLock(total, flags&now != 0); errno != 0 {
		return negative(errno)
	}
	s.lockNew = flags&future != 0
	if flags&now == 0 {
		return 0
	}
	how := uintptr(0)
	if flags&onFault != 0 {
		how = 1 // MLOCK_ONFAULT
	}
	for _, m := range s.maps { // it goes on after what cannot be locked, as the kernel does
		proc.Raw(unix.SYS_MLOCK2, s.host(m.lo), uintptr(m.hi-m.lo), how)
	}
	return 0
}

// mayLock reports what keeps a process from locking its memory, of n bytes if all
// of it is meant (mlockall(2), EPERM and ENOMEM).
func (t *Thread) mayLock(n uint64, all bool) unix.Errno {
	b := t.alloc(16)
	t.raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_MEMLOCK, 0, ref(b))
	limit := le.Uint64(b)
	if limit >= n && limit > 0 {
		return 0
	}
	head, data := t.alloc(8), t.alloc(24) // struct __user_cap_header, two of __user_cap_data_struct
	le.PutUint32(head, unix.LINUX_CAPABILITY_VERSION_3)
	t.raw(unix.SYS_CAPGET, ref(head), ref(data))
	switch {
	case le.Uint32(data)>>unix.CAP_IPC_LOCK&1 != 0:
		return 0
	case limit == 0:
		return unix.EPERM
	case all:
		return unix.ENOMEM
	}
	return 0
}

func sysMunlockall(t *Thread, a *[6]uint64) uint64 {
	s := t.p.sp
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lockNew = false
	return t.raw(unix.SYS_MUNLOCKALL)
}

// shmat attaches a segment of shared memory.
func (t *Thread) shmat(id, va, flags uint64) uint64 {
	b := t.alloc(256)
	if r := t.raw(unix.SYS_SHMCTL, uintptr(id), unix.IPC_STAT, ref(b)); failed(r) {
		return r
	}
	n := (le.Uint64(b[48:]) + pageMask) &^ pageMask // shm_segsz of struct shmid64_ds
	s := t.p.sp
	s.mu.Lock()
	defer s.mu.Unlock()
	const shmRdonly, shmRound, shmRemap = 0o10000, 0o20000, 0o40000
	if flags&shmRound != 0 {
		va &^= pageMask
	}
	if va == 0 {
		at, ok := s.place(0, n, 0)
		if !ok {
			return negative(unix.ENOMEM)
		}
		va = at
	} else if flags&shmRemap == 0 && s.maps.overlaps(va, va+n) {
		return negative(unix.EINVAL)
	}
	if va&pageMask != 0 || va+n > s.limit {
		return negative(unix.EINVAL)
	}
	r := t.raw(unix.SYS_SHMAT, uintptr(id), s.host(va), uintptr(flags|shmRemap))
	if failed(r) {
		return r
	}
	prot := unix.PROT_READ
	if flags&shmRdonly == 0 {
		prot |= unix.PROT_WRITE
	}
	s.changed(va, va+n)
	s.maps.set(va, va+n, s.bits(prot))
	s.leavesFile(va, va+n)
	s.setShared(va, va+n, true)
	s.fresh(va, va+n, prot, unix.MAP_SHARED)
	if s.shm == nil {
		s.shm = map[uint64]uint64{}
	}
	s.shm[va] = n
	return va
}

func (t *Thread) shmdt(va uint64) uint64 {
	s := t.p.sp
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.shm[va]
	if !ok {
		return negative(unix.EINVAL)
	}
	delete(s.shm, va)
	return negative(s.release(va, va+n))
}
