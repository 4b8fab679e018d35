package tcg

import (
	"fmt"
	"runtime"

	hostcpu "golang.org/x/sys/cpu"

	"rhea/internal/guest"
	"rhea/internal/ir"
	"rhea/internal/ir/interp"
	"rhea/internal/jit/amd64"
	"rhea/internal/jit/host"
)

// Available reports whether there is a translator to machine code here.
func Available() bool { return host.Available() }

// native is the machine code of a unit.
type native struct {
	at, size int    // in the code memory; size 0 = none
	number   uint32 // see coder.unitOf
	incoming int32  // first of the jumps that lead here, 0 = none
}

// noMode is the mode of no key.
const noMode = ^uint64(0)

// coder makes machine code and runs it.
type coder struct {
	cpu    guest.CPU
	ctx    *host.Context
	code   *host.Code
	c      *amd64.Compiler
	tables []uint64
	layout layout
	frame  *ir.Frame
	pc     ir.Slot
	wide   bool    // see amd64.Config
	page   ir.Slot // ir.Slots.Page
	pcMask uint64

	helpers []guest.Helper
	entry   uintptr // where generated code is entered
	sync    uintptr // where to enter it for syncStack
	repeat  uintptr // where to do an access once more, of flat code
	flat    bool    // memory is not looked up
	first   int     // offset behind the stubs

	segments  []segment
	current   int // of segments
	evictions int

	// quick are the units that were not compiled yet.
	quick []*unit
	// free are units to be used again.
	free []*unit

	// apart are units whose accesses do not go well in groups.
	apart map[apartKey]bool

	// far are the direct jumps to other pages (amd64.Config.Flat).
	far []int32

	// contexts number what the table of indirect jumps depends on besides the
	// program counter, for each MMU index of code; they are good for a
	// generation.
	contexts [interp.Indexes]map[guest.Key]uint32
	context  uint32
	epoch    int       // counts how often context began anew
	mode     guest.Key // that the tag word is set for
	running  guest.Key // the mode of the units that run

	buf [16]uint64

	// Exits counts how often generated code was left, by kind of site, and
	// calls by helper.
	exits [amd64.NumKinds]uint64
	calls []uint64
	made  uint64 // units compiled
}

// layout is where a context's tables are, in words.
type layout struct {
	table int // words of a table of pages
	jump  int // words of an entry of the table of jumps
}

// layoutOf returns the layout for a processor with addresses of 32 bits, or 64.
func layoutOf(wide bool) layout {
	if wide {
		return layout{2 * amd64.TLBSize, 4}
	}
	return layout{1 << 20, 2}
}

func (l layout) read(index int) int  { return 2 * index * l.table }
func (l layout) write(index int) int { return (2*index + 1) * l.table }
func (l layout) jumps() int          { return 2 * interp.Indexes * l.table }
func (l layout) words() int          { return l.jumps() + l.jump*amd64.JumpSize }

// newCoder moves the processor's state to memory that machine code can use.
func newCoder(cpu guest.CPU, shared *Config) (*coder, error) {
	codeSize, newCode := shared.CacheSize, host.NewCode
	if shared.Flat != nil {
		newCode = host.NewPrivateCode
	}
	slots := cpu.Slots()
	wide := isWide(slots)
	l := layoutOf(wide)
	ctx, err := host.NewContext(l.words() * 8)
	if err != nil {
		return nil, fmt.Errorf("-accel tcg: %w", err)
	}
	code, err := newCode(codeSize)
	if err != nil {
		ctx.Close()
		return nil, fmt.Errorf("-accel tcg,tb-size=%d: %w; a smaller size may do", codeSize>>20, err)
	}
	cpu.Move(ctx.Frame)
	cfg := amd64.Config{Slots: slots, Wide: wide, Jumps: int32(host.OffTables + l.jumps()*8), BMI2: hostcpu.X86.HasBMI2, Features: amd64.Features{
		SSE3: hostcpu.X86.HasSSE3, SSSE3: hostcpu.X86.HasSSSE3, SSE41: hostcpu.X86.HasSSE41, SSE42: hostcpu.X86.HasSSE42,
		AES: hostcpu.X86.HasAES, PCLMULQDQ: hostcpu.X86.HasPCLMULQDQ,
	}}
	cfg.Flat = shared.Flat != nil
	for i := range interp.Indexes {
		cfg.Read = append(cfg.Read, int32(host.OffTables+l.read(i)*8))
		cfg.Write = append(cfg.Write, int32(host.OffTables+l.write(i)*8))
	}
	n := &coder{
		cpu: cpu, ctx: ctx, code: code, c: amd64.New(cfg), tables: ctx.Tables(), frame: ctx.Frame, pc: slots.PC, page: slots.Page, pcMask: slots.Info[slots.PC].Type.Mask(),
		wide: wide, layout: l,
		helpers: cpu.Helpers(), calls: make([]uint64, len(cpu.Helpers())),
		apart: make(map[apartKey]bool),
	}
	size, entry := n.c.Stubs(code.RW)
	n.entry = code.RX + uintptr(entry)
	*ctx.Word(amd64.OffAlone) = aloneBudget
	*ctx.Word(amd64.OffFar) = farInterval
	n.sync = code.RX + uintptr(n.c.SyncStub)
	if n.flat = cfg.Flat; n.flat {
		ctx.SetFaultEntry(code.RX + uintptr(n.c.FaultStub))
		n.repeat = code.RX + uintptr(n.c.ResumeStub)
	}
	n.first = size
	n.divide(size, len(code.RW))
	n.reset()
	if wide && !n.flat {
		for i := range interp.Indexes {
			n.clearTable(n.readTable(i))
			n.clearTable(n.writeTable(i))
		}
	}
	return n, nil
}

