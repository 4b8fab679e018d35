package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// elf is a static i386 program that is made of system calls.
type elf struct{ code, data []byte }

// Where its parts are loaded.
const (
	elfText = 0x08048000
	elfHead = 0x74
	elfData = 0x08100000
)

// put adds data and returns their address.
func (e *elf) put(b ...byte) uint32 {
	for len(e.data)%4 != 0 {
		e.data = append(e.data, 0)
	}
	at := elfData + uint32(len(e.data))
	e.data = append(e.data, b...)
	return at
}

func (e *elf) word(v uint32) uint32 {
	return e.put(byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// result stands for what the last open returned.
const result = 0xffff_fffe

// call is INT 80h: number in EAX, arguments in EBX, ECX, EDX; ESI is result.
func (e *elf) call(n uint32, args ...uint32) {
	le := binary.LittleEndian.AppendUint32
	e.code = le(append(e.code, 0xb8), n)
	for i, a := range args {
		if a == result {
			e.code = append(e.code, 0x89, 0xf3) // mov ebx, esi
			continue
		}
		e.code = le(append(e.code, []byte{0xbb, 0xb9, 0xba}[i]), a)
	}
	e.code = append(e.code, 0xcd, 0x80)
}

func (e *elf) open(name string, flags uint32) {
	e.call(5, e.put(append([]byte(name), 0)...), flags)
	e.code = append(e.code, 0x89, 0xc6) // mov esi, eax
}

func (e *elf) ioctl(req, v uint32) { e.call(54, result, req, e.word(v)) }

func (e *elf) say(s string) { e.call(4, 1, e.put([]byte(s)...), uint32(len(s))) }

func (e *elf) bytes() []byte {
	e.call(1, 0)
	var b bytes.Buffer
	b.WriteString("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	w := func(v ...any) {
		for _, x := range v {
			binary.Write(&b, binary.LittleEndian, x)
		}
	}
	size := uint32(elfHead + len(e.code))
	off := (size + 4095) &^ 4095
	w(uint16(2), uint16(3), uint32(1), uint32(elfText+elfHead), uint32(52), uint32(0), uint32(0), uint16(52), uint16(32), uint16(2), uint16(0), uint16(0), uint16(0))
	w(uint32(1), uint32(0), uint32(elfText), uint32(elfText), size, size, uint32(5), uint32(4096))
	w(uint32(1), off, uint32(elfData), uint32(elfData), uint32(len(e.data)), uint32(len(e.data)), uint32(6), uint32(4096))
	b.Write(e.code)
	b.Write(make([]byte, off-size))
	b.Write(e.data)
	return b.Bytes()
}

// initrd is one of the guests' with a program that its init runs.
func initrd(t *testing.T, base string, prog []byte) string {
	t.Helper()
	b, err := os.ReadFile(guestFile(t, base))
	if err != nil {
		t.Fatal(err)
	}
	for len(b)%512 != 0 {
		b = append(b, 0)
	}
	// A cpio archive of the "newc" form (Linux, early-userspace/buffer-format).
	file := func(name string, mode int, data []byte) {
		b = fmt.Appendf(b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
		b = append(b, data...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	file("gkrun", 0o100755, prog)
	file("TRAILER!!!", 0, nil)
	name := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// Requests of the Open Sound System (sys/soundcard.h).
const (
	mixerVolume = 0xc0044d00
	mixerPCM    = 0xc0044d04
	mixerSynth  = 0xc0044d03
	dspSync     = 0x5001
	dspSpeed    = 0xc0045002
	dspFormat   = 0xc0045005
	dspChannels = 0xc0045006
	formatU8    = 0x08
	formatS16   = 0x10
)

// player is a program that plays a second of 440 Hz on the left and 1000 Hz
// on the right (or of both, where there is one channel).
func player(rate, channels, format int) []byte {
	e := &elf{}
	e.open("/dev/mixer", 2)
	for _, m := range []uint32{mixerVolume, mixerPCM} {
		e.ioctl(m, 100|100<<8)
	}
	e.open("/dev/dsp", 1)
	e.ioctl(dspFormat, uint32(format))
	e.ioctl(dspChannels, uint32(channels))
	e.ioctl(dspSpeed, uint32(rate))
	var s []byte
	put := func(x float64) {
		if format == formatU8 {
			s = append(s, byte(128+x*127))
		} else {
			s = binary.LittleEndian.AppendUint16(s, uint16(int16(x*32767)))
		}
	}
	for i := range rate {
		at := 2 * math.Pi * float64(i) / float64(rate)
		l, r := 0.4*math.Sin(440*at), 0.4*math.Sin(1000*at)
		if channels == 2 {
			put(l)
			put(r)
		} else {
			put(l + r)
		}
	}
	e.say("PLAYING\n")
	e.call(4, result, e.put(s...), uint32(len(s)))
	e.ioctl(dspSync, 0)
	e.say("PLAYED\n")
	return e.bytes()
}

// wavFile is a file's frames and rate.
func wavFile(t *testing.T, name string) (f [][2]float64, rate int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < 44 || string(b[:4]) != "RIFF" || int(binary.LittleEndian.Uint32(b[40:])) != len(b)-44 {
		t.Fatalf("%s is no complete WAVE file", name)
	}
	for p := b[44:]; len(p) >= 4; p = p[4:] {
		f = append(f, [2]float64{float64(int16(binary.LittleEndian.Uint16(p))), float64(int16(binary.LittleEndian.Uint16(p[2:])))})
	}
	return f, int(binary.LittleEndian.Uint32(b[24:]))
}

// tones are the amplitudes of frequencies on one side (Goertzel, Hann window).
func tones(f [][2]float64, side, rate int, hz ...float64) []float64 {
	var a []float64
	for _, h := range hz {
		var re, im float64
		for i, x := range f {
			w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(f)))
			s, c := math.Sincos(2 * math.Pi * h * float64(i) / float64(rate))
			re += w * x[side] * c
			im += w * x[side] * s
		}
		a = append(a, 4*math.Hypot(re, im)/float64(len(f)))
	}
	return a
}

// sounding is the part of f that is not silence.
func sounding(f [][2]float64) [][2]float64 {
	loud := func(x [2]float64) bool { return math.Abs(x[0]) > 500 || math.Abs(x[1]) > 500 }
	for len(f) > 0 && !loud(f[0]) {
		f = f[1:]
	}
	for len(f) > 0 && !loud(f[len(f)-1]) {
		f = f[:len(f)-1]
	}
	return f
}

// A Linux guest plays tones by each card; what the file has is compared.
func TestLinuxSound(t *testing.T) {
	const sb16 = "snd_sb16.isapnp=0 snd_sb16.port=0x220 snd_sb16.irq=5 snd_sb16.dma8=1 snd_sb16.dma16=5 snd_sb16.mpu_port=0x330 snd_sb16.fm_port=0x388"
	const sbpro = "snd_sb8.port=0x220 snd_sb8.irq=5 snd_sb8.dma8=1"
	for _, c := range []struct {
		name, card, append     string
		rate, channels, format int
	}{
		{"sb16 16 bits", "sb16", sb16, 22050, 2, formatS16},
		{"sb16 mono", "sb16", sb16, 8000, 1, formatS16},
		{"AC97", "AC97", "", 44100, 2, formatS16},
		{"sbpro mono", "sb16,version=0x0302", sbpro, 8000, 1, formatU8},
	} {
		t.Run(c.name, func(t *testing.T) {
			kernel, initrd := guestFile(t, "bzImage-i386-486"), initrd(t, "initramfs-i486.gz", player(c.rate, c.channels, c.format))
			attempts(t, func() error {
				out := filepath.Join(t.TempDir(), "out.wav")
				g := start(t, "-m", "64", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
					"-audiodev", "wav,id=a,path="+out, "-device", c.card+",audiodev=a", "-kernel", kernel, "-initrd", initrd,
					"-append", "console=ttyS0 "+c.append)
				g.expect(`PLAYING`, slow)
				g.expect(`PLAYED`, slow)
				g.send("reboot -f\n")
				g.ends(slow)
				f, rate := wavFile(t, out)
				f = sounding(f)
				if s := float64(len(f)) / float64(rate); s < 0.95 || s > 1.1 {
					return fmt.Errorf("%.3f s of sound, want 1", s)
				}
				mid := f[len(f)/8 : len(f)*7/8]
				want := [2][2]float64{{13107, 0}, {0, 13107}}
				if c.channels == 1 {
					want = [2][2]float64{{13107, 13107}, {13107, 13107}}
				}
				for side := range 2 {
					a := tones(mid, side, rate, 440, 1000, 523)
					for i, w := range want[side] {
						if math.Abs(a[i]-w) > 400 {
							return fmt.Errorf("side %d: tone %d has %.0f, want %.0f", side, i, a[i], w)
						}
					}
					if a[2] > 100 {
						return fmt.Errorf("side %d: there is %.0f of 523 Hz", side, a[2])
					}
				}
				return nil
			})
		})
	}
}

// The monitor captures what the speaker plays: the guest is a program that
// beeps at 1000 Hz.
func TestWavCapture(t *testing.T) {
	attempts(t, func() error { return captureBeep(t) })
}

func captureBeep(t *testing.T) error {
	out := filepath.Join(t.TempDir(), "out.wav")
	g := start(t, "-display", "none", "-serial", "none", "-monitor", "stdio", "-audiodev", "none,id=a", "-drive", "file="+beeper(t)+",format=raw")
	g.expect(`\(qemu\) `, slow)
	until(t, "the guest beeps", func() bool {
		g.send("i /b 0x61\n")
		v := g.expect(`portb\[0x0*61\] = 0x..`, slow)
		return strings.ContainsAny(v[len(v)-1:], "37bf")
	})
	g.send("wavcapture " + out + " a 22050\n")
	g.expect(`\(qemu\) `, slow)
	until(t, "a second is captured", func() bool {
		g.send("info capture\n")
		s := g.expect(`\[0\]: Capturing audio\(22050,16,2\) to .*out.wav: [0-9]+ bytes`, slow)
		var n int
		fmt.Sscanf(s[strings.LastIndex(s, ": "):], ": %d", &n)
		return n > 22050*4
	})
	g.send("stopcapture 0\nstopcapture 0\n")
	g.expect("there is no such capture", slow)
	g.send("quit\n")
	g.ends(slow)
	f, rate := wavFile(t, out)
	if f = sounding(f); rate != 22050 || len(f) < rate/4 {
		return fmt.Errorf("%d frames at %d Hz", len(f), rate)
	}
	// A square wave: the third harmonic is a third.
	a := tones(f, 0, rate, 1193182./1193, 2*1193182./1193, 3*1193182./1193)
	if a[0] < 9000 || a[1] > 200 || a[2] < a[0]/4 || a[2] > a[0]/2.5 {
		return fmt.Errorf("tones %.0f", a)
	}
	return nil
}

// A boot sector programs the FM synthesizer at 388h: 440 Hz, an AdLib's and a
// Sound Blaster's alike.
func TestFM(t *testing.T) {
	for _, card := range []string{"adlib", "sb16"} {
		t.Run(card, func(t *testing.T) {
			dir := t.TempDir()
			sector := make([]byte, 512)
			copy(sector, []byte{
				0xbe, 0x20, 0x7c, 0xfc, // mov si, 7C20h; cld
				0xad, 0x09, 0xc0, 0x74, 0x0a, // lodsw; or ax, ax; jz +10
				0xba, 0x88, 0x03, 0xee, 0x88, 0xe0, 0x42, 0xee, // mov dx, 388h; out dx, al; mov al, ah; inc dx; out dx, al
				0xeb, 0xf1, // jmp to the lodsw
				0xf4, 0xeb, 0xfd, // hlt; jmp $-1
			})
			copy(sector[0x20:], []byte{0x01, 0x20, 0x60, 0x00, 0x23, 0x21, 0x43, 0x00, 0x63, 0xf0, 0x83, 0x0f, 0xc0, 0x01, 0xa0, 0x44, 0xb0, 0x32})
			sector[510], sector[511] = 0x55, 0xaa
			write(t, filepath.Join(dir, "disk"), sector)
			attempts(t, func() error {
				out := filepath.Join(t.TempDir(), "out.wav")
				g := start(t, "-display", "none", "-serial", "none", "-monitor", "stdio", "-audiodev", "wav,id=a,path="+out, "-device", card+",audiodev=a",
					"-drive", "file="+filepath.Join(dir, "disk")+",format=raw")
				g.expect(`\(qemu\) `, slow)
				until(t, "there is a second and a half", func() bool { // then the header is written
					st, err := os.Stat(out)
					return err == nil && st.Size() > 4*44100
				})
				g.send("quit\n")
				g.ends(slow)
				f, rate := wavFile(t, out)
				if f = sounding(f); len(f) < rate/2 {
					return fmt.Errorf("%d frames", len(f))
				}
				hz := 0x244 * 16 * 49716. / (1 << 20)
				if a := tones(f[rate/10:], 0, rate, hz, 2*hz); a[0] < 3900 || a[0] > 4200 || a[1] > 100 {
					return fmt.Errorf("tones %.0f", a)
				}
				return nil
			})
		})
	}
}
