package overlay

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/block/raw"
)

func TestOverlay(t *testing.T) {
	const size = 5*cluster + 1234
	path := filepath.Join(t.TempDir(), "disk.img")
	r := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	base, err := raw.Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	o, err := New(base, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	orig := bytes.Clone(want)
	for range 300 {
		off := r.IntN(size)
		n := min(r.IntN(2*cluster), size-off)
		b := bytes.Repeat([]byte{byte(r.Uint32())}, n)
		if r.IntN(2) == 0 {
			copy(want[off:], b)
			if _, err := o.WriteAt(b, int64(off)); err != nil {
				t.Fatal(err)
			}
		} else if _, err := o.ReadAt(b, int64(off)); err != nil || !bytes.Equal(b, want[off:off+n]) {
			t.Fatalf("read at %d of %d: %v", off, n, err)
		}
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, orig) {
		t.Error("the image below was changed")
	}
	if _, err := o.WriteAt(make([]byte, 2), size-1); err == nil {
		t.Error("write beyond the end works")
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, want) {
		t.Error("commit did not write all")
	}
}
