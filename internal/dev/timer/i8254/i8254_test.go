package i8254

import (
	"fmt"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/irq"
)

func build(b *devtest.Bench) dev.Device {
	p := New(Config{Env: b.Env(), Out: [3]irq.Line{b.Out("out0"), b.Out("out1"), b.Out("out2")}})
	for i := range 3 {
		b.In(fmt.Sprint("gate", i), p.Gate(i))
	}
	b.Map(0x40, p.Region())
	// clk n: time moves to n clocks after the current one.
	b.Verb("clk", func(a []uint64) uint64 {
		b.Clock.Advance(max(0, toNS(p.now()+int64(a[0]%100000))-b.Clock.Now()))
		return 0
	})
	b.Verb("level", func(a []uint64) uint64 {
		if p.Out(int(a[0] % 3)) {
			return 1
		}
		return 0
	})
	return p
}

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzPIT(f *testing.F)     { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"mode 0, interrupt on terminal count": `
			w1 0x43 0x30 / out out0 = 0 / w1 0x40 100 / w1 0x40 0
			clk 1 / r1 0x40 = 100 / r1 0x40 = 0
			clk 10 / w1 0x43 0 / clk 5 / r1 0x40 = 90 / r1 0x40 = 0
			clk 84 / out out0 = 0 / clk 1 / out out0 = 1 / edges out0 = 1
			clk 10 / r1 0x40 = 0xf6 / r1 0x40 = 0xff    # counts on
			clk 70000 / edges out0 = 0
			w1 0x40 5 / out out0 = 0 / clk 50 / out out0 = 0   # first byte: stopped and low
			w1 0x40 0 / clk 5 / out out0 = 0 / clk 1 / out out0 = 1`,
		"mode 0, gate": `
			w1 0x43 0x10 / w1 0x40 20 / clk 6 / in gate0 0 / clk 100 / r1 0x40 = 15 / out out0 = 0
			in gate0 1 / clk 14 / out out0 = 0 / clk 1 / out out0 = 1
			in gate0 0 / w1 0x40 7 / clk 50 / r1 0x40 = 7 / in gate0 1 / clk 6 / out out0 = 0 / clk 1 / out out0 = 1`,
		"mode 1, one-shot": `
			w1 0x43 0x92 / w1 0x42 50 / clk 100 / level 2 = 1 / out out2 = 1
			in gate2 0 / in gate2 1 / out out2 = 1 / clk 1 / out out2 = 0 / clk 49 / out out2 = 0 / clk 1 / out out2 = 1
			in gate2 0 / in gate2 1 / clk 20 / in gate2 0 / out out2 = 0 / in gate2 1 / clk 49 / out out2 = 0 / clk 1 / clk 1 / out out2 = 1
			in gate2 0 / in gate2 1 / clk 10 / w1 0x42 5 / clk 40 / out out2 = 0 / clk 1 / out out2 = 1 # a new count waits for the trigger
			in gate2 0 / in gate2 1 / clk 5 / out out2 = 0 / clk 1 / out out2 = 1`,
		"mode 2, rate generator": `
			w1 0x43 0x34 / out out0 = 1 / w1 0x40 100 / w1 0x40 0 / clk 1
			r1 0x40 = 100 / r1 0x40 = 0 / clk 99 / level 0 = 0 / clk 1 / level 0 = 1 / edges out0 = 1
			clk 1000 / edges out0 = 10
			clk 30 / w1 0x40 50 / w1 0x40 0 / clk 69 / level 0 = 0 / clk 1 / edges out0 = 1  # the cycle ends first
			clk 50 / edges out0 = 1 / clk 50 / edges out0 = 1
			clk 20 / in gate0 0 / level 0 = 1 / clk 500 / edges out0 = 0
			in gate0 1 / clk 50 / level 0 = 0 / clk 1 / edges out0 = 1`,
		"mode 3, even": `
			w1 0x43 0xb6 / w1 0x42 100 / w1 0x42 0 / clk 1 / level 2 = 1
			r1 0x42 = 100 / r1 0x42 = 0 / clk 1 / r1 0x42 = 98 / r1 0x42 = 0
			clk 48 / level 2 = 1 / r1 0x42 = 2 / r1 0x42 = 0
			clk 1 / level 2 = 0 / r1 0x42 = 100 / r1 0x42 = 0 / clk 49 / level 2 = 0 / clk 1 / level 2 = 1
			edges out2 = 1 / clk 1000 / edges out2 = 10
			clk 10 / in gate2 0 / level 2 = 1 / clk 1000 / in gate2 1 / clk 1 / clk 50 / level 2 = 0`,
		"mode 3, odd": `
			w1 0x43 0x96 / w1 0x42 25 / clk 1 / r1 0x42 = 24
			clk 12 / level 2 = 1 / r1 0x42 = 0 / clk 1 / level 2 = 0 / r1 0x42 = 24
			clk 11 / level 2 = 0 / r1 0x42 = 2 / clk 1 / level 2 = 1 / r1 0x42 = 24`,
		"mode 3, a new count at the half-cycle": `
			w1 0x43 0x96 / w1 0x42 100 / clk 1 / clk 60 / level 2 = 0 / w1 0x42 40
			clk 39 / level 2 = 0 / clk 1 / level 2 = 1 / clk 19 / level 2 = 1 / clk 1 / level 2 = 0
			clk 5 / w1 0x42 60 / clk 14 / level 2 = 0 / clk 1 / level 2 = 1
			clk 5 / w1 0x42 20 / clk 25 / level 2 = 0 / clk 10 / level 2 = 1 / clk 10 / level 2 = 0`,
		"mode 4, software strobe": `
			w1 0x43 0x18 / w1 0x40 30 / out out0 = 1 / clk 30 / out out0 = 1 / clk 1 / out out0 = 0 / clk 1 / out out0 = 1
			edges out0 = 1 / clk 1000 / edges out0 = 0
			w1 0x40 30 / clk 10 / w1 0x40 30 / clk 30 / out out0 = 1 / clk 1 / out out0 = 0
			w1 0x40 30 / clk 11 / in gate0 0 / clk 100 / r1 0x40 = 20 / in gate0 1 / clk 20 / out out0 = 0`,
		"mode 5, hardware strobe": `
			w1 0x43 0x1a / w1 0x40 30 / clk 100 / edges out0 = 0 / in gate0 0 / in gate0 1
			clk 30 / out out0 = 1 / clk 1 / out out0 = 0 / clk 1 / out out0 = 1 / clk 1000 / edges out0 = 1`,
		"BCD": `
			w1 0x43 0x31 / w1 0x40 0x00 / w1 0x40 0x10 / clk 2 / r1 0x40 = 0x99 / r1 0x40 = 0x09
			clk 1000 / r1 0x40 = 0x99 / r1 0x40 = 0x99
			w1 0x40 0 / w1 0x40 0 / clk 10000 / out out0 = 0 / clk 1 / out out0 = 1`,
		"zero is 65536": `
			w1 0x43 0x34 / w1 0x40 0 / w1 0x40 0 / clk 1 / clk 65535 / edges out0 = 0 / clk 1 / edges out0 = 1`,
		"latches": `
			w1 0x43 0x34 / w1 0x40 0xe8 / w1 0x40 3 / clk 11 / w1 0x43 0 / clk 100 / w1 0x43 0
			r1 0x40 = 0xde / clk 300 / r1 0x40 = 3 / r1 0x40 = 0x4e / r1 0x40 = 2
			r1 0x40 & 0 = 0 / w1 0x43 0x34 / w1 0x40 4 / w1 0x40 1 / clk 1 / r1 0x40 = 4 / r1 0x40 = 1`,
		"read-back": `
			w1 0x43 0x36 / w1 0x43 0xe2 / r1 0x40 = 0xf6    # status: OUT, null, both bytes, mode 3
			w1 0x40 100 / w1 0x43 0xe2 / r1 0x40 = 0xf6 / w1 0x40 0 / w1 0x43 0xe2 / r1 0x40 = 0xf6
			clk 1 / w1 0x43 0xe2 / r1 0x40 = 0xb6 / clk 50 / w1 0x43 0xe2 / r1 0x40 = 0x36
			w1 0x43 0xc2 / clk 10 / r1 0x40 = 0x36 / r1 0x40 = 100 / r1 0x40 = 0      # status, then count
			w1 0x43 0x50 / w1 0x41 9 / clk 3 / w1 0x43 0xde / clk 3 / r1 0x41 = 7 / r1 0x42 & 0 = 0
			w1 0x43 0xe4 / clk 5 / w1 0x43 0xe4 / r1 0x41 = 0x10 / r1 0x41 = 0xff`,
		"MSB only":                      `w1 0x43 0x24 / w1 0x40 2 / clk 1 / r1 0x40 = 2 / clk 1 / r1 0x40 = 1 / r1 0x40 = 1`,
		"control port reads as nothing": `r1 0x43 = 0xff`,
		"a count of 2 does not flood":   `w1 0x43 0x14 / w1 0x40 2 / t 10ms / edges out0 = 994 # each 12 clocks`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}

// A late host: the clock jumps over many edges, of which one is seen.
func TestLate(t *testing.T) {
	b := devtest.New(build, 0)
	b.Script(t, `w1 0x43 0x36 / w1 0x40 0x00 / w1 0x40 0x10 / clk 1 / edges out0 = 0`)
	p := b.Dev().(*Timer)
	p.timer[0].Stop()
	b.Clock.Advance(toNS(4096*20+100) - b.Clock.Now())
	b.Script(t, `edges out0 = 0`)
	p.Settle()
	b.Script(t, `edges out0 = 1 / out out0 = 1 / clk 4096 / edges out0 = 1`)
}

// The IRQ 0 of a day is the number of ticks that the counts say.
func TestNoDrift(t *testing.T) {
	b := devtest.New(build, 0)
	b.Script(t, `w1 0x43 0x34 / w1 0x40 0x9c / w1 0x40 0x2e / t 1000s / edges out0 = 99998`)
	if want := 1000 * Hz / 0x2e9c; want != 99998 {
		t.Errorf("the test is wrong: %d", want)
	}
}
