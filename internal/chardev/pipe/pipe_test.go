//go:build linux

package pipe

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rhea/internal/chardev"
)

type sink struct{ c chan string }

func (s sink) Room() int        { return 100 }
func (s sink) Receive(b []byte) { s.c <- string(b) }

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	if _, err := New(Config{Path: path}); err == nil {
		t.Error("no error")
	}
	for _, suffix := range []string{".in", ".out"} {
		if err := syscall.Mkfifo(path+suffix, 0o600); err != nil {
			t.Skip(err)
		}
	}
	p, err := New(Config{chardev.PumpConfig{Post: func(f func()) { f() }}, path})
	if err != nil {
		t.Fatal(err)
	}
	s := sink{make(chan string, 1)}
	p.Attach(s)
	in, _ := os.OpenFile(path+".in", os.O_WRONLY, 0)
	in.WriteString("typed")
	if got := <-s.c; got != "typed" {
		t.Error(got)
	}
	out, _ := os.OpenFile(path+".out", os.O_RDONLY, 0)
	io.WriteString(p, "printed")
	b := make([]byte, 7)
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "printed" {
		t.Error(string(b), err)
	}
	p.Close()
}
