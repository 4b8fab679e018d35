package x86

import (
	"fmt"

	"rhea/internal/guest"
	"rhea/internal/ir"
)

// The helpers that translated code calls.
const (
	hRaise = iota
	hFlags
	hFlagsState
	hRCL
	hRCR
	hDoubleShift
	hDAA
	hDAS
	hAAA
	hAAS
	hAAM
	hAAD
	hCodeBreak
	hDataBreak
	hStepTrap
	hLoadSeg
	hPopSeg
	hString
	hFarJump
	hFarCall
	hFarRet
	hIret
	hSoftInt
	hPushf
	hPopf
	hPopfInMode
	hCli
	hSti
	hStiInUnit
	hHlt
	hIn
	hOut
	hClts
	hCacheOp
	hRdtsc
	hRdmsr
	hWrmsr
	hRdpmc
	hCpuid
	hSysenter
	hSysexit
	hRsm
	hReadCR
	hSetCR
	hReadDR
	hSetDR
	hLgdt
	hLidt
	hNeedProtected
	hLldt
	hLtr
	hVerr
	hVerw
	hLar
	hLsl
	hLmsw
	hArpl
	hInvlpg
	hX87
	hX87Store
	hX87StoreAll
	hX87Control
	hX87Image
	hX87Put
	hSSE
	hMMX
	hSSEFloat
	hByteMask
	hStrings
	hCRC32
	hDiv64
	hIDiv64
	hSyscall
	hSysret
	hSwapGS
	hRdtscp
	hFSGSBase
	hInvpcid
	hAlignFlag
	hRandom
	hSSEStop
	hAVX
	hGather
	hSHA
	hHalf
	hDeposit
	hExtract
	hXsetbv
	hXsave
	hXrstor
	hCas // of 1 byte; those of 2, 4 and 8 follow
	_
	_
	_
	hCasPair
	hFence
	numHelpers
)

// newSlots describes the state to engines; wide says that registers have 64
// bits.
func newSlots(wide bool) *ir.Slots {
	s := &ir.Slots{PC: slotIP, Page: slotPage}
	name := func(x ir.Slot, name string, t ir.Type) { s.Info[x] = ir.SlotInfo{Name: name, Type: t} }
	word := ir.I32
	if wide {
		word = ir.I64
	}
	for i, n := range gprNames(wide) {
		name(slotGPR+ir.Slot(i), n, word)
		if i < 8 {
			s.Hot = append(s.Hot, slotGPR+ir.Slot(i))
		}
	}
	name(slotIP, "eip", word)
	name(slotPage, "page", word)
	name(slotCCOp, "cc_op", ir.I32)
	name(slotCCDst, "cc_dst", ir.I64)
	name(slotCCSrc, "cc_src", ir.I64)
	name(slotCCAux, "cc_aux", ir.I64)
	name(slotCCInc, "cc_inc", ir.I64)
	name(slotCCRot, "cc_rot", ir.I64)
	name(slotCCCarry, "cc_carry", ir.I64)
	name(slotDF, "df", ir.I32)
	name(slotFlags, "eflags", ir.I64)
	name(slotShadow, "shadow", ir.I64)
	for i, n := range [6]string{"es", "cs", "ss", "ds", "fs", "gs"} {
		at := slotSeg + ir.Slot(i)*segWords
		name(at+segSel, n, ir.I32)
		name(at+segBase, n+".base", word)
		name(at+segLo, n+".lo", ir.I64)
		name(at+segRHi, n+".rhi", ir.I64)
		name(at+segWHi, n+".whi", ir.I64)
	}
	for i := range ir.Slot(8) {
		n := string("01234567"[i])
		name(slotFPR+2*i, "fpr"+n, ir.I64)
		name(slotFPR+2*i+1, "fpr"+n+"e", ir.I64)
	}
	name(slotFTop, "ftop", ir.I64)
	name(slotFCW, "fcw", ir.I64)
	name(slotFSW, "fsw", ir.I64)
	name(slotFTW, "ftw", ir.I64)
	name(slotMXCSR, "mxcsr", ir.I64)
	name(slotFIgnore, "fignore", ir.I64)
	name(slotTmp128, "tmp", ir.V128)
	name(slotTmpHigh, "tmphigh", ir.V128)
	name(slotTmpSource, "tmpsource", ir.V128)
	name(slotTmpResult, "tmpresult", ir.V128)
	name(slotTmpResult+2, "tmpresult2", ir.V128)
	for i := range ir.Slot(16) {
		name(slotYMMH+2*i, fmt.Sprintf("ymmh%d", i), ir.V128)
	}
	name(slotTmp64, "tmp2", ir.I64)
	name(slotTmp64+1, "tmp3", ir.I64)
	s.FPStatus = slotMXCSR
	s.Scratch = []ir.Slot{slotTmp64, slotTmp128}
	s.Stack = ir.Stack{Regs: slotFPR, Top: slotFTop, Control: slotFCW, Status: slotFSW, Tags: slotFTW}
	vectors := ir.Slot(8)
	if wide {
		vectors = 11 // and one for what is in memory: as many as engines keep
	}
	for i := range vectors {
		s.Vectors = append(s.Vectors, slotXMM+2*i)
	}
	s.Vectors = append(s.Vectors, slotTmp128)
	for i := range ir.Slot(16) {
		name(slotXMM+2*i, "xmm"+string("0123456789abcdef"[i]), ir.V128)
	}
	s.Lazy = &ir.Lazy{Helper: hFlagsState, Op: slotCCOp, Dst: slotCCDst, Src: slotCCSrc, Aux: slotCCAux}
	s.Cas = hCas
	return s
}

