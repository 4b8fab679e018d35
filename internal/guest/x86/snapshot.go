package x86

import (
	"fmt"

	"rhea/internal/guest"
	"rhea/internal/snap"
)

// gprNames are the general registers of a processor, wide = one of 64 bits.
func gprNames(wide bool) []string {
	if wide {
		return []string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}
	}
	return []string{"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"}
}

func segNames() [6]string { return [6]string{"es", "cs", "ss", "ds", "fs", "gs"} }

// State implements guest.CPU: the snapshot's walk.
func (c *CPU) State(sec *snap.Section) {
	s := c.Registers()
	sec.Version(1)
	signature := c.model.signature()
	sec.U32("signature", &signature)
	sec.Check(signature == c.model.signature(), "is of another CPU model")

	for i, n := range gprNames(c.wide) {
		c.register(sec, n, &s.GPR[i])
	}
	c.register(sec, "eip", &s.IP)
	eflags := c.EFLAGS()
	reg32(sec, "eflags", &eflags)
	word(sec, "shadow", &s.Shadow, 3)
	for i, n := range segNames() {
		sec.Sub(n, func(sec *snap.Section) { c.stateSegment(sec, &s.Seg[i]) })
	}
	sec.Sub("ldtr", func(sec *snap.Section) { c.stateSegment(sec, &s.LDTR) })
	sec.Sub("tr", func(sec *snap.Section) { c.stateSegment(sec, &s.TR) })
	sec.Sub("gdtr", func(sec *snap.Section) { c.stateTable(sec, &s.GDTR) })
	sec.Sub("idtr", func(sec *snap.Section) { c.stateTable(sec, &s.IDTR) })
	reg32(sec, "cr0", &s.CR0)
	c.register(sec, "cr2", &s.CR2)
	c.register(sec, "cr3", &s.CR3)
	word(sec, "cr4", &s.CR4, c.model.cr4Bits())
	for i := range s.DR {
		c.register(sec, fmt.Sprintf("dr%d", i), &s.DR[i])
	}
	for i := range c.pdpte {
		sec.U64(fmt.Sprintf("pdpte%d", i), &c.pdpte[i])
	}
	sec.Sub("fpu", c.stateFPU)
	sec.Sub("sse", c.stateSSE)
	sec.Sub("msr", c.stateMSRs)
	sec.Sub("pins", c.statePins)

	sec.Check(s.CR0&cr0PG == 0 || s.CR0&cr0PE != 0, "CR0 is impossible")
	long := s.CR0&cr0PG != 0 && s.EFER&eferLME != 0
	sec.Check(long == (s.EFER&eferLMA != 0) && (!long || s.CR4&cr4PAE != 0), "EFER is impossible")
	if sec.Loading() && sec.Err() == nil {
		c.loaded(eflags)
	}
}

// loaded derives what is not saved.
func (c *CPU) loaded(eflags uint64) {
	s := c.s
	c.setEFLAGS(eflags, flagsAll)
	for i := range s.Seg {
		cacheBounds(&s.Seg[i])
	}
	// The board keeps the pin's level; here it only matters that it is
	// negated when the error is cleared.
	c.ferr = s.FSW&fswES != 0 && s.CR0&cr0NE == 0
	c.held.Store(0)
	c.setHeld(pinSMI|pinINIT, c.smm)
	c.setNMIMask(c.nmiMask)
	if c.cfg.SMM != nil {
		c.cfg.SMM(c.smm)
	}
	if c.halted {
		c.event = guest.Halt
	}
	c.refreshMode()
	if c.mem != nil {
		c.mem.FlushTLB(false)
	}
}

// word walks a word that has only the bits of mask.
func word(sec *snap.Section, name string, p *uint64, mask uint64) {
	sec.U64(name, p)
	sec.Check(*p&^mask == 0, name+" has impossible bits")
}

// reg32 walks a register of 32 bits.
func reg32(sec *snap.Section, name string, p *uint64) { word(sec, name, p, 0xffffffff) }

// register walks a register of 64 bits, if the processor has such.
func (c *CPU) register(sec *snap.Section, name string, p *uint64) {
	word(sec, name, p, c.pointerMask())
}

