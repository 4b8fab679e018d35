package linux

import "rhea/internal/guest/x86"

// Signal frames of i386 (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h;
// arch/x86/include/asm/sigframe.h).
const (
	scSize  = 88
	fpSize  = 112 + x86.FXSize
	ucSize  = 4 + 4 + 12 + scSize + 8
	retSize = 8

	frameSize   = 4 + 4 + scSize + fpSize + 4 + retSize
	rtFrameSize = 4 + 4 + 4 + 4 + 128 + ucSize + retSize

	// Offsets in the sigcontext.
	scGS, scFS, scES, scDS = 0, 4, 8, 12
	scDI, scSI, scBP, scSP = 16, 20, 24, 28
	scBX, scDX, scCX, scAX = 32, 36, 40, 44
	scTrap, scErr, scIP    = 48, 52, 56
	scCS, scFlags, scSP2   = 60, 64, 68
	scSS, scFP, scMask     = 72, 76, 80
	scCR2                  = 84
)

// scRegs are the general registers in the sigcontext, by their number.
var scRegs = [8]int{scAX, scCX, scDX, scBX, scSP, scBP, scSI, scDI}

// What sigreturn may change of EFLAGS: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF.
const fixEFLAGS = 0x40000 | 0x800 | 0x400 | 0x100 | 0x80 | 0x40 | 0x10 | 0x4 | 0x1 | 0x10000

func (c *i386CPU) pushFrame(t *Thread, sig int, info *siginfo, act *action, mask uint64) bool {
	s := c.cpu.Registers()
	sp := s.GPR[4]
	if act.flags&saOnstack != 0 && t.altSize != 0 && !t.onAltStack(sp) {
		sp = t.altSP + t.altSize
	}
	rt := act.flags&saSiginfo != 0
	// The x87 and SSE state, aligned to 64, then the frame so that the stack is
	// aligned as a call leaves it.
	fp := (sp - fpSize) &^ 63
	size := uint64(frameSize)
	if rt {
		size = rtFrameSize
	}
	at := (fp-size+4)&^15 - 4
	b := t.p.sp.writable(at, sp-at)
	if b == nil || at > sp {
		return false
	}
	clear(b)
	c.saveFP(b[fp-at:])
	u32 := func(off uint64, v uint64) { le.PutUint32(b[off:], uint32(v)) }
	restorer := t.p.trampoline
	if rt {
		restorer += 16
	}
	if act.flags&saRestorer != 0 {
		restorer = act.restorer
	}
	u32(0, restorer)
	u32(4, uint64(sig))
	var sc uint64
	if rt {
		const infoAt, ucAt = 16, 16 + 128
		u32(8, at+infoAt)
		u32(12, at+ucAt)
		t.p.putInfo(b[infoAt:], info)
		u32(ucAt+8, t.altSP)
		u32(ucAt+12, uint64(t.altState(s.GPR[4])))
		u32(ucAt+16, t.altSize)
		sc = ucAt + 20
		le.PutUint64(b[sc+scSize:], mask)
		copy(b[size-retSize:], t.p.abi.trampolines[1])
	} else {
		sc = 8
		u32(uint64(8+scSize+fpSize), mask>>32)
		copy(b[size-retSize:], t.p.abi.trampolines[0])
	}
	for i, off := range scRegs {
		u32(sc+uint64(off), s.GPR[i])
	}
	for off, seg := range map[uint64]int{scGS: x86.GS, scFS: x86.FS, scES: x86.ES, scDS: x86.DS, scCS: x86.CS, scSS: x86.SS} {
		u32(sc+off, s.Seg[seg].Sel)
	}
	u32(sc+scTrap, uint64(t.trapNo))
	u32(sc+scErr, uint64(t.trapErr))
	u32(sc+scIP, s.IP)
	u32(sc+scFlags, c.cpu.EFLAGS())
	u32(sc+scSP2, s.GPR[4])
	u32(sc+scFP, fp)
	u32(sc+scMask, mask)
	u32(sc+scCR2, s.CR2)

	if t.altFlags < 0 && uint32(t.altFlags)&ssAutodisarm != 0 {
		t.altSP, t.altSize, t.altFlags = 0, 0, ssDisable
	}
	s.GPR[4] = at
	s.IP = uint64(uint32(act.handler))
	s.GPR[0], s.GPR[1], s.GPR[2] = uint64(sig), 0, 0
	if rt {
		s.GPR[2], s.GPR[1] = at+16, at+16+128
	}
	c.cpu.ResetFPU()
	c.cpu.SetEFLAGS(c.cpu.EFLAGS() &^ (0x400 | 0x100 | 0x10000))
	for _, seg := range [...]int{x86.DS, x86.ES, x86.SS} {
		c.cpu.LoadSegment(seg, x86.UserData)
	}
	c.cpu.LoadSegment(x86.CS, x86.UserCode)
	return true
}

func (c *i386CPU) saveFP(b []byte) {
	c.cpu.SaveX87(b)
	le.PutUint16(b[108:], uint16(c.cpu.Registers().FSW|c.cpu.Registers().FTop<<11))
	c.cpu.SaveFX(b[112:]) // magic, at 110, is 0: FXSAVE's image follows
}

func (c *i386CPU) sigreturn(t *Thread, rt bool) bool {
	s := c.cpu.Registers()
	var sc []byte
	var mask uint64
	if rt {
		b := t.p.sp.readable(uint64(uint32(s.GPR[4]-4)), rtFrameSize)
		if b == nil {
			return false
		}
		uc := b[16+128:]
		sc = uc[20 : 20+scSize]
		mask = le.Uint64(uc[20+scSize:])
		t.setAltStack(uint64(le.Uint32(uc[8:])), int32(le.Uint32(uc[12:])), uint64(le.Uint32(uc[16:])))
	} else {
		b := t.p.sp.readable(uint64(uint32(s.GPR[4]-8)), frameSize)
		if b == nil {
			return false
		}
		sc = b[8 : 8+scSize]
		mask = uint64(le.Uint32(sc[scMask:])) | uint64(le.Uint32(b[8+scSize+fpSize:]))<<32
	}
	u32 := func(off int) uint64 { return uint64(le.Uint32(sc[off:])) }
	if fp := u32(scFP); fp != 0 {
		b := t.p.sp.readable(fp, fpSize)
		if b == nil {
			return false
		}
		c.cpu.LoadFX(b[112:])
	} else {
		c.cpu.ResetFPU()
	}
	for i, off := range scRegs {
		s.GPR[i] = u32(off)
	}
	s.IP = u32(scIP)
	c.cpu.SetEFLAGS(c.cpu.EFLAGS()&^fixEFLAGS | u32(scFlags)&fixEFLAGS)
	for seg, off := range map[int]int{x86.GS: scGS, x86.FS: scFS, x86.ES: scES, x86.DS: scDS} {
		if sel := uint16(u32(off)); uint64(sel) != s.Seg[seg].Sel {
			if sel&^3 != 0 {
				sel |= 3
			}
			if c.cpu.LoadSegment(seg, sel) != nil {
				c.cpu.LoadSegment(seg, 0)
			}
		}
	}
	for seg, off := range map[int]int{x86.CS: scCS, x86.SS: scSS} {
		if sel := uint16(u32(off)) | 3; uint64(sel) != s.Seg[seg].Sel && c.cpu.LoadSegment(seg, sel) != nil {
			return false
		}
	}
	t.mask = mask &^ unblockable
	t.applyMask()
	return true
}
