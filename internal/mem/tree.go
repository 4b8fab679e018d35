package mem

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// Mapped reports whether reads at addr see something, and the last address
// for which the same is true.
func (s *Space) Mapped(addr uint64) (last uint64, ok bool) {
	sp, last := find(s.view.Load().read, addr)
	return last, sp != nil
}

// Tree writes the regions of s in the layout of "info mtree", and those that
// aliases show. All includes those that are disabled.
func (s *Space) Tree(w io.Writer, all bool) {
	t := tree{w: w, all: all}
	fmt.Fprintf(w, "address-space: %s\n", s.name)
	t.region(s.root, 0, 1)
	fmt.Fprintln(w)
	for i := 0; i < len(t.targets); i++ {
		r := t.targets[i]
		fmt.Fprintf(w, "memory-region: %s\n", r.name)
		t.region(r, r.base(), 1)
		fmt.Fprintln(w)
	}
}

type tree struct {
	w       io.Writer
	all     bool
	targets []*Region // of the aliases so far
}

func (t *tree) region(r *Region, base uint64, indent int) {
	if r.hidden && !t.all {
		return
	}
	alias, off := "", ""
	if r.target != nil {
		alias = fmt.Sprintf("alias %s @%s %016x-%016x", r.name, r.target.name, r.offset, r.offset+r.size-1)
		if !slices.Contains(t.targets, r.target) {
			t.targets = append(t.targets, r.target)
		}
	} else {
		alias = r.name
	}
	if r.hidden {
		off = " [disabled]"
	}
	fmt.Fprintf(t.w, "%s%016x-%016x (prio %d, %s): %s%s\n",
		strings.Repeat("  ", indent), base, base+r.size-1, r.priority, r.kind(), alias, off)
	subs := slices.Clone(r.subs)
	sort.SliceStable(subs, func(i, j int) bool {
		if subs[i].addr != subs[j].addr {
			return subs[i].addr < subs[j].addr
		}
		return subs[i].priority > subs[j].priority
	})
	for _, sub := range subs {
		t.region(sub, base+sub.addr, indent+1)
	}
}

// base is where r lies in the region at the top.
func (r *Region) base() uint64 {
	if r.parent == nil {
		return r.addr
	}
	return r.parent.base() + r.addr
}

// kind is what the memory is, in QEMU's words; an alias is what it shows.
func (r *Region) kind() string {
	for r.target != nil {
		r = r.target
	}
	switch {
	case r.rom:
		return "rom"
	case r.ram != nil:
		return "ram"
	}
	return "i/o"
}

// Flat writes what is seen of the regions, in the layout of "info mtree -f".
// Where writes see other regions than reads there are two lists.
func (s *Space) Flat(w io.Writer) {
	v := s.view.Load()
	same := slices.Equal(v.read, v.write)
	for _, side := range []struct {
		spans []span
		note  string
	}{{v.read, " (reads)"}, {v.write, " (writes)"}} {
		if same {
			side.note = ""
		}
		fmt.Fprintf(w, " AS \"%s\", root: %s%s\n Root memory region: %s\n", s.name, s.root.name, side.note, s.root.name)
		if len(side.spans) == 0 {
			fmt.Fprintf(w, "  No rendered FlatView\n")
		}
		for _, sp := range side.spans {
			fmt.Fprintf(w, "  %016x-%016x (prio %d, %s): %s", sp.first, sp.last, sp.reg.priority, sp.reg.kind(), sp.reg.name)
			if sp.off != 0 {
				fmt.Fprintf(w, " @%016x", sp.off)
			}
			fmt.Fprintln(w)
		}
		if same {
			break
		}
	}
}
