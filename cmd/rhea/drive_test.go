package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// withPrograms returns an initramfs with some of the host's programs and their
// libraries.
func withPrograms(t *testing.T, base string, paths ...string) string {
	t.Helper()
	libs, err := exec.Command(tool(t, "libc-bin", "ldd"), paths...).Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	for _, m := range regexp.MustCompile(`(?m)(/\S+) \(`).FindAllStringSubmatch(string(libs), -1) {
		paths = append(paths, m[1])
	}
	for _, f := range paths {
		at := filepath.Join(tree, f)
		write(t, at, read(t, f))
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "initrd.gz")
	command(t, "sh", "-c", `cd "$1" && { cat "$2"; find . | cpio -o -H newc 2>/dev/null | gzip -1; } >"$3"`, "sh", tree, guestFile(t, base), out)
	return out
}

// TestDrives: smartctl believes the disk, a bad sector (blkdebug) is found,
// reported and logged; a full host stops the machine until it goes on; a
// mounted CD stays in its drive.
func TestDrives(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	kernel := guestFile(t, "bzImage-x86_64")
	initrd := withPrograms(t, "initramfs-x86_64.gz", tool(t, "smartmontools", "smartctl"), tool(t, "eject", "eject"))
	xorriso := tool(t, "xorriso", "xorriso")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	write(t, file("a.img"), make([]byte, 16<<20))
	write(t, file("b.img"), make([]byte, 16<<20))
	write(t, file("bad.conf"), []byte("[inject-error]\nevent = \"read_aio\"\nsector = \"20003\"\n"))
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(dir, name, "name"), []byte("this is "+name+"\n"))
		command(t, xorriso, "-as", "mkisofs", "-R", "-o", file(name+".iso"), filepath.Join(dir, name))
	}
	g := start(t, "-target", "x86_64", "-m", "128", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
		"-append", "console=ttyS0 quiet",
		"-drive", "file=blkdebug:"+file("bad.conf")+":"+file("a.img")+",format=raw",
		"-blockdev", "driver=file,node-name=f,filename="+file("b.img"),
		"-blockdev", "driver=blkdebug,node-name=d,image=f,inject-error.0.event=write_aio,inject-error.0.errno=28,inject-error.0.once=on",
		"-blockdev", "driver=raw,node-name=b,file=d", "-device", "ide-hd,drive=b,bus=ide.0,unit=1",
		"-cdrom", file("one.iso"))
	g.expect("GUEST-KIT OK", slow)
	g.expect("# ", slow)
	do := func(command, want string) string {
		t.Helper()
		g.send(command + "; echo E''ND\n")
		got := g.expect(`(?s).*?\nEND`, slow)
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: no %q in\n%s", command, want, got)
		}
		return got
	}
	inMonitor := func(lines ...string) { // command, answer, …
		t.Helper()
		g.send("\x01c")
		for i := 0; i < len(lines); i += 2 {
			g.send(lines[i] + "\n")
			got := g.expect(regexp.QuoteMeta(lines[i])+`\s*\n(?s).*?\(qemu\) `, slow)
			if !regexp.MustCompile(lines[i+1]).MatchString(got) {
				t.Errorf("%s: no %q in\n%s", lines[i], lines[i+1], got)
			}
		}
		g.send("\x01c")
	}
	all := do("smartctl -a /dev/sda", `(?s)test result: PASSED.*Power_On_Hours.*No Errors Logged.*No self-tests`)
	if strings.Contains(strings.ToLower(all), "checksum") || strings.Contains(all, "Warning") {
		t.Error("smartctl complains")
	}
	do("dd if=/dev/sda of=/dev/null bs=512 skip=19992 count=8", `8\+0 records in`)
	do("dd if=/dev/sda of=/dev/null bs=512 skip=20003 count=1", `Input/output error`)
	do("smartctl -l error /dev/sda", `(?s)ATA Error Count.*UNC.*LBA = 0x00004e23 = 20003`)
	do("smartctl -t long /dev/sda", `Testing has begun`)
	do("while ! smartctl -l selftest /dev/sda | grep '# 1'; do sleep 1; done", `# 1 .*Completed: read failure .* 20003`)
	do("smartctl -t short /dev/sdb; while ! smartctl -l selftest /dev/sdb | grep '# 1'; do sleep 1; done", `# 1 .*Short offline .*Completed without error`)

	g.send("dd if=/proc/version of=/dev/sdb; sync && echo WRIT''TEN\n")
	until(t, "the machine is stopped", func() bool {
		return strings.Contains(g.errs.String(), "no space left on device: the machine is stopped")
	})
	inMonitor("info status", `paused \(io-error\)`, "cont", "")
	g.expect("WRITTEN", slow)
	if !strings.HasPrefix(string(read(t, file("b.img"))), "Linux version 6") {
		t.Error("the write was lost")
	}

	do("mount -r /dev/sr0 /mnt && cat /mnt/name", "this is one")
	inMonitor("eject ide1-cd0", "is locked and force was not specified", "change ide1-cd0 "+file("two.iso"), "is locked", "info block ide1-cd0", "(?s)one.iso.*locked, tray closed")
	do("umount /mnt", "")
	inMonitor("eject ide1-cd0", "", "info block ide1-cd0", "not inserted")
	do("mount -r /dev/sr0 /mnt", "No medium")
	inMonitor("change ide1-cd0 "+file("two.iso"), "")
	do("mount -r /dev/sr0 /mnt && cat /mnt/name", "this is two")
	do("umount /mnt; eject /dev/sr0", "")
	inMonitor("info block ide1-cd0", "(?s)two.iso.*tray open")
	do("mount -r /dev/sr0 /mnt && cat /mnt/name", "this is two") // Linux closes it
	inMonitor("info block ide1-cd0", "(?s)two.iso.*locked, tray closed")
	inMonitor("eject -f ide1-cd0", "")
	do("echo 3 >/proc/sys/vm/drop_caches; cat /mnt/name; umount /mnt; mount -r /dev/sr0 /mnt", "No medium")
	g.send("poweroff -f\n")
	g.ends(slow)
}

