//go:build linux && amd64

package user

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestForkExec runs what forks where fork is by execve.
func TestForkExec(t *testing.T) {
	t.Setenv(forkVar, "exec")
	t.Run("shell", TestShell)
	for _, box := range []string{"busybox-i386", "busybox-x86_64"} {
		t.Run(box, func(t *testing.T) { testForkExec(t, guest(t, box)) })
	}
	t.Run("memory", testForkMemory)
}

// testForkExec has shells' children see descriptors, variables, the folder, the
// mask of files and what signals are ignored or blocked as after any fork.
func testForkExec(t *testing.T, box string) {
	dir := t.TempDir()
	script := `
cd "$1"; umask 027
exec 7>seven 0<&-
trap '' USR1; trap 'echo never' USR2
v=$(i=0; while [ $i -lt 3000 ]; do echo "line $i of many"; i=$((i+1)); done)
(cd /; echo ${#v}; umask; pwd; echo to seven >&7; (kill -USR1 $(exec sh -c 'echo $PPID'); echo ignored))
pwd; cat seven
(exit 9); echo $?
(read x 2>/dev/null || echo no input)
sh -c 'kill -USR1 $$; echo inherited'
rm -f ready
(trap 'echo TERM in a child; exit 4' TERM; sleep 5 >/dev/null 2>&1 & sleep 0.3; : >ready; while :; do :; done) &
while [ ! -e ready ]; do sleep 0.1; done; kill -TERM $!; wait $!; echo $?
(kill -SEGV $(exec sh -c 'echo $PPID')) 2>/dev/null; echo $?
n=0; for i in 1 2 3 4 5; do n=$(($n + $( (echo $i; echo $i) | wc -l ) )); done; echo $n
exec 0</dev/null
ls -l /proc/self/fd 2>/dev/null | grep -v cgroup | grep -o '[0-9]* -> [^:]*' | sort
`
	run := func(how string) string {
		t.Setenv(forkVar, how)
		out, errs, status := start(t, false, box, "sh", "-c", script, "sh", dir)
		if status != 0 {
			t.Errorf("%s: status %d, %s", how, status, errs)
		}
		return out
	}
	want := run("threads")
	if !strings.Contains(want, "52889\n0027\n/\nignored\n") || !strings.Contains(want, "TERM in a child\n4\n") {
		t.Errorf("threads:\n%s", want)
	}
	if got := run("exec"); got != want {
		t.Errorf("%s", difference(got, want))
	}
}

// testForkMemory compares a program whose children look at all kinds of memory
// with itself on the processor.
func testForkMemory(t *testing.T) {
	for _, arch := range []string{"i386", "amd64"} {
		exe := built(t, arch, "fork", "fork", "-O1", "-fno-pie", "-no-pie")
		for _, how := range []string{"threads", "exec"} {
			t.Setenv(forkVar, how)
			out, errs, status := start(t, false, exe, filepath.Join(t.TempDir(), "file"))
			if status != 0 || !strings.HasSuffix(out, "done\n") || strings.Contains(out, "wrong") {
				t.Errorf("%s by %s: status %d\n%s%s", arch, how, status, out, errs)
			}
		}
	}
}

// TestVfork: nothing that threads store is lost to what a child has of it, which may run
// some of them for a moment. Where fork is by execve, what calls vfork waits, too.
func TestVfork(t *testing.T) {
	for _, arch := range []string{"i386", "amd64"} {
		exe := built(t, arch, "vfork", "vfork", "-w")
		for how, want := range map[string]string{"threads": "threads: 0 wrong, 0 lost\n", "exec": "child, in time 1\n9\n"} {
			t.Setenv(forkVar, how)
			what := map[string]string{"threads": "threads", "exec": "order"}[how]
			if out, errs, status := start(t, false, exe, what); status != 0 || out != want {
				t.Errorf("%s by %s: status %d\n%s%s", arch, how, status, out, errs)
			}
		}
	}
}

// TestForkOption: what RHEA_FORK may not be is told.
func TestForkOption(t *testing.T) {
	t.Setenv(forkVar, "nonsense")
	_, errs, status := start(t, false, os.Args[0])
	if status != 1 || !strings.Contains(errs, "RHEA_FORK=nonsense: it is 'threads' or 'exec'") {
		t.Errorf("status %d, %q", status, errs)
	}
}
