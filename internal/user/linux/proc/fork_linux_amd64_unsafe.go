//go:build linux && amd64

package proc

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's own flags for threads.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD | unix.CLONE_SETTLS

var forking sync.Mutex

var dents [4096]byte

// Fork forks the process with all its threads; r is the caller's record, if it
// has one. The goroutine must be locked to
// its thread. Flags are those of clone(2) that concern processes, and the
// signal of its end; childTID, if
// it is not 0, is where CLONE_CHILD_SETTID stores. In the child it returns
// pid 0; its other threads go on where they were: it is for the caller to have
// those end that the guest's child has not. Signals other than the internal
// ones are blocked in the child's thread as they were in the caller's.
func Fork(r *Record, flags, childTID uintptr) (pid int, err unix.Errno) {
	forking.Lock()
	defer forking.Unlock()
	if r != nil && r.Over != 0 { // another thread has forked meanwhile, and this is its child
		return 0, unix.EAGAIN
	}
	old := blockEverything()
	x := fork(flags, childTID)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	v, err := result(x)
	return int(v), err
}

func blockEverything() (old uint64) {
	all := ^uint64(0)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old
}

// fork runs while the runtime stands still: no stack may grow, nothing may be
// allocated.
//
//go:nosplit
func fork(flags, childTID uintptr) uintptr {
	s := &state
	if s.held == 0 {
		collect(s)
	}
	pid := raw(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	self := raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	n := s.absent
	if n == 0 {
		if r := stopOthers(pid, self); r != 0 {
			release(s)
			return r
		}
		n = s.stopped
	}
	r := cloneProcess(flags, childTID)
	if r != 0 {
		if s.absent != 0 || !hold(s, self) {
			release(s)
		}
		return r
	}
	s.held, holding.made = 0, false
	*(*uintptr)(pointer2(thisM() + s.procid)) = raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	s.claimed, s.stopped, s.left, s.forward = 0, 0, 0, 0
	m := thisM()
	for _, o := range records { // the others are to see that they are over
		if o.m == m {
			continue
		}
		o.Over, o.Signal = 1, 1
		*(*byte)(pointer2(o.Poll)) = 1
		*(*uint32)(pointer2(o.Attention)) = 1
	}
	theirs.renew()
	storeBarrier(&s.pending, 0)
	s.absent = n
	if !reviveLater() {
		reviveAll()
	}
	return 0
}

// collect has threads that get SIGURG wait, once those of the fork before have
// gone on.
//
//go:nosplit
func collect(s *shared) {
	for {
		n := load32(&s.claimed)
		if load32(&s.left) == n {
			s.stopped, s.left = 0, 0
			storeBarrier(&s.pending, 1)
			if atomic.CompareAndSwapUint32(&s.claimed, n, collecting) {
				return
			}
			s.left = n
		}
		raw(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0)
	}
}

// aWhile is for how long threads are missed by nobody, in nanoseconds.
const aWhile = 5e6

// reviveLater asks for a signal that has the others made anew. Most children of
// forks are over before, or execute another program: they need no threads but
// one, as long as nothing waits for another for long.
//
//go:nosplit
func reviveLater() bool {
	later.made = false
	return later.set(raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0), aWhile)
}

// hold leaves the others stopped where the process has but one thread of the
// guest's, self, until it has not forked for a while: a shell's loop forks
// before, and need not stop them again. The runtime can wait that long if it
// wants one of them.
//
//go:nosplit
func hold(s *shared, self uintptr) bool {
	m := thisM()
	if len(records) != 1 || records[0].m != m || !holding.set(self, aWhile) {
		return false
	}
	s.holder, s.held = m, 1
	return true
}

// letGo ends hold. All signals are blocked.
//
//go:nosplit
func letGo() {
	if state.held != 0 {
		holding.set(0, 0)
		release(&state)
	}
}

// alarm is a timer that sends a thread SIGURG (timer_create(2)).
type alarm struct {
	event struct {
		value              uint64
		signo, notify, tid uint32
		_                  [11]uint32
	}
	made  bool
	timer int32
	spec  unix.ItimerSpec
}

const sigevThreadID = 4

// set has it do so in ns nanoseconds, 0 = never; tid matters the first time.
//
//go:nosplit
func (a *alarm) set(tid, ns uintptr) bool {
	if !a.made {
		e := &a.event
		e.value = state.alarm
		e.signo, e.notify, e.tid = uint32(unix.SIGURG), sigevThreadID, uint32(tid)
		if raw(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(e)), uintptr(unsafe.Pointer(&a.timer)), 0, 0, 0) != 0 {
			return false
		}
		a.made = true
	}
	a.spec.Value.Nsec = int64(ns)
	return raw(unix.SYS_TIMER_SETTIME, uintptr(a.timer), 0, uintptr(unsafe.Pointer(&a.spec)), 0, 0, 0) == 0
}

