// Package vclock is the only time that devices see. A Clock's timers fire on
// whichever goroutine runs its queue (the machine's event loop, under the
// machine's lock), so devices need no locks of their own.
package vclock

import (
	"container/heap"
	"sync"
	"time"
)

// Second is one second of Now, which counts nanoseconds.
const Second = int64(time.Second)

// Clock tells time and makes timers.
type Clock interface {
	// Now is nanoseconds since the clock's start; it never runs backwards.
	Now() int64
	// NewTimer returns a timer, not yet set, that calls fire when it expires.
	NewTimer(fire func()) *Timer
}

// Timer calls its function once for each time it was set.
type Timer struct {
	q     *Queue
	fire  func()
	at    int64
	index int // in the heap, -1 = not set
}

// Set arms t for the time at (of Now); an earlier setting is forgotten.
func (t *Timer) Set(at int64) {
	q := t.q
	q.mu.Lock()
	if t.index >= 0 && t.at == at { // parts settle often: nobody need wake
		q.mu.Unlock()
		return
	}
	t.at = at
	if t.index >= 0 {
		heap.Fix(&q.heap, t.index)
	} else {
		heap.Push(&q.heap, t)
	}
	first := t.index == 0
	q.mu.Unlock()
	if first && q.wake != nil {
		q.wake()
	}
}

// Stop disarms t.
func (t *Timer) Stop() {
	q := t.q
	q.mu.Lock()
	if t.index >= 0 {
		heap.Remove(&q.heap, t.index)
	}
	q.mu.Unlock()
}

// Deadline returns the time t is set for.
func (t *Timer) Deadline() (at int64, set bool) {
	t.q.mu.Lock()
	defer t.q.mu.Unlock()
	return t.at, t.index >= 0
}

// Queue is a Clock over a source of time.
type Queue struct {
	now  func() int64
	wake func()
	mu   sync.Mutex
	heap timers
}

// NewQueue returns a clock that reads now; wake, if not nil, is called (from
// any goroutine) when the earliest deadline may have become earlier.
func NewQueue(now func() int64, wake func()) *Queue { return &Queue{now: now, wake: wake} }

// Now implements Clock.
func (q *Queue) Now() int64 { return q.now() }

// NewTimer implements Clock.
func (q *Queue) NewTimer(fire func()) *Timer { return &Timer{q: q, fire: fire, index: -1} }

// Next returns the earliest deadline.
func (q *Queue) Next() (at int64, any bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].at, true
}

// Run fires all timers that are due, in order of their deadlines.
func (q *Queue) Run() {
	now := q.now()
	for {
		q.mu.Lock()
		if len(q.heap) == 0 || q.heap[0].at > now {
			q.mu.Unlock()
			return
		}
		t := heap.Pop(&q.heap).(*Timer)
		q.mu.Unlock()
		t.fire()
	}
}

// Manual is a hand-cranked clock for tests and for qtest.
type Manual struct {
	*Queue
	t int64
}

// NewManual returns a Manual that stands at 0.
func NewManual() *Manual {
	m := &Manual{}
	m.Queue = NewQueue(func() int64 { return m.t }, nil)
	return m
}

// Advance moves time on by d nanoseconds, firing timers at their own times.
func (m *Manual) Advance(d int64) {
	end := m.t + d
	for {
		at, any := m.Next()
		if !any || at > end {
			break
		}
		m.t = max(m.t, at)
		m.Run()
	}
	m.t = end
}

// Host is the host's monotonic time, which can be stopped (a paused machine's
// clock stands still).
type Host struct {
	mu      sync.Mutex
	base    time.Time
	offset  int64
	running bool
}

// NewHost returns a Host source that stands at 0 until Start.
func NewHost() *Host { return &Host{} }

// Start lets time run.
func (h *Host) Start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		h.base, h.running = time.Now(), true
	}
}

// Stop makes time stand still.
func (h *Host) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running {
		h.offset += int64(time.Since(h.base))
		h.running = false
	}
}

// Now returns the nanoseconds that have passed while running.
func (h *Host) Now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		return h.offset
	}
	return h.offset + int64(time.Since(h.base))
}

type timers []*Timer

func (h timers) Len() int           { return len(h) }
func (h timers) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *timers) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}
func (h *timers) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
