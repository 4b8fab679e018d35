// Package snap walks a part's state: one method, State(*Section), saves it,
// loads it and describes it. Fields are named and self-describing; sections
// form a tree keyed by device path. A stream being loaded is hostile: sizes
// and types are checked here, ranges by the part with Check.
package snap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mode is what a walk does.
type Mode uint8

// The modes of a walk.
const (
	Save Mode = iota
	Load
	Describe
)

// Kind is the type of a field.
type Kind uint8

// The kinds of fields.
const (
	Bool Kind = iota
	U8
	U16
	U32
	U64
	Bytes
)

func (k Kind) String() string {
	return [...]string{"bool", "u8", "u16", "u32", "u64", "bytes"}[k]
}

// Field is one saved value: Num for numbers, Data for Bytes.
type Field struct {
	Name string
	Kind Kind
	Num  uint64
	Data []byte
}

// Tree is the saved form of a section.
type Tree struct {
	Version int
	Fields  []Field
	Subs    map[string]*Tree
}

// Section is one part's place in a walk. The first error sticks.
type Section struct {
	mode Mode
	path string
	tree *Tree
	next int // field to load
	err  *error
	out  *strings.Builder
}

func root(m Mode, t *Tree) *Section { return &Section{mode: m, tree: t, err: new(error)} }

// Saver is what has state.
type Saver interface{ State(*Section) }

// SaveTree returns the state of s.
func SaveTree(s Saver) (*Tree, error) {
	sec := root(Save, &Tree{})
	s.State(sec)
	return sec.tree, *sec.err
}

// LoadTree sets the state of s. After an error the state is undefined: reset it.
func LoadTree(s Saver, t *Tree) error {
	sec := root(Load, t)
	s.State(sec)
	sec.finish()
	return *sec.err
}

// Schema returns the description of s's state, a line a field.
func Schema(s Saver) string {
	sec := root(Describe, &Tree{})
	sec.out = &strings.Builder{}
	s.State(sec)
	return sec.out.String()
}

// Mode returns what this walk does.
func (s *Section) Mode() Mode { return s.mode }

// Loading reports whether this walk sets the state.
func (s *Section) Loading() bool { return s.mode == Load }

// Err returns the first error of the walk.
func (s *Section) Err() error { return *s.err }

func (s *Section) fail(format string, args ...any) {
	if *s.err == nil {
		*s.err = fmt.Errorf("snapshot: %s: %w", s.path, fmt.Errorf(format, args...))
	}
}

// Version states the version of the section's layout and, when loading,
// returns the version found, which is at most v.
func (s *Section) Version(v int) int {
	switch s.mode {
	case Save:
		s.tree.Version = v
	case Describe:
		fmt.Fprintf(s.out, "%s version %d\n", s.path, v)
	case Load:
		if s.tree.Version > v || s.tree.Version < 1 {
			s.fail("version %d is not known (newest is %d)", s.tree.Version, v)
		}
		return s.tree.Version
	}
	return v
}

// Check fails a load unless ok: the values found are impossible.
func (s *Section) Check(ok bool, what string) {
	if s.mode == Load && !ok {
		s.fail("%s", what)
	}
}

var errNoSection = errors.New("section is missing")

// Sub walks a section below s.
func (s *Section) Sub(name string, state func(*Section)) {
	if *s.err != nil {
		return
	}
	path := s.path + "/" + name
	sub := &Section{mode: s.mode, path: path, err: s.err, out: s.out}
	switch s.mode {
	case Load:
		sub.tree = s.tree.Subs[name]
		if sub.tree == nil {
			s.fail("%s: %w", name, errNoSection)
			return
		}
	default:
		sub.tree = &Tree{}
		if s.tree.Subs == nil {
			s.tree.Subs = make(map[string]*Tree)
		}
		s.tree.Subs[name] = sub.tree
	}
	state(sub)
	sub.finish()
}

func (s *Section) finish() {
	if s.mode == Load && *s.err == nil && s.next != len(s.tree.Fields) {
		s.fail("unknown field %q", s.tree.Fields[s.next].Name)
	}
}

func (s *Section) field(name string, k Kind, num uint64, data []byte) (Field, bool) {
	if *s.err != nil {
		return Field{}, false
	}
	switch s.mode {
	case Save:
		s.tree.Fields = append(s.tree.Fields, Field{name, k, num, slices.Clone(data)})
	case Describe:
		if k == Bytes {
			fmt.Fprintf(s.out, "%s.%s bytes[%d]\n", s.path, name, len(data))
		} else {
			fmt.Fprintf(s.out, "%s.%s %s\n", s.path, name, k)
		}
	case Load:
		if s.next >= len(s.tree.Fields) {
			s.fail("field %q is missing", name)
			return Field{}, false
		}
		f := s.tree.Fields[s.next]
		if f.Name != name || f.Kind != k {
			s.fail("found %s %q, want %s %q", f.Kind, f.Name, k, name)
			return Field{}, false
		}
		s.next++
		return f, true
	}
	return Field{}, false
}

func num[T ~uint8 | ~uint16 | ~uint32 | ~uint64](s *Section, name string, k Kind, p *T) {
	if f, ok := s.field(name, k, uint64(*p), nil); ok {
		if f.Num > uint64(^T(0)) {
			s.fail("%s is out of range", name)
			return
		}
		*p = T(f.Num)
	}
}

// Bool walks a truth value.
func (s *Section) Bool(name string, p *bool) {
	var v uint64
	if *p {
		v = 1
	}
	if f, ok := s.field(name, Bool, v, nil); ok {
		*p = f.Num != 0
	}
}

// U8 walks a byte.
func (s *Section) U8(name string, p *uint8) { num(s, name, U8, p) }

// U16 walks a 16-bit number.
func (s *Section) U16(name string, p *uint16) { num(s, name, U16, p) }

// U32 walks a 32-bit number.
func (s *Section) U32(name string, p *uint32) { num(s, name, U32, p) }

// U64 walks a 64-bit number.
func (s *Section) U64(name string, p *uint64) { num(s, name, U64, p) }

// Int walks an int that holds lo..hi, which a load checks.
func (s *Section) Int(name string, p *int, lo, hi int) {
	if f, ok := s.field(name, U64, uint64(*p), nil); ok {
		v := int(f.Num)
		s.Check(v >= lo && v <= hi, name+" is out of range")
		*p = v
	}
}

// I64 walks a signed 64-bit number (times).
func (s *Section) I64(name string, p *int64) {
	v := uint64(*p)
	num(s, name, U64, &v)
	*p = int64(v)
}

// Bytes walks a buffer of fixed size.
func (s *Section) Bytes(name string, b []byte) {
	if f, ok := s.field(name, Bytes, 0, b); ok {
		if len(f.Data) != len(b) {
			s.fail("%s has %d bytes, want %d", name, len(f.Data), len(b))
			return
		}
		copy(b, f.Data)
	}
}

// VarBytes walks a buffer of at most limit bytes.
func (s *Section) VarBytes(name string, b *[]byte, limit int) {
	if f, ok := s.field(name, Bytes, 0, *b); ok {
		if len(f.Data) > limit {
			s.fail("%s has %d bytes, at most %d can be", name, len(f.Data), limit)
			return
		}
		*b = slices.Clone(f.Data)
	}
}
