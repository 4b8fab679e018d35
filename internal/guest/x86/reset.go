package x86

import "rhea/internal/trace"

// resetEIP is where execution begins, in a code segment whose base is not
// sixteen times its selector (SDM vol. 3, 9.1.4).
const (
	resetEIP    = 0xfff0
	resetCS     = 0xf000
	resetCSBase = 0xffff0000
)

// attrReal is what loads in real-address mode make of a segment: present,
// writable data, accessed. attrV86 is the same at privilege level 3.
const (
	attrReal = attrP | attrS | attrRW | attrA
	attrV86  = attrReal | attrDPL
)

// Reset puts the processor into its power-on state (SDM vol. 3, 9.1.1,
// table 9-1). The A20M# pin is the board's and stays as it is.
func (c *CPU) Reset() {
	c.log.Printf(trace.Reset, "x86: RESET\n")
	s := c.s
	*s = State{}
	s.CR0 = cr0CD | cr0NW | cr0ET
	// The x87 as RESET without FNINIT leaves it: all registers +0.0, valid.
	s.FCW, s.FTW = 0x0040, 0xff
	s.MXCSR = 0x1f80
	s.XCR0 = xcrX87
	c.smbase = 0x30000
	if c.cfg.Pages == nil { // the counters of a program's threads are one
		c.tscOffset = -uint64(c.clock())
	}
	c.msr.reset()
	c.setFERR(false)
	c.pins.And(pinA20Level | pinINTR)
	c.a20 = c.pins.Load()&pinA20Level != 0
	c.restart()
}

// initialize is the INIT pin: as RESET, but caches, x87, SSE, MSRs and the
// time stamp counter keep what they have.
func (c *CPU) initialize() {
	c.log.Printf(trace.Reset, "x86: INIT\n")
	s := c.s
	old := *s
	*s = State{
		CR0: old.CR0&(cr0CD|cr0NW) | cr0ET,
		FPR: old.FPR, FTop: old.FTop, FCW: old.FCW, FSW: old.FSW, FTW: old.FTW,
		FOP: old.FOP, FIP: old.FIP, FIPPage: old.FIPPage, FDP: old.FDP, FCS: old.FCS, FDS: old.FDS,
		XMM: old.XMM, YMMH: old.YMMH, XCR0: old.XCR0, MXCSR: old.MXCSR, EFER: old.EFER &^ (eferLMA | eferLME),
		STAR: old.STAR, LSTAR: old.LSTAR, CSTAR: old.CSTAR, SFMASK: old.SFMASK, KernelGSBase: old.KernelGSBase, TSCAux: old.TSCAux,
		SysenterCS: old.SysenterCS, SysenterESP: old.SysenterESP, SysenterEIP: old.SysenterEIP,
	}
	c.restart()
}

// restart sets what RESET and INIT have in common.
func (c *CPU) restart() {
	s := c.s
	s.IP = resetEIP
	s.DF = 1
	s.Flags = flag1
	s.CCOp = ccFlags
	s.GPR[rDX] = uint64(c.model.signature())
	for i := range s.Seg {
		s.Seg[i] = Segment{Limit: 0xffff, Attr: attrReal}
		if i == CS {
			s.Seg[i].Sel, s.Seg[i].Base = resetCS, resetCSBase
		}
		cacheBounds(&s.Seg[i])
	}
	s.GDTR.Limit, s.IDTR.Limit = 0xffff, 0xffff
	s.LDTR = Segment{Limit: 0xffff, Attr: attrP | typeLDT<<8}
	s.TR = Segment{Limit: 0xffff, Attr: attrP | typeTSS32Busy<<8}
	s.DR[6], s.DR[7] = dr6Fixed, dr7Fixed

	c.halted = false
	c.event = 0
	c.debugHits = 0
	c.pdpte = [4]uint64{}
	c.setNMIMask(false)
	if c.smm {
		c.setSMM(false)
	}
	c.refreshMode()
	if c.mem != nil {
		c.mem.FlushTLB(false)
	}
}

// clock is the time that the time stamp counter counts.
func (c *CPU) clock() int64 {
	if c.cfg.Clock == nil {
		return 0
	}
	return c.cfg.Clock.Now()
}
