package x86

import "rhea/internal/guest"

// Model-specific registers (SDM vol. 4, tables 2-2, 2-20 and 2-21).
const (
	msrP5MCAddr     = 0x000
	msrP5MCType     = 0x001
	msrTR12         = 0x00e
	msrTSC          = 0x010
	msrCESR         = 0x011 // Pentium: counters' events, then two counters
	msrPlatformID   = 0x017
	msrAPICBase     = 0x01b
	msrEBLPowerOn   = 0x02a
	msrTestControl  = 0x033
	msrBIOSUpdate   = 0x079
	msrBIOSSign     = 0x08b
	msrPerfCtr0     = 0x0c1
	msrMTRRCap      = 0x0fe
	msrBBLControl   = 0x119
	msrBBLControl3  = 0x11e
	msrSysenterCS   = 0x174
	msrSysenterESP  = 0x175
	msrSysenterEIP  = 0x176
	msrMCGCap       = 0x179
	msrMCGStatus    = 0x17a
	msrMCGControl   = 0x17b
	msrPerfEvtSel0  = 0x186
	msrMiscEnable   = 0x1a0
	msrDebugControl = 0x1d9
	msrLastBranch   = 0x1db // to 1deH
	msrMTRRPhysBase = 0x200
	msrMTRRFix64K   = 0x250
	msrMTRRFix16K   = 0x258
	msrMTRRFix4K    = 0x268
	msrPAT          = 0x277
	msrMTRRDefType  = 0x2ff
	msrMC0Control   = 0x400
	msrTSCDeadline  = 0x6e0
	msrX2APIC       = 0x800 // to 83fH
	msrEFER         = 0xc0000080
	msrSTAR         = 0xc0000081
	msrLSTAR        = 0xc0000082
	msrCSTAR        = 0xc0000083
	msrSFMASK       = 0xc0000084
	msrFSBase       = 0xc0000100
	msrGSBase       = 0xc0000101
	msrKernelGSBase = 0xc0000102
	msrTSCAux       = 0xc0000103

	apicEnable = 1 << 11 // of APIC_BASE

	mtrrVariable = 8
	mcBanks      = 5
	mtrrCap      = mtrrVariable | 1<<8 | 1<<10 // fixed ranges, write combining
	mcgCap       = mcBanks | 1<<8              // with MCG_CTL
	resetPAT     = 0x0007040600070406
)

// msrs are the registers that are not kept elsewhere.
type msrs struct {
	biosSign, biosUpdate uint64
	eblPowerOn           uint64
	testControl          uint64
	bbl                  [2]uint64
	misc                 uint64
	debug                uint64
	perfCtr, perfSel     [2]uint64
	pentium              [4]uint64 // TR12, CESR, CTR0, CTR1

	mtrrPhys [2 * mtrrVariable]uint64
	mtrrFix  [11]uint64
	mtrrDef  uint64
	pat      uint64

	mcgStatus, mcgControl uint64
	mc                    [4 * mcBanks]uint64
}

// reset sets what RESET sets.
func (m *msrs) reset() { *m = msrs{pat: resetPAT, misc: 1} }

// plain returns the word behind a register that is merely stored, and the bits
// of it that can be written.
func (c *CPU) plain(n uint32) (p *uint64, mask uint64) {
	m, s := &c.msr, c.s
	const all = ^uint64(0)
	if c.model.Family == 5 {
		switch n {
		case msrTR12:
			return &m.pentium[0], all
		case msrCESR, msrCESR + 1, msrCESR + 2:
			return &m.pentium[n-msrCESR+1], all
		}
	}
	if c.model.has(featSEP) {
		switch n {
		case msrSysenterCS:
			return &s.SysenterCS, 0xffffffff
		case msrSysenterESP:
			return &s.SysenterESP, c.pointerMask()
		case msrSysenterEIP:
			return &s.SysenterEIP, c.pointerMask()
		}
	}
	switch {
	case n == msrSTAR && c.model.has(featSYSCALL):
		return &s.STAR, all
	case n == msrSFMASK && c.model.has(featSYSCALL):
		return &s.SFMASK, 0xffffffff
	case n == msrTSCAux && c.model.has(featRDTSCP):
		return &s.TSCAux, 0xffffffff
	}
	if c.model.has(featMCA) {
		switch n {
		case msrMCGStatus:
			return &m.mcgStatus, 7
		case msrMCGControl:
			return &m.mcgControl, all
		}
		if n-msrMC0Control < uint32(len(m.mc)) {
			return &m.mc[n-msrMC0Control], all
		}
	}
	if c.model.Family < 6 {
		return nil, 0
	}
	switch n {
	case msrEBLPowerOn:
		return &m.eblPowerOn, all
	case msrTestControl:
		return &m.testControl, all
	case msrBIOSSign:
		return &m.biosSign, all
	case msrBIOSUpdate:
		return &m.biosUpdate, all
	case msrBBLControl:
		return &m.bbl[0], all
	case msrBBLControl3:
		return &m.bbl[1], all
	case msrPerfCtr0, msrPerfCtr0 + 1:
		return &m.perfCtr[n-msrPerfCtr0], 1<<40 - 1
	case msrPerfEvtSel0, msrPerfEvtSel0 + 1:
		return &m.perfSel[n-msrPerfEvtSel0], 0xffffffff
	case msrMiscEnable:
		return &m.misc, all
	case msrDebugControl:
		return &m.debug, 0x7f
	}
	return nil, 0
}

