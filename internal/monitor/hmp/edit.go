package hmp

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of the line editor.
const (
	maxLine    = 4096 // bytes
	maxHistory = 64   // lines
)

// editor is a line editor for a terminal without a driver of its own. It is
// fed bytes and writes what the terminal is to show.
type editor struct {
	prompt string
	out    io.Writer
	// complete returns what the word that ends line can be; the word is
	// line[start:]. It may be nil.
	complete func(line string) (start int, words []string)

	line    []rune
	at      int // the cursor
	history []string
	hist    int    // the entry being shown; len(history) = the line itself
	typed   string // the line itself, meanwhile

	esc    escapeState
	params string
	part   []byte // of an UTF-8 character
	cr     bool   // the last byte was a carriage return
}

// escapeState is how far an escape sequence has come.
type escapeState uint8

const (
	noEscape escapeState = iota
	gotEsc               // ESC
	gotCSI               // ESC [
	gotSS3               // ESC O
)

// start shows the prompt and begins a new line.
func (e *editor) start() {
	e.line, e.at, e.esc, e.part = e.line[:0], 0, noEscape, nil
	e.hist, e.typed = len(e.history), ""
	io.WriteString(e.out, e.prompt)
}

// again shows the prompt and the line as it is.
func (e *editor) again() {
	io.WriteString(e.out, e.prompt+string(e.line))
	e.left(len(e.line) - e.at)
}

func (e *editor) left(n int) {
	if n > 0 {
		fmt.Fprintf(e.out, "\x1b[%dD", n)
	}
}

// feed takes a byte. It reports true when it ends the line.
func (e *editor) feed(b byte) (line string, done bool) {
	cr := e.cr
	e.cr = b == '\r'
	switch e.esc {
	case gotEsc:
		e.escape(b)
		return "", false
	case gotCSI:
		e.csi(b)
		return "", false
	case gotSS3:
		e.esc = noEscape
		e.key(b, "")
		return "", false
	}
	switch {
	case b == '\n' && cr:
	case b == '\r' || b == '\n':
		line = string(e.line)
		io.WriteString(e.out, "\r\n")
		e.remember(line)
		return line, true
	case b < ' ' || b == 0x7f:
		e.control(b)
	case b < utf8.RuneSelf:
		e.part = e.part[:0]
		e.insert(rune(b))
	default:
		e.part = append(e.part, b)
		if utf8.FullRune(e.part) {
			r, _ := utf8.DecodeRune(e.part)
			e.part = e.part[:0]
			if r >= 0xa0 && r != utf8.RuneError {
				e.insert(r)
			}
		}
	}
	return "", false
}

// control is a control character.
func (e *editor) control(b byte) {
	switch b {
	case 0x01: // ^A
		e.move(0)
	case 0x02: // ^B
		e.move(e.at - 1)
	case 0x03: // ^C
		io.WriteString(e.out, "^C\r\n")
		e.start()
	case 0x04: // ^D
		e.remove(e.at, e.at+1)
	case 0x05: // ^E
		e.move(len(e.line))
	case 0x06: // ^F
		e.move(e.at + 1)
	case 0x08, 0x7f:
		e.remove(e.at-1, e.at)
	case '\t':
		e.tab()
	case 0x0b: // ^K
		e.remove(e.at, len(e.line))
	case 0x0c: // ^L
		io.WriteString(e.out, "\x1b[2J\x1b[1;1H")
		e.again()
	case 0x0e: // ^N
		e.recall(e.hist + 1)
	case 0x10: // ^P
		e.recall(e.hist - 1)
	case 0x15: // ^U
		e.remove(0, e.at)
	case 0x17: // ^W
		e.remove(e.wordLeft(), e.at)
	case 0x1b:
		e.esc = gotEsc
	}
}

func (e *editor) escape(b byte) {
	e.esc, e.params = noEscape, ""
	switch b {
	case '[':
		e.esc = gotCSI
	case 'O':
		e.esc = gotSS3
	case 'b':
		e.move(e.wordLeft())
	case 'f':
		e.move(e.wordRight())
	case 0x7f, 0x08:
		e.remove(e.wordLeft(), e.at)
	case 'd':
		e.remove(e.at, e.wordRight())
	case 0x1b:
		e.esc = gotEsc
	}
}

// csi is a byte of a control sequence (ECMA-48, 5.4): parameters, then one
// final byte.
func (e *editor) csi(b byte) {
	switch {
	case b >= 0x20 && b <= 0x3f:
		if len(e.params) < 16 {
			e.params += string(rune(b))
		}
	case b >= 0x40 && b <= 0x7e:
		e.esc = noEscape
		e.key(b, e.params)
	default: // broken off
		e.esc = noEscape
		if b == 0x1b {
			e.esc = gotEsc
		}
	}
}

