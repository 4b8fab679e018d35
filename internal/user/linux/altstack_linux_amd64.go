package linux

import "golang.org/x/sys/unix"

// This file has the signal stacks of threads (sigaltstack(2)).

// onAltStack reports whether the guest runs on its signal stack.
func (t *Thread) onAltStack(sp uint64) bool {
	return t.altSize != 0 && uint32(t.altFlags)&ssAutodisarm == 0 && sp > t.altSP && sp-t.altSP <= t.altSize
}

// altState is ss_flags as sigaltstack(2) tells it.
func (t *Thread) altState(sp uint64) int32 {
	switch {
	case t.altSize == 0:
		return ssDisable
	case t.onAltStack(sp):
		return ssOnstack
	}
	return t.altFlags &^ ssDisable
}

func (t *Thread) setAltStack(sp uint64, flags int32, size uint64) unix.Errno {
	if t.onAltStack(t.cpu.sp()) {
		return unix.EPERM
	}
	switch uint32(flags) &^ ssAutodisarm {
	case 0, ssOnstack, ssDisable:
	default:
		return unix.EINVAL
	}
	if flags&ssDisable != 0 {
		t.altSP, t.altSize, t.altFlags = 0, 0, ssDisable
		return 0
	}
	if size < 2048 {
		return unix.ENOMEM
	}
	t.altSP, t.altSize, t.altFlags = sp, size, flags&^ssOnstack
	return 0
}
