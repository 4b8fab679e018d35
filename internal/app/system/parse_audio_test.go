package system

import (
	"slices"
	"strings"
	"testing"
)

func TestSoundOptions(t *testing.T) {
	for _, k := range []string{"QEMU_AUDIO_DRV", "QEMU_WAV_PATH", "QEMU_WAV_FREQUENCY", "PULSE_SERVER", "PULSE_RUNTIME_PATH", "XDG_RUNTIME_DIR"} {
		t.Setenv(k, "")
	}
	parse := func(line string) *Config {
		t.Helper()
		c, _, err := Parse("i386", strings.Fields(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return c
	}
	drivers := func(c *Config) (l []string) {
		for _, s := range c.Sounds {
			l = append(l, s.Driver+"@"+s.Audiodev)
		}
		return l
	}
	for _, c := range []struct {
		line    string
		sounds  []string
		speaker string
	}{
		{"", nil, ""},
		{"-audiodev none,id=x", nil, "x"},
		{"-audiodev wav,id=a,path=f.wav -device sb16,audiodev=a", []string{"sb16@a"}, "a"},
		{"-audiodev none,id=a -audiodev wav,id=b -device AC97,audiodev=b -device adlib -M pcspk-audiodev=b", []string{"AC97@b", "adlib@a"}, "b"},
		{"-audio none,model=sb16", []string{"sb16@audiodev0"}, "audiodev0"},
		{"-soundhw sb16,adlib", []string{"sb16@audiodev0", "adlib@audiodev0"}, "audiodev0"},
		{"-soundhw ac97", []string{"AC97@audiodev0"}, "audiodev0"},
		{"-soundhw pcspk", nil, "audiodev0"},
		{"-soundhw all", []string{"AC97@audiodev0", "ES1370@audiodev0", "sb16@audiodev0", "adlib@audiodev0"}, "audiodev0"},
	} {
		got := parse(c.line)
		if l := drivers(got); !slices.Equal(l, c.sounds) || got.Machine.SpeakerAudio != c.speaker {
			t.Errorf("%s: %v, speaker %q; want %v, %q", c.line, l, got.Machine.SpeakerAudio, c.sounds, c.speaker)
		}
	}
	a := parse(`-audiodev {"driver":"wav","id":"w","path":"x.wav","out":{"frequency":48000,"channels":1,"format":"u8"}}`).Audiodevs[0]
	if a.Driver != "wav" || a.Path != "x.wav" || a.Rate != 48000 || a.Channels != 1 || a.Bits != 8 {
		t.Errorf("%+v", a)
	}
	if s := parse("-audio none -device sb16,iobase=0x240,irq=7,dma=3,hdma=7,version=0x0302").Sounds[0]; s.IOBase != 0x240 || s.IRQ != 7 || s.DMA != 3 || s.HDMA != 7 || s.Version != 0x302 {
		t.Errorf("%+v", s)
	}
	t.Setenv("QEMU_AUDIO_DRV", "wav")
	t.Setenv("QEMU_WAV_PATH", "old.wav")
	t.Setenv("QEMU_WAV_FREQUENCY", "22050")
	if a := parse("-soundhw sb16").Audiodevs[0]; a.Driver != "wav" || a.Path != "old.wav" || a.Rate != 22050 {
		t.Errorf("%+v", a)
	}
	t.Setenv("QEMU_AUDIO_DRV", "")
	for line, want := range map[string]string{
		"-audiodev none":                         "-audiodev none: parameter 'id' is missing",
		"-audiodev nono,id=a":                    "-audiodev nono,id=a: 'nono' is not an audio driver (did you mean 'none'?); -audiodev help lists them",
		"-audiodev alsa,id=a":                    "-audiodev alsa,id=a: the audio driver 'alsa' is not supported yet; use pa (PulseAudio, PipeWire), wav or none",
		"-audiodev none,id=a -audiodev wav,id=a": "-audiodev wav,id=a: the id 'a' was given twice",
		"-audiodev none,id=a,path=x":             "-audiodev none,id=a,path=x: invalid parameter 'path'",
		"-audiodev wav,id=a,out.format=f32":      "-audiodev wav,id=a,out.format=f32: parameter 'out.format': 'f32' is not supported yet, u8 and s16 are",
		"-device sb16,audiodev=x":                "-device sb16,audiodev=x: no -audiodev has the id 'x'",
		"-M pc,pcspk-audiodev=x":                 "-M pc,pcspk-audiodev=x: no -audiodev has the id 'x'",
		"-soundhw sb17":                          "-soundhw sb17: unknown sound card 'sb17' (did you mean 'sb16'?); -soundhw help lists them",
		"-soundhw gus":                           "-soundhw gus: the sound card 'gus' is not supported yet; -soundhw help lists those that are",
		"-audio none -device sb16 -device sb16":  "-device sb16: there is one sb16 already",
		"-M isapc -audio none -device AC97":      "-device AC97: an isapc has no PCI bus for AC97",
	} {
		if _, _, err := Parse("i386", strings.Fields(line)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}
