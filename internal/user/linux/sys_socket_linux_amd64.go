package linux

import (
	"golang.org/x/sys/unix"
)

// socketCalls are those that concern sockets.
func socketCalls() map[string]handler {
	return map[string]handler{
		"socketcall": sysSocketcall,
		"accept": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_ACCEPT4, fd(a[0]), t.output(a[1], 128), t.output(a[2], 4), 0)
		},
		"sendmsg":         func(t *Thread, a *[6]uint64) uint64 { return t.sendmsg(a[0], a[1], a[2]) },
		"recvmsg":         func(t *Thread, a *[6]uint64) uint64 { return t.recvmsg(a[0], a[1], a[2]) },
		"sendmmsg":        sysSendmmsg,
		"recvmmsg":        func(t *Thread, a *[6]uint64) uint64 { return t.recvmmsg("timespec", a) },
		"recvmmsg_time64": func(t *Thread, a *[6]uint64) uint64 { return t.recvmmsg("timespec64", a) },
		"getsockopt":      sysGetsockopt,
		"setsockopt":      sysSetsockopt,
	}
}

// socketNames are socketcall's calls by number (linux/net.h), and how many
// arguments each has.
var socketNames = [...]struct {
	name string
	args int
}{
	1: {"socket", 3}, {"bind", 3}, {"connect", 3}, {"listen", 2}, {"accept", 3}, {"getsockname", 3}, {"getpeername", 3},
	{"socketpair", 4}, {"send", 4}, {"recv", 4}, {"sendto", 6}, {"recvfrom", 6}, {"shutdown", 2}, {"setsockopt", 5},
	{"getsockopt", 5}, {"sendmsg", 3}, {"recvmsg", 3}, {"accept4", 4}, {"recvmmsg", 5}, {"sendmmsg", 4},
}

func sysSocketcall(t *Thread, a *[6]uint64) uint64 {
	n := int(int32(a[0]))
	if n < 1 || n >= len(socketNames) {
		return negative(unix.EINVAL)
	}
	c := socketNames[n]
	var w [6]uint64
	for i := range c.args {
		v, errno := t.getWord(a[1] + uint64(i*t.p.abi.Long))
		if errno != 0 {
			return negative(errno)
		}
		w[i] = v
	}
	switch c.name {
	case "accept":
		return t.wait(unix.SYS_ACCEPT4, fd(w[0]), t.output(w[1], 128), t.output(w[2], 4), 0)
	case "send":
		return t.wait(unix.SYS_SENDTO, fd(w[0]), t.pointer(w[1]), uintptr(w[2]), uintptr(w[3]), 0, 0)
	case "recv":
		return t.wait(unix.SYS_RECVFROM, fd(w[0]), t.output(w[1], w[2]), uintptr(w[2]), uintptr(w[3]), 0, 0)
	}
	if r := t.p.abi.calls.find(c.name); r != nil {
		return t.do(r, r.nr, &w)
	}
	return negative(unix.ENOSYS)
}

// message makes the host's struct msghdr of a guest's. Of control messages it
// takes what is to be sent, or makes room.
func (t *Thread) message(va uint64, layout string, receive bool) (b []byte, errno unix.Errno) {
	b, errno = t.in(layout, va)
	if errno != 0 || b == nil {
		return nil, unix.EFAULT
	}
	x := t.p.types.of(layout).host
	if x.value(b, "iovlen") > 1024 {
		return nil, unix.EMSGSIZE
	}
	if int32(x.value(b, "namelen")) < 0 {
		return nil, unix.EINVAL
	}
	v, errno := t.iovec(x.value(b, "iov"), x.value(b, "iovlen"), receive)
	if errno != 0 {
		return nil, errno
	}
	x.set(b, "iov", uint64(ref(v)))
	x.set(b, "name", uint64(t.output(x.value(b, "name"), x.value(b, "namelen"))))
	control, n := x.value(b, "control"), x.value(b, "controllen")
	if control == 0 || n == 0 {
		x.set(b, "control", 0)
		x.set(b, "controllen", 0)
		return b, 0
	}
	var c []byte
	if receive {
		n = min(n, 1<<16) // more than any message has
		// The host's headers are longer.
		c = t.alloc(int(2*n) + 64)
		if uint64(len(c)) > 2*n+64 {
			c = c[:2*n+64]
		}
	} else {
		if n > 1<<16 {
			return nil, unix.ENOBUFS
		}
		src := t.p.sp.readable(control, n)
		if src == nil {
			return nil, unix.EFAULT
		}
		if c, errno = t.controlIn(src); errno != 0 {
			return nil, errno
		}
	}
	x.set(b, "control", uint64(ref(c)))
	x.set(b, "controllen", uint64(len(c)))
	return b, 0
}

