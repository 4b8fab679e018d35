package netdev

import (
	"encoding/binary"
	"sync"
)

// Ring is a bounded queue of frames in one buffer: a frame costs a copy and no
// allocation. Any goroutine may put; one takes.
//
// In the buffer a record is a word (length, and a flag for big frames) and the
// frame, padded to 8 bytes. A record does not wrap: a word with the skip flag
// says that the next one is at the buffer's start.
type Ring struct {
	mu         sync.Mutex
	buf        []byte
	head, tail int // where the oldest record is, and where the next one goes
	frames     int
	used       int // bytes, with what was skipped
	idle       bool
	starved    bool
}

const (
	recHeader = 8
	recBig    = 1 << 31
	recSkip   = 1 << 30
	recLen    = 1<<30 - 1
)

// NewRing returns a ring of so many bytes, at least two of the longest frames.
func NewRing(size int) *Ring {
	return &Ring{buf: make([]byte, max(size, 2*(MaxBig+recHeader))&^7), idle: true}
}

// Put copies a frame in. ok is false if there is no room; the taker is then
// told by Pop. wake says that the taker had found nothing and must be woken.
func (r *Ring) Put(frame []byte, big bool) (ok, wake bool) {
	if len(frame) == 0 || len(frame) > MaxBig {
		return true, false // nobody could send that: it is lost
	}
	need := recHeader + (len(frame)+7)&^7
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frames == 0 {
		r.head, r.tail, r.used = 0, 0, 0
	}
	end := len(r.buf)
	switch {
	case r.frames > 0 && r.tail <= r.head:
		end = r.head
	case r.tail+need > end && r.head >= need:
		if r.tail < end {
			binary.LittleEndian.PutUint32(r.buf[r.tail:], recSkip)
		}
		r.used += end - r.tail
		r.tail, end = 0, r.head
	}
	if r.tail+need > end {
		r.starved = true
		return false, false
	}
	word := uint32(len(frame))
	if big {
		word |= recBig
	}
	binary.LittleEndian.PutUint32(r.buf[r.tail:], word)
	copy(r.buf[r.tail+recHeader:], frame)
	r.tail += need
	r.used += need
	r.frames++
	wake, r.idle = r.idle, false
	return true, wake
}

// Peek returns the oldest frame, which is valid until Pop. If there is none
// the ring is idle: the next Put asks for the taker to be woken.
func (r *Ring) Peek() (frame []byte, big, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frames == 0 {
		r.idle = true
		return nil, false, false
	}
	word := uint32(recSkip)
	if r.head < len(r.buf) {
		word = binary.LittleEndian.Uint32(r.buf[r.head:])
	}
	if word&recSkip != 0 {
		r.used -= len(r.buf) - r.head
		r.head = 0
		word = binary.LittleEndian.Uint32(r.buf)
	}
	at := r.head + recHeader
	return r.buf[at : at+int(word&recLen)], word&recBig != 0, true
}

// Pop removes the frame that Peek returned. wake says that a sender was
// refused and that by now half of the ring is free: wake the senders.
func (r *Ring) Pop() (wake bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frames == 0 {
		return false
	}
	n := recHeader + (int(binary.LittleEndian.Uint32(r.buf[r.head:])&recLen)+7)&^7
	r.head += n
	r.used -= n
	r.frames--
	if wake = r.starved && r.used <= len(r.buf)/2; wake {
		r.starved = false
	}
	return wake
}

// Clear throws away all frames. wake is as Pop's.
func (r *Ring) Clear() (wake bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = 0
	wake, r.starved = r.starved, false
	return wake
}

// Len is how many frames wait.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.frames
}
