package ir

// FrameWords is the size of a Frame: whatever a uint16 can index, so that an
// interpreter's accesses need no bounds checks; few of the words are ever
// touched. Words below TempBase are guest state, the others are an engine's
// temporaries.
const (
	FrameWords = 1 << 16
	TempBase   = 512
)

// Frame is the memory that translated code works on: the guest's state as
// 64-bit words, and the engine's temporaries. It holds no Go pointers, so
// that it may lie outside the Go heap.
//
// An integer narrower than 64 bits is kept zero-extended to its word. A V128
// takes two words, the low half first.
type Frame [FrameWords]uint64

// Slot is the index of a word of guest state.
type Slot uint16

// SlotInfo describes one slot.
type SlotInfo struct {
	Name string
	Type Type
}

// Slots describes the guest state of a Frame.
type Slots struct {
	// Info has an entry for each word below TempBase; words that are not the
	// start of a slot have an empty name.
	Info [TempBase]SlotInfo
	// PC is the program counter, which Insn sets.
	PC Slot
	// Page is the address of the page in which a unit that moves runs, an
	// engine's word; 0 = no unit does.
	Page Slot
	// Hot are the slots that engines should keep in registers, the hottest
	// first: integers of at most 64 bits.
	Hot []Slot
	// Lazy describes lazy flags; nil = the guest has none, or they differ.
	Lazy *Lazy
	// Vectors are the V128 slots that engines should keep in registers.
	Vectors []Slot
	// FPStatus is the control and status word of vector arithmetic, in the
	// form of SSE's MXCSR; 0 = none.
	FPStatus Slot
	// Scratch are slots in which a value is handed from a Set to an operation
	// of the same guest instruction that names them, and not beyond.
	Scratch []Slot
	// Stack is the guest's x87, if it has one.
	Stack Stack
	// Cas is the helper that compares the byte at an address (the first
	// argument) with a value (the second) and, if they are equal, stores
	// another (the third), as one operation for other threads; the result is
	// what was there. Those of 2, 4 and 8 bytes follow. 0 = none. Engines may
	// do the same in machine code.
	Cas int
}

// Find returns the slot called name.
func (s *Slots) Find(name string) (Slot, bool) {
	for i := range s.Info {
		if s.Info[i].Name == name && name != "" {
			return Slot(i), true
		}
	}
	return 0, false
}

// Name returns the name of a slot.
func (s *Slots) Name(x Slot) string {
	if s != nil && int(x) < len(s.Info) && s.Info[x].Name != "" {
		return s.Info[x].Name
	}
	return "s" + itoa(int(x))
}
