//go:build linux && amd64

package proc

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// procfs is where the files of /proc are: at there, or where that is another
// file system's folder or shows another name space of processes', in one of our
// own, which takes a privilege (fsopen(2)).
type procfs struct {
	dir uintptr // a descriptor, 0 = /proc is used
	// foreign: the numbers of threads that are listed are not ours. NSpid is
	// (proc(5), status).
	foreign bool
}

var files procfs

var (
	procDir   = [...]byte{'/', 'p', 'r', 'o', 'c', '/'}
	fsName    = [...]byte{'p', 'r', 'o', 'c', 0}
	taskDir   = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 't', 'a', 's', 'k', 0}
	statusKey = [...]byte{'N', 'S', 'p', 'i', 'd', ':'}

	limits     [2]unix.Rlimit
	statusName [32]byte
	statusText [4096]byte
)

// open opens a file, of which path is the name below /proc and ends with 0.
//
//go:nosplit
func (p *procfs) open(path *byte, flags uintptr) uintptr {
	flags |= unix.O_CLOEXEC
	if p.dir == 0 {
		fd := raw(unix.SYS_OPEN, uintptr(unsafe.Pointer(path)), flags, 0, 0, 0, 0)
		if fd == ^uintptr(unix.EMFILE-1) {
			return beyond(path, flags)
		}
		if fd <= ^uintptr(4095) || !p.mount() {
			return fd
		}
	}
	return raw(unix.SYS_OPENAT, p.dir, uintptr(unsafe.Pointer(path))+uintptr(len(procDir)), flags, 0, 0, 0)
}

// beyond opens a file though the process has as many as it may.
//
//go:nosplit
func beyond(path *byte, flags uintptr) uintptr {
	const few = 16
	was, more := &limits[0], &limits[1]
	raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, 0, uintptr(unsafe.Pointer(was)), 0, 0)
	more.Cur = was.Cur + few
	more.Max = max(was.Max, more.Cur) // which takes a privilege
	raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(more)), 0, 0, 0)
	fd := raw(unix.SYS_OPEN, uintptr(unsafe.Pointer(path)), flags, 0, 0, 0, 0)
	raw(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(was)), 0, 0, 0)
	return fd
}

// mount makes a file system that no other process sees.
//
//go:nosplit
func (p *procfs) mount() bool {
	const create = 6 // FSCONFIG_CMD_CREATE, linux/mount.h
	fs := raw(unix.SYS_FSOPEN, uintptr(unsafe.Pointer(&fsName)), unix.FSOPEN_CLOEXEC, 0, 0, 0, 0)
	if fs > ^uintptr(4095) {
		return false
	}
	raw(unix.SYS_FSCONFIG, fs, create, 0, 0, 0, 0)
	dir := raw(unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, 0, 0, 0, 0)
	raw(unix.SYS_CLOSE, fs, 0, 0, 0, 0, 0)
	if dir > ^uintptr(4095) {
		return false
	}
	// Out of the guest's way.
	if high := raw(unix.SYS_FCNTL, dir, unix.F_DUPFD_CLOEXEC, below+3, 0, 0, 0); high <= ^uintptr(4095) {
		raw(unix.SYS_CLOSE, dir, 0, 0, 0, 0, 0)
		dir = high
	}
	if p.dir != 0 {
		raw(unix.SYS_CLOSE, p.dir, 0, 0, 0, 0, 0)
	}
	p.dir = dir
	return true
}

// thread is the number of the thread whose folder in tasks, an open descriptor,
// has a name, which ends with 0; 0 = it has ended.
//
//go:nosplit
func (p *procfs) thread(tasks, name uintptr) uintptr {
	n := 0
	for _, c := range [...]byte{'/', 's', 't', 'a', 't', 'u', 's', 0} {
		if c == '/' {
			for ; n < len(statusName)-8; n++ {
				d := *(*byte)(pointer2(name + uintptr(n)))
				if d == 0 {
					break
				}
				statusName[n] = d
			}
		}
		statusName[n] = c
		n++
	}
	fd := raw(unix.SYS_OPENAT, tasks, uintptr(unsafe.Pointer(&statusName)), unix.O_CLOEXEC, 0, 0, 0)
	if fd > ^uintptr(4095) {
		return 0
	}
	size := raw(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&statusText)), uintptr(len(statusText)-1), 0, 0, 0)
	raw(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
	if size > ^uintptr(4095) {
		return 0
	}
	return lastNumber(statusText[:size])
}

// lastNumber is the last one of the line that begins with statusKey: a number for
// each name space, from the outermost.
//
//go:nosplit
func lastNumber(text []byte) (v uintptr) {
	at := 0 // of statusKey
	for _, c := range text {
		switch {
		case at < len(statusKey):
			if c == statusKey[at] {
				at++
			} else if at = 0; c == statusKey[0] {
				at = 1
			}
		case c == '\n':
			return v
		case c-'0' > 9:
			v = 0
		default:
			v = v*10 + uintptr(c-'0')
		}
	}
	return 0
}

// at is what a name below /proc is for openat(2) and its like.
func (p *procfs) at(name string) (dir int, path string) {
	if p.dir == 0 {
		return unix.AT_FDCWD, name
	}
	return int(p.dir), name[len(procDir):]
}

// ProcFile is what a name below /proc is for openat(2) and its like; it is that
// name, unless there is no such file.
func ProcFile(name string) (dir int, path string) {
	if files.dir == 0 && unix.Access(name, unix.F_OK) == unix.ENOENT {
		files.mount()
	}
	return files.at(name)
}
