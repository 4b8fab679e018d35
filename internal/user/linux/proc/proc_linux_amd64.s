#include "go_asm.h"
#include "textflag.h"

// The handlers run on the thread's signal stack with the kernel's calling
// convention: DI the signal, SI its siginfo, DX its ucontext. They use no
// stack, so that the next handler can be jumped to as if it had been called.

#define UC_RCX 152
#define UC_RIP 168
#define UC_MASK 296
#define SI_ERRNO 4
#define SI_CODE 8
#define SI_PID 16
#define SI_VALUE 24

#define SI_TIMER -2
#define SI_TKILL -6

#define SYS_mmap 9
#define SYS_getpid 39
#define SYS_clone 56
#define SYS_rt_sigqueueinfo 129
#define SYS_arch_prctl 158
#define SYS_gettid 186
#define SYS_futex 202
#define SYS_tgkill 234
#define SYS_rt_tgsigqueueinfo 297

#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
#define ARCH_GET_FS 0x1003
#define ARCH_SET_GS 0x1001
#define NOWHERE 0x7fffffffe000

// parkURG waits while somebody forks. Then it goes on to the handler that it
// has replaced: the runtime asks by the same signal. What is not the runtime's
// goes to the guest as the Carrier.
//
// In the child of a fork it is also what makes the other threads anew; and
// threads that have no record block the guest's signals from it on (Quiet).
TEXT ·parkURG(SB), NOSPLIT|NOFRAME, $0-0
	// By a thread of this process: the runtime, or who forks. By a timer: alarm.
	MOVL SI_CODE(SI), AX
	CMPL AX, $SI_TIMER
	JEQ  timer
	CMPL AX, $SI_TKILL
	JNE  killed
	MOVL $SYS_getpid, AX
	SYSCALL
	CMPL AX, SI_PID(SI)
	JEQ  ours
	JMP  guests

timer:
	MOVQ ·state+shared_alarm(SB), AX
	CMPQ AX, SI_VALUE(SI)
	JEQ  ours
	JMP  guests

killed:
	// By kill(2) of no process: RLIMIT_SIGPENDING has left no siginfo, and it is the
	// runtime's most likely.
	MOVL SI_PID(SI), CX
	ORL  AX, CX
	JEQ  ours

guests:
	// The guest's. If it ignores that, it is not to be woken.
	MOVQ UC_MASK(DX), AX
	SHRQ $(const_Carrier-1), AX
	ANDL $1, AX
	ORL  ·state+shared_urgent(SB), AX
	JEQ  ours
	PUSHQ DI
	PUSHQ SI
	PUSHQ DX
	SUBQ $128, SP
	MOVQ $0, CX

	// The kernel takes 48 bytes of siginfo, and 0 to 128.
carry:
	MOVQ $0, AX
	CMPQ CX, $6
	JCC  zero
	MOVQ (SI)(CX*8), AX

zero:
	MOVQ AX, (SP)(CX*8)
	INCQ CX
	CMPQ CX, $16
	JNE  carry
	MOVL SI_CODE(SP), R9
	MOVL R9, SI_ERRNO(SP)
	MOVL $const_Carried, SI_CODE(SP)
	MOVL $SYS_getpid, AX
	SYSCALL
	MOVL AX, DI
	CMPL R9, $SI_TKILL
	JEQ  directed
	MOVL $const_Carrier, SI
	MOVQ SP, DX
	MOVL $SYS_rt_sigqueueinfo, AX
	SYSCALL
	JMP  carried

directed:
	MOVL $SYS_gettid, AX
	SYSCALL
	MOVL AX, SI
	MOVL $const_Carrier, DX
	MOVQ SP, R10
	MOVL $SYS_rt_tgsigqueueinfo, AX
	SYSCALL

carried:
	ADDQ $128, SP
	POPQ DX
	POPQ SI
	POPQ DI

	// The runtime's may have come at the same time, and count as the same.
ours:
	MOVL ·state+shared_quiet(SB), AX
	TESTL AX, AX
	JEQ  loud
	MOVQ (TLS), CX
	TESTQ CX, CX
	JEQ  loud
	MOVQ const_mOffset(CX), R8
	MOVQ R8, R9
	SHRQ $const_hashShift, R9
	LEAQ ·index(SB), R10

look:
	ANDQ $const_indexMask, R9
	MOVQ R9, R11
	SHLQ $4, R11
	MOVQ (R10)(R11*1), AX
	TESTQ AX, AX
	JEQ  quiet
	INCQ R9
	CMPQ AX, R8
	JNE  look
	MOVQ 8(R10)(R11*1), AX
	TESTQ AX, AX
	JNE  loud

