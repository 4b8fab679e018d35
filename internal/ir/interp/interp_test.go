package interp

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// flat is a Memory of 64 KiB without an MMU; accesses beyond fault.
type flat struct{ b [1 << 16]byte }

func (m *flat) MissLoad(va uint64, size, _ int, _ bool) (uint64, *guest.Fault) {
	if va+uint64(size) > 1<<16 {
		return 0, &guest.Fault{Vector: 14, Addr: va}
	}
	var v uint64
	for i := range size {
		v |= uint64(m.b[va+uint64(i)]) << (8 * i)
	}
	return v, nil
}

func (m *flat) MissStore(va uint64, size, _ int, v uint64, _ *Code) (*guest.Fault, bool) {
	if va+uint64(size) > 1<<16 {
		return &guest.Fault{Vector: 14, Addr: va}, false
	}
	for i := range size {
		m.b[va+uint64(i)] = byte(v >> (8 * i))
	}
	return nil, false
}

func testSlots() *ir.Slots {
	s := &ir.Slots{PC: 0}
	s.Info[0] = ir.SlotInfo{Name: "pc", Type: ir.I32}
	for i := 1; i <= 4; i++ {
		s.Info[i] = ir.SlotInfo{Name: "r" + strconv.Itoa(i), Type: ir.I32}
	}
	s.Info[6] = ir.SlotInfo{Name: "v1", Type: ir.V128}
	return s
}

// TestUnits runs testdata/units.txt: units as text, each with lines
//
//	; set SLOT=VALUE ...     before
//	; run EXIT SLOT=VALUE ... what it must come to
func TestUnits(t *testing.T) {
	text, err := os.ReadFile("testdata/units.txt")
	if err != nil {
		t.Fatal(err)
	}
	slots := testSlots()
	for _, part := range strings.Split(string(text), "\n== ")[1:] {
		name, body, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			u, err := ir.Parse(body, slots)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ir.Parse(u.String(), slots)
			if err != nil || again.String() != u.String() {
				t.Errorf("the printed form does not parse to itself: %v\n%s", err, u)
			}
			f := new(ir.Frame)
			helpers := []guest.Helper{
				func(a, b, c uint64) (uint64, bool) { f[1] += 100; return a + 10*b + 100*c, false },
				func(a, b, c uint64) (uint64, bool) { return a*2 + b, false },
				func(a, b, c uint64) (uint64, bool) { return 0, true },
			}
			code := NewLowerer(helpers).Lower(u)
			m := NewMachine(f, slots, &flat{})
			want := ""
			for _, line := range strings.Split(body, "\n") {
				_, c, ok := strings.Cut(line, "; ")
				if ok && strings.HasPrefix(c, "set ") {
					assign(f, slots, strings.Fields(c)[1:])
				}
				if ok && strings.HasPrefix(c, "run ") {
					want = c[4:]
				}
			}
			exit := m.Run(code)
			names := [...]string{"poll", "link", "indirect", "loop", "stopped", "faulted", "guarded"}
			got := names[exit]
			for _, w := range strings.Fields(want)[1:] {
				n, _, _ := strings.Cut(w, "=")
				got += " " + n + "=" + slotValue(f, slots, n)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s\n%s", got, want, u)
			}
		})
	}
}

func assign(f *ir.Frame, s *ir.Slots, words []string) {
	for _, w := range words {
		n, v, _ := strings.Cut(w, "=")
		x, _ := s.Find(n)
		f[x], _ = strconv.ParseUint(v, 0, 64)
	}
}

func slotValue(f *ir.Frame, s *ir.Slots, n string) string {
	x, ok := s.Find(n)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%#x", f[x])
}
