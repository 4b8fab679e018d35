package linux

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

// handler does a system call. It returns the result as the kernel does: errors
// negated.
type handler func(t *Thread, a *[6]uint64) uint64

// Results of a call that a signal has ended, which begins anew unless a handler
// without SA_RESTART has run, and of one that it has kept from beginning.
const (
	erestart = ^uint64(proc.ERESTARTSYS - 1)
	eearly   = ^uint64(proc.ERESTARTNOINTR - 1)
)

func restarts(x uint64) bool { return x == erestart || x == eearly }

// newTable makes the table of an ABI's system calls. What is wrong with it is
// a mistake of ours.
func newTable(a *ABI) *table {
	t, err := indexTable(a.text)
	if err != nil {
		panic("BUG: linux: system calls of " + a.Name + ": " + err.Error())
	}
	conv, host, changes := sync.OnceValue(handlers), sync.OnceValue(hostCalls), sync.OnceValue(changeCalls)
	t.bind = func(r *row) {
		name := r.name
		if n := a.names[name]; n != "" {
			name = n
		}
		r.changes = changes()[name]
		if r.fn = conv()[name]; r.fn != nil {
			return
		}
		switch r.status {
		case passed, quick, partial:
			nr, ok := host()[name]
			if !ok {
				panic("BUG: linux: the host has no system call " + r.name)
			}
			r.host = nr
		case converted:
			panic("BUG: linux: nobody does the system call " + r.name)
		}
	}
	return t
}

// syscall does the system call that the program has stopped for.
func (t *Thread) syscall() {
	defer t.noMemory()
	nr := t.cpu.syscall(&t.args)
	r := t.p.abi.calls.row(nr)
	t.call = nr
	if t.p.cfg.Strace != nil {
		t.traceCall(r, nr, &t.args)
	}
	if d := t.p.debug; d != nil {
		d.call(t, true)
		defer d.call(t, false)
	}
	var x uint64
	for !t.over() {
		t.tried = t.args
		x = t.do(r, nr, &t.tried)
		// A fork of another thread's has interrupted it, not a signal.
		if (restarts(x) || x == negative(unix.EINTR)) && t.rec.Signal == 0 && !t.over() && !t.swapped {
			continue
		}
		if x == negative(unix.EFAULT) && t.p.sp.openAt(&t.args) {
			continue
		}
		break
	}
	if t.p.cfg.Strace != nil {
		t.traceResult(r, x)
	}
	switch {
	case t.ended || t.kept:
		t.kept = false
	case restarts(x):
		t.restart, t.early = true, x == eearly
	default:
		t.cpu.setResult(x)
	}
}

// noMemory ends a system call that has accessed memory of the program's that is
// not behind its mapping: the file is shorter, or another thread has unmapped it.
func (t *Thread) noMemory() {
	if e := recover(); e != nil {
		t.p.sp.faultOf(e)
		t.kept = false
		t.cpu.setResult(negative(unix.EFAULT))
	}
}

// touches runs what accesses memory of the program's that may not be there. It
// reports whether it was.
func (t *Thread) touches(f func()) (ok bool) {
	defer func() {
		if e := recover(); e != nil {
			t.p.sp.faultOf(e)
			ok = false
		}
	}()
	f()
	return true
}

func (t *Thread) do(r *row, nr int, a *[6]uint64) uint64 {
	t.used, t.keep = 0, t.keep[:0]
	if r != nil && r.changes != 0 {
		t.p.changed(r.changes)
	}
	switch {
	case r == nil:
		t.p.cfg.Log.Unimp("syscall %d of %s: there is none of that number", nr, t.p.abi.Name)
		return negative(unix.ENOSYS)
	case r.fds != 0 && t.ownArgument(r, a):
		return negative(unix.EBADF)
	case r.fn != nil:
		return r.fn(t, a)
	case r.host == 0 && r.status == notBuilt:
		t.p.cfg.Log.Unimp("syscall %d of %s: %s is not built", nr, t.p.abi.Name, r.name)
		return negative(unix.ENOSYS)
	}
	return t.pass(r, a)
}

