package hmp

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rhea/internal/keys"
)

// maxWords bounds a list of completions.
const maxWords = 500

// Complete returns what the last word of line can be; the word is
// line[start:].
func (m *Monitor) Complete(line string) (start int, words []string) {
	fields := strings.Fields(line)
	if len(fields) == 0 || strings.TrimRight(line, " \t") != line {
		fields = append(fields, "")
	}
	last := fields[len(fields)-1]
	start = len(line) - len(last)
	skip, words := m.candidates(fields, last)
	start += skip
	var fit []string
	for _, w := range words {
		if strings.HasPrefix(w, line[start:]) && !slices.Contains(fit, w) {
			if fit = append(fit, w); len(fit) == maxWords {
				break
			}
		}
	}
	slices.Sort(fit)
	return start, fit
}

// completeRemote is Complete for who must not see the host's files.
func (m *Monitor) completeRemote(line string) (start int, words []string) {
	if cmd, _, err := m.find(strings.TrimLeft(line, " \t")); err == nil && cmd.reachesHost() {
		return len(line), nil
	}
	return m.Complete(line)
}

// candidates returns words, and how much of last they do not replace.
func (m *Monitor) candidates(fields []string, last string) (skip int, words []string) {
	if len(fields) == 1 {
		return 0, namesOf(m.commands)
	}
	word, _ := cutWord(fields[0])
	cmd := lookup(m.commands, word)
	n := 1 // the first word of the arguments
	if cmd != nil && cmd.name() == "info" {
		if len(fields) == 2 {
			return 0, namesOf(m.infos)
		}
		cmd, n = lookup(m.infos, fields[1]), 2
	}
	if cmd == nil {
		return 0, nil
	}
	positional, flags := cmd.arguments()
	if strings.HasPrefix(last, "-") {
		for _, f := range flags {
			words = append(words, f.name)
		}
		return 0, words
	}
	kind, i := "", 0
	for k := n; k < len(fields); k++ {
		switch {
		case k > n && flagValue(flags, fields[k-1]) != "":
			kind = flagValue(flags, fields[k-1])
		case strings.HasPrefix(fields[k], "-") && len(flags) > 0 && k < len(fields)-1:
		default:
			for i < len(positional) && positional[i].kind == "fmt" {
				i++
			}
			if kind = ""; i < len(positional) {
				kind = positional[i].kind
			}
			i++
		}
	}
	if kind == "sub" && fields[n] == "info" {
		return 0, namesOf(m.infos)
	}
	return m.words(kind, last)
}

func flagValue(flags []argument, name string) string {
	for _, f := range flags {
		if f.name == name {
			return f.kind
		}
	}
	return ""
}

// words are the completions of a kind of argument.
func (m *Monitor) words(kind, last string) (skip int, words []string) {
	switch kind {
	case "cmd":
		return 0, namesOf(m.commands)
	case "F":
		return 0, fileNames(last)
	case "format":
		return 0, []string{"png", "ppm"}
	case "items":
		return strings.LastIndexByte(last, ',') + 1, append(logNames(), "help")
	case "keys":
		for _, k := range keys.All() {
			words = append(words, k.Name())
		}
		return strings.LastIndexByte(last, '-') + 1, words
	case "block":
		if m.c.Blocks != nil {
			m.c.Machine.Do(func() {
				for _, b := range m.c.Blocks() {
					words = append(words, b.Name)
				}
			})
		}
	case "chardev":
		if m.c.Chardevs != nil {
			m.c.Machine.Do(func() {
				for _, d := range m.c.Chardevs() {
					words = append(words, d.Label)
				}
			})
		}
	}
	return 0, words
}

func namesOf(table []command) []string {
	var names []string
	for i := range table {
		names = append(names, strings.Split(table[i].names, "|")...)
	}
	return names
}

// fileNames lists the files that begin with prefix, directories with a slash.
func fileNames(prefix string) []string {
	dir, base := filepath.Split(prefix)
	at := dir
	if at == "" {
		at = "."
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || base == "" && name[0] == '.' {
			continue
		}
		if s, err := os.Stat(dir + name); err == nil && s.IsDir() {
			name += "/"
		}
		if names = append(names, dir+name); len(names) == maxWords {
			break
		}
	}
	return names
}
