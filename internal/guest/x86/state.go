package x86

// General registers, in the order of the encodings (SDM vol. 2, table 2-2).
const (
	rAX = iota
	rCX
	rDX
	rBX
	rSP
	rBP
	rSI
	rDI
	r8
	r9
	r10
	r11
	r12
	r13
	r14
	r15
)

// Segment registers, in the order of the encodings.
const (
	ES = iota
	CS
	SS
	DS
	FS
	GS
)

// Segment is a segment register with its descriptor cache. Every field is a
// word of the frame, so that translated code reads it directly.
type Segment struct {
	Sel   uint64
	Base  uint64
	Limit uint64 // in bytes, of the last byte (granularity applied)
	Attr  uint64 // bits 8-23 of the descriptor's second dword, in place

	// What translated code compares offsets with: an access of n bytes at off
	// is allowed if off >= Lo and off+n <= RHi (reads) or WHi (writes), in
	// 64-bit arithmetic. cacheBounds derives them from Limit and Attr.
	Lo, RHi, WHi uint64
}

// Table is GDTR or IDTR.
type Table struct{ Base, Limit uint64 }

// State is the guest's registers as they lie in the frame: every field takes
// whole words, so that a field's offset divided by 8 is its ir.Slot.
// Registers of 32 bits are kept zero-extended; so are the general ones of a
// 64-bit processor in all modes but 64-bit mode.
type State struct {
	// The arithmetic flags CF PF AF ZF SF OF are lazy: CCOp says how they
	// follow from the others (see flags.go). What is written most comes first:
	// machine code reaches it with the shortest displacements.
	CCOp, CCDst, CCSrc, CCAux, CCInc, CCRot, CCCarry uint64

	// Page is ir.Slots.Page.
	Page uint64

	IP  uint64
	GPR [16]uint64

	// DF is the direction flag as a step: 1, or 0xffffffff for -1.
	DF uint64
	// Flags holds all other bits of EFLAGS, in place, with bit 1 set.
	Flags uint64
	// Shadow is shadowSTI or shadowSS while interrupts are held off for one
	// instruction, after
	// STI and loads of SS (SDM vol. 3, 6.8.3).
	Shadow uint64

	Seg        [6]Segment
	LDTR, TR   Segment
	GDTR, IDTR Table

	CR0, CR2, CR3, CR4 uint64
	DR                 [8]uint64
	EFER               uint64

	// x87: FPR are the physical registers, two words each (significand;
	// sign and exponent). MMX registers are the significands.
	FPR      [8][2]uint64
	FTop     uint64 // TOP
	FCW      uint64
	FSW      uint64 // without TOP
	FTW      uint64 // abridged as in FXSAVE: bit i = FPR[i] is not empty
	FOP      uint64
	FIP, FDP uint64 // FIP is relative to FIPPage: see fip
	FCS, FDS uint64
	FIPPage  uint64

	XMM   [16][2]uint64
	MXCSR uint64

	SysenterCS, SysenterESP, SysenterEIP uint64

	STAR, LSTAR, CSTAR, SFMASK uint64
	KernelGSBase               uint64
	TSCAux                     uint64

	XCR0 uint64
	YMMH [16][2]uint64 // the upper halves of the YMM registers

	// FIgnore is 1 while the next instruction ignores a pending x87 error:
	// CR0.NE is 0, FERR# is asserted, and no interrupt has come of it.
	FIgnore uint64
	// Tmp is scratch between IR and helpers within one instruction.
	Tmp [12]uint64
}

// fip is the address of the last x87 instruction.
func (s *State) fip() uint64 { return s.FIP + s.FIPPage }

// setFIP leaves FIPPage as translated code expects it.
func (s *State) setFIP(ip uint64) { s.FIP = ip - s.FIPPage }

// EFLAGS bits (SDM vol. 1, 3.4.3).
const (
	flagCF   = 1 << 0
	flag1    = 1 << 1
	flagPF   = 1 << 2
	flagAF   = 1 << 4
	flagZF   = 1 << 6
	flagSF   = 1 << 7
	flagTF   = 1 << 8
	flagIF   = 1 << 9
	flagDF   = 1 << 10
	flagOF   = 1 << 11
	flagIOPL = 3 << 12
	flagNT   = 1 << 14
	flagRF   = 1 << 16
	flagVM   = 1 << 17
	flagAC   = 1 << 18
	flagVIF  = 1 << 19
	flagVIP  = 1 << 20
	flagID   = 1 << 21

	flagsArith = flagCF | flagPF | flagAF | flagZF | flagSF | flagOF
)

