package linux

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"rhea/internal/accel/tcg"
	"rhea/internal/guest/x86"
	"rhea/internal/mem"
	"rhea/internal/trace"
	"rhea/internal/user/linux/proc"
)

// Config is what a guest process is started with.
type Config struct {
	ABI *ABI
	// Path is the program, Args its arguments with the name it is called by,
	// Env its environment.
	Path string
	Args []string
	Env  []string
	// Sysroot is where its interpreter and libraries are looked for first, -L.
	Sysroot string
	// CPU is the processor's model, "" = the ABI's; Release what uname(2) says (-r).
	CPU     string
	Release string
	// Stack is the size of the stack, Base where guest address 0 is to be, and
	// Reserve how many bytes of addresses there are; 0 = as the host has it.
	Stack, Base, Reserve uint64
	// Strace, if it is not nil, gets a line for each system call.
	Strace io.Writer
	Log    *trace.Log
	Engine tcg.Engine
	// Again is the command line, up to the program, that runs another program
	// in the same way; its first element is the name that rhea is called by.
	Again []string
	// ExecFD is a descriptor of the program, -1 = none: it is opened by Path.
	ExecFD int
	// Debug, if it is not nil, is called with a hold on the process, which is
	// stopped, before it runs.
	Debug func(*Debug) error
	// Fork is how the process forks, Heir the descriptor from which it takes over
	// what its parent had, -1 = none: it begins.
	Fork ForkBy
	Heir int
	// CodeCache is the directory in which translated code is kept for other
	// processes, "" = it is not.
	CodeCache string
	// CodeCacheAll: the directories above it are made, too.
	CodeCacheAll bool
	// Disassemble names instructions, for logs.
	Disassemble bool
}

// Process is a guest process.
type Process struct {
	cfg   Config
	abi   *ABI
	kind  guestKind
	sp    *space
	ram   *mem.Region
	types *structures
	infos infoTypes
	model *x86.Model
	clock clock
	flat  *tcg.Flat
	// requests are ioctl's, made when they are first needed.
	requests func() map[uint32]request

	exe  string // the program's file, as the guest is to see it
	auxv []byte
	// trampoline is code for handlers to return to that name none.
	trampoline uint64
	// argv is what /proc/self/cmdline says.
	argv []byte
	// Where the stack and the arguments begin; the environment is behind these.
	stackTop, argStart, argEnd, envEnd uint64

	debug *Debug     // nil = there is no debugger
	code  *codeCache // nil = there is none

	// epoch counts forks: threads of another one are over.
	epoch atomic.Uint32

	mu      sync.Mutex
	threads map[int]*Thread
	idle    []processor // processors of threads that have ended
	acts    [65]action
	cpus    []processor

	held held

	aio aio
	// changes are what threads may differ in, of what one has from another.
	changes atomic.Uint32
	// hashes: offsets in directories may have been shortened.
	hashes atomic.Bool

	ldtSize int // entries of the LDT that were set
}

// Thread is a guest thread.
type Thread struct {
	p     *Process
	cpu   processor
	rec   *proc.Record
	epoch uint32
	tid   int

	mask  uint64 // of signals, the guest's
	saved uint64 // what sigsuspend and its like have replaced
	// swapped: mask is to be saved again once a signal has been delivered.
	swapped bool
	held    held
	awaits  atomic.Uint64 // those that sigtimedwait waits for
	waits   uint64        // mask of a call that waits by another

	altSP, altSize uint64
	altFlags       int32

	// lesson is what its children tell by, taught what it tells its parent by.
	lesson, taught []byte

	clearTID   uint64
	robust     uint64
	robustSize uint64

	// The system call that is being done, for a restart.
	call           int
	args           [6]uint64
	tried          [6]uint64 // args as they are for this try
	restart, early bool
	ended          bool

	debug debugState

	line string // -strace's, that waits for the result
	// kept: the system call has set the registers itself.
	kept bool

	// Of the last exception.
	trapNo  int
	trapErr uint32

	// Memory for a system call's structures: the heap does not move.
	buf  [8192]byte
	used int
	keep [][]byte
}

