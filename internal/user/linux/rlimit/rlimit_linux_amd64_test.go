// Package rlimit_test: what the test imports is not to be initialized before rlimit.
package rlimit_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rhea/internal/user/linux/rlimit"
)

// A program sees the limit that its parent has set, and not what the runtime
// makes of it.
func TestFiles(t *testing.T) {
	if os.Getenv("LIMITED") != "" {
		if cur, max := rlimit.Files(); cur != 123 || max != 456 {
			t.Errorf("%d, %d; want 123, 456", cur, max)
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -Sn 123; ulimit -Hn 456; LIMITED=1 exec "$0" -test.run TestFiles`, exe)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v: %s", err, out)
	}
}
