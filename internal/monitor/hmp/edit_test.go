package hmp

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// term is a terminal that knows what the editor uses, and an editor on it.
type term struct {
	t     *testing.T
	out   bytes.Buffer
	e     editor
	lines []string // what was entered
	row   []rune
	col   int
	rows  []string // the screen above
}

func newTerm(t *testing.T) *term {
	m := newFake(t).m
	s := &term{t: t}
	s.e = editor{prompt: "(qemu) ", out: &s.out, complete: m.Complete}
	s.e.start()
	s.draw()
	return s
}

// draw shows what the editor has written.
func (s *term) draw() {
	in := s.out.String()
	s.out.Reset()
	for in != "" {
		if strings.HasPrefix(in, "\x1b[") {
			end := 2 + strings.IndexFunc(in[2:], func(r rune) bool { return r >= '@' })
			n, _ := strconv.Atoi(in[2:end])
			switch in[end] {
			case 'C':
				s.col += n
			case 'D':
				s.col -= n
			case 'K':
				s.row = s.row[:min(s.col, len(s.row))]
			case 'J':
				s.rows, s.row, s.col = nil, nil, 0
			case 'H':
				s.col = 0
			}
			if s.col < 0 || s.col > len(s.row) {
				s.t.Fatalf("the cursor is at %d of %q", s.col, string(s.row))
			}
			in = in[end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(in)
		in = in[n:]
		switch {
		case r == '\r':
			s.col = 0
		case r == '\n':
			s.rows = append(s.rows, string(s.row))
			s.row, s.col = nil, 0
		case r < ' ':
			s.t.Fatalf("control character %#x", r)
		case s.col == len(s.row):
			s.row = append(s.row, r)
			s.col++
		default:
			s.row[s.col] = r
			s.col++
		}
	}
}

func (s *term) feed(in []byte) {
	for _, b := range in {
		line, done := s.e.feed(b)
		if done {
			s.lines = append(s.lines, line)
			s.e.start()
		}
		s.draw()
		want := "(qemu) " + string(s.e.line)
		if string(s.row) != want || s.col != 7+s.e.at {
			s.t.Fatalf("after %q of %q: the terminal shows %q, cursor %d; the line is %q, cursor %d",
				b, in, string(s.row), s.col, want, 7+s.e.at)
		}
	}
}

func TestEditor(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"abc\r", "abc"},
		{"abc\n", "abc"},
		{"p 5\r\np 6\r\n", "p 5|p 6"},
		{"\r\r", "|"},
		{"a\n\nb\n", "a||b"},
		{"abd\x08c\r", "abc"},
		{"abd\x7fc\r", "abc"},
		{"bc\x01a\r", "abc"},
		{"bc\x01a\x05d\r", "abcd"},
		{"ac\x1b[Db\r", "abc"},
		{"ac\x1b[D\x1b[D\x1b[Cb\r", "abc"},
		{"ac\x02b\x06d\r", "abcd"},
		{"abc\x1b[D\x1b[D\x0b\r", "a"},
		{"abc def\x15x\r", "x"},
		{"abc def\x1b[D\x15\r", "f"},
		{"abc def  \x17x\r", "abc x"},
		{"abc def\x17\x17\x17\r", ""},
		{"abc\x03def\r", "def"},
		{"abc\x01\x04\r", "bc"},
		{"\x04a\r", "a"},
		{"abc\x1b[D\x1b[3~\r", "ab"},
		{"bc\x1b[Ha\x1b[Fd\r", "abcd"},
		{"bc\x1b[1~a\x1b[4~d\r", "abcd"},
		{"bc\x1bOHa\x1bOFd\r", "abcd"},
		{"one two\x1bbx\r", "one xtwo"},
		{"one two\x1b[1;5D\x1b[1;5Dx\x1bfy\r", "xoney two"},
		{"ab\x0ccd\r", "abcd"},
		{"a\x1b[99;99zb\r", "ab"},
		{"a\x1b[5\x1b[Db\r", "ba"},
		{"a\x1b\x1b[Db\r", "ba"},
		{"ä€\x1b[D\x08ö\r", "ö€"},
		{"a\xff\xfeb\xc3(\r", "ab("},
		{"a\x00\x1fb\r", "ab"},
		// history
		{"one\rtwo\r\x1b[A\x1b[A\r", "one|two|one"},
		{"one\rtwo\r\x10\x10\x10\x0e\r", "one|two|two"},
		{"one\rtw\x1b[A\x1b[B\r", "one|tw"},
		{"one\r\x1b[A!\r\x1b[A\x1b[A\r", "one|one!|one"},
		{"one\rtwo\rone\r\x1b[A\x1b[A\r", "one|two|one|two"},
		{"\x1b[A\x1b[B\r", ""},
		// completion
		{"sendk\tctr\t-alt-dele\t\r", "sendkey ctrl-alt-delete "},
		{"info stat\t\r", "info status "},
		{"info reg\t-a\r", "info registers -a"},
		{"sys\tr\t\r", "system_reset "},
		{"zzz\tz\r", "zzzz"},
		{"x\t\r", "x"},
		{"help sendk\t\r", "help sendkey "},
		{"help info tl\t\r", "help info tlb "},
		{"eject -f fo\t\r", "eject -f foo "},
		{"info block ide0\t\r", "info block ide0-hd0 "},
		{"log in\tcpu_\t\r", "log incpu_"},
		{"log int,cpu_\t\r", "log int,cpu_reset "},
		{"screendump x -f pn\t\r", "screendump x -f png "},
		{"logfile /et\thostn\t\r", "logfile /etc/hostname "},
	} {
		s := newTerm(t)
		s.feed([]byte(c.in))
		if got := strings.Join(s.lines, "|"); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCompletionList(t *testing.T) {
	s := newTerm(t)
	s.feed([]byte("system_\t"))
	want := "(qemu) system_|system_powerdown  system_reset      system_wakeup"
	if got := strings.Join(s.rows, "|"); strings.TrimRight(got, " ") != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	if string(s.row) != "(qemu) system_" {
		t.Errorf("%q", string(s.row))
	}
}

func TestLongLine(t *testing.T) {
	s := newTerm(t)
	s.feed(bytes.Repeat([]byte("a"), maxLine+100))
	if len(s.e.line) != maxLine {
		t.Errorf("%d characters", len(s.e.line))
	}
	for range maxHistory + 10 {
		s.feed([]byte(strconv.Itoa(len(s.lines)) + "\x15" + strconv.Itoa(len(s.lines)) + "\r"))
	}
	if len(s.e.history) != maxHistory {
		t.Errorf("%d lines of history", len(s.e.history))
	}
}
