package system_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/app/system"
)

// TestStorm runs whole guests in this process under a storm: signals to every
// thread, garbage collections and CPU profiles without a pause. The guest's
// benchmark checks its own results. RHEA_STORM=30m says for how long; without
// it there is one short guest.
func TestStorm(t *testing.T) {
	long := os.Getenv("RHEA_STORM")
	if long == "" && testing.Short() {
		t.Skip("a guest under a storm")
	}
	dir := os.Getenv("RHEA_GUESTS")
	if dir == "" {
		dir = "../../../../shared/guests"
	}
	for _, f := range []string{filepath.Join(dir, "bzImage-i386-486"), "/usr/share/seabios/bios-256k.bin"} {
		if _, err := os.Stat(f); err != nil {
			t.Skipf("no guests (RHEA_GUESTS names their folder), or no package seabios: %v", err)
		}
	}
	work, lasts := 1, time.Duration(0)
	if long != "" {
		d, err := time.ParseDuration(long)
		if err != nil {
			t.Fatal(err)
		}
		work, lasts = 100, d
	}
	w := startWeather()
	begin := time.Now()
	for guests := 1; ; guests++ {
		stormyGuest(t, dir, work)
		if t.Failed() {
			break
		}
		if since := time.Since(begin); since >= lasts && w.stormed() {
			t.Logf("%d guests in %v: %s", guests, since.Round(time.Second), w)
			break
		}
		fmt.Fprintf(os.Stderr, "storm: %d guests in %v: %s\n", guests, time.Since(begin).Round(time.Second), w)
	}
	w.stop()
}

// stormyGuest boots a guest that runs the benchmark and ends.
func stormyGuest(t *testing.T, dir string, work int) {
	serial := filepath.Join(t.TempDir(), "serial")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var errs bytes.Buffer
	status := system.Main(system.Env{Program: "rhea", Stdin: null, Stdout: io.Discard, Stderr: &errs}, []string{
		"-m", "64", "-cpu", "pentium3", "-display", "none", "-monitor", "none", "-serial", "file:" + serial, "-no-reboot",
		"-kernel", filepath.Join(dir, "bzImage-i386-486"), "-initrd", filepath.Join(dir, "initramfs-i386.gz"),
		"-append", "console=ttyS0 gk=test work=" + strconv.Itoa(work),
	})
	out, err := os.ReadFile(serial)
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 || !bytes.Contains(out, []byte("GUEST-KIT BENCH rc=0")) || bytes.Contains(out, []byte("WRONG")) {
		t.Errorf("status %d; %s\n%s", status, errs.Bytes(), out[max(0, len(out)-3000):])
	}
}

// weather is what storms, and how much.
type weather struct {
	done                           chan struct{}
	ended                          chan struct{}
	signals, collections, profiles atomic.Int64
	parts                          int
	garbage                        [64][]byte
}

func startWeather() *weather {
	w := &weather{done: make(chan struct{}), ended: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGWINCH)
	go func() {
		for range signals {
		}
	}()
	w.always(w.signal)
	w.always(func() {
		debug.SetGCPercent(1) // a machine sets its own when it starts
		runtime.GC()
		w.collections.Add(1)
		time.Sleep(time.Millisecond)
	})
	w.always(func() {
		for i := range w.garbage {
			w.garbage[i] = make([]byte, 10000+i)
		}
		time.Sleep(time.Millisecond)
	})
	w.always(func() {
		if pprof.StartCPUProfile(io.Discard) == nil {
			time.Sleep(50 * time.Millisecond)
			pprof.StopCPUProfile()
			w.profiles.Add(1)
		}
	})
	return w
}

// always does f until the end.
func (w *weather) always(f func()) {
	w.parts++
	go func() {
		for {
			select {
			case <-w.done:
				w.ended <- struct{}{}
				return
			default:
				f()
			}
		}
	}()
}

func (w *weather) stop() {
	close(w.done)
	for range w.parts {
		<-w.ended
	}
}

// signal sends SIGURG, which the scheduler uses, and SIGWINCH to every thread.
func (w *weather) signal() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, d := range threads {
		id, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		for _, s := range []unix.Signal{unix.SIGURG, unix.SIGWINCH} {
			if unix.Tgkill(os.Getpid(), id, s) == nil { // one may have ended meanwhile
				w.signals.Add(1)
			}
		}
	}
	time.Sleep(100 * time.Microsecond)
}

// stormed reports whether there has been some of each.
func (w *weather) stormed() bool {
	return w.signals.Load() >= 1000 && w.collections.Load() >= 20 && w.profiles.Load() >= 3
}

func (w *weather) String() string {
	return fmt.Sprintf("%d signals, %d collections, %d profiles", w.signals.Load(), w.collections.Load(), w.profiles.Load())
}
