//go:build linux && amd64

package proc

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Revives reports whether Fork works: the runtime's threads are laid out as it
// expects. ForkExec needs nothing of them.
func Revives() bool { return state.procid != 0 }

// Range is of the host's addresses, Lo to Hi-1, whose contents the child of
// ForkExec saves: the pages that are not a file's, or all if All is set.
type Range struct {
	Lo, Hi uintptr
	All    bool
}

// Successor is the program that the child of ForkExec executes. It takes over
// from a file: its descriptor's number is stored as ten digits at Number, which
// is in one of the environment's strings. The file has the length of Head in
// eight bytes, Head, and entries of two words, an address and a length with so
// many bytes behind them; or a descriptor and CloseOnExec or NotOpen. The last
// entry's length is 0.
type Successor struct {
	Path, Argv, Envp uintptr // as execve(2) has them
	Number           uintptr
	Head             []byte
	Ranges           []Range
	// Pass are descriptors that the program gets whatever their flags, Own those
	// that it does not get.
	Pass, Own []int

	file uintptr
	at   uintptr // where the file's next entry goes
}

// Lengths of entries that are of a descriptor.
const (
	CloseOnExec = ^uint64(0)
	NotOpen     = ^uint64(1)
)

// What /proc/self/pagemap says of a page (Documentation/admin-guide/mm/pagemap).
const (
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageOfFile  = 1 << 61

	pageSize = 4096
)

// Memory of the child's, which does not allocate.
var (
	pagemapName   = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'p', 'a', 'g', 'e', 'm', 'a', 'p', 0}
	fdDir         = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 's', 'e', 'l', 'f', '/', 'f', 'd', 0}
	successorName = [...]byte{'r', 'h', 'e', 'a', 0}
	pagemap       [4096]uint64
	ignoring      = sigaction{handler: 1}
)

// ForkExec forks the process without its other threads, and has the child
// execute a program that takes over. It returns when that has begun, or cannot
// begin. Flags are Fork's, less those that do not outlast execve(2).
func ForkExec(flags uintptr, s *Successor) (pid int, err unix.Errno) {
	forking.Lock()
	defer forking.Unlock()
	b, e := unix.Mmap(-1, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if e != nil {
		return 0, unix.ENOMEM
	}
	defer unix.Munmap(b)
	failure := (*uint32)(unsafe.Pointer(&b[0]))
	old := blockEverything()
	x := forkExec(flags|unix.CLONE_VFORK, s, failure)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	hush() // the runtime may have started threads for the one that stood still
	v, err := result(x)
	if err == 0 && atomic.LoadUint32(failure) != 0 {
		raw(unix.SYS_WAIT4, v, 0, unix.WALL, 0, 0, 0)
		return 0, unix.Errno(*failure)
	}
	return int(v), err
}

// forkExec's child has the caller's thread only: no stack may grow, nothing may
// be allocated.
//
//go:nosplit
func forkExec(flags uintptr, s *Successor, failure *uint32) uintptr {
	if r := cloneProcess(flags, 0); r != 0 {
		return r
	}
	*failure = uint32(-s.succeed())
	for {
		raw(unix.SYS_EXIT_GROUP, 127, 0, 0, 0, 0, 0)
	}
}

// succeed writes the file and executes the program. It returns an error as the
// kernel does.
//
//go:nosplit
func (s *Successor) succeed() uintptr {
	var closed [3]bool
	for i := range closed {
		closed[i] = raw(unix.SYS_FCNTL, uintptr(i), unix.F_GETFD, 0, 0, 0, 0) > ^uintptr(4095)
	}
	s.file = raw(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(&successorName)), 0, 0, 0, 0, 0)
	if s.file > ^uintptr(4095) {
		return s.file
	}
	for i, v := uintptr(10), s.file; i > 0; i, v = i-1, v/10 {
		*(*byte)(pointer2(s.Number + i - 1)) = byte('0' + v%10)
	}
	n := uintptr(len(s.Head))
	if _, r := s.put(uintptr(unsafe.Pointer(&n)), 8, 0); r != 0 {
		return r
	}
	if _, r := s.put(uintptr(unsafe.Pointer(unsafe.SliceData(s.Head))), n, 8); r != 0 {
		return r
	}
	s.at = 8 + n
	if r := s.putRanges(); r != 0 {
		return r
	}
	if r := s.putDescriptors(); r != 0 {
		return r
	}
	for i := range closed {
		if closed[i] && uintptr(i) != s.file {
			if r := s.entry(uintptr(i), uintptr(NotOpen)); r != 0 {
				return r
			}
		}
	}
	if r := s.entry(0, 0); r != 0 {
		return r
	}
	// Signals wait for the program; the runtime's own are unblocked there, and
	// must not come before.
	raw(unix.SYS_RT_SIGACTION, uintptr(unix.SIGURG), uintptr(unsafe.Pointer(&ignoring)), 0, 8, 0, 0)
	raw(unix.SYS_RT_SIGACTION, uintptr(unix.SIGPROF), uintptr(unsafe.Pointer(&ignoring)), 0, 8, 0, 0)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&state.blockAll)), 0, 8, 0, 0)
	return raw(unix.SYS_EXECVE, s.Path, s.Argv, s.Envp, 0, 0, 0)
}

