// Package console is a terminal that is drawn: the text consoles of a display
// (-serial vc, -monitor vc). It understands what programs write to a VT102
// (DEC, "VT102 User Guide", EK-VT102-UG), with the colours of ECMA-48 and
// UTF-8.
package console

import (
	"image"
	"io"
	"sync"
	"unicode/utf8"

	"rhea/internal/display"
	"rhea/internal/display/keymap"
)

// The size of a character in pixels.
const (
	CellWidth  = 8
	CellHeight = 16
)

// history is how many lines that have left the top are kept.
const history = 512

// Bounds of a console.
const (
	MaxColumns = 500
	MaxRows    = 200
)

// Config describes a console.
type Config struct {
	Columns, Rows int // 0 = 80, 24
	// Keys takes what is typed.
	Keys io.Writer
	// Layout is the keyboard of those who only tell which key it is; nil is
	// that of the United States.
	Layout *keymap.Layout
}

// cell is a character with its attributes.
type cell struct {
	char   rune
	fg, bg uint8 // in the order of ECMA-48, 8 to 15 are bright
	attr   attr
}

type attr uint8

const (
	bold attr = 1 << iota
	underline
	reverse
	hidden
)

// The colours of text that has none of its own.
const (
	plainFg = 7
	plainBg = 0
)

// Console is a terminal. Its methods may be called from any goroutine.
type Console struct {
	c Config

	mu    sync.Mutex
	cols  int
	rows  int
	lines [][]cell
	dirty []bool // lines to draw
	past  [][]cell
	head  int // of past's oldest, when it is full
	back  int // lines that the view is scrolled up

	x, y        int
	wrap        bool // the last column is written: the next character begins a line
	pen         cell // what is written has its attributes
	top, bottom int  // of the lines that scroll, bottom excluded
	saved       cursor
	tabs        []bool
	autowrap    bool
	insert      bool
	newline     bool // LF is CR LF
	shown       bool // the cursor is
	appKeys     bool // arrow keys send ESC O
	graphic     [2]bool
	shift       int // which of graphic is in use

	p parser
	g glyphs
}

// cursor is what DECSC saves.
type cursor struct {
	x, y    int
	pen     cell
	graphic [2]bool
	shift   int
}

// New returns an empty console.
func New(c Config) *Console {
	if c.Columns == 0 {
		c.Columns, c.Rows = 80, 24
	}
	if c.Layout == nil {
		c.Layout = keymap.US()
	}
	t := &Console{c: c, cols: min(max(c.Columns, 2), MaxColumns), rows: min(max(c.Rows, 2), MaxRows)}
	t.lines = make([][]cell, t.rows)
	for i := range t.lines {
		t.lines[i] = make([]cell, t.cols)
	}
	t.dirty = make([]bool, t.rows)
	t.reset()
	return t
}

// reset is RIS: the terminal as it is switched on.
func (t *Console) reset() {
	t.pen = cell{fg: plainFg, bg: plainBg}
	t.x, t.y, t.wrap = 0, 0, false
	t.top, t.bottom = 0, t.rows
	t.autowrap, t.insert, t.newline, t.shown, t.appKeys = true, false, false, true, false
	t.graphic, t.shift = [2]bool{}, 0
	t.tabs = make([]bool, t.cols)
	for i := 8; i < t.cols; i += 8 {
		t.tabs[i] = true
	}
	t.save()
	t.erase(0, 0, t.rows-1, t.cols-1)
}

// Write implements io.Writer: it shows what is written.
func (t *Console) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.back > 0 {
		t.back = 0
		t.touchAll()
	}
	for _, c := range b {
		t.dirty[t.y] = true // where the cursor was
		t.feed(c)
		t.dirty[t.y] = true
	}
	return len(b), nil
}

func (t *Console) touchAll() {
	for i := range t.dirty {
		t.dirty[i] = true
	}
}

// blank is an erased character: it keeps the pen's background.
func (t *Console) blank() cell { return cell{char: ' ', fg: t.pen.fg, bg: t.pen.bg} }

// erase clears from one place to another, both included.
func (t *Console) erase(y0, x0, y1, x1 int) {
	b := t.blank()
	for y := y0; y <= y1; y++ {
		from, to := 0, t.cols-1
		if y == y0 {
			from = x0
		}
		if y == y1 {
			to = x1
		}
		for x := from; x <= to; x++ {
			t.lines[y][x] = b
		}
		t.dirty[y] = true
	}
}

// scroll moves the lines from top to bottom (excluded) up by n, or down by
// -n. What leaves the top of the screen is kept.
func (t *Console) scroll(top, bottom, n int) {
	n = min(max(n, top-bottom), bottom-top)
	for ; n > 0; n-- {
		line := t.lines[top]
		copy(t.lines[top:bottom-1], t.lines[top+1:bottom])
		if top == 0 {
			line = t.keep(line)
		}
		t.lines[bottom-1] = line
		t.erase(bottom-1, 0, bottom-1, t.cols-1)
	}
	for ; n < 0; n++ {
		line := t.lines[bottom-1]
		copy(t.lines[top+1:bottom], t.lines[top:bottom-1])
		t.lines[top] = line
		t.erase(top, 0, top, t.cols-1)
	}
	for y := top; y < bottom; y++ {
		t.dirty[y] = true
	}
}

