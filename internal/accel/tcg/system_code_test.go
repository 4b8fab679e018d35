package tcg_test

import (
	"testing"

	"rhea/internal/guest/x86"
)

// TestSelfModifying changes code that runs, has run, or is about to.
func TestSelfModifying(t *testing.T) {
	runSysTests(t, []sysTest{
		{name: "the next instruction", code: "mov byte [x+1], 7\nx: mov eax, 1\n" + done, state: "eax=7"},
		{name: "an instruction of the same block, before", code: `mov ecx, 3
			mov ebx, 0
			l: add ebx, 1
			inc byte [l+2]
			loop l
			` + done, state: "ebx=6"},
		{name: "itself", code: "mov ecx, 2\nmov edx, s\nl: s: mov dword [s+6], 0x12345678\nmov eax, [s+6]\nmov dword [s+6], 5\nloop l\nmov ebx, [s+6]\n" + done,
			// The second time it writes what the first block has left in it.
			state: "eax=5 ebx=5"},
		{name: "itself, by a string instruction", code: `mov edi, x
			mov esi, y
			mov ecx, 12
			x: rep movsb
			nop
			nop
			nop
			nop
			mov eax, 1
			jmp z
			y: nop
			nop
			mov eax, 2
			mov ebx, 3
			z: ` + done,
			// REP MOVSB goes on to its end though it is overwritten (x: F3 A4).
			state: "ecx=0 eax=2 ebx=3"},
		{name: "by REP STOS, further on in the block", code: "mov edi, x\nmov ecx, 4\nmov al, 0x40\nrep stosb\nmov eax, 0\nx: dd 0x90909090\n" + done, state: "eax=4"},
		{name: "by a push", code: `mov ebx, esp
			mov esp, x+5
			mov eax, 0x40404040 ; four times inc eax
			push eax
			mov eax, 0
			nop
			x: nop
			nop
			nop
			nop
			nop
			mov esp, ebx
			` + done, state: "eax=4"},
		{name: "by a call's return address", code: `mov ebx, esp
			mov esp, x+5
			mov eax, 0
			call f
			x: dd 0x90909090, 0x90909090
			f: mov ecx, [x+1]
			mov esp, ebx
			` + done, state: "ecx=x"},
		{name: "by CMPXCHG8B, XADD, BTS and x87", code: `mov eax, 0x90909090
			mov edx, 0x90909090
			mov ebx, 0x40404040
			mov ecx, 0x40404040
			cmpxchg8b [x]
			mov eax, 0
			x: dd 0x90909090, 0x90909090
			mov ecx, eax
			mov ebx, 0x41414141-0x90909090
			xadd [y], ebx
			mov edx, 4
			bts [z], edx
			fninit
			fld [x]
			fstp [w]
			mov ebx, 0
			mov eax, 0
			y: dd 0x90909090
			z: db 0x42 ; inc edx, with bit 4 set push edx
			pop ebx
			w: dd 0x90909090, 0x90909090
			` + done, state: "ebx=4 eax=8"},
		{name: "code that has run, through a jump", code: `mov ecx, 2
			mov ebx, 0
			l: call f
			mov byte [f+1], 0xc1 ; inc ecx becomes ...
			loop l
			` + done + `
			f: add bl, al
			inc ebx
			ret`, state: "ebx=2", regs: func(s *x86.State) { s.GPR[0] = 0 }},
		{name: "a linked block far away", code: `mov ecx, 4
			mov ebx, 0
			l: jmp f
			back: mov byte [f+2], 16
			loop l
			` + done + "org 0x12000\nf: add ebx, 1\njmp back", state: "ebx=49"},
		{name: "through another address", paging: true, setup: func(s *sysRig) { s.pte(0x60000, s.labels["code"]|7) }, code: `mov ecx, 2
			mov ebx, 0
			l: add ebx, 1
			mov eax, l-code+0x60000
			mov byte [eax+2], 9
			loop l
			` + done, state: "ebx=10"},
		{name: "at two addresses", paging: true, setup: func(s *sysRig) { s.pte(0x11000, 0x60007); s.pte(0x12000, 0x60007); put32(s.ram, 0x60000, 0xc301c083) },
			code: `mov eax, 0
			mov ecx, 0x11000
			mov edx, 0x12000
			call ecx
			call edx
			mov byte [0x11002], 5
			call edx
			call ecx
			mov byte [0x12002], 0x10
			call ecx
			call edx
			` + done, state: "eax=44"},
		{name: "the second page of an instruction across pages", code: `mov ecx, 2
			mov ebx, 0
			jmp l
			org 0x10ffd
			l: add ebx, 1
			mov byte [0x11000], 3
			loop m
			` + done + "m: jmp l", state: "ebx=0x0302"},
		{name: "the page under an instruction across pages", paging: true, setup: func(s *sysRig) {
			copy(s.ram[0x60ffe:], []byte{0x81, 0xc3, 1, 0, 0, 0, 0xc3}) // add ebx, 1; ret
			copy(s.ram[0x63000:], []byte{5, 0, 0, 0, 0xc3})             // add ebx, 5
		}, code: `mov ebx, 0
			mov ecx, 0x60ffe
			call ecx
			mov dword [pt+0x184], 0x63007
			invlpg [0x61000]
			call ecx
			` + done, state: "ebx=6"},
		{name: "another page under the same address", paging: true, setup: func(s *sysRig) {
			put32(s.ram, 0x60000, 0xc301c083)
			put32(s.ram, 0x61000, 0xc305c083)
		}, code: `mov eax, 0
			mov ecx, 0x60000
			call ecx
			mov dword [pt+0x180], 0x61007
			invlpg [0x60000]
			call ecx
			mov dword [pt+0x180], 0x60007
			mov edx, cr3
			mov cr3, edx
			call ecx
			` + done, state: "eax=7"},
		{name: "by DMA", want: "int20@b int20@b", code: `mov ebx, 0
			mov ecx, 2
			l: call f
			int 0x20
			b: loop l
			` + done + "f: add ebx, 1\nret", on: func(s *sysRig, e *sysEvent) bool {
			s.lock.Lock()
			s.space.WriteBytes(uint64(s.own["f"])+2, []byte{9})
			s.lock.Unlock()
			return true
		}, state: "ebx=10"},
		{name: "in a loop that stores next to itself", code: `mov ecx, 1000
			mov ebx, 0
			l: mov [near], ecx
			add ebx, [near]
			mov [far], ebx
			loop l
			` + done + "near: dd 0\norg 0x10800\nfar: dd 0", state: "ebx=500500 near=1 far=500500"},
		{name: "the operand size of a code segment", code: `call x
			mov ebx, eax
			call k16_cs:y
			` + done + "x: mov eax, 5\nret", code16: "y: o32 retf", state: "ebx=5"},
		{name: "16-bit and 32-bit code at one place", setup: func(s *sysRig) {
			s.desc(s.labels["k16_cs"], s.labels["code"], 0xffff, 0x9b)
			s.desc(s.labels["gate16"], s.labels["code"], 0xffff, 0x409b)
		}, code: "mov eax, -1\ncall gate16:x-code\nmov ebx, eax\nmov eax, -1\ncall k16_cs:x-code\n" + done +
			// MOV EAX,imm32; RETF, or MOV AX,imm16; MOV EDI,imm32; o32 RETF.
			"x: db 0xb8, 0x34, 0x12, 0x66, 0xbf, 0xcb, 0x90, 0x90, 0x90, 0x66, 0xcb",
			regs: func(s *x86.State) { s.GPR[7] = 0 }, state: "ebx=0xbf661234 eax=0xffff1234 edi=0x909090cb"},
	})
}

