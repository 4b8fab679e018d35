package linux

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rhea/internal/guest/x86"
	"rhea/internal/user/linux/proc"
)

// Debug is a debugger's hold on a process. All threads stop together: those that
// wait in a system call count as stopped, for they come no further than its end.
// The process is stopped when it begins.
type Debug struct {
	p *Process

	mu      sync.Mutex
	changed *sync.Cond
	running bool
	left    bool // the debugger is gone
	action  func(id int) Action
	resumed int // how many times
	stops   chan Stop
	ended   chan struct{}
	breaks  map[uint64]byte // what is there without the breakpoint
	watches [4]watch
	forked  func() // what is to be done in children of forks
}

// Action is what a thread does when the process is resumed.
type Action struct {
	// Kind is 0 = nothing, 'c' = run, 's' = run one instruction, or as many as it
	// takes to leave From..To-1.
	Kind     byte
	Signal   int // the guest's, which it gets first; 0 = none
	From, To uint64
}

// Stop is why the process has stopped.
type Stop struct {
	Thread int
	Signal int
	Break  bool
	// Watched is the address of a watchpoint that was hit, if Watch is set.
	Watch   bool
	Watched uint64
	// Ended: the process ends, by Signal or with Status.
	Ended  bool
	Status int
}

type watch struct {
	addr  uint64
	size  int
	reads bool
}

// debugState is a thread's part.
type debugState struct {
	calling bool // it is in a system call
	parked  bool
	ran     bool // the processor has not only looked whether it is to
	seen    int  // Debug.resumed when it took its action
	action  Action
}

// newDebug takes hold of a process that has not begun.
func newDebug(p *Process) *Debug {
	d := &Debug{p: p, stops: make(chan Stop, 1), ended: make(chan struct{}), breaks: map[uint64]byte{}}
	d.changed = sync.NewCond(&d.mu)
	if runtime.GOMAXPROCS(0) < 4 { // machine code keeps one each
		runtime.GOMAXPROCS(4)
	}
	return d
}

// Stops is where stops come from.
func (d *Debug) Stops() <-chan Stop { return d.stops }

// Ended tells that the debugger knows of the end, which waits for that.
func (d *Debug) Ended() { close(d.ended) }

// Forked has f called in children of forks, which have no debugger.
func (d *Debug) Forked(f func()) { d.forked = f }

// enter waits until the thread may run.
func (d *Debug) enter(t *Thread) {
	d.mu.Lock()
	d.wait(t)
	sig := t.debug.action.Signal
	t.debug.action.Signal = 0
	d.mu.Unlock()
	if sig != 0 {
		proc.BlockAll()
		t.signal(sig, newInfo(sig, siUser))
	}
}

// wait waits until the process runs and the thread is to. The lock is held.
func (d *Debug) wait(t *Thread) {
	s := &t.debug
	for !d.left && !t.over() {
		if d.running {
			if s.seen != d.resumed {
				s.seen, s.action = d.resumed, d.action(t.tid)
			}
			if s.action.Kind != 0 {
				break
			}
		}
		s.parked = true
		d.changed.Broadcast()
		d.changed.Wait()
	}
	s.parked = false
	if d.left {
		s.action = Action{Kind: 'c'}
	}
}

// call says whether the thread is in a system call.
func (d *Debug) call(t *Thread, in bool) {
	d.mu.Lock()
	t.debug.calling = in
	d.changed.Broadcast()
	d.mu.Unlock()
}

// report stops the process for a thread's sake, waits until it goes on, and
// returns what the thread is to do then.
func (d *Debug) report(t *Thread, x Stop) Action {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wait(t) // another thread may have been first
	if d.left || t.over() {
		return Action{Kind: 'c', Signal: x.Signal}
	}
	x.Thread = t.tid
	t.debug.parked = true
	d.halt()
	d.stops <- x
	d.wait(t)
	a := t.debug.action
	t.debug.action.Signal = 0
	if d.left {
		a.Signal = 0
	}
	return a
}

// end tells the debugger that the process ends.
func (d *Debug) end(x Stop) {
	d.mu.Lock()
	for !d.running && !d.left {
		d.changed.Wait()
	}
	left := d.left
	d.running = false
	d.mu.Unlock()
	if left {
		return
	}
	d.stops <- x
	select {
	case <-d.ended:
	case <-time.After(2 * time.Second):
	}
}

