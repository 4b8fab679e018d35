package linux

import (
	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
	"rhea/internal/user/linux/rlimit"
)

// systemCalls are those that concern the system, users and limits.
func systemCalls() map[string]handler {
	m := map[string]handler{
		"uname":     sysUname,
		"sysinfo":   sysSysinfo,
		"prctl":     sysPrctl,
		"getrusage": sysGetrusage,
		"getrlimit": func(t *Thread, a *[6]uint64) uint64 { return t.getrlimit(a, 0x7fffffff) },
		"ugetrlimit": func(t *Thread, a *[6]uint64) uint64 {
			return t.getrlimit(a, 0xffffffff)
		},
		"setrlimit": sysSetrlimit,
		"prlimit64": sysPrlimit64,
		"getgroups": sysGetgroups16,
		"setgroups": sysSetgroups16,
	}
	for name, nr := range map[string]uintptr{
		"getuid": unix.SYS_GETUID, "geteuid": unix.SYS_GETEUID, "getgid": unix.SYS_GETGID, "getegid": unix.SYS_GETEGID,
	} {
		m[name] = func(t *Thread, a *[6]uint64) uint64 { return t.low16(t.raw(nr)) }
	}
	for name, nr := range map[string]uintptr{
		"setuid": unix.SYS_SETUID, "setgid": unix.SYS_SETGID, "setreuid": unix.SYS_SETREUID, "setregid": unix.SYS_SETREGID,
		"setresuid": unix.SYS_SETRESUID, "setresgid": unix.SYS_SETRESGID, "setfsuid": unix.SYS_SETFSUID, "setfsgid": unix.SYS_SETFSGID,
	} {
		m[name] = func(t *Thread, a *[6]uint64) uint64 { return t.raw(nr, id16(a[0]), id16(a[1]), id16(a[2])) }
	}
	for name, nr := range map[string]uintptr{"getresuid": unix.SYS_GETRESUID, "getresgid": unix.SYS_GETRESGID} {
		m[name] = func(t *Thread, a *[6]uint64) uint64 {
			b := t.alloc(16)
			if r := t.raw(nr, ref(b), ref(b[4:]), ref(b[8:])); failed(r) {
				return r
			}
			for i := range 3 {
				dst := t.p.sp.writable(a[i], 2)
				if dst == nil {
					return negative(unix.EFAULT)
				}
				t.p.abi.Order.PutUint16(dst, uint16(t.low16(uint64(le.Uint32(b[4*i:])))))
			}
			return 0
		}
	}
	return m
}

// low16 is a user's number as 16-bit calls tell it.
func (t *Thread) low16(id uint64) uint64 {
	if id > 0xffff && !failed(id) {
		return 65534 // overflowuid
	}
	return id
}

func sysGetgroups16(t *Thread, a *[6]uint64) uint64 {
	if int32(a[0]) < 0 {
		return negative(unix.EINVAL)
	}
	n := min(a[0]&0xffffffff, 65536)
	b := t.alloc(int(4*n) + 4)
	r := t.raw(unix.SYS_GETGROUPS, uintptr(n), ref(b))
	if failed(r) || n == 0 {
		return r
	}
	dst := t.p.sp.writable(a[1], 2*r)
	if dst == nil {
		return negative(unix.EFAULT)
	}
	for i := range r {
		t.p.abi.Order.PutUint16(dst[2*i:], uint16(t.low16(uint64(le.Uint32(b[4*i:])))))
	}
	return r
}

func sysSetgroups16(t *Thread, a *[6]uint64) uint64 {
	n := uint64(uint32(a[0]))
	if n > 65536 {
		return negative(unix.EINVAL)
	}
	src := t.p.sp.readable(a[1], 2*n)
	if src == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(int(4*n) + 4)
	for i := range n {
		le.PutUint32(b[4*i:], uint32(t.p.abi.Order.Uint16(src[2*i:])))
	}
	return t.raw(unix.SYS_SETGROUPS, uintptr(n), ref(b))
}

// sysUname fills in struct new_utsname: six strings of 65 bytes.
func sysUname(t *Thread, a *[6]uint64) uint64 {
	const field = 65
	dst := t.p.sp.writable(a[0], 6*field)
	if dst == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(6 * field)
	if r := t.raw(unix.SYS_UNAME, ref(b)); failed(r) {
		return r
	}
	put := func(i int, s string) {
		f := b[i*field : (i+1)*field]
		clear(f)
		copy(f[:field-1], s)
	}
	if r := t.p.cfg.Release; r != "" {
		put(2, r)
	}
	put(4, t.p.abi.UTSName)
	copy(dst, b)
	return 0
}

