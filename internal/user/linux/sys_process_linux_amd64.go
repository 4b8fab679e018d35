package linux

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// processCalls are those that concern processes and threads.
func processCalls() map[string]handler {
	return map[string]handler{
		"exit":       sysExit,
		"exit_group": func(t *Thread, a *[6]uint64) uint64 { return t.exitGroup(int(int32(a[0]))) },
		"fork":       func(t *Thread, a *[6]uint64) uint64 { return t.fork(cloneArgs{flags: uint64(unix.SIGCHLD)}) },
		"vfork": func(t *Thread, a *[6]uint64) uint64 {
			return t.fork(cloneArgs{flags: unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)})
		},
		"clone": func(t *Thread, a *[6]uint64) uint64 { // i386's order of arguments
			return t.clone(cloneArgs{flags: a[0], stack: a[1], parentTID: a[2], tls: a[3], childTID: a[4], pidfd: a[2]})
		},
		"clone_tls_last": func(t *Thread, a *[6]uint64) uint64 {
			return t.clone(cloneArgs{flags: a[0], stack: a[1], parentTID: a[2], childTID: a[3], tls: a[4], pidfd: a[2]})
		},
		"clone3":     sysClone3,
		"arch_prctl": sysArchPrctl,
		"execve":     func(t *Thread, a *[6]uint64) uint64 { return t.execve(a[0], a[1], a[2]) },
		"execveat": func(t *Thread, a *[6]uint64) uint64 {
			return t.execveat(a[0], a[1], a[2], a[3], a[4])
		},
		"waitpid":         func(t *Thread, a *[6]uint64) uint64 { return t.wait4(a[0], a[1], a[2], 0) },
		"wait4":           func(t *Thread, a *[6]uint64) uint64 { return t.wait4(a[0], a[1], a[2], a[3]) },
		"waitid":          sysWaitid,
		"gettid":          func(t *Thread, a *[6]uint64) uint64 { return uint64(t.tid) },
		"set_tid_address": func(t *Thread, a *[6]uint64) uint64 { t.clearTID = a[0]; return uint64(t.tid) },
		"set_robust_list": func(t *Thread, a *[6]uint64) uint64 {
			if a[1] != uint64(3*t.p.abi.Long) {
				return negative(unix.EINVAL)
			}
			t.robust = a[0]
			return 0
		},
		"get_robust_list": func(t *Thread, a *[6]uint64) uint64 {
			o := t
			if a[0] != 0 && int(a[0]) != t.tid {
				t.p.mu.Lock()
				o = t.p.threads[int(a[0])]
				t.p.mu.Unlock()
				if o == nil { // what the host has for a process of another's
					b := t.alloc(16)
					if r := t.raw(unix.SYS_GET_ROBUST_LIST, fd(a[0]), ref(b), ref(b[8:])); failed(r) {
						return r
					}
					o = &Thread{}
				}
			}
			e1, e2 := t.putWord(a[1], o.robust), t.putWord(a[2], uint64(3*t.p.abi.Long))
			if e1|e2 != 0 {
				return negative(unix.EFAULT)
			}
			return 0
		},
		"set_thread_area": sysSetThreadArea,
		"get_thread_area": sysGetThreadArea,
		"modify_ldt":      sysModifyLDT,
		"nice":            sysNice,
		"kcmp": func(t *Thread, a *[6]uint64) uint64 {
			const epollTFD = 7 // KCMP_EPOLL_TFD: the second is a structure
			two := uintptr(a[4])
			if a[2] == epollTFD {
				two = t.pointer(a[4])
			}
			return t.raw(unix.SYS_KCMP, fd(a[0]), fd(a[1]), fd(a[2]), uintptr(a[3]), two)
		},
		"sched_getaffinity": func(t *Thread, a *[6]uint64) uint64 {
			n := (min(a[1], 4096) + 7) &^ 7
			b := t.alloc(int(n))
			r := t.raw(unix.SYS_SCHED_GETAFFINITY, fd(a[0]), uintptr(n), ref(b))
			if failed(r) {
				return r
			}
			r = min(r, a[1])
			dst := t.p.sp.writable(a[2], r)
			if dst == nil {
				return negative(unix.EFAULT)
			}
			t.swapWords(dst, b[:r])
			return r
		},
		"sched_setaffinity": func(t *Thread, a *[6]uint64) uint64 {
			n := min(a[1], 4096)
			src := t.p.sp.readable(a[2], n)
			if src == nil {
				return negative(unix.EFAULT)
			}
			b := t.alloc(int(n+7) &^ 7)
			t.swapWords(b, src)
			return t.raw(unix.SYS_SCHED_SETAFFINITY, fd(a[0]), uintptr(len(b)), ref(b))
		},
	}
}

