package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rfb is a client that sees nothing and only moves its pointer.
type rfb struct {
	net.Conn
	t *testing.T
}

// dialRFB comes in to the VNC server that "info vnc" tells of.
func (g *guest) dialRFB() *rfb {
	g.t.Helper()
	g.send("info vnc\n")
	addr := regexp.MustCompile(`127.0.0.1:\d+`).FindString(g.expect(`Server: 127.0.0.1:\d+ `, slow))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	v := &rfb{c, g.t}
	r := bufio.NewReader(c)
	skip := func(n int) {
		if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
			g.t.Fatal(err)
		}
	}
	skip(12) // version; security types, the result
	io.WriteString(c, "RFB 003.008\n\x01\x01")
	skip(2 + 4 + 20)
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		g.t.Fatal(err)
	}
	skip(int(binary.BigEndian.Uint32(n[:])))
	// The picture is asked for once: then the server knows whether the guest
	// wants places.
	c.Write([]byte{3, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	skip(1)
	go io.Copy(io.Discard, r)
	return v
}

// point is a PointerEvent. Moves that come before the guest has seen the last one
// add up.
func (v *rfb) point(buttons byte, x, y int) {
	v.t.Helper()
	b := []byte{5, buttons, byte(x >> 8), byte(x), byte(y >> 8), byte(y)}
	if _, err := v.Write(b); err != nil {
		v.t.Fatal(err)
	}
}

// TestPointer moves the mouse of a Linux guest by the monitor and by VNC, and
// reads what its driver makes of that (/dev/input/mice: three bytes as a PS/2
// mouse sends them).
func TestPointer(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	g := start(t, "-m", "64", "-vnc", "127.0.0.1:40,to=200", "-serial", "mon:stdio", "-kernel", guestFile(t, "bzImage-i386-486"),
		"-initrd", guestFile(t, "initramfs-i386.gz"), "-append", "console=ttyS0")
	g.expect("# ", slow)
	// A line for each packet.
	g.send("mknod /m c 13 63; exec 3</m; echo read''ing; while :; do dd bs=3 count=1 <&3 2>/dev/null | hexdump -v -e '\"packet \" 3/1 \"%02x \" \"\\n\"'; done\n")
	g.expect("reading", slow)
	g.send("\x01c")
	g.expect(`\(qemu\) `, slow)
	packet := func(want string) {
		t.Helper()
		if got := strings.TrimPrefix(g.expect(`packet [0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2}`, slow), "packet "); got != want {
			t.Errorf("the guest's packet is %s, want %s", got, want)
		}
	}
	step := func(cmd, want string) {
		t.Helper()
		g.send(cmd + "\n")
		packet(want)
	}
	step("mouse_move 30 -20", "08 1e 14") // down is positive, to a PS/2 mouse up is
	step("mouse_button 1", "09 00 00")
	step("mouse_move -5 7", "39 fb f9")
	step("mouse_button 0", "08 00 00")
	v := g.dialRFB()
	v.point(0, 100, 100) // where it is is known from now on
	for _, m := range []struct {
		buttons byte
		x, y    int
		want    string
	}{{0, 110, 95, "08 0a 05"}, {0, 90, 99, "38 ec fc"}, {1, 90, 99, "09 00 00"}, {0, 90, 99, "08 00 00"}, {4, 90, 99, "0a 00 00"}} {
		v.point(m.buttons, m.x, m.y)
		packet(m.want)
	}
}

// TestVMMouseLinux has Linux's own driver find the pointer that knows places. It
// looks for it on VMware's machines only, which it knows by their serial number,
// and writes what it makes of places, buttons and the wheel to the second serial port.
func TestVMMouseLinux(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	dir := "/usr/lib/debian-installer/images/12/i386/gtk/debian-installer/i386/"
	kernel, initrd := need(t, "debian-installer-12-netboot-i386", dir+"linux"), need(t, "debian-installer-12-netboot-i386", dir+"initrd.gz")
	events := filepath.Join(t.TempDir(), "events")
	g := start(t, "-m", "512", "-cpu", "pentium3", "-vnc", "127.0.0.1:40,to=200", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet rdinit=/bin/sh",
		"-smbios", "type=1,serial=VMware-1", "-serial", "mon:stdio", "-serial", "file:"+events, "-net", "none")
	g.expect("# ", slow)
	g.send("mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; modprobe psmouse; modprobe evdev; sleep 2; cat /sys/class/input/*/device/name\n")
	g.expect("VirtualPS/2 VMware VMMouse", slow)
	// The pointer's two devices have the same vendor and one name; that of places has /input1.
	g.send("for e in /sys/class/input/event*; do grep -q input1 $e/device/phys && n=${e##*/}; done; stty -F /dev/ttyS1 raw\n")
	g.send("exec 3</dev/input/$n; echo read''ing $n; dd of=/dev/ttyS1 bs=16 count=13 <&3; echo do''ne\n")
	g.expect("reading event", slow)
	g.send("\x01c")
	g.expect(`\(qemu\) `, slow)
	g.send("info mice\n")
	g.expect(`\* Mouse #1: vmmouse \(absolute\)`, slow)
	v := g.dialRFB() // 720 pixels by 400, the text of the kernel
	for _, m := range []struct {
		buttons      byte
		x, y, events int
	}{{0, 0, 0, 0}, {0, 719, 399, 3}, {1, 719, 399, 2}, {0, 719, 399, 2}, {0, 360, 0, 3}, {0, 361, 399, 3}} {
		n := len(read(t, events))
		v.point(m.buttons, m.x, m.y)
		until(t, fmt.Sprintf("the driver tells of %v", m), func() bool { return len(read(t, events)) >= n+16*m.events })
	}
	g.expect("done", slow)
	var got []string
	for b := read(t, events); len(b) >= 16; b = b[16:] { // struct input_event with times of 32 bits
		if kind := binary.LittleEndian.Uint16(b[8:]); kind != 0 {
			got = append(got, fmt.Sprintf("%d:%x=%d", kind, binary.LittleEndian.Uint16(b[10:]), int32(binary.LittleEndian.Uint32(b[12:]))))
		}
	}
	if want := "[3:0=65534 3:1=65534 1:110=1 1:110=0 3:0=32812 3:1=0 3:0=32902 3:1=65534]"; fmt.Sprint(got) != want {
		t.Errorf("the driver's events are\n%v, want\n%s", got, want)
	}
}

// TestGraphicalInstaller: the Debian installer's X server shows its dialog, and
// the pointer goes into the corner.
func TestGraphicalInstaller(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	dir := "/usr/lib/debian-installer/images/12/i386/gtk/debian-installer/i386/"
	kernel, initrd := need(t, "debian-installer-12-netboot-i386", dir+"linux"), need(t, "debian-installer-12-netboot-i386", dir+"initrd.gz")
	g := start(t, "-m", "768", "-vnc", "127.0.0.1:40,to=200", "-kernel", kernel, "-initrd", initrd, "-append", "vga=788", "-monitor", "stdio", "-serial", "null", "-net", "none")
	g.expect(`\(qemu\) `, slow)
	g.golden("installer-gtk")
	v := g.dialRFB()
	// By what a person does, and by a move of more than the mouse's packets hold.
	v.point(0, 0, 0)
	v.point(0, 2000, 0)
	time.Sleep(time.Second)
	v.point(0, 2000, 2000)
	g.golden("installer-corner")
	g.send("mouse_move -2000 -2000\n")
	time.Sleep(time.Second)
	g.send("mouse_move 2000 2000\n")
	g.golden("installer-corner")
	g.send("quit\n")
	g.ends(slow)
}
