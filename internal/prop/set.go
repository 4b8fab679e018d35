package prop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Set is the keys that an option takes, each bound to a variable.
type Set struct {
	keys []key
}

type key struct {
	name string
	form string // for help
	set  func(string) error
	flag bool // may stand bare
}

func (s *Set) add(name, form string, flag bool, set func(string) error) {
	if slices.ContainsFunc(s.keys, func(k key) bool { return k.name == name }) {
		panic("BUG: key " + name + " is bound twice")
	}
	s.keys = append(s.keys, key{name: name, form: form, set: set, flag: flag})
}

// Func binds name to a function.
func (s *Set) Func(name, form string, f func(string) error) { s.add(name, form, false, f) }

// String binds name to a text.
func (s *Set) String(name string, p *string) {
	s.add(name, "<str>", false, func(v string) error { *p = v; return nil })
}

// Bool binds name to a truth value; "name" and "noname" do as well.
func (s *Set) Bool(name string, p *bool) {
	s.add(name, "on|off", true, func(v string) (err error) { *p, err = OnOff(v); return })
}

// OptBool is Bool for a value that is nil while it was not given.
func (s *Set) OptBool(name string, p **bool) {
	s.add(name, "on|off", true, func(v string) error {
		b, err := OnOff(v)
		*p = &b
		return err
	})
}

// Size binds name to a size whose plain numbers are in unit.
func (s *Set) Size(name string, p *uint64, unit uint64) {
	s.add(name, "<size>", false, func(v string) (err error) { *p, err = Size(v, unit); return })
}

// Int binds name to a number from lo to hi.
func (s *Set) Int(name string, p *int, lo, hi int) {
	s.add(name, "<num>", false, func(v string) error {
		n, err := strconv.ParseInt(v, 0, 64)
		if err != nil {
			return fmt.Errorf("'%s' is not a number", v)
		}
		if n < int64(lo) || n > int64(hi) {
			return fmt.Errorf("%s is not in %d..%d", v, lo, hi)
		}
		*p = int(n)
		return nil
	})
}

// Uint binds name to a number of at most the given bits.
func (s *Set) Uint(name string, p *uint64, bits int) {
	s.add(name, "<num>", false, func(v string) (err error) { *p, err = Uint(v, bits); return })
}

// Enum binds name to one of a list of words.
func (s *Set) Enum(name string, p *string, words ...string) {
	s.add(name, strings.Join(words, "|"), slices.Contains(words, "on"), func(v string) error {
		if !slices.Contains(words, v) {
			return fmt.Errorf("'%s' is not one of %s%s", v, strings.Join(words, ", "), DidYouMean(v, words))
		}
		*p = v
		return nil
	})
}

// Ignore accepts names whatever their values: they have no effect here.
func (s *Set) Ignore(names ...string) {
	for _, n := range names {
		s.add(n, "", true, func(string) error { return nil })
	}
}

// IgnoreOff accepts names as long as they are switched off.
func (s *Set) IgnoreOff(names ...string) { s.only(false, names) }

// IgnoreOn accepts names as long as they are switched on.
func (s *Set) IgnoreOn(names ...string) { s.only(true, names) }

func (s *Set) only(want bool, names []string) {
	for _, n := range names {
		s.add(n, "", true, func(v string) error {
			on, err := OnOff(v)
			if err == nil && v != "auto" && on != want {
				err = fmt.Errorf("'%s' is not supported yet", v)
			}
			if v == "auto" {
				err = nil
			}
			return err
		})
	}
}

// NotYet refuses names that QEMU has and this machine has not.
func (s *Set) NotYet(names ...string) {
	for _, n := range names {
		s.add(n, "", true, func(string) error { return errNotYet })
	}
}

var errNotYet = fmt.Errorf("is not supported yet")

// Names returns the keys that were bound.
func (s *Set) Names() []string {
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
	}
	return names
}

// Forms returns "key=form" for each key that does something.
func (s *Set) Forms() []string {
	var forms []string
	for _, k := range s.keys {
		if k.form != "" {
			forms = append(forms, k.name+"="+k.form)
		}
	}
	return forms
}

func (s *Set) find(name string) *key {
	for i := range s.keys {
		if s.keys[i].name == name {
			return &s.keys[i]
		}
	}
	return nil
}

// Bind sets the variables from l. An error names the key.
func (s *Set) Bind(l List) error {
	for _, o := range l {
		k := s.find(o.Key)
		if k == nil && o.Bare && strings.HasPrefix(o.Key, "no") {
			if k = s.find(o.Key[2:]); k != nil {
				o.Value = "off"
			}
		}
		if k == nil {
			return fmt.Errorf("invalid parameter '%s'%s", o.Key, DidYouMean(o.Key, s.Names()))
		}
		if o.Bare && !k.flag {
			return fmt.Errorf("parameter '%s' needs a value", k.name)
		}
		if err := k.set(o.Value); err == errNotYet {
			return fmt.Errorf("parameter '%s' %w", k.name, err)
		} else if err != nil {
			return fmt.Errorf("parameter '%s': %w", k.name, err)
		}
	}
	return nil
}
