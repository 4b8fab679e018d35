// Package lapic models the local APIC (xAPIC and x2APIC) of Intel's processors, as the
// Software Developer's Manual, volume 3A (253668), chapter 10 describes it,
// and the bus between APICs.
//
// Levels at LINT0 and LINT1 are "asserted"; the polarity bits of the LVT are
// kept and have no effect.
package lapic

import (
	"rhea/internal/dev"
	"rhea/internal/irq"
	"rhea/internal/mem"
	"rhea/internal/snap"
	"rhea/internal/vclock"
)

// DefaultBase is where the registers are after reset.
const DefaultBase = 0xfee00000

// IA32_APIC_BASE, §10.4.4.
const (
	baseBSP    = 1 << 8
	baseX2     = 1 << 10
	baseEnable = 1 << 11
)

// version is an integrated APIC with LVT entries 0..5.
const version = 0x14 | (lvtCount-1)<<16

// Entries of the local vector table, §10.5.1, in the order of registers.
const (
	lvtTimer = iota
	lvtThermal
	lvtPerf
	lvtLINT0
	lvtLINT1
	lvtError
	lvtCount
)

// Bits of an LVT entry.
const (
	lvtRemoteIRR = 1 << 14
	lvtLevel     = 1 << 15
	lvtMasked    = 1 << 16
	lvtModeShift = 17 // timer: 0 one-shot, 1 periodic, 2 TSC-deadline
	lvtDeadline  = 2 << lvtModeShift
	lvtPeriodic  = 1 << lvtModeShift
)

// lvtBits are the bits that the guest can write, beside the mask.
var lvtBits = [lvtCount]uint32{0x600ff, 0x7ff, 0x7ff, 0xa7ff, 0xa7ff, 0xff}

const svrEnable = 1 << 8

// Error status, §10.5.3.
const (
	esrSendIllegal    = 1 << 5
	esrReceiveIllegal = 1 << 6
	esrRegister       = 1 << 7
)

// Config connects a local APIC.
type Config struct {
	Env dev.Env
	Bus *Bus
	ID  uint8
	BSP bool
	// VirtualWire has LINT0 of the bootstrap processor pass the 8259's
	// interrupts from reset on (as ExtINT), for machines whose firmware
	// does not know of APICs.
	VirtualWire bool

	// INTR is high while there is an interrupt for Acknowledge. NMI, SMI and
	// INIT are pulsed.
	INTR, NMI, SMI, INIT irq.Line
	// SIPI is told of start-up messages.
	SIPI func(vector uint8)
	// ExtINT acknowledges an interrupt of the 8259s and returns its vector;
	// nil = there are none.
	ExtINT func() int
	// OnBase, if not nil, is told by Settle where the registers are.
	OnBase func(base uint64, enabled bool)

	// TimerHz is the timer's input clock; 0 is 1 GHz.
	TimerHz uint64
	// TSCTime returns when (on Env.Clock) the time-stamp counter will be tsc;
	// nil = there is no TSC-deadline mode.
	TSCTime func(tsc uint64) int64
	// X2APIC says that there is the x2APIC mode.
	X2APIC bool
	// PhysBits is the width of physical addresses; 0 is 36.
	PhysBits int
}

// APIC is a local APIC.
type APIC struct {
	c     Config
	timer *vclock.Timer

	base uint64 // IA32_APIC_BASE
	id   uint8
	tpr  uint8
	ldr  uint32
	dfr  uint32
	svr  uint32
	esr  uint32 // as read
	errs uint32 // since the last write to ESR
	icr  uint64
	lvt  [lvtCount]uint32

	isr, tmr, irr vectors

	initCount uint32
	divide    uint32
	expires   int64  // the timer's next expiry, 0 = it stands
	deadline  uint64 // IA32_TSC_DEADLINE

	lint   [2]bool // pins
	extInt bool    // an ExtINT message waits
}

// New returns a local APIC on c.Bus.
func New(c Config) *APIC {
	if c.TimerHz == 0 {
		c.TimerHz = 1_000_000_000
	}
	if c.PhysBits == 0 {
		c.PhysBits = 36
	}
	a := &APIC{c: c}
	a.timer = c.Env.Clock.NewTimer(a.Settle)
	a.Reset()
	c.Bus.apics = append(c.Bus.apics, a)
	return a
}

// Reset implements dev.Device: power-up, §10.4.7.1.
func (a *APIC) Reset() {
	a.base = DefaultBase | baseEnable
	if a.c.BSP {
		a.base |= baseBSP
	}
	a.id = a.c.ID
	a.clear()
}

// clear sets the registers but ID and base, as INIT does (§10.4.7.3).
func (a *APIC) clear() {
	lint := a.lint
	*a = APIC{c: a.c, timer: a.timer, base: a.base, id: a.id, lint: lint, dfr: 0xffffffff, svr: 0xff}
	for i := range a.lvt {
		a.lvt[i] = lvtMasked
	}
	if a.c.BSP && a.c.VirtualWire {
		a.lvt[lvtLINT0] = ExtINT << 8
	}
	a.timer.Stop()
}