// cloneArgs are clone's, wherever an ABI has them.
type cloneArgs struct {
	flags, stack, parentTID, tls, childTID, pidfd uint64
}

func (t *Thread) clone(c cloneArgs) uint64 {
	if !c.sound() {
		return negative(unix.EINVAL)
	}
	if c.flags&unix.CLONE_THREAD != 0 {
		return t.startThread(c)
	}
	if c.flags&(unix.CLONE_VM|unix.CLONE_VFORK|unix.CSIGNAL) == unix.CLONE_VM {
		// It is for work on the parent's memory, which the parent may wait for.
		t.p.cfg.Log.Unimp("clone: a process with its parent's memory that is no thread")
		return negative(unix.ENOSYS)
	}
	return t.fork(c)
}

// sound reports whether the flags may be together (clone(2), EINVAL).
func (c *cloneArgs) sound() bool {
	for _, x := range [...]struct{ one, needs, not uint64 }{
		{unix.CLONE_THREAD, unix.CLONE_SIGHAND, unix.CLONE_NEWUSER | unix.CLONE_NEWPID},
		{unix.CLONE_SIGHAND, unix.CLONE_VM, unix.CLONE_CLEAR_SIGHAND},
		{unix.CLONE_FS, 0, unix.CLONE_NEWNS | unix.CLONE_NEWUSER},
	} {
		if c.flags&x.one != 0 && (c.flags&x.needs != x.needs || c.flags&x.not != 0) {
			return false
		}
	}
	return true
}

func sysClone3(t *Thread, a *[6]uint64) uint64 {
	const least, known, most = 64, 88, page // sizes
	if a[1] < least {
		return negative(unix.EINVAL)
	}
	if a[1] > most {
		return negative(unix.E2BIG)
	}
	b := t.p.sp.readable(a[0], a[1])
	if b == nil {
		return negative(unix.EFAULT)
	}
	for i := known; i < len(b); i++ {
		if b[i] != 0 {
			return negative(unix.E2BIG)
		}
	}
	w := func(i int) uint64 { return t.p.abi.Order.Uint64(b[8*i:]) }
	c := cloneArgs{flags: w(0), pidfd: w(1), childTID: w(2), parentTID: w(3), tls: w(7)}
	if c.flags&(unix.CSIGNAL|unix.CLONE_DETACHED) != 0 || (w(5) == 0) != (w(6) == 0) || w(4) > 64 ||
		c.flags&(unix.CLONE_THREAD|unix.CLONE_PARENT) != 0 && w(4) != 0 {
		return negative(unix.EINVAL)
	}
	if sp := w(5); sp != 0 {
		c.stack = sp + w(6)
	}
	c.flags |= w(4)
	if c.flags&unix.CLONE_INTO_CGROUP != 0 || a[1] >= 80 && w(9) != 0 { // a cgroup, numbers of the child's
		t.p.cfg.Log.Unimp("clone3 with flags %#x, set_tid_size %d", c.flags, w(9))
		return negative(unix.ENOSYS) // libraries have clone for that
	}
	return t.clone(c)
}

