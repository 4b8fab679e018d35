// Package amd64 compiles ir units to AMD64 machine code. It knows no guest:
// what it needs of one is in ir.Slots and Config.
//
// R15 points at the guest's Frame; the words below it are shared with whoever
// enters and leaves generated code (jit/host). RSP is a private stack. Some
// slots live in host registers wherever generated code runs (Config.Pinned):
// units jump to each other without a store. The six registers of temps hold
// values within a unit.
//
// Generated code never calls Go. Where it needs Go it leaves through a cold
// stub that names a Site; Go does what the site says and, if the unit goes
// on, enters again behind the stub. What a Site leaves to be done with the
// state, if the unit is not resumed, is data (Write), not code.
package amd64

import "rhea/internal/ir"

// Config is what a Compiler is made for.
type Config struct {
	Slots *ir.Slots
	// Read and Write are where the tables of each MMU index begin, in bytes
	// from R15. A table has a word for each page of 32-bit addresses: what to
	// add to an address in that page to get the host's, or 0 if generated code
	// must not access the page so.
	Read, Write []int32
	// Wide says that addresses and program counters have 64 bits. The tables
	// of pages then have TLBSize entries of two words, by the page's number
	// modulo that: the page's address, or NoPage, and what to add.
	Wide bool
	// Jumps is where the table of indirect jumps begins, in bytes from R15:
	// JumpSize pairs of words, tag and code address. If Wide is set they are
	// JumpSize times four words: program counter, code address, tag, nothing.
	Jumps int32
	// Flat says that the guest's memory is the host's, at the base of GS:
	// nothing is looked up, and what may not be accessed faults. See
	// FaultStub.
	Flat bool
	// BMI2 says that the host has those instructions.
	BMI2 bool
	// Features are the host's instructions on vectors.
	Features Features
}

// TLBSize is the number of entries of a table of pages if Config.Wide is set, and
// NoPage what no page's address is.
const (
	TLBSize = 4096
	NoPage  = 1
)

// JumpSize is the number of entries of the table of indirect jumps.
const (
	JumpSize = 1 << 16

	jumpGrain = 2 // bits of the program counter that make no difference
)

// JumpIndex is the entry for a program counter. Few instructions that are jumped
// to are in the same four bytes, and so the table has less of the host's pages.
// It takes no more bits than that: where jumps are not foreseen this is waited for.
func JumpIndex(pc uint64) uint64 { return pc >> jumpGrain % JumpSize }

// Words below R15, in bytes. They are those of jit/host, and the engine's.
const (
	offPoll   = -128 // not 0: leave at the next poll
	offExit   = -120 // number of the site
	offResume = -112 // where the site may be resumed; where the entry stub jumps to
	offResult = -88  // what a load or a call gave
	offLeave  = -80  // where to jump to leave
	offTag    = -48  // high half of the tags of the current jumps
	offBudget = -40  // guest instructions that counted units may still execute
	offAlone  = -16  // accesses of groups that stubs may still do by themselves
	offFar    = -8   // jumps to other pages that need not be told yet
)

// OffTag is the word that holds the bits 32-63 of the tags that the table of
// indirect jumps must have to be used (if Config.Wide is set, all of the tag);
// OffBudget is what counted units count down; OffAlone counts down the accesses
// that did not go well with their groups: while it is negative Go is asked to do
// them, so that it can see whose they are (Options.Apart); OffFar counts down the
// jumps to other pages that go by the table: when it becomes negative Go is told
// which one it is (Config.Flat); OffResume and OffResult are the words through
// which sites are resumed.
const (
	OffTag    = offTag
	OffBudget = offBudget
	OffAlone  = offAlone
	OffFar    = offFar
	OffResume = offResume
	OffResult = offResult
)

// The temporaries, in the order of preference, and what is pinned to what.
var (
	temps   = [...]reg{rax, rdx, r12, r13, r14, rcx}
	pinRegs = [...]reg{rbx, r9, r10, r11, r8, rbp, rsi, rdi}
)

// tempSet are the temporaries as a set.
const tempSet = 1<<rax | 1<<rdx | 1<<r12 | 1<<r13 | 1<<r14 | 1<<rcx

// MaxPinned is how many slots can live in registers.
const MaxPinned = len(pinRegs)

// Words of the frame that the compiler uses besides the guest's: a place for
// each temporary register, then those of values.
const (
	saveWord  = ir.TempBase
	faultWord = fxWord + 64 // the registers of vectors, where code is left
	spillWord = faultWord + 2*16 + 2
)

// SiteKind says why generated code was left.
type SiteKind uint8

// The kinds.
const (
	// Load: do the load, with the address in Args[0]; resume with Result. Of
	// 16 bytes: write them to the words Args[1] and the one after it.
	Load SiteKind = iota
	// Store: do the store of Args[1] (NoWord: of Imm) to Args[0]; resume.
	Store
	// Guard: the guard with code Imm has failed. Not resumed.
	Guard
	// Call: call helper Imm with the values of its Writes; resume with Result.
	Call
	// Link: on to PC in the same mode. Later the jump Imm may lead there
	// directly; if that is NoJump the table of indirect jumps should. The poll
	// word may be set: then something is to be looked at first.
	Link
	// Indirect: on to PC, which is in Args[0]. The poll word may be set. Args[1], if
	// it is a word, has the number of the jump that led here, which may lead there
	// directly (0: none).
	Indirect
	// Exit: to the loop, with PC in Args[0] (NoWord: PC).
	Exit
	// Poll: to the loop, with PC: the budget does not suffice for the unit.
	Poll
	NumKinds
)

// NoWord is no word of the frame, NoJump none of the Jumps.
const (
	NoWord = 0xffff
	NoJump = ^uint64(0)
)

func (k SiteKind) String() string {
	return [NumKinds]string{"load", "store", "guard", "call", "link", "indirect", "exit", "poll"}[k]
}

// Site is a place where generated code leaves to Go.
type Site struct {
	Kind       SiteKind
	Size       uint8 // bytes accessed
	Index      uint8 // MMU index
	RMW        bool
	Probe      bool
	Pure       bool      // of a Call: it cannot stop
	KeepsStack bool      // of a Call: it has nothing to do with the x87
	Args       [2]uint16 // words of the frame
	Owner      uint32    // the engine's
	PC         uint64    // of a unit that moves, from the beginning of its page
	Imm        uint64
	Writes     []Write // of a Call: its arguments
	// Loop says of a Link that the jump, if it is to lead to the unit itself, is to
	// lead so many bytes behind its beginning.
	Loop int

	// For Resume.
	dirty     uint16 // for Settle: registers
	result    uint16 // word that gets it, NoWord = none
	lost      uint16 // registers
	back, end int    // offsets of the code memory
}

// Access is an instruction of flat code that accesses the guest's memory: its
// offset in the code memory, and the offset of its site's record.
type Access struct{ At, Site uint32 }

// Write says what to write to a slot when the unit is left for good at a
// site: the word Src as it was when the unit was left, or, if that is NoWord,
// Val. Sources are read before anything is written.
type Write struct {
	Slot, Src uint16
	Val       uint64
}

// Jump is a direct jump to another unit: the rel32 at offset At of the code
// memory is 0 until it is patched, and leads to what is behind it, which leaves
// with a Link site, or if it is to another page goes on by the table.
type Jump struct {
	PC uint64
	At int
}
