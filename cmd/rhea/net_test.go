package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// netInitrd is the guests' initial RAM disk with a script that its init runs
// first.
func netInitrd(t *testing.T, script string) string {
	t.Helper()
	b := read(t, guestFile(t, "initramfs-i386.gz"))
	pad := func() {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	entry := func(name, data string, mode int) { // cpio, "newc"
		pad()
		b = fmt.Appendf(b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", 0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
		for (len(b)-len(b)/4*4+4)%4 != 0 {
			b = append(b, 0)
		}
		b = append(b, data...)
		pad()
	}
	entry("gkrun", "#!/bin/sh\n"+script+"\necho NET END\nreboot -f\n", 0o100755)
	entry("TRAILER!!!", "", 0)
	name := filepath.Join(t.TempDir(), "initrd")
	write(t, name, b)
	return name
}

// netGuest starts the small kernel with a script.
func netGuest(t *testing.T, script string, args ...string) *guest {
	t.Helper()
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	return start(t, netArgs(t, script, args...)...)
}

func netArgs(t *testing.T, script string, args ...string) []string {
	return append([]string{"-m", "128", "-nographic", "-no-reboot", "-kernel", guestFile(t, "bzImage-i386-486"),
		"-initrd", netInitrd(t, script), "-append", "console=ttyS0 quiet ne.io=0x300 ne.irq=9"}, args...)
}

const lease = "ifconfig lo 127.0.0.1 up; udhcpc -i eth0 -q -n -s /etc/udhcpc/default.script >/dev/null && ifconfig eth0 | grep 'inet addr'\n"

// TestNetwork: a kernel's driver of each card gets an address, pings the
// gateway, asks the name server, fetches a file by HTTP and TFTP, sends one,
// and serves one to the host.
func TestNetwork(t *testing.T) {
	file := bytes.Repeat([]byte("a file of the host's, fetched by the guest\n"), 40000)
	sum := fmt.Sprintf("%x", sha256.Sum256(file))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), file)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			b, _ := io.ReadAll(r.Body)
			got <- fmt.Sprintf("%x", sha256.Sum256(b))
			return
		}
		w.Write(file)
	})}
	go srv.Serve(l)
	defer srv.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"ne2k_pci as in 2009", []string{"-net", "nic,model=ne2k_pci", "-net", "user,tftp=" + dir + ",hostfwd=tcp:127.0.0.1:PORT-:80"}},
		{"e1000", []string{"-netdev", "user,id=n,tftp=" + dir + ",hostfwd=tcp:127.0.0.1:PORT-:80", "-device", "e1000,netdev=n"}},
		{"rtl8139", []string{"-nic", "user,model=rtl8139,tftp=" + dir + ",hostfwd=tcp:127.0.0.1:PORT-:80"}},
		{"ne2k_isa", []string{"-M", "isapc", "-cpu", "pentium2", "-netdev", "user,id=n,tftp=" + dir + ",hostfwd=tcp:127.0.0.1:PORT-:80", "-device", "ne2k_isa,netdev=n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := freePort(t)
			var args []string
			for _, a := range tc.args {
				args = append(args, strings.ReplaceAll(a, "PORT", fmt.Sprint(at)))
			}
			g := netGuest(t, lease+fmt.Sprintf(`
ping -c 2 10.0.2.2 | grep received
printf '\000\033\022\064\001\000\000\001\000\000\000\000\000\000\011localhost\000\000\001\000\001' | nc -w 3 10.0.2.3 53 | od -An -tx1
wget -q -O /tmp/f http://10.0.2.2:%d/file; echo HTTP $(sha256sum </tmp/f)
tftp -g -r file -l /tmp/g 10.0.2.2; echo TFTP $(sha256sum </tmp/g)
wget -q -O /dev/null --post-file /tmp/f http://10.0.2.2:%d/up; echo POSTED
echo SERVING; nc -l -p 80 </tmp/f >/dev/null
echo SERVED`, port, port), args...)
			g.expect(`inet addr:10\.0\.2\.15`, slow)
			g.expect("2 packets received|2 received", slow)
			g.expect(`7f 00 00 01`, slow)
			g.expect("HTTP "+sum, slow)
			g.expect("TFTP "+sum, slow)
			g.expect("POSTED", slow)
			select {
			case s := <-got:
				if s != sum {
					t.Error("the host got something else than the guest sent")
				}
			default:
				t.Error("nothing was posted")
			}
			g.expect("SERVING", slow)
			if b := fetch(t, at); !bytes.Equal(b, file) {
				t.Errorf("the guest's server sent %d bytes, want %d", len(b), len(file))
			}
			g.expect("SERVED", slow)
			g.ends(slow)
		})
	}
}