// Start makes the process, loads the program and runs it. It returns only if
// that cannot be: the process ends with the program.
func Start(cfg Config) error {
	if cfg.Reserve != 0 && cfg.Reserve < 1<<20 {
		return fmt.Errorf("-R %#x: a program needs 1 MiB of addresses at least", cfg.Reserve)
	}
	p := &Process{cfg: cfg, abi: cfg.ABI, clock: newClock(), threads: make(map[int]*Thread)}
	p.types, p.infos, p.requests = newStructures(p.abi), newInfoTypes(p.abi), sync.OnceValue(requests)
	p.kind = guestKinds()[p.abi.Name]
	if cfg.CPU == "" {
		cfg.CPU = p.abi.CPU
	}
	model, err := p.kind.model(cfg.CPU)
	if err != nil {
		return fmt.Errorf("-cpu: %w", err)
	}
	p.model = model
	p.abi.calls = newTable(p.abi)
	// Files and addresses are the guest's from here on: nothing of Go's that
	// opens any.
	runtime.LockOSThread()
	if err := onMainThread(); err != nil {
		return err
	}
	restoreFiles()
	if err := proc.MovePoller(); err != nil {
		return err
	}
	var in *inheritance
	var h *heir
	if cfg.Heir >= 0 {
		if in, h, err = inherit(cfg.Heir); err != nil {
			return err
		}
		if p.abi.Long == 8 {
			p.abi.setSpace(h.Space)
		}
	}
	sp, ram, err := newSpace(p.abi, uintptr(cfg.Base))
	for errors.Is(err, unix.ENOMEM) && p.abi.halve() {
		sp, ram, err = newSpace(p.abi, uintptr(cfg.Base))
	}
	if err != nil {
		return err
	}
	if cfg.Reserve != 0 {
		sp.limit = min(sp.limit, cfg.Reserve&^pageMask)
	}
	p.sp, p.ram = sp, ram
	p.flat = &tcg.Flat{
		Base: sp.base, RAM: sp.ram, Protect: sp.protectCode, Written: sp.codeWritten,
		UserFault: p.userFault, UserIndex: x86.UserIndex,
	}
	sp.forget = func(va, n uint64) {
		for _, c := range p.cpus {
			c.vcpu().ForgetCode(va, n)
		}
	}
	sp.remapped = func(code bool) {
		for _, c := range p.cpus {
			c.vcpu().Remapped(code)
		}
	}
	sp.guarded = func() {
		for _, c := range p.cpus {
			c.vcpu().Protect()
		}
	}
	var t *Thread
	if in != nil {
		t, err = p.takeOver(in, h)
	} else {
		t, err = p.begin()
	}
	if err != nil {
		return err
	}
	if cfg.Debug != nil {
		p.debug = newDebug(p)
		if err := cfg.Debug(p.debug); err != nil {
			return err
		}
	}
	t.run()
	for { // the thread has ended, the process has not
		unix.Pause()
	}
}

// againVar says that the process has been begun anew for its main thread.
const againVar = "_RHEA_MAIN"

// onMainThread makes sure that the guest's main thread is the process': its
// number is the process', as programs expect. The runtime may have moved us, if
// the program's main package has not locked its goroutine there.
func onMainThread() error {
	if unix.Gettid() == unix.Getpid() {
		return nil
	}
	if os.Getenv(againVar) != "" {
		return errors.New("the process' main thread is not to be had; start the program again")
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), againVar+"=1"))
}

// begin loads the program.
func (p *Process) begin() (*Thread, error) {
	entry, stack, err := p.load()
	if err != nil {
		return nil, err
	}
	t, err := p.newThread()
	if err != nil {
		return nil, err
	}
	t.cpu.start(entry, stack)
	p.useCode(t)
	closeStreams()
	p.startSignals(t)
	return t, nil
}

// newThread makes the calling thread the process' first.
func (p *Process) newThread() (*Thread, error) {
	cpu, err := p.newCPU()
	if err != nil {
		return nil, err
	}
	if err := proc.SetUp(); err != nil {
		return nil, err
	}
	if !proc.Revives() {
		p.cfg.Fork = ForkExec
	}
	t := &Thread{p: p, cpu: cpu, altFlags: ssDisable}
	if err := t.enter(); err != nil {
		return nil, err
	}
	proc.Quiet()
	panicOnFault()
	return t, nil
}

// enter makes the calling host thread the guest's.
func (t *Thread) enter() error {
	rec, err := proc.Enter()
	if err != nil {
		return fmt.Errorf("a thread: %w", err)
	}
	t.rec = rec
	t.tid = rec.TID()
	t.attach()
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	if t.over() {
		t.rec.Leave()
		return unix.EAGAIN
	}
	t.p.threads[t.tid] = t
	return setGS(t.p.sp.base)
}

// over reports whether the process has forked and this is the child, which has
// no such thread.
func (t *Thread) over() bool { return t.rec.Over != 0 || t.epoch != t.p.epoch.Load() }

// attach connects the record with the processor.
func (t *Thread) attach() {
	t.rec.Poll, t.rec.Attention = t.cpu.vcpu().AttentionWords()
	t.cpu.vcpu().SetInterrupted(&t.rec.Signal)
}

// run runs the thread until it ends.
func (t *Thread) run() {
	for !t.ended {
		if t.over() {
			proc.BlockAll()
			t.rec.Leave()
			return
		}
		d := t.p.debug
		if d != nil {
			d.enter(t)
		}
		if t.rec.Signal != 0 {
			t.deliver()
			continue
		}
		switch t.cpu.run(t) {
		case trapCall:
			t.syscall()
		case trapFault:
			if !t.over() {
				t.fault()
			}
			continue
		}
		if d != nil {
			d.stepped(t)
		}
	}
}

// exitGroup ends the process.
func (p *Process) exitGroup(status int) {
	for {
		proc.Raw(unix.SYS_EXIT_GROUP, uintptr(status))
	}
}

// fatal ends the process for a failure of our own or the host's.
func (p *Process) fatal(err error) {
	fmt.Fprintf(os.Stderr, "qemu-%s: %v\n", p.abi.Name, err)
	p.exitGroup(1)
}

// KeepDescriptor has a descriptor be one that the guest cannot close.
func KeepDescriptor(fd int) { proc.Keep(fd) }
