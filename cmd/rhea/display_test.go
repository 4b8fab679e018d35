package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// painter is a disk whose boot sector fills mode 13h with (offset ^
// offset>>8) and halts.
func painter(t *testing.T) string {
	t.Helper()
	boot := make([]byte, 512)
	copy(boot, []byte{
		0xb8, 0x13, 0x00, 0xcd, 0x10, // mov ax, 13h; int 10h
		0xb8, 0x00, 0xa0, 0x8e, 0xc0, // mov ax, 0a000h; mov es, ax
		0x31, 0xff, // xor di, di
		0x89, 0xf8, 0x30, 0xe0, 0xaa, // mov ax, di; xor al, ah; stosb
		0x81, 0xff, 0x00, 0xfa, 0x72, 0xf5, // cmp di, 64000; jb
		0xf4, 0xeb, 0xfd, // hlt; jmp
	})
	boot[510], boot[511] = 0x55, 0xaa
	name := filepath.Join(t.TempDir(), "boot.img")
	write(t, name, append(boot, make([]byte, 1<<20-512)...))
	return name
}

// dump is the screen by the monitor's screendump.
func (g *guest) dump() image.Image {
	g.t.Helper()
	name := filepath.Join(g.t.TempDir(), "dump.png")
	g.send("screendump " + name + " -f png\n")
	g.expect(`screendump [^\n]*\n\(qemu\) `, slow)
	f, err := os.Open(name)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		g.t.Fatal(err)
	}
	return m
}

// painted waits until the painter has painted.
func (g *guest) painted() image.Image {
	g.t.Helper()
	var m image.Image
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		m = g.dump()
		if m.Bounds().Dx() != 640 || m.Bounds().Dy() != 400 {
			continue
		}
		if rgb(m.At(639, 399)) == [3]int{170, 85, 0} { // colour 6: the last offset is f9ffh
			return m
		}
	}
	g.t.Fatalf("no picture: %v", m.Bounds())
	return nil
}

func rgb(c color.Color) [3]int {
	r, g, b, _ := c.RGBA()
	return [3]int{int(r >> 8), int(g >> 8), int(b >> 8)}
}

// vncDisplay starts a painter with a VNC server and returns its display's
// number.
func vncDisplay(t *testing.T, options string) (*guest, string) {
	t.Helper()
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	g := start(t, "-m", "16", "-hda", painter(t), "-snapshot", "-vnc", "127.0.0.1:40,to=200"+options, "-monitor", "stdio")
	g.expect(`\(qemu\) `, slow)
	g.send("info vnc\n")
	out := g.expect(`Server: 127.0.0.1:(\d+) `, slow)
	var port int
	fmt.Sscanf(regexp.MustCompile(`127.0.0.1:(\d+)`).FindStringSubmatch(out)[1], "%d", &port)
	return g, fmt.Sprint(port - 5900)
}

func TestVNCSnapshot(t *testing.T) {
	snap := tool(t, "vncsnapshot", "vncsnapshot")
	g, n := vncDisplay(t, "")
	want := g.painted()
	name := filepath.Join(t.TempDir(), "snap.jpg")
	command(t, snap, "-quality", "100", "localhost:"+n, name)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, _, err := image.Decode(f)
	if err != nil || got.Bounds() != want.Bounds() {
		t.Fatal(err, got.Bounds())
	}
	// The file is JPEG with halved colours: by blocks it is what was sent.
	off := 0
	for y := 0; y < 400; y += 8 {
		for x := 0; x < 640; x += 8 {
			var a, b [3]int
			for i := range 64 {
				for c := range 3 {
					a[c] += rgb(got.At(x+i%8, y+i/8))[c]
					b[c] += rgb(want.At(x+i%8, y+i/8))[c]
				}
			}
			for c := range 3 {
				if d := a[c] - b[c]; d > 64*12 || d < -64*12 {
					off++
				}
			}
		}
	}
	if off > 50 {
		t.Errorf("%d blocks of 4000 differ", off)
	}
}

