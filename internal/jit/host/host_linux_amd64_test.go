package host

import (
	"encoding/hex"
	"os"
	"os/exec"
	"os/signal"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Pieces of code that the tests share. Displacements: Poll 80, Exit 88, Arg0
// 90, Arg1 98, Arg2 a0, Result a8, Leave b0.
const (
	leaveCode = "41ff67b0 " // jmp [r15+OffLeave]
	exit7     = "49c7478807000000 " + leaveCode

	// Counts in Result until a poll says to leave; gives up after 2^31 rounds,
	// so that a request that got lost fails a test rather than hang it.
	spinCode = "31c0" + // xor eax, eax
		"48ffc0" + // l: inc rax
		"41837f8000" + // cmp dword [r15+OffPoll], 0
		"7504" + // jne out
		"85c0" + // test eax, eax
		"79f2" + // jns l
		"498947a8" + // out: mov [r15+OffResult], rax
		exit7
)

func machine(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func context(t testing.TB, tables int) *Context {
	t.Helper()
	c, err := NewContext(tables)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func code(t testing.TB, text string) *Code {
	t.Helper()
	c, err := NewCode(pageSize)
	if err != nil {
		t.Fatal(err)
	}
	copy(c.RW, machine(t, text))
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// attentionAfter calls SetAttention after d; what it returns waits until that
// has happened, in a way that the race detector sees, too: it does not look at
// memory that is not Go's.
func attentionAfter(c *Context, d time.Duration) (wait func()) {
	done := make(chan bool)
	time.AfterFunc(d, func() {
		c.SetAttention()
		close(done)
	})
	return func() { <-done }
}

// enterReally is Enter for tests that do not care for preemption.
func enterReally(c *Context, at uintptr) uint32 {
	for {
		if x := c.Enter(at); x != ExitPreempted {
			return x
		}
	}
}

func TestLayout(t *testing.T) {
	if !Available() {
		t.Fatal("not available")
	}
	const tables = 3 << 20
	c := context(t, tables)
	base := c.Base()
	if at := reflect.ValueOf(c.Frame).Pointer(); at != base {
		t.Errorf("the Frame is at %#x, not at the base %#x", at, base)
	}
	if base%64 != 0 {
		t.Errorf("base %#x is not aligned", base)
	}
	for off := OffPoll; off <= -8; off += 8 {
		if at := reflect.ValueOf(c.Word(off)).Pointer(); at != base+uintptr(off) {
			t.Errorf("word %d is at %#x", off, at)
		}
	}
	if at := reflect.ValueOf(c.poll()).Pointer(); at != base-128 {
		t.Errorf("the poll word is at %#x", at)
	}
	tab := c.Tables()
	if at := reflect.ValueOf(&tab[0]).Pointer(); at != base+OffTables || at%4096 != 0 || len(tab) != tables/8 {
		t.Errorf("%d tables at %#x, want %#x", len(tab), at, base+OffTables)
	}
	if OffTables < len(c.Frame)*8 {
		t.Error("the tables overlap the Frame")
	}
	c.Frame[0], c.Frame[len(c.Frame)-1], tab[0], tab[len(tab)-1] = 1, 2, 3, 4 // all of it is there
	if c.Frame[0] != 1 || *c.Word(OffExit) != 0 || *c.Word(OffEngine) != 0 {
		t.Error("words and Frame overlap")
	}
	if stack := *c.Word(OffStack); stack%16 != 0 {
		t.Errorf("stack at %#x", stack)
	}
	for _, off := range []int{-136, 0, -127, -4} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("there is a word %d", off)
				}
			}()
			c.Word(off)
		}()
	}
}

