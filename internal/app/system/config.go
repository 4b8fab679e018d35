package system

import (
	"time"

	"rhea/internal/firmware/smbios"
	"rhea/internal/prop"
	"rhea/internal/trace"
)

// Config is a machine as the command line describes it, complete and checked:
// all defaults are filled in. Nothing has been opened or built.
type Config struct {
	Target  string // "i386" or "x86_64"
	Machine Machine
	Accel   Accel
	CPU     CPU
	Memory  uint64 // bytes
	Name    string
	UUID    [16]byte
	SMBIOS  smbios.Info // what -smbios says of it
	HasUUID bool

	Firmware Firmware
	Boot     Boot
	Kernel   Kernel
	RTC      RTC
	VGA      string // "std" or "none"
	// VGAMemory is its memory in bytes, 0 = the adapter's usual.
	VGAMemory uint64

	// VNC are the servers of -vnc.
	VNC []VNC
	// Display is what else shows the screen: "none", "x11", "curses", or "" for
	// a window where there is an X server.
	Display    string
	FullScreen bool
	// Web is the page of -display web, nil = none.
	Web *Web
	// Keyboard is the layout of -k, "" = en-us.
	Keyboard string
	Objects  []Object
	// Audiodevs and Sounds are -audiodev and the sound cards.
	Audiodevs []Audiodev
	Sounds    []Sound

	Drives    []Drive
	Chardevs  []Chardev
	Serials   []string // chardev IDs, "" = no port
	Parallels []string
	Monitors  []Monitor
	Debugcon  *Debugcon
	DebugExit *DebugExit
	PVPanic   *PVPanic
	Netdevs   []Netdev
	NICs      []NIC
	NetDumps  []NetDump
	// Devices are those of -device in their order, but for what has a field
	// of its own above.
	Devices []Device

	Run Run
	Log Log
}

// Machine is -machine.
type Machine struct {
	Type      string // "pc" or "isapc"
	ACPI      bool
	VMPort    bool // VMware's port is there, and with it the mouse that knows places
	FDBootChk bool // the BIOS checks a floppy's boot signature
	// Graphics is false for -nographic: firmware and option ROMs are told to
	// use the serial port.
	Graphics bool
	// SpeakerAudio is the -audiodev of the PC speaker, "" = it is not heard.
	SpeakerAudio string
}

// Accel is -accel.
type Accel struct {
	Name   string // "tcg" or "interp"
	TBSize uint64 // bytes of the code cache, 0 = the engine's choice
}

// CPU is -cpu and -smp.
type CPU struct {
	Model string // with its features, as x86.ParseModel reads it
	Count int
}

// Firmware is what the machine starts with.
type Firmware struct {
	BIOS string   // of -bios, "" = the board's usual one
	Dirs []string // of -L
	// ROMs are those of -option-rom.
	ROMs []ROM
	// DebugFile etc. are fw_cfg entries of -fw_cfg.
	Files []FWFile
}

// ROM is -option-rom.
type ROM struct {
	File      string
	BootIndex int // -1 = not given
}

// FWFile is -fw_cfg name=,file= or string=.
type FWFile struct {
	Name string
	File string
	Data string
}

// Boot is -boot.
type Boot struct {
	Order         string // letters a c d n; "" = the machine's default, "cad"
	Once          string
	Menu          bool
	Strict        bool
	SplashTime    int // milliseconds, -1 = not given
	RebootTimeout int // milliseconds, -1 = not given
}

// Kernel is -kernel, -initrd and -append.
type Kernel struct {
	File   string
	Initrd string
	Append string
}

// RTC is -rtc.
type RTC struct {
	// Base is the time at the machine's start; zero = the host's.
	Base time.Time
	// Local: the clock shows local time, not UTC.
	Local bool
	// Clock is "host", "vm" or "rt".
	Clock string
	// DriftFix is "none" or "slew".
	DriftFix string
}

// Drive is a disk, a CD-ROM drive or a floppy drive.
type Drive struct {
	ID        string
	Interface string // "ide", "floppy", "none"
	Bus, Unit int
	CDROM     bool
	// File is "" for an empty drive.
	File   string
	Format string // "raw", "qcow2"; "" = what the image is
	// Backing is the backing file to be used, and allowed, whatever the image says.
	Backing  string
	Snapshot bool
	ReadOnly bool
	// Inject makes accesses fail, nil = none.
	Inject  *Inject
	Cache   Cache
	Discard Discard
	WError  string // "report", "ignore", "stop", "enospc"
	RError  string
	Serial  string
	Model   string
	Version string
	WWN     uint64
	// FloppyType is "120", "144", "288", or "auto" or "" for what suits the medium.
	FloppyType string
	// Geometry as of -drive cyls=,heads=,secs=,trans=; 0 = guess.
	Cyls, Heads, Secs int
	Trans             string
	// BootIndex is -1 if not given.
	BootIndex int
	// Option is how the user wrote it, for messages.
	Option string
}

