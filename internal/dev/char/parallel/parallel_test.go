package parallel

import (
	"bytes"
	"testing"

	"rhea/internal/chardev"
	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

type printer struct{ bytes.Buffer }

// slowPrinter has room for so many bytes.
type slowPrinter struct {
	printer
	room    int
	waiting []func()
}

func (p *slowPrinter) Room() int         { return p.room - p.Len() }
func (p *slowPrinter) WhenRoom(f func()) { p.waiting = append(p.waiting, f) }

// A printer that is full is busy, and acknowledges when it is not any more.
func TestBusy(t *testing.T) {
	p := &slowPrinter{room: 2}
	b := devtest.New(builder(p), 0)
	b.Script(t, `w1 0x378 0x41 / w1 0x37a 0x1d / w1 0x37a 0x1c / out irq = 1 / r1 0x379 = 0xdf / out irq = 0
		w1 0x378 0x42 / w1 0x37a 0x1d / w1 0x37a 0x1c / out irq = 0 / r1 0x379 = 0x5f`)
	p.room = 3
	if len(p.waiting) != 1 {
		t.Fatalf("%d callbacks wait for room", len(p.waiting))
	}
	p.waiting[0]()
	b.Script(t, `out irq = 1 / r1 0x379 = 0xdf`)
	if got := p.String(); got != "AB" {
		t.Errorf("printed %q", got)
	}
}

func (*printer) Attach(chardev.Receiver) {}

func builder(port chardev.Port) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		p := New(Config{Env: b.Env(), Port: port, IRQ: b.Out("irq")})
		b.Map(0x378, p.Region())
		b.MMIO(8, p)
		return p
	}
}

func build(b *devtest.Bench) dev.Device { return builder(&printer{})(b) }

func TestConform(t *testing.T)  { devtest.Conform(t, build) }
func FuzzParallel(f *testing.F) { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	p := &printer{}
	devtest.Run(t, builder(p), `
		r1 0x379 = 0xdf / r1 0x37a = 0xcc / w1 0x378 0x41 / r1 0x378 = 0x41
		w1 0x37a 0x0d / r1 0x379 = 0x5f / w1 0x37a 0x0d / w1 0x37a 0x0c / r1 0x379 = 0xdf / out irq = 0
		w1 0x378 0x42 / w1 0x37a 0x1d / out irq = 1 / w1 0x37a 0x1c / r1 0x379 = 0xdf / out irq = 0
		w1 0x37a 0x1d / w1 0x37a 0x1c / w1 0x37a 0x1d / edges irq = 3
		w1 0x37a 0x08 / r1 0x379 = 0x5f / w1 0x37a 0x09 / w1 0x37a 0x2c / r1 0x378 = 0xff
		w1 0x379 0 / log = "status port"`)
	if got := p.String(); got != "ABBB" {
		t.Errorf("printed %q", got)
	}
	devtest.Run(t, builder(nil), `r1 0x379 = 0x7f / w1 0x37a 0x1d / out irq = 0`)
}
