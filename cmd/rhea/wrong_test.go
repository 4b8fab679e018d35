package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrongInput: each of the user's mistakes gets one line that names it,
// and exit status 1.
func TestWrongInput(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		write(t, p, data)
		return p
	}
	empty := file("empty.img", nil)
	short := file("short.bin", make([]byte, 1000))
	text := file("kernel.txt", []byte(strings.Repeat("no kernel ", 200)))
	big := file("big.gz", make([]byte, 40<<20))
	unreadable := file("unreadable.img", make([]byte, 1024))
	if err := os.Chmod(unreadable, 0); err != nil {
		t.Fatal(err)
	}
	// A folder whose firmware is cut short.
	cut := filepath.Join(dir, "cut")
	write(t, filepath.Join(cut, "bios-256k.bin"), make([]byte, 100000))
	cutVGA := filepath.Join(dir, "cutvga")
	write(t, filepath.Join(cutVGA, "vgabios-stdvga.bin"), []byte{0x55, 0xaa, 0x4e})
	kernel := guestFile(t, "bzImage-i386-486")
	cutKernel := file("cut.bzImage", read(t, kernel)[:200000])
	sock := filepath.Join(dir, "sock")
	ul, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ul.Close()
	nodir := filepath.Join(dir, "none.img")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())

	none := []string{"-nographic", "-L", dir}
	cases := []struct {
		name string
		args []string
		want []string // all in the message
		root bool     // root may do it
	}{
		{"no firmware", append(none, "-bios", "nothere.bin"), []string{"nothere.bin"}, false},
		{"no firmware with a package", append(none, "-bios", "BIOS-bochs-oldest"), []string{"BIOS-bochs-oldest", "apt install bochsbios"}, false},
		{"no firmware with a path", append(none, "-bios", nodir), []string{"-bios", "none.img", "no such file"}, false},
		{"truncated firmware", []string{"-nographic", "-bios", short}, []string{"short.bin", "truncated", "seabios"}, false},
		{"truncated installed firmware", []string{"-nographic", "-L", cut}, []string{"bios-256k.bin", "truncated", "100000 of 262144", "apt install --reinstall seabios"}, false},
		{"truncated VGA BIOS", []string{"-nographic", "-L", cutVGA}, []string{"-vga", "vgabios-stdvga.bin", "truncated", "seabios"}, false},
		{"empty firmware", []string{"-nographic", "-bios", empty}, []string{"-bios", "empty.img", "truncated"}, false},
		{"a folder as firmware", []string{"-nographic", "-bios", dir}, []string{"-bios", "directory"}, false},
		{"empty image", []string{"-nographic", "-hda", empty}, []string{"-hda", "empty"}, false},
		{"unreadable image", []string{"-nographic", "-hda", unreadable}, []string{"-hda", "unreadable.img", "permission"}, true},
		{"empty CD image", []string{"-nographic", "-cdrom", empty}, []string{"-cdrom", "empty"}, false},
		{"a folder as image", []string{"-nographic", "-hda", dir}, []string{"-hda", "directory"}, false},
		{"less than a sector", []string{"-nographic", "-drive", "file=" + file("tiny", []byte("tiny")) + ",format=raw"}, []string{"-drive", "tiny", "4 bytes"}, false},
		{"no image", []string{"-nographic", "-cdrom", nodir}, []string{"-cdrom", "none.img"}, false},
		{"no bzImage", []string{"-nographic", "-kernel", text}, []string{"-kernel", "not a Linux bzImage"}, false},
		{"an empty kernel", []string{"-nographic", "-kernel", empty}, []string{"-kernel", "empty"}, false},
		{"an ELF file as kernel", []string{"-nographic", "-kernel", rheaBinary(t)}, []string{"-kernel", "not a Linux bzImage", "ELF"}, false},
		{"truncated kernel", []string{"-nographic", "-kernel", cutKernel}, []string{"-kernel", "cut.bzImage", "truncated"}, false},
		{"initrd does not fit", []string{"-nographic", "-m", "32", "-kernel", kernel, "-initrd", big}, []string{"initrd", "fit", "-m"}, false},
		{"kernel does not fit", []string{"-nographic", "-m", "4", "-kernel", kernel}, []string{"-kernel", "4 MiB"}, false},
		{"empty initrd", []string{"-nographic", "-kernel", kernel, "-initrd", empty}, []string{"-initrd", "empty"}, false},
		{"initrd without kernel", []string{"-nographic", "-initrd", big}, []string{"-initrd", "-kernel"}, false},
		{"too little memory", []string{"-nographic", "-m", "0"}, []string{"-m", "too little"}, false},
		{"too much memory", []string{"-nographic", "-m", "9999T"}, []string{"-m"}, false},
		{"bad memory", []string{"-nographic", "-m", "12Q"}, []string{"-m", "12Q"}, false},
		{"unknown machine", []string{"-M", "pcc"}, []string{"pcc", "pc"}, false},
		{"a machine that is not built", []string{"-M", "q35"}, []string{"q35", "not supported yet"}, false},
		{"unknown property of a machine", []string{"-M", "pc,apci=off"}, []string{"apci"}, false},
		{"a device that is not built", []string{"-device", "virtio-net-pci"}, []string{"virtio-net-pci", "not supported yet"}, false},
		{"unknown property of a device", []string{"-device", "VGA,vgamem=1"}, []string{"vgamem"}, false},
		{"unknown device", []string{"-device", "ide-hdd"}, []string{"ide-hdd", "ide-hd"}, false},
		{"unknown option", []string{"-nografic"}, []string{"-nografic", "-nographic"}, false},
		{"an option that is not built", []string{"-usb"}, []string{"-usb", "not supported yet"}, false},
		{"an option without its argument", []string{"-hda"}, []string{"-hda", "argument"}, false},
		{"unknown value of a key", []string{"-drive", "file=" + big + ",cache=writebak"}, []string{"cache", "writebak", "writeback"}, false},
		{"a value out of range", []string{"-boot", "reboot-timeout=100000"}, []string{"reboot-timeout", "100000"}, false},
		{"unknown value", []string{"-vga", "stdd"}, []string{"stdd", "std"}, false},
		{"unknown CPU", []string{"-nographic", "-cpu", "pentum"}, []string{"pentum", "pentium"}, false},
		{"serial socket in use", []string{"-display", "none", "-serial", "unix:" + sock + ",server=on,wait=off"}, []string{sock, "in use"}, false},
		{"terminal in use", []string{"-display", "none", "-serial", "stdio", "-monitor", "stdio"}, []string{"-monitor stdio", "in use"}, false},
		{"serial port in use", []string{"-display", "none", "-serial", "tcp:127.0.0.1:" + port + ",server,nowait"}, []string{"127.0.0.1:" + port, "in use"}, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root && os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			cmd := exec.Command(rheaBinary(t), append([]string{"system"}, tc.args...)...)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != 1 {
				t.Fatalf("ended with %v, want exit status 1: %s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			var message string
			for _, l := range lines {
				if !strings.Contains(l, ": note: ") {
					message += l + "\n"
				}
			}
			if strings.Count(message, "\n") != 1 {
				t.Errorf("the message has not one line: %q", message)
			}
			for _, w := range tc.want {
				if !strings.Contains(message, w) {
					t.Errorf("the message lacks %q: %s", w, message)
				}
			}
		})
	}
}
