package tcg_test

import (
	"strings"
	"testing"

	"rhea/internal/guest/x86"
)

// TestPrivilege runs each privileged instruction at level 3.
func TestPrivilege(t *testing.T) {
	var code strings.Builder
	code.WriteString(user("start") + "start: mov eax, u_ds\nmov ds, ax\nmov es, ax\nmov edi, data\nmov esi, data\n")
	var want []string
	for i, insn := range []string{
		"hlt", "cli", "sti", "clts", "wbinvd", "invd", "mov eax, cr0", "mov cr0, eax", "mov cr3, eax", "mov eax, cr2", "mov eax, cr4",
		"mov eax, dr0", "mov dr7, eax", "lgdt [data]", "lidt [data]", "lldt ax", "ltr ax", "lmsw ax", "invlpg [data]",
		"rdmsr", "wrmsr", "in al, 0x60", "out 0x60, al", "insb", "outsb", "sysexit",
	} {
		l := "x" + string(rune('a'+i))
		code.WriteString(l + ": " + insn + "\n" + l + "_:\n")
		want = append(want, "GP(0)@"+l)
	}
	// Those that are allowed.
	code.WriteString("pushf\npop eax\nsmsw ax\nsgdt [data]\nsidt [data]\nstr eax\nsldt eax\ncpuid\nrdtsc\n" + done)
	runSysTests(t, []sysTest{
		{name: "level 3", code: code.String(), want: strings.Join(want, " ")},
		{name: "level 3, IOPL 3", want: "GP(0)@a",
			code: "push u_ds\npush stack3\npush 0x3002\npush u_cs\npush b\niret\nb: cli\nsti\nin al, 0x60\ncli\na: hlt\na_:\n" + done},
		{name: "RSM outside SMM", code: "a: rsm\na_: " + done, want: "UD@a"},
		{name: "TSD", code: "mov eax, 4\nmov cr4, eax\nrdtsc\n" + user("b") + "b:\na: rdtsc\na_:" + done, want: "GP(0)@a"},
		{name: "POPF at level 3 keeps IF and IOPL", code: "sti\n" + user("b") + "b: push 0x3202\npopf\npushf\npop eax\n" + done, state: "eax=2"},
		{name: "I/O bitmap", want: "GP(0)@a GP(0)@b", setup: func(s *sysRig) {
			s.desc(s.labels["ts"], s.labels["tss"], 0x88, 0x8b)
			for i := range 0x20 {
				s.ram[int(s.labels["tss"])+0x68+i] = 0xff
			}
			s.ram[s.labels["tss"]+0x68+0x60/8] = 0xfc // 60 and 61
		}, regs: func(r *x86.State) { r.TR.Limit = 0x88 },
			code: user("u") + "u: in al, 0x60\nin ax, 0x60\nin al, 0x61\na: in al, 0x62\na_:\nb: in ax, 0x61\nb_:" + done},
		{name: "null and bad selectors", want: "GP(0)@a GP(0)@b GP(f8)@c GP(8)@d NP(a0)@e GP(10)@f int20@kernel SS(a0)@g GP(28)@h",
			code: `mov eax, 0
			mov fs, ax
			a: mov al, [fs:0]
			a_: b: mov ss, ax
			b_: mov eax, 0xf8
			mov edx, 0x100
			c: mov es, ax
			c_: mov eax, k_cs
			d: mov ss, ax
			d_: mov eax, np
			e: mov es, ax
			e_: ` + user("u") + `u: mov eax, k_ds
			f: mov es, ax
			f_: int 0x20
			kernel: mov eax, np
			g: mov ss, ax
			g_: mov eax, ts
			h: mov ds, ax
			h_:` + done,
			on: func(s *sysRig, e *sysEvent) bool {
				if e.vec == 0x20 { // go on at level 0
					put32(s.ram, e.at+4, s.labels["k_cs"])
					s.ram[s.labels["gdt"]+s.labels["np"]+5] = 0x13
					return true
				}
				return false
			}},
		{name: "limits", want: "GP(0)@a GP(0)@b GP(0)@c GP(0)@d GP(0)@e GP(0)@f",
			code: `mov eax, small
			mov es, ax
			mov al, [es:0xfff]
			a: mov al, [es:0x1000]
			a_: mov eax, [es:0xffc]
			b: mov eax, [es:0xffd]
			b_: mov eax, down
			mov es, ax
			mov al, [es:0x1000]
			mov eax, [es:data]
			c: mov al, [es:0xfff]
			c_: d: mov eax, [es:0xffe]
			d_: mov eax, down16
			mov es, ax
			mov eax, [es:0xfffc]
			e: mov eax, [es:0xfffd]
			e_: mov eax, ro
			mov es, ax
			mov eax, [es:0]
			f: mov [es:0], eax
			f_:` + done},
		{name: "stack limit", want: "SS(0)@a SS(0)@b SS(0)@c SS(0)@d",
			code: user("u") + `u: mov eax, small+3
			mov ss, ax
			mov esp, 0x1000
			push eax
			mov esp, 2
			a: push eax
			a_: mov esp, 0xffe
			b: pop eax
			b_: mov ebp, 0
			c: mov eax, [ebp+0x2000]
			c_: mov esp, 3
			d: call d
			d_: ` + done, regs: func(r *x86.State) { r.GPR[5] = 0 }},
	})
}
