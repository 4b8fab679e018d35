// Package x86 is the Intel 80386 and its successors: state, decoding,
// translation to IR, exceptions and the MMU. Section numbers are those of the
// Intel 64 and IA-32 Architectures Software Developer's Manual (SDM).
package x86

import (
	"math/rand/v2"
	"sync/atomic"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/trace"
	"rhea/internal/vclock"
)

// Config is what a CPU is made of.
type Config struct {
	Model *Model
	Clock vclock.Clock // for the time stamp counter
	Log   *trace.Log
	// Pages, if it is not nil, makes a processor for user mode: see StartUser.
	Pages Pages
	// SMM is called when the processor enters or leaves system management
	// mode (the SMIACT# pin): the board switches the memory it sees.
	SMM func(active bool)
	// FERR is the FERR# pin: an unmasked x87 exception while CR0.NE is 0. It
	// is called on the vCPU's goroutine, when a waiting x87 instruction meets
	// the exception and when that is cleared. A board that turns it into an
	// interrupt at once has that taken before the instruction. The level may
	// be what it was.
	FERR func(level bool)
	// Backdoor, if not nil, may answer an IN of 32 bits from port 5658h, which
	// passes registers. It is called on the vCPU's goroutine.
	Backdoor func(r *BackdoorRegs) bool
	// Random is where RDRAND and RDSEED have their numbers from; nil = the
	// host's.
	Random func() uint64
}

// BackdoorRegs are the registers that VMware's backdoor takes and gives.
type BackdoorRegs struct{ EAX, EBX, ECX, EDX, ESI, EDI uint32 }

// backdoorPort is where it is.
const backdoorPort = 0x5658

// APIC is the local APIC as the processor core sees it.
type APIC interface {
	BaseMSR() uint64
	// SetBaseMSR returns false if v sets reserved bits (#GP).
	SetBaseMSR(v uint64) bool
}

// CPU is one processor. Its pins (SetINTR and so on) may be driven from any
// goroutine; everything else belongs to the goroutine that runs it.
type CPU struct {
	s     *State
	frame *ir.Frame
	mem   guest.Memory
	cfg   Config
	model *Model

	encodable uint64 // see has
	wide      bool   // registers have 64 bits: the model has long mode

	log *trace.Log

	mode  uint64 // of guest.Key; refreshMode keeps it
	cpl   int
	event guest.Event
	trap  Trap

	pins    atomic.Uint32 // pin* bits
	ack     func() int    // INTA cycle: vector, or < 0 if none
	apic    APIC
	a20     bool
	halted  bool
	smm     bool
	nmiMask bool // NMIs are held off until IRET
	smbase  uint64

	held   atomic.Uint32 // pin* bits that have no effect at present
	smmNMI bool          // what nmiMask was when SMM was entered

	debugHits uint32    // DR6 bits that the instruction has collected
	pdpte     [4]uint64 // cached by the load of CR3 (SDM vol. 3, 4.4.1)

	sse      sseUnit
	floatOps []floatOp
	wideOps  map[string]int // of them, by the name of the 32-bit one
	x87      x87Unit
	ferr     bool // the FERR# pin
	unmasks  bool // the next instruction unmasks an exception: see Key

	tscOffset uint64
	msr       msrs

	slots   *ir.Slots
	helpers []guest.Helper
	tr      translator
}

// Input pins and latched edges, in CPU.pins.
const (
	pinINTR = 1 << iota // level
	pinNMI              // latched edge
	pinSMI              // latched edge
	pinINIT             // latched edge
	pinA20              // A20 was changed: see wantA20
	pinA20Level
	pinRESET // latched edge
)

// New makes a processor in its reset state.
func New(cfg Config) *CPU {
	if cfg.Random == nil {
		cfg.Random = rand.Uint64
	}
	c := &CPU{cfg: cfg, model: cfg.Model, log: cfg.Log, frame: new(ir.Frame), encodable: cfg.Model.encodable()}
	c.wide = c.model.has(featLM)
	c.s = stateOf(c.frame)
	c.slots = newSlots(c.wide)
	c.pins.Store(pinA20Level)
	c.Reset()
	return c
}

// Frame implements guest.CPU.
func (c *CPU) Frame() *ir.Frame { return c.frame }

