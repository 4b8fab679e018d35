package linux

import (
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/accel"
	"rhea/internal/accel/tcg"
	"rhea/internal/guest"
	"rhea/internal/guest/x86"
	"rhea/internal/jit/host"
	"rhea/internal/mem"
	"rhea/internal/user/linux/proc"
	"rhea/internal/vclock"
)

// x86CPU is what the processors of i386 and of x86_64 programs have in common.
type x86CPU struct {
	cpu *x86.CPU
	v   *tcg.VCPU
	sys *mem.RAM // descriptor tables
}

// clock is the host's, in nanoseconds since it was started: the time stamp counter's,
// of all processors and processes.
type clock struct {
	start time.Time
	at    int64 // what it was at start
}

func newClock() clock {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return clock{time.Now(), ts.Nano()}
}

func (c clock) Now() int64                         { return c.at + int64(time.Since(c.start)) }
func (c clock) NewTimer(fire func()) *vclock.Timer { panic("BUG: linux: a processor has no timers") }

// make makes the processor of that number.
func (c *x86CPU) make(p *Process, number int) error {
	c.cpu = x86.New(x86.Config{Model: p.model, Clock: p.clock, Log: p.cfg.Log, Pages: p.sp})
	engine, size := p.cfg.Engine, codeSize(number)
	if size == 0 {
		engine, size = tcg.Interpreter, 1<<20
	}
	cfg := tcg.Config{Log: p.cfg.Log, Engine: engine, CacheSize: size, Flat: p.flat, Lock: noLock{}}
	if p.cfg.Disassemble {
		cfg.Disassemble = func(k guest.Key, b []byte) (string, int) { return x86.Disassemble(b, k.PC, x86.CodeSize(k)) }
	}
	sys := mem.NewRAM("descriptors", x86.SystemSize)
	c.sys = sys.RAM()
	root := mem.NewContainer("process", 0)
	root.Add(0, mem.NewAlias("user", p.ram, 0, p.sp.size))
	root.Add(x86.SystemMemory, sys)
	v, err := tcg.New(cfg).NewCPU(c.cpu, mem.NewSpace("process", root, p.cfg.Log))
	c.v = v
	return err
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func (c *x86CPU) vcpu() *tcg.VCPU { return c.v }

// gdtSize is that of the GDT in the descriptor tables.
const gdtSize = 32 * 8

func (c *x86CPU) image() []byte {
	return append(append([]byte{}, stateBytes(c.cpu.Registers())...), c.sys.Bytes[:gdtSize]...)
}

func (c *x86CPU) setImage(b []byte) bool {
	var s x86.State
	if len(b) != len(stateBytes(&s))+gdtSize {
		return false
	}
	b = b[copy(stateBytes(&s), b):]
	copy(c.sys.Bytes, b)
	c.cpu.SetUser(&s)
	return true
}

func (c *x86CPU) setGDT(n int, d uint64) { le.PutUint64(c.sys.Bytes[8*n:], d) }

// runUntil runs the program until something is to be done for it; isCall says
// which traps are system calls.
func (c *x86CPU) runUntil(t *Thread, isCall func(x86.Trap) bool) (kind trapKind) {
	defer c.recovered(t, &kind)
	budget := int64(0)
	if t.stepping() {
		budget = 1
	}
	exit, err := c.v.Run(budget)
	if err != nil {
		t.p.fatal(err)
	}
	t.debug.ran = exit != accel.Kicked
	switch {
	case exit != accel.Trapped:
		return trapNone
	case isCall(c.cpu.TakeTrap()):
		return trapCall
	}
	return trapFault
}

// recovered makes a fault of a helper that has accessed the program's memory
// the program's: another thread has unmapped it, or a file is shorter.
func (c *x86CPU) recovered(t *Thread, kind *trapKind) {
	e := recover()
	if e == nil {
		return
	}
	va := t.p.sp.faultOf(e)
	if t.p.sp.ram.Watched(va) {
		t.p.sp.codeWritten(va)
		return
	}
	bits := t.p.sp.bitsAt(va)
	writable := bits&pageW != 0
	switch {
	case bits&(pageR|pageW) == 0:
		c.cpu.Raise(x86.UserFault(va, true, bits&pageMapped != 0))
	case !t.p.sp.backed(va, writable):
		c.cpu.Raise(x86.UserBusFault(va, writable))
	case !writable:
		c.cpu.Raise(x86.UserFault(va, true, true))
	default: // another thread may just have done the same
		return
	}
	// No signal that has come is to be delivered before it.
	c.cpu.Event()
	*kind = trapFault
}

// faultOf is the address that the program has, of an access to its memory that has
// panicked. It panics with what is none.
func (s *space) faultOf(e any) uint64 {
	f, ok := e.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || uint64(f.Addr()-s.base) >= s.size {
		panic(e)
	}
	return uint64(f.Addr() - s.base)
}

func panicOnFault() { debug.SetPanicOnFault(true) }

// userFault is tcg.Flat's. The host tells no address of an access to one that
// cannot be one. What may be accessed may have been protected for code until
// another thread wrote there, too.
func (p *Process) userFault(va uint64, write bool, signal int) *guest.Fault {
	proc.EndOver()
	if va == -uint64(p.sp.base) {
		return x86.UserGP()
	}
	bits, need := byte(0), byte(pageR)
	if va < p.sp.size {
		bits = p.sp.bitsAt(va)
	}
	if write {
		need = pageW
	}
	switch {
	case bits&need == 0:
		return x86.UserFault(va, write, bits&pageMapped != 0)
	case signal == int(unix.SIGBUS):
		return x86.UserBusFault(va, write)
	}
	return nil
}

func setGS(base uintptr) error { return host.SetGS(base) }

func (c *x86CPU) exception(t *Thread) (sig int, info *siginfo) {
	tr := c.cpu.TakeTrap()
	s := c.cpu.Registers()
	t.trapNo, t.trapErr = tr.Vector, tr.Code
	if !tr.HasCode {
		t.trapErr = 0
	}
	ip := s.IP
	is := func(sig unix.Signal, code int, addr uint64) (int, *siginfo) {
		return int(sig), newInfo(int(sig), code).setAddr(addr)
	}
	switch tr.Vector {
	case 0:
		return is(unix.SIGFPE, fpeIntdiv, ip)
	case 1:
		return is(unix.SIGTRAP, trapTrace, ip)
	case 3:
		return is(unix.SIGTRAP, siKernel, 0)
	case 6:
		return is(unix.SIGILL, illIllopn, ip)
	case 12:
		return is(unix.SIGBUS, siKernel, 0)
	case 14:
		if int64(tr.Addr) < 0 { // Linux does not tell what is mapped in its own half
			t.trapErr |= 1
		}
		return is(unix.SIGSEGV, c.pageFault(t, tr), tr.Addr)
	case x86.UserBus:
		t.trapNo, s.CR2 = 14, tr.Addr
		return is(unix.SIGBUS, busAdrerr, tr.Addr)
	case 16:
		return is(unix.SIGFPE, fpeCode(uint32(s.FSW)&^uint32(s.FCW)), ip)
	case 17:
		return is(unix.SIGBUS, busAdraln, 0)
	case 19:
		return is(unix.SIGFPE, fpeCode(uint32(s.MXCSR)&^uint32(s.MXCSR>>7)), ip)
	}
	return is(unix.SIGSEGV, siKernel, 0)
}

// pageFault is the code of a page fault's signal.
func (c *x86CPU) pageFault(t *Thread, tr x86.Trap) int {
	if tr.Addr >= t.p.sp.size {
		return segvMaperr
	}
	if b := t.p.sp.bitsAt(tr.Addr); b&pageMapped == 0 || isGuard(b) {
		return segvMaperr
	}
	return segvAccerr
}

// fpeCode is FPE_* of the unmasked exceptions of an x87 or of SSE, by their
// bits.
func fpeCode(bits uint32) int {
	for _, e := range [...]struct {
		bit  uint32
		code int
	}{{1, 7}, {4, 3}, {8 | 2, 0}, {16, 5}, {32, 6}} {
		if bits&e.bit != 0 {
			switch {
			case e.code != 0:
				return e.code
			case bits&8 != 0:
				return 4
			}
			return 5 // a denormal operand counts as an underflow
		}
	}
	return 0
}

// timeStamps is prctl of PR_GET_TSC and PR_SET_TSC: whether RDTSC may be executed.
func (t *Thread) timeStamps(what int, arg uint64) uint64 {
	c, ok := t.cpu.(interface{ user() *x86.CPU })
	if !ok {
		return negative(unix.EINVAL)
	}
	if what == unix.PR_GET_TSC {
		v := uint32(unix.PR_TSC_SIGSEGV)
		if c.user().TimeStamps() {
			v = unix.PR_TSC_ENABLE
		}
		return negative(t.put32(arg, v))
	}
	switch arg {
	case unix.PR_TSC_ENABLE, unix.PR_TSC_SIGSEGV:
		c.user().SetTimeStamps(arg == unix.PR_TSC_ENABLE)
		return 0
	}
	return negative(unix.EINVAL)
}

func (c *x86CPU) user() *x86.CPU { return c.cpu }
