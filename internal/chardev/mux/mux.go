// Package mux shares one character device between several users (a serial
// port and the monitor, with -nographic): all of them write to it, one of
// them, the focus, is typed to. An escape character (Ctrl-A) leads to the
// multiplexer's own keys, which are QEMU's.
package mux

import (
	"fmt"
	"io"
	"sync"
	"time"

	"rhea/internal/chardev"
)

// Config describes a multiplexer.
type Config struct {
	Port chardev.Port
	// Post is dev.Env.Post.
	Post func(func())
	// Escape is the escape character, 1 for Ctrl-A.
	Escape byte
	// Quit ends the emulator (escape, x).
	Quit func()
	// Commit writes snapshot layers to their images (escape, s).
	Commit func()
	// Now is the time for timestamps, since the start.
	Now func() time.Duration
}

// Focuser is a receiver that wants to know whether it is typed to.
type Focuser interface{ Focus(on bool) }

// queueLimit is how much may be typed ahead of a guest that does not take
// input. The escape character works as long as it is not reached.
const queueLimit = 4096

// Mux is a multiplexer. All but Write is called on the event loop.
type Mux struct {
	c       Config
	fronts  []*Front
	focus   int
	escaped bool

	mu     sync.Mutex // protects what Write uses
	stamps bool
	start  bool // the next byte begins a line
}

// New returns a multiplexer on c.Port.
func New(c Config) *Mux {
	m := &Mux{c: c, start: true}
	c.Port.Attach(m)
	return m
}

// Front is the device as one user sees it. It is a chardev.Port. To its
// receiver the port is opened when it gets the focus for the first time: a
// monitor greets when someone turns to it.
type Front struct {
	m      *Mux
	recv   chardev.Receiver
	queue  []byte
	opened bool // the receiver knows of the peer
}

// Front adds a user. The first one has the focus.
func (m *Mux) Front() *Front {
	f := &Front{m: m}
	m.fronts = append(m.fronts, f)
	return f
}

// Attach implements chardev.Port.
func (f *Front) Attach(r chardev.Receiver) {
	f.recv = r
	f.opened = false
	f.open()
	if r, ok := r.(Focuser); ok {
		r.Focus(f.m.fronts[f.m.focus] == f)
	}
	f.Wake()
}

// open tells the receiver of the peer, if there is one and this front has
// the focus.
func (f *Front) open() {
	if f.opened || f.recv == nil || !f.m.connected() || f.m.fronts[f.m.focus] != f {
		return
	}
	f.opened = true
	if r, ok := f.recv.(chardev.EventReceiver); ok {
		r.Event(chardev.Opened)
	}
}

// Connected reports whether the receiver has been told of a peer.
func (f *Front) Connected() bool { return f.opened }

// connected reports whether there is a peer. A device that cannot say has one.
func (m *Mux) connected() bool {
	c, ok := m.c.Port.(interface{ Connected() bool })
	return !ok || c.Connected()
}

// Write implements io.Writer.
func (f *Front) Write(b []byte) (int, error) { return f.m.write(b) }

// IsTerminal reports whether a person's terminal is at the other end.
func (f *Front) IsTerminal() bool {
	t, ok := f.m.c.Port.(interface{ IsTerminal() bool })
	return ok && t.IsTerminal()
}

// Room implements chardev.Throttler.
func (f *Front) Room() int {
	if t, ok := f.m.c.Port.(chardev.Throttler); ok {
		return t.Room()
	}
	return chardev.Limit
}

// WhenRoom implements chardev.Throttler.
func (f *Front) WhenRoom(fn func()) {
	if t, ok := f.m.c.Port.(chardev.Throttler); ok {
		t.WhenRoom(fn)
	} else {
		f.m.c.Post(fn)
	}
}

// Wake implements chardev.Waker.
func (f *Front) Wake() {
	f.m.c.Post(func() {
		f.deliver()
		if w, ok := f.m.c.Port.(chardev.Waker); ok {
			w.Wake()
		}
	})
}

func (f *Front) deliver() {
	for f.recv != nil && len(f.queue) > 0 {
		n := min(f.recv.Room(), len(f.queue))
		if n <= 0 {
			return
		}
		b := f.queue[:n:n]
		f.queue = f.queue[n:]
		f.recv.Receive(b)
	}
}

