package tcg_test

import (
	"testing"

	"rhea/internal/guest/x86"
)

// user16 enters 16-bit code at level 3, at a label of code16.
func user16(label string) string {
	return "push u_ds\npush stack3\npush 2\npush u16_cs\npush " + label + "\niret\n"
}

// v86 enters virtual-8086 mode at 3000:label with further flags.
func v86(label, flags string) string {
	return "push 0x10\npush 0x20\npush 0x4000\npush 0x5000\npush 0x3000\npush 0xff00\npush 0x20002+" + flags + "\npush 0x3000\npush " + label + "\niret\n"
}

func TestGates(t *testing.T) {
	gate := func(at, sel, label string, access, params uint32) func(s *sysRig) {
		return func(s *sysRig) {
			s.gateAt(s.labels["gdt"]+s.labels[at], s.labels[sel], s.labels[label], access, params)
		}
	}
	runSysTests(t, []sysTest{
		{name: "call gate with parameters", setup: gate("gate", "k_cs", "target", 0xec, 2),
			code: user("u") + `u: push 0x11111111
				push 0x22222222
				call gate+3:0
				back: mov ebx, esp
				mov edi, cs
				` + done + `
				target: mov eax, [esp+8]
				mov ecx, [esp+12]
				mov edx, [esp+16]
				mov ebp, [esp+4]
				mov esi, cs
				retf 8`,
			state: "eax=0x22222222 ecx=0x11111111 edx=stack3-8 ebx=stack3 esi=8 ebp=u_cs edi=u_cs"},
		{name: "16-bit call gate", setup: gate("gate16", "k16_cs", "target", 0xe4, 2),
			code: user16("u"), code16: `u: push 0x1234
				push 0x5678
				call gate16+3:0
				mov ebx, esp
				mov di, cs
				` + done + `
				target: mov ax, [esp+4]
				mov cx, [esp+6]
				mov dx, [esp+8]
				mov si, cs
				retf 4`,
			regs:  func(s *x86.State) { clear(s.GPR[:4]); s.GPR[6], s.GPR[7] = 0, 0 },
			state: "eax=0x5678 ecx=0x1234 edx=0x7ffc esi=k16_cs edi=u16_cs ebx=0x8000"},
		{name: "call gate at the same level", setup: gate("gate", "k_cs", "target", 0x8c, 2),
			code:  "push 7\ncall gate:0\nmov ebx, esp\n" + done + "target: mov eax, [esp+8]\nretf 4", // parameters are not copied
			state: "eax=7 ebx=stack0"},
		{name: "JMP through a gate", setup: gate("gate", "k_cs", "target", 0x8c, 0),
			code: "jmp gate:0x1234\n" + done + "target: mov eax, 9\n" + done, state: "eax=9"},
		{name: "gate checks", want: "GP(70)@a GP(70)@b NP(70)@c GP(10)@d",
			setup: gate("gate", "k_cs", "target", 0x8c, 0),
			code: user("u") + `u: a: call gate+3:0
				a_: mov eax, 1
				b: jmp gate+3:0
				b_: c: call gate+3:0
				c_: d: call gate+3:0
				d_: ` + done + "target: nop",
			on: func(s *sysRig, e *sysEvent) bool {
				switch s.label(e.ip) {
				case "b":
					gate("gate", "k_cs", "target", 0x6c, 0)(s)
				case "c":
					gate("gate", "k_ds", "target", 0xec, 0)(s)
				}
				return false
			},
		},
		{name: "interrupt to level 1 and 2", code: user("u") + "u: int 0x21\nint 0x22\n" + done + "one: mov eax, cs\nmov ebx, ss\niret\ntwo: mov ecx, cs\nmov edx, esp\niret\n",
			setup: func(s *sysRig) {
				s.idtGate(0x21, s.labels["r1_cs"], s.labels["one"], 0xee)
				s.idtGate(0x22, s.labels["r2_cs"], s.labels["two"], 0xee)
			}, state: "eax=r1_cs ebx=r1_ds ecx=r2_cs edx=stack2-0x414"},
		{name: "interrupt and trap gates and IF", code: "sti\nint 0x21\nint 0x22\npushf\npop edx\ncli\n" + done + "one: pushf\npop eax\niret\ntwo: pushf\npop ecx\niret\n",
			setup: func(s *sysRig) {
				s.idtGate(0x21, s.labels["k_cs"], s.labels["one"], 0xee)
				s.idtGate(0x22, s.labels["k_cs"], s.labels["two"], 0xef)
			}, state: "eax=2 ecx=0x202 edx=0x202"},
		{name: "16-bit interrupt gate", code: user16("u"), code16: "u: int 0x21\nback: " + done + "h: mov ax, [esp+0]\nmov bx, [esp+2]\nmov cx, [esp+4]\nmov dx, [esp+6]\niret",
			setup: func(s *sysRig) { s.idtGate(0x21, s.labels["k16_cs"], s.labels["h"], 0xe6) },
			regs:  func(s *x86.State) { clear(s.GPR[:4]) }, state: "eax=back ebx=u16_cs ecx=2 edx=0x8000"},
		{name: "conforming code", code: user("u") + "u: call conf+3:c\nmov ebx, cs\n" + done + "c: mov eax, cs\nretf", state: "eax=conf+3 ebx=u_cs"},
		{name: "software interrupts and the gate's DPL", want: "GP(102)@a BP@b int21@c OF@d",
			setup: func(s *sysRig) { s.ram[s.labels["idt"]+8*0x20+5] = 0x8e },
			code: user("u") + `u: a: int 0x20
				a_: int3
				b: add esp, 0
				int 0x21
				c: mov al, 0x7f
				add al, 1
				into
				d: ` + done,
		},
		{name: "IDT limit and absent gates", want: "GP(402)@a NP(10a)@b GP(112)@c",
			setup: func(s *sysRig) {
				s.ram[s.labels["idt"]+8*0x21+5] = 0x6e
				s.ram[s.labels["idt"]+8*0x22+5] = 0xec // not a gate for interrupts
			},
			code: "a: int 0x80\na_: b: int 0x21\nb_: c: int 0x22\nc_: " + done},
		{name: "RETF to level 3 drops segments", code: `mov eax, u_ds
				mov es, ax
				mov eax, conf
				mov fs, ax
				push u_ds
				push stack3
				push u_cs
				push u
				retf
				u: mov eax, ds
				mov ebx, es
				mov ecx, fs
				mov edx, esp
				` + done, state: "eax=0 ebx=u_ds ecx=conf edx=stack3"},
		{name: "far returns' checks", want: "GP(8)@a GP(0)@b GP(10)@c",
			code: user("u") + `u: push k_cs
				push u
				a: retf
				a_: push 0
				push u
				b: retf
				b_: push k_ds
				push u
				c: iret
				c_: ` + done},
		{name: "LDT", setup: func(s *sysRig) {
			copy(s.ram[s.labels["ldt"]+8:], s.ram[s.labels["gdt"]+s.labels["u_ds"]&^7:][:8])
		}, want: "GP(fc)@a", code: "mov eax, 0xc\nmov es, ax\nmov ebx, es\nmov eax, 0xfc\na: mov fs, ax\na_: " + done, state: "ebx=0xc"},
		{name: "SYSENTER and SYSEXIT", code: `mov ecx, 0x174
				mov eax, k_cs
				mov edx, 0
				wrmsr
				mov ecx, 0x175
				mov eax, stack1
				wrmsr
				mov ecx, 0x176
				mov eax, k
				wrmsr
				` + user("u") + `u: sysenter
				k: mov esi, cs
				mov edi, esp
				mov ecx, stack3-0x20
				mov edx, back
				sysexit
				back: mov eax, cs
				mov ebx, esp
				` + done, state: "esi=k_cs edi=stack1 eax=u_cs ebx=stack3-0x20"},
		{name: "BOUND, INT1, division", want: "BR@a DB(0)@b DE@c DE@d",
			setup: func(s *sysRig) { put32(s.ram, int(s.labels["data"]), 5); put32(s.ram, int(s.labels["data"])+4, 10) },
			code: `mov eax, 5
				bound eax, [data]
				mov eax, 10
				bound eax, [data]
				mov eax, 11
				a: bound eax, [data]
				a_: int1
				b: mov ecx, 0
				c: div ecx
				c_: mov eax, 0
				mov edx, 0x80000000
				mov ecx, -1
				d: idiv ecx
				d_: ` + done},
		{name: "device not available", want: "NM@a NM@b", code: `mov eax, cr0
				or eax, 8
				mov cr0, eax
				a: fnop
				a_: clts
				mov eax, cr0
				or eax, 4
				mov cr0, eax
				b: fnop
				b_: ` + done},
		{name: "undefined", want: "UD@a UD@b UD@c UD@d", code: `a: ud2
				a_: b: lock mov [data], eax
				b_: c: db 0xf0, 0x01, 0xc0
				c_: d: db 0x8c, 0xf8
				d_: ` + done},
		{name: "15 bytes are the limit", want: "GP(0)@a",
			code: "db 0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x90\n" +
				"a: db 0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x26,0x90\na_: " + done},
	})
}