// fallible makes a helper of what may fault: the exception is delivered and
// the unit left.
func (c *CPU) fallible(f func(a, b, d uint64) (uint64, *guest.Fault)) guest.Helper {
	return func(a, b, d uint64) (uint64, bool) {
		v, fault := f(a, b, d)
		if fault != nil {
			c.Raise(fault)
			return 0, true
		}
		return v, false
	}
}

// instruction is fallible for what has no result.
func (c *CPU) instruction(f func(a, b, d uint64) *guest.Fault) guest.Helper {
	return c.fallible(func(a, b, d uint64) (uint64, *guest.Fault) { return 0, f(a, b, d) })
}

// transfer makes a helper of what sets IP itself: the unit is always left.
func (c *CPU) transfer(f func(a, b, d uint64) *guest.Fault) guest.Helper {
	return func(a, b, d uint64) (uint64, bool) {
		tf := c.s.Flags&flagTF != 0
		if fault := f(a, b, d); fault != nil {
			c.Raise(fault)
			return 0, true
		}
		c.debugTrap(tf)
		return 0, true
	}
}

// selector makes a helper of VERR and VERW.
func (c *CPU) selector(f func(sel uint16) (bool, *guest.Fault)) guest.Helper {
	return c.fallible(func(a, _, _ uint64) (uint64, *guest.Fault) {
		ok, fault := f(uint16(a))
		return b2u(ok), fault
	})
}

// rights makes a helper of LAR and LSL.
func (c *CPU) rights(f func(sel uint16) (uint32, bool, *guest.Fault)) guest.Helper {
	return c.fallible(func(a, _, _ uint64) (uint64, *guest.Fault) {
		v, ok, fault := f(uint16(a))
		return uint64(v) | b2u(ok)<<32, fault
	})
}

