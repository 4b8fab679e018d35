//go:build linux && amd64

package host

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// windowSize is the size of the address space for code and stacks.
const windowSize = 1 << 30

// The runtime asks for a goroutine by storing guardPreempt to the word that
// every function's prologue compares with SP, at guardOffset of what the thread
// pointer finds. Both are part of what compilers and assembly agree upon and
// have not changed since Go 1.3 and 1.14; setUp checks the offset, a test both.
const (
	guardOffset  = 16
	guardPreempt = -1314
)

// process is what a signal handler must find without knowing whose code it
// interrupted, hence the one state of the package: handlers belong to the
// process, and can test an address only against a range that never changes. So
// all code and all stacks of generated code are carved of one window of
// addresses, reserved at first use and never given back.
type process struct {
	lo   uintptr // the window
	next [65]uintptr

	once sync.Once
	err  error
	mu   sync.Mutex
	free spans
}

var theProcess process

func enter(code, base uintptr) uint32
func addresses() (leave, urg, fault, dump uintptr)
func stackBounds() (lo, hi, guard, sp uintptr)

// Available says whether this host can run generated code.
func Available() bool { return theProcess.setUp() == nil }

// setUp reserves the window and installs the handlers, once.
func (p *process) setUp() error {
	p.once.Do(func() {
		if p.err = checkGuard(); p.err != nil {
			return
		}
		at, err := unix.MmapPtr(-1, 0, nil, windowSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
		if err != nil {
			p.err = fmt.Errorf("reserving %d MiB of addresses for machine code: %w", windowSize>>20, err)
			return
		}
		p.lo = uintptr(at)
		p.free = spans{{0, windowSize}}
		p.err = p.hook()
	})
	return p.err
}

// checkGuard makes sure that the word at guardOffset is what we take it for. The
// stack pointer may be a little below the guard, in functions that do not check.
func checkGuard() error {
	lo, hi, guard, sp := stackBounds()
	preempt := guardPreempt
	if lo < sp && sp < hi && (lo < guard && guard < hi || guard == uintptr(preempt)) {
		return nil
	}
	return errors.New("this Go runtime's goroutines are not laid out as rhea's machine-code engine expects")
}

// sigaction is the kernel's.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const (
	sigIgn    = 1
	saSiginfo = 4
	saOnstack = 0x08000000
)

func rtSigaction(sig unix.Signal, to, from *sigaction) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("installing a handler for signal %d: %w", int(sig), errno)
	}
	return nil
}

// hook puts our handlers before Go's. Only the handler's word changes: flags
// (above all the signal stack), mask and restorer are what Go's handler needs.
func (p *process) hook() error {
	_, urg, fault, dump := addresses()
	for _, h := range []struct {
		sig unix.Signal
		at  uintptr
	}{
		{unix.SIGSEGV, fault}, {unix.SIGBUS, fault}, {unix.SIGILL, fault}, {unix.SIGFPE, fault}, {unix.SIGTRAP, fault},
		{unix.SIGURG, urg},
		{unix.SIGQUIT, dump}, {unix.SIGABRT, dump},
	} {
		var a sigaction
		if err := rtSigaction(h.sig, nil, &a); err != nil {
			return err
		}
		if a.handler == sigIgn && h.at == dump {
			continue // as processes in a shell's background begin
		}
		const flags = saSiginfo | saOnstack
		if a.handler <= sigIgn || a.flags&flags != flags {
			return fmt.Errorf("signal %d has no handler of the Go runtime's", int(h.sig))
		}
		p.next[h.sig] = a.handler
		a.handler = h.at
		if err := rtSigaction(h.sig, &a, nil); err != nil {
			return err
		}
	}
	return nil
}

// take carves size bytes of the window.
func (p *process) take(size int) (span, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.free.take(size)
	if !ok {
		return span{}, fmt.Errorf("no %d KiB left of the addresses for machine code (%d MiB)", size>>10, windowSize>>20)
	}
	return s, nil
}