func TestVNCPassword(t *testing.T) {
	snap := tool(t, "vncsnapshot", "vncsnapshot")
	passwd := tool(t, "tigervnc-tools", "tigervncpasswd")
	g, n := vncDisplay(t, ",password=on")
	try := func(password string) error {
		file := filepath.Join(t.TempDir(), "passwd")
		cmd := exec.Command(passwd, "-f")
		cmd.Stdin = strings.NewReader(password + "\n")
		b, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, b)
		return exec.Command(snap, "-passwd", file, "localhost:"+n, filepath.Join(t.TempDir(), "a.jpg")).Run()
	}
	if try("tomato") == nil {
		t.Error("a client came in before a password was set")
	}
	g.send("set_password vnc tomato\n")
	g.expect(`tomato[^\n]*\n\(qemu\) `, slow)
	if try("potato") == nil {
		t.Error("a client came in with a wrong password")
	}
	if err := try("tomato"); err != nil {
		t.Errorf("the password was refused: %v", err)
	}
	g.send("change vnc password potato\n")
	g.expect(`potato[^\n]*\n\(qemu\) `, slow)
	if err := try("potato"); err != nil {
		t.Errorf("the new password was refused: %v", err)
	}
}

// xvfb starts an X server and returns its display.
func xvfb(t *testing.T) string {
	t.Helper()
	x := tool(t, "xvfb", "Xvfb")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(x, "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp",
		"-noreset", // it would begin anew whenever its last client goes
		"-r")       // a key that a busy host is late to release would repeat
	cmd.ExtraFiles = []*os.File{w}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	b := make([]byte, 16)
	n, err := r.Read(b)
	if err != nil {
		t.Fatalf("Xvfb: %v", err)
	}
	return ":" + strings.TrimSpace(string(b[:n]))
}

// xShot is what an X server shows (the XWD format, version 7: a header of 25
// words and more, a colour map, lines of 32-bit pixels).
func xShot(t *testing.T, disp string) *image.RGBA {
	t.Helper()
	xwd := tool(t, "x11-apps", "xwd")
	cmd := exec.Command(xwd, "-root", "-silent")
	cmd.Env = append(os.Environ(), "DISPLAY="+disp)
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("xwd: %v", err)
	}
	word := func(i int) int { return int(binary.BigEndian.Uint32(b[4*i:])) }
	w, h, stride := word(4), word(5), word(12)
	pix := b[word(0)+12*word(19):]
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			p := pix[y*stride+4*x:]
			m.SetRGBA(x, y, color.RGBA{p[2], p[1], p[0], 0xff})
		}
	}
	return m
}

// contains reports whether a picture is in a larger one, pixel by pixel.
func contains(m *image.RGBA, part image.Image) bool {
	p := image.NewRGBA(part.Bounds())
	for y := range p.Rect.Dy() {
		for x := range p.Rect.Dx() {
			p.Set(x, y, part.At(x, y))
		}
	}
	row := func(m *image.RGBA, x, y int) []byte {
		return m.Pix[m.PixOffset(x, y) : m.PixOffset(x+p.Rect.Dx()-1, y)+4]
	}
	for y := range m.Rect.Dy() - p.Rect.Dy() + 1 {
		for x := range m.Rect.Dx() - p.Rect.Dx() + 1 {
			same := 0
			for same < p.Rect.Dy() && bytes.Equal(row(m, x, y+same), row(p, 0, same)) {
				same++
			}
			if same == p.Rect.Dy() {
				return true
			}
		}
	}
	return false
}

// shows waits until an X server shows a picture.
func shows(t *testing.T, disp string, want image.Image) {
	t.Helper()
	var m *image.RGBA
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(time.Second) {
		if m = xShot(t, disp); contains(m, want) {
			return
		}
	}
	keep(t, m)
	t.Error("the guest's picture is not on the screen")
}

// keep stores a picture for people to look at.
func keep(t *testing.T, m image.Image) {
	name := filepath.Join(os.TempDir(), strings.ReplaceAll(t.Name(), "/", "-")+".png")
	if f, err := os.Create(name); err == nil {
		png.Encode(f, m)
		f.Close()
		t.Logf("see %s", name)
	}
}