// fork is fork, vfork, and clone of a process. The child has a copy of the memory;
// if the parent waits for it, it sees what the child has changed.
func (t *Thread) fork(c cloneArgs) uint64 {
	p := t.p
	const passed = unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUSER | unix.CLONE_PARENT | unix.CLONE_IO | unix.CLONE_NEWCGROUP
	flags := c.flags&passed | c.flags&unix.CSIGNAL
	there := func(flag, va uint64) bool {
		return c.flags&flag == 0 || p.sp.writable(va, 4) != nil && p.sp.backed(va, true)
	}
	if !there(unix.CLONE_PARENT_SETTID, c.parentTID) || !there(unix.CLONE_CHILD_SETTID, c.childTID) || !there(unix.CLONE_PIDFD, c.pidfd) {
		return negative(unix.EFAULT)
	}
	byExec := p.cfg.Fork == ForkExec
	if !byExec {
		t.learn()
	}
	v, errno := t.vfork(c, byExec)
	if errno != 0 {
		return negative(errno)
	}
	defer v.free()
	old := proc.BlockAll()
	if t.rec.Signal != 0 { // it is the parent's alone
		proc.SetMask(old)
		return eearly
	}
	copies := p.sp.copies()
	if p.debug != nil {
		p.debug.mu.Lock()
	}
	var pid int
	if byExec {
		pid, errno = t.forkExec(c, v, flags)
	} else {
		pid, errno = proc.Fork(t.rec, uintptr(flags), 0)
	}
	if p.debug != nil {
		p.debug.mu.Unlock()
	}
	if errno != 0 {
		proc.SetMask(old)
		return negative(errno)
	}
	if pid != 0 {
		if c.flags&unix.CLONE_PARENT_SETTID != 0 {
			t.put32(c.parentTID, uint32(pid))
		}
		if c.flags&unix.CLONE_PIDFD != 0 {
			if f := t.raw(unix.SYS_PIDFD_OPEN, uintptr(pid), 0); !failed(f) {
				t.put32(c.pidfd, uint32(f))
			}
		}
		t.waitFor(v, c, pid)
		proc.SetMask(old)
		return uint64(pid)
	}
	// The child: all other threads see that they are over.
	t.rec.Only()
	t.tid = t.rec.TID()
	p.mu.Lock()
	t.epoch = p.epoch.Add(1)
	p.threads = map[int]*Thread{t.tid: t}
	p.idle = nil
	p.mu.Unlock()
	p.sp.mu.Lock()
	p.cpus = []processor{t.cpu}
	p.sp.mu.Unlock()
	if d := p.debug; d != nil {
		p.debug = nil
		d.child(t)
	}
	t.teach()
	p.sp.ownMemory(copies)
	x := t.childOf(c, v)
	proc.SetMask(old)
	return x
}

// childOf does what clone does in the child. V is what it shares with its parent, nil =
// nothing.
func (t *Thread) childOf(c cloneArgs, v *vfork) uint64 {
	t.clearTID, t.robust = 0, 0
	t.held.set.Store(0)
	t.p.held.set.Store(0)
	t.p.sp.lockNew = false
	if c.flags&unix.CLONE_CLEAR_SIGHAND != 0 {
		for sig := 1; sig <= 64; sig++ {
			if old, _ := t.p.setAction(sig, nil); old.handler != sigDfl && old.handler != sigIgn {
				t.p.setAction(sig, &action{})
			}
		}
	}
	if c.flags&unix.CLONE_VM != 0 && c.flags&unix.CLONE_PARENT_SETTID != 0 { // the memory is said to be one
		t.put32(c.parentTID, uint32(t.tid))
	}
	if v != nil {
		v.begin()
		if v.most > 0 {
			t.p.sp.shareBack(v)
		}
	}
	if c.flags&unix.CLONE_CHILD_SETTID != 0 {
		t.put32(c.childTID, uint32(t.tid))
	}
	if c.flags&unix.CLONE_CHILD_CLEARTID != 0 {
		t.clearTID = c.childTID
	}
	if c.stack != 0 {
		t.cpu.setSP(c.stack)
	}
	if c.flags&unix.CLONE_SETTLS != 0 {
		if errno := t.cpu.setTLS(t, c.tls); errno != 0 {
			return negative(errno)
		}
	}
	return 0
}

