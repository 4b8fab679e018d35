package linux

import (
	"fmt"
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
	"rhea/internal/vclock"
)

// trapKind is why a processor stopped.
type trapKind uint8

const (
	trapNone trapKind = iota
	trapCall
	trapFault
)

// i386CPU is the processor of a thread.
type i386CPU struct {
	cpu *x86.CPU
	v   *tcg.VCPU
	sys *mem.RAM // descriptor tables
	tls [3]uint64
}

// clock is the host's, in nanoseconds: the time stamp counter's.
type clock struct{ start time.Time }

func (c clock) Now() int64                         { return int64(time.Since(c.start)) }
func (c clock) NewTimer(fire func()) *vclock.Timer { panic("BUG: linux: a processor has no timers") }

// codeSizes are the sizes of the code memories of a process' processors, by
// their number: there is 1 GiB for all.
func codeSize(n int) int {
	switch {
	case n < 4:
		return 48 << 20
	case n < 40:
		return 8 << 20
	case n < 500:
		return 512 << 10
	}
	return 0
}

// newCPU makes a processor, or takes one of a thread that has ended: it knows
// the program already.
func (p *Process) newCPU() (*i386CPU, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	n := len(p.cpus)
	p.mu.Unlock()
	c := &i386CPU{}
	c.cpu = x86.New(x86.Config{Model: p.model, Clock: clock{time.Now()}, Log: p.cfg.Log, Pages: p.sp})
	engine, size := p.cfg.Engine, codeSize(n)
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
	root.Add(0, mem.NewAlias("user", p.ram, 0, space32))
	root.Add(x86.SystemMemory, sys)
	v, err := tcg.New(cfg).NewCPU(c.cpu, mem.NewSpace("process", root, p.cfg.Log))
	if err != nil {
		return nil, err
	}
	c.v = v
	// Flat code and data segments of level 3 (SDM vol. 3, 3.4.5).
	c.setGDT(4, 0x00cffb000000ffff)
	c.setGDT(5, 0x00cff3000000ffff)
	p.sp.mu.Lock() // which is held where all are told of changes
	p.cpus = append(p.cpus, c)
	p.sp.mu.Unlock()
	return c, nil
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func (c *i386CPU) setGDT(n int, d uint64) { le.PutUint64(c.sys.Bytes[8*n:], d) }

// run runs the program until something is to be done for it.
func (c *i386CPU) run(t *Thread) (kind trapKind) {
	defer c.recovered(t)
	exit, err := c.v.Run(0)
	if err != nil {
		t.p.fatal(err)
	}
	if exit != accel.Trapped {
		return trapNone
	}
	return c.trapped()
}

func (c *i386CPU) trapped() trapKind {
	tr := c.cpu.TakeTrap()
	if tr.Soft && tr.Vector == 0x80 {
		return trapCall
	}
	return trapFault
}

// recovered makes a fault of a helper that has accessed the program's memory
// the program's: another thread has unmapped it, or a file has become shorter.
func (c *i386CPU) recovered(t *Thread) {
	e := recover()
	if e == nil {
		return
	}
	f, ok := e.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || f.Addr()-t.p.sp.base >= space32 {
		panic(e)
	}
	va := uint64(f.Addr() - t.p.sp.base)
	if t.p.sp.ram.Watched(va) {
		t.p.sp.codeWritten(va)
		return
	}
	c.cpu.Raise(x86.UserFault(uint32(va), true, true))
}

func panicOnFault() { debug.SetPanicOnFault(true) }

// userFault is tcg.Flat's.
func (p *Process) userFault(va uint64, write bool) *guest.Fault {
	return x86.UserFault(uint32(va), write, p.sp.pages[va/page]&pageMapped != 0)
}

func setGS(base uintptr) error { return host.SetGS(base) }

// syscall returns the number and the arguments of a system call.
func (c *i386CPU) syscall(a *[6]uint64) int {
	r := &c.cpu.Registers().GPR
	const ax, cx, dx, bx, bp, si, di = 0, 1, 2, 3, 5, 6, 7
	a[0], a[1], a[2], a[3], a[4], a[5] = r[bx], r[cx], r[dx], r[si], r[di], r[bp]
	return int(int32(r[ax]))
}

func (c *i386CPU) setResult(v uint64) { c.cpu.Registers().GPR[0] = uint64(uint32(v)) }

// again has the system call before IP done once more: INT 80H has two bytes.
func (c *i386CPU) again(nr int) {
	s := c.cpu.Registers()
	s.GPR[0] = uint64(uint32(nr))
	s.IP = uint64(uint32(s.IP) - 2)
}

func (c *i386CPU) sp() uint64 { return c.cpu.Registers().GPR[4] }

// setThreadArea stores a descriptor of struct user_desc (asm/ldt.h); entry -1
// asks for a free one. It returns the entry.
func (c *i386CPU) setThreadArea(entry int, base, limit, flags uint32) (int, unix.Errno) {
	const first = 12 // GDT_ENTRY_TLS_MIN of a 64-bit kernel
	if entry == -1 {
		for i := range c.tls {
			if c.tls[i] == 0 {
				entry = first + i
				break
			}
		}
		if entry == -1 {
			return 0, unix.ESRCH
		}
	}
	if entry < first || entry >= first+len(c.tls) {
		return 0, unix.EINVAL
	}
	d := descriptorOf(base, limit, flags)
	c.tls[entry-first] = d
	c.setGDT(entry, d)
	return entry, 0
}

// descriptorOf makes a segment descriptor of struct user_desc.
func descriptorOf(base, limit, flags uint32) uint64 {
	seg32, contents := flags&1, flags>>1&3
	readOnly, pages, absent, useable := flags>>3&1, flags>>4&1, flags>>5&1, flags>>6&1
	if base == 0 && limit == 0 && (flags&0x7f == 0x28 || flags&0x7f == 0) { // LDT_empty, LDT_zero
		return 0
	}
	lo := base<<16 | limit&0xffff
	hi := base&0xff000000 | base>>16&0xff | limit&0xf0000 |
		(readOnly^1)<<9 | contents<<10 | (absent^1)<<15 | seg32<<22 | pages<<23 | useable<<20 | 0x7100
	return uint64(hi)<<32 | uint64(lo)
}

// copyFrom makes the processor one that goes on where another is.
func (c *i386CPU) copyFrom(o *i386CPU) {
	copy(c.sys.Bytes, o.sys.Bytes)
	c.tls = o.tls
	c.cpu.CopyUser(o.cpu)
}

func (p *Process) describe(t *Thread) string {
	s := t.cpu.cpu.Registers()
	return fmt.Sprintf("eip=%08x eax=%08x ebx=%08x ecx=%08x edx=%08x esi=%08x edi=%08x ebp=%08x esp=%08x",
		s.IP, s.GPR[0], s.GPR[3], s.GPR[1], s.GPR[2], s.GPR[6], s.GPR[7], s.GPR[5], s.GPR[4])
}

func (c *i386CPU) setSP(sp uint64) { c.cpu.Registers().GPR[4] = uint64(uint32(sp)) }

func (c *i386CPU) ldt() []byte { return c.sys.Bytes[x86.SystemLDT : x86.SystemLDT+8*8192] }

// setTLS is clone's tls argument: the address of a struct user_desc.
func (c *i386CPU) setTLS(t *Thread, va uint64) unix.Errno {
	w, errno := t.userDesc(va)
	if errno != 0 {
		return errno
	}
	n, errno := c.setThreadArea(int(int32(w[0])), w[1], w[2], w[3])
	if errno != 0 {
		return errno
	}
	// GS has the descriptor that was there before.
	for _, seg := range [...]int{x86.FS, x86.GS} {
		if sel := c.cpu.Registers().Seg[seg].Sel; sel>>3 == uint64(n) && sel&4 == 0 {
			c.cpu.LoadSegment(seg, uint16(sel))
		}
	}
	return 0
}

func (c *i386CPU) threadArea(entry int) (uint64, unix.Errno) {
	if entry < 12 || entry >= 12+len(c.tls) {
		return 0, unix.EINVAL
	}
	return c.tls[entry-12], 0
}
