package linux

import (
	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// timeCalls are those that concern time, and waiting with a time limit.
func timeCalls() map[string]handler {
	return map[string]handler{
		"time":          sysTime,
		"stime":         sysStime,
		"gettimeofday":  sysGettimeofday,
		"settimeofday":  sysSettimeofday,
		"clock_gettime": func(t *Thread, a *[6]uint64) uint64 { return t.clockGet(unix.SYS_CLOCK_GETTIME, a) },
		"clock_getres":  func(t *Thread, a *[6]uint64) uint64 { return t.clockGet(unix.SYS_CLOCK_GETRES, a) },
		"clock_settime": func(t *Thread, a *[6]uint64) uint64 {
			ts, errno := t.in("timespec", a[1])
			if errno != 0 {
				return negative(errno)
			}
			return t.raw(unix.SYS_CLOCK_SETTIME, fd(a[0]), ref(ts))
		},
		"nanosleep":       func(t *Thread, a *[6]uint64) uint64 { return t.sleep(unix.CLOCK_MONOTONIC, 0, a[0], a[1]) },
		"clock_nanosleep": func(t *Thread, a *[6]uint64) uint64 { return t.sleep(fd(a[0]), a[1], a[2], a[3]) },
		"times":           sysTimes,
		"getitimer":       sysGetitimer,
		"setitimer":       sysSetitimer,
		"timer_create":    sysTimerCreate,
		"timer_settime":   func(t *Thread, a *[6]uint64) uint64 { return t.timerSet(unix.SYS_TIMER_SETTIME, a) },
		"timerfd_settime": func(t *Thread, a *[6]uint64) uint64 { return t.timerSet(unix.SYS_TIMERFD_SETTIME, a) },
		"timer_gettime":   func(t *Thread, a *[6]uint64) uint64 { return t.timerGet(unix.SYS_TIMER_GETTIME, a) },
		"timerfd_gettime": func(t *Thread, a *[6]uint64) uint64 { return t.timerGet(unix.SYS_TIMERFD_GETTIME, a) },
		"utime":           sysUtime,
		"utimes":          func(t *Thread, a *[6]uint64) uint64 { return t.utimes(atFDCWD, a[0], a[1]) },
		"futimesat":       func(t *Thread, a *[6]uint64) uint64 { return t.utimes(fd(a[0]), a[1], a[2]) },
		"utimensat":       sysUtimensat,
		"adjtimex": func(t *Thread, a *[6]uint64) uint64 {
			b, errno := t.in("timex", a[0])
			if errno != 0 || b == nil {
				return negative(unix.EFAULT)
			}
			return t.outAfter(t.raw(unix.SYS_ADJTIMEX, ref(b)), "timex", a[0], b)
		},
		"sched_rr_get_interval": func(t *Thread, a *[6]uint64) uint64 {
			b := t.room("timespec")
			return t.outAfter(t.raw(unix.SYS_SCHED_RR_GET_INTERVAL, fd(a[0]), ref(b)), "timespec", a[1], b)
		},

		"select":          sysOldSelect,
		"_newselect":      func(t *Thread, a *[6]uint64) uint64 { return t.selectTime(a) },
		"pselect6":        func(t *Thread, a *[6]uint64) uint64 { return t.pselect("timespec", a) },
		"pselect6_time64": func(t *Thread, a *[6]uint64) uint64 { return t.pselect("timespec64", a) },
		"poll":            sysPoll,
		"ppoll":           func(t *Thread, a *[6]uint64) uint64 { return t.ppoll("timespec", a) },
		"ppoll_time64":    func(t *Thread, a *[6]uint64) uint64 { return t.ppoll("timespec64", a) },
		"epoll_pwait":     sysEpollPwait,
		"epoll_pwait2":    sysEpollPwait2,

		"futex":        func(t *Thread, a *[6]uint64) uint64 { return t.futex("timespec", a) },
		"futex_waitv":  sysFutexWaitv,
		"futex_time64": func(t *Thread, a *[6]uint64) uint64 { return t.futex("timespec64", a) },
	}
}

func sysTime(t *Thread, a *[6]uint64) uint64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_REALTIME, &ts)
	if a[0] != 0 {
		if errno := t.putWord(a[0], uint64(ts.Sec)); errno != 0 {
			return negative(errno)
		}
	}
	return uint64(ts.Sec)
}