// startThread is clone of a thread.
func (t *Thread) startThread(c cloneArgs) uint64 {
	p := t.p
	proc.Whole()
	cpu, err := p.newCPU()
	if err != nil {
		return negative(unix.EAGAIN)
	}
	cpu.copyFrom(t.cpu)
	if !p.flat.Shared.Swap(true) {
		p.sp.mu.Lock()
		p.sp.remapped(false)
		p.sp.mu.Unlock()
	}
	n := &Thread{p: p, cpu: cpu, mask: t.mask, altFlags: ssDisable, epoch: t.epoch}
	cpu.setResult(0)
	if c.stack != 0 {
		cpu.setSP(c.stack)
	}
	if c.flags&unix.CLONE_SETTLS != 0 {
		if errno := cpu.setTLS(t, c.tls); errno != 0 {
			return negative(errno)
		}
	}
	if c.flags&unix.CLONE_CHILD_CLEARTID != 0 {
		n.clearTID = c.childTID
	}
	p.moreProcessors()
	has := t.attributes()
	// The new thread begins with all blocked: no signal is to find it half made.
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the host's thread ends with the guest's
		proc.BlockAll()
		panicOnFault()
		err := n.enter()
		if err == nil {
			n.take(has)
			n.touches(func() {
				if c.flags&unix.CLONE_PARENT_SETTID != 0 {
					n.put32(c.parentTID, uint32(n.tid))
				}
				if c.flags&unix.CLONE_CHILD_SETTID != 0 {
					n.put32(c.childTID, uint32(n.tid))
				}
			})
		}
		ready <- err
		if err != nil {
			return
		}
		n.applyMask()
		n.run()
	}()
	if err := <-ready; err != nil {
		return negative(unix.EAGAIN)
	}
	return uint64(n.tid)
}

// moreProcessors lets the runtime run as many goroutines as there are threads:
// each of them may run machine code for long.
func (p *Process) moreProcessors() {
	p.mu.Lock()
	want := len(p.threads) + 3
	p.mu.Unlock()
	if have := runtime.GOMAXPROCS(0); want > have && have < 256 {
		runtime.GOMAXPROCS(min(256, max(want, 2*have)))
	}
}

// sysExit ends the thread, and with the last one the process.
func sysExit(t *Thread, a *[6]uint64) uint64 {
	p := t.p
	proc.BlockAll()
	t.touches(t.leaveRobust)
	if t.clearTID != 0 {
		t.touches(func() { t.put32(t.clearTID, 0) })
		t.raw(unix.SYS_FUTEX, t.pointer(t.clearTID), 1, 1)
	}
	p.mu.Lock()
	delete(p.threads, t.tid)
	last := len(p.threads) == 0
	p.mu.Unlock()
	if last {
		return t.exitGroup(int(int32(a[0])))
	}
	if v := p.sp.vfork; v != nil && t.tid == unix.Getpid() {
		v.end() // the host's thread may stay
	}
	t.rec.Leave()
	t.cpu.vcpu().SetInterrupted(nil)
	p.mu.Lock()
	p.idle = append(p.idle, t.cpu)
	p.mu.Unlock()
	t.ended = true
	return 0
}

// leaveRobust marks the futexes that the thread holds as without an owner
// (linux/futex.h; Documentation/locking/robust-futexes).
func (t *Thread) leaveRobust() {
	if t.robust == 0 {
		return
	}
	long := uint64(t.p.abi.Long)
	off, e1 := t.getWord(t.robust + long)
	pending, e2 := t.getWord(t.robust + 2*long)
	next, e3 := t.getWord(t.robust)
	if e1|e2|e3 != 0 {
		return
	}
	handle := func(entry uint64) {
		va := entry&^1 + off
		if t.p.abi.Long == 4 {
			va &= 0xffffffff
		}
		const waiters, ownerDied, tidMask = 1 << 31, 1 << 30, 1<<30 - 1
		v, errno := t.get32(va)
		if errno != 0 || v&tidMask != uint32(t.tid) {
			return
		}
		if t.put32(va, v&waiters|ownerDied) == 0 && v&waiters != 0 {
			t.raw(unix.SYS_FUTEX, t.pointer(va), 1, 1)
		}
	}
	for n := 0; next != t.robust && n < 2048; n++ {
		entry := next
		var errno unix.Errno
		if next, errno = t.getWord(entry &^ 1); errno != 0 {
			break
		}
		if entry != pending {
			handle(entry)
		}
	}
	if pending != 0 {
		handle(pending)
	}
}

