package gdbstub

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Register is one of an architecture, as gdb knows it.
type Register struct {
	Name string
	// Bits is its size, Type gdb's type of it ("int32", "data_ptr", "vec128").
	Bits int
	Type string
	// Group is gdb's, "" = as the type says.
	Group string
	// Feature is the name of the set that it belongs to.
	Feature string
}

// Arch is an architecture: a table of its registers in the order of the
// protocol's g packet, which the description of the target numbers.
type Arch struct {
	// Name is gdb's ("i386:x86-64"), OSABI the system's ("GNU/Linux", "" = none).
	Name, OSABI string
	Registers   []Register
	// Types are definitions of types by the feature that they belong to.
	Types map[string]string
	// Order is that of bytes in registers.
	Order binary.ByteOrder
	// PC is the number of the program counter, and Stop those of the registers
	// that a stop's reply tells.
	PC   int
	Stop []int
}

// size is how many bytes a register has in packets.
func (r *Register) size() int { return (r.Bits + 7) / 8 }

// xml is the description of the target (gdb's manual, "Target Descriptions").
func (a *Arch) xml() string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target version="1.0">`)
	fmt.Fprintf(&b, "<architecture>%s</architecture>", a.Name)
	if a.OSABI != "" {
		fmt.Fprintf(&b, "<osabi>%s</osabi>", a.OSABI)
	}
	feature := ""
	for i, r := range a.Registers {
		if r.Feature != feature {
			if feature != "" {
				b.WriteString("</feature>")
			}
			feature = r.Feature
			fmt.Fprintf(&b, "<feature name=%q>%s", feature, a.Types[feature])
		}
		fmt.Fprintf(&b, `<reg name=%q bitsize="%d" type=%q regnum="%d"`, r.Name, r.Bits, r.Type, i)
		if r.Group != "" {
			fmt.Fprintf(&b, " group=%q", r.Group)
		}
		b.WriteString("/>")
	}
	b.WriteString("</feature></target>")
	return b.String()
}
