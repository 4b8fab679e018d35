package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What of Debian's i386 packages goes into the guest for real work: the
// programs and the libraries that they need.
var (
	guestPackages = strings.Fields("libc6 gzip mawk xz-utils liblzma5 cpp-12 libgmp10 libisl23 libmpc3 libmpfr6 libzstd1 zlib1g")
	guestFiles    = []string{
		"bin/gzip", "usr/bin/mawk", "usr/bin/xz", "usr/lib/gcc/i686-linux-gnu/12/cc1",
		"lib/ld-linux.so.2", "lib/i386-linux-gnu/libc.so.6", "lib/i386-linux-gnu/libm.so.6", "lib/i386-linux-gnu/ld-linux.so.2",
		"*/libpthread.so.0", "*/libdl.so.2", "*/liblzma.so.5*", "*/libgmp.so.10*", "*/libisl.so.23*", "*/libmpc.so.3*", "*/libmpfr.so.6*",
		"*/libzstd.so.1*", "*/libz.so.1*",
	}
)

// fetchPackages puts the work's programs below dir/root, once. It neither needs
// root's rights nor changes the host's package system: apt gets lists of its own.
func fetchPackages(dir string) (string, error) {
	root := filepath.Join(dir, "root")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%s is missing: the guest's programs come from Debian's i386 packages (%s)", tool, strings.Join(guestPackages, " "))
		}
	}
	tmp, err := os.MkdirTemp(dir, "fetch")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	apt := func(args ...string) error {
		for _, d := range []string{"lists/partial", "cache/archives/partial", "deb"} {
			if err := os.MkdirAll(filepath.Join(tmp, d), 0o777); err != nil {
				return err
			}
		}
		status := filepath.Join(tmp, "status")
		if err := os.WriteFile(status, nil, 0o666); err != nil {
			return err
		}
		cmd := exec.Command("apt-get", append([]string{"-q",
			"-o", "APT::Architecture=i386", "-o", "APT::Architectures=i386", "-o", "APT::Sandbox::User=",
			"-o", "Dir::State::Lists=" + filepath.Join(tmp, "lists"), "-o", "Dir::State::Status=" + status,
			"-o", "Dir::Cache=" + filepath.Join(tmp, "cache")}, args...)...)
		cmd.Dir = filepath.Join(tmp, "deb")
		out, err := cmd.CombinedOutput()
		if err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, lines[len(lines)-1])
		}
		return nil
	}
	// A list that could not be had (a mirror at work) does not matter if the packages come.
	updated := apt("update")
	if err := apt(append([]string{"download"}, guestPackages...)...); err != nil {
		return "", errors.Join(err, updated)
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "deb/*.deb"))
	if err != nil {
		return "", err
	}
	all := filepath.Join(tmp, "all")
	for _, deb := range debs {
		if out, err := exec.Command("dpkg-deb", "-x", deb, all).CombinedOutput(); err != nil {
			return "", fmt.Errorf("dpkg-deb -x %s: %w: %s", filepath.Base(deb), err, out)
		}
	}
	part := filepath.Join(tmp, "root")
	if err := pick(all, part); err != nil {
		return "", err
	}
	return root, os.Rename(part, root)
}

// pick moves the files of guestFiles.
func pick(from, to string) error {
	found := map[string]bool{}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		for _, p := range guestFiles {
			base, any := strings.CutPrefix(p, "*/")
			ok, err := filepath.Match(p, name)
			if any {
				ok, err = filepath.Match(base, filepath.Base(name))
				ok = ok && strings.HasSuffix(filepath.Dir(name), "lib/i386-linux-gnu") && !strings.HasSuffix(name, ".py")
			}
			if err != nil {
				return err
			}
			if ok {
				found[p] = true
				if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o777); err != nil {
					return err
				}
				return os.Rename(path, filepath.Join(to, name))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range guestFiles {
		if !found[p] {
			return fmt.Errorf("Debian's i386 packages have no %s", p)
		}
	}
	return nil
}
