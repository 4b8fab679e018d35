//go:build linux && amd64

package user

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sysroot is the folder with Debian's programs of an architecture, as
// tools/sysroot makes it.
func sysroot(t *testing.T, arch string) string {
	t.Helper()
	cache, _ := os.UserCacheDir()
	root := filepath.Join(cache, "rhea-sysroots", arch)
	if _, err := os.Stat(filepath.Join(root, ".packages")); err != nil {
		t.Skipf("there is no %s: 'make sysroots' puts Debian's %s packages bash coreutils python3 perl gcc openssl … there", root, arch)
	}
	return root
}

// built makes a static program of testdata/dir/name.c by a sysroot's compiler, which
// runs emulated, and returns its file.
func built(t *testing.T, arch, dir, name string, flags ...string) string {
	t.Helper()
	root := sysroot(t, arch)
	source, err := filepath.Abs(filepath.Join("testdata", dir, name+".c"))
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), name)
	args := append([]string{"-L", root, "/usr/bin/gcc", "-static", "-pthread", "-o", exe, source}, flags...)
	if out, errs, status := start(t, false, args...); status != 0 {
		t.Fatalf("gcc: %s%s", out, errs)
	}
	return exe
}

// inside runs a command in a sysroot as its root folder, with the host's /proc
// and /dev: natively, or by the test's program if emulated is set. It returns
// what the command prints.
func inside(t *testing.T, root string, emulated bool, command ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can have a sysroot as the root folder, which running natively takes")
	}
	const mounts = `mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && touch "$0/rhea-user" && mount --bind "$1" "$0/rhea-user" && shift && exec chroot "$0" "$@"`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"unshare", "-m", "/bin/sh", "-c", mounts, root, self}
	if emulated {
		args = append(args, "/rhea-user")
	}
	out, errs, _ := start(t, true, append(args, command...)...)
	if errs != "" {
		t.Logf("standard error:\n%s", errs)
	}
	return out
}

// difference are the first lines that two texts do not share.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range w {
		if i >= len(g) {
			return "nothing; want\n" + strings.Join(w[i:min(i+3, len(w))], "\n")
		}
		if g[i] != w[i] {
			return strings.Join(g[i:min(i+3, len(g))], "\n") + "\nwant\n" + strings.Join(w[i:min(i+3, len(w))], "\n")
		}
	}
	return strings.Join(g[len(w):], "\n")
}

// TestWork runs a script of real work in Debian's programs as the processor
// does: below -L, and with the sysroot as the root folder.
func TestWork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	script, err := os.ReadFile("testdata/work.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"i386", "amd64"} {
		t.Run(arch, func(t *testing.T) {
			root := sysroot(t, arch)
			work, err := os.MkdirTemp(filepath.Join(root, "tmp"), "work")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(work)
			file := filepath.Join(work, "work.sh")
			if err := os.WriteFile(file, script, 0o666); err != nil {
				t.Fatal(err)
			}
			in := strings.TrimPrefix(work, root)
			if out, err := exec.Command("chroot", root, "/bin/true").CombinedOutput(); err != nil {
				t.Skipf("this host does not run %s programs: %v %s", arch, err, out)
			}
			want := inside(t, root, false, "/bin/bash", in+"/work.sh", in+"/native")
			if !strings.HasSuffix(want, "done\n") {
				t.Fatalf("the script does not work natively:\n%s", want)
			}
			if got := inside(t, root, true, "/bin/bash", in+"/work.sh", in+"/emulated"); got != want {
				t.Errorf("as the root folder: %s", difference(got, want))
			}
			if arch != "i386" {
				return // once is enough
			}
			// Below -L a folder's name is that of the sysroot's, if it has one; not so below /dev.
			below, err := os.MkdirTemp("/dev/shm", "rhea")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(below)
			got, errs, _ := start(t, false, "-L", root, "/bin/bash", file, below+"/work")
			if got != want {
				t.Errorf("below -L: %s\n%s", difference(got, want), errs)
			}
		})
	}
}

// TestCalls compares what system calls do that few programs use.
func TestCalls(t *testing.T) {
	source, err := os.ReadFile("testdata/calls/calls.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"i386", "amd64"} {
		t.Run(arch, func(t *testing.T) {
			root := sysroot(t, arch)
			dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "calls")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			if err := os.WriteFile(filepath.Join(dir, "calls.c"), source, 0o666); err != nil {
				t.Fatal(err)
			}
			in := strings.TrimPrefix(dir, root)
			run := "cd " + in + "; mkdir $0; cd $0; ../calls"
			want := inside(t, root, false, "/bin/sh", "-c", "cd "+in+"; gcc -o calls calls.c -lrt; "+run, "native")
			if !strings.Contains(want, "waited") {
				t.Fatalf("natively:\n%s", want)
			}
			if got := inside(t, root, true, "/bin/sh", "-c", run, "emulated"); got != want {
				t.Errorf("%s", difference(got, want))
			}
		})
	}
}

// TestFaultsOfThreads: faults are exact whatever other threads do to the memory.
func TestFaultsOfThreads(t *testing.T) {
	for _, arch := range []string{"i386", "amd64"} {
		exe := built(t, arch, "faults", "faults", "-O1", "-fno-pie", "-no-pie")
		for _, engine := range [][]string{nil, {"-interpreter"}} {
			out, errs, status := start(t, false, append(engine, exe)...)
			if status != 0 || out != "some 1, wrong 0, equal 1\n" {
				t.Errorf("%s %v: status %d, %q %s", arch, engine, status, out, errs)
			}
		}
	}
}

// TestPrograms compares what programs print: of each signal, however it comes; of
// calls that wait with a mask; of atomic operations; of what a thread has from another; of mappings that
// are longer than their files; of memory that calls are told of; of code that is mapped
// anew, or has several addresses; of conditions; of forks while signals come; of children that have their
// parent's memory; of faults in loops that have vectors in registers.
func TestPrograms(t *testing.T) {
	for _, name := range []string{"signals", "waits", "atomics", "attributes", "bus", "memory", "remaps", "aliases", "conditions", "forks", "vfork", "vectors"} {
		source, err := os.ReadFile(filepath.Join("testdata", name, name+".c"))
		if err != nil {
			t.Fatal(err)
		}
		for _, arch := range []string{"i386", "amd64"} {
			t.Run(arch+"/"+name, func(t *testing.T) {
				root := sysroot(t, arch)
				dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), name)
				if err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				if err := os.WriteFile(filepath.Join(dir, name+".c"), source, 0o666); err != nil {
					t.Fatal(err)
				}
				in := strings.TrimPrefix(dir, root)
				run := in + "/" + name
				want := inside(t, root, false, "/bin/sh", "-c", "cd "+in+"; gcc -w -o "+name+" "+name+".c -lpthread; "+run)
				if !strings.HasSuffix(want, "done\n") {
					t.Fatalf("natively:\n%s", want)
				}
				for _, engine := range [][]string{nil, {"-interpreter"}} {
					if got := inside(t, root, true, append(engine, run)...); got != want {
						t.Errorf("%v: %s", engine, difference(got, want))
					}
				}
			})
		}
	}
}

// TestApart: a process for its parent's memory says that it is not built. A parent
// that had one with a copy would wait for ever.
func TestApart(t *testing.T) {
	for _, arch := range []string{"i386", "amd64"} {
		exe := built(t, arch, "apart", "apart")
		if out, errs, status := start(t, false, exe); status != 0 || out != "not built\n" && out != "worked\n" {
			t.Errorf("%s: status %d, %q %s", arch, status, out, errs)
		}
	}
}
