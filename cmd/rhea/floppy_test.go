package main

import (
	"bytes"
	"crypto/sha1"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floppySector is testdata/floppy.s: it reads its whole disk through INT 13h
// and says on COM1 whether each sector holds its number.
//
//go:embed testdata/floppy.bin
var floppySector []byte

// numbered is a floppy disk that checks itself.
func numbered(t *testing.T, tracks, heads, sectors int) string {
	t.Helper()
	disk := make([]byte, tracks*heads*sectors*512)
	for i := range len(disk) / 512 {
		binary.LittleEndian.PutUint16(disk[i*512:], uint16(i))
		binary.LittleEndian.PutUint16(disk[i*512+510:], uint16(i))
	}
	copy(disk, floppySector)
	copy(disk[506:], []byte{byte(tracks), byte(heads), byte(sectors)})
	name := filepath.Join(t.TempDir(), "floppy.img")
	write(t, name, disk)
	return name
}

// Every format boots, and firmware reads every sector of it.
func TestFloppyBoot(t *testing.T) {
	for _, f := range []struct{ kib, tracks, heads, sectors int }{
		{160, 40, 1, 8}, {180, 40, 1, 9}, {320, 40, 2, 8}, {360, 40, 2, 9}, {720, 80, 2, 9}, {1200, 80, 2, 15}, {1440, 80, 2, 18},
		{1680, 80, 2, 21}, {2880, 80, 2, 36},
	} {
		t.Run(fmt.Sprint(f.kib, "K"), func(t *testing.T) {
			image := numbered(t, f.tracks, f.heads, f.sectors)
			boot := func(t *testing.T, args []string) {
				g := start(t, append([]string{"-m", "32", "-nographic", "-no-reboot", "-fda", image, "-boot", "a", "-device", "isa-debug-exit"}, args...)...)
				g.expect("ALL SECTORS READ", slow)
			}
			through(t, boot)
			t.Run("isapc", func(t *testing.T) {
				need(t, "seabios", "/usr/share/seabios/bios.bin")
				boot(t, []string{"-M", "isapc"})
			})
		})
	}
}

// Linux finds the controller at once, reads a disk whole, writes one whole,
// and keeps files on one.
func TestFloppyLinux(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	r := rand.New(rand.NewPCG(1, 2))
	disk := make([]byte, 1440<<10)
	for i := range disk {
		disk[i] = byte(r.Uint32())
	}
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.img"), filepath.Join(dir, "b.img")
	write(t, a, disk)
	write(t, b, make([]byte, 1440<<10))
	g := start(t, "-cpu", "pentium2", "-m", "64", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0", "-fda", a, "-fdb", b)
	g.expect("# ", slow)
	g.send("dmesg | grep -c 'no floppy controllers'; dmesg | grep FDC\n")
	g.expect("FDC 0 is a", slow)
	g.send("sha1sum /dev/fd0\n")
	g.expect(fmt.Sprintf("%x", sha1.Sum(disk)), slow)
	g.send("dd if=/dev/fd0 of=/dev/fd1 bs=36k && sync && echo COPI''ED\n")
	g.expect("COPIED", slow)
	if !bytes.Equal(read(t, b), disk) {
		t.Error("the copy differs")
	}
	g.send("mkdosfs /dev/fd0 && mount -t vfat /dev/fd0 /mnt && cat /proc/version >/mnt/version && umount /mnt && " +
		"echo 3 >/proc/sys/vm/drop_caches && mount -t vfat /dev/fd0 /mnt && cmp /mnt/version /proc/version && umount /mnt && echo SA''ME\n")
	g.expect("SAME", slow)
	g.send("reboot -f\n")
	g.ends(slow)
	if !strings.Contains(string(read(t, a)), "Linux version 6") {
		t.Error("the file is not on the disk")
	}
}

// Linux notices another disk by the line that the drive pulls (DSKCHG), and does not
// write to a protected one.
func TestFloppyMedia(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	dir := t.TempDir()
	disk := func(name string, kib int, fill byte) string {
		name = filepath.Join(dir, name)
		write(t, name, bytes.Repeat([]byte{fill}, kib<<10))
		return name
	}
	a, b, small := disk("a.img", 1440, 'a'), disk("b.img", 1440, 'b'), disk("small.img", 720, 'c')
	g := start(t, "-cpu", "pentium2", "-m", "64", "-display", "none", "-serial", "mon:stdio", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0", "-fda", a)
	g.expect("# ", slow)
	look := func(kib int, want byte) {
		t.Helper()
		g.send("sha1sum /dev/fd0\n")
		g.expect(fmt.Sprintf("%x", sha1.Sum(bytes.Repeat([]byte{want}, kib<<10))), slow)
		g.expect("# ", slow)
	}
	monitor := func(command string) {
		t.Helper()
		g.send("\x01c")
		g.expect(`\(qemu\) `, slow)
		g.send(command + "\n")
		g.expect(`\n\(qemu\) `, slow)
		g.send("\x01c\nread -t 4 x; echo SLE''PT\n") // the driver asks every three seconds whether the disk is still the same; sleep needs a call that this kernel has not
		g.expect("SLEPT", slow)
		g.expect("# ", slow)
	}
	look(1440, 'a')
	look(1440, 'a') // from memory
	monitor("change floppy0 " + b + " raw read-only")
	look(1440, 'b')
	g.send("echo x >/dev/fd0; dd if=/dev/zero of=/dev/fd0 bs=512 count=1 conv=notrunc\n")
	g.expect("Read-only file system", slow)
	g.expect("# ", slow)
	monitor("change floppy0 " + small + " raw read-write")
	look(720, 'c')
	g.send("dd if=/dev/zero of=/dev/fd0 bs=512 count=1 conv=notrunc && sync && echo WRIT''TEN\n")
	g.expect("WRITTEN", slow)
	monitor("eject floppy0")
	g.send("dd if=/dev/fd0 of=/dev/null bs=512 count=1 || echo NO DI''SK\n")
	g.expect("NO DISK", slow)
	monitor("change floppy0 " + a + " raw")
	look(1440, 'a')
	g.cmd.Process.Signal(os.Interrupt)
	g.ends(slow)
	if d := read(t, small); d[0] != 0 || d[511] != 0 || d[512] != 'c' || !bytes.Equal(read(t, b), bytes.Repeat([]byte{'b'}, 1440<<10)) {
		t.Error("the disks are not what they are to be")
	}
}

// Without a controller Linux's driver waits 2.7 seconds for one.
func TestFloppyDoesNotDelayBoot(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	attempts(t, func() error { return bootWithFloppies(t, kernel, initrd) })
}

func bootWithFloppies(t *testing.T, kernel, initrd string) error {
	g := start(t, "-cpu", "pentium2", "-m", "64", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 gk=off")
	stamp := func(re string) float64 {
		s := g.expect(`\[ *[0-9.]+\] `+re, slow)
		v, err := strconv.ParseFloat(strings.Trim(strings.SplitN(s, "]", 2)[0], "[ "), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	from := stamp(`Floppy drive\(s\): fd0 is 2.88M`)
	to := stamp("FDC 0 is a S82078B")
	g.ends(slow)
	if to-from > 1 {
		return fmt.Errorf("%.1f s from drives to controller", to-from)
	}
	return nil
}
