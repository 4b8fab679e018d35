package layers

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	TestGoFiles,
	IgnoredGoFiles []string
}

// list returns the module's packages with the imports they have on a host.
func list(t *testing.T, goos string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Standard,Imports", "rhea/...")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestLayers(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		n := 0
		for _, p := range list(t, goos) {
			if _, ok := find(mustShort(t, p.ImportPath)); !ok {
				t.Errorf("%s is in no layer: add it to the table of internal/layers", p.ImportPath)
			}
			for _, i := range p.Imports {
				n++
				if err := Check(p.ImportPath, i); err != nil {
					t.Errorf("%s: %v", goos, err)
				}
				if strings.Contains(strings.Split(i, "/")[0], ".") {
					if err := CheckOutside(p.ImportPath, i); err != nil {
						t.Errorf("%s: %v", goos, err)
					}
				}
			}
		}
		if n < 100 {
			t.Errorf("%s: only %d imports were seen", goos, n)
		}
	}
}

func mustShort(t *testing.T, p string) string {
	s, ok := short(p)
	if !ok {
		t.Fatalf("%s is not in the module", p)
	}
	return s
}

// The table forbids what it is there to forbid.
func TestCheck(t *testing.T) {
	const in = "rhea/internal/"
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{in + "mem", in + "trace", true},
		{in + "trace", in + "mem", false},
		{in + "guest", in + "ir", true},
		{in + "guest/x86", in + "guest", true},
		{in + "guest/x86", in + "guest/arm", false},
		{in + "guest/x86", in + "dev/char/uart16550", false},
		{in + "guest/x86", in + "jit/amd64", false},
		{in + "guest/x86", in + "accel", false},
		{in + "guest/x86", in + "softfloat", true},
		{in + "jit/amd64", in + "guest/x86", false},
		{in + "jit/amd64", in + "jit/arm64", false},
		{in + "dev/char/uart16550", in + "chardev", true},
		{in + "dev/char/uart16550", in + "chardev/stdio", false},
		{in + "dev/disk/piixide", in + "dev/disk/ide", true},
		{in + "dev/disk/ide", in + "dev/disk/piixide", false},
		{in + "dev/disk/ide", in + "guest/x86", false},
		{in + "dev/disk/ide", in + "accel/tcg", false},
		{in + "chardev/pty", in + "chardev/termios", true},
		{in + "chardev/pty", in + "block/raw", false},
		{in + "chardev/pty", in + "vm", false},
		{in + "board/pc", in + "vm", false},
		{in + "vm", in + "board/pc", true},
		{in + "vm", in + "monitor/hmp", false},
		{in + "monitor/hmp", in + "vm", true},
		{in + "accel/tcg", in + "ir/interp", true},
		{in + "catalog", in + "app/system", false},
		{in + "app/system", in + "app/img", false},
		{in + "app", in + "app/img", true},
		{"rhea/cmd/rhea", in + "app", true},
		{in + "nonsense", in + "mem", false},
	} {
		if err := Check(c.from, c.to); (err == nil) != c.ok {
			t.Errorf("%s -> %s: %v", c.from, c.to, err)
		}
	}
	if CheckOutside(in+"irq", "golang.org/x/sys/unix") == nil || CheckOutside(in+"chardev/pty", "golang.org/x/sys/unix") != nil {
		t.Error("CheckOutside")
	}
}
