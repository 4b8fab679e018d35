package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/internal/block/qcow2"
)

// makeImage makes a qcow2 image whose first bytes are mark, unless that is "".
func makeImage(t *testing.T, path, mark, backing, format string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := qcow2.Create(f, 1<<20, qcow2.CreateOptions{Backing: backing, Format: format}); err != nil {
		t.Fatal(err)
	}
	if mark == "" {
		f.Close()
		return path
	}
	i, err := qcow2.Open(f, path, qcow2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.WriteAt([]byte(mark), 0); err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// An image decides which backing file is read only within its own folder.
func TestBackingFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "secret"), []byte("secret, and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, "secret"), filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links")
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	makeImage(t, in("sub/base"), "base", "", "")
	makeImage(t, in("mid"), "", "sub/base", "qcow2")
	away := makeImage(t, filepath.Join(other, "away"), "away", "", "")
	for name, x := range map[string]struct{ backing, format, allowed, want string }{
		"below":           {"sub/base", "qcow2", "", "base"},
		"chain":           {"mid", "", "", "base"},
		"absolute":        {in("mid"), "qcow2", "", "base"},
		"away":            {away, "qcow2", "", "'" + away + "' is not in the same folder; backing.file.filename=" + away + " allows it"},
		"away, allowed":   {away, "qcow2", away, "away"},
		"instead":         {"gone", "qcow2", away, "away"},
		"above":           {"../" + filepath.Base(other) + "/secret", "raw", "", "is not in the same folder"},
		"by a link":       {"link", "raw", "", "is not in the same folder"},
		"itself":          {"itself", "qcow2", "", "more than 64 backing files"},
		"gone":            {"gone", "raw", "", "no such file"},
		"network":         {"nbd:localhost:1", "raw", "", "none of the host's files"},
		"another format":  {"mid", "vmdk", "", "format 'vmdk'"},
		"says it is data": {"mid", "raw", "", "QFI\xfb"},
	} {
		path := makeImage(t, in("top"), "", x.backing, x.format)
		if name == "itself" {
			path = makeImage(t, in("itself"), "", x.backing, x.format)
		}
		got := ""
		i, format, err := openImage(&Drive{File: path, Backing: x.allowed}, true)
		if err != nil {
			got = err.Error()
		} else {
			b := make([]byte, 4)
			if _, err := i.ReadAt(b, 0); err != nil {
				t.Error(err)
			}
			got = string(b)
			if format != "qcow2" {
				t.Errorf("%s: the format is %s", name, format)
			}
			i.Close()
		}
		if !strings.Contains(got, x.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