quiet:
	MOVQ ·state+shared_blockAll(SB), AX
	ORQ  AX, UC_MASK(DX)

loud:
	MOVL ·state+shared_absent(SB), AX
	TESTL AX, AX
	JEQ  whole
	PUSHQ DI
	PUSHQ SI
	PUSHQ DX
	PUSHQ BP
	CALL ·reviveAll(SB)
	POPQ BP
	POPQ DX
	POPQ SI
	POPQ DI

whole:
	MOVL ·state+shared_held(SB), AX
	TESTL AX, AX
	JEQ  park
	MOVQ (TLS), CX
	MOVQ const_mOffset(CX), CX
	CMPQ CX, ·state+shared_holder(SB)
	JNE  park
	PUSHQ DI
	PUSHQ SI
	PUSHQ DX
	PUSHQ BP
	CALL ·letGo(SB)
	POPQ BP
	POPQ DX
	POPQ SI
	POPQ DI

	// The sign of claimed says that somebody is about to fork, together with the
	// place: a thread that comes late has none of the next fork's.
park:
	MOVL ·state+shared_claimed(SB), AX
	TESTL AX, AX
	JGE  next
	MOVL $1, R8
	LOCK
	XADDL R8, ·state+shared_claimed(SB)
	TESTL R8, R8
	JLT  place
	LOCK
	DECL ·state+shared_claimed(SB)
	JMP  next

full:
	LOCK
	INCL ·state+shared_left(SB)
	JMP  next

place:
	ANDL $const_places, R8
	CMPL R8, $const_maxParked
	JCC  full
	SHLQ $const_parkedShift, R8
	LEAQ ·parking(SB), R12
	ADDQ R8, R12
	MOVQ SP, parked_sp(R12)
	MOVQ DI, parked_di(R12)
	MOVQ SI, parked_si(R12)
	MOVQ DX, parked_dx(R12)
	MOVQ (TLS), CX
	MOVQ const_mOffset(CX), CX
	MOVQ CX, parked_m(R12)
	MOVL $SYS_arch_prctl, AX
	MOVL $ARCH_GET_FS, DI
	LEAQ parked_fs(R12), SI
	SYSCALL
	MOVL $SYS_gettid, AX
	SYSCALL
	MOVQ AX, parked_tid(R12)
	MOVL $1, AX
	LOCK
	XADDL AX, ·state+shared_stopped(SB)
	LEAQ ·state+shared_stopped(SB), DI
	MOVL $FUTEX_WAKE_PRIVATE, SI
	MOVL $1, DX
	MOVL $SYS_futex, AX
	SYSCALL

wait:
	LEAQ ·state+shared_pending(SB), DI
	MOVL $FUTEX_WAIT_PRIVATE, SI
	MOVL $1, DX
	XORL R10, R10
	MOVL $SYS_futex, AX
	SYSCALL
	MOVL ·state+shared_pending(SB), AX
	TESTL AX, AX
	JNE  wait
	MOVQ parked_di(R12), DI
	MOVQ parked_si(R12), SI
	MOVQ parked_dx(R12), DX
	MOVL $1, AX
	LOCK
	XADDL AX, ·state+shared_left(SB)

next:
	MOVQ ·state+shared_nextURG(SB), AX
	JMP  AX

