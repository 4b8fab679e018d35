package vm

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/accel"
)

// fakeVCPU runs a script of exits, then spins until kicked.
type fakeVCPU struct {
	kicked  atomic.Bool
	running atomic.Bool
	runs    atomic.Int64
	mu      sync.Mutex
	script  []func() (accel.Exit, error)
}

func (f *fakeVCPU) Kick() { f.kicked.Store(true) }

func (f *fakeVCPU) Run(int64) (accel.Exit, error) {
	f.running.Store(true)
	defer f.running.Store(false)
	f.runs.Add(1)
	f.mu.Lock()
	if len(f.script) > 0 {
		s := f.script[0]
		f.script = f.script[1:]
		f.mu.Unlock()
		return s()
	}
	f.mu.Unlock()
	for !f.kicked.Swap(false) {
		time.Sleep(10 * time.Microsecond)
	}
	return accel.Kicked, nil
}

type fakePart struct {
	log  *[]string
	name string
}

func (p fakePart) Reset()  { *p.log = append(*p.log, "reset "+p.name) }
func (p fakePart) Settle() { *p.log = append(*p.log, "settle "+p.name) }

type run struct {
	code int
	err  error
}

func start(m *Machine) chan run {
	c := make(chan run, 1)
	go func() {
		code, err := m.Run()
		c <- run{code, err}
	}()
	return c
}

