package linux

import (
	"golang.org/x/sys/unix"
)

// request is how a request of ioctl's is done that is not one with the address
// of a structure which the guest and the host have alike, without pointers.
type request struct {
	// host is the host's number, if a 32-bit program has another one.
	host uint32
	// layout is that of the structure, or one of the words below.
	layout string
}

// What a request's layout may be instead of a structure.
const (
	// value: the argument is a number, or there is none.
	value = "-value"
	// same: the structure is alike, its size is that of the host's number.
	same = "-same"
	list = "-list" // struct ifconf, which names an array
	none = "-none" // not supported
)

// requests are the requests by the guest's number: 32-bit programs have those of
// both kinds (asm-generic/ioctls.h, linux/fs.h, sockios.h, loop.h, if_tun.h, …).
// A structure's field "data" is a pointer.
func requests() map[uint32]request {
	m := map[uint32]request{
		0x80041270: {0x80081270, same}, 0x40041271: {0x40081271, same}, 0x80041272: {0x80081272, same}, // BLKBSZGET, BLKBSZSET, BLKGETSIZE64
		0x80046601: {0x80086601, same}, 0x40046602: {0x40086602, same}, // FS_IOC_GETFLAGS, FS_IOC_SETFLAGS
		0x80047601: {0x80087601, same}, 0x40047602: {0x40087602, same}, // FS_IOC_GETVERSION, FS_IOC_SETVERSION
		0x1260: {0, "long"}, 0x1263: {0, "long"}, 0x1265: {0, "long"}, // BLKGETSIZE, BLKRAGET, BLKFRAGET
		0x1269: {0, "blkpg"}, 0x301: {0, "hd_geometry"}, // BLKPG, HDIO_GETGEO
		0x4c02: {0, "loop_info"}, 0x4c03: {0, "loop_info"}, // LOOP_SET_STATUS, LOOP_GET_STATUS
		0x541e: {0, "serial"}, 0x541f: {0, "serial"}, // TIOCGSERIAL, TIOCSSERIAL

		0x8906: {0, "timeval"}, 0x8907: {0, "timespec"}, // SIOCGSTAMP, SIOCGSTAMPNS
		0x890b: {0, "rtentry"}, 0x890c: {0, "rtentry"}, // SIOCADDRT, SIOCDELRT
		0x8912: {0, list},                                  // SIOCGIFCONF
		0x8970: {0, "ifreq_map"}, 0x8971: {0, "ifreq_map"}, // SIOCGIFMAP, SIOCSIFMAP
		0x8946: {0, "ifreq_data"},                            // SIOCETHTOOL
		0x8993: {0, "ifreq_data"}, 0x8994: {0, "ifreq_data"}, // SIOCBONDSLAVEINFOQUERY, SIOCBONDINFOQUERY
		0x89b0: {0, "ifreq_data"}, 0x89b1: {0, "ifreq_data"}, // SIOCSHWTSTAMP, SIOCGHWTSTAMP
		0x894a:     {0, none},                              // SIOCWANDEV
		0x400454ca: {0, "ifreq"}, 0x800454d2: {0, "ifreq"}, // TUNSETIFF, TUNGETIFF
		0x2285: {0, none}, // SG_IO
	}
	for nr := uint32(0x8910); nr < 0x89b0; nr++ { // struct ifreq
		switch {
		case m[nr].layout != "":
		case nr >= 0x8953 && nr <= 0x8955, nr >= 0x8960 && nr <= 0x8962: // SIOC…ARP, SIOC…RARP: struct arpreq
		case nr >= 0x8940 && nr <= 0x8941, nr == 0x8982, nr == 0x8983, nr == 0x89a0, nr == 0x89a1: // bridges and VLANs
		default:
			m[nr] = request{0, "ifreq"}
		}
	}
	for nr := uint32(0x89f0); nr < 0x8a00; nr++ { // SIOCDEVPRIVATE: tunnels
		m[nr] = request{0, "ifreq_data"}
	}
	for nr := uint32(0x8b00); nr < 0x8c00; nr++ { // of wireless networks
		m[nr] = request{0, none}
	}
	for _, nr := range []uint32{
		unix.TCSBRK, unix.TCXONC, unix.TCFLSH, unix.TIOCSCTTY, unix.TIOCNOTTY, unix.TIOCEXCL, unix.TIOCNXCL, unix.TCSBRKP,
		0x5427, 0x5428, 0x541d, 0x5437, 0x5441, 0x40045436, // TIOCSBRK, TIOCCBRK, TIOCCONS, TIOCVHANGUP, TIOCGPTPEER, TIOCSIG
		0x5450, 0x5451, // FIONCLEX, FIOCLEX
		0x4b2f, 0x4b30, 0x4b32, 0x4b3a, 0x4b45, 0x4b63, // KIOCSOUND, KDMKTONE, KDSETLED, KDSETMODE, KDSKBMODE, KDSKBMETA
		0x5605, 0x5606, 0x5607, 0x5608, // VT_RELDISP, VT_ACTIVATE, VT_WAITACTIVE, VT_DISALLOCATE
		0x125f, 0x1261, 0x1262, 0x1264, // BLKRRPART, BLKFLSBUF, BLKRASET, BLKFRASET
		0x4c00, 0x4c01, 0x4c06, 0x4c07, 0x4c08, 0x4c09, 0x4c80, 0x4c81, 0x4c82, // LOOP_SET_FD …, LOOP_CTL_ADD, LOOP_CTL_REMOVE, LOOP_CTL_GET_FREE
		0x40049409,                                                                                             // FICLONE
		0x5307, 0x5308, 0x5309, 0x530f, 0x5319, 0x5320, 0x5321, 0x5322, 0x5325, 0x5326, 0x5327, 0x5328, 0x5329, // CDROM…
		0xab00, 0xab01, 0xab02, 0xab03, 0xab04, 0xab05, 0xab06, 0xab07, 0xab08, 0xab09, 0xab0a, // NBD_…
		0x400454c8, 0x400454c9, 0x400454cb, 0x400454cc, 0x400454cd, 0x400454ce, 0x400454d0, // TUNSETNOCSUM, TUNSETDEBUG, TUNSETPERSIST, …
		0x40044590,                     // EVIOCGRAB
		0xb701, 0xb702, 0xb703, 0xb704, // NS_GET_…
	} {
		m[nr] = request{0, value}
	}
	return m
}

