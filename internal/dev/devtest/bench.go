// Package devtest is the test bench for parts: a hand-cranked clock, a space
// to map registers in, probes on the output pins, and the checks that every
// part must pass (Conform), text scripts of register accesses (Run) and a
// fuzzer that plays a hostile guest (Fuzz).
package devtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// Build makes a part on a bench: it connects the part's pins to b.Out, names
// its inputs with b.In and maps its registers with b.Map.
type Build func(b *Bench) dev.Device

// Probe watches an output pin.
type Probe struct {
	Level bool
	Rises int // low-to-high transitions since last asked
}

// Bench is what a part under test is soldered to.
type Bench struct {
	Clock *vclock.Manual
	Log   *trace.Log
	Logs  *bytes.Buffer
	Power *Power

	io     *mem.Region
	Space  *mem.Space
	wins   []window
	outs   map[string]*Probe
	inputs map[string]irq.Line
	verbs  map[string]func(args []uint64) uint64
	posted []func()
	dev    dev.Device
}

type window struct {
	base, size uint64
	io         mem.MMIO // may be nil
}

// Power records what the part asked of the machine.
type Power struct {
	Resets, PowerOffs int
	Exits             []int
}

// RequestReset implements dev.Power.
func (p *Power) RequestReset(string) { p.Resets++ }

// RequestPowerOff implements dev.Power.
func (p *Power) RequestPowerOff(string) { p.PowerOffs++ }

// RequestExit implements dev.Power.
func (p *Power) RequestExit(code int) { p.Exits = append(p.Exits, code) }

// New returns a bench whose clock stands at start, with a part on it that has
// been reset and settled.
func New(build Build, start int64) *Bench {
	b := &Bench{
		Clock:  vclock.NewManual(),
		Logs:   &bytes.Buffer{},
		Power:  &Power{},
		io:     mem.NewContainer("bench", 0),
		outs:   make(map[string]*Probe),
		inputs: make(map[string]irq.Line),
		verbs:  make(map[string]func([]uint64) uint64),
	}
	b.Clock.Advance(start)
	b.Log = trace.New(b.Logs, trace.GuestErrors|trace.Unimp)
	b.Space = mem.NewSpace("bench", b.io, nil)
	b.dev = build(b)
	b.dev.Reset()
	b.Settle()
	for _, p := range b.outs {
		p.Rises = 0
	}
	return b
}

// Env returns the environment for the part's Config.
func (b *Bench) Env() dev.Env {
	return dev.Env{Clock: b.Clock, Log: b.Log, Power: b.Power,
		Post: func(f func()) { b.posted = append(b.posted, f) }}
}

// Dev returns the part.
func (b *Bench) Dev() dev.Device { return b.dev }

// Settle settles the part and runs what was posted.
func (b *Bench) Settle() {
	if s, ok := b.dev.(dev.Settler); ok {
		s.Settle()
	}
	b.runPosted()
}

func (b *Bench) runPosted() {
	for len(b.posted) > 0 {
		f := b.posted[0]
		b.posted = b.posted[1:]
		f()
	}
}

// Out returns a line for an output pin of the part, and watches it.
func (b *Bench) Out(name string) irq.Line {
	p := &Probe{}
	b.outs[name] = p
	return func(level bool) {
		if level && !p.Level {
			p.Rises++
		}
		p.Level = level
	}
}

// Probe returns the state of an output pin.
func (b *Bench) Probe(name string) *Probe {
	p := b.outs[name]
	if p == nil {
		panic("BUG: no output " + name)
	}
	return p
}

// In names an input pin of the part.
func (b *Bench) In(name string, l irq.Line) { b.inputs[name] = l }

// Map maps registers at an address of the bench's space.
func (b *Bench) Map(base uint64, r *mem.Region) {
	b.io.Add(base, r)
	b.wins = append(b.wins, window{base: base, size: r.Size()})
}

// MMIO states that the fuzzer shall also call io directly.
func (b *Bench) MMIO(size uint64, io mem.MMIO) {
	b.wins = append(b.wins, window{size: size, io: io})
}

// Verb adds a word to the language of scripts.
func (b *Bench) Verb(name string, f func(args []uint64) uint64) { b.verbs[name] = f }

// levels returns all outputs as text.
func (b *Bench) levels() string {
	var names []string
	for n := range b.outs {
		names = append(names, n)
	}
	slices.Sort(names)
	var s strings.Builder
	for _, n := range names {
		fmt.Fprintf(&s, "%s=%v ", n, b.outs[n].Level)
	}
	return s.String()
}

func (b *Bench) inputNames() []string {
	var names []string
	for n := range b.inputs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (b *Bench) verbNames() []string {
	var names []string
	for n := range b.verbs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Run plays a script on a fresh bench. Commands are separated by " / " or
// line ends, # starts a comment:
//
//	w1 0x20 0x11        write one byte (w2, w4, w8 likewise)
//	r1 0x21 = 0xff      read and compare
//	r1 0x64 & 0x21 = 1  the same under a mask
//	in irq1 1           drive an input pin
//	pulse irq1          raise and lower it
//	out int = 1         look at an output pin
//	edges int = 2       rising edges of it since last asked
//	t 10us              let time pass
//	reset               reset and settle
//	ack = 8             any word given with Verb, with its result
//	log = text          the log since last asked holds the text ("" = nothing logged)
func Run(t *testing.T, build Build, script string) *Bench {
	t.Helper()
	b := New(build, 0)
	b.Script(t, script)
	return b
}
