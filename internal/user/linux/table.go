package linux

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
)

// status is how a system call is done.
type status uint8

const (
	// notBuilt: ENOSYS, and a trace.
	notBuilt status = iota
	// passed: the host's kernel does it with the guest's memory.
	passed
	// quick is passed of calls that do not wait.
	quick
	// converted: arguments or results have another form on the host.
	converted
	// partial: not all of it is done; the reason says what.
	partial
)

var statusWords = map[string]status{"pass": passed, "quick": quick, "conv": converted, "part": partial, "no": notBuilt}

func (s status) String() string {
	return [...]string{"not built", "passed through", "passed through", "converted", "partial"}[s]
}

// row is a system call of an ABI.
type row struct {
	nr     int
	name   string
	status status
	args   []string
	reason string

	kinds []argKind
	fds   uint8   // the arguments that are descriptors, a bit each
	host  uintptr // number of the host's
	fn    handler
	// changes are what it changes of its thread, bits of attributes.
	changes uint32
}

// argKind is what passing an argument through takes.
type argKind struct {
	kind byte // of argKinds
	size int  // 1 + the argument with the length of an output; 0 = unknown
}

// argKinds are the kinds of arguments in tables: how they are passed, and how
// strace prints them.
//
//	i  an int    u  an unsigned number    l  a long    p  an address
//	o  the address of an output    s  the name of a file
var argKinds = map[string]byte{
	"fd": 'i', "int": 'i', "pid": 'i', "sig": 'i',
	"uint": 'u', "size": 'u', "hex": 'u', "mode": 'u', "oflags": 'u', "mprot": 'u', "mflags": 'u', "lo": 'u', "hi": 'u',
	"long": 'l', "ptr": 'p', "str": 'p', "argv": 'p', "in": 'p', "out": 'o', "path": 's',
}

// table is the system calls of an ABI by number. A line is parsed when its call
// is first done: short programs do few of them.
type table struct {
	lines []string // "" = there is none
	rows  []atomic.Pointer[row]
	bind  func(*row) // completes a row; it may be nil
}

// indexTable finds the lines of a table: a line a call, with its number, name,
// status and arguments, and what is missing behind a semicolon.
func indexTable(text string) (*table, error) {
	t := &table{lines: make([]string, 0, 512)}
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line == "" {
			continue
		}
		number, rest, _ := strings.Cut(line, " ")
		nr, err := strconv.Atoi(number)
		if err != nil || nr < 0 || nr > 10000 || rest == "" {
			return nil, fmt.Errorf("line %d: %q", n, line)
		}
		for len(t.lines) <= nr {
			t.lines = append(t.lines, "")
		}
		if t.lines[nr] != "" {
			return nil, fmt.Errorf("line %d: number %d is there already", n, nr)
		}
		t.lines[nr] = rest
	}
	t.rows = make([]atomic.Pointer[row], len(t.lines))
	return t, nil
}

// row returns the row of a number, nil if there is none.
func (t *table) row(nr int) *row {
	if nr < 0 || nr >= len(t.lines) || t.lines[nr] == "" {
		return nil
	}
	if r := t.rows[nr].Load(); r != nil {
		return r
	}
	r, err := parseRow(nr, t.lines[nr])
	if err != nil {
		panic("BUG: linux: system calls: " + err.Error())
	}
	if t.bind != nil {
		t.bind(r)
	}
	t.rows[nr].Store(r) // others may have made the same
	return r
}

// find returns the row of a name, nil if there is none.
func (t *table) find(name string) *row {
	for nr, line := range t.lines {
		if n, _, _ := strings.Cut(line, " "); n == name {
			return t.row(nr)
		}
	}
	return nil
}

func (t *table) name(nr int) string {
	if r := t.row(nr); r != nil {
		return r.name
	}
	return "syscall_" + strconv.Itoa(nr)
}

// parseTable reads a table and looks whether all of its lines are sound.
func parseTable(text string) (*table, error) {
	t, err := indexTable(text)
	if err != nil {
		return nil, err
	}
	for nr, line := range t.lines {
		if line != "" {
			if _, err := parseRow(nr, line); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// parseRow reads a line without its number.
func parseRow(nr int, line string) (*row, error) {
	line, reason, _ := strings.Cut(line, ";")
	f := strings.Fields(line)
	if len(f) < 2 {
		return nil, fmt.Errorf("number %d: %q", nr, line)
	}
	st, ok := statusWords[f[1]]
	if !ok {
		return nil, fmt.Errorf("number %d: %q", nr, line)
	}
	r := &row{nr: nr, name: f[0], status: st, reason: strings.TrimSpace(reason)}
	if (st == partial) != (r.reason != "") {
		return nil, fmt.Errorf("number %d: %q: a reason belongs to what is partial", nr, line)
	}
	if len(f) > 2 {
		r.args = strings.Split(f[2], ",")
	}
	for i, a := range r.args {
		kind, arg, _ := strings.Cut(a, ":")
		if kind == "fd" {
			r.fds |= 1 << i
		}
		k := argKind{kind: argKinds[kind]}
		if k.kind == 0 {
			return nil, fmt.Errorf("number %d: argument %q", nr, a)
		}
		if arg != "" {
			var err error
			if k.size, err = strconv.Atoi(arg); err != nil {
				return nil, fmt.Errorf("number %d: argument %q", nr, a)
			}
		}
		r.kinds = append(r.kinds, k)
	}
	return r, nil
}

// Document prints what becomes of the system calls of an ABI.
func Document(w io.Writer, a *ABI) error {
	t, err := parseTable(a.text)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for nr := range t.lines {
		if r := t.row(nr); r != nil {
			count[r.status.String()]++
		}
	}
	fmt.Fprintf(w, "# System calls of %s programs\n\n%d are passed through to the host's kernel, %d are converted, %d partial, %d not built (ENOSYS and a trace).\n\n",
		a.Name, count["passed through"], count["converted"], count["partial"], count["not built"])
	fmt.Fprintf(w, "| number | name | |\n|---:|---|---|\n")
	for nr := range t.lines {
		r := t.row(nr)
		if r == nil {
			continue
		}
		text := r.status.String()
		if r.reason != "" {
			text += ": " + r.reason
		}
		fmt.Fprintf(w, "| %d | %s | %s |\n", r.nr, r.name, text)
	}
	return nil
}
