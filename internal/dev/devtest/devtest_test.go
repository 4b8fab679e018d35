package devtest

import (
	"strings"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

// latch is a part of one register, which drives a pin.
type latch struct {
	v   uint8
	out irq.Line
}

func (l *latch) Reset()                          { l.v = 0 }
func (l *latch) Settle()                         { l.out.Set(l.v&1 != 0) }
func (l *latch) State(s *snap.Section)           { s.Version(1); s.U8("v", &l.v) }
func (l *latch) Read(uint64, int) uint64         { return uint64(l.v) }
func (l *latch) Write(_ uint64, _ int, v uint64) { l.v = uint8(v); l.Settle() }

func build(b *Bench) dev.Device {
	l := &latch{out: b.Out("q")}
	b.Map(0x10, mem.NewIO("latch", 1, l).Sizes(1, 1))
	b.In("d", func(high bool) {
		l.v = 0
		if high {
			l.v = 1
		}
		l.Settle()
	})
	b.Verb("twice", func(a []uint64) uint64 { return 2 * a[0] })
	return l
}

func TestConform(t *testing.T) { Conform(t, build) }

// What is wrong is found.
func TestCommands(t *testing.T) {
	for cmd, want := range map[string]string{
		"w1 0x10 3":       "",
		"r1 0x10 = 3":     "",
		"r1 0x10 & 1 = 1": "",
		"r1 0x10 = 4":     "got 0x3",
		"out q = 1":       "",
		"out q = 0":       "got 0x1",
		"out p = 0":       "no such output",
		"edges q = 1":     "",
		"edges q = 2":     "got 0x1",
		"in d 0":          "",
		"in e 0":          "no such input",
		"pulse d":         "",
		"twice 4 = 8":     "",
		"twice 4 = 9":     "got 0x8",
		"nonsense":        "unknown word",
		"w1 0x10":         "1 arguments, want 2",
		"w1 0x10 zwei":    "invalid syntax",
		"t 5 Ellen":       "unknown unit",
		"t 5us":           "",
		"log = something": "the log holds",
		`log = ""`:        "",
		"reset":           "",
	} {
		b := New(build, 0)
		if !strings.HasPrefix(cmd, "w1") {
			b.Space.Write(0x10, 1, 3)
		}
		err := b.command(strings.Fields(cmd))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", cmd, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", cmd, err, want)
		}
	}
}
