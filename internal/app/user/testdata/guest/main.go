// Command guest is run by the tests of user mode, built for another processor
// and for the host's: what it prints must be the same.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	for _, name := range os.Args[1:] {
		tests[name]()
	}
}

var tests = map[string]func(){
	"threads": threads, "signals": signals, "faults": faults, "code": code, "net": network, "processes": processes, "files": files, "child": child, "interrupted": interrupted,
	"asleep": func() { time.Sleep(time.Minute) },
}

func threads() {
	var wg sync.WaitGroup
	var n, spins atomic.Int64
	var n8 [64]atomic.Uint32
	m := map[int]int{}
	var mu sync.Mutex
	for i := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if i%10 == 0 {
				runtime.LockOSThread()
			}
			for j := range 500 {
				n.Add(int64(j))
				n8[j%64].Add(1)
				mu.Lock()
				m[j]++
				mu.Unlock()
			}
			time.Sleep(time.Millisecond)
		}()
	}
	wg.Wait()
	sum := 0
	for _, v := range m {
		sum += v
	}
	fmt.Println(n.Load(), n8[3].Load(), sum)
	// Loops without calls, which only a signal ends, under collections.
	var stop atomic.Bool
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				for k := range 100000 {
					spins.Store(int64(k))
				}
			}
		}()
	}
	for range 5 {
		_ = make([]byte, 1<<20)
		runtime.GC()
	}
	stop.Store(true)
	wg.Wait()
	fmt.Println("threads end")
}

func signals() {
	c := make(chan os.Signal, 100)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP} {
		for range 20 {
			syscall.Kill(os.Getpid(), s)
			fmt.Print(<-c, " ")
		}
		fmt.Println()
	}
	signal.Reset(syscall.SIGHUP)
	signal.Ignore(syscall.SIGHUP)
	syscall.Kill(os.Getpid(), syscall.SIGHUP)
	tick := time.NewTicker(2 * time.Millisecond)
	for range 20 {
		<-tick.C
	}
	fmt.Println("signals end")
}

// interrupted does calls that never wait, and one that does, under signals whose
// handler is without SA_RESTART.
func interrupted() {
	runtime.LockOSThread()
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	var act struct {
		handler, flags, restorer uintptr
		mask                     uint64
	}
	at := uintptr(unsafe.Pointer(&act))
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGUSR1), 0, at, 8, 0, 0)
	act.flags &^= 0x10000000 // SA_RESTART
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGUSR1), at, 0, 8, 0, 0)
	me, tid := os.Getpid(), syscall.Gettid()
	storm := func(pause time.Duration) (end func()) {
		var stop atomic.Bool
		done := make(chan bool)
		go func() {
			for !stop.Load() {
				syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(me), uintptr(tid), uintptr(syscall.SIGUSR1))
				time.Sleep(pause)
			}
			close(done)
		}()
		return func() { stop.Store(true); <-done }
	}
	errs := map[string]int{}
	call := func(name string, nr uintptr, a ...uintptr) uintptr {
		r, _, errno := syscall.Syscall(nr, a[0], a[1], a[2])
		if errno != 0 {
			errs[name+": "+errno.Error()]++
		}
		return r
	}
	end := storm(10 * time.Microsecond)
	null, b := []byte("/dev/null\x00"), make([]byte, 1)
	for from := time.Now(); time.Since(from) < 500*time.Millisecond; {
		var p [2]int32
		call("pipe2", syscall.SYS_PIPE2, uintptr(unsafe.Pointer(&p)), syscall.O_CLOEXEC, 0)
		call("write", syscall.SYS_WRITE, uintptr(p[1]), uintptr(unsafe.Pointer(&b[0])), 1)
		call("dup3", syscall.SYS_DUP3, uintptr(p[0]), 100, syscall.O_CLOEXEC)
		call("read", syscall.SYS_READ, 100, uintptr(unsafe.Pointer(&b[0])), 1)
		fd := call("open", syscall.SYS_OPEN, uintptr(unsafe.Pointer(&null[0])), 0, 0)
		for _, fd := range []uintptr{fd, 100, uintptr(p[0]), uintptr(p[1])} {
			call("close", syscall.SYS_CLOSE, fd, 0, 0)
		}
	}
	end()
	fmt.Println(errs)
	var p [2]int
	syscall.Pipe2(p[:], syscall.O_CLOEXEC)
	end = storm(20 * time.Millisecond)
	_, _, errno := syscall.Syscall(syscall.SYS_READ, uintptr(p[0]), uintptr(unsafe.Pointer(&b[0])), 1)
	fmt.Println(errno)
	end()
}

