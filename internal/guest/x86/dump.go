package x86

import (
	"bytes"
	"fmt"
	"io"
)

// DumpRegisters writes the registers as the monitor's "info registers" shows
// them; scripts read this layout.
func (c *CPU) DumpRegisters(w io.Writer) error {
	var b bytes.Buffer
	s := c.s
	r := &s.GPR
	if c.wide {
		fmt.Fprintf(&b, "RAX=%016x RBX=%016x RCX=%016x RDX=%016x\n", r[rAX], r[rBX], r[rCX], r[rDX])
		fmt.Fprintf(&b, "RSI=%016x RDI=%016x RBP=%016x RSP=%016x\n", r[rSI], r[rDI], r[rBP], r[rSP])
		fmt.Fprintf(&b, "R8 =%016x R9 =%016x R10=%016x R11=%016x\n", r[r8], r[r9], r[r10], r[r11])
		fmt.Fprintf(&b, "R12=%016x R13=%016x R14=%016x R15=%016x\n", r[r12], r[r13], r[r14], r[r15])
	} else {
		fmt.Fprintf(&b, "EAX=%08x EBX=%08x ECX=%08x EDX=%08x\n", r[rAX], r[rBX], r[rCX], r[rDX])
		fmt.Fprintf(&b, "ESI=%08x EDI=%08x EBP=%08x ESP=%08x\n", r[rSI], r[rDI], r[rBP], r[rSP])
	}
	a20, smm, hlt := 0, 0, 0
	if c.a20 {
		a20 = 1
	}
	if c.smm {
		smm = 1
	}
	if c.halted {
		hlt = 1
	}
	fl := c.EFLAGS()
	ip, pointer := "EIP", 8 // digits
	if c.wide {
		ip, pointer = "RIP", 16
	}
	fmt.Fprintf(&b, "%s=%0*x EFL=%08x [%s] CPL=%d II=%d A20=%d SMM=%d HLT=%d\n",
		ip, pointer, s.IP, fl, flagLetters(fl), c.cpl, s.Shadow, a20, smm, hlt)
	protected := s.CR0&cr0PE != 0
	for _, i := range [...]int{ES, CS, SS, DS, FS, GS} {
		dumpSegment(&b, [...]string{"ES", "CS", "SS", "DS", "FS", "GS"}[i], &s.Seg[i], protected, c.ia32e(), pointer)
	}
	dumpSegment(&b, "LDT", &s.LDTR, protected, c.ia32e(), pointer)
	dumpSegment(&b, "TR", &s.TR, protected, c.ia32e(), pointer)
	fmt.Fprintf(&b, "GDT=     %0*x %08x\n", pointer, s.GDTR.Base, s.GDTR.Limit)
	fmt.Fprintf(&b, "IDT=     %0*x %08x\n", pointer, s.IDTR.Base, s.IDTR.Limit)
	fmt.Fprintf(&b, "CR0=%08x CR2=%0*x CR3=%0*x CR4=%08x\n", s.CR0, pointer, s.CR2, pointer, s.CR3, s.CR4)
	for i := range 4 {
		fmt.Fprintf(&b, "DR%d=%0*x ", i, pointer, s.DR[i])
	}
	fmt.Fprintf(&b, "\nDR6=%0*x DR7=%0*x\n", pointer, s.DR[6], pointer, s.DR[7])
	fmt.Fprintf(&b, "EFER=%016x\n", s.EFER)
	fmt.Fprintf(&b, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x\n",
		s.FCW, s.FSW|s.FTop<<11, s.FTop, s.FTW, s.MXCSR)
	for i, v := range s.FPR {
		fmt.Fprintf(&b, "FPR%d=%016x %04x%c", i, v[0], v[1], " \n"[i&1])
	}
	for i, v := range s.XMM[:c.vectors()] {
		fmt.Fprintf(&b, "XMM%02d=%016x %016x%c", i, v[1], v[0], " \n"[i&1])
	}
	_, err := w.Write(b.Bytes())
	return err
}

func flagLetters(fl uint64) string {
	out := []byte("-------")
	for i, x := range [...]struct {
		bit    uint64
		letter byte
	}{{flagDF, 'D'}, {flagOF, 'O'}, {flagSF, 'S'}, {flagZF, 'Z'}, {flagAF, 'A'}, {flagPF, 'P'}, {flagCF, 'C'}} {
		if fl&x.bit != 0 {
			out[i] = x.letter
		}
	}
	return string(out)
}

// dumpSegment writes a segment register; what its type means only in
// protected mode.
func dumpSegment(b *bytes.Buffer, name string, g *Segment, protected, long bool, pointer int) {
	fmt.Fprintf(b, "%-3s=%04x %0*x %08x %08x", name, g.Sel, pointer, g.Base, g.Limit, g.Attr)
	if protected && g.Attr&attrP != 0 {
		fmt.Fprintf(b, " DPL=%d %s", g.Attr>>13&3, typeName(g.Attr, long))
	}
	b.WriteByte('\n')
}

func typeName(attr uint64, long bool) string {
	letter := func(bit uint64, c byte) byte {
		if attr&bit != 0 {
			return c
		}
		return '-'
	}
	if attr&attrS == 0 {
		if name := [...]string{2: "LDT", 9: "TSS64-avl", 11: "TSS64-busy", 12: "CallGate64", 14: "IntGate64", 15: "TrapGate64"}[attr>>8&15]; long && name != "" {
			return name
		} else if long {
			return "Reserved"
		}
		return [...]string{
			"Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16",
			"Reserved", "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32",
		}[attr>>8&15]
	}
	kind, up, rw := "DS16", byte('E'), byte('W')
	big := attr&attrDB != 0
	switch {
	case attr&attrCode != 0 && attr&attrL != 0:
		kind, up, rw = "CS64", 'C', 'R'
	case attr&attrCode != 0 && big:
		kind, up, rw = "CS32", 'C', 'R'
	case attr&attrCode != 0:
		kind, up, rw = "CS16", 'C', 'R'
	case big:
		kind = "DS  "
	}
	return fmt.Sprintf("%s [%c%c%c]", kind, letter(attrCE, up), letter(attrRW, rw), letter(attrA, 'A'))
}

// AddressBits is how many bits the addresses of programs have.
func (c *CPU) AddressBits() int {
	if c.wide {
		return 64
	}
	return 32
}
