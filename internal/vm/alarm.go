package vm

import (
	"sync"
	"sync/atomic"
	"time"

	"rhea/internal/vclock"
)

// alarm is what wakes the event loop.
type alarm interface {
	// set has the alarm go off after d, whatever it was set to before; negative:
	// not at all. It is not called twice at once, but during wait.
	set(d time.Duration)
	// wait calls arm and, if that says so, returns when the alarm has gone off
	// that arm or anyone since has set. It may return before.
	wait(arm func() bool)
	close()
}

// timerAlarm is an alarm of Go's runtime.
type timerAlarm struct{ t *time.Timer }

func newTimerAlarm() timerAlarm { return timerAlarm{time.NewTimer(time.Hour)} }

func (a timerAlarm) set(d time.Duration) {
	if d < 0 {
		a.t.Stop()
	} else {
		a.t.Reset(d)
	}
}

func (a timerAlarm) wait(arm func() bool) {
	if arm() {
		<-a.t.C
	}
}

func (a timerAlarm) close() { a.t.Stop() }

// sleeper is how the event loop sleeps: until the clock's next deadline, or
// until it is woken. An earlier deadline does not wake it, it sets the alarm.
type sleeper struct {
	clock *vclock.Queue
	rings atomic.Bool // wake was called after the last sleep
	deep  atomic.Bool // the loop sleeps, or is about to
	armed func() bool

	mu    sync.Mutex // a leaf
	alarm alarm      // nil = the loop has ended
	ticks bool       // the clock runs
}

func newSleeper(clock *vclock.Queue) *sleeper {
	s := &sleeper{clock: clock, alarm: newAlarm()}
	s.armed = func() bool {
		s.deep.Store(true)
		s.set()
		return !s.rings.Load()
	}
	return s
}

// sleep returns when there may be something to do; ticks: the clock runs.
func (s *sleeper) sleep(ticks bool) {
	s.mu.Lock()
	s.ticks = ticks
	a := s.alarm
	s.mu.Unlock()
	a.wait(s.armed)
	s.deep.Store(false)
	s.rings.Store(false)
}

// wake has sleep return.
func (s *sleeper) wake() {
	if !s.rings.Swap(true) && s.deep.Load() {
		s.set()
	}
}

// earlier is called when the next deadline may have become earlier.
func (s *sleeper) earlier() {
	if s.deep.Load() {
		s.set()
	}
}

func (s *sleeper) set() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alarm == nil {
		return
	}
	d := time.Duration(-1)
	if s.rings.Load() {
		d = 0
	} else if at, any := s.clock.Next(); any && s.ticks {
		d = max(0, time.Duration(at-s.clock.Now()))
	}
	s.alarm.set(d)
}

func (s *sleeper) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarm.close()
	s.alarm = nil
}