func (n *coder) close() error {
	err := n.ctx.Close()
	if e := n.code.Close(); err == nil {
		err = e
	}
	return err
}

// attention makes generated code leave at its next poll.
func (n *coder) attention(on bool) {
	switch {
	case n == nil:
	case on:
		n.ctx.SetAttention()
	default:
		n.ctx.ClearAttention()
	}
}

// pending reports whether attention is set.
func (n *coder) pending() bool { return n != nil && n.ctx.Pending() }

// reset empties the code memory. No unit may be used any more.
func (n *coder) reset() {
	for i := range n.segments {
		s := &n.segments[i]
		s.complete()
		if len(s.units) > 1 {
			n.free = append(n.free, s.units[1:]...)
		}
		s.reset()
	}
	n.freeQuick(func(*unit) bool { return true })
	n.far = n.far[:0]
	n.segments[n.current].accesses = n.c.Accesses[:0]
	n.current = 0
	n.c.Accesses = n.segments[0].accesses
	n.mode = guest.Key{Mode: noMode}
	if n.made != 0 { // else it is as it came from the host, and need not be touched
		n.clearJumps()
	}
}

// clearJumps empties the table of indirect jumps.
func (n *coder) clearJumps() {
	clear(n.tables[n.layout.jumps():])
	for i := range n.contexts {
		clear(n.contexts[i])
	}
	n.mode = guest.Key{Mode: noMode}
}

// --- the tables of pages

// A pageTable is what generated code looks up: a word a page, what to add to
// an address in it, 0 = it must not be accessed directly; or, if addresses
// have 64 bits, pairs of words of which the first is the page's address.
type pageTable []uint64

func (n *coder) readTable(index int) pageTable {
	return n.tables[n.layout.read(index):][:n.layout.table]
}

func (n *coder) writeTable(index int) pageTable {
	return n.tables[n.layout.write(index):][:n.layout.table]
}

// clearTable empties a table for addresses of 64 bits.
func (n *coder) clearTable(t pageTable) {
	for i := 0; i < len(t); i += 2 {
		t[i] = amd64.NoPage
	}
}

// set enters a page's place, 0 = none.
func (n *coder) set(t pageTable, va, to uint64) {
	va &^= pageMask
	switch {
	case !n.wide:
		t[va>>12] = to
	case to != 0:
		at := va >> 12 % amd64.TLBSize * 2
		t[at], t[at+1] = va, to
	case t[va>>12%amd64.TLBSize*2] == va:
		t[va>>12%amd64.TLBSize*2] = amd64.NoPage
	}
}

// fill enters a page; page is nil if it cannot be accessed directly.
func (n *coder) fill(va uint64, index int, page *[4096]byte, read, write bool) {
	if n == nil || n.flat {
		return
	}
	va &^= pageMask
	var r, w uint64
	if page != nil {
		to := hostAddress(page) - va
		if read {
			r = to
		}
		if write {
			w = to
		}
	}
	n.set(n.readTable(index), va, r)
	n.set(n.writeTable(index), va, w)
}

func (n *coder) clear(va uint64, index int) {
	if n != nil && !n.flat {
		n.set(n.readTable(index), va, 0)
		n.set(n.writeTable(index), va, 0)
	}
}

