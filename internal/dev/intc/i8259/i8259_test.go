package i8259

import (
	"fmt"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
)

func build(b *devtest.Bench) dev.Device {
	p := New(Config{Env: b.Env(), INT: b.Out("int")})
	m, s, e := p.Regions()
	b.Map(0x20, m)
	b.Map(0xa0, s)
	b.Map(0x4d0, e)
	for n := range 16 {
		if n != 2 {
			b.In(fmt.Sprint("irq", n), p.Line(n))
		}
	}
	b.Verb("ack", func([]uint64) uint64 { return uint64(p.Acknowledge()) })
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPIC(f *testing.F)     { devtest.Fuzz(f, build) }

// as a PC's BIOS does it: master at 08h, slave at 70h, nothing masked
const start = `w1 0x20 0x11 / w1 0x21 0x08 / w1 0x21 4 / w1 0x21 1
	w1 0xa0 0x11 / w1 0xa1 0x70 / w1 0xa1 2 / w1 0xa1 1
	w1 0x21 0 / w1 0xa1 0
`

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"acknowledge and EOI": start + `
			out int = 0 / in irq1 1 / out int = 1 / r1 0x20 = 2
			ack = 9 / out int = 0 / r1 0x20 = 0      # IRR bit goes, edge mode
			w1 0x20 0x0b / r1 0x20 = 2 / w1 0x20 0x0a / r1 0x20 = 0
			in irq1 0 / in irq1 1 / out int = 0      # in service: held back
			w1 0x20 0x20 / out int = 1 / ack = 9`,
		"ICW1 resets the edge sense": `in irq3 1` + "\n" + start + `
			out int = 0 / in irq3 0 / in irq3 1 / out int = 1 / ack = 11`,
		"ICW1 clears the mask": start + `
			w1 0x21 0xff / r1 0x21 = 0xff / w1 0x20 0x11 / w1 0x21 8 / w1 0x21 4 / w1 0x21 1 / r1 0x21 = 0`,
		"slave": start + `
			in irq12 1 / out int = 1 / r1 0x20 = 4 / ack = 0x74 / out int = 0
			w1 0x20 0x0b / r1 0x20 = 4 / w1 0xa0 0x0b / r1 0xa0 = 0x10
			in irq8 1 / out int = 0                   # the master still serves IR2
			w1 0x20 0x20 / out int = 1 / ack = 0x70   # a higher one of the slave's
			w1 0xa0 0x20 / w1 0x20 0x20 / w1 0xa0 0x20 / w1 0x20 0x20 / out int = 0`,
		"two of the slave's at once": start + `
			in irq14 1 / in irq15 1 / ack = 0x76 / w1 0xa0 0x20 / w1 0x20 0x20 / out int = 1 / ack = 0x77`,
		"the slave asks again at once": start + `
			w1 0xa0 0x11 / w1 0xa1 0x70 / w1 0xa1 2 / w1 0xa1 3      # automatic EOI
			in irq14 1 / in irq15 1 / ack = 0x76 / w1 0x20 0x20 / out int = 1 / ack = 0x77`,
		"slave in service, another waits": start + `
			in irq9 1 / ack = 0x71 / in irq10 1 / out int = 0
			w1 0xa0 0x20 / out int = 0 / w1 0x20 0x20 / out int = 1 / ack = 0x72`,
		"priority": start + `
			in irq5 1 / in irq3 1 / ack = 11 / in irq1 1 / out int = 1 / ack = 9 / in irq4 1 / out int = 0
			w1 0x20 0x20 / out int = 0 / w1 0x20 0x20 / out int = 1 / ack = 12 / w1 0x20 0x20 / ack = 13`,
		"spurious IRQ7": start + `
			ack = 15 / w1 0x20 0x0b / r1 0x20 = 0
			w1 0x4d0 0x20 / in irq5 1 / out int = 1 / in irq5 0 / out int = 0 / ack = 15 / r1 0x20 = 0`,
		"a level request of the slave's that goes away": start + `
			w1 0x4d1 0x08 / in irq11 1 / out int = 1 / in irq11 0 / out int = 0 / r1 0x20 = 0 / ack = 15`,
		"level by ELCR": start + `
			w1 0x4d0 0xff / w1 0x4d1 0xff / r2 0x4d0 = 0xdef8 / w2 0x4d0 0x0c20 / r2 0x4d0 = 0x0c20
			in irq5 1 / ack = 13 / r1 0x20 = 0x20 / w1 0x20 0x20 / out int = 1 / ack = 13 / in irq5 0
			w1 0x20 0x20 / out int = 0`,
		"level by ICW1": `
			w1 0x20 0x19 / w1 0x21 8 / w1 0x21 4 / w1 0x21 1 / in irq4 1 / ack = 12 / w1 0x20 0x20 / out int = 1`,
		"automatic EOI": `
			w1 0x20 0x11 / w1 0x21 8 / w1 0x21 4 / w1 0x21 3
			in irq4 1 / ack = 12 / w1 0x20 0x0b / r1 0x20 = 0 / in irq5 1 / ack = 13`,
		"rotate in automatic EOI": `
			w1 0x20 0x11 / w1 0x21 8 / w1 0x21 4 / w1 0x21 3 / w1 0x20 0x80
			pulse irq4 / ack = 12 / pulse irq4 / pulse irq5 / ack = 13 / ack = 12
			pulse irq4 / pulse irq5 / ack = 13 / ack = 12
			w1 0x20 0x00 / pulse irq1 / ack = 9 / pulse irq1 / pulse irq5 / ack = 13 / ack = 9`,
		"rotate on non-specific EOI": start + `
			pulse irq4 / ack = 12 / w1 0x20 0xa0 / pulse irq3 / pulse irq5 / ack = 13
			w1 0x20 0x20 / ack = 11`,
		"rotate on specific EOI": start + `
			pulse irq4 / ack = 12 / w1 0x20 0xe4 / w1 0x20 0x0b / r1 0x20 = 0
			pulse irq4 / pulse irq7 / ack = 15 / w1 0x20 0x67 / ack = 12`,
		"set priority": start + `
			w1 0x20 0xc5 / pulse irq0 / pulse irq6 / ack = 14 / w1 0x20 0x20 / ack = 8`,
		"specific EOI": start + `
			pulse irq4 / ack = 12 / pulse irq3 / ack = 11 / w1 0x20 0x64 / w1 0x20 0x0b / r1 0x20 = 8`,
		"special mask": start + `
			pulse irq4 / ack = 12 / pulse irq5 / out int = 0
			w1 0x21 0x10 / out int = 0 / w1 0x20 0x68 / out int = 1 / ack = 13
			w1 0x20 0x20 / w1 0x20 0x0b / r1 0x20 = 0x10    # a non-specific EOI does not see the masked one
			w1 0x20 0x48 / pulse irq5 / out int = 0`,
		"poll": start + `
			w1 0x20 0x0c / r1 0x20 = 7 / r1 0x20 = 0
			pulse irq6 / w1 0x20 0x0c / r1 0x20 = 0x86 / out int = 0 / w1 0x20 0x0b / r1 0x20 = 0x40
			pulse irq13 / w1 0x20 0x0c / r1 0x20 = 0x82 / w1 0xa0 0x0c / r1 0xa0 = 0x85`,
		"special fully nested": `
			w1 0x20 0x11 / w1 0x21 8 / w1 0x21 4 / w1 0x21 0x11
			w1 0xa0 0x11 / w1 0xa1 0x70 / w1 0xa1 2 / w1 0xa1 1
			pulse irq12 / ack = 0x74 / pulse irq13 / out int = 0 / pulse irq9 / out int = 1 / ack = 0x71
			pulse irq3 / out int = 0`,
		"mask": start + `
			w1 0x21 2 / in irq1 1 / out int = 0 / r1 0x20 = 2 / w1 0x21 0 / out int = 1
			w1 0xa1 0xff / in irq8 1 / r1 0x20 = 2 / r1 0xa0 = 1`,
		"odd wiring is noted": `
			w1 0x20 0x13 / w1 0x21 8 / w1 0x21 0 / log = MCS-80 / w1 0x20 0x11 / w1 0x21 8 / w1 0x21 8 / log = "the wiring is 0x4"`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}