func TestRealMode(t *testing.T) {
	enter := "jmp k16_cs:r\n"
	runSysTests(t, []sysTest{
		{name: "unreal mode", code: "mov word [data], 0x3ff\nmov dword [data+2], 0\nlidt [data]\nmov dword [0x120000], 0x11\n" + enter, code16: `r: mov eax, cr0
			and al, 0xfe
			mov cr0, eax
			jmp 0x3000:s
			s: mov edi, 0x120000
			mov eax, [edi+0]
			mov bx, 0x4000
			mov ds, bx
			mov edi, 0xe0000
			mov ecx, [edi+0] ; DS:E0000 with base 40000, beyond 64 KiB
			mov bx, ds
			` + done, state: "eax=0x11 ecx=0x11 ebx=0x4000", regs: func(s *x86.State) { s.GPR[3] = 0 }},
		{name: "real-mode limits and wrap", code: "mov word [data], 0x3ff\nmov dword [data+2], 0\nlidt [data]\nmov eax, k16_ds\nmov ds, ax\nmov es, ax\nmov ss, ax\nmov fs, ax\nmov gs, ax\nmov esp, 0x1000\n" + enter,
			want: "GP@a GP@b SS@c SS@d", code16: `r: mov eax, cr0
			and al, 0xfe
			mov cr0, eax
			jmp 0x3000:s
			s: mov ax, 0x4000
			mov ds, ax
			mov es, ax
			mov ax, 0x5000
			mov ss, ax
			mov sp, 0
			mov bx, 0xfffe
			mov ax, [bx+0]
			mov bx, 0xffff
			mov al, [bx+0]
			a: mov ax, [bx+0]
			a_: mov edi, 0x10000
			b: mov al, [edi+0]
			b_: push 0x1234
			mov cx, sp
			pop ax
			mov dx, sp
			mov bp, 0xffff
			mov al, [bp+0]
			c: mov ax, [bp+0]
			c_: d: mov eax, [bp-2]
			d_: mov si, 0xffff
			lodsb
			` + done, state: "ecx=0xfffe edx=0 esi=0", regs: func(s *x86.State) { clear(s.GPR[:4]); s.GPR[6] = 0 },
			on: real16},
	})
}

// real16 lets a fault in real mode go on at its label's successor.
func real16(s *sysRig, e *sysEvent) bool {
	next, ok := s.own[s.label(e.ip)+"_"]
	if !ok {
		return false
	}
	s.ram[e.at], s.ram[e.at+1] = byte(next), byte(next>>8)
	return true
}