// TestTrim: what Linux discards is freed on the host if discard=unmap says so, in raw
// and in qcow2 images, and else stays.
func TestTrim(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	qemuImg := tool(t, "qemu-utils", "qemu-img")
	dir := t.TempDir()
	const size = 16 << 20
	raw, kept, qcow := filepath.Join(dir, "a.img"), filepath.Join(dir, "b.img"), filepath.Join(dir, "c.qcow2")
	for _, name := range []string{raw, kept} {
		write(t, name, bytes.Repeat([]byte{1}, size))
	}
	command(t, qemuImg, "convert", "-f", "raw", "-O", "qcow2", raw, qcow)
	g := start(t, "-m", "64", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet",
		"-drive", "file="+raw+",format=raw,discard=unmap", "-drive", "file="+kept+",format=raw", "-drive", "file="+qcow+",format=qcow2,discard=unmap")
	g.expect("# ", slow)
	for _, d := range []string{"sda", "sdb", "sdc"} {
		g.send("blkdiscard -o 1048576 -l 8388608 /dev/" + d + " && echo DIS''CARDED\n")
		g.expect("DISCARDED", slow)
	}
	g.send("sync; reboot -f\n")
	g.ends(slow)
	want := bytes.Repeat([]byte{1}, size)
	if !bytes.Equal(read(t, kept), want) {
		t.Error("an image without discard=unmap was changed")
	}
	clear(want[1<<20:][:8<<20])
	if !bytes.Equal(read(t, raw), want) {
		t.Error("the raw image is not what is to be left")
	}
	command(t, qemuImg, "check", qcow)
	out := filepath.Join(dir, "c.img")
	command(t, qemuImg, "convert", "-f", "qcow2", "-O", "raw", qcow, out)
	if !bytes.Equal(read(t, out), want) {
		t.Error("the qcow2 image is not what is to be left")
	}
}
