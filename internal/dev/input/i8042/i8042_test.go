package i8042

import (
	"fmt"
	"regexp"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/dev/input/ps2"
	"rhea/internal/keys"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// desk is a controller with what is plugged in.
type desk struct {
	*Controller
	kbd   *ps2.Keyboard
	mouse *ps2.Mouse
}

func (d desk) Reset() {
	d.kbd.Reset()
	d.mouse.Reset()
	d.Controller.Reset()
}

func (d desk) State(s *snap.Section) {
	s.Version(1)
	s.Sub("keyboard", d.kbd.State)
	s.Sub("mouse", d.mouse.State)
	s.Sub("controller", d.Controller.State)
}

func build(b *devtest.Bench) dev.Device {
	d := desk{
		kbd:   ps2.NewKeyboard(ps2.KeyboardConfig{Env: b.Env()}),
		mouse: ps2.NewMouse(b.Env()),
	}
	d.Controller = New(Config{
		Env: b.Env(), Keyboard: d.kbd, Aux: d.mouse,
		IRQ1: b.Out("irq1"), IRQ12: b.Out("irq12"), A20: b.Out("a20"), Reset: b.Out("reset"),
	})
	data, cmd := d.Ports()
	b.Map(0x60, data)
	b.Map(0x64, cmd)
	b.MMIO(8, d)
	// key name down
	b.Verb("key", func(a []uint64) uint64 {
		d.kbd.Key(keys.Code(a[0]), a[1]&1 != 0)
		return 0
	})
	b.Verb("move", func(a []uint64) uint64 {
		d.mouse.Move(int(int16(a[0])), int(int16(a[1])), int(int8(a[2])))
		return 0
	})
	b.Verb("buttons", func(a []uint64) uint64 {
		d.mouse.SetButtons(uint8(a[0]))
		return 0
	})
	// get: time for a byte to come, which is then read
	b.Verb("get", func([]uint64) uint64 {
		b.Clock.Advance(byteTime)
		if d.Read(4, 1)&stOBF == 0 {
			return 0xdead
		}
		return d.Read(0, 1)
	})
	b.Verb("leds", func([]uint64) uint64 { return uint64(d.kbd.LEDs()) })
	return d
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzI8042(f *testing.F)   { devtest.Fuzz(f, build) }

// The translation of set 2 is set 1, for every key there is.
func TestTranslation(t *testing.T) {
	for _, c := range keys.All() {
		b := devtest.New(build, 0)
		b.Script(t, `w1 0x64 0x60 / w1 0x60 0x41`)
		k := keys.Get(c)
		b.Dev().(desk).kbd.Key(c, true)
		b.Dev().(desk).kbd.Key(c, false)
		var got []byte
		for {
			b.Clock.Advance(byteTime)
			if b.Space.Read(0x64, 1)&stOBF == 0 {
				break
			}
			got = append(got, byte(b.Space.Read(0x60, 1)))
		}
		var want []byte
		switch {
		case c == keys.Print:
			want = []byte{0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa}
		case c == keys.Pause:
			want = []byte{0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}
		case k.Set1>>8 != 0:
			want = []byte{0xe0, byte(k.Set1), 0xe0, byte(k.Set1) | 0x80}
		default:
			want = []byte{byte(k.Set1), byte(k.Set1) | 0x80}
		}
		if string(got) != string(want) {
			t.Errorf("%s sends % x, want % x", k.Name, got, want)
		}
	}
}

// A mouse that has more to tell than its queue holds loses nothing of it: it makes
// its next packet while the controller takes a byte.
func TestMouseBeyondItsQueue(t *testing.T) {
	b := devtest.New(build, 0)
	b.Script(t, `w1 0x64 0x60 / w1 0x60 0x03 / w1 0x64 0xd4 / w1 0x60 0xf4`)
	get := func() (byte, bool) {
		b.Clock.Advance(byteTime)
		if b.Space.Read(0x64, 1)&stOBF == 0 {
			return 0, false
		}
		return byte(b.Space.Read(0x60, 1)), true
	}
	if v, ok := get(); !ok || v != 0xfa {
		t.Fatalf("%#x, %v", v, ok)
	}
	for _, move := range []int{2000, -2000, 999} {
		b.Dev().(desk).mouse.Move(move, 2*move, 0)
		b.Clock.Advance(vclock.Second)
		dx, dy := 0, 0
		for idle := 0; idle < 200; {
			var p [3]byte
			var ok bool
			if p[0], ok = get(); !ok {
				idle++
				continue
			}
			for i := range p[1:] {
				if p[1+i], ok = get(); !ok {
					t.Fatal("half a packet")
				}
			}
			if idle = 0; p[0]&^0x30 != 8 {
				t.Fatalf("% x is no packet", p)
			}
			dx += int(p[1]) - int(p[0])<<4&0x100
			dy -= int(p[2]) - int(p[0])<<3&0x100
		}
		if dx != move || dy != 2*move {
			t.Errorf("moved by %d, %d; the packets say %d, %d", move, 2*move, dx, dy)
		}
	}
}

var keyWord = regexp.MustCompile(`\bkey (\w+) `)

// numbered replaces the names of keys in a script by their codes.
func numbered(t *testing.T, script string) string {
	return keyWord.ReplaceAllStringFunc(script, func(w string) string {
		name := keyWord.FindStringSubmatch(w)[1]
		c, ok := keys.ByName(name)
		if !ok {
			t.Errorf("no key %s", name)
		}
		return fmt.Sprintf("key %d ", c)
	})
}

// untranslated, interrupts on
const raw = `w1 0x64 0x60 / w1 0x60 0x03
`

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"self-test and command byte": `
			r1 0x64 = 0x10 / w1 0x64 0xaa / r1 0x64 = 0x1d / r1 0x60 = 0x55 / r1 0x64 = 0x1c
			w1 0x64 0x60 / w1 0x60 0x65 / r1 0x64 = 0x14 / w1 0x64 0x20 / r1 0x60 = 0x65
			w1 0x64 0xab / r1 0x60 = 0 / w1 0x64 0xa9 / r1 0x60 = 0 / w1 0x64 0xa4 / r1 0x60 = 0xf1
			w1 0x64 0xad / w1 0x64 0xa7 / w1 0x64 0x20 / r1 0x60 = 0x75 / w1 0x64 0xae / w1 0x64 0xa8 / w1 0x64 0x20 / r1 0x60 = 0x45
			w1 0x64 0xc0 / r1 0x60 = 0x80 / w1 0x64 0x65 / w1 0x60 0x99 / w1 0x64 0x25 / r1 0x60 = 0x99`,
		"empty: the last byte again": `w1 0x64 0xaa / r1 0x60 = 0x55 / r1 0x60 = 0x55 / r1 0x60 = 0x55`,
		"A20 and reset": `
			out a20 = 1 / w1 0x64 0xd1 / w1 0x60 0xdd / out a20 = 0 / w1 0x64 0xd0 / r1 0x60 = 0xcd
			w1 0x64 0xdf / out a20 = 1 / w1 0x64 0xdd / out a20 = 0 / w1 0x64 0xd1 / w1 0x60 0xdf / out a20 = 1
			edges reset = 0 / w1 0x64 0xf0 / edges reset = 1 / w1 0x64 0xfe / edges reset = 1 / w1 0x64 0xff / edges reset = 0
			w1 0x64 0xd1 / w1 0x60 0xde / out reset = 1`,
		"keyboard interrupt, each byte an edge": raw + `
			key home 1 / out irq1 = 1 / edges irq1 = 1 / r1 0x64 = 0x11 / r1 0x60 = 0xe0 / out irq1 = 0 / r1 0x60 = 0xe0
			t 99us / out irq1 = 0 / t 1us / edges irq1 = 1 / r1 0x60 = 0x6c / t 1ms / out irq1 = 0`,
		"keyboard commands": raw + `
			w1 0x60 0xf2 / get = 0xfa / get = 0xab / get = 0x83 / get = 0xdead
			w1 0x60 0xee / get = 0xee / w1 0x60 0xed / get = 0xfa / w1 0x60 7 / get = 0xfa / leds = 7
			w1 0x60 0xf3 / get = 0xfa / w1 0x60 0x20 / get = 0xfa / w1 0x60 0xff / get = 0xfa / get = 0xaa / leds = 0
			w1 0x60 0xf5 / get = 0xfa / key a 1 / get = 0xdead / w1 0x60 0xf4 / get = 0xfa / key a 1 / get = 0x1c
			w1 0x60 0xfe / get = 0x1c / w1 0x60 0xed / get = 0xfa / w1 0x60 0xf4 / get = 0xfa / leds = 0
			w1 0x60 0x05 / get = 0xfe / log = "unknown command 0x5"`,
		"the ID is translated": `w1 0x60 0xf2 / get = 0xfa / get = 0xab / get = 0x41`,
		"scan sets": raw + `
			w1 0x60 0xf0 / get = 0xfa / w1 0x60 0 / get = 0xfa / get = 2
			w1 0x60 0xf0 / get = 0xfa / w1 0x60 1 / get = 0xfa / key a 1 / key a 0 / get = 0x1e / get = 0x9e
			w1 0x60 0xf0 / get = 0xfa / w1 0x60 3 / get = 0xfa / key a 1 / key a 0 / get = 0x1c / get = 0xdead
			key ctrl 1 / key ctrl 0 / get = 0x11 / get = 0xf0 / get = 0x11
			w1 0x60 0xf8 / get = 0xfa / key a 1 / key a 0 / get = 0x1c / get = 0xf0 / get = 0x1c
			w1 0x60 0xfd / get = 0xfa / w1 0x60 0x1c / get = 0xfa / w1 0x60 0xf4 / get = 0xfa / key a 0 / get = 0xdead
			w1 0x60 0xf0 / get = 0xfa / w1 0x60 9 / get = 0xfe / w1 0x60 2 / get = 0xfa
			w1 0x60 0xf6 / get = 0xfa / w1 0x60 0xf0 / get = 0xfa / w1 0x60 0 / get = 0xfa / get = 2`,
		"print and pause": raw + `
			key ctrl 1 / get = 0x14 / key print 1 / get = 0xe0 / get = 0x7c / key print 0 / get = 0xe0 / get = 0xf0 / get = 0x7c
			key pause 1 / get = 0xe0 / get = 0x7e / get = 0xe0 / get = 0xf0 / get = 0x7e / key pause 0 / get = 0xdead
			key ctrl 0 / get = 0xf0 / get = 0x14 / key alt 1 / get = 0x11 / key print 1 / get = 0x84 / key print 0 / get = 0xf0 / get = 0x84`,
		"too many keys": raw + `
			key a 1 / key s 1 / key d 1 / key f 1 / key g 1 / key h 1 / key j 1 / key k 1 / key l 1
			key q 1 / key w 1 / key e 1 / key r 1 / key t 1 / key y 1 / key u 1 / key i 1 / key o 1 / key ctrl 1
			get = 0x1c / get = 0x1b / get = 0x23 / get = 0x2b / get = 0x34 / get = 0x33 / get = 0x3b / get = 0x42 / get = 0x4b
			get = 0x15 / get = 0x1d / get = 0x24 / get = 0x2d / get = 0x2c / get = 0x35 / get = 0x3c / get = 0x43 / get = 0 / get = 0xdead`,
		"disabled ports wait": raw + `
			w1 0x64 0xad / key a 1 / get = 0xdead / w1 0x64 0xae / get = 0x1c
			w1 0x64 0xad / key s 1 / w1 0x60 0xee / get = 0xee / get = 0x1b`,
		"bytes of the controller's for the ports": raw + `
			w1 0x64 0xd2 / w1 0x60 0x42 / out irq1 = 1 / r1 0x64 = 0x11 / r1 0x60 = 0x42
			w1 0x64 0xd3 / w1 0x60 0x43 / out irq12 = 1 / out irq1 = 0 / r1 0x64 = 0x31 / r1 0x60 = 0x43`,
		"mouse": raw + `
			w1 0x64 0xd4 / w1 0x60 0xff / get = 0xfa / get = 0xaa / get = 0
			w1 0x64 0xd4 / w1 0x60 0xf2 / get = 0xfa / get = 0 / w1 0x64 0xd4 / w1 0x60 0xf4 / get = 0xfa
			move 5 3 0 / t 100us / out irq12 = 1 / get = 0x28 / get = 5 / get = 0xfd / get = 0xdead
			buttons 1 / get = 9 / get = 0 / get = 0 / buttons 6 / get = 14 / get = 0 / get = 0
			move -300 0 0 / t 10ms / get = 0x1e / get = 1 / get = 0 / t 10ms / get = 0x1e / get = 0xd3 / get = 0
			w1 0x64 0xd4 / w1 0x60 0xe9 / get = 0xfa / get = 0x23 / get = 2 / get = 100`,
		"mouse, other commands": raw + `
			w1 0x64 0xd4 / w1 0x60 0xe8 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 3 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xe7 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 0xf0 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xe9 / get = 0xfa / get = 0x50 / get = 3 / get = 100
			w1 0x64 0xd4 / w1 0x60 0xf4 / get = 0xfa / move 4 0 0 / get = 0xdead / w1 0x64 0xd4 / w1 0x60 0xeb / get = 0xfa / get = 8 / get = 4 / get = 0
			w1 0x64 0xd4 / w1 0x60 0xea / get = 0xfa / move 4 -7 0 / get = 8 / get = 6 / get = 14
			w1 0x64 0xd4 / w1 0x60 0xfe / get = 8 / get = 6 / get = 14
			w1 0x64 0xd4 / w1 0x60 0xe6 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 0xee / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0x12 / get = 0x12 / w1 0x64 0xd4 / w1 0x60 0xec / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xbb / get = 0xfa / w1 0x64 0xd4 / w1 0x60 0x01 / get = 0xfe
			w1 0x64 0xd4 / w1 0x60 0xf6 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 0xe9 / get = 0xfa / get = 0 / get = 2 / get = 100`,
		"IntelliMouse": raw + `
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 200 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 100 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 80 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 60 / get = 0xfa   # as NT goes on
			w1 0x64 0xd4 / w1 0x60 0xf2 / get = 0xfa / get = 3 / w1 0x64 0xd4 / w1 0x60 0xf4 / get = 0xfa
			move 1 0 -1 / get = 8 / get = 1 / get = 0 / get = 0xff
			w1 0x64 0xd4 / w1 0x60 0xff / get = 0xfa / get = 0xaa / get = 0 / w1 0x64 0xd4 / w1 0x60 0xf2 / get = 0xfa / get = 0`,
		"Explorer": raw + `
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 200 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 200 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf3 / get = 0xfa / w1 0x64 0xd4 / w1 0x60 80 / get = 0xfa
			w1 0x64 0xd4 / w1 0x60 0xf2 / get = 0xfa / get = 4 / w1 0x64 0xd4 / w1 0x60 0xf4 / get = 0xfa
			move 0 0 1 / get = 8 / get = 0 / get = 0 / get = 1 / buttons 0x19 / get = 9 / get = 0 / get = 0 / get = 0x30`,
		"the controller's own bytes, each an edge": raw + `
			w1 0x64 0xaa / w1 0x64 0xc0 / edges irq1 = 1 / r1 0x60 = 0x55 / edges irq1 = 1 / r1 0x60 = 0x80 / out irq1 = 0`,
		"an answer goes before keys": raw + `
			w1 0x64 0xd4 / w1 0x60 0xf4 / get = 0xfa / key a 1 / key ctrl 1 / w1 0x60 0xee / get = 0xee / get = 0x1c / get = 0x14`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, numbered(t, script)) })
	}
}

// A byte is there when its time has come, whether or not the host has come to
// run the timer: the Bochs BIOS polls a number of times and gives up.
func TestLateHost(t *testing.T) {
	now := int64(0)
	env := dev.Env{Clock: vclock.NewQueue(func() int64 { return now }, nil)} // nobody runs it
	k := New(Config{Env: env, Keyboard: ps2.NewKeyboard(ps2.KeyboardConfig{Env: env})})
	k.Write(0, 1, 0xff) // reset
	if v := k.Read(4, 1); v&stOBF != 0 {
		t.Errorf("status %#x at once", v)
	}
	for _, want := range []uint64{0xfa, 0xaa} {
		now += byteTime
		if v := k.Read(4, 1); v&stOBF == 0 {
			t.Errorf("status %#x when the byte's time has come", v)
		}
		if v := k.Read(0, 1); v != want {
			t.Errorf("%#x, want %#x", v, want)
		}
	}
}
