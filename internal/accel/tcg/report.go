package tcg

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"rhea/internal/jit/amd64"
)

// Report writes what the engine has done so far, for people. The processor
// must not run meanwhile.
func (v *VCPU) Report(w io.Writer) {
	n := v.n
	if n == nil {
		fmt.Fprintf(w, "Engine: interpreter\nGuest instructions: %d\nPages of code: %d\nTranslated code: %d bytes of %d\nFlushes: %d\n",
			v.m.Count, len(v.cache.pages), v.cache.size, v.cache.limit, v.cache.flushes-1)
		return
	}
	bytes, units := n.used()
	fmt.Fprintf(w, "Engine: translator\nUnits: %d, %d made, %d changed by the guest; %d executed before they were compiled\nPages of code: %d\nMachine code: %d bytes of %d\nFlushes: %d, and of segments %d\n",
		units, n.made, v.cache.drops, v.quick.runs, len(v.cache.pages), bytes, len(n.code.RW), v.cache.flushes-1, n.evictions)
	fmt.Fprintf(w, "Exits:")
	for kind, k := range n.exits {
		fmt.Fprintf(w, " %s %d", amd64.SiteKind(kind), k)
	}
	type row struct {
		helper int
		calls  uint64
	}
	var rows []row
	for i, k := range n.calls {
		if k != 0 {
			rows = append(rows, row{i, k})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.calls, a.calls) })
	fmt.Fprintf(w, "\nHelpers:")
	for _, r := range rows[:min(len(rows), 12)] {
		fmt.Fprintf(w, " %s %d", v.helperName(r.helper), r.calls)
	}
	fmt.Fprintln(w)
}

// helperName is the guest's name of a helper, if it tells.
func (v *VCPU) helperName(i int) string {
	if c, ok := v.cpu.(interface{ HelperName(int) string }); ok {
		return c.HelperName(i)
	}
	return fmt.Sprint(i)
}