// pointerMask are the bits of registers that hold an address of code.
func (c *CPU) pointerMask() uint64 {
	if c.wide {
		return ^uint64(0)
	}
	return 0xffffffff
}

// pointer returns the word behind a register that holds a canonical address.
func (c *CPU) pointer(n uint32) *uint64 {
	if !c.wide {
		return nil
	}
	s := c.s
	switch n {
	case msrLSTAR:
		return &s.LSTAR
	case msrCSTAR:
		return &s.CSTAR
	case msrFSBase:
		return &s.Seg[FS].Base
	case msrGSBase:
		return &s.Seg[GS].Base
	case msrKernelGSBase:
		return &s.KernelGSBase
	}
	return nil
}

// eferBits are the bits of EFER that can be written.
func (m *Model) eferBits() uint64 {
	var bits uint64
	if m.has(featNX) {
		bits |= eferNXE
	}
	if m.has(featLM) {
		bits |= eferLME
	}
	if m.has(featSYSCALL) {
		bits |= eferSCE
	}
	return bits
}

// setEFER is WRMSR of EFER.
func (c *CPU) setEFER(v uint64) *guest.Fault {
	s := c.s
	v = v&^eferLMA | s.EFER&eferLMA // as it is
	if v&^(c.model.eferBits()|eferLMA) != 0 || (v^s.EFER)&eferLME != 0 && s.CR0&cr0PG != 0 {
		return gp(0)
	}
	if (s.EFER^v)&eferNXE != 0 {
		c.mem.FlushTLB(false)
	}
	s.EFER = v
	c.refreshMode()
	return nil
}

// x2APIC is an APIC whose registers are MSRs (SDM vol. 3, 10.12).
type x2APIC interface {
	ReadMSR(n uint32) (v uint64, ok bool)
	WriteMSR(n uint32, v uint64) (ok bool)
}

// mtrr returns a memory type range register and whether its bytes are types.
func (c *CPU) mtrr(n uint32) (p *uint64, types bool) {
	if !c.model.has(featMTRR) {
		return nil, false
	}
	m := &c.msr
	switch {
	case n-msrMTRRPhysBase < uint32(len(m.mtrrPhys)):
		return &m.mtrrPhys[n-msrMTRRPhysBase], false
	case n == msrMTRRFix64K:
		return &m.mtrrFix[0], true
	case n-msrMTRRFix16K < 2:
		return &m.mtrrFix[1+n-msrMTRRFix16K], true
	case n-msrMTRRFix4K < 8:
		return &m.mtrrFix[3+n-msrMTRRFix4K], true
	case n == msrMTRRDefType:
		return &m.mtrrDef, false
	}
	return nil, false
}

// msrAccess is the check that RDMSR and WRMSR begin with.
func (c *CPU) msrAccess() *guest.Fault {
	if !c.model.has(featMSR) {
		return undefined()
	}
	return c.needRing0()
}

// rdmsr is RDMSR (SDM vol. 2).
func (c *CPU) rdmsr(n uint32) (uint64, *guest.Fault) {
	if f := c.msrAccess(); f != nil {
		return 0, f
	}
	if p, _ := c.plain(n); p != nil {
		return *p, nil
	}
	if p, _ := c.mtrr(n); p != nil {
		return *p, nil
	}
	if p := c.pointer(n); p != nil {
		return *p, nil
	}
	m := c.model
	switch {
	case n-msrX2APIC < 0x40 && m.has(featX2APIC):
		if a, ok := c.apic.(x2APIC); ok {
			if v, ok := a.ReadMSR(n - msrX2APIC); ok {
				return v, nil
			}
		}
	case n == msrTSC && m.has(featTSC):
		return c.tsc(), nil
	case n == msrAPICBase && m.has(featAPIC) && c.apic != nil:
		return c.apic.BaseMSR(), nil
	case n == msrMTRRCap && m.has(featMTRR):
		return mtrrCap, nil
	case n == msrPAT && m.has(featPAT):
		return c.msr.pat, nil
	case n == msrMCGCap && m.has(featMCA):
		return mcgCap, nil
	case n == msrEFER && m.eferBits() != 0:
		return c.s.EFER, nil
	case n == msrPlatformID && m.Family >= 6, n-msrLastBranch < 4 && m.Family >= 6:
		return 0, nil
	case n <= msrP5MCType && m.has(featMCE):
		return 0, nil
	}
	c.log.Guest("x86: RDMSR of unknown register %#x", n)
	return 0, gp(0)
}