func (c *CPU) stateSegment(sec *snap.Section, g *Segment) {
	sec.Version(1)
	word(sec, "selector", &g.Sel, 0xffff)
	c.register(sec, "base", &g.Base)
	reg32(sec, "limit", &g.Limit)
	word(sec, "attributes", &g.Attr, attrBits)
}

func (c *CPU) stateTable(sec *snap.Section, t *Table) {
	sec.Version(1)
	c.register(sec, "base", &t.Base)
	word(sec, "limit", &t.Limit, 0xffff)
}

func (c *CPU) stateFPU(sec *snap.Section) {
	s := c.s
	sec.Version(1)
	for i := range s.FPR {
		sec.U64(fmt.Sprintf("fpr%d", i), &s.FPR[i][0])
		word(sec, fmt.Sprintf("fpr%d_exponent", i), &s.FPR[i][1], 0xffff)
	}
	word(sec, "top", &s.FTop, 7)
	word(sec, "control", &s.FCW, 0xffff)
	word(sec, "status", &s.FSW, 0xffff&^(7<<11))
	word(sec, "valid", &s.FTW, 0xff)
	word(sec, "opcode", &s.FOP, 0x7ff)
	c.register(sec, "ip", &s.FIP)
	word(sec, "cs", &s.FCS, 0xffff)
	c.register(sec, "dp", &s.FDP)
	word(sec, "ds", &s.FDS, 0xffff)
}

func (c *CPU) stateSSE(sec *snap.Section) {
	s := c.s
	sec.Version(1)
	for i := range s.XMM[:c.vectors()] {
		sec.U64(fmt.Sprintf("xmm%d_low", i), &s.XMM[i][0])
		sec.U64(fmt.Sprintf("xmm%d_high", i), &s.XMM[i][1])
	}
	word(sec, "mxcsr", &s.MXCSR, 0xffff)
	if c.model.has(featXSAVE) {
		word(sec, "xcr0", &s.XCR0, c.model.xcrBits())
		for i := range s.YMMH[:c.vectors()] {
			sec.U64(fmt.Sprintf("ymmh%d_low", i), &s.YMMH[i][0])
			sec.U64(fmt.Sprintf("ymmh%d_high", i), &s.YMMH[i][1])
		}
	}
}

// vectors is how many XMM registers there are.
func (c *CPU) vectors() int {
	if c.wide {
		return 16
	}
	return 8
}

func (c *CPU) stateMSRs(sec *snap.Section) {
	s, m := c.s, &c.msr
	sec.Version(1)
	list := func(name string, w []uint64) {
		for i := range w {
			sec.U64(fmt.Sprintf("%s%d", name, i), &w[i])
		}
	}
	// The counter's value goes, not its distance to a clock of this process.
	tsc := c.tsc()
	sec.U64("tsc", &tsc)
	if sec.Loading() {
		c.tscOffset = tsc - uint64(c.clock())
	}
	word(sec, "efer", &s.EFER, eferNXE|eferLME|eferLMA|eferSCE)
	reg32(sec, "sysenter_cs", &s.SysenterCS)
	c.register(sec, "sysenter_esp", &s.SysenterESP)
	c.register(sec, "sysenter_eip", &s.SysenterEIP)
	if c.wide {
		sec.U64("star", &s.STAR)
		sec.U64("lstar", &s.LSTAR)
		sec.U64("cstar", &s.CSTAR)
		reg32(sec, "sfmask", &s.SFMASK)
		sec.U64("kernel_gs_base", &s.KernelGSBase)
		reg32(sec, "tsc_aux", &s.TSCAux)
		for _, p := range []*uint64{&s.LSTAR, &s.CSTAR, &s.KernelGSBase, &s.Seg[FS].Base, &s.Seg[GS].Base} {
			sec.Check(canonical(*p), "an address is not canonical")
		}
	}
	sec.U64("bios_sign", &m.biosSign)
	sec.U64("bios_update", &m.biosUpdate)
	sec.U64("ebl_cr_poweron", &m.eblPowerOn)
	sec.U64("test_ctl", &m.testControl)
	list("bbl_ctl", m.bbl[:])
	sec.U64("misc_enable", &m.misc)
	sec.U64("debugctl", &m.debug)
	list("perfctr", m.perfCtr[:])
	list("perfevtsel", m.perfSel[:])
	list("pentium", m.pentium[:])
	list("mtrr_phys", m.mtrrPhys[:])
	list("mtrr_fix", m.mtrrFix[:])
	sec.U64("mtrr_def_type", &m.mtrrDef)
	sec.U64("pat", &m.pat)
	sec.U64("mcg_status", &m.mcgStatus)
	sec.U64("mcg_ctl", &m.mcgControl)
	list("mc", m.mc[:])
}

