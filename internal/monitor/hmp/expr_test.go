package hmp

import (
	"math"
	"strings"
	"testing"
)

func TestExpressions(t *testing.T) {
	c := &call{m: newFake(t).m}
	for _, x := range []struct {
		s    string
		v    int64
		rest string
		err  string
	}{
		{"1+2*3", 7, "", ""},
		{"(1+2)*3", 9, "", ""},
		{"10-2-3", 5, "", ""},
		{"10 - 2 - 3", 5, "", ""},
		{"10%4*3", 6, "", ""},
		{"-5/2", -2, "", ""},
		{"-5%3", -2, "", ""},
		{"1 - -1", 2, "", ""},
		{"1|2^3&4", 0, "", ""}, // one level, from left to right
		{"1&2+3", 3, "", ""},   // & binds tighter than +
		{"1+2|4", 7, "", ""},
		{"2*3|1", 7, "", ""},
		{"~0", -1, "", ""},
		{"~~5", 5, "", ""},
		{"+-+5", -5, "", ""},
		{"077", 63, "", ""},
		{"0", 0, "", ""},
		{"08", 0, "8", ""},
		{"0x", 0, "x", ""},
		{"0xg", 0, "xg", ""},
		{"0b1", 0, "b1", ""},
		{"0XfF", 255, "", ""},
		{"0xffffffffffffffff", -1, "", ""},
		{"18446744073709551615", -1, "", ""},
		{"18446744073709551616", 0, "", "number too large"},
		{"0x1ffffffffffffffff", 0, "", "number too large"},
		{"'a'", 'a', "", ""},
		{"'''", '\'', "", ""},
		{"'\\n'", 0, "", "missing terminating ' character"},
		{"'", 0, "", "character constant expected"},
		{"1 2", 1, " 2", ""},
		{"1x", 1, "x", ""},
		{"1/0", 0, "", "division by zero"},
		{"1%(2-2)", 0, "", "division by zero"},
		{"-0x8000000000000000/-1", math.MinInt64, "", ""},
		{"-0x8000000000000000%-1", 0, "", ""},
		{"0x7fffffffffffffff+1", math.MinInt64, "", ""},
		{"(1", 0, "", "')' expected"},
		{"(1 2)", 0, "", "')' expected"},
		{"1+", 0, "", "unexpected end of expression"},
		{"", 0, "", "unexpected end of expression"},
		{"*", 0, "", "invalid char '*' in expression"},
		{"\"a\"", 0, "", "invalid char '\"' in expression"},
		{"ä", 0, "", "invalid char 'ä' in expression"},
		{"\x1b", 0, "", "invalid char '?' in expression"},
		{"\xff\xff", 0, "", "invalid char '?' in expression"},
		{"$eax", 0x1000, "", ""},
		{"$EAX", 0x1000, "", ""},
		{"$eax+$esp", 0x8c00, "", ""},
		{"$pc", 0x80000010, "", ""},
		{"$sp", 0x7c00, "", ""},
		{"$cs.base", 0xf0000, "", ""},
		{"$cs_base", 0xf0000, "", ""},
		{"$", 0, "", "unknown register"},
		{"$rip", 0, "", "unknown register"},
		{strings.Repeat("(", 190) + "1" + strings.Repeat(")", 190), 1, "", ""},
		{strings.Repeat("(", 1e6), 0, "", "expression is too deep"},
		{strings.Repeat("-", 1e6), 0, "", "expression is too deep"},
	} {
		v, rest, err := c.eval(x.s, false)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if msg != x.err || err == nil && (v != x.v || rest != x.rest) {
			t.Errorf("%.40s: %#x, rest %q, error %q", x.s, v, rest, msg)
		}
	}
	// In front of another argument an operator may be its beginning.
	for _, x := range []struct {
		s    string
		v    int64
		rest string
	}{
		{"16 /tmp/x", 16, " /tmp/x"},
		{"16 / 4 /tmp/x", 4, " /tmp/x"},
		{"16 -f png", 16, " -f png"},
		{"0 16", 0, " 16"},
	} {
		if v, rest, err := c.eval(x.s, true); err != nil || v != x.v || rest != x.rest {
			t.Errorf("%s: %d, rest %q, error %v", x.s, v, rest, err)
		}
	}
}

// FuzzExec: no line is a reason to panic or to go on without end, and none
// makes the terminal do tricks.
func FuzzExec(f *testing.F) {
	for _, s := range []string{
		"x /4xb 0x80000000", "xp /999999999xb 0", "p 1+2*(3|4)", "p $eax", "sendkey ctrl-alt-f1 5", "info registers -a",
		"help info tlb", "log int,cpu", "i /b 0x60", "o /w 0x80 1", "screendump", "mouse_move 1 2 3", "p '\x00'",
		"p ((((((((1))))))))", "x /12s 0", "sum 0 100", "eject -f \"a\\nb\"", "boot_set abc", "info block -v foo",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, word := range []string{"memsave", "pmemsave", "screendump", "sum"} { // files; long sums
			if strings.Contains(line, word) {
				t.Skip()
			}
		}
		m := newFake(t)
		out := m.m.Exec(line)
		if len(out) > maxDump*64 {
			t.Fatalf("%d bytes of output", len(out))
		}
		for i := range len(out) {
			if c := out[i]; c < ' ' && c != '\n' || c == 0x7f {
				t.Fatalf("control character %#x in %q", c, out)
			}
		}
		m.m.Complete(line)
	})
}

// FuzzEditor: any bytes, and the editor's line is what the terminal shows.
func FuzzEditor(f *testing.F) {
	f.Add([]byte("info st\t\r\n\x1b[A\x1b[D\x1b[Dx\x01\x05\x0b\x15\x17"))
	f.Add([]byte("ä\xff\x1b[3~\x1b[1;5D\x1bb\x1bf\x7f\x1bOH"))
	f.Fuzz(func(t *testing.T, in []byte) {
		newTerm(t).feed(in)
	})
}

// FuzzExpression: parsing ends, with the rest being an end of the input, and
// what it took gives the same value again.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{"1+2*3", "$eax&~0xff", "-(3|4)%5", "'a'^077", "16 /tmp/x", "0x", "((((1"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	c := &call{m: newFake(f).m}
	f.Fuzz(func(t *testing.T, s string, loose bool) {
		v, rest, err := c.eval(s, loose)
		if err != nil {
			return
		}
		taken, ok := strings.CutSuffix(s, rest)
		if !ok {
			t.Fatalf("%q: the rest is %q", s, rest)
		}
		if w, left, err := c.eval(taken, loose); err != nil || w != v || strings.TrimSpace(left) != "" {
			t.Fatalf("%q: %d, and %q alone: %d, rest %q, error %v", s, v, taken, w, left, err)
		}
	})
}
