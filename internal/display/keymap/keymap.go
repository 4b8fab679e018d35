// Package keymap says which key of a keyboard gives a symbol, for displays that
// get symbols and not keys.
package keymap

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"rhea/internal/keys"
)

// Layout says which key of a keyboard has a symbol.
type Layout struct {
	by    map[uint32]keys.Code
	chars map[stroke]rune
}

// stroke is a key with what is held with it.
type stroke struct {
	key          keys.Code
	shift, altGr bool
}

// Char returns the character of a key; 0 = it has none.
func (l *Layout) Char(k keys.Code, shift, altGr bool) rune { return l.chars[stroke{k, shift, altGr}] }

// put adds a symbol, the first one of a key counts.
func (l *Layout) put(sym uint32, s stroke) {
	if _, have := l.by[sym]; !have {
		l.by[sym] = s.key
	}
	c := rune(sym)
	if sym >= 0x01000000 {
		c = rune(sym - 0x01000000)
	} else if sym >= 0x100 {
		return
	}
	if l.chars[s] == 0 {
		l.chars[s] = c
	}
}

// Key returns the key of an X keysym.
func (l *Layout) Key(sym uint32) (keys.Code, bool) {
	k, ok := l.by[sym]
	if !ok && sym >= 0x01000100 && sym <= 0x0110ffff { // a character of Unicode
		k, ok = l.by[sym&^0x01000000]
	}
	return k, ok
}

// usRows are the keys of the United States' keyboard: their name, then what
// they give alone and with shift.
const usRows = "grave_accent`~ 11! 22@ 33# 44$ 55% 66^ 77& 88* 99( 00) minus-_ equal=+ bracket_left[{ bracket_right]} backslash\\| " +
	"semicolon;: apostrophe'\" comma,< dot.> slash/?"

// functionKeys are those that have the same symbol on all keyboards
// (keysymdef.h of the X protocol).
var functionKeys = []struct {
	sym  uint32
	name string
}{
	{' ', "spc"}, {0xff08, "backspace"}, {0xff09, "tab"}, {0xfe20, "tab"}, {0xff0d, "ret"}, {0xff13, "pause"}, {0xff6b, "pause"},
	{0xff14, "scroll_lock"}, {0xff15, "sysrq"}, {0xff1b, "esc"}, {0xff22, "muhenkan"}, {0xff23, "henkan"}, {0xff27, "hiragana"},
	{0xff50, "home"}, {0xff51, "left"}, {0xff52, "up"}, {0xff53, "right"}, {0xff54, "down"}, {0xff55, "pgup"}, {0xff56, "pgdn"},
	{0xff57, "end"}, {0xff61, "print"}, {0xff63, "insert"}, {0xff67, "menu"}, {0xff7f, "num_lock"}, {0xff8d, "kp_enter"},
	{0xff95, "kp_7"}, {0xff96, "kp_4"}, {0xff97, "kp_8"}, {0xff98, "kp_6"}, {0xff99, "kp_2"}, {0xff9a, "kp_9"}, {0xff9b, "kp_3"},
	{0xff9c, "kp_1"}, {0xff9d, "kp_5"}, {0xff9e, "kp_0"}, {0xff9f, "kp_decimal"}, {0xffaa, "kp_multiply"}, {0xffab, "kp_add"},
	{0xffac, "kp_comma"}, {0xffad, "kp_subtract"}, {0xffae, "kp_decimal"}, {0xffaf, "kp_divide"}, {0xffb0, "kp_0"}, {0xffb1, "kp_1"},
	{0xffb2, "kp_2"}, {0xffb3, "kp_3"}, {0xffb4, "kp_4"}, {0xffb5, "kp_5"}, {0xffb6, "kp_6"}, {0xffb7, "kp_7"}, {0xffb8, "kp_8"},
	{0xffb9, "kp_9"}, {0xffbd, "kp_equals"}, {0xffbe, "f1"}, {0xffbf, "f2"}, {0xffc0, "f3"}, {0xffc1, "f4"}, {0xffc2, "f5"},
	{0xffc3, "f6"}, {0xffc4, "f7"}, {0xffc5, "f8"}, {0xffc6, "f9"}, {0xffc7, "f10"}, {0xffc8, "f11"}, {0xffc9, "f12"},
	{0xffe1, "shift"}, {0xffe2, "shift_r"}, {0xffe3, "ctrl"}, {0xffe4, "ctrl_r"}, {0xffe5, "caps_lock"}, {0xffe7, "meta_l"},
	{0xffe8, "meta_r"}, {0xffe9, "alt"}, {0xffea, "alt_r"}, {0xffeb, "meta_l"}, {0xffec, "meta_r"}, {0xfe03, "alt_r"},
	{0xff7e, "alt_r"}, {0xffff, "delete"},
}

