package block

import (
	"errors"
	"fmt"
	"sync"
)

// Op is what a request does.
type Op uint8

// The operations.
const (
	Read Op = iota
	Write
	Flush
	Discard
)

func (o Op) String() string { return [...]string{"read", "write", "flush", "discard"}[o] }

// ErrReadOnly is the error of a write to what cannot be written.
var ErrReadOnly = errors.New("image is read-only")

// Queue runs a controller's requests off the machine's lock: at most a fixed
// number at a time, each on a goroutine of the host's; results come back
// through the machine's Post. It is the controller's half of the contract
// that no blocking host call is made under the lock.
//
// Requests may be carried out in any order: who needs an order waits for the
// earlier request's result.
type Queue struct {
	b    Backend
	post func(func()) // nil = synchronous
	max  int

	mu      sync.Mutex
	idle    sync.Cond
	running int
	waiting []func()
	pending int // submitted, done not yet called
}

// NewQueue returns a queue of at most workers concurrent requests to b. With
// a nil post, Submit does the work itself and calls done before it returns
// (tests, deterministic mode).
func NewQueue(b Backend, workers int, post func(func())) *Queue {
	q := &Queue{b: b, post: post, max: max(1, workers)}
	q.idle.L = &q.mu
	return q
}

// Backend returns what the queue works on.
func (q *Queue) Backend() Backend { return q.b }

// Submit starts a request: buf's bytes are read from or written to off, or
// len bytes are discarded. Buf belongs to the queue until done is called,
// under the machine's lock.
func (q *Queue) Submit(op Op, off int64, buf []byte, length int64, done func(error)) {
	if q.post == nil {
		done(Do(q.b, op, off, buf, length))
		return
	}
	work := func() {
		err := Do(q.b, op, off, buf, length)
		q.post(func() {
			q.mu.Lock()
			q.pending--
			q.mu.Unlock()
			done(err)
		})
	}
	q.mu.Lock()
	q.pending++
	if q.running == q.max {
		q.waiting = append(q.waiting, work)
		q.mu.Unlock()
		return
	}
	q.running++
	q.mu.Unlock()
	go q.run(work)
}

func (q *Queue) run(work func()) {
	for {
		work()
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running--
			q.idle.Broadcast()
			q.mu.Unlock()
			return
		}
		work = q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
	}
}

// Busy reports whether a request's done is still to be called. A machine is
// saved only when no queue is busy.
func (q *Queue) Busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pending > 0
}

// Wait returns when the backend is no longer in use (the results may still
// be on their way through Post). It is for closing images.
func (q *Queue) Wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.running > 0 {
		q.idle.Wait()
	}
}

// Do carries out one request on the calling goroutine. Reads beyond the end
// of b are filled with zeroes (an image whose size is no multiple of the
// sector size), writes there fail.
func Do(b Backend, op Op, off int64, buf []byte, length int64) error {
	switch op {
	case Read:
		return readFull(b, off, buf)
	case Write:
		if IsReadOnly(b) {
			return ErrReadOnly
		}
		n := int64(len(buf))
		if off < 0 || off > b.Size() {
			return fmt.Errorf("write of %d bytes at %d is beyond the end of the image", n, off)
		}
		if rest := b.Size() - off; n > rest {
			if n-rest >= 512 {
				return fmt.Errorf("write of %d bytes at %d is beyond the end of the image", n, off)
			}
			n = rest // the last, partial sector
		}
		_, err := b.WriteAt(buf[:n], off)
		return err
	case Flush:
		return b.Sync()
	case Discard:
		if d, ok := b.(Discarder); ok {
			return d.Discard(off, length)
		}
		return nil
	}
	return fmt.Errorf("unknown request %d", op)
}

func readFull(b Backend, off int64, buf []byte) error {
	size := b.Size()
	if off < 0 || off > size || int64(len(buf))-(size-off) >= 4096 {
		return fmt.Errorf("read of %d bytes at %d is beyond the end of the image", len(buf), off)
	}
	n := min(int64(len(buf)), size-off)
	clear(buf[n:])
	if n == 0 {
		return nil
	}
	got, err := b.ReadAt(buf[:n], off)
	if int64(got) == n {
		return nil // io.EOF may come with the last byte
	}
	if err == nil {
		err = fmt.Errorf("short read")
	}
	return err
}
