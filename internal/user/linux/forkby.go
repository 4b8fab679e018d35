package linux

// ForkBy is how a process forks.
type ForkBy uint8

// The ways to fork.
const (
	// ForkThreads makes all threads anew in the child if it can be, ForkExec
	// executes rhea again.
	ForkThreads ForkBy = iota
	ForkExec
)

// HeirVar tells the child which descriptor it takes over from.
const HeirVar = "_RHEA_FORK"
