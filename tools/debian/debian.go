// Package debian fetches Debian packages of any architecture and unpacks them.
// It neither needs root's rights nor changes the host's package system: apt
// gets lists of its own.
package debian

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Unpack puts packages of an architecture, by Debian's name of it, below the
// folder root; with dependencies also what they depend on. The folder tmp is
// what apt works in.
func Unpack(tmp, arch string, dependencies bool, root string, packages ...string) error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: the guest's programs come from Debian's %s packages (%s)", tool, arch, strings.Join(packages, " "))
		}
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial", "deb"} {
		if err := os.MkdirAll(filepath.Join(tmp, d), 0o777); err != nil {
			return err
		}
	}
	status := filepath.Join(tmp, "status")
	if err := os.WriteFile(status, nil, 0o666); err != nil {
		return err
	}
	apt := func(args ...string) error {
		cmd := exec.Command("apt-get", append([]string{"-q", "-y",
			"-o", "APT::Architecture=" + arch, "-o", "APT::Architectures=" + arch, "-o", "APT::Sandbox::User=", "-o", "APT::Install-Recommends=0",
			"-o", "Dir::State::Lists=" + filepath.Join(tmp, "lists"), "-o", "Dir::State::Status=" + status,
			"-o", "Dir::Cache=" + filepath.Join(tmp, "cache"), "-o", "Debug::NoLocking=1"}, args...)...)
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
	get, from := []string{"download"}, "deb"
	if dependencies {
		get, from = []string{"install", "--download-only"}, "cache/archives"
	}
	if err := apt(append(get, packages...)...); err != nil {
		return errors.Join(err, updated)
	}
	debs, err := filepath.Glob(filepath.Join(tmp, from, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if out, err := exec.Command("dpkg-deb", "-x", deb, root).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb -x %s: %w: %s", filepath.Base(deb), err, out)
		}
	}
	return nil
}
