package debugexit

import (
	"slices"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func build(b *devtest.Bench) dev.Device {
	e := New(Config{Env: b.Env(), Size: 4})
	b.Map(0x501, e.Region())
	return e
}

func TestConform(t *testing.T)   { devtest.Conform(t, build) }
func FuzzDebugexit(f *testing.F) { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	b := devtest.Run(t, build, `r1 0x501 = 0 / w1 0x501 0 / w4 0x501 0x10 / w1 0x501 0xff`)
	if want := []int{1, 33, 255}; !slices.Equal(b.Power.Exits, want) {
		t.Errorf("exits %v, want %v", b.Power.Exits, want)
	}
}
