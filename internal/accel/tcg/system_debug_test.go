package tcg_test

import (
	"testing"

	"rhea/internal/guest/x86"
)

const (
	tfOn  = "pushf\nor dword [esp], 0x100\npopf\n"
	tfOff = "pushf\nt1: and dword [esp], 0xfffffeff\nt2: popf\nt3:\n"
)

// resume sets RF in what a breakpoint's handler returns to.
func resume(s *sysRig, e *sysEvent) bool {
	if e.vec == 1 {
		put32(s.ram, e.at+8, e.flags|0x10000)
	}
	return e.vec == 1
}

// breakpoint arms one: dr7 is the whole of DR7.
func breakpoint(n, label, dr7 string) string {
	return "mov eax, " + label + "\nmov dr" + n + ", eax\nmov eax, " + dr7 + "\nmov dr7, eax\n"
}

func TestDebugPrograms(t *testing.T) {
	de := func(s *x86.State) { s.CR4 = 8 }
	runSysTests(t, []sysTest{
		{name: "single step", code: tfOn + "mov eax, 1\na: inc eax\nb: jmp c\nc: nop\nd:" + tfOff + done,
			want: "DB(4000)@a DB(4000)@b DB(4000)@c DB(4000)@d DB(4000)@t1 DB(4000)@t2 DB(4000)@t3", state: "eax=2"},
		{name: "single step over REP", code: "mov esi, data\nmov edi, data+0x100\nmov ecx, 3\n" + tfOn + "a: rep movsb\nb: nop\nc: mov ecx, 0\nd: rep movsb\ne: mov ecx, 2\nff: mov al, 1\nf: repne scasb\ng: " + tfOff + done,
			want: "DB(4000)@a DB(4000)@a DB(4000)@b DB(4000)@c DB(4000)@d DB(4000)@e DB(4000)@ff DB(4000)@f DB(4000)@f DB(4000)@g DB(4000)@t1 DB(4000)@t2 DB(4000)@t3"},
		{name: "single step over loads of SS, STI and INT", code: "mov ebx, ss\n" + tfOn + `nop
			a: mov ss, bx
			b: nop
			c: push ss
			d: pop ss
			e: inc ecx
			f: sti
			g: cli
			h: int 0x20
			i: nop
			j: ` + tfOff + done,
			want: "DB(4000)@a DB(4000)@c DB(4000)@d DB(4000)@f DB(4000)@g DB(4000)@h int20@i DB(4000)@j DB(4000)@t1 DB(4000)@t2 DB(4000)@t3"},
		{name: "single step of a faulting instruction", code: tfOn + "nop\na: ud2\na_: " + tfOff + done,
			want: "DB(4000)@a UD@a DB(4000)@t1 DB(4000)@t2 DB(4000)@t3"},
		{name: "single step at level 3", code: "push u_ds\npush stack3\npush 0x102\npush u_cs\npush u\niret\nu: nop\na: int3\nb: nop\nc: " + tfOff + done,
			want: "DB(4000)@a BP@b DB(4000)@c DB(4000)@t1 DB(4000)@t2 DB(4000)@t3"},
		{name: "instruction breakpoint", code: breakpoint("0", "x", "0x401") + "mov ecx, 3\nl: nop\nx: inc ebx\nloop l\n" + done,
			on: resume, want: "DB(1)@x DB(1)@x DB(1)@x", state: "ebx=3", regs: func(s *x86.State) { s.GPR[3] = 0 }},
		{name: "two breakpoints on one instruction, one elsewhere", code: "mov eax, x\nmov dr3, eax\nmov eax, y\nmov dr1, eax\n" + breakpoint("0", "x", "0x489") + "nop\nx: nop\ny: nop\n" + done,
			on: resume, want: "DB(9)@x DB(2)@y"},
		{name: "the breakpoint of a faulting instruction", code: breakpoint("0", "x", "0x401") + "nop\nx: ud2\nx_: nop\n" + done,
			on: resume, want: "DB(1)@x UD@x"},
		{name: "no breakpoint in the shadow of SS", code: breakpoint("0", "x", "0x401") + "mov ebx, ss\nmov ss, bx\nx: nop\nsti\ncli\n" + done},
		{name: "write breakpoint", code: breakpoint("1", "data", "0xd00408") + `mov eax, [data]
			mov byte [data+3], 1
			a: mov byte [data+4], 1
			mov [data-3], eax
			b: mov [data-4], eax
			inc word [data+2]
			c: ` + done, want: "DB(2)@a DB(2)@b DB(2)@c", model: "pentium3"},
		{name: "access breakpoint", code: breakpoint("2", "data", "0x3000420") + "mov eax, [data-3]\na: mov ecx, [data-4]\nmov ch, [data]\nb: push dword [data]\nc: pop ecx\n" + done, want: "DB(4)@a DB(4)@b DB(4)@c"},
		{name: "data breakpoint under REP", code: breakpoint("0", "data+4", "0x10401") + "mov edi, data\nmov ecx, 8\nmov al, 5\na: rep stosb\nb: " + done, want: "DB(1)@a", state: "ecx=0 data+4=0x05050505"},
		{name: "I/O breakpoint", regs: de, code: breakpoint("3", "0x30", "0x20000480") + "in al, 0x30\na: in al, 0x31\nin ax, 0x2f\nb: " + done, want: "DB(8)@a DB(8)@b"},
		{name: "DR4 and DR5, and CR4.DE", code: "mov eax, 0x1234\nmov dr5, eax\nmov ebx, dr7\nmov ecx, dr4\nmov eax, 8\nmov cr4, eax\na: mov eax, dr4\na_: " + done, want: "UD@a", state: "ebx=0x634 ecx=0xffff0ff0", model: "pentium3"},
		{name: "general detect", code: "mov eax, 0x2400\nmov dr7, eax\na: mov ebx, dr0\nmov ecx, dr7\n" + done, want: "DB(2000)@a", state: "ecx=0x400"},
		{name: "breakpoint and single step", code: breakpoint("0", "data", "0x10401") + tfOn + "nop\na: mov [data], eax\nb: " + tfOff + done,
			want: "DB(4000)@a DB(4001)@b DB(4000)@t1 DB(4000)@t2 DB(4000)@t3"},
	})
}

