package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// soundSeconds is how long the sound row plays.
const soundSeconds = 10

// soundSteps play through /dev/dsp: 8000 Hz, 8 bits, stereo, as it is when nobody has
// set it. That takes its time; what counts is the CPU's.
func soundSteps() []step {
	return []step{{name: "sb16", label: fmt.Sprintf("sound: %d s by a Sound Blaster 16 into a wav file", soundSeconds), kind: device, guestOnly: true,
		setup: fmt.Sprintf(`awk 'BEGIN { for (i = 0; i < %d; i++) printf "%%c", 33 + (i %% 16) * 5 }' >/tmp/tone`, 16000*soundSeconds),
		do:    "cat /tmp/tone >/dev/dsp"}}
}

func runSound(b *bench, e emulator) (map[string]outcome, error) {
	out := filepath.Join(b.dir, "sound.wav")
	defer os.Remove(out)
	// The kernel's driver looks where an old card is.
	got, err := runSteps(256, soundSteps(), smallTree, []string{"-audiodev", "wav,id=a,path=" + out, "-device", "sb16,audiodev=a",
		"-append", stepsKernel + " snd_sb16.isapnp=0 snd_sb16.port=0x220 snd_sb16.irq=5 snd_sb16.dma8=1 snd_sb16.dma16=5"})(b, e)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(out)
	if err != nil {
		return nil, err
	}
	if played := float64(st.Size()) / (44100 * 4); played < soundSeconds*0.9 {
		return nil, fmt.Errorf("the file has only %.1f s of sound", played)
	}
	return got, nil
}