// give returns a range, after taking away what is mapped there.
func (p *process) give(s span) error {
	if err := p.remap(s, -1, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE); err != nil {
		return err // better lost than handed out with something in it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free.give(s)
	return nil
}

// remap replaces what is mapped at a range of the window.
func (p *process) remap(s span, fd, prot, flags int) error {
	_, err := unix.MmapPtr(fd, 0, pointer(p.lo+uintptr(s.off)), uintptr(s.size), prot, flags|unix.MAP_FIXED)
	return err
}

// pointer is for addresses of mappings, which the collector has no part in.
func pointer(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

// NewContext makes a Context with that many bytes of tables, a multiple of 8.
// Memory is committed as it is touched.
func NewContext(tables int) (*Context, error) {
	if tables < 0 || tables&7 != 0 {
		panic("BUG: host: tables are words")
	}
	p := &theProcess
	if err := p.setUp(); err != nil {
		return nil, err
	}
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_NORESERVE
	size := contextSize(tables)
	at, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_NONE, flags)
	if err != nil {
		return nil, fmt.Errorf("memory for a processor: %w", err)
	}
	c := new(Context)
	c.lay(unsafe.Slice((*byte)(at), size), tables)
	if err := unix.Mprotect(c.all[pageSize:size-pageSize], unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return nil, errors.Join(fmt.Errorf("memory for a processor: %w", err), c.Close())
	}
	s, err := p.take(pageSize + StackSize)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.stack = s
	if err := p.remap(span{s.off + pageSize, StackSize}, -1, unix.PROT_READ|unix.PROT_WRITE, flags); err != nil {
		return nil, errors.Join(fmt.Errorf("stack for a processor: %w", err), c.Close())
	}
	leave, _, _, _ := addresses()
	*c.word(OffLeave) = uint64(leave)
	*c.word(OffStack) = uint64(p.lo) + uint64(s.off+s.size)
	return c, nil
}

// Enter runs generated code until it leaves and returns the low half of the
// word OffExit; or ExitPreempted, without having run anything, if the Go
// runtime wants the goroutine.
//
// It is not inlined so that its prologue checks the stack each time: that is
// where a goroutine in a loop around Enter yields.
//
//go:noinline
func (c *Context) Enter(code uintptr) uint32 {
	return enter(code, uintptr(unsafe.Pointer(c.Frame)))
}

// Close gives the memory back. Nothing of the Context may be used afterwards.
func (c *Context) Close() error {
	var errs []error
	if c.all != nil {
		errs = append(errs, unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(c.all)), uintptr(len(c.all))))
	}
	if c.stack.size != 0 {
		errs = append(errs, theProcess.give(c.stack))
	}
	*c = Context{}
	return errors.Join(errs...)
}

// NewCode makes memory for size bytes of machine code, rounded up to pages.
func NewCode(size int) (*Code, error) {
	c, err := newCode(size, mapAnonymous)
	if err != nil {
		c, err = newCode(size, mapDual)
	}
	if err != nil {
		c, err = newCode(size, mapSingle)
	}
	return c, err
}

// NewPrivateCode makes memory for machine code that a fork of the process
// copies. It is writable where it is executable.
func NewPrivateCode(size int) (*Code, error) { return newCode(size, mapSingle) }

// SetGS sets the base of GS of the calling thread.
func SetGS(base uintptr) error {
	const archSetGS = 0x1001
	if _, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archSetGS, base, 0); errno != 0 {
		return fmt.Errorf("setting the base of GS: %w", errno)
	}
	return nil
}

func newCode(size int, mapping func(*process, span) ([]byte, error)) (*Code, error) {
	if size <= 0 {
		panic("BUG: host: no code")
	}
	p := &theProcess
	if err := p.setUp(); err != nil {
		return nil, err
	}
	s, err := p.take(roundUp(size))
	if err != nil {
		return nil, err
	}
	rw, err := mapping(p, s)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("memory for machine code: %w", err), p.give(s))
	}
	rx := p.lo + uintptr(s.off)
	return &Code{RW: rw, RX: rx, Dual: uintptr(unsafe.Pointer(unsafe.SliceData(rw))) != rx, place: s}, nil
}

// mapAnonymous maps shared memory that has no file twice: writable, and
// executable at s. Profilers take code in a file for that file's, and ask the
// map of -perfmap for other code only.
func mapAnonymous(p *process, s span) ([]byte, error) {
	size := uintptr(s.size)
	at, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	// An old size of 0 asks for a second mapping of the same memory (mremap(2)).
	to := pointer(p.lo + uintptr(s.off))
	if _, err = unix.MremapPtr(at, 0, to, size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED); err == nil {
		err = unix.Mprotect(unsafe.Slice((*byte)(to), s.size), unix.PROT_READ|unix.PROT_EXEC)
	}
	if err != nil {
		return nil, errors.Join(err, unix.MunmapPtr(at, size))
	}
	return unsafe.Slice((*byte)(at), s.size), nil
}

// mapDual maps a memory file twice: executable at s, writable elsewhere.
func mapDual(p *process, s span) ([]byte, error) {
	fd, err := unix.MemfdCreate("rhea-code", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("rhea-code", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(s.size)); err != nil {
		return nil, err
	}
	if err := p.remap(s, fd, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	at, err := unix.MmapPtr(fd, 0, nil, uintptr(s.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(at), s.size), nil
}

// mapSingle maps memory that is writable and executable, for hosts that have no
// memory files or forbid to execute them.
func mapSingle(p *process, s span) ([]byte, error) {
	err := p.remap(s, -1, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(pointer(p.lo+uintptr(s.off))), s.size), nil
}

// Map has size bytes at offset at of private code be those of a file from off on,
// all multiples of the page's size. They are read when they are needed, and the
// file is not written to. It fails if the file may not be executed.
func (c *Code) Map(fd int, off int64, at, size int) error {
	if c.Dual || at < 0 || size <= 0 || at+size > len(c.RW) {
		panic("BUG: host: not private code")
	}
	_, err := unix.MmapPtr(fd, off, pointer(c.RX+uintptr(at)), uintptr(size), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}

// Close gives the memory back, and its addresses to later Codes. No thread may
// be running in it.
func (c *Code) Close() error {
	if c.place.size == 0 {
		return nil
	}
	var err error
	if c.Dual {
		err = unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(c.RW)), uintptr(len(c.RW)))
	}
	err = errors.Join(err, theProcess.give(c.place))
	*c = Code{}
	return err
}