// TestGuard: what the entry asks of the runtime is where we believe it to be,
// and a request looks as we believe.
func TestGuard(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := checkGuard(); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan bool)
	go func() {
		for !stop.Load() {
			runtime.GC()
		}
		close(done)
	}()
	preempt := guardPreempt
	seen := false
	for end := time.Now().Add(5 * time.Minute); !seen && time.Now().Before(end); {
		for range 1000 {
			_, _, guard, _ := stackBounds()
			seen = seen || guard == uintptr(preempt)
		}
	}
	stop.Store(true)
	<-done
	if !seen {
		t.Error("no request for preemption was ever seen")
	}
}

// again enters without a stack check of Go's in between, until refused.
//
//go:nosplit
func again(c *Context, at uintptr) (n int) {
	base := c.Base()
	for range 100 {
		if enter(at, base) == ExitPreempted {
			return n
		}
		n++
	}
	return -1
}

// TestRefusal: code that left because the runtime wants the goroutine cannot be
// entered before the goroutine has yielded, and can then.
func TestRefusal(t *testing.T) {
	c, k := context(t, 0), code(t, spinCode)
	var stop atomic.Bool
	done := make(chan bool)
	go func() {
		for !stop.Load() {
			runtime.GC()
		}
		close(done)
	}()
	refused := 0
	for range 20 {
		if n := again(c, k.RX); n >= 0 {
			refused++
		}
		if c.Enter(k.RX) == ExitPreempted {
			c.Enter(k.RX)
		}
	}
	stop.Store(true)
	<-done
	if refused == 0 {
		t.Error("generated code runs although the runtime wants the goroutine")
	}
}

func TestRoundTrip(t *testing.T) {
	c := context(t, 0)
	k := code(t, "498b4790 49034798 498947a8"+ // Result = Arg0 + Arg1
		"50 48ff0424 58 498947a0"+ // by way of the stack: Arg2 = Result + 1
		"498b07 49894708"+ // mov rax, [r15]; mov [r15+8], rax
		exit7)
	if !k.Dual {
		t.Error("no dual mapping")
	}
	*c.Word(OffArg0), *c.Word(OffArg1), c.Frame[0] = 40, 2, 99
	if x := enterReally(c, k.RX); x != 7 {
		t.Fatalf("exit %d", x)
	}
	if *c.Word(OffResult) != 42 || *c.Word(OffArg2) != 43 || c.Frame[1] != 99 {
		t.Errorf("result %d, %d, %d", *c.Word(OffResult), *c.Word(OffArg2), c.Frame[1])
	}
	if _, _, ok := Fault(c); ok {
		t.Error("a fault, although there was none")
	}
}

func TestSingleMapping(t *testing.T) {
	k, err := newCode(100, mapSingle)
	if err != nil {
		t.Skip(err)
	}
	defer k.Close()
	if k.Dual || len(k.RW) != pageSize {
		t.Errorf("dual %v, %d bytes", k.Dual, len(k.RW))
	}
	copy(k.RW, machine(t, exit7))
	if x := enterReally(context(t, 0), k.RX); x != 7 {
		t.Errorf("exit %d", x)
	}
}

// TestNotWritable: the executable view is not writable.
func TestNotWritable(t *testing.T) {
	c, k := context(t, 0), code(t, "498b5f90 c60300"+exit7) // mov rbx, [Arg0]; mov byte [rbx], 0
	*c.Word(OffArg0) = uint64(k.RX)
	if x := enterReally(c, k.RX); x != ExitFault {
		t.Errorf("exit %#x", x)
	}
}

func TestAttention(t *testing.T) {
	c, k := context(t, 0), code(t, spinCode)
	if c.Pending() {
		t.Error("pending at first")
	}
	// A request of the runtime's that is over does not count.
	c.poll().Store(0x100)
	wait := attentionAfter(c, 5*time.Millisecond)
	if enterReally(c, k.RX); *c.Word(OffResult) < 1000 {
		t.Error("an old request of the runtime's makes generated code leave")
	}
	wait()
	c.ClearAttention()
	for range 20 {
		wait := attentionAfter(c, time.Millisecond)
		for !c.Pending() {
			if x := c.Enter(k.RX); x != 7 && x != ExitPreempted {
				t.Fatalf("exit %#x", x)
			}
		}
		if x := enterReally(c, k.RX); x != 7 || *c.Word(OffResult) != 1 {
			t.Errorf("attention is not lasting: exit %#x after %d rounds", x, *c.Word(OffResult))
		}
		wait()
		c.ClearAttention()
		if c.Pending() || c.poll().Load()&0xff != 0 {
			t.Error("pending")
		}
	}
}

