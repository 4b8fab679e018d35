package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// rhea builds the binary once for all tests of the package.
var rhea = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rhea-test")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "rhea")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

var built string // its folder

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(status)
}

func rheaBinary(t *testing.T) string {
	t.Helper()
	bin, err := rhea()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// guestFile returns a file of ../shared/guests, or skips.
func guestFile(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("RHEA_GUESTS")
	if dir == "" {
		dir = "../../../shared/guests"
	}
	f, err := filepath.Abs(filepath.Join(dir, name))
	if err == nil {
		_, err = os.Stat(f)
	}
	if err != nil {
		t.Skipf("no guests (RHEA_GUESTS names their folder): %v", err)
	}
	return f
}

// missing skips a test for want of a package; where continuous integration
// runs, which installs them all (tools/deps.sh), it fails it.
func missing(t *testing.T, file, pkg string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing although the package %s should be installed (CI=true)", file, pkg)
	}
	t.Skipf("%s is missing: install the package %s", file, pkg)
}

// need returns a file of a Debian package, or skips with its name.
func need(t *testing.T, pkg, file string) string {
	t.Helper()
	if _, err := os.Stat(file); err != nil {
		missing(t, file, pkg)
	}
	return file
}

// tool is need for a program.
func tool(t *testing.T, pkg, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p
		}
	}
	missing(t, name, pkg)
	return ""
}

// screen collects what a guest writes.
type screen struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	news chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.buf.Write(p)
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// guest is an emulator that runs.
type guest struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *screen
	errs *screen
	in   io.WriteCloser
	end  chan error
	from int // what expect has not seen yet begins here
}

// start runs "rhea system ARGS" with the guest's serial console on pipes.
func start(t *testing.T, args ...string) *guest {
	t.Helper()
	g := &guest{t: t, out: &screen{news: make(chan struct{}, 1)}, errs: &screen{news: make(chan struct{}, 1)}, end: make(chan error, 1)}
	g.cmd = exec.Command(rheaBinary(t), append([]string{"system"}, args...)...)
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.errs
	in, err := g.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.in = in
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { g.end <- g.cmd.Wait() }()
	t.Cleanup(func() {
		g.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("arguments: %s\noutput:\n%s\nerrors:\n%s", strings.Join(args, " "), tail(g.out.String()), tail(g.errs.String()))
		}
	})
	return g
}

// tail is the end of a long text.
func tail(s string) string {
	if len(s) > 6000 {
		return "…" + s[len(s)-6000:]
	}
	return s
}

// expect waits until the guest has written what matches the expression.
func (g *guest) expect(re string, wait time.Duration) string {
	g.t.Helper()
	x := regexp.MustCompile(re)
	timeout := time.After(wait)
	for {
		text := g.out.String()
		if m := x.FindStringIndex(text[g.from:]); m != nil {
			found := text[g.from:][m[0]:m[1]]
			g.from += m[1]
			return found
		}
		select {
		case <-g.out.news:
		case err := <-g.end:
			g.end <- err
			if !x.MatchString(g.out.String()[g.from:]) {
				g.t.Fatalf("the emulator ended (%v) before the guest wrote %q", err, re)
			}
		case <-timeout:
			g.t.Fatalf("the guest did not write %q within %v", re, wait)
		}
	}
}

// send types.
func (g *guest) send(s string) {
	g.t.Helper()
	if _, err := io.WriteString(g.in, s); err != nil {
		g.t.Fatal(err)
	}
}

// textScreen reads the VGA's text (80 columns, 25 rows) by a monitor on the
// console.
func (g *guest) textScreen() string {
	g.t.Helper()
	g.send("xp /2000hx 0xb8000\n")
	dump := g.expect(`(?s)xp /2000hx 0xb8000.*?\(qemu\) `, slow)
	var text []byte
	for _, m := range regexp.MustCompile(`0x([0-9a-f]{4})\b`).FindAllStringSubmatch(dump, -1) {
		cell, _ := strconv.ParseUint(m[1], 16, 16)
		if len(text)%81 == 80 {
			text = append(text, '\n')
		}
		text = append(text, byte(cell)) // the other byte is the attribute
	}
	return string(text)
}

// ends waits for the emulator to end well.
func (g *guest) ends(wait time.Duration) {
	g.t.Helper()
	select {
	case err := <-g.end:
		if err != nil {
			g.t.Errorf("the emulator ended with %v", err)
		}
	case <-time.After(wait):
		g.t.Fatalf("the emulator did not end within %v", wait)
	}
}

const slow = 5 * time.Minute // for what takes seconds on an idle machine

// until waits for cond.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(slow); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// again does something, in vain perhaps, until the guest has written what matches
// the expression.
func (g *guest) again(re string, do func()) {
	g.t.Helper()
	x := regexp.MustCompile(re)
	for end := time.Now().Add(slow); ; {
		do()
		for next := time.Now().Add(10 * time.Second); time.Now().Before(next); time.Sleep(20 * time.Millisecond) {
			if x.MatchString(g.out.String()[g.from:]) {
				g.expect(re, slow)
				return
			}
		}
		if time.Now().After(end) {
			g.t.Fatalf("the guest did not write %q within %v", re, slow)
		}
	}
}