// CR0 and CR4 bits (SDM vol. 3, 2.5).
const (
	cr0PE = 1 << 0
	cr0MP = 1 << 1
	cr0EM = 1 << 2
	cr0TS = 1 << 3
	cr0ET = 1 << 4
	cr0NE = 1 << 5
	cr0WP = 1 << 16
	cr0AM = 1 << 18
	cr0NW = 1 << 29
	cr0CD = 1 << 30
	cr0PG = 1 << 31

	cr4VME        = 1 << 0
	cr4PVI        = 1 << 1
	cr4TSD        = 1 << 2
	cr4DE         = 1 << 3
	cr4PSE        = 1 << 4
	cr4PAE        = 1 << 5
	cr4MCE        = 1 << 6
	cr4PGE        = 1 << 7
	cr4PCE        = 1 << 8
	cr4OSFXSR     = 1 << 9
	cr4OSXMMEXCPT = 1 << 10
	cr4UMIP       = 1 << 11
	cr4FSGSBASE   = 1 << 16
	cr4PCIDE      = 1 << 17
	cr4OSXSAVE    = 1 << 18
	cr4SMEP       = 1 << 20
	cr4SMAP       = 1 << 21

	cr3NoFlush = 1 << 63 // with PCIDs

	eferSCE = 1 << 0
	eferLME = 1 << 8
	eferLMA = 1 << 10
	eferNXE = 1 << 11
)

// Descriptor attribute bits, as in Segment.Attr (SDM vol. 3, figure 3-8).
const (
	attrA    = 1 << 8  // accessed
	attrRW   = 1 << 9  // readable (code), writable (data)
	attrCE   = 1 << 10 // conforming (code), expand-down (data)
	attrCode = 1 << 11
	attrType = 15 << 8
	attrS    = 1 << 12 // code or data, not system
	attrDPL  = 3 << 13
	attrP    = 1 << 15
	attrL    = 1 << 21
	attrDB   = 1 << 22
	attrG    = 1 << 23
)

// Exception vectors (SDM vol. 3, table 6-1).
const (
	vecDE  = 0
	vecDB  = 1
	vecNMI = 2
	vecBP  = 3
	vecOF  = 4
	vecBR  = 5
	vecUD  = 6
	vecNM  = 7
	vecDF  = 8
	vecTS  = 10
	vecNP  = 11
	vecSS  = 12
	vecGP  = 13
	vecPF  = 14
	vecMF  = 16
	vecAC  = 17
	vecMC  = 18
	vecXM  = 19
)

// MMU indexes of memory accesses.
const (
	mmuKernel = 0
	mmuUser   = 1
	mmuSMAP   = 2 // the kernel's, to which the user's pages are closed
)

// Mode bits of guest.Key: all that a translation depends on besides CS.
const (
	modePE      = 1 << 0 // protected mode, not virtual-8086
	modeVM      = 1 << 1 // virtual-8086 mode
	modeCPL     = 3 << 2
	modeCPLPos  = 2
	modeCode32  = 1 << 4  // CS.D
	modeStack32 = 1 << 5  // SS.B
	modeExpDown = 1 << 6  // some segment needs its Lo checked
	modeTF      = 1 << 7  // single step
	modeRF      = 1 << 8  // EFLAGS.RF is set
	modeShadow  = 1 << 9  // interrupt shadow
	modeDbgExec = 1 << 10 // instruction breakpoints are enabled
	modeDbgData = 1 << 11 // data or I/O breakpoints are enabled
	modeEM      = 1 << 12 // CR0.EM
	modeTS      = 1 << 13 // CR0.TS
	modeMP      = 1 << 14 // CR0.MP
	modeFXSR    = 1 << 15 // CR4.OSFXSR
	modeSMM     = 1 << 16
	modeAlign   = 1 << 17 // alignment checks are on: CR0.AM, EFLAGS.AC, CPL 3
	modeFIgnore = 1 << 18 // State.FIgnore

	// Two bits a segment register: its base is 0, and it reaches over all
	// 4 GiB for reads and writes, so that no limit has to be checked.
	modeSegPos = 20

	modeXM = 1 << 32 // some SSE exception is unmasked: CPU.Key
	modeFM = 1 << 33 // an x87 exception is unmasked, or one is pending

	modeLong    = 1 << 34 // 64-bit mode: CS.L in IA-32e mode
	modeSMAP    = 1 << 35 // CR4.SMAP has effect: not at level 3, EFLAGS.AC clear
	modeUMIP    = 1 << 36 // CR4.UMIP has effect: at level 3
	modeFSGS    = 1 << 37 // CR4.FSGSBASE
	modeOSXSAVE = 1 << 39 // CR4.OSXSAVE
	modeAVX     = 1 << 38 // AVX is enabled: CR4.OSXSAVE and XCR0
)

func modeZero(seg int) uint64 { return 1 << (modeSegPos + 2*seg) }
func modeFull(seg int) uint64 { return 2 << (modeSegPos + 2*seg) }