// latencies runs c's code on a locked goroutine and collects garbage n times.
// It returns how long that took, and how many collections were there as the code
// gave up: those have waited for that, all but by accident.
func latencies(t testing.TB, n int) (took []time.Duration, waited int) {
	c, k := context(t, 0), code(t, spinCode)
	var stop atomic.Bool
	var gaveUp atomic.Int64
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for !stop.Load() {
			*c.Word(OffResult) = 0
			if c.Enter(k.RX); int32(*c.Word(OffResult)) < 0 {
				gaveUp.Add(1)
			}
		}
	}()
	for end := time.Now().Add(5 * time.Minute); len(took) < n && time.Now().Before(end); {
		before, began := gaveUp.Load(), time.Now()
		runtime.GC()
		took = append(took, time.Since(began))
		if gaveUp.Load() != before {
			waited++
		}
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	c.SetAttention()
	<-done
	slices.Sort(took)
	return took, waited
}

func TestCollection(t *testing.T) {
	took, waited := latencies(t, 30)
	t.Logf("median %v, most %v", took[len(took)/2], took[len(took)-1])
	if waited > len(took)/2 {
		t.Errorf("%d of %d collections wait for generated code", waited, len(took))
	}
}

func TestPatching(t *testing.T) {
	c := context(t, 0)
	k := code(t, "31c0 31c9 31d2"+
		"48ffc2 9090"+ // 06 l: inc rdx
		"e900000000"+ // 0b jmp a or b
		"48ffc0 eb03"+ // 10 a: inc rax; jmp j
		"48ffc1"+ // 15 b: inc rcx
		"41837f8000 74e7"+ // 18 j: cmp dword [r15+OffPoll], 0; je l
		"49894790 49894f98 498957a8"+exit7)
	const site, a, b = 0x0c, 0, 5
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			k.Store32(site, a)
			k.Store32(site, b)
		}
		done <- n
	}()
	var sum, na, nb uint64
	least, most := time.Now().Add(300*time.Millisecond), time.Now().Add(5*time.Minute)
	for time.Now().Before(least) || (na == 0 || nb == 0) && time.Now().Before(most) {
		if enterReally(c, k.RX) != 7 {
			t.Fatal("fault")
		}
		na, nb, sum = na+*c.Word(OffArg0), nb+*c.Word(OffArg1), sum+*c.Word(OffResult)
	}
	stop.Store(true)
	n := <-done
	t.Logf("%d patches, %d+%d rounds", n, na, nb)
	if na+nb != sum {
		t.Errorf("%d + %d != %d", na, nb, sum)
	}
	if na == 0 || nb == 0 {
		t.Error("patches were not seen")
	}
	defer func() {
		if recover() == nil {
			t.Error("an unaligned patch was accepted")
		}
	}()
	k.Store32(site+1, 0)
}