var later, holding alarm

// reviveAll makes the threads anew that the fork has stopped. All signals are
// blocked. It also runs in a handler.
//
//go:nosplit
func reviveAll() {
	n := state.absent
	state.absent = 0
	for i := uint32(0); i < n; i++ {
		p := &parking[i&(maxParked-1)]
		leaveWindow(p)
		revive(p, threadFlags)
	}
	raw(unix.SYS_TIMER_DELETE, uintptr(later.timer), 0, 0, 0, 0, 0)
}

// Whole has all threads run that a fork has left stopped, or of which its child
// has put off to make them anew.
func Whole() {
	if load32(&state.absent) == 0 && load32(&state.held) == 0 {
		return
	}
	old := blockEverything()
	letGo()
	if state.absent != 0 {
		reviveAll()
	}
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
}

// leaveWindow makes a thread that waits in a guest's system call, or is about to
// begin one, end it: the child has no use for what it does. A signal that it was
// taking is the parent's.
//
//go:nosplit
func leaveWindow(p *parked) {
	const regRSP, regRIP = 160, 168 // in struct ucontext
	context := p.dx
	for {
		rip := (*uintptr)(pointer2(context + regRIP))
		switch {
		case *rip-state.window < state.windowSize, *rip-state.direct < state.directSize:
			*rip = bailAddress()
		case *rip-state.raw < state.rawSize:
			*rip = rawBailAddress()
		case *rip-state.guest < state.guestSize:
			*rip = noSignalAddress()
			// It uses no stack: behind the address it returns to is what it has interrupted.
			context = *(*uintptr)(pointer2(context + regRSP)) + 8
			continue
		}
		return
	}
}

func bailAddress() uintptr
func rawBailAddress() uintptr
func noSignalAddress() uintptr

//go:nosplit
func pointer2(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

//go:nosplit
func release(s *shared) {
	s.held = 0
	atomic.AndUint32(&s.claimed, places)
	storeBarrier(&s.pending, 0)
	const wakePrivate = 129
	raw(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.pending)), wakePrivate, 1<<30, 0, 0, 0)
}

// stopOthers has all threads but self wait. It returns an error as the kernel
// does.
//
//go:nosplit
func stopOthers(pid, self uintptr) uintptr {
	const patience = 16 // rounds of 4 ms
	tries := 0
	for round := 0; ; round++ {
		if round == patience {
			// A thread that begins or ends blocks all signals. It may want a lock of the
			// runtime's that one which has stopped holds.
			release(&state)
			raw(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&moment)), 0, 0, 0, 0, 0)
			collect(&state)
			round = 0
		}
		fd := files.open(&taskDir[0], unix.O_RDONLY|unix.O_DIRECTORY)
		if fd > ^uintptr(4095) {
			return fd
		}
		others, found := uint32(0), false
		for {
			n := raw(unix.SYS_GETDENTS64, fd, uintptr(unsafe.Pointer(&dents)), uintptr(len(dents)), 0, 0, 0)
			if n == 0 || n > ^uintptr(4095) {
				break
			}
			for at := uintptr(unsafe.Pointer(&dents)); at < uintptr(unsafe.Pointer(&dents))+n; {
				tid, size, _ := numbered(at)
				if size == 0 {
					break
				}
				if tid != 0 && files.foreign {
					tid = files.thread(fd, at+19)
				}
				at += size
				if tid == 0 || tid == self {
					found = found || tid == self
					continue
				}
				others++
				if !isStopped(tid) && round == 0 {
					raw(unix.SYS_TGKILL, pid, tid, uintptr(unix.SIGURG), 0, 0, 0)
				}
			}
		}
		raw(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
		if !found { // this is another name space than the one that it shows
			if tries++; tries > 2 {
				return ^uintptr(unix.EAGAIN - 1)
			}
			files.foreign = !files.mount()
			round = -1
			continue
		}
		if others >= maxParked {
			return ^uintptr(unix.EAGAIN - 1)
		}
		if load32(&state.stopped) >= others {
			return 0
		}
		for range 4 { // and look again: there may be new ones
			have := load32(&state.stopped)
			if have >= others {
				break
			}
			raw(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&state.stopped)), futexWaitPrivate, uintptr(have), uintptr(unsafe.Pointer(&moment)), 0, 0)
		}
	}
}

const futexWaitPrivate = 128

// moment is how long stopOthers waits until it looks again.
var moment = unix.Timespec{Nsec: 1e6}

//go:nosplit
func isStopped(tid uintptr) bool {
	n := load32(&state.stopped)
	for i := uint32(0); i < n; i++ {
		if parking[i&(maxParked-1)].tid == tid {
			return true
		}
	}
	return false
}

func storeBarrier(p *uint32, v uint32)
func load32(p *uint32) uint32
