// Package guest is what the engines need of a guest processor.
package guest

import (
	"rhea/internal/ir"
	"rhea/internal/snap"
)

// Key is everything that a translation depends on besides the code bytes. PC
// is the program counter the guest sees; PC+Base is the virtual address of
// the code; Limit and Mode are the guest's own.
type Key struct {
	PC    uint64
	Base  uint64
	Limit uint64
	Mode  uint64
}

// Access is what a memory access wants.
type Access uint8

// The accesses.
const (
	Read Access = iota
	Write
	Fetch
)

func (a Access) String() string { return [...]string{"read", "write", "fetch"}[a] }

// Page is what a walk of the page tables found.
type Page struct {
	PA       uint64 // physical address of the 4 KiB page
	Readable bool
	Writable bool // now; a clean page is not writable until its dirty bit is set
	Exec     bool
	Global   bool
	Large    bool
}

// Fault is an exception of a guest, in the guest's own terms. Nil is none.
type Fault struct {
	Vector int
	Code   uint32
	Addr   uint64
	// HasCode says that Code is delivered.
	HasCode bool
}

// Fetcher reads code for a translator: p is filled from virtual address va.
// It returns the number of bytes that could be had before a page that cannot
// be fetched from, and that page's fault.
type Fetcher interface {
	FetchCode(va uint64, p []byte) (int, *Fault)
}

// Translator turns code into IR.
type Translator interface {
	// Translate emits the unit that begins at k, of at most max instructions
	// and not going beyond the page it begins in but for the last
	// instruction.
	Translate(b *ir.Builder, code Fetcher, k Key, max int) *Fault
	// Moves reports whether the unit at k is that of any key which differs in
	// the page of PC only, but for the program counters in it. Translate can
	// then make one that moves (ir.Unit.Moves, which is set before).
	Moves(k Key) bool
	// Key is the key of what the processor is about to execute.
	Key() Key
}

// MMU translates addresses.
type MMU interface {
	// Walk translates va for MMU index idx, setting accessed and dirty bits
	// as the hardware does.
	Walk(va uint64, a Access, idx int) (Page, *Fault)
	// FetchIndex is the MMU index of instruction fetches.
	FetchIndex() int
	// Probe is Walk without side effects, for debuggers.
	Probe(va uint64) (pa uint64, ok bool)
}

// Helper is a Go function that translated code calls (see ir.Call). It may
// use and change all of the CPU's state. Stop means that the unit must be
// left: the program counter and all else is as it should be.
type Helper func(a, b, c uint64) (result uint64, stop bool)

// CPU is a guest processor.
type CPU interface {
	Translator
	MMU
	// Frame is the block of words in which translated code keeps the state.
	Frame() *ir.Frame
	// Move makes f the frame: the state moves there. Helpers are new ones
	// afterwards. An engine may call it before Attach.
	Move(f *ir.Frame)
	// Slots describes the frame.
	Slots() *ir.Slots
	// Helpers are what ir.Call can name, by number.
	Helpers() []Helper
	// Attach gives the processor its memory; the engine calls it once.
	Attach(Memory)
	Reset()
	// Pending reports whether the processor has something to do before the
	// next instruction, or instead of waiting when halted. Any goroutine may
	// call it.
	Pending() bool
	// Service does it: takes an interrupt, for example.
	Service()
	// Halted reports whether it waits for something to be pending.
	Halted() bool
	// Raise delivers an exception of the instruction at the current PC.
	Raise(*Fault)
	// Guarded is called when an ir.Guard with this code has left a unit.
	Guarded(code uint64)
	// Event is what stopped the last unit, if anything, and clears it.
	Event() Event
	Regs(RegSet)
	State(*snap.Section)
}

// Event is something that the processor asks of the engine's loop.
type Event uint8

// The events.
const (
	NoEvent Event = iota
	Halt
	TripleFault
	DebugStop
	// Trapped: a processor in user mode has met an exception or a system call.
	Trapped
)

// Memory is virtual memory as helpers and exceptions use it, given by the
// engine (with its TLB). Fault is nil if the access was done. MMU indexes are
// the guest's.
type Memory interface {
	Load(va uint64, size, idx int) (uint64, *Fault)
	// Store must be the last thing its instruction does to memory before the
	// unit ends: it may change the code of the running unit.
	Store(va uint64, size, idx int, v uint64) *Fault
	// Probe checks that size bytes at va can be accessed, without doing it.
	Probe(va uint64, size, idx int, a Access) *Fault
	// Bytes returns the memory from va to at most n bytes on, within its
	// page, if it is RAM that may be accessed directly for a; nil means use
	// Load and Store.
	Bytes(va uint64, n, idx int, a Access) []byte
	// FlushTLB drops all translations, or all but global ones.
	FlushTLB(keepGlobal bool)
	// FlushPage drops the translation of va's page.
	FlushPage(va uint64)
	// Wake makes the engine look at Pending soon. Any goroutine may call it.
	Wake()
	// LoadPhys and StorePhys bypass the MMU (page tables).
	LoadPhys(pa uint64, size int) uint64
	StorePhys(pa uint64, size int, v uint64)
	// In and Out access I/O ports where the guest has them.
	In(port uint64, size int) uint64
	Out(port uint64, size int, v uint64)
}

// Streams is a Memory whose ports may take many values at one go. Both methods
// report false, and have done nothing, where that cannot be.
type Streams interface {
	// InStream fills p with what len(p)/size reads of a port give.
	InStream(port uint64, size int, p []byte) bool
	// OutStream writes p to a port, size bytes at a time.
	OutStream(port uint64, size int, p []byte) bool
}

// RegSet collects registers for debuggers and logs.
type RegSet interface {
	Reg(name string, bits int, v uint64)
}
