package audio

import "sync"

// Queue is a Sink of bounded size between a mixer and a goroutine that waits
// for the host.
type Queue struct {
	mu      sync.Mutex
	cond    sync.Cond
	ring    []Frame
	head, n int
	closed  bool
	dropped int64
}

// NewQueue returns a queue for so many frames.
func NewQueue(frames int) *Queue {
	q := &Queue{ring: make([]Frame, frames)}
	q.cond.L = &q.mu
	return q
}

// Play implements Sink. What there is no room for is dropped.
func (q *Queue) Play(p []Frame) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if room := len(q.ring) - q.n; len(p) > room {
		q.dropped += int64(len(p) - room)
		p = p[:room]
	}
	at := (q.head + q.n) % len(q.ring)
	k := copy(q.ring[at:], p)
	copy(q.ring, p[k:])
	q.n += len(p)
	q.cond.Signal()
}

// take moves frames to p. The lock is held.
func (q *Queue) take(p []Frame) int {
	n := min(len(p), q.n)
	k := copy(p[:n], q.ring[q.head:])
	copy(p[k:n], q.ring)
	q.head = (q.head + n) % len(q.ring)
	q.n -= n
	return n
}

// Take moves the frames there are to p and returns their number.
func (q *Queue) Take(p []Frame) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take(p)
}

// Wait is Take, but waits for frames. It returns 0 when the queue is closed
// and empty.
func (q *Queue) Wait(p []Frame) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 && !q.closed {
		q.cond.Wait()
	}
	return q.take(p)
}

// Len returns how many frames there are.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// Skip drops the n oldest frames.
func (q *Queue) Skip(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = min(n, q.n)
	q.head = (q.head + n) % len(q.ring)
	q.n -= n
	q.dropped += int64(n)
}

// Dropped returns how many frames were dropped.
func (q *Queue) Dropped() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Close ends the queue: nothing is taken in any more.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Broadcast()
	return nil
}
