//go:build linux && amd64

package proc

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"rhea/internal/jit/host"
)

// TestResults: system calls of many threads end with their own results, while
// the runtime preempts, collects and the process forks.
func TestResults(t *testing.T) {
	if !host.Available() {
		t.Skip("no machine code on this host")
	}
	if err := SetUp(); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			r, err := Enter()
			if err != nil {
				t.Error(err)
				return
			}
			for !stop.Load() && r.Over == 0 {
				if i%2 == 0 {
					if x := r.Syscall(unix.SYS_GETTID, &[6]uintptr{}); int(x) != r.TID() && x != ^uintptr(ERESTARTSYS-1) && x != ^uintptr(ERESTARTNOINTR-1) && r.Over == 0 {
						t.Errorf("gettid: %d, want %d", int(x), r.TID())
						return
					}
				} else {
					ts := new([2]uint64)
					ts[1] = 1000
					if x := r.Syscall(unix.SYS_NANOSLEEP, &[6]uintptr{wordsAddress(ts)}); x != 0 && x != ^uintptr(3) && x != ^uintptr(ERESTARTSYS-1) && x != ^uintptr(ERESTARTNOINTR-1) && r.Over == 0 {
						t.Errorf("nanosleep: %#x", x)
						return
					}
				}
			}
			if r.Over != 0 {
				select {}
			}
			r.Leave()
		}()
	}
	runtime.LockOSThread()
	for range 200 {
		runtime.GC()
		pid, err := Fork(nil, uintptr(unix.SIGCHLD), 0)
		if err != 0 {
			t.Fatal(err)
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 7, 0, 0)
		}
		var st unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
				break
			}
		}
		if st.ExitStatus() != 7 {
			t.Errorf("child: %#x", st)
		}
	}
	runtime.UnlockOSThread()
	stop.Store(true)
	wg.Wait()
}

// TestAbsentThreads: in the child of a fork the threads that it does not have do
// nothing, wherever the fork has stopped them.
func TestAbsentThreads(t *testing.T) {
	if !host.Available() {
		t.Skip("no machine code on this host")
	}
	if err := SetUp(); err != nil {
		t.Fatal(err)
	}
	const first, threads = 700, 4
	var stop atomic.Bool
	var wg, there sync.WaitGroup
	for i := range threads {
		wg.Add(1)
		there.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread()
			r, err := Enter()
			there.Done()
			if err != nil {
				t.Error(err)
				return
			}
			fd := uintptr(first + i)
			for !stop.Load() && r.Over == 0 {
				r.Direct(unix.SYS_DUP3, &[6]uintptr{1, fd, unix.O_CLOEXEC})
				r.Direct(unix.SYS_CLOSE, &[6]uintptr{fd})
			}
			if r.Over != 0 {
				select {}
			}
			r.Leave()
		}()
	}
	open := func() (set int) {
		for i := range threads {
			if _, _, err := unix.RawSyscall(unix.SYS_FCNTL, uintptr(first+i), unix.F_GETFD, 0); err == 0 {
				set |= 1 << i
			}
		}
		return set
	}
	there.Wait()
	runtime.LockOSThread()
	wrong := 0
	for range 100 {
		pid, err := Fork(nil, uintptr(unix.SIGCHLD), 0)
		if err != 0 {
			t.Fatal(err)
		}
		if pid == 0 {
			before := open()
			Whole()
			ts := [2]uint64{0, 1e6}
			unix.RawSyscall(unix.SYS_NANOSLEEP, wordsAddress(&ts), 0, 0)
			status := uintptr(7)
			if open() != before {
				status = 8
			}
			unix.RawSyscall(unix.SYS_EXIT_GROUP, status, 0, 0)
		}
		var st unix.WaitStatus
		for {
			if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
				break
			}
		}
		if st.ExitStatus() != 7 {
			wrong++
		}
	}
	runtime.UnlockOSThread()
	stop.Store(true)
	wg.Wait()
	if wrong != 0 {
		t.Errorf("in %d of 100 children threads went on that they do not have", wrong)
	}
}
