package console

import (
	"fmt"
	"unicode/utf8"
)

// parser is where in an escape sequence the input is (ECMA-48, 5.4).
type parser struct {
	state  func(*Console, byte)
	utf8   [utf8.UTFMax]byte
	n      int // of utf8
	params [maxParams]int
	count  int
	mark   byte // the private parameter byte, "?" or the like
	middle byte // an intermediate byte
	str    bool // within a control string
}

// Bounds of control sequences.
const (
	maxParams = 16
	maxParam  = 9999
)

// feed takes a byte.
func (t *Console) feed(c byte) {
	switch {
	case c == 0x18 || c == 0x1a: // CAN, SUB
		t.p.state, t.p.n, t.p.str = nil, 0, false
	case c == 0x1b:
		t.p.state, t.p.n, t.p.str = (*Console).escape, 0, false
	case c < 0x20 && !t.p.str:
		t.control(c)
	case t.p.state != nil:
		t.p.state(t, c)
	case c < 0x80:
		t.cut()
		if c != 0x7f {
			t.put(rune(c))
		}
	default:
		t.rune(c)
	}
}

// cut ends a character of UTF-8 that is not complete.
func (t *Console) cut() {
	if t.p.n > 0 {
		t.p.n = 0
		t.put(utf8.RuneError)
	}
}

// rune takes a byte of a character of UTF-8.
func (t *Console) rune(c byte) {
	p := &t.p
	if utf8.RuneStart(c) {
		t.cut()
	}
	p.utf8[p.n] = c
	p.n++
	switch r, size := utf8.DecodeRune(p.utf8[:p.n]); {
	case utf8.FullRune(p.utf8[:p.n]):
		if p.n = 0; r != utf8.RuneError || size > 1 {
			if r >= 0xa0 { // no C1 controls
				t.put(r)
			}
			return
		}
		t.put(utf8.RuneError)
	case p.n == len(p.utf8):
		p.n = 0
	}
}

// control is a C0 control.
func (t *Console) control(c byte) {
	switch c {
	case '\b':
		t.move(t.y, t.x-1)
	case '\t':
		for t.x < t.cols-1 {
			if t.x++; t.tabs[t.x] {
				break
			}
		}
	case '\n', '\v', '\f':
		t.wrap = false
		t.index()
		if t.newline {
			t.x = 0
		}
	case '\r':
		t.move(t.y, 0)
	case 0x0e, 0x0f: // SO, SI
		t.shift = int(0x0f - c)
	}
}

// escape is the byte behind ESC.
func (t *Console) escape(c byte) {
	p := &t.p
	p.state = nil
	switch c {
	case '[':
		p.params, p.count, p.mark, p.middle = [maxParams]int{}, 0, 0, 0
		p.state = (*Console).csi
	case ']', 'P', 'X', '^', '_': // OSC, DCS, SOS, PM, APC
		p.state, p.str = (*Console).skip, true
	case '(':
		p.state = func(t *Console, c byte) { t.designate(0, c) }
	case ')':
		p.state = func(t *Console, c byte) { t.designate(1, c) }
	case '*', '+', '#', '%', ' ':
		p.state = func(t *Console, c byte) { t.p.state = nil }
	case '7':
		t.save()
	case '8':
		t.restore()
	case 'D':
		t.index()
	case 'E':
		t.x = 0
		t.index()
	case 'M':
		t.reverseIndex()
	case 'H':
		t.tabs[t.x] = true
	case 'Z':
		t.answer("\x1b[?6c")
	case 'c':
		t.reset()
	}
}

// designate chooses a character set.
func (t *Console) designate(set int, c byte) {
	t.graphic[set] = c == '0'
	t.p.state = nil
}

// skip takes a control string, whose end is ESC, or BEL.
func (t *Console) skip(c byte) {
	if c == 0x07 {
		t.p.state, t.p.str = nil, false
	}
}