// stringList reads an array of strings.
func (t *Thread) stringList(va uint64) ([]string, unix.Errno) {
	var list []string
	if va == 0 {
		return nil, 0
	}
	for total := 0; ; va += uint64(t.p.abi.Long) {
		p, errno := t.getWord(va)
		if errno != 0 || p == 0 {
			return list, errno
		}
		s, errno := t.p.sp.text(p)
		if errno != 0 {
			return nil, errno
		}
		if total += len(s) + 1; total > 8<<20 {
			return nil, unix.E2BIG
		}
		list = append(list, s)
	}
}

func (t *Thread) execveat(dir, path, argv, envp, flags uint64) uint64 {
	name, errno := t.p.sp.text(path)
	if errno != 0 {
		return negative(errno)
	}
	switch f := int(int32(dir)); {
	case name == "" && flags&unix.AT_EMPTY_PATH != 0:
		name = fmt.Sprintf("/proc/self/fd/%d", f)
	case !strings.HasPrefix(name, "/") && f != unix.AT_FDCWD:
		name = fmt.Sprintf("/proc/self/fd/%d/%s", f, name)
	}
	return t.exec(name, argv, envp)
}

func (t *Thread) execve(path, argv, envp uint64) uint64 {
	name, errno := t.p.sp.text(path)
	if errno != 0 {
		return negative(errno)
	}
	return t.exec(name, argv, envp)
}

// exec replaces the process by another program: one of the guest's is run by
// rhea again.
func (t *Thread) exec(name string, argv, envp uint64) uint64 {
	args, errno := t.stringList(argv)
	if errno != 0 {
		return negative(errno)
	}
	env, errno := t.stringList(envp)
	if errno != 0 {
		return negative(errno)
	}
	if name == "" {
		return negative(unix.ENOENT)
	}
	if what, ok := ownProc(name); ok && what == "exe" {
		name = t.p.exe
	}
	ours, errno := t.p.isGuest(name, 0)
	if errno != 0 {
		return negative(errno)
	}
	dir, path := unix.AT_FDCWD, t.p.inSysroot(name)
	kept := -1
	if ours {
		if kept = t.keepProgram(name); kept >= 0 {
			env = append(env, fmt.Sprintf("%s=%d,%t", KernelVar, kept, false))
			name = fmt.Sprintf("/proc/self/fd/%d", kept)
		}
		if strings.HasPrefix(name, "-") {
			name = "./" + name
		}
		argv0 := name
		if len(args) > 0 {
			argv0 = args[0]
			args = args[1:]
		}
		line := append([]string{}, t.p.cfg.Again...)
		args = append(append(line, "-0", argv0, name), args...)
		dir, path = proc.ProcFile("/proc/self/exe")
		env, _ = HideEnvironment(env)
		if v := t.p.ignored(); v|t.mask != 0 {
			env = append(env, fmt.Sprintf("%s=%x,%x", signalsVar, v, t.mask))
		}
		if v := t.closedStreams(); v != 0 {
			env = append(env, fmt.Sprintf("%s=%d", streamsVar, v))
		}
	}
	// The carrier is not to end the new program before its dispositions are the
	// guest's: one that is pending is lost.
	p := t.p
	p.mu.Lock()
	urg := p.acts[sigURG]
	p.mu.Unlock()
	p.setAction(sigURG, &action{})
	if t.mask&sigbit(sigURG) != 0 {
		set, now := t.alloc(8), t.alloc(16)
		le.PutUint64(set, sigbit(proc.Carrier))
		t.raw(unix.SYS_RT_SIGTIMEDWAIT, ref(set), 0, ref(now), 8)
	}
	t.touches(t.keepCode)
	// Not a thread of the parent's in the child of a fork: hence no plain exec.
	x := uint64(t.rec.Execveat(&[6]uintptr{uintptr(dir), t.cstring(path), ref(t.cstrings(args)), ref(t.cstrings(env))}))
	p.setAction(sigURG, &urg)
	if kept >= 0 {
		t.raw(unix.SYS_CLOSE, uintptr(kept))
	}
	return x
}