// attempts tries what a busy host may spoil, as it does sound, until it is right.
// What is wrong in rhea is so every time.
func attempts(t *testing.T, try func() error) {
	t.Helper()
	const most = 10
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			return
		}
		if n == most {
			t.Errorf("attempt %d: %v", n, err)
			return
		}
		t.Logf("attempt %d: %v", n, err)
	}
}

// Point 2: kernels started directly reach their shell, take commands, power off.
func TestKernels(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, tc := range []struct {
		name, cpu, initrd string
		args              []string
	}{
		{"486", "486", "initramfs-i486.gz", nil},
		{"pentium", "pentium", "initramfs-i486.gz", nil},
		{"pentium2 busybox", "pentium2", "initramfs-i386.gz", nil},
		{"max busybox", "max", "initramfs-i386.gz", nil},
		{"isapc", "486", "initramfs-i486.gz", []string{"-M", "isapc"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"-cpu", tc.cpu, "-m", "64", "-nographic", "-no-reboot",
				"-kernel", guestFile(t, "bzImage-i386-486"), "-initrd", guestFile(t, tc.initrd), "-append", "console=ttyS0"}, tc.args...)
			g := start(t, args...)
			g.expect("GUEST-KIT OK Linux .* i[4-6]86", slow)
			g.expect("# ", slow)
			g.send("echo sum $((6*7))\n")
			g.expect("sum 42", slow)
			g.send("reboot -f || reboot\n") // this kernel has no power switch
			g.ends(slow)
		})
	}
}

// Kernels of 64 bits, with programs of 64 bits and of 32.
func TestKernels64(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, tc := range []struct {
		name, initrd, append string
		args                 []string
	}{
		{"default", "initramfs-x86_64.gz", "gk=test work=1", nil},
		{"interpreter", "initramfs-x86_64.gz", "gk=test work=1", []string{"-accel", "interp"}},
		{"max", "initramfs-x86_64.gz", "gk=test work=1", []string{"-cpu", "max"}},
		{"qemu64 without ACPI", "initramfs-x86_64.gz", "gk=boot acpi=off", []string{"-cpu", "qemu64"}},
		{"programs of 32 bits", "initramfs-i386.gz", "gk=test work=1", nil},
		{"programs of 32 bits, interpreter", "initramfs-i386.gz", "gk=off", []string{"-accel", "interp"}},
		{"above 4 GiB", "initramfs-x86_64.gz", "gk=off", []string{"-m", "5G"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := start(t, append([]string{"-target", "x86_64", "-m", "128", "-nographic", "-no-reboot", "-kernel", guestFile(t, "bzImage-x86_64"),
				"-initrd", guestFile(t, tc.initrd), "-append", "console=ttyS0 " + tc.append}, tc.args...)...)
			g.expect("GUEST-KIT OK Linux .* x86_64", slow)
			if strings.Contains(tc.append, "gk=test") {
				g.expect("GUEST-KIT BENCH rc=0", slow)
			}
			g.ends(slow)
		})
	}
}

// The benchmark program checks its own results: integer, floating point, memory.
func TestBenchmarkProgramIsRight(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	g := start(t, "-cpu", "pentium2", "-m", "64", "-nographic", "-no-reboot", "-kernel", guestFile(t, "bzImage-i386-486"),
		"-initrd", guestFile(t, "initramfs-i386.gz"), "-append", "console=ttyS0 gk=test work=1")
	g.expect("GUEST-KIT BENCH rc=0", slow)
	g.ends(slow)
}

// The Debian 12 installer's kernel runs its initrd up to the first question,
// and ACPI switches the machine off.
func TestDebianInstaller(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of whole installers")
	}
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, tc := range []struct{ arch, target, mem, cpu string }{
		{"i386", "i386", "512", "max"},
		{"amd64", "x86_64", "1024", "Nehalem"},
		{"amd64", "x86_64", "1024", "max"},
	} {
		t.Run(tc.arch+" "+tc.cpu, func(t *testing.T) {
			dir := "/usr/lib/debian-installer/images/12/" + tc.arch + "/text/debian-installer/" + tc.arch + "/"
			need(t, "debian-installer-12-netboot-"+tc.arch, dir+"linux")
			g := start(t, "-target", tc.target, "-cpu", tc.cpu, "-m", tc.mem, "-nographic", "-kernel", dir+"linux", "-initrd", dir+"initrd.gz",
				"-append", "console=ttyS0 DEBIAN_FRONTEND=text")
			g.expect("Select a language", 20*time.Minute)
		})
	}
}

// A Debian kernel with ACPI powers off by itself.
func TestPowerOff(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	linux := need(t, "debian-installer-12-netboot-i386", "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux")
	g := start(t, "-m", "128", "-cpu", "pentium2", "-nographic", "-kernel", linux, "-initrd", guestFile(t, "initramfs-i386.gz"), "-append", "console=ttyS0 gk=off")
	g.expect("GUEST-KIT OK", 10*time.Minute)
	g.ends(slow)
}
