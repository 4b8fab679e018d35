#include "textflag.h"

// func cmpxchg16b(p unsafe.Pointer, old, to *[2]uint64)
//
// What was at p, which is aligned to 16, goes to old.
TEXT ·cmpxchg16b(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), DI
	MOVQ old+8(FP), SI
	MOVQ to+16(FP), R8
	MOVQ 0(SI), AX
	MOVQ 8(SI), DX
	MOVQ 0(R8), BX
	MOVQ 8(R8), CX
	LOCK
	CMPXCHG16B (DI)
	MOVQ AX, 0(SI)
	MOVQ DX, 8(SI)
	RET