// streamsVar tells the program that replaces this one which of the standard streams
// are closed: the runtime opens /dev/null for them.
const streamsVar = ownPrefix + "CLOSED"

// closedStreams are those of descriptors 0 to 2, a bit each, that an execve leaves closed.
func (t *Thread) closedStreams() (set int) {
	for n := range 3 {
		if flags := t.raw(unix.SYS_FCNTL, uintptr(n), unix.F_GETFD); failed(flags) || flags&unix.FD_CLOEXEC != 0 {
			set |= 1 << n
		}
	}
	return set
}

// closeStreams closes again what closedStreams has told.
func closeStreams() {
	set, _ := strconv.Atoi(os.Getenv(streamsVar))
	for n := range 3 {
		if set>>n&1 != 0 {
			unix.Close(n)
		}
	}
}

// keepProgram returns another descriptor of a program that is named by one which the
// execve closes (fexecve(3)); -1 = it is not.
func (t *Thread) keepProgram(name string) int {
	what, _ := ownProc(name)
	number, ok := strings.CutPrefix(what, "fd/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || proc.IsOwn(n) {
		return -1
	}
	if flags := t.raw(unix.SYS_FCNTL, uintptr(n), unix.F_GETFD); failed(flags) || flags&unix.FD_CLOEXEC == 0 {
		return -1
	}
	cwd := unix.AT_FDCWD
	kept := t.raw(unix.SYS_OPENAT, uintptr(cwd), t.cstring(name), unix.O_RDONLY) // a duplicate of one with O_PATH could not be read
	if failed(kept) {
		return -1
	}
	return int(kept)
}

// cstrings is an array of strings as C has it, for the length of the system call.
func (t *Thread) cstrings(list []string) []byte {
	b := t.alloc(8 * (len(list) + 1))
	for i, s := range list {
		le.PutUint64(b[8*i:], uint64(t.cstring(s)))
	}
	return b
}

// exitGroup ends the process, unless this is the child of a fork which the
// thread is not in.
func (t *Thread) exitGroup(status int) uint64 {
	if d := t.p.debug; d != nil {
		d.end(Stop{Ended: true, Status: status & 0xff})
	}
	t.touches(t.keepCode)
	for !t.over() {
		t.rec.Signal = 0
		t.wait(unix.SYS_EXIT_GROUP, uintptr(status))
	}
	return 0
}

// ignored are the signals that the program which follows is to ignore, though
// its runtime would not know.
func (p *Process) ignored() (m uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for sig := range p.acts {
		if sig > 0 && p.acts[sig].handler == sigIgn {
			m |= sigbit(sig)
		}
	}
	return m &^ (sigbit(int(unix.SIGHUP)) | sigbit(int(unix.SIGINT)))
}

// isGuest reports whether a file is a program of the guest's, or a script whose
// interpreter is.
func (p *Process) isGuest(name string, depth int) (bool, unix.Errno) {
	path := p.inSysroot(name)
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, 0); err != nil {
		return false, err.(unix.Errno)
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, unix.EACCES
	}
	f, err := openFile(path)
	if err != nil { // may be executed and not read: the host knows
		return false, 0
	}
	defer f.close()
	if interp, _, ok := script(f); ok {
		if depth > 4 {
			return false, unix.ELOOP
		}
		return p.isGuest(interp, depth+1)
	}
	im, err := readImage(f)
	if err != nil {
		return false, unix.ENOEXEC
	}
	return im.fits(p.abi) == nil, 0
}

func (t *Thread) wait4(pid, status, options, usage uint64) uint64 {
	var b []byte
	if usage != 0 {
		b = t.room("rusage")
	}
	r := t.wait(unix.SYS_WAIT4, fd(pid), t.output(status, 4), uintptr(options), ref(b))
	return t.outIf(r, "rusage", usage, b)
}

