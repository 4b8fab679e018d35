package hmp

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"rhea/internal/prop"
)

// command is a row of the tables.
type command struct {
	names  string // "cont|c"; the first is its name
	args   string // see parseArgs
	params string // as help shows them
	help   string
	scope  scope
	run    func(*call) error // nil: Config.Commands or Config.Info may have it
	// host: it reaches files or the network of the host, as all do that take
	// a file's name.
	host bool
	// here says that a command without run is part of this version, so that
	// it is the machine that lacks it.
	here bool
	// mend is what to do instead of a command that is not built, "" = nothing.
	mend string
}

func (c *command) name() string {
	name, _, _ := strings.Cut(c.names, "|")
	return name
}

func (c *command) named(s string) bool {
	for n := range strings.SplitSeq(c.names, "|") {
		if n == s {
			return true
		}
	}
	return false
}

// scope is what a command holds while it runs.
type scope uint8

const (
	free   scope = iota // nothing; it takes what it needs itself
	locked              // the machine's lock
	held                // the lock, and the processors parked
)

// call is one execution of a command.
type call struct {
	m    *Monitor
	s    *Session // nil: Exec
	w    io.Writer
	cmd  *command
	at   scope
	args Args
}

func (c *call) printf(format string, args ...any) { fmt.Fprintf(c.w, format, args...) }

// within runs f in a scope at least as strong as s.
func (c *call) within(s scope, f func()) {
	if c.at >= s {
		f()
		return
	}
	was := c.at
	body := func() {
		c.at = s
		defer func() { c.at = was }()
		f()
	}
	switch {
	case was == locked:
		panic("BUG: hmp: processors cannot be held under the lock")
	case s == held:
		c.m.c.Machine.Held(body)
	default:
		c.m.c.Machine.Do(body)
	}
}

// interrupted reports whether the user has typed ^C.
func (c *call) interrupted() bool { return c.s != nil && c.s.interrupt.Load() }

// usageError is a mistake in a command's arguments; help is pointed to.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errAbsent says that the machine lacks what a command needs.
var errAbsent = errors.New("not available on this machine")

func (c *call) execute(line string) {
	line = strings.TrimSpace(line)
	if line == "" {
		return
	}
	cmd, rest, err := c.m.find(line)
	if err != nil {
		c.printf("%s\n", err)
		return
	}
	c.cmd = cmd
	if c.s != nil && c.s.remote && cmd.reachesHost() {
		c.printf("%s is not allowed here: whoever sees the display could use it. -monitor vc allows all commands\n", cmd.title(c.m))
		return
	}
	if cmd.run == nil && c.m.extra(cmd) == nil {
		if cmd.here {
			c.printf("%s is not available on this machine\n", cmd.title(c.m))
		} else if cmd.mend != "" {
			c.printf("%s is not supported yet; %s\n", cmd.title(c.m), cmd.mend)
		} else {
			c.printf("%s is not supported yet\n", cmd.title(c.m))
		}
		return
	}
	parse := func() { c.args, err = c.parseArgs(cmd, rest) }
	run := func() {
		switch {
		case err != nil:
		case cmd.run != nil:
			err = cmd.run(c)
		default:
			err = c.m.extra(cmd)(c)
		}
	}
	// Expressions look at registers: with the processors held for all of the
	// command, or just for that.
	if cmd.scope == held {
		c.within(held, func() { parse(); run() })
	} else if parse(); err == nil {
		c.within(cmd.scope, run)
	}
	var u usageError
	var plain plainError
	switch {
	case err == nil:
	case errors.As(err, &plain):
		c.printf("%s\n", err)
	case errors.As(err, &u):
		c.printf("%s\nTry \"help %s\" for more information\n", err, cmd.spelled(c.m, line))
	case errors.Is(err, errAbsent):
		c.printf("%s is not available on this machine\n", cmd.title(c.m))
	default:
		c.printf("Error: %s\n", err)
	}
}

// reachesHost reports whether a command is not for remote sessions.
func (c *command) reachesHost() bool { return c.host || strings.Contains(c.args, ":F") }

// title is how messages call the command.
func (c *command) title(m *Monitor) string {
	if m.isInfo(c) {
		return "info " + c.name()
	}
	return c.name()
}

// spelled is the command as the user wrote it.
func (c *command) spelled(m *Monitor, line string) string {
	word, rest := cutWord(line)
	if m.isInfo(c) {
		sub, _ := cutWord(strings.TrimLeft(rest, " \t"))
		return "info " + sub
	}
	return word
}

func (m *Monitor) isInfo(c *command) bool {
	for i := range m.infos {
		if c == &m.infos[i] {
			return true
		}
	}
	return false
}

// extra is what the configuration has for a command without run.
func (m *Monitor) extra(cmd *command) func(*call) error {
	if m.isInfo(cmd) {
		f := m.c.Info[cmd.name()]
		if f == nil {
			return nil
		}
		return func(c *call) error {
			c.within(locked, func() { f(c.w) })
			return nil
		}
	}
	f := m.c.Commands[cmd.name()]
	if f == nil {
		return nil
	}
	return func(c *call) error { return f(c.w, c.args) }
}

// cutWord splits off the first word; "x/4xb" ends at the slash.
func cutWord(s string) (word, rest string) {
	for i := range len(s) {
		if s[i] == ' ' || s[i] == '\t' || s[i] == '/' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// find returns the command of a line, and the rest of the line.
func (m *Monitor) find(line string) (*command, string, error) {
	word, rest := cutWord(line)
	cmd := lookup(m.commands, word)
	if cmd == nil {
		return nil, "", unknown("", word, m.commands)
	}
	if cmd.name() != "info" {
		return cmd, rest, nil
	}
	sub, after := cutWord(strings.TrimLeft(rest, " \t"))
	if sub == "" {
		return cmd, rest, nil
	}
	if c := lookup(m.infos, sub); c != nil {
		return c, after, nil
	}
	return nil, "", unknown("info ", sub, m.infos)
}

func lookup(table []command, name string) *command {
	for i := range table {
		if table[i].named(name) {
			return &table[i]
		}
	}
	return nil
}

func unknown(prefix, word string, table []command) error {
	var names []string
	for i := range table {
		names = append(names, strings.Split(table[i].names, "|")...)
	}
	if n := nearest(word, names); n != "" {
		return fmt.Errorf("unknown command: '%s%s' (did you mean '%s%s'?)", prefix, printable(word), prefix, n)
	}
	return fmt.Errorf("unknown command: '%s%s'", prefix, printable(word))
}

// nearest returns the name that s may be a misspelling of, or "".
func nearest(s string, names []string) string {
	if len(s) > 32 {
		return ""
	}
	return prop.Nearest(s, names)
}

// printable is s with what a terminal would obey made visible, and not too
// long for a message.
func printable(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}