// Init is the INIT# pin of the processor: the APIC is reset but for its ID
// and base. (INIT messages do it by themselves.)
func (a *APIC) Init() {
	a.clear()
	a.Settle()
}

// Region returns the registers: a page at the address of BaseMSR, which each
// processor sees for itself.
func (a *APIC) Region() *mem.Region { return mem.NewIO("lapic", 4096, a).Sizes(4, 4) }

// ID returns the APIC ID.
func (a *APIC) ID() uint8 { return a.id }

// enabled reports the global enable, accepts the one of software as well.
func (a *APIC) enabled() bool { return a.base&baseEnable != 0 }
func (a *APIC) accepts() bool { return a.enabled() && a.svr&svrEnable != 0 }

// BaseMSR returns IA32_APIC_BASE.
func (a *APIC) BaseMSR() uint64 { return a.base }

// SetBaseMSR writes IA32_APIC_BASE; false = #GP.
func (a *APIC) SetBaseMSR(v uint64) bool {
	if v&(0xff|1<<9) != 0 || v>>a.c.PhysBits != 0 || !a.mayGo(v) {
		return false
	}
	was := a.enabled()
	a.base = v
	if a.x2() {
		a.ldr = uint32(a.id)>>4<<16 | 1<<(a.id&15) // §10.12.10.2
		a.icr &= 0xffffffff
	}
	if was != a.enabled() {
		a.clear() // "returns to the state after power-up" (§10.4.3)
	}
	a.Settle()
	return true
}

// TPR returns the task priority register (CR8 is its bits 7..4).
func (a *APIC) TPR() uint8 { return a.tpr }

// SetTPR sets it.
func (a *APIC) SetTPR(v uint8) {
	a.tpr = v
	a.Settle()
}

// ppr is the processor priority, §10.8.3.1.
func (a *APIC) ppr() uint8 {
	if isrv := a.isr.highest(); isrv >= 0 && uint8(isrv)&0xf0 > a.tpr&0xf0 {
		return uint8(isrv) & 0xf0
	}
	return a.tpr
}

// apr is the arbitration priority, §10.6.2.4.
func (a *APIC) apr() uint8 {
	p := a.tpr
	for _, v := range [2]int{a.irr.highest(), a.isr.highest()} {
		if v >= 0 && uint8(v)&0xf0 > p&0xf0 {
			p = uint8(v) & 0xf0
		}
	}
	return p
}

// deliverable returns the vector that is due, -1 if there is none.
func (a *APIC) deliverable() int {
	v := a.irr.highest()
	if v < 0 || !a.accepts() || uint8(v)&0xf0 <= a.ppr()&0xf0 {
		return -1
	}
	return v
}

// external reports whether the 8259's interrupt is passed on.
func (a *APIC) external() bool {
	switch {
	case a.c.ExtINT == nil:
		return false
	case !a.enabled():
		return a.lint[0] // LINT0 is the INTR pin
	}
	lvt := a.lvt[lvtLINT0]
	return a.extInt || a.lint[0] && lvt&lvtMasked == 0 && lvt>>8&7 == ExtINT
}

// Pending reports whether INTR is high.
func (a *APIC) Pending() bool { return a.deliverable() >= 0 || a.external() }

// Acknowledge is the processor taking the interrupt: it returns the vector.
// If it has gone meanwhile, that is the spurious one.
func (a *APIC) Acknowledge() int {
	v := a.deliverable()
	switch {
	case v >= 0:
		a.irr.clear(uint8(v))
		a.isr.set(uint8(v))
	case a.external():
		a.extInt = false
		v = a.c.ExtINT()
	default:
		v = int(a.svr & 0xff)
	}
	a.Settle()
	return v
}

// take accepts a message (§10.8.2); a software-disabled APIC takes no vectors.
func (a *APIC) take(m Message) bool {
	switch m.Mode {
	case Fixed, Lowest:
		if !a.accepts() || !a.vector(m.Vector, m.Level) {
			a.Settle()
			return false
		}
	case SMI:
		a.c.SMI.Pulse()
	case NMI:
		a.c.NMI.Pulse()
	case INIT:
		a.clear()
		a.c.INIT.Pulse()
	case StartUp:
		if a.c.SIPI != nil {
			a.c.SIPI(m.Vector)
		}
	case ExtINT:
		a.extInt = true
	default:
		return false
	}
	a.Settle()
	return true
}

// vector puts a vector into IRR.
func (a *APIC) vector(v uint8, level bool) bool {
	if v < 16 {
		a.fail(esrReceiveIllegal)
		return false
	}
	a.irr.set(v)
	a.tmr.clear(v)
	if level {
		a.tmr.set(v)
	}
	return true
}

