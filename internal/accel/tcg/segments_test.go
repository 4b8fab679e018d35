package tcg_test

import (
	"regexp"
	"strings"
	"testing"

	"rhea/internal/accel/tcg"
)

// A program with more code than there is code memory loses the oldest of it,
// again and again, but never all.
func TestEviction(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	for _, engine := range engines()[1:] {
		r, sum := functionsRig(t, engine, 12000, func(c *tcg.Config) { c.CacheSize = 1 << 20 })
		runsTo(t, engine, r, sum)
		var b strings.Builder
		r.vcpu.Report(&b)
		m := regexp.MustCompile(`Flushes: (\d+), and of segments (\d+)`).FindStringSubmatch(b.String())
		if m == nil || m[1] != "0" || engine == "tcg" && len(m[2]) < 2 {
			t.Errorf("%s: %s", engine, b.String())
		}
	}
}