// key is the key of a name.
func key(name string) keys.Code {
	k, ok := keys.ByName(name)
	if !ok {
		panic("BUG: no key " + name)
	}
	return k
}

// common is what all layouts have.
func common() *Layout {
	l := &Layout{by: map[uint32]keys.Code{}, chars: map[stroke]rune{}}
	for _, f := range functionKeys {
		l.put(f.sym, stroke{key: key(f.name)})
	}
	l.put(' ', stroke{key: key("spc"), shift: true})
	return l
}

// US is the keyboard of the United States, "en-us".
func US() *Layout {
	l := common()
	for c := 'a'; c <= 'z'; c++ {
		k := key(string(c))
		l.put(uint32(c), stroke{key: k})
		l.put(uint32(c-'a'+'A'), stroke{key: k, shift: true})
	}
	for _, row := range strings.Fields(usRows) {
		n := len(row) - 2
		k := key(row[:n])
		l.put(uint32(row[n]), stroke{key: k})
		l.put(uint32(row[n+1]), stroke{key: k, shift: true})
	}
	return l
}

// maxLines bounds the lines of a keymap with all it includes.
const maxLines = 20000

// Read reads a keymap in QEMU's form, of which the lines are: "include
// NAME", "map NUMBER", and "SYMBOL SCANCODE [shift] [altgr] …". Open finds
// files by their names.
func Read(name string, open func(name string) (io.ReadCloser, error)) (*Layout, error) {
	l := common()
	lines := 0
	if err := l.read(name, open, &lines, 0); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Layout) read(name string, open func(string) (io.ReadCloser, error), lines *int, deep int) error {
	if deep > 8 {
		return fmt.Errorf("the keymap '%s' includes itself", name)
	}
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if *lines++; *lines > maxLines {
			return fmt.Errorf("the keymap '%s' is too long", name)
		}
		w := strings.Fields(sc.Text())
		switch {
		case len(w) < 2 || strings.HasPrefix(w[0], "#"):
		case w[0] == "include":
			if strings.ContainsAny(w[1], `/\`) {
				return fmt.Errorf("the keymap '%s' includes '%s', which is no name", name, w[1])
			}
			if err := l.read(w[1], open, lines, deep+1); err != nil {
				return err
			}
		case w[0] == "map":
		default:
			l.line(w)
		}
	}
	return nil
}

// line takes one key; symbols and keys that are not known are left out.
func (l *Layout) line(w []string) {
	sym, ok := symbolNumber(w[0])
	code, err := strconv.ParseUint(w[1], 0, 16)
	if !ok || err != nil {
		return
	}
	set1 := uint16(code & 0x7f)
	if code&0x80 != 0 || code>>8 == 0xe0 {
		set1 |= 0xe000
	}
	k, ok := keys.BySet1(set1)
	if !ok {
		return
	}
	s := stroke{k, slices.Contains(w[2:], "shift"), slices.Contains(w[2:], "altgr")}
	l.put(sym, s)
	if slices.Contains(w[2:], "addupper") && len(w[0]) == 1 {
		s.shift = true
		l.put(uint32(strings.ToUpper(w[0])[0]), s)
	}
}

// Shifted reports whether a character takes the shift key on the keyboard of
// the United States.
func Shifted(c rune) bool {
	if c >= 'A' && c <= 'Z' {
		return true
	}
	for row := range strings.FieldsSeq(usRows) {
		if rune(row[len(row)-1]) == c {
			return true
		}
	}
	return false
}