func sysWaitid(t *Thread, a *[6]uint64) uint64 {
	var b []byte
	if a[4] != 0 {
		b = t.room("rusage")
	}
	info := t.alloc(128)
	r := t.wait(unix.SYS_WAITID, uintptr(a[0]), fd(a[1]), ref(info), uintptr(a[3]), ref(b))
	if failed(r) {
		return r
	}
	if errno := t.outInfo(a[2], info); errno != 0 {
		return negative(errno)
	}
	return t.outIf(r, "rusage", a[4], b)
}

func sysNice(t *Thread, a *[6]uint64) uint64 {
	r := t.raw(unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0)
	if failed(r) {
		return r
	}
	return t.raw(unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(20-int64(r)+int64(int32(a[0]))))
}

// --- threads' segments, struct user_desc (asm/ldt.h): entry, base, limit, flags

func (t *Thread) userDesc(va uint64) (w [4]uint32, errno unix.Errno) {
	b := t.p.sp.readable(va, 16)
	if b == nil {
		return w, unix.EFAULT
	}
	for i := range w {
		w[i] = le.Uint32(b[4*i:])
	}
	return w, 0
}

func sysSetThreadArea(t *Thread, a *[6]uint64) uint64 {
	w, errno := t.userDesc(a[0])
	if errno != 0 {
		return negative(errno)
	}
	c, ok := t.cpu.(*i386CPU)
	if !ok {
		return negative(unix.ENOSYS)
	}
	n, errno := c.setThreadArea(int(int32(w[0])), w[1], w[2], w[3])
	if errno != 0 {
		return negative(errno)
	}
	return negative(t.put32(a[0], uint32(n)))
}

func sysGetThreadArea(t *Thread, a *[6]uint64) uint64 {
	w, errno := t.userDesc(a[0])
	if errno != 0 {
		return negative(errno)
	}
	c, ok := t.cpu.(*i386CPU)
	if !ok {
		return negative(unix.ENOSYS)
	}
	d, errno := c.threadArea(int(int32(w[0])))
	if errno != 0 {
		return negative(errno)
	}
	b := t.p.sp.writable(a[0], 16)
	if b == nil {
		return negative(unix.EFAULT)
	}
	putUserDesc(b, w[0], d)
	return 0
}

func putUserDesc(b []byte, entry uint32, d uint64) {
	lo, hi := uint32(d), uint32(d>>32)
	le.PutUint32(b, entry)
	le.PutUint32(b[4:], lo>>16|hi&0xff<<16|hi&0xff000000)
	le.PutUint32(b[8:], lo&0xffff|hi&0xf0000)
	flags := hi>>22&1 | hi>>10&3<<1 | (hi>>9&1^1)<<3 | hi>>23&1<<4 | (hi>>15&1^1)<<5 | hi>>20&1<<6
	le.PutUint32(b[12:], flags)
}

func sysModifyLDT(t *Thread, a *[6]uint64) uint64 {
	p := t.p
	own, ok := t.cpu.(*i386CPU)
	if !ok {
		return negative(unix.ENOSYS)
	}
	const read, writeOld, write = 0, 1, 0x11
	switch a[0] {
	case read:
		n := min(a[2], uint64(len(own.ldt())))
		if p.ldtSize == 0 {
			n = 0
		}
		dst := p.sp.writable(a[1], n)
		if dst == nil {
			return negative(unix.EFAULT)
		}
		copy(dst, own.ldt())
		return n
	case writeOld, write:
		if a[2] != 16 {
			return negative(unix.EINVAL)
		}
		w, errno := t.userDesc(a[1])
		if errno != 0 {
			return negative(errno)
		}
		const notPresent = 1 << 5
		contents := w[3] >> 1 & 3 // 3: a conforming segment of code
		if w[0] >= 8192 || contents == 3 && (a[0] == writeOld || w[3]&notPresent == 0) {
			return negative(unix.EINVAL)
		}
		d := descriptorOf(w[1], w[2], w[3])
		p.sp.mu.Lock()
		defer p.sp.mu.Unlock()
		for _, c := range p.cpus {
			le.PutUint64(c.(*i386CPU).ldt()[8*w[0]:], d)
		}
		p.ldtSize = max(p.ldtSize, int(w[0])+1)
		return 0
	}
	return negative(unix.ENOSYS)
}
