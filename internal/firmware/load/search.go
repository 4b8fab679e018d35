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

// packages says which Debian package has a firmware file, and how many bytes
// it has in all of that package's versions (0 = that varies).
var packages = []struct {
	prefix, pkg string
	size        int
}{
	{"bios-256k.bin", "seabios", 256 << 10},
	{"bios.bin", "seabios", 128 << 10},
	{"bios-microvm.bin", "seabios", 128 << 10},
	{"vgabios-", "seabios", 0},
	{"vgabios.", "vgabios", 0},
	{"BIOS-bochs-latest", "bochsbios", 128 << 10},
	{"BIOS-bochs-legacy", "bochsbios", 64 << 10},
	{"BIOS-bochs-", "bochsbios", 0},
	{"BIOS-qemu-", "bochsbios", 0},
	{"pxe-", "ipxe-qemu", 0},
	{"efi-", "ipxe-qemu", 0},
	{"fw_jump", "opensbi", 0},
	{"fw_dynamic", "opensbi", 0},
	{"OVMF", "ovmf", 0},
	{"AAVMF", "qemu-efi-aarch64", 0},
	{"QEMU_EFI", "qemu-efi-aarch64", 0},
	{"openbios-", "qemu-system-data", 0},
	{"slof.bin", "qemu-system-data", 0},
	{"QEMU,", "qemu-system-data", 0},
	{"linuxboot", "qemu-system-data", 0},
	{"multiboot", "qemu-system-data", 0},
	{"qboot.rom", "qemu-system-data", 0},
}

// NotFoundError says that a firmware file is nowhere.
type NotFoundError struct {
	Name    string
	Path    []string
	Package string // Debian's, or ""
}

func (e *NotFoundError) Error() string {
	const where = "-L adds a directory, '-L help' lists those that are searched"
	if e.Package != "" {
		return fmt.Sprintf("the firmware file '%s' was not found: Debian's package %s has it (apt install %s); %s", e.Name, e.Package, e.Package, where)
	}
	return fmt.Sprintf("the firmware file '%s' was not found; %s", e.Name, where)
}

// TruncatedError says that a firmware file is not whole.
type TruncatedError struct {
	Path       string
	Have, Want int
	Package    string // Debian's, or ""
}

func (e *TruncatedError) Error() string {
	msg := fmt.Sprintf("the firmware file '%s' is truncated: it has %d of %d bytes", e.Path, e.Have, e.Want)
	if e.Package != "" {
		msg += fmt.Sprintf("; Debian's package %s has it whole (apt install --reinstall %s)", e.Package, e.Package)
	}
	return msg
}

// whole checks that a firmware file has all its bytes, as far as one can know
// how many those are: from its name, or from the header of an option ROM.
func whole(path string, data []byte) error {
	e := &TruncatedError{Path: path, Have: len(data)}
	name := filepath.Base(path)
	for _, p := range packages {
		if strings.HasPrefix(name, p.prefix) {
			e.Package, e.Want = p.pkg, p.size
			break
		}
	}
	if strings.HasPrefix(name, "vgabios") {
		e.Want = 512
		if len(data) > 2 && data[0] == 0x55 && data[1] == 0xaa {
			e.Want = int(data[2]) * 512
		}
	}
	if e.Have < e.Want {
		return e
	}
	return nil
}

// Is makes errors.Is(err, fs.ErrNotExist) true.
func (e *NotFoundError) Is(target error) bool { return target == fs.ErrNotExist }

// Find returns the path of a firmware file. A name with a directory in it is
// taken as it is.
func (s Search) Find(name string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.ContainsRune(name, '/') {
		_, err := os.Stat(name)
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return "", fmt.Errorf("could not open '%s': %w", name, pe.Err)
		}
		return name, err
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
	if st.IsDir() {
		return nil, fmt.Errorf("'%s' is a directory, not a firmware file", p)
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	return data, whole(p, data)
}
