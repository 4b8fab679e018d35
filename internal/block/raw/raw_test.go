package raw

import (
	"errors"
	"os"
	"path/filepath"
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
