package linux

import (
	"fmt"

	"golang.org/x/sys/unix"

	"rhea/internal/guest/x86"
)

// amd64CPU is the processor of a thread of an x86_64 program.
type amd64CPU struct{ x86CPU }

func newX8664(p *Process, number int) (processor, error) {
	c := &amd64CPU{}
	if err := c.make(p, number); err != nil {
		return nil, err
	}
	// Flat data and 64-bit code segments of level 3 (SDM vol. 3, 3.4.5).
	c.setGDT(5, 0x00cff3000000ffff)
	c.setGDT(6, 0x00affb000000ffff)
	return c, nil
}

func (c *amd64CPU) start(entry, stack uint64) { c.cpu.StartUser64(entry, stack) }

func (c *amd64CPU) copyFrom(from processor) { c.cpu.CopyUser(from.(*amd64CPU).cpu) }

// Numbers of general registers.
const (
	rAX, rCX, rDX, rBX, rSP, rBP, rSI, rDI = 0, 1, 2, 3, 4, 5, 6, 7

	r8, r9, r10, r11 = 8, 9, 10, 11
)

func (c *amd64CPU) run(t *Thread) trapKind {
	return c.runUntil(t, func(tr x86.Trap) bool { return tr.Vector == x86.UserSyscall || c.vsyscall(t, tr) })
}

// vsyscallPage is what old programs call instead of the kernel: its entries are
// 1 KiB from each other (arch/x86/entry/vsyscall).
const vsyscallPage = 0xffffffffff600000

// vsyscall makes a call into that page the system call. The page is not mapped:
// nothing but these calls is there.
func (c *amd64CPU) vsyscall(t *Thread, tr x86.Trap) bool {
	const pageFault, fetch = 14, 16
	s := c.cpu.Registers()
	if tr.Vector != pageFault || tr.Code&fetch == 0 || tr.Addr != s.IP {
		return false
	}
	calls := [...]uint64{unix.SYS_GETTIMEOFDAY, unix.SYS_TIME, unix.SYS_GETCPU}
	n := (s.IP - vsyscallPage) / 1024
	if s.IP < vsyscallPage || s.IP%1024 != 0 || n >= uint64(len(calls)) {
		return false
	}
	b := t.p.sp.readable(s.GPR[rSP], 8)
	if b == nil {
		return false
	}
	s.IP = le.Uint64(b)
	s.GPR[rSP] += 8
	s.GPR[rAX] = calls[n]
	return true
}

func (c *amd64CPU) syscall(a *[6]uint64) int {
	r := &c.cpu.Registers().GPR
	a[0], a[1], a[2], a[3], a[4], a[5] = r[rDI], r[rSI], r[rDX], r[r10], r[r8], r[r9]
	return int(int32(r[rAX]))
}

func (c *amd64CPU) setResult(v uint64) { c.cpu.Registers().GPR[rAX] = v }

// again: SYSCALL has two bytes.
func (c *amd64CPU) again(nr int) {
	s := c.cpu.Registers()
	s.GPR[rAX] = uint64(nr)
	s.IP -= 2
}

func (c *amd64CPU) sp() uint64     { return c.cpu.Registers().GPR[rSP] }
func (c *amd64CPU) setSP(v uint64) { c.cpu.Registers().GPR[rSP] = v }

func (c *amd64CPU) setTLS(t *Thread, v uint64) unix.Errno {
	if v >= t.p.sp.size {
		return unix.EPERM
	}
	c.cpu.SetSegmentBase(x86.FS, v)
	return 0
}

func (c *amd64CPU) describe() string {
	s := c.cpu.Registers()
	return fmt.Sprintf("rip=%016x rax=%016x rbx=%016x rcx=%016x rdx=%016x rsi=%016x rdi=%016x rbp=%016x rsp=%016x",
		s.IP, s.GPR[rAX], s.GPR[rBX], s.GPR[rCX], s.GPR[rDX], s.GPR[rSI], s.GPR[rDI], s.GPR[rBP], s.GPR[rSP])
}

// Codes of arch_prctl (asm/prctl.h).
const (
	archSetGS = 0x1001
	archSetFS = 0x1002
	archGetFS = 0x1003
	archGetGS = 0x1004

	archGetCPUID = 0x1011
	archSetCPUID = 0x1012
)

func sysArchPrctl(t *Thread, a *[6]uint64) uint64 {
	switch a[0] {
	case archGetCPUID: // CPUID may be executed
		return 1
	case archSetCPUID:
		return negative(unix.ENODEV)
	}
	c, ok := t.cpu.(*amd64CPU)
	if !ok {
		return negative(unix.EINVAL)
	}
	switch a[0] {
	case archSetFS:
		return negative(c.setTLS(t, a[1]))
	case archSetGS:
		if a[1] >= t.p.sp.size {
			return negative(unix.EPERM)
		}
		c.cpu.SetSegmentBase(x86.GS, a[1])
		return 0
	case archGetFS:
		return negative(t.putWord(a[1], c.cpu.SegmentBase(x86.FS)))
	case archGetGS:
		return negative(t.putWord(a[1], c.cpu.SegmentBase(x86.GS)))
	}
	return negative(unix.EINVAL)
}