// goWorks checks what of Go depends on signals.
func goWorks(t *testing.T) {
	t.Helper()
	try := func(f func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		f()
		return nil
	}
	var p *int
	zero := 0
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"nil pointer dereference", func() { *p = 1 }},
		{"integer divide by zero", func() { *p = 1 / zero }},
		{"unexpected fault address", func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			var a []byte
			a, err := unix.Mmap(-1, 0, pageSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Munmap(a)
			a[5] = 1
		}},
	} {
		if err := try(c.f); err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "invalid memory address") {
			t.Errorf("Go's fault gives %v, want %s", err, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	beyond := func() uintptr { // a page that its file does not have
		fd, err := unix.MemfdCreate("test", 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		m, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Munmap(m) })
		return reflect.ValueOf(m).Pointer()
	}()
	const load = "498b5f90 488b03" // mov rbx, [r15+OffArg0]; mov rax, [rbx]
	c := context(t, 0)
	stack := uintptr(*c.Word(OffStack))
	for _, x := range []struct {
		name, code string
		arg, addr  uintptr
		rip        uintptr // an offset in the code, or an address
		sig        syscall.Signal
	}{
		{"unmapped", load, 0x10008, 0x10008, 4, unix.SIGSEGV},
		{"null", load, 0, 0, 4, unix.SIGSEGV},
		{"not canonical", load, 0x1234567812345678, 0, 4, unix.SIGSEGV},
		{"kernel", load, 0xffffffffff000000, 0xffffffffff000000, 4, unix.SIGSEGV},
		{"beyond the file", load, beyond, beyond, 4, unix.SIGBUS},
		{"ud2", "90 0f0b", 0, 0, 1, unix.SIGILL},
		{"int3", "cc", 0, 0, 1, unix.SIGTRAP},
		{"division", "31c9 90 f7f1", 0, 0, 3, unix.SIGFPE},
		{"jump astray", "41ff6790", 0x1234, 0x1234, 0x1234, unix.SIGSEGV},
		{"stack overflow", "50 ebfd", 0, stack - StackSize - 8, 0, unix.SIGSEGV},
		// std; rbp = r14 = rdi = rsi = rcx = -1; xmm15 = -1; mov byte [rdi], 0
		{"junk", "fd 4831ed 48ffcd 4989ee 4889ef 4889ee 4889e9 66450f76ff c60700", 0, ^uintptr(0), 24, unix.SIGSEGV},
	} {
		t.Run(x.name, func(t *testing.T) {
			k := code(t, x.code)
			*c.Word(OffArg0) = uint64(x.arg)
			if r := enterReally(c, k.RX); r != ExitFault {
				t.Fatalf("exit %#x", r)
			}
			addr, rip, ok := Fault(c)
			rip -= k.RX
			if x.rip == 0x1234 {
				rip += k.RX
			}
			if x.sig == unix.SIGILL || x.sig == unix.SIGFPE {
				x.addr = k.RX + x.rip
			}
			if !ok || addr != x.addr || rip != x.rip || c.FaultSignal() != int(x.sig) {
				t.Errorf("signal %d at %#x by %#x, want %d at %#x by %#x", c.FaultSignal(), addr, rip, int(x.sig), x.addr, x.rip)
			}
			goWorks(t)
			if r := enterReally(c, code(t, exit7).RX); r != 7 {
				t.Errorf("afterwards: exit %#x", r)
			}
		})
	}
}

// TestFaultCleans: a fault leaves MXCSR and DF as Go needs them.
func TestFaultCleans(t *testing.T) {
	c := context(t, 0)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	*c.Word(OffArg0) = 0xffc0                                                  // round to zero, flush to zero
	if x := enterReally(c, code(t, "410fae5790 fd 0f0b").RX); x != ExitFault { // ldmxcsr [r15+OffArg0]; std; ud2
		t.Fatalf("exit %#x", x)
	}
	// stmxcsr [r15+OffResult]; pushfq; pop rax; mov [r15+OffArg1], rax
	if x := enterReally(c, code(t, "410fae5fa8 9c 58 49894798"+exit7).RX); x != 7 {
		t.Fatalf("exit %#x", x)
	}
	if m := uint32(*c.Word(OffResult)); m&^0x3f != 0x1f80 {
		t.Errorf("MXCSR %#x", m)
	}
	if f := *c.Word(OffArg1); f&0x40500 != 0 {
		t.Errorf("flags %#x", f)
	}
}

