package tcg_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"rhea/internal/accel/tcg"
)

// A loop over more units than may wait to be compiled is compiled, if there is room
// for its code.
func TestLoopBeyondTheQuickTier(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	const functions = 600
	r, sum := functionsRig(t, "quick", functions, func(c *tcg.Config) { c.CacheSize = 1 << 20 })
	runsTo(t, "quick", r, sum)
	var b strings.Builder
	r.vcpu.Report(&b)
	m := regexp.MustCompile(`(\d+) executed before they were compiled`).FindStringSubmatch(b.String())
	n, evicted := 0, !strings.Contains(b.String(), "of segments 0")
	if m == nil || evicted {
		t.Fatalf("not what is to be tested: %s", b.String())
	}
	// A function has four units or five; in four times around all might be executed so each time.
	if fmt.Sscan(m[1], &n); n > 8*functions {
		t.Errorf("%d units were executed as they were", n)
	}
	t.Log(n)
}
