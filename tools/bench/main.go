// Command bench measures rhea against QEMU's TCG: the same guests with the same
// arguments, in turn, in CPU seconds and wall time. docs/PERFORMANCE.md has the
// method and a table.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// emulator is a program to measure.
type emulator struct {
	name string
	bin  string
	args []string
}

// bench is a whole run.
type bench struct {
	emulators []emulator // rhea, then QEMU
	n         int
	cpu       string
	guests    string
	cache     string
	dir       string // for this run's files
	timeout   time.Duration
	small     string // folders with what goes into the guest
	full      string
	text      []byte
	want      map[string]bool

	used   map[string]map[string][]stamp   // by row, then emulator
	sums   map[string]string               // of what steps wrote, by row
	notes  map[string]map[string][]float64 // by what, then emulator
	native map[string][]stamp              // by row
}

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string) (err error) {
	b := &bench{want: map[string]bool{}, used: map[string]map[string][]stamp{}, sums: map[string]string{},
		notes: map[string]map[string][]float64{}, native: map[string][]stamp{}}
	cache, _ := os.UserCacheDir()
	guests := os.Getenv("RHEA_GUESTS")
	if guests == "" {
		guests = "../shared/guests"
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	rhea := f.String("rhea", "./rhea", "rhea's `binary`")
	rheaArgs := f.String("rhea-args", "", "more `arguments` for rhea, as \"-accel interp\"")
	qemu := f.String("qemu", "qemu-system-i386", "QEMU's `binary`")
	qemuArgs := f.String("qemu-args", "-accel tcg", "more `arguments` for QEMU")
	only := f.String("only", "", "measure one `emulator` only: rhea or qemu")
	rows := f.String("rows", "", "comma-separated `names` of sessions or rows to run: "+names(", "))
	markdown := f.Bool("markdown", false, "write the table for docs/PERFORMANCE.md")
	check := f.Bool("check", false, "fail if a row is slower than QEMU")
	f.IntVar(&b.n, "n", 3, "runs of each emulator")
	f.StringVar(&b.cpu, "cpu", "qemu32", "`model` of the processor")
	f.StringVar(&b.guests, "guests", guests, "`folder` of the guests ($RHEA_GUESTS)")
	f.StringVar(&b.cache, "cache", filepath.Join(cache, "rhea-bench"), "`folder` that keeps what was fetched")
	f.DurationVar(&b.timeout, "timeout", 20*time.Minute, "for one run of an emulator")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || b.n < 1 {
		return fmt.Errorf("there are no arguments but flags, and -n is at least 1: %v", f.Args())
	}
	if *rows != "" {
		for _, w := range strings.Split(*rows, ",") {
			b.want[strings.TrimSpace(w)] = true
		}
	}
	chosen, err := b.choose()
	if err != nil {
		return err
	}
	b.emulators = []emulator{{"rhea", *rhea, append([]string{"system"}, strings.Fields(*rheaArgs)...)}, {"QEMU", *qemu, strings.Fields(*qemuArgs)}}
	switch *only {
	case "rhea":
		b.emulators = b.emulators[:1]
	case "qemu":
		b.emulators = b.emulators[1:]
	}
	if err := b.prepare(); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { // the emulators get the terminal's signal themselves
		<-stop
		os.RemoveAll(b.dir)
		os.Exit(1)
	}()
	var wrong []error
	for _, s := range chosen {
		if err := b.session(s); err != nil {
			wrong = append(wrong, err)
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
	slower := b.report(os.Stdout, chosen, *markdown)
	if *check && slower > 0 {
		wrong = append(wrong, fmt.Errorf("%d rows are slower than QEMU", slower))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d wrong, the first: %w", len(wrong), wrong[0])
	}
	return nil
}

// names of sessions.
func names(sep string) string {
	var n []string
	for _, s := range sessions() {
		n = append(n, s.name)
	}
	return strings.Join(n, sep)
}

// choose returns the sessions that the wanted rows come from.
func (b *bench) choose() (chosen []session, err error) {
	known := map[string]bool{}
	for _, s := range sessions() {
		known[s.name] = true
		hit := len(b.want) == 0 || b.want[s.name]
		var rows []row
		for _, r := range s.rows {
			known[r.name] = true
			if hit || b.want[r.name] {
				rows = append(rows, r)
			}
		}
		if hit || len(rows) > 0 {
			s.rows = rows
			chosen = append(chosen, s)
		}
	}
	for w := range b.want {
		if !known[w] {
			return nil, fmt.Errorf("no row is called %q: there are %s", w, names(", "))
		}
	}
	return chosen, nil
}

// prepare looks for all that any session needs.
func (b *bench) prepare() error {
	for i := range b.emulators {
		e := &b.emulators[i]
		path, err := exec.LookPath(e.bin)
		if err != nil {
			hint := map[string]string{"rhea": "run 'make build'", "QEMU": "install the package qemu-system-x86"}[e.name]
			return fmt.Errorf("no %s: %s", e.bin, hint)
		}
		if e.bin, err = filepath.Abs(path); err != nil {
			return err
		}
	}
	var err error
	if b.guests, err = filepath.Abs(b.guests); err != nil {
		return err
	}
	if _, err := os.Stat(b.guest("bzImage-i386-486")); err != nil {
		return fmt.Errorf("no guests in %s: RHEA_GUESTS or -guests names their folder", b.guests)
	}
	if _, err := processCPU(os.Getpid()); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "rhea-bench"); err != nil {
		return err
	}
	b.text = text(textSize)
	b.small = filepath.Join(b.dir, "small")
	return b.fill(b.small)
}

func (b *bench) guest(name string) string { return filepath.Join(b.guests, name) }

func (b *bench) limit() time.Time { return time.Now().Add(b.timeout) }

// fill puts the bench's own files below root.
func (b *bench) fill(root string) error {
	for _, d := range []string{"bench/bin", "bench/data", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o777); err != nil {
			return err
		}
	}
	for to, from := range map[string]string{"busybox": "busybox-i386", "gkbench": "gkbench-i386", "gkbench-sse2": "gkbench-i386-sse2"} {
		data, err := os.ReadFile(b.guest("user/" + from))
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "bench/bin", to), data, 0o777)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(os.WriteFile(filepath.Join(root, "bench/data/text"), b.text, 0o666),
		os.WriteFile(filepath.Join(root, "bench/data/big.i"), program(20), 0o666))
}

