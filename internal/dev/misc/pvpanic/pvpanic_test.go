package pvpanic

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func builder(events uint8, panics *int) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		p := New(Config{Env: b.Env(), Events: events, Panic: func() { *panics++ }})
		b.Map(0x505, p.Region())
		return p
	}
}

func build(b *devtest.Bench) dev.Device { return builder(3, new(int))(b) }

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPort(f *testing.F)    { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	n := 0
	devtest.Run(t, builder(3, &n), `r1 0x505 = 3 / w1 0x505 2 / w1 0x505 0xfc`)
	if n != 0 {
		t.Error("a crash kernel is no panic")
	}
	devtest.Run(t, builder(3, &n), `w1 0x505 1`)
	if n != 1 {
		t.Errorf("%d panics", n)
	}
	devtest.Run(t, builder(2, &n), `r1 0x505 = 2 / w1 0x505 1`)
	if n != 1 {
		t.Error("an event that is not offered counts")
	}
}
