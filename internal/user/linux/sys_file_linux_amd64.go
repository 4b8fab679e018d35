package linux

import (
	"encoding/binary"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/user/linux/proc"
)

const atFDCWD = ^uintptr(99) // AT_FDCWD, -100

func fd(v uint64) uintptr { return uintptr(int64(int32(v))) }

// fileCalls are those that concern files.
func fileCalls() map[string]handler {
	return map[string]handler{
		"open":    func(t *Thread, a *[6]uint64) uint64 { return t.openAt(atFDCWD, a[0], a[1], a[2]) },
		"openat":  func(t *Thread, a *[6]uint64) uint64 { return t.openAt(fd(a[0]), a[1], a[2], a[3]) },
		"openat2": sysOpenat2,
		"creat": func(t *Thread, a *[6]uint64) uint64 {
			return t.openAt(atFDCWD, a[0], unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, a[1])
		},
		"close":       sysClose,
		"close_range": sysCloseRange,
		"dup2":        dupCall(unix.SYS_DUP2),
		"dup3":        dupCall(unix.SYS_DUP3),
		"readlink": func(t *Thread, a *[6]uint64) uint64 {
			return t.readlinkAt(atFDCWD, a[0], a[1], a[2])
		},
		"readlinkat": func(t *Thread, a *[6]uint64) uint64 { return t.readlinkAt(fd(a[0]), a[1], a[2], a[3]) },
		"umount": func(t *Thread, a *[6]uint64) uint64 {
			p, errno := t.pathArg(a[0])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_UMOUNT2, p, 0)
		},
		"stat": statCall("stat", 0), "lstat": statCall("stat", unix.AT_SYMLINK_NOFOLLOW), "fstat": fstatCall("stat"),
		"stat64": statCall("stat64", 0), "lstat64": statCall("stat64", unix.AT_SYMLINK_NOFOLLOW), "fstat64": fstatCall("stat64"),
		"fstatat64": func(t *Thread, a *[6]uint64) uint64 { return t.statAt("stat64", fd(a[0]), a[1], a[2], a[3]) },
		"statfs":    func(t *Thread, a *[6]uint64) uint64 { return t.statfs("statfs", a[0], a[1]) },
		"fstatfs":   func(t *Thread, a *[6]uint64) uint64 { return t.fstatfs("statfs", a[0], a[1]) },
		"statfs64":  func(t *Thread, a *[6]uint64) uint64 { return t.statfs("statfs64", a[0], a[2]) },
		"fstatfs64": func(t *Thread, a *[6]uint64) uint64 { return t.fstatfs("statfs64", a[0], a[2]) },
		"statx": func(t *Thread, a *[6]uint64) uint64 {
			p, errno := t.pathArg(a[1])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_STATX, fd(a[0]), p, uintptr(a[2]), uintptr(a[3]), t.output(a[4], 256))
		},
		"getdents64": sysGetdents64,
		"lseek": func(t *Thread, a *[6]uint64) uint64 {
			r := t.seek(a[0], uint64(t.long(a[1])), a[2])
			if t.p.abi.Long == 4 && !failed(r) && r > 0x7fffffff {
				return negative(unix.EOVERFLOW)
			}
			return r
		},
		"_llseek": sysLlseek,
		"pread64": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_PREAD64, fd(a[0]), t.output(a[1], a[2]), uintptr(a[2]), offset(a[3], a[4]))
		},
		"pwrite64": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_PWRITE64, fd(a[0]), t.pointer(a[1]), uintptr(a[2]), offset(a[3], a[4]))
		},
		"readv":  vectorCall(unix.SYS_READV, true, 0),
		"writev": vectorCall(unix.SYS_WRITEV, false, 0),
		"preadv": vectorCall(unix.SYS_PREADV, true, 2), "pwritev": vectorCall(unix.SYS_PWRITEV, false, 2),
		"preadv2": vectorCall(unix.SYS_PREADV2, true, 3), "pwritev2": vectorCall(unix.SYS_PWRITEV2, false, 3),
		"vmsplice": func(t *Thread, a *[6]uint64) uint64 {
			v, errno := t.iovec(a[1], a[2], true)
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_VMSPLICE, fd(a[0]), ref(v), uintptr(a[2]), uintptr(a[3]))
		},
		"truncate64": func(t *Thread, a *[6]uint64) uint64 {
			p, errno := t.pathArg(a[0])
			if errno != 0 {
				return negative(errno)
			}
			return t.wait(unix.SYS_TRUNCATE, p, offset(a[1], a[2]))
		},
		"ftruncate64": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FTRUNCATE, fd(a[0]), offset(a[1], a[2]))
		},
		"readahead": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_READAHEAD, fd(a[0]), offset(a[1], a[2]), uintptr(a[3]))
		},
		"fadvise64": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FADVISE64, fd(a[0]), offset(a[1], a[2]), uintptr(a[3]), uintptr(a[4]))
		},
		"fadvise64_64": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FADVISE64, fd(a[0]), offset(a[1], a[2]), offset(a[3], a[4]), uintptr(a[5]))
		},
		"sync_file_range": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_SYNC_FILE_RANGE, fd(a[0]), offset(a[1], a[2]), offset(a[3], a[4]), uintptr(a[5]))
		},
		"fallocate": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FALLOCATE, fd(a[0]), uintptr(a[1]), offset(a[2], a[3]), offset(a[4], a[5]))
		},
		"pread64_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_PREAD64, fd(a[0]), t.output(a[1], a[2]), uintptr(a[2]), uintptr(a[3]))
		},
		"pwrite64_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_PWRITE64, fd(a[0]), t.pointer(a[1]), uintptr(a[2]), uintptr(a[3]))
		},
		"readahead_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_READAHEAD, fd(a[0]), uintptr(a[1]), uintptr(a[2]))
		},
		"fadvise64_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FADVISE64, fd(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]))
		},
		"sync_file_range_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_SYNC_FILE_RANGE, fd(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]))
		},
		"fallocate_whole": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FALLOCATE, fd(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]))
		},
		"sendfile": sysSendfile,
		"getdents": sysGetdents,
		"readdir":  sysReaddir,
		"fcntl":    sysFcntl, "fcntl64": sysFcntl,
		"ioctl": sysIoctl,
		"chown": func(t *Thread, a *[6]uint64) uint64 { return t.chown16(atFDCWD, a[0], a[1], a[2], 0) },
		"lchown": func(t *Thread, a *[6]uint64) uint64 {
			return t.chown16(atFDCWD, a[0], a[1], a[2], unix.AT_SYMLINK_NOFOLLOW)
		},
		"fchown": func(t *Thread, a *[6]uint64) uint64 {
			return t.wait(unix.SYS_FCHOWN, fd(a[0]), id16(a[1]), id16(a[2]))
		},
		"getcwd": sysGetcwd,
	}
}

