package x11

import (
	"image"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"rhea/internal/display"
	"rhea/internal/keys"
)

// next returns the next event.
func (w *Window) next() (xgb.Event, error) {
	if e := w.pending; e != nil {
		w.pending = nil
		return e, nil
	}
	e, err := w.x.WaitForEvent()
	if e == nil && err == nil {
		return nil, errClosed
	}
	return e, nil // an error is that of a request whose reply nobody wants
}

// events handles what people do until the window is gone.
func (w *Window) events() {
	for {
		e, err := w.next()
		if err != nil {
			w.mu.Lock()
			mine := w.closed
			w.mu.Unlock()
			if !mine {
				w.Close()
				w.c.Quit() // the server is gone, and the window with it
			}
			return
		}
		switch e := e.(type) {
		case xproto.ExposeEvent:
			w.expose(e)
		case xproto.ConfigureNotifyEvent:
			w.mu.Lock()
			moved := w.w != int(e.Width) || w.h != int(e.Height)
			w.w, w.h = int(e.Width), int(e.Height)
			w.mu.Unlock()
			if moved {
				w.all()
			}
		case xproto.ClientMessageEvent:
			if e.Type == w.atoms["WM_PROTOCOLS"] && e.Data.Data32[0] == uint32(w.atoms["WM_DELETE_WINDOW"]) {
				w.c.Quit()
			}
		case xproto.MappingNotifyEvent:
			if e.Request == xproto.MappingKeyboard {
				w.readSymbols(xproto.Setup(w.x))
			}
		case xproto.FocusOutEvent:
			if e.Mode == xproto.NotifyModeGrab || e.Mode == xproto.NotifyModeUngrab {
				break // our own grab
			}
			w.release()
			w.grab(false)
		case xproto.KeyPressEvent:
			w.key(e.Detail, e.State, true)
		case xproto.KeyReleaseEvent:
			if !w.repeats(e) {
				w.key(e.Detail, e.State, false)
			}
		case xproto.ButtonPressEvent:
			w.button(e.Detail, true)
		case xproto.ButtonReleaseEvent:
			w.button(e.Detail, false)
		case xproto.MotionNotifyEvent:
			w.motion(int(e.EventX), int(e.EventY))
		}
	}
}

// all draws everything anew.
func (w *Window) all() {
	w.c.Screen.View(func(s *display.Surface) { w.Damage(image.Rect(0, 0, s.Width, s.Height)) })
}

func (w *Window) expose(e xproto.ExposeEvent) {
	w.c.Screen.View(func(s *display.Surface) {
		w.mu.Lock()
		at := w.place(image.Pt(s.Width, s.Height))
		w.mu.Unlock()
		w.Damage(image.Rect(int(e.X), int(e.Y), int(e.X)+int(e.Width), int(e.Y)+int(e.Height)).Sub(at))
	})
}

// repeats reports whether a key that seems to be released is one that repeats:
// it is pressed again at the same time. Then it stays down.
func (w *Window) repeats(e xproto.KeyReleaseEvent) bool {
	if w.pending == nil {
		w.pending, _ = w.x.PollForEvent()
	}
	p, ok := w.pending.(xproto.KeyPressEvent)
	return ok && p.Detail == e.Detail && p.Time == e.Time
}

// evdev are keys by the kernel's numbers (linux/input-event-codes.h) where
// these are not those of set 1. X has them with 8 added.
var evdev = map[uint8]uint16{
	89: 0x73, 92: 0x79, 93: 0x70, 94: 0x7b, 96: 0xe01c, 97: 0xe01d, 98: 0xe035, 99: 0xe037, 100: 0xe038, 102: 0xe047, 103: 0xe048,
	104: 0xe049, 105: 0xe04b, 106: 0xe04d, 107: 0xe04f, 108: 0xe050, 109: 0xe051, 110: 0xe052, 111: 0xe053, 113: 0xe020, 114: 0xe02e,
	115: 0xe030, 116: 0xe05e, 117: 0x59, 119: 0xe046, 121: 0x7e, 124: 0x7d, 125: 0xe05b, 126: 0xe05c, 127: 0xe05d, 140: 0xe021,
	142: 0xe05f, 143: 0xe063, 155: 0xe06c, 163: 0xe019, 164: 0xe022, 165: 0xe010, 166: 0xe024, 183: 0x64, 184: 0x65, 185: 0x66,
}

// keyOf is the key of an X key code.
func keyOf(code xproto.Keycode) (keys.Code, bool) {
	if code < 8 {
		return 0, false
	}
	n := uint8(code - 8)
	set1, ok := evdev[n]
	if !ok {
		if n == 0 || n > 88 {
			return 0, false
		}
		set1 = uint16(n)
	}
	return keys.BySet1(set1)
}

// The keys that are the window's own, with Ctrl and Alt: evdev's F and G.
const (
	keyF = 33 + 8
	keyG = 34 + 8
)

