//go:build unix

package tcg_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCompare (RHEA_COMPARE=work) prints the CPU time of gkbench's floating
// point, to compare with that of others.
func TestCompare(t *testing.T) { eachEngine(t, testCompare) }

func testCompare(t *testing.T) {
	work := os.Getenv("RHEA_COMPARE")
	if work == "" {
		t.Skip("RHEA_COMPARE is not set")
	}
	cpu := func() int64 {
		var u syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return u.Utime.Nano() + u.Stime.Nano()
	}
	for _, prog := range []string{"gkbench-i486", "gkbench-i386-sse2"} {
		for _, part := range []string{"matmul", "fpgen", "conv"} {
			p := newBare(t, strings.Replace(gkbench(), "gkbench-i486", prog, 1), work, part)
			at := cpu()
			for !p.done && !strings.Contains(string(p.out), "total") { // its exit needs more than we have
				if _, err := p.vcpu.Run(0); err != nil {
					t.Fatal(err)
				}
			}
			if !strings.Contains(string(p.out), "ok") {
				t.Errorf("%s: %s", prog, p.out)
			}
			fmt.Printf("rhea %s %s %s %.2f\n", t.Name(), prog, part, float64(cpu()-at)/1e9)
		}
	}
}
