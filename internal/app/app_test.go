package app

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestMainChooses(t *testing.T) {
	for _, c := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"rhea", 1, "", "usage: rhea"},
		{"rhea --version", 0, "rhea 0.1\n", ""},
		{"/usr/bin/rhea system --version", 0, "rhea 0.1\n", ""},
		{"/usr/bin/qemu-system-i386 --version", 0, "QEMU emulator version 9.0.0 (rhea 0.1)\n", ""},
		{"qemu-system-x86_64 -version", 0, "QEMU emulator version 9.0.0 (rhea 0.1)\n", ""},
		{`rhea help`, 0, "usage: rhea", ""},
		{"rhea sytem", 1, "", "rhea: no applet 'sytem' (did you mean 'system'?); they are system, user, img, nbd\n"},
		{"rhea -hda x", 1, "", "rhea: no applet '-hda' (options of the machine emulator go behind 'system': rhea system -hda); they are system, user, img, nbd\n"},
		{"rhea img create", 1, "", "rhea: the disk image tool (qemu-img) does not exist yet\n"},
		{"qemu-img info x", 1, "", "qemu-img: the disk image tool (qemu-img) does not exist yet\n"},
		{"qemu-nbd", 1, "", "qemu-nbd: the network block device server (qemu-nbd) does not exist yet\n"},
		{"qemu-arm a.out", 1, "", "qemu-arm: programs of arm are not supported yet; those of i386, x86_64 are\n"},
		{"qemu-system-arm -M virt", 1, "", "qemu-system-arm: the target 'arm' is not supported yet\n"},
		{"qemu-system-i386 -frob", 1, "", "qemu-system-i386: -frob: invalid option (-help lists all)\n"},
	} {
		var out, errs bytes.Buffer
		code := Main(strings.Fields(c.args), os.Stdin, &out, &errs)
		if code != c.code || !strings.HasPrefix(out.String(), c.stdout) || !strings.HasPrefix(errs.String(), c.stderr) ||
			c.stdout == "" && out.Len() > 0 || c.stderr == "" && errs.Len() > 0 {
			t.Errorf("%s: status %d\n%q\n%q", c.args, code, out.String(), errs.String())
		}
	}
}
