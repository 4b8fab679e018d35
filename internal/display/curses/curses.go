// Package curses shows a machine's text modes in the terminal, by tcell.
package curses

import (
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"

	"rhea/internal/display"
	"rhea/internal/display/keymap"
	"rhea/internal/keys"
)

// Config describes the terminal's use.
type Config struct {
	Screen display.Picture
	Input  display.Controls
	Text   display.TextSource
	// Select shows another console, from 0; it reports false if there is none.
	Select func(n int) bool
	// Terminal, if not nil, is used instead of the process's.
	Terminal tcell.Screen
}

// Terminal shows the text.
type Terminal struct {
	c    Config
	term tcell.Screen

	mu      sync.Mutex
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once
}

// Open takes the terminal.
func Open(c Config) (*Terminal, error) {
	t := &Terminal{c: c, term: c.Terminal, changed: make(chan struct{}, 1), closed: make(chan struct{})}
	if t.term == nil {
		var err error
		if t.term, err = tcell.NewScreen(); err != nil {
			return nil, err
		}
	}
	if err := t.term.Init(); err != nil {
		return nil, err
	}
	c.Screen.Attach(t)
	go t.keys()
	go t.paint()
	return t, nil
}

// Close gives the terminal back.
func (t *Terminal) Close() error {
	t.once.Do(func() {
		t.c.Screen.Detach(t)
		close(t.closed)
		t.mu.Lock() // nothing is being drawn
		defer t.mu.Unlock()
		t.term.Fini()
	})
	return nil
}

// Resize implements display.Sink.
func (t *Terminal) Resize(*display.Surface) { t.Damage(image.Rectangle{}) }

// Damage implements display.Sink.
func (t *Terminal) Damage(image.Rectangle) {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// framePeriod is how often the terminal is written at most.
const framePeriod = 40 * time.Millisecond

func (t *Terminal) paint() {
	for {
		select {
		case <-t.closed:
			return
		case <-t.changed:
		}
		t.draw()
		time.Sleep(framePeriod)
	}
}

// colours are the terminal's, by the order of the PC's.
var colours = [16]color.Color{color.Black, color.Navy, color.Green, color.Teal, color.Maroon, color.Purple, color.Olive, color.Silver,
	color.Gray, color.Blue, color.Lime, color.Aqua, color.Red, color.Fuchsia, color.Yellow, color.White}

func (t *Terminal) draw() {
	p, ok := t.c.Text.TextPage()
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.closed:
		return
	default:
	}
	t.term.Clear()
	if !ok {
		var w, h int
		t.c.Screen.View(func(s *display.Surface) { w, h = s.Width, s.Height })
		t.term.HideCursor()
		t.term.PutStr(0, 0, fmt.Sprintf("%d x %d Graphic mode", w, h))
		t.term.Show()
		return
	}
	for i, c := range p.Cells {
		style := tcell.StyleDefault.Foreground(colours[c.Fg&15]).Background(colours[c.Bg&15])
		t.term.SetContent(i%p.Columns, i/p.Columns, c.Char, nil, style)
	}
	if p.Cursor {
		t.term.ShowCursor(p.X, p.Y)
	} else {
		t.term.HideCursor()
	}
	t.term.Show()
}

// special are keys without a character.
var special = map[tcell.Key]string{
	tcell.KeyUp: "up", tcell.KeyDown: "down", tcell.KeyLeft: "left", tcell.KeyRight: "right", tcell.KeyHome: "home", tcell.KeyEnd: "end",
	tcell.KeyPgUp: "pgup", tcell.KeyPgDn: "pgdn", tcell.KeyInsert: "insert", tcell.KeyDelete: "delete", tcell.KeyEnter: "ret",
	tcell.KeyTab: "tab", tcell.KeyBacktab: "tab", tcell.KeyEsc: "esc", tcell.KeyBackspace: "backspace", tcell.KeyBackspace2: "backspace",
	tcell.KeyF1: "f1", tcell.KeyF2: "f2", tcell.KeyF3: "f3", tcell.KeyF4: "f4", tcell.KeyF5: "f5", tcell.KeyF6: "f6", tcell.KeyF7: "f7",
	tcell.KeyF8: "f8", tcell.KeyF9: "f9", tcell.KeyF10: "f10", tcell.KeyF11: "f11", tcell.KeyF12: "f12",
}

// keys types until the terminal is closed.
func (t *Terminal) keys() {
	us := keymap.US()
	for {
		var e tcell.Event
		select {
		case <-t.closed:
			return
		case e = <-t.term.EventQ():
		}
		switch e := e.(type) {
		case *tcell.EventResize:
			t.term.Sync()
			t.Damage(image.Rectangle{})
		case *tcell.EventKey:
			if e.Pressed() {
				t.press(us, e)
			}
		}
	}
}

// press presses and releases the keys of an event: a terminal tells of no
// more.
func (t *Terminal) press(us *keymap.Layout, e *tcell.EventKey) {
	mods := e.Modifiers()
	if name, ok := special[e.Key()]; ok {
		k, _ := keys.ByName(name)
		if e.Key() == tcell.KeyBacktab {
			mods |= tcell.ModShift
		}
		t.chord(k, 0, mods)
		return
	}
	if k := e.Key(); k >= tcell.KeyCtrlA && k <= tcell.KeyCtrlZ {
		code, _ := keys.ByName(string(rune('a' + k - tcell.KeyCtrlA)))
		t.chord(code, 0, mods&^tcell.ModShift|tcell.ModCtrl)
		return
	}
	for _, c := range e.Str() {
		// QEMU's keys for its consoles.
		if mods == tcell.ModAlt && c >= '1' && c <= '9' && t.c.Select != nil && t.c.Select(int(c-'1')) {
			continue
		}
		k, ok := us.Key(uint32(c))
		if !ok {
			continue
		}
		m := mods &^ tcell.ModShift
		if keymap.Shifted(c) {
			m |= tcell.ModShift
		}
		t.chord(k, uint32(c), m)
	}
}

// modifiers are the keys held with another.
var modifiers = []struct {
	mask tcell.ModMask
	name string
}{{tcell.ModCtrl, "ctrl"}, {tcell.ModAlt, "alt"}, {tcell.ModShift, "shift"}}

func (t *Terminal) chord(k keys.Code, sym uint32, mods tcell.ModMask) {
	press := func(c keys.Code, down bool) {
		s := uint32(0)
		if c == k {
			s = sym
		}
		t.c.Input.KeySymbol(c, s, down)
	}
	var all []keys.Code
	for _, m := range modifiers {
		if mods&m.mask != 0 {
			code, _ := keys.ByName(m.name)
			all = append(all, code)
		}
	}
	all = append(all, k)
	t.c.Input.Throttle()
	for _, c := range all {
		press(c, true)
	}
	for i := len(all) - 1; i >= 0; i-- {
		press(all[i], false)
	}
	t.c.Screen.Wake()
}
