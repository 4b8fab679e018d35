package netdev

import (
	"sync"
	"sync/atomic"
)

// Bytes in each direction that a Link holds.
const linkBuffer = 1 << 20

// batch is how many frames a card gets before others have their turn with the
// machine's lock.
const batch = 64

// Link is the cable between a card and a back end: it is the card's Port and
// takes the back end's frames. In each direction frames queue in a Ring.
type Link struct {
	post func(f func())
	back Backend
	big  BigBackend // nil if back is none

	toHost, toCard *Ring
	hostWork       chan struct{}
	closed         chan struct{}
	closeOnce      sync.Once
	wg             sync.WaitGroup

	down atomic.Bool // nothing passes
	taps atomic.Pointer[[]Tap]

	// What the machine's lock protects.
	card    Card
	stopped bool // the machine does not run
	stalled bool // the card has refused a frame, or there is none that takes it
	drainFn func()
	readyFn func()
}

// Tap sees all frames of a Link, on the host's goroutines.
type Tap func(frame []byte)

// NewLink joins a back end, which may be nil: then what the card sends is lost.
// post is dev.Env's.
func NewLink(post func(func()), back Backend) *Link {
	l := &Link{post: post, back: back, toHost: NewRing(linkBuffer), toCard: NewRing(linkBuffer),
		hostWork: make(chan struct{}, 1), closed: make(chan struct{})}
	l.drainFn = l.drain
	l.readyFn = func() {
		if l.card != nil {
			l.card.Wake()
		}
	}
	l.big, _ = back.(BigBackend)
	if back != nil {
		back.Attach((*hostEnd)(l))
		l.wg.Go(l.send)
	}
	return l
}

// AddTap has t see all frames from now on.
func (l *Link) AddTap(t Tap) {
	var list []Tap
	if old := l.taps.Load(); old != nil {
		list = append(list, *old...)
	}
	list = append(list, t)
	l.taps.Store(&list)
}

func (l *Link) tap(frame []byte) {
	if list := l.taps.Load(); list != nil {
		for _, t := range *list {
			t(frame)
		}
	}
}

// Backend returns the host's end, nil if there is none.
func (l *Link) Backend() Backend { return l.back }

// Close ends the back end and the link's goroutine.
func (l *Link) Close() (err error) {
	l.closeOnce.Do(func() {
		close(l.closed)
		if l.back != nil {
			err = l.back.Close()
		}
		l.wg.Wait()
	})
	return err
}

// Attach implements Port.
func (l *Link) Attach(c Card) {
	l.card = c
	if c != nil {
		c.SetLink(!l.down.Load())
		l.resume()
	}
}

// SetLink plugs the cable in or out (the monitor's "set_link"), under the
// machine's lock.
func (l *Link) SetLink(up bool) {
	l.down.Store(!up)
	if !up && l.toCard.Clear() {
		l.wakeHost()
	}
	if l.card != nil {
		l.card.SetLink(up)
	}
}

// Up reports whether the cable is plugged in.
func (l *Link) Up() bool { return !l.down.Load() }

// Run lets frames into the machine, or keeps them out while it does not run;
// under the machine's lock.
func (l *Link) Run(on bool) {
	l.stopped = !on
	if on && l.card != nil { // it may have been loaded
		l.card.SetLink(!l.down.Load())
		l.card.Wake()
		l.resume()
	}
}

// Big implements Port.
func (l *Link) Big() bool { return l.big != nil }

// Deliver implements Port: the card sends.
func (l *Link) Deliver(frame []byte) bool { return l.put(frame, false) }

// DeliverBig implements Port.
func (l *Link) DeliverBig(frame []byte) bool { return l.put(frame, true) }

func (l *Link) put(frame []byte, big bool) bool {
	if l.back == nil || l.down.Load() {
		return true
	}
	ok, wake := l.toHost.Put(frame, big)
	if wake {
		signal(l.hostWork)
	}
	return ok
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// send is the goroutine that gives the card's frames to the back end.
func (l *Link) send() {
	for {
		frame, big, ok := l.toHost.Peek()
		if !ok {
			select {
			case <-l.hostWork:
				continue
			case <-l.closed:
				return
			}
		}
		switch {
		case l.down.Load(): // lost
		case big:
			l.tap(frame)
			l.big.DeliverBig(frame)
		default:
			l.tap(frame)
			l.back.Deliver(frame)
		}
		if l.toHost.Pop() {
			l.post(l.readyFn)
		}
		select {
		case <-l.closed:
			return
		default:
		}
	}
}

// hostEnd is a Link as its back end sees it.
type hostEnd Link

// Deliver implements Peer: the host sends, on any goroutine.
func (h *hostEnd) Deliver(frame []byte) bool {
	l := (*Link)(h)
	if l.down.Load() || len(frame) > MaxFrame {
		return true
	}
	ok, wake := l.toCard.Put(frame, false)
	if ok {
		l.tap(frame)
	}
	if wake {
		l.post(l.drainFn)
	}
	return ok
}

// drain gives the card what has come, under the machine's lock.
func (l *Link) drain() {
	if l.stopped || l.card == nil {
		l.stalled = true
		return
	}
	l.stalled = false
	for range batch {
		frame, _, ok := l.toCard.Peek()
		if !ok {
			return
		}
		if !l.card.Deliver(frame) {
			l.stalled = true
			return
		}
		if l.toCard.Pop() {
			l.wakeHost()
		}
	}
	l.post(l.drainFn)
}

func (l *Link) wakeHost() {
	if w, ok := l.back.(Waker); ok {
		w.Wake()
	}
}

// Ready implements Port. The card is in the middle of something: what waits
// comes a little later.
func (l *Link) Ready() { l.resume() }

func (l *Link) resume() {
	if l.stalled {
		l.stalled = false
		l.post(l.drainFn)
	}
}
