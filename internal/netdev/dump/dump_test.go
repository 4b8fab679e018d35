package dump

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.pcap")
	d, err := Create(name, 100)
	if err != nil {
		t.Fatal(err)
	}
	f := bytes.Repeat([]byte{7}, 60)
	d.Frame(f)
	d.Frame(make([]byte, 1514))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil || len(b) != 24+16+60+16+100 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	le := binary.LittleEndian
	if le.Uint32(b) != 0xa1b2c3d4 || le.Uint32(b[16:]) != 100 || le.Uint32(b[20:]) != 1 || le.Uint32(b[24+8:]) != 60 || !bytes.Equal(b[40:100], f) ||
		le.Uint32(b[100+8:]) != 100 || le.Uint32(b[100+12:]) != 1514 {
		t.Errorf("% x", b[:60])
	}
	if _, err := Create(filepath.Join(name, "y"), 0); err == nil {
		t.Error("a file below a file")
	}
}
