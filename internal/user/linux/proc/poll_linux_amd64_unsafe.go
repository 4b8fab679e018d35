//go:build linux && amd64

package proc

import (
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is what the runtime waits for timers with: an epoll descriptor and an
// eventfd that wakes it. They are opened at first use, wherever there is room;
// the guest's descriptors are to be the guest's, so that is done at the start,
// at high numbers.
type poller struct {
	epoll, event uintptr
	ctl          unix.EpollEvent // what epoll knows of event
}

var theirs poller

// below is what the runtime's descriptors lie right behind, if the limit allows:
// they are the last two that the kernel has room for from the beginning. A table
// of more takes it about 10 ms to make, if there is more than one thread
// (expand_fdtable in the kernel's fs/file.c waits for RCU).
const below = 61

// MovePoller has the runtime open its descriptors, out of the guest's way.
func MovePoller() error {
	limit := below
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && lim.Cur < below+3 {
		limit = max(int(lim.Cur)-16, 3)
	}
	f, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("descriptors: %w", err)
	}
	first := f
	list := []int{f}
	for f < limit {
		if f, err = unix.FcntlInt(uintptr(first), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			break
		}
		list = append(list, f)
	}
	time.AfterFunc(time.Hour, func() {}).Stop()
	if theirs.find(f+1, f+32) && files.mount() {
		theirs.find(f+1, f+32)
	}
	if theirs.epoll == 0 || theirs.event == 0 {
		// Package os has had them opened, for standard streams that do not wait.
		theirs.find(0, first)
	}
	for i := 0; i < len(list); { // ranges: there are few
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if unix.CloseRange(uint(list[i]), uint(list[j]), 0) != nil {
			for _, fd := range list[i : j+1] {
				unix.Close(fd)
			}
		}
		i = j + 1
	}
	if theirs.epoll == 0 || theirs.event == 0 {
		return nil
	}
	if err := theirs.describe(); err != nil {
		return err
	}
	for _, fd := range []uintptr{theirs.epoll, theirs.event} {
		if int(fd) < first && yield(int(fd), limit+1) { // if it cannot, the guest's begin behind it
			unix.Close(int(fd))
		}
	}
	return nil
}

// find looks for the runtime's among the descriptors first..end-1. It reports
// whether none could be looked at.
func (p *poller) find(first, end int) (none bool) {
	name := make([]byte, 64)
	none = true
	for fd := first; fd < end; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			none = false
			continue // the guest's
		}
		dir, path := files.at(fmt.Sprintf("/proc/self/fd/%d", fd))
		n, err := unix.Readlinkat(dir, path, name)
		if err != nil {
			continue
		}
		none = false
		switch string(name[:n]) {
		case "anon_inode:[eventpoll]":
			p.epoll = uintptr(fd)
		case "anon_inode:[eventfd]":
			p.event = uintptr(fd)
		}
		if p.epoll != 0 && p.event != 0 {
			break
		}
	}
	return none
}

// describe finds out what epoll knows of the eventfd (proc(5), fdinfo).
func (p *poller) describe() error {
	dir, path := files.at(fmt.Sprintf("/proc/self/fdinfo/%d", p.epoll))
	f, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the runtime's poller: %w", err)
	}
	defer unix.Close(f)
	b := make([]byte, 1024)
	n, err := unix.Read(f, b)
	if err != nil {
		return fmt.Errorf("the runtime's poller: %w", err)
	}
	for line := range strings.Lines(string(b[:n])) {
		var tfd uintptr
		var events uint32
		var data uint64
		if k, _ := fmt.Sscanf(line, "tfd: %d events: %x data: %x", &tfd, &events, &data); k == 3 && tfd == p.event {
			p.ctl = unix.EpollEvent{Events: events, Fd: int32(data), Pad: int32(data >> 32)}
			return nil
		}
	}
	return fmt.Errorf("the runtime's poller is not what rhea's fork expects")
}

// renew gives the child of a fork a poller of its own at the same descriptors:
// the parent's is shared, and would take each other's wake-ups.
//
//go:nosplit
func (p *poller) renew() {
	if p.ctl.Events == 0 {
		return
	}
	e := raw(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC, 0, 0, 0, 0, 0)
	if e > ^uintptr(4095) { // the process has as many as it may
		raw(unix.SYS_CLOSE, p.epoll, 0, 0, 0, 0, 0)
		raw(unix.SYS_CLOSE, p.event, 0, 0, 0, 0, 0)
		e = raw(unix.SYS_EPOLL_CREATE1, unix.EPOLL_CLOEXEC, 0, 0, 0, 0, 0)
	}
	to(e, p.epoll)
	v := raw(unix.SYS_EVENTFD2, 0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK, 0, 0, 0, 0)
	to(v, p.event)
	raw(unix.SYS_EPOLL_CTL, p.epoll, unix.EPOLL_CTL_ADD, p.event, uintptr(unsafe.Pointer(&p.ctl)), 0, 0)
}

// to moves a descriptor to another number.
//
//go:nosplit
func to(fd, number uintptr) {
	if fd != number {
		raw(unix.SYS_DUP3, fd, number, unix.O_CLOEXEC, 0, 0, 0)
		raw(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
	}
}

// Receive takes what a socket has, without waiting. In the child of a fork it
// takes nothing.
func Receive(fd int, b []byte) (int, unix.Errno) {
	n, errno := Raw(unix.SYS_RECVFROM, uintptr(fd), Address(b), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	if errno == ERESTARTSYS {
		errno = unix.EINTR
	}
	return int(n), errno
}

// Keep has a descriptor be one that the guest cannot close, either.
func Keep(fd int) { kept = append(kept, fd) }

var kept []int

// Own appends the descriptors that are not the guest's to an empty list, in order.
func Own(list []int) []int {
	list = append(list, kept...)
	if theirs.epoll != 0 {
		list = append(list, int(theirs.epoll), int(theirs.event))
	}
	if files.dir != 0 {
		list = append(list, int(files.dir))
	}
	for i := range list {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// IsOwn reports whether a descriptor is not the guest's.
func IsOwn(fd int) bool {
	if fd < 0 {
		return false
	}
	if fd == int(theirs.epoll) || fd == int(theirs.event) {
		return theirs.epoll != 0
	}
	if fd == int(files.dir) {
		return fd != 0
	}
	for _, k := range kept {
		if k == fd {
			return true
		}
	}
	return false
}
