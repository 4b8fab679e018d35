//go:build linux && amd64

package proc

import (
	"debug/elf"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

var moving sync.Mutex

// Yield has the runtime's poller leave a descriptor's number, which the guest
// asks for (dup2(2)). It reports whether it could. Waits that have begun go on:
// the kernel keeps what they wait for.
func Yield(fd int) bool {
	return yield(fd, 1000, below+3) // beyond what programs ask for
}

// yield has the new number be least, or more.
func yield(fd int, least ...int) bool {
	moving.Lock()
	defer moving.Unlock()
	p := &theirs
	switch {
	case !IsOwn(fd):
		return true
	case fd == int(p.epoll):
		at := initialized(-1, int32(fd))
		if at == nil || !p.leave(&p.epoll, least) {
			return false
		}
		atomic.StoreInt32(at, int32(p.epoll))
		return true
	case fd == int(p.event):
		// What epoll says of it is where the runtime has its number.
		at := (*uintptr)(pointer(uintptr(uint32(p.ctl.Fd)) | uintptr(uint32(p.ctl.Pad))<<32))
		if p.ctl.Events == 0 || atomic.LoadUintptr(at) != p.event || !p.leave(&p.event, least) {
			return false
		}
		atomic.StoreUintptr(at, p.event)
		return true
	}
	return false
}

// leave gives a descriptor another number, of the first least that there is. The old
// one stays open until the guest takes it.
func (p *poller) leave(fd *uintptr, numbers []int) bool {
	for _, least := range numbers {
		if n, err := unix.FcntlInt(*fd, unix.F_DUPFD_CLOEXEC, least); err == nil {
			*fd = uintptr(n)
			return true
		}
	}
	return false
}

// initialized finds the runtime's variable that was one number when the program
// began, as its file says, and is another now; nil if there is none, or there
// are several.
func initialized(was, is int32) (at *int32) {
	dir, path := files.at("/proc/self/exe")
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var h elf.Header64
	b := make([]byte, unsafe.Sizeof(h))
	if _, err := unix.Pread(fd, b, 0); err != nil {
		return nil
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &h); err != nil || elf.Type(h.Type) != elf.ET_EXEC {
		return nil
	}
	for i := range int64(h.Phnum) {
		var s elf.Prog64
		b := make([]byte, unsafe.Sizeof(s))
		if _, err := unix.Pread(fd, b, int64(h.Phoff)+i*int64(h.Phentsize)); err != nil {
			return nil
		}
		binary.Decode(b, binary.LittleEndian, &s)
		if elf.ProgType(s.Type) != elf.PT_LOAD || elf.ProgFlag(s.Flags)&elf.PF_W == 0 {
			continue
		}
		b = make([]byte, s.Filesz)
		if n, err := unix.Pread(fd, b, int64(s.Off)); err != nil || n != len(b) {
			return nil
		}
		for i := 0; i+4 <= len(b); i += 4 {
			now := (*int32)(pointer(uintptr(s.Vaddr) + uintptr(i)))
			if int32(binary.LittleEndian.Uint32(b[i:])) == was && atomic.LoadInt32(now) == is {
				if at != nil {
					return nil
				}
				at = now
			}
		}
	}
	return at
}
