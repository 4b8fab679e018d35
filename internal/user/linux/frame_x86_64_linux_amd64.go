package linux

import (
	"rhea/internal/guest/x86"
)

// Signal frames of x86_64: struct rt_sigframe (arch/x86/include/asm/sigframe.h;
// uapi/asm/sigcontext.h, ucontext.h).
const (
	frame64UC   = 8 // behind the address of the restorer
	frame64Info = frame64UC + 304
	frame64Size = frame64Info + 128
	redZone     = 128 // behind the stack pointer, the program's

	// Offsets in the ucontext: flags, link, the signal stack, the sigcontext, the
	// mask.
	uc64Stack = 16
	uc64Regs  = 40
	uc64Mask  = uc64Regs + 256

	// Offsets in the sigcontext, behind 16 registers.
	sc64IP    = 128
	sc64Flags = 136
	sc64CS    = 144
	sc64SS    = 150
	sc64Err   = 152
	sc64Trap  = 160
	sc64Mask  = 168
	sc64CR2   = 176
	sc64FP    = 184

	// Flags of the ucontext: XSAVE's area, SS is there and to be restored.
	uc64Flags = 1 | 2 | 4

	// struct _fpx_sw_bytes, at the end of FXSAVE's image; what is behind the area.
	fxSoftware = 464
	fpMagic1   = 0x46505853
	fpMagic2   = 0x46505845
)

// sc64Regs are the general registers in the sigcontext: which is at each place.
var sc64Regs = [16]int{r8, r9, r10, r11, 12, 13, 14, 15, rDI, rSI, rBP, rBX, rDX, rAX, rCX, rSP}

// fpArea is the size of the state of x87 and vectors in a frame.
func (c *amd64CPU) fpArea() uint64 {
	if n := c.cpu.XStateSize(); n != 0 {
		return uint64(n) + 4 // the second magic
	}
	return x86.FXSize
}

func (c *amd64CPU) pushFrame(t *Thread, sig int, info *siginfo, act *action, mask uint64) bool {
	s := c.cpu.Registers()
	sp := s.GPR[rSP] - redZone
	if act.flags&saOnstack != 0 && t.altSize != 0 && !t.onAltStack(s.GPR[rSP]) {
		sp = t.altSP + t.altSize
	}
	fp := (sp - c.fpArea()) &^ 63
	at := (fp-frame64Size)&^15 - 8
	if at > sp {
		return false
	}
	b := t.p.sp.writable(at, sp-at)
	if b == nil || act.flags&saRestorer == 0 { // x86_64 has no other way back
		return false
	}
	clear(b)
	u64 := func(off int, v uint64) { le.PutUint64(b[off:], v) }
	c.saveFP(b[fp-at:])
	u64(0, act.restorer)
	t.p.putInfo(b[frame64Info:], info)
	const uc, sc = frame64UC, frame64UC + uc64Regs
	u64(uc, uc64Flags)
	u64(uc+uc64Stack, t.altSP)
	le.PutUint32(b[uc+uc64Stack+8:], uint32(t.altState(s.GPR[rSP])))
	u64(uc+uc64Stack+16, t.altSize)
	for i, r := range sc64Regs {
		u64(sc+8*i, s.GPR[r])
	}
	u64(sc+sc64IP, s.IP)
	u64(sc+sc64Flags, c.cpu.EFLAGS())
	le.PutUint16(b[sc+sc64CS:], uint16(s.Seg[x86.CS].Sel))
	le.PutUint16(b[sc+sc64SS:], uint16(s.Seg[x86.SS].Sel))
	u64(sc+sc64Err, uint64(t.trapErr))
	u64(sc+sc64Trap, uint64(t.trapNo))
	u64(sc+sc64Mask, mask)
	u64(sc+sc64CR2, s.CR2)
	u64(sc+sc64FP, fp)
	u64(uc+uc64Mask, mask)

	if t.altFlags < 0 && uint32(t.altFlags)&ssAutodisarm != 0 {
		t.altSP, t.altSize, t.altFlags = 0, 0, ssDisable
	}
	s.GPR[rSP], s.IP = at, act.handler
	s.GPR[rDI], s.GPR[rSI], s.GPR[rDX], s.GPR[rAX] = uint64(sig), at+frame64Info, at+frame64UC, 0
	c.cpu.ResetFPU()
	c.cpu.SetEFLAGS(c.cpu.EFLAGS() &^ (0x400 | 0x100 | 0x10000))
	return true
}

func (c *amd64CPU) saveFP(b []byte) {
	n := c.cpu.XStateSize()
	if n == 0 {
		c.cpu.SaveFX(b)
		return
	}
	c.cpu.SaveXState(b)
	soft := b[fxSoftware:]
	le.PutUint32(soft, fpMagic1)
	le.PutUint32(soft[4:], uint32(n+4))
	le.PutUint64(soft[8:], c.cpu.XStates())
	le.PutUint32(soft[16:], uint32(n))
	le.PutUint32(b[n:], fpMagic2)
}

// loadFP loads what saveFP has made, or a program of its own; it may have left
// out what FXSAVE has not.
func (c *amd64CPU) loadFP(t *Thread, at uint64) bool {
	b := t.p.sp.readable(at, x86.FXSize)
	if b == nil {
		return false
	}
	n := c.cpu.XStateSize()
	soft := b[fxSoftware:]
	if n != 0 && le.Uint32(soft) == fpMagic1 && le.Uint32(soft[16:]) >= uint32(n) {
		size := uint64(le.Uint32(soft[16:]))
		if all := t.p.sp.readable(at, size+4); all != nil && le.Uint32(all[size:]) == fpMagic2 {
			c.cpu.LoadXState(all, le.Uint64(soft[8:]))
			return true
		}
	}
	c.cpu.LoadFX(b)
	return true
}

func (c *amd64CPU) sigreturn(t *Thread, rt bool) bool {
	s := c.cpu.Registers()
	b := t.p.sp.readable(s.GPR[rSP]-8, frame64Size)
	if b == nil {
		return false
	}
	uc := b[frame64UC:]
	sc := uc[uc64Regs:]
	u64 := func(off int) uint64 { return le.Uint64(sc[off:]) }
	mask := le.Uint64(uc[uc64Mask:])
	altSP, altFlags, altSize := le.Uint64(uc[uc64Stack:]), int32(le.Uint32(uc[uc64Stack+8:])), le.Uint64(uc[uc64Stack+16:])
	if fp := u64(sc64FP); fp == 0 {
		c.cpu.ResetFPU()
	} else if !c.loadFP(t, fp) {
		return false
	}
	for i, r := range sc64Regs {
		s.GPR[r] = u64(8 * i)
	}
	s.IP = u64(sc64IP)
	c.cpu.SetEFLAGS(c.cpu.EFLAGS()&^fixEFLAGS | u64(sc64Flags)&fixEFLAGS)
	t.setAltStack(altSP, altFlags, altSize)
	t.mask = mask &^ unblockable
	t.applyMask()
	return true
}
