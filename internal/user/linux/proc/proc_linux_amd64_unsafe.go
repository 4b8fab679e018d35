//go:build linux && amd64

package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	mOffset     = 48 // of g.m; setUp checks it
	maxParked   = 1 << 14
	collecting  = 1 << 31
	places      = collecting - 1
	parkedShift = 6
	hashShift   = 8
	indexSize   = 1 << 15
	indexMask   = indexSize - 1

	// ERESTARTSYS is what Syscall returns, negated, if a signal has ended a call
	// that SA_RESTART has done again, ERESTARTNOINTR if it came first: the
	// kernel's names.
	ERESTARTSYS    = 512
	ERESTARTNOINTR = 513

	errRestart = -ERESTARTSYS
	errEarly   = -ERESTARTNOINTR
)

// parked is a thread that waits for a fork to end: the registers with which
// its handler goes on.
type parked struct {
	sp, di, si, dx, fs, m, tid, _ uintptr
}

// shared is what the handlers use.
type shared struct {
	pending uint32 // a futex; 1 = threads are to wait
	claimed uint32 // places of parking that are taken; with collecting, more may be
	stopped uint32 // that are filled in
	left    uint32 // that are not used any more
	absent  uint32 // not 0: so many are to be made anew (reviveAll)
	quiet   uint32 // 1 = threads without a record are to block the guest's signals
	held    uint32 // 1: the threads stay stopped until the next fork (hold)
	urgent  uint32 // 1: the guest does not ignore SIGURG
	marks   uint32 // 1: CX says whether a SYSCALL has begun. With FRED it is not changed.
	_       uint32

	holder uintptr // the runtime's M of the thread that forks
	alarm  uint64  // tells timers of ours from the guest's

	nextURG    uintptr
	procid     uintptr // offset of the thread's number in the runtime's M
	window     uintptr // of safe
	windowSize uintptr
	direct     uintptr // the same of direct, and of raw
	directSize uintptr
	raw        uintptr
	rawSize    uintptr
	guest      uintptr // of guestSignal
	guestSize  uintptr
	blockAll   uint64
	forward    uintptr // the Record of who gets the signals of other threads
	nextFault  [65]uintptr
}

// Handlers belong to the process, hence the state of the package.
var (
	state   shared
	parking [maxParked]parked
	index   [indexSize]struct{ m, record uintptr }

	setUpOnce sync.Once
	setUpErr  error
	mu        sync.Mutex // over index and records
	records   []*Record
	restorer  sigaction // of the runtime's: flags and restorer
)

func revive(p *parked, flags uintptr) uintptr
func cloneProcess(flags, childTID uintptr) uintptr
func raw(nr, a, b, c, d, e, f uintptr) uintptr
func safe(signal *uint32, nr, a, b, c, d, e, f uintptr) uintptr
func direct(over *uint32, nr, a, b, c, d, e, f uintptr) uintptr
func addresses() (park, guest, fault, window, direct, raw uintptr)
func thisM() uintptr
func marks() bool

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

//go:linkname beforeExec syscall.runtime_BeforeExec
func beforeExec()

//go:linkname afterExec syscall.runtime_AfterExec
func afterExec()

// Record is a thread that runs a guest's. It is not Go's memory.
type Record struct {
	Signal    uint32    // that has come, 0 = none
	Over      uint32    // not 0: this is the child of a fork, and has no such thread
	Info      [128]byte // its siginfo
	Poll      uintptr   // byte that makes machine code leave
	Attention uintptr   // word that makes the engine's loop look
	tid       uint32
	_         uint32
	unused    uint32 // where Poll and Attention lead without an engine
	More      uint32 // a bit a signal: those of exceptions that have come besides, by kill(2)
	m         uintptr
	MoreInfo  [lastException - firstException + 1][128]byte
}

// The signals of exceptions, which are never blocked, as a set of bits by their
// numbers.
const (
	firstException = int(unix.SIGILL)
	lastException  = int(unix.SIGSEGV)
	exceptionSet   = 1<<unix.SIGSEGV | 1<<unix.SIGBUS | 1<<unix.SIGILL | 1<<unix.SIGFPE | 1<<unix.SIGTRAP
)