// fail notes an error. The error interrupt itself may have a bad vector,
// which is noted and goes no further.
func (a *APIC) fail(bit uint32) {
	a.errs |= bit
	if e := a.lvt[lvtError]; e&lvtMasked == 0 {
		if uint8(e) < 16 {
			a.errs |= esrReceiveIllegal
			return
		}
		a.vector(uint8(e), false)
	}
}

// local is an interrupt of the APIC's own (§10.5.1). It reports whether there
// was anybody to take it.
func (a *APIC) local(n int) bool {
	e := a.lvt[n]
	if e&lvtMasked != 0 || !a.enabled() {
		return false
	}
	mode := uint8(e >> 8 & 7)
	if n == lvtTimer || n == lvtError {
		mode = Fixed
	}
	switch mode {
	case Fixed:
		return a.vector(uint8(e), n >= lvtLINT0 && n <= lvtLINT1 && e&lvtLevel != 0)
	case SMI:
		a.c.SMI.Pulse()
	case NMI:
		a.c.NMI.Pulse()
	case INIT:
		a.clear()
		a.c.INIT.Pulse()
	}
	return true
}

// LINT returns the pin LINT0 (the 8259's INT) or LINT1 (NMI).
func (a *APIC) LINT(n int) irq.Line {
	pin := &a.lint[n]
	return func(level bool) {
		if *pin == level {
			return
		}
		*pin = level
		if level {
			a.lintEdge(n)
		}
		a.Settle()
	}
}

func (a *APIC) lintEdge(n int) {
	if !a.enabled() {
		if n == 1 {
			a.c.NMI.Pulse()
		}
		return
	}
	if e := a.lvt[lvtLINT0+n]; e&lvtLevel == 0 || e>>8&7 != Fixed {
		a.local(lvtLINT0 + n)
	}
}

// lintLevels delivers level-triggered fixed interrupts of LINT0 and LINT1.
func (a *APIC) lintLevels() {
	for n, high := range a.lint {
		e := &a.lvt[lvtLINT0+n]
		if high && *e&(lvtLevel|lvtRemoteIRR|lvtMasked) == lvtLevel && *e>>8&7 == Fixed && a.local(lvtLINT0+n) {
			*e |= lvtRemoteIRR
		}
	}
}

// Thermal and PerformanceMonitor are the processor's causes of interrupts.
func (a *APIC) Thermal() {
	a.local(lvtThermal)
	a.Settle()
}

// PerformanceMonitor is an overflow of a counter; the entry masks itself
// (§10.5.1).
func (a *APIC) PerformanceMonitor() {
	a.local(lvtPerf)
	a.lvt[lvtPerf] |= lvtMasked
	a.Settle()
}

// eoi ends the interrupt of highest priority.
func (a *APIC) eoi() {
	n := a.isr.highest()
	if n < 0 {
		return
	}
	v := uint8(n)
	a.isr.clear(v)
	if !a.tmr.has(v) {
		return
	}
	for i := lvtLINT0; i <= lvtLINT1; i++ {
		if uint8(a.lvt[i]) == v {
			a.lvt[i] &^= lvtRemoteIRR
		}
	}
	a.c.Bus.endOfInterrupt(v)
}

// Settle implements dev.Settler.
func (a *APIC) Settle() {
	a.runTimer()
	a.lintLevels()
	if a.c.OnBase != nil {
		a.c.OnBase(a.base&^0xfff, a.enabled() && !a.x2())
	}
	a.c.INTR.Set(a.Pending())
}

// State implements dev.Device.
func (a *APIC) State(s *snap.Section) {
	s.Version(1)
	s.U64("base", &a.base)
	s.U8("id", &a.id)
	s.U8("tpr", &a.tpr)
	s.U32("ldr", &a.ldr)
	s.U32("dfr", &a.dfr)
	s.U32("svr", &a.svr)
	s.U32("esr", &a.esr)
	s.U32("errs", &a.errs)
	s.U64("icr", &a.icr)
	for i, n := range [lvtCount]string{"lvt_timer", "lvt_thermal", "lvt_perf", "lvt_lint0", "lvt_lint1", "lvt_error"} {
		s.U32(n, &a.lvt[i])
		s.Check(a.lvt[i]&^(lvtBits[i]|lvtMasked|lvtRemoteIRR) == 0, n+" is out of range")
	}
	s.Sub("isr", a.isr.state)
	s.Sub("tmr", a.tmr.state)
	s.Sub("irr", a.irr.state)
	s.U32("init_count", &a.initCount)
	s.U32("divide", &a.divide)
	s.I64("expires", &a.expires)
	s.U64("deadline", &a.deadline)
	s.Bool("lint0", &a.lint[0])
	s.Bool("lint1", &a.lint[1])
	s.Bool("ext_int", &a.extInt)
	s.Check(a.base&(0xff|1<<9) == 0 && (!a.x2() || a.c.X2APIC && a.enabled()) && a.base>>a.c.PhysBits == 0, "base is out of range")
	s.Check(a.expires >= 0 && a.expires <= maxExpiry, "expires is out of range")
}
