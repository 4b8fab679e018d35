package pulse

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"rhea/internal/audio"
)

// program finds a program of a Debian package, or the test ends.
func program(t *testing.T, name, pkg string) string {
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s: install the package %s", name, pkg)
		}
		t.Skipf("no %s (package %s)", name, pkg)
	}
	return p
}

// A real server plays a tone to its null sink; what it records of that is
// compared.
func TestServer(t *testing.T) {
	server, record := program(t, "pulseaudio", "pulseaudio"), program(t, "parec", "pulseaudio-utils")
	dir := t.TempDir()
	socket := filepath.Join(dir, "native")
	env := append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "PULSE_RUNTIME_PATH="+dir)
	cmd := exec.Command(server, "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+socket, "-L", "module-null-sink sink_name=null rate=44100 channels=2")
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Setenv("PULSE_SERVER", "unix:"+socket)
	var p *Player
	for until := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var err error
		if p, err = New(Config{Name: "test", Rate: 44100}); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the server does not answer: %v", err)
		}
	}
	defer p.Close()
	rec := exec.Command(record, "-d", "null.monitor", "--format=s16le", "--rate=44100", "--channels=2", "--raw")
	rec.Env = append(env, "PULSE_SERVER=unix:"+socket)
	out, err := rec.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		rec.Process.Kill()
		rec.Wait()
	})
	stop := make(chan struct{})
	played := make(chan struct{})
	go func() {
		// As a mixer does: what is due, every 10 ms.
		defer close(played)
		n, start := int64(0), time.Now()
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			var f []audio.Frame
			for due := audio.Frames(int64(time.Since(start)), 44100); n < due; n++ {
				v := int16(10000 * math.Sin(2*math.Pi*441*float64(n)/44100))
				f = append(f, audio.Frame{L: v, R: -v})
			}
			p.Play(f)
		}
	}()
	defer func() { close(stop); <-played }()
	// The best half second of some: this host may be busy.
	best := 0.0
	for range 200 {
		b := make([]byte, 4*22050)
		if _, err := io.ReadFull(out, b); err != nil {
			t.Fatal(err)
		}
		var re, im float64
		for i := range 22050 {
			s, c := math.Sincos(2 * math.Pi * 441 * float64(i) / 44100)
			d := float64(int16(binary.LittleEndian.Uint16(b[4*i:]))) - float64(int16(binary.LittleEndian.Uint16(b[4*i+2:])))
			re += d * c
			im += d * s
		}
		if best = max(best, 2*math.Hypot(re, im)/22050); best > 19000 {
			break
		}
	}
	if best < 19000 || best > 20500 {
		t.Errorf("the tone has %.0f between the sides, want 20000", best)
	}
}

func TestNoServer(t *testing.T) {
	if _, err := New(Config{Server: "unix:" + filepath.Join(t.TempDir(), "none"), Rate: 44100}); err == nil {
		t.Error("no error without a server")
	}
}
