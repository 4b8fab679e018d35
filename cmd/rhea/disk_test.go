package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// firmwares are what disks and CDs are booted through.
var firmwares = []struct {
	name string
	args []string
	pkg  string
	file string
}{
	{"seabios", nil, "seabios", "/usr/share/seabios/bios-256k.bin"},
	{"bochs", []string{"-bios", "BIOS-bochs-latest"}, "bochsbios", "/usr/share/bochs/BIOS-bochs-latest"},
}

// through runs a test with each firmware.
func through(t *testing.T, f func(t *testing.T, args []string)) {
	for _, fw := range firmwares {
		t.Run(fw.name, func(t *testing.T) {
			need(t, fw.pkg, fw.file)
			f(t, fw.args)
		})
	}
}

// command runs a tool that makes an image.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const grubMenu = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
menuentry guest {
	echo GRUB loads
	linux /boot/vmlinuz console=ttyS0 gk=boot
	initrd /boot/initrd.gz
}
`

// bootTree puts a kernel, an initramfs and GRUB's menu into dir/boot.
func bootTree(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "boot/vmlinuz"), read(t, guestFile(t, "bzImage-i386-486")))
	write(t, filepath.Join(dir, "boot/initrd.gz"), read(t, guestFile(t, "initramfs-i486.gz")))
	write(t, filepath.Join(dir, "boot/grub/grub.cfg"), []byte(grubMenu))
}

func boots(t *testing.T, args []string, expect ...string) {
	t.Helper()
	g := start(t, append([]string{"-cpu", "pentium", "-m", "64", "-nographic", "-no-reboot"}, args...)...)
	for _, e := range append(expect, "GUEST-KIT OK") {
		g.expect(e, slow)
	}
	g.ends(slow)
}

func TestGrubCD(t *testing.T) {
	mkrescue := tool(t, "grub-common", "grub-mkrescue")
	tool(t, "xorriso", "xorriso")
	need(t, "grub-pc-bin", "/usr/lib/grub/i386-pc/cdboot.img")
	tree := t.TempDir()
	bootTree(t, tree)
	iso := filepath.Join(t.TempDir(), "grub.iso")
	command(t, mkrescue, "-d", "/usr/lib/grub/i386-pc", "-o", iso, tree)
	through(t, func(t *testing.T, args []string) {
		boots(t, append(args, "-cdrom", iso, "-boot", "d"), "GRUB loads")
	})
}

// grubDisk makes an MBR disk: GRUB's boot.img in the MBR, its core image in
// the gap behind it, and one ext4 partition (GRUB manual, "BIOS
// installation").
func grubDisk(t *testing.T) string {
	t.Helper()
	mkimage := tool(t, "grub-common", "grub-mkimage")
	mke2fs := tool(t, "e2fsprogs", "mke2fs")
	boot := read(t, need(t, "grub-pc-bin", "/usr/lib/grub/i386-pc/boot.img"))
	tree, dir := t.TempDir(), t.TempDir()
	bootTree(t, tree)
	const sector, first, sectors = 512, 2048, 64 << 11 // 64 MiB
	part := filepath.Join(dir, "part.img")
	write(t, part, nil)
	if err := os.Truncate(part, sectors*sector); err != nil {
		t.Fatal(err)
	}
	command(t, mke2fs, "-q", "-t", "ext4", "-F", "-d", tree, part)
	core := filepath.Join(dir, "core.img")
	command(t, mkimage, "-d", "/usr/lib/grub/i386-pc", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/boot/grub",
		"biosdisk", "part_msdos", "ext2", "linux", "serial", "echo", "normal", "configfile", "terminal", "test")
	disk := make([]byte, first*sector, (first+sectors)*sector)
	copy(disk, boot[:440])
	binary.LittleEndian.PutUint64(disk[0x5c:], 1) // boot.img: where core.img is
	c := read(t, core)
	// diskboot.img, core's first sector: where the rest is, how much, and the
	// segment to load it to.
	binary.LittleEndian.PutUint64(c[0x1f4:], 2)
	binary.LittleEndian.PutUint16(c[0x1fc:], uint16((len(c)+sector-1)/sector-1))
	copy(disk[sector:], c)
	e := disk[446:]
	e[0], e[4] = 0x80, 0x83
	binary.LittleEndian.PutUint32(e[8:], first)
	binary.LittleEndian.PutUint32(e[12:], sectors)
	disk[510], disk[511] = 0x55, 0xaa
	name := filepath.Join(dir, "disk.img")
	write(t, name, append(disk, read(t, part)...))
	return name
}

func TestGrubDisk(t *testing.T) {
	disk := grubDisk(t)
	through(t, func(t *testing.T, args []string) {
		boots(t, append(args, "-hda", disk, "-snapshot"), "GRUB loads")
	})
}

func TestIsolinuxCD(t *testing.T) {
	xorriso := tool(t, "xorriso", "xorriso")
	bin := need(t, "isolinux", "/usr/lib/ISOLINUX/isolinux.bin")
	c32 := need(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/ldlinux.c32")
	tree := t.TempDir()
	bootTree(t, tree)
	write(t, filepath.Join(tree, "isolinux/isolinux.bin"), read(t, bin))
	write(t, filepath.Join(tree, "isolinux/ldlinux.c32"), read(t, c32))
	write(t, filepath.Join(tree, "isolinux/isolinux.cfg"), []byte("serial 0 115200\ndefault guest\nprompt 0\nlabel guest\n"+
		" kernel /boot/vmlinuz\n append initrd=/boot/initrd.gz console=ttyS0 gk=boot\n"))
	iso := filepath.Join(t.TempDir(), "isolinux.iso")
	command(t, xorriso, "-as", "mkisofs", "-quiet", "-o", iso, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
		"-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", tree)
	through(t, func(t *testing.T, args []string) {
		boots(t, append(args, "-cdrom", iso, "-boot", "d"), "ISOLINUX")
	})
}

// A boot sector of our own reads two sectors, by CHS (int 13h, AH=02) and by
// LBA (AH=42h), and sends what it finds to COM1.
func TestInt13(t *testing.T) {
	disk := make([]byte, 1<<20)
	copy(disk, []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0x8e, 0xc0, // mov es, ax
		0x8e, 0xd0, // mov ss, ax
		0xbc, 0x00, 0x7c, // mov sp, 7c00h
		0xbb, 0x00, 0x7e, // mov bx, 7e00h
		0xb8, 0x01, 0x02, // mov ax, 0201h
		0xb9, 0x02, 0x00, // mov cx, 2
		0xba, 0x80, 0x00, // mov dx, 80h
		0xcd, 0x13, // int 13h
		0x72, 0x17, // jc fail
		0xbe, 0x00, 0x7e, // mov si, 7e00h
		0xe8, 0x15, 0x00, // call print
		0xbe, 0x60, 0x7c, // mov si, packet
		0xb4, 0x42, // mov ah, 42h
		0xb2, 0x80, // mov dl, 80h
		0xcd, 0x13, // int 13h
		0x72, 0x06, // jc fail
		0xbe, 0x00, 0x80, // mov si, 8000h
		0xe8, 0x04, 0x00, // call print
		0xfa, 0xf4, // fail: cli; hlt
		0xeb, 0xfc, // jmp fail
		// print:
		0xac,       // lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x06, // jz done
		0xba, 0xf8, 0x03, // mov dx, 3f8h
		0xee,       // out dx, al
		0xeb, 0xf5, // jmp print
		0xc3, // done: ret
	})
	copy(disk[0x60:], []byte{16, 0, 1, 0, 0x00, 0x80, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}) // packet: 1 sector, LBA 2, to 0000:8000
	disk[510], disk[511] = 0x55, 0xaa
	copy(disk[512:], "second sector by CHS\n\x00")
	copy(disk[1024:], "third sector by LBA\n\x00")
	name := filepath.Join(t.TempDir(), "boot.img")
	write(t, name, disk)
	through(t, func(t *testing.T, args []string) {
		g := start(t, append(args, "-hda", name, "-snapshot", "-m", "16", "-nographic")...)
		g.expect("second sector by CHS", slow)
		g.expect("third sector by LBA", slow)
	})
}

// memtest86+ starts directly and runs its first tests without an error.
func TestMemtest(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of memory tests")
	}
	kernel := need(t, "memtest86+", "/boot/memtest86+ia32.bin")
	through(t, func(t *testing.T, args []string) {
		g := start(t, append(args, "-cpu", "pentium3", "-m", "8", "-nographic", "-kernel", kernel, "-append", "console=ttyS0,115200 nosm nopause")...)
		g.expect(`Memtest86\+`, slow)
		// The screen is sent once a second: any test behind the first three.
		g.expect(`#([3-9]|10) +\[`, 2*slow)
		if m := regexp.MustCompile(`Errors: *([1-9][0-9]*)`).FindString(g.out.String()); m != "" {
			t.Errorf("memtest86+ found errors: %s", m)
		}
	})
}

// The package's CD, which boots from the image of a floppy (El Torito with
// emulation), does the same. It writes to the screen only, which the monitor
// reads.
func TestMemtestCD(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of memory tests")
	}
	iso := need(t, "memtest86+", "/usr/lib/memtest86+/memtest86+ia32.iso")
	third := regexp.MustCompile(`Test #(?:[3-9]|10) +\[`)
	through(t, func(t *testing.T, args []string) {
		g := start(t, append(args, "-cpu", "pentium3", "-m", "8", "-display", "none", "-monitor", "stdio", "-cdrom", iso, "-boot", "d")...)
		g.expect(`\(qemu\) `, slow)
		for end := time.Now().Add(2 * slow); ; time.Sleep(time.Second) {
			text := g.textScreen()
			if third.MatchString(text) && strings.Contains(text, "Memtest86+") {
				if !regexp.MustCompile(`Errors: *0 `).MatchString(text) {
					t.Errorf("memtest86+ found errors, or says nothing of them:\n%s", text)
				}
				return
			}
			if time.Now().After(end) {
				t.Fatalf("memtest86+ has not come to its third test:\n%s", text)
			}
		}
	})
}