func sysIoctl(t *Thread, a *[6]uint64) uint64 {
	nr := uint32(a[1])
	call := func(arg uintptr) uint64 { return t.wait(unix.SYS_IOCTL, fd(a[0]), uintptr(nr), arg) }
	r := t.p.requests()[nr]
	switch r.layout {
	case value:
		return call(uintptr(a[2]))
	case none:
		t.p.cfg.Log.Unimp("ioctl %#x is not built", nr)
		return negative(unix.EOPNOTSUPP)
	case list:
		return t.ifconf(a[0], a[2])
	case "rtentry":
		if domain, err := unix.GetsockoptInt(int(int32(a[0])), unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_INET6 {
			r.layout = "in6_rtmsg"
		}
		fallthrough
	default:
		return t.structureIoctl(nr, r.layout, a)
	case same:
		nr = r.host
	case "":
	}
	n := uint64(256)
	if size := uint64(nr >> 16 & 0x3fff); size > 0 {
		n = size
	}
	return call(t.output(a[2], n))
}

// structureIoctl is a request with a structure that is to be converted.
func (t *Thread) structureIoctl(nr uint32, layout string, a *[6]uint64) uint64 {
	x := t.p.types.of(layout)
	b := t.room(layout)
	if src := t.p.sp.readable(a[2], uint64(x.guest.size)); src != nil {
		x.in.do(b, src)
	} else {
		return negative(unix.EFAULT)
	}
	var data uint64
	if f := x.host.find("data"); f != nil && !f.bytes {
		data = x.host.get(f, b)
		x.host.put(f, b, uint64(t.output(data, page)))
	}
	r := t.wait(unix.SYS_IOCTL, fd(a[0]), uintptr(nr), ref(b))
	if failed(r) || t.p.sp.writable(a[2], uint64(x.guest.size)) == nil { // the kernel does not write all
		return r
	}
	if f := x.host.find("data"); f != nil && !f.bytes {
		x.host.put(f, b, data)
	}
	return t.outAfter(r, layout, a[2], b)
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
	r := t.wait(unix.SYS_IOCTL, fd(f), unix.SIOCGIFCONF, ref(head))
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