// Move implements guest.CPU.
func (c *CPU) Move(f *ir.Frame) {
	copy(f[:ir.TempBase], c.frame[:ir.TempBase])
	c.frame, c.s = f, stateOf(f)
	c.helpers = nil
}

// Slots implements guest.CPU.
func (c *CPU) Slots() *ir.Slots { return c.slots }

// Helpers implements guest.CPU.
func (c *CPU) Helpers() []guest.Helper {
	if c.helpers == nil { // they know the frame
		c.helpers = c.helperTable()
	}
	return c.helpers
}

// Attach implements guest.CPU.
func (c *CPU) Attach(m guest.Memory) { c.mem = m }

// Event implements guest.CPU.
func (c *CPU) Event() guest.Event {
	e := c.event
	c.event = guest.NoEvent
	return e
}

// SetIntAck names who answers the INTA cycle with a vector; < 0 = spurious.
func (c *CPU) SetIntAck(f func() int) { c.ack = f }

// SetAPIC gives the processor its local APIC.
func (c *CPU) SetAPIC(a APIC) { c.apic = a }

func (c *CPU) setPin(bit uint32, on bool) {
	if on {
		c.pins.Or(bit)
		if c.mem != nil {
			c.mem.Wake()
		}
	} else {
		c.pins.And(^bit)
	}
}

// SetINTR drives the INTR pin.
func (c *CPU) SetINTR(level bool) { c.setPin(pinINTR, level) }

// SetNMI drives the NMI pin; its rising edge is latched.
func (c *CPU) SetNMI(level bool) {
	if level {
		c.setPin(pinNMI, true)
	}
}

// SetSMI drives the SMI# pin; its assertion is latched.
func (c *CPU) SetSMI(level bool) {
	if level {
		c.setPin(pinSMI, true)
	}
}

// RESET is a pulse on the RESET pin: the processor resets itself before it
// executes anything more.
func (c *CPU) RESET() { c.setPin(pinRESET, true) }

// INIT is a pulse on the INIT pin.
func (c *CPU) INIT() { c.setPin(pinINIT, true) }

// SetA20 drives the A20M# pin (level true: address bit 20 works). It takes
// effect at the next instruction boundary.
func (c *CPU) SetA20(level bool) {
	if level {
		c.pins.Or(pinA20Level)
	} else {
		c.pins.And(^uint32(pinA20Level))
	}
	c.setPin(pinA20, true)
}

// Key implements guest.Translator.
func (c *CPU) Key() guest.Key {
	mode := c.mode | c.s.FIgnore*modeFIgnore
	if c.s.MXCSR&mxMasks != mxMasks || c.unmasks {
		mode |= modeXM
	}
	if c.s.FCW&fswExceptions != fswExceptions || c.s.FSW&fswES != 0 || c.unmasks {
		mode |= modeFM
	}
	c.unmasks = false
	if c.s.Flags&flagRF == 0 {
		mode &^= modeRF // cleared by the instruction that it was for
	}
	if c.s.Shadow != 0 {
		mode |= modeShadow
		if c.s.Shadow == shadowSS {
			mode &^= modeDbgExec
		}
	}
	if mode&modeLong != 0 {
		return guest.Key{PC: c.s.IP, Limit: ^uint64(0), Mode: mode}
	}
	base := c.s.Seg[CS].Base
	if (c.s.IP+base)>>32 != 0 && c.wide { // linear addresses wrap at 4 GiB
		base -= 1 << 32
	}
	return guest.Key{PC: c.s.IP, Base: base, Limit: c.s.Seg[CS].Limit + 1, Mode: mode}
}

// mmuIndex is the MMU index of the program's own accesses, systemIndex that of
// the processor's (SDM vol. 3, 4.6.1).
func (c *CPU) mmuIndex() int { return indexOf(c.mode) }

func (c *CPU) systemIndex() int {
	if c.s.CR4&cr4SMAP != 0 {
		return mmuSMAP
	}
	return mmuKernel
}

// indexAt is the MMU index of the processor's accesses at level cpl.
func (c *CPU) indexAt(cpl int) int {
	if cpl == 3 {
		return mmuUser
	}
	return c.systemIndex()
}
