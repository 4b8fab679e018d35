package display

import (
	"sync"
	"time"

	"rhea/internal/keys"
)

// Keyboard is a guest's keyboard. It is used under the machine's lock.
type Keyboard interface {
	Key(code keys.Code, down bool)
	// LEDs returns the lamps: bit 0 scroll lock, 1 num lock, 2 caps lock.
	LEDs() uint8
}

// Pointer is a guest's mouse, used under the machine's lock. Buttons are
// bits: 1 left, 2 right, 4 middle, 8 side, 16 extra.
type Pointer interface {
	// Move moves it: dx to the right, dy down, dz wheel clicks down.
	Move(dx, dy, dz int)
	SetButtons(b uint8)
}

// Tablet is a Pointer that knows places as well.
type Tablet interface {
	// Point says where the pointer is, from 0 to PointMax on both axes.
	Point(x, y int)
	// Absolute reports whether the guest wants places and not moves.
	Absolute() bool
}

// PointMax is the right and the lower edge of a Tablet.
const PointMax = 0x7fff

// Mouse is a Pointer with the name that the monitor calls it by.
type Mouse struct {
	Name string
	Pointer
}

// maxEvents bounds what people have done and the guest has not seen.
const maxEvents = 256

// Input takes keys and moves of pointers to the guest. Its methods may be
// called from any goroutine and never wait.
type Input struct {
	post func(func())
	kbd  Keyboard
	mice []Mouse // used under the machine's lock
	cur  int     // which of mice is moved

	mu      sync.Mutex
	events  []event
	posted  bool
	lastKey time.Time
	gap     time.Duration // between keys
	down    [256]bool     // keys that are down, in front of the queue
	buttons uint8
}

type eventKind uint8

const (
	evKey eventKind = iota
	evMove
	evPoint
	evButtons
)

type event struct {
	kind       eventKind
	code       keys.Code
	down       bool
	dx, dy, dz int
	buttons    uint8
}

// NewInput returns the way to a keyboard and to mice, of which the last is
// moved at first; kbd may be nil. Post is dev.Env.Post.
func NewInput(post func(func()), kbd Keyboard, mice ...Mouse) *Input {
	return &Input{post: post, kbd: kbd, mice: mice, cur: len(mice) - 1, gap: keyGap}
}

// SetKeyGap states how long after a key the next one comes.
func (in *Input) SetKeyGap(d time.Duration) {
	in.mu.Lock()
	in.gap = d
	in.mu.Unlock()
}

// Key presses or releases a key.
func (in *Input) Key(code keys.Code, down bool) {
	if in.kbd == nil {
		return
	}
	in.mu.Lock()
	in.down[code] = down
	in.mu.Unlock()
	in.add(event{kind: evKey, code: code, down: down})
}

// KeySymbol implements Controls: to a machine keys are their places.
func (in *Input) KeySymbol(code keys.Code, _ uint32, down bool) { in.Key(code, down) }

// Down returns the keys that are down.
func (in *Input) Down() []keys.Code {
	in.mu.Lock()
	defer in.mu.Unlock()
	var l []keys.Code
	for c, d := range in.down {
		if d {
			l = append(l, keys.Code(c))
		}
	}
	return l
}

// Move moves the pointer.
func (in *Input) Move(dx, dy, dz int) { in.add(event{kind: evMove, dx: dx, dy: dy, dz: dz}) }

// Point puts the pointer in a place, from 0 to PointMax.
func (in *Input) Point(x, y int) { in.add(event{kind: evPoint, dx: x, dy: y}) }

// SetButtons states which buttons are down.
func (in *Input) SetButtons(b uint8) {
	in.mu.Lock()
	same := in.buttons == b
	in.buttons = b
	in.mu.Unlock()
	if !same {
		in.add(event{kind: evButtons, buttons: b})
	}
}

// add queues an event. Moves add up; what is too much is dropped, but no
// release of a key or of buttons, of which there are few.
func (in *Input) add(e event) {
	if in.queue(e) {
		in.post(in.deliver)
	}
}

