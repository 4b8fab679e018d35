// Sysroot makes the folders with Debian's i386 and amd64 programs that tests of
// user mode run. With -optional it is no failure if that cannot be done, but in
// CI=true it is.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rhea/tools/debian"
)

// packages are for the script of work, and runtimes for the long tests.
const (
	packages = "bash coreutils python3 perl gcc libc6-dev openssl sqlite3 xz-utils bzip2 zstd git gawk busybox " +
		"dash grep sed findutils diffutils tar gzip make util-linux bsdutils bsdextrautils uuid-runtime procps iproute2 net-tools"
	runtimes = "nodejs openjdk-17-jdk-headless"
)

func main() {
	optional := flag.Bool("optional", false, "it is no failure if nothing can be fetched")
	long := flag.Bool("runtimes", false, "with "+runtimes)
	cache, _ := os.UserCacheDir()
	dir := flag.String("to", filepath.Join(cache, "rhea-sysroots"), "the `folder`")
	flag.Parse()
	for _, arch := range []string{"i386", "amd64"} {
		if err := build(*dir, arch, *long); err != nil {
			fmt.Fprintf(os.Stderr, "sysroot: %v: programs of %s are not tested\n", err, arch)
			if !*optional || os.Getenv("CI") == "true" {
				os.Exit(1)
			}
		}
	}
}

// build makes the folder of an architecture, unless it is there. The file
// .packages in it says what it was made of.
func build(dir, arch string, long bool) error {
	root := filepath.Join(dir, arch)
	have, _ := os.ReadFile(filepath.Join(root, ".packages"))
	want := packages
	if long {
		want += " " + runtimes
	}
	if strings.HasPrefix(string(have), want) {
		return nil
	}
	fmt.Printf("Fetching Debian's %s programs to %s\n", arch, root)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, "fetch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	part := filepath.Join(tmp, "root")
	for _, d := range []string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib32", "usr/lib64", "tmp", "proc", "dev", "etc"} {
		if err := os.MkdirAll(filepath.Join(part, d), 0o777); err != nil {
			return err
		}
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib32", "lib64"} {
		if err := os.Symlink("usr/"+d, filepath.Join(part, d)); err != nil {
			return err
		}
	}
	if err := debian.Unpack(tmp, arch, true, part, strings.Fields(want)...); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, ".packages"), []byte(want+"\n"), 0o666); err != nil {
		return err
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	return os.Rename(part, root)
}
