// Package acpi builds the ACPI tables of a PC for its firmware to install
// (ACPI 1.0b, with what later editions say of the same tables), the DSDT as
// AML of its own making, and the script by which fw_cfg's users link them.
package acpi

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// term is encoded AML (ACPI 6.4 §20.2).
type term []byte

func join(ts ...term) term {
	var out term
	for _, t := range ts {
		out = append(out, t...)
	}
	return out
}

// packaged puts a PkgLength, which counts itself, before body.
func packaged(op term, body term) term {
	n := len(body)
	var l term
	switch {
	case n+1 < 0x40:
		l = term{byte(n + 1)}
	case n+2 < 0x1000:
		n += 2
		l = term{0x40 | byte(n&15), byte(n >> 4)}
	case n+3 < 0x100000:
		n += 3
		l = term{0x80 | byte(n&15), byte(n >> 4), byte(n >> 12)}
	default:
		panic("BUG: acpi: package is too long")
	}
	return join(op, l, body)
}

// name encodes a path: segments of up to four characters with "." between,
// after "\" for the root or "^" for parents.
func name(path string) term {
	var out term
	for path != "" && (path[0] == '\\' || path[0] == '^') {
		out = append(out, path[0])
		path = path[1:]
	}
	if path == "" {
		return append(out, 0)
	}
	segs := strings.Split(path, ".")
	switch len(segs) {
	case 1:
	case 2:
		out = append(out, 0x2e)
	default:
		out = append(out, 0x2f, byte(len(segs)))
	}
	for _, s := range segs {
		if len(s) > 4 {
			panic("BUG: acpi: name " + s)
		}
		out = append(out, (s + "____")[:4]...)
	}
	return out
}

func integer(v uint64) term {
	le := binary.LittleEndian
	switch {
	case v == 0:
		return term{0x00}
	case v == 1:
		return term{0x01}
	case v < 1<<8:
		return term{0x0a, byte(v)}
	case v < 1<<16:
		return le.AppendUint16(term{0x0b}, uint16(v))
	case v < 1<<32:
		return le.AppendUint32(term{0x0c}, uint32(v))
	}
	return le.AppendUint64(term{0x0e}, v)
}

func text(s string) term { return append(append(term{0x0d}, s...), 0) }

func scope(path string, body ...term) term {
	return packaged(term{0x10}, join(name(path), join(body...)))
}

func device(n string, body ...term) term {
	return packaged(term{0x5b, 0x82}, join(name(n), join(body...)))
}

func processor(n string, id byte) term {
	return packaged(term{0x5b, 0x83}, join(name(n), term{id, 0, 0, 0, 0, 0}))
}

func named(n string, v term) term { return join(term{0x08}, name(n), v) }

// method is serialized: those here create names.
func method(n string, args int, body ...term) term {
	return packaged(term{0x14}, join(name(n), term{byte(args) | 8}, join(body...)))
}

func pkg(elems ...term) term {
	return packaged(term{0x12}, append(term{byte(len(elems))}, join(elems...)...))
}

func buffer(b []byte) term { return packaged(term{0x11}, join(integer(uint64(len(b))), b)) }

// region is OperationRegion.
func region(n string, space byte, off, size uint64) term {
	return join(term{0x5b, 0x80}, name(n), term{space}, integer(off), integer(size))
}

// The spaces of regions.
const (
	systemIO  = 1
	pciConfig = 2
)

// fields is Field with byte access and preserved rest: 8 bits each.
func fields(reg string, names ...string) term {
	body := join(name(reg), term{0x01})
	for _, n := range names {
		body = append(body, (n + "____")[:4]...)
		body = append(body, 8)
	}
	return packaged(term{0x5b, 0x81}, body)
}

var (
	arg0   = term{0x68}
	local0 = term{0x60}
	none   = term{0x00} // a target that is not there
)

func ret(v term) term        { return join(term{0xa4}, v) }
func store(v, to term) term  { return join(term{0x70}, v, to) }
func and(a, b, to term) term { return join(term{0x7b}, a, b, to) }
func or(a, b, to term) term  { return join(term{0x7d}, a, b, to) }
func ifThen(c term, body ...term) term {
	return packaged(term{0xa0}, join(c, join(body...)))
}

// dwordField makes a name for four bytes of a buffer.
func dwordField(buf term, at uint64, n string) term {
	return join(term{0x8a}, buf, integer(at), name(n))
}

// eisaID packs "PNP0A03" as _HID wants it.
func eisaID(id string) term {
	var v uint32
	for i := range 3 {
		v = v<<5 | uint32(id[i]-'@')
	}
	var n uint32
	if _, err := fmt.Sscanf(id[3:], "%x", &n); err != nil || len(id) != 7 {
		panic("BUG: acpi: id " + id)
	}
	v = v<<16 | n
	return binary.BigEndian.AppendUint32(term{0x0c}, v)
}

// Resource descriptors (ACPI §6.4).

func ioPort(base, n uint16) []byte {
	return []byte{0x47, 1, byte(base), byte(base >> 8), byte(base), byte(base >> 8), 1, byte(n)}
}

func irqFlags(n int) []byte { return binary.LittleEndian.AppendUint16([]byte{0x22}, 1<<n) }

func dmaChannel(n int) []byte { return []byte{0x2a, byte(1 << n), 0} }

// extendedIRQ is level, active high, shared: what PIRQs are after the PIIX.
func extendedIRQ(irqs ...uint32) []byte {
	b := []byte{0x89, byte(2 + 4*len(irqs)), 0, 0x09, byte(len(irqs))}
	for _, n := range irqs {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// Kinds of address space descriptors.
const (
	kindMemory = 0
	kindIO     = 1
	kindBus    = 2
)

// wordRange and dwordRange are fixed windows of a producer.
func wordRange(kind byte, lo, hi uint16) []byte {
	flags := byte(0)
	if kind == kindIO {
		flags = 3 // the whole range
	}
	b := []byte{0x88, 13, 0, kind, 0x0c, flags}
	for _, v := range []uint16{0, lo, hi, 0, hi - lo + 1} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

func dwordRange(lo, hi uint32, cacheable bool) []byte {
	flags := byte(1) // writable
	if cacheable {
		flags |= 2
	}
	b := []byte{0x87, 23, 0, kindMemory, 0x0c, flags}
	for _, v := range []uint32{0, lo, hi, 0, hi - lo + 1} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// resources closes a list of descriptors.
func resources(ds ...[]byte) term {
	var b []byte
	for _, d := range ds {
		b = append(b, d...)
	}
	return buffer(append(b, 0x79, 0))
}
