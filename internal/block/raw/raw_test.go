package raw

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"rhea/internal/block"
)

func TestRaw(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "d.img")
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	rw, err := Open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer rw.Close()
	if _, err := rw.WriteAt([]byte("hello"), 512); err != nil {
		t.Fatal(err)
	}
	if _, err := rw.WriteAt([]byte("hello"), 4094); err == nil {
		t.Error("image grows")
	}
	ro, err := Open(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	b := make([]byte, 5)
	if _, err := ro.ReadAt(b, 512); err != nil || string(b) != "hello" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := ro.WriteAt(b, 0); !errors.Is(err, block.ErrReadOnly) || !block.IsReadOnly(ro) {
		t.Errorf("write to read-only image: %v", err)
	}
	if _, err := Open(dir, true); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
}

// Direct accesses of every raggedness read what ordinary ones have written,
// and the other way round.
func TestDirect(t *testing.T) {
	const size = 3*align + 512 + 100
	path := filepath.Join(t.TempDir(), "d.img")
	want := make([]byte, size)
	for i := range want {
		want[i] = byte(i * 3 >> 2)
	}
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDirect(path, false)
	if errors.Is(err, errNoDirect) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, r := range [][2]int{{0, size}, {0, align}, {512, 512}, {align - 512, 2*align + 1024}, {align, 2 * align}, {3 * align, 612}, {0, 0}} {
		off, n := int64(r[0]), r[1]
		b := make([]byte, n)
		if got, err := d.ReadAt(b, off); got != n || err != nil || !bytes.Equal(b, want[off:][:n]) {
			t.Errorf("read of %v: %d, %v", r, got, err)
		}
		for i := range b {
			b[i] = ^b[i] + byte(n)
		}
		copy(want[off:], b)
		if got, err := d.WriteAt(b, off); got != n || err != nil {
			t.Errorf("write of %v: %d, %v", r, got, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after the write of %v the file is wrong (%v)", r, err)
		}
	}
	if got, err := d.ReadAt(make([]byte, 1024), size-512); got != 512 || err == nil {
		t.Errorf("read beyond the end: %d, %v", got, err)
	}
}

// What is discarded or zeroed reads as zeroes and, on Linux, takes no room.
func TestHoles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.img")
	const size = 4 << 20
	if err := os.WriteFile(name, bytes.Repeat([]byte{1}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := Open(name, false)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Sync(); err != nil {
		t.Fatal(err)
	}
	full := i.Used()
	if err := i.WriteZeroes(1<<20+5, 2<<20); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	want := bytes.Repeat([]byte{1}, size)
	clear(want[1<<20+5:][:2<<20])
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v, %d bytes", err, len(got))
	}
	if err := i.Discard(0, size); err != nil {
		t.Fatal(err)
	}
	if used := i.Used(); runtime.GOOS == "linux" && used >= full {
		t.Errorf("%d of %d bytes are in use", used, full)
	}
	for _, r := range [][2]int64{{-1, 1}, {0, -1}, {size, 1}, {1, size}, {1 << 62, 1 << 62}} {
		if i.Discard(r[0], r[1]) == nil || i.WriteZeroes(r[0], r[1]) == nil {
			t.Errorf("%d bytes at %d are not refused", r[1], r[0])
		}
	}
	ro, err := Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if !errors.Is(ro.Discard(0, 512), block.ErrReadOnly) || !errors.Is(ro.WriteZeroes(0, 512), block.ErrReadOnly) {
		t.Error("a read-only image was changed")
	}
}
