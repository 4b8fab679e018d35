//go:build linux && amd64

package user

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// As cmd/rhea: see there.
func init() { runtime.LockOSThread() }

// TestMain is rhea user if the test's program is called as that: programs that
// guests execute come back here.
func TestMain(m *testing.M) {
	if strings.HasPrefix(os.Args[0], "qemu-") || filepath.Base(os.Args[0]) == asUser {
		os.Exit(Main(filepath.Base(os.Args[0]), "test", os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(withCache(m))
}

// withCache runs the tests with a directory of their own for translated code: each
// finds what those before it have kept.
func withCache(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rhea-code")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv(codeCacheVar, dir)
	return m.Run()
}

// asUser is the name by which start has a test's program be rhea user.
const asUser = "rhea-user"

// guests is the folder of the guests' programs. It is not looked for by the programs
// that TestMain runs: they may be in another root.
func guests() string {
	dir := os.Getenv("RHEA_GUESTS")
	if dir == "" {
		dir = "../../../../shared/guests"
	}
	dir, err := filepath.Abs(filepath.Join(dir, "user"))
	if err != nil {
		panic(err)
	}
	return dir
}

// start runs a program, natively if native is set.
func start(t *testing.T, native bool, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var cmd *exec.Cmd
	if native {
		cmd = exec.Command(args[0], args[1:]...)
	} else {
		cmd = exec.Command("/proc/self/exe", args...)
		cmd.Args[0] = asUser
	}
	cmd.Env = append(os.Environ(), "GUEST=here")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Minute // what hangs may have children
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(10*time.Minute, func() { cmd.Process.Kill() })
	cmd.Wait()
	if !timer.Stop() {
		t.Errorf("%v hangs", args)
	}
	if ws := cmd.ProcessState.String(); strings.HasPrefix(ws, "signal") {
		return out.String(), errs.String() + ws, -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func guest(t *testing.T, name string) string {
	p := filepath.Join(guests(), name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("%s is not there", p)
	}
	return p
}

// TestBenchmark runs the self test of the guests' kit, which knows its results.
func TestBenchmark(t *testing.T) {
	for _, name := range []string{"gkbench-i386", "gkbench-i386-sse2", "gkbench-i486", "gkbench-x86_64"} {
		for _, engine := range []string{"", "-interpreter"} {
			t.Run(name+engine, func(t *testing.T) {
				args := []string{guest(t, name), "1"}
				if engine != "" {
					if testing.Short() {
						t.Skip("takes seconds")
					}
					args = append([]string{engine}, args...)
				}
				out, errs, status := start(t, false, args...)
				if status != 0 || !strings.Contains(out+errs, "9 parts, 0 wrong") {
					t.Errorf("status %d\n%s%s", status, out, errs)
				}
			})
		}
	}
}

// TestShell runs a script of busybox's shell: subshells, pipes, signals, job
// control, programs that are executed.
func TestShell(t *testing.T) {
	for _, c := range []struct{ box, machine string }{{"busybox-i386", "i686"}, {"busybox-x86_64", "x86_64"}} {
		t.Run(c.box, func(t *testing.T) { testShell(t, guest(t, c.box), c.machine) })
	}
}

func testShell(t *testing.T, box, machine string) {
	script := `
set -u
for i in 1 2 3; do (echo sub $i); done
echo a b c | tr ' ' '\n' | sort -r | head -2
x=$(echo nested $(echo twice)); echo $x
trap 'echo got TERM' TERM; kill -TERM $$; echo after
(kill -KILL $(sh -c 'echo $PPID')); echo $?
sh -c 'exit 7'; echo $?
sleep 0.1 & wait $!; echo waited $?
seq 1 1000 | awk '{s+=$1} END {print s}'
yes | head -3 | md5sum
readlink /proc/self/exe
uname -m
no-such-program; echo $?
/etc/passwd; echo $?
ls -d /proc/self/fd/* | wc -l >/dev/null
dd if=/dev/zero bs=1000 count=100 2>/dev/null | gzip | gunzip | wc -c
`
	out, errs, status := start(t, false, box, "sh", "-c", script)
	want := strings.Join([]string{
		"sub 1", "sub 2", "sub 3", "c", "b", "nested twice", "got TERM", "after", "137", "7", "waited 0", "500500",
		"", // md5sum, see below
		box, machine, "127", "126", "100000", "",
	}, "\n")
	got := strings.Split(out, "\n")
	if len(got) > 12 {
		got[12] = ""
	}
	if strings.Join(got, "\n") != want || status != 0 {
		t.Errorf("status %d, standard error %q\n%s\nwant\n%s", status, errs, out, want)
	}
}

// build makes the program of testdata for a processor.
func build(t *testing.T, arch string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "guest-"+arch)
	cmd := exec.Command("go", "build", "-o", exe, "./testdata/guest")
	cmd.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// TestGo runs a program of Go's, with its runtime's threads and signals, as the
// host does.
func TestGo(t *testing.T) {
	host := build(t, "amd64") // not all hosts run programs of 32 bits
	for _, exe := range []string{build(t, "386"), host} {
		for _, name := range []string{"threads", "signals", "faults", "code", "net", "processes", "files", "interrupted"} {
			t.Run(filepath.Base(exe)+"/"+name, func(t *testing.T) {
				want, _, _ := start(t, true, host, name)
				for range 3 {
					out, errs, status := start(t, false, exe, name)
					if out != want || status != 0 {
						t.Fatalf("status %d\n%s%s\nwant\n%s", status, out, errs, want)
					}
				}
			})
		}
	}
}

// TestFewSignals: signals of which the kernel keeps nothing but the number, as too many
// are pending, are known all the same.
func TestFewSignals(t *testing.T) {
	exe := build(t, "amd64")
	var old unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_SIGPENDING, nil, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(0, unix.RLIMIT_SIGPENDING, &unix.Rlimit{Max: old.Max}, nil); err != nil {
		t.Fatal(err)
	}
	defer unix.Prlimit(0, unix.RLIMIT_SIGPENDING, &old, nil)
	want, _, _ := start(t, true, exe, "threads", "signals")
	out, errs, status := start(t, false, exe, "threads", "signals")
	if out != want || status != 0 {
		t.Fatalf("status %d\n%s%s\nwant\n%s", status, out, errs, want)
	}
}

// TestEnvironment: what is in the environment for the runtime of a guest is not for
// ours. GODEBUG's inittrace has each runtime print lines.
func TestEnvironment(t *testing.T) {
	box := guest(t, "busybox-x86_64")
	for _, v := range []string{"GODEBUG=inittrace=1", "GOMAXPROCS=1", "GOTRACEBACK=crash"} {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	script := "echo $GODEBUG $GOMAXPROCS $GOTRACEBACK; tr '\\0' '\\n' </proc/self/environ; exec env"
	want, _, _ := start(t, true, box, "sh", "-c", script)
	out, errs, status := start(t, false, box, "sh", "-c", script)
	if out != want || status != 0 {
		t.Errorf("status %d:\n%s\nwant\n%s", status, out, want)
	}
	if n := strings.Count(errs, "init runtime @"); n != 1 { // by that which begins anew because of it
		t.Errorf("%d runtimes of ours follow GODEBUG:\n%s", n, errs)
	}
}

func TestWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	header := func(machine byte, phnum byte) []byte {
		b := make([]byte, 52+32)
		copy(b, "\x7fELF\x01\x01\x01")
		b[16], b[18], b[28], b[42], b[44] = 2, machine, 52, 32, phnum
		b[52] = 1
		b[52+20] = 1
		return b
	}
	interp := header(3, 2)
	interp = append(interp, make([]byte, 64)...)
	copy(interp[52:], []byte{3, 0, 0, 0, 120, 0, 0, 0}) // PT_INTERP at 120, 9 bytes
	interp[52+16], interp[52+20] = 9, 9
	copy(interp[120:], "/no/ld.so")
	interp[52+16]++
	copy(interp[84:], []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5})
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 1, "no program to run"},
		{[]string{"-nonsense"}, 1, "there is no option -nonsense"},
		{[]string{"-L"}, 1, "-L needs an argument: -L path"},
		{[]string{"-L", "/no/such", "x"}, 1, "-L /no/such: stat /no/such: no such file"},
		{[]string{"-s", "1x", "x"}, 1, "-s 1x: \"1x\" is no number of bytes"},
		{[]string{"-g", "70000", "x"}, 1, "a TCP port is 1 to 65535"},
		{[]string{"-g", "/no/such/socket", "x"}, 1, "neither a TCP port nor the name of a socket"},
		{[]string{"-cpu", "nonsense", os.Args[0]}, 1, "-cpu: no CPU model \"nonsense\""},
		{[]string{"-E", "novalue", "x"}, 1, "not of the form name=value"},
		{[]string{"/no/such/program"}, 127, "/no/such/program: no such file or directory"},
		{[]string{file("text", []byte("hello"))}, 126, "not an ELF file"},
		{[]string{file("short", []byte("\x7fELF\x01\x01"))}, 126, "ELF header is truncated"},
		{[]string{file("empty", nil)}, 126, "not an ELF file"},
		{[]string{file("arm", header(40, 1))}, 126, "a program for arm, which is not supported; those for i386 and x86_64 are"},
		{[]string{file("many", header(3, 255))}, 126, "truncated"},
		{[]string{file("interp", interp)}, 127, "name the directory with the i386 libraries by -L"},
		{[]string{dir}, 126, "is a directory"},
		{[]string{file("loop", []byte("#!"+filepath.Join(dir, "loop")+"\n"))}, 126, "too many levels"},
	} {
		_, errs, status := start(t, false, c.args...)
		if status != c.status || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "goroutine") {
			t.Errorf("%q: status %d, want %d; %q, want %q", c.args, status, c.status, errs, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	box := guest(t, "busybox-i386")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-0", "echo", box, "hi", "there"}, "hi there\n"},
		{[]string{"-r", "9.8.7", box, "uname", "-r"}, "9.8.7\n"},
		{[]string{"-E", "A=1,B=2", "-U", "GUEST", box, "sh", "-c", "echo $A$B${GUEST-none}"}, "12none\n"},
		{[]string{"-s", "1M", box, "sh", "-c", "echo deep"}, "deep\n"},
		{[]string{"-R", "0x40000000", box, "echo", "low"}, "low\n"},
		{[]string{"-B", "0x100000000000", box, "echo", "based"}, "based\n"},
		{[]string{"-cpu", "qemu32", box, "echo", "cpu"}, "cpu\n"},
	} {
		out, errs, status := start(t, false, c.args...)
		if out != c.want || status != 0 {
			t.Errorf("%q: status %d, %q %q, want %q", c.args, status, out, errs, c.want)
		}
	}
	_, errs, _ := start(t, false, "-strace", box, "cat", "/dev/null")
	for _, want := range []string{`open`, `"/dev/null",O_RDONLY`, "exit_group(0)"} {
		if !strings.Contains(errs, want) {
			t.Errorf("-strace: no %s in\n%s", want, errs)
		}
	}
	log := filepath.Join(t.TempDir(), "log")
	start(t, false, "-d", "in_asm,strace", "-D", log, box, "true")
	b, _ := os.ReadFile(log)
	if !bytes.Contains(b, []byte("IN:")) || !bytes.Contains(b, []byte("exit_group")) {
		t.Errorf("-d in_asm,strace -D: %d bytes", len(b))
	}
}

// TestSysroot looks for files below -L first, links included.
func TestSysroot(t *testing.T) {
	box := guest(t, "busybox-i386")
	root := t.TempDir()
	os.MkdirAll(root+"/etc", 0o777)
	os.WriteFile(root+"/etc/only-here", []byte("inside\n"), 0o666)
	os.Symlink("/etc/only-here", root+"/etc/link")
	out, errs, _ := start(t, false, "-L", root, box, "cat", "/etc/only-here", "/etc/link", "/proc/version")
	if !strings.HasPrefix(out, "inside\ninside\nLinux") {
		t.Errorf("%q %q", out, errs)
	}
}

func TestBinfmt(t *testing.T) {
	out, _, _ := start(t, false, "-binfmt")
	if !strings.HasPrefix(out, `:qemu-i386:M::\x7f\x45\x4c\x46\x01\x01\x01\x00`) || !strings.HasSuffix(out, ":F\n") {
		t.Errorf("%q", out)
	}
}

// TestDocument compares docs/USER-SYSCALLS.md with the table that it is
// printed from.
func TestDocument(t *testing.T) {
	var want bytes.Buffer
	if err := syscalls(&want); err != nil {
		t.Fatal(err)
	}
	const name = "../../../docs/USER-SYSCALLS.md"
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what is built (%v): print it anew by 'rhea user -syscalls'", name, err)
	}
}

// TestFewAddresses: a program makes do with what addresses a limit leaves, and
// one of ours runs one of ours.
func TestFewAddresses(t *testing.T) {
	box := guest(t, "busybox-x86_64")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		`ulimit -v 150000000; exec -a "$1" "$2" "$3" echo few`,
		`exec -a "$1" "$2" -0 "$1" "$2" "$3" sh -c "echo few | cat"`,
	} {
		out, errs, status := start(t, true, "/bin/bash", "-c", script, "bash", asUser, self, box)
		if out != "few\n" || status != 0 {
			t.Errorf("%s: status %d, %q %q", script, status, out, errs)
		}
	}
}

// TestElsewhere: a program goes on where /proc is not, or shows other processes
// than those of its name space.
func TestElsewhere(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may do that")
	}
	box := guest(t, "busybox-x86_64")
	root := t.TempDir()
	b, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "busybox"), b, 0o777); err != nil {
		t.Fatal(err)
	}
	const script = "(echo sub); echo a | /busybox cat; (exec /busybox sh -c '(echo again)')"
	for _, c := range [][]string{
		{box, "chroot", root, "/busybox", "sh", "-c", script},
		{box, "unshare", "-p", "-f", box, "sh", "-c", strings.ReplaceAll(script, "/busybox", box)},
	} {
		if out, errs, status := start(t, false, c...); out != "sub\na\nagain\n" || status != 0 {
			t.Errorf("%v: status %d, %q %q", c[1:], status, out, errs)
		}
	}
}

// TestStreamsWithoutWait: descriptors are the guest's also where package os has had
// the runtime's poller opened, for a standard stream that does not wait.
func TestStreamsWithoutWait(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(p[1], true)
	box := guest(t, "busybox-x86_64")
	const script = "ls -l /proc/self/fd; exec 3>&- 4>&- 5>&- 6>&- 7>&-; sleep 0.1; (echo sub); $0 echo more"
	pid, err := syscall.ForkExec("/proc/self/exe", []string{asUser, box, "sh", "-c", script, box},
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, uintptr(p[1]), 2}})
	unix.Close(p[1])
	if err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(p[0]), "pipe")
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	var ws unix.WaitStatus
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, &ws, 0, nil)
	}
	if ws != 0 || !strings.HasSuffix(string(out), "\nsub\nmore\n") || strings.Contains(string(out), "anon_inode") {
		t.Errorf("status %#x\n%s", ws, out)
	}
}
