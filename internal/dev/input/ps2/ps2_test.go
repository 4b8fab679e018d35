package ps2

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/keys"
	"rhea/internal/snap"
)

// pair is a keyboard and a mouse without a controller.
type pair struct {
	k *Keyboard
	m *Mouse
}

func (p pair) Reset() {
	p.k.Reset()
	p.m.Reset()
}

func (p pair) Settle() { p.k.Settle() }

func (p pair) State(s *snap.Section) {
	s.Version(1)
	s.Sub("keyboard", p.k.State)
	s.Sub("mouse", p.m.State)
}

func build(b *devtest.Bench) dev.Device {
	num := b.Out("num_lock")
	p := pair{
		k: NewKeyboard(KeyboardConfig{Env: b.Env(), LEDs: func(v uint8) { num.Set(v&2 != 0) }}),
		m: NewMouse(b.Env()),
	}
	word := func(f func(a []uint64)) func([]uint64) uint64 {
		return func(a []uint64) uint64 { f(a); return 0 }
	}
	b.Verb("key", word(func(a []uint64) { p.k.Key(keys.Code(a[0]), a[1]&1 != 0) }))
	b.Verb("move", word(func(a []uint64) { p.m.Move(int(int16(a[0])), int(int16(a[1])), int(int8(a[2]))) }))
	b.Verb("buttons", word(func(a []uint64) { p.m.SetButtons(uint8(a[0])) }))
	b.Verb("kw", word(func(a []uint64) { p.k.Write(byte(a[0])) }))
	b.Verb("mw", word(func(a []uint64) { p.m.Write(byte(a[0])) }))
	b.Verb("kr", func([]uint64) uint64 { return uint64(p.k.Next()) })
	b.Verb("mr", func([]uint64) uint64 { return uint64(p.m.Next()) })
	b.Verb("left", func([]uint64) uint64 { return uint64(p.k.replies.n + p.k.data.n) })
	b.Verb("packets", func([]uint64) uint64 { return uint64(p.m.data.n) / 3 })
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPS2(f *testing.F)     { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"typematic": `
			key 32 1 / kr = 0x1c / left = 0 / t 499ms / left = 0 / t 1ms / left = 1 / kr = 0x1c / t 91ms / left = 0 / t 1ms / kr = 0x1c
			key 32 1 / left = 0 / key 32 0 / kr = 0xf0 / kr = 0x1c / t 1s / left = 0`,
		"the fastest and the slowest": `
			kw 0xf3 / kw 0 / kr = 0xfa / kr = 0xfa / key 32 1 / kr = 0x1c / t 250ms / kr = 0x1c / t 33ms / left = 0 / t 1ms / kr = 0x1c / key 32 0 / kr = 0xf0 / kr = 0x1c
			kw 0xf3 / kw 0x7f / kr = 0xfa / kr = 0xfa / key 32 1 / kr = 0x1c / t 999ms / left = 0 / t 1ms / kr = 0x1c / t 499ms / left = 0 / t 1ms / kr = 0x1c`,
		"the last key repeats, and not when nobody reads": `
			key 32 1 / key 33 1 / kr = 0x1c / kr = 0x1b / t 500ms / kr = 0x1b / key 32 0 / kr = 0xf0 / kr = 0x1c / t 100ms / kr = 0x1b / t 10s / left = 9`,
		"LEDs": `kw 0xed / kw 2 / out num_lock = 1 / kr = 0xfa / kr = 0xfa / reset / out num_lock = 0`,
		"answers are bounded": `
			kw 0xf2 / kw 0xf2 / kw 0xf2 / kw 0xf2 / kw 0xf2 / left = 15 / kw 0xf2 / kw 0xf2 / left = 15`,
		"sample rate": `
			mw 0xf4 / mr = 0xfa / move 1 0 0 / move 1 0 0 / packets = 1 / t 9999us / packets = 1 / t 1us / packets = 2
			mr = 8 / mr = 1 / mr = 0 / mr = 8 / mr = 1 / mr = 0 / t 1s / packets = 0`,
		"a click does not wait": `mw 0xf4 / mr = 0xfa / move 1 0 0 / buttons 1 / buttons 0 / packets = 3`,
		"nobody reads: motion adds up": `
			mw 0xf4 / mr = 0xfa / move 1 0 0 / t 10ms / move 1 0 0 / t 10ms / move 1 0 0 / t 10ms / move 1 0 0 / t 10ms / move 1 0 0 / t 10ms
			packets = 5 / move 1 0 0 / t 10ms / move 2 0 0 / t 10ms / packets = 5
			mr = 8 / mr = 1 / packets = 4 / mr = 0 / packets = 5 / mr = 8 / mr = 1 / mr = 0 / mr = 8 / mr = 1 / mr = 0
			mr = 8 / mr = 1 / mr = 0 / mr = 8 / mr = 1 / mr = 0 / mr = 8 / mr = 3 / mr = 0`,
		"disabled: nothing is sent nor kept": `move 5 5 0 / packets = 0 / mw 0xf4 / mr = 0xfa / t 1s / packets = 0`,
		"motion is bounded":                  `mw 0xf4 / mr = 0xfa / move 32767 0 0 / move 32767 0 0 / move 32767 0 0 / mr = 8 / mr = 0xff`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}
