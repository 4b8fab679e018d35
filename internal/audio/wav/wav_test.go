package wav

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/audio"
)

func TestFile(t *testing.T) {
	for _, c := range []struct {
		Config
		want []byte
	}{
		{Config{Rate: 8000, Channels: 2, Bits: 16}, []byte{0x34, 0x12, 0xfe, 0xff, 0, 0x80, 0xff, 0x7f}},
		{Config{Rate: 8000, Channels: 1, Bits: 16}, []byte{0x19, 0x09, 0, 0}},
		{Config{Rate: 8000, Channels: 2, Bits: 8}, []byte{0x92, 0x7f, 0, 0xff}},
	} {
		name := filepath.Join(t.TempDir(), "a.wav")
		w, err := Create(name, c.Config)
		if err != nil {
			t.Fatal(err)
		}
		w.Play([]audio.Frame{{L: 0x1234, R: -2}, {L: -32768, R: 32767}})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		le := binary.LittleEndian
		if string(b[44:]) != string(c.want) {
			t.Errorf("%+v: samples %x, want %x", c.Config, b[44:], c.want)
		}
		n := len(c.want)
		if le.Uint32(b[4:]) != uint32(36+n) || le.Uint32(b[40:]) != uint32(n) || le.Uint32(b[24:]) != 8000 ||
			int(le.Uint16(b[22:])) != c.Channels || int(le.Uint16(b[34:])) != c.Bits {
			t.Errorf("%+v: header %x", c.Config, b[:44])
		}
	}
}

// A file of another rate has as many seconds.
func TestConverted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.wav")
	w, err := Create(name, Config{Rate: 44100, FileRate: 11025, Channels: 2, Bits: 16})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		w.Play(make([]audio.Frame, 441))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := w.Bytes() / 4; n < 11000 || n > 11050 {
		t.Errorf("%d frames, want 11025", n)
	}
}

func TestErrors(t *testing.T) {
	if _, err := Create(filepath.Join(t.TempDir(), "no", "a.wav"), Config{Rate: 44100, Channels: 2, Bits: 16}); err == nil {
		t.Error("no error for a directory that is not there")
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	if w, err := Create("/dev/full", Config{Rate: 44100, Channels: 2, Bits: 16}); err == nil {
		w.Play(make([]audio.Frame, 10))
		if w.Close() == nil {
			t.Error("a full disk goes unnoticed")
		}
	}
}
