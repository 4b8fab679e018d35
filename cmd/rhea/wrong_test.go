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
		{"truncated firmware", []string{"-nographic", "-bios", short}, []string{"short.bin", "truncated"}, false},
		{"empty image", []string{"-nographic", "-hda", empty}, []string{"-hda", "empty"}, false},
		{"unreadable image", []string{"-nographic", "-hda", unreadable}, []string{"-hda", "unreadable.img", "permission"}, true},
		{"no image", []string{"-nographic", "-cdrom", nodir}, []string{"-cdrom", "none.img"}, false},
		{"no bzImage", []string{"-nographic", "-kernel", text}, []string{"-kernel", "not a Linux bzImage"}, false},
		{"initrd does not fit", []string{"-nographic", "-m", "32", "-kernel", guestFile(t, "bzImage-i386-486"), "-initrd", big}, []string{"initrd", "fit"}, false},
		{"too much memory", []string{"-nographic", "-m", "9999T"}, []string{"-m"}, false},
		{"bad memory", []string{"-nographic", "-m", "12Q"}, []string{"-m", "12Q"}, false},
		{"unknown machine", []string{"-M", "pcc"}, []string{"pcc", "pc"}, false},
		{"unknown device", []string{"-device", "ide-hdd"}, []string{"ide-hdd", "ide-hd"}, false},
		{"unknown option", []string{"-nografic"}, []string{"-nografic", "-nographic"}, false},
		{"unknown value", []string{"-vga", "stdd"}, []string{"stdd", "std"}, false},
		{"unknown CPU", []string{"-nographic", "-cpu", "pentum"}, []string{"pentum", "pentium"}, false},
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