// Discard is what becomes of what the guest no longer needs.
type Discard struct {
	// Unmap frees it on the host.
	Unmap bool
	// Zeroes has zeroes that the guest writes take no room, where the image can say so.
	Zeroes bool

	zeroesUnmap bool // detect-zeroes=unmap
}

// Cache is how a drive's writes reach the host's disk: what cache= abbreviates.
type Cache struct {
	// Through has each write on stable storage before the guest hears of it
	// (until the guest turns the drive's write cache on).
	Through bool
	// Direct keeps the image out of the host's page cache.
	Direct bool
	// NoFlush ignores the guest's flushes.
	NoFlush bool
}

// cacheModes are the values of cache=, with their old spelling of 2009.
var cacheModes = []struct {
	name string
	Cache
}{
	{"none", Cache{Direct: true}}, {"writeback", Cache{}}, {"writethrough", Cache{Through: true}},
	{"directsync", Cache{Through: true, Direct: true}}, {"unsafe", Cache{NoFlush: true}},
	{"off", Cache{Direct: true}}, {"on", Cache{}},
}

// String is the line of "info block".
func (c Cache) String() string {
	s := "writeback"
	if c.Through {
		s = "writethrough"
	}
	if c.Direct {
		s += ", direct"
	}
	if c.NoFlush {
		s += ", ignore flushes"
	}
	return s
}

// Chardev is a character device's back end.
type Chardev struct {
	ID      string
	Backend string // a name of catalog.Chardevs
	// Columns and Rows are a vc's size in characters, 0 = as usual.
	Columns, Rows int
	// Mux: several front ends share it, Ctrl-A c switches.
	Mux       bool
	LogFile   string
	LogAppend bool

	Path   string // file, pipe, serial, unix sockets
	Append bool   // file
	Signal bool   // stdio: Ctrl-C and the like signal the emulator
	Size   uint64 // ringbuf

	Host, Port string // socket, udp
	LocalHost  string // udp
	LocalPort  string
	Server     bool
	Wait       bool
	Telnet     bool
	NoDelay    bool
	IPv4, IPv6 bool
	FD         int           // socket: an inherited descriptor, -1 = none
	Reconnect  time.Duration // socket client
	// Option is how the user wrote it, for messages.
	Option string
}

// Monitor is a control plane on a character device.
type Monitor struct {
	Chardev string
	Mode    string // "readline"
	// Default: nobody has asked for it, it is in a console of the display.
	Default bool
}

// Debugcon is -debugcon and -device isa-debugcon.
type Debugcon struct {
	Chardev  string
	IOBase   uint16
	ReadBack byte
}

// DebugExit is -device isa-debug-exit.
type DebugExit struct {
	IOBase uint16
	IOSize int
}

// PVPanic is -device pvpanic.
type PVPanic struct {
	IOPort uint16
	Events byte
}

// Device is -device.
type Device struct {
	Driver string
	ID     string
	Props  prop.List // all other properties
	Option string
}

// Run is how the machine is run.
type Run struct {
	Paused     bool // -S
	NoReboot   bool // a reset ends the emulator
	NoShutdown bool // a power-off only stops the machine
	// Panic is what follows when the guest says that it has failed:
	// "shutdown", "exit-failure", "pause" or "none".
	Panic      string
	Escape     byte // of the multiplexer, Ctrl-A
	PIDFile    string
	NoDefaults bool
}

// Log is -d and -D.
type Log struct {
	Items trace.Item
	File  string // "" = standard error
	// PerfMap writes a map of the machine code for perf.
	PerfMap bool
}

// Chardev returns the character device called id.
func (c *Config) Chardev(id string) *Chardev {
	for i := range c.Chardevs {
		if c.Chardevs[i].ID == id {
			return &c.Chardevs[i]
		}
	}
	return nil
}

// Netdev returns the network called id.
func (c *Config) Netdev(id string) *Netdev {
	for i := range c.Netdevs {
		if c.Netdevs[i].ID == id {
			return &c.Netdevs[i]
		}
	}
	return nil
}
