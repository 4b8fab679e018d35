package stdio

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/chardev"
)

type sink struct {
	mu  sync.Mutex
	got bytes.Buffer
}

func (s *sink) post(f func()) {
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	}()
}
func (s *sink) Room() int        { return 100 }
func (s *sink) Receive(b []byte) { s.got.Write(b) }

func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	n, _ := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), slave
}

func TestTerminal(t *testing.T) {
	master, slave := terminal(t)
	before, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	s := &sink{}
	p, err := New(Config{PumpConfig: chardev.PumpConfig{Post: s.post}, In: slave, Out: slave})
	if err != nil {
		t.Fatal(err)
	}
	if !p.IsTerminal() {
		t.Error("not a terminal")
	}
	during, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
		t.Error("not raw")
	}
	p.Attach(s)
	master.WriteString("\x03\rk")
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got := s.got.String()
		s.mu.Unlock()
		if got == "\x03\rk" {
			break
		}
	}
	if got := s.got.String(); got != "\x03\rk" {
		t.Errorf("%q", got)
	}
	io.WriteString(p, "out\n")
	b := make([]byte, 5)
	if _, err := io.ReadFull(master, b); err != nil || string(b) != "out\r\n" {
		t.Errorf("%q %v", b, err)
	}
	p.Close()
	after, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if *after != *before {
		t.Error("the terminal was not restored")
	}
	p.Restore()
}

func TestSignalKeys(t *testing.T) {
	_, slave := terminal(t)
	p, err := New(Config{PumpConfig: chardev.PumpConfig{Post: (&sink{}).post}, In: slave, Out: io.Discard, Signal: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	during, _ := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if during.Lflag&unix.ISIG == 0 {
		t.Error("Ctrl-C would not signal")
	}
}