// csi takes the bytes of a control sequence.
func (t *Console) csi(c byte) {
	p := &t.p
	switch {
	case c >= '0' && c <= '9':
		if p.count == 0 {
			p.count = 1
		}
		if v := &p.params[p.count-1]; p.count <= maxParams {
			*v = min(*v*10+int(c-'0'), maxParam)
		}
	case c == ';' || c == ':':
		p.count = min(max(p.count, 1)+1, maxParams)
	case c >= '<' && c <= '?':
		p.mark = c
	case c >= 0x20 && c <= 0x2f:
		p.middle = c
	case c >= 0x40 && c <= 0x7e:
		p.state = nil
		if p.middle == 0 {
			t.run(c)
		}
	default:
		p.state = nil
	}
}

// param is a parameter of which 0 means 1.
func (p *parser) param(i int) int { return max(p.params[i], 1) }

// run does a control sequence.
func (t *Console) run(c byte) {
	p := &t.p
	n := p.param(0)
	if p.mark != 0 {
		if p.mark == '?' && (c == 'h' || c == 'l') {
			for _, v := range p.params[:p.count] {
				t.privateMode(v, c == 'h')
			}
		}
		return
	}
	switch c {
	case 'A':
		t.move(max(t.y-n, t.bound(t.y >= t.top, t.top, 0)), t.x)
	case 'B', 'e':
		t.move(min(t.y+n, t.bound(t.y < t.bottom, t.bottom, t.rows)-1), t.x)
	case 'C', 'a':
		t.move(t.y, t.x+n)
	case 'D':
		t.move(t.y, t.x-n)
	case 'E':
		t.move(t.y+n, 0)
	case 'F':
		t.move(t.y-n, 0)
	case 'G', '`':
		t.move(t.y, n-1)
	case 'd':
		t.move(n-1, t.x)
	case 'H', 'f':
		t.move(n-1, p.param(1)-1)
	case 'J':
		t.eraseScreen(p.params[0])
	case 'K':
		t.eraseLine(p.params[0])
	case 'L', 'M':
		if t.y >= t.top && t.y < t.bottom {
			if c == 'L' {
				n = -n
			}
			t.shiftLines(n)
		}
	case 'S':
		t.scroll(t.top, t.bottom, n)
	case 'T':
		t.scroll(t.top, t.bottom, -n)
	case '@', 'P', 'X':
		t.shiftCells(c, n)
	case 'm':
		t.attributes(p.params[:max(p.count, 1)])
	case 'r':
		t.region(n-1, p.params[1])
	case 's':
		t.save()
	case 'u':
		t.restore()
	case 'g':
		if p.params[0] == 3 {
			clear(t.tabs)
		} else {
			t.tabs[t.x] = false
		}
	case 'h', 'l':
		for _, v := range p.params[:p.count] {
			t.mode(v, c == 'h')
		}
	case 'c':
		t.answer("\x1b[?6c") // a VT102
	case 'n':
		switch p.params[0] {
		case 5:
			t.answer("\x1b[0n")
		case 6:
			t.answer(fmt.Sprintf("\x1b[%d;%dR", t.y+1, t.x+1))
		}
	}
}

func (t *Console) bound(in bool, a, b int) int {
	if in {
		return a
	}
	return b
}

// shiftLines is scroll from the cursor's line on, within the region; nothing
// of it is kept.
func (t *Console) shiftLines(n int) {
	if t.y == 0 && n > 0 { // DL at the top is no scrolling
		n = min(n, t.bottom)
		for y := 0; y < t.bottom-n; y++ {
			t.lines[y], t.lines[y+n] = t.lines[y+n], t.lines[y]
		}
		t.erase(t.bottom-n, 0, t.bottom-1, t.cols-1)
		t.touchAll()
	} else {
		t.scroll(t.y, t.bottom, n)
	}
	t.x, t.wrap = 0, false
}

// shiftCells is ICH, DCH and ECH.
func (t *Console) shiftCells(c byte, n int) {
	line := t.lines[t.y]
	n = min(n, t.cols-t.x)
	from := t.x
	switch c {
	case '@':
		copy(line[t.x+n:], line[t.x:])
	case 'P':
		copy(line[t.x:], line[t.x+n:])
		from = t.cols - n
	}
	t.erase(t.y, from, t.y, from+n-1)
	t.wrap = false
}

func (t *Console) eraseScreen(kind int) {
	switch kind {
	case 0:
		t.erase(t.y, t.x, t.rows-1, t.cols-1)
	case 1:
		t.erase(0, 0, t.y, t.x)
	case 2, 3:
		t.erase(0, 0, t.rows-1, t.cols-1)
	}
	t.wrap = false
}

