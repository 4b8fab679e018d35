// Package gdbstub serves gdb's remote serial protocol (gdb's manual, "Remote
// Protocol"): a debugger at the other end of a connection controls a [Target],
// of whatever architecture its table describes.
package gdbstub

// Target is what is debugged. Its methods but Interrupt are called while it is
// stopped.
type Target interface {
	Arch() *Arch
	// Process is the number of its process; Threads are those of its threads,
	// of which the first is the one to begin with.
	Process() int
	Threads() []int
	// ThreadName is what is said of a thread in lists.
	ThreadName(id int) string
	// Registers are those of a thread, nil if there is none of that number.
	Registers(id int) Registers

	// ReadMemory reads as much as there is, WriteMemory writes all or nothing.
	ReadMemory(addr uint64, b []byte) int
	WriteMemory(addr uint64, b []byte) error

	// Insert and Remove set and clear a breakpoint or a watchpoint of size bytes.
	Insert(kind BreakKind, addr, size uint64) error
	Remove(kind BreakKind, addr, size uint64) error

	// Resume has the threads run that f returns an action for. A Stop follows.
	Resume(f func(id int) Action)
	// Interrupt has it stop soon.
	Interrupt()
	// Stops is where stops come from.
	Stops() <-chan Stop

	// Detach has it run without a debugger, Kill ends it.
	Detach()
	Kill()

	// Object is what the target says of itself ("auxv", "exec-file"); ok is false
	// if it says nothing.
	Object(name string) (b []byte, ok bool)
	// Monitor does a command of the target's own and returns what it prints.
	Monitor(command string) string
}

// Registers are those of a thread; numbers are the architecture's.
type Registers interface {
	// Get fills b, which has the register's size; false = it is not known.
	Get(n int, b []byte) bool
	Set(n int, b []byte) bool
}

// BreakKind is a kind of breakpoint, as the protocol's Z packets number them.
type BreakKind int

// The kinds.
const (
	SoftBreak BreakKind = iota
	HardBreak
	WriteWatch
	ReadWatch
	AccessWatch
)

// Action is what a thread is to do.
type Action struct {
	// Kind is 0 = stay stopped, 'c' = run, 's' = run one instruction.
	Kind byte
	// Signal is what it is to get first, by the protocol's number.
	Signal int
	// From and To: steps go on while the program counter is in From..To-1.
	From, To uint64
}

// Stop is why a target has stopped.
type Stop struct {
	Thread int
	// Signal is the protocol's number.
	Signal int
	// Watch is the kind of the watchpoint that was hit at Addr, 0 = none.
	Watch BreakKind
	Addr  uint64
	// Break: it is a breakpoint.
	Break bool
	// Ended: there is no target any more. It has exited with Status, or was
	// ended by Signal if that is not 0.
	Ended  bool
	Status int
}

// Signals of the protocol (gdb's include/gdb/signals.def).
const (
	SigInt  = 2
	SigTrap = 5
	SigKill = 9
)