// TestNotify: os/signal and our handler do not disturb each other.
func TestNotify(t *testing.T) {
	context(t, 0)
	ch := make(chan os.Signal, 100)
	signal.Notify(ch, unix.SIGURG)
	defer signal.Stop(ch)
	if err := unix.Kill(unix.Getpid(), unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ch:
	case <-time.After(5 * time.Minute):
		t.Error("a SIGURG got lost")
	}
	if _, waited := latencies(t, 5); waited > 2 {
		t.Errorf("%d collections wait after Notify", waited)
	}
	signal.Stop(ch)
	signal.Reset(unix.SIGURG)
	if _, waited := latencies(t, 5); waited > 2 {
		t.Errorf("%d collections wait after Reset", waited)
	}
}

// TestDump: a signal that asks for everybody's stacks gets them although it
// hits generated code.
func TestDump(t *testing.T) {
	if os.Getenv("RHEA_HOST_DUMP") != "" {
		c, k := context(t, 0), code(t, spinCode)
		runtime.LockOSThread()
		time.AfterFunc(5*time.Minute, c.SetAttention)
		tid := unix.Gettid()
		go func() {
			time.Sleep(20 * time.Millisecond)
			unix.Tgkill(unix.Getpid(), tid, unix.SIGQUIT)
		}()
		for !c.Pending() {
			c.Enter(k.RX)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDump$")
	cmd.Env = append(os.Environ(), "RHEA_HOST_DUMP=1", "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "SIGQUIT: quit") || strings.Contains(string(out), "panic during panic") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// mappings counts the mappings of code.
func mappings(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "rhea-code")
}

func TestClose(t *testing.T) {
	if err := theProcess.setUp(); err != nil {
		t.Fatal(err)
	}
	free := slices.Clone(theProcess.free)
	before := mappings(t)
	// More in total than the window has, so that addresses must come back.
	for range 40 {
		k, err := NewCode(64 << 20)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(k.RW); i += 1 << 20 {
			k.RW[i] = 1
		}
		c, err := NewContext(16 << 20)
		if err != nil {
			t.Fatal(err)
		}
		c.Tables()[0] = 1
		for range 2 { // closing twice is harmless
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(free, theProcess.free) {
		t.Errorf("free before %v, after %v", free, theProcess.free)
	}
	if after := mappings(t); after != before {
		t.Errorf("%d mappings of code before, %d after", before, after)
	}
	if _, err := NewCode(2 * windowSize); err == nil || !strings.Contains(err.Error(), "left of the addresses") {
		t.Errorf("too much code: %v", err)
	}
	if !slices.Equal(free, theProcess.free) {
		t.Error("failing loses addresses")
	}
}

func BenchmarkEnter(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, k := context(b, 0), code(b, leaveCode)
	b.ReportAllocs()
	for b.Loop() {
		c.Enter(k.RX)
	}
}

// BenchmarkFault is a fault that generated code raises and Enter reports.
func BenchmarkFault(b *testing.B) {
	c, k := context(b, 0), code(b, "31c0 8900") // xor eax, eax; mov [rax], eax
	for b.Loop() {
		c.Enter(k.RX)
	}
}

func BenchmarkCollection(b *testing.B) {
	for range b.N {
		took, _ := latencies(b, 50)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-median")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "µs-max")
	}
}

// Wherever in its stack a goroutine is, it finds the runtime as it should be.
func TestGuardAtAnyDepth(t *testing.T) {
	for depth := range 300 {
		done := make(chan error)
		go func() { done <- guardBelow(depth) }()
		if err := <-done; err != nil {
			t.Fatalf("%d calls deep: %v", depth, err)
		}
	}
}

//go:noinline
func guardBelow(depth int) error {
	if depth == 0 {
		return checkGuard()
	}
	err := guardBelow(depth - 1)
	guardErrors++
	return err
}

var guardErrors int // has the calls return to each other
