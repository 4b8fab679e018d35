// Package linux is Linux for the programs of another processor: it loads them,
// has their system calls done by the host's kernel, and delivers signals. A
// guest process is a host process, a guest thread a host thread.
//
// What depends on the guest is data: an ABI says how its structures lie in
// memory and which system calls it has; one table of handlers serves all.
package linux

import (
	"encoding/binary"
	"io"
)

// ABI is how the programs of a processor talk to Linux.
type ABI struct {
	// Name is as in QEMU's qemu-<name>.
	Name string
	// Machine is the ELF header's, and Class its class (1 = 32, 2 = 64 bits).
	Machine uint16
	Class   byte
	Order   binary.ByteOrder
	// Long is the size of a long and of a pointer, Align64 the alignment of a
	// 64-bit integer in a structure.
	Long, Align64 int
	// CPU is the processor's model, if none is named.
	CPU string
	// UTSName is what uname(2) calls the machine, Platform AT_PLATFORM.
	UTSName, Platform string
	// Space is how many addresses there are, Top the end of those for programs.
	Space, Top uint64
	// PieBase is where position-independent programs are loaded.
	PieBase uint64

	text  string // of its table of system calls
	calls *table
	// names are those by which handlers know the calls, where they differ.
	names   map[string]string
	layouts map[string]string
	// trampolines are code for handlers of signals to return to that name none,
	// without a siginfo and with one.
	trampolines [2]string
}

// ABIs lists the guests there are.
func ABIs() []*ABI { return []*ABI{i386(), x8664()} }

// ABIOf returns the ABI of that name, nil if there is none.
func ABIOf(name string) *ABI {
	for _, a := range ABIs() {
		if a.Name == name {
			return a
		}
	}
	return nil
}

func i386() *ABI {
	return &ABI{
		Name: "i386", Machine: 3, Class: 1, Order: binary.LittleEndian, Long: 4, Align64: 4,
		CPU: "max", UTSName: "i686", Platform: "i686", Space: 1 << 32, Top: 0xffffe000, PieBase: 0x56555000,
		layouts: i386Layouts(), text: i386Calls,
		trampolines: [2]string{
			"\x58\xb8\x77\x00\x00\x00\xcd\x80", // POP EAX; MOV EAX, 119; INT 80H
			"\xb8\xad\x00\x00\x00\xcd\x80\x00", // MOV EAX, 173; INT 80H
		},
	}
}

// x8664 has the lower quarter of the addresses that Linux gives its programs:
// the guest's lie among the host's.
func x8664() *ABI {
	a := &ABI{
		Name: "x86_64", Machine: 62, Class: 2, Order: binary.LittleEndian, Long: 8, Align64: 8,
		CPU:     "max,-avx", // AVX takes more than SSE does
		UTSName: "x86_64", Platform: "x86_64",
		text: x8664Calls, names: x8664Names(),
	}
	a.setSpace(1 << 45)
	return a
}

// setSpace says how many addresses there are, of a guest that takes what it gets.
func (a *ABI) setSpace(size uint64) {
	a.Space, a.Top = size, size-0x1000
	a.PieBase = a.Top / 3 * 2 &^ 0xfffff
}

// leastSpace is enough for most programs.
const leastSpace = 1 << 35

// halve makes do with half of the addresses, where the host has no more: under
// a limit (ulimit -v), or in a process of ours. It returns false if the guest cannot.
func (a *ABI) halve() bool {
	if a.Long == 4 || a.Space <= leastSpace {
		return false
	}
	a.setSpace(a.Space / 2)
	return true
}

// abiFor returns the ABI of a program's file, nil if there is none or it is no
// program.
func abiFor(r io.ReaderAt) *ABI {
	im, err := readImage(r)
	if err != nil {
		return nil
	}
	for _, a := range ABIs() {
		if im.machine == a.Machine && im.class == a.Class && im.order == a.Order {
			return a
		}
	}
	return nil
}

// Magic is what the programs of the ABI begin with, and which of its bits
// count, for binfmt_misc.
func (a *ABI) Magic() (magic, mask []byte) {
	magic, mask = make([]byte, 20), make([]byte, 20)
	copy(magic, "\x7fELF")
	order := byte(1)
	if a.Order != binary.LittleEndian {
		order = 2
	}
	magic[4], magic[5], magic[6] = a.Class, order, 1
	a.Order.PutUint16(magic[16:], etExec)
	a.Order.PutUint16(magic[18:], a.Machine)
	for i := range mask {
		mask[i] = 0xff
	}
	mask[7] = 0 // the system
	// ET_EXEC or ET_DYN.
	var m [2]byte
	a.Order.PutUint16(m[:], 0xfffe)
	copy(mask[16:], m[:])
	return magic, mask
}
