package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"rhea/internal/display"
	"rhea/internal/keys"
)

func small() (*Console, *bytes.Buffer) {
	var typed bytes.Buffer
	return New(Config{Columns: 10, Rows: 4, Keys: &typed}), &typed
}

// shown is the text with "|" between lines, without the blanks at their ends.
func shown(t *Console) string {
	var l []string
	for _, s := range t.Text() {
		l = append(l, strings.TrimRight(s, " "))
	}
	return strings.Join(l, "|")
}

func TestSequences(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"abc\r\nde", "abc|de||"},
		{"0123456789", "0123456789|||"},
		{"0123456789a", "0123456789|a||"},           // wraps with the next character only
		{"0123456789\r\nb", "0123456789|b||"},       // so this is one line
		{"0123456789\bx", "01234567x9|||"},          // and BS leaves the waiting
		{"\x1b[?7l0123456789abc", "012345678c|||"},  // DECAWM
		{"a\tb", "a       b|||"},                    // a tab stop each 8
		{"a\x1b[2;3Hb\x1b[Hc", "c|  b||"},           // CUP
		{"\x1b[3;4Hx\x1b[A\x1b[2Dy", "|  y|   x|"},  // CUU, CUB
		{"\x1b[99;99Hx", "|||         x"},           // at the edge
		{"1\n\r2\n\r3\n\r4\n\r5", "2|3|4|5"},        // scrolls
		{"1\r\n2\r\n3\r\n4\x1b[H\x1bM0", "0|1|2|3"}, // RI scrolls down
		{"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3;1H\nx", "1|3|x|4"},
		{"1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[2;1H\x1bMx", "1|x|2|4"},
		{"1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[L", "1||2|3"},
		{"1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[2M", "1|4||"},
		{"1\r\n2\r\n3\r\n4\x1b[H\x1b[M", "2|3|4|"},
		{"abcdef\x1b[3G\x1b[2P", "abef|||"},
		{"abcdef\x1b[3G\x1b[2@", "ab  cdef|||"},
		{"abcdef\x1b[3G\x1b[2X", "ab  ef|||"},
		{"abcdef\x1b[3G\x1b[4h12\x1b[4l3", "ab123def|||"},
		{"abcdef\x1b[3G\x1b[K", "ab|||"},
		{"abcdef\x1b[3G\x1b[1K", "   def|||"},
		{"abc\r\ndef\x1b[2J", "|||"},
		{"abc\r\ndef\x1b[1;2H\x1b[J", "a|||"},
		{"a\x1b7\x1b[4;4Hb\x1b8c", "ac|||   b"},
		{"\x1b(0lqk\x1b(Bq", "┌─┐q|||"},
		{"\x1b)0a\x0eq\x0fq", "a─q|||"},
		{"\xe2\x94\x80\xc3\xa4", "─ä|||"},
		{"a\xffb\xc3(c", "a\ufffdb\ufffd(c|||"},
		{"\x1b]0;a title\x07x\x1bPq;;\x1b\\y\x1b_z\x1b\\", "xy|||"},
		{"a\x1b[3\r1;Cb\x1b[9\x18c", "a        b|c||"}, // controls within, CAN ends it
		{"a\x1b[?25l\x1b[>c\x1b[ qb", "ab|||"},
		{"x\x1bc", "|||"},
		{"\x1b[20hab\nc", "ab|c||"},
		{"\x1b[3g\ta\x1b[5G\x1bH\r\tb", "    b    a|||"},
		{"\x1b[1;31;5;99m\x1b[38;5;200;1mz\x1b[38;2;1;2;3mz", "zz|||"},
		{"\x1b[99999999999999999999;0H!", "|||!"},
		{"\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1H!", "!|||"},
	} {
		c, _ := small()
		// At one go, and byte by byte.
		io.WriteString(c, tc.in)
		if got := shown(c); got != tc.want {
			t.Errorf("%q shows %q, want %q", tc.in, got, tc.want)
		}
		c, _ = small()
		for i := range len(tc.in) {
			c.Write([]byte{tc.in[i]})
		}
		if got := shown(c); got != tc.want {
			t.Errorf("%q byte by byte shows %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	c, _ := small()
	io.WriteString(c, "a\x1b[31mb\x1b[1mc\x1b[7md\x1b[0;44me\x1b[38;5;196mf\x1b[91;39mg\x1b[8mh")
	p, _ := c.TextPage()
	want := []display.TextCell{{Char: 'a', Fg: 7, Bg: 0}, {Char: 'b', Fg: 4, Bg: 0}, {Char: 'c', Fg: 12, Bg: 0}, {Char: 'd', Fg: 0, Bg: 12},
		{Char: 'e', Fg: 7, Bg: 1}, {Char: 'f', Fg: 4, Bg: 1}, {Char: 'g', Fg: 7, Bg: 1}, {Char: 'h', Fg: 1, Bg: 1}}
	for i, w := range want {
		if p.Cells[i] != w {
			t.Errorf("%d is %+v, want %+v", i, p.Cells[i], w)
		}
	}
	if !p.Cursor || p.X != 8 || p.Y != 0 {
		t.Errorf("cursor %v at %d,%d", p.Cursor, p.X, p.Y)
	}
}

func TestAnswers(t *testing.T) {
	c, typed := small()
	io.WriteString(c, "ab\r\nc\x1b[6n\x1b[5n\x1b[c\x1bZ")
	if got := typed.String(); got != "\x1b[2;2R\x1b[0n\x1b[?6c\x1b[?6c" {
		t.Errorf("%q", got)
	}
}

func TestHistory(t *testing.T) {
	c, _ := small()
	for i := range 1000 {
		fmt.Fprintf(c, "%d\r\n", i)
	}
	if got := shown(c); got != "997|998|999|" {
		t.Errorf("%q", got)
	}
	c.Scroll(2)
	if got := shown(c); got != "995|996|997|998" {
		t.Errorf("scrolled: %q", got)
	}
	if p, _ := c.TextPage(); p.Cursor {
		t.Error("the cursor is seen")
	}
	c.Scroll(100000)
	if got := shown(c); got != fmt.Sprintf("%d|%d|%d|%d", 997-history, 998-history, 999-history, 1000-history) {
		t.Errorf("at the beginning: %q", got)
	}
	c.Scroll(-100000)
	if got := shown(c); got != "997|998|999|" {
		t.Errorf("back: %q", got)
	}
	c.Scroll(3)
	io.WriteString(c, "x")
	if got := shown(c); got != "997|998|999|x" {
		t.Errorf("what is written is not seen: %q", got)
	}
}

func TestType(t *testing.T) {
	key := func(name string) keys.Code {
		k, ok := keys.ByName(name)
		if !ok {
			t.Fatal(name)
		}
		return k
	}
	for _, tc := range []struct {
		name string
		sym  uint32
		mods display.Modifiers
		want string
	}{
		{"a", 0, 0, "a"}, {"a", 0, display.Shift, "A"}, {"a", 'A', 0, "A"}, {"1", 0, display.Shift, "!"}, {"a", 0, display.Control, "\x01"},
		{"bracket_left", 0, display.Control, "\x1b"}, {"spc", 0, 0, " "}, {"spc", 0, display.Control, "\x00"}, {"ret", 0xff0d, 0, "\r"},
		{"backspace", 0, 0, "\x7f"}, {"up", 0, 0, "\x1b[A"}, {"delete", 0, 0, "\x1b[3~"}, {"x", 0, display.Alt, "\x1bx"},
		{"semicolon", 0xf6, 0, "ö"}, {"e", 0x010020ac, display.AltGr, "€"}, {"kp_7", 0xff95, 0, "\x1b[1~"}, {"kp_7", 0xffb7, 0, "7"},
		{"kp_add", 0, 0, "+"}, {"caps_lock", 0xffe5, 0, ""}, {"f5", 0, 0, "\x1b[15~"}, {"y", 'z', 0, "z"},
	} {
		c, typed := small()
		c.Type(key(tc.name), tc.sym, tc.mods)
		if typed.String() != tc.want {
			t.Errorf("%s %x %d types %q, want %q", tc.name, tc.sym, tc.mods, typed, tc.want)
		}
	}
	c, typed := small()
	io.WriteString(c, "\x1b[?1h")
	c.Type(key("left"), 0, 0)
	if typed.String() != "\x1bOD" {
		t.Errorf("with DECCKM: %q", typed)
	}
	io.WriteString(c, strings.Repeat("x\r\n", 20))
	c.Type(key("pgup"), 0, display.Control)
	if c.back != 4 || typed.Len() != 3 {
		t.Errorf("Ctrl-PgUp: %d lines back, %q", c.back, typed)
	}
	c.Type(key("a"), 0, 0)
	if c.back != 0 {
		t.Error("typing does not return to the end")
	}
}

// What Draw says it has drawn is all that has changed.
func TestDraw(t *testing.T) {
	c, _ := small()
	var s, all display.Surface
	c.Draw(&s, false)
	if s.Width != 80 || s.Height != 64 {
		t.Fatalf("%dx%d", s.Width, s.Height)
	}
	if r := c.Draw(&s, false); !r.Empty() {
		t.Errorf("an idle console drew %v", r)
	}
	for i, in := range []string{"a", "\x1b[3;3Hx", "\r\n\n\n", "\x1b[2;3r\x1b[2;1H\x1bM", "\x1b[4m_\x1b[7m ", "\x1b[?25l", "\x1b[H\x1b[2L", "─│┼█▒◆\u2603"} {
		io.WriteString(c, in)
		before := append([]uint32(nil), s.Pix...)
		r := c.Draw(&s, false)
		for at, v := range s.Pix {
			if v != before[at] && (at/80 < r.Min.Y || at/80 >= r.Max.Y) {
				t.Fatalf("%d: line %d has changed, drawn is %v", i, at/80, r)
			}
		}
		c.Draw(&all, true)
		for at, v := range all.Pix {
			if s.Pix[at] != v {
				t.Fatalf("%d: pixel %d,%d was not drawn", i, at%80, at/80)
			}
		}
	}
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("\x1b[2;3r\x1b[5S\x1b[2T\x1b(0lqk\x1b[6n"), uint8(4), uint8(10))
	f.Add([]byte("\x1b[1M\x1b[9999L\x1b[9999@\x1b[9999P\x1b[9999X\x1b]x\x07\xe2\x94"), uint8(2), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, rows, cols uint8) {
		c := New(Config{Columns: int(cols), Rows: int(rows), Keys: io.Discard})
		var s display.Surface
		for len(b) > 0 {
			n := min(len(b), 1+int(b[0]%16))
			c.Write(b[:n])
			c.Scroll(int(int8(b[0])))
			c.Type(keys.Code(b[n-1]), uint32(b[0])<<8, display.Modifiers(b[0]))
			c.Draw(&s, b[0]&1 != 0)
			b = b[n:]
		}
		c.TextPage()
		if len(c.past) > history {
			t.Error("too much is kept")
		}
	})
}