func statCall(layout string, flags uint64) handler {
	return func(t *Thread, a *[6]uint64) uint64 { return t.statAt(layout, atFDCWD, a[0], a[1], flags) }
}

func (t *Thread) statAt(layout string, dir uintptr, path, to, flags uint64) uint64 {
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	b := t.room(layout)
	return t.putStat(t.wait(unix.SYS_NEWFSTATAT, dir, p, ref(b), uintptr(flags)), layout, to, b)
}

func fstatCall(layout string) handler {
	return func(t *Thread, a *[6]uint64) uint64 {
		b := t.room(layout)
		return t.putStat(t.wait(unix.SYS_FSTAT, fd(a[0]), ref(b)), layout, a[1], b)
	}
}

func (t *Thread) putStat(r uint64, layout string, to uint64, b []byte) uint64 {
	if failed(r) {
		return r
	}
	x := t.p.types.of(layout)
	if errno := t.out(layout, to, b); errno != 0 {
		return negative(errno)
	}
	if f := x.guest.find("ino32"); f != nil {
		x.guest.put(f, t.p.sp.all[to:], x.host.value(b, "ino"))
	}
	return r
}

func (t *Thread) statfs(layout string, path, to uint64) uint64 {
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	b := t.room(layout)
	return t.outAfter(t.wait(unix.SYS_STATFS, p, ref(b)), layout, to, b)
}

func (t *Thread) fstatfs(layout string, f, to uint64) uint64 {
	b := t.room(layout)
	return t.outAfter(t.wait(unix.SYS_FSTATFS, fd(f), ref(b)), layout, to, b)
}

// openAt opens a file. Those of /proc that describe the process describe the
// guest's.
func (t *Thread) openAt(dir uintptr, path, flags, mode uint64) uint64 {
	if b := t.p.sp.readable(path, 6); b != nil && string(b[:6]) == "/proc/" {
		if name, errno := t.p.sp.text(path); errno == 0 {
			if r, ok := t.openProc(name, flags); ok {
				return r
			}
		}
	}
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	// A 64-bit kernel adds O_LARGEFILE itself: files of any size are the same.
	return t.wait(unix.SYS_OPENAT, dir, p, uintptr(flags&^0o100000), uintptr(mode))
}

