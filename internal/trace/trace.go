// Package trace is where every part says what it wants logged: the items of
// QEMU's -d option, written to one writer. A nil *Log discards everything, so
// parts never test for one. There is no package state: a process may run many
// machines, each with its own log.
package trace

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Item is a set of things that can be logged.
type Item uint32

// The items of -d, under QEMU's names (see Items for the texts).
const (
	InAsm Item = 1 << iota
	Op
	OpOpt
	OutAsm
	Int
	Exec
	CPU
	MMU
	Reset
	GuestErrors
	Unimp
)

// Info describes one item for -d help.
type Info struct {
	Name string
	Item Item
	Help string
}

// Items lists the items in the order of -d help.
func Items() []Info {
	return []Info{
		{"out_asm", OutAsm, "show generated host assembly code for each compiled unit"},
		{"in_asm", InAsm, "show target assembly code for each compiled unit"},
		{"op", Op, "show intermediate code for each compiled unit"},
		{"op_opt", OpOpt, "show intermediate code after optimization"},
		{"int", Int, "show interrupts and exceptions in short format"},
		{"exec", Exec, "show each unit before it is executed"},
		{"cpu", CPU, "show CPU registers before entering a unit"},
		{"mmu", MMU, "log MMU-related activities"},
		{"cpu_reset", Reset, "show CPU state before CPU resets"},
		{"unimp", Unimp, "log functionality that is not built"},
		{"guest_errors", GuestErrors, "log when the guest does something invalid"},
	}
}

// Log is a destination for chosen items. All methods may be called on a nil
// Log and from any goroutine.
type Log struct {
	items atomic.Uint32
	mu    sync.Mutex
	w     io.Writer
}

// New returns a Log of the given items to w.
func New(w io.Writer, items Item) *Log {
	l := &Log{w: w}
	l.items.Store(uint32(items))
	return l
}

// On reports whether any of the items is wanted.
func (l *Log) On(i Item) bool { return l != nil && Item(l.items.Load())&i != 0 }

// Set replaces the set of wanted items (the monitor's "log").
func (l *Log) Set(items Item) {
	if l != nil {
		l.items.Store(uint32(items))
	}
}

// Printf writes one entry if one of the items is wanted.
func (l *Log) Printf(i Item, format string, args ...any) {
	if !l.On(i) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format, args...)
}

// Guest notes a mistake of the guest's; the caller then gives the result the
// hardware gives. The line's end is added.
func (l *Log) Guest(format string, args ...any) { l.Printf(GuestErrors, format+"\n", args...) }

// Unimp notes that something the hardware has is not built. The line's end is added.
func (l *Log) Unimp(format string, args ...any) { l.Printf(Unimp, format+"\n", args...) }

// also are the items of QEMU's -d that mean nothing here, or nothing yet.
func also() []string {
	return []string{"op_ind", "fpu", "pcall", "page", "nochain", "plugin", "strace", "tid", "vpu", "invalid_mem"}
}

// ParseItems reads the argument of -d or of the monitor's log: names with
// commas between. Names of QEMU's that have no effect are returned apart.
func ParseItems(s string) (items Item, noEffect []string, err error) {
	for _, name := range strings.Split(s, ",") {
		i := slices.IndexFunc(Items(), func(i Info) bool { return i.Name == name })
		switch {
		case i >= 0:
			items |= Items()[i].Item
		case name == "all":
			for _, i := range Items() {
				items |= i.Item
			}
		case name == "none":
			items = 0
		case slices.Contains(also(), name) || strings.HasPrefix(name, "trace:"):
			noEffect = append(noEffect, name)
		default:
			return 0, nil, fmt.Errorf("unknown log item '%s'; '-d help' lists them", name)
		}
	}
	return items, noEffect, nil
}

// SetOutput sends what follows to w (the monitor's "logfile").
func (l *Log) SetOutput(w io.Writer) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = w
}
