package port61

import (
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func build(b *devtest.Bench) dev.Device {
	out2 := false
	p := New(Config{Env: b.Env(), Gate2: b.Out("gate2"), Speaker: b.Out("speaker"), NMI: b.Out("nmi"),
		Out2: func() bool { return out2 }})
	b.Map(0x61, p.Region())
	b.In("serr", p.SERR)
	b.In("iochk", p.IOCHK)
	b.In("out2", func(l bool) { out2 = l })
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPort61(f *testing.F)  { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	devtest.Run(t, build, `
		r1 0x61 = 0 / w1 0x61 0xff / r1 0x61 = 0x0f / out gate2 = 1 / out speaker = 1 / w1 0x61 1 / out speaker = 0 / r1 0x61 = 1
		t 15085ns / r1 0x61 = 0x11 / t 15085ns / r1 0x61 = 1 / in out2 1 / r1 0x61 = 0x21 / in out2 0
		in iochk 1 / out nmi = 1 / r1 0x61 = 0x41 / in iochk 0 / out nmi = 1 / w1 0x61 9 / out nmi = 0 / r1 0x61 = 9
		in iochk 1 / out nmi = 0 / w1 0x61 1 / out nmi = 1 / in iochk 0 / w1 0x61 9 / w1 0x61 1 / out nmi = 0
		in serr 1 / r1 0x61 = 0x81 / w1 0x61 5 / out nmi = 0`)
}