func TestVNCViewer(t *testing.T) {
	viewer := tool(t, "tigervnc-viewer", "xtigervncviewer")
	g, n := vncDisplay(t, "")
	want := g.painted()
	for _, enc := range []string{"Raw", "Hextile", "ZRLE", "Tight"} {
		t.Run(enc, func(t *testing.T) {
			disp := xvfb(t)
			cmd := exec.Command(viewer, "-PreferredEncoding="+enc, "-AutoSelect=0", "-NoJPEG=1", "-geometry", "700x450+0+0", "localhost:"+n)
			cmd.Env = append(os.Environ(), "DISPLAY="+disp)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cmd.Process.Kill(); cmd.Wait() }()
			shows(t, disp, want)
		})
	}
}

// TestVNCViewerConsoles switches a viewer to the monitor, types there, and back to
// the machine, whose picture comes again.
func TestVNCViewerConsoles(t *testing.T) {
	viewer, xdotool := tool(t, "tigervnc-viewer", "xtigervncviewer"), tool(t, "xdotool", "xdotool")
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	disp := xvfb(t)
	side := filepath.Join(t.TempDir(), "mon")
	g := start(t, "-m", "16", "-hda", painter(t), "-snapshot", "-vnc", "127.0.0.1:40,to=200", "-name", "consoles",
		"-chardev", "stdio,id=m", "-mon", "m", "-monitor", "vc", "-serial", "file:"+side)
	g.expect(`\(qemu\) `, slow)
	g.send("info vnc\n")
	addr := g.expect(`Server: 127.0.0.1:\d+ `, slow)
	want := g.painted()
	cmd := exec.Command(viewer, "-geometry", "700x450+0+0", strings.Replace(strings.Fields(addr)[1], ":", "::", 1))
	cmd.Env = append(os.Environ(), "DISPLAY="+disp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	shows(t, disp, want)
	x := func(args ...string) {
		t.Helper()
		c := exec.Command(xdotool, args...)
		c.Env = append(os.Environ(), "DISPLAY="+disp)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("xdotool %v: %v\n%s", args, err, out)
		}
	}
	x("search", "--onlyvisible", "--name", "consoles", "windowfocus") // there is no window manager
	x("key", "ctrl+alt+2")
	x("type", "info name")
	x("key", "Return")
	var shot *image.RGBA
	until(t, "Ctrl-Alt-2 changes the picture", func() bool { shot = xShot(t, disp); return !contains(shot, want) })
	if dir := os.Getenv("RHEA_SHOTS"); dir != "" {
		var b bytes.Buffer
		png.Encode(&b, shot)
		write(t, filepath.Join(dir, "vnc-monitor.png"), b.Bytes())
	}
	x("key", "ctrl+alt+1")
	shows(t, disp, want)
	x("key", "ctrl+alt+2")
	x("type", "quit")
	x("key", "Return")
	g.ends(slow)
	if g.cmd.ProcessState.ExitCode() != 0 {
		t.Error(g.cmd.ProcessState)
	}
}

