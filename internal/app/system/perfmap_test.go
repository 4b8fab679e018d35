package system

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// The map is complete when the machine is closed, and does not follow what
// somebody has put in its place.
func TestPerfMap(t *testing.T) {
	if !parse(t, "-perfmap").Log.PerfMap || parse(t).Log.PerfMap {
		t.Error("-perfmap is not noted")
	}
	if _, _, err := Parse("i386", []string{"-jitdump"}); err == nil || !strings.Contains(err.Error(), "not supported yet") {
		t.Errorf("-jitdump: %v", err)
	}
	if _, err := os.Stat("/tmp"); err != nil {
		t.Skip(err)
	}
	name := fmt.Sprintf("/tmp/perf-%d.map", os.Getpid())
	other := t.TempDir() + "/other"
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, name); err != nil {
		t.Skip(err)
	}
	p, err := newPerfMap()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(name)
	const processors, lines = 4, 3000
	var wg sync.WaitGroup
	for i := range processors {
		wg.Go(func() {
			for k := range lines {
				fmt.Fprintf(p, "%x 10 tb-%x\n", i, k)
			}
		})
	}
	wg.Wait()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for _, l := range got {
		if !strings.Contains(l, " 10 tb-") {
			t.Fatalf("line %q", l)
		}
	}
	if len(got) != processors*lines {
		t.Errorf("%d lines, want %d", len(got), processors*lines)
	}
	if b, err := os.ReadFile(other); err != nil || string(b) != "mine" {
		t.Errorf("the file behind the link is now %q, %v", b, err)
	}
}