func (n *coder) protect(va uint64, index int) {
	if n != nil && !n.flat {
		n.set(n.writeTable(index), va, 0)
	}
}

// setContexts makes those of an earlier generation, which were taken away in an
// epoch, or none, the current ones.
func (n *coder) setContexts(index int, contexts map[guest.Key]uint32, epoch int) {
	if n == nil {
		return
	}
	if contexts == nil || epoch != n.epoch {
		clear(n.contexts[index])
	} else {
		n.contexts[index] = contexts
	}
	n.mode = guest.Key{Mode: noMode}
}

// takeContexts takes the current ones away.
func (n *coder) takeContexts(index int) (contexts map[guest.Key]uint32, epoch int) {
	if n == nil {
		return nil, 0
	}
	contexts = n.contexts[index]
	n.contexts[index] = nil
	return contexts, n.epoch
}

// setMode sets the tag of indirect jumps for the mode of k.
func (n *coder) setMode(k guest.Key) {
	k.PC = 0
	if n.mode == k {
		return
	}
	list := &n.contexts[n.cpu.FetchIndex()]
	if *list == nil {
		*list = make(map[guest.Key]uint32)
	}
	id, ok := (*list)[k]
	if !ok {
		if n.context++; n.context == 0 { // numbers that are put away mean nothing now
			n.clearJumps()
			n.context = 1
			n.epoch++
		}
		id = n.context
		(*list)[k] = id
	}
	n.mode = k
	*n.ctx.Word(amd64.OffTag) = uint64(id) << 32
}

// --- translating

// unitSlab is how many units are allocated at once: they fill what the runtime
// allocates in one piece.
const unitSlab = 240

// newUnit returns a unit to be filled in and entered. It is used again when the
// code memory has been cleared.
func (n *coder) newUnit() *unit {
	if len(n.free) == 0 {
		slab := make([]unit, unitSlab)
		for i := range slab {
			n.free = append(n.free, &slab[i])
		}
	}
	last := len(n.free) - 1
	u := n.free[last]
	n.free = n.free[:last]
	return u
}

// compile makes machine code of a unit that newUnit has just given. It returns
// false if it is too large.
func (n *coder) compile(v *VCPU, u *unit, code *ir.Unit) bool {
	if n.tryCompile(v, u, code) {
		return true
	}
	if s := &n.segments[n.current]; s.next == s.first {
		return false
	}
	n.nextSegment(v)
	return n.tryCompile(v, u, code)
}

// tryCompile is compile, but also returns false if there is no room.
func (n *coder) tryCompile(v *VCPU, u *unit, code *ir.Unit) bool {
	s := &n.segments[n.current]
	size := n.c.Compile(code, n.code.RW[:s.end], s.next, amd64.Options{
		PC: code.Page + u.key.PC, Base: u.key.Base, Owner: n.nextNumber(), Jump: len(s.jumps), JumpHigh: n.current << segmentShift, Counted: u.counted, Apart: n.apart[apartKey{u.key, u.place}],
	})
	if size == 0 {
		return false
	}
	n.enter(u, size)
	v.logOptimized(code)
	n.logCode(v.log, u, code.Page)
	n.mapCode(v, u, code.Page)
	return true
}

// enter takes over what the compiler has made for u.
func (n *coder) enter(u *unit, size int) {
	n.made++
	u.native = native{at: n.segments[n.current].next, size: size, number: n.nextNumber()}
	s := &n.segments[n.current]
	s.units = append(s.units, u)
	for _, j := range n.c.Jumps {
		s.jumps = append(s.jumps, jumpRecord{at: int32(j.At)})
	}
	s.next = amd64.Place(s.next + size)
}

// drop makes the jumps to u leave to us again.
func (n *coder) drop(u *unit) {
	if u.native.size == 0 {
		return
	}
	n.closeTo(u)
	n.closeFrom(u)
	n.c.Retire(n.code.RW, u.native.at) // the table may lead here from many addresses
}

// jumpEntry is the entry of the table of jumps for a program counter.
func (n *coder) jumpEntry(pc uint64) []uint64 {
	return n.tables[n.layout.jumps()+n.layout.jump*int(amd64.JumpIndex(pc)):][:n.layout.jump]
}

// address is where a unit's code is.
func (n *coder) address(u *unit) uint64 { return uint64(n.code.RX) + uint64(u.native.at) }

// --- running

