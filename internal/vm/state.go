package vm

// State is what the machine is doing.
type State uint8

// The states, with QEMU's names.
const (
	Prelaunch     State = iota // made or reset, not yet started
	Running                    // the processors run
	Paused                     // stopped by the user
	Shutdown                   // the guest has switched off, and -no-shutdown keeps the machine
	Debug                      // stopped by a breakpoint
	IOError                    // stopped by werror=stop
	GuestPanicked              // the guest says that it has failed
	InternalError              // a processor cannot go on
)

func (s State) String() string {
	return [...]string{"prelaunch", "running", "paused", "shutdown", "debug", "io-error", "guest-panicked", "internal-error"}[s]
}

// Status is the line of "info status".
func (s State) Status() string {
	switch s {
	case Running, Paused:
		return s.String()
	}
	return "paused (" + s.String() + ")"
}

// needsReset: from these a machine goes on only after a reset.
func (s State) needsReset() bool { return s == Shutdown || s == GuestPanicked || s == InternalError }