// controlIn makes the host's control messages of a guest's.
func (t *Thread) controlIn(src []byte) ([]byte, unix.Errno) {
	x := t.p.types.of("cmsghdr")
	align := func(n, to int) int { return (n + to - 1) &^ (to - 1) }
	out := t.alloc(4*len(src) + 64)
	used := 0
	gh, hh := align(x.guest.size, t.p.abi.Long), x.host.size
	for len(src) >= x.guest.size {
		n := int(x.guest.value(src, "len"))
		if n < gh || n > len(src) {
			break
		}
		data := src[gh:n]
		h := out[used:]
		x.in.do(h, src)
		x.host.set(h, "len", uint64(hh+len(data)))
		copy(h[hh:], data)
		used += align(hh+len(data), 8)
		if n = align(n, t.p.abi.Long); n >= len(src) {
			break
		}
		src = src[n:]
	}
	return out[:used], 0
}

// controlOut makes the guest's of the host's; it returns their length, and
// whether all had room.
func (t *Thread) controlOut(dst, src []byte) (int, bool) {
	x := t.p.types.of("cmsghdr")
	align := func(n, to int) int { return (n + to - 1) &^ (to - 1) }
	gh, hh := align(x.guest.size, t.p.abi.Long), x.host.size
	used := 0
	for len(src) >= hh {
		n := int(x.host.value(src, "len"))
		if n < hh || n > len(src) {
			break
		}
		data := src[hh:n]
		level, typ := int(x.host.value(src, "level")), int(x.host.value(src, "type"))
		if level == unix.SOL_SOCKET && typ == unix.SCM_TIMESTAMP && len(data) == 16 {
			tv := t.p.types.of("timeval")
			c := t.alloc(tv.guest.size)
			tv.out.do(c, data)
			data = c[:tv.guest.size]
		}
		if used+gh > len(dst) {
			return used, false
		}
		whole := used+gh+len(data) <= len(dst)
		if !whole {
			data = data[:len(dst)-used-gh]
		}
		h := dst[used:]
		x.out.do(h, src)
		x.guest.set(h, "len", uint64(gh+len(data)))
		copy(h[gh:], data)
		used = min(align(used+gh+len(data), t.p.abi.Long), len(dst))
		if !whole {
			return used, false
		}
		if n = align(n, 8); n >= len(src) {
			break
		}
		src = src[n:]
	}
	return used, true
}

func (t *Thread) sendmsg(f, va, flags uint64) uint64 {
	b, errno := t.message(va, "msghdr", false)
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_SENDMSG, fd(f), ref(b), uintptr(flags))
}

func (t *Thread) recvmsg(f, va, flags uint64) uint64 {
	b, errno := t.message(va, "msghdr", true)
	if errno != 0 {
		return negative(errno)
	}
	r := t.wait(unix.SYS_RECVMSG, fd(f), ref(b), uintptr(flags))
	if failed(r) {
		return r
	}
	if errno := t.received(va, "msghdr", b); errno != 0 {
		return negative(errno)
	}
	return r
}

// received tells the guest what has come with a message.
func (t *Thread) received(va uint64, layout string, b []byte) unix.Errno {
	x := t.p.types.of(layout)
	dst := t.p.sp.writable(va, uint64(x.guest.size))
	if dst == nil {
		return unix.EFAULT
	}
	flags := x.host.value(b, "flags")
	x.guest.set(dst, "namelen", x.host.value(b, "namelen"))
	n := 0
	if control := x.guest.value(dst, "control"); control != 0 {
		room := x.guest.value(dst, "controllen")
		c := t.p.sp.writable(control, room)
		if c == nil && room > 0 {
			return unix.EFAULT
		}
		if hn := x.host.value(b, "controllen"); hn > 0 {
			src := hostBytes(uintptr(x.host.value(b, "control")), int(hn))
			var whole bool
			if n, whole = t.controlOut(c, src); !whole {
				flags |= unix.MSG_CTRUNC
			}
		}
	}
	x.guest.set(dst, "controllen", uint64(n))
	x.guest.set(dst, "flags", flags)
	return 0
}

func sysSendmmsg(t *Thread, a *[6]uint64) uint64 {
	x := t.p.types.of("mmsghdr")
	size := uint64(x.guest.size)
	n := min(uint64(uint32(a[2])), 1024)
	for i := range n {
		va := a[1] + i*size
		t.used, t.keep = 0, t.keep[:0]
		r := t.sendmsg(a[0], va, a[3])
		if failed(r) {
			if i > 0 {
				return i
			}
			return r
		}
		dst := t.p.sp.writable(va, size)
		if dst == nil {
			return negative(unix.EFAULT)
		}
		x.guest.set(dst, "len", r)
	}
	return n
}