// fetch reads all from a port of the host that leads to the guest, which may
// not listen yet.
func fetch(t *testing.T, port int) []byte {
	t.Helper()
	for deadline := time.Now().Add(slow); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		c.SetDeadline(time.Now().Add(slow))
		b, _ := io.ReadAll(c)
		c.Close()
		if len(b) > 0 {
			return b
		}
	}
	return nil
}

// freePort is a port on which nobody listens. It is none of those that kernels
// choose from (ip_local_port_range, from 32768 on), so nobody gets it meanwhile
// who does not want it.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		n := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n)); err == nil {
			l.Close()
			return n
		}
	}
	t.Fatal("no port is free")
	return 0
}

// serve and ask are two machines on one cable; the second fetches a file of
// the first's. (nc ends with its input, so that must not end.)
const (
	serve = "ifconfig eth0 192.168.7.1 up\nhead -c 1000000 /dev/zero >/tmp/z\necho SERVING\nwhile :; do nc -l -p 80 </tmp/z; done"
	ask   = "ifconfig eth0 192.168.7.2 up\nn=0\nwhile [ $n != 1000000 ]; do n=$(nc -w 20 192.168.7.1 80 </dev/ttyS0 | wc -c); done\nping -c 2 192.168.7.1 | grep received\necho ASKED $n"
)

// TestTwoMachines joins two by a socket.
func TestTwoMachines(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	tcp := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	for _, tc := range []struct{ name, a, b string }{
		{"socket", "socket,id=n,listen=" + tcp, "socket,id=n,connect=" + tcp},
		{"stream", "stream,id=n,server=on,addr.type=unix,addr.path=" + sock, "stream,id=n,addr.type=unix,addr.path=" + sock},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := netGuest(t, serve, "-netdev", tc.a, "-device", "e1000,netdev=n")
			a.expect("SERVING", slow)
			b := netGuest(t, ask, "-netdev", tc.b, "-device", "ne2k_pci,netdev=n,mac=52:54:00:12:34:57")
			b.expect("2 packets received|2 received", slow)
			b.expect("ASKED 1000000", slow)
			b.ends(slow)
		})
	}
}

// TestNetworkWithQEMU joins a machine of ours and one of QEMU's, with either
// listening.
func TestNetworkWithQEMU(t *testing.T) {
	qemu := tool(t, "qemu-system-x86", "qemu-system-i386")
	for _, theirs := range []string{"connect", "listen"} {
		t.Run("QEMU: "+theirs, func(t *testing.T) {
			at := fmt.Sprintf("127.0.0.1:%d", freePort(t))
			ours := map[string]string{"connect": "listen", "listen": "connect"}[theirs]
			args := func(script, how, card string) []string {
				return netArgs(t, script, "-netdev", "socket,id=n,"+how+"="+at, "-device", card+",netdev=n,mac=52:54:00:12:34:"+map[string]string{"listen": "57", "connect": "58"}[how])
			}
			run := func(script string) *exec.Cmd {
				cmd := exec.Command(qemu, args(script, theirs, "rtl8139")...)
				cmd.Stdin = nil
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
				return cmd
			}
			if theirs == "listen" {
				run(serve)
				waitFor(t, at)
				g := start(t, args(ask, ours, "e1000")...)
				g.expect("ASKED 1000000", slow)
				return
			}
			g := start(t, args(ask, ours, "e1000")...)
			waitFor(t, at)
			run(serve)
			g.expect("ASKED 1000000", slow)
		})
	}
}

// waitFor returns when somebody listens. QEMU takes one connection only, so
// the kernel's table is looked at.
func waitFor(t *testing.T, at string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(at)
	var n int
	fmt.Sscan(port, &n)
	entry := fmt.Sprintf(":%04X 00000000:0000 0A", n)
	until(t, "somebody listens on "+at, func() bool {
		b, err := os.ReadFile("/proc/net/tcp")
		return err != nil || strings.Contains(string(b), entry)
	})
}

