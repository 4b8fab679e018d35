package tcg_test

import (
	"testing"

	"rhea/internal/guest/x86"
)

// Pages with special rights in the tests of paging.
const (
	pgAbsent = 0x50000 // and the one after
	pgRO     = 0x52000 // user, read-only
	pgKernel = 0x53000
)

// pte sets the entry of a page.
func (s *sysRig) pte(lin, v uint32) { put32(s.ram, int(s.labels["pt"]+lin>>12*4), v) }

func pages(s *sysRig) {
	for n, v := range map[string]uint32{"absent": pgAbsent, "rdonly": pgRO, "kernel": pgKernel} {
		s.labels[n] = v
	}
	s.pte(pgAbsent, 0)
	s.pte(pgAbsent+0x1000, 0)
	s.pte(pgRO, pgRO|5)
	s.pte(pgKernel, pgKernel|3)
}

// mapIn answers each page fault by mapping the page, and goes on.
func mapIn(s *sysRig, e *sysEvent) bool {
	if e.vec != 14 {
		return false
	}
	at := uint32(s.cpu.Registers().CR2) &^ 0xfff
	s.pte(at, at|7)
	return true
}

// absent removes a page from the page table.
func absent(lin ...uint32) func(s *sysRig) {
	return func(s *sysRig) {
		pages(s)
		for _, l := range lin {
			s.pte(l, 0)
		}
	}
}

