package linux

import (
	"bytes"
	"fmt"

	"golang.org/x/sys/unix"

	"rhea/internal/guest/x86"
)

// i386CPU is the processor of a thread of an i386 program.
type i386CPU struct {
	x86CPU
	tls [3]uint64
}

func newI386(p *Process, number int) (processor, error) {
	c := &i386CPU{}
	if err := c.make(p, number); err != nil {
		return nil, err
	}
	// Flat code and data segments of level 3 (SDM vol. 3, 3.4.5).
	c.setGDT(4, 0x00cffb000000ffff)
	c.setGDT(5, 0x00cff3000000ffff)
	return c, nil
}

func (c *i386CPU) start(entry, stack uint64) {
	c.cpu.StartUser(uint32(entry), uint32(stack))
	c.cpu.SetLDT(8192)
}

func (c *i386CPU) isCall(tr x86.Trap) bool { return tr.Soft && tr.Vector == 0x80 }

func (c *i386CPU) run(t *Thread) trapKind { return c.runUntil(t, c.isCall) }

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

func (c *i386CPU) copyFrom(from processor) {
	o := from.(*i386CPU)
	copy(c.sys.Bytes, o.sys.Bytes)
	c.tls = o.tls
	c.cpu.CopyUser(o.cpu)
}

func (c *i386CPU) image() []byte {
	b := c.x86CPU.image()
	for _, d := range c.tls {
		b = le.AppendUint64(b, d)
	}
	return append(b, bytes.TrimRight(c.ldt(), "\x00")...)
}

func (c *i386CPU) setImage(b []byte) bool {
	n := len(c.x86CPU.image())
	if len(b) < n+8*len(c.tls) || !c.x86CPU.setImage(b[:n]) {
		return false
	}
	b = b[n:]
	for i := range c.tls {
		c.tls[i] = le.Uint64(b[8*i:])
	}
	copy(c.ldt(), b[8*len(c.tls):])
	return true
}

func (c *i386CPU) describe() string {
	s := c.cpu.Registers()
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
