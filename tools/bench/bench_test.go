package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedianAndMean(t *testing.T) {
	for _, x := range []struct {
		v    []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(x.v); got != x.want {
			t.Errorf("median %v = %v, want %v", x.v, got, x.want)
		}
	}
	if got := geometricMean([]float64{0.5, 2, 8}); got < 1.999 || got > 2.001 {
		t.Errorf("geometric mean %v, want 2", got)
	}
}

// What writeCPIO writes, cpio(1) reads.
func TestCPIO(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("cpio is missing although the package should be installed (CI=true)")
		}
		t.Skip("cpio is missing: install the package cpio")
	}
	from, to := t.TempDir(), t.TempDir()
	data := bytes.Repeat([]byte("odd"), 777)
	for _, err := range []error{
		os.MkdirAll(filepath.Join(from, "a/b"), 0o777),
		os.WriteFile(filepath.Join(from, "a/b/run"), data, 0o755),
		os.WriteFile(filepath.Join(from, "a/empty"), nil, 0o644),
		os.Symlink("b/run", filepath.Join(from, "a/link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var image bytes.Buffer
	if err := writeCPIO(&image, from); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(cpio, "-id", "--quiet", "--no-absolute-filenames")
	cmd.Dir, cmd.Stdin = to, &image
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(to, "a/link")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("a/link: %d bytes, %v", len(got), err)
	}
	for name, mode := range map[string]os.FileMode{"a/b/run": 0o111, "a/empty": 0} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode()&0o111 != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// A step's begin, end, status and sum are found, and a failure is told.
func TestFollow(t *testing.T) {
	steps := []step{{name: "one"}, {name: "two"}}
	for _, x := range []struct{ say, wrong string }{
		{`[ 1.0] @@ begin one\r\n[ 1.1] @@ end one 0\r\n[1] @@ sum one aa\r\n@@ begin two\r\n@@ end two 0\r\n@@ sum two bb\r\n@@ done\r\n`, ""},
		{`@@ begin one\r\n@@ end one 3\r\nno such file\r\n@@ sum one aa\r\n`, "one failed in the guest with status 3"},
		{`@@ begin one\r\n@@ end one 0\r\n@@ sum one aa\r\nKernel panic\r\n`, "Kernel panic"},
	} {
		p, err := startProcess("/bin/sh", "-c", "printf '"+x.say+"'; sleep 0.1")
		if err != nil {
			t.Skip(err)
		}
		got, err := follow(p, steps, time.Now().Add(5*time.Minute))
		p.stop()
		switch {
		case x.wrong != "" && (err == nil || !strings.Contains(err.Error(), x.wrong)):
			t.Errorf("%s: %v, want %q", x.say, err, x.wrong)
		case x.wrong == "" && (err != nil || got["one"].sum != "aa" || got["two"].sum != "bb"):
			t.Errorf("%s: %v, %v", x.say, got, err)
		}
	}
}

// CPU time is that of the process: one that works uses it, one that sleeps does not.
func TestProcessCPU(t *testing.T) {
	if _, err := processCPU(os.Getpid()); err != nil {
		t.Skip(err)
	}
	for _, x := range []struct {
		command  string
		min, max time.Duration
	}{
		{"echo a; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo b; exec sleep 600", 5 * time.Millisecond, time.Minute},
		{"echo a; sleep 0.3; echo b; exec sleep 600", 0, 100 * time.Millisecond},
	} {
		p, err := startProcess("/bin/sh", "-c", x.command)
		if err != nil {
			t.Skip(err)
		}
		limit := time.Now().Add(5 * time.Minute)
		a, err := p.expect("a", limit)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.expect("b", limit)
		if err != nil {
			t.Fatal(err)
		}
		p.stop()
		if d := b.minus(a).cpu; d < x.min || d > x.max {
			t.Errorf("%s: %v of CPU time", x.command, d)
		}
	}
}

func TestExpectTimesOut(t *testing.T) {
	p, err := startProcess("/bin/sh", "-c", "echo begin hello; exec sleep 600")
	if err != nil {
		t.Skip(err)
	}
	defer p.stop()
	if _, err := p.expect("begin", time.Now().Add(5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.expect("never", time.Now().Add(300*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Errorf("%v", err)
	}
}

func TestChoose(t *testing.T) {
	for _, x := range []struct{ rows, want string }{
		{"", "boot installer gkbench work disk network sound start user user64 idle screen"},
		{"boot,xz", "boot work"},
		{"nonsense", ""},
	} {
		b := &bench{want: map[string]bool{}}
		if x.rows != "" {
			for _, w := range strings.Split(x.rows, ",") {
				b.want[w] = true
			}
		}
		chosen, err := b.choose()
		var got []string
		for _, s := range chosen {
			got = append(got, s.name)
		}
		if strings.Join(got, " ") != x.want || (err != nil) != (x.want == "") {
			t.Errorf("%q: %v, %v", x.rows, got, err)
		}
	}
}

// The report's ratios, means and verdict.
func TestReport(t *testing.T) {
	s := time.Second
	b := &bench{n: 1, notes: map[string]map[string][]float64{idleCPU: {"rhea": {1.25}}},
		native: map[string][]stamp{"x": {{s / 2, s / 2}}},
		used: map[string]map[string][]stamp{
			"x": {"rhea": {{s, s}}, "QEMU": {{4 * s, 4 * s}}},
			"y": {"rhea": {{2 * s, s}}, "QEMU": {{2 * s, s / 2}}},
			"z": {"rhea": {{9 * s, s}}},
		}}
	var w bytes.Buffer
	slower := b.report(&w, []session{{rows: []row{{"x", "XX", integer}, {"y", "YY", integer}, {"z", "ZZ", device}}}}, true)
	if slower != 1 {
		t.Errorf("%d slower, want 1 (YY by its wall time)", slower)
	}
	squeezed := strings.Join(strings.Fields(w.String()), " ")
	for _, want := range []string{"| XX | 1.00 | 4.00 | 0.25 | 1.00 | 4.00 | 0.25 | 0.50 | 2.00 | 8.00 |", "| integer rows | 0.50 | 2 |", "| 1.2 | – |", "| ZZ | 9.00 | – | – |"} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("no %q in\n%s", want, w.String())
		}
	}
}

// Data is the same in every run, or results could not be compared between them.
func TestData(t *testing.T) {
	if a, b := text(10000), text(10000); !bytes.Equal(a, b) || len(a) != 10000 || a[9999] != '\n' {
		t.Errorf("text: %d bytes", len(a))
	}
	if !bytes.Equal(program(3), program(3)) {
		t.Error("programs differ")
	}
}