// TestX11 looks at the window and types into it.
func TestX11(t *testing.T) {
	xdotool := tool(t, "xdotool", "xdotool")
	disp := xvfb(t)
	t.Setenv("DISPLAY", disp)
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")

	g := start(t, "-m", "16", "-hda", painter(t), "-snapshot", "-monitor", "stdio") // a window is the default
	g.expect(`\(qemu\) `, slow)
	shows(t, disp, g.painted())
	g.send("quit\n")
	g.ends(slow)

	g = start(t, "-m", "64", "-display", "x11", "-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 console=tty0", "-serial", "stdio", "-monitor", "none")
	g.expect("Run /init", slow)
	x := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(xdotool, args...).CombinedOutput(); err != nil {
			t.Fatalf("xdotool %v: %v\n%s", args, err, out)
		}
	}
	x("mousemove", "100", "100")
	g.again("typed 42", func() { // the shell drops what was typed before it began
		x("type", "echo typed $((6*7)) > /dev/ttyS0")
		x("key", "Return")
	})
	// The mouse is taken by a click and let go by Ctrl-Alt-G.
	name := func() string {
		out, _ := exec.Command(xdotool, "search", "--name", "exit grab").Output()
		return strings.TrimSpace(string(out))
	}
	x("click", "1")
	until(t, "a click takes the mouse", func() bool { return name() != "" })
	x("key", "ctrl+alt+g")
	until(t, "Ctrl-Alt-G lets the mouse go", func() bool { return name() == "" })
	g.cmd.Process.Signal(os.Interrupt)
	g.ends(slow)

	// The consoles: Ctrl-Alt-2 is the monitor.
	g = start(t, "-m", "16", "-display", "x11", "-hda", painter(t), "-snapshot", "-name", "consoles")
	until(t, "there is a window", func() bool {
		return exec.Command(xdotool, "search", "--onlyvisible", "--name", "consoles").Run() == nil
	})
	x("mousemove", "100", "100")
	x("key", "ctrl+alt+2")
	x("type", "info name")
	x("key", "Return")
	if dir := os.Getenv("RHEA_SHOTS"); dir != "" {
		time.Sleep(time.Second)
		var b bytes.Buffer
		png.Encode(&b, xShot(t, disp))
		write(t, filepath.Join(dir, "x11-monitor.png"), b.Bytes())
	}
	x("key", "ctrl+alt+1")
	x("type", "quit")
	x("key", "Return") // into the machine
	x("key", "ctrl+alt+2")
	x("type", "quit")
	x("key", "Return")
	g.ends(slow)
	if g.cmd.ProcessState.ExitCode() != 0 {
		t.Error(g.cmd.ProcessState)
	}
}

// TestCurses reads the BIOS's words in a terminal and types.
func TestCurses(t *testing.T) {
	tmux := tool(t, "tmux", "tmux")
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	socket := filepath.Join(t.TempDir(), "tmux")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tmux, append([]string{"-S", socket}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("new-session", "-d", "-x", "82", "-y", "27", rheaBinary(t)+" system -m 64 -display curses -kernel "+kernel+" -initrd "+initrd+" -append 'console=tty0 quiet'")
	defer exec.Command(tmux, "-S", socket, "kill-server").Run()
	wait := func(want string) {
		t.Helper()
		var got string
		for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			if got = run("capture-pane", "-p"); strings.Contains(got, want) {
				return
			}
		}
		t.Fatalf("the terminal does not show %q:\n%s", want, got)
	}
	wait("built-in shell")
	until(t, "the shell asks", func() bool { return regexp.MustCompile(`(?m)# *$`).MatchString(run("capture-pane", "-p")) })
	run("send-keys", "echo Typed $((6*7)) {~}", "Enter")
	wait("Typed 42 {~}")
	// Alt-2 is the monitor, Alt-1 the screen again.
	run("send-keys", "M-2")
	wait("(qemu)")
	run("send-keys", "info status", "Enter")
	wait("VM status: running")
	run("send-keys", "M-1")
	wait("Typed 42 {~}")
}

// TestVMMouse asks for absolute places by VMware's port, from a boot sector.
func TestVMMouse(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	call := func(cmd byte, arg uint32) []byte { // mov eax, magic; mov ebx, arg; mov ecx, cmd; mov dx, 5658h; in eax, dx
		b := []byte{0x66, 0xb8, 0x68, 0x58, 0x4d, 0x56, 0x66, 0xbb}
		b = binary.LittleEndian.AppendUint32(b, arg)
		return append(b, 0x66, 0xb9, cmd, 0, 0, 0, 0xba, 0x58, 0x56, 0x66, 0xed)
	}
	code := call(10, 0)
	code = append(code, 0x66, 0x81, 0xfb, 0x68, 0x58, 0x4d, 0x56, 0x75, 0xfe) // cmp ebx, magic; jne itself
	code = append(code, call(41, 0x45414552)...)
	code = append(code, call(39, 1)...)
	code = append(code, 0x66, 0x3d, 0x4a, 0x55, 0x42, 0x34, 0x75, 0xfe) // cmp eax, the ID; jne itself
	code = append(code, call(41, 0x53424152)...)
	code = append(code, 0xb0, 'V', 0xba, 0xf8, 0x03, 0xee, 0xf4, 0xeb, 0xfd) // tell by COM1; hlt; jmp
	boot := make([]byte, 1<<20)
	copy(boot, code)
	boot[510], boot[511] = 0x55, 0xaa
	name := filepath.Join(t.TempDir(), "boot.img")
	write(t, name, boot)
	through(t, func(t *testing.T, args []string) {
		g := start(t, append(args, "-m", "16", "-hda", name, "-snapshot", "-display", "none", "-serial", "mon:stdio")...)
		g.expect("V", slow)
		g.send("\x01c")
		g.expect(`\(qemu\) `, slow)
		g.send("info mice\n")
		g.expect(`\* Mouse #1: vmmouse \(absolute\)`, slow)
	})
}