// run executes generated code from u on. It returns a unit that has no machine
// code, to go on with, or nil if something has to be looked at.
func (n *coder) run(v *VCPU, u *unit) *unit {
	runtime.LockOSThread() // the thread's x87 may be the guest's
	u = n.execute(v, u)
	n.syncStack()
	runtime.UnlockOSThread()
	return u
}

// syncStack puts the guest's x87 state into the frame, if it is in the host's
// x87.
func (n *coder) syncStack() {
	for *n.ctx.Word(amd64.OffResident)&0xff != 0 {
		n.ctx.Enter(n.sync)
	}
}

func (n *coder) execute(v *VCPU, u *unit) *unit {
	n.running = u.key
	n.setMode(u.key)
	n.setPage(u, n.frame[n.pc])
	resume := n.ctx.Word(amd64.OffResume)
	*resume = n.address(u)
	entry := n.entry
	for {
		if id := n.ctx.Enter(entry); id >= host.ExitFault {
			if id == host.ExitFault && n.flat {
				if !n.faulted(v) {
					return nil
				}
				entry = n.repeat
				continue
			}
			n.broken(id)
			continue
		}
		entry = n.entry
		s := n.c.Site(n.code.RW, int(*resume-uint64(n.code.RX)))
		n.c.Settle(n.frame, s)
		n.exits[s.Kind]++
		switch s.Kind {
		case amd64.Load:
			if int32(*n.ctx.Word(amd64.OffAlone)) < 0 && n.setApart(v, s) {
				return nil
			}
			x, ok := n.load(v, s)
			if !ok {
				return nil
			}
			*resume = n.resume(s, x)
		case amd64.Store:
			if !n.store(v, s) {
				return nil
			}
			*resume = n.resume(s, 0)
		case amd64.Call:
			n.calls[s.Imm]++
			n.frame[n.pc] = n.sitePC(s)
			if !s.KeepsStack {
				n.syncStack()
			}
			var a [3]uint64
			for i := range s.Writes {
				a[i&3] = n.source(&s.Writes[i])
			}
			r, stop := n.helpers[s.Imm](a[0], a[1], a[2])
			if stop && !s.Pure {
				return nil
			}
			*resume = n.resume(s, r)
		case amd64.Guard:
			n.leave(s)
			v.cpu.Guarded(s.Imm)
			return nil
		case amd64.Link, amd64.Indirect:
			if n.ctx.Pending() {
				n.frame[n.pc] = n.target(s)
				return nil
			}
			next, fault := n.follow(v, s)
			if fault != nil {
				v.cpu.Raise(fault)
				return nil
			}
			if next.native.size == 0 {
				return next
			}
			n.setPage(next, n.frame[n.pc])
			*resume = n.address(next)
		case amd64.Exit, amd64.Poll:
			n.frame[n.pc] = n.target(s)
			return nil
		}
	}
}

// sitePC is the program counter that a site names.
func (n *coder) sitePC(s *amd64.Site) uint64 {
	return (n.frame[n.page] + s.PC) & n.pcMask
}

// setPage notes where u, whose program counter is pc, runs.
func (n *coder) setPage(u *unit, pc uint64) {
	n.frame[n.page] = 0
	if u.moves {
		n.frame[n.page] = pc &^ pageMask
	}
}

// target is where a site that ends a unit leads to.
func (n *coder) target(s *amd64.Site) uint64 {
	if w := s.Args[0]; w != amd64.NoWord {
		return n.frame[w]
	}
	return n.sitePC(s)
}

// resume hands a result to a site and returns where it goes on.
func (n *coder) resume(s *amd64.Site, result uint64) uint64 {
	*n.ctx.Word(amd64.OffResult) = result
	return uint64(n.code.RX) + uint64(n.c.Resume(n.frame, s, result))
}

// aloneBudget is how many accesses of groups stubs do by themselves until we look
// whose they are.
const aloneBudget = 1000

// apartKey names a unit that is dropped.
type apartKey struct {
	key guest.Key
	at  place
}

// maxApart bounds what is known of such units.
const maxApart = 1 << 14

// setApart has the unit of a Load, whose groups of accesses fail often, made
// again without them. It is left before the instruction.
func (n *coder) setApart(v *VCPU, s *amd64.Site) bool {
	*n.ctx.Word(amd64.OffAlone) = aloneBudget
	u := n.unitOf(s.Owner)
	if s.Probe || !u.valid {
		return false
	}
	if len(n.apart) >= maxApart {
		clear(n.apart)
	}
	n.apart[apartKey{u.key, u.place}] = true
	n.leave(s)
	v.cache.drop(u)
	return true
}

