package tcg_test

import (
	"fmt"
	"strings"
	"testing"
)

// One page of code at two addresses, each with another page behind it: what
// depends on the program counter must be that of the address.
func TestCodeAtSeveralAddresses(t *testing.T) {
	const shared, behind1, behind2 = 0x64000, 0x65000, 0x66000
	setup := func(s *sysRig) {
		put := func(place, org uint32, text string) {
			copy(s.ram[place:], assemble(t, 32, org, map[string]uint32{}, text))
		}
		s.pte(0x50000, shared|7)
		s.pte(0x51000, behind1|7)
		s.pte(0x52000, shared|7)
		s.pte(0x53000, behind2|7)
		put(shared, 0, `call g
			g: pop eax
			db 0xd9, 0xe8                             ; FLD1
			db 0xd9, 0x35, 0x00, 0x70, 0x06, 0x00     ; FNSTENV [0x67000]
			int 0x20
			mov ebx, 5
			mov ecx, 2
			again: call h
			loop again
			jmp 0x1000
			org 0x40
			h: inc ebx
			ret
			org 0x80
			db 0x66, 0xe9, 0x7c, 0x4f                 ; o16 JMP: on within 64 KiB
			org 0xc0
			cmp eax, eax
			db 0x66, 0x0f, 0x84, 0x39, 0x4f           ; o16 JZ
			org 0xffb
			mov edi, 0x12345678`)
		put(behind1, 0, "mov edx, 1\nret")
		put(behind2, 0, "mov edx, 2\nret")
		put(0x5000, 0, "mov esi, 1\nret")
		put(0x7000, 0, "mov esi, 2\nret")
	}
	call := func(addr uint32) string { return fmt.Sprintf("mov edi, %d\ncall edi\n", addr) }
	is := func(what string, v uint32) string { return fmt.Sprintf("cmp %s, %d\njnz bad\n", what, v) }
	check := func(page, mark uint32) string {
		return strings.Join([]string{
			call(page), is("eax", page+5), is("edx", mark), is("ebx", 7), "mov eax, [0x6700c]", is("eax", page+6),
			call(page + 0x80), is("esi", mark), "mov esi, 0", call(page + 0xc0), is("esi", mark),
			"mov edx, 0", call(page + 0xffb), is("edi", 0x12345678), is("edx", mark),
		}, "\n")
	}
	const both = "int20@50010 int20@52010 "
	runSysTests(t, []sysTest{{name: "all", paging: true, setup: setup,
		code: "mov ebp, 3\nl: " + check(0x50000, 1) + check(0x52000, 2) + "dec ebp\njnz l\n" +
			"mov byte [0x52040], 0x4b\n" + // h: DEC EBX
			call(0x50000) + "mov ebp, ebx\n" + call(0x52000) + done + "bad: int 0x21\n" + done,
		want: both + both + both + strings.TrimSpace(both), state: "ebp=3 ebx=3"}})
}

// After the branch within INTO, what only its other side has read is not known.
func TestIntoThatIsNotTaken(t *testing.T) {
	const resume = "push 0x10002\npush k_cs\npush x\niret\n" // with RF: the instruction is a unit of its own
	runSysTests(t, []sysTest{
		{name: "alone", code: "mov ebx, 0\n" + resume + "x: into\nmov ebx, 1\n" + done, state: "ebx=1"},
		{name: "among others", code: "xor eax, eax\nmov ebx, 0\ninto\nmov ebx, 1\n" + done, state: "ebx=1"},
	})
}
