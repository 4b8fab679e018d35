package hmp

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// format is /COUNT FORMAT SIZE.
type format struct {
	count  int
	letter byte // x d u o t c s i
	size   int  // 1 2 4 8; 0 with i = the processor's mode
}

// maxDump bounds what x and xp show at once, in bytes; memsave takes more.
const maxDump = 256 << 10

// parseFormat parses the format at the start of s; what it does not say is
// as it was last.
func parseFormat(s string, last format) (format, string, error) {
	f := last
	f.count = 1
	if f.letter == 'i' {
		f.size = 0
	}
	if s == "" || s[0] != '/' {
		return f, s, nil
	}
	s = s[1:]
	size := 0
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n > 0 {
		f.count = 0
		for _, d := range s[:n] {
			f.count = min(f.count*10+int(d-'0'), 1<<40)
		}
	}
	for s = s[n:]; s != "" && s[0] != ' ' && s[0] != '\t'; s = s[1:] {
		switch ch := s[0]; ch {
		case 'x', 'd', 'u', 'o', 't', 'c', 's', 'i':
			f.letter = ch
		case 'b':
			size = 1
		case 'h':
			size = 2
		case 'w':
			size = 4
		case 'g', 'L':
			size = 8
		default:
			return f, s, usage("invalid char in format: '%s'", printable(firstRune(s)))
		}
	}
	switch {
	case size != 0 || f.letter == 'i':
		f.size = size
	default:
		f.size = last.size
	}
	return f, s, nil
}

// keep makes f the format of what follows.
func (m *Monitor) keep(f format) {
	m.format.letter = f.letter
	if f.letter != 'i' && f.size != 0 {
		m.format.size = f.size
	}
}

// view is memory as x (virtual) or xp (physical) sees it.
type view struct {
	c    *call
	cpu  CPU // nil: physical
	mask uint64
}

func (v view) label(addr uint64) string {
	if v.cpu == nil {
		return fmt.Sprintf("%016x", addr)
	}
	return fmt.Sprintf("%0*x", v.c.m.c.AddressBits/4, addr)
}

// read fills p from addr; it reports false where there is no memory.
func (v view) read(addr uint64, p []byte) bool {
	memory := v.c.m.c.Memory
	for len(p) > 0 {
		addr &= v.mask
		pa, n := addr, uint64(len(p))
		if v.cpu != nil {
			var ok bool
			if pa, ok = v.cpu.Probe(addr); !ok {
				return false
			}
			n = min(n, 0x1000-addr&0xfff)
		}
		if m, ok := memory.(Mapped); ok {
			last, there := m.Mapped(pa)
			if !there {
				return false
			}
			if room := last - pa; room < n-1 {
				n = room + 1
			}
		}
		memory.ReadBytes(pa, p[:n])
		p, addr = p[n:], addr+n
	}
	return true
}

// inspect runs f with the processor's page tables readable under the lock.
func (c *call) inspect(cpu CPU, f func()) {
	if i, ok := cpu.(Inspector); ok && c.m.c.Memory != nil {
		i.Inspect(c.m.c.Memory.Read, f)
		return
	}
	f()
}

func dumpVirtual(c *call) error {
	cpu := c.m.defaultCPU()
	if cpu == nil || c.m.c.Memory == nil {
		return errAbsent
	}
	var err error
	c.inspect(cpu, func() { err = c.dump(view{c, cpu, c.m.addressMask()}) })
	return err
}

func dumpPhysical(c *call) error {
	if c.m.c.Memory == nil {
		return errAbsent
	}
	return c.dump(view{c, nil, ^uint64(0)})
}

// dump is x and xp.
func (c *call) dump(v view) error {
	f := c.args.format
	addr := uint64(c.args.Number("addr")) & v.mask
	size := max(f.size, 1)
	if f.letter == 'c' || f.letter == 's' {
		size = 1
	}
	unit := size
	if f.letter == 'i' || f.letter == 's' {
		unit = 16
	}
	if f.count > maxDump/unit {
		return usage("a count of %d is too large: at most %d", f.count, maxDump/unit)
	}
	c.m.keep(f)
	switch f.letter {
	case 'i':
		return c.disassemble(v, addr, f)
	case 's':
		c.strings(v, addr, f.count)
		return nil
	}
	per := 16 / size
	if size == 1 && f.size != 4 || f.letter != 'c' && size == 1 {
		per = 8
	}
	buf := make([]byte, 16)
	for n := f.count; n > 0 && !c.interrupted(); n -= per {
		k := min(n, per)
		c.printf("%s:", v.label(addr))
		if !v.read(addr, buf[:k*size]) {
			c.printf(" Cannot access memory\n")
			return nil
		}
		for i := range k {
			c.printf(" %s", number(f.letter, size, load(buf[i*size:], size), true))
		}
		c.printf("\n")
		addr = (addr + uint64(k*size)) & v.mask
	}
	return nil
}

func load(b []byte, size int) uint64 {
	var w [8]byte
	copy(w[:], b[:size])
	return binary.LittleEndian.Uint64(w[:])
}

