//go:build linux && amd64

package proc

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's own flags for threads.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD | unix.CLONE_SETTLS

var forking sync.Mutex

var taskDir = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 't', 'a', 's', 'k', 0}

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
	for s.left != s.claimed { // of the fork before
		raw(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0)
	}
	s.claimed, s.stopped, s.left = 0, 0, 0
	storeBarrier(&s.pending, 1)
	pid := raw(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	self := raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	if r := stopOthers(pid, self); r != 0 {
		release(s)
		return r
	}
	n := s.stopped
	r := cloneProcess(flags, childTID)
	if r != 0 {
		release(s)
		return r
	}
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
	for i := uint32(0); i < n; i++ {
		p := &parking[i&(maxParked-1)]
		leaveWindow(p)
		revive(p, threadFlags)
	}
	return 0
}

// leaveWindow makes a thread that waits in a guest's system call, or is about to
// begin one, end it: the child has no use for what it does.
//
//go:nosplit
func leaveWindow(p *parked) {
	rip := (*uintptr)(pointer2(p.dx + 168))
	switch {
	case *rip-state.window < state.windowSize:
		*rip = bailAddress()
	case *rip-state.direct < state.directSize:
		*rip = directBailAddress()
	}
}

func bailAddress() uintptr
func directBailAddress() uintptr

//go:nosplit
func pointer2(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

//go:nosplit
func release(s *shared) {
	storeBarrier(&s.pending, 0)
	const wakePrivate = 129
	raw(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.pending)), wakePrivate, 1<<30, 0, 0, 0)
}

// stopOthers has all threads but self wait. It returns an error as the kernel
// does.
//
//go:nosplit
func stopOthers(pid, self uintptr) uintptr {
	for round := 0; ; round++ {
		fd := raw(unix.SYS_OPEN, uintptr(unsafe.Pointer(&taskDir)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0, 0, 0)
		if fd > ^uintptr(4095) {
			return fd
		}
		others := uint32(0)
		for {
			n := raw(unix.SYS_GETDENTS64, fd, uintptr(unsafe.Pointer(&dents)), uintptr(len(dents)), 0, 0, 0)
			if n == 0 || n > ^uintptr(4095) {
				break
			}
			for at := uintptr(0); at < n; {
				e := pointer2(uintptr(unsafe.Pointer(&dents)) + at)
				size := uintptr(*(*uint16)(pointer2(uintptr(e) + 16)))
				if size == 0 {
					break
				}
				tid := uintptr(0)
				for name := uintptr(e) + 19; ; name++ {
					d := *(*byte)(pointer2(name)) - '0'
					if d > 9 {
						break
					}
					tid = tid*10 + uintptr(d)
				}
				at += size
				if tid == 0 || tid == self {
					continue
				}
				others++
				if !isStopped(tid) && round&15 == 0 {
					raw(unix.SYS_TGKILL, pid, tid, uintptr(unix.SIGURG), 0, 0, 0)
				}
			}
		}
		raw(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
		if others >= maxParked {
			return ^uintptr(unix.EAGAIN - 1)
		}
		if load32(&state.stopped) >= others {
			return 0
		}
		for spin := 0; spin < 64 && load32(&state.stopped) < others; spin++ {
			raw(unix.SYS_SCHED_YIELD, 0, 0, 0, 0, 0, 0)
		}
	}
}

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