func wait(t *testing.T, c chan run) run {
	t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(5 * time.Minute):
		t.Fatal("the machine does not end")
	}
	return run{}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestStopReallyStops(t *testing.T) {
	m := New(Config{})
	v := []*fakeVCPU{{}, {}}
	m.AddVCPU(v[0])
	m.AddVCPU(v[1])
	var states []State
	m.OnState(func(s State) { states = append(states, s) })
	end := start(m)
	if s := m.State(); s != Prelaunch || s.Status() != "paused (prelaunch)" {
		t.Error(s.Status())
	}
	for range 200 {
		if err := m.Cont(); err != nil {
			t.Fatal(err)
		}
		m.Stop()
		if v[0].running.Load() || v[1].running.Load() {
			t.Fatal("a processor runs after Stop")
		}
	}
	if err := m.Cont(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both run", func() bool { return v[0].running.Load() && v[1].running.Load() })
	m.Held(func() {
		if v[0].running.Load() || v[1].running.Load() {
			t.Error("a processor runs in Held")
		}
	})
	eventually(t, "both run again", func() bool { return v[0].running.Load() && v[1].running.Load() })
	m.Quit(7)
	if r := wait(t, end); r.code != 7 || r.err != nil {
		t.Error(r)
	}
	if states[0] != Running || states[1] != Paused || states[len(states)-1] != Shutdown {
		t.Error(states[:2])
	}
}

func TestResetAndTripleFault(t *testing.T) {
	m := New(Config{})
	var log []string
	m.Add(fakePart{&log, "board"})
	m.Add(fakePart{&log, "cpu"})
	v := &fakeVCPU{script: []func() (accel.Exit, error){func() (accel.Exit, error) { return accel.Shutdown, nil }}}
	m.AddVCPU(v)
	end := start(m)
	m.Cont()
	eventually(t, "reset", func() (ok bool) { m.Do(func() { ok = len(log) == 4 }); return })
	m.Do(func() {
		if !slices.Equal(log, []string{"reset board", "reset cpu", "settle board", "settle cpu"}) {
			t.Error(log)
		}
	})
	eventually(t, "it runs on", func() bool { return m.State() == Running && v.runs.Load() > 1 })
	if m.Cause() != "triple fault" {
		t.Error(m.Cause())
	}
	m.Stop()
	m.Reset()
	eventually(t, "prelaunch", func() bool { return m.State() == Prelaunch })
	m.Quit(0)
	wait(t, end)
}

func TestNoReboot(t *testing.T) {
	m := New(Config{NoReboot: true})
	m.AddVCPU(&fakeVCPU{script: []func() (accel.Exit, error){func() (accel.Exit, error) { return accel.Shutdown, nil }}})
	end := start(m)
	m.Cont()
	if r := wait(t, end); r.code != 0 || r.err != nil {
		t.Error(r)
	}
}

func TestNoShutdown(t *testing.T) {
	m := New(Config{NoShutdown: true})
	v := &fakeVCPU{}
	m.AddVCPU(v)
	end := start(m)
	m.Cont()
	m.Do(func() { m.Env().Power.RequestPowerOff("acpi") })
	eventually(t, "shutdown", func() bool { return m.State() == Shutdown })
	if m.State().Status() != "paused (shutdown)" {
		t.Error(m.State().Status())
	}
	if err := m.Cont(); err == nil || err.Error() != "Resetting the Virtual Machine is required" {
		t.Error(err)
	}
	m.Reset()
	eventually(t, "prelaunch", func() bool { return m.State() == Prelaunch })
	if err := m.Cont(); err != nil {
		t.Error(err)
	}
	m.Quit(0)
	wait(t, end)
}

// A request from MMIO: the processor that made it runs no further before it
// is carried out.
func TestExitFromMMIO(t *testing.T) {
	m := New(Config{})
	v := &fakeVCPU{}
	v.script = []func() (accel.Exit, error){
		func() (accel.Exit, error) {
			m.Locker().Lock()
			m.Env().Power.RequestExit(33)
			m.Locker().Unlock()
			return accel.Kicked, nil
		},
		func() (accel.Exit, error) { t.Error("it ran on"); return accel.Kicked, nil },
	}
	m.AddVCPU(v)
	end := start(m)
	m.Cont()
	if r := wait(t, end); r.code != 33 {
		t.Error(r)
	}
}

func TestFailure(t *testing.T) {
	m := New(Config{})
	boom := errors.New("no such ioctl")
	m.AddVCPU(&fakeVCPU{script: []func() (accel.Exit, error){func() (accel.Exit, error) { return 0, boom }}})
	end := start(m)
	m.Cont()
	if r := wait(t, end); r.code != 1 || !errors.Is(r.err, boom) {
		t.Error(r)
	}
}

func TestTimersAndPost(t *testing.T) {
	m := New(Config{})
	env := m.Env()
	fired := make(chan int64, 10)
	timer := env.Clock.NewTimer(func() { fired <- env.Clock.Now() })
	timer.Set(int64(20 * time.Millisecond))
	end := start(m)
	time.Sleep(40 * time.Millisecond)
	if len(fired) != 0 {
		t.Error("time runs while the machine does not")
	}
	m.Cont()
	if at := <-fired; at < int64(20*time.Millisecond) {
		t.Error("fired at", at)
	}
	// An earlier deadline, set while the loop sleeps.
	timer.Set(env.Clock.Now() + int64(time.Hour))
	time.Sleep(5 * time.Millisecond)
	timer.Set(env.Clock.Now() + int64(time.Millisecond))
	select {
	case <-fired:
	case <-time.After(5 * time.Minute):
		t.Error("the loop overslept")
	}
	m.Stop()
	now := env.Clock.Now()
	time.Sleep(5 * time.Millisecond)
	if env.Clock.Now() != now {
		t.Error("the clock runs while paused")
	}
	// Posted functions run, under the lock, even while paused.
	done := make(chan bool)
	env.Post(func() { done <- !m.mu.TryLock() })
	if !<-done {
		t.Error("posted function without the lock")
	}
	m.Quit(0)
	wait(t, end)
}

type notifiedVCPU struct {
	fakeVCPU
	wake func()
	n    atomic.Int64
}

func (v *notifiedVCPU) OnWake(f func()) { v.wake = f }
func (v *notifiedVCPU) Run(int64) (accel.Exit, error) {
	v.n.Add(1)
	return accel.Halted, nil
}

func TestHalted(t *testing.T) {
	m := New(Config{})
	v := &notifiedVCPU{}
	m.AddVCPU(v)
	end := start(m)
	m.Cont()
	eventually(t, "halted", func() bool { return v.n.Load() >= 1 })
	time.Sleep(10 * time.Millisecond)
	n := v.n.Load()
	if n > 2 {
		t.Error("a halted processor spins:", n)
	}
	v.wake()
	eventually(t, "woken", func() bool { return v.n.Load() > n })
	m.Stop()
	m.Quit(0)
	wait(t, end)
}

func TestPowerDown(t *testing.T) {
	m := New(Config{})
	pressed := make(chan bool, 1)
	m.OnPowerDown(func() { pressed <- true })
	end := start(m)
	m.PowerDown()
	<-pressed
	m.Quit(0)
	wait(t, end)
}

func TestCrashHook(t *testing.T) {
	called := false
	m := New(Config{Crash: func() { called = true }})
	m.Post(func() { panic("BUG: test") })
	func() {
		defer func() { recover() }()
		m.Run()
	}()
	if !called {
		t.Error("Crash was not called")
	}
}

// An image's error stops the machine until it is told to go on, or ends.
func TestStopForIO(t *testing.T) {
	m := New(Config{})
	v := &fakeVCPU{}
	m.AddVCPU(v)
	end := start(m)
	m.Cont()
	again := make(chan bool)
	go func() { again <- m.StopForIO() }()
	eventually(t, "stopped", func() bool { return m.State() == IOError })
	if s := m.State().Status(); s != "paused (io-error)" || v.running.Load() {
		t.Error(s, v.running.Load())
	}
	select {
	case <-again:
		t.Fatal("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	if err := m.Cont(); err != nil {
		t.Fatal(err)
	}
	if !<-again {
		t.Error("not to be tried again")
	}
	go func() { again <- m.StopForIO() }()
	eventually(t, "stopped", func() bool { return m.State() == IOError })
	m.Quit(0)
	if <-again {
		t.Error("to be tried again although the machine ends")
	}
	wait(t, end)
}

func TestGuestPanic(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		code int // -1: it does not end
		then State
	}{
		{Config{}, 0, 0},
		{Config{Panic: PanicExit}, 1, 0},
		{Config{Panic: PanicExit, NoShutdown: true}, 1, 0},
		{Config{NoShutdown: true}, -1, GuestPanicked},
		{Config{Panic: PanicPause}, -1, GuestPanicked},
		{Config{Panic: PanicIgnore}, -1, Running},
	} {
		m := New(c.cfg)
		m.AddVCPU(&fakeVCPU{})
		end := start(m)
		m.Cont()
		m.Do(m.GuestPanic)
		if c.code < 0 {
			eventually(t, "served", func() bool {
				served := false
				m.Do(func() { served = !m.req.panicked })
				return served && m.State() == c.then
			})
			m.Quit(7)
			c.code = 7
		}
		if r := wait(t, end); r.code != c.code || r.err != nil {
			t.Errorf("%+v: %v", c.cfg, r)
		}
	}
}
