#include "go_asm.h"
#include "textflag.h"

// The ABI between Go and assembly makes every register but SP and BP the
// caller's to save, and the wrapper through which Go calls enter puts R14 and
// X15 right afterwards: nothing else needs saving.

// func enter(code, base uintptr) uint32
//
// The order matters. A signal that asks for the goroutine is seen by hookURG if
// SP is in the window, so SP is switched before the runtime's byte is cleared
// and before the goroutine is asked whether the runtime wants it: a request is
// then either found by the comparison or makes the first poll leave. Requests
// made for scanning a stack are not repeated soon, so none may be lost.
TEXT ·enter(SB), NOSPLIT|NOFRAME, $0-20
	MOVQ code+0(FP), AX
	MOVQ base+8(FP), R15
	MOVQ (TLS), CX
	MOVQ SP, const_OffGoSP(R15)
	MOVQ BP, const_OffGoBP(R15)
	MOVQ const_OffStack(R15), SP
	MOVB $0, const_OffPoll+1(R15)
	// What every Go function's prologue would find out.
	CMPQ const_guardOffset(CX), $const_guardPreempt
	JEQ  wanted
	JMP  AX

wanted:
	MOVL $const_ExitPreempted, AX
	MOVQ AX, const_OffExit(R15)
	JMP  ·leave(SB)

// The frame pointer under a name that vet does not take for one clobbered before
// it is saved: enter saved it.
#define GO_BP BP

// leave is where generated code jumps to, to return to enter's caller.
TEXT ·leave(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ const_OffGoSP(R15), SP
	MOVQ const_OffGoBP(R15), GO_BP
	MOVL const_OffExit(R15), AX
	MOVL AX, 24(SP) // enter's result
	RET

// func addresses() (leave, urg, fault, dump uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-32
	LEAQ ·leave(SB), AX
	MOVQ AX, leave+0(FP)
	LEAQ ·hookURG(SB), AX
	MOVQ AX, urg+8(FP)
	LEAQ ·hookFault(SB), AX
	MOVQ AX, fault+16(FP)
	LEAQ ·hookDump(SB), AX
	MOVQ AX, dump+24(FP)
	RET

// func stackBounds() (lo, hi, guard, sp uintptr)
TEXT ·stackBounds(SB), NOSPLIT, $0-32
	MOVQ (TLS), CX
	MOVQ 0(CX), AX
	MOVQ AX, lo+0(FP)
	MOVQ 8(CX), AX
	MOVQ AX, hi+8(FP)
	MOVQ const_guardOffset(CX), AX
	MOVQ AX, guard+16(FP)
	LEAQ lo+0(FP), AX
	MOVQ AX, sp+24(FP)
	RET

// The signal handlers run on the thread's signal stack with the kernel's
// calling convention: DI the signal, SI its siginfo, DX its ucontext. They use
// only registers that a handler may change, and no stack, so that Go's handler
// can be jumped to as if it had been called.

// Offsets in the ucontext and the siginfo.
#define UC_R15 96
#define UC_RSP 160
#define UC_RIP 168
#define UC_FLAGS 176
#define UC_FPSTATE 224
#define FP_MXCSR 24
#define SI_CODE 8
#define SI_ADDR 16

// hookURG makes generated code leave if that is what the signal interrupted.
// It always goes on to Go's handler, without which no further signal would be
// sent.
TEXT ·hookURG(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ UC_RIP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCS  mark
	MOVQ UC_RSP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCC  next

mark:
	MOVQ UC_R15(DX), AX
	MOVB $1, const_OffPoll+1(AX)

next:
	LEAQ ·theProcess+process_next(SB), AX
	MOVQ (AX)(DI*8), AX
	JMP  AX

// hookFault ends the run of generated code that raised an exception. Go must
// never see one: it would make the code call a Go function, on a stack that
// the runtime cannot walk. Code that jumped out of the window is known by its
// stack. A signal that another process sent is no exception of the code's.
TEXT ·hookFault(SB), NOSPLIT|NOFRAME, $0-0
	MOVL SI_CODE(SI), AX
	CMPL AX, $0
	JLE  next
	MOVQ UC_RIP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCS  ours
	MOVQ UC_RSP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCC  next

ours:
	MOVQ UC_R15(DX), CX
	MOVQ SI_ADDR(SI), AX
	MOVQ AX, const_offFaultAddr(CX)
	MOVQ UC_RIP(DX), AX
	MOVQ AX, const_offFaultRIP(CX)
	MOVL DI, DI
	MOVQ DI, const_offFaultSignal(CX)
	// Code that takes its own faults.
	MOVQ const_offFaultTo(CX), AX
	TESTQ AX, AX
	JEQ  end
	CMPL DI, $7 // SIGBUS
	JEQ  own
	CMPL DI, $11 // SIGSEGV
	JNE  end

own:
	MOVQ AX, UC_RIP(DX)
	RET

end:
	MOVL $const_ExitFault, AX
	MOVQ AX, const_OffExit(CX)
	MOVQ const_OffLeave(CX), AX
	MOVQ AX, UC_RIP(DX)
	// The code had no chance to clean up: DF, TF and AC clear, and the MXCSR
	// that Go runs with.
	MOVQ UC_FLAGS(DX), AX
	ANDQ $~0x40500, AX
	MOVQ AX, UC_FLAGS(DX)
	MOVQ UC_FPSTATE(DX), AX
	TESTQ AX, AX
	JEQ  done
	MOVL $0x1f80, FP_MXCSR(AX)

done:
	RET

next:
	LEAQ ·theProcess+process_next(SB), AX
	MOVQ (AX)(DI*8), AX
	JMP  AX

// hookDump is for signals to which Go answers with everybody's stacks. From
// generated code it would fail to, so the signal is sent to the process anew:
// it is blocked here until the handler returns, so another thread takes it.
TEXT ·hookDump(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ UC_RIP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCS  resend
	MOVQ UC_RSP(DX), AX
	SUBQ ·theProcess+process_lo(SB), AX
	CMPQ AX, $const_windowSize
	JCC  next

resend:
	MOVL DI, SI
	MOVL $39, AX // getpid
	SYSCALL
	MOVL AX, DI
	MOVL $62, AX // kill
	SYSCALL
	RET

next:
	LEAQ ·theProcess+process_next(SB), AX
	MOVQ (AX)(DI*8), AX
	JMP  AX
