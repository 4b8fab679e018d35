// Package blkdebug makes accesses to an image fail where rules say so, as
// QEMU's driver of that name does (docs/devel/testing/blkdebug.rst): to see
// what a guest, or an emulator, does about errors.
package blkdebug

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"rhea/internal/block"
)

// Error is a rule [inject-error]: accesses that match it fail.
type Error struct {
	Event  string
	Op     block.Op // if Typed
	Typed  bool     // "iotype" was given
	Errno  error
	Sector int64 // of 512 bytes that the access must touch, -1 = any
	Once   bool
	State  int // in which it holds, 0 = in all
}

// Change is a rule [set-state]: an event leads from a state to another.
type Change struct {
	Event    string
	From, To int // From 0 = from any
}

// Rules are the rules of one image. The state is 1 in the beginning.
type Rules struct {
	Errors  []Error
	Changes []Change
}

// events are those that an access causes, besides "none" of any.
var events = map[block.Op][]string{
	block.Read: {"read_aio", "readv"}, block.Write: {"write_aio", "pwritev"}, block.Flush: {"flush_to_os", "flush_to_disk"}, block.Discard: {"discard"},
}

var iotypes = map[string]block.Op{"read": block.Read, "write": block.Write, "flush": block.Flush, "discard": block.Discard}

// errnos are Linux's numbers, which the rules have on any host.
var errnos = map[uint64]error{1: syscall.EPERM, 5: syscall.EIO, 12: syscall.ENOMEM, 22: syscall.EINVAL, 28: syscall.ENOSPC, 30: syscall.EROFS}

func knownEvent(name string) bool {
	for op := range events {
		if happens(name, op) {
			return true
		}
	}
	return name == "none"
}

// Section is a rule while it is read.
type Section struct {
	inject bool
	e      Error
	c      Change
}

// NewSection begins a rule: kind is "inject-error" or "set-state".
func NewSection(kind string) (*Section, error) {
	if kind != "inject-error" && kind != "set-state" {
		return nil, fmt.Errorf("there are no rules '%s'; there are inject-error and set-state", kind)
	}
	return &Section{inject: kind == "inject-error", e: Error{Errno: syscall.EIO, Sector: -1}}, nil
}

// Set gives a rule a key of its section.
func (s *Section) Set(key, value string) error {
	number := func(bits int) (uint64, error) {
		n, err := strconv.ParseUint(value, 0, bits)
		if err != nil {
			return 0, fmt.Errorf("%s: '%s' is not a number", key, value)
		}
		return n, nil
	}
	state := func(p *int) error {
		n, err := number(31)
		*p = int(n)
		return err
	}
	onOff := func(p *bool) error {
		if value != "on" && value != "off" {
			return fmt.Errorf("%s: '%s' is neither on nor off", key, value)
		}
		*p = value == "on"
		return nil
	}
	switch {
	case key == "event":
		if !knownEvent(value) {
			return fmt.Errorf("the event '%s' does not happen here; read_aio, write_aio, flush_to_disk, discard and none do", value)
		}
		s.e.Event, s.c.Event = value, value
		return nil
	case key == "state" && s.inject:
		return state(&s.e.State)
	case key == "state":
		return state(&s.c.From)
	case key == "new_state" && !s.inject:
		return state(&s.c.To)
	case !s.inject:
	case key == "iotype":
		op, ok := iotypes[value]
		if !ok {
			return fmt.Errorf("iotype '%s' is not one of read, write, flush, discard", value)
		}
		s.e.Op, s.e.Typed = op, true
		return nil
	case key == "errno":
		n, err := number(16)
		if s.e.Errno = errnos[n]; s.e.Errno == nil {
			s.e.Errno = fmt.Errorf("error %d", n)
		}
		return err
	case key == "sector":
		n, err := number(54)
		s.e.Sector = int64(n)
		return err
	case key == "once":
		return onOff(&s.e.Once)
	case key == "immediately": // when it is known; no guest sees that
		var any bool
		return onOff(&any)
	}
	return fmt.Errorf("a rule of this kind has no key '%s'", key)
}

// Add adds a rule that is complete.
func (r *Rules) Add(s *Section) error {
	if s.e.Event == "" {
		return errors.New("a rule has no event")
	}
	if s.inject {
		r.Errors = append(r.Errors, s.e)
	} else {
		r.Changes = append(r.Changes, s.c)
	}
	return nil
}

// Parse adds the rules of a configuration file: sections in brackets, and
// lines of key = "value".
func (r *Rules) Parse(file io.Reader) error {
	var s *Section
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		var err error
		switch key, value, pair := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			if s != nil {
				err = r.Add(s)
			}
			if err == nil {
				s, err = NewSection(strings.Trim(line, "[]"))
			}
		case s == nil || !pair:
			err = fmt.Errorf("'%s' is neither a [section] nor key = \"value\" in one", line)
		default:
			err = s.Set(strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"`))
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if s != nil {
		return r.Add(s)
	}
	return nil
}

// Injector carries the rules of one image out.
type Injector struct {
	mu    sync.Mutex
	r     Rules
	state int
}

// New returns an injector.
func New(r Rules) *Injector {
	return &Injector{r: Rules{slices.Clone(r.Errors), slices.Clone(r.Changes)}, state: 1}
}

// Check is asked before each access to n bytes at off, and returns the error
// that is to come of it.
func (i *Injector) Check(op block.Op, off int64, n int) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.state
	for k := range i.r.Changes {
		if c := &i.r.Changes[k]; happens(c.Event, op) && (c.From == 0 || c.From == was) {
			i.state = c.To
		}
	}
	for k := range i.r.Errors {
		e := &i.r.Errors[k]
		switch {
		case e.Event != "none" && !happens(e.Event, op), e.Typed && e.Op != op, e.State != 0 && e.State != was:
			continue
		case e.Sector >= 0 && op != block.Flush && (off+int64(n) <= e.Sector*512 || off >= (e.Sector+1)*512):
			continue
		}
		err := e.Errno
		if e.Once {
			i.r.Errors = slices.Delete(i.r.Errors, k, k+1)
		}
		return err
	}
	return nil
}

func happens(event string, op block.Op) bool {
	return slices.Contains(events[op], event)
}
