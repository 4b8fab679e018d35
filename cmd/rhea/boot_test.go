package main

import (
	"path/filepath"
	"testing"
	"time"
)

// marked makes a disk whose boot sector writes a letter to COM1 and halts.
func marked(t *testing.T, letter byte) string {
	t.Helper()
	b := append([]byte{
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0xb0, '<', 0xee, // out dx,'<'
		0xb0, letter, 0xee,
		0xb0, '>', 0xee,
		0xf4, 0xeb, 0xfd, // hlt; jmp $-1
	}, make([]byte, 64<<10)...)
	b[510], b[511] = 0x55, 0xaa
	p := filepath.Join(t.TempDir(), "disk.img")
	write(t, p, b[:64<<10])
	return p
}

// bootindex= goes before -boot's order, and the disks' order.
func TestBootIndex(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, first := range []string{"A", "B"} {
		index := map[bool]string{true: "1", false: "2"}
		g := start(t, "-m", "16", "-nographic", "-snapshot",
			"-drive", "file="+marked(t, 'A')+",if=none,id=a,format=raw", "-device", "ide-hd,drive=a,bus=ide.0,bootindex="+index[first == "A"],
			"-drive", "file="+marked(t, 'B')+",if=none,id=b,format=raw", "-device", "ide-hd,drive=b,bus=ide.1,bootindex="+index[first == "B"])
		if got := g.expect(`<[AB]>`, slow); got != "<"+first+">" {
			t.Errorf("with %s first it boots %s", first, got)
		}
	}
}

// A floppy drive has its place among them.
func TestBootIndexFloppy(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, c := range []struct{ first, disk, floppy string }{{"A", "1", "2"}, {"B", "2", "1"}} {
		g := start(t, "-m", "16", "-nographic", "-snapshot",
			"-drive", "file="+marked(t, 'A')+",if=none,id=a,format=raw", "-device", "ide-hd,drive=a,bootindex="+c.disk,
			"-drive", "file="+marked(t, 'B')+",if=none,id=b,format=raw", "-device", "floppy,drive=b,unit=1,bootindex="+c.floppy,
			"-fda", marked(t, 'C'))
		if got := g.expect(`<[ABC]>`, slow); got != "<"+c.first+">" {
			t.Errorf("with %s first it boots %s", c.first, got)
		}
	}
}

// reboot-timeout= is when a machine that cannot boot tries again; without it
// never.
func TestRebootTimeout(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	g := start(t, "-m", "16", "-nographic", "-no-reboot", "-boot", "reboot-timeout=100")
	g.expect("No bootable device", slow)
	g.ends(slow)
	g = start(t, "-m", "16", "-nographic", "-no-reboot")
	g.expect("No bootable device", slow)
	select {
	case err := <-g.end:
		t.Errorf("it ended (%v)", err)
	case <-time.After(2 * time.Second):
	}
}

// A guest that says that it has failed ends the emulator as -action wants it.
func TestGuestPanic(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	b := append([]byte{
		0xba, 0x05, 0x05, // mov dx,505h
		0xec,       // in al,dx
		0xa8, 0x01, // test al,1
		0x74, 0x03, // jz none
		0xb0, 0x01, 0xee, // out dx,1
		0xf4, 0xeb, 0xfd, // none: hlt; jmp $-1
	}, make([]byte, 64<<10)...)
	b[510], b[511] = 0x55, 0xaa
	disk := filepath.Join(t.TempDir(), "disk.img")
	write(t, disk, b[:64<<10])
	for _, tc := range []struct {
		action string
		code   int
	}{{"shutdown", 0}, {"exit-failure", 1}} {
		g := start(t, "-m", "16", "-nographic", "-hda", disk, "-snapshot", "-device", "pvpanic", "-action", "panic="+tc.action)
		select {
		case <-g.end:
			if code := g.cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("%s: exit status %d", tc.action, code)
			}
		case <-time.After(slow):
			t.Fatalf("%s: it did not end", tc.action)
		}
	}
	g := start(t, "-m", "16", "-display", "none", "-monitor", "stdio", "-hda", disk, "-snapshot", "-device", "pvpanic", "-action", "panic=pause")
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		g.send("info status\n")
		if g.expect(`VM status: .*\r`, slow) == "VM status: paused (guest-panicked)\r" {
			return
		}
	}
	t.Error("it was not paused")
}

// markedROM is an option ROM with a boot entry vector (Plug and Play BIOS
// Specification 1.0A, 3.2) that writes a letter.
func markedROM(t *testing.T, letter byte) string {
	t.Helper()
	b := make([]byte, 512)
	copy(b, []byte{0x55, 0xaa, 1, 0xcb}) // one block; the initialization returns
	b[0x1a] = 0x20
	h := b[0x20:]
	copy(h, "$PnP")
	h[4], h[5] = 1, 2       // revision, length in paragraphs
	h[0x12], h[0x14] = 2, 4 // network; it may be booted from
	h[0x1a] = 0x40          // BEV
	copy(b[0x40:], []byte{
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0xb0, '<', 0xee, // out dx,'<'
		0xb0, letter, 0xee,
		0xb0, '>', 0xee,
		0xf4, 0xeb, 0xfd, // hlt; jmp $-1
	})
	sum := func(b []byte) (s byte) {
		for _, v := range b {
			s -= v
		}
		return s
	}
	h[9] = sum(h[:32])
	b[511] = sum(b)
	p := filepath.Join(t.TempDir(), "mark.rom")
	write(t, p, b)
	return p
}

// An option ROM has its place among the disks as well.
func TestBootIndexROM(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, c := range []struct{ first, disk, rom string }{{"A", "1", "2"}, {"R", "2", "1"}} {
		g := start(t, "-m", "16", "-nographic", "-snapshot", "-net", "none",
			"-drive", "file="+marked(t, 'A')+",if=none,id=a,format=raw", "-device", "ide-hd,drive=a,bootindex="+c.disk,
			"-option-rom", markedROM(t, 'R')+",bootindex="+c.rom)
		if got := g.expect(`<[AR]>`, slow); got != "<"+c.first+">" {
			t.Errorf("with %s first it boots %s", c.first, got)
		}
	}
}
