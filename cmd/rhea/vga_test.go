package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// scene is a boot sector that sets a mode up and draws.
type scene struct{ code []byte }

func (s *scene) add(b ...byte) *scene { s.code = append(s.code, b...); return s }

// bios sets a mode by INT 10h.
func (s *scene) bios(ax uint16) *scene { return s.add(0xb8, byte(ax), byte(ax>>8), 0xcd, 0x10) }

// out writes a port.
func (s *scene) out(port uint16, v byte) *scene {
	return s.add(0xba, byte(port), byte(port>>8), 0xb0, v, 0xee)
}

// reg writes an indexed register.
func (s *scene) reg(port uint16, i, v byte) *scene {
	return s.add(0xba, byte(port), byte(port>>8), 0xb8, i, v, 0xef) // out dx, ax
}

// attr writes a register of the attribute controller, with the picture off:
// otherwise the palette cannot be written.
func (s *scene) attr(i, v byte) *scene {
	return s.add(0xba, 0xda, 0x03, 0xec).out(0x3c0, i).out(0x3c0, v).out(0x3c0, 0x20)
}

// fill writes n bytes at seg:0: for each offset di, (di * mul + di >> 8) ^ x.
func (s *scene) fill(seg, n uint16, mul, x byte) *scene {
	s.add(0xb8, byte(seg), byte(seg>>8), 0x8e, 0xc0, 0x31, 0xff) // mov ax, seg; mov es, ax; xor di, di
	s.add(0x89, 0xf8, 0xb3, mul, 0x88, 0xe1, 0xf6, 0xe3)         // mov ax, di; mov bl, mul; mov cl, ah; mul bl
	s.add(0x00, 0xc8, 0x34, x, 0xaa)                             // add al, cl; xor al, x; stosb
	return s.add(0x81, 0xff, byte(n), byte(n>>8), 0x72, 0xed)    // cmp di, n; jb
}

// planes fills the planes one after the other.
func (s *scene) planes(n uint16, mul byte) *scene {
	for p := range 4 {
		s.reg(0x3c4, 2, 1<<p).fill(0xa000, n, mul+byte(2*p), byte(0x35*p))
	}
	return s
}

// dac sets a palette of all colours.
func (s *scene) dac() *scene {
	s.out(0x3c8, 0)
	// mov cx, 0; l: mov al, cl; shr al, 2; out; mov al, cl; xor al, 15h; and 3fh; out; mov al, cl; not; shr 2; out; inc cl; jnz
	return s.add(0xba, 0xc9, 0x03, 0x31, 0xc9,
		0x88, 0xc8, 0xc0, 0xe8, 0x02, 0xee, 0x88, 0xc8, 0x34, 0x15, 0x24, 0x3f, 0xee, 0x88, 0xc8, 0xf6, 0xd0, 0xc0, 0xe8, 0x02, 0xee, 0xfe, 0xc1, 0x75, 0xe8)
}

// disk is the boot sector with what it has no room for loaded behind it.
func (s *scene) disk(t *testing.T) string {
	t.Helper()
	// mov ax, 0204h..: load three sectors to 7e00h, then go on there.
	load := []byte{0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xfb,
		0xb8, 0x04, 0x02, 0xbb, 0x00, 0x7e, 0xb9, 0x02, 0x00, 0x30, 0xf6, 0xcd, 0x13, 0xea, 0x00, 0x7e, 0x00, 0x00}
	b := make([]byte, 1<<20)
	copy(b, load)
	binary.LittleEndian.PutUint16(b[510:], 0xaa55)
	if len(s.code) > 4*512-8 {
		t.Fatalf("%d bytes of code", len(s.code))
	}
	copy(b[512:], append(s.code, 0x31, 0xc0, 0x8e, 0xc0, 0xfa, 0xf4, 0xeb, 0xfd)) // hlt
	name := filepath.Join(t.TempDir(), "boot.img")
	write(t, name, b)
	return name
}