// TakeMore takes one of those of More; sig is 0 if there is none.
func (r *Record) TakeMore() (sig int, info [128]byte) {
	m := atomic.LoadUint32(&r.More)
	if m == 0 {
		return 0, info
	}
	sig = bits.TrailingZeros32(m)
	info = r.MoreInfo[sig-firstException]
	atomic.AndUint32(&r.More, ^(1 << sig))
	return sig, info
}

type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

func rtSigaction(sig int, to, from *sigaction) error {
	r := raw(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), 8, 0, 0)
	if r > ^uintptr(4095) {
		return unix.Errno(-r)
	}
	return nil
}

// internal are the signals that no thread may block: the runtime's, and those
// of exceptions. The runtime's profiler is not used, and SIGPROF the guest's.
func internal() uint64 {
	var m uint64
	for _, s := range []unix.Signal{unix.SIGURG, unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP} {
		m |= 1 << (s - 1)
	}
	return m
}

// exceptions are the signals that jit/host and Go handle.
func exceptions() []unix.Signal {
	return []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP}
}

// SetUp installs the handlers, once. It must follow the first use of jit/host,
// whose handlers it goes on to.
func SetUp() error {
	setUpOnce.Do(func() { setUpErr = setUp() })
	return setUpErr
}

func setUp() error {
	// The thread's number lies in the runtime's M, or Fork does not work (Revives).
	m, tid := thisM(), uintptr(unix.Gettid())
	for off := uintptr(0); off < 1024; off += 8 {
		if *(*uintptr)(pointer(m + off)) == tid {
			state.procid = off
			break
		}
	}
	park, guest, fault, window, direct, raw := addresses()
	state.window, state.windowSize = window, windowSize(window)
	state.direct, state.directSize = direct, windowSize(direct)
	state.raw, state.rawSize = raw, windowSize(raw)
	state.guest, state.guestSize = guest, noSignalAddress()-guest
	if state.windowSize == 0 || state.directSize == 0 || state.rawSize == 0 {
		return errors.New("BUG: proc: no system call in the window")
	}
	if marks() {
		state.marks = 1
	}
	state.blockAll = ^internal()
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	state.alarm = uint64(now.Nano()) // another one than a rhea has which this one runs

	var a sigaction
	if err := rtSigaction(int(unix.SIGURG), nil, &a); err != nil {
		return fmt.Errorf("the handler of SIGURG: %w", err)
	}
	restorer = a
	state.nextURG = a.handler
	a.handler = park
	if err := rtSigaction(int(unix.SIGURG), &a, nil); err != nil {
		return fmt.Errorf("the handler of SIGURG: %w", err)
	}
	for _, s := range exceptions() {
		if err := rtSigaction(int(s), nil, &a); err != nil {
			return fmt.Errorf("the handler of signal %d: %w", int(s), err)
		}
		state.nextFault[s] = a.handler
		a.handler = fault
		if err := rtSigaction(int(s), &a, nil); err != nil {
			return fmt.Errorf("the handler of signal %d: %w", int(s), err)
		}
	}
	return nil
}

