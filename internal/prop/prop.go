// Package prop reads the values of options as QEMU spells them:
// "k=v,k2=v2" with ",," for a comma, an implied first key, bare flags
// ("snapshot", "nowait"), JSON objects, sizes ("512M") and on/off, and binds
// keys to variables the way package flag does.
package prop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Opt is one key with its value.
type Opt struct {
	Key, Value string
	// Bare: no value was written, Value is "on" (or "off" for "nokey").
	Bare bool
	// JSON: the value came from a JSON object.
	JSON bool
}

// List is the pairs of one option in the order they were written.
type List []Opt

// Parse splits s. A first part without '=' is the value of the implied key,
// if that is not empty; other parts without '=' are flags: "key" is key=on
// and "nokey" is left as it is, for only Bind knows which keys there are.
func Parse(s, implied string) (List, error) {
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		return ParseJSON(s)
	}
	var l List
	for first := true; s != "" || first; first = false {
		var part string
		part, s = Cut(s)
		key, value, found := strings.Cut(part, "=")
		switch {
		case found && key == "":
			return nil, fmt.Errorf("'%s' has no name before the '='", part)
		case found:
			l = append(l, Opt{Key: key, Value: value})
		case first && implied != "":
			if part != "" {
				l = append(l, Opt{Key: implied, Value: part})
			}
		case part != "":
			l = append(l, Opt{Key: part, Value: "on", Bare: true})
		}
	}
	return l, nil
}

// Cut returns what comes before the first single comma, with ",," made ",".
func Cut(s string) (part, rest string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			b.WriteString(s)
			return b.String(), ""
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == ',' {
			b.WriteByte(',')
			s = s[i+2:]
			continue
		}
		return b.String(), s[i+1:]
	}
}

// ParseJSON flattens a JSON object: {"a":{"b":1},"c":[true]} is a.b=1,c.0=on.
func ParseJSON(s string) (List, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var l List
	if err := flatten(d, "", &l); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("the JSON object is not complete")
		}
		return nil, fmt.Errorf("invalid JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("invalid JSON: something follows the object")
	}
	return l, nil
}

func flatten(d *json.Decoder, path string, l *List) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	add := func(v string) { *l = append(*l, Opt{Key: path, Value: v, JSON: true}) }
	switch v := t.(type) {
	case json.Delim:
		for i := 0; d.More(); i++ {
			name := fmt.Sprint(i)
			if v == '{' {
				k, err := d.Token()
				if err != nil {
					return err
				}
				name = k.(string)
			}
			if path != "" {
				name = path + "." + name
			}
			if err := flatten(d, name, l); err != nil {
				return err
			}
		}
		_, err := d.Token() // the closing bracket
		return err
	case bool:
		if v {
			add("on")
		} else {
			add("off")
		}
	case json.Number:
		add(v.String())
	case string:
		add(v)
	case nil:
		return fmt.Errorf("'%s' is null", path)
	}
	return nil
}

// Get returns the last value of key.
func (l List) Get(key string) (string, bool) {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].Key == key {
			return l[i].Value, true
		}
	}
	return "", false
}

// Take returns the last value of key and l without any.
func (l List) Take(key string) (value string, rest List) {
	for _, o := range l {
		if o.Key == key {
			value = o.Value
		} else {
			rest = append(rest, o)
		}
	}
	return value, rest
}

// WantsHelp reports whether l has a bare "help" or "?", or one as the value
// of its implied key.
func (l List) WantsHelp(implied string) bool {
	for i, o := range l {
		if o.Bare && IsHelp(o.Key) || i == 0 && o.Key == implied && !o.JSON && IsHelp(o.Value) {
			return true
		}
	}
	return false
}

// IsHelp reports whether s asks for a list of the values there are.
func IsHelp(s string) bool { return s == "help" || s == "?" }

// String writes l as an option would.
func (l List) String() string {
	var b bytes.Buffer
	for i, o := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(o.Key + "=" + strings.ReplaceAll(o.Value, ",", ",,"))
	}
	return b.String()
}
