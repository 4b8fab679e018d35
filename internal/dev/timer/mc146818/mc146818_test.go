package mc146818

import (
	"testing"
	"time"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/snap"
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func builder(start time.Time, slew bool) devtest.Build {
	return func(b *devtest.Bench) dev.Device {
		r := New(Config{Env: b.Env(), IRQ: b.Out("irq"), NMI: b.Out("nmi"), Now: at(start), Slew: slew})
		b.Map(0x70, r.Region())
		// c index [value]: read or write a byte of CMOS
		b.Verb("rd", func(a []uint64) uint64 {
			r.Write(0, 1, a[0]&0x7f)
			return r.Read(1, 1)
		})
		b.Verb("wr", func(a []uint64) uint64 {
			r.Write(0, 1, a[0]&0x7f)
			r.Write(1, 1, a[1]&0xff)
			return 0
		})
		return r
	}
}

var build = builder(time.Date(1999, 12, 31, 23, 59, 57, 0, time.UTC), false)

func TestConform(t *testing.T) { devtest.Conform(t, build) }
func FuzzRTC(f *testing.F)     { devtest.Fuzz(f, build) }

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"BCD, 24 hours, year 2000": `
			rd 0 = 0x57 / rd 2 = 0x59 / rd 4 = 0x23 / rd 6 = 6 / rd 7 = 0x31 / rd 8 = 0x12 / rd 9 = 0x99 / rd 0x32 = 0x19 / rd 0x37 = 0x19
			t 2999ms / rd 0 = 0x59 / t 1ms
			rd 0 = 0 / rd 2 = 0 / rd 4 = 0 / rd 6 = 7 / rd 7 = 1 / rd 8 = 1 / rd 9 = 0 / rd 0x32 = 0x20 / rd 0x37 = 0x20`,
		"binary, 12 hours": `
			wr 0xb 4 / rd 0 = 57 / rd 4 = 0x8b / rd 8 = 12 / t 3s / rd 4 = 12 / t 3600s / rd 4 = 1
			t 39600s / rd 4 = 0x8c / wr 0xb 0 / rd 4 = 0x92`,
		"ports": `r1 0x70 = 0xff / w1 0x70 0x8d / out nmi = 0 / r1 0x71 = 0x80 / w1 0x70 0x0a / out nmi = 1 / r1 0x71 = 0x26
			wr 0x7f 0x55 / rd 0x7f = 0x55 / wr 0xd 1 / log = read-only`,
		"set": `
			wr 0xb 0x82 / t 5s / rd 0 = 0x57 / wr 0 0x10 / wr 2 0x20 / wr 4 0x06 / wr 7 0x28 / wr 8 2 / wr 9 4 / wr 0x32 0x20 / wr 6 2
			rd 0x37 = 0x20 / t 1s / rd 0 = 0x10 / wr 0xb 2 / rd 0 = 0x10 / t 1s / rd 0 = 0x11
			rd 6 = 2 / t 86400s / rd 7 = 0x29 / rd 6 = 3 / t 86400s / rd 7 = 1 / rd 8 = 3`,
		"set clears UIE": `wr 0xb 0x92 / rd 0xb = 0x82`,
		"divider held: the first update half a second on": `
			wr 0xa 0x76 / t 700ms / wr 0 0x30 / t 5s / rd 0 = 0x30 / wr 0xa 0x26 / t 499ms / rd 0 = 0x30 / t 1ms / rd 0 = 0x31
			t 999ms / rd 0 = 0x31 / t 1ms / rd 0 = 0x32`,
		"a field written while it runs": `t 300ms / wr 2 0x30 / rd 2 = 0x30 / t 700ms / rd 0 = 0x58 / rd 9 = 0x99`,
		"UIP": `
			rd 0xa = 0x26 / t 997ms / rd 0xa = 0x26 / t 800us / rd 0xa = 0xa6 / t 2199us / rd 0xa = 0xa6 / rd 0 = 0x57
			t 1us / rd 0xa = 0x26 / rd 0 = 0x58 / wr 0xb 0x82 / t 998ms / rd 0xa = 0x26`,
		"update interrupt": `
			wr 0xb 0x12 / out irq = 0 / t 1s / out irq = 1 / rd 0xc = 0xd0
			out irq = 0 / rd 0xc = 0 / t 1s / rd 0xc = 0xd0 / out irq = 0`,
		"flags without enables": `t 1s / rd 0xc = 0x50 / rd 0xc = 0 / out irq = 0`,
		"alarm": `
			wr 1 0x10 / wr 3 0 / wr 5 0 / wr 0xb 0x22 / t 12s / edges irq = 0 / t 1s / edges irq = 1 / rd 0xc = 0xf0
			t 86399s / out irq = 0 / t 1s / out irq = 1`,
		"alarm, don't care": `
			wr 1 0x30 / wr 3 0xff / wr 5 0xc0 / wr 0xb 0x22 / t 33s / out irq = 1 / rd 0xc = 0xf0 / t 59s / out irq = 0 / t 1s / out irq = 1`,
		"periodic": `
			wr 0xb 0x42 / edges irq = 0 / t 976us / edges irq = 0 / t 1us / edges irq = 1 / t 10ms / edges irq = 0
			rd 0xc = 0xc0 / t 1ms / edges irq = 1 / rd 0xc = 0xc0 / rd 0xc = 0`,
		"periodic rates": `
			wr 0xa 0x21 / wr 0xb 0x42 / t 3906us / edges irq = 0 / t 1us / edges irq = 1
			wr 0xa 0x2f / rd 0xc = 0xc0 / t 496092us / edges irq = 0 / t 1us / edges irq = 1
			wr 0xa 0x20 / rd 0xc = 0xc0 / t 10s / edges irq = 0`,
		"reset keeps the battery's": `wr 0xb 0x72 / wr 0x20 9 / t 2s / reset / rd 0xb = 2 / rd 0xc = 0 / rd 0 = 0x59 / rd 0x20 = 9`,
	} {
		script := script
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}

