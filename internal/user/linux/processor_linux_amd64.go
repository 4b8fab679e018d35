package linux

import (
	"golang.org/x/sys/unix"

	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
)

// trapKind is why a processor stopped.
type trapKind uint8

const (
	trapNone trapKind = iota
	trapCall
	trapFault
)

// processor is that of a thread: what the process knows of the guest's.
type processor interface {
	vcpu() *tcg.VCPU
	// start makes it one that begins a program.
	start(entry, stack uint64)
	// copyFrom makes it one that goes on where another is.
	copyFrom(o processor)
	// image is what setImage makes the processor go on with, in a process of the
	// same program; setImage returns false if it is none.
	image() []byte
	setImage(b []byte) bool
	// run runs the program until something is to be done for it.
	run(t *Thread) trapKind

	// syscall returns the number and the arguments of the system call that the
	// program has stopped for, setResult ends it, and again has the one before
	// the program counter done once more.
	syscall(a *[6]uint64) int
	setResult(v uint64)
	again(nr int)

	sp() uint64
	setSP(v uint64)
	// setTLS is clone's argument of that name.
	setTLS(t *Thread, v uint64) unix.Errno

	// exception is the signal of the exception that has stopped the processor.
	exception(t *Thread) (sig int, info *siginfo)
	// pushFrame has the program go on in the handler of a signal. Mask is what
	// sigreturn sets. It returns false if there is no room for the frame.
	pushFrame(t *Thread, sig int, info *siginfo, act *action, mask uint64) bool
	// sigreturn undoes pushFrame. It returns false if the frame cannot be read.
	sigreturn(t *Thread, rt bool) bool

	// describe prints the registers in a line.
	describe() string
}

// guestKind is how the processors of an ABI are made.
type guestKind struct {
	newCPU func(p *Process, number int) (processor, error)
	model  func(name string) (*x86.Model, error)
}

// guestKinds are those by the names of ABIs.
func guestKinds() map[string]guestKind {
	return map[string]guestKind{
		"i386":   {newI386, x86.ParseModel},
		"x86_64": {newX8664, x86.ParseModel64},
	}
}

// codeSize is the size of the code memory of a process' processors, by their
// number: there is 1 GiB for all, of which these are 950 MiB. A thread for which it is too
// small, as a compiler's may be, translates the same again and again.
func codeSize(n int) int {
	switch {
	case n < 10:
		return 48 << 20
	case n < 40:
		return 8 << 20
	case n < 500:
		return 512 << 10
	}
	return 0
}

// newCPU makes a processor, or takes one of a thread that has ended: it knows
// the program already.
func (p *Process) newCPU() (processor, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	n := len(p.cpus)
	p.mu.Unlock()
	c, err := p.kind.newCPU(p, n)
	if err != nil {
		return nil, err
	}
	p.sp.mu.Lock() // which is held where all are told of changes
	p.cpus = append(p.cpus, c)
	p.sp.mu.Unlock()
	return c, nil
}
