package tcg

import (
	"runtime"

	"rhea/internal/guest"
)

// This file is how the interpreter accesses the memory of a program in user
// mode, which other threads may unmap or protect at any time: an access that the
// host refuses is the program's fault, at its instruction.

// careful reports whether all accesses go by careLoad and careStore.
func (v *VCPU) careful() bool { return v.cfg.Flat != nil && v.n == nil && v.cfg.Flat.Shared.Load() }

// refusals is how often an access is tried that would be allowed by the time its
// fault is looked at. What is refused then has no memory behind it.
const refusals = 3

// careLoad is loadPage at a guest's address.
func (v *VCPU) careLoad(p *[4096]byte, va uint64, size int, write bool) (x uint64, fault *guest.Fault) {
	for n := 0; ; n++ {
		refused := attempt(func() { x = loadPage(p, va, size) })
		if !refused {
			return x, nil
		}
		if fault := v.hostRefused(va, write, n); fault != nil {
			return 0, fault
		}
	}
}

// careStore is storePage at a guest's address.
func (v *VCPU) careStore(p *[4096]byte, va uint64, size int, x uint64) *guest.Fault {
	for n := 0; ; n++ {
		if refused := attempt(func() { storePage(p, va, size, x) }); !refused {
			return nil
		}
		if f := v.cfg.Flat; f.RAM.Watched(va) { // another thread has run code of the page
			f.written(v, va)
			continue
		}
		if fault := v.hostRefused(va, true, n); fault != nil {
			return fault
		}
	}
}

// hostRefused is the fault of an access that the host has refused n times
// before; nil = try again.
func (v *VCPU) hostRefused(va uint64, write bool, n int) *guest.Fault {
	const sigbus, sigsegv = 7, 11
	if fault := v.cfg.Flat.UserFault(va, write, sigsegv); fault != nil || n < refusals {
		return fault
	}
	return v.cfg.Flat.UserFault(va, write, sigbus)
}

// attempt reports whether the host has refused an access that f does
// (debug.SetPanicOnFault).
func attempt(f func()) (refused bool) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			refused = true
		default:
			panic(e)
		}
	}()
	f()
	return false
}