// queue reports whether somebody has to come for the events.
func (in *Input) queue(e event) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := len(in.events); n > 0 {
		switch last := &in.events[n-1]; {
		case e.kind == evMove && last.kind == evMove:
			last.dx, last.dy, last.dz = sum(last.dx, e.dx), sum(last.dy, e.dy), sum(last.dz, e.dz)
			return false
		case e.kind == evPoint && last.kind == evPoint:
			*last = e
			return false
		}
	}
	release := e.kind == evKey && !e.down || e.kind == evButtons
	if n := len(in.events); n >= maxEvents && !(release && n < 2*maxEvents) {
		return false
	}
	in.events = append(in.events, e)
	first := !in.posted
	in.posted = true
	return first
}

// sum adds moves without growing beyond all screens.
func sum(a, b int) int { return min(max(a+b, -1<<15), 1<<15) }

// keyGap is how long after a key the next one comes unless SetKeyGap says
// otherwise: people are slower, and keyboards hold few.
const keyGap = 4 * time.Millisecond

// deliver runs under the machine's lock.
func (in *Input) deliver() {
	for {
		e, wait, ok := in.take()
		switch {
		case wait > 0:
			time.AfterFunc(wait, func() { in.post(in.deliver) })
			return
		case !ok:
			return
		}
		in.send(e)
	}
}

// take returns the next event, or how long to wait for it.
func (in *Input) take() (e event, wait time.Duration, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.events) == 0 {
		in.posted = false
		return e, 0, false
	}
	e = in.events[0]
	if e.kind == evKey {
		if wait = in.gap - time.Since(in.lastKey); wait > 0 {
			return e, wait, false
		}
		in.lastKey = time.Now()
	}
	in.events = in.events[1:]
	return e, 0, true
}

// Throttle waits, not for long, while more is typed than the guest has seen.
// Who reads keys from somewhere calls it before Key.
func (in *Input) Throttle() {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(keyGap) {
		in.mu.Lock()
		n := len(in.events)
		in.mu.Unlock()
		if n < maxEvents/2 {
			return
		}
	}
}

func (in *Input) send(e event) {
	if e.kind == evKey {
		if in.kbd != nil {
			in.kbd.Key(e.code, e.down)
		}
		return
	}
	m := in.Current()
	if m == nil {
		return
	}
	switch e.kind {
	case evMove:
		m.Move(e.dx, e.dy, e.dz)
	case evButtons:
		m.SetButtons(e.buttons)
	case evPoint:
		if t, ok := m.Pointer.(Tablet); ok {
			t.Point(e.dx, e.dy)
		}
	}
}

// Current returns the mouse that is moved, nil if there is none: the chosen
// one, but a tablet whose guest does not use it makes way for a mouse. It is
// called under the machine's lock.
func (in *Input) Current() *Mouse {
	if in.cur < 0 {
		return nil
	}
	if t, ok := in.mice[in.cur].Pointer.(Tablet); ok && !t.Absolute() {
		for i := range in.mice {
			if _, tablet := in.mice[i].Pointer.(Tablet); !tablet {
				return &in.mice[i]
			}
		}
	}
	return &in.mice[in.cur]
}

// Mice lists the mice, under the machine's lock.
func (in *Input) Mice() []Mouse { return in.mice }

// Choose has another mouse moved; it reports false if there is none with that
// number. It is called under the machine's lock.
func (in *Input) Choose(n int) bool {
	if n < 0 || n >= len(in.mice) {
		return false
	}
	in.cur = n
	return true
}

// Absolute reports whether the guest wants places, under the machine's lock.
func (in *Input) Absolute() bool {
	m := in.Current()
	if m == nil {
		return false
	}
	t, ok := m.Pointer.(Tablet)
	return ok && t.Absolute()
}

// LEDs returns the keyboard's lamps, under the machine's lock.
func (in *Input) LEDs() uint8 {
	if in.kbd == nil {
		return 0
	}
	return in.kbd.LEDs()
}
