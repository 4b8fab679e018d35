package main

import (
	"path/filepath"
	"testing"
)

// The monitor sees the machine that the options describe.
func TestMonitor(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	disk := filepath.Join(t.TempDir(), "disk.img")
	write(t, disk, make([]byte, 1<<20))
	g := start(t, "-S", "-m", "16", "-cpu", "pentium3", "-display", "none", "-monitor", "stdio", "-no-fd-bootchk",
		"-drive", "file="+disk+",if=none,id=sys,format=raw,cache=directsync,trans=rechs,cyls=32,heads=2,secs=32",
		"-device", "ide-hd,drive=sys,bus=ide.0,unit=0,bootindex=3", "-drive", "if=none,id=fd,cache=writethrough", "-device", "floppy,drive=fd", "-boot", "reboot-timeout=500")
	say := func(command, want string) {
		t.Helper()
		g.expect(`\(qemu\) `, slow)
		g.send(command + "\n")
		g.expect(want, slow)
	}
	say("info roms", `addr=00000000fffc0000 size=0x040000 mem=rom name="bios-256k.bin"`)
	say("info block -v", `(?s)Cache mode: +writethrough, direct.*image: .*disk.img.*virtual size: 1 MiB \(1048576 bytes\)`)
	say("info lapic", `SPIV\s+0x000000ff APIC disabled`)
	say("info irq", `(?s)isa-i8259.*ioapic`)
	say("boot_set dc", `boot device list now set to dc`)
	say("boot_set x", `Invalid boot device .x.`)
	cmos := func(index, want string) {
		t.Helper()
		say("o /b 0x70 "+index, "")
		say("i /b 0x71", `portb\[0x0*71\] = `+want)
	}
	cmos("0x3d", "0x23") // first the CD, then the disk
	cmos("0x38", "0x01") // no third; floppies need no signature
	cmos("0x39", "0x03") // "rechs"
	say("info block floppy0", `floppy0: \[not inserted\]`)
	say("change floppy0 "+disk+" raw read-only", "")
	say("info block -v fd", `(?s)floppy0 \(fd\): \S+disk.img \(raw, read-only\).*not locked.*Cache mode: +writethrough.*virtual size: 1 MiB`)
	say("eject fd", "")
	say("info block fd", `floppy0: \[not inserted\]`) // an id without a medium is the drive's still
	say("eject sys", "the device 'sys' is not removable")
	say("quit", "")
	g.ends(slow)
}
