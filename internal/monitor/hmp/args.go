package hmp

import (
	"fmt"
	"strings"
)

// Args are a command's arguments by name.
type Args struct {
	text   map[string]string
	number map[string]int64
	format format
}

// Has reports whether an argument (or flag, "-f") was given.
func (a Args) Has(name string) bool {
	_, text := a.text[name]
	_, number := a.number[name]
	return text || number
}

// Text returns an argument that is text, "" if it was not given.
func (a Args) Text(name string) string { return a.text[name] }

// Number returns an argument that is a number, 0 if it was not given.
func (a Args) Number(name string) int64 { return a.number[name] }

// argument is one word of a command's args: NAME:KIND or -F or -F:KIND, with
// a "?" behind if it need not be given (flags never need).
type argument struct {
	name     string
	kind     string
	optional bool
}

// The kinds of arguments:
//
//	fmt   /COUNT FORMAT SIZE, which need not be given
//	i     an expression
//	n     a decimal number with a sign
//	F     a file name
//	rest  the rest of the line
//	s     a word, perhaps in quotes
//
// and words with completions of their own: cmd, sub (of info), keys, items, block, chardev,
// format.

// arguments parses the args column of a command.
func (c *command) arguments() (positional, flags []argument) {
	for word := range strings.FieldsSeq(c.args) {
		a := argument{}
		word, a.optional = strings.CutSuffix(word, "?")
		a.name, a.kind, _ = strings.Cut(word, ":")
		if a.name[0] == '-' {
			flags = append(flags, a)
		} else {
			positional = append(positional, a)
		}
	}
	return positional, flags
}

// argParser goes over the rest of a command line.
type argParser struct {
	c    *call
	cmd  *command
	s    string
	args Args
	flag []argument
}

// parseArgs parses what follows a command's name.
func (c *call) parseArgs(cmd *command, rest string) (Args, error) {
	p := &argParser{c: c, cmd: cmd, s: rest, args: Args{text: map[string]string{}, number: map[string]int64{}}}
	positional, flags := cmd.arguments()
	p.flag = flags
	for i, a := range positional {
		if err := p.flags(); err != nil {
			return p.args, err
		}
		if err := p.one(a, i == len(positional)-1); err != nil {
			return p.args, err
		}
	}
	if err := p.flags(); err != nil {
		return p.args, err
	}
	if p.blank(); p.s != "" {
		return p.args, usage("%s: extraneous characters at the end of line", cmd.names)
	}
	return p.args, nil
}

func (p *argParser) blank() { p.s = strings.TrimLeft(p.s, " \t") }

// flags takes the flags that come next.
func (p *argParser) flags() error {
	for {
		p.blank()
		if len(p.flag) == 0 || len(p.s) < 2 || p.s[0] != '-' || p.s[1] < 'A' {
			return nil
		}
		word, rest := p.s, ""
		if i := strings.IndexAny(word, " \t"); i >= 0 {
			word, rest = word[:i], word[i:]
		}
		var found *argument
		for i := range p.flag {
			if p.flag[i].name == word {
				found = &p.flag[i]
			}
		}
		if found == nil {
			return usage("%s: unsupported option %s", p.cmd.name(), printable(word))
		}
		p.s = rest
		if found.kind == "" {
			p.args.text[found.name] = ""
		} else if err := p.word(found.name, found.kind); err != nil {
			return err
		}
	}
}

// one takes a positional argument.
func (p *argParser) one(a argument, last bool) error {
	p.blank()
	switch a.kind {
	case "fmt":
		f, rest, err := parseFormat(p.s, p.c.m.format)
		p.args.format, p.s = f, rest
		return err
	case "i":
		if p.s == "" && a.optional {
			return nil
		}
		v, rest, err := p.c.eval(p.s, !last)
		p.args.number[a.name], p.s = v, rest
		return err
	case "rest":
		if p.s == "" && !a.optional {
			return usage("%s: string expected", p.cmd.name())
		}
		if p.s != "" {
			p.args.text[a.name] = strings.TrimSpace(p.s)
		}
		p.s = ""
		return nil
	}
	if p.s == "" && a.optional {
		return nil
	}
	return p.word(a.name, a.kind)
}

// word takes a word, perhaps in quotes.
func (p *argParser) word(name, kind string) error {
	p.blank()
	what := "string"
	switch kind {
	case "F":
		what = "filename"
	case "block":
		what = "block device name"
	}
	if p.s == "" {
		return usage("%s: %s expected", p.cmd.name(), what)
	}
	word, rest, err := cutQuoted(p.s)
	if err != nil {
		return usage("%s: %s", p.cmd.name(), err)
	}
	p.s = rest
	if kind != "n" {
		p.args.text[name] = word
		return nil
	}
	var n int64
	if _, err := fmt.Sscanf(word, "%d", &n); err != nil || fmt.Sprint(n) != strings.TrimPrefix(word, "+") {
		return usage("%s: '%s' is no number", p.cmd.name(), printable(word))
	}
	p.args.number[name] = n
	return nil
}

// cutQuoted splits off a word; in double quotes \" \' \\ \n and \r stand for
// characters.
func cutQuoted(s string) (word, rest string, err error) {
	if s[0] != '"' {
		if i := strings.IndexAny(s, " \t"); i >= 0 {
			return s[:i], s[i:], nil
		}
		return s, "", nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '"':
			return b.String(), s[i+1:], nil
		case ch != '\\' || i+1 == len(s):
			b.WriteByte(ch)
		default:
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case '\\', '\'', '"':
				b.WriteByte(s[i])
			default:
				return "", "", fmt.Errorf("unsupported escape code: '\\%s'", printable(s[i:i+1]))
			}
		}
	}
	return "", "", fmt.Errorf("unterminated string")
}