// Room implements chardev.Receiver.
func (m *Mux) Room() int {
	if len(m.fronts) == 0 {
		return 0
	}
	return queueLimit - len(m.fronts[m.focus].queue)
}

// Receive implements chardev.Receiver.
func (m *Mux) Receive(b []byte) {
	if len(m.fronts) == 0 {
		return
	}
	for _, c := range b {
		switch {
		case m.escaped:
			m.escaped = false
			m.command(c)
		case c == m.c.Escape:
			m.escaped = true
		default:
			m.put(c)
		}
	}
	m.fronts[m.focus].deliver()
}

// Event implements chardev.EventReceiver.
func (m *Mux) Event(e chardev.Event) {
	for i, f := range m.fronts {
		r, ok := f.recv.(chardev.EventReceiver)
		switch {
		case e == chardev.Opened:
			f.open()
		case e == chardev.Closed && f.opened:
			f.opened = false
			if ok {
				r.Event(e)
			}
		case e == chardev.Break && ok && i == m.focus:
			r.Event(e)
		}
	}
}

func (m *Mux) put(c byte) {
	f := m.fronts[m.focus]
	if len(f.queue) < queueLimit {
		f.queue = append(f.queue, c)
	}
}

// key is what follows the escape character.
type key struct {
	c    byte
	help string
	do   func(m *Mux)
}

func keys() []key {
	return []key{
		{'h', "print this help", (*Mux).help},
		{'?', "", (*Mux).help},
		{'x', "exit emulator", (*Mux).quit},
		{'s', "save disk data back to file (if -snapshot)", func(m *Mux) { call(m.c.Commit) }},
		{'t', "toggle console timestamps", (*Mux).toggleStamps},
		{'b', "send break (magic sysrq)", func(m *Mux) {
			if r, ok := m.fronts[m.focus].recv.(chardev.EventReceiver); ok {
				r.Event(chardev.Break)
			}
		}},
		{'c', "switch between console and monitor", func(m *Mux) { m.setFocus((m.focus + 1) % len(m.fronts)) }},
	}
}

func (m *Mux) command(c byte) {
	if c == m.c.Escape {
		m.put(c)
		return
	}
	for _, k := range keys() {
		if k.c == c {
			k.do(m)
			return
		}
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func (m *Mux) quit() {
	io.WriteString(m.c.Port, "QEMU: Terminated\n\r")
	call(m.c.Quit)
}

func (m *Mux) toggleStamps() {
	m.mu.Lock()
	m.stamps = !m.stamps
	m.start = false
	m.mu.Unlock()
}

func (m *Mux) setFocus(i int) {
	set := func(on bool) {
		f := m.fronts[m.focus]
		if r, ok := f.recv.(Focuser); ok {
			r.Focus(on)
		}
	}
	set(false)
	m.focus = i
	m.fronts[i].open()
	set(true)
}

// help lists the keys.
func (m *Mux) help() {
	name := fmt.Sprintf("C-%c", m.c.Escape+'a'-1)
	if m.c.Escape == 0 || m.c.Escape > 26 {
		name = fmt.Sprintf("0x%02x", m.c.Escape)
	}
	s := "\n\r"
	for _, k := range keys() {
		if k.help != "" {
			s += fmt.Sprintf("%s %c    %s\n\r", name, k.c, k.help)
		}
	}
	s += fmt.Sprintf("%s %s  sends %s\n\r", name, name, name)
	io.WriteString(m.c.Port, s)
}

// write passes bytes on, with the time before each line if wanted.
func (m *Mux) write(b []byte) (int, error) {
	m.mu.Lock()
	if !m.stamps {
		m.mu.Unlock()
		return m.c.Port.Write(b)
	}
	defer m.mu.Unlock()
	var out []byte
	for _, c := range b {
		if m.start {
			t := m.c.Now()
			out = fmt.Appendf(out, "[%02d:%02d:%02d.%03d] ", int(t.Hours()), int(t.Minutes())%60, int(t.Seconds())%60, t.Milliseconds()%1000)
			m.start = false
		}
		out = append(out, c)
		m.start = c == '\n'
	}
	if _, err := m.c.Port.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