func sysStime(t *Thread, a *[6]uint64) uint64 {
	s, errno := t.getWord(a[0])
	if errno != 0 {
		return negative(errno)
	}
	b := t.alloc(16)
	le.PutUint64(b, uint64(t.long(s)))
	return t.raw(unix.SYS_CLOCK_SETTIME, unix.CLOCK_REALTIME, ref(b))
}

func sysGettimeofday(t *Thread, a *[6]uint64) uint64 {
	b := t.room("timeval")
	r := t.raw(unix.SYS_GETTIMEOFDAY, ref(b), t.output(a[1], 8))
	return t.outIf(r, "timeval", a[0], b)
}

func sysSettimeofday(t *Thread, a *[6]uint64) uint64 {
	b, errno := t.in("timeval", a[0])
	if errno != 0 {
		return negative(errno)
	}
	return t.raw(unix.SYS_SETTIMEOFDAY, ref(b), t.pointer(a[1]))
}

func (t *Thread) clockGet(nr uintptr, a *[6]uint64) uint64 {
	b := t.room("timespec")
	r := t.raw(nr, fd(a[0]), ref(b))
	if nr == unix.SYS_CLOCK_GETRES {
		return t.outIf(r, "timespec", a[1], b)
	}
	return t.outAfter(r, "timespec", a[1], b)
}

func (t *Thread) sleep(clock uintptr, flags, req, rem uint64) uint64 {
	ts, errno := t.in("timespec", req)
	if errno != 0 || ts == nil {
		return negative(unix.EFAULT)
	}
	left := t.room("timespec")
	for {
		r := t.wait(unix.SYS_CLOCK_NANOSLEEP, clock, uintptr(flags), ref(ts), ref(left))
		if r != negative(unix.EINTR) || flags&unix.TIMER_ABSTIME != 0 {
			return r
		}
		if t.rec.Signal == 0 && !t.over() { // not a signal of the guest's
			copy(ts, left)
			continue
		}
		if rem != 0 {
			if errno := t.out("timespec", rem, left); errno != 0 {
				return negative(errno)
			}
		}
		return r
	}
}

func sysTimes(t *Thread, a *[6]uint64) uint64 {
	b := t.room("tms")
	r := t.raw(unix.SYS_TIMES, ref(b))
	if failed(r) || a[0] == 0 {
		return r
	}
	if errno := t.out("tms", a[0], b); errno != 0 {
		return negative(errno)
	}
	return r & 0x7fffffff // never taken for an error
}

func sysGetitimer(t *Thread, a *[6]uint64) uint64 {
	b := t.room("itimerval")
	return t.outAfter(t.raw(unix.SYS_GETITIMER, uintptr(a[0]), ref(b)), "itimerval", a[1], b)
}

func sysSetitimer(t *Thread, a *[6]uint64) uint64 {
	b, errno := t.in("itimerval", a[1])
	if errno != 0 {
		return negative(errno)
	}
	old := t.room("itimerval")
	return t.outIf(t.raw(unix.SYS_SETITIMER, uintptr(a[0]), ref(b), ref(old)), "itimerval", a[2], old)
}

func sysTimerCreate(t *Thread, a *[6]uint64) uint64 {
	ev, errno := t.in("sigevent", a[1])
	if errno != 0 {
		return negative(errno)
	}
	id := t.alloc(4)
	r := t.raw(unix.SYS_TIMER_CREATE, fd(a[0]), ref(ev), ref(id))
	if failed(r) {
		return r
	}
	return negative(t.put32(a[2], le.Uint32(id)))
}

func (t *Thread) timerSet(nr uintptr, a *[6]uint64) uint64 {
	b, errno := t.in("itimerspec", a[2])
	if a[2] == 0 && nr == unix.SYS_TIMER_SETTIME {
		return negative(unix.EINVAL)
	}
	if errno != 0 || b == nil {
		return negative(unix.EFAULT)
	}
	old := t.room("itimerspec")
	return t.outIf(t.raw(nr, fd(a[0]), uintptr(a[1]), ref(b), ref(old)), "itimerspec", a[3], old)
}