// netBoot is a network boot program (PXE): it writes NBP to COM1 and ends the
// emulator.
func netBoot() []byte {
	b := []byte{
		0x0e, 0x1f, // push cs; pop ds
		0xe8, 0x00, 0x00, // call next
		0x5e,             // next: pop si
		0x83, 0xc6, 0x25, // add si,message-next
		0xac,       // out: lodsb
		0x84, 0xc0, // test al,al
		0x74, 0x12, // jz end
		0x88, 0xc3, // mov bl,al
		0xba, 0xfd, 0x03, // full: mov dx,3fdh (LSR)
		0xec,       // in al,dx
		0xa8, 0x20, // test al,20h
		0x74, 0xfb, // jz in
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0x88, 0xd8, // mov al,bl
		0xee,       // out dx,al
		0xeb, 0xe9, // jmp out
		0xb0, 0x10, // end: mov al,10h
		0xe6, 0xf4, // out f4h,al
		0xfa, 0xf4, // cli; hlt
		0, 0, 0, 0,
	}
	return append(b, "NBP RUNS\r\n\x00"...)
}

// TestNetworkBoot: iPXE, in each card's option ROM, boots by DHCP and TFTP.
func TestNetworkBoot(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	need(t, "ipxe-qemu", "/usr/lib/ipxe/qemu/pxe-e1000.rom")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "boot.bin"), netBoot())
	for _, model := range []string{"e1000", "ne2k_pci", "rtl8139"} {
		t.Run(model, func(t *testing.T) {
			g := start(t, "-m", "64", "-nographic", "-boot", "n", "-nic", "user,model="+model+",tftp="+dir+",bootfile=boot.bin",
				"-device", "isa-debug-exit,iobase=0xf4,iosize=1")
			g.expect("iPXE", slow)
			g.expect(`boot\.bin\.\.\. ok`, slow)
			g.expect("NBP RUNS", slow)
			select {
			case err := <-g.end:
				if x, ok := err.(*exec.ExitError); !ok || x.ExitCode() != 33 {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(slow):
				t.Error("it did not end")
			}
		})
	}
}

// TestNetworkMonitor: what the monitor says of networks, and its commands.
func TestNetworkMonitor(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	at := freePort(t)
	g := start(t, "-S", "-display", "none", "-monitor", "stdio", "-netdev", "user,id=n", "-device", "e1000,netdev=n,id=card", "-net", "nic,model=ne2k_pci", "-net", "user")
	ask := func(command, want string) {
		t.Helper()
		g.send(command + "\n")
		if got := g.expect(regexp.QuoteMeta(command)+`(?s).*?\(qemu\) `, slow); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	g.expect(`\(qemu\) `, slow)
	ask("info network", `(?s)hub 0.*ne2k_pci\.0: index=0,type=nic,model=ne2k_pci,macaddr=52:54:00:12:34:56.*type=user.*card: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:57.* \\ n: index=0,type=user,net=10\.0\.2\.0/255\.255\.255\.0,restrict=off`)
	ask("set_link card off", `off`)
	ask("info network", `macaddr=52:54:00:12:34:57,link=down`)
	ask("set_link n on", `on`)
	ask("set_link nobody on", `there is no network or network card 'nobody'`)
	ask(fmt.Sprintf("hostfwd_add n tcp:127.0.0.1:%d-:22", at), ``)
	ask("info usernet", fmt.Sprintf(`TCP\[HOST_FORWARD\] +- +127\.0\.0\.1 +%d +10\.0\.2\.15 +22`, at))
	ask(fmt.Sprintf("hostfwd_remove n tcp:127.0.0.1:%d", at), `removed`)
	ask(fmt.Sprintf("hostfwd_remove n tcp:127.0.0.1:%d", at), `not found`)
	ask("hostfwd_add x tcp::1-:2", `there is no network 'x'`)
	ask("hostfwd_add n tcp::1", `has no '-'`)
	g.send("quit\n")
	g.ends(slow)
}

// TestGuestForward: an address of the guest's network leads to a character
// device of the host's.
func TestGuestForward(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	g := netGuest(t, lease+"echo from the guest >/x; nc 10.0.2.100 1234 </x\n", "-chardev", "file,id=f,path="+out,
		"-netdev", "user,id=n,restrict=on,guestfwd=tcp:10.0.2.100:1234-chardev:f", "-device", "e1000,netdev=n")
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if b, err := os.ReadFile(out); err == nil && string(b) == "from the guest\n" {
			return
		}
	}
	g.t.Error("the guest's words do not come")
}