func (t *Console) eraseLine(kind int) {
	switch kind {
	case 0:
		t.erase(t.y, t.x, t.y, t.cols-1)
	case 1:
		t.erase(t.y, 0, t.y, t.x)
	case 2:
		t.erase(t.y, 0, t.y, t.cols-1)
	}
	t.wrap = false
}

// region is DECSTBM: the lines that scroll.
func (t *Console) region(top, bottom int) {
	if bottom == 0 || bottom > t.rows {
		bottom = t.rows
	}
	if top+1 < bottom {
		t.top, t.bottom = top, bottom
		t.move(0, 0)
	}
}

func (t *Console) mode(n int, on bool) {
	switch n {
	case 4:
		t.insert = on
	case 20:
		t.newline = on
	}
}

// privateMode is DEC's.
func (t *Console) privateMode(n int, on bool) {
	switch n {
	case 1:
		t.appKeys = on
	case 7:
		t.autowrap = on
	case 25:
		t.shown = on
	}
}

// attributes is SGR.
func (t *Console) attributes(l []int) {
	for i := 0; i < len(l); i++ {
		p := &t.pen
		switch n := l[i]; {
		case n == 0:
			*p = cell{fg: plainFg, bg: plainBg}
		case n == 1:
			p.attr |= bold
		case n == 4:
			p.attr |= underline
		case n == 7:
			p.attr |= reverse
		case n == 8:
			p.attr |= hidden
		case n == 21 || n == 22:
			p.attr &^= bold
		case n == 24:
			p.attr &^= underline
		case n == 27:
			p.attr &^= reverse
		case n == 28:
			p.attr &^= hidden
		case n >= 30 && n <= 37:
			p.fg = uint8(n - 30)
		case n == 39:
			p.fg = plainFg
		case n >= 40 && n <= 47:
			p.bg = uint8(n - 40)
		case n == 49:
			p.bg = plainBg
		case n >= 90 && n <= 97:
			p.fg = uint8(n - 90 + 8)
		case n >= 100 && n <= 107:
			p.bg = uint8(n - 100 + 8)
		case n == 38 || n == 48:
			c, used, ok := extended(l[i+1:])
			i += used
			switch {
			case !ok:
			case n == 38:
				p.fg = c
			default:
				p.bg = c
			}
		}
	}
}

// extended is a colour of 256, or of red, green and blue, as one of the
// sixteen. Used is how many parameters it takes.
func extended(l []int) (c uint8, used int, ok bool) {
	switch {
	case len(l) >= 2 && l[0] == 5 && l[1] < 256:
		return nearest(indexed(l[1])), 2, true
	case len(l) >= 4 && l[0] == 2:
		return nearest(uint32(l[1]&255)<<16 | uint32(l[2]&255)<<8 | uint32(l[3]&255)), 4, true
	}
	return 0, len(l), false
}

// indexed is a colour of xterm's 256: sixteen, a cube of 6, and greys.
func indexed(n int) uint32 {
	switch {
	case n < 16:
		return palette[n]
	case n < 232:
		level := func(v int) uint32 {
			if v == 0 {
				return 0
			}
			return uint32(55 + 40*v)
		}
		n -= 16
		return level(n/36)<<16 | level(n/6%6)<<8 | level(n%6)
	}
	return uint32(8+10*(n-232)) * 0x10101
}

// nearest is the colour of the sixteen that is most like another.
func nearest(c uint32) uint8 {
	best, at := 1<<30, 0
	for i, p := range palette {
		d := 0
		for s := 0; s < 24; s += 8 {
			v := int(c>>s&255) - int(p>>s&255)
			d += v * v
		}
		if d < best {
			best, at = d, i
		}
	}
	return uint8(at)
}

// drawing are the characters from 60h on of DEC's special graphics.
const drawing = "◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"

func lineDrawing(r rune) rune {
	if r < 0x60 || r > 0x7e {
		return r
	}
	i := rune(0x60)
	for _, c := range drawing {
		if i == r {
			return c
		}
		i++
	}
	return r
}