func smallTree(b *bench) (string, error) { return b.small, nil }

// fullTree is the small one and Debian's programs.
func fullTree(b *bench) (string, error) {
	if b.full != "" {
		return b.full, nil
	}
	if err := os.MkdirAll(b.cache, 0o777); err != nil {
		return "", err
	}
	root, err := fetchPackages(b.cache)
	if err != nil {
		return "", err
	}
	full := filepath.Join(b.dir, "full")
	if err := os.CopyFS(full, os.DirFS(root)); err != nil {
		return "", err
	}
	if err := b.fill(full); err != nil {
		return "", err
	}
	b.full = full
	return full, nil
}

// initrd makes an initial RAM disk: the guest's, then a tree with an init of
// our own.
func (b *bench) initrd(tree, init string) (string, error) {
	out, err := os.CreateTemp(b.dir, "initrd")
	if err != nil {
		return "", err
	}
	defer out.Close()
	base, err := os.Open(b.guest("initramfs-i386.gz"))
	if err != nil {
		return "", err
	}
	defer base.Close()
	n, err := io.Copy(out, base)
	if err != nil {
		return "", err
	}
	if _, err := out.Write(make([]byte, -n&3)); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tree, "bench/init"), []byte(init), 0o777); err != nil {
		return "", err
	}
	return out.Name(), errors.Join(writeCPIO(out, tree), out.Close())
}

func (b *bench) start(e emulator, args ...string) (*process, error) {
	return startProcess(e.bin, append(slices.Clone(e.args), args...)...)
}

func (b *bench) note(what string, e emulator, v float64) {
	if b.notes[what] == nil {
		b.notes[what] = map[string][]float64{}
	}
	b.notes[what][e.name] = append(b.notes[what][e.name], v)
}

// session measures one, in turn, and natively.
func (b *bench) session(s session) error {
	if err := s.needs(b); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for i := range b.n {
		order := slices.Clone(b.emulators)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, e := range order {
			begin := time.Now()
			got, err := s.run(b, e)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, e.name, err)
			}
			fmt.Fprintf(os.Stderr, "bench: %s, run %d of %d, %s: %.1f s\n", s.name, i+1, b.n, e.name, time.Since(begin).Seconds())
			for r, o := range got {
				if b.used[r] == nil {
					b.used[r] = map[string][]stamp{}
				}
				b.used[r][e.name] = append(b.used[r][e.name], o.used)
				if err := b.same(r, o, e.name); err != nil {
					return err
				}
			}
		}
		if s.native == nil {
			continue
		}
		got, err := s.native(b)
		if err != nil { // no 32-bit programs here, or no way to change the root: no column
			fmt.Fprintf(os.Stderr, "bench: %s cannot run here %v\n", s.name, err)
			s.native = nil
			continue
		}
		for r, o := range got {
			b.native[r] = append(b.native[r], o.used)
			if err := b.same(r, o, "this processor"); err != nil {
				return err
			}
		}
	}
	return nil
}

// same compares what a step wrote with what it wrote elsewhere.
func (b *bench) same(row string, o outcome, where string) error {
	if old, ok := b.sums[row]; ok && old != o.sum {
		return fmt.Errorf("%s: on %s it wrote something else than before", row, where)
	}
	b.sums[row] = o.sum
	return nil
}

// shortSum is what the guest's script says of a step's output.
func shortSum(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b))[:16] }