// sysSysinfo scales what has no room, as a 64-bit kernel does for 32-bit
// programs.
func sysSysinfo(t *Thread, a *[6]uint64) uint64 {
	b := t.room("sysinfo")
	r := t.raw(unix.SYS_SYSINFO, ref(b))
	x := t.p.types.of("sysinfo").host
	if !failed(r) && t.p.abi.Long == 4 {
		unit, shift := x.value(b, "unit"), uint(0)
		if x.value(b, "totalram")>>32 != 0 || x.value(b, "totalswap")>>32 != 0 {
			for ; unit < page; unit <<= 1 {
				shift++
			}
			for _, f := range []string{"totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap", "totalhigh", "freehigh"} {
				x.set(b, f, x.value(b, f)>>shift)
			}
			x.set(b, "unit", unit)
		}
	}
	return t.outAfter(r, "sysinfo", a[0], b)
}

func sysPrctl(t *Thread, a *[6]uint64) uint64 {
	switch int(a[0]) {
	case unix.PR_GET_PDEATHSIG, unix.PR_GET_UNALIGN, unix.PR_GET_FPEMU, unix.PR_GET_FPEXC, unix.PR_GET_ENDIAN,
		unix.PR_GET_CHILD_SUBREAPER:
		return t.raw(unix.SYS_PRCTL, uintptr(a[0]), t.output(a[1], 4))
	case unix.PR_GET_TSC, unix.PR_SET_TSC:
		return t.timeStamps(int(a[0]), a[1])
	case unix.PR_SET_NAME, unix.PR_GET_NAME:
		return t.raw(unix.SYS_PRCTL, uintptr(a[0]), t.output(a[1], 16))
	case unix.PR_SET_PDEATHSIG:
		return t.raw(unix.SYS_PRCTL, uintptr(a[0]), fd(a[1]))
	case unix.PR_SET_SECCOMP, unix.PR_SET_MM, unix.PR_SET_SYSCALL_USER_DISPATCH, unix.PR_SET_VMA, unix.PR_GET_TID_ADDRESS:
		t.p.cfg.Log.Unimp("prctl %d is not built", a[0])
		return negative(unix.EINVAL)
	case unix.PR_SET_KEEPCAPS, unix.PR_SET_SECUREBITS, unix.PR_SET_NO_NEW_PRIVS, unix.PR_CAPBSET_DROP, unix.PR_CAP_AMBIENT:
		t.p.changed(ownIDs)
	}
	return t.raw(unix.SYS_PRCTL, uintptr(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]), uintptr(a[4]))
}

func sysGetrusage(t *Thread, a *[6]uint64) uint64 {
	b := t.room("rusage")
	return t.outAfter(t.raw(unix.SYS_GETRUSAGE, fd(a[0]), ref(b)), "rusage", a[1], b)
}

// getrlimit tells what is more than infinity as that.
func (t *Thread) getrlimit(a *[6]uint64, infinity uint64) uint64 {
	b := t.room("rlimit")
	r := t.raw(unix.SYS_PRLIMIT64, 0, uintptr(a[0]), 0, ref(b))
	if t.p.abi.Long == 4 {
		x := t.p.types.of("rlimit").host
		for _, f := range []string{"cur", "max"} {
			x.set(b, f, min(x.value(b, f), infinity))
		}
	}
	return t.outAfter(r, "rlimit", a[1], b)
}

func sysSetrlimit(t *Thread, a *[6]uint64) uint64 {
	b, errno := t.in("rlimit", a[1])
	if errno != 0 || b == nil {
		return negative(unix.EFAULT)
	}
	if t.p.abi.Long == 4 {
		x := t.p.types.of("rlimit").host
		for _, f := range []string{"cur", "max"} {
			if x.value(b, f) == 0xffffffff {
				x.set(b, f, ^uint64(0))
			}
		}
	}
	if limitsOurs(a[0]) {
		return 0
	}
	return t.raw(unix.SYS_PRLIMIT64, 0, uintptr(a[0]), ref(b), 0)
}

// restoreFiles takes back what the runtime has made of the limit of descriptors.
func restoreFiles() {
	b := make([]byte, 16)
	cur, max := rlimit.Files()
	le.PutUint64(b, cur)
	le.PutUint64(b[8:], max)
	proc.Raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, ref(b))
}

// limitsOurs reports whether a limit would be the translator's, too.
func limitsOurs(resource uint64) bool {
	switch int(resource) {
	case unix.RLIMIT_AS, unix.RLIMIT_DATA, unix.RLIMIT_STACK:
		return true
	}
	return false
}

func sysPrlimit64(t *Thread, a *[6]uint64) uint64 {
	limit := t.pointer(a[2])
	if limitsOurs(a[1]) && (a[0] == 0 || int(a[0]) == unix.Getpid()) {
		limit = 0
	}
	return t.wait(unix.SYS_PRLIMIT64, fd(a[0]), uintptr(a[1]), limit, t.output(a[3], 16))
}