// TestVGAScenes compares with pictures that QEMU 7.2 shows as well, as far as
// its VGA goes: it has no pixel mask, no panning, no narrow text of nine dots,
// does not wrap addresses at 64 KiB, and doubles the eighth dot from B0h on.
func TestVGAScenes(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	unchain := func(s *scene) *scene { return s.reg(0x3c4, 4, 6).reg(0x3d4, 0x14, 0).reg(0x3d4, 0x17, 0xe3) }
	scenes := map[string]*scene{
		// Mode X: 320x240 in 256 colours, unchained.
		"modex": unchain(new(scene).bios(0x13).dac()).out(0x3c2, 0xe3).reg(0x3d4, 0x11, 0x2c).reg(0x3d4, 6, 0x0d).reg(0x3d4, 7, 0x3e).
			reg(0x3d4, 0x10, 0xea).reg(0x3d4, 0x11, 0xac).reg(0x3d4, 0x12, 0xdf).reg(0x3d4, 0x15, 0xe7).reg(0x3d4, 0x16, 6).planes(19200, 3),
		// Its page flip and a start address whose picture wraps. The last byte is
		// not filled: a Cirrus' memory is all ones at first.
		"modex-start": unchain(new(scene).bios(0x13).dac()).planes(0xffff, 5).reg(0x3c4, 2, 15).
			add(0x26, 0xc6, 0x06, 0xff, 0xff, 0x00). // mov byte [es:ffffh], 0
			reg(0x3d4, 0x0c, 0xe0).reg(0x3d4, 0x0d, 0x11),
		// Mode 13h with the pixel mask and the palette changed.
		"mode13h-mask": new(scene).bios(0x13).dac().fill(0xa000, 64000, 7, 0).out(0x3c6, 0x3e),
		// Sixteen colours, split screen, panned by three dots above the split only.
		"split": new(scene).bios(0x12).planes(0xffff, 3).reg(0x3d4, 0x0c, 0x20).reg(0x3d4, 0x18, 0xc8).reg(0x3d4, 7, 0x0e).reg(0x3d4, 9, 0).
			attr(0x10, 0x21).attr(0x13, 3),
		// Logical operations of the graphics controller, then write mode 2.
		"writemodes": new(scene).bios(0x12).planes(0x9600, 3).reg(0x3c4, 2, 15).reg(0x3ce, 3, 0x18).reg(0x3ce, 8, 0x5a).fill(0xa100, 0x3000, 9, 0).
			reg(0x3ce, 5, 2).reg(0x3ce, 3, 0).reg(0x3ce, 8, 0x3c).fill(0xa500, 0x2000, 1, 0),
		"cga4":   new(scene).bios(0x04).fill(0xb800, 0x4000, 3, 0),
		"cga2":   new(scene).bios(0x06).fill(0xb800, 0x4000, 5, 0),
		"ega":    new(scene).bios(0x0d).planes(8000, 5).attr(2, 0x3c).attr(0x12, 0x0b),
		"text50": new(scene).bios(0x03).bios(0x1112).bios(0x1003).add(0xb1, 0x20, 0xb5, 0x20, 0xb4, 0x01, 0xcd, 0x10).fill(0xb800, 8000, 1, 0).attr(0x10, 4).reg(0x3d4, 0x0a, 0x20),
		"text40": new(scene).bios(0x01).fill(0xb800, 2000, 1, 0).attr(0x10, 0).reg(0x3d4, 0x0a, 0x20),
		// The 160x100 trick: two lines a character.
		"cga160": new(scene).bios(0x03).reg(0x3d4, 9, 0x03).attr(0x10, 0).reg(0x3d4, 0x0a, 0x20).fill(0xb800, 16000, 3, 0),
	}
	for name, s := range scenes {
		for _, vga := range []string{"std", "cirrus"} {
			t.Run(name+" "+vga, func(t *testing.T) {
				t.Parallel()
				g := start(t, "-m", "16", "-hda", s.disk(t), "-snapshot", "-vga", vga, "-display", "none", "-monitor", "stdio", "-serial", "null")
				g.expect(`\(qemu\) `, slow)
				if dir := os.Getenv("RHEA_SHOTS"); dir != "" {
					write(t, filepath.Join(dir, name+".img"), read(t, s.disk(t)))
				}
				g.golden("vga-" + name)
			})
		}
	}
}
