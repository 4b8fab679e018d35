package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ALSA's calls (include/uapi/sound/asound.h), as programs of 32 bits see them.
const (
	pcmHWParams = 0xc25c4111
	pcmPrepare  = 0x4140
	pcmDrain    = 0x4144
	pcmWrite    = 0x400c4150

	hwParamsLen = 604
)

// alsaPlayer is a program that plays two seconds of 440 Hz on the left and
// 1000 Hz on the right on a PCM device, with 16 bits.
func alsaPlayer(device string, rate int) []byte {
	e := &elf{}
	e.open(device, 1)
	p := make([]byte, hwParamsLen)
	set := func(mask, bit int) { // the masks are access, format, subformat
		at := 4 + 32*mask
		binary.LittleEndian.PutUint32(p[at:], 1<<bit)
	}
	set(0, 3) // interleaved, by write
	set(1, 2) // S16_LE
	set(2, 0)
	for i := range 12 { // the intervals from "sample bits" on
		at := 4 + 8*32 + 12*i
		lo, hi := uint32(0), ^uint32(0)
		switch i {
		case 2:
			lo, hi = 2, 2
		case 3:
			lo, hi = uint32(rate), uint32(rate)
		}
		binary.LittleEndian.PutUint32(p[at:], lo)
		binary.LittleEndian.PutUint32(p[at+4:], hi)
	}
	binary.LittleEndian.PutUint32(p[4+8*32+21*12:], ^uint32(0)) // all are asked for
	e.call(54, result, pcmHWParams, e.put(p...))
	e.call(54, result, pcmPrepare, 0)
	var s []byte
	for i := range 2 * rate {
		at := 2 * math.Pi * float64(i) / float64(rate)
		s = binary.LittleEndian.AppendUint16(s, uint16(int16(0.4*32767*math.Sin(440*at))))
		s = binary.LittleEndian.AppendUint16(s, uint16(int16(0.4*32767*math.Sin(1000*at))))
	}
	e.say("PLAYING\n")
	at := e.put(s...)
	x := e.word(0)
	e.word(at)
	e.word(uint32(2 * rate))
	e.call(54, result, pcmWrite, x)
	e.call(54, result, pcmDrain, 0)
	e.say("PLAYED\n")
	return e.bytes()
}

// A Linux guest (of the Debian installer that can speak) plays tones by both
// players of an AudioPCI, through its mixer.
func TestES1370(t *testing.T) {
	const installer = "/usr/lib/debian-installer/images/12/i386/gtk/debian-installer/i386/"
	need(t, "debian-installer-12-netboot-i386", installer+"linux")
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	tool(t, "cpio", "cpio")
	command(t, "sh", "-c", `cd "$1" && zcat "$2" | cpio -idm --quiet '*/soundcore.ko' '*/sound/core/*.ko' '*/snd-ens1370.ko' '*/gameport.ko' usr/bin/amixer \
		'lib*/ld-linux.so.2' '*/libc.so.6' '*/libm.so.6' '*/libasound.so*' 'usr/share/alsa/*'`, "sh", tree, installer+"initrd.gz")
	modules, err := filepath.Glob(filepath.Join(tree, "lib/modules/*/kernel"))
	if err != nil || len(modules) != 1 {
		t.Fatalf("modules: %v, %v", modules, err)
	}
	kernel := strings.TrimPrefix(modules[0], tree)
	script := "#!/bin/sh\n"
	for _, m := range []string{"sound/soundcore", "sound/core/snd", "sound/core/snd-timer", "sound/core/snd-pcm", "sound/core/snd-seq-device",
		"sound/core/snd-rawmidi", "drivers/input/gameport/gameport", "sound/pci/snd-ens1370"} {
		script += fmt.Sprintf("insmod %s/%s.ko\n", kernel, m)
	}
	script += "cat /proc/asound/cards\nfor c in Master PCM PCM,1; do amixer -q set $c 100% unmute; done\n" +
		"amixer -q set PCM 81%; amixer -q set PCM,1 81%\n/play0; /play1; echo THE END; reboot -f\n" // 0 dB
	for name, data := range map[string][]byte{"gkrun": []byte(script), "play0": alsaPlayer("/dev/snd/pcmC0D0p", 44100), "play1": alsaPlayer("/dev/snd/pcmC0D1p", 22050)} {
		write(t, filepath.Join(tree, name), data)
		if err := os.Chmod(filepath.Join(tree, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	initrd := filepath.Join(dir, "initrd.gz")
	command(t, "sh", "-c", `cd "$1" && { cat "$2"; find . | cpio -o -H newc 2>/dev/null | gzip -1; } >"$3"`, "sh", tree, guestFile(t, "initramfs-i386.gz"), initrd)
	attempts(t, func() error { return playES1370(t, installer+"linux", initrd) })
}

// playES1370 has the guest of TestES1370 play, and says what is wrong about it.
func playES1370(t *testing.T, kernel, initrd string) error {
	out := filepath.Join(t.TempDir(), "out.wav")
	g := start(t, "-m", "128", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-audiodev", "wav,id=a,path="+out,
		"-soundhw", "es1370", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet")
	g.expect(`\[AudioPCI`, slow)
	for range 2 {
		g.expect(`PLAYING`, slow)
		g.expect(`PLAYED`, slow)
	}
	g.expect(`THE END`, slow)
	g.ends(slow)
	f, rate := wavFile(t, out)
	f = sounding(f)
	if s := float64(len(f)) / float64(rate); s < 3.98 || s > 5 {
		return fmt.Errorf("%.3f s of sound, want twice 2", s)
	}
	for _, part := range []struct {
		name string
		f    [][2]float64
	}{{"DAC2", f[rate/4 : rate*7/4]}, {"DAC1", f[len(f)-rate*7/4 : len(f)-rate/4]}} {
		for side, hz := range []float64{440, 1000} {
			// A busy host skips what it is late for: most of the pieces are right.
			var good int
			const pieces = 10
			for i := range pieces {
				n := len(part.f) / pieces
				a := tones(part.f[i*n:][:n], side, rate, hz, 1440-hz, 523)
				if a[0] > 12000 && a[0] < 13500 && a[1] < 200 && a[2] < 200 {
					good++
				} else {
					t.Logf("%s, side %d, piece %d: %.0f", part.name, side, i, a)
				}
			}
			if good < pieces*7/10 {
				return fmt.Errorf("%s, side %d: only %d of %d pieces are right", part.name, side, good, pieces)
			}
		}
	}
	return nil
}
