package lapic

import (
	"fmt"
	"strings"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/snap"
)

// pair is two processors' APICs.
type pair struct{ a [2]*APIC }

func (p pair) Reset() {
	p.a[0].Reset()
	p.a[1].Reset()
}

func (p pair) Settle() {
	p.a[0].Settle()
	p.a[1].Settle()
}

func (p pair) State(s *snap.Section) {
	s.Version(1)
	s.Sub("apic0", p.a[0].State)
	s.Sub("apic1", p.a[1].State)
}

func builder(wire, x2 bool) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		bus := NewBus()
		var p pair
		eois, sipi, base := uint64(0), uint64(0), uint64(0)
		bus.OnEOI(func(v uint8) { eois = eois<<8 | uint64(v) })
		for i := range p.a {
			n := fmt.Sprint(i)
			a := New(Config{
				Env: b.Env(), Bus: bus, ID: uint8(i), BSP: i == 0, VirtualWire: wire,
				X2APIC: x2, INTR: b.Out("intr" + n), NMI: b.Out("nmi" + n), SMI: b.Out("smi" + n), INIT: b.Out("init" + n),
				SIPI:    func(v uint8) { sipi = uint64(i)<<8 | uint64(v) },
				ExtINT:  func() int { return 0x71 },
				TSCTime: func(tsc uint64) int64 { return int64(tsc >> 1) },
				OnBase: func(v uint64, on bool) {
					if i == 0 {
						base = v
						if !on {
							base = 0
						}
					}
				},
			})
			p.a[i] = a
			b.Map(DefaultBase+uint64(i)*0x1000, a.Region())
			b.MMIO(4096, a)
			b.In("lint0."+n, a.LINT(0))
			b.In("lint1."+n, a.LINT(1))
			b.Verb("ack"+n, func([]uint64) uint64 { return uint64(a.Acknowledge()) })
			b.Verb("tpr"+n, func(v []uint64) uint64 { a.SetTPR(uint8(v[0])); return 0 })
			b.Verb("deadline"+n, func(v []uint64) uint64 { a.SetTSCDeadline(v[0]); return a.TSCDeadline() })
			b.Verb("base"+n, func(v []uint64) uint64 {
				if v[0] > 0xffff { // scripts give addresses, the fuzzer only flags
					if !a.SetBaseMSR(v[0]) {
						return 0
					}
				} else {
					a.SetBaseMSR(DefaultBase | v[0]&0xfff)
				}
				return a.BaseMSR()
			})
			bits := func(v uint64, ok bool) uint64 {
				if !ok {
					return 1 << 63
				}
				return v
			}
			b.Verb("rdmsr"+n, func(v []uint64) uint64 { return bits(a.ReadMSR(uint32(v[0]))) })
			b.Verb("wrmsr"+n, func(v []uint64) uint64 { return bits(0, a.WriteMSR(uint32(v[0]), v[1])) })
			b.Verb("thermal"+n, func([]uint64) uint64 { a.Thermal(); return 0 })
			b.Verb("perf"+n, func([]uint64) uint64 { a.PerformanceMonitor(); return 0 })
		}
		b.Verb("eois", func([]uint64) uint64 { v := eois; eois = 0; return v })
		b.Verb("sipi", func([]uint64) uint64 { return sipi })
		b.Verb("at", func([]uint64) uint64 { return base })
		// fix dest vector level: a fixed message to a physical destination
		b.Verb("fix", func(v []uint64) uint64 {
			if bus.Deliver(Message{Dest: uint32(v[0]), Vector: uint8(v[1]), Level: v[2]&1 != 0}) {
				return 1
			}
			return 0
		})
		b.Verb("msi", func(v []uint64) uint64 {
			if bus.MSI(v[0], uint32(v[1])) {
				return 1
			}
			return 0
		})
		return p
	}
}

var build = builder(false, false)

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzLAPIC(f *testing.F)   { devtest.Fuzz(f, build) }

