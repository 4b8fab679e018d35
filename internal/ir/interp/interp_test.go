package interp

import (
	"os"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/irtest"
)

// flat is a Memory without an MMU.
type flat struct{ irtest.Memory }

func (m *flat) MissLoad(va uint64, size, _ int, _ bool) (uint64, *guest.Fault) {
	return m.Load(va, size)
}

func (m *flat) MissStore(va uint64, size, _ int, v uint64, _ *Code) (*guest.Fault, bool) {
	return m.Store(va, size, v), false
}

// TestUnits runs testdata/units.txt.
func TestUnits(t *testing.T) {
	text, err := os.ReadFile("testdata/units.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := irtest.Programs(string(text))
	if len(list) < 10 {
		t.Fatalf("only %d units", len(list))
	}
	names := [...]string{"poll", "link", "indirect", "loop", "stopped", "faulted", "guarded"}
	for _, p := range list {
		t.Run(p.Name, func(t *testing.T) {
			f, slots := new(ir.Frame), irtest.ProgramSlots()
			wrong := p.Check(slots, f, func(u *ir.Unit) string {
				code := NewLowerer(irtest.ProgramHelpers(f)).Lower(u)
				return names[NewMachine(f, slots, &flat{}).Run(code)]
			})
			if wrong != "" {
				t.Error(wrong)
			}
		})
	}
}