// recvmmsg takes a message after the other; the first may wait. The time is looked at
// after each of them only.
func (t *Thread) recvmmsg(spec string, a *[6]uint64) uint64 {
	timeout, errno := t.in(spec, a[4])
	if errno != 0 {
		return negative(errno)
	}
	var left, end int64 // ns
	if timeout != nil {
		sec, nsec := int64(le.Uint64(timeout)), int64(le.Uint64(timeout[8:]))
		if sec < 0 || nsec < 0 || nsec >= 1e9 {
			return negative(unix.EINVAL)
		}
		left = min(sec, 1<<32)*1e9 + nsec
		end = t.monotonic() + left
	}
	x := t.p.types.of("mmsghdr")
	size := uint64(x.guest.size)
	n := min(uint64(uint32(a[2])), 1024)
	const msgWaitforone = 0x10000
	var i uint64
	for i < n {
		va := a[1] + i*size
		t.used, t.keep = 0, t.keep[:0]
		flags := a[3] &^ msgWaitforone
		if i > 0 && a[3]&msgWaitforone != 0 {
			flags |= unix.MSG_DONTWAIT
		}
		r := t.recvmsg(a[0], va, flags)
		if failed(r) {
			if i > 0 {
				break
			}
			return r
		}
		dst := t.p.sp.writable(va, size)
		if dst == nil {
			return negative(unix.EFAULT)
		}
		x.guest.set(dst, "len", r)
		i++
		if a[4] != 0 {
			if left = max(end-t.monotonic(), 0); left == 0 {
				break
			}
		}
	}
	if a[4] == 0 {
		return i
	}
	timeout = t.room(spec)
	le.PutUint64(timeout, uint64(left/1e9))
	le.PutUint64(timeout[8:], uint64(left%1e9))
	return t.outAfter(i, spec, a[4], timeout)
}

// monotonic is CLOCK_MONOTONIC in ns.
func (t *Thread) monotonic() int64 {
	b := t.alloc(16)
	t.raw(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, ref(b))
	return int64(le.Uint64(b))*1e9 + int64(le.Uint64(b[8:]))
}

// timeOption reports whether a socket option is a struct timeval.
func timeOption(level, name uint64) bool {
	return level == unix.SOL_SOCKET && (name == unix.SO_RCVTIMEO || name == unix.SO_SNDTIMEO)
}

// groupOption reports whether a socket option is one of multicasting groups whose
// structure has an int before a struct sockaddr_storage, which is aligned as a long is
// (RFC 3678).
func groupOption(level, name uint64) bool {
	return (level == unix.IPPROTO_IP || level == unix.IPPROTO_IPV6) && name >= unix.MCAST_JOIN_GROUP && name <= unix.MCAST_MSFILTER
}

func sysGetsockopt(t *Thread, a *[6]uint64) uint64 {
	if timeOption(a[1], a[2]) {
		n, errno := t.get32(a[4])
		x := t.p.types.of("timeval")
		if errno != 0 || int(n) < x.guest.size {
			return negative(unix.EINVAL)
		}
		b, size := t.room("timeval"), t.alloc(4)
		le.PutUint32(size, uint32(x.host.size))
		r := t.raw(unix.SYS_GETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), ref(b), ref(size))
		if !failed(r) {
			t.put32(a[4], uint32(x.guest.size))
		}
		return t.outAfter(r, "timeval", a[3], b)
	}
	n, _ := t.get32(a[4])
	return t.wait(unix.SYS_GETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), t.output(a[3], uint64(n)), t.output(a[4], 4))
}

func sysSetsockopt(t *Thread, a *[6]uint64) uint64 {
	switch {
	case timeOption(a[1], a[2]):
		b, errno := t.in("timeval", a[3])
		if errno != 0 || b == nil {
			return negative(unix.EFAULT)
		}
		return t.raw(unix.SYS_SETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), ref(b), uintptr(len(b)))
	case t.p.abi.Long == 4 && groupOption(a[1], a[2]) && a[4] >= 4:
		n := min(a[4], 1<<16)
		src := t.p.sp.readable(a[3], n)
		if src == nil {
			return negative(unix.EFAULT)
		}
		b := t.alloc(int(n) + 4)
		copy(b, src[:4])
		copy(b[8:], src[4:])
		return t.raw(unix.SYS_SETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), ref(b), uintptr(len(b)))
	case a[1] == unix.SOL_SOCKET && a[2] == unix.SO_ATTACH_FILTER:
		n, e1 := t.get32(a[3])
		p, e2 := t.getWord(a[3] + uint64(t.p.abi.Long))
		if e1|e2 != 0 {
			return negative(unix.EFAULT)
		}
		b := t.alloc(16)
		le.PutUint16(b, uint16(n))
		le.PutUint64(b[8:], uint64(t.pointer(p)))
		return t.raw(unix.SYS_SETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), ref(b), 16)
	}
	return t.wait(unix.SYS_SETSOCKOPT, fd(a[0]), uintptr(a[1]), uintptr(a[2]), t.pointer(a[3]), uintptr(a[4]))
}
