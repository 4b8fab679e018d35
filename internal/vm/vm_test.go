package vm

import (
	"sync/atomic"
	"testing"
	"time"

	"rhea/internal/accel"
)

// spinner is a vCPU that counts until it is kicked.
type spinner struct {
	kicked atomic.Bool
	count  atomic.Int64
	next   chan accel.Exit
}

func (s *spinner) Kick() { s.kicked.Store(true) }

func (s *spinner) Run(int64) (accel.Exit, error) {
	for !s.kicked.Swap(false) {
		select {
		case e := <-s.next:
			return e, nil
		default:
			s.count.Add(1)
			time.Sleep(10 * time.Microsecond)
		}
	}
	return accel.Kicked, nil
}

type board struct{ resets, settles atomic.Int64 }

func (b *board) Reset()  { b.resets.Add(1) }
func (b *board) Settle() { b.settles.Add(1) }

func start(t *testing.T, cfg Config) (*Machine, *spinner, *board, chan int) {
	m := New(cfg)
	s := &spinner{next: make(chan accel.Exit, 1)}
	b := &board{}
	m.SetBoard(b)
	m.AddCPU(s, func() {})
	done := make(chan int, 1)
	go func() {
		code, err := m.Run()
		if err != nil {
			t.Error(err)
		}
		done <- code
	}()
	return m, s, b, done
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestStopReallyStops(t *testing.T) {
	m, s, _, done := start(t, Config{})
	eventually(t, "running", func() bool { return s.count.Load() > 0 })
	m.Stop()
	if m.Status() != Paused {
		t.Errorf("status %s", m.Status())
	}
	n, at := s.count.Load(), m.clock.Now()
	time.Sleep(5 * time.Millisecond)
	if s.count.Load() != n || m.clock.Now() != at {
		t.Error("the vCPU or the clock goes on while paused")
	}
	if err := m.Cont(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "going on", func() bool { return s.count.Load() > n })
	m.Quit(3)
	if code := <-done; code != 3 {
		t.Errorf("exit code %d", code)
	}
}

func TestTripleFaultResets(t *testing.T) {
	m, s, b, done := start(t, Config{})
	s.next <- accel.Shutdown
	eventually(t, "a second reset", func() bool { return b.resets.Load() == 2 && b.settles.Load() == 2 })
	m.Quit(0)
	<-done
}

func TestNoReboot(t *testing.T) {
	_, s, b, done := start(t, Config{NoReboot: true})
	s.next <- accel.Shutdown
	if code := <-done; code != 0 || b.resets.Load() != 1 {
		t.Errorf("exit code %d after %d resets", code, b.resets.Load())
	}
}

func TestNoShutdown(t *testing.T) {
	m, s, _, done := start(t, Config{NoShutdown: true})
	eventually(t, "running", func() bool { return s.count.Load() > 0 })
	m.Env().Power.RequestPowerOff("test")
	eventually(t, "shut down", func() bool { return m.Status() == Shutdown })
	if err := m.Cont(); err == nil {
		t.Error("a machine that is off goes on")
	}
	m.Reset()
	if err := m.Cont(); err != nil {
		t.Error(err)
	}
	n := s.count.Load()
	eventually(t, "going on", func() bool { return s.count.Load() > n })
	m.Quit(0)
	<-done
}

func TestTimersAndPosts(t *testing.T) {
	m, _, _, done := start(t, Config{})
	fired := make(chan int, 4)
	m.Do(func() {
		m.Env().Clock.NewTimer(func() { fired <- 2 }).Set(m.clock.Now() + int64(20*time.Millisecond))
	})
	m.Post(func() { fired <- 1 })
	if a, b := <-fired, <-fired; a != 1 || b != 2 {
		t.Errorf("order %d %d", a, b)
	}
	m.Quit(0)
	<-done
}
