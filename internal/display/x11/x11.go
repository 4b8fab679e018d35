// Package x11 shows a machine in a window of the X Window System (X11R7
// protocol, by xgb): its screen, keyboard and mouse, with QEMU's keys:
// Ctrl-Alt-G takes the mouse and lets it go, Ctrl-Alt-F fills the screen.
package x11

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"sync"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"

	"rhea/internal/display"
	"rhea/internal/keys"
)

// Config describes a window.
type Config struct {
	Screen display.Picture
	Input  display.Controls
	// Do runs f under the machine's lock.
	Do    func(f func())
	Title string
	// Display is the server, "" = $DISPLAY.
	Display    string
	FullScreen bool
	// Quit is called when the window is closed.
	Quit func()
}

// Window is a window.
type Window struct {
	c      Config
	x      *xgb.Conn
	screen *xproto.ScreenInfo
	win    xproto.Window
	gc     xproto.Gcontext
	hidden xproto.Cursor
	atoms  map[string]xproto.Atom
	msb    bool
	lines  int // bytes of an image that go into a request

	mu      sync.Mutex
	cond    *sync.Cond
	region  display.Region
	resized bool
	closed  bool
	w, h    int // of the window

	// The event loop's.
	down    map[xproto.Keycode]keys.Code
	symbols symbols
	grabbed bool
	full    bool
	buttons uint8
	x0, y0  int // where the pointer was
	pending xgb.Event
}

// atomNames are those of ICCCM and of the "Extended Window Manager Hints".
var atomNames = []string{"WM_PROTOCOLS", "WM_DELETE_WINDOW", "_NET_WM_STATE", "_NET_WM_STATE_FULLSCREEN", "_NET_WM_NAME", "UTF8_STRING"}

// Open shows a window.
func Open(c Config) (*Window, error) {
	xgb.Logger.SetOutput(io.Discard) // it tells of missing authority files
	x, err := xgb.NewConnDisplay(c.Display)
	if err != nil {
		return nil, err
	}
	w := &Window{c: c, x: x, atoms: map[string]xproto.Atom{}, down: map[xproto.Keycode]keys.Code{}}
	w.cond = sync.NewCond(&w.mu)
	if err := w.create(); err != nil {
		x.Close()
		return nil, err
	}
	c.Screen.Attach(w)
	go w.events()
	go w.paint()
	return w, nil
}

// create makes the window and what it is drawn with.
func (w *Window) create() error {
	setup := xproto.Setup(w.x)
	w.screen = setup.DefaultScreen(w.x)
	w.msb = setup.ImageByteOrder == xproto.ImageOrderMSBFirst
	w.lines = int(setup.MaximumRequestLength)*4 - 64
	if err := w.visual(setup); err != nil {
		return err
	}
	for _, name := range atomNames {
		r, err := xproto.InternAtom(w.x, false, uint16(len(name)), name).Reply()
		if err != nil {
			return err
		}
		w.atoms[name] = r.Atom
	}
	var err error
	if w.win, err = xproto.NewWindowId(w.x); err != nil {
		return err
	}
	w.c.Screen.Refresh()
	w.c.Screen.View(func(s *display.Surface) { w.w, w.h = s.Width, s.Height })
	events := uint32(xproto.EventMaskKeyPress | xproto.EventMaskKeyRelease | xproto.EventMaskButtonPress | xproto.EventMaskButtonRelease |
		xproto.EventMaskPointerMotion | xproto.EventMaskExposure | xproto.EventMaskStructureNotify | xproto.EventMaskFocusChange)
	err = xproto.CreateWindowChecked(w.x, w.screen.RootDepth, w.win, w.screen.Root, 0, 0, uint16(w.w), uint16(w.h), 0,
		xproto.WindowClassInputOutput, w.screen.RootVisual, xproto.CwBackPixel|xproto.CwEventMask, []uint32{w.screen.BlackPixel, events}).Check()
	if err != nil {
		return err
	}
	if w.gc, err = xproto.NewGcontextId(w.x); err != nil {
		return err
	}
	xproto.CreateGC(w.x, w.gc, xproto.Drawable(w.win), 0, nil)
	if err := w.hideCursor(); err != nil {
		return err
	}
	del := make([]byte, 4)
	xgb.Put32(del, uint32(w.atoms["WM_DELETE_WINDOW"]))
	xproto.ChangeProperty(w.x, xproto.PropModeReplace, w.win, w.atoms["WM_PROTOCOLS"], xproto.AtomAtom, 32, 1, del)
	class := "rhea\x00rhea\x00"
	xproto.ChangeProperty(w.x, xproto.PropModeReplace, w.win, xproto.AtomWmClass, xproto.AtomString, 8, uint32(len(class)), []byte(class))
	w.title()
	if w.full = w.c.FullScreen; w.full {
		state := make([]byte, 4)
		xgb.Put32(state, uint32(w.atoms["_NET_WM_STATE_FULLSCREEN"]))
		xproto.ChangeProperty(w.x, xproto.PropModeReplace, w.win, w.atoms["_NET_WM_STATE"], xproto.AtomAtom, 32, 1, state)
	}
	w.readSymbols(setup)
	return xproto.MapWindowChecked(w.x, w.win).Check()
}