func TestTasks(t *testing.T) {
	task := func(s *sysRig) {
		s.task(s.labels["tssb"], s.labels["b"], s.labels["stackb"], s.labels["k_cs"], s.labels["k_ds"], 0)
	}
	runSysTests(t, []sysTest{
		{name: "CALL and IRET", setup: task, code: `mov eax, 1
			mov ecx, 2
			call tsb:0
			back: mov ebx, cr0
			mov esi, esp
			` + done + `
			b: pushf
			pop ebx
			mov [data], ebx
			str ebx
			mov [data+4], ebx
			mov [data+8], eax
			mov eax, 77
			iret`,
			state: "eax=1 ecx=2 ebx=0x19 esi=stack0 data=0x4002 data+4=tsb data+8=0 tssb=ts gdt+tsb+4=0xe900 gdt+ts+4=0x8b00 tssb+0x28=77 tssb+0x24=2 tss+0x24=2 tss+0x20=back"},
		{name: "JMP to and fro", setup: task, code: `jmp tsb:0
			back: str eax
			` + done + `
			b: pushf
			pop ebx
			mov [data], ebx
			jmp ts:0`, state: "eax=ts data=2 gdt+tsb+4=0xe900 gdt+ts+4=0x8b00 tss+0x20=back"},
		{name: "a busy task", want: "GP(28)@a GP(28)@c", setup: task, code: "a: jmp ts:0\na_: c: call ts:0\nc_:" + done},
		{name: "interrupt through a task gate", setup: func(s *sysRig) {
			task(s)
			s.idtGate(0x21, s.labels["tsb"], 0, 0xe5)
		}, code: user("u") + "u: mov eax, 5\nint 0x21\nback: mov ebx, cs\n" + done + "b: mov ecx, 9\nmov [data], ecx\niret\n", state: "eax=5 ebx=u_cs data=9 tssb=ts tss+0x20=back"},
		{name: "exception through a task gate", setup: func(s *sysRig) {
			task(s)
			s.idtGate(13, s.labels["tsb"], 0, 0xe5)
		}, code: user("u") + "u: mov eax, 5\na: hlt\na_: " + done + "b: pop ebx\nmov ecx, a_\nmov [tss+0x20], ecx\nmov [data], esp\nmov [data+4], ebx\niret\n",
			state: "eax=5 data=stackb data+4=0"},
		{name: "task gate in the GDT", setup: func(s *sysRig) {
			task(s)
			s.gateAt(s.labels["gdt"]+s.labels["tgate"], s.labels["tsb"], 0, 0xe5, 0)
		}, code: user("u") + "u: call tgate+3:0\nmov ebx, cs\n" + done + "b: mov eax, cs\nmov [data], eax\niret", state: "data=k_cs ebx=u_cs"},
		{name: "bad segment of a new task", want: "TS(28)@b", setup: func(s *sysRig) {
			task(s)
			put32(s.ram, int(s.labels["tssb"])+0x48+12, s.labels["ts"])
		}, code: "call tsb:0\n" + done + "b: nop\n"},
		{name: "absent segment of a new task", want: "NP(a0)@b", setup: func(s *sysRig) {
			task(s)
			put32(s.ram, int(s.labels["tssb"])+0x48, s.labels["np"])
		}, code: "jmp tsb:0\n" + done + "b: nop\n"},
		{name: "a TSS that is too short", want: "TS(30)@a", setup: func(s *sysRig) {
			task(s)
			s.desc(s.labels["tsb"], s.labels["tssb"], 0x66, 0xe9)
		}, code: "a: jmp tsb:0\na_: " + done + "b: nop\n"},
		{name: "debug trap of a new task", want: "DB(8000)@b", setup: func(s *sysRig) {
			task(s)
			s.ram[s.labels["tssb"]+0x64] = 1
		}, code: "jmp tsb:0\n" + "b: " + done},
		{name: "a task of another address space", paging: true, setup: func(s *sysRig) {
			task(s)
			// Its page directory maps the page of data elsewhere.
			copy(s.ram[0x3000:], s.ram[0x2000:0x3000])
			put32(s.ram, 0x4000, 0x3007)
			put32(s.ram, 0x3000+0x40*4, 0x50007)
			put32(s.ram, int(s.labels["tssb"])+0x1c, 0x4000)
		}, code: "mov eax, 1\nmov [data], eax\ncall tsb:0\nmov ebx, [data]\nmov ecx, cr3\n" + done + "b: mov eax, 2\nmov [data], eax\niret",
			state: "ebx=1 ecx=pgdir data=1 0x50000=2"},
		{name: "16-bit task", setup: func(s *sysRig) {
			b := s.ram[s.labels["tss16"]:]
			put16 := func(at int, v uint32) { b[at], b[at+1] = byte(v), byte(v>>8) }
			put16(0x0e, s.labels["b"])
			put16(0x10, 2)
			put16(0x12, 0x1234)
			put16(0x1a, 0x8000)
			for i, sel := range []string{"k_ds", "k16_cs", "k_ds", "k_ds"} {
				put16(0x22+2*i, s.labels[sel])
			}
		}, code: "mov eax, 5\ncall ts16:0\nback: mov ebx, esp\n" + done, code16: "b: mov [0x7ffc], ax\niret",
			state: "eax=5 ebx=stack0 0x7ffc=0x1234 tss16=0x28"},
		{name: "IRET to a task that is gone", want: "TS(f8)@a", setup: func(s *sysRig) { put32(s.ram, int(s.labels["tss"]), 0xf8) },
			code: "push 0x4002\npopf\na: iret\na_: push 2\npopf\n" + done},
		{name: "double fault", want: "DF(0)@a", setup: func(s *sysRig) { s.ram[s.labels["idt"]+8*13+5] = 0x6e }, code: "mov eax, 0xf8\na: mov ds, ax\na_: " + done},
		{name: "double fault through a task gate", paging: true, want: "int20@x", setup: func(s *sysRig) {
			s.task(s.labels["tssdf"], s.labels["b"], s.labels["stackb"], s.labels["k_cs"], s.labels["k_ds"], 0)
			s.idtGate(8, s.labels["tsdf"], 0, 0x85)
			put32(s.ram, int(s.labels["tss"])+4, 0x1000000)
		}, code: user("u") + "u: int3\nb: pop eax\nint 0x20\nx: mov ebx, [tss+0x20]\nmov ecx, cr2\n" + done,
			state: "eax=0 ebx=u ecx=0xfffffc"},
		{name: "triple fault", want: "shutdown", code: "mov eax, 0\nmov [data], eax\nmov [data+4], eax\nlidt [data]\nint3\n" + done},
		{name: "triple fault by page faults", paging: true, want: "shutdown", code: "mov esp, 0x1000000\npush eax\n" + done},
	})
}