func sysOpenat2(t *Thread, a *[6]uint64) uint64 {
	p, errno := t.pathArg(a[1])
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_OPENAT2, fd(a[0]), p, t.pointer(a[2]), uintptr(a[3]))
}

func sysClose(t *Thread, a *[6]uint64) uint64 {
	return t.wait(unix.SYS_CLOSE, fd(a[0]))
}

// dupCall is dup2 and dup3, with a mode in the third argument.
func dupCall(nr uintptr) handler {
	return func(t *Thread, a *[6]uint64) uint64 {
		if !proc.Yield(int(int32(a[1]))) {
			return negative(unix.EBADF)
		}
		return t.wait(nr, fd(a[0]), fd(a[1]), uintptr(a[2]))
	}
}

// sysCloseRange leaves out what is not the guest's.
func sysCloseRange(t *Thread, a *[6]uint64) uint64 {
	first, last := uint64(uint32(a[0])), uint64(uint32(a[1]))
	if first > last {
		return negative(unix.EINVAL)
	}
	for _, own := range proc.Own(nil) {
		if own := uint64(own); own >= first && own <= last {
			if own > first {
				if r := t.raw(unix.SYS_CLOSE_RANGE, uintptr(first), uintptr(own-1), uintptr(a[2])); failed(r) {
					return r
				}
			}
			first = own + 1
		}
	}
	if first > last {
		return 0
	}
	return t.raw(unix.SYS_CLOSE_RANGE, uintptr(first), uintptr(last), uintptr(a[2]))
}

// ownProc returns what a name below /proc says of this process: "exe", "maps".
func ownProc(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "/proc/")
	if !ok {
		return "", false
	}
	who, what, ok := strings.Cut(rest, "/")
	if !ok {
		return "", false
	}
	if who == "self" || who == "thread-self" || who == strconv.Itoa(unix.Getpid()) {
		return what, true
	}
	return "", false
}

func (t *Thread) readlinkAt(dir uintptr, path, to, n uint64) uint64 {
	name, errno := t.p.sp.text(path)
	if errno != 0 {
		return negative(errno)
	}
	if what, ok := ownProc(name); ok && what == "exe" {
		n = min(n, uint64(len(t.p.exe)))
		dst := t.p.sp.writable(to, n)
		if dst == nil {
			return negative(unix.EFAULT)
		}
		return uint64(copy(dst, t.p.exe))
	}
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_READLINKAT, dir, p, t.output(to, n), uintptr(n))
}

func sysGetcwd(t *Thread, a *[6]uint64) uint64 {
	return t.wait(unix.SYS_GETCWD, t.output(a[0], a[1]), uintptr(a[1]))
}

func sysLlseek(t *Thread, a *[6]uint64) uint64 {
	r := t.seek(a[0], uint64(offset(a[2], a[1])), a[4])
	if failed(r) {
		return r
	}
	b := t.p.sp.writable(a[3], 8)
	if b == nil {
		return negative(unix.EFAULT)
	}
	t.p.abi.Order.PutUint64(b, r)
	return 0
}

// iovec makes the host's vector of a guest's; out says that the host writes.
func (t *Thread) iovec(va, n uint64, out bool) ([]byte, unix.Errno) {
	if n > 1024 {
		return nil, unix.EINVAL
	}
	x := t.p.types.of("iovec")
	size := uint64(x.guest.size)
	src := t.p.sp.readable(va, n*size)
	if src == nil {
		return nil, unix.EFAULT
	}
	b := t.alloc(int(n) * 16)
	for i := range n {
		base, length := x.guest.value(src[i*size:], "base"), x.guest.value(src[i*size:], "len")
		if t.long(length) < 0 {
			return nil, unix.EINVAL
		}
		p := t.pointer(base)
		if out {
			p = t.output(base, length)
		}
		le.PutUint64(b[16*i:], uint64(p))
		le.PutUint64(b[16*i+8:], length)
	}
	return b, 0
}

// vectorCall is readv and its like, with so many arguments behind the vector.
func vectorCall(nr uintptr, out bool, more int) handler {
	return func(t *Thread, a *[6]uint64) uint64 {
		v, errno := t.iovec(a[1], a[2], out)
		if errno != 0 {
			return negative(errno)
		}
		h := []uintptr{fd(a[0]), ref(v), uintptr(a[2]), 0, 0, 0}
		switch {
		case more < 2:
		case t.p.abi.Long == 8:
			h[3] = uintptr(a[3])
		default:
			h[3] = offset(a[3], a[4])
		}
		if more == 3 {
			h[5] = uintptr(a[5])
		}
		return t.wait(nr, h...)
	}
}