// pointer is for addresses of memory that is not Go's, or does not move.
func pointer(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

// recordPage is how many Records are made at once.
const recordPage = 16384

var freeRecords []*Record

// windowSize is how far it is from at to behind the first SYSCALL.
func windowSize(at uintptr) uintptr {
	code := unsafe.Slice((*byte)(pointer(at)), 256)
	for i := range code {
		if code[i] == 0x0f && code[i+1] == 0x05 {
			return uintptr(i) + 2
		}
	}
	return 0
}

// Enter makes the calling thread, to which the goroutine must be locked, one
// that runs a guest's. Leave ends that.
func Enter() (*Record, error) {
	mu.Lock()
	defer mu.Unlock()
	if len(freeRecords) == 0 {
		b, err := unix.Mmap(-1, 0, recordPage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil, err
		}
		for off := 0; off+int(unsafe.Sizeof(Record{})) <= len(b); off += int(unsafe.Sizeof(Record{})) {
			freeRecords = append(freeRecords, (*Record)(unsafe.Pointer(&b[off])))
		}
	}
	if len(records) >= indexSize/2 {
		return nil, unix.EAGAIN
	}
	r := freeRecords[len(freeRecords)-1]
	freeRecords = freeRecords[:len(freeRecords)-1]
	*r = Record{tid: uint32(unix.Gettid()), m: thisM()}
	r.Poll, r.Attention = uintptr(unsafe.Pointer(&r.unused)), uintptr(unsafe.Pointer(&r.unused))
	records = append(records, r)
	rebuild()
	return r, nil
}

// rebuild makes the index of the records anew. Handlers may read it at any
// time: entries that stay are written as they were.
func rebuild() {
	insert := func(r *Record) {
		for h := r.m >> hashShift; ; h++ {
			e := &index[h&indexMask]
			if e.m == r.m {
				e.record = uintptr(unsafe.Pointer(r))
				return
			}
			if e.m == 0 {
				e.record = uintptr(unsafe.Pointer(r))
				e.m = r.m
				return
			}
		}
	}
	insert(records[len(records)-1])
	state.forward = uintptr(unsafe.Pointer(records[0]))
}

// Leave ends what Enter began. All signals but the internal ones should be
// blocked: what comes later goes to other threads.
func (r *Record) Leave() {
	mu.Lock()
	defer mu.Unlock()
	for i, o := range records {
		if o == r {
			records = append(records[:i], records[i+1:]...)
			break
		}
	}
	r.forget()
	state.forward = 0
	if len(records) > 0 {
		to := records[0]
		state.forward = uintptr(unsafe.Pointer(to))
		if r.Signal != 0 && r.Over == 0 { // it has come too late for this thread
			MarkHeld(r.Info[:])
			pid := raw(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
			raw(unix.SYS_RT_TGSIGQUEUEINFO, pid, uintptr(to.tid), uintptr(r.Signal), uintptr(unsafe.Pointer(&r.Info)), 0, 0)
		}
	}
	freeRecords = append(freeRecords, r)
}

// forget makes the entry of the index, which stays for a later thread of the
// same M, lead to no record.
func (r *Record) forget() {
	for h := r.m >> hashShift; ; h++ {
		switch e := &index[h&indexMask]; e.m {
		case r.m:
			e.record = 0
			return
		case 0:
			return
		}
	}
}

// Only makes r, the calling thread's, the only record: it is called in the
// child of a fork.
func (r *Record) Only() {
	mu.Lock()
	defer mu.Unlock()
	r.tid = uint32(raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0))
	r.m = thisM()
	records = append(records[:0], r) // the others' are found until they Leave
	state.forward = uintptr(unsafe.Pointer(r))
}

// TID is the thread's number.
func (r *Record) TID() int { return int(r.tid) }

// Raw is a system call that does not wait.
func Raw(nr int, a ...uintptr) (uintptr, unix.Errno) {
	var x [6]uintptr
	copy(x[:], a)
	return result(raw(uintptr(nr), x[0], x[1], x[2], x[3], x[4], x[5]))
}

func result(r uintptr) (uintptr, unix.Errno) {
	if r > ^uintptr(4095) {
		return 0, unix.Errno(-r)
	}
	return r, 0
}

// Syscall is a system call that may wait. It ends with ERESTARTNOINTR if a signal
// is stored in the record, or comes before the kernel has begun, and with
// ERESTARTSYS if the kernel was to do it again after one, or may have been: where
// the processor does not tell (marks), that is all that is known.
func (r *Record) Syscall(nr uintptr, a *[6]uintptr) uintptr {
	return blocking(&r.Signal, nr, a[0], a[1], a[2], a[3], a[4], a[5])
}

// Execveat is the system call of that name. The runtime makes no thread meanwhile,
// which the kernel would refuse.
func (r *Record) Execveat(a *[6]uintptr) uintptr {
	beforeExec()
	defer afterExec()
	return r.Syscall(unix.SYS_EXECVEAT, a)
}

//go:nosplit
func blocking(signal *uint32, nr, a, b, c, d, e, f uintptr) uintptr {
	entersyscall()
	x := safe(signal, nr, a, b, c, d, e, f)
	exitsyscall()
	return x
}

// Await is FUTEX_WAIT of a word in memory that processes share, with a struct timespec
// at limit. It also returns for signals, which stay stored.
//
//go:nosplit
func (r *Record) Await(word *uint32, v uint32, limit uintptr) unix.Errno {
	entersyscall()
	x := direct(&r.Over, unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), 0, uintptr(v), limit, 0, 0)
	exitsyscall()
	return unix.Errno(-x)
}