func (t *Thread) timerGet(nr uintptr, a *[6]uint64) uint64 {
	b := t.room("itimerspec")
	return t.outAfter(t.raw(nr, fd(a[0]), ref(b)), "itimerspec", a[1], b)
}

func sysUtime(t *Thread, a *[6]uint64) uint64 {
	p, errno := t.pathArg(a[0])
	if errno != 0 {
		return negative(errno)
	}
	b, errno := t.in("utimbuf", a[1])
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_UTIME, p, ref(b))
}

func (t *Thread) utimes(dir uintptr, path, times uint64) uint64 {
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	b, errno := t.pair("timeval", times)
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_FUTIMESAT, dir, p, ref(b))
}

// pair reads two structures in a row.
func (t *Thread) pair(name string, va uint64) ([]byte, unix.Errno) {
	if va == 0 {
		return nil, 0
	}
	x := t.p.types.of(name)
	src := t.p.sp.readable(va, uint64(2*x.guest.size))
	if src == nil {
		return nil, unix.EFAULT
	}
	b := t.alloc(2 * x.host.size)
	x.in.do(b, src)
	x.in.do(b[x.host.size:], src[x.guest.size:])
	return b, 0
}

func sysUtimensat(t *Thread, a *[6]uint64) uint64 {
	p, errno := t.pathArg(a[1])
	if errno != 0 {
		return negative(errno)
	}
	b, errno := t.pair("timespec", a[2])
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_UTIMENSAT, fd(a[0]), p, ref(b), uintptr(a[3]))
}

// --- select, poll, epoll

func sysOldSelect(t *Thread, a *[6]uint64) uint64 {
	var w [6]uint64
	for i := range 5 {
		v, errno := t.getWord(a[0] + uint64(i*t.p.abi.Long))
		if errno != 0 {
			return negative(errno)
		}
		w[i] = v
	}
	return t.selectTime(&w)
}

// fdSet is a set of descriptors for the host, which reads and writes whole
// longs of its own.
type fdSet struct {
	va uint64
	n  uint64 // bytes, the guest's
	b  []byte
}

func (t *Thread) fdSets(n, r, w, e uint64) (sets [3]fdSet, errno unix.Errno) {
	if n > 1<<20 {
		return sets, unix.EINVAL
	}
	long := uint64(8 * t.p.abi.Long)
	size := (n + long - 1) / long * uint64(t.p.abi.Long)
	var few [8]int
	owns := proc.Own(few[:0])
	for i, va := range [3]uint64{r, w, e} {
		if va == 0 {
			continue
		}
		src := t.p.sp.readable(va, size)
		if src == nil {
			return sets, unix.EFAULT
		}
		b := t.alloc(int(size) + 8)
		t.swapWords(b, src)
		for _, own := range owns {
			if uint64(own) < n && b[own/8]>>(own%8)&1 != 0 {
				return sets, unix.EBADF
			}
		}
		sets[i] = fdSet{va, size, b}
	}
	return sets, 0
}

// swapWords copies longs between the orders of bytes.
func (t *Thread) swapWords(dst, src []byte) {
	if t.p.abi.Order == le {
		copy(dst, src)
		return
	}
	n := t.p.abi.Long
	for i := 0; i+n <= len(src); i += n {
		for k := range n {
			dst[i+k] = src[i+n-1-k]
		}
	}
}

func (t *Thread) putSets(sets *[3]fdSet) unix.Errno {
	for i := range sets {
		s := &sets[i]
		if s.va == 0 {
			continue
		}
		dst := t.p.sp.writable(s.va, s.n)
		if dst == nil {
			return unix.EFAULT
		}
		t.swapWords(dst, s.b[:s.n])
	}
	return 0
}

