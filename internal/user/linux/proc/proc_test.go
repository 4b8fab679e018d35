//go:build linux && amd64

package proc

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/jit/host"
)

// TestFork forks while others allocate, collect and wait in system calls; each
// child allocates, collects and runs goroutines.
func TestFork(t *testing.T) {
	if !host.Available() {
		t.Skip("no machine code on this host")
	}
	if err := SetUp(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan bool)
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		go func() {
			runtime.LockOSThread()
			r, err := Enter()
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Leave()
			for {
				var b [1]byte
				x := r.Syscall(unix.SYS_READ, &[6]uintptr{uintptr(pipe[0]), address(b[:]), 1})
				if x == 0 || x == 1 {
					return
				}
				if x != ^uintptr(ERESTARTSYS-1) && x != ^uintptr(ERESTARTNOINTR-1) {
					t.Errorf("read: %#x", x)
					return
				}
				runtime.Gosched()
				if unix.Getpid() != os.Getppid() && inChild.Load() {
					select {} // a thread that the child has no use for
				}
			}
		}()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n := 300
	if testing.Short() {
		n = 50
	}
	for i := range n {
		pid, err := Fork(nil, uintptr(unix.SIGCHLD), 0)
		if err != 0 {
			t.Fatal(err)
		}
		if pid == 0 {
			inChild.Store(true)
			childWork()
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 7, 0, 0)
		}
		done := make(chan unix.WaitStatus, 1)
		go func() {
			var st unix.WaitStatus
			for {
				if _, err := unix.Wait4(pid, &st, 0, nil); err != unix.EINTR {
					break
				}
			}
			done <- st
		}()
		select {
		case st := <-done:
			if st.ExitStatus() != 7 {
				t.Fatalf("child %d: status %#x", i, st)
			}
		case <-time.After(5 * time.Minute):
			unix.Kill(pid, unix.SIGKILL)
			t.Fatalf("child %d hangs", i)
		}
	}
	unix.Close(pipe[1])
}

func childWork() {
	c := make(chan int)
	for g := range 20 {
		go func() {
			m := map[int]int{}
			for i := range 100 {
				m[i] = g
			}
			c <- len(m)
		}()
	}
	for range 20 {
		<-c
	}
	sink = make([]byte, 4<<20)
	runtime.GC()
	func() {
		defer func() { recover() }()
		var p *int
		*p = 1
	}()
}

var sink []byte
