package system_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"rhea/internal/app/system"
)

// A process may have many machines, one after the other: each gives back what
// it has taken, so that the addresses for machine code (1 GiB) last.
func TestMachinesGiveBack(t *testing.T) {
	image := bytes.Repeat([]byte{0xf4}, 64<<10)
	copy(image[0xfff0:], []byte{0xb0, 3, 0xe6, 0xf4, 0xf4}) // MOV AL, 3; OUT F4H, AL; HLT
	bios := filepath.Join(t.TempDir(), "bios")
	if err := os.WriteFile(bios, image, 0o666); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for n := range 6 {
		var errs bytes.Buffer
		status := system.Main(system.Env{Program: "rhea", Stdin: null, Stdout: io.Discard, Stderr: &errs}, []string{
			"-accel", "tcg,tb-size=256", "-m", "16", "-display", "none", "-monitor", "none", "-serial", "none",
			"-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-bios", bios,
		})
		if status != 7 {
			t.Fatalf("machine %d: status %d, want 7: %s", n, status, errs.String())
		}
	}
}
