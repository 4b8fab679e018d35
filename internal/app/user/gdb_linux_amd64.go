package user

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rhea/internal/gdbstub"
	"rhea/internal/user/linux"
	"rhea/internal/user/linux/proc"
)

// listenGDB waits for a debugger at a TCP port of this host, or at a socket's
// file in which %d is the process' number (-g).
func listenGDB(where string) (descriptor, error) {
	var fd int
	var err error
	if port, isPort := strconv.ParseUint(where, 10, 16); isPort == nil {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return -1, err
		}
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}})
	} else {
		name := strings.ReplaceAll(where, "%d", strconv.Itoa(os.Getpid()))
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return -1, err
		}
		var st unix.Stat_t
		if unix.Lstat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			unix.Unlink(name)
		}
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	defer unix.Close(fd)
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		return -1, err
	}
	for {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, err
		}
		unix.SetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		defer unix.Close(conn)
		return highDescriptor(conn)
	}
}

// debugged serves a debugger that is connected already.
func debugged(conn descriptor, d *linux.Debug) error {
	linux.KeepDescriptor(int(conn))
	t := &target{Debug: d, x86: gdbstub.NewX86(d.Long(), true, d.Vectors()), out: make(chan gdbstub.Stop, 1), pid: os.Getpid()}
	d.Forked(func() { unix.Close(int(conn)) })
	go func() {
		for x := range d.Stops() {
			t.out <- gdbstub.Stop{
				Thread: x.Thread, Signal: protocolSignal(x.Signal), Break: x.Break, Addr: x.Watched, Watch: t.watchAt(x), Ended: x.Ended, Status: x.Status,
			}
			if x.Ended {
				return
			}
		}
	}()
	go func() {
		gdbstub.Serve(peer{conn, t.pid}, t)
		if os.Getpid() != t.pid { // a child's: the parent goes on
			return
		}
		unix.Close(int(conn))
		d.Ended()
	}()
	return nil
}

// peer is the connection. It does not read what is the parent's in the child of
// a fork.
type peer struct {
	descriptor
	pid int
}

func (c peer) Read(b []byte) (int, error) {
	for {
		unix.Poll([]unix.PollFd{{Fd: int32(c.descriptor), Events: unix.POLLIN}}, -1)
		if os.Getpid() != c.pid {
			return 0, io.EOF
		}
		n, errno := proc.Receive(int(c.descriptor), b)
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			continue
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (c peer) Write(b []byte) (int, error) {
	for done := 0; done < len(b); {
		n, err := unix.SendmsgN(int(c.descriptor), b[done:], nil, nil, unix.MSG_NOSIGNAL)
		if err != nil && err != unix.EINTR {
			return done, err
		}
		done += max(n, 0)
	}
	return len(b), nil
}

// target is a process as the stub knows targets.
type target struct {
	*linux.Debug
	x86     *gdbstub.X86
	out     chan gdbstub.Stop
	pid     int
	watches []watchpoint
}

type watchpoint struct {
	kind       gdbstub.BreakKind
	addr, size uint64
}

func (t *target) Arch() *gdbstub.Arch { return t.x86.Arch }

func (t *target) Stops() <-chan gdbstub.Stop { return t.out }

func (t *target) ThreadName(id int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/comm", id))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (t *target) Registers(id int) gdbstub.Registers {
	if c := t.Processor(id); c != nil {
		return t.x86.Of(c)
	}
	return nil
}

func (t *target) watchAt(x linux.Stop) gdbstub.BreakKind {
	if x.Watch {
		for _, w := range t.watches {
			if w.addr == x.Watched {
				return w.kind
			}
		}
	}
	return 0
}

func (t *target) Insert(kind gdbstub.BreakKind, addr, size uint64) error {
	switch kind {
	case gdbstub.SoftBreak, gdbstub.HardBreak:
		return t.Break(addr)
	}
	if err := t.Watch(addr, size, kind != gdbstub.WriteWatch); err != nil {
		return err
	}
	t.watches = append(t.watches, watchpoint{kind, addr, size})
	return nil
}

func (t *target) Remove(kind gdbstub.BreakKind, addr, size uint64) error {
	if os.Getpid() != t.pid {
		return nil
	}
	switch kind {
	case gdbstub.SoftBreak, gdbstub.HardBreak:
		return t.Unbreak(addr)
	}
	for i, w := range t.watches {
		if w == (watchpoint{kind, addr, size}) {
			t.watches = append(t.watches[:i], t.watches[i+1:]...)
			break
		}
	}
	return t.Unwatch(addr, size, kind != gdbstub.WriteWatch)
}

func (t *target) Resume(f func(id int) gdbstub.Action) {
	t.Debug.Resume(func(id int) linux.Action {
		a := f(id)
		return linux.Action{Kind: a.Kind, Signal: linuxSignal(a.Signal), From: a.From, To: a.To}
	})
}

func (t *target) Detach() {
	if os.Getpid() == t.pid {
		t.Debug.Detach()
	}
}

func (t *target) Object(name string) ([]byte, bool) {
	switch name {
	case "auxv":
		return t.Auxv(), true
	case "exec-file":
		return []byte(t.Exe()), true
	}
	return nil, false
}

func (t *target) Monitor(command string) string {
	switch strings.TrimSpace(command) {
	case "maps":
		return t.Maps()
	case "help", "":
		return "maps -- the program's memory\n"
	}
	return fmt.Sprintf("there is no command %q; 'monitor help' lists them\n", command)
}

// linuxSignals are the protocol's numbers of signals where they are not Linux's
// (gdb's include/gdb/signals.def), from 34 on a range of their own.
func linuxSignals() map[int]int {
	return map[int]int{
		7: 10, 10: 30, 12: 31, 17: 20, 18: 19, 19: 17, 20: 18, 23: 16, 29: 23, 30: 32, 31: 12, 32: 77, 33: 45, 64: 78,
	}
}

func protocolSignal(sig int) int {
	if n, ok := linuxSignals()[sig]; ok {
		return n
	}
	if sig >= 34 && sig <= 63 {
		return sig + 12
	}
	return sig
}

func linuxSignal(n int) int {
	for sig := range 65 {
		if protocolSignal(sig) == n {
			return sig
		}
	}
	return 0
}

// debugOption is -g's: where the socket's file would be must be a folder.
func debugOption(where string) error {
	if n, err := strconv.Atoi(where); err == nil {
		if n < 1 || n > 65535 {
			return fmt.Errorf("a TCP port is 1 to 65535")
		}
		return nil
	}
	if st, err := os.Stat(filepath.Dir(where)); where == "" || err != nil || !st.IsDir() {
		return fmt.Errorf("%q is neither a TCP port nor the name of a socket in a folder that is there", where)
	}
	return nil
}