func faults() {
	debug.SetPanicOnFault(true)
	try := func(name string, f func()) {
		defer func() {
			e := recover()
			if a, ok := e.(interface{ Addr() uintptr }); ok && a.Addr() > 4096 {
				fmt.Println(name, "fault at offset", a.Addr()&0xfff)
				return
			}
			fmt.Println(name, e)
		}()
		f()
	}
	var p *int
	try("nil", func() { *p = 1 })
	zero := 0
	try("div", func() { fmt.Println(1 / zero) })
	ro, _ := syscall.Mmap(-1, 0, 8192, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	try("ro", func() { ro[4100] = 1 })
	try("none", func() { syscall.Mprotect(ro, syscall.PROT_NONE); fmt.Println(ro[7]) })
	f, _ := os.CreateTemp("", "guest")
	defer os.Remove(f.Name())
	f.Truncate(100)
	m, _ := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED)
	try("bus", func() { fmt.Println(m[50], m[5000]) })
	fmt.Println("faults end")
}

// code runs code that it writes, and writes over it: it returns a constant, on
// the stack (386) or in EAX.
func code() {
	b, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE|syscall.PROT_EXEC, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := uint32(0)
	for i := range uint32(300) {
		code := []byte{0xb8, byte(i), byte(i >> 8), 0, 0, 0xc3}
		if runtime.GOARCH == "386" {
			code = []byte{0xc7, 0x44, 0x24, 4, byte(i), byte(i >> 8), 0, 0, 0xc3}
		}
		copy(b, code)
		entry := uintptr(unsafe.Pointer(&b[0]))
		fn := &entry
		f := *(*func() uint32)(unsafe.Pointer(&fn))
		sum = sum*31 + f()
	}
	fmt.Println("code", sum)
}

func network() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	var wg sync.WaitGroup
	var total atomic.Int64
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			go func() { io.WriteString(c, strings.Repeat("x", 10000+i)); c.(*net.TCPConn).CloseWrite() }()
			b, _ := io.ReadAll(c)
			total.Add(int64(len(b)))
			c.Close()
		}()
	}
	wg.Wait()
	fmt.Println("net", total.Load())
}

func processes() {
	var wg sync.WaitGroup
	out := make([]string, 12)
	for i := range out {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b, err := exec.Command(os.Args[0], "child").CombinedOutput()
			out[i] = fmt.Sprint(string(b), err)
		}()
	}
	wg.Wait()
	sort.Strings(out)
	fmt.Print(out[0], out[11], "\n")
	cmd := exec.Command(os.Args[0], "asleep")
	cmd.Start()
	cmd.Process.Kill()
	fmt.Println(cmd.Wait())
	fmt.Println(exec.Command("/does/not/exist").Run())
}

func child() {
	exe, _ := os.Executable()
	fmt.Println("child", len(os.Args), exe == os.Args[0], os.Getenv("GUEST"))
	os.Exit(3)
}

func files() {
	dir, _ := os.MkdirTemp("", "guest")
	defer os.RemoveAll(dir)
	name := dir + "/f"
	os.WriteFile(name, []byte("hello"), 0o640)
	st, _ := os.Stat(name)
	fmt.Println(st.Size(), st.Mode(), st.Name())
	os.Chtimes(name, time.Unix(1e9, 5000), time.Unix(1e9, 5000))
	st, _ = os.Stat(name)
	fmt.Println(st.ModTime().UTC())
	os.Symlink("f", dir+"/l")
	s, _ := os.Readlink(dir + "/l")
	list, _ := os.ReadDir(dir)
	fmt.Println(s, len(list), list[0].Name(), list[1].Type())
	f, _ := os.OpenFile(name, os.O_RDWR, 0)
	f.Seek(5<<32, io.SeekStart)
	f.Write([]byte("far"))
	n, _ := f.Seek(0, io.SeekEnd)
	b := make([]byte, 3)
	f.ReadAt(b, 5<<32)
	fmt.Println(n, string(b))
	var l syscall.Flock_t
	l.Type = syscall.F_WRLCK
	fmt.Println(syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &l))
	descriptors()
}

// descriptors takes numbers that are nobody's.
func descriptors() {
	var r, w [70]int
	for fd := 50; fd < 70; fd++ {
		_, _, err := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		var p [2]int
		syscall.Pipe2(p[:], syscall.O_CLOEXEC)
		fmt.Print(err, syscall.Dup3(p[1], fd, 0), " ")
		r[fd], w[fd] = p[0], fd
		syscall.Close(p[1])
		time.Sleep(time.Millisecond)
	}
	fmt.Println()
	for fd := 50; fd < 70; fd++ {
		syscall.Write(w[fd], []byte{byte(fd)})
	}
	fmt.Println(exec.Command(os.Args[0], "child").Run())
	sum := 0
	for fd := 50; fd < 70; fd++ {
		var b [1]byte
		syscall.Read(r[fd], b[:])
		sum += int(b[0])
	}
	fmt.Println(sum)
}