// visual refuses servers whose pixels are not the picture's.
func (w *Window) visual(setup *xproto.SetupInfo) error {
	bits := 0
	for _, f := range setup.PixmapFormats {
		if f.Depth == w.screen.RootDepth {
			bits = int(f.BitsPerPixel)
		}
	}
	for _, d := range w.screen.AllowedDepths {
		for _, v := range d.Visuals {
			if v.VisualId == w.screen.RootVisual && bits == 32 && v.RedMask == 0xff0000 && v.GreenMask == 0xff00 && v.BlueMask == 0xff {
				return nil
			}
		}
	}
	return fmt.Errorf("the X server has pixels of %d bits that are not red, green and blue of 8 each", w.screen.RootDepth)
}

// hideCursor makes a pointer that cannot be seen: guests draw their own.
func (w *Window) hideCursor() error {
	pix, err := xproto.NewPixmapId(w.x)
	if err != nil {
		return err
	}
	xproto.CreatePixmap(w.x, 1, pix, xproto.Drawable(w.win), 1, 1)
	gc, err := xproto.NewGcontextId(w.x)
	if err != nil {
		return err
	}
	xproto.CreateGC(w.x, gc, xproto.Drawable(pix), xproto.GcForeground, []uint32{0})
	xproto.PolyFillRectangle(w.x, xproto.Drawable(pix), gc, []xproto.Rectangle{{Width: 1, Height: 1}})
	if w.hidden, err = xproto.NewCursorId(w.x); err != nil {
		return err
	}
	xproto.CreateCursor(w.x, w.hidden, pix, pix, 0, 0, 0, 0, 0, 0, 0, 0)
	xproto.FreeGC(w.x, gc)
	xproto.FreePixmap(w.x, pix)
	return nil
}

// title says what the window is, and how the mouse is let go.
func (w *Window) title() {
	t := w.c.Title
	if w.grabbed {
		t += " - Press Ctrl-Alt-G to exit grab"
	}
	for _, p := range []struct{ name, kind xproto.Atom }{{xproto.AtomWmName, xproto.AtomString}, {w.atoms["_NET_WM_NAME"], w.atoms["UTF8_STRING"]}} {
		xproto.ChangeProperty(w.x, xproto.PropModeReplace, w.win, p.name, p.kind, 8, uint32(len(t)), []byte(t))
	}
}

// Close takes the window away.
func (w *Window) Close() error {
	w.c.Screen.Detach(w)
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.cond.Broadcast()
	w.mu.Unlock()
	if !was {
		w.x.Close()
	}
	return nil
}

// Resize implements display.Sink.
func (w *Window) Resize(s *display.Surface) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.region.Resize(s.Width, s.Height)
	w.resized = true
	w.cond.Broadcast()
}

// Damage implements display.Sink.
func (w *Window) Damage(r image.Rectangle) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.region.Add(r)
	w.cond.Broadcast()
}

// part is a rectangle of pixels to draw.
type part struct {
	r   image.Rectangle
	pix []byte
}

// paint draws what has changed until the window is closed.
func (w *Window) paint() {
	for {
		w.mu.Lock()
		for !w.closed && !w.resized && w.region.Empty() {
			w.cond.Wait()
		}
		closed := w.closed
		w.mu.Unlock()
		if closed {
			return
		}
		var parts []part
		var size, at image.Point
		resized := false
		w.c.Screen.View(func(s *display.Surface) {
			w.mu.Lock()
			defer w.mu.Unlock()
			resized, w.resized = w.resized, false
			size = image.Pt(s.Width, s.Height)
			at = w.place(size)
			w.region.Take(func(r image.Rectangle) bool {
				parts = w.cut(parts, s, r)
				return true
			})
		})
		if resized && !w.full {
			xproto.ConfigureWindow(w.x, w.win, xproto.ConfigWindowWidth|xproto.ConfigWindowHeight, []uint32{uint32(size.X), uint32(size.Y)})
		}
		if resized {
			xproto.ClearArea(w.x, false, w.win, 0, 0, 0, 0)
		}
		for _, p := range parts {
			xproto.PutImage(w.x, xproto.ImageFormatZPixmap, xproto.Drawable(w.win), w.gc, uint16(p.r.Dx()), uint16(p.r.Dy()),
				int16(p.r.Min.X+at.X), int16(p.r.Min.Y+at.Y), 0, w.screen.RootDepth, p.pix)
		}
		// The server's answer says that it has kept up.
		if _, err := xproto.GetInputFocus(w.x).Reply(); err != nil {
			return
		}
	}
}

// place is where the picture's corner is: the picture is in the middle.
func (w *Window) place(size image.Point) image.Point {
	return image.Pt(max(0, (w.w-size.X)/2), max(0, (w.h-size.Y)/2))
}

// cut makes parts of a rectangle that fit into requests.
func (w *Window) cut(parts []part, s *display.Surface, r image.Rectangle) []part {
	step := max(1, w.lines/(4*r.Dx()))
	for y := r.Min.Y; y < r.Max.Y; y += step {
		p := part{r: image.Rect(r.Min.X, y, r.Max.X, min(y+step, r.Max.Y))}
		p.pix = make([]byte, 4*p.r.Dx()*p.r.Dy())
		o := 0
		for y := p.r.Min.Y; y < p.r.Max.Y; y++ {
			for _, v := range s.Pix[y*s.Stride+r.Min.X : y*s.Stride+r.Max.X] {
				if w.msb {
					binary.BigEndian.PutUint32(p.pix[o:], v)
				} else {
					binary.LittleEndian.PutUint32(p.pix[o:], v)
				}
				o += 4
			}
		}
		parts = append(parts, p)
	}
	return parts
}

// errClosed is the connection's end.
var errClosed = errors.New("x11: the connection is closed")
