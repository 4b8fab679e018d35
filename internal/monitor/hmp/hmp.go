// Package hmp is the human monitor: QEMU's commands, their spelling and the
// layout of what they print, which people and scripts know.
//
// A Monitor belongs to a machine. Attach gives it a port (a terminal, a
// socket) as a Session with a line editor; Exec runs one line for others, as
// QMP's human-monitor-command does. Commands run on the session's goroutine
// and take the machine's lock for what they touch, so that neither a slow
// peer nor a slow file keeps the machine waiting.
package hmp

import (
	"io"
	"sync"
	"time"

	"rhea/internal/display"
	"rhea/internal/guest"
	"rhea/internal/keys"
	"rhea/internal/trace"
)

// Machine is what every machine can do. Its methods are called by goroutines
// that do not hold the machine's lock.
type Machine interface {
	// Do runs f under the machine's lock.
	Do(f func())
	// Held is Do with all processors parked between instructions.
	Held(f func())
	// Post runs f soon, on the event loop, under the lock.
	Post(f func())
	Stop()
	Cont() error
	Reset()
	PowerDown()
	Quit(code int)
}

// CPU is a processor, used while it is held. It may also be a Disassembler,
// PageDumper, Inspector or Threader.
type CPU interface {
	// DumpRegisters writes what "info registers" shows.
	DumpRegisters(w io.Writer) error
	// Regs lists the registers that expressions can name.
	Regs(guest.RegSet)
	// Probe translates a virtual address without side effects.
	Probe(va uint64) (pa uint64, ok bool)
	// Key tells the program counter.
	Key() guest.Key
}

// Disassembler is a CPU that names the instruction at the start of code. Size
// is 2 or 4 for 16- or 32-bit code, 0 for what the processor executes now. n
// is 0 if code is cut short.
type Disassembler interface {
	Disassemble(code []byte, pc uint64, size int) (text string, n int)
}

// PageDumper is a CPU that lists what its page tables map ("info mem", "info
// tlb").
type PageDumper interface {
	DumpMem(w io.Writer) error
	DumpTLB(w io.Writer) error
}

// Inspector is a CPU whose page tables are read with load while f runs: its
// engine's way would take the machine's lock, which is held.
type Inspector interface {
	Inspect(load func(pa uint64, size int) uint64, f func())
}

// Threader is a CPU that knows which thread of the host runs it.
type Threader interface{ ThreadID() int }

// Memory is physical memory or a space of ports, used under the lock. It may
// also be a Mapped.
type Memory interface {
	ReadBytes(addr uint64, p []byte)
	Read(addr uint64, size int) uint64
	Write(addr uint64, size int, v uint64)
}

// Mapped is a Memory that knows its holes: it reports whether there is
// something at addr, and the last address for which the same is true.
type Mapped interface {
	Mapped(addr uint64) (last uint64, ok bool)
}

// Space is a view of memory that "info mtree" shows, under the lock.
type Space interface {
	// Tree writes the regions, with all that are disabled if all is set.
	Tree(w io.Writer, all bool)
	// Flat writes what is seen of them.
	Flat(w io.Writer)
}

// Keyboard is where sendkey types, under the lock.
type Keyboard interface {
	Key(code keys.Code, down bool)
}

// Pointer is the mouse, used under the lock. Buttons are bits: 1 left, 2
// right, 4 middle.
type Pointer interface {
	Move(dx, dy, dz int)
	SetButtons(b uint8)
}

// Screen has the guest's picture. It is used without the lock.
type Screen interface{ Snapshot() *display.Surface }

// Chardev is a row of "info chardev".
type Chardev struct{ Label, Filename string }

// Block is an entry of "info block".
type Block struct {
	Name     string // "ide0-hd0"
	Node     string // "#block123", may be empty
	File     string // empty: no medium
	Format   string // "qcow2"
	Attached string // the device's path, empty: none
	Cache    string // "writeback"
	Backing  string
	ReadOnly bool
	// Size is that of the disk, Used what the image takes on the host's; in
	// bytes.
	Size, Used int64
	// Of removable devices.
	Removable, Locked, TrayOpen bool
}

// Bus and Device are the tree of "info qtree".
type Bus struct {
	Name, Type string
	Devices    []Device
}

// Device is a device on a Bus, with lines of properties and further buses.
type Device struct {
	Type, ID string
	Lines    []string
	Buses    []Bus
}

// Config is what a monitor works on. What is nil is not there: the commands
// that need it say so.
type Config struct {
	Machine Machine
	// Status is what "info status" says behind "VM status: ".
	Status  func() string
	Name    string
	UUID    [16]byte
	Version string // of QEMU, "" = 9.0.0
	Package string // "rhea 0.1"

	CPUs        []CPU
	AddressBits int    // of virtual addresses, 0 = 32
	Memory      Memory // physical memory as the processors see it
	IO          Memory // I/O ports
	Spaces      []Space

	Keyboard Keyboard
	Pointer  Pointer
	Screen   Screen
	// After runs f under the lock when the guest's time has gone on by d;
	// nil: sendkey does not hold keys.
	After func(d time.Duration, f func())

	Chardevs func() []Chardev
	Blocks   func() []Block
	Devices  func() []Bus
	// Info has what further info commands show ("pci", "pic", "irq", "jit",
	// "roms", …), called under the lock.
	Info map[string]func(w io.Writer)
	// Commands has further commands by their name in the table ("savevm",
	// "eject", …), called without the lock.
	Commands map[string]func(w io.Writer, a Args) error

	Log     *trace.Log
	LogFile func(name string) error
	NMI     func() // under the lock
	// LAPIC writes the state of a processor's local APIC, under the lock; it
	// reports false if there is none with that number.
	LAPIC func(w io.Writer, id int64) bool
	// BootOrder sets the order of boot devices from the next reset on.
	BootOrder func(order string) error
}

// Monitor is a machine's monitor. Its methods may be called by goroutines
// that do not hold the machine's lock.
type Monitor struct {
	c        Config
	commands []command
	infos    []command

	mu     sync.Mutex // one command at a time
	format format     // of the last x, xp, p or i
	cpu    int        // the default CPU
	keys   keyQueue
}

// New returns the monitor of a machine.
func New(c Config) *Monitor {
	if c.Machine == nil {
		panic("BUG: hmp: no machine")
	}
	if c.Version == "" {
		c.Version = "9.0.0"
	}
	if c.AddressBits == 0 {
		c.AddressBits = 32
	}
	return &Monitor{c: c, commands: commandTable(), infos: infoTable(), format: format{letter: 'x', size: 4}}
}

// Exec runs a command line and returns what it prints, lines ending in "\n".
func (m *Monitor) Exec(line string) string {
	var out outputBuffer
	m.run(nil, line, &out)
	return out.String()
}

// run executes line, writing to w.
func (m *Monitor) run(s *Session, line string, w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &call{m: m, s: s, w: w}
	c.execute(line)
}