func TestV86(t *testing.T) {
	vme := func(redirect ...int) func(s *sysRig) {
		return func(s *sysRig) {
			at := int(s.labels["tss"])
			s.desc(s.labels["ts"], s.labels["tss"], 0x8f, 0x8b)
			put32(s.ram, at+0x64, 0x88<<16)
			for i := range 0x28 {
				s.ram[at+0x68+i] = 0xff
			}
			for _, v := range redirect {
				s.ram[at+0x68+v/8] &^= 1 << (v % 8)
			}
		}
	}
	limit := func(s *x86.State) { s.TR.Limit = 0x8f }
	on := "mov eax, 1\nmov cr4, eax\n"
	runSysTests(t, []sysTest{
		{name: "segments and frame", code: v86("v", "0x3000"), want: "int20@w", code16: `v: mov ax, ds
			mov bx, es
			mov cx, fs
			mov dx, ss
			mov byte [0x10], 0x55
			int 0x20
			w: ` + done, state: "eax=0x4000 ebx=0x5000 ecx=0x20 edx=0x3000 data+0x10=0x55",
			regs: func(s *x86.State) { s.GPR[1], s.GPR[2], s.GPR[3] = 0, 0, 0 },
			on: func(s *sysRig, e *sysEvent) bool {
				if e.flags&0x20000 == 0 || e.cs != 0x3000 || e.sp != 0xff00 || get32(s.ram, e.at+16) != 0x3000 ||
					get32(s.ram, e.at+20) != 0x5000 || get32(s.ram, e.at+24) != 0x4000 || get32(s.ram, e.at+28) != 0x20 || get32(s.ram, e.at+32) != 0x10 {
					s.t.Errorf("frame %x", s.ram[e.at:e.at+36])
				}
				if r := s.cpu.Registers(); r.Seg[x86.DS].Sel != 0 || r.Seg[x86.GS].Sel != 0 {
					s.t.Error("segments are not null in the handler")
				}
				return true
			}},
		{name: "IOPL 0", code: v86("v", "0"), want: "GP(0)@a GP(0)@b GP(0)@c GP(0)@d GP(0)@e GP(0)@f GP(0)@g BP@h UD@i UD@j GP(0)@k",
			code16: `v: a: cli
			a_: b: sti
			b_: c: pushf
			c_: d: popf
			d_: e: int 0x20
			e_: f: iret
			f_: g: hlt
			g_: int3
			h: nop
			i: lldt ax
			i_: j: arpl ax, bx
			j_: k: in al, 0x60`},
		{name: "a limit", code: v86("v", "0x3000"), want: "GP(0)@a SS(0)@b", code16: `v: mov ax, [0xfffe]
			a: mov ax, [0xffff]
			a_: mov bp, 0xffff
			b: mov ax, [bp+0]
			b_: ` + done},
		{name: "VME: INT to the program's own handler", setup: vme(0x21), regs: limit, code: on + v86("v", "0x200"), want: "GP(0)@a",
			code16: `v: mov bx, 0x21
			shl bx, 2
			mov ax, 0
			mov ds, ax
			mov word [0x84], h
			mov ax, 0x3000
			mov [0x86], ax
			mov ax, 0x1111
			int 0x21
			mov dx, 0x2222
			a: int 0x22
			h: mov cx, ss
			mov si, sp
			pushf
			pop di
			iret`, state: "eax=0x1111 edx=0x2222 ecx=0x3000 esi=0xfefa",
		},
		{name: "VME: virtual interrupt flag", setup: vme(), regs: limit, code: on + v86("v", "0"), want: "GP(0)@h", code16: `v: sti
			pushf
			pop ax
			cli
			pushf
			pop bx
			push ax
			popf
			pushf
			pop cx
			h: hlt`, state: "eax=0x3202 ebx=0x3002 ecx=0x3202"},
		{name: "VME: pending virtual interrupt", setup: vme(), regs: limit, code: on + v86("v", "0x100000"), want: "GP(0)@a", code16: "v: cli\na: sti\nhlt"},
		{name: "an exception goes to level 0 and back", code: v86("v", "0x3000"), want: "DE@a", code16: "v: mov cx, 0\na: div cx\na_: mov ax, 3\n" + done, state: "eax=3"},
	})
}
