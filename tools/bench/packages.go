package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rhea/tools/debian"
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

// fetchPackages puts the work's programs below dir/root, once.
func fetchPackages(dir string) (string, error) {
	root := filepath.Join(dir, "root")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	tmp, err := os.MkdirTemp(dir, "fetch")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	all := filepath.Join(tmp, "all")
	if err := debian.Unpack(tmp, "i386", false, all, guestPackages...); err != nil {
		return "", err
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