// keep puts a line into the past and returns one to use instead.
func (t *Console) keep(line []cell) []cell {
	if len(t.past) < history {
		t.past = append(t.past, line)
		return make([]cell, t.cols)
	}
	old := t.past[t.head]
	t.past[t.head] = line
	t.head = (t.head + 1) % history
	return old
}

// Scroll moves the view by lines, up into the past or down again.
func (t *Console) Scroll(lines int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if back := min(max(t.back+lines, 0), len(t.past)); back != t.back {
		t.back = back
		t.touchAll()
	}
}

// Rows is how many lines there are.
func (t *Console) Rows() int { return t.rows }

// line is what is seen in a row.
func (t *Console) line(y int) []cell {
	if y >= t.back {
		return t.lines[y-t.back]
	}
	return t.past[(t.head+len(t.past)-t.back+y)%len(t.past)]
}

// cursorAt says where the cursor is seen.
func (t *Console) cursorAt() (x, y int, ok bool) {
	y = t.y + t.back
	return t.x, y, t.shown && y < t.rows
}

// put writes a character at the cursor.
func (t *Console) put(r rune) {
	if t.graphic[t.shift] {
		r = lineDrawing(r)
	}
	if t.wrap && t.autowrap {
		t.x = 0
		t.index()
	}
	t.wrap = false
	line := t.lines[t.y]
	if t.insert {
		copy(line[t.x+1:], line[t.x:])
	}
	line[t.x] = t.pen
	line[t.x].char = r
	if t.x == t.cols-1 {
		t.wrap = true
	} else {
		t.x++
	}
}

// index moves down, and scrolls at the bottom.
func (t *Console) index() {
	switch {
	case t.y == t.bottom-1:
		t.scroll(t.top, t.bottom, 1)
	case t.y < t.rows-1:
		t.y++
		t.dirty[t.y] = true
	}
}

// reverseIndex moves up, and scrolls at the top.
func (t *Console) reverseIndex() {
	switch {
	case t.y == t.top:
		t.scroll(t.top, t.bottom, -1)
	case t.y > 0:
		t.y--
	}
}

func (t *Console) save() { t.saved = cursor{t.x, t.y, t.pen, t.graphic, t.shift} }

func (t *Console) restore() {
	s := t.saved
	t.pen, t.graphic, t.shift = s.pen, s.graphic, s.shift
	t.move(s.y, s.x)
}

// move puts the cursor in a place on the screen.
func (t *Console) move(y, x int) {
	t.y, t.x, t.wrap = min(max(y, 0), t.rows-1), min(max(x, 0), t.cols-1), false
}

// colours are a cell's as it is seen.
func (c *cell) colours() (fg, bg uint8) {
	fg, bg = c.fg, c.bg
	if c.attr&bold != 0 && fg < 8 {
		fg += 8
	}
	if c.attr&reverse != 0 {
		fg, bg = bg, fg
	}
	if c.attr&hidden != 0 {
		fg = bg
	}
	return fg, bg
}

// Draw implements display.Source.
func (t *Console) Draw(s *display.Surface, full bool) image.Rectangle {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w, h := t.cols*CellWidth, t.rows*CellHeight; s.Width != w || s.Height != h {
		s.Resize(w, h)
		full = true
	}
	top, bottom := t.rows, 0
	for y := range t.rows {
		if !full && !t.dirty[y] {
			continue
		}
		t.dirty[y] = false
		t.drawLine(s, y)
		top, bottom = min(top, y), y+1
	}
	if top >= bottom {
		return image.Rectangle{}
	}
	return image.Rect(0, top*CellHeight, s.Width, bottom*CellHeight)
}

func (t *Console) drawLine(s *display.Surface, y int) {
	cx, cy, cursor := t.cursorAt()
	for x, c := range t.line(y) {
		fg, bg := c.colours()
		if cursor && x == cx && y == cy {
			fg, bg = bg, fg
			if fg == bg {
				bg = fg ^ 7
			}
		}
		at := s.Pix[y*CellHeight*s.Stride+x*CellWidth:]
		t.g.draw(at, s.Stride, c.char, palette[fg], palette[bg], c.attr&bold != 0)
		if c.attr&underline != 0 {
			for i := range CellWidth {
				at[(CellHeight-2)*s.Stride+i] = palette[fg]
			}
		}
	}
}

// Text implements display.Source.
func (t *Console) Text() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := make([]string, t.rows)
	for y := range l {
		var b []byte
		for _, c := range t.line(y) {
			b = utf8.AppendRune(b, c.char)
		}
		l[y] = string(b)
	}
	return l
}

// pcColour is a colour of ECMA-48 in the PC's order.
func pcColour(c uint8) uint8 { return c&0xa | c&1<<2 | c>>2&1 }

// TextPage implements display.TextSource.
func (t *Console) TextPage() (display.TextPage, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := display.TextPage{Columns: t.cols, Rows: t.rows}
	p.X, p.Y, p.Cursor = t.cursorAt()
	for y := range t.rows {
		for _, c := range t.line(y) {
			fg, bg := c.colours()
			p.Cells = append(p.Cells, display.TextCell{Char: c.char, Fg: pcColour(fg), Bg: pcColour(bg)})
		}
	}
	return p, true
}