func TestPaging(t *testing.T) {
	runSysTests(t, []sysTest{
		{name: "error codes", paging: true, setup: pages, want: "PF(0)[50004]@a PF(2)[50008]@b PF(3)[52000]@c PF(2)[50000]@d PF(2)[50001]@e " +
			"PF(4)[50004]@f PF(6)[50008]@g PF(7)[52000]@h PF(5)[53000]@i PF(7)[53000]@j PF(7)[52000]@k PF(4)[50000]@50000 PF(5)[53000]@53000",
			code: `a: mov eax, [0x50004]
				a_: b: mov [0x50008], eax
				b_: mov eax, [0x52000]
				c: mov [0x52000], eax
				c_: d: inc byte [0x50000]
				d_: e: xchg [0x50001], al
				e_: ` + user("u") + `u: mov eax, u_ds
				mov ds, ax
				f: mov eax, [0x50004]
				f_: g: mov [0x50008], eax
				g_: mov eax, [0x52000]
				h: mov [0x52000], eax
				h_: i: mov eax, [0x53000]
				i_: j: mov [0x53000], eax
				j_: mov ecx, 5
				mov eax, 6
				k: lock cmpxchg [0x52000], ecx ; written even if it does not match
				k_: mov eax, 0x50000
				l: jmp eax
				l_: mov eax, 0x53000
				m: jmp eax
				m_: ` + done,
			on: func(s *sysRig, e *sysEvent) bool {
				if e.vec == 14 && s.label(e.ip) != e.text { // a fetch: back to the jump
					switch e.ip {
					case pgAbsent:
						put32(s.ram, e.at, s.own["l_"])
					case pgKernel:
						put32(s.ram, e.at, s.own["m_"])
					default:
						return false
					}
					return true
				}
				return false
			}},
		{name: "CR0.WP", paging: true, setup: pages, regs: func(s *x86.State) { s.CR0 &^= 1 << 16 }, code: "mov eax, 7\nmov [0x52000], eax\n" + done, state: "0x52000=7"},
		{name: "accessed and dirty", paging: true, setup: pages, code: `mov eax, [0x60000]
			mov [0x61004], eax
			mov eax, [0x62000]
			mov [0x62000], eax
			inc dword [0x63000]
			` + done, state: "pt+0x180=0x60027 pt+0x184=0x61067 pt+0x188=0x62067 pt+0x18c=0x63067 pt+0x190=0x64007 pgdir=0x2027"},
		{name: "an access across pages does nothing before it faults", paging: true, setup: pages, want: "PF(2)[50000]@a PF(0)[50000]@b PF(2)[50000]@c",
			code: `mov eax, 0x11223344
			a: mov [0x4fffe], eax
			a_: b: mov ecx, [0x4ffff]
			b_: c: add [0x4fffd], eax
			c_: ` + done, state: "0x4fffc=0 0x4fff8=0"},
		{name: "restart of read-modify-write", paging: true, setup: pages, on: mapIn, want: "PF(2)[50000]@a PF(2)[51000]@b",
			code: `a: inc dword [0x50000]
			b: add dword [0x50fff], 5
			` + done, state: "0x50000=1 0x50fff=5"},
		{name: "restart of pushes", paging: true, setup: absent(0x60000, 0x5f000, 0x5e000), on: mapIn, want: "PF(6)[60ffc]@a PF(6)[5ffff]@b PF(6)[5effc]@c",
			code: user("u") + `u: mov esp, 0x61000
				mov eax, 5
				a: push eax
				mov ecx, esp
				mov esp, 0x60003
				b: call f
				f: mov edx, esp
				mov esp, 0x5f010
				mov edi, 0x22
				c: pusha
				mov esi, esp
				` + done,
			state: "0x60ffc=5 ecx=0x60ffc edx=0x5ffff 0x5ffff=f esi=0x5eff0 0x5eff0=0x22 0x5f00c=5"},
		{name: "restart of ENTER and of POP to memory", paging: true, setup: absent(0x60000, 0x5f000, 0x62000), on: mapIn, want: "PF(6)[60fec]@a PF(6)[5fff4]@b PF(6)[62000]@c",
			code: user("u") + `u: mov eax, u_ds
				mov ds, ax
				mov esp, 0x60ff0
				mov ebp, 0x1234
				a: push 9
				mov ebp, 0x4321
				b: enter 0xff4, 0
				mov ecx, ebp
				mov edx, esp
				leave
				mov ebx, 0x62000
				c: pop dword [ebx+0]
				mov esi, esp
				` + done, state: "ecx=0x60fe8 edx=0x5fff4 ebp=0x4321 esi=0x60ff0 0x62000=9"},
		{name: "a string instruction stops where it faults", paging: true, setup: absent(0x71000), on: func(s *sysRig, e *sysEvent) bool {
			if r := s.cpu.Registers(); r.GPR[1] != 0x800 || r.GPR[6] != 0x60800 || r.GPR[7] != 0x71000 {
				s.t.Errorf("ecx %x esi %x edi %x", r.GPR[1], r.GPR[6], r.GPR[7])
			}
			return mapIn(s, e)
		}, want: "PF(2)[71000]@a", code: `mov edi, 0x60000
			mov ecx, 0x400
			mov eax, 0x03020100
			f: stosd
			inc eax
			loop f
			mov esi, 0x60000
			mov edi, 0x70800
			mov ecx, 0x1000
			a: rep movsb
			` + done, state: "ecx=0 esi=0x61000 edi=0x71800 0x70800=0x03020100 0x70ffc=0x030202ff 0x71000=0x03020300 0x717fc=0x030204ff"},
		{name: "string instructions that go down, and across", paging: true, setup: absent(0x60000), on: func(s *sysRig, e *sysEvent) bool {
			if r := s.cpu.Registers(); r.GPR[1] != 3 || r.GPR[7] != 0x60fff {
				s.t.Errorf("ecx %x edi %x", r.GPR[1], r.GPR[7])
			}
			return mapIn(s, e)
		}, want: "PF(2)[60fff]@a", code: "std\nmov edi, 0x61007\nmov ecx, 5\nmov eax, 0x01020304\na: rep stosd\ncld\n" + done,
			state: "ecx=0 edi=0x60ff3 0x61003=0x01020304 0x60fff=0x01020304 0x60ff7=0x01020304"},
		{name: "REP CMPS and SCAS fault in the middle", paging: true, setup: absent(0x60000), on: func(s *sysRig, e *sysEvent) bool {
			if r := s.cpu.Registers(); r.GPR[1] != 6 || r.GPR[7] != 0x60000 {
				s.t.Errorf("ecx %x edi %x", r.GPR[1], r.GPR[7])
			}
			return mapIn(s, e)
		}, want: "PF(0)[60000]@a", code: "mov edi, 0x5fffc\nmov ecx, 10\nmov eax, 0\na: repe scasb\npushf\npop ebx\n" + done, state: "ecx=0 edi=0x60006 ebx=0x46"},
		{name: "an instruction across pages", paging: true, setup: func(s *sysRig) {
			put32(s.ram, 0x60ffd, 0x223344b8) // mov eax, imm32
			copy(s.ram[0x61000:], []byte{0x22, 0x11, 0xff, 0xe3})
			s.ram[0x60ffd], s.ram[0x60ffe], s.ram[0x60fff] = 0xb8, 0x44, 0x33
			s.pte(0x61000, 0)
		}, on: mapIn, want: "PF(0)[61000]@60ffd", code: "mov ebx, b\nmov ecx, 0x60ffd\njmp ecx\nb: " + done, state: "eax=0x11223344"},
		{name: "an instruction that ends a page before an absent one", paging: true, setup: func(s *sysRig) {
			copy(s.ram[0x60ffe:], []byte{0xff, 0xe3}) // jmp ebx
			s.pte(0x61000, 0)
		}, code: "mov ebx, b\nmov ecx, 0x60ffe\njmp ecx\nb: " + done},
		{name: "INVLPG and CR3", paging: true, code: `mov dword [0x60000], 1
			mov dword [0x61000], 2
			mov eax, [0x60000]
			mov dword [pt+0x180], 0x61007
			invlpg [0x60000]
			mov ebx, [0x60000]
			mov dword [pt+0x180], 0x62007
			mov ecx, cr3
			mov cr3, ecx
			mov ecx, [0x60000]
			` + done, state: "eax=1 ebx=2 ecx=0"},
		{name: "large pages", paging: true, setup: func(s *sysRig) {
			put32(s.ram, int(s.labels["pgdir"])+4, 0x83)     // 400000: the first 4 MiB, level 0
			put32(s.ram, int(s.labels["pgdir"])+8, 0x200083) // reserved bit
		}, regs: func(s *x86.State) { s.CR4 = 0x10 }, want: "PF(9)[800000]@a PF(5)[400000]@b",
			code:  "mov dword [0x460000], 5\nmov eax, [0x60000]\na: mov ebx, [0x800000]\na_: " + user("u") + "u: mov ecx, u_ds\nmov ds, cx\nb: mov ebx, [0x400000]\nb_:" + done,
			state: "eax=5 pgdir+4=0xe3"},
		{name: "no-execute", paging: true, setup: func(s *sysRig) {
			// PAE: PDPT at 4000, directory at 5000, tables at 3000 (0-2 MiB).
			put32(s.ram, 0x4000, 0x5001)
			put32(s.ram, 0x5000, 0x3007)
			for i := range 512 {
				put32(s.ram, 0x3000+8*i, uint32(i)<<12|7)
			}
			put32(s.ram, 0x3000+8*0x60+4, 1<<31)
			put32(s.ram, 0x3000+8*0x61, 0)
			s.ram[0x60000] = 0xc3
		}, regs: func(s *x86.State) { s.CR0 &^= 1 << 31; s.CR3 = 0x4000 },
			code: `mov eax, 0x20
			mov cr4, eax
			mov ecx, 0xc0000080
			mov eax, 0x800
			mov edx, 0
			wrmsr
			mov eax, cr0
			or eax, 0x80000000
			mov cr0, eax
			mov ebx, [0x60000]
			mov eax, 0x60000
			call eax
			a: mov eax, 0x61000
			call eax
			b: ` + done, want: "PF(11)[60000]@60000 PF(10)[61000]@61000",
			on: func(s *sysRig, e *sysEvent) bool {
				put32(s.ram, e.at, s.own[map[uint32]string{0x60000: "a", 0x61000: "b"}[e.ip]])
				return true
			}},
		{name: "page fault of a descriptor table", paging: true, setup: absent(0x60000), regs: func(s *x86.State) { s.LDTR.Base = 0x60000 },
			on: func(s *sysRig, e *sysEvent) bool {
				copy(s.ram[0x60008:], s.ram[s.labels["gdt"]+s.labels["k_ds"]:][:8])
				return mapIn(s, e)
			}, want: "PF(0)[60008]@a", code: "mov eax, 0xc\na: mov es, ax\nmov ebx, es\n" + done, state: "ebx=0xc"},
		{name: "a page fault of the processor at level 3 is a kernel's", paging: true, setup: absent(0x60000), regs: func(s *x86.State) { s.LDTR.Base = 0x60000 },
			on: func(s *sysRig, e *sysEvent) bool {
				copy(s.ram[0x60008:], s.ram[s.labels["gdt"]+s.labels["u_ds"]&^7:][:8])
				s.ram[0x60008+5] &^= 1
				return mapIn(s, e)
			}, want: "PF(0)[60008]@a", code: user("u") + "u: mov eax, 0xf\na: mov es, ax\nmov ebx, es\n" + done, state: "ebx=0xf 0x6000c=0xcff300"},
	})
}

func TestA20(t *testing.T) { eachEngine(t, testA20) }

func testA20(t *testing.T) {
	runSysTests(t, []sysTest{{name: "wrap", want: "int20@a int21@b", code: `mov dword [0x100200], 1
		int 0x20
		a: mov dword [0x100204], 2
		mov eax, [0x100200]
		mov ebx, [0x300204]
		int 0x21
		b: mov ecx, [0x100200]
		` + done, on: func(s *sysRig, e *sysEvent) bool {
		s.cpu.SetA20(e.vec != 0x20)
		return true
	}, state: "0x204=2 ecx=1 eax=handlers-handlers"}})
}
