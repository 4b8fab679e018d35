// Package proc is what running guest processes as host processes demands of
// the Go runtime's process: a fork that all threads survive, system calls that
// no signal slips past, and signals that reach the thread they were sent to.
//
// # Fork
//
// A process that Go runs in has threads that hold locks. Fork stops every
// other thread in a handler of SIGURG, clones the process, and makes the
// threads anew in the child, each with the registers that its handler will
// restore. So whoever held a lock in the parent holds it in the child, and the
// runtime needs no quiescing. The child puts that off for some milliseconds: most
// need no other threads until they are over.
//
// # Signals
//
// A thread that runs a guest's has a [Record]. The handler of guests' signals
// stores the signal there, blocks all further ones in the interrupted thread
// and asks the engine to leave. The kernel keeps the rest, so one place is
// enough.
//
// # System calls
//
// [Thread.Syscall] does not enter the kernel if a signal is stored. The test
// and the entry are one window for the handler: interrupted in between, the
// call ends with [ERESTARTSYS], or with [ERESTARTNOINTR] if it had not begun.
package proc