// Every periodic interrupt of a minute arrives, if the guest takes each.
func TestPeriodicCount(t *testing.T) {
	b := devtest.New(build, 0)
	b.Script(t, `wr 0xb 0x42`)
	r := b.Dev().(*RTC)
	n := 0
	for range 60 * 4096 {
		b.Clock.Advance(second / 4096)
		if b.Probe("irq").Level {
			n++
			r.Write(0, 1, regC)
			r.Read(1, 1)
		}
	}
	if n < 60*1024-1 || n > 60*1024 {
		t.Errorf("%d interrupts in a minute, want %d", n, 60*1024)
	}
}

func TestSlew(t *testing.T) {
	b := devtest.New(builder(time.Unix(0, 0), true), 0)
	// 10 ticks pass before the guest takes one; it then takes each.
	b.Script(t, `wr 0xb 0x42 / t 9766us`)
	r := b.Dev().(*RTC)
	n := 0
	for range 400 {
		if b.Probe("irq").Level {
			n++
			r.Write(0, 1, regC)
			r.Read(1, 1)
		}
		b.Clock.Advance(100_000)
	}
	if want := 10 + 40; n < want || n > want+2 {
		t.Errorf("%d interrupts, want %d", n, want)
	}
}

func TestDaylight(t *testing.T) {
	b := devtest.New(builder(time.Date(2005, 4, 24, 1, 59, 59, 0, time.UTC), false), 0)
	b.Script(t, `wr 0xb 3 / t 1s / rd 4 = 3 / rd 2 = 0 / rd 0 = 0`)
	b = devtest.New(builder(time.Date(2005, 10, 30, 1, 59, 59, 0, time.UTC), false), 0)
	b.Script(t, `wr 0xb 3 / t 1s / rd 4 = 1 / rd 2 = 0 / t 3599s / rd 4 = 1 / t 1s / rd 4 = 2 / t 3600s / rd 4 = 3`)
}

func TestTime(t *testing.T) {
	b := devtest.New(build, 0)
	r := b.Dev().(*RTC)
	b.Clock.Advance(3 * second)
	if got := r.Time(); got.Year() != 2000 || got.Second() != 0 {
		t.Error(got)
	}
	r.SetTime(time.Date(2038, 1, 19, 3, 14, 7, 5e8, time.UTC))
	b.Script(t, `rd 9 = 0x38 / t 500ms / rd 0 = 8`)
	r.Set(0x10, 0x40)
	if r.Get(0x10) != 0x40 {
		t.Error("Set")
	}
}

// The calendar follows its own source of time: on while the machine stands,
// back when the host's clock is set.
func TestDrift(t *testing.T) {
	drift := int64(0)
	var r *RTC
	b := devtest.New(func(b *devtest.Bench) dev.Device {
		r = New(Config{Env: b.Env(), IRQ: b.Out("irq"), NMI: b.Out("nmi"), Now: at(time.Date(2000, 1, 1, 0, 0, 50, 0, time.UTC)),
			Drift: func() int64 { return drift }})
		b.Map(0x70, r.Region())
		b.Verb("rd", func(a []uint64) uint64 {
			r.Write(0, 1, a[0]&0x7f)
			return r.Read(1, 1)
		})
		return r
	}, 0)
	b.Script(t, `rd 0 = 0x50 / rd 0xc = 0 / w1 0x70 1 / w1 0x71 0 / w1 0x70 3 / w1 0x71 0xff / w1 0x70 5 / w1 0x71 0xff / t 300ms`)
	drift += 50 * int64(time.Millisecond) // jitter
	b.Script(t, `rd 0 = 0x50 / t 699ms / rd 0 = 0x50 / t 1ms / rd 0 = 0x51 / rd 0xc = 0x50`)
	drift += int64(3600*time.Second) + int64(12*time.Second)
	b.Script(t, `rd 0 = 0x03 / rd 2 = 0x01 / rd 4 = 0x01 / rd 0xc = 0x30 / t 950ms / rd 0 = 0x04 / rd 0xc = 0x50`)
	drift -= int64(3600*time.Second) + int64(10*time.Second)
	b.Script(t, `rd 0 = 0x54 / rd 2 = 0 / rd 4 = 0 / rd 0xc = 0x10 / t 1s / rd 0 = 0x55`)
	// What is loaded is not moved by the time that has passed since.
	tree, err := snap.SaveTree(r)
	if err != nil {
		t.Fatal(err)
	}
	drift += int64(time.Hour)
	if err := snap.LoadTree(r, tree); err != nil {
		t.Fatal(err)
	}
	b.Script(t, `rd 0 = 0x55 / rd 4 = 0`)
	// A calendar that stands keeps standing.
	b.Script(t, `w1 0x70 0xb / w1 0x71 0x82`)
	drift += int64(time.Hour)
	b.Script(t, `rd 4 = 0 / w1 0x70 0xb / w1 0x71 2 / rd 4 = 0 / rd 0 = 0x55`)
}