// halt has all threads stop and waits until they have. The lock is held.
func (d *Debug) halt() {
	d.running = false
	for {
		busy := false
		d.p.mu.Lock()
		for _, o := range d.p.threads {
			if !o.debug.parked && !o.debug.calling {
				busy = true
				o.cpu.vcpu().Kick()
			}
		}
		d.p.mu.Unlock()
		if !busy {
			return
		}
		d.changed.Wait()
	}
}

// stepped is told that a thread has run, with one instruction at a time.
func (d *Debug) stepped(t *Thread) {
	a := &t.debug.action
	if a.Kind != 's' || t.ended || !t.debug.ran {
		return
	}
	if ip := t.registers().Registers().IP; ip >= a.From && ip < a.To {
		return
	}
	d.report(t, Stop{Signal: int(unix.SIGTRAP)})
}

// stepping reports whether the thread is to run one instruction.
func (t *Thread) stepping() bool { return t.p.debug != nil && t.debug.action.Kind == 's' }

func (t *Thread) registers() *x86.CPU { return t.cpu.(interface{ registers() *x86.CPU }).registers() }

func (c *x86CPU) registers() *x86.CPU { return c.cpu }

// faulted takes an exception that is the debugger's.
func (d *Debug) faulted(t *Thread) bool {
	c := t.registers()
	switch tr := c.TakeTrap(); {
	case tr.Vector == 3 && tr.Soft:
		s := c.Registers()
		d.mu.Lock()
		_, ours := d.breaks[s.IP-1]
		d.mu.Unlock()
		if !ours {
			return false
		}
		s.IP--
		d.report(t, Stop{Signal: int(unix.SIGTRAP), Break: true})
		return true
	case tr.Vector == 1:
		for i := range d.watches {
			if tr.Code>>i&1 != 0 && d.watches[i].size != 0 {
				d.report(t, Stop{Signal: int(unix.SIGTRAP), Watch: true, Watched: d.watches[i].addr})
				return true
			}
		}
	}
	return false
}

// signalled tells the debugger of a signal before the program gets it. It
// returns the one that it is to get, 0 = none.
func (d *Debug) signalled(t *Thread, sig int) int {
	return d.report(t, Stop{Signal: sig}).Signal
}

// Threads are the numbers of the threads, the process' first.
func (d *Debug) Threads() (list []int) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	for id := range d.p.threads {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// Processor is that of a thread, nil if there is none.
func (d *Debug) Processor(id int) *x86.CPU {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	t := d.p.threads[id]
	if t == nil {
		return nil
	}
	return t.registers()
}

// Resume has the threads run that action says.
func (d *Debug) Resume(action func(id int) Action) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.action, d.running = action, true
	d.resumed++
	d.changed.Broadcast()
}

// Interrupt has the process stop soon, if it does not by itself.
func (d *Debug) Interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		return
	}
	d.halt()
	id := 0
	if list := d.Threads(); len(list) > 0 {
		id = list[0]
	}
	d.stops <- Stop{Thread: id, Signal: int(unix.SIGINT)}
}

// Detach has the process go on without the debugger.
func (d *Debug) Detach() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = true
	d.changed.Broadcast()
}

// Kill ends the process.
func (d *Debug) Kill() { unix.Kill(os.Getpid(), unix.SIGKILL) }

// memory opens the process' memory, which may be written whatever its protection.
func (d *Debug) memory(flags int) (int, error) {
	return unix.Open("/proc/self/mem", flags|unix.O_CLOEXEC, 0)
}

// ReadMemory reads as many bytes at a guest's address as there are, without
// breakpoints.
func (d *Debug) ReadMemory(va uint64, b []byte) int {
	sp := d.p.sp
	if va >= sp.size {
		return 0
	}
	b = b[:min(uint64(len(b)), sp.size-va)]
	f, err := d.memory(unix.O_RDONLY)
	if err != nil {
		return 0
	}
	defer unix.Close(f)
	n := 0
	for n < len(b) { // by pages: the first that cannot be read ends it
		at := va + uint64(n)
		size := min(page-int(at&pageMask), len(b)-n)
		if sp.bitsAt(at)&pageMapped == 0 {
			break
		}
		if k, err := unix.Pread(f, b[n:n+size], int64(sp.host(at))); k != size || err != nil {
			break
		}
		n += size
	}
	for at, old := range d.breaks {
		if at-va < uint64(n) {
			b[at-va] = old
		}
	}
	return n
}

