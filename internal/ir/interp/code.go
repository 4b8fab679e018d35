// Package interp executes ir: the portable engine, and the oracle for those
// that make machine code. A unit is lowered once to a compact code for a
// register machine whose registers are the words of the Frame, so that guest
// registers are operands like any other.
package interp

import (
	"sync/atomic"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// op is one lowered operation. Operands a, b, c are words of the frame.
type op struct {
	code    opcode
	a, b, c uint16
	imm     uint64
}

// Code is a lowered unit.
type Code struct {
	ops    []op
	wb     []writeback
	wbs    []span // of wb
	guards []guard
	calls  []call
	links  []Link
	index  int // the MMU index of its accesses

	// PC is where the unit begins, Guest its number of guest instructions.
	PC    uint64
	Guest int
	// Valid is false once the guest code has changed.
	Valid bool
	// OneShot says that stores to the unit's own code need not leave it: it
	// is a single instruction that will not be run again.
	OneShot bool
	// Owner is the engine's.
	Owner any
}

// Link is a known way out of a unit; To is where it leads once that is known.
type Link struct {
	PC uint64
	To *Code
}

// Link returns the n-th link.
func (c *Code) Link(n int) *Link { return &c.links[n] }

// Links returns how many there are.
func (c *Code) Links() int { return len(c.links) }

// Size is roughly the memory a Code takes, in bytes.
func (c *Code) Size() int {
	return len(c.ops)*16 + len(c.wb)*16 + len(c.wbs)*8 + len(c.guards)*16 + len(c.calls)*32 + len(c.links)*16 + 200
}

// writeback is a slot to be written when a unit is left at some operation.
type writeback struct {
	slot  uint16
	src   uint16 // word of the frame; 0xffff = value
	value uint64
}

const noWord = 0xffff

type span struct{ first, end uint32 }

type guard struct {
	code uint64
	wb   uint32
}

type call struct {
	fn   guest.Helper
	args [3]uint16
	dst  uint16
	wb   uint32
	stop bool // may stop
}

// Exit is why Run came back.
type Exit uint8

// The reasons. In all cases the frame holds the exact state.
const (
	// Poll: Attention is set; PC is at the beginning of a unit.
	Poll Exit = iota
	// Linked: Machine.Out, link number Machine.Arg, leads to where no unit is known.
	Linked
	// Indirect: on to PC, in the same mode.
	Indirect
	// Loop: on to PC; the mode may have changed.
	Loop
	// Stopped: a helper has stopped the unit.
	Stopped
	// Faulted: Machine.Fault was met at PC.
	Faulted
	// Guarded: the guard with code Machine.Arg failed at PC.
	Guarded
	// SelfModified: the instruction at PC would change its own unit; nothing
	// of it has been done. It is to be run alone, as a OneShot.
	SelfModified
)

// Memory is what the machine asks when its TLB has no answer.
type Memory interface {
	// Miss does the access that the TLB cannot. Fault is nil if it was done.
	// It may fill the TLB.
	MissLoad(va uint64, size, index int, rmw bool) (uint64, *guest.Fault)
	// MissStore returns selfModified, having done nothing, if the store
	// would change running's code and running is not a OneShot.
	MissStore(va uint64, size, index int, v uint64, running *Code) (fault *guest.Fault, selfModified bool)
}

// Prober is a Memory that does ir.Mem.Probe.
type Prober interface {
	MissProbe(va uint64, size, index int) *guest.Fault
}

// Machine is what Run works on.
type Machine struct {
	Frame *ir.Frame
	TLB   [Indexes]TLB
	Mem   Memory
	pc    ir.Slot

	// Attention makes Run come back at the next unit. Any goroutine may set it.
	Attention atomic.Uint32

	// Count is the number of guest instructions in the units entered.
	Count uint64

	Out   *Code
	Arg   uint64
	Fault *guest.Fault
}

// NewMachine returns a Machine for a guest's frame.
func NewMachine(f *ir.Frame, s *ir.Slots, mem Memory) *Machine {
	m := &Machine{Frame: f, Mem: mem, pc: s.PC}
	// 0 is a tag that only the first page has: an access there, or one that wraps
	// around to it, could take an entry that was never filled for it.
	for i := range m.TLB {
		m.TLB[i].entries[0].Clear()
		m.TLB[i].entries[TLBSize-1].Clear()
	}
	return m
}

// Indexes is the number of MMU indexes.
const Indexes = 4

// TLBSize is the number of entries of a TLB.
const TLBSize = 1024

const pageMask = 4095

// noTag is a tag that no page has.
const noTag = 1

// Entry says where a page's bytes are, if they may be accessed directly.
type Entry struct {
	read, write uint64 // the page's address, or noTag
	page        *[4096]byte
	// Slow is what a miss on a page that is known, but not to be accessed
	// directly, needs.
	Slow Slow
}

// Slow describes a page.
type Slow struct {
	Tag    uint64 // the page's address, or noTag
	PA     uint64 // physical
	Global bool
	R, W   bool // whether the guest may access it
}

// TLB is a cache of translations, direct-mapped.
type TLB struct{ entries [TLBSize]Entry }

// At returns the entry that va's page would have.
func (t *TLB) At(va uint64) *Entry { return &t.entries[va>>12%TLBSize] }

// Fill sets the entry. Page may be nil; direct says which accesses may use it.
func (e *Entry) Fill(page *[4096]byte, read, write bool, s Slow) {
	e.page, e.Slow = page, s
	e.read, e.write = noTag, noTag
	if page != nil {
		if read {
			e.read = s.Tag
		}
		if write {
			e.write = s.Tag
		}
	}
}

// Page returns the bytes of the page at va if they may be read (or written) directly.
func (e *Entry) Page(va uint64, write bool) *[4096]byte {
	tag := e.read
	if write {
		tag = e.write
	}
	if tag != va&^pageMask {
		return nil
	}
	return e.page
}

// Clear empties the entry.
func (e *Entry) Clear() { *e = Entry{read: noTag, write: noTag, Slow: Slow{Tag: noTag}} }

// Flush empties the TLB, or all but global pages.
func (t *TLB) Flush(keepGlobal bool) {
	for i := range t.entries {
		if e := &t.entries[i]; !keepGlobal || !e.Slow.Global {
			e.Clear()
		}
	}
}

// Protect makes the next store take the slow way.
func (e *Entry) Protect() { e.write = noTag }
