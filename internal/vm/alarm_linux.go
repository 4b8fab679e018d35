package vm

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fdAlarm is a timerfd. For timers of its own the runtime wakes twice, because
// it sleeps in whole milliseconds, and its monitor as well: most of what an
// idle machine would cost.
type fdAlarm struct {
	f     *os.File
	fd    int
	raw   syscall.RawConn
	spec  unix.ItimerSpec
	arm   func() bool // of the wait under way
	asked bool        // arm has been called
	poll  func(fd uintptr) bool
}

func newAlarm() alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return newTimerAlarm()
	}
	a := &fdAlarm{f: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
	if a.raw, err = a.f.SyscallConn(); err != nil {
		a.f.Close()
		return newTimerAlarm()
	}
	a.poll = a.ready
	return a
}

func (a *fdAlarm) set(d time.Duration) {
	a.spec.Value = unix.Timespec{} // disarms it
	if d >= 0 {
		a.spec.Value = unix.NsecToTimespec(max(1, int64(d)))
	}
	unix.TimerfdSettime(a.fd, 0, &a.spec, nil)
}

func (a *fdAlarm) wait(arm func() bool) {
	a.arm, a.asked = arm, false
	a.raw.Read(a.poll)
}

// ready is asked before and after waiting. The poller tells edges, and the
// first expiry after each setting is one: nothing need be read.
func (a *fdAlarm) ready(uintptr) bool {
	if a.asked {
		return true
	}
	a.asked = true
	return !a.arm()
}

func (a *fdAlarm) close() { a.f.Close() }
