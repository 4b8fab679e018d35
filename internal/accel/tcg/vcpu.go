// Package tcg runs guest processors by translation: it owns the TLB, the
// cache of translated code and the loop around an engine that executes it.
package tcg

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"rhea/internal/accel"
	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/interp"
	"rhea/internal/jit/amd64"
	"rhea/internal/mem"
	"rhea/internal/trace"
)

// Config is what all vCPUs of a machine share.
type Config struct {
	// Lock is the machine's; it is held around MMIO and port accesses.
	Lock sync.Locker
	// IO is the space of I/O ports, nil where the guest has none.
	IO  *mem.Space
	Log *trace.Log
	// Engine is what executes translated code.
	Engine Engine
	// Eager has the translator compile units when they are met first, not when
	// they are met again.
	Eager bool
	// CacheSize bounds the translated code of a vCPU, in bytes; 0 = 48 MiB.
	CacheSize int
	// Disassemble names the instruction in b, for logs; it may be nil.
	Disassemble func(k guest.Key, b []byte) (text string, n int)
	// Flat is the memory in user mode; nil = a machine's.
	Flat *Flat
	// PerfMap, if it is not nil, gets a line for each unit of machine code, in
	// the form of perf's map files: address, size, name. A later line for the
	// same address replaces an earlier one. Several vCPUs may write at a time.
	PerfMap io.Writer
}

// Engine says how translated code is executed.
type Engine uint8

// The engines.
const (
	// Best is the translator where there is one, else the interpreter.
	Best Engine = iota
	// Interpreter is ir/interp.
	Interpreter
	// Translator makes machine code. NewVCPU fails where there is none.
	Translator
)

// TCG is the accelerator.
type TCG struct{ cfg Config }

// New returns the accelerator.
func New(cfg Config) *TCG {
	if cfg.CacheSize == 0 {
		cfg.CacheSize = 48 << 20
	}
	return &TCG{cfg}
}

// NewVCPU implements accel.Accelerator.
func (t *TCG) NewVCPU(cpu guest.CPU, space *mem.Space) (accel.VCPU, error) {
	return t.NewCPU(cpu, space)
}

// NewCPU is NewVCPU with its real type.
func (t *TCG) NewCPU(cpu guest.CPU, space *mem.Space) (*VCPU, error) {
	v := &VCPU{
		cfg: t.cfg, cpu: cpu, space: space, io: t.cfg.IO, lock: t.cfg.Lock, log: t.cfg.Log,
		wake: make(chan struct{}, 1), eager: t.cfg.Eager,
		vaMask: ^uint64(0), largeFirst: ^uint64(0), jumpMask: jumpSize - 1,
	}
	if t.cfg.Flat != nil {
		v.jumpMask = flatJumps - 1
	}
	if !isWide(cpu.Slots()) {
		v.vaMask = 0xffffffff
	}
	if t.cfg.Engine == Translator || t.cfg.Engine == Best && Available() {
		n, err := newCoder(cpu, &t.cfg)
		if err != nil {
			return nil, err
		}
		v.n = n
		n.mapStubs(v)
	}
	v.lower = interp.NewLowerer(cpu.Helpers())
	v.builder = ir.NewBuilder(&v.ir)
	v.ir.Slots = cpu.Slots()
	v.m = interp.NewMachine(cpu.Frame(), cpu.Slots(), v)
	v.cache = newCache(t.cfg.CacheSize, v.Wake)
	v.cache.protect, v.cache.flat = v.protectPage, t.cfg.Flat
	if v.n != nil {
		v.cache.dropped, v.cache.cleared = v.n.drop, v.cleared
	}
	v.watchSpace(space)
	cpu.Attach(v)
	return v, nil
}

// isWide reports whether a processor has addresses of 64 bits.
func isWide(s *ir.Slots) bool { return s.Info[s.PC].Type == ir.I64 }

// Close gives the memory of machine code back. The processor keeps its state.
func (v *VCPU) Close() error {
	if v.n == nil {
		return nil
	}
	v.cache.clear()
	n := v.n
	v.n = nil
	v.cpu.Move(new(ir.Frame))
	v.m.Frame = v.cpu.Frame()
	v.lower = interp.NewLowerer(v.cpu.Helpers())
	return n.close()
}

