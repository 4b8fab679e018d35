package block

import (
	"encoding/binary"
	"errors"
	"syscall"
)

// Action is what follows a failed access (-drive rerror=, werror=).
type Action uint8

// The actions.
const (
	// Report tells the guest.
	Report Action = iota
	// Ignore tells the guest that all is well; a read gives zeroes.
	Ignore
	// Stop stops the machine, and tries again when it goes on.
	Stop
	// NoSpace is Stop when the host's disk is full, else Report.
	NoSpace
)

// Actions are the actions by the names that QEMU gives them.
var actions = map[string]Action{"report": Report, "ignore": Ignore, "stop": Stop, "enospc": NoSpace}

// ParseAction returns the action of a name.
func ParseAction(name string) (a Action, ok bool) {
	a, ok = actions[name]
	return a, ok
}

// PolicyConfig says what a drive does about its image.
type PolicyConfig struct {
	Backend
	OnRead, OnWrite Action
	// NoFlush leaves the guest's flushes to the host's good time
	// (cache=unsafe).
	NoFlush bool
	// Through has each write on stable storage when it is done: for devices
	// that have no write cache to turn off.
	Through bool
	// Unmap lets the guest's discards through.
	Unmap bool
	// DetectZeroes has the image note zeroes that are written as such, if it can.
	DetectZeroes bool
	// Failed stops the machine and returns when the access is to be tried
	// again, or with false when the machine ends. It is called outside the
	// machine's lock.
	Failed func(op Op, err error) (again bool)
	// Say reports an error that is ignored.
	Say func(op Op, err error)
}

// Policy is a Backend with its owner's will in the case of an error. A
// controller notices nothing of it but the time that passes.
type Policy struct{ PolicyConfig }

// NewPolicy returns a policy.
func NewPolicy(c PolicyConfig) *Policy { return &Policy{c} }

// do carries out one access until it is done or given up.
func (p *Policy) do(op Op, action Action, access func() error) error {
	for {
		err := access()
		if err == nil || errors.Is(err, ErrReadOnly) {
			return err
		}
		switch {
		case action == Ignore:
			if p.Say != nil {
				p.Say(op, err)
			}
			return nil
		case action == Stop || action == NoSpace && errors.Is(err, syscall.ENOSPC):
			if p.Failed == nil || !p.Failed(op, err) {
				return err
			}
		default:
			return err
		}
	}
}

// ReadAt implements io.ReaderAt. It reads all of b or fails.
func (p *Policy) ReadAt(b []byte, off int64) (int, error) {
	ok := false
	err := p.do(Read, p.OnRead, func() error {
		n, err := p.Backend.ReadAt(b, off)
		if ok = n == len(b); ok {
			return nil // io.EOF may come with the last byte
		}
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case !ok:
		clear(b)
	}
	return len(b), nil
}

// WriteAt implements io.WriterAt.
func (p *Policy) WriteAt(b []byte, off int64) (int, error) {
	z, zeroer := p.Backend.(Zeroer)
	zeroer = zeroer && p.DetectZeroes && isZero(b)
	err := p.do(Write, p.OnWrite, func() (err error) {
		if zeroer {
			err = z.WriteZeroes(off, int64(len(b)))
		} else {
			_, err = p.Backend.WriteAt(b, off)
		}
		if err == nil && p.Through && !p.NoFlush {
			err = p.Backend.Sync()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// isZero reports whether there are only zeroes in b.
func isZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Sync implements Backend.
func (p *Policy) Sync() error {
	if p.NoFlush {
		return nil
	}
	return p.do(Flush, p.OnWrite, p.Backend.Sync)
}

// Discard implements Discarder.
func (p *Policy) Discard(off, n int64) error {
	d, ok := p.Backend.(Discarder)
	if !ok || !p.Unmap {
		return nil
	}
	return p.do(Discard, p.OnWrite, func() error { return d.Discard(off, n) })
}

// ReadOnly implements ReadOnlyer.
func (p *Policy) ReadOnly() bool { return IsReadOnly(p.Backend) }