var errMemory = errors.New("there is no such memory")

// WriteMemory writes all bytes or none. Breakpoints stay.
func (d *Debug) WriteMemory(va uint64, b []byte) error {
	if err := d.write(va, b); err != nil {
		return err
	}
	for at := range d.breaks {
		if at-va < uint64(len(b)) {
			d.breaks[at] = b[at-va]
			if err := d.write(at, []byte{breakpoint}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Debug) write(va uint64, b []byte) error {
	sp := d.p.sp
	n := uint64(len(b))
	if va >= sp.size || n > sp.size-va || n == 0 || !sp.allowed(va, n, pageMapped) {
		return errMemory
	}
	f, err := d.memory(unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(f)
	if k, err := unix.Pwrite(f, b, int64(sp.host(va))); err != nil || k != len(b) {
		return errMemory
	}
	for at := va &^ pageMask; at < va+n; at += page {
		if sp.ram.Watched(at) {
			sp.codeWritten(at)
		}
	}
	return nil
}

// breakpoint is INT3.
const breakpoint = 0xcc

// Break sets a breakpoint, Unbreak clears it.
func (d *Debug) Break(va uint64) error {
	if _, is := d.breaks[va]; is {
		return nil
	}
	b := make([]byte, 1)
	if d.ReadMemory(va, b) != 1 {
		return errMemory
	}
	if err := d.write(va, []byte{breakpoint}); err != nil {
		return err
	}
	d.mu.Lock()
	d.breaks[va] = b[0]
	d.mu.Unlock()
	return nil
}

func (d *Debug) Unbreak(va uint64) error {
	old, is := d.breaks[va]
	if !is {
		return nil
	}
	d.mu.Lock()
	delete(d.breaks, va)
	d.mu.Unlock()
	return d.write(va, []byte{old})
}

// Watch has accesses to size bytes stop the process: 1, 2, 4 or 8, aligned to
// that. There is room for four.
func (d *Debug) Watch(va, size uint64, reads bool) error {
	switch size {
	case 1, 2, 4, 8:
	default:
		return fmt.Errorf("no watchpoint has %d bytes", size)
	}
	if va&(size-1) != 0 {
		return errors.New("a watchpoint must be aligned to its size")
	}
	return d.setWatch(watch{}, watch{va, int(size), reads})
}

// Unwatch undoes Watch.
func (d *Debug) Unwatch(va, size uint64, reads bool) error {
	return d.setWatch(watch{va, int(size), reads}, watch{})
}

func (d *Debug) setWatch(from, to watch) error {
	for i := range d.watches {
		if d.watches[i] != from {
			continue
		}
		d.watches[i] = to
		for _, id := range d.Threads() {
			if c := d.Processor(id); c != nil {
				c.SetUserWatch(i, to.addr, to.size, to.reads)
			}
		}
		return nil
	}
	return errors.New("there are four watchpoints at most")
}

// child makes the child of a fork one without a debugger.
func (d *Debug) child(t *Thread) {
	for at, old := range d.breaks {
		d.write(at, []byte{old})
	}
	for i := range d.watches {
		t.registers().SetUserWatch(i, 0, 0, false)
	}
	if d.forked != nil {
		d.forked()
	}
}

// Auxv is the auxiliary vector, Exe the program's file, Process its number.
func (d *Debug) Auxv() []byte  { return d.p.auxv }
func (d *Debug) Exe() string   { return d.p.exe }
func (d *Debug) Process() int  { return unix.Getpid() }
func (d *Debug) Long() bool    { return d.p.abi.Long == 8 }
func (d *Debug) Vectors() bool { return d.p.model != nil && d.anyCPU().XStateSize() != 0 }

func (d *Debug) anyCPU() *x86.CPU { return d.Processor(d.Threads()[0]) }

// Maps is the guest's /proc/self/maps.
func (d *Debug) Maps() string { return string(d.p.guestMaps(false)) }
