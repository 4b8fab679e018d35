package tcg_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"rhea/internal/accel/tcg"
)

// What two have told a third has machine code of before it runs; what nobody
// should tell does nothing.
func TestLessons(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	// MOV EBX, 100; then ADD EAX, EBX; DEC EBX; JNZ back; CALL +2; JMP +3; NOP; NOP; RET; OUT; JMP to itself
	const code = "bb64000000 01d8 4b 75fb e802000000 eb03 90 90 c3 e67f ebfe"
	lesson := make([]uint64, tcg.LessonSize)
	units := func(r *rig) string {
		var b strings.Builder
		r.vcpu.Report(&b)
		return regexp.MustCompile(`(?m)^.*[Uu]nits.*$`).FindString(b.String())
	}
	tellers := func(n int) (last *rig) {
		for range n {
			last = newFlatRig(t, "quick", code)
			last.vcpu.Tell(lesson)
			if _, err := last.vcpu.Run(0); err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	pupil := newFlatRig(t, "quick", code)
	none := units(pupil)
	tellers(1)
	if lesson[0] == 0 {
		t.Fatal("nothing was told")
	}
	pupil.vcpu.Learn(lesson)
	if got := units(pupil); got != none {
		t.Errorf("told once: %s, at first %s", got, none)
	}
	last := tellers(1)
	pupil.vcpu.Learn(lesson)
	if got := units(pupil); got == none {
		t.Errorf("told twice: still %s", got)
	}
	if _, err := pupil.vcpu.Run(0); err != nil {
		t.Fatal(err)
	}
	if got, want := pupil.cpu.Registers(), last.cpu.Registers(); got.GPR != want.GPR || got.IP != want.IP {
		t.Errorf("registers %x, IP %#x; want %x, %#x", got.GPR, got.IP, want.GPR, want.IP)
	}
	x := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		for i := range lesson {
			lesson[i] = x.Uint64() >> (x.Uint() % 64)
		}
		pupil.vcpu.Learn(lesson)
		pupil.vcpu.Learn(lesson)
	}
}