const on = `w4 0xfee000f0 0x1ff / w4 0xfee010f0 0x1ff
`

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"reset values": `
			r4 0xfee00020 = 0 / r4 0xfee01020 = 0x01000000 / r4 0xfee00030 = 0x50014 / r4 0xfee000f0 = 0xff
			r4 0xfee000e0 = 0xffffffff / r4 0xfee000d0 = 0 / r4 0xfee00320 = 0x10000 / r4 0xfee00370 = 0x10000 / r4 0xfee00390 = 0
			base0 0xfee00900 = 0xfee00900 / base1 0xfee00800 = 0xfee00800 / at = 0xfee00000`,
		"IRR, ISR, priorities": on + `
			fix 0 0x41 0 = 1 / out intr0 = 1 / out intr1 = 0 / r4 0xfee00220 = 2 / fix 0 0x52 0 / fix 0 0x43 0
			ack0 = 0x52 / out intr0 = 0 / r4 0xfee00120 = 0x40000 / r4 0xfee000a0 = 0x50 / r4 0xfee00090 = 0x50
			fix 0 0x61 0 / out intr0 = 1 / ack0 = 0x61 / w4 0xfee000b0 0 / out intr0 = 0 / w4 0xfee000b0 0 / out intr0 = 1
			ack0 = 0x43 / out intr0 = 0 / w4 0xfee000b0 0 / ack0 = 0x41 / w4 0xfee000b0 0 / r4 0xfee00120 = 0 / ack0 = 0xff`,
		"TPR": on + `
			w4 0xfee00080 0x50 / fix 0 0x51 0 / out intr0 = 0 / r4 0xfee000a0 = 0x50 / fix 0 0x61 0 / out intr0 = 1 / ack0 = 0x61
			w4 0xfee000b0 0 / tpr0 0x4f / out intr0 = 1 / r4 0xfee00080 = 0x4f / r4 0xfee00090 = 0x50 / tpr0 0x50 / ack0 = 0xff`,
		"EOI of a level is broadcast": on + `
			fix 0 0x41 1 / r4 0xfee001a0 = 2 / ack0 = 0x41 / w4 0xfee000b0 0 / eois = 0x41
			fix 0 0x41 0 / r4 0xfee001a0 = 0 / ack0 = 0x41 / w4 0xfee000b0 0 / eois = 0`,
		"software disable": `
			fix 0 0x41 0 = 0 / out intr0 = 0 / w4 0xfee00320 0x30 / r4 0xfee00320 = 0x10030 / w4 0xfee000f0 0x1ff / w4 0xfee00320 0x30
			r4 0xfee00320 = 0x30 / fix 0 0x41 0 = 1 / w4 0xfee000f0 0xff / r4 0xfee00320 = 0x10030 / out intr0 = 0 / ack0 = 0xff`,
		"IPIs": on + `
			w4 0xfee00310 0x01000000 / w4 0xfee00300 0x4041 / out intr1 = 1 / out intr0 = 0 / ack1 = 0x41 / r4 0xfee00310 = 0x01000000 / r4 0xfee00300 = 0x4041
			w4 0xfee00300 0x44042 / ack0 = 0x42 / out intr1 = 0
			w4 0xfee010b0 0 / w4 0xfee00300 0x84052 / ack0 = 0x52 / ack1 = 0x52 / w4 0xfee00300 0xc4063 / out intr0 = 0 / ack1 = 0x63
			w4 0xfee00300 0xc4400 / edges nmi1 = 1 / edges nmi0 = 0 / w4 0xfee00300 0xc4200 / edges smi1 = 1
			w4 0xfee00300 0x45400 / log = "cannot be sent" / w4 0xfee00300 0x4700 / log = "reserved delivery"`,
		"start-up": on + `
			w4 0xfee01080 0x30 / w4 0xfee00310 0x01000000 / w4 0xfee00300 0xc500 / edges init1 = 1 / edges init0 = 0 / r4 0xfee01080 = 0 / r4 0xfee010f0 = 0xff
			w4 0xfee00300 0x8500 / edges init1 = 0 / w4 0xfee00300 0x4699 / sipi = 0x199`,
		"logical, flat": on + `
			w4 0xfee000d0 0x01000000 / w4 0xfee010d0 0x02000000 / w4 0xfee00310 0x02000000 / w4 0xfee00300 0x4841 / out intr0 = 0 / ack1 = 0x41
			w4 0xfee010b0 0 / w4 0xfee00310 0x03000000 / w4 0xfee00300 0x4841 / ack0 = 0x41 / ack1 = 0x41
			w4 0xfee000b0 0 / w4 0xfee010b0 0 / w4 0xfee00310 0x04000000 / w4 0xfee00300 0x4841 / out intr0 = 0 / out intr1 = 0`,
		"logical, cluster": on + `
			w4 0xfee000e0 0x0fffffff / w4 0xfee010e0 0 / r4 0xfee010e0 = 0x0fffffff
			w4 0xfee000d0 0x01000000 / w4 0xfee010d0 0x11000000 / w4 0xfee00310 0x11000000 / w4 0xfee00300 0x4841 / out intr0 = 0 / ack1 = 0x41
			w4 0xfee010b0 0 / w4 0xfee00310 0xf1000000 / w4 0xfee00300 0x4841 / ack0 = 0x41 / ack1 = 0x41`,
		"lowest priority": on + `
			w4 0xfee000d0 0x01000000 / w4 0xfee010d0 0x02000000 / tpr0 0x40 / msi 0xfee03004 0x0151 = 1 / out intr0 = 0 / out intr1 = 1
			tpr1 0x60 / msi 0xfee03004 0x0151 = 1 / out intr0 = 0 / ack1 = 0xff / msi 0xfee0300c 0x0171 / ack0 = 0x71`,
		"MSI": on + `
			msi 0xfee01000 0x41 = 1 / ack1 = 0x41 / msi 0xfee00000 0xc042 = 1 / r4 0xfee001a0 = 4 / ack0 = 0x42 / msi 0xfee00000 0x8043 = 1 / out intr0 = 0
			msi 0xfee05000 0x41 = 0`,
		"errors": on + `
			w4 0xfee00370 0x33 / fix 0 5 0 = 0 / out intr0 = 1 / r4 0xfee00280 = 0 / w4 0xfee00280 0 / r4 0xfee00280 = 0x40 / w4 0xfee00280 0 / r4 0xfee00280 = 0
			ack0 = 0x33 / w4 0xfee000b0 0 / w4 0xfee00300 0x4005 / w4 0xfee00280 0 / r4 0xfee00280 = 0x20
			ack0 = 0x33 / r4 0xfee00040 = 0 / w4 0xfee00280 0 / r4 0xfee00280 = 0x80
			w4 0xfee00370 3 / w4 0xfee003f0 1 / w4 0xfee00280 0 / r4 0xfee00280 = 0xc0`,
		"timer, one-shot": on + `
			w4 0xfee003e0 0xb / w4 0xfee00320 0x40 / w4 0xfee00380 1000000 / r4 0xfee00390 = 1000000 / t 600us / r4 0xfee00390 = 400000
			t 399999ns / out intr0 = 0 / t 1ns / out intr0 = 1 / ack0 = 0x40 / w4 0xfee000b0 0 / r4 0xfee00390 = 0 / t 1s / out intr0 = 0
			w4 0xfee003e0 3 / w4 0xfee00380 1000 / t 15999ns / r4 0xfee00390 = 1 / out intr0 = 0 / t 1ns / out intr0 = 1
			w4 0xfee00380 1000 / w4 0xfee00380 0 / r4 0xfee00390 = 0 / ack0 = 0x40 / w4 0xfee000b0 0 / t 1s / out intr0 = 0`,
		"timer, periodic": on + `
			w4 0xfee003e0 0 / w4 0xfee00320 0x20040 / w4 0xfee00380 500000 / t 1ms / ack0 = 0x40 / w4 0xfee000b0 0 / out intr0 = 0
			t 1ms / ack0 = 0x40 / w4 0xfee000b0 0 / r4 0xfee00390 = 500000 / w4 0xfee00320 0x30040 / t 10ms / out intr0 = 0 / w4 0xfee00320 0x20040 / t 1ms / out intr0 = 1`,
		"timer, a short period does not flood": on + `w4 0xfee003e0 0xb / w4 0xfee00320 0x20040 / w4 0xfee00380 1 / t 10ms / out intr0 = 1`,
		"timer, TSC-deadline": on + `
			w4 0xfee00320 0x40040 / r4 0xfee00320 = 0x40040 / w4 0xfee00380 1000 / r4 0xfee00390 = 0 / deadline0 4000 = 4000
			t 1999ns / out intr0 = 0 / t 1ns / out intr0 = 1 / ack0 = 0x40 / w4 0xfee000b0 0
			deadline0 1 = 0 / ack0 = 0x40 / w4 0xfee000b0 0 / deadline0 1000000 / w4 0xfee00320 0x40 / deadline0 0 = 0 / t 1s / out intr0 = 0`,
		"LINT0 as ExtINT": on + `
			in lint0.0 1 / out intr0 = 0 / w4 0xfee00350 0x700 / out intr0 = 1 / ack0 = 0x71 / out intr0 = 1 / in lint0.0 0 / out intr0 = 0
			in lint0.0 1 / fix 0 0x41 0 / ack0 = 0x41 / ack0 = 0x71 / w4 0xfee00350 0x10700 / out intr0 = 0`,
		"LINT1 as NMI": on + `in lint1.0 1 / edges nmi0 = 0 / in lint1.0 0 / w4 0xfee00360 0x400 / in lint1.0 1 / edges nmi0 = 1`,
		"LINT, fixed": on + `
			w4 0xfee00350 0x41 / in lint0.0 1 / ack0 = 0x41 / w4 0xfee000b0 0 / out intr0 = 0 / in lint0.0 0
			w4 0xfee00350 0x8041 / in lint0.0 1 / r4 0xfee00350 = 0xc041 / ack0 = 0x41 / out intr0 = 0 / w4 0xfee000b0 0 / out intr0 = 1
			ack0 = 0x41 / in lint0.0 0 / w4 0xfee000b0 0 / out intr0 = 0 / r4 0xfee00350 = 0x8041`,
		"thermal and performance": on + `
			w4 0xfee00330 0x41 / thermal0 / ack0 = 0x41 / w4 0xfee00340 0x400 / perf0 / edges nmi0 = 1 / r4 0xfee00340 = 0x10400 / perf0 / edges nmi0 = 0`,
		"global disable": on + `
			fix 0 0x41 0 / base0 0xfee00100 = 0xfee00100 / out intr0 = 0 / at = 0 / fix 0 0x41 0 = 0
			in lint0.0 1 / out intr0 = 1 / ack0 = 0x71 / in lint1.0 1 / edges nmi0 = 1 / base0 0xfee00900 / r4 0xfee000f0 = 0xff / out intr0 = 0`,
		"base":                             `base0 0xfed00900 = 0xfed00900 / at = 0xfed00000 / base0 0xfee00d00 = 0 / base0 0x1000fee00900 = 0 / base0 0xfee00901 = 0`,
		"accesses that are not of 32 bits": `r4 0xfee00034 = 0 / r1 0xfee00030 = 0x14 / r8 0xfee00030 = 0x50014`,
		"read-only":                        `w4 0xfee00030 1 / log = "read-only" / w4 0xfee00100 1 / log = "reserved or read-only"`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
	devtest.Run(t, builder(true, false), `in lint0.0 1 / out intr0 = 1 / ack0 = 0x71 / in lint0.1 1 / out intr1 = 0`)
}

