package lapic

import (
	"fmt"
	"math/bits"

	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// Registers, Table 10-1.
const (
	regID        = 0x020
	regVersion   = 0x030
	regTPR       = 0x080
	regAPR       = 0x090
	regPPR       = 0x0a0
	regEOI       = 0x0b0
	regRRD       = 0x0c0
	regLDR       = 0x0d0
	regDFR       = 0x0e0
	regSVR       = 0x0f0
	regISR       = 0x100
	regTMR       = 0x180
	regIRR       = 0x200
	regESR       = 0x280
	regICRLow    = 0x300
	regICRHigh   = 0x310
	regLVT       = 0x320
	regLVTEnd    = regLVT + 16*(lvtCount-1)
	regInitCount = 0x380
	regCurCount  = 0x390
	regDivide    = 0x3e0
)

// vectors is a set of interrupts.
type vectors [4]uint64

func (s *vectors) set(v uint8)      { s[v>>6] |= 1 << (v & 63) }
func (s *vectors) clear(v uint8)    { s[v>>6] &^= 1 << (v & 63) }
func (s *vectors) has(v uint8) bool { return s[v>>6]>>(v&63)&1 != 0 }

// highest returns the highest member, -1 if there is none.
func (s *vectors) highest() int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != 0 {
			return i*64 + bits.Len64(s[i]) - 1
		}
	}
	return -1
}

// word returns the n-th of eight registers.
func (s *vectors) word(n uint64) uint32 { return uint32(s[n>>1&3] >> (n & 1 * 32)) }

func (s *vectors) state(sec *snap.Section) {
	sec.Version(1)
	for i := range s {
		sec.U64(fmt.Sprint("bits", 64*i), &s[i])
	}
	sec.Check(s[0]&0xffff == 0, "a reserved vector is set")
	if sec.Loading() && sec.Err() != nil {
		s[0] &^= 0xffff
	}
}

// Read implements mem.MMIO.
func (a *APIC) Read(off uint64, _ int) uint64 {
	if off &= 0xfff; off&15 != 0 {
		return 0 // "undefined"
	}
	v := a.read(off)
	a.Settle()
	return uint64(v)
}

func (a *APIC) read(reg uint64) uint32 {
	n := reg >> 4 & 7
	switch {
	case reg >= regISR && reg < regTMR:
		return a.isr.word(n)
	case reg >= regTMR && reg < regIRR:
		return a.tmr.word(n)
	case reg >= regIRR && reg < regESR:
		return a.irr.word(n)
	case reg >= regLVT && reg <= regLVTEnd:
		return a.lvt[(reg-regLVT)>>4]
	}
	switch reg {
	case regID:
		return uint32(a.id) << 24
	case regVersion:
		return version
	case regTPR:
		return uint32(a.tpr)
	case regAPR:
		return uint32(a.apr())
	case regPPR:
		return uint32(a.ppr())
	case regEOI, regRRD:
		return 0
	case regLDR:
		return a.ldr
	case regDFR:
		return a.dfr
	case regSVR:
		return a.svr
	case regESR:
		return a.esr
	case regICRLow:
		return uint32(a.icr)
	case regICRHigh:
		return uint32(a.icr >> 32)
	case regInitCount:
		return a.initCount
	case regCurCount:
		return a.currentCount()
	case regDivide:
		return a.divide
	}
	a.c.Env.Log.Guest("lapic %d: read of reserved register %#x", a.id, reg)
	a.fail(esrRegister)
	return 0
}

// Write implements mem.MMIO.
func (a *APIC) Write(off uint64, _ int, v uint64) {
	if off &= 0xfff; off&15 != 0 {
		return
	}
	a.runTimer()
	a.write(off, uint32(v))
	a.Settle()
	switch off {
	case regID, regLDR, regDFR, regSVR:
		a.c.Bus.retry()
	}
}

func (a *APIC) write(reg uint64, v uint32) {
	if reg >= regLVT && reg <= regLVTEnd {
		a.writeLVT(int(reg-regLVT)>>4, v)
		return
	}
	switch reg {
	case regID:
		a.id = uint8(v >> 24)
	case regTPR:
		a.tpr = uint8(v)
	case regEOI:
		a.eoi()
	case regLDR:
		a.ldr = v & 0xff000000
	case regDFR:
		a.dfr = v | 0x0fffffff
	case regSVR:
		a.svr = v & 0x1ff
		if v&svrEnable == 0 {
			for i := range a.lvt {
				a.lvt[i] |= lvtMasked
			}
		}
	case regESR:
		a.esr, a.errs = a.errs, 0
	case regICRLow:
		a.icr = a.icr&^0xffffffff | uint64(v&0xccfff)
		a.send()
	case regICRHigh:
		a.icr = a.icr&0xffffffff | uint64(v&0xff000000)<<32
	case regInitCount:
		a.startTimer(v)
	case regDivide:
		left := a.currentCount()
		a.divide = v & 0xb
		if a.expires != 0 && a.lvt[lvtTimer]&lvtDeadline == 0 {
			a.expires = a.c.Env.Clock.Now() + a.ticks(left)
		}
	case regVersion, regAPR, regPPR, regRRD, regCurCount:
		a.c.Env.Log.Guest("lapic %d: write of %#x to read-only register %#x", a.id, v, reg)
	default:
		a.c.Env.Log.Guest("lapic %d: write of %#x to register %#x, which is reserved or read-only", a.id, v, reg)
		if reg < regISR || reg >= regESR {
			a.fail(esrRegister)
		}
	}
}