// key is a function key: the final byte of its sequence and the parameters.
func (e *editor) key(final byte, params string) {
	word := strings.HasSuffix(params, ";5") || strings.HasSuffix(params, ";3") // with Ctrl or Alt
	switch final {
	case 'A':
		e.recall(e.hist - 1)
	case 'B':
		e.recall(e.hist + 1)
	case 'C':
		if word {
			e.move(e.wordRight())
		} else {
			e.move(e.at + 1)
		}
	case 'D':
		if word {
			e.move(e.wordLeft())
		} else {
			e.move(e.at - 1)
		}
	case 'H':
		e.move(0)
	case 'F':
		e.move(len(e.line))
	case '~':
		switch params {
		case "1", "7":
			e.move(0)
		case "3":
			e.remove(e.at, e.at+1)
		case "4", "8":
			e.move(len(e.line))
		}
	}
}

func (e *editor) move(to int) {
	to = min(max(to, 0), len(e.line))
	if to > e.at {
		fmt.Fprintf(e.out, "\x1b[%dC", to-e.at)
	}
	e.left(e.at - to)
	e.at = to
}

func (e *editor) insert(r rune) {
	if len(e.line) >= maxLine {
		return
	}
	e.line = slices.Insert(e.line, e.at, r)
	e.at++
	io.WriteString(e.out, string(e.line[e.at-1:]))
	e.left(len(e.line) - e.at)
}

func (e *editor) insertText(s string) {
	for _, r := range s {
		e.insert(r)
	}
}

// remove takes line[from:to] out; the cursor is at from afterwards.
func (e *editor) remove(from, to int) {
	from, to = max(from, 0), min(to, len(e.line))
	if from >= to {
		return
	}
	e.move(from)
	e.line = slices.Delete(e.line, from, to)
	io.WriteString(e.out, string(e.line[from:])+"\x1b[K")
	e.left(len(e.line) - from)
}

func (e *editor) wordLeft() int {
	i := e.at
	for i > 0 && e.line[i-1] == ' ' {
		i--
	}
	for i > 0 && e.line[i-1] != ' ' {
		i--
	}
	return i
}

func (e *editor) wordRight() int {
	i := e.at
	for i < len(e.line) && e.line[i] == ' ' {
		i++
	}
	for i < len(e.line) && e.line[i] != ' ' {
		i++
	}
	return i
}

// recall shows an entry of the history.
func (e *editor) recall(n int) {
	if n < 0 || n > len(e.history) || n == e.hist {
		return
	}
	if e.hist == len(e.history) {
		e.typed = string(e.line)
	}
	e.hist = n
	text := e.typed
	if n < len(e.history) {
		text = e.history[n]
	}
	e.move(0)
	e.line = []rune(text)
	e.at = len(e.line)
	io.WriteString(e.out, text+"\x1b[K")
}

// remember enters a line in the history, at its end.
func (e *editor) remember(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if i := slices.Index(e.history, line); i >= 0 {
		e.history = slices.Delete(e.history, i, i+1)
	}
	if len(e.history) == maxHistory {
		e.history = slices.Delete(e.history, 0, 1)
	}
	e.history = append(e.history, line)
}

// tab completes the word before the cursor, or shows what it can be.
func (e *editor) tab() {
	if e.complete == nil {
		return
	}
	before := string(e.line[:e.at])
	start, words := e.complete(before)
	if len(words) == 0 || start > len(before) {
		return
	}
	common := words[0]
	for _, w := range words[1:] {
		for !strings.HasPrefix(w, common) {
			_, n := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-n]
		}
	}
	if rest, ok := strings.CutPrefix(common, before[start:]); ok {
		e.insertText(rest)
	}
	if len(words) == 1 {
		if !strings.HasSuffix(words[0], "/") && !strings.HasSuffix(words[0], "-") {
			e.insert(' ')
		}
		return
	}
	e.columns(words)
	e.again()
}

// columns lists words under the line, across 80 columns.
func (e *editor) columns(words []string) {
	width := 10
	for _, w := range words {
		width = max(width, utf8.RuneCountInString(w)+2)
	}
	per := max(80/width, 1)
	var b strings.Builder
	for i, w := range words {
		if i%per == 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(w + strings.Repeat(" ", width-utf8.RuneCountInString(w)))
	}
	b.WriteString("\r\n")
	io.WriteString(e.out, b.String())
}
