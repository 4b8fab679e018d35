package display

import (
	"slices"
	"sync"

	"rhea/internal/keys"
)

// Picture is what displays show: a Screen, or one of several by a Switch.
type Picture interface {
	Attach(Sink)
	Detach(Sink)
	View(func(*Surface))
	Refresh() bool
	Wake()
}

// Controls are where displays bring what people do: an Input, or a Switch.
type Controls interface {
	// KeySymbol presses or releases a key; sym is the X keysym that it has for who
	// pressed it, 0 = not known.
	KeySymbol(code keys.Code, sym uint32, down bool)
	Move(dx, dy, dz int)
	Point(x, y int)
	SetButtons(b uint8)
	Throttle()
	// Absolute and LEDs are called under the machine's lock.
	Absolute() bool
	LEDs() uint8
}

// Modifiers are keys that are held with another.
type Modifiers uint8

// The modifiers.
const (
	Shift Modifiers = 1 << iota
	Control
	Alt
	AltGr
)

// Typist is a text console, which takes keys instead of the machine.
type Typist interface {
	Source
	TextSource
	Type(code keys.Code, sym uint32, mods Modifiers)
	// Scroll moves the view by lines, up or, if negative, down.
	Scroll(lines int)
}

// Head is what a Switch can show.
type Head struct {
	Screen *Screen
	// Text is nil where Screen is the machine's.
	Text Typist
}

// Switch shows one of several screens, which people choose with Ctrl-Alt-1 and
// so on, and takes what they do to it.
type Switch struct {
	*Input
	heads []Head

	// mu is held while the screen changes, so that nobody sees another one
	// than that of which it was told.
	mu    sync.Mutex
	cur   int
	sinks []Sink

	keyMu   sync.Mutex
	mods    [256]bool // modifiers that are down
	swallow [256]bool // keys whose release is nobody's business
}

// NewSwitch returns a switch that shows the first head. In is the machine's.
func NewSwitch(in *Input, heads ...Head) *Switch { return &Switch{Input: in, heads: heads} }

// Attach implements Picture.
func (s *Switch) Attach(k Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = append(s.sinks, k)
	s.heads[s.cur].Screen.Attach(k)
}

// Detach implements Picture.
func (s *Switch) Detach(k Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = slices.DeleteFunc(s.sinks, func(x Sink) bool { return x == k })
	s.heads[s.cur].Screen.Detach(k)
}

// View implements Picture.
func (s *Switch) View(f func(*Surface)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads[s.cur].Screen.View(f)
}

// Refresh implements Picture.
func (s *Switch) Refresh() bool { return s.head().Screen.Refresh() }

// Wake implements Picture.
func (s *Switch) Wake() { s.head().Screen.Wake() }

func (s *Switch) head() Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heads[s.cur]
}

// TextPage implements TextSource, as far as what is shown does.
func (s *Switch) TextPage() (p TextPage, ok bool) {
	h := s.head()
	t, text := h.Screen.c.Source.(TextSource)
	if !text {
		return p, false
	}
	h.Screen.c.Do(func() { p, ok = t.TextPage() })
	return p, ok
}

// Select shows another head, from 0; it reports whether there is one.
func (s *Switch) Select(n int) bool {
	if n < 0 || n >= len(s.heads) {
		return false
	}
	s.mu.Lock()
	was := s.cur
	if n != was {
		for _, k := range s.sinks {
			s.heads[was].Screen.Detach(k)
		}
		s.cur = n
		for _, k := range s.sinks {
			s.heads[n].Screen.Attach(k)
		}
	}
	s.mu.Unlock()
	if n != was {
		for _, c := range s.Input.Down() {
			s.Input.Key(c, false)
		}
		s.Input.SetButtons(0)
	}
	return true
}

// modifierKeys are the keys of modifiers.
var modifierKeys = map[string]Modifiers{
	"shift": Shift, "shift_r": Shift, "ctrl": Control, "ctrl_r": Control, "alt": Alt, "alt_r": AltGr,
}

// held are the modifiers that are down.
func (s *Switch) held() (m Modifiers) {
	for c, down := range s.mods {
		if down {
			m |= modifierKeys[keys.Code(c).Name()]
		}
	}
	return m
}

// KeySymbol implements Controls.
func (s *Switch) KeySymbol(code keys.Code, sym uint32, down bool) {
	name := code.Name()
	_, modifier := modifierKeys[name]
	s.keyMu.Lock()
	if modifier {
		s.mods[code] = down
	}
	m := s.held()
	swallowed := !down && s.swallow[code]
	if !down {
		s.swallow[code] = false
	}
	s.keyMu.Unlock()
	if swallowed {
		return
	}
	if down && m&(Control|Alt) == Control|Alt && len(name) == 1 && name >= "1" && name <= "9" && len(s.heads) > 1 && s.Select(int(name[0]-'1')) {
		s.keyMu.Lock()
		s.swallow[code] = true
		s.keyMu.Unlock()
		return
	}
	h := s.head()
	switch {
	case h.Text == nil:
		s.Input.Key(code, down)
	case down && !modifier:
		h.Text.Type(code, sym, m)
	}
}

// Move implements Controls. On a text console the wheel scrolls.
func (s *Switch) Move(dx, dy, dz int) {
	h := s.head()
	if h.Text == nil {
		s.Input.Move(dx, dy, dz)
	} else if dz != 0 {
		h.Text.Scroll(-3 * dz)
	}
}

// Point implements Controls.
func (s *Switch) Point(x, y int) {
	if s.head().Text == nil {
		s.Input.Point(x, y)
	}
}

// SetButtons implements Controls.
func (s *Switch) SetButtons(b uint8) {
	if s.head().Text == nil {
		s.Input.SetButtons(b)
	}
}
