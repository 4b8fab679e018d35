//go:build linux && amd64

package user

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/internal/accel/tcg"
)

// TestCodeCache: what was translated is kept, used and replaced when it is damaged,
// and only where nobody else could have written it.
func TestCodeCache(t *testing.T) {
	if !tcg.Available() {
		t.Skip("no translator for this host")
	}
	for _, name := range []string{"busybox-i386", "busybox-x86_64"} {
		t.Run(name, func(t *testing.T) { testCodeCache(t, guest(t, name)) })
	}
}

func testCodeCache(t *testing.T, box string) {
	dir := filepath.Join(t.TempDir(), "new")
	run := func(dir string, want string, args ...string) {
		t.Helper()
		out, errs, status := start(t, false, append([]string{"-code-cache", dir}, args...)...)
		if out != want || errs != "" || status != 0 {
			t.Errorf("%q, standard error %q, status %d; want %q", out, errs, status, want)
		}
	}
	// file is the only one in the directory, "" if there is none.
	file := func(dir string) string {
		t.Helper()
		list, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(list) > 1 {
			t.Errorf("%d files: %v", len(list), list)
		}
		return strings.Join(list, " ")
	}
	run(dir, "hello\n", box, "echo", "hello")
	f := file(dir)
	st, err := os.Stat(f)
	if err != nil {
		t.Fatal("nothing was kept: ", err)
	}
	if st.Mode() != 0o600 {
		t.Errorf("the file's mode is %v", st.Mode())
	}
	first, err := os.ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}

	run(dir, "hello again\n", box, "echo", "hello again")
	if again, _ := os.ReadFile(f); file(dir) != f || !bytes.Equal(first, again) {
		t.Error("the second time something new was kept")
	}
	os.Remove(f)
	run(dir, "hello\n", box, "echo", "hello")
	if again, _ := os.ReadFile(f); !bytes.Equal(first, again) {
		t.Error("the same program has been translated otherwise")
	}

	// What is more is added, and children of forks keep nothing.
	run(dir, "6\n", box, "sh", "-c", "(echo $((1+2+3))); (:); (:)")
	more, _ := os.ReadFile(f)
	if file(dir) != f || bytes.Equal(first, more) {
		t.Error("nothing was added")
	}
	run(dir, "hello\n", box, "echo", "hello")

	for _, damage := range []struct {
		name string
		do   func(b []byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }},
		{"changed", func(b []byte) []byte { b[len(b)-5000] ^= 1; return b }},
	} {
		if err := os.WriteFile(f, damage.do(bytes.Clone(more)), 0o600); err != nil {
			t.Fatal(err)
		}
		run(dir, "hello\n", box, "echo", "hello") // finds the damage; the next keeps anew
		run(dir, "hello\n", box, "echo", "hello")
		if b, _ := os.ReadFile(f); !bytes.Equal(b, first) {
			t.Errorf("%s: it was not replaced", damage.name)
		}
	}

	// A file or a directory that others may write to is not for us.
	os.Chmod(f, 0o620)
	os.WriteFile(f, []byte("not ours"), 0o620)
	run(dir, "hello\n", box, "echo", "hello")
	if b, _ := os.ReadFile(f); string(b) == "" {
		t.Error("the file of another was removed")
	}
	open := filepath.Join(t.TempDir(), "open")
	os.Mkdir(open, 0o700)
	os.Chmod(open, 0o777)
	run(open, "hello\n", box, "echo", "hello")
	if f := file(open); f != "" {
		t.Errorf("%s in a directory that all may write to", f)
	}
	link := filepath.Join(t.TempDir(), "link")
	os.Mkdir(link, 0o700)
	os.Symlink("/etc/passwd", filepath.Join(link, filepath.Base(f)))
	run(link, "hello\n", box, "echo", "hello")

	run("off", "hello\n", box, "echo", "hello")
	if _, err := os.Stat("off"); err == nil {
		t.Error("off is a directory")
	}
	run("/dev/null", "hello\n", box, "echo", "hello")
	run("/proc/none", "hello\n", box, "echo", "hello")

	// Where a program has changed its root, the directory has nothing above it.
	above := filepath.Join(t.TempDir(), "above")
	run(filepath.Join(above, "cache"), "hello\n", box, "echo", "hello")
	if _, err := os.Stat(above); err == nil {
		t.Errorf("%s was made", above)
	}

	// A program that may not write files.
	limited := filepath.Join(t.TempDir(), "limited")
	run(limited, "hello\n", box, "sh", "-c", "ulimit -f 1; exec "+box+" echo hello")
}