// number writes a value of size bytes; aligned in columns if column is set.
func number(letter byte, size int, v uint64, column bool) string {
	bits := 8 * size
	var digits string
	width := 0
	switch letter {
	case 'd':
		digits = fmt.Sprint(int64(v<<(64-bits)) >> (64 - bits))
		width = [...]int{1: 3, 2: 5, 4: 10, 8: 20}[size]
	case 'u':
		digits = fmt.Sprint(v)
		width = [...]int{1: 3, 2: 5, 4: 10, 8: 20}[size]
	case 'o':
		digits = fmt.Sprintf("%#o", v)
		width = (bits + 2) / 3
	case 't':
		if column {
			return fmt.Sprintf("0b%0*b", bits, v)
		}
		return fmt.Sprintf("0b%b", v)
	case 'c':
		return character(byte(v))
	default:
		switch {
		case column:
			return fmt.Sprintf("0x%0*x", 2*size, v)
		case v == 0:
			return "0"
		}
		return fmt.Sprintf("%#x", v)
	}
	if column {
		return fmt.Sprintf("%*s", width, digits)
	}
	return digits
}

func character(c byte) string { return "'" + escape(c, '\'') + "'" }

func escape(c, quote byte) string {
	switch c {
	case '\\', quote:
		return `\` + string(rune(c))
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	}
	if c >= ' ' && c < 0x7f {
		return string(rune(c))
	}
	return fmt.Sprintf(`\x%02x`, c)
}

// maxString is how much of a string is shown.
const maxString = 256

// strings is format s: strings that end in a NUL.
func (c *call) strings(v view, addr uint64, count int) {
	var b [1]byte
	for range count {
		if c.interrupted() {
			return
		}
		c.printf("%s:", v.label(addr))
		var text strings.Builder
		n := 0
		for ; n < maxString; n++ {
			if !v.read(addr+uint64(n), b[:]) {
				break
			}
			if b[0] == 0 {
				break
			}
			text.WriteString(escape(b[0], '"'))
		}
		if n == 0 && !v.read(addr, b[:]) {
			c.printf(" Cannot access memory\n")
			return
		}
		if n == maxString {
			c.printf(" \"%s\"...\n", text.String())
			n--
		} else {
			c.printf(" \"%s\"\n", text.String())
		}
		addr = (addr + uint64(n) + 1) & v.mask
	}
}

// disassemble is format i.
func (c *call) disassemble(v view, addr uint64, f format) error {
	d, ok := c.m.defaultCPU().(Disassembler)
	if !ok {
		return fmt.Errorf("there is no disassembler for this processor")
	}
	size := f.size
	if size != 2 && size != 4 {
		size = 0
	}
	width := c.m.c.AddressBits / 4
	for range f.count {
		if c.interrupted() {
			return nil
		}
		code := make([]byte, 0, 16)
		for i := range uint64(16) {
			var b [1]byte
			if !v.read(addr+i, b[:]) {
				break
			}
			code = append(code, b[0])
		}
		text, n := "", 0
		if len(code) > 0 {
			text, n = d.Disassemble(code, addr, size)
		}
		if n <= 0 || n > len(code) {
			c.printf("0x%0*x: unable to read memory\n", width, addr)
			return nil
		}
		c.printf("0x%0*x:  %-24s %s\n", width, addr, fmt.Sprintf("% x", code[:n]), text)
		addr = (addr + uint64(n)) & v.mask
	}
	return nil
}

// printExpr is "print".
func printExpr(c *call) error {
	f := c.args.format
	if f.letter == 'i' || f.letter == 's' {
		if c.m.format.letter == f.letter {
			f.letter = 'x' // left over from x
		} else {
			return usage("format '%c' is for memory only", f.letter)
		}
	} else {
		c.m.keep(f)
	}
	c.printf("%s\n", number(f.letter, 8, uint64(c.args.Number("expr")), false))
	return nil
}

// portSize is the size and QEMU's letter of a port access.
func portSize(f format) (size int, suffix byte) {
	switch f.size {
	case 1:
		return 1, 'b'
	case 2:
		return 2, 'w'
	}
	return 4, 'l'
}

func portRead(c *call) error {
	if c.m.c.IO == nil {
		return errAbsent
	}
	f := c.args.format
	c.m.keep(f)
	size, suffix := portSize(f)
	addr := uint64(c.args.Number("addr")) & 0xffff
	c.printf("port%c[0x%04x] = 0x%0*x\n", suffix, addr, 2*size, c.m.c.IO.Read(addr, size))
	return nil
}

func portWrite(c *call) error {
	if c.m.c.IO == nil {
		return errAbsent
	}
	f := c.args.format
	c.m.keep(f)
	size, _ := portSize(f)
	v := uint64(c.args.Number("value")) & (^uint64(0) >> (64 - 8*size))
	c.m.c.IO.Write(uint64(c.args.Number("addr"))&0xffff, size, v)
	return nil
}