// wrmsr is WRMSR (SDM vol. 2).
func (c *CPU) wrmsr(n uint32, v uint64) *guest.Fault {
	if f := c.msrAccess(); f != nil {
		return f
	}
	if p, mask := c.plain(n); p != nil {
		if n == msrSysenterESP || n == msrSysenterEIP {
			if c.wide && !canonical(v) {
				return gp(0)
			}
		}
		if v&^mask != 0 && mask != 0xffffffff { // the 32-bit ones drop the upper half
			return gp(0)
		}
		if i := n - msrMC0Control; i < 4*mcBanks && i&3 == 1 && v != 0 {
			return gp(0) // SDM vol. 3, 15.3.2.2: MCi_STATUS can only be cleared
		}
		*p = v & mask
		return nil
	}
	if p, types := c.mtrr(n); p != nil {
		return c.setMTRR(n, p, types, v)
	}
	if p := c.pointer(n); p != nil {
		if !canonical(v) {
			return gp(0)
		}
		*p = v
		c.refreshMode()
		return nil
	}
	m := c.model
	switch {
	case n-msrX2APIC < 0x40 && m.has(featX2APIC):
		if a, ok := c.apic.(x2APIC); ok {
			if a.WriteMSR(n-msrX2APIC, v) {
				return nil
			}
		}
	case n == msrTSC && m.has(featTSC):
		c.tscOffset = v - uint64(c.clock())
		return nil
	case n == msrAPICBase && m.has(featAPIC) && c.apic != nil:
		if !c.apic.SetBaseMSR(v) {
			return gp(0)
		}
		return nil
	case n == msrPAT && m.has(featPAT):
		for i := range 8 {
			if t := v >> (8 * i) & 0xff; t != 7 && !memoryType(t) {
				return gp(0)
			}
		}
		c.msr.pat = v
		return nil
	case n == msrEFER && m.eferBits() != 0:
		return c.setEFER(v)
	case n <= msrP5MCType && m.has(featMCE), n-msrLastBranch < 4 && m.Family >= 6:
		return nil
	}
	c.log.Guest("x86: WRMSR of %#x to unknown register %#x", v, n)
	return gp(0)
}

// memoryType reports whether t is a memory type (SDM vol. 3, table 11-2).
func memoryType(t uint64) bool { return t <= 6 && t != 2 && t != 3 }

// setMTRR checks and sets a memory type range register (SDM vol. 3, 11.11.2);
// memory types have no effect here.
func (c *CPU) setMTRR(n uint32, p *uint64, types bool, v uint64) *guest.Fault {
	ok := true
	switch {
	case types:
		for i := range 8 {
			ok = ok && memoryType(v>>(8*i)&0xff)
		}
	case n == msrMTRRDefType:
		ok = memoryType(v&0xff) && v&^0xcff == 0
	case n&1 == 0: // PHYSBASE
		ok = memoryType(v&0xff) && v&^(c.model.physMask()&^0xf00) == 0
	default: // PHYSMASK
		ok = v&^(c.model.physMask()&^0x7ff) == 0
	}
	if !ok {
		return gp(0)
	}
	*p = v
	return nil
}

// tsc is the time stamp counter, which counts at 1 GHz.
func (c *CPU) tsc() uint64 { return uint64(c.clock()) + c.tscOffset }

// rdtsc is RDTSC (SDM vol. 2).
func (c *CPU) rdtsc() (uint64, *guest.Fault) {
	if !c.model.has(featTSC) {
		return 0, undefined()
	}
	if c.s.CR4&cr4TSD != 0 && c.cpl != 0 {
		return 0, gp(0)
	}
	return c.tsc(), nil
}

// setBase is WRFSBASE and WRGSBASE of v, which is canonical.
func (c *CPU) setBase(seg int, v uint64) *guest.Fault {
	if !canonical(v) {
		return gp(0)
	}
	c.s.Seg[seg].Base = v
	c.refreshMode()
	return nil
}

// setAC is STAC and CLAC.
func (c *CPU) setAC(on bool) *guest.Fault {
	if c.s.CR0&cr0PE == 0 || c.cpl != 0 {
		return undefined()
	}
	c.s.Flags = c.s.Flags&^flagAC | b2u(on)*flagAC
	c.refreshMode()
	return nil
}

// rdtscp is RDTSCP, but for the counter: what becomes of RCX (SDM vol. 2).
func (c *CPU) rdtscp() (uint64, *guest.Fault) {
	v, f := c.rdtsc()
	if f == nil {
		c.s.GPR[rCX] = c.s.TSCAux
	}
	return v, f
}

// rdpmc is RDPMC; the two counters do not count (SDM vol. 2).
func (c *CPU) rdpmc(n uint32) (uint64, *guest.Fault) {
	if !c.model.hasPMC() {
		return 0, undefined()
	}
	if c.s.CR4&cr4PCE == 0 && c.cpl != 0 || n > 1 {
		return 0, gp(0)
	}
	return c.msr.perfCtr[n], nil
}
