package port92

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func build(b *devtest.Bench) dev.Device {
	p := New(Config{Env: b.Env(), A20: b.Out("a20"), Reset: b.Out("reset")})
	b.Map(0x92, p.Region())
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPort92(f *testing.F)  { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	devtest.Run(t, build, `
		r1 0x92 = 0 / out a20 = 0 / w1 0x92 2 / out a20 = 1 / r1 0x92 = 2 / edges reset = 0
		w1 0x92 3 / edges reset = 1 / w1 0x92 3 / edges reset = 0 / w1 0x92 2 / w1 0x92 1 / edges reset = 1 / out a20 = 0`)
}