// put writes n bytes at at. It returns how many it could, and why not all; what
// cannot be read there is none.
//
//go:nosplit
func (s *Successor) put(from, n, at uintptr) (done, failure uintptr) {
	for done < n {
		r := raw(unix.SYS_PWRITE64, s.file, from+done, n-done, at+done, 0, 0)
		switch {
		case r == ^uintptr(unix.EFAULT-1):
			return done, 0
		case r > ^uintptr(4095):
			return done, r
		}
		done += r
	}
	return done, 0
}

// entry writes an entry.
//
//go:nosplit
func (s *Successor) entry(a, n uintptr) uintptr {
	e := [2]uintptr{a, n}
	_, r := s.put(uintptr(unsafe.Pointer(&e)), 16, s.at)
	s.at += 16
	return r
}

// memory writes an entry of each part of lo..hi-1 that there is.
//
//go:nosplit
func (s *Successor) memory(lo, hi uintptr) uintptr {
	for lo < hi {
		n, r := s.put(lo, hi-lo, s.at+16)
		if r != 0 {
			return r
		}
		if n != 0 {
			if r := s.entry(lo, n); r != 0 {
				return r
			}
			s.at += n
		}
		lo = (lo + n + pageSize) &^ (pageSize - 1)
	}
	return 0
}

//go:nosplit
func (s *Successor) putRanges() uintptr {
	fd := raw(unix.SYS_OPEN, uintptr(unsafe.Pointer(&pagemapName)), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0, 0)
	if fd > ^uintptr(4095) {
		return fd
	}
	for i := range s.Ranges {
		g := &s.Ranges[i]
		raw(unix.SYS_MPROTECT, g.Lo, g.Hi-g.Lo, unix.PROT_READ, 0, 0, 0)
		var r uintptr
		if g.All {
			r = s.memory(g.Lo, g.Hi)
		} else {
			r = s.pages(fd, g.Lo, g.Hi)
		}
		if r != 0 {
			return r
		}
	}
	raw(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
	return 0
}

// pages writes the pages of lo..hi-1 that are the process' own.
//
//go:nosplit
func (s *Successor) pages(fd, lo, hi uintptr) uintptr {
	for lo < hi {
		n := min((hi-lo)/pageSize, uintptr(len(pagemap)))
		r := raw(unix.SYS_PREAD64, fd, uintptr(unsafe.Pointer(&pagemap)), n*8, lo/pageSize*8, 0, 0)
		if r > ^uintptr(4095) {
			return r
		}
		if n = r / 8; n == 0 {
			return ^uintptr(unix.EIO - 1)
		}
		for i := uintptr(0); i < n; {
			j := i
			for j < n && pagemap[j]&(pagePresent|pageSwapped) != 0 && pagemap[j]&pageOfFile == 0 {
				j++
			}
			if j == i {
				i++
				continue
			}
			if r := s.memory(lo+i*pageSize, lo+j*pageSize); r != 0 {
				return r
			}
			i = j
		}
		lo += n * pageSize
	}
	return 0
}

// putDescriptors has the program get all descriptors but Own; the file says
// which of them are to be closed by the next one.
//
//go:nosplit
func (s *Successor) putDescriptors() uintptr {
	dir := raw(unix.SYS_OPEN, uintptr(unsafe.Pointer(&fdDir)), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0, 0, 0)
	if dir > ^uintptr(4095) {
		return dir
	}
	for {
		n := raw(unix.SYS_GETDENTS64, dir, uintptr(unsafe.Pointer(&dents)), uintptr(len(dents)), 0, 0, 0)
		if n == 0 || n > ^uintptr(4095) {
			break
		}
		for at := uintptr(0); at < n; {
			fd, size, ok := numbered(uintptr(unsafe.Pointer(&dents)) + at)
			if size == 0 {
				break
			}
			at += size
			if !ok || fd == dir || fd == s.file || has(s.Own, fd) {
				continue
			}
			flags := raw(unix.SYS_FCNTL, fd, unix.F_GETFD, 0, 0, 0, 0)
			if flags > ^uintptr(4095) || flags&unix.FD_CLOEXEC == 0 {
				continue
			}
			raw(unix.SYS_FCNTL, fd, unix.F_SETFD, 0, 0, 0, 0)
			if has(s.Pass, fd) {
				continue
			}
			if r := s.entry(fd, uintptr(CloseOnExec)); r != 0 {
				return r
			}
		}
	}
	raw(unix.SYS_CLOSE, dir, 0, 0, 0, 0, 0)
	return 0
}

//go:nosplit
func has(list []int, fd uintptr) bool {
	for _, x := range list {
		if uintptr(x) == fd {
			return true
		}
	}
	return false
}

// numbered is the number that an entry of a directory is called by, and the
// entry's size (struct linux_dirent64 of getdents(2)).
//
//go:nosplit
func numbered(e uintptr) (v, size uintptr, ok bool) {
	size = uintptr(*(*uint16)(pointer2(e + 16)))
	for name := e + 19; ; name++ {
		d := *(*byte)(pointer2(name)) - '0'
		if d > 9 {
			return v, size, ok
		}
		v, ok = v*10+uintptr(d), true
	}
}