// VCPU is one guest processor.
type VCPU struct {
	cfg   Config
	cpu   guest.CPU
	space *mem.Space
	io    *mem.Space
	lock  sync.Locker
	log   *trace.Log

	m       *interp.Machine
	lower   *interp.Lowerer
	n       *coder   // machine code; nil = none
	local   fillList // of the TLBs
	global  fillList
	ir      ir.Unit
	builder *ir.Builder
	quick   quick
	lessons lessons
	image   *image // nil = there is none
	cache   *cache
	vaMask  uint64

	interrupted *uint32 // not 0: as if kicked

	kicked  atomic.Bool
	remap   atomic.Bool // the space has changed
	reread  atomic.Bool // so has what data may be accessed
	protect atomic.Bool // pages were marked clean
	wake    chan struct{}

	// jumps finds units by their virtual key while the page tables stay.
	jumps    [jumpSize]jump
	jumpMask uint64
	code     [interp.Indexes]codeView
	fetch    [fetchSize]fetchEntry
	// Between these addresses the TLB has pieces of large pages.
	largeFirst, largeLast uint64

	counted bool // a budget is kept
	traced  bool // the log wants each unit
	oneShot bool // the next unit is a single instruction, not kept
	eager   bool // units are compiled at once
	alone   bool // such a unit runs
	spaces  []*mem.Space
}

const (
	jumpSize  = 4096
	flatJumps = 512 // in user mode, where programs are short and threads many
	fetchSize = 256
)

type jump struct {
	key        guest.Key
	index      int
	generation uint64
	unit       *unit
}

type fetchEntry struct {
	tag   uint64 // page address | index+1
	place place
	ok    bool // RAM or ROM
	pa    uint64
	// global: the page is in all address spaces.
	global bool
	code   *codePage // what was translated of it, if that is known
}

func (v *VCPU) watchSpace(s *mem.Space) {
	for _, o := range v.spaces {
		if o == s {
			return
		}
	}
	v.spaces = append(v.spaces, s)
	s.OnChange(func() {
		v.remap.Store(true)
		v.Wake()
	})
}

// SetSpace switches the memory that the processor sees (SMM). It is called on
// the vCPU's own goroutine.
func (v *VCPU) SetSpace(s *mem.Space) {
	v.watchSpace(s)
	v.space = s
	v.FlushTLB(false)
}

// Protect makes the next store to every page take the slow way: pages were
// marked clean. It may be called from any goroutine.
func (v *VCPU) Protect() {
	v.protect.Store(true)
	v.Wake()
}

// Kick implements accel.VCPU.
func (v *VCPU) Kick() {
	v.kicked.Store(true)
	v.Wake()
}