func (t *Thread) selectTime(a *[6]uint64) uint64 {
	sets, errno := t.fdSets(uint64(uint32(a[0])), a[1], a[2], a[3])
	if errno != 0 {
		return negative(errno)
	}
	tv, errno := t.in("timeval", a[4])
	if errno != 0 {
		return negative(errno)
	}
	r := t.wait(unix.SYS_SELECT, fd(a[0]), ref(sets[0].b), ref(sets[1].b), ref(sets[2].b), ref(tv))
	if tv != nil && !restarts(r) {
		t.out("timeval", a[4], tv)
	}
	if failed(r) {
		return r
	}
	if errno := t.putSets(&sets); errno != 0 {
		return negative(errno)
	}
	return r
}

// waitMask is the mask, at va, of a call that waits with another than the thread's,
// for the host; nil = there is none. The call is to be done by waitMasked.
func (t *Thread) waitMask(va, n uint64) ([]byte, unix.Errno) {
	if va == 0 {
		return nil, 0
	}
	if n != 8 {
		return nil, unix.EINVAL
	}
	m, errno := t.getMask(va, 8)
	if errno != 0 {
		return nil, errno
	}
	t.waits = m &^ unblockable
	return t.maskFor(t.waits), 0
}

// maskAt is waitMask for a mask whose address and size are at va; nil if there is none.
func (t *Thread) maskAt(va uint64) ([]byte, unix.Errno) {
	if va == 0 {
		return nil, 0
	}
	at, e1 := t.getWord(va)
	n, e2 := t.getWord(va + uint64(t.p.abi.Long))
	if e1|e2 != 0 {
		return nil, unix.EFAULT
	}
	return t.waitMask(at, n)
}

// maskRef is the address and the size of a mask for the host; 0 of none.
func (t *Thread) maskRef(mask []byte) uintptr {
	if mask == nil {
		return 0
	}
	b := t.alloc(16)
	le.PutUint64(b, uint64(ref(mask)))
	le.PutUint64(b[8:], 8)
	return ref(b)
}

// waitMasked is wait for a call with a mask of waitMask's: the signal that ends
// it is delivered by that one. The old one comes back when the handler returns.
func (t *Thread) waitMasked(mask []byte, nr uintptr, a ...uintptr) uint64 {
	if mask == nil {
		return t.wait(nr, a...)
	}
	t.releaseHeld(t.waits)
	r := t.wait(nr, a...)
	if !restarts(r) && r != negative(unix.EINTR) || t.rec.Signal == 0 || t.over() {
		return r
	}
	if t.before(r, t.mask, t.waits) {
		return eearly
	}
	t.saved, t.mask, t.swapped = t.mask, t.waits, true
	return negative(unix.EINTR)
}

// pollNone is no descriptor: poll(2) says so of it.
const pollNone = 1<<31 - 1

// pollSet is the array of n struct pollfd at va for the host. It is another, and
// to be copied back, if there are descriptors in it that the guest has not.
func (t *Thread) pollSet(va, n uint64) (at uintptr, other []byte) {
	if n > 1<<20 {
		return t.pointer(va), nil // the host refuses that
	}
	src := t.p.sp.readable(va, 8*n)
	for i := 0; i < len(src); i += 8 {
		if !proc.IsOwn(int(int32(t.p.abi.Order.Uint32(src[i:])))) {
			continue
		}
		if other == nil {
			other = t.alloc(len(src))
			copy(other, src)
		}
		t.p.abi.Order.PutUint32(other[i:], pollNone)
	}
	if other != nil {
		return ref(other), other
	}
	return t.output(va, 8*n), nil
}

// putPolled tells the guest what has come of other, of pollSet's.
func (t *Thread) putPolled(va uint64, other []byte) unix.Errno {
	if other == nil {
		return 0
	}
	dst := t.p.sp.writable(va, uint64(len(other)))
	if dst == nil {
		return unix.EFAULT
	}
	for i := 6; i < len(other); i += 8 {
		copy(dst[i:i+2], other[i:])
	}
	return 0
}

func sysPoll(t *Thread, a *[6]uint64) uint64 {
	at, other := t.pollSet(a[0], uint64(uint32(a[1])))
	r := t.wait(unix.SYS_POLL, at, uintptr(uint32(a[1])), fd(a[2]))
	if errno := t.putPolled(a[0], other); errno != 0 {
		return negative(errno)
	}
	return r
}

