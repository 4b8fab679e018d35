package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// talker is a boot sector that writes "serial here\n" to COM1, waits for a
// character and writes it to port F4h, where isa-debug-exit is.
func talker(t *testing.T) string {
	t.Helper()
	b := append([]byte{
		0x31, 0xc0, // xor ax,ax
		0x8e, 0xd8, // mov ds,ax
		0xbe, 0x2d, 0x7c, // mov si,message
		0xac,       // next: lodsb
		0x84, 0xc0, // test al,al
		0x74, 0x12, // jz read
		0x88, 0xc3, // mov bl,al
		0xba, 0xfd, 0x03, // full: mov dx,3fdh (LSR)
		0xec,       // in al,dx
		0xa8, 0x20, // test al,20h
		0x74, 0xf8, // jz full
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0x88, 0xd8, // mov al,bl
		0xee,       // out dx,al
		0xeb, 0xe9, // jmp next
		0xba, 0xfd, 0x03, // read: mov dx,3fdh
		0xec,       // in al,dx
		0xa8, 0x01, // test al,1
		0x74, 0xf8, // jz read
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0xec,       // in al,dx
		0xe6, 0xf4, // out f4h,al
		0xf4, // hlt
	}, "serial here\n\x00"...)
	b = append(b, make([]byte, 510-len(b))...)
	b = append(b, 0x55, 0xaa)
	b = append(b, make([]byte, 63<<10)...)
	p := filepath.Join(t.TempDir(), "talker.img")
	write(t, p, b)
	return p
}

// TestSerialPorts: a guest talks through each kind of character device, and
// its exit code is the emulator's.
func TestSerialPorts(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	dir := t.TempDir()
	sock := filepath.Join(dir, "s")
	dial := func(network, addr string) func(*exec.Cmd) io.ReadWriter {
		return func(*exec.Cmd) io.ReadWriter {
			var c net.Conn
			until(t, "somebody listens on "+addr, func() (ok bool) {
				var err error
				c, err = net.Dial(network, addr)
				return err == nil
			})
			t.Cleanup(func() { c.Close() })
			return c
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	free := fmt.Sprint(freePort(t))
	log := filepath.Join(dir, "log")
	for _, tc := range []struct {
		name string
		args []string
		peer func(*exec.Cmd) io.ReadWriter
	}{
		{"unix server", []string{"-serial", "unix:" + sock + ",server"}, dial("unix", sock)},
		{"tcp server", []string{"-chardev", "socket,id=c,host=127.0.0.1,port=" + free + ",server=on,wait=on,logfile=" + log, "-serial", "chardev:c"},
			dial("tcp", "127.0.0.1:"+free)},
		{"tcp client", []string{"-serial", "tcp:" + l.Addr().String()}, func(*exec.Cmd) io.ReadWriter {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}},
		{"mon:stdio", []string{"-serial", "mon:stdio"}, nil},
		{"stdio", []string{"-serial", "stdio", "-monitor", "none"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"system", "-display", "none", "-net", "none", "-m", "32", "-parallel", "none",
				"-device", "isa-debug-exit,iobase=0xf4,iosize=0x01", "-drive", "file=" + talker(t) + ",format=raw"}, tc.args...)
			cmd := exec.Command(rheaBinary(t), args...)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			kill := time.AfterFunc(slow, func() { cmd.Process.Kill() })
			defer kill.Stop()
			var peer io.ReadWriter = struct {
				io.Reader
				io.Writer
			}{out, in}
			if tc.peer != nil {
				peer = tc.peer(cmd)
			}
			r := bufio.NewReader(peer)
			for line := ""; !strings.HasSuffix(line, "serial here\n"); {
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					t.Fatalf("%q, %v\n%s", line, err, errs.String())
				}
			}
			io.WriteString(peer, "!")
			cmd.Wait()
			// isa-debug-exit: 2n+1.
			if c := cmd.ProcessState.ExitCode(); c != 2*'!'+1 {
				t.Errorf("status %d\n%s", c, errs.String())
			}
		})
	}
	if b, err := os.ReadFile(log); err != nil || !strings.HasSuffix(string(b), "serial here\n") {
		t.Errorf("the log file has %q, %v", b, err)
	}
}

// A peer that does not read for a while holds the guest's transmitter up:
// what is beyond the buffers comes when it reads, and nothing is lost.
func TestSlowPeer(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	const total = 1600 << 10 // more than chardev.Limit and a socket's buffers
	pattern := func(i int) byte { return byte(i ^ i>>8 ^ i>>16) }
	b := binary.LittleEndian.AppendUint32([]byte{
		0x66, 0x31, 0xc9, // xor ecx,ecx
		0xba, 0xfd, 0x03, // next: mov dx,3fdh (LSR)
		0xec,       // full: in al,dx
		0xa8, 0x20, // test al,20h
		0x74, 0xfb, // jz full
		0x66, 0x89, 0xcb, // mov ebx,ecx
		0x66, 0xc1, 0xeb, 0x10, // shr ebx,16
		0x88, 0xc8, // mov al,cl
		0x30, 0xe8, // xor al,ch
		0x30, 0xd8, // xor al,bl
		0xba, 0xf8, 0x03, // mov dx,3f8h
		0xee,       // out dx,al
		0x66, 0x41, // inc ecx
		0x66, 0x81, 0xf9, // cmp ecx,total
	}, total)
	b = append(b, 0x72, 0xdc, // jb next
		0xf4, 0xeb, 0xfd) // hlt; jmp $-1
	b = append(b, make([]byte, 510-len(b))...)
	b = append(b, 0x55, 0xaa)
	dir := t.TempDir()
	image, sock := filepath.Join(dir, "disk.img"), filepath.Join(dir, "s")
	write(t, image, append(b, make([]byte, 63<<10)...))
	start(t, "-hda", image, "-snapshot", "-display", "none", "-serial", "unix:"+sock+",server=on,wait=off")
	var c net.Conn
	for end := time.Now().Add(slow); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if c, err = net.Dial("unix", sock); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	time.Sleep(4 * time.Second) // it is full now
	c.SetReadDeadline(time.Now().Add(slow))
	// What SeaBIOS says on the line comes first: the guest's part is the end.
	got := make([]byte, 0, total)
	buf := make([]byte, 64<<10)
	skipped := false
	for len(got) < total {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%v after %d of %d bytes", err, len(got), total)
		}
		got = append(got, buf[:n]...)
		if i := bytes.Index(got, []byte{0, 1, 2, 3, 4, 5, 6, 7}); !skipped && i >= 0 {
			got, skipped = got[i:], true
		}
	}
	for i, v := range got[:total] {
		if v != pattern(i) {
			t.Fatalf("byte %d of %d is %#x, not %#x", i, total, v, pattern(i))
		}
	}
}
