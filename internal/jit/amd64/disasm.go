package amd64

import (
	"fmt"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// Disassemble names what Compile has written to buf[off:off+size], for logs:
// it calls line for each instruction, and for each record of a site behind a
// call of the exit stub. The host executes buf at address. Page is where a unit
// that moves was found.
func (c *Compiler) Disassemble(buf []byte, off, size int, address, page uint64, line func(at uint64, code []byte, text string)) {
	stubs := map[uint64]string{address + uint64(c.exitStub): "exit", address + uint64(c.exitVectors): "exit"}
	for name, at := range map[string]int{"flags": c.lazyAt, "mxcsr": c.vec.goLive, "gomxcsr": c.vec.endLive,
		"x87": c.fpu.goResident, "sync87": c.fpu.sync, "loadcw": c.fpu.loadCW, "far": c.farStub} {
		if at != 0 {
			stubs[address+uint64(at)] = name
		}
	}
	for _, at := range c.placeStubs {
		if at != 0 {
			stubs[address+uint64(at)] = "place"
		}
	}
	symbol := func(a uint64) (string, uint64) { return stubs[a], a }
	for end := off + size; off < end; {
		code, at := buf[off:end], address+uint64(off)
		in, err := x86asm.Decode(code, 64)
		if err != nil || in.Len == 0 {
			line(at, code[:1], fmt.Sprintf("db 0x%02x", code[0]))
			off++
			continue
		}
		off += in.Len
		line(at, code[:in.Len], strings.TrimSpace(x86asm.IntelSyntax(in, at, symbol)))
		if rel, ok := in.Args[0].(x86asm.Rel); !ok || in.Op != x86asm.CALL || off+int(rel) != c.exitStub && off+int(rel) != c.exitVectors {
			continue
		}
		s := c.Site(buf, off)
		line(address+uint64(off), buf[off:s.end], s.text(page))
		off = s.end
	}
}

// text says what a site is for.
func (s *Site) text(page uint64) string {
	text := fmt.Sprintf("site %s, pc %#x", s.Kind, page+s.PC)
	switch s.Kind {
	case Load, Store:
		text += fmt.Sprintf(", %d bytes", s.Size)
	case Call:
		text += fmt.Sprintf(", helper %d", s.Imm)
	case Guard:
		text += fmt.Sprintf(", code %#x", s.Imm)
	}
	return text
}
