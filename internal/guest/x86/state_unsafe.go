package x86

import (
	"unsafe"

	"rhea/internal/ir"
)

// The slots of State's fields: offset in words.
const (
	slotGPR     = ir.Slot(unsafe.Offsetof(State{}.GPR) / 8)
	slotIP      = ir.Slot(unsafe.Offsetof(State{}.IP) / 8)
	slotCCOp    = ir.Slot(unsafe.Offsetof(State{}.CCOp) / 8)
	slotCCDst   = ir.Slot(unsafe.Offsetof(State{}.CCDst) / 8)
	slotCCSrc   = ir.Slot(unsafe.Offsetof(State{}.CCSrc) / 8)
	slotCCInc   = ir.Slot(unsafe.Offsetof(State{}.CCInc) / 8)
	slotCCRot   = ir.Slot(unsafe.Offsetof(State{}.CCRot) / 8)
	slotCCCarry = ir.Slot(unsafe.Offsetof(State{}.CCCarry) / 8)
	slotCCAux   = ir.Slot(unsafe.Offsetof(State{}.CCAux) / 8)
	slotDF      = ir.Slot(unsafe.Offsetof(State{}.DF) / 8)
	slotFlags   = ir.Slot(unsafe.Offsetof(State{}.Flags) / 8)
	slotShadow  = ir.Slot(unsafe.Offsetof(State{}.Shadow) / 8)
	slotSeg     = ir.Slot(unsafe.Offsetof(State{}.Seg) / 8)
	slotLDTR    = ir.Slot(unsafe.Offsetof(State{}.LDTR) / 8)
	slotTR      = ir.Slot(unsafe.Offsetof(State{}.TR) / 8)
	slotGDTR    = ir.Slot(unsafe.Offsetof(State{}.GDTR) / 8)
	slotCR0     = ir.Slot(unsafe.Offsetof(State{}.CR0) / 8)
	slotFPR     = ir.Slot(unsafe.Offsetof(State{}.FPR) / 8)
	slotFTop    = ir.Slot(unsafe.Offsetof(State{}.FTop) / 8)
	slotFCW     = ir.Slot(unsafe.Offsetof(State{}.FCW) / 8)
	slotFSW     = ir.Slot(unsafe.Offsetof(State{}.FSW) / 8)
	slotFTW     = ir.Slot(unsafe.Offsetof(State{}.FTW) / 8)
	slotFOP     = ir.Slot(unsafe.Offsetof(State{}.FOP) / 8)
	slotPage    = ir.Slot(unsafe.Offsetof(State{}.Page) / 8)
	slotFIP     = ir.Slot(unsafe.Offsetof(State{}.FIP) / 8)
	slotFIPPage = ir.Slot(unsafe.Offsetof(State{}.FIPPage) / 8)
	slotFDP     = ir.Slot(unsafe.Offsetof(State{}.FDP) / 8)
	slotFCS     = ir.Slot(unsafe.Offsetof(State{}.FCS) / 8)
	slotFDS     = ir.Slot(unsafe.Offsetof(State{}.FDS) / 8)
	slotXMM     = ir.Slot(unsafe.Offsetof(State{}.XMM) / 8)
	slotXCR0    = ir.Slot(unsafe.Offsetof(State{}.XCR0) / 8)
	slotYMMH    = ir.Slot(unsafe.Offsetof(State{}.YMMH) / 8)
	slotMXCSR   = ir.Slot(unsafe.Offsetof(State{}.MXCSR) / 8)

	slotFIgnore = ir.Slot(unsafe.Offsetof(State{}.FIgnore) / 8)
	slotTmp     = ir.Slot(unsafe.Offsetof(State{}.Tmp) / 8)

	segWords   = ir.Slot(unsafe.Sizeof(Segment{}) / 8)
	stateWords = int(unsafe.Sizeof(State{}) / 8)
)

// Words of a Segment.
const (
	segSel  = ir.Slot(unsafe.Offsetof(Segment{}.Sel) / 8)
	segBase = ir.Slot(unsafe.Offsetof(Segment{}.Base) / 8)
	segLo   = ir.Slot(unsafe.Offsetof(Segment{}.Lo) / 8)
	segRHi  = ir.Slot(unsafe.Offsetof(Segment{}.RHi) / 8)
	segWHi  = ir.Slot(unsafe.Offsetof(Segment{}.WHi) / 8)
)

// The state must leave the frame's temporaries alone.
var _ [ir.TempBase - stateWords]struct{}

// stateOf overlays the state on its frame.
func stateOf(f *ir.Frame) *State { return (*State)(unsafe.Pointer(f)) }
