package keymap

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func TestUS(t *testing.T) {
	l := US()
	for sym, name := range map[uint32]string{'a': "a", 'A': "a", '1': "1", '!': "1", '?': "slash", ' ': "spc", 0xff0d: "ret", 0xffe1: "shift", '|': "backslash", '"': "apostrophe"} {
		if k, ok := l.Key(sym); !ok || k.Name() != name {
			t.Errorf("%#x is %q, want %q", sym, k.Name(), name)
		}
	}
	for c := rune('!'); c < 0x7f; c++ {
		if _, ok := l.Key(uint32(c)); !ok {
			t.Errorf("%c has no key", c)
		}
	}
	if !Shifted('A') || !Shifted('%') || Shifted('a') || Shifted('5') {
		t.Error("shift")
	}
}

// files is a folder of keymaps.
func files(m map[string]string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		if s, ok := m[name]; ok {
			return io.NopCloser(strings.NewReader(s)), nil
		}
		return nil, os.ErrNotExist
	}
}

func TestRead(t *testing.T) {
	l, err := Read("de", files(map[string]string{
		"de":     "# comment\nmap 0x407\ninclude common\nz 0x15 addupper\nadiaeresis 0x28\nU20ac 0x12 altgr\nat 0x10 altgr\nnosuch 0x11\nx\n",
		"common": "a 0x1e addupper\nHome 0xc7\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for sym, name := range map[uint32]string{'z': "y", 'Z': "y", 0xe4: "apostrophe", 0x010020ac: "e", '@': "q", 'a': "a", 'A': "a", 0xff50: "home"} {
		if k, ok := l.Key(sym); !ok || k.Name() != name {
			t.Errorf("%#x is %q, want %q", sym, k.Name(), name)
		}
	}
	for name, m := range map[string]map[string]string{
		"a file that includes itself": {"x": "include x\n"},
		"one that includes others":    {"x": "include ../../etc/passwd\n"},
		"none":                        {},
		"endless":                     {"x": strings.Repeat("a 0x1e\n", maxLines+1)},
	} {
		if _, err := Read("x", files(m)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// QEMU's own keymaps can be read, and the letters of the layouts are known.
func TestQEMUKeymaps(t *testing.T) {
	dir := "/usr/share/qemu/keymaps"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no keymaps (Debian package qemu-system-data)")
	}
	for _, name := range []string{"de", "fr", "en-us", "sv", "es", "it", "ja", "pt-br"} {
		l, err := Read(name, func(n string) (io.ReadCloser, error) { return os.Open(dir + "/" + n) })
		if err != nil {
			t.Fatal(err)
		}
		for c := 'a'; c <= 'z'; c++ {
			if _, ok := l.Key(uint32(c)); !ok {
				t.Error(fmt.Sprintf("%s: no key gives %c", name, c))
			}
		}
	}
}

// FuzzKeymap reads files that include others, and themselves.
func FuzzKeymap(f *testing.F) {
	f.Add("include b\na 0x1e addupper\n", "include a\nU20ac 0x12 altgr shift\n")
	f.Add("adiaeresis 0xe028\nmap 0x407\nspace 0x39", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		l, err := Read("a", files(map[string]string{"a": a, "b": b}))
		if err != nil {
			return
		}
		for sym := range uint32(0x200) {
			if k, ok := l.Key(sym); ok {
				l.Char(k, sym&1 != 0, sym&2 != 0)
			}
		}
	})
}
