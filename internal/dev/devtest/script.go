package devtest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Script plays a script (see Run) on b.
func (b *Bench) Script(t *testing.T, script string) {
	t.Helper()
	for i, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		for _, cmd := range strings.Split(line, " / ") {
			f := strings.Fields(cmd)
			if len(f) == 0 {
				continue
			}
			if err := b.command(f); err != nil {
				t.Errorf("script line %d: %s: %v", i+1, strings.TrimSpace(cmd), err)
			}
		}
	}
}

func (b *Bench) command(f []string) error {
	defer b.runPosted()
	verb, rest := f[0], f[1:]
	want, check := "", false
	for i, w := range rest {
		if w == "=" {
			want, check = strings.Join(rest[i+1:], " "), true
			rest = rest[:i]
			break
		}
	}
	switch verb {
	case "w1", "w2", "w4", "w8":
		a, err := numbers(rest, 2)
		if err != nil {
			return err
		}
		b.Space.Write(a[0], int(verb[1]-'0'), a[1])
	case "r1", "r2", "r4", "r8":
		mask := ^uint64(0)
		if len(rest) == 3 && rest[1] == "&" {
			m, err := numbers(rest[2:], 1)
			if err != nil {
				return err
			}
			mask, rest = m[0], rest[:1]
		}
		a, err := numbers(rest, 1)
		if err != nil {
			return err
		}
		return compare(b.Space.Read(a[0], int(verb[1]-'0'))&mask, want, check)
	case "in":
		if len(rest) != 2 || b.inputs[rest[0]] == nil {
			return fmt.Errorf("no such input")
		}
		b.inputs[rest[0]].Set(rest[1] == "1")
	case "pulse":
		if len(rest) != 1 || b.inputs[rest[0]] == nil {
			return fmt.Errorf("no such input")
		}
		b.inputs[rest[0]].Pulse()
	case "out", "edges":
		if len(rest) != 1 || b.outs[rest[0]] == nil {
			return fmt.Errorf("no such output")
		}
		p := b.outs[rest[0]]
		if verb == "edges" {
			n := p.Rises
			p.Rises = 0
			return compare(uint64(n), want, check)
		}
		v := uint64(0)
		if p.Level {
			v = 1
		}
		return compare(v, want, check)
	case "t":
		d, err := time.ParseDuration(strings.Join(rest, ""))
		if err != nil {
			return err
		}
		b.Clock.Advance(int64(d))
	case "reset":
		b.dev.Reset()
		b.Settle()
	case "log":
		got := b.Logs.String()
		b.Logs.Reset()
		if want == `""` && got != "" || !strings.Contains(got, strings.Trim(want, `"`)) {
			return fmt.Errorf("the log holds %q", got)
		}
	default:
		v := b.verbs[verb]
		if v == nil {
			return fmt.Errorf("unknown word")
		}
		a, err := numbers(rest, len(rest))
		if err != nil {
			return err
		}
		return compare(v(a), want, check)
	}
	return nil
}

func numbers(f []string, n int) ([]uint64, error) {
	if len(f) != n {
		return nil, fmt.Errorf("%d arguments, want %d", len(f), n)
	}
	a := make([]uint64, n)
	for i, s := range f {
		v, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			if w, err2 := strconv.ParseInt(s, 0, 64); err2 == nil {
				v, err = uint64(w), nil
			}
		}
		if err != nil {
			return nil, err
		}
		a[i] = v
	}
	return a, nil
}

func compare(got uint64, want string, check bool) error {
	if !check {
		return nil
	}
	w, err := numbers([]string{want}, 1)
	if err != nil {
		return err
	}
	if got != w[0] {
		return fmt.Errorf("got %#x", got)
	}
	return nil
}
