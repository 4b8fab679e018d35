package irtest

import (
	"fmt"
	"strconv"
	"strings"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// Program is a unit as text with what it must come to. It is written in a
// file as a line "== NAME", the unit, and lines
//
//	; set SLOT=VALUE ...     before
//	; run EXIT SLOT=VALUE ... what it must come to
type Program struct {
	Name, Text string
	set, want  []string
}

// Programs reads a file of them.
func Programs(text string) (list []Program) {
	for _, part := range strings.Split("\n"+text, "\n== ")[1:] {
		p := Program{}
		p.Name, p.Text, _ = strings.Cut(part, "\n")
		for _, line := range strings.Split(p.Text, "\n") {
			_, c, ok := strings.Cut(line, "; ")
			if ok && strings.HasPrefix(c, "set ") {
				p.set = append(p.set, strings.Fields(c)[1:]...)
			}
			if ok && strings.HasPrefix(c, "run ") {
				p.want = strings.Fields(c)[1:]
			}
		}
		list = append(list, p)
	}
	return list
}

// ProgramSlots are the slots of programs: pc, r1 to r4 of 32 bits, v1, and q1
// to q4 of 64 bits.
func ProgramSlots() *ir.Slots {
	s := &ir.Slots{PC: 0}
	s.Info[0] = ir.SlotInfo{Name: "pc", Type: ir.I32}
	for i := 1; i <= 4; i++ {
		s.Info[i] = ir.SlotInfo{Name: "r" + strconv.Itoa(i), Type: ir.I32}
		s.Info[7+i] = ir.SlotInfo{Name: "q" + strconv.Itoa(i), Type: ir.I64}
	}
	s.Info[6] = ir.SlotInfo{Name: "v1", Type: ir.V128}
	return s
}

// ProgramHelpers are the helpers of programs: h0 adds 100 to r1 and returns
// a + 10b + 100c, h1 (pure) gives 2a + b, h2 stops.
func ProgramHelpers(f *ir.Frame) []guest.Helper {
	return []guest.Helper{
		func(a, b, c uint64) (uint64, bool) { f[1] += 100; return a + 10*b + 100*c, false },
		func(a, b, c uint64) (uint64, bool) { return a*2 + b, false },
		func(a, b, c uint64) (uint64, bool) { return 0, true },
	}
}

// Check runs p: run executes u on f and says how it was left. It returns what
// is wrong, "" if nothing is.
func (p *Program) Check(s *ir.Slots, f *ir.Frame, run func(u *ir.Unit) string) string {
	u, err := ir.Parse(p.Text, s)
	if err != nil {
		return err.Error()
	}
	if again, err := ir.Parse(u.String(), s); err != nil || again.String() != u.String() {
		return fmt.Sprintf("the printed form does not parse to itself: %v\n%s", err, u)
	}
	for _, w := range p.set {
		n, v, _ := strings.Cut(w, "=")
		x, ok := s.Find(n)
		if f[x], err = strconv.ParseUint(v, 0, 64); err != nil || !ok {
			return "cannot set " + w
		}
	}
	if len(p.want) == 0 {
		return "no line says what it must come to"
	}
	got := run(u)
	for _, w := range p.want[1:] {
		n, _, _ := strings.Cut(w, "=")
		x, ok := s.Find(n)
		if !ok {
			return "no slot " + n
		}
		got += fmt.Sprintf(" %s=%#x", n, f[x])
	}
	if want := strings.Join(p.want, " "); got != want {
		return fmt.Sprintf("got  %s\nwant %s\n%s", got, want, u)
	}
	return ""
}