// ownArgument reports whether a call is for a descriptor that the guest has not,
// though the process does. Those that make one or close many look themselves.
func (t *Thread) ownArgument(r *row, a *[6]uint64) bool {
	for i := range a {
		if r.fds>>i&1 != 0 && proc.IsOwn(int(int32(a[i]))) {
			return r.name != "close_range" && (i == 0 || r.name != "dup2" && r.name != "dup3")
		}
	}
	return false
}

// pass has the host do a call whose arguments are alike.
func (t *Thread) pass(r *row, a *[6]uint64) uint64 {
	var h [6]uintptr
	for i, k := range r.kinds {
		v := a[i]
		switch k.kind {
		case 'i':
			h[i] = uintptr(int64(int32(v)))
		case 'u':
			h[i] = uintptr(v)
		case 'l':
			h[i] = uintptr(t.long(v))
		case 'p':
			h[i] = t.pointer(v)
		case 'o':
			n := uint64(256)
			if k.size > 0 {
				n = a[k.size-1]
			}
			h[i] = t.output(v, n)
		case 's':
			p, errno := t.pathArg(v)
			if errno != 0 {
				return negative(errno)
			}
			h[i] = p
		}
	}
	if r.status == quick {
		return uint64(t.rec.Direct(r.host, &h))
	}
	return uint64(t.rec.Syscall(r.host, &h))
}

// long is a signed long of the guest's.
func (t *Thread) long(v uint64) int64 {
	if t.p.abi.Long == 4 {
		return int64(int32(v))
	}
	return int64(v)
}

// noAddress is an address that no process has.
const noAddress = 1 << 63

// pointer is the host's address for a guest's, 0 for 0.
func (t *Thread) pointer(va uint64) uintptr {
	if va == 0 {
		return 0
	}
	if t.p.abi.Long == 4 {
		va = uint64(uint32(va))
	}
	if va >= t.p.sp.size { // it might be an address of ours
		return noAddress
	}
	return t.p.sp.host(va)
}

// output is pointer for memory that the host is to write.
func (t *Thread) output(va, n uint64) uintptr {
	if va == 0 {
		return 0
	}
	if t.p.abi.Long == 4 {
		va = uint64(uint32(va))
	}
	t.p.sp.unprotect(va, n)
	return t.pointer(va)
}

// wait has the host do a call that may wait.
func (t *Thread) wait(nr uintptr, a ...uintptr) uint64 {
	var h [6]uintptr
	copy(h[:], a)
	return uint64(t.rec.Syscall(nr, &h))
}

// raw has the host do one that does not.
func (t *Thread) raw(nr uintptr, a ...uintptr) uint64 {
	var h [6]uintptr
	copy(h[:], a)
	return uint64(t.rec.Direct(nr, &h))
}

func failed(x uint64) bool { return x > ^uint64(4095) }

func errnoOf(x uint64) unix.Errno { return unix.Errno(-x) }

// alloc returns n bytes that last as long as the system call.
func (t *Thread) alloc(n int) []byte {
	size := (n + 15) &^ 15
	if t.used+size <= len(t.buf) {
		b := t.buf[t.used : t.used+n : t.used+size]
		t.used += size
		clear(b)
		return b
	}
	b := make([]byte, n, size)
	t.keep = append(t.keep, b)
	return b
}

// pathArg is the name of a file that the host is given for the guest's.
func (t *Thread) pathArg(va uint64) (uintptr, unix.Errno) {
	var special bool
	if b := t.p.sp.readable(va, 6); b != nil {
		special = string(b) == "/proc/" || string(b) == "/dev/f"
	}
	if va == 0 || t.p.cfg.Sysroot == "" && !special {
		return t.pointer(va), 0
	}
	name, errno := t.p.sp.text(va)
	if errno != 0 {
		return 0, errno
	}
	if special && t.p.hidden(name) {
		return 0, unix.ENOENT
	}
	return t.cstring(t.p.inSysroot(name)), 0
}

