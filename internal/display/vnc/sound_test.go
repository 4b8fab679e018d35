package vnc

import (
	"encoding/binary"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"rhea/internal/audio"
	"rhea/internal/vclock"
)

// tune plays a ramp of samples, on the right their negatives.
type tune struct {
	clock *vclock.Manual
	mixer *audio.Mixer
	v     *audio.Voice
	r     *rig
}

func newTune(t *testing.T, rate int) *tune {
	x := &tune{clock: vclock.NewManual()}
	x.mixer = audio.NewMixer(audio.Config{Clock: x.clock, Rate: rate})
	x.v = x.mixer.Voice("tune", func() {})
	x.v.SetRate(rate)
	x.r = newRig(16, 16, func(c *Config) { c.Sound = x.mixer })
	return x
}

// play plays frames and lets their time pass.
func (x *tune) play(f []audio.Frame) {
	x.r.pic.do(func() {
		x.v.SetActive(true)
		x.v.Play(f)
		x.clock.Advance(audio.Time(int64(len(f)), x.mixer.Rate()) + 20*vclock.Second/1000)
		x.v.SetActive(false)
	})
}

// audio takes the next audio message; data has the samples.
func (v *viewer) audio() (op int, data []byte) {
	v.t.Helper()
	if a, b := v.u8(), v.u8(); a != msgQEMU || b != qemuAudio {
		v.t.Fatalf("message %d %d", a, b)
	}
	if op = v.u16(); op == audioData {
		data = v.read(v.u32())
	}
	return op, data
}

func (v *viewer) listen(op uint16, more ...any) {
	v.t.Helper()
	v.send(append([]any{byte(msgQEMU), byte(qemuAudio), op}, more...)...)
}

func TestSound(t *testing.T) {
	ramp := make([]audio.Frame, 441)
	for i := range ramp {
		s := int16(i*64 - 14000)
		ramp[i] = audio.Frame{L: s, R: -s}
	}
	for _, c := range []struct {
		name           string
		kind, channels byte
		size           int
		sample         func([]byte) int // as 16 bits
	}{
		{"u8", 0, 2, 1, func(b []byte) int { return (int(b[0]) - 128) << 8 }},
		{"s8", 1, 2, 1, func(b []byte) int { return int(int8(b[0])) << 8 }},
		{"u16", 2, 2, 2, func(b []byte) int { return int(binary.LittleEndian.Uint16(b)) - 32768 }},
		{"s16", 3, 2, 2, func(b []byte) int { return int(int16(binary.LittleEndian.Uint16(b))) }},
		{"u32", 4, 2, 4, func(b []byte) int { return int(binary.LittleEndian.Uint32(b)>>16) - 32768 }},
		{"s32", 5, 2, 4, func(b []byte) int { return int(int32(binary.LittleEndian.Uint32(b)) >> 16) }},
		{"mono", 3, 1, 2, func(b []byte) int { return int(int16(binary.LittleEndian.Uint16(b))) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTune(t, 44100)
			v := x.r.dial(t, 1)
			v.encodings(encRaw, encAudio)
			v.update(false)
			if v.kinds[encAudio] != 1 {
				t.Fatalf("rectangles %v", v.kinds)
			}
			v.listen(audioFormat, c.kind, c.channels, uint32(44100))
			v.listen(audioEnable)
			if op, _ := v.audio(); op != audioBegin {
				t.Fatalf("operation %d", op)
			}
			x.play(ramp)
			var got []int
			for n := 0; n < 600; {
				op, b := v.audio()
				if op != audioData || len(b)%(c.size*int(c.channels)) != 0 {
					t.Fatalf("operation %d with %d bytes", op, len(b))
				}
				for ; len(b) > 0; b = b[c.size*int(c.channels):] {
					l := c.sample(b)
					if c.channels == 2 {
						if r := c.sample(b[c.size:]); r != -l && c.size > 1 {
							t.Fatalf("left %d, right %d", l, r)
						}
					} else if l != 0 {
						t.Fatalf("the sum of both sides is %d", l)
					}
					got = append(got, l)
					n++
				}
			}
			want := make([]int, len(ramp))
			for i := range want {
				if want[i] = int(ramp[i].L); c.size == 1 {
					want[i] &^= 0xff
				}
				if c.channels == 1 {
					want[i] = 0
				}
			}
			if !contains(got, want) {
				t.Errorf("the samples are others: %v", got)
			}
			v.listen(audioDisable)
			for op := audioData; op != audioEnd; { // what was on its way
				if op, _ = v.audio(); op == audioBegin {
					t.Fatal("it begins anew")
				}
			}
			x.play(ramp) // nobody hears it
			v.listen(audioEnable)
			if op, _ := v.audio(); op != audioBegin {
				t.Errorf("operation %d", op)
			}
		})
	}
}

