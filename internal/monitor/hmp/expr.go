package hmp

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"rhea/internal/guest"
)

// Expressions are QEMU's: 64-bit signed, + and - bind least, then & | and ^
// (from left to right), then * / %, then the signs + - ~. Operands are
// numbers (decimal, 0x hexadecimal, 0 octal), 'c' characters, $registers and
// parentheses.

// maxDepth bounds how deep parentheses and signs are nested.
const maxDepth = 200

// parser is an expression being evaluated.
type parser struct {
	s     string
	reg   func(name string) (uint64, bool)
	depth int
	// loose makes an operator behind a blank that is followed by no operand
	// the start of the next argument, as in "memsave 0 16 /tmp/file".
	loose bool
}

// eval evaluates the expression at the start of s and returns the rest.
func (c *call) eval(s string, loose bool) (int64, string, error) {
	p := &parser{s: s, reg: c.register, loose: loose}
	v, err := p.sum()
	if err != nil {
		return 0, "", usageError{err}
	}
	return v, p.s, nil
}

func (p *parser) blank() { p.s = strings.TrimLeft(p.s, " \t") }

// levels are the binary operators, by how they bind.
type level struct {
	operators string
	next      func(*parser) (int64, error)
}

func (p *parser) sum() (int64, error) { return p.binary(level{"+-", (*parser).logic}) }
func (p *parser) logic() (int64, error) {
	return p.binary(level{"&|^", (*parser).product})
}
func (p *parser) product() (int64, error) { return p.binary(level{"*/%", (*parser).unary}) }

func (p *parser) binary(l level) (int64, error) {
	v, err := l.next(p)
	for err == nil {
		before := p.s
		if p.blank(); p.s == "" || !strings.Contains(l.operators, p.s[:1]) {
			p.s = before
			return v, nil
		}
		op := p.s[0]
		p.s = p.s[1:]
		var w int64
		if w, err = l.next(p); err != nil {
			if _, operand := err.(noOperand); operand && p.loose && strings.TrimLeft(before, " \t") != before {
				p.s = before
				return v, nil
			}
			return 0, err
		}
		v, err = apply(op, v, w)
	}
	return v, err
}

func apply(op byte, v, w int64) (int64, error) {
	switch op {
	case '+':
		return v + w, nil
	case '-':
		return v - w, nil
	case '&':
		return v & w, nil
	case '|':
		return v | w, nil
	case '^':
		return v ^ w, nil
	case '*':
		return v * w, nil
	}
	if w == 0 {
		return 0, fmt.Errorf("division by zero")
	}
	if op == '/' {
		if w == -1 {
			return -v, nil // MinInt64 stays what it is
		}
		return v / w, nil
	}
	if w == -1 {
		return 0, nil
	}
	return v % w, nil
}

// noOperand is what is found instead of an operand.
type noOperand struct{ error }

func (p *parser) unary() (int64, error) {
	if p.depth++; p.depth > maxDepth {
		return 0, fmt.Errorf("expression is too deep")
	}
	defer func() { p.depth-- }()
	p.blank()
	if p.s == "" {
		return 0, noOperand{fmt.Errorf("unexpected end of expression")}
	}
	switch ch := p.s[0]; {
	case ch == '+' || ch == '-' || ch == '~':
		p.s = p.s[1:]
		v, err := p.unary()
		switch ch {
		case '-':
			v = -v
		case '~':
			v = ^v
		}
		return v, err
	case ch == '(':
		p.s = p.s[1:]
		v, err := p.sum()
		if err != nil {
			return 0, err
		}
		if p.blank(); p.s == "" || p.s[0] != ')' {
			return 0, fmt.Errorf("')' expected")
		}
		p.s = p.s[1:]
		return v, nil
	case ch == '\'':
		return p.character()
	case ch == '$':
		return p.register()
	case ch >= '0' && ch <= '9':
		return p.number()
	}
	return 0, noOperand{fmt.Errorf("invalid char '%s' in expression", printable(firstRune(p.s)))}
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

func (p *parser) character() (int64, error) {
	if len(p.s) < 2 {
		return 0, fmt.Errorf("character constant expected")
	}
	if len(p.s) < 3 || p.s[2] != '\'' {
		return 0, fmt.Errorf("missing terminating ' character")
	}
	v := p.s[1]
	p.s = p.s[3:]
	return int64(v), nil
}

func (p *parser) register() (int64, error) {
	n := 1
	for n < len(p.s) && isName(p.s[n]) {
		n++
	}
	name := p.s[1:n]
	p.s = p.s[n:]
	v, ok := p.reg(name)
	if !ok {
		return 0, fmt.Errorf("unknown register")
	}
	return int64(v), nil
}

func isName(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.'
}

// number takes digits the way C's strtoull does: what cannot belong to the
// number is not part of it.
func (p *parser) number() (int64, error) {
	base, n, digits := 10, 0, "0123456789"
	switch {
	case len(p.s) > 2 && (p.s[:2] == "0x" || p.s[:2] == "0X") && strings.IndexByte("0123456789abcdefABCDEF", p.s[2]) >= 0:
		base, n, digits = 16, 2, "0123456789abcdefABCDEF"
	case p.s[0] == '0':
		base, digits = 8, "01234567"
	}
	first := n
	for n < len(p.s) && strings.IndexByte(digits, p.s[n]) >= 0 {
		n++
	}
	v, err := strconv.ParseUint(p.s[first:n], base, 64)
	p.s = p.s[n:]
	if err != nil {
		return math.MaxInt64, fmt.Errorf("number too large")
	}
	return int64(v), nil
}

// registers collects a CPU's registers.
type registers map[string]uint64

func (r registers) Reg(name string, bits int, v uint64) { r[name] = v }

// register returns a register of the default CPU: under its own name, or as
// pc, sp and fp.
func (c *call) register(name string) (v uint64, ok bool) {
	cpu := c.m.defaultCPU()
	if cpu == nil {
		return 0, false
	}
	name = strings.ReplaceAll(strings.ToLower(name), ".", "_")
	c.within(held, func() {
		if name == "pc" {
			k := cpu.Key()
			v, ok = (k.PC+k.Base)&c.m.addressMask(), true
			return
		}
		r := registers{}
		cpu.Regs(r)
		if v, ok = r[name]; ok {
			return
		}
		alias := map[string]string{"sp": "esp", "fp": "ebp"}
		v, ok = r[alias[name]]
	})
	return v, ok
}

var _ guest.RegSet = registers{}

func (m *Monitor) addressMask() uint64 { return ^uint64(0) >> (64 - m.c.AddressBits) }

func (m *Monitor) defaultCPU() CPU {
	if m.cpu >= len(m.c.CPUs) {
		return nil
	}
	return m.c.CPUs[m.cpu]
}