func (t *Thread) pselect(spec string, a *[6]uint64) uint64 {
	sets, errno := t.fdSets(uint64(uint32(a[0])), a[1], a[2], a[3])
	if errno != 0 {
		return negative(errno)
	}
	ts, errno := t.in(spec, a[4])
	if errno != 0 {
		return negative(errno)
	}
	mask, errno := t.maskAt(a[5])
	if errno != 0 {
		return negative(errno)
	}
	r := t.waitMasked(mask, unix.SYS_PSELECT6, fd(a[0]), ref(sets[0].b), ref(sets[1].b), ref(sets[2].b), ref(ts), t.maskRef(mask))
	if ts != nil && !restarts(r) {
		t.out(spec, a[4], ts)
	}
	if failed(r) {
		return r
	}
	if errno := t.putSets(&sets); errno != 0 {
		return negative(errno)
	}
	return r
}

func (t *Thread) ppoll(spec string, a *[6]uint64) uint64 {
	ts, errno := t.in(spec, a[2])
	if errno != 0 {
		return negative(errno)
	}
	mask, errno := t.waitMask(a[3], a[4])
	if errno != 0 {
		return negative(errno)
	}
	at, other := t.pollSet(a[0], uint64(uint32(a[1])))
	r := t.waitMasked(mask, unix.SYS_PPOLL, at, uintptr(uint32(a[1])), ref(ts), ref(mask), 8)
	if ts != nil && !restarts(r) {
		t.out(spec, a[2], ts)
	}
	if errno := t.putPolled(a[0], other); errno != 0 {
		return negative(errno)
	}
	return r
}

func sysEpollPwait(t *Thread, a *[6]uint64) uint64 {
	mask, errno := t.waitMask(a[4], a[5])
	if errno != 0 {
		return negative(errno)
	}
	return t.waitMasked(mask, unix.SYS_EPOLL_PWAIT, fd(a[0]), t.output(a[1], a[2]*12), fd(a[2]), fd(a[3]), ref(mask), 8)
}

func sysEpollPwait2(t *Thread, a *[6]uint64) uint64 {
	mask, errno := t.waitMask(a[4], a[5])
	if errno != 0 {
		return negative(errno)
	}
	return t.waitMasked(mask, unix.SYS_EPOLL_PWAIT2, fd(a[0]), t.output(a[1], a[2]*12), fd(a[2]), t.pointer(a[3]), ref(mask), 8)
}

// --- futexes

// Operations of futex (linux/futex.h).
const (
	futexWait        = 0
	futexLockPI      = 6
	futexWaitBitset  = 9
	futexWaitRequeue = 11
	futexLockPI2     = 13
	futexCmd         = 0x7f
)

func (t *Thread) futex(spec string, a *[6]uint64) uint64 {
	var timeout uintptr
	switch a[1] & futexCmd {
	case futexWait, futexLockPI, futexWaitBitset, futexWaitRequeue, futexLockPI2:
		ts, errno := t.in(spec, a[3])
		if errno != 0 {
			return negative(errno)
		}
		timeout = ref(ts)
	default:
		timeout = uintptr(a[3]) // a number
	}
	return t.wait(unix.SYS_FUTEX, t.pointer(a[0]), uintptr(a[1]), uintptr(uint32(a[2])), timeout, t.pointer(a[4]), uintptr(uint32(a[5])))
}

// sysFutexWaitv: struct futex_waitv is a value, an address, flags (linux/futex.h).
func sysFutexWaitv(t *Thread, a *[6]uint64) uint64 {
	const size, most = 24, 128
	n := uint64(uint32(a[1]))
	if n == 0 || n > most || a[0] == 0 {
		return negative(unix.EINVAL)
	}
	src := t.p.sp.readable(a[0], n*size)
	if src == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(len(src))
	copy(b, src)
	for e := b; len(e) > 0; e = e[size:] {
		le.PutUint64(e[8:], uint64(t.pointer(le.Uint64(e[8:]))))
	}
	return t.wait(unix.SYS_FUTEX_WAITV, ref(b), uintptr(n), uintptr(uint32(a[2])), t.pointer(a[3]), fd(a[4]))
}