func TestInterruptPrograms(t *testing.T) {
	// intr raises an interrupt with a vector, once.
	intr := func(s *sysRig, vec int) {
		s.cpu.SetIntAck(func() int { s.cpu.SetINTR(false); return vec })
		s.cpu.SetINTR(true)
	}
	runSysTests(t, []sysTest{
		{name: "STI's shadow", code: "int 0x20\na: sti\ninc ebx\nb: inc ebx\ncli\n" + done, want: "int20@a int30@b", state: "ebx=2", regs: func(s *x86.State) { s.GPR[3] = 0 },
			on: func(s *sysRig, e *sysEvent) bool {
				if e.vec == 0x20 {
					intr(s, 0x30)
				}
				return true
			}},
		{name: "the shadow of SS", code: "mov ecx, ss\nsti\nnop\nint 0x20\na: mov ss, cx\ninc ebx\nb: cli\n" + done, want: "int20@a int30@a", on: func(s *sysRig, e *sysEvent) bool {
			if e.vec == 0x20 {
				intr(s, 0x30)
			}
			return true
		}},
		{name: "POPF lets one in at once", code: "int 0x20\na: push 0x202\npopf\nb: inc ebx\ncli\n" + done, want: "int20@a int30@b", on: func(s *sysRig, e *sysEvent) bool {
			if e.vec == 0x20 {
				intr(s, 0x30)
			}
			return true
		}},
		{name: "HLT", code: "int 0x20\na: sti\nhlt\nb: cli\n" + done, want: "int20@a int31@b", on: func(s *sysRig, e *sysEvent) bool {
			if e.vec == 0x20 {
				intr(s, 0x31)
			}
			return true
		}},
		{name: "a loop is interrupted", code: "int 0x20\na: sti\nl: jmp l\n" + "b: " + done, want: "int20@a int31@l", on: func(s *sysRig, e *sysEvent) bool {
			if e.vec == 0x20 {
				intr(s, 0x31)
			} else {
				put32(s.ram, e.at, s.own["b"])
			}
			return true
		}},
		{name: "a string instruction is interrupted", code: "mov edi, data\nmov ecx, 0x4000\nint 0x20\na: sti\nr: rep stosb\nb: cli\n" + done, want: "int20@a int31@r", state: "ecx=0",
			on: func(s *sysRig, e *sysEvent) bool {
				if e.vec == 0x20 {
					intr(s, 0x31)
				}
				return true
			}},
		{name: "NMIs are masked until IRET", code: "int 0x20\na: nop\nb: nop\n" + done, want: "int20@a NMI@handler NMI@handler", setup: func(s *sysRig) {
			s.own["handler"] = s.labels["handlers"] + 0x20*32 + 2 // of INT 20, which the first interrupts
		}, on: func(s *sysRig, e *sysEvent) bool {
			if sent := &s.ram[s.labels["data"]]; *sent < 2 {
				*sent++
				s.cpu.SetNMI(true)
			}
			return true
		}},
		{name: "SMI and RSM", code: "mov eax, 5\nmov ebx, 6\nsti\nint 0x20\na: mov ecx, eax\n" + done, want: "int20@a", on: func(s *sysRig, e *sysEvent) bool {
			s.cpu.SetSMI(true)
			return true
		}, code16: `org 0x8000
			mov eax, data
			mov dword [eax+0], 77
			mov ebx, cs
			mov edx, cr0
			mov [eax+4], ebx
			mov [eax+8], edx
			mov eax, 0x12345
			rsm`, state: "eax=5 ebx=6 ecx=5 data=77 data+4=0x3000 data+8=0x10"},
	})
}
