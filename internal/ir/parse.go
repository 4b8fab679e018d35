package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads a unit in the form that String prints. A line may end in a
// comment after ";". Values are numbered as they come; the names in the text
// need only be consistent. Slots are found by name in s.
func Parse(text string, s *Slots) (*Unit, error) {
	p := &parser{u: &Unit{Slots: s}, names: map[string]Val{}, blocks: map[string]int{}}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, ";")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	for _, f := range p.fix {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return p.u, p.u.Verify()
}

type parser struct {
	u      *Unit
	names  map[string]Val
	blocks map[string]int
	fix    []func() error
}

// opNames finds operations by name.
func opByName(name string) (Op, bool) {
	for o := range ops {
		if ops[o].Name == name {
			return Op(o), true
		}
	}
	return 0, false
}

func (p *parser) line(line string) error {
	if name, ok := strings.CutSuffix(line, ":"); ok {
		p.blocks[name] = len(p.u.Blocks)
		p.u.Blocks = append(p.u.Blocks, Block{len(p.u.Insts), len(p.u.Insts)})
		return nil
	}
	if len(p.u.Blocks) == 0 {
		return fmt.Errorf("an instruction before the first block")
	}
	result := ""
	if name, rest, ok := strings.Cut(line, "="); ok {
		result, line = strings.TrimSpace(name), strings.TrimSpace(rest)
	}
	name, rest, _ := strings.Cut(line, " ")
	op, ok := opByName(name)
	if !ok {
		return fmt.Errorf("no operation %q", name)
	}
	in := Inst{Op: op}
	if result != "" {
		t, r, _ := strings.Cut(strings.TrimSpace(rest), " ")
		rest = r
		for i, n := range typeNames {
			if n == t {
				in.Type = Type(i)
			}
		}
		if in.Type == Void {
			return fmt.Errorf("no type %q", t)
		}
	}
	if err := p.operands(&in, rest); err != nil {
		return err
	}
	p.u.count(&in)
	p.u.Insts = append(p.u.Insts, in)
	p.u.Blocks[len(p.u.Blocks)-1].End = len(p.u.Insts)
	if result != "" {
		p.names[result] = Val(len(p.u.Insts))
	}
	if op == Insn {
		p.u.Guest++
	}
	return nil
}

func (p *parser) operands(in *Inst, text string) error {
	var words []string
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	next := func() string {
		if len(words) == 0 {
			return ""
		}
		w := words[0]
		words = words[1:]
		return w
	}
	kind := ops[in.Op].imm
	if kind != "" && kind != "blocks" {
		if err := p.imm(in, kind, next()); err != nil {
			return err
		}
	}
	n := ops[in.Op].args
	for j := 0; j < 4 && (j < n || n < 0 && len(words) > 0); j++ {
		w := next()
		v, ok := p.names[w]
		if !ok {
			return fmt.Errorf("no value %q", w)
		}
		in.Args[j] = v
	}
	if kind == "blocks" {
		p.later(len(p.u.Insts), next(), 0)
		p.later(len(p.u.Insts), next(), 32)
	}
	if len(words) > 0 {
		return fmt.Errorf("%s has no operand %q", in.Op, words[0])
	}
	return nil
}

// later enters the number of a block once all are known.
func (p *parser) later(inst int, name string, shift int) {
	p.fix = append(p.fix, func() error {
		n, ok := p.blocks[name]
		if !ok {
			return fmt.Errorf("no block %q", name)
		}
		p.u.Insts[inst].Imm |= uint64(n) << shift
		return nil
	})
}

func (p *parser) imm(in *Inst, kind, w string) (err error) {
	bad := fmt.Errorf("%s: %q is no %s", in.Op, w, kind)
	switch kind {
	case "value", "pc", "code":
		if in.Imm, err = strconv.ParseUint(w, 0, 64); err != nil {
			return bad
		}
	case "slot":
		s, ok := p.u.Slots.Find(w)
		if !ok {
			return bad
		}
		in.Imm = uint64(s)
	case "block":
		p.later(len(p.u.Insts), w, 0)
	case "mem":
		f := strings.Split(w, ".")
		if len(f) < 2 {
			return bad
		}
		size, err1 := strconv.Atoi(f[0])
		index, err2 := strconv.Atoi(f[1])
		if err1 != nil || err2 != nil || size < 1 || size > 16 || size&(size-1) != 0 {
			return bad
		}
		in.Imm = Mem{Size: size, Index: index, RMW: len(f) > 2 && f[2] == "rmw", Probe: len(f) > 3 && f[3] == "probe"}.Imm()
	case "field":
		a, b, _ := strings.Cut(w, ":")
		pos, err1 := strconv.Atoi(a)
		width, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || pos < 0 || width < 1 || pos+width > 64 {
			return bad
		}
		in.Imm = Field(pos, width)
	case "fpu":
		o, ok := parseStackOp(w, p.u.Slots)
		if !ok {
			return bad
		}
		in.Imm = o.Packed()
	case "vec":
		v, ok := parseVector(w, p.u.Slots)
		if !ok {
			return bad
		}
		in.Imm = v.Packed()
	case "helper":
		f := strings.Split(w, ".")
		n, err := strconv.Atoi(strings.TrimPrefix(f[0], "h"))
		if err != nil {
			return bad
		}
		var flags HelperFlags
		for _, x := range f[1:] {
			flags |= map[string]HelperFlags{"pure": Pure, "nostop": NoStop, "keeps": KeepsStack}[x]
		}
		in.Imm = CallImm(n, flags)
	}
	return nil
}