func TestX2APIC(t *testing.T) {
	const (
		gp = "0x8000000000000000"
		x2 = `base0 0xfee00d00 = 0xfee00d00 / base1 0xfee00c00 = 0xfee00c00 / wrmsr0 0xf 0x1ff = 0 / wrmsr1 0xf 0x1ff = 0
`
	)
	for name, script := range map[string]string{
		"its own registers": x2 + `
			rdmsr0 2 = 0 / rdmsr1 2 = 1 / rdmsr0 3 = 0x50014 / rdmsr0 0xd = 1 / rdmsr1 0xd = 2 / rdmsr0 0xf = 0x1ff
			rdmsr0 0xe = GP / rdmsr0 9 = GP / rdmsr0 0xb = GP / rdmsr0 0x31 = GP / rdmsr0 0x3f = GP / rdmsr0 0x40 = GP
			wrmsr0 2 0 = GP / wrmsr0 0xd 0 = GP / wrmsr0 0xb 1 = GP / wrmsr0 8 0x100000020 = GP / wrmsr0 0x28 1 = GP`,
		"not in the other mode": `rdmsr0 2 = GP / wrmsr0 8 0 = GP`,
		"modes": `base0 0xfee00500 = 0 / base0 0xfee00d00 = 0xfee00d00 / base0 0xfee00900 = 0
			base0 0xfee00100 = 0xfee00100 / base0 0xfee00d00 = 0 / base0 0xfee00900 = 0xfee00900`,
		"interrupts": x2 + `
			fix 0 0x41 0 = 1 / rdmsr0 0x22 = 2 / ack0 = 0x41 / rdmsr0 0x12 = 2 / rdmsr0 0xa = 0x40 / wrmsr0 0xb 0 = 0 / rdmsr0 0xa = 0
			wrmsr0 8 0x50 = 0 / rdmsr0 8 = 0x50 / fix 0 0x51 0 / out intr0 = 0 / wrmsr0 8 0 = 0 / out intr0 = 1`,
		"IPIs": x2 + `
			wrmsr0 0x30 0x100004041 = 0 / rdmsr0 0x30 = 0x100004041 / out intr0 = 0 / ack1 = 0x41 / wrmsr1 0xb 0
			wrmsr0 0x30 0x200004852 = 0 / out intr0 = 0 / ack1 = 0x52 / wrmsr1 0xb 0
			wrmsr0 0x30 0xffffffff00004053 = 0 / ack0 = 0x53 / ack1 = 0x53 / wrmsr0 0xb 0 / wrmsr1 0xb 0
			wrmsr0 0x3f 0x64 = 0 / ack0 = 0x64 / out intr1 = 0 / wrmsr0 0x3f 0x100 = GP`,
		"timer": x2 + `
			wrmsr0 0x3e 0xb = 0 / wrmsr0 0x32 0x40 = 0 / wrmsr0 0x38 1000000 = 0 / t 600us / rdmsr0 0x39 = 400000 / t 400us / ack0 = 0x40`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, builder(false, true), strings.ReplaceAll(script, "GP", gp)) })
	}
}

func TestVectors(t *testing.T) {
	var s vectors
	for _, v := range []uint8{16, 63, 64, 200, 255} {
		s.set(v)
		if s.highest() != int(v) || !s.has(v) || s.word(uint64(v/32))>>(v%32)&1 == 0 {
			t.Errorf("vector %d", v)
		}
	}
	for _, v := range []uint8{255, 200, 64, 63, 16} {
		s.clear(v)
	}
	if s.highest() != -1 {
		t.Error("not empty")
	}
}

// A late host: the expiries that have passed are one, and the next is in time.
func TestLate(t *testing.T) {
	b := devtest.New(build, 0)
	b.Script(t, on+`w4 0xfee003e0 0xb / w4 0xfee00320 0x20040 / w4 0xfee00380 1000000`)
	a := b.Dev().(pair).a[0]
	a.timer.Stop()
	b.Clock.Advance(10_500_000)
	a.Settle()
	if at, set := a.timer.Deadline(); !set || at != 11_000_000 {
		t.Errorf("the next expiry is at %d, %v", at, set)
	}
	b.Script(t, `ack0 = 0x40 / w4 0xfee000b0 0 / out intr0 = 0 / r4 0xfee00390 = 500000 / t 500us / out intr0 = 1`)
}
