package hmp

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/display"
)

func TestScreendump(t *testing.T) {
	f := newFake(t)
	want := [2][3]uint32{{0xff0000, 0x00ff00, 0x0000ff}, {0x010203, 0xffffff, 0}}
	dir := t.TempDir()

	ppm := filepath.Join(dir, "a.ppm")
	if out := f.m.Exec("screendump " + ppm); out != "" {
		t.Fatal(out)
	}
	b, err := os.ReadFile(ppm)
	if err != nil {
		t.Fatal(err)
	}
	pix, ok := bytes.CutPrefix(b, []byte("P6\n3 2\n255\n"))
	if !ok || len(pix) != 18 {
		t.Fatalf("%q", b)
	}
	for i := range 6 {
		if v := uint32(pix[3*i])<<16 | uint32(pix[3*i+1])<<8 | uint32(pix[3*i+2]); v != want[i/3][i%3] {
			t.Errorf("PPM: pixel %d is %06x", i, v)
		}
	}

	for _, line := range []string{"screendump -f png ", "screendump "} {
		name := filepath.Join(dir, "b.png")
		tail := ""
		if line == "screendump " {
			tail = " -f png"
		}
		if out := f.m.Exec(line + name + tail); out != "" {
			t.Fatal(out)
		}
		b, err = os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m, err := png.Decode(bytes.NewReader(b))
		if err != nil || m.Bounds().Dx() != 3 || m.Bounds().Dy() != 2 {
			t.Fatal(err, m)
		}
		for y := range 2 {
			for x := range 3 {
				r, g, b, _ := m.At(x, y).RGBA()
				if v := r>>8<<16 | g>>8<<8 | b>>8; v != want[y][x] {
					t.Errorf("PNG: pixel %d,%d is %06x", x, y, v)
				}
			}
		}
		os.Remove(name)
	}
	if err := WritePNG(&bytes.Buffer{}, &display.Surface{}); err == nil {
		t.Error("a picture without pixels was written")
	}
}
