// Package accel is the contract between a machine and whatever runs its
// vCPUs: our own engines (accel/tcg) or the host's virtualization (accel/kvm).
package accel

import (
	"fmt"

	"rhea/internal/guest"
	"rhea/internal/mem"
)

// Accelerator makes vCPUs.
type Accelerator interface {
	NewVCPU(guest.CPU, *mem.Space) (VCPU, error)
}

// VCPU runs one guest processor. Its Run is called from one goroutine at a
// time, without the machine's lock, which it takes itself for MMIO.
type VCPU interface {
	// Run executes the guest until something concerns the machine, and for
	// about budget instructions if budget > 0. An error is our own or the
	// host's failure, never the guest's.
	Run(budget int64) (Exit, error)
	// Kick makes a running or the next Run return Kicked soon. It may be
	// called from any goroutine, with or without the machine's lock.
	Kick()
}

// Exit is why Run returned.
type Exit uint8

// The reasons.
const (
	// Kicked: Kick was called.
	Kicked Exit = iota
	// Budget: the budget is used up.
	Budget
	// Halted: the processor waits for an interrupt (HLT, WFI). Run again when
	// the CPU's Pending is true.
	Halted
	// Shutdown: the processor cannot go on (x86 triple fault); a PC resets.
	Shutdown
	// Debug: a breakpoint, watchpoint or single step of the debugger's.
	Debug
	// Trapped: an exception or a system call of a processor in user mode.
	Trapped
)

func (e Exit) String() string {
	names := [...]string{"kicked", "budget", "halted", "shutdown", "debug", "trapped"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("exit %d", uint8(e))
}