// EndOver ends the calling goroutine if its thread is one that the child of a fork
// does not have.
func EndOver() {
	r := find(thisM())
	if r != nil && r.Over != 0 {
		BlockAll()
		r.Leave()
		runtime.Goexit()
	}
}

// find is the record of a thread, nil if it has none.
func find(m uintptr) *Record {
	for h := m >> hashShift; ; h++ {
		switch e := &index[h&indexMask]; e.m {
		case m:
			return (*Record)(pointer(e.record))
		case 0:
			return nil
		}
	}
}

// Direct is a system call that does not wait, as the kernel answers. A thread
// that the child of a fork does not have does none there: it would change what
// is the child's, such as a descriptor of the number that it is about to close.
func (r *Record) Direct(nr uintptr, a *[6]uintptr) uintptr {
	return direct(&r.Over, nr, a[0], a[1], a[2], a[3], a[4], a[5])
}

// SetMask sets the mask of the calling thread, as HostMask has it.
func SetMask(mask uint64) {
	mask = HostMask(mask)
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
}

// BlockAll blocks all but the internal signals and returns what was blocked.
func BlockAll() (old uint64) {
	mask := ^internal()
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old
}

// Disposition of a signal of the host's.
type Disposition uint8

// The dispositions.
const (
	Default Disposition = iota
	Ignore
	Catch // by the handler that fills in a Record
)

// Dispose sets what the host does with a signal. Internal ones are refused:
// for them the package's handlers stay.
func Dispose(sig int, d Disposition, noCldStop, noCldWait bool) error {
	if internal()>>(sig-1)&1 != 0 {
		return nil
	}
	const saNoCldStop, saNoCldWait = 1, 2
	a := sigaction{flags: restorer.flags, restorer: restorer.restorer, mask: ^internal()}
	_, guest, _, _, _, _ := addresses()
	switch d {
	case Default:
		a.handler = 0
	case Ignore:
		a.handler = 1
	case Catch:
		a.handler = guest
	}
	if noCldStop {
		a.flags |= saNoCldStop
	}
	if noCldWait {
		a.flags |= saNoCldWait
	}
	return rtSigaction(sig, &a, nil)
}

// Carrier is the host's signal by which the guest's SIGURG comes: its siginfo's
// code is Carried, and its error number what the code was. Hardly a program sends
// that signal, and the runtime does not unblock it.
const (
	Carrier = int(unix.SIGSYS)
	Carried = -85
)

// Held is the code of a siginfo on its way to another thread of the process, if
// the kernel lets none send what it was: that is the error number.
const Held = Carried - 1

// MarkHeld makes a siginfo one that any thread may send within the process
// (rt_tgsigqueueinfo(2)).
func MarkHeld(info []byte) {
	le := binary.LittleEndian
	if code := int32(le.Uint32(info[8:])); code >= 0 || code == siTkill {
		held := int32(Held)
		le.PutUint32(info[4:], uint32(code))
		le.PutUint32(info[8:], uint32(held))
	}
}

const siTkill = -6

// Urgent says whether the guest does anything with SIGURG.
func Urgent(yes bool) {
	var v uint32
	if yes {
		v = 1
	}
	storeBarrier(&state.urgent, v)
}

// Die ends the process by a signal.
func Die(sig int) {
	a := sigaction{flags: restorer.flags, restorer: restorer.restorer}
	rtSigaction(sig, &a, nil)
	mask := ^uint64(1 << (sig - 1))
	raw(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	pid := raw(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	raw(unix.SYS_TGKILL, pid, raw(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0), uintptr(sig), 0, 0, 0)
	for {
		raw(unix.SYS_EXIT_GROUP, uintptr(128+sig), 0, 0, 0, 0, 0)
	}
}

// IsIgnored reports whether the host ignores a signal.
func IsIgnored(sig int) bool {
	var a sigaction
	return rtSigaction(sig, nil, &a) == nil && a.handler == 1
}

// Internal are the signals that no thread may block.
func Internal() uint64 { return internal() }

// HostMask is the mask of a thread that blocks mask. Internal signals are not
// blocked; nor are SIGPROF and SIGSTKFLT, which the runtime's new threads do not
// block, either: they would take what is to wait.
func HostMask(mask uint64) uint64 {
	return mask &^ (internal() | 1<<(unix.SIGPROF-1) | 1<<(unix.SIGSTKFLT-1))
}
