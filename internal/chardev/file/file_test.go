package file

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/chardev"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		add  bool
		want string
	}{{false, "hello"}, {true, "hellohello"}, {false, "hello"}} {
		p, err := New(Config{chardev.PumpConfig{Post: func(f func()) { f() }}, path, c.add})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(p, "hello")
		p.Close()
		if b, _ := os.ReadFile(path); string(b) != c.want {
			t.Errorf("%q", b)
		}
	}
	if _, err := New(Config{Path: filepath.Join(path, "x")}); err == nil {
		t.Error("no error")
	}
}
