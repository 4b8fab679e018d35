//go:build linux && amd64

package proc

import (
	"reflect"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// module is the beginning of the runtime's description of a program
// (runtime/symtab.go, moduledata).
type module struct {
	_                                               [22]uintptr
	text, etext, noptrdata, enoptrdata, data, edata uintptr
}

// lastModule is the only one of a program that loads none.
//
//go:linkname lastModule runtime.lastmoduledatap
var lastModule *module

// signalEntry is a line of the runtime's table of signals (runtime/sigtab_linux_generic.go).
type signalEntry struct {
	flags int32
	name  string
}

// Flags of entries (runtime/runtime2.go): sigKill, sigThrow and sigUnblock make each
// new thread unblock the signal.
const (
	sigNotify   = 1
	sigKill     = 2
	sigThrow    = 4
	sigSetStack = 64
	sigUnblock  = 128
	sigIgn      = 256
)

// ended are signals that new threads would unblock, though it is not for the
// runtime to take them, with the flags they have.
var ended = map[unix.Signal]int32{
	unix.SIGHUP: sigNotify | sigKill, unix.SIGINT: sigNotify | sigKill, unix.SIGTERM: sigNotify | sigKill,
	unix.SIGQUIT: sigNotify | sigThrow, unix.SIGABRT: sigNotify | sigThrow, unix.SIGCHLD: sigNotify | sigUnblock | sigIgn,
	unix.SIGSYS: sigThrow,
	32:          sigSetStack | sigUnblock, 33: sigSetStack | sigUnblock, 34: sigSetStack | sigUnblock,
}

// leaveSignals has new threads leave those signals blocked. If the table is not as
// expected, nothing changes.
func leaveSignals() {
	table := signalTable()
	if table == nil {
		return
	}
	for sig, flags := range ended {
		if table[sig].flags != flags {
			return
		}
	}
	for sig := range ended {
		table[sig].flags &^= sigKill | sigThrow | sigUnblock
	}
}

// signalTable finds the table by the name of SIGTERM, nil if it is not found.
func signalTable() *[65]signalEntry {
	const name = "SIGTERM: termination"
	here := reflect.ValueOf(runtime.LockOSThread).Pointer()
	m := lastModule
	if m == nil || here < m.text || here >= m.etext || m.etext > m.noptrdata || m.noptrdata > m.data || m.data > m.edata || m.edata-m.data > 64<<20 {
		return nil
	}
	const size = unsafe.Sizeof(signalEntry{})
	first, offset := m.data+uintptr(unix.SIGTERM)*size, unsafe.Offsetof(signalEntry{}.name)
	for a := first + offset; a+size*50 <= m.edata; a += 8 {
		s := (*[2]uintptr)(pointer(a))
		if s[1] == uintptr(len(name)) && s[0] >= m.text && s[0] < m.noptrdata && *(*string)(pointer(a)) == name {
			return (*[65]signalEntry)(pointer(a - offset - uintptr(unix.SIGTERM)*size))
		}
	}
	return nil
}
