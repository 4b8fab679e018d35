package hmp

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/internal/trace"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// The files testdata/*.txt are transcripts: lines that begin with "(qemu) "
// are typed, what is behind them is the answer. "!" is what was done to the
// machine.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f := newFake(t)
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				cmd, ok := strings.CutPrefix(line, "(qemu) ")
				if !ok {
					if got.Len() == 0 && strings.HasPrefix(line, "#") {
						got.WriteString(line)
					}
					continue
				}
				got.WriteString(line)
				got.WriteString(f.m.Exec(strings.TrimSuffix(cmd, "\n")))
				if did := f.took(); did != "" {
					got.WriteString("! " + did + "\n")
				}
			}
			if *update {
				if err := os.WriteFile(name, []byte(got.String()), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, got.String(), string(want))
		})
	}
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d:\n got %q\nwant %q", i+1, a, b)
		}
	}
}

func TestHoldTimes(t *testing.T) {
	f := newFake(t)
	f.m.Exec("sendkey ctrl-alt-delete")
	f.m.Exec("sendkey a 20")
	for len(f.timers) > 0 {
		next := f.timers[0]
		f.timers = f.timers[1:]
		f.Do(next)
	}
	want := "+ctrl after(100ms) +alt after(100ms) +delete after(100ms) -delete after(100ms) -alt after(100ms) -ctrl after(100ms) " +
		"+a after(20ms) -a after(20ms)"
	if got := f.took(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for range 600 {
		f.m.Exec("sendkey a")
	}
	if got := f.m.Exec("sendkey a"); got != "too many keys wait to be sent\n" {
		t.Errorf("full queue: %q", got)
	}
}

// A machine with nothing at all: every command says something, none panics.
func TestBareMachine(t *testing.T) {
	f := newFake(t)
	m := New(Config{Machine: f})
	args := map[string]string{"fmt": "", "i": "0", "n": "0", "F": filepath.Join(t.TempDir(), "f"), "keys": "a", "items": "none", "rest": "x"}
	for _, table := range [][]command{m.commands, m.infos} {
		for i := range table {
			cmd := &table[i]
			line := cmd.title(m)
			positional, _ := cmd.arguments()
			for _, a := range positional {
				word, ok := args[a.kind]
				if !ok {
					word = "x"
				}
				if !a.optional {
					line += " " + word
				}
			}
			got := m.Exec(line)
			if strings.Contains(got, "Try") || strings.Contains(got, "unknown") || strings.Contains(got, "BUG") {
				t.Errorf("%s: %s", line, got)
			}
			if !strings.Contains(got, "available") && !strings.Contains(got, "supported") && got != "" &&
				!strings.HasPrefix(line, "info version") && line != "info" && line != "help" && line != "cpu 0" &&
				!strings.HasPrefix(line, "info uuid") && line != "print  0" && line != "balloon" {
				t.Errorf("%s: %q", line, got)
			}
		}
	}
}

func TestLog(t *testing.T) {
	f := newFake(t)
	f.m.Exec("log int,guest_errors")
	if !f.log.On(trace.Int) || !f.log.On(trace.GuestErrors) || f.log.On(trace.CPU) {
		t.Error("log int,guest_errors")
	}
	f.m.Exec("log none")
	if f.log.On(trace.Int) {
		t.Error("log none")
	}
}

func TestMemsave(t *testing.T) {
	f := newFake(t)
	name := filepath.Join(t.TempDir(), "a b")
	for _, c := range []struct{ line, out, want string }{
		{"memsave 0x80000010 3", "", "\x10\x11\x12"},
		{"memsave 0x80000010+1 1+1", "", "\x11\x12"},
		{"memsave 0x80000010 + 1 1 + 1", "", "\x11\x12"},
		{"pmemsave 0xfffe 4", "", "\xfe\xff\xff\xff"},
		{"memsave 0x8000fffe 4", "Error: Invalid addr 0x000000008000fffe/size 4 specified\n", ""},
		{"pmemsave (0) (-1)", "Error: a size of -1 is not possible: at most 68719476736\n", ""},
	} {
		if got := f.m.Exec(c.line + ` "` + name + `"`); got != c.out {
			t.Errorf("%s: %q", c.line, got)
		}
		if b, err := os.ReadFile(name); err != nil || string(b) != c.want {
			t.Errorf("%s: %q, %v", c.line, b, err)
		}
	}
	plain := filepath.Join(t.TempDir(), "x")
	if got := f.m.Exec("pmemsave 0 16 " + plain); got != "" {
		t.Errorf("a name that looks like a division: %q", got)
	}
	if b, _ := os.ReadFile(plain); len(b) != 16 {
		t.Errorf("saved %d bytes", len(b))
	}
	if got := f.m.Exec("pmemsave 0 16 /no/such/dir/x"); got != "Error: failed to open file '/no/such/dir/x': no such file or directory\n" {
		t.Errorf("%q", got)
	}
}
