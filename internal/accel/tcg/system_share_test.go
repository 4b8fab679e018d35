package tcg_test

import (
	"testing"

	"rhea/internal/guest/x86"
)

// Accesses a constant apart share what they look up; each must do what it does
// alone.
func TestAccessesNearEachOther(t *testing.T) {
	const loop = `mov ecx, 3000
		mov eax, 0
		mov ebx, 0
		l: mov [esp-16], ecx
		mov [esp-4], ecx
		add eax, [esp-16]
		add ebx, [esp-4]
		inc dword [esp-8]
		loop l
		`
	runSysTests(t, []sysTest{
		{name: "in a page", paging: true, code: "mov esp, 0x60800\nmov dword [esp-8], 0\n" + loop + "mov edx, [esp-8]\nmov esp, 0x40000\n" + done,
			state: "eax=4501500 ebx=4501500 edx=3000"},
		{name: "across pages", paging: true, code: "mov esp, 0x6100a\nmov dword [esp-8], 0\n" + loop + "mov edx, [esp-8]\nmov esp, 0x40000\n" + done,
			state: "eax=4501500 ebx=4501500 edx=3000"},
		{name: "across pages and one crosses itself", paging: true, code: "mov esp, 0x61006\nmov dword [esp-8], 0\n" + loop + "mov edx, [esp-8]\nmov esp, 0x40000\n" + done,
			state: "eax=4501500 ebx=4501500 edx=3000"},
		{name: "the second page is absent", paging: true, setup: absent(0x61000), on: mapIn, want: "PF(2)[61004]@b PF(0)[61008]@c",
			code: `mov edi, 0x61000
			mov eax, 5
			a: mov [edi-8], eax
			inc eax
			b: mov [edi+4], eax
			inc eax
			mov esi, [edi-8]
			add esi, [edi+4]
			mov edx, edi
			push 0x61000
			` + "pop ebx\nmov dword [pt+0x184], 0\nmov ecx, cr3\nmov cr3, ecx\nmov ecx, [ebx-8]\nc: add ecx, [ebx+8]\n" + done,
			state: "eax=7 esi=11 ecx=5 0x60ff8=5 0x61004=6"},
		{name: "a page that cannot be written", paging: true, setup: pages, want: "PF(7)[52008]@b",
			code: user("u") + `u: mov eax, u_ds
			mov ds, ax
			mov edi, 0x52000
			mov eax, [edi]
			mov ebx, [edi+4]
			b: mov [edi+8], eax
			b_: mov edx, [edi+12]
			mov esi, 1
			` + done, state: "esi=1 0x52008=0"},
		{name: "a store next to the data changes the unit", code: `mov ecx, 3
			mov edi, near
			l: mov eax, [edi]
			add [edi+4], eax
			mov [edi+9], ecx      ; the operand of the MOV below
			jmp x
			near: dd 5, 0
			x: mov ebx, 0         ; near+8: its operand is at near+9
			add edx, ebx
			loop l
			mov esi, [near+4]
			` + done, regs: func(s *x86.State) { s.GPR[2] = 0 }, state: "edx=6 esi=15"},
	})
}
