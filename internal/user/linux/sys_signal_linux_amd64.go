package linux

import (
	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// signalCalls are those that concern signals.
func signalCalls() map[string]handler {
	return map[string]handler{
		"rt_sigaction":           sysRtSigaction,
		"sigaction":              sysSigaction,
		"signal":                 sysSignal,
		"rt_sigprocmask":         sysRtSigprocmask,
		"sigprocmask":            sysSigprocmask,
		"sgetmask":               func(t *Thread, a *[6]uint64) uint64 { return t.mask & 0xffffffff },
		"ssetmask":               sysSsetmask,
		"rt_sigpending":          func(t *Thread, a *[6]uint64) uint64 { return t.pending(a[0], a[1]) },
		"sigpending":             func(t *Thread, a *[6]uint64) uint64 { return t.pending(a[0], uint64(t.p.abi.Long)) },
		"rt_sigsuspend":          sysRtSigsuspend,
		"sigsuspend":             func(t *Thread, a *[6]uint64) uint64 { return t.suspend(t.mask&^0xffffffff | a[2]&0xffffffff) },
		"rt_sigtimedwait":        func(t *Thread, a *[6]uint64) uint64 { return t.sigtimedwait("timespec", a) },
		"rt_sigtimedwait_time64": func(t *Thread, a *[6]uint64) uint64 { return t.sigtimedwait("timespec64", a) },
		"rt_sigqueueinfo": func(t *Thread, a *[6]uint64) uint64 {
			return t.queue(unix.SYS_RT_SIGQUEUEINFO, a[1], a[2], fd(a[0]))
		},
		"rt_tgsigqueueinfo": func(t *Thread, a *[6]uint64) uint64 {
			if t.p.isOurs(fd(a[1])) {
				return negative(unix.ESRCH)
			}
			return t.queue(unix.SYS_RT_TGSIGQUEUEINFO, a[2], a[3], fd(a[0]), fd(a[1]))
		},
		"sigaltstack": sysSigaltstack,
		"sigreturn":   func(t *Thread, a *[6]uint64) uint64 { return t.sigreturn(false) },
		"rt_sigreturn": func(t *Thread, a *[6]uint64) uint64 {
			return t.sigreturn(true)
		},
		"tkill":             func(t *Thread, a *[6]uint64) uint64 { return t.tgkill(unix.SYS_TKILL, a[1], fd(a[0])) },
		"tgkill":            func(t *Thread, a *[6]uint64) uint64 { return t.tgkill(unix.SYS_TGKILL, a[2], fd(a[0]), fd(a[1])) },
		"pidfd_send_signal": sysPidfdSendSignal,
		"signalfd": func(t *Thread, a *[6]uint64) uint64 {
			return t.signalfd(a[0], a[1], a[2], 0)
		},
		"signalfd4":       func(t *Thread, a *[6]uint64) uint64 { return t.signalfd(a[0], a[1], a[2], a[3]) },
		"restart_syscall": func(t *Thread, a *[6]uint64) uint64 { return negative(unix.EINTR) },
	}
}

// isOurs reports whether a thread of the process is none of the guest's.
func (p *Process) isOurs(tid uintptr) bool {
	if !p.hides('t', int(tid)) {
		return false
	}
	_, errno := proc.Raw(unix.SYS_TGKILL, uintptr(unix.Getpid()), tid, 0)
	return errno == 0
}

// tgkill sends a signal to the thread that is the last of who. SIGURG to one of
// the process' would look like the runtime's.
func (t *Thread) tgkill(nr uintptr, sig uint64, who ...uintptr) uint64 {
	if t.p.isOurs(who[len(who)-1]) {
		return negative(unix.ESRCH)
	}
	if int32(sig) == int32(sigURG) {
		pid := uintptr(unix.Getpid())
		info := newInfo(sigURG, siTkill)
		le.PutUint32(info[16:], uint32(pid))
		le.PutUint32(info[20:], uint32(unix.Getuid()))
		if nr == unix.SYS_TKILL || who[0] == pid {
			if r := t.sendCarried(info, unix.SYS_RT_TGSIGQUEUEINFO, pid, who[len(who)-1]); r != negative(unix.ESRCH) {
				return r
			}
		}
	}
	return t.wait(nr, append(who, fd(sig))...)
}

// sendCarried sends SIGURG within the process.
func (t *Thread) sendCarried(info *siginfo, nr uintptr, who ...uintptr) uint64 {
	info.carry()
	b := t.alloc(128)
	copy(b, info[:])
	return t.wait(nr, append(who, uintptr(proc.Carrier), ref(b))...)
}

// getMask reads a set of signals of n bytes.
func (t *Thread) getMask(va, n uint64) (uint64, unix.Errno) {
	b := t.p.sp.readable(va, n)
	if b == nil {
		return 0, unix.EFAULT
	}
	o := t.p.abi.Order
	switch {
	case n == 4:
		return uint64(o.Uint32(b)), 0
	case t.p.abi.Long == 4: // two longs, the lower signals first
		return uint64(o.Uint32(b)) | uint64(o.Uint32(b[4:]))<<32, 0
	}
	return o.Uint64(b), 0
}

func (t *Thread) putMask(va, n, m uint64) unix.Errno {
	b := t.p.sp.writable(va, n)
	if b == nil {
		return unix.EFAULT
	}
	o := t.p.abi.Order
	switch {
	case n == 4:
		o.PutUint32(b, uint32(m))
	case t.p.abi.Long == 4:
		o.PutUint32(b, uint32(m))
		o.PutUint32(b[4:], uint32(m>>32))
	default:
		o.PutUint64(b, m)
	}
	return 0
}

// setAction changes what is done with a signal and returns what was.
func (p *Process) setAction(sig int, act *action) (action, unix.Errno) {
	if sig < 1 || sig > 64 || act != nil && unblockable&sigbit(sig) != 0 {
		return action{}, unix.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.acts[sig]
	if act == nil {
		return old, 0
	}
	act.mask &^= unblockable
	p.acts[sig] = *act
	p.dispose(sig)
	return old, 0
}

// sysRtSigaction: handler, flags, restorer, mask (i386's order).
func sysRtSigaction(t *Thread, a *[6]uint64) uint64 {
	if a[3] != 8 {
		return negative(unix.EINVAL)
	}
	long := uint64(t.p.abi.Long)
	var act *action
	if a[1] != 0 {
		var w [3]uint64
		for i := range w {
			v, errno := t.getWord(a[1] + uint64(i)*long)
			if errno != 0 {
				return negative(errno)
			}
			w[i] = v
		}
		m, errno := t.getMask(a[1]+3*long, 8)
		if errno != 0 {
			return negative(errno)
		}
		act = &action{handler: w[0], flags: uint32(w[1]), restorer: w[2], mask: m}
	}
	old, errno := t.p.setAction(int(int32(a[0])), act)
	if errno != 0 || a[2] == 0 {
		return negative(errno)
	}
	for i, v := range [3]uint64{old.handler, uint64(old.flags), old.restorer} {
		if errno := t.putWord(a[2]+uint64(i)*long, v); errno != 0 {
			return negative(errno)
		}
	}
	return negative(t.putMask(a[2]+3*long, 8, old.mask))
}

// sysSigaction: handler, mask of a long, flags, restorer.
func sysSigaction(t *Thread, a *[6]uint64) uint64 {
	long := uint64(t.p.abi.Long)
	var act *action
	if a[1] != 0 {
		var w [4]uint64
		for i := range w {
			v, errno := t.getWord(a[1] + uint64(i)*long)
			if errno != 0 {
				return negative(errno)
			}
			w[i] = v
		}
		act = &action{handler: w[0], mask: w[1], flags: uint32(w[2]), restorer: w[3]}
	}
	old, errno := t.p.setAction(int(int32(a[0])), act)
	if errno != 0 || a[2] == 0 {
		return negative(errno)
	}
	for i, v := range [4]uint64{old.handler, old.mask & 0xffffffff, uint64(old.flags), old.restorer} {
		if errno := t.putWord(a[2]+uint64(i)*long, v); errno != 0 {
			return negative(errno)
		}
	}
	return 0
}

func sysSignal(t *Thread, a *[6]uint64) uint64 {
	old, errno := t.p.setAction(int(int32(a[0])), &action{handler: a[1], flags: saResethand | saNodefer})
	if errno != 0 {
		return negative(errno)
	}
	return old.handler
}

// changeMask is sigprocmask's. A signal that has come before it is handled before it.
func (t *Thread) changeMask(how, m uint64) unix.Errno {
	switch how {
	case unix.SIG_BLOCK:
		m |= t.mask
	case unix.SIG_UNBLOCK:
		m = t.mask &^ m
	case unix.SIG_SETMASK:
	default:
		return unix.EINVAL
	}
	m &^= unblockable
	if m == t.mask {
		return 0
	}
	old := t.mask
	t.mask = m
	t.applyMask()
	if t.rec.Signal != 0 && !t.over() && m&^old&sigbit(t.stored()) != 0 {
		t.mask = old
		return proc.ERESTARTNOINTR
	}
	return 0
}

func sysRtSigprocmask(t *Thread, a *[6]uint64) uint64 {
	if a[3] != 8 {
		return negative(unix.EINVAL)
	}
	return t.procmask(a[0], a[1], a[2], 8)
}

func sysSigprocmask(t *Thread, a *[6]uint64) uint64 {
	return t.procmask(a[0], a[1], a[2], uint64(t.p.abi.Long))
}

func (t *Thread) procmask(how, set, oldSet, n uint64) uint64 {
	old := t.mask
	if set != 0 {
		m, errno := t.getMask(set, n)
		if errno != 0 {
			return negative(errno)
		}
		if n == 4 {
			switch how {
			case unix.SIG_SETMASK:
				m |= t.mask &^ 0xffffffff
			}
		}
		if errno := t.changeMask(how, m); errno != 0 {
			return negative(errno)
		}
	}
	if oldSet != 0 {
		return negative(t.putMask(oldSet, n, old))
	}
	return 0
}

func sysSsetmask(t *Thread, a *[6]uint64) uint64 {
	old := t.mask & 0xffffffff
	if errno := t.changeMask(unix.SIG_SETMASK, t.mask&^0xffffffff|a[0]&0xffffffff); errno != 0 {
		return negative(errno)
	}
	return old
}

func (t *Thread) pending(va, n uint64) uint64 {
	b := t.alloc(8)
	if r := t.raw(unix.SYS_RT_SIGPENDING, ref(b), 8); failed(r) {
		return r
	}
	m := le.Uint64(b)
	if m&sigbit(proc.Carrier) != 0 {
		m |= sigbit(sigURG)
	}
	m = m&^sigbit(sigSYS) | t.held.set.Load() | t.p.held.set.Load()
	return negative(t.putMask(va, n, m&t.mask))
}

func sysRtSigsuspend(t *Thread, a *[6]uint64) uint64 {
	if a[1] != 8 {
		return negative(unix.EINVAL)
	}
	m, errno := t.getMask(a[0], 8)
	if errno != 0 {
		return negative(errno)
	}
	return t.suspend(m)
}

// suspend waits with another mask. The old one comes back when the handler of
// the signal that has come returns.
func (t *Thread) suspend(m uint64) uint64 {
	t.saved, t.mask, t.swapped = t.mask, m&^unblockable, true
	b := t.maskFor(t.mask)
	t.releaseHeld(t.mask)
	for {
		r := t.wait(unix.SYS_RT_SIGSUSPEND, ref(b), 8)
		if t.rec.Signal != 0 && !t.over() && t.before(r, t.saved, t.mask) {
			t.restoreMask()
			return eearly
		}
		if t.rec.Signal != 0 || t.over() {
			return negative(unix.EINTR)
		}
		if !restarts(r) && r != negative(unix.EINTR) {
			t.restoreMask()
			return r
		}
	}
}

// before reports whether the signal that is stored has come before a call that
// waits with another mask than the thread's, or after one of ours had ended that:
// it is to be handled, and the call to be done again. r is its result.
func (t *Thread) before(r, mask, other uint64) bool {
	sig := sigbit(t.stored())
	return other&sig != 0 || restarts(r) && mask&sig == 0
}

// maskFor is a mask for the host to wait with.
func (t *Thread) maskFor(m uint64) []byte {
	b := t.alloc(8)
	le.PutUint64(b, proc.HostMask(hostMask(m)))
	return b
}

func (t *Thread) sigtimedwait(spec string, a *[6]uint64) uint64 {
	m, errno := t.getMask(a[0], 8)
	if errno != 0 {
		return negative(errno)
	}
	ts, errno := t.in(spec, a[2])
	if errno != 0 {
		return negative(errno)
	}
	set, b := t.alloc(8), t.alloc(128)
	info := (*siginfo)(b)
	le.PutUint64(set, hostSet(m))
	t.awaits.Store(m)
	defer t.awaits.Store(0)
	for {
		if i, ok := t.takeHeld(m); ok {
			*info = i
			break
		}
		if r := t.wait(unix.SYS_RT_SIGTIMEDWAIT, ref(set), ref(b), ref(ts), 8); failed(r) {
			return r
		}
		if info.carried(); m&sigbit(info.signal()) != 0 {
			break
		}
		if info.signal() == sigURG { // of the two only the other is waited for
			le.PutUint64(set, hostSet(m)&^sigbit(proc.Carrier))
			t.sendCarried(info, unix.SYS_RT_TGSIGQUEUEINFO, uintptr(unix.Getpid()), uintptr(t.tid))
			continue
		}
		t.hold(info)
	}
	if errno := t.outInfo(a[1], b); errno != 0 {
		return negative(errno)
	}
	return uint64(info.signal())
}

func (t *Thread) queue(nr uintptr, sig, va uint64, who ...uintptr) uint64 {
	src := t.p.sp.readable(va, 128)
	if src == nil {
		return negative(unix.EFAULT)
	}
	info := t.p.getInfo(src)
	le.PutUint32(info[0:], uint32(sig))
	if pid := uintptr(unix.Getpid()); int32(sig) == int32(sigURG) && who[0] == pid {
		return t.sendCarried(info, nr, who...)
	}
	b := t.alloc(128)
	copy(b, info[:])
	return t.wait(nr, append(who, fd(sig), ref(b))...)
}

func sysPidfdSendSignal(t *Thread, a *[6]uint64) uint64 {
	if a[2] == 0 {
		return t.wait(unix.SYS_PIDFD_SEND_SIGNAL, fd(a[0]), fd(a[1]), 0, uintptr(a[3]))
	}
	src := t.p.sp.readable(a[2], 128)
	if src == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(128)
	info := t.p.getInfo(src)
	copy(b, info[:])
	return t.wait(unix.SYS_PIDFD_SEND_SIGNAL, fd(a[0]), fd(a[1]), ref(b), uintptr(a[3]))
}

func (t *Thread) signalfd(f, set, n, flags uint64) uint64 {
	if n != 8 {
		return negative(unix.EINVAL)
	}
	m, errno := t.getMask(set, 8)
	if errno != 0 {
		return negative(errno)
	}
	b := t.alloc(8)
	le.PutUint64(b, hostSet(m))
	return t.raw(unix.SYS_SIGNALFD4, fd(f), ref(b), 8, uintptr(flags))
}

func sysSigaltstack(t *Thread, a *[6]uint64) uint64 {
	long := uint64(t.p.abi.Long)
	sp, size, state := t.altSP, t.altSize, t.altState(t.cpu.sp())
	if a[0] != 0 {
		nsp, e1 := t.getWord(a[0])
		flags, e2 := t.get32(a[0] + long)
		nsize, e3 := t.getWord(a[0] + 2*long)
		if e1|e2|e3 != 0 {
			return negative(unix.EFAULT)
		}
		if errno := t.setAltStack(nsp, int32(flags), nsize); errno != 0 {
			return negative(errno)
		}
	}
	if a[1] != 0 {
		e1 := t.putWord(a[1], sp)
		e2 := t.put32(a[1]+long, uint32(state))
		e3 := t.putWord(a[1]+2*long, size)
		if e1|e2|e3 != 0 {
			return negative(unix.EFAULT)
		}
	}
	return 0
}

func (t *Thread) sigreturn(rt bool) uint64 {
	if !t.cpu.sigreturn(t, rt) {
		t.force(int(unix.SIGSEGV), newInfo(int(unix.SIGSEGV), siKernel))
	}
	t.kept = true
	return 0
}
