// Package host is what an engine that makes machine code needs of the host:
// memory for the code, memory for what the code works on, the way into the
// code and out of it, and the signals that reach a thread while it is there.
// It knows nothing of guests and nothing of how IR becomes machine code.
//
// # The contract of generated code
//
// Enter jumps to it with R15 = [Context.Base], RSP = the word OffStack, and
// every other register undefined. It leaves by
//
//	jmp [r15+OffLeave]
//
// and what the low half of the word OffExit holds then is Enter's result.
//
//   - R15 must hold the base whenever a signal may arrive, which is always: the
//     signal handlers find the Context by it.
//   - All other registers are free, RSP included, as long as RSP never points
//     into the thread's signal stack (the kernel would then believe it to be in
//     use and run a handler on top of it): guest values have no place in RSP.
//   - The FS base is the Go runtime's: it finds its goroutine by it.
//   - DF must be clear on leaving, MXCSR as it was on entry, and the upper
//     halves of the YMM registers zero (or Go's SSE code becomes slow). After
//     a fault the first two are put right here.
//   - It must poll: a garbage collection stops the world first, and code that
//     never looks holds up every goroutine until it returns. The poll is
//     `cmp dword [r15+OffPoll],0; jne leave`, on every path that is not bounded
//     by a few thousand instructions. The word OffExit says then what the code
//     put there; the poll's reason needs no other handling than to call Enter
//     again if [Context.Pending] is false.
//   - It must never call Go, nor hold pointers to Go's heap in the Context: a
//     stack that the runtime cannot walk kills the process at the next stack
//     growth or collection. What needs Go is done by leaving, doing it and
//     entering again, which costs about as much as a call.
//
// # The contract of the callers
//
// A processor's goroutine should call runtime.LockOSThread: on a locked thread
// a collection waits about a millisecond for generated code, on a wandering
// one ten times that. Each such goroutine occupies one P while it runs, so
// GOMAXPROCS should be the number of CPUs plus the number of processors, or
// devices' goroutines wait for whole time slices.
//
// Do not call runtime.Gosched after Enter. It would clear the very request
// that made the code leave, and the collector asks again only after
// milliseconds. The stack check at the start of any Go function, Enter's own
// included, hands over as it must.
//
// # Signals
//
// At the first NewContext the handlers of SIGURG, SIGSEGV, SIGBUS, SIGILL,
// SIGFPE and SIGTRAP are replaced once for the life of the process, and those
// of SIGQUIT and SIGABRT so that the runtime can still print all stacks;
// everything that does not concern generated code goes on to Go's handlers, so
// nil dereferences, debug.SetPanicOnFault, preemption, profiling (which counts
// generated code as runtime._ExternalCode) and os/signal work as before. Three
// things to know:
//
//   - signal.Notify and signal.Reset leave these handlers alone (the runtime
//     never reinstalls a handler that it installed at start). signal.Ignore of
//     SIGURG does not: it takes both the runtime's preemption and ours away,
//     and Notify after Ignore brings back only the runtime's. Collections then
//     wait until something calls SetAttention. Of the other signals, those that
//     end generated code cannot be ignored through os/signal.
//   - GODEBUG=asyncpreemptoff=1 stops the runtime from sending SIGURG, with the
//     same effect.
//   - C code that installs handlers later (there is none without cgo) must
//     chain to the ones it finds.
package host

import "errors"

// The words of the engine, as byte offsets from R15, which points at the
// Frame. All lie within a signed byte of R15, so that instructions that reach
// them are short.
const (
	// OffPoll is a uint32: generated code leaves at its next poll if it is not
	// 0. Byte 0 is the engine's (SetAttention), byte 1 the Go runtime's (set by
	// the SIGURG handler, cleared by Enter).
	OffPoll = -128
	// OffExit says why generated code came back; its low 32 bits are what
	// Enter returns.
	OffExit = -120
	// OffArg0 and the next two are for what exits and re-entries pass.
	OffArg0   = -112
	OffArg1   = -104
	OffArg2   = -96
	OffResult = -88
	// OffLeave holds the address to jump to, to return to Go.
	OffLeave = -80
	// OffGoSP and OffGoBP are saved by the entry.
	OffGoSP = -72
	OffGoBP = -64
	// OffStack is the initial RSP of generated code; 16-byte aligned.
	OffStack = -56
	// OffEngine is the first of six words that are the engine's own.
	OffEngine = -48
)

// Exit codes that this package gives; all others are the engine's.
const (
	// ExitPreempted: nothing ran, since the Go runtime wants the goroutine.
	// Calling Enter again is right: its stack check yields first.
	ExitPreempted = 0xffffffff
	// ExitFault: generated code raised a host exception, which Fault describes.
	ExitFault = 0xfffffffe
)

// StackSize is the size of the stack of generated code. Below it lies a page
// that nothing may touch, so an overflow is a fault and nothing worse.
const StackSize = 64 << 10

// errUnavailable is the answer of hosts that this package does not know.
var errUnavailable = errors.New("no machine-code engine for this host: rhea knows how to run generated code on linux/amd64 only")
