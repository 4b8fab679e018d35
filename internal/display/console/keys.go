package console

import (
	"unicode/utf8"

	"rhea/internal/display"
	"rhea/internal/keys"
)

// sequences are what keys without a character send (VT220 and the Linux
// console; the arrows in the form of a VT102).
var sequences = map[string]string{
	"ret": "\r", "kp_enter": "\r", "backspace": "\x7f", "tab": "\t", "esc": "\x1b", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
	"home": "\x1b[1~", "insert": "\x1b[2~", "delete": "\x1b[3~", "end": "\x1b[4~", "pgup": "\x1b[5~", "pgdn": "\x1b[6~",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS", "f5": "\x1b[15~", "f6": "\x1b[17~", "f7": "\x1b[18~", "f8": "\x1b[19~",
	"f9": "\x1b[20~", "f10": "\x1b[21~", "f11": "\x1b[23~", "f12": "\x1b[24~",
}

// keypad are the characters of the numeric keypad, and what its keys are
// without Num Lock.
var keypad = map[string]struct {
	char  rune
	plain string
}{
	"kp_0": {'0', "insert"}, "kp_1": {'1', "end"}, "kp_2": {'2', "down"}, "kp_3": {'3', "pgdn"}, "kp_4": {'4', "left"}, "kp_5": {'5', ""},
	"kp_6": {'6', "right"}, "kp_7": {'7', "home"}, "kp_8": {'8', "up"}, "kp_9": {'9', "pgup"}, "kp_decimal": {'.', "delete"},
	"kp_add": {'+', ""}, "kp_subtract": {'-', ""}, "kp_multiply": {'*', ""}, "kp_divide": {'/', ""},
}

// Type implements display.Typist.
func (t *Console) Type(code keys.Code, sym uint32, mods display.Modifiers) {
	name := code.Name()
	if mods&display.Control != 0 && t.browse(name) {
		return
	}
	char := character(sym)
	if pad, ok := keypad[name]; ok {
		if sym >= 0xff95 && sym <= 0xff9f { // KP_Home to KP_Delete
			name = pad.plain
		} else {
			char = pad.char
		}
	}
	s := sequences[name]
	if s == "" {
		s = t.text(code, char, mods)
	}
	if s == "" {
		return
	}
	t.mu.Lock()
	if t.appKeys && len(s) == 3 && s[1] == '[' {
		s = "\x1bO" + s[2:]
	}
	if t.back > 0 {
		t.back = 0
		t.touchAll()
	}
	t.mu.Unlock()
	if mods&display.Alt != 0 && s[0] != 0x1b {
		s = "\x1b" + s
	}
	t.answer(s)
}

// browse scrolls with Ctrl: QEMU's keys.
func (t *Console) browse(name string) bool {
	switch name {
	case "up":
		t.Scroll(1)
	case "down":
		t.Scroll(-1)
	case "pgup":
		t.Scroll(t.rows)
	case "pgdn":
		t.Scroll(-t.rows)
	default:
		return false
	}
	return true
}

// character is that of an X keysym; 0 = it has none.
func character(sym uint32) rune {
	switch {
	case sym >= 0x20 && sym < 0x7f || sym >= 0xa0 && sym < 0x100:
		return rune(sym)
	case sym > 0x01000100 && sym <= 0x0110ffff:
		return rune(sym - 0x01000000)
	}
	return 0
}

// text is what a key with a character sends.
func (t *Console) text(code keys.Code, char rune, mods display.Modifiers) string {
	if char == 0 {
		char = t.c.Layout.Char(code, mods&display.Shift != 0, mods&display.AltGr != 0)
	}
	switch {
	case char == 0:
		return ""
	case mods&display.Control == 0:
		return string(utf8.AppendRune(nil, char))
	case char == ' ' || char == '2':
		return "\x00"
	case char >= '@' && char <= '~':
		return string(char & 0x1f)
	case char == '/':
		return "\x1f"
	}
	return ""
}

// answer sends s to who is on the other side.
func (t *Console) answer(s string) {
	if t.c.Keys != nil {
		t.c.Keys.Write([]byte(s))
	}
}
