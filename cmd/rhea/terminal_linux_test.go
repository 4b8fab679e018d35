package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTerminal: with -nographic the terminal is raw while the machine runs,
// Ctrl-A works although the guest takes no input, and every way out leaves
// the terminal as it was.
func TestTerminal(t *testing.T) {
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	for _, tc := range []struct {
		name string
		end  func(master *os.File, p *os.Process)
		code int
		want string
	}{
		{"Ctrl-A x", func(m *os.File, _ *os.Process) { m.WriteString("\x01h\x01x") }, 0, `C-a x    exit emulator(.|\n)*QEMU: Terminated`},
		{"SIGTERM", func(_ *os.File, p *os.Process) { p.Signal(unix.SIGTERM) }, 0, "terminating on signal: terminated"},
		{"SIGHUP", func(_ *os.File, p *os.Process) { p.Signal(unix.SIGHUP) }, 0, "terminating on signal: hangup"},
		{"stopped and continued", func(m *os.File, p *os.Process) {
			p.Signal(unix.SIGSTOP)
			p.Signal(unix.SIGCONT)
			m.WriteString("\x03\x01x") // Ctrl-C is the guest's
		}, 0, "QEMU: Terminated"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Skip(err)
			}
			n, _ := unix.IoctlGetInt(fd, unix.TIOCGPTN)
			unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
			master := os.NewFile(uintptr(fd), "ptmx")
			defer master.Close()
			slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				t.Skip(err)
			}
			defer slave.Close()
			before, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
			raw := func() bool {
				now, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
				return now.Lflag&unix.ICANON == 0
			}
			out := &screen{news: make(chan struct{}, 1)}
			go func() {
				b := make([]byte, 4096)
				for {
					n, err := master.Read(b)
					out.Write(b[:n])
					if err != nil {
						return
					}
				}
			}()
			cmd := exec.Command(rheaBinary(t), "system", "-nographic", "-m", "32")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			until(t, "the terminal is raw", raw)
			until(t, "the machine runs", func() bool { return strings.Contains(out.String(), "SeaBIOS") })
			tc.end(master, cmd.Process)
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
			case <-time.After(slow):
				t.Fatalf("it does not end\n%s", out)
			}
			if c := cmd.ProcessState.ExitCode(); c != tc.code {
				t.Errorf("status %d\n%s", c, out)
			}
			after, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
			if *after != *before {
				t.Error("the terminal is not as it was")
			}
			for end := time.Now().Add(time.Minute); !regexp.MustCompile(tc.want).MatchString(out.String()); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("no %q in %q", tc.want, out)
				}
			}
		})
	}
}