func (w *Window) key(code xproto.Keycode, state uint16, down bool) {
	if down && state&(xproto.ModMaskControl|xproto.ModMask1) == xproto.ModMaskControl|xproto.ModMask1 {
		switch code {
		case keyG:
			w.release()
			w.grab(!w.grabbed)
			return
		case keyF:
			w.release()
			w.fill()
			return
		}
	}
	k, ok := keyOf(code)
	if !ok {
		return
	}
	if down {
		w.down[code] = k
	} else if _, was := w.down[code]; !was {
		return
	} else {
		delete(w.down, code)
	}
	w.c.Input.KeySymbol(k, w.symbols.of(code, state), down)
	w.c.Screen.Wake()
}

// release lets all keys and buttons go.
func (w *Window) release() {
	for code, k := range w.down {
		w.c.Input.KeySymbol(k, 0, false)
		delete(w.down, code)
	}
	if w.buttons != 0 {
		w.buttons = 0
		w.c.Input.SetButtons(0)
	}
}

// absolute reports whether the guest wants places: then nothing is grabbed.
func (w *Window) absolute() (yes bool) {
	w.c.Do(func() { yes = w.c.Input.Absolute() })
	return yes
}

// grab takes the mouse, or lets it go.
func (w *Window) grab(on bool) {
	if on == w.grabbed {
		return
	}
	if on {
		mask := uint16(xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease | xproto.EventMaskPointerMotion)
		r, err := xproto.GrabPointer(w.x, true, w.win, mask, xproto.GrabModeAsync, xproto.GrabModeAsync, w.win, w.hidden, xproto.TimeCurrentTime).Reply()
		if err != nil || r.Status != xproto.GrabStatusSuccess {
			return
		}
		xproto.GrabKeyboard(w.x, true, w.win, xproto.TimeCurrentTime, xproto.GrabModeAsync, xproto.GrabModeAsync)
		w.grabbed = true
		w.centre()
	} else {
		xproto.UngrabPointer(w.x, xproto.TimeCurrentTime)
		xproto.UngrabKeyboard(w.x, xproto.TimeCurrentTime)
		w.grabbed = false
	}
	w.title()
}

// centre puts the pointer in the middle of the window, from where it can go
// any way.
func (w *Window) centre() {
	w.mu.Lock()
	w.x0, w.y0 = w.w/2, w.h/2
	w.mu.Unlock()
	xproto.WarpPointer(w.x, 0, w.win, 0, 0, 0, 0, int16(w.x0), int16(w.y0))
}

// fill fills the screen, or no longer: the window manager is asked.
func (w *Window) fill() {
	w.full = !w.full
	action := uint32(0)
	if w.full {
		action = 1
	}
	e := xproto.ClientMessageEvent{Format: 32, Window: w.win, Type: w.atoms["_NET_WM_STATE"],
		Data: xproto.ClientMessageDataUnionData32New([]uint32{action, uint32(w.atoms["_NET_WM_STATE_FULLSCREEN"]), 0, 1, 0})}
	xproto.SendEvent(w.x, false, w.screen.Root, xproto.EventMaskSubstructureNotify|xproto.EventMaskSubstructureRedirect, string(e.Bytes()))
	if !w.full {
		w.mu.Lock()
		w.resized = true
		w.cond.Broadcast()
		w.mu.Unlock()
	}
}

func (w *Window) motion(x, y int) {
	if w.absolute() {
		w.c.Screen.View(func(s *display.Surface) {
			w.mu.Lock()
			at := w.place(image.Pt(s.Width, s.Height))
			w.mu.Unlock()
			scale := func(v, n int) int { return min(max(v, 0), n-1) * display.PointMax / max(n-1, 1) }
			w.c.Input.Point(scale(x-at.X, s.Width), scale(y-at.Y, s.Height))
		})
		w.c.Screen.Wake()
		return
	}
	if !w.grabbed {
		return
	}
	dx, dy := x-w.x0, y-w.y0
	w.x0, w.y0 = x, y
	if dx == 0 && dy == 0 {
		return
	}
	w.c.Input.Move(dx, dy, 0)
	w.c.Screen.Wake()
	w.mu.Lock()
	edge := x < w.w/4 || x > w.w*3/4 || y < w.h/4 || y > w.h*3/4
	w.mu.Unlock()
	if edge {
		w.centre()
	}
}

// buttonBits are the contract's buttons by X's number.
var buttonBits = map[xproto.Button]uint8{1: 1, 2: 4, 3: 2, 8: 8, 9: 16}

func (w *Window) button(b xproto.Button, down bool) {
	if !w.grabbed && !w.absolute() {
		if down && b == 1 {
			w.grab(true)
		}
		return
	}
	switch {
	case b == 4 && down:
		w.c.Input.Move(0, 0, -1)
	case b == 5 && down:
		w.c.Input.Move(0, 0, 1)
	default:
		w.buttons &^= buttonBits[b]
		if down {
			w.buttons |= buttonBits[b]
		}
		w.c.Input.SetButtons(w.buttons)
	}
	w.c.Screen.Wake()
}
