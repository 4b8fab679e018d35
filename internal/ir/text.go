package ir

import (
	"fmt"
	"strings"
)

// String prints u in the form that Parse reads.
func (u *Unit) String() string {
	var w strings.Builder
	for n, b := range u.Blocks {
		fmt.Fprintf(&w, "block%d:\n", n)
		for i := b.First; i < b.End; i++ {
			w.WriteByte('\t')
			u.format(&w, i)
			w.WriteByte('\n')
		}
	}
	return w.String()
}

func (u *Unit) format(w *strings.Builder, i int) {
	in := &u.Insts[i]
	info := &ops[in.Op]
	if in.Type != Void {
		fmt.Fprintf(w, "v%d = ", i+1)
	}
	w.WriteString(info.Name)
	if in.Type != Void {
		w.WriteByte(' ')
		w.WriteString(in.Type.String())
	}
	sep := " "
	put := func(format string, args ...any) {
		w.WriteString(sep)
		fmt.Fprintf(w, format, args...)
		sep = ", "
	}
	switch info.imm {
	case "value", "pc", "code":
		put("%#x", in.Imm)
	case "slot":
		put("%s", u.Slots.Name(Slot(in.Imm)))
	case "mem":
		m := MemOf(in.Imm)
		put("%d.%d", m.Size, m.Index)
		if m.RMW {
			w.WriteString(".rmw")
		}
		if m.Probe {
			w.WriteString(".probe")
		}
	case "field":
		pos, width := FieldOf(in.Imm)
		put("%d:%d", pos, width)
	case "helper":
		h, f := CallOf(in.Imm)
		put("h%d", h)
		if f&Pure != 0 {
			w.WriteString(".pure")
		}
		if f&NoStop != 0 {
			w.WriteString(".nostop")
		}
		if f&KeepsStack != 0 {
			w.WriteString(".keeps")
		}
	case "fpu":
		put("%s", StackOpOf(in.Imm).text(u.Slots))
	case "vec":
		put("%s", VectorOf(in.Imm).text(u.Slots))
	case "block":
		put("block%d", in.Imm)
	}
	for j := range in.NArgs() {
		put("v%d", in.Args[j])
	}
	if info.imm == "blocks" {
		a, b := in.Targets()
		put("block%d", a)
		put("block%d", b)
	}
}