// cstring is s as C has strings, for the length of the system call.
func (t *Thread) cstring(s string) uintptr {
	b := t.alloc(len(s) + 1)
	copy(b, s)
	b[len(s)] = 0
	return proc.Address(b)
}

// --- structures

// in makes the host's structure of a guest's, 0 of address 0.
func (t *Thread) in(name string, va uint64) (b []byte, errno unix.Errno) {
	if va == 0 {
		return nil, 0
	}
	x := t.p.types.of(name)
	src := t.p.sp.readable(va, uint64(x.guest.size))
	if src == nil {
		return nil, unix.EFAULT
	}
	b = t.alloc(x.host.size)
	x.in.do(b, src)
	return b, 0
}

// room is where the host is to write a structure.
func (t *Thread) room(name string) []byte { return t.alloc(t.p.types.of(name).host.size) }

// out makes the guest's structure of the host's.
func (t *Thread) out(name string, va uint64, b []byte) unix.Errno {
	x := t.p.types.of(name)
	dst := t.p.sp.writable(va, uint64(x.guest.size))
	if dst == nil {
		return unix.EFAULT
	}
	x.out.do(dst, b)
	return 0
}

// outAfter is out for the result of a call.
func (t *Thread) outAfter(r uint64, name string, va uint64, b []byte) uint64 {
	if failed(r) {
		return r
	}
	if errno := t.out(name, va, b); errno != 0 {
		return negative(errno)
	}
	return r
}

// outIf is outAfter if there is an address.
func (t *Thread) outIf(r uint64, name string, va uint64, b []byte) uint64 {
	if va == 0 {
		return r
	}
	return t.outAfter(r, name, va, b)
}

// ref is the address of a host's structure, 0 of none.
func ref(b []byte) uintptr { return proc.Address(b) }

func (t *Thread) getWord(va uint64) (uint64, unix.Errno) {
	n := t.p.abi.Long
	b := t.p.sp.readable(va, uint64(n))
	if b == nil {
		return 0, unix.EFAULT
	}
	if n == 4 {
		return uint64(t.p.abi.Order.Uint32(b)), 0
	}
	return t.p.abi.Order.Uint64(b), 0
}

func (t *Thread) putWord(va, v uint64) unix.Errno {
	n := t.p.abi.Long
	b := t.p.sp.writable(va, uint64(n))
	if b == nil {
		return unix.EFAULT
	}
	if n == 4 {
		t.p.abi.Order.PutUint32(b, uint32(v))
	} else {
		t.p.abi.Order.PutUint64(b, v)
	}
	return 0
}

func (t *Thread) put32(va uint64, v uint32) unix.Errno {
	b := t.p.sp.writable(va, 4)
	if b == nil {
		return unix.EFAULT
	}
	t.p.abi.Order.PutUint32(b, v)
	return 0
}

func (t *Thread) get32(va uint64) (uint32, unix.Errno) {
	b := t.p.sp.readable(va, 4)
	if b == nil {
		return 0, unix.EFAULT
	}
	return t.p.abi.Order.Uint32(b), 0
}

// offset is an offset of 64 bits in two arguments, the low half first.
func offset(lo, hi uint64) uintptr { return uintptr(lo&0xffffffff | hi<<32) }

// merge joins tables of handlers.
func merge(list ...map[string]handler) map[string]handler {
	all := map[string]handler{}
	for _, m := range list {
		for name, h := range m {
			if all[name] != nil {
				panic(fmt.Sprintf("BUG: linux: two handlers of %s", name))
			}
			all[name] = h
		}
	}
	return all
}

// handlers are the calls that are converted, by name.
func handlers() map[string]handler {
	return merge(fileCalls(), memoryCalls(), processCalls(), signalCalls(), timeCalls(), socketCalls(), systemCalls(), ipcCalls(), queueCalls(), aioCalls())
}
