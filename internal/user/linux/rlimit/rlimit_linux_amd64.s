#include "textflag.h"

#define SYS_getrlimit 97
#define RLIMIT_NOFILE 7

// func files() (cur, max uint64)
TEXT ·files(SB), NOSPLIT, $16-16
	MOVL $SYS_getrlimit, AX
	MOVL $RLIMIT_NOFILE, DI
	LEAQ limit-16(SP), SI
	SYSCALL
	MOVQ limit-16(SP), AX
	MOVQ limit-8(SP), CX
	MOVQ AX, cur+0(FP)
	MOVQ CX, max+8(FP)
	RET
