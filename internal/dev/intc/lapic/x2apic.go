package lapic

// This file has the x2APIC mode (SDM 3A, §10.12): the registers are MSRs, and
// not memory.

// MSRs of the x2APIC mode that differ from the register at 16 times their
// number, from 800H on.
const (
	msrICR  = 0x30
	msrSelf = 0x3f
)

// x2 reports whether the APIC is in x2APIC mode.
func (a *APIC) x2() bool { return a.base&baseX2 != 0 }

// mayGo reports whether IA32_APIC_BASE may become v (§10.12.5): x2APIC mode is
// entered from the other one, and left by switching the APIC off.
func (a *APIC) mayGo(v uint64) bool {
	on, x2 := v&baseEnable != 0, v&baseX2 != 0
	switch {
	case x2 && (!on || !a.c.X2APIC):
		return false
	case x2:
		return a.enabled()
	case on:
		return !a.x2()
	}
	return true
}

// ReadMSR reads MSR 800H+n; false = #GP.
func (a *APIC) ReadMSR(n uint32) (uint64, bool) {
	if !a.x2() {
		return 0, false
	}
	switch reg := uint64(n) << 4; {
	case reg == regID:
		return uint64(a.id), true
	case n == msrICR:
		return a.icr, true
	case reg == regDFR, reg == regAPR, reg == regRRD, reg == regEOI, reg == regICRHigh, n == msrSelf, !known(reg):
		return 0, false
	default:
		v := a.read(reg)
		a.Settle()
		return uint64(v), true
	}
}

// WriteMSR writes it; false = #GP.
func (a *APIC) WriteMSR(n uint32, v uint64) bool {
	if !a.x2() || v>>32 != 0 && n != msrICR {
		return false
	}
	a.runTimer()
	switch reg := uint64(n) << 4; {
	case n == msrICR:
		a.icr = v & 0xffffffff000ccfff
		a.send()
	case n == msrSelf:
		if v > 0xff {
			return false
		}
		a.icr = a.icr&^0xffffffff | 1<<18 | v
		a.send()
	case (reg == regEOI || reg == regESR) && v != 0:
		return false
	case reg == regTPR, reg == regEOI, reg == regSVR, reg == regESR, reg >= regLVT && reg <= regLVTEnd, reg == regInitCount, reg == regDivide:
		a.write(reg, uint32(v))
	default:
		return false
	}
	a.Settle()
	if uint64(n)<<4 == regSVR {
		a.c.Bus.retry()
	}
	return true
}

// known reports whether there is a register.
func known(reg uint64) bool {
	switch {
	case reg >= regISR && reg < regESR, reg >= regLVT && reg <= regLVTEnd:
		return true
	}
	switch reg {
	case regID, regVersion, regTPR, regPPR, regLDR, regSVR, regESR, regInitCount, regCurCount, regDivide:
		return true
	}
	return false
}
