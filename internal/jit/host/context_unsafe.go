package host

import (
	"sync/atomic"
	"unsafe"

	"rhea/internal/ir"
)

const (
	pageSize   = 4096
	frameBytes = ir.FrameWords * 8

	// headerSize is what precedes the Frame, counted from a page's start: the
	// words and, below them, what the fault handler writes. With it on the same
	// page as the guest's registers, one TLB entry serves both.
	headerSize = 256

	// Below the engine's words, for the fault handler.
	offFaultAddr   = -136
	offFaultRIP    = -144
	offFaultSignal = -152
	offFaultTo     = -160

	// OffTables is the offset of the tables from R15; their address is
	// page-aligned.
	OffTables = (headerSize+frameBytes+pageSize-1)/pageSize*pageSize - headerSize
)

// Context is the memory of one vCPU that generated code works on: its private
// stack, the words, the Frame, and tables at a fixed distance from R15, so that
// generated code needs no base register for them. None of it is Go's heap.
//
// One goroutine at a time may use a Context; SetAttention, ClearAttention and
// Pending may be called by any, at any time before Close. Synchronization by
// way of them is not seen by the race detector, which knows Go's heap only.
type Context struct {
	Frame *ir.Frame

	tables []uint64
	all    []byte // the mapping: guard page, header, Frame, tables, guard page
	stack  span   // in the window
}

// lay makes c of a mapping whose first and last pages are guards.
func (c *Context) lay(all []byte, tables int) {
	c.all = all
	base := unsafe.Add(unsafe.Pointer(unsafe.SliceData(all)), pageSize+headerSize)
	c.Frame = (*ir.Frame)(base)
	if tables > 0 {
		c.tables = unsafe.Slice((*uint64)(unsafe.Add(base, OffTables)), tables/8)
	}
}

// contextSize is the length of a Context's mapping.
func contextSize(tables int) int {
	return pageSize + headerSize + OffTables + roundUp(tables) + pageSize
}

func roundUp(n int) int { return (n + pageSize - 1) &^ (pageSize - 1) }

// Base is what R15 holds in generated code: the address of the Frame.
func (c *Context) Base() uintptr { return uintptr(unsafe.Pointer(c.Frame)) }

// Word returns one of the words (OffPoll … OffEngine+40).
func (c *Context) Word(off int) *uint64 {
	if off < OffPoll || off > -8 || off&7 != 0 {
		panic("BUG: host: no such word")
	}
	return c.word(off)
}

func (c *Context) word(off int) *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(c.Frame), off))
}

// Tables is the tables' memory, zero until written.
func (c *Context) Tables() []uint64 { return c.tables }

func (c *Context) poll() *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Add(unsafe.Pointer(c.Frame), OffPoll))
}

// attention is byte 0 of the poll word. It is set and cleared by locked
// operations on the whole word, so that the SIGURG handler's plain store to
// byte 1 is never lost.
const attention = 0xff

// SetAttention makes generated code leave at its next poll, and keeps doing so
// until ClearAttention.
func (c *Context) SetAttention() { c.poll().Or(1) }

// ClearAttention ends what SetAttention began.
func (c *Context) ClearAttention() { c.poll().And(^uint32(attention)) }

// Pending says whether attention is set. The runtime's requests do not count:
// they are over once generated code has left.
func (c *Context) Pending() bool { return c.poll().Load()&attention != 0 }

// Fault describes the host exception for which Enter returned ExitFault: the
// address that could not be accessed (0 if the exception has none, or if the
// address was not canonical) and where the instruction was (for SIGTRAP, behind
// it). ok is false if the last run ended otherwise.
func Fault(c *Context) (addr, rip uintptr, ok bool) {
	if uint32(*c.word(OffExit)) != ExitFault {
		return 0, 0, false
	}
	return uintptr(*c.word(offFaultAddr)), uintptr(*c.word(offFaultRIP)), true
}

// SetFaultEntry has generated code that raises SIGSEGV or SIGBUS go on at an
// address of its own, with all registers as they were. It is to leave with
// ExitFault; Fault says then what Fault says. 0 ends that.
func (c *Context) SetFaultEntry(a uintptr) { *c.word(offFaultTo) = uint64(a) }

// FaultSignal is the number of the signal that Fault's exception raised.
func (c *Context) FaultSignal() int { return int(*c.word(offFaultSignal)) }
