package system

import (
	"errors"
	"fmt"
	"slices"

	"rhea/internal/prop"
)

// Object is -object: its type, its id, and the properties that are left.
type Object struct {
	Type, ID string
	Props    prop.List
	Option   string
}

// objectTypes declares the properties of each type; what they set is checked
// where it is used.
var objectTypes = map[string]func(s *prop.Set, o *objectTarget){
	"secret": func(s *prop.Set, o *objectTarget) {
		s.String("data", &o.data)
		s.String("file", &o.file)
		s.Enum("format", &o.format, "raw", "base64")
		s.NotYet("keyid", "iv")
	},
	"tls-creds-x509": func(s *prop.Set, o *objectTarget) {
		s.String("dir", &o.dir)
		s.Enum("endpoint", &o.endpoint, "server", "client")
		s.Bool("verify-peer", &o.verify)
		s.Ignore("priority")
		s.NotYet("passwordid")
	},
	"filter-dump": dumpProps,
}

// objectTarget is what the properties of objects set.
type objectTarget struct {
	data, file, format string // secret
	dir, endpoint      string // tls-creds-x509
	verify             bool
	dump               NetDump // filter-dump
}

func setObject(p *parser, arg string) error {
	l, err := prop.Parse(arg, "qom-type")
	if err != nil {
		return err
	}
	o := Object{Option: p.option}
	o.Type, l = l.Take("qom-type")
	o.ID, o.Props = l.Take("id")
	declare, ok := objectTypes[o.Type]
	switch {
	case o.Type == "":
		return errors.New("the type is missing")
	case !ok:
		return fmt.Errorf("the object type '%s' is not supported yet", o.Type)
	case !validID(o.ID):
		return fmt.Errorf("parameter 'id': '%s' is not an identifier (a letter, then letters, digits, '-', '.', '_')", o.ID)
	case slices.ContainsFunc(p.cfg.Objects, func(x Object) bool { return x.ID == o.ID }):
		return fmt.Errorf("the id '%s' was given twice", o.ID)
	}
	var s prop.Set
	declare(&s, &objectTarget{})
	if err := s.Bind(o.Props); err != nil {
		return err
	}
	p.cfg.Objects = append(p.cfg.Objects, o)
	return nil
}

// object returns what the object called id has, which must be of that type.
func (c *Config) object(kind, id string) (objectTarget, error) {
	t := objectTarget{format: "raw", endpoint: "server", verify: true}
	i := slices.IndexFunc(c.Objects, func(o Object) bool { return o.ID == id })
	if i < 0 || c.Objects[i].Type != kind {
		return t, fmt.Errorf("no -object %s has the id '%s'", kind, id)
	}
	var s prop.Set
	objectTypes[kind](&s, &t)
	return t, s.Bind(c.Objects[i].Props)
}