func (c *CPU) helperTable() []guest.Helper {
	h := make([]guest.Helper, numHelpers)
	h[hRaise] = func(code, _, _ uint64) (uint64, bool) {
		c.Raise(faultOf(code))
		return 0, true
	}
	h[hFlags] = func(op, dst, src uint64) (uint64, bool) { return arithBase(op, dst, src, 0), false }
	h[hFlagsState] = func(_, _, _ uint64) (uint64, bool) { return c.arithFlags(), false }
	h[hRCL], h[hRCR], h[hDoubleShift] = rcl, rcr, shiftDouble
	h[hDAA], h[hDAS], h[hAAA], h[hAAS], h[hAAM], h[hAAD] = daa, das, aaa, aas, aam, aad
	h[hDiv64], h[hIDiv64] = c.fallible(c.div64), c.fallible(c.idiv64)
	h[hCRC32] = crc32c()
	for i := range 4 {
		h[hCas+i] = c.cas(1 << i)
	}
	h[hCasPair] = c.instruction(func(lin, _, _ uint64) *guest.Fault { return c.casPair(lin) })
	h[hFence] = fence()
	h[hCodeBreak] = c.instruction(func(a, _, _ uint64) *guest.Fault { return c.codeBreak(a) })
	h[hDataBreak] = func(a, b, _ uint64) (uint64, bool) {
		c.dataBreak(a, int(b&0xff), b>>8 != 0)
		return 0, false
	}
	h[hStepTrap] = func(next, tf, _ uint64) (uint64, bool) {
		at := c.s.IP
		c.s.IP = next
		if c.debugTrap(tf != 0) {
			return 0, true
		}
		c.s.IP = at
		return 0, false
	}
	h[hLoadSeg] = c.instruction(func(a, b, _ uint64) *guest.Fault {
		fault := c.loadSeg(int(a&7), uint16(b))
		if fault == nil && a == SS {
			c.s.Shadow = shadowSS
		}
		return fault
	})
	h[hPopSeg] = c.instruction(func(a, b, size uint64) *guest.Fault {
		mode := c.mode
		if fault := c.loadSeg(int(a), uint16(b)); fault != nil {
			return fault
		}
		c.popped(mode, size)
		if a == SS {
			c.s.Shadow = shadowSS
		}
		return nil
	})
	h[hString] = c.stringHelper
	h[hFarJump] = c.transfer(func(a, off, next uint64) *guest.Fault {
		return c.farJump(uint16(a), off, int(a>>16), next)
	})
	h[hFarCall] = c.transfer(func(a, off, next uint64) *guest.Fault {
		return c.farCall(uint16(a), off, int(a>>16), next)
	})
	h[hFarRet] = c.transfer(func(size, imm, _ uint64) *guest.Fault { return c.farRet(int(size), imm) })
	h[hIret] = c.transfer(func(size, _, next uint64) *guest.Fault { return c.iret(int(size), next) })
	h[hSoftInt] = func(vec, kind, next uint64) (uint64, bool) {
		// INT n clears TF: no single-step trap follows it (SDM vol. 3, 17.3.1.4).
		// What breakpoints of a load of SS wait is reported with INT1's own
		// #DB, and before the first instruction of another's handler.
		if f := c.softInt(int(vec), softKind(kind), next); f != nil {
			c.Raise(f)
		}
		return 0, true
	}
	c.systemHelpers(h)
	c.x87Helpers(h)
	c.simdHelpers(h)
	c.avxHelpers(h)
	return h
}

// backdoor passes registers by VMware's port; false: nobody answers.
func (c *CPU) backdoor() (eax uint64, ok bool) {
	s := c.s
	var r BackdoorRegs
	list := [...]struct {
		reg int
		v   *uint32
	}{{rAX, &r.EAX}, {rBX, &r.EBX}, {rCX, &r.ECX}, {rDX, &r.EDX}, {rSI, &r.ESI}, {rDI, &r.EDI}}
	for _, l := range list {
		*l.v = uint32(s.GPR[l.reg])
	}
	if !c.cfg.Backdoor(&r) {
		return 0, false
	}
	for _, l := range list {
		s.GPR[l.reg] = uint64(*l.v)
	}
	return uint64(r.EAX), true
}