// broken handles Enter's own exits.
func (n *coder) broken(id uint32) {
	if id == host.ExitPreempted {
		return
	}
	addr, rip, _ := host.Fault(n.ctx)
	panic(fmt.Sprintf("BUG: tcg: generated code at %#x (offset %#x) has accessed %#x", rip, rip-n.code.RX, addr))
}

// source is what a Write writes.
func (n *coder) source(w *amd64.Write) uint64 {
	if w.Src == amd64.NoWord {
		return w.Val
	}
	return n.frame[w.Src]
}

// leave writes what a site has left to be done when its unit is left for good.
func (n *coder) leave(s *amd64.Site) {
	list := s.Writes
	buf := n.buf[:0]
	for i := range list {
		buf = append(buf, n.source(&list[i]))
	}
	for i := range list {
		n.frame[list[i].Slot] = buf[i]
	}
	n.frame[n.pc] = n.sitePC(s)
}

// load does a Load; ok is false if the unit is left for good.
func (n *coder) load(v *VCPU, s *amd64.Site) (x uint64, ok bool) {
	va := n.frame[s.Args[0]]
	size, index := int(s.Size), int(s.Index)
	if size == 16 {
		lo, fault := v.MissLoad(va, 8, index, s.RMW)
		var hi uint64
		if fault == nil {
			hi, fault = v.MissLoad(va+8, 8, index, s.RMW)
		}
		if fault != nil {
			n.leave(s)
			v.cpu.Raise(fault)
			return 0, false
		}
		n.frame[s.Args[1]], n.frame[s.Args[1]+1] = lo, hi
		return 0, true
	}
	var fault *guest.Fault
	if s.Probe {
		if fault = v.MissProbe(va, size, index); fault == errSelf {
			n.leave(s)
			v.oneShot = true
			return 0, false
		}
	} else {
		x, fault = v.MissLoad(va, size, index, s.RMW)
	}
	if fault != nil {
		n.leave(s)
		v.cpu.Raise(fault)
		return 0, false
	}
	return x, true
}

func (n *coder) store(v *VCPU, s *amd64.Site) bool {
	va := n.frame[s.Args[0]]
	size, index, running := int(s.Size), int(s.Index), n.unitOf(s.Owner)
	x := s.Imm
	if s.Args[1] != amd64.NoWord {
		x = n.frame[s.Args[1]]
	}
	var fault *guest.Fault
	self := false
	if size == 16 {
		// The second half may fault: nothing may be stored then. A load for
		// writing finds that out.
		size = 8
		if _, fault = v.MissLoad(va+8, 8, index, true); fault == nil {
			fault, self = v.missStore(va, 8, index, x, running)
			va, x = va+8, n.frame[s.Args[1]+1]
		}
	}
	if fault == nil && !self {
		fault, self = v.missStore(va, size, index, x, running)
	}
	switch {
	case fault != nil:
		n.leave(s)
		v.cpu.Raise(fault)
		return false
	case self:
		n.leave(s)
		v.oneShot = true
		return false
	}
	return true
}

// follow finds the unit that a Link or Indirect leads to, and has later jumps
// go there directly if that is allowed.
func (n *coder) follow(v *VCPU, s *amd64.Site) (*unit, *guest.Fault) {
	k := n.running
	k.PC = n.target(s)
	n.frame[n.pc] = k.PC
	at, link, owner, into := s.Imm, s.Kind == amd64.Link && s.Imm != amd64.NoJump, s.Owner, s.Loop
	far := int32(0)
	if w := s.Args[1]; w != amd64.NoWord {
		far = int32(n.frame[w])
		*n.ctx.Word(amd64.OffFar) = farInterval
	}
	flushes := v.cache.flushes + n.evictions
	next, fault := v.find(k)
	if fault != nil || next.native.size == 0 || v.cache.flushes+n.evictions != flushes {
		return next, fault
	}
	if !link {
		n.setMode(k)
		e, tag := n.jumpEntry(k.PC), *n.ctx.Word(amd64.OffTag)
		if n.wide {
			e[0], e[1], e[2] = k.PC, n.address(next), tag
		} else {
			e[0], e[1] = tag|k.PC, n.address(next)
		}
		if far != 0 && next.valid && next.moves {
			n.linkFar(far, next)
		}
	} else if next.valid && !next.cross && n.unitOf(owner).valid {
		if next != n.unitOf(owner) {
			into = 0
		}
		n.link(int32(owner&^segmentMask)|int32(at), next, into)
	}
	return next, nil
}
