package system

import (
	"os"
	"path/filepath"
	"testing"
)

// The page inserts images of the images' folders, or of media=, and nothing
// else.
func TestWebMedia(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"images/a.iso", "images/B.IMG", "images/notes.txt", "images/below/c.iso", "other/secret.iso", "other/plain"} {
		name = filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(name), 0o777)
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	if err := os.Symlink(at("other/secret.iso"), at("images/link.iso")); err != nil {
		t.Skip(err)
	}
	os.Mkdir(at("images/folder.iso"), 0o777)
	m := &machine{cfg: &Config{Drives: []Drive{{File: at("images/a.iso")}, {File: os.DevNull}, {}, {File: at("images/none")}}}}
	for _, tc := range []struct {
		media string
		yes   []string
		no    []string
	}{
		{"", []string{"images/a.iso", "images/B.IMG", "images/below/../a.iso"},
			[]string{"images/notes.txt", "images/below/c.iso", "other/secret.iso", "images/../other/secret.iso", "images/link.iso", "images/folder.iso", "images/none.iso", "images"}},
		{at("other"), []string{"other/secret.iso", "other/plain", "images/link.iso"}, []string{"images/a.iso", "images/B.IMG", "other"}},
	} {
		f, err := m.mediaFolder(tc.media)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tc.yes {
			if real, err := f.find(at(name)); err != nil {
				t.Errorf("media=%s: %v", tc.media, err)
			} else if s, _ := filepath.EvalSymlinks(at(name)); s != real {
				t.Errorf("%s became %s", name, real)
			}
		}
		for _, name := range append(tc.no, "/etc/passwd", os.DevNull) {
			if !filepath.IsAbs(name) {
				name = at(name)
			}
			if real, err := f.find(name); err == nil {
				t.Errorf("media=%s: %s may be inserted, as %s", tc.media, name, real)
			}
		}
	}
	f, _ := m.mediaFolder("")
	if real, err := f.find("B.IMG"); err != nil || real != at("images/B.IMG") {
		t.Errorf("B.IMG became %s, %v", real, err)
	}
	for _, bad := range []string{"", ".", "..", "../other/secret.iso", "a\x00b.iso"} {
		if real, err := f.find(bad); err == nil {
			t.Errorf("%q may be inserted, as %s", bad, real)
		}
	}
	if l := f.list(); len(l) != 2 || l[0] != at("images/B.IMG") || l[1] != at("images/a.iso") {
		t.Errorf("the list is %q", l)
	}
	for _, bad := range []string{at("nowhere"), at("images/a.iso")} {
		if _, err := m.mediaFolder(bad); err == nil {
			t.Errorf("media=%s is no folder", bad)
		}
	}
}
