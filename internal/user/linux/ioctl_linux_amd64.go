package linux

import (
	"golang.org/x/sys/unix"
)

// ioctl's requests that a 32-bit program has otherwise than the host
// (linux/fs.h, linux/sockios.h).
const (
	blkGetSize64of32 = 0x80041272
	blkGetSize64     = 0x80081272
	fsGetFlagsOf32   = 0x80046601
	fsGetFlags       = 0x80086601
	fsSetFlagsOf32   = 0x40046602
	fsSetFlags       = 0x40086602
	blkGetSize       = 0x1260
	ethtool          = 0x8946
	siocGIFCONF      = 0x8912
	siocGSTAMP       = 0x8906
)

func sysIoctl(t *Thread, a *[6]uint64) uint64 {
	req := a[1] & 0xffffffff
	call := func(req uint64, arg uintptr) uint64 { return t.wait(unix.SYS_IOCTL, fd(a[0]), uintptr(req), arg) }
	switch req {
	case blkGetSize64of32:
		return call(blkGetSize64, t.output(a[2], 8))
	case fsGetFlagsOf32:
		return call(fsGetFlags, t.output(a[2], 4))
	case fsSetFlagsOf32:
		return call(fsSetFlags, t.pointer(a[2]))
	case blkGetSize:
		b := t.alloc(8)
		r := call(req, ref(b))
		if failed(r) {
			return r
		}
		return negative(t.putWord(a[2], le.Uint64(b)))
	case siocGSTAMP:
		b := t.room("timeval")
		return t.outAfter(call(req, ref(b)), "timeval", a[2], b)
	case siocGIFCONF:
		return t.ifconf(a[0], a[2])
	case ethtool:
		return negative(unix.EOPNOTSUPP)
	case unix.TCSBRK, unix.TCXONC, unix.TCFLSH, unix.TIOCSCTTY, unix.TIOCNOTTY, unix.TIOCEXCL, unix.TIOCNXCL, unix.TCSBRKP, 0x5451, 0x5450:
		return call(req, uintptr(a[2])) // a number, or nothing
	}
	if req>>8 == 0x89 && req >= 0x8910 { // struct ifreq is longer on the host
		b, errno := t.in("ifreq", a[2])
		if errno != 0 || b == nil {
			return negative(unix.EFAULT)
		}
		return t.outAfter(call(req, ref(b)), "ifreq", a[2], b)
	}
	n := uint64(256)
	if size := req >> 16 & 0x3fff; size > 0 {
		n = size
	}
	return call(req, t.output(a[2], n))
}

// ifconf is SIOCGIFCONF: struct ifconf names an array of struct ifreq.
func (t *Thread) ifconf(f, va uint64) uint64 {
	n, e1 := t.get32(va)
	to, e2 := t.getWord(va + uint64(t.p.abi.Long))
	if e1|e2 != 0 {
		return negative(unix.EFAULT)
	}
	x := t.p.types.of("ifreq")
	count := int(min(n, 1<<16)) / x.guest.size
	list := t.alloc(max(count, 1) * x.host.size)
	head := t.alloc(16)
	le.PutUint32(head, uint32(count*x.host.size))
	if to != 0 {
		le.PutUint64(head[8:], uint64(ref(list)))
	}
	r := t.wait(unix.SYS_IOCTL, fd(f), siocGIFCONF, ref(head))
	if failed(r) {
		return r
	}
	got := int(le.Uint32(head)) / x.host.size
	if to != 0 {
		dst := t.p.sp.writable(to, uint64(got*x.guest.size))
		if dst == nil {
			return negative(unix.EFAULT)
		}
		for i := range got {
			x.out.do(dst[i*x.guest.size:], list[i*x.host.size:])
		}
	}
	return negative(t.put32(va, uint32(got*x.guest.size)))
}
