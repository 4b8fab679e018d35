package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func reader(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// bzImage makes a kernel of nothing but its header.
func bzImage(protocol uint16, flags byte, kernel int) []byte {
	b := make([]byte, 5*512+kernel)
	b[hdrSetupSects] = 4
	le := binary.LittleEndian
	le.PutUint32(b[0x1f4:], uint32(kernel/16))
	le.PutUint16(b[hdrBootFlag:], 0xaa55)
	copy(b[hdrMagic:], "HdrS")
	le.PutUint16(b[hdrVersion:], protocol)
	b[hdrLoadFlags] = flags
	le.PutUint32(b[hdrInitrdMax:], 0x7fffffff)
	le.PutUint32(b[hdrCmdlineSize:], 2047)
	le.PutUint64(b[hdrPrefAddress:], 0x1000000)
	le.PutUint32(b[hdrInitSize:], 0x800000)
	return b
}

func TestLinux(t *testing.T) {
	initrd := make([]byte, 5000)
	l, err := NewLinux(reader(bzImage(0x20f, loadedHigh, 0x10000)), reader(initrd), "console=ttyS0 vga=0x305", 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if l.SetupAddr != 0x10000 || l.KernelAddr != 0x100000 || l.CmdlineAddr != 0x30000 {
		t.Errorf("addresses %#x %#x %#x", l.SetupAddr, l.KernelAddr, l.CmdlineAddr)
	}
	if top := l.InitrdAddr + 5000; l.InitrdAddr%4096 != 0 || top > 64<<20-biosReserve || top < 60<<20 {
		t.Errorf("initrd at %#x", l.InitrdAddr)
	}
	s := l.Setup
	if le.Uint32(s[hdrRamdiskImage:]) != l.InitrdAddr || le.Uint32(s[hdrRamdiskSize:]) != 5000 ||
		le.Uint32(s[hdrCmdLinePtr:]) != 0x30000 || s[hdrLoadFlags] != loadedHigh|canUseHeap || le.Uint16(s[hdrVidMode:]) != 0x305 {
		t.Errorf("header % x", s[0x1f0:0x240])
	}
	rom := l.OptionROM()
	sum := byte(0)
	for _, b := range rom {
		sum += b
	}
	if sum != 0 || rom[0] != 0x55 || rom[1] != 0xaa || rom[2] != 1 || rom[romCount] != 4 {
		t.Errorf("option ROM: sum %#x", sum)
	}
	e := rom[romTable+48:]
	if binary.BigEndian.Uint32(e) != keyInitrdData<<16|dmaSelectRead || binary.BigEndian.Uint64(e[8:]) != uint64(l.InitrdAddr) {
		t.Errorf("initrd request % x", e[:16])
	}
	if len(romCode)+len(romText) > romTable || len(romCode) != 0x97 {
		t.Errorf("code has %#x bytes", len(romCode))
	}
}

func TestOldProtocols(t *testing.T) {
	l, err := NewLinux(reader(bzImage(0x201, loadedHigh, 0x10000)), nil, "root=/dev/hda", 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	if l.SetupAddr != 0x90000 || le.Uint16(l.Setup[oldCmdMagic:]) != 0xa33f ||
		0x90000+uint32(le.Uint16(l.Setup[oldCmdOffset:])) != l.CmdlineAddr || l.CmdlineAddr+14 > 0x9a000 {
		t.Errorf("%#x %#x", l.SetupAddr, l.CmdlineAddr)
	}
	if l, err = NewLinux(reader(bzImage(0x200, 0, 0x10000)), nil, "", 8<<20); err != nil || l.KernelAddr != 0x10000 {
		t.Errorf("zImage: %v", err)
	}
}

func TestLinuxErrors(t *testing.T) {
	trunc := bzImage(0x20f, 1, 0x10000)
	for _, tc := range []struct {
		what    string
		kernel  []byte
		initrd  int
		cmdline string
		ram     uint64
		want    string
	}{
		{"text", []byte("hello"), 0, "", 64 << 20, "too few"},
		{"no magic", make([]byte, 4096), 0, "", 64 << 20, "no HdrS magic"},
		{"ELF", append([]byte("\x7fELF"), make([]byte, 4096)...), 0, "", 64 << 20, "ELF"},
		{"old", bzImage(0x1ff, 1, 0x1000), 0, "", 64 << 20, "too old"},
		{"truncated", trunc[:len(trunc)-5000], 0, "", 64 << 20, "truncated"},
		{"setup only", trunc[:1024], 0, "", 64 << 20, "truncated"},
		{"long command line", trunc, 0, strings.Repeat("x", 3000), 64 << 20, "takes 2047"},
		{"little RAM", trunc, 0, "", 16 << 20, "needs RAM"},
		{"large initrd", trunc, 45 << 20, "", 64 << 20, "more RAM"},
	} {
		_, err := NewLinux(reader(tc.kernel), reader(make([]byte, tc.initrd)), tc.cmdline, tc.ram)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.what, err)
		}
	}
}

func FuzzLinux(f *testing.F) {
	f.Add(bzImage(0x20f, 1, 64), "x", uint32(64<<20))
	f.Fuzz(func(t *testing.T, kernel []byte, cmdline string, ram uint32) {
		l, err := NewLinux(reader(kernel), reader([]byte("initrd")), cmdline, uint64(ram))
		if err == nil {
			l.OptionROM()
		}
	})
}

func TestSearch(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bios.bin"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Search{Dirs: []string{"/nonexistent", dir}, OnlyDirs: true}
	if p, err := s.Find("bios.bin"); err != nil || p != filepath.Join(dir, "bios.bin") {
		t.Errorf("%q %v", p, err)
	}
	_, err := s.Find("vgabios-stdvga.bin")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "apt install seabios") || !strings.Contains(err.Error(), "-L help") {
		t.Errorf("%v", err)
	}
	if _, err := s.Read("bios.bin", 0); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("%v", err)
	}
	for name, data := range map[string][]byte{
		"bios-256k.bin": make([]byte, 100000), "BIOS-bochs-legacy": {}, "vgabios-stdvga.bin": {0x55, 0xaa, 0x4e, 0xe9}, "vgabios.bin": []byte("deb"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Read(name, 1<<20)
		var cut *TruncatedError
		if !errors.As(err, &cut) || cut.Have != len(data) || cut.Package == "" || !strings.Contains(err.Error(), "--reinstall "+cut.Package) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s = Search{Getenv: func(string) string { return "/from-env" }, Home: func() (string, error) { return "/h", nil },
		Executable: func() (string, error) { return "/opt/x/bin/rhea", nil }}
	all := strings.Join(s.Path(), " ")
	for _, d := range []string{"/from-env", "/opt/x/share/qemu", "/h/.local/share/qemu"} {
		if !strings.Contains(all, filepath.FromSlash(d)) {
			t.Errorf("%s is not searched: %s", d, all)
		}
	}
}
