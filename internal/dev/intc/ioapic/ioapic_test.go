package ioapic

import (
	"fmt"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/dev/intc/lapic"
	"rhea/internal/snap"
)

// system is an I/O APIC and a processor's.
type system struct {
	*IOAPIC
	cpu *lapic.APIC
}

func (s system) Reset() {
	s.cpu.Reset()
	s.IOAPIC.Reset()
}

func (s system) Settle() {
	s.IOAPIC.Settle()
	s.cpu.Settle()
}

func (s system) State(sec *snap.Section) {
	sec.Version(1)
	sec.Sub("ioapic", s.IOAPIC.State)
	sec.Sub("lapic", s.cpu.State)
}

func builder(electrical bool) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		bus := lapic.NewBus()
		s := system{
			cpu: lapic.New(lapic.Config{Env: b.Env(), Bus: bus, BSP: true, INTR: b.Out("intr"), NMI: b.Out("nmi"),
				ExtINT: func() int { return 0x70 }}),
			IOAPIC: New(Config{Env: b.Env(), Bus: bus, Electrical: electrical}),
		}
		b.Map(lapic.DefaultBase, s.cpu.Region())
		b.Map(DefaultBase, s.Region())
		b.MMIO(0x20, s)
		for n := range Pins {
			b.In(fmt.Sprint("pin", n), s.Line(n))
		}
		b.Verb("ack", func([]uint64) uint64 { return uint64(s.cpu.Acknowledge()) })
		b.Verb("eoi", func([]uint64) uint64 { s.cpu.Write(0xb0, 4, 0); return 0 })
		// red n low: write the low half of an entry
		b.Verb("red", func(a []uint64) uint64 {
			s.IOAPIC.Write(0, 4, 0x10+2*(a[0]%Pins))
			s.IOAPIC.Write(0x10, 4, a[1])
			return s.IOAPIC.Read(0x10, 4)
		})
		return s
	}
}

var build = builder(false)

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzIOAPIC(f *testing.F)  { devtest.Fuzz(f, build) }

const on = `w4 0xfee000f0 0x1ff
`

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"registers": `
			w4 0xfec00000 1 / r4 0xfec00000 = 1 / r4 0xfec00010 = 0x170011 / w4 0xfec00000 0 / w4 0xfec00010 0xff000000 / r4 0xfec00010 = 0x0f000000
			w4 0xfec00000 2 / r4 0xfec00010 = 0x0f000000 / w4 0xfec00000 0x10 / r4 0xfec00010 = 0x10000 / w4 0xfec00000 0x3f / r4 0xfec00010 = 0
			w4 0xfec00010 0xffffffff / r4 0xfec00010 = 0xff000000 / w4 0xfec00000 0x3e / w4 0xfec00010 0xffffffff / r4 0xfec00010 = 0x1afff
			w4 0xfec00000 0x40 / r4 0xfec00010 = 0 / log = "reserved register 0x40" / w4 0xfec00010 0 / log = "read-only"
			r4 0xfec00020 = 0xffffffff / w4 0xfec00040 1 / log = "offset 0x40"`,
		"edge": on + `
			red 4 0x34 = 0x34 / in pin4 1 / ack = 0x34 / eoi / out intr = 0 / in pin4 0 / out intr = 0 / in pin4 1 / ack = 0x34`,
		"an edge while masked is lost": on + `
			red 4 0x10034 / in pin4 1 / red 4 0x34 / out intr = 0 / in pin4 0 / in pin4 1 / out intr = 1`,
		"level, remote IRR": on + `
			red 9 0x8041 / in pin9 1 / red 9 0x8041 = 0xc041 / ack = 0x41 / out intr = 0 / eoi / out intr = 1 / ack = 0x41
			in pin9 0 / eoi / out intr = 0 / red 9 0x8041 = 0x8041 / in pin9 1 / out intr = 1`,
		"level, masked and unmasked": on + `
			red 9 0x18041 / in pin9 1 / out intr = 0 / red 9 0x8041 / out intr = 1 / ack = 0x41 / red 9 0x1c041 = 0x1c041 / eoi / out intr = 0 / red 9 0x8041 / out intr = 1`,
		"edge clears a remote IRR": on + `
			red 9 0x8041 / in pin9 1 / in pin9 0 / red 9 0x10041 = 0x10041 / red 9 0x18041 = 0x18041`,
		"a level that nobody takes waits": `
			red 9 0x8041 = 0x8041 / in pin9 1 / out intr = 0 / w4 0xfee000f0 0x1ff / out intr = 1 / ack = 0x41`,
		"NMI and ExtINT": on + `
			red 1 0x400 / pulse pin1 / edges nmi = 1 / red 0 0x700 / in pin0 1 / out intr = 1 / ack = 0x70 / out intr = 0`,
		"destination": on + `
			w4 0xfec00000 0x15 / w4 0xfec00010 0x05000000 / red 2 0x41 / pulse pin2 / out intr = 0
			w4 0xfec00000 0x15 / w4 0xfec00010 0xff000000 / pulse pin2 / out intr = 1 / ack = 0x41 / eoi
			w4 0xfee000d0 0x80000000 / w4 0xfec00000 0x15 / w4 0xfec00010 0x80000000 / red 2 0x942 / pulse pin2 / ack = 0x42`,
		"the polarity bit is kept": on + `red 9 0x2041 = 0x2041 / out intr = 0 / in pin9 1 / out intr = 1`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
	devtest.Run(t, builder(true), on+`
		in pin9 1 / red 9 0x2041 / out intr = 0 / in pin9 0 / ack = 0x41 / eoi
		red 9 0xa041 / out intr = 1 / ack = 0x41 / in pin9 1 / eoi / out intr = 0`)
}
