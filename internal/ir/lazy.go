package ir

// Lazy describes arithmetic flags that a guest keeps as what they follow from,
// for engines that can compute them without the guest's helper. The flags are
// CF, PF, AF, ZF, SF and OF at bits 0, 2, 4, 6, 7 and 11.
//
// The slot Op holds a kind (below) plus log2 of the operands' size in bytes.
// Numbers that are no kind are the guest's own affair.
type Lazy struct {
	// Helper returns the flags and changes nothing.
	Helper            int
	Op, Dst, Src, Aux Slot
}

// The kinds.
const (
	LazyFlags = 0  // Src holds the flags themselves
	LazyAdd   = 4  // Dst = a + b, Src = b
	LazySub   = 8  // Dst = a - b, Src = b
	LazyLogic = 12 // Dst; CF = OF = AF = 0
	LazyAdc   = 36 // Dst = a + b + carry, Src = b, Aux = a
	LazySbb   = 40 // Dst = a - b - carry, Src = b, Aux = a
	LazyCmp   = 44 // a - b; Dst = a, Src = b
	LazyEnd   = 48
)
