package host

import (
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stormTime is how long TestStorm takes; RHEA_HOST_STORM=2m makes it longer.
func stormTime(t *testing.T) time.Duration {
	if s := os.Getenv("RHEA_HOST_STORM"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if testing.Short() {
		return 300 * time.Millisecond
	}
	return 2 * time.Second
}

// junk fills every register but RAX, RCX, RSP and R15.
const junk = "48ba5a5aa5a5deadbeef" + // mov rdx, …
	"4889d3 4889d5 4889d6 4889d7 4989d0 4989d1 4989d2 4989d3 4989d4 4989d5 4989d6" +
	"660f76c0 660f76c9 660f76d2 660f76db 660f76e4 660f76ed 660f76f6 660f76ff" + // pcmpeqd xmm, xmm
	"66450f76c0 66450f76c9 66450f76d2 66450f76db 66450f76e4 66450f76ed 66450f76f6 66450f76ff"

// stormCode does Arg0 = Arg0*k + Arg1 until Arg1, counting down, is 0, and then
// exits with Arg2; a poll makes it exit with 1 before.
const stormCode = "498b4790 498b4f98" + junk +
	"4869c00db2d40e" + // l: imul rax, rax, 0x0ed4b20d
	"4801c8" + // add rax, rcx
	"48ffc9" + // dec rcx
	"741b" + // jz done
	"41837f8000" + // cmp dword [r15+OffPoll], 0
	"74ea" + // je l
	"49894790 49894f98 49c7478801000000" + // mov qword [r15+OffExit], 1
	leaveCode +
	// done:
	"49894790 49894f98 498b57a0 49895788" + // OffExit = Arg2
	"4883fa03 7402" + // cmp rdx, 3; je fault
	"eb02" + // jmp over
	"0f0b" + // fault: ud2
	leaveCode

// TestStorm runs generated code that clobbers all it may while the runtime
// collects, profiles, grows stacks and recovers from faults.
func TestStorm(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err == nil {
		defer pprof.StopCPUProfile()
	}
	var stop atomic.Bool
	time.AfterFunc(stormTime(t), func() { stop.Store(true) })
	var wg sync.WaitGroup
	var runs, leaves, preempted, faults, collections atomic.Int64
	for seed := range 3 {
		k := code(t, stormCode)
		c := context(t, 1<<20)
		wg.Go(func() {
			if seed != 0 {
				runtime.LockOSThread()
			}
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			for !stop.Load() {
				x, n := r.Uint64(), 1+r.Uint64N(500_000)
				want := x
				for i := n; i > 0; i-- {
					want = want*0x0ed4b20d + i
				}
				last := 2 + r.Uint64N(2) // the exit, or the fault
				*c.Word(OffArg0), *c.Word(OffArg1), *c.Word(OffArg2) = x, n, last
				runs.Add(1)
			run:
				for {
					switch e := c.Enter(k.RX); e {
					case ExitPreempted:
						preempted.Add(1)
					case 1:
						leaves.Add(1)
						if deep(int(r.Uint32N(200))) < 0 {
							return
						}
					case ExitFault:
						if last != 3 {
							t.Error("a fault out of nothing")
						}
						faults.Add(1)
						break run
					case 2:
						break run
					default:
						t.Errorf("exit %#x", e)
						return
					}
				}
				if got := *c.Word(OffArg0); got != want || *c.Word(OffArg1) != 0 {
					t.Errorf("%#x after %d rounds, want %#x; %d left", got, n, want, *c.Word(OffArg1))
					return
				}
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			runtime.GC()
			collections.Add(1)
		}
	})
	wg.Go(func() {
		m := map[int]*[100]int{}
		for i := 0; !stop.Load(); i++ {
			m[i%1000] = new([100]int)
			if i%1000 == 0 {
				goWorks(t)
			}
		}
	})
	wg.Wait()
	t.Logf("%d runs, %d polls left by, %d entries refused, %d faults, %d collections",
		runs.Load(), leaves.Load(), preempted.Load(), faults.Load(), collections.Load())
	if leaves.Load() == 0 && stormTime(t) > time.Second {
		t.Error("generated code was never asked to leave")
	}
}

// deep makes the stack grow.
//
//go:noinline
func deep(n int) int {
	var a [64]int
	if n == 0 {
		return a[0]
	}
	a[n%64] = deep(n - 1)
	return a[(n+1)%64] + 1
}

// TestProfile: samples taken in generated code neither crash nor get lost.
func TestProfile(t *testing.T) {
	var n count
	if err := pprof.StartCPUProfile(&n); err != nil {
		t.Skip(err)
	}
	c, k := context(t, 0), code(t, spinCode)
	wait := attentionAfter(c, 300*time.Millisecond)
	for !c.Pending() {
		c.Enter(k.RX)
	}
	wait()
	enters := code(t, leaveCode)
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		for range 10000 {
			c.Enter(enters.RX) // samples in the entry itself
		}
	}
	pprof.StopCPUProfile()
	if n == 0 {
		t.Error("no profile")
	}
}

type count int

func (n *count) Write(b []byte) (int, error) { *n += count(len(b)); return len(b), nil }
