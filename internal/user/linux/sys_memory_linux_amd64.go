package linux

import (
	"golang.org/x/sys/unix"
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
		"madvise":  sysMadvise,
		"mlockall": func(t *Thread, a *[6]uint64) uint64 { return 0 },
		"shmat":    func(t *Thread, a *[6]uint64) uint64 { return t.shmat(a[0], a[1], a[2]) },
		"shmdt":    func(t *Thread, a *[6]uint64) uint64 { return t.shmdt(a[0]) },
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

func sysMadvise(t *Thread, a *[6]uint64) uint64 {
	s := t.p.sp
	va, n := a[0], (a[1]+pageMask)&^pageMask
	if va&pageMask != 0 || va+n > s.size || va+n < va {
		return negative(unix.EINVAL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && !s.maps.covers(va, va+n, 0) {
		return negative(unix.ENOMEM)
	}
	switch int(a[2]) {
	case unix.MADV_DONTNEED, unix.MADV_REMOVE, unix.MADV_FREE:
		for i := s.maps.search(va); i < len(s.maps) && s.maps[i].lo < va+n; i++ {
			m := s.maps[i]
			if m.bits&pageX == 0 {
				continue
			}
			for at, end := max(va, m.lo), min(va+n, m.hi); at < end; at += page { // the code there is gone
				if s.ram.Watched(at) {
					s.unwatch(at)
					s.forget(at, page)
				}
			}
		}
	case unix.MADV_DONTFORK:
		return 0
	}
	return t.raw(unix.SYS_MADVISE, s.host(va), uintptr(n), uintptr(a[2]))
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
	const shmRdonly, shmRemap = 0o10000, 0o40000
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
