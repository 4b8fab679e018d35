package display

import (
	"image"
	"slices"
	"sync"
	"testing"
	"time"

	"rhea/internal/keys"
)

// plain is a Source of one size and colour.
type plain struct {
	w, h   int
	colour uint32
}

func (p *plain) Draw(s *Surface, full bool) image.Rectangle {
	s.Resize(p.w, p.h)
	for i := range s.Pix {
		s.Pix[i] = p.colour
	}
	return image.Rect(0, 0, p.w, p.h)
}
func (p *plain) Text() []string             { return nil }
func (p *plain) TextPage() (TextPage, bool) { return TextPage{Columns: p.w}, true }

// typist notes what is typed.
type typist struct {
	plain
	mu     sync.Mutex
	typed  []string
	scroll int
}

func (c *typist) Type(code keys.Code, sym uint32, mods Modifiers) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed = append(c.typed, code.Name())
}
func (c *typist) Scroll(n int) { c.scroll += n }

// follower checks that what it is told fits to what it sees.
type follower struct {
	w, h   int
	damage image.Rectangle
}

func (f *follower) Resize(s *Surface)        { f.w, f.h = s.Width, s.Height }
func (f *follower) Damage(r image.Rectangle) { f.damage = f.damage.Union(r) }

// pressed is a keyboard that knows what is down.
type pressed struct{ down []string }

func (b *pressed) Key(k keys.Code, down bool) {
	if down {
		b.down = append(b.down, k.Name())
	} else {
		b.down = slices.DeleteFunc(b.down, func(s string) bool { return s == k.Name() })
	}
}
func (b *pressed) LEDs() uint8 { return 0 }

func TestSwitch(t *testing.T) {
	var mu sync.Mutex
	do := func(f func()) { mu.Lock(); defer mu.Unlock(); f() }
	kbd := &pressed{}
	in := NewInput(do, kbd)
	all := func() (l []string) {
		do(func() { l = slices.Clone(kbd.down) })
		return l
	}
	head := func(p Source) *Screen { return NewScreen(ScreenConfig{Do: do, Source: p}) }
	text := &typist{plain: plain{64, 48, 2}}
	s := NewSwitch(in, Head{Screen: head(&plain{32, 16, 1})}, Head{Screen: head(text), Text: text})
	f := &follower{}
	s.Attach(f)
	defer s.Detach(f)
	press := func(down bool, names ...string) {
		for _, n := range names {
			k, ok := keys.ByName(n)
			if !ok {
				t.Fatal(n)
			}
			s.KeySymbol(k, 0, down)
			for in.waiting() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	sees := func(w int, colour uint32) {
		t.Helper()
		s.View(func(p *Surface) {
			if p.Width != w || p.Pix[0] != colour || f.w != w || f.damage.Dx() != w {
				t.Errorf("picture %d of colour %d; the viewer was told %d, damage %v", p.Width, p.Pix[0], f.w, f.damage)
			}
		})
		f.damage = image.Rectangle{}
	}
	sees(32, 1)
	press(true, "a", "ctrl", "alt")
	press(true, "3") // there is no third one: the machine's
	press(false, "3")
	if !slices.Equal(all(), []string{"a", "ctrl", "alt"}) {
		t.Errorf("the machine has %q", all())
	}
	press(true, "2")
	sees(64, 2)
	if len(in.Down()) != 0 {
		t.Errorf("keys of the machine are down: %v", in.Down())
	}
	press(false, "2", "alt", "ctrl", "a")
	press(true, "shift", "b")
	press(false, "b", "shift")
	s.Move(5, 5, -1)
	if !slices.Equal(text.typed, []string{"b"}) || text.scroll != 3 {
		t.Errorf("typed %q, scrolled %d", text.typed, text.scroll)
	}
	if p, ok := s.TextPage(); !ok || p.Columns != 64 {
		t.Errorf("%v %v", p, ok)
	}
	press(true, "ctrl", "alt", "1")
	sees(32, 1)
	press(false, "1", "alt", "ctrl")
	press(true, "c")
	if !slices.Contains(all(), "c") || len(text.typed) != 1 {
		t.Errorf("the machine has %q, the console %q", all(), text.typed)
	}
}