// func revive(p *parked, flags uintptr) uintptr
TEXT ·revive(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ p+0(FP), R12
	MOVQ flags+8(FP), DI
	MOVQ parked_sp(R12), SI
	XORL DX, DX
	XORL R10, R10
	MOVQ parked_fs(R12), R8
	MOVL $SYS_clone, AX
	SYSCALL
	TESTQ AX, AX
	JEQ  child
	MOVQ AX, ret+16(FP)
	RET

child:
	MOVL $SYS_gettid, AX
	SYSCALL
	MOVQ parked_m(R12), CX
	ADDQ ·state+shared_procid(SB), CX
	MOVQ AX, (CX)

	// Machine code of a guest's that the thread is in accesses no memory any more: there
	// is none behind the last user address.
	MOVL $ARCH_SET_GS, DI
	MOVQ $NOWHERE, SI
	MOVL $SYS_arch_prctl, AX
	SYSCALL
	MOVQ parked_di(R12), DI
	MOVQ parked_si(R12), SI
	MOVQ parked_dx(R12), DX
	MOVQ ·state+shared_nextURG(SB), AX
	JMP  AX

// func cloneProcess(flags, childTID uintptr) uintptr
TEXT ·cloneProcess(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ flags+0(FP), DI
	XORL SI, SI
	XORL DX, DX
	MOVQ childTID+8(FP), R10
	XORL R8, R8
	MOVL $SYS_clone, AX
	SYSCALL
	MOVQ AX, ret+16(FP)
	RET

// func raw(nr, a, b, c, d, e, f uintptr) uintptr
TEXT ·raw(SB), NOSPLIT|NOFRAME, $0-64
	MOVQ nr+0(FP), AX
	MOVQ a+8(FP), DI
	MOVQ b+16(FP), SI
	MOVQ c+24(FP), DX
	MOVQ d+32(FP), R10
	MOVQ e+40(FP), R8
	MOVQ f+48(FP), R9
	SYSCALL
	MOVQ AX, ret+56(FP)
	RET

// func safe(signal *uint32, nr, a, b, c, d, e, f uintptr) uintptr
//
// From here to the end of the SYSCALL instruction is the window: a handler
// that interrupts it goes on at bail, or at bailEarly if the kernel has not
// begun. It tells them apart by CX: where the kernel has the thread do a call
// again, it is at the SYSCALL, whose CX it still has (shared.marks).
TEXT ·safe(SB), NOSPLIT|NOFRAME, $0-72
	XORL CX, CX
	MOVQ signal+0(FP), R12
	MOVQ nr+8(FP), AX
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ d+40(FP), R10
	MOVQ e+48(FP), R8
	MOVQ f+56(FP), R9
	CMPL (R12), $0
	JNE  stored
	SYSCALL
	MOVQ AX, ret+64(FP)
	RET

stored:
	MOVQ $const_errEarly, ret+64(FP)
	RET

// func direct(over *uint32, nr, a, b, c, d, e, f uintptr) uintptr
//
// Its window is left only by threads that the child of a fork does not have.
TEXT ·direct(SB), NOSPLIT|NOFRAME, $0-72
	MOVQ over+0(FP), R12
	MOVQ nr+8(FP), AX
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ d+40(FP), R10
	MOVQ e+48(FP), R8
	MOVQ f+56(FP), R9
	CMPL (R12), $0
	JNE  ended
	SYSCALL
	MOVQ AX, ret+64(FP)
	RET

ended:
	MOVQ $const_errRestart, ret+64(FP)
	RET

TEXT ·bail(SB), NOSPLIT|NOFRAME, $0-72
	MOVQ $const_errRestart, ret+64(FP)
	RET

TEXT ·bailEarly(SB), NOSPLIT|NOFRAME, $0-72
	MOVQ $const_errEarly, ret+64(FP)
	RET

// func marks() bool
TEXT ·marks(SB), NOSPLIT, $0-1
	XORL  CX, CX
	MOVL  $SYS_getpid, AX
	SYSCALL
	TESTQ CX, CX
	SETNE ret+0(FP)
	RET

TEXT ·rawBail(SB), NOSPLIT|NOFRAME, $0-64
	MOVQ $const_errRestart, ret+56(FP)
	RET

// guestSignal stores a signal in the record of the thread, which is found by
// the runtime's M: a guest's thread keeps its own.
TEXT ·guestSignal(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ (TLS), CX
	TESTQ CX, CX
	JEQ  stray
	MOVQ const_mOffset(CX), R8
	MOVQ R8, R9
	SHRQ $const_hashShift, R9
	LEAQ ·index(SB), R10

probe:
	ANDQ $const_indexMask, R9
	MOVQ R9, R11
	SHLQ $4, R11
	MOVQ (R10)(R11*1), AX
	TESTQ AX, AX
	JEQ  stray
	CMPQ AX, R8
	JEQ  found
	INCQ R9
	JMP  probe

found:
	MOVQ 8(R10)(R11*1), R12
	TESTQ R12, R12
	JEQ  stray
	MOVL Record_Over(R12), AX
	TESTL AX, AX
	JNE  stray // the child of a fork has no such thread
	MOVL Record_Signal(R12), AX
	TESTL AX, AX
	JNE  another
	MOVQ UC_RIP(DX), AX
	SUBQ ·state+shared_window(SB), AX
	CMPQ AX, ·state+shared_windowSize(SB)
	JCC  outside
	LEAQ ·bail(SB), R10
	MOVL ·state+shared_marks(SB), R9
	TESTL R9, R9
	JEQ  leave
	ADDQ $2, AX // of SYSCALL
	CMPQ AX, ·state+shared_windowSize(SB)
	JNE  early
	ADDQ ·state+shared_window(SB), AX
	CMPQ AX, UC_RCX(DX)
	JEQ  leave

early:
	LEAQ ·bailEarly(SB), R10

leave:
	MOVQ R10, UC_RIP(DX)

outside:
	// 128 bytes of siginfo.
	MOVQ $0, CX

copy:
	MOVQ (SI)(CX*8), AX
	MOVQ AX, Record_Info(R12)(CX*8)
	INCQ CX
	CMPQ CX, $16
	JNE  copy
	MOVL DI, Record_Signal(R12)
	MOVQ ·state+shared_blockAll(SB), AX
	ORQ  AX, UC_MASK(DX)
	MOVQ Record_Poll(R12), AX
	MOVB $1, (AX)
	MOVQ Record_Attention(R12), AX
	MOVL $1, (AX)

	RET

another:
	// One is stored already: the kernel is to keep this one, unless it is of those
	// that are never blocked. Of them there is one of each.
	MOVL $const_exceptionSet, AX
	BTL  DI, AX
	JCC  keep
	MOVL Record_More(R12), AX
	BTL  DI, AX
	JCS  none
	MOVL DI, R9
	SHLQ $7, R9
	LEAQ (Record_MoreInfo-const_firstException*128)(R12)(R9*1), R10
	MOVQ $0, CX

copyMore:
	MOVQ (SI)(CX*8), AX
	MOVQ AX, (R10)(CX*8)
	INCQ CX
	CMPQ CX, $16
	JNE  copyMore
	MOVL Record_More(R12), AX
	BTSL DI, AX
	MOVL AX, Record_More(R12)
	RET

keep:
	MOVQ ·state+shared_blockAll(SB), AX
	ORQ  AX, UC_MASK(DX)
	JMP  send

stray:
	// Some other thread of the process: it takes no more of them, and passes
	// this one on to a guest's.
	MOVQ ·state+shared_blockAll(SB), AX
	ORQ  AX, UC_MASK(DX)
	MOVQ ·state+shared_forward(SB), R12
	TESTQ R12, R12
	JEQ  none

	// To the thread of the record R12, with its siginfo; what the kernel lets no
	// thread send is marked.
send:
	MOVL SI_CODE(SI), AX
	CMPL AX, $SI_TKILL
	JEQ  mark
	TESTL AX, AX
	JLT  marked

mark:
	MOVL AX, SI_ERRNO(SI)
	MOVL $const_Held, SI_CODE(SI)

marked:
	MOVQ SI, R10
	MOVL DI, R9
	MOVL $SYS_getpid, AX
	SYSCALL
	MOVL AX, DI
	MOVL Record_tid(R12), SI
	MOVL R9, DX
	MOVL $SYS_rt_tgsigqueueinfo, AX
	SYSCALL

none:
	RET

// noSignal ends guestSignal wherever that is.
TEXT ·noSignal(SB), NOSPLIT|NOFRAME, $0-0
	RET

// faultSignal is before the handler of exceptions: what another process sent
// is a signal as any.
TEXT ·faultSignal(SB), NOSPLIT|NOFRAME, $0-0
	MOVL SI_CODE(SI), AX
	CMPL AX, $0
	JGT  exception
	JMP  ·guestSignal(SB)

exception:
	LEAQ ·state+shared_nextFault(SB), AX
	MOVQ (AX)(DI*8), AX
	JMP  AX

// func addresses() (park, guest, fault, window, direct, raw uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-48
	LEAQ ·parkURG(SB), AX
	MOVQ AX, park+0(FP)
	LEAQ ·guestSignal(SB), AX
	MOVQ AX, guest+8(FP)
	LEAQ ·faultSignal(SB), AX
	MOVQ AX, fault+16(FP)
	LEAQ ·safe(SB), AX
	MOVQ AX, window+24(FP)
	LEAQ ·direct(SB), AX
	MOVQ AX, direct+32(FP)
	LEAQ ·raw(SB), AX
	MOVQ AX, raw+40(FP)
	RET

// func thisM() uintptr
TEXT ·thisM(SB), NOSPLIT, $0-8
	MOVQ (TLS), CX
	MOVQ const_mOffset(CX), AX
	MOVQ AX, ret+0(FP)
	RET

// func noSignalAddress() uintptr
TEXT ·noSignalAddress(SB), NOSPLIT, $0-8
	LEAQ ·noSignal(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func bailAddress() uintptr
TEXT ·bailAddress(SB), NOSPLIT, $0-8
	LEAQ ·bail(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func rawBailAddress() uintptr
TEXT ·rawBailAddress(SB), NOSPLIT, $0-8
	LEAQ ·rawBail(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func storeBarrier(p *uint32, v uint32)
TEXT ·storeBarrier(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL v+8(FP), CX
	XCHGL CX, (AX)
	RET

// func load32(p *uint32) uint32
TEXT ·load32(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL (AX), CX
	MOVL CX, ret+8(FP)
	RET