func (a *APIC) writeLVT(n int, v uint32) {
	e := v&(lvtBits[n]|lvtMasked) | a.lvt[n]&lvtRemoteIRR
	if a.svr&svrEnable == 0 {
		e |= lvtMasked // "software can only set the mask bits"
	}
	switch n {
	case lvtTimer:
		if a.c.TSCTime == nil {
			e &^= lvtDeadline
		}
		if (e^a.lvt[n])&lvtDeadline != 0 { // a change of this mode disarms (§10.5.4.1)
			a.expires, a.deadline = 0, 0
		}
	case lvtLINT0, lvtLINT1:
		if e&lvtLevel == 0 || e>>8&7 != Fixed {
			e &^= lvtRemoteIRR
		}
	}
	a.lvt[n] = e
}

// send issues the interrupt command, §10.6.1.
func (a *APIC) send() {
	m := Message{
		Dest:    uint32(a.icr >> 56),
		Logical: a.icr&(1<<11) != 0,
		Mode:    uint8(a.icr >> 8 & 7),
		Vector:  uint8(a.icr),
	}
	if a.x2() {
		m.Dest, m.Wide = uint32(a.icr>>32), true
	}
	assert, level := a.icr&(1<<14) != 0, a.icr&(1<<15) != 0
	switch m.Mode {
	case Fixed, Lowest:
		// The trigger mode of IPIs is edge, whatever ICR says.
		if m.Vector < 16 {
			a.fail(esrSendIllegal)
			return
		}
	case INIT:
		if level && !assert {
			return // level de-assert: sets arbitration IDs, which are not modelled
		}
	case 3, ExtINT:
		a.c.Env.Log.Guest("lapic %d: ICR %#x has a reserved delivery mode", a.id, a.icr)
		return
	}
	switch a.icr >> 18 & 3 { // shorthand
	case 0:
		a.c.Bus.deliver(m, nil, nil)
	case 1:
		if m.Mode != Fixed {
			a.c.Env.Log.Guest("lapic %d: ICR %#x sends what cannot be sent to self", a.id, a.icr)
			return
		}
		a.c.Bus.deliver(m, a, nil)
	case 2:
		m.Dest, m.Logical, m.Wide = 0xffffffff, false, true
		a.c.Bus.deliver(m, nil, nil)
	default:
		m.Dest, m.Logical, m.Wide = 0xffffffff, false, true
		a.c.Bus.deliver(m, nil, a)
	}
}

const (
	maxExpiry = int64(1) << 62
	// minPeriod bounds how often a timer is served: the guest must not keep
	// the host busy with a count of 1.
	minPeriod = 10_000
)

// divider returns what the divide configuration register says (Figure 10-10).
func (a *APIC) divider() uint64 {
	n := a.divide&3 | a.divide>>1&4
	return 1 << ((n + 1) & 7)
}

// ticks returns how long n counts take.
func (a *APIC) ticks(n uint32) int64 {
	hi, lo := bits.Mul64(uint64(n)*a.divider(), uint64(vclock.Second))
	if hi >= a.c.TimerHz {
		return maxExpiry / 2
	}
	q, _ := bits.Div64(hi, lo, a.c.TimerHz)
	return int64(min(q, uint64(maxExpiry/2)))
}

func (a *APIC) startTimer(n uint32) {
	if a.lvt[lvtTimer]&lvtDeadline != 0 {
		return // "writes to the initial-count register are ignored"
	}
	a.initCount, a.expires = n, 0
	if n != 0 {
		a.expires = a.c.Env.Clock.Now() + max(a.ticks(n), 1)
	}
}

// currentCount returns the count that is left.
func (a *APIC) currentCount() uint32 {
	if a.expires == 0 || a.lvt[lvtTimer]&lvtDeadline != 0 {
		return 0
	}
	left := uint64(max(a.expires-a.c.Env.Clock.Now(), 0))
	hi, lo := bits.Mul64(left, a.c.TimerHz)
	unit := uint64(vclock.Second) * a.divider()
	if hi >= unit {
		return a.initCount
	}
	q, rem := bits.Div64(hi, lo, unit)
	if rem != 0 {
		q++
	}
	return uint32(min(q, uint64(a.initCount)))
}

// runTimer does the expiries that are due, those of a late host as one.
func (a *APIC) runTimer() {
	if a.expires == 0 {
		return
	}
	now := a.c.Env.Clock.Now()
	if now >= a.expires {
		switch {
		case a.lvt[lvtTimer]&lvtDeadline != 0:
			a.expires, a.deadline = 0, 0
		case a.lvt[lvtTimer]&lvtPeriodic != 0 && a.initCount != 0:
			p := max(a.ticks(a.initCount), minPeriod)
			a.expires += (now-a.expires)/p*p + p
		default:
			a.expires = 0
		}
		a.local(lvtTimer)
	}
	if a.expires != 0 && a.lvt[lvtTimer]&lvtMasked == 0 {
		a.timer.Set(a.expires)
	} else {
		a.timer.Stop()
	}
}

// TSCDeadline returns IA32_TSC_DEADLINE.
func (a *APIC) TSCDeadline() uint64 {
	a.Settle()
	return a.deadline
}

// SetTSCDeadline writes IA32_TSC_DEADLINE (§10.5.4.1): 0 disarms.
func (a *APIC) SetTSCDeadline(tsc uint64) {
	if a.c.TSCTime == nil || a.lvt[lvtTimer]&lvtDeadline == 0 {
		return
	}
	a.deadline, a.expires = tsc, 0
	if tsc != 0 {
		a.expires = min(max(a.c.TSCTime(tsc), 1), maxExpiry)
	}
	a.Settle()
}
