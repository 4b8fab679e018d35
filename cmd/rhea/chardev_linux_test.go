package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// masterSide makes a pseudo-terminal, which stands for a serial line of the
// host's, and returns its master and the name of the line.
func masterSide(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	n, _ := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	f := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { f.Close() })
	return f, "/dev/pts/" + strconv.Itoa(n)
}

// TestSerialFiles is TestSerialPorts for character devices that are files of
// the host's, and for those that need the monitor.
func TestSerialFiles(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	file := func(name string, flags int) *os.File {
		f, err := os.OpenFile(name, flags, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	fifo := filepath.Join(t.TempDir(), "p")
	for _, end := range []string{".in", ".out"} {
		if err := unix.Mkfifo(fifo+end, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	master, line := masterSide(t)
	telnet := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	type both struct {
		io.Reader
		io.Writer
	}
	for _, tc := range []struct {
		name string
		args []string
		peer func(g *guest) io.ReadWriter
	}{
		// What is written before somebody has the other side open is lost.
		{"pty", []string{"-serial", "pty", "-monitor", "stdio", "-S"}, func(g *guest) io.ReadWriter {
			g.expect(`char device redirected to /dev/pts/`, slow)
			f := file("/dev/pts/"+g.expect(`[0-9]+`, slow), os.O_RDWR|unix.O_NOCTTY)
			time.Sleep(3 * time.Second) // rhea looks 20 times a second, and does not tell
			g.send("cont\n")
			return f
		}},
		{"pipe", []string{"-serial", "pipe:" + fifo}, func(*guest) io.ReadWriter {
			return both{file(fifo+".out", os.O_RDWR), file(fifo+".in", os.O_RDWR)}
		}},
		{"line of the host", []string{"-serial", line}, func(*guest) io.ReadWriter { return master }},
		{"telnet", []string{"-serial", "telnet:" + telnet + ",server=on"}, func(*guest) io.ReadWriter {
			var c net.Conn
			until(t, "somebody listens", func() bool {
				var err error
				c, err = net.Dial("tcp", telnet)
				return err == nil
			})
			t.Cleanup(func() { c.Close() })
			return c
		}},
		{"ringbuf", []string{"-serial", "ringbuf", "-monitor", "stdio"}, func(g *guest) io.ReadWriter {
			for end := time.Now().Add(slow); !strings.Contains(g.out.String(), "serial here") && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				g.send("ringbuf_read serial0 100\n")
				g.expect(`\(qemu\) `, slow)
			}
			g.send("chardev-send-break serial0\n")
			g.expect("knows no break", slow)
			g.send("ringbuf_write serial0 !\n")
			return nil
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := start(t, append([]string{"-display", "none", "-net", "none", "-m", "32", "-parallel", "none",
				"-device", "isa-debug-exit,iobase=0xf4,iosize=0x01", "-drive", "file=" + talker(t) + ",format=raw"}, tc.args...)...)
			if p := tc.peer(g); p != nil {
				heard := make(chan error, 1)
				go func() {
					r := bufio.NewReader(p)
					for text := ""; !strings.HasSuffix(text, "serial here\n"); {
						var err error
						if text, err = r.ReadString('\n'); err != nil {
							heard <- fmt.Errorf("%q, %w", text, err)
							return
						}
					}
					heard <- nil
				}()
				select {
				case err := <-heard:
					if err != nil {
						t.Fatal(err)
					}
				case <-time.After(slow):
					t.Fatal("it says nothing")
				}
				io.WriteString(p, "!")
			}
			select {
			case err := <-g.end:
				var status *exec.ExitError
				if !errors.As(err, &status) || status.ExitCode() != 2*'!'+1 {
					t.Errorf("it ended with %v", err)
				}
			case <-time.After(slow):
				t.Error("it does not end")
			}
		})
	}
}

// TestBreak: a break, by the monitor or by telnet, reaches Linux, which takes
// the next key as one for the kernel.
func TestBreak(t *testing.T) {
	kernel := need(t, "debian-installer-12-netboot-i386", "/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386/linux")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := start(t, "-m", "64", "-display", "none", "-monitor", "stdio", "-serial", "telnet:"+l.Addr().String(), "-kernel", kernel,
		"-initrd", guestFile(t, "initramfs-i386.gz"), "-append", "console=ttyS0 quiet sysrq_always_enabled")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(slow))
	line := bufio.NewReader(c)
	until := func(what string) {
		t.Helper()
		for text := ""; !strings.Contains(text, what); {
			if text, err = line.ReadString('\n'); err != nil {
				t.Fatalf("%v before %q", err, what)
			}
		}
	}
	until("GUEST-KIT OK")
	until("Enter 'help'")
	g.send("chardev-send-break serial0\n")
	g.expect(`serial0\s*\n\(qemu\) `, slow)
	io.WriteString(c, "h")
	until("sysrq: HELP")
	io.WriteString(c, "\xff\xf3h") // IAC BRK
	until("sysrq: HELP")
	g.send("quit\n")
	g.ends(slow)
}