// Wake implements guest.Memory.
func (v *VCPU) Wake() {
	v.m.Attention.Store(1)
	v.n.attention(true)
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Count returns the number of guest instructions executed, counting units
// that were left early in whole.
func (v *VCPU) Count() uint64 { return v.m.Count }

// attend does what others have asked for.
func (v *VCPU) attend() {
	v.n.attention(false)
	v.m.Attention.Store(0)
	if v.remap.Swap(false) {
		v.FlushTLB(false)
	}
	if v.reread.Swap(false) {
		v.flushData()
	}
	if v.protect.Swap(false) {
		v.protectAll()
	}
	v.cache.catchUp()
}

// Run implements accel.VCPU. A budget is kept exactly: the last instructions
// are run one by one.
func (v *VCPU) Run(budget int64) (accel.Exit, error) {
	end := v.m.Count + uint64(budget)
	v.count(budget > 0)
	for {
		if v.m.Attention.Load() != 0 || v.n.pending() {
			v.attend()
		}
		if v.kicked.Swap(false) {
			return accel.Kicked, nil
		}
		if v.cpu.Pending() {
			v.cpu.Service()
		}
		switch v.cpu.Event() {
		case guest.TripleFault:
			return accel.Shutdown, nil
		case guest.DebugStop:
			return accel.Debug, nil
		case guest.Trapped:
			return accel.Trapped, nil
		}
		if v.interrupted != nil && *v.interrupted != 0 { // a trap that is there comes first
			return accel.Kicked, nil
		}
		v.trace(v.log.On(trace.Exec | trace.CPU))
		if budget > 0 && v.m.Count >= end {
			return accel.Budget, nil
		}
		if v.cpu.Halted() {
			if !v.cpu.Pending() {
				<-v.wake
			}
			continue
		}
		if budget > 0 {
			v.oneShot = v.oneShot || end-v.m.Count < maxInsns
		}
		u, fault := v.find(v.cpu.Key())
		if fault != nil {
			v.cpu.Raise(fault)
			continue
		}
		v.run(u, end)
	}
}

// count says whether instructions are counted from now on. Units are found
// anew: those that count are others.
func (v *VCPU) count(on bool) {
	if v.counted != on {
		v.counted = on
		v.findAnew()
	}
}

// trace says whether each unit is logged from now on, as count does.
func (v *VCPU) trace(on bool) {
	if v.traced != on {
		v.traced = on
		v.findAnew()
	}
}

func (v *VCPU) findAnew() {
	if v.n != nil {
		for i := range v.code {
			v.newGeneration(i)
		}
	}
}

// countedCode reports whether machine code must count.
func (v *VCPU) countedCode() bool { return v.counted && v.n != nil }

// run executes u and what follows, as long as nothing has to be looked at. If
// instructions are counted, it is for at most as many as are left until end.
func (v *VCPU) run(u *unit, end uint64) {
	for u != nil {
		switch {
		case u.native.size != 0 && !v.traced:
			left := v.n.ctx.Word(amd64.OffBudget)
			if v.counted {
				*left = end - v.m.Count
			}
			u = v.n.run(v, u)
			if v.counted {
				v.m.Count = end - *left
			}
		case u.quick && !v.traced:
			u = v.evaluate(u)
		default:
			if v.traced {
				v.logRun(u)
			}
			u = v.interpret(u, !v.counted && !v.traced)
		}
		if v.counted && end-v.m.Count < maxInsns {
			return
		}
	}
}

// interpret executes u; it returns the unit to go on with, in the same mode,
// or nil if something has to be looked at.
func (v *VCPU) interpret(u *unit, link bool) *unit {
	if u.code == nil {
		v.lowerAgain(u)
	}
	k := u.key // of the units it is linked to as well: links keep the mode
	from := u.code
	v.alone = from.OneShot
	exit := v.m.Run(from)
	v.alone = false
	switch exit {
	case interp.Linked:
		from = v.m.Out
		k.PC = from.Link(int(v.m.Arg)).PC
	case interp.Indirect:
		from = nil
		k.PC = v.cpu.Frame()[v.ir.Slots.PC]
	case interp.Faulted:
		if v.m.Fault == errSelf {
			v.oneShot = true
			return nil
		}
		v.cpu.Raise(v.m.Fault)
		return nil
	case interp.Guarded:
		v.cpu.Guarded(v.m.Arg)
		return nil
	case interp.SelfModified:
		v.oneShot = true
		return nil
	default: // Poll, Loop, Stopped
		return nil
	}
	v.cpu.Frame()[v.ir.Slots.PC] = k.PC
	next, fault := v.find(k)
	if fault != nil {
		v.cpu.Raise(fault)
		return nil
	}
	if link && from != nil && !next.cross && next.code != nil && !from.OneShot && !next.code.OneShot && samePage(from.PC+k.Base, k.PC+k.Base) {
		from.Link(int(v.m.Arg)).To = next.code
	}
	return next
}

func samePage(a, b uint64) bool { return (a^b)&^pageMask == 0 }

// find returns the unit at k, translating it if need be.
func (v *VCPU) find(k guest.Key) (*unit, *guest.Fault) {
	u, fault := v.lookup(k)
	if fault == nil && v.isDue(u) {
		return v.compileNow(u, k)
	}
	return u, fault
}

func (v *VCPU) lookup(k guest.Key) (*unit, *guest.Fault) {
	if v.oneShot {
		v.oneShot = false
		u, _, fault := v.translate(k, 1)
		return u, fault
	}
	index := v.cpu.FetchIndex()
	if v.code[index].stale {
		v.renew(index)
	}
	h := k.PC
	j := &v.jumps[(h^h>>12)&v.jumpMask%jumpSize]
	if j.key == k && j.generation == v.code[index].generation && j.index == index && j.unit.valid {
		return j.unit, nil
	}
	at, ok, fault := v.fetchPlace((k.PC + k.Base) & v.vaMask)
	if fault != nil {
		return nil, fault
	}
	if !ok { // code outside RAM and ROM is not kept
		u, _, fault := v.translate(k, 1)
		return u, fault
	}
	u := v.cached((k.PC+k.Base)&v.vaMask, at, &k)
	if u != nil && u.cross {
		second, _, fault := v.fetchPlace((k.PC + k.Base + u.len - 1) & v.vaMask)
		if fault != nil || second.page() != u.second.page() {
			v.cache.drop(u)
			u = nil
		}
	}
	if u == nil && v.image != nil {
		u = v.fromImage(&k, at)
	}
	if u == nil {
		var keep bool
		u, keep, fault = v.translate(k, maxInsns)
		if fault != nil || !keep {
			return u, fault
		}
	}
	*j = jump{k, index, v.code[index].generation, u}
	return u, nil
}

// cached returns the unit for a key, whose code is at va, and there at a
// place; nil = none.
func (v *VCPU) cached(va uint64, at place, k *guest.Key) *unit {
	e := &v.fetch[va>>12%fetchSize] // fetchPlace has filled it
	if e.code == nil || e.code.page != at.page() {
		if e.code = v.cache.page(at.page()); e.code == nil {
			return nil
		}
	}
	counted := v.countedCode()
	if v.moves(k) {
		if u := e.code.find(at.off, k, true, counted); u != nil {
			return u
		}
	}
	return e.code.find(at.off, k, false, counted)
}

// moves reports whether the unit for a key is to be one that moves. Only machine
// code does.
func (v *VCPU) moves(k *guest.Key) bool { return v.n != nil && !v.traced && v.cpu.Moves(*k) }

// maxInsns bounds a unit, so that interrupts are not kept waiting.
const maxInsns = 64

// translate makes a unit; keep says that it was entered in the cache.
func (v *VCPU) translate(k guest.Key, limit int) (u *unit, keep bool, fault *guest.Fault) {
	if v.cache.size > v.cache.limit {
		v.cache.clear()
	}
	return v.translateFor(k, limit, limit != 1 && v.moves(&k))
}

func (v *VCPU) translateFor(k guest.Key, limit int, moves bool) (u *unit, keep bool, fault *guest.Fault) {
	v.start(k, moves, v.n != nil && v.eager && limit != 1 && !v.counted)
	if fault := v.cpu.Translate(v.builder, v, k, limit); fault != nil {
		return nil, false, fault
	}
	if v.ir.Loops && v.ir.Vectors && !v.ir.Unroll && v.n != nil && limit != 1 && !v.traced && !v.counted { // it is compiled at once
		v.start(k, moves, true)
		if fault := v.cpu.Translate(v.builder, v, k, limit); fault != nil {
			return nil, false, fault
		}
	}
	v.logUnit(k)
	if v.n != nil && limit != 1 {
		u = v.n.newUnit()
	} else {
		u = new(unit)
	}
	*u = unit{key: k, len: uint64(v.ir.Bytes), counted: v.countedCode(), moves: moves}
	u.key.PC -= v.ir.Page
	va := (k.PC + k.Base) & v.vaMask
	at, ok, _ := v.fetchPlace(va)
	u.place = at
	if last := (va + u.len - 1) & v.vaMask; !samePage(va, last) {
		u.cross = true
		second, ok2, _ := v.fetchPlace(last &^ pageMask)
		u.second = second
		ok = ok && ok2
	}
	if !ok || limit == 1 {
		v.lowerUnit(u)
		u.code.OneShot = true
		return u, false, nil
	}
	v.tell(u, k.PC)
	if v.isQuick(at) {
		v.wait(u)
		v.cache.add(u)
		return u, true, nil
	}
	if v.n == nil || !v.n.compile(v, u, &v.ir) {
		if moves { // the interpreter does not
			return v.translateFor(k, limit, false)
		}
		v.lowerUnit(u)
	}
	v.cache.add(u)
	return u, true, nil
}

// start begins the translation of a unit into v.ir.
func (v *VCPU) start(k guest.Key, moves, unroll bool) {
	v.builder.Start(&v.ir)
	if v.ir.Moves = moves; moves {
		v.ir.Page = k.PC &^ pageMask
	}
	v.ir.Unroll = unroll
}

// cleared is called when the cache was emptied: its units are used again.
func (v *VCPU) cleared() {
	clear(v.jumps[:])
	v.n.reset()
	v.image = nil
}

// lowerUnit makes the interpreter's form of what is in v.ir.
func (v *VCPU) lowerUnit(u *unit) {
	u.code = v.lower.Lower(&v.ir)
	v.logOptimized(&v.ir)
	u.code.PC, u.code.Owner = u.key.PC, u
}

// lowerAgain makes the interpreter's form of a unit that has only machine code.
func (v *VCPU) lowerAgain(u *unit) {
	v.builder.Start(&v.ir)
	if fault := v.cpu.Translate(v.builder, v, u.key, maxInsns); fault != nil {
		panic("BUG: tcg: a unit's code cannot be read any more")
	}
	v.lowerUnit(u)
	u.code.Valid = u.valid
}

// fetchPlace translates the address of code; ok is false outside RAM and ROM.
func (v *VCPU) fetchPlace(va uint64) (at place, ok bool, fault *guest.Fault) {
	index := v.cpu.FetchIndex()
	tag := va&^pageMask | uint64(index) + 1
	e := &v.fetch[va>>12%fetchSize]
	if e.tag != tag {
		p, fault := v.cpu.Walk(va, guest.Fetch, index)
		if fault != nil {
			return place{}, false, fault
		}
		*e = fetchEntry{tag: tag, pa: p.PA &^ pageMask, global: p.Global}
		v.code[index].fetchedFrom(va, p.PA&^pageMask, p.Global)
		if page, ok := v.space.ReadPage(p.PA); ok {
			e.place, e.ok = place{page.RAM, page.Off}, true
		}
	}
	at = e.place
	at.off |= va & pageMask
	return at, e.ok, nil
}

// FetchCode implements guest.Fetcher.
func (v *VCPU) FetchCode(va uint64, p []byte) (int, *guest.Fault) {
	n := 0
	for n < len(p) {
		va := (va + uint64(n)) & v.vaMask
		at, ok, fault := v.fetchPlace(va)
		if fault != nil {
			return n, fault
		}
		k := min(len(p)-n, int(mem.PageSize-va&pageMask))
		if ok {
			n += copy(p[n:n+k], at.ram.Bytes[at.off:])
			continue
		}
		pa := v.fetch[va>>12%fetchSize].pa | va&pageMask
		v.lock.Lock()
		v.space.ReadBytes(pa, p[n:n+k])
		v.lock.Unlock()
		n += k
	}
	return n, nil
}

// logRun logs a unit that is about to run. Units are not linked meanwhile.
func (v *VCPU) logRun(u *unit) {
	v.log.Printf(trace.Exec, "Trace: %08x/%08x/%x\n", u.key.PC, u.key.Base, u.key.Mode)
	if d, ok := v.cpu.(interface{ DumpRegisters(io.Writer) error }); ok && v.log.On(trace.CPU) {
		var b strings.Builder
		if d.DumpRegisters(&b) == nil {
			v.log.Printf(trace.CPU, "%s", b.String())
		}
	}
}

func (v *VCPU) logUnit(k guest.Key) {
	if v.log.On(trace.InAsm) && v.cfg.Disassemble != nil {
		v.log.Printf(trace.InAsm, "----------------\nIN:\n")
		code := make([]byte, v.ir.Bytes)
		n, _ := v.FetchCode(k.PC+k.Base, code)
		for off := 0; off < n; {
			at := k
			at.PC += uint64(off) // what jumps are relative to
			text, size := v.cfg.Disassemble(at, code[off:n])
			if size <= 0 {
				break
			}
			v.log.Printf(trace.InAsm, "0x%08x:  %-24x %s\n", k.PC+uint64(off), code[off:off+size], text)
			off += size
		}
		v.log.Printf(trace.InAsm, "\n")
	}
	if v.log.On(trace.Op) {
		v.log.Printf(trace.Op, "OP:\n%s\n", &v.ir)
	}
}

// FlushCode forgets all translated code: memory was changed from outside.
func (v *VCPU) FlushCode() { v.cache.clear() }