func (c *CPU) systemHelpers(h []guest.Helper) {
	s := c.s
	h[hPushf] = c.fallible(func(size, _, _ uint64) (uint64, *guest.Fault) {
		v, f := c.pushf(int(size))
		return uint64(v), f
	})
	h[hPopf] = c.instruction(func(v, size, _ uint64) *guest.Fault { return c.popf(uint32(v), int(size)) })
	h[hStiInUnit] = c.stiInUnit
	h[hPopfInMode] = c.popfInMode
	h[hCli] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.cli() })
	h[hSti] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.sti() })
	h[hHlt] = func(next, _, _ uint64) (uint64, bool) {
		tf := c.mode&modeTF != 0
		if f := c.halt(next); f != nil {
			c.Raise(f)
			return 0, true
		}
		c.debugTrap(tf) // which ends the wait
		return 0, true
	}
	h[hIn] = c.fallible(func(port, size, _ uint64) (uint64, *guest.Fault) {
		if f := c.ioCheck(uint32(port), int(size)); f != nil {
			return 0, f
		}
		if c.mode&modeDbgData != 0 {
			c.ioBreak(port, int(size))
		}
		if port == backdoorPort && size == 4 && c.cfg.Backdoor != nil {
			if v, ok := c.backdoor(); ok {
				return v, nil
			}
		}
		return c.mem.In(port, int(size)), nil
	})
	h[hOut] = c.instruction(func(port, size, v uint64) *guest.Fault {
		if f := c.ioCheck(uint32(port), int(size)); f != nil {
			return f
		}
		if c.mode&modeDbgData != 0 {
			c.ioBreak(port, int(size))
		}
		c.mem.Out(port, int(size), v)
		return nil
	})
	h[hClts] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.clts() })
	h[hCacheOp] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.needRing0() })
	h[hRdtsc] = c.instruction(func(_, _, _ uint64) *guest.Fault {
		v, f := c.rdtsc()
		return c.pair(v, f)
	})
	h[hRdmsr] = c.instruction(func(_, _, _ uint64) *guest.Fault {
		v, f := c.rdmsr(uint32(s.GPR[rCX]))
		return c.pair(v, f)
	})
	h[hRdpmc] = c.instruction(func(_, _, _ uint64) *guest.Fault {
		v, f := c.rdpmc(uint32(s.GPR[rCX]))
		return c.pair(v, f)
	})
	h[hWrmsr] = c.instruction(func(_, _, _ uint64) *guest.Fault {
		return c.wrmsr(uint32(s.GPR[rCX]), s.GPR[rDX]<<32|s.GPR[rAX]&0xffffffff)
	})
	h[hCpuid] = func(_, _, _ uint64) (uint64, bool) {
		c.cpuid()
		return 0, false
	}
	h[hSysenter] = c.transfer(func(_, _, _ uint64) *guest.Fault { return c.sysenter() })
	h[hSysexit] = c.transfer(func(wide, _, _ uint64) *guest.Fault { return c.sysexit(wide != 0) })
	h[hRsm] = c.transfer(func(_, _, _ uint64) *guest.Fault { return c.rsm() })
	h[hReadCR] = c.fallible(func(n, _, _ uint64) (uint64, *guest.Fault) {
		return c.readCR(int(n))
	})
	h[hSetCR] = c.instruction(func(n, v, _ uint64) *guest.Fault { return c.setCR(int(n), v) })
	h[hReadDR] = c.fallible(func(n, _, _ uint64) (uint64, *guest.Fault) {
		return c.readDR(int(n))
	})
	h[hSetDR] = c.instruction(func(n, v, _ uint64) *guest.Fault { return c.setDR(int(n), v) })
	h[hLgdt] = c.instruction(func(l, b, n uint64) *guest.Fault { return c.lgdt(uint16(l), b, int(n)) })
	h[hLidt] = c.instruction(func(l, b, n uint64) *guest.Fault { return c.lidt(uint16(l), b, int(n)) })
	h[hNeedProtected] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.needProtected() })
	h[hLldt] = c.instruction(func(sel, _, _ uint64) *guest.Fault { return c.lldt(uint16(sel)) })
	h[hLtr] = c.instruction(func(sel, _, _ uint64) *guest.Fault { return c.ltr(uint16(sel)) })
	h[hVerr], h[hVerw] = c.selector(c.verr), c.selector(c.verw)
	h[hLar], h[hLsl] = c.rights(c.lar), c.rights(c.lsl)
	h[hLmsw] = c.instruction(func(v, _, _ uint64) *guest.Fault { return c.lmsw(uint16(v)) })
	h[hSyscall] = c.transfer(func(_, _, next uint64) *guest.Fault { return c.syscall(next) })
	h[hSysret] = c.transfer(func(wide, _, _ uint64) *guest.Fault { return c.sysret(wide != 0) })
	h[hSwapGS] = c.instruction(func(_, _, _ uint64) *guest.Fault { return c.swapGS() })
	h[hRdtscp] = c.instruction(func(_, _, _ uint64) *guest.Fault {
		v, f := c.rdtscp()
		return c.pair(v, f)
	})
	h[hFSGSBase] = c.instruction(func(seg, v, _ uint64) *guest.Fault { return c.setBase(int(seg), v) })
	h[hInvpcid] = c.instruction(c.invpcid)
	h[hAlignFlag] = c.instruction(func(on, _, _ uint64) *guest.Fault { return c.setAC(on != 0) })
	h[hRandom] = func(_, _, _ uint64) (uint64, bool) { return c.cfg.Random(), false }
	h[hArpl] = c.fallible(c.arplMemory)
	h[hInvlpg] = c.instruction(func(lin, _, _ uint64) *guest.Fault { return c.invlpg(lin) })
}

// pair sets EDX:EAX.
func (c *CPU) pair(v uint64, f *guest.Fault) *guest.Fault {
	if f == nil {
		c.s.GPR[rAX], c.s.GPR[rDX] = v&0xffffffff, v>>32
	}
	return f
}