// golden waits for the screen to be that of a picture of testdata, outside of
// the masks, which is where clocks and the like are. RHEA_UPDATE=1 makes it anew,
// after the time that a guest may take.
func (g *guest) golden(name string, masks ...image.Rectangle) {
	g.t.Helper()
	hide := func(m image.Image) image.Image {
		if len(masks) == 0 {
			return m
		}
		c := image.NewRGBA(m.Bounds())
		draw.Draw(c, c.Rect, m, image.Point{}, draw.Src)
		for _, r := range masks {
			draw.Draw(c, r, image.Black, image.Point{}, draw.Src)
		}
		return c
	}
	path := filepath.Join("testdata", name+".png")
	if os.Getenv("RHEA_UPDATE") != "" {
		time.Sleep(time.Minute)
		var b bytes.Buffer
		if err := png.Encode(&b, hide(g.dump())); err != nil {
			g.t.Fatal(err)
		}
		write(g.t, path, b.Bytes())
		return
	}
	want, err := png.Decode(bytes.NewReader(read(g.t, path)))
	if err != nil {
		g.t.Fatal(err)
	}
	var got image.Image
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(300 * time.Millisecond) {
		if got = hide(g.dump()); samePicture(got, want) {
			return
		}
	}
	keep(g.t, got)
	g.t.Errorf("the screen is not that of %s", path)
}

