// Package load finds firmware files and puts kernels where a machine's
// firmware starts them.
package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Search is where firmware files are looked for.
type Search struct {
	// Dirs are searched first (-L).
	Dirs []string
	// Getenv, Executable and Home are os.Getenv and so on; nil means those.
	Getenv     func(string) string
	Executable func() (string, error)
	Home       func() (string, error)
	// OnlyDirs leaves all but Dirs out (tests).
	OnlyDirs bool
}

// Path returns the directories in the order of the search ("-L help").
func (s Search) Path() []string {
	dirs := append([]string(nil), s.Dirs...)
	if s.OnlyDirs {
		return dirs
	}
	getenv, executable, home := s.Getenv, s.Executable, s.Home
	if getenv == nil {
		getenv = os.Getenv
	}
	if executable == nil {
		executable = os.Executable
	}
	if home == nil {
		home = os.UserHomeDir
	}
	dirs = append(dirs, filepath.SplitList(getenv("RHEA_FIRMWARE"))...)
	if exe, err := executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		d := filepath.Dir(exe)
		for _, n := range []string{"rhea", "qemu", "seabios"} {
			dirs = append(dirs, filepath.Join(d, "..", "share", n))
		}
		dirs = append(dirs, filepath.Join(d, "share"))
	}
	if h, err := home(); err == nil {
		dirs = append(dirs, filepath.Join(h, ".local", "share", "qemu"))
	}
	if runtime.GOOS == "windows" {
		return append(dirs, `C:\Program Files\qemu\share`)
	}
	for _, n := range []string{"qemu", "seabios", "vgabios", "bochs", "qemu-efi-aarch64", "OVMF", "AAVMF", "edk2/x64"} {
		dirs = append(dirs, "/usr/share/"+n)
	}
	return append(dirs, "/usr/lib/ipxe/qemu", "/usr/local/share/qemu", "/opt/homebrew/share/qemu")
}

// packages says which Debian package has a firmware file.
var packages = []struct{ prefix, pkg string }{
	{"bios-256k.bin", "seabios"},
	{"bios.bin", "seabios"},
	{"bios-microvm.bin", "seabios"},
	{"vgabios-", "seabios"},
	{"vgabios.bin", "vgabios"},
	{"vgabios.cirrus.bin", "vgabios"},
	{"BIOS-bochs-", "bochsbios"},
	{"BIOS-qemu-", "bochsbios"},
	{"pxe-", "ipxe-qemu"},
	{"efi-", "ipxe-qemu"},
	{"fw_jump", "opensbi"},
	{"fw_dynamic", "opensbi"},
	{"OVMF", "ovmf"},
	{"AAVMF", "qemu-efi-aarch64"},
	{"QEMU_EFI", "qemu-efi-aarch64"},
	{"openbios-", "qemu-system-data"},
	{"slof.bin", "qemu-system-data"},
	{"QEMU,", "qemu-system-data"},
	{"linuxboot", "qemu-system-data"},
	{"multiboot", "qemu-system-data"},
	{"qboot.rom", "qemu-system-data"},
}

// NotFoundError says that a firmware file is nowhere.
type NotFoundError struct {
	Name    string
	Path    []string
	Package string // Debian's, or ""
}

func (e *NotFoundError) Error() string {
	msg := fmt.Sprintf("firmware file %q was not found in %s", e.Name, strings.Join(e.Path, ", "))
	if e.Package != "" {
		return msg + fmt.Sprintf("; Debian's package %s has it (apt install %s), -L names other directories", e.Package, e.Package)
	}
	return msg + "; -L names other directories"
}

// Is makes errors.Is(err, fs.ErrNotExist) true.
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// Find returns the path of a firmware file. A name with a directory in it is
// taken as it is.
func (s Search) Find(name string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.ContainsRune(name, '/') {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("firmware file: %w", err)
		}
		return name, nil
	}
	path := s.Path()
	var denied error
	for _, d := range path {
		p := filepath.Join(d, name)
		st, err := os.Stat(p)
		switch {
		case err == nil && !st.IsDir():
			return p, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist) && denied == nil:
			denied = err
		}
	}
	if denied != nil {
		return "", fmt.Errorf("firmware file %q: %w", name, denied)
	}
	e := &NotFoundError{Name: name, Path: path}
	for _, p := range packages {
		if strings.HasPrefix(name, p.prefix) {
			e.Package = p.pkg
			break
		}
	}
	return "", e
}

// Read finds a firmware file and returns its bytes, at most limit.
func (s Search) Read(name string, limit int64) ([]byte, error) {
	p, err := s.Find(name)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(p)
	if err != nil {
		return nil, err
	}
	if st.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes: too many for this kind of firmware (at most %d)", p, st.Size(), limit)
	}
	return os.ReadFile(p)
}
