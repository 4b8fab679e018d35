package pty

import (
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/chardev"
	"rhea/internal/chardev/termios"
)

// Port is the device: the master side of a pseudo-terminal.
type Port struct {
	*chardev.Pump
	master *os.File
	name   string
	fd     int

	mu   sync.Mutex
	stop bool
}

// New makes a pseudo-terminal.
func New(c Config) (*Port, error) {
	// The poll below wants the plain descriptor, not the runtime's poller.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	fail := func(err error) (*Port, error) {
		unix.Close(fd)
		return nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return fail(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fail(err)
	}
	name := "/dev/pts/" + strconv.Itoa(n)
	// Opened and closed once: the line is raw from the start, and its state is
	// "nobody there" until someone opens it.
	slave, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(&os.PathError{Op: "open", Path: name, Err: err})
	}
	err = termios.Transparent(slave)
	unix.Close(slave)
	if err != nil {
		return fail(err)
	}
	p := &Port{Pump: chardev.NewPump(c.PumpConfig), master: os.NewFile(uintptr(fd), "/dev/ptmx"), name: name, fd: fd}
	go p.watch()
	return p, nil
}

// Name is the slave side's name.
func (p *Port) Name() string { return p.name }

// IsTerminal reports whether a person's terminal is at the other end.
func (p *Port) IsTerminal() bool { return true }

// hungUp reports whether nobody has the slave side open.
func (p *Port) hungUp() bool {
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	unix.Poll(fds, 0)
	return fds[0].Revents&unix.POLLHUP != 0
}

// watch connects the pump while someone has the slave side open. The kernel
// tells of a hang-up, but of an opening only to those who ask.
func (p *Port) watch() {
	for {
		for p.hungUp() {
			time.Sleep(50 * time.Millisecond)
			if p.stopped() {
				return
			}
		}
		if p.stopped() {
			return
		}
		gone := make(chan struct{})
		p.Connect(stream{p}, func(error) { close(gone) })
		<-gone
		p.Disconnect()
	}
}

func (p *Port) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stop
}

type stream struct{ p *Port }

// Read waits for input, at most a little, so that Close is noticed.
func (s stream) Read(b []byte) (int, error) {
	for !s.p.stopped() {
		fds := []unix.PollFd{{Fd: int32(s.p.fd), Events: unix.POLLIN}}
		unix.Poll(fds, 200)
		if fds[0].Revents&unix.POLLIN != 0 {
			n, err := unix.Read(s.p.fd, b)
			if err == unix.EINTR || err == unix.EAGAIN {
				continue
			}
			if err != nil || n <= 0 {
				return 0, io.EOF
			}
			return n, nil
		}
		if fds[0].Revents != 0 {
			return 0, io.EOF
		}
	}
	return 0, io.EOF
}

// Write gives up when the slave side is closed while its buffer is full.
func (s stream) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		fds := []unix.PollFd{{Fd: int32(s.p.fd), Events: unix.POLLOUT}}
		unix.Poll(fds, 200)
		switch {
		case fds[0].Revents&unix.POLLHUP != 0 || s.p.stopped():
			return done, io.ErrClosedPipe
		case fds[0].Revents&unix.POLLOUT == 0:
			continue
		}
		// A short piece does not block: the line has room for some.
		n, err := unix.Write(s.p.fd, b[done:min(len(b), done+256)])
		if err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return done, err
		}
		done += max(n, 0)
	}
	return done, nil
}

// Close ends the device.
func (p *Port) Close() error {
	err := p.Pump.Close()
	p.mu.Lock()
	p.stop = true
	p.mu.Unlock()
	time.AfterFunc(time.Second, func() { p.master.Close() })
	return err
}
