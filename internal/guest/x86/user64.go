package x86

import (
	"encoding/binary"

	"rhea/internal/guest"
)

// This file is what user mode has besides in 64-bit mode.

// UserCode64 is the selector of a program's 64-bit code segment, of which the
// caller provides the descriptor.
const UserCode64 = 6<<3 | 3

// UserSyscall is the vector of the Trap by which SYSCALL stops a processor in
// user mode. RCX and R11 are what SYSCALL makes of them.
const UserSyscall = 0x100

// StartUser64 is StartUser for 64-bit mode.
func (c *CPU) StartUser64(ip, sp uint64) {
	c.StartUser(0, 0)
	s := c.s
	s.IP, s.GPR[rSP] = ip, sp
	s.CR0 |= cr0PG | cr0WP
	s.CR4 |= cr4PAE
	s.EFER = eferLME | eferLMA | eferSCE | eferNXE
	if c.model.has(featFSGSBASE) {
		s.CR4 |= cr4FSGSBASE
	}
	if c.model.has(featXSAVE) {
		s.CR4 |= cr4OSXSAVE
		s.XCR0 = c.model.xcrBits()
	}
	for i := range s.Seg {
		switch i {
		case CS:
			s.Seg[i].Sel, s.Seg[i].Attr = UserCode64, s.Seg[i].Attr&^attrDB|attrL
		case SS:
		default:
			s.Seg[i] = Segment{}
		}
	}
	c.refreshMode()
}

// userSyscall is SYSCALL in user mode; the program goes on at next.
func (c *CPU) userSyscall(next uint64) {
	s := c.s
	s.GPR[rCX], s.GPR[r11] = next, c.EFLAGS()&^flagRF
	s.IP = next
	c.trapped(&guest.Fault{Vector: UserSyscall}, true)
}

// SegmentBase returns the base of a segment register, SetSegmentBase sets that
// of FS or GS, which has no descriptor then.
func (c *CPU) SegmentBase(seg int) uint64 { return c.s.Seg[seg].Base }

func (c *CPU) SetSegmentBase(seg int, base uint64) {
	c.s.Seg[seg] = Segment{Base: base}
	c.refreshMode()
}

// UserGP is the fault of an access to an address that cannot be one.
func UserGP() *guest.Fault { return gp(0) }

// XStateSize is the size of XSAVE's area of all states that are enabled, 0 if
// there is no XSAVE.
func (c *CPU) XStateSize() int {
	if c.s.CR4&cr4OSXSAVE == 0 {
		return 0
	}
	return int(areaSize(c.s.XCR0))
}

// XStates are the states that are enabled, as in XCR0.
func (c *CPU) XStates() uint64 { return c.s.XCR0 }

// SaveXState makes XSAVE's area of all states that are enabled.
func (c *CPU) SaveXState(b []byte) {
	c.SaveFX(b)
	clear(b[xsaveHeader:xsaveYMM])
	binary.LittleEndian.PutUint64(b[xsaveHeader:], c.s.XCR0)
	if c.s.XCR0&xcrYMM != 0 {
		putVectors(b[xsaveYMM:], c.s.YMMH[:])
	}
}

// LoadXState loads XSAVE's area: of states that it has not, or that are not
// asked for, the initial ones.
func (c *CPU) LoadXState(b []byte, states uint64) {
	c.ResetFPU()
	c.s.XMM, c.s.YMMH = [16][2]uint64{}, [16][2]uint64{}
	has := binary.LittleEndian.Uint64(b[xsaveHeader:]) & states
	x87, sse := *c.s, has&xcrSSE != 0
	c.LoadFX(b)
	if has&xcrX87 == 0 {
		mxcsr, xmm := c.s.MXCSR, c.s.XMM
		*c.s = x87
		c.s.MXCSR, c.s.XMM = mxcsr, xmm
		c.x87Summary()
	}
	if !sse {
		c.s.XMM = [16][2]uint64{}
	}
	if has&xcrYMM != 0 && c.s.XCR0&xcrYMM != 0 {
		vectorsOf(c.s.YMMH[:], b[xsaveYMM:])
	}
}

// casPair is LOCK CMPXCHG16B on memory at lin, aligned to 16, with the
// registers of the instruction.
func (c *CPU) casPair(lin uint64) *guest.Fault {
	s := c.s
	old, to := [2]uint64{s.GPR[rAX], s.GPR[rDX]}, [2]uint64{s.GPR[rBX], s.GPR[rCX]}
	now, done := [2]uint64{}, false
	if b := c.mem.Bytes(lin, 16, mmuUser, guest.Write); len(b) >= 16 {
		now, done = swapPair(b, old, to)
	}
	if !done {
		splitLock.Lock()
		defer splitLock.Unlock()
		if f := c.mem.Probe(lin, 16, mmuUser, guest.Write); f != nil {
			return f
		}
		for i := range uint64(2) {
			now[i], _ = c.mem.Load(lin+8*i, 8, mmuUser)
		}
		if now == old {
			for i := range uint64(2) {
				c.mem.Store(lin+8*i, 8, mmuUser, to[i])
			}
		}
	}
	flags := uint64(0)
	if now == old {
		flags = flagZF
	}
	c.setEFLAGS(flags, flagZF)
	s.GPR[rAX], s.GPR[rDX] = now[0], now[1]
	return nil
}