func (c *CPU) statePins(sec *snap.Section) {
	sec.Version(1)
	pins := c.pins.Load()
	sec.U32("levels", &pins)
	sec.Check(pins < pinA20Level<<1, "pins are unknown")
	if sec.Loading() {
		c.pins.Store(pins)
	}
	sec.Bool("a20", &c.a20)
	sec.Bool("halted", &c.halted)
	sec.Bool("nmi_masked", &c.nmiMask)
	sec.Bool("smm", &c.smm)
	sec.Bool("smm_nmi_masked", &c.smmNMI)
	reg32(sec, "smbase", &c.smbase)
}

// Regs implements guest.CPU.
func (c *CPU) Regs(r guest.RegSet) {
	s := c.s
	bits := 32
	if c.wide {
		bits = 64
	}
	for i, n := range gprNames(c.wide) {
		r.Reg(n, bits, s.GPR[i])
	}
	r.Reg(map[int]string{32: "eip", 64: "rip"}[bits], bits, s.IP)
	r.Reg("eflags", 32, c.EFLAGS())
	for i, n := range segNames() {
		r.Reg(n, 16, s.Seg[i].Sel)
		r.Reg(n+"_base", bits, s.Seg[i].Base)
		r.Reg(n+"_limit", 32, s.Seg[i].Limit)
		r.Reg(n+"_attr", 24, s.Seg[i].Attr)
	}
	r.Reg("ldtr", 16, s.LDTR.Sel)
	r.Reg("tr", 16, s.TR.Sel)
	r.Reg("gdtr_base", bits, s.GDTR.Base)
	r.Reg("gdtr_limit", 16, s.GDTR.Limit)
	r.Reg("idtr_base", bits, s.IDTR.Base)
	r.Reg("idtr_limit", 16, s.IDTR.Limit)
	r.Reg("cr0", 32, s.CR0)
	r.Reg("cr2", bits, s.CR2)
	r.Reg("cr3", bits, s.CR3)
	r.Reg("cr4", 32, s.CR4)
	r.Reg("efer", 64, s.EFER)
	for i, v := range s.DR {
		if i != 4 && i != 5 {
			r.Reg(fmt.Sprintf("dr%d", i), bits, v)
		}
	}
	for i := range s.FPR {
		// The stack's order: st0 is FPR[TOP].
		v := s.FPR[(uint64(i)+s.FTop)&7]
		r.Reg(fmt.Sprintf("st%d", i), 64, v[0])
		r.Reg(fmt.Sprintf("st%d_exponent", i), 16, v[1])
	}
	r.Reg("fctrl", 16, s.FCW)
	r.Reg("fstat", 16, s.FSW|s.FTop<<11)
	r.Reg("ftag", 8, s.FTW)
	r.Reg("fiseg", 16, s.FCS)
	r.Reg("fioff", 32, s.fip())
	r.Reg("foseg", 16, s.FDS)
	r.Reg("fooff", 32, s.FDP)
	r.Reg("fop", 11, s.FOP)
	for i := range s.XMM[:c.vectors()] {
		r.Reg(fmt.Sprintf("xmm%d", i), 64, s.XMM[i][0])
		r.Reg(fmt.Sprintf("xmm%d_high", i), 64, s.XMM[i][1])
	}
	r.Reg("mxcsr", 32, s.MXCSR)
}
