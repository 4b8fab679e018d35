package display

import (
	"image"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"rhea/internal/keys"
)

func TestRegion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		w, h := 1+rnd.IntN(2600), 1+rnd.IntN(40)
		var r Region
		r.Resize(w, h)
		want := make(map[image.Point]bool) // tiles
		for range rnd.IntN(6) {
			a := image.Rect(rnd.IntN(w+9)-4, rnd.IntN(h+9)-4, rnd.IntN(w+9)-4, rnd.IntN(h+9)-4)
			r.Add(a)
			a = a.Intersect(image.Rect(0, 0, w, h))
			for y := a.Min.Y; y < a.Max.Y; y++ {
				for x := a.Min.X / tile; x <= (a.Max.X-1)/tile; x++ {
					want[image.Pt(x, y)] = true
				}
			}
		}
		if r.Empty() != (len(want) == 0) {
			t.Fatalf("empty: %v, %d tiles", r.Empty(), len(want))
		}
		stop := rnd.IntN(4)
		for n := 0; !r.Empty() && n < 1000; n++ {
			r.Take(func(a image.Rectangle) bool {
				if !a.In(image.Rect(0, 0, w, h)) {
					t.Fatalf("%v of %dx%d", a, w, h)
				}
				for y := a.Min.Y; y < a.Max.Y; y++ {
					for x := a.Min.X / tile; x <= (a.Max.X-1)/tile; x++ {
						if !want[image.Pt(x, y)] {
							t.Fatalf("tile %d of line %d twice, or never added", x, y)
						}
						delete(want, image.Pt(x, y))
					}
				}
				stop--
				return stop != 0
			})
		}
		if len(want) > 0 {
			t.Fatalf("%d tiles did not come", len(want))
		}
	}
}

// source changes one line when it is told to.
type source struct {
	draws, line int
	w, h        int
}

func (s *source) Draw(to *Surface, full bool) image.Rectangle {
	s.draws++
	if to.Width != s.w {
		to.Resize(s.w, s.h)
		return image.Rect(0, 0, s.w, s.h)
	}
	if s.line == 0 {
		return image.Rectangle{}
	}
	to.Pix[s.line*s.w+20]++
	r := image.Rect(0, s.line-1, s.w, s.line+2)
	s.line = 0
	return r
}

func (s *source) Text() []string { return nil }

type sink struct{ got []image.Rectangle }

func (k *sink) Resize(s *Surface)        { k.got = append(k.got, image.Rect(0, 0, s.Width, s.Height)) }
func (k *sink) Damage(r image.Rectangle) { k.got = append(k.got, r) }

func TestScreen(t *testing.T) {
	src := &source{w: 64, h: 48}
	s := NewScreen(ScreenConfig{Do: func(f func()) { f() }, Source: src})
	time.Sleep(3 * busyPeriod)
	if src.draws != 0 {
		t.Errorf("nobody looks, and the picture was drawn %d times", src.draws)
	}
	s.Refresh()
	k := &sink{}
	s.sinks = append(s.sinks, k) // without the goroutine
	if s.Refresh() || len(k.got) != 0 {
		t.Errorf("nothing changed: %v", k.got)
	}
	src.line = 7
	if !s.Refresh() || !slices.Equal(k.got, []image.Rectangle{image.Rect(16, 7, 32, 8)}) {
		t.Errorf("one pixel changed: %v", k.got)
	}
}

type board struct{ got []keys.Code }

func (b *board) Key(k keys.Code, down bool) { b.got = append(b.got, k) }
func (b *board) LEDs() uint8                { return 0 }

type mouse struct{ dx, moves int }

func (m *mouse) Move(dx, dy, dz int) { m.dx += dx; m.moves++ }
func (m *mouse) SetButtons(uint8)    {}

// TestKeyGap: keys come as far apart as demanded, or at once.
func TestKeyGap(t *testing.T) {
	b := &board{}
	in := NewInput(func(f func()) { f() }, b)
	in.SetKeyGap(0)
	for i := range 20 {
		in.Key(keys.Code(i), true)
	}
	if len(b.got) != 20 {
		t.Fatalf("%d of 20 keys came at once", len(b.got))
	}
	in.SetKeyGap(time.Hour)
	in.Key(1, false)
	if len(b.got) != 20 {
		t.Error("a key came before its time")
	}
}

// waiting reports whether there are events, or somebody is to come for them.
func (in *Input) waiting() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.posted
}

func TestInputIsBounded(t *testing.T) {
	var mu sync.Mutex
	var posted []func()
	m, b := &mouse{}, &board{}
	in := NewInput(func(f func()) { mu.Lock(); posted = append(posted, f); mu.Unlock() }, b, Mouse{"m", m})
	for range 100_000 {
		in.Move(1, 0, 0)
	}
	for i := range 100_000 {
		in.Key(1, i&1 == 0)
		in.Move(1, 0, 0)
	}
	if len(posted) != 1 || len(in.events) > 2*maxEvents {
		t.Fatalf("%d functions posted, %d events wait", len(posted), len(in.events))
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(posted) }
	i := 0
	deliver := func(what string) { // until there is nothing more; keys come one by one
		t.Helper()
		end := time.Now().Add(5 * time.Minute)
		for in.waiting() {
			if i < count() {
				posted[i]()
				i++
				continue
			}
			if time.Now().After(end) {
				t.Fatal(what, "do not come")
			}
			time.Sleep(time.Millisecond)
		}
	}
	deliver("events")
	n := count()
	if m.dx < 1<<15 || m.moves > maxEvents || len(b.got) == 0 {
		t.Errorf("%d moves by %d, %d keys", m.moves, m.dx, len(b.got))
	}
	in.Key(2, true)
	if count() != n+1 {
		t.Error("nobody comes for later events")
	}
	deliver("later events")
}

// TestPace: what changes all the time is looked at as fast as can be, what
// never does seldom, and a cursor that blinks in between.
func TestPace(t *testing.T) {
	looks := func(change func(now time.Duration) bool) (n int, p time.Duration) {
		p = busyPeriod
		for now := p; now < 10*time.Second; now += p {
			if p = pace(p, change(now)); now > 5*time.Second {
				n++
			}
		}
		return n, p
	}
	if _, p := looks(func(time.Duration) bool { return true }); p != busyPeriod {
		t.Errorf("a film: every %v", p)
	}
	if _, p := looks(func(time.Duration) bool { return false }); p != idlePeriod {
		t.Errorf("nothing changes: every %v", p)
	}
	blink := time.Duration(-1)
	n, _ := looks(func(now time.Duration) bool {
		old := blink
		blink = now / (266 * time.Millisecond)
		return old != blink
	})
	if n < 30 || n > 100 {
		t.Errorf("a cursor that blinks 19 times in five seconds: %d looks", n)
	}
	if p := pace(idlePeriod, true); p > idlePeriod/2 {
		t.Errorf("a change after a long time: next look after %v", p)
	}
}
