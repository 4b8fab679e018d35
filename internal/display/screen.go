package display

import (
	"image"
	"slices"
	"sync"
	"time"
)

// How often the picture is looked at: as fast as monitors and people are while
// it changes, and less and less often while it does not. A blinking cursor is
// looked at some ten times a second.
const (
	busyPeriod = 20 * time.Millisecond
	idlePeriod = 400 * time.Millisecond
)

// pace is how long to wait for the next look after one that came p after the
// last.
func pace(p time.Duration, changed bool) time.Duration {
	if changed {
		return max(p/2, busyPeriod)
	}
	return min(p+busyPeriod, idlePeriod)
}

// ScreenConfig is what a Screen shows.
type ScreenConfig struct {
	// Do runs f under the machine's lock.
	Do     func(f func())
	Source Source
	// Size is that of the picture as long as there is no Source.
	Width, Height int
}

// Screen keeps the picture of an adapter for those who show it, and tells
// them what has changed. While nobody looks it does nothing.
type Screen struct {
	c ScreenConfig

	// drawMu is held while the source draws into next, which its owner alone
	// uses then.
	drawMu sync.Mutex
	next   Surface

	mu     sync.Mutex
	shown  Surface // what the sinks have been told of
	change Region
	sinks  []Sink
	quit   chan struct{} // of the goroutine that looks; nil = there is none
	wake   chan struct{}
}

// NewScreen returns a screen that nobody looks at.
func NewScreen(c ScreenConfig) *Screen {
	s := &Screen{c: c, wake: make(chan struct{}, 1)}
	if c.Source == nil {
		s.shown.Resize(max(c.Width, 1), max(c.Height, 1))
	}
	return s
}

// Attach has k told of the picture: of its size at once, and of all of it as
// changed. Its methods are called with the picture locked: they must not wait
// nor call the Screen.
func (s *Screen) Attach(k Sink) {
	s.Refresh()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = append(s.sinks, k)
	k.Resize(&s.shown)
	k.Damage(image.Rect(0, 0, s.shown.Width, s.shown.Height))
	if s.quit == nil && s.c.Source != nil {
		s.quit = make(chan struct{})
		go s.look(s.quit)
	}
}

// Detach ends Attach.
func (s *Screen) Detach(k Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = slices.DeleteFunc(s.sinks, func(x Sink) bool { return x == k })
	if len(s.sinks) == 0 && s.quit != nil {
		close(s.quit)
		s.quit = nil
	}
}

// View calls f with the picture locked.
func (s *Screen) View(f func(*Surface)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.shown)
}

// Snapshot returns a copy of the picture as it is now.
func (s *Screen) Snapshot() *Surface {
	s.Refresh()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Surface{}
	c.Resize(s.shown.Width, s.shown.Height)
	copy(c.Pix, s.shown.Pix)
	return c
}

// Wake has the picture looked at soon: somebody has typed something.
func (s *Screen) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look refreshes the picture until quit.
func (s *Screen) look(quit chan struct{}) {
	p := busyPeriod
	timer := time.NewTimer(p)
	defer timer.Stop()
	for {
		select {
		case <-quit:
			return
		case <-s.wake:
			p = busyPeriod
		case <-timer.C:
			p = pace(p, s.Refresh())
		}
		timer.Reset(p)
	}
}

// Refresh brings the picture up to date and tells the sinks. It reports
// whether it has changed.
func (s *Screen) Refresh() bool {
	if s.c.Source == nil {
		return false
	}
	s.drawMu.Lock()
	defer s.drawMu.Unlock()
	var r image.Rectangle
	s.c.Do(func() { r = s.c.Source.Draw(&s.next, false) })
	if r.Empty() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.Width != s.next.Width || s.shown.Height != s.next.Height {
		s.shown.Resize(s.next.Width, s.next.Height)
		s.change.Resize(s.next.Width, s.next.Height)
		copy(s.shown.Pix, s.next.Pix)
		all := image.Rect(0, 0, s.shown.Width, s.shown.Height)
		for _, k := range s.sinks {
			k.Resize(&s.shown)
			k.Damage(all)
		}
		return true
	}
	if s.change.w != s.shown.Width || s.change.h != s.shown.Height {
		s.change.Resize(s.shown.Width, s.shown.Height)
	}
	s.compare(r)
	if s.change.Empty() {
		return false
	}
	s.change.Take(func(r image.Rectangle) bool {
		for _, k := range s.sinks {
			k.Damage(r)
		}
		return true
	})
	return true
}

// compare copies what is new in r and notes where it is.
func (s *Screen) compare(r image.Rectangle) {
	r = r.Intersect(image.Rect(0, 0, s.shown.Width, s.shown.Height))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		from := s.next.Pix[y*s.next.Stride : y*s.next.Stride+s.next.Width]
		to := s.shown.Pix[y*s.shown.Stride : y*s.shown.Stride+s.shown.Width]
		for x := r.Min.X &^ (tile - 1); x < r.Max.X; x += tile {
			a, b := from[x:min(x+tile, len(from))], to[x:min(x+tile, len(to))]
			if !slices.Equal(a, b) {
				copy(b, a)
				s.change.set(y, x/tile)
			}
		}
	}
}
