//go:build linux && amd64

package proc

import (
	"encoding/binary"
	"reflect"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Quiet has all threads but those with a record block the guest's signals: one
// that is sent to the process, and that all of the guest's threads block, is to
// wait until one of them takes it. The runtime gives each new thread the mask
// that the process began with, which is found in the code that does that. If
// that code is not as expected, nothing changes: the handler passes on what it
// can.
func Quiet() {
	var now uint64
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, 0, uintptr(unsafe.Pointer(&now)), 8, 0, 0)
	first := firstMask()
	if first == nil || *first != now {
		return
	}
	*first = ^internal()
	leaveSignals()
	storeBarrier(&state.quiet, 1)
	hush()
}

// hush has the threads that there are block what Quiet has them block: the runtime
// unblocks some of it in those that it starts.
func hush() {
	if load32(&state.quiet) == 0 {
		return
	}
	pid := raw(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	eachOther(func(tid uintptr) { raw(unix.SYS_TGKILL, pid, tid, uintptr(unix.SIGURG), 0, 0, 0) })
}

// firstMask is the runtime's initSigmask, nil if it is not found: newm, which
// startTemplateThread calls, which LockOSThread calls, copies it to an M.
func firstMask() *uint64 {
	code := codeOf(reflect.ValueOf(runtime.LockOSThread).Pointer())
	for _, name := range []string{"runtime.startTemplateThread", "runtime.newm"} {
		if code = callee(code, name); code == nil {
			return nil
		}
	}
	for i := 0; i+14 < len(code); i++ {
		// MOVQ x(IP), R; MOVQ R, y(R'), with a displacement of 8 or 32 bits.
		load, store := code[i:], code[i+7:]
		if load[0] == 0x48 && load[1] == 0x8b && load[2]&0xc7 == 0x05 &&
			store[0] == 0x48 && store[1] == 0x89 && store[2]&0x38 == load[2]&0x38 && (store[2]>>6 == 1 || store[2]>>6 == 2) {
			return (*uint64)(pointer(at(code) + uintptr(i+7+int(int32(binary.LittleEndian.Uint32(load[3:]))))))
		}
	}
	return nil
}

// codeOf is the machine code that begins at a function's entry: that of a
// function is not longer in firstMask.
func codeOf(entry uintptr) []byte { return unsafe.Slice((*byte)(pointer(entry)), 512) }

func at(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// callee is the code of the function of a name that code calls, nil if it does
// not.
func callee(code []byte, name string) []byte {
	for i := 0; i+5 <= len(code); i++ {
		if code[i] != 0xe8 {
			continue
		}
		to := at(code) + uintptr(i+5+int(int32(binary.LittleEndian.Uint32(code[i+1:]))))
		if f := runtime.FuncForPC(to); f != nil && f.Entry() == to && f.Name() == name {
			return codeOf(to)
		}
	}
	return nil
}

// eachOther calls f for each thread of the process but the caller's.
func eachOther(f func(tid uintptr)) {
	fd := int(files.open(&taskDir[0], unix.O_RDONLY|unix.O_DIRECTORY))
	if fd < 0 {
		return
	}
	defer unix.Close(fd)
	self := unix.Gettid()
	b := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, b)
		if n <= 0 || err != nil {
			return
		}
		_, _, names := unix.ParseDirent(b[:n], -1, nil)
		for _, name := range names {
			tid := 0
			for _, c := range []byte(name) {
				tid = 10*tid + int(c-'0')
			}
			if tid != self {
				f(uintptr(tid))
			}
		}
	}
}
