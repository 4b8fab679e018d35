package host

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Code is executable at one place and writable at another, never both, and is
// what profilers take for generated code: no file's.
func TestCodeMappings(t *testing.T) {
	c, err := NewCode(1 << 20)
	if err != nil {
		t.Skip(err)
	}
	defer c.Close()
	if !c.Dual {
		t.Skip("this host refuses two mappings")
	}
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip(err)
	}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, fmt.Sprintf("%x-%x ", c.RX, c.RX+1<<20)) {
			if f := strings.Fields(l); f[1] != "r-xs" || len(f) < 6 || f[5] != "/dev/zero" {
				t.Errorf("code is mapped as %q", l)
			}
			return
		}
	}
	t.Errorf("no mapping at %#x:\n%s", c.RX, b)
}