// TestCodeOfAnother: a program with the name, the size and the times of another, in
// the same file, is not executed as that.
func TestCodeOfAnother(t *testing.T) {
	for _, name := range []string{"busybox-i386", "busybox-x86_64"} {
		b, err := os.ReadFile(guest(t, name))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		program, cache := filepath.Join(dir, "busybox"), filepath.Join(dir, "cache")
		data := filepath.Join(dir, "data")
		if err := os.WriteFile(data, []byte("some data"), 0o666); err != nil {
			t.Fatal(err)
		}
		write := func(b []byte) {
			t.Helper()
			if err := os.WriteFile(program, b, 0o755); err != nil {
				t.Fatal(err)
			}
			at := time.Unix(1e9, 0)
			if err := os.Chtimes(program, at, at); err != nil {
				t.Fatal(err)
			}
		}
		// The polynomial of CRC-32 is in the code that makes its table.
		old, other := []byte{0xb7, 0x1d, 0xc1, 0x04}, []byte{0xb7, 0x1d, 0xc1, 0x14}
		if !bytes.Contains(b, old) {
			t.Skipf("%s has no such constant", name)
		}
		sum := func() string {
			t.Helper()
			out, errs, status := start(t, false, "-code-cache", cache, program, "crc32", data)
			if status != 0 {
				t.Errorf("status %d, %s", status, errs)
			}
			return out
		}
		write(b)
		right := sum()
		if sum() != right {
			t.Error("the second time it is another sum")
		}
		write(bytes.ReplaceAll(b, old, other))
		if sum() == right {
			t.Errorf("%s: the old code was executed", name)
		}
		write(b)
		if sum() != right {
			t.Errorf("%s: the code between was executed", name)
		}
	}
}

// TestCodeCacheDefault: where nobody says, code is kept in the caches of who has a
// home, if that is in the root that this program is in.
func TestCodeCacheDefault(t *testing.T) {
	home := t.TempDir()
	for _, x := range []struct {
		env  []string
		want string
	}{
		{[]string{"HOME=" + home}, home + "/.cache/rhea/code"},
		{[]string{"HOME=" + home, "XDG_CACHE_HOME=/some/where"}, "/some/where/rhea/code"},
		{[]string{"HOME=" + home, "XDG_CACHE_HOME=relative"}, home + "/.cache/rhea/code"},
		{[]string{"HOME=" + home + "/none"}, ""},
		{[]string{"HOME="}, ""},
		{nil, ""},
	} {
		if got := cacheDir(x.env); got != x.want {
			t.Errorf("%q: %q, want %q", x.env, got, x.want)
		}
	}
	box := guest(t, "busybox-x86_64")
	copyOf := filepath.Join(t.TempDir(), "rhea-user")
	b, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(copyOf, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, there := range []bool{true, false} {
		home := t.TempDir()
		f, err := os.Open(copyOf)
		if err != nil {
			t.Fatal(err)
		}
		if !there { // as in a container, in whose root the program's file is not
			os.Remove(copyOf)
		}
		cmd := exec.Command("/proc/self/fd/3", box, "true")
		cmd.Args[0], cmd.ExtraFiles = asUser, []*os.File{f}
		cmd.Env = []string{"HOME=" + home, "PATH=/bin:/usr/bin"}
		out, err := cmd.CombinedOutput()
		f.Close()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if list, _ := filepath.Glob(home + "/.cache/rhea/code/*"); (len(list) != 0) != there {
			t.Errorf("the program is in this root: %v; kept: %q", there, list)
		}
	}
}
