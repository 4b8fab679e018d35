package debugcon

import (
	"bytes"
	"testing"

	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

type port struct{ bytes.Buffer }

func (*port) Attach(chardev.Receiver) {}

func builder(p chardev.Port) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		c := New(Config{Env: b.Env(), Port: p})
		b.Map(0xe9, c.Region())
		return c
	}
}

func TestConform(t *testing.T)  { devtest.Conform(t, builder(nil)) }
func FuzzDebugcon(f *testing.F) { devtest.Fuzz(f, builder(nil)) }

func TestScripts(t *testing.T) {
	p := &port{}
	devtest.Run(t, builder(p), `r1 0xe9 = 0xe9 / w1 0xe9 0x48 / w1 0xe9 0x69`)
	if p.String() != "Hi" {
		t.Errorf("%q", p.String())
	}
}