func contains(all, part []int) bool {
	for i := range len(all) - len(part) + 1 {
		if slices.Equal(all[i:i+len(part)], part) {
			return true
		}
	}
	return false
}

// A client has another rate than the mixer.
func TestSoundRate(t *testing.T) {
	x := newTune(t, 44100)
	v := x.r.dial(t, 1)
	v.listen(audioFormat, byte(3), byte(1), uint32(8000))
	v.listen(audioEnable)
	v.audio()
	tone := make([]audio.Frame, 22050)
	for i := range tone {
		s := int16(10000 * math.Sin(2*math.Pi*500*float64(i)/44100))
		tone[i] = audio.Frame{L: s, R: s}
	}
	go x.play(tone[:8820]) // the queue has a quarter of a second
	var s []float64
	for len(s) < 1500 {
		_, b := v.audio()
		for ; len(b) > 0; b = b[2:] {
			s = append(s, float64(int16(binary.LittleEndian.Uint16(b))))
		}
	}
	crossings := 0
	for i := 401; i <= 1200; i++ { // a tenth of a second
		if s[i-1] < 0 && s[i] >= 0 {
			crossings++
		}
	}
	if crossings < 49 || crossings > 51 {
		t.Errorf("%d periods in 800 frames of 8000 Hz, want 50", crossings)
	}
}

func TestSoundRefused(t *testing.T) {
	for name, m := range map[string]struct {
		mixer bool
		b     []any
	}{
		"no sound":      {false, []any{uint16(audioEnable)}},
		"operation":     {true, []any{uint16(3)}},
		"samples":       {true, []any{uint16(audioFormat), byte(6), byte(2), uint32(44100)}},
		"no channels":   {true, []any{uint16(audioFormat), byte(3), byte(0), uint32(44100)}},
		"many channels": {true, []any{uint16(audioFormat), byte(3), byte(8), uint32(44100)}},
		"rate 0":        {true, []any{uint16(audioFormat), byte(3), byte(2), uint32(0)}},
		"high rate":     {true, []any{uint16(audioFormat), byte(3), byte(2), uint32(0xffffffff)}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTune(t, 44100)
			if !m.mixer {
				x.r = newRig(16, 16, nil)
			}
			v := x.r.dial(t, 1)
			v.send(append([]any{byte(msgQEMU), byte(qemuAudio)}, m.b...)...)
			if n, err := io.Copy(io.Discard, v.r); err != nil || n > 0 {
				t.Errorf("%d bytes came, %v", n, err)
			}
		})
	}
}

// A client that listens and does not read costs no more than its queue.
func TestSoundDeafReader(t *testing.T) {
	x := newTune(t, 44100)
	v := x.r.dial(t, 1)
	for range 100 {
		v.listen(audioEnable)
		v.listen(audioDisable)
	}
	v.listen(audioEnable)
	frames := make([]audio.Frame, 4410)
	for range 600 { // ten minutes of sound, more than a connection holds: if the machine waited, it would for ever
		x.play(frames)
	}
	v.Close()
	for end := time.Now().Add(5 * time.Minute); len(x.r.s.Clients()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the client is still there")
		}
	}
}
