package linux

import (
	"fmt"
	"io"
	"strconv"
	"strings"
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
	host  uintptr // number of the host's
	fn    handler
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

// table is the system calls of an ABI by number.
type table struct {
	rows []row // sparse: name "" = there is none
}

func (t *table) row(nr int) *row {
	if nr < 0 || nr >= len(t.rows) || t.rows[nr].name == "" {
		return nil
	}
	return &t.rows[nr]
}

func (t *table) name(nr int) string {
	if r := t.row(nr); r != nil {
		return r.name
	}
	return "syscall_" + strconv.Itoa(nr)
}

// parseTable reads a table: a line a call, with its number, name, status and
// arguments, and what is missing behind a semicolon.
func parseTable(text string) (*table, error) {
	t := &table{}
	for n, line := range strings.Split(text, "\n") {
		line, reason, _ := strings.Cut(line, ";")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) < 3 {
			return nil, fmt.Errorf("line %d: %q", n+1, line)
		}
		nr, err := strconv.Atoi(f[0])
		st, ok := statusWords[f[2]]
		if err != nil || !ok || nr < 0 || nr > 10000 {
			return nil, fmt.Errorf("line %d: %q", n+1, line)
		}
		r := row{nr: nr, name: f[1], status: st, reason: strings.TrimSpace(reason)}
		if (st == partial) != (r.reason != "") {
			return nil, fmt.Errorf("line %d: %q: a reason belongs to what is partial", n+1, line)
		}
		if len(f) > 3 {
			r.args = strings.Split(f[3], ",")
		}
		for _, a := range r.args {
			kind, arg, _ := strings.Cut(a, ":")
			k := argKind{kind: argKinds[kind]}
			if k.kind == 0 {
				return nil, fmt.Errorf("line %d: argument %q", n+1, a)
			}
			if arg != "" {
				if k.size, err = strconv.Atoi(arg); err != nil {
					return nil, fmt.Errorf("line %d: argument %q", n+1, a)
				}
			}
			r.kinds = append(r.kinds, k)
		}
		for len(t.rows) <= nr {
			t.rows = append(t.rows, row{})
		}
		if t.rows[nr].name != "" {
			return nil, fmt.Errorf("line %d: number %d is there already", n+1, nr)
		}
		t.rows[nr] = r
	}
	return t, nil
}

// Document prints what becomes of the system calls of an ABI.
func Document(w io.Writer, a *ABI) error {
	t, err := parseTable(a.text)
	if err != nil {
		return err
	}
	count := map[string]int{}
	for i := range t.rows {
		if r := &t.rows[i]; r.name != "" {
			count[r.status.String()]++
		}
	}
	fmt.Fprintf(w, "# System calls of %s programs\n\n%d are passed through to the host's kernel, %d are converted, %d partial, %d not built (ENOSYS and a trace).\n\n",
		a.Name, count["passed through"], count["converted"], count["partial"], count["not built"])
	fmt.Fprintf(w, "| number | name | |\n|---:|---|---|\n")
	for i := range t.rows {
		r := &t.rows[i]
		if r.name == "" {
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
