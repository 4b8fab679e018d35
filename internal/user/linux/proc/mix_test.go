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
					if x := r.Syscall(unix.SYS_GETTID, &[6]uintptr{}); int(x) != r.TID() && x != ^uintptr(ERESTARTSYS-1) && r.Over == 0 {
						t.Errorf("gettid: %d, want %d", int(x), r.TID())
						return
					}
				} else {
					ts := new([2]uint64)
					ts[1] = 1000
					if x := r.Syscall(unix.SYS_NANOSLEEP, &[6]uintptr{wordsAddress(ts)}); x != 0 && x != ^uintptr(3) && x != ^uintptr(ERESTARTSYS-1) && r.Over == 0 {
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
		pid, err := Fork(nil, 0, 0)
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