func sysSendfile(t *Thread, a *[6]uint64) uint64 {
	if a[2] == 0 {
		return t.wait(unix.SYS_SENDFILE, fd(a[0]), fd(a[1]), 0, uintptr(a[3]))
	}
	off, errno := t.getWord(a[2])
	if errno != 0 {
		return negative(errno)
	}
	b := t.alloc(8)
	le.PutUint64(b, uint64(t.long(off)))
	r := t.wait(unix.SYS_SENDFILE, fd(a[0]), fd(a[1]), ref(b), uintptr(a[3]))
	if errno := t.putWord(a[2], le.Uint64(b)); errno != 0 && !failed(r) {
		return negative(errno)
	}
	return r
}

// dirOffset is the place of an entry in a directory, as programs are told. Those
// of ext4 are hashes: 64-bit programs get 63 bits of them, others the upper half.
func (t *Thread) dirOffset(off uint64) uint64 {
	if t.p.abi.Long == 8 || off>>31 == 0 {
		return off
	}
	t.p.hashes.Store(true)
	return off >> 32
}

// seek is lseek; in a directory it takes what dirOffset has made.
func (t *Thread) seek(f, off, whence uint64) uint64 {
	const ext4 = 0xef53
	if t.p.hashes.Load() && whence == unix.SEEK_SET && off != 0 && off>>31 == 0 {
		var st unix.Stat_t
		var fs unix.Statfs_t
		n := int(int32(f))
		if unix.Fstat(n, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && unix.Fstatfs(n, &fs) == nil && fs.Type == ext4 {
			off <<= 32
			if r := t.raw(unix.SYS_LSEEK, fd(f), uintptr(off), unix.SEEK_SET); failed(r) {
				return r
			}
			return off >> 32
		}
	}
	return t.raw(unix.SYS_LSEEK, fd(f), uintptr(off), uintptr(whence))
}

func sysGetdents64(t *Thread, a *[6]uint64) uint64 {
	var r uint64
	var dst []byte
	for { // until something is left that is the guest's
		r = t.wait(unix.SYS_GETDENTS64, fd(a[0]), t.output(a[1], a[2]), uintptr(a[2]))
		if failed(r) || r == 0 {
			return r
		}
		if dst = t.p.sp.writable(a[1], r); dst == nil {
			return negative(unix.EFAULT)
		}
		if r = t.hideEntries(int(int32(a[0])), dst); r > 0 {
			break
		}
	}
	if t.p.abi.Long == 8 {
		return r
	}
	dst = dst[:r]
	for b := dst; len(b) >= 19; { // struct linux_dirent64 is alike for all
		le.PutUint64(b[8:], t.dirOffset(le.Uint64(b[8:])))
		size := le.Uint16(b[16:])
		if int(size) > len(b) || size == 0 {
			break
		}
		b = b[size:]
	}
	return r
}

// sysGetdents converts struct linux_dirent: inode, offset, length, name, and
// the type behind the name.
// sysReaddir is readdir(2), which tells of one entry: struct old_linux_dirent of its
// number, offset, and the length of its name.
func sysReaddir(t *Thread, a *[6]uint64) uint64 {
	const most = 19 + 256 // of an entry of the host's
	for {
		b := t.alloc(most + 5)
		r := t.wait(unix.SYS_GETDENTS64, fd(a[0]), ref(b), uintptr(len(b)))
		if failed(r) || r == 0 {
			return r
		}
		b = b[:le.Uint16(b[16:])]
		ino, off := le.Uint64(b), le.Uint64(b[8:])
		if r := t.raw(unix.SYS_LSEEK, fd(a[0]), uintptr(off), unix.SEEK_SET); failed(r) { // others may have come with it
			return r
		}
		if t.hideEntries(int(int32(a[0])), b) == 0 {
			continue
		}
		name, _, _ := strings.Cut(string(b[19:]), "\x00")
		long := uint64(t.p.abi.Long)
		e1, e2 := t.putWord(a[1], ino), t.putWord(a[1]+long, t.dirOffset(off))
		dst := t.p.sp.writable(a[1]+2*long, 2+uint64(len(name))+1)
		if e1|e2 != 0 || dst == nil {
			return negative(unix.EFAULT)
		}
		t.p.abi.Order.PutUint16(dst, uint16(len(name)))
		copy(dst[2:], name+"\x00")
		return 1
	}
}

func sysGetdents(t *Thread, a *[6]uint64) uint64 {
	long := uint64(t.p.abi.Long)
	n := min(a[2], 1<<20)
	dst := t.p.sp.writable(a[1], n)
	if dst == nil {
		return negative(unix.EFAULT)
	}
	b := t.alloc(int(n))
	var r uint64
	for {
		r = t.wait(unix.SYS_GETDENTS64, fd(a[0]), ref(b), uintptr(n))
		if failed(r) || r == 0 {
			return r
		}
		if r = t.hideEntries(int(int32(a[0])), b[:r]); r > 0 {
			break
		}
	}
	// An entry of getdents64 is 19 bytes and the name, and never shorter than
	// the guest's: all fit.
	o := t.p.abi.Order
	used := uint64(0)
	for src := b[:r]; len(src) >= 19; {
		size := binary.LittleEndian.Uint16(src[16:])
		name := src[19:size]
		if i := strings.IndexByte(string(name), 0); i >= 0 {
			name = name[:i]
		}
		head := 2*long + 2
		length := (head + uint64(len(name)) + 2 + long - 1) &^ (long - 1)
		if used+length > n {
			break
		}
		e := dst[used : used+length]
		clear(e)
		ino, off := binary.LittleEndian.Uint64(src), t.dirOffset(binary.LittleEndian.Uint64(src[8:]))
		if long == 4 {
			o.PutUint32(e, uint32(ino))
			o.PutUint32(e[4:], uint32(off))
		} else {
			o.PutUint64(e, ino)
			o.PutUint64(e[8:], off)
		}
		o.PutUint16(e[2*long:], uint16(length))
		copy(e[head:], name)
		e[length-1] = src[18]
		used += length
		src = src[size:]
	}
	return used
}

// Commands of fcntl that a 64-bit kernel has not (asm-generic/fcntl.h).
const (
	fGetlk64  = 12
	fSetlk64  = 13
	fSetlkw64 = 14
)

func sysFcntl(t *Thread, a *[6]uint64) uint64 {
	cmd := int(a[1])
	layout, host := "flock", cmd
	switch cmd {
	case unix.F_GETLK, unix.F_SETLK, unix.F_SETLKW:
	case fGetlk64, fSetlk64, fSetlkw64:
		layout, host = "flock64", cmd-fGetlk64+unix.F_GETLK
	case unix.F_OFD_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW:
		layout = "flock64"
	case unix.F_GETOWN_EX, unix.F_SETOWN_EX, unix.F_GET_RW_HINT, unix.F_SET_RW_HINT, unix.F_GET_FILE_RW_HINT, unix.F_SET_FILE_RW_HINT:
		return t.wait(unix.SYS_FCNTL, fd(a[0]), uintptr(cmd), t.output(a[2], 16))
	case unix.F_SETFL:
		return t.wait(unix.SYS_FCNTL, fd(a[0]), uintptr(cmd), uintptr(a[2]&^0o100000))
	default:
		return t.wait(unix.SYS_FCNTL, fd(a[0]), uintptr(cmd), uintptr(t.long(a[2])))
	}
	b, errno := t.in(layout, a[2])
	if errno != 0 || b == nil {
		return negative(unix.EFAULT)
	}
	r := t.wait(unix.SYS_FCNTL, fd(a[0]), uintptr(host), ref(b))
	if host == unix.F_GETLK || host == unix.F_OFD_GETLK {
		return t.outAfter(r, layout, a[2], b)
	}
	return r
}

// id16 is a user's number of 16 bits; -1 stays.
func id16(v uint64) uintptr {
	if uint16(v) == 0xffff {
		return ^uintptr(0)
	}
	return uintptr(uint16(v))
}

func (t *Thread) chown16(dir uintptr, path, uid, gid, flags uint64) uint64 {
	p, errno := t.pathArg(path)
	if errno != 0 {
		return negative(errno)
	}
	return t.wait(unix.SYS_FCHOWNAT, dir, p, id16(uid), id16(gid), uintptr(flags))
}

// memoryFile makes a file with content.
func memoryFile(content []byte, flags uint64) uint64 {
	mf := unix.MFD_CLOEXEC
	if flags&unix.O_CLOEXEC == 0 {
		mf = 0
	}
	f, err := unix.MemfdCreate("proc", mf)
	if err != nil {
		return negative(unix.ENOMEM)
	}
	for len(content) > 0 {
		n, err := unix.Write(f, content)
		if err != nil {
			break
		}
		content = content[n:]
	}
	unix.Seek(f, 0, 0)
	if r, err := unix.Open("/proc/self/fd/"+strconv.Itoa(f), unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil { // not to be written to
		unix.Dup3(r, f, int(flags&unix.O_CLOEXEC))
		unix.Close(r)
	}
	return uint64(f)
}