func samePicture(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if rgb(a.At(x, y)) != rgb(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

// TestGraphicalMenus shows the menus of ISOLINUX and GRUB, which use the VBE
// functions of the video BIOSes, on both adapters. QEMU 7.2 shows the same,
// pixel by pixel.
func TestGraphicalMenus(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	xorriso, mkrescue := tool(t, "xorriso", "xorriso"), tool(t, "grub-common", "grub-mkrescue")
	need(t, "grub-pc-bin", "/usr/lib/grub/i386-pc/moddep.lst")
	tree := t.TempDir()
	write(t, filepath.Join(tree, "isolinux/isolinux.bin"), read(t, need(t, "isolinux", "/usr/lib/ISOLINUX/isolinux.bin")))
	for _, m := range []string{"ldlinux", "vesamenu", "libcom32", "libutil"} {
		write(t, filepath.Join(tree, "isolinux", m+".c32"), read(t, need(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/"+m+".c32")))
	}
	write(t, filepath.Join(tree, "isolinux/isolinux.cfg"), []byte("UI vesamenu.c32\nMENU TITLE rhea\nMENU RESOLUTION 800 600\n"+
		"LABEL a\n MENU LABEL First entry\n KERNEL /x\nLABEL b\n MENU LABEL Second entry\n KERNEL /x\n"))
	write(t, filepath.Join(tree, "boot/grub/grub.cfg"), []byte("insmod all_video\ninsmod gfxterm\nset gfxmode=1024x768x32,800x600\nloadfont unicode\n"+
		"terminal_output gfxterm\nset timeout=-1\nmenuentry \"First entry\" { true }\nmenuentry \"Second entry\" { true }\n"))
	dir := t.TempDir()
	isolinux, grub := filepath.Join(dir, "isolinux.iso"), filepath.Join(dir, "grub.iso")
	command(t, xorriso, "-as", "mkisofs", "-quiet", "-o", isolinux, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
		"-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", tree)
	command(t, mkrescue, "-o", grub, tree)
	for _, tc := range []struct{ vga, iso, picture string }{
		{"std", isolinux, "vesamenu"}, {"cirrus", isolinux, "vesamenu"}, {"std", grub, "grub-std"}, {"cirrus", grub, "grub-cirrus"},
	} {
		t.Run(tc.picture+" "+tc.vga, func(t *testing.T) {
			g := start(t, "-m", "128", "-cdrom", tc.iso, "-boot", "d", "-vga", tc.vga, "-display", "none", "-monitor", "stdio", "-serial", "null")
			g.expect(`\(qemu\) `, slow)
			g.golden(tc.picture)
			g.send("quit\n")
			g.ends(slow)
		})
	}
}

// TestTextMenus shows the text menu of ISOLINUX and Memtest86+. QEMU 7.2 shows
// the same but for caches, speeds and the machine's maker.
func TestTextMenus(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	memtest := need(t, "memtest86+", "/usr/lib/memtest86+/memtest86+ia32.iso")
	xorriso := tool(t, "xorriso", "xorriso")
	tree := t.TempDir()
	write(t, filepath.Join(tree, "isolinux/isolinux.bin"), read(t, need(t, "isolinux", "/usr/lib/ISOLINUX/isolinux.bin")))
	for _, m := range []string{"ldlinux", "menu", "libcom32", "libutil"} {
		write(t, filepath.Join(tree, "isolinux", m+".c32"), read(t, need(t, "syslinux-common", "/usr/lib/syslinux/modules/bios/"+m+".c32")))
	}
	write(t, filepath.Join(tree, "isolinux/isolinux.cfg"), []byte("UI menu.c32\nMENU TITLE rhea\n"+
		"LABEL a\n MENU LABEL ^First entry\n KERNEL /x\nLABEL b\n MENU LABEL ^Second entry\n KERNEL /x\n"))
	menu := filepath.Join(t.TempDir(), "menu.iso")
	command(t, xorriso, "-as", "mkisofs", "-quiet", "-o", menu, "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
		"-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", tree)
	// cells are characters of a line of text.
	cells := func(line, from, to int) image.Rectangle { return image.Rect(9*from, 16*line, 9*to, 16*line+16) }
	masks := []image.Rectangle{
		cells(1, 10, 28), cells(2, 17, 28), cells(3, 17, 28), cells(4, 17, 28), cells(5, 17, 28), // the processor's speed, those of its caches
		cells(1, 35, 80), cells(2, 35, 80), cells(3, 36, 80), cells(4, 39, 72), cells(5, 39, 80), // how far it is and with what
		cells(7, 51, 58), cells(7, 77, 78), cells(8, 51, 54), // the time, the spinner, passes
	}
	for _, tc := range []struct {
		iso, picture string
		masks        []image.Rectangle
	}{{menu, "isolinux", nil}, {memtest, "memtest", masks}} {
		for _, vga := range []string{"std", "cirrus"} {
			t.Run(tc.picture+" "+vga, func(t *testing.T) {
				g := start(t, "-m", "64", "-cdrom", tc.iso, "-boot", "d", "-vga", vga, "-display", "none", "-monitor", "stdio", "-serial", "null")
				g.expect(`\(qemu\) `, slow)
				g.golden(tc.picture, tc.masks...)
				g.send("quit\n")
				g.ends(slow)
			})
		}
	}
}

// TestInstallerScreen: Linux' drivers of both adapters (cirrus, bochs) show the
// Debian installer's first dialog.
func TestInstallerScreen(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	dir := "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/"
	kernel, initrd := need(t, "debian-installer-12-netboot-i386", dir+"linux"), need(t, "debian-installer-12-netboot-i386", dir+"initrd.gz")
	for _, vga := range []string{"std", "cirrus"} {
		t.Run(vga, func(t *testing.T) {
			g := start(t, "-m", "512", "-vga", vga, "-kernel", kernel, "-initrd", initrd, "-display", "none", "-monitor", "stdio", "-serial", "null", "-net", "none")
			g.expect(`\(qemu\) `, slow)
			g.golden("installer-" + vga)
			g.send("quit\n")
			g.ends(slow)
		})
	}
}
