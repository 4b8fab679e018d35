#include "textflag.h"

// func Call(fn uintptr, arg *[256]byte)
TEXT ·Call(SB), NOSPLIT, $8-16
	MOVQ fn+0(FP), AX
	MOVQ arg+8(FP), DI
	CALL AX
	RET
