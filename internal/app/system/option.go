package system

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"rhea/internal/prop"
)

// Status is what becomes of an option.
type Status uint8

// The statuses.
const (
	Built  Status = iota
	Noted         // accepted, has no effect, the user is told
	Silent        // accepted, has no effect and never had one that matters
	NotYet        // refused by name
	Gone          // refused: QEMU has removed it long ago, and the note says what to use
)

// Option is one line of the option table.
type Option struct {
	Name string
	// Arg is the form of the argument for the help text, "" = it has none.
	Arg    string
	Help   string
	Group  Group
	Status Status
	// Note is the reason of Noted and the mend of NotYet and Gone.
	Note string
	// Set takes the argument.
	Set func(p *parser, arg string) error
}

// Group is a heading of -help.
type Group uint8

// The groups, in the order of -help.
const (
	Standard Group = iota
	Block
	USB
	Display
	I386
	Network
	Characters
	Bluetooth
	TPM
	LinuxBoot
	Debug
	Generic
)

func (g Group) String() string {
	return [...]string{"Standard", "Block device", "USB", "Display", "i386 target only", "Network", "Character device",
		"Bluetooth", "TPM device", "Boot Image or Kernel specific", "Debug/Expert", "Generic object creation"}[g]
}

// helpAsked ends parsing: the text is printed and the program ends with 0.
type helpAsked struct{ print func(io.Writer) }

func (helpAsked) Error() string { return "help" }

// optError is an error in an option as the user wrote it.
type optError struct {
	option string
	err    error
}

func (e *optError) Error() string { return e.option + ": " + e.err.Error() }
func (e *optError) Unwrap() error { return e.err }

// parser is the state of reading a command line.
type parser struct {
	cfg     *Config
	options map[string]*Option
	names   []string
	notes   []string
	option  string // the one being read, as written

	// What can only be resolved at the end.
	machineProps prop.List
	// defaultMonitor: the monitor is there without being asked for.
	defaultMonitor bool
	accels         []prop.List
	cpu            string
	drives         []driveSpec
	blockdevs      []prop.List
	serials        []charSpec
	parallels      []charSpec
	monitors       []charSpec
	mons           []monSpec
	debugcon       *charSpec
	devices        []Device
	noNet          bool // -net none, or any of -net, -nic, -netdev: no default
	nographic      bool
	display        string
	vncGiven       bool
	snapshot       bool
	noDefaults     bool
	vga            string
	vgaOption      string
	audioDefault   string // ID of -audio
	speaker        bool   // -soundhw pcspk

	machineOption string
	cpuOption     string
}

func newParser(target string) *parser {
	p := &parser{cfg: newConfig(target), options: make(map[string]*Option)}
	table := Options()
	for i := range table {
		p.options[table[i].Name] = &table[i]
		p.names = append(p.names, table[i].Name)
	}
	return p
}

// Parse reads a command line (without the program's name) for a target. Notes
// are for the user's eyes; they are not errors.
func Parse(target string, args []string) (cfg *Config, notes []string, err error) {
	p := newParser(target)
	for len(args) > 0 {
		n, err := p.one(args)
		if err != nil {
			return nil, p.notes, err
		}
		args = args[n:]
	}
	if err := p.finish(); err != nil {
		return nil, p.notes, err
	}
	return p.cfg, p.notes, nil
}

// one reads the option that args begins with and returns how many words it took.
func (p *parser) one(args []string) (int, error) {
	word := args[0]
	if !strings.HasPrefix(word, "-") || word == "-" {
		// A bare disk image is -hda.
		p.option = word
		return 1, p.wrap(p.addImage(word, 0, false))
	}
	name := strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
	o := p.options[name]
	if o == nil {
		return 0, p.unknown(word, name)
	}
	p.option = "-" + name
	if o.Status == NotYet {
		return 0, fmt.Errorf("-%s is not supported yet%s", name, note(o.Note))
	}
	if o.Status == Gone {
		return 0, fmt.Errorf("-%s is not supported%s", name, note(o.Note))
	}
	n, arg := 1, ""
	if o.Arg != "" {
		if len(args) < 2 {
			return 0, fmt.Errorf("-%s: requires an argument: -%s %s", name, name, o.Arg)
		}
		n, arg = 2, args[1]
		p.option += " " + arg
	}
	if o.Status == Noted {
		p.note("-%s is accepted and has no effect%s", name, note(o.Note))
	}
	if o.Set == nil {
		return n, nil
	}
	return n, p.wrap(o.Set(p, arg))
}

func note(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func (p *parser) unknown(word, name string) error {
	if base, value, found := strings.Cut(name, "="); found && p.options[base] != nil {
		return fmt.Errorf("%s: invalid option (write '-%s %s')", word, base, value)
	}
	if near := prop.Nearest(name, p.names); near != "" {
		return fmt.Errorf("%s: invalid option (did you mean '-%s'?)", word, near)
	}
	return fmt.Errorf("%s: invalid option (-help lists all)", word)
}

func (p *parser) wrap(err error) error {
	var h helpAsked
	if err == nil || errors.As(err, &h) {
		return err
	}
	return &optError{p.option, err}
}

func (p *parser) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}
