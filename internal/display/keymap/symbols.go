package keymap

import (
	"strconv"
	"strings"
)

// symbolNumber returns the keysym of a name, as keysymdef.h has them: the
// names of the characters of Latin-1, dead keys, and U1234.
func symbolNumber(name string) (uint32, bool) {
	if len(name) == 1 {
		return uint32(name[0]), true
	}
	if i, ok := strings.CutPrefix(name, "U"); ok {
		if n, err := strconv.ParseUint(i, 16, 21); err == nil {
			if n < 0x100 {
				return uint32(n), true
			}
			return 0x01000000 | uint32(n), true
		}
	}
	for _, b := range symbolBlocks {
		for i, n := range strings.Fields(b.names) {
			if n == name {
				return b.first + uint32(i), true
			}
		}
	}
	return 0, false
}

// symbolBlocks are names of keysyms that follow one another.
var symbolBlocks = []struct {
	first uint32
	names string
}{
	{0x20, "space exclam quotedbl numbersign dollar percent ampersand apostrophe parenleft parenright asterisk plus comma minus period slash"},
	{0x3a, "colon semicolon less equal greater question at"},
	{0x5b, "bracketleft backslash bracketright asciicircum underscore grave"},
	{0x7b, "braceleft bar braceright asciitilde"},
	{0xa0, "nobreakspace exclamdown cent sterling currency yen brokenbar section diaeresis copyright ordfeminine guillemotleft notsign hyphen registered macron " +
		"degree plusminus twosuperior threesuperior acute mu paragraph periodcentered cedilla onesuperior masculine guillemotright onequarter onehalf threequarters questiondown " +
		"Agrave Aacute Acircumflex Atilde Adiaeresis Aring AE Ccedilla Egrave Eacute Ecircumflex Ediaeresis Igrave Iacute Icircumflex Idiaeresis " +
		"ETH Ntilde Ograve Oacute Ocircumflex Otilde Odiaeresis multiply Oslash Ugrave Uacute Ucircumflex Udiaeresis Yacute THORN ssharp " +
		"agrave aacute acircumflex atilde adiaeresis aring ae ccedilla egrave eacute ecircumflex ediaeresis igrave iacute icircumflex idiaeresis " +
		"eth ntilde ograve oacute ocircumflex otilde odiaeresis division oslash ugrave uacute ucircumflex udiaeresis yacute thorn ydiaeresis"},
	{0x20ac, "EuroSign"},
	{0xfe50, "dead_grave dead_acute dead_circumflex dead_tilde dead_macron dead_breve dead_abovedot dead_diaeresis dead_abovering dead_doubleacute dead_caron dead_cedilla dead_ogonek"},
}
